//! Each diagnosis on both sides: a log in which it holds, and one in which it does not.

mod cores;
mod loop_kept;
mod own_lock;
mod rules;

use std::collections::BTreeMap;

use super::*;
use crate::engine::sampler::{Peaks, ProcessMemory};
use crate::event::{LaneId, Nanos, State};
use crate::model::Role;
use crate::trace::Trace;
use crate::trace::testing::TraceBuilder;

fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

fn on_cores(trace: &Trace, cores: usize) -> Vec<Finding> {
    find(&Facts::new(trace, cores, ms(5)))
}

fn ids(trace: &Trace) -> Vec<&'static str> {
    on_cores(trace, 4).iter().map(|finding| finding.id).collect()
}

fn sentence(trace: &Trace, id: &str) -> String {
    let found = on_cores(trace, 4);
    found.into_iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("{id} does not hold")).sentence
}

/// Threads that compute and take turns of 5 ms on one lock.
fn turns(threads: u64, rounds: u64) -> Trace {
    let mut builder = TraceBuilder::new().lock("GIL");
    for thread in 0..threads {
        builder = builder.lane(&format!("thread {}", thread + 1));
        if thread > 0 {
            builder = builder.waiting(ms(5 * thread));
        }
        for round in 0..rounds {
            builder = builder.running(ms(5));
            let rest = if round + 1 < rounds { threads - 1 } else { threads - 1 - thread };
            if rest > 0 {
                builder = builder.waiting(ms(5 * rest));
            }
        }
    }
    builder.build()
}

/// Workers of one kind, each with its own lock or none, in one state after another.
fn workers(count: usize, own_lock: bool, states: &[(State, u64)]) -> Trace {
    let mut builder = TraceBuilder::new();
    for worker in 0..count {
        if own_lock {
            builder = builder.lock(&format!("GIL of process {}", worker + 1));
        }
        builder = builder.lane(&format!("worker {}", worker + 1));
        for (state, millis) in states {
            builder = builder.state(*state, ms(*millis));
        }
    }
    builder.build()
}

#[test]
fn threads_that_take_turns_are_lock_bound_and_nothing_else() {
    assert_eq!(ids(&turns(4, 20)), ["lock-bound"]);
    assert_eq!(
        sentence(&turns(4, 20), "lock-bound"),
        "One thread holds the lock, three wait (75% of all their time). The work fills one core at most."
    );
    assert!(sentence(&turns(2, 20), "lock-bound").starts_with("One thread holds the lock, one waits (50%"));
}

#[test]
fn one_thread_alone_or_one_process_each_is_not_lock_bound() {
    assert_eq!(ids(&turns(1, 20)), [""; 0]);
    assert_eq!(ids(&workers(4, true, &[(State::Starting, 20), (State::Running, 400)])), [""; 0]);
}

#[test]
fn a_lock_that_is_often_free_binds_nobody() {
    let trace = TraceBuilder::new()
        .lock("GIL")
        .lane("thread 1")
        .running(ms(30))
        .state(State::Native, ms(70))
        .lane("thread 2")
        .waiting(ms(30))
        .running(ms(30))
        .state(State::Native, ms(40))
        .build();
    assert!(!ids(&trace).contains(&"lock-bound"));
}

#[test]
fn sleeping_threads_overlap_and_one_after_another_does_not() {
    let sleeping = |count| {
        let mut builder = TraceBuilder::new().lock("GIL");
        for worker in 0..count {
            builder = builder.lane(&format!("thread {worker}")).state(State::Io, ms(200));
        }
        builder.build()
    };
    assert_eq!(ids(&sleeping(4)), ["io-overlaps"]);
    assert!(sentence(&sleeping(4), "io-overlaps").contains("4.0 of 4 waits"));
    assert_eq!(ids(&sleeping(1)), [""; 0]);
    let relay = TraceBuilder::new()
        .lock("GIL")
        .lane("thread 1")
        .state(State::Io, ms(100))
        .state(State::WaitingLock, ms(100))
        .lane("thread 2")
        .state(State::WaitingLock, ms(100))
        .state(State::Io, ms(100))
        .build();
    assert!(!ids(&relay).contains(&"io-overlaps"));
}

#[test]
fn coroutines_that_await_overlap_in_other_words() {
    let trace = workers(6, false, &[(State::Running, 1), (State::Suspended, 100)]);
    assert!(sentence(&trace, "io-overlaps").contains("6 tasks await at once"));
}

#[test]
fn start_up_dominates_short_work_and_not_long() {
    let short = workers(4, true, &[(State::Starting, 70), (State::Running, 90)]);
    assert!(sentence(&short, "start-up-dominates").contains("44% of the workers' time: 70.0 ms each"));
    let long = workers(4, true, &[(State::Starting, 70), (State::Running, 900)]);
    assert!(!ids(&long).contains(&"start-up-dominates"));
    // Whoever hardly works hardly worked because of something else.
    let idle = workers(4, true, &[(State::Starting, 7), (State::Running, 10), (State::Idle, 300)]);
    assert!(!ids(&idle).contains(&"start-up-dominates"));
    let live = TraceBuilder::new().lane("process 1").state(State::Starting, ms(60)).live().build();
    assert_eq!(ids(&live), [""; 0]);
}

#[test]
fn pickling_dominates_where_it_takes_a_fifth_on_either_side() {
    let receivers = workers(2, true, &[(State::Unpickling, 60), (State::Running, 100), (State::Pickling, 40)]);
    assert!(sentence(&receivers, "pickling-dominates").contains("50% of the workers' time"));
    let few = workers(2, true, &[(State::Unpickling, 5), (State::Running, 100), (State::Pickling, 5)]);
    assert!(!ids(&few).contains(&"pickling-dominates"));
    let sender = TraceBuilder::new()
        .lane_as("main", Role::Main)
        .state(State::Pickling, ms(40))
        .state(State::WaitingLock, ms(60))
        .lane("process 1")
        .state(State::Idle, ms(20))
        .running(ms(80))
        .build();
    assert!(sentence(&sender, "pickling-dominates").contains("40% of the run"));
}

#[test]
fn a_sender_that_other_programs_keep_off_its_core_pickles_no_less_of_its_own_time() {
    let sender = |pickling: u64, kept_waiting: u64| {
        TraceBuilder::new()
            .lane_as("main", Role::Main)
            .state(State::Pickling, ms(pickling))
            .state(State::WaitingCore, ms(kept_waiting))
            .state(State::WaitingLock, ms(100 - pickling - kept_waiting))
            .lane("process 1")
            .state(State::Idle, ms(20))
            .running(ms(80))
            .build()
    };
    assert!(sentence(&sender(15, 50), "pickling-dominates").contains("15% of the run"));
    assert!(!ids(&sender(15, 0)).contains(&"pickling-dominates"));
    assert!(!ids(&sender(5, 50)).contains(&"pickling-dominates"));
}

#[test]
fn more_workers_than_cores_are_oversubscribed_and_a_busy_machine_is_not() {
    let eight = workers(8, true, &[(State::Running, 200), (State::WaitingCore, 200)]);
    assert!(sentence(&eight, "oversubscribed").contains("8 workers wanted 8.0 cores at once where there are 4: 50%"));
    let four = workers(4, true, &[(State::Running, 200), (State::WaitingCore, 200)]);
    assert!(!ids(&four).contains(&"oversubscribed"));
}

/// Threads without a GIL that run for 100 ms each, with so much done and so often an object found locked.
fn free_threads(count: usize, instructions: u32, contended: u32) -> Trace {
    let mut builder = TraceBuilder::new();
    for thread in 0..count {
        builder = builder.lane(&format!("thread {}", thread + 1)).running(ms(100)).worked(instructions, contended);
        builder = builder.state(State::Idle, ms(1));
    }
    builder.build()
}

#[test]
fn threads_that_find_what_they_share_locked_contend_and_those_with_their_own_do_not() {
    let contending = free_threads(4, 2_000_000, 6_000);
    assert_eq!(
        sentence(&contending, "free-threads-contending"),
        "All threads run, but they contend for what they share: 3.0 of 1000 instructions found what they wanted \
         in another thread's hands."
    );
    let beside = |trace: &Trace, alone| find(&Facts::new(trace, 4, ms(5)).beside(Some(alone)));
    let found = beside(&contending, 100_000.0);
    assert_eq!(found[0].id, "free-threads-contending");
    assert!(found[0].sentence.contains("each gets 20% done in a millisecond of what one alone does"), "{found:?}");
    // Met now and then, and as quick as alone.
    assert!(beside(&contending, 21_000.0).is_empty());
    // Slower, as two that share a core's units are, and never met: that is not contention.
    assert!(beside(&free_threads(4, 10_000_000, 0), 200_000.0).is_empty());
    assert_eq!(ids(&free_threads(4, 10_000_000, 100)), [""; 0]);
    assert_eq!(ids(&free_threads(1, 2_000_000, 6_000)), [""; 0]);
    // With a lock of the interpreter's above them it is that which they wait for.
    assert_eq!(ids(&turns(4, 20)), ["lock-bound"]);
}

#[test]
fn c_code_outside_the_lock_shows_and_within_does_not() {
    let trace = |after| {
        let mut builder = TraceBuilder::new().lock("GIL");
        for thread in 0..4_u64 {
            builder = builder.lane(&format!("thread {}", thread + 1));
            if thread > 0 {
                builder = builder.waiting(ms(thread));
            }
            builder = builder.running(ms(1)).state(after, ms(100 - thread));
        }
        builder.build()
    };
    assert_eq!(ids(&trace(State::Native)), ["native-outside-lock"]);
    assert!(!ids(&trace(State::Io)).contains(&"native-outside-lock"));
    let processes = workers(4, true, &[(State::Native, 100)]);
    assert!(!ids(&processes).contains(&"native-outside-lock"));
}

/// A thread that computes, and one that sleeps 2 ms at a time and then waits so long for the lock.
fn beside_a_computing_one(wait: u64, rounds: u64) -> Trace {
    let mut builder = TraceBuilder::new().lock("GIL").lane("thread 1");
    for _ in 0..rounds {
        builder = builder.running(ms(2 + wait)).waiting(ms(1));
    }
    builder = builder.lane("thread 2");
    for _ in 0..rounds {
        builder = builder.state(State::Io, ms(2)).waiting(ms(wait)).running(ms(1));
    }
    builder.build()
}

#[test]
fn a_full_interval_at_each_wake_up_is_a_convoy_and_less_is_not() {
    let convoy = beside_a_computing_one(5, 20);
    assert_eq!(ids(&convoy)[0], "convoy");
    let said = sentence(&convoy, "convoy");
    assert!(said.starts_with("At 20 of 20 wake-ups from I/O thread 2 waited a whole switch interval or more (5.00 ms"));
    assert!(said.ends_with("thread 1 held the lock for 100% of that while it waited."), "{said}");
    assert!(!ids(&beside_a_computing_one(2, 40)).contains(&"convoy"));
    assert!(!ids(&beside_a_computing_one(5, 3)).contains(&"convoy"));
    assert!(!ids(&turns(4, 20)).contains(&"convoy"));
}

#[test]
fn who_keeps_the_lock_for_long_is_named_though_most_wake_ups_find_it_free() {
    // 80 ms of every 110 it holds the lock; the other wakes up every 10 ms.
    let beside_a_hog = |sleeps: u64| {
        let mut builder = TraceBuilder::new().lock("GIL").lane("hog");
        for _ in 0..10 {
            builder = builder.running(ms(80)).state(State::Io, ms(30 + sleeps));
        }
        builder = builder.lane("api");
        for _ in 0..10 {
            builder = builder.state(State::Io, ms(10)).waiting(ms(70)).running(ms(1));
            builder = builder.state(State::Io, ms(9)).running(ms(1)).state(State::Io, ms(9)).running(ms(1));
            builder = builder.state(State::Io, ms(9 + sleeps));
        }
        builder.build()
    };
    let said = sentence(&beside_a_hog(0), "convoy");
    assert!(
        said.contains("(70.0 ms on average, 6") && said.contains("% of its life in all); hog held the lock for 100%"),
        "{said}"
    );
    let found = find(&Facts::new(&beside_a_hog(0), 4, ms(5)));
    assert!(
        found.iter().any(|it| it.advice.is_some_and(|advice| advice.contains("heeds no switch interval"))),
        "{found:?}"
    );
    // So seldom that it is no matter to that thread.
    assert!(!ids(&beside_a_hog(400)).contains(&"convoy"));
    // Threads of a program that only compute wake up from nothing, though it was not seen what all their moments were.
    let mut builder = TraceBuilder::new().lock("GIL").lane("one");
    for _ in 0..20 {
        builder = builder.running(ms(10)).state(State::Sleeping, ms(1)).waiting(ms(9));
    }
    builder = builder.lane("two");
    for _ in 0..20 {
        builder = builder.state(State::Sleeping, ms(1)).waiting(ms(9)).running(ms(10));
    }
    let turns = builder.build();
    let mut facts = Facts::new(&turns, 4, ms(5));
    facts.is_program = true;
    let found: Vec<_> = find(&facts).into_iter().map(|it| it.id).collect();
    assert!(found.contains(&"lock-bound") && !found.contains(&"convoy"), "{found:?}");
    // Two that keep each other waiting for as long: neither is to be named.
    let mut builder = TraceBuilder::new().lock("GIL").lane("one");
    for _ in 0..10 {
        builder = builder.running(ms(60)).state(State::Io, ms(45)).waiting(ms(55));
        for io in [1, 1, 35] {
            builder = builder.running(ms(1)).state(State::Io, ms(io));
        }
    }
    builder = builder.lane("other");
    for _ in 0..10 {
        builder = builder.state(State::Io, ms(5)).waiting(ms(55));
        for io in [1, 1, 35] {
            builder = builder.running(ms(1)).state(State::Io, ms(io));
        }
        builder = builder.running(ms(60)).state(State::Io, ms(40));
    }
    assert!(!ids(&builder.build()).contains(&"convoy"));
}

#[test]
fn a_blocking_call_in_a_coroutine_blocks_the_loop_and_short_turns_do_not() {
    let stall = TraceBuilder::new()
        .lane("task 1")
        .line(7)
        .running(ms(1))
        .state(State::Io, ms(200))
        .state(State::Done, ms(2))
        .lane("task 2")
        .state(State::Ready, ms(201))
        .running(ms(1))
        .lane("task 3")
        .state(State::Ready, ms(202))
        .running(ms(1))
        .build();
    let said = sentence(&stall, "loop-blocked");
    assert_eq!(said, "task 1 kept the loop for 200 ms at a stretch, at line 7, while two others were ready to go on.");
    let mut builder = TraceBuilder::new();
    for task in 0..20_u64 {
        builder = builder.lane(&format!("task {task}"));
        if task > 0 {
            builder = builder.state(State::Ready, ms(20 * task));
        }
        builder = builder.running(ms(20)).state(State::Suspended, ms(20 * (20 - task)));
    }
    assert!(!ids(&builder.build()).contains(&"loop-blocked"));
}

#[test]
fn workers_without_tasks_are_idle_and_those_that_wait_a_moment_are_not() {
    let uneven = TraceBuilder::new()
        .lock("GIL of process 1")
        .lane("process 1")
        .task_started(0)
        .running(ms(100))
        .lock("GIL of process 2")
        .lane("process 2")
        .state(State::Idle, ms(100))
        .build();
    assert!(sentence(&uneven, "idle-workers").contains("For 50% of their time workers had no task: 1 task for 2"));
    let even = workers(4, true, &[(State::Running, 100), (State::Idle, 5)]);
    assert!(!ids(&even).contains(&"idle-workers"));
}

#[test]
fn memory_is_multiplied_where_each_process_holds_much_of_its_own() {
    let peaks = |each: u64, together: u64| Peaks {
        rss: None,
        pss: Some(together),
        processes: (1..=4)
            .map(|pid| (pid, ProcessMemory { pid, pss: Some(each), ..ProcessMemory::default() }))
            .collect::<BTreeMap<_, _>>(),
    };
    let mut trace = workers(4, true, &[(State::Running, 100)]);
    for lane in 0..4 {
        trace.lane_mut(LaneId(lane)).pid = Some(lane + 1);
    }
    let found = |trace: &Trace, peaks: &Peaks| {
        let mut facts = Facts::new(trace, 4, ms(5));
        facts.memory = Some(peaks);
        find(&facts).into_iter().find(|finding| finding.id == "memory-multiplied")
    };
    let much = found(&trace, &peaks(120 << 20, 480 << 20)).expect("it holds");
    assert!(much.sentence.starts_with("The four processes held 480 MiB together, the largest 120 MiB"));
    assert_eq!(found(&trace, &peaks(8 << 20, 32 << 20)), None);
    for lane in 0..4 {
        trace.lane_mut(LaneId(lane)).pid = Some(1);
    }
    assert_eq!(found(&trace, &peaks(480 << 20, 480 << 20)), None);
}

#[test]
fn lost_updates_are_told_where_some_were_lost_and_nowhere_else() {
    let trace = turns(4, 10);
    let with = |outcome: &str| {
        let mut facts = Facts::new(&trace, 4, ms(5));
        facts.outcome = Some(outcome.to_owned());
        find(&facts).into_iter().find(|finding| finding.id == "lost-updates")
    };
    let finding = with("{'expected': 4000, 'actual': 1840}").unwrap();
    assert!(finding.sentence.starts_with("2160 of 4000 updates were lost (54%), and 1840 are left"), "{finding:?}");
    for outcome in ["{'expected': 4000, 'actual': 4000}", "{'expected': 0, 'actual': 0}", "{'left': 3}"] {
        assert_eq!(with(outcome), None, "{outcome}");
    }
    assert!(!ids(&trace).contains(&"lost-updates"));
}

#[test]
fn with_a_task_for_each_idleness_is_said_to_come_before_or_after_it() {
    let one_waits = |before: u64, after: u64| {
        let mut builder = TraceBuilder::new().lock("GIL of process 1").lane("process 1").task_started(0);
        builder = builder.running(ms(10 + before + after)).lock("GIL of process 2").lane("process 2");
        if before > 0 {
            builder = builder.state(State::Idle, ms(before));
        }
        builder = builder.task_started(1).running(ms(10));
        if after > 0 {
            builder = builder.state(State::Idle, ms(after));
        }
        builder.build()
    };
    assert!(sentence(&one_waits(0, 100), "idle-workers").contains("had no task any more: others were still at theirs"));
    assert!(sentence(&one_waits(100, 0), "idle-workers").ends_with("the first came after 50.0 ms on average."));
}

#[test]
fn pickling_is_told_where_it_is_more_than_the_work_however_little_both_are() {
    let trace = |work| workers(2, true, &[(State::Idle, 100), (State::Unpickling, 10), (State::Running, work)]);
    let said = sentence(&trace(5), "pickling-dominates");
    assert_eq!(said, "Turning arguments and results into bytes and back took 20.0 ms, the work itself 10.0 ms.");
    assert!(!ids(&trace(12)).contains(&"pickling-dominates"));
}
