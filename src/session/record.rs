//! Everything that a run's source has said so far.

use crate::engine::sampler::{Busy, Peaks};
use crate::engine::{Accounts, Description, ENDED_BY_US, ENDED_SOMEHOW, Signal, Slept, TaskOutcome};
use crate::event::{LaneId, Nanos, State};
use crate::model::{LanePlan, Role};
use crate::perf;
use crate::trace::{Evidence, LaneInfo, LockInfo, Trace};

use super::{Experiment, Look, Places, Wants};

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first interpreter is there; the clock has not started.
    Booting,
    /// The clock runs.
    Running,
    /// The last result is in.
    Ended,
    /// It was stopped before its end.
    Stopped,
    /// It could not go on; why, in a sentence.
    Failed(String),
}

/// Everything known of a run.
pub struct Record {
    /// What was to be run; none where a real program is observed.
    pub experiment: Option<Experiment>,
    /// What the source is.
    pub description: Description,
    /// The log.
    pub trace: Trace,
    /// How each task ended, in task order; none for those that have not.
    pub results: Vec<Option<TaskOutcome>>,
    /// How each lane ended, in words; none for those that have not.
    pub ends: Vec<Option<String>>,
    /// The kernel's sums of each lane.
    pub accounts: Vec<Option<Accounts>>,
    /// Where the holders of locks were seen, if the source looks.
    pub places: Places,
    /// The processor time of all processes, where the source knows the sum only.
    pub cpu_time: Option<Nanos>,
    /// In which system calls each lane slept, as far as it was seen.
    pub slept: Vec<Vec<(String, Slept)>>,
    /// What those were seen to wait for that slept in locks of the program's own, if the source looks.
    pub wants: Wants,
    /// What each lane waited for in such sleeps, as far as it was seen.
    pub waited_for: Vec<Vec<(String, Slept)>>,
    /// What `outcome()` returned.
    pub outcome: Option<String>,
    /// Whether it raised instead; what it raised is in `outcome`, after a ×, and where.
    pub outcome_raised: bool,
    /// What was printed: the last 1 MiB.
    pub output: String,
    /// How many lines were printed before these.
    pub output_left_out: u64,
    /// The most memory it held.
    pub memory: Peaks,
    /// How busy the machine was while it ran, if it was sampled.
    pub machine: Busy,
    /// How far it has come.
    pub phase: Phase,
}

impl Record {
    /// The switch interval: as it was ordered; where a real program is observed, its first lock's, or CPython's default if
    /// that could not be read.
    pub fn switch_interval(&self) -> Nanos {
        let ordered = self.experiment.as_ref().map(|experiment| experiment.switch_interval);
        let locks = self.description.observing.iter().flat_map(|status| &status.locks);
        let read = || locks.filter_map(|lock| lock.switch_interval_ns).next();
        ordered.or_else(read).unwrap_or(Experiment::DEFAULT_SWITCH_INTERVAL)
    }

    /// How long it lasted for each task. For how long its only worker lacked a core is no part of it: that is what others did.
    pub fn elapsed_each(&self) -> Nanos {
        let is_one = self.description.lanes.iter().filter(|lane| lane.role == Role::Worker).count() == 1;
        let lacked = if is_one { self.trace.ledger().0[State::WaitingCore.index()] } else { Nanos::ZERO };
        Nanos((self.trace.elapsed() - lacked).0 / self.results.len().max(1) as u64)
    }

    /// How many tasks have ended.
    pub fn tasks_ended(&self) -> usize {
        self.results.iter().flatten().count()
    }

    /// Whether a task failed or a worker died.
    pub fn has_failures(&self) -> bool {
        self.results.iter().any(|result| !matches!(result, Some(TaskOutcome::Value(_))))
            || self.ends.iter().flatten().any(|end| is_fault(end))
            || self.outcome_raised
    }

    /// Whether it is over, one way or another.
    pub fn is_over(&self) -> bool {
        !matches!(self.phase, Phase::Booting | Phase::Running)
    }

    /// The first thing that went wrong, in a sentence: why it could not go on, a worker that died, a task that failed.
    pub fn failure(&self) -> Option<String> {
        if let Phase::Failed(why) = &self.phase {
            return Some(why.clone());
        }
        let lanes = self.description.lanes.iter().zip(&self.ends);
        let dead = lanes.filter_map(|(lane, end)| Some((lane, end.as_ref()?))).find(|(_, end)| is_fault(end));
        if let Some((lane, end)) = dead {
            return Some(format!("{}: {end}", lane.name));
        }
        let task = self.results.iter().enumerate().find_map(|(task, result)| match result {
            Some(TaskOutcome::Error { text, line: Some(line) }) => Some(format!("task {task}: {text} (line {line})")),
            Some(TaskOutcome::Error { text, line: None }) => Some(format!("task {task}: {text}")),
            Some(TaskOutcome::Value(_)) => None,
            None => Some("not every task has a result".to_owned()),
        });
        let raised = || self.outcome.as_ref().filter(|_| self.outcome_raised)?.strip_prefix("× ");
        task.or_else(|| raised().map(|raised| format!("every task is done, but outcome() raised {raised}")))
    }

    /// Why it is not whole, in a sentence.
    pub fn shortfall(&self) -> String {
        self.failure().unwrap_or_else(|| "it did not come to its end".to_owned())
    }

    /// What the workload's file is called.
    fn file(&self) -> Option<String> {
        let name = &self.experiment.as_ref()?.workload;
        Some(if name.ends_with(".py") { name.clone() } else { format!("{name}.py") })
    }

    /// The workers' time on cores divided by the run's length: by the kernel's sums where every worker has them, else
    /// by the time its lanes were in states that need a core. Where only the sum over all processes is known, by that, as of
    /// a real program that is not driven: what is drawn of it may be what it would do if it had a core. Of one that is driven its
    /// threads without lanes count, too.
    pub fn cores_busy(&self) -> f64 {
        let elapsed = self.trace.elapsed();
        if elapsed == Nanos::ZERO {
            return 0.0;
        }
        // Sums that others book may be of more than this time.
        let most = Nanos(elapsed.0.saturating_mul(perf::online_cores().len() as u64));
        if let Some(all) = self.cpu_of_all() {
            return all.min(most).0 as f64 / elapsed.0 as f64;
        }
        let workers = self.description.lanes.iter().filter(|lane| lane.role == Role::Worker);
        let by_kernel: Option<Vec<Nanos>> =
            workers.map(|lane| self.accounts.get(lane.id.index())?.as_ref()?.on_cpu).collect();
        let on_core: Nanos = match by_kernel {
            _ if self.cpu_time.is_some() => self.cpu_time.unwrap_or_default().min(most),
            Some(sums) => sums.into_iter().sum(),
            None => {
                let ledger = self.trace.ledger();
                State::ALL.into_iter().filter(|state| state.on_core()).map(|state| ledger.0[state.index()]).sum()
            }
        };
        let native = if self.cpu_time.is_some() { Nanos::ZERO } else { self.native_cpu().min(most) };
        (on_core + native).0 as f64 / elapsed.0 as f64
    }

    /// How long all threads of a real program that is not driven were on cores, once that is known.
    pub fn cpu_of_all(&self) -> Option<Nanos> {
        let observing = self.description.program.as_ref().and(self.description.observing.as_ref());
        let known = observing.filter(|_| self.experiment.is_none()).map(|status| status.cpu_ns);
        known.filter(|sum| *sum > Nanos::ZERO)
    }

    /// How long threads of a real program that have no lane were on cores.
    pub fn native_cpu(&self) -> Nanos {
        let observing = self.description.program.as_ref().and(self.description.observing.as_ref());
        observing.map_or(Nanos::ZERO, |status| status.native_cpu_ns)
    }

    /// The lanes whose threads do the tasks: the workers; of coroutines that of their loop, which runs them all.
    pub fn worker_threads(&self) -> Vec<LaneId> {
        let of_role = |role| self.description.lanes.iter().filter(move |lane| lane.role == role).map(|lane| lane.id);
        let loops: Vec<LaneId> = of_role(Role::Loop).collect();
        if loops.is_empty() { of_role(Role::Worker).collect() } else { loops }
    }

    /// How often those threads left their cores, by the kernel's count: because they waited, and although they could have
    /// gone on. None where it is not known of one of them.
    pub fn context_switches(&self) -> (Option<u64>, Option<u64>) {
        let sum = |count: fn(&Accounts) -> Option<u64>| -> Option<u64> {
            self.worker_threads().into_iter().map(|lane| self.accounts[lane.index()].as_ref().and_then(count)).sum()
        };
        (sum(|accounts| accounts.voluntary), sum(|accounts| accounts.involuntary))
    }

    /// How many events were lost.
    pub fn dropped(&self) -> u64 {
        (0..self.description.lanes.len()).map(|lane| self.trace.dropped(LaneId(lane as u32))).sum()
    }
}

/// Whether an end is known to be none that was meant.
pub fn is_fault(end: &str) -> bool {
    !matches!(end, "done" | "still running" | ENDED_BY_US | ENDED_SOMEHOW)
}

impl Record {
    fn add_lane(&mut self, plan: LanePlan) {
        let mut info = LaneInfo::new(plan.name.clone(), plan.role, plan.lock);
        info.core_evidence = self.description.core_evidence;
        (info.process, info.parent) = (plan.process, plan.parent);
        self.trace.add_lane(info);
        self.description.lanes.push(plan);
        self.ends.push(None);
        self.accounts.push(None);
        self.slept.push(Vec::new());
        self.waited_for.push(Vec::new());
    }

    pub(super) fn take_in(&mut self, signal: Signal) {
        match signal {
            Signal::Began(at) => {
                self.trace.begin(at);
                self.phase = Phase::Running;
            }
            Signal::Event(event) => self.trace.append(&event),
            Signal::Upto(at) => {
                self.trace.advance(at);
                self.places.settle(&self.trace);
            }
            Signal::Born { lane, pid, tid } => {
                let info = self.trace.lane_mut(lane);
                info.pid = Some(pid);
                info.tid = Some(tid);
            }
            Signal::LaneAdded(plan) => self.add_lane(plan),
            Signal::LockAdded(plan) => {
                self.trace.add_lock(LockInfo::from(&plan));
                self.description.locks.push(plan);
            }
            Signal::LaneNamed { lane, name } => {
                self.trace.lane_mut(lane).name.clone_from(&name);
                if let Some(plan) = self.description.lanes.get_mut(lane.index()) {
                    plan.name = name;
                }
            }
            Signal::LaneNeeds { lane, lock } => {
                let now = self.trace.now();
                let info = self.trace.lane_mut(lane);
                if info.lock.replace(lock).is_none() {
                    info.without_lock_until = Some(now);
                }
                if let Some(plan) = self.description.lanes.get_mut(lane.index()) {
                    plan.lock = Some(lock);
                }
            }
            Signal::LaneSampled(lane) => self.trace.lane_mut(lane).evidence = Evidence::Sampled,
            Signal::HandOffs { lock, at, more } => self.trace.handoffs_unseen(lock, at, more),
            Signal::Slept { lane, calls } => {
                if let Some(known) = self.slept.get_mut(lane.index()) {
                    *known = calls;
                }
            }
            Signal::WaitsFor { at, lane, what } => self.wants.saw(at, lane, what),
            Signal::WaitedFor { lane, what } => {
                if let Some(known) = self.waited_for.get_mut(lane.index()) {
                    *known = what;
                }
            }
            Signal::Halt { process, at, stopped } => self.trace.halt(process, at, stopped),
            Signal::LockGone { lock, at } => self.trace.lock_gone(lock, at),
            Signal::LockKnown { lock, at, known } => self.trace.lock_known(lock, at, known),
            Signal::Queued { lane, at, queued, on_cpu } => self.trace.lane_queued(lane, at, queued, on_cpu),
            Signal::Observing(status) => self.description.observing = Some(*status),
            Signal::Program(program) => self.description.program = Some(*program),
            Signal::Dropped { lane, events } => self.trace.note_dropped(lane, events),
            Signal::Task { task, outcome } => {
                if let Some(result) = self.results.get_mut(task.index()) {
                    *result = Some(outcome);
                }
            }
            Signal::LaneEnded { lane, at, how } => {
                if let Some(at) = at {
                    self.trace.lane_killed(lane, at);
                }
                if !matches!(how.as_str(), "done" | "stopped" | "still running" | ENDED_SOMEHOW) {
                    self.trace.lane_mut(lane).end = Some(how.clone());
                }
                if let Some(end) = self.ends.get_mut(lane.index()) {
                    *end = Some(how);
                }
            }
            Signal::Accounts { lane, accounts } => {
                if let Some(known) = self.accounts.get_mut(lane.index()) {
                    *known = Some(accounts);
                }
            }
            Signal::Place { at, lane, place, counts } => self.places.looked(Look { at, lane, place, counts }),
            Signal::CpuTime(time) => self.cpu_time = Some(time),
            Signal::Memory(processes) => self.memory.add(&processes),
            Signal::Outcome(repr) => self.outcome = Some(repr),
            Signal::OutcomeRaised { text, line } => {
                let place = self.file().zip(line).map(|(file, line)| format!(" ({file}, line {line})"));
                self.outcome = Some(format!("× {text}{}", place.unwrap_or_default()));
                self.outcome_raised = true;
            }
            Signal::Ended(at) => {
                self.trace.end(at);
                self.phase = Phase::Ended;
            }
            Signal::Stopped => {
                self.trace.end(self.trace.now());
                self.phase = Phase::Stopped;
            }
            Signal::Failed(why) => {
                self.trace.end(self.trace.now());
                self.phase = Phase::Failed(why);
            }
        }
    }
}
