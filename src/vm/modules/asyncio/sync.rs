//! `asyncio.Lock`, `asyncio.Semaphore`, `asyncio.Event`, after CPython's `asyncio/locks.py`.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::signal::Line;
use crate::vm::coroutine::of_future;
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::methods::as_index;
use crate::vm::native::{Call, Native};
use crate::vm::value::{Object, Value};

/// A lock is a semaphore of which there is one, and that minds being released too often.
struct Semaphore {
    is_lock: bool,
    left: AtomicI64,
    waiters: Line,
}

impl Object for Semaphore {
    fn type_name(&self) -> &'static str {
        if self.is_lock { "Lock" } else { "Semaphore" }
    }

    fn methods(&self) -> &'static [Native] {
        LOCK
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(super) fn lock(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.exactly::<0>("Lock")?;
    Ok(Value::object(Semaphore { is_lock: true, left: AtomicI64::new(1), waiters: Line::default() }))
}

pub(super) fn semaphore(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [value] = call.bind("Semaphore", call.positional(), ["value"])?;
    let left = value.map_or(Ok(1), as_index)?;
    if left < 0 {
        return Err(value_error("Semaphore initial value must be >= 0"));
    }
    Ok(Value::object(Semaphore { is_lock: false, left: AtomicI64::new(left), waiters: Line::default() }))
}

pub(in crate::vm::modules) const LOCK: &[Native] = &[
    Native::function("acquire", |call| {
        let (value, _) = call.method::<0>("acquire")?;
        this(value)?;
        Ok(of_future("acquire", call.line, acquire(value.clone(), Value::Bool(true))))
    }),
    Native::function("release", |call| {
        let (value, _) = call.method::<0>("release")?;
        release(value)
    }),
    Native::function("locked", |call| {
        let (value, _) = call.method::<0>("locked")?;
        let semaphore = this(value)?;
        Ok(Value::Bool(semaphore.left.load(Ordering::Relaxed) == 0))
    }),
    Native::function("__aenter__", |call| {
        let (value, _) = call.method::<0>("__aenter__")?;
        this(value)?;
        Ok(of_future("__aenter__", call.line, acquire(value.clone(), Value::None)))
    }),
    Native::function("__aexit__", |call| {
        let (value, _) = call.receiver("__aexit__")?;
        let value = value.clone();
        Ok(of_future("__aexit__", call.line, async move { release(&value) }))
    }),
];

fn this(value: &Value) -> Result<&Semaphore, Raised> {
    value.downcast::<Semaphore>().ok_or_else(|| type_error("this needs an asyncio.Lock or asyncio.Semaphore"))
}

/// Whoever comes while others wait waits behind them, even if it could be had.
async fn acquire(value: Value, result: Value) -> Result<Value, Raised> {
    let semaphore = this(&value)?;
    if !semaphore.waiters.is_empty() || semaphore.left.load(Ordering::Relaxed) == 0 {
        loop {
            semaphore.waiters.wait().await;
            if semaphore.left.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
    }
    semaphore.left.fetch_sub(1, Ordering::Relaxed);
    if semaphore.left.load(Ordering::Relaxed) > 0 {
        semaphore.waiters.wake_first();
    }
    Ok(result)
}

fn release(value: &Value) -> Result<Value, Raised> {
    let semaphore = this(value)?;
    if semaphore.is_lock && semaphore.left.load(Ordering::Relaxed) > 0 {
        return Err(Kind::RuntimeError.raise("Lock is not acquired."));
    }
    semaphore.left.fetch_add(1, Ordering::Relaxed);
    semaphore.waiters.wake_first();
    Ok(Value::None)
}

#[derive(Default)]
struct Event {
    set: AtomicBool,
    waiters: Line,
}

impl Object for Event {
    fn type_name(&self) -> &'static str {
        "Event"
    }

    fn methods(&self) -> &'static [Native] {
        EVENT
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(super) fn event(call: &mut Call<'_>) -> Result<Value, Raised> {
    call.exactly::<0>("Event")?;
    Ok(Value::object(Event::default()))
}

pub(in crate::vm::modules) const EVENT: &[Native] = &[
    Native::function("set", |call| {
        let (value, _) = call.method::<0>("set")?;
        let event = event_of(value)?;
        event.set.store(true, Ordering::Relaxed);
        event.waiters.wake_all();
        Ok(Value::None)
    }),
    Native::function("clear", |call| {
        let (value, _) = call.method::<0>("clear")?;
        event_of(value)?.set.store(false, Ordering::Relaxed);
        Ok(Value::None)
    }),
    Native::function("is_set", |call| {
        let (value, _) = call.method::<0>("is_set")?;
        Ok(Value::Bool(event_of(value)?.set.load(Ordering::Relaxed)))
    }),
    Native::function("wait", |call| {
        let (value, _) = call.method::<0>("wait")?;
        event_of(value)?;
        let value = value.clone();
        Ok(of_future("wait", call.line, async move {
            let event = event_of(&value)?;
            if !event.set.load(Ordering::Relaxed) {
                event.waiters.wait().await;
            }
            Ok(Value::Bool(true))
        }))
    }),
];

fn event_of(value: &Value) -> Result<&Event, Raised> {
    value.downcast::<Event>().ok_or_else(|| type_error("this needs an asyncio.Event"))
}
