//! What asyncio computes for a connection, computed here as well.
//!
//! A connection is a system call or two, and around them asyncio runs some hundred lines of Python: it makes transport,
//! protocol, reader and writer, and calls back through its loop for each. The thread of the loop does that with the lock
//! held, and takes as long for it as the kernel does. The miniature has all of it in Rust; so the calling thread
//! computes until the step has had as much CPU time as CPython's, what the miniature spends itself included.
//!
//! Not counted as its own: what tokio spends where the loop waits, a few microseconds a turn for all that it has woken.

use std::future::{Future, poll_fn};
use std::pin::pin;

use serde::{Deserialize, Serialize};

use super::event_loop::running;
use crate::clock::{on_cpu, work_until};
use crate::event::Nanos;

/// CPU time of the loop's thread for a connection of `asyncio`'s streams, the kernel's part included. Nothing: the
/// miniature's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamPrices {
    /// `open_connection`, to this machine.
    pub open_ns: Nanos,
    /// The writer's `close` and `wait_closed`.
    pub close_ns: Nanos,
}

/// The price that holds in the loop that runs the calling task.
fn price(of: impl Fn(&StreamPrices) -> Nanos) -> Nanos {
    running().map_or(Nanos::ZERO, |running| of(&running.shared.prices))
}

/// Awaits a step at its price; one that fails is not charged for.
pub(crate) async fn awaited<T, E>(
    of: impl Fn(&StreamPrices) -> Nanos,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let price = price(of);
    if price == Nanos::ZERO {
        return step.await;
    }
    let mut step = pin!(step);
    let mut spent = Nanos::ZERO;
    let result = poll_fn(|context| {
        let before = on_cpu();
        let polled = step.as_mut().poll(context);
        spent += on_cpu() - before;
        polled
    })
    .await;
    if result.is_ok() {
        work_until(on_cpu() + (price - spent));
    }
    result
}

/// Takes a step at its price.
pub(crate) fn taken<T>(of: impl Fn(&StreamPrices) -> Nanos, step: impl FnOnce() -> T) -> T {
    let price = price(of);
    if price == Nanos::ZERO {
        return step();
    }
    let before = on_cpu();
    let result = step();
    work_until(before + price);
    result
}
