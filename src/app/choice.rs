//! What there is to choose from, as the screen names it.

use crate::model::{self, Model, Role};
use crate::workload::Bound;

/// A workload one can choose.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadChoice {
    /// Its id on the command line.
    pub id: String,
    /// Its name on the screen.
    pub title: String,
    /// What limits it.
    pub bound: Bound,
    /// What to watch, in one sentence.
    pub watch: String,
    /// Whether it opens connections by asyncio.
    pub opens_streams: bool,
    /// The models that make no sense for it, by id, each with the reason.
    pub objections: Vec<(String, String)>,
}

/// A model one can choose.
#[derive(Clone, Debug)]
pub struct ModelChoice {
    /// Its id on the command line.
    pub id: String,
    model: &'static Model,
}

impl ModelChoice {
    /// The model every other is measured against.
    pub const BASELINE: &str = "sequential";

    /// The models of the registry, in the order of `m`.
    pub fn built_in() -> Vec<ModelChoice> {
        model::ALL.iter().map(|model| ModelChoice { id: model.id.to_owned(), model }).collect()
    }

    /// Whether the others are measured against it.
    pub fn is_baseline(&self) -> bool {
        self.id == ModelChoice::BASELINE
    }

    /// How many of its lanes do tasks, of so many workers asked for.
    pub fn lanes(&self, workers: u32) -> u32 {
        self.model.workers(workers)
    }

    /// Large, in the header, for so many workers.
    pub fn heading(&self, workers: u32) -> String {
        self.model.title(workers)
    }

    /// The same, spread over a number of processes if one was chosen.
    pub fn heading_over(&self, workers: u32, processes: Option<u32>) -> String {
        self.model.title_over(workers, processes)
    }

    /// Small, at its finish bar, for so many workers.
    pub fn label(&self, workers: u32) -> String {
        self.model.label(workers)
    }

    /// The same, spread over a number of processes if one was chosen.
    pub fn label_over(&self, workers: u32, processes: Option<u32>) -> String {
        self.model.label_over(workers, processes)
    }

    /// Whether each worker has a lock to itself, or at least an interpreter.
    pub fn has_own_locks(&self) -> bool {
        matches!(self.model.family, "processes" | "subinterpreters")
    }

    /// Whether its threads need no lock.
    pub fn has_no_lock(&self) -> bool {
        self.model.family == "free-threads"
    }

    /// The name of its `index`th worker's lane (from 0) before there are any.
    pub fn lane_name(&self, index: u32) -> String {
        let plan = self.model.plan(self.lanes(index + 1)).ok();
        let lane = plan.and_then(|plan| plan.lanes.into_iter().rfind(|lane| lane.role == Role::Worker));
        lane.map(|lane| lane.name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_is_no_plural() {
        let models = ModelChoice::built_in();
        assert_eq!(models[1].heading(1), "1 THREAD, ONE GIL");
        assert_eq!(models[1].label(4), "4 threads");
        assert_eq!(models[2].heading(2), "2 PROCESSES, 2 LOCKS");
        assert_eq!(models[2].heading(1), "1 PROCESS, ITS OWN LOCK");
        assert_eq!(models[2].lane_name(0), "process 1");
        assert_eq!(models[0].lanes(8), 1);
    }
}
