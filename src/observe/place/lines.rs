//! The table that leads from an instruction to its line: `co_lnotab` (`Objects/lnotab_notes.txt` of 3.9), `co_linetable`
//! of 3.10 (the same file there; PEP 626) and that of 3.11 and later (`Objects/locations.md`; PEP 657).

/// How a version writes that table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `co_lnotab`, up to 3.9: how many bytes of code further (without a sign), how many lines further (with one).
    Steps,
    /// `co_linetable` of 3.10: for how many bytes of code, how many lines further; −128: these have no line.
    Ranges,
    /// `co_linetable` from 3.11 on, with columns.
    Locations,
}

impl Format {
    /// Of a minor version.
    pub(super) fn of(minor: u8) -> Format {
        match minor {
            ..=9 => Format::Steps,
            10 => Format::Ranges,
            11.. => Format::Locations,
        }
    }

    /// The line of the instruction `offset` bytes into the code, counted from 1. `None`: it has none, or the table ends
    /// before it. The table of [`Format::Steps`] does not tell where the code ends.
    pub(super) fn line_at(self, table: &[u8], first_line: u32, offset: u64) -> Option<u32> {
        let line = match self {
            Format::Steps => Some(by_steps(table, first_line, offset)),
            Format::Ranges => by_ranges(table, first_line, offset),
            Format::Locations => by_locations(table, first_line, offset),
        };
        line.and_then(|line| u32::try_from(line).ok()).filter(|line| *line != 0)
    }
}

fn by_steps(table: &[u8], first_line: u32, offset: u64) -> i64 {
    let (pairs, _) = table.as_chunks::<2>();
    let mut at = 0;
    let mut line = i64::from(first_line);
    for [further, lines] in pairs {
        at += u64::from(*further);
        if at > offset {
            break;
        }
        line += i64::from(lines.cast_signed());
    }
    line
}

fn by_ranges(table: &[u8], first_line: u32, offset: u64) -> Option<i64> {
    let (pairs, _) = table.as_chunks::<2>();
    let mut end = 0;
    let mut line = i64::from(first_line);
    for [length, lines] in pairs {
        end += u64::from(*length);
        let has_line = lines.cast_signed() != i8::MIN;
        if has_line {
            line += i64::from(lines.cast_signed());
        }
        if offset < end {
            return has_line.then_some(line);
        }
    }
    None
}

fn by_locations(table: &[u8], first_line: u32, offset: u64) -> Option<i64> {
    let mut bytes = table.iter().copied();
    let mut line = i64::from(first_line);
    let mut end = 0;
    while let Some(head) = bytes.next() {
        // The first byte of an entry has the high bit: the kind of entry, and how many code units it is for.
        if head & 0x80 == 0 {
            return None;
        }
        end += (u64::from(head & 7) + 1) * 2;
        let kind = head >> 3 & 15;
        let mut has_line = true;
        match kind {
            // Same line, columns in one byte.
            0..=9 => skip(&mut bytes, 1)?,
            // This many lines further, columns in two bytes.
            10..=12 => {
                line = line.saturating_add(i64::from(kind - 10));
                skip(&mut bytes, 2)?;
            }
            // Any number of lines further, no columns.
            13 => line = line.saturating_add(signed(&mut bytes)?),
            // The same, then the end line and both columns.
            14 => {
                line = line.saturating_add(signed(&mut bytes)?);
                for _ in 0..3 {
                    varint(&mut bytes)?;
                }
            }
            _ => has_line = false,
        }
        if offset < end {
            return has_line.then_some(line);
        }
    }
    None
}

fn skip(bytes: &mut impl Iterator<Item = u8>, count: usize) -> Option<()> {
    bytes.nth(count - 1).map(drop)
}

/// Six bits a byte, the lowest first; bit 6 says that more follow.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..60).step_by(6) {
        let byte = bytes.next()?;
        value |= u64::from(byte & 63) << shift;
        if byte & 64 == 0 {
            return Some(value);
        }
    }
    None
}

/// The sign is the lowest bit.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let value = varint(bytes)?;
    let magnitude = (value >> 1) as i64;
    Some(if value & 1 == 1 { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests;
