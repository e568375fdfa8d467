//! Real CPython, from outside: unmodified, not stopped, without privilege.
//!
//! # The problem
//! What the GIL does is known to nobody but the process it lives in, and that
//! process is to be disturbed as little as possible.
//!
//! # The choice
//! **Exact** where the machine and its policies allow it: a hardware
//! watchpoint on the four bytes of `gil.locked` gives one record of the
//! kernel's for each take and each drop, context-switch records give each
//! coming onto a core and leaving it, and one read of `/proc` for each sleep
//! gives its reason. **Sampled** where they do not, or where the lock is taken
//! so often that watching would slow the program: the lock is read a thousand
//! times a second, and what happened between two looks is counted by
//! CPython's own count of hand-offs, never made up.
//!
//! From the bottom: what lies where ([`memory`], read in few calls by `ahead`, [`elf`], [`layout`],
//! [`runtime`], [`process`]); what is learnt of a lock and of a thread as pure
//! machines ([`lock`], [`thread`]); the pass that feeds them ([`watch`]: what is
//! new is told in `telling`, its processes are in `tree`, their interpreters in `interpreters`, how lanes end in `ends`, its
//! looks in `looks`, some calls at a time by `ahead` and some spared by `still`, what a program may use in `allowed`, and the rest in
//! `care`), when it is due ([`pace`], [`instants`]), and on
//! which core (`aside`);
//! and the thread that makes the passes ([`Observer`]).
//!
//! # Not chosen
//! Stopping the process to read it (ptrace): it would change what is measured.
//! An agent inside it: it would need the GIL to say who has it. Probes on
//! `take_gil` and `drop_gil`: they need root, and symbols that most builds do
//! not have.

mod ahead;
mod allowed;
mod aside;
mod births;
mod booked;
mod care;
mod copies;
pub mod doing;
pub mod elf;
mod ends;
mod halt;
pub mod instants;
mod interpreters;
mod kin;
pub mod launch;
pub mod layout;
pub mod lock;
mod looks;
pub mod memory;
pub mod name;
mod naming;
pub mod notice;
pub mod object;
mod observed;
pub mod pace;
pub mod parking;
pub mod place;
pub mod process;
pub mod pythons;
pub mod recorder;
mod remade;
pub mod runtime;
mod spent;
mod still;
mod telling;
pub mod thread;
mod tracked;
mod tree;
pub mod trouble;
pub mod watch;
pub mod world;

use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::clock::{Clock, Monotonic};
use crate::event::Nanos;
use crate::record::wish_for_slices_of;
use aside::Aside;
use notice::{Notice, Program};
use trouble::Trouble;
use watch::Watcher;

/// A look lasts no longer, nor what else is done in a pass most times.
const LOOK_LASTS: Nanos = Nanos::from_micros(100);

/// A program being observed, by a thread of its own.
#[derive(Debug)]
pub struct Observer {
    /// What is observed, as far as it was known at the beginning.
    pub program: Program,
    /// Why the kernel does not tell of context switches, if it does not.
    pub switches_refused: Option<String>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    notices: Mutex<Vec<Notice>>,
    child: Mutex<Option<Child>>,
    stop: AtomicBool,
    exact_once: AtomicBool,
    without_places: AtomicBool,
}

impl Observer {
    /// Attaches to a running process.
    pub fn attach(pid: u32) -> Result<Observer, Trouble> {
        allow_descriptors();
        let ended = open_life(pid);
        let mut watcher = Watcher::new(pid, false);
        watcher.attach()?;
        Ok(Observer::start(watcher, ended))
    }

    /// Observes a program that was started and waits to be let go.
    pub fn follow(pid: u32, command: Vec<String>) -> Observer {
        allow_descriptors();
        let mut watcher = Watcher::new(pid, true);
        watcher.await_program(command);
        Observer::start(watcher, None)
    }

    /// Waits for the program's end, once it has been let go, by the child that ends as it ends.
    pub fn watch_child(&self, child: Child) {
        *self.shared.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    fn start(watcher: Watcher, ended: Option<OwnedFd>) -> Observer {
        let (program, switches_refused) = watcher.described();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let work = move || observe(watcher, ended, &theirs);
        // Without a thread nothing is observed, and the source says so.
        let thread = std::thread::Builder::new().name("observer".into()).spawn(work).ok();
        Observer { program, switches_refused, shared, thread }
    }

    /// Whether it still observes. What it has said may not have been read yet.
    pub fn is_on(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// What it has said since the last time.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.shared.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches locks that are only looked at, for a moment, although it slows the program down.
    pub fn exact_once(&self) {
        self.shared.exact_once.store(true, Ordering::Relaxed);
    }

    /// Looks no more in which functions locks are held.
    pub fn without_places(&self) {
        self.shared.without_places.store(true, Ordering::Relaxed);
    }

    /// Stops observing; what was seen so far is said.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // If it panicked there is no more to be said.
            let _ = thread.join();
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn observe(mut watcher: Watcher, ended: Option<OwnedFd>, shared: &Shared) {
    let launched = watcher.described().0.launched;
    // The kernel may else be late by 50 µs to spare itself a timer.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1_000));
    // A look is made at its instant, not when who has our core pauses: then the lock is free, and one that is held a fifth of
    // the time was told to be held a fiftieth.
    wish_for_slices_of(LOOK_LASTS);
    // Readable when what is waited for has ended: of a child of ours, once it has been let go.
    let mut life = ended;
    let mut has_ended = false;
    let mut aside = Aside::this_thread();
    loop {
        if shared.exact_once.swap(false, Ordering::Relaxed) {
            watcher.exact_once();
        }
        watcher.wants_places = !shared.without_places.load(Ordering::Relaxed);
        watcher.pass();
        aside.step(&mut watcher.cores, Monotonic.now());
        let stopped = shared.stop.load(Ordering::Relaxed);
        let end = match &mut *shared.child.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(child) if life.is_none() => {
                life = open_life(child.id());
                child.try_wait().map_or(Some(None), |status| status.map(Some))
            }
            Some(child) if has_ended => child.try_wait().map_or(Some(None), |status| status.map(Some)),
            Some(_) => None,
            None if launched => None,
            None => {
                let gone = || process::threads(watcher.root()).is_empty() || process::is_zombie(watcher.root());
                let ended = if life.is_some() { has_ended } else { gone() };
                ended.then(|| process::exit_status(watcher.root(), life.as_ref()))
            }
        };
        let over = stopped || end.is_some();
        if over {
            watcher.finish(end);
        }
        let said = watcher.notices();
        if !said.is_empty() {
            shared.notices.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
        }
        if over {
            return;
        }
        has_ended = wait(&watcher, life.as_ref());
    }
}

/// Waits until the next pass is due, or the end of what is observed. Says whether it was that.
fn wait(watcher: &Watcher, life: Option<&OwnedFd>) -> bool {
    let pause = watcher.pause();
    let span = Timespec { tv_sec: pause.span.as_secs() as i64, tv_nsec: i64::from(pause.span.subsec_nanos()) };
    if pause.is_nap {
        // A thousand times a second it counts that this is the cheapest of all waits.
        let _ = rustix::thread::nanosleep(&span);
        return false;
    }
    let mut awaited: Vec<PollFd<'_>> = life.into_iter().map(|life| PollFd::new(life, PollFlags::IN)).collect();
    awaited.extend(watcher.rings().map(|ring| PollFd::from_borrowed_fd(ring, PollFlags::IN)));
    // Whatever ends it, a pass is right.
    let _ = rustix::event::poll(&mut awaited, Some(&span));
    life.is_some() && !awaited[0].revents().is_empty()
}

fn open_life(pid: u32) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// An event for each thread and core may be more descriptors than the usual 1024.
pub(crate) fn allow_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(65_536, |most| most.min(65_536));
    if current.is_some_and(|current| current < wanted) {
        // A wish: without it a thread too many is a reason to sample.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}

/// Our own process's time on cores.
fn own_time() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// How a program that we started left, as a status of our own: its own, or 128 and the signal's number, as shells have it.
pub fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, signal) => 128_u8.wrapping_add(signal.unwrap_or(0) as u8),
    }
}
