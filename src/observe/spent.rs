//! How long all threads of the observed processes were on cores, also those without a lane and those that ended before
//! anybody saw them: the kernel books for a process (`utime` and `stime` of `/proc/PID/stat`, proc(5)) what its threads
//! leave when they end.

use std::collections::BTreeMap;

use crate::event::Nanos;
use crate::perf;

use super::watch::Watcher;

/// So much time is looked back on for how many cores are busy now: the kernel counts in hundredths of a second.
const LATELY: Nanos = Nanos::from_millis(500);

/// What is counted in hundredths of a second tells of nothing shorter: each process's sum may be two of them off.
const TELLS: Nanos = Nanos::from_secs(1);

/// The sums of all processes.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// Of each: as it was when it was first seen, if it was there before, and as it was last.
    processes: BTreeMap<u32, (Nanos, Nanos)>,
    /// Of those that are no more.
    gone: Nanos,
    /// What is looked back on: since when, and how much it was by then.
    before: Option<(Nanos, Nanos)>,
    lately: Option<f64>,
    /// How long the whole observing was, once it is over.
    whole: Option<Nanos>,
}

impl Spent {
    /// A process is followed from now on, that `was_there` before anybody looked or was born since.
    pub(super) fn open(&mut self, pid: u32, was_there: bool) {
        let before = if was_there { read(pid).unwrap_or_default() } else { Nanos::ZERO };
        self.processes.insert(pid, (before, before));
    }

    /// It is followed no longer.
    pub(super) fn close(&mut self, pid: u32) {
        self.read(pid);
        self.gone += self.processes.remove(&pid).map_or(Nanos::ZERO, |(before, last)| last - before);
    }

    fn read(&mut self, pid: u32) {
        if let Some((_, last)) = self.processes.get_mut(&pid) {
            *last = read(pid).map_or(*last, |now| now.max(*last));
        }
    }

    /// Reads them anew, until it is over; says how long they were on cores since they were first seen.
    pub(super) fn sum(&mut self) -> Nanos {
        if self.whole.is_none() {
            self.read_all();
        }
        self.gone + self.processes.values().map(|(before, last)| *last - *before).sum::<Nanos>()
    }

    fn read_all(&mut self) {
        let pids: Vec<u32> = self.processes.keys().copied().collect();
        pids.into_iter().for_each(|pid| self.read(pid));
    }

    /// From now on it is told how many cores they had in all this time; what they spend later is not counted.
    pub(super) fn is_over(&mut self, elapsed: Nanos) {
        self.read_all();
        self.whole = Some(elapsed).filter(|elapsed| *elapsed > Nanos::ZERO);
    }

    /// Whether that is told now.
    pub(super) fn is_of_all(&self) -> bool {
        self.whole.is_some()
    }

    /// How many cores they had of late, if it is `all` by now; none before it can be told.
    pub(super) fn lately(&mut self, now: Nanos, all: Nanos) -> Option<f64> {
        if let Some(elapsed) = self.whole {
            return Some(busy(all, elapsed));
        }
        let (since, before) = *self.before.get_or_insert((now, all));
        if now >= since + LATELY {
            self.before = Some((now, all));
            self.lately = Some(busy(Nanos(all.0.saturating_sub(before.0)), now - since));
        }
        self.lately
    }
}

/// How many cores that is; no more than there are, since what is booked late may be of the time before.
fn busy(all: Nanos, span: Nanos) -> f64 {
    (all.0 as f64 / span.0.max(1) as f64).min(perf::online_cores().len() as f64)
}

impl Watcher {
    /// How long all threads were on cores: those that were seen by the kernel's sums of each, which are exact; all by its
    /// sums of processes, once those tell.
    pub(super) fn cpu_of_all(&mut self, now: Nanos) -> Nanos {
        let (seen, all) = (self.read_sums(now), self.spent.sum());
        if now >= self.began + TELLS { seen.max(all) } else { seen }
    }
}

/// How long the threads of a process were on cores, those that have ended too.
fn read(pid: u32) -> Option<Nanos> {
    parse(&super::process::text(&format!("/proc/{pid}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<Nanos> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut sums = rest.split_ascii_whitespace().skip(11).map(|word| word.parse::<u64>().ok());
    let ticks = sums.next()?? + sums.next()??;
    Some(Nanos(ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_user_and_system_time_whatever_it_is_called() {
        let stat = "42 (a) R 1) S 1 2 3 4 5 6 7 8 9 10 150 20 0 0 20 0 3 0 99";
        assert_eq!(parse(stat), Some(Nanos(170 * 1_000_000_000 / rustix::param::clock_ticks_per_second())));
        for bad in ["", "42 (a) S 1 2", "42 (a) S 1 2 3 4 5 6 7 8 9 10 x 20"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_ended_threads_spent_is_in_the_sum_and_what_was_spent_before_is_not() {
        let own = std::process::id();
        let (mut all, mut since) = (Spent::default(), Spent::default());
        let burn = || {
            let begun = std::time::Instant::now();
            while begun.elapsed() < std::time::Duration::from_millis(300) {}
        };
        std::thread::spawn(burn).join().unwrap();
        all.open(own, false);
        since.open(own, true);
        std::thread::spawn(burn).join().unwrap();
        let (all, later) = (all.sum(), since.sum());
        assert!(later > Nanos::ZERO && all > later, "{all:?} {later:?}");
        since.close(own);
        assert!(since.sum() >= later, "what is no more counts still");
    }

    #[test]
    fn how_many_cores_it_was_of_late_stands_until_enough_time_has_passed() {
        let (mut spent, ms) = (Spent::default(), Nanos::from_millis);
        assert_eq!(spent.lately(ms(1000), ms(50)), None);
        assert_eq!(spent.lately(ms(1250), ms(300)), None);
        assert_eq!(spent.lately(ms(1500), ms(800)), Some(1.5));
        assert_eq!(spent.lately(ms(1750), ms(800)), Some(1.5));
        assert_eq!(spent.lately(ms(2000), ms(900)), Some(0.2));
        assert_eq!(spent.lately(ms(2500), ms(900_000)), Some(perf::online_cores().len() as f64), "there are no more");
        spent.is_over(ms(1500));
        assert_eq!(spent.lately(ms(2600), ms(900)), Some(0.6), "of all of it");
    }
}
