//! The command line of the real binary: what it reports, what it refuses, and in which words.

#[path = "common/refused.rs"]
mod refused;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn gilscope(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(args)
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .output()
        .expect("the program runs")
}

fn report(args: &[&str]) -> Value {
    let output = gilscope(args);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{args:?}: no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr));
    })
}

fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file can be written");
    path.display().to_string()
}

fn nanos(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no whole number: {value}"))
}

#[test]
fn what_makes_no_sense_is_refused_before_any_work_with_a_sentence_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let syntax = file(folder, "syntax.py", "def work(:\n    pass\n");
    let outside = file(folder, "outside.py", "class Thing:\n    pass\n\ndef work():\n    return 1\n");
    let workless = file(folder, "workless.py", "def play():\n    return 1\n");
    let coroutine = file(folder, "coroutine.py", "async def work():\n    pass\n");
    let binary = file(folder, "binary.py", [0xff, 0xfe, 0x00, 0x80]);
    let metadata = file(folder, "metadata.py", "# /// gilscope\n# title = 3\n# ///\ndef work():\n    pass\n");
    let directory = folder.display().to_string();
    let missing = folder.join("missing.py").display().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["run", "sum-sqares"], "sum-squares"),
        (&["run", "sum-squares", "-m", "thread"], "threads"),
        (&["run", "sum-squares", "-n", "0"], "at least one worker"),
        (&["run", "sum-squares", "-n", "100000"], "at most"),
        (&["run", "sum-squares", "-m", "processes", "-n", "100000"], "at most"),
        (&["run", "sum-squares", "-n", "-3"], "no number of workers"),
        (&["run", "sum-squares", "--switch-interval", "-5ms"], "'-5ms'"),
        (&["run", "sum-squares", "--arg", "n=3", "--arg", "n=4"], "twice"),
        (&["run", "no\u{1b}[31msuch.py"], "no\\u{1b}[31msuch.py"),
        (&["run", "sum-squares", "--tasks", "0"], "tasks"),
        (&["run", "sum-squares", "--tasks", "100000000"], "at most"),
        (&["run", "sum-squares", "--switch-interval", "0ms"], "CPython's default is 5ms"),
        (&["run", "sum-squares", "--switch-interval", "5"], "unit"),
        (&["run", "sum-squares", "--switch-interval", "9999999h"], "unit"),
        (&["run", "sum-squares", "--arg", "n=-5"], "n"),
        (&["run", "sum-squares", "--arg", "n=99999999999999999999999"], "n"),
        (&["run", "sum-squares", "--arg", "n=many"], "n"),
        (&["run", "sum-squares", "--arg", "m=5"], "n"),
        (&["run", "sum-squares", "--arg", "n"], "NAME=VALUE"),
        (&["run", "sum-squares", "--rules", "3.8"], "3.9"),
        (&["run", &missing], "missing.py"),
        (&["run", &directory], "directory"),
        (&["run", &syntax], "syntax.py:1"),
        (&["run", &outside], "outside.py:1"),
        (&["run", &workless], "work"),
        (&["run", &binary], "UTF-8"),
        (&["run", &metadata], "metadata.py:2"),
        (&["run", "count", "-m", "coroutines"], "count has no `async def work`"),
        (&["run", &coroutine, "-m", "threads"], "choose the model `coroutines`"),
        (&["run", "sleep", "-m", "coroutines", "-n", "20001"], "at most 20000 coroutines"),
        (&["run", "sleep", "--start", "fork"], "`threads` has no such choice"),
        (&["run", "sleep", "-m", "hybrid", "--start", "spawn"], "`hybrid` has no such choice"),
        (
            &["run", "sleep", "-m", "processes:fork", "--start", "spawn"],
            "said twice: -m processes:fork and --start spawn",
        ),
        (&["run"], "WORKLOAD"),
        (&["frobnicate"], "frobnicate"),
        (&["watch", "--jsn", "x.py"], "--jsn is no option of gilscope watch. Is --json meant?"),
        (&["watch", "--for", "1s", "--no-functons", "x.py", "--json"], "Is --no-functions meant?"),
        (&["watch", "--verbose", "x.py"], "gilscope watch SCRIPT.py --verbose"),
        (&["watch", "--for", "0s", "-c", "pass"], "in 0s nothing can be observed"),
        (&["attach", "1", "--for", "0ms"], "in 0ms nothing can be observed"),
    ];
    refused::all_are_refused(gilscope, cases);
}

#[test]
fn what_a_program_raises_cannot_steer_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let red = file(folder.path(), "red.py", "def work():\n    raise ValueError(\"\\x1b[31mred\\u202e\")\n");
    let output = gilscope(&["run", &red, "-n", "1"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("\\u{1b}[31mred\\u{202e}") && !said.contains('\u{1b}'), "{said}");
    assert!(said.contains("1 worker · 1 task ·"), "{said}");
    // Nor by JSON, whose rules let all but 32 of them pass.
    let steers = file(folder.path(), "steers.py", "def work():\n    raise ValueError(\"\\x9b31mred\\u202e\")\n");
    let output = gilscope(&["run", &steers, "-n", "1", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains(['\u{9b}', '\u{202e}']), "{said}");
    let read: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(read["results"][0]["error"], "ValueError: \u{9b}31mred\u{202e}");
}

#[test]
fn text_from_elsewhere_is_spelt_out_in_a_spreadsheet_as_in_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let red = file(folder.path(), "r\u{1b}[31med.py", "def work():\n    return 1\n");
    for layout in ["--csv", "--json"] {
        let output = gilscope(&["run", &red, "-n", "1", layout]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!said.contains('\u{1b}') && said.contains("[31med.py"), "{said}");
        assert_eq!(said.contains("r\\u{1b}[31med.py"), layout == "--csv", "{said}");
    }
}

/// A folder with an interpreter that is this shell script, which may write to `$folder/child`.
fn wrapper(script: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = file(folder.path(), "python3", format!("#!/bin/sh\nfolder='{}'\n{script}\n", folder.path().display()));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    folder
}

/// The interpreters that are found there, and the process that the wrapper started.
fn listed(folder: &Path) -> (String, u32) {
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["list", "pythons"])
        .env("PATH", folder)
        .env("HOME", folder)
        .env_remove("PYENV_ROOT")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let child = fs::read_to_string(folder.join("child")).expect("it has been started");
    (String::from_utf8_lossy(&output.stdout).into_owned(), child.trim().parse().expect("a number"))
}

#[test]
fn an_interpreter_that_does_not_answer_is_named_and_leaves_nothing_behind() {
    let folder = wrapper("/bin/sleep 1000 &\necho $! > \"$folder/child\"\nwait");
    let (said, child) = listed(folder.path());
    let path = folder.path().join("python3").display().to_string();
    let row = said.lines().find(|line| line.contains(&path)).unwrap_or_else(|| panic!("{said}"));
    assert!(row.contains("does not answer within 5 s"), "{row}");
    // Killed, it may wait for whoever takes leave of it.
    let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    assert!(status.is_empty() || status.contains("State:\tZ"), "{status}");
}

#[test]
fn what_an_interpreter_leaves_running_keeps_nobody_from_hearing_what_it_said() {
    let folder = wrapper("/bin/sleep 60 &\necho $! > \"$folder/child\"\necho 3.12.1 cpython 0 1");
    let (said, child) = listed(folder.path());
    let _ = rustix::process::kill_process(
        rustix::process::Pid::from_raw(child as i32).unwrap(),
        rustix::process::Signal::KILL,
    );
    assert!(said.contains("cpython 3.12.1"), "{said}");
}

#[test]
fn a_run_whose_tasks_failed_is_not_headed_done() {
    let folder = tempfile::tempdir().unwrap();
    let all = file(folder.path(), "all.py", "def work():\n    raise ValueError(1)\n");
    let said = String::from_utf8(gilscope(&["run", &all, "-n", "2"]).stdout).unwrap();
    assert!(said.lines().nth(1).unwrap().starts_with("FAILED: no task came to a value; over after "), "{said}");
    assert!(!said.contains("Try: "), "advice on no work: {said}");
    let one = file(folder.path(), "one.py", "def work(task):\n    return 1 // task\n");
    let said = String::from_utf8(gilscope(&["run", &one, "-n", "2"]).stdout).unwrap();
    assert!(said.lines().nth(1).unwrap().starts_with("done, but 1 of 2 tasks FAILED; after "), "{said}");
}

#[test]
fn the_lab_without_a_terminal_is_refused_and_names_the_command_that_needs_none() {
    for args in [&[][..], &["lab"]] {
        let output = gilscope(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("gilscope run"), "{said}");
    }
}

#[test]
fn the_clock_stops_with_the_last_result_however_late_it_is_heard_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), "short.py", "def work():\n    return 1\n");
    let run = report(&["run", &file, "-m", "sequential", "--json"]);
    let worker = &run["lanes"][0];
    // The interpreter's boot was before it.
    assert!(nanos(&worker["on_cpu_ns"]) < 50_000_000, "{worker}");
    // It gave the last result itself, so none of the run's time lies after its end.
    assert_eq!(worker["states_ns"]["done"], Value::Null, "{run}");
    for model in ["threads", "processes"] {
        let run = report(&["run", &file, "-m", model, "-n", "1", "--json"]);
        assert_eq!(run["lanes"][0]["states_ns"]["done"], Value::Null, "main is there to the end: {run}");
    }
}

#[test]
fn each_model_reports_every_task_and_its_lanes_add_up_to_the_run() {
    for model in ["sequential", "threads", "processes"] {
        let run = report(&["run", "sum-squares", "-m", model, "-n", "2", "--tasks", "5", "--arg", "n=30000", "--json"]);
        assert_eq!(run["schema"], "gilscope.run/1");
        assert_eq!(run["end"], "ended", "{run}");
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 5, "{model}");
        let sum: u64 = (0..30_000).map(|i| i * i).sum();
        assert!(
            results.iter().all(|result| result["repr"].as_str() == Some(sum.to_string().as_str())),
            "{model}: {results:?}"
        );
        let elapsed = nanos(&run["elapsed_ns"]);
        let mut ledger = 0;
        for lane in run["lanes"].as_array().unwrap() {
            let states: u64 = lane["states_ns"].as_object().unwrap().values().map(nanos).sum();
            assert_eq!(states, elapsed, "{model}: {lane}");
            assert_eq!(lane["end"], "done", "{model}: {lane}");
            ledger += if lane["role"] == "worker" { states } else { 0 };
        }
        assert_eq!(run["ledger_ns"].as_object().unwrap().values().map(nanos).sum::<u64>(), ledger, "{model}");
        let locks = run["locks"].as_array().unwrap();
        assert_eq!(locks.len(), if model == "processes" { 2 } else { 1 });
        for lock in locks {
            assert_eq!(nanos(&lock["held_ns"]) + nanos(&lock["free_ns"]), elapsed, "{model}: {lock}");
        }
        assert_eq!(run["events"]["dropped"], 0);
    }
}

#[test]
fn however_short_a_run_is_the_memory_of_its_processes_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), "moment.py", "async def work_async():\n    pass\n\ndef work():\n    pass\n");
    for (model, processes) in [
        ("sequential", 1),
        ("threads", 1),
        ("subinterpreters", 1),
        ("coroutines", 1),
        ("processes", 3),
        ("processes:fork", 3),
        // One of its workers may not have been told of.
        ("processes:forkserver", 3),
        ("hybrid", 2),
    ] {
        let run = report(&["run", &file, "-m", model, "-n", "2", "--bare", "--json"]);
        let memory = &run["memory"];
        let of_each = memory["processes"].as_array().unwrap();
        assert!(of_each.len() >= processes, "{model}: {memory}");
        let (rss, pss) = (nanos(&memory["peak_rss_bytes"]), nanos(&memory["peak_pss_bytes"]));
        assert!(pss > 0 && rss >= pss, "{model}: {memory}");
        // A worker may be no further than its exec when the other has done all there was.
        let of_each: Vec<u64> = of_each.iter().map(|process| nanos(&process["peak_rss_bytes"])).collect();
        assert!(of_each.iter().all(|peak| (1..=rss).contains(peak)), "{memory}");
        assert!(of_each.iter().any(|peak| *peak > 1_000_000), "{memory}");
    }
}

#[test]
fn the_table_says_who_started_whom_and_counts_the_one_take_of_one_who_works_alone() {
    let args = ["run", "sum-squares", "-m", "processes:forkserver", "-n", "2", "--bare", "--arg", "n=20000"];
    let table = String::from_utf8(gilscope(&args).stdout).unwrap();
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{table}"));
    assert!(line("worker ").contains("started by"), "{table}");
    assert!(line("forkserver ").contains(" main "), "{table}");
    assert!(line("process 1 ").contains(" forkserver ") && line("process 2 ").contains(" forkserver "), "{table}");
    let alone = report(&["run", "sum-squares", "-m", "sequential", "--bare", "--json", "--arg", "n=20000"]);
    assert!(nanos(&alone["locks"][0]["takes"]) >= 1, "{}", alone["locks"]);
}

#[test]
fn threads_take_turns_on_one_lock_and_are_charged_for_it() {
    let run = report(&["run", "sum-squares", "-m", "threads", "-n", "2", "--arg", "n=4000000", "--json"]);
    let lock = &run["locks"][0];
    assert!(nanos(&lock["handoffs"]) >= 4, "{lock}");
    assert!(nanos(&lock["drop_requests"]) >= 4, "{lock}");
    assert!(nanos(&run["ledger_ns"]["waiting_gil"]) * 4 > nanos(&run["elapsed_ns"]), "{}", run["ledger_ns"]);
    let waited: u64 =
        run["lanes"].as_array().unwrap().iter().map(|lane| lane["states_ns"].get("waiting_gil").map_or(0, nanos)).sum();
    let blamed: u64 = run["blame"].as_array().unwrap().iter().map(|blame| nanos(&blame["ns"])).sum();
    assert!(blamed <= waited && blamed * 10 >= waited * 8, "waited {waited}, blamed {blamed}");
}

#[test]
fn a_report_says_why_the_run_took_as_long_as_it_did() {
    let ids = |args: &[&str]| -> Vec<String> {
        let report = report(args);
        let insights = report["insights"].as_array().expect("a list").clone();
        assert!(insights.iter().all(|insight| insight["sentence"].as_str().is_some_and(|text| text.ends_with('.'))));
        insights.iter().filter_map(|insight| insight["id"].as_str().map(str::to_owned)).collect()
    };
    let busy = ids(&["run", "sum-squares", "-m", "threads", "-n", "3", "--arg", "n=2000000", "--json"]);
    assert!(busy.iter().any(|id| id == "lock-bound"), "{busy:?}");
    assert!(busy.iter().all(|id| id != "io-overlaps" && id != "convoy"), "{busy:?}");
    let asleep = ids(&["run", "sleep", "-m", "threads", "-n", "4", "--arg", "seconds=0.4", "--json"]);
    assert!(asleep.iter().any(|id| id == "io-overlaps"), "{asleep:?}");
    assert!(asleep.iter().all(|id| id != "lock-bound"), "{asleep:?}");
    let alone = ids(&["run", "sleep", "-m", "sequential", "--tasks", "2", "--arg", "seconds=0.2", "--json"]);
    assert!(alone.is_empty(), "{alone:?}");

    let table = gilscope(&["run", "sleep", "-m", "threads", "-n", "4", "--arg", "seconds=0.4"]);
    let text = String::from_utf8_lossy(&table.stdout);
    assert!(text.contains("Whoever waits for I/O lets the lock go"), "{text}");
}

#[test]
fn a_failing_task_is_told_with_its_line_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "fails.py",
        "def work(task):\n    total = 0\n    for i in range(1000):\n        total += i\n    return total // (task - 1)\n",
    );
    for model in ["sequential", "threads", "processes"] {
        let output = gilscope(&["run", &path, "-m", model, "-n", "2", "--tasks", "3", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let run: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(run["results"][0]["repr"], "-499500", "{model}");
        assert_eq!(run["results"][1]["error"], "ZeroDivisionError: integer division or modulo by zero", "{model}");
        assert_eq!(run["results"][1]["line"], 5, "{model}");
        assert_eq!(run["results"][2]["repr"], "499500", "{model}");
    }
}

#[test]
fn endless_recursion_ends_as_in_python() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        file(folder.path(), "deep.py", "def down(n):\n    return down(n + 1)\n\ndef work():\n    return down(0)\n");
    let run = report(&["run", &path, "-m", "threads", "-n", "2", "--json"]);
    for result in run["results"].as_array().unwrap() {
        assert!(result["error"].as_str().unwrap().starts_with("RecursionError"), "{result}");
    }
}

#[test]
fn a_program_that_prints_without_measure_is_kept_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "prints.py",
        "def work():\n    line = 'x' * 65536\n    for i in range(512):\n        print(line)\n    print('the end')\n    return 1\n",
    );
    for model in ["threads", "processes"] {
        let run = report(&["run", &path, "-m", model, "-n", "1", "--json"]);
        let output = run["output"].as_str().unwrap();
        assert!(output.len() <= 1 << 20 && output.contains("the end"), "{model}: {} bytes", output.len());
        assert_eq!(run["results"][0]["repr"], "1");
    }
}

#[test]
fn an_interrupted_run_leaves_with_130_and_a_complete_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "endless.py", "def work():\n    print('going')\n    while True:\n        pass\n");
    // Spawned processes come with a resource tracker.
    for (model, lanes) in [("sequential", 1), ("threads", 3), ("processes", 4)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gilscope"))
            .args(["run", &path, "-m", model, "-n", "2", "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        let interrupt = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(interrupt, rustix::process::Signal::INT).unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{model}");
        let run: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(run["end"], "stopped", "{model}");
        assert_eq!(run["lanes"].as_array().unwrap().len(), lanes, "{model}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["list", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_closed_pipe_changes_nothing_about_how_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let fails = file(folder.path(), "fails.py", "def work():\n    return 1 // 0\n");
    for format in [&[][..], &["--json"], &["--csv"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gilscope"))
            .args([&["run", &fails, "-n", "1"], format].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{format:?}: {said}");
        assert!(!said.contains("pipe"), "{format:?}: {said}");
    }
}

#[test]
fn everything_listed_can_be_run() {
    let rows: Value = serde_json::from_slice(&gilscope(&["list", "workloads", "--json"]).stdout).unwrap();
    let ids: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    for id in ["sum-squares", "sleep", "count", "primes", "hash", "mixed"] {
        assert!(ids.contains(&id), "{ids:?}");
    }
    for id in ids {
        let run = report(&["run", id, "-m", "threads", "-n", "2", "--json"]);
        assert_eq!(run["end"], "ended", "{id}");
        assert!(run["results"].as_array().unwrap().iter().all(|result| result.get("repr").is_some()), "{id}: {run}");
    }
    let rows: Value = serde_json::from_slice(&gilscope(&["list", "models", "--json"]).stdout).unwrap();
    assert!(rows.as_array().unwrap().iter().any(|row| row["id"] == "processes"));
}

#[test]
fn ten_thousand_coroutines_sleep_at_once() {
    let run = report(&["run", "sleep", "-m", "coroutines", "--tasks", "10000", "--arg", "seconds=0.5", "--json"]);
    assert_eq!(run["end"], "ended");
    assert!(run["results"].as_array().unwrap().iter().all(|result| result["repr"] == "0.5"));
    assert_eq!(run["lanes"].as_array().unwrap().len(), 10_001);
    // All of them have one thread, whose switches the kernel counts.
    let experiment = &run["experiment"];
    assert_eq!([&experiment["workers"], &experiment["processes"], &experiment["threads"]], [10_000, 1, 1]);
    assert!(nanos(&run["context_switches"]["voluntary"]) > 0, "{}", run["context_switches"]);
    // One after another they would take 5000 s.
    assert!(run["elapsed_ns"].as_u64().unwrap() < 50_000_000_000, "{}", run["elapsed_ns"]);
}

#[test]
fn a_model_that_can_do_nothing_with_a_workload_is_left_out_of_a_comparison_with_the_reason() {
    let all = ["compare", "count", "-n", "2", "--arg", "n=1000", "--repeat", "1", "--bare", "--json"];
    let found = report(&all);
    assert!(found.to_string().contains("count has no `async def work`"), "{found}");
    // Asked for by name it is refused before anything runs.
    let output = gilscope(&["compare", "count", "-m", "threads,coroutines", "-n", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("count has no `async def work`"));
}

#[test]
fn a_table_row_is_written_for_every_lane() {
    let output = gilscope(&["run", "sleep", "-m", "threads", "-n", "3", "--csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1 + 4, "{text}");
    assert!(text.lines().next().unwrap().contains("waiting_gil_ns"));
    let output = gilscope(&["run", "sleep", "-m", "threads", "-n", "3"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("thread 3") && text.contains("cores busy"), "{text}");
}

#[test]
fn a_request_that_fails_is_told_as_python_tells_it_and_the_slow_server_has_its_lane() {
    let folder = tempfile::tempdir().unwrap();
    let source = "import urllib.request\ndef work(task):\n    hosts = ['127.0.0.1:1', 'example.invalid']\n    \
                  urllib.request.urlopen('http://' + hosts[task] + '/')\n";
    let path = file(folder.path(), "nobody.py", source);
    let output = gilscope(&["run", &path, "-n", "2", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["results"][0]["error"], "URLError: <urlopen error [Errno 111] Connection refused>");
    assert_eq!(run["results"][0]["line"], 4);
    let elsewhere = run["results"][1]["error"].as_str().unwrap();
    assert!(
        elsewhere.contains("connects to this machine only") && elsewhere.contains("example.invalid"),
        "{elsewhere}"
    );
    assert!(run["lanes"].as_array().unwrap().iter().all(|lane| lane["role"] != "server"), "nobody asked for one");

    let run = report(&["run", "scrape", "-m", "processes", "-n", "2", "--arg", "seconds=0.05", "--json"]);
    let lanes = run["lanes"].as_array().unwrap();
    let server = lanes.iter().find(|lane| lane["role"] == "server").expect("it has a lane");
    assert_eq!((&server["name"], &server["end"]), (&Value::from("slow server"), &Value::from("done")));
    // It is no child of what the kernel's records cover.
    assert_eq!(server["core_evidence"], "none");
    assert_eq!(run["results"][0]["repr"], "22");
}

#[test]
fn what_connections_need_is_looked_at_before_anything_starts() {
    let shell = |limit: &str, args: &str| {
        let program = env!("CARGO_BIN_EXE_gilscope");
        let script = format!("ulimit {limit} && exec '{program}' run sockets -n 2 {args}");
        Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).output().expect("there is a shell")
    };
    let output = shell("-n 512", "--json");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for words in ["10000 connections at once", "may have 512", "ulimit -n 10", "--arg connections="] {
        assert!(said.contains(words), "{words:?}: {said}");
    }
    assert!(output.stdout.is_empty());
    // What it says is possible is possible.
    let possible = said.rsplit_once("--arg connections=").unwrap().1.trim();
    let output = shell("-n 512", &format!("--json --arg seconds=0.01 --arg connections={possible}"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // A soft limit is raised as far as the hard one allows.
    let output = shell("-Sn 128", "--json --arg seconds=0.01 --arg connections=1000");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_taken_port_is_refused_with_its_number() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = gilscope(&["run", "scrape", "-n", "2", "--arg", &format!("url={port}")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("port {port} of 127.0.0.1 is taken")), "{said}");
    for (given, words) in [("url=70000", "out of range"), ("url=-1", "out of range"), ("url=x", "whole number")] {
        let output = gilscope(&["run", "scrape", "--arg", given]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{given}: {said}");
    }
}
