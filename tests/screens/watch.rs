//! The Watch screen: a service with one thread that makes the others wait.

use gilscope::app::picker::Candidate;
use gilscope::app::watch::{Observation, Work};
use gilscope::app::{Action, Axis, News, Origin, Program, Screen, State, Wording, hear, update};
use gilscope::event::{LaneId, Nanos, State as LaneState};
use gilscope::observe::parking::Wanted;
use gilscope::observe::place::{Caller, Place};
use gilscope::session::{Look, Places};
use gilscope::trace::testing::TraceBuilder;
use gilscope::trace::{CoreEvidence, Evidence, Trace};

use super::{check, draw, text};

pub(super) fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

/// Of every 100 ms `report-1` holds the lock for 80, and two workers want it by turns; others sleep.
fn log(locks: bool) -> Trace {
    let mut log = TraceBuilder::new();
    if locks {
        log = log.lock("GIL");
    }
    log = log.lane("report-1");
    for _ in 0..8 {
        log = log.running(ms(80)).state(LaneState::Io, ms(20));
    }
    for (name, first) in [("worker-1", true), ("worker-2", false)] {
        log = log.lane(name);
        for _ in 0..8 {
            let waits = if locks { LaneState::WaitingGil } else { LaneState::Native };
            log = log.state(LaneState::Io, ms(40)).state(waits, ms(40));
            log = match (first, locks) {
                (true, _) => log.running(ms(10)).state(LaneState::Io, ms(10)),
                (false, true) => log.state(LaneState::WaitingGil, ms(10)).running(ms(10)),
                (false, false) => log.running(ms(20)),
            };
        }
    }
    for name in ["pool-1", "pool-2", "pool-3"] {
        log = log.lane(name).state(LaneState::Io, ms(800));
    }
    log.build()
}

/// What was heard of the program that is watched by this state, and where holders were seen.
fn seen(state: &State, places: Places) -> Observation {
    Observation {
        origin: state.origin.clone(),
        gil_disabled: state.watch.gil_disabled,
        places,
        ..Observation::default()
    }
}

pub(super) fn watched(size: (u16, u16), sampled: bool, locks: bool) -> (State, Option<Trace>) {
    let mut state = super::fixtures::lab("threads", 4);
    hear(&mut state, None, News::Resized(size.0, size.1));
    let log = log(locks);
    let mut places = Places::default();
    for step in 1..=20 {
        let (function, file) = ("Report.render".into(), "/srv/app/pdf.py".into());
        let place = Place { function, file, line: Some(212), task: None, caller: None };
        places.saw(log.begin_at() + ms(step * 40), LaneId(0), place, 2);
    }
    state.screen = Screen::Watch;
    let interpreter = if locks { "CPython 3.13.1, GIL on" } else { "CPython 3.13.1, GIL disabled" };
    let note = sampled.then(|| "exact would slow it".to_owned());
    state.origin = Origin {
        engine: format!("REAL {interpreter}"),
        evidence: if sampled { Evidence::Sampled } else { Evidence::Exact },
        how: if sampled { "SAMPLED 1 kHz" } else { "EXACT" }.to_owned(),
        note,
        cores: Some(CoreEvidence::SwitchRecords),
        program: Some(Program { name: "api.py".to_owned(), pid: 4242, launched: false }),
        ..Origin::default()
    };
    state.watch.gil_disabled = !locks;
    state.watch.read(&log, &places);
    state.ran = Some(state.experiment.clone());
    state.phase = gilscope::app::Phase::Running;
    let work = Work { takes: 14_000, exact: ms(1000), missed: 0, switches: 14_000, unseen: 3_100 };
    let seen = Observation { work: Some(work), ..seen(&state, places) };
    hear(&mut state, Some(&log), News::Observed(Box::new(seen)));
    state.figures.cores_busy = 1.0;
    state.view.axis = Axis { from: log.begin_at(), cell: ms(10), cells: 60 };
    state.view.until = log.now();
    (state, Some(log))
}

#[test]
fn watching_a_service_by_sampling() {
    check("watch-sampled", |size| watched(size, true, true));
}

#[test]
fn in_a_kitchen_what_belongs_to_the_program_keeps_its_name() {
    for name in ["process_lock", "GIL", "thread", "threads-of-process", "Lock.process"] {
        let (file, command) = (format!("{name}_gil.py"), format!("python {name}.py --lock process --thread=4"));
        let screens = |wording| {
            let mut drawn = String::new();
            let (mut state, _) = watched((300, 40), false, true);
            state.look.wording = wording;
            let mut log = TraceBuilder::new().lock("GIL").lane(name);
            for _ in 0..8 {
                log = log.running(ms(80)).state(LaneState::Io, ms(20));
            }
            log = log.lane("lock 7").state(LaneState::Io, ms(40));
            let log = log.waiting(ms(40)).running(ms(20)).state(LaneState::Io, ms(700)).build();
            let mut places = Places::default();
            let place =
                Place { function: name.into(), file: file.as_str().into(), line: Some(3), task: None, caller: None };
            places.saw(log.begin_at() + ms(60), LaneId(0), place, 2);
            let program = Program { name: file.clone(), pid: 7, launched: false };
            state.origin.program = Some(program);
            let heard = seen(&state, places);
            hear(&mut state, Some(&log), News::Observed(Box::new(heard)));
            state.view.until = log.now();
            drawn += &text(&draw(&state, Some(&log)));
            update(&mut state, Some(&log), Action::Freeze);
            drawn += &text(&draw(&state, Some(&log)));
            hear(&mut state, None, News::Message(format!("cannot run `{command}`")));
            drawn += &text(&draw(&state, Some(&log)));
            state.message = None;
            state.origin.program = None;
            let row = Candidate { pid: 9, command: command.clone(), version: Ok("3.13.1".to_owned()), in_part: None };
            hear(&mut state, None, News::Pythons(vec![row]));
            drawn + &text(&draw(&state, None))
        };
        let (plain, kitchen) = (screens(Wording::Plain), screens(Wording::Kitchen));
        let count = |text: &str, what: &str| text.matches(what).count();
        let called = format!("{} ({file}:3)", name.rsplit('.').next().unwrap_or_default());
        for what in [file.as_str(), command.as_str(), called.as_str(), "lock 7"] {
            assert!(count(&plain, what) > 0, "{what} in {plain}");
            assert_eq!(count(&plain, what), count(&kitchen, what), "{what} in {kitchen}");
        }
        assert!(kitchen.contains(&format!("fell while {name} held the knife")), "{kitchen}");
    }
    // A command that is suggested is one.
    let (mut state, log) = watched((160, 40), false, true);
    state.look.wording = Wording::Kitchen;
    let place = Place { function: "thread".into(), file: "lock.py".into(), line: Some(3), task: None, caller: None };
    let mut places = Places::default();
    places.saw(log.as_ref().expect("there is one").begin_at() + ms(60), LaneId(0), place, 2);
    let heard = seen(&state, places);
    hear(&mut state, log.as_ref(), News::Observed(Box::new(heard)));
    let text = text(&draw(&state, log.as_ref())).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(": gilscope compare --call lock:thread -m threads,processes"), "{text}");
}

#[test]
fn what_is_to_be_done_for_more_than_samples_is_whole_on_every_screen() {
    let reason = |size| {
        let (mut state, log) = watched(size, true, true);
        state.origin.note = Some(gilscope::perf::Refused::Paranoid(4).to_string());
        state.origin.note_is_remedy = true;
        state.origin.cores = Some(CoreEvidence::None);
        state.machine.own = Some(0.026);
        (state, log)
    };
    for size in [(200, 50), (120, 36), (100, 30), (80, 24), (80, 20), (70, 18), (60, 15)] {
        let (state, log) = reason(size);
        let text = text(&draw(&state, log.as_ref()));
        assert!(text.contains("`sudo sysctl kernel.perf_event_paranoid=2`"), "{size:?}\n{text}");
        assert!(text.contains("LOCK HELD") && text.contains("WATCHING") && text.contains("itself 2.6%"), "{text}");
    }
    check("watch-refused", reason);
}

#[test]
fn below_the_least_size_each_screen_calls_itself_by_its_name() {
    let (mut state, log) = watched((120, 36), true, true);
    for (screen, words) in [
        (Screen::Watch, "WATCHING. 1.0 cores busy. The Watch screen needs 60 columns and 15 rows; here are 59 and 14."),
        (Screen::Compare, "The Compare screen needs 60 columns"),
        (Screen::Lab, "The Lab screen needs 60 columns"),
    ] {
        hear(&mut state, log.as_ref(), News::Resized(59, 14));
        state.screen = screen;
        let text = text(&draw(&state, log.as_ref()));
        let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_moment_that_is_watched_exactly_is_said_to_be_at_once_and_then_what_was_seen() {
    let (mut state, log) = watched((120, 36), true, true);
    let tell = |state: &mut State, hits: u64, exact| {
        let work = Some(Work { takes: hits / 2, exact: ms(exact), missed: 0, switches: hits / 2, unseen: hits / 8 });
        let seen = Observation { work, ..seen(state, Places::default()) };
        hear(state, log.as_ref(), News::Observed(Box::new(seen)));
        text(&draw(state, log.as_ref()))
    };
    assert!(tell(&mut state, 28_000, 1000).contains("SAMPLED 1 kHz · 14k takes/s · 3.5k unseen"));
    update(&mut state, log.as_ref(), Action::ExactOnce);
    let now = text(&draw(&state, log.as_ref()));
    assert!(now.contains("EXACT for 0.1 s · ") && !now.contains("SAMPLED"), "{now}");
    let then = tell(&mut state, 31_600, 1100);
    assert!(then.contains("SAMPLED 1 kHz · 18k takes/s · 4.0k unseen"), "{then}");
    assert!(then.contains("Watched exactly for 0.10 s: 1800 takes, 18k a second, 0 missed."), "{then}");
}

#[test]
fn watching_a_service_exactly() {
    check("watch-exact", |size| watched(size, false, true));
}

#[test]
fn watching_a_free_threaded_program_says_that_there_is_no_lock() {
    check("watch-free", |size| watched(size, false, false));
}

#[test]
fn without_a_lock_the_table_by_function_tells_in_which_functions_threads_run() {
    check("watch-free-functions", |size| {
        let (mut state, log) = watched(size, false, false);
        let log = log.expect("there is one");
        let mut places = Places::default();
        for (step, lane) in (1..80).flat_map(|step| (0..3).map(move |lane| (step, LaneId(lane)))) {
            let at = log.begin_at() + ms(step * 10);
            if log.span_at(lane, at).is_some_and(|span| span.state == LaneState::Running) {
                let (function, file, line) = match (lane.0, step % 4) {
                    (0, 0) => ("Report.total", "/srv/app/pdf.py", 88),
                    (0, _) => ("Report.render", "/srv/app/pdf.py", 212),
                    _ => ("handle", "/srv/app/api.py", 31),
                };
                let (function, file) = (function.into(), file.into());
                let place = Place { function, file, line: Some(line), task: None, caller: None };
                // Of some looks it is not known where they were.
                places.looked(Look { at, lane, place: Some(place).filter(|_| step % 7 != 0), counts: 1.0 });
            }
        }
        places.settle(&log);
        let heard = seen(&state, places);
        update(&mut state, Some(&log), Action::ByFunction);
        hear(&mut state, Some(&log), News::Observed(Box::new(heard)));
        (state, Some(log))
    });
}

/// Without a GIL: `collector` stops the world for 12 of every 100 ms, and for a moment in between.
fn stopped() -> Trace {
    let mut log = TraceBuilder::new().world("stop-the-world").lane("collector");
    for _ in 0..8 {
        log = log.state(LaneState::Io, ms(40)).stopping(Nanos::from_micros(50)).running(ms(10)).stopping(ms(12));
        log = log.state(LaneState::Io, Nanos::from_micros(37_950));
    }
    for name in ["worker-1", "worker-2"] {
        log = log.lane(name);
        for _ in 0..8 {
            log = log.running(ms(50)).state(LaneState::WaitingWorld, ms(14)).running(ms(6));
            log = log.state(LaneState::WaitingLock, ms(30));
        }
    }
    log.build()
}

#[test]
fn the_moments_at_which_a_free_threaded_interpreter_stops_all_threads_are_a_lane() {
    check("watch-stops", |size| {
        let (mut state, _) = watched(size, false, false);
        let log = stopped();
        state.watch = Default::default();
        state.watch.gil_disabled = true;
        let want = Wanted { words: "the lock of a dict object".into(), is_lock: true };
        state.watch.wants.saw(log.begin_at() + ms(75), LaneId(1), want);
        state.watch.read(&log, &Places::default());
        state.view.axis.from = log.begin_at();
        state.view.until = log.now();
        (state, Some(log))
    });
}

#[test]
fn a_gil_that_was_not_found_is_not_called_disabled() {
    let (mut state, log) = watched((80, 24), true, false);
    state.watch.gil_disabled = false;
    let text = text(&draw(&state, log.as_ref()));
    assert!(!text.contains("LOCK HELD  GIL disabled") && text.contains("No GIL has been found in it"), "{text}");
}

#[test]
fn in_the_lab_a_stopped_world_is_no_lock() {
    let mut state = super::fixtures::lab("free-threads", 2);
    hear(&mut state, None, News::Resized(120, 36));
    let log = stopped();
    super::fixtures::begin(&mut state, &log);
    let text = text(&draw(&state, Some(&log)));
    assert!(text.contains("no lock") && !text.contains("hand-offs"), "{text}");
}

#[test]
fn a_frozen_picture_tells_one_wait_and_names_the_keys_for_it() {
    check("watch-frozen", |size| {
        let (mut state, log) = watched(size, false, true);
        update(&mut state, log.as_ref(), Action::Freeze);
        update(&mut state, log.as_ref(), Action::PreviousHandoff);
        (state, log)
    });
}

/// Two threads hold the lock nearly all the time, by turns, and make two others wait, and one another; two do nothing.
fn two_culprits() -> Trace {
    let mut log = TraceBuilder::new().lock("GIL");
    let rounds = |mut log: TraceBuilder, name, spans: [(LaneState, u64); 4]| {
        log = log.lane(name);
        for (state, span) in std::iter::repeat_n(spans, 8).flatten() {
            log = if span > 0 { log.state(state, ms(span)) } else { log };
        }
        log
    };
    let (runs, waits, sleeps) = (LaneState::Running, LaneState::WaitingGil, LaneState::Io);
    log = rounds(log, "render", [(runs, 45), (sleeps, 55), (sleeps, 0), (sleeps, 0)]);
    log = rounds(log, "encode", [(sleeps, 5), (waits, 40), (runs, 45), (sleeps, 10)]);
    log = rounds(log, "http-1", [(sleeps, 10), (waits, 80), (runs, 5), (sleeps, 5)]);
    log = rounds(log, "http-2", [(sleeps, 10), (waits, 85), (runs, 5), (sleeps, 0)]);
    for name in ["pool-1", "pool-2"] {
        log = log.lane(name).state(sleeps, ms(800));
    }
    log.build()
}

#[test]
fn whoever_makes_others_wait_nearly_as_much_as_the_first_is_named_however_small_the_screen() {
    let drawn = |size, by_function| {
        let (mut state, _) = watched(size, false, true);
        let log = two_culprits();
        let mut places = Places::default();
        for step in 1..80 {
            for (lane, function) in ["Report.render", "encode_pages", "answer", "answer"].into_iter().enumerate() {
                let (lane, at) = (LaneId(lane as u32), log.begin_at() + ms(step * 10 + 2));
                if log.span_at(lane, at).is_some_and(|span| span.state == LaneState::Running) {
                    let file = format!("/srv/app/{}.py", function.split('.').next_back().unwrap_or_default());
                    let (function, file) = (function.into(), file.as_str().into());
                    let place = Place { function, file, line: Some(7), task: None, caller: None };
                    places.looked(Look { at, lane, place: Some(place), counts: 1.0 });
                }
            }
        }
        places.settle(&log);
        state.watch = Default::default();
        state.watch.by_function = by_function;
        state.watch.read(&log, &places);
        state.view.axis.from = log.begin_at();
        state.view.until = log.now();
        update(&mut state, Some(&log), Action::Freeze);
        (state, log)
    };
    let roomy = [((80, 24), false), ((80, 24), true), ((80, 22), false), ((120, 36), false)];
    for (size, by_function) in roomy.into_iter().chain([((60, 15), false), ((60, 15), true)]) {
        let (state, log) = drawn(size, by_function);
        let text = text(&draw(&state, Some(&log)));
        let table = text.split("most kept waiting").next().unwrap_or_default();
        let named = if by_function { ["Report.rend", "encode_pag"] } else { ["a render", "b encode"] };
        assert!(named.iter().all(|name| table.contains(name)), "{size:?}\n{text}");
        // Who waits is there, too.
        assert!(text.contains("http-2   ") && text.contains("http-1   "), "{text}");
    }
    check("watch-culprits", |size| {
        let (state, log) = drawn(size, false);
        (state, Some(log))
    });
}

/// A thread for each request: most have ended, some have their maker's name for a while; two workers live.
fn requests() -> Trace {
    let mut log = TraceBuilder::new().lock("GIL").lane("main").state(LaneState::Io, ms(800));
    log = log.lane("acceptor").state(LaneState::Io, ms(800));
    log = log.lane("index-refresher");
    for _ in 0..8 {
        log = log.running(ms(80)).state(LaneState::Io, ms(20));
    }
    for request in 0..24 {
        let name = ["http /json", "http /io", "acceptor"][request % 3];
        let before = ms(request as u64 * 30);
        log = log.lane(name).state(LaneState::Unborn, before).waiting(ms(20)).state(LaneState::Native, ms(8));
        log = log.state(LaneState::Done, ms(772) - before);
    }
    for (name, from) in [("http /json", 760), ("http /json", 780)] {
        log = log.lane(name).state(LaneState::Unborn, ms(from)).waiting(ms(800 - from));
    }
    let mut log = log.build();
    let lanes = log.lanes().len() as u32;
    for lane in 0..lanes {
        let info = log.lane_mut(LaneId(lane));
        (info.pid, info.tid) = (Some(4242), Some(4242 + lane));
    }
    log
}

#[test]
fn threads_that_live_stand_above_those_that_ended_which_are_folded_by_name() {
    check("watch-requests", |size| {
        let (mut state, _) = watched(size, false, true);
        let log = requests();
        state.watch = Default::default();
        let mut places = Places::default();
        for step in 1..=20 {
            let (function, file) = ("match".into(), "/usr/lib/python3.13/re/__init__.py".into());
            let caller = Caller { function: "scan_prices".into(), file: "/srv/app/svc.py".into(), line: Some(31) };
            let place = Place { function, file, line: Some(167), task: None, caller: Some(caller.into()) };
            places.saw(log.begin_at() + ms(step * 40), LaneId(2), place, 2);
        }
        state.watch.read(&log, &places);
        state.view.axis.from = log.begin_at();
        state.view.until = log.now();
        (state, Some(log))
    });
}

#[test]
fn what_the_program_printed_cannot_reach_the_terminal() {
    let (mut state, log) = watched((80, 24), false, true);
    state.watch.output.lines = vec!["ready".to_owned(), "\u{1b}[2Jgone".to_owned()];
    update(&mut state, log.as_ref(), Action::Output);
    let buf = draw(&state, log.as_ref());
    assert!(buf.content.iter().all(|cell| !cell.symbol().contains('\u{1b}')));
    assert!(text(&buf).contains("ready"), "{}", text(&buf));
}

#[test]
fn nothing_watched_yet_says_how_to_begin() {
    let mut state = super::fixtures::lab("threads", 4);
    hear(&mut state, None, News::Resized(80, 24));
    update(&mut state, None, Action::ShowWatch);
    assert!(text(&draw(&state, None)).contains("gilscope attach PID"));
}

#[test]
fn the_python_processes_to_choose_from() {
    check("watch-picker", |size| {
        let mut state = super::fixtures::lab("threads", 4);
        hear(&mut state, None, News::Resized(size.0, size.1));
        update(&mut state, None, Action::ShowWatch);
        let row = |pid, command: &str, version: Result<&str, &str>| Candidate {
            pid,
            command: command.to_owned(),
            version: version.map(str::to_owned).map_err(str::to_owned),
            in_part: None,
        };
        let why = "process 17 belongs to root: observe it as that user, or as root (sudo gilscope attach 17)";
        let rows = vec![
            row(4242, "python3 api.py --port 8000", Ok("3.13.1")),
            row(17, "", Err(why)),
            row(4250, "python3 \u{1b}[2Jworker.py", Ok("3.11.2")),
            Candidate {
                in_part: Some("Python 3.8.18 is not known to gilscope: only its threads and cores are seen".to_owned()),
                ..row(4300, "python3.8 /srv/legacy/nightly_report.py --all --since yesterday", Ok("3.8.18"))
            },
        ];
        hear(&mut state, None, News::Pythons(rows));
        update(&mut state, None, Action::ToEnd);
        (state, None)
    });
}

#[test]
fn a_python_that_is_seen_in_part_is_marked_and_why_is_said_before_it_is_chosen() {
    let mut state = super::fixtures::lab("threads", 4);
    hear(&mut state, None, News::Resized(100, 24));
    update(&mut state, None, Action::ShowWatch);
    let row = |pid, version: &str, in_part: Option<&str>| Candidate {
        pid,
        command: "python3 old.py".to_owned(),
        version: Ok(version.to_owned()),
        in_part: in_part.map(str::to_owned),
    };
    let why = "Python 3.8.18 is not known to gilscope: only its threads and cores are seen";
    hear(&mut state, None, News::Pythons(vec![row(10, "3.13.1", None), row(20, "3.8.18", Some(why))]));
    let drawn = text(&draw(&state, None));
    let marked: Vec<&str> = drawn.lines().filter(|line| line.contains("threads and cores only")).collect();
    assert!(marked.len() == 1 && marked[0].contains("3.8.18") && !drawn.contains(why), "{drawn}");
    update(&mut state, None, Action::ScrollDown);
    assert!(text(&draw(&state, None)).contains(why));
    assert_eq!(update(&mut state, None, Action::RunOrStop), [gilscope::app::Effect::Attach(20)]);
    hear(&mut state, None, News::Resized(60, 15));
    assert!(
        text(&draw(&state, None)).lines().any(|line| line.contains("3.8.18") && line.trim_end().ends_with("in part"))
    );
}
