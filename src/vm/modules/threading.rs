//! `threading`: the lock.

use std::any::Any;
use std::time::Duration;

use crate::event::{Detail, State};
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::mutex::PyMutex;
use crate::vm::native::{Call, Library, Native};
use crate::vm::value::{Object, Value};

pub(super) static LIBRARY: Library = Library {
    name: "threading",
    functions: &[Native::function("Lock", |call| {
        call.exactly::<0>("lock")?;
        Ok(Value::object(Lock::default()))
    })],
    constants: &[],
};

pub(super) const METHODS: &[Native] = &[
    Native::function("acquire", acquire),
    Native::function("release", |call| {
        let (value, _) = call.method::<0>("lock.release")?;
        release(value)
    }),
    Native::function("locked", |call| {
        let (value, _) = call.method::<0>("lock.locked")?;
        Ok(Value::Bool(this(value)?.0.is_locked()))
    }),
    Native::function("__enter__", |call| {
        let (value, _) = call.method::<0>("lock.__enter__")?;
        Ok(Value::Bool(take(call, this(value)?, None)))
    }),
    Native::function("__exit__", |call| {
        let (value, _) = call.receiver("lock.__exit__")?;
        release(value)
    }),
];

/// `threading.Lock`: not the GIL, but a lock of the program's own.
#[derive(Default)]
struct Lock(PyMutex);

impl Object for Lock {
    fn type_name(&self) -> &'static str {
        "_thread.lock"
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn this(value: &Value) -> Result<&Lock, Raised> {
    value.downcast::<Lock>().ok_or_else(|| type_error("descriptor requires a '_thread.lock' object"))
}

fn release(value: &Value) -> Result<Value, Raised> {
    if this(value)?.0.unlock() { Ok(Value::None) } else { Err(Kind::RuntimeError.raise("release unlocked lock")) }
}

/// Takes the lock. First without releasing the GIL, as `acquire_timed` in CPython's `Modules/_threadmodule.c` does;
/// only if somebody has it the GIL is released for the wait. Whether it was taken.
fn take(call: &mut Call<'_>, lock: &Lock, timeout: Option<Duration>) -> bool {
    let Call { outside, line, .. } = call;
    lock.0.try_lock()
        || timeout != Some(Duration::ZERO)
            && lock.0.lock(timeout, outside.is_free_threaded(), |sleep| {
                outside.release(State::WaitingLock, Detail::None, *line, sleep);
            })
}

fn acquire(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("acquire")?;
    let lock = this(value)?;
    let [blocking, timeout] = call.bind("acquire", args, ["blocking", "timeout"])?;
    let blocking = blocking.is_none_or(Value::truth);
    let timeout = timeout.map_or(Ok(-1.0), super::time::seconds)?;
    if !blocking && timeout != -1.0 {
        return Err(value_error("can't specify a timeout for a non-blocking call"));
    }
    if timeout < 0.0 && timeout != -1.0 {
        return Err(value_error("timeout value must be a non-negative number"));
    }
    if !blocking {
        return Ok(Value::Bool(lock.0.try_lock()));
    }
    let timeout = if timeout < 0.0 { None } else { Duration::try_from_secs_f64(timeout).ok() };
    Ok(Value::Bool(take(call, lock, timeout)))
}
