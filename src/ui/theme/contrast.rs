//! Every theme can be read, at every number of colours.
//!
//! The measure is that of the Web Content Accessibility Guidelines, 1.4.3 and 1.4.11: 4.5 to 1 for text, 3 to 1 for what
//! is no text. What a terminal makes of the first 16 colours is its own affair; asked are xterm's and those of the
//! Linux console, between which most others lie.

use ratatui::style::Color;

use super::*;
use crate::ui::glyphs::{LEGEND, state_mark};

const TEXT: f64 = 4.5;
const GRAPHICS: f64 = 3.0;

const XTERM: [u32; 16] = [
    0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00,
    0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
];
const CONSOLE: [u32; 16] = [
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa, 0x555555, 0xff5555, 0x55ff55,
    0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
];

const THEMES: [ThemeName; 3] = [ThemeName::Dark, ThemeName::Light, ThemeName::HighContrast];
const DEPTHS: [Depth; 3] = [Depth::True, Depth::Indexed, Depth::Ansi];

/// Everything but rules is read at some place: as a word, a figure or a letter.
const INKS: [Ink; 18] = [
    Ink::Text,
    Ink::Strong,
    Ink::Dim,
    Ink::Key,
    Ink::Meter,
    Ink::Overhead,
    Ink::OverheadLetter,
    Ink::Waits,
    Ink::NoCore,
    Ink::Io,
    Ink::OwnLock,
    Ink::Quiet,
    Ink::Unknown,
    Ink::Bad,
    Ink::Good,
    Ink::Chosen,
    Ink::Paper,
    Ink::Rule,
];

fn rgb(colour: Color, first: [u32; 16]) -> [u8; 3] {
    let of_16 = |index: usize| {
        let [_, r, g, b] = first[index].to_be_bytes();
        [r, g, b]
    };
    match colour {
        Color::Rgb(r, g, b) => [r, g, b],
        Color::Indexed(index @ 16..232) => {
            const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
            [36, 6, 1].map(|by| LEVELS[usize::from((index - 16) / by % 6)])
        }
        Color::Indexed(index @ 232..) => [8 + 10 * (index - 232); 3],
        Color::Black => of_16(0),
        Color::Red => of_16(1),
        Color::Green => of_16(2),
        Color::Yellow => of_16(3),
        Color::Blue => of_16(4),
        Color::Magenta => of_16(5),
        Color::Cyan => of_16(6),
        Color::Gray => of_16(7),
        Color::DarkGray => of_16(8),
        Color::LightRed => of_16(9),
        Color::LightGreen => of_16(10),
        Color::LightYellow => of_16(11),
        Color::LightBlue => of_16(12),
        Color::LightMagenta => of_16(13),
        Color::LightCyan => of_16(14),
        Color::White => of_16(15),
        other => panic!("{other:?} is no colour of a theme"),
    }
}

/// Relative luminance.
fn luminance(rgb: [u8; 3]) -> f64 {
    let [r, g, b] = rgb.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn black_on_white_is_21_to_1() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
    assert!((contrast([0x76; 3], [255; 3]) - 4.54).abs() < 0.01);
}

#[test]
fn whatever_is_read_stands_out_from_its_ground() {
    let mut bad = Vec::new();
    for name in THEMES {
        let lanes = (0..theme(name).lanes.len()).flat_map(|lane| [Ink::Lane(lane), Ink::LaneLetter(lane)]);
        for ink in INKS.into_iter().chain(lanes) {
            for (depth, first) in DEPTHS.into_iter().flat_map(|depth| [(depth, XTERM), (depth, CONSOLE)]) {
                let paint = Paint::new(name, depth);
                let (style, paper) = (paint.style(ink), paint.style(Ink::Paper));
                let ground = style.bg.or(paper.bg).unwrap();
                let found = contrast(rgb(style.fg.unwrap(), first), rgb(ground, first));
                if found < if ink == Ink::Rule { GRAPHICS } else { TEXT } {
                    bad.push(format!("{name:?} {depth:?} {ink:?}: {found:.2}"));
                }
            }
        }
    }
    assert_eq!(bad, Vec::<String>::new());
}

#[test]
fn lanes_beside_each_other_have_other_colours() {
    for (name, depth) in THEMES.into_iter().flat_map(|name| DEPTHS.map(|depth| (name, depth))) {
        let paint = Paint::new(name, depth);
        for lane in 0..theme(name).lanes.len() {
            assert_ne!(paint.style(Ink::Lane(lane)), paint.style(Ink::Lane(lane + 1)), "{name:?} {depth:?} {lane}");
        }
    }
}

#[test]
fn states_are_told_apart_without_any_colour() {
    let glyphs = LEGEND.map(|state| state_mark(state, 0).glyph);
    for (index, glyph) in glyphs.iter().enumerate() {
        assert!(!glyphs[..index].contains(glyph), "{:?} looks like another", LEGEND[index]);
    }
}
