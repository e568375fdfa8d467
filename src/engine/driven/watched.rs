//! What the observer sees of a driven run, in the words of a source.
//!
//! # The problem
//! The observer knows threads, locks and cores, and not which threads do tasks; the script knows that, and when the
//! clock runs, and nothing else. They speak through different channels, in different haste. Who counts as a worker must
//! be known when a lane is first told of, since the log sums workers as they go.
//!
//! # The choice
//! Each thread that does tasks says so with its number before its first. Until all have, or the run is over, what the
//! observer sees is held back. From then on it is passed on with a delay longer than any line of the script takes to
//! arrive, so that nothing is told that lies behind the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::clock::{Clock, Monotonic};
use crate::engine::{Accounts, AccountsEvidence, Signal, Status};
use crate::event::{CoreId, Detail, Event, EventKind, LaneId, Line, Nanos, State};
use crate::model::{LanePlan, LockKind, Plan, Pool, Role};
use crate::observe::Observer;
use crate::observe::notice::Notice;
use crate::observe::trouble::Trouble;

/// How long what was seen is kept from being told.
const DELAY: Nanos = Nanos::from_millis(100);
/// So much is held back at most while not every worker has spoken: about 200 MB. Whoever speaks later is no worker.
const MOST_HELD: usize = 2 << 20;

/// So many nanoseconds lie inside of a switch at most; what else the kernel has booked has another reason.
const SWITCH: f64 = 50_000.0;

/// The observer of a driven run.
pub(super) struct Watched {
    observer: Observer,
    pool: Pool,
    expected: usize,
    /// Those that do tasks, and from when on.
    workers: BTreeMap<u32, Nanos>,
    /// The processes of those, by their numbers, and as lanes count them.
    worker_pids: BTreeSet<u32>,
    worker_processes: BTreeSet<u32>,
    held: VecDeque<Notice>,
    settled: bool,
    /// A lane whose thread is not known yet: that is the next notice.
    next: Option<LanePlan>,
    lanes: Vec<Lane>,
    processes: BTreeSet<u32>,
    begun: Option<Nanos>,
    ended: Option<Nanos>,
    told_until: Nanos,
    /// What the kernel had booked when it was last read, and how much of it for each switch beyond what records tell.
    booked: Nanos,
    a_switch: f64,
    over: bool,
}

/// What is summed up of a lane, from the run's beginning to its end.
#[derive(Default)]
struct Lane {
    on_core: Option<Nanos>,
    on_cpu: Nanos,
    voluntary: u64,
    involuntary: u64,
    life: Life,
    how: Option<String>,
    /// Until when it is being started up, as the script tells.
    starts_until: Option<Nanos>,
    /// What it is to the observer.
    state: Option<(State, Detail)>,
}

/// What records tell of a lane from when it was first seen on, of which the run is a part.
#[derive(Default)]
struct Life {
    on_core: Option<Nanos>,
    on_cpu: Nanos,
    switches: u64,
}

impl Life {
    fn count(&mut self, at: Nanos, kind: EventKind) {
        match kind {
            EventKind::SwitchIn => self.on_core = Some(at),
            EventKind::SwitchOut { .. } | EventKind::State { to: State::Done, .. } => {
                self.on_cpu = self.on_cpu_until(at);
                self.on_core = None;
                self.switches += 1;
            }
            _ => {}
        }
    }

    fn on_cpu_until(&self, at: Nanos) -> Nanos {
        self.on_cpu + self.on_core.map_or(Nanos::ZERO, |since| at - since)
    }
}

impl Lane {
    /// Tells an event as what it is: until the script says that a process does tasks, it is starting up, whether it
    /// imports modules under its lock or waits for its maker.
    fn tell(&mut self, event: Event, say: &mut dyn FnMut(Signal)) {
        self.has_started(event.lane, event.at, say);
        let now = match event.kind {
            EventKind::State { to, detail } | EventKind::Drop { to, detail, .. } => Some((to, detail)),
            EventKind::Take { to, .. } => Some((to, Detail::None)),
            _ => None,
        };
        self.state = now.or(self.state);
        let (Some((state, detail)), Some(_)) = (now.map(starting), self.starts_until) else {
            return say(Signal::Event(event));
        };
        let told = |kind| Signal::Event(Event { kind, ..event });
        match event.kind {
            EventKind::State { .. } => say(told(EventKind::State { to: state, detail })),
            EventKind::Take { lock, .. } => {
                say(told(EventKind::Take { lock, to: state }));
                say(told(EventKind::State { to: state, detail }));
            }
            EventKind::Drop { lock, requested, .. } => {
                say(told(EventKind::Drop { lock, to: state, detail, requested }));
            }
            kind => say(told(kind)),
        }
    }

    /// It does tasks by then, if the script says so.
    fn has_started(&mut self, lane: LaneId, by: Nanos, say: &mut dyn FnMut(Signal)) {
        if let Some(at) = self.starts_until.take_if(|until| *until <= by)
            && let Some((to, detail)) = self.state
        {
            let kind = EventKind::State { to, detail };
            say(Signal::Event(Event { at, lane, core: CoreId::UNKNOWN, line: Line::NONE, kind }));
        }
    }
}

/// What a lane that is being started up is shown as.
fn starting((state, detail): (State, Detail)) -> (State, Detail) {
    match state {
        State::Unborn | State::Done | State::WaitingGil | State::Starting => (state, detail),
        // Nobody has seen it execute a program or take its lock yet.
        State::Unknown => (State::Starting, Detail::Fork),
        _ => (State::Starting, Detail::Import),
    }
}

impl Watched {
    /// Observes an interpreter that is ready and does nothing yet, and all that it will make.
    pub(super) fn attach(pid: u32, plan: &Plan) -> Result<Watched, Trouble> {
        let expected = match plan.pool {
            Pool::InPlace | Pool::Coroutines { .. } => 1,
            _ => plan.workers().count(),
        };
        Ok(Watched {
            observer: Observer::attach(pid)?,
            pool: plan.pool,
            expected,
            workers: BTreeMap::new(),
            worker_pids: BTreeSet::new(),
            worker_processes: BTreeSet::new(),
            held: VecDeque::new(),
            settled: false,
            next: None,
            lanes: Vec::new(),
            processes: BTreeSet::from([pid]),
            begun: None,
            ended: None,
            told_until: Nanos::ZERO,
            booked: Nanos::ZERO,
            a_switch: 0.0,
            over: false,
        })
    }

    /// Whether the kernel tells when threads have a core.
    pub(super) fn has_switch_records(&self) -> bool {
        self.observer.switches_refused.is_none()
    }

    /// A thread does tasks from now on.
    pub(super) fn works(&mut self, tid: u32, pid: u32, at: Nanos) {
        self.workers.entry(tid).or_insert(at);
        self.worker_pids.insert(pid);
    }

    /// The clock runs.
    pub(super) fn began(&mut self, at: Nanos) {
        self.begun = Some(at);
    }

    /// The last result is in.
    pub(super) fn ended(&mut self, at: Nanos) {
        self.ended = Some(at);
    }

    /// The processes that were seen.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.processes.iter().copied().collect()
    }

    /// Whether nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        self.over || !self.observer.is_on()
    }

    /// Sees nothing any more.
    pub(super) fn stop(&mut self) {
        self.observer.stop();
    }

    /// Takes in what was seen. To be done before the script's lines are read: so nothing is told before they are.
    pub(super) fn collect(&mut self) {
        for notice in self.observer.notices() {
            match &notice {
                Notice::Born { pid, .. } => {
                    self.processes.insert(*pid);
                }
                Notice::Ended(_) => self.over = true,
                _ => {}
            }
            self.held.push_back(notice);
        }
    }

    /// Tells what may be told; all of it once the run is over.
    pub(super) fn tell(&mut self, over: bool, say: &mut dyn FnMut(Signal)) {
        let known = self.begun.is_some() && self.workers.len() >= self.expected;
        self.settled |= known || over || self.held.len() > MOST_HELD;
        if !self.settled {
            return;
        }
        // A lock is told of before the lanes of its process are.
        let mut process = 0;
        for notice in &self.held {
            match notice {
                Notice::Lane(plan) => process = plan.process,
                Notice::Born { pid, .. } if self.worker_pids.contains(pid) => {
                    self.worker_processes.insert(process);
                }
                _ => {}
            }
        }
        let count = if over {
            self.held.len()
        } else {
            let before = Monotonic.now() - DELAY;
            let may = |notice: &Notice| matches!(notice, Notice::Upto(at) if *at <= before);
            self.held.iter().rposition(may).map_or(0, |last| last + 1)
        };
        for notice in self.held.drain(..count).collect::<Vec<_>>() {
            self.tell_one(notice, say);
        }
    }

    /// What is summed up, and how each lane ended.
    pub(super) fn finish(&mut self, say: &mut dyn FnMut(Signal)) {
        let records = self.has_switch_records();
        let end = self.ended.unwrap_or_default();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if let Some(since) = lane.on_core.take() {
                lane.on_cpu += end - since.max(self.begun.unwrap_or_default());
            }
            let inside = self.a_switch * (lane.voluntary + lane.involuntary) as f64;
            let on_cpu = lane.on_cpu + Nanos(inside as u64);
            let lane_id = crate::event::LaneId(index as u32);
            let accounts = Accounts {
                on_cpu: records.then_some(on_cpu),
                evidence: records.then_some(AccountsEvidence::SwitchRecords),
                runqueue: None,
                voluntary: records.then_some(lane.voluntary),
                involuntary: records.then_some(lane.involuntary),
            };
            say(Signal::Accounts { lane: lane_id, accounts });
            let how = lane.how.take().unwrap_or_else(|| "done".to_owned());
            say(Signal::LaneEnded { lane: lane_id, at: None, how });
        }
    }

    /// Records leave out what lies inside of a switch, the kernel's sums do not. But those are of all that the processes did
    /// before the run and after it, too, and end with the last time that they could be read: so it is only taken from them
    /// how much there is for a switch.
    fn compare_with_booked(&mut self, status: &Status) {
        if status.cpu_ns <= self.booked {
            return;
        }
        self.booked = status.cpu_ns;
        let recorded: Nanos = self.lanes.iter().map(|lane| lane.life.on_cpu_until(self.told_until)).sum();
        let switches: u64 = self.lanes.iter().map(|lane| lane.life.switches).sum();
        let inside = self.booked - status.native_cpu_ns - recorded;
        self.a_switch = (inside.0 as f64 / switches.max(1) as f64).min(SWITCH);
    }

    fn tell_one(&mut self, notice: Notice, say: &mut dyn FnMut(Signal)) {
        if let Notice::Event(event) = &notice
            && let Some(lane) = self.lanes.get_mut(event.lane.index())
        {
            lane.life.count(event.at, event.kind);
        }
        match notice {
            Notice::Lane(plan) => self.next = Some(plan),
            Notice::Born { lane, pid, tid } => {
                if let Some(mut plan) = self.next.take() {
                    plan.role = match plan.process {
                        _ if self.workers.contains_key(&tid) => Role::Worker,
                        0 => Role::Main,
                        _ => Role::Server,
                    };
                    let until = self.workers.get(&tid).filter(|_| self.brings_an_interpreter(plan.process));
                    self.lanes.push(Lane { starts_until: until.copied(), ..Lane::default() });
                    say(Signal::LaneAdded(plan));
                }
                say(Signal::Born { lane, pid, tid });
            }
            Notice::Lock(mut plan) => {
                // The first lock of subinterpreters is that of the interpreter that hands out their tasks.
                let of_workers = matches!(self.pool, Pool::Subinterpreters { .. }) && plan.kind == LockKind::Gil;
                let handed_out = of_workers && plan.id.index() == 0;
                plan.of_workers = self.worker_processes.contains(&plan.process) && !handed_out;
                say(Signal::LockAdded(plan));
            }
            Notice::Needs { lane, lock } => say(Signal::LaneNeeds { lane, lock }),
            Notice::Named { lane, name } => say(Signal::LaneNamed { lane, name }),
            Notice::Event(event) if self.ended.is_none_or(|end| event.at <= end) => {
                self.count(event.lane.index(), event.at, event.kind);
                match self.lanes.get_mut(event.lane.index()) {
                    Some(lane) => lane.tell(event, say),
                    None => say(Signal::Event(event)),
                }
            }
            Notice::HandOffs { lock, at, more } if self.ended.is_none_or(|end| at <= end) => {
                say(Signal::HandOffs { lock, at, more });
            }
            Notice::Place { at, lane, place, counts } if self.ended.is_none_or(|end| at <= end) => {
                say(Signal::Place { at, lane, place, counts });
            }
            Notice::Sampled(lane) => say(Signal::LaneSampled(lane)),
            Notice::Upto(at) => {
                self.told_until = at;
                let at = self.ended.map_or(at, |end| at.min(end));
                for (id, lane) in self.lanes.iter_mut().enumerate() {
                    lane.has_started(LaneId(id as u32), at, say);
                }
                if self.begun.is_some_and(|begun| at > begun) {
                    say(Signal::Upto(at));
                }
            }
            Notice::LaneEnded { lane, how } => {
                // What becomes of workers once the work is over is no matter: a pool may end them by force.
                let is_over = self.ended.is_some();
                if let Some(lane) = self.lanes.get_mut(lane.index()).filter(|_| !is_over) {
                    lane.how = Some(how);
                }
            }
            Notice::WaitsFor { at, lane, what } if self.ended.is_none_or(|end| at <= end) => {
                say(Signal::WaitsFor { at, lane, what });
            }
            Notice::Accounts { lane, slept, waited_for, .. } => {
                say(Signal::Slept { lane, calls: slept });
                say(Signal::WaitedFor { lane, what: waited_for });
            }
            Notice::Halt { process, at, stopped } => say(Signal::Halt { process, at, stopped }),
            Notice::LockGone { lock, at } => say(Signal::LockGone { lock, at }),
            Notice::LockKnown { lock, at, known } => say(Signal::LockKnown { lock, at, known }),
            Notice::Status(status) => {
                self.compare_with_booked(&status);
                say(Signal::Observing(status));
            }
            Notice::Program(program) => say(Signal::Program(program)),
            // The script says when the run begins and ends; what is behind its end is not told.
            Notice::Began(_)
            | Notice::Ended(_)
            | Notice::Event(_)
            | Notice::HandOffs { .. }
            | Notice::WaitsFor { .. }
            // It is of what was before the run, too.
            | Notice::Queued { .. }
            | Notice::Place { .. } => {}
        }
    }

    /// Whether a worker of this process is started up, as an interpreter is, until the script says that it is ready: in a
    /// process of its own, whichever of its threads it is, and with an interpreter of its own, which its thread makes
    /// before it does tasks. A thread beside others is there as soon as it is born.
    fn brings_an_interpreter(&self, process: u32) -> bool {
        process != 0 || matches!(self.pool, Pool::Subinterpreters { .. })
    }

    fn count(&mut self, lane: usize, at: Nanos, kind: EventKind) {
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        let begun = self.begun.unwrap_or(Nanos::MAX);
        match kind {
            EventKind::SwitchIn => lane.on_core = Some(at),
            EventKind::SwitchOut { preempted } => {
                if let Some(since) = lane.on_core.take() {
                    lane.on_cpu += at.max(begun) - since.max(begun);
                }
                if at >= begun {
                    *(if preempted { &mut lane.involuntary } else { &mut lane.voluntary }) += 1;
                }
            }
            _ => {}
        }
    }
}
