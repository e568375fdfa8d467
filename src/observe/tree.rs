//! The observed processes: the one that was asked for, and all that descend from it.

use crate::clock::{Clock, Monotonic};
use crate::event::{CoreId, Detail, Nanos};

use super::kin;
use super::lock::{Lock, Mode};
use super::memory::Remote;
use super::notice::{Notice, Python};
use super::observed::{Process, Stage};
use super::process;
use super::recorder::Watchpoints;
use super::runtime::Runtime;
use super::trouble::Trouble;
use super::watch::{Item, Watcher};
use crate::model::{LockKind, LockPlan};
use crate::perf::{Record, Subject, What};

/// x86 has four debug registers, and they are a thread's own.
const MOST_WATCHED: usize = 4;
/// How long a lock is compared with itself at each pass after it was first seen.
pub(super) const NEW: Nanos = Nanos::from_millis(20);
/// How often it is looked for a new interpreter where locks are only looked at.
const HEADED: Nanos = Nanos::from_millis(12);
/// How often the list of a process's interpreters and threads is read when nothing calls for it.
const WALKED: Nanos = Nanos::from_millis(100);
/// How often when there are new threads that may be Python's; where takes are not recorded, at every pass, since then
/// the list alone tells of a thread that lives for a moment.
const WALKED_SOON: Nanos = Nanos::from_millis(4);
/// How long a thread is new.
const YOUNG: Nanos = Nanos::from_millis(100);
/// A walk is repeated after so many times what it takes, at least.
const WALKS_SHARE: u64 = 16;
/// How long a process may take to load Python after it began to execute a program.
const LOADING: Nanos = Nanos::from_secs(2);

impl Watcher {
    /// Watches a running process, its threads, and its children. What is not Python is refused; a Python we do not know
    /// is watched as far as can be.
    pub fn attach(&mut self) -> Result<(), Trouble> {
        let (pid, at) = (self.root, self.began);
        let deadline = Monotonic.now() + LOADING;
        let found = loop {
            match Runtime::find(pid, &mut self.files) {
                Err(Trouble::Booting(_)) if Monotonic.now() < deadline => {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                found => break found,
            }
        };
        if let Err(trouble) = &found
            && !matches!(trouble, Trouble::Unsupported { .. } | Trouble::Booting(_))
        {
            return Err(trouble.clone());
        }
        self.cover(pid);
        self.adopt(pid, at, None);
        let mut known = vec![pid];
        let mut next = 0;
        while let Some(parent) = known.get(next).copied() {
            next += 1;
            let command = process::command(parent);
            let children = kin::children_by_maker(parent).into_iter();
            let new: Vec<(u32, u32)> = children.filter(|(pid, _)| !known.contains(pid)).collect();
            for (child, maker) in new.into_iter().take(1024) {
                self.cover(child);
                let is_copy = process::command(child) == command;
                self.adopt(child, at, Some((maker, is_copy)));
                known.push(child);
            }
        }
        Ok(())
    }

    /// Watches a process that we have started and that does not execute its program yet.
    pub fn await_program(&mut self, command: Vec<String>) {
        self.program.command = command;
        self.cover(self.root);
        self.adopt(self.root, self.began, None);
    }

    fn cover(&mut self, pid: u32) {
        if self.refused.is_none()
            && let Err(why) = self.recorder.cover(pid)
        {
            match why {
                crate::perf::Refused::Gone(_) => {}
                why => self.refused = Some(why.to_string()),
            }
        }
        if self.refused.is_some() && self.recorder.is_on() {
            // Half of the records are worse than none: whoever is not covered would seem to do nothing.
            self.recorder = super::recorder::Recorder::default();
        }
    }

    /// Follows a process that was there before; `made` tells by which thread, and whether it is a copy of its maker.
    fn adopt(&mut self, pid: u32, at: Nanos, made: Option<(u32, bool)>) {
        if self.processes.contains_key(&pid) {
            return;
        }
        let mut process = Process::new(pid, (pid == self.root).then_some(0), at);
        process.is_copy = made.is_some_and(|(_, is_copy)| is_copy);
        self.processes.insert(pid, process);
        for tid in process::threads(pid) {
            self.track(pid, tid, at, false);
        }
        if let Some((maker, _)) = made {
            self.made_by(pid, maker);
        }
        self.find_python(pid);
    }

    /// A process was born. If its maker is Python it is a copy of it, and can be watched at once.
    pub(super) fn process_born(&mut self, pid: u32, parent: u32, at: Nanos) {
        let Some(maker) = self.processes.get(&parent) else { return };
        let (runtime, is_python) = (maker.runtime.clone(), maker.stage == Stage::Python);
        if self.processes.contains_key(&pid) {
            return;
        }
        let mut process = Process::new(pid, None, at);
        process.is_copy = true;
        if is_python {
            process.maker_mark = runtime.as_ref().and_then(|runtime| runtime.mark(&Remote(parent)));
            process.runtime = runtime;
        }
        self.processes.insert(pid, process);
        self.find_python(pid);
    }

    /// A process executes another program: what was known of it is void.
    pub(super) fn process_execs(&mut self, pid: u32, at: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.is_copy = false;
        // Its interpreter was found after this, so it is the new program's; or while this happened, and it is still there.
        let found_after = process.stage == Stage::Python && process.tried_at >= at;
        let found_meanwhile = process.stage == Stage::Python
            && process.found_at >= at
            && Runtime::find(pid, &mut self.files).is_ok_and(|found| process.runtime.as_ref() == Some(&found));
        if found_after || found_meanwhile {
            // It was called by what its maker is.
            return self.call_process(pid);
        }
        let had_locks = process.stage == Stage::Python;
        let (lanes, halt) = (process.lanes, process.halt);
        *process = Process::new(pid, process.index, at);
        (process.lanes, process.halt) = (lanes, halt);
        process.boots = true;
        if had_locks {
            self.release(pid, at);
        }
        self.by_word.retain(|(of, _), _| *of != pid);
        self.find_python(pid);
    }

    /// Nobody holds the locks of a process any more, and nobody follows them.
    pub(super) fn release(&mut self, pid: u32, at: Nanos) {
        let ids: Vec<usize> = (0..self.locks.len()).filter(|index| self.locks[*index].pid == pid).collect();
        for index in ids {
            self.watchpoints[index] = None;
            self.locks[index].span(at);
            self.locks[index].pid = 0;
            self.notices.push(Notice::LockGone { lock: self.locks[index].id, at });
        }
    }

    /// Looks after the processes: finds the interpreters of those that are starting, and what is new in the others.
    pub(super) fn care_for_processes(&mut self, now: Nanos) {
        let pids: Vec<u32> = self.processes.keys().copied().collect();
        for pid in pids {
            let of_pid = self.threads.values().filter(|it| it.pid == pid);
            let youngest =
                of_pid.filter(|it| it.lane.is_none() && !it.thread.has_ended()).map(|it| it.thread.since).max();
            let is_looked_at = self.is_only_looked_at(pid);
            let is_sampled = is_looked_at && self.locks.iter().any(|lock| lock.pid == pid);
            let Some(process) = self.processes.get_mut(&pid) else { continue };
            match process.stage {
                Stage::Waiting => {
                    // Often at first, since every moment until then is unknown; then less and less.
                    let pause = Nanos::from_millis(u64::from(process.tries / 20 + 1).min(20));
                    if process.tried_at + pause <= now {
                        self.find_python(pid);
                    }
                }
                Stage::Python => {
                    let came_back = process.dormant.is_some_and(|lock| {
                        process.runtime.as_ref().is_some_and(|runtime| runtime.is_enabled(&Remote(pid), lock))
                    });
                    if came_back {
                        self.walk(pid, now);
                        continue;
                    }
                    // Who has not shown himself to be Python's by then will hardly do so.
                    let pause = match youngest.filter(|since| *since + YOUNG > now) {
                        Some(_) if is_looked_at => Nanos::ZERO,
                        Some(_) => WALKED_SOON,
                        None => WALKED,
                    };
                    // Of one that is new the lock is to be watched before somebody takes it, which may be once for all.
                    // Where locks are only looked at a moment later will do.
                    let is_new = process.has_new_head(now, if is_sampled { HEADED } else { Nanos::ZERO });
                    let pause = if is_new { Nanos::ZERO } else { pause };
                    let pause = pause.max(Nanos(process.walk_lasts.0.saturating_mul(WALKS_SHARE)));
                    if process.walked_at + pause <= now {
                        self.walk(pid, now);
                    }
                }
                Stage::Unsupported => self.show_all_threads(pid, now),
                Stage::Foreign => {}
            }
        }
    }

    fn find_python(&mut self, pid: u32) {
        let now = Monotonic.now();
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.tried_at = now;
        process.tries += 1;
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
            Err(Trouble::Unsupported { why, version, .. }) => {
                process.stage = Stage::Unsupported;
                let text =
                    format!("Python {version} is not known to gilscope ({why}): only its threads and cores are seen");
                self.alarm(now, text);
                self.show_all_threads(pid, now);
            }
            // The loader has not mapped its libraries yet, or it never will.
            Err(trouble) if trouble.may_be_loading() && process.since + LOADING > now => {}
            Err(too_old @ Trouble::TooOld { .. }) => {
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
            Err(_) if pid == self.root && !process::is_zombie(pid) && process.since + LOADING > now => {}
            Err(trouble) => {
                process.stage = Stage::Foreign;
                self.pending.push((now, Item::HasNoLock { pid }));
                // Of one that was Python before; all others nobody has heard of.
                if let Trouble::NotPython { name, .. } = trouble
                    && self.threads.get(&pid).is_some_and(|tracked| tracked.lane.is_some())
                {
                    let text = format!(
                        "process {pid} has executed {name}, a program without Python: only its threads and cores are seen"
                    );
                    self.alarm(now, text);
                }
            }
        }
    }

    /// Reads the list of interpreters: new locks, and which threads are Python's.
    fn walk(&mut self, pid: u32, now: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.walked_at = now;
        let Some(runtime) = process.runtime.clone() else { return };
        process.walked_from = runtime.first_interpreter(&Remote(pid));
        let walked = runtime.walk(&Remote(pid));
        process.walk_lasts = Monotonic.now() - now;
        let Ok(interpreters) = walked else {
            if process.stage == Stage::Python && !self.recorder.is_on() {
                // Nobody tells that it has executed another program.
                let same = Runtime::find(pid, &mut self.files).is_ok_and(|found| found == runtime);
                if !same && process::is_alive(pid, pid) {
                    let what = What::Exec;
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
        let mut locks: Vec<(u64, i64)> = Vec::new();
        for interpreter in &interpreters {
            if let Some(lock) = interpreter.lock
                && !locks.iter().any(|(known, _)| *known == lock)
            {
                locks.push((lock, interpreter.id));
            }
        }
        if locks.is_empty() || runtime.free_threaded && !runtime.is_initialized(&Remote(pid)) {
            return;
        }
        let states = interpreters.iter().flat_map(|interpreter| &interpreter.threads);
        let by_thread: Vec<(u32, u64)> =
            states.filter_map(|state| Some((process.outside(state.native?)?, state.address))).collect();
        let mut tids: Vec<u32> = by_thread.iter().map(|(tid, _)| *tid).collect();
        process.states_by_thread.clear();
        if runtime.free_threaded {
            process.states_by_thread.extend(by_thread);
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
        if runtime.first_interpreter(&Remote(pid)) != process.walked_from {
            // It has executed another program while it was looked at, or it has one more interpreter.
            process.walked_from = None;
            if process.stage == Stage::Waiting {
                return;
            }
        }
        locks.sort_by_key(|(_, id)| *id);
        let first_walk = process.stage == Stage::Waiting;
        process.stage = Stage::Python;
        if first_walk {
            // Without records nobody tells that it has executed another program since it was born.
            process.common_name = process::name(pid, pid).unwrap_or_default();
        }
        self.count(pid);
        for (address, id) in locks {
            self.meet_lock(pid, &runtime, address, id, first_walk, now);
        }
        if let Some(main) = interpreters.iter().find(|it| it.id == 0).filter(|_| runtime.free_threaded) {
            self.meet_world(pid, main.address, now);
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

    fn meet_lock(&mut self, pid: u32, runtime: &Runtime, address: u64, id: i64, first: bool, now: Nanos) {
        let word = address + runtime.layout.lock.locked;
        if self.by_word.contains_key(&(pid, word)) {
            return;
        }
        if runtime.free_threaded {
            if !runtime.is_enabled(&Remote(pid), address) {
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.dormant.get_or_insert(address);
                }
                if first {
                    self.reveal(pid, now);
                }
                return;
            }
            if let Some(process) = self.processes.get_mut(&pid) {
                process.dormant = None;
            }
            if !first {
                let text = format!("the GIL came back: process {pid} turned it on, as an extension module can make it");
                self.alarm(now, text);
                self.program.python.iter_mut().for_each(|python| python.gil_enabled = Some(true));
                self.notices.push(Notice::Program(Box::new(self.program.clone())));
            }
        }
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let number = process.index.unwrap_or_default();
        let helper = process.helper().filter(|_| number > 0);
        let name = match (number, id) {
            (0, 0) => "GIL".to_owned(),
            (0, id) => format!("GIL of interpreter {id}"),
            (_, 0) if helper.is_some() => format!("GIL of {}", helper.unwrap_or_default()),
            (index, 0) => format!("GIL of process {}", index + 1),
            (index, id) => format!("GIL of process {}, interpreter {id}", index + 1),
        };
        let index = self.locks.len();
        if index >= usize::from(u16::MAX) {
            return;
        }
        let lock_id = Watcher::lock_id(index);
        let is_first_lock = process.lanes_lock.is_none();
        process.lanes_lock.get_or_insert(lock_id);
        let plan = LockPlan { id: lock_id, kind: LockKind::Gil, name, process: number, of_workers: true };
        self.notices.push(Notice::Lock(plan));
        if is_first_lock {
            let lanes = self.threads.values().filter(|tracked| tracked.pid == pid).filter_map(|tracked| tracked.lane);
            self.notices.extend(lanes.map(|lane| Notice::Needs { lane, lock: lock_id }));
        }
        let mut lock = Lock::new(lock_id, pid, address, word);
        // Up to 3.12, who runs code in a subinterpreter does so under the thread state of its maker.
        lock.holder_is_vague = id != 0 && runtime.version.minor <= 12;
        let watched = self.locks.iter().filter(|it| it.pid == pid && it.mode == Mode::Exact);
        let watched: usize = watched.map(|lock| lock.words).sum();
        let watchpoints = match () {
            () if !self.recorder.is_on() => Err(self.refused.clone().unwrap_or_default()),
            () if watched >= MOST_WATCHED => {
                Err("a thread can be watched for four locks, and this is a fifth".to_owned())
            }
            () => self.recorder.watch(pid, Subject::Word(word)).map_err(|why| why.to_string()),
        };
        self.follow_lock(lock, vec![word], watchpoints, now);
    }

    /// Follows a lock from now on, by what watches its words or by looking at it, and why.
    pub(super) fn follow_lock(
        &mut self,
        mut lock: Lock,
        words: Vec<u64>,
        watched: Result<Watchpoints, String>,
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
            file: process::sanitised(&runtime.file.to_string_lossy()),
        });
        if !self.program.launched {
            self.program.command = process::command(self.root);
        }
        self.notices.push(Notice::Program(Box::new(self.program.clone())));
    }

    /// A process turned out to be Python.
    fn count(&mut self, pid: u32) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.index.is_none()
        {
            self.processes_seen += 1;
            process.index = Some(self.processes_seen);
        }
    }

    /// Every thread of a process that cannot be told Python's threads from others.
    fn show_all_threads(&mut self, pid: u32, now: Nanos) {
        self.count(pid);
        if self.processes.get(&pid).is_some_and(|process| !process.is_followed) {
            self.pending.push((now, Item::HasNoLock { pid }));
        }
        for tid in process::threads(pid) {
            self.track(pid, tid, now, false);
            self.make_lane(tid, now);
        }
    }
}
