//! One core's ring of records, and what is read from it.

use std::sync::atomic::Ordering;

use rustix::io::Errno;

use super::{Event, Refused};
use crate::event::{CoreId, Nanos};
use crate::record::Mapping;

/// One record of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, on `CLOCK_MONOTONIC`.
    pub at: Nanos,
    /// Whose process.
    pub pid: u32,
    /// Whose thread.
    pub tid: u32,
    /// On which core.
    pub core: CoreId,
    /// What.
    pub what: What,
}

/// What happened to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It came onto a core.
    In,
    /// It left its core.
    Out {
        /// Although it could have gone on.
        preempted: bool,
    },
    /// It wrote to a watched word.
    Wrote {
        /// Which.
        address: u64,
    },
    /// It was born: a thread of its maker's process, or the first of a new one.
    Born {
        /// The process of its maker.
        parent: u32,
        /// And its thread.
        maker: u32,
    },
    /// It executes another program.
    Exec {
        /// Its file's name, as [`What::Renamed`] has names; nothing but zeros if it is not known.
        name: [u8; 16],
    },
    /// It has another name (`comm`), which it has given itself or was given.
    Renamed {
        /// At most fifteen bytes, then zeros.
        name: [u8; 16],
    },
    /// It ended.
    Ended,
}

/// The ring that all events of one core write into.
#[derive(Debug)]
pub struct CoreRing {
    /// The event it was mapped for. Lives as long as the ring.
    event: Event,
    memory: Mapping,
}

/// Words of `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024 / 8;
const DATA_TAIL: usize = 1032 / 8;

const RECORD_LOST: u32 = 2;
const RECORD_COMM: u32 = 3;
const RECORD_EXIT: u32 = 4;
const RECORD_FORK: u32 = 7;
const RECORD_SAMPLE: u32 = 9;
const RECORD_SWITCH: u32 = 14;
const MISC_COMM_EXEC: u16 = 1 << 13;
const MISC_SWITCH_OUT: u16 = 1 << 13;
const MISC_SWITCH_OUT_PREEMPT: u16 = 1 << 14;

impl CoreRing {
    /// Maps an event's ring: 512 KiB, some 12,000 records, which is what anybody may lock for a core unless that was changed
    /// (`perf_event_mlock_kb`); or what the limit leaves.
    pub fn map(event: Event) -> Result<CoreRing, Refused> {
        let page = rustix::param::page_size();
        let mut pages = 128;
        loop {
            match Mapping::new(&event.0, (pages + 1) * page) {
                Ok(memory) => return Ok(CoreRing { event, memory }),
                Err(Errno::PERM | Errno::NOMEM) if pages > 1 => pages /= 2,
                Err(Errno::PERM | Errno::NOMEM) => return Err(Refused::Memory),
                Err(error) => return Err(Refused::Other(error)),
            }
        }
    }

    /// The event it belongs to, for others to write into the same ring.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Hands over what there is; how many records the kernel says it dropped.
    pub fn drain(&self, each: &mut dyn FnMut(Record)) -> u64 {
        let (page, data) = self.memory.words().split_at(rustix::param::page_size() / 8);
        let head = page[DATA_HEAD].load(Ordering::Acquire) / 8;
        let mut tail = page[DATA_TAIL].load(Ordering::Relaxed) / 8;
        let word = |at: u64| data[at as usize & (data.len() - 1)].load(Ordering::Relaxed);
        let mut lost = 0;
        while tail < head {
            let header = word(tail);
            let (kind, misc, words) = (header as u32, (header >> 32) as u16, (header >> 48) / 8);
            if words == 0 {
                // Not a record. It cannot be, but a loop without end must not follow from it.
                lost += 1;
                tail = head;
                break;
            }
            match kind {
                RECORD_LOST => lost += word(tail + 2),
                _ => read(kind, misc, words, |index| word(tail + index)).into_iter().for_each(&mut *each),
            }
            tail += words;
        }
        page[DATA_TAIL].store(tail * 8, Ordering::Release);
        lost
    }
}

/// A record out of its kind, its flags and its words; word 0 is its header. `None`: of no interest, or too short.
fn read(kind: u32, misc: u16, words: u64, word: impl Fn(u64) -> u64) -> Option<Record> {
    let core = |word: u64| u16::try_from(word as u32).map_or(CoreId::UNKNOWN, CoreId);
    let (low, high) = (|word: u64| word as u32, |word: u64| (word >> 32) as u32);
    let record = |who: u64, at: u64, on: u64, what: What| {
        Some(Record { at: Nanos(at), pid: low(who), tid: high(who), core: core(on), what })
    };
    match kind {
        RECORD_SAMPLE if words >= 5 => record(word(1), word(2), word(4), What::Wrote { address: word(3) }),
        RECORD_SWITCH if words >= 4 => {
            let what = match misc & MISC_SWITCH_OUT != 0 {
                true => What::Out { preempted: misc & MISC_SWITCH_OUT_PREEMPT != 0 },
                false => What::In,
            };
            record(word(1), word(2), word(3), what)
        }
        RECORD_COMM if words >= 6 => {
            let mut name = [0; 16];
            // The last three words tell whose, when and where; the name is padded to whole words before them.
            for (into, at) in name.as_chunks_mut::<8>().0.iter_mut().zip(2..words - 3) {
                *into = word(at).to_le_bytes();
            }
            name[15] = 0;
            let executes = misc & MISC_COMM_EXEC != 0;
            let what = if executes { What::Exec { name } } else { What::Renamed { name } };
            record(word(1), word(words - 2), word(words - 1), what)
        }
        // Processes of child and parent, threads of child and parent, time.
        RECORD_FORK | RECORD_EXIT if words >= 7 => {
            let (pid, parent, tid) = (low(word(1)), high(word(1)), low(word(2)));
            let maker = high(word(2));
            let what = if kind == RECORD_FORK { What::Born { parent, maker } } else { What::Ended };
            Some(Record { at: Nanos(word(3)), pid, tid, core: core(word(words - 1)), what })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(kind: u32, misc: u16, words: &[u64]) -> Option<Record> {
        read(kind, misc, words.len() as u64, |index| words[index as usize])
    }

    #[test]
    fn records_are_read_from_their_flags_and_words() {
        let expected = |what| Some(Record { at: Nanos(99), pid: 5, tid: 7, core: CoreId(3), what });
        let switch = [0, 7 << 32 | 5, 99, 3];
        assert_eq!(of(RECORD_SWITCH, 0, &switch), expected(What::In));
        assert_eq!(of(RECORD_SWITCH, 1 << 13, &switch), expected(What::Out { preempted: false }));
        assert_eq!(of(RECORD_SWITCH, 1 << 13 | 1 << 14, &switch), expected(What::Out { preempted: true }));
        assert_eq!(of(RECORD_SAMPLE, 0, &[0, 7 << 32 | 5, 99, 4096, 3]), expected(What::Wrote { address: 4096 }));
        let task = [0, 4 << 32 | 5, 6 << 32 | 7, 99, 4 << 32 | 4, 98, 3];
        assert_eq!(of(RECORD_FORK, 0, &task), expected(What::Born { parent: 4, maker: 6 }));
        assert_eq!(of(RECORD_EXIT, 0, &task), expected(What::Ended));
        let comm = [0, 7 << 32 | 5, 0x6e6f_6874_7970, 7 << 32 | 5, 99, 3];
        assert_eq!(of(RECORD_COMM, 1 << 13, &comm), expected(What::Exec { name: *b"python\0\0\0\0\0\0\0\0\0\0" }));
        let name = *b"python\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(of(RECORD_COMM, 0, &comm), expected(What::Renamed { name }));
        let comm =
            [0, 7 << 32 | 5, u64::from_le_bytes(*b"a-long-n"), u64::from_le_bytes(*b"ame-cut\0"), 1 << 32 | 1, 99, 3];
        assert_eq!(of(RECORD_COMM, 0, &comm), expected(What::Renamed { name: *b"a-long-name-cut\0" }));
        assert_eq!(of(RECORD_COMM, 0, &comm[..5]), None, "too short");
    }

    proptest! {
        #[test]
        fn whatever_lies_there_is_read_or_passed_over(kind in 0u32..20, misc: u16, words in proptest::collection::vec(any::<u64>(), 1..12)) {
            let _ = of(kind, misc, &words);
        }
    }
}
