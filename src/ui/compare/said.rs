//! The sentence below the models.

use crate::app::words::{capital, how_long, sanitised};
use crate::app::{Action, State, compare};
use crate::session::Comparison;

use super::gain;

/// What came out, or what to do.
pub(super) fn said(state: &State) -> String {
    if let Some(message) = &state.message {
        return message.clone();
    }
    let enter = state.keymap.key(Action::RunOrStop);
    let Some(comparison) = &state.compare.comparison else {
        return format!("{enter} runs the same work under every model, {} times each, in turn.", compare::REPEATS);
    };
    if let Some(expected) = comparison.expected.filter(|_| state.compare.asks()) {
        let key = state.keymap.key(Action::Baseline);
        let (long, rounds) = (how_long(expected), comparison.repeats);
        return format!(
            "One at a time takes {long}, and each of {rounds} rounds does it. {key} compares all the same."
        );
    }
    if !comparison.is_over() {
        return format!("Each round runs every model once. {enter} cancels and keeps what is done.");
    }
    let best =
        comparison.rows.iter().filter_map(|row| Some((row, row.elapsed()?.median))).min_by_key(|(_, median)| *median);
    let Some((best, median)) = best else { return format!("No run came to its end. {enter} begins anew.") };
    let cancelled = left_out(comparison);
    let Some(alone) = comparison.baseline().and_then(|row| row.elapsed()) else {
        return format!(
            "{}: {median}. There is no run one at a time to measure it against.{cancelled}",
            sanitised(&capital(&best.label))
        );
    };
    let others = comparison.rows.iter().filter(|row| row.model != "sequential" && row.elapsed().is_some()).count();
    let mut text = match gain(comparison, best).as_str() {
        "1×" | "no gain" | "" if others == 0 => format!("Only one at a time has run ({}).", alone.median),
        "1×" | "no gain" | "" if !cancelled.is_empty() => {
            format!("Of those that ran, no model is faster than one at a time ({}).", alone.median)
        }
        "1×" | "no gain" | "" => format!("No model is faster than one at a time ({}).", alone.median),
        gain => format!("{}: {gain} as fast as one at a time, {median}.", capital(&best.label)),
    };
    if let Some(ideal) = comparison.ideal() {
        let cores = if comparison.cores == 1 { "core" } else { "cores" };
        text += &format!(" This machine's {} {cores} allow {:.1}×.", comparison.cores, ideal.speedup);
    }
    text + &cancelled
}

/// How many of those that would have run did not, since it was cancelled: nothing is concluded of them.
fn left_out(comparison: &Comparison) -> String {
    let would_run = || comparison.rows.iter().filter(|row| row.refusal.is_none());
    match would_run().filter(|row| row.runs.is_empty()).count() {
        0 => String::new(),
        missing => format!(" Cancelled: {missing} of {} did not run.", would_run().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ModelChoice;
    use crate::event::Nanos;
    use crate::session::{Experiment, Progress, Row, RunSummary};

    /// What is said of a comparison that is over, of which these took so many milliseconds or, with none, did not run.
    fn said_of(rows: &[(&str, Option<u64>)], progress: Progress) -> String {
        let experiment = Experiment::new("sum-squares", "sequential", 4);
        let run = |millis: u64| RunSummary {
            elapsed: Nanos::from_millis(millis),
            workers: 4,
            cores_busy: 1.0,
            ..RunSummary::default()
        };
        let row = |(model, millis): &(&str, Option<u64>)| Row {
            model: (*model).to_owned(),
            label: (*model).to_owned(),
            runs: millis.map(run).into_iter().collect(),
            ..Row::default()
        };
        let comparison = Comparison {
            title: "sum of squares".to_owned(),
            experiment: experiment.clone(),
            cores: 4,
            repeats: 1,
            rows: rows.iter().map(row).collect(),
            absent: Vec::new(),
            progress,
            done: 0,
            total: rows.len(),
            time_left: None,
            expected: None,
        };
        let mut state = State::new(experiment, Vec::new(), ModelChoice::built_in());
        state.compare.comparison = Some(comparison);
        said(&state)
    }

    #[test]
    fn cancelled_it_concludes_nothing_of_models_that_did_not_run_and_says_so() {
        let said = said_of(
            &[("sequential", Some(3000)), ("threads", Some(3010)), ("processes:spawn", None), ("free-threaded", None)],
            Progress::Cancelled,
        );
        assert!(said.starts_with("Of those that ran, no model is faster than one at a time (3.00 s)."), "{said}");
        assert!(said.ends_with(" Cancelled: 2 of 4 did not run."), "{said}");
        let said = said_of(&[("sequential", Some(3000)), ("threads", None)], Progress::Cancelled);
        assert!(said.starts_with("Only one at a time has run (3.00 s)."), "{said}");
        assert!(said.ends_with(" Cancelled: 1 of 2 did not run."), "{said}");
        let rows = [("sequential", Some(3000)), ("processes:fork", Some(800)), ("threads", None)];
        let said = said_of(&rows, Progress::Cancelled);
        assert!(said.starts_with("Processes:fork: ≈3.8× as fast"), "{said}");
        assert!(said.ends_with(" Cancelled: 1 of 3 did not run."), "{said}");
        let said = said_of(&[("sequential", None), ("threads", Some(3000))], Progress::Cancelled);
        assert!(said.contains("no run one at a time") && said.ends_with("1 of 2 did not run."), "{said}");
    }

    #[test]
    fn once_all_have_run_it_is_told_of_all() {
        let said = said_of(&[("sequential", Some(3000)), ("threads", Some(3010))], Progress::Done);
        assert!(said.starts_with("No model is faster than one at a time (3.00 s)."), "{said}");
        assert!(!said.contains("Cancelled"), "{said}");
    }
}
