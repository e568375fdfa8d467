//! The guard: it starts a program, and outlives neither the program nor whoever wanted it.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal};

use super::end_all_below;

/// The hidden first argument that makes a process a guard.
pub const SUBCOMMAND: &str = "__guard";

/// Its exit status where the program could not be started, as a shell's.
pub const NOT_STARTED: u8 = 127;

/// A guard for this program, to be made by the calling process.
pub(super) fn command(gilscope: &Path, program: &[OsString]) -> Command {
    let mut guard = Command::new(gilscope);
    guard.arg(SUBCOMMAND).arg(rustix::process::getpid().as_raw_nonzero().to_string()).args(program);
    guard
}

/// Lives the life of a guard, whose arguments are its maker's number and the program with its arguments.
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let maker = args.next().and_then(|number| number.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let (Some(maker), Some(program)) = (maker, args.next()) else {
        eprintln!("gilscope: `{SUBCOMMAND}` is how gilscope starts programs it watches; see `gilscope --help`");
        return ExitCode::from(2);
    };
    match guard(maker, &program, args) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("gilscope: {}: {why}", program.display());
            ExitCode::from(NOT_STARTED)
        }
    }
}

fn guard(maker: Pid, program: &OsStr, args: impl Iterator<Item = OsString>) -> std::io::Result<ExitCode> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // Its maker has done so already; what it kills must never be more than what it made.
    rustix::process::setpgid(None, None)?;
    let life = rustix::process::pidfd_open(maker, PidfdFlags::empty())?;
    if rustix::process::getppid() != Some(maker) {
        // It died before we could look.
        return Ok(ExitCode::from(NOT_STARTED));
    }
    let mut child = Command::new(program).args(args).spawn()?;
    // The program's own pipes must close with the program.
    close_standard_streams()?;
    let program = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    loop {
        let mut lives = [PollFd::new(&program, PollFlags::IN), PollFd::new(&life, PollFlags::IN)];
        match poll(&mut lives, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [program, life] = lives.map(|life| !life.revents().is_empty());
        if program {
            let how = child.wait()?;
            end_all_below();
            return Ok(end_as(how));
        }
        if life {
            end_all_below();
            // With ourselves in it.
            let _ = rustix::process::kill_current_process_group(Signal::KILL);
        }
    }
}

/// Replaces standard input and output by nothing; errors may still have to be said.
pub(crate) fn close_standard_streams() -> std::io::Result<()> {
    let nothing = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    Ok(())
}

/// Ends as the program ended: with its status, or by its signal.
pub(crate) fn end_as(how: std::process::ExitStatus) -> ExitCode {
    if let Some(signal) = how.signal() {
        // Its memory is of no interest.
        let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        // Whatever we have registered for it: Rust's runtime has something for SIGSEGV, SIGBUS and SIGPIPE.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    // A signal that does not end us is told as shells tell it.
    ExitCode::from(how.code().or(how.signal().map(|signal| 128 + signal)).map_or(NOT_STARTED, |code| code as u8))
}
