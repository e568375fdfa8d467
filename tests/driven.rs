//! Workloads in a real CPython: driven by our script, guarded by our program, and nothing left of them.

#[path = "common/python.rs"]
mod python;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gilscope::engine::driven::{self, Driven, Order};
use gilscope::engine::{Signal, Source, TaskOutcome};
use gilscope::event::Nanos;
use gilscope::model;
use gilscope::program::Program;
use gilscope::workload;

/// The full path of the tests' python3.
fn interpreter() -> Option<PathBuf> {
    let found = python::run_python(&python::python3()?, "import sys; print(sys.executable, end='')", b"");
    Some(String::from_utf8(found).expect("a path").into())
}

fn start(python: PathBuf, workload: &str, id: &str, args: &[(&str, i64)]) -> Driven {
    let workload = workload::load(workload).or_else(|_| workload::load_for_cpython(workload)).expect("it is there");
    let model = model::find(id).expect("it is there");
    let args = args.iter().map(|(name, value)| ((*name).to_owned(), workload::ArgValue::Int(*value))).collect();
    let plan = model.plan_over(4, Some(2)).expect("it is possible");
    let switch_interval = Nanos::from_millis(5);
    let order = Order { workload: &workload, model, plan, args, tasks: 4, switch_interval, python };
    driven::start_under(env!("CARGO_BIN_EXE_gilscope").as_ref(), &order).expect("it starts")
}

/// Everything it says, until it is over.
fn see_through(run: &mut Driven) -> Vec<Signal> {
    let mut said = Vec::new();
    let end = Instant::now() + Duration::from_secs(60);
    while !matches!(said.last(), Some(Signal::Ended(_) | Signal::Failed(_) | Signal::Stopped)) {
        assert!(Instant::now() < end, "it does not end: {said:?}");
        run.poll(&mut |signal| said.push(signal));
        std::thread::sleep(Duration::from_millis(5));
    }
    said
}

/// Whether any process of the group is left.
fn left(group: u32) -> bool {
    let group = rustix::process::Pid::from_raw(group.cast_signed()).expect("a group");
    rustix::process::test_kill_process_group(group).is_ok()
}

/// A comparison's row of a model; none, visibly, if nothing is seen of it here.
fn compared(python: &str, model: &str, workload: &[&str]) -> Option<serde_json::Value> {
    let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"));
    gilscope.arg("compare").args(workload).args(["--engine", "cpython", "--python", python, "-m", model]);
    let output = gilscope.args(["--repeat", "1", "--json"]).stdin(Stdio::null()).output();
    let output = output.expect("the program runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let rows = report["runs"].as_array().expect("it is a list");
    let run = rows.iter().find(|run| run["model"] == model).unwrap_or_else(|| panic!("{report:#}"));
    if run["observed"]["engine"] == "cores_only" || run["ledger_ns"].is_null() {
        eprintln!("skipped: nothing is seen of it here");
        return None;
    }
    Some(run.clone())
}

#[test]
fn processes_are_starting_until_they_do_tasks() {
    let Some(python) = interpreter() else { return };
    for (model, workers) in [("processes", "2"), ("processes:fork", "2"), ("hybrid", "4")] {
        let workload = ["sum-squares", "--arg", "n=300000", "-n", workers];
        let Some(run) = compared(&python.to_string_lossy(), model, &workload) else { return };
        let of = |state: &str| run["ledger_ns"][state].as_f64().unwrap_or_default();
        assert!(of("starting") > 0.0, "{model}: {run:#}");
        // A forked child starts in a few milliseconds, and until it is observed it is not known what it does.
        assert!(model != "processes" || of("unknown") < of("starting"), "{model}: {run:#}");
        assert!(of("running") > 0.0, "{model}: {run:#}");
    }
}

#[test]
fn who_runs_an_interpreter_of_its_own_is_starting_until_that_can_do_tasks() {
    let named = std::env::var_os("GILSCOPE_PYTHONS").unwrap_or_default();
    let listed = Command::new(env!("CARGO_BIN_EXE_gilscope")).args(["list", "pythons", "--json"]).output();
    let listed: Vec<serde_json::Value> =
        serde_json::from_slice(&listed.expect("the program runs").stdout).expect("it is JSON");
    let listed = listed.iter().filter(|row| row["kind"] == "python").filter_map(|row| row["id"].as_str());
    let has_pool = "import concurrent.futures as it, sys; sys.exit(not hasattr(it, 'InterpreterPoolExecutor'))";
    let python = std::env::split_paths(&named).chain(listed.map(PathBuf::from)).find(|python| {
        Command::new(python).args(["-c", has_pool]).stderr(Stdio::null()).status().is_ok_and(|it| it.success())
    });
    let Some(python) = python else {
        eprintln!("skipped: no CPython from 3.14 on");
        return;
    };
    let workload = ["sleep", "--arg", "seconds=0.005", "-n", "2"];
    let Some(run) = compared(&python.to_string_lossy(), "subinterpreters", &workload) else { return };
    let of = |state: &str| run["ledger_ns"][state].as_f64().unwrap_or_default();
    // An interpreter is made and imports in tens of milliseconds; what the tasks run is a call.
    assert!(of("starting") > 2.0 * of("running"), "{run:#}");
    assert!(of("starting") > of("io"), "{run:#}");
}

#[test]
fn every_model_does_the_same_work_in_cpython() {
    let Some(python) = interpreter() else { return };
    for id in ["sequential", "threads", "processes", "processes:fork", "processes:forkserver", "hybrid"] {
        let mut run = start(python.clone(), "sum-squares", id, &[("n", 1000)]);
        run.go();
        let said = see_through(&mut run);
        let results: Vec<_> = said.iter().filter(|signal| matches!(signal, Signal::Task { .. })).collect();
        assert_eq!(results.len(), 4, "{id}: {said:?}");
        for result in results {
            let Signal::Task { outcome, .. } = result else { continue };
            assert_eq!(*outcome, TaskOutcome::Value("332833500".to_owned()), "{id}");
        }
        let began = said.iter().find_map(|signal| if let Signal::Began(at) = signal { Some(*at) } else { None });
        assert!(matches!(said.last(), Some(Signal::Ended(at)) if Some(*at) > began), "{id}: {said:?}");
        assert!(!left(run.group()), "{id} leaves nothing behind");
    }
}

#[test]
fn an_exception_is_told_with_its_line() {
    let Some(python) = interpreter() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.py");
    std::fs::write(&file, "def work(task):\n    return 1 // task\n").expect("it can be written");
    for id in ["threads", "processes:fork"] {
        let mut run = start(python.clone(), file.to_str().expect("it is UTF-8"), id, &[]);
        run.go();
        let said = see_through(&mut run);
        let first = said.iter().find_map(|signal| match signal {
            Signal::Task { task, outcome } if task.0 == 0 => Some(outcome.clone()),
            _ => None,
        });
        // The rest of its words differs by version.
        assert!(
            matches!(&first, Some(TaskOutcome::Error { text, line: Some(2) }) if text.starts_with("ZeroDivisionError: ")),
            "{id}: {first:?}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_loaded_says_so_and_a_stopped_run_leaves_nothing() {
    let Some(python) = interpreter() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.py");
    std::fs::write(&file, "import math\nassert math.pi < 3\ndef work():\n    pass\n").expect("it can be written");
    let mut run = start(python.clone(), file.to_str().expect("it is UTF-8"), "threads", &[]);
    let said = see_through(&mut run);
    assert!(
        matches!(said.last(), Some(Signal::Failed(why)) if why.contains("could not be loaded: AssertionError")),
        "{said:?}"
    );

    let mut run = start(python, "sleep", "processes", &[("seconds", 1000)]);
    run.go();
    let end = Instant::now() + Duration::from_secs(60);
    let mut begun = false;
    while !begun && Instant::now() < end {
        run.poll(&mut |signal| begun |= matches!(signal, Signal::Began(_)));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(begun && left(run.group()));
    run.stop();
    assert!(!left(run.group()));
}

#[test]
fn a_module_that_is_missing_is_named_and_what_to_do_whoever_loads_the_file() {
    let Some(python) = interpreter() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.py");
    let failed = |body: &str, model: &str| {
        std::fs::write(&file, format!("{body}\ndef work():\n    pass\n")).expect("it can be written");
        let mut run = start(python.clone(), file.to_str().expect("it is UTF-8"), model, &[]);
        run.go();
        match see_through(&mut run).pop() {
            Some(Signal::Failed(why)) => why,
            said => panic!("{said:?}"),
        }
    };
    let why = failed("import math\nimport nowhere_to_be_found", "threads");
    assert!(why.contains("No module named 'nowhere_to_be_found' (line 2). "), "{why}");
    assert!(why.contains("Install it for ") && why.contains("--python"), "{why}");
    // That the pool is broken is what follows from it.
    let in_children = "import multiprocessing\nif multiprocessing.parent_process():\n    import nowhere_to_be_found";
    let why = failed(in_children, "processes:spawn");
    assert!(why.contains("in a worker the file could not be loaded") && why.contains("Install it for "), "{why}");
    let why = failed("import math.nowhere", "threads");
    assert!(why.contains("'math' is not a package") && !why.contains("Install"), "{why}");
}

/// Whether a process is there and not just unreaped.
fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn the_guard_kills_what_it_guards_when_its_maker_is_killed() {
    // The maker is a shell, in a group of its own; what is guarded makes a process of its own.
    let guard = env!("CARGO_BIN_EXE_gilscope");
    let script = format!("'{guard}' __guard $$ sh -c 'sleep 1000 & echo $!; exec sleep 1000' & wait");
    let mut maker = Command::new("sh")
        .args(["-c", &script])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut line = String::new();
    let mut printed = std::io::BufReader::new(maker.stdout.take().expect("it is piped"));
    std::io::BufRead::read_line(&mut printed, &mut line).expect("a number");
    let grandchild: i32 = line.trim().parse().expect("a number");
    assert!(lives(grandchild));
    maker.kill().expect("it is our child");
    maker.wait().expect("it is our child");
    let end = Instant::now() + Duration::from_secs(20);
    while lives(grandchild) {
        assert!(Instant::now() < end, "the grandchild outlives its maker");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_tidies_up_behind_a_program_has_the_time_to_when_that_is_stopped() {
    let Some(python) = interpreter() else { return };
    let code = "import multiprocessing, time
lock = multiprocessing.get_context('spawn').Lock()
print(lock._semlock.name, flush=True)
time.sleep(1000)";
    let command = [python.as_os_str(), "-c".as_ref(), code.as_ref()].map(ToOwned::to_owned);
    let mut program = Program::start_under(env!("CARGO_BIN_EXE_gilscope").as_ref(), &command, &[]).expect("it starts");
    let end = Instant::now() + Duration::from_secs(20);
    while !program.output().ends_with('\n') {
        assert!(Instant::now() < end && program.poll().is_none(), "it makes no lock: {}", program.errors());
        std::thread::sleep(Duration::from_millis(5));
    }
    let file = format!("/dev/shm/sem.{}", program.output().trim().trim_start_matches('/'));
    assert!(std::path::Path::new(&file).exists(), "{file}");
    let group = program.group();
    program.stop();
    assert!(!left(group));
    assert!(!std::path::Path::new(&file).exists(), "{file} is left behind");
}
