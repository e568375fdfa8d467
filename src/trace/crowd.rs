//! How long many lanes were in each state, all together.
//!
//! **The problem.** Ten thousand lanes are drawn as some dozens of bands, each
//! the mean of hundreds of lanes. To walk every lane's column for that takes
//! longer than a frame.
//!
//! **The choice.** A [`Crowd`] books the same changes as the columns of its
//! lanes, without saying whose they were. A change from one state to another at
//! `a` takes `t - a` from the first and adds it to the second, up to any later
//! `t`; so the sum of a state up to `t` is `lanes * t - since`, where `lanes` is
//! how many came minus how many left, and `since` the sum of when they came
//! minus the sum of when they left. Both are sums over the changes before `t`,
//! whatever `t` is: they are kept with every block of changes, and a change that
//! comes late (a heartbeat revises the past) is added to the blocks after it.
//! The integral is as exact as that of the columns, at eight bytes a change.
//!
//! A log of few lanes has no crowds. So the first [`MEMBERS`] workers are always
//! walked one by one, and so are parts of a crowd.
//!
//! **Not chosen.** Keeping the bands that were drawn last: they depend on the
//! window, and a window that moves is read anew.

use std::collections::VecDeque;

use super::column::INTERVALS;
use crate::event::State;

/// So many workers are a crowd, and are walked one by one before there is any.
pub(super) const MEMBERS: usize = if cfg!(test) { 2 } else { 64 };

/// Changes in a block.
const BLOCK: usize = if cfg!(test) { 8 } else { 128 };

/// The latest instant of a change, since the beginning: three days.
const LATEST: u64 = (1 << 48) - 1;

/// What the changes so far add up to, by state. Both may be below zero: more left the first state than came into it.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    lanes: [i32; State::COUNT],
    since: [u64; State::COUNT],
}

impl Prefix {
    fn add(&mut self, change: Change) {
        let (at, from, to) = (change.at(), change.from(), change.to());
        self.lanes[from] -= 1;
        self.since[from] = self.since[from].wrapping_sub(at);
        self.lanes[to] += 1;
        self.since[to] = self.since[to].wrapping_add(at);
    }

    fn until(&self, to: u64) -> [u64; State::COUNT] {
        let lanes = |state: usize| i64::from(self.lanes[state]).cast_unsigned();
        std::array::from_fn(|state| lanes(state).wrapping_mul(to).wrapping_sub(self.since[state]))
    }
}

/// 48 bits of time since the beginning, 8 of the state before, 8 of the state after: they sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change(u64);

impl Change {
    fn new(at: u64, from: State, to: State) -> Change {
        Change(at << 16 | (from.index() as u64) << 8 | to.index() as u64)
    }

    fn at(self) -> u64 {
        self.0 >> 16
    }

    fn from(self) -> usize {
        usize::from((self.0 >> 8) as u8)
    }

    fn to(self) -> usize {
        usize::from(self.0 as u8)
    }
}

struct Block {
    /// Of all changes before it.
    before: Prefix,
    changes: Vec<Change>,
}

/// See the [module](self).
pub(super) struct Crowd {
    begin: u64,
    members: usize,
    /// When each block begins, since the beginning.
    starts: VecDeque<u64>,
    blocks: VecDeque<Block>,
    /// Of all changes.
    total: Prefix,
    /// Of the part that was given up: instants and sums.
    coarse: Vec<(u64, [u64; State::COUNT])>,
}

impl Crowd {
    /// Nobody, from `begin` on.
    pub(super) fn new(begin: u64) -> Crowd {
        Crowd {
            begin,
            members: 0,
            starts: VecDeque::from([0]),
            blocks: VecDeque::from([Block { before: Prefix::default(), changes: Vec::new() }]),
            total: Prefix::default(),
            coarse: Vec::new(),
        }
    }

    /// One more lane, which was unborn until now.
    pub(super) fn join(&mut self) {
        self.members += 1;
    }

    /// How many lanes it has.
    pub(super) fn members(&self) -> usize {
        self.members
    }

    /// From `at` on, one of its lanes is `to`, no longer `from`.
    pub(super) fn change(&mut self, at: u64, from: State, to: State) {
        if from == to {
            return;
        }
        let at = at.saturating_sub(self.begin).min(LATEST);
        let change = Change::new(at, from, to);
        let before = self.total;
        self.total.add(change);
        if at < self.starts[0] {
            // Late, and in the part that was given up: all sums since then have it.
            for (later, sums) in self.coarse.iter_mut().filter(|(later, _)| *later > at) {
                sums[change.from()] = sums[change.from()].wrapping_sub(*later - at);
                sums[change.to()] = sums[change.to()].wrapping_add(*later - at);
            }
            self.blocks.iter_mut().for_each(|block| block.before.add(change));
            return;
        }
        let last = self.blocks.len() - 1;
        let block = self.starts.partition_point(|&start| start <= at).max(1) - 1;
        let full = self.blocks[last].changes.len() >= BLOCK;
        if block == last && full && self.blocks[last].changes.last().is_some_and(|last| last.at() < at) {
            self.starts.push_back(at);
            let mut changes = Vec::with_capacity(BLOCK);
            changes.push(change);
            self.blocks.push_back(Block { before, changes });
        } else {
            let changes = &mut self.blocks[block].changes;
            let place = changes.partition_point(|known| *known <= change);
            changes.insert(place, change);
            self.blocks.range_mut(block + 1..).for_each(|later| later.before.add(change));
        }
    }

    /// How long its lanes were in each state up to `to`, all together.
    pub(super) fn until(&self, to: u64) -> [u64; State::COUNT] {
        self.walk().to(to)
    }

    /// For sums at instants that come in order.
    pub(super) fn walk(&self) -> Walk<'_> {
        Walk { crowd: self, block: usize::MAX, index: 0, sum: Prefix::default() }
    }

    /// Since when it is exact, if not from the beginning.
    pub(super) fn coarsened_before(&self) -> Option<u64> {
        (!self.coarse.is_empty()).then(|| self.begin + self.starts[0])
    }

    /// The bytes it occupies.
    pub(super) fn bytes(&self) -> usize {
        let blocks = self.blocks.len() * (size_of::<Block>() + 8);
        let changes: usize = self.blocks.len().saturating_sub(1) * BLOCK * 8;
        blocks + changes + self.blocks.back().map_or(0, |last| last.changes.capacity() * 8) + self.coarse_bytes()
    }

    fn coarse_bytes(&self) -> usize {
        self.coarse.len() * size_of::<(u64, [u64; State::COUNT])>()
    }

    /// About how many bytes [`Crowd::coarsen`] would free.
    pub(super) fn bytes_before(&self, before: u64) -> usize {
        self.blocks_before(before) * (size_of::<Block>() + BLOCK * 8)
    }

    fn blocks_before(&self, before: u64) -> usize {
        let before = before.saturating_sub(self.begin);
        self.starts.partition_point(|&start| start <= before).saturating_sub(1)
    }

    /// Gives up the blocks that end at or before `before`; of their sums remains what stood at their beginnings, at
    /// most so many times.
    pub(super) fn coarsen(&mut self, before: u64) {
        for _ in 0..self.blocks_before(before) {
            if let (Some(start), Some(block)) = (self.starts.pop_front(), self.blocks.pop_front()) {
                self.coarse.push((start, block.before.until(start)));
            }
        }
        while self.coarse.len() as u64 > INTERVALS {
            let mut index = 0;
            self.coarse.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
    }
}

/// Goes through a crowd in the order of time.
pub(super) struct Walk<'a> {
    crowd: &'a Crowd,
    block: usize,
    index: usize,
    sum: Prefix,
}

impl Walk<'_> {
    /// The sums up to `to`, which is not before the last one asked for.
    pub(super) fn to(&mut self, to: u64) -> [u64; State::COUNT] {
        let crowd = self.crowd;
        let to = to.saturating_sub(crowd.begin);
        let mut sums = if to < crowd.starts[0] { self.interpolated(to) } else { self.exact(to) };
        // The rest of the time they were not born.
        let born: u64 = State::ALL.into_iter().filter(|state| *state != State::Unborn).map(|s| sums[s.index()]).sum();
        sums[State::Unborn.index()] = (crowd.members as u64 * to).saturating_sub(born);
        sums
    }

    fn exact(&mut self, to: u64) -> [u64; State::COUNT] {
        let crowd = self.crowd;
        let block = crowd.starts.partition_point(|&start| start <= to).max(1) - 1;
        if block != self.block {
            (self.block, self.index, self.sum) = (block, 0, crowd.blocks[block].before);
        }
        while let Some(change) = crowd.blocks[block].changes.get(self.index).filter(|change| change.at() < to) {
            self.sum.add(*change);
            self.index += 1;
        }
        self.sum.until(to)
    }

    fn interpolated(&self, to: u64) -> [u64; State::COUNT] {
        let crowd = self.crowd;
        let next = crowd.coarse.partition_point(|(at, _)| *at <= to);
        let Some((from_at, from)) = next.checked_sub(1).map(|before| crowd.coarse[before]) else {
            return [0; State::COUNT];
        };
        let fine = || (crowd.starts[0], crowd.blocks[0].before.until(crowd.starts[0]));
        let (until_at, until) = crowd.coarse.get(next).copied().unwrap_or_else(fine);
        let (passed, whole) = (u128::from(to - from_at), u128::from(until_at - from_at).max(1));
        std::array::from_fn(|state| {
            let part = until[state].saturating_sub(from[state]);
            from[state].wrapping_add((u128::from(part) * passed / whole) as u64)
        })
    }
}
