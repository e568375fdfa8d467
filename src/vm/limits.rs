//! How large things may grow. Above these a program gets the `MemoryError`
//! that a smaller machine would give it, instead of taking the machine down;
//! and no single operation on numbers keeps the lock for minutes.

use super::exception::{Kind, Raised, out_of_memory};

/// Bits of an `int`: 8 MiB. CPython has no such limit but memory.
pub const INT_BITS: u64 = 1 << 26;

/// Steps, word by word, of one operation on ints: two seconds' worth. Multiplication stays below it whatever the
/// ints; division and what is made of it takes time as the square of their length.
pub const INT_STEPS: u128 = 1 << 31;

/// Items of a `list` or `tuple`: 1 GiB of values.
pub const ITEMS: u128 = 1 << 26;

/// Bytes of a `str` or `bytes`.
pub const BYTES: u128 = 1 << 30;

/// Digits of an `int` turned into text or back (CPython's `sys.int_info.default_max_str_digits`).
pub const INT_DIGITS: usize = 4300;

/// Frames of a thread (CPython's `sys.getrecursionlimit`).
pub const FRAMES: usize = 1000;

/// How deep `repr` and comparison follow values into values.
pub const NESTING: usize = 500;

/// Whether an `int` may have so many bits.
pub(crate) fn bits(bits: u64) -> Result<(), Raised> {
    if bits > INT_BITS { Err(out_of_memory()) } else { Ok(()) }
}

/// Whether an operation on ints may take so many steps, during which nobody else gets the lock.
pub(crate) fn int_steps(steps: u128) -> Result<(), Raised> {
    if steps <= INT_STEPS {
        return Ok(());
    }
    Err(Kind::MemoryError.raise("ints this long would keep the lock for more than a few seconds; use smaller ones"))
}

/// Whether a `list` may have so many items.
pub(crate) fn items(items: u128) -> Result<usize, Raised> {
    if items > ITEMS { Err(out_of_memory()) } else { Ok(items as usize) }
}

/// Whether a `str` may have so many bytes.
pub(crate) fn bytes(bytes: u128) -> Result<usize, Raised> {
    if bytes > BYTES { Err(out_of_memory()) } else { Ok(bytes as usize) }
}
