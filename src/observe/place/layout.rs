//! Where in its structures a version of CPython keeps what leads to a place.
//!
//! What a frame is has changed twice: up to 3.10 an object of class `frame`, which counts how far it has come; from 3.11
//! on a record on a stack of its own (`_PyInterpreterFrame`), which points at an instruction. From 3.13 on
//! `_Py_DebugOffsets` tells where things are; the numbers of the versions before were printed by a small C program against
//! their own headers. They hold for all builds of a version on 64-bit machines, save for debug builds that trace all
//! references: whose objects are of other classes than they should be.

use super::super::layout::Version;
use super::super::memory::Memory;
use super::super::object::ObjectLayout;
use super::super::runtime::Runtime;

/// As much of a frame as is read at most; no frame is smaller than what is read of it.
pub(super) const FRAME: usize = 112;

/// The same of a code object.
pub(super) const CODE: usize = 160;

/// Where in its structures a version of CPython keeps what leads to a place. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLayout {
    /// In a `PyThreadState`: its innermost frame (`frame` up to 3.10, `current_frame` from 3.13 on), or what has it.
    pub(super) thread: u64,
    /// In 3.11 and 3.12 that is its innermost `_PyCFrame`, with this distance to the frame.
    pub(super) cframe: Option<u64>,
    /// A frame.
    pub(super) frame: Frame,
    /// A code object.
    pub(super) code: Code,
    /// What objects look like.
    pub(super) objects: ObjectLayout,
}

/// Distances in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The frame that called it: `f_back`, `previous`.
    pub(super) previous: u64,
    /// Its code: `f_code`, `f_executable`.
    pub(super) code: u64,
    /// Where in its code it is.
    pub(super) instruction: Instruction,
}

/// How a frame tells where in its code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Up to 3.10, as a `frame` object: by an `int` (`f_lasti`) in units of so many bytes.
    Counted { at: u64, unit: i64 },
    /// From 3.11 on: by an address in the code (`prev_instr`, `instr_ptr`). The frame tells whose it is (`owner`).
    Pointed { at: u64, owner: u64 },
}

/// Distances in a code object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// `co_filename`.
    pub(super) file: u64,
    /// `co_qualname`; `co_name` up to 3.10, which has no other.
    pub(super) function: u64,
    /// `co_linetable`; `co_lnotab` in 3.9.
    pub(super) lines: u64,
    /// `co_firstlineno`.
    pub(super) first_line: u64,
    /// The instructions: `co_code_adaptive`, which stand there; up to 3.10 `co_code`, a `bytes`.
    pub(super) instructions: u64,
}

impl Frame {
    /// How much of it counts.
    pub(super) fn size(&self) -> usize {
        let instruction = match self.instruction {
            Instruction::Counted { at, .. } => at + 4,
            Instruction::Pointed { at, owner } => (at + 8).max(owner + 1),
        };
        (self.previous + 8).max(self.code + 8).max(instruction) as usize
    }
}

impl Code {
    /// How much of it counts, save for its instructions.
    pub(super) fn size(&self) -> usize {
        let pointers = self.file.max(self.function).max(self.lines) + 8;
        pointers.max(self.first_line + 4) as usize
    }
}

impl FrameLayout {
    /// How many words of `_Py_DebugOffsets` are needed.
    pub const WORDS: usize = 64;

    /// Of an interpreter. `None`: not of a version from 3.9 to 3.15.
    pub fn find(runtime: &Runtime, memory: &dyn Memory) -> Option<FrameLayout> {
        if runtime.version.minor < 13 {
            return FrameLayout::of_version(runtime.version);
        }
        let mut bytes = [0; FrameLayout::WORDS * 8];
        memory.read(runtime.address, &mut bytes).ok()?;
        let (read, _) = bytes.as_chunks::<8>();
        let mut words = [0; FrameLayout::WORDS];
        words.iter_mut().zip(read).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        FrameLayout::from_debug_offsets(&words)
    }

    /// Of a version without debug offsets. `None`: not of one from 3.9 to 3.12.
    pub fn of_version(version: Version) -> Option<FrameLayout> {
        let counted = |at, unit| Frame { previous: 24, code: 32, instruction: Instruction::Counted { at, unit } };
        let pointed = |previous, code, owner| {
            let instruction = Instruction::Pointed { at: 56, owner };
            Frame { previous, code, instruction }
        };
        let (cframe, frame) = match version.minor {
            // `f_lasti` counts bytes in 3.9, instructions in 3.10.
            9 => (None, counted(104, 1)),
            10 => (None, counted(96, 2)),
            11 => (Some(8), pointed(48, 32, 69)),
            12 => (Some(0), pointed(8, 0, 70)),
            _ => return None,
        };
        let code = match version.minor {
            9 | 10 => Code { file: 104, function: 112, lines: 120, first_line: 40, instructions: 48 },
            11 => Code { file: 112, function: 128, lines: 136, first_line: 72, instructions: 184 },
            _ => Code { file: 112, function: 128, lines: 136, first_line: 68, instructions: 192 },
        };
        let thread = if cframe.is_some() { 56 } else { 24 };
        Some(FrameLayout { thread, cframe, frame, code, objects: ObjectLayout::of(version, false)? })
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
            thread: words[thread + 4],
            cframe: None,
            frame: Frame {
                previous: words[frame + 1],
                code: words[frame + 2],
                instruction: Instruction::Pointed { at: words[frame + 3], owner: words[frame + 5] },
            },
            code: Code {
                file: words[code + 1],
                function: words[code + 3],
                lines: words[code + 4],
                first_line: words[code + 5],
                instructions: words[code + 9],
            },
            objects: ObjectLayout {
                header: words[object],
                class: words[object + 1],
                class_flags: words[object + 5],
                free_threaded: words[2] != 0,
                minor,
            },
        };
        let sizes = [words[thread], words[frame], words[code]];
        layout.is_plausible(sizes).then_some(layout)
    }

    /// Whether all lies in the structures whose sizes these are: of a thread state, a frame, a code object.
    fn is_plausible(&self, [thread, frame, code]: [u64; 3]) -> bool {
        let within = |offsets: &[u64], size: u64| size < 1 << 20 && offsets.iter().all(|offset| *offset < size);
        let Instruction::Pointed { at, owner } = self.frame.instruction else { return false };
        let frames = [self.frame.previous, self.frame.code, at, owner];
        let codes = [self.code.file, self.code.function, self.code.lines, self.code.first_line];
        let objects = &self.objects;
        within(&[self.thread], thread)
            && within(&frames, frame)
            && self.frame.size() <= FRAME
            && within(&codes, code)
            && self.code.size() <= CODE
            && self.code.instructions <= code
            && within(&[objects.class], objects.header)
            && (144..1 << 20).contains(&objects.class_flags)
            && matches!(objects.header, 16 | 32)
    }
}
