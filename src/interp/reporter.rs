//! How the first process speaks to the controller from any of its threads, without ever waiting for it.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::io::Errno;

use super::channel::{Channel, Received, wait};
use super::message::{Order, Report};

/// The control channel, shared by the threads of the first process.
///
/// What the socket does not take at once stays queued and is sent by whoever speaks next, or by the main thread while
/// it waits.
#[derive(Debug)]
pub(super) struct Reporter {
    channel: Mutex<Channel>,
    /// The same socket, to wait at without holding the mutex.
    socket: OwnedFd,
    /// Written to when the main thread should look around.
    bell: OwnedFd,
}

impl Reporter {
    pub(super) fn new(channel: Channel) -> Result<Reporter, Errno> {
        let socket = rustix::io::fcntl_dupfd_cloexec(&channel, 3)?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Reporter { channel: Mutex::new(channel), socket, bell })
    }

    /// Tells the controller. If that is gone, so is this process soon, and nobody cares.
    pub(super) fn tell(&self, report: &Report) {
        let mut channel = self.channel();
        if let Err(error) = channel.send(report, b"") {
            eprintln!("gilscope: {error}");
        }
        if channel.is_sending() {
            drop(channel);
            self.ring();
        }
    }

    /// Makes the main thread look around.
    pub(super) fn ring(&self) {
        // Only fails if it has been rung 2^64 times.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// The next order, waiting for it. `None`: the controller is gone.
    pub(super) fn order(&self) -> Option<(Order, Vec<u8>)> {
        self.channel().receive_waiting().ok().flatten()
    }

    /// Waits until the bell rings, or something else of `others` happens; meanwhile sends what is queued.
    /// Ends the process if the controller is gone.
    pub(super) fn wait<'a>(&'a self, others: impl IntoIterator<Item = PollFd<'a>>) {
        let sending = self.channel().is_sending();
        let room = if sending { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut wanted = vec![PollFd::new(&self.socket, room), PollFd::new(&self.bell, PollFlags::IN)];
        wanted.extend(others);
        if wait(&mut wanted, None).is_err() {
            // Out of kernel memory: come again.
            std::thread::yield_now();
        }
        let (control, bell) = (wanted[0].revents(), wanted[1].revents());
        if !control.is_empty() {
            let mut channel = self.channel();
            let flushed = channel.flush();
            if flushed.is_err() || !matches!(channel.receive::<Order>(), Ok(Received::Nothing | Received::Message(..)))
            {
                // Nobody is left to work for. The kernel ends our children with us.
                std::process::exit(super::child::ORPHANED);
            }
        }
        if !bell.is_empty() {
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        }
    }

    /// Sends all that is queued before the process ends.
    pub(super) fn finish(&self) {
        let _ = self.channel().flush_waiting();
    }

    fn channel(&self) -> MutexGuard<'_, Channel> {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
