//! The bottom line: the keys most useful now.

use crate::app::{Action, Phase, State, Zoom};

use super::super::canvas::Canvas;
use super::super::theme::Ink;

/// `Enter stop   m next model   space freeze   ? help`
pub fn render(state: &State, canvas: &mut Canvas) {
    let y = canvas.height().saturating_sub(1);
    let help = (state.keymap.key(Action::Help), "help");
    let last = (help.0.chars().count() + 1 + help.1.len()) as u16;
    // Help is always offered, so its place is kept.
    let end = canvas.width().saturating_sub(last + 4);
    let mut x = 1;
    for (key, words) in useful(state) {
        let length = (key.chars().count() + 1 + words.chars().count()) as u16;
        if x + length > end {
            break;
        }
        x = canvas.text(x, y, &key, Ink::Key);
        x = canvas.text(x + 1, y, words, Ink::Text) + 3;
    }
    x = canvas.text(x, y, &help.0, Ink::Key);
    canvas.text(x + 1, y, help.1, Ink::Text);
}

fn useful(state: &State) -> Vec<(String, &'static str)> {
    use Action::*;
    let key = |action| state.keymap.key(action);
    let both = |first, second| format!("{}/{}", state.keymap.key(first), state.keymap.key(second));
    if state.settings.is_some() {
        return vec![("↑↓".to_owned(), "choose"), ("←→".to_owned(), "change"), (key(Close), "close")];
    }
    if state.view.frozen.is_some() || state.view.cursor.is_some() {
        let go_on = if state.view.frozen.is_some() { "go on" } else { "cursor off" };
        return vec![
            (key(Freeze), go_on),
            (both(PreviousHandoff, NextHandoff), "hand-offs"),
            ("←→".to_owned(), "cursor"),
            (key(NextLane), "lane"),
            (both(ZoomIn, ZoomOut), "zoom"),
            (key(WholeRun), "whole run"),
            (key(Big), "big"),
        ];
    }
    match state.phase {
        Phase::Ready => vec![
            (key(RunOrStop), "run"),
            (key(NextModel), "model"),
            (key(NextWorkload), "workload"),
            (key(MoreWorkers), "workers"),
            (key(LongerInterval), "interval"),
            (key(NextLength), "length"),
            (key(Settings), "more"),
            (key(Quit), "quit"),
        ],
        Phase::Sizing | Phase::Starting | Phase::Running => vec![
            (key(RunOrStop), "stop"),
            (key(NextModel), "next model"),
            (key(Freeze), "freeze"),
            (key(NextHandoff), "hand-off"),
            (both(ZoomIn, ZoomOut), "zoom"),
            (key(Big), "big"),
            (key(LongerInterval), "interval"),
            (key(Quit), "quit"),
        ],
        Phase::Baseline { .. } => vec![
            (key(RunOrStop), "stop"),
            (key(NextHandoff), "hand-off"),
            (both(ZoomIn, ZoomOut), "zoom"),
            (key(Big), "big"),
            (key(Quit), "quit"),
        ],
        Phase::Done | Phase::Stopped | Phase::Failed(_) => vec![
            (key(NextModel), "next model"),
            (key(RunOrStop), "again"),
            (key(NextWorkload), "workload"),
            (key(NextHandoff), "hand-off"),
            (both(ZoomIn, ZoomOut), "zoom"),
            (key(WholeRun), if state.view.zoom == Zoom::Whole { "turns" } else { "whole run" }),
            (key(Big), "big"),
            (key(Quit), "quit"),
        ],
    }
}
