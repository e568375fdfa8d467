//! Carries out one comparison without a screen: progress on standard error, Ctrl-C keeps what is done.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::app::words::how_long;
use crate::clock::{Clock, Monotonic};
use crate::engine::sampler::Sampler;
use crate::event::Nanos;
use crate::session::{BASELINE_AT_MOST, Comparer, Comparison, Contest, Expected, Interpreters, Progress};
use crate::workload::Workload;

use super::ascii_only;

/// How often events are collected while nobody looks.
const EVERY: Duration = Duration::from_millis(20);

/// How wide the bar is.
const BAR: usize = 24;

/// Carries out comparisons, one after another, until somebody interrupts.
pub(super) struct Contests {
    interrupted: Arc<AtomicBool>,
    /// Without it memory is not known.
    sampler: Option<Sampler>,
    line: Line,
    ascii: bool,
}

impl Contests {
    pub(super) fn new() -> color_eyre::Result<Contests> {
        Ok(Contests {
            interrupted: super::headless::interruption()?,
            sampler: Sampler::start().ok(),
            line: Line::new(),
            ascii: ascii_only(),
        })
    }

    /// Whether somebody has interrupted.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Carries out one, the baseline included. What was done before an interruption is kept.
    pub(super) fn carry_out(&mut self, workload: &Arc<Workload>, contest: &Contest) -> Option<Comparison> {
        self.see_through(Comparer::new(Interpreters), workload, contest)
    }

    /// The same without the baseline.
    pub(super) fn carry_out_only(&mut self, workload: &Arc<Workload>, contest: &Contest) -> Option<Comparison> {
        self.see_through(Comparer::without_baseline(Interpreters), workload, contest)
    }

    fn see_through(
        &mut self,
        mut comparer: Comparer<Interpreters>,
        workload: &Arc<Workload>,
        contest: &Contest,
    ) -> Option<Comparison> {
        comparer.start(Arc::clone(workload), contest, Monotonic.now());
        let mut told = contest.at_most.is_none();
        while comparer.comparison().is_some_and(|comparison| !comparison.is_over()) {
            thread::sleep(EVERY);
            if self.interrupted() {
                comparer.cancel();
                break;
            }
            if let (Some(sampler), Some(run)) = (&self.sampler, comparer.run()) {
                sampler.watch(run.processes());
                sampler.samples().try_iter().for_each(|sample| run.note_sample(&sample));
            }
            comparer.poll(Monotonic.now());
            let expected = comparer.comparison().filter(|it| !told && !it.is_over()).and_then(|it| it.expected);
            if let Some(expected) = expected.filter(|it| it.span > contest.room(BASELINE_AT_MOST)) {
                told = true;
                self.line.clear();
                let long = takes(expected, contest.repeats);
                let _ = writeln!(io::stderr(), "gilscope: {long}; Ctrl-C keeps what is done");
            }
            if let Some(comparison) = comparer.comparison().filter(|_| self.line.wanted) {
                self.line.say(&bar(comparison, self.ascii));
            }
        }
        self.line.clear();
        comparer.comparison().cloned()
    }
}

/// How long one task after another takes, and how often that is done.
pub(super) fn takes(expected: Expected, rounds: u32) -> String {
    let long = how_long(expected);
    match rounds {
        1 => format!("one task after another takes {long}"),
        _ => format!("one task after another takes {long}, and each of {rounds} rounds does it"),
    }
}

/// One line on standard error while it is a terminal.
pub(super) struct Line {
    wanted: bool,
    said: String,
}

impl Line {
    pub(super) fn new() -> Line {
        Line { wanted: io::stderr().is_terminal(), said: String::new() }
    }

    pub(super) fn say(&mut self, line: &str) {
        if self.wanted && line != self.said {
            let _ = write!(io::stderr(), "\r{line}\x1b[K");
            line.clone_into(&mut self.said);
        }
    }

    pub(super) fn clear(&mut self) {
        if self.wanted && !self.said.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[K");
            self.said.clear();
        }
    }
}

/// The bar, what runs, and the time left.
fn bar(comparison: &Comparison, ascii: bool) -> String {
    let (full, empty) = if ascii { ("#", ".") } else { ("█", "·") };
    let filled = (BAR * comparison.done).checked_div(comparison.total).unwrap_or(0).min(BAR);
    let what = match comparison.progress {
        Progress::Sizing => "finding the size".to_owned(),
        Progress::Running { row, repeat } => {
            format!("{}, {repeat} of {}", comparison.rows[row].label, comparison.repeats)
        }
        Progress::Done | Progress::Cancelled | Progress::TooLong => String::new(),
    };
    let left = comparison.time_left.map_or_else(String::new, |left| format!("  {} left", coarse(left)));
    format!(
        "{}{} {} of {} runs  {what}{left}",
        full.repeat(filled),
        empty.repeat(BAR - filled),
        comparison.done,
        comparison.total
    )
}

/// A time left as one says it: whole seconds, rounded up.
fn coarse(span: Nanos) -> String {
    match span.0.div_ceil(1_000_000_000) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_said_in_whole_seconds_and_then_in_minutes() {
        assert_eq!(coarse(Nanos::from_millis(200)), "1 s");
        assert_eq!(coarse(Nanos::from_secs(119)), "119 s");
        assert_eq!(coarse(Nanos::from_secs(130)), "3 min");
    }
}
