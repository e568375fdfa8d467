//! A program as `dis` prints it.

use std::fmt;
use std::fmt::Write;

use super::{Code, Instruction, Operator, Program};

impl Program {
    /// The instructions as `dis` prints them.
    pub fn disassemble(&self) -> String {
        let mut text = String::new();
        for code in &self.codes {
            let _ = writeln!(text, "{}:", code.name);
            let mut line = 0;
            for pc in code.start..code.end {
                let (instruction, at) = (self.instructions[pc as usize], self.lines[pc as usize]);
                let shown = if at == line { String::new() } else { at.to_string() };
                line = at;
                let argument = self.argument(code, instruction);
                let row = format!("{shown:>5} {pc:>6}  {:<22}{argument}", instruction.name());
                let _ = writeln!(text, "{}", row.trim_end());
            }
        }
        text
    }

    fn argument(&self, code: &Code, instruction: Instruction) -> String {
        use Instruction::*;
        let local = |slot: usize| code.locals[slot].to_string();
        let constant = |index: usize| self.constants[index].repr();
        match instruction {
            LoadConst(index) => constant(index as usize),
            LoadFast(slot) | StoreFast(slot) | DeleteFast(slot) => local(slot as usize),
            LoadFastLoadFast(a, b) => format!("{}, {}", local(a.into()), local(b.into())),
            LoadFastLoadConst(a, b) => format!("{}, {}", local(a.into()), constant(b.into())),
            LoadGlobal(slot) | StoreGlobal(slot) | DeleteGlobal(slot) => self.globals[slot as usize].0.to_string(),
            LoadAttr(name) | LoadMethod(name) => self.attributes[name as usize].name.to_string(),
            ImportName(index) => self.imports[index as usize].0.to_string(),
            ImportFrom(index) => self.imports[index as usize].1.to_string(),
            MakeFunction(index) => self.codes[index as usize].name.to_string(),
            BinaryOpAdd(inplace) => operator(Operator::Add, inplace),
            BinaryOpSubtract(inplace) => operator(Operator::Subtract, inplace),
            BinaryOpMultiply(inplace) => operator(Operator::Multiply, inplace),
            BinaryOpPower(inplace) => operator(Operator::Power, inplace),
            BinaryOp(symbol, inplace) => operator(symbol, inplace),
            CompareOp(comparison) => comparison.symbol().into(),
            CompareOpJump(comparison, to) => format!("{} (to {to})", comparison.symbol()),
            JumpForward(to)
            | JumpBackward(to)
            | PopJumpIfFalse(to)
            | PopJumpIfTrue(to)
            | ForIter(to)
            | Send(to)
            | JumpBackwardNoInterrupt(to) => {
                format!("(to {to})")
            }
            Copy(count)
            | Swap(count)
            | BuildList(count)
            | BuildTuple(count)
            | BuildMap(count)
            | BuildString(count)
            | ListAppend(count)
            | MapAdd(count)
            | UnpackSequence(count)
            | Call(count)
            | RaiseVarargs(count) => count.to_string(),
            CallFunctionEx(names) => self.keywords[names as usize].join(", "),
            CallKw(count, names) => format!("{count} ({})", self.keywords[names as usize].join(", ")),
            IsOp(not) | ContainsOp(not) => u8::from(not).to_string(),
            ConvertValue(conversion) => (conversion as char).to_string(),
            _ => String::new(),
        }
    }
}

fn operator(operator: Operator, inplace: bool) -> String {
    format!("{}{}", operator.symbol(), if inplace { "=" } else { "" })
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.disassemble())
    }
}
