//! Which lines took the last second, by looking at every tick at whoever runs.

use std::collections::VecDeque;

use crate::event::{LaneId, Line, Nanos, State};
use crate::trace::Trace;

const WINDOW: Nanos = Nanos::from_secs(1);

/// The looks of the last second.
#[derive(Debug, Default)]
pub struct Lines {
    seen: VecDeque<(Nanos, Line)>,
}

impl Lines {
    /// Takes in one look: the line each lane is at. Counts those on a core.
    pub fn look(&mut self, now: Nanos, log: &Trace, at: &[(LaneId, Line)]) {
        for (lane, line) in at {
            let runs = log
                .span_at(*lane, log.now() - Nanos(1))
                .is_some_and(|span| matches!(span.state, State::Running | State::Native | State::WaitingCore));
            if runs && *line != Line::NONE {
                self.seen.push_back((now, *line));
            }
        }
        while self.seen.front().is_some_and(|(at, _)| *at + WINDOW < now) {
            self.seen.pop_front();
        }
    }

    /// The share of each line, 0 to 1, by index from 0; empty before the first look.
    pub fn shares(&self, lines: usize) -> Vec<f32> {
        if self.seen.is_empty() {
            return Vec::new();
        }
        let mut shares = vec![0.0; lines];
        for (_, line) in &self.seen {
            if let Some(share) = shares.get_mut(line.index().wrapping_sub(1)) {
                *share += 1.0 / self.seen.len() as f32;
            }
        }
        shares
    }

    /// Forgets everything: another run.
    pub fn clear(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_seen_is_no_share_and_what_is_seen_is_shared_out() {
        let mut lines = Lines::default();
        assert!(lines.shares(3).is_empty());
        lines.seen.extend([(Nanos(1), Line(2)), (Nanos(2), Line(2)), (Nanos(3), Line(3)), (Nanos(4), Line(9))]);
        assert_eq!(lines.shares(3), [0.0, 0.5, 0.25]);
    }
}
