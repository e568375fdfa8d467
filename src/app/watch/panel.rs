//! The panel with what the program printed: how large it is, and where in it one reads.

use crate::program::Printed;

/// From so many rows on blank ones set the parts of the screen off.
pub const ROOMY: u16 = 22;

/// The sentence below the panel has no more rows than this.
pub const SENTENCE: u16 = 2;

/// Rows of the meters above it.
pub const fn meter_rows(height: u16) -> u16 {
    if height >= 18 { 3 } else { 2 }
}

/// Its columns and rows on a screen of this size, above a sentence of two rows: a terminal of its own is as large, however
/// long the sentence is at the moment.
pub fn size((width, height): (u16, u16)) -> (u16, u16) {
    let around = 3 * u16::from(height >= ROOMY) + meter_rows(height) + 4 + SENTENCE;
    (width.saturating_sub(2).max(10), height.saturating_sub(around).max(2))
}

/// Where one reads in what was printed. Lines are numbered from the first that the program printed, so that one that is
/// read stays where it is while more is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// At its end, however much is printed.
    #[default]
    End,
    /// Up to this line, without it.
    Upto(u64),
}

/// By how much one goes on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// So many lines towards the beginning.
    Up(u64),
    /// So many towards the end.
    Down(u64),
    /// To the first that is kept.
    Begin,
    /// To the end, and with it.
    End,
}

impl Reading {
    /// The lines that are shown in so many rows, as places among those that are kept.
    pub fn shown(self, printed: &Printed, rows: usize) -> std::ops::Range<usize> {
        let all = printed.lines.len();
        let end = match self {
            Reading::End => all,
            // Of those that are not kept any more nothing can be shown: the first that are take their place.
            Reading::Upto(line) => (line.saturating_sub(printed.left_out) as usize).clamp(rows.min(all), all),
        };
        end.saturating_sub(rows)..end
    }

    /// Goes on reading.
    pub fn go(self, by: By, printed: &Printed, rows: usize) -> Reading {
        let end = self.shown(printed, rows).end as u64;
        let all = printed.lines.len() as u64;
        let first = (rows as u64).min(all);
        let to = match by {
            By::Up(lines) => end.saturating_sub(lines).max(first),
            By::Down(lines) => end.saturating_add(lines).min(all),
            By::Begin => first,
            By::End => all,
        };
        match by {
            // Whoever has come to the end by himself follows it, too.
            By::Down(_) | By::End if to == all => Reading::End,
            _ if to == end => self,
            _ => Reading::Upto(printed.left_out + to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(lines: usize, left_out: u64) -> Printed {
        Printed { lines: vec![String::new(); lines], left_out, ..Printed::default() }
    }

    #[test]
    fn what_is_read_stays_while_more_is_printed_and_the_end_is_followed_again() {
        let before = printed(100, 0);
        let page = |reading: Reading, by| reading.go(by, &before, 10);
        let up = page(Reading::End, By::Up(9));
        assert_eq!(up.shown(&before, 10), 81..91);
        // More was printed, and of the first lines some are not kept any more.
        assert_eq!(up.shown(&printed(100, 30), 10), 51..61);
        assert_eq!(up.shown(&printed(100, 500), 10), 0..10, "nothing of it is left");
        assert_eq!(page(up, By::Down(8)).shown(&before, 10), 89..99);
        assert_eq!(page(up, By::Down(9)), Reading::End);
        assert_eq!(page(up, By::End), Reading::End);
        assert_eq!(page(up, By::Begin).shown(&before, 10), 0..10);
        assert_eq!(page(page(up, By::Begin), By::Up(1)).shown(&before, 10), 0..10);
        assert_eq!(page(Reading::End, By::Down(1)), Reading::End);
    }

    #[test]
    fn where_all_is_in_sight_there_is_nothing_to_scroll() {
        let few = printed(3, 0);
        for by in [By::Up(1), By::Up(9), By::Down(1), By::Begin, By::End] {
            assert_eq!(Reading::End.go(by, &few, 10), Reading::End, "{by:?}");
        }
        assert_eq!(Reading::End.shown(&few, 10), 0..3);
        assert_eq!(Reading::Upto(1).shown(&few, 10), 0..3);
    }
}
