//! What a program wrote: the end of it, however much it was.

use crossterm::event::KeyEvent;

use super::pty::PseudoTerminal;
use super::tail::Tail;

/// How much is kept.
pub const KEPT: usize = 1 << 20;

/// How many of the last lines are shown.
pub(super) const LINES_SHOWN: usize = 1000;

/// A line is shown no longer than this, however long the program makes it.
pub(super) const LONGEST_LINE: usize = 4 << 10;

/// What a program wrote, as a panel shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// Its last lines.
    pub lines: Vec<String>,
    /// How many lines came before these.
    pub left_out: u64,
    /// The line and the column at which what is typed would stand; none where there is no such place.
    pub caret: Option<(usize, u16)>,
    /// Whether it can be typed into.
    pub takes_keys: bool,
}

/// To where a program that we started writes, if that is to us.
#[derive(Debug)]
pub enum Output {
    /// Into a pipe; it reads something else.
    Pipe(Tail),
    /// To a terminal of its own, from which it also reads.
    Terminal(Box<PseudoTerminal>),
}

impl Output {
    /// Takes in what has been written until now. Never waits.
    pub fn drain(&mut self) {
        match self {
            Output::Pipe(tail) => tail.drain(),
            Output::Terminal(terminal) => terminal.drain(),
        }
    }

    /// The last of it as text.
    pub fn text(&self) -> String {
        match self {
            Output::Pipe(tail) => tail.text(),
            Output::Terminal(terminal) => terminal.text(),
        }
    }

    /// How many lines came before that text.
    pub fn lines_left_out(&self) -> u64 {
        match self {
            Output::Pipe(tail) => tail.lines_left_out(),
            Output::Terminal(terminal) => terminal.lines_left_out(),
        }
    }

    /// Its last lines.
    pub fn printed(&self) -> Printed {
        match self {
            Output::Pipe(tail) => tail.printed(),
            Output::Terminal(terminal) => terminal.printed(),
        }
    }

    /// A key for the program. Says whether it can be read.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        match self {
            Output::Pipe(_) => false,
            Output::Terminal(terminal) => terminal.press(key),
        }
    }

    /// The panel has so many columns and rows.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        if let Output::Terminal(terminal) = self {
            terminal.resize(columns, rows);
        }
    }
}

impl Printed {
    /// The last lines of a text that nobody types into.
    pub fn of(text: &str) -> Printed {
        let lines: Vec<&str> = text.lines().collect();
        let (before, last) = lines.split_at(lines.len().saturating_sub(LINES_SHOWN));
        let lines = last.iter().map(|line| shown(line));
        Printed { lines: lines.collect(), left_out: before.len() as u64, caret: None, takes_keys: false }
    }
}

/// A line as a terminal would leave it that goes back to its beginning, as bars of progress do; as much of it as is shown.
fn shown(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit('\r').next().unwrap_or_default();
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// What a program that ended badly last said: the error of its last traceback, whatever was printed after that (a buffer is
/// often written out at the end), or else its last line.
pub fn last_words(lines: &[impl AsRef<str>]) -> Option<&str> {
    let line = |index: usize| lines.get(index).map(|line| line.as_ref().trim_end());
    let traceback = (0..lines.len()).rev().find(|index| line(*index) == Some("Traceback (most recent call last):"));
    let said = |text: &&str| !text.is_empty() && !text.starts_with(char::is_whitespace);
    let error = traceback.and_then(|traceback| (traceback + 1..lines.len()).filter_map(line).find(said));
    error.or_else(|| (0..lines.len()).rev().filter_map(line).map(str::trim).find(|line| !line.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_error_even_if_a_buffer_was_written_out_after_it() {
        let traceback =
            ["one", "Traceback (most recent call last):", "  File \"x.py\", line 1", "    f()", "ValueError: no"];
        assert_eq!(last_words(&traceback), Some("ValueError: no"));
        assert_eq!(last_words(&[&traceback[..], &["printed before", ""]].concat()), Some("ValueError: no"));
        assert_eq!(last_words(&["usage: x", "x: error: no such option", "  "]), Some("x: error: no such option"));
        assert_eq!(
            last_words(&["cut", "Traceback (most recent call last):"]),
            Some("Traceback (most recent call last):")
        );
        assert_eq!(last_words(&["", " "]), None);
    }
}
