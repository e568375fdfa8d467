//! How the pool's workers come to be: by executing this program anew, by copying this process, or by the forkserver.

use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};

use super::{Pool, Stage, Worker, refused};
use crate::event::LaneId;
use crate::interp::channel::Channel;
use crate::interp::first::First;
use crate::interp::fork::fork;
use crate::interp::message::{LaneEnd, Report, Request, WORKER_LIMIT};
use crate::interp::offspring::Offspring;
use crate::interp::spawn::{Birth, DONE, Group, birth_ordered};
use crate::interp::{hybrid, pickles, worker};
use crate::model::{self, LanePlan, Role, Start};
use crate::program::this_program;

impl Pool<'_, '_> {
    /// Starts all workers, none waiting for another to be ready.
    pub(super) fn start(&mut self) {
        let (plan, costs) = (&self.first.load.plan, &self.first.load.costs);
        self.owed.pay(costs.pool.init_ns + costs.pool.import_ns);
        let start = match plan.pool {
            model::Pool::Processes { start, .. } => start,
            // Gunicorn's master forks.
            _ => Start::Fork,
        };
        if let Some(lane) = plan.tracker() {
            match self.start_tracker(lane) {
                Ok(tracker) => self.tracker = Some(tracker),
                Err(why) => self.never_born(&[lane.id], &why),
            }
        }
        if let Some(lane) = plan.forkserver() {
            match self.start_server(lane) {
                Ok(server) => self.server = Some(server),
                Err(why) => self.never_born(&[lane.id], &why),
            }
        }
        let mut processes: Vec<u32> = plan.workers().map(|lane| lane.process).collect();
        processes.dedup();
        for process in processes {
            let lanes: Vec<&LanePlan> = plan.lanes_of(process).collect();
            match self.start_one(start, &lanes) {
                Ok(worker) => self.workers.push(worker),
                Err(why) => self.never_born(&lanes.iter().map(|lane| lane.id).collect::<Vec<_>>(), &why),
            }
        }
        self.owed.pay(costs.pool.prepare_ns);
    }

    fn never_born(&mut self, lanes: &[LaneId], why: &str) {
        for lane in lanes {
            self.main.record_for(*lane, DONE);
            self.first.lane_ended(*lane, LaneEnd::Failed(why.to_owned()));
        }
    }

    fn start_one(&mut self, start: Start, lanes: &[&LanePlan]) -> Result<Worker, String> {
        let main_thread = lanes[0];
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(refused)?;
        let (mut process, mut stderr) = (None, None);
        match start {
            Start::Spawn => process = Some(self.spawn("worker", main_thread, theirs, &mut channel)?),
            Start::Fork => process = Some(self.fork(lanes, theirs)?),
            Start::Forkserver => {
                let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(refused)?;
                let server = self.server.as_mut().ok_or("there is no forkserver to make it")?;
                let lock = main_thread.lock.ok_or("a process without a lock is not planned for")?;
                self.owed.pay(self.first.load.costs.forkserver.order_ns);
                server.wanted.push((main_thread.id, lock, [theirs, writer]));
                stderr = Some(reader);
            }
        }
        if let Some(process) = &process {
            let pid = process.number();
            lanes.iter().for_each(|lane| self.first.reporter.tell(&Report::WorkerBorn { lane: lane.id, pid }));
        }
        if start == Start::Forkserver {
            self.send_preparation(&mut channel)?;
        }
        let threads = lanes.iter().filter(|lane| lane.role == Role::Worker).count();
        let (lanes, stage) = (lanes.iter().map(|lane| lane.id).collect(), Stage::Starting);
        Ok(Worker { lanes, process, stderr, channel, stage, doing: Vec::new(), room: threads, failure: None })
    }

    /// Executes this program anew, and tells the new process what it is to load and to be.
    pub(super) fn spawn(
        &mut self,
        role: &str,
        lane: &LanePlan,
        theirs: OwnedFd,
        channel: &mut Channel,
    ) -> Result<Offspring, String> {
        let child = self.boot(role, lane, theirs, channel, &self.first.source)?;
        self.send_preparation(channel)?;
        Ok(child)
    }

    /// Executes this program anew, and tells the new process what it is to load.
    pub(super) fn boot(
        &mut self,
        role: &str,
        lane: &LanePlan,
        theirs: OwnedFd,
        channel: &mut Channel,
        source: &[u8],
    ) -> Result<Offspring, String> {
        let First { load, rings, .. } = self.first;
        let (program, record) = (this_program(), load.record);
        let birth =
            Birth { program: &program, role, lane: lane.id, channel: theirs, rings, record, group: Group::Makers };
        let price = match role {
            "server" => load.costs.server,
            "tracker" => load.costs.tracker,
            _ => load.costs.spawn,
        };
        let child = birth.order(|| self.owed.pay(price.order_ns)).map_err(refused)?;
        let child = Offspring::from(child);
        let lock = lane.lock.ok_or("a process without a lock is not planned for")?;
        let boot =
            Request::Boot { file: load.file.clone(), rules: load.rules, lock, costs: Box::new(load.costs), record };
        channel.send(&boot, source).map_err(|error| error.to_string())?;
        Ok(child)
    }

    fn send_preparation(&mut self, channel: &mut Channel) -> Result<(), String> {
        let name = &self.first.load.name;
        let preparation = self.pickling(|| pickles::preparation("work", name))?;
        channel.send(&Request::Prepare, &preparation).map_err(|error| error.to_string())
    }

    /// Copies this process, with the lock held, as `os.fork` does.
    fn fork(&mut self, lanes: &[&LanePlan], theirs: OwnedFd) -> Result<Offspring, String> {
        let First { load, rings, interpreter, .. } = self.first;
        let lane = lanes[0].id;
        let lock = lanes[0].lock.ok_or("a process without a lock is not planned for")?;
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(refused)?;
        if load.record {
            birth_ordered(&rings.ring(lane.0), lane);
        }
        self.owed.pay(load.costs.fork.order_ns);
        let hybrid = matches!(load.plan.pool, model::Pool::Hybrid { .. });
        let pid = fork(theirs, rings, writer.as_fd(), |socket| match hybrid {
            true => hybrid::live(interpreter, load.record, lanes, lock, socket),
            false => worker::live_copied(interpreter, lane, lock, socket, false),
        });
        Ok(Offspring::new(pid.map_err(refused)?, reader))
    }
}
