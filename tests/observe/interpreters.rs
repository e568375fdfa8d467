//! Subinterpreters with locks of their own.

use super::*;

/// What those leave with 0 that have a GIL and interpreters with locks of their own, ...
const OWN_LOCKS: &str =
    "import sys; sys.exit(sys.version_info < (3, 12) or not getattr(sys, '_is_gil_enabled', lambda: True)())";
/// ... and pools of these.
const POOLS: &str =
    "import sys; from concurrent.futures import InterpreterPoolExecutor; sys.exit(not sys._is_gil_enabled())";

/// The interpreters that leave with 0 when they execute this, if takes are recorded here.
fn able(question: &str) -> Vec<PathBuf> {
    let is_able = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", question]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let able: Vec<PathBuf> = pythons().into_iter().filter(|python| exactly() && is_able(python)).collect();
    if able.is_empty() {
        eprintln!("skipped: no CPython found that can, or no watchpoints");
    }
    able
}

fn main_lane(report: &Value) -> u64 {
    named(report, "main")["id"].as_u64().expect("it has a number")
}

#[test]
fn isolated_subinterpreters_have_locks_of_their_own_and_the_fifth_lock_is_sampled() {
    for python in able(OWN_LOCKS) {
        for count in [2, 4] {
            let report = watch(&python, &format!("COUNT = {count}\n{SUBINTERPRETERS}"));
            sound(&report);
            let locks = report["locks"].as_array().expect("it is a list");
            assert_eq!(locks.len(), count + 1, "{}: {locks:#?}", python.display());
            assert!(locks.iter().any(|lock| lock["name"] == "GIL of interpreter 1"), "{locks:#?}");
            // Each thread needs, and holds while it computes, the lock of its own interpreter.
            let mut own: Vec<u64> = lanes(&report).iter().filter_map(|lane| lane["lock"].as_u64()).collect();
            own.sort_unstable();
            own.dedup();
            // Before 3.13 a holder's name may be its maker's. Who took a lock before it was watched (or the fifth, which is
            // not) and keeps it is then not known, and that is what is said.
            let names_are_vague = python.to_string_lossy().contains("3.12");
            assert!(names_are_vague || own.len() == count + 1 || count == 4 && own.len() == 4, "{:#}", report["lanes"]);
            // Where they burn is told of those who do, and not of their makers.
            let burns: Vec<u64> = held_in(&report, "burn");
            assert!(burns.iter().all(|lane| *lane != main_lane(&report)), "{}: {report:#}", python.display());
            assert!(names_are_vague || burns.len() >= 2, "{}: {report:#}", python.display());
            let observer = &report["observer"];
            if count == 2 {
                assert_eq!(observer["engine"], "exact", "{observer}");
                for lane in lanes(&report).iter().filter(|lane| lane["name"] != "main") {
                    let known = share_of_life(lane, &["running", "waiting_core"]);
                    let unknown = share_of_life(lane, &["unknown", "sleeping"]);
                    assert!(share_of_life(lane, &["native"]) < 0.2, "{}: {lane:#}", python.display());
                    assert!(known + unknown > 0.6, "{}: {lane:#}", python.display());
                    assert!(known > 0.6 || names_are_vague, "{}: {lane:#}", python.display());
                }
            } else {
                assert!(observer["reason"].as_str().is_some_and(|why| why.contains("a fifth")), "{observer}");
            }
        }
    }
}

#[test]
fn who_never_drops_the_lock_of_its_interpreter_is_known_to_hold_it_though_nothing_is_recorded_of_it() {
    let code = "import threading, time
try: import _interpreters as it
except ImportError: import _xxsubinterpreters as it
def work():
    mine = it.create()
    (it.exec if hasattr(it, 'exec') else it.run_string)(mine, 'while True: pass')
for name in ('one', 'two'): threading.Thread(target=work, name=name, daemon=True).start()
time.sleep(0.5)
print('up', flush=True)
time.sleep(60)";
    for python in able(OWN_LOCKS) {
        let running = start(&python, code);
        let pid = running.0.id().to_string();
        let report = json(&gilscope(&["attach", &pid, "--for", "1s", "--json"]));
        sound(&report);
        let elapsed = nanos(&report["elapsed_ns"]);
        for name in ["one", "two"] {
            let lane = named(&report, name);
            assert!(share(lane, &["running", "waiting_core"]) > 0.6, "{}: {lane:#}", python.display());
        }
        let own = |lock: &&Value| lock["name"].as_str().is_some_and(|name| name.contains("interpreter"));
        for lock in report["locks"].as_array().into_iter().flatten().filter(own) {
            assert!(nanos(&lock["held_ns"]) > 0.6 * elapsed, "{}: {lock:#}", python.display());
            // Before it was looked at it was not free, but unknown.
            assert!(nanos(&lock["free_ns"]) < 0.005 * elapsed, "{}: {lock:#}", python.display());
        }
    }
}

#[test]
fn interpreters_that_are_made_one_after_the_other_in_one_place_have_locks_of_their_own() {
    let code = "import threading, time
try: import _interpreters as it
except ImportError: import _xxsubinterpreters as it
def work():
    for _ in range(12):
        mine = it.create()
        (it.exec if hasattr(it, 'exec') else it.run_string)(mine, 'end = 0\\nwhile end < 2_000_000: end += 1')
        it.destroy(mine)
time.sleep(0.2)
worker = threading.Thread(target=work, name='maker')
worker.start()
worker.join()";
    for python in able(OWN_LOCKS) {
        let report = watch(&python, code);
        sound(&report);
        let names: Vec<&str> =
            report["locks"].as_array().into_iter().flatten().filter_map(|lock| lock["name"].as_str()).collect();
        assert_eq!(names.len(), 13, "{}: {names:?}", python.display());
        assert!(names.contains(&"GIL of interpreter 1") && names.contains(&"GIL of interpreter 12"), "{names:?}");
        let maker = lanes(&report).iter().find(|lane| lane["name"].as_str().is_some_and(|name| name.contains("maker")));
        let maker = maker.or_else(|| lanes(&report).get(1)).expect("there is a second lane");
        // It computes; before its lock was met that was said to be native code.
        assert!(share(maker, &["running", "waiting_core"]) > 0.6, "{}: {maker:#}", python.display());
        assert!(share(maker, &["native"]) < 0.3, "{}: {maker:#}", python.display());
    }
}

#[test]
fn one_thread_that_enters_interpreters_by_turns_hands_no_lock_over_to_itself() {
    let code = "try: import _interpreters as it
except ImportError: import _xxsubinterpreters as it
import time
mine = [it.create() for _ in range(2)]
run = it.exec if hasattr(it, 'exec') else it.run_string
for turn in range(4):
    for one in mine: run(one, 'import time\\nend = time.monotonic() + 0.1\\nwhile time.monotonic() < end: pass')
    end = time.monotonic() + 0.05
    while time.monotonic() < end: pass";
    for python in able(OWN_LOCKS) {
        let report = watch(&python, code);
        sound(&report);
        for lock in report["locks"].as_array().into_iter().flatten() {
            assert_eq!(lock["handoffs"], 0, "{}: {lock:#}", python.display());
        }
    }
}

#[test]
fn each_worker_of_a_pool_of_interpreters_has_a_lock_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let module =
        "import time\ndef burn(span):\n    end = time.monotonic() + span\n    while time.monotonic() < end: pass\n";
    std::fs::write(folder.path().join("gilscope_pool.py"), module).expect("it can be written");
    let code = "from concurrent.futures import InterpreterPoolExecutor
from gilscope_pool import burn
if __name__ == '__main__':
    with InterpreterPoolExecutor(2) as pool:
        list(pool.map(burn, [0.8] * 2))
";
    for python in able(POOLS) {
        let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
            .args(["watch", "--json", "--python", &python.display().to_string(), "-c", code])
            .env("PYTHONPATH", folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let report = json(&output);
        sound(&report);
        assert_eq!(report["exit_status"], 0, "{report:#}");
        let name = python.display();
        let locks = report["locks"].as_array().expect("it is a list");
        assert_eq!(locks.len(), 3, "{name}: one of the main interpreter, one of each worker: {locks:#?}");
        let burns = held_in(&report, "burn");
        assert_eq!(burns.len(), 2, "{name}: {report:#}");
        let rows = report["held_in"].as_array().into_iter().flatten();
        let burns_of =
            rows.filter(|row| row["function"] == "burn").flat_map(|row| row["lanes"].as_array().into_iter().flatten());
        let held: Vec<f64> = burns_of.map(|it| nanos(&it["held"])).collect();
        // Both for as long as they lived, whichever is looked at first.
        assert!(held[0] < 5.0 * held[1] && held[1] < 5.0 * held[0], "{name}: {:#}", report["held_in"]);
        let mut own = std::collections::BTreeSet::from([named(&report, "main")["lock"].as_u64()]);
        for lane in lanes(&report).iter().filter(|lane| lane["id"].as_u64().is_some_and(|id| burns.contains(&id))) {
            assert!(own.insert(lane["lock"].as_u64()), "{name}: each has its own: {:#}", report["lanes"]);
            // Neither waits for the other; cores they may lack.
            assert!(share(lane, &["waiting_gil"]) < 0.2, "{name}: {lane:#}");
            assert!(share_of_life(lane, &["running", "waiting_core"]) > 0.3, "{name}: {lane:#}");
        }
        assert_eq!(own.len(), 3, "{name}: {:#}", report["lanes"]);
    }
}
