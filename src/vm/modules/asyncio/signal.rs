//! Something a task waits for until another sets it: the bare `Future` of which asyncio makes its locks and queues.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Set once.
#[derive(Default)]
pub(super) struct Signal(Mutex<State>);

#[derive(Default)]
struct State {
    set: bool,
    waker: Option<Waker>,
}

impl Signal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_set(&self) -> bool {
        self.state().set
    }

    pub(super) fn set(&self) {
        let waker = {
            let mut state = self.state();
            state.set = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            if state.set {
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Those who wait for one thing, the first come first.
#[derive(Default)]
pub(super) struct Line(Mutex<VecDeque<Arc<Signal>>>);

impl Line {
    fn signals(&self) -> MutexGuard<'_, VecDeque<Arc<Signal>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.signals().is_empty()
    }

    /// Wakes the first who has not been woken yet.
    pub(super) fn wake_first(&self) {
        let first = self.signals().iter().find(|signal| !signal.is_set()).cloned();
        if let Some(signal) = first {
            signal.set();
        }
    }

    /// Wakes everyone.
    pub(super) fn wake_all(&self) {
        let all: Vec<_> = self.signals().iter().cloned().collect();
        all.iter().for_each(|signal| signal.set());
    }

    /// Waits at the end of the line until woken. One who is cancelled after being woken passes that on.
    pub(super) async fn wait(&self) {
        let signal = Arc::new(Signal::default());
        self.signals().push_back(signal.clone());
        let mut place = Place { line: self, signal, done: false };
        place.signal.wait().await;
        place.done = true;
    }
}

/// A place in a line, which is left however the waiting ends.
struct Place<'a> {
    line: &'a Line,
    signal: Arc<Signal>,
    done: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.signals().retain(|signal| !Arc::ptr_eq(signal, &self.signal));
        if self.signal.is_set() && !self.done {
            self.line.wake_first();
        }
    }
}
