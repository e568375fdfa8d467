//! The last of what came out of a pipe, however much that was.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::output::{LINES_SHOWN, Printed};
use super::reader::{Reader, Take, Taken};

/// How much is taken in at a time before others get their turn: a millisecond's worth.
const AT_ONCE: usize = 1 << 20;

/// How large a pipe is made, where the system lets it.
const ROOM: usize = 1 << 20;

/// The reading end of a pipe, which is read as soon as something is written, and the last that came out of it.
#[derive(Debug)]
pub struct Tail(Reader<Pipe>);

#[derive(Debug)]
struct Pipe {
    end: Option<Arc<OwnedFd>>,
    /// How many bytes the kernel keeps while nobody reads.
    room: usize,
    kept: VecDeque<u8>,
    limit: usize,
    total: u64,
    /// How many lines ended in all.
    lines: u64,
    /// Whether what is kept begins within a line.
    begins_within: bool,
}

impl Tail {
    /// Of a pipe, which it makes non-blocking and as large as the system lets it.
    pub fn new(pipe: OwnedFd, limit: usize) -> Tail {
        // A wish: a smaller pipe only makes writers wait more often.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, ROOM);
        // No pipe refuses it.
        let _ = rustix::io::ioctl_fionbio(&pipe, true);
        let room = rustix::pipe::fcntl_getpipe_size(&pipe).unwrap_or(64 << 10);
        let end = Some(Arc::new(pipe));
        Tail(Reader::start(Pipe { end, room, kept: VecDeque::new(), limit, total: 0, lines: 0, begins_within: false }))
    }

    /// Takes in what has been written until now, up to a MiB: after this nothing of it is still on its way.
    pub fn drain(&mut self) {
        self.0.lock().take();
    }

    /// How many bytes were written in all.
    pub fn total(&self) -> u64 {
        self.0.lock().total
    }

    /// How many lines are not kept, or not whole.
    pub fn lines_left_out(&self) -> u64 {
        let pipe = self.0.lock();
        pipe.lines_gone() + u64::from(pipe.begins_within)
    }

    /// The last of it as text: from the first whole character, what is no UTF-8 replaced.
    pub fn text(&self) -> String {
        self.0.lock().text()
    }

    /// Its last lines.
    pub fn printed(&self) -> Printed {
        self.0.lock().printed()
    }
}

impl Take for Pipe {
    fn source(&self) -> Option<Arc<OwnedFd>> {
        self.end.clone()
    }

    fn room(&self) -> usize {
        self.room
    }

    fn take(&mut self) -> Taken {
        let mut buffer = [0; 64 << 10];
        let mut taken = 0;
        while let Some(end) = self.end.as_ref().filter(|_| taken < AT_ONCE) {
            match rustix::io::read(end, &mut buffer[..]) {
                Ok(bytes @ 1..) => {
                    self.keep(&buffer[..bytes]);
                    taken += bytes;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Ok(0) | Err(_) => self.end = None,
            }
        }
        if self.end.is_some() { Taken::There(taken) } else { Taken::Over }
    }
}

impl Pipe {
    fn keep(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        self.lines += ends(bytes);
        let (gone, bytes) = bytes.split_at(bytes.len().saturating_sub(self.limit));
        let over = (self.kept.len() + bytes.len()).saturating_sub(self.limit);
        let last = gone.last().copied().or_else(|| self.kept.drain(..over).next_back());
        self.begins_within = last.map_or(self.begins_within, |last| last != b'\n');
        self.kept.drain(..self.kept.len().saturating_sub(self.limit - bytes.len()));
        self.kept.extend(bytes);
    }

    /// How many lines ended in what is not kept any more.
    fn lines_gone(&self) -> u64 {
        let (one, other) = self.kept.as_slices();
        self.lines - ends(one) - ends(other)
    }

    fn text(&mut self) -> String {
        let (bytes, _) = self.whole();
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn printed(&mut self) -> Printed {
        let gone = self.lines_gone();
        let (bytes, cut) = self.whole();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let mut ends_before = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        let first = ends_before.nth(LINES_SHOWN - 1).map_or(0, |(at, _)| at + 1);
        let (before, shown) = bytes.split_at(first);
        let mut printed = Printed::of(&String::from_utf8_lossy(shown));
        printed.left_out = gone + ends(before);
        if let Some(line) = printed.lines.first_mut().filter(|_| cut && first == 0) {
            line.insert(0, '…');
        }
        printed
    }

    /// What is kept, from the first whole character on, and whether something came before it.
    fn whole(&mut self) -> (&[u8], bool) {
        let cut = self.total > self.kept.len() as u64;
        let kept = &*self.kept.make_contiguous();
        let begun = kept.iter().take_while(|byte| cut && **byte & 0xc0 == 0x80).count();
        (&kept[begun..], cut)
    }
}

/// How many lines end in these bytes.
fn ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
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
        // Of the only line the beginning is missing.
        assert_eq!(tail.lines_left_out(), 1);
        for (more, left_out) in [("\n", 1), ("jklm", 1), ("\n", 1), ("n", 2), ("opqrst", 3)] {
            rustix::io::write(&writer, more.as_bytes()).unwrap();
            tail.drain();
            assert_eq!(tail.lines_left_out(), left_out, "{:?}", tail.text());
        }
    }

    #[test]
    fn whoever_prints_much_does_not_wait_for_anybody_to_look() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut tail = Tail::new(reader, 1 << 10);
        // Far more than a pipe holds, and nobody calls drain meanwhile.
        let written = std::thread::spawn(move || {
            let line = [b"x".repeat(99), b"\n".to_vec()].concat().repeat(1000);
            (0..100).for_each(|_| assert_eq!(rustix::io::write(&writer, &line), Ok(line.len())));
        });
        written.join().unwrap();
        tail.drain();
        assert_eq!((tail.total(), tail.text().len()), (10_000_000, 1 << 10));
        let printed = tail.printed();
        // What is kept begins in the middle of a line.
        assert_eq!((printed.lines.len(), printed.left_out), (11, 99_989));
        assert_eq!(printed.lines[0], format!("…{}", "x".repeat(23)));
    }

    #[test]
    fn of_many_lines_the_last_are_shown_and_the_others_counted() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let mut tail = Tail::new(reader, 1 << 20);
        let text: String = (0..3000).map(|line| format!("line {line}\n")).collect();
        rustix::io::write(&writer, text.as_bytes()).unwrap();
        rustix::io::write(&writer, b"  1%\r 50%\r100%").unwrap();
        tail.drain();
        let printed = tail.printed();
        assert_eq!((printed.lines.len(), printed.left_out), (LINES_SHOWN, 3001 - LINES_SHOWN as u64));
        // A line that was overwritten reads as a terminal would show it.
        assert_eq!(printed.lines[LINES_SHOWN - 2..], ["line 2999", "100%"]);
        rustix::io::write(&writer, "\né".repeat(200_000).as_bytes()).unwrap();
        tail.drain();
        let printed = tail.printed();
        assert_eq!((printed.lines.len(), printed.left_out), (LINES_SHOWN, 203_001 - LINES_SHOWN as u64));
    }

    #[test]
    fn what_is_there_when_a_program_has_ended_is_read_to_its_end() {
        for _ in 0..100 {
            let (reader, writer) = rustix::pipe::pipe().unwrap();
            let mut tail = Tail::new(reader, KEPT_IN_TESTS);
            rustix::io::write(&writer, &[b'x'; 40_000]).unwrap();
            drop(writer);
            tail.drain();
            assert_eq!(tail.total(), 40_000);
        }
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_given_up_at_once() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let tail = Tail::new(reader, KEPT_IN_TESTS);
        drop(tail);
        rustix::io::write(&writer, b"x").unwrap_err();
    }

    const KEPT_IN_TESTS: usize = 1 << 20;
}
