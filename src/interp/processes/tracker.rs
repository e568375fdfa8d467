//! The resource tracker as the first process knows it.

use super::{Pool, refused};
use crate::event::LaneId;
use crate::interp::channel::{Channel, Received};
use crate::interp::message::{LaneEnd, Reply, Report, Request, WORKER_LIMIT};
use crate::interp::offspring::Offspring;
use crate::interp::spawn::DONE;
use crate::model::LanePlan;

/// The tracker as the first process knows it.
pub(super) struct Tracker {
    pub(super) lane: LaneId,
    pub(super) process: Offspring,
    pub(super) channel: Channel,
    failure: Option<String>,
    /// Whether it is there, as far as is known.
    pub(super) alive: bool,
}

impl Tracker {
    /// Sends it home. If it cannot be told, it is dying, which is just as well.
    pub(super) fn dismiss(&mut self) {
        let _ = self.channel.send(&Request::End, b"");
    }

    /// Hears one word of it. How it ended, if it has.
    pub(super) fn hear(&mut self) -> Option<LaneEnd> {
        match self.channel.receive() {
            Ok(Received::Message(Reply::Failed(why), _)) => self.failure = Some(why),
            Ok(Received::Message(..) | Received::Nothing) => {}
            Ok(Received::Closed) => self.alive = false,
            Err(error) => {
                self.failure = Some(error.to_string());
                self.process.kill();
                self.alive = false;
            }
        }
        (!self.alive).then(|| {
            let how = self.process.wait();
            self.failure.take().map_or(how, LaneEnd::Failed)
        })
    }
}

impl Pool<'_, '_> {
    pub(super) fn start_tracker(&mut self, lane: &LanePlan) -> Result<Tracker, String> {
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(refused)?;
        let process = self.boot("tracker", lane, theirs, &mut channel, b"")?;
        self.first.reporter.tell(&Report::WorkerBorn { lane: lane.id, pid: process.number() });
        Ok(Tracker { lane: lane.id, process, channel, failure: None, alive: true })
    }

    /// Hears one word of the tracker's. What is done needs it no more once it is up.
    pub(super) fn hear_tracker(&mut self) {
        let Some(tracker) = &mut self.tracker else { return };
        let lane = tracker.lane;
        if let Some(how) = tracker.hear() {
            if !how.is_done() {
                self.main.record_for(lane, DONE);
            }
            self.first.lane_ended(lane, how);
        }
    }
}
