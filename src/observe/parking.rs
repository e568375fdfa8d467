//! What a thread waits for that sleeps in CPython's parking lot.
//!
//! # The problem
//! From 3.13 on most of CPython's own locks are a byte (`PyMutex`): the lock of each object in free-threaded builds,
//! `threading.Lock`, those of the interpreter. Who wants one that is taken parks (Python/parking_lot.c): it sleeps on a
//! semaphore of its own, so the kernel tells an address that says nothing.
//!
//! # The choice
//! The semaphore lies in a `struct wait_entry` on the sleeper's stack, and before it stands the address that is waited
//! on. The entry hangs in a list of the lot, and only if its neighbours point back to it is it believed to be one. What
//! lies at the address is found out by what it would have to be: part of a thread state, of a world, of a thread's
//! handle, of an object whose type is a type. What fits nothing is a mutex, and no more is said. Each question is a
//! handful of reads at fixed distances, asked once a sleep, and whatever is read may be garbage: then the answer is none.
//!
//! # Not chosen
//! Who holds it: a `PyMutex` does not say. Locks that are a semaphore on the heap (`PyThread_type_lock`: in 3.13
//! `threading.RLock`, in its first patch levels `threading.Lock`, too): nothing leads from there to the object.

use std::sync::Arc;

use super::layout::TID_IN_PTHREAD;
use super::memory::Memory;
use super::runtime::Runtime;
use super::world;

/// In `struct wait_entry`, counted from its semaphore, whose first word is slept on: `addr` before, `node` after it.
const ADDRESS: u64 = 8;
const NODE: u64 = 32;

/// In `ThreadHandle` (Modules/_threadmodule.c): `ident`, `state`, `thread_is_exiting`.
const HANDLE: (u64, u64, u64) = (32, 52, 57);
/// `ThreadHandleState` goes from 1 to 4.
const HANDLE_STATES: std::ops::RangeInclusive<i32> = 1..=4;

/// In a free-threaded object: its lock.
const OB_MUTEX: u64 = 10;

/// The longest name of a type that is one.
const NAME: usize = 80;

/// A type's type's type is `type`, in all but contrived programs.
const METATYPES: usize = 4;

/// What somebody waits for who is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parked {
    /// A stop-the-world is to be over.
    Suspended,
    /// It stops the world, and not all others stand still yet.
    Stopping,
    /// It wants to stop the world, and another does.
    Turn,
    /// The thread with this number, as its process counts, is to end.
    End(u32),
    /// The lock of an object of this type: in free-threaded builds each has one.
    Object(String),
    /// A lock that is an object of this type, or its first field: `_thread.lock`.
    Lock(String),
    /// A lock of the interpreter's own.
    Interpreter,
    /// A mutex of which no more is known.
    Mutex,
}

/// What somebody waits for, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `the lock of a dict object`.
    pub words: Arc<str>,
    /// Whether that is a lock that another has, rather than something that is to happen.
    pub is_lock: bool,
}

impl Parked {
    /// Whether what is waited for is a lock that another has.
    pub fn is_lock(&self) -> bool {
        matches!(self, Parked::Object(_) | Parked::Lock(_) | Parked::Interpreter | Parked::Mutex)
    }

    /// Whether it waits because of a stop-the-world.
    pub fn is_of_world(&self) -> bool {
        matches!(self, Parked::Suspended | Parked::Stopping | Parked::Turn)
    }

    /// What is waited for, in words; `thread` names a thread by its number.
    pub fn words(&self, thread: impl FnOnce(u32) -> Option<String>) -> String {
        match self {
            Parked::Suspended => "the world to go on".to_owned(),
            Parked::Stopping => "all other threads to stand still".to_owned(),
            Parked::Turn => "its turn to stop the world".to_owned(),
            Parked::End(native) => format!("the end of {}", thread(*native).unwrap_or_else(|| "a thread".to_owned())),
            Parked::Object(name) => format!("the lock of {}", object(name)),
            Parked::Lock(name) => match name.as_str() {
                "_thread.lock" => "a threading.Lock".to_owned(),
                "_thread.RLock" => "a threading.RLock".to_owned(),
                name => format!("a mutex of {}", object(name)),
            },
            Parked::Interpreter => "a lock of the interpreter".to_owned(),
            Parked::Mutex => "a mutex".to_owned(),
        }
    }
}

fn object(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name} object")
}

/// What somebody waits for who sleeps on the word at `futex`. `None`: he is not parked, or that could not be read just now.
pub fn parked(memory: &dyn Memory, runtime: &Runtime, interpreters: &[u64], futex: u64) -> Option<Parked> {
    let entry = futex.checked_sub(ADDRESS).filter(|entry| entry.is_multiple_of(8))?;
    let mut bytes = [0; 64];
    memory.read(entry, &mut bytes).ok()?;
    let word = |at: u64| bytes[at as usize..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let (address, next, previous) = (word(0), word(ADDRESS + NODE), word(ADDRESS + NODE + 8));
    let node = futex.checked_add(NODE)?;
    let hangs = is_place(next)
        && is_place(previous)
        && memory.word(next.checked_add(8)?).ok()? == node
        && memory.word(previous).ok()? == node;
    if !hangs || address < 4096 {
        return None;
    }
    let question = Question { memory, runtime, interpreters, address };
    Some(
        question
            .of_world()
            .or_else(|| question.end_of_thread())
            .or_else(|| question.of_object())
            .or_else(|| question.of_interpreter())
            .unwrap_or(Parked::Mutex),
    )
}

fn is_place(address: u64) -> bool {
    address >= 4096 && address.is_multiple_of(8)
}

/// What lies at an address.
struct Question<'a> {
    memory: &'a dyn Memory,
    runtime: &'a Runtime,
    interpreters: &'a [u64],
    address: u64,
}

impl Question<'_> {
    /// A thread state's `state`, or a part of `_stoptheworld_state`.
    fn of_world(&self) -> Option<Parked> {
        let layout = &self.runtime.layout;
        let world = |start: u64| match self.address.checked_sub(start)? {
            world::MUTEX => Some(Parked::Turn),
            world::STOP_EVENT => Some(Parked::Stopping),
            _ => None,
        };
        let of_interpreter = |at: u64| self.interpreters.iter().find_map(|it| world(it.checked_add(at)?));
        let of_runtime = |at: u64| world(self.runtime.address.checked_add(at)?);
        if let Some(found) = layout.world.and_then(of_interpreter).or_else(|| layout.all_worlds.and_then(of_runtime)) {
            return Some(found);
        }
        let state = self.address.checked_sub(layout.thread_state?).filter(|state| is_place(*state))?;
        let interpreter = self.memory.word(state.checked_add(layout.thread_interpreter)?).ok()?;
        self.interpreters.contains(&interpreter).then_some(Parked::Suspended)
    }

    /// The event of a `ThreadHandle`: `threading.Thread.join` waits for it.
    fn end_of_thread(&self) -> Option<Parked> {
        let (ident, state, exiting) = HANDLE;
        let handle = self.address.checked_sub(exiting).filter(|handle| is_place(*handle))?;
        let int = |at: u64| self.memory.int(handle.checked_add(at)?).ok();
        let word = |at: u64| self.memory.word(handle.checked_add(at)?).ok();
        let next = word(0).filter(|next| is_place(*next))?;
        if !HANDLE_STATES.contains(&int(state)?) || self.memory.word(next.checked_add(8)?).ok()? != handle {
            return None;
        }
        // The `pthread_t` of the thread, in which glibc keeps the kernel's number of it.
        let pthread = word(ident).filter(|ident| is_place(*ident))?;
        let native = self.memory.int(pthread.checked_add(TID_IN_PTHREAD)?).ok()?;
        let native = u32::try_from(native).ok().filter(|native| (1..1 << 23).contains(native))?;
        Some(Parked::End(native))
    }

    /// An object's own lock, or the first field of one that is a lock.
    fn of_object(&self) -> Option<Parked> {
        let header = if self.runtime.free_threaded { 32 } else { 16 };
        let object = |at: u64| self.address.checked_sub(at).filter(|object| is_place(*object));
        if self.runtime.free_threaded
            && let Some(name) = object(OB_MUTEX).and_then(|object| self.type_name(object, header))
        {
            return Some(Parked::Object(name));
        }
        object(header).and_then(|object| self.type_name(object, header)).map(Parked::Lock)
    }

    /// The name of an object's type, if it has one.
    fn type_name(&self, object: u64, header: u64) -> Option<String> {
        let type_of = |object: u64| {
            let kind = self.memory.word(object.checked_add(header - 8)?).ok()?;
            is_place(kind).then_some(kind)
        };
        let kind = type_of(object)?;
        // The type of `type` is itself.
        let mut meta = type_of(kind)?;
        for _ in 0..METATYPES {
            let next = type_of(meta)?;
            if next == meta {
                break;
            }
            meta = next;
        }
        if type_of(meta)? != meta {
            return None;
        }
        // `tp_name` stands after `ob_size`.
        let name = self.memory.word(kind.checked_add(header + 8)?).ok()?;
        self.name_at(name)
    }

    /// A name as types have them: `_thread.lock`, `MyDict`. It may end before memory does that can be read.
    fn name_at(&self, address: u64) -> Option<String> {
        let mut bytes = Vec::new();
        while bytes.len() < NAME {
            let mut piece = [0; 8];
            // Words never cross the end of what can be read.
            let at = address.checked_add(bytes.len() as u64)?;
            let length = 8 - (at % 8) as usize;
            self.memory.read(at, &mut piece[..length]).ok()?;
            if let Some(end) = piece[..length].iter().position(|byte| *byte == 0) {
                bytes.extend_from_slice(&piece[..end]);
                let name = String::from_utf8(bytes).ok()?;
                let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
                return (!name.is_empty() && name.chars().all(is_name)).then_some(name);
            }
            bytes.extend_from_slice(&piece[..length]);
        }
        None
    }

    /// Somewhere within an interpreter or the runtime: the import lock, that of interned strings, of types.
    fn of_interpreter(&self) -> Option<Parked> {
        let (runtime_size, size) = self.runtime.layout.sizes?;
        let within = |start: u64, size: u64| self.address.checked_sub(start).is_some_and(|at| at < size);
        let inside = within(self.runtime.address, runtime_size) || self.interpreters.iter().any(|it| within(*it, size));
        inside.then_some(Parked::Interpreter)
    }
}

#[cfg(test)]
mod tests;
