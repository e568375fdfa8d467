//! Who has a thing that one lane has at a time: a lock, a core.

use super::column::{Column, Integral, Value};
use crate::event::LaneId;

/// Nobody has it.
const FREE: u16 = 0;
/// Not observed.
const UNKNOWN: u16 = 1;
/// It is not there yet, or not any more.
const ABSENT: u16 = 2;
/// The first holder's key; its next is the same holder without a core.
const FIRST: u16 = 3;
/// Set where another than the last holder comes.
const CHANGE: u16 = 1 << 15;
/// So many different holders are told apart; the rest counts as the last of them.
const HOLDERS: u16 = (CHANGE - FIRST) / 2;

/// One span of a [`Holders`] column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holding(u16);

impl Holding {
    pub(super) const FREE: Holding = Holding(FREE);
    pub(super) const UNKNOWN: Holding = Holding(UNKNOWN);

    fn new(holder: u16, off_core: bool, change: bool) -> Holding {
        Holding(FIRST + 2 * holder + u16::from(off_core) + if change { CHANGE } else { 0 })
    }

    /// The holder's number in its column.
    pub(super) fn holder(self) -> Option<usize> {
        self.key().checked_sub(FIRST.into()).map(|key| key / 2)
    }

    /// Whether it is known who had it, if anyone.
    pub(super) fn is_known(self) -> bool {
        self.0 & !CHANGE != UNKNOWN
    }

    /// Whether another than the last holder came here.
    pub(super) fn is_change(self) -> bool {
        self.0 & CHANGE != 0
    }
}

impl Value for Holding {
    #[inline]
    fn key(self) -> usize {
        usize::from(self.0 & !CHANGE)
    }

    #[inline]
    fn counts(self, _before: Holding) -> bool {
        self.is_change()
    }
}

/// The column of a lock or of a core.
pub(super) struct Holders {
    pub(super) column: Column<Holding>,
    lanes: Vec<LaneId>,
    /// A lane's number in `lanes`, by lane.
    numbers: Vec<Option<u16>>,
    now: Option<LaneId>,
    last: Option<LaneId>,
    /// Whether what it is told is not shown: whoever has it can do nothing with it, or it is not there.
    hidden: Option<Holding>,
    /// What it is while nobody is known to have it: free, or not observed.
    unheld: Holding,
}

impl Holders {
    pub(super) fn new(begin: u64) -> Holders {
        Holders {
            column: Column::new(begin, Holding::FREE),
            lanes: Vec::new(),
            numbers: Vec::new(),
            now: None,
            last: None,
            hidden: None,
            unheld: Holding::FREE,
        }
    }

    /// One that is there since `at` only.
    pub(super) fn born(begin: u64, at: u64) -> Holders {
        let mut holders = Holders::new(begin);
        if at > begin {
            holders.column.revise(begin, Holding(ABSENT));
            holders.column.push(at, Holding::FREE);
        }
        holders
    }

    /// Who has it now.
    pub(super) fn now(&self) -> Option<LaneId> {
        self.now
    }

    /// `lane` has it from `at` on. Says whether another had it last.
    ///
    /// `counted` is false for what happened before the beginning.
    pub(super) fn take(&mut self, at: u64, lane: LaneId, off_core: bool, counted: bool) -> bool {
        let change = self.last.is_some_and(|last| last != lane);
        self.now = Some(lane);
        self.last = Some(lane);
        let holding = Holding::new(self.number(lane), off_core, change && counted);
        let holding = self.hidden.map_or(holding, |hidden| Holding(hidden.0 | holding.0 & CHANGE));
        if counted {
            self.column.push(at, holding)
        } else {
            self.column.revise(at, holding)
        }
        change
    }

    /// Nobody has it from `at` on; if that is before what is recorded, from then on.
    pub(super) fn free(&mut self, at: u64, counted: bool) {
        self.now = None;
        let free = self.hidden.unwrap_or(self.unheld);
        if counted { self.column.push(at, free) } else { self.column.revise(at, free) }
    }

    /// From `at` on whoever has it is known, or nobody knows whether anybody does.
    pub(super) fn set_known(&mut self, at: u64, known: bool) {
        self.unheld = if known { Holding::FREE } else { Holding::UNKNOWN };
        if self.hidden.is_none() && self.now.is_none() && self.column.open().key() != self.unheld.key() {
            self.column.push(at, self.unheld);
        }
    }

    /// From `at` on nobody does anything with it, whoever has it: its process is stopped.
    pub(super) fn halt(&mut self, at: u64) {
        self.hide(at, Holding::UNKNOWN);
    }

    /// From `at` on it is no more.
    pub(super) fn end(&mut self, at: u64) {
        self.hide(at, Holding(ABSENT));
    }

    fn hide(&mut self, at: u64, as_what: Holding) {
        if self.hidden != Some(Holding(ABSENT)) {
            self.hidden = Some(as_what);
            self.column.push(at, as_what);
        }
    }

    /// From `at` on it is as it was told.
    pub(super) fn go_on(&mut self, at: u64) {
        if self.hidden.take_if(|hidden| *hidden == Holding::UNKNOWN).is_some() {
            let holding = self.now.map_or(self.unheld, |lane| Holding::new(self.number(lane), false, false));
            self.column.push(at, holding);
        }
    }

    /// It changed hands so many more times before `at` than was recorded. A cell shows up to a hundred for each time
    /// this is said; more would be no other picture.
    pub(super) fn changes_unseen(&mut self, at: u64, more: u64) {
        let open = Holding(self.column.open().0 & !CHANGE);
        for _ in 0..more.min(100) {
            self.column.push(at, Holding(open.0 | CHANGE));
        }
    }

    /// The holder lost its core, or has one again.
    pub(super) fn set_off_core(&mut self, at: u64, off_core: bool) {
        if let Some(lane) = self.now.filter(|_| self.hidden.is_none()) {
            let holding = Holding::new(self.number(lane), off_core, false);
            if self.column.open().key() != holding.key() {
                self.column.push(at, holding);
            }
        }
    }

    /// Within the open span it was otherwise from `from` to `to`: without a core, or not observed.
    /// Returns since when.
    pub(super) fn revise(&mut self, from: u64, to: u64, as_what: Revision) -> Option<u64> {
        let open = self.column.open();
        let from = from.max(self.column.open_at());
        if from >= to {
            return None;
        }
        let whole = from == self.column.open_at();
        let revised = match (as_what, self.now) {
            (Revision::Unknown, _) => Holding::UNKNOWN,
            (Revision::Free, _) | (Revision::OffCore, None) => Holding::FREE,
            (Revision::OffCore, Some(lane)) => Holding::new(self.number(lane), true, false),
        };
        // That another came has been recorded, and stays so.
        self.column.revise(from, if whole { Holding(revised.0 | open.0 & CHANGE) } else { revised });
        self.column.push(to, Holding(open.0 & !CHANGE));
        Some(from)
    }

    pub(super) fn number(&mut self, lane: LaneId) -> u16 {
        if self.numbers.len() <= lane.index() {
            self.numbers.resize(lane.index() + 1, None);
        }
        *self.numbers[lane.index()].get_or_insert_with(|| {
            if self.lanes.len() < usize::from(HOLDERS) {
                self.lanes.push(lane);
            }
            (self.lanes.len() - 1) as u16
        })
    }

    /// The lane with this number.
    pub(super) fn lane(&self, number: usize) -> LaneId {
        self.lanes[number]
    }

    /// This lane's number, if it ever had it.
    pub(super) fn number_of(&self, lane: LaneId) -> Option<usize> {
        self.numbers.get(lane.index()).copied().flatten().map(usize::from)
    }

    /// How long each had it up to `at`, which is not before the open span; by number, into `held`.
    pub(super) fn held_until(&self, at: u64, held: &mut Vec<u64>) {
        held.clear();
        held.extend((0..self.lanes.len()).map(|number| held_by(self.column.total(), number)));
        if let Some(number) = self.column.open().holder() {
            held[number] += at.saturating_sub(self.column.open_at());
        }
    }

    /// How long each had it up to `at`, at whatever time that is.
    pub(super) fn held_at(&self, at: u64) -> Vec<u64> {
        let integral = self.column.integral(at);
        (0..self.lanes.len()).map(|number| held_by(&integral.sums, number)).collect()
    }

    /// Who had it and since when, at an instant whose span is still known.
    pub(super) fn at(&self, at: u64) -> Option<(LaneId, u64)> {
        let place = self.column.find(at)?;
        let number = self.column.value(place).holder()?;
        let mut since = place;
        while let Some(before) = self.column.before(since) {
            if self.column.value(before).holder() != Some(number) || self.column.value(since).is_change() {
                break;
            }
            since = before;
        }
        Some((self.lane(number), self.column.start(since)))
    }

    pub(super) fn bytes(&self) -> usize {
        self.column.bytes() + self.lanes.capacity() * 4 + self.numbers.capacity() * 4
    }
}

/// What a stretch of an open span turns out to have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revision {
    OffCore,
    Unknown,
    Free,
}

fn held_by(sums: &[u64], number: usize) -> u64 {
    let key = usize::from(FIRST) + 2 * number;
    sums.get(key).copied().unwrap_or(0) + sums.get(key + 1).copied().unwrap_or(0)
}

/// The difference of two integrals of a [`Holders`] column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Whoever had it longest (of equals, the lowest lane), and how long.
    pub longest: Option<(LaneId, u64)>,
    pub held: u64,
    pub off_core: u64,
    pub unknown: u64,
    pub absent: u64,
    pub changes: u32,
}

impl Holders {
    /// What lies between two integrals.
    pub(super) fn share(&self, cell: &Integral) -> Share {
        let mut share = Share { changes: u32::try_from(cell.count).unwrap_or(u32::MAX), ..Share::default() };
        let sum = |key: u16| cell.sums.get(usize::from(key)).copied().unwrap_or(0);
        (share.unknown, share.absent) = (sum(UNKNOWN), sum(ABSENT));
        for (number, lane) in self.lanes.iter().enumerate() {
            let held = held_by(&cell.sums, number);
            if held == 0 {
                continue;
            }
            share.held += held;
            share.off_core += cell.sums.get(usize::from(FIRST) + 2 * number + 1).copied().unwrap_or(0);
            if share.longest.is_none_or(|(other, longest)| held > longest || held == longest && *lane < other) {
                share.longest = Some((*lane, held));
            }
        }
        share
    }
}
