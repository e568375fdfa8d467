use super::*;
use proptest::prelude::*;

fn float(operator: Operator, a: f64, b: f64) -> f64 {
    match binary(operator, Number::Float(a), Number::Float(b)) {
        Some(Ok(Value::Float(value))) => value,
        other => panic!("{other:?}"),
    }
}

/// Ints around the lengths from which on they are kept in another way.
fn at_borders() -> impl Strategy<Value = BigInt> {
    let bits = proptest::sample::select(vec![0u32, 62, 63, 64, 65, 118, 119, 120, 126, 127, 128]);
    (bits, -3i32..=3, any::<bool>()).prop_map(|(bits, off, negative)| {
        let value = (BigInt::from(1) << bits) + off;
        if negative { -value } else { value }
    })
}

#[test]
fn a_float_s_remainder_takes_the_divisor_s_sign() {
    assert_eq!(float(Operator::Remainder, -7.5, 2.0), 0.5);
    assert_eq!(float(Operator::Remainder, 7.5, -2.0), -0.5);
    assert_eq!(float(Operator::FloorDivide, -7.5, 2.0), -4.0);
}

proptest! {
    #[test]
    fn the_small_path_agrees_with_the_big_one(a: i64, b in -70i64..70, operator in proptest::sample::select(vec![
        Operator::Add, Operator::Subtract, Operator::Multiply, Operator::FloorDivide, Operator::Remainder,
        Operator::TrueDivide, Operator::And, Operator::Or, Operator::Xor, Operator::LeftShift, Operator::RightShift,
    ])) {
        let quick = binary(operator, Number::Int(a), Number::Int(b)).unwrap();
        let slow = big(operator, &BigInt::from(a), &BigInt::from(b));
        prop_assert_eq!(format!("{quick:?}"), format!("{slow:?}"));
    }

    #[test]
    fn ints_of_all_lengths_agree_with_the_big_ones(
        a in at_borders(), b in prop_oneof![at_borders(), (-130i32..130).prop_map(BigInt::from)],
        operator in proptest::sample::select(vec![
            Operator::Add, Operator::Subtract, Operator::Multiply, Operator::FloorDivide, Operator::Remainder,
            Operator::TrueDivide, Operator::And, Operator::Or, Operator::Xor, Operator::LeftShift, Operator::RightShift,
            Operator::Power,
        ])
    ) {
        let (x, y) = (Value::from(a.clone()), Value::from(b.clone()));
        let quick = binary(operator, Number::of(&x).unwrap(), Number::of(&y).unwrap()).unwrap();
        prop_assert_eq!(format!("{quick:?}"), format!("{:?}", big(operator, &a, &b)));
        for value in [&x, &y].into_iter().chain(&quick) {
            let fits = |bits: u32| Number::of(value).and_then(Number::big).is_none_or(|value| {
                let half = BigInt::from(1) << (bits - 1);
                -&half <= value && value < half
            });
            let fitting = match value {
                Value::Int(_) => fits(64),
                Value::Wide(_) => fits(120) && !fits(64),
                Value::Big(_) => !fits(120),
                _ => true,
            };
            prop_assert!(fitting, "{value:?}");
        }
        let ordering = compare(Number::of(&x).unwrap(), Number::of(&y).unwrap());
        prop_assert_eq!(ordering, Some(a.cmp(&b)));
        prop_assert_eq!(negative(Number::of(&x).unwrap()).repr(), (-&a).to_string());
        let nearest: f64 = a.to_string().parse().unwrap();
        prop_assert_eq!(Number::of(&x).unwrap().float().ok(), Some(nearest));
    }

    #[test]
    fn an_int_becomes_the_nearest_float(words: [u64; 3], shift in 0u32..180) {
        let wide: BigInt = (BigInt::from(words[0]) << 128) + (BigInt::from(words[1]) << 64) + words[2];
        let value: BigInt = wide >> shift;
        let nearest: f64 = value.to_string().parse().unwrap();
        prop_assert_eq!(big_to_float(&value), Some(nearest));
    }
}
