//! Samples what only sampling can tell: how busy the machine's cores are with everybody's work, how much memory the
//! run's processes hold, what we cost ourselves.
//!
//! Its own thread, because reading a process's proportional memory walks its
//! page tables and may take milliseconds. Five times a second, the shortest
//! interval at which the kernel's tick counters mean anything (sysinfo's
//! documented minimum); proportional memory once a second, and whenever another
//! set of processes is to be watched, so that short runs have it too. Of
//! processes that are not ours it is not read at all: while the kernel walks
//! the page tables of one, 28 µs for each MiB, none of its threads gets memory
//! from the kernel, and to watch is not to hold up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::clock::{Clock, Monotonic};
use crate::event::{CoreId, Nanos};
pub use crate::record::ProcessMemory;
use crate::record::proportional;

/// How often it samples.
const PERIOD: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

/// How often it reads proportional memory.
const DEAR_PERIOD: Duration = Duration::from_secs(1);

/// Samples nobody has fetched; beyond it the newest is left out.
const BACKLOG: usize = 64;

/// What was so at one time, or over the time since the last sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Nanos,
    /// How busy each core was, by anybody's work: 0 to 1. Empty: not known.
    pub cores: Vec<(CoreId, f32)>,
    /// Our own process's time on cores, in cores: 0.008 is 0.8 % of one. `None`: not known yet.
    pub itself: Option<f32>,
    /// The run's processes that are alive.
    pub memory: Vec<ProcessMemory>,
}

/// The most that was seen. What came and went between two looks is not in it, but for the peak of one process, of which
/// the kernel keeps account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Of all processes together, at one time.
    pub rss: Option<u64>,
    /// Of all processes together, at one time.
    pub pss: Option<u64>,
    /// Of each process, whenever it was.
    pub processes: BTreeMap<u32, ProcessMemory>,
}

impl Peaks {
    /// Takes a look at the processes that were alive together into account.
    pub fn add(&mut self, processes: &[ProcessMemory]) {
        // `max` takes anything for more than `None`.
        let sum = |of: fn(&ProcessMemory) -> Option<u64>| {
            let known = processes.iter().map(of);
            if processes.is_empty() { None } else { known.sum::<Option<u64>>() }
        };
        self.rss = self.rss.max(sum(|process| process.rss));
        self.pss = self.pss.max(sum(|process| process.pss));
        for process in processes {
            // All of them together never held less than one of them.
            self.rss = self.rss.max(process.peak);
            let known = self.processes.entry(process.pid).or_insert(*process);
            known.rss = known.rss.max(process.rss).max(process.peak);
            (known.peak, known.pss) = (known.peak.max(process.peak), known.pss.max(process.pss));
        }
    }
}

/// How busy the machine was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Busy {
    cores: f64,
    samples: u32,
}

impl Busy {
    /// Takes a sample into account, if it tells.
    pub fn add(&mut self, sample: &Sample) {
        if !sample.cores.is_empty() {
            let all: f64 = sample.cores.iter().map(|(_, busy)| f64::from(*busy)).sum();
            self.cores += (all - f64::from(sample.itself.unwrap_or_default())).max(0.0);
            self.samples += 1;
        }
    }

    /// On how many cores anybody's work was but our own process's, on average; none without a sample.
    pub fn mean(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.cores / f64::from(self.samples))
    }
}

/// Of which processes the memory is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub pids: Vec<u32>,
    /// Whether they are there for an experiment, and may be held up for a moment.
    pub are_ours: bool,
}

/// The sampler's thread. Ends when this is dropped.
#[derive(Debug)]
pub struct Sampler {
    samples: Receiver<Sample>,
    watched: Arc<Mutex<Watched>>,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Starts it; no processes are watched yet.
    pub fn start() -> std::io::Result<Sampler> {
        let (sender, samples) = bounded(BACKLOG);
        let (stop, stopped) = bounded(0);
        let watched = Arc::new(Mutex::new(Watched::default()));
        let to_watch = Arc::clone(&watched);
        let thread = thread::Builder::new().name("sampler".into()).spawn(move || {
            let mut probe = Probe::new();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PERIOD) {
                let watched = to_watch.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // Full: nobody looks, and the next sample says as much.
                let _ = sender.try_send(probe.sample(watched));
            }
        })?;
        Ok(Sampler { samples, watched, stop: Some(stop), thread: Some(thread) })
    }

    /// Watches the memory of these processes from now on, and of no others.
    pub fn watch(&self, watched: Watched) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    /// Where the samples come out.
    pub fn samples(&self) -> &Receiver<Sample> {
        &self.samples
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // If it panicked there is no more to be sampled, and that is all.
            let _ = thread.join();
        }
    }
}

struct Probe {
    /// `None`: the system does not tell (no `/proc`).
    system: Option<System>,
    /// Own time on cores, and when it was read.
    own: (Nanos, Nanos),
    dear_at: Instant,
    watched: Watched,
}

impl Probe {
    fn new() -> Probe {
        let mut system = System::new().ok();
        // What cores do is a difference: this is its first half.
        system.iter_mut().for_each(System::refresh_cpu_usage);
        Probe { system, own: (own_time(), Monotonic.now()), dear_at: Instant::now(), watched: Watched::default() }
    }

    fn sample(&mut self, watched: Watched) -> Sample {
        let at = Monotonic.now();
        let (own, before) = std::mem::replace(&mut self.own, (own_time(), at));
        let wall = at - before;
        let itself = (wall > Nanos::ZERO).then(|| ((self.own.0 - own).as_secs_f64() / wall.as_secs_f64()) as f32);

        self.system.iter_mut().for_each(System::refresh_cpu_usage);
        let cpus = self.system.iter().flat_map(System::cpus);
        let number = |name: &str| name.strip_prefix("cpu")?.parse().ok().map(CoreId);
        let cores = cpus.filter_map(|cpu| Some((number(cpu.name())?, cpu.usage() / 100.0))).collect();

        let dear = watched.are_ours && (Instant::now() >= self.dear_at || self.watched != watched);
        if dear {
            self.dear_at = Instant::now() + DEAR_PERIOD;
        }
        let memory = self.memory(&watched.pids, dear);
        self.watched = watched;
        Sample { at, cores, itself, memory }
    }

    fn memory(&mut self, pids: &[u32], dear: bool) -> Vec<ProcessMemory> {
        let Some(system) = &mut self.system else { return Vec::new() };
        let ids: Vec<_> = pids.iter().map(|pid| Pid::from_u32(*pid)).collect();
        let kind = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&ids), true, kind);
        let alive = ids.iter().filter_map(|id| system.process(*id));
        alive
            .map(|process| {
                let pid = process.pid().as_u32();
                let rss = Some(process.memory()).filter(|bytes| *bytes > 0);
                ProcessMemory { pid, rss, peak: None, pss: dear.then(|| proportional(pid)).flatten() }
            })
            .collect()
    }
}

/// Our own process's time on cores so far.
fn own_time() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_keep_the_most_and_what_is_not_known_stays_so() {
        let process = |pid, rss, pss| ProcessMemory { pid, rss, peak: None, pss };
        let mut peaks = Peaks::default();
        peaks.add(&[]);
        assert_eq!(peaks, Peaks::default());
        peaks.add(&[process(1, Some(10), Some(5)), process(2, Some(20), Some(6))]);
        peaks.add(&[process(1, Some(15), None), process(2, Some(1), None)]);
        assert_eq!((peaks.rss, peaks.pss), (Some(30), Some(11)));
        assert_eq!(peaks.processes[&1], process(1, Some(15), Some(5)));
        peaks.add(&[process(3, None, None)]);
        assert_eq!((peaks.rss, peaks.processes[&3].rss), (Some(30), None));
        // Between two looks one of them held more than both together whenever somebody looked.
        peaks.add(&[ProcessMemory { peak: Some(40), ..process(1, Some(2), Some(1)) }, process(2, Some(3), Some(1))]);
        assert_eq!((peaks.rss, peaks.pss, peaks.processes[&1].rss), (Some(40), Some(11), Some(40)));
    }

    #[test]
    fn how_busy_a_machine_is_is_without_ourselves_and_not_known_before_a_sample() {
        let sample = |cores: &[f32], itself| Sample {
            cores: cores.iter().map(|busy| (CoreId(0), *busy)).collect(),
            itself,
            ..Sample::default()
        };
        let mut busy = Busy::default();
        busy.add(&sample(&[], Some(0.5)));
        assert_eq!(busy.mean(), None);
        busy.add(&sample(&[1.0, 0.5], Some(0.25)));
        busy.add(&sample(&[0.25, 0.0], None));
        assert_eq!(busy.mean(), Some(0.75));
    }

    #[test]
    fn samples_come_until_the_sampler_is_dropped() {
        let sampler = Sampler::start().unwrap();
        let pids = vec![std::process::id(), u32::MAX >> 1];
        sampler.watch(Watched { pids: pids.clone(), are_ours: true });
        let samples = sampler.samples().clone();
        let sample = samples.recv().unwrap();
        assert_eq!(sample.memory.iter().map(|process| process.pid).collect::<Vec<_>>(), [std::process::id()]);
        assert!(sample.memory[0].rss > Some(0) && sample.memory[0].pss > Some(0));
        assert!(!sample.cores.is_empty() && sample.cores.iter().all(|(_, busy)| (0.0..=1.0).contains(busy)));
        assert!(sample.itself.is_some());
        sampler.watch(Watched { pids, are_ours: false });
        // The first may have been on its way.
        let mut later = samples.iter().skip(1).take(1 + (DEAR_PERIOD.as_millis() / PERIOD.as_millis()) as usize);
        assert!(later.all(|sample| sample.memory[0].pss.is_none() && sample.memory[0].rss > Some(0)));
        drop(sampler);
        assert!(samples.iter().count() <= BACKLOG);
    }
}
