//! How a run ends: what is left is killed and reaped, and what can no longer tell of itself is told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions};

use super::Controller;
use crate::clock::{Clock, Monotonic};
use crate::event::{CoreId, Event, LaneId, Line};
use crate::interp::channel::Received;
use crate::interp::message::{LaneEnd, Report, TaskOutcome};
use crate::interp::spawn::DONE;
use crate::model::Role;
use crate::program::{TO_BE_GONE, reap_group};
use crate::record::ring::Producer;

impl Controller {
    /// How the first process ended, if it did, leaving it to be reaped.
    pub(super) fn has_gone(&mut self) -> Option<LaneEnd> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(self.first), options) {
            Ok(None) | Err(Errno::INTR) => None,
            Ok(Some(status)) => {
                self.stderr.drain();
                Some(match (status.terminating_signal(), status.exit_status()) {
                    (Some(signal), _) => LaneEnd::Killed { signal, stderr: self.stderr.text() },
                    (None, Some(0) | None) => LaneEnd::Done,
                    (None, Some(status)) => LaneEnd::Exited { status, stderr: self.stderr.text() },
                })
            }
            Err(error) => Some(LaneEnd::Failed(format!("the interpreter process was lost sight of: {error}"))),
        }
    }

    /// It closed its channel, so it is about to end.
    pub(super) fn await_going(&mut self) -> LaneEnd {
        let until = Instant::now() + TO_BE_GONE;
        while Instant::now() < until {
            if let Some(how) = self.has_gone() {
                return how;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        LaneEnd::Failed("the interpreter closed its channel but did not end".to_owned())
    }

    /// Kills and reaps all that is left, and tells what can no longer tell of itself.
    pub(super) fn end(&mut self, how: LaneEnd) {
        // Where the program came to its end in order, so does the server. Else it is killed with the rest.
        if how.is_done()
            && let Some(server) = &mut self.server
        {
            let how = server.finish();
            self.server_ended(how);
        }
        self.signal(Signal::KILL);
        self.server = None;
        // Our child, and what became ours by its death.
        reap_group(self.first);
        self.stdout.drain();
        // What it still said before it was stopped counts.
        while let Ok(Received::Message(report, _)) = self.control.receive() {
            self.note(report);
        }
        let lanes = match (&how, &self.failure) {
            (LaneEnd::Stopped, _) => LaneEnd::Stopped,
            (_, Some(why)) => LaneEnd::Failed(why.clone()),
            (LaneEnd::Done, None) => LaneEnd::Failed("the interpreter ended early".to_owned()),
            (how, None) => how.clone(),
        };
        let after = self.rings.started_at().map(|started| Monotonic.now() - started);
        let is_of_its_own = matches!(lanes, LaneEnd::Killed { .. } | LaneEnd::Exited { .. });
        let along = |run: &Controller, lane: LaneId| {
            let first = run.fell_with(lane).filter(|_| is_of_its_own)?;
            Some(LaneEnd::along_with(first, &lanes, after))
        };
        let worker = self.plan.lanes.iter().find(|lane| lane.role == Role::Worker).map(|lane| lane.id);
        let of_tasks = match worker.and_then(|worker| along(self, worker)) {
            Some(along) => format!("worker {along}"),
            None => lanes.of_its_task(),
        };
        for task in std::mem::take(&mut self.tasks_open) {
            self.reports.push(Report::TaskDone { task, outcome: TaskOutcome::Killed(of_tasks.clone()) });
        }
        let open = std::mem::take(&mut self.lanes_open);
        self.record_ends(&open);
        for lane in open {
            let how = along(self, lane).unwrap_or_else(|| lanes.clone());
            self.reports.push(Report::LaneEnded { lane, how });
        }
        self.reports.push(Report::Ended { how: how.clone() });
        self.ended = Some(how);
    }

    /// Whose end is that of a lane in a process of its own: the first process's, which made it or made who did.
    fn fell_with(&self, lane: LaneId) -> Option<&'static str> {
        let lanes = &self.plan.lanes;
        let lane = lanes.get(lane.index()).filter(|lane| lane.process != 0)?;
        let mut makers = std::iter::successors(Some(lane), |lane| lanes.get(lane.parent?.index()));
        let maker = makers.find(|other| other.process != lane.process);
        let made = maker.is_some_and(|maker| maker.process == 0);
        Some(match (lanes.first().map(|first| first.role), made) {
            (Some(Role::Master), true) => "the master that made it",
            (Some(Role::Master), false) => "the master",
            (_, true) => "the main process that made it",
            (_, false) => "the main process",
        })
    }

    /// The lanes that were cut off end now. With every writer dead, their rings may have a new one.
    pub(super) fn record_ends(&self, lanes: &BTreeSet<LaneId>) {
        if !self.record {
            return;
        }
        for lane in lanes {
            let event = Event { at: Monotonic.now(), lane: *lane, core: CoreId::UNKNOWN, line: Line::NONE, kind: DONE };
            Producer::new(self.rings.ring(self.rings.shape().ring_of(lane.0))).push(event.pack());
        }
    }
}
