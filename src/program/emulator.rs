//! The terminal that a program of ours is given: what it wrote, as a screen and the lines that left its top.
//!
//! # The problem
//! To obey each character costs some 20 ns. A program that prints by blocks
//! writes to a pseudo-terminal faster than that, and would wait for us.
//!
//! # The choice
//! `vt100`, whose rows are plain text, and of the rows that leave its top the
//! last. So most of much plain text is printed to be forgotten: it need only be
//! counted. It is put by as it comes and obeyed when somebody looks, or there
//! is a good deal of it. What then lies between its first lines, which show that
//! the terminal does nothing but scroll, and its last, which are more than are
//! kept, is left out. Plain is what moves the cursor along a line and to the
//! next and does nothing else; whatever is not is obeyed as it comes.
//!
//! # Not chosen
//! To guess from the escape sequences whether lines scroll: that would be a
//! second emulator. The first lines are obeyed by the one there is, and whether
//! lines left its top is seen.

use std::collections::VecDeque;
use std::num::NonZeroU16;

use vt100::capture::{BasicFormattedCaptureState, RowContents, basic_formatted_to_plain};

use super::output::{LINES_SHOWN, LONGEST_LINE, Printed};

/// How much plain text is put by: as much as a pipe holds, and several times the lines that are kept.
const PUT_BY: usize = 1 << 20;

pub(super) struct Emulator {
    parser: vt100::Parser<History>,
    /// Plain text that is still to be obeyed.
    put_by: Vec<u8>,
    /// The byte before the next.
    last: u8,
}

impl Emulator {
    pub(super) fn new(columns: NonZeroU16, rows: NonZeroU16) -> Emulator {
        let parser = vt100::Parser::new_with_callbacks(rows, columns, 0, History::default());
        Emulator { parser, put_by: Vec::new(), last: 0 }
    }

    /// More has been written.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        let plain = is_plain(self.last, bytes);
        self.last = bytes.last().copied().unwrap_or(self.last);
        if !plain {
            self.obey();
        }
        self.put_by.extend_from_slice(bytes);
        if !plain {
            self.obey_from(0);
        } else if self.put_by.len() >= PUT_BY {
            self.obey();
        }
    }

    /// Obeys what was put by.
    pub(super) fn obey(&mut self) {
        let text = std::mem::take(&mut self.put_by);
        let mut from = 0;
        if let Some([low, seen, last]) = self.parts(&text) {
            self.parser.process(&text[..low]);
            let before = self.scrolled();
            self.parser.process(&text[low..seen]);
            from = seen;
            if self.scrolled() > before && self.is_one_each(&text[seen..last]) {
                self.parser.callbacks_mut().gone += ends(&text[seen..last]).count() as u64;
                from = last;
            }
        }
        self.put_by = text;
        self.obey_from(from);
    }

    /// Obeys it from there on, but for the beginning of a character: the parser is given whole ones, since it drops what
    /// follows one that was cut, if another is cut behind it.
    fn obey_from(&mut self, from: usize) {
        let whole = self.put_by.len() - unfinished(&self.put_by);
        self.parser.process(&self.put_by[from..whole]);
        self.put_by.drain(..whole);
    }

    /// Where a text is to be cut: after two parts, each of as many lines as the screen has rows, and before the last lines,
    /// which are so many that nothing before them is kept.
    fn parts(&self, text: &[u8]) -> Option<[usize; 3]> {
        let rows = usize::from(self.parser.screen().size().0.get());
        let mut first = ends(text);
        // After the first the cursor is as low as lines bring it, and each line scrolls, if they do; by the second it is seen.
        let low = first.nth(rows)? + 1;
        let seen = first.nth(rows)? + 1;
        // Those on the screen now are still to leave, and of these as many will stay on it.
        let last = ends(text).rev().nth(LINES_SHOWN + 2 * rows)? + 1;
        (seen < last).then_some([low, seen, last])
    }

    /// Whether each line of a text is one when it leaves the top, wrapped or not. On the only row nothing is known to have
    /// been wrapped, nor where a wide character had no room in the last column.
    fn is_one_each(&self, text: &[u8]) -> bool {
        let (rows, columns) = self.parser.screen().size();
        let longest = longest(text);
        longest <= usize::from(columns.get()) || rows.get() > 1 && longest < LONGEST_LINE && text.is_ascii()
    }

    /// How many lines have left the top.
    fn scrolled(&self) -> u64 {
        let history = self.parser.callbacks();
        history.gone + history.lines.len() as u64
    }

    /// It has so many columns and rows from now on. Says whether it had others.
    pub(super) fn resize(&mut self, columns: NonZeroU16, rows: NonZeroU16) -> bool {
        let other = self.parser.screen().size() != (rows, columns);
        if other {
            self.obey();
            self.parser.set_size(rows, columns);
        }
        other
    }

    /// Whether the program has asked for the arrow keys of applications.
    pub(super) fn application_cursor(&self) -> bool {
        // No plain text asks for it.
        self.parser.screen().application_cursor()
    }

    /// What it shows, and the last lines that left its top.
    pub(super) fn printed(&mut self) -> Printed {
        self.obey();
        let screen = self.parser.screen();
        let mut rows: Vec<String> = screen.rows(0, screen.size().1.get()).collect();
        let (row, column) = screen.cursor_position();
        let used = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last + 1);
        let shows_caret = !screen.hide_cursor();
        rows.truncate(if shows_caret { used.max(usize::from(row) + 1) } else { used });
        let history = self.parser.callbacks();
        let skipped = (history.lines.len() + rows.len()).saturating_sub(LINES_SHOWN).min(history.lines.len());
        let mut lines: Vec<String> = history.lines.iter().skip(skipped).cloned().collect();
        let caret = shows_caret.then_some((lines.len() + usize::from(row), column));
        lines.append(&mut rows);
        Printed { lines, left_out: history.gone + skipped as u64, caret, takes_keys: true }
    }

    /// How many lines were written before what is kept of them begins.
    pub(super) fn lines_left_out(&mut self) -> u64 {
        self.obey();
        self.parser.callbacks().gone
    }

    /// The last of what was written, as text without whatever moved a cursor.
    pub(super) fn text(&mut self) -> String {
        self.obey();
        let kept = self.parser.callbacks().lines.iter().map(String::as_str);
        let screen = self.parser.screen().contents();
        let lines: Vec<&str> = kept.chain(screen.trim_end().lines()).collect();
        if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
    }
}

/// Whether a text, written after this byte, does nothing but print characters and go to the beginning of this line or the
/// next. A tab is not plain: it makes a line longer than it was written.
fn is_plain(before: u8, text: &[u8]) -> bool {
    let prints = |byte: u8| byte >= b' ' && byte != 0x7f || byte == b'\r';
    let follows = |(before, byte): (&u8, &u8)| prints(*byte) || (*byte == b'\n' && *before == b'\r');
    std::iter::once(&before).chain(text).zip(text).all(follows)
}

/// How many bytes at the end of a text are the beginning of a character.
fn unfinished(text: &[u8]) -> usize {
    let begun = text.iter().rev().take(3).position(|byte| byte & 0xc0 != 0x80);
    let Some((there, lead)) = begun.map(|before| (before + 1, text[text.len() - 1 - before])) else { return 0 };
    let length = match lead {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    if there < length { there } else { 0 }
}

/// Where lines end in a text.
fn ends(text: &[u8]) -> impl DoubleEndedIterator<Item = usize> {
    text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at)
}

/// How long its longest line is.
fn longest(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0)
}

/// The lines that have left the top of the screen; those that were wrapped are one again.
#[derive(Default)]
struct History {
    lines: VecDeque<String>,
    /// How many came before these.
    gone: u64,
    state: BasicFormattedCaptureState,
}

impl vt100::Callbacks for History {
    fn on_scroll(&mut self, row: RowContents<'_>, alternate_screen: bool) {
        if alternate_screen {
            return;
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = row.write_formatted_basic(&mut text, &mut self.state);
        let plain: String = basic_formatted_to_plain(&text).collect();
        // A row that goes on in the next has no end of a line before that.
        match (plain.strip_prefix('\n'), self.lines.back_mut()) {
            (None, Some(last)) if last.len() < LONGEST_LINE => last.push_str(&plain),
            (rest, _) => self.lines.push_back(rest.unwrap_or(&plain).to_owned()),
        }
        if self.lines.len() > LINES_SHOWN {
            self.lines.pop_front();
            self.gone += 1;
        }
    }
}

#[cfg(test)]
mod tests;
