//! A worker that waits for I/O waits a whole switch interval more at each
//! wake-up, behind one that computes: the convoy effect (bpo-7946). The one
//! that computes does not let go by itself, and is asked to only after an
//! interval.
//!
//! One that keeps the lock for long and then sleeps for a while does the same
//! to them, though not at each wake-up: whoever wakes up every 10 ms beside one
//! that holds the lock for 80 ms of every 110 does so thrice while the lock is
//! free, and once to wait for 70 ms. By number that is a quarter of the
//! wake-ups, which is no habit; by time it is more than half of that thread's
//! life. So either counts, the number or the time.

use super::facts::ratio;
use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::event::{LaneId, Nanos, State};
use crate::text::printable;
use crate::trace::Span;

/// A habit, and no accident.
const WAKE_UPS: usize = 5;

/// So many of the wake-ups led into a wait of an interval.
const OFTEN: f64 = 0.6;

/// Or such waits are so much of the lane's life: as in `lock_bound`, half of what two that only compute wait for one another.
const WAITS: f64 = 0.25;

/// Then it must be one who held the lock for so much of that, and who waits for it himself for at most so large a part of
/// what the other waits. Threads that take turns keep each other waiting, and none of them is to be named for it.
const ONE: f64 = 0.5;

/// A holder is asked to drop the lock after an interval, and bytecode does so at once. One that keeps it for so many while
/// another waits is in C code, which no interval reaches.
const HEEDS_NOT: u64 = 3;

/// A wait counts as an interval from here on: timers differ by some hundredths.
const OF_INTERVAL: f64 = 0.9;

/// From the wake-up to asking for the lock it is on a core for microseconds, which is seen of a real program: at most this
/// part of an interval.
const AT_ONCE: u64 = 10;

/// So many changes of a lane are looked at, from the beginning on.
const LOOKED_AT: usize = 4_000;

/// So many lanes that do I/O are looked at.
const LANES: usize = 32;

pub(super) const INSIGHT: Insight = Insight { id: "convoy", of: Of::AnyProgram, find };

/// What became of a lane's wake-ups.
struct WakeUps {
    lane: LaneId,
    all: usize,
    /// Those that led into a wait of an interval: the waits.
    long: Vec<Span>,
    waited: Nanos,
}

/// What a lane wakes up from. Of a real program it is not always seen in what a short sleep was.
const fn is_asleep(state: State) -> bool {
    matches!(state, State::Io | State::Sleeping)
}

fn find(facts: &Facts) -> Option<Said> {
    let does_io = |lane: &&LaneId| {
        let lock = facts.trace.lane(**lane).lock;
        let ledger = facts.trace.lane_ledger(**lane);
        let asleep: Nanos = State::ALL.into_iter().filter(|it| is_asleep(*it)).map(|it| ledger.0[it.index()]).sum();
        // Where something real is observed, one that only computes has moments of which nobody saw what they were.
        let least = if facts.is_program { ledger.0[State::Running.index()] } else { Nanos::ZERO };
        lock.is_some_and(|lock| facts.shared.contains_key(&lock))
            && asleep > least
            && ledger.0[State::WaitingGil.index()] > Nanos::ZERO
    };
    let lanes = facts.workers.iter().filter(does_io).take(LANES);
    let worst = lanes.map(|lane| wake_ups(facts, *lane)).max_by_key(|wake_ups| wake_ups.waited)?;
    let long = worst.long.len();
    if long < WAKE_UPS {
        return None;
    }
    let is_habit = long as f64 >= worst.all as f64 * OFTEN;
    let blame = facts.trace.blame();
    let charged = || blame.iter().filter(|blame| blame.waiter == worst.lane);
    let most = charged().max_by_key(|blame| blame.ns)?;
    let time = |lane, state: State| facts.trace.lane_ledger(lane).0[state.index()];
    // The holder computes: it holds the lock longer than it waits for I/O.
    let computes = time(most.holder, State::Running) > time(most.holder, State::Io);
    let share = ratio(most.ns, charged().map(|blame| blame.ns).sum());
    let life = State::ALL.into_iter().filter(|state| state.lives()).map(|state| time(worst.lane, state)).sum();
    let waits = ratio(worst.waited, life);
    let waits_himself = ratio(time(most.holder, State::WaitingGil), time(worst.lane, State::WaitingGil));
    let is_one = share >= ONE && waits_himself <= ONE;
    if !(is_habit && computes || waits >= WAITS && is_one) {
        return None;
    }
    let mean = Nanos(worst.waited.0 / long as u64);
    let in_all = if is_habit { String::new() } else { format!(", {} of its life in all", percent(waits)) };
    let from = if facts.is_program { "" } else { " from I/O" };
    let kept = worst.long.iter().filter(|wait| keeps(facts, most.holder, wait)).count();
    let name = |lane| printable(&facts.trace.lane(lane).name);
    Said::comparing(
        format!(
            "At {} of {} wake-ups{from} {} waited a whole switch interval or more ({mean} on average{in_all}); {} held \
             the lock for {} of that while it waited.",
            long,
            worst.all,
            name(worst.lane),
            name(most.holder),
            percent(share),
        ),
        match (kept * 2 > long, facts.is_program) {
            (false, false) => "Try: a shorter switch interval, or the worker that computes as a process.",
            (false, true) => "Try: a shorter switch interval, or the thread that computes as a process.",
            (true, _) => {
                "Try: what holds it in a process: so long at a time C code does, which heeds no switch interval."
            }
        },
        "threads,processes",
    )
}

/// Whether a thread keeps its lock, core or no core, for intervals on end from where another begins to wait.
fn keeps(facts: &Facts, holder: LaneId, wait: &Span) -> bool {
    let until = wait.from + Nanos(facts.switch_interval.0 * HEEDS_NOT);
    let mut until_then = facts.trace.spans(holder, wait.from).take_while(|span| span.from < until);
    wait.to >= until && until_then.all(|span| matches!(span.state, State::Running | State::WaitingCore))
}

fn wake_ups(facts: &Facts, lane: LaneId) -> WakeUps {
    let trace = facts.trace;
    let long = Nanos((facts.switch_interval.0 as f64 * OF_INTERVAL) as u64);
    let mut found = WakeUps { lane, all: 0, long: Vec::new(), waited: Nanos::ZERO };
    let mut woke = false;
    // What is still open may last longer.
    for span in facts.spans(lane).take(LOOKED_AT).take_while(|span| span.to < trace.now()) {
        woke = match span.state {
            state if is_asleep(state) => true,
            State::WaitingCore if woke => true,
            State::Native if woke && span.to - span.from <= Nanos(facts.switch_interval.0 / AT_ONCE) => true,
            state => {
                let waited = span.to - span.from;
                found.all += usize::from(woke);
                if woke && state == State::WaitingGil && waited >= long {
                    found.long.push(span);
                    found.waited += waited;
                }
                false
            }
        };
    }
    found
}
