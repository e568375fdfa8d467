//! What a thread sleeps in, by `/proc/PID/task/TID/syscall`.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::event::{Detail, State};

/// What a thread is doing, as the kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It is on a core or queues for one.
    Running,
    /// It sleeps in a system call.
    In {
        /// The call's number.
        call: u32,
        /// Its first argument.
        argument: u64,
    },
    /// It sleeps, but in no system call: a page it waits for, or it is stopped.
    Elsewhere,
    /// It is not told.
    Hidden,
    /// It does nothing any more.
    Ended,
}

/// The file that tells of one thread, kept open: reading it anew is one system call.
#[derive(Debug)]
pub struct Doings(Option<File>);

impl Doings {
    /// Of a thread of a process.
    pub fn open(pid: u32, tid: u32) -> Doings {
        Doings(File::open(format!("/proc/{pid}/task/{tid}/syscall")).ok())
    }

    /// What it is doing now.
    pub fn read(&self) -> Doing {
        let mut text = [0; 256];
        match self.0.as_ref().map(|file| file.read_at(&mut text, 0)) {
            Some(Ok(length)) => std::str::from_utf8(&text[..length]).map_or(Doing::Hidden, parse),
            Some(Err(error)) if error.raw_os_error() == Some(libc::ESRCH) => Doing::Ended,
            _ => Doing::Hidden,
        }
    }
}

/// `running`, `-1 0x… 0x…`, or the call's number, its six arguments, stack and instruction pointer.
pub fn parse(text: &str) -> Doing {
    let mut words = text.split_ascii_whitespace();
    match words.next() {
        Some("running") => Doing::Running,
        Some("-1") => Doing::Elsewhere,
        Some(call) => {
            let argument = words.next().and_then(|word| word.strip_prefix("0x"));
            let argument = argument.and_then(|hex| u64::from_str_radix(hex, 16).ok());
            match (call.parse(), argument) {
                (Ok(call), Some(argument)) => Doing::In { call, argument },
                _ => Doing::Hidden,
            }
        }
        None => Doing::Hidden,
    }
}

const CALLS: &[(libc::c_long, &str, Detail)] = &[
    (libc::SYS_read, "read", Detail::File),
    (libc::SYS_write, "write", Detail::File),
    (libc::SYS_readv, "readv", Detail::File),
    (libc::SYS_writev, "writev", Detail::File),
    (libc::SYS_pread64, "pread64", Detail::File),
    (libc::SYS_pwrite64, "pwrite64", Detail::File),
    (libc::SYS_openat, "openat", Detail::File),
    (libc::SYS_fsync, "fsync", Detail::File),
    (libc::SYS_fdatasync, "fdatasync", Detail::File),
    (libc::SYS_flock, "flock", Detail::File),
    (libc::SYS_fcntl, "fcntl", Detail::File),
    (libc::SYS_sendfile, "sendfile", Detail::File),
    (libc::SYS_select, "select", Detail::Poll),
    (libc::SYS_pselect6, "pselect6", Detail::Poll),
    (libc::SYS_poll, "poll", Detail::Poll),
    (libc::SYS_ppoll, "ppoll", Detail::Poll),
    (libc::SYS_epoll_wait, "epoll_wait", Detail::Epoll),
    (libc::SYS_epoll_pwait, "epoll_pwait", Detail::Epoll),
    (libc::SYS_epoll_pwait2, "epoll_pwait2", Detail::Epoll),
    (libc::SYS_nanosleep, "nanosleep", Detail::Sleep),
    (libc::SYS_clock_nanosleep, "clock_nanosleep", Detail::Sleep),
    (libc::SYS_pause, "pause", Detail::Sleep),
    (libc::SYS_rt_sigtimedwait, "rt_sigtimedwait", Detail::Sleep),
    (libc::SYS_connect, "connect", Detail::Socket),
    (libc::SYS_accept, "accept", Detail::Socket),
    (libc::SYS_accept4, "accept4", Detail::Socket),
    (libc::SYS_recvfrom, "recvfrom", Detail::Socket),
    (libc::SYS_recvmsg, "recvmsg", Detail::Socket),
    (libc::SYS_sendto, "sendto", Detail::Socket),
    (libc::SYS_sendmsg, "sendmsg", Detail::Socket),
    (libc::SYS_vfork, "vfork", Detail::Child),
    (libc::SYS_wait4, "wait4", Detail::Child),
    (libc::SYS_waitid, "waitid", Detail::Child),
    (libc::SYS_sched_yield, "sched_yield", Detail::None),
    (libc::SYS_futex, "futex", Detail::None),
    (libc::SYS_munmap, "munmap", Detail::None),
    (libc::SYS_madvise, "madvise", Detail::None),
    (libc::SYS_mmap, "mmap", Detail::None),
    (libc::SYS_mprotect, "mprotect", Detail::None),
    (libc::SYS_ioctl, "ioctl", Detail::File),
    (libc::SYS_execve, "execve", Detail::File),
    // Who sends himself a signal that stops him.
    (libc::SYS_kill, "kill", Detail::None),
];

/// The name of a system call, as in its manual; its number if it is none that often blocks.
pub fn call_name(call: u32) -> String {
    let known = CALLS.iter().find(|(number, ..)| *number == libc::c_long::from(call));
    known.map_or_else(|| format!("system call {call}"), |(_, name, _)| (*name).to_owned())
}

/// Whether sleeping in this call is sleeping in a lock.
pub fn is_futex(call: u32) -> bool {
    matches!(libc::c_long::from(call), libc::SYS_futex | libc::SYS_futex_waitv)
}

/// The state of one who sleeps in this call. Of a futex: where it is not known which locks are the interpreter's.
pub fn state_in(call: u32) -> (State, Detail) {
    if is_futex(call) {
        return (State::Sleeping, Detail::None);
    }
    let known = CALLS.iter().find(|(number, ..)| *number == libc::c_long::from(call));
    match known {
        // Off core in the middle of memory management: neither I/O nor anything that was asked for.
        Some((_, _, Detail::None)) => (State::Unknown, Detail::None),
        Some((_, _, detail)) => (State::Io, *detail),
        None => (State::Io, Detail::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(parse("running\n"), Doing::Running);
        assert_eq!(parse("-1 0x7ffc 0x7f00\n"), Doing::Elsewhere);
        let futex = "202 0x7f1c2d0 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f11\n";
        assert_eq!(parse(futex), Doing::In { call: 202, argument: 0x7f1_c2d0 });
        assert_eq!(parse(""), Doing::Hidden);
        assert!(is_futex(202) && !is_futex(230));
        assert_eq!((call_name(230).as_str(), state_in(230)), ("clock_nanosleep", (State::Io, Detail::Sleep)));
        assert_eq!([58, 59, 62].map(call_name), ["vfork", "execve", "kill"]);
        assert_eq!(call_name(9999), "system call 9999");
    }

    #[test]
    fn a_futex_alone_does_not_tell_whose_lock_it_is() {
        assert_eq!((call_name(202).as_str(), state_in(202)), ("futex", (State::Sleeping, Detail::None)));
    }

    #[test]
    fn one_who_asks_is_running() {
        let own = Doings::open(std::process::id(), crate::record::thread_id());
        assert!(!matches!(own.read(), Doing::Elsewhere), "this thread reads its own file");
    }

    proptest! {
        #[test]
        fn any_text_is_an_answer(text in "[ -~\n]{0,80}") {
            let _ = parse(&text);
        }
    }
}
