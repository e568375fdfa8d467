//! The schema `gilscope.compare/1`. Fields may be added; none changes its meaning under this number.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use crate::engine::{self, Engine, driven::Python};
use crate::event::{Nanos, State};
use crate::session::{self, Comparison, Ideal, Interpreter, Progress, Row, RunSummary, Spread};
use crate::text::printable;
use crate::vm::Rules;
use crate::workload::{ArgValue, Workload};

use super::calibration::StartUp;
use super::schema::Machine;

/// What came out of a comparison.
#[derive(Debug, Serialize)]
pub struct ComparisonReport {
    /// Always `gilscope.compare/1`.
    pub schema: &'static str,
    /// The workload's id or path.
    pub workload: String,
    /// On what.
    pub machine: Machine,
    /// `ended` or `cancelled`.
    pub end: &'static str,
    /// How many workers each model was asked for.
    pub workers: u32,
    /// How many times each run called `work`.
    pub tasks: u32,
    /// With which arguments; where a size was chosen, that of the first interpreter.
    pub args: BTreeMap<String, ArgValue>,
    /// How long a waiter waited before it asked for the lock.
    pub switch_interval_ns: Nanos,
    /// Where the miniature's loop may switch, `3.9` or `3.10`; null where only real interpreters took part.
    pub rules: Option<&'static str>,
    /// As whose start-up the miniature's births cost; null for a bare one, and where only real interpreters took part.
    pub startup: Option<StartUp>,
    /// How often each model was to run.
    pub repeats_planned: u32,
    /// What these cores and so many workers allow the first interpreter; null without a baseline.
    pub ideal: Option<IdealReport>,
    /// One for each model and interpreter that runs, the baseline first.
    pub runs: Vec<ModelReport>,
    /// The models that do not run.
    pub refused: Vec<RefusedReport>,
    /// The interpreters that were asked for and cannot run the workload.
    pub refused_pythons: Vec<AbsentReport>,
}

/// A real interpreter that takes no part.
#[derive(Debug, Serialize)]
pub struct AbsentReport {
    /// Where it is.
    pub path: PathBuf,
    /// Why, in a sentence.
    pub reason: String,
}

/// What nobody can do better than.
#[derive(Debug, Serialize)]
pub struct IdealReport {
    /// How long the work takes at least.
    pub elapsed_ns: Nanos,
    /// How much faster that is than sequential's median.
    pub speedup: f64,
}

/// A model that does not run.
#[derive(Debug, Serialize)]
pub struct RefusedReport {
    /// Which.
    pub model: String,
    /// `emulated` or `cpython`.
    pub engine: &'static str,
    /// Which real interpreter; null for the miniature.
    pub python: Option<Python>,
    /// Why, in a sentence.
    pub reason: String,
}

/// A model's runs. Figures are medians over the whole runs; null where there is none, or nobody knows.
#[derive(Debug, Serialize)]
pub struct ModelReport {
    /// Its id, start method included.
    pub model: String,
    /// Its name beside others.
    pub label: String,
    /// `emulated` or `cpython`.
    pub engine: &'static str,
    /// Which real interpreter; null for the miniature.
    pub python: Option<Python>,
    /// How the locks of a real interpreter were followed; null for the miniature, and where it was not observed: then
    /// the ledger is unknown.
    pub observed: Option<Engine>,
    /// With which arguments.
    pub args: BTreeMap<String, ArgValue>,
    /// What these cores and so many workers allow this interpreter; null without its baseline.
    pub ideal: Option<IdealReport>,
    /// How many runs came to their end with every task done.
    pub repeats: usize,
    /// How long they took.
    pub elapsed_ns: Option<Spread>,
    /// Each of them, in the order in which they ran.
    pub each_elapsed_ns: Vec<Nanos>,
    /// How much faster its median is than sequential's in the same interpreter.
    pub speedup: Option<f64>,
    /// The workers' time by state, of the run nearest to the median; adds up to its workers times its length.
    pub ledger_ns: Option<BTreeMap<&'static str, Nanos>>,
    /// The workers' time on cores divided by the run's length.
    pub cores_busy: Option<f64>,
    /// Peaks of memory.
    pub memory: MemoryReport,
    /// How often a worker's lock went to another than its last holder.
    pub handoffs: Option<f64>,
    /// Of the workers' threads, by the kernel's count.
    pub context_switches: SwitchesReport,
    /// How long a worker was `starting`.
    pub startup_ns: Option<Nanos>,
    /// From ordering a worker's birth (by a forkserver: from its fork) to its first bytecode.
    pub first_work_ns: Option<Nanos>,
    /// Cores busy over time, of the run nearest to the median.
    pub profile: Option<ProfileReport>,
    /// Why its time says little, in a few words, if the machine was busy with something else; else null.
    pub disturbed: Option<String>,
    /// What went wrong in the runs that are not counted.
    pub failures: Vec<String>,
}

/// Peaks of memory, in bytes.
#[derive(Debug, Serialize)]
pub struct MemoryReport {
    /// Shared pages counted in each process.
    pub peak_rss_bytes: Option<u64>,
    /// Each shared page divided among those who share it.
    pub peak_pss_bytes: Option<u64>,
}

/// Context switches.
#[derive(Debug, Serialize)]
pub struct SwitchesReport {
    /// Because a thread waited.
    pub voluntary: Option<f64>,
    /// Although it could have gone on.
    pub involuntary: Option<f64>,
}

/// Cores busy over time.
#[derive(Debug, Serialize)]
pub struct ProfileReport {
    /// How long a cell is.
    pub cell_ns: Nanos,
    /// The mean over each cell.
    pub cores_busy: Vec<f32>,
    /// How much of that was start-up.
    pub starting: Vec<f32>,
}

/// The report of a comparison, whole or cancelled.
pub fn comparison(
    comparison: &Comparison,
    workload: &Workload,
    machine: &engine::machine::Machine,
) -> ComparisonReport {
    let experiment = &comparison.experiment;
    let args = experiment.all_args(workload).into_iter().collect();
    let emulated = comparison.interpreters().contains(&&Interpreter::Miniature);
    let refused = |row: &Row| {
        let (engine, python) = (row.interpreter.engine(), row.interpreter.python().cloned());
        Some(RefusedReport { model: row.model.clone(), engine, python, reason: row.refusal.clone()? })
    };
    let runs = comparison.rows.iter().filter(|row| row.refusal.is_none());
    ComparisonReport {
        schema: "gilscope.compare/1",
        workload: experiment.workload.clone(),
        machine: Machine {
            logical_cores: machine.logical_cores,
            physical_cores: machine.physical_cores,
            os: machine.os.clone(),
        },
        end: if comparison.progress == Progress::Done { "ended" } else { "cancelled" },
        workers: experiment.workers,
        tasks: comparison.tasks(),
        args,
        switch_interval_ns: experiment.switch_interval,
        rules: emulated.then_some(match experiment.rules {
            Rules::V3_9 => "3.9",
            Rules::V3_10 => "3.10",
        }),
        startup: experiment.start_up.as_deref().filter(|_| emulated).map(StartUp::from),
        repeats_planned: comparison.repeats,
        ideal: comparison.ideal().map(IdealReport::from),
        runs: runs.map(|row| model(comparison, workload, row)).collect(),
        refused: comparison.rows.iter().filter_map(refused).collect(),
        refused_pythons: comparison
            .absent
            .iter()
            .map(|absent| AbsentReport { path: absent.path.clone(), reason: absent.reason.clone() })
            .collect(),
    }
}

impl From<Ideal> for IdealReport {
    fn from(ideal: Ideal) -> IdealReport {
        IdealReport { elapsed_ns: ideal.elapsed, speedup: ideal.speedup }
    }
}

fn model(comparison: &Comparison, workload: &Workload, row: &Row) -> ModelReport {
    let count = |of: fn(&RunSummary) -> Option<u64>| row.median_of(|run| of(run).map(|value| value as f64));
    let span =
        |of: fn(&RunSummary) -> Option<Nanos>| Spread::of(row.whole().filter_map(of)).map(|spread| spread.median);
    let typical = row.typical();
    let ledger = |run: &RunSummary| -> BTreeMap<&'static str, Nanos> {
        State::ALL
            .into_iter()
            .map(|state| (state.name(), run.ledger.0[state.index()]))
            .filter(|(_, span)| *span > Nanos::ZERO)
            .collect()
    };
    ModelReport {
        model: row.model.clone(),
        label: row.label.clone(),
        engine: row.interpreter.engine(),
        python: row.interpreter.python().cloned(),
        observed: typical.and_then(|run| run.observed),
        args: comparison.experiment_of(row).all_args(workload).into_iter().collect(),
        ideal: comparison.baseline_of(row).and_then(|it| comparison.ideal_beside(it)).map(IdealReport::from),
        repeats: row.whole().count(),
        elapsed_ns: row.elapsed(),
        each_elapsed_ns: row.whole().map(|run| run.elapsed).collect(),
        speedup: comparison.speedup(row),
        ledger_ns: typical.map(ledger),
        cores_busy: row.cores_busy(),
        memory: MemoryReport {
            peak_rss_bytes: count(|run| run.peak_rss).map(|bytes| bytes as u64),
            peak_pss_bytes: count(|run| run.peak_pss).map(|bytes| bytes as u64),
        },
        handoffs: row.handoffs(),
        context_switches: SwitchesReport {
            voluntary: count(|run| run.voluntary),
            involuntary: count(|run| run.involuntary),
        },
        startup_ns: span(|run| Some(run.startup)),
        first_work_ns: span(|run| run.first_work),
        profile: typical.map(|run| ProfileReport {
            cell_ns: run.profile.cell,
            cores_busy: run.profile.busy.clone(),
            starting: run.profile.starting.clone(),
        }),
        disturbed: row.disturbed(comparison.cores),
        failures: row.runs.iter().filter_map(|run| run.failure.clone()).collect(),
    }
}

/// Writes a header and a row for each model; times in nanoseconds, nothing where a figure is not known.
pub fn write_csv(report: &ComparisonReport, out: impl io::Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    let fixed = [
        "workload",
        "model",
        "workers",
        "tasks",
        "repeats",
        "min_ns",
        "median_ns",
        "max_ns",
        "speedup",
        "ideal_ns",
        "cores_busy",
        "handoffs",
        "voluntary",
        "involuntary",
        "peak_rss_bytes",
        "peak_pss_bytes",
        "startup_ns",
        "first_work_ns",
        "startup_as",
        "engine",
        "python",
        "python_version",
    ];
    let states: Vec<String> = State::ALL.iter().map(|state| format!("{}_ns", state.name())).collect();
    let last = ["failures", "refusal"];
    table.write_record(fixed.into_iter().chain(states.iter().map(String::as_str)).chain(last))?;
    let common = |model: &str| {
        vec![report.workload.clone(), model.to_owned(), report.workers.to_string(), report.tasks.to_string()]
    };
    let text = |value: Option<String>| value.unwrap_or_default();
    let span = |value: Option<Nanos>| text(value.map(|span| span.0.to_string()));
    for run in &report.runs {
        let mut row = common(&run.model);
        row.extend([
            run.repeats.to_string(),
            span(run.elapsed_ns.map(|spread| spread.min)),
            span(run.elapsed_ns.map(|spread| spread.median)),
            span(run.elapsed_ns.map(|spread| spread.max)),
            text(run.speedup.map(|value| format!("{value:.4}"))),
            span(run.ideal.as_ref().map(|ideal| ideal.elapsed_ns)),
            text(run.cores_busy.map(|value| format!("{value:.4}"))),
            text(run.handoffs.map(|value| value.to_string())),
            text(run.context_switches.voluntary.map(|value| value.to_string())),
            text(run.context_switches.involuntary.map(|value| value.to_string())),
            text(run.memory.peak_rss_bytes.map(|value| value.to_string())),
            text(run.memory.peak_pss_bytes.map(|value| value.to_string())),
            span(run.startup_ns),
            span(run.first_work_ns),
            text(report.startup.as_ref().filter(|_| run.python.is_none()).map(|paid| paid.python.clone())),
        ]);
        row.extend(interpreter(run.engine, run.python.as_ref()));
        let states = State::ALL.iter().map(|state| match &run.ledger_ns {
            Some(ledger) => ledger.get(state.name()).map_or(0, |span| span.0).to_string(),
            None => String::new(),
        });
        row.extend(states);
        row.extend([run.failures.join("; "), String::new()]);
        table.write_record(row.iter().map(|cell| printable(cell)))?;
    }
    for refused in &report.refused {
        let mut row = common(&refused.model);
        row.resize(fixed.len() - INTERPRETER, String::new());
        row.extend(interpreter(refused.engine, refused.python.as_ref()));
        row.resize(fixed.len() + states.len() + 1, String::new());
        row.push(refused.reason.clone());
        table.write_record(row.iter().map(|cell| printable(cell)))?;
    }
    for absent in &report.refused_pythons {
        let mut row = common("");
        row.resize(fixed.len() - INTERPRETER, String::new());
        row.extend(["cpython".to_owned(), absent.path.display().to_string(), String::new()]);
        row.resize(fixed.len() + states.len() + 1, String::new());
        row.push(absent.reason.clone());
        table.write_record(row.iter().map(|cell| printable(cell)))?;
    }
    table.flush()
}

/// How many columns say whose interpreter it was.
const INTERPRETER: usize = 3;

fn interpreter(engine: &str, python: Option<&Python>) -> [String; INTERPRETER] {
    let path = python.map_or_else(String::new, |python| python.path.display().to_string());
    [engine.to_owned(), path, python.map_or_else(String::new, |python| python.name.clone())]
}

/// A speed-up as one says it. A single run cannot tell 15 % from noise; several earn the plain figure.
pub fn gain(speedup: f64, repeats: usize) -> String {
    let about = if repeats < 3 { "≈" } else { "" };
    match speedup {
        _ if (1.0 / speedup - 1.0).abs() <= 0.15 => "no gain".to_owned(),
        speedup if speedup >= 9.95 => format!("{about}{speedup:.0}×"),
        speedup if speedup >= 0.095 => format!("{about}{speedup:.1}×"),
        speedup => format!("{about}{speedup:.2}×"),
    }
}

/// The words for the median number: whole, and large ones in thousands.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value >= 99_950.0 => format!("{:.0}k", value / 1e3),
        value if value >= 9_999.5 => format!("{:.1}k", value / 1e3),
        value => format!("{value:.0}"),
    }
}

/// Bytes as people read them.
pub fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1024.0 => format!("{bytes:.0} B"),
        bytes if bytes < 99.5 * 1024.0 => format!("{:.1} KiB", bytes / 1024.0),
        bytes if bytes < 999.5 * 1024.0 => format!("{:.0} KiB", bytes / 1024.0),
        bytes if bytes < 99.5 * 1024.0 * 1024.0 => format!("{:.1} MiB", bytes / 1024.0 / 1024.0),
        bytes => format!("{:.0} MiB", bytes / 1024.0 / 1024.0),
    }
}

/// The median of a span over a row's whole runs.
pub(super) fn median_span(row: &Row, of: impl Fn(&RunSummary) -> Option<Nanos>) -> Option<Nanos> {
    session::median(row.whole().filter_map(|run| of(run).map(|span| span.0 as f64))).map(|span| Nanos(span as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_within_noise_are_none_and_single_runs_are_about() {
        let said = [(1.1, 5), (0.9, 5), (3.52, 5), (3.52, 1), (12.4, 5), (0.25, 3), (0.012, 3)];
        assert_eq!(
            said.map(|(speedup, repeats)| gain(speedup, repeats)),
            ["no gain", "no gain", "3.5×", "≈3.5×", "12×", "0.2×", "0.01×"]
        );
    }

    #[test]
    fn bytes_have_the_unit_that_keeps_them_short() {
        let sizes = [0, 1023, 16 << 10, 700 << 10, 10 << 20, 3 << 30];
        assert_eq!(sizes.map(bytes), ["0 B", "1023 B", "16.0 KiB", "700 KiB", "10.0 MiB", "3072 MiB"]);
    }
}
