//! `gilscope run`: a run without a screen.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Context, Result};

use crate::engine::{emulated, machine, sampler};
use crate::report;
use crate::session::{Phase, Run as Session};
use crate::trace;

use super::{FAILED, INTERRUPTED, Settings, complain, experiment, refuse};

/// Run a workload without a screen and report what happened
#[derive(Debug, clap::Args)]
pub struct Run {
    /// The workload: one of `gilscope list workloads`, or a Python file
    workload: String,
    #[command(flatten)]
    settings: Settings,
    /// Report as JSON (schema gilscope.run/1)
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Report as CSV, one row a lane
    #[arg(long)]
    csv: bool,
    /// Record no events: to measure what recording costs
    #[arg(long, hide = true)]
    no_recording: bool,
}

/// How often events are collected while nobody looks. The rings hold far more than comes in between.
const EVERY: Duration = Duration::from_millis(20);

/// Runs it.
pub fn run(options: &Run) -> Result<ExitCode> {
    let workload = crate::workload::load(&options.workload).map_err(refuse)?;
    let experiment = experiment(&workload, &options.workload, &options.settings)?;
    let interrupted = interruption()?;
    let order = experiment.order(&workload, !options.no_recording).map_err(refuse)?;
    let source = emulated::start(order).map_err(refuse)?;
    let mut run = Session::new(experiment, Box::new(source), trace::DEFAULT_BUDGET);
    let mut progress = Progress::new();
    // Without it the report says that memory is not known.
    let sampler = sampler::Sampler::start().ok();
    run.go();
    while !run.record().is_over() {
        thread::sleep(EVERY);
        run.poll();
        if let Some(sampler) = &sampler {
            sampler.watch(run.pids());
            sampler.samples().try_iter().for_each(|sample| run.note_sample(&sample));
        }
        progress.say(run.record().tasks_ended(), run.record().results.len());
        if interrupted.load(Ordering::Relaxed) {
            run.stop();
        }
    }
    progress.clear();
    let was_interrupted = interrupted.load(Ordering::Relaxed);
    let record = run.into_record();
    let report = report::report(&record, Some(&workload), &machine::Machine::this());
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else if options.csv {
        report::write_csv(&report, &mut out)?;
    } else {
        report::write_table(&report, &mut out)?;
    }
    out.flush()?;
    if let Phase::Failed(why) = &record.phase {
        complain(why);
    }
    Ok(match record.phase {
        _ if was_interrupted => ExitCode::from(INTERRUPTED),
        Phase::Ended if !record.has_failures() => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    })
}

/// Set by Ctrl-C and by whoever asks the program to end.
pub(super) fn interruption() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).wrap_err("cannot listen for signals")?;
    }
    Ok(flag)
}

/// One line on standard error while it is a terminal.
struct Progress {
    wanted: bool,
    since: Instant,
    said: String,
}

impl Progress {
    fn new() -> Progress {
        Progress { wanted: io::stderr().is_terminal(), since: Instant::now(), said: String::new() }
    }

    fn say(&mut self, done: usize, all: usize) {
        let line = format!("{done} of {all} tasks, {} s", self.since.elapsed().as_secs());
        if self.wanted && line != self.said {
            // Nobody may be there to read it.
            let _ = write!(io::stderr(), "\r{line}\x1b[K");
            self.said = line;
        }
    }

    fn clear(&self) {
        if self.wanted && !self.said.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
