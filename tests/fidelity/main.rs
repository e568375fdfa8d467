//! The miniature beside a real CPython, in turn on the same machine: does its lock change hands as theirs does?
//!
//! Times depend on the machine and on who else uses it, so nothing but ratios is looked at, the median of several rounds,
//! with wide room. `benches/watching.py fidelity` measures the same on a quiet machine.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fidelity");
/// Rounds of each comparison, and how often one whose ratio is off is begun anew: somebody else may have had the cores.
const ROUNDS: usize = 3;
const TRIES: usize = 3;
/// How far apart the two may be, either way.
const ROOM: f64 = 1.6;

fn report(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope")).args(args).stdin(Stdio::null()).output();
    let output = output.expect("the program runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The interpreters of this machine that have a GIL which can be watched exactly, the oldest and the newest.
fn pythons() -> Vec<String> {
    let listed = report(&["list", "pythons", "--json"]);
    let mut versions = std::collections::BTreeMap::new();
    for row in listed.as_array().expect("it is a list") {
        if row["kind"] == "python" && row["engine"] == "exact" && row["gil"] == true {
            let version = row["version"].as_str().unwrap_or_default();
            let minor: u32 = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or_default();
            versions.insert(minor, row["id"].as_str().unwrap_or_default().to_owned());
        }
    }
    let found: Vec<String> = versions.into_values().collect();
    if found.is_empty() {
        assert!(std::env::var_os("GILSCOPE_REQUIRE_PERF").is_none_or(|it| it != "1"), "nothing can be watched exactly");
        eprintln!("skipped: no CPython whose lock can be watched exactly");
    }
    match found.as_slice() {
        [first, .., last] => vec![first.clone(), last.clone()],
        _ => found,
    }
}

fn miniature(file: &str, threads: &str, n: u32) -> Value {
    let (path, n) = (format!("{FILES}/{file}"), format!("n={n}"));
    report(&["run", &path, "-m", "threads", "-n", threads, "--tasks", threads, "--arg", &n, "--bare", "--json"])
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same in a real interpreter, from when its threads run.
fn real(python: &str, file: &str, threads: &str) -> Value {
    let mut child = Command::new(python);
    child.args([&format!("{FILES}/threads.py"), &format!("{FILES}/{file}"), threads, "6000"]);
    let child = child.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut child = Ended(child);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says that they run");
    report(&["attach", &child.0.id().to_string(), "--for", "900ms", "--json"])
}

/// The median ratio of a figure, miniature to real.
fn ratio(mut pair: impl FnMut() -> (f64, f64)) -> f64 {
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (ours, theirs) = pair();
            assert!(ours > 0.0 && theirs > 0.0, "both are there: {ours}, {theirs}");
            ours / theirs
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ROUNDS / 2]
}

fn alike(what: &str, mut pair: impl FnMut() -> (f64, f64)) {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let ratio = ratio(&mut pair);
        seen.push(ratio);
        if (1.0 / ROOM..ROOM).contains(&ratio) {
            return;
        }
    }
    panic!("{what}: miniature / real is {seen:?}");
}

fn lock(report: &Value) -> &Value {
    let locks = report["locks"].as_array().expect("it is a list").iter();
    locks.max_by_key(|lock| lock["handoffs"].as_u64()).expect("there is a lock")
}

fn hold(report: &Value) -> f64 {
    lock(report)["hold_ns"]["p50"].as_f64().unwrap_or_default()
}

fn hand_offs_a_second(report: &Value) -> f64 {
    lock(report)["handoffs"].as_f64().unwrap_or_default() / (report["elapsed_ns"].as_f64().unwrap_or_default() / 1e9)
}

/// How long the lane that sleeps waits for the lock after each sleep, in sleeps.
fn wait(report: &Value) -> f64 {
    let of = |lane: &Value, state: &str| lane["states_ns"][state].as_f64().unwrap_or_default();
    let lanes = report["lanes"].as_array().expect("it is a list").iter().filter(|lane| lane["name"] != "main");
    let sleeper = lanes.max_by(|one, other| of(one, "io").total_cmp(&of(other, "io"))).expect("there are lanes");
    of(sleeper, "waiting_gil") / of(sleeper, "io")
}

#[test]
fn who_computes_holds_the_lock_as_long_as_in_cpython() {
    for python in pythons() {
        for threads in ["2", "4"] {
            let what = format!("hold with {threads} threads, {python}");
            alike(&what, || (hold(&miniature("spin.py", threads, 80)), hold(&real(&python, "spin.py", threads))));
        }
        alike(&format!("hand-offs a second, {python}"), || {
            let (ours, theirs) = (miniature("spin.py", "2", 80), real(&python, "spin.py", "2"));
            (hand_offs_a_second(&ours), hand_offs_a_second(&theirs))
        });
    }
}

#[test]
fn who_wakes_up_behind_one_who_computes_waits_as_long_as_in_cpython() {
    for python in pythons() {
        alike(&format!("convoy, {python}"), || {
            (wait(&miniature("convoy.py", "2", 50)), wait(&real(&python, "convoy.py", "2")))
        });
    }
}
