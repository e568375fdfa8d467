//! What is looked at: the part of the log that stands on the screen, and when
//! it is exchanged for a later one.
//!
//! Below twenty milliseconds a cell a scrolling picture is noise. So the live
//! picture works as an oscilloscope does: it stands still for a second,
//! starting where a trigger fired, and is then exchanged as a whole. Of each
//! second only so much is seen, and the title says how much. Above twenty
//! milliseconds a cell, and for the whole run, it is exchanged twice a second.

use std::ops::Range;

use crate::event::{LaneId, Nanos};
use crate::trace::{Blame, Trace};

use super::axis::{self, Axis};

/// How long a triggered picture stands.
const STANDS: Nanos = Nanos::from_secs(1);
/// How long any other live picture stands.
const FLOWS: Nanos = Nanos::from_millis(500);
/// From this length of a cell on, the picture flows.
const SLOW: Nanos = Nanos::from_millis(20);
/// Cells a turn, unless zoomed.
const CELLS_A_TURN: u64 = 5;
/// How many long waits are looked through for the latest.
const LOOKS: usize = 400;

/// Where the live picture starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trigger {
    /// Where the first lane (or the picked one) takes its lock.
    #[default]
    Take,
    /// Where it begins to wait for longer than two intervals.
    LongWait,
    /// Wherever it is.
    Anywhere,
}

impl Trigger {
    /// The next to choose.
    pub const fn next(self) -> Trigger {
        match self {
            Trigger::Take => Trigger::LongWait,
            Trigger::LongWait => Trigger::Anywhere,
            Trigger::Anywhere => Trigger::Take,
        }
    }
}

/// How much time a cell of the live picture has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zoom {
    /// As much as shows a turn in five cells.
    #[default]
    Turns,
    /// So much.
    Cell(Nanos),
    /// As much as it takes to show the whole run.
    Whole,
}

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The part of the log on the screen.
    pub axis: Axis,
    /// How far the log reached when the live picture was taken: nothing later is drawn.
    pub until: Nanos,
    /// How much time a cell has.
    pub zoom: Zoom,
    /// How long the run had lasted when the picture was frozen.
    pub frozen: Option<Nanos>,
    /// What waits had cost when the picture was frozen, by whom they were for.
    pub frozen_blame: Vec<Blame>,
    /// The instant pointed at.
    pub cursor: Option<Nanos>,
    /// The lane pointed at; the first worker unless chosen.
    pub picked: Option<LaneId>,
    /// How many rows are above the top of the screen.
    pub scroll: usize,
    /// The workers in sight, by their places, while a band of them is unfolded.
    pub unfolded: Option<Range<usize>>,
    /// Meter, lanes and sentence alone.
    pub big: bool,
    /// Where the live picture starts.
    pub trigger: Trigger,
    /// Whether the picture starts where its trigger fired.
    pub fired: bool,
    /// When the live picture is exchanged.
    pub next: Nanos,
}

/// Columns left of, in, and right of the cells of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gutters {
    /// For the lanes' names.
    pub left: u16,
    /// For the cells.
    pub cells: u16,
    /// For the lanes' figures.
    pub right: u16,
}

impl Gutters {
    /// Those of the Watch screen, where the kernel's names have up to 15 characters, and letters stand before them.
    pub fn of_watch(columns: u16) -> Gutters {
        let left = match columns {
            0..72 => 13,
            72..110 => 17,
            _ => 25,
        };
        let right = 8;
        Gutters { left, cells: columns.saturating_sub(left + right).max(1), right }
    }

    /// For a screen of so many columns and names of so many.
    pub fn new(columns: u16, longest_name: usize) -> Gutters {
        let right = match columns {
            0..72 => 6,
            72..110 => 11,
            _ => 17,
        };
        let left = u16::try_from(longest_name + 2).unwrap_or(u16::MAX).clamp(11, 20);
        let cells = columns.saturating_sub(left + right).max(1);
        Gutters { left, cells, right }
    }
}

impl View {
    /// A new run begins: live, from its first instant, keeping what was chosen by hand.
    pub fn restart(&mut self, begin: Nanos, cells: u16) {
        if self.zoom == Zoom::Whole {
            self.zoom = Zoom::Turns;
        }
        self.axis = Axis { from: begin, cell: axis::STEPS[0], cells };
        self.until = begin;
        self.frozen = None;
        self.cursor = None;
        self.picked = None;
        self.scroll = 0;
        self.unfolded = None;
        self.fired = false;
        self.next = Nanos::ZERO;
    }

    /// Freezes the picture, and with it what is said of it.
    pub fn freeze(&mut self, log: &Trace) {
        self.frozen = Some(log.elapsed());
        self.frozen_blame = log.blame();
        self.until = log.now();
    }

    /// Exchanges the live picture if it has stood long enough. Says whether it did.
    pub fn follow(&mut self, log: &Trace, interval: Nanos, now: Nanos, cells: u16) -> bool {
        let begin = log.begin_at();
        // The clock of a run starts some time after it was ordered.
        let stands = now < self.next && self.axis.cells == cells && self.axis.from >= begin;
        if self.frozen.is_some() || stands {
            return false;
        }
        let until = log.now();
        let cell = match self.zoom {
            Zoom::Turns => axis::step_at_least(Nanos(interval.0 / CELLS_A_TURN)),
            Zoom::Cell(cell) => cell,
            Zoom::Whole => axis::fitting(until - begin, cells),
        };
        let mut picture = Axis { from: begin, cell, cells };
        self.fired = false;
        self.next = now + FLOWS;
        if self.zoom != Zoom::Whole && until > picture.to() {
            let latest = until - picture.span();
            let aligned = begin + Nanos((latest - begin).0 / cell.0.max(1) * cell.0.max(1));
            picture.from = aligned;
            if cell < SLOW {
                self.next = now + STANDS;
                if let Some(at) = self.fire(log, latest, interval) {
                    picture.from = at;
                    self.fired = true;
                }
            }
        }
        self.axis = picture;
        self.until = until;
        true
    }

    /// The latest instant, of the last second before `latest`, at which the trigger fired.
    fn fire(&self, log: &Trace, latest: Nanos, interval: Nanos) -> Option<Nanos> {
        let first = || log.workers().first().or_else(|| log.others().first()).copied();
        let lane = self.picked.or_else(first)?;
        match self.trigger {
            Trigger::Anywhere => None,
            Trigger::Take => [Nanos(interval.0.saturating_mul(4)), STANDS]
                .into_iter()
                .find_map(|reach| log.next_take(lane, latest - reach).filter(|at| *at <= latest)),
            Trigger::LongWait => {
                let long = Nanos(interval.0.saturating_mul(2));
                let waits = |at: &Nanos| log.next_wait_longer_than(lane, *at, long).filter(|at| *at <= latest);
                std::iter::successors(waits(&(latest - STANDS)), waits).take(LOOKS).last()
            }
        }
    }

    /// The whole run, still, as far as it reaches.
    pub fn show_whole(&mut self, begin: Nanos, until: Nanos, cells: u16) {
        let cell = axis::fitting(until - begin, cells);
        self.axis = Axis { from: begin, cell, cells };
        self.until = until;
        self.zoom = Zoom::Whole;
        self.fired = false;
    }

    /// Whether the whole run is on the screen.
    pub fn is_whole(&self, begin: Nanos, until: Nanos) -> bool {
        self.axis.from <= begin && self.axis.to() >= until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_get_what_the_gutters_leave() {
        for columns in 60..=500 {
            let gutters = Gutters::new(columns, 9);
            assert_eq!(gutters.left + gutters.cells + gutters.right, columns);
        }
        assert_eq!(Gutters::new(3, 9).cells, 1);
    }

    #[test]
    fn the_trigger_goes_round() {
        assert_eq!(Trigger::default().next().next().next(), Trigger::default());
    }
}
