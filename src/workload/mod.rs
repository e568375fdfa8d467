//! Loads a workload: a Python file with a metadata block in comments, and the
//! registry of those that come with the program.

//!
//! What a call of `work` gets is said in two steps, since the values are not
//! made where they are chosen: [`Workload::arguments`] has the numbers the user
//! gave, small enough to be shown and sent, and [`values()`] makes Python's
//! values of them, in the interpreter that hands them to its workers. An
//! argument of the kind `bytes` is chosen by its length in MiB and made there;
//! one of the kind `url` or `port` is chosen by the slow server's port, and
//! [`wants`] tells whoever starts a run that there must be such a server.
//!
//! A file offers `def work`, or `async def work`, or the former beside an `async def work_async` that does the same;
//! coroutines call the `async def`, everyone else the plain function.
//!
//! Besides its arguments `work` gets the task's number if it takes `task`, and
//! how many tasks there are if it takes `tasks`.

mod arguments;
mod call;
mod importing;
mod imports;
mod load;
mod metadata;
mod registry;
mod values;

pub use arguments::ArgumentError;
pub use call::{NoCall, call};
pub use importing::{Importing, Script};
pub use imports::imports;
pub use load::{LoadError, bundled, load, load_for_cpython};
pub use values::{Wanted, Wants, tell_port, values, wants};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::vm;

/// What limits a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Bytecode.
    Cpu,
    /// Waiting.
    Io,
    /// Both in turns.
    Mixed,
    /// C code that lets the lock go.
    Native,
}

/// What an argument's number stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArgKind {
    /// Itself.
    #[default]
    Number,
    /// So many MiB of bytes.
    Bytes,
    /// The URL of the slow server. The number is its port; 0: the system chooses one.
    Url,
    /// The port of the slow server, on 127.0.0.1; 0: the system chooses one.
    Port,
    /// So many connections that all tasks together hold open at once, each task its share.
    Connections,
}

impl ArgKind {
    /// Whether it stands for the slow server.
    pub fn is_server(self) -> bool {
        matches!(self, ArgKind::Url | ArgKind::Port)
    }
}

/// An argument of `work`, as the metadata describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name in the signature.
    pub name: String,
    /// What it is for, in a few words.
    pub help: String,
    /// What its number stands for.
    pub kind: ArgKind,
    /// Its value unless said otherwise.
    pub default: ArgValue,
    /// The least it may be.
    pub min: ArgValue,
    /// The most it may be.
    pub max: ArgValue,
    /// Whether the length of a task follows it, so that the lab may scale a task by it.
    pub size: bool,
}

/// The value of an argument.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ArgValue {
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
}

/// A workload, loaded and checked.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name on the command line: the file's stem.
    pub id: String,
    /// Its name on the screen.
    pub title: String,
    /// What limits it.
    pub bound: Bound,
    /// What to watch, in one sentence.
    pub watch: String,
    /// What `work` takes.
    pub arguments: Vec<Argument>,
    /// Whether it has a plain `def work`.
    pub plain: bool,
    /// Which of its functions is called where workers are coroutines: `work_async`, or a `work` that is an `async def`.
    pub coroutine: Option<&'static str>,
    /// The file's text.
    pub source: String,
    /// Where it came from; none for those that come with the program.
    pub path: Option<PathBuf>,
}

impl Workload {
    /// Whether it talks to the slow server.
    pub fn wants_server(&self) -> bool {
        self.arguments.iter().any(|argument| argument.kind.is_server())
    }

    /// Whether a task is told which it is, and not into how many the work is cut: then one may last longer than the next.
    pub fn differs_by_task(&self) -> bool {
        self.takes("task") && !self.takes("tasks")
    }

    /// Whether a task is told into how many the work is cut: then its size is that of all of them together.
    pub fn is_cut_by_tasks(&self) -> bool {
        self.takes("tasks")
    }

    /// Whether a function that does tasks has a parameter of this name.
    fn takes(&self, name: &str) -> bool {
        let Ok(program) = vm::compile(&self.source, &self.file_name()) else { return false };
        let mut works = ["work", "work_async"].into_iter().filter_map(|name| program.signature(name));
        works.any(|work| work.parameters.iter().any(|parameter| &*parameter.name == name))
    }

    /// Whether it opens connections by asyncio, as its text has it.
    pub fn opens_streams(&self) -> bool {
        self.source.contains("open_connection")
    }

    /// What errors call its file.
    pub fn file_name(&self) -> String {
        self.path.as_ref().map_or_else(|| format!("{}.py", self.id), |path| path.display().to_string())
    }
}
