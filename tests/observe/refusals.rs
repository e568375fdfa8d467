//! What cannot be observed, and what can in part.

use super::*;

#[test]
fn what_cannot_be_observed_is_refused_in_words_that_help() {
    let sleeper = Running(Command::new("sleep").arg("60").spawn().expect("it starts"));
    let pid = sleeper.0.id().to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["attach", &pid], "is not Python"),
        (&["attach", "4194000"], "there is no process"),
        (&["attach", "x"], "invalid value"),
        (&["watch"], "gilscope watch SCRIPT.py"),
        (&["watch", "/no/such/script.py"], "there is no such file"),
        (&["watch", "--python", "no-such-python", "-c", "1"], "--python"),
        (&["watch", "--python", "/etc/passwd", "-c", "1"], "no program"),
    ];
    for (args, words) in cases {
        let output = gilscope(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

/// Something that looks like a program and answers like this.
fn stand_in(folder: &Path, name: &str, script: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("they can be set");
    path.display().to_string()
}

#[test]
fn a_program_that_never_becomes_a_python_is_a_failure_in_words_and_a_launcher_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("one.py");
    std::fs::write(&script, "import time\ntime.sleep(0.2)\n").unwrap();
    let script = script.display().to_string();
    let run = |program: &str| gilscope(&["watch", "--json", "--python", program, &script]);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let foreign = run("/bin/ls");
    assert_eq!(foreign.status.code(), Some(125), "{}", said(&foreign));
    assert!(said(&foreign).contains("never was a Python") && said(&foreign).contains("--python"), "{}", said(&foreign));
    assert!(json(&foreign)["python"].is_null());
    // What failed by itself says so by its own status, too.
    let fails = run(&stand_in(folder.path(), "fails", "exit 7"));
    assert_eq!(fails.status.code(), Some(7));
    assert!(said(&fails).contains("never was a Python"), "{}", said(&fails));
    let Some(python) = python() else { return };
    // A launcher that is asked with options it does not know, and becomes a Python or makes one, is none of these.
    let becomes = format!("[ \"$1\" = -I ] && exit 2; [ \"$1\" = -E ] && exit 2\nexec {} \"$@\"", python.display());
    let makes = format!("[ \"$1\" = -I ] && exit 2; [ \"$1\" = -E ] && exit 2\n{} \"$@\"; exit 0", python.display());
    for (name, script) in [("becomes", becomes), ("makes", makes)] {
        let output = run(&stand_in(folder.path(), name, &script));
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""), "{name}");
        assert!(!lanes(&json(&output)).is_empty(), "{name}");
    }
}

/// The interpreters of pyenv whose version begins like this.
fn of_pyenv(version: &str) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let versions = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    let wanted = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with(version));
    wanted.map(|entry| entry.path().join("bin/python")).filter(|path| path.exists()).collect()
}

#[test]
fn a_python_2_or_what_is_no_cpython_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let answers = [
        ("two", "[ \"$1\" = -I ] && exit 2\nprintf 2.7.18", "is Python 2.7.18"),
        ("other", "echo 3.10.13 pypy 0 1", "is pypy 3.10.13, not CPython"),
    ];
    let mut cases: Vec<(String, &str)> =
        answers.iter().map(|(name, script, words)| (stand_in(folder.path(), name, script), *words)).collect();
    cases.extend(of_pyenv("2.7").into_iter().map(|python| (python.display().to_string(), "is Python 2.7")));
    let mark = folder.path().join("ran");
    let code = format!("open({:?}, 'w')", mark);
    for (python, words) in cases {
        let output = gilscope(&["watch", "--python", &python, "-c", &code]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(words) && said.contains("CPython 3.9 to 3.15"), "{python}: {said}");
        assert_eq!(output.status.code(), Some(2), "{python}: {said}");
        assert!(!mark.exists(), "{python} ran");
        if python.contains(".pyenv") {
            let running =
                start(Path::new(&python), "import sys, time; print('on'); sys.stdout.flush(); time.sleep(60)");
            std::thread::sleep(Duration::from_millis(300));
            let output = gilscope(&["attach", &running.0.id().to_string(), "--for", "200ms"]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("is Python 2") && said.contains("CPython 3.9 to 3.15"), "{said}");
            assert_eq!(output.status.code(), Some(2), "{python}: {said}");
        }
    }
}

#[test]
fn who_made_a_python_that_is_older_than_all_we_know_is_told() {
    let Some(new) = python().filter(|_| exactly()) else { return };
    for old in of_pyenv("3.8") {
        // One that computes for a while and makes a thread, and one that ends at once.
        let spin = "import threading, time\ndef f():\n end = time.time() + 0.4\n while time.time() < end: pass\n\
                    t = threading.Thread(target=f); t.start(); t.join()";
        let code = format!("import subprocess\nfor code in [{spin:?}, 'pass']: subprocess.run([{old:?}, '-c', code])");
        let report = watch(&new, &code);
        sound(&report);
        let main = named(&report, "main");
        let children: Vec<&Value> = lanes(&report).iter().filter(|lane| lane["pid"] != report["pid"]).collect();
        assert_eq!(children.len(), 3, "{report:#}");
        for lane in &children {
            let is_first = lane["pid"] == lane["tid"];
            let first = children.iter().find(|it| it["tid"] == lane["pid"]).expect("its process's first");
            assert_eq!(&lane["parent"], if is_first { &main["id"] } else { &first["id"] }, "{lane:#}");
        }
    }
}

#[test]
fn of_a_python_that_is_older_than_all_we_know_cores_and_threads_are_seen_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("spins.py");
    std::fs::write(&script, SPIN).expect("it can be written");
    let script = script.display().to_string();
    let seen_in_part = |report: &Value, name: &str| {
        sound(report);
        assert_eq!(report["observer"]["engine"], "cores_only", "{name}");
        let alarm = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
        assert!(alarm.contains("Python 3.") && alarm.contains("only its threads and cores"), "{name}: {report:#}");
        assert!(report["locks"].as_array().is_some_and(Vec::is_empty), "{name}: {report:#}");
        assert!(lanes(report).iter().all(|lane| state(lane, "running") == 0.0), "{name}: {report:#}");
    };
    for python in ["3.6", "3.7", "3.8"].iter().flat_map(|version| of_pyenv(version)) {
        let name = python.display().to_string();
        let output = gilscope(&["watch", "--json", "--python", &name, &script]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        let report = json(&output);
        seen_in_part(&report, &name);
        assert!(lanes(&report).len() >= 3, "{name}: {report:#}");

        let running = start(&python, "import time; print('on', flush=True); time.sleep(60)");
        std::thread::sleep(Duration::from_millis(300));
        let pid = running.0.id();
        let output = gilscope(&["attach", &pid.to_string(), "--for", "300ms", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        seen_in_part(&json(&output), &name);
        let listed = json(&gilscope(&["list", "pythons", "--json"]));
        let row = listed.as_array().and_then(|rows| rows.iter().find(|row| row["pid"] == pid)).expect("it is listed");
        let about = row["about"].as_str().unwrap_or_default();
        assert!(row["refused"].is_null() && about.contains("only threads and cores"), "{name}: {row}");

        // What is judged or compared is the lock.
        for (args, words) in [
            (&["check", "--python", &name, &script][..], "threads and cores and not the lock"),
            (&["compare", "sum-squares", "--engine", "cpython", "--python", &name][..], "written for CPython 3.9"),
        ] {
            let output = gilscope(args);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(words) && said.contains(" 3."), "{args:?}: {said}");
            assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        }
    }
}

#[test]
fn of_a_python_that_is_newer_than_all_we_know_cores_and_threads_are_seen_and_it_is_said() {
    // The number by which its runtime tells its version, changed in a copy of it.
    let told = |bytes: &[u8]| {
        let mut windows = bytes.windows(12);
        let at = windows.position(|window| window.starts_with(b"xdebugpy") && window[11] == 3 && window[10] >= 13)?;
        Some(at + 10)
    };
    let folder = tempfile::tempdir().unwrap();
    let copied = |from: &Path, changed: bool| {
        let mut bytes = std::fs::read(from).ok()?;
        if changed {
            let at = told(&bytes)?;
            bytes[at] = 77;
        }
        let copy = folder.path().join(from.file_name()?);
        std::fs::write(&copy, bytes).expect("it can be written");
        std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("they can be set");
        Some(copy)
    };
    // It lies in the interpreter's own file, or in a library of the same installation.
    let found = pythons().into_iter().find_map(|python| {
        let real = std::fs::canonicalize(&python).ok()?;
        let home = real.ancestors().nth(2)?.to_owned();
        let library = std::fs::read_dir(home.join("lib")).ok()?.flatten().map(|entry| entry.path());
        let library = library.into_iter().find(|path| path.to_string_lossy().ends_with(".so.1.0"));
        let own = copied(&real, true);
        let copy = own.or_else(|| copied(&library?, true).and_then(|_| copied(&real, false)))?;
        Some((copy, home))
    });
    let Some((copy, home)) = found else {
        eprintln!("skipped: no CPython from 3.13 on in a folder of its own");
        return;
    };
    let output = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["watch", "--json", "--python", &copy.display().to_string(), "-c", SPIN])
        .env("PYTHONHOME", home)
        .env("LD_LIBRARY_PATH", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let report = json(&output);
    sound(&report);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert_eq!(report["observer"]["engine"], "cores_only");
    let alarm = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
    assert!(alarm.contains("Python 3.77") && alarm.contains("only its threads and cores"), "{report:#}");
    assert!(lanes(&report).len() >= 3 && report["locks"].as_array().is_some_and(Vec::is_empty), "{report:#}");
    assert!(lanes(&report).iter().all(|lane| state(lane, "running") == 0.0), "nothing is said of a lock: {report:#}");
}
