//! How a lane begins: born of another, loading its program, setting up its interpreter, or met late.

use crate::event::{CoreId, Detail, EventKind, Nanos, State};

use super::{Awake, Thread};

impl Thread {
    /// What it did so far was this, save while it had not run yet and from its first sleep on; if nobody has heard of it.
    pub fn was_awake(&mut self, to: State, detail: Detail) {
        let begins = EventKind::State { to: State::Starting, detail: Detail::Fork };
        if self.out.first().is_none_or(|first| first.at != self.since || first.kind != begins) {
            return;
        }
        let is_switch = |kind| matches!(kind, EventKind::SwitchIn | EventKind::SwitchOut { preempted: true });
        let Some(after) = self.out.iter().skip(1).position(|event| !is_switch(event.kind)) else { return };
        let unknown = EventKind::State { to: State::Unknown, detail: Detail::None };
        let (until_then, rest) = self.out.split_at_mut(after + 2);
        if let Some(first) = until_then.last_mut().filter(|event| event.kind == unknown) {
            first.kind = EventKind::State { to, detail };
            if rest.iter().all(|event| is_switch(event.kind)) {
                (self.state, self.detail) = (to, detail);
            }
        }
    }

    /// Nobody has looked what its program did once it was loaded, and nobody will.
    pub fn was_never_seen(&mut self) {
        let loads = EventKind::State { to: State::Starting, detail: Detail::Exec };
        let unknown = EventKind::State { to: State::Unknown, detail: Detail::None };
        self.out.iter_mut().filter(|event| event.kind == loads).for_each(|event| event.kind = unknown);
        if (self.state, self.detail) == (State::Starting, Detail::Exec) {
            (self.state, self.detail, self.boots) = (State::Unknown, Detail::None, false);
        }
    }

    /// A program is loaded in it, or its interpreter is set up, from now on: until it first takes a lock, or it is known
    /// what it does.
    pub fn boot(&mut self, at: Nanos, phase: Detail) {
        if self.has_ended() {
            return;
        }
        self.give_up();
        self.had_it();
        if !self.boots {
            // Who executes a program is awake.
            self.close_sleep(at);
            // What it was born for was this.
            self.was_awake(State::Starting, Detail::Fork);
        }
        if let Some(world) = self.stops {
            self.start_world(at, world);
        }
        // What held its program before does not hold for the next.
        self.drop_unseen(at);
        self.wants = None;
        if !matches!(self.state, State::Unborn | State::Unknown | State::Starting) {
            self.enter(at, State::Unknown, Detail::None);
        }
        self.enter(at, State::Starting, phase);
        (self.boots, self.is_met) = (true, true);
    }

    /// Whether a program is being loaded in it, or its interpreter set up.
    pub fn is_booting(&self) -> bool {
        self.boots
    }

    /// From now on it is known what it is while awake: its lock is watched.
    pub fn reveal(&mut self, at: Nanos, awake: Awake) {
        self.awake = awake;
        let boots = std::mem::take(&mut self.boots);
        if let Some(sleep) = self.sleep.as_mut().filter(|_| boots) {
            // As far as it was part of setting up it is told.
            sleep.since = at.max(sleep.since);
            let since = sleep.since;
            if let Some(reason) = sleep.reason.take() {
                self.explain(since, reason);
            }
        }
        let starts = self.state == State::Starting && !boots;
        if self.sleep.is_none() && self.holds.is_none() && !starts && !self.has_ended() {
            self.wake(at);
        }
    }

    /// What it did since, awake and without a lock, is not known, nor what it does: it may have held one of which nobody
    /// knew.
    pub fn was_unknown(&mut self, since: Nanos) {
        let last = self.out.last().map_or(since, |event| since.max(event.at));
        let from = self.out.partition_point(|event| event.at < since);
        let mut is_as_before = true;
        for event in &mut self.out[from..] {
            match &mut event.kind {
                EventKind::State { to, .. } | EventKind::Take { to, .. } | EventKind::Drop { to, .. } => {
                    is_as_before = false;
                    if *to == State::Native {
                        *to = State::Unknown;
                    }
                }
                _ => {}
            }
        }
        self.awake = Awake::Unknown;
        if self.state == State::Native && !self.has_ended() {
            match is_as_before {
                true => self.enter(last, State::Unknown, Detail::None),
                false => self.state = State::Unknown,
            }
        }
    }

    /// Forgets what has happened: it is no thread of Python's so far, and if it becomes one it begins then.
    pub fn forget(&mut self) {
        self.give_up();
        self.had_it();
        self.out.clear();
    }

    /// It becomes a thread of Python's at `at`, after what it did before was forgotten.
    pub fn begin_late(&mut self, at: Nanos) {
        self.since = at;
        self.give_up();
        self.had_it();
        self.out.clear();
        let (state, detail) = (self.state, self.detail);
        self.push(at, CoreId::UNKNOWN, EventKind::State { to: State::Unknown, detail: Detail::None });
        if !matches!(state, State::Unknown | State::Unborn) {
            self.push(at, CoreId::UNKNOWN, EventKind::State { to: state, detail });
        }
        if self.preempted.is_some() && self.on_core.is_none() && self.sleep.is_none() {
            self.push(at, CoreId::UNKNOWN, EventKind::SwitchOut { preempted: true });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{LaneId, LockId};

    use super::*;

    fn states(thread: &mut Thread) -> Vec<(u64, State)> {
        let mut states = Vec::new();
        thread.tell(LaneId(0), &mut |event| match event.kind {
            EventKind::State { to, .. } | EventKind::Take { to, .. } | EventKind::Drop { to, .. } => {
                states.push((event.at.0, to));
            }
            _ => {}
        });
        states
    }

    #[test]
    fn who_may_have_held_a_lock_of_which_nobody_knew_did_not_run_native_code_as_far_as_is_known() {
        let thread = || {
            let mut thread = Thread::new(Nanos(0), false, Awake::Native);
            thread.switch_in(Nanos(5), CoreId(0));
            thread.take(Nanos(10), LockId(0));
            thread.drop_lock(Nanos(20));
            thread
        };
        let mut dropped_since = thread();
        dropped_since.was_unknown(Nanos(15));
        assert_eq!(states(&mut dropped_since)[1..], [(10, State::Running), (20, State::Unknown)]);
        dropped_since.seen(Nanos(30), Awake::Native);
        assert_eq!(states(&mut dropped_since), [(30, State::Native)], "until it is known again");
        let mut without_it_before = thread();
        without_it_before.was_unknown(Nanos(25));
        assert_eq!(
            states(&mut without_it_before)[1..],
            [(10, State::Running), (20, State::Native), (25, State::Unknown)]
        );
        let mut holds = thread();
        holds.take(Nanos(30), LockId(0));
        holds.was_unknown(Nanos(35));
        assert_eq!(states(&mut holds).last(), Some(&(30, State::Running)));
    }

    #[test]
    fn who_is_met_late_and_has_lost_its_core_begins_without_one() {
        for (preempted, expected) in [(true, 1), (false, 0)] {
            let mut thread = Thread::new(Nanos(0), true, Awake::Native);
            thread.switch_in(Nanos(10), CoreId(1));
            thread.switch_out(Nanos(20), CoreId(1), true);
            if !preempted {
                thread.switch_in(Nanos(25), CoreId(1));
            }
            thread.begin_late(Nanos(30));
            let mut outs = 0;
            thread.tell(LaneId(0), &mut |event| {
                outs += usize::from(event.kind == EventKind::SwitchOut { preempted: true } && event.at == Nanos(30));
            });
            assert_eq!(outs, expected, "preempted: {preempted}");
        }
    }
}
