//! A comparison as people read it: long and low against short and tall.
//!
//! Each model is two rows of blocks over one common time axis. Length is time,
//! height is cores busy, and both rows full are every core. The figures stand
//! beside the picture, the costs below it.

use std::fmt::Write;

use crate::engine::Engine;
use crate::event::{Nanos, State};
use crate::session::{Comparison, Interpreter, Progress, Row, RunSummary};

use super::comparison::{bytes, gain, median_span, number};
use crate::text::lines::wrapped;
use crate::text::printable;

/// As wide as lines get.
const WIDTH: usize = 100;

/// How wide a model's name and the picture of its run are together.
const BOTH: usize = 60;

/// How wide a model's name is at least and at most.
const LABEL: (usize, usize) = (18, 30);

/// How wide the figures beside the picture are at most.
const FIGURES: usize = 36;

/// Eighths of a cell, from the bottom.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A comparison as text, a hundred columns wide at most.
pub fn text(comparison: &Comparison) -> String {
    let mut out = String::new();
    head(comparison, &mut out);
    let longest = comparison.longest();
    let names = comparison.rows.iter().filter(|row| row.refusal.is_none()).map(|row| row.label.chars().count());
    let label = names.max().unwrap_or(0).clamp(LABEL.0, LABEL.1);
    if longest > Nanos::ZERO {
        let chart = BOTH - label;
        let cell = Nanos(longest.0.div_ceil(chart as u64));
        for row in comparison.rows.iter().filter(|row| row.refusal.is_none()) {
            picture(comparison, row, cell, (label, chart), &mut out);
        }
        axis(longest, cell, (label, chart), &mut out);
        costs(comparison, label, &mut out);
        let _ = writeln!(
            out,
            " voluntary and involuntary context switches: since a thread waited, and since its core was taken"
        );
        unobserved(comparison, &mut out);
        ledgers(comparison, label, &mut out);
    }
    let unseen = |row: &Row| row.typical().is_some() && row.whole().all(|run| run.peak_rss.is_none());
    if comparison.rows.iter().any(unseen) {
        let _ = writeln!(out, " ? memory is not known of these runs: the system did not tell it");
    }
    ideals(comparison, &mut out);
    let beside = comparison.interpreters().len() > 1;
    for row in &comparison.rows {
        if let Some(reason) = &row.refusal {
            let whose = if beside { format!(" ({})", row.interpreter.name()) } else { String::new() };
            let _ = writeln!(out, " {}{whose} does not run: {}", row.model, printable(reason));
        }
        if let Some(failure) = row.failure() {
            let failed = row.runs.len() - row.whole().count();
            let _ = writeln!(
                out,
                " {}: × {failed} of {} failed: {}",
                row.label,
                count(row.runs.len() as u32, "run"),
                printable(failure)
            );
        }
    }
    for absent in &comparison.absent {
        let _ = writeln!(out, " left out: {}", printable(&absent.reason));
    }
    out
}

/// What nobody can do better than, for each interpreter.
fn ideals(comparison: &Comparison, out: &mut String) {
    let baselines = comparison.rows.iter().filter(|row| row.model == "sequential");
    let beside = comparison.interpreters().len() > 1;
    for (index, (row, ideal)) in baselines.filter_map(|row| Some((row, comparison.ideal_beside(row)?))).enumerate() {
        let cores = comparison.cores;
        let _ = writeln!(
            out,
            "{} Ideal{}, if {} on {cores} {} cost nothing: {}, {:.1}×.",
            if index == 0 { "\n" } else { "" },
            if beside { format!(" in {}", row.interpreter.name()) } else { String::new() },
            count(comparison.experiment.workers, "worker"),
            if cores == 1 { "core" } else { "cores" },
            ideal.elapsed,
            ideal.speedup
        );
    }
}

/// Which real runs were not seen exactly. The figures of the others need no words.
fn unobserved(comparison: &Comparison, out: &mut String) {
    let real = |row: &&Row| row.interpreter.python().is_some() && row.typical().is_some();
    let ways = [
        (None, "not observed, so without reasons and hand-offs"),
        (Some(Engine::CoresOnly), "only threads and cores were seen, no lock"),
        (Some(Engine::Sampled), "the lock was sampled, not recorded"),
        (Some(Engine::Mixed), "the lock was recorded in part and sampled in part"),
    ];
    for (way, words) in ways {
        let rows = comparison.rows.iter().filter(real);
        let seen = rows.filter(|row| row.typical().is_some_and(|run| run.observed == way));
        let labels: Vec<&str> = seen.map(|row| row.label.as_str()).collect();
        if !labels.is_empty() {
            let line = format!(" {words}: {}", labels.join(", "));
            let dots = if line.chars().count() > WIDTH { "…" } else { "" };
            let _ = writeln!(out, "{}{dots}", line.chars().take(WIDTH - dots.len().min(1)).collect::<String>());
        }
    }
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn head(comparison: &Comparison, out: &mut String) {
    let rounds =
        comparison.rows.iter().filter(|row| row.refusal.is_none()).map(|row| row.runs.len()).min().unwrap_or(0);
    let end = if comparison.progress == Progress::Done { "DONE" } else { "CANCELLED" };
    let interpreters = comparison.interpreters();
    let real: Vec<&str> = interpreters.iter().filter_map(|it| it.python()).map(|python| python.name.as_str()).collect();
    let emulated = interpreters.contains(&&Interpreter::Miniature);
    let whose = match (emulated, real.as_slice()) {
        (true, []) => "MINIATURE CPython".to_owned(),
        (true, _) => "MINIATURE, REAL CPython".to_owned(),
        (false, [name]) => format!("REAL CPython {name}"),
        (false, _) => "REAL CPython".to_owned(),
    };
    let _ = writeln!(
        out,
        " {}, {}, {}      {rounds}/{} repeats      {end}      {whose}",
        printable(&comparison.title),
        count(comparison.tasks(), "task"),
        count(comparison.cores as u32, "core"),
        comparison.repeats
    );
    let paid = if emulated { printable(&comparison.experiment.start_up_words()) } else { "start-up".to_owned() };
    let _ = writeln!(out, " length: time   height: cores busy, full = {}   s: {paid}\n", comparison.cores);
}

/// Two rows: the upper half of the picture and why it took so long; the lower half and how long it took.
fn picture(comparison: &Comparison, row: &Row, cell: Nanos, widths: (usize, usize), out: &mut String) {
    let (label, chart) = widths;
    let Some(run) = row.typical() else {
        let _ = writeln!(
            out,
            " {:<label$} {:<chart$}  {}",
            short(&row.label, label),
            "",
            if row.runs.is_empty() { "not run" } else { "×" }
        );
        return;
    };
    let said = row.disturbed(comparison.cores).unwrap_or_else(|| reasons(run));
    let (upper, lower) = blocks(run, cell, comparison.cores, chart);
    let figures = row.elapsed().map_or_else(String::new, |elapsed| {
        let whiskers = match row.whole().count() {
            1 => String::new(),
            _ => format!("[{}–{}]", elapsed.min, elapsed.max),
        };
        let gain = match comparison.speedup(row) {
            _ if row.model == "sequential" => "1×".to_owned(),
            Some(speedup) => gain(speedup, row.whole().count()),
            None => String::new(),
        };
        format!("{:<8} {whiskers:<17}  {gain}", elapsed.median.to_string())
    });
    let _ = writeln!(out, "{}", format!(" {:<label$} {upper:<chart$}  {said}", "").trim_end());
    let _ = writeln!(out, "{}", format!(" {:<label$} {lower:<chart$}  {figures}", short(&row.label, label)).trim_end());
}

fn short(label: &str, width: usize) -> String {
    label.chars().take(width).collect()
}

/// The biggest shares of the workers' time beside running.
fn reasons(run: &RunSummary) -> String {
    let mut said = String::new();
    for (state, share) in run.reasons().into_iter().filter(|(_, share)| *share >= 0.05) {
        let comma = if said.is_empty() { "" } else { ", " };
        let more = format!("{comma}{} {:.0}%", words(state), share * 100.0);
        if said.len() + more.len() > FIGURES {
            break;
        }
        said += &more;
    }
    said
}

/// The state's words where they are followed by a share, in a narrow column.
fn words(state: State) -> &'static str {
    match state {
        State::Starting => "start-up",
        State::WaitingLock => "own lock",
        State::Sleeping => "sleeps",
        State::WaitingWorld => "stop-the-world",
        state => state.words(),
    }
}

/// The two rows of a run. Start-up is `s` where it is most of what was busy.
fn blocks(run: &RunSummary, cell: Nanos, cores: usize, chart: usize) -> (String, String) {
    let mut rows = (String::new(), String::new());
    for (busy, starting) in run.profile.on_axis(run.elapsed, cell, chart).into_iter().flatten() {
        let eighths = (f64::from(busy) / cores.max(1) as f64 * 16.0).round().clamp(0.0, 16.0) as usize;
        // Whatever was busy at all leaves a mark.
        let eighths = if busy > 0.0 { eighths.max(1) } else { eighths };
        let glyph = |eighths: usize| match eighths {
            4.. if starting > busy / 2.0 => 's',
            eighths => BLOCKS[eighths],
        };
        rows.0.push(glyph(eighths.saturating_sub(8)));
        rows.1.push(glyph(eighths.min(8)));
    }
    rows
}

/// Marks at round times below the picture.
fn axis(longest: Nanos, cell: Nanos, widths: (usize, usize), out: &mut String) {
    let (label, chart) = widths;
    let step = round_step(longest.0 / 4);
    let mut line = vec![' '; chart + 12];
    for mark in (0..=longest.0).step_by(step as usize) {
        let text = if mark == 0 { "0".to_owned() } else { crate::session::format_duration(Nanos(mark)) };
        let at = (mark / cell.0.max(1)) as usize;
        line.iter_mut().skip(at).zip(text.chars()).for_each(|(place, c)| *place = c);
    }
    let line: String = line.into_iter().collect();
    let _ = writeln!(out, " {:<label$} {}", "", line.trim_end());
}

/// The least of 1, 2, 5 times a power of ten that is not below.
fn round_step(least: u64) -> u64 {
    let mut power = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * power >= least {
                return factor * power;
            }
        }
        power *= 10;
    }
}

fn costs(comparison: &Comparison, label: usize, out: &mut String) {
    let _ = writeln!(
        out,
        "\n {:<label$} {:>10}{:>11}{:>11}{:>13}{:>10}{:>14}",
        "medians", "cores busy", "hand-offs", "voluntary", "involuntary", "memory", "start-up each"
    );
    for row in comparison.rows.iter().filter(|row| row.whole().next().is_some()) {
        let figure = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), number);
        let memory = row.median_of(|run| run.peak_pss.or(run.peak_rss).map(|bytes| bytes as f64));
        let start = match median_span(row, |run| Some(run.startup)) {
            None | Some(Nanos::ZERO) => "–".to_owned(),
            Some(span) => span.to_string(),
        };
        let _ = writeln!(
            out,
            " {:<label$} {:>10}{:>11}{:>11}{:>13}{:>10}{start:>14}",
            short(&row.label, label),
            row.cores_busy().map_or_else(|| "?".to_owned(), |busy| format!("{busy:.2}")),
            figure(row.handoffs()),
            figure(row.median_of(|run| run.voluntary.map(|count| count as f64))),
            figure(row.median_of(|run| run.involuntary.map(|count| count as f64))),
            memory.map_or_else(|| "?".to_owned(), |memory| bytes(memory as u64)),
        );
    }
}

/// Where the workers' time went, of the run nearest to the median: every state that took half a per cent of it.
fn ledgers(comparison: &Comparison, label: usize, out: &mut String) {
    let typical = |row: &Row| row.typical().map(|run| (row.label.clone(), shares(run)));
    let rows: Vec<_> = comparison.rows.iter().filter_map(typical).filter(|(_, shares)| !shares.is_empty()).collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n where the workers' time went, of the run nearest to the median");
    for (name, shares) in rows {
        let said: Vec<String> =
            shares.iter().map(|(state, share)| format!("{} {:.0}%", words(*state), share * 100.0)).collect();
        let mut name = short(&name, label);
        for line in wrapped(&said.join(", "), WIDTH - label - 2) {
            let _ = writeln!(out, " {name:<label$} {line}");
            name.clear();
        }
    }
}

/// The states of those who were there by their share of the time they were, the greatest first.
fn shares(run: &RunSummary) -> Vec<(State, f64)> {
    let lived = State::ALL.into_iter().filter(|state| !matches!(state, State::Unborn | State::Done));
    let spans: Vec<(State, u64)> = lived.map(|state| (state, run.ledger.0[state.index()].0)).collect();
    let all = spans.iter().map(|(_, span)| span).sum::<u64>().max(1) as f64;
    let mut shares: Vec<(State, f64)> = spans.into_iter().map(|(state, span)| (state, span as f64 / all)).collect();
    shares.retain(|(_, share)| *share >= 0.005);
    shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Profile;
    use crate::trace::Ledger;

    #[test]
    fn the_time_of_those_who_were_there_is_shared_out_the_greatest_part_first() {
        let mut ledger = Ledger([Nanos::ZERO; State::COUNT]);
        for (state, span) in [(State::Unborn, 900), (State::Running, 250), (State::WaitingGil, 747), (State::Io, 3)] {
            ledger.0[state.index()] = Nanos(span);
        }
        let run = RunSummary { ledger, ..idle(Nanos(1000)) };
        assert_eq!(shares(&run), [(State::WaitingGil, 0.747), (State::Running, 0.25)]);
        assert_eq!(shares(&idle(Nanos(1000))), []);
    }

    /// Two workers of whom nothing is known.
    fn idle(elapsed: Nanos) -> RunSummary {
        RunSummary { elapsed, workers: 2, ..RunSummary::default() }
    }

    #[test]
    fn the_marks_of_the_axis_are_round() {
        assert_eq!([1, 3, 7, 20, 26, 700_000_000].map(round_step), [1, 5, 10, 20, 50, 1_000_000_000]);
    }

    #[test]
    fn height_is_cores_busy_and_length_is_time() {
        let profile = |busy: &[f32], starting: &[f32]| Profile {
            cell: Nanos(100),
            busy: busy.to_vec(),
            starting: starting.to_vec(),
        };
        let draw = |profile: Profile| {
            let elapsed = Nanos(100 * profile.busy.len() as u64);
            let run = RunSummary { profile, ..idle(elapsed) };
            blocks(&run, Nanos(100), 2, 42)
        };
        assert_eq!(
            draw(profile(&[1.0, 1.0, 0.5], &[0.0; 3])),
            ("   ".into(), "██▄".into()),
            "one core is half as high"
        );
        assert_eq!(draw(profile(&[2.0, 1.5, 0.0], &[0.0; 3])), ("█▄ ".into(), "██ ".into()), "both fill it");
        assert_eq!(draw(profile(&[2.0, 2.0], &[2.0, 0.5])), ("s█".into(), "s█".into()), "start-up is told apart");
        assert_eq!(draw(profile(&[0.001], &[0.001])), (" ".into(), "▁".into()), "the least work leaves a mark");
    }
}
