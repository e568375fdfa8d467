//! Cores busy: first and largest, for the back row.

use crate::app::news::gutters;
use crate::app::{State, words};
use crate::trace::Trace;

use super::super::canvas::Canvas;
use super::super::theme::Ink;

/// ```text
/// CORES     █████████████████████╷                    ╷                    ╷   1.0 of 4
/// BUSY      █████████████████████╷                    ╷                    ╷   one core's worth
/// ```
pub fn render(state: &State, log: Option<&Trace>, canvas: &mut Canvas) {
    let rows = canvas.height();
    let gutters = gutters(state, log);
    if rows == 1 {
        canvas.text(1, 0, "CORES BUSY", Ink::Strong);
    } else {
        canvas.text(1, 0, "CORES", Ink::Strong);
        canvas.text(1, 1, "BUSY", Ink::Strong);
    }
    let left = if rows == 1 { gutters.left.max(12) } else { gutters.left };
    let cores = state.machine.cores.len().max(1);
    let busy = state.figures.cores_busy;
    let figure = format!("{busy:.1} of {cores}");
    let worth = words::cores_worth(busy, cores);
    let room =
        if rows == 1 { figure.chars().count() } else { figure.chars().count().max(worth.chars().count()) } as u16;
    let width = canvas.width().saturating_sub(left + room + 4).max(1);
    // Whole columns a core, where there are enough of them.
    let columns = width / cores as u16;
    let width = if columns >= 2 { columns * cores as u16 } else { width };
    let eighths = (busy / cores as f64 * f64::from(width) * 8.0).round().clamp(0.0, f64::from(width) * 8.0) as u32;
    for y in 0..rows {
        let end = canvas.bar(left, y, eighths, Ink::Meter);
        for core in 1..=cores as u16 {
            let x = left + if columns >= 2 { core * columns } else { width };
            if (columns >= 4 || core == cores as u16) && x >= end {
                canvas.set(x, y, '╷', Ink::Rule);
            }
        }
    }
    let x = left + width + 3;
    let first = if rows == 1 { 0 } else { (rows - 2) / 2 };
    canvas.text(x, first, &figure, Ink::Strong);
    if rows > 1 {
        canvas.text(x, first + 1, &worth, Ink::Text);
    }
}
