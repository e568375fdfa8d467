//! Comparisons by the real binary: the same work under several models, side by side.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn gilscope(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(args)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .env_remove("GILSCOPE_ASCII")
        .output()
        .expect("the program runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr)))
}

fn nanos(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no whole number: {value}"))
}

#[test]
fn every_model_is_measured_as_often_as_asked_for_and_its_ledger_adds_up() {
    let output = gilscope(&["compare", "sum-squares", "-n", "2", "--arg", "n=20000", "--repeat", "2", "--json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["schema"], "gilscope.compare/1");
    assert_eq!((&report["end"], nanos(&report["tasks"])), (&Value::from("ended"), 2));
    let runs = report["runs"].as_array().unwrap();
    let models: Vec<&str> = runs.iter().map(|run| run["model"].as_str().unwrap()).collect();
    assert_eq!(models[0], "sequential");
    assert!(models.contains(&"threads") && models.contains(&"processes"), "{models:?}");
    assert_eq!(runs[0]["speedup"].as_f64(), Some(1.0));
    for run in runs {
        assert_eq!(nanos(&run["repeats"]), 2, "{run}");
        let elapsed = &run["elapsed_ns"];
        assert!(
            nanos(&elapsed["min"]) <= nanos(&elapsed["median"]) && nanos(&elapsed["median"]) <= nanos(&elapsed["max"])
        );
        let ledger: u64 = run["ledger_ns"].as_object().unwrap().values().map(nanos).sum();
        let each: Vec<u64> = run["each_elapsed_ns"].as_array().unwrap().iter().map(nanos).collect();
        assert!(each.iter().any(|elapsed| ledger.is_multiple_of(*elapsed)), "{ledger} in {each:?}");
        assert!(run["profile"]["cores_busy"].as_array().unwrap().len() > 100);
    }
}

#[test]
fn the_picture_names_every_model_and_fits_a_hundred_columns() {
    let args = ["compare", "sum-squares", "-m", "threads,processes", "-n", "2", "--repeat", "2", "--arg", "n=200000"];
    let output = gilscope(&args);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in ["one at a time", "2 threads", "2 processes", "2/2 repeats", "DONE", "MINIATURE", "Ideal", "hand-offs"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.contains(['█', '▇', '▆', '▅', '▄', '▃', '▂', '▁']), "{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 100, "{widest} columns: {text}");
    let plain = Command::new(env!("CARGO_BIN_EXE_gilscope")).args(args).env("GILSCOPE_ASCII", "1").output().unwrap();
    assert!(plain.stdout.is_ascii(), "{}", String::from_utf8_lossy(&plain.stdout));
}

#[test]
fn a_row_is_written_for_every_model_refused_ones_too() {
    let output = gilscope(&["compare", "sleep", "-n", "300", "--tasks", "2", "--repeat", "1", "--csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(text.as_bytes()).records().collect::<Result<_, _>>().expect("rows of one length");
    let refused = rows.iter().find(|row| &row[1] == "processes").unwrap();
    assert!(refused[refused.len() - 1].contains("at most 256"), "{refused:?}");
    assert!(rows.iter().any(|row| &row[1] == "threads" && row[6].parse::<u64>().is_ok()), "{text}");
}

#[test]
fn what_makes_no_sense_is_refused_before_any_work() {
    let cases: &[(&[&str], &str)] = &[
        (&["compare"], "WORKLOAD"),
        (&["compare", "sum-sqares"], "sum-squares"),
        (&["compare", "sleep", "-m", "thread"], "threads"),
        (&["compare", "sleep", "-m", "processes", "-n", "300"], "at most 256"),
        (&["compare", "sleep", "-n", "0"], "at least one"),
        (&["compare", "sleep", "--repeat", "0"], "0"),
        (&["compare", "sleep", "--lasts", "3"], "unit"),
        (&["compare", "sleep", "--suite", "notes"], "--suite"),
        (&["compare", "--suite", "other"], "notes"),
        (&["compare", "sleep", "--json", "--csv"], "--csv"),
        (&["prices", "--repeat", "0"], "0"),
        (&["compare", "matmul", "-m", "subinterpreters"], "numpy"),
        (&["run", "matmul", "-m", "subinterpreters"], "numpy"),
    ];
    for (args, words) in cases {
        let output = gilscope(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?} does not say {words:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?} prints a result");
    }
}

#[test]
fn a_failing_task_is_told_and_the_report_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fails.py");
    fs::write(&path, "def work(task):\n    return 1 // task\n").unwrap();
    let output = gilscope(&["compare", path.to_str().unwrap(), "-m", "threads", "-n", "2", "--repeat", "1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    let failure = report["runs"][1]["failures"][0].as_str().unwrap();
    assert!(failure.contains("ZeroDivisionError") && report["runs"][1]["elapsed_ns"].is_null(), "{report}");
}

#[test]
fn an_interrupted_comparison_leaves_with_130_and_keeps_what_is_done() {
    let child = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["compare", "sleep", "-m", "threads", "-n", "1", "--arg", "seconds=0.05", "--repeat", "1000", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report = json(&output);
    assert_eq!(report["end"], "cancelled");
    assert!(nanos(&report["runs"][0]["repeats"]) >= 1, "{report}");
}

#[test]
fn a_pair_that_makes_no_sense_is_left_out_with_its_reason() {
    let args = ["compare", "matmul", "-n", "1", "--arg", "side=8", "--arg", "n=1", "--repeat", "1", "--bare", "--json"];
    let report = json(&gilscope(&args));
    let refused = report["refused"].as_array().unwrap();
    let found: Vec<_> = refused.iter().map(|pair| pair["model"].as_str().unwrap()).collect();
    assert_eq!(found, ["subinterpreters", "coroutines"]);
    assert!(refused[0]["reason"].as_str().unwrap().contains("numpy"));
    assert!(refused[1]["reason"].as_str().unwrap().contains("async def"));
    assert!(report["runs"].as_array().unwrap().len() > 5);
}

#[test]
fn a_big_argument_that_does_not_fit_is_refused_with_the_sum() {
    if gilscope::engine::machine::memory_available().is_none_or(|bytes| bytes > 196_864 << 20) {
        eprintln!("skipped: this machine has more memory than 256 processes could ask for");
        return;
    }
    let args = ["run", "big-argument", "-m", "processes", "-n", "256", "--arg", "data=256"];
    let output = gilscope(&args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("769 copies") && said.contains("196864 MiB") && said.contains("are available"), "{said}");
}
