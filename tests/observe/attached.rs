//! Programs that run already.

use super::*;

#[test]
fn one_that_runs_is_attached_to_and_left_as_it_was() {
    for python in pythons() {
        let mut running = start(
            &python,
            "import sys, time\nsys.setswitchinterval(0.02)\nprint('up', flush=True)\nwhile True: time.sleep(0.01)",
        );
        // What wraps an interpreter may have another number.
        let pid = running.0.id().to_string();
        let output = gilscope(&["attach", &pid, "--for", "700ms", "--json"]);
        let report = json(&output);
        sound(&report);
        assert_eq!((output.status.code(), &report["end"]), (Some(0), &Value::from("stopped")), "{}", python.display());
        assert!(share(named(&report, "main"), &["io"]) > 0.2, "{report:#}");
        for lock in report["observer"]["locks"].as_array().into_iter().flatten().filter(|lock| lock["kind"] == "gil") {
            // What CPython counts is compared with what was seen up to the end.
            let observed = nanos(&lock["exact_ns"]) + nanos(&lock["sampled_ns"]);
            assert!(nanos(&lock["counted_ns"]) > observed - 0.1e9, "{}: {lock}", python.display());
            assert_eq!(lock["switch_interval_ns"], 20_000_000, "{}: {lock}", python.display());
        }
        assert!(running.0.try_wait().expect("it is ours").is_none(), "it goes on");
    }
}

#[test]
fn the_number_of_a_thread_stands_for_its_process() {
    let Some(python) = python() else { return };
    let code = "import threading, time
t = threading.Thread(target=time.sleep, args=(60,), daemon=True)
t.start()
print(t.native_id, flush=True)
time.sleep(60)";
    let mut running = Command::new(&python)
        .args(["-c", code])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    let mut out = std::io::BufReader::new(running.stdout.take().expect("it is piped"));
    std::io::BufRead::read_line(&mut out, &mut said).expect("it says so");
    let output = gilscope(&["attach", said.trim(), "--for", "300ms", "--json"]);
    let pid = running.id();
    running.kill().and_then(|()| running.wait()).expect("it ends");
    let report = json(&output);
    sound(&report);
    assert_eq!(named(&report, "main")["tid"], pid, "{report:#}");
    assert_eq!(lanes(&report).len(), 2, "{report:#}");
}

/// A container's processes have numbers of their own, which are what its threads and locks call them.
#[test]
fn one_in_a_container_is_attached_to_from_outside_with_all_its_threads() {
    let container = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !Command::new("unshare").args(container).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no container can be made here");
        return;
    }
    let code = "import threading
def busy():
    while True: pass
for i in range(2): threading.Thread(target=busy, daemon=True).start()
print('up', flush=True)
threading.Event().wait()";
    for python in pythons() {
        if std::fs::read(&python).is_ok_and(|it| it.starts_with(b"#!")) {
            continue; // What wraps an interpreter makes a container of its own.
        }
        let mut running = Running(
            Command::new("unshare")
                .args(container)
                .arg(&python)
                .args(["-c", code])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .expect("it could be made a moment ago"),
        );
        let mut line = [0; 3];
        std::io::Read::read_exact(running.0.stdout.as_mut().expect("it is piped"), &mut line).expect("it is there");
        let inside = *children(running.0.id()).first().expect("Python is its child");
        let output = gilscope(&["attach", &inside.to_string(), "--for", "700ms", "--json"]);
        let report = json(&output);
        sound(&report);
        let workers: Vec<&Value> = lanes(&report).iter().filter(|lane| lane["name"] != "main").collect();
        assert_eq!(workers.len(), 2, "{}: {report:#}", python.display());
        let locks = report["locks"].as_array().expect("it is a list");
        let has_gil = report["python"]["gil_enabled"] == true;
        assert_eq!(locks.len(), usize::from(has_gil), "{}: {locks:#?}", python.display());
        assert!(!has_gil || locks[0]["handoffs"].as_u64() > Some(5), "{}: {locks:#?}", python.display());
        for lane in workers {
            assert_eq!(lane["pid"].as_u64(), Some(u64::from(inside)), "by the number it has outside");
            assert!(share(lane, &["running", "waiting_gil", "waiting_core"]) > 0.8, "{}: {lane:#}", python.display());
        }
    }
}

#[test]
fn one_that_ends_while_it_is_observed_ends_the_observing() {
    let Some(python) = python() else { return };
    let running = start(&python, "import time\nprint('up', flush=True)\ntime.sleep(1)");
    let begin = Instant::now();
    let output = gilscope(&["attach", &running.0.id().to_string(), "--json", "--for", "50s"]);
    assert!(begin.elapsed() < Duration::from_secs(40));
    assert_eq!((output.status.code(), &json(&output)["end"]), (Some(0), &Value::from("ended")));
}

#[test]
fn without_a_number_the_processes_that_could_be_attached_to_are_listed() {
    let Some(python) = python() else { return };
    let running = start(&python, "import time\nprint('up', flush=True)\ntime.sleep(60)");
    let listed = gilscope(&["attach", "--json"]);
    assert_eq!(listed.status.code(), Some(0));
    let rows = json(&listed);
    let pid = u64::from(running.0.id());
    let row = rows.as_array().expect("it is a list").iter().find(|row| row["pid"] == pid).expect("it is in the list");
    assert!(row["refused"].is_null() && row["version"].is_string(), "{row}");
    let table = gilscope(&["attach"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains(&format!("pid {pid}")));
    for args in [["attach", "--for=1s"], ["attach", "--csv"]] {
        let output = gilscope(&args);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("which process"));
    }
}

#[test]
fn who_attaches_to_what_he_has_just_started_need_not_wait_until_it_is_loaded() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Some launchers take their time before they execute the interpreter.
    let launcher = folder.path().join("launcher");
    std::fs::write(&launcher, format!("#!/bin/sh\nsleep 0.3\nexec {} \"$@\"\n", python.display())).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&launcher, executable).unwrap();
    let program = Running(Command::new(&launcher).args(["-c", "import time; time.sleep(60)"]).spawn().unwrap());
    let output = gilscope(&["attach", "--json", "--for", "300ms", &program.0.id().to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    assert!(report["python"]["version"].is_string(), "{report:#}");
}
