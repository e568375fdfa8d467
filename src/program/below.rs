//! What a process has below it, and how all of that is ended.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

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

/// Kills the children of a process.
pub(super) fn kill_children(pid: u32) {
    for child in children(pid).into_iter().filter_map(|child| Pid::from_raw(child.cast_signed())) {
        let _ = rustix::process::kill_process(child, Signal::KILL);
    }
}

/// Ends all that is below the calling process, which must be the reaper of its descendants
/// (`PR_SET_CHILD_SUBREAPER`): whoever loses its parent becomes its child, whatever group or session it went into, so it is
/// enough to end children until there are none.
pub fn end_all_below() {
    let own = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    loop {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        if children(own).is_empty() {
            return;
        }
        kill_children(own);
        std::thread::sleep(Duration::from_millis(1));
    }
}
