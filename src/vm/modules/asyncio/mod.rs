//! `asyncio`: what tasks wait for. The loop they run in is [`crate::vm::coroutine`].

mod gather;
mod queue;
mod signal;
mod streams;
mod sync;
mod thread;
mod timers;

use crate::vm::coroutine::event_loop::running;
use crate::vm::coroutine::task::{self, TaskObject};
use crate::vm::exception::{Kind, Raised, type_error};
use crate::vm::native::{Call, Library, Native};
use crate::vm::value::Value;

use super::queue::Order;

pub(super) use queue::METHODS as QUEUE;
pub(super) use streams::{READER, WRITER};
pub(super) use sync::{EVENT, LOCK};

pub(super) static LIBRARY: Library = Library {
    name: "asyncio",
    functions: &[
        Native::function("sleep", timers::sleep),
        Native::function("gather", gather::gather),
        Native::function("create_task", create_task),
        Native::function("wait_for", timers::wait_for),
        Native::function("to_thread", thread::to_thread),
        Native::function("open_connection", streams::open_connection),
        Native::function("run", run),
        Native::class("Lock", sync::lock),
        Native::class("Semaphore", sync::semaphore),
        Native::class("Event", sync::event),
        Native::class("Queue", |call| queue::new(call, Order::FirstIn)),
        Native::class("LifoQueue", |call| queue::new(call, Order::LastIn)),
        Native::class("PriorityQueue", |call| queue::new(call, Order::Least)),
    ],
    constants: &[
        ("CancelledError", Value::ExceptionType(Kind::CancelledError)),
        ("IncompleteReadError", Value::ExceptionType(Kind::IncompleteReadError)),
        ("InvalidStateError", Value::ExceptionType(Kind::InvalidStateError)),
        ("QueueEmpty", Value::ExceptionType(Kind::QueueEmpty)),
        ("QueueFull", Value::ExceptionType(Kind::QueueFull)),
        ("TimeoutError", Value::ExceptionType(Kind::TimeoutError)),
    ],
};

fn create_task(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [coroutine, _name, _context] = call.bind("create_task", call.positional(), ["coro", "name", "context"])?;
    let missing = || type_error("create_task() missing 1 required positional argument: 'coro'");
    let task = task::create(coroutine.ok_or_else(missing)?)?;
    Ok(Value::object(TaskObject(task)))
}

/// A loop of one's own. Under the model `coroutines` there is one already, and it runs `work` itself.
fn run(_: &mut Call<'_>) -> Result<Value, Raised> {
    Err(Kind::RuntimeError.raise(match running() {
        Ok(_) => "asyncio.run() cannot be called from a running event loop",
        Err(_) => {
            "asyncio.run() is for scripts; here the model `coroutines` runs the loop: write `async def work` and await in it"
        }
    }))
}
