//! Real CPython as a source: what the observer notices, in the words of every source.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use crossterm::event::KeyEvent;

use crate::event::{LaneId, Line, Nanos};
use crate::observe::Observer;
use crate::observe::launch::{self, Launched, Streams};
use crate::observe::notice::Notice;
use crate::observe::process;
use crate::observe::trouble::Trouble;
use crate::program::{Output, Printed};

use super::{CoreEvidence, Description, ENDED_BY_US, Signal, Source};

/// So long it is waited for that the observer sees that the program stands still: its passes are as far apart.
const SEEN_HALTED: Duration = Duration::from_millis(400);

/// A program being observed.
pub struct Observed {
    observer: Observer,
    description: Description,
    launched: Option<Launched>,
    output: Option<Output>,
    /// The process of whoever can end the program and all that it made; none where we did not start it.
    keeper: Option<u32>,
    /// Whether it was asked to end.
    asked: bool,
    /// The processes that stand still with us.
    halted: Vec<u32>,
    /// What the observer said meanwhile.
    unheard: Vec<Notice>,
    /// The processes that were seen.
    pids: BTreeSet<u32>,
    over: bool,
}

/// Attaches to a running process. It goes on untouched when the source is dropped.
pub fn attach(pid: u32) -> Result<Observed, Trouble> {
    let pid = process::of_thread(pid);
    Ok(Observed::new(Observer::attach(pid)?, pid, None))
}

/// Starts a program; [`Source::go`] lets it execute. It ends with us, however we end.
pub fn launch(program: &OsString, args: &[OsString], streams: Streams) -> std::io::Result<Observed> {
    let launched = launch::launch(program, args, streams)?;
    let command = [program].into_iter().chain(args).map(|part| part.to_string_lossy().into_owned());
    Ok(Observed::new(Observer::follow(launched.pid, command.collect()), launched.pid, Some(launched)))
}

fn describe(observer: &Observer) -> Description {
    let refused = observer.switches_refused.clone();
    Description {
        engine: "cpython",
        lanes: Vec::new(),
        locks: Vec::new(),
        core_evidence: if refused.is_none() { CoreEvidence::SwitchRecords } else { CoreEvidence::None },
        core_evidence_reason: refused,
        program: Some(observer.program.clone()),
        observing: Some(super::Status::default()),
    }
}

impl Source for Observed {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn go(&mut self) {
        if let Some(launched) = self.launched.take() {
            // If it cannot be continued it has been killed meanwhile, and that will be seen.
            let _ = launched.go();
            self.observer.watch_child(launched.keeper);
        }
    }

    fn poll(&mut self, say: &mut dyn FnMut(Signal)) {
        if let Some(output) = &mut self.output {
            output.drain();
        }
        if self.over {
            return;
        }
        let was_on = self.observer.is_on() || self.launched.is_some();
        let unheard = std::mem::take(&mut self.unheard);
        for notice in unheard.into_iter().chain(self.observer.notices()) {
            self.tell(notice, say);
        }
        if !was_on && !self.over {
            self.over = true;
            say(Signal::Failed("the observer stopped unexpectedly".to_owned()));
        }
        if self.over
            && let Some(output) = &mut self.output
        {
            output.drain();
        }
    }

    fn exact_once(&mut self) {
        self.observer.exact_once();
    }

    fn set_switch_interval(&mut self, _: Nanos) {
        // It is the program's own, and the program is not to be disturbed.
    }

    fn pids(&self) -> Vec<u32> {
        self.pids.iter().copied().collect()
    }

    fn lines(&self) -> Vec<(LaneId, Line)> {
        Vec::new()
    }

    fn output(&self) -> String {
        self.output.as_ref().map_or_else(String::new, Output::text)
    }

    fn output_left_out(&self) -> u64 {
        self.output.as_ref().map_or(0, Output::lines_left_out)
    }

    fn printed(&self) -> Printed {
        self.output.as_ref().map_or_else(Printed::default, Output::printed)
    }

    fn press(&mut self, key: KeyEvent) -> bool {
        !self.over && self.output.as_mut().is_some_and(|output| output.press(key))
    }

    fn resize_panel(&mut self, columns: u16, rows: u16) {
        if let Some(output) = &mut self.output {
            output.resize(columns, rows);
        }
    }

    fn stop(&mut self) {
        self.observer.stop();
    }

    fn end(&mut self) {
        if let Some(keeper) = self.keeper.filter(|_| !self.over) {
            self.asked = true;
            launch::end(keeper);
        }
    }

    fn suspend(&mut self) {
        // One we only look at is not ours to halt, and runs on.
        let Some(keeper) = self.keeper.filter(|_| !self.over) else { return };
        self.halted = launch::halt(keeper);
        // We are about to stand still as well: it must have been seen by then that they do.
        let until = Instant::now() + SEEN_HALTED;
        let has_halted = |notice: &Notice| matches!(notice, Notice::Halt { stopped: true, .. });
        while !self.halted.is_empty() && !self.unheard.iter().any(has_halted) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
            self.unheard.extend(self.observer.notices());
        }
    }

    fn resume(&mut self) -> bool {
        let halted = std::mem::take(&mut self.halted);
        launch::go_on(&halted);
        !halted.is_empty() && self.unheard.iter().any(|notice| matches!(notice, Notice::Halt { stopped: true, .. }))
    }
}

impl Observed {
    /// Looks not in which functions the lock is held.
    pub fn without_functions(self) -> Observed {
        self.observer.without_places();
        self
    }

    fn new(observer: Observer, pid: u32, mut launched: Option<Launched>) -> Observed {
        Observed {
            description: describe(&observer),
            observer,
            output: launched.as_mut().and_then(|launched| launched.output.take()),
            keeper: launched.as_ref().map(|launched| launched.keeper.id()),
            launched,
            asked: false,
            halted: Vec::new(),
            unheard: Vec::new(),
            pids: BTreeSet::from([pid]),
            over: false,
        }
    }

    fn tell(&mut self, notice: Notice, say: &mut dyn FnMut(Signal)) {
        match notice {
            Notice::Began(at) => say(Signal::Began(at)),
            Notice::Lane(plan) => {
                self.description.lanes.push(plan.clone());
                say(Signal::LaneAdded(plan));
            }
            Notice::Lock(plan) => {
                self.description.locks.push(plan.clone());
                say(Signal::LockAdded(plan));
            }
            Notice::Born { lane, pid, tid } => {
                self.pids.insert(pid);
                say(Signal::Born { lane, pid, tid });
            }
            Notice::Needs { lane, lock } => {
                if let Some(plan) = self.description.lanes.get_mut(lane.index()) {
                    plan.lock = Some(lock);
                }
                say(Signal::LaneNeeds { lane, lock });
            }
            Notice::Named { lane, name } => say(Signal::LaneNamed { lane, name }),
            Notice::Event(event) => say(Signal::Event(event)),
            Notice::HandOffs { lock, at, more } => say(Signal::HandOffs { lock, at, more }),
            Notice::Sampled(lane) => say(Signal::LaneSampled(lane)),
            Notice::Place { at, lane, place, counts } => say(Signal::Place { at, lane, place, counts }),
            Notice::Upto(at) => say(Signal::Upto(at)),
            Notice::LaneEnded { lane, how } => {
                // By which signal is no matter where it is our own.
                let ours = self.asked && how.starts_with("killed");
                let how = if ours { ENDED_BY_US.to_owned() } else { how };
                say(Signal::LaneEnded { lane, at: None, how });
            }
            Notice::WaitsFor { at, lane, what } => say(Signal::WaitsFor { at, lane, what }),
            Notice::Accounts { lane, accounts, slept, waited_for } => {
                say(Signal::Accounts { lane, accounts });
                say(Signal::Slept { lane, calls: slept });
                say(Signal::WaitedFor { lane, what: waited_for });
            }
            Notice::Halt { process, at, stopped } => say(Signal::Halt { process, at, stopped }),
            Notice::LockGone { lock, at } => say(Signal::LockGone { lock, at }),
            Notice::LockKnown { lock, at, known } => say(Signal::LockKnown { lock, at, known }),
            Notice::Queued { lane, at, queued, on_cpu } => say(Signal::Queued { lane, at, queued, on_cpu }),
            Notice::Status(status) => {
                self.description.observing = Some((*status).clone());
                say(Signal::Observing(status));
            }
            Notice::Program(mut program) => {
                program.ended_by_gilscope = self.asked;
                self.description.program = Some((*program).clone());
                say(Signal::Program(program));
            }
            Notice::Ended(at) => {
                self.over = true;
                let ended = self.description.program.as_ref().is_some_and(|program| program.ended);
                say(if ended { Signal::Ended(at) } else { Signal::Stopped });
            }
        }
    }
}
