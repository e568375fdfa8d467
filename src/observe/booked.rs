//! What the kernel books for a thread, whether or not it lets its switch records be seen.
//!
//! `/proc/PID/task/TID/schedstat` has exact sums of a thread's time on a core and of its time in the queue for one. It is
//! gone when the thread is, so it is read now and then, and more often where nothing else tells of cores.

use crate::event::Nanos;
use crate::record::ThreadTimes;

use super::watch::Watcher;

/// So much time is looked back on for how many cores are busy now.
const LATELY: Nanos = Nanos::from_millis(200);

/// How often the sums are read where the kernel's records do not tell of cores.
const OFTEN: Nanos = Nanos::from_millis(20);

/// What was read last of a thread that lives is never older than this part of its life, as far as passes allow.
const PART: u64 = 16;
/// If the sums of so much of a thread's life were never read, they are not told: the queue for a core is none of a part.
const LOST: u64 = 8;
/// Of more threads than these it would cost too much to read their sums more often than all are read.
const CROWD: usize = 256;

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
        if let Some(sums) = self.times.read() {
            (self.last, self.read_at) = (Some(sums), now);
        }
    }

    /// The same, if what was read is older than a small part of the thread's life since `born`: that much is lost when it
    /// ends.
    fn read_again(&mut self, now: Nanos, born: Nanos) {
        if now.0.saturating_sub(self.read_at.0) > now.0.saturating_sub(born.0) / PART {
            self.read(now);
        }
    }

    /// Whether nearly all of its life from `born` to `end` is in what was read last.
    pub(super) fn is_of(&self, born: Nanos, end: Nanos) -> bool {
        end.0.saturating_sub(self.read_at.0) <= end.0.saturating_sub(born.0) / LOST
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
    /// Reads the sums of those that have not lived long: once they have ended nobody tells.
    pub(super) fn read_sums_of_the_young(&mut self, now: Nanos) {
        if self.threads.len() > CROWD {
            return;
        }
        for tracked in self.threads.values_mut().filter(|tracked| !tracked.thread.has_ended()) {
            tracked.booked.read_again(now, tracked.thread.since);
        }
    }

    /// How long threads without a lane were on cores: those that are not Python's, and those of programs that it started.
    pub(super) fn native_cpu(&self, now: Nanos) -> Nanos {
        let native = self.threads.values().filter(|tracked| tracked.is_native());
        self.native_by_the_gone + native.map(|tracked| tracked.on_cpu_until(now)).sum::<Nanos>()
    }

    /// The same of late, in cores.
    pub(super) fn native_busy(&mut self, now: Nanos, native: Nanos) -> f64 {
        let (since, before) = self.native_before;
        if now.0.saturating_sub(since.0) >= LATELY.0 {
            self.native_before = (now, native);
            if since != Nanos::ZERO {
                return native.0.saturating_sub(before.0) as f64 / (now - since).0 as f64;
            }
        }
        self.status.native_busy
    }

    /// Reads the sums of all; says how many cores they had of late, where nothing else tells.
    pub(super) fn read_sums(&mut self, now: Nanos) -> Option<f64> {
        if self.threads.is_empty() {
            return self.status.cores_busy;
        }
        let mut all = self.booked_by_the_gone;
        for tracked in self.threads.values_mut() {
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
        assert!(!there.is_of(Nanos::ZERO, Nanos(1)), "nothing of its life was read");
        there.read_again(Nanos(1), Nanos::ZERO);
        assert!(there.is_of(Nanos::ZERO, Nanos(1)));
        there.read_at = Nanos(900);
        assert!(there.is_of(Nanos::ZERO, Nanos(1000)) && !there.is_of(Nanos::ZERO, Nanos(1040)), "an eighth is lost");
        there.read_again(Nanos(920), Nanos::ZERO);
        assert_eq!(there.read_at, Nanos(900), "that is not long ago");
        there.read_again(Nanos(970), Nanos::ZERO);
        assert_eq!(there.read_at, Nanos(970));
        there.read(Nanos(1));
        born.read(Nanos(1));
        assert!(there.sums().unwrap().0 <= born.sums().unwrap().0 && born.sums().unwrap().0 >= all);
        let gone = Booked { times: ThreadTimes::open(pid, u32::MAX >> 2), ..Booked::open(pid, tid, false) };
        assert!(gone.sums().is_some());
        assert_eq!(Booked::open(pid, u32::MAX >> 2, false).sums(), None);
    }
}
