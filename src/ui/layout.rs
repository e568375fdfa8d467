//! How the rows of the lab are shared out.
//!
//! Each part first gets what it cannot do without. What is left goes, row by
//! row, to the wish that comes first in a list; so the list read backwards is
//! what goes first in little room: blank lines, code, core rows, the whole-run
//! row, height.

use ratatui::layout::Rect;

/// What there is to show.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// Lanes, or bands of them.
    pub lanes: u16,
    /// Locks among the lanes, a row each.
    pub locks: u16,
    /// Rows of the lock: two for one lock, one for what is said of several.
    pub lock: u16,
    /// Rows of the program's own queues.
    pub queues: u16,
    /// Core rows.
    pub cores: u16,
    /// Finish bars that have been run.
    pub bars: u16,
    /// All finish bars, those not run included.
    pub all_bars: u16,
    /// Lines of code.
    pub code: u16,
    /// Lines of the sentence.
    pub sentence: u16,
    /// Whether the code stands beside the bars.
    pub beside: bool,
}

/// Where everything goes. What has no room is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Two lines: what runs, and what it is.
    pub header: Rect,
    /// Cores busy.
    pub meter: Rect,
    /// The rule above the timeline.
    pub title: Rect,
    /// The lock's row, or in its place what is to be said of several.
    pub lock: Rect,
    /// The lanes.
    pub lanes: Rect,
    /// Rows of one lane.
    pub lane_height: u16,
    /// The program's own queues.
    pub queues: Rect,
    /// The core rows.
    pub cores: Rect,
    /// The time axis.
    pub axis: Rect,
    /// The whole-run row.
    pub whole: Rect,
    /// The finish line with its rule.
    pub finish: Rect,
    /// The code with its rule.
    pub code: Rect,
    /// What is seen.
    pub sentence: Rect,
    /// The keys.
    pub keys: Rect,
}

/// The least size that is drawn.
pub const LEAST: (u16, u16) = (60, 15);

struct Rows {
    left: u16,
}

impl Rows {
    /// Grants all of it or nothing.
    fn grant(&mut self, to: &mut u16, rows: u16) -> bool {
        let granted = rows <= self.left;
        if granted {
            self.left -= rows;
            *to += rows;
        }
        granted
    }

    /// Grants as many rows as there are, until it has so many.
    fn grow(&mut self, to: &mut u16, until: u16) {
        let rows = until.saturating_sub(*to).min(self.left);
        self.left -= rows;
        *to += rows;
    }
}

/// Takes so many rows of an area at each call, those below the ones before; of what lies outside of it nothing.
fn from_the_top(area: Rect) -> impl FnMut(u16) -> Rect {
    let mut next = area.y;
    move |rows| {
        let rect = Rect { x: area.x, y: next, width: area.width, height: rows };
        next += rows;
        rect.intersection(area)
    }
}

/// Shares out the rows of `area`, which is no smaller than [`LEAST`].
pub fn lab(area: Rect, wants: Wants) -> Plan {
    let lanes = wants.lanes.max(1);
    let least = lanes.saturating_add(wants.locks);
    let (mut meter, mut lock, mut lane_rows, mut height, mut axis, mut whole) = (1, 1, 0, 1, 0, 0);
    let (mut sentence, mut bars, mut cores, mut code) = (1, wants.bars.clamp(1, 2), 0, 0);
    let mut queues = 0;
    let mut blanks = [0; 4];
    // Header 2, meter, title, lock, the finish line's rule, sentence, keys.
    let mut rows = Rows { left: area.height.saturating_sub(8 + bars) };
    rows.grow(&mut lane_rows, least.min(4));
    rows.grow(&mut sentence, wants.sentence.min(2));
    rows.grow(&mut bars, wants.bars);
    if area.height >= 20 {
        rows.grant(&mut axis, 1);
    }
    // Many lanes leave room for the whole-run row and the bars.
    let reserve = if area.height >= 30 { 3.min(rows.left) } else { 0 };
    rows.left -= reserve;
    rows.grow(&mut lane_rows, least);
    rows.left += reserve;
    rows.grow(&mut queues, wants.queues);
    rows.grow(&mut bars, wants.all_bars);
    rows.grow(&mut sentence, wants.sentence.min(3));
    let all = lane_rows == least;
    let mut taller = |rows: &mut Rows, to: u16| {
        if all && height + 1 == to && rows.grant(&mut lane_rows, lanes) {
            height = to;
        }
    };
    taller(&mut rows, 2);
    taller(&mut rows, 3);
    rows.grant(&mut whole, 1);
    rows.grant(&mut meter, 1);
    rows.grow(&mut lock, wants.lock.max(1));
    rows.grant(&mut cores, wants.cores);
    let code_rows = wants.code.saturating_add(1);
    if wants.beside {
        code = bars + 1;
        let one_more = code_rows.min(code + 1);
        rows.grow(&mut code, one_more);
    } else if rows.left >= 6 {
        rows.grow(&mut code, code_rows.min(8));
    }
    for index in [2, 0, 1, 3] {
        let mut blank = 0;
        rows.grant(&mut blank, 1);
        blanks[index] = blank;
    }
    taller(&mut rows, 4);
    if wants.beside {
        rows.grow(&mut code, code_rows.min(12));
    }

    let mut place = from_the_top(area);
    let mut plan = Plan { lane_height: height, ..Plan::default() };
    plan.header = place(2);
    place(blanks[0]);
    plan.meter = place(meter);
    place(blanks[1]);
    plan.title = place(1);
    plan.lock = place(lock);
    plan.lanes = place(lane_rows);
    plan.queues = place(queues);
    plan.cores = place(cores);
    plan.axis = place(axis);
    plan.whole = place(whole);
    place(blanks[2]);
    if wants.beside {
        let both = place((bars + 1).max(code));
        let half = both.width / 2;
        plan.finish = Rect { width: half, ..both };
        plan.code = Rect { x: both.x + half, width: both.width - half, ..both };
    } else {
        plan.finish = place(bars + 1);
        plan.code = place(code);
    }
    plan.sentence = place(sentence);
    place(blanks[3]);
    // Whatever nobody wanted lies above the keys.
    plan.keys = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area }.intersection(area);
    plan
}

/// Meter, lanes and sentence alone.
pub fn big(area: Rect, wants: Wants) -> Plan {
    let lanes = wants.lanes.max(1);
    let least = lanes.saturating_add(wants.locks);
    let sentence = wants.sentence.clamp(1, 3);
    // Header 2, meter, title, lock, axis.
    let (mut meter, mut lock, mut lane_rows, mut height, mut blank, mut queues) = (1, 1, 0, 1, 0, 0);
    let mut rows = Rows { left: area.height.saturating_sub(6 + sentence) };
    rows.grow(&mut lane_rows, least);
    let all = lane_rows == least;
    let mut taller = |rows: &mut Rows, to: u16| {
        if all && height + 1 == to && rows.grant(&mut lane_rows, lanes) {
            height = to;
        }
    };
    rows.grant(&mut meter, 1);
    taller(&mut rows, 2);
    rows.grow(&mut queues, wants.queues);
    rows.grow(&mut lock, wants.lock.max(1));
    taller(&mut rows, 3);
    rows.grant(&mut meter, 1);
    rows.grant(&mut blank, 2);
    taller(&mut rows, 4);
    rows.grant(&mut meter, 1);
    for to in 5..=8 {
        taller(&mut rows, to);
    }

    let mut place = from_the_top(area);
    let mut plan = Plan { lane_height: height, ..Plan::default() };
    plan.header = place(2);
    plan.meter = place(meter);
    place(blank / 2);
    plan.title = place(1);
    plan.lock = place(lock);
    plan.lanes = place(lane_rows);
    plan.queues = place(queues);
    plan.axis = place(1);
    place(blank / 2);
    plan.sentence = place(sentence);
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn four(sentence: u16, beside: bool) -> Wants {
        Wants { lanes: 4, locks: 0, lock: 2, queues: 0, cores: 4, bars: 1, all_bars: 3, code: 9, sentence, beside }
    }

    #[test]
    fn a_small_screen_keeps_meter_lanes_bars_sentence_and_keys() {
        let plan = lab(Rect::new(0, 0, 60, 15), four(2, false));
        assert_eq!((plan.meter.height, plan.lanes.height, plan.sentence.height, plan.keys.y), (1, 4, 2, 14));
        assert_eq!((plan.code.height, plan.cores.height, plan.whole.height), (0, 0, 0));
        assert!(plan.finish.height >= 2);
    }

    #[test]
    fn a_projector_has_taller_lanes_before_it_has_core_rows() {
        let plan = lab(Rect::new(0, 0, 80, 24), four(2, false));
        assert_eq!((plan.lane_height, plan.axis.height, plan.cores.height), (2, 1, 0));
    }

    #[test]
    fn a_large_screen_has_everything() {
        let plan = lab(Rect::new(0, 0, 120, 36), four(1, true));
        assert_eq!((plan.lane_height, plan.meter.height, plan.lock.height), (3, 2, 2));
        assert_eq!((plan.cores.height, plan.whole.height, plan.code.height), (4, 1, 5));
    }

    proptest! {
        #[test]
        fn parts_neither_overlap_nor_leave_the_screen(
            width in 60..300u16, height in 15..120u16, lanes in 0..70u16, locks in 0..9u16, lock in 0..3u16, cores in 0..9u16, queues in 0..4u16, bars in 0..9u16,
            more in 0..3u16, code in 0..40u16, sentence in 1..4u16, beside: bool, is_big: bool,
        ) {
            let area = Rect::new(0, 0, width, height);
            let wants = Wants { lanes, locks, lock, queues, cores, bars, all_bars: bars + more, code, sentence, beside };
            let plan = if is_big { big(area, wants) } else { lab(area, wants) };
            let parts = [plan.header, plan.meter, plan.title, plan.lock, plan.lanes, plan.queues, plan.cores, plan.axis, plan.whole,
                plan.finish, plan.code, plan.sentence, plan.keys];
            for (index, part) in parts.iter().enumerate() {
                prop_assert_eq!(part.intersection(area), *part);
                for other in &parts[index + 1..] {
                    prop_assert!(part.intersection(*other).is_empty(), "{:?} {:?}", part, other);
                }
            }
            prop_assert!(plan.lanes.height >= lanes.clamp(1, 4), "{:?}", plan);
            prop_assert!(plan.sentence.height >= 1);
        }
    }
}
