//! A program loaded into an interpreter, and a thread that runs it.

use std::sync::Arc;
use std::task::Waker;

use super::binding;
use super::code::Program;
use super::coroutine;
use super::eval::HEARTBEAT;
use super::exception::{Kind, Raised, type_error};
use super::frame::{Continuation, Frame, Step};
use super::globals::{Globals, Kept};
use super::host::{Host, Rules};
use super::native::Call;
use super::value::Value;

/// A program loaded into one interpreter: its threads share it, other interpreters have their own.
pub struct Module {
    program: Arc<Program>,
    /// Loading and storing one is atomic, and so `counter += 1` is not.
    pub(super) globals: Globals,
}

impl Module {
    /// Loads a program under a name, which is what it finds in `__name__`. Nothing of it has run yet.
    pub fn new(program: Arc<Program>, name: &str) -> Module {
        let globals = program.globals.iter().map(|(global, value)| match &**global {
            "__name__" => Value::str(name),
            "__file__" => Value::str(program.file()),
            _ => value.clone(),
        });
        Module { globals: Globals::new(globals), program }
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The value of a global; none while it has none.
    pub fn global(&self, name: &str) -> Option<Value> {
        let slot = self.program.globals.iter().position(|(global, _)| &**global == name)?;
        let value = self.globals.get(slot);
        (!matches!(value, Value::Unbound)).then_some(value)
    }
}

/// A thread of an interpreter. Python's frames lie in its own vectors, never on the Rust stack.
pub struct Thread<'m, H> {
    pub(super) module: &'m Module,
    pub(super) host: H,
    rules: Rules,
    /// Of the module's globals.
    pub(super) kept: Kept,
    pub(super) continuation: Continuation,
    /// Of the task that is running, if the thread runs an event loop.
    pub(super) waker: Waker,
    /// Instructions until the next heartbeat.
    pub(super) countdown: i64,
}

impl<'m, H: Host> Thread<'m, H> {
    /// A thread that has nothing to do yet.
    pub fn new(module: &'m Module, host: H, rules: Rules) -> Thread<'m, H> {
        let (continuation, waker) = (Continuation::default(), Waker::noop().clone());
        Thread { module, host, rules, kept: module.globals.kept(), continuation, waker, countdown: HEARTBEAT }
    }

    /// The host.
    pub fn host(&mut self) -> &mut H {
        &mut self.host
    }

    /// Runs the module's own code, from its first line to its last.
    pub fn run_body(&mut self) -> Result<(), Raised> {
        self.run(0, Vec::new()).map(drop)
    }

    /// Calls a function of the module, as `name(*args, **kwargs)` would.
    pub fn call(&mut self, name: &str, args: Vec<Value>, kwargs: Vec<(String, Value)>) -> Result<Value, Raised> {
        let function = self.module.global(name);
        let function = function.ok_or_else(|| Kind::NameError.raise(format!("name '{name}' is not defined")))?;
        let mut all = args;
        let mut names: Vec<Arc<str>> = Vec::with_capacity(kwargs.len());
        for (name, value) in kwargs {
            names.push(name.into());
            all.push(value);
        }
        match function {
            Value::Function(function) => {
                let code = &self.module.program.codes[function.code as usize];
                let bound = binding::bind(code, &function, all, &names)?;
                self.run(function.code, bound)
            }
            Value::Native(native) => {
                let all: Vec<Value> = all.iter().map(Value::copy).collect();
                let line = crate::event::Line::NONE;
                (native.run)(&mut Call { args: &all, keywords: &names, outside: &mut self.host, line })
            }
            other => Err(type_error(format!("'{}' object is not callable", other.type_name()))),
        }
    }

    fn run(&mut self, code: u32, args: Vec<Value>) -> Result<Value, Raised> {
        self.continuation.clear();
        self.continuation.stack.extend(args);
        self.continuation.frames.push(Frame::of(&self.module.program, code, 0));
        let result = self.evaluate_as_ruled(None);
        self.continuation.clear();
        self.tell_warnings();
        match result? {
            Step::Returned(value) => Ok(value),
            // Only an `async def` awaits, and calling one makes a coroutine.
            Step::Awaiting(_) => Err(Kind::RuntimeError.raise("no running event loop")),
        }
    }

    fn evaluate_as_ruled(&mut self, thrown: Option<Raised>) -> Result<Step, Raised> {
        let result = match self.rules {
            Rules::V3_9 => self.evaluate::<true>(thrown),
            Rules::V3_10 => self.evaluate::<false>(thrown),
        };
        // What is left since the last heartbeat.
        self.host.worked(u64::try_from(HEARTBEAT - self.countdown).unwrap_or(0));
        self.countdown = HEARTBEAT;
        result
    }

    /// The frames of a coroutine that begins.
    pub(super) fn begin(&self, code: u32, args: Vec<Value>) -> Continuation {
        let mut stack = Vec::new();
        let frame = Frame::begun(&self.module.program, code, 0, &mut stack, args);
        // Most of ten thousand tasks never need room for a second one.
        Continuation { stack, frames: vec![frame] }
    }

    /// Runs frames until they await or are done, and gives back what is left of them. What they await has been given
    /// the waker. With something to be raised where they stand, if that is how they go on.
    pub(super) fn go_on(
        &mut self,
        frames: Continuation,
        waker: &Waker,
        thrown: Option<Raised>,
    ) -> (Result<Step, Raised>, Continuation) {
        self.continuation = frames;
        self.waker.clone_from(waker);
        let result = self.evaluate_as_ruled(thrown);
        (result, std::mem::take(&mut self.continuation))
    }

    /// Tells what was noticed while values were dropped.
    pub(super) fn tell_warnings(&mut self) {
        for (line, text) in coroutine::warnings() {
            let file = self.module.program.file();
            self.host.print(&format!("{file}:{line}: {text}\n"));
        }
    }
}
