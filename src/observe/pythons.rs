//! The Python interpreters of this machine, and the Python processes that run on it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};

use crate::perf::{self, Refused, Subject};
use crate::program::descendants;
use crate::record::thread_id;
use crate::text::printable;

use super::layout::Version;
use super::process;
use super::runtime::{Files, Runtime};
use super::trouble::Trouble;

/// How long an interpreter may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many folders of an installer are looked into.
const MOST_FOLDERS: usize = 64;

/// An interpreter that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Where.
    pub path: PathBuf,
    /// By whom: `PATH`, `pyenv`, `uv`, `conda`.
    pub by: &'static str,
    /// What it says of itself; or why it does not.
    pub said: Result<Said, String>,
}

/// What an interpreter says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `3.12.1`.
    pub version: String,
    /// `cpython`, `pypy`.
    pub implementation: String,
    /// Whether it was built without the GIL.
    pub free_threaded: bool,
    /// Whether the GIL is on.
    pub gil: bool,
}

impl Said {
    /// Whether it is a CPython of a version that we know.
    pub fn is_known(&self) -> bool {
        self.implementation == "cpython" && self.number().is_some_and(Version::is_known)
    }

    fn number(&self) -> Option<Version> {
        Version::from_name(&format!("python{}", self.version))
    }

    /// Why its lock cannot be seen, if that is certain, though its threads and cores can: it is older than all we know.
    pub fn hides_its_lock(&self) -> Option<String> {
        let is_old = self.implementation == "cpython" && self.number().is_some_and(Version::is_too_old);
        is_old.then(|| {
            format!(
                "it is Python {}, of which gilscope sees threads and cores and not the lock, as it does of CPython 3.9 to \
                 3.15",
                self.version
            )
        })
    }

    /// Why nothing of what it runs can be observed, if that is certain: it is no CPython.
    fn objection(&self) -> Option<String> {
        match &*self.implementation {
            "cpython" => None,
            other => Some(format!("it is {other} {}, not CPython", self.version)),
        }
    }
}

/// Why an interpreter does not say what it is.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// It is Python 2, which says so.
    #[error("it is Python {0}")]
    Two(String),
    /// It is no program that this machine executes.
    #[error("it cannot be executed: {0}")]
    Refused(io::Error),
    /// It takes too long.
    #[error("it does not answer within {} s", PATIENCE.as_secs())]
    Late,
    /// It ended like this, and what it printed is no answer.
    #[error("it does not say what it is ({0})")]
    Unclear(ExitStatus),
}

/// A Python process that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// Its command line, made fit to be shown.
    pub command: String,
    /// Its version if it can be attached to, if only to its threads and cores; else why not.
    pub version: Result<String, Trouble>,
    /// Why only its threads and cores will be seen, if it can be attached to and that is so.
    pub in_part: Option<String>,
}

/// Every interpreter that is found, each once.
pub fn installed() -> Vec<Installed> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (path, by) in candidates() {
        let Ok(real) = fs::canonicalize(&path) else { continue };
        if seen.insert(real) {
            found.push(Installed { said: ask(&path).map_err(|why| why.to_string()), path, by });
        }
    }
    found
}

/// The newest of them that is a CPython we know; of equals the first that was found, one with a GIL before one without.
pub fn newest(installed: Vec<Installed>) -> Option<PathBuf> {
    let known: Vec<_> = installed
        .into_iter()
        .filter_map(|python| {
            let said = python.said.ok().filter(Said::is_known)?;
            let numbers = |text: &str| -> Vec<u32> {
                text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
            };
            Some(((numbers(&said.version), said.gil), python.path))
        })
        .collect();
    // Of equals `max_by` takes the last.
    known.into_iter().rev().max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, path)| path)
}

/// An interpreter by its path, or by its name on `PATH`.
pub fn find(python: &OsStr) -> Result<PathBuf, String> {
    let executable = |path: &Path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file();
    let path = Path::new(python);
    let shown = printable(&path.to_string_lossy());
    if path.components().count() > 1 {
        return match (executable(path), path.exists()) {
            (true, _) => std::path::absolute(path).map_err(|error| format!("{shown}: {error}")),
            (false, true) => Err(format!("{shown} is no program that can be executed")),
            (false, false) => {
                Err(format!("there is no Python at {shown}: `gilscope list pythons` names those there are"))
            }
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(path)).find(|path| executable(path));
    found.ok_or_else(|| {
        format!("there is no {shown} on PATH: name the interpreter with --python (`gilscope list pythons`)")
    })
}

fn candidates() -> Vec<(PathBuf, &'static str)> {
    let mut found = Vec::new();
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        // pyenv's stand-ins are no interpreters; what they stand for is found below.
        if !folder.ends_with("shims") {
            found_in(&folder, "PATH", &mut found);
        }
    }
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return found };
    let pyenv = std::env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from);
    let versions = |folder: PathBuf, by: &'static str, found: &mut Vec<(PathBuf, &'static str)>| {
        subfolders(&folder).iter().for_each(|version| found_in(&version.join("bin"), by, found));
    };
    versions(pyenv.join("versions"), "pyenv", &mut found);
    versions(home.join(".local/share/uv/python"), "uv", &mut found);
    let condas = ["miniconda3", "anaconda3", "miniforge3", "mambaforge"].map(|name| home.join(name));
    for conda in condas.into_iter().chain([PathBuf::from("/opt/conda")]) {
        versions(conda.join("envs"), "conda", &mut found);
        found_in(&conda.join("bin"), "conda", &mut found);
    }
    found
}

fn found_in(folder: &Path, by: &'static str, found: &mut Vec<(PathBuf, &'static str)>) {
    found.extend(interpreters(folder).into_iter().map(|path| (path, by)));
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).take(MOST_FOLDERS).collect();
    folders.sort();
    folders
}

/// `python3`, `python3.12`, `python3.13t` in a folder; not its `-config` and the like.
fn interpreters(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str().and_then(|name| name.strip_prefix("python3")).is_some_and(|rest| {
                let rest = rest.strip_suffix('t').unwrap_or(rest);
                rest.chars().all(|c| c.is_ascii_digit() || c == '.')
            })
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Asks an interpreter what it is.
pub fn ask(path: &Path) -> Result<Said, Silence> {
    let script = "import sys, sysconfig\n\
                  print(sys.version.split()[0], sys.implementation.name, \
                  int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), \
                  int(getattr(sys, '_is_gil_enabled', lambda: True)()))";
    let (status, text) = answer(path, &["-I", "-c", script])?;
    if let Some(said) = parse(&text) {
        return Ok(said);
    }
    // Python 2 has no -I, and prints this all the same.
    let (_, text) = answer(path, &["-E", "-c", "import sys; sys.stdout.write(sys.version.split()[0])"])?;
    match text.trim() {
        version if version.starts_with("2.") => Err(Silence::Two(printable(version))),
        _ => Err(Silence::Unclear(status)),
    }
}

/// What is known of an interpreter before it runs anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is CPython.
    Python,
    /// It does not say what it is: it may be a launcher, and becomes a Python, or it is something else.
    Silent,
    /// It is certain that nothing of what it runs can be observed, and why.
    Objection(String),
}

/// Why gilscope can observe nothing of what an interpreter runs, if that is certain.
pub fn objection(path: &Path) -> Option<String> {
    match verdict(path) {
        Verdict::Objection(why) => Some(why),
        Verdict::Python | Verdict::Silent => None,
    }
}

/// Whether an interpreter can be observed. Python 2 and what is no CPython cannot. One that is older or newer than all we
/// know, or that does not say what it is, can be observed as far as may be.
///
/// It is asked only if the name of its file does not tell.
pub fn verdict(path: &Path) -> Verdict {
    let real = fs::canonicalize(path).ok();
    let name = real.as_ref().and_then(|real| real.file_name()).map(|name| name.to_string_lossy().into_owned());
    if name
        .filter(|name| name.starts_with("python"))
        .and_then(|name| Version::from_name(&name))
        .is_some_and(Version::is_known)
    {
        return Verdict::Python;
    }
    let why = match ask(path).map(|said| said.objection()) {
        Ok(None) => return Verdict::Python,
        Ok(Some(why)) => why,
        Err(two @ Silence::Two(_)) => two.to_string(),
        Err(_) => return Verdict::Silent,
    };
    let shown = printable(&path.to_string_lossy());
    Verdict::Objection(format!(
        "{shown} cannot be used: {why}, and gilscope observes CPython 3.9 to 3.15 (`gilscope list pythons` names those \
         there are)"
    ))
}

/// What a program prints, and how it ended.
fn answer(path: &Path, args: &[&str]) -> Result<(ExitStatus, String), Silence> {
    let mut child = Command::new(path)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Silence::Refused)?;
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
            _ => {
                end_with_all_below(&mut child);
                return Err(Silence::Late);
            }
        }
    };
    Ok((status, child.stdout.take().map_or_else(String::new, said_so_far)))
}

/// What stands in a pipe, without waiting for its end: whatever a wrapper has left running in the background may hold that
/// open for good. What is not there is not understood by whoever asked.
fn said_so_far(mut out: ChildStdout) -> String {
    let mut bytes = Vec::new();
    let _ = rustix::fs::fcntl_setfl(&out, OFlags::NONBLOCK);
    // All that was read stays, also where more might come.
    let _ = out.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Ends a program that does not answer, and what it has started: a wrapper waits for the interpreter that hangs. It is not
/// in a process group of its own, since then Ctrl-C would leave it behind.
fn end_with_all_below(child: &mut Child) {
    // Halted, it starts nothing more while those below are counted.
    let _ = kill_process(Pid::from_child(child), Signal::STOP);
    for pid in descendants(child.id()).into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn parse(text: &str) -> Option<Said> {
    let mut words = text.split_ascii_whitespace();
    Some(Said {
        version: printable(words.next()?),
        implementation: printable(words.next()?),
        free_threaded: words.next()? == "1",
        gil: words.next()? == "1",
    })
}

/// Whether this machine lets us watch a word of memory; if not, why not.
pub fn may_watch_exactly() -> Result<(), Refused> {
    let word = 0_u64;
    let subject = Subject::Word(&raw const word as u64);
    let core = perf::online_cores().first().copied().unwrap_or(0);
    perf::open(subject, thread_id(), core).map(drop).map_err(|why| Refused::from_open(why, thread_id(), subject))
}

/// The Python processes that run, ours excepted: those that may be attached to, and the others with the reason.
pub fn running() -> Vec<Running> {
    running_by(&mut Files::new())
}

/// The same for those who ask again and again: what files say is remembered.
fn running_by(files: &mut Files) -> Vec<Running> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids.into_iter()
        .filter(|pid| *pid != std::process::id() && !process::is_zombie(*pid))
        .filter_map(|pid| {
            let command = process::command(pid).join(" ");
            let found = Runtime::find(pid, files);
            let in_part = found.as_ref().err().and_then(Trouble::in_part);
            let version = match found {
                Ok(runtime) => Ok(runtime.version.to_string()),
                Err(Trouble::NotPython { .. } | Trouble::Ended(_) | Trouble::NoSuchProcess(_)) => return None,
                // Of what may not be looked into only the name tells.
                Err(Trouble::OtherUser { .. } | Trouble::PtraceScope { .. } | Trouble::Forbidden(_))
                    if !looks_like_python(pid) =>
                {
                    return None;
                }
                Err(why) => why.seen_in_part().map(str::to_owned).ok_or(why.clone()),
            };
            Some(Running { pid, command: printable(&command), version, in_part })
        })
        .collect()
}

/// Looks who runs, twice a second, on a thread of its own: the first look reads the files of all programs that run.
#[derive(Debug)]
pub struct Listing {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    latest: Mutex<Option<Vec<Running>>>,
    over: AtomicBool,
}

impl Listing {
    /// How often it looks.
    pub const EVERY: Duration = Duration::from_millis(500);

    /// Begins to look.
    pub fn start() -> io::Result<Listing> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let work = move || {
            let mut files = Files::new();
            while !theirs.over.load(Ordering::Relaxed) {
                let found = running_by(&mut files);
                *theirs.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                std::thread::park_timeout(Listing::EVERY);
            }
        };
        let thread = std::thread::Builder::new().name("pythons".to_owned()).spawn(work)?.thread().clone();
        Ok(Listing { shared, thread })
    }

    /// What it has seen, if that is news.
    pub fn latest(&self) -> Option<Vec<Running>> {
        self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // It ends after its look at the latest; nobody waits for that.
        self.shared.over.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

fn looks_like_python(pid: u32) -> bool {
    process::name(pid, pid).is_some_and(|name| name.contains("python"))
}

#[cfg(test)]
mod tests;
