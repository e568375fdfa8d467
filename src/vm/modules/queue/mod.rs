//! `queue`: first in, first out; last in, first out; or the least first. With or without a bound.

mod contents;

use std::any::Any;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::event::{Detail, EventKind, QueueId, State};
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::native::{Call, Library, Native};
use crate::vm::value::{Object, Value};

pub(super) use contents::{Contents, Holding, Order, this};
pub(super) use contents::{empty, full, one_done, qsize};

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
        let (value, [item]) = call.method::<1>("Queue.put_nowait")?;
        transfer(call, this(value)?, Some(item.clone()), Some(Duration::ZERO))
    }),
    Native::function("get_nowait", |call| {
        let (value, _) = call.method::<0>("Queue.get_nowait")?;
        transfer(call, this(value)?, None, Some(Duration::ZERO))
    }),
    Native::function("qsize", qsize::<Queue>),
    Native::function("empty", empty::<Queue>),
    Native::function("full", full::<Queue>),
    Native::function("task_done", task_done),
    Native::function("join", join),
];

/// How many this process has made.
static MADE: AtomicU16 = AtomicU16::new(0);

struct Queue {
    /// None if there are more than are recorded.
    id: Option<QueueId>,
    order: Order,
    contents: Mutex<Contents>,
    changed: Condvar,
}

impl Queue {
    /// What to record of a change, by whoever made it, while its mutex is held.
    fn event(&self, contents: &Contents, put: bool) -> Option<EventKind> {
        let depth = u32::try_from(contents.len()).unwrap_or(u32::MAX);
        self.id.map(|queue| EventKind::Queue { queue, depth, put })
    }
}

impl Holding for Queue {
    const TYPE: &'static str = "a queue.Queue";

    fn mutex(&self) -> &Mutex<Contents> {
        &self.contents
    }
}

impl Object for Queue {
    fn type_name(&self) -> &'static str {
        self.order.type_name()
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn new(call: &mut Call<'_>, order: Order) -> Result<Value, Raised> {
    let contents = Contents::made_by(call, order)?;
    let made = MADE.try_update(Relaxed, Relaxed, |made| (made < QueueId::MOST).then_some(made + 1));
    Ok(Value::object(Queue { id: made.ok().map(QueueId), order, contents, changed: Condvar::new() }))
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
            return contents.take().map(Ok);
        }
        if contents.is_full() {
            return None;
        }
        item.take().map(|item| contents.put(item).map(|()| Value::None))
    };
    let changed = |done: &Option<Result<Value, Raised>>, contents: &Contents| {
        matches!(done, Some(Ok(_))).then(|| queue.event(contents, putting)).flatten()
    };
    let mut contents = queue.contents();
    let mut done = attempt(&mut contents);
    if let Some(event) = changed(&done, &contents) {
        call.outside.note(call.line, event);
    }
    drop(contents);
    if done.is_none() && timeout != Some(Duration::ZERO) {
        call.outside.release_noting(State::WaitingLock, Detail::None, call.line, &mut |note| {
            let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let mut contents = queue.contents();
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
    let (queue, _) = one_done::<Queue>(call)?;
    queue.changed.notify_all();
    Ok(Value::None)
}

fn join(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, _) = call.method::<0>("Queue.join")?;
    let queue = this::<Queue>(value)?;
    if queue.contents().unfinished() > 0 {
        call.outside.release(State::WaitingLock, Detail::Join, call.line, &mut || {
            let mut contents = queue.contents();
            while contents.unfinished() > 0 {
                contents = queue.changed.wait(contents).unwrap_or_else(PoisonError::into_inner);
            }
        });
    }
    Ok(Value::None)
}
