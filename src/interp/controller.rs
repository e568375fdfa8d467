//! A run as seen from outside: it starts the first process, hears what the
//! run tells, and sees to it that nothing of it remains.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

use super::channel::{Channel, ChannelError, Received};
use super::descriptors::{self, TooMany};
use super::message::{CONTROL_LIMIT, LaneEnd, Load, Order, Report, TaskOutcome};
use super::slow_server::{self, ServerError, SlowServer};
use super::spawn::{Birth, DONE, Group};
use crate::calibration::Costs;
use crate::clock::{Clock, Monotonic};
use crate::event::{CoreId, Event, LaneId, Line, Nanos, TaskId};
use crate::model::Plan;
use crate::program::{KEPT, Tail, this_program};
use crate::record::ring::Producer;
use crate::record::{Rings, RingsError, Shape};
use crate::vm::Rules;
use crate::workload::{self, ArgValue, Wanted};

/// How much of the first process's standard error is kept.
const STDERR_KEPT: usize = 64 << 10;

/// How long a process gets between closing its channel and being gone. It needs microseconds; a machine on its knees
/// may take longer.
const TO_BE_GONE: Duration = Duration::from_secs(2);

/// What to run.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// Which lanes and locks there are, and who does the tasks.
    pub plan: Plan,
    /// The file's text.
    pub source: String,
    /// What errors call the file.
    pub file: String,
    /// What each call of `work` gets.
    pub args: Vec<(String, ArgValue)>,
    /// How many calls.
    pub tasks: u32,
    /// Where the evaluation loop looks at the eval breaker.
    pub rules: Rules,
    /// The switch interval to begin with.
    pub interval: Nanos,
    /// What births are to cost; all nothing for a bare miniature.
    pub costs: Costs,
    /// Whether events are recorded. Off only to measure what recording costs.
    pub record: bool,
}

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no memory to record into.
    #[error(transparent)]
    Rings(#[from] RingsError),
    /// There is no server for the workload's requests.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The connections it wants cannot be had.
    #[error(transparent)]
    Connections(#[from] TooMany),
    /// The system refused a process or a channel to it.
    #[error("no interpreter process could be started from {}: {source}", .program.display())]
    Spawn {
        /// What was to be executed.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was started but could not be told what to do.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The module could not be loaded.
    #[error("{0}")]
    Load(String),
    /// Loading it does not end.
    #[error("the file was not loaded after {0}: does something at its top level, outside of any function, not end?")]
    Slow(Nanos),
}

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

    /// How the first process ended, if it did, leaving it to be reaped.
    fn has_gone(&mut self) -> Option<LaneEnd> {
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
    fn await_going(&mut self) -> LaneEnd {
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
    fn end(&mut self, how: LaneEnd) {
        // Where the program came to its end in order, so does the server. Else it is killed with the rest.
        if how.is_done()
            && let Some(server) = &mut self.server
        {
            let how = server.finish();
            self.server_ended(how);
        }
        self.signal(Signal::KILL);
        self.server = None;
        self.reap();
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
        for task in std::mem::take(&mut self.tasks_open) {
            self.reports.push(Report::TaskDone { task, outcome: TaskOutcome::Killed(lanes.of_its_task()) });
        }
        let open = std::mem::take(&mut self.lanes_open);
        self.record_ends(&open);
        self.reports.extend(open.into_iter().map(|lane| Report::LaneEnded { lane, how: lanes.clone() }));
        self.reports.push(Report::Ended { how: how.clone() });
        self.ended = Some(how);
    }

    /// Everything in the group, all of it being dead or about to be: our child, and what became ours by its death.
    fn reap(&mut self) {
        let until = Instant::now() + TO_BE_GONE;
        loop {
            match rustix::process::waitpgid(self.first, WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_micros(200)),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// The lanes that were cut off end now. With every writer dead, their rings may have a new one.
    fn record_ends(&self, lanes: &BTreeSet<LaneId>) {
        if !self.record {
            return;
        }
        for lane in lanes {
            let event = Event { at: Monotonic.now(), lane: *lane, core: CoreId::UNKNOWN, line: Line::NONE, kind: DONE };
            Producer::new(self.rings.ring(self.rings.shape().ring_of(lane.0))).push(event.pack());
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
