//! Counting spans as they end.

use hdrhistogram::Histogram;

use super::Distribution;
use crate::event::Nanos;

/// So many spans are kept as they are; their percentiles are exact.
const EXACT: usize = 4096;

/// Decimal figures of a percentile beyond that: an error of at most one percent.
const FIGURES: u8 = 2;

/// The spans seen so far.
#[derive(Clone)]
pub(super) struct Tally {
    exact: Vec<u64>,
    /// All of them, once they are many.
    many: Option<Histogram<u64>>,
    max: u64,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally { exact: Vec::new(), many: None, max: 0 }
    }

    pub(super) fn add(&mut self, span: u64) {
        self.add_times(span, 1);
    }

    pub(super) fn add_times(&mut self, span: u64, times: u64) {
        self.max = self.max.max(span);
        match &mut self.many {
            Some(histogram) => record(histogram, span, times),
            None => self.exact.extend(std::iter::repeat_n(span, times as usize)),
        }
        if self.exact.len() > EXACT
            && let Ok(mut histogram) = Histogram::new(FIGURES)
        {
            histogram.auto(true);
            self.exact.drain(..).for_each(|span| record(&mut histogram, span, 1));
            self.exact.shrink_to_fit();
            self.many = Some(histogram);
        }
    }

    /// The same with spans that have not ended yet, as long as they are by now.
    pub(super) fn distribution_with(&self, open: &[u64]) -> Distribution {
        let mut tally = self.clone();
        open.iter().for_each(|span| tally.add(*span));
        tally.distribution()
    }

    /// Percentiles by nearest rank.
    pub(super) fn distribution(&self) -> Distribution {
        let max = Nanos(self.max);
        if let Some(histogram) = &self.many {
            let at = |quantile| Nanos(histogram.value_at_quantile(quantile)).min(max);
            return Distribution { count: histogram.len(), p50: at(0.50), p95: at(0.95), p99: at(0.99), max };
        }
        let mut sorted = self.exact.clone();
        sorted.sort_unstable();
        let at =
            |percent: usize| Nanos(sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or(0));
        Distribution { count: sorted.len() as u64, p50: at(50), p95: at(95), p99: at(99), max }
    }

    pub(super) fn bytes(&self) -> usize {
        self.exact.capacity() * 8 + self.many.as_ref().map_or(0, |histogram| histogram.distinct_values() * 8)
    }
}

fn record(histogram: &mut Histogram<u64>, span: u64, times: u64) {
    // It grows by itself; only a span too long for 64 bits would be refused.
    let _ = histogram.record_n(span, times);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_spans_have_exact_percentiles() {
        let mut tally = Tally::new();
        assert_eq!(tally.distribution(), Distribution::default());
        (1..=100).rev().for_each(|span| tally.add(span));
        let expected = Distribution { count: 100, p50: Nanos(50), p95: Nanos(95), p99: Nanos(99), max: Nanos(100) };
        assert_eq!(tally.distribution(), expected);
    }

    #[test]
    fn many_spans_have_percentiles_within_a_hundredth() {
        let mut tally = Tally::new();
        (1..=100_000).for_each(|span| tally.add(span * 1_000));
        let found = tally.distribution();
        assert_eq!((found.count, found.max), (100_000, Nanos(100_000_000)));
        for (found, exact) in [(found.p50, 50_000_000), (found.p95, 95_000_000), (found.p99, 99_000_000)] {
            assert!(found.0.abs_diff(exact) <= exact / 100, "{found} for {exact} ns");
        }
    }
}
