//! Where an interpreter process begins.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::spawn::{Born, SUBCOMMAND};
use super::{first, server, slow_server, tracker, worker};

/// The exit status of a process whose maker is gone.
pub(super) const ORPHANED: i32 = 3;

/// The exit status of one that could not do what it was born for; why, it has said.
pub(super) const FAILED: u8 = 1;

/// Whether this process is to be an interpreter: its first argument is the hidden subcommand. To be asked before any
/// other argument is looked at, since all that comes before is part of the price of a new process.
pub fn is_wanted() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == SUBCOMMAND)
}

/// Lives the life of an interpreter process, as the arguments have it.
pub fn main() -> ExitCode {
    let args = std::env::args_os().skip(2).map(|argument| argument.to_string_lossy().into_owned());
    let Some(born) = Born::from_args(args) else {
        eprintln!("gilscope: `{SUBCOMMAND}` is how gilscope starts its own interpreters; see `gilscope --help`");
        return ExitCode::from(2);
    };
    say_panics_shortly();
    allow_descriptors();
    let result = match born.role.as_str() {
        "first" => first::live(born),
        "worker" => worker::live(born),
        "server" => server::live(born),
        "tracker" => tracker::live(born),
        "slow-server" => slow_server::live(born),
        role => Err(format!("no interpreter is a {role}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("gilscope: {why}");
            ExitCode::from(FAILED)
        }
    }
}

/// Each panic a line, and no more than a few: a worker's standard error is a pipe that is only read at its end.
fn say_panics_shortly() {
    static SAID: AtomicU32 = AtomicU32::new(0);
    std::panic::set_hook(Box::new(|panic| {
        if SAID.fetch_add(1, Ordering::Relaxed) < 20 {
            eprintln!("gilscope: {}", panic.to_string().replace('\n', " "));
        }
    }));
}

/// More open files than this no process of a run has.
const MOST_DESCRIPTORS: u64 = 1 << 16;

/// Each thread keeps a file of the kernel's accounts open, each process a channel and a pipe, and a workload may hold
/// thousands of connections: the usual 1024 are few.
fn allow_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(MOST_DESCRIPTORS, |most| most.min(MOST_DESCRIPTORS));
    if current.is_some_and(|current| current < wanted) {
        // A wish: without it a thread or process too many is refused in words.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
