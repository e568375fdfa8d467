//! A process that was made, as its maker knows it: its number, its last words, its end.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Child;

use rustix::process::{Pid, Signal};

use super::message::LaneEnd;
use crate::program::{Exit, reap};

/// A process whose end is to be heard of.
#[derive(Debug)]
pub(super) struct Offspring {
    pub(super) pid: Pid,
    /// What it says on standard error; read at its end only.
    stderr: Option<OwnedFd>,
}

impl Offspring {
    pub(super) fn new(pid: Pid, stderr: OwnedFd) -> Offspring {
        Offspring { pid, stderr: Some(stderr) }
    }

    /// Its number as others write it.
    pub(super) fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Kills it. It may be gone already.
    pub(super) fn kill(&self) {
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
    }

    /// Waits for the end of a child of this process and says how it went.
    pub(super) fn wait(&mut self) -> LaneEnd {
        match reap(self.pid) {
            Ok(exit) => self.ended(exit),
            Err(error) => LaneEnd::Failed(format!("the process was lost sight of: {error}")),
        }
    }

    /// What to say of its end. It must be gone: what it left in its pipe, 64 KiB at most, is read to the end.
    pub(super) fn ended(&mut self, exit: Exit) -> LaneEnd {
        let mut bytes = Vec::new();
        if let Some(stderr) = self.stderr.take() {
            // What cannot be read was not said.
            let _ = File::from(stderr).read_to_end(&mut bytes);
        }
        let stderr = String::from_utf8_lossy(&bytes).into_owned();
        match exit {
            Exit::Signal(signal) => LaneEnd::Killed { signal, stderr },
            Exit::Status(0) => LaneEnd::Done,
            Exit::Status(status) => LaneEnd::Exited { status, stderr },
        }
    }
}

impl From<Child> for Offspring {
    fn from(mut child: Child) -> Offspring {
        Offspring { pid: Pid::from_child(&child), stderr: child.stderr.take().map(OwnedFd::from) }
    }
}
