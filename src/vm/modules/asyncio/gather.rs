//! `asyncio.gather`: several at once, their results in the order in which they were given.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::vm::coroutine::Awaitable;
use crate::vm::coroutine::task::{Task, TaskObject, WaitFor, create_native, ensure};
use crate::vm::exception::{Kind, Raised};
use crate::vm::native::Call;
use crate::vm::value::Value;

/// It is a task itself, which waits for the others: what it returns can be cancelled and awaited, at once or later.
pub(super) fn gather(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [return_exceptions] = call.keyword_only("gather", ["return_exceptions"])?;
    let return_exceptions = return_exceptions.is_some_and(Value::truth);
    let tasks: Vec<Arc<Task>> = call.positional().iter().map(ensure).collect::<Result<_, _>>()?;
    let gathering = Gather { left: tasks.len(), tasks, return_exceptions, ended: Arc::default(), begun: false };
    Ok(Value::object(TaskObject(create_native(gathering)?)))
}

struct Gather {
    tasks: Vec<Arc<Task>>,
    return_exceptions: bool,
    begun: bool,
    /// How many have not ended.
    left: usize,
    ended: Arc<Ended>,
}

/// Those that have ended and have not been looked at, so that ten thousand are not looked through at each end.
#[derive(Default)]
struct Ended {
    numbers: Mutex<Vec<usize>>,
    waker: Mutex<Option<Waker>>,
}

struct One {
    number: usize,
    ended: Arc<Ended>,
}

impl Wake for One {
    fn wake(self: Arc<One>) {
        self.ended.numbers.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
        if let Some(waker) = &*self.ended.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake_by_ref();
        }
    }
}

impl Gather {
    fn failure(&self, number: usize) -> Option<Raised> {
        if self.return_exceptions { None } else { self.tasks[number].outcome()?.err() }
    }

    fn results(&self) -> Result<Value, Raised> {
        let result = |task: &Arc<Task>| match task.outcome() {
            Some(Ok(value)) => Ok(value),
            Some(Err(Raised::Exception(exception))) => Ok(Value::Exception(Arc::new(*exception))),
            Some(Err(Raised::Stopped)) => Err(Raised::Stopped),
            None => Err(Kind::InvalidStateError.raise("Result is not set.")),
        };
        Ok(Value::list(self.tasks.iter().map(result).collect::<Result<_, _>>()?))
    }
}

impl Awaitable for Gather {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Value, Raised>> {
        *self.ended.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        let mut numbers = std::mem::take(&mut *self.ended.numbers.lock().unwrap_or_else(PoisonError::into_inner));
        if !self.begun {
            self.begun = true;
            for number in 0..self.tasks.len() {
                let waker = Waker::from(Arc::new(One { number, ended: self.ended.clone() }));
                if WaitFor(self.tasks[number].clone()).poll(&mut Context::from_waker(&waker)).is_ready() {
                    numbers.push(number);
                }
            }
        }
        for number in numbers {
            self.left -= 1;
            if let Some(raised) = self.failure(number) {
                return Poll::Ready(Err(raised));
            }
        }
        if self.left > 0 { Poll::Pending } else { Poll::Ready(self.results()) }
    }

    fn cancel(&mut self) -> bool {
        let cancelled: Vec<bool> = self.tasks.iter().map(Task::cancel).collect();
        cancelled.contains(&true)
    }
}
