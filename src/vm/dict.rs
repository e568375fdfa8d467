//! `dict`: insertion-ordered, keyed by what Python calls equal.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use num_bigint::BigInt;
use num_traits::FromPrimitive;

use super::exception::{Raised, type_error};
use super::sharing::lock;
use super::trash::drop_items;
use super::value::Value;
use super::wide::Wide;

/// A `dict`.
#[derive(Default)]
pub struct Dict(Mutex<Entries>);

/// The entries in the order in which their keys came.
#[derive(Default)]
pub struct Entries {
    index: HashMap<Key, usize>,
    /// Keys and values in turn; a removed entry is two unbound values.
    pairs: Vec<Value>,
}

/// A key: equal by Python's `==`, hashed to match.
#[derive(Clone, PartialEq, Eq)]
enum Key {
    None,
    Int(i64),
    Wide(Wide),
    Big(Arc<BigInt>),
    /// By its bits; only for floats that are no whole number.
    Float(u64),
    Str(Arc<super::value::Text>),
    Bytes(Arc<Vec<u8>>),
    Tuple(Vec<Key>),
    /// Equal to itself only.
    Identity(usize),
    /// The same of a function.
    Function(usize),
}

impl PartialEq for super::value::Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for super::value::Text {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Key::None => 0.hash(state),
            Key::Int(value) => value.hash(state),
            Key::Wide(value) => value.hash(state),
            Key::Big(value) => value.hash(state),
            Key::Float(bits) => bits.hash(state),
            Key::Str(text) => text.as_str().hash(state),
            Key::Bytes(bytes) => bytes.hash(state),
            Key::Tuple(keys) => keys.hash(state),
            Key::Identity(which) | Key::Function(which) => which.hash(state),
        }
    }
}

/// How deep tuples may nest as keys.
const KEY_DEPTH: usize = 200;

impl Key {
    fn of(value: &Value, depth: usize) -> Result<Key, Raised> {
        Ok(match value {
            Value::None => Key::None,
            Value::Bool(value) => Key::Int((*value).into()),
            Value::Int(value) => Key::Int(*value),
            Value::Wide(value) => Key::Wide(*value),
            Value::Big(value) => Key::Big(value.clone()),
            Value::Float(value) if value.fract() == 0.0 => match BigInt::from_f64(*value) {
                Some(whole) => match Value::from(whole) {
                    Value::Int(value) => Key::Int(value),
                    Value::Wide(value) => Key::Wide(value),
                    Value::Big(value) => Key::Big(value),
                    _ => Key::Float(value.to_bits()),
                },
                None => Key::Float(value.to_bits()),
            },
            Value::Float(value) => Key::Float(value.to_bits()),
            Value::Str(text) => Key::Str(text.clone()),
            Value::Bytes(bytes) => Key::Bytes(bytes.clone()),
            Value::Tuple(tuple) if depth < KEY_DEPTH => {
                Key::Tuple(tuple.0.iter().map(|item| Key::of(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            Value::Function(function) => Key::Function(function.identity),
            Value::Native(native) => Key::Identity(std::ptr::from_ref(*native) as usize),
            Value::Object(object) => Key::Identity(Arc::as_ptr(object) as usize),
            Value::ExceptionType(kind) => Key::Identity(*kind as usize),
            other => return Err(type_error(format!("unhashable type: '{}'", other.type_name()))),
        })
    }
}

impl Dict {
    /// Its entries, locked.
    pub fn lock(&self) -> MutexGuard<'_, Entries> {
        lock(&self.0)
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.lock().index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of its entries.
    pub fn entries(&self) -> Vec<(Value, Value)> {
        self.lock().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl Entries {
    /// The value of a key. Raises `TypeError` for what cannot be one.
    pub fn get(&self, key: &Value) -> Result<Option<&Value>, Raised> {
        Ok(self.index.get(&Key::of(key, 0)?).map(|at| &self.pairs[at * 2 + 1]))
    }

    /// Sets the value of a key, and returns the former.
    pub fn insert(&mut self, key: Value, value: Value) -> Result<Option<Value>, Raised> {
        let next = self.pairs.len() / 2;
        let at = *self.index.entry(Key::of(&key, 0)?).or_insert(next);
        if at == next {
            self.pairs.push(key);
            self.pairs.push(value);
            return Ok(None);
        }
        Ok(Some(std::mem::replace(&mut self.pairs[at * 2 + 1], value)))
    }

    /// Takes a key and its value out.
    pub fn remove(&mut self, key: &Value) -> Result<Option<Value>, Raised> {
        let Some(at) = self.index.remove(&Key::of(key, 0)?) else { return Ok(None) };
        self.pairs[at * 2] = Value::Unbound;
        let removed = std::mem::take(&mut self.pairs[at * 2 + 1]);
        if self.pairs.len() > 16 && self.index.len() * 4 < self.pairs.len() / 2 {
            self.compact();
        }
        Ok(Some(removed))
    }

    /// Takes everything out.
    pub fn clear(&mut self) -> Vec<Value> {
        self.index.clear();
        std::mem::take(&mut self.pairs)
    }

    /// The entries in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Value, &Value)> {
        self.pairs.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).filter(|(key, _)| !matches!(key, Value::Unbound))
    }

    /// The first entry at or after a position, and the position after it.
    pub fn after(&self, position: usize) -> Option<(&Value, &Value, usize)> {
        let pairs = self.pairs.chunks_exact(2).enumerate().skip(position);
        pairs
            .filter(|(_, pair)| !matches!(pair[0], Value::Unbound))
            .map(|(at, pair)| (&pair[0], &pair[1], at + 1))
            .next()
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn compact(&mut self) {
        let mut moved = vec![0; self.pairs.len() / 2];
        let mut next = 0;
        for (at, pair) in self.pairs.chunks_exact(2).enumerate() {
            moved[at] = next;
            next += usize::from(!matches!(pair[0], Value::Unbound));
        }
        for at in self.index.values_mut() {
            *at = moved[*at];
        }
        // A removed entry is unbound in both its places, and no live one is in either.
        self.pairs.retain(|value| !matches!(value, Value::Unbound));
    }
}

impl Drop for Dict {
    fn drop(&mut self) {
        drop_items(&mut self.0.get_mut().unwrap_or_else(PoisonError::into_inner).pairs);
    }
}
