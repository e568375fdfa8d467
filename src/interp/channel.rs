//! Messages over a socket that never makes its owner wait.
//!
//! A message is a header (JSON, of whatever type the two ends agreed on) and a
//! body of bytes (source text, a pickle), each preceded by its length. Reading
//! takes what there is and keeps half a message for later; writing queues what
//! the socket does not take at once. Whoever wants to wait does so in the
//! open, with [`Channel::wait`] or `poll`.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::Nanos;

/// Two lengths of four bytes, little-endian: the header's and the body's.
const LENGTHS: usize = 8;

/// How much is asked of the socket at a time, while no long message is known to come.
const CHUNK: usize = 16 << 10;

/// How many descriptors come with a message at most.
const DESCRIPTORS: usize = 2;

/// Why a channel is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// More than is let through: the memory of both ends is finite.
    #[error("a message of {} MiB is more than the {} MiB that are let through", .bytes >> 20, .limit >> 20)]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most it may be.
        limit: usize,
    },
    /// The other end speaks another language.
    #[error("a message could not be understood: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The socket failed.
    #[error("the channel between two processes of the run failed: {0}")]
    Socket(Errno),
}

/// What reading brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<H> {
    /// A whole message.
    Message(H, Vec<u8>),
    /// Nothing whole yet.
    Nothing,
    /// Nothing any more: the other end is closed and everything it said has been read.
    Closed,
}

/// One end of a connection between two processes of a run.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    /// The most a message may be, in bytes, in either direction.
    limit: usize,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// How much of `outgoing` the socket has taken.
    sent: usize,
    closed: bool,
    /// Descriptors that have arrived.
    descriptors: Vec<OwnedFd>,
}

impl Channel {
    /// A channel, and the socket at its other end to be handed to a child. Both close on `exec`.
    pub fn pair(limit: usize) -> Result<(Channel, OwnedFd), Errno> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        Ok((Channel::new(ours, limit), theirs))
    }

    /// The other end, from the socket that was handed over.
    pub fn new(socket: OwnedFd, limit: usize) -> Channel {
        Channel {
            socket,
            limit,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            closed: false,
            descriptors: Vec::new(),
        }
    }

    /// Sends a short message and copies of descriptors with it, waiting for the other end to take it.
    ///
    /// They arrive with its first byte. The other end must be waiting for a message: in the middle of a long one it
    /// does not look for descriptors, and they would be lost.
    pub fn send_with<const N: usize>(
        &mut self,
        header: &impl Serialize,
        descriptors: [BorrowedFd<'_>; N],
    ) -> Result<(), ChannelError> {
        const { assert!(N <= DESCRIPTORS) };
        self.flush_waiting()?;
        let header = serde_json::to_vec(header)?;
        let length = u32::try_from(header.len()).expect("a header is short");
        let message = [&length.to_le_bytes()[..], &[0; 4], &header].concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let sent = loop {
            match sendmsg(&self.socket, &[IoSlice::new(&message)], &mut ancillary, SendFlags::NOSIGNAL) {
                Ok(sent) => break sent,
                Err(Errno::INTR) => {}
                // Whoever reads next learns of the end.
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(()),
                Err(error) => return Err(ChannelError::Socket(error)),
            }
        };
        self.outgoing.extend_from_slice(&message[sent..]);
        self.flush_waiting()
    }

    /// The descriptors that came with the message just received.
    pub fn take_descriptors<const N: usize>(&mut self) -> Option<[OwnedFd; N]> {
        let descriptors: Vec<OwnedFd> = self.descriptors.drain(..N.min(self.descriptors.len())).collect();
        descriptors.try_into().ok()
    }

    /// The socket alone, for those who wait for its end by other means.
    pub fn into_socket(self) -> OwnedFd {
        self.socket
    }

    /// Sends a message, or as much of it as the socket takes; the rest goes with [`Channel::flush`].
    /// To a closed channel it sends nothing: whoever reads next learns of the end.
    pub fn send(&mut self, header: &impl Serialize, body: &[u8]) -> Result<(), ChannelError> {
        let header = serde_json::to_vec(header)?;
        let bytes = header.len() + body.len();
        if bytes > self.limit {
            return Err(ChannelError::TooLong { bytes, limit: self.limit });
        }
        self.outgoing.reserve(LENGTHS + bytes);
        for length in [header.len(), body.len()] {
            let length = u32::try_from(length).expect("limits are below 4 GiB");
            self.outgoing.extend_from_slice(&length.to_le_bytes());
        }
        self.outgoing.extend_from_slice(&header);
        self.outgoing.extend_from_slice(body);
        self.flush()
    }

    /// Sends what is queued, as far as the socket takes it.
    pub fn flush(&mut self) -> Result<(), ChannelError> {
        while self.is_sending() {
            match send(&self.socket, &self.outgoing[self.sent..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(taken) => self.sent += taken,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => break,
                Err(error) => return Err(ChannelError::Socket(error)),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
        Ok(())
    }

    /// Whether something is queued.
    pub fn is_sending(&self) -> bool {
        self.sent < self.outgoing.len()
    }

    /// The next message, if all of it is here.
    pub fn receive<H: DeserializeOwned>(&mut self) -> Result<Received<H>, ChannelError> {
        loop {
            if let Some((header, end)) = self.whole_message()? {
                let message = serde_json::from_slice(&self.incoming[LENGTHS..header])?;
                let rest = self.incoming.split_off(end);
                let mut body = std::mem::replace(&mut self.incoming, rest);
                body.drain(..header);
                return Ok(Received::Message(message, body));
            }
            if self.closed {
                return Ok(Received::Closed);
            }
            if !self.read()? {
                return Ok(Received::Nothing);
            }
        }
    }

    /// Reads on until a message is whole or there is nothing more to read: whether [`Channel::receive`] has something
    /// to tell. For those who read in one state and understand in another.
    pub fn is_ready(&mut self) -> Result<bool, ChannelError> {
        while self.whole_message()?.is_none() && !self.closed {
            if !self.read()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next message, waiting for it. `None`: the other end is closed.
    pub fn receive_waiting<H: DeserializeOwned>(&mut self) -> Result<Option<(H, Vec<u8>)>, ChannelError> {
        loop {
            match self.receive()? {
                Received::Message(header, body) => return Ok(Some((header, body))),
                Received::Closed => return Ok(None),
                Received::Nothing => self.wait(None)?,
            }
        }
    }

    /// Sends all that is queued, waiting for the other end to take it.
    pub fn flush_waiting(&mut self) -> Result<(), ChannelError> {
        while self.is_sending() {
            let mut wanted = [PollFd::new(&self.socket, PollFlags::OUT)];
            wait(&mut wanted, None).map_err(ChannelError::Socket)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Waits until there is something to read, or room for what is queued, which is then sent.
    pub fn wait(&mut self, limit: Option<Nanos>) -> Result<(), ChannelError> {
        wait(&mut [self.wanted()], limit).map_err(ChannelError::Socket)?;
        self.flush()
    }

    /// What to `poll` for.
    pub fn wanted(&self) -> PollFd<'_> {
        let flags = if self.is_sending() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        PollFd::new(&self.socket, flags)
    }

    /// Where in `incoming` the first message's header and body end, if it is whole.
    fn whole_message(&self) -> Result<Option<(usize, usize)>, ChannelError> {
        Ok(self.lengths()?.filter(|(_, end)| self.incoming.len() >= *end))
    }

    /// Where they will end, if that is known yet.
    fn lengths(&self) -> Result<Option<(usize, usize)>, ChannelError> {
        let Some(lengths) = self.incoming.first_chunk::<LENGTHS>() else { return Ok(None) };
        let [a, b, c, d, e, f, g, h] = *lengths;
        let header = u32::from_le_bytes([a, b, c, d]) as usize;
        let body = u32::from_le_bytes([e, f, g, h]) as usize;
        if header + body > self.limit {
            return Err(ChannelError::TooLong { bytes: header + body, limit: self.limit });
        }
        Ok(Some((LENGTHS + header, LENGTHS + header + body)))
    }

    /// Takes what there is, up to a chunk. Whether anything came: bytes or the end.
    fn read(&mut self) -> Result<bool, ChannelError> {
        let missing = self.lengths()?.map_or(0, |(_, end)| end.saturating_sub(self.incoming.len()));
        let taken = if missing > CHUNK {
            self.incoming.reserve_exact(missing);
            let room = rustix::buffer::spare_capacity(&mut self.incoming);
            recv(&self.socket, room, RecvFlags::DONTWAIT).map(|(taken, _)| taken)
        } else {
            let mut chunk = [0; CHUNK];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let taken = recvmsg(&self.socket, &mut [IoSliceMut::new(&mut chunk)], &mut ancillary, flags);
            let taken = taken.map(|message| message.bytes);
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    self.descriptors.extend(descriptors);
                }
            }
            self.incoming.extend_from_slice(&chunk[..taken.unwrap_or(0)]);
            taken
        };
        match taken {
            Ok(0) | Err(Errno::CONNRESET) => self.closed = true,
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(ChannelError::Socket(error)),
        }
        Ok(true)
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `poll` that a signal does not end.
pub fn wait(wanted: &mut [PollFd<'_>], limit: Option<Nanos>) -> Result<usize, Errno> {
    let limit = limit
        .map(|limit| Timespec { tv_sec: (limit.0 / 1_000_000_000) as i64, tv_nsec: (limit.0 % 1_000_000_000) as i64 });
    loop {
        match poll(wanted, limit.as_ref()) {
            Err(Errno::INTR) => {}
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both_ends(limit: usize) -> (Channel, Channel) {
        let (one, other) = Channel::pair(limit).unwrap();
        (one, Channel::new(other, limit))
    }

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (mut one, mut other) = both_ends(1 << 20);
        assert_eq!(other.receive::<String>().unwrap(), Received::Nothing);
        one.send(&"first", b"with a body").unwrap();
        one.send(&"second", b"").unwrap();
        assert_eq!(other.receive().unwrap(), Received::Message("first".to_owned(), b"with a body".to_vec()));
        assert_eq!(other.receive().unwrap(), Received::Message("second".to_owned(), Vec::new()));
        drop(one);
        assert_eq!(other.receive::<String>().unwrap(), Received::Closed);
    }

    #[test]
    fn what_the_socket_does_not_take_at_once_goes_later() {
        let (mut one, mut other) = both_ends(64 << 20);
        let body = vec![7; 20 << 20];
        one.send(&1, &body).unwrap();
        assert!(one.is_sending());
        let received = loop {
            one.flush().unwrap();
            match other.receive::<u32>().unwrap() {
                Received::Message(_, body) => break body,
                Received::Nothing => {}
                Received::Closed => panic!("closed"),
            }
        };
        assert!(!one.is_sending() && received == body);
    }

    #[test]
    fn a_message_cut_short_by_the_death_of_its_sender_is_no_message() {
        let (mut one, mut other) = both_ends(64 << 20);
        one.send(&1, &vec![7; 20 << 20]).unwrap();
        drop(one);
        while other.receive::<u32>().unwrap() != Received::Closed {}
    }

    #[test]
    fn descriptors_arrive_with_their_message() {
        let (mut one, mut other) = both_ends(1 << 20);
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        one.send(&0, b"").unwrap();
        one.send_with(&1, [reader.as_fd(), writer.as_fd()]).unwrap();
        drop((reader, writer));
        assert_eq!(other.receive::<u32>().unwrap(), Received::Message(0, Vec::new()));
        assert_eq!(other.receive::<u32>().unwrap(), Received::Message(1, Vec::new()));
        let [reader, writer] = other.take_descriptors().unwrap();
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(rustix::io::read(&reader, &mut [0; 8]).unwrap(), 1);
        assert!(other.take_descriptors::<2>().is_none());
    }

    #[test]
    fn a_message_beyond_the_limit_is_refused_by_sender_and_receiver() {
        let (mut one, mut other) = both_ends(100);
        let refusal = one.send(&1, &[0; 100]).unwrap_err();
        assert!(matches!(refusal, ChannelError::TooLong { bytes: 101, limit: 100 }));
        one.limit = 1 << 20;
        one.send(&1, &[0; 100]).unwrap();
        assert!(matches!(other.receive::<u32>(), Err(ChannelError::TooLong { .. })));
    }

    #[test]
    fn sending_to_one_who_is_gone_is_no_error_and_no_signal() {
        let (mut one, other) = both_ends(1 << 20);
        drop(other);
        one.send(&1, b"").unwrap();
        assert_eq!(one.receive::<u32>().unwrap(), Received::Closed);
    }
}
