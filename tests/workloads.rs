//! Every workload that comes along, as it comes: done, whole, and accounted for.

use std::process::Command;

use serde_json::Value;

fn report(args: &[&str]) -> Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_gilscope")).args(args).args(["--json"]).output().expect("the program runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

fn listed(kind: &str) -> Vec<String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_gilscope")).args(["list", kind, "--json"]).output().expect("the program runs");
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).expect("it is JSON");
    all.iter().map(|one| one["id"].as_str().expect("it is text").to_owned()).collect()
}

fn sum(states: &Value) -> u64 {
    states.as_object().expect("states by name").values().map(|value| value.as_u64().expect("a whole number")).sum()
}

/// Every task has a value, every lane came to its end, and every worker's time is booked to the last thousandth.
fn is_whole(run: &Value, tasks: usize) {
    let what = format!("{} under {}", run["experiment"]["workload"], run["experiment"]["model"]);
    let results = run["results"].as_array().expect("a list");
    assert_eq!(results.len(), tasks, "{what}");
    assert!(results.iter().all(|result| result["repr"].is_string()), "{what}: {results:?}");
    let lanes = run["lanes"].as_array().expect("a list");
    assert!(lanes.iter().all(|lane| lane["end"] == "done"), "{what}: {lanes:#?}");
    let elapsed = run["elapsed_ns"].as_u64().expect("a whole number");
    for lane in lanes {
        assert!(sum(&lane["states_ns"]).abs_diff(elapsed) * 1000 <= elapsed, "{what}: {lane:#}");
    }
    let workers = lanes.iter().filter(|lane| lane["role"] == "worker").count() as u64;
    let ledger = sum(&run["ledger_ns"]);
    assert!(
        ledger.abs_diff(workers * elapsed) * 1000 <= workers * elapsed,
        "{what}: {ledger} of {workers} × {elapsed}"
    );
}

#[test]
fn each_is_done_with_its_defaults_and_gives_what_it_should() {
    for id in listed("workloads") {
        let run = report(&["run", &id, "-m", "threads", "-n", "2"]);
        is_whole(&run, 2);
        let repr = |task: usize| run["results"][task]["repr"].as_str().unwrap();
        let outcome = run["outcome"].as_str().unwrap_or_default();
        match id.as_str() {
            "sum-squares" => assert_eq!((repr(0), repr(1)), ("333332833333500000", "333332833333500000")),
            "primes" => assert_eq!(repr(0), "9592"),
            "matmul" => assert_eq!(repr(0), "64000000.0"),
            "sockets" => assert_eq!((repr(0), repr(1)), ("5000", "5000")),
            "chai" => assert_eq!((repr(0), repr(1)), ("'3 orders taken'", "'3 chai brewed'")),
            "counter" | "counter-lock" | "counter-local" => {
                assert_eq!(outcome, "{'expected': 2000000, 'actual': 2000000}", "{id}");
            }
            "counter-call" => assert!(outcome.starts_with("{'expected': 2000000, 'actual': "), "{outcome}"),
            id if id.starts_with("queue-") => {
                assert_eq!((repr(0), repr(1), outcome), ("'put 200'", "'took 200'", "{'left': 0}"), "{id}");
            }
            _ => {}
        }
    }
}

/// As in the lab, so that one at a time lasts: pilots say how large the work must be. With eight tasks, what is cut into
/// its tasks would last an eighth if its pilots did all of it.
#[test]
fn each_is_made_to_last_as_long_as_was_asked_for() {
    const TASKS: u64 = 8;
    for id in listed("workloads") {
        let mut args = vec!["compare", &id, "-m", "sequential", "-n", "8", "--repeat", "1", "--lasts", "800ms"];
        if id == "sockets" {
            args.extend(["--arg", "connections=200"]);
        }
        let report = report(&args);
        let run = &report["runs"][0];
        let lasted = run["elapsed_ns"]["median"].as_f64().expect("it ran") / 800e6;
        assert!(lasted > 0.4, "{id}: {lasted:.2} of what was asked for, {}", run["args"]);
        // Those that count what takes long, an order or a call that blocks, cannot do less than one of it.
        let least = ["n", "rounds"].iter().any(|name| run["args"][name] == 1);
        assert!(lasted < 5.0 || least, "{id}: {lasted:.2} of what was asked for, {}", run["args"]);
        assert_eq!(report["tasks"], TASKS, "{id}");
        assert!(run["args"].get("tasks").is_none(), "{id}: what only a pilot is told is told of the run");
    }
}

#[test]
fn every_model_books_every_millisecond() {
    let small: [(&str, &[&str]); 4] = [
        ("mixed", &["n=20000", "rounds=2", "seconds=0.005"]),
        ("blocked-loop", &["n=2", "seconds=0.01", "blocked=0.02"]),
        ("compress", &["n=1"]),
        ("queue-fifo", &["n=10", "patience=0.05"]),
    ];
    for model in listed("models") {
        for (id, args) in small {
            if model == "coroutines" && !has_async(id) {
                continue;
            }
            let mut all = vec!["run", id, "-m", &model, "-n", "4"];
            args.iter().for_each(|arg| all.extend(["--arg", arg]));
            is_whole(&report(&all), 4);
        }
    }
}

fn has_async(id: &str) -> bool {
    let path = format!("{}/assets/workloads/{id}.py", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("it comes along").contains("async def work")
}

#[test]
fn an_outcome_that_raises_is_a_failure_and_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("raises.py");
    std::fs::write(&file, "def work():\n    return 1\n\ndef outcome():\n    return 1 // 0\n").expect("it is written");
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .arg("run")
        .arg(&file)
        .args(["-m", "threads", "-n", "1", "--json"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("the JSON is complete all the same");
    assert!(report["outcome"].as_str().is_some_and(|it| it.starts_with("× ZeroDivisionError")), "{report}");
    assert_eq!(report["results"][0]["repr"], "1");
}
