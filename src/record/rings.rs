//! The shared memory of a run: a header, and a ring for each thread that records.
//!
//! Everything is words of 64 bits, in the machine's byte order. What different
//! threads write lies 128 bytes apart: processors fetch cache lines in pairs.
//!
//! ```text
//! header, 32 words
//!    0  magic    1  version    2  rings    3  lanes    4  capacity, slots a ring    5  made at, ns
//!   16  switch interval, ns    17  started at, ns, or 0    18  stop, 0 or 1
//!   19  ended: 0, 1 while the time is being read, or when, ns
//! then for each ring, 64 words
//!    0  head     1  dropped    2  losing since, ns, or 0           the recorder's
//!   16  tail                                                       the collector's
//!   32  place (lower half)    33  seen, ns                         the evaluation loop's
//!   48  pid     49  tid       50  accounts known, a bit each
//!   51  on_cpu  52  runqueue  53  voluntary    54  involuntary     the thread's accounts
//!   and 4 words for each slot, of which the first ring may have more
//! ```
//!
//! The file has no name, so nothing is left behind however the run ends. Its
//! pages are allocated before it is mapped and its size is sealed: a full disk
//! or a tight limit is an error here, and nobody's SIGBUS later.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fstat, memfd_create};
use rustix::io::Errno;

use super::mapping::Mapping;
use super::shared_ring::{RING_HEADER, SLOT, SharedRing};
use crate::clock::{Clock, Monotonic};
use crate::event::Nanos;

const MAGIC: u64 = u64::from_le_bytes(*b"gilscope");
const VERSION: u64 = 2;
const HEADER: usize = 32;

const RINGS: usize = 2;
const LANES: usize = 3;
const CAPACITY: usize = 4;
const MADE_AT: usize = 5;
const INTERVAL: usize = 16;
const STARTED_AT: usize = 17;
const STOP: usize = 18;
const ENDED: usize = 19;

const ENDING: u64 = 1;

/// Whether a run's time has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// If it does, then after now.
    NotYet,
    /// It does; the clock is being read.
    ThisInstant,
    /// When.
    At(Nanos),
}

/// How much shared memory a run needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many threads record: ring `n` is that of lane `n` of the plan. What there is to say of lanes beyond them,
    /// coroutines of the first one's thread, is said in the first.
    pub rings: u32,
    /// How many lanes they record for, at least as many as rings.
    pub lanes: u32,
    /// How many events a ring holds: a power of two. Where there are many, the first holds more.
    pub capacity: u32,
}

/// From so many rings on each is small, and the first is that of whoever hands out tasks to all the others: a few events
/// each, within milliseconds.
const MANY: u32 = 64;

/// So much the first ring holds then.
const HANDS_OUT: u32 = 1 << 16;

impl Shape {
    /// A ring for each lane, deep enough for a tenth of a second of the busiest thread, all together at most 64 MiB.
    pub fn for_lanes(lanes: u32) -> Shape {
        Shape::for_threads(lanes, lanes)
    }

    /// The same where only the first lanes are threads. One that speaks for thousands of others has as much more room:
    /// when they are all born, or all woken, each has a few things to say within milliseconds.
    pub fn for_threads(rings: u32, lanes: u32) -> Shape {
        let share = (64 << 20) / (SLOT * size_of::<u64>()) / rings.max(1) as usize;
        let burst = (lanes / rings.max(1)) as usize * 16;
        let capacity = 1_u32 << share.clamp(1 << 10, burst.clamp(1 << 15, 1 << 18)).ilog2();
        Shape { rings, lanes, capacity }
    }

    /// The ring in which there is word of this lane.
    pub fn ring_of(self, lane: u32) -> u32 {
        if lane < self.rings { lane } else { 0 }
    }

    /// How many events ring `n` holds.
    fn capacity_of(self, n: u32) -> u32 {
        if n == 0 && self.rings > MANY { self.capacity.max(HANDS_OUT) } else { self.capacity }
    }

    fn ring_words(self, n: u32) -> usize {
        RING_HEADER + SLOT * self.capacity_of(n) as usize
    }

    /// At which word ring `n` begins. All but the first are alike.
    fn begin_of(self, n: u32) -> usize {
        match n.checked_sub(1) {
            None => HEADER,
            Some(others) => HEADER + self.ring_words(0) + others as usize * self.ring_words(n),
        }
    }

    fn bytes(self) -> usize {
        self.begin_of(self.rings) * size_of::<u64>()
    }

    fn is_possible(self) -> bool {
        self.rings > 0 && self.rings <= self.lanes && self.capacity.is_power_of_two() && self.capacity <= 1 << 20
    }
}

/// Why there is no shared memory to record into.
#[derive(Debug, thiserror::Error)]
pub enum RingsError {
    /// The machine, its memory file system, or a limit has not that much to give.
    #[error(
        "no room for {mib} MiB of shared memory ({source}): use fewer workers, or raise the limits on memory and on file size (`ulimit -f`)"
    )]
    NoRoom {
        /// How much was wanted.
        mib: usize,
        /// What the kernel said.
        source: Errno,
    },
    /// The file handed over is not ours.
    #[error("the shared memory handed to this process is not a gilscope run's ({0})")]
    Foreign(&'static str),
    /// No rings, or more than there are lanes, or a capacity that is no power of two.
    #[error("shared memory of this shape is not possible: {0:?}")]
    Impossible(Shape),
    /// Another call failed.
    #[error("shared memory could not be set up: {call} failed ({source})")]
    Call {
        /// Which.
        call: &'static str,
        /// What the kernel said.
        source: Errno,
    },
}

fn call(call: &'static str) -> impl Fn(Errno) -> RingsError {
    move |source| RingsError::Call { call, source }
}

/// How many bytes may be asked for without harm: the kernel would rather end a process than refuse it memory (it
/// kills for want of memory, and sends SIGXFSZ beyond the limit on file sizes), so the limits are read beforehand.
fn room() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let available = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or(1 << 30, |kib| kib << 10);
    let of_group = ["memory.max", "memory/memory.limit_in_bytes"]
        .iter()
        .filter_map(|file| read(&format!("/sys/fs/cgroup/{file}")).trim().parse().ok())
        .fold(u64::MAX, u64::min);
    let of_file = rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX);
    of_file.min(available.min(of_group) / 2)
}

/// The shared memory of a run, mapped. Clones share the mapping.
#[derive(Clone, Debug)]
pub struct Rings {
    file: Arc<OwnedFd>,
    memory: Arc<Mapping>,
    shape: Shape,
}

impl Rings {
    /// Makes it, with the switch interval to begin with.
    pub fn create(shape: Shape, switch_interval: Nanos) -> Result<Rings, RingsError> {
        if !shape.is_possible() {
            return Err(RingsError::Impossible(shape));
        }
        let bytes = shape.bytes();
        let no_room = |source| RingsError::NoRoom { mib: bytes.div_ceil(1 << 20), source };
        if bytes as u64 > room() {
            return Err(no_room(Errno::NOMEM));
        }
        let file = memfd_create("gilscope-rings", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map_err(call("memfd_create"))?;
        fallocate(&file, FallocateFlags::empty(), 0, bytes as u64).map_err(no_room)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL).map_err(call("sealing"))?;
        let memory = Mapping::new(&file, bytes).map_err(no_room)?;
        let rings = Rings { file: Arc::new(file), memory: Arc::new(memory), shape };
        for (word, value) in [
            (1, VERSION),
            (RINGS, shape.rings.into()),
            (LANES, shape.lanes.into()),
            (CAPACITY, shape.capacity.into()),
            (MADE_AT, Monotonic.now().0),
            (INTERVAL, switch_interval.0),
            (0, MAGIC),
        ] {
            rings.word(word).store(value, Ordering::Release);
        }
        Ok(rings)
    }

    /// Maps what another process made and handed over.
    pub fn open(file: OwnedFd) -> Result<Rings, RingsError> {
        let size = usize::try_from(fstat(&file).map_err(call("fstat"))?.st_size).unwrap_or(0);
        if size < HEADER * size_of::<u64>() {
            return Err(RingsError::Foreign("too short"));
        }
        let memory = Mapping::new(&file, size).map_err(call("mmap"))?;
        let word = |word: usize| memory.words()[word].load(Ordering::Acquire);
        if word(0) != MAGIC {
            return Err(RingsError::Foreign("its magic number is another"));
        }
        if word(1) != VERSION {
            return Err(RingsError::Foreign("it is of another version of gilscope"));
        }
        let field = |at| u32::try_from(word(at)).map_err(|_| RingsError::Foreign("its header is damaged"));
        let shape = Shape { rings: field(RINGS)?, lanes: field(LANES)?, capacity: field(CAPACITY)? };
        if !shape.is_possible() || shape.bytes() != size {
            return Err(RingsError::Foreign("its header is damaged"));
        }
        Ok(Rings { file: Arc::new(file), memory: Arc::new(memory), shape })
    }

    /// What to hand to a child process. Closed on `exec` unless that is undone for the child.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// When it was made: no event is older.
    pub fn made_at(&self) -> Nanos {
        Nanos(self.word(MADE_AT).load(Ordering::Relaxed))
    }

    /// How long a waiter waits before it asks for the lock. May change at any time.
    #[inline]
    pub fn switch_interval(&self) -> Nanos {
        Nanos(self.word(INTERVAL).load(Ordering::Relaxed))
    }

    /// Changes the switch interval for all processes of the run, from the next wait on.
    pub fn set_switch_interval(&self, interval: Nanos) {
        self.word(INTERVAL).store(interval.0, Ordering::Relaxed);
    }

    /// When the run's time began: the order for the first worker's birth. `None` before it.
    pub fn started_at(&self) -> Option<Nanos> {
        Some(Nanos(self.word(STARTED_AT).load(Ordering::Acquire))).filter(|at| *at != Nanos::ZERO)
    }

    /// Begins the run's time.
    pub fn start(&self, at: Nanos) {
        self.word(STARTED_AT).store(at.0, Ordering::Release);
    }

    /// Ends the run's time now, and says when that is.
    ///
    /// Announced before the clock is read: whoever finds no announcement knows that the end lies after that look.
    pub fn end(&self) -> Nanos {
        self.word(ENDED).store(ENDING, Ordering::SeqCst);
        let at = Monotonic.now();
        self.word(ENDED).store(at.0.max(ENDING + 1), Ordering::SeqCst);
        at
    }

    /// Whether the run's time has ended.
    pub fn ended(&self) -> Ended {
        match self.word(ENDED).load(Ordering::SeqCst) {
            0 => Ended::NotYet,
            ENDING => Ended::ThisInstant,
            at => Ended::At(Nanos(at)),
        }
    }

    /// Whether the run is to end.
    #[inline]
    pub fn stopping(&self) -> bool {
        self.word(STOP).load(Ordering::Relaxed) != 0
    }

    /// Asks all threads of the run to end.
    pub fn stop(&self) {
        self.word(STOP).store(1, Ordering::Relaxed);
    }

    /// Ring `n`, to write to or to read from.
    ///
    /// # Panics
    /// If there is no such ring.
    pub fn ring(&self, n: u32) -> SharedRing {
        assert!(n < self.shape.rings, "ring {n} of {}", self.shape.rings);
        SharedRing::at(self.memory.clone(), self.shape.begin_of(n), self.shape.capacity_of(n).into())
    }

    fn word(&self, word: usize) -> &AtomicU64 {
        &self.memory.words()[word]
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernel::{Accounts, AccountsEvidence};
    use super::super::ring::{Consumer, Producer};
    use super::*;

    const SHAPE: Shape = Shape { rings: 3, lanes: 5, capacity: 8 };

    #[test]
    fn what_one_mapping_writes_another_reads() {
        let made = Rings::create(SHAPE, Nanos::from_millis(5)).unwrap();
        let opened = Rings::open(made.file().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(opened.shape(), SHAPE);
        made.set_switch_interval(Nanos(7));
        made.start(Nanos(9));
        assert_eq!(
            (opened.switch_interval(), opened.started_at(), opened.stopping()),
            (Nanos(7), Some(Nanos(9)), false)
        );
        opened.stop();
        assert!(made.stopping());
        assert_eq!(made.ended(), Ended::NotYet);
        let at = opened.end();
        assert_eq!(made.ended(), Ended::At(at));

        let (writer, reader) = (opened.ring(2), made.ring(2));
        writer.place().store(41, Ordering::Relaxed);
        writer.set_seen(Nanos(1));
        writer.set_writer(11, 12);
        writer.count_dropped();
        let accounts = Accounts {
            on_cpu: Some(Nanos(3)),
            evidence: Some(AccountsEvidence::Schedstat),
            voluntary: Some(4),
            ..Accounts::default()
        };
        writer.set_accounts(&accounts);
        assert!(Producer::new(writer).push([1, 2, 3, 4]));
        assert_eq!(reader.place().load(Ordering::Relaxed), 41);
        assert_eq!((reader.seen(), reader.writer(), reader.dropped()), (Nanos(1), Some((11, 12)), 1));
        assert_eq!(reader.accounts(), accounts);
        let mut seen = Vec::new();
        Consumer::new(reader).drain(|words| seen.push(words)).unwrap();
        assert_eq!(seen, [[1, 2, 3, 4]]);
        assert_eq!(made.ring(1).writer(), None);
    }

    #[test]
    fn no_file_but_ours_is_taken_for_ours() {
        let short = memfd_create("short", MemfdFlags::CLOEXEC).unwrap();
        assert!(matches!(Rings::open(short), Err(RingsError::Foreign(_))));
        let zeros = memfd_create("zeros", MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&zeros, 4096).unwrap();
        assert!(matches!(Rings::open(zeros), Err(RingsError::Foreign(_))));
        let damaged = Rings::create(SHAPE, Nanos::ZERO).unwrap();
        damaged.word(CAPACITY).store(16, Ordering::Relaxed);
        assert!(matches!(Rings::open(damaged.file().try_clone_to_owned().unwrap()), Err(RingsError::Foreign(_))));
    }

    #[test]
    fn an_impossible_shape_is_refused() {
        for (rings, lanes, capacity) in [(0, 1, 8), (2, 1, 8), (1, 1, 0), (1, 1, 12)] {
            let made = Rings::create(Shape { rings, lanes, capacity }, Nanos::ZERO);
            assert!(matches!(made, Err(RingsError::Impossible(_))));
        }
    }

    #[test]
    fn more_than_the_machine_has_is_an_error_with_a_remedy() {
        let shape = Shape { rings: 1 << 20, lanes: 1 << 20, capacity: 1 << 20 };
        let error = Rings::create(shape, Nanos::ZERO).unwrap_err();
        assert!(error.to_string().contains("use fewer workers"), "{error}");
    }

    #[test]
    fn the_default_shape_is_possible_and_bounded_for_any_number_of_lanes() {
        for lanes in [1, 2, 9, 64, 1_000] {
            let shape = Shape::for_lanes(lanes);
            assert!(shape.is_possible() && shape.bytes() < 80 << 20, "{shape:?}");
            assert_eq!(shape.ring_of(lanes - 1), lanes - 1);
        }
        // One that hands out a thousand tasks has a few events for each, and nobody looks for a moment.
        let shape = Shape::for_lanes(1_000);
        assert!(shape.capacity_of(0) >= 32_000 && shape.capacity_of(1) == shape.capacity, "{shape:?}");
        assert_eq!(shape.begin_of(2) - shape.begin_of(1), shape.ring_words(1));
        assert_eq!(Shape::for_lanes(9).capacity_of(0), Shape::for_lanes(9).capacity);
        for lanes in [2, 100, 10_001, 1_000_000] {
            let shape = Shape::for_threads(1, lanes);
            assert!(shape.is_possible() && shape.bytes() < 16 << 20, "{shape:?}");
            assert_eq!(shape.ring_of(lanes - 1), 0);
        }
    }
}
