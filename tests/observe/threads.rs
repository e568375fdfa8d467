//! Threads of one process: who holds the lock, who waits, who sleeps, and the cores they take.

use super::*;

#[test]
fn two_threads_that_compute_take_turns_and_every_turn_is_seen_whatever_the_version() {
    let exact = exactly();
    for python in pythons() {
        let report = watch(&python, SPIN);
        sound(&report);
        let free = report["python"]["gil_enabled"] == false;
        let name = python.display();
        assert_eq!(report["exit_status"], 0, "{name}");
        assert!(lanes(&report).len() >= 3, "{name}: {report:#}");
        if free {
            assert!(report["locks"].as_array().unwrap().is_empty(), "{name}: no lock is there");
            continue;
        }
        let lock = &report["observer"]["locks"][0];
        let (counted, seen) = (nanos(&lock["switch_number"]), nanos(&lock["handoffs_seen"]));
        assert!(counted >= 10.0, "{name}: they took turns: {lock}");
        if exact && report["observer"]["engine"] == "exact" && report["observer"]["records_lost"] == 0 {
            assert!((counted - seen).abs() <= (counted * 0.01).max(2.0), "{name}: {counted} against {seen}");
        } else {
            assert!(!exact, "{name}: two threads that compute are seen exactly: {}", report["observer"]);
        }
        let told = &report["locks"][0];
        assert!(nanos(&told["handoffs"]) >= counted, "{name}: {told}");
        assert!(told["drop_requests"].is_null(), "{name}: nothing tells of them: {told}");
        if exact {
            assert!(nanos(&told["takes"]) >= nanos(&told["handoffs"]), "{name}: a hand-off is a take: {told}");
            assert!(told["looks_apart_ns"].is_null() && told["held_margin_ns"].is_null(), "{name}: {told}");
        }
        for thread in ["thread 1", "thread 2"] {
            let lane =
                lanes(&report).iter().filter(|lane| lane["name"] != "main").nth(usize::from(thread == "thread 2"));
            let lane = lane.expect("both are there");
            assert!(share(lane, &["running", "waiting_core"]) > 0.1, "{name} {lane:#}");
            assert!(share(lane, &["waiting_gil"]) > 0.1, "{name} {lane:#}");
        }
        assert!(share(named(&report, "main"), &["waiting_lock"]) > 0.5, "{name}: it joins: {report:#}");
    }
}

#[test]
fn those_who_only_compute_sleep_for_nothing_but_the_lock() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import threading, time
end = time.monotonic() + 2
def spin():
    while time.monotonic() < end:
        for _ in range(10000): pass
threads = [threading.Thread(target=spin) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
";
    let report = watch(&python, code);
    sound(&report);
    let spinning = || lanes(&report).iter().filter(|lane| lane["name"] != "main");
    let sum = |of| spinning().map(|lane| state(lane, of)).sum::<f64>();
    assert_eq!(spinning().count(), 4);
    let (sleeps, waits) = (sum("sleeping"), sum("waiting_gil"));
    // Whose interval runs out on a core that others need asks late, and then it may not be known that he asks.
    assert!(sleeps < waits / 50.0, "{sleeps} for no known reason, {waits} for the lock: {report:#}");
}

#[test]
fn a_sleeper_sleeps_and_its_call_is_named() {
    for python in pythons() {
        let report = watch(&python, "import time; t = time.monotonic(); time.sleep(1.2); print(time.monotonic() - t)");
        sound(&report);
        let main = named(&report, "main");
        let slept = words_as_numbers(report["output"].as_str().unwrap_or_default())[0] * 1e9;
        let told = state(main, "io");
        assert!((0.95 * slept..1.05 * slept).contains(&told), "{}: {told} of {slept}: {main:#}", python.display());
        let calls = main["slept"].as_object().expect("it slept in calls");
        // It was stopped until it was to execute Python, in the call by which it stopped itself.
        assert!(!calls.contains_key("kill"), "{main:#}");
        assert!(
            calls.keys().any(|call| ["clock_nanosleep", "pselect6", "select"].contains(&call.as_str())),
            "{main:#}"
        );
    }
}

#[test]
fn those_who_fall_asleep_as_soon_as_they_are_born_are_known_to_sleep() {
    let Some(python) = python() else { return };
    if !exactly() {
        return;
    }
    let code = "import threading, time\nthreads = [threading.Thread(target=time.sleep, args=(1.5,)) for _ in range(12)]\n\
                for t in threads: t.start()\nfor t in threads: t.join()\n";
    let report = watch(&python, code);
    sound(&report);
    let asleep = lanes(&report).iter().filter(|lane| state(lane, "io") > 1e9).count();
    assert_eq!(asleep, 12, "{:#}", report["lanes"]);
}

#[test]
fn an_io_thread_beside_one_that_computes_waits_for_the_lock_at_each_wake_up() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import threading, time
end = time.monotonic() + 1.5
def io():
    while time.monotonic() < end: time.sleep(0.01)
t = threading.Thread(target=io); t.start()
while time.monotonic() < end:
    for _ in range(10000): pass
t.join()
";
    let report = watch(&python, code);
    sound(&report);
    let io = lanes(&report).iter().find(|lane| lane["name"] != "main").expect("the thread is there");
    assert!(state(io, "waiting_gil") > 5.0 * state(io, "running"), "{io:#}");
    assert!(state(io, "io") > state(io, "running"), "{io:#}");
    let blame = report["blame"].as_array().expect("somebody held it").iter();
    let charged: f64 = blame.filter(|it| it["holder"] == 0).map(|it| nanos(&it["ns"])).sum();
    assert!(charged > 0.5 * state(io, "waiting_gil"), "{report:#}");
    let table = gilscope(&["watch", "--no-screen", "--python", &python.display().to_string(), "-c", code]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    let most =
        table.split_once("who held the GIL while others waited for it\n").and_then(|(_, rest)| rest.lines().next());
    assert!(most.is_some_and(|line| line.contains("%  main (of it")), "{table}");
}

#[test]
fn waits_that_are_over_before_anybody_looks_are_told_all_the_same() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import sys, threading, time
sys.setswitchinterval(0.001)
end = time.perf_counter() + 2
late = 0
def short():
    global late
    while time.perf_counter() < end:
        slept = time.perf_counter()
        time.sleep(0.002)
        late += time.perf_counter() - slept - 0.002
t = threading.Thread(target=short, name='short'); t.start()
while time.perf_counter() < end:
    for _ in range(10000): pass
t.join()
print(late)
";
    let report = watch(&python, code);
    sound(&report);
    if report["observer"]["engine"] != "exact" {
        // The machine was too busy for the guard's liking.
        return;
    }
    let late: f64 = report["output"].as_str().and_then(|text| text.trim().parse().ok()).expect("it says so");
    let waited = state(named(&report, "short"), "waiting_gil") / 1e9;
    // Late it was for want of the lock, of a core, and by the timer. By looks alone a tenth of the waiting is seen.
    assert!(waited > 0.3 * late && waited < 1.05 * late, "waited {waited:.3} s for the lock, late {late:.3} s");
}

#[test]
fn native_code_runs_without_the_lock() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import threading, zlib, time
data = bytes(range(256)) * 40000
def native():
    end = time.monotonic() + 1
    while time.monotonic() < end: zlib.compress(data, 6)
t = threading.Thread(target=native); t.start(); t.join()
";
    let report = watch(&python, code);
    sound(&report);
    let native = lanes(&report).iter().find(|lane| lane["name"] != "main").expect("the thread is there");
    assert!(share(native, &["native", "waiting_core"]) > 0.6, "{native:#}");
    assert!(state(native, "running") < state(native, "native"), "{native:#}");
}

#[test]
fn a_thread_for_each_request_has_a_lane_for_each_and_none_stays_open() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import threading, time
def answer(): time.sleep(0.002)
for _ in range(40):
    ts = [threading.Thread(target=answer) for _ in range(5)]
    for t in ts: t.start()
    for t in ts: t.join()
";
    let report = watch(&python, code);
    sound(&report);
    assert!((195..=201).contains(&lanes(&report).len()), "{} lanes", lanes(&report).len());
    assert!(lanes(&report).iter().all(|lane| lane["end"] == "done"));
}

#[test]
fn what_its_other_threads_and_programs_take_of_the_cores_is_the_programs_and_is_told_apart() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = "import resource, subprocess, sys
busy = 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'
subprocess.run(['sh', '-c', busy])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
";
    let args = ["watch", "--json", "--python", &path, "-c", code];
    for records in [true, false] {
        let Some(output) = (if records { Some(gilscope(&args)) } else { refused(298, &args) }) else { return };
        let report = json(&output);
        sound(&report);
        let used = words_as_numbers(report["output"].as_str().unwrap_or_default())[0] * 1e9;
        let (told, elapsed) = (nanos(&report["observer"]["native_cpu_ns"]), nanos(&report["elapsed_ns"]));
        // Of one that ended the last sums are a little old where there are no records.
        assert!(told > 0.6 * used && told < 1.2 * used + 0.05e9, "{told} of {used}, records {records}: {report:#}");
        let by_lanes: f64 = lanes(&report).iter().map(|lane| nanos(&lane["on_cpu_ns"])).sum();
        let busy = report["cores_busy"].as_f64().expect("a number");
        assert!((busy - (told + by_lanes) / elapsed).abs() < 0.02, "{busy}: {told} {by_lanes} of {elapsed}");
    }
}

#[test]
fn a_thread_of_the_program_that_is_not_python_s_counts_in_the_cores_it_takes() {
    let Some(python) = python() else { return };
    // A C function of one argument that computes: glibc's, which shuffles a text.
    let code = "import ctypes, time
libc = ctypes.CDLL(None)
text = ctypes.create_string_buffer(b'x' * 40_000_000)
thread = ctypes.c_ulong()
libc.pthread_create(ctypes.byref(thread), None, libc.strfry, text)
libc.pthread_join(thread, None)
print(time.process_time() - time.thread_time())
";
    for report in std::iter::once(watch(&python, code)).chain(watch_refused(&python, code)) {
        sound(&report);
        let used = words_as_numbers(report["output"].as_str().unwrap_or_default())[0] * 1e9;
        let told = nanos(&report["observer"]["native_cpu_ns"]);
        // It is met some milliseconds after its birth, and of one that has ended the last sums are a little old.
        assert!(told > 0.5 * used && told < 1.1 * used, "{told} of {used}: {}", report["observer"]);
    }
}

#[test]
fn where_threads_are_born_without_a_pause_it_is_said_that_recording_it_slows_them() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    // How many are born in the first and in the second half of the time.
    let code = "import threading, time
end, born = time.monotonic() + 1.5, [0, 0]
while time.monotonic() < end:
    t = threading.Thread(target=int)
    t.start()
    t.join()
    born[time.monotonic() > end - 0.75] += 1
print(*born)
";
    let report = watch(&python, code);
    let alarms = report["observer"]["alarms"].to_string();
    let born = words_as_numbers(report["output"].as_str().unwrap_or_default());
    // On a busy machine no program can make so many that it would be slowed by that.
    if born.iter().all(|half| half / 0.75 > 700.0) {
        assert!(alarms.contains("are born a second"), "{born:?}: {}", report["observer"]);
    } else if born.iter().sum::<f64>() / 1.5 < 200.0 {
        assert!(!alarms.contains("are born a second"), "{born:?}: {}", report["observer"]);
    }
}

#[test]
fn sleeps_that_are_over_before_anybody_looks_are_off_core_and_not_unobserved() {
    let Some(python) = python() else { return };
    if !exactly() {
        return;
    }
    let report =
        watch(&python, "import time\nend = time.time() + 2\nwhile time.time() < end:\n    time.sleep(0.002)\n");
    sound(&report);
    let main = named(&report, "main");
    // Nobody knows what it is before it executes its program.
    let before = nanos(&report["observer"]["first_event_ns"]);
    let life = nanos(&report["elapsed_ns"]) - before;
    let [slept, unseen] = ["sleeping", "unknown"].map(|it| state(main, it));
    assert!(unseen - before < 0.15 * life, "{main}");
    assert!(slept > 0.0 && slept + state(main, "io") > 0.4 * life, "{main}");
}

#[test]
fn a_lock_that_comes_late_and_goes_early_is_held_and_free_only_while_it_is_there() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import os, time
time.sleep(0.7)
if os.fork() == 0:
    end = time.monotonic() + 0.3
    while time.monotonic() < end: pass
    time.sleep(0.3)
    os._exit(0)
os.wait()
time.sleep(0.8)
";
    let report = watch(&python, code);
    sound(&report);
    let (first, second) = (&report["locks"][0], &report["locks"][1]);
    let life = |lock: &Value| nanos(&lock["held_ns"]) + nanos(&lock["free_ns"]);
    let child = named(&report, "process 2");
    let lived = nanos(&report["elapsed_ns"]) - state(child, "unborn") - state(child, "done");
    assert!((life(second) - lived).abs() < 0.1e9 + 0.1 * lived, "{} of {lived}: {second:#}", life(second));
    assert!(life(second) < 0.7 * life(first), "{first:#} {second:#}");
}

#[test]
fn with_records_the_sums_agree_and_the_queue_for_a_core_is_known_too() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, SPIN);
    for lane in lanes(&report) {
        // Where a switch takes long the kernel's own sum tells of more than lies between two of them.
        let recorded = ["running", "native", "starting"].map(|it| state(lane, it)).iter().sum::<f64>();
        let told = nanos(&lane["on_cpu_ns"]);
        assert!((told - recorded).abs() < 0.1 * recorded + 0.05e9, "{told} {recorded}: {lane:#}");
        assert!(matches!(lane["on_cpu_evidence"].as_str(), Some("switch_records" | "schedstat")), "{lane:#}");
        assert!(lane["runqueue_ns"].is_u64(), "{lane:#}");
    }
    let (busy, all) = (nanos(&report["observer"]["cores_busy"]), nanos(&report["cores_busy"]));
    assert!((busy - all).abs() < 0.1 + 0.1 * all, "{busy} {all}");
}

#[test]
fn one_that_sleeps_ten_thousand_times_a_second_was_on_a_core_as_long_as_it_says_itself() {
    let code = "import hashlib, threading, time
end, megabyte = time.monotonic() + 2, bytes(1 << 20)
said = {}
def sleeper():
    while time.monotonic() < end: time.sleep(0)
    said['sleeper'] = time.thread_time()
def spinner():
    while time.monotonic() < end: hashlib.sha256(megabyte)
    said['spinner'] = time.thread_time()
threads = [threading.Thread(target=f, name=f.__name__) for f in (sleeper, spinner)]
for t in threads: t.start()
for t in threads: t.join()
print(said['sleeper'], said['spinner'])
";
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, code);
    sound(&report);
    let printed = report["output"].as_str().expect("it prints");
    let said: Vec<f64> = printed.split_whitespace().map(|it| it.parse().expect("a number")).collect();
    for (name, said) in ["sleeper", "spinner"].iter().zip(said) {
        let on_cpu = nanos(&named(&report, name)["on_cpu_ns"]) / 1e9;
        assert!((on_cpu - said).abs() < 0.08 * said + 0.01, "{name}: {on_cpu} of {said}: {:#}", named(&report, name));
    }
}

/// One works in C without the lock, and never sleeps but for want of it; the other has it for milliseconds at a time.
const WORKS_WITHOUT: &str = "import hashlib, threading, time
data, end = bytes(6000000), time.monotonic() + 4
def native():
    while time.monotonic() < end: hashlib.sha256(data)
def hog():
    while time.monotonic() < end:
        until = time.thread_time() + 0.003
        while time.thread_time() < until: pass
        time.sleep(0.002)
threads = [threading.Thread(target=f, name=f.__name__) for f in (native, hog)]
for t in threads: t.start()
for t in threads: t.join()
";

#[test]
fn who_works_without_the_lock_and_wants_it_back_waits_for_it_though_no_look_met_most_of_these_waits() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, WORKS_WITHOUT);
    sound(&report);
    assert_eq!(report["observer"]["engine"], "exact", "{}", report["observer"]);
    let lane = named(&report, "native");
    let life = nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
    let truth = life - nanos(&lane["on_cpu_ns"]) - nanos(&lane["runqueue_ns"]);
    let (waits, off) = (state(lane, "waiting_gil"), nanos(&lane["waiting_gil_margin_ns"]));
    assert!(truth > 0.05 * life && off > 0.0, "{lane:#}");
    assert!(waits + off > 0.7 * truth - 0.02 * life, "{waits} ±{off} of {truth}: {lane:#}");
    assert!(waits - off < 1.3 * truth + nanos(&lane["runqueue_ns"]), "{waits} ±{off} of {truth}: {lane:#}");
}

/// Four threads that each do something under one lock that leaves the GIL alone, again and again, and a pool of four that is
/// given little to do.
const QUEUE: &str = "import threading, time
from concurrent.futures import ThreadPoolExecutor
def work(ms):
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end: pass
def queue(lock, end):
    while time.monotonic() < end:
        with lock: time.sleep(0.002)
        work(0.2)
end = time.monotonic() + 2
if kind == 'queue':
    lock = threading.Lock()
    threads = [threading.Thread(target=queue, args=(lock, end)) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
else:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(time.sleep, [0.05] * 4))
        while time.monotonic() < end:
            done = pool.submit(work, 1)
            if kind == 'results': done.result()
            else: time.sleep(0.004)
";

#[test]
fn a_queue_for_a_lock_of_the_program_s_own_is_told_and_idle_workers_are_none() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let found = |kind: &str| {
        let report = watch(&python, &format!("kind = '{kind}'\n{QUEUE}"));
        sound(&report);
        let insights = report["insights"].as_array().expect("there may be some").clone();
        insights.into_iter().find(|it| it["id"] == "own-lock-bound")
    };
    // A loaded machine does not give them the cores they need each time.
    let told = (0..5).find_map(|_| found("queue")).expect("it is told in one of several runs");
    assert!(told["sentence"].as_str().is_some_and(|it| it.starts_with("4 threads take turns")), "{told}");
    for kind in ["idle", "results"] {
        assert_eq!(found(kind), None, "{kind}");
    }
}

/// While it imports, a program takes its lock thousands of times a second: what a look sees then may be of a write whose record
/// comes after it.
#[test]
fn who_computes_after_its_imports_holds_the_lock_then_and_is_no_native_code() {
    let Some(python) = python() else { return };
    if !exactly() {
        return;
    }
    let code = "import subprocess, sys
child = '''import argparse, json, subprocess, time
end = time.thread_time() + 0.15
while time.thread_time() < end: pass'''
for _ in range(8): subprocess.run([sys.executable, '-c', child], check=True)";
    let report = watch(&python, code);
    sound(&report);
    let children: Vec<_> = lanes(&report).iter().filter(|lane| lane["pid"] != report["pid"]).collect();
    assert_eq!(children.len(), 8, "{:#}", report["lanes"]);
    for child in children {
        let (held, native) = (state(child, "running"), state(child, "native"));
        assert!(held > 0.1e9 && native < 0.6 * held, "{child:#}");
    }
}
