//! `gilscope run`: a run without a screen.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Instant;

use color_eyre::eyre::Result;

use crate::engine::emulated;
use crate::session::{Phase, Run as Session};
use crate::trace;

use super::headless::{self, Following, Format, interruption};
use super::{FAILED, Settings, experiment, refuse, refuse_load, start_up};

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

/// Runs it.
pub fn run(options: &Run) -> Result<ExitCode> {
    let workload = crate::workload::load(&options.workload).map_err(|error| refuse_load(&error, &options.workload))?;
    let experiment = experiment(&workload, &options.workload, &options.settings, |model| {
        // Who makes no workers and has no event loop pays for neither.
        start_up(options.settings.bare || !(model.has_births() || model.runs_coroutines()))
    })?;
    let interrupted = interruption()?;
    let order = experiment.order(&workload, !options.no_recording).map_err(refuse)?;
    let source = emulated::start(order).map_err(refuse)?;
    let mut progress = Progress::new();
    let following = Following { interrupted: Some(&interrupted), sampled: true, ..Following::default() };
    let run = Session::new(experiment, Box::new(source), trace::DEFAULT_BUDGET);
    let record = headless::follow(run, &following, |record| {
        progress.say(record.tasks_ended(), record.results.len());
    });
    progress.clear();
    let was_interrupted = interrupted.load(Ordering::Relaxed);
    headless::print(&record, Some(&workload), Format::of(options.json, options.csv))?;
    Ok(match record.phase {
        _ if was_interrupted => super::headless::interrupted(),
        Phase::Ended if !record.has_failures() => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    })
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
