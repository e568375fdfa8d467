use proptest::prelude::*;

use super::super::memory::{Garbage, Image};
use super::*;

const RUNTIME: u64 = 0x10_0000;
const INTERPRETER: u64 = 0x20_0000;
const STATES: [u64; 2] = [0x30_0000, 0x31_0000];
const LOCK: u64 = 0x40_0000;

/// A runtime of this version with one interpreter and two threads, the second of which holds the lock.
fn image(minor: u8) -> (Image, Runtime) {
    let version = Version { major: 3, minor, micro: None };
    let layout = Layout::of_version(version).unwrap();
    let mut image = Image::default();
    image.put(RUNTIME, vec![0; 1024]);
    image.put(INTERPRETER, vec![0; 8192]);
    STATES.iter().for_each(|state| image.put(*state, vec![0; 1024]));
    image.set_word(RUNTIME + layout.interpreters, INTERPRETER);
    let lock = match layout.lock_place {
        LockPlace::Runtime(distance) => RUNTIME + distance,
        LockPlace::Pointer(distance) => {
            image.put(LOCK, vec![0; 208]);
            image.set_word(INTERPRETER + distance, LOCK);
            LOCK
        }
    };
    image.set_word(lock + layout.lock.interval(), 5000);
    image.set_int(lock + layout.lock.locked, 1);
    image.set_word(lock + layout.lock.last_holder, STATES[1]);
    image.set_word(lock + layout.lock.switch_number(), 17);
    image.set_word(INTERPRETER + layout.threads, STATES[0]);
    image.set_word(STATES[0] + layout.thread_next, STATES[1]);
    for (index, state) in STATES.into_iter().enumerate() {
        image.set_word(state + layout.thread_interpreter, INTERPRETER);
        match layout.native_id {
            Some(native) => image.set_word(state + native, 100 + index as u64),
            None => {
                let pthread = 0x50_0000 + 0x1000 * index as u64;
                image.put(pthread, vec![0; 1024]);
                image.set_word(state + layout.thread_id, pthread);
                image.set_int(pthread + TID_IN_PTHREAD, 100 + index as i32);
            }
        }
    }
    (image, Runtime { version, free_threaded: false, address: RUNTIME, layout, file: PathBuf::new() })
}

#[test]
fn each_version_is_walked_to_its_lock_and_its_threads() {
    for minor in 9..=12 {
        let (image, runtime) = image(minor);
        let found = runtime.walk(&image).unwrap();
        assert_eq!(found.len(), 1, "3.{minor}");
        let natives: Vec<_> = found[0].threads.iter().map(|state| state.native).collect();
        assert_eq!(natives, [Some(100), Some(101)]);
        let lock = runtime.lock(&image, found[0].lock.unwrap()).unwrap().unwrap();
        assert_eq!(
            lock,
            LockState {
                locked: true,
                last_holder: STATES[1],
                switch_number: 17,
                interval: Nanos::from_millis(5),
                enabled: true
            }
        );
        // Whoever is expected to be its last holder, expected rightly, wrongly, not at all, or where nothing lies.
        for expected in [STATES[1], STATES[0], 0, 1 << 40] {
            let looked = runtime.lock_and_holder(&image, found[0].lock.unwrap(), expected).unwrap();
            assert_eq!(looked, Some((lock, Some(101))), "3.{minor}, {expected:#x}");
        }
    }
}

#[test]
fn relations_that_do_not_hold_are_not_believed() {
    let (good, runtime) = image(12);
    let layout = runtime.layout;
    let mut bad = good.clone();
    bad.set_word(STATES[0] + layout.thread_interpreter, 8);
    assert_eq!(runtime.walk(&bad), Err(Lost::Implausible("a thread does not know its interpreter")));
    let mut bad = good.clone();
    bad.set_int(LOCK + layout.lock.locked, 7);
    assert!(matches!(runtime.walk(&bad), Err(Lost::Implausible(_))));
    let mut early = good.clone();
    early.set_int(LOCK + layout.lock.locked, -1);
    assert_eq!(runtime.walk(&early).unwrap()[0].lock, None, "not made yet");
    early.set_int(LOCK + layout.lock.locked, 0);
    early.set_word(LOCK + layout.lock.interval(), 0);
    assert_eq!(runtime.walk(&early).unwrap()[0].lock, None, "not written yet");
    early.set_word(RUNTIME + layout.interpreters, 0);
    assert_eq!(runtime.walk(&early), Ok(vec![]));
    let mut gone = good.clone();
    gone.set_word(STATES[0] + layout.thread_next, 0x77_0000);
    assert_eq!(runtime.walk(&gone), Err(Lost::Unreadable(Unreadable::Nothing(0x77_0000 + layout.thread_next))));
}

#[test]
fn a_list_that_bites_its_tail_ends_the_walk() {
    let (mut image, runtime) = image(11);
    image.set_word(STATES[1] + runtime.layout.thread_next, STATES[0]);
    assert_eq!(runtime.walk(&image), Err(Lost::Implausible("its list of threads has no end")));
    image.set_word(STATES[1] + runtime.layout.thread_next, 0);
    image.set_word(INTERPRETER + runtime.layout.interpreter_next, INTERPRETER);
    assert_eq!(runtime.walk(&image), Err(Lost::Implausible("its list of interpreters has no end")));
}

#[test]
fn a_copy_of_its_maker_is_a_python_of_its_own_once_it_has_a_mark_of_its_own() {
    let (mut image, runtime) = image(9);
    let place = RUNTIME + runtime.layout.interpreters - 8;
    image.set_word(place, 0x1230);
    assert_eq!(runtime.mark(&image), Some(0x1230));
    assert!(!runtime.has_own_mark(&image, 0x1230), "it is about to execute another program");
    image.set_word(place, 0x4560);
    assert!(runtime.has_own_mark(&image, 0x1230));
    assert!(!runtime.has_own_mark(&Image::default(), 0x1230), "it has executed it: nothing of it is left");
}

#[test]
fn a_version_is_told_by_its_symbol_else_by_the_name() {
    let mut image = Image::default();
    image.put(RUNTIME, vec![0; 1024]);
    image.put(64, 0x030b_07f0_u64.to_le_bytes());
    let find = |version, name: &str| Runtime::identify(&image, 1, RUNTIME, version, name);
    assert_eq!(find(Some(64), "python").unwrap().version.to_string(), "3.11.7");
    assert_eq!(find(None, "python3.9").unwrap().version.to_string(), "3.9");
    assert!(matches!(find(None, "python3.8"), Err(Trouble::Unsupported { .. })));
    assert!(matches!(find(None, "python2.7"), Err(Trouble::TooOld { .. })));
    assert!(matches!(find(None, "python3.16"), Err(Trouble::Unsupported { .. })));
    assert!(matches!(find(None, "app"), Err(Trouble::Unsupported { .. })));
    assert_eq!(find(None, "python3.13"), Err(Trouble::Booting(1)), "its debug offsets are not written yet");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_an_error_or_an_answer_never_a_panic_or_an_endless_walk(seed: u64, minor in 9u8..=12, address: u64) {
        let (_, runtime) = image(minor);
        let _ = Runtime { address: address >> 1, ..runtime }.walk(&Garbage(seed));
        let _ = Runtime::identify(&Garbage(seed), 1, address >> 1, Some(8), "python3");
    }

    #[test]
    fn a_damaged_image_is_an_error_or_an_answer(minor in 9u8..=12, damage in proptest::collection::vec((0u64..8192, any::<u64>()), 1..8)) {
        let (mut image, runtime) = image(minor);
        for (at, word) in damage {
            for start in [RUNTIME, INTERPRETER, STATES[0], STATES[1], LOCK] {
                image.set_word(start + at, word);
            }
        }
        if let Ok(found) = runtime.walk(&image) {
            for lock in found.iter().filter_map(|interpreter| interpreter.lock) {
                let _ = runtime.lock(&image, lock);
            }
        }
    }
}

#[test]
fn a_thread_of_the_kernels_is_no_python_and_nothing_is_kept_from_us() {
    // In a container there are none to be seen.
    if !super::process::is_of_kernel(2) {
        return;
    }
    let found = Runtime::find(2, &mut Files::new());
    assert!(matches!(found, Err(Trouble::NotPython { pid: 2, .. })), "{found:?}");
    assert!(!super::process::is_of_kernel(std::process::id()));
}
