//! Puts instructions together: the program so far, and the function being compiled.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::vm::code::{Attribute, Code, Handler, Instruction, Program};
use crate::vm::native::Library;
use crate::vm::value::Value;
use crate::vm::{builtins, methods};

use super::{Place, Result};

/// A place to jump to, not known until it is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// Something a jump out of it has to see to.
pub(super) enum Block<'a> {
    /// A loop; a `for` keeps its iterator on the stack.
    Loop { continue_at: Label, break_to: Label, is_for: bool },
    /// A `with`: its context manager lies in this local.
    With { manager: u32, is_async: bool, range: Range },
    /// A `try` with a `finally`.
    Finally { body: &'a [ruff_python_ast::Stmt], range: Range },
    /// A `try` with handlers.
    Try { range: Range },
    /// A handler: this is unbound on every way out of it.
    Handling { variable: Variable<'a>, range: Range },
}

/// What a handler binds while it runs.
#[derive(Clone, Copy)]
pub(super) enum Variable<'a> {
    /// The exception being handled, in a local of the compiler's.
    Raised(u32),
    /// The name after `as`.
    Named(&'a str),
}

/// The instructions a handler protects. They are not one piece where a way out was compiled among them.
#[derive(Default)]
pub(super) struct Range {
    pieces: Vec<(u32, u32)>,
    open: Option<u32>,
}

impl Range {
    pub(super) fn open(at: u32) -> Range {
        Range { pieces: Vec::new(), open: Some(at) }
    }

    pub(super) fn pause(&mut self, at: u32) {
        if let Some(start) = self.open.take()
            && start < at
        {
            self.pieces.push((start, at));
        }
    }

    pub(super) fn resume(&mut self, at: u32) {
        self.open.get_or_insert(at);
    }
}

impl Block<'_> {
    pub(super) fn range(&mut self) -> Option<&mut Range> {
        match self {
            Block::Loop { .. } => None,
            Block::With { range, .. }
            | Block::Finally { range, .. }
            | Block::Try { range }
            | Block::Handling { range, .. } => Some(range),
        }
    }

    /// Whether something is executed on the way out of it.
    pub(super) fn has_way_out(&self) -> bool {
        !matches!(self, Block::Loop { .. } | Block::Try { .. })
    }
}

/// The function being compiled.
pub(super) struct Frame<'a> {
    pub is_module: bool,
    /// Of an `async def`: it may await.
    pub is_async: bool,
    pub locals: Vec<Arc<str>>,
    /// Names in scope: those of comprehensions shadow the function's while they last.
    pub by_name: HashMap<String, Vec<u32>>,
    pub globals: HashSet<String>,
    pub blocks: Vec<Block<'a>>,
    pub handlers: Vec<Handler>,
    pub depth: i32,
    pub max_depth: i32,
    labels: Vec<Option<u32>>,
    start: u32,
    /// No instruction before this may be merged with a later one: something jumps here.
    barrier: u32,
}

/// The compiler's state.
pub(super) struct Compiler<'a> {
    pub place: &'a Place<'a>,
    pub program: Program,
    pub frame: Frame<'a>,
    /// Names that the module assigns somewhere.
    pub assigned: HashSet<&'a str>,
    /// Names the module imports, and what they are.
    pub imported: HashMap<String, &'static Library>,
    pub line: u32,
    globals: HashMap<Arc<str>, u32>,
    attributes: HashMap<Arc<str>, u32>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(start: u32, is_module: bool) -> Frame<'a> {
        Frame {
            is_module,
            is_async: false,
            locals: Vec::new(),
            by_name: HashMap::new(),
            globals: HashSet::new(),
            blocks: Vec::new(),
            handlers: Vec::new(),
            depth: 0,
            max_depth: 0,
            labels: Vec::new(),
            start,
            barrier: start,
        }
    }
}

impl<'a> Compiler<'a> {
    pub(super) fn new(place: &'a Place<'a>) -> Compiler<'a> {
        let program = Program {
            file: place.file.clone(),
            instructions: Vec::new(),
            lines: Vec::new(),
            constants: Vec::new(),
            attributes: Vec::new(),
            imports: Vec::new(),
            keywords: Vec::new(),
            globals: Vec::new(),
            codes: Vec::new(),
        };
        Compiler {
            place,
            program,
            frame: Frame::new(0, true),
            assigned: HashSet::new(),
            imported: HashMap::new(),
            line: 1,
            globals: HashMap::new(),
            attributes: HashMap::new(),
        }
    }

    /// The place of the next instruction.
    pub(super) fn here(&self) -> u32 {
        self.program.instructions.len() as u32
    }

    pub(super) fn emit(&mut self, instruction: Instruction) {
        self.frame.depth += instruction.effect();
        debug_assert!(self.frame.depth >= 0, "the stack runs dry at {instruction:?} in line {}", self.line);
        self.frame.max_depth = self.frame.max_depth.max(self.frame.depth);
        if let Some(merged) = self.merged(instruction)
            && let Some(last) = self.program.instructions.last_mut()
        {
            *last = merged;
            return;
        }
        self.program.instructions.push(instruction);
        self.program.lines.push(self.line);
    }

    /// The instruction that does the last one and this one together, if there is one. Only within a line, as in
    /// CPython, so that each line keeps its instructions.
    fn merged(&self, instruction: Instruction) -> Option<Instruction> {
        use Instruction::*;
        let last = *self.program.instructions.last()?;
        if self.here() <= self.frame.barrier || self.program.lines.last() != Some(&self.line) {
            return None;
        }
        let short = |index: u32| u16::try_from(index).ok();
        match (last, instruction) {
            (LoadFast(a), LoadFast(b)) => Some(LoadFastLoadFast(short(a)?, short(b)?)),
            (LoadFast(a), LoadConst(b)) => Some(LoadFastLoadConst(short(a)?, short(b)?)),
            _ => None,
        }
    }

    pub(super) fn label(&mut self) -> Label {
        self.frame.labels.push(None);
        Label(self.frame.labels.len() - 1)
    }

    /// The label is here.
    pub(super) fn bind(&mut self, label: Label) {
        self.frame.labels[label.0] = Some(self.here());
        self.frame.barrier = self.here();
    }

    /// Emits a jump; its argument is put in when the function is complete.
    pub(super) fn jump(&mut self, jump: fn(u32) -> Instruction, label: Label) {
        // A comparison and the jump on it are one, as in CPython 3.11's COMPARE_OP_INT_JUMP.
        if self.here() > self.frame.barrier
            && let Some(Instruction::CompareOp(comparison)) = self.program.instructions.last().copied()
            && jump(0) == Instruction::PopJumpIfFalse(0)
        {
            self.frame.depth -= 1;
            if let Some(last) = self.program.instructions.last_mut() {
                *last = Instruction::CompareOpJump(comparison, label.0 as u32);
            }
            self.frame.barrier = self.here();
            return;
        }
        self.emit(jump(label.0 as u32));
        self.frame.barrier = self.here();
    }

    pub(super) fn constant(&mut self, value: Value) {
        let same = |known: &Value| known.type_name() == value.type_name() && known.is(&value);
        // Only the latest are looked through: a table of a thousand numbers stays linear.
        let from = self.program.constants.len().saturating_sub(32);
        let known = self.program.constants[from..].iter().position(same).map(|at| from + at);
        let index = known.unwrap_or_else(|| {
            self.program.constants.push(value);
            self.program.constants.len() - 1
        });
        self.emit(Instruction::LoadConst(index as u32));
    }

    /// A local the compiler makes for itself.
    pub(super) fn hidden(&mut self, purpose: &str) -> u32 {
        self.frame.locals.push(format!(".{purpose}").into());
        self.frame.locals.len() as u32 - 1
    }

    pub(super) fn declare(&mut self, name: &str) -> u32 {
        self.frame.locals.push(name.into());
        let slot = self.frame.locals.len() as u32 - 1;
        self.frame.by_name.entry(name.into()).or_default().push(slot);
        slot
    }

    /// The local of this name, if it is one here.
    pub(super) fn local(&self, name: &str) -> Option<u32> {
        self.frame.by_name.get(name).and_then(|slots| slots.last()).copied()
    }

    pub(super) fn global(&mut self, name: &str) -> u32 {
        if let Some(&slot) = self.globals.get(name) {
            return slot;
        }
        let name: Arc<str> = name.into();
        let slot = self.program.globals.len() as u32;
        let value = builtins::get(&name).unwrap_or_default();
        self.program.globals.push((name.clone(), value));
        self.globals.insert(name, slot);
        slot
    }

    pub(super) fn attribute(&mut self, name: &str) -> u32 {
        if let Some(&index) = self.attributes.get(name) {
            return index;
        }
        let name: Arc<str> = name.into();
        let index = self.program.attributes.len() as u32;
        self.program.attributes.push(Attribute { name: name.clone(), methods: methods::named(&name) });
        self.attributes.insert(name, index);
        index
    }

    /// The handler of a range begins here, with the exception on the stack.
    pub(super) fn handler(&mut self, mut range: Range, depth: i32) {
        let target = self.here();
        range.pause(target);
        for (start, end) in range.pieces {
            self.frame.handlers.push(Handler { start, end, target, depth: depth as u32 });
        }
        self.frame.barrier = target;
        self.frame.depth = depth + 1;
        self.frame.max_depth = self.frame.max_depth.max(self.frame.depth);
    }

    /// Puts the places of labels into jumps, and the finished frame into a code object.
    pub(super) fn finish(&mut self, frame: Frame<'a>, mut code: Code) -> Result<Code> {
        use Instruction::*;
        let end = self.here();
        let at = |label: u32| frame.labels[label as usize].unwrap_or(end);
        for instruction in &mut self.program.instructions[frame.start as usize..] {
            match instruction {
                JumpForward(to)
                | JumpBackward(to)
                | PopJumpIfFalse(to)
                | PopJumpIfTrue(to)
                | ForIter(to)
                | Send(to)
                | JumpBackwardNoInterrupt(to)
                | CompareOpJump(_, to) => *to = at(*to),
                _ => {}
            }
        }
        code.start = frame.start;
        code.end = end;
        code.frame_size = frame.locals.len() + frame.max_depth as usize;
        code.locals = frame.locals;
        code.handlers = frame.handlers;
        Ok(code)
    }
}
