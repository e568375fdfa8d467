//! What this is, what it costs, what is chosen, how far it has come.

use crate::app::words::{self, foreign, sanitised};
use crate::app::{Action, Phase, Screen, State};

use super::super::canvas::Canvas;
use super::super::theme::Ink;

/// Columns of the screens' names, together.
const TABS: usize = 25;

/// Two lines:
/// ```text
/// gilscope   1 Lab  2 Compare  4 Watch     MINIATURE CPython · exact · itself 0.8%
/// sum of squares w   4 THREADS, ONE GIL m   4 workers n           RUNNING 2.4 s
/// ```
pub fn render(state: &State, canvas: &mut Canvas) {
    let width = canvas.width();
    let evidence = words::evidence(state);
    let name = canvas.text(1, 0, "gilscope", Ink::Strong);
    let mut shown = evidence.len();
    while shown > 1 && evidence[..shown].join(" · ").chars().count() + usize::from(name) + 3 > usize::from(width) {
        shown -= 1;
    }
    // That nothing was lost is said where there is room beside the screens' names.
    let length = evidence[..shown].join(" · ").chars().count() + usize::from(name) + TABS + 6;
    if state.figures.dropped == 0 && shown == evidence.len() && length > usize::from(width) {
        shown -= 1;
    }
    let ink = if state.figures.dropped > 0 { Ink::Bad } else { Ink::Text };
    let text = evidence[..shown].join(" · ");
    let left = width.saturating_sub(text.chars().count() as u16 + 1);
    canvas.text(left, 0, &text, ink);
    tabs(state, name + 3, left, canvas);
    if state.screen == Screen::Compare {
        return;
    }

    let phase = words::phase(state);
    let ink = match state.phase {
        Phase::Failed(_) | Phase::Stopped => Ink::Bad,
        _ => Ink::Strong,
    };
    let end = canvas.text_before(width.saturating_sub(1), 1, &phase, ink).saturating_sub(2);
    let key = |action| state.keymap.key(action);
    let workers = state.experiment.workers;
    let model = state.model().map_or_else(
        || state.experiment.model.clone(),
        |model| model.heading_over(workers, state.experiment.processes),
    );
    let tasks = state.experiment.task_count();
    let mut parts = vec![
        (foreign(state.workload_title()), key(Action::NextWorkload), Ink::Text),
        (sanitised(&model), key(Action::NextModel), Ink::Strong),
        (format!("{workers} worker{}", if workers == 1 { "" } else { "s" }), key(Action::MoreWorkers), Ink::Text),
        (
            format!("switch interval {}", words::span(state.experiment.switch_interval)),
            key(Action::LongerInterval),
            Ink::Text,
        ),
        (state.length.words().to_owned(), key(Action::NextLength), Ink::Text),
    ];
    if tasks != workers {
        parts.insert(
            3,
            (format!("{tasks} task{}", if tasks == 1 { "" } else { "s" }), key(Action::Settings), Ink::Text),
        );
    }
    let mut x = 1;
    for (index, (text, key, ink)) in parts.iter().enumerate() {
        let length = (text.chars().count() + 1 + key.chars().count()) as u16;
        if x + length > end {
            if index < 2 {
                canvas.text_to(x, 1, end, text, *ink);
            }
            break;
        }
        x = canvas.text(x, 1, text, *ink);
        x = canvas.text(x + 1, 1, key, Ink::Key) + 3;
    }
}

/// Each screen with its key; the one that is shown stands out. Where there is no room for all they take that of our name,
/// and where there is none even so, the one that is shown stands alone.
pub fn tabs(state: &State, x: u16, end: u16, canvas: &mut Canvas) {
    let tab = |(screen, action, name): (Screen, Action, &str)| (screen, format!("{} {name}", state.keymap.key(action)));
    let screens = [
        (Screen::Lab, Action::ShowLab, "Lab"),
        (Screen::Compare, Action::ShowCompare, "Compare"),
        (Screen::Watch, Action::ShowWatch, "Watch"),
    ];
    let mut tabs = screens.map(tab).to_vec();
    let length = |tabs: &[(Screen, String)]| tabs.iter().map(|(_, tab)| tab.chars().count() as u16 + 2).sum::<u16>();
    let mut x = x;
    if x + length(&tabs) > end {
        if length(&tabs) < end {
            canvas.row(1, x, 0, ' ', Ink::Text);
            x = 1;
        } else {
            tabs.retain(|(screen, _)| *screen == state.screen);
        }
    }
    if x + length(&tabs) > end + 1 {
        // Which screen it is says more than whose.
        let name = length(&tabs).saturating_sub(2);
        if state.screen == Screen::Lab || 1 + name > end {
            return;
        }
        x = 1;
    }
    for (screen, tab) in tabs {
        let ink = if screen == state.screen { Ink::Strong } else { Ink::Dim };
        x = canvas.text(x, 0, &tab, ink) + 2;
    }
}
