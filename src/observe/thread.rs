//! One thread of the observed: from what is learnt of it to what its lane is.
//!
//! # The problem
//! Three witnesses speak of a thread: the lock (it took it, it dropped it),
//! the kernel's records (it came onto a core, it left it), and, once a sleep,
//! the kernel's word on what it sleeps in, which comes some milliseconds after
//! the sleep began. None of them says what the thread *does*.
//!
//! # The choice
//! All they say is put in the order of time and told to this machine:
//! - Who holds the lock runs Python, on a core or not: what a preempted lane
//!   shows is the log's affair.
//! - A sleep has one reason, known when somebody looked while it lasted; the
//!   state is then written back to the sleep's beginning. If nobody looked in
//!   time the reason is unknown, and the records say all the same that it was
//!   off core: it is [`State::Sleeping`], save for one who is known to wait for
//!   the lock: he waits until he has it, whatever wakes him in between.
//! - Awake without the lock it runs native code.
//!
//! Nothing is guessed: the reason of the sleep before, at the same place in the
//! program, may not be that of a short one after it.

mod beginning;
mod doubt;
mod hindsight;
mod request;
mod sleep;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, LockId, Nanos, State};

use doubt::Doubt;
pub use hindsight::Past;
use hindsight::{AT_ONCE, Unseen};
use request::Had;
use sleep::Sleep;
pub use sleep::{Came, DISPLACED, Reason, Slept};

/// What a thread is while it is awake and holds no lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awake {
    /// It runs native code: there is a lock, and it does not hold it.
    Native,
    /// It runs: there is no lock (free-threaded builds).
    Running,
    /// One of these: its lock is only looked at, and nothing tells before the next look.
    Undecided {
        /// For how long one who waits for the lock sleeps at a time.
        interval: Nanos,
    },
    /// Whether it holds a lock is not known.
    Unknown,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Thread {
    /// When it was born or first seen.
    pub since: Nanos,
    /// What it is while awake.
    pub awake: Awake,
    holds: Option<LockId>,
    /// When it took that, and what it had last.
    took: Nanos,
    had: Option<Had>,
    /// Whether it was born and has taken no lock yet.
    is_new: bool,
    /// Whether anybody has told if it is awake: of one that was there before us that is not known at first.
    is_met: bool,
    /// The world that it has stopped.
    stops: Option<LockId>,
    wants: Option<LockId>,
    sleep: Option<Sleep>,
    /// Its last sleep that is over: from when until when.
    slept_last: Option<(Nanos, Nanos)>,
    /// Its sleeps since it dropped its lock, and those that are over and unexplained.
    sleeps: u32,
    unseen: Vec<Unseen>,
    /// Since when it may not wait any more.
    doubt: Option<Doubt>,
    /// The longest of its sleeps of late that have no known reason, and are over.
    pub unexplained: Option<(Nanos, Nanos)>,
    state: State,
    detail: Detail,
    /// Whether its program is being loaded or its interpreter set up: it is that, whatever it sleeps in meanwhile.
    boots: bool,
    on_core: Option<Nanos>,
    /// When it left its core last although it could have gone on, and which.
    preempted: Option<(Nanos, CoreId)>,
    /// How long it was on cores.
    pub on_cpu: Nanos,
    /// How long it had been when it wrote last to a lock.
    on_cpu_at_write: Nanos,
    /// How often it left its core by itself, and although it could have gone on.
    pub switches: (u64, u64),
    /// How long it was ready to go on and had no core, as far as records tell: since it was born, or lost its core.
    pub queued: Nanos,
    /// What it slept in.
    pub slept: BTreeMap<u32, Slept>,
    /// What it waited for in locks of the program's own, in words.
    waited_for: BTreeMap<Arc<str>, Slept>,
    ended: Option<Nanos>,
    out: Vec<Event>,
}

impl Thread {
    /// One that is born now, or one that was there before and of which nothing is known yet.
    pub fn new(at: Nanos, born: bool, awake: Awake) -> Thread {
        let mut thread = Thread {
            since: at,
            awake,
            holds: None,
            took: at,
            had: None,
            is_new: born,
            is_met: born,
            stops: None,
            wants: None,
            sleep: None,
            slept_last: None,
            sleeps: 0,
            unseen: Vec::new(),
            doubt: None,
            unexplained: None,
            state: State::Unborn,
            detail: Detail::None,
            boots: false,
            on_core: None,
            preempted: None,
            on_cpu: Nanos::ZERO,
            on_cpu_at_write: Nanos::ZERO,
            switches: (0, 0),
            queued: Nanos::ZERO,
            slept: BTreeMap::new(),
            waited_for: BTreeMap::new(),
            ended: None,
            out: Vec::new(),
        };
        match born {
            true => thread.enter(at, State::Starting, Detail::Fork),
            false => thread.enter(at, State::Unknown, Detail::None),
        }
        thread
    }

    fn push(&mut self, at: Nanos, core: CoreId, kind: EventKind) {
        // Whoever has ended does nothing any more, whatever a late look makes of him.
        if self.ended.is_none() {
            self.out.push(Event { at, lane: LaneId(0), core, line: Line::NONE, kind });
        }
    }

    fn enter(&mut self, at: Nanos, to: State, detail: Detail) {
        if (self.state, self.detail) != (to, detail) {
            (self.state, self.detail) = (to, detail);
            self.push(at, CoreId::UNKNOWN, EventKind::State { to, detail });
        }
    }

    /// The lock it holds.
    pub fn holds(&self) -> Option<LockId> {
        self.holds
    }

    /// The lock it is known to wait for: it does until it has it, however often it wakes up in between.
    pub fn wants(&self) -> Option<LockId> {
        self.wants
    }

    /// Whether it may hold this lock, awake: it holds no other, and does not sleep.
    pub fn may_hold(&self, lock: LockId) -> bool {
        self.holds.is_none_or(|held| held == lock) && self.sleep.is_none() && !self.has_ended()
    }

    /// Whether it is known to wait for a lock.
    pub fn is_waiting(&self) -> bool {
        self.wants.is_some()
    }

    /// How long it was on cores until `at`.
    pub fn on_cpu_until(&self, at: Nanos) -> Nanos {
        self.on_cpu + self.on_core.map_or(Nanos::ZERO, |since| at - since)
    }

    /// It writes to a lock.
    pub fn writes(&mut self, at: Nanos) {
        self.on_cpu_at_write = self.on_cpu_until(at);
    }

    /// Whether it may be about to do what it does next, for `moment` of its own time, after the last such write. The record
    /// of a write is where it may lose its core, even for long if its program has used up its CPU limit.
    pub fn is_amid_write(&self, at: Nanos, moment: Nanos) -> bool {
        let since = self.on_cpu_until(at).0.saturating_sub(self.on_cpu_at_write.0);
        // Of one that was there before us nothing is known of its cores until it has lost one.
        let is_known = self.on_core.is_some() || self.preempted.is_some();
        is_known && self.sleep.is_none() && !self.has_ended() && since < moment.0
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// When it ended, if it has.
    pub fn ended_at(&self) -> Option<Nanos> {
        self.ended
    }

    /// It took a lock.
    pub fn take(&mut self, at: Nanos, lock: LockId) {
        self.doubt_taking(at);
        self.close_sleep(at);
        self.holds_from(at, lock, State::Running);
    }

    /// A look tells that it holds a lock, which each write to is recorded of from now on. Who sleeps, as is recorded, sleeps with it.
    pub fn found_holding(&mut self, at: Nanos, lock: LockId) {
        let sleeps = self.sleep.as_ref().is_some_and(|sleep| sleep.recorded && sleep.since < at);
        if !sleeps || self.boots || self.state == State::WaitingGil {
            return self.take(at, lock);
        }
        // What it sleeps in was not seen before it was known that it does.
        self.explain(at, Reason::Unknown);
        self.holds_from(at, lock, self.state);
    }

    fn holds_from(&mut self, at: Nanos, lock: LockId, to: State) {
        self.give_up();
        self.sleeps = 0;
        (self.holds, self.wants, self.boots) = (Some(lock), None, false);
        (self.took, self.had, self.is_new, self.is_met) = (at, None, false, true);
        (self.state, self.detail) = (to, Detail::None);
        self.push(at, CoreId::UNKNOWN, EventKind::Take { lock, to });
    }

    /// It dropped the lock it holds.
    pub fn drop_lock(&mut self, at: Nanos) {
        if self.unresolved().is_some() {
            // One who sleeps drops nothing: he did so before, and was not seen to.
            return self.drop_before_sleep();
        }
        let Some(lock) = self.holds.take() else { return };
        self.had(lock, at);
        self.sleeps = 0;
        let (to, detail) = match &self.sleep {
            Some(_) => (self.state, self.detail),
            None => (self.awake_state(), Detail::None),
        };
        (self.state, self.detail) = (to, detail);
        self.push(at, CoreId::UNKNOWN, EventKind::Drop { lock, to, detail, requested: false });
    }

    /// It was seen not to hold its lock any more, and nothing tells what it does since.
    pub fn drop_unseen(&mut self, at: Nanos) {
        let Some(lock) = self.holds.take() else { return };
        (self.sleep, self.state, self.detail) = (None, State::Unknown, Detail::None);
        let kind = EventKind::Drop { lock, to: State::Unknown, detail: Detail::None, requested: false };
        self.push(at, CoreId::UNKNOWN, kind);
    }

    /// It sleeps, and turns out to have dropped its lock before.
    pub fn drop_before_sleep(&mut self) {
        if let (Some(lock), Some(since)) = (self.holds, self.unresolved()) {
            self.holds = None;
            (self.state, self.detail) = (State::Unknown, Detail::None);
            let kind = EventKind::Drop { lock, to: State::Unknown, detail: Detail::None, requested: false };
            self.push(since, CoreId::UNKNOWN, kind);
        }
    }

    /// It came onto a core.
    pub fn switch_in(&mut self, at: Nanos, core: CoreId) {
        if self.on_core.is_none() && self.sleep.is_none() {
            let is_first = self.is_new && self.switches == (0, 0);
            let lost = self.preempted.map(|(since, _)| since);
            let ready = lost.or(is_first.then_some(self.since)).unwrap_or(at);
            self.queued += Nanos(at.0.saturating_sub(ready.0));
        }
        (self.on_core, self.is_met) = (Some(at), true);
        let slept = self.sleep.as_ref().map(|sleep| sleep.since);
        self.slept_last = slept.map(|since| (since, at)).or(self.slept_last);
        let may_have_waited = self.holds.is_none() && !self.is_waiting() && !self.boots;
        let unseen = self.sleep.as_ref().filter(|it| it.reason.is_none() && may_have_waited);
        let unseen = unseen.map(|sleep| (sleep.since, sleep.follows, sleep.runnable));
        // Of a new process it is not known what it does before it was looked at.
        let is_first = self.awake == Awake::Unknown && (self.state, self.detail) == (State::Starting, Detail::Fork);
        let is_unmet = self.sleep.as_ref().is_some_and(|sleep| sleep.reason.is_none() && self.is_told_by_looks(sleep));
        self.close_sleep(at);
        if slept.is_some() && !unseen.is_some_and(|(_, follows, _)| follows) {
            self.give_up();
        }
        match unseen {
            Some((since, true, _)) => self.went_unseen(since, at),
            Some((since, false, false)) => self.stays_unexplained(since, at),
            _ => {}
        }
        if is_unmet && self.state == State::Sleeping {
            self.push(at, CoreId::UNKNOWN, EventKind::Unmet);
        }
        self.push(at, core, EventKind::SwitchIn);
        // A thread that was only preempted goes on with what it did; one that is new is starting until it has slept.
        let is_doubted = slept.is_some_and(|since| self.doubt_waking(at, since));
        if (slept.is_some() || is_first) && !is_doubted {
            self.wake(at);
        }
    }

    /// It left its core.
    pub fn switch_out(&mut self, at: Nanos, core: CoreId, preempted: bool) {
        let since = self.on_core.take();
        self.is_met = true;
        self.preempted = preempted.then_some((at, core));
        self.on_cpu += since.map_or(Nanos::ZERO, |since| at - since);
        self.push(at, core, EventKind::SwitchOut { preempted });
        if preempted {
            self.switches.1 += 1;
        } else {
            self.switches.0 += 1;
            self.doubt_leaving(at);
            self.close_sleep(at);
            let is_at_once = since.is_some_and(|since| at - since <= AT_ONCE);
            let follows = is_at_once && (self.sleeps > 0 || self.is_new);
            self.sleeps += 1;
            if !is_at_once {
                self.give_up();
            }
            self.sleep = Some(Sleep { since: at, recorded: true, follows, runnable: false, reason: None, what: None });
        }
    }

    /// It has stopped the world: all others stand still.
    pub fn stop_world(&mut self, at: Nanos, world: LockId) {
        if self.has_ended() || self.stops == Some(world) {
            return;
        }
        self.close_sleep(at);
        (self.stops, self.is_met) = (Some(world), true);
        // Who sets up an interpreter does so still.
        let (to, detail) = if self.boots { (self.state, self.detail) } else { (State::Running, Detail::None) };
        (self.state, self.detail) = (to, detail);
        self.push(at, CoreId::UNKNOWN, EventKind::Take { lock: world, to });
    }

    /// It lets the others go on.
    pub fn start_world(&mut self, at: Nanos, world: LockId) {
        if self.stops.take_if(|stopped| *stopped == world).is_some() {
            let (to, detail) = (self.state, self.detail);
            self.push(at, CoreId::UNKNOWN, EventKind::Drop { lock: world, to, detail, requested: false });
        }
    }

    fn awake_state(&self) -> State {
        match self.awake {
            _ if self.holds.is_some() => State::Running,
            _ if self.wants.is_some() => State::WaitingGil,
            Awake::Native => State::Native,
            Awake::Running => State::Running,
            Awake::Undecided { .. } | Awake::Unknown => State::Unknown,
        }
    }

    fn wake(&mut self, at: Nanos) {
        if self.boots || !self.is_met {
            return;
        }
        self.enter(at, self.awake_state(), Detail::None);
    }

    /// It runs Python, as its thread state says: it is awake.
    pub fn is_attached(&mut self) {
        self.is_met = true;
    }

    /// It was seen, awake, to run Python or native code, where there is no lock that would tell.
    pub fn seen(&mut self, at: Nanos, awake: Awake) {
        self.had_it();
        self.awake = awake;
        let is_awake = self.sleep.is_none() && self.state != State::WaitingCore;
        if is_awake && self.holds.is_none() && !self.has_ended() {
            self.wake(at);
        }
    }

    /// It ended.
    pub fn end(&mut self, at: Nanos) {
        if !self.has_ended() {
            self.had_it();
            self.close_sleep(at);
            self.give_up();
            if let Some(since) = self.on_core.take() {
                self.on_cpu += at - since;
            }
            self.drop_lock(at);
            if let Some(world) = self.stops {
                self.start_world(at, world);
            }
            self.boots = false;
            self.enter(at, State::Done, Detail::None);
            self.ended = Some(at);
        }
    }

    /// What has happened since the last time, as events of this lane.
    pub fn tell(&mut self, lane: LaneId, say: &mut dyn FnMut(Event)) {
        let told = self.decided();
        self.out.drain(..told).for_each(|event| say(Event { lane, ..event }));
    }
}

#[cfg(test)]
mod tests;
