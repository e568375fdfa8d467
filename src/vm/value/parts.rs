//! What values that are not immediate refer to.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Value;
use crate::vm::sharing::lock;
use crate::vm::trash::drop_items;

/// A `str`, with its length in characters.
#[derive(Debug)]
pub struct Text {
    text: Box<str>,
    chars: usize,
}

impl Text {
    pub(super) fn new(text: Box<str>) -> Text {
        let chars = if text.is_ascii() { text.len() } else { text.chars().count() };
        Text { text, chars }
    }

    /// The characters as UTF-8.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many characters.
    pub fn len(&self) -> usize {
        self.chars
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether a character is a byte.
    pub fn is_ascii(&self) -> bool {
        self.chars == self.text.len()
    }
}

/// A `list`.
#[derive(Default)]
pub struct List(Mutex<Vec<Value>>);

impl List {
    pub(super) fn new(items: Vec<Value>) -> List {
        List(Mutex::new(items))
    }

    /// Its items, locked. Never held while other code of the program could run.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        lock(&self.0)
    }
}

/// A `tuple`.
pub struct Tuple(pub(crate) Vec<Value>);

/// A `range`, by its first value, step and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// As given.
    pub start: i64,
    /// As given.
    pub stop: i64,
    /// As given, never 0.
    pub step: i64,
}

/// An `int` with its references, which those who share it count on one cache line.
pub struct Counted {
    value: i64,
    references: AtomicUsize,
}

impl Counted {
    pub(super) fn new(value: i64) -> Counted {
        Counted { value, references: AtomicUsize::new(1) }
    }

    /// How many refer to it.
    #[cfg(test)]
    pub(super) fn references(&self) -> usize {
        self.references.load(Relaxed)
    }

    /// Its value for one who takes a reference and gives it back.
    pub(crate) fn loaded(&self) -> i64 {
        self.references.fetch_add(1, Relaxed);
        self.references.fetch_sub(1, Relaxed);
        self.value
    }
}

impl Range {
    /// How many values it has.
    pub fn len(&self) -> u64 {
        let (low, high) = if self.step > 0 { (self.start, self.stop) } else { (self.stop, self.start) };
        if low >= high {
            return 0;
        }
        (high.wrapping_sub(low) as u64 - 1) / self.step.unsigned_abs() + 1
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at an index that is below its length.
    pub fn at(&self, index: u64) -> i64 {
        self.start.wrapping_add((index as i64).wrapping_mul(self.step))
    }
}

/// A function of the program. A clone is the same function: threads hold one each, so that calling it is no place where
/// they meet.
#[derive(Clone)]
pub struct Function {
    /// By which it is known, to itself and its clones alone.
    pub(crate) identity: usize,
    /// Which of the program's code objects.
    pub(crate) code: u32,
    /// Its name.
    pub(crate) name: Arc<str>,
    /// For the last of its parameters.
    pub(crate) defaults: Vec<Value>,
}

impl Function {
    /// One more.
    pub(crate) fn new(code: u32, name: Arc<str>, defaults: Vec<Value>) -> Function {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        Function { identity: MADE.fetch_add(1, Relaxed), code, name, defaults }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        drop_items(self.0.get_mut().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Tuple {
    fn drop(&mut self) {
        drop_items(&mut self.0);
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        drop_items(&mut self.defaults);
    }
}
