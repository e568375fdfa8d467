//! What was at an instant, and where to go from there.

use super::{Span, Trace};
use crate::event::{LaneId, Line, LockId, Nanos, State};

/// What was at an instant. Where the log has been coarsened, or nothing is recorded, there is no answer.
impl Trace {
    fn known(&self, at: Nanos) -> bool {
        self.begin.is_some_and(|begin| begin <= at) && at <= self.now
    }

    /// The stretch of one state, with one detail, that `at` falls into.
    pub fn span_at(&self, lane: LaneId, at: Nanos) -> Option<Span> {
        let column = &self.lanes[lane.index()].column;
        let found = self.known(at).then(|| column.find(at.0))??;
        let value = column.value(found);
        let same = |place: &_| column.value(*place).same(value);
        let mut first = found;
        while let Some(before) = column.before(first).filter(same) {
            first = before;
        }
        let mut next = column.after(found);
        while next.as_ref().is_some_and(same) {
            next = next.and_then(|next| column.after(next));
        }
        let to = next.map_or(self.now, |next| Nanos(column.start(next)));
        Some(column.value(first).lasting(Nanos(column.start(first)), to))
    }

    /// The stretches of one state, with one detail, from the one on that `at` falls into.
    pub fn spans(&self, lane: LaneId, at: Nanos) -> impl Iterator<Item = Span> {
        let first = self.span_at(lane, at);
        let mut recorded = first.map(|first| self.lanes[lane.index()].column.spans_from(first.from.0).peekable());
        std::iter::from_fn(move || {
            let recorded = recorded.as_mut()?;
            let (from, value) = recorded.next()?;
            while recorded.next_if(|(_, later)| later.same(value)).is_some() {}
            let to = recorded.peek().map_or(self.now, |(next, _)| Nanos(*next));
            Some(value.lasting(Nanos(from), to))
        })
        .filter(|span| span.to > span.from)
    }

    /// The first change of the lane's state or detail after `at`.
    pub fn next_change(&self, lane: LaneId, at: Nanos) -> Option<Nanos> {
        let column = &self.lanes[lane.index()].column;
        let mut spans = column.spans_from(at.0);
        let mut last = spans.next()?.1;
        let mut changes = spans.filter(|(start, value)| {
            let changed = *start > at.0 && !value.same(last);
            last = *value;
            changed
        });
        changes.next().map(|(start, _)| Nanos(start))
    }

    /// The last change of the lane's state or detail before `at`.
    pub fn prev_change(&self, lane: LaneId, at: Nanos) -> Option<Nanos> {
        let column = &self.lanes[lane.index()].column;
        let mut spans = column.spans_before(at.0).peekable();
        while let Some((start, value)) = spans.next() {
            if !spans.peek()?.1.same(value) {
                return Some(Nanos(start));
            }
        }
        None
    }

    /// At which line the lane was.
    pub fn line_at(&self, lane: LaneId, at: Nanos) -> Line {
        let column = &self.lanes[lane.index()].column;
        let found = if self.known(at) { column.find(at.0) } else { None };
        found.map_or(Line::NONE, |place| column.value(place).line())
    }

    /// Who held the lock, and since when.
    pub fn owner_at(&self, lock: LockId, at: Nanos) -> Option<(LaneId, Nanos)> {
        let found = self.known(at).then(|| self.locks[lock.index()].holders.at(at.0))?;
        found.map(|(lane, since)| (lane, Nanos(since)))
    }

    /// When the lock next went to another than its last holder, after `at`.
    pub fn next_handoff(&self, lock: LockId, at: Nanos) -> Option<Nanos> {
        let column = &self.locks[lock.index()].holders.column;
        let mut spans = column.spans_from(at.0);
        spans.find(|(start, value)| *start > at.0 && value.is_change()).map(|(start, _)| Nanos(start))
    }

    /// When the lock last went to another than its last holder, before `at`.
    pub fn prev_handoff(&self, lock: LockId, at: Nanos) -> Option<Nanos> {
        let column = &self.locks[lock.index()].holders.column;
        column.spans_before(at.0).find(|(_, value)| value.is_change()).map(|(start, _)| Nanos(start))
    }

    /// When the lane next took its lock, after `at`.
    pub fn next_take(&self, lane: LaneId, at: Nanos) -> Option<Nanos> {
        let lock = self.locks.get(self.lanes[lane.index()].info.lock?.index())?;
        let number = lock.holders.number_of(lane)?;
        let mut before = None;
        let mut spans = lock.holders.column.spans_from(at.0).filter(|(start, value)| {
            let takes = value.holder() == Some(number) && before != Some(number) && *start > at.0;
            // Whoever held it before a gap in the record holds it after, not anew.
            if value.is_known() {
                before = value.holder();
            }
            takes
        });
        spans.next().map(|(start, _)| Nanos(start))
    }

    /// The first wait of the lane for its lock that begins after `at` and lasts longer than `span`.
    pub fn next_wait_longer_than(&self, lane: LaneId, at: Nanos, span: Nanos) -> Option<Nanos> {
        let mut since = None;
        let end = std::iter::once((self.now.0, None));
        let spans = self.lanes[lane.index()].column.spans_from(at.0).map(|(start, value)| (start, Some(value)));
        for (start, value) in spans.chain(end) {
            match (since, value.is_some_and(|value| value.state() == State::WaitingGil)) {
                (None, true) => since = Some(start),
                (Some(began), false) => {
                    if began > at.0 && start - began > span.0 {
                        return Some(Nanos(began));
                    }
                    since = None;
                }
                _ => {}
            }
        }
        None
    }

    /// The last wait of the lane for its lock that begins before `at` and lasts longer than `span`.
    pub fn prev_wait_longer_than(&self, lane: LaneId, at: Nanos, span: Nanos) -> Option<Nanos> {
        let column = &self.lanes[lane.index()].column;
        let mut ends =
            column.spans_from(at.0).filter(|(start, value)| *start >= at.0 && value.state() != State::WaitingGil);
        let mut until = ends.next().map_or(self.now.0, |(start, _)| start);
        let mut began = None;
        for (start, value) in column.spans_before(at.0) {
            if value.state() == State::WaitingGil {
                began = Some(start);
                continue;
            }
            if let Some(found) = began.take().filter(|found| until - found > span.0) {
                return Some(Nanos(found));
            }
            until = start;
        }
        began.filter(|found| until - found > span.0).map(Nanos)
    }

    /// Who held the lane's lock during a span, and for how long; the longest first.
    pub fn holders_during(&self, lane: LaneId, span: Span) -> Vec<(LaneId, Nanos)> {
        self.lanes[lane.index()].info.lock.map_or_else(Vec::new, |lock| self.held_during(lock, span))
    }

    /// Who held a lock during a span, or had stopped a world, and for how long; the longest first.
    pub fn held_during(&self, lock: LockId, span: Span) -> Vec<(LaneId, Nanos)> {
        let Some(holders) = self.locks.get(lock.index()).map(|lock| &lock.holders) else { return Vec::new() };
        let clip = |at: Nanos| at.clamp(self.begin_at(), self.now).0;
        let (before, after) = (holders.held_at(clip(span.from)), holders.held_at(clip(span.to)));
        let mut held: Vec<(LaneId, Nanos)> = after
            .iter()
            .zip(&before)
            .enumerate()
            .map(|(number, (after, before))| (holders.lane(number), Nanos(after.saturating_sub(*before))))
            .filter(|(_, held)| *held > Nanos::ZERO)
            .collect();
        held.sort_by_key(|(lane, held)| (std::cmp::Reverse(*held), *lane));
        held
    }
}
