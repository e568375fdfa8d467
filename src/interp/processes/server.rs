//! The forkserver as the first process knows it: it is asked for workers, and says what became of them.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::Pid;

use super::{Pool, refused};
use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, LaneId, LockId, State};
use crate::interp::channel::{Channel, ChannelError, Received};
use crate::interp::message::{LaneEnd, Reply, Report, Request, WORKER_LIMIT};
use crate::interp::offspring::Offspring;
use crate::interp::spawn::DONE;
use crate::model::LanePlan;
use crate::program::Exit;

/// The forkserver as the first process knows it.
pub(super) struct Server {
    pub(super) lane: LaneId,
    pub(super) process: Offspring,
    pub(super) channel: Channel,
    /// Workers to be asked for as soon as it is ready: the lane, and what the worker is to have.
    pub(super) wanted: Vec<(LaneId, LockId, [OwnedFd; 2])>,
    /// How its workers ended.
    pub(super) exits: BTreeMap<LaneId, Exit>,
    pub(super) failure: Option<String>,
    /// How its workers ended with it, once it is gone.
    pub(super) along: Option<LaneEnd>,
}

impl Pool<'_, '_> {
    pub(super) fn start_server(&mut self, lane: &LanePlan) -> Result<Server, String> {
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(refused)?;
        let process = self.spawn("server", lane, theirs, &mut channel)?;
        self.first.reporter.tell(&Report::WorkerBorn { lane: lane.id, pid: process.number() });
        let (wanted, exits) = (Vec::new(), BTreeMap::new());
        Ok(Server { lane: lane.id, process, channel, wanted, exits, failure: None, along: None })
    }

    /// Hears one word of the forkserver's.
    pub(super) fn hear_server(&mut self) {
        let Some(server) = &mut self.server else { return };
        match server.channel.receive() {
            Ok(Received::Message(reply, _)) => self.server_said(reply),
            Ok(Received::Nothing) => {}
            Ok(Received::Closed) => self.server_gone(),
            Err(error) => {
                server.failure = Some(error.to_string());
                server.process.kill();
                self.server_gone();
            }
        }
    }

    fn server_said(&mut self, reply: Reply) {
        let Some(server) = &mut self.server else { return };
        match reply {
            Reply::Ready => {
                for (lane, lock, [channel, stderr]) in std::mem::take(&mut server.wanted) {
                    let descriptors = [channel.as_fd(), stderr.as_fd()];
                    if let Err(error) = server.channel.send_with(&Request::Fork { lane, lock }, descriptors) {
                        // The worker's channel closes with this, and so it is missed.
                        server.failure = Some(error.to_string());
                    }
                }
            }
            Reply::Forked { lane, pid } => {
                let worker = self.workers.iter_mut().find(|worker| worker.lanes[0] == lane);
                let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
                if let (Some(worker), Some(number)) = (worker, number) {
                    worker.process = worker.stderr.take().map(|stderr| Offspring::new(number, stderr));
                }
                self.first.reporter.tell(&Report::WorkerBorn { lane, pid });
            }
            Reply::NotForked { lane, why } => {
                if let Some(worker) = self.workers.iter_mut().find(|worker| worker.lanes[0] == lane) {
                    worker.failure = Some(why);
                }
                server.exits.insert(lane, Exit::Status(0));
            }
            Reply::Gone { lane, exit } => drop(server.exits.insert(lane, exit)),
            Reply::Failed(why) => server.failure = Some(why),
            Reply::Returned(_) | Reply::Raised { .. } => {}
        }
    }

    /// The forkserver has closed its channel: it is gone, or going this instant. Its workers go with it.
    fn server_gone(&mut self) {
        let Some(server) = &mut self.server else { return };
        // Whoever was still to be made is not.
        server.wanted.clear();
        let how = server.process.wait();
        let how = server.failure.take().map_or(how, LaneEnd::Failed);
        let lane = server.lane;
        let after = self.first.rings.started_at().map(|started| Monotonic.now() - started);
        server.along = Some(LaneEnd::along_with("the forkserver that made it", &how, after));
        if !how.is_done() {
            self.main.record_for(lane, DONE);
        }
        self.first.lane_ended(lane, how);
    }

    /// How a worker went, as its forkserver says, waiting for its word; or what to say if that is gone as well.
    /// `None`: it is our own child.
    pub(super) fn exit_by_server(&mut self, number: usize) -> Option<Result<Exit, String>> {
        let lane = self.workers[number].lanes[0];
        loop {
            let server = self.server.as_mut()?;
            if let Some(exit) = server.exits.get(&lane) {
                return Some(Ok(*exit));
            }
            if let Some(along) = &server.along {
                return Some(Err(along.to_string()));
            }
            let heard = self.main.without_lock(State::Io, Detail::Pipe, || server.channel.receive_waiting());
            match heard {
                Ok(Some((reply, _))) => self.server_said(reply),
                Ok(None) => self.server_gone(),
                Err(error) => self.server_failed(&error),
            }
        }
    }

    fn server_failed(&mut self, error: &ChannelError) {
        if let Some(server) = &mut self.server {
            server.failure = Some(error.to_string());
            server.process.kill();
        }
        self.server_gone();
    }
}
