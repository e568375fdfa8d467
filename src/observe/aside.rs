//! On which core we run ourselves: not on the one that the observed program computes on.
//!
//! # The problem
//! A look lasts some 30 µs, two hundred times a second. On a core that nobody needs that disturbs nobody; on the core of
//! who holds the lock all of it is time that the program does not have. Where a thread wakes up is the kernel's choice, and
//! some kernels (those of virtual machines that pack their work onto few cores) choose the core that is busy.
//!
//! # The choice
//! The records tell how long threads of the program were on each core. If one core had them for most of the last tenth of a
//! second and another for less than half as long, the first is taken from the cores that our thread may use, until that
//! changes. All others are left to the kernel. Whoever has confined us to some cores has done so for good.
//!
//! # Not chosen
//! A policy that lets others go first (`SCHED_BATCH`, `SCHED_IDLE`): on the core of who computes without a pause a look would
//! come when he pauses, which is when the lock changes hands and nobody sleeps yet. (So it would by the policy of all others, on
//! kernels that let whoever has a core finish his slice: there we wish for short slices, and are let in at once.)

use std::collections::BTreeMap;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::event::{CoreId, Nanos};

/// How often it is thought over.
const EVERY: Nanos = Nanos::from_millis(100);

/// How long the program was on each core of late.
#[derive(Debug, Default)]
pub(super) struct Cores {
    on: BTreeMap<CoreId, On>,
    since: Nanos,
}

#[derive(Clone, Copy, Debug, Default)]
struct On {
    since: Option<Nanos>,
    sum: Nanos,
}

impl Cores {
    /// A thread came onto this core.
    pub(super) fn came(&mut self, core: CoreId, at: Nanos) {
        self.on.entry(core).or_default().since = Some(at);
    }

    /// A thread left it.
    pub(super) fn left(&mut self, core: CoreId, at: Nanos) {
        let begin = self.since;
        let on = self.on.entry(core).or_default();
        if let Some(since) = on.since.take() {
            on.sum += Nanos(at.0.saturating_sub(since.max(begin).0));
        }
    }

    /// Whether it is time to think it over.
    fn is_due(&self, now: Nanos) -> bool {
        self.since + EVERY <= now
    }

    /// Which of these cores is to be left to the program, by what was since the last time.
    fn busy(&mut self, now: Nanos, usable: &[CoreId]) -> Option<CoreId> {
        let begin = std::mem::replace(&mut self.since, now);
        let mut sums: Vec<(Nanos, CoreId)> = Vec::new();
        for core in usable {
            let on = self.on.entry(*core).or_default();
            let running = on.since.map_or(Nanos::ZERO, |since| Nanos(now.0.saturating_sub(since.max(begin).0)));
            sums.push((std::mem::take(&mut on.sum) + running, *core));
        }
        sums.sort_unstable();
        let (least, most) = (sums.first()?, sums.last()?);
        let is_most = most.0.0 * 2 > (now - begin).0;
        (is_most && least.0.0 * 2 < most.0.0).then_some(most.1)
    }
}

/// Keeps the calling thread aside.
#[derive(Debug)]
pub(super) struct Aside {
    /// The cores that we may use.
    usable: Vec<CoreId>,
    avoided: Option<CoreId>,
}

impl Aside {
    /// The thread that calls this is the one that is kept aside.
    pub(super) fn this_thread() -> Aside {
        let set = sched_getaffinity(None).unwrap_or_default();
        let usable = (0..CoreId::UNKNOWN.0).map(CoreId).take_while(|core| core.index() < CpuSet::MAX_CPU);
        Aside { usable: usable.filter(|core| set.is_set(core.index())).collect(), avoided: None }
    }

    /// Thinks it over, if it is time.
    pub(super) fn step(&mut self, cores: &mut Cores, now: Nanos) {
        if self.usable.len() < 2 || !cores.is_due(now) {
            return;
        }
        let busy = cores.busy(now, &self.usable);
        if busy == self.avoided {
            return;
        }
        let mut set = CpuSet::new();
        self.usable.iter().filter(|core| Some(**core) != busy).for_each(|core| set.set(core.index()));
        // A wish. Cores that were taken offline or from us since make it fail, and then nothing is changed.
        if sched_setaffinity(None, &set).is_ok() {
            self.avoided = busy;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const TWO: [CoreId; 2] = [CoreId(0), CoreId(1)];

    /// A tenth of a second from `begin` in which the cores are busy for so many milliseconds, in ten pieces.
    fn tenth(cores: &mut Cores, begin: u64, busy: &[u64]) {
        for piece in 0..10 {
            let at = begin + piece * 10 * MS;
            for (core, busy) in TWO.into_iter().zip(busy) {
                cores.came(core, Nanos(at));
                cores.left(core, Nanos(at + busy * MS / 10));
            }
        }
    }

    #[test]
    fn the_core_the_program_computes_on_is_left_to_it_as_long_as_it_does() {
        let mut cores = Cores::default();
        assert_eq!(cores.busy(Nanos(1_000 * MS), &TWO), None, "nothing is known");
        let steps: [(&[u64], Option<u16>); 5] =
            [(&[95, 5], Some(0)), (&[30, 70], Some(1)), (&[60, 40], None), (&[90, 90], None), (&[10, 2], None)];
        for (step, (busy, avoid)) in steps.into_iter().enumerate() {
            let begin = (1_000 + 100 * step as u64) * MS;
            tenth(&mut cores, begin, busy);
            assert!(!cores.is_due(Nanos(begin + 99 * MS)) && cores.is_due(Nanos(begin + 100 * MS)));
            assert_eq!(cores.busy(Nanos(begin + 100 * MS), &TWO), avoid.map(CoreId), "{busy:?}");
        }
    }

    #[test]
    fn who_has_not_left_his_core_is_on_it() {
        let mut cores = Cores::default();
        cores.busy(Nanos(1_000 * MS), &TWO);
        cores.came(CoreId(1), Nanos(1_010 * MS));
        assert_eq!(cores.busy(Nanos(1_100 * MS), &TWO), Some(CoreId(1)));
        assert_eq!(cores.busy(Nanos(1_200 * MS), &TWO), Some(CoreId(1)), "all of the time since");
        cores.left(CoreId(1), Nanos(1_220 * MS));
        assert_eq!(cores.busy(Nanos(1_300 * MS), &TWO), None, "a fifth of it");
    }

    #[test]
    fn a_thread_is_kept_off_a_core_that_it_could_use_before_and_let_back() {
        // In a thread of its own: the others of this process are not to be moved.
        let check = || {
            let mut aside = Aside::this_thread();
            let before = aside.usable.clone();
            let mut cores = Cores::default();
            cores.busy(Nanos(1_000 * MS), &before);
            cores.came(before[0], Nanos(1_000 * MS));
            aside.step(&mut cores, Nanos(1_100 * MS));
            let meanwhile = Aside::this_thread().usable;
            cores.left(before[0], Nanos(1_100 * MS));
            aside.step(&mut cores, Nanos(1_200 * MS));
            (before, meanwhile, Aside::this_thread().usable)
        };
        let (before, meanwhile, after) = std::thread::spawn(check).join().unwrap();
        // Whoever has one core only stays on it.
        let others: Vec<CoreId> = before.iter().copied().skip(usize::from(before.len() > 1)).collect();
        assert_eq!((meanwhile, after), (others, before));
    }
}
