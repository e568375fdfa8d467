//! How much the lock is held, how many cores are busy, how long a thread waits.

use crate::app::State;
use crate::app::watch::Stops;
use crate::app::watch::locks::MostHeld;
use crate::app::words::{foreign, percent, sanitised};
use crate::event::{Nanos, State as LaneState};
use crate::trace::{CoreEvidence, Trace};

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::locks::lock_name;
use super::share;

/// Columns left of the bars.
const LEFT: u16 = 12;
/// Columns right of them.
const RIGHT: u16 = 12;

/// So many cores are told of that threads without lanes use.
const WORTH_TELLING: f64 = 0.05;

/// Two bars, and a line where there is a third row.
pub fn render(state: &State, log: &Trace, rows: u16, canvas: &mut Canvas) {
    let width = canvas.width().saturating_sub(LEFT + RIGHT).max(1);
    canvas.text(1, 0, "LOCK HELD", Ink::Strong);
    match state.watch.figures.held {
        Some(held) => {
            let (which, share) = (which(log, held, canvas.width()), share(state, held.share));
            // Of several locks it is to be said of which: the bar gives up the room for that.
            let taken = which.as_ref().map_or(0, |which| (which.chars().count() + share.chars().count()) as u16 + 4);
            let width = if taken > RIGHT { width.saturating_sub(taken - RIGHT).max(1) } else { width };
            canvas.row(LEFT, LEFT + width, 0, '·', Ink::Rule);
            canvas.bar(LEFT, 0, (held.share * f64::from(width) * 8.0).round() as u32, Ink::Waits);
            let x = canvas.text(LEFT + width + 2, 0, &share, Ink::Strong);
            canvas.text(x + 1, 0, &sanitised(&which.unwrap_or_default()), Ink::Text);
        }
        None if state.watch.gil_disabled => _ = canvas.text(LEFT, 0, "GIL disabled: there is none", Ink::Text),
        None => canvas.row(LEFT, LEFT + width, 0, '╱', Ink::Unknown),
    }
    canvas.text(1, 1, "CORES BUSY", Ink::Strong);
    let cores = state.machine.cores.len().max(1);
    let native = state.watch.native_busy;
    let busy = busy(state).min(cores as f64);
    let limit = state.watch.books.allowance.and_then(|allowance| allowance.limit(cores));
    let limit = limit.map_or_else(String::new, |limit| format!(", limit {limit}"));
    let width = width.saturating_sub(limit.len() as u16).max(1);
    let columns = (width / cores as u16).max(1);
    let whole = columns * cores as u16;
    let full = f64::from(whole) * 8.0;
    let end = canvas.bar(LEFT, 1, (busy * f64::from(columns) * 8.0).round().clamp(0.0, full) as u32, Ink::Meter);
    for core in 1..=cores as u16 {
        let x = LEFT + core * columns;
        if x >= end && (columns >= 4 || core == cores as u16) {
            canvas.set(x, 1, '╷', Ink::Rule);
        }
    }
    canvas.text(LEFT + whole.max(width) + 2, 1, &format!("{busy:.1} of {cores}{limit}"), Ink::Strong);
    if rows < 3 {
        return;
    }
    if !log.has_gil() {
        let text = state.watch.figures.stops.as_ref().map_or_else(String::new, |it| stops(it, canvas.width() >= 100));
        return sentence(&text, native, canvas);
    }
    let wait = state.watch.figures.wait;
    let wide = canvas.width() >= 100;
    let sampled = state.origin.is_sampled();
    let waited = || log.ledger().0[LaneState::WaitingGil.index()] > Nanos::ZERO;
    let text = if wait.count == 0 {
        match sampled {
            // What is known of the lanes alone does not tell for which lock, or how often.
            _ if waited() => "Threads wait for the lock; how long at a time is not known.",
            true => "No thread was seen to wait for the lock.",
            false => "No thread has had to wait for the lock.",
        }
        .to_owned()
    } else {
        // Where records tell how long each slept, looks tell of which sleeps that was a wait. Else threads are looked at every
        // third time that the lock is.
        let recorded = state.origin.cores == Some(CoreEvidence::SwitchRecords);
        let margin = match sampled {
            true if recorded && wide => "  (short waits estimated)",
            true if recorded => " (est.)",
            true if wide => "  (±3 ms, shorter waits not seen)",
            true => " ±3 ms",
            false => "",
        };
        let whole = if wide { "To get the lock a thread waits: " } else { "A thread waits for it: " };
        format!("{whole}half {}, one in 100 {}, worst {}{margin}", wait.p50, wait.p99, wait.max)
    };
    sentence(&text, native, canvas);
}

/// Which lock is meant, where there have been several.
fn which(log: &Trace, held: MostHeld, width: u16) -> Option<String> {
    log.gils().nth(1)?;
    let name = lock_name(log.lock(held.lock), true);
    Some(match (held.of, width) {
        (1, _) | (_, ..72) => name,
        (of, ..110) => format!("{name} of {of} locks"),
        (of, _) => format!("{name}, the most of {of} locks"),
    })
}

/// How many cores the program has. The kernel's sums are of all threads, the lanes only of those that have one.
pub(in crate::ui) fn busy(state: &State) -> f64 {
    state.watch.cores_busy.unwrap_or(state.figures.cores_busy + state.watch.native_busy)
}

/// The third row, and behind it whose threads without lanes are on cores, as far as there is room.
fn sentence(text: &str, native: f64, canvas: &mut Canvas) {
    let width = canvas.width();
    let x = canvas.text_to(1, 2, width, &sanitised(text), Ink::Text);
    if native < WORTH_TELLING {
        return;
    }
    let words =
        [format!("{native:.1} cores by threads not Python's, without a lane"), format!("not Python's: {native:.1}")];
    let begin = if text.is_empty() { 1 } else { x + 3 };
    if let Some(words) = words.iter().find(|words| begin + words.chars().count() as u16 <= width) {
        canvas.text(begin, 2, words, Ink::Waits);
    }
}

/// How often the world was stopped, in a sentence.
fn stops(stops: &Stops, wide: bool) -> String {
    if stops.times == 0 {
        return "The world has not been stopped so far.".to_owned();
    }
    let times = if stops.times == 1 { "once".to_owned() } else { format!("{} times", stops.times) };
    let mostly = if wide { "mostly " } else { "" };
    let by = stops.by.as_ref().map_or_else(String::new, |by| format!(", {mostly}by {}", foreign(by)));
    let share = if stops.share < 0.005 { format!("{:.1}%", stops.share * 100.0) } else { percent(stops.share) };
    let stop = &stops.stop;
    let what = if wide { "The world was stopped" } else { "Stopped" };
    format!("{what} {times}, {share} of the time: half {}, longest {}{by}", stop.p50, stop.max)
}
