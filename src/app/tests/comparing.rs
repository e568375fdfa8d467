//! The Compare screen.

use super::*;
use crate::session::{BASELINE_AT_MOST, Contest};

#[test]
fn enter_on_the_compare_screen_compares_every_model_and_then_cancels() {
    let mut state = lab();
    update(&mut state, None, Action::ShowCompare);
    let effects = update(&mut state, None, Action::RunOrStop);
    let [Effect::Compare(contest)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(contest.models, state.models.iter().map(|model| model.id.clone()).collect::<Vec<_>>());
    assert_eq!(contest.lasts, Some(Nanos::from_secs(3)));
    let comparison = under_way(&state);
    hear(&mut state, None, News::Compared(Box::new(comparison.clone())));
    assert_eq!(state.compare.word(), "SIZING");
    // What is being compared stays what it is.
    update(&mut state, None, Action::NextWorkload);
    assert_eq!(state.experiment.workload, "sum-squares");
    assert!(state.message.as_deref().is_some_and(|message| message.starts_with("Enter cancels")));
    // And nothing else runs meanwhile.
    update(&mut state, None, Action::ShowLab);
    assert_eq!(update(&mut state, None, Action::RunOrStop), []);
    update(&mut state, None, Action::ShowCompare);
    assert_eq!(update(&mut state, None, Action::RunOrStop), [Effect::CancelComparison]);
    let cancelled = Comparison { progress: Progress::Cancelled, ..comparison };
    hear(&mut state, None, News::Compared(Box::new(cancelled)));
    assert_eq!(state.compare.word(), "CANCELLED");
    update(&mut state, None, Action::NextWorkload);
    assert_eq!((state.compare.word(), state.experiment.workload.as_str()), ("READY", "sleep"));
}

#[test]
fn a_comparison_ends_the_run_of_the_lab_first() {
    let log = turns(3, true);
    let mut state = running(&log);
    update(&mut state, Some(&log), Action::ShowCompare);
    let effects = update(&mut state, Some(&log), Action::RunOrStop);
    assert!(matches!(effects.as_slice(), [Effect::Stop, Effect::Compare(_)]), "{effects:?}");
}

#[test]
fn ledger_and_costs_are_opened_and_closed_by_their_keys() {
    let mut state = lab();
    update(&mut state, None, Action::ShowCompare);
    for (action, side) in
        [(Action::Ledger, Side::Ledger), (Action::Costs, Side::Costs), (Action::Costs, Side::Profiles)]
    {
        update(&mut state, None, action);
        assert_eq!(state.compare.side, side);
    }
}

#[test]
fn a_comparison_whose_baseline_takes_long_is_begun_by_its_own_key_only() {
    let mut state = lab();
    update(&mut state, None, Action::ShowCompare);
    assert_eq!(update(&mut state, None, Action::Baseline), [], "nothing was asked");
    let effects = update(&mut state, None, Action::RunOrStop);
    let [Effect::Compare(bounded)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(bounded.at_most, Some(BASELINE_AT_MOST), "as in the lab");
    let asks = Comparison { progress: Progress::TooLong, ..under_way(&state) };
    hear(&mut state, None, News::Compared(Box::new(asks)));
    assert_eq!((state.compare.word(), state.compare.is_under_way()), ("ASKS", false));
    let effects = update(&mut state, None, Action::Baseline);
    assert_eq!(effects, [Effect::Compare(Contest { at_most: None, ..bounded.clone() })]);
}

fn under_way(state: &State) -> Comparison {
    Comparison {
        title: "sum of squares".to_owned(),
        experiment: state.experiment.baseline(),
        cores: 2,
        repeats: 5,
        rows: Vec::new(),
        absent: Vec::new(),
        progress: Progress::Sizing,
        done: 0,
        total: 15,
        time_left: None,
        expected: None,
    }
}
