//! What every process of a run has once: its lock and its module; and how one
//! of its threads does a task.

use std::any::Any;
use std::sync::Arc;

use super::host::WorkerHost;
use super::message::TaskOutcome;
use super::pickles;
use crate::calibration::Costs;
use crate::event::{Detail, EventKind, LaneId, Line, LockId, Nanos, State, TaskId};
use crate::gil::Gil;
use crate::model::Pool;
use crate::record::{Recorder, Rings, SharedRing};
use crate::vm::{self, Host, Module, Raised, Rules, Thread, Value};
use crate::workload::{self, ArgValue};

/// The longest `repr` that is told. A screen shows a line of it, a report all of it.
const REPR_LIMIT: usize = 8 << 20;

/// The longest text of an exception that is told.
const TEXT_LIMIT: usize = 4 << 10;

/// An interpreter: one in each process.
pub(super) struct Interpreter {
    gil: Gil,
    /// None in a free-threaded one: its threads need no lock.
    lock: Option<LockId>,
    /// Of every lane of the run, though not all of them live here.
    lanes: Vec<SharedRing>,
    module: Arc<Module>,
    rules: Rules,
    rings: Rings,
    costs: Costs,
    /// What the modules cost that the file imports.
    imports: Nanos,
    record: bool,
}

/// What an interpreter is made with.
pub(super) struct Settings {
    pub(super) lock: Option<LockId>,
    pub(super) rules: Rules,
    pub(super) rings: Rings,
    /// What the births it has to do with are to cost.
    pub(super) costs: Costs,
    pub(super) record: bool,
}

/// Why a call brought no value.
#[derive(Debug)]
pub(super) struct Failure {
    /// As the last line of a traceback.
    pub(super) text: String,
    /// Where it was raised.
    pub(super) line: Line,
}

impl Failure {
    /// Of the module's body, in a worker.
    pub(super) fn of_loading(self) -> String {
        format!("the file could not be loaded: line {}: {}", self.line, self.text)
    }
}

impl Interpreter {
    /// Compiles the source: the step `import`. The module's body has not run yet.
    pub(super) fn new(source: &str, file: &str, name: &str, settings: Settings) -> Result<Interpreter, String> {
        let program = vm::compile(source, file).map_err(|error| error.to_string())?;
        let module = Arc::new(Module::new(Arc::new(program), name));
        let Settings { lock, rules, rings, costs, record } = settings;
        let lanes = (0..rings.shape().rings).map(|ring| rings.ring(ring)).collect();
        let imports = costs.imports.of(source);
        Ok(Interpreter { gil: Gil::new(), lock, lanes, module, rules, rings, costs, imports, record })
    }

    /// After a fork, in the child: the same module with all that its globals had come to, under a new lock. (CPython's
    /// `PyOS_AfterFork_Child` likewise makes the lock anew; the one that was copied is held by a thread that is not
    /// here.)
    pub(super) fn copied(&self, lock: Option<LockId>) -> Interpreter {
        let (lanes, module, rings) = (self.lanes.clone(), Arc::clone(&self.module), self.rings.clone());
        let (rules, costs, imports, record) = (self.rules, self.costs, self.imports, self.record);
        Interpreter { gil: Gil::new(), lock, lanes, module, rules, rings, costs, imports, record }
    }

    /// What births are to cost.
    pub(super) fn costs(&self) -> &Costs {
        &self.costs
    }

    /// What it costs a new interpreter to load the modules that the file imports.
    pub(super) fn imports(&self) -> Nanos {
        self.imports
    }

    /// The shared memory.
    pub(super) fn rings(&self) -> &Rings {
        &self.rings
    }

    /// Whether what happens is recorded.
    pub(super) fn records(&self) -> bool {
        self.record
    }

    /// The calling thread's view of it, without the lock.
    pub(super) fn host(&self, lane: LaneId) -> WorkerHost<'_> {
        let recorder = if self.record { Recorder::new(&self.rings, lane.0, lane) } else { Recorder::off() };
        WorkerHost::new(lane, self.lock, &self.gil, &self.lanes[lane.index()], recorder, &self.rings)
    }

    /// Runs the module's body: the step `prepare`. With the lock held.
    pub(super) fn prepare(&self, host: &mut WorkerHost) -> Result<(), Failure> {
        host.enter(State::Starting, Detail::Prepare);
        host.prepares(true);
        let result = Thread::new(&self.module, &mut *host, self.rules).run_body().map_err(Failure::from);
        host.prepares(false);
        host.leave_program();
        result
    }

    /// Whether the module has a function of that name.
    pub(super) fn has(&self, function: &str) -> bool {
        self.module.program().signature(function).is_some()
    }

    /// What a task is a call of: for coroutines the `async def` there is.
    pub(super) fn work(&self, pool: Pool) -> Option<&'static str> {
        let wanted = matches!(pool, Pool::Coroutines { .. });
        let is = |name: &&str| self.module.program().signature(name).is_some_and(|work| work.is_async == wanted);
        ["work_async", "work"].into_iter().filter(|name| wanted || *name == "work").find(is)
    }

    /// What every call of `function` gets, whatever the task.
    pub(super) fn values(
        &self,
        source: &str,
        function: &str,
        chosen: &[(String, ArgValue)],
        tasks: u32,
    ) -> Vec<(String, Value)> {
        workload::values(source, self.module.program(), function, chosen, tasks)
    }

    /// What `work` is to be called with for a task: the arguments, and the task's number if it takes one.
    pub(super) fn arguments(&self, args: &[(String, Value)], task: TaskId) -> Vec<(String, Value)> {
        self.arguments_of("work", args, task)
    }

    /// The same of another function.
    pub(super) fn arguments_of(&self, function: &str, args: &[(String, Value)], task: TaskId) -> Vec<(String, Value)> {
        let mut args = args.to_vec();
        let signature = self.module.program().signature(function);
        let takes_task = signature.is_some_and(|work| work.parameters.iter().any(|it| &*it.name == "task"));
        if takes_task && !args.iter().any(|(name, _)| name == "task") {
            args.push(("task".to_owned(), Value::Int(task.0.into())));
        }
        args
    }

    /// Calls a function of the module. With the lock held and the lane running.
    pub(super) fn call(
        &self,
        host: &mut WorkerHost,
        function: &str,
        args: Vec<(String, Value)>,
    ) -> Result<Value, Failure> {
        let mut thread = Thread::new(&self.module, &mut *host, self.rules);
        let result = thread.call(function, Vec::new(), args).map_err(Failure::from);
        host.tell_progress();
        host.leave_program();
        result
    }

    /// The calling thread, to run the module's functions for longer than one call. With the lock held.
    pub(super) fn thread<'i, H: Host>(&'i self, host: H) -> Thread<'i, H> {
        Thread::new(&self.module, host, self.rules)
    }

    /// Does a task: its beginning and end are recorded. With the lock held and the lane running.
    pub(super) fn task(
        &self,
        host: &mut WorkerHost,
        task: TaskId,
        function: &str,
        args: Vec<(String, Value)>,
    ) -> Result<Value, Failure> {
        host.record(EventKind::TaskStarted(task));
        let result = self.call(host, function, args);
        host.record(EventKind::TaskEnded { task, ok: result.is_ok() });
        result
    }

    /// Does a task that arrives as a pickle and whose result leaves as one. With the lock held and the lane unpickling.
    pub(super) fn answer(&self, host: &mut WorkerHost, task: TaskId, call: &[u8]) -> Result<Vec<u8>, Failure> {
        let (function, args) = pickles::called(call)?;
        host.enter(State::Running, Detail::None);
        let value = self.task(host, task, &function, args)?;
        host.enter(State::Pickling, Detail::None);
        let cannot = |why| Failure::without_line(format!("the result cannot be sent back: {why}"));
        pickles::of(&value).map_err(cannot)
    }
}

impl Failure {
    /// One that is not the program's doing.
    pub(super) fn without_line(text: impl Into<String>) -> Failure {
        Failure { text: text.into(), line: Line::NONE }
    }
}

impl From<Raised> for Failure {
    fn from(raised: Raised) -> Failure {
        match raised {
            Raised::Exception(exception) => Failure { text: shortened(exception.to_string()), line: exception.line },
            Raised::Stopped => Failure::without_line("stopped"),
        }
    }
}

/// A program may raise a text of any length.
fn shortened(mut text: String) -> String {
    if text.len() > TEXT_LIMIT {
        text.truncate(text.floor_char_boundary(TEXT_LIMIT));
        text.push('…');
    }
    text
}

/// What to say of a panic.
pub(super) fn interpreter_failed(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("the interpreter failed: {}", message.unwrap_or("it does not say why"))
}

/// What to tell of a call.
pub(super) fn told(result: Result<Value, Failure>) -> TaskOutcome {
    match result.map(|value| value.repr()) {
        Ok(repr) if repr.len() <= REPR_LIMIT => TaskOutcome::Repr(repr),
        Ok(repr) => TaskOutcome::Error {
            text: format!(
                "the result written out is {} MiB long, more than the {} MiB that are shown: return less, a sum or a count",
                repr.len() >> 20,
                REPR_LIMIT >> 20
            ),
            line: Line::NONE,
        },
        Err(Failure { text, line }) => TaskOutcome::Error { text, line },
    }
}
