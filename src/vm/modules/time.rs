//! `time`.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::event::{Detail, State};
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::native::{Call, Library, Native};
use crate::vm::value::Value;

pub(super) static LIBRARY: Library = Library {
    name: "time",
    functions: &[
        Native::function("sleep", sleep),
        Native::function("perf_counter", |call| elapsed(call, "time.perf_counter")),
        Native::function("monotonic", |call| elapsed(call, "time.monotonic")),
        Native::function("perf_counter_ns", |call| {
            call.exactly::<0>("time.perf_counter_ns")?;
            Ok(Value::from(start().elapsed().as_nanos() as usize))
        }),
        Native::function("time", |call| {
            call.exactly::<0>("time.time")?;
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Ok(Value::Float(since.as_secs_f64()))
        }),
    ],
    constants: &[],
};

/// The counters' zero, which Python leaves open: when one was first read.
fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn elapsed(call: &mut Call<'_>, name: &str) -> Result<Value, Raised> {
    call.exactly::<0>(name)?;
    Ok(Value::Float(start().elapsed().as_secs_f64()))
}

/// A span in seconds, as a timeout or a sleep takes it.
pub(super) fn seconds(value: &Value) -> Result<f64, Raised> {
    match value {
        Value::Int(value) => Ok(*value as f64),
        Value::Bool(value) => Ok(f64::from(u8::from(*value))),
        Value::Float(value) if value.is_nan() => Err(value_error("Invalid value NaN (not a number)")),
        Value::Float(value) => Ok(*value),
        Value::Wide(_) | Value::Big(_) => {
            Err(Kind::OverflowError.raise("timestamp too large to convert to C PyTime_t"))
        }
        other => Err(type_error(format!("'{}' object cannot be interpreted as an integer", other.type_name()))),
    }
}

fn sleep(call: &mut Call<'_>) -> Result<Value, Raised> {
    let seconds = seconds(&call.exactly::<1>("time.sleep")?[0])?;
    if seconds < 0.0 {
        return Err(value_error("sleep length must be non-negative"));
    }
    let too_long = || Kind::OverflowError.raise("timestamp too large to convert to C PyTime_t");
    let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| span.as_nanos() <= i64::MAX as u128);
    let span = span.ok_or_else(too_long)?;
    call.outside.release(State::Io, Detail::Sleep, call.line, &mut || std::thread::sleep(span));
    Ok(Value::None)
}
