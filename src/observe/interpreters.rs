//! The interpreters of the observed processes: whether there is one, what locks there are, and which threads are Python's.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::{self, Clock, Monotonic};
use crate::event::{CoreId, Detail, Nanos};
use crate::model::{LockKind, LockPlan};
use crate::perf::{Record, Refused, Subject, What};
use crate::text::printable;

use super::lock::{Lock, Mode};
use super::memory::Remote;
use super::notice::{Notice, Python};
use super::observed::{Stage, WithoutPython};
use super::process;
use super::recorder::Watchpoints;
use super::runtime::Runtime;
use super::tree::LOADING;
use super::trouble::Trouble;
use super::watch::{BOOTING, Item, Watcher};

/// x86 has four debug registers, and they are a thread's own.
const MOST_WATCHED: usize = 4;
/// How long a lock is compared with itself at each pass after it was first seen.
pub(super) const NEW: Nanos = Nanos::from_millis(20);

impl Watcher {
    pub(super) fn find_python(&mut self, pid: u32) {
        let now = Monotonic.now();
        // Nobody has heard of those that were never Python.
        let has_lane = self.threads.get(&pid).is_some_and(|tracked| tracked.lane.is_some());
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.tried_at = now;
        process.tries += 1;
        // Where nothing tells of what it executes.
        if !self.recorder.is_on() {
            process.is_copy &= !process::has_executed(pid);
        }
        let found = match process.runtime.take() {
            Some(runtime) => Ok(runtime),
            None => Runtime::find(pid, &mut self.files),
        };
        match found {
            Ok(runtime) => {
                process.runtime = Some(runtime);
                process.found_at = Monotonic.now();
                self.walk(pid, now);
                if let Some(process) = self.processes.get_mut(&pid)
                    && std::mem::take(&mut process.boots)
                    && process.stage == Stage::Waiting
                {
                    // Its program is there, and its lock is not.
                    self.pending.push((now, Item::Boots { pid, phase: Detail::Init }));
                }
            }
            Err(unknown @ Trouble::Unsupported { .. }) => {
                process.stage = Stage::Unsupported;
                self.alarm(now, unknown.in_part().unwrap_or_default());
                self.show_all_threads(pid, now);
            }
            Err(Trouble::NotPython { name, .. }) if has_lane && process.since + BOOTING <= now => {
                process.stage = Stage::Foreign;
                if process.without_python.is_none() {
                    let alarm = self.alarms.len();
                    process.without_python = Some(WithoutPython { name: name.clone(), since: process.since, alarm });
                    self.pending.push((now, Item::HasNoLock { pid }));
                    let text = format!(
                        "process {pid} has executed {name}, a program without Python: only its threads and cores are seen"
                    );
                    self.alarm(now, text);
                }
                self.show_all_threads(pid, now);
            }
            // The loader has not mapped its libraries yet, or it never will.
            Err(trouble) if trouble.may_be_loading() && process.since + LOADING > now => {}
            Err(too_old @ (Trouble::TooOld { .. } | Trouble::LooksOld(_))) => {
                process.stage = Stage::Unsupported;
                self.alarm(now, format!("{too_old}: only its threads and cores are seen"));
                self.show_all_threads(pid, now);
            }
            Err(denied) if pid == self.root && denied.is_denial() => {
                process.stage = Stage::Unsupported;
                self.blind = Some(denied.to_string());
                self.is_news = true;
                self.show_all_threads(pid, now);
            }
            // What it was its end does not tell.
            Err(Trouble::Ended(_) | Trouble::NoSuchProcess(_)) if pid != self.root => {}
            Err(_) if pid == self.root && !process::is_zombie(pid) && process.since + LOADING > now => {}
            Err(_) => {
                process.stage = Stage::Foreign;
                self.pending.push((now, Item::HasNoLock { pid }));
            }
        }
    }

    /// What a process has executed is Python after all, or it executes something else.
    pub(super) fn is_other_than_told(&mut self, pid: u32, at: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let Some(WithoutPython { name, since, alarm }) = process.without_python.take() else { return };
        let until = self.since_began(at);
        if let Some(alarm) = self.alarms.get_mut(alarm) {
            alarm.until = Some(until);
            alarm.text = format!(
                "process {pid} executed {name}, a program without Python, for {}: only its threads and cores were seen",
                at - since
            );
        }
        self.is_news = true;
    }

    /// Reads the list of interpreters: new locks, and which threads are Python's.
    pub(super) fn walk(&mut self, pid: u32, now: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.walked_at = now;
        let Some(runtime) = process.runtime.clone() else { return };
        let begin = clock::on_cpu();
        process.walked_from = runtime.head(&Remote(pid));
        let walked = runtime.walk(&process.walk_ahead.look(&Remote(pid)));
        // On a core: on a busy machine it is late, not dear.
        process.walk_lasts = clock::on_cpu() - begin;
        let Ok(interpreters) = walked else {
            if process.stage == Stage::Python && !self.recorder.is_on() {
                // Nobody tells that it has executed another program.
                let same = Runtime::find(pid, &mut self.files).is_ok_and(|found| found == runtime);
                // Who ends gives up its memory first.
                if !same && process::is_alive(pid, pid) && !process::is_ending(pid) {
                    let what = What::Exec { name: [0; 16] };
                    let record = Record { at: now, pid, tid: pid, core: CoreId::UNKNOWN, what };
                    self.process_execs(pid, now);
                    self.pending.push((now, Item::Record(record)));
                }
                return;
            }
            if process.stage == Stage::Waiting {
                process.runtime = None;
                if process.since + LOADING + LOADING < now {
                    process.stage = Stage::Unsupported;
                    let text = format!(
                        "Python {} keeps its lock where gilscope does not find it: only its threads and cores are seen",
                        runtime.version
                    );
                    self.alarm(now, text);
                }
            }
            return;
        };
        if interpreters.iter().any(|interpreter| interpreter.lock.is_none()) {
            // It is being made: again at the next pass.
            process.walked_from = None;
        }
        process.interpreters = interpreters.iter().map(|interpreter| interpreter.address).collect();
        // A lock that several interpreters share is called after the first of them; the list begins with the last.
        let mut locks: BTreeMap<u64, (i64, usize)> = BTreeMap::new();
        for interpreter in &interpreters {
            if let Some(lock) = interpreter.lock {
                let (id, sharers) = locks.entry(lock).or_insert((interpreter.id, 0));
                (*id, *sharers) = ((*id).min(interpreter.id), *sharers + 1);
            }
        }
        let mut locks: Vec<_> = locks.into_iter().map(|(lock, (id, sharers))| (lock, id, sharers)).collect();
        if locks.is_empty() || runtime.free_threaded && !runtime.is_initialized(&Remote(pid)) {
            return;
        }
        let states = interpreters.iter().flat_map(|interpreter| &interpreter.threads);
        let by_thread: Vec<(u32, u64)> =
            states.filter_map(|state| Some((process.outside(state.native?)?, state.address))).collect();
        let mut tids: Vec<u32> = by_thread.iter().map(|(tid, _)| *tid).collect();
        process.states_by_thread.clear();
        if runtime.free_threaded {
            for (tid, state) in by_thread {
                process.states_by_thread.entry(tid).or_default().push(state);
            }
        }
        // The main thread first, then in the order of their numbers, which is nearly that of their births.
        tids.sort_unstable_by_key(|tid| (*tid != pid, *tid));
        if tids.is_empty() && runtime.layout.native_id.is_some() && process.stage == Stage::Waiting {
            // A copy of its maker that has no thread of its own in its memory: it is about to execute another program.
            return;
        }
        if process.maker_mark.is_some_and(|mark| !runtime.has_own_mark(&Remote(pid), mark)) {
            // The same, up to 3.10.
            return;
        }
        if runtime.head(&Remote(pid)) != process.walked_from {
            // It has executed another program while it was looked at, or it has one more interpreter.
            process.walked_from = None;
            if process.stage == Stage::Waiting {
                return;
            }
        }
        locks.sort_by_key(|(_, id, _)| *id);
        let first_walk = process.stage == Stage::Waiting;
        process.stage = Stage::Python;
        if first_walk {
            // Without records nobody tells that it has executed another program since it was born.
            process.common_name = process::name(pid, pid).unwrap_or_default();
        }
        self.count(pid);
        self.is_other_than_told(pid, now);
        let several = interpreters.len() > 1;
        self.meet_interpreters(pid, &interpreters, now);
        for (address, id, sharers) in locks {
            let is_there = self.meet_lock(pid, &runtime, address, id, first_walk, now);
            if !is_there && first_walk {
                // It is as if nobody had looked at it in time.
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.stage = Stage::Waiting;
                }
                return;
            }
            if let Some(lock) = self.locks.iter_mut().find(|lock| lock.pid == pid && lock.address == address) {
                // Up to 3.12, who runs code in a subinterpreter does so under the thread state of its maker.
                lock.holder_is_vague |= (id != 0 || sharers > 1) && runtime.version.minor <= 12;
                lock.is_of_several |= several;
            }
        }
        if runtime.free_threaded {
            self.meet_worlds(pid, &interpreters, now);
        }
        if first_walk {
            self.note_python(pid, &runtime);
        }
        for tid in tids {
            // A thread state may outlive its thread, or be another's that was reused.
            if self.threads.get(&tid).is_some_and(|it| it.pid == pid && !it.thread.has_ended()) {
                self.make_lane(tid, now);
            } else if !self.recorder.is_on() && process::name(pid, tid).is_some() {
                self.track(pid, tid, now, false);
                self.make_lane(tid, now);
            }
        }
    }

    /// Follows a lock that may be new; says whether its process is there still.
    fn meet_lock(&mut self, pid: u32, runtime: &Runtime, address: u64, id: i64, first: bool, now: Nanos) -> bool {
        let word = address + runtime.layout.lock.locked;
        if self.by_word.contains_key(&(pid, word)) {
            return true;
        }
        if runtime.free_threaded {
            if !runtime.is_enabled(&Remote(pid), address) {
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.dormant.get_or_insert(address);
                }
                if first {
                    self.reveal(pid, now);
                }
                return true;
            }
            let mut was_without = !first;
            if let Some(process) = self.processes.get_mut(&pid) {
                process.dormant = None;
                was_without |= std::mem::take(&mut process.was_born_without_lock);
            }
            if was_without {
                let text = format!("the GIL came back: process {pid} turned it on, as an extension module can make it");
                // It was off before this pass began.
                self.alarm(Monotonic.now(), text);
                self.program.python.iter_mut().for_each(|python| python.gil_enabled = Some(true));
                self.notices.push(Notice::Program(Box::new(self.program.clone())));
            }
        }
        let watched = self.locks.iter().filter(|it| it.pid == pid && it.mode == Mode::Exact);
        let watched: usize = watched.map(|lock| lock.words).sum();
        if !first {
            // Who is awake without a lock may have held this one since it was made.
            self.was_there_before_it_was_met(pid);
        }
        let inherited = self.processes.get(&pid).and_then(|process| process.inherited(word));
        let is_main = self.processes.get(&pid).is_some_and(|process| process.lanes_lock.is_none());
        // Of a copy only the main interpreter is left.
        let subject = if is_main { Subject::WordOfTree(word) } else { Subject::Word(word) };
        let watchpoints = match inherited {
            Some(inherited) => Ok(inherited),
            None if !self.recorder.is_on() => Err(self.refused.clone().unwrap_or_default()),
            None if watched >= MOST_WATCHED => {
                Err("a thread can be watched for four locks, and this is a fifth".to_owned())
            }
            None => match self.recorder.watch(pid, subject) {
                // It has ended since: nobody takes its lock any more, and nobody looks at it instead.
                Err(Refused::Gone(_)) if pid != self.root => return false,
                watched => watched.map(Arc::new).map_err(|why| why.to_string()),
            },
        };
        self.add_gil(pid, (address, word), id, watchpoints, now);
        true
    }

    /// A GIL is followed from now on, that of the interpreter of this number; its address and that of its word.
    pub(super) fn add_gil(
        &mut self,
        pid: u32,
        (address, word): (u64, u64),
        id: i64,
        watched: Result<Arc<Watchpoints>, String>,
        now: Nanos,
    ) -> Option<usize> {
        let number = self.processes.get(&pid)?.index.unwrap_or_default();
        let name = match (number, id) {
            (0, 0) => "GIL".to_owned(),
            (0, id) => format!("GIL of interpreter {id}"),
            (index, 0) => format!("GIL of process {}", index + 1),
            (index, id) => format!("GIL of process {}, interpreter {id}", index + 1),
        };
        let index = self.locks.len();
        if index >= usize::from(u16::MAX) {
            return None;
        }
        let name = self.unused_lock_name(pid, name);
        let lock_id = Watcher::lock_id(index);
        let process = self.processes.get_mut(&pid)?;
        let is_first_lock = process.lanes_lock.is_none();
        process.lanes_lock.get_or_insert(lock_id);
        let plan = LockPlan { id: lock_id, kind: LockKind::Gil, name, process: number, of_workers: true };
        self.notices.push(Notice::Lock(plan));
        if is_first_lock {
            let lanes = self.threads.values().filter(|tracked| tracked.pid == pid).filter_map(|tracked| tracked.lane);
            self.notices.extend(lanes.map(|lane| Notice::Needs { lane, lock: lock_id }));
        }
        let mut lock = Lock::new(lock_id, pid, address, word);
        lock.interpreter = id;
        self.follow_lock(lock, vec![word], watched, now);
        Some(index)
    }

    /// Follows a lock from now on, by what watches its words or by looking at it, and why.
    pub(super) fn follow_lock(
        &mut self,
        mut lock: Lock,
        words: Vec<u64>,
        watched: Result<Arc<Watchpoints>, String>,
        now: Nanos,
    ) {
        let (index, pid) = (self.locks.len(), lock.pid);
        self.watchpoints.push(match watched {
            Ok(watchpoints) => {
                lock.watch();
                lock.new_until = now + NEW;
                Some(watchpoints)
            }
            Err(why) => {
                lock.reason = Some(why);
                None
            }
        });
        self.by_word.extend(words.into_iter().map(|word| ((pid, word), index)));
        self.locks.push(lock);
        // It may have been held all the while.
        self.say_whether_known(index, self.upto);
    }

    fn note_python(&mut self, pid: u32, runtime: &Runtime) {
        if self.program.python.is_some() && pid != self.root {
            return;
        }
        let has_lock = self.processes.get(&pid).is_some_and(|process| process.has_lock());
        self.program.python = Some(Python {
            version: runtime.version.to_string(),
            free_threaded: runtime.free_threaded,
            gil_enabled: Some(has_lock),
            file: printable(&runtime.file.to_string_lossy()),
        });
        if !self.program.launched {
            self.program.command = process::command(self.root);
        }
        self.notices.push(Notice::Program(Box::new(self.program.clone())));
    }
}
