//! Builds without a GIL, and with one that comes back.

use super::*;

#[test]
fn a_gil_that_comes_back_is_an_alarm() {
    let Some(python) = free_threaded().into_iter().next() else { return };
    let spin = "import time
end = time.monotonic() + 0.5
while time.monotonic() < end: pass
";
    let report = watch(&python, spin);
    sound(&report);
    assert!(report["locks"].as_array().is_some_and(Vec::is_empty), "{report:#}");
    assert_eq!(
        (&report["observer"]["engine"], &report["observer"]["alarms"]),
        (&"no_lock".into(), &Value::Array(vec![]))
    );
    assert!(share(named(&report, "main"), &["running", "waiting_core"]) > 0.5, "{report:#}");
    let report = watch(&python, SPIN);
    let spinners: Vec<_> = lanes(&report).iter().filter(|lane| lane["name"] != "main").collect();
    assert_eq!(spinners.len(), 2);
    assert!(spinners.iter().all(|lane| share(lane, &["running", "waiting_core"]) > 0.5), "{report:#}");

    // While a module is imported the GIL is counted as asked for, until it has said that it can do without.
    let imports = "import importlib.util, sys, time
spec = importlib.util.find_spec('_json')
end = time.monotonic() + 1
while spec.origin.endswith('.so') and time.monotonic() < end:
    sys.modules.pop('_json', None)
    importlib.util.module_from_spec(spec)
assert not sys._is_gil_enabled()
";
    let report = watch(&python, imports);
    assert_eq!(report["exit_status"], 0, "{report:#}");
    assert_eq!(report["observer"]["alarms"], Value::Array(vec![]), "{report:#}");
    assert_eq!((&report["observer"]["engine"], &report["python"]["gil_enabled"]), (&"no_lock".into(), &false.into()));

    // A module that does not say that it can do without.
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("needs_gil.c");
    let module = "#include <Python.h>
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, \"needs_gil\", 0, -1, 0};
PyMODINIT_FUNC PyInit_needs_gil(void) { return PyModule_Create(&def); }
";
    std::fs::write(&source, module).unwrap();
    let asked =
        Command::new(&python).args(["-c", "import sysconfig; print(sysconfig.get_paths()['include'])"]).output();
    let include = String::from_utf8(asked.unwrap().stdout).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-I", include.trim(), "-o"]);
    let made = cc.arg(folder.path().join("needs_gil.so")).arg(&source).output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: no C compiler, or no headers of the free-threaded CPython");
        return;
    }
    let path = format!("import sys; sys.path.insert(0, {:?})", folder.path());
    let report = watch(&python, &format!("{spin}{path}\nimport needs_gil\n{}", &spin["import time\n".len()..]));
    sound(&report);
    let alarm = &report["observer"]["alarms"][0]["text"];
    assert!(alarm.as_str().is_some_and(|text| text.contains("the GIL came back")), "{report:#}");
    assert_eq!(report["python"]["gil_enabled"], true);
    assert_eq!(report["locks"].as_array().map(Vec::len), Some(1));
    // What ran before it did so without a lock.
    let ran = report["ran_in"].as_array().expect("they are listed").iter();
    assert!((ran.filter_map(|row| row["ran"].as_f64()).sum::<f64>() - 1.0).abs() < 0.3, "{:#}", report["ran_in"]);
    // In a child, before anybody has looked at it.
    let child = format!(
        "import os\n{path}\nif os.fork() == 0:\n    import needs_gil\n    {}\nelse: os.wait()",
        "sum(range(10**7))"
    );
    let report = watch(&python, &format!("{spin}{child}"));
    let alarm = &report["observer"]["alarms"][0]["text"];
    assert!(alarm.as_str().is_some_and(|text| text.contains("the GIL came back")), "{report:#}");
}

/// Collects garbage, which stops the world, beside two threads that compute.
const COLLECT: &str = "import gc, threading, time
end = time.monotonic() + 1.2
junk = [[i] for i in range(200000)]
def spin():
    while time.monotonic() < end: pass
def collect():
    for _ in range(20):
        gc.collect(); time.sleep(0.01)
threads = [threading.Thread(target=target) for target in (spin, spin, collect)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";

#[test]
fn a_world_that_is_stopped_is_a_lane_that_says_who_stopped_it_and_whom_that_kept_waiting() {
    for python in free_threaded() {
        let report = watch(&python, COLLECT);
        sound(&report);
        assert_eq!(report["locks"], Value::Array(vec![]), "a stopped world is no GIL");
        assert_eq!(report["blame"], Value::Array(vec![]));
        assert_eq!(report["observer"]["engine"], "no_lock");
        let worlds = report["stop_the_world"].as_array().expect("it is a list");
        let Some(world) = worlds.first() else {
            assert!(!report["python"]["version"].as_str().is_some_and(|it| it.starts_with("3.13")), "{report:#}");
            eprintln!("skipped: where {} keeps its world is not known", python.display());
            continue;
        };
        assert_eq!(worlds.len(), 1);
        if !exactly() {
            continue;
        }
        assert_eq!(report["observer"]["missed"], 0, "{:#}", report["observer"]);
        assert!(nanos(&world["stops"]) >= 20.0, "each collection stops it: {world:#}");
        let (stopped, elapsed) = (nanos(&world["stopped_ns"]), nanos(&report["elapsed_ns"]));
        assert!(stopped > 0.0 && stopped < elapsed, "for moments: {world:#}");
        let by = world["by"].as_array().expect("it is a list");
        let sum: f64 = by.iter().map(|by| nanos(&by["ns"])).sum();
        assert!((sum - stopped).abs() <= 1e-9 * stopped, "somebody did: {world:#}");
        // Those that compute are stopped by it, and never by a GIL that is not there.
        assert!(lanes(&report).iter().all(|lane| state(lane, "waiting_gil") == 0.0), "{report:#}");
        let waited: f64 = lanes(&report).iter().map(|lane| state(lane, "waiting_world")).sum();
        assert!(waited > stopped * 0.2, "{waited} of {stopped}: {report:#}");
    }
}

#[test]
fn each_subinterpreter_stops_a_world_of_its_own() {
    // 3.13 has the module and no promise to keep it so.
    let code = "import gc, threading, time, _interpreters
def run(script):
    it = _interpreters.create()
    _interpreters.run_string(it, script)
    _interpreters.destroy(it)
collect = 'import gc, time\\njunk = [[i] for i in range(50000)]\\nfor _ in range(30): gc.collect(); time.sleep(0.01)\\n'
rest = 'import time\\ntime.sleep(0.5)\\n'
for script in (collect, rest):
    thread = threading.Thread(target=run, args=(script,))
    thread.start()
    thread.join()
";
    for python in free_threaded().into_iter().filter(|_| exactly()) {
        let report = watch(&python, code);
        sound(&report);
        let worlds = report["stop_the_world"].as_array().expect("it is a list");
        if worlds.is_empty() {
            eprintln!("skipped: where {} keeps its world is not known", python.display());
            continue;
        }
        let names: Vec<&str> = worlds.iter().filter_map(|world| world["name"].as_str()).collect();
        let expected = ["stop-the-world", "stop-the-world of interpreter 1", "stop-the-world of interpreter 2"];
        assert_eq!(names, expected, "{report:#}");
        let stops = |index: usize| nanos(&worlds[index]["stops"]);
        // Either stops it some times when it begins and ends.
        assert!(stops(1) >= stops(2) + 30.0, "the first collects, the second does not: {worlds:#?}");
        // One had the register after the other.
        let sampled = |index: usize| {
            let locks = report["observer"]["locks"].as_array().expect("it is a list").iter();
            locks.filter(|lock| lock["lock"] == worlds[index]["id"]).map(|lock| nanos(&lock["sampled_ns"])).sum::<f64>()
        };
        assert_eq!((sampled(1), sampled(2)), (0.0, 0.0), "{:#}", report["observer"]);
        assert_eq!(report["observer"]["missed"], 0, "{:#}", report["observer"]);
    }
}

#[test]
fn without_a_lock_it_is_told_in_which_functions_threads_run() {
    let code = "import threading, time
end = time.monotonic() + 2
def long():
    for i in range(300000): pass
def short():
    for i in range(100000): pass
def work():
    while time.monotonic() < end:
        long(); short()
def rest(): time.sleep(2)
threads = [threading.Thread(target=it, name=it.__name__) for it in (work, work, rest)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    let both = |python: PathBuf| [Some(watch(&python, code)), watch_refused(&python, code)];
    for report in free_threaded().into_iter().flat_map(both).flatten() {
        sound(&report);
        assert_eq!(report["held_in"], Value::Array(vec![]), "nobody holds anything");
        let rows = report["ran_in"].as_array().expect("it is a list");
        let sum = |of: fn(&Value) -> f64, name: &str| -> f64 {
            rows.iter().filter(|row| row["function"] == name).map(of).sum()
        };
        let (long, short) = (sum(|row| nanos(&row["ran"]), "long"), sum(|row| nanos(&row["ran"]), "short"));
        // Each look is at one of them, and some are at neither.
        assert!(long + short > 0.7 && long + short < 1.0 + 1e-6, "{rows:#?}");
        assert!((0.6..0.9).contains(&(long / (long + short))), "three to one: {rows:#?}");
        // Both threads have their turn.
        let parts = || rows.iter().flat_map(|row| row["lanes"].as_array().into_iter().flatten());
        let lanes_of =
            |lane: &Value| parts().filter(|it| it["lane"] == *lane).map(|it| nanos(&it["looks"])).sum::<f64>();
        for lane in lanes(&report).iter().filter(|lane| lane["name"] == "work") {
            let looks = lanes_of(&lane["id"]);
            assert!(looks >= 20.0, "{looks}: {rows:#?}");
        }
        let rests = lanes_of(&named(&report, "rest")["id"]);
        assert!(rests <= 2.0, "who sleeps runs nowhere: {rows:#?}");
        let lines = |row: &&Value| row["function"] == "long" && !row["line"].is_null();
        assert!(rows.iter().filter(lines).all(|row| [3, 4].map(Value::from).contains(&row["line"])), "{rows:#?}");
    }
}

#[test]
fn without_a_lock_who_runs_python_in_a_subinterpreter_runs_and_is_no_native_code() {
    let body = "import time\\ndef f():\\n e = time.perf_counter() + 1.5\\n while time.perf_counter() < e: pass\\nf()";
    let code = format!(
        "import threading
try: import _interpreters as it
except ImportError: raise SystemExit(3)
def run(): it.exec(it.create('isolated'), '{body}')
t = threading.Thread(target=run, name='inside'); t.start(); t.join()
"
    );
    for python in free_threaded() {
        let report = watch(&python, &code);
        if report["exit_status"] == 3 {
            continue;
        }
        sound(&report);
        let inside = named(&report, "inside");
        let (runs, native) = (state(inside, "running"), state(inside, "native"));
        assert!(runs > 5.0 * native && runs > 0.0, "{}: {inside:#}", python.display());
    }
}

#[test]
fn without_a_lock_a_thread_that_runs_code_in_a_subinterpreter_is_seen_there() {
    for python in free_threaded() {
        let report = watch(&python, &format!("COUNT = 2\n{SUBINTERPRETERS}"));
        sound(&report);
        let rows = report["ran_in"].as_array().expect("it is a list");
        let burn = rows.iter().find(|row| row["function"] == "burn").unwrap_or_else(|| panic!("{rows:#?}"));
        assert!(nanos(&burn["ran"]) > 0.5 && burn["lane_count"] == 2, "{burn:#}");
        for lane in lanes(&report).iter().filter(|lane| lane["name"] != "main") {
            // One is attached there and not in the main interpreter, of which it has a state, too.
            assert!(share_of_life(lane, &["native"]) < 0.2, "{lane:#}");
        }
    }
}

#[test]
fn what_a_parked_thread_waits_for_is_told() {
    let code = "import threading, time
end = time.monotonic() + 1.5
shared, lock = dict.fromkeys(range(500000)), threading.Lock()
def copy():
    while time.monotonic() < end: shared.copy()
def locked():
    while time.monotonic() < end:
        with lock:
            until = time.monotonic() + 0.02
            while time.monotonic() < until: pass
threads = [threading.Thread(target=target) for target in (copy, copy, locked, locked)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    for python in free_threaded() {
        let report = watch(&python, code);
        sound(&report);
        let seen = |what: &str, lane: &Value| nanos(&lane["waited_for"][what]["ns"]);
        let all = |what: &str| lanes(&report).iter().map(|lane| seen(what, lane)).sum::<f64>();
        assert!(all("the lock of a dict object") > 0.0, "{:#}", report["lanes"]);
        assert!(all("a threading.Lock") > 0.0, "{:#}", report["lanes"]);
        let main = named(&report, "main")["waited_for"].as_object().expect("it waits for the others");
        assert!(main.keys().any(|what| what.starts_with("the end of ")), "{main:?}");
        for lane in lanes(&report) {
            let locks = seen("the lock of a dict object", lane) + seen("a threading.Lock", lane);
            assert!(locks <= state(lane, "waiting_lock") * 1.001 + 1e6, "no more than it slept in locks: {lane:#}");
        }
    }
}

#[test]
fn a_gil_that_is_on_in_a_free_threaded_build_is_followed_beside_its_world() {
    for python in free_threaded().into_iter().filter(|_| exactly()) {
        let path = python.display().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
            .args(["watch", "--json", "--python", &path, "-c", COLLECT])
            .env("PYTHON_GIL", "1")
            .output()
            .expect("the program runs");
        let report = json(&output);
        sound(&report);
        assert_eq!(report["observer"]["engine"], "exact", "{:#}", report["observer"]);
        assert_eq!(
            (report["locks"].as_array().map(Vec::len), &report["python"]["gil_enabled"]),
            (Some(1), &true.into())
        );
        assert!(nanos(&report["locks"][0]["handoffs"]) > 10.0, "{report:#}");
        let kinds: Vec<_> =
            report["observer"]["locks"].as_array().into_iter().flatten().map(|it| &it["kind"]).collect();
        assert!(kinds.contains(&&Value::from("gil")), "{kinds:?}");
        if let Some(world) = report["stop_the_world"].get(0) {
            assert!(nanos(&world["stops"]) >= 20.0, "{world:#}");
        }
    }
}
