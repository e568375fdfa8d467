//! A rectangle of the buffer with the paint to fill it. Whatever is drawn is
//! cut off at the rectangle and at the buffer, so that no size can panic.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;

use super::theme::{Ink, Paint};
use crate::app::Wording;

/// Where and with what to draw. Coordinates count from its own corner.
pub struct Canvas<'a> {
    buf: &'a mut Buffer,
    area: Rect,
    paint: Paint,
    wording: Wording,
}

impl<'a> Canvas<'a> {
    /// This part of the buffer.
    pub fn new(buf: &'a mut Buffer, area: Rect, paint: Paint) -> Canvas<'a> {
        let area = area.intersection(buf.area);
        Canvas { buf, area, paint, wording: Wording::Plain }
    }

    /// Texts are drawn in these words from now on.
    pub fn worded(self, wording: Wording) -> Canvas<'a> {
        Canvas { wording, ..self }
    }

    /// Texts are drawn as they stand: source code, names that people gave, texts of several lines.
    pub fn verbatim(self) -> Canvas<'a> {
        self.worded(Wording::Plain)
    }

    /// A part of it.
    pub fn part(&mut self, x: u16, y: u16, width: u16, height: u16) -> Canvas<'_> {
        let x = x.min(self.area.width);
        let y = y.min(self.area.height);
        let area = Rect {
            x: self.area.x + x,
            y: self.area.y + y,
            width: width.min(self.area.width - x),
            height: height.min(self.area.height - y),
        };
        Canvas { buf: &mut *self.buf, area, paint: self.paint, wording: self.wording }
    }

    /// The part in this rectangle of the buffer.
    pub fn at(&mut self, area: Rect) -> Canvas<'_> {
        let area = area.intersection(self.area);
        Canvas { buf: &mut *self.buf, area, paint: self.paint, wording: self.wording }
    }

    /// Its rectangle of the buffer.
    pub fn area(&self) -> Rect {
        self.area
    }

    /// Its columns.
    pub fn width(&self) -> u16 {
        self.area.width
    }

    /// Its rows.
    pub fn height(&self) -> u16 {
        self.area.height
    }

    /// One cell.
    pub fn set(&mut self, x: u16, y: u16, glyph: char, ink: Ink) {
        self.set_styled(x, y, glyph, self.paint.style(ink));
    }

    fn set_styled(&mut self, x: u16, y: u16, glyph: char, style: Style) {
        if x >= self.area.width || y >= self.area.height {
            return;
        }
        if let Some(cell) = self.buf.cell_mut((self.area.x + x, self.area.y + y)) {
            cell.set_char(glyph);
            cell.set_style(style);
        }
    }

    /// The glyph of one cell; a blank outside.
    pub fn glyph(&self, x: u16, y: u16) -> char {
        if x >= self.area.width || y >= self.area.height {
            return ' ';
        }
        let cell = self.buf.cell((self.area.x + x, self.area.y + y));
        cell.and_then(|cell| cell.symbol().chars().next()).unwrap_or(' ')
    }

    /// Text from a column on; what is not one column wide becomes `?`. Returns the column after it.
    pub fn text(&mut self, x: u16, y: u16, text: &str, ink: Ink) -> u16 {
        let said = self.wording.say(text);
        self.put(x, y, &said, ink)
    }

    /// What has been said already: said once more, names in it would be taken for words.
    fn put(&mut self, x: u16, y: u16, said: &str, ink: Ink) -> u16 {
        let style = self.paint.style(ink);
        let mut x = x;
        for glyph in said.chars() {
            if x >= self.area.width {
                break;
            }
            self.set_styled(x, y, if glyph.width() == Some(1) { glyph } else { '?' }, style);
            x += 1;
        }
        x
    }

    /// Text that is cut off with `…` where it would go beyond `end`.
    pub fn text_to(&mut self, x: u16, y: u16, end: u16, text: &str, ink: Ink) -> u16 {
        let room = usize::from(end.min(self.area.width).saturating_sub(x));
        let text = &*self.wording.say(text);
        if text.chars().count() <= room {
            return self.put(x, y, text, ink);
        }
        if room == 0 {
            return x;
        }
        let cut: String = text.chars().take(room - 1).collect();
        let x = self.put(x, y, &cut, ink);
        self.put(x, y, "…", ink)
    }

    /// Text that ends at a column.
    pub fn text_before(&mut self, end: u16, y: u16, text: &str, ink: Ink) -> u16 {
        let end = end.min(self.area.width);
        let text = &*self.wording.say(text);
        let length = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        self.put(end.saturating_sub(length), y, text, ink);
        end.saturating_sub(length)
    }

    /// The same glyph in a row of cells.
    pub fn row(&mut self, from: u16, to: u16, y: u16, glyph: char, ink: Ink) {
        let style = self.paint.style(ink);
        for x in from..to.min(self.area.width) {
            self.set_styled(x, y, glyph, style);
        }
    }

    /// A bar so many eighths of a cell long. Returns the column after it.
    pub fn bar(&mut self, x: u16, y: u16, eighths: u32, ink: Ink) -> u16 {
        const ENDS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        let full = u16::try_from(eighths / 8).unwrap_or(u16::MAX);
        let end = x.saturating_add(full);
        self.row(x, end, y, '█', ink);
        match eighths % 8 {
            0 => end,
            rest => {
                self.set(end, y, ENDS[rest as usize - 1], ink);
                end.saturating_add(1)
            }
        }
    }

    /// Blanks everything, down to the paper.
    pub fn clear(&mut self) {
        let paper = self.paint.style(Ink::Paper);
        for y in 0..self.area.height {
            for x in 0..self.area.width {
                if let Some(cell) = self.buf.cell_mut((self.area.x + x, self.area.y + y)) {
                    cell.reset();
                    cell.set_style(paper);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Depth, ThemeName};

    fn drawn(width: u16, draw: impl FnOnce(&mut Canvas)) -> String {
        let area = Rect::new(0, 0, width, 1);
        let mut buf = Buffer::empty(area);
        draw(&mut Canvas::new(&mut buf, area, Paint::new(ThemeName::Dark, Depth::None)));
        buf.content.iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn text_is_cut_off_with_a_sign_that_it_was() {
        assert_eq!(drawn(8, |c| _ = c.text_to(0, 0, 6, "hand-offs", Ink::Text)), "hand-…  ");
        assert_eq!(drawn(8, |c| _ = c.text_to(0, 0, 6, "locked", Ink::Text)), "locked  ");
        assert_eq!(drawn(8, |c| _ = c.text_to(6, 0, 6, "locked", Ink::Text)), "        ");
    }

    #[test]
    fn words_are_exchanged_once_and_names_never() {
        use crate::app::words::foreign;
        let named = |name: &str| format!("a lock of {}", foreign(name));
        let kitchen = |draw: &dyn Fn(&mut Canvas)| {
            let area = Rect::new(0, 0, 24, 1);
            let mut buf = Buffer::empty(area);
            draw(&mut Canvas::new(&mut buf, area, Paint::new(ThemeName::Dark, Depth::None)).worded(Wording::Kitchen));
            buf.content.iter().map(|cell| cell.symbol()).collect::<String>()
        };
        assert_eq!(kitchen(&|c| _ = c.text(0, 0, &named("a lock"), Ink::Text)).trim(), "a knife of a lock");
        assert_eq!(kitchen(&|c| _ = c.text_to(0, 0, 24, &named("a lock"), Ink::Text)).trim(), "a knife of a lock");
        assert_eq!(kitchen(&|c| _ = c.text_to(0, 0, 17, &named("lock lock"), Ink::Text)).trim(), "a knife of lock …");
        assert_eq!(kitchen(&|c| _ = c.text_before(24, 0, &named("a lock"), Ink::Text)).trim(), "a knife of a lock");
    }

    #[test]
    fn nothing_is_drawn_outside() {
        assert_eq!(drawn(3, |c| _ = c.text(1, 0, "abc", Ink::Text)), " ab");
        assert_eq!(drawn(3, |c| _ = c.text(0, 7, "abc", Ink::Text)), "   ");
        assert_eq!(drawn(3, |c| _ = c.part(9, 9, 9, 9).text(0, 0, "abc", Ink::Text)), "   ");
        assert_eq!(drawn(3, |c| _ = c.bar(2, 0, 400, Ink::Text)), "  █");
    }

    #[test]
    fn a_bar_ends_within_an_eighth_of_a_cell() {
        assert_eq!(drawn(4, |c| _ = c.bar(0, 0, 21, Ink::Text)), "██▋ ");
        assert_eq!(drawn(4, |c| _ = c.bar(0, 0, 16, Ink::Text)), "██  ");
    }
}
