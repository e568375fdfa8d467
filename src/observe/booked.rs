//! What the kernel books for a thread, whether or not it lets its switch records be seen.
//!
//! `/proc/PID/task/TID/schedstat` has exact sums of a thread's time on a core and of its time in the queue for one. It is
//! gone when the thread is, so it is read now and then, and more often where nothing else tells of cores.

use crate::event::Nanos;
use crate::record::ThreadTimes;

use super::watch::Watcher;

/// How often the sums are read where the kernel's records do not tell of cores.
const OFTEN: Nanos = Nanos::from_millis(20);

/// The sums of one thread.
#[derive(Debug)]
pub(super) struct Booked {
    times: ThreadTimes,
    /// As they stood when it was first seen, if it was there before.
    before: (Nanos, Nanos),
    last: Option<(Nanos, Nanos)>,
    read_at: Nanos,
}

impl Booked {
    /// Of a thread that `was_there` before anybody looked, or that was born since.
    pub(super) fn open(pid: u32, tid: u32, was_there: bool) -> Booked {
        let times = ThreadTimes::open(pid, tid);
        let last = times.read();
        let before = last.filter(|_| was_there).unwrap_or_default();
        Booked { times, before, last, read_at: Nanos::ZERO }
    }

    /// Reads them anew. Once the thread has ended, what was read last stands.
    pub(super) fn read(&mut self, now: Nanos) {
        self.read_at = now;
        self.last = self.times.read().or(self.last);
    }

    /// The same, if that is due where nothing else tells of cores.
    pub(super) fn read_often(&mut self, now: Nanos) {
        if self.read_at + OFTEN <= now {
            self.read(now);
        }
    }

    /// How long it was on cores, and how long it waited for one, since it was first seen.
    pub(super) fn sums(&self) -> Option<(Nanos, Nanos)> {
        let since = |now: Nanos, before: Nanos| Nanos(now.0.saturating_sub(before.0));
        self.last.map(|(on_cpu, runqueue)| (since(on_cpu, self.before.0), since(runqueue, self.before.1)))
    }
}

impl Watcher {
    /// Reads the sums of all that have a lane; says how many cores they had of late, where nothing else tells.
    pub(super) fn read_sums(&mut self, now: Nanos) -> Option<f64> {
        if self.threads.is_empty() {
            return self.status.cores_busy;
        }
        let mut all = self.booked_by_the_gone;
        for tracked in self.threads.values_mut().filter(|tracked| tracked.lane.is_some()) {
            tracked.booked.read(now);
            all += tracked.booked.sums().map_or(Nanos::ZERO, |(on_cpu, _)| on_cpu);
        }
        let (since, before) = std::mem::replace(&mut self.booked, (now, all));
        let span = (now.0.saturating_sub(since.0)) as f64;
        (!self.recorder.is_on() && since != Nanos::ZERO && span > 0.0)
            .then(|| all.0.saturating_sub(before.0) as f64 / span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_booked_before_anybody_looked_is_not_counted_and_what_was_read_last_stands() {
        let (pid, tid) = (std::process::id(), crate::record::thread_id());
        let (mut there, mut born) = (Booked::open(pid, tid, true), Booked::open(pid, tid, false));
        assert_eq!(there.sums(), Some((Nanos::ZERO, Nanos::ZERO)));
        let all = born.sums().unwrap().0;
        there.read(Nanos(1));
        born.read(Nanos(1));
        assert!(there.sums().unwrap().0 <= born.sums().unwrap().0 && born.sums().unwrap().0 >= all);
        let gone = Booked { times: ThreadTimes::open(pid, u32::MAX >> 2), ..Booked::open(pid, tid, false) };
        assert!(gone.sums().is_some());
        assert_eq!(Booked::open(pid, u32::MAX >> 2, false).sums(), None);
    }
}
