//! The real binary in a pseudo-terminal: keys in, screen out.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// The longest a test waits for anything. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A program in a terminal of its own.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<vt100::Parser>>,
    raw: Arc<Mutex<Vec<u8>>>,
}

/// A number of rows or columns, of which there is at least one.
fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has at least one cell")
}

/// The folder the tested binary lies in, for `PATH`.
pub fn binary_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_gilscope")).parent().expect("a binary lies in a folder").to_owned()
}

impl Terminal {
    /// Starts `program` with `args` on a screen of `columns` × `rows`.
    pub fn start(program: &str, args: &[&str], columns: u16, rows: u16, env: &[(&str, &str)]) -> Terminal {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env_remove("NO_COLOR");
        command.env("PS1", "$ ");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", binary_folder().display()));
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let keys = pair.master.take_writer().expect("the terminal takes keys");
        let mut output = pair.master.try_clone_reader().expect("the terminal shows output");
        let shown = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let (screen, bytes) = (Arc::clone(&shown), Arc::clone(&raw));
        thread::spawn(move || {
            let mut chunk = [0; 65536];
            while let Ok(length @ 1..) = output.read(&mut chunk) {
                screen.lock().expect("no reader panicked").process(&chunk[..length]);
                bytes.lock().expect("no reader panicked").extend_from_slice(&chunk[..length]);
            }
        });
        Terminal { master: pair.master, keys, child, shown, raw }
    }

    /// Starts the tested binary itself.
    pub fn gilscope(args: &[&str], columns: u16, rows: u16, env: &[(&str, &str)]) -> Terminal {
        Terminal::start(env!("CARGO_BIN_EXE_gilscope"), args, columns, rows, env)
    }

    /// Presses keys, given as the bytes a terminal sends.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("the terminal takes keys");
    }

    /// What the screen shows.
    pub fn text(&self) -> String {
        self.shown.lock().expect("no reader panicked").screen().contents()
    }

    /// Calls `look` with the screen.
    pub fn screen<R>(&self, look: impl FnOnce(&vt100::Screen) -> R) -> R {
        look(self.shown.lock().expect("no reader panicked").screen())
    }

    /// Every byte the program has sent.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().expect("no reader panicked").clone()
    }

    /// Waits until the screen's text is as wanted; panics with the screen when it does not come to that.
    pub fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        self.wait_until(what, |screen| wanted(&screen.contents()));
    }

    /// Waits until the screen is as wanted: what a program sent last may still be under way when it has ended.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !self.screen(&wanted) {
            assert!(Instant::now() < end, "waited in vain for {what}; the screen:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `text` is on the screen.
    pub fn wait_for(&self, text: &str) {
        self.wait(text, |screen| screen.contains(text));
    }

    /// Changes the size of the window.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.shown.lock().expect("no reader panicked").screen_mut().set_size(cells(rows), cells(columns));
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).expect("the window changes its size");
    }

    /// The program's process.
    pub fn pid(&self) -> i32 {
        self.child.process_id().expect("the program has a process") as i32
    }

    /// Waits for the program's end.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                return status;
            }
            assert!(Instant::now() < end, "the program does not end; the screen:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
