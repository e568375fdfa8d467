//! `asyncio.Queue` and its kin, after CPython's `asyncio/queues.py`: as `queue.Queue`, but waiting is awaited.

use std::any::Any;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::signal::Line;
use crate::vm::coroutine::of_future;
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::native::{Call, Native};
use crate::vm::value::{Object, Value, drop_items};

use super::super::queue::{Contents, Order};

struct Queue {
    order: Order,
    contents: Mutex<Contents>,
    bound: Option<usize>,
    getters: Line,
    putters: Line,
    joiners: Line,
}

impl Queue {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_full(&self) -> bool {
        self.bound.is_some_and(|bound| self.contents().items.len() >= bound)
    }

    fn put_now(&self, item: Value) -> Result<Value, Raised> {
        if self.is_full() {
            return Err(Kind::QueueFull.raise(""));
        }
        self.contents().put(self.order, item)?;
        self.getters.wake_first();
        Ok(Value::None)
    }

    fn get_now(&self) -> Result<Value, Raised> {
        let item = self.contents().take(self.order);
        let item = item.ok_or_else(|| Kind::QueueEmpty.raise(""))?;
        self.putters.wake_first();
        Ok(item)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut items: Vec<Value> = std::mem::take(&mut self.contents().items).into();
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

pub(super) fn fifo(call: &mut Call<'_>) -> Result<Value, Raised> {
    new(call, Order::FirstIn)
}

pub(super) fn lifo(call: &mut Call<'_>) -> Result<Value, Raised> {
    new(call, Order::LastIn)
}

pub(super) fn priority(call: &mut Call<'_>) -> Result<Value, Raised> {
    new(call, Order::Least)
}

fn new(call: &mut Call<'_>, order: Order) -> Result<Value, Raised> {
    let [bound] = call.bind("Queue", call.positional(), ["maxsize"])?;
    let bound = match bound {
        Some(Value::Int(bound)) => usize::try_from(*bound).ok().filter(|bound| *bound > 0),
        _ => None,
    };
    let (getters, putters, joiners) = (Line::default(), Line::default(), Line::default());
    Ok(Value::object(Queue { order, contents: Mutex::default(), bound, getters, putters, joiners }))
}

fn this(value: &Value) -> Result<&Queue, Raised> {
    value.downcast::<Queue>().ok_or_else(|| type_error("this needs an asyncio.Queue"))
}

pub(in crate::vm::modules) const METHODS: &[Native] = &[
    Native::function("put", |call| {
        let (value, [item]) = call.method::<1>("Queue.put")?;
        this(value)?;
        Ok(of_future("Queue.put", call.line, put(value.clone(), item.clone())))
    }),
    Native::function("get", |call| {
        let (value, _) = call.method::<0>("Queue.get")?;
        this(value)?;
        Ok(of_future("Queue.get", call.line, get(value.clone())))
    }),
    Native::function("put_nowait", |call| {
        let (value, [item]) = call.method::<1>("Queue.put_nowait")?;
        this(value)?.put_now(item.clone())
    }),
    Native::function("get_nowait", |call| {
        let (value, _) = call.method::<0>("Queue.get_nowait")?;
        this(value)?.get_now()
    }),
    Native::function("qsize", |call| {
        let (value, _) = call.method::<0>("Queue.qsize")?;
        Ok(Value::from(this(value)?.contents().items.len()))
    }),
    Native::function("empty", |call| {
        let (value, _) = call.method::<0>("Queue.empty")?;
        Ok(Value::Bool(this(value)?.contents().items.is_empty()))
    }),
    Native::function("full", |call| {
        let (value, _) = call.method::<0>("Queue.full")?;
        Ok(Value::Bool(this(value)?.is_full()))
    }),
    Native::function("task_done", |call| {
        let (value, _) = call.method::<0>("Queue.task_done")?;
        let queue = this(value)?;
        let left = {
            let mut contents = queue.contents();
            let left = contents.unfinished.checked_sub(1);
            contents.unfinished = left.ok_or_else(|| value_error("task_done() called too many times"))?;
            contents.unfinished
        };
        if left == 0 {
            queue.joiners.wake_all();
        }
        Ok(Value::None)
    }),
    Native::function("join", |call| {
        let (value, _) = call.method::<0>("Queue.join")?;
        this(value)?;
        Ok(of_future("Queue.join", call.line, join(value.clone())))
    }),
];

async fn put(value: Value, item: Value) -> Result<Value, Raised> {
    let queue = this(&value)?;
    while queue.is_full() {
        queue.putters.wait().await;
    }
    queue.put_now(item)
}

async fn get(value: Value) -> Result<Value, Raised> {
    let queue = this(&value)?;
    loop {
        let item = queue.get_now();
        if item.is_ok() {
            return item;
        }
        queue.getters.wait().await;
    }
}

async fn join(value: Value) -> Result<Value, Raised> {
    let queue = this(&value)?;
    while queue.contents().unfinished > 0 {
        queue.joiners.wait().await;
    }
    Ok(Value::None)
}
