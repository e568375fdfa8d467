//! A `str` of another process (`Include/cpython/unicodeobject.h`, `PyASCIIObject` and `PyCompactUnicodeObject`).

use super::super::memory::Memory;
use super::word;

/// The longest name that is read, in characters. Longer ones are cut.
const LONGEST: u64 = 512;

/// Reads a compact `str`, whose object header has `object` bytes. `None`: it is none.
///
/// What comes back is cut to its first characters and cleaned: a name is shown on a terminal, and what controls a
/// terminal is not part of a name.
pub(super) fn read(string: u64, object: u64, free_threaded: bool, memory: &dyn Memory) -> Option<String> {
    let start = string.checked_add(object)?;
    let length = word(memory, start)?;
    let mut state = [0; 4];
    memory.read(start.checked_add(16)?, &mut state).ok()?;
    let (kind, ascii) = flags(u32::from_le_bytes(state), free_threaded)?;
    // After length, hash and state; not ASCII, `utf8_length` and `utf8` come first.
    let data = start.checked_add(if ascii { 24 } else { 40 })?;
    let mut bytes = vec![0; (length.min(LONGEST) * kind) as usize];
    memory.read(data, &mut bytes).ok()?;
    let character = |bytes: &[u8]| {
        let mut code = [0; 4];
        code[..bytes.len()].copy_from_slice(bytes);
        char::from_u32(u32::from_le_bytes(code))
    };
    let text: Option<String> = bytes.chunks_exact(kind as usize).map(character).collect();
    Some(text?.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect())
}

/// Bytes a character, and whether all are ASCII. From `state`: `interned`, `kind` (3 bits), `compact`, `ascii`, where
/// `interned` has two bits, and from 3.14 on, in free-threaded builds, a byte of its own.
fn flags(state: u32, free_threaded: bool) -> Option<(u64, bool)> {
    let read = |shift: u32| {
        let bits = state >> shift;
        let (kind, compact, ascii) = (bits & 7, bits >> 3 & 1, bits >> 4 & 1);
        (matches!(kind, 1 | 2 | 4) && compact == 1 && (ascii == 0 || kind == 1))
            .then_some((u64::from(kind), ascii == 1))
    };
    read(2).filter(|_| !free_threaded || state & 0xff > 3).or_else(|| read(8).filter(|_| free_threaded))
}
