//! Threads queue for a lock of the program's own: one works under it, the others wait for their turn.
//!
//! # The problem
//! Whoever has nothing to do sleeps in such a lock, too: a pool's idle workers, whoever is in `queue.get` or `join`. That
//! threads wait for locks nearly always says nothing, and which lock it is, or who has it, nobody tells.
//!
//! # The choice
//! Who wakes whom. A lock is let go by one that runs, so whoever ran last when a wait ended has ended it. In a queue for a
//! lock each was woken by one that had waited himself, and from then until he wakes the next it is his turn. Such turns
//! follow one another without a gap, one at a time, and all have theirs. That tells them from those without work: idle
//! workers are woken by one that waits for no lock, or by the one that has every second turn since it waits for what they
//! do; where several have work done by others, there are several turns at once; at a barrier one wakes all. And while
//! nobody works, it is nobody's turn. How long a turn is says nothing: whoever lets a lock go and takes it again at once
//! nearly always finds it free, and whom he has woken finds it taken.
//!
//! # Not chosen
//! How many wait, and how long: idle threads wait as many and as long. Two that take turns: they may hand each other work.

use std::collections::BTreeMap;

use super::facts::ratio;
use super::words::percent;
use super::{Facts, Insight, Of, Said};
use crate::event::{LaneId, Nanos, State};
use crate::trace::{Evidence, Ledger};

/// Of two that take turns each may wait for what the other does for it.
const LANES: usize = 3;

/// As in `lock_bound`: half of what two that take turns wait for one another.
const WAITS: f64 = 0.25;

/// A habit, and no accident: so many turns, and so many of each that takes part.
const TURNS: usize = 20;
const OF_EACH: usize = 5;

/// For so much of their waiting it is somebody's turn. Where work comes from outside it is nobody's in between.
const COVERED: f64 = 0.8;

/// Turns at one lock do not overlap; what looks like it is how late one is seen to wake.
const AT_ONCE: f64 = 1.05;

/// Whoever lets a lock go wakes one. A few more are woken otherwise.
const WAKES: f64 = 1.25;

/// So many times its share in the turns, and one is no equal of the others; nor is it with nearly every second turn.
const EQUALS: f64 = 2.0;
const EVERY_SECOND: f64 = 0.45;

/// Who finds a lock taken again is on a core for so long at most. Of one whose GIL is watched it is known that he did not
/// get as far as Python.
const MOMENT: Nanos = Nanos::from_micros(100);

/// Whoever sleeps for such locks in so much of what was seen of its sleep does so where it was not seen, too.
const AS_SEEN: f64 = 0.9;

/// So many changes of a lane are looked at, from the beginning on, and so many lanes of a process.
const LOOKED_AT: usize = 4_000;
const MOST_LANES: usize = 64;

/// Of so many that began to run last before a wait ended it is looked who ran longest.
const CANDIDATES: usize = 8;

pub(super) const INSIGHT: Insight = Insight { id: "own-lock-bound", of: Of::AnyProgram, find };

/// A stretch of a lane's time.
#[derive(Clone, Copy)]
struct Stretch {
    lane: LaneId,
    from: Nanos,
    to: Nanos,
}

/// What the lanes of a process did.
struct Seen {
    /// Waits for locks of the program's own that are over, in the order of their ends.
    waits: Vec<Stretch>,
    /// When they were at work and could let a lock go, in the order of their beginnings.
    at_work: Vec<Stretch>,
    /// How long each slept for such a lock though nobody looked at what it slept in.
    unseen: BTreeMap<LaneId, Nanos>,
    /// Until when all were looked at.
    until: Nanos,
}

/// Threads that take turns.
struct Queue {
    lanes: usize,
    /// How much of their lives they wait.
    waits: f64,
    /// For how much of that it is somebody's turn.
    covered: f64,
    /// How long a turn is on average.
    turn: Nanos,
}

fn find(facts: &Facts) -> Option<Said> {
    let mut processes: BTreeMap<u32, Vec<LaneId>> = BTreeMap::new();
    for lane in &facts.workers {
        processes.entry(facts.trace.lane(*lane).process).or_default().push(*lane);
    }
    let queues = processes.values().filter_map(|lanes| queue(facts, lanes));
    let queue = queues.max_by(|one, other| one.waits.total_cmp(&other.waits))?;
    Said::with(
        format!(
            "{} threads take turns, as under a lock of the program's own or where each hands work to the next: they waited \
             for that {} of their time, and for {} of it it was the turn of one that had waited itself (a turn lasts {}).",
            queue.lanes,
            percent(queue.waits),
            percent(queue.covered),
            queue.turn,
        ),
        "Try: less in a turn, above all no sleep or I/O; or a lock for each of the things it protects.",
    )
}

fn queue(facts: &Facts, lanes: &[LaneId]) -> Option<Queue> {
    // Who is woken in vain again and again is hardly ever met in the lock.
    let may_wait = |lane: &&LaneId| {
        let (ledger, life) = life(facts.trace.lane_ledger(**lane));
        ratio(ledger.0[State::WaitingLock.index()] + ledger.0[State::Sleeping.index()], life) >= WAITS
    };
    if lanes.iter().filter(may_wait).take(LANES).count() < LANES {
        return None;
    }
    let seen = look(facts, lanes);
    let (mut turns, woke) = seen.turns();
    // By lane: how many turns, and how much time they took.
    let mut shares: BTreeMap<LaneId, (usize, Nanos)> = BTreeMap::new();
    for turn in &turns {
        let share = shares.entry(turn.lane).or_default();
        *share = (share.0 + 1, share.1 + (turn.to - turn.from));
    }
    shares.retain(|_, share| share.0 >= OF_EACH);
    turns.retain(|turn| shares.contains_key(&turn.lane));
    let all: Nanos = shares.values().map(|share| share.1).sum();
    let united = united(&turns);
    let of_united: Nanos = united.iter().map(|(from, to)| *to - *from).sum();
    let most = shares.values().map(|share| share.0 as f64 / turns.len() as f64);
    let most = most.fold(0.0, f64::max);
    let (mut covered, mut waited) = (Nanos::ZERO, Nanos::ZERO);
    for wait in seen.waits.iter().filter(|wait| shares.contains_key(&wait.lane)) {
        let after = united.partition_point(|(_, to)| *to <= wait.from);
        let within = united[after..].iter().take_while(|(from, _)| *from < wait.to);
        covered += within.map(|(from, to)| (*to).min(wait.to) - (*from).max(wait.from)).sum();
        waited += wait.to - wait.from;
    }
    let lives = shares.keys().map(|lane| {
        let (ledger, life) = life(facts.trace.lane_ledger_between(*lane, facts.trace.begin_at(), seen.until));
        (ledger.0[State::WaitingLock.index()] + seen.unseen.get(lane).copied().unwrap_or_default(), life)
    });
    let (asleep, lived) = lives.fold((Nanos::ZERO, Nanos::ZERO), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    let waits = ratio(asleep, lived);
    let is_one = shares.len() >= LANES
        && turns.len() >= TURNS
        && woke as f64 <= turns.len() as f64 * WAKES
        && ratio(all, of_united) <= AT_ONCE
        && most <= EVERY_SECOND.min(EQUALS / shares.len() as f64);
    let queue = Queue {
        lanes: shares.len(),
        waits,
        covered: ratio(covered, waited),
        turn: Nanos(all.0 / turns.len().max(1) as u64),
    };
    (is_one && queue.waits >= WAITS && queue.covered >= COVERED).then_some(queue)
}

/// What a lane did, and how long it lived.
fn life(ledger: Ledger) -> (Ledger, Nanos) {
    let lives = State::ALL.into_iter().filter(|it| it.lives()).map(|it| ledger.0[it.index()]).sum();
    (ledger, lives)
}

/// Looks at all lanes for the same time: as long as none has had too many changes.
fn look(facts: &Facts, lanes: &[LaneId]) -> Seen {
    let trace = facts.trace;
    let mut seen = Seen { waits: Vec::new(), at_work: Vec::new(), unseen: BTreeMap::new(), until: Nanos::ZERO };
    let mut until = trace.now();
    for lane in lanes.iter().take(MOST_LANES) {
        let is_exact = trace.lane(*lane).evidence == Evidence::Exact;
        let ledger = trace.lane_ledger(*lane);
        let (in_locks, elsewhere) = (ledger.0[State::WaitingLock.index()], ledger.0[State::Io.index()]);
        let sleeps_as_seen = ratio(in_locks, in_locks + elsewhere) >= AS_SEEN;
        // Without its GIL nobody lets a lock go. Where the GIL is only looked at, whoever has a core may have had it.
        let works = |state: State| match is_exact {
            true => state == State::Running,
            false => state.on_core() || state == State::Unknown,
        };
        // Whether nothing has been done since the last wait: who is woken and finds the lock taken again waits on.
        let mut in_vain = false;
        for (index, span) in facts.spans(*lane).take(LOOKED_AT).enumerate() {
            if span.to >= until {
                break;
            }
            if index + 1 == LOOKED_AT {
                until = span.to;
            }
            let stretch = Stretch { lane: *lane, from: span.from, to: span.to };
            // Too short for anybody to have looked. If there was no Python in between it is in the same call as before.
            let is_unseen = is_exact && span.state == State::Sleeping && (in_vain || sleeps_as_seen);
            let is_wait = span.state == State::WaitingLock || is_unseen;
            match seen.waits.last_mut() {
                Some(last) if is_wait && in_vain && last.lane == *lane => last.to = span.to,
                _ if is_wait => seen.waits.push(stretch),
                _ => {}
            }
            if is_unseen {
                *seen.unseen.entry(*lane).or_default() += span.to - span.from;
            }
            if works(span.state) {
                seen.at_work.push(stretch);
            }
            let is_moment = match is_exact {
                true => matches!(span.state, State::Native | State::WaitingCore | State::Sleeping),
                false => works(span.state) && span.to - span.from <= MOMENT || span.state == State::WaitingCore,
            };
            in_vain = is_wait || in_vain && is_moment;
        }
    }
    seen.until = until;
    seen.waits.retain(|wait| wait.to <= until);
    seen.waits.sort_by_key(|wait| wait.to);
    seen.at_work.sort_by_key(|stretch| stretch.from);
    seen
}

impl Seen {
    /// The turns of those who were woken by one that had waited, too; and how many they woke in all.
    fn turns(&self) -> (Vec<Stretch>, usize) {
        // Of each lane that has waited the last wait so far, and whether who ended it had waited.
        let mut last: BTreeMap<LaneId, (Nanos, bool)> = BTreeMap::new();
        let mut turns: Vec<Stretch> = Vec::new();
        let mut current: BTreeMap<LaneId, usize> = BTreeMap::new();
        let mut woke = 0;
        for wait in &self.waits {
            let waker = self.waker(wait);
            let turn = waker.and_then(|waker| Some((waker, *last.get(&waker.lane)?)));
            if let Some((waker, (since, true))) = turn {
                woke += 1;
                match current.get(&waker.lane).filter(|turn| turns[**turn].from == since) {
                    Some(turn) => turns[*turn].to = waker.to,
                    None if waker.to > since => {
                        current.insert(waker.lane, turns.len());
                        turns.push(Stretch { lane: waker.lane, from: since, to: waker.to });
                    }
                    None => {}
                }
            }
            last.insert(wait.lane, (wait.to, turn.is_some()));
        }
        (turns, woke)
    }

    /// Who ran last before a wait ended, and until when.
    fn waker(&self, wait: &Stretch) -> Option<Stretch> {
        let before = self.at_work.partition_point(|stretch| stretch.from < wait.to);
        let last = self.at_work[..before].iter().rev().take(CANDIDATES).filter(|stretch| stretch.lane != wait.lane);
        last.map(|stretch| Stretch { to: stretch.to.min(wait.to), ..*stretch }).max_by_key(|stretch| stretch.to)
    }
}

/// When it was anybody's turn.
fn united(turns: &[Stretch]) -> Vec<(Nanos, Nanos)> {
    let mut sorted: Vec<_> = turns.iter().map(|turn| (turn.from, turn.to)).collect();
    sorted.sort_unstable();
    let mut united: Vec<(Nanos, Nanos)> = Vec::new();
    for (from, to) in sorted {
        match united.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => united.push((from, to)),
        }
    }
    united
}
