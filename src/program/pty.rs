//! A terminal of its own for a program that is to be typed into while its output stands in a panel.
//!
//! # The problem
//! An interactive program asks whether it has a terminal, prompts only if it
//! does, and edits what is typed with escape sequences. gilscope's own terminal
//! cannot serve: its keys are gilscope's, and two would draw on it.
//!
//! # The choice
//! A pseudo-terminal, whose other side is the program's standard streams and
//! the controlling terminal of its session, so that Ctrl-C, Ctrl-D and a change
//! of size reach it as they would anywhere. What the program writes is obeyed
//! by an emulator in memory (`vt100`), whose rows are plain text: nothing of it
//! gets to the real terminal. Rows that leave its top are kept, so many of
//! them. When we end, however that happens, our side closes, and the kernel
//! hangs up.
//!
//! # Not chosen
//! To strip the escape sequences: a prompt that redraws its line after each key
//! would be a mess of all its versions.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crossterm::event::KeyEvent;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{InputModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use vt100::capture::{BasicFormattedCaptureState, RowContents, basic_formatted_to_plain};

use super::keys;
use super::output::{LINES_SHOWN, LONGEST_LINE, Printed};
use super::reader::{Reader, Take, Taken};

/// What programs are told in `TERM`: the terminal that the emulator is.
pub const TERM: &str = "xterm-256color";

/// How much is taken in at a time before others get their turn: a millisecond's worth. Who prints without end waits for
/// us, as for any terminal.
const AT_ONCE: usize = 32 << 10;

/// From so much on the kernel's room for it may have been full: it keeps some 64 KiB.
const MUCH: usize = 16 << 10;

/// How much may be typed ahead of a program that does not read.
const MOST_UNREAD: usize = 64 << 10;

/// Our side of a pseudo-terminal, which is read as soon as something is written. Closing it hangs the program up.
#[derive(Debug)]
pub struct PseudoTerminal(Reader<Side>);

struct Side {
    master: Option<Arc<OwnedFd>>,
    emulator: vt100::Parser<History>,
    /// What was typed and has not been taken yet.
    typed: VecDeque<u8>,
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").field("master", &self.master).finish_non_exhaustive()
    }
}

impl PseudoTerminal {
    /// A new one of this many columns and rows, and its other side, which is for the program.
    pub fn open(columns: u16, rows: u16) -> io::Result<(PseudoTerminal, OwnedFd)> {
        let missing = |error: Errno| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("it cannot be given a terminal of its own (/dev/ptmx): {error}"))
        };
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).map_err(missing)?;
        grantpt(&master).and_then(|()| unlockpt(&master)).map_err(missing)?;
        // By this call and not by its name: in a container the name may be another's.
        let side = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, side).map_err(missing)?;
        let mut modes = tcgetattr(&slave).map_err(missing)?;
        // Backspace takes a whole character away.
        modes.input_modes |= InputModes::IUTF8;
        tcsetattr(&slave, OptionalActions::Now, &modes).map_err(missing)?;
        rustix::io::ioctl_fionbio(&master, true).map_err(missing)?;
        let (columns, rows) = (cells(columns), cells(rows));
        let emulator = vt100::Parser::new_with_callbacks(rows, columns, 0, History::default());
        let side = Side { master: Some(Arc::new(master)), emulator, typed: VecDeque::new() };
        side.tell_size(columns, rows);
        Ok((PseudoTerminal(Reader::start(side)), slave))
    }

    /// Takes in what has been written until now, up to a limit, and passes on what was typed.
    pub fn drain(&mut self) {
        let mut side = self.0.lock();
        // The kernel keeps less than this.
        for _ in 0..4 {
            if side.take() != Taken::Much {
                break;
            }
        }
    }

    /// A key for the program. Says whether it was taken: too much may lie there unread.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        self.0.lock().press(key)
    }

    /// It has so many columns and rows from now on; the program is told by the kernel (SIGWINCH).
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.0.lock().resize(cells(columns), cells(rows));
    }

    /// What it shows, and the last lines that left its top.
    pub fn printed(&self) -> Printed {
        self.0.lock().printed()
    }

    /// How many lines were written before what is kept of them begins.
    pub fn lines_left_out(&self) -> u64 {
        self.0.lock().emulator.callbacks().gone
    }

    /// The last of what was written, as text without whatever moved a cursor.
    pub fn text(&self) -> String {
        self.0.lock().text()
    }
}

impl Take for Side {
    fn source(&self) -> Option<Arc<OwnedFd>> {
        self.master.clone()
    }

    fn take(&mut self) -> Taken {
        self.pass_on();
        let mut buffer = [0; 16 << 10];
        let mut taken = 0;
        while let Some(master) = self.master.as_ref().filter(|_| taken < AT_ONCE) {
            match rustix::io::read(master, &mut buffer[..]) {
                Ok(bytes @ 1..) => {
                    self.emulator.process(&buffer[..bytes]);
                    taken += bytes;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // Nobody has its other side open: that may yet be.
                Err(Errno::IO) => return Taken::Deserted,
                Ok(0) | Err(_) => self.master = None,
            }
        }
        match &self.master {
            None => Taken::Over,
            Some(_) if taken >= MUCH => Taken::Much,
            Some(_) => Taken::Little,
        }
    }
}

impl Side {
    fn press(&mut self, key: KeyEvent) -> bool {
        let bytes = keys::bytes(key, self.emulator.screen().application_cursor());
        if self.master.is_none() || self.typed.len() + bytes.len() > MOST_UNREAD {
            return false;
        }
        self.typed.extend(bytes);
        self.pass_on();
        true
    }

    fn pass_on(&mut self) {
        while let Some(master) = self.master.as_ref().filter(|_| !self.typed.is_empty()) {
            match rustix::io::write(master, self.typed.as_slices().0) {
                Ok(bytes @ 1..) => drop(self.typed.drain(..bytes)),
                Err(Errno::INTR) => {}
                _ => return,
            }
        }
    }

    fn resize(&mut self, columns: NonZeroU16, rows: NonZeroU16) {
        if self.emulator.screen().size() != (rows, columns) {
            self.emulator.set_size(rows, columns);
            self.tell_size(columns, rows);
        }
    }

    fn tell_size(&self, columns: NonZeroU16, rows: NonZeroU16) {
        if let Some(master) = &self.master {
            let size = Winsize { ws_row: rows.get(), ws_col: columns.get(), ws_xpixel: 0, ws_ypixel: 0 };
            // Fails only if it is no terminal, which it is.
            let _ = tcsetwinsize(master, size);
        }
    }

    fn printed(&self) -> Printed {
        let screen = self.emulator.screen();
        let mut rows: Vec<String> = screen.rows(0, screen.size().1.get()).collect();
        let (row, column) = screen.cursor_position();
        let used = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last + 1);
        let shows_caret = !screen.hide_cursor();
        rows.truncate(if shows_caret { used.max(usize::from(row) + 1) } else { used });
        let history = self.emulator.callbacks();
        let skipped = (history.lines.len() + rows.len()).saturating_sub(LINES_SHOWN).min(history.lines.len());
        let mut lines: Vec<String> = history.lines.iter().skip(skipped).cloned().collect();
        let caret = shows_caret.then_some((lines.len() + usize::from(row), column));
        lines.append(&mut rows);
        Printed { lines, left_out: history.gone + skipped as u64, caret, takes_keys: true }
    }

    fn text(&self) -> String {
        let kept = self.emulator.callbacks().lines.iter().map(String::as_str);
        let screen = self.emulator.screen().contents();
        let lines: Vec<&str> = kept.chain(screen.trim_end().lines()).collect();
        if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
    }
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN)
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
mod tests {
    use super::*;

    /// A terminal and what a program has written to it.
    fn shown(columns: u16, rows: u16, written: &str) -> PseudoTerminal {
        let (mut terminal, program) = PseudoTerminal::open(columns, rows).unwrap();
        let mut rest = written.as_bytes();
        while !rest.is_empty() {
            let part = rustix::io::write(&program, &rest[..rest.len().min(1000)]).unwrap();
            rest = &rest[part..];
            terminal.drain();
        }
        terminal.drain();
        terminal
    }

    #[test]
    fn what_was_redrawn_stands_there_once_and_the_caret_where_it_is() {
        let Printed { lines, caret, takes_keys, .. } =
            shown(20, 4, "\x1b[31mred\x1b[0m\n10%\r50%\r>>> abd\x08c\x1b[K").printed();
        assert_eq!(lines, ["red", ">>> abc"]);
        assert_eq!((caret, takes_keys), (Some((1, 7)), true));
    }

    #[test]
    fn lines_that_left_its_top_are_kept_whole_and_not_without_bound() {
        let many: String = (0..3000).map(|line| format!("line {line}\n")).collect();
        let terminal = shown(20, 4, &format!("{many}{}\nend", "x".repeat(50)));
        let printed = terminal.printed();
        // A line that was wrapped is as many on the screen as it has rows.
        assert_eq!((printed.lines.len(), printed.left_out), (LINES_SHOWN, 3004 - LINES_SHOWN as u64));
        assert_eq!(printed.lines.last().map(String::as_str), Some("end"));
        assert!(terminal.text().ends_with(&format!("line 2999\n{}\nend\n", "x".repeat(50))), "{}", terminal.text());
        let endless = shown(80, 4, &"y".repeat(100_000));
        assert!(endless.printed().lines.iter().all(|line| line.len() <= LONGEST_LINE + 80));
    }

    #[test]
    fn keys_are_read_by_the_program_and_its_size_is_that_of_the_panel() {
        let (mut terminal, program) = PseudoTerminal::open(70, 9).unwrap();
        for key in "a line\r".chars() {
            let code =
                if key == '\r' { crossterm::event::KeyCode::Enter } else { crossterm::event::KeyCode::Char(key) };
            assert!(terminal.press(code.into()));
        }
        let mut read = [0; 100];
        let length = rustix::io::read(&program, &mut read[..]).unwrap();
        assert_eq!(&read[..length], b"a line\n");
        terminal.resize(50, 7);
        let size = rustix::termios::tcgetwinsize(&program).unwrap();
        assert_eq!((size.ws_col, size.ws_row), (50, 7));
        terminal.drain();
        assert_eq!(terminal.printed().lines, ["a line", ""], "what was typed is shown");
    }

    #[test]
    fn who_does_not_read_is_not_typed_into_without_end() {
        let (mut terminal, program) = PseudoTerminal::open(70, 9).unwrap();
        let taken = (0..1_000_000).take_while(|_| terminal.press(crossterm::event::KeyCode::Enter.into())).count();
        assert!((MOST_UNREAD..1_000_000).contains(&taken), "{taken}");
        drop(program);
    }
}
