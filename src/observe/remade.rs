//! Interpreters of a process that come and go while it is observed.
//!
//! # The problem
//! A list of interpreters is read now and then. One may have been made, have
//! imported its modules and have ended between two readings; and the next one
//! is often made at the very same place, with its lock at the same address.
//!
//! # The choice
//! CPython numbers its interpreters and keeps the next number beside the list
//! (`next_id`), so one look at both says whether any was made. A lock whose
//! interpreter has another number by now is another lock; and what threads did
//! that were awake without a lock, from when there was no new one yet until it
//! was met, is unknown, since they may have held it. Of those that nobody has
//! seen it is said how many there were.

use crate::event::Nanos;

use super::observed::{Process, Stage};
use super::runtime::Interpreter;
use super::watch::Watcher;

/// Which of the interpreters of a process were seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Coming {
    /// The numbers of those that were there at the last walk.
    there: Vec<i64>,
    /// How many had been made before the first walk, and how many were seen that were made since.
    before: Option<u64>,
    seen: u64,
    /// Which of the alarms tells of those that were not, and of how many.
    told: Option<(usize, u64)>,
}

impl Coming {
    /// These are there now, and so many have been made in all. Says whether one is new.
    fn walked(&mut self, ids: Vec<i64>, made: u64) -> bool {
        let is_first = self.before.is_none();
        let before = *self.before.get_or_insert(made);
        let new = ids.iter().filter(|id| !self.there.contains(id) && **id >= before as i64).count() as u64;
        self.there = ids;
        self.seen += new;
        !is_first && new > 0
    }

    /// How many were made and never seen, of so many in all.
    fn missed(&self, made: u64) -> u64 {
        self.before.map_or(0, |before| made.saturating_sub(before).saturating_sub(self.seen))
    }
}

impl Process {
    /// How many of its interpreters nobody has seen.
    fn interpreters_missed(&self) -> u64 {
        self.walked_from.map_or(0, |head| self.coming.missed(head.made))
    }
}

impl Watcher {
    /// These interpreters are there. The locks of those that are not any more are let go, also if others have been made in
    /// their places.
    pub(super) fn meet_interpreters(&mut self, pid: u32, interpreters: &[Interpreter], now: Nanos) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        // One has come or gone meanwhile: at the next walk.
        let Some(head) = process.walked_from else { return };
        let highest = interpreters.iter().map(|it| it.id).max().unwrap_or_default();
        if head.made <= highest as u64 {
            return;
        }
        if process.coming.walked(interpreters.iter().map(|it| it.id).collect(), head.made) {
            // What it does first are its imports: a lock that is taken hundreds of times. Others may follow.
            self.pace.born(now);
        }
        let is_there = |id: i64, address: u64| interpreters.iter().any(|it| it.id == id && it.lock == Some(address));
        let of_process = |lock: &super::lock::Lock| lock.pid == pid && lock.is_gil();
        let gone = self.locks.iter().filter(|lock| of_process(lock) && !is_there(lock.interpreter, lock.address));
        let gone: Vec<usize> = gone.map(|lock| lock.id.index()).collect();
        for index in gone {
            let (id, word) = (self.locks[index].id, self.locks[index].word);
            self.by_word.remove(&(pid, word));
            let holders = self.threads.values_mut().filter(|it| it.pid == pid && it.thread.holds() == Some(id));
            // Nobody is known to have dropped it, and it is not there any more.
            holders.for_each(|tracked| tracked.thread.drop_unseen(self.told));
            self.release_lock(index, self.told);
        }
    }

    /// A lock is met that is as old as its interpreter: since there was none, whoever was awake and had no other lock may
    /// have held it.
    pub(super) fn was_there_before_it_was_met(&mut self, pid: u32) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let since = process.same_until.max(self.upto);
        process.holder_unknown = true;
        let its = self.threads.values_mut().filter(|tracked| tracked.pid == pid);
        its.for_each(|tracked| tracked.thread.was_unknown(since));
    }

    /// Says how many interpreters came and went before anybody saw them.
    pub(super) fn tell_of_missed_interpreters(&mut self, now: Nanos) {
        let missing = |process: &&Process| {
            let told = process.coming.told.map_or(0, |(_, told)| told);
            process.stage == Stage::Python && process.interpreters_missed() > told
        };
        let missing: Vec<u32> = self.processes.values().filter(missing).map(|process| process.pid).collect();
        for pid in missing {
            let Some(process) = self.processes.get_mut(&pid) else { continue };
            let missed = process.interpreters_missed();
            let text = format!(
                "process {pid} has made {missed} {} that ended before anybody saw: what ran there has no lock of its own here",
                if missed == 1 { "interpreter" } else { "interpreters" }
            );
            let told = process.coming.told.map(|(alarm, _)| alarm);
            process.coming.told = Some((told.unwrap_or(self.alarms.len()), missed));
            match told.and_then(|alarm| self.alarms.get_mut(alarm)) {
                Some(alarm) => alarm.text = text,
                None => self.alarm(now, text),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_missed_that_were_made_and_never_seen() {
        let mut coming = Coming::default();
        assert!(!coming.walked(vec![0, 3], 4), "those were there before");
        assert_eq!(coming.missed(4), 0);
        assert!(coming.walked(vec![0, 4], 5) && !coming.walked(vec![0, 4], 5));
        assert_eq!(coming.missed(5), 0);
        assert!(coming.walked(vec![0, 8], 9));
        assert_eq!((coming.missed(9), coming.missed(10)), (3, 4));
    }
}
