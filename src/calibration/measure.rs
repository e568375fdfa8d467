//! Measures a Python: a script of ours runs in it, once a round, and says what each kind of birth took.
//!
//! Elapsed times are those of a machine that does other things too; CPU times hardly mind. So what the new process or
//! thread computed is taken as it is, and the rest of the elapsed time is the maker's and the kernel's share.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Calibration, Costs, Imports, Phases};
use crate::event::Nanos;
use crate::program::{Exit, Lent, Program, guard};
use crate::vm::StreamPrices;

/// The script.
const SCRIPT: &str = include_str!("../../assets/calibrate.py");

/// What a Python must say of itself first; it has to be understood by any Python.
const ASK: &str = "import sys; sys.stdout.write('%d.%d.%d' % sys.version_info[:3])";

/// The oldest that the script runs in.
const OLDEST: (u32, u32) = (3, 8);

/// No round takes longer, or the Python hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a Python was not measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// There is no such program.
    #[error("{} cannot be run: {why}; name a Python with --python PATH", python.display())]
    NotRun {
        /// Which.
        python: PathBuf,
        /// What the system said.
        why: String,
    },
    /// It does not behave like a Python.
    #[error("{} is no Python: {why}; name one with --python PATH", python.display())]
    NoPython {
        /// Which.
        python: PathBuf,
        /// What it did instead.
        why: String,
    },
    /// Too old.
    #[error("{} is Python {version}: 3.8 or later is needed; name one with --python PATH", python.display())]
    TooOld {
        /// Which.
        python: PathBuf,
        /// What it says it is.
        version: String,
    },
    /// The script did not come to its end.
    #[error("the measurement failed in {}: {why}", python.display())]
    Failed {
        /// Which.
        python: PathBuf,
        /// Its last words.
        why: String,
    },
    /// The measurement cannot be set up.
    #[error("there is no memory to hand the measurement over in: {0}")]
    NoFile(io::Error),
    /// Somebody interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// What one kind of birth took, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Birth {
    elapsed: u64,
    cpu: u64,
    /// CPU time by the main module's first line.
    module: Option<u64>,
    /// CPU time of its maker by then.
    parent: Option<u64>,
    /// CPU time of whoever ordered it, for the order.
    order: Option<u64>,
}

/// What the first pool of processes took the process that made it, in CPU time, but for the birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct FirstPool {
    before: u64,
    after: u64,
}

/// What a connection takes an event loop, in CPU time of its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Connection {
    open: u64,
    close: u64,
}

/// What a round found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Round {
    python: String,
    rows: Rows,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Rows {
    /// CPU time of an interpreter that does nothing.
    bare: u64,
    pool: FirstPool,
    tracker: Birth,
    spawn: Birth,
    fork: Birth,
    forkserver_cold: Birth,
    forkserver: Birth,
    thread: Birth,
    subinterpreter: Option<Birth>,
    /// By module, in CPU time; without those that are not there.
    #[serde(default)]
    imports: BTreeMap<String, u64>,
    streams: Connection,
}

/// A Python that is being measured.
pub struct Measurement {
    python: PathBuf,
    /// What it says it is.
    pub version: String,
    script: Lent,
    rounds: Vec<Round>,
}

impl Measurement {
    /// Finds out whether it is a Python at all.
    pub fn of(python: &Path, interrupted: &AtomicBool) -> Result<Measurement, MeasureError> {
        let python = python.to_owned();
        let output =
            run(&[python.clone().into(), "-c".into(), ASK.into()], interrupted).map_err(|error| match error {
                Trouble::NotRun(why) => MeasureError::NotRun { python: python.clone(), why },
                Trouble::Ended(why) => MeasureError::NoPython { python: python.clone(), why },
                Trouble::Interrupted => MeasureError::Interrupted,
            })?;
        let version = output.trim().to_owned();
        let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
        match numbers[..] {
            [major, minor, _] if (major, minor) >= OLDEST => {}
            [_, _, _] => return Err(MeasureError::TooOld { python, version }),
            _ => {
                let why = "it does not say its version".to_owned();
                return Err(MeasureError::NoPython { python, why });
            }
        }
        // A file, and not `-c`: a spawned child imports the main module anew.
        let script = Lent::new("calibrate.py", SCRIPT.as_bytes()).map_err(MeasureError::NoFile)?;
        Ok(Measurement { python, version, script, rounds: Vec::new() })
    }

    /// Measures every kind of birth once.
    pub fn round(&mut self, interrupted: &AtomicBool) -> Result<(), MeasureError> {
        let failed = |why| MeasureError::Failed { python: self.python.clone(), why };
        let output =
            run(&[self.python.clone().into(), self.script.path().into()], interrupted).map_err(
                |error| match error {
                    Trouble::NotRun(why) => MeasureError::NotRun { python: self.python.clone(), why },
                    Trouble::Ended(why) => failed(why),
                    Trouble::Interrupted => MeasureError::Interrupted,
                },
            )?;
        let round = serde_json::from_str(&output).map_err(|_| failed("what it says is not understood".to_owned()))?;
        self.rounds.push(round);
        Ok(())
    }

    /// The medians over the rounds; what was not found out is taken from `other`. None before the first round.
    pub fn calibration(&self, other: &Calibration) -> Option<Calibration> {
        let rounds: Vec<&Rows> = self.rounds.iter().map(|round| &round.rows).collect();
        let python = self.rounds.first()?.python.clone();
        let of = |get: &dyn Fn(&Rows) -> u64| median(rounds.iter().map(|rows| get(rows)).collect());
        let whole = |get: &dyn Fn(&Rows) -> &Birth| {
            let cpu = of(&|rows| get(rows).cpu);
            (of(&|rows| get(rows).elapsed.saturating_sub(get(rows).cpu)), cpu)
        };
        let bare = of(&|rows| rows.bare);
        let (fork_ns, cpu) = whole(&|rows| &rows.spawn);
        let module = of(&|rows| rows.spawn.module.unwrap_or(rows.spawn.cpu));
        let order = |get: &dyn Fn(&Rows) -> &Birth| Nanos(of(&|rows| get(rows).order.unwrap_or(0)));
        let spawn = phases(fork_ns, bare.min(module), module.saturating_sub(bare), cpu.saturating_sub(module));
        let spawn = Phases { order_ns: order(&|rows| &rows.spawn), ..spawn };
        // A cold forkserver is a server and a worker of it.
        let server = |rows: &Rows| rows.forkserver_cold.elapsed.saturating_sub(rows.forkserver.elapsed);
        let server_cpu = of(&|rows| rows.forkserver_cold.parent.unwrap_or_else(|| server(rows)));
        let server =
            phases(of(&server).saturating_sub(server_cpu), bare.min(server_cpu), server_cpu.saturating_sub(bare), 0);
        let warm = order(&|rows| &rows.forkserver);
        let server = Phases { order_ns: order(&|rows| &rows.forkserver_cold) - warm, ..server };
        let copy = |get: &dyn Fn(&Rows) -> &Birth| {
            let (fork, cpu) = whole(get);
            Phases { order_ns: order(get), ..phases(fork, 0, 0, cpu) }
        };
        let (tracker_fork, tracker_cpu) = whole(&|rows| &rows.tracker);
        let tracker = phases(tracker_fork, bare.min(tracker_cpu), tracker_cpu.saturating_sub(bare), 0);
        let tracker = Phases { order_ns: order(&|rows| &rows.tracker), ..tracker };
        let (thread_fork, thread_cpu) = whole(&|rows| &rows.thread);
        let born: Vec<&Birth> = rounds.iter().filter_map(|rows| rows.subinterpreter.as_ref()).collect();
        let mut unmeasured = Vec::new();
        let subinterpreter = if born.is_empty() {
            unmeasured.push("subinterpreter".to_owned());
            other.costs.subinterpreter
        } else {
            let waits = median(born.iter().map(|birth| birth.elapsed.saturating_sub(birth.cpu)).collect());
            phases(waits, median(born.iter().map(|birth| birth.cpu).collect()), 0, 0)
        };
        let mut import = |module: &str, other| {
            let found: Vec<u64> = rounds.iter().filter_map(|rows| rows.imports.get(module).copied()).collect();
            if found.is_empty() {
                unmeasured.push(module.to_owned());
                return other;
            }
            Nanos(median(found))
        };
        let imports = Imports {
            asyncio_ns: import("asyncio", other.costs.imports.asyncio_ns),
            hashlib_ns: import("hashlib", other.costs.imports.hashlib_ns),
            urllib_request_ns: import("urllib.request", other.costs.imports.urllib_request_ns),
            numpy_ns: import("numpy", other.costs.imports.numpy_ns),
        };
        let costs = Costs {
            imports,
            pool: phases(0, of(&|rows| rows.pool.before), 0, of(&|rows| rows.pool.after)),
            spawn,
            fork: copy(&|rows| &rows.fork),
            server,
            tracker,
            forkserver: copy(&|rows| &rows.forkserver),
            thread: phases(thread_fork, thread_cpu, 0, 0),
            subinterpreter,
            streams: StreamPrices {
                open_ns: Nanos(of(&|rows| rows.streams.open)),
                close_ns: Nanos(of(&|rows| rows.streams.close)),
            },
        };
        Some(Calibration { python, unmeasured, costs, file: None })
    }
}

fn phases(fork: u64, init: u64, import: u64, prepare: u64) -> Phases {
    let order_ns = Nanos::ZERO;
    Phases {
        fork_ns: Nanos(fork),
        order_ns,
        init_ns: Nanos(init),
        import_ns: Nanos(import),
        prepare_ns: Nanos(prepare),
    }
}

/// Of none: 0.
fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// Why there is no output.
enum Trouble {
    NotRun(String),
    Ended(String),
    Interrupted,
}

/// Runs a program to its end and gives what it wrote. Nothing that it started is left behind.
fn run(command: &[OsString], interrupted: &AtomicBool) -> Result<String, Trouble> {
    // No bytecode is kept beside what is imported.
    let environment = [("PYTHONDONTWRITEBYTECODE", "1")];
    let mut program = Program::start(command, &environment).map_err(|error| Trouble::NotRun(error.to_string()))?;
    let since = Instant::now();
    let exit = loop {
        if let Some(exit) = program.poll() {
            break exit;
        }
        if interrupted.load(Ordering::Relaxed) {
            return Err(Trouble::Interrupted);
        }
        if since.elapsed() > PATIENCE {
            return Err(Trouble::Ended(format!("it did not end within {} s", PATIENCE.as_secs())));
        }
        thread::sleep(Duration::from_millis(10));
    };
    let errors = program.errors();
    let last = errors.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let last = last.map(|line| line.chars().take(300).collect::<String>());
    match (exit, last) {
        (Exit::Status(0), _) => Ok(program.output()),
        (Exit::Status(status), Some(last)) if status == i32::from(guard::NOT_STARTED) => {
            Err(Trouble::NotRun(last.rsplit(": ").next().unwrap_or(&last).to_owned()))
        }
        (_, Some(last)) => Err(Trouble::Ended(last)),
        (Exit::Status(status), None) => Err(Trouble::Ended(format!("it ended with status {status}"))),
        (Exit::Signal(signal), None) => Err(Trouble::Ended(format!("it was ended by signal {signal}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(spawn: u64) -> Round {
        let birth = |elapsed, cpu| Birth { elapsed, cpu, module: None, parent: None, order: Some(2) };
        Round {
            python: "3.13.0".to_owned(),
            rows: Rows {
                bare: 15,
                pool: FirstPool { before: 4, after: 3 },
                tracker: birth(40, 25),
                spawn: Birth { module: Some(45), ..birth(spawn, 55) },
                fork: birth(3, 1),
                forkserver_cold: Birth { parent: Some(50), order: Some(7), ..birth(90, 10) },
                forkserver: birth(20, 10),
                thread: birth(5, 2),
                subinterpreter: None,
                streams: Connection { open: 80 + spawn, close: 20 },
                imports: [("asyncio".to_owned(), spawn / 10), ("hashlib".to_owned(), 1)].into(),
            },
        }
    }

    #[test]
    fn a_birth_is_cut_where_its_steps_meet_and_adds_up_again() {
        let rounds = [70, 900, 60].map(round).to_vec();
        let script = Lent::new("calibrate.py", b"").unwrap();
        let measured = Measurement { python: "python3".into(), version: "3.13.0".to_owned(), script, rounds };
        let other = Calibration::built_in();
        let found = measured.calibration(&other).unwrap();
        let ordered = |order, phases| Phases { order_ns: Nanos(order), ..phases };
        assert_eq!(found.costs.spawn, ordered(2, phases(15, 15, 30, 10)));
        assert_eq!(found.costs.spawn.total(), Nanos(70), "the median, whatever disturbed one round");
        assert_eq!(found.costs.server, ordered(5, phases(20, 15, 35, 0)));
        assert_eq!(found.costs.tracker, ordered(2, phases(15, 15, 10, 0)));
        assert_eq!(found.costs.fork, ordered(2, phases(2, 0, 0, 1)));
        assert_eq!(found.costs.pool, phases(0, 4, 0, 3));
        assert_eq!(found.costs.thread, phases(3, 2, 0, 0));
        assert_eq!(found.costs.subinterpreter, other.costs.subinterpreter);
        let wanted = Imports { asyncio_ns: Nanos(7), hashlib_ns: Nanos(1), ..other.costs.imports };
        assert_eq!(found.costs.imports, wanted);
        assert_eq!(found.costs.streams, StreamPrices { open_ns: Nanos(150), close_ns: Nanos(20) });
        assert_eq!(found.unmeasured, ["subinterpreter", "urllib.request", "numpy"]);
    }
}
