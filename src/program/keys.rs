//! What a terminal sends for a key, as xterm does it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The bytes of a key; none for those that no terminal sends. `application`: the program has asked for other arrows
/// (DECCKM), as line editors do.
pub fn bytes(key: KeyEvent, application: bool) -> Vec<u8> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    // 1, and 1, 2, 4 more for what is held down.
    let held = 1 + u8::from(key.modifiers.contains(KeyModifiers::SHIFT)) + 2 * u8::from(alt) + 4 * u8::from(control);
    let mut out = Vec::new();
    if alt && matches!(key.code, KeyCode::Char(_) | KeyCode::Enter | KeyCode::Backspace) {
        out.push(0x1b);
    }
    let letter = |last: char| match held {
        1 if application => format!("\x1bO{last}"),
        1 => format!("\x1b[{last}"),
        held => format!("\x1b[1;{held}{last}"),
    };
    let number = |number: u8| match held {
        1 => format!("\x1b[{number}~"),
        held => format!("\x1b[{number};{held}~"),
    };
    match key.code {
        KeyCode::Char(c) if control => out.extend(control_code(c)),
        KeyCode::Char(c) => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        KeyCode::Enter => out.push(b'\r'),
        KeyCode::Tab => out.push(b'\t'),
        KeyCode::Backspace => out.push(0x7f),
        KeyCode::Esc => out.push(0x1b),
        KeyCode::BackTab => out.extend(b"\x1b[Z"),
        KeyCode::Up => out.extend(letter('A').bytes()),
        KeyCode::Down => out.extend(letter('B').bytes()),
        KeyCode::Right => out.extend(letter('C').bytes()),
        KeyCode::Left => out.extend(letter('D').bytes()),
        KeyCode::Home => out.extend(letter('H').bytes()),
        KeyCode::End => out.extend(letter('F').bytes()),
        KeyCode::Insert => out.extend(number(2).bytes()),
        KeyCode::Delete => out.extend(number(3).bytes()),
        KeyCode::PageUp => out.extend(number(5).bytes()),
        KeyCode::PageDown => out.extend(number(6).bytes()),
        KeyCode::F(n @ 1..=4) if held == 1 => out.extend([0x1b, b'O', b'P' + n - 1]),
        KeyCode::F(n @ 5..=12) => out.extend(number([15, 17, 18, 19, 20, 21, 23, 24][usize::from(n - 5)]).bytes()),
        _ => {}
    }
    out
}

/// The control character of a key held with Control. Terminals have no others: Ctrl-5 is what they send for Ctrl-].
fn control_code(c: char) -> Option<u8> {
    let c = u8::try_from(c).ok()?.to_ascii_uppercase();
    match c {
        b'@'..=b'_' => Some(c & 0x1f),
        b' ' | b'2' => Some(0),
        b'3'..=b'7' => Some(c - b'3' + 0x1b),
        b'8' | b'?' => Some(0x7f),
        b'/' => Some(0x1f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(code: KeyCode, modifiers: KeyModifiers) -> Vec<u8> {
        bytes(KeyEvent::new(code, modifiers), false)
    }

    #[test]
    fn keys_are_the_bytes_xterm_sends() {
        let none = KeyModifiers::NONE;
        assert_eq!(sent(KeyCode::Char('é'), none), "é".as_bytes());
        assert_eq!(sent(KeyCode::Char('W'), KeyModifiers::SHIFT), b"W");
        assert_eq!(sent(KeyCode::Enter, none), b"\r");
        assert_eq!(sent(KeyCode::Backspace, none), b"\x7f");
        assert_eq!(sent(KeyCode::Up, none), b"\x1b[A");
        assert_eq!(bytes(KeyCode::Up.into(), true), b"\x1bOA");
        assert_eq!(sent(KeyCode::Left, KeyModifiers::CONTROL), b"\x1b[1;5D");
        assert_eq!(sent(KeyCode::Delete, none), b"\x1b[3~");
        assert_eq!(sent(KeyCode::F(1), none), b"\x1bOP");
        assert_eq!(sent(KeyCode::F(12), none), b"\x1b[24~");
        assert_eq!(sent(KeyCode::Char('f'), KeyModifiers::ALT), b"\x1bf");
    }

    #[test]
    fn control_keys_are_control_characters() {
        for (key, byte) in [('c', 3), ('d', 4), ('z', 26), ('\\', 28), ('4', 28), (' ', 0), ('_', 31), ('7', 31)] {
            assert_eq!(sent(KeyCode::Char(key), KeyModifiers::CONTROL), [byte], "{key}");
        }
        assert!(sent(KeyCode::Char('ü'), KeyModifiers::CONTROL).is_empty());
    }
}
