//! What is looked at, and what is said of it.

use super::*;

#[test]
fn a_live_picture_stands_for_a_second_and_starts_where_the_first_lane_takes_the_lock() {
    let log = turns(100, true);
    let mut state = running(&log);
    let first = state.view.axis;
    assert!(state.view.fired);
    let owner = log.owner_at(crate::event::LockId(0), first.from);
    assert_eq!(owner, Some((LaneId(0), first.from)));
    let before = state.revision;
    hear(&mut state, Some(&log), News::Tick(log.now() + ms(100)));
    assert_eq!((state.view.axis, state.revision), (first, before), "nothing need be drawn");
    hear(&mut state, Some(&log), News::Tick(log.now() + ms(900)));
    assert_eq!(state.view.axis, first);
    assert_ne!(state.revision, before, "figures change four times a second");
}

#[test]
fn space_freezes_the_picture_and_never_the_run() {
    let log = turns(20, true);
    let mut state = running(&log);
    assert_eq!(update(&mut state, Some(&log), Action::Freeze), []);
    assert_eq!(state.view.frozen, Some(ms(400)));
    assert_eq!(state.phase.word(), "RUNNING");
    let frozen = state.view.axis;
    hear(&mut state, Some(&log), News::Tick(log.now() + ms(5000)));
    assert_eq!(state.view.axis, frozen);
    hear(&mut state, Some(&log), News::Ended(Ending::Stopped));
    assert_eq!(state.view.axis, frozen, "the end of the run does not move a frozen picture");
    update(&mut state, Some(&log), Action::Freeze);
    assert_eq!((state.view.frozen, state.view.cursor), (None, None));
}

#[test]
fn steps_go_from_hand_off_to_hand_off_and_pick_the_lane_that_took_over() {
    let log = turns(20, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::ToBegin);
    for (at, lane) in [(10, 1), (20, 0), (30, 1)] {
        update(&mut state, Some(&log), Action::NextHandoff);
        assert_eq!((state.view.cursor, state.view.picked), (Some(BEGIN + ms(at)), Some(LaneId(lane))));
        let (sentence, other) = (cursor::sentence(&state, &log).unwrap(), log.lane(LaneId(1 - lane)).name.clone());
        assert!(sentence.contains(&format!("took the lock over from {other}")), "{sentence}");
    }
    state.view.cursor = state.view.cursor.map(|at| at + ms(5));
    assert!(!cursor::sentence(&state, &log).unwrap().contains("took the lock"), "that was before");
    state.view.cursor = state.view.cursor.map(|at| at - ms(5));
    update(&mut state, Some(&log), Action::PreviousHandoff);
    assert_eq!(state.view.cursor, Some(BEGIN + ms(20)));
    update(&mut state, Some(&log), Action::ToEnd);
    update(&mut state, Some(&log), Action::NextHandoff);
    assert_eq!(state.message.as_deref(), Some("There is no later hand-off of this lock."));
}

#[test]
fn the_cursor_says_state_since_when_and_who_held_the_lock_meanwhile() {
    let log = turns(20, false);
    let mut state = done(&log);
    state.view.axis = Axis { from: BEGIN, cell: MS, cells: 80 };
    state.view.cursor = Some(BEGIN + ms(14));
    let said = cursor::sentence(&state, &log).unwrap();
    assert_eq!(
        said,
        "0.014 s  thread 1 waits for the GIL, 10.0 ms; held here by thread 2 at line 8: 10.0 ms of it, 200 ms in all while \
         thread 1 waited"
    );
    update(&mut state, Some(&log), Action::NextLane);
    assert!(cursor::sentence(&state, &log).unwrap().starts_with("0.014 s  thread 2 runs since 0.010 s, for 10.0 ms"));
}

#[test]
fn zooming_reaches_from_a_microsecond_to_a_minute_and_keeps_the_cursor() {
    let log = turns(20, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::CursorRight);
    let cursor = state.view.cursor.unwrap();
    for _ in 0..40 {
        update(&mut state, Some(&log), Action::ZoomIn);
        assert!(state.view.axis.cell_of(cursor).is_some());
    }
    assert_eq!(state.view.axis.cell, Nanos::from_micros(1));
    for _ in 0..40 {
        update(&mut state, Some(&log), Action::ZoomOut);
        assert!(state.view.axis.cell_of(cursor).is_some());
    }
    assert_eq!(state.view.axis.cell, Nanos::from_secs(60));
    update(&mut state, Some(&log), Action::WholeRun);
    assert!(state.view.is_whole(log.begin_at(), log.now()));
}

#[test]
fn the_sentence_says_what_is_seen_and_the_next_key() {
    let log = turns(40, false);
    let state = done(&log);
    assert_eq!(
        words::sentence(&state),
        "One thread holds the lock, one waits (50% of all their time). The work fills one core at most. m: the same work, \
         2 processes."
    );
    let log = TraceBuilder::new()
        .lock("GIL")
        .lane("thread 1")
        .state(LaneState::Io, ms(900))
        .lane("thread 2")
        .state(LaneState::Io, ms(900))
        .build();
    assert!(words::sentence(&done(&log)).contains("2.0 of 2 waits go on at once"));
    let log = TraceBuilder::new()
        .lock("GIL")
        .lane("thread 1")
        .state(LaneState::Native, ms(900))
        .lane("thread 2")
        .state(LaneState::Native, ms(900))
        .build();
    assert!(words::sentence(&done(&log)).contains("C code lets the lock go"));
}

#[test]
fn escape_closes_what_is_open_before_it_lets_the_picture_go_on() {
    let log = turns(20, true);
    let mut state = running(&log);
    update(&mut state, Some(&log), Action::Big);
    update(&mut state, Some(&log), Action::Freeze);
    update(&mut state, Some(&log), Action::Settings);
    update(&mut state, Some(&log), Action::Close);
    assert!(state.settings.is_none() && state.view.frozen.is_some());
    update(&mut state, Some(&log), Action::Close);
    assert!(state.view.frozen.is_none() && state.view.big);
    update(&mut state, Some(&log), Action::Close);
    assert!(!state.view.big);
}

#[test]
fn the_key_that_goes_on_says_what_it_went_on_to() {
    let log = turns(100, true);
    let mut state = running(&log);
    update(&mut state, Some(&log), Action::NextLane);
    let said = words::sentence(&state);
    assert!(said.starts_with("thread 1 is picked: pictures start where it takes its lock."), "{said}");
    update(&mut state, Some(&log), Action::NextLane);
    assert!(words::sentence(&state).starts_with("thread 2 is picked"), "{}", words::sentence(&state));
    let log = turns(3, false);
    let mut state = done(&log);
    update(&mut state, Some(&log), Action::NextLane);
    let said = words::sentence(&state);
    assert!(said.starts_with("thread 1 is picked. ") && said.contains("next hand-off"), "{said}");
    update(&mut state, Some(&log), Action::Settings);
    let first = words::sentence(&state);
    update(&mut state, Some(&log), Action::NextLane);
    assert!(first.starts_with("rules: ") && words::sentence(&state).starts_with("tasks: "), "{first}");
    update(&mut state, Some(&log), Action::Close);
    assert!(state.settings.is_none() && state.message.is_none());
}

#[test]
fn looking_before_there_is_anything_to_see_says_so() {
    let mut state = lab();
    for action in [Action::Freeze, Action::NextHandoff, Action::ZoomIn, Action::WholeRun, Action::CursorLeft] {
        update(&mut state, None, action);
        assert_eq!(state.message.as_deref(), Some("There is nothing to look at yet."));
    }
}

#[test]
fn without_news_nothing_is_drawn_anew() {
    let mut state = lab();
    let before = state.revision;
    for second in 0..20 {
        hear(&mut state, None, News::Tick(Nanos::from_secs(second)));
    }
    let machine = state.machine.clone();
    hear(&mut state, None, News::Machine(machine));
    assert_eq!(state.revision, before);
}
