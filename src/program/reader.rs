//! A thread that takes in what a program writes, as soon as it writes it.
//!
//! # The problem
//! What a program writes lies in the kernel until somebody reads it, and there
//! is room for 64 KiB to 1 MiB of it. Whoever follows a run looks some twenty
//! times a second; a program that prints millions of lines would stand still
//! most of the time, and be seen to wait for its output, which is our doing.
//!
//! # The choice
//! A thread sleeps until something is there, takes it in under a lock, and
//! leaves that alone for a moment, so that whoever wants to show it gets to it
//! and many small writes are one look. The moment is as long as it takes to
//! fill a quarter of the kernel's room, at the pace of what came last. Whoever
//! owns what is read may take in what is there at any time as well: then
//! nothing that was written before is still on its way.
//!
//! # Not chosen
//! To hand the bytes over by a channel: a bounded one stops the reader, an
//! unbounded one grows without end while nobody looks.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

/// For how long others have the lock to themselves at most: nothing that is printed need be seen sooner.
const MOMENT: Duration = Duration::from_millis(2);

/// And at least, however much comes.
const SHORT_MOMENT: Duration = Duration::from_micros(100);

/// How often a terminal is looked at that nobody has open: somebody may open it yet.
const DESERTED: Duration = Duration::from_millis(50);

/// What became of an attempt to take something in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// So many bytes: what there was, or as much as is taken at a time.
    There(usize),
    /// Nothing more comes now, for nobody has its other side open.
    Deserted,
    /// Nothing more will ever come.
    Over,
}

/// Something that takes in what is written to it.
pub(super) trait Take: Send + 'static {
    /// Where it is written to, as long as it may be; never blocks.
    fn source(&self) -> Option<Arc<OwnedFd>>;

    /// How many bytes the kernel keeps while nobody reads.
    fn room(&self) -> usize;

    /// Takes in what is there, up to a limit. Never waits.
    fn take(&mut self) -> Taken;
}

/// Who takes it in: a thread, and whoever calls [`Reader::lock`].
#[derive(Debug)]
pub(super) struct Reader<T> {
    what: Arc<Mutex<T>>,
    /// The thread, and how it is told to end; none if none could be had: then only what its owner takes in is taken in.
    thread: Option<(JoinHandle<()>, OwnedFd)>,
}

impl<T: Take> Reader<T> {
    /// Begins to take in.
    pub(super) fn start(what: T) -> Reader<T> {
        let source = what.source();
        let what = Arc::new(Mutex::new(what));
        let thread = source.and_then(|source| {
            let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
            let (ended, taker) = (rustix::io::fcntl_dupfd_cloexec(&end, 0).ok()?, Arc::clone(&what));
            let thread = thread::Builder::new().name("output".to_owned()).spawn(move || read(&taker, &source, &ended));
            Some((thread.ok()?, end))
        });
        Reader { what, thread }
    }

    /// What is read, held still.
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        held(&self.what)
    }
}

fn held<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is taken in is whole after each byte: a thread that panicked in between has broken nothing.
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to leave it alone now, after this long had brought so many bytes.
fn next_moment(moment: Duration, bytes: usize, room: usize) -> Duration {
    moment.mul_f64(room as f64 / 4.0 / bytes.max(1) as f64).clamp(SHORT_MOMENT, MOMENT)
}

fn read<T: Take>(what: &Mutex<T>, source: &OwnedFd, end: &OwnedFd) {
    let room = held(what).room();
    let mut moment = MOMENT;
    loop {
        let mut either = [PollFd::new(source, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
        match poll(&mut either, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        let taken = held(what).take();
        moment = match taken {
            Taken::There(bytes) => next_moment(moment, bytes, room),
            Taken::Deserted => DESERTED,
            Taken::Over => return,
        };
        let wait = Timespec { tv_sec: 0, tv_nsec: moment.subsec_nanos().into() };
        // A moment's sleep, of which whoever ends us wakes us.
        let mut told = [PollFd::new(end, PollFlags::IN)];
        match poll(&mut told, Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => {}
            _ => return,
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        if let Some((thread, end)) = self.thread.take() {
            // Cannot fail: the number is far from its greatest. The thread ends within a moment.
            let _ = rustix::io::write(end.as_fd(), &1_u64.to_ne_bytes());
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_fast_is_looked_at_before_its_room_is_full_and_who_writes_little_is_left_alone() {
        let room = 64 << 10;
        for megabytes in [1, 10, 30, 100, 250] {
            let written = |moment: Duration| (moment.as_secs_f64() * f64::from(megabytes) * 1e6) as usize;
            let mut moment = MOMENT;
            for _ in 0..3 {
                // What does not find room waits.
                moment = next_moment(moment, written(moment).min(room), room);
            }
            assert!(written(moment) <= room / 2, "{megabytes} MB/s: {moment:?}");
        }
        assert_eq!(next_moment(DESERTED, 10, room), MOMENT);
        assert_eq!(next_moment(SHORT_MOMENT, 0, room), MOMENT);
        assert_eq!(next_moment(SHORT_MOMENT, room, room), SHORT_MOMENT);
    }
}
