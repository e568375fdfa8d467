//! What a program wrote: the end of it, however much it was.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

/// How much is kept.
pub const KEPT: usize = 1 << 20;

/// How much is read at a time before others get their turn: who prints without end waits for us, not we for it.
const AT_ONCE: usize = 4 << 20;

/// The reading end of a pipe, and the last that came out of it.
#[derive(Debug)]
pub struct Tail {
    pipe: Option<OwnedFd>,
    kept: VecDeque<u8>,
    limit: usize,
    total: u64,
}

impl Tail {
    /// Of a pipe, which it makes non-blocking and as large as the system lets it.
    pub fn new(pipe: OwnedFd, limit: usize) -> Tail {
        // Both are wishes: a smaller pipe only makes writers wait more often, and one that blocks is polled first.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20);
        let _ = rustix::io::ioctl_fionbio(&pipe, true);
        Tail { pipe: Some(pipe), kept: VecDeque::new(), limit, total: 0 }
    }

    /// Takes what has been written meanwhile, up to a few MiB.
    pub fn drain(&mut self) {
        let mut buffer = [0; 64 << 10];
        let mut budget = AT_ONCE;
        while let Some(pipe) = &self.pipe {
            match rustix::io::read(pipe, &mut buffer[..]) {
                Ok(0) => self.pipe = None,
                Ok(bytes) => {
                    self.keep(&buffer[..bytes]);
                    budget = budget.saturating_sub(bytes);
                    if budget == 0 {
                        return;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.pipe = None,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(self.limit)..];
        let over = (self.kept.len() + bytes.len()).saturating_sub(self.limit);
        self.kept.drain(..over);
        self.kept.extend(bytes);
    }

    /// How many bytes were written in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The last of it as text: from the first whole character, what is no UTF-8 replaced.
    pub fn text(&self) -> String {
        let cut = self.total > self.kept.len() as u64;
        let bytes: Vec<u8> = self.kept.iter().copied().skip_while(|byte| cut && byte & 0xc0 == 0x80).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_is_kept_from_a_whole_character_on() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut tail = Tail::new(reader, 5);
        rustix::io::write(&writer, "abcdéfgh".as_bytes()).unwrap();
        tail.drain();
        assert_eq!((tail.text().as_str(), tail.total()), ("éfgh", 9));
        rustix::io::write(&writer, b"i").unwrap();
        tail.drain();
        assert_eq!(tail.text(), "fghi");
    }
}
