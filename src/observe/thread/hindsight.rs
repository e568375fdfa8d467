//! What a sleep that nobody saw turns out to have been afterwards.
//!
//! # The problem
//! Who waits a millisecond for the lock has it before anybody has looked, and the kernel's records tell that he slept but
//! not why. Of a program whose threads wait often and shortly nearly all waits would be sleeps of no known reason.
//!
//! # The choice
//! What is recorded of the lock tells. In `take_gil` (Python/ceval_gil.c) a thread sleeps as long as another has the
//! lock, is woken by the one who drops it, and takes it at once; or its interval runs out, and it sleeps again. So an unseen sleep
//! was such a wait if
//! - it was not the first one since its thread dropped the lock (that is the one it dropped it for), and began as soon
//!   as the one before was over; or it was the first of a new thread, which begins by taking the lock,
//! - others had the lock all the while, without a pause,
//! - and it ended as the lock was dropped, and its thread took the lock at once; or it ended so and another was quicker, or
//!   it lasted an interval, or a moment (on the lock's mutex, which who drops it has), and such a wait followed at once,
//!   or one that was seen.
//!
//! Of three threads that waited a millisecond at a time, on one core, the second of these were a third of all waiting: who is
//! woken by a drop often finds the lock taken and sleeps again. He is told to have waited only once he has it, or was seen to
//! wait: one who slept in calls of his own and never came to the lock stays one who slept.
//!
//! All of it is needed. A sleep in a system call whose end happens to be the moment of a drop is the first one since its
//! thread dropped the lock, unless native code makes several such calls in a row. So the first sleep after a drop stays
//! one of no known reason, also where it was a wait of one who made a call that did not sleep and has lost the lock by
//! then (of one who was made to drop it see [`super::request`]); sums tell how many of them were waits, by those that looks
//! met (`trace/unmet.rs`). And so does a wait whose thread was woken and then queued for a core: no record tells when
//! it was woken, and to count each sleep that came before a wait as one would make waits of calls.
//!
//! What is told of a lane is held back until that is decided: a moment, or as long as the sleep that follows.
//!
//! # Not chosen
//! A watchpoint on the condition's count of waiters: two debug exceptions more for each wait, in the programs that pay
//! most for them already.

use std::collections::VecDeque;

use crate::event::{Detail, Event, EventKind, Nanos, State};

use super::Thread;

/// Who wakes up and takes the lock, or goes on sleeping, does so within this time on a core.
pub(super) const AT_ONCE: Nanos = Nanos::from_micros(100);
/// Who is woken by a drop comes onto a core within this time, if one is free.
const WOKEN: Nanos = Nanos::from_micros(150);
/// A sleep that lasts an interval is over so much after it.
pub(super) const TIMER: Nanos = Nanos::from_micros(400);
/// So much is remembered of each kind: of a lock that is watched some hundred milliseconds, for which what is told is held
/// back.
const MOST: usize = 256;

/// What is known of a lock's recent past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Since when it was never free for longer than it takes the next one to take it.
    pub busy_since: Nanos,
    /// Its last drops, and by which thread each: without a gap since then.
    pub drops: VecDeque<(Nanos, u32)>,
    /// Who asked for it of late: since when he had slept, and when he woke up.
    pub asks: VecDeque<(Nanos, Nanos)>,
    /// For how long one who waits for it sleeps at a time.
    pub interval: Nanos,
}

/// What came last is remembered, and what came first forgotten.
pub(super) fn remember<T>(all: &mut VecDeque<T>, it: T) {
    if all.len() == MOST {
        all.pop_front();
    }
    all.push_back(it);
}

impl Past {
    /// How long a lock may be free and count as wanted all the while.
    pub const HANDED_ON: Nanos = Nanos(WOKEN.0 + AT_ONCE.0);

    /// This thread dropped it.
    pub fn dropped(&mut self, at: Nanos, tid: u32) {
        remember(&mut self.drops, (at, tid));
    }

    /// Something happened to it that was not seen: it is known from now on only.
    pub fn begin_anew(&mut self, at: Nanos) {
        self.busy_since = at;
        self.forget();
    }

    /// What happened to it meanwhile was not recorded.
    pub fn forget(&mut self) {
        self.drops.clear();
        self.asks.clear();
    }

    /// Whether `tid` woke at `until` because another dropped it.
    fn woke(&self, tid: u32, until: Nanos) -> bool {
        let before = self.drops.iter().rev().skip_while(|(at, _)| *at > until);
        before.take_while(|(at, _)| *at + WOKEN >= until).any(|(_, by)| *by != tid)
    }
}

/// A sleep that was over before anybody had looked, and is not yet decided upon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unseen {
    since: Nanos,
    until: Nanos,
    /// Where among what is to be told it begins.
    event: usize,
}

impl Thread {
    /// A sleep is over whose reason nobody saw, and that began at once after another: it may turn out to have been a wait.
    pub(super) fn went_unseen(&mut self, since: Nanos, until: Nanos) {
        let begin = EventKind::State { to: State::Sleeping, detail: Detail::None };
        if self.out.last().is_some_and(|event| event.at == since && event.kind == begin) {
            self.unseen.push(Unseen { since, until, event: self.out.len() - 1 });
        }
    }

    /// Of a sleep that is over nobody will know the reason.
    pub(super) fn stays_unexplained(&mut self, since: Nanos, until: Nanos) {
        let longest = self.unexplained.map_or(Nanos::ZERO, |(since, until)| until - since);
        if until - since > longest {
            self.unexplained = Some((since, until));
        }
    }

    /// It takes a lock of this past at `at`: whether it was that that it has waited for.
    pub fn takes_after(&mut self, at: Nanos, tid: u32, past: &Past) {
        let is_woken =
            |last: &Unseen| past.woke(tid, last.until) && at - last.until <= AT_ONCE && past.busy_since <= last.since;
        if self.unseen.last().is_some_and(is_woken) {
            self.has_waited(1, tid, past);
        }
        self.give_up();
    }

    /// It is known to wait for a lock of this past, in a sleep that has begun at once after those before.
    pub fn waits_after(&mut self, tid: u32, past: &Past) {
        if self.sleep.as_ref().is_some_and(|sleep| sleep.follows && sleep.reason.is_none()) {
            self.has_waited(0, tid, past);
        }
        self.give_up();
    }

    /// The last of its unseen sleeps were waits: so many for certain, and those before in which it was woken by a drop and
    /// came too late, or that lasted an interval or a moment.
    fn has_waited(&mut self, certain: usize, tid: u32, past: &Past) {
        let is_of_it = |it: &&Unseen| {
            let lasted = it.until - it.since;
            let ran_out = past.interval > Nanos::ZERO && (past.interval..=past.interval + TIMER).contains(&lasted);
            past.busy_since <= it.since && (ran_out || lasted <= AT_ONCE || past.woke(tid, it.until))
        };
        let before = self.unseen.iter().rev().skip(certain).take_while(is_of_it).count();
        let waits = self.unseen.len().min(certain + before);
        let Some(first) = self.unseen.len().checked_sub(waits).and_then(|at| self.unseen.get(at)) else { return };
        let rest = self.out.split_off(first.event);
        let (to, detail) = (State::WaitingGil, Detail::None);
        for (index, event) in rest.into_iter().enumerate() {
            match event.kind {
                EventKind::State { .. } if index > 0 => {}
                EventKind::State { .. } => self.out.push(Event { kind: EventKind::State { to, detail }, ..event }),
                _ => self.out.push(event),
            }
        }
        (self.state, self.detail) = (to, detail);
        self.unseen.truncate(self.unseen.len() - waits);
    }

    /// Its unseen sleeps were none of these waits: they have no known reason.
    pub(super) fn give_up(&mut self) {
        for it in std::mem::take(&mut self.unseen) {
            self.stays_unexplained(it.since, it.until);
        }
    }

    /// How much of what is to be told is decided, and is told now.
    pub(super) fn decided(&mut self) -> usize {
        let in_doubt = self.doubt.map_or(self.out.len(), |doubt| doubt.event);
        let told = self.unseen.first().map_or(in_doubt, |first| first.event.min(in_doubt));
        self.unseen.iter_mut().for_each(|it| it.event -= told);
        if let Some(doubt) = &mut self.doubt {
            doubt.event -= told;
        }
        told
    }

    /// Since when it is not decided what it does: its sleep has no known reason, or one before may yet turn out to be a wait.
    pub fn undecided(&self) -> Option<Nanos> {
        let unresolved = self.unresolved().filter(|_| !self.is_waiting());
        let in_doubt = self.doubt.map(|doubt| doubt.since);
        self.unseen.first().map(|first| first.since).or(in_doubt).or(unresolved)
    }

    /// Nothing before `horizon` is unknown any more: who was awake for so long has waited for nothing.
    pub fn decide(&mut self, horizon: Nanos) {
        self.doubt_until(horizon);
        if self.sleep.is_none() && self.unseen.last().is_some_and(|last| last.until + AT_ONCE < horizon) {
            self.give_up();
        }
    }
}
