//! CPython's start-up in the miniature, by the real binary: paid, named, left out, measured, and every way it can go
//! wrong.

#![expect(clippy::unwrap_used, reason = "a test fails so")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

#[path = "common/python.rs"]
#[expect(dead_code, reason = "it is only asked for a python3 here")]
mod python;

/// A configuration directory of its own.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("gilscope/calibration.toml")
    }

    /// One whose births cost so many milliseconds of CPU time; a thread a hundredth, a connection's ends as well.
    fn costing(millis: u64) -> Home {
        let home = Home::new();
        fs::create_dir_all(home.file().parent().unwrap()).unwrap();
        let third = millis * 1_000_000 / 3;
        let mut text = "python = \"3.77.0\"\n[costs.pool]\n[costs.imports]\n".to_owned();
        let hundredth = millis * 10_000;
        text += &format!("[costs.streams]\nopen_ns = {hundredth}\nclose_ns = {hundredth}\n");
        for kind in ["spawn", "server", "tracker", "subinterpreter"] {
            text += &format!("[costs.{kind}]\ninit_ns = {third}\nimport_ns = {third}\nprepare_ns = {third}\n");
        }
        for kind in ["fork", "forkserver"] {
            text += &format!("[costs.{kind}]\nprepare_ns = {}\n", (millis * 1_000_000).min(10_000_000_000));
        }
        text += &format!("[costs.thread]\ninit_ns = {hundredth}\n");
        fs::write(home.file(), text).unwrap();
        home
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gilscope"));
        command.args(args).stdin(Stdio::null()).env("XDG_CONFIG_HOME", self.0.path()).env("LC_ALL", "C.UTF-8");
        command
    }

    fn gilscope(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program runs")
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.gilscope(args);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn refused(&self, args: &[&str]) -> String {
        let output = self.gilscope(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?} prints a result");
        said
    }
}

/// Of each worker: the time until it was there, a core or none.
fn starting(report: &Value) -> Vec<u64> {
    let workers = report["lanes"].as_array().unwrap().iter().filter(|lane| lane["role"] == "worker");
    workers.map(|lane| lane["states_ns"]["starting"].as_u64().unwrap_or(0)).collect()
}

#[test]
fn every_way_to_start_a_worker_is_paid_for_on_a_core() {
    let home = Home::costing(60);
    for (model, least) in [
        ("processes", 60_000_000),
        ("processes:fork", 60_000_000),
        ("processes:forkserver", 60_000_000),
        ("subinterpreters", 60_000_000),
        ("threads", 600_000),
        ("free-threads", 600_000),
        ("hybrid", 600_000),
    ] {
        let report = home.json(&["run", "sum-squares", "-m", model, "-n", "2", "--arg", "n=100", "--json"]);
        assert_eq!(report["experiment"]["startup"]["python"], "3.77.0");
        assert_eq!(report["experiment"]["startup"]["file"], home.file().to_str().unwrap());
        // A birth is `starting` only while it has a core. The CPU clock runs from the fork on, the lane only from when its
        // parent has told the birth: what the child did until then, a part of a thousand or some, is on no lane.
        // Of a thread's birth, which is short, it may be more: its parent tells when it has a core.
        let told = if least > 1_000_000 { least / 100 * 95 } else { least / 100 * 40 };
        let workers = report["lanes"].as_array().unwrap().iter().filter(|lane| lane["role"] == "worker");
        for lane in workers {
            let had: u64 = ["starting", "waiting_core", "unpickling", "waiting_gil"]
                .iter()
                .map(|state| lane["states_ns"][state].as_u64().unwrap_or(0))
                .sum();
            assert!(had >= told, "{model}: {had} ns of {least}: {}", lane["states_ns"]);
            if let Some(on_cpu) = lane["on_cpu_ns"].as_u64() {
                assert!(on_cpu >= least, "{model}: {on_cpu} ns on a core");
            }
        }
    }
}

#[test]
fn connections_of_an_event_loop_are_paid_for_with_its_lock_held() {
    let home = Home::costing(300);
    let size = ["--arg", "connections=40", "--arg", "seconds=0", "--tasks", "2"];
    let args = [&["run", "sockets", "-m", "coroutines", "-n", "2"], &size[..], &["--json"]].concat();
    let held = |report: &Value| report["locks"][0]["held_ns"].as_u64().unwrap();
    let (paid, bare) = (home.json(&args), home.json(&[&args[..], &["--bare"]].concat()));
    // Forty times three milliseconds to open and as many to close.
    assert!(held(&paid) >= 240_000_000, "{}", held(&paid));
    assert!(held(&bare) * 3 < held(&paid), "{} against {}", held(&bare), held(&paid));
}

#[test]
fn bare_pays_nothing_and_says_so() {
    let home = Home::costing(300);
    let args = ["run", "sum-squares", "-m", "processes", "-n", "2", "--arg", "n=100", "--json"];
    let paid = home.json(&args);
    let bare = home.json(&[&args[..], &["--bare"]].concat());
    assert!(bare["experiment"]["startup"].is_null());
    let (paid, bare): (u64, u64) = (starting(&paid).iter().sum(), starting(&bare).iter().sum());
    assert!(bare * 3 < paid, "{bare} against {paid}");
}

#[test]
fn without_a_calibration_of_ones_own_the_built_in_one_is_named() {
    let home = Home::new();
    let args = ["run", "sleep", "-m", "processes:fork", "-n", "1", "--arg", "seconds=0"];
    let report = home.json(&[&args[..], &["--json"]].concat());
    assert_eq!(report["experiment"]["startup"]["python"], "3.13.0");
    assert!(report["experiment"]["startup"]["file"].is_null());
    let table = String::from_utf8(home.gilscope(&args).stdout).unwrap();
    assert!(table.contains("start-up as CPython 3.13.0"), "{table}");
    let args = ["compare", "sleep", "-m", "processes:fork", "-n", "1", "--arg", "seconds=0", "--repeat", "1"];
    let picture = String::from_utf8(home.gilscope(&args).stdout).unwrap();
    assert!(picture.contains("s: start-up as CPython 3.13.0"), "{picture}");
    let bare = String::from_utf8(home.gilscope(&[&args[..], &["--bare"]].concat()).stdout).unwrap();
    assert!(!bare.contains("CPython 3.13.0"), "{bare}");
}

#[test]
fn who_starts_up_for_long_is_stopped_at_once() {
    // Thirty seconds of CPU time a birth: no step may take more than ten.
    let home = Home::costing(29_999);
    let args = ["run", "sum-squares", "-m", "processes", "-n", "2", "--arg", "n=100", "--json"];
    let child = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let told = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["end"], "stopped");
}

#[test]
fn a_damaged_calibration_is_refused_with_its_path_and_bare_does_without_it() {
    let home = Home::costing(1);
    fs::write(home.file(), "python = \"3.77.0\"\n[costs]\n").unwrap();
    for args in [
        &["run", "sleep", "-m", "threads", "-n", "1"][..],
        &["compare", "sleep", "-n", "1"],
        &["compare", "--suite", "notes"],
        &["prices"],
    ] {
        let said = home.refused(args);
        for words in [home.file().to_str().unwrap(), "damaged", "gilscope calibrate", "--bare"] {
            assert!(said.contains(words), "{args:?} does not say {words}: {said}");
        }
    }
    let bare = home.gilscope(&["run", "sleep", "-m", "threads", "-n", "1", "--arg", "seconds=0", "--bare"]);
    assert_eq!(bare.status.code(), Some(0));
    // Who makes no workers pays for none.
    let alone = home.gilscope(&["run", "sleep", "-m", "sequential", "--arg", "seconds=0"]);
    assert_eq!(alone.status.code(), Some(0), "{}", String::from_utf8_lossy(&alone.stderr));
}

/// A program that behaves like a Python, or does not.
fn script(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_measured_is_refused_in_words_and_nothing_is_kept() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let says = |name: &str, text: &str| script(folder.path(), name, text);
    for (python, words) in [
        ("/nowhere/python3".to_owned(), "/nowhere/python3 cannot be run"),
        (says("two", "printf 2.7.18"), "is Python 2.7.18: 3.8 or later"),
        (says("old", "printf 3.7.1"), "3.8 or later"),
        (says("none", "echo hello"), "is no Python"),
        (says("fails", "echo 'no such thing' >&2; exit 3"), "is no Python: no such thing"),
    ] {
        let said = home.refused(&["calibrate", "--python", &python]);
        assert!(said.contains(words) && said.contains("--python PATH"), "{python}: {said}");
    }
    let breaks =
        says("breaks", "[ \"$1\" = -c ] && printf 3.99.0 && exit; echo 'ImportError: no multiprocessing' >&2; exit 1");
    for (python, words) in [
        (breaks, "ImportError: no multiprocessing"),
        (says("mumbles", "[ \"$1\" = -c ] && printf 3.99.0 && exit; echo {}"), "not understood"),
    ] {
        let output = home.gilscope(&["calibrate", "--python", &python]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
    home.refused(&["calibrate", "--repeat", "0"]);
    assert!(!home.file().exists());
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_before_anything_is_measured() {
    let home = Home::new();
    fs::write(home.0.path().join("gilscope"), "a file where a directory should be").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let python = script(folder.path(), "python", &format!("touch {}/asked; printf 3.99.0", folder.path().display()));
    let said = home.refused(&["calibrate", "--python", &python]);
    assert!(said.contains("cannot be kept in") && said.contains("XDG_CONFIG_HOME"), "{said}");
    assert!(!folder.path().join("asked").exists());
}

#[test]
fn what_was_measured_is_kept_used_and_named() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let birth = |elapsed: u64, cpu: u64| format!("{{\"elapsed\": {elapsed}, \"cpu\": {cpu}, \"module\": {}}}", cpu / 2);
    let rows = format!(
        "{{\"bare\": 1000, \"pool\": {{\"before\": 2, \"after\": 1}}, \"tracker\": {0}, \"spawn\": {0}, \"fork\": {0}, \"forkserver_cold\": {1}, \"forkserver\": {0}, \"thread\": {0}, \"streams\": {{\"open\": 64000, \"close\": 13000}}}}",
        birth(9_000_000, 8_000_000),
        birth(20_000_000, 8_000_000)
    );
    let says = format!("[ \"$1\" = -c ] && printf 3.99.0 && exit; echo '{{\"python\": \"3.99.0\", \"rows\": {rows}}}'");
    let python = script(folder.path(), "python", &says);
    let dry = home.gilscope(&["calibrate", "--python", &python, "--repeat", "1", "--dry-run"]);
    assert!(dry.status.success() && !home.file().exists());
    let output = home.gilscope(&["calibrate", "--python", &python, "--repeat", "2"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("CPython 3.99.0") && text.contains("9.00 ms") && text.contains("built in: 3.13.0"), "{text}");
    assert!(text.contains(home.file().to_str().unwrap()), "{text}");
    assert!(text.contains("64.0 µs to open, 13.0 µs to close"), "{text}");
    let report = home.json(&["run", "sum-squares", "-m", "processes", "-n", "1", "--arg", "n=10", "--json"]);
    assert_eq!(report["experiment"]["startup"]["python"], "3.99.0");
    // A damaged one does not stand in the way of a new one.
    fs::write(home.file(), "nonsense").unwrap();
    assert!(home.gilscope(&["calibrate", "--python", &python, "--repeat", "1"]).status.success());
    assert!(home.gilscope(&["run", "sum-squares", "-m", "threads", "-n", "1", "--arg", "n=10"]).status.success());
}

#[test]
fn interrupted_it_leaves_nothing_behind() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    // The script's own child has to go as well.
    let text = format!(
        "[ \"$1\" = -c ] && printf 3.99.0 && exit; sleep 600 & echo $! > {0}/child; wait",
        folder.path().display()
    );
    let python = script(folder.path(), "python", &text);
    let mut command = home.command(&["calibrate", "--python", &python]);
    let mut child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let number = loop {
        assert!(Instant::now() < until, "the script never ran");
        let written = fs::read_to_string(folder.path().join("child")).unwrap_or_default();
        if let Ok(number) = written.trim().parse::<i32>() {
            break number;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let alive = || {
        let status = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        status.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    };
    while alive() {
        assert!(Instant::now() < until, "its child lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!home.file().exists());
    let folder = home.file();
    let kept = fs::read_dir(folder.parent().unwrap()).unwrap().count();
    assert_eq!(kept, 0, "a temporary file is left");
}

#[test]
fn a_real_python_starts_processes_slower_than_threads() {
    let Some(python) = python::python3() else { return };
    let home = Home::new();
    let report =
        home.json(&["calibrate", "--python", python.to_str().unwrap(), "--repeat", "1", "--dry-run", "--json"]);
    let cpu = |kind: &str| {
        let phases = &report["measured"]["costs"][kind];
        ["init_ns", "import_ns", "prepare_ns"].iter().map(|step| phases[step].as_u64().unwrap()).sum::<u64>()
    };
    assert!(cpu("spawn") > cpu("fork") && cpu("fork") > cpu("thread"), "{report}");
    assert!(cpu("server") > cpu("fork"), "{report}");
}
