//! From a pickle to a value.

use std::sync::Arc;

use num_bigint::BigInt;

use crate::vm::limits;
use crate::vm::value::Value;

use super::{MAX_BYTES, MAX_DEPTH, PickleError, op};

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

/// Reads a pickle.
pub fn loads(bytes: &[u8]) -> Result<Value, PickleError> {
    if bytes.len() > MAX_BYTES {
        return Err(PickleError::TooLarge);
    }
    let mut reader = Reader { rest: bytes, stack: Vec::new(), marks: Vec::new(), memo: Vec::new() };
    reader.run()
}

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
