//! Where the lock is only looked at, or less than that can be seen.

use super::*;

/// A lock that is taken too often to be watched, and threads that live for a moment: their states are used again.
const COMING_AND_GOING: &str = "import threading, time
def brief():
    end = time.thread_time() + 0.003
    while time.thread_time() < end: time.sleep(0)
for _ in range(200):
    threads = [threading.Thread(target=brief) for _ in range(3)]
    for t in threads: t.start()
    for t in threads: t.join()
";

#[test]
fn where_the_lock_is_only_looked_at_no_thread_goes_on_after_its_end() {
    let Some(python) = python() else { return };
    let report = watch(&python, COMING_AND_GOING);
    sound(&report);
    let observer = &report["observer"];
    if observer["switch_records_refused"].is_null() {
        let mut sums = (0.0, 0.0);
        for lane in lanes(&report).iter().filter(|lane| lane["name"] != "main") {
            let ran: f64 = ["running", "native", "starting"].iter().map(|name| state(lane, name)).sum();
            // A moment between two looks may be misjudged, a life after the end may not.
            let most = nanos(&lane["on_cpu_ns"]) * 1.5 + 50e6;
            assert!(ran <= most, "it ran for {ran} ns, and had a core for less: {lane:#}");
            sums = (sums.0 + ran, sums.1 + nanos(&lane["on_cpu_ns"]));
        }
        assert!(sums.0 < sums.1 * 1.3, "they ran longer than they had cores: {sums:?}");
        let mut tids: Vec<u64> = lanes(&report).iter().filter_map(|lane| lane["tid"].as_u64()).collect();
        let all = tids.len();
        tids.sort_unstable();
        tids.dedup();
        assert_eq!(tids.len(), all, "a thread has one lane");
    }
    let (shown, unseen) = (lanes(&report).len() as u64 - 1, observer["ended_unseen"].as_u64().unwrap_or(0));
    assert!(shown + unseen >= 595 && shown >= 300, "{shown} of 600 have a lane, {unseen} are counted");
    assert_eq!(observer["lanes_not_shown"], 0);
}

#[test]
fn a_program_that_retakes_its_lock_all_the_time_is_sampled() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import os, time
for _ in range(40): time.sleep(0.02)
end = time.monotonic() + 2
while time.monotonic() < end: os.stat('/')
";
    let report = watch(&python, code);
    sound(&report);
    assert!(nanos(&report["observer"]["guard_trips"]) >= 1.0, "{}", report["observer"]);
    assert_eq!(report["observer"]["engine"], "sampled");
    assert!(report["observer"]["reason"].as_str().is_some_and(|why| why.contains("often")));
    assert_eq!(named(&report, "main")["evidence"], "sampled");
    // What looks do not tell is not told.
    let lock = &report["locks"][0];
    assert!(lock["takes"].is_null() && lock["hold_ns"].is_null() && lock["drop_requests"].is_null(), "{lock}");
    // Before, each sleep ended with a take that was recorded: forty of them, those of its start and those that were too many.
    let part = &lock["exact_part"];
    assert!((0.75e9..1.9e9).contains(&nanos(&part["ns"])) && (41.0..6000.0).contains(&nanos(&part["takes"])), "{lock}");
    let (apart, off) = (nanos(&lock["looks_apart_ns"]), nanos(&lock["held_margin_ns"]));
    assert!(apart > 1e5 && off > 0.0 && off < nanos(&report["elapsed_ns"]), "{lock}");
    let table = gilscope(&["watch", "--for", "2s", "--python", &python.display().to_string(), "-c", code]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("by CPython's own count; held ") && table.contains("not seen, nor how often"), "{table}");
    assert!(!table.contains(" takes,") && !table.contains("drop request"), "{table}");
}

#[test]
fn who_waits_for_a_sampled_lock_waits_no_longer_than_it_was_late_by_its_own_clock() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import os, threading, time
end = time.monotonic() + 4
def often():
    while time.monotonic() < end:
        sum(range(1000))
        os.stat('/')
late = 0
def ticker():
    global late
    while time.monotonic() < end:
        slept = time.monotonic()
        time.sleep(0.02)
        late += time.monotonic() - slept - 0.02
threads = [threading.Thread(target=often)] + [threading.Thread(target=ticker, name='ticker') for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(late)
";
    let report = watch(&python, code);
    sound(&report);
    assert_eq!(report["observer"]["engine"], "sampled", "{}", report["observer"]);
    let late: f64 = report["output"].as_str().and_then(|text| text.trim().parse().ok()).expect("it says so");
    let tickers = lanes(&report).iter().filter(|lane| lane["name"] == "ticker");
    let waited = tickers.map(|lane| state(lane, "waiting_gil") / 1e9).sum::<f64>();
    // It was late for want of the lock, or of a core; a look is made every few milliseconds.
    assert!(waited <= late * 1.5 + 0.2, "waited {waited:.3} s for the lock, late {late:.3} s");
}

/// One holds the lock for a third of a millisecond at a time, others wake up meanwhile, by timers that are not late; prints
/// how often each of them did, and for how long it slept in all if none was.
const SHORT_WAITS: &str = "import ctypes, os, threading, time
t = time.perf_counter(); sum(range(200000)); size = int(200000 * 0.0003 / (time.perf_counter() - t))
end = time.monotonic() + 4
def hog():
    while time.monotonic() < end:
        sum(range(size))
        for _ in range(3): os.stat('/')
        time.sleep(0.0001)
naps = {}
def napper(name):
    ctypes.CDLL(None).prctl(29, 1, 0, 0, 0)  # PR_SET_TIMERSLACK
    count = 0
    while time.monotonic() < end:
        time.sleep(0.0007)
        count += 1
    naps[name] = count * 0.7e6
threads = [threading.Thread(target=hog)]
threads += [threading.Thread(target=napper, args=(name,), name=name) for name in ('one', 'two')]
for t in threads: t.start()
for t in threads: t.join()
print(naps['one'], naps['two'])
";

#[test]
fn of_short_waits_for_a_sampled_lock_those_count_too_that_no_look_met() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, SHORT_WAITS);
    sound(&report);
    assert_eq!(report["observer"]["engine"], "sampled", "{}", report["observer"]);
    let naps = words_as_numbers(report["output"].as_str().unwrap_or_default());
    for (name, napped) in ["one", "two"].into_iter().zip(naps) {
        let lane = named(&report, name);
        let (waits, off) = (state(lane, "waiting_gil"), nanos(&lane["waiting_gil_margin_ns"]));
        let life = nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
        // Off its core for want of the lock, or since a timer was late all the same: by some hundredths, at most.
        let (queued, awake) = (nanos(&lane["runqueue_ns"]), nanos(&lane["on_cpu_ns"]));
        let (least, most) = (life - 1.03 * napped - queued - awake, life - napped - awake);
        assert!(off > 0.0 && off < 0.5 * waits, "{waits} ±{off}: {lane:#}");
        assert!(waits + 2.0 * off > 0.75 * least, "{waits} ±{off} of {least} and more: {lane:#}");
        assert!(waits - 2.0 * off < 1.1 * most, "{waits} ±{off} of {most} and less: {lane:#}");
    }
}

/// Two hold the lock for less than the time between two looks, and then sleep or work in C; a third waits for it. Prints for
/// how long either computed with the lock, by its own CPU time.
const SHORT_HOLDS: &str = "import hashlib, os, threading, time
from time import thread_time
t = thread_time(); sum(range(200000)); size = int(200000 * 0.0003 / (thread_time() - t))
data, held = bytes(200000), {'sleeper': 0, 'native': 0}
# So often is a lock only looked at, for the next ten seconds.
t = thread_time()
while thread_time() < t + 0.2: os.stat('/')
end = time.monotonic() + 4
def hold(name):
    t = thread_time()
    sum(range(size))
    held[name] += thread_time() - t
def sleeper():
    while time.monotonic() < end:
        hold('sleeper')
        for _ in range(2): os.stat('/')
        time.sleep(0.0002)
def native():
    while time.monotonic() < end:
        hold('native')
        hashlib.sha256(data)
def waiter():
    while time.monotonic() < end: time.sleep(0.001)
threads = [threading.Thread(target=f, name=f.__name__) for f in (sleeper, native, waiter)]
for t in threads: t.start()
for t in threads: t.join()
print(held['sleeper'] * 1e9, held['native'] * 1e9)
";

#[test]
fn who_holds_a_sampled_lock_shortly_ran_for_as_long_as_he_says_himself_and_is_charged() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, SHORT_HOLDS);
    sound(&report);
    assert_eq!(report["observer"]["engine"], "sampled", "{}", report["observer"]);
    let held = words_as_numbers(report["output"].as_str().unwrap_or_default());
    for (name, held) in ["sleeper", "native"].into_iter().zip(held) {
        let lane = named(&report, name);
        let ran = state(lane, "running");
        assert!((0.7 * held..1.5 * held).contains(&ran), "{ran} of {held}: {lane:#}");
        let life = nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
        assert!(state(lane, "unknown") < 0.3 * life, "{lane:#}");
    }
    let waiter = named(&report, "waiter");
    let charged = report["blame"].as_array().expect("a list").iter().filter(|it| it["waiter"] == waiter["id"]);
    let charged: f64 = charged.map(|it| nanos(&it["ns"])).sum();
    let waited = state(waiter, "waiting_gil");
    assert!((0.3 * waited..1.3 * waited).contains(&charged), "{charged} of {waited}: {waiter:#}");
}

#[test]
fn where_the_kernel_refuses_its_records_the_lock_is_sampled_and_it_is_said_why() {
    let Some(python) = python() else { return };
    let Some(report) = watch_refused(&python, SPIN) else { return };
    sound(&report);
    let observer = &report["observer"];
    assert_eq!(observer["engine"], "sampled", "{observer}");
    assert!(observer["reason"].as_str().is_some_and(|why| why.contains("perf_event_open")), "{observer}");
    assert!(observer["switch_records_refused"].is_string());
    assert!(lanes(&report).iter().all(|lane| lane["evidence"] == "sampled" && lane["core_evidence"] == "none"));
    let (held, elapsed) = (nanos(&report["locks"][0]["held_ns"]), nanos(&report["elapsed_ns"]));
    assert!(held > 0.5 * elapsed, "two that compute hold it nearly always: {held} of {elapsed}");
    for lane in lanes(&report).iter().filter(|lane| lane["name"] != "main") {
        assert!(share(lane, &["running"]) > 0.2 && share(lane, &["waiting_gil"]) > 0.2, "{lane:#}");
    }
}

#[test]
fn who_queues_for_a_core_is_not_said_to_run_c_code_where_the_kernel_refuses_its_records() {
    let Some(python) = python() else { return };
    // Four that want one core: three that compute in Python, in turns, and a process beside them.
    let code = "import os, threading, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
end = time.monotonic() + 2.5
def spin():
    while time.monotonic() < end:
        for _ in range(10000): pass
if not os.fork():
    spin()
    os._exit(0)
threads = [threading.Thread(target=spin, name='spins') for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
os.wait()
";
    let Some(report) = watch_refused(&python, code) else { return };
    sound(&report);
    let spinning = || lanes(&report).iter().filter(|lane| lane["name"] == "spins");
    let sum = |of| spinning().map(|lane| state(lane, of)).sum::<f64>();
    let queued = spinning().map(|lane| nanos(&lane["runqueue_ns"])).sum::<f64>();
    let awake = sum("running") + sum("waiting_core") + sum("unknown");
    assert!(queued > 0.2 * awake, "they queue for their core: {report:#}");
    // Nor to run Python, longer than it had the core.
    let on_cpu = spinning().map(|lane| nanos(&lane["on_cpu_ns"])).sum::<f64>();
    assert!(sum("running") < 1.05 * on_cpu, "{} of {on_cpu}: {:#}", sum("running"), report["lanes"]);
    let (native, sought) = (sum("native"), sum("running") + sum("waiting_gil"));
    assert!(native < 0.03 * sought, "{native} in C code of {sought}: {:#}", report["lanes"]);
}

#[test]
fn what_threads_spend_that_end_before_anybody_sees_them_is_in_the_cores_that_are_busy() {
    let Some(python) = python() else { return };
    let code = "import threading, time
end = time.monotonic() + 2
def brief():
    until = time.thread_time() + 0.001
    while time.thread_time() < until: pass
while time.monotonic() < end:
    t = threading.Thread(target=brief)
    t.start()
    t.join()
print(time.process_time())
";
    let exact = exactly().then(|| watch(&python, code));
    for report in exact.into_iter().chain(watch_refused(&python, code)) {
        sound(&report);
        let spent: f64 = report["output"].as_str().and_then(|text| text.trim().parse().ok()).expect("it says so");
        let elapsed = nanos(&report["elapsed_ns"]) / 1e9;
        for busy in [&report["cores_busy"], &report["observer"]["cores_busy"]] {
            let busy = busy.as_f64().expect("it is known");
            assert!(
                busy * elapsed > 0.8 * spent && busy * elapsed < 1.2 * spent + 0.1,
                "{busy} cores: {spent} s of {elapsed}"
            );
        }
    }
}

/// Three threads compute in C, each letting the lock go for it, and take it often; short-lived ones come and go. Prints
/// the longest life of one of these, as its maker saw it.
const LETS_GO: &str = "import hashlib, os, threading, time, zlib
data = os.urandom(1 << 20)
end = time.monotonic() + 2
def compute(what):
    while time.monotonic() < end:
        what()
        for _ in range(30): os.stat('/')
def brief():
    time.sleep(0.02)
longest = 0
def makes():
    global longest
    while time.monotonic() < end:
        born = time.monotonic()
        t = threading.Thread(target=brief, name='brief')
        t.start()
        t.join()
        longest = max(longest, time.monotonic() - born)
works = [lambda: zlib.compress(data, 1), lambda: hashlib.sha256(data).hexdigest(), lambda: zlib.crc32(data)]
threads = [threading.Thread(target=compute, args=(w,), name='c') for w in works] + [threading.Thread(target=makes)]
for t in threads: t.start()
for t in threads: t.join()
print(longest)
";

#[test]
fn who_computes_while_the_lock_is_free_or_has_ended_does_not_wait_for_it() {
    let Some(python) = python() else { return };
    let exact = exactly().then(|| watch(&python, LETS_GO));
    for report in exact.into_iter().chain(watch_refused(&python, LETS_GO)) {
        sound(&report);
        let how = report["observer"]["engine"].as_str().unwrap_or_default();
        let free = nanos(&report["locks"][0]["free_ns"]);
        for lane in lanes(&report).iter().filter(|lane| lane["name"] == "c") {
            let waits = state(lane, "waiting_gil");
            let life = nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
            // Each waits for what another has, and on no core. All that is not its life may be of the time for which the lock
            // was free, and who queues for a core after its wait is drawn to wait still.
            let outside = nanos(&report["elapsed_ns"]) - life;
            let queued = (nanos(&lane["runqueue_ns"]) - state(lane, "waiting_core")).max(0.0);
            let most = life - (free - outside) + queued + 0.05 * life;
            assert!(waits <= most, "{how}: the lock was free for {free} ns: {lane:#}");
            assert!(waits <= life - nanos(&lane["on_cpu_ns"]) + 0.1 * life, "{how}: {lane:#}");
        }
        // None of those lived longer, and each slept for 20 ms of it.
        let [longest] = words_as_numbers(report["output"].as_str().unwrap_or_default())[..] else {
            panic!("{report:#}")
        };
        for lane in lanes(&report).iter().filter(|lane| lane["name"] == "brief") {
            assert!(state(lane, "waiting_gil") / 1e9 < longest - 0.015, "{how}, {longest} s: {lane:#}");
        }
    }
}

/// One holds the lock for tens of milliseconds at a time, three wake up meanwhile. Prints how often one of them was late by
/// more than 15 ms, and by how much in all.
const KEPT_WAITING: &str = "import random, threading, time
data = [random.random() for _ in range(200000)]
end = time.monotonic() + 3
def hog():
    while time.monotonic() < end:
        sorted(data)
        time.sleep(0.02)
late = []
def sleeper():
    while time.monotonic() < end:
        slept = time.monotonic()
        time.sleep(0.01)
        late.append(time.monotonic() - slept - 0.01)
threads = [threading.Thread(target=hog)] + [threading.Thread(target=sleeper) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
late = [by for by in late if by > 0.015]
print(len(late), sum(late))
";

#[test]
fn where_looks_are_all_there_is_waits_are_counted_whoever_is_seen_to_take_the_lock() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let Some(output) = refused(298, &["watch", "--json", "--python", &path, "-c", KEPT_WAITING]) else { return };
    let report = json(&output);
    sound(&report);
    let printed: Vec<f64> = words_as_numbers(report["output"].as_str().unwrap_or_default());
    let (wait, apart) = (&report["locks"][0]["wait_ns"], &report["locks"][0]["looks_apart_ns"]);
    assert!(apart.is_u64(), "it was looked at: {report:#}");
    // Late for want of the lock, or of a core.
    let count = nanos(&wait["count"]);
    assert!(count > 0.3 * printed[0] && count < 4.0 * printed[0] + 20.0, "{count} waits, late {printed:?}: {report:#}");
    let mean = lanes(&report).iter().map(|lane| state(lane, "waiting_gil")).sum::<f64>() / count;
    assert!(nanos(&wait["max"]) >= mean * 0.99, "their lengths are those of the lanes: {mean} {wait}");
}

#[test]
fn where_the_kernel_refuses_its_records_its_sums_tell_how_long_threads_had_cores() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let Some(output) = refused(298, &["watch", "--json", "--python", &path, "-c", SPIN]) else { return };
    let report = json(&output);
    sound(&report);
    let busy = report["cores_busy"].as_f64().expect("a number");
    assert!((0.1..=1.03).contains(&busy), "one lock lets one thread run: {busy}");
    let mut sum = 0.0;
    for lane in lanes(&report) {
        assert_eq!(lane["on_cpu_evidence"], "schedstat", "{lane:#}");
        assert!(lane["on_cpu_ns"].is_u64() && lane["runqueue_ns"].is_u64(), "{lane:#}");
        sum += nanos(&lane["on_cpu_ns"]);
    }
    assert!((sum / nanos(&report["elapsed_ns"]) - busy).abs() < 0.01, "{sum} {busy}");
    assert!(report["observer"]["cores_busy"].is_f64(), "{}", report["observer"]);
}

#[test]
fn where_memory_may_not_be_read_it_is_said_why_and_what_to_do() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = "import sys, time\ntime.sleep(0.8)\nsys.exit(3)";
    // process_vm_readv
    let Some(output) = refused(310, &["watch", "--json", "--python", &path, "-c", code]) else { return };
    let report = json(&output);
    sound(&report);
    assert_eq!(output.status.code(), Some(3), "the program's own status: {report:#}");
    assert_eq!(report["observer"]["engine"], "cores_only");
    let why = report["observer"]["reason"].as_str().unwrap_or_default();
    assert!(why.contains("may not be looked into") || why.contains("ptrace_scope"), "{report:#}");
    assert!(why.contains("SYS_PTRACE") || why.contains("sysctl"), "what to do: {why}");
    assert!(lanes(&report).iter().any(|lane| state(lane, "io") > 0.3e9), "its threads are seen: {report:#}");
    // Where it is not known which locks are the interpreter's, nobody waits for one of the program's own.
    let output = refused(310, &["watch", "--json", "--python", &path, "-c", TURNS, "0.6"]).expect("as before");
    let report = json(&output);
    sound(&report);
    assert!(lanes(&report).iter().all(|lane| state(lane, "waiting_lock") == 0.0), "{report:#}");
    assert!(lanes(&report).iter().any(|lane| nanos(&lane["slept"]["futex"]["ns"]) > 0.0), "{report:#}");
    let output = refused(310, &["watch", "--no-screen", "--python", &path, "-c", TURNS, "0.6"]).expect("as before");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains(" on core") && !printed.contains("   runs ") && printed.contains(" ? "), "{printed}");
    // Nothing of it is within a limit.
    let args = ["check", "--python", &path, "-c", "print()"];
    let output = refused(310, &args).expect("as before");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).trim()), (Some(2), ""), "{output:?}");
    let output = refused(310, &[&args[..1], &["--json"], &args[1..]].concat()).expect("as before");
    let found = json(&output);
    assert!(found["ok"].is_null() && found["gil_wait"].is_null() && found["all_threads"].is_null(), "{found:#}");
    let output = refused(310, &["watch", "--no-screen", "--python", &path, "-c", code]).expect("as before");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("threads and cores only (process ") && printed.contains("ended with status 3"),
        "{printed}"
    );
    let pid = {
        let mut running = Command::new(&python).args(["-c", "import time; time.sleep(60)"]).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(200));
        let output = refused(310, &["attach", &running.id().to_string(), "--for", "200ms"]).expect("as before");
        running.kill().and_then(|()| running.wait()).expect("it is our child");
        output
    };
    match String::from_utf8_lossy(&pid.stderr) {
        // That has a remedy of its own, and it is said.
        refused if refused.contains("ptrace_scope") => assert_eq!(pid.status.code(), Some(2), "{pid:?}"),
        _ => {
            assert_eq!(pid.status.code(), Some(0), "{pid:?}");
            let printed = String::from_utf8_lossy(&pid.stdout);
            assert!(printed.contains("threads and cores only (process ") && printed.contains("SYS_PTRACE"), "{pid:?}");
            assert!(printed.starts_with('/'), "its command line: {printed}");
            assert_eq!(printed.contains("as root"), !rustix::process::geteuid().is_root(), "{printed}");
        }
    }
}

#[test]
fn who_computes_without_a_lock_that_is_only_looked_at_does_not_wait_for_it() {
    let Some(python) = python() else { return };
    let code = "import hashlib, json, threading, time
data = bytes(4 << 20)
end = time.perf_counter() + 2
cpu = {}
def work():
    while time.perf_counter() < end:
        hashlib.sha256(data)
        for _ in range(20000): pass
    cpu[threading.get_native_id()] = time.thread_time()
def brief(): time.sleep(0.02)
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
while time.perf_counter() < end:
    t = threading.Thread(target=brief, name='brief'); t.start(); t.join()
for t in threads: t.join()
print(json.dumps(cpu))
";
    let Some(output) = refused(298, &["watch", "--json", "--python", &python.display().to_string(), "-c", code]) else {
        return;
    };
    let report = json(&output);
    sound(&report);
    let said: std::collections::BTreeMap<u64, f64> =
        serde_json::from_str(report["output"].as_str().unwrap_or_default().trim())
            .expect("it says how long it computed");
    for lane in lanes(&report) {
        let life = nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
        let waited = state(lane, "waiting_gil");
        if let Some(cpu) = lane["tid"].as_u64().and_then(|tid| said.get(&tid)) {
            assert!(waited + cpu * 1e9 < life * 1.1, "who is on a core does not wait: {cpu} s: {lane:#}");
        }
        if lane["name"] == "brief" {
            // It sleeps once, and waits for at most three others.
            assert!(life < 0.15e9, "it has ended: {lane:#}");
        }
    }
}

/// One computes for half a millisecond and sleeps for two, again and again. Prints its time on a core.
const PAUSES: &str = "import threading, time
def work():
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for i in range(20000): pass
        time.sleep(0.002)
    print(time.thread_time())
thread = threading.Thread(target=work)
thread.start()
thread.join()
";

#[test]
fn a_lock_is_looked_at_at_any_instant_and_not_when_who_has_the_only_core_pauses() {
    let Some(python) = python() else { return };
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let version: Vec<u32> = release.split('.').map_while(|part| part.parse().ok()).take(2).collect();
    if version < vec![6, 12] {
        return eprintln!("skipped: this kernel lets whoever has a core finish his slice");
    }
    // In a thread of its own, whose children have what it has.
    let watch = move || {
        let mut one = rustix::thread::CpuSet::new();
        let usable = rustix::thread::sched_getaffinity(None).expect("it is told");
        one.set((0..).find(|core| usable.is_set(*core)).expect("it may use one"));
        rustix::thread::sched_setaffinity(None, &one).expect("one of those it may use");
        refused(298, &["watch", "--json", "--python", &python.display().to_string(), "-c", PAUSES])
    };
    let Some(output) = std::thread::spawn(watch).join().expect("it does not panic") else { return };
    let report = json(&output);
    sound(&report);
    let ran: f64 = report["output"].as_str().and_then(|text| text.trim().parse().ok()).expect("it says so");
    let held = nanos(&report["locks"][0]["held_ns"]) / 1e9;
    // Who has the lock may queue for the core; of who runs a look tells that he runs.
    assert!(held > 0.5 * ran, "it had a core for {ran} s, and is said to have had the lock for {held} s");
}

/// One takes the lock too often for it to be watched, another sleeps for less than a millisecond at a time.
const SHORT_SLEEPS: &str = "import os, threading, time
end = time.monotonic() + 2.5
def often():
    while time.monotonic() < end:
        for _ in range(30): os.stat('/')
def sleeper():
    while time.monotonic() < end: time.sleep(0.0006)
threads = [threading.Thread(target=often), threading.Thread(target=sleeper, name='sleeper')]
for t in threads: t.start()
for t in threads: t.join()
";

#[test]
fn short_sleeps_are_looked_at_as_often_as_a_lock_that_is_only_looked_at() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, SHORT_SLEEPS);
    sound(&report);
    assert_eq!(report["observer"]["engine"], "sampled", "{}", report["observer"]);
    let sleeper = named(&report, "sleeper");
    let (told, unseen) = (state(sleeper, "io") + state(sleeper, "waiting_gil"), state(sleeper, "sleeping"));
    // Looks a millisecond apart meet six of ten, looks three milliseconds apart meet two of ten.
    assert!(told > 0.38 * (told + unseen), "{told} ns of its sleeps have a reason, {unseen} have none: {sleeper:#}");
}

#[test]
fn who_sleeps_with_the_lock_and_then_computes_with_it_sleeps_no_longer() {
    let Some(python) = python() else { return };
    // A function of `PyDLL` keeps the lock. Nobody wants it, so it is never dropped afterwards.
    let code = "import ctypes, time
ctypes.PyDLL(None).usleep(500_000)
end = time.thread_time() + 1
while time.thread_time() < end: pass
";
    let Some(report) = watch_refused(&python, code) else { return };
    sound(&report);
    let main = named(&report, "main");
    let asleep = state(main, "io") + state(main, "sleeping");
    assert!(asleep > 0.0 && state(main, "running") > asleep, "it slept half as long as it computed: {main:#}");
}
