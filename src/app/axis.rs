//! The time axis: instants to cells and back, pan and zoom. Integers only, so
//! that a cell's edges are the same whoever computes them.

use crate::event::Nanos;

/// The steps of zoom: from a microsecond to a minute a cell.
pub const STEPS: [Nanos; 24] = [
    Nanos::from_micros(1),
    Nanos::from_micros(2),
    Nanos::from_micros(5),
    Nanos::from_micros(10),
    Nanos::from_micros(20),
    Nanos::from_micros(50),
    Nanos::from_micros(100),
    Nanos::from_micros(200),
    Nanos::from_micros(500),
    Nanos::from_millis(1),
    Nanos::from_millis(2),
    Nanos::from_millis(5),
    Nanos::from_millis(10),
    Nanos::from_millis(20),
    Nanos::from_millis(50),
    Nanos::from_millis(100),
    Nanos::from_millis(200),
    Nanos::from_millis(500),
    Nanos::from_secs(1),
    Nanos::from_secs(2),
    Nanos::from_secs(5),
    Nanos::from_secs(10),
    Nanos::from_secs(30),
    Nanos::from_secs(60),
];

/// So many cells of equal length from an instant on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Axis {
    /// Where the first cell begins.
    pub from: Nanos,
    /// How long a cell is.
    pub cell: Nanos,
    /// How many cells there are.
    pub cells: u16,
}

impl Axis {
    /// How long the whole of it is.
    pub fn span(&self) -> Nanos {
        Nanos(self.cell.0.saturating_mul(u64::from(self.cells)))
    }

    /// Where the last cell ends.
    pub fn to(&self) -> Nanos {
        self.from + self.span()
    }

    /// When a cell begins. The cell after the last begins where the last ends.
    pub fn at(&self, cell: u16) -> Nanos {
        self.from + Nanos(self.cell.0.saturating_mul(u64::from(cell)))
    }

    /// The cell an instant falls into, if it is on the axis.
    pub fn cell_of(&self, at: Nanos) -> Option<u16> {
        if self.cell == Nanos::ZERO || at < self.from || at >= self.to() {
            return None;
        }
        u16::try_from((at - self.from).0 / self.cell.0).ok()
    }

    /// Moved by so many cells, never before `begin`.
    pub fn panned(&self, cells: i64, begin: Nanos) -> Axis {
        let by = Nanos(self.cell.0.saturating_mul(cells.unsigned_abs()));
        let from = if cells < 0 { self.from - by } else { self.from + by };
        Axis { from: from.max(begin), ..*self }
    }

    /// With another length of a cell, `about` staying in its cell as far as `begin` permits.
    pub fn zoomed(&self, cell: Nanos, about: Nanos, begin: Nanos) -> Axis {
        let column = self.cell_of(about).unwrap_or(self.cells / 2);
        let before = Nanos(cell.0.saturating_mul(u64::from(column)));
        // Cells are counted from the beginning of the run, so that zooming in and out again changes nothing.
        let since = (about - begin).0 / cell.0.max(1) * cell.0.max(1);
        Axis { from: (begin + Nanos(since)) - before, cell, ..*self }.not_before(begin)
    }

    /// Moved as little as needed for an instant to be on it.
    pub fn showing(&self, at: Nanos, begin: Nanos) -> Axis {
        if self.cell_of(at).is_some() || self.cell == Nanos::ZERO || self.cells == 0 {
            return *self;
        }
        let lead = Nanos(self.cell.0.saturating_mul(u64::from(self.cells / 2)));
        Axis { from: at - lead, ..*self }.not_before(begin)
    }

    fn not_before(self, begin: Nanos) -> Axis {
        Axis { from: self.from.max(begin), ..self }
    }
}

/// The shortest step of zoom that is not shorter than `cell`.
pub fn step_at_least(cell: Nanos) -> Nanos {
    STEPS.into_iter().find(|step| *step >= cell).unwrap_or(STEPS[STEPS.len() - 1])
}

/// The next longer step; the longest has none.
pub fn longer(cell: Nanos) -> Nanos {
    STEPS.into_iter().find(|step| *step > cell).unwrap_or(STEPS[STEPS.len() - 1])
}

/// The next shorter step; the shortest has none.
pub fn shorter(cell: Nanos) -> Nanos {
    STEPS.into_iter().rev().find(|step| *step < cell).unwrap_or(STEPS[0])
}

/// The least round length of a cell with which `span` fits into so many cells.
pub fn fitting(span: Nanos, cells: u16) -> Nanos {
    let least = span.0.div_ceil(u64::from(cells.max(1))).max(STEPS[0].0);
    let mut decade = 100_u64;
    loop {
        for tenths in [10_u64, 15, 20, 25, 30, 40, 50, 60, 80] {
            let round = decade.saturating_mul(tenths);
            if round >= least {
                return Nanos(round);
            }
        }
        decade = decade.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_fits_into_its_cells_with_a_round_number_each() {
        for (millis, cells, cell) in [(870, 62, 15), (3020, 84, 40), (3020, 92, 40), (10_000, 84, 150)] {
            assert_eq!(fitting(Nanos::from_millis(millis), cells), Nanos::from_millis(cell));
        }
        assert_eq!(fitting(Nanos::ZERO, 80), STEPS[0]);
        assert_eq!(fitting(Nanos(1), 0), STEPS[0]);
    }

    #[test]
    fn the_steps_ascend_and_end_where_they_say() {
        assert!(STEPS.is_sorted());
        assert_eq!(shorter(Nanos::from_micros(1)), Nanos::from_micros(1));
        assert_eq!(longer(Nanos::from_secs(60)), Nanos::from_secs(60));
        assert_eq!(longer(Nanos::from_millis(40)), Nanos::from_millis(50));
        assert_eq!(shorter(Nanos::from_millis(40)), Nanos::from_millis(20));
    }

    proptest! {
        #[test]
        fn every_cell_holds_the_instants_from_its_edge_to_the_next(from in 0..1u64 << 50, cell in 1..1u64 << 36, cells in 1..400u16, at in 0..400u16, inside in 0.0..1.0f64) {
            let axis = Axis { from: Nanos(from), cell: Nanos(cell), cells };
            let at = at % cells;
            let instant = axis.at(at) + Nanos((cell as f64 * inside) as u64);
            prop_assert_eq!(axis.cell_of(instant.min(axis.at(at + 1) - Nanos(1))), Some(at));
            prop_assert_eq!(axis.cell_of(axis.to()), None);
        }

        #[test]
        fn zooming_keeps_the_cursor_on_the_screen(from in 0..1u64 << 40, old in 0..24usize, new in 0..24usize, cells in 1..400u16, column in 0..400u16) {
            let begin = Nanos(1 << 20);
            let axis = Axis { from: begin + Nanos(from), cell: STEPS[old], cells };
            let about = axis.at(column % cells);
            let zoomed = axis.zoomed(STEPS[new], about, begin);
            prop_assert!(zoomed.cell_of(about).is_some());
            prop_assert!(zoomed.from >= begin);
        }

        #[test]
        fn panning_never_leaves_the_beginning_behind(from in 0..1u64 << 40, by in -1000i64..1000, cell in 0..24usize) {
            let begin = Nanos(500);
            let axis = Axis { from: begin + Nanos(from), cell: STEPS[cell], cells: 80 }.panned(by, begin);
            prop_assert!(axis.from >= begin);
        }

        #[test]
        fn a_shown_instant_is_on_the_axis(from in 0..1u64 << 40, at in 0..1u64 << 40, cell in 0..24usize, cells in 1..400u16) {
            let begin = Nanos(500);
            let axis = Axis { from: begin + Nanos(from), cell: STEPS[cell], cells };
            let at = begin + Nanos(at);
            prop_assert!(axis.showing(at, begin).cell_of(at).is_some());
        }
    }
}
