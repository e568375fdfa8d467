//! Text from elsewhere as it can be shown: names, command lines, messages, what a program printed.
//!
//! A control character in it would steer the terminal, a change of writing direction would show it as something else, and
//! what has no width would hide. All of these are spelt out, in the same way wherever text is shown: on the screen, in
//! tables, in CSV, on standard error. A question mark in their place would be one more character that may be meant.

/// The text with all spelt out that would steer instead of being seen: `\u{1b}[31m`. To spell it out twice changes nothing.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
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
    fn what_would_steer_is_spelt_out_and_all_else_stays() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\u{9b}\n漢é?"), "a\\u{1b}[31m\\u{202e}b\\u{9b}\\n漢é?");
        assert_eq!(printable(&printable("\u{7}\u{feff}")), "\\u{7}\\u{feff}");
        let long = format!("/{}", "folder/".repeat(60));
        assert_eq!(printable(&long), long, "a path that was cut is another path");
    }
}
