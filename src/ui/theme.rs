//! From what a mark means to how it is coloured: themes as data, and the
//! ladder of 24-bit, 256, 16 and no colours.
//!
//! Hue only repeats what glyph and height say already. Without colour none is
//! emitted at all, only bold and reversed: some terminals take an empty colour
//! sequence for a reset and would lose the bold.

use std::sync::OnceLock;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::app::{Depth, ThemeName};

/// What a mark means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Plain text.
    Text,
    /// Text that matters.
    Strong,
    /// Text that matters less.
    Dim,
    /// Rules between parts.
    Rule,
    /// The name of a key.
    Key,
    /// The large meter.
    Meter,
    /// The core time of the lane at this place.
    Lane(usize),
    /// A letter upon the core time of that lane: C code.
    LaneLetter(usize),
    /// Core time that is overhead: starting, pickling.
    Overhead,
    /// A letter upon it.
    OverheadLetter,
    /// Waits for the GIL.
    Waits,
    /// Wants a core.
    NoCore,
    /// In I/O.
    Io,
    /// Wants the program's own lock.
    OwnLock,
    /// Awaiting, ready.
    Quiet,
    /// Not observed.
    Unknown,
    /// Something went wrong.
    Bad,
    /// Something was gained.
    Good,
    /// The line one is at, in a list.
    Chosen,
    /// Nothing: the ground everything stands on.
    Paper,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Colour {
    rgb: (u8, u8, u8),
    ansi: Color,
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Colour, String> {
        let bad = || format!("'{text}' is no colour: write for example '#56b4e9 bright-cyan'");
        let (hex, ansi) = text.split_once(' ').ok_or_else(bad)?;
        let value = hex.strip_prefix('#').filter(|hex| hex.len() == 6).ok_or_else(bad)?;
        let value = u32::from_str_radix(value, 16).map_err(|_| bad())?;
        let [_, r, g, b] = value.to_be_bytes();
        let ansi = match ansi {
            "black" => Color::Black,
            "red" => Color::Red,
            "green" => Color::Green,
            "yellow" => Color::Yellow,
            "blue" => Color::Blue,
            "magenta" => Color::Magenta,
            "cyan" => Color::Cyan,
            "white" => Color::Gray,
            "bright-black" => Color::DarkGray,
            "bright-red" => Color::LightRed,
            "bright-green" => Color::LightGreen,
            "bright-yellow" => Color::LightYellow,
            "bright-blue" => Color::LightBlue,
            "bright-magenta" => Color::LightMagenta,
            "bright-cyan" => Color::LightCyan,
            "bright-white" => Color::White,
            _ => return Err(bad()),
        };
        Ok(Colour { rgb: (r, g, b), ansi })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Theme {
    text: Colour,
    strong: Colour,
    dim: Colour,
    rule: Colour,
    key: Colour,
    meter: Colour,
    lanes: Vec<Colour>,
    overhead: Colour,
    paper: Colour,
    waits: Colour,
    no_core: Colour,
    io: Colour,
    own_lock: Colour,
    quiet: Colour,
    unknown: Colour,
    bad: Colour,
    good: Colour,
}

const DARK: &str = include_str!("../../assets/themes/dark.toml");
const LIGHT: &str = include_str!("../../assets/themes/light.toml");
const HIGH_CONTRAST: &str = include_str!("../../assets/themes/high-contrast.toml");

fn theme(name: ThemeName) -> &'static Theme {
    static THEMES: [OnceLock<Theme>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    let (index, text) = match name {
        ThemeName::Dark => (0, DARK),
        ThemeName::Light => (1, LIGHT),
        ThemeName::HighContrast => (2, HIGH_CONTRAST),
    };
    THEMES[index].get_or_init(|| toml::from_str(text).expect("a test reads every built-in theme"))
}

/// A theme at a depth.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    theme: &'static Theme,
    depth: Depth,
}

impl Paint {
    /// This theme at this depth.
    pub fn new(name: ThemeName, depth: Depth) -> Paint {
        Paint { theme: theme(name), depth }
    }

    /// How a mark of this meaning looks.
    pub fn style(&self, ink: Ink) -> Style {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        if self.depth == Depth::None {
            return match ink {
                Ink::Strong | Ink::Key | Ink::Bad | Ink::Good => bold,
                Ink::LaneLetter(_) | Ink::OverheadLetter | Ink::Chosen => plain.add_modifier(Modifier::REVERSED),
                _ => plain,
            };
        }
        let theme = self.theme;
        let lane = |index: usize| self.colour(theme.lanes[index % theme.lanes.len().max(1)]);
        let on = |hue: Color| plain.fg(self.colour(theme.paper)).bg(hue);
        match ink {
            Ink::Text => plain.fg(self.colour(theme.text)),
            Ink::Strong => bold.fg(self.colour(theme.strong)),
            Ink::Dim => plain.fg(self.colour(theme.dim)),
            Ink::Rule => plain.fg(self.colour(theme.rule)),
            Ink::Key => bold.fg(self.colour(theme.key)),
            Ink::Meter => plain.fg(self.colour(theme.meter)),
            Ink::Lane(index) => plain.fg(lane(index)),
            Ink::LaneLetter(index) => on(lane(index)),
            Ink::Overhead => plain.fg(self.colour(theme.overhead)),
            Ink::OverheadLetter => on(self.colour(theme.overhead)),
            Ink::Waits => plain.fg(self.colour(theme.waits)),
            Ink::NoCore => bold.fg(self.colour(theme.no_core)),
            Ink::Io => plain.fg(self.colour(theme.io)),
            Ink::OwnLock => plain.fg(self.colour(theme.own_lock)),
            Ink::Quiet => plain.fg(self.colour(theme.quiet)),
            Ink::Unknown => plain.fg(self.colour(theme.unknown)),
            Ink::Bad => bold.fg(self.colour(theme.bad)),
            Ink::Good => bold.fg(self.colour(theme.good)),
            Ink::Chosen => on(self.colour(theme.text)),
            // Painted, since nobody can ask a terminal for its own ground: light text on a light one cannot be read.
            Ink::Paper => plain.fg(self.colour(theme.text)).bg(self.colour(theme.paper)),
        }
    }

    fn colour(&self, colour: Colour) -> Color {
        let (r, g, b) = colour.rgb;
        match self.depth {
            Depth::True => Color::Rgb(r, g, b),
            Depth::Indexed => Color::Indexed(nearest(colour.rgb)),
            Depth::Ansi => colour.ansi,
            Depth::None => Color::Reset,
        }
    }
}

/// The nearest of xterm's 6×6×6 cube and 24 greys.
fn nearest(rgb: (u8, u8, u8)) -> u8 {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let wanted = [i32::from(rgb.0), i32::from(rgb.1), i32::from(rgb.2)];
    let distance = |colour: [i32; 3]| -> i32 { wanted.iter().zip(colour).map(|(a, b)| (a - b) * (a - b)).sum() };
    let cube = (0..216_u8).map(|index| {
        let level = |of: u8| LEVELS[usize::from(of % 6)];
        (16 + index, [level(index / 36), level(index / 6), level(index)])
    });
    let greys = (0..24_u8).map(|index| (232 + index, [8 + 10 * i32::from(index); 3]));
    cube.chain(greys).min_by_key(|(_, colour)| distance(*colour)).map_or(7, |(index, _)| index)
}

#[cfg(test)]
mod contrast;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_can_be_read_and_has_colours_for_lanes() {
        for text in [DARK, LIGHT, HIGH_CONTRAST] {
            let theme: Theme = toml::from_str(text).unwrap();
            assert!(theme.lanes.len() >= 6);
        }
    }

    #[test]
    fn a_colour_that_is_none_is_refused_with_an_example() {
        for text in ["blue", "#12345 red", "#123456 mauve", "123456 red", "#12345g red"] {
            assert!(Colour::try_from(text.to_owned()).unwrap_err().contains("#56b4e9"), "{text}");
        }
    }

    #[test]
    fn without_colour_no_style_has_any() {
        let paint = Paint::new(ThemeName::Dark, Depth::None);
        for ink in
            [Ink::Text, Ink::Key, Ink::Lane(3), Ink::LaneLetter(1), Ink::Waits, Ink::Bad, Ink::Chosen, Ink::Paper]
        {
            let style = paint.style(ink);
            assert_eq!((style.fg, style.bg), (None, None), "{ink:?}");
        }
    }

    #[test]
    fn the_nearest_of_256_is_exact_where_it_can_be() {
        assert_eq!(nearest((0, 0, 0)), 16);
        assert_eq!(nearest((255, 255, 255)), 231);
        assert_eq!(nearest((95, 175, 255)), 75);
        assert_eq!(nearest((128, 128, 128)), 244);
    }
}
