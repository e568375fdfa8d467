//! Instructions, operators and comparisons.

use std::cmp::Ordering;

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
