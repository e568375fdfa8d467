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
//! by an `Emulator` in memory: nothing of it gets to the real terminal. When
//! we end, however that happens, our side closes, and the kernel hangs up.
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

use super::emulator::Emulator;
use super::keys;
use super::output::Printed;
use super::reader::{Reader, Take, Taken};

/// What programs are told in `TERM`: the terminal that the emulator is.
pub const TERM: &str = "xterm-256color";

/// How much is taken in at a time before others get their turn: a millisecond's worth. Who prints without end waits for
/// us, as for any terminal.
const AT_ONCE: usize = 32 << 10;

/// How much of it the kernel keeps.
const ROOM: usize = 64 << 10;

/// How much may be typed ahead of a program that does not read.
const MOST_UNREAD: usize = 64 << 10;

/// Our side of a pseudo-terminal, which is read as soon as something is written. Closing it hangs the program up.
#[derive(Debug)]
pub struct PseudoTerminal(Reader<Side>);

struct Side {
    master: Option<Arc<OwnedFd>>,
    emulator: Emulator,
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
        let side =
            Side { master: Some(Arc::new(master)), emulator: Emulator::new(columns, rows), typed: VecDeque::new() };
        side.tell_size(columns, rows);
        Ok((PseudoTerminal(Reader::start(side)), slave))
    }

    /// Takes in what has been written until now, up to a limit, and passes on what was typed.
    pub fn drain(&mut self) {
        let mut side = self.0.lock();
        // The kernel keeps less than this.
        for _ in 0..4 {
            if !matches!(side.take(), Taken::There(AT_ONCE..)) {
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
        self.0.lock().emulator.printed()
    }

    /// How many lines were written before what is kept of them begins.
    pub fn lines_left_out(&self) -> u64 {
        self.0.lock().emulator.lines_left_out()
    }

    /// The last of what was written, as text without whatever moved a cursor.
    pub fn text(&self) -> String {
        self.0.lock().emulator.text()
    }
}

impl Take for Side {
    fn source(&self) -> Option<Arc<OwnedFd>> {
        self.master.clone()
    }

    fn room(&self) -> usize {
        ROOM
    }

    fn take(&mut self) -> Taken {
        self.pass_on();
        let mut buffer = [0; 16 << 10];
        let mut taken = 0;
        while let Some(master) = self.master.as_ref().filter(|_| taken < AT_ONCE) {
            match rustix::io::read(master, &mut buffer[..]) {
                Ok(bytes @ 1..) => {
                    self.emulator.take_in(&buffer[..bytes]);
                    taken += bytes;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // Nobody has its other side open: that may yet be.
                Err(Errno::IO) => return Taken::Deserted,
                Ok(0) | Err(_) => self.master = None,
            }
        }
        if self.master.is_some() { Taken::There(taken) } else { Taken::Over }
    }
}

impl Side {
    fn press(&mut self, key: KeyEvent) -> bool {
        let bytes = keys::bytes(key, self.emulator.application_cursor());
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
        if self.emulator.resize(columns, rows) {
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
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::output::{LINES_SHOWN, LONGEST_LINE};

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
