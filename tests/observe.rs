//! Real interpreters, observed by the real binary: programs whose truth is known.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The interpreters to test with: those of `gilscope list pythons` that we know, one for each version, and those that
/// GILSCOPE_PYTHONS names (separated by colons).
fn pythons() -> Vec<PathBuf> {
    let listed = gilscope(&["list", "pythons", "--json"]);
    let rows: Vec<Value> = serde_json::from_slice(&listed.stdout).expect("it is JSON");
    let mut versions = std::collections::BTreeMap::new();
    for row in rows.iter().filter(|row| row["kind"] == "python" && row["engine"] != "cores_only") {
        if let (Some(version), Some(path)) = (row["version"].as_str(), row["id"].as_str()) {
            let minor: Vec<u32> = version.split('.').take(2).filter_map(|part| part.parse().ok()).collect();
            versions.insert((minor, row["free_threaded"] == true), PathBuf::from(path));
        }
    }
    let mut found: Vec<PathBuf> = versions.into_values().collect();
    let named = std::env::var_os("GILSCOPE_PYTHONS").unwrap_or_default();
    found.extend(std::env::split_paths(&named).filter(|path| path.exists()));
    if found.is_empty() {
        assert!(std::env::var_os("GILSCOPE_REQUIRE_PYTHON").is_none_or(|it| it != "1"), "no CPython 3.9 to 3.15 found");
        eprintln!("skipped: no CPython 3.9 to 3.15 found");
    }
    found
}

/// One of them: the latest that has a GIL.
fn python() -> Option<PathBuf> {
    pythons().into_iter().rfind(|path| !path.to_string_lossy().ends_with('t'))
}

fn gilscope(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope")).args(args).stdin(Stdio::null()).output();
    output.expect("the program runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr)))
}

fn watch(python: &Path, code: &str) -> Value {
    json(&gilscope(&["watch", "--json", "--python", &python.display().to_string(), "-c", code]))
}

/// Whether takes are recorded here at all; if not, only what holds for samples too is tested.
fn exactly() -> bool {
    let listed = json(&gilscope(&["list", "pythons", "--json"]));
    let exact = listed.as_array().is_some_and(|rows| rows.iter().any(|row| row["engine"] == "exact"));
    if !exact {
        assert!(std::env::var_os("GILSCOPE_REQUIRE_PERF").is_none_or(|it| it != "1"), "the kernel refuses watchpoints");
        eprintln!("skipped in part: the kernel refuses watchpoints");
    }
    exact
}

fn lanes(report: &Value) -> &Vec<Value> {
    report["lanes"].as_array().expect("there are lanes")
}

fn named<'a>(report: &'a Value, name: &str) -> &'a Value {
    lanes(report).iter().find(|lane| lane["name"] == name).unwrap_or_else(|| panic!("no lane {name}: {report:#}"))
}

fn nanos(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

fn state(lane: &Value, state: &str) -> f64 {
    nanos(&lane["states_ns"][state])
}

/// Its share of the time it was there and it was seen what it did.
fn share(lane: &Value, of: &[&str]) -> f64 {
    let all: f64 = lane["states_ns"].as_object().expect("it has states").iter().map(|(_, span)| nanos(span)).sum();
    let without: f64 = ["unborn", "done", "unknown", "sleeping"].iter().map(|name| state(lane, name)).sum();
    of.iter().map(|name| state(lane, name)).sum::<f64>() / (all - without).max(1.0)
}

/// Its share of the time it was there, seen or not.
fn share_of_life(lane: &Value, of: &[&str]) -> f64 {
    let all: f64 = lane["states_ns"].as_object().expect("it has states").iter().map(|(_, span)| nanos(span)).sum();
    let life = all - state(lane, "unborn") - state(lane, "done");
    of.iter().map(|name| state(lane, name)).sum::<f64>() / life.max(1.0)
}

/// What must hold of every report.
fn sound(report: &Value) {
    for lane in lanes(report) {
        let sum: f64 = lane["states_ns"].as_object().expect("it has states").values().map(nanos).sum();
        assert_eq!(sum, nanos(&report["elapsed_ns"]), "the states of a lane add up: {lane:#}");
    }
    assert_eq!(report["engine"], "cpython");
    assert!(report["experiment"].is_null());
}

const SPIN: &str = "import threading, time
def spin(end):
    while time.monotonic() < end:
        for _ in range(10000): pass
end = time.monotonic() + 1.5
threads = [threading.Thread(target=spin, args=(end,)) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
";

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
            assert!(told["looks_apart_ns"].is_null() && told["held_off_ns"].is_null(), "{name}: {told}");
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
fn a_sleeper_sleeps_and_its_call_is_named() {
    for python in pythons() {
        let report = watch(&python, "import time; time.sleep(1.2)");
        sound(&report);
        let main = named(&report, "main");
        assert!(share(main, &["io"]) > 0.6, "{}: {main:#}", python.display());
        let calls = main["slept"].as_object().expect("it slept in calls");
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

fn minor(report: &Value) -> u32 {
    report["python"]["version"].as_str().and_then(|it| it.split('.').nth(1)?.parse().ok()).expect("it has a version")
}

/// Threads with names of every kind, which the program prints by the kernel's numbers; LATER happens meanwhile.
const NAMED: &str = r"import json, threading, time
class Worker(threading.Thread):
    def __init__(self, name):
        self.first, self.second = 1, 2
        super().__init__(name=name)
    def run(self): idle()
def idle(): time.sleep(SECONDS)
names = ['reader', '\u65e5\u672c', '\U0001f40d snake', 'w\xf6rker', 'an escape \x1b[31m\x1b]0;x\x07 \u202e', 'x' * 500, None]
threads = [threading.Thread(target=idle, name=name) for name in names] + [Worker('of a class')]
for t in threads: t.start()
threads[0].__dict__
LATER
print(json.dumps({t.native_id: t.name for t in threads}), flush=True)
for t in threads: t.join()
";

/// What the program said its threads are called, with their lanes.
fn with_names(report: &Value) -> Vec<(String, &Value)> {
    let printed = report["output"].as_str().and_then(|text| text.lines().next()).expect("it prints");
    let said: std::collections::BTreeMap<u64, String> = serde_json::from_str(printed).expect("it is JSON");
    let lane = |tid: &u64| lanes(report).iter().find(|lane| lane["tid"] == *tid);
    said.iter().map(|(tid, name)| (name.clone(), lane(tid).unwrap_or_else(|| panic!("no lane {tid}")))).collect()
}

#[test]
fn threads_are_called_what_python_calls_them_whatever_the_version() {
    for python in pythons() {
        let code = NAMED.replace("SECONDS", "0.7").replace("LATER", "time.sleep(0.2)");
        let report = watch(&python, &code);
        sound(&report);
        assert_eq!(named(&report, "main")["tid"], report["pid"]);
        for (said, lane) in with_names(&report) {
            let shown = lane["name"].as_str().expect("it has a name");
            let steers = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!shown.contains(steers), "{}: {shown:?}", python.display());
            let known = if minor(&report) <= 13 { 50 } else { 4 };
            let start: String = said.chars().take_while(|c| !steers(*c)).take(known).collect();
            assert!(shown.starts_with(&start), "{}: {shown:?} for {said:?}", python.display());
            let exact = minor(&report) > 13 || said.len() > 60 || said.contains(steers);
            assert!(exact || shown == said, "{}: {shown:?} for {said:?}", python.display());
            assert!(shown.chars().count() <= 60);
        }
    }
}

#[test]
fn a_thread_that_is_renamed_is_called_by_its_new_name() {
    let mut pythons = pythons();
    pythons.retain(|path| ["3.9", "3.12", "3.13"].iter().any(|version| path.to_string_lossy().contains(version)));
    for python in pythons {
        let later = "time.sleep(0.5); threads[0].name = 'once reader'; threads[-1].name = 'of a class, too'";
        let report = watch(&python, &NAMED.replace("SECONDS", "5").replace("LATER", later));
        sound(&report);
        for (said, lane) in with_names(&report).iter().filter(|(said, _)| said.contains("once") || said.contains("too"))
        {
            assert_eq!(lane["name"], **said, "{}", python.display());
        }
    }
}

#[test]
fn what_a_thread_calls_itself_is_known_however_short_it_lives_and_is_not_its_childrens_name() {
    if !exactly() {
        return;
    }
    // The same name in Python, which may be read first.
    let code = "import _thread, ctypes, threading, time
libc = ctypes.CDLL(None)
def brief(name): libc.prctl(15, name.encode(), 0, 0, 0)
for n in range(20):
    name = 'brief-%d' % n
    t = threading.Thread(target=brief, args=(name,), name=name)
    t.start(); t.join()
def maker():
    libc.prctl(15, b'maker', 0, 0, 0)
    for _ in range(3): _thread.start_new_thread(time.sleep, (0.4,))
    time.sleep(0.6)
_thread.start_new_thread(maker, ())
time.sleep(0.8)
";
    for python in pythons() {
        let report = watch(&python, code);
        sound(&report);
        let called = |wanted: &dyn Fn(&str) -> bool| {
            lanes(&report).iter().filter(|lane| lane["name"].as_str().is_some_and(wanted)).count()
        };
        if report["python"]["gil_enabled"] == true {
            assert!(called(&|name| name.starts_with("brief-")) >= 18, "{}: {:#}", python.display(), report["lanes"]);
        }
        assert_eq!(called(&|name| name == "maker"), 1, "{}: {:#}", python.display(), report["lanes"]);
        assert_eq!(called(&|name| name.starts_with("thread ")), 3, "{}: {:#}", python.display(), report["lanes"]);
    }
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
    let most = table.split_once("who held the lock while others waited\n").and_then(|(_, rest)| rest.lines().next());
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
fn who_executes_another_program_holds_its_old_lock_no_longer_and_is_alone() {
    let Some(python) = python() else { return };
    for executor in ["run()", "t = threading.Thread(target=run); t.start(); t.join()"] {
        let code = format!(
            "import os, threading, time
def run():
    end = time.monotonic() + 0.3
    while time.monotonic() < end: pass
    os.execv('/bin/sleep', ['sleep', '1.5'])
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
{executor}
"
        );
        let report = watch(&python, &code);
        sound(&report);
        assert_eq!(report["exit_status"], 0, "{report:#}");
        let held: f64 = lanes(&report).iter().map(|lane| state(lane, "running")).sum();
        assert!(held < nanos(&report["elapsed_ns"]) * 0.6, "{executor}: it sleeps as another program: {report:#}");
        if report["observer"]["switch_records_refused"].is_null() {
            let others = lanes(&report).iter().filter(|lane| lane["tid"] != report["pid"]);
            let gone = others.map(|lane| state(lane, "done")).fold(f64::MAX, f64::min);
            assert!(gone > 1e9, "{executor}: the others ended as it executed: {report:#}");
        }
    }
}

#[test]
fn the_lock_of_a_program_that_was_executed_bears_its_name() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let second = folder.path().join("second.py");
    std::fs::write(&second, "import time; time.sleep(0.5)").expect("it can be written");
    let code = format!("import os, sys, time; time.sleep(0.5); os.execv(sys.executable, ['python', {second:?}])");
    let report = watch(&python, &code);
    sound(&report);
    let names: Vec<_> = report["locks"].as_array().into_iter().flatten().map(|lock| &lock["name"]).collect();
    assert_eq!(names, ["GIL", "GIL (second.py)"], "{report:#}");
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
    let (apart, off) = (nanos(&lock["looks_apart_ns"]), nanos(&lock["held_off_ns"]));
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

/// Executes a program that the kernel refuses perf events, as a container's policy does.
const REFUSED: &str = "import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 298), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('<HBBI', *rule) for rule in rules))
class Filter(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
wanted = Filter(len(rules), ctypes.addressof(code))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(wanted), 0, 0):
    sys.exit('no filter')
os.execv(sys.argv[1], sys.argv[1:])
";

/// The report of a program watched where the kernel refuses its records; if that can be set up here.
fn watch_refused(python: &Path, code: &str) -> Option<Value> {
    refused(298, &["watch", "--json", "--python", &python.display().to_string(), "-c", code])
        .map(|output| json(&output))
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

/// Three threads compute in C, each letting the lock go for it, and take it often; short-lived ones come and go. Each prints its
/// time on a core.
const LETS_GO: &str = "import hashlib, os, threading, time, zlib
data = os.urandom(1 << 20)
end = time.monotonic() + 2
def compute(what):
    while time.monotonic() < end:
        what()
        for _ in range(30): os.stat('/')
def brief():
    time.sleep(0.02)
def makes():
    while time.monotonic() < end:
        t = threading.Thread(target=brief, name='brief')
        t.start()
        t.join()
works = [lambda: zlib.compress(data, 1), lambda: hashlib.sha256(data).hexdigest(), lambda: zlib.crc32(data)]
threads = [threading.Thread(target=compute, args=(w,), name='c') for w in works] + [threading.Thread(target=makes)]
for t in threads: t.start()
for t in threads: t.join()
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
            // Each waits for what another has, and on no core.
            assert!(waits <= life - free + 0.1 * life, "{how}: the lock was free for {free} ns: {lane:#}");
            assert!(waits <= life - nanos(&lane["on_cpu_ns"]) + 0.1 * life, "{how}: {lane:#}");
        }
        for lane in lanes(&report).iter().filter(|lane| lane["name"] == "brief") {
            assert!(state(lane, "waiting_gil") < 0.1e9, "{how}: {lane:#}");
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

fn words_as_numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
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
fn each_of_many_short_lived_children_that_execute_python_has_a_lane() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import subprocess, sys
for _ in range(8):
    children = [subprocess.Popen([sys.executable, '-S', '-E', '-c', 'pass']) for _ in range(10)]
    for child in children: child.wait()
";
    let report = watch(&python, code);
    let processes: std::collections::BTreeSet<u64> =
        lanes(&report).iter().filter_map(|lane| lane["pid"].as_u64()).collect();
    // On a machine that lets us wait for so long that records are lost nobody tells of some births.
    assert!(processes.len() == 81 || report["observer"]["records_lost"] != 0, "{}: {report:#}", processes.len());
    for lane in lanes(&report) {
        assert!(lane["end"].is_string(), "{lane:#}");
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
fn who_is_ended_by_a_signal_leaves_with_128_and_its_number() {
    use rustix::process::Signal;
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = "import time\nprint('on', flush=True)\ntime.sleep(60)";
    let mut program = Command::new(&python).args(["-c", code]).stdin(Stdio::null()).spawn().expect("it starts");
    let pid = program.id().to_string();
    std::thread::sleep(Duration::from_millis(300));
    for (number, by) in [(130, Signal::INT), (143, Signal::TERM), (129, Signal::HUP)] {
        for args in [vec!["attach", "--json", &pid], vec!["watch", "--json", "--python", &path, "-c", code]] {
            let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"))
                .args(&args)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .expect("it starts");
            std::thread::sleep(Duration::from_millis(700));
            signal(gilscope.id(), by);
            assert_eq!(gilscope.wait().expect("it is our child").code(), Some(number), "{args:?}");
        }
    }
    assert_eq!(program.try_wait().expect("it is our child"), None, "it was left running");
    program.kill().and_then(|()| program.wait()).expect("it is our child");
}

#[test]
fn children_have_locks_and_lanes_of_their_own() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import os, subprocess, time
subprocess.run(['true'])
for _ in range(2):
    if os.fork() == 0:
        end = time.monotonic() + 0.5
        while time.monotonic() < end: pass
        os._exit(0)
os.wait(); os.wait()
";
    let report = watch(&python, code);
    sound(&report);
    assert_eq!(report["locks"].as_array().map(Vec::len), Some(3), "{:#}", report["locks"]);
    for process in ["process 2", "process 3"] {
        let lane = named(&report, process);
        assert_ne!(lane["pid"], report["pid"]);
        assert!(share(lane, &["running", "waiting_core"]) > 0.5, "{lane:#}");
    }
}

#[test]
fn children_that_end_before_anybody_has_looked_have_lanes_all_the_same() {
    // Each ends at once or after a moment; every fifth makes one, too. Of one that executes something else nothing is shown.
    let code = "import os, subprocess, time
for number in range(40):
    if os.fork() == 0:
        if number % 5 == 0:
            if os.fork() == 0: os._exit(0)
            os.wait()
        elif number % 2:
            time.sleep(0.001)
        os._exit(0)
    os.wait()
    if number % 10 == 0: subprocess.run(['true'])
";
    for python in pythons() {
        if !exactly() {
            return;
        }
        let report = watch(&python, code);
        sound(&report);
        let name = python.display();
        if report["observer"]["records_lost"] != 0 {
            eprintln!("{name}: skipped: the kernel dropped records");
            continue;
        }
        let all = lanes(&report);
        assert_eq!(all.len(), 1 + 40 + 8, "{name}: {:#}", report["observer"]);
        let (main, children) = (&all[0], &all[1..]);
        for lane in children {
            // Of one that ended before a descriptor of it could be had nobody tells with which status.
            let end = lane["end"].as_str().unwrap_or_default();
            assert!(end == "done" || end == "ended (with which status its parent alone is told)", "{name}: {lane:#}");
            let life = nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
            assert!(life > 0.0 && nanos(&lane["on_cpu_ns"]) > 0.0, "{name}: it lived, and on a core: {lane:#}");
            assert!(nanos(&lane["on_cpu_ns"]) <= life + 1e6, "{name}: no longer than it lived: {lane:#}");
        }
        assert_eq!(children.iter().filter(|lane| lane["parent"] == main["id"]).count(), 40, "{name}");
        assert_eq!(report["observer"]["ended_unseen"], 0, "{name}");
    }
}

#[test]
fn what_a_child_does_is_known_that_fails_to_execute_a_program() {
    let code = "import os, subprocess, time
time.sleep(0.2)
for number in range(20):
    if number % 2:
        if os.fork() == 0:
            try: os.execv('/no/such/program', ['x'])
            except OSError: pass
            os._exit(127)
        os.wait()
    else:
        try: subprocess.run(['/no/such/program'], close_fds=False)
        except OSError: pass
    time.sleep(0.02)
";
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, code);
    sound(&report);
    if report["observer"]["records_lost"] != 0 {
        eprintln!("skipped: the kernel dropped records");
        return;
    }
    let children = &lanes(&report)[1..];
    let lived = |lane: &Value| nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
    let known = |lane: &&Value| state(lane, "unknown") * 2.0 < lived(lane);
    assert!(children.iter().filter(known).count() * 4 >= children.len() * 3, "{children:#?}");
    assert!(children.iter().filter(|lane| state(lane, "running") > 0.0).count() >= 6, "the forked: {children:#?}");
    assert!(children.iter().filter(|lane| state(lane, "running") == 0.0).count() >= 6, "the others: {children:#?}");
}

#[test]
fn children_are_followed_where_no_records_tell_of_their_births() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = "import os, time
def life():
    end = time.monotonic() + 0.8
    while time.monotonic() < end: pass
    os._exit(0)
if os.fork() == 0:
    if os.fork() == 0: life()
    life()
os.wait()
time.sleep(0.3)
";
    let Some(output) = refused(298, &["watch", "--json", "--python", &path, "-c", code]) else { return };
    let report = json(&output);
    sound(&report);
    assert_eq!(report["locks"].as_array().map(Vec::len), Some(3), "{:#}", report["locks"]);
    let [first, child, grandchild] = ["main", "process 2", "process 3"].map(|name| named(&report, name));
    for (lane, parent) in [(child, first), (grandchild, child)] {
        assert_eq!(lane["parent"], parent["id"], "{lane:#}");
        assert_eq!(lane["end"], "done", "{lane:#}");
        assert!(share(lane, &["running"]) > 0.5, "{lane:#}");
    }
}

#[test]
fn where_no_records_tell_of_births_short_children_are_looked_for_and_it_is_said_that_some_may_be_missed() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let run =
        |code: &str| refused(298, &["watch", "--json", "--python", &path, "-c", code]).map(|output| json(&output));
    let said = |report: &Value| report["observer"]["alarms"].to_string().contains("may have been missed");
    let code = "import os, time
time.sleep(0.1)
for _ in range(20):
    if os.fork() == 0:
        end = time.monotonic() + 0.015
        while time.monotonic() < end: pass
        os._exit(0)
    os.wait()
    time.sleep(0.01)
";
    let Some(report) = run(code) else { return };
    sound(&report);
    assert!(said(&report), "{:#}", report["observer"]);
    assert!(lanes(&report).len() > 1 + 10, "most of them are seen: {:#}", report["lanes"]);
    let alone = run("import time\ntime.sleep(0.5)").expect("it was refused before");
    assert!(!said(&alone), "{:#}", alone["observer"]);
}

#[test]
fn a_child_that_executes_another_program_has_no_lock_before_it_does() {
    for python in pythons() {
        if !exactly() {
            return;
        }
        let report =
            watch(&python, "import subprocess\nfor _ in range(10): subprocess.run(['true'], close_fds=True)\n");
        sound(&report);
        assert_eq!(lanes(&report).len(), 1, "{}: {:#}", python.display(), report["lanes"]);
        assert!(report["locks"].as_array().is_some_and(|locks| locks.len() <= 1), "{:#}", report["locks"]);
    }
}

#[test]
fn an_interpreter_that_is_being_set_up_is_starting() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code =
        "import subprocess, sys\nfor _ in range(4): subprocess.run([sys.executable, '-c', 'sum(range(10**6))'])\n";
    let report = watch(&python, code);
    sound(&report);
    assert_eq!(lanes(&report).len(), 5, "{:#}", report["lanes"]);
    // On a busy machine one or the other may take longer than we wait for it to turn out to be Python. From when it has set
    // itself up until we have looked it is unknown, a few milliseconds.
    let lived = |lane: &Value| nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
    let seen = |lane: &&Value| state(lane, "starting") > 1e6 && state(lane, "unknown") * 3.0 < lived(lane);
    assert!(lanes(&report).iter().filter(seen).count() >= 3, "{:#}", report["lanes"]);
    assert!(lanes(&report).iter().all(|lane| state(lane, "running") > 0.0), "{:#}", report["lanes"]);
}

/// Interpreters with locks of their own, each run by a thread; how many is said first.
const SUBINTERPRETERS: &str = "import sys, threading
code = '''
import time
def burn(end):
    while time.monotonic() < end: pass
burn(time.monotonic() + 0.8)
'''
if sys.version_info >= (3, 13):
    import _interpreters as it
    make, run = lambda: it.create('isolated'), it.exec
else:
    import _xxsubinterpreters as it
    make, run = lambda: it.create(isolated=True), it.run_string
ids = [make() for _ in range(COUNT)]
threads = [threading.Thread(target=run, args=(id, code)) for id in ids]
for thread in threads: thread.start()
for thread in threads: thread.join()
for id in ids: it.destroy(id)
";

/// By which lanes the lock was held in a function.
fn held_in(report: &Value, function: &str) -> Vec<u64> {
    let rows = report["held_in"].as_array().expect("it is a list").iter();
    let lanes =
        rows.filter(|row| row["function"] == function).flat_map(|row| row["lanes"].as_array().into_iter().flatten());
    lanes.filter_map(|it| it["lane"].as_u64()).collect()
}

fn main_lane(report: &Value) -> u64 {
    named(report, "main")["id"].as_u64().expect("it has a number")
}

#[test]
fn isolated_subinterpreters_have_locks_of_their_own_and_the_fifth_lock_is_sampled() {
    for python in pythons() {
        let asked =
            "import sys; sys.exit(sys.version_info < (3, 12) or not getattr(sys, '_is_gil_enabled', lambda: True)())";
        let enough = Command::new(&python).args(["-c", asked]).status();
        if !exactly() || !enough.is_ok_and(|status| status.success()) {
            continue;
        }
        for count in [2, 4] {
            let report = watch(&python, &format!("COUNT = {count}\n{SUBINTERPRETERS}"));
            sound(&report);
            let locks = report["locks"].as_array().expect("it is a list");
            assert_eq!(locks.len(), count + 1, "{}: {locks:#?}", python.display());
            assert!(locks.iter().any(|lock| lock["name"] == "GIL of interpreter 1"), "{locks:#?}");
            // Each thread needs, and holds while it computes, the lock of its own interpreter.
            let mut own: Vec<u64> = lanes(&report).iter().filter_map(|lane| lane["lock"].as_u64()).collect();
            own.sort_unstable();
            own.dedup();
            // Before 3.13 a holder's name may be its maker's. Who took a lock before it was watched (or the fifth, which is
            // not) and keeps it is then not known, and that is what is said.
            let names_are_vague = python.to_string_lossy().contains("3.12");
            assert!(names_are_vague || own.len() == count + 1 || count == 4 && own.len() == 4, "{:#}", report["lanes"]);
            // Where they burn is told of those who do, and not of their makers.
            let burns: Vec<u64> = held_in(&report, "burn");
            assert!(burns.iter().all(|lane| *lane != main_lane(&report)), "{}: {report:#}", python.display());
            assert!(names_are_vague || burns.len() >= 2, "{}: {report:#}", python.display());
            let observer = &report["observer"];
            if count == 2 {
                assert_eq!(observer["engine"], "exact", "{observer}");
                for lane in lanes(&report).iter().filter(|lane| lane["name"] != "main") {
                    let known = share_of_life(lane, &["running", "waiting_core"]);
                    let unknown = share_of_life(lane, &["unknown", "sleeping"]);
                    assert!(share_of_life(lane, &["native"]) < 0.2, "{}: {lane:#}", python.display());
                    assert!(known + unknown > 0.6, "{}: {lane:#}", python.display());
                    assert!(known > 0.6 || names_are_vague, "{}: {lane:#}", python.display());
                }
            } else {
                assert!(observer["reason"].as_str().is_some_and(|why| why.contains("a fifth")), "{observer}");
            }
        }
    }
}

#[test]
fn each_worker_of_a_pool_of_interpreters_has_a_lock_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let module =
        "import time\ndef burn(span):\n    end = time.monotonic() + span\n    while time.monotonic() < end: pass\n";
    std::fs::write(folder.path().join("gilscope_pool.py"), module).expect("it can be written");
    let code = "from concurrent.futures import InterpreterPoolExecutor
from gilscope_pool import burn
if __name__ == '__main__':
    with InterpreterPoolExecutor(2) as pool:
        list(pool.map(burn, [0.8] * 2))
";
    let mut asked = false;
    for python in pythons() {
        let able =
            "import sys; from concurrent.futures import InterpreterPoolExecutor; sys.exit(not sys._is_gil_enabled())";
        let able = Command::new(&python).args(["-c", able]).stderr(Stdio::null()).status();
        if !exactly() || !able.is_ok_and(|status| status.success()) {
            continue;
        }
        asked = true;
        let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
            .args(["watch", "--json", "--python", &python.display().to_string(), "-c", code])
            .env("PYTHONPATH", folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let report = json(&output);
        sound(&report);
        assert_eq!(report["exit_status"], 0, "{report:#}");
        let name = python.display();
        let locks = report["locks"].as_array().expect("it is a list");
        assert_eq!(locks.len(), 3, "{name}: one of the main interpreter, one of each worker: {locks:#?}");
        let burns = held_in(&report, "burn");
        assert_eq!(burns.len(), 2, "{name}: {report:#}");
        let rows = report["held_in"].as_array().into_iter().flatten();
        let burns_of =
            rows.filter(|row| row["function"] == "burn").flat_map(|row| row["lanes"].as_array().into_iter().flatten());
        let held: Vec<f64> = burns_of.map(|it| nanos(&it["held"])).collect();
        // Both for as long as they lived, whichever is looked at first.
        assert!(held[0] < 5.0 * held[1] && held[1] < 5.0 * held[0], "{name}: {:#}", report["held_in"]);
        let mut own = std::collections::BTreeSet::from([named(&report, "main")["lock"].as_u64()]);
        for lane in lanes(&report).iter().filter(|lane| lane["id"].as_u64().is_some_and(|id| burns.contains(&id))) {
            assert!(own.insert(lane["lock"].as_u64()), "{name}: each has its own: {:#}", report["lanes"]);
            // Neither waits for the other; cores they may lack.
            assert!(share(lane, &["waiting_gil"]) < 0.2, "{name}: {lane:#}");
            assert!(share_of_life(lane, &["running", "waiting_core"]) > 0.3, "{name}: {lane:#}");
        }
        assert_eq!(own.len(), 3, "{name}: {:#}", report["lanes"]);
    }
    if !asked {
        eprintln!("skipped: no CPython 3.14 or later with a GIL found, or no watchpoints");
    }
}

#[test]
fn how_each_child_ended_is_told() {
    let code = "import os, signal, sys, threading, time
def spin(span):
    end = time.monotonic() + span
    while time.monotonic() < end: pass
def killed():
    threading.Thread(target=spin, args=(9,)).start()
    spin(9)
ways = [killed, os.abort, lambda: os._exit(3), lambda: os._exit(0)]
children = []
for way in ways:
    child = os.fork()
    if child == 0:
        spin(0.3)
        way()
    children.append(child)
time.sleep(0.8)
os.kill(children[0], signal.SIGKILL)
for child in children: os.waitpid(child, 0)
print(*children)
";
    let unknown = "ended (with which status its parent alone is told)";
    for python in pythons() {
        let report = watch(&python, code);
        sound(&report);
        let output = report["output"].as_str().unwrap_or_default();
        let children: Vec<u64> = output.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        let ends = |pid: u64| -> Vec<&str> {
            let of_child = lanes(&report).iter().filter(|lane| lane["pid"] == pid);
            of_child.filter_map(|lane| lane["end"].as_str()).collect()
        };
        let expected = ["killed by SIGKILL", "killed by SIGABRT", "ended with status 3", "done"];
        assert_eq!(children.len(), expected.len(), "{output}");
        for (child, expected) in children.into_iter().zip(expected) {
            let ends = ends(child);
            // Before Linux 6.15 nobody tells once the parent has asked.
            let is_true = |end: &&str| *end == expected || *end == unknown;
            assert!(!ends.is_empty() && ends.iter().all(is_true), "{}: {ends:?}: {report:#}", python.display());
            if kernel_is_at_least(6, 15) {
                assert_eq!(ends[0], expected, "{}: {report:#}", python.display());
            }
        }
    }
}

/// Whether the kernel is of this version or later.
fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let numbers: Vec<u32> = release.split(['.', '-']).take(2).filter_map(|part| part.parse().ok()).collect();
    numbers >= vec![major, minor]
}

#[test]
fn a_gil_that_comes_back_is_an_alarm() {
    let Some(python) = free_threaded().into_iter().next() else { return };
    let spin = "import time
end = time.monotonic() + 0.5
while time.monotonic() < end: pass
";
    let report = watch(&python, spin);
    sound(&report);
    assert!(report["locks"].as_array().is_some_and(Vec::is_empty), "{report:#}");
    assert_eq!(
        (&report["observer"]["engine"], &report["observer"]["alarms"]),
        (&"no_lock".into(), &Value::Array(vec![]))
    );
    assert!(share(named(&report, "main"), &["running", "waiting_core"]) > 0.5, "{report:#}");
    let report = watch(&python, SPIN);
    let spinners: Vec<_> = lanes(&report).iter().filter(|lane| lane["name"] != "main").collect();
    assert_eq!(spinners.len(), 2);
    assert!(spinners.iter().all(|lane| share(lane, &["running", "waiting_core"]) > 0.5), "{report:#}");

    // While a module is imported the GIL is counted as asked for, until it has said that it can do without.
    let imports = "import importlib.util, sys, time
spec = importlib.util.find_spec('_json')
end = time.monotonic() + 1
while spec.origin.endswith('.so') and time.monotonic() < end:
    sys.modules.pop('_json', None)
    importlib.util.module_from_spec(spec)
assert not sys._is_gil_enabled()
";
    let report = watch(&python, imports);
    assert_eq!(report["exit_status"], 0, "{report:#}");
    assert_eq!(report["observer"]["alarms"], Value::Array(vec![]), "{report:#}");
    assert_eq!((&report["observer"]["engine"], &report["python"]["gil_enabled"]), (&"no_lock".into(), &false.into()));

    // A module that does not say that it can do without.
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("needs_gil.c");
    let module = "#include <Python.h>
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, \"needs_gil\", 0, -1, 0};
PyMODINIT_FUNC PyInit_needs_gil(void) { return PyModule_Create(&def); }
";
    std::fs::write(&source, module).unwrap();
    let asked =
        Command::new(&python).args(["-c", "import sysconfig; print(sysconfig.get_paths()['include'])"]).output();
    let include = String::from_utf8(asked.unwrap().stdout).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-I", include.trim(), "-o"]);
    let made = cc.arg(folder.path().join("needs_gil.so")).arg(&source).output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: no C compiler, or no headers of the free-threaded CPython");
        return;
    }
    let path = format!("import sys; sys.path.insert(0, {:?})", folder.path());
    let report = watch(&python, &format!("{spin}{path}\nimport needs_gil\n{}", &spin["import time\n".len()..]));
    sound(&report);
    let alarm = &report["observer"]["alarms"][0]["text"];
    assert!(alarm.as_str().is_some_and(|text| text.contains("the GIL came back")), "{report:#}");
    assert_eq!(report["python"]["gil_enabled"], true);
    assert_eq!(report["locks"].as_array().map(Vec::len), Some(1));
}

/// The free-threaded interpreters among them.
fn free_threaded() -> Vec<PathBuf> {
    let free = |path: &PathBuf| {
        let script = "import sys; sys.exit(getattr(sys, '_is_gil_enabled', lambda: True)())";
        Command::new(path).args(["-c", script]).status().is_ok_and(|status| status.success())
    };
    let found: Vec<PathBuf> = pythons().into_iter().filter(free).collect();
    if found.is_empty() {
        eprintln!("skipped: no free-threaded CPython found");
    }
    found
}

/// Collects garbage, which stops the world, beside two threads that compute.
const COLLECT: &str = "import gc, threading, time
end = time.monotonic() + 1.2
junk = [[i] for i in range(200000)]
def spin():
    while time.monotonic() < end: pass
def collect():
    for _ in range(20):
        gc.collect(); time.sleep(0.01)
threads = [threading.Thread(target=target) for target in (spin, spin, collect)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";

#[test]
fn a_world_that_is_stopped_is_a_lane_that_says_who_stopped_it_and_whom_that_kept_waiting() {
    for python in free_threaded() {
        let report = watch(&python, COLLECT);
        sound(&report);
        assert_eq!(report["locks"], Value::Array(vec![]), "a stopped world is no GIL");
        assert_eq!(report["blame"], Value::Array(vec![]));
        assert_eq!(report["observer"]["engine"], "no_lock");
        let worlds = report["stop_the_world"].as_array().expect("it is a list");
        let Some(world) = worlds.first() else {
            assert!(!report["python"]["version"].as_str().is_some_and(|it| it.starts_with("3.13")), "{report:#}");
            eprintln!("skipped: where {} keeps its world is not known", python.display());
            continue;
        };
        assert_eq!(worlds.len(), 1);
        if !exactly() {
            continue;
        }
        assert_eq!(report["observer"]["missed"], 0, "{:#}", report["observer"]);
        assert!(nanos(&world["stops"]) >= 20.0, "each collection stops it: {world:#}");
        let (stopped, elapsed) = (nanos(&world["stopped_ns"]), nanos(&report["elapsed_ns"]));
        assert!(stopped > 0.0 && stopped < elapsed, "for moments: {world:#}");
        let by = world["by"].as_array().expect("it is a list");
        let sum: f64 = by.iter().map(|by| nanos(&by["ns"])).sum();
        assert!((sum - stopped).abs() <= 1e-9 * stopped, "somebody did: {world:#}");
        // Those that compute are stopped by it, and never by a GIL that is not there.
        assert!(lanes(&report).iter().all(|lane| state(lane, "waiting_gil") == 0.0), "{report:#}");
        let waited: f64 = lanes(&report).iter().map(|lane| state(lane, "waiting_world")).sum();
        assert!(waited > stopped * 0.2, "{waited} of {stopped}: {report:#}");
    }
}

#[test]
fn each_subinterpreter_stops_a_world_of_its_own() {
    // 3.13 has the module and no promise to keep it so.
    let code = "import gc, threading, time, _interpreters
def run(script):
    it = _interpreters.create()
    _interpreters.run_string(it, script)
    _interpreters.destroy(it)
collect = 'import gc, time\\njunk = [[i] for i in range(50000)]\\nfor _ in range(30): gc.collect(); time.sleep(0.01)\\n'
rest = 'import time\\ntime.sleep(0.5)\\n'
for script in (collect, rest):
    thread = threading.Thread(target=run, args=(script,))
    thread.start()
    thread.join()
";
    for python in free_threaded().into_iter().filter(|_| exactly()) {
        let report = watch(&python, code);
        sound(&report);
        let worlds = report["stop_the_world"].as_array().expect("it is a list");
        if worlds.is_empty() {
            eprintln!("skipped: where {} keeps its world is not known", python.display());
            continue;
        }
        let names: Vec<&str> = worlds.iter().filter_map(|world| world["name"].as_str()).collect();
        let expected = ["stop-the-world", "stop-the-world of interpreter 1", "stop-the-world of interpreter 2"];
        assert_eq!(names, expected, "{report:#}");
        let stops = |index: usize| nanos(&worlds[index]["stops"]);
        // Either stops it some times when it begins and ends.
        assert!(stops(1) >= stops(2) + 30.0, "the first collects, the second does not: {worlds:#?}");
        // One had the register after the other.
        let sampled = |index: usize| {
            let locks = report["observer"]["locks"].as_array().expect("it is a list").iter();
            locks.filter(|lock| lock["lock"] == worlds[index]["id"]).map(|lock| nanos(&lock["sampled_ns"])).sum::<f64>()
        };
        assert_eq!((sampled(1), sampled(2)), (0.0, 0.0), "{:#}", report["observer"]);
        assert_eq!(report["observer"]["missed"], 0, "{:#}", report["observer"]);
    }
}

#[test]
fn without_a_lock_it_is_told_in_which_functions_threads_run() {
    let code = "import threading, time
end = time.monotonic() + 2
def long():
    for i in range(300000): pass
def short():
    for i in range(100000): pass
def work():
    while time.monotonic() < end:
        long(); short()
def rest(): time.sleep(2)
threads = [threading.Thread(target=it, name=it.__name__) for it in (work, work, rest)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    for python in free_threaded() {
        let report = watch(&python, code);
        sound(&report);
        assert_eq!(report["held_in"], Value::Array(vec![]), "nobody holds anything");
        let rows = report["ran_in"].as_array().expect("it is a list");
        let sum = |of: fn(&Value) -> f64, name: &str| -> f64 {
            rows.iter().filter(|row| row["function"] == name).map(of).sum()
        };
        let (long, short) = (sum(|row| nanos(&row["ran"]), "long"), sum(|row| nanos(&row["ran"]), "short"));
        // Each look is at one of them, and some are at neither.
        assert!(long + short > 0.7 && long + short < 1.0 + 1e-6, "{rows:#?}");
        assert!((0.6..0.9).contains(&(long / (long + short))), "three to one: {rows:#?}");
        // Both threads have their turn.
        let parts = || rows.iter().flat_map(|row| row["lanes"].as_array().into_iter().flatten());
        let lanes_of =
            |lane: &Value| parts().filter(|it| it["lane"] == *lane).map(|it| nanos(&it["looks"])).sum::<f64>();
        for lane in lanes(&report).iter().filter(|lane| lane["name"] == "work") {
            let looks = lanes_of(&lane["id"]);
            assert!(looks >= 20.0, "{looks}: {rows:#?}");
        }
        let rests = lanes_of(&named(&report, "rest")["id"]);
        assert!(rests <= 2.0, "who sleeps runs nowhere: {rows:#?}");
        let lines = |row: &&Value| row["function"] == "long" && !row["line"].is_null();
        assert!(rows.iter().filter(lines).all(|row| [3, 4].map(Value::from).contains(&row["line"])), "{rows:#?}");
    }
}

#[test]
fn without_a_lock_who_runs_python_in_a_subinterpreter_runs_and_is_no_native_code() {
    let body = "import time\\ndef f():\\n e = time.perf_counter() + 1.5\\n while time.perf_counter() < e: pass\\nf()";
    let code = format!(
        "import threading
try: import _interpreters as it
except ImportError: raise SystemExit(3)
def run(): it.exec(it.create('isolated'), '{body}')
t = threading.Thread(target=run, name='inside'); t.start(); t.join()
"
    );
    for python in free_threaded() {
        let report = watch(&python, &code);
        if report["exit_status"] == 3 {
            continue;
        }
        sound(&report);
        let inside = named(&report, "inside");
        let (runs, native) = (state(inside, "running"), state(inside, "native"));
        assert!(runs > 5.0 * native && runs > 0.0, "{}: {inside:#}", python.display());
    }
}

#[test]
fn without_a_lock_a_thread_that_runs_code_in_a_subinterpreter_is_seen_there() {
    for python in free_threaded() {
        let report = watch(&python, &format!("COUNT = 2\n{SUBINTERPRETERS}"));
        sound(&report);
        let rows = report["ran_in"].as_array().expect("it is a list");
        let burn = rows.iter().find(|row| row["function"] == "burn").unwrap_or_else(|| panic!("{rows:#?}"));
        assert!(nanos(&burn["ran"]) > 0.5 && burn["lane_count"] == 2, "{burn:#}");
        for lane in lanes(&report).iter().filter(|lane| lane["name"] != "main") {
            // One is attached there and not in the main interpreter, of which it has a state, too.
            assert!(share_of_life(lane, &["native"]) < 0.2, "{lane:#}");
        }
    }
}

#[test]
fn what_a_parked_thread_waits_for_is_told() {
    let code = "import threading, time
end = time.monotonic() + 1.5
shared, lock = dict.fromkeys(range(500000)), threading.Lock()
def copy():
    while time.monotonic() < end: shared.copy()
def locked():
    while time.monotonic() < end:
        with lock:
            until = time.monotonic() + 0.02
            while time.monotonic() < until: pass
threads = [threading.Thread(target=target) for target in (copy, copy, locked, locked)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    for python in free_threaded() {
        let report = watch(&python, code);
        sound(&report);
        let seen = |what: &str, lane: &Value| nanos(&lane["waited_for"][what]["ns"]);
        let all = |what: &str| lanes(&report).iter().map(|lane| seen(what, lane)).sum::<f64>();
        assert!(all("the lock of a dict object") > 0.0, "{:#}", report["lanes"]);
        assert!(all("a threading.Lock") > 0.0, "{:#}", report["lanes"]);
        let main = named(&report, "main")["waited_for"].as_object().expect("it waits for the others");
        assert!(main.keys().any(|what| what.starts_with("the end of ")), "{main:?}");
        for lane in lanes(&report) {
            let locks = seen("the lock of a dict object", lane) + seen("a threading.Lock", lane);
            assert!(locks <= state(lane, "waiting_lock") * 1.001 + 1e6, "no more than it slept in locks: {lane:#}");
        }
    }
}

#[test]
fn a_gil_that_is_on_in_a_free_threaded_build_is_followed_beside_its_world() {
    for python in free_threaded().into_iter().filter(|_| exactly()) {
        let path = python.display().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
            .args(["watch", "--json", "--python", &path, "-c", COLLECT])
            .env("PYTHON_GIL", "1")
            .output()
            .expect("the program runs");
        let report = json(&output);
        sound(&report);
        assert_eq!(report["observer"]["engine"], "exact", "{:#}", report["observer"]);
        assert_eq!(
            (report["locks"].as_array().map(Vec::len), &report["python"]["gil_enabled"]),
            (Some(1), &true.into())
        );
        assert!(nanos(&report["locks"][0]["handoffs"]) > 10.0, "{report:#}");
        let kinds: Vec<_> =
            report["observer"]["locks"].as_array().into_iter().flatten().map(|it| &it["kind"]).collect();
        assert!(kinds.contains(&&Value::from("gil")), "{kinds:?}");
        if let Some(world) = report["stop_the_world"].get(0) {
            assert!(nanos(&world["stops"]) >= 20.0, "{world:#}");
        }
    }
}

#[test]
fn what_the_program_prints_and_how_it_ends_is_passed_on() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let run = |code: &str| gilscope(&["watch", "--json", "--python", &python, "-c", code]);
    let output = run("import sys; print('\\x1b[31mred'); sys.exit(7)");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(json(&output)["output"], "\u{1b}[31mred\n");
    let output = run("import os; os.kill(os.getpid(), 9)");
    assert_eq!(output.status.code(), Some(128 + 9));
    assert!(lanes(&json(&output)).iter().all(|lane| lane["end"] == "killed by SIGKILL"));
    let output = run("import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)");
    assert_eq!(output.status.code(), Some(128 + 2));
    for signal in [7, 11, 13] {
        let output =
            run(&format!("import os, signal; signal.signal({signal}, signal.SIG_DFL); os.kill(os.getpid(), {signal})"));
        assert_eq!(output.status.code(), Some(128 + signal), "Rust's runtime has a handler of its own for it");
    }
    let output = run("print('x' * (3 << 20))");
    assert!(json(&output)["output"].as_str().is_some_and(|text| text.len() == 1 << 20));
    let output = run("import sys; def");
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["output"].as_str().is_some_and(|text| text.contains("SyntaxError")));
    let output = gilscope(&["watch", "--python", &python, "-c", "print('to the terminal')"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("to the terminal\n"));
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(python: &Path, code: &str) -> Running {
    let child = Command::new(python).args(["-c", code]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = Running(child.expect("it starts"));
    let mut line = [0; 3];
    let out = child.0.stdout.as_mut().expect("it is piped");
    std::io::Read::read_exact(out, &mut line).expect("it says that it is there");
    child
}

#[test]
fn one_that_runs_is_attached_to_and_left_as_it_was() {
    for python in pythons() {
        let mut running = start(&python, "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.01)");
        // What wraps an interpreter may have another number.
        let pid = running.0.id().to_string();
        let output = gilscope(&["attach", &pid, "--for", "700ms", "--json"]);
        let report = json(&output);
        sound(&report);
        assert_eq!((output.status.code(), &report["end"]), (Some(0), &Value::from("stopped")), "{}", python.display());
        assert!(share(named(&report, "main"), &["io"]) > 0.2, "{report:#}");
        for lock in report["observer"]["locks"].as_array().into_iter().flatten().filter(|lock| lock["kind"] == "gil") {
            // What CPython counts is compared with what was seen up to the end.
            let observed = nanos(&lock["exact_ns"]) + nanos(&lock["sampled_ns"]);
            assert!(nanos(&lock["counted_ns"]) > observed - 0.1e9, "{}: {lock}", python.display());
        }
        assert!(running.0.try_wait().expect("it is ours").is_none(), "it goes on");
    }
}

#[test]
fn the_number_of_a_thread_stands_for_its_process() {
    let Some(python) = python() else { return };
    let code = "import threading, time
t = threading.Thread(target=time.sleep, args=(60,), daemon=True)
t.start()
print(t.native_id, flush=True)
time.sleep(60)";
    let mut running = Command::new(&python)
        .args(["-c", code])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    let mut out = std::io::BufReader::new(running.stdout.take().expect("it is piped"));
    std::io::BufRead::read_line(&mut out, &mut said).expect("it says so");
    let output = gilscope(&["attach", said.trim(), "--for", "300ms", "--json"]);
    let pid = running.id();
    running.kill().and_then(|()| running.wait()).expect("it ends");
    let report = json(&output);
    sound(&report);
    assert_eq!(named(&report, "main")["tid"], pid, "{report:#}");
    assert_eq!(lanes(&report).len(), 2, "{report:#}");
}

#[test]
fn where_threads_are_born_without_a_pause_it_is_said_that_recording_it_slows_them() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import threading, time
end = time.monotonic() + 1.5
while time.monotonic() < end:
    t = threading.Thread(target=int)
    t.start()
    t.join()
";
    let report = watch(&python, code);
    let alarms = report["observer"]["alarms"].to_string();
    assert!(alarms.contains("are born a second"), "{}", report["observer"]);
}

/// The processes that one has made.
fn children(of: u32) -> Vec<u32> {
    let said = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    said.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// A container's processes have numbers of their own, which are what its threads and locks call them.
#[test]
fn one_in_a_container_is_attached_to_from_outside_with_all_its_threads() {
    let container = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !Command::new("unshare").args(container).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no container can be made here");
        return;
    }
    let code = "import threading
def busy():
    while True: pass
for i in range(2): threading.Thread(target=busy, daemon=True).start()
print('up', flush=True)
threading.Event().wait()";
    for python in pythons() {
        if std::fs::read(&python).is_ok_and(|it| it.starts_with(b"#!")) {
            continue; // What wraps an interpreter makes a container of its own.
        }
        let mut running = Running(
            Command::new("unshare")
                .args(container)
                .arg(&python)
                .args(["-c", code])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it could be made a moment ago"),
        );
        let mut line = [0; 3];
        std::io::Read::read_exact(running.0.stdout.as_mut().expect("it is piped"), &mut line).expect("it is there");
        let inside = *children(running.0.id()).first().expect("Python is its child");
        let output = gilscope(&["attach", &inside.to_string(), "--for", "700ms", "--json"]);
        let report = json(&output);
        sound(&report);
        let workers: Vec<&Value> = lanes(&report).iter().filter(|lane| lane["name"] != "main").collect();
        assert_eq!(workers.len(), 2, "{}: {report:#}", python.display());
        let locks = report["locks"].as_array().expect("it is a list");
        let has_gil = report["python"]["gil_enabled"] == true;
        assert_eq!(locks.len(), usize::from(has_gil), "{}: {locks:#?}", python.display());
        assert!(!has_gil || locks[0]["handoffs"].as_u64() > Some(5), "{}: {locks:#?}", python.display());
        for lane in workers {
            assert_eq!(lane["pid"].as_u64(), Some(u64::from(inside)), "by the number it has outside");
            assert!(share(lane, &["running", "waiting_gil", "waiting_core"]) > 0.8, "{}: {lane:#}", python.display());
        }
    }
}

#[test]
fn one_that_ends_while_it_is_observed_ends_the_observing() {
    let Some(python) = python() else { return };
    let running = start(&python, "import time\nprint('up', flush=True)\ntime.sleep(1)");
    let begin = Instant::now();
    let output = gilscope(&["attach", &running.0.id().to_string(), "--json", "--for", "50s"]);
    assert!(begin.elapsed() < Duration::from_secs(40));
    assert_eq!((output.status.code(), &json(&output)["end"]), (Some(0), &Value::from("ended")));
}

#[test]
fn what_cannot_be_observed_is_refused_in_words_that_help() {
    let sleeper = Running(Command::new("sleep").arg("60").spawn().expect("it starts"));
    let pid = sleeper.0.id().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["attach", &pid], "is not Python"),
        (&["attach", "4194000"], "there is no process"),
        (&["attach", "x"], "invalid value"),
        (&["watch"], "gilscope watch SCRIPT.py"),
        (&["watch", "/no/such/script.py"], "there is no such file"),
        (&["watch", "--python", "no-such-python", "-c", "1"], "--python"),
        (&["watch", "--python", "/etc/passwd", "-c", "1"], "no program"),
    ];
    for (args, words) in cases {
        let output = gilscope(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

/// Something that looks like a program and answers like this.
fn stand_in(folder: &Path, name: &str, script: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("they can be set");
    path.display().to_string()
}

#[test]
fn a_program_that_never_becomes_a_python_is_a_failure_in_words_and_a_launcher_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("one.py");
    std::fs::write(&script, "import time\ntime.sleep(0.2)\n").unwrap();
    let script = script.display().to_string();
    let run = |program: &str| gilscope(&["watch", "--json", "--python", program, &script]);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let foreign = run("/bin/ls");
    assert_eq!(foreign.status.code(), Some(125), "{}", said(&foreign));
    assert!(said(&foreign).contains("never was a Python") && said(&foreign).contains("--python"), "{}", said(&foreign));
    assert!(json(&foreign)["python"].is_null());
    // What failed by itself says so by its own status, too.
    let fails = run(&stand_in(folder.path(), "fails", "exit 7"));
    assert_eq!(fails.status.code(), Some(7));
    assert!(said(&fails).contains("never was a Python"), "{}", said(&fails));
    let Some(python) = python() else { return };
    // A launcher that is asked with options it does not know, and becomes a Python or makes one, is none of these.
    let becomes = format!("[ \"$1\" = -I ] && exit 2; [ \"$1\" = -E ] && exit 2\nexec {} \"$@\"", python.display());
    let makes = format!("[ \"$1\" = -I ] && exit 2; [ \"$1\" = -E ] && exit 2\n{} \"$@\"; exit 0", python.display());
    for (name, script) in [("becomes", becomes), ("makes", makes)] {
        let output = run(&stand_in(folder.path(), name, &script));
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""), "{name}");
        assert!(!lanes(&json(&output)).is_empty(), "{name}");
    }
}

/// The interpreters of pyenv whose version begins like this.
fn of_pyenv(version: &str) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let versions = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    let wanted = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with(version));
    wanted.map(|entry| entry.path().join("bin/python")).filter(|path| path.exists()).collect()
}

#[test]
fn a_python_2_or_what_is_no_cpython_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let answers = [
        ("two", "[ \"$1\" = -I ] && exit 2\nprintf 2.7.18", "is Python 2.7.18"),
        ("other", "echo 3.10.13 pypy 0 1", "is pypy 3.10.13, not CPython"),
    ];
    let mut cases: Vec<(String, &str)> =
        answers.iter().map(|(name, script, words)| (stand_in(folder.path(), name, script), *words)).collect();
    cases.extend(of_pyenv("2.7").into_iter().map(|python| (python.display().to_string(), "is Python 2.7")));
    let mark = folder.path().join("ran");
    let code = format!("open({:?}, 'w')", mark);
    for (python, words) in cases {
        let output = gilscope(&["watch", "--python", &python, "-c", &code]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words) && said.contains("CPython 3.9 to 3.15"), "{python}: {said}");
        assert_eq!(output.status.code(), Some(2), "{python}: {said}");
        assert!(!mark.exists(), "{python} ran");
        if python.contains(".pyenv") {
            let running =
                start(Path::new(&python), "import sys, time; print('on'); sys.stdout.flush(); time.sleep(60)");
            std::thread::sleep(Duration::from_millis(300));
            let output = gilscope(&["attach", &running.0.id().to_string(), "--for", "200ms"]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("is Python 2") && said.contains("CPython 3.9 to 3.15"), "{said}");
            assert_eq!(output.status.code(), Some(2), "{python}: {said}");
        }
    }
}

#[test]
fn of_a_python_that_is_older_than_all_we_know_cores_and_threads_are_seen_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("spins.py");
    std::fs::write(&script, SPIN).expect("it can be written");
    let script = script.display().to_string();
    let seen_in_part = |report: &Value, name: &str| {
        sound(report);
        assert_eq!(report["observer"]["engine"], "cores_only", "{name}");
        let alarm = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
        assert!(alarm.contains("Python 3.") && alarm.contains("only its threads and cores"), "{name}: {report:#}");
        assert!(report["locks"].as_array().is_some_and(Vec::is_empty), "{name}: {report:#}");
        assert!(lanes(report).iter().all(|lane| state(lane, "running") == 0.0), "{name}: {report:#}");
    };
    for python in ["3.6", "3.7", "3.8"].iter().flat_map(|version| of_pyenv(version)) {
        let name = python.display().to_string();
        let output = gilscope(&["watch", "--json", "--python", &name, &script]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        let report = json(&output);
        seen_in_part(&report, &name);
        assert!(lanes(&report).len() >= 3, "{name}: {report:#}");

        let running = start(&python, "import time; print('on', flush=True); time.sleep(60)");
        std::thread::sleep(Duration::from_millis(300));
        let pid = running.0.id();
        let output = gilscope(&["attach", &pid.to_string(), "--for", "300ms", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        seen_in_part(&json(&output), &name);
        let listed = json(&gilscope(&["list", "pythons", "--json"]));
        let row = listed.as_array().and_then(|rows| rows.iter().find(|row| row["pid"] == pid)).expect("it is listed");
        let about = row["about"].as_str().unwrap_or_default();
        assert!(row["refused"].is_null() && about.contains("only threads and cores"), "{name}: {row}");

        // What is judged or compared is the lock.
        for (args, words) in [
            (&["check", "--python", &name, &script][..], "threads and cores and not the lock"),
            (&["compare", "sum-squares", "--engine", "cpython", "--python", &name][..], "written for CPython 3.9"),
        ] {
            let output = gilscope(args);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(words) && said.contains(" 3."), "{args:?}: {said}");
            assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        }
    }
}

#[test]
fn of_a_python_that_is_newer_than_all_we_know_cores_and_threads_are_seen_and_it_is_said() {
    // The number by which its runtime tells its version, changed in a copy of it.
    let told = |bytes: &[u8]| {
        let mut windows = bytes.windows(12);
        let at = windows.position(|window| window.starts_with(b"xdebugpy") && window[11] == 3 && window[10] >= 13)?;
        Some(at + 10)
    };
    let folder = tempfile::tempdir().unwrap();
    let copied = |from: &Path, changed: bool| {
        let mut bytes = std::fs::read(from).ok()?;
        if changed {
            let at = told(&bytes)?;
            bytes[at] = 77;
        }
        let copy = folder.path().join(from.file_name()?);
        std::fs::write(&copy, bytes).expect("it can be written");
        std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("they can be set");
        Some(copy)
    };
    // It lies in the interpreter's own file, or in a library of the same installation.
    let found = pythons().into_iter().find_map(|python| {
        let real = std::fs::canonicalize(&python).ok()?;
        let home = real.ancestors().nth(2)?.to_owned();
        let library = std::fs::read_dir(home.join("lib")).ok()?.flatten().map(|entry| entry.path());
        let library = library.into_iter().find(|path| path.to_string_lossy().ends_with(".so.1.0"));
        let own = copied(&real, true);
        let copy = own.or_else(|| copied(&library?, true).and_then(|_| copied(&real, false)))?;
        Some((copy, home))
    });
    let Some((copy, home)) = found else {
        eprintln!("skipped: no CPython from 3.13 on in a folder of its own");
        return;
    };
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["watch", "--json", "--python", &copy.display().to_string(), "-c", SPIN])
        .env("PYTHONHOME", home)
        .env("LD_LIBRARY_PATH", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let report = json(&output);
    sound(&report);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["observer"]["engine"], "cores_only");
    let alarm = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
    assert!(alarm.contains("Python 3.77") && alarm.contains("only its threads and cores"), "{report:#}");
    assert!(lanes(&report).len() >= 3 && report["locks"].as_array().is_some_and(Vec::is_empty), "{report:#}");
    assert!(lanes(&report).iter().all(|lane| state(lane, "running") == 0.0), "nothing is said of a lock: {report:#}");
}

#[test]
fn without_a_number_the_processes_that_could_be_attached_to_are_listed() {
    let Some(python) = python() else { return };
    let running = start(&python, "import time\nprint('up', flush=True)\ntime.sleep(60)");
    let listed = gilscope(&["attach", "--json"]);
    assert_eq!(listed.status.code(), Some(0));
    let rows = json(&listed);
    let pid = u64::from(running.0.id());
    let row = rows.as_array().expect("it is a list").iter().find(|row| row["pid"] == pid).expect("it is in the list");
    assert!(row["refused"].is_null() && row["version"].is_string(), "{row}");
    let table = gilscope(&["attach"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains(&format!("pid {pid}")));
    for args in [["attach", "--for=1s"], ["attach", "--csv"]] {
        let output = gilscope(&args);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("which process"));
    }
}

#[test]
fn where_the_lock_is_held_is_told_with_the_asyncio_task() {
    let code = "import asyncio, time
def burn():
    end = time.monotonic() + 0.02
    while time.monotonic() < end: pass
async def handler():
    while time.monotonic() < END:
        burn()
        await asyncio.sleep(0)
async def main():
    await asyncio.gather(asyncio.create_task(handler(), name='ticker'), handler())
END = time.monotonic() + 1.5
asyncio.run(main())
";
    let mut asked = false;
    for python in pythons() {
        let report = watch(&python, code);
        sound(&report);
        let minor = minor(&report);
        let held = report["held_in"].as_array().expect("it is a list");
        if report["python"]["gil_enabled"] == false {
            assert!(held.is_empty(), "{}: {held:?}", python.display());
            continue;
        }
        let burn = held.iter().find(|row| row["function"] == "burn").unwrap_or_else(|| panic!("{held:?}"));
        let line = burn["line"].as_u64().is_some_and(|line| (3..=4).contains(&line));
        assert!(nanos(&burn["held"]) > 0.5 && line, "{}: {held:#?}", python.display());
        let tasks = burn["tasks"].as_array().expect("it is a list");
        if minor < 14 {
            assert!(tasks.is_empty() && burn["task"].is_null(), "{burn}");
            continue;
        }
        asked = true;
        // Both have their share, whichever was seen last. The second task has no name of its own but a number.
        let part = |is: fn(&str) -> bool| {
            let of = tasks.iter().filter(|it| it["task"].as_str().is_some_and(is));
            of.map(|it| nanos(&it["held"])).sum::<f64>() / nanos(&burn["held"])
        };
        let (ticker, other) = (part(|task| task == "ticker"), part(|task| task.starts_with("Task-")));
        assert!(ticker > 0.2 && other > 0.2 && ticker + other < 1.01, "{burn}");
        // Nothing but tasks runs it: what is missing was seen before it was known where the module has its tasks.
        assert!(ticker + other > 0.85, "{burn}");
    }
    if !asked {
        eprintln!("skipped in part: no CPython 3.14 or later found");
    }
}

#[test]
fn where_each_request_has_a_thread_functions_have_what_they_hold_and_no_thread_is_said_to() {
    let code = "import threading, time
END = time.monotonic() + 3
def long():
    for i in range(150000): pass
def short():
    for i in range(50000): pass
def request():
    long()
    time.sleep(0.002)
    short()
while time.monotonic() < END:
    threads = [threading.Thread(target=request) for _ in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
";
    for python in pythons() {
        let report = watch(&python, code);
        sound(&report);
        let name = python.display();
        if report["python"]["gil_enabled"] == false {
            // There a thread is looked at from a moment after its birth on, which of these is much.
            continue;
        }
        let (rows, share, unseen) = (&report["held_in"], "held", &report["held_in_left_out"]);
        let rows = rows.as_array().expect("it is a list");
        let of = |function: &str| rows.iter().find(|row| row["function"] == function).unwrap_or(&Value::Null);
        let (long, short) = (of("long"), of("short"));
        // All of them together have most of it, though hardly any thread was met; of some looks none is told.
        assert!(unseen.is_null(), "{name}: {unseen:#}");
        let sum: f64 = rows.iter().map(|row| nanos(&row[share])).sum();
        assert!(sum > 0.5 && sum < 1.0 + 1e-6, "{name}: {sum} {rows:#?}");
        assert!(nanos(&long["lane_count"]) >= 3.0, "{name}: {rows:#?}");
        let parts = long["lanes"].as_array().into_iter().flatten();
        assert!(parts.clone().count() > 0 && parts.clone().all(|it| it[share].is_null()), "{name}: {long:#}");
        // Three to one, as far as so few looks tell on a busy machine.
        let of_long = nanos(&long[share]) / (nanos(&long[share]) + nanos(&short[share]));
        assert!((0.55..0.95).contains(&of_long), "{name}: {of_long}");
    }
}

#[test]
fn the_functions_of_a_thread_have_together_its_share_of_the_waiting() {
    let code = "import threading, time
def burn():
    while time.monotonic() < END: pass
def handler():
    end = time.monotonic() + 0.0003
    while time.monotonic() < end: pass
END = time.monotonic() + 2
other = threading.Thread(target=burn)
other.start()
while time.monotonic() < END:
    handler()
    time.sleep(0.0005)
";
    for python in pythons() {
        let report = watch(&python, code);
        sound(&report);
        if report["python"]["gil_enabled"] == false {
            continue;
        }
        let blame = || report["blame"].as_array().into_iter().flatten();
        let all: f64 = blame().map(|it| nanos(&it["ns"])).sum();
        let rows = || report["held_in"].as_array().into_iter().flatten();
        for lane in lanes(&report) {
            let charged: f64 = blame().filter(|it| it["holder"] == lane["id"]).map(|it| nanos(&it["ns"])).sum();
            let parts = rows().flat_map(|row| row["lanes"].as_array().into_iter().flatten());
            let told: f64 = parts.filter(|it| it["lane"] == lane["id"]).map(|it| nanos(&it["waited"])).sum();
            assert!(told < charged / all + 1e-6, "{}: {told} of {}: {lane:#}", python.display(), charged / all);
        }
        // Who holds it nearly always is seen there, and its function has nearly all of the waiting.
        let burn = rows().find(|row| row["function"] == "burn").unwrap_or_else(|| panic!("{report:#}"));
        assert!(nanos(&burn["waited"]) > 0.7 && nanos(&burn["looks"]) > 10.0, "{}: {burn}", python.display());
        assert!(rows().map(|row| nanos(&row["waited"])).sum::<f64>() < 1.0 + 1e-6, "{:#}", report["held_in"]);
    }
}

#[test]
fn who_does_not_want_to_know_the_functions_is_not_told_them() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let held = |more: &[&str]| {
        let args = [&["watch", "--json", "--python", &python], more, &["-c", SPIN]].concat();
        json(&gilscope(&args))["held_in"].as_array().map_or(0, Vec::len)
    };
    assert!(held(&[]) > 0);
    assert_eq!(held(&["--no-functions"]), 0);
}

#[test]
fn a_program_reads_nothing_unless_it_is_handed_our_input() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let run = |input: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gilscope"));
        command.args(["watch", "--json", "--python", &python]).args(input).args(["-c", "print(input())"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        // Who reads nothing may have closed it.
        let _ = std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), b"a line\n");
        child.wait_with_output().expect("it ends")
    };
    assert_eq!(json(&run(&["--input", "terminal"]))["output"], "a line\n");
    let without = run(&[]);
    assert_eq!(without.status.code(), Some(1));
    assert!(json(&without)["output"].as_str().is_some_and(|text| text.contains("EOFError")));
    assert_eq!(json(&without)["last_words"], "EOFError: EOF when reading a line");
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
    let [slept, unseen] = ["sleeping", "unknown"].map(|it| state(main, it) / nanos(&report["elapsed_ns"]));
    assert!(unseen < 0.15, "{main}");
    assert!(slept > 0.0 && slept + state(main, "io") / nanos(&report["elapsed_ns"]) > 0.4, "{main}");
}

#[test]
fn a_program_without_anything_to_run_is_an_interpreter_that_reads_it() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["watch", "--json", "--python", &python, "--input", "terminal"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let _ = std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), b"print(6 * 7)\n");
    assert_eq!(json(&child.wait_with_output().expect("it ends"))["output"], "42\n");
    let refused = gilscope(&["watch", "--json", "--python", &python]);
    assert_eq!(refused.status.code(), Some(2), "without input there is nothing to run");
}

fn is_there(pid: &u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A child that the program leaves behind, in a session of its own, with the program's own output; it prints its number.
const LEAVES_ONE: &str = "import subprocess, sys, time
child = subprocess.Popen(['sleep', '1000'], start_new_session=True)
print(child.pid, flush=True)
time.sleep(float(sys.argv[1]))
";

fn left_by(output: &Output) -> u32 {
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.lines().next().and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("no number: {output:?}"))
}

#[test]
fn where_gilscope_ends_the_program_it_ends_all_of_it_and_says_so() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let args = ["watch", "--no-screen", "--for", "2s", "--python", &python, "-c", LEAVES_ONE, "1000"];
    // Not before the pipe is closed by all who hold it.
    let output = gilscope(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!is_there(&left_by(&output)), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("ended by gilscope after") && !printed.contains("SIGTERM"), "{printed}");

    // Through a shell that waits for it, and interrupted.
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("python-in-a-shell");
    std::fs::write(&wrapper, format!("#!/bin/sh\n'{python}' \"$@\"\necho done\n")).unwrap();
    let mut mode = std::fs::metadata(&wrapper).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&wrapper, mode).unwrap();
    let code = format!("import os\nprint(os.getpid(), flush=True)\n{LEAVES_ONE}");
    let wrapped = wrapper.display().to_string();
    let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["watch", "--no-screen", "--python", &wrapped, "-c", &code, "1000"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut printed = std::io::BufReader::new(gilscope.stdout.take().expect("it is piped"));
    let mut line = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut printed, &mut line).expect("a number");
        line.trim().parse::<u32>().unwrap_or_else(|_| panic!("no number: {line}"))
    };
    let pids = [line(), line()];
    assert!(pids.iter().all(is_there));
    let pid = rustix::process::Pid::from_child(&gilscope);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(gilscope.wait().expect("it is our child").code(), Some(130));
    assert!(!pids.iter().any(is_there), "left behind: {pids:?}");
}

#[test]
fn a_program_is_asked_to_end_once_and_what_it_made_too() {
    let Some(python) = python() else { return };
    let code = "import os, signal, time
if os.fork() == 0: time.sleep(0.2)
signal.signal(signal.SIGTERM, lambda *_: print('asked', os.getpid(), flush=True))
while True: time.sleep(1)
";
    let args = ["watch", "--no-screen", "--for", "1s", "--python", &python.display().to_string(), "-c", code];
    let output = gilscope(&args);
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut asked: Vec<&str> = printed.lines().filter(|line| line.starts_with("asked ")).collect();
    assert_eq!(asked.len(), 2, "{printed}");
    asked.dedup();
    assert_eq!(asked.len(), 2, "one of them twice: {printed}");
}

#[test]
fn one_that_will_not_end_is_killed_and_every_status_says_so() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let run = |code: &str| {
        let begin = std::time::Instant::now();
        let output = gilscope(&["watch", "--json", "--for", "1s", "--python", &python, "-c", code]);
        (
            output.status.code(),
            json(&output)["exit_status"].as_u64(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            begin.elapsed(),
        )
    };
    let ends = "signal.signal(signal.SIGTERM, signal.SIG_DFL)";
    let ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN)";
    let heeds_not = "signal.signal(signal.SIGTERM, lambda *_: None)";
    let code = |handler: &str| format!("import signal, time\n{handler}\nwhile True: time.sleep(1)\n");
    let (own, of_program, said, _) = run(&code(ends));
    assert_eq!((own, of_program, said.contains("was killed")), (Some(0), Some(143), false), "{said}");
    let mut took = Vec::new();
    for handler in [ignores, heeds_not] {
        let (own, of_program, said, elapsed) = run(&code(handler));
        assert_eq!((own, of_program), (Some(137), Some(137)), "{handler}: {said}");
        assert!(said.contains("did not end when it was asked to (SIGTERM), and was killed"), "{said}");
        took.push(elapsed);
    }
    // Whoever ignores it is not waited for, as one is that may still be cleaning up.
    assert!(took[0] + std::time::Duration::from_secs(1) < took[1], "{took:?}");
}

#[test]
fn what_a_program_leaves_running_when_it_ends_by_itself_runs_on() {
    let Some(python) = python() else { return };
    // Without the program's output, whose end is waited for here.
    let own = "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL";
    let code = LEAVES_ONE.replace("start_new_session=True", own);
    let output = gilscope(&["watch", "--no-screen", "--python", &python.display().to_string(), "-c", &code, "0.5"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let pid = left_by(&output);
    assert!(is_there(&pid));
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn nothing_of_a_program_is_left_when_gilscope_is_killed() {
    let Some(python) = python() else { return };
    // One that ends when it is asked to, with a grandchild in a session of its own; and one that will not hear.
    let code = "import signal, subprocess, sys, os, time
if sys.argv[1] == 'deaf': signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(['sleep', '1000'], start_new_session=True)
print(os.getpid(), child.pid, flush=True)
time.sleep(1000)
";
    for how in ["hears", "deaf"] {
        let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"))
            .args(["watch", "--no-screen", "--python", &python.display().to_string(), "-c", code, how])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let mut printed = std::io::BufReader::new(gilscope.stdout.take().expect("it is piped"));
        std::io::BufRead::read_line(&mut printed, &mut line).expect("two numbers");
        let mut pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().expect("a number")).collect();
        assert!(pids.len() == 2 && pids.iter().all(is_there), "{line}");
        // And who keeps it: its parent, which is not gilscope itself.
        let keeper: u32 = std::fs::read_to_string(format!("/proc/{}/status", pids[0]))
            .ok()
            .and_then(|status| status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok()))
            .expect("it has a parent");
        assert!(keeper != gilscope.id() && keeper != std::process::id());
        pids.push(keeper);
        gilscope.kill().expect("it is our child");
        gilscope.wait().expect("it is our child");
        let end = Instant::now() + Duration::from_secs(20);
        while pids.iter().any(is_there) {
            assert!(Instant::now() < end, "left behind ({how}): {pids:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Two threads that take turns, for as long as the argument says.
const TURNS: &str = "import sys, threading, time
def spin(end):
    while time.monotonic() < end:
        for _ in range(10000): pass
end = time.monotonic() + float(sys.argv[1])
threads = [threading.Thread(target=spin, args=(end,)) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
";

/// A command that gilscope's records are refused to, as a container's policy does it; none where no policy can be set.
fn refused(call: u32, args: &[&str]) -> Option<Output> {
    let policy = REFUSED.replace("298", &call.to_string());
    let args = [&["-c", policy.as_str(), env!("CARGO_BIN_EXE_gilscope")], args].concat();
    let output = Command::new("python3").args(args).stdin(Stdio::null()).output();
    let output = output.ok().filter(|output| !String::from_utf8_lossy(&output.stderr).contains("no filter"));
    if output.is_none() {
        eprintln!("skipped: no seccomp filter can be set here");
    }
    output
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a number");
    rustix::process::kill_process(pid, signal).expect("it is there");
}

#[test]
fn a_process_that_is_stopped_holds_nothing_waits_for_nothing_and_is_said_to_be_stopped() {
    let Some(python) = python() else { return };
    for records in [true, false] {
        let mut running =
            Command::new(&python).args(["-c", TURNS, "60"]).stdin(Stdio::null()).spawn().expect("it starts");
        let pid = running.id();
        std::thread::sleep(Duration::from_millis(300));
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            signal(pid, rustix::process::Signal::STOP);
            std::thread::sleep(Duration::from_millis(1500));
            signal(pid, rustix::process::Signal::CONT);
        });
        let number = pid.to_string();
        let args = ["attach", &number, "--json", "--for", "3s"];
        let output = if records { Some(gilscope(&args)) } else { refused(298, &args) };
        stopper.join().expect("it stops and continues it");
        running.kill().and_then(|()| running.wait()).expect("it is our child");
        let Some(output) = output else { return };
        let report = json(&output);
        sound(&report);
        let alarm = &report["observer"]["alarms"][0];
        let text = alarm["text"].as_str().unwrap_or_default();
        assert!(text.contains(&format!("process {pid} was stopped by ")) && text.contains("continued"), "{report:#}");
        let stopped = nanos(&alarm["until"]) - nanos(&alarm["at"]);
        assert!((1.3e9..2.0e9).contains(&stopped), "on the run's own clock: {alarm}");
        assert!(nanos(&alarm["until"]) < nanos(&report["elapsed_ns"]), "{alarm}");
        for lane in lanes(&report) {
            let told = state(lane, "stopped");
            assert!((told - stopped).abs() < 0.2e9, "{told} of {stopped}: {lane:#}");
        }
        let lock = &report["locks"][0];
        assert!(nanos(&lock["hold_ns"]["max"]) < 0.8e9, "a stop is no hold: {lock:#}");
        assert!(nanos(&lock["wait_ns"]["max"]) < 0.8e9, "nor a wait: {lock:#}");
        let told = nanos(&lock["held_ns"]) + nanos(&lock["free_ns"]);
        assert!(told < nanos(&report["elapsed_ns"]) - 0.9 * stopped, "{lock:#}");
        let blamed: f64 = report["blame"].as_array().expect("a list").iter().map(|it| nanos(&it["ns"])).sum();
        let waited: f64 = lanes(&report).iter().map(|lane| state(lane, "waiting_gil")).sum();
        assert!(blamed <= waited * 1.01 + 1e6, "{blamed} of {waited}");
    }
}

#[test]
fn one_that_is_stopped_when_it_is_attached_to_is_said_to_be() {
    let Some(python) = python() else { return };
    let mut running = Command::new(&python).args(["-c", TURNS, "60"]).stdin(Stdio::null()).spawn().expect("it starts");
    let pid = running.id();
    std::thread::sleep(Duration::from_millis(300));
    // Not SIGTSTP: where nobody controls the terminal, the kernel ignores it.
    signal(pid, rustix::process::Signal::STOP);
    std::thread::sleep(Duration::from_millis(100));
    let output = gilscope(&["attach", &pid.to_string(), "--json", "--for", "600ms"]);
    running.kill().and_then(|()| running.wait()).expect("it is our child");
    let report = json(&output);
    sound(&report);
    assert_eq!(report["observer"]["stopped"], serde_json::json!([pid]), "{report:#}");
    let text = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("is stopped by ") && text.contains(&format!("kill -CONT {pid}")), "{report:#}");
    for lane in lanes(&report) {
        assert!(state(lane, "stopped") > 0.8 * nanos(&report["elapsed_ns"]), "{lane:#}");
    }
    assert!(nanos(&report["locks"][0]["held_ns"]) < 0.2 * nanos(&report["elapsed_ns"]), "{report:#}");
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
fn with_records_the_sums_agree_and_the_queue_for_a_core_is_known_too() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, SPIN);
    for lane in lanes(&report) {
        assert_eq!(lane["on_cpu_evidence"], "switch_records", "{lane:#}");
        assert!(lane["runqueue_ns"].is_u64(), "{lane:#}");
    }
    assert!(report["observer"]["cores_busy"].is_null());
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

/// Threads and processes of every kind; each lives long enough to be seen.
const FAMILY: &str = "import multiprocessing as mp, threading, time
def leaf(): time.sleep(0.8)
def child():
    t = threading.Thread(target=leaf, name='grandchild'); t.start(); t.join()
if __name__ == '__main__':
    spawn, server = mp.get_context('spawn'), mp.get_context('forkserver')
    one = spawn.Process(target=child)
    def make(): one.start(); one.join()
    maker = threading.Thread(target=make, name='maker'); maker.start()
    two = server.Process(target=leaf); two.start(); two.join(); maker.join()
";

#[test]
fn it_is_told_who_made_whom_and_helpers_have_names() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("family.py");
    std::fs::write(&script, FAMILY).unwrap();
    let script = script.display().to_string();
    let report = json(&gilscope(&["watch", "--json", "--python", &python.display().to_string(), &script]));
    sound(&report);
    assert_eq!(report["exit_status"], 0, "{report:#}");
    let parent = |lane: &Value| lane["parent"].as_u64().map(|parent| &lanes(&report)[parent as usize]);
    let made_by = |lane: &Value| parent(lane).map(|parent| parent["name"].clone()).unwrap_or_default();
    let main = named(&report, "main");
    assert!(main["parent"].is_null(), "{main:#}");
    assert_eq!(made_by(named(&report, "maker")), "main");
    let grandchild =
        lanes(&report).iter().find(|lane| lane["name"].as_str().is_some_and(|it| it.contains("grandchild")));
    let child = grandchild.and_then(parent).unwrap_or_else(|| panic!("{:#}", report["lanes"]));
    assert_eq!(child["pid"], child["tid"], "its process's first thread: {child:#}");
    assert_eq!(made_by(child), "maker", "by the thread that started it: {child:#}");
    assert!(child["name"].as_str().is_some_and(|name| name.starts_with("process ")));
    let server = named(&report, "forkserver");
    assert_eq!(made_by(server), "main");
    named(&report, "resource tracker");
    let two = lanes(&report).iter().find(|lane| lane["parent"] == server["id"]).expect("the forkserver forks");
    assert!(two["name"].as_str().is_some_and(|name| name.starts_with("process ")), "a copy is no forkserver: {two:#}");
}

#[test]
fn of_processes_that_were_there_before_it_is_known_who_made_them() {
    let Some(python) = python() else { return };
    let code = "import os, threading, time
def make():
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    print('up', flush=True)
    time.sleep(30)
threading.Thread(target=make, name='maker', daemon=True).start()
time.sleep(30)
";
    let running = start(&python, code);
    let report = json(&gilscope(&["attach", &running.0.id().to_string(), "--json", "--for", "500ms"]));
    sound(&report);
    let child = named(&report, "process 2");
    let maker = &lanes(&report)[child["parent"].as_u64().unwrap_or_else(|| panic!("{report:#}")) as usize];
    let tid = maker["tid"].as_i64().expect("it has one");
    assert!(maker["pid"] == running.0.id() && maker["tid"] != maker["pid"], "the thread that forked: {maker:#}");
    let pid = child["pid"].as_u64().expect("a number") as u32;
    assert!(tid > 0);
    signal(pid, rustix::process::Signal::KILL);
}

#[test]
fn who_executes_a_program_without_python_is_said_to() {
    let Some(python) = python() else { return };
    let code = "import os, time
end = time.monotonic() + 0.3
while time.monotonic() < end: pass
os.execv('/bin/sleep', ['sleep', '1.5'])
";
    for records in [true, false] {
        let path = python.display().to_string();
        let args = ["watch", "--json", "--python", &path, "-c", code];
        let Some(output) = (if records { Some(gilscope(&args)) } else { refused(298, &args) }) else { return };
        let report = json(&output);
        sound(&report);
        let text = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains("has executed sleep, a program without Python"), "{records}: {report:#}");
        assert_eq!(report["observer"]["engine"], "cores_only");
        let main = named(&report, "main");
        // Of the sleep of a second and a half a tenth of a second passes until it is told, on an idle machine.
        assert!(state(main, "io") > 0.8e9, "it sleeps in a call: {records}: {main:#}");
        assert!(state(main, "starting") < state(main, "io"), "{records}: {main:#}");
        let lock = &report["locks"][0];
        assert!(nanos(&lock["held_ns"]) + nanos(&lock["free_ns"]) < 2e9, "its lock is no more: {lock:#}");
    }
}

#[test]
fn a_python_that_is_executed_by_way_of_another_program_is_recognised_and_the_word_on_that_is_over() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = format!(
        "import os, time
time.sleep(0.3)
os.execv('/bin/sh', ['sh', '-c', 'sleep 0.7; exec \"$0\" -c \"import time; time.sleep(0.8)\"', '{path}'])
"
    );
    for records in [true, false] {
        let args = ["watch", "--json", "--python", &path, "-c", &code];
        let Some(output) = (if records { Some(gilscope(&args)) } else { refused(298, &args) }) else { return };
        let report = json(&output);
        sound(&report);
        let alarms = report["observer"]["alarms"].as_array().expect("there are some").iter();
        let told: Vec<_> =
            alarms.filter(|it| it["text"].as_str().is_some_and(|it| it.contains("executed sh,"))).collect();
        assert!(told.len() == 1 && told[0]["until"].is_u64(), "{records}: {report:#}");
        assert_eq!(report["locks"].as_array().map(Vec::len), Some(2), "{records}: it has a lock again: {report:#}");
        let main = named(&report, "main");
        assert!(state(main, "io") > 0.8e9, "both slept: {records}: {main:#}");
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

#[test]
fn how_a_program_ended_is_said_whether_or_not_we_started_it() {
    let Some(python) = python() else { return };
    let code = "import sys, time\nprint('up', flush=True)\ntime.sleep(float(sys.argv[1]))\nsys.exit(5)";
    let attached = |lasts: &str, kill: bool| {
        let mut running = Command::new(&python)
            .args(["-c", code, lasts])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let mut printed = std::io::BufReader::new(running.stdout.take().expect("it is piped"));
        std::io::BufRead::read_line(&mut printed, &mut line).expect("a line");
        let pid = running.id();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(600));
            if kill {
                signal(pid, rustix::process::Signal::KILL);
            }
            // Waited for at once, as a shell does.
            running.wait().expect("it is our child")
        });
        let output = gilscope(&["attach", &pid.to_string(), "--json"]);
        killer.join().expect("it ended");
        json(&output)
    };
    let killed = attached("30", true);
    let end = killed["program_end"].as_str().unwrap_or_default();
    let unknown = "ended (with which status its parent alone is told)";
    assert!(end == "killed by SIGKILL" && killed["exit_status"] == 137 || end == unknown, "{killed:#}");
    let left = attached("1.2", false);
    let end = left["program_end"].as_str().unwrap_or_default();
    assert!(end == "ended with status 5" && left["exit_status"] == 5 || end == unknown, "{left:#}");
    let python = python.display().to_string();
    for (code, said) in [
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM after "),
        ("raise SystemExit(4)", "ended with status 4 after "),
        ("pass", "done after "),
    ] {
        let output = gilscope(&["watch", "--no-screen", "--python", &python, "-c", code]);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.lines().any(|line| line.starts_with(said)), "{said}: {printed}");
    }
}
