//! What was recorded and looked at, told in the order of time to the machines of locks and threads.

use crate::event::{Detail, LockId, Nanos};
use crate::perf::{Record, What};

use super::doing::Doing;
use super::lock::{Change, Lock, Mode, QUIET_HELD};
use super::notice::Notice;
use super::parking::{Parked, Wanted};
use super::process;
use super::thread::{Awake, Came, Reason};
use super::tracked::Tracked;
use super::watch::{Item, Watcher};

/// What told that a lock has changed hands.
#[derive(Clone, Copy)]
enum Witness {
    Record,
    Look,
}

impl Watcher {
    /// Tells the machines all that is older than the horizon.
    pub(super) fn tell(&mut self, horizon: Nanos) {
        if horizon < Nanos::MAX {
            self.told = self.told.max(horizon);
        }
        self.pending.sort_by_key(|(at, _)| *at);
        let due = self.pending.partition_point(|(at, _)| *at <= horizon);
        let rest = self.pending.split_off(due);
        for (at, item) in std::mem::replace(&mut self.pending, rest) {
            match item {
                Item::Record(record) => self.tell_record(record),
                Item::Lock { lock, came, from, state, holder } => {
                    let holder = self.may_be_holder(lock, holder);
                    let was_settled = self.locks[lock].settled;
                    let mut changes = Vec::new();
                    match state.locked && self.is_amid_take(lock, from, at) {
                        true => self.locks[lock].look = true,
                        false => self.locks[lock].looked(from, state, holder, &mut |change| changes.push(change)),
                    }
                    let is_as_before = changes.is_empty();
                    changes.into_iter().for_each(|change| self.change(lock, at, change, Witness::Look));
                    self.say_whether_known(lock, at);
                    if !self.locks[lock].is_gil() {
                        continue;
                    }
                    self.tell_what_is_known(self.locks[lock].pid, at);
                    self.tell_who_runs_without(lock, at, is_as_before);
                    if self.locks[lock].settled && !was_settled {
                        self.reveal(self.locks[lock].pid, at);
                    }
                    self.meet_those_awake(lock, at, came);
                }
                Item::Place { lock, tid, place } => {
                    // Of one that has ended meanwhile the number tells nothing, but who held the lock is recorded.
                    let lock = &self.locks[lock];
                    let tid = tid.map_or_else(|| lock.recorded_holder(), |tid| lock.meant(tid));
                    if let Some(lane) = tid.and_then(|tid| self.threads.get(&tid)).and_then(|tracked| tracked.lane) {
                        self.notices.push(Notice::Place { at, lane, place, counts: 1.0 });
                    }
                }
                Item::Boots { pid, phase } => self.boots(pid, at, phase),
                Item::Halt { pid, by } => self.tell_halt(pid, at, by),
                Item::HasNoLock { pid } => self.reveal(pid, at),
                Item::Gone { tid } => self.end_thread(tid, at),
                Item::Attached { tid, attached } => {
                    if let Some(tracked) = self.threads.get_mut(&tid) {
                        let awake = if attached { Awake::Running } else { Awake::Native };
                        if attached {
                            tracked.thread.is_attached();
                        }
                        tracked.thread.seen(at.max(tracked.thread.since), awake);
                    }
                }
                Item::Doing { tid, doing, parked, first, apart } => {
                    self.tell_doing(tid, at, doing, parked, first);
                    if let Some(tracked) = self.threads.get_mut(&tid) {
                        tracked.thread.met(at, apart);
                    }
                }
            }
        }
    }

    /// Says whether it is known who holds a lock, if that is news.
    pub(super) fn say_whether_known(&mut self, lock: usize, at: Nanos) {
        let (lock, id) = (&mut self.locks[lock], Watcher::lock_id(lock));
        self.notices.extend(lock.says_known().map(|known| Notice::LockKnown { lock: id, at, known }));
    }

    /// Whether who wrote last to a lock may not have had the time yet to write its name there, too, when it was looked at
    /// `from` then on, of which is told at `at`.
    fn is_amid_take(&self, lock: usize, from: Nanos, at: Nanos) -> bool {
        let writer = self.locks[lock].last_writer().and_then(|tid| self.threads.get(&tid));
        writer.is_some_and(|it| it.thread.is_amid_write(at, QUIET_HELD + Nanos(at.0.saturating_sub(from.0))))
    }

    /// Who holds a lock by a look that named this thread, if the thread state it has read may be another thread's: it, if nothing
    /// speaks against it; else the only one of whom nothing does.
    fn may_be_holder(&self, lock: usize, named: Option<u32>) -> Option<u32> {
        let lock = &self.locks[lock];
        if !lock.holder_is_vague {
            return named;
        }
        if !self.recorder.is_on() {
            return None;
        }
        let may = |tracked: &Tracked| {
            let is_seen = tracked.asleep.is_none() || tracked.looked_at > Nanos::ZERO;
            let is_of_it = tracked.pid == lock.pid && tracked.lane.is_some() && is_seen;
            is_of_it && tracked.thread.may_hold(lock.id)
        };
        if named.and_then(|tid| self.threads.get(&tid)).is_some_and(may) {
            return named;
        }
        let mut candidates = self.threads.iter().filter(|(_, tracked)| may(tracked)).map(|(tid, _)| *tid);
        candidates.next().filter(|_| candidates.next().is_none())
    }

    /// While a lock is held by a thread that cannot be named, nothing is known of those that hold none: each may be the one.
    /// And while one is only looked at, each may be it until the next look.
    fn tell_what_is_known(&mut self, pid: u32, at: Nanos) {
        let its = || self.gils().filter(|lock| lock.pid == pid);
        let unknown = its().any(|lock| !lock.is_known());
        let interval = its().find(|lock| lock.mode != Mode::Exact).map(Lock::interval);
        let Some(process) = self.processes.get_mut(&pid) else { return };
        if (process.holder_unknown, process.looked_at_only) == (unknown, interval) {
            return;
        }
        (process.holder_unknown, process.looked_at_only) = (unknown, interval);
        let awake = process.awake();
        let mut its = Vec::new();
        for (tid, tracked) in self.threads.iter_mut().filter(|(_, tracked)| tracked.pid == pid) {
            tracked.thread.seen(at.max(tracked.thread.since), awake);
            its.push(*tid);
        }
        its.into_iter().for_each(|tid| self.note_awake(tid));
    }

    /// Who is awake and has not got the lock, as a look tells, runs native code. Where no record tells that he is awake still, it
    /// counts only if the lock has not changed hands since he was met awake.
    fn tell_who_runs_without(&mut self, lock: usize, at: Nanos, is_as_before: bool) {
        let pid = self.locks[lock].pid;
        let is_last = !self.locks.iter().skip(lock + 1).any(|other| other.is_gil() && other.pid == pid);
        if !is_last || self.woken.is_empty() {
            return;
        }
        let records = self.recorder.is_on();
        let tells = self.locks[lock].settled && (records || is_as_before);
        let threads = &mut self.threads;
        self.woken.retain(|tid| {
            let Some(tracked) = threads.get_mut(tid) else { return false };
            match tracked.pid == pid && tells {
                true if records => tracked.thread.seen_without(at),
                true => tracked.seen_without(at),
                false => {}
            }
            tracked.pid != pid || tracked.thread.is_in_doubt()
        });
    }

    /// Whoever was awake as its lock was looked at, which is only looked at, was met so.
    fn meet_those_awake(&mut self, lock: usize, at: Nanos, came: Came) {
        let lock = &mut self.locks[lock];
        let (pid, id) = (lock.pid, lock.id);
        let before = std::mem::replace(&mut lock.met_at, (lock.mode != Mode::Exact).then_some(at));
        let Some(apart) = before.filter(|_| lock.mode != Mode::Exact && self.recorder.is_on()).map(|it| at - it) else {
            return;
        };
        let lanes_lock = self.processes.get(&pid).and_then(|process| process.lanes_lock);
        let its = |tracked: &&mut Tracked| {
            tracked.pid == pid && tracked.lane.is_some() && tracked.needs.or(lanes_lock) == Some(id)
        };
        self.threads.values_mut().filter(its).for_each(|tracked| tracked.thread.met_awake(at, apart, came));
    }

    /// Nobody knows what this thread, which is awake, does before its lock is looked at, if that is all that tells of it.
    fn note_awake(&mut self, tid: u32) {
        let tracked = self.threads.get(&tid).filter(|it| matches!(it.thread.awake, Awake::Undecided { .. }));
        if tracked.is_some_and(|it| it.thread.holds().is_none()) && !self.woken.contains(&tid) {
            self.woken.push(tid);
        }
    }

    fn tell_record(&mut self, Record { at, pid, tid, core, what }: Record) {
        match what {
            What::Wrote { address } => {
                let known = self.by_word.get(&(pid, address)).copied().filter(|lock| self.locks[*lock].settled);
                let known = known.or_else(|| self.lock_of_copy(pid, tid, address, at));
                if let Some(lock) = known.or_else(|| self.by_word.get(&(pid, address)).copied()) {
                    self.first_event.get_or_insert(at);
                    if let Some(tracked) = self.threads.get_mut(&tid) {
                        tracked.thread.writes(at);
                    }
                    let mut changes = Vec::new();
                    self.locks[lock].hit(at, tid, &mut |change| changes.push(change));
                    changes.into_iter().for_each(|change| self.change(lock, at, change, Witness::Record));
                }
            }
            What::Born { maker, parent } => {
                if pid == tid {
                    // Unless it was met at once: its maker's birth may have been read after it.
                    self.process_born(pid, parent, at);
                    self.note_born_with(pid, maker);
                }
                if self.processes.contains_key(&pid) {
                    self.track(pid, tid, at, true);
                    self.made_by(tid, maker);
                }
            }
            What::Ended => self.end_thread(tid, at),
            What::Renamed { name } => self.thread_renamed(tid, &name),
            What::Exec { name } => {
                self.only_one_is_left(pid, at);
                // Records of two cores are not collected in the order of time: its birth may have been seen after this.
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.is_copy = false;
                    process.comm = name;
                }
                self.call_process(pid);
                self.boots(pid, at, Detail::Exec);
            }
            What::In | What::Out { .. } => {
                let Some(tracked) = self.threads.get_mut(&tid) else { return };
                // Who has ended is still cleared away on a core, for a moment.
                if at < tracked.thread.since || tracked.thread.has_ended() {
                    return;
                }
                self.first_event.get_or_insert(at);
                match what {
                    What::Out { preempted } => {
                        tracked.thread.switch_out(at, core, preempted);
                        // Whoever waits asks for the lock; if it is not known yet that he does, it is that of his lane.
                        let lanes = || self.processes.get(&pid).and_then(|process| process.lanes_lock);
                        let lock = tracked.thread.wants().or(tracked.needs).or_else(lanes);
                        let lock = lock.and_then(|lock| self.locks.get_mut(lock.index()));
                        if let Some(lock) = lock
                            && let Some((since, woke)) = tracked.thread.retries(lock.interval())
                        {
                            lock.asked(since, woke);
                        }
                    }
                    _ => {
                        let dropped = tracked.thread.sleeps_after().and_then(|lock| self.locks.get(lock.index()));
                        if let Some(past) = dropped.and_then(Lock::past) {
                            tracked.thread.waits_if_asked(at, past);
                        }
                        // Who was seen to hold a lock that is only looked at, and slept since, has dropped it before.
                        let held = tracked.thread.holds().and_then(|held| self.locks.get_mut(held.index()));
                        if let Some(lock) = held.filter(|lock| lock.mode != Mode::Exact)
                            && tracked.thread.is_known_by_looks()
                            && tracked.thread.unresolved().is_some()
                        {
                            lock.abandon(at, tid);
                            tracked.thread.drop_before_sleep();
                        }
                        tracked.thread.switch_in(at, core);
                        self.note_awake(tid);
                    }
                }
            }
        }
    }

    fn boots(&mut self, pid: u32, at: Nanos, phase: Detail) {
        if let Some(tracked) = self.threads.get_mut(&pid).filter(|tracked| at >= tracked.thread.since) {
            tracked.thread.boot(at, phase);
        }
    }

    fn change(&mut self, lock: usize, at: Nanos, change: Change, by: Witness) {
        let (id, is_gil) = (self.locks[lock].id, self.locks[lock].is_gil());
        let is_watched = self.locks[lock].mode == Mode::Exact;
        match change {
            Change::Dropped(tid) if !is_gil => {
                if let Some(tracked) = self.threads.get_mut(&tid) {
                    tracked.thread.start_world(at, id);
                }
            }
            Change::Dropped(tid) => {
                let records = self.recorder.is_on();
                if let Some(tracked) = self.threads.get_mut(&tid).filter(|it| it.thread.holds() == Some(id)) {
                    match records {
                        true => tracked.thread.drop_lock(at),
                        false => tracked.thread.drop_unseen(at),
                    }
                    self.note_awake(tid);
                }
            }
            Change::Taken(tid) => {
                let pid = self.locks[lock].pid;
                if !self.threads.contains_key(&tid) {
                    // Its end may have been told: a name that was read then may be that of one who is no more.
                    if !process::is_alive(pid, tid) {
                        return;
                    }
                    self.track(pid, tid, at, false);
                }
                self.make_lane(tid, at);
                let Some(tracked) = self.threads.get_mut(&tid).filter(|it| !it.thread.has_ended()) else { return };
                if !is_gil {
                    return tracked.thread.stop_world(at, id);
                }
                if tracked.thread.holds().is_some() {
                    tracked.thread.drop_lock(at);
                }
                if let Some(past) = self.locks[lock].past() {
                    tracked.thread.takes_after(at, tid, past);
                }
                match by {
                    Witness::Look if is_watched => tracked.thread.found_holding(at, id),
                    _ => tracked.thread.take(at, id),
                }
                // Who enters a subinterpreter needs its lock from then on; the first thread is at home in the main one.
                let lanes_lock = self.processes.get(&pid).and_then(|process| process.lanes_lock);
                if let Some(lane) =
                    tracked.lane.filter(|_| tid != pid && lanes_lock != Some(id) && tracked.needs != Some(id))
                {
                    tracked.needs = Some(id);
                    self.notices.push(Notice::Needs { lane, lock: id });
                }
            }
            Change::Unseen(more) => self.notices.push(Notice::HandOffs { lock: self.locks[lock].id, at, more }),
            Change::TooOften => {
                if let Some(watchpoints) = self.watchpoints[lock].clone() {
                    match watchpoints.is_of_tree() {
                        true => self.part(watchpoints),
                        false => watchpoints.enable(false),
                    }
                }
                if is_gil {
                    self.mark_sampled(self.locks[lock].pid);
                }
            }
        }
    }

    fn tell_doing(&mut self, tid: u32, at: Nanos, doing: Doing, parked: Option<Parked>, first: bool) {
        let records = self.recorder.is_on();
        let Some(pid) = self.threads.get(&tid).map(|tracked| tracked.pid) else { return };
        if doing == Doing::Ended {
            // Where records tell of its end they say when.
            if !records {
                self.end_thread(tid, at);
            }
            return;
        }
        let what = parked
            .as_ref()
            .map(|parked| Wanted { words: self.words_for(pid, parked).into(), is_lock: parked.is_lock() });
        let reason = match doing {
            Doing::Running => None,
            Doing::In { .. } if parked.is_some_and(|parked| parked.is_of_world()) => Some(Reason::World),
            Doing::In { call, argument } => Some(self.reason(pid, call, argument)),
            Doing::Elsewhere | Doing::Hidden | Doing::Ended => Some(Reason::Unknown),
        };
        let Some(tracked) = self.threads.get_mut(&tid) else { return };
        if reason.is_some() || tracked.thread.holds().is_some() {
            tracked.booked.met_otherwise();
        }
        match reason {
            Some(Reason::WantsLock(lock)) if tracked.thread.holds() == Some(lock) && !records => {}
            Some(reason) if first || !records => tracked.thread.found_asleep(at, reason),
            Some(reason) => {
                let held = tracked.thread.holds().and_then(|held| self.locks.get_mut(held.index()));
                if let Some(lock) = held.filter(|lock| lock.mode != Mode::Exact && reason != Reason::Unknown) {
                    // It was seen to hold the lock at the last look, and has dropped it since: else it would not sleep.
                    lock.abandon(at, tid);
                    tracked.thread.drop_before_sleep();
                }
                let wanted = |wanted: LockId| self.locks.get(wanted.index()).and_then(Lock::past);
                if let Reason::WantsLock(lock) = reason
                    && let Some(past) = wanted(lock)
                {
                    tracked.thread.waits_after(tid, past);
                }
                tracked.thread.explain(at, reason);
            }
            None if records => tracked.thread.found_runnable(at),
            // Also who has kept the lock while he slept.
            None => tracked.thread.found_awake(at),
        }
        let is_awake = reason.is_none() && !records;
        if let Some(what) = what
            && tracked.thread.waits_for(at, &what.words)
            && let Some(lane) = tracked.lane
        {
            self.notices.push(Notice::WaitsFor { at, lane, what });
        }
        if is_awake {
            self.note_awake(tid);
        }
    }

    /// What somebody of this process waits for who is parked.
    fn words_for(&mut self, pid: u32, parked: &Parked) -> String {
        let threads = &self.threads;
        let process = self.processes.get_mut(&pid);
        parked.words(|native| {
            let tid = process?.outside(native)?;
            threads.get(&tid).map(|tracked| tracked.naming.lane.clone()).filter(|name| !name.is_empty())
        })
    }

    /// From here on it is known of the threads of a process what they are while awake.
    pub(super) fn reveal(&mut self, pid: u32, at: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        process.is_followed = true;
        let awake = process.awake();
        for tracked in self.threads.values_mut().filter(|tracked| tracked.pid == pid) {
            tracked.thread.reveal(at.max(tracked.thread.since), awake);
        }
    }

    pub(super) fn end_thread(&mut self, tid: u32, at: Nanos) {
        if self.show_unseen_copy(tid) {
            self.tell_unseen_copy(tid);
        } else if self.show_unseen_program(tid)
            && let Some(tracked) = self.threads.get_mut(&tid)
        {
            tracked.thread.was_never_seen();
        }
        let Some(tracked) = self.threads.get_mut(&tid) else { return };
        tracked.thread.end(at);
        let pid = tracked.pid;
        self.locks.iter_mut().for_each(|lock| lock.abandon(at, tid));
        if let Some(process) = self.processes.get_mut(&pid) {
            process.forget(tid);
        }
        if !self.threads.values().any(|tracked| tracked.pid == pid && !tracked.thread.has_ended()) {
            // The last of its process.
            for lock in self.locks.iter_mut().filter(|lock| lock.pid == pid) {
                lock.end(at);
                self.notices.push(Notice::LockGone { lock: lock.id, at });
            }
        }
    }
}
