//! The kernel's records of a whole tree of processes, and the watchpoints on its locks.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use crate::perf::{self, CoreRing, Event, Record, Refused, Subject};

use super::process;

/// How often the threads of a process are listed anew while they are being covered: those that come up meanwhile.
const ROUNDS: usize = 8;

/// One ring a core, into which all events of that core write.
#[derive(Debug, Default)]
pub struct Recorder {
    rings: BTreeMap<u32, CoreRing>,
    /// Of threads beyond the first.
    trees: Vec<Event>,
    /// Records the kernel dropped.
    pub lost: u64,
}

/// The watchpoints on one lock, of all threads that were there when it was armed; those to come inherit them.
#[derive(Debug, Default)]
pub struct Watchpoints(Vec<Event>);

impl Watchpoints {
    /// Whether writes are recorded from now on.
    pub fn enable(&self, on: bool) {
        // One whose thread has ended needs no switching.
        for event in &self.0 {
            let _ = event.enable(on);
        }
    }
}

impl Recorder {
    /// Records the switches, births and ends of a process's threads, and of all that they make from now on.
    pub fn cover(&mut self, pid: u32) -> Result<(), Refused> {
        let subject = Subject::Tree;
        let mut covered = BTreeSet::new();
        for _ in 0..ROUNDS {
            let new: Vec<u32> = process::threads(pid).into_iter().filter(|tid| covered.insert(*tid)).collect();
            if new.is_empty() {
                break;
            }
            for (tid, core) in each_on_each_core(&new) {
                let event = match perf::open(subject, tid, core) {
                    Ok(event) => event,
                    Err(Errno::SRCH | Errno::NODEV) => continue,
                    Err(error) => return Err(Refused::from_open(error, pid, subject)),
                };
                match self.rings.get(&core) {
                    Some(ring) => {
                        event.output_into(ring.event()).map_err(Refused::Other)?;
                        self.trees.push(event);
                    }
                    None => {
                        self.rings.insert(core, CoreRing::map(event)?);
                    }
                }
            }
        }
        if self.rings.is_empty() { Err(Refused::Gone(pid)) } else { Ok(()) }
    }

    /// Whether there is anything to read.
    pub fn is_on(&self) -> bool {
        !self.rings.is_empty()
    }

    /// Records writes to the four bytes at `word` by all threads of a process.
    pub fn watch(&self, pid: u32, word: u64) -> Result<Watchpoints, Refused> {
        let subject = Subject::Word(word);
        let mut events = Vec::new();
        let mut covered = BTreeSet::new();
        for _ in 0..ROUNDS {
            let new: Vec<u32> = process::threads(pid).into_iter().filter(|tid| covered.insert(*tid)).collect();
            if new.is_empty() {
                break;
            }
            for (tid, core) in each_on_each_core(&new) {
                let Some(ring) = self.rings.get(&core) else { continue };
                match perf::open(subject, tid, core) {
                    Ok(event) => {
                        event.output_into(ring.event()).map_err(Refused::Other)?;
                        events.push(event);
                    }
                    Err(Errno::SRCH | Errno::NODEV) => {}
                    Err(error) => return Err(Refused::from_open(error, pid, subject)),
                }
            }
        }
        if events.is_empty() { Err(Refused::Gone(pid)) } else { Ok(Watchpoints(events)) }
    }

    /// What becomes readable when a ring has filled up a little.
    pub fn rings(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.rings.values().map(|ring| ring.event().as_fd())
    }

    /// Hands over what there is. Says whether records were lost.
    pub fn drain(&mut self, each: &mut dyn FnMut(Record)) -> bool {
        let before = self.lost;
        for ring in self.rings.values() {
            self.lost += ring.drain(each);
        }
        self.lost != before
    }
}

fn each_on_each_core(tids: &[u32]) -> Vec<(u32, u32)> {
    let cores = perf::online_cores();
    tids.iter().flat_map(|tid| cores.iter().map(|core| (*tid, *core)).collect::<Vec<_>>()).collect()
}
