//! Memory shared with another process or with the kernel, as atomic words.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A file mapped shared, for reading and writing. Others change it at any time, so it is seen as atomics only.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u64>,
    words: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and all access to it is atomic.
#[expect(unsafe_code, reason = "a raw pointer is neither Send nor Sync by itself")]
unsafe impl Send for Mapping {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a raw pointer is neither Send nor Sync by itself")]
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `bytes` bytes, a multiple of 8. The file must be that long and stay so, else touching the rest
    /// ends the process (SIGBUS): allocate and seal it first.
    #[expect(unsafe_code, reason = "mapping memory")]
    pub fn new(file: impl AsFd, bytes: usize) -> rustix::io::Result<Mapping> {
        // SAFETY: the kernel picks a free address, so no memory of ours changes under a reference.
        let start = unsafe {
            mmap(std::ptr::null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)?
        };
        let start = NonNull::new(start.cast()).expect("the kernel maps nothing at address 0 unasked");
        Ok(Mapping { start, words: bytes / size_of::<u64>() })
    }

    /// The memory as words.
    #[expect(unsafe_code, reason = "a view of mapped memory")]
    #[inline]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: mapped for as long as `self` lives, page-aligned, valid whatever the bits, and only ever accessed
        // atomically by us; what other processes do to it are changes an atomic may see.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.words) }
    }

    /// The lower half of a word, for the one who needs an atomic of 32 bits. The whole word is then not to be used.
    #[expect(unsafe_code, reason = "a view of mapped memory")]
    #[inline]
    pub fn half(&self, word: usize) -> &AtomicU32 {
        let whole: *const AtomicU64 = &self.words()[word];
        // SAFETY: inside the mapping (indexed above), aligned more strictly than needed, valid whatever the bits.
        unsafe { &*whole.cast::<AtomicU32>() }
    }
}

impl Drop for Mapping {
    #[expect(unsafe_code, reason = "mapping memory")]
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and no reference outlives `self`.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.words * size_of::<u64>()) };
        debug_assert!(unmapped.is_ok());
    }
}
