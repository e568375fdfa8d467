//! In which functions the holder of a lock was seen, and how long others waited meanwhile.
//!
//! A place is looked up now and then, not at every change, so these are samples. Each stands for the time since the
//! one before it (for a tenth of a second at most), and what is long past fades: after ten seconds it counts half.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::event::{LaneId, Nanos};
use crate::observe::place::{Caller, Place};

/// After so long a sample counts half.
const HALF: f64 = 10e9;

/// The longest time one sample stands for.
const MOST: Nanos = Nanos::from_millis(100);

/// How many functions are told apart.
const MOST_ROWS: usize = 1024;

/// How many single samples are kept, to tell where a holder was at an instant: at fifty a second, of the last minute.
const MOST_SAMPLES: usize = 3000;

/// The lane, the function and its file, and those of the caller where it is told.
type Key = (LaneId, Arc<str>, Arc<str>, Option<(Arc<str>, Arc<str>)>);

/// What has been seen of the holders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    rows: HashMap<Key, Seen>,
    latest: HashMap<LaneId, Place>,
    /// In the order of time.
    samples: VecDeque<(Nanos, LaneId, Place)>,
    /// When it was last looked, and when before.
    last: Nanos,
    before: Nanos,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    line: Option<u32>,
    task: Option<Arc<str>>,
    caller: Option<Arc<Caller>>,
    held: f64,
    waited: f64,
    at: Nanos,
}

/// A function in which a lock was held.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldIn {
    /// By whom; the lane that did so longest, where several did.
    pub lane: LaneId,
    /// Where it was seen last.
    pub place: Place,
    /// How long it was held there, faded; only of use beside others.
    pub held: f64,
    /// How long others waited meanwhile, each of them, faded.
    pub waited: f64,
}

impl Places {
    /// The lane was seen there at `at`, holding its lock, while so many others wanted it.
    pub fn saw(&mut self, at: Nanos, lane: LaneId, place: Place, waiting: usize) {
        // All locks are looked at at once: each holder is told of for the whole of the time since the look before.
        if at > self.last {
            (self.before, self.last) = (self.last, at);
        }
        let span = (at - self.before).0.min(MOST.0) as f64;
        if self.rows.len() >= MOST_ROWS {
            self.rows.retain(|_, seen| seen.faded(at).held > 1e6);
        }
        let by = place.caller.as_ref().map(|caller| (Arc::clone(&caller.function), Arc::clone(&caller.file)));
        let seen = self.rows.entry((lane, Arc::clone(&place.function), Arc::clone(&place.file), by)).or_default();
        let faded = seen.faded(at);
        *seen = Seen {
            line: place.line,
            task: place.task.clone(),
            caller: place.caller.clone(),
            held: faded.held + span,
            waited: faded.waited + span * waiting as f64,
            at,
        };
        self.latest.insert(lane, place.clone());
        if self.samples.len() >= MOST_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((at, lane, place));
    }

    /// Where a lane was seen last.
    pub fn latest(&self, lane: LaneId) -> Option<&Place> {
        self.latest.get(&lane)
    }

    /// Where a lane was seen in a span of time, nearest to `at` within it, and when.
    pub fn seen_within(&self, lane: LaneId, from: Nanos, to: Nanos, at: Nanos) -> Option<(&Place, Nanos)> {
        let first = self.samples.partition_point(|(seen, ..)| *seen < from);
        let within = self.samples.range(first..).take_while(|(seen, ..)| *seen <= to);
        let apart = |seen: Nanos| seen.max(at) - seen.min(at);
        let of_lane = within.filter(|(_, holder, _)| *holder == lane);
        of_lane.min_by_key(|(seen, ..)| apart(*seen)).map(|(seen, _, place)| (place, *seen))
    }

    /// Every function of every lane, the longest held first.
    pub fn by_lane(&self) -> Vec<HeldIn> {
        let rows = self.rows.iter().map(|((lane, function, file, _), seen)| {
            let seen = seen.faded(self.last);
            let (function, file) = (Arc::clone(function), Arc::clone(file));
            let place = Place { function, file, line: seen.line, task: seen.task, caller: seen.caller };
            HeldIn { lane: *lane, place, held: seen.held, waited: seen.waited }
        });
        sorted(rows.collect())
    }

    /// Every function, whoever ran it, the longest held first.
    pub fn by_function(&self) -> Vec<HeldIn> {
        let mut found: Vec<HeldIn> = Vec::new();
        for row in self.by_lane() {
            match found.iter_mut().find(|known| known.place.is_same_function(&row.place)) {
                Some(known) => (known.held, known.waited) = (known.held + row.held, known.waited + row.waited),
                None => found.push(row),
            }
        }
        sorted(found)
    }
}

fn sorted(mut rows: Vec<HeldIn>) -> Vec<HeldIn> {
    rows.sort_by(|a, b| b.waited.total_cmp(&a.waited).then(b.held.total_cmp(&a.held)).then(a.lane.cmp(&b.lane)));
    rows
}

impl Seen {
    fn faded(&self, at: Nanos) -> Seen {
        let factor = 0.5_f64.powf((at - self.at).0 as f64 / HALF);
        Seen { held: self.held * factor, waited: self.waited * factor, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(function: &str) -> Place {
        Place { function: function.into(), file: "a.py".into(), line: Some(1), task: None, caller: None }
    }

    #[test]
    fn whoever_held_it_while_most_waited_comes_first() {
        let mut places = Places::default();
        for step in 1..=10 {
            let at = Nanos::from_millis(step * 50);
            match step % 5 {
                0 => places.saw(at, LaneId(1), place("render"), 9),
                _ => places.saw(at, LaneId(0), place("parse"), 1),
            }
        }
        let rows = places.by_lane();
        assert_eq!(&*rows[0].place.function, "render");
        assert!((rows[0].waited / rows[1].waited - 18.0 / 8.0).abs() < 0.1, "{rows:?}");
        assert!((rows[1].held / rows[0].held - 4.0).abs() < 0.2, "{rows:?}");
        assert_eq!(places.latest(LaneId(0)), Some(&place("parse")));
    }

    #[test]
    fn who_holds_another_lock_at_the_same_time_has_held_it_as_long() {
        let mut places = Places::default();
        for step in 1..=10 {
            places.saw(Nanos::from_millis(step * 20), LaneId(0), place("one"), 1);
            places.saw(Nanos::from_millis(step * 20), LaneId(1), place("other"), 1);
        }
        let rows = places.by_lane();
        assert!(rows.len() == 2 && (rows[0].held / rows[1].held - 1.0).abs() < 0.01, "{rows:?}");
    }

    #[test]
    fn a_sample_is_found_by_its_instant_and_only_within_the_span_asked_for() {
        let ms = Nanos::from_millis;
        let mut places = Places::default();
        for step in 1..=200 {
            let function = if step % 2 == 0 { "f" } else { "g" };
            places.saw(ms(step * 20), LaneId(u32::from(step % 2 == 0)), place(function), 1);
        }
        let seen = |lane, from, to, at| {
            let found = places.seen_within(LaneId(lane), ms(from), ms(to), ms(at));
            found.map(|(place, at)| (place.function.to_string(), at.0 / 1_000_000))
        };
        assert_eq!(seen(1, 0, 4000, 1009), Some(("f".to_owned(), 1000)));
        assert_eq!(seen(0, 0, 4000, 1011), Some(("g".to_owned(), 1020)));
        assert_eq!(seen(0, 981, 1019, 1000), None);
        for step in 201..=(2 * MOST_SAMPLES as u64) {
            places.saw(ms(step * 20), LaneId(0), place("g"), 1);
        }
        assert_eq!(places.samples.len(), MOST_SAMPLES);
    }

    #[test]
    fn one_function_with_two_callers_is_two_rows() {
        let mut places = Places::default();
        let caller = |name: &str| Some(Arc::new(Caller { function: name.into(), file: "b.py".into(), line: Some(3) }));
        for (step, by) in ["scan", "scan", "load"].into_iter().enumerate() {
            let place = Place { caller: caller(by), ..place("match") };
            places.saw(Nanos::from_millis(50 * (step as u64 + 1)), LaneId(0), place, 1);
        }
        let rows = places.by_function();
        let callers: Vec<_> =
            rows.iter().filter_map(|row| Some(row.place.caller.as_ref()?.function.to_string())).collect();
        assert_eq!(callers, ["scan", "load"]);
    }

    #[test]
    fn one_function_of_several_lanes_is_one_row_and_what_is_past_fades() {
        let mut places = Places::default();
        places.saw(Nanos::from_millis(50), LaneId(0), place("f"), 2);
        places.saw(Nanos::from_millis(100), LaneId(1), place("f"), 2);
        assert_eq!(places.by_function().len(), 1);
        let before = places.by_function()[0].waited;
        assert!((before / 2e8 - 1.0).abs() < 0.01, "{before}");
        places.saw(Nanos::from_secs(10), LaneId(0), place("g"), 0);
        let f = places.by_function().into_iter().find(|row| &*row.place.function == "f").expect("it is known");
        assert!((f.waited / before - 0.5).abs() < 0.01);
    }
}
