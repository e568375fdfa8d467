//! Text in lines, broken at spaces: on the screen and in tables.

/// Text in lines of at most so many characters, broken at spaces.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    filled(text.split(' '), |_| width)
}

/// As many words a line as there is room for in it. One that is too wide begins a line of its own, the next if that is wider.
pub fn filled<'a>(words: impl Iterator<Item = &'a str>, room: impl Fn(usize) -> usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        let (here, next) = (room(lines.len() - 1), room(lines.len()));
        let line = lines.last_mut().expect("there is always a line");
        let blank = if line.is_empty() { "" } else { " " };
        let fits = line.chars().count() + blank.len() + word.chars().count() <= here;
        if fits || (line.is_empty() && next <= here) {
            line.push_str(blank);
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Split at blanks, but not in a command (`` `like this` ``): whoever copies one gets a line.
pub fn words_and_commands(note: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut is_command = false;
    for c in note.chars() {
        is_command ^= c == '`';
        match words.last_mut() {
            Some(word) if c != ' ' || is_command => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrapped("one holds, three wait", 10), ["one holds,", "three wait"]);
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
    }

    #[test]
    fn commands_stay_whole() {
        assert_eq!(words_and_commands("try `a b` or c"), ["try", "`a b`", "or", "c"]);
    }
}
