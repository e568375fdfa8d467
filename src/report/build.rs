//! From a run's record to its report.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::engine::{self, CoreEvidence, TaskOutcome};
use crate::event::{LaneId, LockId, Nanos, State};
use crate::insight::{self, Facts};
use crate::model::{LockKind, Role};
use crate::session::{Estimate, Held, Looks, Phase, Places, Record, held_by_lane, ran_by_lane};
use crate::trace::{Ledger, LockInfo, QueueStats};
use crate::vm::Rules;
use crate::workload::Workload;

use super::calibration::StartUp;
use super::schema::{
    Caller, ContextSwitches, Events, ExactPart, Experiment, HeldIn, InTask, Lane, LeftOut, Lock, Machine, Memory,
    OfLane, ProcessMemory, Queue, RanIn, Report, StoppedBy, TaskResult, World,
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
    let (held_in, held_in_left_out) = held_in(record);
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
        ran_in: ran_in(record),
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

/// So many functions are told of.
const MOST_HELD_IN: usize = 32;

/// So many tasks of each.
const MOST_TASKS: usize = 8;

/// So many lanes of each.
const MOST_LANES: usize = 8;

fn held_in(record: &Record) -> (Vec<HeldIn>, Option<LeftOut>) {
    let trace = &record.trace;
    let waited = trace.blame().into_iter().map(|blame| (blame.holder, blame.ns));
    held_in_of(&record.places, &held_by_lane(trace, trace.begin_at(), waited))
}

/// By function, and only then cut: where each request has a thread, no thread alone has much of any.
fn held_in_of(places: &Places, told: &HashMap<LaneId, Held>) -> (Vec<HeldIn>, Option<LeftOut>) {
    let all = |part: fn(&Held) -> Nanos| told.values().map(|told| part(told).0).sum::<u64>().max(1) as f64;
    let (held, waited) = (all(|told| told.held), all(|told| told.waited));
    let row = |row: crate::session::HeldIn| HeldIn {
        lane: row.lane,
        lane_count: row.lanes.len(),
        lanes: row
            .lanes
            .into_iter()
            .take(MOST_LANES)
            .map(|it| OfLane { lane: it.lane, looks: it.looks, held: it.held.ns / held, waited: it.waited.ns / waited })
            .collect(),
        function: row.place.function.to_string(),
        file: row.place.file.to_string(),
        line: row.place.line,
        task: row.place.task.map(|task| task.to_string()),
        more_tasks: row.more_tasks || row.tasks.len() > MOST_TASKS,
        tasks: row
            .tasks
            .into_iter()
            .take(MOST_TASKS)
            .map(|it| InTask { task: it.task.to_string(), held: it.held.ns / held, waited: it.waited.ns / waited })
            .collect(),
        caller: row.place.caller.map(|it| caller(&it)),
        looks: row.looks,
        held: row.held.ns / held,
        held_off: row.held.off() / held,
        waited: row.waited.ns / waited,
        waited_off: row.waited.off() / waited,
    };
    let mut rows = places.divide_by_function(told, Looks::Ever);
    let rest = rows.split_off(rows.len().min(MOST_HELD_IN));
    let left_out = (!rest.is_empty()).then(|| LeftOut {
        functions: rest.len(),
        looks: rest.iter().map(|row| row.looks).sum(),
        held: rest.iter().map(|row| row.held.ns).sum::<f64>() / held,
        waited: rest.iter().map(|row| row.waited.ns).sum::<f64>() / waited,
    });
    (rows.into_iter().map(row).collect(), left_out)
}

fn ran_in(record: &Record) -> Vec<RanIn> {
    let ran = ran_by_lane(&record.trace, record.trace.begin_at());
    let all = ran.values().map(|ran| ran.held.0).sum::<u64>().max(1) as f64;
    let row = |row: crate::session::HeldIn| RanIn {
        lane: row.lane,
        function: row.place.function.to_string(),
        file: row.place.file.to_string(),
        line: row.place.line,
        task: row.place.task.map(|task| task.to_string()),
        caller: row.place.caller.map(|it| caller(&it)),
        looks: row.looks,
        ran: row.held.ns / all,
        ran_off: row.held.off() / all,
    };
    record.places.divide_runs(&ran, Looks::Ever).into_iter().take(MOST_HELD_IN).map(row).collect()
}

fn caller(caller: &crate::observe::place::Caller) -> Caller {
    Caller { function: caller.function.to_string(), file: caller.file.to_string(), line: caller.line }
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
    let held_off = sampled.map(|status| {
        let share = stats.held.0 as f64 / (stats.held + stats.free).0.max(1) as f64;
        Nanos(Estimate::of_looks(status.sampled_ns, share, status.looks as f64).off() as u64)
    });
    Lock {
        id,
        name: name.to_owned(),
        pid,
        held_ns: stats.held,
        held_off_ns: held_off,
        free_ns: stats.free,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::place::Place;

    fn place(function: &str) -> Place {
        Place { function: function.into(), file: "a.py".into(), line: Some(1), task: None, caller: None }
    }

    #[test]
    fn a_function_of_many_threads_is_one_row_and_what_is_left_out_is_told() {
        let (mut places, mut told) = (Places::default(), HashMap::new());
        let mut saw = |lane: u32, function: &str, ms: u64| {
            places.saw(Nanos::from_millis(u64::from(lane + 1) * 20), LaneId(lane), place(function), 1);
            told.insert(LaneId(lane), Held { held: Nanos::from_millis(ms), waited: Nanos::from_millis(ms) });
        };
        // A thread for each request, and the work is in one function; then a thread for each of forty others.
        (0..300).for_each(|lane| saw(lane, "heavy", 10));
        (300..340).for_each(|lane| saw(lane, &format!("f{lane}"), 1));
        let (rows, left_out) = held_in_of(&places, &told);
        let (all, near) = (3040.0, |one: f64, other: f64| (one - other).abs() < 1e-9);
        assert_eq!((rows.len(), &*rows[0].function, rows[0].looks), (MOST_HELD_IN, "heavy", 300));
        assert!(near(rows[0].held, 3000.0 / all) && near(rows[0].waited, 3000.0 / all), "{:?}", rows[0]);
        assert!(rows[0].held_off < 0.05, "{:?}", rows[0]);
        assert_eq!((rows[0].lane_count, rows[0].lanes.len()), (300, MOST_LANES));
        assert!(rows[0].lanes.iter().all(|it| it.looks == 1 && near(it.held, 10.0 / all)), "{:?}", rows[0].lanes);
        let left_out = left_out.expect("there were more");
        assert_eq!((left_out.functions, left_out.looks), (9, 9));
        assert!(near(left_out.held, 9.0 / all) && near(left_out.waited, 9.0 / all), "{left_out:?}");
    }
}
