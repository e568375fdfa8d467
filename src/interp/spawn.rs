//! Making another interpreter process: this program, executed anew.
//!
//! The same door serves the controller, which makes the first process, and the
//! first process, which makes workers. A child inherits exactly two things
//! beyond its standard streams: its end of a channel and the shared memory.
//! They keep whatever numbers they have here and lose only their
//! close-on-exec flag, in the child alone, so that no other child forked at
//! the same moment gets them; their numbers go into the argument list. (Fixed
//! numbers would have to be made by `dup2`, which may hit a descriptor that the
//! standard library holds open across the fork.)
//!
//! No child outlives its maker: the kernel kills it when the *thread* that
//! made it ends, however that comes about.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};

use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, Event, EventKind, LaneId, Line, State};
use crate::record::ring::Producer;
use crate::record::{Rings, SharedRing, core_now};

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "__interp";

/// A process to be born.
#[derive(Debug)]
pub(super) struct Birth<'a> {
    /// The program to execute.
    pub(super) program: &'a Path,
    /// What it is to be: `first`, `worker`, `server`, `tracker`, `slow-server`.
    pub(super) role: &'a str,
    /// The lane of its main thread.
    pub(super) lane: LaneId,
    /// Its end of the channel.
    pub(super) channel: OwnedFd,
    /// The shared memory.
    pub(super) rings: &'a Rings,
    /// Whether the steps of its birth are recorded, in its own ring.
    pub(super) record: bool,
    /// Which process group it is in.
    pub(super) group: Group,
}

/// The process group of a process to be born, and with it where its output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// It leads one of its own, with its output in a pipe.
    Own,
    /// That of another child, which ends with it; it prints nothing.
    Of(Pid),
    /// Its maker's, with its maker's output.
    Makers,
}

impl Birth<'_> {
    /// Makes the process and records that it was ordered and executed. Returns when its program has been loaded.
    /// In between the maker does what else belongs to an order.
    ///
    /// The child dies with the calling thread.
    #[expect(unsafe_code, reason = "what a child does between fork and exec")]
    pub(super) fn order(self, meanwhile: impl FnOnce()) -> std::io::Result<Child> {
        let mut command = Command::new(self.program);
        command
            .arg(SUBCOMMAND)
            .args([self.role, &self.lane.to_string()])
            .args([self.channel.as_raw_fd(), self.rings.file().as_raw_fd()].map(|fd| fd.to_string()))
            .args(self.record.then_some("record"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        match self.group {
            Group::Own => command.process_group(0).stdout(Stdio::piped()),
            Group::Of(leader) => command.process_group(leader.as_raw_nonzero().get()).stdout(Stdio::null()),
            Group::Makers => &mut command,
        };
        let ring = self.record.then(|| self.rings.ring(self.lane.0));
        if let Some(ring) = &ring {
            birth_ordered(ring, self.lane);
        }
        meanwhile();
        let (lane, channel, shared) = (self.lane, self.channel, self.rings.clone());
        let maker = rustix::process::getpid();
        let between = move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if rustix::process::getppid() != Some(maker) {
                // The maker died before its death was to be a signal.
                return Err(rustix::io::Errno::SRCH.into());
            }
            close_all_on_exec();
            rustix::io::fcntl_setfd(&channel, FdFlags::empty())?;
            rustix::io::fcntl_setfd(shared.file().as_fd(), FdFlags::empty())?;
            if let Some(ring) = &ring {
                // So that what the kernel says of its waits for a core from here on is known to be of this lane.
                let pid = rustix::process::getpid().as_raw_nonzero().get() as u32;
                ring.set_writer(pid, pid);
                Producer::new(ring.clone()).push(birth_step(lane, Detail::Exec).pack());
            }
            Ok(())
        };
        // SAFETY: between fork and exec only what is async-signal-safe may be done, since another thread may have
        // held any lock at the fork. The closure makes system calls, reads the clock and the core number (memory the
        // kernel keeps), and stores into memory mapped before the fork; cloning the ring counts an `Arc` up and down.
        // It neither allocates nor locks, and its errors are plain numbers.
        unsafe { command.pre_exec(between) };
        command.spawn()
    }
}

/// Whatever else this process was handed, perhaps by a shell, is not for its children. Async-signal-safe.
#[expect(unsafe_code, reason = "rustix has no close_range")]
fn close_all_on_exec() {
    // SAFETY: a system call with numbers for arguments, which sets a flag of descriptors and closes none now.
    // Kernels before 5.11 refuse it, which leaves things as they were; all descriptors of our own have the flag anyway.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// Records, for a thread or process that is not there yet, that its birth was ordered. Its ring has no writer so far;
/// the writer to come goes on where this ends.
pub(super) fn birth_ordered(ring: &SharedRing, lane: LaneId) {
    Producer::new(ring.clone()).push(birth_step(lane, Detail::Fork).pack());
}

/// The end of a lane.
pub(super) const DONE: EventKind = EventKind::State { to: State::Done, detail: Detail::None };

/// A step on the way to a running interpreter.
fn birth_step(lane: LaneId, detail: Detail) -> Event {
    let kind = EventKind::State { to: State::Starting, detail };
    Event { at: Monotonic.now(), lane, core: core_now(), line: Line::NONE, kind }
}

/// What [`Birth::order`] wrote into the argument list.
#[derive(Debug)]
pub(super) struct Born {
    pub(super) role: String,
    pub(super) lane: LaneId,
    pub(super) channel: OwnedFd,
    pub(super) rings: OwnedFd,
    pub(super) record: bool,
}

impl Born {
    /// Reads the arguments after the subcommand and takes over the descriptors. `None`: a person typed it.
    #[expect(unsafe_code, reason = "descriptors arrive as numbers")]
    pub(super) fn from_args(mut args: impl Iterator<Item = String>) -> Option<Born> {
        use std::os::fd::{BorrowedFd, FromRawFd, RawFd};
        let (role, lane) = (args.next()?, LaneId(args.next()?.parse().ok()?));
        let numbers: [RawFd; 2] = [args.next()?.parse().ok()?, args.next()?.parse().ok()?];
        let record = args.next().as_deref() == Some("record");
        if numbers.iter().any(|number| *number <= 2) || numbers[0] == numbers[1] {
            return None;
        }
        for number in numbers {
            // SAFETY: only asked for its flags, which fails if there is no such descriptor; nothing opens or closes
            // descriptors this early in the process.
            let open = unsafe { BorrowedFd::borrow_raw(number) };
            // What was inherited is not to be handed on to children unasked.
            rustix::io::fcntl_setfd(open, FdFlags::CLOEXEC).ok()?;
        }
        // SAFETY: both are open and distinct, as just seen, and nobody else in this process knows of them.
        let [channel, rings] = numbers.map(|number| unsafe { OwnedFd::from_raw_fd(number) });
        Some(Born { role, lane, channel, rings, record })
    }
}
