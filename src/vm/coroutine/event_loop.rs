//! The loop: who has been woken runs until it awaits again; where nobody has, the thread waits for the outside.
//!
//! It is `BaseEventLoop._run_once` of CPython's `asyncio/base_events.py`. Timers are in a heap of the loop's own, as
//! there, so that it is known when each fell due, whatever the loop was doing at that moment. Everything else from
//! outside (sockets, threads) reaches its task through a waker, out of tokio's current-thread runtime, in which the
//! loop waits; that is what `select` is to asyncio.
//!
//! A task that stops the loop by a blocking call keeps all others from being told that they could go on. What woke
//! them carries its time, so [`Host::coroutine`] says *since when* each has been ready.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};

use super::alarm::Alarm;
use super::poll;
use super::priced::StreamPrices;
use super::shared::{Shared, locked};
use super::task::{Rest, Task};
use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, LaneId, Line, State};
use crate::vm::exception::{Kind, Raised};
use crate::vm::frame::Step;
use crate::vm::host::{Host, Turn};
use crate::vm::thread::Thread;
use crate::vm::value::Value;

/// What a native function finds of the loop it runs in.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    pub(crate) task: Arc<Task>,
}

thread_local! {
    // As in CPython, where `_running_loop` is a thread's own.
    static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

/// The loop that runs the calling task.
pub(crate) fn running() -> Result<Running, Raised> {
    let running = RUNNING.with_borrow(Clone::clone);
    running.ok_or_else(|| Kind::RuntimeError.raise("no running event loop"))
}

/// Who gives a loop its tasks and hears what comes of them.
pub trait Crew<H: Host> {
    /// A coroutine for this slot to run, one after another; none when it has nothing more to do.
    fn next(&mut self, thread: &mut Thread<'_, H>, slot: usize) -> Option<Result<Value, Raised>>;
    /// How the last one of this slot ended.
    fn ended(&mut self, host: &mut H, slot: usize, outcome: Result<Value, Raised>);
    /// The loop is about to wait.
    fn pauses(&mut self) {}
    /// Nobody has anything more to do; what the program's own tasks still do is not waited for.
    fn finished(&mut self, host: &mut H);
}

/// One coroutine, whose outcome is wanted.
struct Once(Option<Value>, Option<Result<Value, Raised>>);

impl<H: Host> Crew<H> for Once {
    fn next(&mut self, _: &mut Thread<'_, H>, _: usize) -> Option<Result<Value, Raised>> {
        self.0.take().map(Ok)
    }

    fn ended(&mut self, _: &mut H, _: usize, outcome: Result<Value, Raised>) {
        self.1 = Some(outcome);
    }

    fn finished(&mut self, _: &mut H) {}
}

/// How many tasks of a lane could go on, and whether one of its slot's is left.
#[derive(Clone, Copy, Default)]
struct LaneTasks {
    ready: usize,
    /// Its slot has nothing more to do.
    over: bool,
}

/// An event loop, in the thread that runs it.
pub struct EventLoop {
    shared: Arc<Shared>,
    queue: VecDeque<Arc<Task>>,
    lanes: Vec<LaneTasks>,
    /// Slots that have something to do.
    slots: usize,
    runtime: Runtime,
    /// Goes off when the next timer falls due.
    alarm: Alarm,
}

impl EventLoop {
    /// One that has nothing to do yet, with what connections are to cost in it. Fails where the system refuses it a
    /// descriptor.
    pub fn new(prices: StreamPrices) -> std::io::Result<EventLoop> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let alarm = {
            let _within = runtime.enter();
            Alarm::new()?
        };
        let shared = Arc::new(Shared::new(prices));
        Ok(EventLoop { shared, queue: VecDeque::new(), lanes: Vec::new(), slots: 0, runtime, alarm })
    }

    /// Runs a slot for each lane given until none has anything more to do, then ends what the program left running.
    /// A slot without a lane is not shown.
    pub fn run<H: Host>(
        &mut self,
        thread: &mut Thread<'_, H>,
        slots: &[Option<LaneId>],
        crew: &mut dyn Crew<H>,
    ) -> Result<(), Raised> {
        let highest = slots.iter().flatten().map(|lane| lane.index() + 1).max().unwrap_or(0);
        self.lanes = vec![LaneTasks::default(); highest];
        self.slots = slots.len();
        for (slot, lane) in slots.iter().enumerate() {
            std::task::Wake::wake(Task::new(self.shared.clone(), *lane, Some(slot), Rest::Ask));
        }
        let handle = self.runtime.handle().clone();
        let _within = handle.enter();
        let result = self.until(thread, crew, |this| this.slots == 0);
        crew.finished(thread.host());
        let result = result.and_then(|()| self.end_the_rest(thread, crew));
        RUNNING.set(None);
        result
    }

    /// Runs one coroutine, which no lane shows, to its end, as `asyncio.run` does.
    pub fn run_one<H: Host>(&mut self, thread: &mut Thread<'_, H>, coroutine: Value) -> Result<Value, Raised> {
        let mut crew = Once(Some(coroutine), None);
        self.run(thread, &[None], &mut crew)?;
        crew.1.unwrap_or(Err(Raised::Stopped))
    }

    /// What `asyncio.run` does at its end: cancels the tasks that are left and waits for them.
    fn end_the_rest<H: Host>(&mut self, thread: &mut Thread<'_, H>, crew: &mut dyn Crew<H>) -> Result<(), Raised> {
        let left: Vec<Arc<Task>> =
            std::mem::take(&mut *locked(&self.shared.made)).iter().filter_map(Weak::upgrade).collect();
        for task in &left {
            task.cancel();
        }
        self.until(thread, crew, |_| left.iter().all(|task| task.is_done()))
    }

    fn until<H: Host>(
        &mut self,
        thread: &mut Thread<'_, H>,
        crew: &mut dyn Crew<H>,
        over: impl Fn(&EventLoop) -> bool,
    ) -> Result<(), Raised> {
        while !over(self) {
            self.take_in(thread.host());
            if self.queue.is_empty() {
                crew.pauses();
                self.wait(thread.host());
            } else {
                // Whatever tokio knows by now; asyncio looks at its selector as often.
                self.runtime.block_on(tokio::task::yield_now());
            }
            self.take_in(thread.host());
            // Those that are woken meanwhile have their turn next time.
            for _ in 0..self.queue.len() {
                let Some(task) = self.queue.pop_front() else { break };
                self.step(thread, crew, task)?;
            }
        }
        Ok(())
    }

    /// Who has been woken queues up; its lane has been ready since then.
    fn take_in<H: Host>(&mut self, host: &mut H) {
        self.shared.wake_due();
        for (task, since) in std::mem::take(&mut *locked(&self.shared.woken)) {
            if let Some(lane) = task.lane
                && let Some(tasks) = self.lanes.get_mut(lane.index())
            {
                tasks.ready += 1;
                if tasks.ready == 1 && !tasks.over {
                    host.coroutine(lane, Turn::Ready { since });
                }
            }
            self.queue.push_back(task);
        }
    }

    fn wait<H: Host>(&self, host: &mut H) {
        // What the tasks themselves rang for has been seen to; whoever rings from now on is heard.
        let _ = self.shared.bell.notified().now_or_never();
        if !locked(&self.shared.woken).is_empty() {
            return;
        }
        let due = self.shared.next_due();
        host.release(State::Io, Detail::None, Line::NONE, || {
            self.runtime.block_on(async {
                let bell = self.shared.bell.notified();
                match due {
                    None => bell.await,
                    Some(due) => tokio::select! {
                        () = bell => {}
                        () = self.alarm.at(due) => {}
                    },
                }
            });
        });
    }

    /// Runs a task until it awaits or ends.
    fn step<H: Host>(
        &mut self,
        thread: &mut Thread<'_, H>,
        crew: &mut dyn Crew<H>,
        task: Arc<Task>,
    ) -> Result<(), Raised> {
        let (rest, cancelled) = {
            let mut state = task.state();
            state.queued = false;
            state.awaiting = None;
            (state.rest.take(), std::mem::take(&mut state.must_cancel))
        };
        let lane = task.lane.filter(|lane| {
            let Some(tasks) = self.lanes.get_mut(lane.index()) else { return false };
            tasks.ready = tasks.ready.saturating_sub(1);
            !tasks.over
        });
        if let Some(lane) = lane {
            thread.host().coroutine(lane, Turn::Running);
        }
        RUNNING.set(Some(Running { shared: self.shared.clone(), task: task.clone() }));
        let result = self.go_on(thread, crew, &task, rest, cancelled);
        thread.tell_warnings();
        let over = match result {
            Poll::Ready(Ok(())) => task.slot.is_some(),
            Poll::Ready(Err(stopped)) => return Err(stopped),
            Poll::Pending => false,
        };
        self.slots -= usize::from(over);
        if let Some(lane) = lane {
            let tasks = &mut self.lanes[lane.index()];
            tasks.over = over;
            let turn = match (over, tasks.ready) {
                (true, _) => Turn::Over,
                (false, 0) => Turn::Suspended,
                (false, _) => Turn::Ready { since: Monotonic.now() },
            };
            thread.host().coroutine(lane, turn);
        }
        Ok(())
    }

    /// The part of a step that is the program's. Ready when the task has ended; an error when all is to end.
    fn go_on<H: Host>(
        &self,
        thread: &mut Thread<'_, H>,
        crew: &mut dyn Crew<H>,
        task: &Arc<Task>,
        rest: Option<Rest>,
        cancelled: bool,
    ) -> Poll<Result<(), Raised>> {
        let Some(mut rest) = rest else { return Poll::Ready(Ok(())) };
        let waker = Waker::from(task.clone());
        let mut thrown = cancelled.then(|| Kind::CancelledError.raise(""));
        loop {
            let outcome = match rest {
                Rest::Ask => match task.slot.and_then(|slot| crew.next(thread, slot)) {
                    None => {
                        task.end(Ok(Value::None));
                        return Poll::Ready(Ok(()));
                    }
                    Some(coroutine) => match coroutine.and_then(|coroutine| Rest::of(&coroutine)) {
                        Ok(begun) => {
                            rest = begun;
                            continue;
                        }
                        Err(raised) => Err(raised),
                    },
                },
                Rest::Call(code, args) => {
                    rest = Rest::Program(thread.begin(code, args));
                    continue;
                }
                Rest::Program(frames) => match thread.go_on(frames, &waker, thrown.take()) {
                    (Ok(Step::Returned(value)), _) => Ok(value),
                    (Ok(Step::Awaiting(awaiting)), frames) => {
                        self.suspend(task, Rest::Program(frames), awaiting);
                        return Poll::Pending;
                    }
                    (Err(raised), _) => Err(raised),
                },
                Rest::Native(awaiting) => match thrown.take() {
                    Some(raised) => Err(raised),
                    None => match poll(&awaiting, &waker) {
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending => {
                            self.suspend(task, Rest::Native(awaiting.clone()), awaiting);
                            return Poll::Pending;
                        }
                    },
                },
            };
            if let Err(Raised::Stopped) = outcome {
                return Poll::Ready(Err(Raised::Stopped));
            }
            let Some(slot) = task.slot else {
                task.end(outcome);
                return Poll::Ready(Ok(()));
            };
            crew.ended(thread.host(), slot, outcome);
            rest = Rest::Ask;
        }
    }

    /// The task awaits. If it was cancelled while it ran, that is due now.
    fn suspend(&self, task: &Arc<Task>, rest: Rest, awaiting: Value) {
        let cancelled = {
            let mut state = task.state();
            state.rest = Some(rest);
            state.awaiting = Some(awaiting);
            std::mem::take(&mut state.must_cancel)
        };
        if cancelled {
            task.cancel();
        }
    }
}
