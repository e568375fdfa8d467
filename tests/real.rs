//! Comparisons and checks in real interpreters, by the real binary.

#[path = "common/python.rs"]
mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The full path of the tests' python3.
fn interpreter() -> Option<String> {
    let found = python::run_python(&python::python3()?, "import sys; print(sys.executable, end='')", b"");
    Some(String::from_utf8(found).expect("a path"))
}

fn gilscope_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .env_remove("GILSCOPE_ASCII")
        .output()
        .expect("the program runs")
}

fn gilscope(args: &[&str]) -> Output {
    gilscope_in(Path::new("/"), args)
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr)))
}

fn nanos(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no whole number: {value}"))
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with a file in it.
fn folder(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("it can be written");
    (folder, path)
}

/// Something that looks like a program and answers like this.
fn stand_in(folder: &Path, name: &str, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("they can be set");
    path.display().to_string()
}

/// Whether a process with all of this in its command line is there.
fn is_there(marks: &[&str]) -> bool {
    fs::read_dir("/proc").expect("it can be read").flatten().any(|entry| {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        entry.file_name().to_string_lossy().parse::<u32>().is_ok_and(|pid| pid != std::process::id())
            && marks.iter().all(|mark| String::from_utf8_lossy(&command).contains(mark))
    })
}

#[test]
fn the_miniature_stands_beside_the_real_thing_in_one_run() {
    let Some(python) = interpreter() else { return };
    let args =
        ["compare", "sum-squares", "-m", "threads,processes:fork", "-n", "2", "--arg", "n=300000", "--repeat", "2"];
    let more = ["--engine", "emulated,cpython", "--python", &python, "--json"];
    let output = gilscope(&[&args[..], &more[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let report = json(&output);
    let runs = report["runs"].as_array().expect("a list");
    let which: Vec<_> =
        runs.iter().map(|run| (run["model"].as_str().unwrap(), run["engine"].as_str().unwrap())).collect();
    let models = ["sequential", "threads", "processes:fork"];
    let expected: Vec<_> = models.iter().flat_map(|model| [(*model, "emulated"), (*model, "cpython")]).collect();
    assert_eq!(which, expected, "model by model");
    for run in runs {
        let real = run["engine"] == "cpython";
        assert_eq!(nanos(&run["repeats"]), 2, "{run}");
        assert_eq!(run["python"]["path"].as_str(), real.then_some(python.as_str()), "{run}");
        assert_eq!(run["python"].is_null(), !real);
        assert_eq!(run["args"]["n"], 300_000);
        let name = if real { run["python"]["version"].as_str().unwrap() } else { "miniature" };
        assert!(run["label"].as_str().unwrap().ends_with(&format!("· {name}")), "{run}");
        assert!(run["model"] != "sequential" || run["speedup"] == 1.0, "each is its own measure: {run}");
        let ledger: u64 = run["ledger_ns"].as_object().unwrap().values().map(nanos).sum();
        let each: Vec<u64> = run["each_elapsed_ns"].as_array().unwrap().iter().map(nanos).collect();
        assert!(each.iter().any(|elapsed| ledger.is_multiple_of(*elapsed)), "{ledger} in {each:?}");
    }
}

#[test]
fn a_real_run_is_observed_and_its_workers_are_those_that_did_tasks() {
    let Some(python) = interpreter() else { return };
    let args = ["compare", "sum-squares", "-m", "threads,processes", "-n", "2", "--lasts", "800ms", "--repeat", "1"];
    let output = gilscope(&[&args[..], &["--python", &python, "--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let report = json(&output);
    let run = |model: &str| {
        let runs = report["runs"].as_array().expect("a list");
        runs.iter().find(|run| run["model"] == model).unwrap_or_else(|| panic!("no {model}: {report:#}"))
    };
    let (threads, processes) = (run("threads"), run("processes"));
    if threads["observed"].is_null() || threads["observed"] == "cores_only" {
        eprintln!("skipped: interpreters cannot be observed here");
        return;
    }
    let state = |run: &Value, state: &str| run["ledger_ns"].get(state).map_or(0, nanos);
    let lived = |run: &Value| -> u64 {
        let all: u64 = run["ledger_ns"].as_object().unwrap().values().map(nanos).sum();
        all - ["unborn", "done"].iter().map(|name| state(run, name)).sum::<u64>()
    };
    // Two that compute and share a lock: half of their lives each waits for it, less where others want the cores, too.
    let waited = state(threads, "waiting_gil") as f64 / lived(threads) as f64;
    assert!((0.08..0.8).contains(&waited), "{waited}: {threads:#}");
    assert!(threads["handoffs"].as_f64().unwrap() > 10.0, "{threads:#}");
    assert!((state(processes, "waiting_gil") as f64) < 0.1 * lived(processes) as f64, "{processes:#}");
    assert_eq!(processes["handoffs"], 0.0, "the locks of workers, not that of the first process: {processes:#}");
    // The workers alone are summed: two lanes, whoever else was there.
    for run in [threads, processes] {
        let all: u64 = run["ledger_ns"].as_object().unwrap().values().map(nanos).sum();
        assert_eq!(all, 2 * nanos(&run["each_elapsed_ns"][0]), "{run:#}");
        // However few cores others leave, what was busy is what the lanes had.
        let had: u64 = ["running", "native", "starting"].iter().map(|name| state(run, name)).sum();
        let busy = run["cores_busy"].as_f64().unwrap() * nanos(&run["each_elapsed_ns"][0]) as f64;
        assert!(had > 0 && (0.8..1.3).contains(&(busy / had as f64)), "{run:#}");
    }
}

#[test]
fn how_many_cores_a_real_run_had_is_what_its_tasks_book_themselves() {
    let Some(python) = interpreter() else { return };
    // One falls asleep some thousand times, of which records leave out what lies inside of a switch; one computes for so
    // short a time that what its processes do before and after is as much.
    let sleeps = "for _ in range(8000): time.sleep(0.00002)";
    let computes = "for _ in range(2000000): pass";
    for (what, model) in [(sleeps, "threads"), (computes, "processes:fork")] {
        let code = "import os, time
def work(task):
    before = time.thread_time_ns()
    WHAT
    with open(os.path.join(os.path.dirname(__file__), f'{os.getpid()} {task}'), 'w') as told:
        told.write(str(time.thread_time_ns() - before))
";
        let code = code.replace("WHAT", what);
        let (folder, _) = folder("booked.py", &code);
        let args = ["compare", "--call", "booked:work", "-m", model, "-n", "2", "--repeat", "1", "--json"];
        let output = gilscope_in(folder.path(), &[&args[..], &["--python", &python]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", words(&output));
        let report = json(&output);
        let runs = report["runs"].as_array().expect("a list");
        if runs.iter().any(|run| run["observed"].is_null() || run["observed"] == "cores_only") {
            eprintln!("skipped: interpreters cannot be observed here");
            return;
        }
        let busy = |run: &Value| run["cores_busy"].as_f64().unwrap() * nanos(&run["each_elapsed_ns"][0]) as f64;
        let said: f64 = runs.iter().map(busy).sum();
        let booked = |entry: fs::DirEntry| fs::read_to_string(entry.path()).ok()?.parse::<f64>().ok();
        let booked: Vec<f64> =
            fs::read_dir(folder.path()).expect("it can be read").flatten().filter_map(booked).collect();
        assert_eq!(booked.len(), 4, "two tasks one after another, and two of {model}");
        let ratio = said / booked.iter().sum::<f64>();
        assert!((0.9..1.3).contains(&ratio), "{model}: {ratio} of {booked:?}: {report:#}");
    }
}

#[test]
fn requests_find_the_slow_server() {
    let Some(python) = interpreter() else { return };
    let args = ["compare", "scrape", "-m", "threads", "-n", "2", "--repeat", "1", "--python", &python, "--json"];
    let output = gilscope(&args);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{}\n{report:#}", words(&output));
    assert!(report["runs"][1]["speedup"].as_f64().unwrap() > 1.3, "waits overlap: {report:#}");
}

#[test]
fn what_an_interpreter_has_not_is_left_out_with_the_reason_and_refused_by_name() {
    let Some(python) = interpreter() else { return };
    let with = |more: &[&str]| {
        let args = ["compare", "sum-squares", "-n", "1", "--arg", "n=1000", "--repeat", "1", "--python", &python];
        gilscope(&[&args[..], more].concat())
    };
    let report = json(&with(&["--json"]));
    let refused = report["refused"].as_array().expect("a list");
    let reason = |model: &str| {
        refused.iter().find(|it| it["model"] == model).map(|it| it["reason"].as_str().unwrap().to_owned())
    };
    assert!(reason("coroutines").unwrap().contains("async def"));
    // The tests' python may be any: what it has not is what it says it has not.
    let has_gil = report["runs"][0]["python"]["gil_enabled"] == true;
    let missing = if has_gil { "free-threads" } else { "threads" };
    assert!(reason(missing).unwrap().contains("GIL"), "{refused:?}");
    let output = with(&["-m", missing]);
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert!(words(&output).contains("GIL") && output.stdout.is_empty());
    // Beside one that has it, it is left out.
    let output = with(&["-m", missing, "--engine", "emulated,cpython", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert_eq!(json(&output)["refused"][0]["model"], missing);
}

#[test]
fn a_function_of_ones_own_is_called_and_its_errors_have_their_line() {
    let Some(python) = interpreter() else { return };
    let text = "import dataclasses\n\nclass Odd(Exception): pass\n\ndef fine(task, tasks, *, scale=2):\n    \
                return sum(i * scale for i in range(1000 * tasks)) + task\n\ndef odd(task):\n    \
                raise Odd('as it should')\n\nasync def loop():\n    return 1\n\ndef needs(what):\n    pass\n";
    let (folder, _) = folder("mine.py", text);
    let call = |target: &str, more: &[&str]| {
        let args = ["compare", "--call", target, "-n", "2", "--repeat", "1", "--python", &python, "--json"];
        gilscope_in(folder.path(), &[&args[..], more].concat())
    };
    let output = call("mine:fine", &["-m", "threads,processes,processes:forkserver"]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let report = json(&output);
    assert_eq!((&report["workload"], report["runs"].as_array().unwrap().len()), (&Value::from("mine:fine"), 4));
    let report = json(&call("mine:odd", &["-m", "threads"]));
    let failure = report["runs"][1]["failures"][0].as_str().unwrap().to_owned();
    assert!(failure.contains("Odd: as it should") && failure.contains("line 9"), "{failure}");
    let report = json(&call("mine:loop", &["-m", "coroutines"]));
    assert!(report["runs"][0]["repeats"] == 1 && report["runs"][0]["model"] == "coroutines", "{report:#}");
    std::fs::write(folder.path().join("asks.py"), "input('?')\ndef work(): pass\n").expect("it is written");
    for (target, said) in [
        ("mine:absent", "absent"),
        ("asks:work", "EOFError"),
        ("nowhere:work", "No module named 'nowhere': it is neither in /"),
        ("mine:needs", "what"),
        ("mine.py:fine()", "MODULE:FUNCTION"),
    ] {
        let output = call(target, &["-m", "threads"]);
        assert_eq!(output.status.code(), Some(2), "{target}: {}", words(&output));
        assert!(words(&output).contains(said), "{target}: {}", words(&output));
    }
    assert!(!folder.path().join("__pycache__").exists(), "nothing is left there");
}

#[test]
fn a_worker_that_is_killed_breaks_its_pool_and_nothing_hangs() {
    let Some(python) = interpreter() else { return };
    let text = "import os, signal\ndef work(task):\n    if task:\n        os.kill(os.getpid(), signal.SIGKILL)\n    \
                return task\n";
    let (folder, _) = folder("broken.py", text);
    let args = ["compare", "--call", "broken:work", "-m", "processes:fork", "-n", "2", "--repeat", "1", "--json"];
    // One task after another kills the interpreter itself.
    let output = gilscope_in(folder.path(), &[&args[..], &["--python", &python]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    let report = json(&output);
    let failure = |run: usize| report["runs"][run]["failures"][0].as_str().unwrap().to_owned();
    assert!(failure(0).contains("SIGKILL"), "{report:#}");
    assert!(failure(1).contains("BrokenProcessPool"), "{report:#}");
}

#[test]
fn interpreters_that_cannot_be_used_are_refused_before_any_work() {
    let Some(python) = interpreter() else { return };
    let (folder, file) = folder("wrong.py", "def work(:\n    pass\n");
    fs::write(folder.path().join("heavy.py"), "import a_module_that_is_nowhere\ndef work():\n    pass\n").unwrap();
    fs::write(folder.path().join("light.py"), "def work():\n    pass\n").unwrap();
    let two = stand_in(folder.path(), "python2", "[ \"$1\" = -I ] && exit 2\nprintf 2.7.18");
    let old = stand_in(folder.path(), "python3.7", "echo 3.7.16 cpython 0 1");
    let other = stand_in(folder.path(), "pypy", "echo 3.10.13 pypy 0 1");
    let silent = stand_in(folder.path(), "silent", "exit 3");
    let plain = folder.path().join("wrong.py").display().to_string();
    let wrong = file.display().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["sleep", "--python", "/no/such/python"], "there is no Python at /no/such/python"),
        (&["sleep", "--python", "python-of-nobody"], "on PATH"),
        (&["sleep", "--python", &plain], "no program"),
        (&["sleep", "--python", &two], "Python 2.7.18"),
        (&["sleep", "--python", &old], "3.7.16"),
        (&["sleep", "--python", &other], "pypy"),
        (&["sleep", "--python", &silent], "does not say what it is"),
        (&["sleep", "--engine", "emulated", "--python", &python], "--engine emulated"),
        (&["sleep", "--engine", "jython"], "jython"),
        (&[&wrong, "--python", &python], "wrong.py"),
        (&["--call", "wrong:work", "--python", &python], "SyntaxError"),
        (&["--call", "heavy:work", "--python", &python], "a_module_that_is_nowhere"),
        (&["--call", "light:nope", "--python", &python], ": the module light ("),
        (&["--call", "light:nope", "--python", &python], "light.py) has no function nope"),
        (&["--call", "heavy:work", "--engine", "emulated"], "real CPython"),
        (&["--suite", "notes", "--engine", "cpython"], "miniature"),
    ];
    for (args, said) in cases {
        let output = gilscope_in(folder.path(), &[&["compare"], *args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", words(&output));
        assert!(words(&output).contains(said), "{args:?} does not say {said:?}: {}", words(&output));
        assert!(output.stdout.is_empty(), "{args:?} prints a result");
    }
    let none = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["compare", "sleep", "--engine", "cpython"])
        .env_clear()
        .env("PATH", folder.path().join("nothing"))
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    if !Path::new("/opt/conda").exists() {
        assert_eq!(none.status.code(), Some(2), "{}", words(&none));
        assert!(words(&none).contains("install one"), "{}", words(&none));
    }
}

#[test]
fn what_reads_its_standard_input_finds_it_empty_and_is_not_waited_for() {
    let Some(python) = interpreter() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("asks.py"), "def work():\n    return input('name? ')\n").unwrap();
    std::fs::write(folder.path().join("asks_at_once.py"), "name = input('name? ')\ndef work():\n    return name\n")
        .unwrap();
    for module in ["asks", "asks_at_once"] {
        let call = format!("{module}:work");
        let output = Command::new("timeout")
            .args(["60", env!("CARGO_BIN_EXE_gilscope"), "compare", "--call", &call, "-m", "threads", "--tasks", "2"])
            .args(["--repeat", "1", "--python", &python])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), words(&output));
        assert!(output.status.code() != Some(124) && said.contains("EOFError"), "{module}: {said}");
    }
}

#[test]
fn an_interrupted_comparison_leaves_no_interpreter_behind() {
    let Some(python) = interpreter() else { return };
    let seconds = format!("seconds=1000.{}7", std::process::id());
    let args = ["compare", "sleep", "-m", "processes", "-n", "2", "--arg", &seconds, "--python", &python, "--json"];
    let child = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    // The order has the number in it, as JSON.
    let mark = format!("\"seconds\":1000.{}7", std::process::id());
    let end = Instant::now() + Duration::from_secs(60);
    // Not the one that is only asked whether it can.
    while !is_there(&[&mark, "\"model\":\"sequential\""]) {
        assert!(Instant::now() < end, "the interpreter does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(json(&output)["end"], "cancelled");
    assert!(!is_there(&[&mark]), "an interpreter is left");
}

const CONTENDED: &str = "import threading, time
def spin(end):
    while time.monotonic() < end:
        for _ in range(10000): pass
end = time.monotonic() + 0.8
threads = [threading.Thread(target=spin, args=(end,)) for _ in range(2)]
for t in threads: t.start()
for t in threads: t.join()
";

#[test]
fn what_the_miniature_cannot_read_real_interpreters_run_and_that_is_said() {
    let Some(python) = interpreter() else { return };
    let text = "import random\nclass Sum:\n    def of(self, n):\n        return sum(range(n)) + random.randint(0, 0)\n\
                def work():\n    return Sum().of(1000)\n";
    let (folder, _) = folder("rich.py", text);
    let refused = gilscope_in(folder.path(), &["run", "rich.py"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("rich.py:1:8: ") && said.contains("compare rich.py --engine cpython"), "{said}");
    let args = ["compare", "rich.py", "--python", &python, "-m", "threads", "-n", "2", "--repeat", "1", "--json"];
    let output = gilscope_in(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let both = gilscope_in(folder.path(), &["compare", "rich.py", "--engine", "emulated,cpython"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn what_went_into_a_session_of_its_own_ends_with_the_run() {
    let Some(python) = interpreter() else { return };
    let text = "import subprocess\ndef work():\n    \
                child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n    \
                with open('pids', 'a') as out:\n        out.write(f'{child.pid}\\n')\n";
    let (folder, _) = folder("leaves.py", text);
    let args = [
        "compare",
        "--call",
        "leaves:work",
        "--python",
        &python,
        "-m",
        "threads,processes",
        "-n",
        "2",
        "--repeat",
        "1",
    ];
    let output = gilscope_in(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let pids = fs::read_to_string(folder.path().join("pids")).unwrap();
    assert!(pids.lines().count() >= 4, "{pids}");
    for pid in pids.lines() {
        let lives = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        assert!(!lives, "process {pid} is left behind");
    }
}

#[test]
fn a_check_fails_above_the_limit_and_says_who_waited_for_whom() {
    let Some(python) = interpreter() else { return };
    let (folder, script) = folder("contended.py", CONTENDED);
    let script = script.display().to_string();
    let check = |limit: &str, more: &[&str]| {
        let args = ["check", "--python", &python, "--max-gil-wait", limit];
        gilscope_in(folder.path(), &[&args[..], more].concat())
    };
    // Each waits half of its life; less where others want the cores, too.
    let output = check("5%", &["--json", &script]);
    if json(&output)["observed"] == "cores_only" || json(&output)["observed"] == "no_lock" {
        eprintln!("skipped: there is no GIL to be observed here");
        return;
    }
    let found = json(&output);
    assert_eq!(output.status.code(), Some(1), "{found:#}");
    assert_eq!(
        (&found["schema"], &found["ok"], &found["exit_status"]),
        (&"gilscope.check/1".into(), &false.into(), &0.into())
    );
    assert!((0.05..0.8).contains(&found["gil_wait"].as_f64().unwrap()), "{found:#}");
    assert!(found["all_threads"].as_f64() < found["gil_wait"].as_f64(), "the main thread only joins: {found:#}");
    assert!(found["thread"]["name"] != found["thread"]["waited_for"] && found["thread"]["waited_for"].is_string());

    let output = check("95%", &[&script]);
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    for said in ["GIL wait", "held it", "within the limit of 95.0 %", "all threads together"] {
        assert!(line.contains(said), "{said}: {line}");
    }
    // Nobody lives so long: all of them together are judged.
    let output = check("95%", &["--min-life", "60min", "--json", &script]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["thread"].is_null() && found["gil_wait"] == found["all_threads"], "{found:#}");
    assert_eq!(found["min_life_ns"], 3_600_000_000_000_u64);
    // One that only sleeps waits for nobody.
    fs::write(folder.path().join("calm.py"), "import sys, time\ntime.sleep(0.3)\nprint(*sys.argv[1:])\n").unwrap();
    let output = check("1%", &["calm.py", "hello"]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("hello\nGIL wait"), "what it prints is passed on");
}

#[test]
fn a_check_reads_its_options_behind_the_script_too_and_leaves_to_it_what_follows_two_hyphens() {
    let Some(python) = interpreter() else { return };
    let (folder, _) = folder("calm.py", "import sys, time\ntime.sleep(0.3)\nprint(*sys.argv[1:])\n");
    let check = |args: &[&str]| gilscope_in(folder.path(), &[&["check", "--python", &python], args].concat());
    let output = check(&["calm.py", "hello", "--json", "--max-gil-wait", "90%", "--", "--json", "-x"]);
    let found = json(&output);
    if found["observed"] == "cores_only" || found["observed"] == "no_lock" {
        eprintln!("skipped: there is no GIL to be observed here");
        return;
    }
    assert_eq!((&found["max_gil_wait"], &found["output"]), (&0.9.into(), &"hello --json -x\n".into()));
    // One that is neither ours nor said to be the script's is refused, not passed on in silence.
    let output = check(&["calm.py", "--max-gil-wiat", "90%"]);
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert!(words(&output).contains("--max-gil-wait"), "{}", words(&output));
    // A module, and code.
    for program in [["-m", "calm"], ["-c", "import time, sys; time.sleep(0.3); print(*sys.argv[1:])"]] {
        let output = check(&[&program[..], &["--json", "--", "--y"]].concat());
        assert_eq!(json(&output)["output"], "--y\n", "{program:?}");
    }
    let output = check(&["-m", "calm", "-c", "pass"]);
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
}

#[test]
fn a_check_passes_on_what_the_program_itself_leaves_with_and_refuses_what_cannot_be_run() {
    let Some(python) = interpreter() else { return };
    let (folder, _) = folder("fails.py", "import sys\nsys.exit(7)\n");
    fs::write(folder.path().join("wrong.py"), "def (:\n").unwrap();
    let check = |args: &[&str]| gilscope_in(folder.path(), &[&["check"], args].concat());
    let output = check(&["--python", &python, "fails.py"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(words(&output).contains("exit status 7"), "{}", words(&output));
    let output = check(&["--python", &python, "wrong.py"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(words(&output).contains("SyntaxError") && words(&output).contains("itself failed"), "{}", words(&output));
    let cases: &[(&[&str], &str)] = &[
        (&["--python", &python, "absent.py"], "absent.py"),
        (&["--python", &python, "."], "directory"),
        (&["--python", "/no/such/python", "fails.py"], "/no/such/python"),
        (&["--max-gil-wait", "20", "fails.py"], "20%"),
        (&["--max-gil-wait", "130%", "fails.py"], "between 0% and 100%"),
        (&[], "SCRIPT"),
    ];
    for (args, said) in cases {
        let output = check(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", words(&output));
        assert!(words(&output).contains(said), "{args:?}: {}", words(&output));
    }
}

#[test]
fn a_check_says_of_a_program_that_was_killed_by_what() {
    let Some(python) = interpreter() else { return };
    let output = gilscope(&["check", "--python", &python, "-c", "import os; os.kill(os.getpid(), 9)"]);
    assert_eq!(output.status.code(), Some(137), "{output:?}");
    assert!(words(&output).contains("the program was killed by SIGKILL"), "{}", words(&output));
}

#[test]
fn a_check_holds_nothing_against_a_program_that_was_stopped_for_a_while_and_says_that_it_was() {
    let Some(python) = interpreter() else { return };
    let stops = format!(
        "import os, subprocess
subprocess.Popen(['sh', '-c', f'sleep 0.3; kill -STOP {{os.getpid()}}; sleep 3; kill -CONT {{os.getpid()}}'])
{}",
        CONTENDED.replace("0.8", "4.2")
    );
    let (folder, _) = folder("stopped.py", &stops);
    let args = ["check", "--python", &python, "--max-gil-wait", "65%", "--json", "stopped.py"];
    let output = gilscope_in(folder.path(), &args);
    let found = json(&output);
    if found["observed"] == "cores_only" || found["observed"] == "no_lock" {
        eprintln!("skipped: there is no GIL to be observed here");
        return;
    }
    // Each waits half of the time; were the stop a wait it would be three quarters of one's life.
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    assert!(found["elapsed_ns"].as_u64().unwrap() > 3_000_000_000, "{found:#}");
    assert!(
        nanos(&found["thread"]["lived_ns"]) < 2_500_000_000,
        "time it was stopped is no part of its life: {found:#}"
    );
    assert!(found["alarms"][0]["text"].as_str().is_some_and(|text| text.contains("was stopped by ")), "{found:#}");
    let args = ["check", "--python", &python, "--max-gil-wait", "65%", "stopped.py"];
    let output = gilscope_in(folder.path(), &args);
    assert!(words(&output).contains(" and continued after 3"), "{}", words(&output));
}
