//! A real program, started by us and not ours: nothing of it may be left behind, whatever becomes of whom.
//!
//! # The problem
//! A Python program makes processes of its own. When gilscope ends, however
//! it ends (`kill -9` included), all of them must end; they know nothing of us,
//! and the signal a process can ask for at its parent's death is not handed on
//! to its children.
//!
//! # The choice
//! The program runs under a [`guard`]: this program executed anew, leader of a
//! process group in which all that the program makes is born, and the reaper of
//! all that leaves that group. The guard sleeps on two descriptors, one for its
//! maker's life and one for the program's. Whichever goes first, it ends all
//! that is below it; then it ends as the program ended.
//!
//! # Not chosen
//! A control group needs privileges. The parent-death signal covers one
//! generation. A pipe whose end closes with us: the program's children would
//! inherit it.

mod below;
mod emulator;
mod exit;
pub mod guard;
mod keys;
mod lent;
mod output;
pub mod pty;
mod reader;
mod tail;

pub use below::{PATIENCE_WITH_THE_LAST, children, descendants, end_all_below, ignores, send};
pub use exit::{Exit, reap};
pub(crate) use exit::{TO_BE_GONE, reap_group};
pub use lent::Lent;
pub(crate) use lent::path_of;
pub use output::{KEPT, Output, Printed, last_words};
pub use tail::Tail;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// Where a process gets the program to execute anew: itself, even if its file was replaced or removed meanwhile.
pub fn this_program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { link } else { std::env::args_os().next().unwrap_or_else(|| OsString::from("gilscope")).into() }
}

/// How much of its standard error is kept.
const STDERR_KEPT: usize = 64 << 10;

/// A program and all it makes. Dropping it kills what is left.
#[derive(Debug)]
pub struct Program {
    guard: Child,
    group: Pid,
    stdout: Tail,
    stderr: Tail,
    ended: Option<Exit>,
}

impl Program {
    /// Starts a program under a guard. Its standard input is a pipe that [`Program::tell`] writes to; what it writes
    /// is kept.
    ///
    /// An error means that the guard could not be started; that the program could not be, is told as its end: status
    /// [`guard::NOT_STARTED`], and why on standard error.
    pub fn start(command: &[OsString], environment: &[(&str, &str)]) -> io::Result<Program> {
        Program::start_under(&this_program(), command, environment)
    }

    /// The same with another executable of this program, for those who are not that program themselves: tests.
    pub fn start_under(gilscope: &Path, command: &[OsString], environment: &[(&str, &str)]) -> io::Result<Program> {
        // What the program leaves behind becomes ours to reap. Where this is refused, init does it.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let mut guard = guard::command(gilscope, command)
            .envs(environment.iter().copied())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let missing = || io::Error::other("it has no pipes");
        let stdout = Tail::new(guard.stdout.take().ok_or_else(missing)?.into(), KEPT);
        let stderr = Tail::new(guard.stderr.take().ok_or_else(missing)?.into(), STDERR_KEPT);
        Ok(Program { group: Pid::from_child(&guard), guard, stdout, stderr, ended: None })
    }

    /// Writes a line to its standard input. A program that does not read any more has its reasons.
    pub fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.guard.stdin {
            let _ = stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
        }
    }

    /// Takes in what it wrote, and says how it ended if it has. Never waits.
    pub fn poll(&mut self) -> Option<Exit> {
        if self.ended.is_none() {
            // Asked before reading: what it wrote before its end is then read.
            let gone = self.has_gone();
            self.stdout.drain();
            self.stderr.drain();
            if gone {
                self.end();
            }
        }
        self.ended
    }

    /// The process group of all that it makes; its number is the guard's.
    pub fn group(&self) -> u32 {
        self.guard.id()
    }

    /// The last of what it printed.
    pub fn output(&self) -> String {
        self.stdout.text()
    }

    /// How many lines it printed before these.
    pub fn output_left_out(&self) -> u64 {
        self.stdout.lines_left_out()
    }

    /// The last of what it wrote to standard error.
    pub fn errors(&self) -> String {
        self.stderr.text()
    }

    /// Halts every process of it.
    pub fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it now. When this returns, all its processes are gone.
    pub fn stop(&mut self) {
        if self.ended.is_none() {
            self.end();
        }
    }

    fn has_gone(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(rustix::process::waitid(WaitId::Pid(self.group), options), Ok(None) | Err(Errno::INTR))
    }

    /// The guard is reaped last, so until then the group's number is no other's.
    fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // Only fails if they are all gone.
            let _ = rustix::process::kill_process_group(self.group, signal);
        }
    }

    fn end(&mut self) {
        // The guard sees its program die and ends the rest. It may have been halted with the group.
        let begun = Instant::now();
        while !self.has_gone() && begun.elapsed() < TO_BE_GONE {
            let below = children(self.guard.id());
            if !below::kill_those_that_heed(&below) && begun.elapsed() > PATIENCE_WITH_THE_LAST {
                // The program itself may be one that does not.
                send(Signal::KILL, &below);
            }
            let _ = rustix::process::kill_process(self.group, Signal::CONT);
            std::thread::sleep(Duration::from_micros(200));
        }
        self.signal(Signal::KILL);
        let exit = reap(self.group).unwrap_or(Exit::Signal(Signal::KILL.as_raw()));
        self.ended = Some(exit);
        reap_group(self.group);
        self.stdout.drain();
        self.stderr.drain();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}
