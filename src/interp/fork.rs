//! Making another process by copying this one.
//!
//! After a fork the child has one thread, the one that forked, and a copy of
//! everything else as it stood. If there were other threads, whatever they
//! held stays held for ever: the allocator, standard output, a lock of our
//! own. So a process with threads may only execute another program, as
//! [`super::spawn`] does, and a process that is to be copied must have one
//! thread. This is counted, not believed.
//!
//! The child begins in the middle of its maker's frames. It never returns to
//! them: it lives its own life in a closure and leaves by `exit`, so nothing
//! that its maker owns is destroyed twice. What its maker had open beyond the
//! two descriptors it is given, it closes.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::{Pid, Signal};

use super::child::{FAILED, ORPHANED};
use super::interpreter::interpreter_failed;
use crate::record::Rings;

/// Copies this process. The copy keeps its end of the channel, the shared memory and its standard streams, has `stderr`
/// for its standard error, lives `life` and ends with it; this process gets its number, and has the socket no more.
/// The copy dies when the calling thread does.
///
/// Refused if this process has more than one thread.
#[expect(unsafe_code, reason = "fork")]
pub(super) fn fork(
    socket: OwnedFd,
    rings: &Rings,
    stderr: BorrowedFd<'_>,
    life: impl FnOnce(OwnedFd) -> Result<(), String>,
) -> io::Result<Pid> {
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("a process with {threads} threads must not be copied")));
    }
    // What waits in the buffer would be printed by both.
    let _ = io::stdout().flush();
    let maker = rustix::process::getpid();
    // SAFETY: this process has one thread, as just counted, and only that thread could start another. So at the fork
    // nobody else holds a lock or is half through changing anything, and the child may do whatever a process may. Its
    // copy of our frames is never returned to: `be_child` does not return.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => be_child(maker, [socket.as_raw_fd(), rings.file().as_raw_fd()], stderr.as_raw_fd(), || life(socket)),
        child => Ok(Pid::from_raw(child).expect("a child's number is positive")),
    }
}

fn be_child(maker: Pid, keep: [RawFd; 2], stderr: RawFd, life: impl FnOnce() -> Result<(), String>) -> ! {
    // The signal is not inherited. The maker may have died before this was asked for.
    let asked = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if asked.is_err() || rustix::process::getppid() != Some(maker) {
        std::process::exit(ORPHANED);
    }
    let end = catch_unwind(AssertUnwindSafe(|| {
        keep_only(keep, stderr).map_err(|error| format!("its descriptors could not be put in order: {error}"))?;
        life()
    }));
    let end = end.unwrap_or_else(|panic| Err(interpreter_failed(&*panic)));
    let _ = io::stdout().flush();
    match end {
        Ok(()) => std::process::exit(0),
        Err(why) => {
            eprintln!("gilscope: {why}");
            std::process::exit(FAILED.into())
        }
    }
}

/// Makes `stderr` the standard error and closes all else that the maker had open.
#[expect(unsafe_code, reason = "descriptors that belong to frames never returned to")]
fn keep_only(keep: [RawFd; 2], stderr: RawFd) -> io::Result<()> {
    // SAFETY: replaces descriptor 2, which nobody owns.
    if unsafe { libc::dup2(stderr, 2) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2 && !keep.contains(number))
        .collect();
    for number in open {
        // SAFETY: its owner is a value in our maker's frames or was the listing just made. The former is neither used
        // nor dropped in this process, which has one thread and does not return to those frames; the latter is closed
        // already, which makes this an error without consequence.
        unsafe { libc::close(number) };
    }
    Ok(())
}
