//! What a person asks of the Watch screen.

mod frozen;

use super::super::{ModelChoice, News, hear, update as act};
use super::*;
use crate::app::Origin;
use crate::event::State as LaneState;
use crate::insight::Finding;
use crate::observe::parking::Wanted;
use crate::observe::place::Place;
use crate::session::{Experiment, Wants};
use crate::trace::Evidence;
use crate::trace::testing::TraceBuilder;

fn sentence(watch: &Watch, log: &Trace) -> String {
    super::super::Wording::Plain.say(&watch.sentence(log, &Origin::default(), None)).into_owned()
}

fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

/// `hog` holds the lock for 90 ms while two wait, one of which then runs for 10 ms while the other waits on; a
/// fourth thread does nothing at all.
fn log() -> Trace {
    TraceBuilder::new()
        .lock("GIL")
        .lane("hog")
        .running(ms(90))
        .state(LaneState::Io, ms(10))
        .lane("first")
        .waiting(ms(90))
        .running(ms(10))
        .lane("second")
        .waiting(ms(100))
        .lane("sleeper")
        .state(LaneState::Io, ms(100))
        .build()
}

#[test]
fn whoever_makes_others_wait_comes_first_and_gets_the_first_letter() {
    let mut watch = Watch::default();
    watch.read(&log(), &Places::default());
    let rows: Vec<_> = watch.figures.holders.iter().map(|row| (row.name.as_str(), row.holds, row.waiting)).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].0, "hog");
    assert!((rows[0].1 - 0.9).abs() < 1e-9 && (rows[0].2 - 180.0 / 190.0).abs() < 1e-9, "{rows:?}");
    assert_eq!(watch.letter(LaneId(0)), Some('a'));
    assert!(sentence(&watch, &log()).starts_with("95% of all waiting fell while hog held the lock"));
}

#[test]
fn those_kept_waiting_most_come_first_and_those_who_did_nothing_are_folded() {
    let mut watch = Watch::default();
    watch.read(&log(), &Places::default());
    let order: Vec<_> = watch.figures.rows.iter().map(|row| (row.name.as_str(), row.kind)).collect();
    let active = ["second", "first", "hog"].map(|name| (name, Kind::Active));
    assert_eq!(order, [&active[..], &[("sleeper", Kind::Idle)]].concat());
    assert_eq!(watch.figures.held.map(|held| held.share), Some(1.0));
    assert_eq!(watch.figures.wait.max, ms(100), "whoever waits still has waited longest");
}

#[test]
fn a_lock_is_free_most_of_the_time_only_if_it_is_with_the_margin_of_its_looks() {
    let said = |held: u64, evidence| {
        let log = TraceBuilder::new().lock("GIL").lane("one").running(ms(held)).state(LaneState::Io, ms(1000 - held));
        let (log, mut watch) = (log.build(), Watch::default());
        watch.read(&log, &Places::default());
        watch.sentence(&log, &Origin { evidence, ..Origin::default() }, None)
    };
    let (free, neither) = ("The lock is free most of the time", "No one thread makes the others wait");
    assert!(said(490, Evidence::Exact).starts_with(free));
    assert!(said(510, Evidence::Exact).starts_with(neither));
    // Of so many looks as three seconds have it may be 51 % as well.
    assert!(said(490, Evidence::Sampled).starts_with(neither));
    assert!(said(470, Evidence::Sampled).starts_with(free));
}

#[test]
fn nobody_is_said_to_make_others_wait_who_hardly_wait() {
    for (waits, said) in [(5, false), (20, true)] {
        let log = TraceBuilder::new().lock("GIL").lane("hog").running(ms(1000));
        let log = log.lane("other").waiting(ms(waits)).state(LaneState::Io, ms(1000 - waits)).build();
        let mut watch = Watch::default();
        watch.read(&log, &Places::default());
        assert_eq!(sentence(&watch, &log).contains("of all waiting"), said, "{waits} ms of a second");
    }
}

#[test]
fn what_was_found_of_it_all_is_said_where_nobody_makes_others_wait_and_at_the_end() {
    let found =
        Finding { id: "loop-kept", sentence: "It stood still.".into(), advice: Some("Try: it."), command: None };
    let said = |watch: &Watch, log: &Trace| watch.sentence(log, &Origin::default(), Some(&found));
    let mut watch = Watch::default();
    watch.read(&log(), &Places::default());
    assert!(said(&watch, &log()).contains("of all waiting"), "who makes others wait goes before");
    // Whom a limit keeps from cores waits for them, and hardly for who has the lock.
    for (core, first) in [(700, true), (10, false)] {
        let log = TraceBuilder::new().lock("GIL").lane("hog").running(ms(1000)).lane("other").waiting(ms(50));
        let log = log.state(LaneState::WaitingCore, ms(core)).state(LaneState::Io, ms(950 - core)).build();
        let mut watch = Watch::default();
        watch.read(&log, &Places::default());
        let limited = Finding { id: "cpu-limited", ..found.clone() };
        let said = watch.sentence(&log, &Origin::default(), Some(&limited));
        assert_eq!(said.starts_with("It stood still."), first, "{said}");
    }
    let free = TraceBuilder::new().lock("GIL").lane("one").running(ms(10)).state(LaneState::Io, ms(990)).build();
    let mut watch = Watch::default();
    watch.read(&free, &Places::default());
    assert_eq!(said(&watch, &free), "It stood still. Try: it.");
    watch.ended = Some("exit status 0".to_owned());
    assert_eq!(said(&watch, &free), "The program has ended: exit status 0. It stood still. Try: it.");
    watch.ended = Some("exit status 1".to_owned());
    watch.output = Printed { lines: vec!["Traceback".into(), "ValueError: 7".into()], ..Printed::default() };
    let said = said(&watch, &free);
    assert!(said.contains("It said last") && !said.contains("stood still"), "{said}");
}

fn place(function: &str, file: &str, line: u32) -> Place {
    Place { function: function.into(), file: file.into(), line: Some(line), task: None, caller: None }
}

/// The program above on the Watch screen; while the lock was held by `hog` it was seen in `render` and, later, in `dump`.
fn watching(log: &Trace) -> State {
    let experiment = Experiment::new("sum-squares", "threads", 4);
    let mut state = State::new(experiment.clone(), Vec::new(), ModelChoice::built_in());
    state.screen = super::super::Screen::Watch;
    state.ran = Some(experiment);
    state.phase = Phase::Running;
    hear(&mut state, Some(log), seen(log));
    hear(&mut state, Some(log), News::Tick(log.now()));
    state
}

fn seen(log: &Trace) -> News {
    let mut places = Places::default();
    places.saw(log.begin_at() + ms(20), LaneId(0), place("Report.render", "/srv/pdf.py", 212), 2);
    places.saw(log.begin_at() + ms(80), LaneId(0), place("dump", "/srv/store.py", 9), 2);
    let program = Some(super::super::Program { name: "api.py".to_owned(), pid: 7, launched: true });
    let origin = Origin { program, ..Origin::default() };
    News::Observed(Box::new(Observation { origin, places, ..Observation::default() }))
}

#[test]
fn of_several_processes_the_one_pointed_at_is_named_with_its_number() {
    let mut log = log();
    log.lane_mut(LaneId(0)).pid = Some(7);
    log.lane_mut(LaneId(1)).pid = Some(9);
    let mut state = watching(&log);
    state.view.cursor = Some(log.begin_at() + ms(30));
    for (lane, named) in [(0, "hog runs"), (1, "first (pid 9) waits for the GIL")] {
        state.view.picked = Some(LaneId(lane));
        assert!(said(&state, &log).contains(named), "{}", said(&state, &log));
    }
}

#[test]
fn tab_goes_down_the_list_and_full_stop_to_the_next_wait_of_that_lane() {
    let mut log = TraceBuilder::new().lock("GIL").lane("hog");
    for _ in 0..10 {
        log = log.running(ms(9)).state(LaneState::Io, ms(1));
    }
    log = log.lane("often");
    for _ in 0..10 {
        log = log.waiting(ms(6)).state(LaneState::Io, ms(4));
    }
    let log = log.lane("once").state(LaneState::Io, ms(50)).waiting(ms(10)).state(LaneState::Io, ms(40)).build();
    let mut state = watching(&log);
    state.view.axis.cell = ms(2);
    act(&mut state, Some(&log), Action::Freeze);
    assert_eq!(state.view.picked, Some(LaneId(1)), "it waits most");
    let at = |state: &State| state.view.cursor.map(|at| (at - log.begin_at()).0 / 1_000_000);
    assert_eq!(at(&state), Some(90), "the latest of its longest");
    for expected in [80, 70, 60] {
        act(&mut state, Some(&log), Action::PreviousHandoff);
        assert_eq!(at(&state), Some(expected));
    }
    act(&mut state, Some(&log), Action::NextHandoff);
    assert_eq!(at(&state), Some(70));
    act(&mut state, Some(&log), Action::NextLane);
    assert_eq!((state.view.picked, at(&state)), (Some(LaneId(2)), Some(70)), "the cursor stays");
    act(&mut state, Some(&log), Action::PreviousHandoff);
    assert_eq!(at(&state), Some(50));
    assert!(said(&state, &log).contains("once waits for the GIL, 10.0 ms"), "{}", said(&state, &log));
    act(&mut state, Some(&log), Action::PreviousHandoff);
    assert!(said(&state, &log).starts_with("once has no earlier wait"), "{:?}", said(&state, &log));
    // Of a wait in which the lock changes hands the longest hold is pointed at.
    let turns = TraceBuilder::new().lock("GIL").lane("short").running(ms(10)).state(LaneState::Io, ms(90));
    let turns = turns.lane("long").waiting(ms(10)).running(ms(80)).state(LaneState::Io, ms(10));
    let turns = turns.lane("late").waiting(ms(90)).running(ms(10)).build();
    assert_eq!(point::longest_hold(&turns, LaneId(2), turns.begin_at()), turns.begin_at() + ms(10));
    // Up and down pick a lane, too; at the end of the list it stays.
    act(&mut state, Some(&log), Action::ScrollUp);
    assert_eq!(state.view.picked, Some(LaneId(1)));
    (0..5).for_each(|_| drop(act(&mut state, Some(&log), Action::ScrollDown)));
    assert_eq!(state.view.picked, Some(LaneId(0)));
    act(&mut state, Some(&log), Action::Freeze);
    assert_eq!((state.view.frozen, state.view.cursor), (None, None));
}

#[test]
fn two_functions_that_are_near_to_each_other_are_both_named() {
    let log = log();
    let mut watch = Watch::default();
    let mut places = Places::default();
    places.saw(log.begin_at(), LaneId(0), place("iterencode", "/json.py", 2), 0);
    for step in 1..=10 {
        let at = log.begin_at() + ms(step * 9);
        let place = if step % 2 == 0 { place("match", "/re.py", 1) } else { place("iterencode", "/json.py", 2) };
        places.saw(at, LaneId(0), place, 2);
    }
    watch.read(&log, &places);
    let text = sentence(&watch, &log);
    assert!(text.contains("50% ±") && text.contains(" of that in ") && text.contains(", 50% in "), "{text}");
    assert!(text.contains("iterencode (json.py:2)") && text.contains("match (re.py:1)"), "{text}");
    // What can be called by its name is given with the command that compares it.
    assert!(text.contains("Try in its folder, if importing it runs nothing: gilscope compare --call "), "{text}");
    watch.by_function = true;
    watch.read(&log, &places);
    let text = sentence(&watch, &log);
    assert!(text.contains("held in match (re.py:1), ") || text.contains("held in iterencode (json.py:2), "), "{text}");
    assert_eq!(text.matches("match").count(), 1, "{text}");
}

#[test]
fn by_function_nobody_is_charged_with_more_than_by_thread_and_what_no_look_tells_is_in_no_function() {
    let log = log();
    let mut watch = Watch { by_function: true, ..Watch::default() };
    let mut places = Places::default();
    for step in 1..=9 {
        // Most looks find `first`, which holds it a tenth of the time.
        places.saw(log.begin_at() + ms(step * 10), LaneId(1), place("handler", "/srv/a.py", 3), 1);
        if step % 3 == 0 {
            places.saw(log.begin_at() + ms(step * 10), LaneId(0), place("spin", "/srv/a.py", 9), 2);
        }
    }
    watch.read(&log, &places);
    let shares = |watch: &Watch| -> Vec<(String, u64)> {
        let rows = watch.figures.holders.iter();
        rows.map(|row| (row.name.clone(), (row.waiting * 1900.0).round() as u64)).collect()
    };
    assert_eq!(shares(&watch), [("spin".to_owned(), 1800), ("handler".to_owned(), 100)]);
    let text = sentence(&watch, &log);
    assert!(text.starts_with("95% ±") && text.contains("held in spin (a.py:9)."), "{text}");
    // Of the one who made others wait nothing was seen.
    let mut places = Places::default();
    places.saw(log.begin_at() + ms(95), LaneId(1), place("handler", "/srv/a.py", 3), 1);
    watch.read(&log, &places);
    assert_eq!(shares(&watch), [(String::new(), 1800), ("handler".to_owned(), 100)]);
    let text = sentence(&watch, &log);
    assert!(text.starts_with("Of 95% of all waiting looks do not tell"), "{text}");
}

#[test]
fn without_a_lock_functions_have_their_share_of_all_running() {
    let log = TraceBuilder::new().lane("busy").state(LaneState::Running, ms(1000)).lane("half");
    let log = log.state(LaneState::Running, ms(500)).state(LaneState::Io, ms(500)).build();
    let mut places = Places::default();
    for step in 0..40 {
        let at = log.begin_at() + ms(step * 25);
        let mut look = |lane, function| {
            let place = Some(place(function, "/srv/a.py", 3));
            places.looked(crate::session::Look { at, lane: LaneId(lane), place, counts: 1.0 });
        };
        look(0, "long");
        if step < 20 {
            look(1, "short");
        }
    }
    places.settle(&log);
    let mut watch = Watch { gil_disabled: true, ..Watch::default() };
    watch.read(&log, &places);
    assert!(!watch.figures.runs && watch.figures.holders.is_empty(), "by thread there is nobody who makes others wait");
    watch.by_function = true;
    watch.read(&log, &places);
    let rows: Vec<_> = watch.figures.holders.iter().map(|row| (row.name.as_str(), row.holds, row.waiting)).collect();
    let near = |(name, holds, share): (&str, f64, f64), of: (&str, f64, f64)| {
        name == of.0 && (holds - of.1).abs() < 1e-6 && (share - of.2).abs() < 1e-6
    };
    assert!(watch.figures.runs && rows.len() == 2, "{rows:?}");
    assert!(near(rows[0], ("long", 1.0, 2.0 / 3.0)) && near(rows[1], ("short", 0.5, 1.0 / 3.0)), "{rows:?}");
    let text = sentence(&watch, &log);
    assert!(text.contains(" 67% ±") && text.contains(" of all running was in long (a.py:3)."), "{text}");
}

#[test]
fn a_function_that_can_be_called_by_its_name_is_given_as_it_is_called() {
    use crate::observe::place::Caller;
    let called = |function: &str, file: &str, by: Option<(&str, &str)>| {
        let caller = by.map(|(function, file)| Caller { function: function.into(), file: file.into(), line: None });
        let call = figures::call(&Place { caller: caller.map(Into::into), ..place(function, file, 1) });
        call.map(|call| (call.target, call.file.to_string()))
    };
    let named = |file: &str| Some(("svc:scan".to_owned(), file.to_owned()));
    assert_eq!(called("scan", "/srv/svc.py", None), named("/srv/svc.py"));
    assert_eq!(called("match", "/lib/python3.14/re/__init__.py", Some(("scan", "svc.py"))), named("svc.py"));
    for (function, file) in [("H.do_GET", "svc.py"), ("<module>", "svc.py"), ("f", "<string>"), ("f", "/a/my-svc.py")] {
        assert_eq!(called(function, file, None), None, "{function} {file}");
    }
    assert_eq!(called("encode", "/usr/lib/python3.14/json/encoder.py", None), None, "it is nobody's own");
}

#[test]
fn a_script_is_looked_at_once_before_anybody_is_told_to_import_it() {
    use crate::workload::{Importing, Script};
    let (log, file) = (log(), Arc::<str>::from("/srv/svc.py"));
    let mut state = watching(&log);
    let tell = |state: &mut State| {
        let mut places = Places::default();
        places.saw(log.begin_at() + ms(20), LaneId(0), place("scan", &file, 2), 2);
        hear(state, Some(&log), News::Observed(Box::new(Observation { places, ..Observation::default() })))
    };
    assert_eq!(tell(&mut state), [Effect::LookAtScript(Arc::clone(&file))]);
    assert_eq!(tell(&mut state), []);
    let mut said = |is_here, importing| {
        hear(&mut state, Some(&log), News::Script(Arc::clone(&file), Script { is_here, importing }));
        assert_eq!(tell(&mut state), [], "it was told");
        sentence(&state.watch, &log)
    };
    let defines = said(false, Importing::Defines);
    assert!(defines.contains("Try in its folder: gilscope compare --call svc:scan "), "{defines}");
    let here = said(true, Importing::Defines);
    assert!(here.contains("Try: gilscope compare --call svc:scan "), "{here}");
    let runs = said(false, Importing::Runs);
    assert!(!runs.contains("--call") && runs.ends_with("Try: compare with it as a process."), "{runs}");
    let unread = said(false, Importing::Unknown);
    assert!(unread.contains("Try in its folder, if importing it runs nothing: gilscope compare --call"), "{unread}");
}

#[test]
fn while_one_types_every_key_is_the_programs_and_none_becomes_a_command_when_it_ends() {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    let log = log();
    let mut state = watching(&log);
    let letter = KeyEvent::from(KeyCode::Char('q'));
    assert_eq!(typed(&mut state, letter), None);
    act(&mut state, Some(&log), Action::Type);
    assert!(!state.watch.typing, "it reads nothing");
    assert!(state.message.as_ref().is_some_and(|why| why.contains("--input terminal")), "{:?}", state.message);
    state.watch.output.takes_keys = true;
    for leave in [KeyEvent::from(KeyCode::Esc), KeyEvent::new(KeyCode::Char('5'), KeyModifiers::CONTROL)] {
        act(&mut state, Some(&log), Action::Type);
        assert_eq!((state.watch.typing, state.watch.reading), (true, Some(Reading::End)));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        for key in [letter, interrupt] {
            assert_eq!(typed(&mut state, key), Some(vec![Effect::Press(key)]));
        }
        assert_eq!(typed(&mut state, leave), Some(Vec::new()));
        assert!(!state.watch.typing);
    }
    act(&mut state, Some(&log), Action::Type);
    let seen = Observation { ended: Some("exit status 0".to_owned()), ..Observation::default() };
    hear(&mut state, Some(&log), News::Observed(Box::new(seen)));
    // Keys on their way to it are no commands.
    assert_eq!(typed(&mut state, letter), Some(Vec::new()));
    assert_eq!(typed(&mut state, KeyCode::Esc.into()), Some(Vec::new()));
    assert_eq!(typed(&mut state, letter), None);
}

#[test]
fn whoever_is_asked_whether_to_leave_is_not_asked_any_more_once_the_program_has_ended() {
    let log = log();
    let mut state = watching(&log);
    act(&mut state, Some(&log), Action::Quit);
    assert!(said(&state, &log).contains("still runs"), "{}", said(&state, &log));
    let seen = Observation { ended: Some("exit status 0".to_owned()), ..Observation::default() };
    hear(&mut state, Some(&log), News::Observed(Box::new(seen)));
    assert!(said(&state, &log).contains("has ended"), "{}", said(&state, &log));
}

#[test]
fn of_a_program_that_is_stopped_that_is_said_in_place_of_how_its_lock_does() {
    use crate::engine::{Alarm, CoreEvidence, Description, Status};
    let log = log();
    let mut state = watching(&log);
    let program =
        crate::engine::Program { pid: 7, command: vec!["python3".into(), "api.py".into()], ..Default::default() };
    let alarm = |until| Alarm { at: ms(5), until, text: "process 7 is stopped by SIGSTOP".to_owned() };
    let mut seen = |stopped: Vec<u32>, until: Option<Nanos>| {
        let why = Some("sampled, since it is".to_owned());
        let status = Status { reason: why, stopped, alarms: vec![alarm(until)], ..Status::default() };
        let description = Description {
            engine: "cpython",
            lanes: Vec::new(),
            locks: Vec::new(),
            core_evidence: CoreEvidence::SwitchRecords,
            core_evidence_reason: None,
            program: Some(program.clone()),
            observing: Some(status),
        };
        let origin = Origin::of(&description, &log);
        let note = origin.note.clone().unwrap_or_default();
        hear(&mut state, Some(&log), News::Observed(Box::new(Observation { origin, ..Observation::default() })));
        (note, said(&state, &log))
    };
    let (note, text) = seen(vec![7], None);
    assert_eq!(note, "process 7 is stopped by SIGSTOP");
    assert_eq!(text, "api.py is stopped: nothing of it runs until it is continued (kill -CONT 7).");
    let (note, text) = seen(Vec::new(), Some(ms(9)));
    assert_eq!(note, "sampled, since it is", "what is over does not hide what is so");
    assert!(!text.contains("stopped"), "{text}");
}

#[test]
fn a_program_that_did_not_end_well_is_quoted() {
    let log = log();
    let mut watch = Watch { ended: Some("exit status 2".to_owned()), ..Watch::default() };
    watch.output.lines = ["usage: x", "x: error: no such option", "  "].map(str::to_owned).to_vec();
    assert_eq!(sentence(&watch, &log), "The program has ended: exit status 2. It said last: x: error: no such option");
    watch.ended = Some("exit status 0".to_owned());
    assert_eq!(sentence(&watch, &log), "The program has ended: exit status 0.");
    let nothing = TraceBuilder::new().build();
    assert_eq!(sentence(&watch, &nothing), "The program has ended: exit status 0. No Python has been seen in it.");
    watch.ended = None;
    assert_eq!(sentence(&watch, &nothing), "No Python has been seen in it so far.");
}

/// Without a GIL: `collector` stops the world for 10 of every 50 ms, `worker` is stopped by that and wants a dict.
fn without_gil() -> Trace {
    let mut log = TraceBuilder::new().world("stop-the-world").lane("collector");
    for _ in 0..2 {
        log = log.state(LaneState::Io, ms(40)).stopping(ms(10));
    }
    log = log.lane("worker");
    for _ in 0..2 {
        log = log.running(ms(20)).state(LaneState::WaitingLock, ms(20)).state(LaneState::WaitingWorld, ms(10));
    }
    log.build()
}

#[test]
fn without_a_gil_it_is_told_what_else_keeps_threads_from_running() {
    let log = without_gil();
    let mut state = watching(&log);
    let mut wants = Wants::default();
    let what = |words: &str, is_lock| Wanted { words: words.into(), is_lock };
    wants.saw(log.begin_at() + ms(30), LaneId(1), what("the lock of a dict object", true));
    wants.saw(log.begin_at() + ms(45), LaneId(1), what("the world to go on", false));
    hear(
        &mut state,
        Some(&log),
        News::Observed(Box::new(Observation { wants, gil_disabled: true, ..Observation::default() })),
    );
    let stops = state.watch.figures.stops.clone().expect("it is seen");
    assert_eq!((stops.times, stops.stop.max, stops.by.as_deref()), (2, ms(10), Some("collector")));
    assert!((stops.share - 0.2).abs() < 1e-9, "{stops:?}");
    assert!(state.watch.figures.holders.is_empty() && state.watch.figures.held.is_none(), "no lock was held");
    let text = said(&state, &log);
    assert!(text.starts_with("GIL disabled: every thread runs whenever it can. For 20% of the time"), "{text}");
    assert!(text.contains("mostly by collector.") && text.ends_with("mostly for the lock of a dict object."), "{text}");

    state.view.picked = Some(LaneId(1));
    state.view.cursor = Some(log.begin_at() + ms(30));
    let text = said(&state, &log);
    assert!(
        text.contains("worker wants the program's own lock since") && text.ends_with(": the lock of a dict object"),
        "{text}"
    );
    state.view.cursor = Some(log.begin_at() + ms(45));
    let text = said(&state, &log);
    assert!(text.contains("worker waits for stop-the-world since"), "{text}");
    assert!(text.ends_with("; collector had it stopped for 10.0 ms of that"), "{text}");
    state.view.picked = Some(LaneId(0));
    assert!(said(&state, &log).ends_with("; it has stopped the world"), "{}", said(&state, &log));
}
