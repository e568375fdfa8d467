//! What a process has below it, and how all of that is ended.
//!
//! Who ignores the signal by which one is asked to end (SIGTERM) may be there to tidy up behind the others, as the resource
//! tracker of `multiprocessing` is: it removes semaphores and shared memory once nobody has its pipe open any more, and ends.
//! It would leave them behind if it were killed with the rest.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};
use signal_hook::consts::SIGTERM;

/// How long those get who may tidy up behind the others, once these are gone: to remove some files takes milliseconds.
pub const PATIENCE_WITH_THE_LAST: Duration = Duration::from_millis(500);

/// The children of a process, those of all its threads.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// All that descend from a process; itself not.
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        // Who gets another parent meanwhile is met twice.
        let new: Vec<u32> = children(parent).into_iter().filter(|child| !found.contains(child)).collect();
        found.extend(new);
    }
    found
}

/// Whether a process ignores a signal, so that to wait for what it makes of it is to wait in vain; or holds it back, as one
/// does that is about to ignore it.
pub fn ignores(pid: u32, signal: i32) -> bool {
    let is_in = |set: &str| (signals_in(&status(pid), set) >> (signal - 1)) & 1 == 1;
    // Who handles it just now holds it back, too, for as long as that takes; who was about to ignore it may do so by then.
    is_in("SigIgn:")
        || is_in("SigBlk:") && {
            thread::sleep(HANDLED);
            is_in("SigBlk:") || is_in("SigIgn:")
        }
}

/// A signal is handled within that time: what handlers of Python's do is to note it.
const HANDLED: Duration = Duration::from_millis(20);

fn status(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default()
}

/// Whether that is the status of one that has ended.
fn has_ended(status: &str) -> bool {
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_none_or(|state| state.trim_start().starts_with(['Z', 'X']))
}

/// The signals in a line of `/proc/PID/status`, a bit each.
fn signals_in(status: &str, line: &str) -> u64 {
    let mask = status.lines().find_map(|text| text.strip_prefix(line));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Kills these of those that heed the signal by which one is asked to end; the others go on, to tidy up. Says whether there
/// were any that do.
pub(super) fn kill_those_that_heed(pids: &[u32]) -> bool {
    // Who has ended and was not waited for heeds nothing any more.
    let living = pids.iter().filter(|pid| !has_ended(&status(**pid)));
    let (ignoring, heeding): (Vec<u32>, Vec<u32>) = living.partition(|pid| ignores(**pid, SIGTERM));
    send(Signal::KILL, &heeding);
    // One that is stopped tidies up nothing.
    send(Signal::CONT, &ignoring);
    !heeding.is_empty()
}

/// Sends a signal to these.
pub fn send(signal: Signal, pids: &[u32]) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
        // It may have ended by itself this instant.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Ends all that is below the calling process, which must be the reaper of its descendants
/// (`PR_SET_CHILD_SUBREAPER`): whoever loses its parent becomes its child, whatever group or session it went into, so it is
/// enough to end those below until there are none. Those that may tidy up behind the others are the last.
pub fn end_all_below() {
    let own = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    let mut until = Instant::now() + PATIENCE_WITH_THE_LAST;
    loop {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        let left = descendants(own);
        if left.is_empty() {
            return;
        }
        if kill_those_that_heed(&left) {
            until = until.max(Instant::now() + PATIENCE_WITH_THE_LAST);
        } else if Instant::now() >= until {
            send(Signal::KILL, &left);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_is_and_does_with_signals_is_read() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000001005000\n";
        assert_eq!((signals_in(status, "SigIgn:"), signals_in(status, "SigBlk:")), (0x100_5000, 1));
        assert_eq!(signals_in("Name:\tx\n", "SigIgn:"), 0);
        assert!(has_ended("") && has_ended("Name:\tx\nState:\tZ (zombie)\n") && !has_ended("State:\tS (sleeping)\n"));
    }
}
