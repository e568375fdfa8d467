//! Known programs with known truth: what is seen of them, against what they say of themselves.
//!
//! # The problem
//! Whether a machine lets us see exactly, by sampling, or not at all depends on
//! its processor, its kernel, its policies and the interpreter. A person who
//! is to believe the figures wants to know how wrong they are here.
//!
//! # The choice
//! Small programs measure themselves with CPython's own clocks
//! (`time.thread_time`, `time.perf_counter` around what they wait for) while
//! they are observed as any program is, and both figures are set side by side.
//! What is compared does not depend on how busy the machine is: a thread that
//! only computes is, when it is not on a core, kept off it.
//!
//! # Not chosen
//! A comparison with fixed figures (a hold of 5 ms): they are CPython's and the
//! kernel's affair, and true on an idle machine only.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::engine::cpython;
use crate::event::{LaneId, Nanos, State};
use crate::model::LockKind;
use crate::observe::launch::Streams;
use crate::program::Lent;
use crate::trace;

use super::{Record, Run};

/// A program that measures itself.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name in JSON.
    pub id: &'static str,
    /// What it is, in words.
    pub title: &'static str,
    source: &'static str,
    compared: &'static [(&'static str, Quantity)],
}

/// What is compared, of every thread that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    /// On a core, by `time.thread_time`.
    OnCore,
    /// Neither on a core nor wanting to be elsewhere: what is left of the time of a thread that only computes.
    KeptOff,
    /// In a sleep, by the clock around it.
    Asleep,
    /// Later than it wanted to wake up, and than the timer lets it.
    Late,
    /// In C code that released the lock, by the clock around it.
    Native,
    /// How often the lock changed hands, by CPython's own count.
    HandOffs,
}

macro_rules! program {
    ($file:literal) => {
        concat!(
            include_str!("../../assets/selftest/account.py"),
            "\n\n",
            include_str!(concat!("../../assets/selftest/", $file))
        )
    };
}

const TURNS: &[(&str, Quantity)] =
    &[("on a core", Quantity::OnCore), ("kept from computing", Quantity::KeptOff), ("hand-offs", Quantity::HandOffs)];

/// Every known program.
pub const KNOWN: &[Known] = &[
    Known { id: "two", title: "two threads that compute", source: program!("two.py"), compared: TURNS },
    Known { id: "four", title: "four threads that compute", source: program!("four.py"), compared: TURNS },
    Known {
        id: "sleeper",
        title: "a sleeper",
        source: program!("sleeper.py"),
        compared: &[("asleep", Quantity::Asleep)],
    },
    Known {
        id: "convoy",
        title: "a convoy",
        source: program!("convoy.py"),
        compared: &[("on a core", Quantity::OnCore), ("waits after waking", Quantity::Late)],
    },
    Known {
        id: "short",
        title: "short waits",
        source: program!("short.py"),
        compared: &[("waits after waking", Quantity::Late)],
    },
    Known {
        id: "native",
        title: "C code, lock released",
        source: program!("native.py"),
        compared: &[("on a core", Quantity::OnCore), ("in C code", Quantity::Native)],
    },
    Known {
        id: "retake",
        title: "a lock retaken all the time",
        source: program!("retake.py"),
        compared: &[("on a core", Quantity::OnCore)],
    },
];

/// What a program says of itself, in its last line.
#[derive(Clone, Debug, Deserialize)]
struct Said {
    gilscope_selftest: Vec<Account>,
}

/// What a thread says of itself, in seconds.
#[derive(Clone, Debug, Deserialize)]
struct Account {
    /// The kernel's number of it.
    thread: u32,
    cpu: f64,
    wall: f64,
    asleep: Option<f64>,
    late: Option<f64>,
    native: Option<f64>,
    /// How long it slept as it meant to, where that is not compared.
    meant: Option<f64>,
    /// How long it queued for a core, by the kernel's sums.
    queued: Option<f64>,
}

/// One figure, from both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// `ns`, or `times`.
    pub unit: &'static str,
    /// What the program says.
    pub reported: u64,
    /// What was seen.
    pub seen: u64,
    /// Of its threads' time so much is not known and may be more of it.
    pub unknown: u64,
    /// How far apart they are, what is not known left out: 0.01 is 1 % of what it says, or of a tenth of its threads'
    /// time where that is more.
    pub error: f64,
    /// How far they may be.
    pub tolerance: f64,
    /// Whether they are within that.
    pub within: bool,
}

/// What became of one program.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Which.
    pub id: &'static str,
    /// In words.
    pub title: &'static str,
    /// How its lock was followed at the end.
    pub engine: Engine,
    /// Why not exactly; null if it was.
    pub reason: Option<String>,
    /// How much of its threads' time nothing is known of, 0 to 1.
    pub unknown: f64,
    /// Figure by figure.
    pub findings: Vec<Finding>,
    /// The interpreter's version, if it is one that was recognised.
    pub python: Option<String>,
}

impl Verdict {
    /// Whether every figure is within its tolerance, and enough is known at all.
    pub fn within(&self) -> bool {
        self.unknown <= MOST_UNKNOWN && self.findings.iter().all(|finding| finding.within)
    }
}

/// Where every take and drop is recorded.
const EXACT: f64 = 0.05;
/// Where the lock is looked at a thousand times a second.
const SAMPLED: f64 = 0.15;
/// A thread that queues for a core for so much of its time, 0 to 1, is on a crowded machine: who queues for a fifth of a
/// millisecond at the end of a wait of five is woken too late for the wait to be told.
const CROWDED: f64 = 0.01;
/// How much of its threads' time may be unknown, 0 to 1.
pub const MOST_UNKNOWN: f64 = 0.2;
/// How much longer than it should a program may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum NoVerdict {
    /// The program could not be started, or does not do what a Python would.
    #[error("{0}")]
    Refused(String),
    /// Somebody interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// Runs a known program for so long, observed, and compares.
pub fn examine(
    known: &Known,
    python: &Path,
    span: Duration,
    interrupted: &dyn Fn() -> bool,
) -> Result<Verdict, NoVerdict> {
    let refused = |error: io::Error| NoVerdict::Refused(format!("the program could not be started: {error}"));
    let script = Lent::new("gilscope-selftest.py", known.source.as_bytes()).map_err(refused)?;
    let args = [script.path().into_os_string(), OsString::from(span.as_secs_f64().to_string())];
    let source =
        cpython::launch(&python.as_os_str().to_owned(), &args, Streams::Kept(Stdio::null())).map_err(refused)?;
    let mut run = Run::observing(Box::new(source), trace::DEFAULT_BUDGET);
    let until = Instant::now() + span + PATIENCE;
    let mut why = None;
    run.go();
    while !run.record().is_over() {
        std::thread::sleep(Duration::from_millis(20));
        run.poll();
        let late = Instant::now() > until;
        if (late || interrupted()) && why.is_none() {
            why = Some(if late { NoVerdict::Refused("it does not end".to_owned()) } else { NoVerdict::Interrupted });
            run.end();
        }
    }
    match why {
        Some(why) => Err(why),
        None => judge(known, &run.into_record()),
    }
}

fn judge(known: &Known, record: &Record) -> Result<Verdict, NoVerdict> {
    let said = record.output.lines().rev().find_map(|line| serde_json::from_str::<Said>(line).ok());
    let Some(said) = said else {
        let last = record.output.lines().next_back().unwrap_or("it printed nothing");
        let last = crate::text::printable(last);
        return Err(NoVerdict::Refused(format!("it does not run {} as a Python would: {last}", known.id)));
    };
    let status = record.description.observing.clone().unwrap_or_default();
    let accounts = &said.gilscope_selftest;
    let lanes: Vec<Option<LaneId>> = accounts.iter().map(|account| lane_of(record, account.thread)).collect();
    let unknown = accounts.iter().zip(&lanes).map(|(account, lane)| (unknown_of(record, account, *lane), account.wall));
    let unknown = share_unknown(unknown);
    let is_exact = status.engine == Engine::Exact;
    let mut findings = Vec::new();
    for (what, quantity) in known.compared {
        if *quantity == Quantity::HandOffs {
            findings.extend(status.locks.iter().find(|lock| lock.kind == LockKind::Gil).and_then(|lock| {
                // What was only counted by CPython itself is no second opinion.
                (is_exact && lock.sampled_ns == Nanos::ZERO)
                    .then(|| finding(what, "times", lock.switch_number, (lock.handoffs_seen, 0), 50, EXACT))
            }));
            continue;
        }
        let mut sums = (0.0, (Nanos::ZERO, Nanos::ZERO), 0.0);
        for (account, lane) in accounts.iter().zip(&lanes) {
            let Some((reported, states)) = quantity.of(account) else { continue };
            let time = |states| lane.map_or(Nanos::ZERO, |lane| time(record, lane, states));
            let may_be = match quantity {
                Quantity::Late if is_exact => may_be_late(record, account, *lane),
                _ if states.iter().any(|state| state.on_core()) => Nanos::ZERO,
                // A sleep whose reason is not known may have been this one.
                Quantity::Late => time(&[State::Sleeping, State::WaitingCore]),
                _ => time(&[State::Sleeping]),
            };
            let (seen, unknown) = (time(states), time(&[State::Unknown]) + may_be);
            sums = (sums.0 + reported, (sums.1.0 + seen, sums.1.1 + unknown), sums.2 + account.wall);
        }
        let tolerance = if is_exact { EXACT } else { SAMPLED };
        findings.push(finding(what, "ns", nanos(sums.0), (sums.1.0.0, sums.1.1.0), nanos(sums.2 / 10.0), tolerance));
    }
    Ok(Verdict {
        id: known.id,
        title: known.title,
        engine: status.engine,
        reason: status.reason,
        unknown,
        findings,
        python: record.description.program.as_ref().and_then(|it| it.python.as_ref()).map(|it| it.version.clone()),
    })
}

impl Quantity {
    /// What a thread says of it, in seconds, and in which states it is seen; none where it says nothing.
    fn of(self, account: &Account) -> Option<(f64, &'static [State])> {
        const KEPT_OFF: &[State] = &[State::WaitingGil, State::WaitingCore];
        Some(match self {
            Quantity::OnCore => (account.cpu, &[State::Running, State::Native]),
            Quantity::KeptOff => (account.wall - account.cpu, KEPT_OFF),
            Quantity::Asleep => (account.asleep?, &[State::Io]),
            Quantity::Late => (account.late?, &[State::WaitingGil]),
            // With the lock released it may still have to wait for a core.
            Quantity::Native => (account.native?, &[State::Native, State::WaitingCore]),
            Quantity::HandOffs => return None,
        })
    }
}

fn finding(
    what: &'static str,
    unit: &'static str,
    reported: u64,
    (seen, unknown): (u64, u64),
    least: u64,
    tolerance: f64,
) -> Finding {
    // What is shown as unknown is not claimed to be anything else.
    let apart = reported.abs_diff(reported.clamp(seen, seen.saturating_add(unknown)));
    let error = apart as f64 / reported.max(least).max(1) as f64;
    Finding { what, unit, reported, seen, unknown, error, tolerance, within: error <= tolerance }
}

/// Of a thread's time, what nothing is known of.
fn unknown_of(record: &Record, account: &Account, lane: Option<LaneId>) -> Nanos {
    let time = |state| lane.map_or(Nanos::ZERO, |lane| time(record, lane, &[state]));
    let meant = nanos(account.meant.unwrap_or_default());
    time(State::Unknown) + Nanos(time(State::Sleeping).0.saturating_sub(meant))
}

/// How much of the threads' time nothing is known of, 0 to 1: of each, so much and how long it was at it, in seconds. A thread
/// lives longer than its account: it starts before, and ends after. That is nobody's measured time, known or not.
fn share_unknown(threads: impl Iterator<Item = (Nanos, f64)>) -> f64 {
    let (unknown, wall) = threads.fold((0.0, 0.0), |(unknown, wall), (much, of)| {
        let of = of.max(0.0);
        (unknown + much.as_secs_f64().min(of), wall + of)
    });
    if wall > 0.0 { unknown / wall } else { 0.0 }
}

/// Of a thread that is late and whose lock is watched, the time that may be part of it. What was a wait for the lock is told
/// without a look, and to be told as one. The queue for a core may be, or not: who was woken is asleep still to the kernel's
/// switch records and late by its own clock, and who is taken off its core elsewhere is not late. Where it is long, waits end
/// too late after a drop to be told by it.
fn may_be_late(record: &Record, account: &Account, lane: Option<LaneId>) -> Nanos {
    let time = |state| lane.map_or(Nanos::ZERO, |lane| time(record, lane, &[state]));
    let queued = nanos(account.queued.unwrap_or_default()).max(time(State::WaitingCore).0);
    let is_crowded = queued as f64 > CROWDED * account.wall * 1e9;
    let sleeps = time(State::Sleeping).0.saturating_sub(nanos(account.meant.unwrap_or_default()));
    Nanos(queued + if is_crowded { sleeps } else { 0 })
}

fn nanos(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

fn lane_of(record: &Record, thread: u32) -> Option<LaneId> {
    record.trace.lanes().find(|(_, info)| info.tid == Some(thread)).map(|(lane, _)| lane)
}

fn time(record: &Record, lane: LaneId, states: &[State]) -> Nanos {
    let ledger = record.trace.lane_ledger(lane);
    states.iter().map(|state| ledger.0[state.index()]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_part_of_what_is_reported_unless_that_is_next_to_nothing() {
        let far = finding("on a core", "ns", 1000, (940, 0), 100, EXACT);
        assert!((far.error - 0.06).abs() < 1e-9 && !far.within);
        let near = finding("on a core", "ns", 1000, (1040, 30), 100, EXACT);
        assert!((near.error - 0.04).abs() < 1e-9 && near.within);
        let unknown = finding("on a core", "ns", 1000, (900, 60), 100, EXACT);
        assert!((unknown.error - 0.04).abs() < 1e-9 && unknown.within, "at best 960");
        // Three of none is no infinite error.
        let little = finding("kept from computing", "ns", 0, (3, 0), 100, EXACT);
        assert!((little.error - 0.03).abs() < 1e-9 && little.within);
        assert!(!finding("hand-offs", "times", 190, (0, 0), 50, EXACT).within);
    }

    #[test]
    fn no_more_of_a_thread_is_unknown_than_it_was_at_work() {
        let ms = |ms: u64| Nanos(ms * 1_000_000);
        let all = share_unknown([(ms(1004), 1.0), (ms(1003), 1.0)].into_iter());
        assert!((all - 1.0).abs() < 1e-9, "{all}");
        let half = share_unknown([(ms(1004), 1.0), (ms(0), 1.0)].into_iter());
        assert!((half - 0.5).abs() < 1e-9, "what one has too much of is not the other's: {half}");
        assert!((share_unknown(std::iter::empty())).abs() < 1e-9, "of no time nothing is unknown");
    }

    #[test]
    fn a_thread_is_asked_only_for_what_it_tells_of() {
        let line =
            r#"{"gilscope_selftest": [{"role": "x", "thread": 7, "cpu": 0.25, "wall": 1.0, "count": 9, "late": 0.5}]}"#;
        let said: Said = serde_json::from_str(line).unwrap();
        let account = &said.gilscope_selftest[0];
        assert_eq!(Quantity::KeptOff.of(account).map(|(seconds, _)| seconds), Some(0.75));
        assert_eq!(Quantity::Late.of(account).map(|(seconds, _)| seconds), Some(0.5));
        assert!(Quantity::Asleep.of(account).is_none() && Quantity::Native.of(account).is_none());
        assert!(serde_json::from_str::<Said>(r#"{"gilscope_selftest": 1}"#).is_err());
    }
}
