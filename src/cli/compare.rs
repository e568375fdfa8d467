//! `gilscope compare`: the same work under several models, side by side, in the miniature or in real interpreters.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use color_eyre::eyre::Result;

use crate::engine::machine::Machine;
use crate::event::Nanos;
use crate::model;
use crate::report;
use crate::session::{Contest, Experiment, Interpreter, Progress, UNATTENDED_AT_MOST, parse_duration};
use crate::ui::ascii::ascii_or;
use crate::workload::Workload;

use super::contest::{Contests, takes};
use super::interpreters::Interpreting;
use super::output::{json, output};
use super::{FAILED, Settings, Workers, ascii_only, experiment, refuse, refuse_load, start_up, suite, switch_interval};

/// Run the same work under several models and set them side by side.
///
/// Every model does the same tasks, once in each round, one run at a time; one task after another is always among
/// them, since it is what the others are measured against. With several interpreters each is measured against itself.
#[derive(Debug, clap::Args)]
pub struct Compare {
    /// The workload: one of `gilscope list workloads`, or a Python file
    #[arg(required_unless_present_any = ["suite", "call"], conflicts_with = "suite")]
    workload: Option<String>,
    /// Your own function instead of a workload, called once a task in real CPython: imported from the current folder
    #[arg(long, value_name = "MODULE:FUNCTION", conflicts_with_all = ["workload", "suite", "args", "lasts"])]
    call: Option<String>,
    #[command(flatten)]
    interpreting: Interpreting,
    /// The models, separated by commas; every model that can do the work unless said otherwise
    #[arg(short = 'm', long = "model", value_name = "M,M,…", value_delimiter = ',', conflicts_with = "suite")]
    models: Vec<String>,
    /// How many workers; the logical cores unless said otherwise
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true, conflicts_with = "suite")]
    workers: Option<u32>,
    /// How many times `work` is called; once a worker unless said otherwise
    #[arg(long, value_name = "T", allow_negative_numbers = true, conflicts_with = "suite")]
    tasks: Option<u32>,
    /// An argument of the workload, for example n=1000000; may be repeated
    #[arg(long = "arg", value_name = "NAME=VALUE", conflicts_with = "suite")]
    args: Vec<String>,
    /// Choose the size of the work so that one task after another lasts about this long, for example 3s
    #[arg(long, value_name = "SPAN", value_parser = lasting, conflicts_with = "suite")]
    lasts: Option<Nanos>,
    /// How often each model runs; 5 unless said otherwise
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: Option<u32>,
    /// How long a thread waits before it asks for the GIL
    #[arg(long, value_name = "SPAN", default_value = "5ms", value_parser = switch_interval)]
    switch_interval: Nanos,
    /// Where the miniature may switch: at loops and calls (3.10, the default) or nearly anywhere (3.9)
    #[arg(long, value_parser = ["3.9", "3.10"])]
    rules: Option<String>,
    /// Start workers as fast as the miniature can: leave out CPython's start-up (`gilscope calibrate`)
    #[arg(long)]
    bare: bool,
    /// Run a set of comparisons instead of one workload: `notes` are the teaching notes' tables, with their sizes
    #[arg(long, value_enum, conflicts_with = "csv")]
    suite: Option<Suite>,
    /// Begin also where one task after another takes more than 10 minutes
    #[arg(long, conflicts_with = "suite")]
    long: bool,
    /// Report as JSON (schema gilscope.compare/1)
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Report as CSV, one row a model
    #[arg(long)]
    csv: bool,
}

impl Compare {
    /// Whether only real interpreters take part.
    fn is_real_only(&self) -> bool {
        self.call.is_some() || self.interpreting.leaves_the_miniature_out()
    }
}

/// Sets of comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    Notes,
}

/// How often each model runs unless said otherwise: an odd number, so that the median is a run.
const REPEATS: u32 = 5;

/// Reads how long the baseline shall last and keeps it within what makes sense.
fn lasting(text: &str) -> Result<Nanos, String> {
    let span = parse_duration(text)?;
    if span < Nanos::from_millis(10) || span > Nanos::from_secs(3600) {
        return Err(format!("{text} is outside 10ms to 60min"));
    }
    Ok(span)
}

/// Compares.
pub fn compare(options: &Compare) -> Result<ExitCode> {
    // What the miniature cannot read, the interpreters describe.
    let (name, mut workload, only_they_know) = match (&options.call, &options.workload) {
        (Some(target), _) => (target, crate::workload::call(target).map_err(refuse)?, true),
        (None, Some(name)) => match crate::workload::load(name) {
            Err(error) if error.is_outside_subset() && options.interpreting.leaves_the_miniature_out() => {
                (name, crate::workload::load_for_cpython(name).map_err(refuse)?, true)
            }
            loaded => (name, loaded.map_err(|error| refuse_load(&error, name))?, false),
        },
        (None, None) if !options.interpreting.is_emulated() => {
            return Err(refuse("--suite runs in the miniature: leave out --engine and --python"));
        }
        (None, None) => return suite::notes(options.repeat, options.json, options.bare),
    };
    if options.call.is_some() && options.interpreting.names_the_miniature() {
        return Err(refuse("--call runs in real CPython alone: leave out --engine emulated"));
    }
    let of_the_miniature = [("--rules", options.rules.is_some()), ("--bare", options.bare)];
    if let Some((switch, _)) = of_the_miniature.into_iter().find(|(_, given)| *given && options.is_real_only()) {
        return Err(refuse(format!(
            "{switch} is the miniature's: a real CPython has its own; leave it out, or write --engine emulated,cpython"
        )));
    }
    let experiment = shared(options, &workload, name)?;
    let args = experiment.all_args(&workload);
    let (interpreters, absent) = options.interpreting.interpreters(only_they_know, &mut workload, &args)?;
    let workload = Arc::new(workload);
    let contest = Contest {
        models: models(&options.models, &experiment, &interpreters, &workload)?,
        experiment,
        repeats: options.repeat.unwrap_or(REPEATS),
        lasts: options.lasts,
        interpreters,
        at_most: (!options.long).then_some(UNATTENDED_AT_MOST),
    };
    let mut contests = Contests::new()?;
    let Some(mut comparison) = contests.carry_out(&workload, &contest) else { return Ok(ExitCode::from(FAILED)) };
    comparison.absent = absent;
    if let Some(expected) = comparison.expected.filter(|_| comparison.progress == Progress::TooLong) {
        let takes = takes(expected, contest.repeats);
        let less = "less to do takes less (--tasks, --arg, --repeat), and --long does it all the same";
        return Err(refuse(format!("{takes}: {less}")));
    }
    if let Some(reason) = comparison.rows.iter().find_map(|row| row.refusal.clone())
        && comparison.rows.iter().all(|row| row.refusal.is_some())
    {
        return Err(refuse(reason));
    }
    let machine = Machine::this();
    let mut out = output();
    if options.json {
        let report = report::comparison(&comparison, &workload, &machine);
        json(&report, &mut out)?;
    } else if options.csv {
        report::write_comparison_csv(&report::comparison(&comparison, &workload, &machine), &mut out)?;
    } else {
        print(&report::comparison_text(&comparison), &mut out)?;
    }
    out.flush()?;
    Ok(match () {
        () if contests.interrupted() => super::headless::interrupted(),
        () if comparison.has_failures() => ExitCode::from(FAILED),
        () => ExitCode::SUCCESS,
    })
}

/// Prints a text, in ASCII where that is all there is.
pub(super) fn print(text: &str, out: &mut impl Write) -> io::Result<()> {
    if ascii_only() {
        let plain: String = text.chars().map(ascii_or).collect();
        out.write_all(plain.as_bytes())
    } else {
        out.write_all(text.as_bytes())
    }
}

/// What all runs share.
fn shared(options: &Compare, workload: &Workload, name: &str) -> Result<Experiment> {
    // Only what all of them share is asked for; each model is checked by itself.
    let any = model::ALL.iter().find(|model| model.objection(workload).is_none());
    let settings = Settings {
        model: any.map_or("sequential", |model| model.id).to_owned(),
        workers: options.workers.map(|count| Workers { count, processes: None }),
        tasks: options.tasks,
        start: None,
        args: options.args.clone(),
        switch_interval: options.switch_interval,
        rules: options.rules.clone().unwrap_or_else(|| "3.10".to_owned()),
        // Real ones pay their own.
        bare: options.bare || options.is_real_only(),
    };
    if options.workers == Some(0) {
        return Err(refuse("0 workers: there must be at least one"));
    }
    experiment(workload, name, &settings, |_| start_up(settings.bare))
}

/// The ids of the models asked for, or of all. Someone who names a model wants to know that it cannot run before
/// anything else does; someone who names none gets it listed with its reason, and so does who names one that only some
/// of the interpreters have.
fn models(
    asked: &[String],
    shared: &Experiment,
    interpreters: &[Interpreter],
    workload: &Workload,
) -> Result<Vec<String>> {
    if asked.is_empty() {
        return Ok(model::ALL.iter().map(|model| model.id.to_owned()).collect());
    }
    let checked = asked.iter().map(|name| {
        let model = model::find(name.trim()).map_err(refuse)?;
        let mut refusals = interpreters.iter().map(|interpreter| {
            let (model, interpreter) = (model.id.to_owned(), interpreter.clone());
            Experiment { model, interpreter, ..shared.clone() }.refusal(workload)
        });
        // The first reason stands for all.
        let first = refusals.next().flatten();
        match first {
            Some(why) if refusals.all(|other| other.is_some()) => Err(refuse(why)),
            _ => Ok(model.id.to_owned()),
        }
    });
    checked.collect()
}
