//! Who made whom, and which processes are there to help others.
//!
//! Records tell of each birth which thread it was that made it. Of processes that were there before, the kernel keeps a list
//! of children with each thread; of threads that were there before, nobody tells who made them. What made a process may
//! have no lane, a shell for instance: then the lane that made that counts.

use std::fs;

use crate::event::LaneId;

use super::observed::{Process, Stage};
use super::process;
use super::tracked::Tracked;
use super::watch::Watcher;

/// How the helpers of `multiprocessing` are started (Lib/multiprocessing/resource_tracker.py, forkserver.py), and what they
/// are called.
const HELPERS: [(&str, &str); 2] = [
    ("from multiprocessing.resource_tracker import main", "resource tracker"),
    ("from multiprocessing.forkserver import main", "forkserver"),
];

/// As many makers of makers are looked through for one with a lane.
const MOST_ABOVE: usize = 64;

/// What a program is called that helps others, by its command line.
fn helper_name(command: &[String]) -> Option<&'static str> {
    let code = command.iter().skip_while(|word| *word != "-c").nth(1)?;
    HELPERS.iter().find(|(import, _)| code.contains(import)).map(|(_, name)| *name)
}

/// The children of a process with the threads that made them, as far as those are there still.
pub(super) fn children_by_maker(pid: u32) -> Vec<(u32, u32)> {
    let of_thread = |tid: u32| {
        let list = fs::read_to_string(format!("/proc/{pid}/task/{tid}/children")).unwrap_or_default();
        list.split_ascii_whitespace().filter_map(|child| Some((child.parse().ok()?, tid))).collect::<Vec<_>>()
    };
    process::threads(pid).into_iter().flat_map(of_thread).collect()
}

impl Process {
    /// What it is called if it is there to help others. A copy of such a one has its command line, too, and is none.
    pub(super) fn helper(&self) -> Option<&'static str> {
        if self.is_copy { None } else { helper_name(&process::command(self.pid)) }
    }
}

impl Watcher {
    /// A thread was made by that one.
    pub(super) fn made_by(&mut self, tid: u32, maker: u32) {
        let parent = self.threads.get(&maker).and_then(|maker| maker.lane.or(maker.parent));
        if let Some(tracked) = self.threads.get_mut(&tid) {
            tracked.parent = parent.or(tracked.parent);
            tracked.maker = Some(maker);
        }
    }

    /// A copy of a Python that executed nothing else has a lane, even if nobody has looked at it before it ends: when it was
    /// born, when it ended and when it had a core is recorded. Says whether it got it now.
    pub(super) fn show_unseen_copy(&mut self, pid: u32) -> bool {
        self.processes.get(&pid).is_some_and(Process::is_copy_of_python) && self.show_unseen(pid)
    }

    /// One that has ended before anybody has looked, and whose program's file is named as Python's are, has a lane as well.
    pub(super) fn show_unseen_program(&mut self, pid: u32) -> bool {
        let is_unseen = |process: &Process| match process.stage {
            Stage::Waiting => process.comm.starts_with(b"python"),
            Stage::Python => !process.is_copy,
            Stage::Unsupported => true,
            Stage::Foreign => false,
        };
        self.processes.get(&pid).is_some_and(is_unseen) && self.show_unseen(pid)
    }

    fn show_unseen(&mut self, pid: u32) -> bool {
        let unseen = self.threads.get(&pid).filter(|it| it.lane.is_none() && !it.thread.has_ended());
        if let Some(since) = unseen.map(|unseen| unseen.thread.since) {
            self.count(pid);
            self.make_lane(pid, since);
            return self.threads.get(&pid).is_some_and(|it| it.lane.is_some());
        }
        false
    }

    /// Who made a process has a lane before it: it would pass for its maker's maker's. So has the first thread of a copy of
    /// Python before the threads that it made.
    pub(super) fn show_maker_of(&mut self, tid: u32) {
        let Some(made) = self.threads.get(&tid) else { return };
        if tid != made.pid {
            let pid = made.pid;
            self.show_unseen_copy(pid);
            return;
        }
        let maker = made.maker.and_then(|maker| self.threads.get(&maker));
        let maker = maker.filter(|it| it.pid != made.pid && it.met_at <= made.met_at).map(|it| it.pid);
        // If its copy is Python so is he, whoever made him.
        let is_copy = |process: &Process| process.is_copy && process.stage == Stage::Python;
        let is_python = self.processes.get(&made.pid).is_some_and(is_copy);
        if let Some(maker) = maker {
            let _ = if is_python { self.show_unseen(maker) } else { self.show_unseen_copy(maker) };
        }
    }

    /// The lane that made a thread, or the nearest above it.
    pub(super) fn parent_of(&self, tid: u32) -> Option<LaneId> {
        let tracked = self.threads.get(&tid)?;
        // It may have got its lane since; if it has ended its number may be another's by now, of one who is younger.
        let maker_of = |made: &Tracked| {
            let maker = made.maker.and_then(|maker| self.threads.get(&maker));
            maker.filter(|maker| maker.met_at <= made.met_at)
        };
        let makers = std::iter::successors(maker_of(tracked), |maker| maker_of(maker)).take(MOST_ABOVE);
        let above = makers
            .clone()
            .find_map(|maker| maker.lane)
            .or_else(|| makers.clone().filter_map(|maker| maker.parent).last());
        let above = above.or(tracked.parent);
        // Of a thread that was there before it may not be known yet that it is Python's: then it is its process.
        above.or_else(|| {
            let of_process = |maker: &Tracked| self.threads.get(&maker.pid).and_then(|first| first.lane);
            makers.filter(|maker| maker.pid != tracked.pid).find_map(of_process)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Nanos;

    #[test]
    fn helpers_are_known_by_how_they_are_started() {
        let named = |words: &[&str]| helper_name(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let tracker = "from multiprocessing.resource_tracker import main;main(5)";
        assert_eq!(named(&["/usr/bin/python3", "-E", "-s", "-c", tracker]), Some("resource tracker"));
        let forkserver = "from multiprocessing.forkserver import main; main(7, 8, ['__main__'], **{})";
        assert_eq!(named(&["python3", "-c", forkserver]), Some("forkserver"));
        let from_3_15 =
            "import sys; from multiprocessing.forkserver import main; main(7, 8, [], sys_argv=sys.argv[1:], **{})";
        assert_eq!(named(&["python3", "-c", from_3_15, "a.py"]), Some("forkserver"));
        let spawned = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=6, pipe_handle=8)";
        assert_eq!(named(&["python3", "-c", spawned, "--multiprocessing-fork"]), None);
        assert_eq!((named(&["python3", tracker]), named(&["python3", "-c"]), named(&[])), (None, None, None));
    }

    #[test]
    fn one_whose_lane_begins_late_is_the_maker_of_what_it_made_before() {
        let [first, child, grandchild] = [0, 1, 2].map(|it| (1 << 22) + it);
        let mut watcher = Watcher::new(first, false);
        for (pid, at) in [(first, 10), (child, 20), (grandchild, 50)] {
            watcher.processes.insert(pid, Process::new(pid, None, Nanos(at)));
            watcher.track(pid, pid, Nanos(at), false);
        }
        watcher.made_by(child, first);
        watcher.made_by(grandchild, child);
        watcher.upto = Nanos(100);
        watcher.make_lane(first, Nanos(100));
        watcher.make_lane(child, Nanos(110));
        let lane = |tid: u32| watcher.threads[&tid].lane;
        assert_eq!((watcher.parent_of(child), watcher.parent_of(grandchild)), (lane(first), lane(child)));
        assert!(lane(child).is_some());
    }

    #[test]
    fn the_threads_of_a_copy_are_its_first_threads_and_not_its_makers() {
        let [first, child, thread, native, callback] = [0, 1, 2, 3, 4].map(|it| (1 << 22) + it);
        let mut watcher = Watcher::new(first, false);
        watcher.processes.insert(first, Process::new(first, None, Nanos(10)));
        let mut copy = Process::new(child, None, Nanos(20));
        (copy.is_copy, copy.was_born_python) = (true, true);
        watcher.processes.insert(child, copy);
        watcher.track(first, first, Nanos(10), false);
        watcher.make_lane(first, Nanos(10));
        for (at, tid, maker) in [(20, child, first), (30, thread, child), (40, native, child), (50, callback, native)] {
            watcher.track(child, tid, Nanos(at), true);
            watcher.made_by(tid, maker);
        }
        // It takes the lock before anybody has seen that its maker is Python's.
        watcher.make_lane(thread, Nanos(60));
        watcher.make_lane(callback, Nanos(70));
        let lane = |tid: u32| watcher.threads[&tid].lane;
        assert!(lane(child).is_some() && lane(native).is_none());
        assert_eq!(watcher.parent_of(child), lane(first));
        assert_eq!((watcher.parent_of(thread), watcher.parent_of(callback)), (lane(child), lane(child)));
    }

    #[test]
    fn our_own_children_are_those_of_our_threads() {
        let mut child = std::process::Command::new("sleep").arg("10").spawn().unwrap();
        let found = children_by_maker(std::process::id());
        child.kill().and_then(|()| child.wait()).unwrap();
        assert!(found.iter().any(|(pid, _)| *pid == child.id()), "{found:?}");
    }
}
