//! The Watch screen: a real program, and who in it makes others wait.
//!
//! ```text
//! header     api.py pid 4242 · REAL CPython 3.13.1, GIL on · SAMPLED 1 kHz · itself 2.6%
//!            14,000 takes/s: exact would slow it      e exact for 0.1 s
//! meters     LOCK HELD  ██████████████████████████████████████████████▒▒  96% ±1
//!            CORES BUSY █████████████▌╷             ╷             ╷       1.0 of 4
//!            To get the lock a thread waits: half 5 ms, one in 100 27 ms, worst 61 ms
//! holders    ─ who makes others wait · last 30 s ──────────────────────────────────
//!            a report-1   render    pdf.py:212      71%   ██████████████████  78%
//! lanes      ─ most kept waiting first · 10 ms a cell ─────────────────────── waits
//!            GIL        aaaaaaaa▒▒▒▒aaaaaaaaaa▒▒▒▒▒aaaaaaaaaaaaaa╱╱▒▒▒▒▒aaaaaaa
//!            worker-7   ~~~~········▒~~~~············▒~~~~~~~~~~~╱╱~~·········▒    44%
//!            31 idle threads folded · ╱ not observed
//! sentence   78% of all waiting fell while report-1 held the lock, mostly in render.
//! keys       t freeze at a wait > 50 ms   b by function   q leave (api.py runs on)
//! ```

mod holders;
mod lanes;
mod legend;
mod locks;
mod meters;
mod note;
mod output;
mod picker;
mod picture;
mod sentence;

use crate::app::watch::panel::{ROOMY, SENTENCE, meter_rows};
use crate::app::watch::{self, MOMENT, said};
use crate::app::words::{foreign, percent, sanitised, span};
use crate::app::{Action, Phase, State};
use crate::text::lines::wrapped;
use crate::trace::Trace;

use super::canvas::Canvas;
use super::panels::header::tabs;
use super::theme::Ink;
use picture::Picture;

pub(super) use meters::busy;

/// With so many rows what is said may take six of them.
const MUCH: u16 = 20;

/// Rows of the table of holders: those with a name of their own, and all others.
const MOST_HOLDERS: u16 = 6;

/// With so many rows for holders and lanes the holders have their table, ...
const ROOM_FOR_TABLE: u16 = 8;
/// ... and with so many one line, beside which the lanes show the lock and two of them.
const ROOM_FOR_LINE: u16 = LEAST_LANES + 1;

/// With so many rows the lanes show the lock and two of them, between their heading and their last line.
const LEAST_LANES: u16 = 5;

/// Draws the Watch screen.
pub fn render(state: &State, log: Option<&Trace>, canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    let roomy = height >= ROOMY;
    // A blank row is free for a long note; else the lanes give one up for what is to be done, but not the panel with the
    // output, which keeps its size.
    let gives = roomy || state.origin.note_is_remedy && state.watch.reading.is_none();
    let header = header(state, if gives { 3 } else { 2 }, canvas);
    let Some(log) = log else {
        let text = state.message.clone().unwrap_or_else(|| match &state.origin.program {
            Some(_) => "It has not begun yet.".to_owned(),
            None => "Nothing is watched yet. Choose a program, or from a shell: gilscope watch SCRIPT.py runs one and \
                     watches it, gilscope attach PID watches one that runs."
                .to_owned(),
        });
        let text = state.look.wording.say(&text).into_owned();
        let lines = wrapped(&sanitised(&text), usize::from(width.saturating_sub(2)));
        for (y, line) in lines.iter().enumerate() {
            canvas.part(0, 0, width, height).verbatim().text(1, header + y as u16, line, Ink::Text);
        }
        let top = header + 1 + lines.len() as u16;
        if state.origin.program.is_none() && height > top + 1 {
            picker::render(state, &mut canvas.part(0, top, width, height - top - 1));
        }
        return keys(state, canvas);
    };
    let text = said(state, log);
    // The panel with the output is as large whatever is said.
    let (is_reading, most) = (state.watch.reading.is_some(), if height >= MUCH { 6 } else { 4 });
    let most = if is_reading { SENTENCE } else { most };
    let sentence = sentence::laid(&sanitised(&text), usize::from(width.saturating_sub(2)), usize::from(most));
    let sentence_rows = if is_reading { SENTENCE } else { sentence.len() as u16 };
    // From the bottom: keys, sentence. Blank rows go first where there is little room.
    let keys_at = height.saturating_sub(1);
    let sentence_at = keys_at.saturating_sub(sentence_rows + u16::from(roomy));
    for (y, line) in (sentence_at..).zip(&sentence) {
        canvas.part(0, 0, width, height).verbatim().text_to(1, y, width, line, Ink::Text);
    }
    keys(state, canvas);

    let (top, meters) = (header.max(2 + u16::from(roomy)), meter_rows(height));
    meters::render(state, log, meters, &mut canvas.part(0, top, width, meters));
    let rest = top + meters;
    let room = sentence_at.saturating_sub(rest + u16::from(roomy));
    if let Some(reading) = state.watch.reading {
        return output::render(state, reading, &mut canvas.part(0, rest, width, room));
    }
    // The holders get up to two fifths of what is left, their rule and heading included. More if the second would be among
    // the others for idle lanes, or if it makes the others wait nearly as much as the first.
    let holders = state.watch.figures.holders.len() as u16;
    let picture = Picture::of(state, log, width);
    let one = state.watch.figures.culprits() <= 1;
    let least = if one { lanes::least(state, log, &picture, room) } else { LEAST_LANES };
    let two = (2 + holders.min(3)).min(room.saturating_sub(least));
    let table = match room {
        ROOM_FOR_TABLE.. => (2 + holders.min(MOST_HOLDERS)).min(two.max(room * 2 / 5)).max(3),
        // The letters in the lock's row are to mean something.
        ROOM_FOR_LINE.. => u16::from(holders::has_line(state)),
        _ => 0,
    };
    let is_any = log.has_gil() || state.watch.figures.runs;
    let table = if !is_any || state.view.big { 0 } else { table };
    let explained = holders::render(state, &mut canvas.part(0, rest, width, table));
    lanes::render(state, log, &picture, explained, &mut canvas.part(0, rest + table, width, room - table));
}

/// What is watched, with what; and what it costs. How many of at most so many rows it takes, which are two at least.
fn header(state: &State, rows: u16, canvas: &mut Canvas) -> u16 {
    let watch = &state.watch;
    let width = canvas.width();
    let mut parts = Vec::new();
    let origin = &state.origin;
    if let Some(program) = &origin.program {
        parts.push(format!("{} pid {}", foreign(&program.name), program.pid));
        parts.push(origin.engine.clone());
        parts.push(match watch.at_work.is_exact_once() {
            true => format!("EXACT for {MOMENT}"),
            false => origin.how.clone(),
        });
    } else {
        parts.push("gilscope".to_owned());
    }
    if let Some(own) = state.machine.own {
        parts.push(format!("itself {:.1}%", own * 100.0));
    }
    if state.figures.dropped > 0 {
        parts.push(format!("{} events lost", state.figures.dropped));
    }
    if origin.program.is_none() {
        // Nothing is watched: the other screens can be gone to.
        let name = canvas.text(1, 0, &parts.remove(0), Ink::Strong);
        let left = width.saturating_sub(parts.join(" · ").chars().count() as u16 + 1);
        canvas.text(left, 0, &parts.join(" · "), Ink::Text);
        tabs(state, name + 3, left, canvas);
        return 2;
    }
    let phase = phase(state);
    // How often the lock is taken and what was missed stands where there is room: beside the engine, or before the note.
    let rate = |wide| watch.at_work.words(!watch.gil_disabled, origin.is_sampled(), wide);
    let length = |parts: &[String]| parts.iter().map(|part| part.chars().count() + 3).sum::<usize>();
    let mut note = origin.note(watch.ended.is_some());
    let mut shorter = None;
    let fits = |it: &String| length(&parts) + it.chars().count() + phase.len() + 3 <= usize::from(width);
    if let Some(words) = [true, false].into_iter().filter_map(rate).find(fits) {
        parts.insert(3, words);
    } else if let Some(words) = rate(note.is_none()) {
        shorter = note.clone();
        note = Some(note.map_or(words.clone(), |note| format!("{words} · {note}")));
    }
    // What has no room stands before the phase, in the row below: what it costs is never left out.
    let mut below = Vec::new();
    while parts.len() > 3 && parts.join(" · ").chars().count() + 1 > usize::from(width) {
        below.insert(0, parts.pop().unwrap_or_default());
    }
    let x = canvas.text_to(1, 0, width, &parts.join(" · "), Ink::Strong);
    let row = u16::from(!below.is_empty() || x + phase.len() as u16 + 2 > width);
    below.push(phase);
    let phase = below.join(" · ");
    let end = canvas.text_before(width.saturating_sub(1), row, &phase, Ink::Strong);
    let Some(note) = note else { return 2 };
    let first = if row == 1 { end.saturating_sub(1) } else { width };
    let laid = |note: &str| {
        let (first, others) = (usize::from(first.saturating_sub(1)), usize::from(width.saturating_sub(1)));
        note::laid(&foreign(note), first, others, usize::from(rows - 1), origin.note_is_remedy)
    };
    // How often it is taken gives way to what is to be done.
    let mut lines = laid(&note);
    let is_whole = |lines: &[String], note: &str| lines.join(" ").trim_start() == foreign(note);
    if let Some(shorter) = shorter.filter(|_| origin.note_is_remedy && !is_whole(&lines, &note)) {
        lines = laid(&shorter);
    }
    // What it got done alone is no warning.
    let ink = if origin.note.is_some() { Ink::Waits } else { Ink::Text };
    let exact = format!("   {} exact for {MOMENT}", state.keymap.key(Action::ExactOnce));
    let count = lines.len() as u16;
    for (y, line) in (1..).zip(&lines) {
        let end = if y == 1 { first } else { width };
        let fits = 1 + line.chars().count() + exact.chars().count() <= usize::from(end);
        let x = canvas.text_to(1, y, end, line, ink);
        // What the kernel refuses no key can have.
        let may_be_exact = origin.is_sampled() && !origin.note_is_remedy;
        if y == count && fits && may_be_exact && watch.ended.is_none() {
            canvas.text(x, y, &exact, Ink::Key);
        }
    }
    1 + count.max(1)
}

/// What it is at, in a word.
pub(super) fn phase(state: &State) -> String {
    match (&state.watch.ended, &state.phase) {
        (Some(_), _) => "ENDED".to_owned(),
        (None, _) if state.view.frozen.is_some() => "FROZEN".to_owned(),
        (None, Phase::Running) => "WATCHING".to_owned(),
        (None, phase) => phase.word().to_owned(),
    }
}

/// What can be done, as far as there is room for it.
fn keys(state: &State, canvas: &mut Canvas) {
    let key = |action| state.keymap.key(action);
    let program = state.origin.program.as_ref();
    let leave = match program {
        Some(program) if state.watch.ended.is_none() && !program.launched => {
            format!("leave ({} runs on)", foreign(&program.name))
        }
        _ => "leave".to_owned(),
    };
    let over = state.watch.freeze_over.map_or_else(|| "off".to_owned(), |limit| format!("> {}", span(limit)));
    let table = if state.watch.by_function { "by thread" } else { "by function" };
    let points = state.view.frozen.is_some() || state.view.cursor.is_some();
    if program.is_none() {
        let choose = format!("{} {}", key(Action::ScrollUp), key(Action::ScrollDown));
        let parts = [
            (key(Action::RunOrStop), "watch it".to_owned()),
            (choose, "choose".to_owned()),
            (key(Action::ShowLab), "lab".to_owned()),
            (key(Action::Quit), leave),
            (key(Action::Help), "help".to_owned()),
        ];
        return line_of_keys(&parts, canvas);
    }
    if state.watch.typing {
        return line_of_keys(&watch::typing_keys(state), canvas);
    }
    if state.watch.reading.is_some() {
        return line_of_keys(&keys_of_output(state, leave), canvas);
    }
    if points {
        let both = |first, second| format!("{}/{}", key(first), key(second));
        let goes_on = if state.view.frozen.is_some() && state.watch.ended.is_none() { "go on" } else { "cursor off" };
        let parts = [
            (key(Action::Freeze), goes_on.to_owned()),
            (key(Action::Quit), leave),
            (key(Action::NextLane), "lane".to_owned()),
            (both(Action::PreviousHandoff, Action::NextHandoff), "waits".to_owned()),
            ("←→".to_owned(), "cursor".to_owned()),
            (both(Action::ZoomIn, Action::ZoomOut), "zoom".to_owned()),
            (key(Action::WholeRun), "whole run".to_owned()),
            (key(Action::Help), "help".to_owned()),
        ];
        return line_of_keys(&parts, canvas);
    }
    let mut parts = vec![
        (key(Action::Quit), leave),
        (key(Action::Freeze), "freeze".to_owned()),
        (key(Action::NextTrigger), format!("freeze at a wait {over}")),
        (key(Action::ByFunction), table.to_owned()),
        (key(Action::Help), "help".to_owned()),
    ];
    // What one prints that was attached to goes where it went before.
    if program.is_some_and(|program| program.launched) {
        parts.insert(parts.len() - 1, (key(Action::Output), "output".to_owned()));
    }
    if state.watch.output.takes_keys && state.watch.ended.is_none() {
        parts.insert(1, (key(Action::Type), "type into it".to_owned()));
    }
    if state.watch.picker.is_behind() {
        parts.insert(0, (key(Action::Close), "the list".to_owned()));
    }
    line_of_keys(&parts, canvas);
}

/// What can be done while the output is read.
fn keys_of_output(state: &State, leave: String) -> Vec<(String, String)> {
    let key = |action| state.keymap.key(action);
    let mut parts = vec![
        (key(Action::Close), "close".to_owned()),
        (key(Action::Quit), leave),
        (format!("↑↓ PgUp PgDn {} {}", key(Action::ToBegin), key(Action::ToEnd)), "move".to_owned()),
        (key(Action::Help), "help".to_owned()),
    ];
    if state.watch.output.takes_keys && state.watch.ended.is_none() {
        parts.insert(1, (key(Action::Type), "type into it".to_owned()));
    }
    parts
}

/// As many as there is room for; the last, which tells of all others, always.
fn line_of_keys(parts: &[(String, String)], canvas: &mut Canvas) {
    let (width, y) = (canvas.width(), canvas.height().saturating_sub(1));
    let length = |(key, what): &(String, String)| (key.chars().count() + 1 + what.chars().count()) as u16;
    let Some((last, others)) = parts.split_last() else { return };
    let mut x = 1;
    let mut fitting: Vec<_> = others
        .iter()
        .take_while(|part| {
            x += length(part) + 3;
            x + length(last) < width
        })
        .collect();
    fitting.push(last);
    x = 1;
    for (key, what) in fitting {
        x = canvas.text(x, y, key, Ink::Key);
        x = canvas.text(x + 1, y, what, Ink::Text) + 3;
    }
}

/// A rule with a heading, and one at its right end.
fn rule(canvas: &mut Canvas, y: u16, heading: &str, right: &str) {
    let width = canvas.width();
    canvas.row(0, width, y, '─', Ink::Rule);
    if !heading.is_empty() {
        canvas.text(1, y, &format!(" {heading} "), Ink::Dim);
    }
    if !right.is_empty() {
        canvas.text_before(width.saturating_sub(1), y, &format!(" {right} "), Ink::Dim);
    }
}

/// A share with its margin, where it is a sample.
fn share(state: &State, share: f64) -> String {
    match state.origin.off(share) {
        0.0 => percent(share),
        off => format!("{} ±{:.0}", percent(share), off * 100.0),
    }
}
