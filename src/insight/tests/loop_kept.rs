//! Event loops of real programs that stand still.

use super::*;
use crate::event::Detail;
use crate::observe::place::Place;
use crate::record::CoreEvidence;
use crate::session::Places;

/// What a thread did between two waits for events, and for how many milliseconds.
type Did<'a> = &'a [(State, Detail, u64)];

/// A thread that waits for events so many times, and does this in between each time and that once.
fn waits(times: usize, each: Did, once: Did, evidence: CoreEvidence) -> Option<String> {
    let mut builder = TraceBuilder::new().lock("GIL").lane("main");
    let all = |mut builder: TraceBuilder, did: Did| {
        for (state, detail, millis) in did {
            builder = match state {
                State::Running => builder.running(ms(*millis)),
                State::WaitingGil => builder.waiting(ms(*millis)),
                _ => builder.state_with(*state, *detail, ms(*millis)),
            };
        }
        builder
    };
    for time in 0..times {
        builder = builder.state_with(State::Io, Detail::Epoll, ms(20));
        builder = all(builder, if time == times / 2 { once } else { each });
    }
    let mut trace = builder.state_with(State::Io, Detail::Epoll, ms(20)).build();
    trace.lane_mut(LaneId(0)).core_evidence = evidence;
    let mut facts = Facts::new(&trace, 4, ms(5));
    facts.is_program = true;
    find(&facts).into_iter().find(|finding| finding.id == "loop-kept").map(|finding| finding.sentence)
}

const SHORT: Did = &[(State::Running, Detail::None, 2)];

fn seen(times: usize, once: Did) -> Option<String> {
    waits(times, SHORT, once, CoreEvidence::SwitchRecords)
}

#[test]
fn what_stops_a_loop_is_told_with_what_it_did_meanwhile() {
    let computes = seen(10, &[(State::Running, Detail::None, 300)]).expect("it stood still");
    assert!(computes.starts_with(
        "main waits for events as an event loop does, and did not come back to that for 300 ms: mostly it computed."
    ));
    let sleep = [(State::Running, Detail::None, 5), (State::Io, Detail::Sleep, 200), (State::Running, Detail::None, 5)];
    let sleeps = seen(10, &sleep).expect("it stood still");
    assert!(
        sleeps.contains("did not come back to that for 210 ms") && sleeps.contains("slept for a set time"),
        "{sleeps}"
    );
    for (state, detail, words) in [
        (State::Io, Detail::Socket, "a socket"),
        (State::Io, Detail::Poll, "a socket"),
        (State::Io, Detail::Child, "waited for another process to end"),
        (State::Native, Detail::None, "ran C code"),
        (State::WaitingLock, Detail::None, "waited for a lock"),
    ] {
        let said = seen(10, &[(state, detail, 150)]).expect("it stood still");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_a_module_does_outside_of_any_function_is_no_callback() {
    let mut builder = TraceBuilder::new().lock("GIL").lane("main");
    for _ in 0..6 {
        builder = builder.state_with(State::Io, Detail::Epoll, ms(20)).running(ms(200));
    }
    let mut trace = builder.state_with(State::Io, Detail::Epoll, ms(20)).build();
    trace.lane_mut(LaneId(0)).core_evidence = CoreEvidence::SwitchRecords;
    let said = |function: &str| {
        let mut places = Places::default();
        for round in 0..6 {
            let place =
                Place { function: function.into(), file: "a.py".into(), line: Some(7), task: None, caller: None };
            places.saw(trace.begin_at() + ms(220 * round + 100), LaneId(0), place, 0);
        }
        let mut facts = Facts::new(&trace, 4, ms(5));
        (facts.is_program, facts.places) = (true, Some(&places));
        find(&facts).into_iter().find(|finding| finding.id == "loop-kept").map(|finding| finding.sentence)
    };
    assert!(said("handle").is_some_and(|said| said.contains("computed, in handle (a.py:7) as far as was seen")));
    assert_eq!(said("<module>"), None);
}

#[test]
fn that_it_happens_often_is_said() {
    let slow: Did = &[(State::Io, Detail::Sleep, 110)];
    let said = waits(6, slow, &[(State::Io, Detail::Sleep, 400)], CoreEvidence::SwitchRecords).expect("it stood still");
    assert!(said.contains("for 400 ms (one of six times over 100 ms)"), "{said}");
}

#[test]
fn nothing_is_said_of_one_that_comes_back_soon_or_is_no_loop_or_whom_others_keep() {
    assert_eq!(seen(50, SHORT), None);
    assert_eq!(seen(10, &[(State::Running, Detail::None, 90)]), None);
    assert_eq!(seen(3, &[(State::Running, Detail::None, 300)]), None, "who waits so seldom runs no loop");
    assert_eq!(seen(10, &[(State::Running, Detail::None, 90), (State::WaitingGil, Detail::None, 200)]), None);
}

#[test]
fn what_a_thread_does_after_its_loop_has_ended_keeps_no_loop() {
    let mut builder = TraceBuilder::new().lock("GIL").lane("main");
    for _ in 0..10 {
        builder = builder.state_with(State::Io, Detail::Epoll, ms(20)).running(ms(2));
    }
    builder = builder.running(ms(300)).state_with(State::Sleeping, Detail::None, ms(1)).running(ms(1));
    let mut trace = builder.build();
    trace.lane_mut(LaneId(0)).core_evidence = CoreEvidence::SwitchRecords;
    let mut facts = Facts::new(&trace, 4, ms(5));
    facts.is_program = true;
    assert!(!find(&facts).iter().any(|finding| finding.id == "loop-kept"));
}

#[test]
fn a_sleep_of_which_nobody_knows_the_reason_may_have_been_a_wait_for_events() {
    let compute = (State::Running, Detail::None, 80);
    assert_eq!(seen(10, &[compute, (State::Sleeping, Detail::None, 1), compute]), None);
    let said = seen(10, &[(State::Running, Detail::None, 120), (State::Sleeping, Detail::None, 1)]);
    assert!(said.is_some_and(|said| said.contains("for 120 ms")), "until then it had not");
    let said = seen(10, &[compute, (State::Sleeping, Detail::None, 1), (State::Io, Detail::Child, 120)]);
    assert!(said.is_some_and(|said| said.contains("for 120 ms")), "it has not since");
    // Where sleeps are only looked at, short ones are not seen.
    let without = |once| waits(10, SHORT, once, CoreEvidence::None);
    assert_eq!(without(&[(State::Running, Detail::None, 300)]), None);
    assert_eq!(
        without(&[(State::Io, Detail::Sleep, 60), (State::Running, Detail::None, 1), (State::Io, Detail::Sleep, 60)]),
        None
    );
    let said = without(&[(State::Io, Detail::Sleep, 300)]).expect("it slept all the while");
    assert!(said.contains("300 ms"), "{said}");
}
