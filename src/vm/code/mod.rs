//! Instructions, and the program they make up.
//!
//! The names are CPython's (`Lib/opcode.py`, `Python/bytecodes.c`), mostly
//! 3.12's. All functions of a module lie in one vector of instructions, so
//! that a single number names a place in the program, for a sampler in
//! another process as for a traceback. Operators have instructions of their
//! own where the loop gains by it, as CPython's specialised ones do; they are
//! still called `BINARY_OP`.

mod disassemble;
mod instruction;

use std::sync::Arc;

use crate::event::Line;

use super::native::Native;
use super::value::Value;

pub use instruction::{Comparison, Instruction, Operator};

/// A function's signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Its parameters in order.
    pub parameters: Vec<Parameter>,
    /// Whether it is `async def`.
    pub is_async: bool,
    /// The line of its `def`.
    pub line: Line,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it may be left out.
    pub has_default: bool,
    /// Its default, where that is written as a plain number.
    pub default: Option<Constant>,
}

/// A number written in the source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constant {
    /// A whole one.
    Int(i64),
    /// Any other.
    Float(f64),
}

/// What an exception raised in `start..end` goes on to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    pub start: u32,
    pub end: u32,
    pub target: u32,
    /// Height of the stack the handler expects, without the exception.
    pub depth: u32,
}

/// A function's code, or the module's own.
#[derive(Debug)]
pub(crate) struct Code {
    pub name: Arc<str>,
    /// Its first instruction.
    pub start: u32,
    /// Past its last instruction.
    pub end: u32,
    /// Names of parameters, in order; the first `positional_only` not by keyword, the last `keyword_only` only so.
    pub parameters: Vec<Arc<str>>,
    pub positional_only: usize,
    pub keyword_only: usize,
    /// Which parameters have defaults.
    pub has_default: Vec<bool>,
    /// Names of locals, parameters first; those the compiler made begin with a dot.
    pub locals: Vec<Arc<str>>,
    /// Locals and the greatest height of the stack.
    pub frame_size: usize,
    /// Innermost first.
    pub handlers: Vec<Handler>,
    pub signature: Signature,
}

/// A compiled module.
pub struct Program {
    pub(crate) file: Arc<str>,
    pub(crate) instructions: Vec<Instruction>,
    /// For each instruction, its line.
    pub(crate) lines: Vec<u32>,
    pub(crate) constants: Vec<Value>,
    /// Names of attributes, and the method of each type that bears the name.
    pub(crate) attributes: Vec<Attribute>,
    /// Names of modules and of what is imported from them.
    pub(crate) imports: Vec<(Arc<str>, Arc<str>)>,
    /// Names of arguments by keyword, call by call.
    pub(crate) keywords: Vec<Vec<Arc<str>>>,
    /// Names of globals, one slot each, and what is there before the module runs.
    pub(crate) globals: Vec<(Arc<str>, Value)>,
    /// The module's own code first.
    pub(crate) codes: Vec<Code>,
}

/// The name of an attribute.
pub(crate) struct Attribute {
    pub name: Arc<str>,
    /// By [`super::methods::Class`].
    pub methods: [Option<&'static Native>; super::methods::Class::COUNT],
}

impl Program {
    /// The name of the file it was compiled from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line of the instruction at this place; [`Line::NONE`] where there is none.
    pub fn line_of(&self, pc: u32) -> Line {
        Line(self.lines.get(pc as usize).copied().unwrap_or(0))
    }

    /// How many instructions.
    pub fn len(&self) -> usize {
        self.instructions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }

    /// The signature of the function that the module defines under this name, if it does so at its top level.
    pub fn signature(&self, name: &str) -> Option<&Signature> {
        self.codes.iter().skip(1).rev().find(|code| &*code.name == name).map(|code| &code.signature)
    }
}
