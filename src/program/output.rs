//! What a program wrote: the end of it, however much it was.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use crossterm::event::KeyEvent;
use rustix::io::Errno;

use super::pty::PseudoTerminal;

/// How much is kept.
pub const KEPT: usize = 1 << 20;

/// How much is read at a time before others get their turn: who prints without end waits for us, not we for it.
const AT_ONCE: usize = 4 << 20;

/// How many of the last lines are shown.
pub(super) const LINES_SHOWN: usize = 1000;

/// What a program wrote, as a panel shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// Its last lines.
    pub lines: Vec<String>,
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
    /// Takes what has been written meanwhile. Never waits.
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

    /// Its last lines.
    pub fn printed(&self) -> Printed {
        match self {
            Output::Pipe(tail) => Printed::of(&tail.text()),
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
        let lines = lines[lines.len().saturating_sub(LINES_SHOWN)..].iter().map(|line| (*line).to_owned());
        Printed { lines: lines.collect(), caret: None, takes_keys: false }
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

/// The reading end of a pipe, and the last that came out of it.
#[derive(Debug)]
pub struct Tail {
    pipe: Option<OwnedFd>,
    kept: VecDeque<u8>,
    limit: usize,
    total: u64,
}

impl Tail {
    /// Of a pipe, which it makes non-blocking and as large as the system lets it.
    pub fn new(pipe: OwnedFd, limit: usize) -> Tail {
        // Both are wishes: a smaller pipe only makes writers wait more often, and one that blocks is polled first.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20);
        let _ = rustix::io::ioctl_fionbio(&pipe, true);
        Tail { pipe: Some(pipe), kept: VecDeque::new(), limit, total: 0 }
    }

    /// Takes what has been written meanwhile, up to a few MiB.
    pub fn drain(&mut self) {
        let mut buffer = [0; 64 << 10];
        let mut budget = AT_ONCE;
        while let Some(pipe) = &self.pipe {
            match rustix::io::read(pipe, &mut buffer[..]) {
                Ok(0) => self.pipe = None,
                Ok(bytes) => {
                    self.keep(&buffer[..bytes]);
                    budget = budget.saturating_sub(bytes);
                    if budget == 0 {
                        return;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(self.limit)..];
        let over = (self.kept.len() + bytes.len()).saturating_sub(self.limit);
        self.kept.drain(..over);
        self.kept.extend(bytes);
    }

    /// How many bytes were written in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The last of it as text: from the first whole character, what is no UTF-8 replaced.
    pub fn text(&self) -> String {
        let cut = self.total > self.kept.len() as u64;
        let bytes: Vec<u8> = self.kept.iter().copied().skip_while(|byte| cut && byte & 0xc0 == 0x80).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
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

    #[test]
    fn the_last_is_kept_from_a_whole_character_on() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut tail = Tail::new(reader, 5);
        rustix::io::write(&writer, "abcdéfgh".as_bytes()).unwrap();
        tail.drain();
        assert_eq!((tail.text().as_str(), tail.total()), ("éfgh", 9));
        rustix::io::write(&writer, b"i").unwrap();
        tail.drain();
        assert_eq!(tail.text(), "fghi");
    }
}
