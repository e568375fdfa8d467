//! Where a thread of a real CPython is: its Python function, file and line.
//!
//! # The problem
//! Whoever waits for the lock wants to know what its holder is doing. The
//! answer lies in the other process's memory, in structures that differ with
//! every version and change while they are read.
//!
//! # The choice
//! From 3.13 on the interpreter says at the start of `_PyRuntime` where in its
//! structures things are (`_Py_DebugOffsets`, `pycore_debug_offsets.h`); for
//! 3.9 to 3.12 there is a table (`layout`). A
//! thread's innermost frame leads to its code object, that to its names and,
//! by a table of lines (`lines`), to the line. What a code object says does not
//! change, so it is read once, as long as it is still that one that lies there.
//! Whatever does not fit, an object of another class, a pointer to nowhere, a text
//! that is none, a place outside of the code, makes the answer `None`: the frame
//! was being changed, and a later look will do; or nothing is where it is
//! expected, and no look will. Every walk is bounded.
//!
//! # Not chosen
//! Stopping the process to read it undisturbed: it would be disturbed.

mod layout;
mod lines;
pub mod task;

use std::collections::HashMap;
use std::sync::Arc;

use super::memory::Memory;
use super::object::{IS_BYTES, IS_STR, ObjectLayout, word};
pub use layout::FrameLayout;
use layout::{CODE, FRAME, Instruction};
use lines::Format;

/// How many frames are looked through for one that runs Python.
const MOST_FRAMES: usize = 64;

/// How many frames outwards a caller outside of the standard library is looked for.
const MOST_CALLERS: usize = 24;

/// The file of `_Py_InitCleanup` (`Objects/codeobject.c`), which stands below the frame of an `__init__` that a call of its
/// class has entered: nobody wrote it.
const SHIM: &str = "__init__";

/// How many code objects are remembered: of a program's hot places, not of all its code.
const MOST_CODES: usize = 4096;

/// Where a thread is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function's qualified name, `Report.render`; up to 3.10 its name alone.
    pub function: Arc<str>,
    /// The file it was compiled from.
    pub file: Arc<str>,
    /// The line, counted from 1; `None` where the instruction has none.
    pub line: Option<u32>,
    /// The asyncio task that runs there (`Task-3`), from 3.14 on; `None` if none does, or that is not known.
    pub task: Option<Arc<str>>,
    /// If that is the standard library, the nearest caller that is not; `None` otherwise, or if none was found.
    pub caller: Option<Arc<Caller>>,
}

/// Who called the standard library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The function's qualified name.
    pub function: Arc<str>,
    /// The file it was compiled from.
    pub file: Arc<str>,
    /// The line of the call, counted from 1; `None` where the instruction has none.
    pub line: Option<u32>,
}

impl Place {
    /// Whether it is in the standard library.
    pub fn is_library(&self) -> bool {
        is_library(&self.file)
    }

    /// Whether both are in one function, called by one function where that is told.
    pub fn is_same_function(&self, other: &Place) -> bool {
        let caller = |place: &Place| place.caller.as_ref().map(|it| (Arc::clone(&it.function), Arc::clone(&it.file)));
        self.function == other.function && self.file == other.file && caller(self) == caller(other)
    }
}

/// Reads places of one process, remembering its code objects.
#[derive(Debug)]
pub struct Places {
    layout: FrameLayout,
    codes: HashMap<u64, Arc<CodeText>>,
    /// The classes `frame` and `code`, once they were seen.
    frame_class: Option<u64>,
    code_class: Option<u64>,
}

/// By what a code object is known again: where it ends, another may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    class: u64,
    /// `ob_size`, from 3.11 on the number of its code units.
    units: u64,
    file: u64,
    function: u64,
    /// Length and hash of the function's name.
    name: [u64; 2],
    lines: u64,
    first_line: u32,
    /// The address of its instructions, or of the `bytes` that are.
    instructions: u64,
}

/// What a code object says of itself.
#[derive(Debug)]
struct CodeText {
    head: Head,
    function: Arc<str>,
    file: Arc<str>,
    table: Vec<u8>,
    /// How many bytes of instructions it has.
    length: u64,
}

impl Places {
    /// For a process of this layout.
    pub fn new(layout: FrameLayout) -> Places {
        Places { layout, codes: HashMap::new(), frame_class: None, code_class: None }
    }

    /// What objects look like there.
    pub fn objects(&self) -> &ObjectLayout {
        &self.layout.objects
    }

    /// Where the thread of this `PyThreadState` is. `None`: in no Python code, or it could not be read just now.
    pub fn of_thread(&mut self, tstate: u64, memory: &dyn Memory) -> Option<Place> {
        let mut first = word(memory, tstate.checked_add(self.layout.thread)?)?;
        if let Some(distance) = self.layout.cframe {
            first = word(memory, first.checked_add(distance)?)?;
        }
        let mut next = Some(first);
        let mut left = MOST_FRAMES;
        let mut place = self.next_function(&mut next, &mut left, memory)?;
        if is_library(&place.file) {
            // Whose code that is one sees from who called it. If the frames change meanwhile, it stays unknown.
            left = left.min(MOST_CALLERS);
            while let Some(outer) = self.next_function(&mut next, &mut left, memory) {
                if !is_library(&outer.file) {
                    let Place { function, file, line, .. } = outer;
                    place.caller = Some(Arc::new(Caller { function, file, line }));
                    break;
                }
            }
        }
        Some(place)
    }

    /// The nearest function from here on outwards. Up to 3.11 a comprehension is a function of its own, which nobody has
    /// named: it counts as a part of the one it stands in, as from 3.12 on it is.
    fn next_function(&mut self, next: &mut Option<u64>, left: &mut usize, memory: &dyn Memory) -> Option<Place> {
        let (inner, mut begins) = self.next_place(next, left, memory)?;
        let mut function = Arc::clone(&inner.function);
        while is_comprehension(&function) {
            // Who runs it is at the line where it begins; if not, it has gone on meanwhile.
            let outer = self.next_place(next, left, memory);
            match outer.filter(|(outer, _)| outer.file == inner.file && outer.line == Some(begins)) {
                Some((outer, first_line)) => (function, begins) = (outer.function, first_line),
                None => return Some(inner),
            }
        }
        Some(Place { function, ..inner })
    }

    /// The nearest frame from here on outwards that runs Python, and the first line of its code. Afterwards `next` is
    /// the frame before it.
    fn next_place(&mut self, next: &mut Option<u64>, left: &mut usize, memory: &dyn Memory) -> Option<(Place, u32)> {
        let layout = self.layout;
        while let Some(frame) = next.take().filter(|frame| *frame != 0) {
            *left = left.checked_sub(1)?;
            // All of it at once: a look is dear, a few bytes more are not.
            let mut bytes = [0; FRAME];
            let bytes = bytes.get_mut(..layout.frame.size())?;
            memory.read(frame, bytes).ok()?;
            *next = word_in(bytes, layout.frame.previous);
            // The low bits of a stack reference say who owns it.
            let code = word_in(bytes, layout.frame.code)? & !7;
            let (start, at) = match layout.frame.instruction {
                Instruction::Counted { at, unit } => {
                    let class = word_in(bytes, layout.objects.class)?;
                    let is_frame = || layout.objects.is_class_name(class, "frame", memory);
                    if self.frame_class != Some(class) {
                        self.frame_class = Some(is_frame().then_some(class)?);
                    }
                    (0, i64::from(int_in(bytes, at)?.cast_signed()) * unit)
                }
                // `FRAME_OWNED_BY_INTERPRETER` and `FRAME_OWNED_BY_CSTACK` mark where C code was entered.
                Instruction::Pointed { owner, .. } if *bytes.get(owner as usize)? >= 3 => continue,
                Instruction::Pointed { at, .. } => {
                    (code.checked_add(layout.code.instructions)?, word_in(bytes, at)?.cast_signed())
                }
            };
            let place = self.place(code, at.wrapping_sub(start.cast_signed()), memory)?;
            if &*place.0.file != SHIM {
                return Some(place);
            }
        }
        None
    }

    /// So many bytes into the instructions of this code.
    fn place(&mut self, code: u64, offset: i64, memory: &dyn Memory) -> Option<(Place, u32)> {
        let text = self.text(code, memory)?;
        let (objects, first_line) = (&self.layout.objects, text.head.first_line);
        let line = match u64::try_from(offset) {
            Ok(offset) if offset < text.length => Format::of(objects.minor).line_at(&text.table, first_line, offset),
            // Up to 3.12 one who has entered and done nothing so far stands before the first instruction.
            Err(_) if offset >= -2 && objects.minor < 13 => Some(first_line),
            // In free-threaded builds a thread may run a copy of the code that lies elsewhere; then the line is not known.
            _ if objects.free_threaded => None,
            _ => return None,
        };
        let (function, file) = (Arc::clone(&text.function), Arc::clone(&text.file));
        Some((Place { function, file, line, task: None, caller: None }, first_line))
    }

    fn text(&mut self, code: u64, memory: &dyn Memory) -> Option<Arc<CodeText>> {
        let head = self.head(code, memory)?;
        if let Some(known) = self.codes.get(&code).filter(|known| known.head == head) {
            return Some(Arc::clone(known));
        }
        if self.code_class != Some(head.class) {
            let is_code = self.layout.objects.is_class_name(head.class, "code", memory);
            self.code_class = Some(is_code.then_some(head.class)?);
        }
        // What could not be read may be readable later.
        let text = Arc::new(self.read(head, memory)?);
        if self.codes.len() >= MOST_CODES {
            self.codes.clear();
        }
        self.codes.insert(code, Arc::clone(&text));
        Some(text)
    }

    fn head(&self, code: u64, memory: &dyn Memory) -> Option<Head> {
        let (layout, objects) = (&self.layout.code, &self.layout.objects);
        let mut bytes = [0; CODE];
        let bytes = bytes.get_mut(..layout.size())?;
        memory.read(code, bytes).ok()?;
        let function = word_in(bytes, layout.function)?;
        let mut name = [0; 16];
        memory.read(function.checked_add(objects.header)?, &mut name).ok()?;
        let instructions = match self.layout.frame.instruction {
            Instruction::Counted { .. } => word_in(bytes, layout.instructions)?,
            Instruction::Pointed { .. } => code.checked_add(layout.instructions)?,
        };
        Some(Head {
            class: word_in(bytes, objects.class)?,
            units: word_in(bytes, objects.header)?,
            file: word_in(bytes, layout.file)?,
            function,
            name: [word_in(&name, 0)?, word_in(&name, 8)?],
            lines: word_in(bytes, layout.lines)?,
            first_line: int_in(bytes, layout.first_line)?,
            instructions,
        })
    }

    fn read(&self, head: Head, memory: &dyn Memory) -> Option<CodeText> {
        let objects = &self.layout.objects;
        let string = |object: u64| objects.text(Some(object).filter(|it| objects.is(IS_STR, *it, memory))?, memory);
        let bytes = |object: &u64| objects.is(IS_BYTES, *object, memory);
        let length = match self.layout.frame.instruction {
            Instruction::Counted { .. } => {
                word(memory, Some(head.instructions).filter(bytes)?.checked_add(objects.header)?)?
            }
            Instruction::Pointed { .. } => head.units.checked_mul(2)?,
        };
        let table = objects.bytes(Some(head.lines).filter(bytes)?, memory)?;
        Some(CodeText { head, function: string(head.function)?.into(), file: string(head.file)?.into(), table, length })
    }
}

fn word_in(bytes: &[u8], offset: u64) -> Option<u64> {
    let (word, _) = bytes.get(offset as usize..)?.split_first_chunk()?;
    Some(u64::from_le_bytes(*word))
}

fn int_in(bytes: &[u8], offset: u64) -> Option<u32> {
    let (int, _) = bytes.get(offset as usize..)?.split_first_chunk()?;
    Some(u32::from_le_bytes(*int))
}

/// Whether a function is a comprehension, by its name or its qualified name.
fn is_comprehension(function: &str) -> bool {
    ["<listcomp>", "<setcomp>", "<dictcomp>"].iter().any(|name| function.ends_with(name))
}

/// Whether a file is the standard library's: frozen into the interpreter, or below `lib/python3.x` and not installed there.
fn is_library(file: &str) -> bool {
    let below = |(at, mark): (usize, &str)| {
        let version = &file[at + mark.len()..];
        version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('/')
    };
    let installed = file.contains("/site-packages/") || file.contains("/dist-packages/");
    file.starts_with("<frozen ") || !installed && file.match_indices("/python3.").any(below)
}

#[cfg(test)]
mod tests;
