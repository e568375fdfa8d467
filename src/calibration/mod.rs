//! What CPython spends between the order of a worker's birth and its first line, measured, so that the miniature can
//! spend as much.
//!
//! # The problem
//! The miniature's interpreter is set up in a fraction of a millisecond: it has no modules to import. A real one takes
//! tens of milliseconds, and that decides whether processes pay. Left out, the picture of `spawn` would be a lie.
//!
//! # The choice
//! The missing cost is real: a new process or thread computes, on a core, until it has had as much CPU time since its
//! birth as CPython's has by the end of the same step ([`Phases`]). So what the miniature spends itself counts, however
//! much that is; two workers on one core take twice as long to start, as they do in CPython; and nobody who stops the
//! run has to wait for it, since a process that computes can be killed.
//!
//! The maker computes as well: a `ProcessPoolExecutor` makes queues, semaphores and two threads, which takes it a few
//! milliseconds once, and half of one for each process. Where tasks are short this is as much as the births. So the
//! maker has its part ([`Costs::pool`], [`Phases::order_ns`]), worked off by it in the same way and at the same place.
//!
//! The amounts come from a [`Calibration`]: the one that comes along, or one that was measured with the Python at hand
//! ([`measure`]) and kept in the user's configuration ([`kept`]). Whatever shows a run names it.
//!
//! What a workload's own file imports is part of the price where CPython loads the file anew: `asyncio` takes it as long
//! as the interpreter itself ([`Imports`]).
//!
//! And a connection of asyncio's is Python as much as system calls ([`StreamPrices`]), so the thread of the loop computes
//! what is missing at each, with the lock held.
//!
//! # Not chosen
//! Sleeping: it takes no core from anybody, and start-up does. A wall-clock span: a worker that has to wait for its core
//! would be given the wait. The rest of `fork_ns`, which is the kernel's and whatever is waited for: the miniature makes
//! the same system calls and pays for them itself, so that part is told and not worked off. What handing over a task
//! takes CPython, some 0.1 ms: it is no start-up, and the miniature has a pickle and two system calls of its own.

pub mod kept;
pub mod measure;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::event::Nanos;
use crate::vm::StreamPrices;
use crate::workload;

/// What the steps of one kind of birth cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Phases {
    /// From the order until the new process or thread computes, and whatever else it waits for: the maker's and the
    /// kernel's share.
    pub fork_ns: Nanos,
    /// CPU time of whoever orders a process, for the order: a part of `fork_ns`.
    pub order_ns: Nanos,
    /// CPU time until the interpreter is set up; of a thread or a sub-interpreter, all of it.
    pub init_ns: Nanos,
    /// CPU time for modules.
    pub import_ns: Nanos,
    /// CPU time from the main module, or from the fork, to the worker's first line.
    pub prepare_ns: Nanos,
}

impl Phases {
    /// From the order to the first line, if nothing is in the way.
    pub fn total(&self) -> Nanos {
        self.fork_ns + self.cpu()
    }

    /// CPU time of the new process or thread from its birth to its first line.
    pub fn cpu(&self) -> Nanos {
        self.init_ns + self.import_ns + self.prepare_ns
    }
}

/// CPU time for modules that a workload may import and an interpreter of a pool has not loaded anyway; what the others
/// cost cannot be told from nothing. One that two of them need is counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Imports {
    /// `asyncio`.
    pub asyncio_ns: Nanos,
    /// `hashlib`.
    pub hashlib_ns: Nanos,
    /// `urllib.request`.
    pub urllib_request_ns: Nanos,
    /// `numpy`.
    pub numpy_ns: Nanos,
}

impl Imports {
    /// Each module with its name.
    pub fn rows(&self) -> [(&'static str, Nanos); 4] {
        [
            ("asyncio", self.asyncio_ns),
            ("hashlib", self.hashlib_ns),
            ("urllib.request", self.urllib_request_ns),
            ("numpy", self.numpy_ns),
        ]
    }

    /// What a new interpreter spends for those that a file imports.
    pub fn of(&self, source: &str) -> Nanos {
        self.rows().into_iter().filter(|(module, _)| workload::imports(source, module)).map(|(_, cost)| cost).sum()
    }
}

/// What births cost, by kind. All nothing: a bare miniature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// A pool of processes, once a run, in the process that makes it: the births and the tasks apart. `init_ns` before the
    /// first birth (queues, semaphores, modules that are loaded only now), `prepare_ns` after the last (its threads).
    pub pool: Phases,
    /// A process by `spawn`.
    pub spawn: Phases,
    /// A process by `fork`.
    pub fork: Phases,
    /// The forkserver itself, once a run.
    pub server: Phases,
    /// The resource tracker, once a run, where workers are no plain copies of their maker.
    pub tracker: Phases,
    /// A process by `forkserver` where the server is there.
    pub forkserver: Phases,
    /// A thread.
    pub thread: Phases,
    /// A sub-interpreter with its thread.
    pub subinterpreter: Phases,
    /// What the workload's own modules cost whoever has to load them: every new interpreter, and every copy of a
    /// forkserver, which has loaded no workload.
    pub imports: Imports,
    /// A connection by `asyncio`: no start-up, but Python as well that the miniature has in Rust.
    pub streams: StreamPrices,
}

impl Costs {
    /// Each kind with its name, in the order of tables.
    pub fn rows(&self) -> [(&'static str, &Phases); 8] {
        [
            ("thread", &self.thread),
            ("pool", &self.pool),
            ("fork", &self.fork),
            ("forkserver", &self.forkserver),
            ("server", &self.server),
            ("subinterpreter", &self.subinterpreter),
            ("tracker", &self.tracker),
            ("spawn", &self.spawn),
        ]
    }
}

/// What one CPython was measured to spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Which: `3.13.0`.
    pub python: String,
    /// The kinds that this one could not tell; they have the figures of the one that comes along.
    #[serde(default)]
    pub unmeasured: Vec<String>,
    /// How much.
    pub costs: Costs,
    /// The file it was read from; none for the one that comes along.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// No birth takes longer: what says so is damaged.
const MOST: Nanos = Nanos::from_secs(10);

impl Calibration {
    /// The one that comes along.
    pub fn built_in() -> Calibration {
        Calibration::read(include_str!("../../assets/calibration.toml"))
            .expect("a file that comes with the program, read by a test")
    }

    /// From its text. The error says what is wrong in a sentence.
    pub fn read(text: &str) -> Result<Calibration, String> {
        let read: Calibration = toml::from_str(text).map_err(|error| {
            let before = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
            format!("line {}: {}", before + 1, error.message().replace('\n', " "))
        })?;
        let parts = |it: &Phases| [it.fork_ns, it.order_ns, it.init_ns, it.import_ns, it.prepare_ns];
        let long_import = read.costs.imports.rows().into_iter().find(|(_, cost)| *cost > MOST);
        if let Some((module, _)) = long_import {
            return Err(format!("costs.imports: more than {MOST} for {module} is no start-up"));
        }
        let StreamPrices { open_ns, close_ns } = read.costs.streams;
        if open_ns.max(close_ns) > MOST {
            return Err(format!("costs.streams: more than {MOST} is no connection to this machine"));
        }
        let long = |(_, phases): &(&str, &Phases)| parts(phases).into_iter().any(|part| part > MOST);
        if let Some((kind, _)) = read.costs.rows().into_iter().find(long) {
            return Err(format!("costs.{kind}: more than {MOST} is no start-up"));
        }
        Ok(read)
    }

    /// Whether a text that cannot be read as one looks like one all the same: a CPython's version and tables of figures,
    /// but not those that this build has.
    fn is_of_another_build(text: &str) -> bool {
        let Ok(table) = toml::from_str::<toml::Table>(text) else { return false };
        let costs = table.get("costs").and_then(toml::Value::as_table);
        let is_figures = |kind: &toml::Value| {
            kind.as_table()
                .is_some_and(|kind| kind.values().all(|figure| figure.as_integer().is_some_and(|it| it >= 0)))
        };
        let known = |costs: &toml::Table| toml::Value::Table(costs.clone()).try_into::<Costs>().is_ok();
        table.get("python").is_some_and(toml::Value::is_str)
            && costs.is_some_and(|costs| !costs.is_empty() && costs.values().all(is_figures) && !known(costs))
    }

    /// Whose start-up it is, for people: `CPython 3.13.0`.
    pub fn name(&self) -> String {
        let plain: String = self.python.chars().filter(|c| !c.is_control()).take(20).collect();
        format!("CPython {plain}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_comes_along_orders_the_ways_to_start_as_the_measurement_did() {
        let built_in = Calibration::built_in();
        let costs = &built_in.costs;
        let rising =
            [costs.thread, costs.fork, costs.forkserver, costs.subinterpreter, costs.spawn].map(|kind| kind.total());
        assert!(rising.is_sorted(), "{rising:?}");
        assert!(costs.server.total() + costs.forkserver.total() > costs.spawn.total());
        assert_eq!(built_in.name(), format!("CPython {}", built_in.python));
        assert!(costs.rows().iter().all(|(_, phases)| phases.cpu() > Nanos::ZERO && phases.total() <= MOST));
        assert!(costs.streams.open_ns > costs.streams.close_ns && costs.streams.close_ns > Nanos::ZERO);
    }

    #[test]
    fn a_file_costs_what_it_imports() {
        let imports = Imports { asyncio_ns: Nanos(3), hashlib_ns: Nanos(5), ..Imports::default() };
        assert_eq!(imports.of("import asyncio, time\nimport hashlib\n"), Nanos(8));
        assert_eq!(imports.of("def work():\n    return 'import asyncio'\n"), Nanos::ZERO);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut calibration = Calibration::built_in();
        calibration.unmeasured = vec!["subinterpreter".to_owned()];
        let text = toml::to_string(&calibration).unwrap();
        assert_eq!(Calibration::read(&text).unwrap(), calibration);
    }

    #[test]
    fn what_is_damaged_is_told_with_its_line() {
        let text = toml::to_string(&Calibration::built_in()).unwrap();
        assert!(Calibration::read("python = 3").unwrap_err().starts_with("line 1: "));
        assert!(Calibration::read("nonsense").unwrap_err().starts_with("line 1: "));
        assert!(Calibration::read(&text.replacen("fork_ns", "fork", 1)).unwrap_err().contains("unknown field"));
        assert!(Calibration::read(&text[..text.len() / 2]).is_err());
        let endless = text.replacen("close_ns = ", "close_ns = 99999999", 1);
        assert!(Calibration::read(&endless).unwrap_err().contains("costs.streams"), "{endless}");
        let endless = text.replacen("init_ns = ", "init_ns = 99999", 1);
        assert!(Calibration::read(&endless).unwrap_err().contains("no start-up"), "{endless}");
    }
}
