//! What the observer sees to beside its passes: lanes and their names, ends, and how the observing goes.

use std::process::ExitStatus;

use crate::clock::{Clock, Monotonic};
use crate::event::{LaneId, Nanos};
use crate::model::{LanePlan, Role};
use crate::record::{Accounts, AccountsEvidence};

use super::doing;
use super::ends;
use super::lock::{Lock, Mode};
use super::notice::{ENDED_SOMEHOW, Engine, LockStatus, Notice, Status, TOO_OFTEN};
use super::observed::{Process, Stage};
use super::process;
use super::tracked::Tracked;
use super::watch::{Item, Watcher};

/// More lanes than this are not kept: a program that makes a thread for each request goes on making them.
pub(super) const MOST_LANES: u32 = 4096;
/// How often it is said how the observing goes.
const STATUS: Nanos = Nanos::from_millis(250);

impl Watcher {
    /// A thread is Python's: it gets a lane.
    pub(super) fn make_lane(&mut self, tid: u32, at: Nanos) {
        if self.threads.get(&tid).is_none_or(|tracked| tracked.lane.is_some()) {
            return;
        }
        self.show_maker_of(tid);
        let parent = self.parent_of(tid);
        let Some(tracked) = self.threads.get_mut(&tid).filter(|tracked| tracked.lane.is_none()) else { return };
        let Some(process) = self.processes.get_mut(&tracked.pid) else { return };
        if self.lanes >= MOST_LANES {
            let again = std::mem::replace(&mut tracked.is_turned_away, true);
            self.lanes_not_shown += u64::from(!again);
            return;
        }
        let lane = LaneId(self.lanes);
        self.lanes += 1;
        tracked.read_sums(at);
        process.lanes += u32::from(tid != process.pid);
        if tracked.thread.since < self.upto {
            tracked.thread.begin_late(at.max(self.upto));
        }
        tracked.naming.number = process.lanes;
        tracked.naming.ask_kernel(process, tid);
        tracked.naming.lane = tracked.naming.lane_name(process, tid);
        tracked.lane = Some(lane);
        let plan = LanePlan {
            id: lane,
            name: tracked.naming.lane.clone(),
            role: Role::Worker,
            process: process.index.unwrap_or_default(),
            lock: process.lanes_lock,
            parent,
        };
        self.notices.push(Notice::Lane(plan));
        self.notices.push(Notice::Born { lane, pid: tracked.pid, tid });
        let sampled = |lock: &Lock| lock.is_gil() && lock.pid == tracked.pid && lock.mode != Mode::Exact;
        if self.locks.iter().any(sampled) || process.dormant.is_some() || !self.recorder.is_on() {
            self.notices.push(Notice::Sampled(lane));
        }
    }

    /// The lanes of a process are looked at from now on, not recorded.
    pub(super) fn mark_sampled(&mut self, pid: u32) {
        let lanes = self.threads.values().filter(|tracked| tracked.pid == pid).filter_map(|tracked| tracked.lane);
        self.notices.extend(lanes.map(Notice::Sampled));
    }

    /// Says what happened to each lane; those that have ended are let go.
    pub(super) fn flush(&mut self, upto: Nanos) {
        let notices = &mut self.notices;
        let mut ended = Vec::new();
        for (tid, tracked) in &mut self.threads {
            if let Some(lane) = tracked.lane {
                tracked.thread.tell(lane, &mut |event| notices.push(Notice::Event(event)));
            }
            // How the program ended its keeper or the kernel tells, who may be late.
            let awaits_word = *tid == self.root;
            let is_told = tracked.lane.is_some() || tracked.thread.since < upto;
            if tracked.thread.has_ended() && is_told && !awaits_word {
                // How a process ended is told of its first thread, and then of those that ended with it.
                ended.push((*tid == tracked.pid, *tid));
            }
        }
        ended.sort_unstable();
        for (_, tid) in ended {
            if let Some(how) = self.word_of_end(tid, upto) {
                self.let_go(tid, upto, how);
            }
        }
    }

    /// A thread has ended, and this is how: all that is known of it is told.
    pub(super) fn let_go(&mut self, tid: u32, now: Nanos, how: String) {
        let Some(mut tracked) = self.threads.remove(&tid) else { return };
        self.gone.add(&tracked, now);
        if let Some(lane) = tracked.lane {
            tracked.thread.decide(now);
            tracked.thread.tell(lane, &mut |event| self.notices.push(Notice::Event(event)));
            self.notices.extend(tracked.queued(now));
            self.notices.push(accounts(lane, &tracked, self.recorder.is_on(), now));
            self.notices.push(Notice::LaneEnded { lane, how });
        } else if !tracked.is_turned_away && self.is_only_looked_at(tracked.pid) {
            self.ended_unseen += 1;
        }
    }

    /// Whether a thread of this process may take the lock and end, and nothing tells.
    pub(super) fn is_only_looked_at(&self, pid: u32) -> bool {
        let is_python = self
            .processes
            .get(&pid)
            .is_some_and(|process| process.stage == Stage::Python || process.is_copy_of_python());
        let mut locks = self.gils().filter(|lock| lock.pid == pid).peekable();
        is_python && (locks.peek().is_none() || locks.any(|lock| lock.mode != Mode::Exact))
    }

    /// What is to be seen to now and then.
    pub(super) fn care(&mut self, now: Nanos) {
        self.look_for_births(now);
        self.care_for_processes(now);
        self.read_names(now);
        self.read_sums_of_the_young(now);
        // What came since may have been an end.
        self.locks.iter_mut().filter(|lock| lock.pid != 0).for_each(|lock| lock.span(self.told));
        let due = self.last_status.is_none_or(|(at, ..)| at + STATUS <= now);
        if due {
            self.find_the_ended(now);
            self.tell_of_missed_births(now);
            self.tell_of_missed_interpreters(now);
        }
        if due || std::mem::take(&mut self.is_news) {
            self.take_stock(now);
        }
    }

    /// Where records do not tell of an end, or may have been lost, it is found out by looking.
    pub(super) fn find_the_ended(&mut self, now: Nanos) {
        // Of one whose birth is not told yet no thread is followed so far.
        let is_told = |it: &&Process| it.since <= self.told && it.pid != self.root;
        let told = self.processes.values().filter(is_told).map(|it| it.pid);
        let gone: Vec<u32> = told.filter(|pid| process::threads(*pid).is_empty()).collect();
        for pid in gone {
            // Its last records may still be on their way: a process is forgotten once its threads have ended.
            if !self.threads.values().any(|tracked| tracked.pid == pid) {
                self.processes.remove(&pid);
                self.spent.close(pid);
                self.release(pid, now);
                self.by_word.retain(|(of, _), _| *of != pid);
            }
        }
        if !self.recorder.is_on() || self.ends_lost_at.take_if(|at| *at + STATUS <= now).is_some() {
            let gone = self.threads.iter().filter(|(tid, tracked)| !process::is_alive(tracked.pid, **tid));
            self.pending.extend(gone.map(|(tid, _)| (now, Item::Gone { tid: *tid })));
        }
    }

    /// How the observing goes.
    pub(super) fn take_stock(&mut self, now: Nanos) {
        let cpu = self.cpu_of_all(now);
        let native_cpu = self.native_cpu(now);
        let native_busy = self.native_busy(now, native_cpu);
        let hits: u64 = self.locks.iter().map(|lock| lock.hits).sum();
        let (since, hits_before, samples_before) = self.last_status.unwrap_or((self.began, 0, 0));
        let seconds = (now - since).as_secs_f64().max(1e-3);
        self.tell_of_many_births(now, seconds);
        self.last_status = Some((now, hits, self.samples));
        let is_over = self.spent.is_of_all();
        let locks: Vec<LockStatus> = self
            .locks
            .iter_mut()
            .map(|lock| LockStatus {
                lock: lock.id,
                kind: lock.kind,
                engine: if lock.mode == Mode::Exact { Engine::Exact } else { Engine::Sampled },
                exact_ns: lock.spans.0,
                exact_takes: lock.takes_exact,
                sampled_ns: lock.spans.1,
                looks: lock.looks,
                looks_held: lock.looks_held,
                exact_held_ns: lock.held_exact,
                held_lately: if is_over { lock.held_in_all() } else { lock.held_lately(now) },
                switch_number: lock.switches,
                handoffs_seen: lock.switches_seen,
                switch_interval_ns: Some(lock.interval()).filter(|interval| *interval > Nanos::ZERO),
                counted_ns: lock.counted_between.map_or(Nanos::ZERO, |(first, last)| last - first),
            })
            .collect();
        let live: Vec<_> = self.gils().filter(|lock| lock.pid != 0).collect();
        let no_lock_lives = live.is_empty();
        // At the end it is told of all there ever was.
        let considered = if live.is_empty() || is_over { self.gils().collect() } else { live };
        let exact = considered.iter().filter(|lock| lock.mode == Mode::Exact).count();
        let is_python = self.processes.values().any(|process| process.stage == Stage::Python);
        let is_foreign = self.processes.get(&self.root).is_some_and(|root| root.stage == Stage::Foreign);
        let engine = match (considered.len(), exact) {
            _ if is_foreign && no_lock_lives => Engine::CoresOnly,
            (0, _) if is_python => Engine::NoLock,
            (0, _) => Engine::CoresOnly,
            (all, exact) if all == exact => Engine::Exact,
            (_, 0) => Engine::Sampled,
            _ => Engine::Mixed,
        };
        let reason = considered.iter().find(|lock| lock.mode != Mode::Exact).map(|lock| match &lock.reason {
            Some(why) => why.clone(),
            None => TOO_OFTEN.to_owned(),
        });
        let reason = reason.or_else(|| self.blind.clone().filter(|_| considered.is_empty()));
        let elapsed = (now - self.began).as_secs_f64().max(1e-3);
        self.status = Status {
            began_at: self.began,
            engine,
            reason,
            switch_records_refused: self.refused.clone(),
            hits_per_second: (hits - hits_before) as f64 / seconds,
            hits,
            samples_per_second: (self.samples - samples_before) as f64 / seconds,
            guard_trips: self.locks.iter().map(|lock| lock.trips).sum(),
            missed: self.locks.iter().map(|lock| lock.missed).sum(),
            records_lost: self.recorder.lost,
            lanes_not_shown: self.lanes_not_shown,
            ended_unseen: self.ended_unseen,
            cores_busy: self.spent.lately(now, cpu),
            cpu_ns: cpu,
            native_cpu_ns: native_cpu,
            native_busy,
            allowance: self.allowed.look(self.root, now, is_over),
            own_cpu: (super::own_time() - self.own_before).as_secs_f64() / elapsed,
            first_event_ns: self.first_event.map(|at| at - self.began),
            locks,
            alarms: self.alarms.clone(),
            stopped: self.processes.values().filter(|it| it.halt.is_told()).map(|it| it.pid).collect(),
        };
        self.notices.push(Notice::Status(Box::new(self.status.clone())));
    }

    /// The observing is over, because the program ended (with this status, if we started it) or because we leave it.
    pub fn finish(&mut self, ended: Option<Option<ExitStatus>>) {
        if ended.is_none() {
            self.look_a_last_time();
            self.look_at_threads(Monotonic.now(), true);
        }
        let now = Monotonic.now();
        let records = self.recorder.is_on();
        let how = match &ended {
            Some(status) => status.map_or_else(|| ENDED_SOMEHOW.to_owned(), ends::in_words),
            None => ends::STILL_RUNNING.to_owned(),
        };
        self.tell_of_missed_births(now);
        self.tell_of_missed_interpreters(now);
        self.last_pass(now);
        self.threads.values_mut().for_each(|tracked| tracked.read_sums(now));
        self.spent.is_over(now - self.began);
        if ended.is_some() {
            // It waits for those that are about to end: what they do meanwhile is not told any more.
            self.tell_who_lives_on(now);
        }
        let mut left: Vec<(u32, Tracked)> = self.threads.drain().collect();
        left.sort_by_key(|(tid, _)| *tid);
        let root_ended = left.iter().find(|(tid, _)| *tid == self.root).and_then(|(_, it)| it.thread.ended_at());
        for (tid, mut tracked) in left {
            self.gone.add(&tracked, now);
            let Some(lane) = tracked.lane else { continue };
            let how = match ended.is_some() || tracked.thread.has_ended() {
                true => self.last_word(tid, tracked.pid, &how),
                false => how.clone(),
            };
            if ended.is_some() {
                tracked.thread.end(now);
                tracked.thread.tell(lane, &mut |event| self.notices.push(Notice::Event(event)));
            }
            self.notices.extend(tracked.queued(now));
            self.notices.push(accounts(lane, &tracked, records, now));
            self.notices.push(Notice::LaneEnded { lane, how });
        }
        if let Some(status) = ended.flatten() {
            self.ended_together(self.root, root_ended.unwrap_or(now), status);
        }
        self.locks.iter_mut().filter(|lock| lock.pid != 0).for_each(|lock| lock.span(now));
        self.last_status = None;
        self.take_stock(now);
        self.program.ended = ended.is_some();
        self.program.end = ended.is_some().then_some(how);
        self.program.exit_status = ended.flatten().map(super::exit_code);
        self.notices.push(Notice::Program(Box::new(self.program.clone())));
        self.notices.push(Notice::Ended(now));
    }
}

fn accounts(lane: LaneId, tracked: &Tracked, records: bool, now: Nanos) -> Notice {
    let (thread, sums) = (&tracked.thread, tracked.booked.sums());
    let is_whole = tracked.booked.is_of(thread.since, thread.ended_at().unwrap_or(now));
    let recorded = thread.on_cpu_until(now);
    let life = Nanos(thread.ended_at().unwrap_or(now).0.saturating_sub(thread.since.0));
    let booked = match records {
        true => tracked.booked.beyond_records(recorded, thread.switches.0 + thread.switches.1, life),
        false => sums.map(|(on_cpu, _)| on_cpu),
    };
    let accounts = Accounts {
        on_cpu: booked.or(records.then_some(recorded)),
        evidence: match booked {
            Some(_) => Some(AccountsEvidence::Schedstat),
            None => records.then_some(AccountsEvidence::SwitchRecords),
        },
        // The kernel books a wait for a core when it is over; and what it booked may be of the time before the lane.
        runqueue: sums
            .filter(|_| is_whole)
            .map(|(_, runqueue)| runqueue.max(thread.queued))
            .filter(|runqueue| *runqueue <= life),
        voluntary: records.then_some(thread.switches.0),
        involuntary: records.then_some(thread.switches.1),
    };
    let slept = thread.slept.iter().map(|(call, slept)| (doing::call_name(*call), *slept)).collect();
    let waited_for = thread.waited_for_until(now).into_iter().map(|(what, slept)| (what.to_string(), slept)).collect();
    Notice::Accounts { lane, accounts, slept, waited_for }
}
