//! A file that others open by a name while we live, and that is gone with us.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A file in memory. Any process of this user can open it by its path as long as it is not dropped; nothing is on a
/// disk, so nothing is left there.
#[derive(Debug)]
pub struct Lent {
    file: OwnedFd,
}

impl Lent {
    /// A file of these bytes. Nobody can change them.
    pub fn new(name: &str, bytes: &[u8]) -> io::Result<Lent> {
        let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = &rest[rustix::io::write(&file, rest)?..];
        }
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK)?;
        Ok(Lent { file })
    }

    /// Its path, through the list of our open files, the same in every process.
    pub fn path(&self) -> PathBuf {
        path_of(&self.file)
    }
}

/// The path by which other processes open one of our descriptors.
pub(crate) fn path_of(file: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
}
