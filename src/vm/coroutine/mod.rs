//! Coroutines: what can be awaited, the tasks that await, and the loop that runs them.
//!
//! # The problem
//! A coroutine stands still in the middle of a function and goes on later, ten
//! thousand of them in one thread; and what they wait for lies partly in the
//! program (a lock, a queue, another task) and partly outside of it (a timer,
//! a socket, a thread's result).
//!
//! # The choice
//! Python's frames do not lie on the Rust stack, so a task simply owns its
//! frames ([`Continuation`](super::frame::Continuation)): going on is putting
//! them into the thread, suspending is taking them out. Awaiting a coroutine
//! puts its frame on top of the awaiter's, as a call would; nothing is
//! suspended by that. What is awaited beyond the program's own coroutines is an
//! [`Awaitable`], which is polled where the instruction `SEND` stands, with a
//! waker that puts the task into the queue of its loop. That is the contract of
//! Rust's futures, so any of them can be awaited: see [`of_future`].
//!
//! The loop ([`event_loop`]) is asyncio's `_run_once`: what has been woken
//! runs, in that order, until each awaits again; then it waits in tokio's
//! current-thread runtime, as asyncio does in `select`.
//!
//! # Not chosen
//! A Rust task for each of Python's: the order in which tasks go on, which
//! programs rely on, would be tokio's rather than asyncio's, and each would
//! carry its own thread of evaluation. Generators with `send` and `throw` that
//! the program can call: the subset has no generators.

mod alarm;
pub(crate) mod event_loop;
pub(crate) mod priced;
pub(crate) mod shared;
pub(crate) mod task;

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::exception::{Kind, Raised, type_error};
use super::native::Native;
use super::trash::drop_items;
use super::value::{Object, Value};
use crate::event::Line;
use task::{TaskObject, WaitFor};

#[cfg(test)]
mod tests;

/// What `await` can wait for beside coroutines of the program.
pub(crate) trait Awaitable: Send {
    /// What it has come to. As long as that is nothing, the waker is called once it is worth asking again.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Raised>>;

    /// The task that awaits it is cancelled. Whether it sees to that itself and will come to a `CancelledError` of its
    /// own; otherwise it is dropped and the error raised where it was awaited.
    fn cancel(&mut self) -> bool {
        false
    }
}

/// A Rust future as a coroutine of the miniature, `name` being what Python would call it. Like every coroutine it does
/// nothing until it is awaited; it is then polled by the thread of the loop, inside its tokio runtime, so whatever
/// tokio has to offer (sockets, timers, `spawn_blocking`) works in it. It is dropped when its task is cancelled.
pub(crate) fn of_future<F>(name: &'static str, line: Line, future: F) -> Value
where
    F: Future<Output = Result<Value, Raised>> + Send + 'static,
{
    of(name, line, FromFuture(Box::pin(future)))
}

/// The same of whatever is [`Awaitable`].
pub(crate) fn of(name: &'static str, line: Line, awaitable: impl Awaitable + 'static) -> Value {
    Value::object(Coroutine { name: name.into(), line, body: Mutex::new(Body::Native(Box::new(awaitable))) })
}

struct FromFuture<F>(Pin<Box<F>>);

impl<F: Future<Output = Result<Value, Raised>> + Send> Awaitable for FromFuture<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Raised>> {
        self.0.as_mut().poll(context)
    }
}

/// A coroutine object.
pub(crate) struct Coroutine {
    name: Arc<str>,
    /// Where it was made.
    line: Line,
    body: Mutex<Body>,
}

/// What a coroutine is before it begins.
pub(crate) enum Body {
    /// A call of a function of the program, with the values of its parameters.
    Program { code: u32, args: Vec<Value> },
    /// One of the miniature.
    Native(Box<dyn Awaitable>),
    /// It has begun: a coroutine runs once.
    Begun,
}

impl Coroutine {
    /// What calling an `async def` makes.
    pub(super) fn program(name: &Arc<str>, line: Line, code: u32, args: Vec<Value>) -> Value {
        Value::object(Coroutine { name: name.clone(), line, body: Mutex::new(Body::Program { code, args }) })
    }

    fn body(&self) -> MutexGuard<'_, Body> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins it.
    pub(super) fn begin(&self) -> Result<Body, Raised> {
        match std::mem::replace(&mut *self.body(), Body::Begun) {
            Body::Begun => Err(Kind::RuntimeError.raise("cannot reuse already awaited coroutine")),
            body => Ok(body),
        }
    }
}

const METHODS: &[Native] = &[Native::function("close", |call| {
    let (value, _) = call.method::<0>("coroutine.close")?;
    if let Some(coroutine) = value.downcast::<Coroutine>() {
        let body = std::mem::replace(&mut *coroutine.body(), Body::Begun);
        drop(body);
    }
    Ok(Value::None)
})];

impl Object for Coroutine {
    fn type_name(&self) -> &'static str {
        "coroutine"
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        let body = std::mem::replace(self.body.get_mut().unwrap_or_else(PoisonError::into_inner), Body::Begun);
        if !matches!(body, Body::Begun) {
            warn(self.line, format!("RuntimeWarning: coroutine '{}' was never awaited", self.name));
        }
        if let Body::Program { mut args, .. } = body {
            drop_items(&mut args);
        }
    }
}

/// What a frame keeps on its stack while it awaits something that is no coroutine of the program.
pub(crate) struct Awaiting(Mutex<Box<dyn Awaitable>>);

impl Awaiting {
    pub(super) fn new(awaitable: Box<dyn Awaitable>) -> Awaiting {
        Awaiting(Mutex::new(awaitable))
    }

    fn awaitable(&self) -> MutexGuard<'_, Box<dyn Awaitable>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll(&self, waker: &Waker) -> Poll<Result<Value, Raised>> {
        self.awaitable().poll(&mut Context::from_waker(waker))
    }

    pub(super) fn cancel(&self) -> bool {
        self.awaitable().cancel()
    }
}

impl Object for Awaiting {
    fn type_name(&self) -> &'static str {
        "coroutine_wrapper"
    }

    fn methods(&self) -> &'static [Native] {
        &[]
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `GET_AWAITABLE`: what is to be awaited, ready for `SEND`.
pub(super) fn awaitable(value: &Value) -> Result<Value, Raised> {
    if let Some(coroutine) = value.downcast::<Coroutine>() {
        if let Body::Program { .. } = &*coroutine.body() {
            return Ok(value.clone());
        }
        return match coroutine.begin()? {
            Body::Native(awaitable) => Ok(Value::object(Awaiting::new(awaitable))),
            _ => Ok(value.clone()),
        };
    }
    if let Some(task) = value.downcast::<TaskObject>() {
        return Ok(Value::object(Awaiting::new(Box::new(WaitFor(task.0.clone())))));
    }
    Err(type_error(format!("object {} can't be used in 'await' expression", value.type_name())))
}

/// What comes of sending to something awaitable.
pub(super) enum Sent {
    /// It is a coroutine of the program, whose frame begins now.
    Enter { code: u32, args: Vec<Value> },
    /// It has come to something.
    Done(Value),
    /// The task has to wait; it will be woken.
    Suspend,
}

/// What an [`Awaiting`] has come to.
pub(super) fn poll(awaiting: &Value, waker: &Waker) -> Poll<Result<Value, Raised>> {
    match awaiting.downcast::<Awaiting>() {
        Some(awaiting) => awaiting.poll(waker),
        None => Poll::Ready(Err(type_error("this cannot be awaited"))),
    }
}

/// `SEND`.
pub(super) fn send(receiver: &Value, waker: &Waker) -> Result<Sent, Raised> {
    if let Some(awaiting) = receiver.downcast::<Awaiting>() {
        return match awaiting.poll(waker) {
            Poll::Ready(result) => result.map(Sent::Done),
            Poll::Pending => Ok(Sent::Suspend),
        };
    }
    let coroutine = receiver.downcast::<Coroutine>().ok_or_else(|| type_error("this cannot be sent to"))?;
    match coroutine.begin()? {
        Body::Program { code, args } => Ok(Sent::Enter { code, args }),
        Body::Native(_) | Body::Begun => Err(type_error("this cannot be sent to")),
    }
}

thread_local! {
    static WARNINGS: RefCell<Vec<(Line, String)>> = const { RefCell::new(Vec::new()) };
}

/// Something to be told of the program that nobody can raise: it is noticed while a value is dropped.
pub(crate) fn warn(line: Line, text: String) {
    // While the thread itself ends nobody listens any more.
    let _ = WARNINGS.try_with(|warnings| warnings.borrow_mut().push((line, text)));
}

/// What is to be told, once.
pub(super) fn warnings() -> Vec<(Line, String)> {
    WARNINGS.try_with(|warnings| std::mem::take(&mut *warnings.borrow_mut())).unwrap_or_default()
}
