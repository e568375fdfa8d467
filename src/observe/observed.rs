//! One observed process, and what is known of its interpreter.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::event::{LockId, Nanos};

use super::ahead::Ahead;
use super::ends::Ended;
use super::halt::Halt;
use super::layout::Layout;
use super::memory::{Memory, Remote};
use super::name::Names;
use super::parking::{self, Parked};
use super::place::task::Tasks;
use super::place::{FrameLayout, Place, Places};
use super::process;
use super::recorder::Watchpoints;
use super::remade::Coming;
use super::runtime::{Head, LockState, Runtime};
use super::thread::Awake;
use super::world::Worlds;

/// How often it is looked where a thread is and what it runs until both are of one moment.
const TRIES: usize = 3;

/// What a process is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its interpreter is not there yet, or there is none.
    Waiting,
    /// It is Python, and we know where its locks are.
    Python,
    /// It is another program.
    Foreign,
    /// It is Python, and we do not know where its locks are.
    Unsupported,
}

/// A program without Python that is executed in a process which was Python, and that this is told.
#[derive(Clone, Debug)]
pub(super) struct WithoutPython {
    pub(super) name: String,
    pub(super) since: Nanos,
    /// Which of the alarms tells of it.
    pub(super) alarm: usize,
}

/// An observed process.
pub(super) struct Process {
    pub(super) pid: u32,
    /// Those that are Python are counted from 0, in the order in which that was seen; the first process is 0.
    pub(super) index: Option<u32>,
    pub(super) stage: Stage,
    pub(super) runtime: Option<Runtime>,
    /// Whether it is known who holds its lock.
    pub(super) is_followed: bool,
    /// Whether one of its locks is held by a thread that cannot be named: it may be any that holds none.
    pub(super) holder_unknown: bool,
    /// The name of the file that it executes, as a record has told; else zeros.
    pub(super) comm: [u8; 16],
    /// For how long who waits for its lock sleeps at a time, if one of its locks is only looked at.
    pub(super) looked_at_only: Option<Nanos>,
    /// Its maker's mark ([`Runtime::mark`]), which it bears until it goes on as a Python of its own.
    pub(super) maker_mark: Option<u64>,
    /// Until when it was being found out whether it is Python.
    pub(super) found_at: Nanos,
    /// Whether it has executed a program since we know it, and its interpreter has not been seen yet.
    pub(super) boots: bool,
    /// What it has executed that is no Python so far, though it was Python before.
    pub(super) without_python: Option<WithoutPython>,
    /// Whether it goes on with what its maker executed, as far as is known.
    pub(super) is_copy: bool,
    /// Whether what it began as was Python: its maker was, when it was born.
    pub(super) was_born_python: bool,
    /// Whether its maker ran without a lock then.
    pub(super) was_born_without_lock: bool,
    /// The lock that its maker held when it was born, how often that had been taken, and how often its maker had slept: its
    /// copy of the lock is its own from birth.
    pub(super) born_with: Option<(LockId, u64, u64)>,
    /// The watchpoints that it has inherited of its maker, and the word that they are on, which is at the same place in its
    /// memory.
    pub(super) inherits: Option<(u64, Arc<Watchpoints>)>,
    /// Whether it is stopped.
    pub(super) halt: Halt,
    /// Since when it is executing its program.
    pub(super) since: Nanos,
    pub(super) tried_at: Nanos,
    pub(super) tries: u32,
    pub(super) walked_at: Nanos,
    /// Its interpreters, as of then.
    pub(super) interpreters: Vec<u64>,
    /// How the list of interpreters began then, and until when it still did when it was looked at.
    pub(super) walked_from: Option<Head>,
    pub(super) same_until: Nanos,
    /// The numbers of its interpreters, as of then, and which of all that were made were seen.
    pub(super) coming: Coming,
    /// How long that took.
    pub(super) walk_lasts: Nanos,
    /// Our numbers of its threads, by its own.
    numbers: HashMap<u32, u32>,
    /// The first of its locks: what its threads need.
    pub(super) lanes_lock: Option<LockId>,
    /// Its lock that is none, in a free-threaded build.
    pub(super) dormant: Option<u64>,
    /// The worlds of its interpreters, in a free-threaded build in which they are known.
    pub(super) worlds: Vec<Worlds>,
    /// Thread states by thread, in a free-threaded build: who runs code in a subinterpreter has one there, too.
    pub(super) states_by_thread: HashMap<u32, Vec<u64>>,
    /// When it was last looked with which interpreter its list begins.
    head_at: Nanos,
    /// The thread state that held each lock last when it was looked at.
    holders: HashMap<u64, u64>,
    /// Threads of it of whose births no record has told so far, if all of them are shown, and when they were first seen.
    pub(super) strangers: HashMap<u32, Nanos>,
    /// How many of its threads beside the main one have a lane.
    pub(super) lanes: u32,
    /// What its threads are called unless they say otherwise.
    pub(super) common_name: String,
    /// A descriptor of it, which tells how it ended, also once its parent has asked.
    pub(super) life: Option<OwnedFd>,
    /// Its threads that have ended of late, in the order of their ends.
    pub(super) ended_lately: VecDeque<Ended>,
    /// Whether it lives in another namespace of process numbers.
    namespaced: bool,
    /// Reads where its threads are, if its version says how; with the runtime it is for.
    places: Option<(u64, Places, Tasks)>,
    /// Reads what its threads are called, if they do not tell the kernel; with the runtime it is for.
    names: Option<(u64, Option<Names>)>,
    /// What is read to see where its threads are, and to walk its interpreters.
    places_ahead: Ahead,
    pub(super) walk_ahead: Ahead,
}

impl Process {
    pub(super) fn new(pid: u32, index: Option<u32>, at: Nanos) -> Process {
        Process {
            pid,
            index,
            stage: Stage::Waiting,
            runtime: None,
            is_followed: false,
            holder_unknown: false,
            comm: [0; 16],
            looked_at_only: None,
            maker_mark: None,
            found_at: Nanos::ZERO,
            boots: false,
            without_python: None,
            is_copy: false,
            was_born_python: false,
            was_born_without_lock: false,
            born_with: None,
            inherits: None,
            halt: Halt::default(),
            since: at,
            tried_at: Nanos::ZERO,
            tries: 0,
            walked_at: Nanos::ZERO,
            interpreters: Vec::new(),
            walked_from: None,
            same_until: Nanos::ZERO,
            coming: Coming::default(),
            walk_lasts: Nanos::ZERO,
            numbers: HashMap::new(),
            lanes_lock: None,
            dormant: None,
            worlds: Vec::new(),
            states_by_thread: HashMap::new(),
            head_at: Nanos::ZERO,
            holders: HashMap::new(),
            strangers: HashMap::new(),
            lanes: 0,
            common_name: process::name(pid, pid).unwrap_or_default(),
            life: None,
            ended_lately: VecDeque::new(),
            namespaced: process::number_inside(pid, pid).is_some_and(|inside| inside != pid),
            places: None,
            names: None,
            places_ahead: Ahead::default(),
            walk_ahead: Ahead::default(),
        }
    }

    pub(super) fn layout(&self) -> Option<&Layout> {
        self.runtime.as_ref().map(|runtime| &runtime.layout)
    }

    /// What its threads are while they are awake and hold no lock.
    pub(super) fn awake(&self) -> Awake {
        match &self.runtime {
            _ if self.stage != Stage::Python || !self.is_followed || self.holder_unknown => Awake::Unknown,
            Some(runtime) if runtime.free_threaded && !self.has_lock() => Awake::Running,
            _ => self.looked_at_only.map_or(Awake::Native, |interval| Awake::Undecided { interval }),
        }
    }

    pub(super) fn has_lock(&self) -> bool {
        self.lanes_lock.is_some()
    }

    /// Whether its list of interpreters begins with another than when it was walked; not looked at more often than so.
    pub(super) fn has_new_head(&mut self, now: Nanos, every: Nanos) -> bool {
        if self.head_at + every > now {
            return false;
        }
        self.head_at = now;
        let memory = Remote(self.pid);
        let is_new = self.runtime.as_ref().and_then(|runtime| runtime.head(&memory)) != self.walked_from;
        if !is_new {
            self.same_until = now;
        }
        is_new
    }

    /// Whether it goes on as its maker did, who is Python: so is it then, whether or not anybody has looked.
    pub(super) fn is_copy_of_python(&self) -> bool {
        self.is_copy && self.was_born_python
    }

    /// A thread of its has ended: its number may be another's next time.
    pub(super) fn forget(&mut self, tid: u32) {
        self.numbers.retain(|_, known| *known != tid);
    }

    /// Who holds the lock at this address, and where, as far as either can be read. `None`: nobody does, or it cannot be told.
    pub(super) fn place_of_holder(&mut self, address: u64) -> Option<(Option<u32>, Option<Place>)> {
        let mut ahead = std::mem::take(&mut self.places_ahead);
        let found = self.place_of_holder_in(address, &ahead.look(&Remote(self.pid)));
        self.places_ahead = ahead;
        found
    }

    fn place_of_holder_in(&mut self, address: u64, memory: &dyn Memory) -> Option<(Option<u32>, Option<Place>)> {
        let runtime = self.runtime.as_ref()?;
        // Whose thread the last holder's state is comes next: no look before has to tell.
        let (state, native) = runtime.lock_and_holder(memory, address, 0).ok()??;
        if !state.locked || !state.enabled {
            return None;
        }
        let mut place = None;
        for _ in 0..TRIES {
            place = self.place_of(state.last_holder, memory);
            let now = self.runtime.as_ref().map(|runtime| runtime.lock(memory, address));
            if !matches!(now, Some(Ok(Some(now))) if now == state) {
                // Who has dropped it meanwhile was somewhere else than it was seen.
                place = None;
                break;
            }
            if place.is_some() {
                break;
            }
            // Its frames were being changed, and it holds it still.
        }
        Some((native.and_then(|native| self.outside(native)), place))
    }

    /// Where a thread is if it runs Python without a lock, as far as that can be read. `None`: it runs none.
    pub(super) fn place_of_runner(&mut self, tid: u32) -> Option<Option<Place>> {
        let mut ahead = std::mem::take(&mut self.places_ahead);
        let found = self.place_of_runner_in(tid, &ahead.look(&Remote(self.pid)));
        self.places_ahead = ahead;
        found
    }

    fn place_of_runner_in(&mut self, tid: u32, memory: &dyn Memory) -> Option<Option<Place>> {
        let runs = |process: &Process, state| process.runtime.as_ref()?.runs_python(memory, state);
        // Whether one runs Python is not known of a thread whose state is not.
        let Some(states) = self.states_by_thread.get(&tid) else { return Some(None) };
        let (state, native) = states.iter().find_map(|state| Some((*state, runs(self, *state)?)))?;
        let place = self.place_of(state, memory);
        // Who has come out of Python meanwhile was somewhere else than it was seen, and a thread state is used again.
        let same = runs(self, state) == Some(native) && self.outside(native) == Some(tid);
        Some(place.filter(|_| same))
    }

    /// Where the thread of this state is, if it is in Python.
    fn place_of(&mut self, state: u64, memory: &dyn Memory) -> Option<Place> {
        let runtime = self.runtime.as_ref()?;
        if self.places.as_ref().is_none_or(|(known, ..)| *known != runtime.address) {
            let places = Places::new(FrameLayout::find(runtime, memory)?);
            self.places = Some((runtime.address, places, Tasks::default()));
        }
        let (_, places, tasks) = self.places.as_mut()?;
        let subject = (self.pid, self.runtime.as_ref()?);
        let objects = *places.objects();
        let mut task = || tasks.running(state, subject, &objects, memory);
        let mut before = task();
        for _ in 1..TRIES {
            let place = places.of_thread(state, memory)?;
            let task = task();
            if task == before {
                return Some(Place { task, ..place });
            }
            // The loop has gone on to another task between the two.
            before = task;
        }
        places.of_thread(state, memory)
    }

    /// What Python calls its latest threads, at most so many, by our numbers; `anew` as in [`Names::latest`].
    pub(super) fn thread_names(&mut self, most: usize, anew: bool) -> Vec<(u32, String)> {
        let memory = Remote(self.pid);
        let Some(runtime) = self.runtime.as_ref().filter(|_| self.stage == Stage::Python) else { return Vec::new() };
        if self.names.as_ref().is_none_or(|(known, _)| *known != runtime.address) {
            self.names = Some((runtime.address, Names::find(runtime, &memory)));
        }
        let Some((_, Some(names))) = &mut self.names else { return Vec::new() };
        let found = names.latest(&self.interpreters, most, anew, &memory);
        found.into_iter().filter_map(|(native, name)| Some((self.outside(native)?, name))).collect()
    }

    /// The lock at this address, and the thread that took it last.
    pub(super) fn look(&mut self, address: u64) -> Option<(LockState, Option<u32>)> {
        let runtime = self.runtime.as_ref()?;
        let memory = Remote(self.pid);
        // Most often it is whoever it was at the last look. Whose thread that is is read each time anew: a thread state is
        // used again, by whoever comes next.
        let expected = self.holders.get(&address).copied().unwrap_or_default();
        let (state, native) = runtime.lock_and_holder(&memory, address, expected).ok()??;
        if state.last_holder != expected {
            self.holders.insert(address, state.last_holder);
        }
        let holder = native.and_then(|native| self.outside(native));
        Some((state, holder))
    }

    /// What somebody waits for who sleeps on the word at `futex`, from 3.13 on, if it is one of CPython's own mutexes.
    pub(super) fn parked(&self, futex: u64) -> Option<Parked> {
        let runtime = self.runtime.as_ref().filter(|runtime| runtime.layout.sizes.is_some())?;
        parking::parked(&Remote(self.pid), runtime, &self.interpreters, futex)
    }

    /// Our number of the thread that the process knows by `native`. None: it has no such thread. A process that was just
    /// forked still has its maker's numbers in its memory.
    pub(super) fn outside(&mut self, native: u32) -> Option<u32> {
        if let Some(tid) = self.numbers.get(&native) {
            return Some(*tid);
        }
        let tid = match self.namespaced {
            false => process::is_alive(self.pid, native).then_some(native),
            true => {
                let tids = process::threads(self.pid).into_iter();
                self.numbers = tids.filter_map(|tid| Some((process::number_inside(self.pid, tid)?, tid))).collect();
                self.numbers.get(&native).copied()
            }
        }?;
        self.numbers.insert(native, tid);
        Some(tid)
    }
}
