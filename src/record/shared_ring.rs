//! One ring of the shared memory, and what its thread writes beside the events. The layout is told in [`super::rings`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::kernel::{Accounts, AccountsEvidence};
use super::mapping::Mapping;
use super::ring::Storage;
use crate::event::Nanos;

/// Words before a ring's slots.
pub(super) const RING_HEADER: usize = 64;
/// Words of a slot.
pub(super) const SLOT: usize = 4;

const HEAD: usize = 0;
const DROPPED: usize = 1;
const LOSING_SINCE: usize = 2;
const TAIL: usize = 16;
const PLACE: usize = 32;
const SEEN: usize = 33;
const PID: usize = 48;
const TID: usize = 49;
const KNOWN: usize = 50;
const ACCOUNTS: [usize; 4] = [51, 52, 53, 54];

/// One ring of the shared memory, and its header.
#[derive(Clone, Debug)]
pub struct SharedRing {
    memory: Arc<Mapping>,
    base: usize,
    capacity: u64,
}

impl Storage for SharedRing {
    type Word = AtomicU64;
    #[inline]
    fn capacity(&self) -> u64 {
        self.capacity
    }
    #[inline]
    fn head(&self) -> &AtomicU64 {
        self.word(HEAD)
    }
    #[inline]
    fn tail(&self) -> &AtomicU64 {
        self.word(TAIL)
    }
    #[inline]
    fn slot(&self, slot: u64) -> &[AtomicU64; 4] {
        let at = self.base + RING_HEADER + SLOT * slot as usize;
        self.memory.words()[at..].first_chunk().expect("the shape was checked against the size")
    }
}

/// What lies beside the events. Each item has one writer: the ring's thread.
impl SharedRing {
    /// Where the evaluation loop is: the index of its instruction.
    #[inline]
    pub fn place(&self) -> &AtomicU32 {
        self.memory.half(self.base + PLACE)
    }

    /// When the thread last gave a sign of life.
    pub fn seen(&self) -> Nanos {
        Nanos(self.word(SEEN).load(Ordering::Relaxed))
    }

    /// Gives a sign of life.
    #[inline]
    pub fn set_seen(&self, at: Nanos) {
        self.word(SEEN).store(at.0, Ordering::Relaxed);
    }

    /// How many events found no room.
    pub fn dropped(&self) -> u64 {
        self.word(DROPPED).load(Ordering::Relaxed)
    }

    /// Counts one that found none.
    pub fn count_dropped(&self) {
        self.word(DROPPED).store(self.dropped() + 1, Ordering::Relaxed);
    }

    /// Since when events are missing that no event in the ring tells of yet.
    pub fn losing_since(&self) -> Option<Nanos> {
        Some(Nanos(self.word(LOSING_SINCE).load(Ordering::Acquire))).filter(|since| *since != Nanos::ZERO)
    }

    /// Says so, or that all has been told.
    pub fn set_losing_since(&self, since: Option<Nanos>) {
        self.word(LOSING_SINCE).store(since.unwrap_or_default().0, Ordering::Release);
    }

    /// The process and the thread that write here, once they do.
    pub fn writer(&self) -> Option<(u32, u32)> {
        let tid = self.word(TID).load(Ordering::Acquire);
        (tid != 0).then(|| (self.word(PID).load(Ordering::Relaxed) as u32, tid as u32))
    }

    /// Makes this thread the writer.
    pub fn set_writer(&self, pid: u32, tid: u32) {
        self.word(PID).store(pid.into(), Ordering::Relaxed);
        self.word(TID).store(tid.into(), Ordering::Release);
    }

    /// What the kernel booked for the thread, as of its last report.
    pub fn accounts(&self) -> Accounts {
        let known = self.word(KNOWN).load(Ordering::Acquire);
        let [on_cpu, runqueue, voluntary, involuntary] = std::array::from_fn(|account| {
            (known & 1 << account != 0).then(|| self.word(ACCOUNTS[account]).load(Ordering::Relaxed))
        });
        Accounts {
            on_cpu: on_cpu.map(Nanos),
            evidence: on_cpu.map(|_| AccountsEvidence::Schedstat),
            runqueue: runqueue.map(Nanos),
            voluntary,
            involuntary,
        }
    }

    /// Reports it.
    pub fn set_accounts(&self, accounts: &Accounts) {
        let Accounts { on_cpu, runqueue, voluntary, involuntary, .. } = *accounts;
        let values = [on_cpu.map(|time| time.0), runqueue.map(|time| time.0), voluntary, involuntary];
        let mut known = 0;
        for (account, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                self.word(ACCOUNTS[account]).store(value, Ordering::Relaxed);
                known |= 1 << account;
            }
        }
        self.word(KNOWN).store(known, Ordering::Release);
    }
}

impl SharedRing {
    /// The ring whose header begins at word `base`.
    pub(super) fn at(memory: Arc<Mapping>, base: usize, capacity: u64) -> SharedRing {
        SharedRing { memory, base, capacity }
    }

    #[inline]
    fn word(&self, word: usize) -> &AtomicU64 {
        &self.memory.words()[self.base + word]
    }
}
