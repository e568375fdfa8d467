//! `gilscope lab`: the lab, ready to run.

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use color_eyre::eyre::Result;

use crate::app::{Depth, Look, ModelChoice, Screen, State, Wording, WorkloadChoice};
use crate::calibration::kept;
use crate::engine::machine::cores_of_affinity;
use crate::model;
use crate::runtime::{self, Options};
use crate::session::{Record, Run};
use crate::terminal;
use crate::workload::{self, Workload};

use super::configuration::Configuration;
use super::{Settings, experiment, refuse, refuse_load};

/// Open the lab: run workloads under models and watch them
#[derive(Debug, clap::Args)]
pub struct Lab {
    /// The workload: one of `gilscope list workloads`, or a Python file
    #[arg(short, long, default_value = "sum-squares")]
    workload: String,
    #[command(flatten)]
    settings: Settings,
    /// Start running at once
    #[arg(long)]
    run: bool,
    /// Speak of cooks, knives and kitchens in place of threads, locks and processes (also: GILSCOPE_KITCHEN=1, or
    /// wording = "kitchen" in ~/.config/gilscope/config.toml)
    #[arg(long)]
    kitchen: bool,
}

impl Lab {
    /// The lab of someone who only typed the program's name.
    pub fn unasked() -> Lab {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            lab: Lab,
        }
        Alone::parse_from(["gilscope"]).lab
    }
}

/// Opens it.
pub fn lab(options: &Lab) -> Result<ExitCode> {
    if let Some(why) = terminal::objection() {
        return Err(refuse(format!(
            "the lab needs a terminal to draw on, and {why}; without one: gilscope run {} -m {}",
            options.workload, options.settings.model
        )));
    }
    let (state, workload) = ready(options)?;
    let (told, _) = runtime::run(Options { state, workload, run: options.run, watched: None })?;
    Ok(told.map_or(ExitCode::SUCCESS, super::headless::ended_by))
}

/// A lab as it is when it opens.
fn ready(options: &Lab) -> Result<(State, Workload)> {
    let workload = workload::load(&options.workload).map_err(|error| refuse_load(&error, &options.workload))?;
    let kept = (!options.settings.bare).then(kept::readable);
    let start_up = kept.as_ref().map(|kept| Arc::new(kept.calibration.clone()));
    let experiment = experiment(&workload, &options.workload, &options.settings, |_| Ok(start_up))?;
    let bundled = workload::bundled().map(workload::load).collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    let mut choices: Vec<WorkloadChoice> = bundled.iter().map(choice).collect();
    if workload.path.is_some() {
        choices.push(WorkloadChoice { id: options.workload.clone(), ..choice(&workload) });
    }
    let mut state = State::new(experiment, choices, ModelChoice::built_in());
    state.look = look()?;
    // On standard error it would be hidden by the screen.
    state.message = kept.and_then(|kept| kept.note);
    if options.kitchen {
        state.look.wording = Wording::Kitchen;
    }
    state.machine.cores = cores_of_affinity().unwrap_or_default();
    state.machine.used = vec![None; state.machine.cores.len()];
    Ok((state, workload))
}

/// Opens the Watch screen on a program. Says how the loop was ended, if by a signal, and what is known of the program.
pub(super) fn watching(run: Run) -> Result<(Option<ExitCode>, Option<Record>)> {
    // The lab behind it is not reached; its choice is of no account, and so is what its workers would cost.
    let mut lab = Lab::unasked();
    lab.settings.bare = true;
    let mut state = ready(&lab)?.0;
    let workload = workload::load(&state.experiment.workload).map_err(refuse)?;
    state.screen = Screen::Watch;
    let (told, record) = runtime::run(Options { state, workload, run: false, watched: Some(run) })?;
    Ok((told.map(super::headless::ended_by), record))
}

/// Opens the Watch screen on the list of programs that could be watched.
pub(super) fn picking() -> Result<ExitCode> {
    let (mut state, workload) = ready(&Lab::unasked())?;
    state.screen = Screen::Watch;
    let (told, _) = runtime::run(Options { state, workload, run: false, watched: None })?;
    Ok(told.map_or(ExitCode::SUCCESS, super::headless::ended_by))
}

fn choice(workload: &Workload) -> WorkloadChoice {
    WorkloadChoice {
        id: workload.id.clone(),
        title: workload.title.clone(),
        bound: workload.bound,
        watch: workload.watch.clone(),
        opens_streams: workload.opens_streams(),
        objections: model::ALL
            .iter()
            .filter_map(|model| Some((model.id.to_owned(), model.objection(workload)?)))
            .collect(),
    }
}

/// What the terminal can show, as far as its environment tells, and in which words.
fn look() -> Result<Look> {
    let says = |name: &str| env::var(name).unwrap_or_default();
    let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let term = says("TERM");
    let depth = match says("COLORTERM").as_str() {
        _ if set("NO_COLOR") => Depth::None,
        "truecolor" | "24bit" => Depth::True,
        _ if term.contains("direct") => Depth::True,
        _ if term.contains("256") => Depth::Indexed,
        _ if term.is_empty() || term.contains("mono") || term.starts_with("vt") => Depth::None,
        _ => Depth::Ansi,
    };
    let wording = match says("GILSCOPE_KITCHEN").as_str() {
        "" => Configuration::read()?.wording.unwrap_or_default(),
        "0" => Wording::Plain,
        _ => Wording::Kitchen,
    };
    Ok(Look { depth, ascii: super::ascii_only(), wording, ..Look::default() })
}
