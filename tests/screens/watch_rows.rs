//! The rows of the Watch screen where there is little room or there are many: locks, names, letters, marks.

use gilscope::app::{Action, State, update};
use gilscope::event::State as LaneState;
use gilscope::session::Places;
use gilscope::trace::Trace;
use gilscope::trace::testing::{TraceBuilder, forks};

use super::watch::{ms, watched};
use super::{check, draw, text};

/// This program on the screen.
fn watching(size: (u16, u16), log: &Trace) -> State {
    let (mut state, _) = watched(size, false, true);
    state.watch = Default::default();
    state.watch.read(log, &Places::default());
    state.view.axis.from = log.begin_at();
    state.view.until = log.now();
    state
}

#[test]
fn of_many_locks_those_in_the_picture_are_shown_and_how_many_others_there_are_is_said() {
    check("watch-forks", |size| {
        let log = forks();
        let mut state = watching(size, &log);
        state.view.axis.cell = ms(2);
        state.view.axis.from = log.begin_at() + ms(900);
        (state, Some(log))
    });
    for size in [(120, 36), (80, 24), (60, 15)] {
        let log = forks();
        let mut state = watching(size, &log);
        state.view.axis.cell = ms(1);
        state.view.axis.from = log.begin_at() + ms(970);
        let text = text(&draw(&state, Some(&log)));
        let rows: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("GIL ")).collect();
        let named = |row: &str| row.trim_start()[..7].trim_end().to_owned();
        let names: Vec<String> = rows.iter().map(|row| named(row)).collect();
        assert!(["GIL 1", "GIL 101", "GIL 100", "GIL 99"].starts_with(&[&*names[0], &*names[1]]), "{text}");
        assert!(names.len() <= 4 && rows.iter().all(|row| row.len() > 20), "{text}");
        assert!(text.contains("97 locks before or after"), "{text}");
        assert!(text.contains(" 20% GIL 1"), "no lock is held all the time: {text}");
    }
}

/// Three threads whose names differ in the end hold the lock by turns and wait for it; two others sleep.
fn workers() -> Trace {
    let mut log = TraceBuilder::new().lock("GIL");
    for worker in 0..3 {
        log = log.lane(&format!("worker-number-{worker}"));
        for turn in 0..60 {
            log = if turn % 3 == worker { log.running(ms(10)) } else { log.waiting(ms(10)) };
        }
    }
    for name in ["io", "printer"] {
        log = log.lane(name).state(LaneState::Io, ms(500)).state(LaneState::Sleeping, ms(100));
    }
    log.build()
}

#[test]
fn names_differ_however_they_are_cut_and_every_letter_in_the_lock_s_row_is_explained() {
    check("watch-workers", |size| {
        let log = workers();
        (watching(size, &log), Some(log))
    });
    for (size, by_function) in [((120, 36), false), ((80, 24), false), ((60, 15), false), ((60, 15), true)] {
        let log = workers();
        let mut state = watching(size, &log);
        state.watch.by_function = by_function;
        state.watch.read(&log, &Places::default());
        let text = text(&draw(&state, Some(&log)));
        let (above, lanes) = text.split_once(" a cell").expect("there are lanes");
        let gil = lanes.lines().find(|line| line.starts_with(" GIL")).expect("there is a lock").replace("GIL", "");
        for letter in gil.chars().filter(char::is_ascii_lowercase) {
            let is_told = |part: &str| {
                let names = ["worker-number-", "worker-…mber-", "worker…mber-", "work…er-"];
                names.iter().any(|name| part.contains(&format!("{letter} {name}")))
            };
            assert!(is_told(lanes) || is_told(above), "{letter} at {size:?}\n{text}");
        }
    }
}

#[test]
fn letters_that_nothing_explains_are_dots() {
    let log = workers();
    let mut state = watching((60, 15), &log);
    state.watch.by_function = true;
    state.watch.scroll = 3;
    state.watch.read(&log, &Places::default());
    let text = text(&draw(&state, Some(&log)));
    let gil = text.lines().find(|line| line.starts_with(" GIL")).expect("there is a lock");
    let lanes = text.lines().filter(|line| line.contains("work…er-")).count();
    let letters: std::collections::BTreeSet<char> = gil[4..].chars().filter(char::is_ascii_lowercase).collect();
    assert!(letters.len() == lanes && lanes < 3 && gil.contains('•') && text.contains("• by others"), "{text}");
}

#[test]
fn the_cursor_ends_with_the_lanes_and_marks_that_are_not_there_are_not_explained() {
    for size in [(120, 36), (80, 24), (60, 15)] {
        let log = workers();
        let mut state = watching(size, &log);
        update(&mut state, Some(&log), Action::Freeze);
        for _ in 0..12 {
            update(&mut state, Some(&log), Action::PanLeft);
            let text = text(&draw(&state, Some(&log)));
            let legend = text.lines().find(|line| line.contains("waits for the GIL") && !line.contains(" s  "));
            let legend = legend.expect("it is in every picture");
            assert!(!legend.contains('╎') && !legend.contains("not observed"), "{text}");
        }
    }
}
