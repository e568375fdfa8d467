//! Whether one who waited for a lock that is only looked at does so still.
//!
//! # The problem
//! Who waits for the lock wakes up each switch interval, finds that another has it, and sleeps again: all the while he waits. Where each
//! write to the lock is recorded he waits until he takes it. Where the lock is only looked at he may have had it between two
//! looks and computes in C since, or has ended: to let him wait until he is met doing something else made waits of seconds
//! of milliseconds.
//!
//! # The choice
//! From when he is awake it is in doubt, and what is told of him is held back:
//! - If records tell of him: he waits still if he had slept an interval (a drop would have woken him earlier) and leaves his
//!   core at once by himself. Who stays on it longer has the lock, or had it.
//! - If nothing but looks tells of him: he waits still if the next look meets him asleep for the lock. If it meets him awake
//!   again, or in anything else, he has had it.
//!
//! From then on it is unknown what he does, until a look at the lock names him, or another, or nobody: in the latter cases he runs
//! native code.

use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, Nanos, State};

use super::hindsight::AT_ONCE;
use super::{Awake, Reason, Thread};

/// A sleeper is later than his interval by so much at most.
const LATE: Nanos = Nanos::from_micros(400);

/// Since when it is in doubt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) since: Nanos,
    /// Where among what is to be told that begins.
    pub(super) event: usize,
    /// Whether a record told that he woke up; else he was met awake.
    recorded: bool,
    /// Whether he may just have slept an interval.
    may_retry: bool,
}

impl Thread {
    /// Whether he is known to wait, and may take what he waits for unseen.
    fn may_have_it(&self) -> bool {
        matches!(self.awake, Awake::Undecided { .. }) && self.wants.is_some() && self.holds.is_none() && !self.boots
    }

    /// He woke up after a sleep that began then, as is recorded. Says whether it is in doubt now what he does.
    pub(super) fn doubt_waking(&mut self, at: Nanos, since: Nanos) -> bool {
        let Awake::Undecided { interval } = self.awake else { return false };
        let may_retry = at - since >= interval && at - since <= interval + LATE;
        let is_doubted = self.may_have_it();
        if is_doubted {
            self.doubt = Some(Doubt { since: at, event: self.out.len(), recorded: true, may_retry });
        }
        is_doubted
    }

    /// He was met awake. Says whether that puts in doubt what he does, or has decided it.
    pub(super) fn doubt_awake(&mut self, at: Nanos) -> bool {
        if self.doubt.is_some() {
            self.had_it();
            return true;
        }
        let is_doubted = self.may_have_it();
        if is_doubted {
            self.close_sleep(at);
            self.doubt = Some(Doubt { since: at, event: self.out.len(), recorded: false, may_retry: true });
        }
        is_doubted
    }

    /// He leaves his core by himself.
    pub(super) fn doubt_leaving(&mut self, at: Nanos) {
        match self.doubt {
            Some(doubt) if doubt.may_retry && at - doubt.since <= AT_ONCE => self.doubt = None,
            _ => self.had_it(),
        }
    }

    /// He is met asleep, for this reason.
    pub(super) fn doubt_asleep(&mut self, reason: Reason) {
        match reason {
            Reason::WantsLock(lock) if self.wants == Some(lock) => self.doubt = None,
            _ => self.had_it(),
        }
    }

    /// He takes the lock, as a look tells: some time after he woke up.
    pub(super) fn doubt_taking(&mut self, at: Nanos) {
        match self.doubt {
            Some(doubt) if at - doubt.since <= AT_ONCE => self.doubt = None,
            _ => self.had_it(),
        }
    }

    /// Who is on a core for so long before the `horizon` does not wait.
    pub(super) fn doubt_until(&mut self, horizon: Nanos) {
        if self.doubt.is_some_and(|doubt| doubt.recorded && doubt.since + AT_ONCE < horizon) {
            self.had_it();
        }
    }

    /// Whether it is in doubt what he does.
    pub fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// He does not wait any more, since it was in doubt.
    pub(super) fn had_it(&mut self) {
        let Some(doubt) = self.doubt.take() else { return };
        self.wants = None;
        if self.state != State::WaitingGil {
            return;
        }
        (self.state, self.detail) = (State::Unknown, Detail::None);
        let kind = EventKind::State { to: State::Unknown, detail: Detail::None };
        let event = Event { at: doubt.since, lane: LaneId(0), core: CoreId::UNKNOWN, line: Line::NONE, kind };
        self.out.insert(doubt.event.min(self.out.len()), event);
    }

    /// A look at the lock has told that he does not hold it: if he is awake, he runs native code.
    pub fn seen_without(&mut self, at: Nanos) {
        self.awake_without(at, State::Native);
    }

    /// The same of one who is awake and has no core.
    pub fn seen_to_queue(&mut self, at: Nanos) {
        self.awake_without(at, State::WaitingCore);
    }

    fn awake_without(&mut self, at: Nanos, to: State) {
        self.doubt_until(at);
        let is_open = matches!(self.state, State::Unknown | State::Native | State::WaitingCore);
        let is_awake = self.sleep.is_none() && is_open && !self.boots && !self.has_ended();
        if is_awake && self.holds.is_none() && matches!(self.awake, Awake::Undecided { .. }) {
            self.enter(at, to, Detail::None);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::event::LockId;

    use super::*;

    const GIL: LockId = LockId(0);
    const CORE: CoreId = CoreId(1);
    const MS: u64 = 1_000_000;
    const WAITS: Reason = Reason::WantsLock(GIL);

    fn states(thread: &mut Thread) -> Vec<(u64, State)> {
        let mut found = Vec::new();
        thread.tell(LaneId(3), &mut |event| match event.kind {
            EventKind::State { to, .. } | EventKind::Take { to, .. } | EventKind::Drop { to, .. } => {
                found.push((event.at.0 / 1_000, to));
            }
            _ => {}
        });
        found
    }

    /// One that waits since 10 ms for a lock that is only looked at, of which so much has been told.
    fn waiting(recorded: bool) -> Thread {
        let mut thread = Thread::new(Nanos(0), false, Awake::Undecided { interval: Nanos(5 * MS) });
        if recorded {
            thread.switch_out(Nanos(10 * MS), CORE, false);
            thread.explain(Nanos(11 * MS), WAITS);
        } else {
            thread.found_asleep(Nanos(10 * MS), WAITS);
        }
        assert_eq!(states(&mut thread), [(0, State::Unknown), (10_000, State::WaitingGil)]);
        thread
    }

    #[test]
    fn who_sleeps_again_at_once_after_an_interval_waits_all_the_while() {
        let mut thread = waiting(true);
        for at in [15 * MS, 20 * MS + 100_000] {
            thread.switch_in(Nanos(at), CORE);
            assert_eq!(thread.undecided(), Some(Nanos(at)));
            thread.seen_without(Nanos(at + 5_000));
            thread.switch_out(Nanos(at + 10_000), CORE, false);
        }
        assert_eq!((states(&mut thread), thread.wants()), (vec![], Some(GIL)));
    }

    #[test]
    fn who_stays_on_a_core_has_had_what_he_waited_for() {
        let mut thread = waiting(true);
        thread.switch_in(Nanos(15 * MS), CORE);
        thread.decide(Nanos(15 * MS + 50_000));
        assert_eq!(states(&mut thread), [], "nothing is told of what is not decided");
        thread.seen_without(Nanos(16 * MS));
        assert_eq!(states(&mut thread), [(15_000, State::Unknown), (16_000, State::Native)]);
        assert_eq!((thread.wants(), thread.undecided()), (None, None));
        // Whoever is looked at later than what is told.
        let mut thread = waiting(true);
        thread.switch_in(Nanos(15 * MS), CORE);
        thread.decide(Nanos(16 * MS));
        assert_eq!(states(&mut thread), [(15_000, State::Unknown)]);
        thread.take(Nanos(17 * MS), GIL);
        assert_eq!(states(&mut thread), [(17_000, State::Running)]);
    }

    #[test]
    fn who_was_woken_before_his_interval_was_over_and_sleeps_again_has_had_it() {
        let mut thread = waiting(true);
        thread.switch_in(Nanos(12 * MS), CORE);
        thread.switch_out(Nanos(12 * MS + 60_000), CORE, false);
        thread.explain(Nanos(13 * MS), Reason::Call(libc::SYS_clock_nanosleep as u32));
        assert_eq!(states(&mut thread), [(12_000, State::Unknown), (12_060, State::Io)]);
    }

    #[test]
    fn who_takes_it_at_once_has_waited_until_then() {
        let mut thread = waiting(true);
        thread.switch_in(Nanos(12 * MS), CORE);
        thread.take(Nanos(12 * MS + 20_000), GIL);
        assert_eq!(states(&mut thread), [(12_020, State::Running)]);
        let mut thread = waiting(true);
        thread.switch_in(Nanos(12 * MS), CORE);
        thread.take(Nanos(12 * MS + 900_000), GIL);
        assert_eq!(states(&mut thread), [(12_000, State::Unknown), (12_900, State::Running)]);
    }

    #[test]
    fn without_records_the_next_look_decides() {
        // What it meets, and what that makes of him since he was first met awake.
        let slept = Reason::Call(libc::SYS_clock_nanosleep as u32);
        let since = |state| vec![(14_000, State::Unknown), (15_000, state)];
        let cases = [("awake", None, since(State::Unknown)[..1].to_vec()), ("he waits", Some(WAITS), vec![])]
            .into_iter()
            .chain([("he sleeps", Some(slept), since(State::Io))]);
        for (what, reason, expected) in cases {
            let mut thread = waiting(false);
            thread.found_awake(Nanos(14 * MS));
            thread.decide(Nanos(16 * MS));
            assert_eq!(states(&mut thread), [], "{what}");
            match reason {
                Some(reason) => thread.found_asleep(Nanos(15 * MS), reason),
                None => thread.found_awake(Nanos(15 * MS)),
            }
            assert_eq!(states(&mut thread), expected, "{what}");
        }
        let mut thread = waiting(false);
        thread.found_awake(Nanos(14 * MS));
        thread.end(Nanos(15 * MS));
        assert_eq!(states(&mut thread), [(14_000, State::Unknown), (15_000, State::Done)]);
    }

    #[test]
    fn who_is_awake_and_was_not_seen_to_hold_it_runs_native_code_from_then_on() {
        let mut thread = waiting(false);
        for at in [14, 15] {
            thread.found_awake(Nanos(at * MS));
        }
        for at in [16, 17] {
            thread.seen_without(Nanos(at * MS));
            thread.found_awake(Nanos(at * MS + 1));
        }
        assert_eq!(states(&mut thread), [(14_000, State::Unknown), (16_000, State::Native)]);
    }
}
