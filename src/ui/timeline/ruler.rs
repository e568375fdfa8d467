//! The time axis.

use crate::app::{Axis, Phase, State};
use crate::event::Nanos;

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::scene::Scene;

/// The least columns from one label to the next.
const APART: u64 = 12;

/// ```text
///           0               20 ms               40 ms               60 ms
/// ```
pub fn render(state: &State, scene: &Scene, canvas: &mut Canvas) {
    // A live picture counts from its trigger; a still one from the beginning of the run.
    let live = state.phase == Phase::Running && state.view.frozen.is_none();
    let origin = if live { scene.axis.from } else { scene.begin };
    let left = scene.gutters.left;
    let end = left + scene.gutters.cells;
    for (cell, label) in labels(scene.axis, origin) {
        let x = left + cell;
        if x + label.chars().count() as u16 <= end + 6 {
            canvas.text(x, 0, &label, Ink::Dim);
        }
    }
    if let Some(cell) = scene.cursor {
        canvas.set(left + cell, 0, '▲', Ink::Key);
    }
}

/// Labels with the cells they stand at.
pub fn labels(axis: Axis, origin: Nanos) -> Vec<(u16, String)> {
    let step = step(axis.cell);
    let first = (axis.from - origin).0.div_ceil(step) * step;
    let last = axis.to() - origin;
    (0..u64::from(axis.cells))
        .map(|index| Nanos(first + index * step))
        .map_while(|at| axis.cell_of(origin + at).map(|cell| (cell, label(at, Nanos(step), last))))
        .collect()
}

/// The round span from one label to the next.
fn step(cell: Nanos) -> u64 {
    let least = cell.0.max(1).saturating_mul(APART);
    let mut decade = 1_u64;
    loop {
        for digit in [1, 2, 5] {
            let step = decade.saturating_mul(digit);
            if step >= least {
                return step;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

/// An instant, as exact as the labels are apart, in the unit that suits the last of them.
fn label(at: Nanos, step: Nanos, last: Nanos) -> String {
    let (unit, name) = match last.0 {
        0..=1_000_000 => (1_000_u64, "µs"),
        1_000_001..=1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    if at == Nanos::ZERO {
        return "0".to_owned();
    }
    let mut digits = 0;
    let mut part = unit;
    while !step.0.is_multiple_of(part) && digits < 6 {
        part /= 10;
        digits += 1;
    }
    format!("{:.digits$} {name}", at.0 as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_round_and_far_enough_apart_to_be_read() {
        let axis = Axis { from: Nanos::from_secs(5), cell: Nanos::from_millis(1), cells: 90 };
        let found = labels(axis, axis.from);
        assert_eq!(found[0], (0, "0".to_owned()));
        assert_eq!(found[1], (20, "20 ms".to_owned()));
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn instants_far_into_a_run_are_as_exact_as_they_are_apart() {
        let begin = Nanos::from_secs(5);
        let axis = Axis { from: begin + Nanos::from_micros(1_204_130), cell: Nanos::from_micros(10), cells: 60 };
        let found = labels(axis, begin);
        assert_eq!(found[0], (7, "1.2042 s".to_owned()));
        assert_eq!(found[1], (27, "1.2044 s".to_owned()));
    }

    #[test]
    fn any_axis_has_labels_without_end() {
        for cell in crate::app::axis::STEPS {
            let axis = Axis { from: Nanos(7), cell, cells: 400 };
            assert!(labels(axis, Nanos(7)).len() > 5);
        }
        assert!(labels(Axis::default(), Nanos::ZERO).is_empty());
    }
}
