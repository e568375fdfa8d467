//! `queue`: first in, first out; last in, first out; or the least first. With or without a bound.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Detail, EventKind, QueueId, State};
use crate::vm::code::Comparison;
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::native::{Call, Library, Native};
use crate::vm::operate;
use crate::vm::value::{Object, Value, drop_items};

pub(super) static LIBRARY: Library = Library {
    name: "queue",
    functions: &[
        Native::class("Queue", |call| new(call, Order::FirstIn)),
        Native::class("LifoQueue", |call| new(call, Order::LastIn)),
        Native::class("PriorityQueue", |call| new(call, Order::Least)),
    ],
    constants: &[("Empty", Value::ExceptionType(Kind::Empty)), ("Full", Value::ExceptionType(Kind::Full))],
};

pub(super) const METHODS: &[Native] = &[
    Native::function("put", put),
    Native::function("get", get),
    Native::function("put_nowait", |call| {
        let (value, [item]) = call.method::<1>("put_nowait")?;
        transfer(call, this(value)?, Some(item.clone()), Some(Duration::ZERO))
    }),
    Native::function("get_nowait", |call| {
        let (value, _) = call.method::<0>("get_nowait")?;
        transfer(call, this(value)?, None, Some(Duration::ZERO))
    }),
    Native::function("qsize", |call| {
        let (value, _) = call.method::<0>("qsize")?;
        Ok(Value::from(this(value)?.state().items.len()))
    }),
    Native::function("empty", |call| {
        let (value, _) = call.method::<0>("empty")?;
        Ok(Value::Bool(this(value)?.state().items.is_empty()))
    }),
    Native::function("full", |call| {
        let (value, _) = call.method::<0>("full")?;
        let queue = this(value)?;
        Ok(Value::Bool(queue.bound.is_some_and(|bound| queue.state().items.len() >= bound)))
    }),
    Native::function("task_done", task_done),
    Native::function("join", join),
];

/// Which item comes out first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    FirstIn,
    LastIn,
    Least,
}

#[derive(Default)]
pub(super) struct Contents {
    /// The one that comes out first is the first, except under [`Order::LastIn`].
    pub(super) items: VecDeque<Value>,
    pub(super) unfinished: usize,
}

impl Contents {
    pub(super) fn put(&mut self, order: Order, item: Value) -> Result<(), Raised> {
        let at = match order {
            Order::FirstIn | Order::LastIn => self.items.len(),
            Order::Least => self.rank(&item)?,
        };
        self.items.insert(at, item);
        self.unfinished += 1;
        Ok(())
    }

    pub(super) fn take(&mut self, order: Order) -> Option<Value> {
        if order == Order::LastIn { self.items.pop_back() } else { self.items.pop_front() }
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

/// How many this process has made.
static MADE: AtomicU16 = AtomicU16::new(0);

struct Queue {
    /// None if there are more than are recorded.
    id: Option<QueueId>,
    order: Order,
    contents: Mutex<Contents>,
    changed: Condvar,
    bound: Option<usize>,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to record of a change, by whoever made it, while its mutex is held.
    fn event(&self, contents: &Contents, put: bool) -> Option<EventKind> {
        let depth = u32::try_from(contents.items.len()).unwrap_or(u32::MAX);
        self.id.map(|queue| EventKind::Queue { queue, depth, put })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut items: Vec<Value> = std::mem::take(&mut self.state().items).into();
        drop_items(&mut items);
    }
}

impl Object for Queue {
    fn type_name(&self) -> &'static str {
        match self.order {
            Order::FirstIn => "Queue",
            Order::LastIn => "LifoQueue",
            Order::Least => "PriorityQueue",
        }
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn this(value: &Value) -> Result<&Queue, Raised> {
    value.downcast::<Queue>().ok_or_else(|| type_error("this needs a queue.Queue"))
}

fn new(call: &mut Call<'_>, order: Order) -> Result<Value, Raised> {
    let [bound] = call.bind("Queue", call.positional(), ["maxsize"])?;
    let bound = match bound {
        Some(Value::Int(bound)) => usize::try_from(*bound).ok().filter(|bound| *bound > 0),
        _ => None,
    };
    let made = MADE.try_update(Relaxed, Relaxed, |made| (made < QueueId::MOST).then_some(made + 1));
    let id = made.ok().map(QueueId);
    Ok(Value::object(Queue { id, order, contents: Mutex::default(), changed: Condvar::new(), bound }))
}

/// How long to wait: none is for ever.
fn patience(block: Option<&Value>, timeout: Option<&Value>) -> Result<Option<Duration>, Raised> {
    if !block.is_none_or(Value::truth) {
        return Ok(Some(Duration::ZERO));
    }
    match timeout {
        None | Some(Value::None) => Ok(None),
        Some(timeout) => {
            let seconds = super::time::seconds(timeout)?;
            if seconds < 0.0 {
                return Err(value_error("'timeout' must be a non-negative number"));
            }
            Ok(Duration::try_from_secs_f64(seconds).ok())
        }
    }
}

fn put(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("put")?;
    let [item, block, timeout] = call.bind("Queue.put", args, ["item", "block", "timeout"])?;
    let missing = || type_error("Queue.put() missing 1 required positional argument: 'item'");
    let item = item.ok_or_else(missing)?.clone();
    transfer(call, this(value)?, Some(item), patience(block, timeout)?)
}

fn get(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("get")?;
    let [block, timeout] = call.bind("Queue.get", args, ["block", "timeout"])?;
    transfer(call, this(value)?, None, patience(block, timeout)?)
}

/// Puts the item in, or takes one out; at once if that is possible, else with the GIL released for the wait.
fn transfer(
    call: &mut Call<'_>,
    queue: &Queue,
    item: Option<Value>,
    timeout: Option<Duration>,
) -> Result<Value, Raised> {
    let putting = item.is_some();
    let mut item = item;
    // Whether it was possible, and what was taken out or raised.
    let mut attempt = |contents: &mut Contents| -> Option<Result<Value, Raised>> {
        if !putting {
            return contents.take(queue.order).map(Ok);
        }
        if queue.bound.is_some_and(|bound| contents.items.len() >= bound) {
            return None;
        }
        item.take().map(|item| contents.put(queue.order, item).map(|()| Value::None))
    };
    let changed = |done: &Option<Result<Value, Raised>>, contents: &Contents| {
        matches!(done, Some(Ok(_))).then(|| queue.event(contents, putting)).flatten()
    };
    let mut contents = queue.state();
    let mut done = attempt(&mut contents);
    if let Some(event) = changed(&done, &contents) {
        call.outside.note(call.line, event);
    }
    drop(contents);
    if done.is_none() && timeout != Some(Duration::ZERO) {
        call.outside.release_noting(State::WaitingLock, Detail::None, call.line, &mut |note| {
            let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let mut contents = queue.state();
            loop {
                done = attempt(&mut contents);
                if done.is_some() {
                    changed(&done, &contents).into_iter().for_each(&mut *note);
                    return;
                }
                contents = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                    None => queue.changed.wait(contents).unwrap_or_else(PoisonError::into_inner),
                    Some(Duration::ZERO) => return,
                    Some(left) => queue.changed.wait_timeout(contents, left).unwrap_or_else(PoisonError::into_inner).0,
                };
            }
        });
    }
    match done {
        Some(result) => {
            queue.changed.notify_all();
            result
        }
        None => Err(if putting { Kind::Full } else { Kind::Empty }.raise("")),
    }
}

fn task_done(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("task_done")?;
    let queue = this(value)?;
    let mut contents = queue.state();
    let left = contents.unfinished.checked_sub(1);
    contents.unfinished = left.ok_or_else(|| value_error("task_done() called too many times"))?;
    drop(contents);
    queue.changed.notify_all();
    Ok(Value::None)
}

fn join(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("join")?;
    let queue = this(value)?;
    if queue.state().unfinished > 0 {
        call.outside.release(State::WaitingLock, Detail::Join, call.line, &mut || {
            let mut contents = queue.state();
            while contents.unfinished > 0 {
                contents = queue.changed.wait(contents).unwrap_or_else(PoisonError::into_inner);
            }
        });
    }
    Ok(Value::None)
}
