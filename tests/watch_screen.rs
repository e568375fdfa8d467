//! A real Python on the Watch screen, in a real (pseudo-)terminal.

#[path = "common/python.rs"]
mod python;
#[path = "common/terminal.rs"]
#[expect(dead_code, reason = "the tests of the lab use more of it")]
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
    terminal.wait("its output, given back", |screen| screen.contains("upward"));
    terminal.screen(|screen| assert!(!screen.alternate_screen() && !screen.hide_cursor()));
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
        screen.contains("waits for the GIL, ") && screen.contains("held here by thread ") && screen.contains("Tab lane")
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

#[test]
fn a_program_that_was_running_runs_on_when_it_is_left() {
    let Some(python) = interpreter() else { return };
    let mut program = Command::new(python)
        .args(["-c", &busy(1000)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it ran a moment ago");
    let pid = program.id().to_string();
    let mut terminal = Terminal::gilscope(&["attach", &pid], 60, 15, &[]);
    terminal.wait_for("WATCHING");
    terminal.wait("its threads", |screen| screen.contains("spinner 1"));
    terminal.press("q");
    assert_eq!(terminal.wait_exit().exit_code(), 0);
    assert!(program.try_wait().expect("it is our child").is_none(), "it has ended");
    program.kill().expect("it is our child");
    program.wait().expect("it is our child");
}
