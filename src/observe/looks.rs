//! What the observer looks at by itself, since nothing records it: who holds a lock, what a thread sleeps in, whether it
//! runs Python.

use std::time::Duration;

use crate::clock::{Clock, Monotonic};
use crate::event::{LockId, Nanos};

use super::doing::{self, Doing};
use super::lock::{Lock, Mode};
use super::memory::Remote;
use super::notice::Notice;
use super::observed::Process;
use super::runtime::LockState;
use super::still::{Seen, Wait};
use super::thread::{Awake, Came, Reason};
use super::tracked::Tracked;
use super::tree::YOUNG;
use super::watch::{Item, UNDECIDED, Watcher};

/// How often a lock that is watched is compared with the lock itself.
const COMPARED: Nanos = Nanos::from_millis(250);
/// A write is recorded by the trap that it causes: what a look has seen may be written already and not recorded yet. So it
/// counts only if no record follows for so long.
const TRAPPED: Nanos = Nanos::from_micros(200);
/// The first look at a lock tells all of a child that lives for a moment; if it was wrong after all the next ones tell.
const TRAPPED_AT_FIRST: Nanos = Nanos::from_micros(60);
/// How often it is compared once more before the observing ends.
const LAST_LOOKS: usize = 3;
/// Where there is no lock, at how many of the threads that run is looked at a time.
const RUNNERS: usize = 4;
/// For how long a lock is watched on demand.
const MOMENT_OF_TRUTH: Nanos = Nanos::from_millis(100);
/// How often it is looked whether one who waits for a lock does so still, where it would be seen to take it.
const WAITING: Nanos = Nanos::from_millis(50);
/// How many threads are looked at in a pass where there are no records.
const LOOKS: usize = 16;

/// The GIL of this process that is waited for by who sleeps on the word at `futex`.
fn gil_at<'a>(locks: &'a [Lock], process: Option<&Process>, futex: u64) -> Option<&'a Lock> {
    let (pid, layout) = process.and_then(|process| Some((process.pid, process.layout()?.lock)))?;
    let is_slept_on = |lock: &&Lock| layout.is_waited_on(lock.address, futex) || layout.is_forced(lock.address, futex);
    locks.iter().filter(|lock| lock.is_gil() && lock.pid == pid).find(is_slept_on)
}

impl Watcher {
    pub(super) fn look_at_locks(&mut self, came: Came) {
        let now = came.at;
        for index in 0..self.locks.len() {
            let lock = &mut self.locks[index];
            let due = match lock.mode {
                Mode::Exact => lock.look || now < lock.new_until || lock.looked_at + COMPARED <= now,
                Mode::Sampled { until: Some(until) } if until <= now => {
                    self.try_again(index);
                    true
                }
                Mode::Sampled { .. } => true,
            };
            let lock = &mut self.locks[index];
            let Some(process) = self.processes.get_mut(&lock.pid).filter(|_| due) else { continue };
            let from = Monotonic.now();
            lock.look = false;
            lock.looked_at = from;
            let seen = if lock.is_gil() { process.look(lock.address) } else { process.look_at_world(lock.address) };
            let is_certain = |state: &LockState| state.locked && !lock.holder_is_vague;
            lock.seen = seen.map(|(state, holder)| Seen {
                number: state.switch_number,
                holder: holder.filter(|_| is_certain(&state)),
            });
            let Some((state, holder)) = seen else { continue };
            let trapped = match lock.mode {
                Mode::Exact if lock.settled => TRAPPED,
                Mode::Exact => TRAPPED_AT_FIRST,
                Mode::Sampled { .. } => Nanos::ZERO,
            };
            let at = Monotonic.now() + trapped;
            self.samples += 1;
            self.pending.push((at, Item::Lock { lock: index, came, from, state, holder }));
        }
    }

    /// Compares every lock with itself once more, so that CPython's own count is of the time up to the end. A look tells
    /// nothing if somebody wrote meanwhile, so there are some.
    pub(super) fn look_a_last_time(&mut self) {
        for _ in 0..LAST_LOOKS {
            self.locks.iter_mut().for_each(|lock| lock.look = true);
            self.look_at_locks(Came::now(Monotonic.now()));
            // Longer than a lock must have been left alone for a look to count.
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
    }

    /// Tries whether a lock that was taken too often may be watched by now.
    fn try_again(&mut self, index: usize) {
        match &self.watchpoints[index] {
            Some(watchpoints) => {
                watchpoints.enable(true);
                self.locks[index].watch();
            }
            None => self.locks[index].sample(None),
        }
    }

    /// Watches the locks that are only looked at because they are taken so often, for a moment, whatever that costs.
    pub fn exact_once(&mut self) {
        let until = Monotonic.now() + MOMENT_OF_TRUTH;
        for (lock, watchpoints) in self.locks.iter_mut().zip(&self.watchpoints) {
            if let (Mode::Sampled { until: Some(_) }, Some(watchpoints)) = (lock.mode, watchpoints) {
                watchpoints.enable(true);
                lock.watch_until(until);
            }
        }
    }

    /// How long it is until it is to be looked where the holders of locks are or, without a lock, those who run; if ever.
    pub(super) fn until_places(&self, now: Nanos) -> Option<Duration> {
        let is_any = self.gils().next().is_some() || self.processes.values().any(|process| process.dormant.is_some());
        (self.wants_places && is_any).then(|| Duration::from(self.instants.due().max(now) - now))
    }

    /// Looks where the holders of locks are and, without a lock, those who run, if it is time.
    pub(super) fn look_at_places(&mut self, now: Nanos) {
        if !self.wants_places || self.instants.due() > now {
            return;
        }
        self.instants.looked(now);
        for (index, lock) in self.locks.iter().enumerate().filter(|(_, lock)| lock.is_gil()) {
            let Some(process) = self.processes.get_mut(&lock.pid) else { continue };
            let at = Monotonic.now();
            let Some((tid, place)) = process.place_of_holder(lock.address) else { continue };
            self.pending.push((at, Item::Place { lock: index, tid, place }));
        }
        self.look_at_runners();
    }

    /// Looks where those run who have no lock, at some of them by lot: each has the same chance, however long it has lived.
    fn look_at_runners(&mut self) {
        // Of one that is new nothing can be read before it is known where its state lies. Else the first that threads do
        // would be seen least.
        let now = Monotonic.now();
        let is_new = |process: &Process| {
            let of_process = self.threads.iter().filter(|(_, it)| it.pid == process.pid && it.asleep.is_none());
            let mut unknown = of_process.filter(|(tid, _)| !process.states_by_thread.contains_key(tid));
            process.dormant.is_some() && unknown.any(|(_, it)| it.met_at + YOUNG > now)
        };
        let new: Vec<u32> = self.processes.values().filter(|it| is_new(it)).map(|it| it.pid).collect();
        new.into_iter().for_each(|pid| self.walk(pid, now));
        for process in self.processes.values_mut().filter(|process| process.dormant.is_some()) {
            let of_process = self.threads.iter().filter(|(_, it)| it.pid == process.pid && it.asleep.is_none());
            let mut awake: Vec<_> = of_process.filter_map(|(tid, it)| Some((*tid, it.lane?))).collect();
            awake.sort_unstable();
            let first = self.instants.lot(awake.len());
            awake.rotate_left(first);
            let counts = awake.len() as f64 / awake.len().clamp(1, RUNNERS) as f64;
            for (tid, lane) in awake.into_iter().take(RUNNERS) {
                let at = Monotonic.now();
                let place = process.place_of_runner(tid);
                self.notices.extend(place.map(|place| Notice::Place { at, lane, place, counts }));
            }
        }
    }

    /// Why a thread of this process sleeps in this call.
    pub(super) fn reason(&self, pid: u32, call: u32, argument: u64) -> Reason {
        if !doing::is_futex(call) {
            return Reason::Call(call);
        }
        let process = self.processes.get(&pid);
        if process.is_none_or(|process| process.layout().is_none()) {
            // Where the interpreter's own locks are not known it may be one of them.
            return Reason::Call(call);
        }
        gil_at(&self.locks, process, argument).map_or(Reason::OwnLock, |lock| Reason::WantsLock(lock.id))
    }

    /// Looks at what those sleep in that have fallen asleep since they were last looked at; without records, at
    /// everybody, a few at a time. In a pass that is not `whole`, only at those whose lock is only looked at: no record of
    /// it tells afterwards why they slept, and most waits for it are over before the next whole pass.
    pub(super) fn look_at_threads(&mut self, now: Nanos, whole: bool) {
        let (processes, locks, records) = (&self.processes, &self.locks, self.recorder.is_on());
        let apart = now - std::mem::replace(&mut self.sleepers_looked_at, now);
        let look = |tracked: &mut Tracked, tid: u32, first: bool, pending: &mut Vec<(Nanos, Item)>| {
            let waits = tracked.waits.filter(|_| !records).filter(|(wait, _)| wait.lasts(tid, locks, now));
            let doing = waits.map_or_else(|| tracked.doings.read(), |(_, doing)| doing);
            let at = Monotonic.now();
            // Who is on the way to its sleep runs still, and is looked at again.
            tracked.looked(at, !records || doing != Doing::Running);
            if !records {
                tracked.booked.read_often(at);
                tracked.asleep = if doing == Doing::Running { None } else { tracked.asleep.or(Some(at)) };
            }
            let process = processes.get(&tracked.pid);
            let futex = match doing {
                Doing::In { call, argument } if doing::is_futex(call) => Some(argument),
                _ => None,
            };
            let gil = futex.and_then(|futex| gil_at(locks, process, futex));
            // Read at once: it lies on the sleeper's stack.
            let parked = futex.filter(|_| gil.is_none() && tracked.lane.is_some());
            let parked = parked.and_then(|futex| process?.parked(futex));
            if waits.is_none() {
                tracked.waits = gil.and_then(|lock| Wait::found(lock, now)).map(|wait| (wait, doing));
            }
            // Of one who has woken up meanwhile and sleeps again it would be another's.
            let parked = parked.filter(|_| tracked.doings.read() == doing);
            pending.push((at, Item::Doing { tid, doing, parked, first, apart }));
        };
        if records {
            let watched: Vec<LockId> =
                self.locks.iter().filter(|lock| lock.mode == Mode::Exact).map(|lock| lock.id).collect();
            for (tid, tracked) in &mut self.threads {
                let first = tracked.looked_at == Nanos::ZERO && tracked.asleep == Some(tracked.thread.since);
                // Who waits for the lock sleeps a switch interval at a time, and each time for the same reason. Where the
                // lock is only looked at he may have had it meanwhile, unseen, and sleep for another.
                let pause = match tracked.thread.wants() {
                    Some(lock) if watched.contains(&lock) => WAITING,
                    _ => Nanos::ZERO,
                };
                let is_asked = whole || matches!(tracked.thread.awake, Awake::Undecided { .. });
                if is_asked && tracked.is_unexplained() && tracked.looked_at + pause <= now {
                    look(tracked, *tid, first, &mut self.pending);
                }
            }
        } else if whole && !self.threads.is_empty() {
            // One that may yet turn out to be Python's, or is.
            let is_of_interest = |tracked: &Tracked| tracked.lane.is_some() || tracked.met_at + UNDECIDED > now;
            let of_interest = self.threads.iter().filter(|(_, tracked)| is_of_interest(tracked));
            let mut tids: Vec<u32> = of_interest.map(|(tid, _)| *tid).collect();
            tids.sort_unstable();
            for step in 0..tids.len().min(LOOKS) {
                let tid = tids[(self.turn + step) % tids.len()];
                if let Some(tracked) = self.threads.get_mut(&tid) {
                    look(tracked, tid, false, &mut self.pending);
                }
            }
            self.turn = (self.turn + LOOKS) % tids.len().max(1);
        }
    }

    /// Looks whether threads that are awake run Python or native code, where there is no lock that would tell.
    pub(super) fn look_at_states(&mut self) {
        for process in self.processes.values().filter(|process| process.dormant.is_some()) {
            let Some(runtime) = &process.runtime else { continue };
            let memory = Remote(process.pid);
            for (tid, states) in &process.states_by_thread {
                // It runs Python in one interpreter at a time.
                let attached = || states.iter().filter_map(|state| runtime.is_attached(&memory, *state)).max();
                if self.threads.get(tid).is_some_and(|tracked| tracked.asleep.is_none() && tracked.lane.is_some())
                    && let Some(attached) = attached()
                {
                    self.pending.push((Monotonic.now(), Item::Attached { tid: *tid, attached }));
                }
            }
        }
    }
}
