//! What interpreters said of the lines of their own functions: recorded, for the tests to compare with.

/// Of a function of some minor version: its first line, its table, and what the interpreter itself says of its
/// instructions (`PyCode_Addr2Line`, and `code.co_lines()` from 3.10 on): up to which byte they have which line.
pub(super) type Told = (u8, u32, &'static [u8], &'static [(u64, Option<u32>)]);

/// Functions with `try`, `with` and `yield` under decorators (`guarded`), with hundreds of blank lines between their parts
/// (`far`), with more instructions on a line than an entry of the table can be for (`long`), with `async for` (`waits`).
pub(super) const TOLD: &[Told] = &[
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
