//! When the next timer falls due: a `timerfd` that the runtime waits for. tokio's own timers go off up to a millisecond
//! late, which a sleep of five would show.

use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::event::Nanos;

/// An alarm clock on `CLOCK_MONOTONIC`.
pub(super) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// To be called within the runtime that is to wait for it.
    #[expect(unsafe_code, reason = "tokio has only unsafe ways left to register a descriptor")]
    pub(super) fn new() -> std::io::Result<Alarm> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        // SAFETY: the descriptor must stay open and the same for as long as it is registered. An `OwnedFd` always
        // gives out the one it owns, and the `AsyncFd`, which owns that, takes it out of the runtime before it closes.
        Ok(Alarm(unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?))
    }

    /// Waits until then.
    pub(super) async fn at(&self, due: Nanos) {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A time of zero would mean never.
        let due = Timespec { tv_sec: (due.0 / 1_000_000_000) as i64, tv_nsec: (due.0 % 1_000_000_000).max(1) as i64 };
        let at = Itimerspec { it_interval: zero, it_value: due };
        // It is refused only what is no time and no timer. Should it be, the loop looks again at once.
        if timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &at).is_ok()
            && let Ok(mut gone_off) = self.0.readable().await
        {
            let _ = rustix::io::read(self.0.get_ref(), &mut [0; 8]);
            gone_off.clear_ready();
        }
    }
}
