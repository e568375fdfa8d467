//! A task: a coroutine that runs by itself, beside others of its loop.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::event_loop::running;
use super::shared::Shared;
use super::{Awaitable, Awaiting, Body, Coroutine, warn};
use crate::event::LaneId;
use crate::vm::exception::{Kind, Raised, type_error};
use crate::vm::frame::Continuation;
use crate::vm::native::{Call, Native};
use crate::vm::value::{Object, Value};

/// A task.
pub(crate) struct Task {
    shared: Arc<Shared>,
    /// The lane that shows it: its own, or that of the task that made it.
    pub(super) lane: Option<LaneId>,
    /// Whether the loop was given it from outside, and by which number; else the program made it.
    pub(super) slot: Option<usize>,
    state: Mutex<State>,
}

/// Where a task stands.
#[derive(Default)]
pub(super) struct State {
    /// What goes on when it is its turn; none while it runs and after its end.
    pub(super) rest: Option<Rest>,
    /// At what it is suspended.
    pub(super) awaiting: Option<Value>,
    /// It is in the loop's queue.
    pub(super) queued: bool,
    /// `CancelledError` is to be raised in it.
    pub(super) must_cancel: bool,
    outcome: Option<Result<Value, Raised>>,
    waiters: Vec<Waker>,
    /// Somebody has asked how it ended.
    retrieved: bool,
}

/// What is left of a task to be run.
pub(super) enum Rest {
    /// Whoever gave the loop its tasks is to be asked.
    Ask,
    /// A call of a function of the program, with the values of its parameters, that has not begun.
    Call(u32, Vec<Value>),
    /// Frames of the program.
    Program(Continuation),
    /// A coroutine of the miniature that is a task by itself.
    Native(Value),
}

impl Rest {
    /// All of a coroutine. Only one that was made in this very loop's program makes sense to it.
    pub(super) fn of(value: &Value) -> Result<Rest, Raised> {
        let not_one = || type_error(format!("a coroutine was expected, got {}", value.repr()));
        let coroutine = value.downcast::<Coroutine>().ok_or_else(not_one)?;
        Ok(match coroutine.begin()? {
            Body::Program { code, args } => Rest::Call(code, args),
            Body::Native(awaitable) => Rest::Native(Value::object(Awaiting::new(awaitable))),
            Body::Begun => return Err(not_one()),
        })
    }
}

impl Task {
    pub(super) fn new(shared: Arc<Shared>, lane: Option<LaneId>, slot: Option<usize>, rest: Rest) -> Arc<Task> {
        let state = State { rest: Some(rest), ..State::default() };
        Arc::new(Task { shared, lane, slot, state: Mutex::new(state) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it ended, if it has.
    pub(crate) fn outcome(&self) -> Option<Result<Value, Raised>> {
        let mut state = self.state();
        state.retrieved |= state.outcome.is_some();
        state.outcome.clone()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state().outcome.is_some()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(&self.state().outcome, Some(Err(Raised::Exception(exception))) if exception.kind == Kind::CancelledError)
    }

    /// It has ended: whoever waits for it goes on.
    pub(super) fn end(&self, outcome: Result<Value, Raised>) {
        let waiters = {
            let mut state = self.state();
            state.outcome = Some(outcome);
            state.awaiting = None;
            std::mem::take(&mut state.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Raises `CancelledError` where it awaits, or at its next `await`. False if it has ended.
    pub(crate) fn cancel(self: &Arc<Task>) -> bool {
        let awaiting = {
            let state = self.state();
            if state.outcome.is_some() {
                return false;
            }
            state.awaiting.clone()
        };
        let sees_to_it = awaiting.is_some_and(|value| value.downcast::<Awaiting>().is_some_and(Awaiting::cancel));
        if !sees_to_it {
            let suspended = {
                let mut state = self.state();
                state.must_cancel = true;
                state.rest.is_some()
            };
            if suspended {
                self.clone().wake();
            }
        }
        true
    }

    /// Has this waker called at its end.
    fn wait(&self, waker: &Waker) {
        let mut state = self.state();
        if !state.waiters.iter().any(|known| known.will_wake(waker)) {
            state.waiters.push(waker.clone());
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Task>) {
        {
            let mut state = self.state();
            if state.queued || state.outcome.is_some() {
                return;
            }
            state.queued = true;
        }
        let shared = self.shared.clone();
        shared.queue(self);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(Raised::Exception(exception))) = &state.outcome
            && !state.retrieved
            && exception.kind != Kind::CancelledError
        {
            warn(exception.line, format!("Task exception was never retrieved: {exception}"));
        }
    }
}

/// Waiting for a task's end: `await task`.
pub(crate) struct WaitFor(pub(crate) Arc<Task>);

impl Awaitable for WaitFor {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Raised>> {
        if let Some(outcome) = self.0.outcome() {
            return Poll::Ready(outcome);
        }
        if running().is_ok_and(|running| Arc::ptr_eq(&running.task, &self.0)) {
            return Poll::Ready(Err(Kind::RuntimeError.raise("Task cannot await on itself")));
        }
        self.0.wait(context.waker());
        Poll::Pending
    }

    /// As in CPython, cancelling a task cancels what it waits for.
    fn cancel(&mut self) -> bool {
        self.0.cancel()
    }
}

/// A task as the program sees it.
pub(crate) struct TaskObject(pub(crate) Arc<Task>);

impl Object for TaskObject {
    fn type_name(&self) -> &'static str {
        "Task"
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(crate) const METHODS: &[Native] = &[
    Native::function("done", |call| {
        let (value, _) = call.method::<0>("_asyncio.Task.done")?;
        Ok(Value::Bool(this(value)?.is_done()))
    }),
    Native::function("cancelled", |call| {
        let (value, _) = call.method::<0>("_asyncio.Task.cancelled")?;
        Ok(Value::Bool(this(value)?.is_cancelled()))
    }),
    Native::function("cancel", |call| {
        let (value, args) = call.receiver("cancel")?;
        // The message is told by nobody here.
        let [_] = call.bind("cancel", args, ["msg"])?;
        Ok(Value::Bool(this(value)?.cancel()))
    }),
    Native::function("result", |call| {
        let (value, _) = call.method::<0>("_asyncio.Task.result")?;
        this(value)?.outcome().unwrap_or_else(|| Err(Kind::InvalidStateError.raise("Result is not set.")))
    }),
    Native::function("exception", exception),
];

fn exception(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("_asyncio.Task.exception")?;
    match this(value)?.outcome() {
        None => Err(Kind::InvalidStateError.raise("Exception is not set.")),
        Some(Ok(_)) => Ok(Value::None),
        Some(Err(Raised::Exception(exception))) if exception.kind != Kind::CancelledError => {
            Ok(Value::Exception(Arc::new(*exception)))
        }
        Some(Err(raised)) => Err(raised),
    }
}

pub(crate) fn this(value: &Value) -> Result<&Arc<Task>, Raised> {
    value.downcast::<TaskObject>().map(|task| &task.0).ok_or_else(|| type_error("descriptor requires a Task object"))
}

/// `asyncio.create_task`: the coroutine as a task of the running loop, on the lane of the task that makes it.
pub(crate) fn create(value: &Value) -> Result<Arc<Task>, Raised> {
    let running = running()?;
    let task = Task::new(running.shared.clone(), running.task.lane, None, Rest::of(value)?);
    running.shared.born(&task);
    task.clone().wake();
    Ok(task)
}

/// A coroutine of the miniature as a task of the running loop.
pub(crate) fn create_native(awaitable: impl Awaitable + 'static) -> Result<Arc<Task>, Raised> {
    let running = running()?;
    let rest = Rest::Native(Value::object(Awaiting::new(Box::new(awaitable))));
    let task = Task::new(running.shared.clone(), running.task.lane, None, rest);
    running.shared.born(&task);
    task.clone().wake();
    Ok(task)
}

/// A task as it is, a coroutine as a new task (`asyncio.ensure_future`).
pub(crate) fn ensure(value: &Value) -> Result<Arc<Task>, Raised> {
    match value.downcast::<TaskObject>() {
        Some(task) => Ok(task.0.clone()),
        None if value.downcast::<Coroutine>().is_some() => create(value),
        None => Err(type_error("An asyncio.Future, a coroutine or an awaitable is required")),
    }
}
