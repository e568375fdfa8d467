//! Other programs took the cores: what the run took then says as much about them as about it.
//!
//! Wanting a core is no proof: one's own lanes keep one another waiting as well. They cannot where fewer of them are on
//! cores than there are cores, so a lane that waits at such a moment waits for somebody else. The moments are looked at
//! one by one, since on average a run may have left cores free that it lacked at times.
//!
//! Nor did others take anything from one whom a limit held back, however busy they were.
//!
//! And where the rest of the machine was idle nobody took anything: the kernel wakes a thread where he has to wait for who
//! woke him, and leaves another core idle for a moment.
//!
//! Where threads of a real program wait for their lock still more, that is what is to be said first: it says itself that
//! they lack cores, too.
//!
//! Threads without a lane, as a library's own are, are the program's as well. When they were on cores is not known, only
//! for how long: so each moment for which one of them had a core may be one at which a lane lacked it.

use super::facts::ratio;
use super::words::{mean, percent};
use super::{Facts, Insight, Of, Said, cpu_limited, lock_waits};
use crate::event::{LaneId, Nanos, State};

/// Of the core time the run wanted, so much was taken by others: less is the usual noise of a machine.
const TAKEN: f64 = 0.15;

/// And they lacked one for so much of the run, all lanes together: a part of the time in which threads are awake that
/// nearly always sleep is nothing that the run takes longer for.
const OF_RUN: f64 = 0.05;

/// Others were on as many cores as were lacked; who is woken often is put where he waits although a core is idle. By
/// half, since the samples of the machine are of another time than the run, as far as one is longer.
const OF_LACKED: f64 = 0.5;

/// So many moments are looked at, spread evenly; fewer where there are many lanes.
const LOOKS: usize = 512;

/// So many lanes at moments are looked up in all.
const LOOK_UPS: usize = 32_768;

pub(super) const INSIGHT: Insight = Insight { id: "cores-taken", of: Of::AnyProgram, find };

fn find(facts: &Facts) -> Option<Said> {
    let without = facts.share_awake(State::WaitingCore);
    if without < TAKEN
        || facts.at_once(&[State::WaitingCore]) < OF_RUN
        || lock_waits::is_worst(facts)
        || cpu_limited::limit(facts).is_some()
    {
        return None;
    }
    // Where no record tells of a lane's cores, each moment in which it is drawn to be on one may be one of its queue.
    let lanes = facts.trace.lanes().map(|(lane, _)| (lane, facts.trace.queued_as_drawn(lane)));
    let lanes: Vec<(LaneId, f64)> = lanes.collect();
    let looks = (LOOK_UPS / lanes.len().max(1)).clamp(32, LOOKS) as u64;
    let cores = facts.cores as f64;
    let (mut wanted, mut taken, mut on_cores) = (0.0, 0.0, 0.0);
    for look in 0..looks {
        let at = facts.trace.begin_at() + Nanos(facts.elapsed().0 / looks * look + facts.elapsed().0 / looks / 2);
        let spans = lanes.iter().filter_map(|(lane, queued)| Some((facts.trace.span_at(*lane, at)?.state, *queued)));
        let (mut on_core, mut waiting) = (0.0, 0.0);
        for (state, queued) in spans {
            match state {
                State::WaitingCore => waiting += 1.0,
                state if state.on_core() => (on_core, waiting) = (on_core + 1.0 - queued, waiting + queued),
                _ => {}
            }
        }
        wanted += on_core + waiting;
        taken += waiting.min((cores - on_core).max(0.0));
        on_cores += on_core.min(cores);
    }
    let mean_of = |sum: f64| sum / looks as f64;
    let native = ratio(facts.books.native, facts.elapsed());
    let lacked = mean_of(taken) - native;
    if lacked < mean_of(wanted) * TAKEN {
        return None;
    }
    let ours = facts.books.ours.unwrap_or(mean_of(on_cores) + native);
    let others = facts.books.machine.map(|all| all - ours);
    if others.is_some_and(|others| others < lacked * OF_LACKED) {
        return None;
    }
    Said::with(
        format!(
            "Other programs took the cores (!): for {} of {} {} wanted one, while all of this run together was \
             on {} of {}.",
            percent(without),
            facts.their_time(),
            facts.noun(),
            mean(ours.min(cores)),
            facts.cores,
        ),
        "Try: once more when the machine is quiet.",
    )
}
