//! The kernel's own records of threads: who came onto a core and who left it, who was born and who ended, who wrote a
//! word of memory.
//!
//! # The choice
//! Events are opened for each thread or process that is of interest on every
//! core, with `inherit`, so that what descends from it is covered from birth.
//! All events of one core write into one ring ([`CoreRing`]), whose records
//! are of one format whatever event they come from ([`Record`]). Times are on
//! `CLOCK_MONOTONIC`, as everything else. It needs no privilege on one's own
//! processes up to `perf_event_paranoid` 2.
//!
//! # Not chosen
//! An event for each thread with a ring of its own: it would have to be opened
//! by the time the thread runs, and the kernel does not let inherited events
//! share such a ring. Rings of two formats: a record does not say which event
//! it is of unless asked to, which costs a word in each.
//!
//! Events of whole cores instead of those of threads: with them a context switch takes 1.25 µs longer, with an event for
//! switches and a watchpoint of each thread's own 3.1 µs (those that are attached to), 1.6 µs where threads have inherited
//! them. But they would tell of everybody's switches, and another program that happens to have the same address in use would
//! be interrupted at each write to it, for 9 µs. One event for writes and switches: 2.5 µs, and a child would not be covered
//! from its birth.
//!
//! Births in a ring of their own that wakes us at each, for a child to be
//! looked at at once: whether it was a process or a thread, a program or a
//! thread that names itself, the kernel tells only in the record, so each birth
//! of a thread would interrupt the program as well. And the event that it takes
//! makes each context switch dearer, by 0.06 µs where threads have inherited
//! it, by 0.35 µs where each has one of its own, as those have that are attached
//! to (two threads of a virtual machine that hand each other a byte on one core,
//! with and without).
//!
//! See `perf_event_open(2)`.

mod ring;

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

pub use ring::{CoreRing, Record, What};

/// Why the kernel does not keep these records for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// `perf_event_paranoid` is above 2.
    #[error(
        "the kernel shows context switches to nobody but root (perf_event_paranoid is {0}): \
         `sudo sysctl kernel.perf_event_paranoid=2` allows it"
    )]
    Paranoid(i32),
    /// Something else forbids it.
    #[error(
        "a security policy forbids perf_event_open, as containers do by default: \
         allow that system call (docker: --cap-add PERFMON) or run outside the container"
    )]
    Policy,
    /// The kernel was built without, or the machine has no such thing.
    #[error("this kernel has no perf events")]
    Missing,
    /// The machine has no hardware watchpoints, or none is free.
    #[error(
        "this machine has no hardware watchpoint to give (virtual machines may lack them, a debugger may use them)"
    )]
    NoWatchpoint,
    /// Too many open files.
    #[error("too many open files to watch every core: raise the limit (`ulimit -n`)")]
    Files,
    /// The rings may not be locked into memory.
    #[error("no room for the kernel's records: raise kernel.perf_event_mlock_kb or the limit on locked memory")]
    Memory,
    /// The process has ended.
    #[error("process {0} has ended")]
    Gone(u32),
    /// Another reason.
    #[error("perf_event_open failed: {0}")]
    Other(Errno),
}

impl Refused {
    /// What an error of [`open`] means.
    pub fn from_open(error: Errno, pid: u32, subject: Subject) -> Refused {
        match error {
            Errno::ACCESS | Errno::PERM => {
                let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok();
                match level.and_then(|level| level.trim().parse().ok()) {
                    Some(level) if level > 2 => Refused::Paranoid(level),
                    _ => Refused::Policy,
                }
            }
            Errno::NOENT | Errno::OPNOTSUPP | Errno::NOSPC | Errno::BUSY
                if matches!(subject, Subject::Word(_) | Subject::WordOfTree(_) | Subject::Byte(_)) =>
            {
                Refused::NoWatchpoint
            }
            Errno::NOSYS | Errno::NOENT | Errno::OPNOTSUPP => Refused::Missing,
            Errno::MFILE | Errno::NFILE => Refused::Files,
            Errno::NOMEM | Errno::NOSPC => Refused::Memory,
            Errno::SRCH => Refused::Gone(pid),
            other => Refused::Other(other),
        }
    }
}

/// What is to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Context switches of a thread and of every thread and process that it makes.
    Switches,
    /// The same, with births, ends and new programs.
    Tree,
    /// Writes to the four bytes at this address, by a thread and every thread that it makes. Until it executes another
    /// program.
    Word(u64),
    /// The same, and by the processes that they make, whose memory begins as a copy of theirs.
    WordOfTree(u64),
    /// Writes to a single byte, as to a [`Subject::Word`].
    Byte(u64),
}

/// `struct perf_event_attr` in its version of 112 bytes (`PERF_ATTR_SIZE_VER5`, Linux 4.1).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_watermark: u32,
    bp_type: u32,
    config_1: u64,
    config_2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clock: i32,
    sample_regs_intr: u64,
    aux_watermark: u32,
    sample_max_stack: u32,
}

const TYPE_SOFTWARE: u32 = 1;
const TYPE_BREAKPOINT: u32 = 5;
const COUNT_SW_DUMMY: u64 = 9;
const BREAKPOINT_WRITE: u32 = 2;
/// Whoever waits for a ring is woken when it is half full. Each wake-up is an interrupt of the thread that is recorded,
/// whether or not anybody waits: 18 µs in a virtual machine, more than a hundred records.
const WAKE_AT_HALF: u32 = 0;
/// `PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU`. Every record that is no sample bears
/// three words of it at its end: thread, time, core.
const SAMPLE_TYPE: u64 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 7;
const INHERIT: u64 = 1 << 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HV: u64 = 1 << 6;
const COMM: u64 = 1 << 9;
const TASK: u64 = 1 << 13;
const WATERMARK: u64 = 1 << 14;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const COMM_EXEC: u64 = 1 << 24;
const USE_CLOCKID: u64 = 1 << 25;
const CONTEXT_SWITCH: u64 = 1 << 26;
const INHERIT_THREAD: u64 = 1 << 35;
const REMOVE_ON_EXEC: u64 = 1 << 36;
const FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

const ENABLE: libc::c_ulong = 0x2400;
const DISABLE: libc::c_ulong = 0x2401;
const SET_OUTPUT: libc::c_ulong = 0x2405;

/// An open event: it lives as long as this does.
#[derive(Debug)]
pub struct Event(OwnedFd);

/// Opens an event for the thread with this number (a process's number is its first thread's) on one core.
#[expect(unsafe_code, reason = "libc has no wrapper for this system call")]
pub fn open(subject: Subject, tid: u32, core: u32) -> Result<Event, Errno> {
    const { assert!(size_of::<Attributes>() == 112) };
    let common = WATERMARK | INHERIT | EXCLUDE_KERNEL | EXCLUDE_HV | SAMPLE_ID_ALL | USE_CLOCKID;
    let plain = Attributes {
        kind: TYPE_SOFTWARE,
        size: size_of::<Attributes>() as u32,
        config: COUNT_SW_DUMMY,
        sample_type: SAMPLE_TYPE,
        clock: libc::CLOCK_MONOTONIC,
        wakeup_watermark: WAKE_AT_HALF,
        ..Attributes::default()
    };
    let attributes = match subject {
        Subject::Switches => Attributes { flags: common | CONTEXT_SWITCH, ..plain },
        Subject::Tree => Attributes { flags: common | CONTEXT_SWITCH | TASK | COMM | COMM_EXEC, ..plain },
        Subject::Word(address) | Subject::WordOfTree(address) | Subject::Byte(address) => Attributes {
            kind: TYPE_BREAKPOINT,
            config: 0,
            sample_period: 1,
            flags: match subject {
                Subject::WordOfTree(_) => common | REMOVE_ON_EXEC,
                _ => common | INHERIT_THREAD | REMOVE_ON_EXEC,
            },
            bp_type: BREAKPOINT_WRITE,
            config_1: address,
            config_2: if matches!(subject, Subject::Byte(_)) { 1 } else { 4 },
            ..plain
        },
    };
    // SAFETY: the kernel reads `size` bytes of the structure, which are there, and returns a descriptor that is ours
    // alone or an error.
    unsafe {
        let no_group: libc::c_int = -1;
        let event = libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            tid as libc::pid_t,
            core as libc::c_int,
            no_group,
            FLAG_FD_CLOEXEC,
        );
        match i32::try_from(event) {
            Ok(event @ 0..) => Ok(Event(OwnedFd::from_raw_fd(event))),
            _ => Err(last_error()),
        }
    }
}

impl Event {
    /// Whether it records from now on, with all that was inherited from it.
    pub fn enable(&self, on: bool) -> Result<(), Errno> {
        self.control(if on { ENABLE } else { DISABLE }, 0)
    }

    /// Writes into the ring of another event of the same core from now on.
    pub fn output_into(&self, other: &Event) -> Result<(), Errno> {
        self.control(SET_OUTPUT, other.0.as_raw_fd())
    }

    #[expect(unsafe_code, reason = "rustix has no requests of perf events")]
    fn control(&self, request: libc::c_ulong, argument: libc::c_int) -> Result<(), Errno> {
        // SAFETY: these requests take a number for an argument and touch no memory of ours.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), request as _, argument) } {
            0.. => Ok(()),
            _ => Err(last_error()),
        }
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

/// The numbers of the cores that are on, whether or not we may use them: the kernel's list, or as many as it counts.
pub fn online_cores() -> Vec<u32> {
    let listed = fs::read_to_string("/sys/devices/system/cpu/online").ok();
    let counted = || (0..std::thread::available_parallelism().map_or(1, usize::from) as u32).collect();
    listed.and_then(|list| parse_list(&list)).unwrap_or_else(counted)
}

/// A list of numbers as the kernel writes it: `0-3,6`.
pub(crate) fn parse_list(list: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_list("0-3,6\n"), Some(vec![0, 1, 2, 3, 6]));
        assert_eq!(parse_list("0"), Some(vec![0]));
        assert_eq!(parse_list(""), None);
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let of = |error| Refused::from_open(error, 42, Subject::Switches);
        assert_eq!(of(Errno::MFILE), Refused::Files);
        assert_eq!(of(Errno::SRCH).to_string(), "process 42 has ended");
        assert_eq!(of(Errno::NOSPC), Refused::Memory);
        assert_eq!(Refused::from_open(Errno::NOSPC, 1, Subject::Word(8)), Refused::NoWatchpoint);
        assert!(Refused::Paranoid(4).to_string().contains("sysctl"));
    }
}
