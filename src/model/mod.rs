//! How tasks become processes, threads and coroutines: one file a model, and the registry.
//!
//! A model says only which lanes and locks there will be and who does the
//! tasks. It starts nothing: that is the interpreter's business. A new model
//! is one new file with a `MODEL`, and one line in [`ALL`].

mod coroutines;
mod hybrid;
mod plan;
mod processes;
mod sense;
mod sequential;
mod subinterpreters;
mod threads;

pub use plan::{LanePlan, LockKind, LockPlan, Plan, Pool, Role, Start};

/// Every model, in the order of pickers and lists.
pub static ALL: &[&Model] = &[
    &sequential::MODEL,
    &threads::MODEL,
    &processes::SPAWN,
    &processes::FORK,
    &processes::FORKSERVER,
    &threads::FREE,
    &subinterpreters::MODEL,
    &hybrid::MODEL,
    &coroutines::MODEL,
];

/// A way to spread tasks over workers.
#[derive(Debug)]
pub struct Model {
    /// Its name on the command line and in lists: `processes`, `processes:fork`.
    pub id: &'static str,
    /// Another name it answers to: `processes:spawn`, where the start method is the usual one.
    pub alias: Option<&'static str>,
    /// Its name without the start method.
    pub family: &'static str,
    /// How its processes are made, where it makes any.
    pub start: Option<Start>,
    /// What it is, in one sentence.
    pub description: &'static str,
    /// How many workers it takes at most; none where the number is ignored.
    pub ceiling: Option<Ceiling>,
    /// Each of these is told the workers and over how many processes they are to be spread, which only `hybrid` heeds.
    title: fn(u32, u32) -> String,
    label: fn(u32, u32) -> String,
    plan: fn(u32, u32) -> Plan,
}

/// The most workers of a kind, and why not more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The number.
    pub workers: u32,
    /// Of what, in the plural.
    pub of: &'static str,
    /// Why: the end of a sentence that begins "more would".
    pub why: &'static str,
}

impl Model {
    /// The headline for so many workers: `4 THREADS, ONE GIL`.
    pub fn title(&self, workers: u32) -> String {
        self.title_over(workers, None)
    }

    /// The same, spread over a number of processes if one was chosen.
    pub fn title_over(&self, workers: u32, processes: Option<u32>) -> String {
        (self.title)(workers, processes.unwrap_or_else(|| hybrid::split(workers)))
    }

    /// The same in small letters, where several models stand side by side: `4 threads`.
    pub fn label(&self, workers: u32) -> String {
        self.label_over(workers, None)
    }

    /// The same, spread over a number of processes if one was chosen.
    pub fn label_over(&self, workers: u32, processes: Option<u32>) -> String {
        (self.label)(workers, processes.unwrap_or_else(|| hybrid::split(workers)))
    }

    /// Whether it spreads its workers over processes of several threads, so that `2x4` makes sense.
    pub fn is_hybrid(&self) -> bool {
        self.id == hybrid::MODEL.id
    }

    /// Whether its workers are coroutines, so that the workload's `async def` is what they call.
    pub fn runs_coroutines(&self) -> bool {
        self.id == coroutines::MODEL.id
    }

    /// Whether its workers are born in the course of a run. Else the main thread does the tasks, which is there before
    /// the clock starts.
    pub fn has_births(&self) -> bool {
        !matches!((self.plan)(1, 1).pool, Pool::InPlace | Pool::Coroutines { .. })
    }

    /// What CPython's interpreter computes and the miniature's has to make up for: the births of workers, or what an event
    /// loop does for connections.
    pub fn pays_for(&self) -> &'static str {
        if self.has_births() { "start-up" } else { "connections" }
    }

    /// How many lanes do tasks, of so many workers asked for.
    pub fn workers(&self, asked: u32) -> u32 {
        if self.ceiling.is_some() { asked } else { 1 }
    }

    /// Which lanes and locks there will be with so many workers.
    pub fn plan(&self, workers: u32) -> Result<Plan, Refusal> {
        self.plan_over(workers, None)
    }

    /// The same, spread over a number of processes if one was chosen, which only `hybrid` heeds.
    pub fn plan_over(&self, workers: u32, processes: Option<u32>) -> Result<Plan, Refusal> {
        let processes = processes.unwrap_or_else(|| hybrid::split(workers));
        match self.ceiling {
            Some(_) if workers == 0 => return Err(Refusal::NoWorkers { model: self.id }),
            Some(ceiling) if workers > ceiling.workers => {
                return Err(Refusal::TooMany { model: self.id, workers, ceiling });
            }
            _ => {}
        }
        if self.is_hybrid() {
            hybrid::check(workers, processes)?;
        }
        Ok((self.plan)(workers, processes))
    }

    /// Whether it goes by this name.
    fn answers_to(&self, name: &str) -> bool {
        self.id == name || self.alias == Some(name)
    }
}

/// Why a model was not planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No model goes by that name.
    #[error("there is no model `{name}`{}", nearest_words(nearest))]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those most like it, or all.
        nearest: Vec<&'static str>,
    },
    /// Nobody to do the work.
    #[error("the model `{model}` needs at least one worker: ask for 1 or more")]
    NoWorkers {
        /// Which model.
        model: &'static str,
    },
    /// It can do nothing with the workload.
    #[error("{0}")]
    Senseless(String),
    /// More than this machine should be asked for.
    #[error("{workers} workers are too many for the model `{model}`: at most {} {}, since more would {}", .ceiling.workers, .ceiling.of, .ceiling.why)]
    TooMany {
        /// Which model.
        model: &'static str,
        /// How many were asked for.
        workers: u32,
        /// How many there may be.
        ceiling: Ceiling,
    },
}

fn nearest_words(nearest: &[&'static str]) -> String {
    match nearest {
        [one] => format!("; did you mean `{one}`?"),
        several => format!("; there are {}", several.join(", ")),
    }
}

/// The model that goes by this name.
pub fn find(name: &str) -> Result<&'static Model, Refusal> {
    ALL.iter()
        .copied()
        .find(|model| model.answers_to(name))
        .ok_or_else(|| Refusal::Unknown { name: name.to_owned(), nearest: nearest(name) })
}

/// The one name that is clearly meant, else every name.
fn nearest(name: &str) -> Vec<&'static str> {
    let meant = ALL.iter().map(|model| (strsim::jaro_winkler(&name.to_lowercase(), model.id), model.id));
    match meant.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((likeness, id)) if likeness > 0.8 => vec![id],
        _ => ALL.iter().map(|model| model.id).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LaneId, LockId};

    #[test]
    fn every_plan_numbers_its_lanes_and_locks_from_zero_and_names_locks_that_exist() {
        for model in ALL {
            for workers in [1, 2, 7, 256] {
                let plan = model.plan(workers).unwrap();
                for (index, lane) in plan.lanes.iter().enumerate() {
                    assert_eq!(lane.id.index(), index);
                    assert!(lane.parent.is_none_or(|parent| parent < lane.id), "parents come before their children");
                    assert_eq!(lane.parent.is_none(), index == 0);
                    let Some(lock) = lane.lock.map(|lock| &plan.locks[lock.index()]) else { continue };
                    assert_eq!(lock.process, lane.process, "a lock lives in one process");
                    assert!(lane.role != Role::Worker || lock.of_workers);
                }
                for (index, lock) in plan.locks.iter().enumerate() {
                    assert_eq!(lock.id.index(), index);
                }
                assert_eq!(plan.lanes[0].process, 0, "the first process has the first lane");
            }
        }
    }

    #[test]
    fn threads_share_one_lock_and_processes_have_one_each() {
        let threads = find("threads").unwrap().plan(3).unwrap();
        assert!(threads.lanes.iter().all(|lane| lane.lock == Some(LockId(0)) && lane.process == 0));
        assert_eq!((threads.workers().count(), threads.worker_processes()), (3, 1));
        let processes = find("processes").unwrap().plan(3).unwrap();
        let locks: Vec<_> = processes.locks.iter().map(|lock| (lock.process, lock.of_workers)).collect();
        assert_eq!(locks, [(0, false), (1, true), (2, true), (3, true), (4, false)], "the last is the tracker's");
        assert_eq!((processes.workers().count(), processes.worker_processes()), (3, 3));
        let free = find("free-threads").unwrap().plan(3).unwrap();
        assert!(free.locks.is_empty() && free.lanes.iter().all(|lane| lane.lock.is_none() && lane.process == 0));
        let interpreters = find("subinterpreters").unwrap().plan(3).unwrap();
        assert_eq!((interpreters.worker_processes(), interpreters.locks.len()), (1, 4));
    }

    #[test]
    fn a_worker_is_the_child_of_whoever_makes_it() {
        let parents = |model: &str| {
            let plan = find(model).unwrap().plan(2).unwrap();
            let name = |lane: Option<LaneId>| lane.map(|lane| plan.lanes[lane.index()].name.clone());
            plan.workers().map(|lane| name(lane.parent)).collect::<Vec<_>>()
        };
        assert_eq!(parents("processes"), [Some("main".into()), Some("main".into())]);
        assert_eq!(parents("processes:fork"), [Some("main".into()), Some("main".into())]);
        assert_eq!(parents("processes:forkserver"), [Some("forkserver".into()), Some("forkserver".into())]);
        assert_eq!(parents("hybrid"), [Some("process 1".into()), Some("process 1".into())]);
        for (model, tracked) in [("processes", true), ("processes:forkserver", true), ("processes:fork", false)] {
            let plan = find(model).unwrap().plan(2).unwrap();
            let makers = plan.tracker().map(|tracker| tracker.parent);
            assert_eq!(makers, tracked.then_some(Some(LaneId(0))), "{model}");
        }
    }

    #[test]
    fn a_hybrid_spreads_its_threads_over_its_processes() {
        let model = find("hybrid").unwrap();
        let spread = |workers, processes| -> Vec<usize> {
            let plan = model.plan_over(workers, processes).unwrap();
            let workers = |process| plan.lanes_of(process).filter(|lane| lane.role == Role::Worker).count();
            (1..).map(workers).take_while(|threads| *threads > 0).collect()
        };
        assert_eq!(spread(8, Some(2)), [4, 4]);
        assert_eq!(spread(8, None), [4, 4]);
        assert_eq!(spread(7, None), [4, 3]);
        assert_eq!(spread(1, None), [1]);
        assert_eq!(spread(16, None), [4, 4, 4, 4]);
        let plan = model.plan_over(8, Some(2)).unwrap();
        let locks: Vec<_> = plan.locks.iter().map(|lock| (lock.process, lock.of_workers)).collect();
        assert_eq!(locks, [(0, false), (1, true), (2, true)]);
        assert_eq!(plan.lanes[0].role, Role::Master);
        assert_eq!(model.title_over(8, Some(2)), "2 PROCESSES × 4 THREADS, 2 LOCKS");
        assert!(model.plan_over(2, Some(3)).is_err() && model.plan_over(1000, Some(500)).is_err());
    }

    #[test]
    fn the_sequential_model_ignores_the_number_of_workers() {
        for workers in [0, 1, 100_000] {
            let plan = find("sequential").unwrap().plan(workers).unwrap();
            assert_eq!(
                plan.lanes.iter().map(|lane| (lane.id, lane.role)).collect::<Vec<_>>(),
                [(LaneId(0), Role::Worker)]
            );
        }
    }

    #[test]
    fn a_number_of_workers_that_makes_no_sense_is_refused_in_words() {
        let refusal = |model: &str, workers| find(model).unwrap().plan(workers).unwrap_err().to_string();
        assert_eq!(refusal("threads", 0), "the model `threads` needs at least one worker: ask for 1 or more");
        assert!(refusal("threads", 100_000).contains("at most 1024 threads"));
        assert!(refusal("processes", 257).contains("at most 256 processes"));
    }

    #[test]
    fn a_name_nearly_right_is_corrected_and_another_gets_the_list() {
        assert_eq!(find("processes:spawn").unwrap().id, find("processes").unwrap().id);
        let refusal = |name: &str| find(name).unwrap_err().to_string();
        assert_eq!(refusal("thread"), "there is no model `thread`; did you mean `threads`?");
        assert_eq!(refusal("seqential"), "there is no model `seqential`; did you mean `sequential`?");
        assert_eq!(
            refusal("xyz"),
            "there is no model `xyz`; there are sequential, threads, processes, processes:fork, \
             processes:forkserver, free-threads, subinterpreters, hybrid, coroutines"
        );
    }

    #[test]
    fn headlines_say_how_many_locks_there_are() {
        let title = |model: &str, workers| find(model).unwrap().title(workers);
        assert_eq!(title("sequential", 4), "ONE AT A TIME");
        assert_eq!(
            (title("threads", 1), title("threads", 4)),
            ("1 THREAD, ONE GIL".into(), "4 THREADS, ONE GIL".into())
        );
        assert_eq!(title("processes", 1), "1 PROCESS, ITS OWN LOCK");
        assert_eq!(title("processes", 4), "4 PROCESSES, 4 LOCKS");
    }
}
