//! What the diagnoses look at: a run's log, with what several of them need of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Allowance;
use crate::engine::sampler::Peaks;
use crate::event::{LaneId, LockId, Nanos, State};
use crate::model::Role;
use crate::session::{Experiment, Places, Record};
use crate::trace::{Ledger, Span, Trace};

/// Below this a run says little: it is two switch intervals of CPython.
const LEAST: Nanos = Nanos::from_millis(10);

/// If more than this share was not observed, what was may not be typical.
const MOST_UNKNOWN: f64 = 0.25;

/// What the kernel's books say of cores, beside what a log tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Books {
    /// How long threads without a lane were on cores, of a real program.
    pub native: Nanos,
    /// How many cores all of it took on average, of a real program.
    pub ours: Option<f64>,
    /// How many cores a real program may use, if that is known.
    pub allowance: Option<Allowance>,
    /// On how many of the machine's cores anybody's work was but gilscope's, if that was sampled.
    pub machine: Option<f64>,
}

impl Books {
    /// Of a run's record.
    pub fn of(record: &Record) -> Books {
        Books {
            native: record.native_cpu(),
            ours: record.cpu_of_all().map(|_| record.cores_busy()),
            allowance: record.description.observing.as_ref().and_then(|status| status.allowance),
            machine: record.machine.mean(),
        }
    }
}

/// A run as the diagnoses see it.
pub struct Facts<'a> {
    /// The log.
    pub trace: &'a Trace,
    /// How many cores the run may use.
    pub cores: usize,
    /// How many the machine has.
    of_machine: usize,
    /// The switch interval.
    pub switch_interval: Nanos,
    /// Instructions a millisecond of running where the same work was done one task at a time, if that was measured.
    pub alone: Option<f64>,
    /// The most memory the processes held, if that was sampled.
    pub memory: Option<&'a Peaks>,
    /// What the file's `outcome()` returned, if it has one and the run is over.
    pub outcome: Option<String>,
    /// What was run, if it was an experiment.
    pub experiment: Option<&'a Experiment>,
    /// Whether it is a real program that is observed: every thread counts as a worker, and none does tasks of ours.
    pub is_program: bool,
    /// The lanes that do tasks.
    pub workers: Vec<LaneId>,
    /// The locks that two workers or more share, with how many do.
    pub shared: BTreeMap<LockId, usize>,
    /// What is known of cores beside what the log tells.
    pub books: Books,
    /// Where the holders of locks were seen, of a real program.
    pub places: Option<&'a Places>,
    ledger: Ledger,
}

impl<'a> Facts<'a> {
    /// Of a log, live or over.
    pub fn new(trace: &'a Trace, cores: usize, switch_interval: Nanos) -> Facts<'a> {
        let workers: Vec<LaneId> =
            trace.lanes().filter(|(_, info)| info.role == Role::Worker).map(|(lane, _)| lane).collect();
        let mut shared = BTreeMap::new();
        for lock in workers.iter().filter_map(|lane| trace.lane(*lane).lock) {
            *shared.entry(lock).or_default() += 1;
        }
        shared.retain(|_, sharers| *sharers >= 2);
        let ledger = trace.ledger();
        Facts {
            trace,
            cores,
            of_machine: cores,
            switch_interval,
            alone: None,
            memory: None,
            outcome: None,
            experiment: None,
            is_program: false,
            workers,
            shared,
            books: Books::default(),
            places: None,
            ledger,
        }
    }

    /// Of a run's record.
    pub fn of_record(record: &'a Record, cores: usize) -> Facts<'a> {
        let facts = Facts::new(&record.trace, cores, record.switch_interval());
        Facts {
            memory: Some(&record.memory),
            outcome: record.outcome.clone(),
            experiment: record.experiment.as_ref(),
            is_program: record.experiment.is_none(),
            places: Some(&record.places),
            ..facts.with(Books::of(record))
        }
    }

    /// With what the kernel's books say of cores: those that a program may not use are none for it.
    pub fn with(self, books: Books) -> Facts<'a> {
        let allowed = books.allowance.map_or(self.cores, |allowance| allowance.cores.max(1));
        Facts { cores: self.cores.min(allowed), books, ..self }
    }

    /// How many cores there are for it, as a clause.
    pub(super) fn cores_in_words(&self) -> String {
        match self.cores {
            cores if cores < self.of_machine => format!("it may use {cores} of {}", self.of_machine),
            1 => "there is 1".to_owned(),
            cores => format!("there are {cores}"),
        }
    }

    /// Beside what was measured of the same work done one task at a time.
    pub fn beside(self, alone: Option<f64>) -> Facts<'a> {
        Facts { alone, ..self }
    }

    /// Whether there is enough to judge by.
    pub(super) fn suffice(&self) -> bool {
        self.elapsed() >= LEAST && !self.workers.is_empty() && self.share(State::Unknown) <= MOST_UNKNOWN
    }

    /// The stretches of a lane from the first that is known.
    pub(super) fn spans(&self, lane: LaneId) -> impl Iterator<Item = Span> {
        self.trace.spans(lane, self.trace.coarsened_before().unwrap_or(self.trace.begin_at()))
    }

    /// How long it has lasted.
    pub fn elapsed(&self) -> Nanos {
        self.trace.elapsed()
    }

    /// The workers' time in a state.
    pub fn time(&self, state: State) -> Nanos {
        self.ledger.0[state.index()]
    }

    /// The workers' time in some states.
    pub fn times(&self, states: &[State]) -> Nanos {
        states.iter().map(|state| self.time(*state)).sum()
    }

    /// The share of the workers' lives, from birth to end and not stopped, in a state: 0 to 1.
    pub fn share(&self, state: State) -> f64 {
        let all: Nanos = self.ledger.0.iter().copied().sum();
        let life = all - self.times(&[State::Unborn, State::Done, State::Stopped]);
        ratio(self.time(state), life)
    }

    /// The share of the time for which shares of a diagnosis are told, in a state: 0 to 1. Of workers with tasks that is
    /// their lives. Of a real program every thread counts, the one that waits for the others to end and those that wait
    /// for a connection all day: of these only the time in which they were awake, lest who sleeps hides who waits.
    pub fn share_awake(&self, state: State) -> f64 {
        if !self.is_program {
            return self.share(state);
        }
        let awake: Vec<State> = State::ALL.into_iter().filter(|state| state.awake()).collect();
        ratio(self.time(state), self.times(&awake))
    }

    /// What [`Facts::share_awake`] is a share of, in words.
    pub fn their_time(&self) -> &'static str {
        if self.is_program { "their time awake" } else { "their time" }
    }

    /// How many workers were in some states at once, on average over the run.
    pub fn at_once(&self, states: &[State]) -> f64 {
        ratio(self.times(states), self.elapsed())
    }

    /// How many cores the workers used, on average over the run.
    pub fn cores_busy(&self) -> f64 {
        let on_core: Vec<State> = State::ALL.into_iter().filter(|state| state.on_core()).collect();
        self.at_once(&on_core)
    }

    /// Whether workers have one memory: they share a lock, or have none.
    pub fn are_threads(&self) -> bool {
        !self.shared.is_empty() || self.workers.iter().any(|lane| self.trace.lane(*lane).lock.is_none())
    }

    /// What the workers are, for a sentence: threads where they share a lock, else workers. A real program has none: it has
    /// threads, or processes where each thread has one of its own.
    pub fn noun(&self) -> &'static str {
        let processes = || self.workers.iter().map(|lane| self.trace.lane(*lane).process).collect::<BTreeSet<_>>();
        match () {
            () if self.is_program && self.workers.len() > 1 && processes().len() == self.workers.len() => "processes",
            () if self.is_program || !self.shared.is_empty() => "threads",
            () => "workers",
        }
    }
}

/// A part of a whole; 0 of nothing.
pub fn ratio(part: Nanos, whole: Nanos) -> f64 {
    if whole == Nanos::ZERO { 0.0 } else { part.0 as f64 / whole.0 as f64 }
}
