//! What is seen of the log: every row of the picture, asked for once.

use std::ops::Range;

use crate::app::news::gutters;
use crate::app::rows::{self, Fold, Row, worker_locks};
use crate::app::view::Gutters;
use crate::app::{Axis, State, cursor, words};
use crate::event::{CoreId, LaneId, LockId, Nanos};
use crate::trace::{CoreCell, LaneCell, Ledger, LockCell, QueueCell, QueueStats, Trace};

use super::super::glyphs::{is_shared, is_turbulent};
use super::super::layout::Plan;

/// What a row shows, as far as the picture reaches.
pub enum Body {
    /// One lane.
    Lane {
        /// Which.
        lane: LaneId,
        /// How it ended, if not as it should.
        end: Option<String>,
        /// Its cells.
        cells: Vec<LaneCell>,
    },
    /// Several workers.
    Band {
        /// Their places.
        workers: Range<usize>,
        /// The sums of their cells.
        cells: Vec<Ledger>,
    },
    /// A lock.
    Lock {
        /// Its cells.
        cells: Vec<LockCell>,
    },
}

/// One row of the timeline.
pub struct SceneRow {
    /// Its name.
    pub name: String,
    /// Its place, for its mark and its colour.
    pub place: usize,
    /// Whether the cursor is on it.
    pub picked: bool,
    /// What it shows.
    pub body: Body,
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
    /// How the workers are folded.
    pub fold: Fold,
    /// The rows in sight.
    pub rows: Vec<SceneRow>,
    /// Which lanes or bands are in sight, counted from 1, and how many there are, if not all are.
    pub in_sight: Option<(usize, usize, usize)>,
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

        let all = rows::rows(state, log);
        let fold = Fold::of(state, log);
        let (first, fit) = sight(&all, state.view.scroll, plan);
        let picked = state.view.cursor.and_then(|_| cursor::lane(state, log)).or(state.view.picked);
        let picked_place = picked.and_then(|lane| rows::place(log, lane));
        let lane_row = |row: &Row| match row {
            Row::Lane(lane) => Some(*lane),
            Row::Band(workers) => log.workers().get(workers.start).copied(),
            Row::Lock(_) => None,
        };
        let read = |index: usize| {
            let row = &all[index];
            let body = match row {
                Row::Lane(lane) => Body::Lane {
                    lane: *lane,
                    end: log.lane(*lane).end.as_deref().map(words::sanitised),
                    cells: log.lane_window(*lane, axis.from, to, count),
                },
                Row::Band(workers) => Body::Band {
                    workers: workers.clone(),
                    cells: log.workers_window(workers.clone(), axis.from, to, count),
                },
                Row::Lock(lock) => Body::Lock { cells: log.lock_window(*lock, axis.from, to, count) },
            };
            let picked = match row {
                Row::Lane(lane) => picked == Some(*lane),
                Row::Band(workers) => picked_place.is_some_and(|place| workers.contains(&place)),
                Row::Lock(_) => false,
            };
            let place = lane_row(row).and_then(|lane| fold.place(log, lane)).unwrap_or(0);
            SceneRow { name: rows::name(log, &all, index), place, picked, body }
        };
        let in_sight = (fit < all.len()).then(|| {
            let lanes = |rows: &[Row]| rows.iter().filter_map(lane_row).count();
            let before = lanes(&all[..first]);
            (before + 1, before + lanes(&all[first..first + fit]), lanes(&all))
        });
        let rows = (first..first + fit).map(read).collect();

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
        let mut scene = Scene {
            axis,
            gutters,
            begin,
            until,
            fold,
            rows,
            in_sight,
            locks,
            lock,
            cores,
            queues,
            cursor,
            shares: false,
        };
        scene.shares = scene.is_shared();
        scene
    }

    /// How much of a cell is recorded and in the picture.
    pub fn recorded(&self, cell: usize) -> Nanos {
        let cell = u16::try_from(cell).unwrap_or(u16::MAX);
        let next = cell.saturating_add(1);
        self.axis.at(next).min(self.until) - self.axis.at(cell).max(self.begin)
    }

    /// A tenth of what is in sight holds too many changes to be drawn as one piece.
    fn is_shared(&self) -> bool {
        let tenth = |many: usize, all: usize| many > 0 && many * 10 >= all;
        let lanes = self.rows.iter().filter_map(|row| match &row.body {
            Body::Lane { cells, .. } => Some(cells),
            _ => None,
        });
        let locks = self.rows.iter().filter_map(|row| match &row.body {
            Body::Lock { cells } => Some(cells),
            _ => None,
        });
        let cells: Vec<&LaneCell> = lanes.flatten().collect();
        let turns: Vec<&LockCell> = locks.chain(self.lock.as_ref().map(|(_, cells)| cells)).flatten().collect();
        tenth(cells.iter().filter(|cell| is_shared(cell)).count(), cells.len())
            || tenth(turns.iter().filter(|cell| is_turbulent(cell)).count(), turns.len())
    }
}

/// From which row on, and how many: all if they fit, else as many as there is room for from where it was scrolled to.
fn sight(rows: &[Row], scroll: usize, plan: &Plan) -> (usize, usize) {
    let locks = rows.iter().filter(|row| matches!(row, Row::Lock(_))).count();
    let height = usize::from(plan.lane_height.max(1));
    let room = usize::from(plan.lanes.height);
    if (rows.len() - locks) * height + locks <= room {
        return (0, rows.len());
    }
    let fit = (room / height).min(rows.len());
    (scroll.min(rows.len() - fit), fit)
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
