//! Children, programs that are executed, and how each starts and ends.

use super::*;

#[test]
fn who_executes_another_program_holds_its_old_lock_no_longer_and_is_alone() {
    let Some(python) = python() else { return };
    for executor in ["run()", "t = threading.Thread(target=run); t.start(); t.join()"] {
        let code = format!(
            "import os, threading, time
def run():
    end = time.monotonic() + 0.3
    while time.monotonic() < end: pass
    os.execv('/bin/sleep', ['sleep', '1.5'])
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
{executor}
"
        );
        let report = watch(&python, &code);
        sound(&report);
        assert_eq!(report["exit_status"], 0, "{report:#}");
        let held: f64 = lanes(&report).iter().map(|lane| state(lane, "running")).sum();
        assert!(held < nanos(&report["elapsed_ns"]) * 0.6, "{executor}: it sleeps as another program: {report:#}");
        if report["observer"]["switch_records_refused"].is_null() {
            let others = lanes(&report).iter().filter(|lane| lane["tid"] != report["pid"]);
            let gone = others.map(|lane| state(lane, "done")).fold(f64::MAX, f64::min);
            assert!(gone > 1e9, "{executor}: the others ended as it executed: {report:#}");
        }
    }
}

#[test]
fn if_another_thread_executes_a_program_the_first_has_ended_and_the_program_has_a_lane_of_its_own() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import os, sys, threading, time
def run():
    time.sleep(0.5)
    os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(1)'])
threading.Thread(target=run).start()
while True: pass
";
    let report = watch(&python, code);
    sound(&report);
    let firsts: Vec<_> = lanes(&report).iter().filter(|lane| lane["tid"] == report["pid"]).collect();
    assert_eq!(firsts.len(), 2, "{report:#}");
    for first in &firsts {
        assert_eq!(first["end"], "done", "{first:#}");
        assert!(nanos(&first["on_cpu_ns"]) > 0.0, "{first:#}");
    }
    assert!(state(firsts[0], "running") > 0.0 && state(firsts[0], "done") > 0.8e9, "{:#}", firsts[0]);
    assert!(state(firsts[1], "unborn") > 0.4e9 && state(firsts[1], "io") > 0.6e9, "{:#}", firsts[1]);
}

#[test]
fn a_child_that_has_ended_before_its_lock_was_watched_is_no_reason_to_sample() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import os
for _ in range(150):
    child = os.fork()
    if child == 0: os._exit(0)
    os.waitpid(child, 0)
";
    let report = watch(&python, code);
    sound(&report);
    let said = &report["observer"]["reason"];
    assert!(!said.as_str().is_some_and(|why| why.contains("has ended")), "{:#}", report["observer"]);
    let locks = report["locks"].as_array().expect("they are listed");
    assert!(lanes(&report).len() >= locks.len(), "{report:#}");
}

#[test]
fn the_lock_of_a_program_that_was_executed_bears_its_name() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let second = folder.path().join("second.py");
    std::fs::write(&second, "import time; time.sleep(0.5)").expect("it can be written");
    let code = format!("import os, sys, time; time.sleep(0.5); os.execv(sys.executable, ['python', {second:?}])");
    let report = watch(&python, &code);
    sound(&report);
    let names: Vec<_> = report["locks"].as_array().into_iter().flatten().map(|lock| &lock["name"]).collect();
    assert_eq!(names, ["GIL", "GIL (second.py)"], "{report:#}");
}

#[test]
fn each_of_many_short_lived_children_that_execute_python_has_a_lane() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import subprocess, sys
for _ in range(8):
    children = [subprocess.Popen([sys.executable, '-S', '-E', '-c', 'pass']) for _ in range(10)]
    for child in children: child.wait()
";
    let report = watch(&python, code);
    let processes: std::collections::BTreeSet<u64> =
        lanes(&report).iter().filter_map(|lane| lane["pid"].as_u64()).collect();
    // On a machine that lets us wait for so long that records are lost nobody tells of some births.
    assert!(processes.len() == 81 || report["observer"]["records_lost"] != 0, "{}: {report:#}", processes.len());
    for lane in lanes(&report) {
        assert!(lane["end"].is_string(), "{lane:#}");
    }
}

#[test]
fn children_have_locks_and_lanes_of_their_own() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import os, subprocess, time
subprocess.run(['true'])
for _ in range(2):
    if os.fork() == 0:
        end = time.monotonic() + 0.5
        while time.monotonic() < end: pass
        os._exit(0)
os.wait(); os.wait()
";
    let report = watch(&python, code);
    sound(&report);
    assert_eq!(report["locks"].as_array().map(Vec::len), Some(3), "{:#}", report["locks"]);
    for process in ["process 2", "process 3"] {
        let lane = named(&report, process);
        assert_ne!(lane["pid"], report["pid"]);
        assert!(share(lane, &["running", "waiting_core"]) > 0.5, "{lane:#}");
    }
}

#[test]
fn children_that_end_before_anybody_has_looked_have_lanes_all_the_same() {
    // Each ends at once or after a moment; every fifth makes one, too. Of one that executes something else nothing is shown.
    let code = "import os, subprocess, time
for number in range(40):
    if os.fork() == 0:
        if number % 5 == 0:
            if os.fork() == 0: os._exit(0)
            os.wait()
        elif number % 2:
            time.sleep(0.001)
        os._exit(0)
    os.wait()
    if number % 10 == 0: subprocess.run(['true'])
";
    for python in pythons() {
        if !exactly() {
            return;
        }
        let report = watch(&python, code);
        sound(&report);
        let name = python.display();
        if report["observer"]["records_lost"] != 0 {
            eprintln!("{name}: skipped: the kernel dropped records");
            continue;
        }
        let all = lanes(&report);
        assert_eq!(all.len(), 1 + 40 + 8, "{name}: {:#}", report["observer"]);
        let (main, children) = (&all[0], &all[1..]);
        for lane in children {
            // Of one that ended before a descriptor of it could be had nobody tells with which status.
            let end = lane["end"].as_str().unwrap_or_default();
            assert!(end == "done" || end == "ended (with which status its parent alone is told)", "{name}: {lane:#}");
            let life = nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
            assert!(life > 0.0 && nanos(&lane["on_cpu_ns"]) > 0.0, "{name}: it lived, and on a core: {lane:#}");
            assert!(nanos(&lane["on_cpu_ns"]) <= life + 1e6, "{name}: no longer than it lived: {lane:#}");
        }
        assert_eq!(children.iter().filter(|lane| lane["parent"] == main["id"]).count(), 40, "{name}");
        assert_eq!(report["observer"]["ended_unseen"], 0, "{name}");
    }
}

#[test]
fn what_a_child_does_is_known_that_fails_to_execute_a_program() {
    let code = "import os, subprocess, time
time.sleep(0.2)
for number in range(20):
    if number % 2:
        if os.fork() == 0:
            try: os.execv('/no/such/program', ['x'])
            except OSError: pass
            os._exit(127)
        os.wait()
    else:
        try: subprocess.run(['/no/such/program'], close_fds=False)
        except OSError: pass
    time.sleep(0.02)
";
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, code);
    sound(&report);
    if report["observer"]["records_lost"] != 0 {
        eprintln!("skipped: the kernel dropped records");
        return;
    }
    let children = &lanes(&report)[1..];
    let lived = |lane: &Value| nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
    let known = |lane: &&Value| state(lane, "unknown") * 2.0 < lived(lane);
    assert!(children.iter().filter(known).count() * 4 >= children.len() * 3, "{children:#?}");
    assert!(children.iter().filter(|lane| state(lane, "running") > 0.0).count() >= 6, "the forked: {children:#?}");
    assert!(children.iter().filter(|lane| state(lane, "running") == 0.0).count() >= 6, "the others: {children:#?}");
}

#[test]
fn forked_processes_are_known_from_birth_and_so_are_those_that_they_fork() {
    let code = "import os, threading, time
def work(s):
    end = time.monotonic() + s
    while time.monotonic() < end: pass
def child(depth):
    threads = [threading.Thread(target=work, args=(0.2,)) for _ in range(2)]
    for thread in threads: thread.start()
    if depth and os.fork() == 0: child(depth - 1)
    work(0.2)
    for thread in threads: thread.join(1)
    if depth: os.wait()
    os._exit(0)
work(0.1)
for _ in range(2):
    if os.fork() == 0: child(2)
for _ in range(2): os.wait()
";
    for python in pythons().iter().filter(|_| exactly()) {
        let report = watch(python, code);
        sound(&report);
        if report["observer"]["records_lost"] != 0 || python.to_string_lossy().ends_with('t') {
            eprintln!("skipped: the kernel dropped records, or there is no lock");
            continue;
        }
        assert_eq!(report["observer"]["missed"], 0, "{python:?}: {:#}", report["observer"]);
        let forked: Vec<&Value> = lanes(&report).iter().filter(|lane| lane["name"] != "main").collect();
        assert_eq!(forked.len(), 18, "{python:?}");
        let unknown: f64 = forked.iter().map(|lane| state(lane, "unknown")).sum();
        let running: f64 = forked.iter().map(|lane| state(lane, "running")).sum();
        assert!(unknown * 50.0 < running, "{python:?}: {unknown} of {running}: {forked:#?}");
    }
}

#[test]
fn a_forked_process_that_takes_its_lock_too_often_is_alone_in_being_sampled() {
    let code = "import os, time
def work(s):
    end = time.monotonic() + s
    while time.monotonic() < end: pass
work(0.1)
if os.fork() == 0:
    for _ in range(20_000): time.sleep(0)
    os._exit(0)
if os.fork() == 0:
    for _ in range(20): work(0.02); time.sleep(0.005)
    if os.fork() == 0: work(0.1); os._exit(0)
    os.wait()
    os._exit(0)
os.wait(); os.wait()
";
    let Some(python) = python().filter(|_| exactly()) else { return };
    let report = watch(&python, code);
    sound(&report);
    assert!(report["observer"]["guard_trips"].as_u64() >= Some(1), "{:#}", report["observer"]);
    // Which of the two that are forked at nearly the same time is met first is no matter.
    assert_eq!(named(&report, "main")["evidence"], "exact", "{:#}", report["observer"]);
    let forked = ["process 2", "process 3", "process 4"].map(|name| named(&report, name)["evidence"].clone());
    let sampled = forked.iter().filter(|evidence| **evidence == "sampled").count();
    assert_eq!(sampled, 1, "{forked:?}: {:#}", report["observer"]);
    let locks = report["observer"]["locks"].as_array().expect("there are locks");
    let watched = locks.iter().skip(1).filter(|lock| lock["engine"] == "exact");
    let takes: Vec<u64> = watched.filter_map(|lock| lock["exact_takes"].as_u64()).collect();
    let most = takes.iter().max().copied().unwrap_or_default();
    assert!(takes.len() == 2 && (20..60).contains(&most), "each take once: {takes:?}");
}

#[test]
fn children_are_followed_where_no_records_tell_of_their_births() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = "import os, time
def life():
    end = time.monotonic() + 0.8
    while time.monotonic() < end: pass
    os._exit(0)
if os.fork() == 0:
    if os.fork() == 0: life()
    life()
os.wait()
time.sleep(0.3)
";
    let Some(output) = refused(298, &["watch", "--json", "--python", &path, "-c", code]) else { return };
    let report = json(&output);
    sound(&report);
    assert_eq!(report["locks"].as_array().map(Vec::len), Some(3), "{:#}", report["locks"]);
    let [first, child, grandchild] = ["main", "process 2", "process 3"].map(|name| named(&report, name));
    for (lane, parent) in [(child, first), (grandchild, child)] {
        assert_eq!(lane["parent"], parent["id"], "{lane:#}");
        assert_eq!(lane["end"], "done", "{lane:#}");
        assert!(share(lane, &["running"]) > 0.5, "{lane:#}");
    }
}

#[test]
fn where_no_records_tell_of_births_short_children_are_looked_for_and_it_is_said_that_some_may_be_missed() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let run =
        |code: &str| refused(298, &["watch", "--json", "--python", &path, "-c", code]).map(|output| json(&output));
    let said = |report: &Value| report["observer"]["alarms"].to_string().contains("may have been missed");
    let code = "import os, time
time.sleep(0.1)
for _ in range(20):
    if os.fork() == 0:
        end = time.monotonic() + 0.05
        while time.monotonic() < end: pass
        os._exit(0)
    os.wait()
    time.sleep(0.01)
";
    let Some(report) = run(code) else { return };
    sound(&report);
    assert!(said(&report), "{:#}", report["observer"]);
    assert!(lanes(&report).len() > 1 + 16, "nearly all of them are seen: {:#}", report["lanes"]);
    let alone = run("import time\ntime.sleep(0.5)").expect("it was refused before");
    assert!(!said(&alone), "{:#}", alone["observer"]);
}

#[test]
fn a_child_that_executes_another_program_has_no_lock_before_it_does() {
    for python in pythons() {
        if !exactly() {
            return;
        }
        let report =
            watch(&python, "import subprocess\nfor _ in range(10): subprocess.run(['true'], close_fds=True)\n");
        sound(&report);
        assert_eq!(lanes(&report).len(), 1, "{}: {:#}", python.display(), report["lanes"]);
        assert!(report["locks"].as_array().is_some_and(|locks| locks.len() <= 1), "{:#}", report["locks"]);
    }
}

#[test]
fn an_interpreter_that_is_being_set_up_is_starting() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code =
        "import subprocess, sys\nfor _ in range(4): subprocess.run([sys.executable, '-c', 'sum(range(10**6))'])\n";
    let report = watch(&python, code);
    sound(&report);
    assert_eq!(lanes(&report).len(), 5, "{:#}", report["lanes"]);
    // On a busy machine one or the other may take longer than we wait for it to turn out to be Python. From when it has set
    // itself up until we have looked it is unknown, a few milliseconds.
    let lived = |lane: &Value| nanos(&report["elapsed_ns"]) - state(lane, "unborn") - state(lane, "done");
    let seen = |lane: &&Value| state(lane, "starting") > 1e6 && state(lane, "unknown") * 3.0 < lived(lane);
    assert!(lanes(&report).iter().filter(seen).count() >= 3, "{:#}", report["lanes"]);
    assert!(lanes(&report).iter().all(|lane| state(lane, "running") > 0.0), "{:#}", report["lanes"]);
}

#[test]
fn how_each_child_ended_is_told() {
    let code = "import os, signal, sys, threading, time
def spin(span):
    end = time.monotonic() + span
    while time.monotonic() < end: pass
def killed():
    threading.Thread(target=spin, args=(9,)).start()
    spin(9)
ways = [killed, os.abort, lambda: os._exit(3), lambda: os._exit(0)]
children = []
for way in ways:
    child = os.fork()
    if child == 0:
        spin(0.3)
        way()
    children.append(child)
time.sleep(0.8)
os.kill(children[0], signal.SIGKILL)
for child in children: os.waitpid(child, 0)
print(*children)
";
    let unknown = "ended (with which status its parent alone is told)";
    for python in pythons() {
        let report = watch(&python, code);
        sound(&report);
        let output = report["output"].as_str().unwrap_or_default();
        let children: Vec<u64> = output.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        let ends = |pid: u64| -> Vec<&str> {
            let of_child = lanes(&report).iter().filter(|lane| lane["pid"] == pid);
            of_child.filter_map(|lane| lane["end"].as_str()).collect()
        };
        let expected = ["killed by SIGKILL", "killed by SIGABRT", "ended with status 3", "done"];
        assert_eq!(children.len(), expected.len(), "{output}");
        for (child, expected) in children.into_iter().zip(expected) {
            let ends = ends(child);
            // Before Linux 6.15 nobody tells once the parent has asked.
            let is_true = |end: &&str| *end == expected || *end == unknown;
            assert!(!ends.is_empty() && ends.iter().all(is_true), "{}: {ends:?}: {report:#}", python.display());
            if kernel_is_at_least(6, 15) {
                assert_eq!(ends[0], expected, "{}: {report:#}", python.display());
            }
        }
    }
}

/// Whether the kernel is of this version or later.
fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let numbers: Vec<u32> = release.split(['.', '-']).take(2).filter_map(|part| part.parse().ok()).collect();
    numbers >= vec![major, minor]
}

#[test]
fn who_executes_a_program_without_python_is_said_to() {
    let Some(python) = python() else { return };
    let code = "import os, time
end = time.monotonic() + 0.3
while time.monotonic() < end: pass
os.execv('/bin/sleep', ['sleep', '1.5'])
";
    for records in [true, false] {
        let path = python.display().to_string();
        let args = ["watch", "--json", "--python", &path, "-c", code];
        let Some(output) = (if records { Some(gilscope(&args)) } else { refused(298, &args) }) else { return };
        let report = json(&output);
        sound(&report);
        let text = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains("has executed sleep, a program without Python"), "{records}: {report:#}");
        assert_eq!(report["observer"]["engine"], "cores_only");
        let main = named(&report, "main");
        // Of the sleep of a second and a half a tenth of a second passes until it is told, on an idle machine.
        assert!(state(main, "io") > 0.8e9, "it sleeps in a call: {records}: {main:#}");
        assert!(state(main, "starting") < state(main, "io"), "{records}: {main:#}");
        let lock = &report["locks"][0];
        assert!(nanos(&lock["held_ns"]) + nanos(&lock["free_ns"]) < 2e9, "its lock is no more: {lock:#}");
    }
}

#[test]
fn a_python_that_is_executed_by_way_of_another_program_is_recognised_and_the_word_on_that_is_over() {
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = format!(
        "import os, time
time.sleep(0.3)
os.execv('/bin/sh', ['sh', '-c', 'sleep 0.7; exec \"$0\" -c \"import time; time.sleep(0.8)\"', '{path}'])
"
    );
    for records in [true, false] {
        let args = ["watch", "--json", "--python", &path, "-c", &code];
        let Some(output) = (if records { Some(gilscope(&args)) } else { refused(298, &args) }) else { return };
        let report = json(&output);
        sound(&report);
        let alarms = report["observer"]["alarms"].as_array().expect("there are some").iter();
        let told: Vec<_> =
            alarms.filter(|it| it["text"].as_str().is_some_and(|it| it.contains("executed sh,"))).collect();
        assert!(told.len() == 1 && told[0]["until"].is_u64(), "{records}: {report:#}");
        assert_eq!(report["locks"].as_array().map(Vec::len), Some(2), "{records}: it has a lock again: {report:#}");
        let main = named(&report, "main");
        assert!(state(main, "io") > 0.8e9, "both slept: {records}: {main:#}");
    }
}

#[test]
fn one_that_has_ended_and_is_not_waited_for_has_one_lane_and_not_one_more_each_time_it_is_looked() {
    let Some(python) = python() else { return };
    // The second is a copy of its maker, the first executes Python anew.
    let code = "import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.5)'])
if os.fork() == 0:
    time.sleep(0.5)
    os._exit(0)
time.sleep(2.5)
";
    let Some(report) = watch_refused(&python, code) else { return };
    sound(&report);
    assert_eq!(lanes(&report).len(), 3, "{:#}", report["lanes"]);
}

#[test]
fn who_has_lost_his_parent_before_anybody_looked_is_seen_all_the_same() {
    let Some(python) = python() else { return };
    // The shell leaves it behind and ends at once.
    let code = "import os, subprocess, sys, time
subprocess.run(['sh', '-c', '\"$0\" -c \"import time; time.sleep(0.8)\" &', sys.executable])
time.sleep(2.5)
";
    let Some(report) = watch_refused(&python, code) else { return };
    sound(&report);
    let orphans = lanes(&report).iter().filter(|lane| lane["pid"] != report["pid"]);
    assert_eq!(orphans.filter(|lane| lane["end"] == "done").count(), 1, "{:#}", report["lanes"]);
}

#[test]
fn what_was_forked_by_another_program_and_executes_python_then_makes_no_python_of_that() {
    let Some(python) = python() else { return };
    // The shell forks a copy of itself, which is looked at before it executes Python.
    let code = "import subprocess, sys, time
subprocess.run(['sh', '-c', '(sleep 0.3; exec \"$0\" -c \"import time; time.sleep(0.8)\"); true', sys.executable])
time.sleep(0.3)
";
    let Some(report) = watch_refused(&python, code) else { return };
    sound(&report);
    let children: Vec<_> = lanes(&report).iter().filter(|lane| lane["pid"] != report["pid"]).collect();
    assert_eq!(children.len(), 1, "{:#}", report["lanes"]);
}

#[test]
fn a_process_has_a_lane_above_it_though_the_thread_that_made_it_is_not_known_yet() {
    let Some(python) = python() else { return };
    let code = "import os, subprocess, sys, threading, time
def make():
    if os.fork() == 0:
        time.sleep(0.8)
        os._exit(0)
    subprocess.run(['sh', '-c', '\"$0\" -c \"import time; time.sleep(0.8)\"; true', sys.executable])
time.sleep(0.5)
threads = [threading.Thread(target=make) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    let Some(report) = watch_refused(&python, code) else { return };
    sound(&report);
    let all = lanes(&report);
    let children: Vec<_> = all.iter().filter(|lane| lane["pid"] != report["pid"]).collect();
    assert_eq!(children.len(), 6, "{:#}", report["lanes"]);
    for child in children {
        let above = all.iter().find(|lane| lane["id"] == child["parent"]);
        assert!(above.is_some_and(|above| above["pid"] == report["pid"]), "{child:#}");
    }
}
