//! What the observer looks at by itself, since nothing records it: who holds a lock, what a thread sleeps in, whether it
//! runs Python.

use crate::clock::{Clock, Monotonic};
use crate::event::{LockId, Nanos};

use super::doing::{self, Doing};
use super::layout::Layout;
use super::lock::Mode;
use super::memory::Remote;
use super::notice::Notice;
use super::thread::Reason;
use super::tracked::Tracked;
use super::watch::{Item, Watcher};

/// How often a lock that is watched is compared with the lock itself.
const COMPARED: Nanos = Nanos::from_millis(250);
/// How often it is compared once more before the observing ends.
const LAST_LOOKS: usize = 3;
/// How often it is looked where the holder of a lock is.
const PLACES: Nanos = Nanos::from_millis(20);
/// For how long a lock is watched on demand.
const MOMENT_OF_TRUTH: Nanos = Nanos::from_millis(100);
/// How often it is looked whether one who waits for a lock does so still, where it would be seen to take it.
const WAITING: Nanos = Nanos::from_millis(50);
/// How many threads are looked at in a pass where there are no records.
const LOOKS: usize = 16;

impl Watcher {
    pub(super) fn look_at_locks(&mut self, now: Nanos) {
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
            let seen = if lock.is_gil() { process.look(lock.address) } else { process.look_at_world() };
            let Some((state, holder)) = seen else { continue };
            let at = Monotonic.now();
            self.samples += 1;
            self.pending.push((at, Item::Lock { lock: index, from, state, holder }));
        }
    }

    /// Compares every lock with itself once more, so that CPython's own count is of the time up to the end. A look tells
    /// nothing if somebody wrote meanwhile, so there are some.
    pub(super) fn look_a_last_time(&mut self) {
        for _ in 0..LAST_LOOKS {
            self.locks.iter_mut().for_each(|lock| lock.look = true);
            self.look_at_locks(Monotonic.now());
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

    /// Looks where the holders of locks are.
    pub(super) fn look_at_places(&mut self, now: Nanos) {
        if !self.wants_places || self.places_at + PLACES > now {
            return;
        }
        self.places_at = now;
        let at = Monotonic.now();
        for lock in self.locks.iter().filter(|lock| lock.is_gil()) {
            let Some(process) = self.processes.get_mut(&lock.pid) else { continue };
            let Some((tid, place)) = process.place_of_holder(lock.address) else { continue };
            let tracked = lock.meant(tid).and_then(|tid| self.threads.get(&tid));
            if let Some(lane) = tracked.and_then(|tracked| tracked.lane) {
                self.notices.push(Notice::Place { at, lane, place });
            }
        }
    }

    /// Why a thread of this process sleeps in this call.
    pub(super) fn reason(&self, pid: u32, call: u32, argument: u64) -> Reason {
        if !doing::is_futex(call) {
            return Reason::Call(call);
        }
        let Some(layout): Option<&Layout> = self.processes.get(&pid).and_then(|process| process.layout()) else {
            // Where the interpreter's own locks are not known it may be one of them.
            return Reason::Call(call);
        };
        let wanted = self.gils().filter(|lock| lock.pid == pid).find(|lock| {
            layout.lock.is_waited_on(lock.address, argument) || layout.lock.is_forced(lock.address, argument)
        });
        wanted.map_or(Reason::OwnLock, |lock| Reason::WantsLock(lock.id))
    }

    /// Looks at what those sleep in that have fallen asleep since they were last looked at; without records, at
    /// everybody, a few at a time.
    pub(super) fn look_at_threads(&mut self, now: Nanos) {
        let (processes, records) = (&self.processes, self.recorder.is_on());
        let look = |tracked: &mut Tracked, tid: u32, first: bool, pending: &mut Vec<(Nanos, Item)>| {
            let doing = tracked.doings.read();
            let at = Monotonic.now();
            // Who is on the way to its sleep runs still, and is looked at again.
            tracked.looked(at, !records || doing != Doing::Running);
            if !records {
                tracked.booked.read_often(at);
            }
            let parked = match doing {
                // Read at once: it lies on the sleeper's stack.
                Doing::In { call, argument } if doing::is_futex(call) && tracked.lane.is_some() => {
                    processes.get(&tracked.pid).and_then(|process| process.parked(argument))
                }
                _ => None,
            };
            // Of one who has woken up meanwhile and sleeps again it would be another's.
            let parked = parked.filter(|_| tracked.doings.read() == doing);
            pending.push((at, Item::Doing { tid, doing, parked, first }));
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
                if tracked.asleep.is_some_and(|since| since >= tracked.looked_at) && tracked.looked_at + pause <= now {
                    look(tracked, *tid, first, &mut self.pending);
                }
            }
        } else if !self.threads.is_empty() {
            let mut tids: Vec<u32> = self.threads.keys().copied().collect();
            tids.sort_unstable();
            for step in 0..tids.len().min(LOOKS) {
                let tid = tids[(self.turn + step) % tids.len()];
                if let Some(tracked) = self.threads.get_mut(&tid) {
                    look(tracked, tid, false, &mut self.pending);
                }
            }
            self.turn = (self.turn + LOOKS) % tids.len();
        }
    }

    /// Looks whether threads that are awake run Python or native code, where there is no lock that would tell.
    pub(super) fn look_at_states(&mut self) {
        for process in self.processes.values().filter(|process| process.dormant.is_some()) {
            let Some(runtime) = &process.runtime else { continue };
            let memory = Remote(process.pid);
            for (tid, state) in &process.states_by_thread {
                if self.threads.get(tid).is_some_and(|tracked| tracked.asleep.is_none() && tracked.lane.is_some())
                    && let Some(attached) = runtime.is_attached(&memory, *state)
                {
                    self.pending.push((Monotonic.now(), Item::Attached { tid: *tid, attached }));
                }
            }
        }
    }
}
