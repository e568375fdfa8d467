//! A run: a source, and the record of what it has said so far.

use crossterm::event::KeyEvent;

use crate::engine::sampler::{Busy, Peaks, Sample, Watched};
use crate::engine::{CoreEvidence, Source};
use crate::event::{LaneId, Line, Nanos};
use crate::model::Role;
use crate::program::Printed;
use crate::trace::{LaneInfo, LockInfo, Trace};

use super::{Experiment, Phase, Places, Record, Wants};

/// A run in progress.
pub struct Run {
    source: Box<dyn Source>,
    record: Record,
}

impl Run {
    /// Takes over a source that is ready to go.
    pub fn new(experiment: Experiment, source: Box<dyn Source>, budget: usize) -> Run {
        Run::of(Some(experiment), source, budget)
    }

    /// Takes over a source that observes a real program.
    pub fn observing(source: Box<dyn Source>, budget: usize) -> Run {
        Run::of(None, source, budget)
    }

    fn of(experiment: Option<Experiment>, source: Box<dyn Source>, budget: usize) -> Run {
        let description = source.describe().clone();
        let mut trace = Trace::new(budget);
        for lock in &description.locks {
            trace.add_lock(LockInfo::from(lock));
        }
        for lane in &description.lanes {
            let mut info = LaneInfo::new(lane.name.clone(), lane.role, lane.lock);
            // The slow server is no child of what the kernel's records cover, and has no heartbeat.
            let covered = lane.role != Role::Server || lane.lock.is_some();
            info.core_evidence = if covered { description.core_evidence } else { CoreEvidence::None };
            info.process = lane.process;
            info.parent = lane.parent;
            trace.add_lane(info);
        }
        let lanes = description.lanes.len();
        let results = vec![None; experiment.as_ref().map_or(0, Experiment::task_count) as usize];
        let record = Record {
            experiment,
            description,
            trace,
            results,
            ends: vec![None; lanes],
            accounts: vec![None; lanes],
            places: Places::default(),
            cpu_time: None,
            slept: vec![Vec::new(); lanes],
            wants: Wants::default(),
            waited_for: vec![Vec::new(); lanes],
            outcome: None,
            outcome_raised: false,
            output: String::new(),
            output_left_out: 0,
            memory: Peaks::default(),
            machine: Busy::default(),
            phase: Phase::Booting,
        };
        Run { source, record }
    }

    /// Lets the work begin.
    pub fn go(&mut self) {
        self.source.go();
    }

    /// Takes in what has become known. Never blocks.
    pub fn poll(&mut self) {
        let record = &mut self.record;
        self.source.poll(&mut |signal| record.take_in(signal));
        if record.is_over() && record.output.is_empty() {
            record.output = self.source.output();
            record.output_left_out = self.source.output_left_out();
        }
    }

    /// Everything known so far.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The processes that do the work.
    pub fn processes(&self) -> Watched {
        Watched { pids: self.source.pids(), are_ours: self.record.experiment.is_some() }
    }

    /// The line each lane is at, by looking now.
    pub fn lines(&self) -> Vec<(LaneId, Line)> {
        self.source.lines()
    }

    /// Notes how much memory the processes hold and, while it runs, how busy the machine is.
    pub fn note_sample(&mut self, sample: &Sample) {
        self.record.memory.add(&sample.memory);
        if self.record.phase == Phase::Running {
            self.record.machine.add(sample);
        }
    }

    /// What was printed so far: the last 1 MiB.
    pub fn output(&self) -> String {
        self.source.output()
    }

    /// The last lines of it, as a panel shows them.
    pub fn printed(&self) -> Printed {
        self.source.printed()
    }

    /// A key for the program. Says whether it can read it.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        self.source.press(key)
    }

    /// The panel of its output has so many columns and rows.
    pub fn resize_panel(&mut self, columns: u16, rows: u16) {
        self.source.resize_panel(columns, rows);
    }

    /// Observes exactly for a moment, although it slows the program down.
    pub fn exact_once(&mut self) {
        self.source.exact_once();
    }

    /// Changes the switch interval while it runs.
    pub fn set_switch_interval(&mut self, interval: Nanos) {
        self.source.set_switch_interval(interval);
    }

    /// Ends it now.
    pub fn stop(&mut self) {
        self.source.stop();
        self.poll();
        if !self.record.is_over() {
            self.record.phase = Phase::Stopped;
        }
    }

    /// Asks a program that was started to be observed to end; it is over once all that it made has ended.
    pub fn end(&mut self) {
        self.source.end();
    }

    /// Halts its processes: the program itself is being suspended.
    pub fn suspend(&mut self) {
        self.source.suspend();
    }

    /// Lets them go on; what lies between is not observed, unless it is on record that they stood still.
    pub fn resume(&mut self, from: Nanos, to: Nanos) {
        if !self.source.resume() {
            self.record.trace.mark_unknown(from, to);
        }
    }

    /// Gives up the source and keeps what it said.
    pub fn into_record(self) -> Record {
        self.record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Signal;
    use crate::observe::notice::Status;
    use crate::perf;
    use crate::session::Launch;
    use crate::session::testing::{World, workload};

    #[test]
    fn what_is_booked_of_more_than_a_run_is_none_of_its_cores() {
        let (mut world, experiment) = (World::default(), Experiment::new("sum", "threads", 2));
        let source = world.launch(&workload(), &experiment).unwrap();
        let mut run = Run::new(experiment, source, 1 << 20);
        run.poll();
        let mut record = run.record;
        let (busy, elapsed) = (record.cores_busy(), record.trace.elapsed());
        // While the interpreter loaded its modules, in ticks.
        let booked = Status { cpu_ns: Nanos(elapsed.0 * 250), ..Status::default() };
        record.take_in(Signal::Program(Box::default()));
        record.take_in(Signal::Observing(Box::new(booked)));
        assert_eq!(record.cores_busy(), busy);
        let cores = perf::online_cores().len() as f64;
        record.take_in(Signal::CpuTime(Nanos(elapsed.0 * 250)));
        assert_eq!(record.cores_busy(), cores, "there are no more");
        // Of a program that is watched it is of all that time.
        (record.experiment, record.cpu_time) = (None, None);
        assert_eq!(record.cores_busy(), cores);
        let booked = Status { cpu_ns: Nanos(elapsed.0 / 50), ..Status::default() };
        record.take_in(Signal::Observing(Box::new(booked)));
        assert!((record.cores_busy() - 0.02).abs() < 1e-6, "whatever is drawn of it: {}", record.cores_busy());
    }
}
