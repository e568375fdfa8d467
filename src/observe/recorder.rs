//! The kernel's records of a whole tree of processes, and the watchpoints on its locks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use crate::clock::{Clock, Monotonic};
use crate::event::Nanos;
use crate::perf::{self, CoreRing, Event, Record, Refused, Subject, What};

use super::process;

/// How often the threads of a process are listed anew while they are being covered: those that come up meanwhile.
const ROUNDS: usize = 8;

/// One ring a core, into which all events of that core write.
#[derive(Debug, Default)]
pub struct Recorder {
    rings: BTreeMap<u32, CoreRing>,
    /// Of threads beyond the first.
    trees: Vec<Event>,
    /// Who has such an event, of those that were there when they were covered.
    covered: Covered,
    /// What was read while threads were being covered.
    early: Vec<Record>,
    /// Records the kernel dropped.
    pub lost: u64,
    /// Of which it has been said that they were.
    lost_before: u64,
}

/// Which threads have an event on which core, since when: their own, or their maker's, which they have inherited.
#[derive(Debug, Default)]
struct Covered(HashMap<(u32, u32), Nanos>);

impl Covered {
    /// Whether a thread that was born like this has inherited its maker's event. To open another would record all it
    /// does twice.
    fn inherits(&mut self, tid: u32, core: u32, birth: Option<&(u32, Nanos)>) -> bool {
        let Some((maker, at)) = birth else { return false };
        let inherits = self.0.get(&(*maker, core)).is_some_and(|since| since <= at);
        if inherits {
            self.0.insert((tid, core), *at);
        }
        inherits
    }
}

/// The watchpoints on one lock, of all threads that were there when it was armed; those to come inherit them.
#[derive(Debug, Default)]
pub struct Watchpoints {
    events: Vec<Event>,
    /// From when until when they were opened, if processes to come inherit them, too.
    of_tree: Option<(Nanos, Nanos)>,
}

/// What one that was born at some time has of the watchpoints of its maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherits {
    /// On every core.
    All,
    /// It was born while they were opened.
    Some,
    /// Of none, or its maker's are for threads alone.
    Nothing,
}

impl Watchpoints {
    /// These and those.
    pub fn and(mut self, other: Watchpoints) -> Watchpoints {
        self.events.extend(other.events);
        self
    }

    /// Whether processes to come inherit them, too.
    pub fn is_of_tree(&self) -> bool {
        self.of_tree.is_some()
    }

    /// Whether a process that was born at `at` of one that has them has them, too.
    pub fn inherits(&self, at: Nanos) -> Inherits {
        match self.of_tree {
            Some((_, last)) if at > last => Inherits::All,
            Some((first, _)) if at >= first => Inherits::Some,
            _ => Inherits::Nothing,
        }
    }

    /// Whether writes are recorded from now on.
    pub fn enable(&self, on: bool) {
        // One whose thread has ended needs no switching.
        for event in &self.events {
            let _ = event.enable(on);
        }
    }
}

impl Recorder {
    /// Records the switches, births and ends of a process's threads, and of all that they make from now on.
    pub fn cover(&mut self, pid: u32) -> Result<(), Refused> {
        // A child may have been born of one that was covered before.
        let mut covered = std::mem::take(&mut self.covered);
        let opened = self.open_on_all(pid, Subject::Tree, &mut covered, |recorder, core, event| {
            match recorder.rings.get(&core) {
                Some(ring) => {
                    event.output_into(ring.event()).map_err(Refused::Other)?;
                    recorder.trees.push(event);
                }
                None => {
                    recorder.rings.insert(core, CoreRing::map(event)?);
                }
            }
            Ok(())
        });
        self.covered = covered;
        opened?;
        if self.rings.is_empty() { Err(Refused::Gone(pid)) } else { Ok(()) }
    }

    /// Opens an event for each thread of a process on each core, save where it has inherited its maker's.
    fn open_on_all(
        &mut self,
        pid: u32,
        subject: Subject,
        covered: &mut Covered,
        mut keep: impl FnMut(&mut Recorder, u32, Event) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut seen = BTreeSet::new();
        for _ in 0..ROUNDS {
            let new: Vec<u32> = process::threads(pid).into_iter().filter(|tid| seen.insert(*tid)).collect();
            if new.is_empty() {
                break;
            }
            let births = self.births();
            for (tid, core) in each_on_each_core(&new) {
                if covered.inherits(tid, core, births.get(&tid)) {
                    continue;
                }
                match perf::open(subject, tid, core) {
                    Ok(event) => {
                        keep(self, core, event)?;
                        covered.0.insert((tid, core), Monotonic.now());
                    }
                    Err(Errno::SRCH | Errno::NODEV) => {}
                    Err(error) => return Err(Refused::from_open(error, pid, subject)),
                }
            }
        }
        Ok(())
    }

    /// Who was born of whom and when, of all that has not been handed over yet.
    fn births(&mut self) -> HashMap<u32, (u32, Nanos)> {
        let mut early = std::mem::take(&mut self.early);
        for ring in self.rings.values() {
            self.lost += ring.drain(&mut |record| early.push(record));
        }
        self.early = early;
        let birth = |record: &Record| match record.what {
            What::Born { maker, .. } => Some((record.tid, (maker, record.at))),
            _ => None,
        };
        self.early.iter().filter_map(birth).collect()
    }

    /// Whether there is anything to read.
    pub fn is_on(&self) -> bool {
        !self.rings.is_empty()
    }

    /// Records writes to a word or a byte by all threads of a process.
    pub fn watch(&mut self, pid: u32, subject: Subject) -> Result<Watchpoints, Refused> {
        let mut events = Vec::new();
        let first = Monotonic.now();
        self.open_on_all(pid, subject, &mut Covered::default(), |recorder, core, event| {
            if let Some(ring) = recorder.rings.get(&core) {
                event.output_into(ring.event()).map_err(Refused::Other)?;
                events.push(event);
            }
            Ok(())
        })?;
        let of_tree = matches!(subject, Subject::WordOfTree(_)).then(|| (first, Monotonic.now()));
        if events.is_empty() { Err(Refused::Gone(pid)) } else { Ok(Watchpoints { events, of_tree }) }
    }

    /// What becomes readable when a ring is half full.
    pub fn rings(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.rings.values().map(|ring| ring.event().as_fd())
    }

    /// Hands over what there is. Says whether records were lost.
    pub fn drain(&mut self, each: &mut dyn FnMut(Record)) -> bool {
        let before = self.lost_before;
        self.early.drain(..).for_each(&mut *each);
        for ring in self.rings.values() {
            self.lost += ring.drain(each);
        }
        self.lost_before = self.lost;
        self.lost != before
    }
}

fn each_on_each_core(tids: &[u32]) -> Vec<(u32, u32)> {
    let cores = perf::online_cores();
    tids.iter().flat_map(|tid| cores.iter().map(|core| (*tid, *core)).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
impl Watchpoints {
    /// None at all, as if they had been opened between these instants for processes to come as well.
    pub fn of_tree_opened(first: Nanos, last: Nanos) -> Watchpoints {
        Watchpoints { events: Vec::new(), of_tree: Some((first, last)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_born_after_they_were_opened_has_them() {
        let watchpoints = Watchpoints::of_tree_opened(Nanos(10), Nanos(20));
        let inherits = [9, 10, 20, 21].map(|at| watchpoints.inherits(Nanos(at)));
        assert_eq!(inherits, [Inherits::Nothing, Inherits::Some, Inherits::Some, Inherits::All]);
        assert_eq!(Watchpoints::default().inherits(Nanos(21)), Inherits::Nothing);
    }

    #[test]
    fn who_was_born_of_one_that_is_covered_is_covered_and_nobody_else() {
        let mut covered = Covered::default();
        covered.0.insert((7, 0), Nanos(100));
        covered.0.insert((7, 1), Nanos(120));
        assert!(!covered.inherits(8, 0, None), "nothing told of its birth: its maker was not covered");
        assert!(!covered.inherits(8, 0, Some(&(9, Nanos(150)))));
        // Born while its maker's events were being opened: one core has it, the other has not.
        let birth = (7, Nanos(110));
        assert!(covered.inherits(8, 0, Some(&birth)) && !covered.inherits(8, 1, Some(&birth)));
        // And what it makes has what it has.
        let child = (8, Nanos(115));
        assert!(covered.inherits(10, 0, Some(&child)) && !covered.inherits(10, 1, Some(&child)));
    }
}
