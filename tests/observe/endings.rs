//! What the program prints and reads, how it ends, and that nothing is left.

use std::io::{BufRead, BufReader};
use std::process::ChildStdout;

use super::*;

/// gilscope watching this code with these arguments, the numbers that the program prints first, and what it prints else.
fn watching(python: &Path, code: &[&str]) -> (Child, Vec<u32>, BufReader<ChildStdout>) {
    let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["watch", "--no-screen", "--python", &python.display().to_string(), "-c"])
        .args(code)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut printed = BufReader::new(gilscope.stdout.take().expect("it is piped"));
    let mut line = String::new();
    printed.read_line(&mut line).expect("a line of numbers");
    let pids = line.split_whitespace().map(|pid| pid.parse().expect("a number")).collect();
    (gilscope, pids, printed)
}

#[test]
fn who_is_ended_by_a_signal_leaves_with_128_and_its_number() {
    use rustix::process::Signal;
    let Some(python) = python() else { return };
    let path = python.display().to_string();
    let code = "import time\nprint('on', flush=True)\ntime.sleep(60)";
    let mut program = Command::new(&python).args(["-c", code]).stdin(Stdio::null()).spawn().expect("it starts");
    let pid = program.id().to_string();
    std::thread::sleep(Duration::from_millis(300));
    for (number, by) in [(130, Signal::INT), (143, Signal::TERM), (129, Signal::HUP)] {
        for args in [vec!["attach", "--json", &pid], vec!["watch", "--json", "--python", &path, "-c", code]] {
            let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"))
                .args(&args)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .expect("it starts");
            std::thread::sleep(Duration::from_millis(700));
            signal(gilscope.id(), by);
            assert_eq!(gilscope.wait().expect("it is our child").code(), Some(number), "{args:?}");
        }
    }
    assert_eq!(program.try_wait().expect("it is our child"), None, "it was left running");
    program.kill().and_then(|()| program.wait()).expect("it is our child");
}

#[test]
fn what_the_program_prints_and_how_it_ends_is_passed_on() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let run = |code: &str| gilscope(&["watch", "--json", "--python", &python, "-c", code]);
    let output = run("import sys; print('\\x1b[31mred'); sys.exit(7)");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(json(&output)["output"], "\u{1b}[31mred\n");
    let output = run("import os; os.kill(os.getpid(), 9)");
    assert_eq!(output.status.code(), Some(128 + 9));
    assert!(lanes(&json(&output)).iter().all(|lane| lane["end"] == "killed by SIGKILL"));
    let output = run("import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)");
    assert_eq!(output.status.code(), Some(128 + 2));
    for signal in [7, 11, 13] {
        let output =
            run(&format!("import os, signal; signal.signal({signal}, signal.SIG_DFL); os.kill(os.getpid(), {signal})"));
        assert_eq!(output.status.code(), Some(128 + signal), "Rust's runtime has a handler of its own for it");
    }
    let output = run("print('x' * (3 << 20))");
    assert!(json(&output)["output"].as_str().is_some_and(|text| text.len() == 1 << 20));
    let output = run("import sys; def");
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["output"].as_str().is_some_and(|text| text.contains("SyntaxError")));
    let output = gilscope(&["watch", "--python", &python, "-c", "print('to the terminal')"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("to the terminal\n"));
}

#[test]
fn a_program_reads_nothing_unless_it_is_handed_our_input() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let run = |input: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gilscope"));
        command.args(["watch", "--json", "--python", &python]).args(input).args(["-c", "print(input())"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        // Who reads nothing may have closed it.
        let _ = std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), b"a line\n");
        child.wait_with_output().expect("it ends")
    };
    assert_eq!(json(&run(&["--input", "terminal"]))["output"], "a line\n");
    let without = run(&[]);
    assert_eq!(without.status.code(), Some(1));
    assert!(json(&without)["output"].as_str().is_some_and(|text| text.contains("EOFError")));
    assert_eq!(json(&without)["last_words"], "EOFError: EOF when reading a line");
}

#[test]
fn a_program_without_anything_to_run_is_an_interpreter_that_reads_it() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["watch", "--json", "--python", &python, "--input", "terminal"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let _ = std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), b"print(6 * 7)\n");
    assert_eq!(json(&child.wait_with_output().expect("it ends"))["output"], "42\n");
    let refused = gilscope(&["watch", "--json", "--python", &python]);
    assert_eq!(refused.status.code(), Some(2), "without input there is nothing to run");
}

fn is_there(pid: &u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A child that the program leaves behind, in a session of its own, with the program's own output; it prints its number.
const LEAVES_ONE: &str = "import subprocess, sys, time
child = subprocess.Popen(['sleep', '1000'], start_new_session=True)
print(child.pid, flush=True)
time.sleep(float(sys.argv[1]))
";

fn left_by(output: &Output) -> u32 {
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.lines().next().and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("no number: {output:?}"))
}

#[test]
fn where_gilscope_ends_the_program_it_ends_all_of_it_and_says_so() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let args = ["watch", "--no-screen", "--for", "2s", "--python", &python, "-c", LEAVES_ONE, "1000"];
    // Not before the pipe is closed by all who hold it.
    let output = gilscope(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!is_there(&left_by(&output)), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("ended by gilscope after") && !printed.contains("SIGTERM"), "{printed}");

    // Through a shell that waits for it, and interrupted.
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("python-in-a-shell");
    std::fs::write(&wrapper, format!("#!/bin/sh\n'{python}' \"$@\"\necho done\n")).unwrap();
    let mut mode = std::fs::metadata(&wrapper).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&wrapper, mode).unwrap();
    let code = format!("import os\nprint(os.getpid(), flush=True)\n{LEAVES_ONE}");
    let wrapped = wrapper.display().to_string();
    let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["watch", "--no-screen", "--python", &wrapped, "-c", &code, "1000"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut printed = std::io::BufReader::new(gilscope.stdout.take().expect("it is piped"));
    let mut line = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut printed, &mut line).expect("a number");
        line.trim().parse::<u32>().unwrap_or_else(|_| panic!("no number: {line}"))
    };
    let pids = [line(), line()];
    assert!(pids.iter().all(is_there));
    let pid = rustix::process::Pid::from_child(&gilscope);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(gilscope.wait().expect("it is our child").code(), Some(130));
    assert!(!pids.iter().any(is_there), "left behind: {pids:?}");
}

#[test]
fn a_program_is_asked_to_end_once_and_what_it_made_too() {
    let Some(python) = python() else { return };
    let code = "import os, signal, time
if os.fork() == 0: time.sleep(0.2)
signal.signal(signal.SIGTERM, lambda *_: print('asked', os.getpid(), flush=True))
while True: time.sleep(1)
";
    let args = ["watch", "--no-screen", "--for", "1s", "--python", &python.display().to_string(), "-c", code];
    let output = gilscope(&args);
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut asked: Vec<&str> = printed.lines().filter(|line| line.starts_with("asked ")).collect();
    assert_eq!(asked.len(), 2, "{printed}");
    asked.dedup();
    assert_eq!(asked.len(), 2, "one of them twice: {printed}");
}

#[test]
fn one_that_will_not_end_is_killed_and_every_status_says_so() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let run = |code: &str| {
        let begin = std::time::Instant::now();
        let output = gilscope(&["watch", "--json", "--for", "1s", "--python", &python, "-c", code]);
        (
            output.status.code(),
            json(&output)["exit_status"].as_u64(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            begin.elapsed(),
        )
    };
    let ends = "signal.signal(signal.SIGTERM, signal.SIG_DFL)";
    let ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN)";
    let heeds_not = "signal.signal(signal.SIGTERM, lambda *_: None)";
    let code = |handler: &str| format!("import signal, time\n{handler}\nwhile True: time.sleep(1)\n");
    let (own, of_program, said, _) = run(&code(ends));
    assert_eq!((own, of_program, said.contains("was killed")), (Some(0), Some(143), false), "{said}");
    let mut took = Vec::new();
    for handler in [ignores, heeds_not] {
        let (own, of_program, said, elapsed) = run(&code(handler));
        assert_eq!((own, of_program), (Some(137), Some(137)), "{handler}: {said}");
        assert!(said.contains("did not end when it was asked to (SIGTERM), and was killed"), "{said}");
        took.push(elapsed);
    }
    // Whoever ignores it is not waited for, as one is that may still be cleaning up.
    assert!(took[0] + std::time::Duration::from_secs(1) < took[1], "{took:?}");
}

/// A child that ignores SIGTERM, as the resource tracker of `multiprocessing` does, and tidies up once nobody has the other
/// end of its pipe any more, which the program and another child have; or that never ends.
const TIDIES_UP: &str = "import os, signal, sys, time
reads, writes = os.pipe()
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.close(writes)
    while sys.argv[1] == 'never': time.sleep(1)
    os.read(reads, 1)
    time.sleep(0.1)
    os.remove(sys.argv[1])
    os._exit(0)
print(child, flush=True)
other = os.fork()
if other and sys.argv[2] == 'deaf': signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True: time.sleep(1)
";

#[test]
fn who_tidies_up_behind_a_program_has_the_time_to_and_who_never_ends_has_not() {
    let Some(python) = python() else { return };
    let python = python.display().to_string();
    let folder = tempfile::tempdir().unwrap();
    for program in ["hears", "deaf"] {
        let left = folder.path().join(program);
        std::fs::write(&left, "of the program").unwrap();
        for what in [left.display().to_string(), "never".to_owned()] {
            let args = ["watch", "--no-screen", "--for", "700ms", "--python", &python, "-c", TIDIES_UP, &what, program];
            let output = gilscope(&args);
            assert!(!is_there(&left_by(&output)), "{program}, {what}: {output:?}");
        }
        assert!(!left.exists(), "{program}: it was ended before it could");
    }
}

#[test]
fn what_a_program_leaves_running_when_it_ends_by_itself_runs_on() {
    let Some(python) = python() else { return };
    // Without the program's output, whose end is waited for here.
    let own = "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL";
    let code = LEAVES_ONE.replace("start_new_session=True", own);
    let output = gilscope(&["watch", "--no-screen", "--python", &python.display().to_string(), "-c", &code, "0.5"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let pid = left_by(&output);
    assert!(is_there(&pid));
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn what_lives_on_when_a_program_has_ended_is_named() {
    let Some(python) = python() else { return };
    // A daemon, which is nobody's child any more, and a child without Python; and one that ends with the program.
    let code = "import os, subprocess, sys
quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
ends = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], **{**quiet, 'stdin': subprocess.PIPE})
if sys.argv[1] == 'leaves':
    child = subprocess.Popen(['sleep', '1000'], start_new_session=True, **quiet)
    numbers, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3): os.dup2(os.open('/dev/null', os.O_RDWR), fd)
            os.write(told, str(os.getpid()).encode())
            os.execvp('sleep', ['sleep', '1000'])
        os._exit(0)
    os.wait()
    print(child.pid, os.read(numbers, 20).decode(), flush=True)
";
    let python = python.display().to_string();
    let report = json(&gilscope(&["watch", "--json", "--python", &python, "-c", code, "leaves"]));
    let mut pids: Vec<u32> =
        report["output"].as_str().unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    pids.sort_unstable();
    let are_there = pids.iter().all(is_there);
    pids.iter().for_each(|pid| signal(*pid, rustix::process::Signal::KILL));
    assert!(pids.len() == 2 && are_there, "{pids:?}: {report:#}");
    assert_eq!(report["left_running"], serde_json::json!(pids), "{report:#}");
    let alarms = report["observer"]["alarms"].to_string();
    assert!(alarms.contains("2 processes of it live on") && alarms.contains(&pids[1].to_string()), "{alarms}");
    let report = json(&gilscope(&["watch", "--json", "--python", &python, "-c", code, "leaves nothing"]));
    assert_eq!(report["left_running"], serde_json::json!([]), "{report:#}");
    assert!(!report["observer"]["alarms"].to_string().contains("on, which"), "{report:#}");
}

#[test]
fn nothing_of_a_program_is_left_when_gilscope_is_killed() {
    let Some(python) = python() else { return };
    // One that ends when it is asked to, with a grandchild in a session of its own; and one that will not hear.
    let code = "import signal, subprocess, sys, os, time
if sys.argv[1] == 'deaf': signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(['sleep', '1000'], start_new_session=True)
print(os.getpid(), child.pid, flush=True)
time.sleep(1000)
";
    for how in ["hears", "deaf"] {
        let (mut gilscope, mut pids, _printed) = watching(&python, &[code, how]);
        assert!(pids.len() == 2 && pids.iter().all(is_there), "{pids:?}");
        // And who keeps it: its parent, which is not gilscope itself.
        let keeper: u32 = std::fs::read_to_string(format!("/proc/{}/status", pids[0]))
            .ok()
            .and_then(|status| status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok()))
            .expect("it has a parent");
        assert!(keeper != gilscope.id() && keeper != std::process::id());
        pids.push(keeper);
        gilscope.kill().expect("it is our child");
        gilscope.wait().expect("it is our child");
        let end = Instant::now() + Duration::from_secs(20);
        while pids.iter().any(is_there) {
            assert!(Instant::now() < end, "left behind ({how}): {pids:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn nothing_of_a_program_is_left_when_gilscope_is_killed_while_all_of_it_is_stopped() {
    let Some(python) = python() else { return };
    let code = "import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])
print(os.getppid(), os.getpid(), child.pid, flush=True)
time.sleep(1000)
";
    // All that a terminal's Ctrl-Z stops; or all but the keeper, as where one stops the program alone.
    for stopped_from in [0, 1] {
        let (mut gilscope, pids, _printed) = watching(&python, &[code]);
        assert!(pids.len() == 3 && pids.iter().all(is_there), "{pids:?}");
        for pid in pids[stopped_from..].iter().chain([&gilscope.id()]) {
            signal(*pid, rustix::process::Signal::STOP);
        }
        gilscope.kill().expect("it is our child");
        gilscope.wait().expect("it is our child");
        let end = Instant::now() + Duration::from_secs(20);
        while pids.iter().any(is_there) {
            if Instant::now() >= end {
                pids.iter().for_each(|pid| signal(*pid, rustix::process::Signal::KILL));
                panic!("left behind ({stopped_from}): {pids:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn how_a_program_ended_is_said_whether_or_not_we_started_it() {
    let Some(python) = python() else { return };
    let code = "import sys, time\nprint('up', flush=True)\ntime.sleep(float(sys.argv[1]))\nsys.exit(5)";
    let attached = |lasts: &str, kill: bool| {
        let mut running = Command::new(&python)
            .args(["-c", code, lasts])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let mut printed = std::io::BufReader::new(running.stdout.take().expect("it is piped"));
        std::io::BufRead::read_line(&mut printed, &mut line).expect("a line");
        let pid = running.id();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(600));
            if kill {
                signal(pid, rustix::process::Signal::KILL);
            }
            // Waited for at once, as a shell does.
            running.wait().expect("it is our child")
        });
        let output = gilscope(&["attach", &pid.to_string(), "--json"]);
        killer.join().expect("it ended");
        json(&output)
    };
    let killed = attached("30", true);
    let end = killed["program_end"].as_str().unwrap_or_default();
    let unknown = "ended (with which status its parent alone is told)";
    assert!(end == "killed by SIGKILL" && killed["exit_status"] == 137 || end == unknown, "{killed:#}");
    let left = attached("1.2", false);
    let end = left["program_end"].as_str().unwrap_or_default();
    assert!(end == "ended with status 5" && left["exit_status"] == 5 || end == unknown, "{left:#}");
    let python = python.display().to_string();
    for (code, said) in [
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM after "),
        ("raise SystemExit(4)", "ended with status 4 after "),
        ("pass", "done after "),
    ] {
        let output = gilscope(&["watch", "--no-screen", "--python", &python, "-c", code]);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.lines().any(|line| line.starts_with(said)), "{said}: {printed}");
    }
}
