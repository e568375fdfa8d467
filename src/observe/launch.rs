//! Starting the program that is to be observed, so that it is observed from its first instruction.
//!
//! The program is first this one, executed anew with a hidden argument: it
//! stops itself, and goes on to execute the wanted program when it is
//! continued. In between the kernel is asked to record it, and all that it
//! makes. A program started like this may be looked into under the usual
//! restrictions (Yama's), since we are its parent.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};

use rustix::process::{Pid, Signal, WaitOptions};

use crate::program::{KEPT, Tail};

/// The hidden subcommand.
const SUBCOMMAND: &str = "__launch";

/// What it leaves with if the program cannot be executed, as shells do.
const NOT_EXECUTED: u8 = 127;

/// A program that waits to be let go.
#[derive(Debug)]
pub struct Launched {
    /// The process.
    pub child: Child,
    /// What it prints, if that is not for the terminal.
    pub output: Option<Tail>,
}

/// Whether this process is to become an observed program. To be asked before any other argument is looked at.
pub fn is_wanted() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == SUBCOMMAND)
}

/// Waits to be continued, then becomes the program.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(2);
    let maker = args.next().and_then(|maker| maker.to_str()?.parse().ok());
    let Some(program) = args.next() else {
        eprintln!("gilscope: `{SUBCOMMAND}` is how gilscope starts what it watches; see `gilscope --help`");
        return ExitCode::from(2);
    };
    // Nothing is left behind if gilscope is killed.
    let tied = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if tied.is_err() || parent != maker {
        return ExitCode::from(NOT_EXECUTED);
    }
    let stopped = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
    if stopped.is_err() {
        return ExitCode::from(NOT_EXECUTED);
    }
    let error = Command::new(&program).args(args).exec();
    eprintln!("gilscope: cannot run {}: {error}", crate::observe::process::sanitised(&program.to_string_lossy()));
    ExitCode::from(NOT_EXECUTED)
}

/// Starts a program, up to the point where it would execute. It ends (SIGTERM) with the calling thread. What it reads is
/// `input`: nothing, or our own standard input.
pub fn launch(program: &OsString, args: &[OsString], captured: bool, input: Stdio) -> io::Result<Launched> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(SUBCOMMAND).arg(std::process::id().to_string()).arg(program).args(args).stdin(input);
    let mut output = None;
    if captured {
        let (reader, writer) = pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        output = Some(Tail::new(reader, KEPT));
    }
    let child = command.spawn()?;
    let pid = pid_of(&child);
    match rustix::process::waitpid(Some(pid), WaitOptions::UNTRACED) {
        Ok(Some((_, status))) if status.stopped() => Ok(Launched { child, output }),
        Ok(_) => Err(io::Error::other("it ended before it began")),
        Err(error) => Err(error.into()),
    }
}

impl Launched {
    /// Lets it execute its program.
    pub fn go(&self) -> io::Result<()> {
        Ok(rustix::process::kill_process(pid_of(&self.child), Signal::CONT)?)
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}
