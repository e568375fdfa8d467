//! The socket that a reader and a writer share, and what was written and has not gone yet.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::locked;
use crate::vm::coroutine::priced;
use crate::vm::exception::{Raised, os_error};
use crate::vm::limits;
use crate::vm::value::Value;

/// More than so many bytes not taken by the socket make `drain` wait (the transport's high-water mark).
const HIGH_WATER: usize = 1 << 16;

/// How much is read at a time.
const CHUNK: usize = 1 << 16;

/// What a reader and a writer share.
pub(super) struct Connection {
    /// None: closed.
    pub(super) stream: Mutex<Option<Arc<TcpStream>>>,
    pub(super) outgoing: Mutex<Outgoing>,
    /// Something of the above has changed.
    pub(super) changed: Notify,
    pub(super) runtime: Handle,
}

#[derive(Default)]
pub(super) struct Outgoing {
    /// Written and not taken by the socket yet.
    pub(super) bytes: Vec<u8>,
    /// Whether somebody sees to that.
    pub(super) flushing: bool,
    pub(super) closing: bool,
    /// Why nothing can be written any more.
    pub(super) failed: Option<Raised>,
}

impl Connection {
    pub(super) fn open(&self) -> Option<Arc<TcpStream>> {
        locked(&self.stream).clone()
    }

    /// Waits until something holds. Only the loop's thread changes any of it, so nothing is missed between looking and
    /// waiting.
    pub(super) async fn until(&self, holds: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds() {
                return;
            }
            changed.await;
        }
    }

    /// Gives the socket what it takes at once; the rest goes when it can.
    pub(super) fn write(self: &Arc<Self>, data: &[u8]) -> Result<(), Raised> {
        let Some(stream) = self.open() else { return Ok(()) };
        let mut outgoing = locked(&self.outgoing);
        if outgoing.failed.is_some() {
            return Ok(());
        }
        limits::bytes(outgoing.bytes.len() as u128 + data.len() as u128)?;
        outgoing.bytes.extend_from_slice(data);
        if outgoing.flushing {
            return Ok(());
        }
        outgoing.hand_over(&stream);
        if !outgoing.bytes.is_empty() {
            outgoing.flushing = true;
            let connection = Arc::clone(self);
            self.runtime.spawn(async move { connection.flush(stream).await });
        }
        Ok(())
    }

    /// Hands over what was written, until nothing is left.
    async fn flush(&self, stream: Arc<TcpStream>) {
        loop {
            let writable = stream.writable().await;
            let mut outgoing = locked(&self.outgoing);
            match writable {
                Ok(()) => outgoing.hand_over(&stream),
                Err(error) => outgoing.fail(&error),
            }
            let over = outgoing.bytes.is_empty();
            if over {
                outgoing.flushing = false;
                if outgoing.closing {
                    *locked(&self.stream) = None;
                }
            }
            self.changed.notify_waiters();
            if over {
                return;
            }
        }
    }

    pub(super) async fn drain(&self) -> Result<Value, Raised> {
        self.until(|| locked(&self.outgoing).bytes.len() <= HIGH_WATER).await;
        match &locked(&self.outgoing).failed {
            Some(raised) => Err(raised.clone()),
            None => Ok(Value::None),
        }
    }

    /// No more is written than was; then the connection ends, and whoever reads from it learns that.
    pub(super) fn close(&self) {
        let mut outgoing = locked(&self.outgoing);
        if !std::mem::replace(&mut outgoing.closing, true) {
            // With what is done in the turns of the loop to come, which `wait_closed` waits for.
            priced::taken(
                |prices| prices.close_ns,
                || {
                    if !outgoing.flushing {
                        *locked(&self.stream) = None;
                    }
                },
            );
        }
        self.changed.notify_waiters();
    }
}

impl Outgoing {
    fn hand_over(&mut self, stream: &TcpStream) {
        while !self.bytes.is_empty() {
            match stream.try_write(&self.bytes) {
                Ok(taken) => drop(self.bytes.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => self.fail(&error),
            }
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failed = Some(os_error(error));
        self.bytes.clear();
    }
}

/// What comes next; nothing once the other end, or this one, has closed the connection.
pub(super) async fn receive(connection: &Connection) -> io::Result<Vec<u8>> {
    loop {
        let closed = connection.until(|| locked(&connection.stream).is_none());
        let Some(stream) = connection.open() else { return Ok(Vec::new()) };
        tokio::select! {
            biased;
            readable = stream.readable() => readable?,
            () = closed => return Ok(Vec::new()),
        }
        let mut bytes = vec![0; CHUNK];
        match stream.try_read(&mut bytes) {
            Ok(count) => {
                bytes.truncate(count);
                return Ok(bytes);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
