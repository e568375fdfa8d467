//! A Python runtime in a process: found, checked, and walked.
//!
//! # The problem
//! `_PyRuntime` is a symbol in some file of the process, at a place that
//! differs from run to run; what lies there differs from version to version;
//! and all of it changes while we read, since the process is never stopped.
//!
//! # The choice
//! The files are asked where it lies ([`super::elf`]), the version decides
//! what lies there ([`super::layout`]), and nothing is believed before it has
//! shown the relations that must hold: a thread state points back to its
//! interpreter, a lock is −1, 0 or 1, its address lies where one can lie. A
//! walk that finds them broken is walked again, since a list may have changed
//! under it; after a few times it is an error. Every list is bounded, so that
//! garbage ends a walk and not the program.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::event::Nanos;

use super::elf::{self, Binary};
use super::layout::{Layout, LockPlace, TID_IN_PTHREAD, Version};
use super::memory::{Memory, Remote, Unreadable};
use super::process;
use super::trouble::Trouble;

/// More interpreters than anyone makes.
const MOST_INTERPRETERS: usize = 1024;
/// More threads than the kernel lets a process have by default.
const MOST_THREADS: usize = 65_536;
/// A switch interval of more microseconds than this is none: 10,000 seconds.
const MOST_INTERVAL: u64 = 10_000_000_000;
/// `gil.enabled` of a free-threaded build that has its lock on (`_PyEval_EnableGILPermanent` in Python/ceval_gil.c).
const ON_FOR_GOOD: i32 = i32::MAX;
/// As much of a thread state as a walk reads at most: what it needs lies within.
const MOST_STATE: usize = 512;
/// `_Py_THREAD_ATTACHED` (Include/internal/pycore_pystate.h).
const ATTACHED: i32 = 1;
/// How often a walk is tried.
const WALKS: usize = 4;

/// What files say, by device and number, so that each is read once.
pub type Files = HashMap<(u64, u64), Option<Binary>>;

/// A runtime that was found and can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Its version.
    pub version: Version,
    /// Whether it was built without the GIL.
    pub free_threaded: bool,
    /// Where `_PyRuntime` lies.
    pub address: u64,
    /// What lies where.
    pub layout: Layout,
    /// The file it came from.
    pub file: PathBuf,
}

/// How a list of interpreters begins: it is another, if there is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Where the first of it lies.
    pub first: u64,
    /// How many have been made so far: the number of the next one.
    pub made: u64,
}

/// An interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Where it lies.
    pub address: u64,
    /// Its number; 0 is the main one.
    pub id: i64,
    /// Where its lock lies; none before it is made.
    pub lock: Option<u64>,
    /// Its thread states.
    pub threads: Vec<ThreadState>,
}

/// A thread as an interpreter knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadState {
    /// Where it lies.
    pub address: u64,
    /// The kernel's number of its thread, in the process's own namespace; none if it does not tell.
    pub native: Option<u32>,
}

/// A lock at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockState {
    /// Whether it is held.
    pub locked: bool,
    /// The thread state that took it last.
    pub last_holder: u64,
    /// How often it changed hands.
    pub switch_number: u64,
    /// How long one who waits for it waits before it asks for it (`sys.getswitchinterval`).
    pub interval: Nanos,
    /// Whether it is a lock at all: true save in free-threaded builds, as long as they keep it off.
    pub enabled: bool,
}

/// Why a walk did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The memory could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// What was read cannot be.
    #[error("{0}")]
    Implausible(&'static str),
}

impl Runtime {
    /// Finds the runtime of a process.
    pub fn find(pid: u32, files: &mut Files) -> Result<Runtime, Trouble> {
        let maps = process::maps(pid)?;
        let program = process::open_program(pid);
        if maps.is_empty() && program.is_none() {
            return Err(match process::name(pid, pid) {
                // One of the kernel's own threads has no memory.
                Some(name) if process::is_of_kernel(pid) => Trouble::NotPython { pid, name },
                _ => Trouble::denied(pid),
            });
        }
        let program_path = program.as_ref().map(|(_, path)| path.clone());
        let is_program = |path: &PathBuf| Some(path) == program_path.as_ref();
        let mut old = None;
        if let Some((file, path)) = program
            && let Some(binary) = read(file, files)
        {
            let start = maps.iter().find(|mapped| is_program(&mapped.path)).map(|mapped| mapped.start);
            match (binary.runtime, start) {
                (Some(_), Some(start)) => return Runtime::of_file(pid, &binary, start, path),
                _ => old = old.or(binary.python),
            }
        }
        let libraries = maps.iter().filter(|mapped| {
            mapped.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libpython"))
        });
        for library in libraries {
            let Some(binary) = process::open_mapped(pid, library).and_then(|file| read(file, files)) else { continue };
            if binary.runtime.is_some() {
                return Runtime::of_file(pid, &binary, library.start, library.path.clone());
            }
            old = old.or(binary.python);
        }
        let named = program_path.as_ref().and_then(|path| Version::from_name(&path.file_name()?.to_string_lossy()));
        if let Some(version) = named.filter(|version| version.is_too_old() && old == Some(version.major)) {
            return Err(Trouble::version(pid, version));
        }
        match old {
            // Before 3.7 there was no `_PyRuntime`.
            Some(2) => Err(Trouble::TooOld { pid, version: "2".to_owned() }),
            Some(_) => Err(Trouble::LooksOld(pid)),
            None => {
                let name = process::name(pid, pid).ok_or(Trouble::Ended(pid))?;
                Err(Trouble::NotPython { pid, name })
            }
        }
    }

    fn of_file(pid: u32, binary: &Binary, start: u64, file: PathBuf) -> Result<Runtime, Trouble> {
        let memory = Remote(pid);
        let bias = binary.bias(start);
        let address = bias.wrapping_add(binary.runtime.unwrap_or_default());
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let by_symbol = binary.version.map(|version| bias.wrapping_add(version));
        Runtime::identify(&memory, pid, address, by_symbol, &name).map(|runtime| Runtime { file, ..runtime })
    }

    /// Which version lies at `address`: by its debug offsets, by the word at `version`, or by the file's name.
    pub fn identify(
        memory: &dyn Memory,
        pid: u32,
        address: u64,
        version: Option<u64>,
        name: &str,
    ) -> Result<Runtime, Trouble> {
        let unreadable = |error| match error {
            Unreadable::Denied => Trouble::denied(pid),
            Unreadable::Gone => Trouble::Ended(pid),
            Unreadable::Nothing(_) => Trouble::Booting(pid),
        };
        let runtime = |version, free_threaded, layout| Runtime {
            version,
            free_threaded,
            address,
            layout,
            file: PathBuf::from(name),
        };
        if let Some((version, free_threaded, layout)) =
            Layout::from_debug_offsets(memory, address).map_err(unreadable)?
        {
            let layout = layout.ok_or_else(|| Trouble::version(pid, version))?;
            return Ok(runtime(version, free_threaded, layout));
        }
        let told = version.map(|version| memory.word(version)).transpose().map_err(unreadable)?;
        let version = told.map(Version::from_hex).or_else(|| Version::from_name(name));
        let Some(version) = version else {
            let why = "its file does not tell".to_owned();
            return Err(Trouble::Unsupported { pid, version: "of unknown version".to_owned(), why });
        };
        let layout = Layout::of_version(version).ok_or_else(|| {
            match version.is_known() {
                // From 3.13 on the cookie stands there, or the runtime is not written yet.
                true => Trouble::Booting(pid),
                false => Trouble::version(pid, version),
            }
        })?;
        Ok(runtime(version, false, layout))
    }

    /// The interpreters with their locks and threads, the main one last in most versions. `Ok` with an empty list: the
    /// runtime is not set up yet.
    pub fn walk(&self, memory: &dyn Memory) -> Result<Vec<Interpreter>, Lost> {
        let mut last = Lost::Implausible("");
        for _ in 0..WALKS {
            match self.walk_once(memory) {
                Ok(found) => return Ok(found),
                Err(lost @ Lost::Unreadable(Unreadable::Gone | Unreadable::Denied)) => return Err(lost),
                Err(lost) => last = lost,
            }
        }
        Err(last)
    }

    /// How the list of interpreters begins, and how many there were.
    pub fn head(&self, memory: &dyn Memory) -> Option<Head> {
        // `head`, `main` and `next_id` of `struct pyinterpreters`, which is the same from 3.9 to 3.15.
        let mut words = [0; 24];
        memory.read(self.address.checked_add(self.layout.interpreters)?, &mut words).ok()?;
        let word = |index: usize| words[index * 8..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        Some(Head { first: word(0)?, made: word(2)? })
    }

    fn walk_once(&self, memory: &dyn Memory) -> Result<Vec<Interpreter>, Lost> {
        let layout = &self.layout;
        let mut found = Vec::new();
        let mut next = memory.word(self.address + layout.interpreters)?;
        let mut threads = 0;
        while next != 0 {
            if found.len() == MOST_INTERPRETERS || !next.is_multiple_of(8) {
                return Err(Lost::Implausible("its list of interpreters has no end"));
            }
            let address = next;
            let id = memory.word(address.wrapping_add(layout.interpreter_id))? as i64;
            if !(0..1 << 40).contains(&id) {
                return Err(Lost::Implausible("an interpreter has no sensible number"));
            }
            let lock = self.lock_of(memory, address)?;
            let states = self.threads_of(memory, address, MOST_THREADS - threads)?;
            threads += states.len();
            found.push(Interpreter { address, id, lock, threads: states });
            next = memory.word(address.wrapping_add(layout.interpreter_next))?;
        }
        Ok(found)
    }

    fn lock_of(&self, memory: &dyn Memory, interpreter: u64) -> Result<Option<u64>, Lost> {
        let lock = match self.layout.lock_place {
            LockPlace::Runtime(distance) => self.address + distance,
            LockPlace::Pointer(distance) => memory.word(interpreter.wrapping_add(distance))?,
        };
        if lock == 0 {
            return Ok(None);
        }
        if !lock.is_multiple_of(8) {
            return Err(Lost::Implausible("its lock does not lie where a lock can lie"));
        }
        // While an interpreter starts, what is not written yet may look like a free lock; its interval is written first.
        let interval = memory.word(lock.wrapping_add(self.layout.lock.interval()))?;
        if !(1..=MOST_INTERVAL).contains(&interval) {
            return Ok(None);
        }
        match memory.int(lock.wrapping_add(self.layout.lock.locked))? {
            -1 => Ok(None),
            0 | 1 => Ok(Some(lock)),
            _ => Err(Lost::Implausible("what should be its lock is neither free nor held")),
        }
    }

    fn threads_of(&self, memory: &dyn Memory, interpreter: u64, most: usize) -> Result<Vec<ThreadState>, Lost> {
        let layout = &self.layout;
        let number = layout.native_id.unwrap_or(layout.thread_id);
        let places = [layout.thread_next, layout.thread_interpreter, number];
        let (first, last) = places.iter().fold((u64::MAX, 0), |(first, last), at| (first.min(*at), last.max(*at)));
        // All of it at once: what is read of one moment fits together, and a call costs more than what it brings.
        let mut bytes = [0; MOST_STATE];
        let bytes = bytes.get_mut(..(last - first + 8) as usize);
        let bytes = bytes.ok_or(Lost::Implausible("its thread states are too large"))?;
        let mut states = Vec::new();
        let mut next = memory.word(interpreter.wrapping_add(layout.threads))?;
        while next != 0 {
            if states.len() >= most || !next.is_multiple_of(8) {
                return Err(Lost::Implausible("its list of threads has no end"));
            }
            memory.read(next.wrapping_add(first), bytes)?;
            let [following, of, number] = places.map(|at| {
                let word = bytes.get((at - first) as usize..).and_then(|rest| rest.first_chunk());
                word.map_or(0, |word| u64::from_le_bytes(*word))
            });
            if of != interpreter {
                return Err(Lost::Implausible("a thread does not know its interpreter"));
            }
            states.push(ThreadState { address: next, native: self.native_in(memory, number) });
            next = following;
        }
        Ok(states)
    }

    /// The kernel's number of a thread state's thread.
    pub fn native_of(&self, memory: &dyn Memory, state: u64) -> Option<u32> {
        let place = self.layout.native_id.unwrap_or(self.layout.thread_id);
        self.native_in(memory, memory.word(state.wrapping_add(place)).ok()?)
    }

    /// The same by what the thread state has: the number itself, or before 3.11 the `pthread_t`, which leads to it.
    fn native_in(&self, memory: &dyn Memory, word: u64) -> Option<u32> {
        let native = match self.layout.native_id {
            Some(_) => word,
            None if word == 0 => return None,
            None => memory.int(word.wrapping_add(TID_IN_PTHREAD)).ok()? as u64,
        };
        thread_number(native)
    }

    /// The lock at this address, as it stands now: its holder and its count are of one moment. `None`: it was not to
    /// be had in one piece, or there is no lock yet.
    pub fn lock(&self, memory: &dyn Memory, lock: u64) -> Result<Option<LockState>, Unreadable> {
        Ok(self.lock_and_native(memory, lock, 0)?.map(|(state, _)| state))
    }

    /// The same, and the thread of its last holder, as its process numbers it; `None` there: nobody has held it, or it
    /// cannot be read. `expected`: the thread state that is probably the last holder, which spares a read if it is, and
    /// nothing if not.
    pub fn lock_and_holder(
        &self,
        memory: &dyn Memory,
        lock: u64,
        expected: u64,
    ) -> Result<Option<(LockState, Option<u32>)>, Unreadable> {
        let Some((state, native)) = self.lock_and_native(memory, lock, expected)? else { return Ok(None) };
        let holder = match (state.last_holder, native) {
            (0, _) => None,
            (holder, Some(native)) if holder == expected => thread_number(native),
            (holder, _) => self.native_of(memory, holder),
        };
        Ok(Some((state, holder)))
    }

    fn lock_and_native(
        &self,
        memory: &dyn Memory,
        lock: u64,
        expected: u64,
    ) -> Result<Option<(LockState, Option<u64>)>, Unreadable> {
        let aside = self.layout.native_id.filter(|_| expected != 0).map(|distance| expected.wrapping_add(distance));
        for _ in 0..WALKS {
            let (mut first, mut second) = ([0; 48], [0; 48]);
            let native = match aside {
                Some(aside) => memory.read_twice_and(lock, &mut first, &mut second, aside)?,
                None => memory.read_twice(lock, &mut first, &mut second).map(|()| None)?,
            };
            let state = self.lock_in(&first);
            if state == self.lock_in(&second) {
                return Ok(state.map(|state| (state, native)));
            }
        }
        Ok(None)
    }

    fn lock_in(&self, bytes: &[u8; 48]) -> Option<LockState> {
        let layout = &self.layout.lock;
        let word = |at: u64| -> u64 {
            let at = at as usize;
            bytes.get(at..at + 8).and_then(|it| it.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        let locked = word(layout.locked) as u32 as i32;
        let enabled = layout.enabled.is_none_or(|at| word(at) as u32 as i32 == ON_FOR_GOOD);
        (0..=1).contains(&locked).then(|| LockState {
            locked: locked == 1,
            last_holder: word(layout.last_holder),
            switch_number: word(layout.switch_number()),
            interval: Nanos(word(layout.interval()).saturating_mul(1_000)),
            enabled,
        })
    }

    /// Whether it has been set up to the end (`initialized`, from 3.11 on eight bytes before `_finalizing`).
    pub fn is_initialized(&self, memory: &dyn Memory) -> bool {
        memory.int(self.address + self.layout.finalizing - 8).is_ok_and(|it| it == 1)
    }

    /// Up to 3.10, what a process that was forked replaces when it goes on as a Python of its own
    /// (`runtime.interpreters.mutex`, in `PyOS_AfterFork_Child`), and one that is about to execute another program does
    /// not. From 3.11 on its thread has its own number by then.
    pub fn mark(&self, memory: &dyn Memory) -> Option<u64> {
        // It lies before the first interpreter.
        (self.layout.native_id.is_none())
            .then(|| memory.word(self.address + self.layout.interpreters - 8).ok())
            .flatten()
    }

    /// Whether a process that was born with its maker's mark bears another by now. One whose memory is not what it was
    /// has executed another program since, and bears none.
    pub fn has_own_mark(&self, memory: &dyn Memory, makers: u64) -> bool {
        self.mark(memory).is_some_and(|mark| mark != makers)
    }

    /// Whether the lock at this address is one: always, save in free-threaded builds. Those turn it on for the moment of
    /// each import of an extension module, counting the imports (`_PyEval_EnableGILTransient`), and for good by the
    /// greatest `int` (`_PyEval_EnableGILPermanent`).
    pub fn is_enabled(&self, memory: &dyn Memory, lock: u64) -> bool {
        self.layout.lock.enabled.is_none_or(|at| memory.int(lock + at).is_ok_and(|it| it == ON_FOR_GOOD))
    }

    /// Whether a thread state is attached, which means that its thread runs Python or waits to be let (free-threaded
    /// builds); none if it does not tell.
    pub fn is_attached(&self, memory: &dyn Memory, state: u64) -> Option<bool> {
        Some(memory.int(state + self.layout.thread_state?).ok()? != 0)
    }

    /// The kernel's number of the thread of a thread state that is attached and not about to be stopped, which means that it
    /// runs Python (free-threaded builds); none if it does not, or that does not tell.
    pub fn runs_python(&self, memory: &dyn Memory, state: u64) -> Option<u32> {
        let attached = memory.int(state.checked_add(self.layout.thread_state?)?).ok()?;
        self.native_of(memory, state).filter(|_| attached == ATTACHED)
    }
}

/// What a file says, from memory if it was read before.
fn read(file: File, files: &mut Files) -> Option<Binary> {
    let meta = file.metadata().ok()?;
    *files.entry((meta.dev(), meta.ino())).or_insert_with(|| elf::inspect(file))
}

/// A word as the kernel's number of a thread, if it can be one.
fn thread_number(word: u64) -> Option<u32> {
    u32::try_from(word).ok().filter(|native| (1..1 << 23).contains(native))
}

#[cfg(test)]
mod tests;
