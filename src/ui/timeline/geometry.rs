//! Where things are on the screen: from places to lanes and instants. Pure.

use ratatui::layout::{Position, Rect};

use crate::app::Axis;
use crate::app::view::Gutters;
use crate::event::Nanos;

use super::super::layout::Plan;

/// What is under a place of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The row of this place in the list, at this instant.
    Row(usize, Nanos),
    /// The row's name or its figures.
    RowName(usize),
    /// The lock, the cores or the axis at this instant.
    Time(Nanos),
}

/// The cells of a row of the timeline.
pub fn cells(row: Rect, gutters: Gutters) -> Rect {
    let left = gutters.left.min(row.width);
    Rect { x: row.x + left, width: gutters.cells.min(row.width - left), ..row }
}

/// What is under a place, if it is part of the timeline. `first` is the row at the top, `heights` are those of the rows
/// in sight: a lock has one line, whatever the lanes have.
pub fn hit(plan: &Plan, gutters: Gutters, axis: Axis, first: usize, heights: &[u16], at: Position) -> Option<Hit> {
    let instant = |row: Rect| {
        let cells = cells(row, gutters);
        cells.contains(at).then(|| axis.at(at.x - cells.x))
    };
    if plan.lanes.contains(at) {
        let mut bottom = plan.lanes.y;
        let row = first
            + heights.iter().position(|height| {
                bottom += height;
                at.y < bottom
            })?;
        return Some(instant(plan.lanes).map_or(Hit::RowName(row), |at| Hit::Row(row, at)));
    }
    let row = [plan.lock, plan.cores, plan.axis].into_iter().find(|row| row.contains(at))?;
    instant(row).map(Hit::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            lock: Rect::new(0, 3, 80, 1),
            lanes: Rect::new(0, 4, 80, 8),
            lane_height: 2,
            axis: Rect::new(0, 12, 80, 1),
            ..Plan::default()
        }
    }

    #[test]
    fn a_place_among_the_lanes_is_a_row_at_an_instant() {
        let gutters = Gutters::new(80, 8);
        let axis = Axis { from: Nanos(1000), cell: Nanos(10), cells: gutters.cells };
        let hit = |x, y| hit(&plan(), gutters, axis, 2, &[2, 2, 1, 2, 1], Position::new(x, y));
        assert_eq!(hit(gutters.left, 4), Some(Hit::Row(2, Nanos(1000))));
        assert_eq!(hit(gutters.left + 3, 7), Some(Hit::Row(3, Nanos(1030))));
        assert_eq!(hit(gutters.left + 3, 8), Some(Hit::Row(4, Nanos(1030))));
        assert_eq!(hit(gutters.left + 3, 10), Some(Hit::Row(5, Nanos(1030))));
        assert_eq!(hit(1, 6), Some(Hit::RowName(3)));
        assert_eq!(hit(79, 6), Some(Hit::RowName(3)));
        assert_eq!(hit(gutters.left, 3), Some(Hit::Time(Nanos(1000))));
        assert_eq!(hit(gutters.left + 1, 12), Some(Hit::Time(Nanos(1010))));
        assert_eq!(hit(1, 12), None);
        assert_eq!(hit(20, 13), None);
    }

    #[test]
    fn below_the_last_row_there_is_none() {
        let gutters = Gutters::new(80, 8);
        let axis = Axis { from: Nanos(0), cell: Nanos(10), cells: gutters.cells };
        assert_eq!(hit(&plan(), gutters, axis, 0, &[2, 2], Position::new(30, 9)), None);
    }
}
