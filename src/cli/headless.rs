//! What the headless commands share: to be interrupted, to follow a run to its end, to print its report.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Context, Result};

use crate::engine::{machine, sampler};
use crate::report;
use crate::session::{Phase, Record, Run};
use crate::workload::Workload;

use super::complain;
use super::output::{json, output};

/// How often events are collected while nobody looks. Rings and lists hold far more than comes in between.
const EVERY: Duration = Duration::from_millis(50);
/// After so long a program that was asked to end, and is made to, is given up: whoever should do that is not there.
const PATIENCE: Duration = Duration::from_secs(10);

/// The exit status of a program that was killed.
const KILLED: u8 = 128 + signal_hook::consts::SIGKILL as u8;

/// The last signal that asked us to end; 0: none has.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Set by Ctrl-C and by whoever asks the program to end.
pub(super) fn interruption() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // Before the flag, which is what is asked for.
        signal_hook::flag::register_usize(signal, Arc::clone(&SIGNAL), signal as usize)
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .wrap_err("cannot listen for signals")?;
    }
    Ok(flag)
}

/// The exit status of one who was interrupted: 128 and the signal's number, as a shell says it.
pub(super) fn interrupted() -> ExitCode {
    ended_by(match SIGNAL.load(Ordering::Relaxed) {
        0 => signal_hook::consts::SIGINT,
        signal => signal as i32,
    })
}

/// The exit status of one whom this signal ended.
pub(super) fn ended_by(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// How a run is followed.
#[derive(Default)]
pub(super) struct Following<'a> {
    /// The run is to end when this is set.
    pub(super) interrupted: Option<&'a AtomicBool>,
    /// And after so long.
    pub(super) span: Option<Duration>,
    /// It is a real program that we started: it is asked to end. All others are just stopped.
    pub(super) is_program: bool,
    /// Whether the machine and the memory of the run's processes are sampled meanwhile.
    pub(super) sampled: bool,
}

/// Lets a run go and collects what it says until it is over; `each` time it is looked at.
pub(super) fn follow(mut run: Run, following: &Following<'_>, mut each: impl FnMut(&Record)) -> Record {
    // Without it the report says that memory is not known.
    let sampler = following.sampled.then(|| sampler::Sampler::start().ok()).flatten();
    let begin = Instant::now();
    let mut asked: Option<Instant> = None;
    run.go();
    while !run.record().is_over() {
        let left = following.span.map_or(EVERY, |span| span.saturating_sub(begin.elapsed()));
        thread::sleep(EVERY.min(left).max(Duration::from_millis(1)));
        run.poll();
        if let Some(sampler) = &sampler {
            sampler.watch(run.processes());
            sampler.samples().try_iter().for_each(|sample| run.note_sample(&sample));
        }
        each(run.record());
        let enough = following.span.is_some_and(|span| begin.elapsed() >= span);
        let interrupted = following.interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed));
        if !(enough || interrupted) || run.record().is_over() {
            continue;
        }
        match asked {
            None if following.is_program => {
                asked = Some(Instant::now());
                run.end();
            }
            Some(since) if since.elapsed() < PATIENCE => {}
            _ => run.stop(),
        }
    }
    run.into_record()
}

/// How a report is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
}

impl Format {
    pub(super) fn of(json: bool, csv: bool) -> Format {
        match (json, csv) {
            (true, _) => Format::Json,
            (_, true) => Format::Csv,
            _ => Format::Table,
        }
    }
}

/// Prints the report of a run on standard output, and on standard error why it could not go on.
pub(super) fn print(record: &Record, workload: Option<&Workload>, format: Format) -> Result<()> {
    let report = report::report(record, workload, &machine::Machine::this());
    let mut out = output();
    match format {
        Format::Json => {
            json(&report, &mut out)?;
        }
        Format::Csv => report::write_csv(&report, &mut out)?,
        Format::Table => report::write_table(&report, &mut out)?,
    }
    out.flush()?;
    if let Phase::Failed(why) = &record.phase {
        complain(why);
    }
    Ok(())
}

/// The status of a program that was observed, or success if it ended since we asked it to; `otherwise` if it is not known.
/// One that did not, and had to be killed, has not done what is expected of it: that is said, and its status told, as
/// `timeout -k` does.
pub(super) fn status_of(record: &Record, otherwise: u8) -> ExitCode {
    match &record.description.program {
        Some(program) if program.ended_by_gilscope && program.exit_status == Some(KILLED) => {
            complain(&"the program did not end when it was asked to (SIGTERM), and was killed");
            ExitCode::from(KILLED)
        }
        Some(program) if program.ended_by_gilscope => ExitCode::SUCCESS,
        program => ExitCode::from(program.as_ref().and_then(|program| program.exit_status).unwrap_or(otherwise)),
    }
}
