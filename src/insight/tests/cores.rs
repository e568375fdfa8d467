//! What kept threads from cores: others, a limit, or that there are too few.

use super::*;
use crate::engine::Allowance;

/// Two processes that take turns on one core.
fn turns_on_a_core() -> Trace {
    TraceBuilder::new()
        .lock("GIL of process 1")
        .lane("process 1")
        .running(ms(100))
        .state(State::WaitingCore, ms(100))
        .lock("GIL of process 2")
        .lane("process 2")
        .state(State::WaitingCore, ms(100))
        .running(ms(100))
        .build()
}

#[test]
fn where_only_looks_tell_what_the_kernel_has_booked_tells_that_cores_were_taken() {
    let found = |queued: u64| {
        let both = TraceBuilder::new().lock("GIL of process 1").lane("process 1").running(ms(200));
        let both = both.lock("GIL of process 2").lane("process 2").running(ms(200));
        let mut trace = both.live().build();
        let end = trace.now();
        for lane in [LaneId(0), LaneId(1)] {
            trace.lane_queued(lane, end, ms(queued), ms(200 - queued));
        }
        trace.advance(end);
        on_cores(&trace, 4).into_iter().find(|finding| finding.id == "cores-taken").map(|finding| finding.sentence)
    };
    let said = found(100).expect("they lacked one for half of the time");
    assert!(said.contains("for 50% of their time workers wanted one") && said.ends_with("was on 1.0 of 4."), "{said}");
    assert_eq!(found(10), None);
}

#[test]
fn cores_were_taken_by_others_only_where_ours_left_some_free() {
    let both = workers(2, true, &[(State::Running, 100), (State::WaitingCore, 100)]);
    let found = on_cores(&both, 4);
    assert_eq!(found[0].id, "cores-taken");
    assert!(found[0].sentence.contains("for 50% of their time workers wanted one"), "{found:?}");
    assert!(found[0].sentence.ends_with("was on 1.0 of 4."), "{found:?}");
    // A real program has no workers.
    let mut both = both;
    for noun in ["threads", "processes"] {
        let mut facts = Facts::new(&both, 4, ms(5));
        facts.is_program = true;
        let found = find(&facts);
        assert!(found[0].sentence.contains(&format!("of their time awake {noun} wanted one")), "{found:?}");
        both.lane_mut(LaneId(1)).process = 1;
    }
    // They took turns on the only core: nobody else was there.
    let turns = turns_on_a_core();
    assert!(on_cores(&turns, 1).iter().all(|finding| finding.id != "cores-taken"));
    assert!(on_cores(&turns, 2).iter().any(|finding| finding.id == "cores-taken"));
    // Threads of the program's own that have no lane may have been what took it.
    let native = |native| {
        let mut facts = Facts::new(&turns, 2, ms(5));
        facts.books.native = native;
        find(&facts)
    };
    let taken = |native_for| native(native_for).into_iter().find(|finding| finding.id == "cores-taken");
    assert_eq!((taken(ms(190)), taken(ms(1000))), (None, None));
    let sentence = taken(ms(20)).expect("a tenth does not explain it").sentence;
    assert!(sentence.ends_with("was on 1.1 of 2."), "{sentence}");
    // One core was lacked while ours had one: somebody must have had it.
    let beside = |machine| {
        let mut facts = Facts::new(&turns, 2, ms(5));
        facts.books.machine = Some(machine);
        find(&facts).iter().any(|finding| finding.id == "cores-taken")
    };
    assert_eq!((beside(1.9), beside(1.3)), (true, false));
    let little = workers(2, true, &[(State::Running, 100), (State::WaitingCore, 10)]);
    assert!(!ids(&little).contains(&"cores-taken"));
    // Of a time awake that is a hundredth of the run a third is nothing, and of a tenth it is something.
    let asleep =
        |times: u64| workers(2, true, &[(State::Running, 2 * times), (State::WaitingCore, times), (State::Io, 297)]);
    let of_program = |trace: &Trace| {
        let mut facts = Facts::new(trace, 4, ms(5));
        facts.is_program = true;
        find(&facts).iter().any(|finding| finding.id == "cores-taken")
    };
    assert_eq!((of_program(&asleep(1)), of_program(&asleep(11))), (false, true));
}

#[test]
fn whom_a_limit_held_back_nothing_was_taken_from() {
    let both = workers(2, true, &[(State::Running, 100), (State::WaitingCore, 100)]);
    let found_in = |trace: &Trace, throttled, allowance: Allowance| {
        let books = Books { allowance: Some(Allowance { throttled, ..allowance }), ..Books::default() };
        let mut facts = Facts::new(trace, 4, ms(5)).with(books);
        facts.is_program = true;
        find(&facts).into_iter().map(|finding| (finding.id, finding.sentence)).collect::<Vec<_>>()
    };
    let found = |throttled, allowance| found_in(&both, throttled, allowance);
    let limited = Allowance { cores: 4, quota: Some(0.5), periods: 50, throttled: 0 };
    let (id, said) = found(45, limited).swap_remove(0);
    assert_eq!(id, "cpu-limited");
    assert!(
        said.contains("of the 0.5 core that its control group may have, all was used up in 45 of 50 periods"),
        "{said}"
    );
    assert!(said.ends_with("threads stood without a core for 50% of their time awake."), "{said}");
    assert!(found(45, limited).iter().all(|(id, _)| *id != "cores-taken"));
    assert_eq!(found(4, limited)[0].0, "cores-taken", "now and then everybody is");
    assert_eq!(found(0, Allowance { quota: None, ..limited })[0].0, "cores-taken");
    // Those that it may not use are none for it.
    let said = found_in(&turns_on_a_core(), 0, Allowance { cores: 1, quota: None, ..limited }).swap_remove(0);
    assert_eq!(said.0, "oversubscribed");
    assert!(said.1.contains("wanted 2.0 cores at once where it may use 1 of 4:"), "{said:?}");
}
