//! The kernel's record of who came onto a core and who left it: exact off-core time for every thread of a run.
//!
//! # The choice
//! One software event that counts nothing (`PERF_COUNT_SW_DUMMY`) is opened on
//! the run's first process for every core, with `context_switch` and
//! `inherit`: from then on the kernel writes 32 bytes into that core's ring
//! whenever a thread of that process, or of any process and thread that
//! descends from it, comes or goes. It needs no privilege on one's own
//! processes up to `perf_event_paranoid` 2, costs the watched threads some
//! 100 ns a switch, and its times are on our own clock.
//!
//! # Not chosen
//! The tracepoint `sched_switch` says as much but needs root. `schedstat` has
//! sums only. One event for each thread would have to be opened by the time
//! the thread runs, and be a descriptor each.
//!
//! See `perf_event_open(2)`.

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::io::Errno;

use crate::event::{CoreId, Nanos};
use crate::record::{Mapping, Switch, SwitchRecord, SwitchSource, thread_id};

/// Why the kernel does not tell of context switches. Off-core time is then known by heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchesRefused {
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
    /// The kernel was built without.
    #[error("this kernel has no perf events")]
    Missing,
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

impl SwitchesRefused {
    fn from_open(error: Errno, pid: u32) -> SwitchesRefused {
        match error {
            Errno::ACCESS | Errno::PERM => {
                let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok();
                match level.and_then(|level| level.trim().parse().ok()) {
                    Some(level) if level > 2 => SwitchesRefused::Paranoid(level),
                    _ => SwitchesRefused::Policy,
                }
            }
            Errno::NOSYS | Errno::NOENT | Errno::OPNOTSUPP => SwitchesRefused::Missing,
            Errno::MFILE | Errno::NFILE => SwitchesRefused::Files,
            Errno::NOMEM | Errno::NOSPC => SwitchesRefused::Memory,
            Errno::SRCH => SwitchesRefused::Gone(pid),
            other => SwitchesRefused::Other(other),
        }
    }
}

/// Whether this user may watch context switches at all.
pub fn probe() -> Result<(), SwitchesRefused> {
    Switches::watch(thread_id()).map(drop)
}

/// The switch records of a process and of all that descends from it.
#[derive(Debug)]
pub struct Switches {
    cores: Vec<CoreRing>,
    lost: u64,
}

#[derive(Debug)]
struct CoreRing {
    /// The event lives as long as its descriptor.
    _event: OwnedFd,
    memory: Mapping,
}

impl Switches {
    /// Watches the thread with this number (a process's number is its first thread's) and every thread and process it
    /// makes from now on. Threads it has already made are not covered.
    pub fn watch(pid: u32) -> Result<Switches, SwitchesRefused> {
        let mut cores = Vec::new();
        for core in online_cores() {
            match open(pid, core) {
                Ok(event) => cores.push(CoreRing { memory: map(&event)?, _event: event }),
                // Taken offline since we looked.
                Err(Errno::NODEV) => {}
                Err(error) => return Err(SwitchesRefused::from_open(error, pid)),
            }
        }
        if cores.is_empty() {
            return Err(SwitchesRefused::Missing);
        }
        Ok(Switches { cores, lost: 0 })
    }
}

impl SwitchSource for Switches {
    fn drain(&mut self, each: &mut dyn FnMut(SwitchRecord)) {
        for core in &self.cores {
            self.lost += core.drain(each);
        }
    }

    fn lost(&self) -> u64 {
        self.lost
    }
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
    wakeup_events: u32,
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
const COUNT_SW_DUMMY: u64 = 9;
/// `PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU`: three words at the end of every record.
const SAMPLE_TYPE: u64 = 1 << 1 | 1 << 2 | 1 << 7;
const INHERIT: u64 = 1 << 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HV: u64 = 1 << 6;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const USE_CLOCKID: u64 = 1 << 25;
const CONTEXT_SWITCH: u64 = 1 << 26;
const FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

#[expect(unsafe_code, reason = "libc has no wrapper for this system call")]
fn open(pid: u32, core: u32) -> Result<OwnedFd, Errno> {
    const { assert!(size_of::<Attributes>() == 112) };
    let attributes = Attributes {
        kind: TYPE_SOFTWARE,
        size: size_of::<Attributes>() as u32,
        config: COUNT_SW_DUMMY,
        sample_type: SAMPLE_TYPE,
        flags: INHERIT | EXCLUDE_KERNEL | EXCLUDE_HV | SAMPLE_ID_ALL | USE_CLOCKID | CONTEXT_SWITCH,
        clock: libc::CLOCK_MONOTONIC,
        ..Attributes::default()
    };
    // SAFETY: the kernel reads `size` bytes of the structure, which are there, and returns a descriptor that is ours
    // alone or an error.
    unsafe {
        let no_group: libc::c_int = -1;
        let event = libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            pid as libc::pid_t,
            core as libc::c_int,
            no_group,
            FLAG_FD_CLOEXEC,
        );
        match i32::try_from(event) {
            Ok(event @ 0..) => Ok(OwnedFd::from_raw_fd(event)),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        }
    }
}

/// Maps an event's ring: 256 KiB, some 8,000 switches, or what the limit on locked memory leaves.
fn map(event: &OwnedFd) -> Result<Mapping, SwitchesRefused> {
    let page = rustix::param::page_size();
    let mut pages = 64;
    loop {
        match Mapping::new(event, (pages + 1) * page) {
            Ok(memory) => return Ok(memory),
            Err(Errno::PERM | Errno::NOMEM) if pages > 1 => pages /= 2,
            Err(Errno::PERM | Errno::NOMEM) => return Err(SwitchesRefused::Memory),
            Err(error) => return Err(SwitchesRefused::Other(error)),
        }
    }
}

/// Words of `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024 / 8;
const DATA_TAIL: usize = 1032 / 8;

const RECORD_LOST: u32 = 2;
const RECORD_SWITCH: u32 = 14;
const MISC_SWITCH_OUT: u16 = 1 << 13;
const MISC_SWITCH_OUT_PREEMPT: u16 = 1 << 14;

impl CoreRing {
    /// Hands over what there is; how many records the kernel says it dropped.
    fn drain(&self, each: &mut dyn FnMut(SwitchRecord)) -> u64 {
        let (page, data) = self.memory.words().split_at(rustix::param::page_size() / 8);
        let head = page[DATA_HEAD].load(Ordering::Acquire) / 8;
        let mut tail = page[DATA_TAIL].load(Ordering::Relaxed) / 8;
        let word = |at: u64| data[at as usize & (data.len() - 1)].load(Ordering::Relaxed);
        let mut lost = 0;
        while tail < head {
            let header = word(tail);
            let (kind, misc, words) = (header as u32, (header >> 32) as u16, (header >> 48) / 8);
            if words == 0 {
                // Not a record. It cannot be, but a loop without end must not follow from it.
                lost += 1;
                tail = head;
                break;
            }
            match kind {
                RECORD_SWITCH => each(record(misc, [word(tail + 1), word(tail + 2), word(tail + 3)])),
                RECORD_LOST => lost += word(tail + 2),
                _ => {}
            }
            tail += words;
        }
        page[DATA_TAIL].store(tail * 8, Ordering::Release);
        lost
    }
}

/// A switch record out of its flags and its three words: pid and tid, time, core.
fn record(misc: u16, [who, at, core]: [u64; 3]) -> SwitchRecord {
    let change = match misc & MISC_SWITCH_OUT != 0 {
        true => Switch::Out { preempted: misc & MISC_SWITCH_OUT_PREEMPT != 0 },
        false => Switch::In,
    };
    let core = u16::try_from(core as u32).map_or(CoreId::UNKNOWN, CoreId);
    SwitchRecord { at: Nanos(at), tid: (who >> 32) as u32, core, change }
}

/// The numbers of the cores that are on, whether or not we may use them: the kernel's list, or as many as it counts.
fn online_cores() -> Vec<u32> {
    let listed = fs::read_to_string("/sys/devices/system/cpu/online").ok();
    listed.and_then(|list| parse_list(&list)).unwrap_or_else(|| (0..super::machine::cores_allowed() as u32).collect())
}

/// A list of numbers as the kernel writes it: `0-3,6`.
fn parse_list(list: &str) -> Option<Vec<u32>> {
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
    use std::collections::BTreeMap;
    use std::process::Command;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn lists_of_cores_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_list("0-3,6\n"), Some(vec![0, 1, 2, 3, 6]));
        assert_eq!(parse_list("0"), Some(vec![0]));
        assert_eq!(parse_list(""), None);
    }

    #[test]
    fn a_record_is_read_from_its_flags_and_words() {
        let words = [7 << 32 | 5, 99, 3];
        let expected = |change| SwitchRecord { at: Nanos(99), tid: 7, core: CoreId(3), change };
        assert_eq!(record(0, words), expected(Switch::In));
        assert_eq!(record(1 << 13, words), expected(Switch::Out { preempted: false }));
        assert_eq!(record(1 << 13 | 1 << 14, words), expected(Switch::Out { preempted: true }));
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        assert_eq!(SwitchesRefused::from_open(Errno::MFILE, 1), SwitchesRefused::Files);
        assert_eq!(SwitchesRefused::from_open(Errno::SRCH, 42).to_string(), "process 42 has ended");
        assert!(SwitchesRefused::Paranoid(4).to_string().contains("sysctl"));
    }

    #[test]
    fn threads_and_processes_born_under_watch_come_and_go_in_turns() {
        if let Err(refused) = probe() {
            assert!(std::env::var_os("GILSCOPE_REQUIRE_PERF").is_none(), "{refused}");
            eprintln!("skipped: {refused}");
            return;
        }
        let mut switches = Switches::watch(thread_id()).unwrap();
        let sleepers: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn(|| {
                    (0..5).for_each(|_| thread::sleep(Duration::from_millis(1)));
                    thread_id()
                })
            })
            .collect();
        let mut born: Vec<_> = sleepers.into_iter().map(|sleeper| sleeper.join().unwrap()).collect();
        let mut process = Command::new("sleep").arg("0.01").spawn().unwrap();
        born.push(process.id());
        process.wait().unwrap();

        let mut of_thread: BTreeMap<u32, Vec<SwitchRecord>> = BTreeMap::new();
        switches.drain(&mut |record| of_thread.entry(record.tid).or_default().push(record));
        assert_eq!(switches.lost(), 0);
        for tid in born {
            let records = of_thread.get_mut(&tid).expect("every thread that sleeps leaves its core");
            records.sort_by_key(|record| record.at);
            assert!(records.iter().filter(|record| record.change == Switch::In).count() >= 1);
            for pair in records.windows(2) {
                assert_ne!(pair[0].change == Switch::In, pair[1].change == Switch::In, "{pair:?}");
            }
        }
        let mut again = 0;
        switches.drain(&mut |record| again += usize::from(record.tid != thread_id()));
        assert_eq!(again, 0, "what was handed over is forgotten");
    }
}
