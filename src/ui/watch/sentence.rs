//! How what is to be said is laid out where there is no room for all of it: what is to be done about it stands at its end
//! (`Try: …`), and is what must be read. So it keeps lines of its own, and what was seen is cut.

use crate::text::lines::wrapped;

const ADVICE: &str = " Try: ";

/// At most so many lines, of this width.
pub(super) fn laid(text: &str, width: usize, rows: usize) -> Vec<String> {
    let whole = wrapped(text, width);
    if whole.len() <= rows {
        return whole;
    }
    let advice = text.rfind(ADVICE).map(|at| (&text[..at], wrapped(text[at..].trim_start(), width)));
    match advice.filter(|(_, advice)| advice.len() < rows) {
        Some((seen, advice)) => {
            let mut lines = cut(wrapped(seen, width), width, rows - advice.len());
            lines.extend(advice);
            lines
        }
        None => cut(whole, width, rows),
    }
}

/// The first so many of these lines; if there are more the last of them says so.
fn cut(mut lines: Vec<String>, width: usize, rows: usize) -> Vec<String> {
    if lines.len() > rows {
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            // A word gives up its place, if that takes one.
            while last.chars().count() + 2 > width && last.contains(' ') {
                last.truncate(last.rfind(' ').unwrap_or(0));
            }
            last.push_str(" …");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_done_is_whole_and_what_was_seen_is_cut() {
        let text = "one two three four five six seven eight. Try: this or that.";
        assert_eq!(laid(text, 80, 1), [text]);
        assert_eq!(laid(text, 20, 4), ["one two three four", "five six seven", "eight. Try: this or", "that."]);
        assert_eq!(laid(text, 20, 3), ["one two three four", "five six seven …", "Try: this or that."]);
        assert_eq!(laid(text, 20, 2), ["one two three four …", "Try: this or that."]);
        assert_eq!(laid(text, 20, 1), ["one two three four …"], "there is no room for both");
        assert_eq!(laid("one two three four five", 14, 1), ["one two …"]);
        assert_eq!(laid("one two three four five", 13, 1), ["one two …"]);
        assert_eq!(laid("one two three Try: x", 9, 2), ["one two …", "Try: x"]);
    }
}
