mod made;

use super::super::layout::Version;
use super::*;
use made::Made;
use proptest::prelude::*;

/// The first words of `_PyRuntime` as read from running interpreters, without what is not needed.
fn words(minor: u64, free_threaded: bool, parts: &[(usize, &[u64])]) -> [u64; FrameLayout::WORDS] {
    let mut words = [0; FrameLayout::WORDS];
    words[..3].copy_from_slice(&[u64::from_le_bytes(*b"xdebugpy"), 3 << 24 | minor << 16 | 0xf0, free_threaded.into()]);
    for (at, values) in parts {
        words[*at..at + values.len()].copy_from_slice(values);
    }
    words
}

fn recorded() -> Vec<[u64; FrameLayout::WORDS]> {
    let frame_14: &[u64] = &[88, 8, 0, 56, 80, 74, 64, 0];
    let code_14: &[u64] = &[216, 112, 120, 128, 136, 68, 52, 96, 104, 208, 0];
    vec![
        words(
            13,
            false,
            &[
                (19, &[304, 0, 8, 16, 72]),
                (28, &[80, 8, 0, 56, 72, 70, 208, 112, 120, 128, 136, 68, 52, 96, 104, 200, 16, 8, 416, 24, 88, 168]),
            ],
        ),
        words(
            13,
            true,
            &[
                (19, &[304, 0, 8, 16, 72]),
                (
                    28,
                    &[80, 8, 0, 56, 72, 70, 224, 128, 136, 144, 152, 84, 68, 112, 120, 216, 32, 24, 432, 40, 104, 184],
                ),
            ],
        ),
        words(
            14,
            false,
            &[(22, &[832, 0, 8, 16, 72]), (31, frame_14), (39, code_14), (50, &[16, 8, 416, 24, 88, 168])],
        ),
        words(
            15,
            false,
            &[(22, &[888, 0, 8, 16, 72]), (39, frame_14), (47, code_14), (58, &[16, 8, 424, 24, 88, 168])],
        ),
    ]
}

/// The layout of every version, and of the free-threaded build of one.
fn layouts() -> Vec<FrameLayout> {
    let of_version = |minor| FrameLayout::of_version(Version { major: 3, minor, micro: None });
    let told = recorded();
    (9..=12).filter_map(of_version).chain(told.iter().filter_map(FrameLayout::from_debug_offsets)).collect()
}

#[test]
fn the_layouts_of_each_version_are_known_or_found_where_it_says() {
    let found = layouts();
    assert_eq!(found.len(), 8);
    for layout in found {
        let objects = &layout.objects;
        assert_eq!(
            layout.thread,
            if objects.minor <= 10 {
                24
            } else if objects.minor <= 12 {
                56
            } else {
                72
            }
        );
        assert_eq!(objects.header, if objects.free_threaded { 32 } else { 16 });
        // The name lies between file name and qualified name; up to 3.10 there is no other.
        let further = if objects.minor <= 10 { 8 } else { 16 };
        assert_eq!(layout.code.function - layout.code.file, further, "3.{}", objects.minor);
        assert!(layout.frame.size() <= FRAME && layout.code.size() <= CODE);
    }
}

#[test]
fn what_is_no_table_of_offsets_or_of_another_version_is_refused() {
    let mut words = recorded()[0];
    words[1] = 3 << 24 | 16 << 16;
    assert_eq!(FrameLayout::from_debug_offsets(&words), None);
    let mut words = recorded()[0];
    words[0] = 0;
    assert_eq!(FrameLayout::from_debug_offsets(&words), None);
    let mut words = recorded()[0];
    words[31] = 1 << 40;
    assert_eq!(FrameLayout::from_debug_offsets(&words), None);
    for minor in [8, 13, 16] {
        assert_eq!(FrameLayout::of_version(Version { major: 3, minor, micro: None }), None);
    }
}

#[test]
fn a_thread_is_where_its_innermost_python_frame_is_and_its_name_controls_no_terminal() {
    for layout in layouts() {
        let expected =
            Place { function: "f\\u{1b}".into(), file: "a.py".into(), line: Some(8), task: None, caller: None };
        assert_eq!(Made::new(layout).place(), Some(expected), "3.{}", layout.objects.minor);
    }
}

#[test]
fn who_has_just_entered_is_at_the_first_line_and_no_place_is_outside_of_the_code() {
    for layout in layouts() {
        let minor = layout.objects.minor;
        let mut made = Made::new(layout);
        let mut at = |offset| {
            made.frame(Made::OUTER, Made::CODE, offset, 0);
            made.entry(Made::INNERMOST, Made::OUTER);
            if minor < 12 {
                made.frame(Made::INNERMOST, Made::CODE, offset, 0);
            }
            made.place().map(|place| place.line)
        };
        let entered = at(match minor {
            9 => -1,
            _ => -2,
        });
        let outside = layout.objects.free_threaded.then_some(None);
        assert_eq!(entered, if minor < 13 { Some(Some(7)) } else { outside }, "3.{minor}");
        assert_eq!(at(0), Some((minor == 9).then_some(7)), "3.{minor}: the first has no line of its own");
        assert_eq!((at(6), at(8), at(-4)), (Some(Some(8)), outside, outside), "3.{minor}");
    }
}

#[test]
fn what_is_not_of_the_class_it_should_be_is_no_place() {
    for layout in layouts() {
        let objects = layout.objects;
        let other = Made::BASE + 0x2800;
        let lies = |object: u64| {
            let mut made = Made::new(layout);
            made.put(object + objects.class, &other.to_le_bytes());
            made.place()
        };
        for object in [Made::CODE, Made::BASE + 0x800, Made::BASE + 0x900, Made::TABLE] {
            assert_eq!(lies(object), None, "3.{}: {object:#x}", objects.minor);
        }
        if matches!(layout.frame.instruction, Instruction::Counted { .. }) {
            assert_eq!((lies(Made::INNERMOST), lies(Made::INSTRUCTIONS)), (None, None));
        }
    }
}

#[test]
fn another_function_that_lies_where_one_was_has_its_own_name() {
    for layout in layouts() {
        let mut made = Made::new(layout);
        let mut places = Places::new(layout);
        let mut called = |made: &Made| places.of_thread(Made::THREAD, made).map(|place| place.function.to_string());
        assert_eq!(called(&made).as_deref(), Some("f\\u{1b}"));
        // Its name, too, lies where that of the other lay.
        made.text(Made::BASE + 0x900, "other");
        assert_eq!(called(&made).as_deref(), Some("other"), "3.{}", layout.objects.minor);
        made.text(Made::BASE + 0xb00, "third");
        made.code(Made::CODE, Made::BASE + 0x800, Made::BASE + 0xb00);
        assert_eq!(called(&made).as_deref(), Some("third"), "3.{}", layout.objects.minor);
    }
}

#[test]
fn of_the_standard_library_the_nearest_caller_outside_of_it_is_told() {
    for layout in layouts() {
        let version = format!("3.{}", layout.objects.minor);
        let mut made = Made::new(layout);
        let at = |offset: u64| Made::BASE + offset;
        // `f` is the library's now; it was called by `g` of the same, by way of C code, and that by `own` of `svc.py`.
        made.text(at(0x800), "/usr/lib/python3.13/re/__init__.py");
        made.text(at(0xb00), "/srv/svc.py");
        made.text(at(0xb80), "own");
        made.code(at(0x1400), at(0x800), at(0x900));
        made.code(at(0x1600), at(0xb00), at(0xb80));
        made.frame(Made::OUTER, Made::CODE, 2, at(0xc00));
        made.frame(at(0xc00), at(0x1400), 2, at(0xd00));
        made.entry(at(0xd00), at(0xe00));
        made.frame(at(0xe00), at(0x1600), 2, 0);
        let place = made.place().expect("it is in Python code");
        assert_eq!((&*place.file, place.line), ("/usr/lib/python3.13/re/__init__.py", Some(8)), "{version}");
        let caller = place.caller.expect("it has one");
        assert_eq!((&*caller.function, &*caller.file, caller.line), ("own", "/srv/svc.py", Some(8)), "{version}");
        // The interpreter's own code between them is passed over.
        made.text(at(0x1800), "__init__");
        made.code(at(0x1900), at(0x1800), at(0x1800));
        made.frame(at(0x1b00), at(0x1900), 2, at(0xd00));
        made.frame(at(0xc00), at(0x1400), 2, at(0x1b00));
        let place = made.place().expect("it is in Python code");
        assert_eq!(place.caller.map(|caller| caller.function.to_string()).as_deref(), Some("own"), "{version}");
        // What calls itself for ever has none, and is not followed for ever.
        made.frame(at(0xc00), at(0x1400), 2, at(0xc00));
        assert_eq!(made.place().expect("it is in Python code").caller, None, "{version}");
    }
}

#[test]
fn a_comprehension_is_a_part_of_the_function_it_stands_in() {
    for layout in layouts() {
        let mut made = Made::new(layout);
        let at = |offset: u64| Made::BASE + offset;
        // `f` has become a comprehension within another, both in `own`.
        made.text(at(0x900), "own.<locals>.<setcomp>");
        made.text(at(0xb00), "<listcomp>");
        made.text(at(0xb80), "own");
        made.code(at(0x1400), at(0x800), at(0xb00));
        made.code(at(0x1600), at(0x800), at(0xb80));
        if layout.objects.minor < 12 {
            made.frame(Made::INNERMOST, Made::CODE, 2, at(0xc00));
        }
        made.frame(Made::OUTER, Made::CODE, 2, at(0xc00));
        made.frame(at(0xc00), at(0x1400), 2, at(0xe00));
        made.frame(at(0xe00), at(0x1600), 2, 0);
        // Each runs at the line where the next one begins.
        for (code, first_line) in [(Made::CODE, 8_u32), (at(0x1400), 7), (at(0x1600), 6)] {
            made.put(code + layout.code.first_line, &first_line.to_le_bytes());
        }
        let place = |made: &Made| made.place().map(|place| (place.function.to_string(), place.line));
        let version = format!("3.{}", layout.objects.minor);
        assert_eq!(place(&made), Some(("own".to_owned(), Some(9))), "{version}");
        // If not, the frames have changed meanwhile, and whose it is is not known.
        let alone = Some(("own.<locals>.<setcomp>".to_owned(), Some(9)));
        made.put(at(0x1600) + layout.code.first_line, &5_u32.to_le_bytes());
        assert_eq!(place(&made), alone, "{version}");
        made.put(at(0x1600) + layout.code.first_line, &6_u32.to_le_bytes());
        made.text(at(0xd00), "b.py");
        made.code(at(0x1600), at(0xd00), at(0xb80));
        assert_eq!(place(&made), alone, "{version}");
    }
}

#[test]
fn the_standard_library_is_told_by_its_folder() {
    for file in ["<frozen runpy>", "/usr/lib/python3.13/threading.py", "/opt/py/lib/python3.13t/json/encoder.py"] {
        assert!(is_library(file), "{file}");
    }
    let own =
        ["/srv/svc.py", "/x/lib/python3.13/site-packages/flask/app.py", "/usr/lib/python3/dist-packages/a.py", "-c"];
    for file in own.into_iter().chain(["<string>", "/home/me/python3.x/a.py", "/home/me/python3.13"]) {
        assert!(!is_library(file), "{file}");
    }
}

#[test]
fn frames_that_lead_round_in_a_circle_are_left() {
    for layout in layouts().into_iter().filter(|layout| layout.objects.minor >= 12) {
        let mut made = Made::new(layout);
        made.entry(Made::INNERMOST, Made::INNERMOST);
        assert_eq!(made.place(), None, "3.{}", layout.objects.minor);
    }
}

proptest! {
    #[test]
    fn garbage_is_no_place_and_no_panic(damage: Vec<(u16, u64)>, tstate: u64, version in 0_usize..8) {
        let mut made = Made::new(layouts()[version]);
        for (at, value) in damage {
            made.put(Made::BASE + u64::from(at) % 0x2ff8, &value.to_le_bytes());
        }
        let mut places = Places::new(made.layout);
        for tstate in [tstate, Made::THREAD] {
            let _ = places.of_thread(tstate, &made);
        }
    }

    /// Pointers that lead to something, only not to what they should: half of a frame that is being made looks so.
    #[test]
    fn a_mixed_up_memory_is_no_panic_and_ends(damage: Vec<(u16, u16)>, version in 0_usize..8) {
        let mut made = Made::new(layouts()[version]);
        for (at, to) in damage {
            let target = Made::BASE + u64::from(to) % 0x3000 / 8 * 8;
            made.put(Made::BASE + u64::from(at) % 0x2ff8 / 8 * 8, &target.to_le_bytes());
        }
        let _ = made.place();
    }
}
