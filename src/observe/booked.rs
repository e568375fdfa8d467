//! What the kernel books for a thread, whether or not it lets its switch records be seen.
//!
//! `/proc/PID/task/TID/schedstat` has exact sums of a thread's time on a core and of its time in the queue for one. It is
//! gone when the thread is, so it is read now and then, and more often where nothing else tells of cores.

use crate::event::Nanos;
use crate::record::ThreadTimes;

use super::notice::Notice;
use super::tracked::Tracked;
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

/// Over so much time it is seen whether a thread queues for cores at all, and of how much of it at least that is said.
const WINDOW: Nanos = Nanos::from_millis(100);
const SOME: u64 = 20;
/// Time on a core is booked a tick later at most (4 ms where there are 250 a second): of less than two nothing follows.
const TICKS: Nanos = Nanos::from_millis(10);
/// What records of switches cannot tell is the time inside of a switch, which the kernel books for a thread: at most so much
/// each. What lies further apart has another reason.
const SWITCH: Nanos = Nanos::from_micros(50);
/// Up to this part of it the records' sum stands, and up to what ticks make of it.
const CLOSE: u64 = 50;

/// So much more in the queue for a core is told.
const TELLING: Nanos = Nanos::from_micros(500);

/// Who has a core is on it for so much of the time at least.
const QUARTER: u64 = 4;

/// The sums of one thread.
#[derive(Debug)]
pub(super) struct Booked {
    times: ThreadTimes,
    /// As they stood when it was first seen, if it was there before.
    before: (Nanos, Nanos),
    last: Option<(Nanos, Nanos)>,
    read_at: Nanos,
    /// Its time on cores by the records that had been told by then.
    recorded: Nanos,
    /// Since when it was met awake without a lock at each look, and its time on a core until then.
    awake: Option<(Nanos, Nanos)>,
    /// Since when it is seen whether it queues, its time in the queue until then, and whether it did in the window before.
    window: (Nanos, Nanos),
    queues: bool,
    /// How long it had queued when that was told last.
    told: Nanos,
}

impl Booked {
    /// Of a thread that `was_there` before anybody looked, or that was born since.
    pub(super) fn open(pid: u32, tid: u32, was_there: bool) -> Booked {
        let times = ThreadTimes::open(pid, tid);
        let last = times.read();
        let before = last.filter(|_| was_there).unwrap_or_default();
        Booked {
            times,
            before,
            last,
            read_at: Nanos::ZERO,
            recorded: Nanos::ZERO,
            awake: None,
            window: Default::default(),
            queues: true,
            told: Nanos::ZERO,
        }
    }

    /// Reads them anew. Once the thread has ended, what was read last stands.
    pub(super) fn read(&mut self, now: Nanos) {
        if let Some(sums) = self.times.read() {
            (self.last, self.read_at) = (Some(sums), now);
        }
    }

    /// Whether what was read is older than a small part of the thread's life since `born`: that much is lost when it ends.
    fn is_old(&self, now: Nanos, born: Nanos) -> bool {
        now.0.saturating_sub(self.read_at.0) > now.0.saturating_sub(born.0) / PART
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

    /// It was met asleep, or with a lock.
    pub(super) fn met_otherwise(&mut self) {
        self.awake = None;
    }

    /// It was met awake, without a lock. Says whether it has a core, or queues for one, where that can be told by now.
    pub(super) fn met_awake(&mut self, now: Nanos) -> Option<bool> {
        self.read(now);
        self.has_core(now, self.last?)
    }

    fn has_core(&mut self, now: Nanos, (on_cpu, runqueue): (Nanos, Nanos)) -> Option<bool> {
        let less = |now: Nanos, before: Nanos| now.0.saturating_sub(before.0);
        let (since, before) = self.window;
        if since == Nanos::ZERO {
            self.window = (now, runqueue);
        } else if less(now, since) >= WINDOW.0 {
            self.queues = less(runqueue, before) * SOME > less(now, since);
            self.window = (now, runqueue);
        }
        let (since, before) = *self.awake.get_or_insert((now, on_cpu));
        let (span, ran) = (less(now, since), less(on_cpu, before));
        let has_core = match () {
            () if !self.queues || ran * QUARTER > span => true,
            () if span >= TICKS.0 => false,
            () => return None,
        };
        self.awake = Some((now, on_cpu));
        Some(has_core)
    }

    /// How long it was on cores by the kernel's sum, if records of so many switches, which tell of `recorded` in its `life`,
    /// left out so much that it tells: of one that sleeps ten thousand times a second that is nearly half. What came after
    /// the sum was read last is as recorded.
    pub(super) fn beyond_records(&self, recorded: Nanos, switches: u64, life: Nanos) -> Option<Nanos> {
        let on_cpu = self.sums()?.0 + Nanos(recorded.0.saturating_sub(self.recorded.0));
        let left_out = on_cpu.0.saturating_sub(recorded.0);
        let tells = left_out > TICKS.0.max(recorded.0 / CLOSE);
        (tells && left_out <= SWITCH.0.saturating_mul(switches)).then_some(on_cpu.min(life))
    }

    /// How long it has queued for a core in all, by the kernel's sum or by records that tell of `recorded`, if that is news.
    fn queued(&mut self, recorded: Nanos) -> Option<Nanos> {
        let queued = self.sums()?.1.max(recorded);
        let is_news = queued >= self.told + TELLING;
        self.told = if is_news { queued } else { self.told };
        is_news.then_some(queued)
    }

    /// How long it was on cores, and how long it waited for one, since it was first seen.
    pub(super) fn sums(&self) -> Option<(Nanos, Nanos)> {
        let since = |now: Nanos, before: Nanos| Nanos(now.0.saturating_sub(before.0));
        self.last.map(|(on_cpu, runqueue)| (since(on_cpu, self.before.0), since(runqueue, self.before.1)))
    }
}

impl Tracked {
    /// Reads its sums anew.
    pub(super) fn read_sums(&mut self, now: Nanos) {
        self.booked.recorded = self.thread.on_cpu_until(now);
        self.booked.read(now);
    }

    /// How long it has queued for a core by now, if that is news.
    pub(super) fn queued(&mut self, now: Nanos) -> Option<Notice> {
        let (lane, at) = (self.lane?, self.thread.ended_at().unwrap_or(now));
        let life = Nanos(at.0.saturating_sub(self.thread.since.0));
        let queued = self.booked.queued(self.thread.queued).filter(|queued| *queued <= life)?;
        let on_cpu = self.booked.sums()?.0;
        Some(Notice::Queued { lane, at, queued, on_cpu })
    }

    /// A look at its lock has told that it does not hold it, and nothing records whether it is on a core.
    pub(super) fn seen_without(&mut self, at: Nanos) {
        match self.booked.met_awake(at) {
            Some(true) => self.thread.seen_without(at),
            Some(false) => self.thread.seen_to_queue(at),
            None => {}
        }
    }
}

/// How long threads that are gone were on cores.
#[derive(Default)]
pub(super) struct Gone {
    all: Nanos,
    /// Those without a lane.
    native: Nanos,
}

impl Gone {
    /// One more is gone.
    pub(super) fn add(&mut self, tracked: &Tracked, now: Nanos) {
        self.all += tracked.on_cpu_until(now);
        if tracked.is_native() {
            self.native += tracked.on_cpu_until(now);
        }
    }
}

impl Watcher {
    /// Reads the sums of those that have not lived long: once they have ended nobody tells.
    pub(super) fn read_sums_of_the_young(&mut self, now: Nanos) {
        if self.threads.len() > CROWD {
            return;
        }
        for tracked in self.threads.values_mut().filter(|tracked| !tracked.thread.has_ended()) {
            if tracked.booked.is_old(now, tracked.thread.since) {
                tracked.read_sums(now);
            }
        }
    }

    /// How long threads without a lane were on cores: those that are not Python's, and those of programs that it started.
    pub(super) fn native_cpu(&self, now: Nanos) -> Nanos {
        let native = self.threads.values().filter(|tracked| tracked.is_native());
        self.gone.native + native.map(|tracked| tracked.on_cpu_until(now)).sum::<Nanos>()
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

    /// Reads the sums of all threads; says how long they were on cores, as far as they were seen.
    pub(super) fn read_sums(&mut self, now: Nanos) -> Nanos {
        let mut all = self.gone.all;
        for tracked in self.threads.values_mut() {
            tracked.read_sums(now);
            self.notices.extend(tracked.queued(now));
            all += tracked.on_cpu_until(now);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_awake_and_gets_no_time_on_a_core_queues_for_one() {
        let (pid, tid) = (std::process::id(), crate::record::thread_id());
        let ms = Nanos::from_millis;
        let mut booked = Booked::open(pid, tid, true);
        // When it was met, what was booked by then on a core and in the queue, in milliseconds, and what that tells.
        let mut met = |now, on_cpu, runqueue| booked.has_core(ms(now), (ms(on_cpu), ms(runqueue)));
        assert_eq!(met(1000, 50, 10), None, "nothing is known yet");
        assert_eq!(met(1003, 50, 10), None, "a tick may be due");
        assert_eq!(met(1006, 54, 10), Some(true), "it came");
        assert_eq!(met(1009, 54, 10), None);
        assert_eq!(met(1016, 54, 10), Some(false), "nothing was booked for more than two");
        assert_eq!(met(1019, 58, 13), Some(true));
        assert_eq!(met(1022, 58, 13), None);
        assert_eq!(met(1110, 150, 13), Some(true), "3 of 110 ms: it does not queue to speak of");
        assert_eq!(met(1113, 150, 13), Some(true), "so it is taken to have a core at once");
        assert_eq!(met(1212, 200, 60), Some(true));
        assert_eq!(met(1215, 200, 60), None, "it does again");
        booked.met_otherwise();
        assert_eq!(booked.has_core(ms(1226), (ms(200), ms(60))), None, "it slept in between");
    }

    #[test]
    fn where_records_leave_out_the_time_inside_of_many_switches_the_kernels_sum_stands() {
        let (pid, tid) = (std::process::id(), crate::record::thread_id());
        let ms = Nanos::from_millis;
        let mut booked = Booked::open(pid, tid, true);
        (booked.before, booked.last, booked.recorded) = ((ms(5), ms(0)), Some((ms(705), ms(9))), ms(400));
        let said = |recorded, switches| booked.beyond_records(ms(recorded), switches, ms(3000));
        assert_eq!(said(400, 42_000), Some(ms(700)));
        assert_eq!(said(420, 42_000), Some(ms(720)), "what came after it was read is as recorded");
        assert_eq!(said(400, 100), None, "so few switches do not take so long");
        assert_eq!(booked.beyond_records(ms(400), 42_000, ms(650)), Some(ms(650)), "no longer than it lived");
        booked.recorded = ms(692);
        assert_eq!(booked.beyond_records(ms(692), 42_000, ms(3000)), None, "as near as a tick is");
        booked.recorded = ms(900);
        assert_eq!(booked.beyond_records(ms(900), 42_000, ms(3000)), None, "the records tell of more");
    }

    #[test]
    fn what_was_booked_before_anybody_looked_is_not_counted_and_what_was_read_last_stands() {
        let (pid, tid) = (std::process::id(), crate::record::thread_id());
        let (mut there, mut born) = (Booked::open(pid, tid, true), Booked::open(pid, tid, false));
        assert_eq!(there.sums(), Some((Nanos::ZERO, Nanos::ZERO)));
        let all = born.sums().unwrap().0;
        assert!(!there.is_of(Nanos::ZERO, Nanos(1)), "nothing of its life was read");
        assert!(there.is_old(Nanos(1), Nanos::ZERO));
        there.read(Nanos(1));
        assert!(there.is_of(Nanos::ZERO, Nanos(1)));
        there.read_at = Nanos(900);
        assert!(there.is_of(Nanos::ZERO, Nanos(1000)) && !there.is_of(Nanos::ZERO, Nanos(1040)), "an eighth is lost");
        assert!(!there.is_old(Nanos(920), Nanos::ZERO), "that is not long ago");
        assert!(there.is_old(Nanos(970), Nanos::ZERO));
        there.read(Nanos(1));
        born.read(Nanos(1));
        assert!(there.sums().unwrap().0 <= born.sums().unwrap().0 && born.sums().unwrap().0 >= all);
        let gone = Booked { times: ThreadTimes::open(pid, u32::MAX >> 2), ..Booked::open(pid, tid, false) };
        assert!(gone.sums().is_some());
        assert_eq!(Booked::open(pid, u32::MAX >> 2, false).sums(), None);
    }
}
