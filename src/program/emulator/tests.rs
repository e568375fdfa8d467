use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn emulator(columns: u16, rows: u16) -> Emulator {
    Emulator::new(NonZeroU16::new(columns).unwrap(), NonZeroU16::new(rows).unwrap())
}

/// What a person sees of an emulator.
fn seen(emulator: &mut Emulator) -> (Printed, String, u64) {
    (emulator.printed(), emulator.text(), emulator.lines_left_out())
}

/// The same text, put by where that may be, and obeyed character by character.
fn both(columns: u16, rows: u16, text: &[u8], piece: usize) -> [Emulator; 2] {
    let (mut put_by, mut at_once) = (emulator(columns, rows), emulator(columns, rows));
    text.chunks(piece).for_each(|bytes| put_by.take_in(bytes));
    // So few lines are never more than are kept.
    for bytes in text.chunks(LINES_SHOWN) {
        at_once.take_in(bytes);
        at_once.obey();
    }
    [put_by, at_once]
}

fn lines(count: usize, length: usize) -> String {
    lines_with(count, length, "")
}

fn lines_with(count: usize, length: usize, end: &str) -> String {
    (0..count).map(|line| format!("{line:>length$}{end}\r\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_out_is_never_missed(
        columns in 1_u16..100, rows in 1_u16..20,
        // Other screens, regions that scroll, cursors that stand elsewhere, strings without an end, rows that do not wrap.
        before in "(a\r?\n){0,30}(\x1b\\[\\?(1049|47|7|25)[hl]|\x1b\\[[1-4]?;?[0-9]?r|\x1b\\[[1-9]A|\x1b\\[[1-5];3H|\x1b\\]0;t|\x1bP1|\x1b\\[4[1-7]m|\x1b\\[){0,3}",
        one in (1_usize..1500, prop_oneof![0_usize..120, 4000_usize..4200]),
        wide in prop_oneof![Just(0_usize), 1_usize..40],
        middle in "(é|漢|x){0,30}(\r|\r\n|\n|\x1b\\[m|\x08|\t)(\x1b\\[\\?1049l|\x1b\\\\|\x07)?",
        two in (1_usize..4000, 0_usize..120),
        after in "[a-z]{0,40}",
        piece in prop_oneof![1_usize..100, 10_000_usize..40_000],
    ) {
        let text = [before, lines(one.0, one.1), middle, lines_with(two.0, two.1, &"漢".repeat(wide)), after].concat();
        let [mut put_by, mut at_once] = both(columns, rows, text.as_bytes(), piece);
        prop_assert_eq!(seen(&mut put_by), seen(&mut at_once));
    }
}

#[test]
fn who_looks_in_between_sees_what_was_written_until_then() {
    let mut emulator = emulator(20, 4);
    let mut written = 0;
    for line in lines(20_000, 9).as_bytes().chunks(11) {
        emulator.take_in(line);
        written += 1;
        if written % 7000 == 0 {
            let printed = emulator.printed();
            assert_eq!(printed.left_out + printed.lines.len() as u64, written + 1);
            assert_eq!(printed.lines[printed.lines.len() - 2].trim(), (written - 1).to_string());
        }
    }
}

#[test]
fn much_plain_text_costs_a_part_of_what_it_costs_to_obey_it() {
    let text = lines(60_000, 79);
    let timed = |obey: bool| {
        let (mut emulator, start) = (emulator(100, 12), Instant::now());
        for bytes in text.as_bytes().chunks(16 << 10) {
            emulator.take_in(bytes);
            if obey {
                emulator.obey();
            }
        }
        (emulator.lines_left_out(), start.elapsed())
    };
    let (quick, slow) = (timed(false), timed(true));
    assert_eq!(quick.0, slow.0);
    assert!(quick.1 < slow.1 / 2, "{:?} of {:?}", quick.1, slow.1);
}

#[test]
fn characters_that_are_cut_are_whole_and_so_are_those_beside_them() {
    for text in ["aéx漢b\n", "é\u{1b}[mx😀yé\n", "\u{1b}[1m漢é\n"] {
        for piece in 1..8 {
            let mut emulator = emulator(40, 4);
            text.as_bytes().chunks(piece).for_each(|bytes| emulator.take_in(bytes));
            let shown: String = text.replace("\u{1b}[m", "").replace("\u{1b}[1m", "");
            assert_eq!(emulator.text(), shown, "{piece} at a time");
        }
    }
}

#[test]
fn what_is_put_by_has_a_bound() {
    let mut emulator = emulator(80, 12);
    for _ in 0..2000 {
        emulator.take_in(&[b'x'; 4096]);
        assert!(emulator.put_by.len() <= PUT_BY, "{}", emulator.put_by.len());
    }
}
