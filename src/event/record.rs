//! The one record of the log, in memory and in 32 bytes.

use super::{CoreId, Detail, LaneId, Line, LockId, Nanos, QueueId, State, TaskId};

/// Something that happened to a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, on `CLOCK_MONOTONIC`.
    pub at: Nanos,
    /// To whom.
    pub lane: LaneId,
    /// On which core it was recorded.
    pub core: CoreId,
    /// At which line of the workload.
    pub line: Line,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The lane changed state and no lock changed hands.
    State {
        /// The new state.
        to: State,
        /// What more there is to say of it.
        detail: Detail,
    },
    /// The lane took a lock, stamped while holding the lock's mutex.
    Take {
        /// Which.
        lock: LockId,
        /// The lane's state from now on.
        to: State,
    },
    /// The lane dropped a lock, stamped while holding the lock's mutex.
    Drop {
        /// Which.
        lock: LockId,
        /// The lane's state from now on.
        to: State,
        /// What more there is to say of it.
        detail: Detail,
        /// Whether a drop request was set.
        requested: bool,
    },
    /// A waiter's interval ran out: it set the drop request. Its state does not change.
    DropRequest {
        /// Of which lock.
        lock: LockId,
    },
    /// The lane began a task.
    TaskStarted(TaskId),
    /// The lane ended a task.
    TaskEnded {
        /// Which.
        task: TaskId,
        /// Whether it returned a value.
        ok: bool,
    },
    /// The lane found, by its heartbeat, that it had no core from `since` until now.
    /// Revises the open span.
    NoCore {
        /// The last heartbeat before the gap.
        since: Nanos,
    },
    /// How much bytecode the lane has got done since its birth. Both counts wrap around, so that what lies between two
    /// of these events is right although others were lost.
    Progress {
        /// Instructions, as the evaluation loop counts them at its safe points.
        instructions: u32,
        /// How often it found what threads share in another's hands: locked, or stored to since.
        contended: u32,
    },
    /// The lane put something into a queue of the program's own, or took something out, stamped while holding the
    /// queue's mutex.
    Queue {
        /// Which.
        queue: QueueId,
        /// How many items it holds from now on.
        depth: u32,
        /// Whether something was put in.
        put: bool,
    },
    /// A coroutine that was suspended has been ready since `since`, as the loop finds now that it has itself back.
    /// Revises the open span.
    ReadySince {
        /// When it was woken.
        since: Nanos,
    },
    /// A look met the lane in the sleep that it is in, the first that did: what it sleeps in is known by that.
    Met {
        /// How long before that the one before was. A sleep that is shorter is met by lot.
        apart: Nanos,
    },
    /// A look met the lane awake, where looks are all that tells whether it holds its lock.
    MetAwake {
        /// How long before that the one before was.
        apart: Nanos,
        /// Whether it has a core.
        runs: bool,
        /// Whether it holds its lock.
        holds: bool,
    },
    /// No look met the lane in the sleep that is over now, though looks are all that tells what it slept in.
    Unmet,
    /// The kernel gave the lane's thread a core.
    SwitchIn,
    /// The kernel took the lane's thread from its core.
    SwitchOut {
        /// Although it could have gone on.
        preempted: bool,
    },
}

/// An [`Event`] as it lies in a ring: four words, no padding, valid whatever the bits.
pub type Packed = [u64; 4];

/// These four words are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a recorded event is damaged: {0:x?}")]
pub struct Unpackable(pub Packed);

const STATE: u8 = 1;
const TAKE: u8 = 2;
const DROP: u8 = 3;
const DROP_REQUEST: u8 = 4;
const TASK_STARTED: u8 = 5;
const TASK_ENDED: u8 = 6;
const NO_CORE: u8 = 7;
const SWITCH_IN: u8 = 8;
const SWITCH_OUT: u8 = 9;
const PROGRESS: u8 = 10;
const QUEUE: u8 = 11;
const READY_SINCE: u8 = 12;
const MET: u8 = 13;
const UNMET: u8 = 14;
const MET_AWAKE: u8 = 15;

impl Event {
    /// Into four words: time; lane and line; core, lock, kind, state, detail and flag; argument.
    pub fn pack(&self) -> Packed {
        let (kind, lock, state, detail, flag, argument) = match self.kind {
            EventKind::State { to, detail } => (STATE, 0, to as u8, detail as u8, false, 0),
            EventKind::Take { lock, to } => (TAKE, lock.0, to as u8, 0, false, 0),
            EventKind::Drop { lock, to, detail, requested } => (DROP, lock.0, to as u8, detail as u8, requested, 0),
            EventKind::DropRequest { lock } => (DROP_REQUEST, lock.0, 0, 0, false, 0),
            EventKind::TaskStarted(task) => (TASK_STARTED, 0, 0, 0, false, u64::from(task.0)),
            EventKind::TaskEnded { task, ok } => (TASK_ENDED, 0, 0, 0, ok, u64::from(task.0)),
            EventKind::NoCore { since } => (NO_CORE, 0, 0, 0, false, since.0),
            EventKind::Progress { instructions, contended } => {
                (PROGRESS, 0, 0, 0, false, u64::from(instructions) | u64::from(contended) << 32)
            }
            EventKind::Queue { queue, depth, put } => (QUEUE, queue.0, 0, 0, put, u64::from(depth)),
            EventKind::ReadySince { since } => (READY_SINCE, 0, 0, 0, false, since.0),
            EventKind::Met { apart } => (MET, 0, 0, 0, false, apart.0),
            EventKind::MetAwake { apart, runs, holds } => (MET_AWAKE, 0, 0, u8::from(runs), holds, apart.0),
            EventKind::Unmet => (UNMET, 0, 0, 0, false, 0),
            EventKind::SwitchIn => (SWITCH_IN, 0, 0, 0, false, 0),
            EventKind::SwitchOut { preempted } => (SWITCH_OUT, 0, 0, 0, preempted, 0),
        };
        [
            self.at.0,
            u64::from(self.lane.0) | u64::from(self.line.0) << 32,
            u64::from(self.core.0)
                | u64::from(lock) << 16
                | u64::from(kind) << 32
                | u64::from(state) << 40
                | u64::from(detail) << 48
                | u64::from(flag) << 56,
            argument,
        ]
    }

    /// Out of four words, which may be garbage: a worker can die, or be made to write nonsense.
    pub fn unpack(packed: Packed) -> Result<Event, Unpackable> {
        let damaged = || Unpackable(packed);
        let [at, who, what, argument] = packed;
        let byte = |shift: u32| (what >> shift) as u8;
        let lock = LockId((what >> 16) as u16);
        let to = || State::from_index(byte(40).into()).ok_or_else(damaged);
        let detail = || Detail::from_index(byte(48).into()).ok_or_else(damaged);
        let flag = byte(56) != 0;
        let task = TaskId(argument as u32);
        let kind = match byte(32) {
            STATE => EventKind::State { to: to()?, detail: detail()? },
            TAKE => EventKind::Take { lock, to: to()? },
            DROP => EventKind::Drop { lock, to: to()?, detail: detail()?, requested: flag },
            DROP_REQUEST => EventKind::DropRequest { lock },
            TASK_STARTED => EventKind::TaskStarted(task),
            TASK_ENDED => EventKind::TaskEnded { task, ok: flag },
            NO_CORE => EventKind::NoCore { since: Nanos(argument) },
            PROGRESS => EventKind::Progress { instructions: argument as u32, contended: (argument >> 32) as u32 },
            QUEUE => EventKind::Queue { queue: QueueId(lock.0), depth: argument as u32, put: flag },
            READY_SINCE => EventKind::ReadySince { since: Nanos(argument) },
            MET => EventKind::Met { apart: Nanos(argument) },
            MET_AWAKE => EventKind::MetAwake { apart: Nanos(argument), runs: byte(48) != 0, holds: flag },
            UNMET => EventKind::Unmet,
            SWITCH_IN => EventKind::SwitchIn,
            SWITCH_OUT => EventKind::SwitchOut { preempted: flag },
            _ => return Err(damaged()),
        };
        Ok(Event {
            at: Nanos(at),
            lane: LaneId(who as u32),
            line: Line((who >> 32) as u32),
            core: CoreId(what as u16),
            kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = EventKind> {
        let state = || proptest::sample::select(State::ALL.to_vec());
        let detail = || proptest::sample::select(Detail::ALL.to_vec());
        prop_oneof![
            (state(), detail()).prop_map(|(to, detail)| EventKind::State { to, detail }),
            (any::<u16>(), state()).prop_map(|(lock, to)| EventKind::Take { lock: LockId(lock), to }),
            (any::<u16>(), state(), detail(), any::<bool>()).prop_map(|(lock, to, detail, requested)| {
                EventKind::Drop { lock: LockId(lock), to, detail, requested }
            }),
            any::<u16>().prop_map(|lock| EventKind::DropRequest { lock: LockId(lock) }),
            any::<u32>().prop_map(|task| EventKind::TaskStarted(TaskId(task))),
            (any::<u32>(), any::<bool>()).prop_map(|(task, ok)| EventKind::TaskEnded { task: TaskId(task), ok }),
            any::<u64>().prop_map(|since| EventKind::NoCore { since: Nanos(since) }),
            any::<(u32, u32)>().prop_map(|(instructions, contended)| EventKind::Progress { instructions, contended }),
            (any::<u16>(), any::<u32>(), any::<bool>()).prop_map(|(queue, depth, put)| EventKind::Queue {
                queue: QueueId(queue),
                depth,
                put
            }),
            any::<u64>().prop_map(|since| EventKind::ReadySince { since: Nanos(since) }),
            any::<u64>().prop_map(|apart| EventKind::Met { apart: Nanos(apart) }),
            any::<(u64, bool, bool)>().prop_map(|(apart, runs, holds)| EventKind::MetAwake {
                apart: Nanos(apart),
                runs,
                holds
            }),
            Just(EventKind::Unmet),
            Just(EventKind::SwitchIn),
            any::<bool>().prop_map(|preempted| EventKind::SwitchOut { preempted }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(at: u64, lane: u32, core: u16, line: u32, kind in kinds()) {
            let event = Event { at: Nanos(at), lane: LaneId(lane), core: CoreId(core), line: Line(line), kind };
            prop_assert_eq!(Event::unpack(event.pack()), Ok(event));
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(words: [u64; 4]) {
            let _ = Event::unpack(words);
        }
    }
}
