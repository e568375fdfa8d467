//! A free-threaded interpreter stops all threads but one, to collect garbage for instance, and those that would run lose
//! a noticeable part of their time to that.

use super::facts::ratio;
use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::event::{LaneId, LockId, Nanos, State};
use crate::text::printable;
use crate::trace::LockInfo;

/// A twentieth of the time in which threads ran or would have run: less than that a machine's other noise costs as well.
const LOST: f64 = 0.05;

pub(super) const INSIGHT: Insight = Insight { id: "stop-the-world", of: Of::AnyProgram, find };

/// What the stops of one process cost its threads.
struct Cost {
    world: LockId,
    lost: Nanos,
    would_run: Nanos,
}

fn find(facts: &Facts) -> Option<Said> {
    let trace = facts.trace;
    let costs = trace.worlds().map(|(world, info)| cost(facts, world, info));
    // Of the worlds of one process, which threads wait for alike as far as is known, the one that was stopped longest.
    let worst = costs.max_by_key(|cost| (cost.lost, trace.lock_stats(cost.world).held))?;
    let share = ratio(worst.lost, worst.would_run);
    if share < LOST {
        return None;
    }
    let stats = trace.lock_stats(worst.world);
    let times = if stats.takes == 1 { "once".to_owned() } else { format!("{} times", stats.takes) };
    let held = trace.held_by(worst.world, trace.begin_at(), trace.now());
    let by = held.into_iter().max_by_key(|(_, held)| *held).filter(|(_, held)| *held > Nanos::ZERO);
    let by = by.map_or_else(String::new, |(lane, _)| format!(", mostly by {}", printable(&trace.lane(lane).name)));
    let of_process = trace.lock(worst.world).process;
    let process = match trace.worlds().all(|(_, info)| info.process == of_process) {
        true => String::new(),
        false => format!(" of process {}", of_process + 1),
    };
    Said::with(
        format!(
            "The world{process} was stopped {times} (half {}, longest {}){by}: threads that would have run lost {} of their \
             time to it.",
            stats.hold.p50,
            stats.hold.max,
            percent(share),
        ),
        "Try: fewer garbage collections, if that is what it was stopped for (gc.freeze, gc.set_threshold, no gc.collect \
         in what runs often).",
    )
}

/// Of the threads that this world is of. Whoever sleeps anyway loses nothing.
fn cost(facts: &Facts, world: LockId, info: &LockInfo) -> Cost {
    let of_process = |lane: &&LaneId| facts.trace.lane(**lane).process == info.process;
    let ledgers = facts.workers.iter().filter(of_process).map(|lane| facts.trace.lane_ledger(*lane));
    let mut cost = Cost { world, lost: Nanos::ZERO, would_run: Nanos::ZERO };
    for ledger in ledgers {
        cost.lost += ledger.0[State::WaitingWorld.index()];
        let runs = State::ALL
            .into_iter()
            .filter(|state| state.on_core() || matches!(state, State::WaitingWorld | State::WaitingCore));
        cost.would_run += runs.map(|state| ledger.0[state.index()]).sum();
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::super::{Finding, find};
    use crate::event::{Nanos, State};
    use crate::insight::Facts;
    use crate::trace::Trace;
    use crate::trace::testing::TraceBuilder;

    /// Two threads that compute, and one that mostly sleeps and stops them for so long in every 100 ms.
    fn stopped_for(micros: u64) -> Trace {
        let stop = Nanos::from_micros(micros);
        let ms = Nanos::from_millis;
        let mut log = TraceBuilder::new().world("stop-the-world").lane("collector");
        for _ in 0..10 {
            log = log.state(State::Io, ms(60)).stopping(stop).state(State::Io, ms(40) - stop);
        }
        for name in ["worker-1", "worker-2"] {
            log = log.lane(name);
            for _ in 0..10 {
                log = log.running(ms(60)).state(State::WaitingWorld, stop).running(ms(40) - stop);
            }
        }
        for sleeper in 0..20 {
            log = log.lane(&format!("sleeper-{sleeper}")).state(State::Io, ms(1000));
        }
        log.build()
    }

    fn found(trace: &Trace) -> Option<Finding> {
        let mut facts = Facts::new(trace, 4, Nanos::from_millis(5));
        facts.is_program = true;
        find(&facts).into_iter().find(|finding| finding.id == "stop-the-world")
    }

    #[test]
    fn stops_that_cost_threads_much_are_told_however_many_sleep() {
        let finding = found(&stopped_for(12_000)).expect("it holds");
        assert_eq!(
            finding.sentence,
            "The world was stopped 10 times (half 12.0 ms, longest 12.0 ms), mostly by collector: threads that would have \
             run lost 11% of their time to it."
        );
        assert!(finding.advice.is_some_and(|advice| advice.starts_with("Try: ")));
        assert_eq!(finding.command, None);
    }

    #[test]
    fn short_stops_are_not_worth_a_word_nor_is_a_program_without_any() {
        assert_eq!(found(&stopped_for(1_000)), None);
        let running = TraceBuilder::new().world("stop-the-world").lane("worker").running(Nanos::from_secs(1)).build();
        assert_eq!(found(&running), None);
        let turns = TraceBuilder::new().lock("GIL").lane("a").running(Nanos::from_secs(1)).lane("b");
        assert_eq!(found(&turns.waiting(Nanos::from_secs(1)).build()), None);
    }

    #[test]
    fn those_who_sleep_while_the_world_stands_still_lose_nothing() {
        let ms = Nanos::from_millis;
        let log = TraceBuilder::new().world("stop-the-world").lane("collector").stopping(ms(400)).running(ms(100));
        let log = log.lane("server").state(State::Io, ms(480)).running(ms(20));
        assert_eq!(found(&log.build()), None);
    }
}
