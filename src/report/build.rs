//! From a run's record to its report.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{self, CoreEvidence, TaskOutcome};
use crate::event::{LaneId, LockId, Nanos, State};
use crate::insight::{self, Facts};
use crate::model::{LockKind, Role};
use crate::session::{Phase, Record};
use crate::trace::{Estimate, Ledger, LockInfo, QueueStats};
use crate::vm::Rules;
use crate::workload::Workload;

use super::calibration::StartUp;
use super::functions;
use super::schema::{
    ContextSwitches, Events, ExactPart, Experiment, Lane, Lock, Machine, Memory, ProcessMemory, Queue, Report,
    StoppedBy, TaskResult, World,
};

/// The report of a run that is over. Without a workload: of a program that was observed.
pub fn report(record: &Record, workload: Option<&Workload>, machine: &engine::machine::Machine) -> Report {
    let trace = &record.trace;
    let elapsed = trace.elapsed();
    let workers: Vec<LaneId> =
        record.description.lanes.iter().filter(|lane| lane.role == Role::Worker).map(|lane| lane.id).collect();
    let (end, failure) = match &record.phase {
        Phase::Failed(why) => ("failed", Some(why.clone())),
        Phase::Ended => ("ended", None),
        _ => ("stopped", None),
    };
    let program = record.description.program.as_ref();
    let results: Vec<TaskResult> = record.results.iter().map(task_result).collect();
    // Where no task came to a value there was no work whose time could be explained.
    let worked = results.is_empty() || results.iter().any(|result| matches!(result, TaskResult::Value { .. }));
    let insights = if worked { insight::find(&Facts::of_record(record, machine.logical_cores)) } else { Vec::new() };
    let (held_in, held_in_left_out) = functions::held_in(record);
    let (ran_in, ran_in_left_out) = functions::ran_in(record);
    Report {
        schema: "gilscope.run/1",
        engine: record.description.engine,
        experiment: workload.and_then(|workload| experiment(record, workload, workers.len())),
        machine: Machine {
            logical_cores: machine.logical_cores,
            physical_cores: machine.physical_cores,
            os: machine.os.clone(),
        },
        python: program.and_then(|program| program.python.clone()),
        command: program.map(|program| program.command.clone()),
        pid: program.map(|program| program.pid),
        exit_status: program.and_then(|program| program.exit_status),
        program_end: program.and_then(|program| program.end.clone()),
        ended_by_gilscope: program.is_some_and(|program| program.ended_by_gilscope),
        left_running: program.map(|program| program.left_running.clone()).unwrap_or_default(),
        observer: record.description.observing.clone(),
        end,
        failure,
        elapsed_ns: elapsed,
        cores_busy: record.cores_busy(),
        results,
        outcome: record.outcome.clone(),
        output: record.output.clone(),
        output_left_out: record.output_left_out,
        last_words: last_words(record),
        locks: record
            .description
            .locks
            .iter()
            .filter(|lock| lock.of_workers && lock.kind == LockKind::Gil)
            .map(|plan| lock(record, plan.id, &plan.name, pid_of(record, plan.process)))
            .collect(),
        stop_the_world: trace.worlds().map(|(id, info)| world(record, id, info)).collect(),
        lanes: (0..record.description.lanes.len()).map(|index| lane(record, index)).collect(),
        queues: trace.queues().into_iter().map(queue).collect(),
        ledger_ns: states(&trace.ledger()),
        blame: trace.blame(),
        held_in,
        held_in_left_out,
        ran_in,
        ran_in_left_out,
        insights,
        memory: memory(record),
        context_switches: context_switches(record),
        events: Events { recorded: trace.events_recorded(), dropped: record.dropped() },
    }
}

fn last_words(record: &Record) -> Option<String> {
    let program = record.description.program.as_ref()?;
    let badly = program.exit_status.is_some_and(|status| status != 0) && !program.ended_by_gilscope;
    let lines: Vec<&str> = record.output.lines().collect();
    crate::program::last_words(&lines).filter(|_| badly).map(str::to_owned)
}

fn experiment(record: &Record, workload: &Workload, workers: usize) -> Option<Experiment> {
    let chosen = record.experiment.as_ref()?;
    let lanes = || record.description.lanes.iter().filter(|lane| lane.role == Role::Worker);
    let processes = lanes().map(|lane| lane.process).collect::<BTreeSet<_>>().len();
    let model = crate::model::find(&chosen.model).ok();
    let mut args: BTreeMap<String, _> =
        workload.arguments.iter().map(|argument| (argument.name.clone(), argument.default)).collect();
    args.extend(chosen.args.iter().cloned());
    Some(Experiment {
        workload: chosen.workload.clone(),
        model: model.map_or(chosen.model.clone(), |model| model.family.to_owned()),
        start: model.and_then(|model| model.start),
        workers,
        processes,
        threads: record.worker_threads().len().checked_div(processes).unwrap_or(0),
        tasks: record.results.len(),
        args,
        switch_interval_ns: chosen.switch_interval,
        rules: match chosen.rules {
            Rules::V3_9 => "3.9",
            Rules::V3_10 => "3.10",
        },
        startup: chosen.start_up_paid(workload.opens_streams()).map(StartUp::from),
    })
}

fn task_result(outcome: &Option<TaskOutcome>) -> TaskResult {
    match outcome {
        Some(TaskOutcome::Value(repr)) => TaskResult::Value { repr: repr.clone() },
        Some(TaskOutcome::Error { text, line }) => TaskResult::Error { error: text.clone(), line: *line },
        None => TaskResult::Error { error: "not finished: the run ended before".to_owned(), line: None },
    }
}

fn pid_of(record: &Record, process: u32) -> Option<u32> {
    let lane = record.description.lanes.iter().find(|lane| lane.process == process)?;
    record.trace.lane(lane.id).pid
}

fn lock(record: &Record, id: LockId, name: &str, pid: Option<u32>) -> Lock {
    let stats = record.trace.lock_stats(id);
    let observed = record.description.observing.as_ref();
    let status = observed.and_then(|status| status.locks.iter().find(|status| status.lock == id));
    let sampled = status.filter(|status| status.sampled_ns > Nanos::ZERO);
    let all = stats.held + stats.free;
    // What is drawn from one look to the next leaves out what others held in between: of those who had it the looks tell.
    let by_looks = sampled.filter(|status| status.looks > 0).map(|status| {
        let share = status.looks_held as f64 / status.looks as f64;
        Estimate::of_looks(status.sampled_ns, share, status.looks as f64)
    });
    let exact = sampled.map_or(Nanos::ZERO, |status| status.exact_held_ns);
    let held = by_looks.map_or(stats.held, |it| (exact + Nanos(it.ns as u64)).min(all));
    Lock {
        id,
        name: name.to_owned(),
        pid,
        held_ns: held,
        held_margin_ns: by_looks.map(|it| Nanos(it.off() as u64)),
        free_ns: all - held,
        takes: sampled.is_none().then_some(stats.takes),
        exact_part: sampled
            .filter(|status| status.exact_ns > Nanos::ZERO)
            .map(|status| ExactPart { ns: status.exact_ns, takes: status.exact_takes }),
        handoffs: stats.handoffs,
        drop_requests: (record.description.engine == "emulated").then_some(stats.drop_requests),
        hold_ns: sampled.is_none().then_some(stats.hold),
        wait_ns: stats.wait,
        looks_apart_ns: sampled.map(|status| Nanos(status.sampled_ns.0 / status.looks.max(1))),
    }
}

fn world(record: &Record, id: LockId, info: &LockInfo) -> World {
    let (trace, stats) = (&record.trace, record.trace.lock_stats(id));
    let mut by: Vec<StoppedBy> = trace
        .held_by(id, trace.begin_at(), trace.now())
        .into_iter()
        .filter(|(_, ns)| *ns > Nanos::ZERO)
        .map(|(lane, ns)| StoppedBy { lane, ns })
        .collect();
    by.sort_by_key(|by| (std::cmp::Reverse(by.ns), by.lane));
    World {
        id,
        name: info.name.clone(),
        pid: pid_of(record, info.process),
        stops: stats.takes,
        stopped_ns: stats.held,
        stop_ns: stats.hold,
        by,
    }
}

fn lane(record: &Record, index: usize) -> Lane {
    let id = LaneId(index as u32);
    let info = record.trace.lane(id);
    let accounts = record.accounts[index];
    let progress = record.trace.tells_progress(id).then(|| record.trace.lane_progress(id));
    Lane {
        id,
        name: info.name.clone(),
        role: info.role,
        parent: record.description.lanes[index].parent,
        pid: info.pid,
        tid: info.tid,
        lock: info.lock,
        evidence: info.evidence,
        core_evidence: if info.tid.is_some() { info.core_evidence } else { CoreEvidence::None },
        on_cpu_ns: accounts.and_then(|accounts| accounts.on_cpu),
        on_cpu_evidence: accounts.and_then(|accounts| accounts.evidence),
        runqueue_ns: accounts.and_then(|accounts| accounts.runqueue),
        states_ns: states(&record.trace.lane_ledger(id)),
        waiting_gil_margin_ns: record.trace.waiting_margin(id),
        slept: record.slept[index].iter().map(|(call, slept)| (call.clone(), *slept)).collect(),
        waited_for: record.waited_for[index].iter().map(|(what, slept)| (what.clone(), *slept)).collect(),
        instructions: progress.map(|progress| progress.instructions),
        instructions_per_ms_running: progress.and_then(|progress| progress.per_ms()),
        contended: progress.map(|progress| progress.contended),
        tasks_done: record.trace.tasks_done(id),
        end: record.ends[index].clone().unwrap_or_else(|| "stopped".to_owned()),
    }
}

fn queue(stats: QueueStats) -> Queue {
    let QueueStats { name, puts, gets, max_depth, mean_depth, .. } = stats;
    Queue { name, puts, gets, max_depth, mean_depth }
}

fn states(ledger: &Ledger) -> BTreeMap<&'static str, Nanos> {
    State::ALL
        .into_iter()
        .map(|state| (state.name(), ledger.0[state.index()]))
        .filter(|(_, span)| *span > Nanos::ZERO)
        .collect()
}

fn context_switches(record: &Record) -> ContextSwitches {
    let (voluntary, involuntary) = record.context_switches();
    ContextSwitches { voluntary, involuntary }
}

fn memory(record: &Record) -> Memory {
    let peaks = &record.memory;
    Memory {
        peak_rss_bytes: peaks.rss,
        peak_pss_bytes: peaks.pss,
        processes: peaks
            .processes
            .values()
            .map(|process| ProcessMemory { pid: process.pid, peak_rss_bytes: process.rss, peak_pss_bytes: process.pss })
            .collect(),
    }
}
