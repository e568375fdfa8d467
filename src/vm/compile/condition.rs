//! Comparisons, and what is asked only for its truth.

use ruff_python_ast::{BoolOp, CmpOp, Expr, ExprCompare, UnaryOp};

use crate::vm::code::{Comparison, Instruction};

use super::Result;
use super::builder::{Compiler, Label};

impl<'a> Compiler<'a> {
    fn comparison(&mut self, operator: CmpOp) {
        self.emit(match operator {
            CmpOp::Eq => Instruction::CompareOp(Comparison::Equal),
            CmpOp::NotEq => Instruction::CompareOp(Comparison::NotEqual),
            CmpOp::Lt => Instruction::CompareOp(Comparison::Less),
            CmpOp::LtE => Instruction::CompareOp(Comparison::LessEqual),
            CmpOp::Gt => Instruction::CompareOp(Comparison::Greater),
            CmpOp::GtE => Instruction::CompareOp(Comparison::GreaterEqual),
            CmpOp::Is => Instruction::IsOp(false),
            CmpOp::IsNot => Instruction::IsOp(true),
            CmpOp::In => Instruction::ContainsOp(false),
            CmpOp::NotIn => Instruction::ContainsOp(true),
        });
    }

    /// `a < b < c`: each operand once, and no further than the first that fails.
    pub(super) fn compare(&mut self, compare: &'a ExprCompare) -> Result {
        self.expr(&compare.left)?;
        let last = compare.ops.len() - 1;
        if last == 0 {
            self.expr(&compare.comparators[0])?;
            self.comparison(compare.ops[0]);
            return Ok(());
        }
        let (failed, end) = (self.label(), self.label());
        for (index, (operator, operand)) in compare.ops.iter().zip(&compare.comparators).enumerate() {
            self.expr(operand)?;
            if index == last {
                self.comparison(*operator);
                break;
            }
            self.emit(Instruction::Swap(2));
            self.emit(Instruction::Copy(2));
            self.comparison(*operator);
            self.emit(Instruction::Copy(1));
            self.jump(Instruction::PopJumpIfFalse, failed);
            self.emit(Instruction::PopTop);
        }
        self.jump(Instruction::JumpForward, end);
        self.frame.depth += 1; // the operand that was kept for the next comparison
        self.bind(failed);
        self.emit(Instruction::Swap(2));
        self.emit(Instruction::PopTop);
        self.bind(end);
        Ok(())
    }

    /// Jumps to the label if the expression's truth is as wanted, else goes on.
    pub(super) fn jump_if(&mut self, test: &'a Expr, wanted: bool, label: Label) -> Result {
        match test {
            Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => return self.jump_if(&unary.operand, !wanted, label),
            Expr::BoolOp(boolean) => {
                // With `and` one false operand decides, with `or` a true one.
                let decides = boolean.op == BoolOp::Or;
                let (last, before) = boolean.values.split_last().expect("the grammar wants two operands");
                let past = self.label();
                let decided = if wanted == decides { label } else { past };
                for value in before {
                    self.jump_if(value, decides, decided)?;
                }
                self.jump_if(last, wanted, label)?;
                self.bind(past);
                return Ok(());
            }
            _ => {}
        }
        self.expr(test)?;
        let line = std::mem::replace(&mut self.line, self.place.line(test));
        self.jump(if wanted { Instruction::PopJumpIfTrue } else { Instruction::PopJumpIfFalse }, label);
        self.line = line;
        Ok(())
    }
}
