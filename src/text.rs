//! Text from elsewhere as it can be shown: names, command lines, messages, what a program printed.
//!
//! A control character in it would steer the terminal, a change of writing direction would show it as something else, and
//! what has no width would hide. All of these are spelt out, in the same way wherever text is shown: on the screen, in
//! tables, in CSV, on standard error. A question mark in their place would be one more character that may be meant.

pub mod lines;
pub mod names;

/// The text with all spelt out that would steer instead of being seen: `\u{1b}[31m`. To spell it out twice changes nothing.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// A name that was kept in at most so many bytes, and that is as long: what is left of a character at which it was cut is
/// none.
pub fn of_cut(name: &[u8], most: usize) -> String {
    let cut = name.utf8_chunks().last().map_or(&[][..], |last| last.invalid());
    let is_begun = std::str::from_utf8(cut).is_err_and(|error| error.error_len().is_none());
    let whole = if name.len() >= most && is_begun { &name[..name.len() - cut.len()] } else { name };
    printable(&String::from_utf8_lossy(whole))
}

/// Whether a character does something instead of being seen.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_name_that_was_cut_no_part_of_a_character_is_left() {
        let name = "é漢字é漢字";
        assert_eq!(of_cut(&name.as_bytes()[..15], 15), "é漢字é漢");
        assert_eq!(of_cut(&name.as_bytes()[..13], 13), "é漢字é漢");
        assert_eq!(of_cut(&name.as_bytes()[..14], 15), "é漢字é漢\u{fffd}", "it was not cut here");
        assert_eq!(of_cut(b"fifteen bytes \xff", 15), "fifteen bytes \u{fffd}", "nor is that a part of one");
        assert_eq!(of_cut(b"", 15), "");
    }

    #[test]
    fn what_would_steer_is_spelt_out_and_all_else_stays() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\u{9b}\n漢é?"), "a\\u{1b}[31m\\u{202e}b\\u{9b}\\n漢é?");
        assert_eq!(printable(&printable("\u{7}\u{feff}")), "\\u{7}\\u{feff}");
        let long = format!("/{}", "folder/".repeat(60));
        assert_eq!(printable(&long), long, "a path that was cut is another path");
    }
}
