//! A real Python on the Watch screen, in a real (pseudo-)terminal.

#[path = "common/python.rs"]
mod python;
#[path = "common/terminal.rs"]
mod terminal;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use terminal::Terminal;

/// The full path of the tests' python3.
fn interpreter() -> Option<PathBuf> {
    let found = python::run_python(&python::python3()?, "import sys; print(sys.executable, end='')", b"");
    Some(String::from_utf8(found).expect("a path").into())
}

/// Two threads that want the lock for so many seconds; then it ends with status 3.
fn busy(seconds: u32) -> String {
    format!(
        "import threading, time, sys\nprint('up' + 'ward', flush=True)\nend = time.time() + {seconds}\n\
         def spin():\n    while time.time() < end:\n        sum(range(1000))\n\
         threads = [threading.Thread(target=spin, name='spinner %d' % n) for n in (1, 2)]\n\
         [thread.start() for thread in threads]\n[thread.join() for thread in threads]\nsys.exit(3)\n"
    )
}

#[test]
fn a_program_is_watched_to_its_end_and_its_output_and_status_are_passed_on() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let mut terminal =
        Terminal::gilscope(&["watch", "--python", python, "-c", &busy(3)], 120, 36, &[("GILSCOPE_SYNC", "0")]);
    terminal.wait_for("WATCHING");
    terminal.wait_for("REAL CPython 3.");
    terminal.wait("two threads by name", |screen| screen.contains("spinner 1") && screen.contains("spinner 2"));
    // The program's output stays off the screen until it is asked for.
    assert!(!terminal.text().contains("upward"), "{}", terminal.text());
    terminal.press("u");
    terminal.wait_for("upward");
    terminal.press("u");
    terminal.wait_for("ENDED");
    terminal.wait_for("exit status 3");
    terminal.press("q");
    assert_eq!(terminal.wait_exit().exit_code(), 3);
    terminal.wait_until("the terminal as it was, with the program's output", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor() && screen.contents().contains("upward")
    });
}

#[test]
fn a_screenful_of_the_output_is_given_back_and_nothing_of_it_controls_the_terminal() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let code = "for line in range(5000): print('line', line)\nprint('\\x1b[31mred\\x1b[2J\\x1b]0;title\\x07')\nprint('la' + 'st')";
    let mut terminal = Terminal::gilscope(&["watch", "--python", python, "-c", code], 80, 24, &[]);
    terminal.wait_for("ENDED");
    terminal.press("q");
    assert_eq!(terminal.wait_exit().exit_code(), 0);
    terminal.wait_until("the last line", |screen| !screen.alternate_screen() && screen.contents().contains("last"));
    let text = terminal.text();
    assert!(text.contains("4981 lines") && text.contains("left out"), "{text}");
    assert!(
        text.contains("line 4999")
            && text.contains("\\u{1b}[31mred\\u{1b}[2J\\u{1b}]0;title\\u{7}")
            && !text.contains("line 100\n"),
        "{text}"
    );
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    let after = raw.rsplit("\x1b[?1049l").next().expect("there is always one");
    assert!(!after.contains("[31mred") || after.contains("\\u{1b}[31mred"), "{after}");
    assert!(!after.contains("\x1b[2J") && !after.contains("\x1b]0;"), "{after:?}");
}

#[test]
fn the_output_is_read_as_in_a_pager_while_more_is_printed() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let code = "import time\nfor line in range(300): print('line', line, flush=True)\n\
                while True:\n    line += 1\n    print('line', line, flush=True)\n    time.sleep(0.05)\n";
    let mut terminal = Terminal::gilscope(&["watch", "--python", python, "-c", code], 80, 24, &[]);
    terminal.wait_for("WATCHING");
    terminal.press("u");
    terminal.wait_for("line 300");
    terminal.wait_for("PgUp");
    // Home, in the middle of what goes on: it stays.
    terminal.press("\x1b[H");
    terminal.wait("the first line", |screen| screen.lines().any(|line| line.trim() == "line 0"));
    assert!(!terminal.text().contains("FROZEN"), "{}", terminal.text());
    terminal.press("\x1b[6~");
    terminal.wait("a page further", |screen| !screen.lines().any(|line| line.trim() == "line 0"));
    terminal.press("\x1b[5~");
    terminal.wait("and back", |screen| screen.lines().any(|line| line.trim() == "line 0"));
    terminal.press("\x1b[B");
    terminal.wait("a line further", |screen| !screen.lines().any(|line| line.trim() == "line 0"));
    terminal.press("\x1b[A");
    terminal.wait("and back", |screen| screen.lines().any(|line| line.trim() == "line 0"));
    terminal.press("\x1b[F");
    let number = |screen: &str| {
        screen.lines().filter_map(|line| line.trim().strip_prefix("line ")?.parse::<u32>().ok()).max().unwrap_or(0)
    };
    terminal.wait("the end", |screen| number(screen) > 300);
    let seen = number(&terminal.text());
    terminal.wait("what is printed since", |screen| number(screen) > seen + 3);
    terminal.press("\x1b");
    terminal.wait("the panel is closed", |screen| !screen.contains("line ") && screen.contains("waits"));
    terminal.press("q");
    terminal.wait_for("q again leaves");
    terminal.press("q");
    terminal.wait_exit();
}

#[test]
fn frozen_one_wait_of_a_thread_is_told_and_keys_go_to_others() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let mut terminal = Terminal::gilscope(&["watch", "--python", python, "-c", &busy(1000)], 120, 36, &[]);
    terminal.wait_for("WATCHING");
    terminal.wait("somebody who made others wait", |screen| screen.contains("of all waiting fell while"));
    terminal.press(" ");
    terminal.wait_for("FROZEN");
    terminal.wait_for("before the freeze");
    terminal.wait("a wait, its holder, and the keys", |screen| {
        screen.contains("waits for the GIL, ") && screen.contains("held here by ") && screen.contains("Tab lane")
    });
    let picked = |screen: &str| screen.lines().find(|line| line.starts_with('▸')).map(|line| line[..20].to_owned());
    let first = picked(&terminal.text());
    assert!(first.is_some(), "{}", terminal.text());
    terminal.press("\t");
    terminal.wait("another lane is picked", |screen| picked(screen).is_some_and(|lane| Some(lane) != first));
    terminal.press(" ");
    terminal.wait_for("WATCHING");
    terminal.press("q");
    terminal.wait_for("q again leaves");
    terminal.press("q");
    terminal.wait_exit();
}

#[test]
fn a_launched_program_is_asked_about_before_it_is_ended() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let mut terminal = Terminal::gilscope(&["watch", "--python", python, "-c", &busy(1000)], 80, 24, &[]);
    terminal.wait_for("WATCHING");
    terminal.press("q");
    terminal.wait_for("q again leaves");
    // Any other key takes it back.
    terminal.press("f");
    terminal.wait("the question is gone", |screen| !screen.contains("again leaves"));
    terminal.press("q");
    terminal.wait_for("q again leaves");
    terminal.press("q");
    // It was ended by us, as was asked for: that is no failure.
    assert_eq!(terminal.wait_exit().exit_code(), 0);
}

/// A terminal on a program that is given one of its own.
fn interactive(python: &str, args: &[&str], columns: u16, rows: u16) -> Terminal {
    let args = [&["watch", "--input", "terminal", "--python", python][..], args].concat();
    let terminal = Terminal::gilscope(&args, columns, rows, &[]);
    terminal.wait_for("WATCHING");
    terminal.wait_for("a type into it");
    terminal
}

#[test]
fn a_program_with_a_terminal_of_its_own_is_typed_into_and_the_keys_come_back() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let code = "import os, sys, time, signal\nprint('tty', os.isatty(0), os.isatty(1), os.getsid(0) == os.getpid())\n\
                print('size', os.get_terminal_size())\nprint('so', input('who? ').upper() + '!')\n\
                try:\n    time.sleep(1000)\nexcept KeyboardInterrupt:\n    print('inter' + 'rupted')\n\
                signal.signal(signal.SIGWINCH, lambda *_: print('now', os.get_terminal_size()))\n\
                print('rest', repr(sys.stdin.read()))\nsys.exit(3)\n";
    let mut terminal = interactive(python, &["-c", code], 100, 30);
    terminal.press("a");
    terminal.wait_for("TYPING into the program");
    terminal.wait_for("tty True True True");
    terminal.wait_for("columns=98, lines=18");
    terminal.wait_for("who?");
    // Letters that are keys of gilscope's elsewhere.
    terminal.press("quux\x7fe\r");
    terminal.wait_for("so QUUE!");
    terminal.press("\x03");
    terminal.wait_for("interrupted");
    terminal.resize(80, 24);
    terminal.wait_for("columns=78, lines=12");
    // Left, the keys are gilscope's; come back to, they are the program's.
    terminal.press("\x1d");
    terminal.wait("the rule without its mode", |screen| !screen.contains("TYPING"));
    terminal.press("f");
    terminal.press("a");
    terminal.wait_for("TYPING into the program");
    terminal.press("x\r\x04");
    terminal.wait_for("rest 'x\\n'");
    terminal.wait_for("ENDED");
    terminal.wait_for("exit status 3");
    // A key that was meant for the program leaves nothing.
    terminal.press("qq");
    terminal.wait_for("Esc the program has ended");
    terminal.press("\x1b");
    terminal.wait_for("q leave");
    terminal.press("q");
    assert_eq!(terminal.wait_exit().exit_code(), 3);
    terminal.wait("its output, given back", |screen| screen.contains("so QUUE!"));
}

#[test]
fn an_interactive_interpreter_is_worked_with() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let mut terminal = interactive(python, &["-i", "-c", "answer = 41"], 120, 36);
    terminal.press("a");
    terminal.wait_for(">>>");
    // An arrow goes back within the line.
    terminal.press("answe + 1\x1b[D\x1b[D\x1b[D\x1b[Dr\r");
    terminal.wait("the answer", |screen| screen.lines().any(|line| line.trim() == "42"));
    terminal.press("\x1b");
    terminal.wait("typing is left", |screen| !screen.contains("TYPING"));
    terminal.press("q");
    terminal.wait_for("q again leaves");
    terminal.press("q");
    assert_eq!(terminal.wait_exit().exit_code(), 0);
}

/// The processes that have this word on their command line.
fn named(word: &str) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").expect("there is a /proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let has = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
    };
    pids.filter(has).collect()
}

#[test]
fn killed_without_warning_it_leaves_nothing_behind_of_a_program_with_a_terminal_of_its_own() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    // It hears neither the hang-up nor what asks it to end, and has a child in a session of its own.
    let word = format!("left-behind-{}", std::process::id());
    let code = "import os, signal, subprocess, sys, time\n\
                for it in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT): signal.signal(it, signal.SIG_IGN)\n\
                child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)', sys.argv[1]], \
                start_new_session=True)\nprint('rea' + 'dy', flush=True)\ntime.sleep(1000)\n";
    let mut terminal = interactive(python, &["-c", code, &word], 100, 30);
    terminal.press("a");
    terminal.wait_for("ready");
    assert!(named(&word).len() >= 3, "gilscope, the program and its child: {:?}", named(&word));
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(terminal.pid()).expect("it has a number"),
        rustix::process::Signal::KILL,
    )
    .expect("it runs");
    terminal.wait_exit();
    let end = std::time::Instant::now() + terminal::PATIENCE;
    while !named(&word).is_empty() {
        assert!(std::time::Instant::now() < end, "left behind: {:?}", named(&word));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_program_that_floods_its_terminal_is_watched_and_left_all_the_same() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let flood = "while True: print('\\x1b[31mwave\\x1b[2J\\x07' + 'x' * 200)";
    let mut terminal = interactive(python, &["-c", flood], 80, 24);
    terminal.press("a");
    terminal.wait_for("xxxxxxxx");
    assert!(!terminal.text().contains('\u{7}'));
    terminal.press("hello\x1b");
    terminal.wait("typing is left", |screen| !screen.contains("TYPING"));
    terminal.press("q");
    terminal.wait_for("q again leaves");
    terminal.press("q");
    assert_eq!(terminal.wait_exit().exit_code(), 0);
}

#[test]
fn what_cannot_be_typed_into_says_why() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let mut terminal = Terminal::gilscope(&["watch", "--python", python, "-c", &busy(1000)], 100, 30, &[]);
    terminal.wait_for("WATCHING");
    terminal.press("a");
    terminal.wait_for("--input terminal");
    terminal.press("q");
    terminal.wait_for("q again leaves");
    terminal.press("q");
    terminal.wait_exit();
    let refused = Command::new(env!("CARGO_BIN_EXE_gilscope"))
        .args(["attach", "1", "--input", "terminal"])
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    assert_eq!(refused.status.code(), Some(2));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("gilscope watch") && why.contains("from where it was started"), "{why}");
}

/// A program that ends with the test, however that ends.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_that_was_running_runs_on_when_it_is_left() {
    let Some(python) = interpreter() else { return };
    let program = Command::new(python)
        .args(["-c", &busy(1000)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it ran a moment ago");
    let mut program = Running(program);
    let pid = program.0.id().to_string();
    let mut terminal = Terminal::gilscope(&["attach", &pid], 60, 15, &[]);
    terminal.wait_for("WATCHING");
    terminal.wait("its threads", |screen| screen.contains("spinner 1"));
    terminal.press("q");
    assert_eq!(terminal.wait_exit().exit_code(), 0);
    assert!(program.0.try_wait().expect("it is our child").is_none(), "it has ended");
}

#[test]
fn a_launched_program_stands_still_with_gilscope_and_goes_on_with_it() {
    let Some(python) = interpreter() else { return };
    let python = python.to_str().expect("it is UTF-8");
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join(format!("stands-still-{}.py", std::process::id()));
    std::fs::write(&path, busy(1000)).expect("it is written");
    let path = path.to_str().expect("it is UTF-8");
    let mut shell = Terminal::start("/bin/bash", &["--norc", "-i"], 120, 36, &[]);
    shell.press(&format!("gilscope watch --python {python} {path}\r"));
    shell.wait_for("WATCHING");
    shell.wait("somebody who made others wait", |screen| screen.contains("of all waiting fell while"));
    shell.press("\x1a");
    shell.wait_for("Stopped");
    // Gilscope, its keeper and the program have the file on their command lines.
    let program = || named(path).into_iter().max().expect("it is there");
    let state = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    };
    shell.wait("the program to stand still", |_| state(program()) == Some('T'));
    std::thread::sleep(std::time::Duration::from_millis(700));
    shell.press("fg\r");
    shell.wait_for("The program stood still with gilscope for");
    shell.wait("the program to go on", |_| matches!(state(program()), Some('R' | 'S')));
    // The time is on record.
    shell.wait_for("was stopped by SIGSTOP and continued after");
    shell.press("q");
    shell.wait_for("q again leaves");
    shell.press("q");
    shell.wait("the prompt", |screen| screen.contains("$ "));
}
