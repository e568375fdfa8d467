//! Where CPython keeps what: the distances between fields, version by version.
//!
//! # The problem
//! The interpreter's structures are its own affair and change with every
//! version. From 3.13 on, `_PyRuntime` begins with `_Py_DebugOffsets`
//! (`Include/internal/pycore_debug_offsets.h`), which tells most of what we
//! need, for debuggers; before that nothing does.
//!
//! # The choice
//! Two tables, both printed by a small C program against each version's own
//! internal headers: fields by version up to 3.12, and from 3.13 on the
//! numbers of the words of `_Py_DebugOffsets`, which also differ. What those
//! leave out of the lock lies at fixed distances from what they tell: the
//! structure is the same since 3.9. All of it is for x86-64 with glibc.
//! Nothing here is believed before relations have been checked
//! ([`super::runtime`]).
//!
//! # Not chosen
//! Debugging symbols: most builds are stripped of them. Searching memory for
//! what looks right: it would be right too often.

use std::fmt;

use super::memory::{Memory, Unreadable};

/// A version of CPython.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 3.
    pub major: u8,
    /// 13 of 3.13.
    pub minor: u8,
    /// The patch level, where it is known.
    pub micro: Option<u8>,
}

impl Version {
    /// Out of `PY_VERSION_HEX`.
    pub fn from_hex(hex: u64) -> Version {
        Version { major: (hex >> 24) as u8, minor: (hex >> 16) as u8, micro: Some((hex >> 8) as u8) }
    }

    /// Out of a file's name: `python3.9`, `libpython3.11.so.1.0`, `python3.13t`.
    pub fn from_name(name: &str) -> Option<Version> {
        let rest = &name[name.find("python")? + "python".len()..];
        let (major, rest) = rest.split_once('.')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        Some(Version { major: major.parse().ok()?, minor: rest[..digits].parse().ok()?, micro: None })
    }

    /// Whether it is older than all that we know.
    pub fn is_too_old(self) -> bool {
        (self.major, self.minor) < (3, 9)
    }

    /// Whether we know where this version keeps what.
    pub fn is_known(self) -> bool {
        self.major == 3 && (9..=15).contains(&self.minor)
    }

    /// What is told of this version beside its lock, threads and cores, in words: of a build with its GIL on, or of one that
    /// runs without.
    pub fn tells(self, gil: bool) -> &'static [&'static str] {
        const PARKED: &str = "what parked threads wait for";
        match (self.is_known(), gil, self.minor) {
            (false, ..) => &[],
            (true, true, ..=10) => &["functions (without their classes)"],
            (true, true, 11 | 12) => &["functions"],
            (true, true, 13) => &["functions", PARKED],
            (true, true, _) => &["functions", "asyncio tasks", PARKED],
            // Where the others keep their worlds is not known.
            (true, false, 13) => &["functions", "stop-the-world", PARKED],
            (true, false, 14) => &["functions", "asyncio tasks", "stop-the-world", PARKED],
            (true, false, _) => &["functions", "asyncio tasks", PARKED],
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.micro.map_or(Ok(()), |micro| write!(f, ".{micro}"))
    }
}

/// Where the lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockPlace {
    /// In the runtime, one for all interpreters (up to 3.11).
    Runtime(u64),
    /// Behind a pointer in each interpreter (`ceval.gil`, from 3.12).
    Pointer(u64),
}

/// Distances within `struct _gil_runtime_state`, 208 bytes from 3.9 to 3.15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockLayout {
    /// Whether it is a lock at all; in free-threaded builds only.
    pub enabled: Option<u64>,
    /// The thread state that took it last.
    pub last_holder: u64,
    /// −1 not made yet, 0 free, 1 held.
    pub locked: u64,
}

impl LockLayout {
    const WITH_GIL: LockLayout = LockLayout { enabled: None, last_holder: 8, locked: 16 };

    /// How often it was taken by another than the last holder.
    pub fn switch_number(&self) -> u64 {
        self.locked + 8
    }

    /// The switch interval in microseconds.
    pub fn interval(&self) -> u64 {
        self.locked.wrapping_sub(16)
    }

    /// Whether this address in the lock at `lock` is what those sleep on who want it: its condition or its mutex.
    pub fn is_waited_on(&self, lock: u64, address: u64) -> bool {
        // cond is 48 bytes, mutex 40.
        (lock + self.locked + 16..lock + self.locked + 104).contains(&address)
    }

    /// Whether this address is what one sleeps on who was made to drop it, until another has taken it: `switch_cond`
    /// and `switch_mutex`.
    pub fn is_forced(&self, lock: u64, address: u64) -> bool {
        (lock + self.locked + 104..lock + self.locked + 192).contains(&address)
    }
}

/// Distances within the structures of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// In the runtime: the first interpreter.
    pub interpreters: u64,
    /// In the runtime: the thread that ends it, 0 before.
    pub finalizing: u64,
    /// The lock.
    pub lock_place: LockPlace,
    /// Within the lock.
    pub lock: LockLayout,
    /// In an interpreter: the next.
    pub interpreter_next: u64,
    /// In an interpreter: its number.
    pub interpreter_id: u64,
    /// In an interpreter: its first thread state.
    pub threads: u64,
    /// In a thread state: the next.
    pub thread_next: u64,
    /// In a thread state: its interpreter.
    pub thread_interpreter: u64,
    /// In a thread state: the `pthread_t`.
    pub thread_id: u64,
    /// In a thread state: the kernel's number (from 3.11).
    pub native_id: Option<u64>,
    /// In a thread state: attached 1, detached 0, suspended 2 (free-threaded builds).
    pub thread_state: Option<u64>,
    /// The sizes of the runtime and of an interpreter (from 3.13).
    pub sizes: Option<(u64, u64)>,
    /// In an interpreter: `stoptheworld`, in the free-threaded builds where that is known.
    pub world: Option<u64>,
    /// In the runtime: the same of all interpreters.
    pub all_worlds: Option<u64>,
}

/// Where free-threaded builds keep `struct _stoptheworld_state`, which the debug offsets do not tell: by minor version and
/// the size of the structure it lies in, so that a patch level that moved it is not misread. In an interpreter ...
/// Those of 3.13.5, 3.13.15 and 3.14.7 were measured in builds; those of 3.14.10 and 3.15.2 are what a compiler makes of their
/// headers with `Py_GIL_DISABLED` and `NDEBUG`, which for 3.13 comes to the same as its builds.
const WORLDS: [(u8, u64, u64); 4] =
    [(13, 215_616, 10_744), (14, 246_720, 10_848), (14, 249_976, 10_848), (15, 250_328, 10_800)];
/// ... and in the runtime: of 3.13.5, 3.13.15, 3.14.7, 3.14.10 and 3.15.2.
const ALL_WORLDS: [(u8, u64, u64); 5] =
    [(13, 328_320, 10_336), (13, 328_384, 10_360), (14, 362_368, 10_552), (14, 365_624, 10_552), (15, 409_296, 10_672)];

/// In glibc's `struct pthread`, the kernel's number of the thread.
pub const TID_IN_PTHREAD: u64 = 720;

/// `xdebugpy`, with which `_Py_DebugOffsets` begins.
const COOKIE: u64 = u64::from_le_bytes(*b"xdebugpy");

/// Where the words of `_Py_DebugOffsets` are that we need, by version.
struct Words {
    lock: usize,
    thread: usize,
    thread_id: usize,
    /// `tstate.state`, which it does not tell.
    thread_state: u64,
}

impl Layout {
    /// Of a version without debug offsets.
    pub fn of_version(version: Version) -> Option<Layout> {
        let (runtime, lock_place) = match version.minor {
            9 | 10 => (16, LockPlace::Runtime(352)),
            11 => (24, LockPlace::Runtime(360)),
            12 => (24, LockPlace::Pointer(384)),
            _ => return None,
        };
        let (interpreter_next, interpreter_id, threads) = match version.minor {
            9 | 10 => (0, 24, 8),
            11 => (0, 48, 16),
            _ => (0, 8, 72),
        };
        let (thread_id, native_id) = match version.minor {
            9 | 10 => (176, None),
            11 => (152, Some(160)),
            _ => (136, Some(144)),
        };
        (version.major == 3).then_some(Layout {
            interpreters: runtime + 16,
            finalizing: runtime,
            lock_place,
            lock: LockLayout::WITH_GIL,
            interpreter_next,
            interpreter_id,
            threads,
            thread_next: 8,
            thread_interpreter: 16,
            thread_id,
            native_id,
            thread_state: None,
            sizes: None,
            world: None,
            all_worlds: None,
        })
    }

    /// As the runtime at this address tells it, with its version and whether it is free-threaded. `Ok(None)`: it has no
    /// debug offsets, or those of a version we do not know; the version is told if it is there.
    pub fn from_debug_offsets(
        memory: &dyn Memory,
        runtime: u64,
    ) -> Result<Option<(Version, bool, Option<Layout>)>, Unreadable> {
        let mut bytes = [0; 40 * 8];
        memory.read(runtime, &mut bytes)?;
        let words: Vec<u64> =
            bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect();
        if words[0] != COOKIE {
            return Ok(None);
        }
        let (version, free_threaded) = (Version::from_hex(words[1]), words[2] & 1 == 1);
        let known = match (version.major, version.minor) {
            (3, 13) => Words { lock: 14, thread: 19, thread_id: 24, thread_state: 40 },
            (3, 14) => Words { lock: 15, thread: 22, thread_id: 27, thread_state: 44 },
            (3, 15) => Words { lock: 15, thread: 22, thread_id: 30, thread_state: 48 },
            _ => return Ok(Some((version, free_threaded, None))),
        };
        // These are told as distances within the interpreter, of the lock that lies in it.
        let inside = |word: usize| words[word].wrapping_sub(words[known.lock + 1]);
        let lock = LockLayout {
            // Of this one the word tells nothing in some versions; it is the first of the lock's.
            enabled: free_threaded.then_some(0),
            locked: inside(known.lock + 3),
            last_holder: inside(known.lock + 4),
        };
        let known_by = |places: &[(u8, u64, u64)], size: u64| {
            let known = places.iter().find(|(minor, of, _)| free_threaded && (*minor, *of) == (version.minor, size));
            known.map(|(.., distance)| *distance)
        };
        let layout = Layout {
            finalizing: words[4],
            interpreters: words[5],
            interpreter_id: words[7],
            interpreter_next: words[8],
            threads: words[9],
            lock_place: LockPlace::Pointer(words[known.lock]),
            lock,
            thread_next: words[known.thread + 2],
            thread_interpreter: words[known.thread + 3],
            thread_id: words[known.thread_id],
            native_id: Some(words[known.thread_id + 1]),
            thread_state: Some(known.thread_state),
            sizes: Some((words[3], words[6])).filter(|sizes| sizes.0.max(sizes.1) < 4 << 20),
            world: known_by(&WORLDS, words[6]),
            all_worlds: known_by(&ALL_WORLDS, words[3]),
        };
        Ok(Some((version, free_threaded, layout.is_plausible().then_some(layout))))
    }

    /// No structure is larger than a few MiB: distances beyond that are no distances.
    fn is_plausible(&self) -> bool {
        let LockPlace::Pointer(lock) = self.lock_place else { return true };
        let LockLayout { enabled, last_holder, locked } = self.lock;
        if locked > 64 || last_holder > 64 || enabled.is_some_and(|enabled| enabled > 64) {
            return false;
        }
        let all = [
            self.finalizing,
            self.interpreters,
            self.interpreter_id,
            self.interpreter_next,
            self.threads,
            lock,
            self.thread_next,
            self.thread_interpreter,
            self.thread_id,
            self.native_id.unwrap_or(0),
        ];
        all.iter().all(|distance| *distance < 4 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Image;
    use super::*;

    #[test]
    fn versions_are_read_from_numbers_and_from_names() {
        let version = |major, minor, micro| Version { major, minor, micro };
        assert_eq!(Version::from_hex(0x030d_00f0), version(3, 13, Some(0)));
        for (name, expected) in [
            ("python3.9", Some(version(3, 9, None))),
            ("libpython3.11.so.1.0", Some(version(3, 11, None))),
            ("python3.13t", Some(version(3, 13, None))),
            ("libpython2.7.so", Some(version(2, 7, None))),
            ("python3", None),
            ("bash", None),
        ] {
            assert_eq!(Version::from_name(name), expected, "{name}");
        }
        assert_eq!(version(3, 16, None).tells(true), [""; 0]);
        assert!(
            version(3, 9, None).tells(true)[0].starts_with("functions") && version(3, 15, None).tells(true).len() == 3
        );
        assert!(version(3, 9, None).is_known() && !version(3, 16, None).is_known() && !version(3, 8, None).is_known());
    }

    #[test]
    fn debug_offsets_of_3_13_say_what_its_headers_say() {
        let mut words = [0_u64; 73];
        (words[0], words[1]) = (COOKIE, 0x030d_00f0);
        (words[4], words[5]) = (608, 632);
        (words[7], words[8], words[9]) = (7272, 7264, 7344);
        (words[14], words[15], words[17], words[18]) = (16, 7752, 7768, 7760);
        (words[21], words[22], words[24], words[25]) = (8, 16, 152, 160);
        let mut image = Image::default();
        image.put(4096, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
        let (version, free_threaded, layout) = Layout::from_debug_offsets(&image, 4096).unwrap().unwrap();
        assert_eq!((version.to_string().as_str(), free_threaded), ("3.13.0", false));
        let layout = layout.unwrap();
        assert_eq!(layout.lock, LockLayout::WITH_GIL);
        assert_eq!((layout.lock_place, layout.native_id), (LockPlace::Pointer(16), Some(160)));
        image.set_word(4096 + 5 * 8, 1 << 40);
        assert_eq!(Layout::from_debug_offsets(&image, 4096).unwrap().unwrap().2, None);
        image.set_word(4096 + 8, 0x0310_00f0);
        assert_eq!(Layout::from_debug_offsets(&image, 4096).unwrap().unwrap().2, None, "3.16 is not known");
    }

    #[test]
    fn where_the_world_is_is_known_by_the_sizes_of_free_threaded_builds_alone() {
        let found = |minor: u64, free_threaded: u64, sizes: (u64, u64)| {
            let mut words = [0_u64; 73];
            (words[0], words[1], words[2]) = (COOKIE, 3 << 24 | minor << 16 | 0xf0, free_threaded);
            (words[3], words[6]) = sizes;
            let mut image = Image::default();
            image.put(4096, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
            let layout = Layout::from_debug_offsets(&image, 4096).unwrap().unwrap().2.unwrap();
            (layout.world, layout.all_worlds, layout.sizes)
        };
        assert_eq!(found(13, 1, (328_320, 215_616)), (Some(10_744), Some(10_336), Some((328_320, 215_616))));
        assert_eq!(found(14, 1, (362_368, 246_720)), (Some(10_848), Some(10_552), Some((362_368, 246_720))));
        assert_eq!(found(14, 1, (365_624, 249_976)).0, Some(10_848));
        assert_eq!(
            (found(15, 1, (409_296, 250_328)).0, found(15, 1, (409_296, 250_328)).1),
            (Some(10_800), Some(10_672))
        );
        assert_eq!(found(14, 1, (328_320, 215_616)).0, None, "another version's");
        assert_eq!(
            found(13, 1, (328_328, 215_624)),
            (None, None, Some((328_328, 215_624))),
            "a patch level that moved it"
        );
        assert_eq!(found(13, 0, (328_320, 215_616)).0, None, "with a GIL there is none");
        assert_eq!(found(13, 1, (1 << 40, 215_616)).2, None, "no structure is so large");
    }

    #[test]
    fn who_sleeps_in_the_lock_wants_it_or_was_made_to_drop_it() {
        let lock = LockLayout::WITH_GIL;
        assert!(lock.is_waited_on(1000, 1032) && lock.is_waited_on(1000, 1072) && lock.is_waited_on(1000, 1080));
        assert!(!lock.is_waited_on(1000, 1120) && lock.is_forced(1000, 1120) && lock.is_forced(1000, 1168));
        assert!(!lock.is_forced(1000, 1208) && !lock.is_waited_on(1000, 1024));
    }
}
