mod simulated;

use super::*;
use crate::trace::Estimate;
use proptest::prelude::*;

fn place(function: &str) -> Place {
    Place { function: function.into(), file: "a.py".into(), line: Some(1), task: None, caller: None }
}

/// Lanes with how long they held and others waited, in milliseconds.
fn log(lanes: &[(u32, u64, u64)]) -> HashMap<LaneId, Held> {
    let ms = Nanos::from_millis;
    let told = |held, waited| Held { held: ms(held), waited: ms(waited), lock: None };
    lanes.iter().map(|&(lane, held, waited)| (LaneId(lane), told(held, waited))).collect()
}

/// Each lane divided alone, the most waited for first.
fn by_lane(places: &Places, told: &HashMap<LaneId, Held>, looks: Looks) -> Vec<HeldIn> {
    let mut rows: Vec<HeldIn> = places.divide_groups(told, looks, |lane| lane).into_values().flatten().collect();
    rows.sort_by(|a, b| b.waited.ns.total_cmp(&a.waited.ns).then(b.held.ns.total_cmp(&a.held.ns)));
    rows
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-6 * other.max(1.0)
}

#[test]
fn whoever_held_it_while_most_waited_comes_first() {
    let mut places = Places::default();
    for step in 1..=10 {
        let at = Nanos::from_millis(step * 50);
        match step % 5 {
            0 => places.saw(at, LaneId(1), place("render"), 9),
            _ => places.saw(at, LaneId(0), place("parse"), 1),
        }
    }
    let rows = by_lane(&places, &log(&[(0, 40, 8), (1, 10, 18)]), Looks::Ever);
    assert_eq!(&*rows[0].place.function, "render");
    assert_eq!(places.latest(LaneId(0)), Some(&place("parse")));
}

#[test]
fn looks_at_two_locks_at_once_stand_for_the_same_time() {
    let mut places = Places::default();
    for step in 1..=10 {
        places.saw(Nanos::from_millis(step * 20), LaneId(0), place("one"), 1);
        places.saw(Nanos::from_millis(step * 20), LaneId(1), place("other"), 1);
    }
    let weights: Vec<f64> = places.rows.values().map(|seen| seen.sum.ever().held).collect();
    assert!(weights.len() == 2 && (weights[0] / weights[1] - 1.0).abs() < 0.01, "{weights:?}");
}

#[test]
fn the_functions_of_a_lane_have_together_what_is_recorded_of_it_however_often_others_were_looked_at() {
    // Of three looks two find main, which holds the lock a fifth of the time.
    let mut places = Places::default();
    for step in 1..=300 {
        let at = Nanos::from_millis(step * 20);
        match step % 6 {
            0 | 3 => places.saw(at, LaneId(1), place(if step % 12 == 0 { "burn" } else { "spin" }), 1),
            1 => places.saw(at, LaneId(0), place("poll"), 0),
            _ => places.saw(at, LaneId(0), place("handler"), 1),
        }
    }
    let told = log(&[(0, 2000, 400), (1, 8000, 1600), (2, 30, 100)]);
    for looks in [Looks::Ever, Looks::Lately] {
        let rows = by_lane(&places, &told, looks);
        for (lane, told) in &told {
            let of_lane = || rows.iter().filter(|row| row.lane == *lane);
            let (held, waited) = (of_lane().map(|row| row.held.ns).sum(), of_lane().map(|row| row.waited.ns).sum());
            // Nobody looked at the third.
            let [all_held, all_waited] =
                [told.held, told.waited].map(|told| if lane.0 == 2 { 0.0 } else { told.0 as f64 });
            assert!(near(held, all_held) && near(waited, all_waited), "{lane:?} {looks:?} {rows:?}");
        }
        let functions = places.divide(&told, looks);
        let names: Vec<&str> = functions.iter().map(|row| &*row.place.function).collect();
        assert!(names[..2].contains(&"burn") && names[2] == "handler" && names[3] == "poll", "{functions:?}");
        // Nobody waited while it was seen in poll.
        assert!(near(functions[2].waited.ns, 400e6) && near(functions[3].waited.ns, 0.0), "{functions:?}");
        assert!(functions[3].held.ns > 0.0, "{functions:?}");
    }
}

#[test]
fn many_looks_are_surer_than_few_and_few_are_never_certain() {
    let off = |looks: u64| {
        let mut places = Places::default();
        (1..=looks).for_each(|step| places.saw(Nanos::from_millis(step * 20), LaneId(0), place("f"), 1));
        let rows = places.divide(&log(&[(0, 100, 100)]), Looks::Ever);
        assert!(near(rows[0].waited.ns, 100e6) && rows[0].looks == looks);
        rows[0].waited.off() / rows[0].waited.ns
    };
    assert!(off(3) > 0.2 && off(300) < 0.02 && off(300) > 0.0, "{} {}", off(3), off(300));
}

#[test]
fn a_look_counts_those_who_waited_at_its_own_instant_once_the_log_has_come_so_far() {
    use crate::trace::testing::TraceBuilder;
    let ms = Nanos::from_millis;
    let trace = TraceBuilder::new().lock("GIL").lane("hog").running(ms(100)).lane("other");
    let trace = trace.state(State::Io, ms(50)).waiting(ms(50)).build();
    let mut places = Places::default();
    for (at, function) in [(20, "early"), (60, "late"), (200, "beyond")] {
        let at = trace.begin_at() + ms(at);
        places.looked(Look { at, lane: LaneId(0), place: Some(place(function)), counts: 1.0 });
    }
    places.settle(&trace);
    let rows = places.divide(&log(&[(0, 100, 50)]), Looks::Ever);
    let seen: Vec<_> = rows.iter().map(|row| (&*row.place.function, row.waited.ns)).collect();
    assert_eq!(seen, [("late", 50e6), ("early", 0.0)]);
}

#[test]
fn without_a_lock_looks_divide_how_long_a_lane_ran_and_are_no_holders() {
    use crate::trace::testing::TraceBuilder;
    let ms = Nanos::from_millis;
    let trace = TraceBuilder::new().lane("free").state(State::Running, ms(80)).state(State::WaitingCore, ms(20));
    let trace = trace.lane("rests").state(State::Io, ms(100)).build();
    let mut places = Places::default();
    for (at, function) in [(20, "long"), (40, "long"), (60, "short"), (79, "long"), (90, "preempted")] {
        let at = trace.begin_at() + ms(at);
        places.looked(Look { at, lane: LaneId(0), place: Some(place(function)), counts: 1.0 });
    }
    // Who looks at it has taken its core.
    let displaced = trace.begin_at() + ms(80) + Nanos(DISPLACED.0 / 2);
    places.looked(Look { at: displaced, lane: LaneId(0), place: Some(place("long")), counts: 1.0 });
    places.settle(&trace);
    let ran = ran_by_lane(&trace, trace.begin_at());
    assert_eq!((ran[&LaneId(0)].held, ran[&LaneId(1)].held), (ms(80), Nanos::ZERO));
    let rows = places.divide_runs(&ran, Looks::Ever);
    let seen: Vec<_> = rows.iter().map(|row| (&*row.place.function, row.looks, row.held.ns)).collect();
    // Each look counts as much as each other.
    assert_eq!(seen, [("long", 4, 64e6), ("short", 1, 16e6)]);
    assert_eq!(places.divide(&ran, Looks::Ever), [], "it held nothing");
    // Its GIL came back: from then on it is a holder, and its looks before count for nothing there.
    places.saw(trace.begin_at() + ms(90), LaneId(0), place("short"), 1);
    let held = places.divide(&log(&[(0, 10, 10)]), Looks::Ever);
    assert_eq!(held.iter().map(|row| (row.looks, row.held.ns)).collect::<Vec<_>>(), [(1, 10e6)]);
    assert!(places.divide_runs(&ran, Looks::Ever).iter().map(|row| row.looks).eq([4, 1]));
}

#[test]
fn a_sample_is_found_by_its_instant_and_only_within_the_span_asked_for() {
    let ms = Nanos::from_millis;
    let mut places = Places::default();
    for step in 1..=200 {
        let function = if step % 2 == 0 { "f" } else { "g" };
        places.saw(ms(step * 20), LaneId(u32::from(step % 2 == 0)), place(function), 1);
    }
    let seen = |lane, from, to, at| {
        let found = places.seen_within(LaneId(lane), ms(from), ms(to), ms(at));
        found.map(|(place, at)| (place.function.to_string(), at.0 / 1_000_000))
    };
    assert_eq!(seen(1, 0, 4000, 1009), Some(("f".to_owned(), 1000)));
    assert_eq!(seen(0, 0, 4000, 1011), Some(("g".to_owned(), 1020)));
    assert_eq!(seen(0, 981, 1019, 1000), None);
    for step in 201..=(2 * MOST_SAMPLES as u64) {
        places.saw(ms(step * 20), LaneId(0), place("g"), 1);
    }
    assert_eq!(places.samples.len(), MOST_SAMPLES);
}

#[test]
fn one_function_with_two_callers_is_two_rows() {
    let mut places = Places::default();
    let caller = |name: &str| Some(Arc::new(Caller { function: name.into(), file: "b.py".into(), line: Some(3) }));
    for (step, by) in ["scan", "scan", "load"].into_iter().enumerate() {
        let place = Place { caller: caller(by), ..place("match") };
        places.saw(Nanos::from_millis(50 * (step as u64 + 1)), LaneId(0), place, 1);
    }
    let rows = places.divide(&log(&[(0, 10, 10)]), Looks::Ever);
    let callers: Vec<_> = rows.iter().filter_map(|row| Some(row.place.caller.as_ref()?.function.to_string())).collect();
    assert_eq!(callers, ["scan", "load"]);
}

#[test]
fn one_function_of_several_lanes_is_one_row_and_what_is_past_fades() {
    let mut places = Places::default();
    places.saw(Nanos::from_millis(50), LaneId(0), place("f"), 2);
    places.saw(Nanos::from_millis(100), LaneId(1), place("f"), 2);
    let told = log(&[(0, 100, 90), (1, 100, 30)]);
    let rows = places.divide(&told, Looks::Lately);
    assert!(rows.len() == 1 && near(rows[0].waited.ns, 120e6) && rows[0].lane == LaneId(0), "{rows:?}");
    places.saw(Nanos::from_millis(10_050), LaneId(0), place("g"), 1);
    let of_g = |looks| {
        let rows = by_lane(&places, &told, looks);
        rows.iter().find(|row| &*row.place.function == "g").map_or(0.0, |row| row.waited.ns / 90e6)
    };
    // One look while two waited, ten seconds ago, beside one while one waited.
    assert!((of_g(Looks::Lately) - 0.5).abs() < 0.01, "{}", of_g(Looks::Lately));
    assert!((of_g(Looks::Ever) - 1.0 / 3.0).abs() < 0.01, "{}", of_g(Looks::Ever));
}

#[test]
fn a_function_is_not_charged_to_the_task_it_was_seen_in_last_but_to_each_by_its_share() {
    let mut places = Places::default();
    let saw = |places: &mut Places, step: u64, task: Option<String>| {
        let place = Place { task: task.map(Into::into), ..place("handler") };
        places.saw(Nanos::from_millis(step * 20), LaneId(0), place, 1);
    };
    for step in 1..=400 {
        saw(&mut places, step, Some(format!("req-{}", step % 4)));
    }
    let told = log(&[(0, 800, 400)]);
    let rows = places.divide(&told, Looks::Ever);
    let tasks: Vec<_> = rows[0].tasks.iter().map(|it| (&*it.task, it.held.ns, it.waited.ns)).collect();
    assert_eq!((rows.len(), tasks.len()), (1, 4), "{rows:?}");
    assert!(tasks.iter().all(|(_, held, waited)| near(*held, 200e6) && near(*waited, 100e6)), "{tasks:?}");
    assert_eq!(rows[0].task_words().as_deref(), Some("4 tasks"));
    // One that has nearly all is named, with many others or none; of very many the latest are kept.
    (401..=5000).for_each(|step| saw(&mut places, step, Some("bulk".to_owned())));
    assert_eq!(places.divide(&told, Looks::Ever)[0].task_words().as_deref(), Some("task bulk"));
    (5001..=5200).for_each(|step| saw(&mut places, step, Some(format!("Task-{step}"))));
    let rows = places.divide(&told, Looks::Ever);
    assert_eq!((rows[0].tasks.len(), rows[0].task_words().as_deref()), (MOST_TASKS, Some("many tasks")));
    let sum: f64 = rows[0].tasks.iter().map(|it| it.waited.ns).sum();
    assert!(sum < rows[0].waited.ns, "{rows:?}");
    // What was in no task has none.
    let mut places = Places::default();
    saw(&mut places, 1, None);
    assert_eq!(places.divide(&told, Looks::Ever)[0].task_words(), None);
}

#[test]
fn the_task_of_a_function_is_the_one_in_which_it_was_held_longest_not_the_one_it_was_seen_in_last() {
    let mut places = Places::default();
    // Most of it in bulk, while nobody waits; then a moment in each of two others, for which others wait.
    for step in 1..=100_u64 {
        let (task, waiting) = match step {
            1..=90 => ("bulk", 0),
            91..=96 => ("small", 2),
            _ => ("last", 1),
        };
        let place = Place { task: Some(task.into()), ..place("handler") };
        places.saw(Nanos::from_millis(step * 20), LaneId(step as u32 % 2), place, waiting);
    }
    let rows = places.divide(&log(&[(0, 500, 100), (1, 500, 100)]), Looks::Ever);
    assert_eq!((rows.len(), &*rows[0].tasks[0].task), (1, "small"), "most waited for: {rows:?}");
    assert_eq!(rows[0].place.task.as_deref(), Some("bulk"), "{rows:?}");
}

#[test]
fn of_functions_that_were_given_up_nobody_else_gets_the_part() {
    let mut places = Places::default();
    for step in 1..=MOST_ROWS as u64 {
        places.saw(Nanos::from_millis(step * 20), LaneId(0), place(&format!("f{step}")), 1);
    }
    places.saw(Nanos::from_secs(600), LaneId(0), place("g"), 1);
    let rows = places.divide(&log(&[(0, 1000, 1000)]), Looks::Ever);
    assert!(rows.len() == 1 && rows[0].waited.ns < 0.01 * 1e9, "{rows:?}");
}

/// What a program does over and over: in which function it holds the lock for how long (in none it holds none), and how
/// many wait meanwhile, in microseconds.
type Turns<'a> = &'a [(Option<&'a str>, u64, usize)];

/// Looks at such a program for so long, beginning at `from`. What is said of the function, of holding and of waiting, each
/// with its ± and the truth, as shares.
fn looked_at(turns: Turns, from: u64, lasts: u64, function: &str) -> [(f64, f64, f64); 2] {
    use crate::observe::instants::Instants;
    let spans = || {
        turns.iter().cycle().scan(from, |at, (of, span, waiting)| {
            let begin = std::mem::replace(at, *at + span);
            Some((begin, begin + span, *of, *waiting))
        })
    };
    let spans: Vec<_> = spans().take_while(|(begin, ..)| *begin < from + lasts).collect();
    let (mut all, mut truth) = (Held::default(), Held::default());
    for (begin, end, of, waiting) in &spans {
        let add = |sum: &mut Held| {
            sum.held += Nanos::from_micros(end - begin);
            sum.waited += Nanos::from_micros((end - begin) * *waiting as u64);
        };
        of.iter().for_each(|_| add(&mut all));
        of.iter().filter(|of| **of == function).for_each(|_| add(&mut truth));
    }
    let (mut places, mut instants) = (Places::default(), Instants::default());
    instants.looked(Nanos::from_micros(from));
    while instants.due().0 / 1000 < from + lasts {
        let at = instants.due();
        let index = spans.partition_point(|(_, end, ..)| end * 1000 <= at.0);
        if let Some((_, _, Some(of), waiting)) = spans.get(index) {
            places.saw(at, LaneId(0), place(of), *waiting);
        }
        instants.looked(at);
    }
    let rows = places.divide(&HashMap::from([(LaneId(0), all)]), Looks::Ever);
    let row = rows.iter().find(|row| &*row.place.function == function).expect("it was seen");
    let share = |part: Estimate, truth: Nanos, all: Nanos| {
        let all = all.0.max(1) as f64;
        (part.ns / all, part.off() / all, truth.0 as f64 / all)
    };
    [share(row.held, truth.held, all.held), share(row.waited, truth.waited, all.waited)]
}

#[test]
fn a_function_is_said_to_have_what_it_has_whatever_comes_between() {
    let short_after_sleeps: Vec<_> =
        std::iter::once((Some("f"), 300_000, 0)).chain([(None, 80_000, 0), (Some("g"), 8_000, 0)].repeat(8)).collect();
    // As long as the distance of looks; in turns of the switch interval; one while many wait.
    let in_step = [(Some("f"), 5_000, 1), (None, 5_000, 0), (Some("g"), 10_000, 1)];
    let in_turns = [(Some("f"), 5_000, 1), (None, 5_100, 0), (Some("g"), 1_300, 1), (None, 700, 0)];
    let crowd = [(Some("f"), 900, 7), (None, 11_300, 0), (Some("g"), 4_700, 1)];
    for turns in [&short_after_sleeps[..], &in_step, &in_turns, &crowd] {
        let runs = (0..400_u64).map(|run| looked_at(turns, 1_000_000 + run * 11_003_017, 8_000_000, "f"));
        let (mut within, mut error) = ([0; 2], [0.0; 2]);
        for run in runs {
            for (kind, (said, off, truth)) in run.into_iter().enumerate() {
                within[kind] += usize::from((said - truth).abs() <= off);
                error[kind] += (said - truth) / 400.0;
            }
        }
        // 380 are to be expected, give or take five or so.
        assert!(within.iter().all(|within| *within >= 368), "of 400 {within:?}: {turns:?}");
        assert!(error.iter().all(|error| error.abs() < 0.01), "{error:?}: {turns:?}");
    }
}

#[test]
fn of_threads_that_were_hardly_met_functions_are_told_and_not_which_of_them_had_what() {
    let mut places = Places::default();
    // Of a thousand threads a third are met, each once; three in four of these in render.
    for (step, lane) in (0..1000_u32).step_by(3).enumerate() {
        let at = Nanos::from_millis(20 * (step as u64 + 1));
        places.saw(at, LaneId(lane), place(if step % 4 == 0 { "parse" } else { "render" }), 1);
    }
    let told: HashMap<_, _> = (0..1000).flat_map(|lane| log(&[(lane, 6, 3)])).collect();
    let rows = places.divide(&told, Looks::Ever);
    let parts: Vec<_> = rows.iter().map(|row| (&*row.place.function, row.held.ns / 6e9, row.waited.ns / 3e9)).collect();
    assert!(rows.len() == 2 && parts[0].0 == "render", "{parts:?}");
    assert!(near(parts[0].1 + parts[1].1, 1.0) && near(parts[0].2 + parts[1].2, 1.0), "{parts:?}");
    assert!((parts[0].1 - 0.75).abs() < 0.01 && rows[0].held.off() / 6e9 < 0.06, "{parts:?}");
    assert!(rows[0].held.off() / 6e9 > 0.03, "three hundred looks are not surer than that");
    assert_eq!((rows[0].lane_count, rows[1].lane_count), (250, 84));
    assert!(rows.iter().flat_map(|row| &row.lanes).all(|it| it.held.is_none() && it.waited.is_none()), "{rows:?}");
}

#[test]
fn a_thread_with_looks_of_its_own_is_divided_by_them_though_others_have_none() {
    let mut places = Places::default();
    for step in 1..=300_u32 {
        let (lane, function) = if step % 3 == 0 { (1000 + step, "request") } else { (0, "poll") };
        places.saw(Nanos::from_millis(u64::from(step) * 20), LaneId(lane), place(function), 1);
    }
    let mut told = log(&[(0, 3000, 600)]);
    told.extend((1000..2000).flat_map(|lane| log(&[(lane, 3, 3)])));
    let rows = places.divide(&told, Looks::Ever);
    let of = |name: &str| rows.iter().find(|row| &*row.place.function == name).expect("it was seen");
    assert!(near(of("poll").held.ns, 3000e6) && near(of("request").held.ns, 3000e6), "{rows:?}");
    assert!(near(of("poll").waited.ns, 600e6) && near(of("request").waited.ns, 3000e6), "{rows:?}");
    let known = of("poll").lanes[0];
    assert!(known.held.is_some_and(|held| near(held.ns, 3000e6)), "{known:?}");
    assert!(of("request").lanes.iter().all(|it| it.held.is_none()), "{rows:?}");
}

#[test]
fn where_each_request_has_a_process_what_is_left_of_all_locks_is_divided_together() {
    let mut places = Places::default();
    for lane in 0..200_u32 {
        places.saw(Nanos::from_millis(u64::from(lane) * 20), LaneId(lane), place("child"), 0);
    }
    let held = |lane: u32| Held { held: Nanos::from_millis(10), waited: Nanos::ZERO, lock: Some(LockId(lane as u16)) };
    let told: HashMap<_, _> = (0..400).map(|lane| (LaneId(lane), held(lane))).collect();
    let rows = places.divide(&told, Looks::Ever);
    assert!(rows.len() == 1 && near(rows[0].held.ns, 4000e6), "{rows:?}");
}

#[test]
fn a_look_that_finds_no_function_has_its_part_and_nobody_else_gets_it() {
    use crate::trace::testing::TraceBuilder;
    let ms = Nanos::from_millis;
    let trace = TraceBuilder::new().lock("GIL").lane("hog").running(ms(1000)).build();
    let mut places = Places::default();
    for step in 1..=40 {
        let place = (step % 4 != 0).then(|| place("f"));
        places.looked(Look { at: trace.begin_at() + ms(step * 20), lane: LaneId(0), place, counts: 1.0 });
    }
    places.settle(&trace);
    for rows in [Looks::Ever, Looks::Lately].map(|looks| places.divide(&log(&[(0, 1000, 0)]), looks)) {
        assert!(rows.len() == 1 && (rows[0].held.ns / 1e9 - 0.75).abs() < 0.01, "{rows:?}");
    }
}

#[test]
fn what_ran_without_a_lock_did_so_although_the_lock_came_back() {
    use crate::event::LockId;
    use crate::trace::testing::TraceBuilder;
    let ms = Nanos::from_millis;
    let mut trace = TraceBuilder::new().lane("free").state(State::Running, ms(100)).build();
    let back = trace.begin_at() + ms(60);
    let info = trace.lane_mut(LaneId(0));
    (info.lock, info.without_lock_until) = (Some(LockId(0)), Some(back));
    let mut places = Places::default();
    for (at, function) in [(20, "before"), (40, "before"), (50, "early"), (70, "after")] {
        let at = trace.begin_at() + ms(at);
        places.looked(Look { at, lane: LaneId(0), place: Some(place(function)), counts: 1.0 });
    }
    places.settle(&trace);
    let ran = ran_by_lane(&trace, trace.begin_at());
    assert_eq!(ran[&LaneId(0)].held, ms(60));
    let rows = places.divide_runs(&ran, Looks::Ever);
    let seen: Vec<_> = rows.iter().map(|row| (&*row.place.function, row.looks, row.held.ns)).collect();
    assert_eq!(seen, [("before", 2, 40e6), ("early", 1, 20e6)]);
    let held = places.divide(&log(&[(0, 40, 0)]), Looks::Ever);
    assert!(held.iter().map(|row| (&*row.place.function, row.held.ns)).eq([("after", 40e6)]), "{held:?}");
    assert!(ran_by_lane(&trace, back).is_empty(), "since then it has one");
}

#[test]
fn where_some_are_left_out_by_lot_the_others_count_for_them() {
    use crate::trace::testing::TraceBuilder;
    let ms = Nanos::from_millis;
    let mut trace = TraceBuilder::new();
    for lane in ["early", "late"] {
        trace = trace.lane(lane).state(State::Running, ms(1000));
    }
    let (trace, mut places) = (trace.build(), Places::default());
    // Of late one of three is looked at.
    for step in 0..20 {
        let (function, counts) = if step < 10 { ("alone", 1.0) } else { ("crowded", 3.0) };
        let at = trace.begin_at() + ms(step * 40);
        places.looked(Look { at, lane: LaneId(step as u32 % 2), place: Some(place(function)), counts });
    }
    places.settle(&trace);
    let rows = places.divide_runs(&ran_by_lane(&trace, trace.begin_at()), Looks::Ever);
    let parts: Vec<_> = rows.iter().map(|row| (&*row.place.function, row.looks, row.held.ns)).collect();
    assert_eq!(parts, [("crowded", 10, 1500e6), ("alone", 10, 500e6)]);
}

#[test]
fn of_threads_long_past_it_is_remembered_in_which_functions_they_were() {
    let (mut places, mut told) = (Places::default(), HashMap::new());
    let looks = 20 * MOST_ROWS as u32;
    for lane in 0..looks {
        let function = if lane % 5 == 0 { "rare" } else { "usual" };
        let place = Place { task: Some("job".into()), ..place(function) };
        places.saw(Nanos::from_millis(u64::from(lane) * 40), LaneId(lane), place, 1);
        told.extend(log(&[(lane, 10, 10)]));
    }
    let (rows, all) = (places.divide(&told, Looks::Ever), f64::from(looks) * 10e6);
    let parts: Vec<_> = rows.iter().map(|row| (&*row.place.function, row.held.ns / all, row.lane_count)).collect();
    assert!(places.rows.len() < 3 * MOST_ROWS, "{} rows", places.rows.len());
    assert!(parts.len() == 2 && parts[0].0 == "usual" && (parts[0].1 - 0.8).abs() < 0.001, "{parts:?}");
    assert!(near(parts[0].1 + parts[1].1, 1.0) && parts[0].2 + parts[1].2 == looks as usize, "{parts:?}");
    let tasks: f64 = rows[0].tasks.iter().map(|it| it.held.ns).sum();
    assert!((tasks / rows[0].held.ns - 1.0).abs() < 1e-6, "{} of {}", tasks, rows[0].held.ns);
}

proptest! {
    #[test]
    fn functions_have_together_what_was_told_less_what_no_look_tells(
        lanes in prop::collection::vec((0..3_u16, 0..400_u64, 0..400_u64), 1..12),
        looks in prop::collection::vec((0..14_u32, prop::option::of(0..5_u8), 0..3_usize), 0..200),
    ) {
        let ms = Nanos::from_millis;
        let mut places = Places::default();
        let told: HashMap<LaneId, Held> = (0..).map(LaneId).zip(&lanes).map(|(lane, (lock, held, waited))| {
            (lane, Held { held: ms(*held), waited: ms(*waited), lock: Some(LockId(*lock)) })
        }).collect();
        for (step, (lane, function, waiting)) in looks.iter().enumerate() {
            let place = function.map(|it| place(&format!("f{it}")));
            let look = Look { at: ms(step as u64 * 20), lane: LaneId(*lane), place, counts: 1.0 };
            let lock = lanes.get(*lane as usize).map(|(lock, ..)| LockId(*lock));
            places.note(look, As::Holder, lock, *waiting);
        }
        let is_met = |lane: u32| looks.iter().any(|(other, ..)| *other == lane);
        let all_known = looks.iter().all(|(_, function, _)| function.is_some())
            && told.iter().all(|(lane, told)| told.held == Nanos::ZERO || is_met(lane.0));
        let rows = places.divide(&told, Looks::Ever);
        let sum = |part: fn(&HeldIn) -> f64| rows.iter().map(part).sum::<f64>();
        let all = |part: fn(&Held) -> Nanos| told.values().map(|it| part(it).0 as f64).sum::<f64>();
        prop_assert!(rows.iter().all(|row| row.held.ns >= 0.0 && row.waited.ns >= 0.0 && row.held.off() >= 0.0));
        prop_assert!(sum(|row| row.held.ns) <= all(|it| it.held) * (1.0 + 1e-9));
        prop_assert!(sum(|row| row.waited.ns) <= all(|it| it.waited) * (1.0 + 1e-9));
        // A lane that is told apart has no more than is told of it.
        for (lane, told) in &told {
            let of_lane = rows.iter().flat_map(|row| &row.lanes).filter(|it| it.lane == *lane);
            let held: f64 = of_lane.filter_map(|it| it.held).map(|it| it.ns).sum();
            prop_assert!(held <= told.held.0 as f64 * (1.0 + 1e-9), "{lane:?}");
        }
        let missing = all(|it| it.held) - sum(|row| row.held.ns);
        prop_assert!(!all_known || missing <= all(|it| it.held) * 1e-9, "{missing}");
    }
}
