//! What an interpreter is and can, asked before anything runs in it.
//!
//! The interpreter loads the workload and says what it found. So what cannot be run is refused before any work, in the
//! interpreter's own words: a module it does not have, a syntax it does not know.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::model::Model;
use crate::observe::pythons;
use crate::program::{Exit, this_program};
use crate::workload::{ArgValue, Workload};

use super::reports::Found;
use super::{StartError, Started, Told, why};

/// How long an interpreter may take to load the file: imports may be long, a file that computes at import is a mistake.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked whether it has.
const EVERY: Duration = Duration::from_millis(2);

/// A real interpreter that can be driven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Python {
    /// What it is called beside others: its version, `3.13.0t` if it was built without the GIL.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// `3.13.0`.
    pub version: String,
    /// Whether it was built without the GIL.
    pub free_threaded: bool,
    /// Whether the GIL is on.
    pub gil_enabled: bool,
    /// Whether it has an `InterpreterPoolExecutor`.
    #[serde(skip)]
    pub subinterpreters: bool,
}

/// Which functions a file offers, as its own interpreter has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// A plain `work`.
    pub plain: bool,
    /// An `async def`.
    pub coroutine: bool,
}

impl Python {
    /// Why a model cannot run in it; none if it can.
    pub fn lacks(&self, model: &Model) -> Option<String> {
        let name = &self.name;
        match model.family {
            "subinterpreters" if !self.subinterpreters => Some(format!(
                "CPython {name} has no InterpreterPoolExecutor, which came with 3.14: name a newer one with --python"
            )),
            "free-threads" if self.gil_enabled => Some(format!(
                "CPython {name} has a GIL: free threads need a free-threaded build (3.13t or later), named with --python"
            )),
            "threads" if !self.gil_enabled => {
                Some(format!("CPython {name} has no GIL to share: its threads are the model `free-threads`"))
            }
            _ => None,
        }
    }
}

/// Lets an interpreter load a workload, and says what it is and what it found. An error is a sentence.
pub fn probe(python: &Path, workload: &Workload, args: &[(String, ArgValue)]) -> Result<(Python, Offer), String> {
    probe_under(&this_program(), python, workload, args)
}

/// The same with another executable of this program, for those who are not that program themselves: tests.
pub fn probe_under(
    gilscope: &Path,
    python: &Path,
    workload: &Workload,
    args: &[(String, ArgValue)],
) -> Result<(Python, Offer), String> {
    let shown = python.display();
    let said =
        pythons::ask(python).map_err(|why| format!("{shown} cannot be used: {why}; CPython 3.9 or later can"))?;
    if !said.is_known() {
        let (implementation, version) = (&said.implementation, &said.version);
        return Err(format!(
            "{shown} cannot be used: it is {implementation} {version}; what drives a workload in a real interpreter is \
             written for CPython 3.9 to 3.15, and the lock is seen of those alone"
        ));
    }
    let args = args.iter().map(|(name, value)| (name.clone(), serde_json::json!(value)));
    let told = |file: &Path, report: &Path| {
        let told = Told {
            file,
            name: &workload.id,
            model: "probe",
            start: None,
            workers: 1,
            processes: 1,
            tasks: 1,
            args: args.collect(),
            switch_interval: None,
            report,
            wait: false,
        };
        serde_json::to_string(&told).expect("numbers and texts can be written")
    };
    let started = Started::new(gilscope, python, workload, told);
    let mut started = started.map_err(|why: StartError| why.to_string())?;
    let end = Instant::now() + PATIENCE;
    let (mut found, mut failed) = (None, None);
    let exit: Exit = loop {
        // Asked before reading: what was said before the end is then read.
        let exit = started.program.poll();
        for said in started.reports.read() {
            found = found.or(said.found);
            failed = failed.or(said.failed);
        }
        match exit {
            Some(exit) => break exit,
            None if Instant::now() > end => {
                return Err(format!(
                    "{shown}: loading {} took more than {} s",
                    workload.file_name(),
                    PATIENCE.as_secs()
                ));
            }
            None => std::thread::sleep(EVERY),
        }
    };
    match (failed, found) {
        (Some(why), _) => Err(format!("{shown}: {why}")),
        (None, None) => Err(format!("{shown}: {}", why(exit, &started.program))),
        (None, Some(Found { version, free_threaded, gil_enabled, subinterpreters, plain, coroutine })) => {
            let name = format!("{version}{}", if free_threaded { "t" } else { "" });
            let path = python.to_owned();
            let python = Python { name, path, version, free_threaded, gil_enabled, subinterpreters };
            Ok((python, Offer { plain, coroutine }))
        }
    }
}
