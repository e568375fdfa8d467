//! What a thread asks the kernel about itself.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::event::{CoreId, Nanos};

/// The core the calling thread is on. No system call: glibc reads it from memory the kernel keeps up to date.
#[expect(unsafe_code, reason = "rustix makes a system call of it, at every event")]
#[inline]
pub fn core_now() -> CoreId {
    // SAFETY: takes nothing, returns a number.
    let core = unsafe { libc::sched_getcpu() };
    u16::try_from(core).map_or(CoreId::UNKNOWN, CoreId)
}

/// The calling thread's number in the kernel (its `tid`).
pub fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// What the kernel has booked for a thread. `None`: it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Time on a core.
    pub on_cpu: Option<Nanos>,
    /// Where that comes from.
    pub evidence: Option<AccountsEvidence>,
    /// Time waiting for one, though it could have gone on.
    pub runqueue: Option<Nanos>,
    /// How often it gave its core up.
    pub voluntary: Option<u64>,
    /// How often it was taken from its core.
    pub involuntary: Option<u64>,
}

impl Accounts {
    /// What was booked after `before`, an earlier look at the same thread.
    pub fn since(&self, before: &Accounts) -> Accounts {
        let time =
            |now: Option<Nanos>, then: Option<Nanos>| Some(Nanos(now?.0.saturating_sub(then.map_or(0, |then| then.0))));
        let count = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then.unwrap_or(0)));
        Accounts {
            on_cpu: time(self.on_cpu, before.on_cpu),
            evidence: self.evidence,
            runqueue: time(self.runqueue, before.runqueue),
            voluntary: count(self.voluntary, before.voluntary),
            involuntary: count(self.involuntary, before.involuntary),
        }
    }
}

/// Where the sums of a thread's times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountsEvidence {
    /// The kernel's context-switch records, summed up.
    SwitchRecords,
    /// The kernel's own sums in `/proc/PID/task/TID/schedstat`, as last read: of a thread that ended, some hundredths of a
    /// second before its end.
    Schedstat,
}

/// Reads how long a thread was on a core and how long it waited for one, by the kernel's own sums, keeping the file open:
/// a system call each time.
#[derive(Debug)]
pub struct ThreadTimes(Option<File>);

impl ThreadTimes {
    /// Of a thread of a process.
    pub fn open(pid: u32, tid: u32) -> ThreadTimes {
        ThreadTimes(File::open(format!("/proc/{pid}/task/{tid}/schedstat")).ok())
    }

    /// On a core, and waiting for one, as they stand; none once it has ended.
    pub fn read(&self) -> Option<(Nanos, Nanos)> {
        let mut text = [0; 96];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        parse_schedstat(std::str::from_utf8(&text[..length]).ok()?)
    }
}

/// Reads the calling thread's [`Accounts`], keeping the file open.
#[derive(Debug)]
pub struct ThreadAccounts {
    /// Stays the opening thread's: the link is followed when it is opened.
    schedstat: ThreadTimes,
}

impl ThreadAccounts {
    /// Of the calling thread.
    pub fn open() -> ThreadAccounts {
        ThreadAccounts { schedstat: ThreadTimes(File::open("/proc/thread-self/schedstat").ok()) }
    }

    /// As they stand: about two system calls.
    pub fn read(&self) -> Accounts {
        let times = self.schedstat.read();
        let switches = switches_of_this_thread();
        Accounts {
            on_cpu: times.map(|(on_cpu, _)| on_cpu),
            evidence: times.map(|_| AccountsEvidence::Schedstat),
            runqueue: times.map(|(_, runqueue)| runqueue),
            voluntary: switches.map(|(voluntary, _)| voluntary),
            involuntary: switches.map(|(_, involuntary)| involuntary),
        }
    }
}

/// `on_cpu runqueue timeslices`, the times in nanoseconds.
fn parse_schedstat(text: &str) -> Option<(Nanos, Nanos)> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Some((Nanos(numbers.next()?.ok()?), Nanos(numbers.next()?.ok()?)))
}

/// Asks that the calling thread, when it wakes up, gets its core at once for so long, instead of when who has the core pauses.
/// A wish: kernels before 6.12 know no such thing, and threads of a real-time policy need none.
#[expect(unsafe_code, reason = "rustix has neither sched_getattr nor sched_setattr")]
pub fn wish_for_slices_of(span: Nanos) {
    const SIZE: u32 = size_of::<libc::sched_attr>() as u32;
    let mut wish = std::mem::MaybeUninit::<libc::sched_attr>::zeroed();
    // SAFETY: the kernel fills as much of the structure as it is told there is; all zeros are valid for it, should it fill
    // less.
    let mut wish = unsafe {
        if libc::syscall(libc::SYS_sched_getattr, 0, wish.as_mut_ptr(), SIZE, 0) != 0 {
            return;
        }
        wish.assume_init()
    };
    if ![libc::SCHED_OTHER, libc::SCHED_BATCH].contains(&(wish.sched_policy as i32)) {
        return;
    }
    wish.size = SIZE;
    wish.sched_runtime = span.0;
    // What it starts does not inherit it.
    wish.sched_flags |= libc::SCHED_FLAG_RESET_ON_FORK as u64;
    // SAFETY: the kernel reads a structure that is there.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wish, 0) };
}

/// How often the calling thread gave its core up, and how often it was taken away.
#[expect(unsafe_code, reason = "rustix has no getrusage")]
pub fn switches_of_this_thread() -> Option<(u64, u64)> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the structure it is given; all zeros are valid for it, should it fill less.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) != 0 {
            return None;
        }
        usage.assume_init()
    };
    Some((usage.ru_nvcsw.cast_unsigned(), usage.ru_nivcsw.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_is_read_or_refused() {
        assert_eq!(parse_schedstat("12 34 5\n"), Some((Nanos(12), Nanos(34))));
        assert_eq!(parse_schedstat(""), None);
        assert_eq!(parse_schedstat("12 minus"), None);
    }

    #[test]
    fn a_threads_accounts_only_grow() {
        let accounts = ThreadAccounts::open();
        let before = accounts.read();
        std::thread::yield_now();
        let after = accounts.read();
        assert!(after.on_cpu >= before.on_cpu && after.voluntary >= before.voluntary);
        assert_ne!(core_now(), CoreId::UNKNOWN);
    }
}
