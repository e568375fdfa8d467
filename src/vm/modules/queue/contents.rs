//! What a queue holds, whoever waits for it: threads (`queue.Queue`) or the tasks of an event loop (`asyncio.Queue`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::vm::code::Comparison;
use crate::vm::exception::{Raised, type_error, value_error};
use crate::vm::native::Call;
use crate::vm::operate;
use crate::vm::trash::drop_items;
use crate::vm::value::{Object, Value};

/// Which item comes out first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::vm::modules) enum Order {
    FirstIn,
    LastIn,
    Least,
}

/// Its items and its bound.
pub(in crate::vm::modules) struct Contents {
    order: Order,
    /// None if it is never full.
    bound: Option<usize>,
    /// The one that comes out first is the first, except under [`Order::LastIn`].
    items: VecDeque<Value>,
    /// Put in and not yet said to be done.
    unfinished: usize,
}

/// A queue of either module.
pub(in crate::vm::modules) trait Holding: Object {
    /// As messages have it.
    const TYPE: &'static str;
    /// Its contents and their lock.
    fn mutex(&self) -> &Mutex<Contents>;

    /// Its contents, locked.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.mutex().lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Order {
    /// Of a queue of that order.
    pub(in crate::vm::modules) fn type_name(self) -> &'static str {
        match self {
            Order::FirstIn => "Queue",
            Order::LastIn => "LifoQueue",
            Order::Least => "PriorityQueue",
        }
    }
}

impl Contents {
    /// Of the queue that this call is to make.
    pub(in crate::vm::modules) fn made_by(call: &Call<'_>, order: Order) -> Result<Mutex<Contents>, Raised> {
        let [bound] = call.bind("Queue", call.positional(), ["maxsize"])?;
        let bound = match bound {
            Some(Value::Int(bound)) => usize::try_from(*bound).ok().filter(|bound| *bound > 0),
            _ => None,
        };
        Ok(Mutex::new(Contents { order, bound, items: VecDeque::new(), unfinished: 0 }))
    }

    pub(in crate::vm::modules) fn len(&self) -> usize {
        self.items.len()
    }

    pub(in crate::vm::modules) fn is_full(&self) -> bool {
        self.bound.is_some_and(|bound| self.len() >= bound)
    }

    pub(in crate::vm::modules) fn unfinished(&self) -> usize {
        self.unfinished
    }

    pub(in crate::vm::modules) fn put(&mut self, item: Value) -> Result<(), Raised> {
        let at = match self.order {
            Order::FirstIn | Order::LastIn => self.items.len(),
            Order::Least => self.rank(&item)?,
        };
        self.items.insert(at, item);
        self.unfinished += 1;
        Ok(())
    }

    pub(in crate::vm::modules) fn take(&mut self) -> Option<Value> {
        if self.order == Order::LastIn { self.items.pop_back() } else { self.items.pop_front() }
    }

    /// Behind all that are not greater. Items that cannot be compared raise.
    fn rank(&self, item: &Value) -> Result<usize, Raised> {
        let (mut low, mut high) = (0, self.items.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if operate::compare(Comparison::Less, item, &self.items[middle])? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        drop_items(&mut std::mem::take(&mut self.items).into());
    }
}

/// The queue a method was called of.
pub(in crate::vm::modules) fn this<Q: Holding>(value: &Value) -> Result<&Q, Raised> {
    value.downcast().ok_or_else(|| type_error(format!("this needs {}", Q::TYPE)))
}

// The methods that wait for nothing.

pub(in crate::vm::modules) fn qsize<Q: Holding>(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("Queue.qsize")?;
    Ok(Value::from(this::<Q>(value)?.contents().len()))
}

pub(in crate::vm::modules) fn empty<Q: Holding>(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("Queue.empty")?;
    Ok(Value::Bool(this::<Q>(value)?.contents().len() == 0))
}

pub(in crate::vm::modules) fn full<Q: Holding>(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("Queue.full")?;
    Ok(Value::Bool(this::<Q>(value)?.contents().is_full()))
}

/// One that was taken out is done. The queue, and how many are not.
pub(in crate::vm::modules) fn one_done<'a, Q: Holding>(call: &Call<'a>) -> Result<(&'a Q, usize), Raised> {
    let (value, _) = call.method::<0>("Queue.task_done")?;
    let queue = this::<Q>(value)?;
    let mut contents = queue.contents();
    let left = contents.unfinished.checked_sub(1);
    contents.unfinished = left.ok_or_else(|| value_error("task_done() called too many times"))?;
    Ok((queue, contents.unfinished))
}
