//! Real pickles of values, as `multiprocessing` sends them between processes:
//! what is written here `pickle.loads` of any Python 3 reads, and what Python
//! writes of these types is read here.
//!
//! Written is protocol 4 without its frames and memo; read is protocol 2 to 5,
//! as far as it builds `None`, numbers, `str`, `bytes`, lists, tuples and
//! dicts (`Lib/pickle.py`, `Lib/pickletools.py`). Nothing in a pickle is ever
//! called. `serde-pickle`, which the tests compare with, was not taken for the
//! work itself: it sorts the keys of dicts and recurses over what it reads, so that garbage could overflow the
//! stack. Here the reader is a loop over a stack, as Python's own is.

use std::sync::Arc;

use num_bigint::BigInt;

use super::limits;
use super::value::Value;

/// The longest pickle: 256 MiB of bytes and what goes around them.
pub const MAX_BYTES: usize = 257 << 20;

/// How deep values may be nested in a pickle.
pub const MAX_DEPTH: usize = 200;

/// Why a value could not be pickled, or a pickle not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// A function, a lock or the like.
    #[error("cannot pickle '{0}' object")]
    Type(&'static str),
    /// Longer than [`MAX_BYTES`].
    #[error("the pickle is too large: more than {} MiB; hand over less", MAX_BYTES >> 20)]
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`], or without end.
    #[error("values nested more than {MAX_DEPTH} deep cannot be pickled")]
    TooDeep,
    /// Not a pickle, or of types that are not the miniature's.
    #[error("not a pickle that can be read: {0}")]
    Unreadable(&'static str),
}

mod op {
    pub const PROTO: u8 = 0x80;
    pub const FRAME: u8 = 0x95;
    pub const STOP: u8 = b'.';
    pub const MARK: u8 = b'(';
    pub const NONE: u8 = b'N';
    pub const TRUE: u8 = 0x88;
    pub const FALSE: u8 = 0x89;
    pub const BININT: u8 = b'J';
    pub const BININT1: u8 = b'K';
    pub const BININT2: u8 = b'M';
    pub const LONG1: u8 = 0x8a;
    pub const LONG4: u8 = 0x8b;
    pub const BINFLOAT: u8 = b'G';
    pub const SHORT_BINUNICODE: u8 = 0x8c;
    pub const BINUNICODE: u8 = b'X';
    pub const BINUNICODE8: u8 = 0x8d;
    pub const SHORT_BINBYTES: u8 = b'C';
    pub const BINBYTES: u8 = b'B';
    pub const BINBYTES8: u8 = 0x8e;
    pub const EMPTY_LIST: u8 = b']';
    pub const APPEND: u8 = b'a';
    pub const APPENDS: u8 = b'e';
    pub const EMPTY_TUPLE: u8 = b')';
    pub const TUPLE: u8 = b't';
    pub const TUPLE1: u8 = 0x85;
    pub const TUPLE2: u8 = 0x86;
    pub const TUPLE3: u8 = 0x87;
    pub const EMPTY_DICT: u8 = b'}';
    pub const SETITEM: u8 = b's';
    pub const SETITEMS: u8 = b'u';
    pub const MEMOIZE: u8 = 0x94;
    pub const BINPUT: u8 = b'q';
    pub const LONG_BINPUT: u8 = b'r';
    pub const BINGET: u8 = b'h';
    pub const LONG_BINGET: u8 = b'j';
}

/// Pickles `None`, numbers, `str`, `bytes`, `list`, `tuple` and `dict`.
pub fn dumps(value: &Value) -> Result<Vec<u8>, PickleError> {
    let mut out = vec![op::PROTO, 4];
    write(value, MAX_DEPTH, &mut out)?;
    out.push(op::STOP);
    Ok(out)
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), PickleError> {
    let depth = depth.checked_sub(1).ok_or(PickleError::TooDeep)?;
    match value {
        Value::None => out.push(op::NONE),
        Value::Bool(true) => out.push(op::TRUE),
        Value::Bool(false) => out.push(op::FALSE),
        Value::Int(value) => match i32::try_from(*value) {
            Ok(small) => {
                out.push(op::BININT);
                out.extend(small.to_le_bytes());
            }
            Err(_) => long(&BigInt::from(*value), out),
        },
        Value::Big(value) => long(value, out),
        Value::Float(value) => {
            out.push(op::BINFLOAT);
            out.extend(value.to_be_bytes());
        }
        Value::Str(text) => sized(op::BINUNICODE, text.as_str().as_bytes(), out)?,
        Value::Bytes(bytes) => sized(op::BINBYTES, bytes, out)?,
        Value::List(list) => {
            out.extend([op::EMPTY_LIST, op::MARK]);
            let items = list.lock().clone();
            items.iter().try_for_each(|item| write(item, depth, out))?;
            out.push(op::APPENDS);
        }
        Value::Tuple(tuple) => {
            out.push(op::MARK);
            tuple.0.iter().try_for_each(|item| write(item, depth, out))?;
            out.push(op::TUPLE);
        }
        Value::Dict(dict) => {
            out.extend([op::EMPTY_DICT, op::MARK]);
            for (key, value) in dict.entries() {
                write(&key, depth, out)?;
                write(&value, depth, out)?;
            }
            out.push(op::SETITEMS);
        }
        other => return Err(PickleError::Type(other.type_name())),
    }
    // Looked at as it grows: a list that holds one other many times over is as long as what is written of it.
    if out.len() > MAX_BYTES { Err(PickleError::TooLarge) } else { Ok(()) }
}

fn long(value: &BigInt, out: &mut Vec<u8>) {
    let bytes = value.to_signed_bytes_le();
    match u8::try_from(bytes.len()) {
        Ok(len) => out.extend([op::LONG1, len]),
        Err(_) => {
            out.push(op::LONG4);
            // An int has at most 2²⁶ bits.
            out.extend((bytes.len() as u32).to_le_bytes());
        }
    }
    out.extend(bytes);
}

fn sized(opcode: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), PickleError> {
    if bytes.len() > MAX_BYTES {
        return Err(PickleError::TooLarge);
    }
    out.push(opcode);
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
    Ok(())
}

/// Reads a pickle.
pub fn loads(bytes: &[u8]) -> Result<Value, PickleError> {
    if bytes.len() > MAX_BYTES {
        return Err(PickleError::TooLarge);
    }
    let mut reader = Reader { rest: bytes, stack: Vec::new(), marks: Vec::new(), memo: Vec::new() };
    reader.run()
}

/// A value and how deep it is nested.
type Item = (Value, usize);

struct Reader<'b> {
    rest: &'b [u8],
    stack: Vec<Item>,
    marks: Vec<usize>,
    memo: Vec<Option<Item>>,
}

const SHORT: PickleError = PickleError::Unreadable("it ends too early");
const DAMAGED: PickleError = PickleError::Unreadable("it is damaged");

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], PickleError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length or a small number, little-endian.
    fn number(&mut self, width: usize) -> Result<usize, PickleError> {
        let bytes = self.take(width)?;
        let number = bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).map_err(|_| SHORT)
    }

    fn push(&mut self, value: Value) {
        self.stack.push((value, 0));
    }

    fn pop(&mut self) -> Result<Item, PickleError> {
        if self.marks.last().is_some_and(|mark| *mark >= self.stack.len()) {
            return Err(DAMAGED);
        }
        self.stack.pop().ok_or(DAMAGED)
    }

    /// What lies above the last mark.
    fn marked(&mut self) -> Result<Vec<Item>, PickleError> {
        let mark = self.marks.pop().ok_or(DAMAGED)?;
        if mark > self.stack.len() {
            return Err(DAMAGED);
        }
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, items: Vec<Item>) -> Result<(), PickleError> {
        let depth = nested(&items, 0)?;
        self.stack.push((Value::tuple(items.into_iter().map(|(value, _)| value).collect()), depth));
        Ok(())
    }

    fn several(&mut self, count: usize) -> Result<Vec<Item>, PickleError> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<Item>, _>>()?;
        items.reverse();
        Ok(items)
    }

    fn append(&mut self, items: Vec<Item>) -> Result<(), PickleError> {
        let Some((Value::List(list), depth)) = self.stack.last_mut() else { return Err(DAMAGED) };
        *depth = nested(&items, *depth)?;
        // A list may be in the memo and be put into itself, which nothing here needs.
        if items.iter().any(|(item, _)| matches!(item, Value::List(item) if Arc::ptr_eq(item, list))) {
            return Err(DAMAGED);
        }
        list.lock().extend(items.into_iter().map(|(value, _)| value));
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Item>) -> Result<(), PickleError> {
        let Some((Value::Dict(dict), depth)) = self.stack.last_mut() else { return Err(DAMAGED) };
        *depth = nested(&items, *depth)?;
        let mut items = items.into_iter().map(|(value, _)| value);
        while let Some(key) = items.next() {
            let value = items.next().ok_or(DAMAGED)?;
            if matches!(&value, Value::Dict(value) if Arc::ptr_eq(value, dict)) {
                return Err(DAMAGED);
            }
            dict.lock().insert(key, value).map_err(|_| PickleError::Unreadable("a key of a dict cannot be one"))?;
        }
        Ok(())
    }

    fn remember(&mut self, at: usize) -> Result<(), PickleError> {
        let item = self.stack.last().cloned().ok_or(DAMAGED)?;
        if at > self.memo.len() + 1024 {
            return Err(DAMAGED);
        }
        if self.memo.len() <= at {
            self.memo.resize(at + 1, None);
        }
        // What can still grow is not remembered: its depth would not be known later.
        let fixed = !matches!(item.0, Value::List(_) | Value::Dict(_));
        self.memo[at] = fixed.then_some(item);
        Ok(())
    }

    fn recall(&mut self, at: usize) -> Result<(), PickleError> {
        let item = self.memo.get(at).cloned().flatten();
        self.stack.push(item.ok_or(PickleError::Unreadable("it shares a list or dict between two places"))?);
        Ok(())
    }

    fn run(&mut self) -> Result<Value, PickleError> {
        loop {
            let opcode = self.take(1)?[0];
            match opcode {
                op::PROTO => drop(self.take(1)?),
                op::FRAME => drop(self.take(8)?),
                op::STOP => {
                    let (value, _) = self.pop()?;
                    return if self.stack.is_empty() && self.rest.is_empty() { Ok(value) } else { Err(DAMAGED) };
                }
                op::MARK => self.marks.push(self.stack.len()),
                op::NONE => self.push(Value::None),
                op::TRUE => self.push(Value::Bool(true)),
                op::FALSE => self.push(Value::Bool(false)),
                op::BININT => {
                    let number = self.number(4)? as u32;
                    self.push(Value::Int(i64::from(number.cast_signed())));
                }
                op::BININT1 | op::BININT2 => {
                    let number = self.number(if opcode == op::BININT1 { 1 } else { 2 })?;
                    self.push(Value::from(number));
                }
                op::LONG1 | op::LONG4 => {
                    let len = self.number(if opcode == op::LONG1 { 1 } else { 4 })?;
                    let value = BigInt::from_signed_bytes_le(self.take(len)?);
                    if value.bits() > limits::INT_BITS {
                        return Err(PickleError::TooLarge);
                    }
                    self.push(Value::from(value));
                }
                op::BINFLOAT => {
                    let bits = self.take(8)?.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
                    self.push(Value::Float(f64::from_bits(bits)));
                }
                op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8 => {
                    let len = self.number(width(opcode))?;
                    let text = std::str::from_utf8(self.take(len)?);
                    self.push(Value::str(text.map_err(|_| PickleError::Unreadable("a string is not UTF-8"))?));
                }
                op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 => {
                    let len = self.number(width(opcode))?;
                    let bytes = self.take(len)?;
                    self.push(Value::bytes(bytes));
                }
                op::EMPTY_LIST => self.push(Value::list(Vec::new())),
                op::EMPTY_TUPLE => self.push(Value::tuple(Vec::new())),
                op::EMPTY_DICT => self.push(Value::Dict(Arc::default())),
                op::APPEND => {
                    let items = self.several(1)?;
                    self.append(items)?;
                }
                op::APPENDS => {
                    let items = self.marked()?;
                    self.append(items)?;
                }
                op::TUPLE => {
                    let items = self.marked()?;
                    self.tuple(items)?;
                }
                op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                    let items = self.several(usize::from(opcode - op::TUPLE1) + 1)?;
                    self.tuple(items)?;
                }
                op::SETITEM => {
                    let items = self.several(2)?;
                    self.set_items(items)?;
                }
                op::SETITEMS => {
                    let items = self.marked()?;
                    self.set_items(items)?;
                }
                op::MEMOIZE => self.remember(self.memo.len())?,
                op::BINPUT | op::LONG_BINPUT => {
                    let at = self.number(if opcode == op::BINPUT { 1 } else { 4 })?;
                    self.remember(at)?;
                }
                op::BINGET | op::LONG_BINGET => {
                    let at = self.number(if opcode == op::BINGET { 1 } else { 4 })?;
                    self.recall(at)?;
                }
                _ => return Err(PickleError::Unreadable("it holds something other than plain values")),
            }
        }
    }
}

fn width(opcode: u8) -> usize {
    match opcode {
        op::SHORT_BINUNICODE | op::SHORT_BINBYTES => 1,
        op::BINUNICODE8 | op::BINBYTES8 => 8,
        _ => 4,
    }
}

/// How deep something is nested that holds these.
fn nested(items: &[Item], least: usize) -> Result<usize, PickleError> {
    let depth = items.iter().map(|(_, depth)| depth + 1).max().unwrap_or(0).max(least);
    if depth > MAX_DEPTH { Err(PickleError::TooDeep) } else { Ok(depth) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::dict::Dict;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::None),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<i128>().prop_map(Value::from),
            any::<f64>().prop_filter("equal to itself", |value| !value.is_nan()).prop_map(Value::Float),
            any::<String>().prop_map(Value::str),
            any::<Vec<u8>>().prop_map(Value::bytes),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::list),
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::tuple),
                proptest::collection::vec((any::<i64>(), inner), 0..8).prop_map(|pairs| {
                    let dict = Dict::default();
                    for (key, value) in pairs {
                        dict.lock().insert(Value::Int(key), value).unwrap();
                    }
                    Value::Dict(Arc::new(dict))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_pickled_is_read_back(value in values()) {
            prop_assert_eq!(loads(&dumps(&value).unwrap()).unwrap().repr(), value.repr());
        }

        #[test]
        fn another_library_reads_our_pickles(value in values()) {
            let read = serde_pickle::value_from_slice(&dumps(&value).unwrap(), serde_pickle::DeOptions::new());
            prop_assert!(read.is_ok(), "{:?}", read);
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(bytes: Vec<u8>) {
            let _ = loads(&bytes);
        }

        #[test]
        fn damaged_pickles_are_refused_or_read_but_never_panic(value in values(), at: prop::sample::Index, byte: u8) {
            let mut bytes = dumps(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = loads(&bytes);
        }
    }

    #[test]
    fn what_nests_or_grows_without_end_is_refused() {
        let list = Value::list(Vec::new());
        if let Value::List(inner) = &list {
            inner.lock().push(list.clone());
        }
        assert_eq!(dumps(&list), Err(PickleError::TooDeep));
        if let Value::List(inner) = &list {
            inner.lock().clear();
        }
        assert_eq!(dumps(&Value::bytes(vec![0; MAX_BYTES + 1])), Err(PickleError::TooLarge));
        let deep = [vec![op::NONE], vec![op::TUPLE1; 1_000_000], vec![op::STOP]].concat();
        assert_eq!(loads(&deep).unwrap_err(), PickleError::TooDeep);
    }
}
