//! The table that leads from an instruction to its line (`co_linetable`; PEP 626 and PEP 657, `Objects/locations.md`).

/// The line of the instruction `offset` bytes into the code. `None`: it has none, or the table ends before it.
pub(super) fn line_at(table: &[u8], first_line: u32, offset: u64) -> Option<u32> {
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
                line += i64::from(kind - 10);
                skip(&mut bytes, 2)?;
            }
            // Any number of lines further, no columns.
            13 => line += signed(&mut bytes)?,
            // The same, then the end line and both columns.
            14 => {
                line += signed(&mut bytes)?;
                for _ in 0..3 {
                    varint(&mut bytes)?;
                }
            }
            _ => has_line = false,
        }
        if offset < end {
            return has_line.then(|| u32::try_from(line).ok()).flatten();
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_entry_moves_the_line_as_it_says() {
        let table = [
            0xf8, // kind 15, one unit: no line
            0x80 | 11 << 3,
            0,
            0, // one line further, one unit
            0x81,
            0, // the same line, two units
            0x80 | 13 << 3,
            0b101, // two lines back
            0x80 | 14 << 3,
            0b0100_0000 | 20,
            1,
            0,
            0,
            0, // (20 | 1 << 6) >> 1 = 42 lines further
        ];
        let lines: Vec<_> = (0..7).map(|unit| line_at(&table, 10, unit * 2)).collect();
        assert_eq!(lines, [None, Some(11), Some(11), Some(11), Some(9), Some(51), None]);
    }

    proptest! {
        #[test]
        fn a_damaged_table_is_read_to_its_end_and_no_further(table: Vec<u8>, first: u32, offset: u64) {
            let _ = line_at(&table, first, offset);
        }
    }
}
