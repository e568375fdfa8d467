//! One lane: what it was told, and the column of what it was.

use super::cell::Span;
use super::charges::Charges;
use super::column::{Column, Value};
use super::crowd::Crowd;
use super::info::{Evidence, LaneInfo};
use super::progress::Points;
use super::queued::Queued;
use super::unmet::Unmet;
use crate::event::{CoreId, Detail, Line, LockId, Nanos, State};
use crate::model::LockKind;

/// One span of a lane, in 32 bits: 5 of state, 5 of detail, 9 of core, 13 of line.
///
/// Cores from 511 on and lines from 8,192 on are not told in a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch(u32);

/// The states by key: what most lanes are comes first, since sums are kept up to the highest key that was seen.
const ORDER: [State; State::COUNT] = [
    State::Unborn,
    State::Running,
    State::WaitingGil,
    State::WaitingCore,
    State::Idle,
    State::Starting,
    State::Io,
    State::Native,
    State::WaitingLock,
    State::Sleeping,
    State::WaitingWorld,
    State::Pickling,
    State::Unpickling,
    State::Ready,
    State::Suspended,
    State::Done,
    State::Unknown,
    State::Stopped,
];

/// The key of each state, by its index.
const KEYS: [u8; State::COUNT] = {
    let mut keys = [0; State::COUNT];
    let mut key = 0;
    while key < State::COUNT {
        keys[ORDER[key].index()] = key as u8;
        key += 1;
    }
    keys
};

/// The key of [`State::Running`].
pub(super) const RUNNING: usize = KEYS[State::Running.index()] as usize;

/// Sums by key as times by state.
pub(super) fn by_state(sums: &[u64]) -> [Nanos; State::COUNT] {
    let mut states = [Nanos::ZERO; State::COUNT];
    ORDER.iter().zip(sums).for_each(|(state, sum)| states[state.index()] = Nanos(*sum));
    states
}

const NO_CORE: u32 = 511;
const LINES: u32 = 1 << 13;
const _: () = assert!(State::COUNT <= 1 << 5, "the bits of a state");
const _: () = assert!(Detail::ALL.len() <= 1 << 5, "the bits of a detail");

impl Stretch {
    pub(super) fn new(state: State, detail: Detail, core: CoreId, line: Line) -> Stretch {
        let core = u32::from(core.0).min(NO_CORE);
        let line = if line.0 < LINES { line.0 } else { 0 };
        Stretch(u32::from(KEYS[state.index()]) | (detail as u32) << 5 | core << 10 | line << 19)
    }

    pub(super) fn state(self) -> State {
        ORDER[self.key()]
    }

    pub(super) fn detail(self) -> Detail {
        Detail::from_index((self.0 >> 5 & 31) as usize).expect("only details are packed")
    }

    pub(super) fn core(self) -> CoreId {
        match self.0 >> 10 & NO_CORE {
            NO_CORE => CoreId::UNKNOWN,
            core => CoreId(core as u16),
        }
    }

    pub(super) fn line(self) -> Line {
        Line(self.0 >> 19)
    }

    /// What it says of a stretch of time.
    pub(super) fn lasting(self, from: Nanos, to: Nanos) -> Span {
        Span { from, to, state: self.state(), detail: self.detail(), line: self.line(), core: self.core() }
    }

    /// Whether both are the same to whoever looks: state and detail.
    pub(super) fn same(self, other: Stretch) -> bool {
        self.0 & 0x3ff == other.0 & 0x3ff
    }
}

impl Value for Stretch {
    #[inline]
    fn key(self) -> usize {
        (self.0 & 31) as usize
    }

    #[inline]
    fn counts(self, before: Stretch) -> bool {
        self.key() != before.key()
    }
}

/// A lane waiting for a lock.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) lock: LockId,
    pub(super) since: u64,
    /// How long each had held the lock by then.
    pub(super) held: Vec<u64>,
    /// Whether looks meet it, and charge it to those that they meet holding the lock.
    pub(super) by_looks: bool,
}

/// A lane and its events.
pub(super) struct Lane {
    pub(super) info: LaneInfo,
    pub(super) column: Column<Stretch>,
    /// Its place among the crowds, if it has one.
    pub(super) crowd: Option<usize>,
    /// What it would be if it had a core.
    pub(super) state: State,
    pub(super) detail: Detail,
    pub(super) line: Line,
    pub(super) core: CoreId,
    /// The kernel took its core although it could have gone on.
    pub(super) preempted: bool,
    /// Its process is stopped.
    pub(super) halted: bool,
    /// How long it had waited for a lock when it was.
    pub(super) waited: u64,
    /// Whether the kernel has been seen to give it a core.
    pub(super) had_core: bool,
    /// Of which core it is the holder.
    pub(super) on: Option<CoreId>,
    /// The GIL it holds.
    pub(super) holds: Option<LockId>,
    /// The world it has stopped: beside the GIL, which a free-threaded build may have turned on.
    pub(super) stops: Option<LockId>,
    pub(super) wait: Option<Wait>,
    /// What it has charged so far, and what its waits that looks met charge for those that no look met.
    pub(super) charged: Charges,
    pub(super) for_others: Charges,
    /// What it waited and no look met.
    pub(super) unmet: Unmet,
    /// How long it queued for a core, and what it was woken from.
    pub(super) queued: Queued,
    pub(super) progress: Points,
    pub(super) tasks_started: u64,
    pub(super) tasks_done: u64,
    pub(super) tasks_failed: u64,
    pub(super) dropped: u64,
    /// The latest of its events so far, and of its switch records: two sources, each in order.
    pub(super) told: Nanos,
    pub(super) switched: Nanos,
}

impl Lane {
    /// What it has of this kind.
    pub(super) fn has(&mut self, kind: LockKind) -> &mut Option<LockId> {
        match kind {
            LockKind::Gil => &mut self.holds,
            LockKind::StopTheWorld => &mut self.stops,
        }
    }

    /// Whether its states are known by looks, now or at some time.
    pub(super) fn is_sampled(&self) -> bool {
        self.info.evidence == Evidence::Sampled
    }

    /// All it has.
    pub(super) fn has_any(&self) -> impl Iterator<Item = LockId> + use<> {
        [self.holds, self.stops].into_iter().flatten()
    }

    pub(super) fn new(info: LaneInfo, begin: u64) -> Lane {
        Lane {
            info,
            column: Column::new(begin, Stretch::new(State::Unborn, Detail::None, CoreId::UNKNOWN, Line::NONE)),
            state: State::Unborn,
            detail: Detail::None,
            line: Line::NONE,
            core: CoreId::UNKNOWN,
            preempted: false,
            halted: false,
            waited: 0,
            had_core: false,
            crowd: None,
            on: None,
            holds: None,
            stops: None,
            wait: None,
            charged: Charges::default(),
            for_others: Charges::default(),
            unmet: Unmet::default(),
            queued: Queued::default(),
            progress: Points::default(),
            tasks_started: 0,
            tasks_done: 0,
            tasks_failed: 0,
            dropped: 0,
            told: Nanos::ZERO,
            switched: Nanos::ZERO,
        }
    }

    /// From `at` on it is this.
    pub(super) fn push(&mut self, at: u64, value: Stretch, crowds: &mut [Crowd]) {
        self.join_in(at, value, crowds);
        self.column.push(at, value);
    }

    /// From `at` on, or from the beginning of its open span if that is later, it was this.
    pub(super) fn revise(&mut self, at: u64, value: Stretch, crowds: &mut [Crowd]) {
        self.join_in(at, value, crowds);
        self.column.revise(at, value);
    }

    fn join_in(&self, at: u64, value: Stretch, crowds: &mut [Crowd]) {
        if let Some(crowd) = self.crowd.and_then(|crowd| crowds.get_mut(crowd)) {
            crowd.change(at.max(self.column.open_at()), self.column.open().state(), value.state());
        }
    }

    /// What it is: its state, unless it is stopped or lacks a core for it.
    pub(super) fn shown(&self) -> Stretch {
        if self.halted && !matches!(self.state, State::Unborn | State::Done) {
            Stretch::new(State::Stopped, Detail::None, self.core, self.line)
        } else if self.preempted && self.state.on_core() {
            Stretch::new(State::WaitingCore, Detail::None, self.core, self.line)
        } else {
            Stretch::new(self.state, self.detail, self.core, self.line)
        }
    }

    /// Nothing of a wait remains unbooked: charges each holder what it held since the wait began, unless looks do.
    pub(super) fn charge(&mut self, held: &[u64]) {
        if let Some(wait) = self.wait.as_ref().filter(|wait| !wait.by_looks) {
            self.charged.add_since(wait, held, 1.0);
        }
    }

    /// So often what each holder held since its wait began is charged for waits that no look met.
    pub(super) fn charge_for_others(&mut self, held: &[u64], times: f64) {
        if let Some(wait) = &self.wait {
            self.for_others.add_since(wait, held, times);
        }
    }

    /// A look met it waiting, and this one holding the lock.
    pub(super) fn charge_one(&mut self, lock: LockId, number: u16, span: Nanos) {
        self.charged.of(lock, usize::from(number) + 1)[usize::from(number)] += span.0;
    }
}
