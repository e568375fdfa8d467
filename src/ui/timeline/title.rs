//! The rule above the timeline: what a cell is, where the picture starts, how much of the time it shows.

use crate::app::rows::band_name;
use crate::app::words::{instant, sanitised, span};
use crate::app::{Action, Phase, State, Trigger, Zoom, cursor};
use crate::event::Nanos;
use crate::trace::Trace;

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::scene::Scene;

/// After the milliseconds that are shown.
const EVERY: &str = " of every 1000 ms shown";

/// ```text
/// ─ turns, 1 ms a cell · trigger: thread 1 takes · 84 of every 1000 ms shown ────
/// ```
pub fn render(state: &State, log: &Trace, scene: &Scene, canvas: &mut Canvas) {
    let width = canvas.width();
    canvas.row(0, width, 0, '─', Ink::Rule);
    let mut x = 1;
    for (index, (part, ink)) in fitting(parts(state, log, scene), usize::from(width)).into_iter().enumerate() {
        x = canvas.text(x, 0, if index == 0 { " " } else { " · " }, Ink::Dim);
        let end = width - 1;
        x = canvas.text_to(x, 0, end, &part, ink);
    }
    canvas.text(x, 0, " ", Ink::Dim);
    let opens = |id: &str| state.workloads.iter().any(|choice| choice.id == id && choice.opens_streams);
    if let Some(ran) = state.ran.as_ref().filter(|ran| ran.start_up_paid(opens(&ran.workload)).is_some()) {
        // At the far end, where there is room.
        let paid = format!(" {} ", sanitised(&ran.paid_words()));
        if x + 4 + paid.chars().count() as u16 <= width {
            canvas.text_before(width - 1, 0, &paid, Ink::Dim);
        }
    }
    if let Some(x) = scene.cursor.map(|cell| scene.gutters.left + cell).filter(|x| canvas.glyph(*x, 0) == '─') {
        canvas.set(x, 0, '▼', Ink::Key);
    }
}

/// As many parts as fit; the trigger goes before the fraction does, which is said shorter first.
fn fitting(mut parts: Vec<(String, Ink)>, width: usize) -> Vec<(String, Ink)> {
    let length = |parts: &[(String, Ink)]| parts.iter().map(|(part, _)| part.chars().count() + 3).sum::<usize>();
    while parts.len() > 1 && length(&parts) + 1 > width {
        let trigger = parts.iter().position(|(part, _)| part.contains("trigger") || part.contains("to start at"));
        let fraction = parts.iter().position(|(part, _)| part.ends_with(EVERY));
        match (trigger, fraction) {
            (Some(trigger), _) => _ = parts.remove(trigger),
            (None, Some(fraction)) => parts[fraction].0 = parts[fraction].0.replace(EVERY, "/1000 ms"),
            (None, None) => _ = parts.pop(),
        }
    }
    parts
}

fn parts(state: &State, log: &Trace, scene: &Scene) -> Vec<(String, Ink)> {
    let mut parts = Vec::new();
    let running = state.phase == Phase::Running;
    if let Some(at) = state.view.frozen {
        let goes_on = if running { ", run goes on" } else { "" };
        parts.push((format!("FROZEN at {}{goes_on}", instant(at, Nanos::from_millis(1))), Ink::Strong));
    }
    let cell = span(scene.axis.cell);
    let whole = state.view.zoom == Zoom::Whole && state.view.is_whole(log.begin_at(), state.reach(log));
    let folded = scene.fold.is_folded();
    let what = match (whole, scene.shares) {
        _ if folded => {
            let whole = if whole { "whole run, " } else { "" };
            format!("{whole}bands: mean of {} lanes, {cell} a cell", scene.fold.each)
        }
        (true, false) => format!("whole run, {cell} a cell"),
        (true, true) => format!("whole run, shares, many turns a cell of {cell}"),
        (false, false) => format!("turns, {cell} a cell"),
        (false, true) => format!("shares, many turns a cell of {cell}"),
    };
    parts.push((what, Ink::Text));
    if folded {
        parts.push((format!("{} unfolds one", state.keymap.key(Action::Unfold)), Ink::Dim));
    }
    if state.view.unfolded.is_some() {
        parts.push((format!("of {}", band_name(log, &scene.fold.workers)), Ink::Text));
    }
    if let Some((first, last, all)) = scene.in_sight {
        let noun = if folded { "bands" } else { "lanes" };
        parts.push((format!("{noun} {first} to {last} of {all}"), Ink::Text));
    }
    if running && state.view.frozen.is_none() && !whole {
        let first = cursor::lane(state, log).map_or(String::new(), |lane| sanitised(&log.lane(lane).name));
        let long = span(Nanos(state.experiment.switch_interval.0.saturating_mul(2)));
        let trigger = match (state.view.trigger, state.view.fired) {
            (Trigger::Anywhere, _) => "no trigger".to_owned(),
            // Nobody takes what there is none of.
            (Trigger::Take, false) if scene.locks.is_empty() => "no trigger: no lock".to_owned(),
            (Trigger::Take, true) => format!("trigger: {first} takes"),
            (Trigger::Take, false) => format!("no take by {first} to start at"),
            (Trigger::LongWait, true) => format!("trigger: {first} waits over {long}"),
            (Trigger::LongWait, false) => format!("no wait over {long} to start at"),
        };
        parts.push((trigger, Ink::Dim));
        let shown = scene.axis.span();
        if shown < Nanos::from_secs(1) {
            let millis = shown.as_millis_f64();
            let digits = if millis < 1.0 { 2 } else { 0 };
            parts.push((format!("{millis:.digits$}{EVERY}"), Ink::Dim));
        }
    }
    if let Some(at) = log.coarsened_before() {
        parts.push((format!("coarse before {}", instant(at - scene.begin, Nanos::from_millis(1))), Ink::Dim));
    }
    parts
}
