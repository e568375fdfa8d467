//! The command line.

mod calibrate;
mod check;
mod compare;
mod configuration;
mod contest;
mod headless;
mod interpreters;
mod lab;
mod list;
mod output;
mod prices;
mod pythons;
mod run;
mod selftest;
mod suite;
mod watch;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, Parser, Subcommand};
use color_eyre::eyre::Result;

use crate::calibration::{Calibration, kept};
use crate::event::Nanos;
use crate::interp::child;
use crate::model::Model;
use crate::observe::launch;
use crate::program::guard;
use crate::session::{Experiment, parse_duration};
use crate::vm::Rules;
use crate::workload::{LoadError, Workload};

/// Exit status: a task failed or a worker died.
pub const FAILED: u8 = 1;
/// Exit status: refused before any work began.
pub const REFUSED: u8 = 2;

/// An oscilloscope for Python's Global Interpreter Lock, in a terminal.
///
/// Without a command: the lab, ready to run.
#[derive(Debug, Parser)]
#[command(name = "gilscope", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the lab: run workloads under models and watch them
    Lab(lab::Lab),
    /// Run a workload without a screen and report what happened
    Run(run::Run),
    /// Run the same work under several models and set them side by side
    Compare(compare::Compare),
    /// What one more worker costs under each model: start time and memory, measured now
    Prices(prices::Prices),
    /// Measure how long a real CPython takes to start a worker, and let the miniature take as long
    Calibrate(calibrate::Calibrate),
    /// Run a real Python program, observe its GIL, and report what happened when it ends
    Watch(watch::Watch),
    /// Observe a running Python process and leave it running; without a PID: choose one
    Attach(watch::Attach),
    /// Observe known programs and compare with what they report of themselves: how exactly this machine sees
    Selftest(selftest::Selftest),
    /// Run a Python program and fail if a thread waits for the GIL too much: for continuous integration
    Check(check::Check),
    /// List what there is to run
    List(list::List),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What to run, for every command that runs something.
#[derive(Clone, Debug, Args)]
struct Settings {
    /// How tasks become processes and threads (`gilscope list models`)
    #[arg(short, long, default_value = "threads")]
    model: String,
    /// How many workers, or for hybrid processes x threads (2x4); the logical cores unless said otherwise
    #[arg(short = 'n', long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    workers: Option<Workers>,
    /// How many times `work` is called; once a worker unless said otherwise
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    tasks: Option<u32>,
    /// How processes are started, where the model starts any; spawn unless said otherwise
    #[arg(long, value_name = "METHOD", value_parser = ["spawn", "fork", "forkserver"])]
    start: Option<String>,
    /// An argument of the workload, for example n=1000000; may be repeated
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    args: Vec<String>,
    /// How long a thread waits before it asks for the GIL
    #[arg(long, value_name = "SPAN", default_value = "5ms", value_parser = switch_interval, allow_hyphen_values = true)]
    switch_interval: Nanos,
    /// Where the interpreter may switch: at loops and calls (3.10) or nearly anywhere (3.9)
    #[arg(long, default_value = "3.10", value_parser = ["3.9", "3.10"])]
    rules: String,
    /// Start workers as fast as the miniature can: leave out CPython's start-up (`gilscope calibrate`)
    #[arg(long)]
    bare: bool,
}

/// How many workers, and over how many processes they are spread if that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Workers {
    count: u32,
    processes: Option<u32>,
}

/// Reads `4` or `2x4`.
fn workers(text: &str) -> Result<Workers, String> {
    let number = |part: &str| {
        let number = part.trim().parse::<u32>();
        number.map_err(|_| format!("'{text}' is no number of workers: write for example 4, or 2x4 for hybrid"))
    };
    match text.split_once(['x', 'X', '×']) {
        None => Ok(Workers { count: number(text)?, processes: None }),
        Some((processes, threads)) => {
            let (processes, threads) = (number(processes)?, number(threads)?);
            let count = processes.checked_mul(threads).ok_or_else(|| format!("{text} workers are too many"))?;
            Ok(Workers { count, processes: Some(processes) })
        }
    }
}

/// Reads the switch interval and keeps it within what makes sense.
fn switch_interval(text: &str) -> Result<Nanos, String> {
    let span = parse_duration(text)?;
    let (least, most) = (Nanos::from_micros(1), Nanos::from_secs(100));
    if span < least || span > most {
        return Err(format!("{text} is outside 1us to 100s: CPython's default is 5ms"));
    }
    Ok(span)
}

/// The most tasks of a run: each is a message and a result to keep.
const MOST_TASKS: u32 = 100_000;

/// A sentence for a person, and the status to leave with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn refuse(why: impl std::fmt::Display) -> color_eyre::Report {
    Refusal(why.to_string()).into()
}

/// A workload that cannot be loaded. What is Python all the same has its way out.
fn refuse_load(error: &LoadError, name: &str) -> color_eyre::Report {
    if !error.is_outside_subset() {
        return refuse(error);
    }
    refuse(format!(
        "{error}\nA real Python runs the file as it is: gilscope compare {name} --engine cpython, or gilscope watch {name}"
    ))
}

/// What a person asked for, checked; as whose start-up births cost is asked for when the model is known.
fn experiment(
    workload: &Workload,
    name: &str,
    settings: &Settings,
    start_up: impl FnOnce(&Model) -> Result<Option<Arc<Calibration>>>,
) -> Result<Experiment> {
    let model = model(&settings.model, settings.start.as_deref())?;
    let unasked = || Workers { count: crate::engine::machine::cores_allowed() as u32, processes: None };
    // Coroutines cost so little that all tasks are in flight unless somebody wants fewer.
    let in_flight = settings.tasks.filter(|_| model.runs_coroutines());
    let in_flight = in_flight.map(|tasks| Workers { count: tasks, processes: None });
    let Workers { count: workers, processes } = settings.workers.or(in_flight).unwrap_or_else(unasked);
    if let (Some(processes), false) = (processes, model.is_hybrid()) {
        return Err(refuse(format!(
            "-n {processes}x{}: only the model `hybrid` has threads in several processes; write -n {workers}",
            workers / processes.max(1)
        )));
    }
    let tasks = match settings.tasks {
        Some(0) => return Err(refuse("0 tasks: there must be at least one")),
        Some(tasks) if tasks > MOST_TASKS => return Err(refuse(format!("{tasks} tasks: at most {MOST_TASKS}"))),
        tasks => tasks,
    };
    let mut given = Vec::new();
    for arg in &settings.args {
        let (name, value) = arg
            .split_once('=')
            .ok_or_else(|| refuse(format!("--arg {arg}: write NAME=VALUE, for example --arg n=1000000")))?;
        if given.iter().any(|(known, _)| *known == name) {
            return Err(refuse(format!("--arg {name} is given twice")));
        }
        given.push((name, value));
    }
    let mut args = workload.arguments(&given).map_err(refuse)?;
    args.retain(|(name, _)| given.iter().any(|(given, _)| given == name));
    let experiment = Experiment {
        workload: name.to_owned(),
        model: model.id.to_owned(),
        workers,
        processes,
        tasks,
        args,
        switch_interval: settings.switch_interval,
        rules: if settings.rules == "3.9" { Rules::V3_9 } else { Rules::V3_10 },
        start_up: start_up(model)?,
        interpreter: crate::session::Interpreter::Miniature,
    };
    match experiment.refusal(workload) {
        Some(why) => Err(refuse(why)),
        None => Ok(experiment),
    }
}

/// The model by its name and by how its processes are to be started, if that was said.
fn model(name: &str, start: Option<&str>) -> Result<&'static Model> {
    let model = crate::model::find(name).map_err(refuse)?;
    let Some(start) = start else { return Ok(model) };
    let Some(own) = model.start else {
        return Err(refuse(format!(
            "--start {start} says how the model `processes` starts its processes, and `{name}` has no such choice: leave \
             --start out, or write -m processes"
        )));
    };
    // `processes` alone leaves it open.
    if name != model.family && own.name() != start {
        return Err(refuse(format!(
            "how the processes are started is said twice: -m {name} and --start {start}; leave one of them out"
        )));
    }
    crate::model::find(&format!("{}:{start}", model.family)).map_err(refuse)
}

/// As whose start-up births are to cost: the user's own calibration or the one that comes along; none if bare.
fn start_up(bare: bool) -> Result<Option<Arc<Calibration>>> {
    if bare {
        return Ok(None);
    }
    let kept::Current { calibration, note } = kept::current().map_err(refuse)?;
    note.iter().for_each(|note| complain(note));
    Ok(Some(Arc::new(calibration)))
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    if child::is_wanted() {
        return child::main();
    }
    if env::args_os().nth(1).is_some_and(|argument| argument == guard::SUBCOMMAND) {
        return guard::main(env::args_os().skip(2));
    }
    if launch::is_wanted() {
        return launch::main();
    }
    let cli = Cli::parse();
    if let Err(error) = color_eyre::config::HookBuilder::default().display_env_section(false).install() {
        complain(&error);
    }
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            let status = if error.is::<Refusal>() { REFUSED } else { FAILED };
            complain(&format_args!("{error:#}"));
            ExitCode::from(status)
        }
    }
}

/// Whether output keeps to ASCII: asked for, or the locale has nothing else.
fn ascii_only() -> bool {
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let says = |name: &str| env::var(name).unwrap_or_default();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(says).into_iter().find(|value| !value.is_empty());
    let plain = locale.is_some_and(|locale| matches!(locale.as_str(), "C" | "POSIX"));
    set("GILSCOPE_ASCII") || plain
}

/// Says what is wrong. Nobody may be there to hear it: a terminal that has vanished is no reason to panic.
fn complain(what: &dyn std::fmt::Display) {
    let text = what.to_string();
    let lines: Vec<String> = text.split('\n').map(crate::text::printable).collect();
    let _ = writeln!(io::stderr(), "gilscope: {}", lines.join("\n"));
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        None => lab::lab(&lab::Lab::unasked()),
        Some(Command::Lab(options)) => lab::lab(&options),
        Some(Command::Run(options)) => run::run(&options),
        Some(Command::Compare(options)) => compare::compare(&options),
        Some(Command::Prices(options)) => prices::prices(&options),
        Some(Command::Calibrate(options)) => calibrate::calibrate(&options),
        Some(Command::Watch(options)) => watch::watch(&options),
        Some(Command::Attach(options)) => watch::attach(&options),
        Some(Command::Selftest(options)) => selftest::selftest(&options),
        Some(Command::Check(options)) => check::check(&options),
        Some(Command::List(options)) => list::list(&options),
        Some(Command::Completions { shell }) => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "gilscope", &mut text);
            output::output().write_all(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Man) => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text)?;
            output::output().write_all(&text)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
