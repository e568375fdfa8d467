use std::path::PathBuf;

use proptest::prelude::*;

use super::super::layout::{Layout, Version};
use super::super::memory::Image;
use super::*;

const RUNTIME: u64 = 0x10_0000;
const INTERPRETER: u64 = 0x20_0000;
const STATE: u64 = 0x30_0000;
const STACK: u64 = 0x7f00_0000_1000;
const LOT: u64 = 0x40_0000;
const OBJECT: u64 = 0x50_0000;
const TYPE: u64 = 0x60_0000;
const METATYPE: u64 = 0x61_0000;
const NAME_AT: u64 = 0x62_0003;
const HANDLE_AT: u64 = 0x70_0000;
const PTHREAD: u64 = 0x80_0000;

fn runtime(free_threaded: bool) -> Runtime {
    let version = Version { major: 3, minor: 12, micro: None };
    let layout = Layout {
        thread_interpreter: 16,
        thread_state: Some(40),
        sizes: Some((0x1000, 0x2000)),
        world: Some(0x100),
        all_worlds: Some(0x200),
        ..Layout::of_version(version).expect("it is known")
    };
    Runtime { version, free_threaded, address: RUNTIME, layout, file: PathBuf::new() }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Somebody is parked who waits for `address`; and an object of a type, a thread state, a handle.
fn parked_at(address: u64, free_threaded: bool) -> (Image, u64) {
    let mut image = Image::default();
    let futex = STACK + 16;
    let node = futex + NODE;
    // `park_arg`, `addr`, the semaphore with one who waits, `node` between two others, `is_unparking`.
    image.put(STACK, words(&[0, address, 1 << 32, 0, 0, 0, LOT, LOT + 0x100, 0]));
    image.put(LOT, words(&[0, node]));
    image.put(LOT + 0x100, words(&[node, 0]));
    let header = if free_threaded { 4 } else { 2 };
    let head = |kind: u64| {
        let mut head = vec![0; header];
        head[header - 1] = kind;
        head
    };
    image.put(OBJECT, words(&[head(TYPE), vec![0; 4]].concat()));
    image.put(TYPE, words(&[head(METATYPE), vec![0, NAME_AT]].concat()));
    image.put(METATYPE, words(&[head(METATYPE), vec![0, 0]].concat()));
    image.put(NAME_AT, *b"_thread.lock\0");
    image.put(STATE, words(&[0, 0, INTERPRETER, 0, 0, 2]));
    image.put(HANDLE_AT, words(&[HANDLE_AT + 0x800, 0, 0, 0, PTHREAD, 0, 3 << 32, 0]));
    image.put(HANDLE_AT + 0x800, words(&[0, HANDLE_AT]));
    image.put(PTHREAD + TID_IN_PTHREAD, words(&[4321]));
    (image, futex)
}

fn asked(address: u64, free_threaded: bool) -> Option<Parked> {
    let (image, futex) = parked_at(address, free_threaded);
    parked(&image, &runtime(free_threaded), &[INTERPRETER], futex)
}

#[test]
fn what_is_waited_for_is_told_by_what_lies_there() {
    for (address, expected) in [
        (STATE + 40, Parked::Suspended),
        (INTERPRETER + 0x100, Parked::Turn),
        (INTERPRETER + 0x104, Parked::Stopping),
        (RUNTIME + 0x204, Parked::Stopping),
        (HANDLE_AT + 57, Parked::End(4321)),
        (OBJECT + 10, Parked::Object("_thread.lock".to_owned())),
        (OBJECT + 32, Parked::Lock("_thread.lock".to_owned())),
        (INTERPRETER + 0x1fff, Parked::Interpreter),
        (RUNTIME + 0x800, Parked::Interpreter),
        (INTERPRETER + 0x2000, Parked::Mutex),
        (0x9000_0001, Parked::Mutex),
    ] {
        assert_eq!(asked(address, true), Some(expected), "{address:#x}");
    }
    assert_eq!(
        asked(OBJECT + 16, false),
        Some(Parked::Lock("_thread.lock".to_owned())),
        "with a GIL heads are shorter"
    );
    assert_eq!(asked(OBJECT + 10, false), Some(Parked::Mutex), "and objects have no lock");
    assert_eq!(asked(8, true), None, "nothing lies there");
}

#[test]
fn who_does_not_hang_in_the_lot_is_not_parked() {
    let (mut image, futex) = parked_at(OBJECT + 10, true);
    image.set_word(LOT + 8, STACK);
    assert_eq!(parked(&image, &runtime(true), &[INTERPRETER], futex), None);
    assert_eq!(parked(&image, &runtime(true), &[INTERPRETER], futex + 4), None);
    assert_eq!(parked(&image, &runtime(true), &[INTERPRETER], 3), None);
}

#[test]
fn a_type_that_is_none_names_nothing() {
    let mutex = Some(Parked::Mutex);
    let ask = |image: &Image, futex| parked(image, &runtime(true), &[INTERPRETER], futex);
    let (mut image, futex) = parked_at(OBJECT + 10, true);
    image.put(NAME_AT, *b"not a name\0\0");
    assert_eq!(ask(&image, futex), mutex);
    image.put(NAME_AT, vec![b'a'; 200]);
    assert_eq!(ask(&image, futex), mutex, "a name without an end");
    image.put(NAME_AT, *b"list\0");
    assert_eq!(ask(&image, futex), Some(Parked::Object("list".to_owned())));
    image.set_word(METATYPE + 24, TYPE);
    assert_eq!(ask(&image, futex), mutex, "types that are each other's");
}

#[test]
fn words_say_it_as_python_would() {
    let nobody = |_| None;
    assert_eq!(Parked::Object("dict".to_owned()).words(nobody), "the lock of a dict object");
    assert_eq!(Parked::Object("object".to_owned()).words(nobody), "the lock of an object object");
    assert_eq!(Parked::Lock("_thread.lock".to_owned()).words(nobody), "a threading.Lock");
    assert_eq!(Parked::Lock("_queue.SimpleQueue".to_owned()).words(nobody), "a mutex of a _queue.SimpleQueue object");
    assert_eq!(Parked::End(3).words(|native| Some(format!("thread {native}"))), "the end of thread 3");
    assert_eq!(Parked::End(3).words(nobody), "the end of a thread");
}

proptest! {
    /// Whatever is read may be anything: an answer, in bounded time, and never a panic.
    #[test]
    fn garbage_is_an_answer(
        address: u64,
        stack in prop::collection::vec(any::<u64>(), 9),
        anywhere in prop::collection::vec(0_u64..0x100, 64),
        free_threaded: bool,
        linked: bool,
    ) {
        let (mut image, futex) = parked_at(address, free_threaded);
        if !linked {
            image.put(STACK, words(&stack));
        }
        // A small memory all of whose words point into itself.
        let inside: Vec<u64> = anywhere.iter().map(|word| OBJECT + word * 8).collect();
        image.put(OBJECT, words(&inside));
        let near = OBJECT + address % 0x200;
        image.set_word(STACK + 8, if linked { near } else { address });
        let answer = parked(&image, &runtime(free_threaded), &[INTERPRETER, u64::MAX], futex);
        prop_assert!(!linked || answer.is_some());
        let _ = parked(&image, &runtime(free_threaded), &[], address);
    }
}
