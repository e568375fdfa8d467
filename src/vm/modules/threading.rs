//! `threading`: the lock.

use std::any::Any;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Detail, State};
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::native::{Call, Library, Native};
use crate::vm::value::{Object, Value};

pub(super) static LIBRARY: Library = Library {
    name: "threading",
    functions: &[Native::function("Lock", |call| {
        call.exactly::<0>("lock")?;
        Ok(Value::object(Lock { locked: Mutex::new(false), freed: Condvar::new() }))
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
        Ok(Value::Bool(*this(value)?.state()))
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
struct Lock {
    locked: Mutex<bool>,
    freed: Condvar,
}

impl Lock {
    fn state(&self) -> MutexGuard<'_, bool> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    let lock = this(value)?;
    if !std::mem::replace(&mut *lock.state(), false) {
        return Err(Kind::RuntimeError.raise("release unlocked lock"));
    }
    lock.freed.notify_one();
    Ok(Value::None)
}

/// Takes the lock. First without releasing the GIL, as `acquire_timed` in CPython's `Modules/_threadmodule.c` does;
/// only if somebody has it the GIL is released for the wait. Whether it was taken.
fn take(call: &mut Call<'_>, lock: &Lock, timeout: Option<Duration>) -> bool {
    if !std::mem::replace(&mut *lock.state(), true) {
        return true;
    }
    let mut taken = false;
    call.outside.release(State::WaitingLock, Detail::None, call.line, &mut || {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut locked = lock.state();
        while *locked {
            locked = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                None => lock.freed.wait(locked).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return,
                Some(left) => lock.freed.wait_timeout(locked, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        *locked = true;
        taken = true;
    });
    taken
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
        return Ok(Value::Bool(!std::mem::replace(&mut *lock.state(), true)));
    }
    let timeout = if timeout < 0.0 { None } else { Duration::try_from_secs_f64(timeout).ok() };
    Ok(Value::Bool(take(call, lock, timeout)))
}
