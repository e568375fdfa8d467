//! Processes that are stopped: by `SIGSTOP`, job control, a debugger.
//!
//! # The problem
//! A process that is stopped looks like one whose lock is held without end by a thread that sleeps in nothing.
//!
//! # The choice
//! The state of a process costs one read of `/proc`, which is made when it may have been stopped: all its threads have
//! left their cores, one of them since the last look, and a hundred times a second at most. All threads of one that is stopped leave their cores at that, so it
//! was stopped when the last of them did, and goes on when the first comes back. Where that is not recorded, it is looked
//! as often in any case.

use std::collections::HashMap;

use crate::event::Nanos;
use crate::interp::signal_name;

use super::notice::{Alarm, Notice};
use super::observed::Stage;
use super::process::{self, StoppedBy};
use super::watch::{Item, Watcher};

/// How often it is looked where nobody tells who leaves his core.
const LOOKED: Nanos = Nanos::from_millis(10);
/// How often in any case: an event may have been lost.
const SELDOM: Nanos = Nanos::from_millis(250);
/// So many stops are told one by one: a debugger may make a thousand a second.
const MOST_TOLD: usize = 32;

/// What is known of a process's being stopped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Halt {
    /// When it was last looked at.
    looked_at: Nanos,
    /// Whether it is stopped.
    stopped: bool,
    /// When the first of its threads came back to a core since, as far as it has.
    woken: Option<Nanos>,
    /// Since when that is told, by what, and which alarm tells of it.
    told: Option<(Nanos, StoppedBy, Option<usize>)>,
}

impl Halt {
    /// One of its threads came onto a core.
    pub(super) fn woke(&mut self, at: Nanos) {
        if self.stopped {
            self.woken = Some(self.woken.map_or(at, |first| first.min(at)));
        }
    }

    /// Whether it is told to be stopped.
    pub(super) fn is_told(&self) -> bool {
        self.told.is_some()
    }
}

/// The threads of a process: whether all have left their cores, and when the last did; where that is recorded.
#[derive(Clone, Copy, Default)]
struct Threads {
    asleep: bool,
    last: Nanos,
}

impl Watcher {
    /// Looks which processes are stopped and which go on.
    pub(super) fn look_for_halts(&mut self, now: Nanos) {
        let records = self.recorder.is_on();
        let mut threads: HashMap<u32, Threads> = HashMap::new();
        for tracked in self.threads.values().filter(|tracked| records && !tracked.thread.has_ended()) {
            let all = threads.entry(tracked.pid).or_insert(Threads { asleep: true, last: Nanos::ZERO });
            all.asleep &= tracked.asleep.is_some();
            all.last = all.last.max(tracked.asleep.unwrap_or_default());
        }
        for process in self.processes.values_mut().filter(|process| process.stage != Stage::Waiting) {
            let all = threads.get(&process.pid).copied().unwrap_or_default();
            let halt = &mut process.halt;
            let due = match () {
                () if halt.stopped || halt.looked_at + SELDOM <= now => true,
                // When it was is known from the records, however late it is seen.
                () if records && !(all.asleep && all.last > halt.looked_at) => false,
                () => halt.looked_at + LOOKED <= now,
            };
            if !due {
                continue;
            }
            let seen = process::stopped_by(process.pid);
            halt.looked_at = now;
            match seen {
                Some(by) if !halt.stopped => {
                    halt.stopped = true;
                    halt.woken = None;
                    let at = if all.asleep { all.last } else { now };
                    self.pending.push((at, Item::Halt { pid: process.pid, by: Some(by) }));
                }
                None if halt.stopped => {
                    halt.stopped = false;
                    let at = halt.woken.take().unwrap_or(now);
                    self.pending.push((at, Item::Halt { pid: process.pid, by: None }));
                }
                Some(_) if all.asleep => halt.woken = None,
                _ => {}
            }
        }
    }

    /// A process is stopped by that, or by nothing any more.
    pub(super) fn tell_halt(&mut self, pid: u32, at: Nanos, by: Option<StoppedBy>) {
        let Some(number) = self.processes.get(&pid).and_then(|process| process.index) else { return };
        let stopped = by.is_some();
        let since = self.since_began(at);
        match (by, self.processes.get_mut(&pid).map(|process| &mut process.halt)) {
            (Some(by), Some(halt)) => {
                self.stops += 1;
                let tells = self.stops <= MOST_TOLD;
                halt.told = Some((at, by, tells.then_some(self.alarms.len())));
                if tells {
                    let last = if self.stops == MOST_TOLD { "; later stops are not told one by one" } else { "" };
                    let text = format!(
                        "process {pid} is stopped by {}: that time is no hold and no wait (kill -CONT {pid} lets it go \
                         on){last}",
                        in_words(by)
                    );
                    self.alarms.push(Alarm { at: since, until: None, text });
                }
            }
            (None, Some(halt)) => {
                let Some((stopped_at, by, index)) = halt.told.take() else { return };
                if let Some(alarm) = index.and_then(|index| self.alarms.get_mut(index)) {
                    alarm.until = Some(since);
                    alarm.text = format!(
                        "process {pid} was stopped by {} and continued after {}: that time is no hold and no wait",
                        in_words(by),
                        at - stopped_at
                    );
                }
            }
            _ => return,
        }
        self.notices.push(Notice::Halt { process: number, at, stopped });
        self.is_news = true;
    }
}

fn in_words(by: StoppedBy) -> String {
    match by {
        StoppedBy::Signal(Some(signal)) => signal_name(signal),
        StoppedBy::Signal(None) => "a signal".to_owned(),
        StoppedBy::Tracer => "a debugger".to_owned(),
    }
}
