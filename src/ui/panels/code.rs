//! The workload's code: live, where the time of the last second went; at the cursor, where each lane is.

use crate::app::words::{instant, mark, sanitised};
use crate::app::{Fold, State};
use crate::event::LaneId;
use crate::trace::Trace;

use super::super::canvas::Canvas;
use super::super::theme::Ink;

/// The most lanes of which it is shown where they are.
const MARKED: usize = 61;

/// Columns of a share's bar, or of the marks of lanes.
const SHARE: u16 = 8;

/// ```text
/// ─ code, last second ───────────────
///   3  ███     for i in range(n):
///   4  ███████     total += i**2
/// ```
pub fn render(state: &State, log: Option<&Trace>, canvas: &mut Canvas) {
    if canvas.height() < 2 {
        return;
    }
    let lines = &state.code.lines;
    let here = here(state, log);
    let title = match (&here, state.view.cursor, log) {
        (Some(_), Some(at), Some(log)) => {
            format!(" code at {} ", instant(at - log.begin_at(), state.view.axis.cell))
        }
        _ if state.code.shares.iter().any(|share| *share > 0.0) => " code, last second, sampled ".to_owned(),
        _ => " code ".to_owned(),
    };
    let width = canvas.width();
    canvas.row(0, width, 0, '─', Ink::Rule);
    canvas.text_to(1, 0, width, &title, Ink::Dim);
    let room = usize::from(canvas.height() - 1);
    let top = top(state, here.as_deref(), room);
    for (y, (index, line)) in (1..).zip(lines.iter().enumerate().skip(top).take(room)) {
        canvas.text_before(4, y, &(index + 1).to_string(), Ink::Dim);
        match &here {
            Some(marks) => {
                let marks: String =
                    marks.iter().filter(|(at, _, _)| *at == index + 1).map(|(_, mark, _)| *mark).collect();
                canvas.text_to(6, y, 6 + SHARE - 1, &marks, Ink::Strong);
            }
            None => {
                let share = state.code.shares.get(index).copied().unwrap_or(0.0);
                canvas.bar(6, y, (share.clamp(0.0, 1.0) * f32::from((SHARE - 1) * 8)).round() as u32, Ink::Meter);
            }
        }
        let ink = if line.trim_start().starts_with('#') { Ink::Dim } else { Ink::Text };
        canvas.text_to(6 + SHARE, y, width, &sanitised(line), ink);
    }
}

/// The line of each lane at the cursor: line, mark, place among the lanes.
fn here(state: &State, log: Option<&Trace>) -> Option<Vec<(usize, char, usize)>> {
    let (log, at) = (log?, state.view.cursor?);
    let fold = Fold::of(state, log);
    let line = |lane| usize::try_from(log.line_at(lane, at).0).unwrap_or(0);
    // Beyond those there are no marks of their own.
    let lanes = log.workers()[fold.workers.clone()].iter().take(MARKED);
    let marked = |(index, lane): (usize, &LaneId)| (line(*lane), mark(fold.place(log, *lane)), index);
    Some(lanes.enumerate().map(marked).collect())
}

/// The first line that is shown: what matters is in sight, else where the first function begins.
fn top(state: &State, here: Option<&[(usize, char, usize)]>, room: usize) -> usize {
    let lines = &state.code.lines;
    let marked = here.and_then(|marks| marks.iter().map(|(line, _, _)| *line).filter(|line| *line > 0).min());
    let hot = || state.code.shares.iter().position(|share| *share > 0.02).map(|index| index + 1);
    let first = lines.iter().position(|line| line.starts_with("def ") || line.starts_with("async def "));
    let first = first.unwrap_or(0);
    let wanted = match marked.or_else(hot) {
        // The function's head stays in sight where it can.
        Some(line) if line > first && line - first <= room => first,
        Some(line) => line.saturating_sub(2),
        None => first,
    };
    wanted.min(lines.len().saturating_sub(room).max(after_metadata(lines)))
}

/// The first line that is not of the metadata block at the head of the file, nor blank behind it.
fn after_metadata(lines: &[String]) -> usize {
    let Some(end) = lines.iter().position(|line| line == "# ///") else { return 0 };
    if !lines[..end].iter().all(|line| line.starts_with('#')) {
        return 0;
    }
    end + 1 + lines[end + 1..].iter().take_while(|line| line.is_empty()).count()
}
