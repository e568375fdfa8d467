//! What an interpreter's file says of where its runtime lies.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use object::read::ReadCache;
use object::{Object, ObjectKind, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};

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
    let cache = ReadCache::new(Blocks::of(file));
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
    for symbol in elf.dynamic_symbols().filter(is_variable) {
        note(symbol.name_bytes().unwrap_or_default(), symbol.address());
    }
    if binary.runtime.is_none() {
        // A build that exports nothing, not stripped.
        for symbol in elf.symbols().filter(is_variable) {
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

/// What is looked for are variables. Most symbols are functions, and to read a name is what takes long.
fn is_variable<'data>(symbol: &impl ObjectSymbol<'data>) -> bool {
    symbol.kind() == SymbolKind::Data && symbol.is_definition()
}

/// How much of a file is read at once.
const BLOCK: u64 = 64 << 10;

/// A file read in blocks, which are kept: names are asked for one at a time, and those of neighbouring symbols may lie
/// anywhere in their table.
struct Blocks<F> {
    file: F,
    at: u64,
    /// By where they begin.
    blocks: HashMap<u64, Vec<u8>>,
}

impl<F: Read + Seek> Blocks<F> {
    fn of(file: F) -> Blocks<F> {
        Blocks { file, at: 0, blocks: HashMap::new() }
    }

    fn block(&mut self, start: u64) -> std::io::Result<&[u8]> {
        Ok(match self.blocks.entry(start) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                self.file.seek(SeekFrom::Start(start))?;
                // All of it at once, which `read_to_end` would not.
                let mut block = vec![0; BLOCK as usize];
                let mut length = 0;
                while length < block.len() {
                    match self.file.read(&mut block[length..])? {
                        0 => break,
                        more => length += more,
                    }
                }
                block.truncate(length);
                new.insert(block)
            }
        })
    }
}

impl<F: Read + Seek> Read for Blocks<F> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let within = self.at % BLOCK;
        let block = self.block(self.at - within)?;
        let kept = block.get(within as usize..).unwrap_or_default();
        let length = kept.len().min(into.len());
        into[..length].copy_from_slice(&kept[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

impl<F: Seek> Seek for Blocks<F> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(distance) => self
                .at
                .checked_add_signed(distance)
                .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput))?,
            SeekFrom::End(_) => self.file.seek(to)?,
        };
        Ok(self.at)
    }
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
        fn a_file_in_blocks_reads_as_the_file_itself(steps in proptest::collection::vec((0u64..200_000, 1usize..100_000), 1..8)) {
            let bytes: Vec<u8> = (0..150_000_u32).map(|at| ((at * 31) >> 3) as u8).collect();
            let mut plain = std::io::Cursor::new(&bytes);
            let mut blocks = Blocks::of(std::io::Cursor::new(&bytes));
            prop_assert_eq!(blocks.seek(SeekFrom::End(0)).unwrap(), 150_000);
            for (at, length) in steps {
                let (mut one, mut other) = (Vec::new(), Vec::new());
                plain.seek(SeekFrom::Start(at)).unwrap();
                blocks.seek(SeekFrom::Start(at)).unwrap();
                plain.by_ref().take(length as u64).read_to_end(&mut one).unwrap();
                blocks.by_ref().take(length as u64).read_to_end(&mut other).unwrap();
                prop_assert_eq!(one, other);
            }
        }

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
