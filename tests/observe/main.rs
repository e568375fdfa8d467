//! Real interpreters, observed by the real binary: programs whose truth is known.

mod attached;
mod diagnoses;
mod endings;
mod free_threaded;
mod functions;
mod interpreters;
mod names;
mod processes;
mod refusals;
mod sampled;
mod stops;
mod threads;

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

fn minor(report: &Value) -> u32 {
    report["python"]["version"].as_str().and_then(|it| it.split('.').nth(1)?.parse().ok()).expect("it has a version")
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

fn words_as_numbers(text: &str) -> Vec<f64> {
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
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

/// The processes that one has made.
fn children(of: u32) -> Vec<u32> {
    let said = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    said.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
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
