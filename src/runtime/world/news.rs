//! What the world brings to the state: what became of runs, what was recorded, what the machine does.

use crate::app::{self, Ending, News};
use crate::engine::sampler::Sample;
use crate::engine::{Engine, Status};
use crate::event::{LockId, Nanos};
use crate::insight::Books;
use crate::model::LockKind;
use crate::observe::pythons::Listing;
use crate::session::{Baseline, Notice, Phase, Record, Stage, is_whole};

use super::World;
/// The line shares are figures: they change four times a second at most.
const LINES_EVERY: Nanos = Nanos::from_millis(250);

impl World {
    pub(super) fn notice(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            match notice {
                Notice::Sizing => self.hear(News::Sizing),
                Notice::Began { experiment, expected } => {
                    self.hear(News::Sized(experiment.args, expected));
                    if let Some(record) = self.director.record() {
                        self.hear(News::Origin(app::Origin::of(&record.description, &record.trace)));
                    }
                    self.hear(News::Began);
                }
                Notice::Over => {
                    if let Some(outcome) = self.director.record().and_then(|record| record.outcome.clone()) {
                        self.hear(News::Outcome(outcome));
                    }
                    let ending = self.director.record().map_or(Ending::Stopped, ending);
                    self.hear(News::Ended(ending));
                }
                Notice::BaselineBegan => self.hear(News::BaselineBegan),
                Notice::BaselineOver(Baseline::Measured(elapsed)) => {
                    let ran = self.state.ran.as_ref();
                    if let Some(rate) = ran.and_then(|ran| self.director.alone(ran)) {
                        self.hear(News::Alone(rate));
                    }
                    self.hear(News::BaselineEnded(Ending::Done, elapsed));
                }
                Notice::BaselineOver(Baseline::Failed { why, after }) => {
                    self.hear(News::BaselineEnded(Ending::Failed(why), after));
                }
                Notice::BaselineOver(Baseline::Stopped) => {
                    self.hear(News::BaselineEnded(Ending::Stopped, Nanos::ZERO));
                }
                Notice::Failed(why) => self.hear(News::Ended(Ending::Failed(why))),
            }
        }
    }

    /// What it has found out is told when a run begins or ends, and in between as often as figures may change.
    pub(super) fn look_at_comparison(&mut self, now: Nanos) {
        if !self.state.compare.is_under_way() {
            return;
        }
        let notices = self.comparer.poll(now);
        if !notices.is_empty() || now - self.compared_told >= LINES_EVERY {
            self.compared_told = now;
            self.tell_comparison();
        }
    }

    pub(super) fn tell_comparison(&mut self) {
        if let Some(comparison) = self.comparer.comparison() {
            let news = News::Compared(Box::new(comparison.clone()));
            self.hear(news);
        }
    }

    /// What is known of the program that is watched is told as often as figures may change.
    pub(super) fn look_at_watched(&mut self, now: Nanos) {
        let Some(run) = self.watched.as_mut().filter(|run| !run.record().is_over()) else { return };
        let (before, _) = (run.record().phase.clone(), run.poll());
        let (after, over) = (run.record().phase.clone(), run.record().is_over());
        // Who types looks for it.
        let printed = (self.state.watch.typing && !over).then(|| run.printed());
        if before == Phase::Booting && after != Phase::Booting {
            self.hear(News::Began);
        }
        if let Some(printed) = printed {
            self.hear(News::Printed(printed));
        }
        if over || now - self.watched_told >= LINES_EVERY {
            self.watched_told = now;
            self.tell_watched();
        }
    }

    /// Who could be watched is looked up while there is the list of them.
    pub(super) fn look_at_pythons(&mut self) {
        if !app::picker::is_open(&self.state) {
            self.listing = None;
            return;
        }
        if self.listing.is_none() {
            // Without the thread the list says that it is looking, until one can be had.
            self.listing = Listing::start().ok();
        }
        let Some(found) = self.listing.as_ref().and_then(Listing::latest) else { return };
        let candidate = |it: crate::observe::pythons::Running| app::picker::Candidate {
            pid: it.pid,
            command: it.command,
            version: it.version.map_err(|why| why.to_string()),
            in_part: it.in_part,
        };
        let rows = found.into_iter().map(candidate).collect();
        self.hear(News::Pythons(rows));
    }

    pub(super) fn tell_watched(&mut self) {
        let Some(run) = &self.watched else { return };
        let record = run.record();
        let program = record.description.program.clone().unwrap_or_default();
        let killed = program.end.clone().filter(|end| end.starts_with("killed"));
        let ended = record.is_over().then(|| match (&record.phase, program.exit_status) {
            (Phase::Failed(why), _) => why.clone(),
            _ if program.ended_by_gilscope => "gilscope ended it".to_owned(),
            _ if killed.is_some() => killed.unwrap_or_default(),
            (_, Some(0)) => "exit status 0".to_owned(),
            (_, Some(status)) => format!("exit status {status}"),
            (_, None) => program.end.unwrap_or_else(|| "it is gone".to_owned()),
        });
        let observing = record.description.observing.as_ref();
        let seen = app::watch::Observation {
            origin: app::Origin::of(&record.description, &record.trace),
            gil_disabled: observing.is_some_and(|status| status.engine == Engine::NoLock),
            places: record.places.clone(),
            wants: record.wants.clone(),
            output: run.printed(),
            locks_held: observing.map(locks_held).unwrap_or_default(),
            cores_busy: observing.and_then(|status| status.cores_busy),
            native_busy: observing.map_or(0.0, |status| status.native_busy),
            books: Books::of(record),
            switch_interval: record.switch_interval(),
            work: observing.map(app::watch::Work::of),
            ended,
        };
        self.hear(News::Observed(Box::new(seen)));
    }

    pub(super) fn look_at_lines(&mut self, now: Nanos) {
        if self.director.stage() != Stage::Running {
            return;
        }
        let lanes = self.director.run().map(|run| run.lines()).unwrap_or_default();
        if let Some(record) = self.director.record() {
            self.lines.look(now, &record.trace, &lanes);
        }
        if now - self.lines_told >= LINES_EVERY {
            self.lines_told = now;
            let shares = self.lines.shares(self.state.code.lines.len());
            self.hear(News::Lines(shares));
        }
    }

    pub(super) fn look_at_machine(&mut self) {
        let processes = self.alive().map(|run| run.processes()).unwrap_or_default();
        let Some(sampler) = &self.sampler else { return };
        let samples: Vec<Sample> = sampler.samples().try_iter().collect();
        sampler.watch(processes);
        for sample in samples {
            if let Some(run) = self.alive() {
                run.note_sample(&sample);
            }
            let (cores, used) = sample.cores.iter().map(|(core, used)| (*core, Some(*used))).unzip();
            self.hear(News::Machine(app::Machine { cores, used, own: sample.itself }));
        }
    }
}

/// How the run on the screen ended.
/// How much of the time those GILs were held of late that are only looked at.
fn locks_held(status: &Status) -> Vec<(LockId, f64)> {
    let gils = status.locks.iter().filter(|lock| lock.kind == LockKind::Gil);
    gils.filter_map(|lock| Some((lock.lock, lock.held_lately?))).collect()
}

fn ending(record: &Record) -> Ending {
    match &record.phase {
        Phase::Failed(why) => Ending::Failed(why.clone()),
        Phase::Stopped => Ending::Stopped,
        _ if is_whole(record) => Ending::Done,
        _ => Ending::Failed(record.failure().unwrap_or_else(|| "nobody did the work".to_owned())),
    }
}
