//! What surrounds the state: the director with its runs, the sampler, the clock. It carries out effects and brings news.

use std::io;
use std::sync::Arc;

use crossterm::event::Event as Input;

use crate::app::{self, Action, Effect, Ending, Key, News, State};
use crate::clock::{Clock, Monotonic};
use crate::engine::sampler::{Sample, Sampler};
use crate::engine::{Engine, cpython};
use crate::event::Nanos;
use crate::observe::pythons::Listing;
use crate::session::{Baseline, Comparer, Director, Miniature, Notice, Phase, Record, Run, Stage, is_whole};
use crate::trace::{self, Trace};
use crate::ui;
use crate::workload::{self, Workload};

use super::Wish;
use super::lines::Lines;

/// How the lab is opened.
pub struct Options {
    /// What is chosen to begin with.
    pub state: State,
    /// Its workload.
    pub workload: Workload,
    /// Whether to run at once.
    pub run: bool,
    /// A real program to watch; then that is all there is on the screen.
    pub watched: Option<Run>,
}

/// After so long a program that was asked to end, and is made to, is given up: whoever should do that is not there.
const PATIENCE: Nanos = Nanos::from_secs(10);

/// The line shares are figures: they change four times a second at most.
const LINES_EVERY: Nanos = Nanos::from_millis(250);

/// Everything the loop turns around.
pub struct World {
    state: State,
    /// What is chosen; none if its file could not be loaded.
    workload: Option<Arc<Workload>>,
    director: Director<Miniature>,
    watched: Option<Run>,
    watched_told: Nanos,
    /// Looks which programs could be watched, while there is the list to choose from.
    listing: Option<Listing>,
    comparer: Comparer<Miniature>,
    compared_told: Nanos,
    sampler: Option<Sampler>,
    lines: Lines,
    lines_told: Nanos,
    wishes: Vec<Wish>,
}

impl World {
    /// A world at rest, or one whose first run has been ordered.
    pub fn new(options: Options) -> World {
        let workload = Arc::new(options.workload);
        let mut world = World {
            state: options.state,
            workload: Some(Arc::clone(&workload)),
            director: Director::new(Miniature),
            watched: options.watched,
            watched_told: Nanos::ZERO,
            listing: None,
            comparer: Comparer::new(Miniature),
            compared_told: Nanos::ZERO,
            // Without it the screen says that the machine's figures are not known.
            sampler: Sampler::start().ok(),
            lines: Lines::default(),
            lines_told: Nanos::ZERO,
            wishes: Vec::new(),
        };
        world.hear(News::Loaded(workload.source.clone()));
        if let Some(run) = &mut world.watched {
            run.go();
            world.state.screen = app::Screen::Watch;
            world.tell_watched();
        } else if options.run {
            world.act(Action::RunOrStop);
        }
        world
    }

    /// What is drawn.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The log of what is on the screen.
    pub fn log(&self) -> Option<&Trace> {
        self.shown().map(|record| &record.trace)
    }

    /// What is on the screen.
    fn shown(&self) -> Option<&Record> {
        shown(self.watched.as_ref(), &self.director)
    }

    /// What is known of the program that was watched; the program is left or, if we started it, ended.
    pub fn leave_watched(&mut self) -> Option<Record> {
        let mut run = self.watched.take()?;
        run.end();
        let program = run.record().description.program.as_ref();
        let until = Monotonic.now() + PATIENCE;
        let is_ours = program.is_some_and(|program| program.launched);
        while is_ours && !run.record().is_over() && Monotonic.now() < until {
            run.poll();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        run.stop();
        Some(run.into_record())
    }

    /// Whether worker processes are at work.
    pub fn is_busy(&mut self) -> bool {
        let watches = self.watched.as_ref().is_some_and(|run| !run.record().is_over());
        watches || self.director.stage() != Stage::Idle || self.comparer.run().is_some()
    }

    /// The run that is alive, whatever it is for.
    fn alive(&mut self) -> Option<&mut Run> {
        if self.watched.is_some() {
            return self.watched.as_mut().filter(|run| !run.record().is_over());
        }
        match self.comparer.run() {
            Some(run) => Some(run),
            None => self.director.run(),
        }
    }

    /// What the state wants of the loop, since the last call.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    /// A key was pressed, or the window changed.
    pub fn input(&mut self, input: Input) {
        match input {
            Input::Key(event) => {
                if let Some(effects) = app::watch::typed(&mut self.state, event) {
                    return self.carry_out(effects);
                }
                if let Some(action) = Key::from_event(event).and_then(|key| self.state.keymap.action(key)) {
                    self.act(action);
                }
            }
            Input::Resize(columns, rows) => self.resized(columns, rows),
            _ => {}
        }
    }

    /// The window has so many columns and rows.
    pub fn resized(&mut self, columns: u16, rows: u16) {
        self.hear(News::Resized(columns, rows));
        if let Some(run) = &mut self.watched {
            let (columns, rows) = app::watch::panel::size((columns, rows));
            run.resize_panel(columns, rows);
        }
    }

    /// Does what was asked for.
    pub fn act(&mut self, action: Action) {
        let log = shown(self.watched.as_ref(), &self.director).map(|record| &record.trace);
        let effects = app::update(&mut self.state, log, action);
        // How long the help is, is known where it is drawn; beyond its end there is nothing to come back from.
        if let Some(top) = self.state.help {
            self.state.help = Some(top.min(ui::panels::help::most_scrolled(&self.state)));
        }
        self.carry_out(effects);
    }

    /// Tells the state what has happened.
    pub fn hear(&mut self, news: News) {
        let log = shown(self.watched.as_ref(), &self.director).map(|record| &record.trace);
        let effects = app::hear(&mut self.state, log, news);
        self.carry_out(effects);
    }

    /// Time has gone by: collects what was recorded and sampled.
    pub fn tick(&mut self) {
        let now = Monotonic.now();
        let notices = self.director.poll();
        // Before the tick, so that it sees the log as it is now.
        self.look_at_lines(now);
        self.look_at_watched(now);
        self.look_at_pythons();
        self.hear(News::Tick(now));
        self.notice(notices);
        self.look_at_comparison(now);
        self.look_at_machine();
    }

    /// Halts the run, unless it is that of a program that is not ours, lets `lend` give the terminal away and take it back, and lets the run go on.
    pub fn suspend(&mut self, lend: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let from = Monotonic.now();
        if let Some(run) = self.alive() {
            run.suspend();
        }
        let lent = lend();
        let now = Monotonic.now();
        if let Some(run) = self.alive() {
            run.resume(from, now);
        }
        if let Some(run) = self.watched.as_ref().filter(|run| !run.record().is_over()) {
            let launched = run.record().description.program.as_ref().is_some_and(|program| program.launched);
            let span = app::words::tenths(now - from);
            self.hear(News::Message(match launched {
                true => format!("The program stood still with gilscope for {span}, and goes on."),
                false => {
                    format!("The program ran on for {span} while gilscope stood still: nothing of that was seen (╱).")
                }
            }));
        }
        lent
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Run(experiment, length) => {
                    self.lines.clear();
                    let notices = match self.chosen(&experiment.workload) {
                        Ok(workload) => self.director.start(workload, experiment, length),
                        Err(why) => vec![Notice::Failed(why)],
                    };
                    self.notice(notices);
                }
                Effect::RunBaseline(experiment) => {
                    let notices = self.director.measure(&experiment);
                    self.notice(notices);
                }
                Effect::Compare(contest) => match self.chosen(&contest.experiment.workload) {
                    Ok(workload) => {
                        let _ = self.comparer.start(workload, &contest, Monotonic.now());
                        self.tell_comparison();
                    }
                    Err(why) => self.hear(News::Message(why)),
                },
                Effect::CancelComparison => {
                    let _ = self.comparer.cancel();
                    self.tell_comparison();
                }
                Effect::Stop => {
                    let notices = self.director.stop();
                    self.notice(notices);
                }
                Effect::SetInterval(interval) => {
                    if let Some(run) = self.director.run() {
                        run.set_switch_interval(interval);
                    }
                }
                Effect::Load(name) => {
                    // What was chosen before must not run under this one's name.
                    self.workload = None;
                    if let Err(why) = self.chosen(&name) {
                        self.hear(News::Message(why));
                    }
                }
                Effect::ExactOnce => {
                    if let Some(run) = &mut self.watched {
                        run.exact_once();
                    }
                }
                Effect::Press(key) => {
                    if self.watched.as_mut().is_some_and(|run| !run.press(key)) {
                        self.hear(News::Message("The program does not read: what was typed last is lost.".to_owned()));
                    }
                }
                Effect::Attach(pid) => match cpython::attach(pid) {
                    Ok(source) => {
                        self.listing = None;
                        let mut run = Run::observing(Box::new(source), trace::DEFAULT_BUDGET);
                        run.go();
                        self.watched = Some(run);
                        self.hear(News::Attached);
                        self.tell_watched();
                    }
                    Err(why) => self.hear(News::Message(why.to_string())),
                },
                Effect::LeaveWatched => {
                    if let Some(mut run) = self.watched.take() {
                        run.stop();
                    }
                }
                Effect::Suspend => self.wishes.push(Wish::Suspend),
                Effect::Redraw => self.wishes.push(Wish::Redraw),
                Effect::Quit => self.wishes.push(Wish::Quit),
            }
        }
    }

    /// The workload that is chosen, loaded if it is not yet.
    fn chosen(&mut self, name: &str) -> Result<Arc<Workload>, String> {
        if let Some(workload) = &self.workload {
            return Ok(Arc::clone(workload));
        }
        let workload = Arc::new(workload::load(name).map_err(|why| why.to_string())?);
        self.workload = Some(Arc::clone(&workload));
        self.hear(News::Loaded(workload.source.clone()));
        Ok(workload)
    }

    fn notice(&mut self, notices: Vec<Notice>) {
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
    fn look_at_comparison(&mut self, now: Nanos) {
        if !self.state.compare.is_under_way() {
            return;
        }
        let notices = self.comparer.poll(now);
        if !notices.is_empty() || now - self.compared_told >= LINES_EVERY {
            self.compared_told = now;
            self.tell_comparison();
        }
    }

    fn tell_comparison(&mut self) {
        if let Some(comparison) = self.comparer.comparison() {
            let news = News::Compared(Box::new(comparison.clone()));
            self.hear(news);
        }
    }

    /// What is known of the program that is watched is told as often as figures may change.
    fn look_at_watched(&mut self, now: Nanos) {
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
    fn look_at_pythons(&mut self) {
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
        };
        let rows = found.into_iter().map(candidate).collect();
        self.hear(News::Pythons(rows));
    }

    fn tell_watched(&mut self) {
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
            cores_busy: observing.and_then(|status| status.cores_busy),
            work: observing.map(app::watch::Work::of),
            ended,
        };
        self.hear(News::Observed(Box::new(seen)));
    }

    fn look_at_lines(&mut self, now: Nanos) {
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

    fn look_at_machine(&mut self) {
        let pids = self.alive().map(|run| run.pids()).unwrap_or_default();
        let Some(sampler) = &self.sampler else { return };
        let samples: Vec<Sample> = sampler.samples().try_iter().collect();
        sampler.watch(pids);
        for sample in samples {
            if let Some(run) = self.alive() {
                run.note_sample(&sample);
            }
            let (cores, used) = sample.cores.iter().map(|(core, used)| (*core, Some(*used))).unzip();
            self.hear(News::Machine(app::Machine { cores, used, own: sample.itself }));
        }
    }
}

/// The program that is watched, or what the lab shows.
fn shown<'a>(watched: Option<&'a Run>, director: &'a Director<Miniature>) -> Option<&'a Record> {
    watched.map(Run::record).or_else(|| director.record())
}

/// How the run on the screen ended.
fn ending(record: &Record) -> Ending {
    match &record.phase {
        Phase::Failed(why) => Ending::Failed(why.clone()),
        Phase::Stopped => Ending::Stopped,
        _ if is_whole(record) => Ending::Done,
        _ => Ending::Failed(record.failure().unwrap_or_else(|| "nobody did the work".to_owned())),
    }
}
