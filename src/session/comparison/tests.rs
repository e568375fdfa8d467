use super::*;
use crate::event::State;
use crate::workload::Bound;

pub(in crate::session) fn run(millis: u64, cores_busy: f64) -> RunSummary {
    let mut ledger = Ledger([Nanos::ZERO; State::COUNT]);
    ledger.0[State::Running.index()] = Nanos::from_millis(millis);
    RunSummary {
        elapsed: Nanos::from_millis(millis),
        workers: 1,
        ledger,
        cores_busy,
        handoffs: millis,
        ..RunSummary::default()
    }
}

fn row(model: &str, runs: Vec<RunSummary>) -> Row {
    Row { model: model.to_owned(), label: model.to_owned(), runs, refusal: None, ..Row::default() }
}

fn comparison(tasks: u32, workers: u32, cores: usize, rows: Vec<Row>) -> Comparison {
    let experiment = Experiment { tasks: Some(tasks), ..Experiment::new("w", "sequential", workers) };
    let workload = Workload {
        id: "w".to_owned(),
        title: "w".to_owned(),
        bound: Bound::Cpu,
        watch: String::new(),
        arguments: Vec::new(),
        plain: true,
        coroutine: None,
        source: String::new(),
        path: None,
    };
    Comparison { rows, ..Comparison::new(&workload, experiment, cores, 3) }
}

#[test]
fn a_spread_has_the_middle_or_the_mean_of_the_middle_two() {
    let spread = |spans: &[u64]| Spread::of(spans.iter().map(|span| Nanos(*span)));
    assert_eq!(spread(&[]), None);
    assert_eq!(spread(&[7]), Some(Spread { min: Nanos(7), median: Nanos(7), max: Nanos(7) }));
    assert_eq!(spread(&[9, 1, 5]), Some(Spread { min: Nanos(1), median: Nanos(5), max: Nanos(9) }));
    assert_eq!(spread(&[9, 1, 5, 6]).unwrap().median, Nanos(5));
    assert_eq!((median([]), median([3.0, 1.0]), median([3.0, 1.0, 9.0])), (None, Some(2.0), Some(3.0)));
}

#[test]
fn failed_runs_are_in_no_statistics_but_are_told() {
    let failed = RunSummary { failure: Some("task 0: ValueError".to_owned()), ..run(1, 1.0) };
    let row = row("threads", vec![run(30, 1.0), failed, run(10, 1.0), run(20, 1.0)]);
    assert_eq!(row.elapsed().unwrap().min, Nanos::from_millis(10));
    assert_eq!(row.typical().unwrap().elapsed, Nanos::from_millis(20));
    assert_eq!(row.median_of(|run| Some(run.handoffs as f64)), Some(20.0));
    assert_eq!(row.median_of(|run| run.voluntary.map(|count| count as f64)), None);
    assert_eq!(row.failure(), Some("task 0: ValueError"));
}

#[test]
fn a_gain_is_measured_against_one_task_after_another() {
    let found = comparison(4, 4, 4, vec![row("sequential", vec![run(100, 1.0)]), row("processes", vec![run(25, 4.0)])]);
    assert_eq!(found.speedup(&found.rows[1]), Some(4.0));
    let alone = comparison(4, 4, 4, vec![row("processes", vec![run(25, 4.0)])]);
    assert_eq!(alone.speedup(&alone.rows[0]), None);
}

#[test]
fn the_ideal_spreads_computing_over_cores_and_overlaps_waits() {
    let ideal = |tasks, workers, cores, busy| {
        comparison(tasks, workers, cores, vec![row("sequential", vec![run(120, busy)])]).ideal().unwrap().speedup
    };
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 0.01, "{value} is not {expected}");
    near(ideal(4, 4, 4, 1.0), 4.0);
    near(ideal(4, 4, 2, 1.0), 2.0);
    near(ideal(4, 2, 8, 1.0), 2.0);
    near(ideal(12, 12, 2, 0.0), 12.0);
    near(ideal(12, 12, 2, 0.5), 4.0);
    // Three tasks for two workers take two turns.
    near(ideal(3, 2, 8, 1.0), 1.5);
}

#[test]
fn a_profile_keeps_its_area_on_every_axis() {
    let (elapsed, cell) = (Nanos(1000), Nanos(30));
    let busy: Vec<f32> = (0..34).map(|index| (index % 5) as f32).collect();
    let area =
        |index: usize| f64::from(busy[index]) * (1000_u64.min((index as u64 + 1) * 30) - index as u64 * 30) as f64;
    let whole: f64 = (0..34).map(area).sum();
    let profile = Profile { cell, starting: vec![0.0; busy.len()], busy: busy.clone() };
    for axis in [7, 10, 30, 45, 333, 1000, 1500] {
        let cells = profile.on_axis(elapsed, Nanos(axis), 200);
        let sum: f64 = cells.iter().flatten().map(|(busy, _)| f64::from(*busy) * axis as f64).sum();
        assert!((sum / whole - 1.0).abs() < 1e-3 || axis * 200 < 1000, "{axis}: {sum} is not {whole}");
        assert_eq!(cells.iter().flatten().count(), 1000_usize.div_ceil(axis as usize).min(200), "{axis}");
    }
}

#[test]
fn a_busy_machine_is_said_of_a_row_and_one_s_own_crowd_is_not() {
    let wanting = |workers: usize, cores_busy: f64, share: u64| {
        let mut found = RunSummary { workers, ..run(100, cores_busy) };
        found.ledger.0[State::Running.index()] = Nanos::from_millis((100 - share) * workers as u64);
        found.ledger.0[State::WaitingCore.index()] = Nanos::from_millis(share * workers as u64);
        row("threads", vec![found])
    };
    assert_eq!(wanting(1, 0.6, 40).disturbed(2).as_deref(), Some("other programs took cores: repeat"));
    // Eight on two cores keep one another waiting.
    assert_eq!(wanting(8, 2.0, 75).disturbed(2), None);
    assert_eq!(wanting(1, 0.95, 5).disturbed(2), None);
    assert_eq!(wanting(2, 0.01, 1).disturbed(2), None, "they nearly always sleep");
    let apart = |longest| row("threads", vec![run(20, 1.0), run(25, 1.0), run(longest, 1.0)]).disturbed(2);
    assert_eq!(apart(306).as_deref(), Some("its runs differ 15.3×: repeat"));
    assert_eq!(apart(30), None);
}
