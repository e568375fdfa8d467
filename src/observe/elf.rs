//! What an interpreter's file says of where its runtime lies.

use std::fs::File;
use std::io::{Read, Seek};

use object::read::ReadCache;
use object::{Object, ObjectKind, ObjectSection, ObjectSegment, ObjectSymbol};

/// What a file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binary {
    /// Where `_PyRuntime` lies, by the file's own addresses.
    pub runtime: Option<u64>,
    /// Where `Py_Version` lies (3.11 and later).
    pub version: Option<u64>,
    /// Where the section `.AsyncioDebug` lies, in the module `_asyncio` or where that is built in (3.14 and later).
    pub asyncio: Option<u64>,
    /// The page-aligned first loaded address: what the file's addresses are relative to.
    pub base: u64,
    /// Whether it is loaded where it says (`ET_EXEC`), not moved.
    pub fixed: bool,
    /// Whether it has names of Python's at all: 2 or 3.
    pub python: Option<u8>,
}

impl Binary {
    /// How far a loaded file's addresses are from its own, loaded from its beginning at `start`.
    pub fn bias(&self, start: u64) -> u64 {
        if self.fixed { 0 } else { start.wrapping_sub(self.base) }
    }
}

/// Reads a file: its dynamic symbols, the section `.PyRuntime`, and the full symbols if those do not suffice.
///
/// Only the parts that are needed are read. `None`: it is no file we can read.
pub fn inspect(file: File) -> Option<Binary> {
    parse(file)
}

fn parse(file: impl Read + Seek) -> Option<Binary> {
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).ok()?;
    let base = elf.segments().map(|segment| segment.address()).min().unwrap_or(0) & !0xfff;
    let mut binary = Binary { base, fixed: elf.kind() == ObjectKind::Executable, ..Binary::default() };
    let mut note = |name: &[u8], address: u64| match name {
        b"_PyRuntime" => binary.runtime = Some(address),
        b"Py_Version" => binary.version = Some(address),
        b"PyUnicode_Type" => binary.python = Some(3),
        b"PyString_Type" => binary.python = Some(2),
        _ => {}
    };
    for symbol in elf.dynamic_symbols().filter(ObjectSymbol::is_definition) {
        note(symbol.name_bytes().unwrap_or_default(), symbol.address());
    }
    if binary.runtime.is_none() {
        // A build that exports nothing, not stripped.
        for symbol in elf.symbols().filter(ObjectSymbol::is_definition) {
            match symbol.name_bytes() {
                Ok(b"_PyRuntime") => binary.runtime = Some(symbol.address()),
                Ok(b"Py_Version") => binary.version = Some(symbol.address()),
                _ => {}
            }
        }
    }
    if binary.runtime.is_none() {
        binary.runtime = elf.section_by_name(".PyRuntime").map(|section| section.address());
    }
    binary.asyncio = elf.section_by_name(".AsyncioDebug").map(|section| section.address());
    if binary.runtime.is_some() {
        binary.python = Some(3);
    }
    Some(binary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_program_that_is_no_interpreter_has_no_runtime() {
        let own = inspect(File::open("/proc/self/exe").unwrap()).unwrap();
        assert_eq!((own.runtime, own.python), (None, None));
        assert_eq!(own.bias(own.base + 4096), if own.fixed { 0 } else { 4096 });
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_an_answer_and_no_panic(at in 0usize..4096, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            static START: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
            let start = START.get_or_init(|| {
                let mut start = std::fs::read("/bin/sh").unwrap();
                start.truncate(64 << 10);
                start
            });
            let mut file = start.clone();
            file.splice(at..at + bytes.len(), bytes);
            let _ = parse(std::io::Cursor::new(file));
        }
    }
}
