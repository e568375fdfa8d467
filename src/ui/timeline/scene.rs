//! What is seen of the log: every row of the picture, asked for once.

use crate::app::news::gutters;
use crate::app::view::{Gutters, drawn_lanes, worker_locks};
use crate::app::{Axis, State, cursor, words};
use crate::event::{CoreId, LaneId, LockId, Nanos};
use crate::trace::{CoreCell, LaneCell, LockCell, QueueCell, QueueStats, Trace};

use super::super::glyphs::{is_shared, is_turbulent};
use super::super::layout::Plan;

/// A lane that is in sight.
pub struct LaneRow {
    /// Its place among all drawn lanes.
    pub place: usize,
    /// Which.
    pub lane: LaneId,
    /// Its name, safe to draw.
    pub name: String,
    /// How it ended, if not as it should; safe to draw.
    pub end: Option<String>,
    /// Whether the cursor is on it.
    pub picked: bool,
    /// Its cells, as far as the picture reaches.
    pub cells: Vec<LaneCell>,
}

/// The rows of the picture.
pub struct Scene {
    /// Which part of the log it is.
    pub axis: Axis,
    /// Its columns.
    pub gutters: Gutters,
    /// When the run began.
    pub begin: Nanos,
    /// How far the picture reaches into the log.
    pub until: Nanos,
    /// All drawn lanes.
    pub lanes: Vec<LaneId>,
    /// Those in sight.
    pub rows: Vec<LaneRow>,
    /// The locks that workers use.
    pub locks: Vec<LockId>,
    /// The one lock, with its name, if there is one alone.
    pub lock: Option<(String, Vec<LockCell>)>,
    /// The cores in sight, with how many more there are.
    pub cores: Vec<(CoreId, Vec<CoreCell>)>,
    /// The program's own queues in sight.
    pub queues: Vec<(QueueStats, Vec<QueueCell>)>,
    /// The cell the cursor is in.
    pub cursor: Option<u16>,
    /// Whether many turns share a cell.
    pub shares: bool,
}

impl Scene {
    /// Asks the log for what is in sight.
    pub fn read(state: &State, log: &Trace, plan: &Plan) -> Scene {
        let gutters = gutters(state, Some(log));
        let axis = Axis { cells: gutters.cells, ..state.view.axis };
        let begin = log.begin_at();
        let until = state.view.until.min(log.now());
        // Only cells that begin before the picture was taken: the log has gone on since.
        let cell = axis.cell.0.max(1);
        let count = (until - axis.from).0.div_ceil(cell).min(u64::from(axis.cells));
        let to = axis.at(count as u16);
        let count = count as usize;

        let lanes = drawn_lanes(log);
        let fit = usize::from(plan.lanes.height / plan.lane_height.max(1));
        let first = state.view.scroll.min(lanes.len().saturating_sub(fit));
        let picked = state.view.cursor.and_then(|_| cursor::lane(state, log)).or(state.view.picked);
        let rows: Vec<LaneRow> = lanes
            .iter()
            .enumerate()
            .skip(first)
            .take(fit)
            .map(|(place, lane)| LaneRow {
                place,
                lane: *lane,
                name: words::sanitised(&log.lane(*lane).name),
                end: log.lane(*lane).end.as_deref().map(words::sanitised),
                picked: picked == Some(*lane),
                cells: log.lane_window(*lane, axis.from, to, count),
            })
            .collect();
        let locks = worker_locks(log);
        let lock = match locks.as_slice() {
            [lock] => Some((words::sanitised(&log.lock(*lock).name), log.lock_window(*lock, axis.from, to, count))),
            _ => None,
        };
        let cores = cores_in_sight(state, log, usize::from(plan.cores.height));
        let cores = cores.into_iter().map(|core| (core, log.core_window(core, axis.from, to, count))).collect();
        let queues = (log.queues().into_iter().enumerate().take(usize::from(plan.queues.height)))
            .map(|(place, stats)| (stats, log.queue_window(place, axis.from, to, count)))
            .collect();
        let cursor = state.view.cursor.and_then(|at| axis.cell_of(at));
        let mut scene =
            Scene { axis, gutters, begin, until, lanes, rows, locks, lock, cores, queues, cursor, shares: false };
        scene.shares = scene.is_shared();
        scene
    }

    /// How much of a cell is recorded and in the picture.
    pub fn recorded(&self, cell: usize) -> Nanos {
        let cell = u16::try_from(cell).unwrap_or(u16::MAX);
        let next = cell.saturating_add(1);
        self.axis.at(next).min(self.until) - self.axis.at(cell).max(self.begin)
    }

    /// Which lanes are in sight, counted from 1, if not all are.
    pub fn in_sight(&self) -> Option<(usize, usize)> {
        let first = self.rows.first()?.place + 1;
        (self.rows.len() < self.lanes.len()).then_some((first, first + self.rows.len() - 1))
    }

    /// A tenth of what is in sight holds too many changes to be drawn as one piece.
    fn is_shared(&self) -> bool {
        let tenth = |many: usize, all: usize| many > 0 && many * 10 >= all;
        let cells = || self.rows.iter().flat_map(|row| &row.cells);
        tenth(cells().filter(|cell| is_shared(cell)).count(), cells().count())
            || self
                .lock
                .as_ref()
                .is_some_and(|(_, cells)| tenth(cells.iter().filter(|cell| is_turbulent(cell)).count(), cells.len()))
    }
}

/// As many cores as fit: those of this machine, or if they are too many, those our lanes were on.
fn cores_in_sight(state: &State, log: &Trace, fit: usize) -> Vec<CoreId> {
    if fit == 0 {
        return Vec::new();
    }
    let all = &state.machine.cores;
    if all.len() <= fit {
        return all.clone();
    }
    let mut cores = log.cores();
    cores.extend(all.iter().filter(|core| !cores.contains(core)).copied().collect::<Vec<_>>());
    cores.truncate(fit);
    cores.sort();
    cores
}
