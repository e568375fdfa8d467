//! The memory of another process, as far as it lets us look.

use std::collections::BTreeMap;
use std::io;

/// Why memory could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The process has ended.
    #[error("the process has ended")]
    Gone,
    /// We may not.
    #[error("its memory may not be read")]
    Denied,
    /// Nothing lies at that address (any more).
    #[error("nothing lies at address {0:#x}")]
    Nothing(u64),
}

/// Memory that can be read: a process's, or a recorded image of one.
pub trait Memory {
    /// Fills `into` with what lies at `address`, all of it or nothing.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable>;

    /// The same place twice, one right after the other: what was changed in between differs.
    fn read_twice(&self, address: u64, first: &mut [u8], second: &mut [u8]) -> Result<(), Unreadable> {
        self.read(address, first)?;
        self.read(address, second)
    }

    /// The same, and then the word at another address; none if nothing lies there.
    fn read_twice_and(
        &self,
        address: u64,
        first: &mut [u8],
        second: &mut [u8],
        aside: u64,
    ) -> Result<Option<u64>, Unreadable> {
        self.read_twice(address, first, second)?;
        Ok(self.word(aside).ok())
    }

    /// Fills each piece with what lies at its address, one after the other, up to the first that is not there; says how many
    /// those are. An error if the first is not.
    fn read_all(&self, pieces: &mut [(u64, &mut [u8])]) -> Result<usize, Unreadable> {
        for (index, (address, piece)) in pieces.iter_mut().enumerate() {
            match self.read(*address, piece) {
                Ok(()) => {}
                Err(why) if index == 0 => return Err(why),
                Err(_) => return Ok(index),
            }
        }
        Ok(pieces.len())
    }

    /// Eight bytes.
    fn word(&self, address: u64) -> Result<u64, Unreadable> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Four bytes with a sign: C's `int`.
    fn int(&self, address: u64) -> Result<i32, Unreadable> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(i32::from_le_bytes(bytes))
    }
}

/// A process's memory, read by `process_vm_readv(2)` without stopping it.
#[derive(Clone, Copy, Debug)]
pub struct Remote(pub u32);

/// How many pieces are read in one call at most.
const MOST_PIECES: usize = 64;

impl Remote {
    /// Fills each piece with what lies at its address, in one call; says how many bytes that were, up to the first that
    /// is not there.
    #[expect(unsafe_code, reason = "rustix has no process_vm_readv")]
    fn fill(self, pieces: &mut [(u64, &mut [u8])]) -> Result<usize, Unreadable> {
        let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        // Most are two or three.
        let (mut few, mut many);
        let (ours, theirs) = match pieces.len() {
            ..=4 => {
                few = [[nothing; 4]; 2];
                let [ours, theirs] = &mut few;
                (&mut ours[..], &mut theirs[..])
            }
            _ => {
                many = [[nothing; MOST_PIECES]; 2];
                let [ours, theirs] = &mut many;
                (&mut ours[..], &mut theirs[..])
            }
        };
        let count = pieces.len().min(ours.len());
        let address = pieces.first().map_or(0, |(address, _)| *address);
        for ((address, piece), (ours, theirs)) in pieces.iter_mut().zip(ours.iter_mut().zip(theirs.iter_mut())) {
            *ours = libc::iovec { iov_base: piece.as_mut_ptr().cast(), iov_len: piece.len() };
            *theirs = libc::iovec { iov_base: *address as *mut libc::c_void, iov_len: piece.len() };
        }
        let (pid, count) = (self.0 as libc::pid_t, count as libc::c_ulong);
        // SAFETY: the kernel writes into each piece at most as many bytes as it has, and the pieces are borrowed for
        // us alone until it returns; it only reads the other process, whatever the address.
        let read = unsafe { libc::process_vm_readv(pid, ours.as_ptr(), count, theirs.as_ptr(), count, 0) };
        match usize::try_from(read) {
            Ok(length) => Ok(length),
            Err(_) => Err(match io::Error::last_os_error().raw_os_error() {
                Some(libc::ESRCH) => Unreadable::Gone,
                Some(libc::EPERM) => Unreadable::Denied,
                _ => Unreadable::Nothing(address),
            }),
        }
    }
}

impl Memory for Remote {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let wanted = into.len();
        let read = self.fill(&mut [(address, into)])?;
        if read == wanted { Ok(()) } else { Err(Unreadable::Nothing(address)) }
    }

    fn read_twice(&self, address: u64, first: &mut [u8], second: &mut [u8]) -> Result<(), Unreadable> {
        let wanted = first.len() + second.len();
        let read = self.fill(&mut [(address, first), (address, second)])?;
        if read == wanted { Ok(()) } else { Err(Unreadable::Nothing(address)) }
    }

    fn read_twice_and(
        &self,
        address: u64,
        first: &mut [u8],
        second: &mut [u8],
        aside: u64,
    ) -> Result<Option<u64>, Unreadable> {
        let wanted = first.len() + second.len();
        let mut word = [0; 8];
        let read = self.fill(&mut [(address, first), (address, second), (aside, &mut word)])?;
        match read.checked_sub(wanted) {
            Some(8) => Ok(Some(u64::from_le_bytes(word))),
            Some(_) => Ok(None),
            None => Err(Unreadable::Nothing(address)),
        }
    }

    fn read_all(&self, pieces: &mut [(u64, &mut [u8])]) -> Result<usize, Unreadable> {
        let mut read = self.fill(pieces)?;
        let mut whole = 0;
        for (_, piece) in pieces.iter() {
            match read.checked_sub(piece.len()) {
                Some(rest) => read = rest,
                None => break,
            }
            whole += 1;
        }
        match pieces.first() {
            Some((address, _)) if whole == 0 => Err(Unreadable::Nothing(*address)),
            _ => Ok(whole),
        }
    }
}

/// A recorded image of a memory: pieces by their address. What tests read instead of a process.
#[derive(Clone, Debug, Default)]
pub struct Image(BTreeMap<u64, Vec<u8>>);

impl Image {
    /// Puts a piece of memory at an address.
    pub fn put(&mut self, address: u64, bytes: impl Into<Vec<u8>>) {
        self.0.insert(address, bytes.into());
    }

    /// Overwrites a word of a piece that is there.
    pub fn set_word(&mut self, address: u64, word: u64) {
        self.set(address, &word.to_le_bytes());
    }

    /// Overwrites an `int` of a piece that is there.
    pub fn set_int(&mut self, address: u64, int: i32) {
        self.set(address, &int.to_le_bytes());
    }

    fn set(&mut self, address: u64, bytes: &[u8]) {
        if let Some((start, piece)) = self.0.range_mut(..=address).next_back()
            && let Some(place) =
                piece.get_mut((address - start) as usize..).and_then(|rest| rest.get_mut(..bytes.len()))
        {
            place.copy_from_slice(bytes);
        }
    }
}

impl Memory for Image {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let found = self.0.range(..=address).next_back().and_then(|(start, piece)| {
            let from = usize::try_from(address - start).ok()?;
            piece.get(from..from.checked_add(into.len())?)
        });
        into.copy_from_slice(found.ok_or(Unreadable::Nothing(address))?);
        Ok(())
    }
}

/// Memory in which everything leads somewhere, by its seed.
#[cfg(test)]
pub struct Garbage(pub u64);

#[cfg(test)]
impl Memory for Garbage {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        for (index, byte) in into.iter_mut().enumerate() {
            let at = address.wrapping_add(index as u64) ^ self.0;
            *byte = (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_can_be_read_and_a_hole_in_it_is_an_error() {
        let value = 0x1122_3344_5566_7788_u64;
        let own = Remote(std::process::id());
        assert_eq!(own.word(&raw const value as u64), Ok(value));
        let (mut first, mut second) = ([0; 8], [0; 8]);
        own.read_twice(&raw const value as u64, &mut first, &mut second).unwrap();
        assert_eq!((u64::from_le_bytes(first), second), (value, first));
        let mut twice = |aside| own.read_twice_and(&raw const value as u64, &mut first, &mut second, aside);
        assert_eq!(twice(&raw const value as u64), Ok(Some(value)));
        assert_eq!(twice(8), Ok(None), "what lies aside may be gone");
        assert_eq!(u64::from_le_bytes(first), value);
        assert_eq!(own.word(8), Err(Unreadable::Nothing(8)));
        let here = &raw const value as u64;
        let mut words = vec![[0; 8]; MOST_PIECES + 1];
        let mut all = |addresses: &[u64]| {
            words.iter_mut().for_each(|word| *word = [0; 8]);
            let mut pieces: Vec<(u64, &mut [u8])> =
                addresses.iter().zip(&mut words).map(|(address, word)| (*address, &mut word[..])).collect();
            let read = own.read_all(&mut pieces);
            (read, words.iter().filter(|word| **word == value.to_le_bytes()).count())
        };
        assert_eq!(all(&[here, here, 8, here]), (Ok(2), 2), "up to the first that is not there");
        assert_eq!(all(&[here; 9]), (Ok(9), 9));
        assert_eq!(all(&[here; MOST_PIECES + 1]), (Ok(MOST_PIECES), MOST_PIECES), "no more than so many");
        assert_eq!(all(&[8, here]), (Err(Unreadable::Nothing(8)), 0));
        assert_eq!(all(&[]), (Ok(0), 0));
        assert_eq!(Remote(u32::MAX >> 2).word(8), Err(Unreadable::Gone));
    }

    #[test]
    fn an_image_has_what_was_put_there_and_no_more() {
        let mut image = Image::default();
        image.put(16, [0; 16]);
        image.set_int(24, -1);
        assert_eq!(image.int(24), Ok(-1));
        assert_eq!((image.word(25), image.word(8)), (Err(Unreadable::Nothing(25)), Err(Unreadable::Nothing(8))));
    }
}
