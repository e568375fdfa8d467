//! `gilscope check`: whether a program's threads wait for the GIL more than they may, for continuous integration.
//!
//! # Which figure
//! Of each thread the share of its life that it waited for the GIL, and of these the greatest: one thread that is kept
//! waiting is what users feel, and all threads taken together would hide it behind those that sleep. But a thread of a
//! few milliseconds has waited half of its life if it waited once; so only threads that lived at least twenty switch
//! intervals of CPython's are looked at, of which one interval is 5 %, or as long as `--min-life` says. If there was none,
//! all together are taken.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::Ordering;

use color_eyre::eyre::Result;
use serde::Serialize;

use crate::engine::{Alarm, Engine, Python, cpython};
use crate::event::{LaneId, Nanos, State};
use crate::observe::launch::Streams;
use crate::observe::pythons;
use crate::session::{Phase, Record, Run, parse_duration};
use crate::trace::{self, Blame};

use super::headless::{self, Following, interruption};
use super::output::{json, output};
use super::{FAILED, complain, refuse};

/// Run a Python program, observe its GIL, and fail if a thread waits for it too much: for continuous integration
///
/// The figure is the share of its life that a thread waited for the GIL: that of the thread which waited most, among those
/// that lived as long as --min-life says; if none did, that of all threads together. Exit status: 0 within the limit, 1 above it, 2
/// refused before anything ran or not observable, 128 and the signal's number if a signal ended it (Ctrl-C: 130); if the program itself fails, its own status.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The most of its life that a thread may wait for the GIL
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = share)]
    max_gil_wait: f64,
    /// A thread must live so long to be judged alone: for example 2s where threads live for one request each
    #[arg(long, value_name = "SPAN", default_value = "100ms", value_parser = parse_duration)]
    min_life: Nanos,
    /// The interpreter: a path or a name on PATH; python3 unless said otherwise
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: OsString,
    /// Report as JSON (schema gilscope.check/1); what the program prints goes into it
    #[arg(long)]
    json: bool,
    /// Check a module, as python -m runs it
    #[arg(short = 'm', value_name = "MODULE", conflicts_with = "code")]
    module: Option<OsString>,
    /// Check code, as python -c runs it
    #[arg(short = 'c', value_name = "CODE")]
    code: Option<OsString>,
    /// The script, unless -m or -c says what to run, and its arguments; those that begin with a hyphen after --
    // Not `trailing_var_arg`: a limit that stands behind the script must not become one of its arguments.
    #[arg(value_name = "SCRIPT.py", required_unless_present_any = ["module", "code"])]
    program: Vec<OsString>,
}

impl Check {
    /// What follows the interpreter on its command line.
    fn arguments(&self) -> Result<Vec<OsString>> {
        let flag = match (&self.module, &self.code) {
            (Some(module), _) => ["-m".into(), module.clone()],
            (None, Some(code)) => ["-c".into(), code.clone()],
            (None, None) => {
                readable(&self.program[0])?;
                return Ok(self.program.clone());
            }
        };
        Ok(flag.into_iter().chain(self.program.iter().cloned()).collect())
    }
}

/// Whether a script can be read at all: the interpreter would leave with a status that says nothing of it.
fn readable(script: &OsStr) -> Result<()> {
    let about = std::fs::File::open(script).and_then(|file| file.metadata());
    match about.and_then(|about| if about.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }) {
        Ok(()) => Ok(()),
        Err(error) => Err(refuse(format!("cannot read {}: {error}", script.to_string_lossy()))),
    }
}

/// Reads `20%` or `0.2`.
fn share(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    match number.trim().parse::<f64>().map(|value| value * scale) {
        Ok(share) if (0.0..=1.0).contains(&share) && (scale < 1.0 || !text.starts_with('1')) => Ok(share),
        Ok(share) if (0.0..=1.0).contains(&share) => Err(format!("'{text}' may mean 1 % or all: write 1% or 100%")),
        _ => Err(format!("'{text}' is no share: write for example 20%, between 0% and 100%")),
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    /// Always `gilscope.check/1`.
    schema: &'static str,
    /// The most that was allowed, 0 to 1.
    max_gil_wait: f64,
    /// How long a thread must have lived to be judged alone.
    min_life_ns: Nanos,
    /// The figure that is held against it; null where nothing was seen of a GIL.
    gil_wait: Option<f64>,
    /// Whose figure it is; null if it is that of all threads together.
    thread: Option<Waiter>,
    /// All threads together; null likewise.
    all_threads: Option<f64>,
    /// Whether it is within the limit; null likewise: then nothing can be judged.
    ok: Option<bool>,
    /// How the locks were followed.
    observed: Engine,
    /// Why not exactly.
    reason: Option<String>,
    /// What else must be known, as in `gilscope.run/1`: that the program was stopped for a while, for example.
    alarms: Vec<Alarm>,
    /// The interpreter.
    python: Option<Python>,
    /// How long it ran.
    elapsed_ns: Nanos,
    /// The program's own exit status.
    exit_status: Option<u8>,
    /// What it printed: the last 1 MiB.
    output: String,
    /// How many lines it printed before these.
    output_left_out: u64,
}

/// A thread, how long it lived and waited, and for whom most.
#[derive(Clone, Debug, Serialize)]
struct Waiter {
    name: String,
    lived_ns: Nanos,
    waited_ns: Nanos,
    /// How far that may be off where short waits are known by lot only, in nineteen of twenty cases; else null.
    waited_margin_ns: Option<Nanos>,
    /// Who held the lock the longest meanwhile.
    waited_for: Option<String>,
    /// How long.
    waited_for_ns: Nanos,
    /// How long it slept and nobody saw why: it may have waited for the GIL in part of that, too.
    slept_unseen_ns: Nanos,
}

impl Waiter {
    fn share(&self) -> f64 {
        if self.lived_ns == Nanos::ZERO { 0.0 } else { self.waited_ns.0 as f64 / self.lived_ns.0 as f64 }
    }
}

/// Checks.
pub fn check(options: &Check) -> Result<ExitCode> {
    let python = pythons::find(&options.python).map_err(refuse)?;
    let args = options.arguments()?;
    let said = pythons::ask(&python);
    if let Some(why) = pythons::objection(&python) {
        return Err(refuse(why));
    }
    let said = said.map_err(|why| refuse(format!("{} cannot be used: {why}", python.display())))?;
    if let Some(why) = said.hides_its_lock() {
        // What is judged is what happened at the lock.
        return Err(refuse(format!("{} cannot be checked: {why}", python.display())));
    }
    let interrupted = interruption()?;
    let streams = if options.json { Streams::Kept(Stdio::null()) } else { Streams::Passed(Stdio::null()) };
    let source = cpython::launch(&python.into_os_string(), &args, streams)
        .map_err(|error| refuse(format!("the program could not be started: {error}")))?;
    let following = Following { interrupted: Some(&interrupted), is_program: true, ..Following::default() };
    let run = Run::observing(Box::new(source), trace::DEFAULT_BUDGET);
    let record = headless::follow(run, &following, |_| {});
    if interrupted.load(Ordering::Relaxed) {
        complain(&"interrupted: nothing is judged");
        return Ok(super::headless::interrupted());
    }
    if let Phase::Failed(why) = &record.phase {
        return Err(refuse(why));
    }
    let found = found(&record, options);
    let mut out = output();
    if options.json {
        json(&found, &mut out)?;
    } else {
        if let Some(sentence) = sentence(&found) {
            writeln!(out, "{}", crate::text::printable(&sentence))?;
        }
        for alarm in &found.alarms {
            complain(&crate::text::printable(&alarm.to_string()));
        }
    }
    out.flush()?;
    match found.exit_status {
        Some(status @ 1..) => {
            let program = record.description.program.as_ref().and_then(|program| program.end.as_ref());
            match program.filter(|end| end.starts_with("killed")) {
                Some(killed) => complain(&format_args!("the program was {killed}: exit status {status} says so")),
                None => {
                    complain(&format_args!("the program itself failed, with exit status {status}: that is passed on"))
                }
            }
            Ok(ExitCode::from(status))
        }
        _ => match found.ok {
            None => Err(refuse(format!(
                "nothing was seen of a GIL, so nothing can be judged{}",
                found.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"))
            ))),
            Some(ok) => Ok(ExitCode::from(if ok { 0 } else { FAILED })),
        },
    }
}

fn found(record: &Record, options: &Check) -> Found {
    let limit = options.max_gil_wait;
    let blame = record.trace.blame();
    let waiters: Vec<Waiter> =
        (0..record.description.lanes.len()).map(|lane| waiter(record, &blame, LaneId(lane as u32))).collect();
    let most = waiters.iter().filter(|waiter| waiter.lived_ns >= options.min_life);
    let most = most.max_by(|one, other| one.share().total_cmp(&other.share())).cloned();
    let sum = |of: fn(&Waiter) -> Nanos| waiters.iter().map(of).sum::<Nanos>().0 as f64;
    let all = sum(|waiter| waiter.waited_ns) / sum(|waiter| waiter.lived_ns).max(1.0);
    let gil_wait = most.as_ref().map_or(all, Waiter::share);
    let status = record.description.observing.clone().unwrap_or_default();
    let is_seen = status.engine != Engine::CoresOnly || record.trace.has_gil();
    let program = record.description.program.as_ref();
    Found {
        schema: "gilscope.check/1",
        max_gil_wait: limit,
        min_life_ns: options.min_life,
        gil_wait: is_seen.then_some(gil_wait),
        thread: most.filter(|_| is_seen),
        all_threads: is_seen.then_some(all),
        ok: is_seen.then_some(gil_wait <= limit),
        observed: status.engine,
        reason: status.reason.or(status.switch_records_refused),
        alarms: status.alarms,
        python: program.and_then(|program| program.python.clone()),
        elapsed_ns: record.trace.elapsed(),
        exit_status: program.and_then(|program| program.exit_status),
        output: record.output.clone(),
        output_left_out: record.output_left_out,
    }
}

/// Of a thread, the time it was there and seen, and not stopped.
fn waiter(record: &Record, blame: &[Blame], lane: LaneId) -> Waiter {
    let ledger = record.trace.lane_ledger(lane);
    let lived = State::ALL.iter().filter(|state| state.lives()).map(|state| ledger.0[state.index()]).sum();
    let most = blame.iter().filter(|blame| blame.waiter == lane).max_by_key(|blame| blame.ns);
    let name = |lane: LaneId| record.description.lanes[lane.index()].name.clone();
    Waiter {
        name: name(lane),
        lived_ns: lived,
        waited_ns: ledger.0[State::WaitingGil.index()],
        waited_margin_ns: record.trace.waiting_margin(lane),
        waited_for: most.map(|blame| name(blame.holder)),
        waited_for_ns: most.map_or(Nanos::ZERO, |blame| blame.ns),
        slept_unseen_ns: ledger.0[State::Sleeping.index()],
    }
}

/// One line: the figure, who waited most and for whom. None where there is no figure.
fn sentence(found: &Found) -> Option<String> {
    let (gil_wait, all) = (found.gil_wait?, found.all_threads?);
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let verdict = if found.ok? { "within" } else { "ABOVE" };
    let limit = percent(found.max_gil_wait);
    let how = match found.observed {
        Engine::Exact => "exact",
        Engine::Sampled => "sampled",
        Engine::Mixed => "partly sampled",
        Engine::NoLock => "the GIL is off",
        Engine::CoresOnly => "not observed",
    };
    Some(match &found.thread {
        Some(waiter) => {
            let holder = waiter.waited_for.as_ref().map_or_else(String::new, |holder| {
                format!(", {} of them while {holder} held it", waiter.waited_for_ns)
            });
            let part = |span: Nanos| span.0 as f64 / waiter.lived_ns.0.max(1) as f64;
            let (off, unseen) = (waiter.waited_margin_ns.map(part), part(waiter.slept_unseen_ns));
            let unseen = match off {
                _ if found.ok != Some(true) => String::new(),
                Some(off) if gil_wait + off > found.max_gil_wait => "; by its margin it may be more".to_owned(),
                None if gil_wait + unseen > found.max_gil_wait => {
                    format!("; it slept another {}, and nobody saw why: it may be more", percent(unseen))
                }
                _ => String::new(),
            };
            let off = off.map_or_else(String::new, |off| format!(" ±{:.0}", (off * 100.0).ceil()));
            format!(
                "GIL wait {}{off} of {}'s life ({} of {}{holder}); all threads together {}: {verdict} the limit of {limit} \
                 ({how}{unseen})",
                percent(gil_wait),
                waiter.name,
                waiter.waited_ns,
                waiter.lived_ns,
                percent(all)
            )
        }
        None => format!(
            "GIL wait {} of all threads' lives together, none of which lasted {}: {verdict} the limit of {limit} ({how})",
            percent(gil_wait),
            found.min_life_ns
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_in_per_cent_or_as_a_part_and_never_guessed() {
        assert_eq!((share("20%"), share("0.2"), share("0"), share("100%")), (Ok(0.2), Ok(0.2), Ok(0.0), Ok(1.0)));
        for text in ["20", "1", "120%", "-5%", "much", "nan%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
