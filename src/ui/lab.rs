//! The lab: one experiment, its picture, its finish line.
//!
//! ```text
//! header     gilscope  1 Lab                      MINIATURE CPython · itself 0.8%
//!            sum of squares w  4 THREADS, ONE GIL m  …             RUNNING 2.4 s
//! meter      CORES BUSY ████████████╷            ╷            ╷        1.0 of 4
//! title      ─ turns, 1 ms a cell · trigger: thread 1 takes ─────────────────────
//! lock       GIL       11111│3333│1111│4444│2222244444│22222222│  168 hand-offs/s
//! lanes      thread 1  █████     ▅████▇                                runs   24%
//!                      █████▄····██████·························       waits  76%
//! queues     queue 1   ▁▂▃▄▅▆▇█▇▆▅▄▃▂▁                            depth 3, most 17
//! cores      core 0    11111     111111                                ours
//! axis                 0               20 ms               40 ms
//! whole      whole run ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂
//! finish     ─ finish line ──────────── code ─ ─────────────────────────── code
//!            one at a time ████████████ 3.02 s  1     def work(n):
//! sentence   One thread holds the lock, three wait. …
//! keys       Enter stop   m next model   space freeze   ? help
//! ```

use crate::app::{Phase, Row, State, Wording, cursor, rows, words};
use crate::text::lines::wrapped;
use crate::trace::Trace;

use super::canvas::Canvas;
use super::layout::{self, Wants};
use super::panels::{code, finish, header, keys, meter, sentence};
use super::timeline;

/// From this width on, the code stands beside the bars.
const WIDE: u16 = 100;
/// The most rows of the program's own queues.
const MOST_QUEUES: u16 = 3;
/// The most core rows.
const MOST_CORES: u16 = 8;

/// Draws the lab.
pub fn render(state: &State, log: Option<&Trace>, canvas: &mut Canvas) {
    let text = log.and_then(|log| cursor::sentence(state, log)).unwrap_or_else(|| words::sentence(state));
    // A failure names what people wrote.
    let text = match state.phase {
        Phase::Failed(_) => Wording::Plain.say(&text),
        _ => state.look.wording.say(&text),
    };
    let lines = wrapped(&words::sanitised(&text), usize::from(canvas.width().saturating_sub(2)));
    let plan = plan(state, log, canvas, lines.len() as u16);

    header::render(state, &mut canvas.at(plan.header));
    meter::render(state, log, &mut canvas.at(plan.meter));
    timeline::render(state, log, &plan, canvas);
    finish::render(state, &mut canvas.at(plan.finish));
    code::render(state, log, &mut canvas.at(plan.code).verbatim());
    sentence::render(state, &lines, &mut canvas.at(plan.sentence).verbatim());
    keys::render(state, &mut canvas.at(plan.keys));
}

fn plan(state: &State, log: Option<&Trace>, canvas: &Canvas, sentence: u16) -> layout::Plan {
    let lanes = match log {
        Some(log) => rows::rows(state, log).iter().filter(|row| !matches!(row, Row::Lock(_))).count(),
        None => state.model_shown().map_or(1, |model| model.lanes(state.experiment.workers) as usize),
    };
    let locks = log.map_or(0, |log| rows::rows(state, log).len() - lanes);
    let one_lock = log.is_some_and(|log| rows::worker_locks(log).len() == 1);
    let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let wants = Wants {
        lanes: count(lanes),
        locks: count(locks),
        lock: if one_lock { 2 } else { 1 },
        queues: log.map_or(0, |log| count(log.queue_count())).min(MOST_QUEUES),
        cores: count(state.machine.cores.len()).min(MOST_CORES),
        bars: count(state.bars.len()),
        all_bars: count(finish::rows(state)),
        code: count(state.code.lines.len()),
        sentence,
        beside: canvas.width() >= WIDE,
    };
    if state.view.big { layout::big(canvas.area(), wants) } else { layout::lab(canvas.area(), wants) }
}
