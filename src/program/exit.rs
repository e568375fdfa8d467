//! How processes end.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// How long processes that were killed, or are about to end by themselves, get to be gone. They need microseconds; a machine
/// on its knees may take longer.
pub(crate) const TO_BE_GONE: Duration = Duration::from_secs(2);

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

/// Reaps all of a process group whose processes are our children, or became ours by their maker's death, each dead or about to be.
pub(crate) fn reap_group(group: Pid) {
    let until = Instant::now() + TO_BE_GONE;
    loop {
        match rustix::process::waitpgid(group, WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_micros(200)),
            Ok(None) | Err(_) => return,
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
