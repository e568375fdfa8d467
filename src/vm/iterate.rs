//! Iteration: over ranges, lists, strings and the like, one item at a time.

use std::sync::{Arc, Mutex, PoisonError};

use super::dict::Dict;
use super::exception::{Kind, Raised, type_error};
use super::value::{List, Text, Tuple, Value};

/// Where an iteration stands.
#[derive(Clone)]
pub enum Iteration {
    /// Over a range.
    Range {
        /// The next value.
        next: i64,
        /// How many are left.
        left: u64,
        /// From one to the next.
        step: i64,
    },
    /// Over a list, which may change meanwhile.
    List(Arc<List>, usize),
    /// Over a tuple.
    Tuple(Arc<Tuple>, usize),
    /// Over the characters of a string, from a byte on.
    Str(Arc<Text>, usize),
    /// Over bytes.
    Bytes(Arc<Vec<u8>>, usize),
    /// Over the keys of a dict that had so many entries.
    Keys(Arc<Dict>, usize, usize),
    /// `enumerate`.
    Enumerate(Box<Iteration>, i64),
    /// `zip`.
    Zip(Vec<Iteration>),
    /// `reversed`, of what has been gathered.
    Reversed(Vec<Value>),
    /// Over an iterator that the program holds.
    Shared(Arc<Mutex<Iteration>>),
}

/// How many iterations may be nested (`enumerate` of `zip` of `enumerate` …).
pub(super) const DEPTH: usize = 100;

impl Iteration {
    /// `iter(x)`.
    pub fn over(value: &Value) -> Result<Iteration, Raised> {
        Ok(match value {
            Value::Range(range) => Iteration::Range { next: range.start, left: range.len(), step: range.step },
            Value::List(list) => Iteration::List(list.clone(), 0),
            Value::Tuple(tuple) => Iteration::Tuple(tuple.clone(), 0),
            Value::Str(text) => Iteration::Str(text.clone(), 0),
            Value::Bytes(bytes) => Iteration::Bytes(bytes.clone(), 0),
            Value::Dict(dict) => Iteration::Keys(dict.clone(), 0, dict.len()),
            Value::Iterator(iterator) => Iteration::Shared(iterator.clone()),
            other => return Err(type_error(format!("'{}' object is not iterable", other.type_name()))),
        })
    }

    /// How many iterations are nested in it, as far as can be seen without waiting.
    pub(super) fn depth(&self) -> usize {
        match self {
            Iteration::Enumerate(inner, _) => 1 + inner.depth(),
            Iteration::Zip(inners) => 1 + inners.iter().map(Iteration::depth).max().unwrap_or(0),
            Iteration::Shared(shared) => 1 + shared.try_lock().map_or(DEPTH, |inner| inner.depth()),
            _ => 0,
        }
    }

    /// As a value a program may hold.
    pub fn into_value(self) -> Value {
        Value::Iterator(Arc::new(Mutex::new(self)))
    }

    /// The next item. Named so because it may raise, which `Iterator::next` cannot.
    pub fn advance(&mut self) -> Result<Option<Value>, Raised> {
        self.advance_within(DEPTH)
    }

    fn advance_within(&mut self, depth: usize) -> Result<Option<Value>, Raised> {
        if depth == 0 {
            return Err(Kind::RecursionError.raise("maximum recursion depth exceeded"));
        }
        Ok(match self {
            Iteration::Range { next, left, step } => {
                if *left == 0 {
                    return Ok(None);
                }
                *left -= 1;
                let value = *next;
                *next = value.wrapping_add(*step);
                Some(Value::Int(value))
            }
            Iteration::List(list, at) => {
                let item = list.lock().get(*at).map(Value::copy);
                *at += 1;
                item
            }
            Iteration::Tuple(tuple, at) => {
                let item = tuple.0.get(*at).map(Value::copy);
                *at += 1;
                item
            }
            Iteration::Str(text, at) => text.as_str()[*at..].chars().next().map(|character| {
                *at += character.len_utf8();
                Value::str(character.to_string())
            }),
            Iteration::Bytes(bytes, at) => {
                let item = bytes.get(*at).map(|byte| Value::Int((*byte).into()));
                *at += 1;
                item
            }
            Iteration::Keys(dict, position, len) => {
                let entries = dict.lock();
                if entries.len() != *len {
                    return Err(Kind::RuntimeError.raise("dictionary changed size during iteration"));
                }
                match entries.after(*position) {
                    Some((key, _, after)) => {
                        *position = after;
                        Some(key.clone())
                    }
                    None => None,
                }
            }
            Iteration::Enumerate(inner, index) => match inner.advance_within(depth - 1)? {
                Some(item) => {
                    let pair = Value::tuple(vec![Value::Int(*index), item]);
                    *index = index.wrapping_add(1);
                    Some(pair)
                }
                None => None,
            },
            Iteration::Zip(inners) => {
                let mut items = Vec::with_capacity(inners.len());
                for inner in inners.iter_mut() {
                    match inner.advance_within(depth - 1)? {
                        Some(item) => items.push(item),
                        None => return Ok(None),
                    }
                }
                (!items.is_empty()).then(|| Value::tuple(items))
            }
            Iteration::Reversed(items) => items.pop(),
            Iteration::Shared(shared) => {
                // An iterator that has come to hold itself, or that another thread is advancing.
                match shared.try_lock() {
                    Ok(mut inner) => return inner.advance_within(depth - 1),
                    Err(std::sync::TryLockError::Poisoned(poisoned)) => {
                        return PoisonError::into_inner(poisoned).advance_within(depth - 1);
                    }
                    Err(std::sync::TryLockError::WouldBlock) => {
                        return Err(value_already_executing());
                    }
                }
            }
        })
    }
}

#[cold]
fn value_already_executing() -> Raised {
    Kind::ValueError.raise("iterator already executing")
}

/// The items of an iterable, all at once.
pub(super) fn gather(value: &Value) -> Result<Vec<Value>, Raised> {
    match value {
        Value::List(list) => return Ok(list.lock().clone()),
        Value::Tuple(tuple) => return Ok(tuple.0.clone()),
        _ => {}
    }
    let mut iteration = Iteration::over(value)?;
    let mut items = Vec::new();
    if let Iteration::Range { left, .. } = &iteration {
        super::limits::items(u128::from(*left))?;
    }
    while let Some(item) = iteration.advance()? {
        items.push(item);
    }
    Ok(items)
}
