use super::*;
use crate::observe::layout::Version;
use crate::observe::pythons;
use proptest::prelude::*;

/// Of a function of some minor version: its first line, its table, and what the interpreter itself says of its
/// instructions (`PyCode_Addr2Line`, and `code.co_lines()` from 3.10 on): up to which byte they have which line.
type Told = (u8, u32, &'static [u8], &'static [(u64, Option<u32>)]);

/// Functions with `try`, `with` and `yield` under decorators (`guarded`), with hundreds of blank lines between their parts
/// (`far`), with more instructions on a line than an entry of the table can be for (`long`), with `async for` (`waits`).
const TOLD: &[Told] = &[
    // `guarded`
    (
        9,
        7,
        b"\x00\x04\x04\x01\x14\x01\x04\x01\x02\x01\x02\xfe\x46\x03\x04\x01\x02\xff\x0c\x02\x1a\x02\x02\x01\
            \x02\xff\x08\x01\x02\xff",
        &[
            (4, Some(11)),
            (24, Some(12)),
            (28, Some(13)),
            (30, Some(14)),
            (32, Some(15)),
            (102, Some(13)),
            (106, Some(16)),
            (108, Some(17)),
            (120, Some(16)),
            (146, Some(18)),
            (148, Some(20)),
            (150, Some(21)),
            (158, Some(20)),
            (160, Some(21)),
            (170, Some(20)),
        ],
    ),
    // `far`
    (
        9,
        22,
        b"\x00\x01\x04\x7f\x00\x7f\x00\x2e\x06\x7f\x00\x4a\x02\x80\x00\xb7\x06\x7f\x00\x4b\x08\x01\x02\x7f\
            \x00\x0e\x02\x80\x00\xf3\x02\xff\x02\x7f\x00\x10\x02\x80\x00\xf1",
        &[
            (4, Some(23)),
            (10, Some(323)),
            (12, Some(524)),
            (18, Some(323)),
            (26, Some(525)),
            (28, Some(526)),
            (30, Some(667)),
            (32, Some(526)),
            (34, Some(525)),
            (36, Some(668)),
            (42, Some(525)),
        ],
    ),
    // `long`
    (
        9,
        669,
        b"\x00\x01\xff\x00\xff\x00\xff\x00\x21\x01\x02\xff",
        &[(798, Some(670)), (800, Some(671)), (804, Some(670))],
    ),
    // `waits`
    (
        9,
        672,
        b"\x00\x01\x10\x01\x0e\x01\x38\x02\x06\x01",
        &[(16, Some(673)), (30, Some(674)), (86, Some(675)), (92, Some(677)), (100, Some(678))],
    ),
    // `guarded`
    (
        10,
        7,
        b"\x02\x80\x04\x04\x14\x01\x04\x01\x02\x01\x02\x01\x08\xfe\x1c\xff\x02\x80\x1c\x00\x04\x80\x04\x04\
            \x02\x01\x0c\xff\x02\x02\x08\x80\x02\xfe\x02\x80\x02\x04\x02\x01\x0a\xff\x02\x01\x06\xff",
        &[
            (2, None),
            (6, Some(11)),
            (26, Some(12)),
            (30, Some(13)),
            (32, Some(14)),
            (34, Some(15)),
            (42, Some(13)),
            (70, Some(12)),
            (72, None),
            (100, Some(12)),
            (104, None),
            (108, Some(16)),
            (110, Some(17)),
            (122, Some(16)),
            (124, Some(18)),
            (132, None),
            (134, Some(16)),
            (136, None),
            (138, Some(20)),
            (140, Some(21)),
            (150, Some(20)),
            (152, Some(21)),
            (158, Some(20)),
        ],
    ),
    // `far`
    (
        10,
        22,
        b"\x04\x01\x00\x7f\x00\x7f\x06\x2e\x00\x7f\x02\x4a\x00\x81\x06\xb6\x00\x7f\x08\x4b\x02\x01\x00\x7f\
            \x02\x0e\x00\x81\x02\xf2\x02\xff\x00\x7f\x02\x10\x00\x81\x06\xf0",
        &[
            (4, Some(23)),
            (10, Some(323)),
            (12, Some(524)),
            (18, Some(323)),
            (26, Some(525)),
            (28, Some(526)),
            (30, Some(667)),
            (32, Some(526)),
            (34, Some(525)),
            (36, Some(668)),
            (42, Some(525)),
        ],
    ),
    // `long`
    (
        10,
        669,
        b"\xfe\x01\xfe\x00\xfe\x00\x24\x00\x02\x01\x04\xff",
        &[(798, Some(670)), (800, Some(671)), (804, Some(670))],
    ),
    // `waits`
    (
        10,
        672,
        b"\x02\x80\x10\x01\x0e\x01\x0c\x01\x28\xff\x02\x80\x02\xff\x02\x03\x08\x01\x02\x01",
        &[
            (2, None),
            (18, Some(673)),
            (32, Some(674)),
            (44, Some(675)),
            (84, Some(674)),
            (86, None),
            (88, Some(673)),
            (90, Some(676)),
            (98, Some(677)),
            (100, Some(678)),
        ],
    ),
    // `plain`
    (
        11,
        2,
        b"\x80\x00\xd8\x0c\x0d\x80\x45\xdd\x0d\x12\x90\x31\x89\x58\x8c\x58\xf0\x00\x01\x05\x13\xf0\x00\x01\
            \x05\x13\x88\x01\xd8\x08\x0d\x90\x11\x89\x0a\x88\x05\x88\x05\xd8\x0b\x10\x80\x4c",
        &[(2, Some(2)), (6, Some(3)), (40, Some(4)), (52, Some(5)), (56, Some(6))],
    ),
    // `far`
    (
        11,
        22,
        b"\x80\x00\xd8\x08\x09\x80\x41\xf0\x58\x09\x49\x03\x09\x16\xf0\x00\x49\x03\x09\x16\xf0\x52\x06\x00\
            \x14\x15\xf0\x53\x06\x49\x03\x09\x16\xf1\x00\x49\x03\x09\x16\xf4\x00\x49\x03\x09\x16\x80\x41\xf0\
            \x54\x06\x00\x08\x09\xf0\x00\x4f\x02\x05\x0c\x90\x21\xf0\x00\x4e\x02\x13\x0c\xd8\x0a\x0b\x88\x21\
            \xf0\x5a\x04\x00\x0a\x0b\xf1\x5b\x04\x4d\x02\x0b\x0c\xf4\x00\x4d\x02\x0b\x0c\xf0\x03\x4f\x02\x13\
            \x0b\xf0\x5e\x04\x00\x0a\x0b\xf0\x5f\x04\x4f\x02\x0b\x0c\xf0\x00\x4f\x02\x05\x0c\xf0\x00\x4f\x02\
            \x05\x0c",
        &[
            (2, Some(22)),
            (6, Some(23)),
            (10, Some(323)),
            (12, Some(524)),
            (30, Some(323)),
            (38, Some(525)),
            (42, Some(526)),
            (44, Some(667)),
            (58, Some(526)),
            (60, Some(525)),
            (62, Some(668)),
            (68, Some(525)),
        ],
    ),
    // `guarded`
    (
        12,
        7,
        b"\xe8\x00\xf8\x80\x00\xf0\x08\x0a\x05\x10\xdc\x0d\x11\x90\x21\x8b\x57\xf0\x00\x03\x09\x17\x98\x01\
            \x9c\x34\xa0\x01\x9b\x37\xf0\x00\x03\x09\x17\xa0\x61\xd9\x12\x13\x90\x41\xd8\x14\x18\xd8\x14\x15\
            \xf3\x05\x02\x13\x17\xf2\x00\x02\x0d\x17\xf7\x03\x03\x09\x17\xf7\x00\x03\x09\x17\xf0\x10\x00\x0e\
            \x0f\xd8\x0d\x0e\xf1\x03\x01\x0e\x0f\x89\x01\xf7\x11\x03\x09\x17\xf0\x00\x03\x09\x17\xfa\xf7\x00\
            \x03\x09\x17\xf0\x00\x03\x09\x17\xfb\xf4\x08\x00\x0d\x14\xdc\x0c\x16\xf0\x03\x01\x0c\x18\xf2\x00\
            \x02\x05\x0e\xe0\x08\x0d\xfb\xf0\x05\x02\x05\x0e\xfb\xf0\x08\x00\x0e\x0f\xd8\x0d\x0e\xf1\x03\x01\
            \x0e\x0f\x89\x01\xfc",
        &[
            (2, Some(7)),
            (4, None),
            (6, Some(7)),
            (8, Some(11)),
            (56, Some(12)),
            (62, Some(13)),
            (64, Some(14)),
            (66, Some(15)),
            (80, Some(13)),
            (112, Some(12)),
            (114, Some(20)),
            (116, Some(21)),
            (124, Some(20)),
            (142, Some(12)),
            (148, None),
            (166, Some(12)),
            (174, None),
            (184, Some(16)),
            (194, Some(17)),
            (202, Some(16)),
            (204, Some(18)),
            (212, None),
            (214, Some(16)),
            (222, None),
            (224, Some(20)),
            (226, Some(21)),
            (234, Some(20)),
            (244, None),
        ],
    ),
    // `far`
    (
        12,
        22,
        b"\x80\x00\xd8\x08\x09\x80\x41\xf0\x6a\x0f\x00\x14\x15\xf6\x53\x06\x49\x03\x09\x16\xf0\x52\x06\x00\
            \x0f\x10\x8a\x01\xf0\x53\x06\x49\x03\x09\x16\x80\x41\xf0\x00\x49\x03\x09\x16\xf1\x54\x06\x00\x08\
            \x09\x90\x21\xf2\x00\x4e\x02\x13\x0c\xd9\x0a\x0b\xf0\x5a\x04\x00\x0a\x0b\xf3\x5b\x04\x4d\x02\x0b\
            \x0c\xf2\x03\x4f\x02\x13\x0b\xf0\x5e\x04\x00\x0a\x0b\xf0\x5f\x04\x4f\x02\x0b\x0c\x80\x71\xf9\xf2\
            \x55\x06\x49\x03\x09\x16",
        &[
            (2, Some(22)),
            (6, Some(23)),
            (8, Some(524)),
            (22, Some(323)),
            (30, Some(524)),
            (36, Some(323)),
            (48, Some(525)),
            (52, Some(526)),
            (54, Some(667)),
            (62, Some(526)),
            (68, Some(525)),
            (70, Some(668)),
            (74, Some(525)),
            (78, None),
            (84, Some(323)),
        ],
    ),
    // `guarded`
    (
        13,
        7,
        b"\xe9\x00\x80\x00\xf0\x08\x0a\x05\x10\xdc\x0d\x11\x90\x21\x8c\x57\x98\x01\x9c\x34\xa0\x01\x9c\x37\
            \xa0\x61\xd9\x12\x13\x90\x41\xd8\x14\x18\xd8\x14\x15\xf3\x05\x02\x13\x17\xf2\x00\x02\x0d\x17\xf7\
            \x03\x00\x1c\x23\x8f\x57\xf0\x10\x00\x0e\x0f\xd8\x0d\x0e\xf1\x03\x01\x0e\x0f\x89\x01\xf7\x11\x00\
            \x1c\x23\x9d\x37\xfa\x8f\x57\x8d\x57\xfb\xf4\x08\x00\x0d\x14\xdc\x0c\x16\xf0\x03\x01\x0c\x18\xf3\
            \x00\x02\x05\x0e\xe0\x08\x0d\xfb\xf0\x05\x02\x05\x0e\xfb\xf0\x08\x00\x0e\x0f\xd8\x0d\x0e\xf1\x03\
            \x01\x0e\x0f\x89\x01\xfc",
        &[
            (6, Some(7)),
            (8, Some(11)),
            (56, Some(12)),
            (62, Some(13)),
            (64, Some(14)),
            (66, Some(15)),
            (80, Some(13)),
            (112, Some(12)),
            (114, Some(20)),
            (116, Some(21)),
            (124, Some(20)),
            (152, Some(12)),
            (158, None),
            (186, Some(12)),
            (194, None),
            (204, Some(16)),
            (214, Some(17)),
            (224, Some(16)),
            (226, Some(18)),
            (234, None),
            (236, Some(16)),
            (244, None),
            (246, Some(20)),
            (248, Some(21)),
            (256, Some(20)),
            (266, None),
        ],
    ),
    // `waits`
    (
        13,
        672,
        b"\xe9\x00\x80\x00\xd9\x13\x15\xf7\x00\x02\x05\x14\x88\x61\xdf\x13\x14\x91\x31\x98\x01\xd8\x12\x13\
            \x8f\x47\x88\x47\xf7\x03\x00\x14\x15\x97\x31\x91\x31\xf1\x03\x02\x05\x14\xd9\x13\x14\xd9\x0c\x13\
            \xf7\x03\x00\x14\x15\x97\x31\x97\x31\x91\x31\xfa\xf0\x03\x00\x14\x16\xf0\x06\x00\x0b\x0f\xde\x0b\
            \x0c\x88\x65\xd9\x08\x10\xf9",
        &[
            (6, Some(672)),
            (28, Some(673)),
            (50, Some(674)),
            (70, Some(675)),
            (106, Some(674)),
            (110, Some(673)),
            (114, Some(674)),
            (118, Some(675)),
            (170, Some(674)),
            (176, None),
            (178, Some(673)),
            (180, Some(676)),
            (196, Some(677)),
            (200, Some(678)),
            (204, None),
        ],
    ),
];

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
