//! What a lane can be doing, and which changes are possible.

use serde::{Deserialize, Serialize};

/// What an execution unit is doing. A lane is in exactly one state at any instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Before its birth.
    Unborn,
    /// Being born; the [`Detail`] names the phase.
    Starting,
    /// Arguments or results to bytes.
    Pickling,
    /// Bytes to arguments or results.
    Unpickling,
    /// Executing bytecode.
    Running,
    /// From asking for the GIL to taking it.
    WaitingGil,
    /// Could go on, but the operating system gave it no core.
    WaitingCore,
    /// In a blocking call, lock released: sleep, socket, file.
    Io,
    /// Native code with the lock released.
    Native,
    /// Blocked on a lock, queue, join or future of the program's own.
    WaitingLock,
    /// Off core by itself, and nobody saw in what it slept, or for which lock: only where something real is observed.
    Sleeping,
    /// Kept waiting by a stop-the-world of a free-threaded build: its thread state is `_Py_THREAD_SUSPENDED` until the
    /// world goes on, or it wants to stop the world itself and not all others stand still yet.
    WaitingWorld,
    /// A coroutine at `await`.
    Suspended,
    /// A coroutine that could go on while the loop is busy.
    Ready,
    /// A pool worker with no task.
    Idle,
    /// Its process is stopped by a signal (`SIGSTOP`, job control) or by a debugger: it can do nothing until it is
    /// continued, and nothing of that time is its own doing.
    Stopped,
    /// After its end, however it ended.
    Done,
    /// Not observed.
    Unknown,
}

impl State {
    /// How many states there are.
    pub const COUNT: usize = 18;

    /// Every state, in the order of the ledger.
    pub const ALL: [State; State::COUNT] = [
        State::Unborn,
        State::Starting,
        State::Pickling,
        State::Unpickling,
        State::Running,
        State::WaitingGil,
        State::WaitingCore,
        State::Io,
        State::Native,
        State::WaitingLock,
        State::Sleeping,
        State::WaitingWorld,
        State::Suspended,
        State::Ready,
        State::Idle,
        State::Stopped,
        State::Done,
        State::Unknown,
    ];

    /// As an index into a table that has one entry for each state.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The state with this index, if there is one.
    pub fn from_index(index: usize) -> Option<State> {
        State::ALL.get(index).copied()
    }

    /// The word for it in code, JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            State::Unborn => "unborn",
            State::Starting => "starting",
            State::Pickling => "pickling",
            State::Unpickling => "unpickling",
            State::Running => "running",
            State::WaitingGil => "waiting_gil",
            State::WaitingCore => "waiting_core",
            State::Io => "io",
            State::Native => "native",
            State::WaitingLock => "waiting_lock",
            State::Sleeping => "sleeping",
            State::WaitingWorld => "waiting_world",
            State::Suspended => "suspended",
            State::Ready => "ready",
            State::Idle => "idle",
            State::Stopped => "stopped",
            State::Done => "done",
            State::Unknown => "unknown",
        }
    }

    /// The words for it on the screen.
    pub const fn words(self) -> &'static str {
        match self {
            State::Unborn => "not born yet",
            State::Starting => "starts",
            State::Pickling => "pickles",
            State::Unpickling => "unpickles",
            State::Running => "runs",
            State::WaitingGil => "waits for the GIL",
            State::WaitingCore => "wants a core",
            State::Io => "waits for I/O",
            State::Native => "C code, lock free",
            State::WaitingLock => "wants the program's own lock",
            State::Sleeping => "sleeps, reason not seen",
            State::WaitingWorld => "waits for stop-the-world",
            State::Suspended => "awaiting",
            State::Ready => "ready",
            State::Idle => "idle",
            State::Stopped => "is stopped",
            State::Done => "done",
            State::Unknown => "not observed",
        }
    }

    /// Whether a lane in this state is on a core (short of the operating system taking it away).
    pub const fn on_core(self) -> bool {
        matches!(self, State::Starting | State::Pickling | State::Unpickling | State::Running | State::Native)
    }

    /// Whether the unit exists: after its birth and before its end, as far as is known.
    pub const fn alive(self) -> bool {
        !matches!(self, State::Unborn | State::Done | State::Unknown)
    }

    /// Whether time in this state is part of a life of which shares are told: while it was there, seen, and could do
    /// something or wait for it. A stopped process does neither.
    pub const fn lives(self) -> bool {
        self.alive() && !matches!(self, State::Stopped)
    }

    /// Whether a lane in this state runs, or would if it had what it wants of the interpreter or the machine: it does not
    /// sleep, wait for others, or await.
    pub const fn awake(self) -> bool {
        self.on_core() || matches!(self, State::WaitingGil | State::WaitingCore | State::WaitingWorld | State::Ready)
    }

    /// The table of legal transitions.
    ///
    /// A unit is born once and ends once; it may be stopped, be killed, or pass
    /// from our sight, at any time. A unit wants a core only while it could use one.
    /// A coroutine suspends only while it runs, and goes on by way of `ready`.
    pub const fn may_become(self, next: State) -> bool {
        use State::*;
        match (self, next) {
            (Done, Unknown) | (Unknown, _) => true,
            (Done, _) => false,
            (_, Done | Unknown) => true,
            (_, Unborn) => false,
            (Unborn, Starting | WaitingGil | Running | Idle | Ready) => true,
            (Unborn, _) => false,
            (WaitingCore, Stopped) | (Stopped, WaitingCore) => false,
            (_, Stopped) | (Stopped, _) => true,
            (WaitingCore, from) => from.on_core(),
            (from, WaitingCore) => from.on_core(),
            (Suspended, Ready) => true,
            (Suspended, _) => false,
            (Ready, Running) => true,
            (Ready, _) => false,
            (_, Suspended | Ready) => matches!(self, Running | Starting),
            (Idle, Starting) => false,
            (Running | Io | Native | WaitingLock | WaitingWorld | Sleeping, Starting) => false,
            _ => true,
        }
    }
}

/// What more there is to say of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Detail {
    /// Nothing more.
    #[default]
    None,
    /// Starting: the operating system makes the process or thread.
    Fork,
    /// Starting: the program is loaded.
    Exec,
    /// Starting: the interpreter is set up.
    Init,
    /// Starting: modules are imported.
    Import,
    /// Starting: the channel to the parent is opened. I/O: a connection to a server.
    Connect,
    /// Starting: the main module runs under its guard.
    Prepare,
    /// I/O: `time.sleep`.
    Sleep,
    /// I/O: waiting for another process.
    Pipe,
    /// Waiting for the program's own lock: `join`.
    Join,
    /// I/O: waiting until one of several descriptors is ready.
    Poll,
    /// I/O: sending, receiving, connecting.
    Socket,
    /// I/O: reading or writing a file or a pipe.
    File,
    /// I/O: waiting for a child process.
    Child,
    /// I/O: bytes are handed to a socket.
    Send,
    /// I/O: waiting for bytes from a socket.
    Recv,
    /// I/O: an event loop waits until something is ready (`epoll`).
    Epoll,
}

impl Detail {
    /// Every detail.
    pub const ALL: [Detail; 17] = [
        Detail::None,
        Detail::Fork,
        Detail::Exec,
        Detail::Init,
        Detail::Import,
        Detail::Connect,
        Detail::Prepare,
        Detail::Sleep,
        Detail::Pipe,
        Detail::Join,
        Detail::Poll,
        Detail::Socket,
        Detail::File,
        Detail::Child,
        Detail::Send,
        Detail::Recv,
        Detail::Epoll,
    ];

    /// The word for it in JSON and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Detail::None => "",
            Detail::Fork => "fork",
            Detail::Exec => "exec",
            Detail::Init => "init",
            Detail::Import => "import",
            Detail::Connect => "connect",
            Detail::Prepare => "prepare",
            Detail::Sleep => "sleep",
            Detail::Pipe => "pipe",
            Detail::Join => "join",
            Detail::Poll => "poll",
            Detail::Socket => "socket",
            Detail::File => "file",
            Detail::Child => "child",
            Detail::Send => "send",
            Detail::Recv => "recv",
            Detail::Epoll => "epoll",
        }
    }

    /// The detail with this number, if there is one.
    pub fn from_index(index: usize) -> Option<Detail> {
        Detail::ALL.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_listed_at_its_own_index_under_its_own_name() {
        for (index, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state.index(), index);
            assert_eq!(State::from_index(index), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert_eq!(State::from_index(State::COUNT), None);
    }

    #[test]
    fn nobody_returns_from_the_end_or_to_before_the_birth() {
        for state in State::ALL {
            assert_eq!(State::Done.may_become(state), state == State::Unknown);
            assert!(!state.may_become(State::Unborn) || state == State::Unknown);
        }
    }

    #[test]
    fn anyone_may_be_killed_or_lost_from_sight() {
        for state in State::ALL.into_iter().filter(|state| state.alive()) {
            assert!(state.may_become(State::Done) && state.may_become(State::Unknown));
        }
    }

    #[test]
    fn whoever_sleeps_or_waits_for_others_is_not_awake() {
        let asleep = [State::Io, State::WaitingLock, State::Sleeping, State::Suspended, State::Idle];
        for state in State::ALL.into_iter().filter(|state| state.lives()) {
            assert_eq!(state.awake(), !asleep.contains(&state), "{state:?}");
        }
    }

    #[test]
    fn only_one_who_could_use_a_core_wants_one() {
        for state in State::ALL.into_iter().filter(|state| state.alive() && *state != State::WaitingCore) {
            assert_eq!(state.may_become(State::WaitingCore), state.on_core(), "{state:?}");
            assert_eq!(State::WaitingCore.may_become(state), state.on_core(), "{state:?}");
        }
    }
}
