//! `gilscope watch` and `gilscope attach`: a real program, observed; on the Watch screen where there is a terminal,
//! else as a report.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue};
use color_eyre::eyre::Result;

use crate::app::watch::panel;
use crate::engine::cpython;
use crate::event::Nanos;
use crate::observe::launch::Streams;
use crate::observe::pythons::{self, Verdict};
use crate::program::Printed;
use crate::session::{Record, Run as Session, parse_duration};
use crate::terminal;
use crate::text::printable;
use crate::trace;

use super::headless::{self, Following, Format, interruption};
use super::output::output;
use super::{complain, refuse};

/// Exit status of `watch`: a failure of gilscope's own, not the program's.
pub const OWN_FAILURE: u8 = 125;

/// How the report is laid out, and how long is observed.
#[derive(Clone, Debug, clap::Args)]
pub struct Reporting {
    /// Observe for so long, then report; without it until the program ends by itself. A program that watch started is
    /// ended then, with all that it made; one that was there runs on
    #[arg(long = "for", value_name = "SPAN", value_parser = some_time)]
    span: Option<Nanos>,
    /// Report as JSON (schema gilscope.run/1)
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Report as CSV, one row a lane
    #[arg(long)]
    csv: bool,
    /// Report as a table, without a screen, also where there is a terminal
    #[arg(long)]
    no_screen: bool,
    /// Do not look in which functions the lock is held: fifty looks a second fewer into the program's memory
    #[arg(long)]
    no_functions: bool,
}

/// Reads for how long is observed.
fn some_time(text: &str) -> Result<Nanos, String> {
    match parse_duration(text)? {
        Nanos::ZERO => Err(format!("in {text} nothing can be observed: write for example 10s")),
        span => Ok(span),
    }
}

impl Reporting {
    /// Whether a person looks on.
    fn wants_screen(&self) -> bool {
        let wants_report = self.no_screen || self.json || self.csv || self.span.is_some();
        !wants_report && terminal::objection().is_none()
    }

    /// The source, looked at as far as that is wanted.
    fn of(&self, source: cpython::Observed) -> cpython::Observed {
        if self.no_functions { source.without_functions() } else { source }
    }
}

/// Run a real Python program, observe its GIL, and report what happened when it ends
#[derive(Debug, clap::Args)]
#[command(after_help = FROM_WHICH_VERSION)]
pub struct Watch {
    /// The interpreter: a path or a name on PATH; python3 unless said otherwise
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: OsString,
    #[command(flatten)]
    reporting: Reporting,
    /// What the program reads: nothing, or what is typed. On the screen it then has a terminal of its own, shown in a
    /// panel (the key a types into it); without a screen it reads gilscope's own standard input
    #[arg(long, value_name = "FROM", default_value = "none")]
    input: Input,
    /// Run a module, as python -m does; what follows are its arguments
    #[arg(short = 'm', value_name = "MODULE", num_args = 1.., allow_hyphen_values = true, conflicts_with_all = ["code", "program"])]
    module: Option<Vec<OsString>>,
    /// Run code, as python -c does; what follows are its arguments
    #[arg(short = 'c', value_name = "CODE", num_args = 1.., allow_hyphen_values = true, conflicts_with = "program")]
    code: Option<Vec<OsString>>,
    /// The script and its arguments; also options of the interpreter's own, as in -i script.py
    #[arg(value_name = "SCRIPT.py", trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<OsString>,
}

/// What a program that is watched reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Input {
    None,
    Terminal,
}

/// Observe a running Python process and leave it running
#[derive(Debug, clap::Args)]
#[command(after_help = FROM_WHICH_VERSION)]
pub struct Attach {
    /// The process, or one of its threads; without one: a list of the Python processes to choose from
    pid: Option<u32>,
    #[command(flatten)]
    reporting: Reporting,
    /// Belongs to watch: here it is refused in words.
    #[arg(long, value_name = "FROM", hide = true)]
    input: Option<OsString>,
}

/// What differs by version, said once.
const FROM_WHICH_VERSION: &str = "CPython 3.9 to 3.15; of an older or newer Python 3 only threads and cores. \
                                  The function in which the lock is held is told by its qualified name from 3.11 on, \
                                  the asyncio task that runs it from 3.14 on.";

/// Starts a program and observes it.
pub fn watch(options: &Watch) -> Result<ExitCode> {
    if let Some(option) = options.program.first().filter(|first| is_mistyped(first)) {
        return Err(unknown(option));
    }
    let python = pythons::find(&options.python).map_err(refuse)?;
    let args = arguments(options).map_err(refuse)?;
    let verdict = pythons::verdict(&python);
    if let Verdict::Objection(why) = verdict {
        return Err(refuse(why));
    }
    let shown = printable(&python.to_string_lossy());
    let screen = options.reporting.wants_screen();
    let input = || match options.input {
        Input::None => Stdio::null(),
        Input::Terminal => Stdio::inherit(),
    };
    let streams = match options.input {
        Input::Terminal if screen => {
            let (columns, rows) = panel::size(crossterm::terminal::size()?);
            Streams::Terminal { columns, rows }
        }
        _ if screen || options.reporting.json || options.reporting.csv => Streams::Kept(input()),
        _ => Streams::Passed(input()),
    };
    // On the screen signals are the loop's affair.
    let interrupted = if screen { Arc::default() } else { interruption()? };
    let source = match cpython::launch(&python.into_os_string(), &args, streams) {
        Ok(source) => options.reporting.of(source),
        Err(error) => {
            complain(&format_args!("the program could not be started: {error}"));
            return Ok(ExitCode::from(OWN_FAILURE));
        }
    };
    if screen {
        let (told, record) = super::lab::watching(Session::observing(Box::new(source), trace::DEFAULT_BUDGET))?;
        if let Some(record) = &record {
            let given = give_back(record, crossterm::terminal::size().unwrap_or((80, 24)), &mut output());
            // Whom a signal ended may have no terminal any more; that is what it said.
            if told.is_none() {
                given?;
            }
        }
        return Ok(told.unwrap_or_else(|| {
            record.as_ref().map_or(ExitCode::from(OWN_FAILURE), |record| left_with(record, &verdict, &shown))
        }));
    }
    match observe(source, &options.reporting, &interrupted, true) {
        Ok((_, true)) => Ok(headless::interrupted()),
        Ok((record, false)) => Ok(left_with(&record, &verdict, &shown)),
        Err(error) => {
            complain(&format_args!("{error:#}"));
            Ok(ExitCode::from(OWN_FAILURE))
        }
    }
}

/// The status of a program that has ended. If it never was a Python, which only its end tells since it may have been a
/// launcher, nothing was observed: that is said, and is our failure unless it is its own.
fn left_with(record: &Record, verdict: &Verdict, shown: &str) -> ExitCode {
    let program = record.description.program.as_ref();
    let is_seen = record.trace.lanes().len() > 0 || program.is_none_or(|program| program.python.is_some());
    if is_seen || *verdict == Verdict::Python {
        return headless::status_of(record, OWN_FAILURE);
    }
    complain(&format_args!(
        "{shown} has run to its end and never was a Python, so nothing was observed: name the interpreter with --python \
         (`gilscope list pythons` names those there are)"
    ));
    let own = program.and_then(|program| program.exit_status).filter(|status| *status != 0);
    ExitCode::from(own.unwrap_or(OWN_FAILURE))
}

/// Writes the last of what the program printed, which was kept from the terminal while that was ours: a screenful at most,
/// since nobody reads more and a terminal may take minutes for it, with how much came before. What would control the
/// terminal is shown as in the panel: whoever prints to a pipe did not print for a terminal.
fn give_back(record: &Record, (columns, rows): (u16, u16), out: &mut impl Write) -> io::Result<()> {
    let printed = Printed::of(&record.output);
    let columns = usize::from(columns.max(1));
    // A prompt and what is said of the rest are to be in sight, too.
    let mut room = usize::from(rows.saturating_sub(3)).max(1);
    let lines: Vec<String> = printed.lines.iter().map(|line| harmless(line)).collect();
    let fits = |line: &&String| {
        let takes = line.chars().count().div_ceil(columns).max(1);
        let fits = takes <= room;
        room = room.saturating_sub(takes);
        fits
    };
    let shown = lines.iter().rev().take_while(fits).count().max(1).min(lines.len());
    let before = record.output_left_out + printed.left_out + (lines.len() - shown) as u64;
    if before > 0 {
        let what = if before == 1 { "one line".to_owned() } else { format!("{before} lines") };
        writeln!(out, "gilscope: {what} that the program printed before these are left out (--no-screen shows all)")?;
    }
    for line in &lines[lines.len() - shown..] {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// A line that only shows what is in it.
fn harmless(line: &str) -> String {
    line.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

/// Observes a program that runs.
pub fn attach(options: &Attach) -> Result<ExitCode> {
    if options.input.is_some() {
        return Err(refuse(
            "--input is for a program that gilscope starts (gilscope watch): one that runs already reads from where it \
             was started",
        ));
    }
    let Some(pid) = options.pid else { return choose(&options.reporting) };
    if options.reporting.wants_screen() {
        let source = options.reporting.of(cpython::attach(pid).map_err(refuse)?);
        let (told, _) = super::lab::watching(Session::observing(Box::new(source), trace::DEFAULT_BUDGET))?;
        return Ok(told.unwrap_or(ExitCode::SUCCESS));
    }
    let interrupted = interruption()?;
    let source = options.reporting.of(cpython::attach(pid).map_err(refuse)?);
    let (_, was_interrupted) = observe(source, &options.reporting, &interrupted, false)?;
    Ok(if was_interrupted { headless::interrupted() } else { ExitCode::SUCCESS })
}

/// Which process is not said: whoever looks on may choose, all others get the list.
fn choose(reporting: &Reporting) -> Result<ExitCode> {
    if reporting.span.is_some() || reporting.csv {
        return Err(refuse("which process? gilscope attach PID; without anything else `gilscope attach` lists them"));
    }
    if reporting.wants_screen() {
        return super::lab::picking();
    }
    super::pythons::list_processes(reporting.json)?;
    Ok(ExitCode::SUCCESS)
}

fn observe(
    source: cpython::Observed,
    reporting: &Reporting,
    interrupted: &std::sync::atomic::AtomicBool,
    launched: bool,
) -> Result<(Record, bool)> {
    // A program that we started is asked to end when its time is over; one that was there is left alone.
    let run = Session::observing(Box::new(source), trace::DEFAULT_BUDGET);
    let following = Following {
        interrupted: Some(interrupted),
        span: reporting.span.map(Duration::from),
        is_program: launched,
        sampled: true,
    };
    let record = headless::follow(run, &following, |_| {});
    headless::print(&record, None, Format::of(reporting.json, reporting.csv))?;
    Ok((record, interrupted.load(Ordering::Relaxed)))
}

/// What follows the interpreter on its command line.
fn arguments(options: &Watch) -> Result<Vec<OsString>, String> {
    let with = |flag: &str, rest: &[OsString]| [OsString::from(flag)].into_iter().chain(rest.iter().cloned()).collect();
    if let Some(module) = &options.module {
        return Ok(with("-m", module));
    }
    if let Some(code) = &options.code {
        return Ok(with("-c", code));
    }
    let Some(script) = options.program.first() else {
        // An interpreter without a program is an interactive one, or reads its program.
        if options.input == Input::Terminal {
            return Ok(Vec::new());
        }
        return Err("what is to be run? A script, -m MODULE or -c CODE: gilscope watch SCRIPT.py".to_owned());
    };
    // An option of the interpreter's: what it makes of it, and of all that follows, it says itself.
    let text = script.to_string_lossy();
    if text.starts_with('-') && !text.starts_with("--") {
        return Ok(options.program.clone());
    }
    match std::fs::File::open(script) {
        Err(error) => Err(format!("cannot read {}: {}", script.to_string_lossy(), reason(&error))),
        Ok(_) => Ok(options.program.clone()),
    }
}

/// Whether what stands in the script's place is a long option, and none of the interpreter's. No script is called so.
fn is_mistyped(first: &OsStr) -> bool {
    let text = first.to_string_lossy();
    text.starts_with("--") && !OF_PYTHON.iter().any(|own| text.starts_with(own))
}

/// The interpreter's own long options begin like this (`python3 --help-all`).
const OF_PYTHON: [&str; 3] = ["--help", "--version", "--check-hash-based-pycs"];

/// Refuses an option that `watch` has not. It would be taken for the script, since what follows that is the script's own.
fn unknown(option: &OsStr) -> color_eyre::Report {
    // The same command without that allowance knows which of its options is near.
    let command = super::Cli::command().find_subcommand("watch").cloned().unwrap_or_default();
    let strict = command.mut_arg("program", |program| program.trailing_var_arg(false).allow_hyphen_values(false));
    let near = strict.try_get_matches_from([OsStr::new("watch"), option]).err();
    let near = near.as_ref().and_then(|error| match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(near) => Some(format!(" Is {near} meant?")),
        _ => None,
    });
    let option = option.to_string_lossy();
    refuse(format!(
        "{option} is no option of gilscope watch.{} What the program is to read stands behind it: \
         gilscope watch SCRIPT.py {option}",
        near.unwrap_or_default()
    ))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        _ => error.to_string(),
    }
}
