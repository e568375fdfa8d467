//! Where a thread of a real CPython is: its Python function, file and line.
//!
//! # The problem
//! Whoever waits for the lock wants to know what its holder is doing. The
//! answer lies in the other process's memory, in structures that differ with
//! every version and change while they are read.
//!
//! # The choice
//! From 3.13 on the interpreter says at the start of `_PyRuntime` where in its
//! structures things are (`_Py_DebugOffsets`, `pycore_debug_offsets.h`). A
//! thread's innermost frame leads to its code object, that to its names and,
//! by the table of PEP 626, to the line. What a code object says does not change,
//! so it is read once. Whatever does not fit, a pointer to nowhere, a text that
//! is none, a place outside of the code, makes the answer `None`: the frame was
//! being changed, and a later look will do. Every walk is bounded.
//!
//! # Not chosen
//! A table of offsets for 3.9 to 3.12: three more layouts of frames, all on
//! their way out. Stopping the process to read it undisturbed: it would be
//! disturbed.

mod lines;
pub mod task;

use std::collections::HashMap;
use std::sync::Arc;

use super::memory::Memory;
use super::object::{ObjectLayout, word};

/// How many frames are looked through for one that runs Python.
const MOST_FRAMES: usize = 64;

/// How many frames outwards a caller outside of the standard library is looked for.
const MOST_CALLERS: usize = 24;

/// The file of `_Py_InitCleanup` (`Objects/codeobject.c`), which stands below the frame of an `__init__` that a call of its
/// class has entered: nobody wrote it.
const SHIM: &str = "__init__";

/// As much of a frame as is read: 88 bytes in 3.13, and those of its variables that follow.
const FRAME: usize = 96;

/// How many code objects are remembered: of a program's hot places, not of all its code.
const MOST_CODES: usize = 4096;

/// Where a thread is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function's qualified name: `Report.render`.
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

/// Where in its structures a version of CPython keeps what leads to a place. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLayout {
    /// `PyThreadState.current_frame`.
    current_frame: u64,
    /// `_PyInterpreterFrame`: `previous`, `f_executable`, `instr_ptr`, `owner`.
    frame: [u64; 4],
    /// `PyCodeObject`: `co_filename`, `co_qualname`, `co_linetable`, `co_firstlineno`, `co_code_adaptive`.
    code: [u64; 5],
    /// What objects look like.
    objects: ObjectLayout,
}

impl FrameLayout {
    /// How many words of `_Py_DebugOffsets` are needed.
    pub const WORDS: usize = 64;

    /// Of the interpreter whose `_PyRuntime` lies at this address. `None`: not of a version from 3.13 to 3.15.
    pub fn find(runtime: u64, memory: &dyn Memory) -> Option<FrameLayout> {
        let mut bytes = [0; FrameLayout::WORDS * 8];
        memory.read(runtime, &mut bytes).ok()?;
        let (read, _) = bytes.as_chunks::<8>();
        let mut words = [0; FrameLayout::WORDS];
        words.iter_mut().zip(read).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        FrameLayout::from_debug_offsets(&words)
    }

    /// From the first words of `_PyRuntime`. `None`: not of a version from 3.13 to 3.15, or its numbers make no sense.
    pub fn from_debug_offsets(words: &[u64; FrameLayout::WORDS]) -> Option<FrameLayout> {
        if words[0].to_le_bytes() != *b"xdebugpy" || words[1] >> 24 != 3 {
            return None;
        }
        let minor = (words[1] >> 16) as u8;
        // Where the members `thread_state.size` and `interpreter_frame.size` lie; the others follow them.
        let (thread, frame) = match minor {
            13 => (19, 28),
            14 => (22, 31),
            15 => (22, 39),
            _ => return None,
        };
        // `interpreter_frame` grew by two members in 3.14.
        let code = frame + if minor == 13 { 6 } else { 8 };
        let object = code + if minor == 13 { 10 } else { 11 };
        let layout = FrameLayout {
            current_frame: words[thread + 4],
            frame: [words[frame + 1], words[frame + 2], words[frame + 3], words[frame + 5]],
            code: [words[code + 1], words[code + 3], words[code + 4], words[code + 5], words[code + 9]],
            objects: ObjectLayout {
                header: words[object],
                class: words[object + 1],
                class_flags: words[object + 5],
                free_threaded: words[2] != 0,
                minor,
            },
        };
        let objects = &layout.objects;
        let within = |offsets: &[u64], size: u64| size < 1 << 20 && offsets.iter().all(|offset| *offset < size);
        let sane = within(&[layout.current_frame], words[thread])
            && within(&layout.frame, words[frame])
            && layout.frame.iter().all(|offset| *offset as usize + 8 <= FRAME)
            && within(&layout.code[..4], words[code])
            && layout.code[4] <= words[code]
            && within(&[objects.class], objects.header)
            && objects.class_flags < 1 << 20
            && matches!(objects.header, 16 | 32);
        sane.then_some(layout)
    }
}

/// Reads places of one process, remembering its code objects.
#[derive(Debug)]
pub struct Places {
    layout: FrameLayout,
    codes: HashMap<u64, Code>,
}

/// What a code object says of itself. `None`: it is none.
type Code = Option<Arc<CodeText>>;

#[derive(Debug)]
struct CodeText {
    function: Arc<str>,
    file: Arc<str>,
    first_line: u32,
    table: Vec<u8>,
}

impl Places {
    /// For a process of this layout.
    pub fn new(layout: FrameLayout) -> Places {
        Places { layout, codes: HashMap::new() }
    }

    /// Where things are.
    pub fn layout(&self) -> &FrameLayout {
        &self.layout
    }

    /// Where the thread of this `PyThreadState` is. `None`: in no Python code, or it could not be read just now.
    pub fn of_thread(&mut self, tstate: u64, memory: &dyn Memory) -> Option<Place> {
        let first = word(memory, tstate.checked_add(self.layout.current_frame)?)?;
        let mut next = Some(first);
        let mut left = MOST_FRAMES;
        let mut place = self.next_place(&mut next, &mut left, memory)?;
        if is_library(&place.file) {
            // Whose code that is one sees from who called it. If the frames change meanwhile, it stays unknown.
            left = left.min(MOST_CALLERS);
            while let Some(outer) = self.next_place(&mut next, &mut left, memory) {
                if !is_library(&outer.file) {
                    let Place { function, file, line, .. } = outer;
                    place.caller = Some(Arc::new(Caller { function, file, line }));
                    break;
                }
            }
        }
        Some(place)
    }

    /// The nearest frame from here on outwards that runs Python. Afterwards `next` is the frame before it.
    fn next_place(&mut self, next: &mut Option<u64>, left: &mut usize, memory: &dyn Memory) -> Option<Place> {
        while let Some(frame) = next.take().filter(|frame| *frame != 0) {
            *left = left.checked_sub(1)?;
            let [previous, executable, instruction, owner] = self.layout.frame;
            // All of it at once: a look is dear, a few bytes more are not.
            let mut bytes = [0; FRAME];
            memory.read(frame, &mut bytes).ok()?;
            let word = |offset: u64| {
                let offset = offset as usize;
                bytes.get(offset..offset + 8)?.try_into().ok().map(u64::from_le_bytes)
            };
            *next = word(previous);
            // `FRAME_OWNED_BY_INTERPRETER` and `FRAME_OWNED_BY_CSTACK` mark where C code was entered.
            if *bytes.get(owner as usize)? < 3 {
                // The low bits of a stack reference say who owns it.
                let code = word(executable)? & !7;
                let at = word(instruction)?;
                let place = self.place(code, at, memory)?;
                if &*place.file != SHIM {
                    return Some(place);
                }
            }
        }
        None
    }

    fn place(&mut self, code: u64, instruction: u64, memory: &dyn Memory) -> Option<Place> {
        let known = match self.codes.get(&code) {
            Some(known) => known.clone(),
            None => {
                let text = self.code(code, memory).map(Arc::new);
                if self.codes.len() >= MOST_CODES {
                    self.codes.clear();
                }
                // What could not be read may be readable later.
                if text.is_some() {
                    self.codes.insert(code, text.clone());
                }
                text
            }
        }?;
        // In free-threaded builds a thread may run a copy of the code that lies elsewhere; then the line is not known.
        let offset = instruction.checked_sub(code.checked_add(self.layout.code[4])?);
        let line = offset.and_then(|offset| lines::line_at(&known.table, known.first_line, offset));
        Some(Place {
            function: Arc::clone(&known.function),
            file: Arc::clone(&known.file),
            line,
            task: None,
            caller: None,
        })
    }

    fn code(&self, code: u64, memory: &dyn Memory) -> Option<CodeText> {
        let [file, function, table, first_line, _] = self.layout.code;
        let pointer = |offset: u64| word(memory, code.checked_add(offset)?);
        let string = |offset: u64| self.layout.objects.text(pointer(offset)?, memory);
        let mut line = [0; 4];
        memory.read(code.checked_add(first_line)?, &mut line).ok()?;
        let (function, file) = (string(function)?.into(), string(file)?.into());
        Some(CodeText {
            function,
            file,
            first_line: u32::from_le_bytes(line),
            table: self.layout.objects.bytes(pointer(table)?, memory)?,
        })
    }
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
