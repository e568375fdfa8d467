use super::super::memory::Unreadable;
use super::*;
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
                (28, &[80, 8, 0, 56, 72, 70, 208, 112, 120, 128, 136, 68, 52, 96, 104, 200, 16, 8]),
            ],
        ),
        words(
            13,
            true,
            &[
                (19, &[304, 0, 8, 16, 72]),
                (28, &[80, 8, 0, 56, 72, 70, 224, 128, 136, 144, 152, 84, 68, 112, 120, 216, 32, 24]),
            ],
        ),
        words(14, false, &[(22, &[832, 0, 8, 16, 72]), (31, frame_14), (39, code_14), (50, &[16, 8])]),
        words(15, false, &[(22, &[888, 0, 8, 16, 72]), (39, frame_14), (47, code_14), (58, &[16, 8])]),
    ]
}

#[test]
fn the_layouts_of_each_version_are_found_where_it_says() {
    for words in recorded() {
        let layout = FrameLayout::from_debug_offsets(&words).expect("it is known");
        assert_eq!((layout.current_frame, layout.frame[2]), (72, 56));
        assert_eq!(layout.code[1] - layout.code[0], 16, "name lies between file name and qualified name");
        assert_eq!(layout.objects.header, if layout.objects.free_threaded { 32 } else { 16 });
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
}

/// A memory made by hand: a thread in `f` of `a.py`, called from C.
struct Made(Vec<u8>);

impl Made {
    const BASE: u64 = 0x1000;

    fn new(layout: &FrameLayout) -> Made {
        let mut made = Made(vec![0; 0x2000]);
        let at = |offset: u64| Made::BASE + offset;
        made.put(at(layout.current_frame), &at(0x200).to_le_bytes());
        // The innermost frame marks an entry from C, the one before runs `f`.
        made.put(at(0x200) + layout.frame[3], &[3]);
        made.put(at(0x200) + layout.frame[0], &at(0x300).to_le_bytes());
        made.put(at(0x300) + layout.frame[1], &(at(0x400) | 1).to_le_bytes());
        made.put(at(0x300) + layout.frame[2], &(at(0x400) + layout.code[4] + 2).to_le_bytes());
        for (offset, target) in [(layout.code[0], 0x800), (layout.code[1], 0x900), (layout.code[2], 0xa00)] {
            made.put(at(0x400) + offset, &at(target).to_le_bytes());
        }
        made.put(at(0x400) + layout.code[3], &7_u32.to_le_bytes());
        for (target, text) in [(0x800, "a.py"), (0x900, "f\u{1b}")] {
            let start = at(target) + layout.objects.header;
            made.put(start, &(text.len() as u64).to_le_bytes());
            made.put(start + 16, &(0b1_1001_u32 << 2).to_le_bytes());
            made.put(start + 24, text.as_bytes());
        }
        made.put(at(0xa00) + layout.objects.header, &4_u64.to_le_bytes());
        made.put(at(0xa00) + layout.objects.header + 16, &[0xf8, 0x80 | 11 << 3, 0, 0]);
        made
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        let at = (address - Made::BASE) as usize;
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

impl Memory for Made {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let at = address.checked_sub(Made::BASE).and_then(|at| usize::try_from(at).ok());
        let part = at.and_then(|at| self.0.get(at..at.checked_add(into.len())?));
        part.map(|part| into.copy_from_slice(part)).ok_or(Unreadable::Nothing(address))
    }
}

#[test]
fn a_thread_is_where_its_innermost_python_frame_is_and_its_name_controls_no_terminal() {
    for words in recorded() {
        let layout = FrameLayout::from_debug_offsets(&words).expect("it is known");
        let made = Made::new(&layout);
        let place = Places::new(layout).of_thread(Made::BASE, &made);
        let expected =
            Place { function: "f\u{fffd}".into(), file: "a.py".into(), line: Some(8), task: None, caller: None };
        assert_eq!(place, Some(expected), "3.{}", layout.objects.minor);
    }
}

#[test]
fn of_the_standard_library_the_nearest_caller_outside_of_it_is_told() {
    for words in recorded() {
        let layout = FrameLayout::from_debug_offsets(&words).expect("it is known");
        let mut made = Made::new(&layout);
        let at = |offset: u64| Made::BASE + offset;
        // `f` is the library's now; it was called by `g` of the same, by way of C code, and that by `own` of `svc.py`.
        let frame = |made: &mut Made, frame: u64, code: u64, previous: u64| {
            made.put(at(frame) + layout.frame[1], &(at(code) | 1).to_le_bytes());
            made.put(at(frame) + layout.frame[2], &(at(code) + layout.code[4] + 2).to_le_bytes());
            made.put(at(frame) + layout.frame[0], &at(previous).to_le_bytes());
        };
        let code = |made: &mut Made, code: u64, file: u64, name: u64| {
            for (offset, target) in [(layout.code[0], file), (layout.code[1], name), (layout.code[2], 0xa00)] {
                made.put(at(code) + offset, &at(target).to_le_bytes());
            }
            made.put(at(code) + layout.code[3], &7_u32.to_le_bytes());
        };
        let text = |made: &mut Made, target: u64, text: &str| {
            let start = at(target) + layout.objects.header;
            made.put(start, &(text.len() as u64).to_le_bytes());
            made.put(start + 16, &(0b1_1001_u32 << 2).to_le_bytes());
            made.put(start + 24, text.as_bytes());
        };
        text(&mut made, 0x800, "/usr/lib/python3.13/re/__init__.py");
        text(&mut made, 0xb00, "/srv/svc.py");
        text(&mut made, 0xb80, "own");
        code(&mut made, 0x1400, 0x800, 0x900);
        code(&mut made, 0x1600, 0xb00, 0xb80);
        frame(&mut made, 0x300, 0x400, 0xc00);
        frame(&mut made, 0xc00, 0x1400, 0xd00);
        made.put(at(0xd00) + layout.frame[3], &[3]);
        made.put(at(0xd00) + layout.frame[0], &at(0xe00).to_le_bytes());
        frame(&mut made, 0xe00, 0x1600, 0);
        made.put(at(0xe00) + layout.frame[0], &0_u64.to_le_bytes());
        let place = Places::new(layout).of_thread(Made::BASE, &made).expect("it is in Python code");
        assert_eq!((&*place.file, place.line), ("/usr/lib/python3.13/re/__init__.py", Some(8)));
        let caller = place.caller.expect("it has one");
        assert_eq!(
            (&*caller.function, &*caller.file, caller.line),
            ("own", "/srv/svc.py", Some(8)),
            "3.{}",
            layout.objects.minor
        );
        // The interpreter's own code between them is passed over.
        text(&mut made, 0x1800, "__init__");
        code(&mut made, 0x1900, 0x1800, 0x1800);
        frame(&mut made, 0x1b00, 0x1900, 0xd00);
        frame(&mut made, 0xc00, 0x1400, 0x1b00);
        let place = Places::new(layout).of_thread(Made::BASE, &made).expect("it is in Python code");
        assert_eq!(
            place.caller.map(|caller| caller.function.to_string()).as_deref(),
            Some("own"),
            "3.{}",
            layout.objects.minor
        );
        // What calls itself for ever has none, and is not followed for ever.
        frame(&mut made, 0xc00, 0x1400, 0xc00);
        let place = Places::new(layout).of_thread(Made::BASE, &made).expect("it is in Python code");
        assert_eq!(place.caller, None);
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
    let layout = FrameLayout::from_debug_offsets(&recorded()[0]).expect("it is known");
    let mut made = Made::new(&layout);
    made.put(Made::BASE + 0x200 + layout.frame[0], &(Made::BASE + 0x200).to_le_bytes());
    assert_eq!(Places::new(layout).of_thread(Made::BASE, &made), None);
}

proptest! {
    #[test]
    fn garbage_is_no_place_and_no_panic(damage: Vec<(u16, u64)>, tstate: u64, version in 0_usize..4) {
        let layout = FrameLayout::from_debug_offsets(&recorded()[version]).expect("it is known");
        let mut made = Made::new(&layout);
        for (at, value) in damage {
            made.put(Made::BASE + u64::from(at) % 0x1ff8, &value.to_le_bytes());
        }
        let mut places = Places::new(layout);
        for tstate in [tstate, Made::BASE] {
            let _ = places.of_thread(tstate, &made);
        }
    }
}
