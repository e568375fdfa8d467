//! What surrounds the state: the director with its runs, the sampler, the clock. It carries out effects and brings news.

mod news;

use std::io;
use std::sync::Arc;

use crossterm::event::Event as Input;

use crate::app::{self, Action, Effect, Key, News, State};
use crate::clock::{Clock, Monotonic};
use crate::engine::cpython;
use crate::engine::sampler::Sampler;
use crate::event::Nanos;
use crate::observe::pythons::Listing;
use crate::session::{Comparer, Director, Miniature, Notice, Record, Run, Stage};
use crate::trace::{self, Trace};
use crate::ui;
use crate::workload::{self, Script, Workload};

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
                Effect::LookAtScript(file) => {
                    let script = Script::look(&file);
                    self.hear(News::Script(file, script));
                }
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
}

/// The program that is watched, or what the lab shows.
fn shown<'a>(watched: Option<&'a Run>, director: &'a Director<Miniature>) -> Option<&'a Record> {
    watched.map(Run::record).or_else(|| director.record())
}
