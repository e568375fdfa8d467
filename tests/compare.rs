//! Comparisons by the real binary: the same work under several models, side by side.

#[path = "common/python.rs"]
mod python;
#[path = "common/refused.rs"]
mod refused;

use std::fs;
use std::path::Path;
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
    refused::all_are_refused(gilscope, cases);
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

/// The full path of the tests' python3.
fn interpreter() -> Option<String> {
    let found = python::run_python(&python::python3()?, "import sys; print(sys.executable, end='')", b"");
    Some(String::from_utf8(found).expect("a path"))
}

/// A file in a folder of its own.
fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("it can be written");
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn an_interpreter_that_lacks_what_the_file_imports_is_left_out_and_the_others_compare() {
    let Some(python) = interpreter() else { return };
    let text = "import sys\nif 'lacking' in sys.executable:\n    import a_module_that_is_nowhere\n\ndef work():\n    return 1\n";
    let (folder, file) = file("needs.py", text);
    let lacking = folder.path().join("lacking-python3").display().to_string();
    std::os::unix::fs::symlink(Path::new(&python), &lacking).unwrap();
    let compare = |pythons: &[&str], more: &[&str]| {
        let named: Vec<&str> = pythons.iter().flat_map(|python| ["--python", python]).collect();
        gilscope(&[&["compare", &file, "-m", "threads", "-n", "1", "--repeat", "1"], &named[..], more].concat())
    };
    let output = compare(&[&lacking, &python], &["--json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["runs"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(report["refused_pythons"][0]["path"].as_str(), Some(lacking.as_str()));
    let reason = report["refused_pythons"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("No module named 'a_module_that_is_nowhere'"), "{reason}");
    let text = String::from_utf8(compare(&[&lacking, &python], &[]).stdout).unwrap();
    assert!(text.contains(&format!("left out: {lacking}: ")), "{text}");
    let rows = compare(&[&lacking, &python], &["--csv"]).stdout;
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(&rows[..]).records().map(Result::unwrap).collect();
    assert!(rows.iter().any(|row| row.iter().any(|cell| cell == lacking) && row[row.len() - 1].contains("nowhere")));
    // With none left there is nothing to compare.
    let output = compare(&[&lacking], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("a_module_that_is_nowhere"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn an_outcome_that_raises_is_told_with_its_file_and_line_in_every_interpreter() {
    let text = "def work():\n    return 1\n\ndef outcome():\n    return 1 // 0\n";
    let (_folder, file) = file("raises.py", text);
    let compare = ["compare", &file, "-m", "threads", "-n", "1", "--repeat", "1", "--json"];
    let python = interpreter();
    let real: Vec<&str> =
        python.iter().flat_map(|python| ["--engine", "emulated,cpython", "--python", python]).collect();
    let output = gilscope(&[&compare[..], &real].concat());
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    for run in report["runs"].as_array().unwrap() {
        let failure = run["failures"][0].as_str().unwrap();
        for words in ["outcome() raised ZeroDivisionError", "raises.py, line 5"] {
            assert!(failure.contains(words), "{words}: {failure}");
        }
    }
    let output = gilscope(&["run", &file, "-n", "1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["outcome"].as_str().unwrap().ends_with("raises.py, line 5)"), "{}", json(&output));
}
