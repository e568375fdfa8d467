//! Each diagnosis on real runs: one in which it holds, and one in which it does not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// How often a run that needs cores of its own is tried: a loaded machine does not give them every time.
const TRIES: usize = 8;

/// A lane that stands without a core for more than this has no habits of its own.
const BUSY: f64 = 0.25;

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One run at a time: what is measured is what they do, not what they do to each other.
static TURN: Mutex<()> = Mutex::new(());

fn run(args: &[&str]) -> Value {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .arg("run")
        .args(args)
        .arg("--json")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr)));
    holds_together(&report);
    report
}

/// Every lane adds up to the run, and the ledger to the workers.
fn holds_together(report: &Value) {
    let elapsed = report["elapsed_ns"].as_u64().unwrap();
    let sum = |states: &Value| states.as_object().unwrap().values().map(|ns| ns.as_u64().unwrap()).sum::<u64>();
    let lanes = report["lanes"].as_array().unwrap();
    for lane in lanes {
        assert_eq!(sum(&lane["states_ns"]), elapsed, "{lane}");
    }
    let workers = lanes.iter().filter(|lane| lane["role"] == "worker").count() as u64;
    assert_eq!(sum(&report["ledger_ns"]), elapsed * workers);
}

fn found(report: &Value) -> Vec<&str> {
    report["insights"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

/// The share of the run in which the machine gave a lane no core, of the lane that had to wait longest for one.
fn without_core(report: &Value) -> f64 {
    let waited = |lane: &Value| lane["states_ns"]["waiting_core"].as_u64().unwrap_or(0);
    let longest = report["lanes"].as_array().unwrap().iter().map(waited).max().unwrap_or(0);
    longest as f64 / report["elapsed_ns"].as_u64().unwrap().max(1) as f64
}

/// It does, in one run of several.
fn holds(id: &str, args: &[&str]) {
    holds_or(id, args, |_| false);
}

/// It does, in one run of several; or, where other programs had the cores, a run shows what it needs but for the cores.
fn holds_or(id: &str, args: &[&str], but_for_cores: impl Fn(&Value) -> bool) {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let report = run(args);
        if found(&report).contains(&id) || without_core(&report) > BUSY && but_for_cores(&report) {
            return;
        }
        seen.push(format!("{} {}", report["insights"], report["ledger_ns"]));
    }
    panic!("{id} does not hold of {args:?}: {seen:#?}");
}

/// It does, in one run of several that had two cores. Whether they get in each other's way shows only where two run at
/// once: with other programs on the cores all the time there is nothing to see, and that is said.
fn holds_with_two_cores(id: &str, args: &[&str]) {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let report = run(args);
        if found(&report).contains(&id) {
            return;
        }
        if report["cores_busy"].as_f64().unwrap() > 1.5 {
            seen.push(format!("{} {}", report["insights"], report["ledger_ns"]));
        }
    }
    assert!(seen.is_empty(), "{id} does not hold of {args:?}: {seen:#?}");
    eprintln!("skipped: {TRIES} times other programs had the cores");
}

/// How many workers were in some states at once, on average.
fn at_once(report: &Value, states: &[&str]) -> f64 {
    let sum: u64 = states.iter().map(|state| report["ledger_ns"][*state].as_u64().unwrap_or(0)).sum();
    sum as f64 / report["elapsed_ns"].as_u64().unwrap().max(1) as f64
}

fn never_holds(id: &str, args: &[&str]) {
    let report = run(args);
    assert!(!found(&report).contains(&id), "{id} holds of {args:?}: {}", report["insights"]);
}

/// Whether there are two cores; if not, says so.
fn two_cores() -> bool {
    let enough = cores() >= 2;
    if !enough {
        eprintln!("skipped: needs two cores");
    }
    enough
}

/// A workload of one's own, in a file that is gone at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, source: &str) -> File {
        let path = std::env::temp_dir().join(format!("gilscope-{}-{name}.py", std::process::id()));
        std::fs::write(&path, source).unwrap();
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

const LONG: [&str; 2] = ["--arg", "n=1000000"];

#[test]
fn threads_that_compute_are_lock_bound_and_one_alone_is_not() {
    holds("lock-bound", &[&["sum-squares", "-m", "threads", "-n", "3"], &LONG[..]].concat());
    never_holds("lock-bound", &[&["sum-squares", "-m", "sequential"], &LONG[..]].concat());
    never_holds("lock-bound", &[&["sum-squares", "-m", "processes:fork", "-n", "3"], &LONG[..]].concat());
}

#[test]
fn threads_that_sleep_overlap_and_one_after_another_does_not() {
    let sleep = ["sleep", "--arg", "seconds=0.1", "-n", "4", "-m"];
    holds("io-overlaps", &[&sleep[..], &["threads"]].concat());
    never_holds("io-overlaps", &[&sleep[..], &["sequential"]].concat());
}

#[test]
fn start_up_dominates_a_moment_s_work_and_not_a_second_s() {
    let args = ["sum-squares", "-m", "processes", "-n", "8", "--arg", "n=1000"];
    holds_or("start-up-dominates", &args, |report| {
        at_once(report, &["starting"]) > at_once(report, &["running"]) * 0.5
    });
    never_holds("start-up-dominates", &["sleep", "-m", "processes", "-n", "2", "--arg", "seconds=1"]);
}

#[test]
fn large_results_are_pickled_for_processes_and_not_for_threads() {
    let file = File::new("results", "results = [\"a\"] * 150000\n\ndef work():\n    return results\n");
    let results = [file.path(), "-n", "1", "--tasks", "20", "-m"];
    // Half as long as whatever else the first process does, when it has a core.
    holds_or("pickling-dominates", &[&results[..], &["processes:fork"]].concat(), |report| {
        let lanes = report["lanes"].as_array().unwrap();
        let states = &lanes.iter().find(|lane| lane["role"] == "main").unwrap()["states_ns"];
        states["unpickling"].as_u64().unwrap_or(0) * 2 > states["running"].as_u64().unwrap_or(0)
    });
    never_holds("pickling-dominates", &[&results[..], &["threads"]].concat());
}

#[test]
fn memory_is_multiplied_by_processes_and_not_by_threads() {
    // Each process keeps its copy long enough to be seen.
    let file = File::new(
        "keeps",
        "import time\n\ndef work():\n    data = b'x' * 100000000\n    time.sleep(1.0)\n    return len(data)\n",
    );
    holds("memory-multiplied", &[file.path(), "-m", "processes:fork", "-n", "2"]);
    never_holds("memory-multiplied", &[file.path(), "-m", "threads", "-n", "2"]);
}

#[test]
fn more_processes_than_cores_are_oversubscribed_and_one_is_not() {
    let many = (cores() * 4).min(64).to_string();
    holds("oversubscribed", &[&["sum-squares", "-m", "processes:fork", "-n", &many], &LONG[..]].concat());
    never_holds("oversubscribed", &[&["sum-squares", "-m", "sequential"], &LONG[..]].concat());
}

#[test]
fn a_thread_that_sleeps_beside_one_that_computes_is_in_a_convoy_and_beside_another_sleeper_is_not() {
    let source = |other: &str| {
        format!(
            "import time\n\ndef work(task):\n    if task == 0:\n        {other}\n    else:\n        for i in range(30):\n            \
             time.sleep(0.002)\n    return task\n\ndef count(n):\n    x = 0\n    while x < n:\n        x += 1\n"
        )
    };
    let (computes, sleeps) =
        (File::new("computes", &source("count(8000000)")), File::new("sleeps", &source("time.sleep(0.2)")));
    holds("convoy", &[computes.path(), "-m", "threads", "-n", "2"]);
    never_holds("convoy", &[sleeps.path(), "-m", "threads", "-n", "2"]);
    never_holds("convoy", &[computes.path(), "-m", "free-threads", "-n", "2"]);
    // The workload that is there to show it does, as it comes.
    holds("convoy", &["mixed", "-m", "threads", "-n", "2"]);
    never_holds("convoy", &["mixed", "-m", "free-threads", "-n", "2"]);
}

#[test]
fn c_code_runs_outside_the_lock_and_bytecode_does_not() {
    if two_cores() {
        // Two at once, in C code or kept from it, and neither for the lock.
        holds_or("native-outside-lock", &["hash", "-m", "threads", "-n", "2"], |report| {
            at_once(report, &["native", "waiting_core"]) > 1.2 && at_once(report, &["waiting_gil"]) < 0.2
        });
    }
    never_holds("native-outside-lock", &[&["sum-squares", "-m", "threads", "-n", "2"], &LONG[..]].concat());
}

#[test]
fn workers_without_a_task_are_idle_and_those_with_one_each_are_not() {
    let sleep = ["sleep", "--arg", "seconds=0.3", "-m", "threads", "-n", "4", "--tasks"];
    holds("idle-workers", &[&sleep[..], &["1"]].concat());
    never_holds("idle-workers", &[&sleep[..], &["4"]].concat());
}

#[test]
fn threads_without_a_lock_contend_for_a_shared_counter_and_not_for_their_own() {
    let counting = |workload, model| [&[workload, "-m", model, "-n", "4"], &["--arg", "n=1000000"][..]].concat();
    if two_cores() {
        holds_with_two_cores("free-threads-contending", &counting("counter", "free-threads"));
    }
    never_holds("free-threads-contending", &counting("counter-local", "free-threads"));
    never_holds("free-threads-contending", &counting("counter", "threads"));
    never_holds("free-threads-contending", &counting("counter", "sequential"));
}

/// Of all threads together, instructions a millisecond in which one of them ran.
fn rate(report: &Value) -> f64 {
    let workers = || report["lanes"].as_array().unwrap().iter().filter(|lane| lane["role"] == "worker");
    let running: u64 = workers().map(|lane| lane["states_ns"]["running"].as_u64().unwrap_or(0)).sum();
    let done: u64 = workers().map(|lane| lane["instructions"].as_u64().unwrap()).sum();
    done as f64 * 1e6 / running as f64
}

#[test]
fn what_lanes_get_done_is_the_same_work_under_every_model_and_less_a_millisecond_where_they_contend() {
    let done = |workload: &str, model: &str| {
        let report = run(&[workload, "-m", model, "-n", "2", "--tasks", "4", "--arg", "n=500000"]);
        let lanes = report["lanes"].as_array().unwrap();
        let sum: u64 = lanes
            .iter()
            .filter(|lane| lane["role"] == "worker")
            .map(|lane| lane["instructions"].as_u64().unwrap())
            .sum();
        (sum, rate(&report), report["cores_busy"].as_f64().unwrap())
    };
    let (alone, ..) = done("counter", "sequential");
    assert!(alone > 4 * 500_000);
    for model in ["threads", "free-threads", "processes:fork", "processes", "subinterpreters"] {
        let (sum, ..) = done("counter", model);
        assert_eq!(sum, alone, "{model}");
    }
    if !two_cores() {
        return;
    }
    // Beside its own speed alone, a shared counter is slowed down more than one of each thread's own, where two run at once.
    let slowed = |workload: &str| done(workload, "free-threads").1 / done(workload, "sequential").1;
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let (_, shared, cores) = done("counter", "free-threads");
        let (shared, own) = (shared / done("counter", "sequential").1, slowed("counter-local"));
        if shared < own * 0.9 {
            return;
        }
        if cores > 1.5 {
            seen.push((shared, own));
        }
    }
    assert!(seen.is_empty(), "{seen:?}");
    eprintln!("skipped: {TRIES} times other programs had the cores");
}

#[test]
fn a_queue_of_the_program_s_is_told_with_all_that_went_through_it() {
    let report = run(&["queue-fifo", "-m", "threads", "-n", "2", "--arg", "n=40", "--arg", "seconds=0.001"]);
    let queues = report["queues"].as_array().unwrap();
    assert_eq!(queues.len(), 1);
    let field = |name: &str| queues[0][name].as_u64().unwrap();
    assert_eq!((queues[0]["name"].as_str(), field("puts"), field("gets")), (Some("queue 1"), 40, 40));
    let (most, mean) = (field("max_depth"), queues[0]["mean_depth"].as_f64().unwrap());
    assert!((1..=40).contains(&most) && mean > 0.0 && mean <= most as f64, "{queues:?}");
    assert!(run(&["sleep", "-m", "threads", "-n", "2"])["queues"].as_array().unwrap().is_empty());
}
