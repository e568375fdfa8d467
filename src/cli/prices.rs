//! `gilscope prices`: what one more worker costs.
//!
//! Start time is that of one worker alone: from the order of its birth (by a
//! forkserver that is up: from its fork) to its first bytecode, by the recorded
//! phases. Memory is a difference, so that what is there anyway is not charged:
//! the proportional memory of a run with several more workers, less that with
//! one, divided by how many more. The workers only sleep, all of them at once.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use color_eyre::eyre::Result;
use serde_json::json;

use crate::calibration::Calibration;
use crate::engine::machine::Machine;
use crate::model::{self, Model};
use crate::report::{Price, StartUp, prices_text};
use crate::session::{Contest, Experiment, Row, Spread};
use crate::workload::{ArgValue, Workload};

use super::compare::print;
use super::contest::Contests;
use super::output::{json, output};
use super::{FAILED, refuse};

/// What one more worker costs under each model: start time and memory, measured now
#[derive(Debug, clap::Args)]
pub struct Prices {
    /// How often each start is measured
    #[arg(long, value_name = "R", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Leave out CPython's start-up: what the miniature itself takes
    #[arg(long)]
    bare: bool,
    /// As JSON (schema gilscope.prices/1)
    #[arg(long)]
    json: bool,
}

/// What the workers do.
const WORKLOAD: &str = "sleep";

/// Long enough for proportional memory to be read after the last worker is there.
const SLEEP: f64 = 1.5;

/// Measures and prints the price list.
pub fn prices(options: &Prices) -> Result<ExitCode> {
    let workload = Arc::new(crate::workload::load(WORKLOAD).map_err(refuse)?);
    // Those without a ceiling have no number of workers, so there is none more.
    let models: Vec<&Model> = model::ALL.iter().copied().filter(|model| model.ceiling.is_some()).collect();
    let start_up = super::start_up(options.bare)?;
    let paid = start_up.as_deref().map(StartUp::from);
    let mut bench = Bench { contests: Contests::new()?, workload, start_up, failed: false };
    let starts = bench.measure(&models, 1, 0.0, options.repeat);
    let mut prices = Vec::new();
    for model in models {
        let start = starts.iter().find(|row| row.model == model.id);
        let more = more(model);
        let (one, several) = (bench.memory(model, 1), bench.memory(model, 1 + more));
        let each = |(several, one): (f64, f64)| ((several - one) / f64::from(more)).max(0.0) as u64;
        prices.push(Price {
            model: model.id,
            description: model.description,
            start_ns: start.and_then(|row| Spread::of(row.whole().filter_map(|run| run.first_work))),
            memory_bytes: several.zip(one).map(each),
            more,
        });
    }
    let interrupted = bench.contests.interrupted();
    let mut out = output();
    if options.json {
        let report = json!({
            "schema": "gilscope.prices/1", "engine": "emulated", "machine": Machine::this(), "startup": paid,
            "prices": prices,
            "end": if interrupted { "cancelled" } else { "ended" },
        });
        json(&report, &mut out)?;
    } else {
        print(&prices_text(&prices, options.repeat, paid.as_ref()), &mut out)?;
    }
    out.flush()?;
    Ok(match () {
        () if interrupted => super::headless::interrupted(),
        () if bench.failed => ExitCode::from(FAILED),
        () => ExitCode::SUCCESS,
    })
}

/// Where workers are priced.
struct Bench {
    contests: Contests,
    workload: Arc<Workload>,
    start_up: Option<Arc<Calibration>>,
    failed: bool,
}

impl Bench {
    /// One row a model; nothing once somebody has interrupted.
    fn measure(&mut self, models: &[&Model], workers: u32, seconds: f64, repeats: u32) -> Vec<Row> {
        if self.contests.interrupted() {
            return Vec::new();
        }
        let mut contest = contest(models, workers, seconds, repeats);
        contest.experiment.start_up.clone_from(&self.start_up);
        let Some(found) = self.contests.carry_out_only(&self.workload, &contest) else { return Vec::new() };
        self.failed |= found.has_failures();
        found.rows
    }

    /// The proportional memory of a run with so many workers, in bytes.
    fn memory(&mut self, model: &Model, workers: u32) -> Option<f64> {
        let rows = self.measure(&[model], workers, SLEEP, 1);
        rows.first()?.median_of(|run| run.peak_pss.map(|bytes| bytes as f64))
    }
}

/// So many more workers make a difference that can be told from noise.
fn more(model: &Model) -> u32 {
    match model.plan(2) {
        // A coroutine is a few hundred bytes.
        _ if model.runs_coroutines() => 4096,
        Ok(plan) if plan.worker_processes() == 1 => 64,
        _ => 8,
    }
}

fn contest(models: &[&Model], workers: u32, seconds: f64, repeats: u32) -> Contest {
    Contest {
        experiment: Experiment {
            args: vec![("seconds".to_owned(), ArgValue::Float(seconds))],
            ..Experiment::new(WORKLOAD, "sequential", workers)
        },
        models: models.iter().map(|model| model.id.to_owned()).collect(),
        repeats,
        lasts: None,
        interpreters: Vec::new(),
        at_most: None,
    }
}
