//! An event loop of a real program does not come back to wait for events, for long.
//!
//! # The problem
//! Of a real program nobody says which of its threads runs an event loop, nor when a callback begins. That one is busy
//! says nothing: a loop that has much to do has no pause either.
//!
//! # The choice
//! Who sleeps in `epoll` again and again runs a loop; whoever waits for a single socket sleeps in `poll` or `recv`. What
//! lies between two such sleeps is one callback, or several on end: what became ready meanwhile waited, whichever it was.
//! So that is what is said, and what it did for most of that time. A sleep in another call is the blocking call that does
//! not belong there. Where it was waiting for the lock or for a core most of that time, others did it, and other diagnoses
//! tell that.
//!
//! # Not chosen
//! To say which callback: looks tell where who holds the lock is some fifty times a second, and one who sleeps holds none.

use std::collections::BTreeMap;

use super::words::{number, place_of};
use super::{Facts, Insight, Of, Said};
use crate::event::{Detail, LaneId, Nanos, State};
use crate::record::CoreEvidence;
use crate::text::printable;

/// What asyncio itself calls slow (`loop.slow_callback_duration`).
const SLOW: Nanos = Nanos::from_millis(100);

/// A habit, and no accident.
const SLEEPS: usize = 5;

/// So many changes are looked at in all.
const LOOKED_AT: usize = 400_000;

pub(super) const INSIGHT: Insight = Insight { id: "loop-kept", of: Of::AnyProgram, find };

/// What kept a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    /// Its thread ran Python, ...
    Computing,
    /// ... or C code without the lock.
    Native,
    /// It slept in such a call, ...
    Call(Detail),
    /// ... or in a lock of the program's own.
    Lock,
    /// It had to wait: others were at work.
    Waiting,
}

/// For how long a loop was kept, and what kept it for most of that.
struct Stretch {
    from: Nanos,
    to: Nanos,
    by: Kept,
}

impl Stretch {
    fn length(&self) -> Nanos {
        self.to - self.from
    }
}

fn find(facts: &Facts) -> Option<Said> {
    if !facts.is_program {
        return None;
    }
    let mut left = LOOKED_AT;
    let kept = facts.workers.iter().map(|lane| (*lane, stretches(facts, *lane, &mut left)));
    let (lane, stretches) = kept.max_by_key(|(_, all)| all.iter().map(Stretch::length).sum::<Nanos>())?;
    let longest = stretches.iter().max_by_key(|stretch| stretch.length())?;
    let middle = longest.from + Nanos(longest.length().0 / 2);
    let seen = || facts.places?.seen_within(lane, longest.from, longest.to, middle);
    let by = match longest.by {
        Kept::Computing => match seen() {
            Some((place, _)) => format!("computed, in {} as far as was seen", printable(&place_of(place))),
            None => "computed".to_owned(),
        },
        Kept::Native => "ran C code".to_owned(),
        Kept::Call(Detail::Sleep) => "slept for a set time".to_owned(),
        Kept::Call(Detail::Child) => "slept until another process ended".to_owned(),
        Kept::Call(Detail::File) => "slept in a file or a pipe".to_owned(),
        Kept::Call(_) => "slept in a socket".to_owned(),
        Kept::Lock => "slept in a lock of the program's own".to_owned(),
        Kept::Waiting => return None,
    };
    let often = match stretches.len() {
        1 => String::new(),
        times => format!(" (one of {} times over {SLOW})", number(times as u64)),
    };
    Said::with(
        format!(
            "{} runs an event loop, which stood still for {}{often}: mostly it {by}. Whatever became ready meanwhile waited.",
            printable(&facts.trace.lane(lane).name),
            longest.length(),
        ),
        match longest.by {
            Kept::Computing | Kept::Native => {
                "Try: the computation in pieces with await asyncio.sleep(0) between, or in a process."
            }
            _ => "Try: the awaitable counterpart of the blocking call, or asyncio.to_thread.",
        },
    )
}

/// For how long a thread did not come to wait for events, if it runs a loop. Of `left` changes no more are looked at.
fn stretches(facts: &Facts, lane: LaneId, left: &mut usize) -> Vec<Stretch> {
    // Else short sleeps are not seen, and it may have waited meanwhile.
    let sees_sleeps = facts.trace.lane(lane).core_evidence == CoreEvidence::SwitchRecords;
    let (mut found, mut sleeps) = (Vec::new(), 0);
    // Since it last waited for events, or may have, and what it did since.
    let mut since = None;
    let mut did: BTreeMap<Kept, Nanos> = BTreeMap::new();
    // What counts if it waits for events once more: after its end a loop is none.
    let mut ahead = Vec::new();
    for span in facts.spans(lane).take(*left) {
        *left -= 1;
        let kept = match (span.state, span.detail) {
            (State::Io, Detail::Epoll) => None,
            (State::Io, detail) => Some(Kept::Call(detail)),
            (State::WaitingLock, _) => Some(Kept::Lock),
            (State::Running, _) if sees_sleeps => Some(Kept::Computing),
            (State::Native, _) if sees_sleeps => Some(Kept::Native),
            (State::WaitingGil | State::WaitingCore | State::WaitingWorld, _) if sees_sleeps => Some(Kept::Waiting),
            // It may wait for events, unseen.
            _ => None,
        };
        if let Some(kept) = kept {
            if !sees_sleeps {
                (since, did) = (since.map(|_| span.from), BTreeMap::new());
            }
            *did.entry(kept).or_default() += span.to - span.from;
            continue;
        }
        let most = std::mem::take(&mut did).into_iter().max_by_key(|(_, span)| *span).map(|(kept, _)| kept);
        let stretch = since.zip(most).map(|(from, by)| Stretch { from, to: span.from, by });
        ahead.extend(stretch.filter(|it| it.length() >= SLOW && it.by != Kept::Waiting));
        let waits = span.detail == Detail::Epoll;
        if waits {
            sleeps += 1;
            found.append(&mut ahead);
        }
        since = since.or(waits.then_some(span.to)).map(|_| span.to);
    }
    if sleeps < SLEEPS { Vec::new() } else { found }
}
