//! `asyncio.Queue` and its kin, after CPython's `asyncio/queues.py`: as `queue.Queue`, but waiting is awaited.

use std::any::Any;
use std::sync::Mutex;

use super::signal::Line;
use crate::vm::coroutine::of_future;
use crate::vm::exception::{Kind, Raised};
use crate::vm::native::{Call, Native};
use crate::vm::value::{Object, Value};

use super::super::queue::{Contents, Holding, Order, empty, full, one_done, qsize, this};

struct Queue {
    order: Order,
    contents: Mutex<Contents>,
    getters: Line,
    putters: Line,
    joiners: Line,
}

impl Queue {
    fn put_now(&self, item: Value) -> Result<Value, Raised> {
        let mut contents = self.contents();
        if contents.is_full() {
            return Err(Kind::QueueFull.raise(""));
        }
        contents.put(item)?;
        drop(contents);
        self.getters.wake_first();
        Ok(Value::None)
    }

    fn get_now(&self) -> Result<Value, Raised> {
        let item = self.contents().take();
        let item = item.ok_or_else(|| Kind::QueueEmpty.raise(""))?;
        self.putters.wake_first();
        Ok(item)
    }
}

impl Holding for Queue {
    const TYPE: &'static str = "an asyncio.Queue";

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

pub(super) fn new(call: &mut Call<'_>, order: Order) -> Result<Value, Raised> {
    let contents = Contents::made_by(call, order)?;
    let (getters, putters, joiners) = (Line::default(), Line::default(), Line::default());
    Ok(Value::object(Queue { order, contents, getters, putters, joiners }))
}

pub(in crate::vm::modules) const METHODS: &[Native] = &[
    Native::function("put", |call| {
        let (value, [item]) = call.method::<1>("Queue.put")?;
        this::<Queue>(value)?;
        Ok(of_future("Queue.put", call.line, put(value.clone(), item.clone())))
    }),
    Native::function("get", |call| {
        let (value, _) = call.method::<0>("Queue.get")?;
        this::<Queue>(value)?;
        Ok(of_future("Queue.get", call.line, get(value.clone())))
    }),
    Native::function("put_nowait", |call| {
        let (value, [item]) = call.method::<1>("Queue.put_nowait")?;
        this::<Queue>(value)?.put_now(item.clone())
    }),
    Native::function("get_nowait", |call| {
        let (value, _) = call.method::<0>("Queue.get_nowait")?;
        this::<Queue>(value)?.get_now()
    }),
    Native::function("qsize", qsize::<Queue>),
    Native::function("empty", empty::<Queue>),
    Native::function("full", full::<Queue>),
    Native::function("task_done", |call| {
        let (queue, left) = one_done::<Queue>(call)?;
        if left == 0 {
            queue.joiners.wake_all();
        }
        Ok(Value::None)
    }),
    Native::function("join", |call| {
        let (value, _) = call.method::<0>("Queue.join")?;
        this::<Queue>(value)?;
        Ok(of_future("Queue.join", call.line, join(value.clone())))
    }),
];

async fn put(value: Value, item: Value) -> Result<Value, Raised> {
    let queue = this::<Queue>(&value)?;
    while queue.contents().is_full() {
        queue.putters.wait().await;
    }
    queue.put_now(item)
}

async fn get(value: Value) -> Result<Value, Raised> {
    let queue = this::<Queue>(&value)?;
    loop {
        let item = queue.get_now();
        if item.is_ok() {
            return item;
        }
        queue.getters.wait().await;
    }
}

async fn join(value: Value) -> Result<Value, Raised> {
    let queue = this::<Queue>(&value)?;
    while queue.contents().unfinished() > 0 {
        queue.joiners.wait().await;
    }
    Ok(Value::None)
}
