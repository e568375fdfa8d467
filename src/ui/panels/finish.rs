//! The finish line: what each model took, side by side.

use crate::app::news::wants_baseline;
use crate::app::words::{foreign, gain, tenths};
use crate::app::{Action, Bar, BarState, ModelChoice, Phase, State};
use crate::event::Nanos;
use crate::session::Length;

use super::super::canvas::Canvas;
use super::super::theme::Ink;

/// A row: a bar, or a model that was not run.
enum Row<'a> {
    Bar(&'a Bar),
    NotRun(&'a ModelChoice, String),
    /// The baseline was ordered and is on its way.
    Coming(String, Option<Nanos>),
}

/// How many rows there are, those not run included.
pub fn rows(state: &State) -> usize {
    all(state).len()
}

/// Every row, in the order of the models. Of those not run only the baseline, the chosen one and the next are named:
/// the room is the lanes'.
fn all(state: &State) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let chosen = state.models.iter().position(|model| model.id == state.experiment.model);
    let next = state.next_model().and_then(|next| state.models.iter().position(|model| model.id == next.id));
    for (index, model) in state.models.iter().enumerate() {
        let mut bars: Vec<&Bar> = state.bars.iter().filter(|bar| bar.model == model.id).collect();
        bars.sort_by_key(|bar| bar.workers);
        if model.is_baseline()
            && let Phase::Baseline { since } = state.phase
        {
            rows.push(Row::Coming(model.label(1), since.map(|since| state.now - since)));
        } else if bars.is_empty() {
            if !model.is_baseline() && chosen.is_some() && ![chosen, next].contains(&Some(index)) {
                continue;
            }
            rows.push(Row::NotRun(
                model,
                model.label_over(model.lanes(state.experiment.workers), state.experiment.processes),
            ));
        } else {
            rows.extend(bars.into_iter().map(Row::Bar));
        }
    }
    rows
}

/// ```text
/// ─ finish line ──────────────────────────────
/// one at a time ██████████████████████  3.02 s
/// 4 threads     ██████████████████████▏ 3.06 s  no gain
/// 4 processes   ██████ 0.87 s  ≈3.5×
/// ```
pub fn render(state: &State, canvas: &mut Canvas) {
    if canvas.height() < 2 {
        return;
    }
    let width = canvas.width();
    canvas.row(0, width, 0, '─', Ink::Rule);
    if state.length == Length::UntilStopped {
        canvas.text(1, 0, " no finish line: it runs until stopped ", Ink::Dim);
        return;
    }
    canvas.text(1, 0, " finish line ", Ink::Dim);
    let mut rows = all(state);
    let room = usize::from(canvas.height() - 1);
    // What was not run goes first, the last of it before the first.
    while rows.len() > room {
        match rows.iter().rposition(|row| matches!(row, Row::NotRun(..))) {
            Some(index) => drop(rows.remove(index)),
            None => {
                // Then what is neither the baseline nor on the screen.
                let other =
                    |row: &Row| matches!(row, Row::Bar(bar) if !is_shown(state, bar) && !is_baseline(state, bar));
                let index = rows.iter().position(other).unwrap_or(rows.len() - 1);
                rows.remove(index);
            }
        }
    }
    let length = |row: &Row| match row {
        Row::Bar(bar) => took(state, bar),
        Row::Coming(_, elapsed) => elapsed.unwrap_or_default(),
        Row::NotRun(..) => Nanos::ZERO,
    };
    let longest = rows.iter().map(length).max().unwrap_or_default().max(Nanos::from_millis(1));
    let labels = rows.iter().map(|row| label(row).chars().count()).max().unwrap_or(0) as u16;
    let x = labels + 2;
    let most = width.saturating_sub(x + 20).max(1);
    let eighths = |span: Nanos| (u128::from(span.0) * u128::from(most) * 8 / u128::from(longest.0)) as u32;
    for (y, row) in (1..).zip(&rows) {
        let model = match row {
            Row::Bar(bar) if is_shown(state, bar) => Ink::Strong,
            Row::NotRun(..) => Ink::Dim,
            _ => Ink::Text,
        };
        canvas.text_to(1, y, x, label(row), model);
        match row {
            Row::NotRun(model, _) => _ = canvas.text_to(x, y, width, &not_run(state, model), Ink::Dim),
            Row::Coming(_, elapsed) => {
                let elapsed = elapsed.unwrap_or_default();
                let end = canvas.bar(x, y, eighths(elapsed), Ink::Dim);
                canvas.text(end + 1, y, &format!("{} …", tenths(elapsed)), Ink::Text);
            }
            Row::Bar(bar) => {
                let took = took(state, bar);
                let end = canvas.bar(x, y, eighths(took), ink(state, bar));
                verdict(state, bar, took, end + 1, y, canvas);
            }
        }
    }
}

/// Which key would run it, or why none does.
fn not_run(state: &State, model: &ModelChoice) -> String {
    if let Some(why) = state.objection(&model.id) {
        // The room is for a few words: the remedy is said where there is more.
        let why = why.split([',', ':']).next().unwrap_or(why);
        return format!("left out: {}", foreign(why));
    }
    let action = if model.id == state.experiment.model {
        Action::RunOrStop
    } else if !model.is_baseline() {
        Action::NextModel
    } else if wants_baseline(state) {
        Action::Baseline
    } else {
        return "measured after the run".to_owned();
    };
    format!("not run: {}", state.keymap.key(action))
}

fn label<'a>(row: &'a Row) -> &'a str {
    match row {
        Row::Bar(bar) => &bar.label,
        Row::NotRun(_, label) | Row::Coming(label, _) => label,
    }
}

fn is_baseline(state: &State, bar: &Bar) -> bool {
    state.find_model(&bar.model).is_some_and(|model| model.is_baseline())
}

fn is_shown(state: &State, bar: &Bar) -> bool {
    let workers = |ran: &crate::session::Experiment| {
        state.find_model(&ran.model).map_or(ran.workers, |model| model.lanes(ran.workers))
    };
    state.ran.as_ref().is_some_and(|ran| ran.model == bar.model && workers(ran) == bar.workers)
}

fn took(state: &State, bar: &Bar) -> Nanos {
    match bar.state {
        BarState::Running => state.figures.elapsed,
        BarState::Done(took) | BarState::Failed(took) | BarState::Stopped(took) => took,
    }
}

fn ink(state: &State, bar: &Bar) -> Ink {
    match bar.state {
        BarState::Failed(_) | BarState::Stopped(_) => Ink::Bad,
        _ if is_baseline(state, bar) => Ink::Dim,
        _ => Ink::Meter,
    }
}

fn verdict(state: &State, bar: &Bar, took: Nanos, x: u16, y: u16, canvas: &mut Canvas) {
    match bar.state {
        BarState::Running => _ = canvas.text(x, y, &format!("{} …", tenths(took)), Ink::Text),
        BarState::Failed(_) => _ = canvas.text(x, y, "× failed", Ink::Bad),
        BarState::Stopped(_) => _ = canvas.text(x, y, &format!("× stopped at {}", tenths(took)), Ink::Bad),
        BarState::Done(_) => {
            let x = canvas.text(x, y, &took.to_string(), Ink::Strong);
            if let Some(baseline) = state.baseline().filter(|_| !is_baseline(state, bar)) {
                let words = gain(baseline, took);
                let ink = if words.starts_with('≈') && took < baseline { Ink::Good } else { Ink::Text };
                canvas.text(x + 2, y, &words, ink);
            }
        }
    }
}
