//! Who makes others wait.

use crate::app::State;
use crate::app::watch::Holder;
use crate::app::words::{foreign, percent, sanitised};
use crate::text::names::fitting;

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::rule;

/// Less than this share is not told where there is little room.
const HARDLY: f64 = 0.005;
/// So much of a name is shown there.
const MOST_NAME: u16 = 14;

/// What one is called that no look met.
const NOT_SEEN: &str = "not seen";

/// ```text
///   thread     holding the lock in      holds   of all waiting
/// a report-1   render    pdf.py:212      71%   ████████████████████  78%
///   9 others                              6%   █                      3%
/// ```
/// Without a lock, by function: in which threads ran, and how many at a time. Of how many, from the first on, it tells the
/// letters.
pub fn render(state: &State, canvas: &mut Canvas) -> usize {
    let (width, height) = (canvas.width(), canvas.height());
    match height {
        0 => return 0,
        1 | 2 => return line(state, canvas),
        _ => {}
    }
    let watch = &state.watch;
    let seconds = watch.figures.span.as_secs_f64();
    let runs = watch.figures.runs;
    let lately = match is_frozen(state) {
        true => format!("{} · {seconds:.0} s before the freeze", what_it_tells(state)),
        false => format!("{} · last {seconds:.0} s", what_it_tells(state)),
    };
    rule(canvas, 0, &lately, "");
    let all = &watch.figures.holders;
    // Names, places, holds, a bar, its figure.
    let name = match width {
        0..72 => 10,
        72..110 => 14,
        _ => 22,
    };
    let most = if all.iter().any(|holder| holder.task.is_some()) { 52 } else { 36 };
    let place = (width.saturating_sub(name + 40)).clamp(0, most);
    let holds = 3 + name + place;
    let bar = holds + 8;
    let room = width.saturating_sub(bar + 6);
    let what = if watch.by_function { "function" } else { "thread" };
    canvas.text(3, 1, what, Ink::Dim);
    if place >= 19 {
        canvas.text(3 + name, 1, if runs { "ran in" } else { "holding the lock in" }, Ink::Dim);
    }
    canvas.text_before(holds + 5, 1, if runs { "runs" } else { "holds" }, Ink::Dim);
    canvas.text(bar, 1, if runs { "of all running" } else { "of all waiting" }, Ink::Dim);
    // Without a lock several run at a time.
    let held = |held: f64| if runs { format!("{held:.1}×") } else { percent(held) };
    let rows = usize::from(height - 2);
    // Whoever makes others wait says more than all others together.
    let named = if all.len() > rows { (rows - 1).max(watch.figures.culprits().min(rows)) } else { all.len() };
    for (index, holder) in all.iter().take(named).enumerate() {
        let y = 2 + index as u16;
        if let Some(letter) = watch.letter(holder.lane).filter(|_| !watch.by_function) {
            canvas.set(1, y, letter, Ink::Lane(index));
        }
        let count = holder.folded.map(|count| format!(" ×{count}")).unwrap_or_default();
        let end = (2 + name).saturating_sub(count.chars().count() as u16);
        let x = canvas.text_to(3, y, end, &shown_name(state, holder, usize::from(end - 3)), Ink::Text);
        canvas.text(x, y, &count, Ink::Text);
        let place_words = holder.place.clone().unwrap_or_default();
        let words = match &holder.task {
            Some(task) => format!("{task} in {place_words}"),
            None => place_words,
        };
        // Where there is no room for the file, the function alone is better than half a file.
        let words = match words.rsplit_once(" (") {
            Some((function, _)) if words.chars().count() > usize::from(place.saturating_sub(1)) => function.to_owned(),
            _ => words,
        };
        canvas.text_to(3 + name, y, 2 + name + place, &foreign(&words), Ink::Dim);
        figures(canvas, y, holds, bar, room, (held(holder.holds), holder.waiting));
    }
    if named < all.len() && named < rows {
        let others = &all[named..];
        let sum = |part: fn(&Holder) -> f64| others.iter().map(part).sum::<f64>();
        let y = 2 + named as u16;
        canvas.text(3, y, &format!("{} others", others.len()), Ink::Dim);
        figures(canvas, y, holds, bar, room, (held(sum(|it| it.holds)), sum(|it| it.waiting)));
    }
    if watch.by_function { 0 } else { named }
}

/// In a line, where there is no room for a table: those of whom anything is to be told, as far as they fit.
fn line(state: &State, canvas: &mut Canvas) -> usize {
    let width = canvas.width();
    let mut named = 0;
    let mut x = canvas.text(1, 0, &format!("{}:", what_it_tells(state)), Ink::Dim) + 1;
    for (index, holder) in told(state) {
        let letter = state.watch.letter(holder.lane).filter(|_| !state.watch.by_function);
        let name = shown_name(state, holder, usize::from(MOST_NAME));
        let share = percent(holder.waiting);
        let end = x + 2 * u16::from(letter.is_some()) + name.chars().count() as u16;
        if usize::from(end) + 1 + share.chars().count() >= usize::from(width) {
            break;
        }
        if let Some(letter) = letter {
            canvas.set(x, 0, letter, Ink::Lane(index));
            x += 2;
        }
        x = canvas.text_to(x, 0, end, &name, Ink::Text) + 1;
        x = canvas.text(x, 0, &share, Ink::Waits) + 2;
        named = index + 1;
    }
    if state.watch.by_function { 0 } else { named }
}

/// Whether there is anything to be told in a line: the first alone the sentence names, as long as it is of all of it.
pub fn has_line(state: &State) -> bool {
    let is_said = state.view.frozen.is_none() && state.watch.ended.is_none();
    told(state).count() > usize::from(is_said)
}

/// A name in so many columns.
fn shown_name(state: &State, holder: &Holder, room: usize) -> String {
    match holder.name.as_str() {
        "" => NOT_SEEN.to_owned(),
        name => foreign(&fitting(&sanitised(name), room, state.watch.names().map(sanitised))),
    }
}

fn told(state: &State) -> impl Iterator<Item = (usize, &Holder)> {
    state.watch.figures.holders.iter().enumerate().filter(|(_, holder)| holder.waiting >= HARDLY)
}

fn is_frozen(state: &State) -> bool {
    state.view.frozen.is_some() && state.watch.ended.is_none()
}

fn what_it_tells(state: &State) -> &'static str {
    match (is_frozen(state), state.watch.figures.runs) {
        (true, false) => "who made others wait",
        (true, true) => "where threads ran",
        (false, false) => "who makes others wait",
        (false, true) => "where threads run",
    }
}

fn figures(canvas: &mut Canvas, y: u16, holds: u16, bar: u16, room: u16, (held, waiting): (String, f64)) {
    canvas.text_before(holds + 5, y, &held, Ink::Text);
    canvas.bar(bar, y, (waiting * f64::from(room) * 8.0).round() as u32, Ink::Waits);
    canvas.text_before(bar + room + 5, y, &percent(waiting), Ink::Strong);
}
