//! The notes' tables beside ours, and why they differ where they do.

use std::fmt::Write;

use serde::Serialize;

use crate::engine::machine::Machine;
use crate::event::{Nanos, State};
use crate::session::{Comparison, NotesTable, Row, RunSummary, Spread};
use crate::workload::Workload;

use super::comparison::{ComparisonReport, comparison};
use super::table::COLUMNS;
use crate::text::lines::wrapped;

/// Ratios within this factor of each other are the same.
const SAME: f64 = 1.2;

/// A table of the notes with what the same work took here.
#[derive(Debug, Serialize)]
pub struct NotesReport {
    /// What every worker does.
    pub title: String,
    /// How many cores the notes' machine had.
    pub notes_cores: usize,
    /// The lines.
    pub lines: Vec<NotesLine>,
    /// The comparisons behind them.
    pub comparisons: Vec<ComparisonReport>,
}

/// A line of a table.
#[derive(Debug, Serialize)]
pub struct NotesLine {
    /// The notes' own words, and the start method where they leave it open.
    pub label: String,
    /// The model that does it here.
    pub model: String,
    /// How long it took them.
    pub notes_ns: Nanos,
    /// Their ratio to the first line of the table.
    pub notes_ratio: f64,
    /// How long it took here; null if it did not run.
    pub elapsed_ns: Option<Spread>,
    /// Our ratio to the first line of the table.
    pub ratio: Option<f64>,
    /// Why the ratios differ; null where they do not.
    pub why: Option<String>,
}

/// Sets a table beside the comparisons that did the same.
pub fn notes(table: &NotesTable, comparisons: &[Comparison], workload: &Workload, machine: &Machine) -> NotesReport {
    let first = table.figures.first();
    let theirs = first.map_or(Nanos(1), |figure| figure.elapsed());
    let reference = first.and_then(|figure| figure.row(figure.known_models().next()?, comparisons)).map(|(_, row)| row);
    let ours = reference.and_then(Row::elapsed);
    let mut lines = Vec::new();
    for figure in &table.figures {
        let several = figure.known_models().count() > 1;
        for model in figure.known_models() {
            let found = figure.row(model, comparisons);
            let elapsed = found.and_then(|(_, row)| row.elapsed());
            let ratio = elapsed.zip(ours).map(|(here, first)| here.median.0 as f64 / first.median.0.max(1) as f64);
            let notes_ratio = figure.elapsed().0 as f64 / theirs.0 as f64;
            let start = crate::model::find(model).ok().and_then(|model| model.start).filter(|_| several);
            lines.push(NotesLine {
                label: start.map_or(figure.label.clone(), |start| format!("{}, {}", figure.label, start.name())),
                model: model.to_owned(),
                notes_ns: figure.elapsed(),
                notes_ratio,
                elapsed_ns: elapsed,
                ratio,
                why: ratio
                    .zip(found)
                    .filter(|(ratio, _)| (ratio / notes_ratio).max(notes_ratio / ratio) > SAME)
                    .and_then(|(ratio, (comparison, row))| {
                        why(table, comparison, row, reference?, ratio > notes_ratio)
                    }),
            });
        }
    }
    NotesReport {
        title: table.title.clone(),
        notes_cores: table.cores,
        lines,
        comparisons: comparisons.iter().map(|found| comparison(found, workload, machine)).collect(),
    }
}

/// What a task is made of, whoever does it; everything else is what the model and the machine add.
const WORK: [State; 4] = [State::Running, State::Native, State::Io, State::Suspended];

/// From here on a state explains something: less is the usual noise of a machine.
const WORTH_SAYING: f64 = 0.1;

/// One sentence from the ledger: the state that makes the difference, or where all the time went. None without a whole
/// run of both.
fn why(table: &NotesTable, comparison: &Comparison, row: &Row, reference: &Row, slower: bool) -> Option<String> {
    let run = row.typical()?;
    let starved = reference.typical()?.share(State::WaitingCore);
    let share = |state| run.share(state);
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let work: f64 = WORK.into_iter().map(share).sum();
    let beside = State::ALL.into_iter().filter(|state| !WORK.contains(state));
    let most = beside.max_by(|one, other| share(*one).total_cmp(&share(*other)))?;
    let much = share(most) >= WORTH_SAYING;
    let (workers, cores) = (run.workers, comparison.cores);
    let wanting = share(State::WaitingCore) * workers as f64;
    let noun_cores = |count: usize| if count == 1 { "core" } else { "cores" };
    Some(match most {
        // One worker alone has no rival among ours.
        _ if reference.model == "sequential" && starved >= 0.15 => format!(
            "The first line itself wanted a core {} of its time: this machine is busy with something else.",
            percent(starved)
        ),
        _ if !slower && !much => format!(
            "Workers are at the work itself {} of their time: hardly anything is paid for the model here.",
            percent(work)
        ),
        _ if !slower => {
            format!("A worker's {} here: {}. By its ratio the notes' run paid more.", run.elapsed, spent(run))
        }
        State::Starting if much => format!(
            "Start-up is {} of the workers' time, {} each{}.",
            percent(share(most)),
            run.startup,
            if share(most) > work { ": more than the work itself" } else { "" }
        ),
        // Those of ours that lack a core at once are more than the cores that ours leave free.
        State::WaitingCore if much && wanting > 2.0 * (cores as f64 - run.cores_busy) => format!(
            "{workers} workers share {cores} {} and want one {} of their time; start-up is {}, the work {}. The notes had {}.",
            noun_cores(cores),
            percent(share(most)),
            percent(share(State::Starting)),
            percent(work),
            table.cores
        ),
        State::WaitingCore if much => format!(
            "Workers want a core {} of their time, and are on {:.1} of {cores}: other programs have the rest.",
            percent(share(most)),
            run.cores_busy
        ),
        _ if cores < table.cores && run.cores_busy > 0.8 * cores as f64 => format!(
            "All {cores} {} are busy, {} of the workers' time with the work itself; the notes had {}.",
            noun_cores(cores),
            percent(work),
            table.cores
        ),
        _ => format!("A worker's {} here: {}.", run.elapsed, spent(run)),
    })
}

/// Where the time of each worker went, on average: the longest first, as far as a line reaches.
fn spent(run: &RunSummary) -> String {
    let mean = |state: State| Nanos(run.ledger.0[state.index()].0 / run.workers.max(1) as u64);
    let mut parts: Vec<(State, Nanos)> = State::ALL.into_iter().map(|state| (state, mean(state))).collect();
    parts.retain(|(_, span)| span.0 * 50 >= run.elapsed.0);
    parts.sort_by_key(|(_, span)| std::cmp::Reverse(*span));
    let parts: Vec<String> = parts.into_iter().take(3).map(|(state, span)| format!("{span} {}", noun(state))).collect();
    parts.join(", ")
}

/// A state as what time goes into.
fn noun(state: State) -> &'static str {
    match state {
        State::Starting => "start-up",
        State::Pickling => "pickling",
        State::Unpickling => "unpickling",
        State::Running => "running",
        State::WaitingGil => "waiting for the GIL",
        State::WaitingCore => "waiting for a core",
        State::WaitingLock => "waiting for the program's own lock",
        State::WaitingWorld => "waiting for stop-the-world",
        State::Sleeping => "sleeping",
        State::Io => "waiting for I/O",
        State::Native => "C code, the lock free",
        State::Suspended => "awaiting",
        State::Ready => "waiting for the loop",
        State::Idle => "having no task",
        State::Stopped => "being stopped",
        State::Unborn => "before its birth",
        State::Done => "after its end",
        State::Unknown => "not observed",
    }
}

/// A table as text, a hundred columns wide at most.
pub fn notes_text(report: &NotesReport, cores: usize) -> String {
    let mut out = String::new();
    let plural = |count: usize| if count == 1 { "core" } else { "cores" };
    let notes = format!("notes, {} {}", report.notes_cores, plural(report.notes_cores));
    let here = format!("here, {cores} {}", plural(cores));
    let _ = writeln!(out, " {:<34} {notes:>19}   {here:>19}", report.title);
    for line in &report.lines {
        let ours = line.elapsed_ns.zip(line.ratio).map_or_else(
            || "did not run".to_owned(),
            |(elapsed, ratio)| format!("{:>10} {:>8}", elapsed.median.to_string(), times(ratio)),
        );
        let theirs = format!("{:>10} {:>8}", line.notes_ns.to_string(), times(line.notes_ratio));
        let _ = writeln!(out, "   {:<32} {theirs}   {ours:>19}", line.label);
        if let Some(why) = &line.why {
            wrapped(why, COLUMNS - 7).iter().for_each(|line| _ = writeln!(out, "       {line}"));
        }
    }
    out
}

/// A ratio of times: 1.00 is as long as the first line.
fn times(ratio: f64) -> String {
    if ratio < 9.995 { format!("{ratio:.2}") } else { format!("{ratio:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Experiment;
    use crate::trace::Ledger;

    /// A run of two workers whose time went into one state beside running.
    fn run(millis: u64, state: State, share: u64) -> RunSummary {
        let mut ledger = Ledger([Nanos::ZERO; State::COUNT]);
        ledger.0[State::Running.index()] = Nanos::from_millis(2 * millis * (100 - share) / 100);
        ledger.0[state.index()] += Nanos::from_millis(2 * millis * share / 100);
        RunSummary {
            elapsed: Nanos::from_millis(millis),
            workers: 2,
            ledger,
            cores_busy: 1.0,
            startup: Nanos::from_millis(40),
            ..RunSummary::default()
        }
    }

    fn sleeping(threads: RunSummary, processes: RunSummary) -> NotesReport {
        let table = NotesTable::all().into_iter().find(|table| table.workload == "sleep").unwrap();
        let workload = crate::workload::load("sleep").unwrap();
        let experiment = Experiment::new("sleep", "sequential", 4);
        let row = |model: &str, run| Row {
            model: model.to_owned(),
            label: model.to_owned(),
            runs: vec![run],
            refusal: None,
            ..Row::default()
        };
        let rows =
            vec![row("sequential", run(20, State::Io, 97)), row("threads", threads), row("processes", processes)];
        let comparison = Comparison { rows, ..Comparison::new(&workload, experiment, 2, 1) };
        notes(&table, &[comparison], &workload, &Machine::this())
    }

    #[test]
    fn a_ratio_like_theirs_needs_no_reason_and_another_has_that_of_its_ledger() {
        let report = sleeping(run(6, State::Io, 90), run(200, State::Starting, 80));
        let line = |model: &str| report.lines.iter().find(|line| line.model == model).unwrap();
        assert_eq!(line("sequential").ratio, Some(1.0));
        assert_eq!(line("threads").why, None);
        let why = line("processes").why.clone().unwrap();
        assert!(why.contains("Start-up is 80%") && why.contains("40.0 ms each"), "{why}");
        let text = notes_text(&report, 2);
        assert!(text.lines().all(|line| line.chars().count() <= 100) && text.contains("4 processes"), "{text}");
    }

    #[test]
    fn too_few_cores_are_named_and_a_model_that_costs_less_too() {
        let four = RunSummary { workers: 4, cores_busy: 1.9, ..run(20, State::WaitingCore, 50) };
        let report = sleeping(four, run(4, State::Io, 5));
        let why = |model: &str| report.lines.iter().find(|line| line.model == model).unwrap().why.clone().unwrap();
        assert!(why("threads").contains("4 workers share 2 cores"), "{}", why("threads"));
        assert!(why("processes").contains("hardly anything is paid"), "{}", why("processes"));
    }

    #[test]
    fn those_that_leave_a_core_free_are_kept_from_it_by_others() {
        let report = sleeping(run(20, State::WaitingCore, 50), run(4, State::Io, 5));
        let why = report.lines.iter().find(|line| line.model == "threads").unwrap().why.clone().unwrap();
        assert!(why.contains("on 1.0 of 2: other programs have the rest"), "{why}");
    }

    #[test]
    fn where_no_state_stands_out_all_of_them_are_told_as_they_are() {
        // A sleeper is not said to run, nor to do the work all the time.
        let mut sleeper = run(10, State::Io, 85);
        sleeper.ledger.0[State::Running.index()] = Nanos::from_micros(200);
        sleeper.ledger.0[State::Unborn.index()] = Nanos::from_micros(1800);
        sleeper.ledger.0[State::Starting.index()] = Nanos::from_micros(1000);
        let report = sleeping(sleeper, run(20, State::Io, 97));
        let why = report.lines.iter().find(|line| line.model == "threads").unwrap().why.clone().unwrap();
        assert_eq!(why, "A worker's 10.0 ms here: 8.50 ms waiting for I/O, 900 µs before its birth, 500 µs start-up.");
    }
}
