//! Arithmetic that the evaluation loop does itself, and what may take long around the rest of it.

use std::sync::Arc;

use super::code::{Instruction, Operator};
use super::exception::Raised;
use super::frame::put;
use super::host::Host;
use super::value::Value;
use super::wide::Wide;
use super::{number, operate};
use crate::event::Line;

/// From so many bits on an operation on ints has heartbeats of its own.
const LONG_INT: u64 = 1 << 13;

/// Any operator on ints that fit; none where the result may not, or it raises.
#[inline(always)]
pub(super) fn small(operator: Operator, a: i64, b: i64) -> Option<i64> {
    Some(match operator {
        // `i64::MIN // -1` does not fit, and -1 is the only divisor for which that can be.
        Operator::FloorDivide if b > 0 => {
            let quotient = a / b;
            if a % b < 0 { quotient - 1 } else { quotient }
        }
        Operator::Remainder if b > 0 => {
            let remainder = a % b;
            if remainder < 0 { remainder + b } else { remainder }
        }
        Operator::And => a & b,
        Operator::Or => a | b,
        Operator::Xor => a ^ b,
        Operator::RightShift if (0..64).contains(&b) => a >> b,
        _ => return None,
    })
}

#[inline(always)]
pub(super) fn power(base: i64, exponent: i64) -> Option<i64> {
    if exponent == 2 { base.checked_mul(base) } else { base.checked_pow(u32::try_from(exponent).ok()?) }
}

/// Any operator on the upper two of the stack, where they are ints that need no memory of their own and the result is
/// another, but do not all fit 64 bits: a sum that has outgrown those, say. The result takes the left operand's place.
/// Whether it was possible.
#[inline(never)]
pub(super) fn wide(operator: Operator, stack: &mut [Value]) -> bool {
    let Some([left, right]) = stack.last_chunk_mut() else { return false };
    let short = |value: &Value| match value {
        Value::Int(value) => Some(i128::from(*value)),
        Value::Wide(value) => Some(value.get()),
        _ => None,
    };
    let (Some(a), Some(b)) = (short(left), short(right)) else { return false };
    // The commonest ahead of all the others.
    let result = if operator == Operator::Add { Some(a + b) } else { number::wide(operator, a, b) };
    let Some(result) = result.and_then(Value::short_int) else { return false };
    put(left, result);
    true
}

/// Adds to a long int where it lies, if only the left operand and the local that the next instruction overwrites hold
/// it: a running total then costs no copy an addition. (CPython does so for strings, `unicode_concatenate` in
/// `Python/ceval.c`.) The result takes the left operand's place. Whether it was possible.
#[inline(never)]
pub(super) fn add_in_place(operator: Operator, stack: &mut [Value], next: Instruction) -> bool {
    let (Operator::Add | Operator::Subtract, Instruction::StoreFast(local)) = (operator, next) else { return false };
    let Some((below, [left, right])) = stack.split_last_chunk_mut::<2>() else { return false };
    let (Value::Big(total), Value::Int(_) | Value::Wide(_) | Value::Big(_)) = (&mut *left, &*right) else {
        return false;
    };
    let Some(held @ Value::Big(_)) = below.get_mut(local as usize) else { return false };
    if !matches!(held, Value::Big(held) if Arc::ptr_eq(held, total)) || Arc::strong_count(total) != 2 {
        return false;
    }
    // Nothing below can raise, so nobody sees the local without its value.
    *held = Value::Unbound;
    let Some(sum) = Arc::get_mut(total) else { return false };
    number::add_to(sum, operator, right);
    if sum.bits() <= Wide::BITS.into() {
        *left = Value::from(std::mem::take(sum));
    }
    true
}

/// With heartbeats around what may take long while it keeps the lock.
#[inline(never)]
pub(super) fn slow_binary<H: Host>(
    host: &mut H,
    line: Line,
    operator: Operator,
    inplace: bool,
    a: &Value,
    b: &Value,
) -> Result<Value, Raised> {
    let long = |value: &Value| matches!(value, Value::Big(value) if value.bits() > LONG_INT);
    if !(long(a) || long(b) || operator == Operator::Power) {
        return operate::binary(operator, inplace, a, b);
    }
    host.heartbeat(line);
    let result = operate::binary(operator, inplace, a, b);
    host.heartbeat(line);
    result
}
