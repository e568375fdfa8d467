//! `asyncio.sleep` and `asyncio.wait_for`.

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::clock::{Clock, Monotonic};
use crate::event::Nanos;
use crate::vm::coroutine::event_loop::running;
use crate::vm::coroutine::task::{Task, WaitFor, ensure};
use crate::vm::coroutine::{Awaitable, of};
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::native::Call;
use crate::vm::value::Value;

/// So far ahead that nobody will be there.
const FOR_EVER: f64 = 1e9;

/// A span in seconds as asyncio takes it: nothing for one that is over already.
fn seconds(value: &Value) -> Result<Option<Nanos>, Raised> {
    let seconds = match value {
        Value::Int(value) => *value as f64,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Float(value) => *value,
        other => {
            let name = other.type_name();
            return Err(type_error(format!("'<=' not supported between instances of '{name}' and 'int'")));
        }
    };
    if seconds.is_nan() {
        return Err(value_error("Invalid delay: NaN (not a number)"));
    }
    Ok((seconds > 0.0).then(|| Nanos((seconds.min(FOR_EVER) * 1e9).round() as u64)))
}

pub(super) fn sleep(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [delay, result] = call.bind("sleep", call.positional(), ["delay", "result"])?;
    let missing = || type_error("sleep() missing 1 required positional argument: 'delay'");
    let delay = delay.ok_or_else(missing)?.clone();
    let result = result.cloned().unwrap_or(Value::None);
    Ok(of("sleep", call.line, Sleep { delay, result, due: None }))
}

struct Sleep {
    delay: Value,
    result: Value,
    /// When it is over; set when it is first awaited.
    due: Option<Nanos>,
}

impl Awaitable for Sleep {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Raised>> {
        let now = Monotonic.now();
        match self.due {
            Some(due) if due <= now => Poll::Ready(Ok(self.result.clone())),
            // Woken by somebody else.
            Some(_) => Poll::Pending,
            None => match (seconds(&self.delay), running()) {
                (Err(raised), _) | (_, Err(raised)) => Poll::Ready(Err(raised)),
                // `sleep(0)` lets the others have their turn.
                (Ok(None), Ok(_)) => {
                    self.due = Some(now);
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                (Ok(Some(delay)), Ok(running)) => {
                    let due = now + delay;
                    self.due = Some(due);
                    running.shared.call_at(due, context.waker().clone());
                    Poll::Pending
                }
            },
        }
    }
}

pub(super) fn wait_for(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [awaitable, timeout] = call.bind("wait_for", call.positional(), ["fut", "timeout"])?;
    let missing = |name| type_error(format!("wait_for() missing 1 required positional argument: '{name}'"));
    let awaitable = awaitable.ok_or_else(|| missing("fut"))?.clone();
    let timeout = timeout.ok_or_else(|| missing("timeout"))?.clone();
    Ok(of("wait_for", call.line, InTime { awaitable, timeout, task: None, due: None, expired: false }))
}

struct InTime {
    awaitable: Value,
    timeout: Value,
    /// What it waits for, once it does.
    task: Option<Arc<Task>>,
    due: Option<Nanos>,
    /// The time is over and the task has been cancelled.
    expired: bool,
}

impl InTime {
    fn begin(&mut self, context: &Context<'_>) -> Result<Arc<Task>, Raised> {
        let task = ensure(&self.awaitable)?;
        self.awaitable = Value::None;
        if !matches!(self.timeout, Value::None) {
            let due = Monotonic.now() + seconds(&self.timeout)?.unwrap_or_default();
            self.due = Some(due);
            running()?.shared.call_at(due, context.waker().clone());
        }
        self.task = Some(task.clone());
        Ok(task)
    }
}

impl Awaitable for InTime {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Raised>> {
        let task = match self.task.clone().map_or_else(|| self.begin(context), Ok) {
            Ok(task) => task,
            Err(raised) => return Poll::Ready(Err(raised)),
        };
        if let Poll::Ready(outcome) = WaitFor(task.clone()).poll(context) {
            return Poll::Ready(if self.expired && task.is_cancelled() {
                Err(Kind::TimeoutError.raise(""))
            } else {
                outcome
            });
        }
        if !self.expired && self.due.is_some_and(|due| due <= Monotonic.now()) {
            self.expired = true;
            task.cancel();
        }
        Poll::Pending
    }

    fn cancel(&mut self) -> bool {
        self.task.as_ref().is_some_and(Task::cancel)
    }
}
