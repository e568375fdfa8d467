//! The miniature as a source: interpreter processes, their rings, and the kernel's word on who had a core.

use std::collections::HashSet;

use crate::calibration::Costs;
use crate::clock::{Clock, Monotonic};
use crate::event::{LaneId, Line, Nanos};
use crate::interp::{Controller, LaneEnd, Report, RunSpec, StartError, TaskOutcome as Told};
use crate::model::Plan;
use crate::record::{Collector, Ended, SwitchSource};
use crate::vm::{self, Program, Rules};
use crate::workload::{ArgValue, Workload};

use super::switches::Switches;
use super::{CoreEvidence, Description, Signal, Source, TaskOutcome};

/// What to emulate.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// Its lanes and locks.
    pub plan: Plan,
    /// The arguments of `work`, all of them.
    pub args: Vec<(String, ArgValue)>,
    /// How many times it is called.
    pub tasks: u32,
    /// The switch interval to begin with.
    pub switch_interval: Nanos,
    /// Where the loop may switch.
    pub rules: Rules,
    /// What births are to cost.
    pub costs: Costs,
    /// Whether events are recorded.
    pub record: bool,
}

/// A run of the miniature.
pub struct Emulated {
    run: Controller,
    collector: Collector,
    program: Option<Program>,
    description: Description,
    finished: Option<Nanos>,
    failed: Option<String>,
    over: bool,
    /// How far the run's time has been told.
    upto: Nanos,
    born: HashSet<LaneId>,
    dropped: Vec<u64>,
}

/// Boots the first interpreter and has it load the module; [`Source::go`] lets it begin as soon as that is done.
///
/// To be called on a thread that lives as long as the run: the kernel ends the run with it.
pub fn start(order: Order) -> Result<Emulated, StartError> {
    let Order { workload, mut plan, args, tasks, switch_interval, rules, costs, record } = order;
    if workload.wants_server() {
        plan.add_slow_server();
    }
    let (lanes, locks) = (plan.lanes.clone(), plan.locks.clone());
    let file = workload.file_name();
    let source = workload.source.clone();
    let program = vm::compile(&source, &file).ok();
    let interval = switch_interval;
    let run = Controller::start(RunSpec { plan, source, file, args, tasks, rules, interval, costs, record })?;
    // Opened while it has one thread; whatever it makes from now on is covered from birth.
    let (switches, reason) = match Switches::watch(run.pid()) {
        Ok(switches) => (Some(Box::new(switches) as Box<dyn SwitchSource + Send>), None),
        Err(why) => (None, Some(why.to_string())),
    };
    let core_evidence = if switches.is_some() { CoreEvidence::SwitchRecords } else { CoreEvidence::Heartbeat };
    let collector = Collector::new(run.region(), switches);
    Ok(Emulated {
        dropped: vec![0; lanes.len()],
        description: Description {
            engine: "emulated",
            lanes,
            locks,
            core_evidence,
            core_evidence_reason: reason,
            program: None,
            observing: None,
        },
        run,
        collector,
        program,
        finished: None,
        failed: None,
        over: false,
        upto: Nanos::ZERO,
        born: HashSet::new(),
    })
}

impl Source for Emulated {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn go(&mut self) {
        if let Err(why) = self.run.go() {
            self.failed = Some(why.to_string());
        }
    }

    fn poll(&mut self, say: &mut dyn FnMut(Signal)) {
        if self.over {
            return;
        }
        let reports = self.run.poll();
        let ended = reports.iter().any(|report| matches!(report, Report::Ended { .. }));
        // The start of the clock comes before what happened after it, the ends of lanes after.
        for report in &reports {
            if let Report::Started { at } = report {
                say(Signal::Began(*at));
            }
        }
        if ended {
            self.collector.finish(|event| say(Signal::Event(event)));
        } else {
            self.collector.poll(|event| say(Signal::Event(event)));
        }
        say(Signal::Upto(self.known_up_to(ended)));
        self.tell_lanes(say);
        for report in reports {
            self.tell(report, say);
        }
    }

    fn set_switch_interval(&mut self, interval: Nanos) {
        self.run.region().set_switch_interval(interval);
    }

    fn pids(&self) -> Vec<u32> {
        // The slow server is no part of the program: its memory is not the model's price.
        let server = self.run.plan().slow_server().map(|lane| lane.process);
        let pids = self.run.pids().iter().filter(|(process, _)| server != Some(**process));
        pids.map(|(_, pid)| *pid).collect()
    }

    fn lines(&self) -> Vec<(LaneId, Line)> {
        let Some(program) = &self.program else { return Vec::new() };
        let lanes = self.description.lanes.iter().map(|lane| lane.id);
        lanes.filter_map(|lane| Some((lane, program.line_of(self.collector.place(lane)?)))).collect()
    }

    fn output(&self) -> String {
        self.run.output()
    }

    fn output_left_out(&self) -> u64 {
        self.run.output_left_out()
    }

    fn stop(&mut self) {
        self.run.stop();
    }

    fn suspend(&mut self) {
        self.run.suspend();
    }

    fn resume(&mut self) -> bool {
        self.run.resume();
        false
    }
}

impl Emulated {
    /// How far the run's time is known. Asked after collecting: where no end is announced by then, it lies behind the
    /// horizon, so that the log never goes beyond it.
    fn known_up_to(&mut self, gone: bool) -> Nanos {
        let horizon = self.collector.horizon();
        self.upto = match self.run.region().ended() {
            Ended::At(at) => horizon.min(at),
            // If its processes are gone, it was killed at that very moment, and there is no end to wait for.
            Ended::ThisInstant if !gone => self.upto,
            Ended::ThisInstant | Ended::NotYet => horizon,
        };
        self.upto
    }

    /// Whose thread is known by now, and what was lost since the last time.
    fn tell_lanes(&mut self, say: &mut dyn FnMut(Signal)) {
        // Once ten thousand coroutines are known of, there is nothing more to learn of each: their thread is told of.
        let (all, threads) = (self.description.lanes.len(), self.run.region().shape().rings as usize);
        for index in 0..if self.born.len() == all { threads } else { all } {
            let lane = LaneId(index as u32);
            let Some(tally) = self.collector.lane(lane) else { continue };
            if let Some((pid, tid)) = tally.writer
                && self.born.insert(lane)
            {
                say(Signal::Born { lane, pid, tid });
            }
            let more = tally.dropped - self.dropped[index];
            if more > 0 {
                self.dropped[index] = tally.dropped;
                say(Signal::Dropped { lane, events: more });
            }
        }
    }

    fn tell(&mut self, report: Report, say: &mut dyn FnMut(Signal)) {
        match report {
            Report::Ready | Report::Started { .. } | Report::WorkerBorn { .. } => {}
            Report::TaskDone { task, outcome } => say(Signal::Task { task, outcome: outcome.into() }),
            Report::Memory(processes) => say(Signal::Memory(processes)),
            Report::Outcome(Told::Repr(repr)) => say(Signal::Outcome(repr)),
            Report::Outcome(Told::Killed(text)) => say(Signal::OutcomeRaised { text, line: None }),
            Report::Outcome(Told::Error { text, line }) => say(Signal::OutcomeRaised { text, line: known(line) }),
            Report::LaneEnded { lane, how } => {
                let at = (how != LaneEnd::Done).then(|| Monotonic.now());
                say(Signal::LaneEnded { lane, at, how: how.to_string() });
            }
            Report::Finished { at } => self.finished = Some(at),
            Report::Failed(why) => self.failed = Some(why),
            Report::Ended { how } => self.tell_end(&how, say),
        }
    }

    fn tell_end(&mut self, how: &LaneEnd, say: &mut dyn FnMut(Signal)) {
        for lane in &self.description.lanes {
            if let Some(tally) = self.collector.lane(lane.id).filter(|tally| tally.writer.is_some()) {
                say(Signal::Accounts { lane: lane.id, accounts: tally.accounts });
            }
        }
        self.over = true;
        match (self.failed.take(), self.finished) {
            (Some(why), _) => say(Signal::Failed(why)),
            (None, Some(at)) => say(Signal::Ended(at)),
            (None, None) if *how == LaneEnd::Stopped => say(Signal::Stopped),
            (None, None) => say(Signal::Failed(format!("the main interpreter ended early: {how}"))),
        }
    }
}

fn known(line: Line) -> Option<u32> {
    (line != Line::NONE).then_some(line.0)
}

impl From<Told> for TaskOutcome {
    fn from(told: Told) -> TaskOutcome {
        match told {
            Told::Repr(repr) => TaskOutcome::Value(repr),
            Told::Error { text, line } => TaskOutcome::Error { text, line: known(line) },
            Told::Killed(text) => TaskOutcome::Error { text, line: None },
        }
    }
}
