//! A picture that stands still, by itself or because it was told to.

use super::*;
use crate::app::Program;

#[test]
fn frozen_the_wait_pointed_at_is_told_with_who_held_the_lock_and_where() {
    let log = log();
    let mut state = watching(&log);
    act(&mut state, Some(&log), Action::Freeze);
    assert!(state.view.frozen.is_some());
    // The longest wait of whoever waits most.
    let text = said(&state, &log);
    assert!(
        text.contains("second waits for the GIL, 100 ms; held here by hog in render (pdf.py:212): 90.0 ms of it"),
        "{text}"
    );
    assert!(
        text.contains("90.0 ms in all while second waited") && text.contains("before or after by first 10.0 ms"),
        "{text}"
    );
    // Later in the same wait it was somewhere else.
    state.view.cursor = Some(log.begin_at() + ms(85));
    assert!(said(&state, &log).contains("held here by hog in dump (store.py:9)"), "{}", said(&state, &log));
    // Of the moment it was not seen in, it is said when it was.
    state.watch.places = Places::default();
    state.watch.places.saw(log.begin_at() + ms(96), LaneId(0), place("later", "/srv/x.py", 1), 0);
    state.view.cursor = Some(log.begin_at() + ms(85));
    assert!(said(&state, &log).contains("hog (seen 11.0 ms after in later (x.py:1))"), "{}", said(&state, &log));
}

#[test]
fn of_a_wait_during_which_nobody_is_known_to_have_held_the_lock_that_is_said() {
    let log = TraceBuilder::new().lock("GIL").lane("first").waiting(ms(90)).running(ms(10)).build();
    let mut state = watching(&log);
    state.origin.program = Some(Program::default());
    act(&mut state, Some(&log), Action::Freeze);
    let text = said(&state, &log);
    assert!(
        text.ends_with("first waits for the GIL, 90.0 ms; it is not known who held it meanwhile, if anyone did"),
        "{text}"
    );
}

#[test]
fn figures_stand_still_with_the_picture_and_are_read_again_when_it_goes_on() {
    let log = log();
    let mut state = watching(&log);
    act(&mut state, Some(&log), Action::Freeze);
    let (figures, busy) = (state.watch.figures.clone(), state.figures.cores_busy);
    let later = TraceBuilder::new().lock("GIL").lane("other").running(ms(5000)).build();
    hear(&mut state, Some(&later), seen(&later));
    hear(&mut state, Some(&later), News::Tick(later.now() + ms(9000)));
    assert_eq!((&state.watch.figures, state.figures.cores_busy), (&figures, busy));
    act(&mut state, Some(&later), Action::Freeze);
    hear(&mut state, Some(&later), seen(&later));
    assert_ne!(state.watch.figures, figures);
}

#[test]
fn what_a_holder_cost_in_all_stands_still_with_the_picture_too() {
    let rounds = |rounds: u64| {
        let mut log = TraceBuilder::new().lock("GIL").lane("hog");
        (0..rounds).for_each(|_| log = std::mem::take(&mut log).running(ms(90)).state(LaneState::Io, ms(10)));
        log = log.lane("other");
        (0..rounds).for_each(|_| log = std::mem::take(&mut log).waiting(ms(90)).running(ms(10)));
        log.build()
    };
    let log = rounds(2);
    let mut state = watching(&log);
    act(&mut state, Some(&log), Action::Freeze);
    let frozen = said(&state, &log);
    assert!(frozen.contains("180 ms in all while other waited"), "{frozen}");
    let later = rounds(5);
    hear(&mut state, Some(&later), News::Tick(later.now()));
    assert!(said(&state, &later).contains("180 ms in all while other waited"), "{}", said(&state, &later));
    act(&mut state, Some(&later), Action::Freeze);
    act(&mut state, Some(&later), Action::Freeze);
    assert!(said(&state, &later).contains("450 ms in all while other waited"), "{}", said(&state, &later));
}

#[test]
fn the_freeze_at_a_long_wait_says_its_limit_and_tells_that_wait() {
    let log = log();
    let mut state = watching(&log);
    act(&mut state, Some(&log), Action::NextTrigger);
    act(&mut state, Some(&log), Action::NextTrigger);
    assert_eq!(state.watch.freeze_over, Some(ms(50)));
    // What is past when it is asked for is not meant.
    hear(&mut state, Some(&log), seen(&log));
    assert_eq!(state.view.frozen, None);
    let late = TraceBuilder::new()
        .lock("GIL")
        .lane("hog")
        .running(ms(400))
        .lane("ticker")
        .state(LaneState::Io, ms(220))
        .waiting(ms(170))
        .state(LaneState::Io, ms(10))
        .build();
    hear(&mut state, Some(&late), seen(&late));
    let text = said(&state, &late);
    assert!(text.starts_with("FROZEN: ticker waited more than 50 ms for the lock; space goes on."), "{text}");
    assert!(
        text.contains("ticker waits for the GIL, 170 ms; held here by hog in dump (store.py:9): 170 ms of it"),
        "{text}"
    );
}

/// `hog` holds the lock from 60 ms on, `bg` waits for it since then and until 490 ms at most; seen up to an instant.
fn a_long_wait_until(now: u64) -> Trace {
    let (waited, after) = (now.min(490) - 60, now.saturating_sub(490));
    let log = TraceBuilder::new().lock("GIL").lane("hog").state(LaneState::Io, ms(60)).running(ms(waited));
    let log = if after > 0 { log.state(LaneState::Io, ms(after)) } else { log };
    let log = log.lane("bg").state(LaneState::Io, ms(60)).waiting(ms(waited));
    (if after > 0 { log.running(ms(after)) } else { log }).live().build()
}

#[test]
fn it_freezes_once_the_long_wait_is_over_and_the_picture_and_the_figures_hold_all_of_it() {
    let mut log = a_long_wait_until(61);
    let mut state = watching(&log);
    state.watch.freeze_over = Some(ms(50));
    state.view.axis = Axis { from: log.begin_at(), cell: ms(1), cells: 56 };
    for now in [110, 200, 480] {
        log = a_long_wait_until(now);
        hear(&mut state, Some(&log), seen(&log));
        assert_eq!(state.view.frozen, None, "it goes on at {now} ms");
        assert_eq!(state.watch.figures.wait.max, ms(now - 60), "a wait counts while it lasts");
    }
    log = a_long_wait_until(520);
    hear(&mut state, Some(&log), seen(&log));
    assert!(state.is_frozen());
    let axis = state.view.axis;
    assert!(axis.from <= log.begin_at() + ms(60) && axis.to() >= log.begin_at() + ms(490), "{axis:?}");
    let text = said(&state, &log);
    assert!(text.contains("bg waits for the GIL, 430 ms; held here by hog"), "{text}");
    assert!(text.contains(": 430 ms of it, 430 ms in all while bg waited"), "{text}");
    assert_eq!(state.watch.figures.wait.max, ms(430));
}

#[test]
fn a_wait_that_goes_on_is_told_up_to_the_instant_at_which_the_picture_was_frozen() {
    let log = a_long_wait_until(120);
    let mut state = watching(&log);
    // The figures were read a moment ago.
    let log = a_long_wait_until(130);
    act(&mut state, Some(&log), Action::Freeze);
    let text = said(&state, &log);
    assert!(text.contains("bg waits for the GIL, 70.0 ms so far; held here by hog"), "{text}");
    assert!(text.contains(": 70.0 ms of it, 70.0 ms in all while bg waited"), "{text}");
    assert_eq!((state.watch.figures.wait.count, state.watch.figures.wait.max), (1, ms(70)));
    let later = a_long_wait_until(600);
    hear(&mut state, Some(&later), seen(&later));
    hear(&mut state, Some(&later), News::Tick(later.now() + ms(9000)));
    assert_eq!(said(&state, &later), text);
    for action in [Action::CursorRight, Action::ToEnd, Action::ZoomOut, Action::NextHandoff, Action::PanRight] {
        act(&mut state, Some(&later), action);
        assert!(state.reach(&later) == later.begin_at() + ms(130), "{action:?}");
        assert!(!said(&state, &later).contains("430 ms"), "{action:?}: {}", said(&state, &later));
    }
    // The longest that is waited for is shown although it goes on.
    act(&mut state, Some(&later), Action::Freeze);
    state.watch.freeze_over = Some(ms(50));
    state.watch.looked = later.begin_at();
    let log = TraceBuilder::new().lock("GIL").lane("hog").running(ms(5000)).lane("bg").state(LaneState::Io, ms(60));
    let log = log.waiting(ms(4940)).live().build();
    hear(&mut state, Some(&log), seen(&log));
    assert!(state.is_frozen() && said(&state, &log).contains("4.94 s so far"), "{}", said(&state, &log));
}

#[test]
fn when_the_program_ends_a_frozen_picture_and_its_figures_are_of_the_end() {
    let log = a_long_wait_until(120);
    let mut state = watching(&log);
    act(&mut state, Some(&log), Action::Freeze);
    let log = a_long_wait_until(600);
    let ended = Observation { ended: Some("exit status 0".to_owned()), ..Observation::default() };
    hear(&mut state, Some(&log), News::Observed(Box::new(ended)));
    assert_eq!((state.view.until, state.view.frozen), (log.now(), None));
    assert!(said(&state, &log).contains("bg waits for the GIL, 430 ms; held"), "{}", said(&state, &log));
    assert_eq!(state.watch.figures.wait.max, ms(430));
}
