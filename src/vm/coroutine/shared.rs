//! What an event loop, its tasks and whoever wakes them share: who is to go on, and the timers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use tokio::sync::Notify;

use super::priced::StreamPrices;
use super::task::Task;
use crate::clock::{Clock, Monotonic};
use crate::event::Nanos;

/// What the loop, its tasks and whoever wakes them share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Who is to go on and since when, in that order.
    pub(super) woken: Mutex<Vec<(Arc<Task>, Nanos)>>,
    timers: Mutex<Timers>,
    /// Tasks that the program made.
    pub(super) made: Mutex<Vec<Weak<Task>>>,
    pub(super) bell: Notify,
    /// What connections are to cost.
    pub(super) prices: StreamPrices,
}

#[derive(Default)]
struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
    /// Those that fall due at the same time do so in the order in which they were set.
    number: u64,
    /// While the loop wakes whom a timer concerns: when that was.
    due: Option<Nanos>,
}

struct Timer {
    due: Nanos,
    number: u64,
    waker: Waker,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Timer) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Of a loop in which connections are to cost so much.
    pub(super) fn new(prices: StreamPrices) -> Shared {
        Shared { prices, ..Shared::default() }
    }

    /// A task is to go on.
    pub(super) fn queue(&self, task: Arc<Task>) {
        let at = locked(&self.timers).due.unwrap_or_else(|| Monotonic.now());
        locked(&self.woken).push((task, at));
        self.bell.notify_one();
    }

    /// The program made a task.
    pub(super) fn born(&self, task: &Arc<Task>) {
        let mut made = locked(&self.made);
        // Those that are gone are cleared away now and then, at no cost to speak of for each.
        if made.len() == made.capacity() {
            made.retain(|task| task.strong_count() > 0);
        }
        made.push(Arc::downgrade(task));
    }

    /// Has the waker called at that time.
    pub(crate) fn call_at(&self, due: Nanos, waker: Waker) {
        let mut timers = locked(&self.timers);
        timers.number += 1;
        let number = timers.number;
        timers.heap.push(Reverse(Timer { due, number, waker }));
    }

    pub(super) fn next_due(&self) -> Option<Nanos> {
        locked(&self.timers).heap.peek().map(|Reverse(timer)| timer.due)
    }

    /// Wakes whom a timer concerns that has fallen due.
    pub(super) fn wake_due(&self) {
        loop {
            let timer = {
                let mut timers = locked(&self.timers);
                timers.due = None;
                let Some(due) = timers.heap.peek().map(|Reverse(timer)| timer.due) else { return };
                if due > Monotonic.now() {
                    return;
                }
                timers.due = Some(due);
                timers.heap.pop()
            };
            if let Some(Reverse(timer)) = timer {
                timer.waker.wake();
            }
        }
    }
}
