//! The kernel's record of who came onto a core and who left it: exact off-core time for every thread of a run.
//!
//! # The choice
//! One software event that counts nothing (`PERF_COUNT_SW_DUMMY`) is opened on
//! the run's first process for every core, with `context_switch` and
//! `inherit`: from then on the kernel writes 32 bytes into that core's ring
//! whenever a thread of that process, or of any process and thread that
//! descends from it, comes or goes. It needs no privilege on one's own
//! processes up to `perf_event_paranoid` 2, costs about a quarter of a
//! microsecond a record (measured in a virtual machine, reading included), and
//! its times are on our own clock.
//!
//! # Not chosen
//! The tracepoint `sched_switch` says as much but needs root. `schedstat` has
//! sums only. One event for each thread would have to be opened by the time
//! the thread runs, and be a descriptor each.
//!
//! See `perf_event_open(2)`.

use rustix::io::Errno;

use crate::perf::{self, CoreRing, Subject, What};
use crate::record::{Switch, SwitchRecord, SwitchSource, thread_id};

pub use crate::perf::Refused as SwitchesRefused;

/// Whether this user may watch context switches at all.
pub fn probe() -> Result<(), SwitchesRefused> {
    Switches::watch(thread_id()).map(drop)
}

/// The switch records of a process and of all that descends from it.
#[derive(Debug)]
pub struct Switches {
    cores: Vec<CoreRing>,
    lost: u64,
}

impl Switches {
    /// Watches the thread with this number (a process's number is its first thread's) and every thread and process it
    /// makes from now on. Threads it has already made are not covered.
    pub fn watch(pid: u32) -> Result<Switches, SwitchesRefused> {
        let mut cores = Vec::new();
        for core in perf::online_cores() {
            match perf::open(Subject::Switches, pid, core) {
                Ok(event) => cores.push(CoreRing::map(event)?),
                // Taken offline since we looked.
                Err(Errno::NODEV) => {}
                Err(error) => return Err(SwitchesRefused::from_open(error, pid, Subject::Switches)),
            }
        }
        if cores.is_empty() {
            return Err(SwitchesRefused::Missing);
        }
        Ok(Switches { cores, lost: 0 })
    }
}

impl SwitchSource for Switches {
    fn drain(&mut self, each: &mut dyn FnMut(SwitchRecord)) {
        for core in &self.cores {
            self.lost += core.drain(&mut |record| {
                let change = match record.what {
                    What::In => Switch::In,
                    What::Out { preempted } => Switch::Out { preempted },
                    _ => return,
                };
                each(SwitchRecord { at: record.at, tid: record.tid, core: record.core, change });
            });
        }
    }

    fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::process::Command;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn threads_and_processes_born_under_watch_come_and_go_in_turns() {
        if let Err(refused) = probe() {
            assert!(std::env::var_os("GILSCOPE_REQUIRE_PERF").is_none(), "{refused}");
            eprintln!("skipped: {refused}");
            return;
        }
        let mut switches = Switches::watch(thread_id()).unwrap();
        let sleepers: Vec<_> = (0..2)
            .map(|_| {
                thread::spawn(|| {
                    (0..5).for_each(|_| thread::sleep(Duration::from_millis(1)));
                    thread_id()
                })
            })
            .collect();
        let mut born: Vec<_> = sleepers.into_iter().map(|sleeper| sleeper.join().unwrap()).collect();
        let mut process = Command::new("sleep").arg("0.01").spawn().unwrap();
        born.push(process.id());
        process.wait().unwrap();

        let mut of_thread: BTreeMap<u32, Vec<SwitchRecord>> = BTreeMap::new();
        switches.drain(&mut |record| of_thread.entry(record.tid).or_default().push(record));
        assert_eq!(switches.lost(), 0);
        for tid in born {
            let records = of_thread.get_mut(&tid).expect("every thread that sleeps leaves its core");
            records.sort_by_key(|record| record.at);
            assert!(records.iter().filter(|record| record.change == Switch::In).count() >= 1);
            for pair in records.windows(2) {
                assert_ne!(pair[0].change == Switch::In, pair[1].change == Switch::In, "{pair:?}");
            }
        }
        let mut again = 0;
        switches.drain(&mut |record| again += usize::from(record.tid != thread_id()));
        assert_eq!(again, 0, "what was handed over is forgotten");
    }
}
