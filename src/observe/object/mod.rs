//! Python objects of another process: texts, bytes and small numbers; and, in [`dict`], dicts and attributes.
//!
//! Their layouts are told by no version, save for a few fields from 3.13 on; those of 3.9 to 3.15 were printed by a small
//! C program against each version's own headers, on x86-64. What is read is checked by its class, by its flags and by
//! its bounds; whatever does not fit is `None`.

pub mod dict;

use crate::text::printable;

use super::layout::Version;
use super::memory::Memory;

/// Bits of `tp_flags` (`Include/object.h`): a class whose objects are `int`, `bytes`, `str` or `dict`.
pub const IS_INT: u64 = 1 << 24;
/// See [`IS_INT`].
pub const IS_BYTES: u64 = 1 << 27;
/// See [`IS_INT`].
pub const IS_STR: u64 = 1 << 28;
/// See [`IS_INT`].
pub const IS_DICT: u64 = 1 << 29;

/// The longest text that is read, in characters. Longer ones are cut.
const LONGEST: u64 = 512;
/// The longest `bytes` that are read: a table of lines.
const MOST_BYTES: u64 = 1 << 20;
/// Bits of a digit of an `int` (`Include/cpython/longintrepr.h`).
const DIGIT: u32 = 30;

/// What objects look like in one version and build. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectLayout {
    /// `sizeof(PyObject)`.
    pub header: u64,
    /// `PyObject.ob_type`.
    pub class: u64,
    /// `PyTypeObject.tp_flags`.
    pub class_flags: u64,
    /// Whether the build is free-threaded, which changes the flags of texts and where attributes lie.
    pub free_threaded: bool,
    /// The minor version.
    pub minor: u8,
}

impl ObjectLayout {
    /// Of a version. `None`: we do not know it.
    pub fn of(version: Version, free_threaded: bool) -> Option<ObjectLayout> {
        let header = if free_threaded { 32 } else { 16 };
        version.is_known().then_some(ObjectLayout {
            header,
            class: header - 8,
            // `PyVarObject` is one word longer, and 18 words come before the flags.
            class_flags: header + 152,
            free_threaded,
            minor: version.minor,
        })
    }

    /// The class of an object, and its flags.
    pub fn class_of(&self, object: u64, memory: &dyn Memory) -> Option<(u64, u64)> {
        let class = word(memory, object.checked_add(self.class)?)?;
        Some((class, word(memory, class.checked_add(self.class_flags)?)?))
    }

    /// Whether an object is of a class with this flag.
    pub fn is(&self, flag: u64, object: u64, memory: &dyn Memory) -> bool {
        self.class_of(object, memory).is_some_and(|(_, flags)| flags & flag != 0)
    }

    /// Whether a class is called so (`PyTypeObject.tp_name`).
    pub fn is_class_name(&self, class: u64, wanted: &str, memory: &dyn Memory) -> bool {
        // 18 words before the flags.
        let name = class.checked_add(self.class_flags).and_then(|flags| word(memory, flags.checked_sub(144)?));
        let mut bytes = vec![0; wanted.len() + 1];
        name.is_some_and(|name| memory.read(name, &mut bytes).is_ok())
            && bytes.strip_suffix(&[0]) == Some(wanted.as_bytes())
    }

    /// Reads a compact `str` (`PyASCIIObject`, `PyCompactUnicodeObject` in `Include/cpython/unicodeobject.h`). `None`: it
    /// is none.
    ///
    /// What comes back is cut to its first characters and cleaned: a name is shown on a terminal, and what controls a
    /// terminal is not part of a name.
    pub fn text(&self, string: u64, memory: &dyn Memory) -> Option<String> {
        let start = string.checked_add(self.header)?;
        let length = word(memory, start)?;
        let mut state = [0; 4];
        memory.read(start.checked_add(16)?, &mut state).ok()?;
        let (kind, ascii) = self.text_flags(u32::from_le_bytes(state))?;
        let data = start.checked_add(self.text_data(ascii))?;
        let mut bytes = vec![0; (length.min(LONGEST) * kind) as usize];
        memory.read(data, &mut bytes).ok()?;
        let character = |bytes: &[u8]| {
            let mut code = [0; 4];
            code[..bytes.len()].copy_from_slice(bytes);
            char::from_u32(u32::from_le_bytes(code))
        };
        let text: Option<String> = bytes.chunks_exact(kind as usize).map(character).collect();
        Some(printable(&text?))
    }

    /// Whether a `str` is this one, which is ASCII.
    pub fn is_text(&self, string: u64, wanted: &str, memory: &dyn Memory) -> bool {
        let data = self.text_data(true) as usize;
        // All at once; what is shorter may end where memory does, and is another.
        let mut bytes = vec![0; data + wanted.len()];
        let Some(start) = string.checked_add(self.header) else { return false };
        if memory.read(start, &mut bytes).is_err() {
            return false;
        }
        let state = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
        bytes[..8] == (wanted.len() as u64).to_le_bytes()
            && self.text_flags(state) == Some((1, true))
            && bytes[data..] == *wanted.as_bytes()
    }

    /// Where the characters are, after length, hash and state. If not all are ASCII, `utf8_length` and `utf8` come first;
    /// before 3.12 also `wstr` and its length.
    fn text_data(&self, ascii: bool) -> u64 {
        match (self.minor >= 12, ascii) {
            (true, true) => 24,
            (true, false) => 40,
            (false, true) => 32,
            (false, false) => 56,
        }
    }

    /// Bytes a character, and whether all are ASCII. From `state`: `interned`, `kind` (3 bits), `compact`, `ascii`, where
    /// `interned` has two bits, and from 3.14 on, in free-threaded builds, a byte of its own.
    fn text_flags(&self, state: u32) -> Option<(u64, bool)> {
        let read = |shift: u32| {
            let bits = state >> shift;
            let (kind, compact, ascii) = (bits & 7, bits >> 3 & 1, bits >> 4 & 1);
            (matches!(kind, 1 | 2 | 4) && compact == 1 && (ascii == 0 || kind == 1))
                .then_some((u64::from(kind), ascii == 1))
        };
        read(2).filter(|_| !self.free_threaded || state & 0xff > 3).or_else(|| read(8).filter(|_| self.free_threaded))
    }

    /// A `bytes` object: `ob_size`, `ob_shash`, `ob_sval`.
    pub fn bytes(&self, object: u64, memory: &dyn Memory) -> Option<Vec<u8>> {
        let size = object.checked_add(self.header)?;
        let length = word(memory, size)?;
        if length > MOST_BYTES {
            return None;
        }
        let mut bytes = vec![0; length as usize];
        memory.read(size.checked_add(16)?, &mut bytes).ok().map(|()| bytes)
    }

    /// A small `int` that is not negative: up to 3.11 the number of digits (`ob_size`), which has the sign, from 3.12 on
    /// `lv_tag`, which has both; then the digits.
    pub fn whole_number(&self, object: u64, memory: &dyn Memory) -> Option<u64> {
        let mut bytes = [0; 16];
        memory.read(object.checked_add(self.header)?, &mut bytes).ok()?;
        let (size, digits) = bytes.split_at(8);
        let size = u64::from_le_bytes(size.try_into().ok()?);
        let digits = u64::from_le_bytes(digits.try_into().ok()?);
        let count = match (self.minor >= 12, size & 3) {
            (false, _) => size,
            (true, 0) => size >> 3,
            (true, 1) => 0,
            _ => return None,
        };
        let (low, high) = (digits & 0xffff_ffff, digits >> 32);
        match count {
            0 => Some(0),
            1 => Some(low),
            2 => Some(low | high << DIGIT),
            _ => None,
        }
    }
}

/// Eight bytes, if they can be read.
pub fn word(memory: &dyn Memory, address: u64) -> Option<u64> {
    memory.word(address).ok()
}

#[cfg(test)]
pub(super) mod tests;
