//! The evaluation loop.
//!
//! It is one function, as in CPython's `Python/ceval.c`, monomorphised over
//! the host and over the rule by which it looks at the eval breaker. Each
//! instruction finds its operands in the frame's window of the thread's stack:
//! parameters and locals first, then the operands. A call of a function of the
//! program makes a new window whose first slots are the arguments where they
//! lie, and goes round the outer loop; the Rust stack does not grow.
//!
//! Invariant: slots at or above the top of the stack hold immediate values, so
//! that pushing over them need not drop what was there.
//!
//! Where the breaker is looked at. Under the rules of 3.10 and later: at
//! `RESUME`, at `JUMP_BACKWARD`, and after a call of a native function, that of
//! `__exit__` included. Not after `BEFORE_WITH`, which calls `__enter__`: who
//! has just taken a lock by `with` keeps the GIL until the next of those
//! places, and so most often until the lock is free again. (3.14 has a `CALL`
//! there.) Under the rules of 3.9 and earlier: before every instruction. (CPython 3.9 has a
//! few exceptions, chiefly that it does not look before `SETUP_FINALLY` and
//! `SETUP_WITH`, so that a lock just taken is sure to be released; here that
//! is given anyway, since being asked to let go raises nothing.)

mod call;
mod sequence;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::binding;
use super::code::{Instruction, Operator};
use super::coroutine::{self, Coroutine, Sent};
use super::exception::{Raised, type_error};
use super::frame::{self, Continuation, Frame, Step, put, set};
use super::host::Host;
use super::iterate::Iteration;
use super::limits;
use super::methods;
use super::quick::{add_in_place, power, slow_binary, small, wide};
use super::raising::{handled, matches_exception, no_module, not_defined, raise, too_deep, unbound_local};
use super::thread::Thread;
use super::value::{Function, Value};
use super::{operate, subscript, text};

use call::{call_other, manage};
use sequence::{spread, take, unpack};

/// Instructions between two heartbeats: a few microseconds.
pub(super) const HEARTBEAT: i64 = 1000;

/// What a native function counts for, in instructions.
const NATIVE_COST: i64 = 16;

impl<H: Host> Thread<'_, H> {
    /// Runs the frames there are, the innermost of which has its parameters on the stack already, until the outermost
    /// returns, or one of them awaits something that is not there yet.
    /// With something to be raised first, if it is so resumed.
    pub(super) fn evaluate<const BEFORE_EACH: bool>(&mut self, thrown: Option<Raised>) -> Result<Step, Raised> {
        let Thread { module, host, kept, continuation, countdown, waker, .. } = self;
        let Continuation { stack, frames } = continuation;
        let module = *module;
        let program = &**module.program();
        let instructions = &program.instructions[..];
        if let Some(raised) = thrown {
            let Raised::Exception(exception) = raised else { return Err(Raised::Stopped) };
            let at = frames.last().map_or(0, |frame| frame.pc - 1);
            frame::unwind(program, stack, frames, exception, at).map_err(Raised::Exception)?;
        }

        'frames: loop {
            let Some(frame) = frames.last_mut() else { return Ok(Step::Returned(Value::None)) };
            let code = &program.codes[frame.code as usize];
            let base = frame.base;
            if stack.len() < base + code.frame_size {
                stack.resize(base + code.frame_size, Value::Unbound);
            }
            let slots = &mut stack[base..base + code.frame_size];
            let mut pc = frame.pc as usize;
            let mut top = frame.top;

            // What ends the loop below otherwise than by a call or a return.
            let raised: Raised = 'raised: {
                macro_rules! attempt {
                    ($result:expr) => {
                        match $result {
                            Ok(value) => value,
                            Err(raised) => break 'raised raised.into(),
                        }
                    };
                }
                macro_rules! count {
                    ($cost:expr) => {
                        *countdown -= $cost;
                        if *countdown < 0 {
                            host.worked((HEARTBEAT - *countdown) as u64);
                            *countdown = HEARTBEAT;
                            host.heartbeat(program.line_of(pc as u32 - 1));
                        }
                    };
                }
                macro_rules! safe_point {
                    ($cost:expr) => {
                        count!($cost);
                        if !BEFORE_EACH && host.breaker().load(Relaxed) != 0 {
                            attempt!(host.safe_point(program.line_of(pc as u32 - 1)));
                        }
                    };
                }
                macro_rules! push {
                    ($value:expr) => {
                        put(&mut slots[top], $value);
                        top += 1;
                    };
                }
                macro_rules! pop {
                    () => {{
                        top -= 1;
                        std::mem::take(&mut slots[top])
                    }};
                }
                /// Gives up the frame and gives its value to the one below.
                macro_rules! leave {
                    ($value:expr) => {{
                        let value = $value;
                        for slot in slots.iter_mut() {
                            set(slot, Value::Unbound);
                        }
                        frames.pop();
                        let Some(caller) = frames.last_mut() else { return Ok(Step::Returned(value)) };
                        // The callable and the null below the arguments make room for the result.
                        let result_at = caller.base + caller.top;
                        stack[result_at] = value;
                        caller.top += 1;
                        continue 'frames;
                    }};
                }
                /// Two ints, two floats, or whatever else.
                macro_rules! arithmetic {
                    ($operator:expr, $inplace:expr, $ints:expr, $floats:expr) => {{
                        let quick = match (&slots[top - 2], &slots[top - 1]) {
                            (Value::Int(a), Value::Int(b)) => $ints(*a, *b).map(Value::Int),
                            (Value::Float(a), Value::Float(b)) => $floats(*a, *b).map(Value::Float),
                            _ => None,
                        };
                        match quick {
                            Some(value) => {
                                top -= 1;
                                put(&mut slots[top - 1], value);
                            }
                            None => {
                                let upper = &mut slots[..top];
                                if !(wide($operator, upper) || add_in_place($operator, upper, instructions[pc])) {
                                    let line = program.line_of(pc as u32 - 1);
                                    let (a, b) = (&slots[top - 2], &slots[top - 1]);
                                    let value = attempt!(slow_binary(host, line, $operator, $inplace, a, b));
                                    set(&mut slots[top - 2], value);
                                }
                                top -= 1;
                                set(&mut slots[top], Value::Unbound);
                            }
                        }
                    }};
                }
                macro_rules! comparison {
                    ($comparison:expr) => {{
                        let (a, b) = (&slots[top - 2], &slots[top - 1]);
                        let holds = match (a, b) {
                            (Value::Int(a), Value::Int(b)) => $comparison.holds(a.cmp(b)),
                            _ => attempt!(operate::compare($comparison, a, b)),
                        };
                        top -= 2;
                        set(&mut slots[top + 1], Value::Unbound);
                        set(&mut slots[top], Value::Unbound);
                        holds
                    }};
                }

                loop {
                    if BEFORE_EACH && host.breaker().load(Relaxed) != 0 {
                        attempt!(host.safe_point(program.line_of(pc as u32)));
                    }
                    let instruction = &instructions[pc];
                    host.place().store(pc as u32, Relaxed);
                    pc += 1;
                    match *instruction {
                        Instruction::Nop => {}
                        Instruction::Resume => {
                            safe_point!(8);
                        }
                        Instruction::LoadConst(index) => {
                            push!(program.constants[index as usize].copy());
                        }
                        Instruction::LoadFast(slot) => {
                            let value = slots[slot as usize].copy();
                            if let Value::Unbound = value {
                                break 'raised unbound_local(&code.locals[slot as usize]);
                            }
                            push!(value);
                        }
                        Instruction::LoadFastLoadFast(a, b) => {
                            for slot in [a, b] {
                                let value = slots[slot as usize].copy();
                                if let Value::Unbound = value {
                                    break 'raised unbound_local(&code.locals[slot as usize]);
                                }
                                push!(value);
                            }
                        }
                        Instruction::LoadFastLoadConst(slot, index) => {
                            let value = slots[slot as usize].copy();
                            if let Value::Unbound = value {
                                break 'raised unbound_local(&code.locals[slot as usize]);
                            }
                            push!(value);
                            push!(program.constants[index as usize].copy());
                        }
                        Instruction::StoreFast(slot) => {
                            let value = pop!();
                            set(&mut slots[slot as usize], value);
                        }
                        Instruction::DeleteFast(slot) => {
                            let old = std::mem::take(&mut slots[slot as usize]);
                            if let Value::Unbound = old {
                                break 'raised unbound_local(&code.locals[slot as usize]);
                            }
                        }
                        Instruction::LoadGlobal(slot) => {
                            let value = module.globals.load(kept, slot as usize);
                            if let Value::Unbound = value {
                                break 'raised not_defined(&program.globals[slot as usize].0);
                            }
                            push!(value);
                        }
                        Instruction::StoreGlobal(slot) => {
                            let value = pop!();
                            drop(module.globals.store(kept, slot as usize, value));
                        }
                        Instruction::DeleteGlobal(slot) => {
                            let old = module.globals.store(kept, slot as usize, Value::Unbound);
                            if let Value::Unbound = old {
                                break 'raised not_defined(&program.globals[slot as usize].0);
                            }
                        }
                        Instruction::PushNull => {
                            push!(Value::Unbound);
                        }
                        Instruction::PopTop => {
                            top -= 1;
                            set(&mut slots[top], Value::Unbound);
                        }
                        Instruction::Copy(depth) => {
                            let value = slots[top - depth as usize].copy();
                            push!(value);
                        }
                        Instruction::Swap(depth) => slots.swap(top - 1, top - depth as usize),
                        Instruction::BinaryOpAdd(inplace) => {
                            arithmetic!(Operator::Add, inplace, |a: i64, b| a.checked_add(b), |a: f64, b| Some(a + b));
                        }
                        Instruction::BinaryOpSubtract(inplace) => {
                            arithmetic!(Operator::Subtract, inplace, |a: i64, b| a.checked_sub(b), |a: f64, b| Some(
                                a - b
                            ));
                        }
                        Instruction::BinaryOpMultiply(inplace) => {
                            arithmetic!(Operator::Multiply, inplace, |a: i64, b| a.checked_mul(b), |a: f64, b| Some(
                                a * b
                            ));
                        }
                        Instruction::BinaryOpPower(inplace) => {
                            arithmetic!(Operator::Power, inplace, power, |_: f64, _: f64| None);
                        }
                        Instruction::BinaryOp(operator, inplace) => {
                            arithmetic!(operator, inplace, |a, b| small(operator, a, b), |_: f64, _: f64| None);
                        }
                        Instruction::UnaryNegative => {
                            let value = match &slots[top - 1] {
                                Value::Float(value) => Value::Float(-value),
                                other => attempt!(operate::unary("-", other)),
                            };
                            set(&mut slots[top - 1], value);
                        }
                        Instruction::UnaryPositive => {
                            let value = attempt!(operate::unary("+", &slots[top - 1]));
                            set(&mut slots[top - 1], value);
                        }
                        Instruction::UnaryInvert => {
                            let value = attempt!(operate::unary("~", &slots[top - 1]));
                            set(&mut slots[top - 1], value);
                        }
                        Instruction::UnaryNot => {
                            let value = Value::Bool(!slots[top - 1].truth());
                            set(&mut slots[top - 1], value);
                        }
                        Instruction::CompareOp(comparison) => {
                            let holds = comparison!(comparison);
                            push!(Value::Bool(holds));
                        }
                        Instruction::CompareOpJump(comparison, target) => {
                            if !comparison!(comparison) {
                                pc = target as usize;
                            }
                        }
                        Instruction::IsOp(not) => {
                            let same = slots[top - 2].is(&slots[top - 1]);
                            top -= 1;
                            set(&mut slots[top], Value::Unbound);
                            set(&mut slots[top - 1], Value::Bool(same != not));
                        }
                        Instruction::ContainsOp(not) => {
                            let found = attempt!(operate::contains(&slots[top - 1], &slots[top - 2]));
                            top -= 1;
                            set(&mut slots[top], Value::Unbound);
                            set(&mut slots[top - 1], Value::Bool(found != not));
                        }
                        Instruction::BinarySubscr => {
                            let value = attempt!(subscript::get(&slots[top - 2], &slots[top - 1]));
                            top -= 1;
                            set(&mut slots[top], Value::Unbound);
                            set(&mut slots[top - 1], value);
                        }
                        Instruction::StoreSubscr => {
                            let key = pop!();
                            let container = pop!();
                            let value = pop!();
                            attempt!(subscript::set(&container, key, value));
                        }
                        Instruction::DeleteSubscr => {
                            let key = pop!();
                            let container = pop!();
                            attempt!(subscript::delete(&container, &key));
                        }
                        Instruction::BuildList(count) => {
                            let items = take(slots, &mut top, count);
                            push!(Value::list(items));
                        }
                        Instruction::BuildTuple(count) => {
                            let items = take(slots, &mut top, count);
                            push!(Value::tuple(items));
                        }
                        Instruction::BuildMap(_) => {
                            push!(Value::Dict(Arc::default()));
                        }
                        Instruction::BuildString(count) => {
                            let mut joined = String::new();
                            for piece in take(slots, &mut top, count) {
                                if let Value::Str(piece) = &piece {
                                    joined.push_str(piece.as_str());
                                }
                            }
                            push!(Value::str(joined));
                        }
                        Instruction::BuildSlice => {
                            let step = pop!();
                            let stop = pop!();
                            let start = pop!();
                            push!(Value::Slice(Arc::new([start, stop, step])));
                        }
                        Instruction::ListAppend(depth) => {
                            let value = pop!();
                            if let Value::List(list) = &slots[top - depth as usize] {
                                let mut items = list.lock();
                                attempt!(limits::items(items.len() as u128 + 1));
                                items.push(value);
                            }
                        }
                        Instruction::ListExtend => {
                            let value = pop!();
                            let more = attempt!(spread(&value, &slots[top - 3]));
                            if let Value::List(list) = &slots[top - 1] {
                                let mut items = list.lock();
                                attempt!(limits::items(items.len() as u128 + more.len() as u128));
                                items.extend(more);
                            }
                        }
                        Instruction::MapAdd(depth) => {
                            let value = pop!();
                            let key = pop!();
                            if let Value::Dict(dict) = &slots[top - depth as usize] {
                                attempt!(dict.lock().insert(key, value));
                            }
                        }
                        Instruction::UnpackSequence(count) => {
                            let value = pop!();
                            let items = attempt!(unpack(&value, count as usize));
                            for item in items.into_iter().rev() {
                                push!(item);
                            }
                        }
                        Instruction::ConvertValue(conversion) => {
                            let value = &slots[top - 1];
                            let shown = if conversion == b'r' { text::repr(value) } else { text::str(value) };
                            let shown = attempt!(shown);
                            set(&mut slots[top - 1], Value::str(shown));
                        }
                        Instruction::FormatSimple => {
                            let shown = attempt!(text::str(&slots[top - 1]));
                            set(&mut slots[top - 1], Value::str(shown));
                        }
                        Instruction::FormatWithSpec => {
                            let spec = pop!();
                            let shown = attempt!(methods::format_value(&slots[top - 1], &spec));
                            set(&mut slots[top - 1], Value::str(shown));
                        }
                        Instruction::LoadAttr(name) => {
                            let value = pop!();
                            let attribute = &program.attributes[name as usize];
                            push!(match methods::find(&value, attribute) {
                                Some(native) => Value::Method(Arc::new((value, native))),
                                None => attempt!(methods::attribute(&value, &attribute.name)),
                            });
                        }
                        Instruction::LoadMethod(name) => {
                            let attribute = &program.attributes[name as usize];
                            match methods::find(&slots[top - 1], attribute) {
                                Some(native) => {
                                    let object = std::mem::replace(&mut slots[top - 1], Value::Native(native));
                                    push!(object);
                                }
                                None => {
                                    let value = pop!();
                                    push!(attempt!(methods::attribute(&value, &attribute.name)));
                                    push!(Value::Unbound);
                                }
                            }
                        }
                        Instruction::ImportName(index) => {
                            let name = &program.imports[index as usize].0;
                            let library = super::modules::get(name);
                            push!(attempt!(library.map(Value::Module).ok_or_else(|| no_module(name))));
                        }
                        Instruction::ImportFrom(index) => {
                            let (_, name) = &program.imports[index as usize];
                            let value = attempt!(methods::attribute(&slots[top - 1], name));
                            push!(value);
                        }
                        Instruction::MakeFunction(index) => {
                            let defaults = match pop!() {
                                Value::Tuple(defaults) => defaults.0.clone(),
                                _ => Vec::new(),
                            };
                            let name = program.codes[index as usize].name.clone();
                            push!(Value::Function(Arc::new(Function::new(index, name, defaults))));
                        }
                        Instruction::Call(_) | Instruction::CallKw(..) => {
                            let (count, keywords) = match *instruction {
                                Instruction::Call(count) => (count as usize, &[][..]),
                                Instruction::CallKw(count, names) => {
                                    (count.into(), &program.keywords[names as usize][..])
                                }
                                _ => (0, &[][..]),
                            };
                            let args_at = top - count;
                            let callable_at = args_at - 2;
                            let first = if let Value::Unbound = slots[args_at - 1] { args_at } else { args_at - 1 };
                            let line = program.line_of(pc as u32 - 1);
                            let value = match &slots[callable_at] {
                                Value::Function(function) => {
                                    if frames.len() >= limits::FRAMES {
                                        break 'raised too_deep();
                                    }
                                    let index = function.code;
                                    let callee = &program.codes[index as usize];
                                    let exact = count == callee.parameters.len()
                                        && keywords.is_empty()
                                        && callee.keyword_only == 0;
                                    let bound = if exact {
                                        None
                                    } else {
                                        let args = slots[args_at..top].to_vec();
                                        Some(attempt!(binding::bind(callee, function, args, keywords)))
                                    };
                                    let needed = base + args_at + callee.frame_size;
                                    if stack.len() < needed {
                                        stack.resize(needed, Value::Unbound);
                                    }
                                    let window = &mut stack[base + args_at..needed];
                                    for (slot, value) in window.iter_mut().zip(bound.into_iter().flatten()) {
                                        *slot = value;
                                    }
                                    // Numbers may have been left behind above the caller's top.
                                    for slot in &mut window[callee.parameters.len()..callee.locals.len()] {
                                        set(slot, Value::Unbound);
                                    }
                                    if let Some(frame) = frames.last_mut() {
                                        frame.pc = pc as u32;
                                        frame.top = callable_at;
                                    }
                                    let top = callee.locals.len();
                                    frames.push(Frame { code: index, pc: callee.start, base: base + args_at, top });
                                    continue 'frames;
                                }
                                other => attempt!(call_other(other, &slots[first..top], keywords, &mut *host, line)),
                            };
                            while top > callable_at {
                                top -= 1;
                                set(&mut slots[top], Value::Unbound);
                            }
                            push!(value);
                            safe_point!(NATIVE_COST);
                        }
                        Instruction::CallFunctionEx(names) => {
                            let keywords = &program.keywords[names as usize][..];
                            let Value::List(list) = pop!() else { break 'raised type_error("no arguments") };
                            let mut args = std::mem::take(&mut *list.lock());
                            let callable_at = top - 2;
                            if !matches!(slots[top - 1], Value::Unbound) {
                                args.insert(0, std::mem::take(&mut slots[top - 1]));
                            }
                            let line = program.line_of(pc as u32 - 1);
                            let value = match &slots[callable_at] {
                                Value::Function(function) => {
                                    if frames.len() >= limits::FRAMES {
                                        break 'raised too_deep();
                                    }
                                    let index = function.code;
                                    let callee = &program.codes[index as usize];
                                    let args = attempt!(binding::bind(callee, function, args, keywords));
                                    if let Some(frame) = frames.last_mut() {
                                        frame.pc = pc as u32;
                                        frame.top = callable_at;
                                    }
                                    frames.push(Frame::called(program, index, base + top, stack, args));
                                    continue 'frames;
                                }
                                other => attempt!(call_other(other, &args, keywords, &mut *host, line)),
                            };
                            while top > callable_at {
                                top -= 1;
                                set(&mut slots[top], Value::Unbound);
                            }
                            push!(value);
                            safe_point!(NATIVE_COST);
                        }
                        Instruction::ReturnValue => {
                            let value = pop!();
                            leave!(value);
                        }
                        Instruction::ReturnGenerator => {
                            let args = slots[..code.parameters.len()].iter_mut().map(std::mem::take).collect();
                            let (index, caller) = match &frames[..] {
                                [.., caller, frame] => (frame.code, program.line_of(caller.pc - 1)),
                                [frame] => (frame.code, code.signature.line),
                                [] => (0, code.signature.line),
                            };
                            leave!(Coroutine::program(&code.name, caller, index, args));
                        }
                        Instruction::GetAwaitable => {
                            let awaitable = attempt!(coroutine::awaitable(&slots[top - 1]));
                            set(&mut slots[top - 1], awaitable);
                        }
                        Instruction::Send(target) => match attempt!(coroutine::send(&slots[top - 2], waker)) {
                            Sent::Done(value) => {
                                set(&mut slots[top - 1], value);
                                pc = target as usize;
                            }
                            Sent::Suspend => {}
                            Sent::Enter { code: index, args } => {
                                if frames.len() >= limits::FRAMES {
                                    break 'raised too_deep();
                                }
                                // What was sent makes room for the result.
                                top -= 1;
                                set(&mut slots[top], Value::Unbound);
                                if let Some(frame) = frames.last_mut() {
                                    frame.pc = target;
                                    frame.top = top;
                                }
                                frames.push(Frame::begun(program, index, base + top, stack, args));
                                continue 'frames;
                            }
                        },
                        Instruction::YieldValue => {
                            // What it yields is nothing to anybody here; it stays, for being sent back.
                            let awaiting = slots[top - 2].clone();
                            if let Some(frame) = frames.last_mut() {
                                frame.pc = pc as u32;
                                frame.top = top;
                            }
                            return Ok(Step::Awaiting(awaiting));
                        }
                        Instruction::EndSend => {
                            let value = pop!();
                            set(&mut slots[top - 1], value);
                        }
                        Instruction::JumpBackwardNoInterrupt(target) => pc = target as usize,
                        Instruction::JumpForward(target) => pc = target as usize,
                        Instruction::JumpBackward(target) => {
                            safe_point!((pc - target as usize) as i64);
                            pc = target as usize;
                        }
                        Instruction::PopJumpIfFalse(target) => {
                            top -= 1;
                            if !slots[top].truth() {
                                pc = target as usize;
                            }
                            set(&mut slots[top], Value::Unbound);
                        }
                        Instruction::PopJumpIfTrue(target) => {
                            top -= 1;
                            if slots[top].truth() {
                                pc = target as usize;
                            }
                            set(&mut slots[top], Value::Unbound);
                        }
                        Instruction::GetIter => {
                            let iteration = attempt!(Iteration::over(&slots[top - 1]));
                            set(&mut slots[top - 1], Value::Loop(Box::new(iteration)));
                        }
                        Instruction::ForIter(target) => {
                            let item = match &mut slots[top - 1] {
                                Value::Loop(iteration) => match &mut **iteration {
                                    Iteration::Range { next, left, step } => {
                                        if *left == 0 {
                                            None
                                        } else {
                                            *left -= 1;
                                            let value = *next;
                                            *next = value.wrapping_add(*step);
                                            Some(Value::Int(value))
                                        }
                                    }
                                    other => attempt!(other.advance()),
                                },
                                _ => None,
                            };
                            match item {
                                Some(item) => {
                                    push!(item);
                                }
                                None => {
                                    top -= 1;
                                    set(&mut slots[top], Value::Unbound);
                                    pc = target as usize;
                                }
                            }
                        }
                        Instruction::BeforeWith
                        | Instruction::WithExit
                        | Instruction::BeforeAsyncWith
                        | Instruction::AsyncWithExit => {
                            let (manager, line) = (pop!(), program.line_of(pc as u32 - 1));
                            if let Some(value) = attempt!(manage(*instruction, manager, &mut *host, line)) {
                                push!(value);
                            }
                            // The way out is a call, the way in none.
                            if let Instruction::WithExit | Instruction::AsyncWithExit = *instruction {
                                safe_point!(NATIVE_COST);
                            } else {
                                count!(NATIVE_COST);
                            }
                        }
                        Instruction::CheckExcMatch => {
                            let class = pop!();
                            let caught = attempt!(matches_exception(&slots[top - 1], &class));
                            push!(Value::Bool(caught));
                        }
                        Instruction::RaiseVarargs(count) => {
                            let value = if count == 0 { handled(program, stack, frames) } else { pop!() };
                            break 'raised raise(&value);
                        }
                        Instruction::Reraise => {
                            let value = pop!();
                            break 'raised raise(&value);
                        }
                    }
                }
            };

            let Raised::Exception(exception) = raised else { return Err(Raised::Stopped) };
            frame::unwind(program, stack, frames, exception, pc as u32 - 1).map_err(Raised::Exception)?;
        }
    }
}
