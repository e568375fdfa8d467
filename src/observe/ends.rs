//! How lanes end: in words, as the kernel tells it of their process.
//!
//! # The problem
//! Records tell when a thread ends, and not why. How a process ended its parent is told, who may ask for it at once and
//! before we could.
//!
//! # The choice
//! A descriptor is kept of each process, from when it is first seen: from Linux 6.15 on that tells how it ended, also once
//! its parent has asked; before, the kernel tells it as long as nobody has. A process's first thread ends as its process
//! does, and its end is told once that is known. Of other threads it is told that they are done, unless a signal ended
//! them with all of their process. Where nobody tells how a process ended, that is what is said.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::event::Nanos;
use crate::interp::signal_name;

use super::notice::{ENDED_SOMEHOW, Notice};
use super::process;
use super::watch::Watcher;

/// Of so many processes at once a descriptor is kept.
const MOST_LIVES: usize = 1024;
/// After its last thread has ended a process may take so long until it is known how.
const PATIENCE: Nanos = Nanos::from_millis(200);
/// Threads that a signal ends together do so within this.
const TOGETHER: Nanos = Nanos::from_millis(20);

pub(super) const DONE: &str = "done";
pub(super) const STILL_RUNNING: &str = "still running";

impl Watcher {
    /// A descriptor of a process that is new to us.
    pub(super) fn open_life(&self, pid: u32) -> Option<OwnedFd> {
        let kept = self.processes.values().filter(|process| process.life.is_some()).count();
        if kept < MOST_LIVES { super::open_life(pid) } else { None }
    }

    /// How a thread ended that has ended, in words; `None`: that may be known in a moment.
    pub(super) fn word_of_end(&mut self, tid: u32, upto: Nanos) -> Option<String> {
        let Some(tracked) = self.threads.get(&tid) else { return Some(DONE.to_owned()) };
        let (pid, at) = (tracked.pid, tracked.thread.ended_at().unwrap_or(upto));
        let Some(lane) = tracked.lane else { return Some(DONE.to_owned()) };
        if tid != pid {
            if let Some(process) = self.processes.get_mut(&pid) {
                process.ended_lately.retain(|(then, _)| *then + TOGETHER >= at);
                process.ended_lately.push((at, lane));
            }
            return Some(DONE.to_owned());
        }
        if upto != Nanos::MAX && self.threads.values().any(|it| it.pid == pid && !it.thread.has_ended()) {
            return None;
        }
        let life = self.processes.get(&pid).and_then(|process| process.life.as_ref());
        match process::exit_status(pid, life) {
            Some(status) => {
                let how = in_words(status);
                if status.signal().is_some() {
                    self.ended_together(pid, at, &how);
                }
                Some(how)
            }
            None if at + PATIENCE > upto => None,
            None => Some(ENDED_SOMEHOW.to_owned()),
        }
    }

    /// A signal ended a process: so it did those of its threads that ended with it.
    pub(super) fn ended_together(&mut self, pid: u32, at: Nanos, how: &str) {
        let process = self.processes.get_mut(&pid);
        let lanes = process.map(|process| std::mem::take(&mut process.ended_lately)).unwrap_or_default();
        let together = lanes.into_iter().filter(|(then, _)| *then + TOGETHER >= at).map(|(_, lane)| lane);
        self.notices.extend(together.map(|lane| Notice::LaneEnded { lane, how: how.to_owned() }));
    }

    /// How a thread ended that was there until the program ended, which `how` tells of; how it is, if its process goes on.
    pub(super) fn last_word(&self, tid: u32, pid: u32, how: &str) -> String {
        let is_first = tid == pid;
        if pid == self.root {
            let is_killed = how.starts_with("killed");
            return if is_first || is_killed { how } else { DONE }.to_owned();
        }
        let life = self.processes.get(&pid).and_then(|process| process.life.as_ref());
        match process::exit_status(pid, life) {
            Some(status) if is_first || status.signal().is_some() => in_words(status),
            Some(_) => DONE.to_owned(),
            None if process::is_alive(pid, tid) => STILL_RUNNING.to_owned(),
            None if is_first => ENDED_SOMEHOW.to_owned(),
            None => DONE.to_owned(),
        }
    }
}

/// How something ended: `done`, with which status, or what killed it.
pub(super) fn in_words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("killed by {}", signal_name(signal)),
        (None, Some(0)) => DONE.to_owned(),
        (None, code) => format!("ended with status {}", code.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_as_the_kernel_tells_it() {
        let words = |raw| in_words(ExitStatus::from_raw(raw));
        assert_eq!((words(0), words(3 << 8)), ("done".to_owned(), "ended with status 3".to_owned()));
        // The highest bit but one: it left a core dump.
        assert_eq!((words(9), words(6 | 0x80)), ("killed by SIGKILL".to_owned(), "killed by SIGABRT".to_owned()));
    }
}
