//! Stop-the-world: the moments at which a free-threaded interpreter makes all threads but one stand still.
//!
//! # The problem
//! Without a GIL some things can be done only while nobody else runs Python: collecting garbage, changing a type,
//! forking. Who does so asks all others to stop, and once they stand still sets `world_stopped` (`stop_the_world` in
//! Python/pystate.c). That lasts from some ten microseconds to some ten milliseconds: too short to be seen by looking.
//!
//! # The choice
//! `world_stopped` is a byte that is written twice a stop, both times by who stops: a watchpoint on it tells all, as one
//! on `gil.locked` does, and is followed by the same machine ([`super::lock`]). So the world is a lock of another kind,
//! held by who has stopped it. The structure is there once in each interpreter, and once in the runtime for stops of
//! all interpreters; a lock keeps them from being used at the same time, so those of the main interpreter and of the
//! runtime are one lane. Each isolated subinterpreter has a world of its own, which only its own threads stop and are
//! stopped by: a lane more. There are four debug registers, of which a GIL that comes back needs one, so of
//! subinterpreters one world is exact at a time, and the others are looked at. The debug offsets do not tell where they lie: that is known by the sizes of the structures
//! around them, and what lies there must look like one.

use std::sync::Arc;

use super::layout::Layout;
use super::lock::{Lock, Mode};
use super::memory::{Memory, Remote};
use super::notice::Notice;
use super::observed::Process;
use super::recorder::Watchpoints;
use super::runtime::{Interpreter, LockState};

use super::watch::Watcher;
use crate::event::Nanos;
use crate::model::{LockKind, LockPlan};
use crate::perf::Subject;

/// In `struct _stoptheworld_state` (Include/internal/pycore_interp.h): a `PyMutex` that makes those who want to stop the
/// world take turns.
pub const MUTEX: u64 = 0;
const REQUESTED: u64 = 1;
/// Whether the world stands still: what is watched.
pub const STOPPED: u64 = 2;
const IS_GLOBAL: u64 = 3;
/// A `PyEvent`: all stand still.
pub const STOP_EVENT: u64 = 4;
/// The thread state that asked for it; null if it has none.
const REQUESTER: u64 = 16;
/// All of it.
const SIZE: usize = 24;

/// Debug registers that worlds may have: one of the four stays for a GIL that comes back.
const MOST_WATCHED: usize = 3;
/// The worlds of more interpreters of one process are not followed: those that are looked at are so at every pass.
const MOST_WORLDS: usize = 8;

/// Whether this world is stopped, and by which thread state. `None`: it cannot be read, or it is none.
pub fn look(memory: &dyn Memory, world: u64, is_global: bool) -> Option<LockState> {
    let mut bytes = [0; SIZE];
    memory.read(world, &mut bytes).ok()?;
    let flag = |at: u64| bytes[at as usize];
    let is_one = flag(MUTEX) <= 3
        && flag(REQUESTED) <= 1
        && flag(STOPPED) <= 1
        && flag(IS_GLOBAL) == u8::from(is_global)
        && flag(STOP_EVENT) <= 3;
    let requester = bytes[REQUESTER as usize..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (is_one && requester.is_multiple_of(8)).then_some(LockState {
        locked: flag(STOPPED) == 1,
        last_holder: requester,
        switch_number: 0,
        interval: Nanos::ZERO,
        enabled: true,
    })
}

/// Where the world of an interpreter is and, with the main one's, that of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worlds {
    /// The interpreter's number.
    id: i64,
    own: u64,
    all: Option<u64>,
}

impl Worlds {
    /// That of an interpreter, if it is known where it is and looks like one.
    fn find(memory: &dyn Memory, layout: &Layout, runtime: u64, of: &Interpreter) -> Option<Worlds> {
        let own = of.address.checked_add(layout.world?)?;
        look(memory, own, false)?;
        let all = layout.all_worlds.filter(|_| of.id == 0).and_then(|at| runtime.checked_add(at));
        Some(Worlds { id: of.id, own, all: all.filter(|all| look(memory, *all, true).is_some()) })
    }

    /// How they stand: stopped if either is.
    pub(super) fn look(self, memory: &dyn Memory) -> Option<LockState> {
        let own = look(memory, self.own, false)?;
        let all = self.all.filter(|_| !own.locked).and_then(|all| look(memory, all, true));
        Some(all.filter(|all| all.locked).unwrap_or(own))
    }
}

impl Watcher {
    /// These free-threaded interpreters are there: the world of each is watched from now on, or looked at where that cannot
    /// be. Those of interpreters that have ended are let go.
    pub(super) fn meet_worlds(&mut self, pid: u32, interpreters: &[Interpreter], now: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Some(layout) = process.layout().copied() else { return };
        let Some(at) = layout.world else { return };
        let is_there =
            |worlds: &Worlds| interpreters.iter().any(|it| (it.id, it.address + at) == (worlds.id, worlds.own));
        let (there, gone): (Vec<_>, Vec<_>) = process.worlds.iter().partition(|worlds| is_there(worlds));
        let is_known = |it: &Interpreter| there.iter().any(|worlds: &Worlds| worlds.id == it.id);
        let mut new: Vec<&Interpreter> = interpreters.iter().filter(|it| !is_known(it)).collect();
        // The main one first.
        new.sort_by_key(|it| it.id);
        process.worlds = there.clone();
        for world in gone {
            self.by_word.remove(&(pid, world.own + STOPPED));
            if let Some(index) = self.locks.iter().position(|it| it.pid == pid && it.address == world.own) {
                self.release_lock(index, now);
            }
        }
        for interpreter in new {
            self.meet_world(pid, interpreter, now);
        }
    }

    fn meet_world(&mut self, pid: u32, interpreter: &Interpreter, now: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Some(runtime) = &process.runtime else { return };
        let memory = Remote(pid);
        let Some(worlds) = Worlds::find(&memory, &runtime.layout, runtime.address, interpreter) else { return };
        let index = self.locks.len();
        if index >= usize::from(u16::MAX) || process.worlds.len() >= MOST_WORLDS {
            return;
        }
        process.worlds.push(worlds);
        let number = process.index.unwrap_or_default();
        let name = match (number, interpreter.id) {
            (0, 0) => "stop-the-world".to_owned(),
            (0, id) => format!("stop-the-world of interpreter {id}"),
            (index, 0) => format!("stop-the-world of process {}", index + 1),
            (index, id) => format!("stop-the-world of process {}, interpreter {id}", index + 1),
        };
        let name = self.unused_lock_name(pid, name);
        let id = Watcher::lock_id(index);
        let kind = LockKind::StopTheWorld;
        self.notices.push(Notice::Lock(LockPlan { id, kind, name, process: number, of_workers: true }));
        let mut lock = Lock::new(id, pid, worlds.own, worlds.own + STOPPED);
        lock.kind = kind;
        let words: Vec<u64> = [Some(worlds.own), worlds.all].into_iter().flatten().map(|it| it + STOPPED).collect();
        lock.words = words.len();
        let taken = self.locks.iter().filter(|it| it.pid == pid && it.mode == Mode::Exact).map(|lock| lock.words);
        let too_many = taken.sum::<usize>() + words.len() > MOST_WATCHED;
        let mut watched = match too_many {
            true => Err("a thread can be watched for four words, and this would be one more".to_owned()),
            false => Ok(Watchpoints::default()),
        };
        for word in words.iter().filter(|_| !too_many) {
            let more = self.recorder.watch(pid, Subject::Byte(*word));
            watched = watched.and_then(|all| Ok(all.and(more.map_err(|why| why.to_string())?)));
        }
        if !self.recorder.is_on() {
            watched = Err(self.refused.clone().unwrap_or_default());
        }
        self.follow_lock(lock, words, watched.map(Arc::new), now);
    }
}

impl Process {
    /// Whether the world at this address stands still, and who stopped it.
    pub(super) fn look_at_world(&mut self, address: u64) -> Option<(LockState, Option<u32>)> {
        let (runtime, memory) = (self.runtime.as_ref()?, Remote(self.pid));
        let state = self.worlds.iter().find(|worlds| worlds.own == address)?.look(&memory)?;
        let native = (state.last_holder != 0).then(|| runtime.native_of(&memory, state.last_holder)).flatten();
        Some((state, native.and_then(|native| self.outside(native))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Image;
    use super::*;
    use proptest::prelude::*;

    fn world(stopped: u8, is_global: u8, requester: u64) -> Vec<u8> {
        let mut bytes = vec![1, 1, stopped, is_global, 0, 0, 0, 0];
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend(requester.to_le_bytes());
        bytes
    }

    #[test]
    fn a_world_is_stopped_where_either_is_and_by_whom_is_said() {
        let mut image = Image::default();
        image.put(4096, world(0, 0, 0));
        image.put(8192, world(1, 1, 0x7000));
        let both = Worlds { id: 0, own: 4096, all: Some(8192) };
        assert_eq!(both.look(&image).map(|state| (state.locked, state.last_holder)), Some((true, 0x7000)));
        image.put(8192, world(0, 1, 0));
        assert_eq!(both.look(&image).map(|state| state.locked), Some(false));
        image.put(4096, world(1, 0, 0x8000));
        assert_eq!(both.look(&image).map(|state| (state.locked, state.last_holder)), Some((true, 0x8000)));
    }

    #[test]
    fn what_does_not_look_like_a_world_is_none() {
        let mut image = Image::default();
        for (bytes, is_global) in [(world(2, 0, 0), false), (world(0, 0, 0), true), (world(0, 1, 0), false)] {
            image.put(4096, bytes);
            assert_eq!(look(&image, 4096, is_global), None);
        }
        image.put(4096, world(0, 0, 0x7001));
        assert_eq!(look(&image, 4096, false), None, "no thread state lies at an odd address");
        assert_eq!(look(&image, 8192, false), None);
    }

    proptest! {
        #[test]
        fn garbage_is_an_answer(bytes in prop::collection::vec(any::<u8>(), 24), is_global: bool) {
            let mut image = Image::default();
            image.put(4096, bytes);
            let _ = look(&image, 4096, is_global);
        }
    }
}
