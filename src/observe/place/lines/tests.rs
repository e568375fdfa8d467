mod told;

use super::*;
use crate::observe::layout::Version;
use crate::observe::pythons;
use proptest::prelude::*;
use told::TOLD;

#[test]
fn each_version_s_table_says_what_the_interpreter_says() {
    for (minor, first_line, table, told) in TOLD {
        let mut offset = 0;
        for (end, line) in *told {
            while offset < *end {
                let found = Format::of(*minor).line_at(table, *first_line, offset);
                assert_eq!(found, *line, "3.{minor}, first line {first_line}, byte {offset}");
                offset += 2;
            }
        }
        let after = Format::of(*minor).line_at(table, *first_line, offset);
        assert!(*minor == 9 || after.is_none(), "3.{minor}: the code ends there");
    }
}

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
    let lines: Vec<_> = (0..7).map(|unit| Format::Locations.line_at(&table, 10, unit * 2)).collect();
    assert_eq!(lines, [None, Some(11), Some(11), Some(11), Some(9), Some(51), None]);
}

#[test]
fn lines_too_far_away_to_be_counted_are_none_and_no_panic() {
    let mut forwards = vec![0x80 | 13 << 3];
    forwards.extend([0x7f; 8]);
    forwards.extend([0x7e, 0x3f]);
    let table = forwards.repeat(64);
    assert_eq!(Format::Locations.line_at(&table, 1, 126), None);
}

proptest! {
    #[test]
    fn a_damaged_table_is_read_to_its_end_and_no_further(table: Vec<u8>, first: u32, offset: u64) {
        for format in [Format::Steps, Format::Ranges, Format::Locations] {
            let _ = format.line_at(&table, first, offset);
            let _ = format.line_at(&table, first, offset % 512);
        }
    }

    /// As many entries as there may be, all as long as they can be.
    #[test]
    fn a_table_of_one_byte_repeated_ends(byte: u8, first: u32) {
        let table = vec![byte; 1 << 12];
        for format in [Format::Steps, Format::Ranges, Format::Locations] {
            let _ = format.line_at(&table, first, u64::MAX);
        }
    }
}

/// Prints for each function of some modules: first line, table, lines of its instructions.
const ASK: &str = "
import argparse, asyncio.base_events, ctypes, inspect, json.decoder, sys, types, unittest.mock
line_of = ctypes.pythonapi.PyCode_Addr2Line
line_of.argtypes, line_of.restype = [ctypes.py_object, ctypes.c_int], ctypes.c_int
def tell(code):
    table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
    lines = [line_of(code, at) for at in range(0, len(code.co_code), 2)]
    print(code.co_firstlineno, table.hex(), *lines)
    for const in code.co_consts:
        if isinstance(const, types.CodeType): tell(const)
for module in (argparse, asyncio.base_events, inspect, json.decoder, unittest.mock):
    tell(compile(inspect.getsource(module), module.__file__, 'exec'))
";

/// Against every interpreter on this machine that tells its lines.
#[test]
fn whole_modules_have_the_lines_their_interpreters_say() {
    for python in pythons::installed() {
        let Some(version) = python.said.ok().filter(pythons::Said::is_known).map(|said| said.version) else { continue };
        let Some(Version { minor, .. }) = Version::from_name(&format!("python{version}")) else { continue };
        let output =
            std::process::Command::new(&python.path).args(["-c", ASK]).output().expect("it has answered before");
        let text = String::from_utf8(output.stdout).expect("it is text");
        if !output.status.success() {
            eprintln!("skipped: {} does not tell its lines", python.path.display());
            continue;
        }
        let mut count = 0;
        for row in text.lines() {
            // The table of a function on one line may be empty.
            let [first_line, table, lines] = row.splitn(3, ' ').collect::<Vec<_>>()[..] else { continue };
            let (digits, _) = table.as_bytes().as_chunks::<2>();
            let byte = |pair: &[u8; 2]| {
                u8::from_str_radix(std::str::from_utf8(pair).expect("it is ASCII"), 16).expect("it is hexadecimal")
            };
            let table: Vec<u8> = digits.iter().map(byte).collect();
            let first_line = first_line.parse().expect("it is a number");
            for (line, offset) in lines.split(' ').zip((0..).step_by(2)) {
                let told = line.parse().ok().filter(|line: &u32| *line > 0);
                assert_eq!(
                    Format::of(minor).line_at(&table, first_line, offset),
                    told,
                    "{version}: byte {offset} of {row}"
                );
                count += 1;
            }
        }
        assert!(count > 10_000, "{version}: {count} instructions");
    }
}
