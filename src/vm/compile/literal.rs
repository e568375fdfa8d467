//! What is written as it is: numbers and texts; and the names of operators.

use std::str::FromStr;

use num_bigint::BigInt;
use num_traits::Num;
use ruff_python_ast::{Expr, Number, Operator as AstOperator, UnaryOp};

use crate::vm::code::Operator;
use crate::vm::limits;
use crate::vm::value::Value;

pub(super) fn operator(operator: AstOperator) -> Operator {
    match operator {
        AstOperator::Add => Operator::Add,
        AstOperator::Sub => Operator::Subtract,
        AstOperator::Mult => Operator::Multiply,
        AstOperator::MatMult => Operator::MatrixMultiply,
        AstOperator::Div => Operator::TrueDivide,
        AstOperator::Mod => Operator::Remainder,
        AstOperator::Pow => Operator::Power,
        AstOperator::LShift => Operator::LeftShift,
        AstOperator::RShift => Operator::RightShift,
        AstOperator::BitOr => Operator::Or,
        AstOperator::BitXor => Operator::Xor,
        AstOperator::BitAnd => Operator::And,
        AstOperator::FloorDiv => Operator::FloorDivide,
    }
}

/// The value of an int literal, however it is written.
fn int(literal: &ruff_python_ast::Int) -> Option<Value> {
    if let Some(value) = literal.as_i64() {
        return Some(Value::Int(value));
    }
    let text = literal.to_string().replace('_', "");
    let radix = |digits: &str, radix| BigInt::from_str_radix(digits, radix).ok();
    let value = match text.get(..2) {
        Some("0x" | "0X") => radix(&text[2..], 16),
        Some("0o" | "0O") => radix(&text[2..], 8),
        Some("0b" | "0B") => radix(&text[2..], 2),
        _ if text.len() > limits::INT_DIGITS => None,
        _ => BigInt::from_str(&text).ok(),
    }?;
    (value.bits() <= limits::INT_BITS).then(|| Value::from(value))
}

/// The value of a literal, if the expression is one: numbers, strings, constants.
pub(super) fn literal(expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::NoneLiteral(_) => Value::None,
        Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(value) => int(value)?,
            Number::Float(value) => Value::Float(*value),
            Number::Complex { .. } => return None,
        },
        Expr::StringLiteral(literal) => Value::str(literal.value.to_str()),
        Expr::BytesLiteral(literal) => Value::bytes(literal.value.bytes().collect::<Vec<u8>>()),
        Expr::UnaryOp(unary) if unary.op == UnaryOp::USub => match literal_number(&unary.operand)? {
            Value::Int(value) => Value::from(-i128::from(value)),
            Value::Float(value) => Value::Float(-value),
            Value::Wide(value) => Value::from(-value.get()),
            Value::Big(value) => Value::from(-&*value),
            _ => return None,
        },
        _ => return None,
    })
}

fn literal_number(expr: &Expr) -> Option<Value> {
    matches!(expr, Expr::NumberLiteral(_)).then(|| literal(expr)).flatten()
}
