use super::*;

#[test]
fn a_list_a_million_deep_is_dropped_without_overflow() {
    let mut value = Value::None;
    for depth in 0..1_000_000 {
        value = if depth % 2 == 0 { Value::list(vec![value]) } else { Value::tuple(vec![value]) };
    }
    drop(value);
}

#[test]
fn an_int_that_threads_share_counts_who_loads_it_and_is_loaded_as_any_other() {
    let shared = Value::Int(1000).handed_to_threads();
    let Value::Counted(int) = &shared else { panic!("{} is not counted", shared.type_name()) };
    // Whoever is given it holds the same one.
    let Value::Counted(given) = shared.clone() else { panic!("a clone is another") };
    assert!(Arc::ptr_eq(int, &given));
    assert!(matches!((shared.copy(), shared.type_name()), (Value::Int(1000), "int")));
    assert_eq!(int.references(), 1, "what was taken is given back");
    // CPython has one of each small int for good, and counts nothing of it.
    assert!(matches!(Value::Int(256).handed_to_threads(), Value::Int(256)));
    assert!(matches!(Value::Float(1000.0).handed_to_threads(), Value::Float(_)));
}

#[test]
fn the_length_of_a_range_is_python_s() {
    for (start, stop, step, len) in [
        (0, 10, 1, 10),
        (0, 10, 3, 4),
        (10, 0, -3, 4),
        (0, 0, 1, 0),
        (5, 0, 1, 0),
        (i64::MIN, i64::MAX, 1, u64::MAX),
        (i64::MAX, i64::MIN, i64::MIN, 2),
    ] {
        assert_eq!(Range { start, stop, step }.len(), len, "range({start}, {stop}, {step})");
    }
}
