//! What lanes are called.
//!
//! A thread has up to three names: the one Python gave it ([`super::name`]), the one it told the kernel, and its number
//! among the threads of its process. Of one that was born while records are made, the kernel's records tell what it
//! called itself; until then it bears its maker's name, which is not its own. Names are read soon after a thread's birth,
//! since Python notes them only once the thread runs, and now and then afterwards, since they change.

use std::collections::BTreeMap;

use crate::clock;
use crate::event::Nanos;
use crate::text::{of_cut, printable};

use super::notice::Notice;
use super::observed::Process;
use super::process;
use super::tracked::Tracked;
use super::watch::Watcher;

/// When a thread's name is read again that was there before us: programs name their threads after they began.
const SETTLED_NAME: Nanos = Nanos::from_millis(50);
/// How often a new thread is looked for among Python's, each time after twice as long; the first after this.
const TRIES: u8 = 9;
const FIRST: Nanos = Nanos::from_millis(1);
/// From this try on it is also looked whether `threading` has been imported meanwhile.
const ANEW: u8 = 4;
/// How many threads later than those that are looked for are read on the way to them.
const LATER: usize = 16;
/// How often all names are read again: what a thread was called anew later than this before its end is not known.
const SELDOM: Nanos = Nanos::from_millis(100);
/// Looks for names may take a hundredth of a core, and a thousandth once they are known.
const SHARE: u64 = 100;
const SELDOM_SHARE: u64 = 1000;

/// What a command line executes: a script, a module (`-m`), code of its own (`-c`), or else the program.
fn executed(command: &[String]) -> String {
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut words = command.iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-c" => return "-c".to_owned(),
            "-m" => return words.next().cloned().unwrap_or_default(),
            "-X" | "-W" => _ = words.next(),
            option if option.starts_with('-') => {}
            script => return base(script),
        }
    }
    command.first().map(|program| base(program)).unwrap_or_default()
}

/// The names of one thread.
#[derive(Debug, Default)]
pub(super) struct Naming {
    /// What its lane is called.
    pub(super) lane: String,
    /// Its number among the threads of its process.
    pub(super) number: u32,
    /// What its process is called, if that is there to help others and it is the first thread of it.
    helper: Option<&'static str>,
    /// What Python calls it.
    python: Option<String>,
    /// What the kernel calls it, if that is its own.
    kernel: Option<String>,
    /// Whether records tell what it calls itself.
    is_recorded: bool,
    /// How often it was looked for, and when it is to be next.
    tries: u8,
    due: Nanos,
    settled: bool,
}

impl Naming {
    /// Of a thread that records tell of since its birth, or of another.
    pub(super) fn new(is_recorded: bool) -> Naming {
        Naming { is_recorded, ..Naming::default() }
    }

    /// The name it has of its own. What Python calls a thread that it did not make (`Dummy-1`) says less than any other.
    fn own(&self) -> Option<&String> {
        let python = self.python.as_ref();
        python.filter(|name| !name.starts_with("Dummy-")).or(self.kernel.as_ref()).or(python)
    }

    /// What its lane is to be called now.
    pub(super) fn lane_name(&self, process: &Process, tid: u32) -> String {
        let prefix = match process.index.unwrap_or_default() {
            0 => String::new(),
            number => format!("process {}", number + 1),
        };
        if tid == process.pid {
            return match &self.helper {
                _ if prefix.is_empty() => "main".to_owned(),
                Some(helper) => (*helper).to_owned(),
                None => prefix,
            };
        }
        let own = self.own().cloned().unwrap_or_else(|| format!("thread {}", self.number));
        if prefix.is_empty() { own } else { format!("{prefix} {own}") }
    }

    /// Asks the kernel, if its records do not tell; of a process's first thread, with what it was started.
    pub(super) fn ask_kernel(&mut self, process: &Process, tid: u32) {
        if tid == process.pid {
            self.helper = process.helper();
        }
        if !self.is_recorded && tid != process.pid {
            let name = process::name(process.pid, tid);
            // Where nothing tells that another program was executed, and its memory may not be read, what was read of its
            // first thread may be the name from before.
            let common = process::name(process.pid, process.pid);
            let is_common = |name: &String| *name == process.common_name || Some(name) == common.as_ref();
            self.kernel = name.filter(|name| !is_common(name) && !name.is_empty());
        }
    }

    /// Whether it is to be looked for among Python's threads.
    fn is_due(&self, now: Nanos) -> bool {
        self.python.is_none() && self.tries < TRIES && self.due <= now
    }
}

/// When names are to be read.
#[derive(Debug, Default)]
pub(super) struct NamesDue {
    /// Of new threads, at the earliest.
    new: Nanos,
    /// Of all.
    all: Nanos,
}

impl Watcher {
    /// The name of a lock, if no other bears it; else with the program that it is of. A process that executes another
    /// program has another lock then.
    pub(super) fn unused_lock_name(&mut self, pid: u32, name: String) -> String {
        let program = || printable(&executed(&process::command(pid)));
        let mut unused = name.clone();
        let mut times = 1;
        while !self.lock_names.insert(unused.clone()) {
            unused = match times {
                1 => format!("{name} ({})", program()),
                times => format!("{name} ({}, {times})", program()),
            };
            times += 1;
        }
        unused
    }

    /// A thread has told the kernel what it is called.
    pub(super) fn thread_renamed(&mut self, tid: u32, name: &[u8; 16]) {
        let Some(tracked) = self.threads.get_mut(&tid) else { return };
        let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let name = of_cut(&name[..length], process::MOST_OF_NAME);
        tracked.naming.kernel = Some(name).filter(|name| !name.trim().is_empty());
        self.call_lane(tid);
    }

    /// It is known anew what a process executes: its first thread is called by that.
    pub(super) fn call_process(&mut self, pid: u32) {
        if let (Some(tracked), Some(process)) = (self.threads.get_mut(&pid), self.processes.get(&pid)) {
            tracked.naming.ask_kernel(process, pid);
            self.call_lane(pid);
        }
    }

    /// Tells the name of a lane if it is another than was told.
    fn call_lane(&mut self, tid: u32) {
        let Some(tracked) = self.threads.get_mut(&tid) else { return };
        let (Some(lane), Some(process)) = (tracked.lane, self.processes.get(&tracked.pid)) else { return };
        let name = tracked.naming.lane_name(process, tid);
        if name != tracked.naming.lane {
            tracked.naming.lane.clone_from(&name);
            self.notices.push(Notice::Named { lane, name });
        }
    }

    /// Reads the names that are due.
    pub(super) fn read_names(&mut self, now: Nanos) {
        let mut settled = Vec::new();
        let mut wanted: BTreeMap<u32, (usize, bool)> = BTreeMap::new();
        let all = self.names_due.all <= now;
        for (tid, tracked) in &mut self.threads {
            let Tracked { pid, thread, lane: Some(_), naming, .. } = tracked else { continue };
            if *tid == *pid || thread.has_ended() {
                continue;
            }
            if !naming.settled && thread.since + SETTLED_NAME <= now {
                naming.settled = true;
                settled.push(*tid);
            }
            if all || naming.is_due(now) && self.names_due.new <= now {
                let (count, anew) = wanted.entry(*pid).or_default();
                *count += 1;
                *anew |= naming.tries >= ANEW || all;
            }
        }
        for tid in settled {
            if let Some(tracked) = self.threads.get_mut(&tid)
                && let Some(process) = self.processes.get(&tracked.pid)
            {
                tracked.naming.ask_kernel(process, tid);
                self.call_lane(tid);
            }
        }
        // By our own time: with a busy machine reads are not dear, only late.
        let begin = if wanted.is_empty() { Nanos::ZERO } else { clock::on_cpu() };
        for (pid, (count, anew)) in &wanted {
            let most = if all { usize::MAX } else { count + LATER };
            self.read_names_of(*pid, most, *anew, now);
        }
        let lasted = if wanted.is_empty() { Nanos::ZERO } else { clock::on_cpu() - begin };
        self.names_due.new = now + Nanos(lasted.0.saturating_mul(SHARE));
        if all {
            self.names_due.all = now + SELDOM.max(Nanos(lasted.0.saturating_mul(SELDOM_SHARE)));
        }
    }

    fn read_names_of(&mut self, pid: u32, most: usize, anew: bool, now: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        for (tid, name) in process.thread_names(most, anew) {
            if let Some(tracked) = self.threads.get_mut(&tid).filter(|it| it.pid == pid) {
                tracked.naming.python = Some(name);
                self.call_lane(tid);
            }
        }
        let missed = self.threads.values_mut().filter(|it| it.pid == pid && it.lane.is_some());
        for naming in missed.map(|it| &mut it.naming).filter(|naming| naming.is_due(now)) {
            naming.due = now + Nanos(FIRST.0 << naming.tries);
            naming.tries += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_by_its_script_its_module_or_its_own_name() {
        let called = |line: &str| executed(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(called("/usr/bin/python3 -u -X dev /srv/b.py --fast"), "b.py");
        assert_eq!(called("python3 -m http.server 80"), "http.server");
        assert_eq!(called("python3 -c pass"), "-c");
        assert_eq!(called("/opt/bin/uwsgi"), "uwsgi");
    }

    #[test]
    fn a_lane_is_called_by_the_best_name_its_thread_has() {
        let mut process = Process::new(1 << 22, Some(0), Nanos::ZERO);
        let mut naming = Naming { number: 3, ..Naming::new(true) };
        let name = |naming: &Naming, process: &Process| naming.lane_name(process, 7);
        assert_eq!(name(&naming, &process), "thread 3");
        naming.kernel = Some("pool".to_owned());
        naming.python = Some("Dummy-1".to_owned());
        assert_eq!(name(&naming, &process), "pool");
        naming.python = Some("reader".to_owned());
        assert_eq!((name(&naming, &process), naming.lane_name(&process, 1 << 22)), ("reader".into(), "main".into()));
        process.index = Some(1);
        assert_eq!(name(&naming, &process), "process 2 reader");
        assert_eq!(naming.lane_name(&process, 1 << 22), "process 2");
    }

    #[test]
    fn a_name_that_a_thread_has_from_its_process_is_not_its_own_whatever_was_executed_since() {
        let (pid, tid) = (std::process::id(), crate::record::thread_id());
        let mut process = Process::new(pid, Some(0), Nanos::ZERO);
        let first = std::mem::replace(&mut process.common_name, "before-exec".to_owned());
        let called = |name: &str| {
            std::fs::write(format!("/proc/{pid}/task/{tid}/comm"), name).unwrap();
            let mut naming = Naming { number: 3, ..Naming::new(false) };
            naming.ask_kernel(&process, tid);
            naming.lane_name(&process, tid)
        };
        assert_eq!(["pool", "before-exec", &first].map(called), ["pool", "thread 3", "thread 3"]);
    }

    #[test]
    fn one_that_is_not_among_pythons_threads_is_not_looked_for_for_ever() {
        let mut naming = Naming::new(true);
        let mut now = Nanos::ZERO;
        let mut looks = 0;
        while now < Nanos::from_secs(10) {
            if naming.is_due(now) {
                looks += 1;
                naming.due = now + Nanos(FIRST.0 << naming.tries);
                naming.tries += 1;
            }
            now += FIRST;
        }
        assert_eq!(looks, u32::from(TRIES));
    }
}
