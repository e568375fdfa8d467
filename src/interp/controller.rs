//! A run as seen from outside: it starts the first process, hears what the
//! run tells, and sees to it that nothing of it remains.

mod end;
mod spec;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;

use rustix::process::{Pid, Signal};

use super::channel::{Channel, ChannelError, Received};
use super::descriptors;
use super::message::{CONTROL_LIMIT, LaneEnd, Load, Order, Report};
use super::slow_server::{self, ServerError, SlowServer};
use super::spawn::{Birth, Group};
use crate::clock::{Clock, Monotonic};
use crate::event::{LaneId, Nanos, TaskId};
use crate::model::Plan;
use crate::program::{KEPT, Tail, this_program};
use crate::record::{Rings, Shape};
use crate::workload::{self, ArgValue, Wanted};

pub use spec::{RunSpec, StartError};

/// How much of the first process's standard error is kept.
const STDERR_KEPT: usize = 64 << 10;

/// A run, from its start to the end of all its processes.
///
/// Dropping it kills what is left and reaps it. The kernel does the same when the *thread* that called
/// [`Controller::start`] ends: start from a thread that lives as long as the run.
#[derive(Debug)]
pub struct Controller {
    rings: Rings,
    control: Channel,
    /// The first process; leader of the run's process group.
    first: Pid,
    stdout: Tail,
    stderr: Tail,
    plan: Plan,
    record: bool,
    pids: BTreeMap<u32, u32>,
    tasks_open: BTreeSet<TaskId>,
    lanes_open: BTreeSet<LaneId>,
    reports: Vec<Report>,
    failure: Option<String>,
    ended: Option<LaneEnd>,
    /// The slow server, while it is not known to be gone.
    server: Option<SlowServer>,
}

impl Controller {
    /// Starts the first process and lets it load the module; [`Report::Ready`] or [`Report::Failed`] says how that
    /// went. The process is there when this returns, so that it can be watched before [`Controller::go`].
    pub fn start(spec: RunSpec) -> Result<Controller, StartError> {
        Controller::start_program(&this_program(), spec)
    }

    /// The same with another executable of this program, for those who are not that program themselves: tests.
    ///
    /// Where the workload wants the slow server it is started, too, and told of by its lane if the plan has one for it.
    pub fn start_program(program: &Path, mut spec: RunSpec) -> Result<Controller, StartError> {
        descriptors::check_processes(&spec.plan)?;
        let wants = workload::wants(&spec.source, &spec.args);
        if let Some(wanted) = &wants.connections {
            descriptors::check(wanted, &spec.plan, spec.tasks)?;
        }
        let listener = wants.server.as_ref().map(|wanted| listen(wanted, &mut spec.args)).transpose()?;
        let refused = |source| StartError::Spawn { program: program.to_owned(), source };
        // Workers whose maker dies become ours, so that they can be reaped. Where this is refused, init does it.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let lanes = u32::try_from(spec.plan.lanes.len()).expect("plans have a ceiling");
        let rings = Rings::create(Shape::for_threads(spec.plan.threads(), lanes), spec.interval)?;
        let (control, theirs) = Channel::pair(CONTROL_LIMIT).map_err(|error| refused(error.into()))?;
        let birth = Birth {
            program,
            role: "first",
            lane: LaneId(0),
            channel: theirs,
            rings: &rings,
            record: spec.record,
            group: Group::Own,
        };
        let mut child = birth.order(|| ()).map_err(refused)?;
        let first = Pid::from_child(&child);
        let [stdout, stderr] = [
            (child.stdout.take().expect("it leads, so its output is piped").into(), KEPT),
            (child.stderr.take().expect("standard error is always piped").into(), STDERR_KEPT),
        ]
        .map(|(pipe, limit)| Tail::new(pipe, limit));
        let mut run = Controller {
            rings,
            control,
            first,
            stdout,
            stderr,
            record: spec.record,
            pids: BTreeMap::from([(0, child.id())]),
            tasks_open: (0..spec.tasks).map(TaskId).collect(),
            lanes_open: spec.plan.lanes.iter().map(|lane| lane.id).collect(),
            plan: spec.plan.clone(),
            reports: Vec::new(),
            failure: None,
            ended: None,
            server: None,
        };
        if let Some(listener) = listener {
            run.start_server(program, listener)?;
        }
        let load = Load {
            name: module_name(&spec.file),
            file: spec.file,
            rules: spec.rules,
            plan: spec.plan,
            args: spec.args,
            tasks: spec.tasks,
            costs: spec.costs,
            record: spec.record,
        };
        run.control.send(&Order::Load(Box::new(load)), spec.source.as_bytes())?;
        Ok(run)
    }

    /// Waits until the module is loaded. What was reported meanwhile is still reported by [`Controller::poll`], with
    /// [`Report::Ready`] at its end.
    pub fn wait_ready(&mut self, limit: Nanos) -> Result<(), StartError> {
        let until = Monotonic.now() + limit;
        loop {
            self.gather();
            for report in &self.reports {
                match report {
                    Report::Ready => return Ok(()),
                    Report::Failed(why) => return Err(StartError::Load(why.clone())),
                    Report::Ended { how } => {
                        return Err(StartError::Load(format!("the interpreter did not come up: it was {how}")));
                    }
                    _ => {}
                }
            }
            if Monotonic.now() > until {
                return Err(StartError::Slow(limit));
            }
            // Not longer: what the module prints while it is loaded must be taken from the pipe.
            self.wait(Nanos::from_millis(10));
        }
    }

    /// Lets the run begin, as soon as the module is loaded.
    pub fn go(&mut self) -> Result<(), StartError> {
        Ok(self.control.send(&Order::Go, b"")?)
    }

    /// What has been told since the last call. Never waits, but for a process that is just dying.
    /// To be called often: processes that print or report wait for it once pipes and sockets are full.
    pub fn poll(&mut self) -> Vec<Report> {
        self.gather();
        std::mem::take(&mut self.reports)
    }

    /// Waits until there is something to tell, for so long at most.
    pub fn wait(&mut self, limit: Nanos) {
        if self.ended.is_none() && self.reports.is_empty() {
            // A failing socket is told by the next read.
            let _ = self.control.wait(Some(limit));
        }
    }

    /// The process number of the first process.
    pub fn pid(&self) -> u32 {
        self.pids[&0]
    }

    /// Every process that has been born, by its number in the plan, living or not.
    pub fn pids(&self) -> &BTreeMap<u32, u32> {
        &self.pids
    }

    /// The plan it follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The shared memory: what is recorded, and the switch interval, which may be changed at any time.
    pub fn region(&self) -> &Rings {
        &self.rings
    }

    /// The last 1 MiB of what was printed.
    pub fn output(&self) -> String {
        self.stdout.text()
    }

    /// How many lines were printed before these.
    pub fn output_left_out(&self) -> u64 {
        self.stdout.lines_left_out()
    }

    /// How many bytes were printed in all.
    pub fn output_bytes(&self) -> u64 {
        self.stdout.total()
    }

    /// Whether all its processes are gone.
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// Halts every process of the run where it is.
    pub fn suspend(&mut self) {
        self.signal(Signal::STOP);
    }

    /// Lets them go on.
    pub fn resume(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Ends the run now, whatever it is doing. When this returns all its processes are gone.
    pub fn stop(&mut self) {
        if self.ended.is_none() {
            self.end(LaneEnd::Stopped);
        }
    }

    /// To the whole group. The leader is reaped last, so its number is no other's.
    fn signal(&mut self, signal: Signal) {
        if self.ended.is_none() {
            // Only fails if they are all gone.
            let _ = rustix::process::kill_process_group(self.first, signal);
        }
    }

    /// In the run's process group, so that whatever is done to the run is done to it.
    fn start_server(&mut self, program: &Path, listener: TcpListener) -> Result<(), ServerError> {
        let lane = self.plan.slow_server().map(|lane| lane.id);
        let recorded = lane.filter(|_| self.record);
        let server = SlowServer::serve(listener, program, &self.rings, recorded, Group::Of(self.first))?;
        if let Some(lane) = lane {
            self.note(Report::WorkerBorn { lane, pid: server.pid() });
        }
        self.server = Some(server);
        Ok(())
    }

    /// The slow server is gone: how, if it was not to be expected, its lane tells.
    fn server_ended(&mut self, how: LaneEnd) {
        self.server = None;
        let Some(lane) = self.plan.slow_server().map(|lane| lane.id) else { return };
        if !how.is_done() {
            self.record_ends(&BTreeSet::from([lane]));
        }
        self.note(Report::LaneEnded { lane, how });
    }

    fn gather(&mut self) {
        if self.ended.is_some() {
            return;
        }
        if let Some(how) = self.server.as_mut().and_then(|server| server.has_gone().cloned()) {
            self.server_ended(how);
        }
        let _ = self.control.flush();
        // Asked before reading: what it said before its death is then read.
        let gone = self.has_gone();
        self.stdout.drain();
        self.stderr.drain();
        match self.hear() {
            Ok(false) if gone.is_none() => {}
            Ok(_) => {
                let how = gone.unwrap_or_else(|| self.await_going());
                self.end(how);
            }
            Err(error) => {
                self.note(Report::Failed(error.to_string()));
                self.end(LaneEnd::Failed(error.to_string()));
            }
        }
    }

    /// Reads what the first process says. Whether it has closed the channel.
    fn hear(&mut self) -> Result<bool, ChannelError> {
        loop {
            match self.control.receive()? {
                Received::Message(report, _) => self.note(report),
                Received::Nothing => return Ok(false),
                Received::Closed => return Ok(true),
            }
        }
    }

    fn note(&mut self, report: Report) {
        let known = match &report {
            Report::WorkerBorn { lane, pid } => match self.plan.lanes.get(lane.index()) {
                Some(lane) => {
                    self.pids.insert(lane.process, *pid);
                    true
                }
                None => false,
            },
            Report::TaskDone { task, .. } => self.tasks_open.remove(task),
            Report::LaneEnded { lane, .. } => self.lanes_open.remove(lane),
            Report::Failed(why) => {
                self.failure = Some(why.clone());
                true
            }
            Report::Ended { .. } => false,
            _ => true,
        };
        if known {
            self.reports.push(report);
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Opens the slow server's port and puts its number where the workload is to find it.
fn listen(wanted: &Wanted, args: &mut [(String, ArgValue)]) -> Result<TcpListener, StartError> {
    let port = u16::try_from(wanted.number).unwrap_or(0);
    let listener = slow_server::listen(port)?;
    let found = listener.local_addr().map_err(|source| ServerError::Listen { port, source })?;
    workload::tell_port(wanted, args, found.port());
    Ok(listener)
}

/// As `import` would call the file: it is loaded to be used, not run as a script, so what stands under
/// `if __name__ == "__main__":` is not executed.
fn module_name(file: &str) -> String {
    let stem = Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "workload".to_owned())
}
