//! Diagnoses: why a run took as long as it did, one sentence each.
//!
//! Each file holds one diagnosis: when it holds, with the thresholds and their
//! reasons, and its sentence with figures. A diagnosis says what was recorded
//! ("held it while others waited"), never what would have been; what to try is
//! kept apart and begins with "Try:". They stand in the registry from the most
//! particular to the most general, so that the first that holds is the one to
//! say where there is room for one. Before them all comes that other programs
//! had the cores, which makes every other figure a doubtful one.

mod convoy;
mod cores_taken;
mod cpu_limited;
mod facts;
mod free_threads_contending;
mod idle_workers;
mod io_overlaps;
mod lock_bound;
mod lock_waits;
mod loop_blocked;
mod loop_kept;
mod lost_updates;
mod memory_multiplied;
mod native_outside;
mod oversubscribed;
mod own_lock_bound;
mod pickling;
mod start_up;
mod stop_the_world;
pub mod words;

use serde::Serialize;

pub use facts::{Books, Facts};

use crate::session::Experiment;
use crate::text::printable;

/// A diagnosis.
pub struct Insight {
    /// Its name in reports.
    pub id: &'static str,
    /// Of what it can be told.
    of: Of,
    /// What it finds in a run, if it holds.
    find: fn(&Facts) -> Option<Said>,
}

/// Of what a diagnosis can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// Of workers that do tasks of ours. Of a real program nobody knows which of its threads those are: a thread that waits
    /// for a connection all day is no I/O that overlaps with other work, and none is idle for want of tasks.
    Tasks,
    /// Also of a real program that is observed, of whose threads each counts: it is about the lock and the cores alone.
    AnyProgram,
}

/// What there is to say of a run.
struct Said {
    sentence: String,
    advice: Option<&'static str>,
    models: Option<&'static str>,
}

impl Said {
    fn new(sentence: String) -> Option<Said> {
        Some(Said { sentence, advice: None, models: None })
    }

    fn with(sentence: String, advice: &'static str) -> Option<Said> {
        Some(Said { sentence, advice: Some(advice), models: None })
    }

    /// As [`Said::with`]; these models side by side show what the advice is worth.
    fn comparing(sentence: String, advice: &'static str, models: &'static str) -> Option<Said> {
        Some(Said { sentence, advice: Some(advice), models: Some(models) })
    }
}

/// A diagnosis that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which.
    pub id: &'static str,
    /// What was seen, with figures.
    pub sentence: String,
    /// What to try, beginning with "Try:".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// The command that tries it, if the run was an experiment and a comparison can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Finding {
    /// Whether it tells what keeps a program from cores, and not from its lock.
    pub fn is_about_cores(&self) -> bool {
        [cpu_limited::INSIGHT, cores_taken::INSIGHT, oversubscribed::INSIGHT].iter().any(|it| it.id == self.id)
    }
}

/// Every diagnosis, from the most particular to the most general.
pub const ALL: &[Insight] = &[
    cpu_limited::INSIGHT,
    cores_taken::INSIGHT,
    lost_updates::INSIGHT,
    loop_blocked::INSIGHT,
    loop_kept::INSIGHT,
    convoy::INSIGHT,
    start_up::INSIGHT,
    pickling::INSIGHT,
    own_lock_bound::INSIGHT,
    lock_bound::INSIGHT,
    lock_waits::INSIGHT,
    stop_the_world::INSIGHT,
    free_threads_contending::INSIGHT,
    oversubscribed::INSIGHT,
    native_outside::INSIGHT,
    io_overlaps::INSIGHT,
    memory_multiplied::INSIGHT,
    idle_workers::INSIGHT,
];

/// The diagnoses that hold, in the order of the registry. None holds of a run that was hardly observed.
pub fn find(facts: &Facts) -> Vec<Finding> {
    if !facts.suffice() {
        return Vec::new();
    }
    let found = |insight: &Insight| {
        let said = (insight.find)(facts)?;
        let command = said.models.and_then(|models| Some(compare(facts.experiment?, models)));
        Some(Finding { id: insight.id, sentence: said.sentence, advice: said.advice, command })
    };
    ALL.iter().filter(|insight| insight.of == Of::AnyProgram || !facts.is_program).filter_map(found).collect()
}

/// The command that does the same work under these models.
fn compare(experiment: &Experiment, models: &str) -> String {
    let quoted = |text: &str| match text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=".contains(c)) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    };
    let mut command =
        format!("gilscope compare {} -m {models} -n {}", quoted(&experiment.workload), experiment.workers);
    for (name, value) in &experiment.args {
        command += &format!(" --arg {}", quoted(&format!("{name}={value}")));
    }
    printable(&command)
}

#[cfg(test)]
mod tests;
