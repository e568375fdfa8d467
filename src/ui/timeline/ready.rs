//! Before the first run: the lanes to come, and how to read them.

use crate::app::news::gutters;
use crate::app::words::foreign;
use crate::app::{Action, State};
use crate::event::State as LaneState;

use super::super::canvas::Canvas;
use super::super::glyphs::state_mark;
use super::super::layout::Plan;
use super::super::theme::Ink;

/// ```text
/// ─ how to read it: ink is core time ────────────────────────────
///           ████  runs               ssss  starts
/// thread 1  ····  waits for the GIL  nnnn  C code, lock free
/// ```
pub fn render(state: &State, plan: &Plan, canvas: &mut Canvas) {
    let mut title = canvas.at(plan.title);
    let width = title.width();
    title.row(0, width, 0, '─', Ink::Rule);
    title.text(1, 0, " how to read it: ink is core time ", Ink::Dim);
    let left = gutters(state, None).left;
    let mut cores = canvas.at(plan.cores);
    for (y, core) in (0..).zip(&state.machine.cores).take(usize::from(cores.height())) {
        cores.text(1, y, &format!("core {core}"), Ink::Dim);
    }
    let Some(model) = state.model() else { return };
    let mut lanes = canvas.at(plan.lanes);
    let height = plan.lane_height.max(1);
    for place in 0..lanes.height() / height {
        let name = model.lane_name(u32::from(place));
        lanes.text_to(1, place * height + height / 2, left - 1, &name, Ink::Text);
    }
    let legend = [
        LaneState::Running,
        LaneState::WaitingGil,
        LaneState::WaitingCore,
        LaneState::Io,
        LaneState::Native,
        LaneState::Starting,
        LaneState::Pickling,
        LaneState::Unpickling,
    ];
    let columns = (width.saturating_sub(left) / 30).clamp(1, 2);
    let rows = lanes.height().min((legend.len() as u16).div_ceil(columns));
    let spare = lanes.height() - rows;
    let top = spare.div_ceil(2);
    if spare >= 4 && state.objection(&model.id).is_none() {
        let x = lanes.text(left, top - 2, &state.keymap.key(Action::RunOrStop), Ink::Key);
        let label = model.label_over(model.lanes(state.experiment.workers), state.experiment.processes);
        let text = format!("runs {} with {label}", foreign(state.workload_title()));
        let text = if model.is_baseline() { text.replace("with ", "") } else { text };
        lanes.text(x + 1, top - 2, &text, Ink::Strong);
    }
    for (index, state) in (0..).zip(legend).take(usize::from(rows * columns)) {
        let (column, row) = (index / rows, index % rows);
        let x = left + column * 30;
        let mark = state_mark(state, usize::from(column));
        for x in x..x + 4 {
            lanes.set(x, top + row, mark.glyph, mark.ink);
        }
        lanes.text(x + 6, top + row, state.words(), Ink::Text);
    }
}
