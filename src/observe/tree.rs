//! The observed processes: the one that was asked for, and all that descend from it.

use crate::clock::{Clock, Monotonic};
use crate::event::Nanos;

use super::booked::Booked;
use super::ends;
use super::memory::Remote;
use super::notice::Notice;
use super::observed::{Process, Stage};
use super::process;
use super::runtime::Runtime;
use super::trouble::Trouble;
use super::watch::{Item, Watcher};

/// How often it is looked for a new interpreter where locks are only looked at, and for new thread states where there is none
/// and several interpreters are.
const HEADED: Nanos = Nanos::from_millis(12);
/// How often the list of a process's interpreters and threads is read when nothing calls for it, where records do not tell
/// who takes its locks, ...
const WALKED: Nanos = Nanos::from_millis(100);
/// ... and where they do, and who was born.
const WALKED_SELDOM: Nanos = Nanos::from_secs(1);
/// How often when there are new threads that may be Python's; where takes are not recorded, at every pass, since then
/// the list alone tells of a thread that lives for a moment.
const WALKED_SOON: Nanos = Nanos::from_millis(4);
/// How long a thread is new.
pub(super) const YOUNG: Nanos = Nanos::from_millis(100);
/// A walk is repeated after so many times what it takes, at least.
const WALKS_SHARE: u64 = 16;
/// How often it is looked whether a process that is no Python any more has loaded it, at first and later: one that takes its
/// time does, and what a program executes in its turn is not told where there are no records.
const FOREIGN: Nanos = Nanos::from_millis(20);
const FOREIGN_SELDOM: Nanos = Nanos::from_millis(250);
/// How long a process may take to load Python after it began to execute a program.
pub(super) const LOADING: Nanos = Nanos::from_secs(2);

impl Watcher {
    /// Watches a running process, its threads, and its children. What is not Python is refused; a Python we do not know
    /// is watched as far as can be, and so is one whose memory a policy keeps from us.
    pub fn attach(&mut self) -> Result<(), Trouble> {
        let (pid, at) = (self.root, self.began);
        let deadline = Monotonic.now() + LOADING;
        // Who asks for a program that he has just started means what it executes then.
        let is_young = || process::age(pid).is_some_and(|age| age < LOADING);
        let is_loading = |trouble: &Trouble| match trouble {
            Trouble::Booting(_) => true,
            other => other.may_be_loading() && is_young(),
        };
        let found = loop {
            match Runtime::find(pid, &mut self.files) {
                Err(trouble) if is_loading(&trouble) && Monotonic.now() < deadline => {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                found => break found,
            }
        };
        if let Err(trouble) = &found
            && trouble.seen_in_part().is_none()
            && !matches!(trouble, Trouble::Booting(_))
            // Where nothing of it may be looked at, its threads would say nothing either.
            && !(matches!(trouble, Trouble::Forbidden(_)) && process::maps(pid).is_ok())
        {
            return Err(trouble.clone());
        }
        self.program.command = process::command(pid);
        self.cover(pid);
        self.adopt(pid, at, None);
        self.adopt_children(at);
        Ok(())
    }

    /// Watches a process that we have started and that does not execute its program yet.
    pub fn await_program(&mut self, command: Vec<String>) {
        self.program.command = command;
        self.keeper = process::parent(self.root);
        self.cover(self.root);
        self.adopt(self.root, self.began, None);
    }

    pub(super) fn cover(&mut self, pid: u32) {
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

    /// Follows a process that was there before, and which that thread made.
    pub(super) fn adopt(&mut self, pid: u32, at: Nanos, maker: Option<u32>) {
        if self.processes.contains_key(&pid) {
            return;
        }
        let mut process = Process::new(pid, (pid == self.root).then_some(0), at);
        process.is_copy = maker.is_some() && !process::has_executed(pid);
        process.life = self.open_life(pid);
        self.processes.insert(pid, process);
        self.spent.open(pid, at <= self.began);
        for tid in process::threads(pid) {
            self.track(pid, tid, at, false);
        }
        if let Some(maker) = maker {
            self.made_by(pid, maker);
        }
        self.find_python(pid);
    }

    /// A process was born. If its maker is Python it is a copy of it, and can be watched at once. It may have ended before
    /// anybody looks: then that is all that is known of it.
    pub(super) fn process_born(&mut self, pid: u32, parent: u32, at: Nanos) {
        let Some(maker) = self.processes.get(&parent) else { return };
        let (runtime, is_python) = (maker.runtime.clone(), maker.stage == Stage::Python);
        let maker_was = maker.is_copy_of_python();
        let without_lock = maker.dormant.is_some();
        if self.processes.contains_key(&pid) {
            return;
        }
        let inherits = self.inherited_of(parent, at);
        let mut process = Process::new(pid, None, at);
        process.is_copy = true;
        process.inherits = inherits;
        process.life = self.open_life(pid);
        process.was_born_python = is_python || maker_was;
        process.was_born_without_lock = without_lock;
        if is_python {
            process.maker_mark = runtime.as_ref().and_then(|runtime| runtime.mark(&Remote(parent)));
            process.runtime = runtime;
        }
        self.processes.insert(pid, process);
        self.spent.open(pid, false);
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
        self.is_other_than_told(pid, at);
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let (lanes, halt, life) = (process.lanes, process.halt, process.life.take());
        *process = Process::new(pid, process.index, at);
        (process.lanes, process.halt, process.life) = (lanes, halt, life);
        process.boots = true;
        if had_locks {
            self.release(pid, at);
        }
        self.by_word.retain(|(of, _), _| *of != pid);
        self.find_python(pid);
    }

    /// Who executes a program does so alone, and as its process's first thread, whichever he was before. If he was another
    /// the first had ended by then, and it is he who bears its number from now on.
    pub(super) fn only_one_is_left(&mut self, pid: u32, at: Nanos) {
        let others = self.threads.iter().filter(|(tid, tracked)| tracked.pid == pid && **tid != pid);
        let others: Vec<u32> = others.map(|(tid, _)| *tid).collect();
        others.into_iter().for_each(|tid| self.end_thread(tid, at));
        if !self.processes.contains_key(&pid) {
            return;
        }
        let first = self.threads.get(&pid).filter(|tracked| tracked.thread.has_ended());
        let Some((parent, maker)) = first.map(|first| (first.parent, first.maker)) else {
            return self.track(pid, pid, at, false);
        };
        self.let_go(pid, at, ends::DONE.to_owned());
        self.track(pid, pid, at, false);
        if let Some(tracked) = self.threads.get_mut(&pid) {
            (tracked.parent, tracked.maker) = (parent, maker);
            // What he spent before was told under his own number.
            tracked.booked = Booked::open(pid, pid, true);
        }
    }

    /// Nobody holds the locks of a process any more, and nobody follows them.
    pub(super) fn release(&mut self, pid: u32, at: Nanos) {
        let ids: Vec<usize> = (0..self.locks.len()).filter(|index| self.locks[*index].pid == pid).collect();
        for index in ids {
            self.release_lock(index, at);
        }
    }

    /// The same of one of its locks.
    pub(super) fn release_lock(&mut self, index: usize, at: Nanos) {
        self.watchpoints[index] = None;
        self.locks[index].span(at);
        self.locks[index].pid = 0;
        self.notices.push(Notice::LockGone { lock: self.locks[index].id, at });
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
                        // Who enters one of several interpreters has another thread state there.
                        None if process.dormant.is_some() && process.interpreters.len() > 1 => HEADED,
                        None if is_looked_at => WALKED,
                        None => WALKED_SELDOM,
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
                Stage::Foreign => {
                    let pause = if process.since + LOADING > now { FOREIGN } else { FOREIGN_SELDOM };
                    if process.without_python.is_some() && process.tried_at + pause <= now {
                        process.stage = Stage::Waiting;
                        self.find_python(pid);
                        // One that is ending tells nothing: it is what it was.
                        let unchanged = |it: &&mut Process| it.stage == Stage::Waiting && it.runtime.is_none();
                        if let Some(process) = self.processes.get_mut(&pid).filter(unchanged) {
                            process.stage = Stage::Foreign;
                        }
                    }
                }
            }
        }
    }

    /// A process turned out to be Python.
    pub(super) fn count(&mut self, pid: u32) {
        if let Some(process) = self.processes.get_mut(&pid)
            && process.index.is_none()
        {
            self.processes_seen += 1;
            process.index = Some(self.processes_seen);
        }
    }

    /// Every thread of a process that cannot be told Python's threads from others.
    pub(super) fn show_all_threads(&mut self, pid: u32, now: Nanos) {
        self.count(pid);
        if self.processes.get(&pid).is_some_and(|process| !process.is_followed) {
            self.pending.push((now, Item::HasNoLock { pid }));
        }
        let threads = process::threads(pid);
        let records = self.recorder.is_on();
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.strangers.retain(|tid, _| threads.contains(tid) && !self.threads.contains_key(tid));
        for tid in threads {
            // The record of its birth is on its way, which tells who made it; unless it was lost.
            if records && !self.threads.contains_key(&tid) {
                let Some(process) = self.processes.get_mut(&pid) else { return };
                if *process.strangers.entry(tid).or_insert(now) + YOUNG > now {
                    continue;
                }
            }
            self.track(pid, tid, now, false);
            self.make_lane(tid, now);
        }
    }
}
