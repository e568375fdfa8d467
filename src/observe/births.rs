//! Births of which nobody tells, and births that are too many.

use crate::clock;
use crate::event::Nanos;

use super::kin;
use super::observed::Stage;
use super::process;
use super::watch::Watcher;

/// If more threads than these are born a second it is said that to record it slows the program: each birth takes some 30 µs
/// longer.
const MANY: f64 = 500.0;
/// How often it is looked, where nobody tells of births, whether anything was born at all; if so, where.
const OFTEN: Nanos = Nanos::from_millis(3);
/// How often in any case.
const SELDOM: Nanos = Nanos::from_millis(250);
/// To look where, too, is repeated after so many times what it takes, at least.
const SHARE: u64 = 64;
/// As many children of one process are followed from one look on.
const MOST_CHILDREN: usize = 1024;

/// What is known of births of processes and threads in all.
#[derive(Default)]
pub(super) struct Births {
    /// When it is looked next for those of which nobody tells, and when that was last done.
    due: Nanos,
    at: Nanos,
    /// Which number the kernel had given last by then.
    last_number: Option<u32>,
    numbers: Option<process::LastNumber>,
    /// How many were recorded, by now and when that was last asked.
    recorded: u64,
    recorded_before: u64,
    /// Whether it is said that some may be missed, and that they are many.
    tells_missed: bool,
    tells_many: bool,
}

impl Births {
    /// One more was recorded.
    pub(super) fn recorded(&mut self) {
        self.recorded += 1;
    }
}

impl Watcher {
    /// Follows the children of those that are followed, and theirs, of whose births nobody has told.
    pub(super) fn adopt_children(&mut self, at: Nanos) {
        let mut parents: Vec<u32> = self.processes.keys().copied().chain(self.keeper).collect();
        while let Some(parent) = parents.pop() {
            let is_keeper = self.keeper == Some(parent);
            let children = kin::children_by_maker(parent).into_iter();
            let new = children.filter(|(pid, _)| !self.processes.contains_key(pid) && !process::is_zombie(*pid));
            let new: Vec<(u32, u32)> = new.take(MOST_CHILDREN).collect();
            for (child, maker) in new {
                if !is_keeper {
                    self.track(parent, maker, at, false);
                }
                self.cover(child);
                self.adopt(child, at, Some(maker));
                parents.push(child);
            }
        }
    }

    /// Looks for processes that were born since, where no records tell of births.
    pub(super) fn look_for_births(&mut self, now: Nanos) {
        if self.recorder.is_on() || now < self.births.due {
            return;
        }
        self.births.due = now + OFTEN;
        let last = self.births.numbers.get_or_insert_with(process::LastNumber::open).read();
        if last.is_some() && last == self.births.last_number && now < self.births.at + SELDOM {
            return;
        }
        (self.births.last_number, self.births.at) = (last, now);
        let begin = clock::on_cpu();
        self.adopt_children(now);
        self.track_all(now);
        // By our own time: with a busy machine looks are not dear, only late.
        let took = clock::on_cpu() - begin;
        self.births.due = now + OFTEN.max(Nanos(took.0.saturating_mul(SHARE)));
    }

    /// Follows the threads of Python's processes of whose births nobody has told: of those that are not Python's, which no
    /// list of the interpreter names, it is to be known how long they were on cores.
    fn track_all(&mut self, now: Nanos) {
        let pythons =
            self.processes.values().filter(|process| process.stage == Stage::Python).map(|process| process.pid);
        for pid in pythons.collect::<Vec<_>>() {
            // One that has ended keeps its number until it is waited for: it would be new each time.
            let new = |tid: &u32| !self.threads.contains_key(tid) && process::is_alive(pid, *tid);
            let new: Vec<u32> = process::threads(pid).into_iter().filter(new).collect();
            new.into_iter().for_each(|tid| self.track(pid, tid, now, false));
        }
    }

    /// Says, where nobody tells of births, that children may have been missed: once, and only if there are any.
    pub(super) fn tell_of_missed_births(&mut self, now: Nanos) {
        let may_miss = !self.recorder.is_on() && !self.births.tells_missed;
        if may_miss && (self.processes.len() > 1 || process::had_children(self.root)) {
            self.births.tells_missed = true;
            let text =
                "the kernel does not tell us of births: a child that lives for a few milliseconds may have been missed";
            self.alarm(now, text.to_owned());
        }
    }

    /// Says, once, if threads are born so often that to record it slows the program, in the `seconds` since it was last asked.
    pub(super) fn tell_of_many_births(&mut self, now: Nanos, seconds: f64) {
        let births = self.births.recorded - std::mem::replace(&mut self.births.recorded_before, self.births.recorded);
        let a_second = births as f64 / seconds;
        if a_second > MANY && !std::mem::replace(&mut self.births.tells_many, true) {
            let text = format!(
                "{a_second:.0} threads or processes are born a second: what it takes to record each of them slows this program"
            );
            self.alarm(now, text);
        }
    }
}
