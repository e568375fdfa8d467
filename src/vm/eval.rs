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
//! `RESUME`, at `JUMP_BACKWARD`, and after a call of a native function. Under
//! the rules of 3.9 and earlier: before every instruction. (CPython 3.9 has a
//! few exceptions, chiefly that it does not look before `SETUP_FINALLY` and
//! `SETUP_WITH`, so that a lock just taken is sure to be released; here that
//! is given anyway, since being asked to let go raises nothing.)

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::binding;
use super::code::{Instruction, Operator};
use super::exception::{Exception, Kind, Raised, type_error};
use super::host::Host;
use super::iterate::{Iteration, gather};
use super::limits;
use super::methods;
use super::native::Call;
use super::thread::Thread;
use super::value::{Function, Value};
use super::{number, operate, subscript, text};

/// A call of a function of the program.
pub(super) struct Frame {
    code: u32,
    /// Of the next instruction.
    pc: u32,
    /// Where its window of the stack begins.
    base: usize,
    /// The top of the stack, counted from the base.
    top: usize,
}

/// Instructions between two heartbeats: a few microseconds.
const HEARTBEAT: i64 = 1000;

/// What a native function counts for, in instructions.
const NATIVE_COST: i64 = 16;

/// From so many bits on an operation on ints has heartbeats of its own.
const LONG_INT: u64 = 1 << 13;

/// Overwrites a slot known to hold an immediate value.
#[inline(always)]
fn put(slot: &mut Value, value: Value) {
    debug_assert!(slot.is_immediate(), "a slot above the top holds {slot:?}");
    std::mem::forget(std::mem::replace(slot, value));
}

/// Overwrites a slot, quickly if it holds an immediate value.
#[inline(always)]
fn set(slot: &mut Value, value: Value) {
    let old = std::mem::replace(slot, value);
    if old.is_immediate() {
        std::mem::forget(old);
    } else {
        drop(old);
    }
}

impl<H: Host> Thread<'_, H> {
    /// Runs a code object whose parameters are on the stack already.
    pub(super) fn evaluate<const BEFORE_EACH: bool>(&mut self, code: u32) -> Result<Value, Raised> {
        let Thread { module, host, stack, frames, countdown, .. } = self;
        let module = *module;
        let program = &**module.program();
        let instructions = &program.instructions[..];
        frames.push(Frame {
            code,
            pc: program.codes[code as usize].start,
            base: 0,
            top: program.codes[code as usize].locals.len(),
        });

        'frames: loop {
            let Some(frame) = frames.last_mut() else { return Ok(Value::None) };
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
                macro_rules! safe_point {
                    ($cost:expr) => {
                        *countdown -= $cost;
                        if *countdown < 0 {
                            *countdown = HEARTBEAT;
                            host.heartbeat(program.line_of(pc as u32 - 1));
                        }
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
                                if !add_in_place($operator, &mut slots[..top], instructions[pc]) {
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
                            let value = module.slot(slot as usize).copy();
                            if let Value::Unbound = value {
                                break 'raised not_defined(&program.globals[slot as usize].0);
                            }
                            push!(value);
                        }
                        Instruction::StoreGlobal(slot) => {
                            let value = pop!();
                            let old = std::mem::replace(&mut *module.slot(slot as usize), value);
                            drop(old);
                        }
                        Instruction::DeleteGlobal(slot) => {
                            let old = std::mem::take(&mut *module.slot(slot as usize));
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
                            push!(Value::Function(Arc::new(Function { code: index, name, defaults })));
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
                                Value::Native(native) => {
                                    let args = &slots[first..top];
                                    let mut call = Call { args, keywords, outside: &mut *host, line };
                                    attempt!((native.run)(&mut call))
                                }
                                Value::Method(method) => {
                                    let mut args = vec![method.0.clone()];
                                    args.extend_from_slice(&slots[first..top]);
                                    let mut call = Call { args: &args, keywords, outside: &mut *host, line };
                                    attempt!((method.1.run)(&mut call))
                                }
                                Value::ExceptionType(kind) => {
                                    if !keywords.is_empty() {
                                        let message = format!("{}() takes no keyword arguments", kind.name());
                                        break 'raised type_error(message);
                                    }
                                    attempt!(make_exception(*kind, &slots[first..top]))
                                }
                                other => {
                                    let message = format!("'{}' object is not callable", other.type_name());
                                    break 'raised type_error(message);
                                }
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
                            for slot in slots.iter_mut() {
                                set(slot, Value::Unbound);
                            }
                            frames.pop();
                            let Some(caller) = frames.last_mut() else { return Ok(value) };
                            // The callable and the null below the arguments make room for the result.
                            let result_at = caller.base + caller.top;
                            stack[result_at] = value;
                            caller.top += 1;
                            continue 'frames;
                        }
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
                        Instruction::BeforeWith | Instruction::WithExit => {
                            let entering = *instruction == Instruction::BeforeWith;
                            let manager = pop!();
                            let name = if entering { "__enter__" } else { "__exit__" };
                            let method = match &manager {
                                Value::Object(object) => super::native::find(object.methods(), name),
                                _ => None,
                            };
                            let Some(method) = method else { break 'raised no_manager(&manager) };
                            let line = program.line_of(pc as u32 - 1);
                            let args = [manager];
                            let mut call = Call { args: &args, keywords: &[], outside: &mut *host, line };
                            let value = attempt!((method.run)(&mut call));
                            if entering {
                                push!(value);
                            }
                            safe_point!(NATIVE_COST);
                        }
                        Instruction::CheckExcMatch => {
                            let class = pop!();
                            let caught = attempt!(matches_exception(&slots[top - 1], &class));
                            push!(Value::Bool(caught));
                        }
                        Instruction::RaiseVarargs(count) => {
                            let value = if count == 0 { Value::Unbound } else { pop!() };
                            break 'raised raise(&value);
                        }
                        Instruction::Reraise => {
                            let value = pop!();
                            break 'raised raise(&value);
                        }
                    }
                }
            };

            // Unwind: to the innermost handler, or out of here.
            let Raised::Exception(mut exception) = raised else { return Err(Raised::Stopped) };
            let mut at = pc as u32 - 1;
            loop {
                let Some(frame) = frames.last_mut() else { return Err(Raised::Exception(exception)) };
                let code = &program.codes[frame.code as usize];
                let line = program.line_of(at);
                if exception.line == crate::event::Line::NONE {
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
                    continue 'frames;
                }
                exception.traceback.insert(0, super::exception::Traced { function: code.name.clone(), line });
                frames.pop();
                at = frames.last().map_or(0, |caller| caller.pc - 1);
            }
        }
    }
}

/// Any operator on ints that fit; none where the result may not, or it raises.
#[inline(always)]
fn small(operator: Operator, a: i64, b: i64) -> Option<i64> {
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
fn power(base: i64, exponent: i64) -> Option<i64> {
    if exponent == 2 { base.checked_mul(base) } else { base.checked_pow(u32::try_from(exponent).ok()?) }
}

/// Adds to a long int where it lies, if only the left operand and the local that the next instruction overwrites hold
/// it: a running total then costs no copy an addition. (CPython does so for strings, `unicode_concatenate` in
/// `Python/ceval.c`.) The result takes the left operand's place. Whether it was possible.
#[inline(never)]
fn add_in_place(operator: Operator, stack: &mut [Value], next: Instruction) -> bool {
    let (Operator::Add | Operator::Subtract, Instruction::StoreFast(local)) = (operator, next) else { return false };
    let Some((below, [left, right])) = stack.split_last_chunk_mut::<2>() else { return false };
    let (Value::Big(total), Value::Int(_) | Value::Big(_)) = (&mut *left, &*right) else { return false };
    let Some(held @ Value::Big(_)) = below.get_mut(local as usize) else { return false };
    if !matches!(held, Value::Big(held) if Arc::ptr_eq(held, total)) || Arc::strong_count(total) != 2 {
        return false;
    }
    // Nothing below can raise, so nobody sees the local without its value.
    *held = Value::Unbound;
    let Some(sum) = Arc::get_mut(total) else { return false };
    number::add_to(sum, operator, right);
    if sum.bits() <= 64 {
        *left = Value::from(std::mem::take(sum));
    }
    true
}

/// With heartbeats around what may take long while it keeps the lock.
#[inline(never)]
fn slow_binary<H: Host>(
    host: &mut H,
    line: crate::event::Line,
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

fn take(slots: &mut [Value], top: &mut usize, count: u32) -> Vec<Value> {
    let first = *top - count as usize;
    let items = slots[first..*top].iter_mut().map(std::mem::take).collect();
    *top = first;
    items
}

fn unpack(value: &Value, count: usize) -> Result<Vec<Value>, Raised> {
    let iterable = matches!(value, Value::List(_) | Value::Tuple(_)) || Iteration::over(value).is_ok();
    if !iterable {
        return Err(type_error(format!("cannot unpack non-iterable {} object", value.type_name())));
    }
    if let Value::Range(range) = value
        && range.len() > count as u64
    {
        return Err(Kind::ValueError.raise(format!("too many values to unpack (expected {count})")));
    }
    let items = gather(value)?;
    match items.len() {
        got if got < count => {
            Err(Kind::ValueError.raise(format!("not enough values to unpack (expected {count}, got {got})")))
        }
        got if got > count => Err(Kind::ValueError.raise(format!("too many values to unpack (expected {count})"))),
        _ => Ok(items),
    }
}

fn make_exception(kind: Kind, args: &[Value]) -> Result<Value, Raised> {
    let message = match args {
        [] => String::new(),
        [one] if kind == Kind::KeyError => text::repr(one)?,
        [one] if kind == Kind::URLError => format!("<urlopen error {}>", text::str(one)?),
        [one] => text::str(one)?,
        [Value::Int(number), words] if kind.is_a(Kind::OSError) => format!("[Errno {number}] {}", text::str(words)?),
        several => text::repr(&Value::tuple(several.to_vec()))?,
    };
    let mut exception = kind.exception(message);
    exception.args = args.to_vec();
    Ok(Value::Exception(Arc::new(exception)))
}

/// `raise value`.
#[cold]
fn raise(value: &Value) -> Raised {
    match value {
        Value::Exception(exception) => Raised::Exception(Box::new(Exception::clone(exception))),
        Value::ExceptionType(kind) => kind.raise(""),
        Value::Unbound => Kind::RuntimeError.raise("No active exception to reraise"),
        _ => type_error("exceptions must derive from BaseException"),
    }
}

fn matches_exception(exception: &Value, class: &Value) -> Result<bool, Raised> {
    let Value::Exception(exception) = exception else { return Ok(false) };
    let wrong = || type_error("catching classes that do not inherit from BaseException is not allowed");
    match class {
        Value::ExceptionType(kind) => Ok(exception.kind.is_a(*kind)),
        Value::Tuple(classes) => {
            let mut caught = false;
            for class in &classes.0 {
                let Value::ExceptionType(kind) = class else { return Err(wrong()) };
                caught |= exception.kind.is_a(*kind);
            }
            Ok(caught)
        }
        _ => Err(wrong()),
    }
}

#[cold]
fn unbound_local(name: &str) -> Raised {
    Kind::UnboundLocalError
        .raise(format!("cannot access local variable '{name}' where it is not associated with a value"))
}

#[cold]
fn not_defined(name: &str) -> Raised {
    Kind::NameError.raise(format!("name '{name}' is not defined"))
}

#[cold]
fn too_deep() -> Raised {
    Kind::RecursionError.raise("maximum recursion depth exceeded")
}

#[cold]
fn no_module(name: &str) -> Raised {
    Kind::ModuleNotFoundError.raise(format!("No module named '{name}'"))
}

#[cold]
fn no_manager(value: &Value) -> Raised {
    type_error(format!("'{}' object does not support the context manager protocol", value.type_name()))
}
