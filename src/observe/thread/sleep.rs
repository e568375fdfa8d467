//! The sleeps of a thread: since when, in what, and what that makes of its lane.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{CoreId, Detail, EventKind, LockId, Nanos, State};

use super::super::doing;
use super::{Awake, Thread};

/// So shortly before a look a core is lost to whoever looks, where nothing else tells.
pub const DISPLACED: Nanos = Nanos::from_micros(300);
/// A switch from one thread to another is over after so long.
const SWITCHED: Nanos = Nanos::from_micros(50);

/// When whoever looks came on a core, and on which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// When.
    pub at: Nanos,
    /// On which.
    pub core: CoreId,
}

impl Came {
    /// The thread that calls this has just come.
    pub fn now(at: Nanos) -> Came {
        Came { at, core: crate::record::core_now() }
    }

    /// Whether it took this core from whoever had it until then.
    fn took(self, core: CoreId, since: Nanos) -> bool {
        core == self.core && since <= self.at && self.at < since + SWITCHED
    }
}

/// Why a thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It wants this lock.
    WantsLock(LockId),
    /// It wants a lock of the program's own.
    OwnLock,
    /// It waits because of a stop-the-world.
    World,
    /// It is in this system call.
    Call(u32),
    /// It is not known.
    Unknown,
}

/// How often and how long a thread slept in a system call, as far as it was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Slept {
    /// How often.
    pub times: u64,
    /// How long.
    #[serde(rename = "ns")]
    pub span: Nanos,
}

impl Slept {
    fn add(&mut self, span: Nanos) {
        self.times += 1;
        self.span += span;
    }
}

/// Books a wait.
fn add_to(sums: &mut BTreeMap<Arc<str>, Slept>, what: &Arc<str>, span: Nanos) {
    if sums.len() < MOST_WAITED_FOR || sums.contains_key(what) {
        sums.entry(Arc::clone(what)).or_default().add(span);
    }
}

#[derive(Clone, Debug)]
pub(super) struct Sleep {
    pub(super) since: Nanos,
    /// Whether the kernel's records told of it: then it was off core, whatever else is known.
    pub(super) recorded: bool,
    /// Whether it began at once after another, since which its thread has not had the lock.
    pub(super) follows: bool,
    /// Whether it was seen to be over, and its thread to wait for a core.
    pub(super) runnable: bool,
    pub(super) reason: Option<Reason>,
    /// What it waits for in words, if that is known.
    pub(super) what: Option<Arc<str>>,
}

/// So many things that a thread waits for are told apart.
const MOST_WAITED_FOR: usize = 64;

impl Thread {
    /// Since when it sleeps without a known reason.
    pub fn unresolved(&self) -> Option<Nanos> {
        self.sleep.as_ref().filter(|sleep| sleep.reason.is_none()).map(|sleep| sleep.since)
    }

    /// It is seen to sleep, for this reason, though no record told of the sleep's beginning: it was there before us, or
    /// there are no records.
    pub fn found_asleep(&mut self, at: Nanos, reason: Reason) {
        self.is_met = true;
        self.doubt_asleep(reason);
        if self.sleep.is_none() {
            self.sleep =
                Some(Sleep { since: at, recorded: false, follows: false, runnable: false, reason: None, what: None });
        }
        if let Some(sleep) = &mut self.sleep
            && sleep.reason.is_some_and(|known| known != reason)
        {
            // Without records: another sleep.
            *sleep = Sleep { since: at, recorded: false, follows: false, runnable: false, reason: None, what: None };
        }
        self.explain(at, reason);
    }

    /// It is seen awake, and there are no records that would have told.
    pub fn found_awake(&mut self, at: Nanos) {
        let was_asleep = self.sleep.is_some() || !std::mem::replace(&mut self.is_met, true);
        if self.doubt_awake(at) {
            return;
        }
        self.close_sleep(at);
        // What a look at the lock has told of one who is awake stands.
        if was_asleep || !matches!(self.awake, Awake::Undecided { .. }) {
            self.wake(at);
        }
    }

    /// Somebody looked, at `at`: it sleeps for this reason. Says whether it thereby turned out to have dropped its lock
    /// before.
    pub fn explain(&mut self, at: Nanos, reason: Reason) {
        let Some(sleep) = &mut self.sleep else { return };
        if sleep.reason.is_some() || at < sleep.since {
            return;
        }
        sleep.reason = Some(reason);
        let recorded = sleep.recorded;
        if self.boots {
            return;
        }
        // What was said to wait for the lock has been told: that it gave up is known from now on.
        let since = if self.wants.is_some() { at } else { sleep.since };
        if let Reason::WantsLock(lock) = reason {
            if self.holds == Some(lock) {
                // It sleeps a moment on the lock's own mutex.
                return;
            }
            self.wants = Some(lock);
        } else if reason != Reason::Unknown {
            self.wants = None;
        }
        let (to, detail) = match reason {
            Reason::WantsLock(_) => (State::WaitingGil, Detail::None),
            Reason::OwnLock => (State::WaitingLock, Detail::None),
            Reason::World => (State::WaitingWorld, Detail::None),
            Reason::Call(call) => doing::state_in(call),
            Reason::Unknown if self.wants.is_some() => (State::WaitingGil, Detail::None),
            Reason::Unknown if recorded => (State::Sleeping, Detail::None),
            Reason::Unknown => (State::Unknown, Detail::None),
        };
        self.enter(since, to, detail);
    }

    /// Whether nothing but looks tells what this sleep is. Of the first after a drop of a lock that is watched that is so, too: it
    /// may be one that the lock was dropped for, or a wait of one who worked without it.
    pub(super) fn is_told_by_looks(&self, sleep: &Sleep) -> bool {
        let is_first = self.awake == Awake::Native && !sleep.follows && self.holds.is_none() && !self.boots;
        self.is_known_by_looks() || is_first
    }

    /// Whether nothing but looks tells what it does.
    pub fn is_known_by_looks(&self) -> bool {
        matches!(self.awake, Awake::Undecided { .. }) && !self.boots
    }

    /// The look at `at` was the first to meet it in its sleep, so long after the one before.
    pub fn met(&mut self, at: Nanos, apart: Nanos) {
        let sleep =
            self.sleep.as_ref().filter(|sleep| self.is_told_by_looks(sleep) && sleep.recorded && sleep.since <= at);
        if sleep.is_some_and(|sleep| !matches!(sleep.reason, None | Some(Reason::Unknown))) {
            self.push(at, CoreId::UNKNOWN, EventKind::Met { apart });
        }
    }

    /// It was awake as its lock was looked at, so long after the look before.
    pub fn met_awake(&mut self, at: Nanos, apart: Nanos, came: Came) {
        if self.is_known_by_looks() && self.sleep.is_none() {
            // Who lost its core to the one who looks lost it at an instant that hangs on nothing it did. Who lost it to anybody
            // else has none: where many want one, such are met much more often.
            let is_displaced = self.preempted.is_some_and(|(since, core)| came.took(core, since));
            let (runs, holds) = (self.on_core.is_some() || is_displaced, self.holds.is_some());
            self.push(at, CoreId::UNKNOWN, EventKind::MetAwake { apart, runs, holds });
        }
    }

    /// Somebody looked: it is awake, or about to fall asleep.
    pub fn found_runnable(&mut self, at: Nanos) {
        if !std::mem::replace(&mut self.is_met, true) && self.sleep.is_none() && self.holds.is_none() {
            self.wake(at.max(self.since));
        }
        if let Some(sleep) = self.sleep.as_mut().filter(|sleep| at > sleep.since) {
            sleep.runnable = true;
        }
    }

    /// A sleep without a reason is over, or nobody will say any more what it was.
    pub(super) fn close_sleep(&mut self, at: Nanos) {
        if self.unresolved().is_some() {
            self.explain(at, Reason::Unknown);
        }
        let Some(sleep) = self.sleep.take() else { return };
        // Who sleeps in the call that sends a signal is stopped by it, as whom we start is at first: that is no sleep.
        let is_stop = |call: u32| libc::c_long::from(call) == libc::SYS_kill;
        if let Some(Reason::Call(call)) = sleep.reason
            && !is_stop(call)
        {
            self.slept.entry(call).or_default().add(at - sleep.since);
        }
        if let Some(what) = sleep.what {
            add_to(&mut self.waited_for, &what, at - sleep.since);
        }
    }

    /// Somebody saw, at `at`, what it waits for in its sleep. Says whether that was not known.
    pub fn waits_for(&mut self, at: Nanos, what: &Arc<str>) -> bool {
        let is_lock = |reason| matches!(reason, Some(Reason::OwnLock | Reason::World));
        match &mut self.sleep {
            Some(sleep) if at >= sleep.since && is_lock(sleep.reason) && sleep.what.is_none() => {
                sleep.what = Some(Arc::clone(what));
                true
            }
            _ => false,
        }
    }

    /// What it waited for, as far as it was seen, until `at`.
    pub fn waited_for_until(&self, at: Nanos) -> BTreeMap<Arc<str>, Slept> {
        let mut sums = self.waited_for.clone();
        if let Some((what, since)) = self.sleep.as_ref().and_then(|sleep| Some((sleep.what.as_ref()?, sleep.since))) {
            add_to(&mut sums, what, at - since);
        }
        sums
    }

    /// Nobody could say in time what it sleeps in.
    pub fn give_up_on_sleep(&mut self, at: Nanos) {
        self.unseen.clear();
        self.had_it();
        self.explain(at, Reason::Unknown);
    }
}
