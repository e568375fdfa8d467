//! Frames, and the stack they lie on: of a thread while they run, of a task while it awaits.

use std::sync::Arc;

use super::code::Program;
use super::exception::{Exception, Traced};
use super::value::Value;
use crate::event::Line;

/// A call of a function of the program.
pub(super) struct Frame {
    pub(super) code: u32,
    /// Of the next instruction.
    pub(super) pc: u32,
    /// Where its window of the stack begins.
    pub(super) base: usize,
    /// The top of the stack, counted from the base.
    pub(super) top: usize,
}

impl Frame {
    /// Of a code object whose parameters lie at `base` already.
    pub(super) fn of(program: &Program, code: u32, base: usize) -> Frame {
        let callee = &program.codes[code as usize];
        Frame { code, pc: callee.start, base, top: callee.locals.len() }
    }

    /// Of a coroutine that begins now: the instruction that made its object has been executed, so it goes on behind
    /// that.
    pub(super) fn begun(program: &Program, code: u32, base: usize, stack: &mut Vec<Value>, args: Vec<Value>) -> Frame {
        let frame = Frame::called(program, code, base, stack, args);
        Frame { pc: frame.pc + 1, ..frame }
    }

    /// Of a code object whose parameters are put where they belong.
    pub(super) fn called(program: &Program, code: u32, base: usize, stack: &mut Vec<Value>, args: Vec<Value>) -> Frame {
        let callee = &program.codes[code as usize];
        let needed = base + callee.frame_size;
        if stack.len() < needed {
            stack.resize(needed, Value::Unbound);
        }
        let (params, others) = stack[base..base + callee.locals.len()].split_at_mut(callee.parameters.len());
        for (slot, arg) in params.iter_mut().zip(args) {
            put(slot, arg);
        }
        // Numbers may have been left behind above the awaiter's top.
        others.iter_mut().for_each(|slot| put(slot, Value::Unbound));
        Frame::of(program, code, base)
    }
}

/// Frames that can go on.
#[derive(Default)]
pub(super) struct Continuation {
    pub(super) stack: Vec<Value>,
    pub(super) frames: Vec<Frame>,
}

impl Continuation {
    /// Nothing to go on with.
    pub(super) fn clear(&mut self) {
        self.stack.clear();
        self.frames.clear();
    }
}

/// Why the evaluation loop came back.
pub(super) enum Step {
    /// The outermost frame returned this.
    Returned(Value),
    /// The innermost frame awaits this, which has been given the thread's waker.
    Awaiting(Value),
}

/// Overwrites a slot known to hold an immediate value.
#[inline(always)]
pub(super) fn put(slot: &mut Value, value: Value) {
    debug_assert!(slot.is_immediate(), "a slot above the top holds {slot:?}");
    std::mem::forget(std::mem::replace(slot, value));
}

/// Overwrites a slot, quickly if it holds an immediate value.
#[inline(always)]
pub(super) fn set(slot: &mut Value, value: Value) {
    let old = std::mem::replace(slot, value);
    if old.is_immediate() {
        std::mem::forget(old);
    } else {
        drop(old);
    }
}

/// Goes on to the innermost handler for what was raised by the instruction at `at`; an error if there is none, and then
/// no frame either.
#[cold]
pub(super) fn unwind(
    program: &Program,
    stack: &mut [Value],
    frames: &mut Vec<Frame>,
    mut exception: Box<Exception>,
    mut at: u32,
) -> Result<(), Box<Exception>> {
    loop {
        let Some(frame) = frames.last_mut() else { return Err(exception) };
        let code = &program.codes[frame.code as usize];
        let line = program.line_of(at);
        if exception.line == Line::NONE {
            exception.line = line;
        }
        let window = &mut stack[frame.base..frame.base + code.frame_size];
        let handler = code.handlers.iter().find(|handler| (handler.start..handler.end).contains(&at));
        let keep = handler.map_or(0, |handler| code.locals.len() + handler.depth as usize);
        for slot in &mut window[keep..] {
            set(slot, Value::Unbound);
        }
        if let Some(handler) = handler {
            window[keep] = Value::Exception(Arc::new(*exception));
            frame.top = keep + 1;
            frame.pc = handler.target;
            return Ok(());
        }
        exception.traceback.insert(0, Traced { function: code.name.clone(), line });
        frames.pop();
        at = frames.last().map_or(0, |caller| caller.pc - 1);
    }
}
