use proptest::prelude::*;

use super::super::memory::Image;
use super::super::object::tests::Heap;
use super::*;

const INTERPRETER: u64 = 0x4000;
const MODULES: u64 = 856;

/// An interpreter of this version whose threads, in the order of their births, have these numbers and names; those
/// without a number have ended.
fn interpreter(minor: u8, free_threaded: bool, threads: &[(u32, &str)]) -> (Heap, Names) {
    let version = Version { major: 3, minor, micro: None };
    let mut heap = Heap::new(ObjectLayout::of(version, free_threaded).unwrap());
    let mut entries = Vec::new();
    for (index, (native, name)) in threads.iter().enumerate() {
        let (native, name) = (heap.number(*native), heap.text(name));
        let attributes = [("_target", 8), ("_name", name), ("_native_id", native)];
        let thread = heap.with_attributes(&attributes, index % 2 == 1);
        entries.push((heap.number(index as u32), if threads[index].0 == 0 { 0 } else { thread }));
    }
    let active = heap.dict(&entries, true);
    let [limbo, name] = ["_limbo", "_active"].map(|name| heap.text(name));
    let names = heap.dict(&[(limbo, 8), (name, active)], false);
    let header = heap.layout.header;
    let module = heap.object(0, 64);
    heap.image.set_word(module + header, names);
    let modules = [("sys", 8), ("threading", module), ("json", 8)].map(|(name, at)| (heap.text(name), at));
    let modules = heap.dict(&modules, false);
    heap.image.put(INTERPRETER, vec![0; 8192]);
    heap.image.set_word(INTERPRETER + MODULES, modules);
    (heap, Names::of(version, free_threaded, MODULES).unwrap())
}

const BUILDS: [(u8, bool); 6] = [(9, false), (10, false), (11, false), (12, false), (13, false), (13, true)];

#[test]
fn the_latest_threads_come_first_under_their_names() {
    for (minor, free_threaded) in BUILDS {
        let threads = [(70, "MainThread"), (0, "gone"), (71, "reader"), (72, "\u{1b}]0;x\u{7}\u{202e}wr\u{ef}ter")];
        let (heap, mut names) = interpreter(minor, free_threaded, &threads);
        let found = names.latest(&[INTERPRETER], 10, false, &heap.image);
        let expected = [(72, "\\u{1b}]0;x\\u{7}\\u{202e}wrïter"), (71, "reader"), (70, "MainThread")];
        assert_eq!(found, expected.map(|(number, name)| (number, name.to_owned())), "3.{minor} {free_threaded}");
        assert_eq!(names.latest(&[INTERPRETER], 1, false, &heap.image).len(), 1);
    }
}

#[test]
fn a_module_that_is_imported_later_is_found_later_and_not_looked_for_meanwhile() {
    let (heap, mut names) = interpreter(12, false, &[(70, "MainThread")]);
    let mut before = heap.image.clone();
    before.set_word(INTERPRETER + MODULES, 0);
    assert!(names.latest(&[INTERPRETER], 10, false, &before).is_empty());
    assert!(names.latest(&[INTERPRETER], 10, false, &heap.image).is_empty(), "it was not looked for anew");
    assert_eq!(names.latest(&[INTERPRETER], 10, true, &heap.image).len(), 1);
    // What was found is gone: another image.
    assert!(names.latest(&[INTERPRETER], 10, false, &Image::default()).is_empty());
    assert_eq!(names.latest(&[INTERPRETER], 10, false, &heap.image).len(), 1, "and it is found anew");
}

#[test]
fn what_is_no_name_or_no_number_leaves_that_thread_nameless() {
    let (mut heap, _) = interpreter(11, false, &[]);
    let (number, name) = (heap.number(9), heap.text("x"));
    let names = Names::of(Version { major: 3, minor: 11, micro: None }, false, MODULES).unwrap();
    let mut of = |number: u64, name: u64| {
        let thread = heap.with_attributes(&[("_name", name), ("_native_id", number)], false);
        names.thread(thread, &mut None, &heap.image)
    };
    assert_eq!(of(number, name), Some((9, "x".to_owned())));
    assert_eq!((of(name, name), of(number, number), of(0, name)), (None, None, None));
    assert_eq!(shortened(&"é".repeat(61)).chars().count(), LONGEST);
    assert_eq!(shortened(&"é".repeat(60)), "é".repeat(60));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_memory_is_names_or_none(build in 0usize..6, damage in proptest::collection::vec((0u64..100, 0u64..64, any::<u64>()), 1..24)) {
        let (minor, free_threaded) = BUILDS[build];
        let threads: Vec<(u32, &str)> = (70..80).map(|number| (number, "worker")).collect();
        let (mut heap, mut names) = interpreter(minor, free_threaded, &threads);
        for (object, at, word) in damage {
            heap.image.set_word(0x10_0000 + object * (1 << 16) + at * 8, word);
        }
        let found = names.latest(&[INTERPRETER, 8, u64::MAX], 100, true, &heap.image);
        prop_assert!(found.len() <= 10);
    }
}
