//! The Compare screen: the same work under every model, long and low against short and tall.
//!
//! ```text
//! header     gilscope  1 Lab  2 Compare             MINIATURE CPython · itself 0.8%
//!            sum of squares w   4 workers n   4 tasks          COMPARING 7 of 15
//! legend     length: time   height: cores busy, full = 4
//! models                    ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄    waits for the GIL 75%
//!            4 threads      ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄    3.06 s  no gain
//! axis                      0         1 s        2 s
//! progress   ██████░░░░ 7 of 15 runs · 4 threads, repeat 2 of 5 · 12 s left
//! keys       Enter cancel   l ledger   k costs   1 lab   ? help
//! ```

mod costs;
mod ledger;
mod profile;
mod said;

use crate::app::words::{about, foreign, sanitised};
use crate::app::{Action, ModelChoice, Side, State, compare};
use crate::event::Nanos;
use crate::report;
use crate::session::{Comparison, Progress, Row};
use crate::text::lines::wrapped;

use super::canvas::Canvas;
use super::panels::header;
use super::theme::Ink;
use said::said;

/// Columns left of the picture, in it, and right of it.
#[derive(Clone, Copy, Debug)]
struct Columns {
    left: u16,
    cells: u16,
    right: u16,
}

/// Draws the Compare screen.
pub fn render(state: &State, canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    header::render(state, &mut canvas.part(0, 0, width, 2));
    chosen(state, &mut canvas.part(0, 1, width, 1));
    let lines = wrapped(&sanitised(&state.look.wording.say(&said(state))), usize::from(width.saturating_sub(2)));
    let said_rows = (lines.len() as u16).clamp(1, if height < 20 { 1 } else { 3 });
    // Header 2, progress, keys.
    let middle = height.saturating_sub(4 + said_rows);
    match &state.compare.comparison {
        Some(comparison) => body(state, comparison, &mut canvas.part(0, 2, width, middle)),
        None => models(state, &mut canvas.part(0, 2, width, middle)),
    }
    progress(state, &mut canvas.part(0, 2 + middle, width, 1));
    for (y, line) in (0..said_rows).zip(&lines) {
        let cut = y + 1 == said_rows && lines.len() > usize::from(said_rows);
        let line = if cut { format!("{line} …") } else { line.clone() };
        canvas.part(0, 0, width, height).verbatim().text_to(1, 3 + middle + y, width, &line, Ink::Strong);
    }
    keys(state, &mut canvas.part(0, height.saturating_sub(1), width, 1));
}

/// What is compared, and how far it has come.
fn chosen(state: &State, canvas: &mut Canvas) {
    let word = match &state.compare.comparison {
        Some(comparison) if state.compare.is_under_way() => {
            format!("{} {} of {}", state.compare.word(), comparison.done, comparison.total)
        }
        _ => state.compare.word().to_owned(),
    };
    let end = canvas.text_before(canvas.width().saturating_sub(1), 0, &word, Ink::Strong).saturating_sub(2);
    let key = |action| state.keymap.key(action);
    let count = |many: u32, noun: &str| format!("{many} {noun}{}", if many == 1 { "" } else { "s" });
    let workers = state.experiment.workers;
    let parts = [
        (foreign(state.workload_title()), key(Action::NextWorkload), Ink::Strong),
        (count(workers, "worker"), key(Action::MoreWorkers), Ink::Text),
        (count(state.experiment.task_count(), "task"), String::new(), Ink::Text),
        (format!("{} repeats", compare::REPEATS), String::new(), Ink::Text),
        (state.length.words().to_owned(), key(Action::NextLength), Ink::Text),
    ];
    let mut x = 1;
    for (text, key, ink) in parts {
        let length = (text.chars().count() + 1 + key.chars().count()) as u16;
        if x + length > end {
            break;
        }
        x = canvas.text(x, 0, &text, ink);
        x = if key.is_empty() { x + 3 } else { canvas.text(x + 1, 0, &key, Ink::Key) + 3 };
    }
}

/// Before the first comparison: the models that will run.
fn models(state: &State, canvas: &mut Canvas) {
    let cores = state.machine.cores.len().max(1);
    let legend = profiles_legend(cores, &state.experiment.start_up_words());
    let room = usize::from(canvas.width()).saturating_sub(1);
    canvas.text_to(1, 0, canvas.width(), &whole_parts(legend, room), Ink::Dim);
    let bottom = canvas.height();
    let label = |model: &ModelChoice| model.label(model.lanes(state.experiment.workers));
    let left = state.models.iter().map(|model| label(model).chars().count()).max().unwrap_or(0) as u16 + 3;
    for (y, model) in (2..bottom).zip(&state.models) {
        let objection = state.objection(&model.id);
        canvas.text_to(1, y, left - 1, &label(model), if objection.is_some() { Ink::Dim } else { Ink::Text });
        let words = objection.map_or("not run yet".to_owned(), |why| format!("left out: {}", foreign(why)));
        canvas.text_to(left, y, canvas.width(), &words, Ink::Dim);
    }
}

/// How to read the profiles.
fn profiles_legend(cores: usize, start_up: &str) -> Vec<String> {
    vec![
        "length: time".to_owned(),
        format!("height: cores busy, full = {cores}"),
        "s: start-up".to_owned(),
        // Whose, where it is said.
        sanitised(start_up.strip_prefix("start-up ").unwrap_or_default()),
    ]
}

/// As many parts of a legend as there is room for, each of them whole; the last explains the one before it.
fn whole_parts(parts: impl IntoIterator<Item = String>, room: usize) -> String {
    let mut text = String::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let gap = match () {
            () if text.is_empty() => "",
            () if part.starts_with("as ") => " ",
            () => "   ",
        };
        if text.chars().count() + gap.len() + part.chars().count() > room && !text.is_empty() {
            break;
        }
        text += gap;
        text += &part;
    }
    text
}

fn body(state: &State, comparison: &Comparison, canvas: &mut Canvas) {
    let columns = columns(state, comparison, canvas.width());
    let height = canvas.height();
    let each = match state.compare.side {
        Side::Profiles => 2,
        _ => 1,
    };
    // Legend above, axis below.
    let rows = comparison.rows.len() as u16;
    let room = height.saturating_sub(2);
    let gap = if room > rows * (each + 1) { 1 } else { 0 };
    let fit = (room / (each + gap)).max(1);
    let first = (state.compare.scroll as u16).min(rows.saturating_sub(fit));
    let top = 1 + gap;
    let longest = comparison.longest();
    let cell = Nanos(longest.0.div_ceil(u64::from(columns.cells)).max(1));
    let legend = match state.compare.side {
        Side::Profiles => profiles_legend(comparison.cores, &comparison.experiment.start_up_words()),
        Side::Ledger => vec!["where the workers' time went, start to end".to_owned()],
        Side::Costs => Vec::new(),
    };
    // First, since what has no room is the end.
    let which = (fit < rows).then(|| format!("{} to {} of {rows} ↑↓", first + 1, (first + fit).min(rows)));
    let end = if state.compare.side == Side::Costs { columns.left - 1 } else { canvas.width() };
    canvas.text_to(1, 0, end, &whole_parts(which.into_iter().chain(legend), usize::from(end) - 1), Ink::Dim);
    if state.compare.side == Side::Costs {
        costs::heading(columns, canvas);
    }
    for (index, row) in comparison.rows.iter().enumerate().skip(usize::from(first)).take(usize::from(fit)) {
        let y = top + (index as u16 - first) * (each + gap);
        let mut part = canvas.part(0, y, canvas.width(), each);
        label(state, comparison, index, row, columns, &mut part);
        if row.refusal.is_some() || (row.typical().is_none()) {
            continue;
        }
        match state.compare.side {
            Side::Profiles => profile::render(comparison, index, row, cell, columns, &mut part),
            Side::Ledger => ledger::render(index, row, columns, &mut part),
            Side::Costs => costs::render(row, columns, &mut part),
        }
    }
    match state.compare.side {
        Side::Profiles if longest > Nanos::ZERO => {
            let y = (top + fit.min(rows) * (each + gap)).saturating_sub(gap).min(height.saturating_sub(1));
            profile::axis(cell, columns, &mut canvas.part(0, y, canvas.width(), 1));
        }
        Side::Costs => costs::legend(&mut canvas.part(0, height.saturating_sub(1), canvas.width(), 1)),
        Side::Ledger => ledger::legend(comparison, &mut canvas.part(0, height.saturating_sub(1), canvas.width(), 1)),
        _ => {}
    }
}

fn columns(state: &State, comparison: &Comparison, width: u16) -> Columns {
    let longest = comparison.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0) as u16;
    let left = (longest + 3).clamp(11, if width < 80 { 15 } else { 22 });
    let right = match (width, state.compare.side) {
        (_, Side::Costs) => 0,
        (0..72, _) => 16,
        (72..110, _) => 22,
        _ => 34,
    };
    Columns { left, cells: width.saturating_sub(left + right + 2).max(1), right }
}

/// A model's name, and why there is nothing beside it.
fn label(state: &State, comparison: &Comparison, index: usize, row: &Row, columns: Columns, canvas: &mut Canvas) {
    let y = canvas.height().saturating_sub(1);
    let end = canvas.width();
    let alive = matches!(comparison.progress, Progress::Running { row, .. } if row == index);
    if alive {
        canvas.set(0, y, '▸', Ink::Key);
    }
    let ink = if row.refusal.is_some() { Ink::Dim } else { Ink::Strong };
    canvas.text_to(1, y, columns.left - 1, &sanitised(&row.label), ink);
    if let Some(refusal) = &row.refusal {
        canvas.text_to(columns.left, y, end, &format!("does not run: {}", foreign(refusal)), Ink::Dim);
    } else if row.typical().is_none() {
        let (text, ink) = match row.failure() {
            Some(failure) => (format!("× {}", foreign(failure)), Ink::Bad),
            None if alive => ("runs".to_owned(), Ink::Dim),
            None if state.compare.is_under_way() => ("not run yet".to_owned(), Ink::Dim),
            None => ("not run".to_owned(), Ink::Dim),
        };
        canvas.text_to(columns.left, y, end, &sanitised(&text), ink);
    }
}

/// Of a row: how much faster than one at a time.
fn gain(comparison: &Comparison, row: &Row) -> String {
    match comparison.speedup(row) {
        _ if comparison.baseline().is_some_and(|baseline| baseline.model == row.model) => "1×".to_owned(),
        Some(speedup) => report::gain(speedup, row.whole().count()),
        None => String::new(),
    }
}

/// A bar and how much longer it takes.
fn progress(state: &State, canvas: &mut Canvas) {
    let Some(comparison) = state.compare.comparison.as_ref().filter(|_| state.compare.is_under_way()) else { return };
    let width = (canvas.width() / 4).max(10);
    let total = comparison.total.max(1) as u32;
    let eighths = u32::from(width) * 8 * (comparison.done as u32).min(total) / total;
    canvas.row(1, 1 + width, 0, '░', Ink::Rule);
    canvas.bar(1, 0, eighths, Ink::Meter);
    let mut parts = vec![format!("{} of {} runs", comparison.done, comparison.total)];
    match &comparison.progress {
        Progress::Running { row, repeat } => {
            let label = comparison.rows.get(*row).map_or("", |row| row.label.as_str());
            parts.push(format!("{label}, repeat {repeat} of {}", comparison.repeats));
        }
        Progress::Sizing => parts.push("finding the size".to_owned()),
        _ => {}
    }
    if let Some(left) = comparison.time_left {
        parts.push(format!("about {} left", about(left)));
    }
    let room = usize::from(canvas.width().saturating_sub(width + 3));
    if parts.len() > 2 && parts.join(" · ").chars().count() > room {
        // How long it takes says more than what it is at, which its row says, too.
        parts.remove(1);
    }
    canvas.text_to(width + 3, 0, canvas.width(), &sanitised(&parts.join(" · ")), Ink::Text);
}

fn keys(state: &State, canvas: &mut Canvas) {
    let key = |action| state.keymap.key(action);
    let enter = match (&state.compare.comparison, state.compare.is_under_way()) {
        (_, true) => "cancel",
        (None, _) => "compare",
        _ => "again",
    };
    let on = |side: Side, name: &'static str| if state.compare.side == side { "profiles" } else { name };
    let mut x = 1;
    let asked = state.compare.asks().then(|| (key(Action::Baseline), "all the same"));
    let all = [
        (key(Action::RunOrStop), enter),
        (key(Action::Ledger), on(Side::Ledger, "ledger")),
        (key(Action::Costs), on(Side::Costs, "costs")),
        (key(Action::ShowLab), "lab"),
        (key(Action::Help), "help"),
        (key(Action::NextWorkload), "workload"),
        (key(Action::MoreWorkers), "workers"),
        (key(Action::Quit), "quit"),
    ];
    for (key, words) in asked.into_iter().chain(all) {
        let length = (key.chars().count() + 1 + words.len()) as u16;
        if x + length > canvas.width() {
            break;
        }
        x = canvas.text(x, 0, &key, Ink::Key);
        x = canvas.text(x + 1, 0, words, Ink::Text) + 3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_is_made_of_whole_parts() {
        let legend = |room| whole_parts(profiles_legend(2, "start-up as CPython 3.13.0"), room);
        assert_eq!(legend(80), "length: time   height: cores busy, full = 2   s: start-up as CPython 3.13.0");
        assert_eq!(legend(74), "length: time   height: cores busy, full = 2   s: start-up");
        assert_eq!(legend(50), "length: time   height: cores busy, full = 2");
        assert_eq!(whole_parts(profiles_legend(2, "start-up"), 80), legend(74));
    }
}
