//! Which interpreters a command uses: the miniature, or real ones by their path.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use color_eyre::eyre::Result;

use crate::engine::driven;
use crate::observe::pythons;
use crate::session::{Absent, Interpreter};
use crate::workload::{ArgValue, Workload};

use super::refuse;

/// In what the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The miniature CPython that comes with gilscope.
    Emulated,
    /// Real CPython.
    Cpython,
}

/// The options that name interpreters.
#[derive(Clone, Debug, clap::Args)]
pub struct Interpreting {
    /// In what to run it: the miniature or real CPython, or both by a comma; the miniature unless --python or --call
    /// say otherwise
    #[arg(long, value_enum, value_name = "ENGINE", value_delimiter = ',')]
    engine: Vec<Engine>,
    /// A real interpreter, by its path or its name on PATH; may be repeated. The newest of `gilscope list pythons`
    /// unless said otherwise
    #[arg(long = "python", value_name = "PATH")]
    pythons: Vec<OsString>,
}

impl Interpreting {
    /// Whether the miniature is asked for in so many words.
    pub fn names_the_miniature(&self) -> bool {
        self.engine.contains(&Engine::Emulated)
    }

    /// Whether only real ones take part, in so many words.
    pub fn leaves_the_miniature_out(&self) -> bool {
        !self.is_emulated() && !self.names_the_miniature()
    }

    /// Whether only the miniature takes part.
    pub fn is_emulated(&self) -> bool {
        self.pythons.is_empty() && self.engine.iter().all(|engine| *engine == Engine::Emulated)
    }

    /// The interpreters, each asked whether it can load the workload, and those that cannot, with the reason: refused is
    /// only what none of them can load. What the file offers is what they say: `workload` is told where only real ones
    /// take part, since the miniature cannot read every file.
    pub fn interpreters(
        &self,
        real_only: bool,
        workload: &mut Workload,
        args: &[(String, ArgValue)],
    ) -> Result<(Vec<Interpreter>, Vec<Absent>)> {
        if self.is_emulated() && !real_only {
            return Ok((vec![Interpreter::Miniature], Vec::new()));
        }
        if !self.engine.is_empty() && self.engine.iter().all(|engine| *engine == Engine::Emulated) {
            return Err(refuse("--python names a real interpreter, and --engine emulated has none: add cpython to it"));
        }
        let mut found = Vec::new();
        if self.names_the_miniature() {
            found.push(Interpreter::Miniature);
        }
        let mut absent = Vec::new();
        let mut offers = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for path in self.paths()? {
            let (mut python, offer) = match driven::probe(&path, workload, args) {
                Ok(probed) => probed,
                Err(reason) => {
                    absent.push(Absent { path, reason });
                    continue;
                }
            };
            if names.contains(&python.name) {
                python.name = format!("{} {}", python.name, path.display());
            }
            names.push(python.name.clone());
            offers.push(offer);
            found.push(Interpreter::CPython(Arc::new(python)));
        }
        if found.is_empty() {
            let reasons: Vec<String> = absent.into_iter().map(|absent| absent.reason).collect();
            return Err(refuse(reasons.join("\n")));
        }
        if real_only {
            workload.plain = offers.iter().all(|offer| offer.plain);
            workload.coroutine = offers.iter().all(|offer| offer.coroutine).then_some("work");
        }
        Ok((found, absent))
    }

    /// Where the real ones are.
    fn paths(&self) -> Result<Vec<PathBuf>> {
        if self.pythons.is_empty() {
            let newest = pythons::newest(pythons::installed());
            return newest.map(|path| vec![path]).ok_or_else(|| {
                refuse("there is no CPython 3.9 to 3.15 here: install one (`apt install python3`), or name it with --python PATH")
            });
        }
        let mut paths: Vec<PathBuf> = Vec::new();
        for python in &self.pythons {
            let path = pythons::find(python).map_err(refuse)?;
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}
