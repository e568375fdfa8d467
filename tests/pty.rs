//! The real binary in a real (pseudo-)terminal.

mod common;
#[path = "common/python.rs"]
mod python;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use common::tape;
use common::terminal::{PATIENCE, Terminal, binary_folder};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

const ENTER_ALTERNATE: &[u8] = b"\x1b[?1049h";
const LEAVE_ALTERNATE: &[u8] = b"\x1b[?1049l";

fn count(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).filter(|window| *window == needle).count()
}

/// The terminal is given back: as often left as entered, cursor shown last.
fn assert_given_back(terminal: &Terminal) {
    terminal.wait_until("the terminal as it was", |screen| !screen.alternate_screen() && !screen.hide_cursor());
    let end = Instant::now() + PATIENCE;
    while count(&terminal.raw(), LEAVE_ALTERNATE) < count(&terminal.raw(), ENTER_ALTERNATE) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    let raw = terminal.raw();
    assert_eq!(count(&raw, ENTER_ALTERNATE), count(&raw, LEAVE_ALTERNATE), "{raw:?}");
}

/// The processes whose parents lead up to `root`, found in /proc.
fn descendants(root: i32) -> Vec<i32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").expect("there is a /proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if fields[0] != "Z" {
            parents.push((pid, fields[1].parse::<i32>().expect("the parent is a number")));
        }
    }
    let mut found = vec![root];
    for _ in 0..8 {
        for (pid, parent) in &parents {
            if found.contains(parent) && !found.contains(pid) {
                found.push(*pid);
            }
        }
    }
    found.retain(|pid| *pid != root);
    found
}

fn assert_gone(pids: &[i32]) {
    assert!(!pids.is_empty(), "there were no processes to leave behind");
    let alive = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let end = Instant::now() + PATIENCE;
    while pids.iter().any(alive) {
        assert!(Instant::now() < end, "left behind: {:?}", pids.iter().filter(|pid| alive(pid)).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).expect("a process id is positive"), signal).expect("the signal is sent");
}

/// A lab with an endless task under way.
fn running_lab(model: &str) -> (Terminal, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("endless.py");
    fs::write(&path, "def work():\n    while True:\n        pass\n").expect("a file can be written");
    let path = path.display().to_string();
    let mut terminal = Terminal::gilscope(&["lab", "-w", &path, "-m", model, "-n", "2"], 100, 30, &[]);
    terminal.wait_for("READY");
    terminal.press("\r");
    terminal.wait_for("RUNNING");
    (terminal, folder)
}

#[test]
fn it_opens_ready_and_gives_the_terminal_back() {
    let mut terminal = Terminal::gilscope(&[], 120, 36, &[]);
    terminal.wait_for("READY");
    terminal.press("q");
    assert!(terminal.wait_exit().success());
    assert_given_back(&terminal);
}

#[test]
fn the_tape_of_the_demonstration_plays() {
    let tape = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo.tape")).unwrap();
    let steps = tape::read(&tape);
    assert!(steps.iter().any(|step| matches!(step, tape::Step::Wait(pattern, _) if pattern == "DONE")));
    let mut shell = Terminal::start("/bin/sh", &[], 120, 36, &[("GILSCOPE_SYNC", "0")]);
    let mut turns_seen = false;
    tape::play(&steps, &mut shell, 6, |_, terminal| turns_seen |= terminal.text().contains("thread 2"));
    assert!(turns_seen, "no lanes were drawn in {}", binary_folder().display());
    assert_given_back(&shell);
}

#[test]
fn it_ends_in_good_order_when_told_to_by_a_signal_even_in_mid_run() {
    for told in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        for model in ["threads", "processes"] {
            let (mut terminal, _folder) = running_lab(model);
            let workers = descendants(terminal.pid());
            signal(terminal.pid(), told);
            let status = terminal.wait_exit();
            assert_eq!(status.exit_code(), 128 + told.as_raw().unsigned_abs(), "as a shell would say it");
            assert_given_back(&terminal);
            assert_gone(&workers);
        }
    }
}

#[test]
fn killed_without_warning_it_leaves_no_process_behind() {
    for model in ["sequential", "threads", "processes"] {
        let (mut terminal, _folder) = running_lab(model);
        let workers = descendants(terminal.pid());
        signal(terminal.pid(), Signal::KILL);
        terminal.wait_exit();
        assert_gone(&workers);
    }
}

#[test]
fn an_endless_task_is_stopped_at_once() {
    let (mut terminal, _folder) = running_lab("threads");
    let workers = descendants(terminal.pid());
    terminal.press("\r");
    terminal.wait_for("STOPPED");
    assert_gone(&workers);
    terminal.press("q");
    terminal.wait_exit();
    assert_given_back(&terminal);
}

#[test]
fn a_killed_worker_costs_its_lane_and_not_the_program() {
    let (mut terminal, _folder) = running_lab("processes");
    let end = Instant::now() + PATIENCE;
    let worker = loop {
        let found = descendants(terminal.pid());
        // The first is the main interpreter, then its resource tracker and its workers.
        if found.len() == 4 {
            break *found.iter().max().unwrap();
        }
        assert!(Instant::now() < end, "no workers: {found:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    signal(worker, Signal::KILL);
    terminal.wait_for("SIGKILL");
    terminal.press("\r");
    terminal.wait("the end of the run", |screen| screen.contains("STOPPED") || screen.contains("FAILED"));
    terminal.press("q");
    terminal.wait_exit();
    assert_given_back(&terminal);
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was_and_its_text_readable() {
    let program = binary_folder().join("examples/panics");
    let mut terminal = Terminal::start(&program.display().to_string(), &[], 80, 24, &[]);
    assert!(!terminal.wait_exit().success());
    terminal.wait_for("a deliberate failure");
    assert_given_back(&terminal);
}

#[test]
fn it_ends_when_its_terminal_is_gone() {
    let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_gilscope"));
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut output = pair.master.try_clone_reader().unwrap();
    let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("READY") {
        let length = output.read(&mut chunk).unwrap();
        seen.extend_from_slice(&chunk[..length]);
    }
    drop((output, pair.master));
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "it lives on without a terminal");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.exit_code(), 128 + Signal::HUP.as_raw().unsigned_abs());
}

#[test]
fn it_can_be_suspended_and_brought_back_in_mid_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("endless.py");
    fs::write(&path, "def work():\n    while True:\n        pass\n").unwrap();
    let mut shell = Terminal::start("/bin/bash", &["--norc", "-i"], 100, 30, &[]);
    shell.press(&format!("gilscope lab -w {} -n 2\r", path.display()));
    shell.wait_for("READY");
    shell.press("\r");
    shell.wait_for("RUNNING");
    shell.press("\x1a");
    shell.wait_for("Stopped");
    let shell_pid = shell.pid();
    // Told to stop, a process does so when it next has a core.
    shell.wait("the run's processes to stand still while the program does", |_| {
        let stands = |pid: &&i32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|it| it.contains(") T "));
        descendants(shell_pid).iter().filter(|pid| stands(pid)).count() >= 2
    });
    shell.press("fg\r");
    shell.wait_for("RUNNING");
    shell.press("q");
    shell.wait("the question or the prompt", |screen| screen.contains("$ "));
    assert_given_back(&shell);
}

#[test]
fn any_size_and_any_change_of_size_is_survived() {
    let mut terminal = Terminal::gilscope(&["lab", "-n", "3", "--run"], 1, 1, &[]);
    for (columns, rows) in [(1, 1), (20, 5), (60, 15), (200, 60), (7, 90), (300, 3), (80, 24)] {
        terminal.resize(columns, rows);
        std::thread::sleep(Duration::from_millis(150));
    }
    terminal.wait("the lab", |screen| screen.contains("RUNNING") || screen.contains("DONE"));
    terminal.press("q");
    terminal.wait_exit();
    assert_given_back(&terminal);
}

#[test]
fn keys_hammered_at_random_do_no_harm() {
    let mut terminal = Terminal::gilscope(&["lab", "-n", "2"], 80, 24, &[]);
    terminal.wait_for("READY");
    let keys: Vec<char> = "\r mMwWnNiIsSotzbk?.,+-0123456789\t \u{1b}hjlg/".chars().collect();
    let mut random: u32 = 12345;
    for _ in 0..400 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let key = keys[(random >> 16) as usize % keys.len()];
        let arrow = ["\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"][(random >> 8) as usize % 4];
        if random & 0x0700_0000 == 0 {
            terminal.press(arrow)
        } else {
            terminal.press(&key.to_string())
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let end = Instant::now() + PATIENCE;
    signal(terminal.pid(), Signal::TERM);
    let status = terminal.wait_exit();
    assert!(Instant::now() < end && status.exit_code() != 101, "{status:?}: {}", terminal.text());
    assert_given_back(&terminal);
}

#[test]
fn without_colour_not_one_colour_is_sent() {
    let mut terminal = Terminal::gilscope(&["lab", "--run", "-n", "2"], 100, 30, &[("NO_COLOR", "1")]);
    terminal.wait_for("RUNNING");
    terminal.press("q");
    terminal.wait_exit();
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    for sequence in raw.split("\x1b[").skip(1) {
        let Some(end) = sequence.find(|c: char| c.is_ascii_alphabetic()) else { continue };
        if sequence.as_bytes()[end] != b'm' {
            continue;
        }
        for code in sequence[..end].split(';').filter_map(|code| code.parse::<u32>().ok()) {
            assert!(
                !(30..=37).contains(&code) && !(38..=48).contains(&code) && code < 90,
                "colour in \\e[{}m",
                &sequence[..end]
            );
        }
    }
}

/// A Python that sleeps, ended with the test.
struct Sleeper(std::process::Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_is_chosen_from_the_list_watched_and_left_running() {
    let Some(python) = python::python3() else { return };
    // A stand-in (pyenv's) is a shell first; this names the interpreter itself.
    let path = python::run_python(&python, "import sys; print(sys.executable, end='')", b"");
    let code = "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.01)";
    let mut started = std::process::Command::new(String::from_utf8(path).expect("a path"));
    let started = started.args(["-c", code]).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let mut sleeper = Sleeper(started.spawn().expect("it starts"));
    let mut up = [0; 3];
    sleeper.0.stdout.as_mut().expect("it is piped").read_exact(&mut up).expect("it says that it is there");
    let pid = sleeper.0.id().to_string();

    let mut terminal = Terminal::gilscope(&["attach"], 100, 30, &[]);
    terminal.wait_for("Python processes");
    terminal.wait("our program in the list", |text| text.lines().any(|line| line.contains(&format!(" {pid} "))));
    // Others may run: down until ours is the chosen one.
    let is_chosen = |text: &str| text.lines().any(|line| line.contains('▸') && line.contains(&format!(" {pid} ")));
    for _ in 0..100 {
        if is_chosen(&terminal.text()) {
            break;
        }
        terminal.press("\x1b[B");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(is_chosen(&terminal.text()), "{}", terminal.text());
    terminal.press("\r");
    terminal.wait("it is watched", |text| text.contains(&format!("pid {pid}")) && text.contains("WATCHING"));
    terminal.press("\x1b");
    terminal.wait_for("Python processes");
    terminal.press("1");
    terminal.wait_for("READY");
    terminal.press("q");
    assert!(terminal.wait_exit().success());
    assert_given_back(&terminal);
    assert!(sleeper.0.try_wait().expect("it is ours").is_none(), "it goes on");
}
