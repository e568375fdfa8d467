//! An interpreter's memory made by hand, in which places can be looked for without one.

use super::super::*;
use crate::observe::memory::Unreadable;

/// A memory made by hand: a thread in `f` of `a.py`, called from C.
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) layout: FrameLayout,
}

impl Made {
    pub(super) const BASE: u64 = 0x1000;
    /// The thread, its innermost frame, the frame of `f`, and the code of that.
    pub(super) const THREAD: u64 = Made::BASE;
    pub(super) const INNERMOST: u64 = Made::BASE + 0x200;
    pub(super) const OUTER: u64 = Made::BASE + 0x300;
    pub(super) const CODE: u64 = Made::BASE + 0x400;
    /// The classes `frame`, `code`, `str` and `bytes`.
    pub(super) const CLASSES: [(u64, &str, u64); 4] = [
        (Made::BASE + 0x2000, "frame", 0),
        (Made::BASE + 0x2200, "code", 0),
        (Made::BASE + 0x2400, "str", IS_STR),
        (Made::BASE + 0x2600, "bytes", IS_BYTES),
    ];
    pub(super) const TABLE: u64 = Made::BASE + 0xa00;
    pub(super) const INSTRUCTIONS: u64 = Made::BASE + 0xa80;

    pub(super) fn new(layout: FrameLayout) -> Made {
        let mut made = Made { bytes: vec![0; 0x3000], layout };
        for (class, name, flags) in Made::CLASSES {
            made.put(class + layout.objects.class_flags, &flags.to_le_bytes());
            made.put(class + layout.objects.class_flags - 144, &(class + 0x100).to_le_bytes());
            made.put(class + 0x100, name.as_bytes());
        }
        // Of four instructions the first has no line (or the first), all others the next.
        let table: &[u8] = match layout.objects.minor {
            9 => &[2, 1],
            10 => &[2, 0x80, 6, 1],
            _ => &[0xf8, 0x82 | 11 << 3, 0, 0],
        };
        made.bytes(Made::TABLE, table);
        made.bytes(Made::INSTRUCTIONS, &[0; 8]);
        made.text(Made::BASE + 0x800, "a.py");
        made.text(Made::BASE + 0x900, "f\u{1b}");
        made.code(Made::CODE, Made::BASE + 0x800, Made::BASE + 0x900);
        match layout.cframe {
            Some(distance) => {
                made.put(Made::THREAD + layout.thread, &(Made::BASE + 0x100).to_le_bytes());
                made.put(Made::BASE + 0x100 + distance, &Made::INNERMOST.to_le_bytes());
            }
            None => made.put(Made::THREAD + layout.thread, &Made::INNERMOST.to_le_bytes()),
        }
        // The innermost frame marks an entry from C, the one before runs `f`. Up to 3.10 there are no such marks.
        made.frame(Made::OUTER, Made::CODE, 2, 0);
        match layout.frame.instruction {
            Instruction::Counted { .. } => made.frame(Made::INNERMOST, Made::CODE, 2, Made::OUTER),
            Instruction::Pointed { .. } => made.entry(Made::INNERMOST, Made::OUTER),
        }
        made
    }

    /// A frame that is so many bytes into this code.
    pub(super) fn frame(&mut self, at: u64, code: u64, offset: i64, previous: u64) {
        let layout = self.layout;
        self.put(at + layout.frame.previous, &previous.to_le_bytes());
        self.put(at + layout.frame.code, &code.to_le_bytes());
        match layout.frame.instruction {
            Instruction::Counted { at: counted, unit } => {
                self.put(at + 8, &Made::CLASSES[0].0.to_le_bytes());
                self.put(at + counted, &((offset / unit) as i32).to_le_bytes());
            }
            Instruction::Pointed { at: pointed, .. } => {
                let address = (code + layout.code.instructions).wrapping_add_signed(offset);
                self.put(at + pointed, &address.to_le_bytes());
                if layout.objects.minor >= 14 {
                    self.put(at + layout.frame.code, &(code | 1).to_le_bytes());
                }
            }
        }
    }

    /// The mark that C code was entered; up to 3.11 there is none, and nothing stands there.
    pub(super) fn entry(&mut self, at: u64, previous: u64) {
        let layout = self.layout;
        match layout.frame.instruction {
            Instruction::Pointed { owner, .. } if layout.objects.minor >= 12 => {
                self.put(at + owner, &[3]);
                self.put(at + layout.frame.previous, &previous.to_le_bytes());
            }
            _ => self.frame(at, Made::CODE, 2, previous),
        }
    }

    pub(super) fn code(&mut self, at: u64, file: u64, function: u64) {
        let (code, objects) = (self.layout.code, self.layout.objects);
        self.put(at + objects.class, &Made::CLASSES[1].0.to_le_bytes());
        for (offset, target) in [(code.file, file), (code.function, function), (code.lines, Made::TABLE)] {
            self.put(at + offset, &target.to_le_bytes());
        }
        self.put(at + code.first_line, &7_u32.to_le_bytes());
        match self.layout.frame.instruction {
            Instruction::Counted { .. } => self.put(at + code.instructions, &Made::INSTRUCTIONS.to_le_bytes()),
            Instruction::Pointed { .. } => self.put(at + objects.header, &4_u64.to_le_bytes()),
        }
    }

    pub(super) fn text(&mut self, at: u64, text: &str) {
        let objects = self.layout.objects;
        self.put(at + objects.class, &Made::CLASSES[2].0.to_le_bytes());
        let start = at + objects.header;
        self.put(start, &(text.len() as u64).to_le_bytes());
        self.put(start + 16, &(0b1_1001_u32 << 2).to_le_bytes());
        self.put(start + if objects.minor >= 12 { 24 } else { 32 }, text.as_bytes());
    }

    pub(super) fn bytes(&mut self, at: u64, bytes: &[u8]) {
        let objects = self.layout.objects;
        self.put(at + objects.class, &Made::CLASSES[3].0.to_le_bytes());
        self.put(at + objects.header, &(bytes.len() as u64).to_le_bytes());
        self.put(at + objects.header + 16, bytes);
    }

    pub(super) fn put(&mut self, address: u64, bytes: &[u8]) {
        let at = (address - Made::BASE) as usize;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn place(&self) -> Option<Place> {
        Places::new(self.layout).of_thread(Made::THREAD, self)
    }
}

impl Memory for Made {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let at = address.checked_sub(Made::BASE).and_then(|at| usize::try_from(at).ok());
        let part = at.and_then(|at| self.bytes.get(at..at.checked_add(into.len())?));
        part.map(|part| into.copy_from_slice(part)).ok_or(Unreadable::Nothing(address))
    }
}
