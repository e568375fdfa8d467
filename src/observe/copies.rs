//! Processes that are copies of their makers: what they have of them, and that they are watched from birth.
//!
//! # The problem
//! Whoever is forked begins with a copy of all memory of its maker, the lock
//! included, and may live for a millisecond. Until somebody has looked into it
//! and opened watchpoints, nothing would be known of it.
//!
//! # The choice
//! The watchpoints on the lock of a main interpreter are inherited by processes
//! as well as by threads: a copy has its lock at the same address, so the kernel
//! records each write from its birth on, whether or not anybody ever looks into
//! it. And what the first of them is need not be seen either: if its maker held
//! the lock, as whoever calls `os.fork` does, its copy holds it, and makes it
//! anew (`_PyEval_ReInitThreads` in Python/ceval_gil.c): a drop and a take.
//! Who never writes has borrowed its maker's memory to execute a program
//! (`vfork`), or was made by native code.
//!
//! Events that were inherited can be switched on and off only with those of
//! whom they are inherited, all at once. So once a single one of such a family
//! takes its lock too often, each is given watchpoints of its own
//! ([`Watcher::part`]); those of that one its children do not inherit.

use std::sync::Arc;

use crate::event::{Detail, Nanos, State};
use crate::perf::{Refused, Subject};

use super::lock::Mode;
use super::notice::Notice;
use super::observed::{Process, Stage};
use super::recorder::{Inherits, Watchpoints};
use super::watch::Watcher;

impl Process {
    /// The watchpoints that it has inherited, on this word.
    pub(super) fn inherited(&self, word: u64) -> Option<Arc<Watchpoints>> {
        self.inherits
            .as_ref()
            .filter(|(inherited, _)| *inherited == word)
            .map(|(_, watchpoints)| Arc::clone(watchpoints))
    }
}

impl Watcher {
    /// What one has inherited that was born of this process at `at`: watchpoints, and the word that they are on.
    pub(super) fn inherited_of(&mut self, maker: u32, at: Nanos) -> Option<(u64, Arc<Watchpoints>)> {
        if let Some(inherited) = self.processes.get(&maker).and_then(|maker| maker.inherits.clone()) {
            return Some(inherited);
        }
        let locks = self.locks.iter().zip(&self.watchpoints).filter(|(lock, _)| lock.pid == maker);
        let mut watched = locks.filter_map(|(lock, watchpoints)| Some((lock.word, watchpoints.as_ref()?)));
        let (word, watchpoints) = watched.find(|(_, watchpoints)| watchpoints.inherits(at) != Inherits::Nothing)?;
        let watchpoints = Arc::clone(watchpoints);
        match watchpoints.inherits(at) {
            Inherits::All => Some((word, watchpoints)),
            _ => {
                // On some cores it has them and on others it has not.
                self.part(watchpoints);
                None
            }
        }
    }

    /// Gives all that have inherited these watchpoints some of their own.
    pub(super) fn part(&mut self, shared: Arc<Watchpoints>) {
        for process in self.processes.values_mut() {
            process.inherits.take_if(|(_, inherited)| Arc::ptr_eq(inherited, &shared));
        }
        let has_them = |it: &Option<Arc<Watchpoints>>| it.as_ref().is_some_and(|it| Arc::ptr_eq(it, &shared));
        let of_them: Vec<usize> =
            self.watchpoints.iter().enumerate().filter(|(_, it)| has_them(it)).map(|(index, _)| index).collect();
        of_them.iter().for_each(|index| self.watchpoints[*index] = None);
        // Closed before others are opened: a write is to be recorded once.
        drop(shared);
        for index in of_them {
            self.watch_alone(index);
        }
    }

    fn watch_alone(&mut self, index: usize) {
        let (pid, word, mode) = (self.locks[index].pid, self.locks[index].word, self.locks[index].mode);
        // What is switched off and on again is to be so alone.
        let subject = if mode == Mode::Exact { Subject::WordOfTree(word) } else { Subject::Word(word) };
        match self.recorder.watch(pid, subject) {
            Ok(watchpoints) => {
                if mode == Mode::Exact {
                    self.locks[index].watch();
                } else {
                    watchpoints.enable(false);
                }
                self.watchpoints[index] = Some(Arc::new(watchpoints));
            }
            // It has ended: nobody takes its lock any more.
            Err(Refused::Gone(_)) => {}
            Err(why) => {
                let lock = &mut self.locks[index];
                lock.sample(None);
                lock.reason = Some(why.to_string());
                self.mark_sampled(pid);
            }
        }
        self.say_whether_known(index, self.upto);
    }

    /// The lock of a copy to whose word somebody wrote, if it is watched by what it has inherited: it is met now, if nobody
    /// has looked at it so far, and it is known who has held it from birth if that is known of its maker.
    pub(super) fn lock_of_copy(&mut self, pid: u32, tid: u32, word: u64, at: Nanos) -> Option<usize> {
        let process = self.processes.get(&pid)?;
        let is_copy = process.is_copy_of_python() && at >= process.since && tid == pid;
        let watchpoints = process.inherited(word).filter(|_| is_copy)?;
        let (born_with, ..) = process.born_with?;
        let of_maker = self.locks.get(born_with.index()).filter(|lock| lock.word == word)?;
        let (address, maker) = (of_maker.address, of_maker.pid);
        let index = match self.by_word.get(&(pid, word)) {
            Some(index) => *index,
            None => {
                let runtime = self.processes.get(&maker).and_then(|maker| maker.runtime.clone());
                if let Some(process) = self.processes.get_mut(&pid) {
                    process.stage = Stage::Python;
                    process.runtime = process.runtime.take().or(runtime);
                }
                self.count(pid);
                self.add_gil(pid, (address, word), 0, Ok(watchpoints), at)?
            }
        };
        if self.locks[index].held_from_birth(tid) {
            self.locks[index].span(at);
            if let Some(tracked) = self.threads.get_mut(&tid) {
                tracked.thread.was_awake(State::Starting, Detail::Fork);
            }
            self.say_whether_known(index, at);
            self.reveal(pid, at);
        }
        Some(index)
    }

    /// A process was made by a thread that may hold a lock, of which it has a copy then.
    pub(super) fn note_born_with(&mut self, pid: u32, maker: u32) {
        let Some(maker) = self.threads.get(&maker) else { return };
        let held = maker.thread.holds().and_then(|lock| self.locks.get(lock.index()));
        let held = held.filter(|lock| lock.mode == Mode::Exact && lock.is_gil());
        if let Some(process) = self.processes.get_mut(&pid) {
            process.born_with = held.map(|lock| (lock.id, lock.takes, maker.thread.switches.0));
        }
    }

    /// What one did that has a lane and has ended before anybody has looked. Whoever is forked by a thread that holds the
    /// lock holds his copy of it and runs Python, until he first sleeps as far as is known; nobody was there to see him drop
    /// it. But if his maker slept meanwhile and kept the lock, he borrowed its memory (`vfork`) and was to execute a
    /// program, which failed: he ran nothing of Python's.
    pub(super) fn tell_unseen_copy(&mut self, pid: u32) {
        let Some((lock, takes, sleeps)) = self.processes.get(&pid).and_then(|process| process.born_with) else {
            return;
        };
        let maker = self.threads.get(&pid).and_then(|it| it.maker).and_then(|maker| self.threads.get(&maker));
        let is_kept = self.locks.get(lock.index()).is_some_and(|lock| lock.takes == takes);
        let is_lent = maker
            .is_some_and(|maker| is_kept && maker.thread.holds() == Some(lock) && maker.thread.switches.0 > sleeps);
        let Some(tracked) = self.threads.get_mut(&pid) else { return };
        if is_lent {
            tracked.thread.was_awake(State::Starting, Detail::Fork);
        } else {
            tracked.thread.was_awake(State::Running, Detail::None);
            self.notices.extend(tracked.lane.map(Notice::Sampled));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CoreId, EventKind, LockId};
    use crate::observe::watch::Item;
    use crate::perf::{Record, What};

    const WORD: u64 = 0x1010;
    const FIRST: u32 = 1 << 22;
    const COPY: u32 = FIRST + 1;

    /// A process whose lock is watched, which its first thread holds or not as it forks.
    fn forks(is_held: bool) -> Watcher {
        let mut watcher = Watcher::new(FIRST, false);
        (watcher.began, watcher.upto, watcher.told) = (Nanos(0), Nanos(0), Nanos(0));
        let mut first = Process::new(FIRST, Some(0), Nanos(1));
        (first.stage, first.is_followed) = (Stage::Python, true);
        watcher.processes.insert(FIRST, first);
        watcher.track(FIRST, FIRST, Nanos(1), false);
        let watchpoints = Watchpoints::of_tree_opened(Nanos(10), Nanos(20));
        watcher.add_gil(FIRST, (WORD - 16, WORD), 0, Ok(Arc::new(watchpoints)), Nanos(20));
        watcher.locks[0].held_from_birth(FIRST);
        record(&mut watcher, 30, FIRST, FIRST, What::Wrote { address: WORD });
        if is_held {
            record(&mut watcher, 40, FIRST, FIRST, What::Wrote { address: WORD });
        }
        watcher
    }

    fn record(watcher: &mut Watcher, at: u64, pid: u32, tid: u32, what: What) {
        let record = Record { at: Nanos(at), pid, tid, core: CoreId(0), what };
        watcher.pending.push((record.at, Item::Record(record)));
        watcher.tell(Nanos(at));
    }

    fn born(watcher: &mut Watcher, at: u64) {
        record(watcher, at, COPY, COPY, What::Born { maker: FIRST, parent: FIRST });
        record(watcher, at + 10, COPY, COPY, What::In);
    }

    #[test]
    fn who_is_forked_holds_his_copy_of_the_lock_and_makes_it_anew() {
        let mut watcher = forks(true);
        born(&mut watcher, 100);
        assert_eq!(watcher.locks.len(), 1, "it may have borrowed its maker's memory");
        for at in [120, 130, 200] {
            record(&mut watcher, at, COPY, COPY, What::Wrote { address: WORD });
        }
        record(&mut watcher, 250, COPY, COPY, What::Ended);
        let lock = &watcher.locks[1];
        assert_eq!((lock.pid, lock.takes, lock.missed, lock.settled), (COPY, 1, 0, true));
        watcher.flush(Nanos(1_000));
        let lane = watcher.notices.iter().find_map(|notice| match notice {
            Notice::Born { lane, pid: COPY, .. } => Some(*lane),
            _ => None,
        });
        let states = watcher.notices.iter().filter_map(|notice| match notice {
            Notice::Event(event) if Some(event.lane) == lane => match event.kind {
                EventKind::State { to, .. } | EventKind::Take { to, .. } | EventKind::Drop { to, .. } => {
                    Some((event.at.0, to))
                }
                _ => None,
            },
            _ => None,
        });
        let expected = [
            (100, State::Starting),
            (110, State::Starting),
            (130, State::Running),
            // No ring is there to tell what it does without.
            (200, State::Unknown),
            (250, State::Done),
        ];
        assert_eq!(states.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn of_a_copy_whose_maker_had_no_lock_as_far_as_is_known_nothing_is_said() {
        let mut watcher = forks(false);
        born(&mut watcher, 100);
        record(&mut watcher, 120, COPY, COPY, What::Wrote { address: WORD });
        assert_eq!(watcher.locks.len(), 1);
    }

    #[test]
    fn who_executes_a_program_has_no_watchpoints_any_more() {
        let mut watcher = forks(true);
        born(&mut watcher, 100);
        watcher.process_execs(COPY, Nanos(140));
        record(&mut watcher, 120, COPY, COPY, What::Wrote { address: WORD });
        assert_eq!(watcher.locks.len(), 1);
    }

    #[test]
    fn who_was_born_while_they_were_opened_has_some_of_them_and_all_part() {
        let mut watcher = forks(true);
        let shared = Arc::downgrade(watcher.watchpoints[0].as_ref().unwrap());
        assert!(watcher.inherited_of(FIRST, Nanos(5)).is_none() && shared.upgrade().is_some(), "it is older");
        born(&mut watcher, 100);
        assert!(watcher.inherited_of(COPY, Nanos(110)).is_some(), "and so has its own copy");
        assert!(watcher.inherited_of(FIRST, Nanos(15)).is_none());
        assert!(shared.upgrade().is_none(), "they are closed before others are opened");
        assert!(watcher.processes[&COPY].inherits.is_none());
        assert_eq!(watcher.locks[0].id, LockId(0));
    }

    #[test]
    fn once_one_of_them_writes_too_often_each_is_watched_for_itself() {
        let mut watcher = forks(true);
        let shared = Arc::downgrade(watcher.watchpoints[0].as_ref().unwrap());
        born(&mut watcher, 100);
        for write in 0..6_000 {
            record(&mut watcher, 200 + write, COPY, COPY, What::Wrote { address: WORD });
        }
        assert!(matches!(watcher.locks[1].mode, Mode::Sampled { until: Some(_) }));
        assert_eq!(watcher.locks[0].mode, Mode::Exact);
        assert!(shared.upgrade().is_none());
    }

    #[test]
    fn who_has_ended_before_his_birth_is_told_is_not_forgotten_before() {
        let mut watcher = forks(true);
        watcher.process_born(COPY, FIRST, Nanos(100));
        watcher.find_the_ended(Nanos(200));
        assert!(watcher.processes.contains_key(&COPY), "else it would be met once more when that is told");
        born(&mut watcher, 100);
        record(&mut watcher, 250, COPY, COPY, What::Ended);
        watcher.let_go(COPY, Nanos(300), String::new());
        watcher.find_the_ended(Nanos(300));
        assert!(!watcher.processes.contains_key(&COPY));
    }
}
