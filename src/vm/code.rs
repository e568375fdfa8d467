//! Instructions, and the program they make up.
//!
//! The names are CPython's (`Lib/opcode.py`, `Python/bytecodes.c`), mostly
//! 3.12's. All functions of a module lie in one vector of instructions, so
//! that a single number names a place in the program, for a sampler in
//! another process as for a traceback. Operators have instructions of their
//! own where the loop gains by it, as CPython's specialised ones do; they are
//! still called `BINARY_OP`.

use std::cmp::Ordering;
use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

use crate::event::Line;

use super::native::Native;
use super::value::Value;

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the operator of that name")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    MatrixMultiply,
    TrueDivide,
    FloorDivide,
    Remainder,
    Power,
    LeftShift,
    RightShift,
    And,
    Or,
    Xor,
}

impl Operator {
    /// As it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::MatrixMultiply => "@",
            Operator::TrueDivide => "/",
            Operator::FloorDivide => "//",
            Operator::Remainder => "%",
            Operator::Power => "**",
            Operator::LeftShift => "<<",
            Operator::RightShift => ">>",
            Operator::And => "&",
            Operator::Or => "|",
            Operator::Xor => "^",
        }
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the comparison of that name")]
pub enum Comparison {
    Less,
    LessEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
}

impl Comparison {
    /// As it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::LessEqual => "<=",
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Greater => ">",
            Comparison::GreaterEqual => ">=",
        }
    }

    /// Whether it holds for two things so ordered.
    #[inline(always)]
    pub const fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Less => ordering.is_lt(),
            Comparison::LessEqual => ordering.is_le(),
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterEqual => ordering.is_ge(),
        }
    }
}

/// One instruction; 8 bytes. A jump's argument is the place it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is CPython's instruction of that name")]
pub enum Instruction {
    Nop,
    Resume,
    LoadConst(u32),
    LoadFast(u32),
    LoadFastLoadFast(u16, u16),
    LoadFastLoadConst(u16, u16),
    StoreFast(u32),
    DeleteFast(u32),
    LoadGlobal(u32),
    StoreGlobal(u32),
    DeleteGlobal(u32),
    PushNull,
    PopTop,
    Copy(u32),
    Swap(u32),
    UnaryNegative,
    UnaryPositive,
    UnaryInvert,
    UnaryNot,
    BinaryOpAdd(bool),
    BinaryOpSubtract(bool),
    BinaryOpMultiply(bool),
    BinaryOpPower(bool),
    BinaryOp(Operator, bool),
    CompareOp(Comparison),
    CompareOpJump(Comparison, u32),
    IsOp(bool),
    ContainsOp(bool),
    BinarySubscr,
    StoreSubscr,
    DeleteSubscr,
    BuildList(u32),
    BuildTuple(u32),
    BuildMap(u32),
    BuildString(u32),
    BuildSlice,
    ListAppend(u32),
    ListExtend,
    MapAdd(u32),
    UnpackSequence(u32),
    ConvertValue(u8),
    FormatSimple,
    FormatWithSpec,
    LoadAttr(u32),
    LoadMethod(u32),
    ImportName(u32),
    ImportFrom(u32),
    MakeFunction(u32),
    Call(u32),
    CallKw(u16, u16),
    CallFunctionEx(u32),
    ReturnValue,
    JumpForward(u32),
    JumpBackward(u32),
    PopJumpIfFalse(u32),
    PopJumpIfTrue(u32),
    GetIter,
    ForIter(u32),
    BeforeWith,
    WithExit,
    CheckExcMatch,
    RaiseVarargs(u32),
    Reraise,
    ReturnGenerator,
    GetAwaitable,
    Send(u32),
    YieldValue,
    EndSend,
    JumpBackwardNoInterrupt(u32),
    BeforeAsyncWith,
    AsyncWithExit,
}

impl Instruction {
    /// CPython's name for it.
    pub const fn name(self) -> &'static str {
        use Instruction::*;
        match self {
            Nop => "NOP",
            Resume => "RESUME",
            LoadConst(_) => "LOAD_CONST",
            LoadFast(_) => "LOAD_FAST",
            LoadFastLoadFast(..) => "LOAD_FAST_LOAD_FAST",
            LoadFastLoadConst(..) => "LOAD_FAST_LOAD_CONST",
            StoreFast(_) => "STORE_FAST",
            DeleteFast(_) => "DELETE_FAST",
            LoadGlobal(_) => "LOAD_GLOBAL",
            StoreGlobal(_) => "STORE_GLOBAL",
            DeleteGlobal(_) => "DELETE_GLOBAL",
            PushNull => "PUSH_NULL",
            PopTop => "POP_TOP",
            Copy(_) => "COPY",
            Swap(_) => "SWAP",
            UnaryNegative => "UNARY_NEGATIVE",
            UnaryPositive => "UNARY_POSITIVE",
            UnaryInvert => "UNARY_INVERT",
            UnaryNot => "UNARY_NOT",
            BinaryOpAdd(_) | BinaryOpSubtract(_) | BinaryOpMultiply(_) | BinaryOpPower(_) | BinaryOp(..) => "BINARY_OP",
            CompareOp(_) => "COMPARE_OP",
            CompareOpJump(..) => "COMPARE_OP_JUMP",
            IsOp(_) => "IS_OP",
            ContainsOp(_) => "CONTAINS_OP",
            BinarySubscr => "BINARY_SUBSCR",
            StoreSubscr => "STORE_SUBSCR",
            DeleteSubscr => "DELETE_SUBSCR",
            BuildList(_) => "BUILD_LIST",
            BuildTuple(_) => "BUILD_TUPLE",
            BuildMap(_) => "BUILD_MAP",
            BuildString(_) => "BUILD_STRING",
            BuildSlice => "BUILD_SLICE",
            ListAppend(_) => "LIST_APPEND",
            MapAdd(_) => "MAP_ADD",
            UnpackSequence(_) => "UNPACK_SEQUENCE",
            ConvertValue(_) => "CONVERT_VALUE",
            FormatSimple => "FORMAT_SIMPLE",
            FormatWithSpec => "FORMAT_WITH_SPEC",
            LoadAttr(_) | LoadMethod(_) => "LOAD_ATTR",
            ImportName(_) => "IMPORT_NAME",
            ImportFrom(_) => "IMPORT_FROM",
            MakeFunction(_) => "MAKE_FUNCTION",
            Call(_) => "CALL",
            CallKw(..) => "CALL_KW",
            CallFunctionEx(_) => "CALL_FUNCTION_EX",
            ListExtend => "LIST_EXTEND",
            ReturnValue => "RETURN_VALUE",
            JumpForward(_) => "JUMP_FORWARD",
            JumpBackward(_) => "JUMP_BACKWARD",
            PopJumpIfFalse(_) => "POP_JUMP_IF_FALSE",
            PopJumpIfTrue(_) => "POP_JUMP_IF_TRUE",
            GetIter => "GET_ITER",
            ForIter(_) => "FOR_ITER",
            BeforeWith => "BEFORE_WITH",
            WithExit => "WITH_EXIT",
            CheckExcMatch => "CHECK_EXC_MATCH",
            RaiseVarargs(_) => "RAISE_VARARGS",
            Reraise => "RERAISE",
            ReturnGenerator => "RETURN_GENERATOR",
            GetAwaitable => "GET_AWAITABLE",
            Send(_) => "SEND",
            YieldValue => "YIELD_VALUE",
            EndSend => "END_SEND",
            JumpBackwardNoInterrupt(_) => "JUMP_BACKWARD_NO_INTERRUPT",
            BeforeAsyncWith => "BEFORE_ASYNC_WITH",
            AsyncWithExit => "ASYNC_WITH_EXIT",
        }
    }

    /// By how much it changes the height of the stack, going on to the next instruction.
    pub(crate) const fn effect(self) -> i32 {
        use Instruction::*;
        match self {
            Nop | Resume | Swap(_) | UnaryNegative | UnaryPositive | UnaryInvert | UnaryNot => 0,
            DeleteFast(_) | DeleteGlobal(_) | JumpForward(_) | JumpBackward(_) => 0,
            LoadConst(_) | LoadFast(_) | LoadGlobal(_) | PushNull | Copy(_) => 1,
            LoadFastLoadFast(..) | LoadFastLoadConst(..) => 2,
            StoreFast(_) | StoreGlobal(_) | PopTop | PopJumpIfFalse(_) | PopJumpIfTrue(_) | ReturnValue => -1,
            BinaryOpAdd(_) | BinaryOpSubtract(_) | BinaryOpMultiply(_) | BinaryOpPower(_) | BinaryOp(..) => -1,
            CompareOp(_) | IsOp(_) | ContainsOp(_) | BinarySubscr => -1,
            CompareOpJump(..) => -2,
            StoreSubscr => -3,
            DeleteSubscr => -2,
            BuildList(count) | BuildTuple(count) | BuildString(count) => 1 - count as i32,
            BuildMap(count) => 1 - 2 * count as i32,
            BuildSlice => -2,
            ListAppend(_) => -1,
            MapAdd(_) => -2,
            UnpackSequence(count) => count as i32 - 1,
            ConvertValue(_) | FormatSimple => 0,
            FormatWithSpec => -1,
            LoadAttr(_) => 0,
            LoadMethod(_) => 1,
            ImportName(_) => 1,
            ImportFrom(_) => 1,
            MakeFunction(_) => 0, // and less the defaults, which the compiler counts
            Call(count) => -1 - count as i32,
            CallKw(count, _) => -1 - count as i32,
            CallFunctionEx(_) => -2,
            ListExtend => -1,
            GetIter => 0,
            ForIter(_) => 1,
            BeforeWith => 0,
            WithExit => -1,
            CheckExcMatch => 0,
            RaiseVarargs(count) => -(count as i32),
            Reraise => -1,
            ReturnGenerator | GetAwaitable | Send(_) | YieldValue | JumpBackwardNoInterrupt(_) => 0,
            EndSend => -1,
            BeforeAsyncWith | AsyncWithExit => 0,
        }
    }
}

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

    /// The function's name that the instruction at this place belongs to.
    pub fn function_of(&self, pc: u32) -> Option<&str> {
        self.codes.iter().find(|code| (code.start..code.end).contains(&pc)).map(|code| &*code.name)
    }

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
