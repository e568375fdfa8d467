//! Sentences and words, as pure functions of what is known.

mod kitchen;
mod sentence;

use unicode_width::UnicodeWidthChar;

use crate::event::{LaneId, Nanos};
pub use crate::insight::words::{number, percent};
use crate::session::{Expected, Experiment, format_duration};
use crate::text::printable;
use crate::trace::{CoreEvidence, Trace};
use crate::vm::Rules;

pub use kitchen::{Wording, foreign};
pub use sentence::sentence;

use super::action::Action;
use super::cursor;
use super::news::baseline_expected;
use super::origin::Origin;
use super::rows;
use super::state::{Phase, State};
use super::view::Trigger;

/// Text from elsewhere, safe to draw: what would steer is spelt out, a tab is a blank, and every character one column wide.
pub fn sanitised(text: &str) -> String {
    let text = printable(&text.replace('\t', " "));
    text.chars().map(|c| if c.width() == Some(1) { c } else { '?' }).collect()
}

/// How a lane ended, where there is room for a word or two beside its picture: `SIGKILL`, `with the master`.
pub fn end_in_short(end: &str) -> &str {
    match end.strip_prefix("ended ").filter(|rest| rest.starts_with("with the ")) {
        Some(with) => with.split(" that ").next().and_then(|with| with.split(',').next()).unwrap_or(with),
        None => end.trim_start_matches("killed by "),
    }
}

/// With a capital letter, as at the beginning of a sentence.
pub fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), characters.as_str()))
}

/// A chosen span, as short as it can be: `5 ms`, `0.1 ms`, `20 µs`.
pub fn span(span: Nanos) -> String {
    let text = format_duration(span);
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (value, unit) = text.split_at(split);
    format!("{value} {}", if unit == "us" { "µs" } else { unit })
}

/// A run's length while it runs: tenths of seconds, so that it can be read.
pub fn tenths(span: Nanos) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

/// A length as one says it of what is yet to come.
pub fn about(span: Nanos) -> String {
    match span.as_secs_f64() {
        seconds if seconds < 0.95 => "1 s".to_owned(),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

/// The same of a run under way: `about 2.8 h`, `more than 40 s`.
pub fn how_long(expected: Expected) -> String {
    format!("{} {}", if expected.at_least { "more than" } else { "about" }, about(expected.span))
}

/// How long one at a time will take, with what is known of that.
pub fn expected(state: &State) -> String {
    let most = if state.expected.is_some() { "" } else { "up to " };
    format!("{most}about {}", about(baseline_expected(state)))
}

/// An instant of the run: as exact as a cell is short.
pub fn instant(since_begin: Nanos, cell: Nanos) -> String {
    let digits = match cell.0 {
        0..10_000 => 6,
        10_000..1_000_000 => 5,
        1_000_000..100_000_000 => 3,
        _ => 1,
    };
    format!("{:.digits$} s", since_begin.as_secs_f64())
}

/// The phase with what belongs to it: `RUNNING 2.4 s`.
pub fn phase(state: &State) -> String {
    let word = state.phase.word();
    match &state.phase {
        Phase::Running => format!("{word} {}", tenths(state.figures.elapsed)),
        Phase::Baseline { since: Some(since) } => format!("{word} {}", tenths(state.now - *since)),
        _ => word.to_owned(),
    }
}

/// What a birth costs.
pub fn start_up(experiment: &Experiment) -> String {
    match &experiment.start_up {
        Some(calibration) => format!("as {}", calibration.name()),
        None => "bare: what the miniature itself takes".to_owned(),
    }
}

/// What the tool is and what it costs, from most to least needed.
pub fn evidence(state: &State) -> Vec<String> {
    let mut words = vec![state.origin.engine.clone(), state.origin.how.clone()];
    // Where the kernel tells it, it needs no words.
    match state.origin.cores {
        Some(CoreEvidence::Heartbeat) => words.push("cores by heartbeat".to_owned()),
        Some(CoreEvidence::None) => words.push("cores unknown".to_owned()),
        Some(CoreEvidence::SwitchRecords) | None => {}
    }
    if let Some(own) = state.machine.own {
        words.push(format!("itself {:.1}%", own * 100.0));
    }
    match state.figures.dropped {
        0 => words.push("nothing dropped".to_owned()),
        dropped => words.insert(2, format!("{dropped} events dropped")),
    }
    words
}

/// How it is known who had a core, in words, with the reason if it could be known better.
pub fn core_evidence(origin: &Origin) -> String {
    let how = match origin.cores {
        None => "not known before a run",
        Some(CoreEvidence::SwitchRecords) => "the kernel's switch records",
        Some(CoreEvidence::Heartbeat) => "gaps between heartbeats",
        Some(CoreEvidence::None) => "not known",
    };
    origin.reason.as_ref().map_or(how.to_owned(), |why| format!("{how}: {}", sanitised(why)))
}

/// What the workers share of the cores comes to, in words.
pub fn cores_worth(busy: f64, cores: usize) -> String {
    let cores = cores.max(1) as f64;
    match busy {
        busy if busy < 0.05 => "no core's worth".to_owned(),
        busy if (busy - 1.0).abs() <= 0.15 => "one core's worth".to_owned(),
        busy if busy >= 0.9 * cores => "every core full".to_owned(),
        busy if busy < 0.85 => "less than one core's worth".to_owned(),
        busy => format!("{busy:.1} cores' worth"),
    }
}

/// A finished bar against the baseline.
pub fn gain(baseline: Nanos, elapsed: Nanos) -> String {
    let ratio = baseline.0 as f64 / elapsed.0.max(1) as f64;
    if (elapsed.0 as f64 / baseline.0.max(1) as f64 - 1.0).abs() <= 0.15 {
        "no gain".to_owned()
    } else if ratio < 9.95 {
        format!("≈{ratio:.1}×")
    } else {
        format!("≈{ratio:.0}×")
    }
}

/// A large number in as few characters as it takes to compare it: `870`, `9.5k`, `163k`, `2.1M`.
pub fn count(value: f64) -> String {
    let (value, unit) = match value {
        value if value < 999.5 => return format!("{value:.0}"),
        value if value < 999_500.0 => (value / 1e3, "k"),
        value => (value / 1e6, "M"),
    };
    if value < 9.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// Where the loop may switch.
pub const fn rules(rules: Rules) -> &'static str {
    match rules {
        Rules::V3_10 => "3.10: may switch at loops and calls",
        Rules::V3_9 => "3.9: may switch nearly anywhere",
    }
}

/// One character for the lane or band at a place: `1`–`9`, `a`–`z`, `A`–`Z`, then `*`; `0` is a thread that does no
/// task.
pub fn mark(place: Option<usize>) -> char {
    const MARKS: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    match place {
        None => '0',
        Some(index) => MARKS.get(index).map_or('*', |mark| char::from(*mark)),
    }
}

/// What a lane that has just been picked is good for.
pub fn picked(state: &State, log: &Trace, lane: LaneId) -> String {
    let name = match cursor::band(state, log) {
        Some(band) => rows::band_name(log, &band),
        None => sanitised(&log.lane(lane).name),
    };
    let live = state.phase == Phase::Running && state.view.frozen.is_none();
    let starts = match state.view.trigger {
        Trigger::Take if live && log.lane(lane).lock.is_some() => ": pictures start where it takes its lock",
        Trigger::LongWait if live => ": pictures start where it waits long for its lock",
        _ => "",
    };
    let key = |action| state.keymap.key(action);
    let (point, next) = (key(Action::CursorRight), key(Action::NextHandoff));
    let hand_off = match log.lane(lane).lock {
        Some(_) => format!(", {next} goes to the next hand-off of its lock"),
        None => String::new(),
    };
    format!("{name} is picked{starts}. {point} points at it and says what it does{hand_off}.")
}

/// What a line of the settings seldom used is for.
pub const fn setting(line: usize) -> &'static str {
    match line {
        0 => {
            "rules: where a thread may lose the lock. Under 3.9 nearly anywhere, so counter += 1 loses updates; from 3.10 on not."
        }
        1 => "tasks: how often work is called. With more tasks than workers, whoever is done takes the next.",
        _ => "start-up: whether the birth of a worker costs what it costs a CPython, or only what the miniature takes.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_run_within_fifteen_percent_gains_nothing() {
        let second = Nanos::from_secs(1);
        for (millis, words) in
            [(1000, "no gain"), (1150, "no gain"), (860, "no gain"), (1200, "≈0.8×"), (286, "≈3.5×"), (50, "≈20×")]
        {
            assert_eq!(gain(second, Nanos::from_millis(millis)), words);
        }
    }

    #[test]
    fn large_numbers_are_short() {
        let words = [870.4, 9_540.0, 9_960.0, 163_400.0, 999_600.0, 21_000_000.0].map(count);
        assert_eq!(words, ["870", "9.5k", "10k", "163k", "1.0M", "21M"]);
    }

    #[test]
    fn foreign_names_take_one_column_a_character_and_control_nothing() {
        assert_eq!(sanitised("a\t\u{1b}[31m\nb\u{200b}漢é"), "a \\u{1b}[31m\\nb\\u{200b}?é");
    }

    #[test]
    fn every_lane_up_to_sixty_one_has_its_own_mark() {
        let marks: std::collections::BTreeSet<char> = (0..61).map(|place| mark(Some(place))).collect();
        assert_eq!(marks.len(), 61);
        assert_eq!((mark(Some(78)), mark(None)), ('*', '0'));
    }

    #[test]
    fn spans_are_written_as_short_as_they_can_be() {
        assert_eq!(span(Nanos::from_millis(5)), "5 ms");
        let said = [20, 3_000, 61_400, 600_000, 10_000_000].map(|millis| about(Nanos::from_millis(millis)));
        assert_eq!(said, ["1 s", "3 s", "61 s", "10 min", "2.8 h"]);
        assert_eq!(span(Nanos::from_micros(100)), "100 µs");
        assert_eq!(span(Nanos::from_millis(1500)), "1.5 s");
    }
}
