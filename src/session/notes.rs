//! The tables of the teaching notes as data: what they ran, what they got, and which comparisons do the same here.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::calibration::Calibration;
use crate::event::Nanos;
use crate::model;
use crate::workload::{self, ArgValue};

use super::{Comparison, Contest, Experiment, Row};

/// A table of the notes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotesTable {
    /// What every worker does.
    pub title: String,
    /// The workload that does it.
    pub workload: String,
    /// How many cores their machine had.
    pub cores: usize,
    /// How often each model runs here, unless said otherwise.
    pub repeats: u32,
    /// With which arguments.
    pub args: BTreeMap<String, ArgValue>,
    /// What they got; ratios are to the first.
    pub figures: Vec<NotesFigure>,
}

/// A line of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotesFigure {
    /// The notes' own words.
    pub label: String,
    /// The models that do it here.
    pub models: Vec<String>,
    /// With how many workers, and as many tasks.
    pub workers: u32,
    /// How long it took them.
    milliseconds: f64,
}

impl NotesFigure {
    /// How long it took them.
    pub fn elapsed(&self) -> Nanos {
        Nanos((self.milliseconds * 1e6) as u64)
    }

    /// The models of this line that there are.
    pub fn known_models(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(String::as_str).filter(|id| model::find(id).is_ok())
    }

    /// This line's row among the comparisons of its table.
    pub fn row<'a>(&self, model: &str, comparisons: &'a [Comparison]) -> Option<(&'a Comparison, &'a Row)> {
        let comparison = comparisons.iter().find(|comparison| comparison.experiment.workers == self.workers)?;
        Some((comparison, comparison.rows.iter().find(|row| row.model == model)?))
    }
}

impl NotesTable {
    /// Every table whose workload there is.
    pub fn all() -> Vec<NotesTable> {
        #[derive(Deserialize)]
        struct File {
            table: Vec<NotesTable>,
        }
        let file: File = toml::from_str(include_str!("../../assets/suites/notes.toml"))
            .expect("a file that comes with the program, read by a test");
        let known: Vec<&str> = workload::bundled().collect();
        file.table.into_iter().filter(|table| known.contains(&table.workload.as_str())).collect()
    }

    /// The comparisons that do what this table did, with births at that price: one for each number of workers.
    pub fn contests(&self, repeats: Option<u32>, start_up: Option<&Arc<Calibration>>) -> Vec<Contest> {
        let mut models: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for figure in &self.figures {
            models.entry(figure.workers).or_default().extend(figure.known_models().map(str::to_owned));
        }
        let contest = |(workers, models)| Contest {
            experiment: Experiment {
                args: self.args.iter().map(|(name, value)| (name.clone(), *value)).collect(),
                start_up: start_up.cloned(),
                ..Experiment::new(&self.workload, "sequential", workers)
            },
            models,
            repeats: repeats.unwrap_or(self.repeats),
            lasts: None,
            interpreters: Vec::new(),
            at_most: None,
        };
        models.into_iter().map(contest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read_and_name_arguments_that_their_workloads_have() {
        let tables = NotesTable::all();
        assert!(tables.len() >= 3);
        for table in tables {
            let workload = workload::load(&table.workload).unwrap();
            for name in table.args.keys() {
                assert!(workload.arguments.iter().any(|argument| argument.name == *name), "{}: {name}", table.workload);
            }
            assert!(table.figures[0].known_models().next().is_some(), "{}: nothing to compare with", table.title);
        }
    }

    #[test]
    fn lines_with_other_numbers_of_workers_are_other_comparisons() {
        let tables = NotesTable::all();
        let count = tables.iter().find(|table| table.workload == "count").unwrap();
        let workers: Vec<u32> =
            count.contests(Some(1), None).iter().map(|contest| contest.experiment.task_count()).collect();
        assert_eq!(workers, [2, 3]);
    }
}
