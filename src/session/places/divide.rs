//! What the log tells of lanes, divided among the functions that looks have met; see [`super`].

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{LaneId, LockId, Nanos};
use crate::observe::place::Place;
use crate::trace::{Count, Estimate};

use super::told::Held;
use super::weight::{Sum, Weight};
use super::{As, Function, Looks, OF_ITS_OWN, Places, Seen, Who};

/// A task is named alone that has so much of a function, as an owner is of a cell.
const NEARLY_ALL: f64 = 0.9;

/// A function in which a lock was held.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldIn {
    /// By whom; the lane during whose holds there others waited longest, where several were there and that is known of them.
    pub lane: LaneId,
    /// Where it was seen last; its task is the one in which the lock was held there longest, whenever that was.
    pub place: Place,
    /// How often it was seen there, in all.
    pub looks: u64,
    /// How long it was held there.
    pub held: Estimate,
    /// How long others waited meanwhile, each of them.
    pub waited: Estimate,
    /// The asyncio tasks it was seen in, the most waited for first; the rest of it was in none, or none that was seen.
    pub tasks: Vec<InTask>,
    /// Whether there were more of them than are told apart.
    pub more_tasks: bool,
    /// How many lanes were seen there.
    pub lane_count: usize,
    /// Each of them that is told apart, the most waited for first.
    pub lanes: Vec<OfLane>,
}

/// The part of a function that one lane has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfLane {
    /// Which.
    pub lane: LaneId,
    /// How often it was seen there.
    pub looks: u64,
    /// How long it held a lock there. None: there are too few looks at it to tell, and it was divided with others.
    pub held: Option<Estimate>,
    /// How long others waited meanwhile, each of them; none likewise.
    pub waited: Option<Estimate>,
}

/// The part of a function that ran in one asyncio task.
#[derive(Clone, Debug, PartialEq)]
pub struct InTask {
    /// Its name.
    pub task: Arc<str>,
    /// How long a lock was held there.
    pub held: Estimate,
    /// How long others waited meanwhile, each of them.
    pub waited: Estimate,
}

/// What is divided: how long it was held, or how long others waited.
#[derive(Clone, Copy)]
enum What {
    Held,
    Waited,
}

impl What {
    fn told(self, held: &Held) -> Nanos {
        match self {
            What::Held => held.held,
            What::Waited => held.waited,
        }
    }

    fn count(self, weight: Weight) -> Count {
        match self {
            What::Held => weight.held(),
            What::Waited => weight.waited(),
        }
    }
}

/// What is divided together, by the looks at any of it.
#[derive(Clone, Copy, Default)]
struct Whole {
    ns: Nanos,
    looks: Count,
    /// How many lanes it is of.
    lanes: usize,
}

/// Everything that is divided, and in which part of it each is.
#[derive(Default)]
struct Parts {
    wholes: Vec<Whole>,
    of: HashMap<Who, usize>,
}

impl Parts {
    /// One more part: what is told of these, with so many looks at each.
    fn add(&mut self, told: impl IntoIterator<Item = (Who, Nanos)>, looks: &HashMap<Who, Count>) {
        let mut whole = Whole::default();
        for (who, ns) in told {
            whole.ns += ns;
            whole.looks += looks.get(&who).copied().unwrap_or_default();
            // Those that were put together are several.
            whole.lanes += if matches!(who, Who::Lane(_)) { 1 } else { 2 };
            self.of.insert(who, self.wholes.len());
        }
        self.wholes.push(whole);
    }

    /// As much as so many looks of all that there are at its part.
    fn estimate(&self, part: usize, looks: Count) -> Estimate {
        let whole = &self.wholes[part];
        Estimate::part(whole.ns, looks, whole.looks)
    }
}

impl Places {
    /// What the log tells of each lane, divided among the functions that holders were seen in, whoever it was: waits by the
    /// looks at which somebody waited. The most waited for first. What is missing was in no function that any look tells.
    pub fn divide(&self, told: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
        self.pooled(As::Holder, told, looks)
    }

    /// How long each lane ran that has no lock ([`super::ran_by_lane`]), divided among the functions it was seen in: `held`
    /// is how long it ran there. The longest first.
    pub fn divide_runs(&self, ran: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
        self.pooled(As::Runner, ran, looks)
    }

    /// What the log tells of each group of lanes, divided among the functions that its own lanes were seen in. For each
    /// group the most waited for first.
    pub fn divide_groups<G: Copy + Eq + std::hash::Hash>(
        &self,
        told: &HashMap<LaneId, Held>,
        looks: Looks,
        group: impl Fn(LaneId) -> G,
    ) -> HashMap<G, Vec<HeldIn>> {
        let mut groups: HashMap<G, Vec<LaneId>> = HashMap::new();
        told.keys().for_each(|lane| groups.entry(group(*lane)).or_default().push(*lane));
        let parts = [What::Held, What::Waited].map(|what| {
            let (seen, mut parts) = (self.counts(As::Holder, looks, what), Parts::default());
            let of = |lane: &LaneId| (Who::Lane(*lane), what.told(&told[lane]));
            groups.values().for_each(|lanes| parts.add(lanes.iter().map(of), &seen));
            parts
        });
        let mut rows = self.rows_of(As::Holder, looks, &parts, |who| match who {
            Who::Lane(lane) => told.contains_key(&lane).then(|| group(lane)),
            Who::Others(_) => None,
        });
        let of_group = |group| (group, sorted(rows.remove(&group).unwrap_or_default()));
        groups.into_keys().map(of_group).collect()
    }

    fn pooled(&self, seen_as: As, told: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
        let parts = [What::Held, What::Waited].map(|what| self.pools(seen_as, told, looks, what));
        sorted(self.rows_of(seen_as, looks, &parts, |_| Some(())).remove(&()).unwrap_or_default())
    }

    /// Which lanes are divided alone and which together.
    fn pools(&self, seen_as: As, told: &HashMap<LaneId, Held>, looks: Looks, what: What) -> Parts {
        let mut counts = self.counts(seen_as, looks, what);
        let told: HashMap<LaneId, (Option<LockId>, Nanos)> =
            told.iter().map(|(lane, told)| (*lane, (told.lock, what.told(told)))).collect();
        // Looks at whom nothing is told of are of another time.
        counts.retain(|who, _| match who {
            Who::Lane(lane) => told.get(lane).is_some_and(|(_, ns)| *ns > Nanos::ZERO),
            Who::Others(_) => true,
        });
        let lock = |who: &Who| match who {
            Who::Lane(lane) => told[lane].0,
            Who::Others(lock) => *lock,
        };
        let mut of_lock: HashMap<Option<LockId>, Whole> = HashMap::new();
        told.values().for_each(|(lock, ns)| of_lock.entry(*lock).or_default().ns += *ns);
        counts.iter().for_each(|(who, count)| of_lock.entry(lock(who)).or_default().looks += *count);
        // How many looks are to be expected of so much of what is told of a lock, by all looks at it.
        let expected = |lock: Option<LockId>, ns: Nanos| {
            of_lock.get(&lock).map_or(0.0, |of| of.looks.looks() * ns.0 as f64 / of.ns.0.max(1) as f64)
        };
        let (mut parts, mut rest) = (Parts::default(), HashMap::<Option<LockId>, Vec<(Who, Nanos)>>::new());
        for (lane, (lock, ns)) in &told {
            let who = Who::Lane(*lane);
            if expected(*lock, *ns) >= OF_ITS_OWN && counts.contains_key(&who) {
                parts.add([(who, *ns)], &counts);
            } else if *ns > Nanos::ZERO {
                rest.entry(*lock).or_default().push((who, *ns));
            }
        }
        for who in counts.keys().filter(|who| matches!(who, Who::Others(_))) {
            rest.entry(lock(who)).or_default().push((*who, Nanos::ZERO));
        }
        let mut left = Vec::new();
        for (lock, lanes) in rest {
            let all = lanes.iter().map(|(_, ns)| *ns).sum();
            if expected(lock, all) >= OF_ITS_OWN && lanes.iter().any(|(who, _)| counts.contains_key(who)) {
                parts.add(lanes, &counts);
            } else {
                left.extend(lanes);
            }
        }
        let looks = left.iter().filter_map(|(who, _)| counts.get(who)).fold(Count::default(), |sum, it| sum + *it);
        if looks.looks() >= OF_ITS_OWN {
            parts.add(left, &counts);
        } else {
            // By so few looks nobody is told what no look at him tells.
            left.into_iter().for_each(|one| parts.add([one], &counts));
        }
        parts
    }

    /// How many looks there were at each.
    fn counts(&self, seen_as: As, looks: Looks, what: What) -> HashMap<Who, Count> {
        let mut counts: HashMap<Who, Count> = HashMap::new();
        let rows = self.rows.iter().map(|((as_what, who, _), seen)| (as_what, who, &seen.sum));
        let nowhere = self.nowhere.iter().map(|((as_what, who), sum)| (as_what, who, sum));
        for (_, who, sum) in rows.chain(nowhere).filter(|(as_what, ..)| **as_what == seen_as) {
            *counts.entry(*who).or_default() += self.count(sum, looks, what);
        }
        counts
    }

    fn count(&self, sum: &Sum, looks: Looks, what: What) -> Count {
        what.count(match looks {
            Looks::Ever => sum.ever(),
            Looks::Lately => sum.faded(self.last),
        })
    }

    /// The rows of each group, in which functions are one whoever was seen there.
    fn rows_of<G: Copy + Eq + std::hash::Hash>(
        &self,
        seen_as: As,
        looks: Looks,
        parts: &[Parts; 2],
        group: impl Fn(Who) -> Option<G>,
    ) -> HashMap<G, Vec<HeldIn>> {
        let mut rows: HashMap<(G, &Function), Row> = HashMap::new();
        for ((as_what, who, function), seen) in &self.rows {
            if let Some(group) = group(*who).filter(|_| *as_what == seen_as) {
                let estimate = |of: usize, sum: &Sum| {
                    let (parts, what) = (&parts[of], [What::Held, What::Waited][of]);
                    let (part, count) = (*parts.of.get(who)?, self.count(sum, looks, what));
                    Some((part, count, parts.estimate(part, count)))
                };
                rows.entry((group, function)).or_default().add(*who, seen, parts, estimate);
            }
        }
        let mut groups: HashMap<G, Vec<HeldIn>> = HashMap::new();
        for ((group, function), row) in rows {
            groups.entry(group).or_default().extend(row.finish(function, parts));
        }
        groups
    }
}

/// A function in the making.
#[derive(Default)]
struct Row<'a> {
    /// How many looks at it each part has.
    counts: [HashMap<usize, Count>; 2],
    lanes: Vec<OfLane>,
    lane_count: usize,
    looks: u64,
    tasks: Vec<InTask>,
    more_tasks: bool,
    /// Whose part is the largest, as far as that is known: of waiting, of holding, of looks.
    most: Option<((f64, f64, u64), &'a Seen)>,
}

impl<'a> Row<'a> {
    fn add(
        &mut self,
        who: Who,
        seen: &'a Seen,
        parts: &[Parts; 2],
        estimate: impl Fn(usize, &Sum) -> Option<(usize, Count, Estimate)>,
    ) {
        let found = [0, 1].map(|of| estimate(of, &seen.sum));
        for (counts, (part, count, _)) in
            self.counts.iter_mut().zip(&found).filter_map(|(to, found)| Some((to, (*found)?)))
        {
            *counts.entry(part).or_default() += count;
        }
        // Of a lane of which nothing is told it is known that it has nothing.
        let alone = [0, 1].map(|of| match found[of] {
            Some((part, _, estimate)) => (parts[of].wholes[part].lanes == 1).then_some(estimate),
            None => Some(Estimate::default()),
        });
        let [held, waited] = alone.map(|estimate| estimate.map_or(0.0, |it| it.ns));
        let is_more = |(most, of): ((f64, f64, u64), &Seen)| {
            let more = (waited, held, seen.looks).partial_cmp(&most).unwrap_or(Ordering::Equal);
            more.then(of.lane.cmp(&seen.lane)).is_gt()
        };
        if self.most.is_none_or(is_more) {
            self.most = Some(((waited, held, seen.looks), seen));
        }
        if let Who::Lane(lane) = who {
            let [held, waited] = alone;
            self.lanes.push(OfLane { lane, looks: seen.looks, held, waited });
        }
        let in_task = |(task, sum): &(Arc<str>, Sum)| {
            let [held, waited] = [0, 1].map(|of| estimate(of, sum).map_or_else(Estimate::default, |(.., it)| it));
            InTask { task: Arc::clone(task), held, waited }
        };
        // Tasks of one name in two threads are two.
        self.tasks.extend(seen.tasks.iter().map(in_task));
        self.more_tasks |= seen.more_tasks;
        self.looks += seen.looks;
        self.lane_count += seen.lanes;
    }

    fn finish(mut self, function: &Function, parts: &[Parts; 2]) -> Option<HeldIn> {
        let (_, seen) = self.most?;
        let sum = |of: usize| {
            let mut sum = Estimate::default();
            self.counts[of].iter().for_each(|(part, count)| sum += parts[of].estimate(*part, *count));
            sum
        };
        let (held, waited) = (sum(0), sum(1));
        let ns = |estimate: Option<Estimate>| estimate.map_or(0.0, |it| it.ns);
        self.lanes.sort_by(|a, b| {
            let (waited, held) = (ns(b.waited).total_cmp(&ns(a.waited)), ns(b.held).total_cmp(&ns(a.held)));
            waited.then(held).then(b.looks.cmp(&a.looks)).then(a.lane.cmp(&b.lane))
        });
        self.tasks.sort_by(|a, b| {
            let (waited, held) = (b.waited.ns.total_cmp(&a.waited.ns), b.held.ns.total_cmp(&a.held.ns));
            waited.then(held).then_with(|| a.task.cmp(&b.task))
        });
        // Of equals the one that stands first.
        let task = self.tasks.iter().rev().max_by(|a, b| a.held.ns.total_cmp(&b.held.ns));
        let task = task.map(|it| Arc::clone(&it.task));
        let (name, file) = (Arc::clone(&function.name), Arc::clone(&function.file));
        Some(HeldIn {
            lane: seen.lane,
            place: Place { function: name, file, line: seen.line, task, caller: seen.caller.clone() },
            looks: self.looks,
            held,
            waited,
            tasks: self.tasks,
            more_tasks: self.more_tasks,
            lane_count: self.lane_count,
            lanes: self.lanes,
        })
    }
}

impl HeldIn {
    /// The tasks in which it was seen, in words: `task req-1` where it is one, nearly all of the time; `4 tasks` where it
    /// is several. None where none was seen.
    pub fn task_words(&self) -> Option<String> {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let first = self.tasks.first()?;
        let alone = match self.waited.ns > 0.0 {
            true => share(first.waited.ns, self.waited.ns),
            false => share(first.held.ns, self.held.ns),
        };
        Some(match self.tasks.len() {
            _ if self.more_tasks => "many tasks".to_owned(),
            1 => format!("task {}", first.task),
            _ if alone >= NEARLY_ALL => format!("task {}", first.task),
            count => format!("{count} tasks"),
        })
    }
}

fn sorted(mut rows: Vec<HeldIn>) -> Vec<HeldIn> {
    rows.sort_by(|a, b| {
        let (waited, held) = (b.waited.ns.total_cmp(&a.waited.ns), b.held.ns.total_cmp(&a.held.ns));
        let function = || (&a.place.function, &a.place.file).cmp(&(&b.place.function, &b.place.file));
        waited.then(held).then(b.looks.cmp(&a.looks)).then(a.lane.cmp(&b.lane)).then_with(function)
    });
    rows
}
