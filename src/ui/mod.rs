//! Drawing: from what the interface knows and the log to cells of the
//! terminal. Nothing is changed by drawing, and nothing decided: what there is
//! to know is in [`State`], what happened is in the log.

pub mod ascii;
pub mod canvas;
pub mod compare;
pub mod glyphs;
pub mod lab;
pub mod layout;
pub mod panels;
pub mod theme;
pub mod timeline;
pub mod watch;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{Screen, State, words};
use crate::text::lines::wrapped;
use crate::trace::Trace;
use canvas::Canvas;
use theme::{Ink, Paint};

/// Draws everything. `log` is that of the run on the screen, if there is one.
pub fn render(state: &State, log: Option<&Trace>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let paint = Paint::new(state.look.theme, state.look.depth);
    let log = log.filter(|_| state.ran.is_some());
    let mut canvas = Canvas::new(buf, area, paint).worded(state.look.wording);
    canvas.clear();
    let (columns, rows) = layout::LEAST;
    if area.width < columns || area.height < rows {
        too_small(state, &mut canvas);
    } else if state.help.is_some() {
        panels::help::render(state, &mut canvas);
    } else if state.screen == Screen::Compare {
        compare::render(state, &mut canvas);
    } else if state.screen == Screen::Watch {
        watch::render(state, log.filter(|_| state.origin.program.is_some()), &mut canvas);
    } else {
        lab::render(state, log, &mut canvas);
        if let Some(line) = state.settings {
            panels::settings::render(state, line, &mut canvas);
        }
    }
    if state.look.ascii {
        ascii::reduce(buf);
    }
}

/// What can be said where nothing can be drawn.
fn too_small(state: &State, canvas: &mut Canvas) {
    let (columns, rows) = layout::LEAST;
    let (width, height) = (canvas.width(), canvas.height());
    let (screen, phase, busy) = match state.screen {
        Screen::Watch if state.origin.program.is_some() => ("Watch", watch::phase(state), watch::busy(state)),
        Screen::Watch => ("Watch", words::phase(state), state.figures.cores_busy),
        Screen::Compare => ("Compare", words::phase(state), state.figures.cores_busy),
        _ => ("Lab", words::phase(state), state.figures.cores_busy),
    };
    let text = format!(
        "{phase}. {busy:.1} cores busy. The {screen} screen needs {columns} columns and {rows} rows; here are {width} and \
         {height}.",
    );
    for (y, line) in
        wrapped(&state.look.wording.say(&text), usize::from(width)).iter().take(usize::from(height)).enumerate()
    {
        canvas.text(0, y as u16, line, Ink::Text);
    }
}
