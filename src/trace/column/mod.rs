//! A step function over time that remembers its integral.
//!
//! **The problem.** A row of the screen asks, for each of its cells, how long a
//! lane was in each state within the cell's time: an integral, exact to the
//! nanosecond. The row may span a microsecond or an hour, a run has tens of
//! millions of changes, a frame has dozens of rows of hundreds of cells, and
//! there are 4 ms and 24 bytes an event for all of it. Locks and cores ask the
//! same of their owners.
//!
//! **The choice.** A [`Column`] is a list of spans in time order, each with a
//! start and a [`Value`]; a span ends where the next begins and the last one is
//! open. Values have a small *key* (a state, an owner), and what is integrated
//! is the time of each key. Spans lie in blocks of [`BLOCK`], times in them as
//! 32-bit offsets from the block's first. A block bears a *mark*: the sums of
//! all keys from the beginning to its first span. The integral up to an instant
//! is then one binary search over the blocks' starts (8 bytes each, side by
//! side, so they stay in cache), and a walk to the instant from the mark before
//! it or back from the mark after it; a cell is the difference of two integrals,
//! and a row's cells share their boundaries. What counts at that size is how many
//! lines of memory are looked at, one after another: hence signposts in a block's
//! head that tell in which part of it to look. The cost depends on the number of cells, and only by the
//! logarithm on the number of events. Where the keys are many (a lock with
//! hundreds of threads) only every n-th block bears a mark, n growing with the
//! keys: a mark costs about a byte a span whatever their number, the walk grows
//! instead. Nothing is approximated: who held a lock longest within a cell is
//! known exactly, with 2 owners or 1,000.
//!
//! **Beyond the budget** the oldest blocks are given up for cumulative marks on
//! an even grid of time. Because they are cumulative, all sums stay exact
//! across them, and a wider grid is the same marks with every second left out.
//! Between two of them the integral is interpolated: proportionally, in whole
//! nanoseconds that still add up.
//!
//! **Not chosen.** A tree of summaries, halved at each level (mipmaps): exact
//! only for aligned cells, or as many lookups at each level as this does in
//! total, at twice the summary memory. One log of events replayed from
//! checkpoints: the cost of a cell would grow with the number of lanes. A sum
//! with every span: 120 bytes. Variable-length times: 2 bytes saved, random
//! access lost.

mod coarse;
mod walk;

use std::collections::VecDeque;

pub(super) use coarse::INTERVALS;
use walk::Walk;

/// Spans in a block; few in tests, so that short columns have many blocks.
const BLOCK: usize = if cfg!(test) { 8 } else { 128 };

/// Every so many spans, a block's signpost: one line of memory tells in which part of the block to look.
const PART: usize = BLOCK / if cfg!(test) { 2 } else { 4 };

/// Keys whose sums cost a block of spans one byte a span.
const KEYS_PER_MARK: usize = BLOCK / 8;

/// What a span says.
pub(super) trait Value: Copy + Default + PartialEq {
    /// Under which key its time is summed. Keys are small and dense.
    fn key(self) -> usize;

    /// Whether its beginning, after a span with the value `before`, is counted.
    fn counts(self, before: Self) -> bool;
}

/// The integral from the beginning to an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Integral {
    /// Nanoseconds by key; keys not seen so far may be missing.
    pub sums: Vec<u64>,
    /// How many counted beginnings lie before the instant.
    pub count: u64,
}

struct Mark {
    count: u64,
    sums: Box<[u64]>,
}

/// In this order, so that what leads on lies beside what is looked at first.
#[repr(C)]
struct Block<V> {
    len: u16,
    /// Sums at its first span; the count includes that span.
    mark: Option<Mark>,
    signs: [u32; BLOCK / PART],
    at: [u32; BLOCK],
    value: [V; BLOCK],
}

/// Where a span lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    block: usize,
    index: usize,
}

/// See the [module](self).
pub(super) struct Column<V> {
    starts: VecDeque<u64>,
    blocks: VecDeque<Box<Block<V>>>,
    /// Of the part that was given up: marks and their times.
    coarse: Vec<(u64, Mark)>,
    coarse_bytes: usize,
    /// The sums at the start of the open span, and its count.
    total: Integral,
    open_at: u64,
    open: V,
    unmarked: usize,
    bytes: usize,
}

impl<V: Value> Column<V> {
    /// From `begin` on, the value is `first`.
    pub(super) fn new(begin: u64, first: V) -> Column<V> {
        let mut column = Column {
            starts: VecDeque::new(),
            blocks: VecDeque::new(),
            coarse: Vec::new(),
            coarse_bytes: 0,
            total: Integral::default(),
            open_at: begin,
            open: first,
            unmarked: 0,
            bytes: 0,
        };
        column.cover(first.key());
        column.store(begin, first);
        column
    }

    /// The value of the open span.
    pub(super) fn open(&self) -> V {
        self.open
    }

    /// When the open span began.
    pub(super) fn open_at(&self) -> u64 {
        self.open_at
    }

    /// The sums by key up to the start of the open span.
    pub(super) fn total(&self) -> &[u64] {
        &self.total.sums
    }

    /// The bytes it occupies.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
            + self.coarse_bytes
            + self.starts.capacity() * 8
            + self.blocks.capacity() * 8
            + self.total.sums.capacity() * 8
    }

    /// From `at` on the value is `value`; `at` is not before the open span's start.
    pub(super) fn push(&mut self, at: u64, value: V) {
        let at = at.max(self.open_at);
        self.total.sums[self.open.key()] += at - self.open_at;
        self.total.count += u64::from(value.counts(self.open));
        self.cover(value.key());
        self.open = value;
        self.open_at = at;
        self.store(at, value);
    }

    /// From `from` on, or from its start if that is later, the open span had another value.
    pub(super) fn revise(&mut self, from: u64, value: V) {
        if from > self.open_at {
            return self.push(from, value);
        }
        let before = self.before(self.last()).map(|place| self.value(place));
        if let Some(before) = before {
            self.total.count -= u64::from(self.open.counts(before));
            self.total.count += u64::from(value.counts(before));
        }
        self.cover(value.key());
        self.open = value;
        let count = self.total.count;
        let block = self.blocks.back_mut().expect("there is always an open span");
        let last = usize::from(block.len) - 1;
        block.value[last] = value;
        if let (0, Some(mark)) = (last, &mut block.mark) {
            mark.count = count;
        }
    }

    fn cover(&mut self, key: usize) {
        if self.total.sums.len() <= key {
            self.total.sums.resize(key + 1, 0);
        }
    }

    fn store(&mut self, at: u64, value: V) {
        let fits = match (self.blocks.back(), self.starts.back()) {
            (Some(block), Some(start)) => usize::from(block.len) < BLOCK && at - start < u64::from(u32::MAX),
            _ => false,
        };
        if !fits {
            self.unmarked += 1;
            let due = self.blocks.is_empty() || self.unmarked * KEYS_PER_MARK >= self.total.sums.len();
            let mark = due.then(|| {
                self.unmarked = 0;
                Mark { count: self.total.count, sums: self.total.sums.clone().into() }
            });
            let block = Box::new(Block {
                len: 0,
                mark,
                signs: [u32::MAX; BLOCK / PART],
                at: [u32::MAX; BLOCK],
                value: [V::default(); BLOCK],
            });
            self.bytes += block.bytes();
            self.starts.push_back(at);
            self.blocks.push_back(block);
        }
        let (Some(block), Some(start)) = (self.blocks.back_mut(), self.starts.back()) else { return };
        let index = usize::from(block.len);
        block.at[index] = (at - start) as u32;
        block.value[index] = value;
        if index.is_multiple_of(PART) {
            block.signs[index / PART] = block.at[index];
        }
        block.len += 1;
    }

    /// The integral up to `to`.
    pub(super) fn integral(&self, to: u64) -> Integral {
        let mut walk = self.walk();
        walk.to(to).clone()
    }

    /// For integrals at instants that come in order.
    pub(super) fn walk(&self) -> Walk<'_, V> {
        Walk::new(self)
    }
}

impl Mark {
    fn bytes(&self) -> usize {
        size_of::<(u64, Mark)>() + allocated(self.sums.len() * 8)
    }
}

impl<V> Block<V> {
    fn bytes(&self) -> usize {
        allocated(size_of::<Block<V>>()) + self.mark.as_ref().map_or(0, |mark| allocated(mark.sums.len() * 8))
    }
}

/// What an allocator takes for so many bytes: its own word, and rounding to 16.
fn allocated(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(16)
}

/// The spans one by one.
impl<V: Value> Column<V> {
    /// The first span that is known.
    pub(super) fn first(&self) -> Place {
        Place { block: 0, index: 0 }
    }

    /// The open span.
    pub(super) fn last(&self) -> Place {
        let block = self.blocks.len() - 1;
        Place { block, index: usize::from(self.blocks[block].len) - 1 }
    }

    /// The span that `at` falls into; of those that begin at `at`, the last.
    pub(super) fn find(&self, at: u64) -> Option<Place> {
        let block = self.starts.partition_point(|&start| start <= at).checked_sub(1)?;
        let offset = at - self.starts[block];
        let stored = &self.blocks[block];
        let index = stored.at[..usize::from(stored.len)].partition_point(|&start| u64::from(start) <= offset);
        Some(Place { block, index: index.checked_sub(1)? })
    }

    /// When a span began.
    pub(super) fn start(&self, place: Place) -> u64 {
        self.starts[place.block] + u64::from(self.blocks[place.block].at[place.index])
    }

    /// What a span says.
    pub(super) fn value(&self, place: Place) -> V {
        self.blocks[place.block].value[place.index]
    }

    /// The span after.
    pub(super) fn after(&self, place: Place) -> Option<Place> {
        let Place { block, index } = place;
        if index + 1 < usize::from(self.blocks[block].len) {
            Some(Place { block, index: index + 1 })
        } else {
            (block + 1 < self.blocks.len()).then_some(Place { block: block + 1, index: 0 })
        }
    }

    /// The span before.
    pub(super) fn before(&self, place: Place) -> Option<Place> {
        let Place { block, index } = place;
        if index > 0 {
            return Some(Place { block, index: index - 1 });
        }
        let block = block.checked_sub(1)?;
        Some(Place { block, index: usize::from(self.blocks[block].len) - 1 })
    }

    /// Every span from the one that `at` falls into, or the first known: its start and value.
    pub(super) fn spans_from(&self, at: u64) -> impl Iterator<Item = (u64, V)> + '_ {
        let first = self.find(at).unwrap_or(self.first());
        std::iter::successors(Some(first), |place| self.after(*place))
            .map(|place| (self.start(place), self.value(place)))
    }

    /// Every span that began before `at`, the latest first: its start and value.
    pub(super) fn spans_before(&self, at: u64) -> impl Iterator<Item = (u64, V)> + '_ {
        let last = at.checked_sub(1).and_then(|at| self.find(at));
        std::iter::successors(last, |place| self.before(*place)).map(|place| (self.start(place), self.value(place)))
    }
}
