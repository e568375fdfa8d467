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
//!
//! What a program leaves running is left alone, and named when the program has ended, once those have had a moment that
//! end with it.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::clock::{Clock, Monotonic};
use crate::event::{LaneId, Nanos};
use crate::interp::signal_name;
use crate::program::descendants;

use super::notice::{ENDED_SOMEHOW, Notice};
use super::process;
use super::watch::Watcher;

/// Of so many processes at once a descriptor is kept.
const MOST_LIVES: usize = 1024;
/// After its last thread has ended a process may take so long until it is known how.
const PATIENCE: Nanos = Nanos::from_millis(200);
/// Threads that a signal ends together do so within this.
const TOGETHER: Nanos = Nanos::from_millis(20);
/// The first of a process whose memory is written to a file (`core`) ends when that is done.
const DUMPED: Nanos = Nanos::from_secs(1);

/// Who is about to end when its maker has ended gets so long: a pool's workers, who tidies up behind them.
const LEAVING: Nanos = Nanos::from_millis(300);
/// How often it is looked whether they have.
const LOOKED: Duration = Duration::from_millis(5);
/// So many of those that live on are named in a sentence.
const NAMED: usize = 8;

pub(super) const DONE: &str = "done";
pub(super) const STILL_RUNNING: &str = "still running";

/// A thread that has ended, not the first of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    at: Nanos,
    lane: LaneId,
    /// How far its process's first thread had come by then, where records tell.
    first: Option<Come>,
}

/// How long a thread has been on cores, and how often it has slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Come {
    on_cpu: Nanos,
    sleeps: u64,
}

impl Ended {
    /// Whether it may have ended by what ends its process at `at`, whose first thread has come so far by then: who is killed
    /// must have a core to die on, and may queue for it for long.
    fn may_be_together(&self, at: Nanos, first: Option<Come>, within: Nanos) -> bool {
        let queued_since =
            |(then, now): (Come, Come)| then.sleeps == now.sleeps && now.on_cpu - then.on_cpu <= TOGETHER;
        self.at + within >= at || self.first.zip(first).is_some_and(queued_since)
    }
}

impl Watcher {
    /// How far the first thread of a process has come, where records tell.
    fn first_of(&self, pid: u32) -> Option<Come> {
        let thread = &self.threads.get(&pid).filter(|_| self.recorder.is_on())?.thread;
        Some(Come { on_cpu: thread.on_cpu_until(self.upto), sleeps: thread.switches.0 })
    }

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
            let first = self.first_of(pid);
            if let Some(process) = self.processes.get_mut(&pid) {
                // Those of before are together the less.
                while process.ended_lately.pop_front_if(|ended| !ended.may_be_together(at, first, DUMPED)).is_some() {}
                process.ended_lately.push_back(Ended { at, lane, first });
            }
            return Some(DONE.to_owned());
        }
        if upto != Nanos::MAX && self.threads.values().any(|it| it.pid == pid && !it.thread.has_ended()) {
            return None;
        }
        let life = self.processes.get(&pid).and_then(|process| process.life.as_ref());
        match process::exit_status(pid, life) {
            Some(status) => {
                self.ended_together(pid, at, status);
                Some(in_words(status))
            }
            None if at + PATIENCE > upto => None,
            None => Some(ENDED_SOMEHOW.to_owned()),
        }
    }

    /// If a signal ended a process, so it did those of its threads that ended with it.
    pub(super) fn ended_together(&mut self, pid: u32, at: Nanos, status: ExitStatus) {
        if status.signal().is_none() {
            return;
        }
        let within = if status.core_dumped() { DUMPED } else { TOGETHER };
        let first = self.first_of(pid);
        let process = self.processes.get_mut(&pid);
        let ended = process.map(|process| std::mem::take(&mut process.ended_lately)).unwrap_or_default();
        let together = ended.into_iter().filter(|ended| ended.may_be_together(at, first, within));
        let word = |ended: Ended| Notice::LaneEnded { lane: ended.lane, how: in_words(status) };
        self.notices.extend(together.map(word));
    }

    /// Says which processes live on, now that the program has ended: a daemon has left it on purpose, and its end is not ours
    /// to bring about.
    pub(super) fn tell_who_lives_on(&mut self, at: Nanos) {
        self.program.left_running = self.who_lives_on();
        if let Some(text) = lives_on(&self.program.left_running) {
            self.alarm(at, text);
        }
    }

    /// The observed processes that are still there, and what descends from them. Some are just about to end.
    fn who_lives_on(&self) -> Vec<u32> {
        let until = Monotonic.now() + LEAVING;
        let lives = |pid: &u32| process::threads(*pid).into_iter().any(|tid| process::is_alive(*pid, tid));
        loop {
            let mut living: BTreeSet<u32> = self.processes.keys().copied().filter(lives).collect();
            let below: Vec<u32> = living.iter().flat_map(|pid| descendants(*pid)).filter(lives).collect();
            living.extend(below);
            living.remove(&self.root);
            if living.is_empty() || Monotonic.now() >= until {
                return living.into_iter().collect();
            }
            std::thread::sleep(LOOKED);
        }
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

/// That these processes live on, in a sentence; none if there are none.
fn lives_on(pids: &[u32]) -> Option<String> {
    let named: Vec<String> = pids.iter().take(NAMED).map(u32::to_string).collect();
    let more = match pids.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = named.join(", ");
    match pids.len() {
        0 => None,
        1 => Some(format!("the program has ended, but one process of it lives on, which is left alone: pid {named}")),
        count => Some(format!(
            "the program has ended, but {count} processes of it live on, which are left alone: pids {named}{more}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_that_live_on_it_is_said_how_many_and_some_are_named() {
        assert_eq!(lives_on(&[]), None);
        let said = |pids: &[u32]| lives_on(pids).unwrap_or_default();
        assert!(said(&[7]).ends_with("one process of it lives on, which is left alone: pid 7"));
        let many: Vec<u32> = (1..=10).collect();
        assert!(said(&many).contains("10 processes of it live on"), "{}", said(&many));
        assert!(said(&many).ends_with("pids 1, 2, 3, 4, 5, 6, 7, 8 and 2 more"), "{}", said(&many));
    }

    #[test]
    fn who_ended_before_its_process_did_so_with_it_if_the_first_thread_has_only_queued_since() {
        let ms = Nanos::from_millis;
        let come = |on_cpu, sleeps| Some(Come { on_cpu: ms(on_cpu), sleeps });
        let ended = |first| Ended { at: ms(100), lane: LaneId(1), first };
        let first = come(30, 2);
        assert!(ended(first).may_be_together(ms(110), come(40, 3), TOGETHER), "at nearly the same time");
        assert!(ended(first).may_be_together(ms(300), come(31, 2), TOGETHER));
        assert!(!ended(first).may_be_together(ms(300), come(31, 3), TOGETHER), "it was asleep, and lived on");
        assert!(!ended(first).may_be_together(ms(300), come(90, 2), TOGETHER), "it worked on");
        assert!(!ended(None).may_be_together(ms(300), None, TOGETHER), "nobody knows what it did");
        assert!(ended(None).may_be_together(ms(300), None, DUMPED));
    }

    #[test]
    fn an_end_is_told_as_the_kernel_tells_it() {
        let words = |raw| in_words(ExitStatus::from_raw(raw));
        assert_eq!((words(0), words(3 << 8)), ("done".to_owned(), "ended with status 3".to_owned()));
        // The highest bit but one: it left a core dump.
        assert_eq!((words(9), words(6 | 0x80)), ("killed by SIGKILL".to_owned(), "killed by SIGABRT".to_owned()));
    }
}
