//! The one loop: input, source, tick → action → update → effects → at most one draw a frame.
//!
//! Everything happens on one thread, so nothing the screen shows can change
//! while it is drawn. Workers write into shared memory whether or not anybody
//! reads; a slow terminal delays the drawing and nothing else. The sampler of
//! the machine, which may block in the kernel, has a thread of its own.

mod lines;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use color_eyre::eyre::{Context, Result};
use crossterm::event::EventStream;
use futures::{FutureExt, StreamExt};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::app::Action;
use crate::session::Record;
use crate::terminal::{self, Screen};
use crate::ui;

pub use world::Options;
use world::World;

/// While something runs: thirty looks a second, and at most as many frames.
const BUSY: Duration = Duration::from_millis(33);

/// While nothing does: often enough for the machine's figures.
const IDLE: Duration = Duration::from_millis(250);

/// How long the loop gets to end in good order when it is told to by a signal.
const GRACE: Duration = Duration::from_secs(2);

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The user left.
    Quit,
    /// A signal said so, which has this number.
    Told(i32),
}

/// Opens the lab and stays until the user leaves. If a signal ended it, returns that signal's number; by then the
/// terminal has been given back. And what is known of the program that was watched, if one was.
pub fn run(options: Options) -> Result<(Option<i32>, Option<Record>)> {
    let signals = Signals::listen()?;
    let mut world = World::new(options);
    let mut screen = Screen::enter().wrap_err("the terminal cannot be taken over")?;
    let loop_of_its_own = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let end = match loop_of_its_own.block_on(stay(&mut world, &mut screen, &signals)) {
        // Its window was closed, and this came before the signal that says so.
        Err(error) if is_gone(&error) => End::Told(SIGHUP),
        end => end?,
    };
    drop(screen);
    let told = match end {
        End::Quit => None,
        End::Told(signal) => Some(signal),
    };
    Ok((told, world.leave_watched()))
}

/// Whether what failed did so because there is no terminal any more.
fn is_gone(error: &color_eyre::Report) -> bool {
    let gone = |error: &std::io::Error| error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    error.chain().any(|cause| cause.downcast_ref().is_some_and(gone))
}

/// The loop.
async fn stay(world: &mut World, screen: &mut Screen, signals: &Signals) -> Result<End> {
    let mut keys = EventStream::new();
    let mut busy = false;
    let mut tick = ticker(IDLE);
    let (columns, rows) = crossterm::terminal::size()?;
    world.resized(columns, rows);
    let mut drawn = None;
    loop {
        if drawn != Some(world.state().revision) {
            drawn = Some(world.state().revision);
            screen.draw(|frame| {
                let area = frame.area();
                ui::render(world.state(), world.log(), area, frame.buffer_mut());
            })?;
        }
        tokio::select! {
            biased;
            input = keys.next() => match input {
                Some(input) => {
                    world.input(input?);
                    // All that has been typed counts before anything is drawn.
                    while let Some(Some(input)) = keys.next().now_or_never() {
                        world.input(input?);
                    }
                }
                // There is no terminal any more; its signal may still be on its way.
                None => return Ok(End::Told(SIGHUP)),
            },
            _ = tick.tick() => world.tick(),
        }
        if let Some(signal) = signals.end() {
            return Ok(End::Told(signal));
        }
        if signals.suspend() {
            world.act(Action::Suspend);
        }
        for wish in world.take_wishes() {
            match wish {
                Wish::Quit => return Ok(End::Quit),
                Wish::Suspend => {
                    // The stream would go on reading keys that are the shell's.
                    drop(keys);
                    world.suspend(|| screen.lend(stop_here))?;
                    keys = EventStream::new();
                    drawn = None;
                }
                Wish::Redraw => {
                    screen.clear()?;
                    drawn = None;
                }
            }
        }
        if world.is_busy() != busy {
            busy = world.is_busy();
            tick = ticker(if busy { BUSY } else { IDLE });
        }
    }
}

fn ticker(every: Duration) -> tokio::time::Interval {
    let mut tick = interval_at(Instant::now() + every, every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// What the state wants of the loop itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Quit,
    Suspend,
    Redraw,
}

/// Stops this process until the shell lets it go on.
fn stop_here() {
    // The rest of our process group (cargo, a pipeline) has had SIGTSTP and stands already.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

/// The signals we answer in good order.
struct Signals {
    /// The number of the one that ends us; 0 before it comes.
    end: Arc<AtomicI32>,
    suspend: Arc<AtomicBool>,
}

impl Signals {
    fn listen() -> Result<Signals> {
        let signals = Signals { end: Arc::default(), suspend: Arc::default() };
        let deaf = "cannot listen for signals";
        signal_hook::flag::register(SIGTSTP, Arc::clone(&signals.suspend)).wrap_err(deaf)?;
        let mut told = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT]).wrap_err(deaf)?;
        let end = Arc::clone(&signals.end);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            if let Some(signal) = told.forever().next() {
                end.store(signal, Ordering::Relaxed);
                // The loop looks at the flag within a tick, unless it is stuck in a read: crossterm reads a terminal
                // that is gone again and again. The run's processes end with ours, whichever way it ends.
                thread::sleep(GRACE);
                terminal::give_back();
                std::process::exit(128 + signal);
            }
        })?;
        Ok(signals)
    }

    fn end(&self) -> Option<i32> {
        Some(self.end.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }

    fn suspend(&self) -> bool {
        self.suspend.swap(false, Ordering::Relaxed)
    }
}
