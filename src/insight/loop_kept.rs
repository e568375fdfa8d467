//! An event loop of a real program does not come back to wait for events, for long.
//!
//! # The problem
//! Of a real program nobody says which of its threads runs an event loop, nor when a callback begins. That one is busy
//! says nothing: a loop that has much to do has no pause either.
//!
//! # The choice
//! Who sleeps in `epoll` again and again runs a loop; whoever waits for a single socket sleeps in `poll` or `recv`. What
//! lies between two such sleeps is one callback, or several on end: what became ready meanwhile waited, whichever it was.
//! So that is what is said, and what it did for most of that time. Whether a loop was running meanwhile is not known: a
//! program may run one after the other (`asyncio.run`) and do something else in between. What a module does outside of any
//! function is no callback, save that it is imported by one. A sleep in another call is the blocking call that does
//! not belong there. Where it was waiting for the lock or for a core most of that time, others did it, and other diagnoses
//! tell that.
//!
//! # Not chosen
//! To say which callback: looks tell where who holds the lock is some fifty times a second, and one who sleeps holds none.

use std::collections::BTreeMap;

use super::words::{number, place_of};
use super::{Facts, Insight, Of, Said};
use crate::event::{Detail, LaneId, Nanos, State};
use crate::observe::place::Place;
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
    let mut kept = Vec::new();
    for lane in &facts.workers {
        let mut stretches = stretches(facts, *lane, &mut left);
        stretches.retain(|it| it.by != Kept::Computing || !seen(facts, *lane, it).is_some_and(is_outside));
        kept.push((*lane, stretches));
    }
    let (lane, stretches) = kept.into_iter().max_by_key(|(_, all)| all.iter().map(Stretch::length).sum::<Nanos>())?;
    let longest = stretches.iter().max_by_key(|stretch| stretch.length())?;
    let by = match longest.by {
        Kept::Computing => match seen(facts, lane, longest) {
            Some(place) => format!("computed, in {} as far as was seen", printable(&place_of(place))),
            None => "computed".to_owned(),
        },
        Kept::Native => "ran C code".to_owned(),
        Kept::Call(Detail::Sleep) => "slept for a set time".to_owned(),
        // Up to 3.10 `time.sleep` is `select` as well.
        Kept::Call(Detail::Poll) => "slept for a set time or until a socket was ready".to_owned(),
        Kept::Call(Detail::Child) => "waited for another process to end".to_owned(),
        Kept::Call(Detail::File) => "waited for a file or a pipe".to_owned(),
        Kept::Call(_) => "waited for a socket".to_owned(),
        Kept::Lock => "waited for a lock, a queue or a thread of the program's own".to_owned(),
    };
    let often = match stretches.len() {
        1 => String::new(),
        times => format!(" (one of {} times over {SLOW})", number(times as u64)),
    };
    Said::with(
        format!(
            "{} waits for events as an event loop does, and did not come back to that for {}{often}: mostly it {by}. \
             Whatever became ready meanwhile waited.",
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

/// Where a thread was seen in such a stretch, nearest to its middle.
fn seen<'a>(facts: &Facts<'a>, lane: LaneId, stretch: &Stretch) -> Option<&'a Place> {
    let middle = stretch.from + Nanos(stretch.length().0 / 2);
    facts.places?.seen_within(lane, stretch.from, stretch.to, middle).map(|(place, _)| place)
}

/// Whether it is outside of any function.
fn is_outside(place: &Place) -> bool {
    place.caller.as_ref().map_or(&place.function, |caller| &caller.function).as_ref() == "<module>"
}

/// For how long a thread did not come to wait for events, if it runs a loop. Of `left` changes no more are looked at.
fn stretches(facts: &Facts, lane: LaneId, left: &mut usize) -> Vec<Stretch> {
    // Else short sleeps are not seen, and it may have waited meanwhile.
    let sees_sleeps = facts.trace.lane(lane).core_evidence == CoreEvidence::SwitchRecords;
    let (mut found, mut sleeps) = (Vec::new(), 0);
    // Since it last waited for events, or may have, and what it did since.
    let mut since = None;
    // Nothing: it had to wait, since others were at work.
    let mut did: BTreeMap<Option<Kept>, Nanos> = BTreeMap::new();
    // What counts if it waits for events once more: after its end a loop is none.
    let mut ahead = Vec::new();
    for span in facts.spans(lane).take(*left) {
        *left -= 1;
        let kept = match (span.state, span.detail) {
            (State::Io, Detail::Epoll) => None,
            (State::Io, detail) => Some(Some(Kept::Call(detail))),
            (State::WaitingLock, _) => Some(Some(Kept::Lock)),
            (State::Running, _) if sees_sleeps => Some(Some(Kept::Computing)),
            (State::Native, _) if sees_sleeps => Some(Some(Kept::Native)),
            (State::WaitingGil | State::WaitingCore | State::WaitingWorld, _) if sees_sleeps => Some(None),
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
        let most = std::mem::take(&mut did).into_iter().max_by_key(|(_, span)| *span).and_then(|(kept, _)| kept);
        let stretch = since.zip(most).map(|(from, by)| Stretch { from, to: span.from, by });
        ahead.extend(stretch.filter(|it| it.length() >= SLOW));
        let waits = span.detail == Detail::Epoll;
        if waits {
            sleeps += 1;
            found.append(&mut ahead);
        }
        since = since.or(waits.then_some(span.to)).map(|_| span.to);
    }
    if sleeps < SLEEPS { Vec::new() } else { found }
}
