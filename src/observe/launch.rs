//! Starting the program that is to be observed, so that it is observed from its first instruction, and nothing of it is
//! left behind.
//!
//! # The problem
//! The kernel must be asked to record the program before it executes, and all
//! that it makes must end with gilscope, however that ends (`kill -9` included).
//!
//! # The choice
//! Between gilscope and the program stands a *keeper*: this program, executed
//! anew with a hidden argument. It starts the program, which at first is this
//! one once more, stops itself, and executes the wanted program when it is
//! continued. The keeper adopts whatever the program leaves behind
//! (`PR_SET_CHILD_SUBREAPER`), so that all of it stays below the keeper. It
//! sleeps on its maker's life: if that goes first, or asks for it ([`end`]), all of it is ended, though all of it be stopped
//! (`PR_SET_PDEATHSIG` with `SIGCONT`). If the program ends by itself, the keeper
//! ends as the program ended, and what the program left running on purpose (a
//! daemon) runs on, as it would without gilscope.
//!
//! Where the program gets a terminal of its own ([`Streams::Terminal`]), it leads a session there, which the kernel
//! hangs up when we or it end.
//!
//! A program started like this may be looked into under the usual restrictions
//! (Yama's), since it descends from us.
//!
//! # Not chosen
//! The guard of [`crate::program`] makes a process group, which takes the
//! program out of the terminal's foreground: it could not read there, and Ctrl-C
//! would not reach it. The parent-death signal covers one generation.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::program::pty::{self, PseudoTerminal};
use crate::program::{
    KEPT, Output, PATIENCE_WITH_THE_LAST, Tail, children, descendants, end_all_below, guard, ignores, send,
};
use crate::text::printable;

use super::process;

/// The hidden subcommand of the keeper.
const KEEPER: &str = "__launch";

/// And that of the program before it is the program.
const AWAIT: &str = "__await";

/// Their second argument: whether the program's terminal is its own, or whatever ours is.
const OWN_TERMINAL: &str = "own-terminal";
const SAME_TERMINAL: &str = "same-terminal";

/// What it leaves with if the program cannot be executed, as shells do.
const NOT_EXECUTED: u8 = 127;

/// What a terminal sends to all it has in the foreground: for the program, and not for its keeper.
const UNHEEDED: [i32; 3] = [SIGINT, SIGQUIT, SIGHUP];

/// How long a program that is asked to end may take; one that ignores that signal gets no time at all.
const PATIENCE: Duration = Duration::from_secs(2);
/// And what it made, after that: a pool's workers, who tidies up behind it.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(1);

/// How often those that were left to the keeper are reaped.
const REAPED: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// A program that waits to be let go.
#[derive(Debug)]
pub struct Launched {
    /// Its keeper, which ends as it ends.
    pub keeper: Child,
    /// The program's process.
    pub pid: u32,
    /// What it prints, if that is not for the terminal.
    pub output: Option<Output>,
}

/// What a program reads that is started, and where what it prints goes.
#[derive(Debug)]
pub enum Streams {
    /// It reads this; what it prints goes where ours does.
    Passed(Stdio),
    /// It reads this; what it prints is kept.
    Kept(Stdio),
    /// All is a pseudo-terminal of its own.
    Terminal {
        /// How wide it is.
        columns: u16,
        /// How high.
        rows: u16,
    },
}

/// Whether this process is to become an observed program or its keeper. To be asked before any other argument is looked
/// at.
pub fn is_wanted() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == KEEPER || argument == AWAIT)
}

/// Lives as what its first argument says; the others are its maker's number, whose terminal the program gets, and the
/// program with its arguments.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let role = args.next().unwrap_or_default();
    let maker = args.next().and_then(|maker| maker.to_str()?.parse().ok()).and_then(Pid::from_raw);
    let (Some(maker), Some(terminal), Some(program)) = (maker, args.next(), args.next()) else {
        let role = role.display();
        eprintln!("gilscope: `{role}` is how gilscope starts what it watches; see `gilscope --help`");
        return ExitCode::from(2);
    };
    // Whoever stands still cannot see that its maker is gone.
    let tied = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if tied.is_err() || rustix::process::getppid() != Some(maker) {
        return ExitCode::from(NOT_EXECUTED);
    }
    let told = match () {
        () if role == AWAIT => become_program(terminal == OWN_TERMINAL, &program, args),
        () => keep(maker, &terminal, &program, args),
    };
    told.unwrap_or_else(complain)
}

fn complain(why: io::Error) -> ExitCode {
    eprintln!("gilscope: the program could not be started: {why}");
    ExitCode::from(NOT_EXECUTED)
}

/// Waits to be continued, then becomes the program.
fn become_program(leads: bool, program: &OsStr, args: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    if leads {
        rustix::process::setsid()?;
        rustix::process::ioctl_tiocsctty(io::stdin())?;
    }
    stop_here()?;
    let error = Command::new(program).args(args).exec();
    eprintln!("gilscope: cannot run {}: {error}", printable(&program.to_string_lossy()));
    Ok(ExitCode::from(NOT_EXECUTED))
}

/// Starts the program, stands still once it does, and when it is continued stays as long as the program or its maker.
fn keep(maker: Pid, terminal: &OsStr, program: &OsStr, args: impl Iterator<Item = OsString>) -> io::Result<ExitCode> {
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own))?;
    let life = rustix::process::pidfd_open(maker, PidfdFlags::empty())?;
    // A terminal's Ctrl-C is for the program, whose end is then its keeper's. Handlers are not inherited by an exec.
    for signal in UNHEEDED {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    // The maker's word that all of it is to end.
    let (asked, told) = pipe()?;
    signal_hook::low_level::pipe::register(SIGTERM, told)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg(AWAIT).arg(own.as_raw_nonzero().to_string()).arg(terminal);
    let child = command.arg(program).args(args).spawn()?;
    let program = pid_of(&child);
    match rustix::process::waitpid(Some(program), WaitOptions::UNTRACED)? {
        Some((_, status)) if status.stopped() => {}
        _ => return Err(io::Error::other("it ended before it began")),
    }
    // The program's own pipes must close with the program.
    guard::close_standard_streams()?;
    stop_here()?;
    // Ctrl-Z stops whoever keeps the program with it, and who stands still sees nobody's end: it is to wake then.
    rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?;
    let end = rustix::process::pidfd_open(program, PidfdFlags::empty())?;
    loop {
        let mut lives = [&end, &life, &asked].map(|life| PollFd::new(life, PollFlags::IN));
        match poll(&mut lives, Some(&REAPED)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_to_end = lives[1..].iter().any(|life| !life.revents().is_empty());
        let mut ended = reap(program);
        if is_to_end {
            ended = end_all(program, ended);
        }
        match ended {
            Some(status) => return Ok(guard::end_as(ExitStatus::from_raw(status.as_raw()))),
            None if is_to_end => return Ok(ExitCode::from(NOT_EXECUTED)),
            None => {}
        }
    }
}

/// Takes leave of those below us that have ended; the program's status if it is among them.
fn reap(program: Pid) -> Option<WaitStatus> {
    let mut ended = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == program {
            ended = Some(status);
        }
    }
    ended
}

/// Asks the program to end, then all that it made, and ends those who do not, last of all those who may tidy up behind the
/// others; how the program ended, which it may have done before.
fn end_all(program: Pid, ended: Option<WaitStatus>) -> Option<WaitStatus> {
    let own = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    let mut ended = ended;
    let mut wait = |until: Instant, enough: &dyn Fn(bool) -> bool| {
        loop {
            ended = reap(program).or(ended);
            if enough(ended.is_some()) || Instant::now() >= until {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let number = program.as_raw_nonzero().get().unsigned_abs();
    let hears = |pid: &u32| !ignores(*pid, SIGTERM);
    // Who has ended and is not waited for by its parent is none to wait for.
    let left = || descendants(own).into_iter().filter(|pid| !process::is_zombie(*pid)).collect::<Vec<u32>>();
    // One that is stopped hears once it goes on.
    let ask = |pids: &[u32]| {
        send(Signal::TERM, pids);
        send(Signal::CONT, pids);
    };
    ask(&[number]);
    wait(Instant::now() + PATIENCE, &|ended| ended || !hears(&number));
    // The program has heard it: who means to clean up for a while is not to be asked twice.
    let others: Vec<u32> = left().into_iter().filter(|pid| *pid != number).collect();
    ask(&others);
    let until = Instant::now() + PATIENCE_WITH_OTHERS;
    // Where there are none, the program has had its time.
    if !others.is_empty() {
        wait(until, &|_| !left().iter().any(hears));
        // The program, if it will not hear, and who has had his time.
        let had_theirs: Vec<u32> = left().into_iter().filter(|pid| *pid == number || hears(pid)).collect();
        send(Signal::KILL, &had_theirs);
        wait(until.max(Instant::now() + PATIENCE_WITH_THE_LAST), &|_| left().is_empty());
    }
    // One that will not hear: how it ended is told as well.
    send(Signal::KILL, &children(own));
    wait(Instant::now() + PATIENCE, &|ended| ended);
    end_all_below();
    ended
}

/// Asks a keeper to end its program and all that it made; it does so within a few seconds, and ends as the program ended.
pub fn end(keeper: u32) {
    send(Signal::TERM, &[keeper]);
}

/// Halts the program of a keeper and all that it made, as far as they run: those that were halted.
pub fn halt(keeper: u32) -> Vec<u32> {
    let mut halted: Vec<u32> = Vec::new();
    // What was made meanwhile is found the second time.
    for _ in 0..2 {
        let runs = |pid: &u32| !halted.contains(pid) && process::stopped_by(*pid).is_none();
        let running: Vec<u32> = descendants(keeper).into_iter().filter(runs).collect();
        send(Signal::STOP, &running);
        halted.extend(running);
    }
    halted
}

/// Lets those go on that were halted.
pub fn go_on(halted: &[u32]) {
    send(Signal::CONT, halted);
}

/// Starts a program, up to the point where it would execute.
pub fn launch(program: &OsString, args: &[OsString], streams: Streams) -> io::Result<Launched> {
    let mut command = Command::new("/proc/self/exe");
    let terminal = if matches!(streams, Streams::Terminal { .. }) { OWN_TERMINAL } else { SAME_TERMINAL };
    command.arg(KEEPER).arg(std::process::id().to_string()).arg(terminal).arg(program).args(args);
    let output = match streams {
        Streams::Passed(input) => {
            command.stdin(input);
            None
        }
        Streams::Kept(input) => {
            let (reader, writer) = pipe()?;
            command.stdin(input).stdout(writer.try_clone()?).stderr(writer);
            Some(Output::Pipe(Tail::new(reader, KEPT)))
        }
        Streams::Terminal { columns, rows } => {
            let (terminal, program) = PseudoTerminal::open(columns, rows)?;
            command.stdin(program.try_clone()?).stdout(program.try_clone()?).stderr(program);
            command.env("TERM", pty::TERM).env_remove("COLUMNS").env_remove("LINES");
            Some(Output::Terminal(Box::new(terminal)))
        }
    };
    let mut keeper = command.spawn()?;
    // With it goes our hold on the program's side of a pipe or terminal.
    drop(command);
    let pid = pid_of(&keeper);
    let stands = match rustix::process::waitpid(Some(pid), WaitOptions::UNTRACED) {
        Ok(Some((_, status))) if status.stopped() => children(keeper.id()).first().copied(),
        Ok(_) => return Err(io::Error::other("it ended before it began")),
        Err(error) => return Err(error.into()),
    };
    let Some(program) = stands else {
        // Without it the program cannot be named; with it goes the program.
        let _ = keeper.kill().and_then(|()| keeper.wait());
        return Err(io::Error::other("the kernel does not tell whose child is whose (CONFIG_PROC_CHILDREN)"));
    };
    rustix::process::kill_process(pid, Signal::CONT)?;
    Ok(Launched { keeper, pid: program, output })
}

impl Launched {
    /// Lets it execute its program.
    pub fn go(&self) -> io::Result<()> {
        let pid = Pid::from_raw(self.pid.cast_signed()).ok_or(Errno::SRCH)?;
        Ok(rustix::process::kill_process(pid, Signal::CONT)?)
    }
}

fn stop_here() -> io::Result<()> {
    Ok(rustix::process::kill_process(rustix::process::getpid(), Signal::STOP)?)
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}
