//! What the interface knows.

use std::sync::Arc;

use crate::calibration::Calibration;
use crate::event::{CoreId, Nanos};
use crate::session::{Experiment, Length};
use crate::trace::Trace;
use crate::workload::ArgValue;

use super::choice::{ModelChoice, WorkloadChoice};
use super::compare::{Compare, Screen};
use super::figures::Figures;
use super::keymap::Keymap;
use super::origin::Origin;
use super::view::View;
use super::watch::Watch;
use super::words::Wording;

/// How far things have come, as the stable words on the screen say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has been run of what is chosen.
    Ready,
    /// The size of a task is being found.
    Sizing,
    /// A run was ordered; its clock has not started.
    Starting,
    /// It runs.
    Running,
    /// The run is over and its baseline is being measured.
    Baseline {
        /// When its clock started, on the clock of [`State::now`]; none before.
        since: Option<Nanos>,
    },
    /// The run is over, and so is its baseline, if it has one.
    Done,
    /// The run was stopped.
    Stopped,
    /// The run could not go on; why, in a sentence.
    Failed(String),
}

impl Phase {
    /// Whether worker processes are at work.
    pub fn is_busy(&self) -> bool {
        matches!(self, Phase::Sizing | Phase::Starting | Phase::Running | Phase::Baseline { .. })
    }

    /// The word scripts may wait for.
    pub const fn word(&self) -> &'static str {
        match self {
            Phase::Ready => "READY",
            Phase::Sizing => "SIZING",
            Phase::Starting => "STARTING",
            Phase::Running => "RUNNING",
            Phase::Baseline { .. } => "BASELINE",
            Phase::Done => "DONE",
            Phase::Stopped => "STOPPED",
            Phase::Failed(_) => "FAILED",
        }
    }
}

/// How a run at the finish line did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarState {
    /// It is on its way.
    Running,
    /// It took so long.
    Done(Nanos),
    /// It failed after so long.
    Failed(Nanos),
    /// It was stopped after so long.
    Stopped(Nanos),
}

/// A bar of the finish line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The model's id.
    pub model: String,
    /// How many workers it had.
    pub workers: u32,
    /// Its label.
    pub label: String,
    /// How it did.
    pub state: BarState,
}

/// The workload's source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Code {
    /// Its lines.
    pub lines: Vec<String>,
    /// The share of the last second spent on each line, 0 to 1, by index from 0; sampled.
    pub shares: Vec<f32>,
}

/// What is known of the machine, by sampling.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// The cores we may use.
    pub cores: Vec<CoreId>,
    /// How busy each of them is with all programs, 0 to 1; none where it is not known (yet).
    pub used: Vec<Option<f32>>,
    /// What gilscope itself costs, as a share of one core, 0 to 1.
    pub own: Option<f32>,
}

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// 24 bits a cell.
    #[default]
    True,
    /// The 256 of xterm.
    Indexed,
    /// The first 16.
    Ansi,
    /// None, or none wanted (`NO_COLOR`).
    None,
}

/// Which colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
    /// For projectors and tired eyes.
    HighContrast,
}

/// How things are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Which colours.
    pub theme: ThemeName,
    /// How many.
    pub depth: Depth,
    /// With ASCII alone.
    pub ascii: bool,
    /// In which words.
    pub wording: Wording,
}

/// How many settings there are to choose from among those seldom used.
pub const SETTINGS: usize = 3;

/// Everything the interface knows, the log apart.
#[derive(Clone, Debug)]
pub struct State {
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The instant of the last tick, on the log's clock.
    pub now: Nanos,
    /// The workloads to choose from.
    pub workloads: Vec<WorkloadChoice>,
    /// The models to choose from.
    pub models: Vec<ModelChoice>,
    /// What is chosen.
    pub experiment: Experiment,
    /// The arguments that were asked for by name; all others may be settled anew.
    pub given: Vec<(String, ArgValue)>,
    /// How long it should last.
    pub length: Length,
    /// What the picture and its figures are of; none before the first run of what is chosen.
    pub ran: Option<Experiment>,
    /// Whether there has been a run at all: from then on the model's key runs at once.
    pub has_run: bool,
    /// How far things have come.
    pub phase: Phase,
    /// Which screen is on the terminal.
    pub screen: Screen,
    /// The Compare screen.
    pub compare: Compare,
    /// The Watch screen.
    pub watch: Watch,
    /// What is looked at.
    pub view: View,
    /// The finish line.
    pub bars: Vec<Bar>,
    /// Instructions a millisecond of running where the same work was done one task at a time, if that was measured.
    pub alone: Option<f64>,
    /// About how long the work of the run on the screen takes one at a time, if that was found out to size it.
    pub expected: Option<Nanos>,
    /// What the figures on the screen are; refreshed four times a second.
    pub figures: Figures,
    /// The workload's source.
    pub code: Code,
    /// What the run on the screen comes from.
    pub origin: Origin,
    /// What is known of the machine.
    pub machine: Machine,
    /// How things are drawn.
    pub look: Look,
    /// What the file's `outcome()` returned, once the run on the screen is over.
    pub outcome: Option<String>,
    /// As whose start-up births can be made to cost; none if the lab was opened without any.
    pub calibration: Option<Arc<Calibration>>,
    /// Which key does what.
    pub keymap: Keymap,
    /// How far the help is scrolled, where it is open.
    pub help: Option<usize>,
    /// Which line of the seldom-used settings is chosen, where they are open.
    pub settings: Option<usize>,
    /// Something to say once, in place of the sentence.
    pub message: Option<String>,
    /// Rises whenever something visible has changed: nothing need be drawn while it stands.
    pub revision: u64,
}

impl State {
    /// A lab that is ready to run.
    pub fn new(experiment: Experiment, workloads: Vec<WorkloadChoice>, models: Vec<ModelChoice>) -> State {
        State {
            size: (80, 24),
            now: Nanos::ZERO,
            workloads,
            models,
            given: experiment.args.clone(),
            calibration: experiment.start_up.clone(),
            experiment,
            length: Length::default(),
            ran: None,
            has_run: false,
            phase: Phase::Ready,
            screen: Screen::default(),
            compare: Compare::default(),
            watch: Watch::default(),
            view: View::default(),
            bars: Vec::new(),
            alone: None,
            expected: None,
            figures: Figures::default(),
            code: Code::default(),
            origin: Origin::default(),
            machine: Machine::default(),
            look: Look::default(),
            outcome: None,
            keymap: Keymap::built_in(),
            help: None,
            settings: None,
            message: None,
            revision: 0,
        }
    }

    /// The chosen workload's entry, if it is one of those that come along.
    pub fn workload(&self) -> Option<&WorkloadChoice> {
        self.workloads.iter().find(|choice| choice.id == self.experiment.workload)
    }

    /// Why a model makes no sense for the chosen workload; none if it does.
    pub fn objection(&self, model: &str) -> Option<&str> {
        let objections = &self.workload()?.objections;
        objections.iter().find(|(id, _)| id == model).map(|(_, why)| why.as_str())
    }

    /// The models beside the chosen one as its key reaches them, all the way round: the nearest first.
    pub fn models_beside(&self, backwards: bool) -> impl Iterator<Item = &ModelChoice> {
        let count = self.models.len();
        let chosen = self.models.iter().position(|choice| choice.id == self.experiment.model);
        // With none chosen the first is the one after it, and the last the one before.
        let from = chosen.unwrap_or(if backwards { 0 } else { count.saturating_sub(1) });
        (1..=count).map(move |by| &self.models[(from + if backwards { count - by } else { by }) % count])
    }

    /// The model that the next press of its key chooses: those that make no sense here are passed over.
    pub fn next_model(&self) -> Option<&ModelChoice> {
        self.models_beside(false).find(|model| self.objection(&model.id).is_none())
    }

    /// The chosen workload's name on the screen.
    pub fn workload_title(&self) -> &str {
        self.workload().map_or(self.experiment.workload.as_str(), |choice| choice.title.as_str())
    }

    /// The chosen model.
    pub fn model(&self) -> Option<&ModelChoice> {
        self.find_model(&self.experiment.model)
    }

    /// The model of what is on the screen.
    pub fn model_shown(&self) -> Option<&ModelChoice> {
        self.find_model(&self.ran.as_ref().unwrap_or(&self.experiment).model)
    }

    /// The model with this id.
    pub fn find_model(&self, id: &str) -> Option<&ModelChoice> {
        self.models.iter().find(|choice| choice.id == id)
    }

    /// The bar of the baseline, if it was measured to its end.
    pub fn baseline(&self) -> Option<Nanos> {
        self.bars.iter().find(|bar| bar.model == ModelChoice::BASELINE).and_then(|bar| match bar.state {
            BarState::Done(elapsed) => Some(elapsed),
            _ => None,
        })
    }

    /// Whether the picture stands still while the run goes on.
    pub fn is_frozen(&self) -> bool {
        self.view.frozen.is_some() && self.phase == Phase::Running
    }

    /// Up to when there is something to look at: all of a frozen picture, and all that is said of it, is of one instant.
    pub fn reach(&self, log: &Trace) -> Nanos {
        if self.is_frozen() { self.view.until.min(log.now()) } else { log.now() }
    }

    /// Something visible has changed.
    pub fn touch(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }
}
