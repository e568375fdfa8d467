//! What the script says, as it comes in.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::Deserialize;

use crate::program::path_of;
use crate::record::ProcessMemory;

/// How much is read at a time before others get their turn. A line is not much longer than the longest result.
const AT_ONCE: usize = 64 << 20;

/// What the script says, one of these a line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) ready: Option<bool>,
    pub(super) pid: Option<u32>,
    pub(super) worker: Option<u32>,
    pub(super) at: Option<u64>,
    pub(super) found: Option<Found>,
    pub(super) began: Option<u64>,
    pub(super) task: Option<u32>,
    pub(super) repr: Option<String>,
    pub(super) error: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) ended: Option<u64>,
    pub(super) cpu: Option<u64>,
    pub(super) memory: Option<Vec<ProcessMemory>>,
    pub(super) outcome: Option<String>,
    pub(super) outcome_raised: Option<String>,
    pub(super) failed: Option<String>,
}

/// What an interpreter is and can, and what the workload's file offers in it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Found {
    pub(super) version: String,
    pub(super) free_threaded: bool,
    pub(super) gil_enabled: bool,
    pub(super) subinterpreters: bool,
    pub(super) plain: bool,
    pub(super) coroutine: bool,
}

/// The script's lines, as they come in.
pub(super) struct Reports {
    pipe: OwnedFd,
    /// Kept open, since it is opened by its path.
    writer: OwnedFd,
    read: Vec<u8>,
}

impl Reports {
    pub(super) fn new() -> std::io::Result<Reports> {
        let (pipe, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Reports { pipe, writer, read: Vec::new() })
    }

    /// Where the script writes.
    pub(super) fn path(&self) -> PathBuf {
        path_of(&self.writer)
    }

    /// Those that are complete. What is no line of the script's is not ours and passed over.
    pub(super) fn read(&mut self) -> Vec<Said> {
        let mut buffer = [0; 64 << 10];
        loop {
            match rustix::io::read(&self.pipe, &mut buffer[..]) {
                Ok(0) => break,
                Ok(count) => self.read.extend(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
            if self.read.len() > AT_ONCE {
                break;
            }
        }
        let Some(end) = self.read.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.read.split_off(end + 1);
        let lines = std::mem::replace(&mut self.read, rest);
        lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}
