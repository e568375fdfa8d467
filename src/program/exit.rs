//! How processes end.

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// How a process ended, as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Exit {
    /// By a signal.
    Signal(i32),
    /// By itself, with a status.
    Status(i32),
}

/// Waits for a child to be gone.
pub fn reap(child: Pid) -> Result<Exit, Errno> {
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(Exit::from(status)),
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

impl From<WaitStatus> for Exit {
    fn from(status: WaitStatus) -> Exit {
        match status.terminating_signal() {
            Some(signal) => Exit::Signal(signal),
            None => Exit::Status(status.exit_status().unwrap_or(0)),
        }
    }
}
