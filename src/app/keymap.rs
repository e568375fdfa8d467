//! From keys to actions, as data: `assets/keymap.toml`.

use std::collections::BTreeMap;
use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Action;

const BUILT_IN: &str = include_str!("../../assets/keymap.toml");

/// A key with what is held down beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Why a keymap was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeymap {
    /// It is not TOML of the expected shape.
    #[error("the keymap cannot be read: {0}")]
    Unreadable(String),
    /// It names an action that does not exist.
    #[error("the keymap names an action '{0}', which does not exist")]
    NoSuchAction(String),
    /// It names a key that does not exist.
    #[error("the keymap names a key '{0}', which does not exist")]
    NoSuchKey(String),
    /// One key stands for two actions.
    #[error("the key '{key}' stands for '{first}' and for '{second}'")]
    Twice {
        /// Which key.
        key: String,
        /// The action it stood for already.
        first: &'static str,
        /// The action it was to stand for as well.
        second: &'static str,
    },
}

impl Key {
    /// The key of an event of the terminal; none for releases, which some terminals report.
    pub fn from_event(event: KeyEvent) -> Option<Key> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match event.code {
            // A character already says whether shift was held, except together with control.
            KeyCode::Char(c) => {
                modifiers.remove(KeyModifiers::SHIFT);
                KeyCode::Char(if modifiers.contains(KeyModifiers::CONTROL) { c.to_ascii_lowercase() } else { c })
            }
            KeyCode::BackTab => {
                modifiers.remove(KeyModifiers::SHIFT);
                KeyCode::BackTab
            }
            other => other,
        };
        Some(Key { code, modifiers })
    }

    /// Reads `q`, `ctrl-c`, `shift-left`, `f1`.
    pub fn parse(text: &str) -> Option<Key> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        for (prefix, modifier) in
            [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
        {
            if let Some(after) = rest.strip_prefix(prefix) {
                modifiers |= modifier;
                rest = after;
            }
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ => NAMED.iter().find(|(_, name)| *name == rest).map(|(code, _)| *code).or_else(|| function_key(rest))?,
        };
        Some(Key { code, modifiers })
    }
}

const NAMED: [(KeyCode, &str); 14] = [
    (KeyCode::Enter, "enter"),
    (KeyCode::Char(' '), "space"),
    (KeyCode::Tab, "tab"),
    (KeyCode::BackTab, "backtab"),
    (KeyCode::Esc, "esc"),
    (KeyCode::Left, "left"),
    (KeyCode::Right, "right"),
    (KeyCode::Up, "up"),
    (KeyCode::Down, "down"),
    (KeyCode::Home, "home"),
    (KeyCode::End, "end"),
    (KeyCode::PageUp, "pageup"),
    (KeyCode::PageDown, "pagedown"),
    (KeyCode::Backspace, "backspace"),
];

fn function_key(text: &str) -> Option<KeyCode> {
    text.strip_prefix('f')?.parse().ok().filter(|number| (1..=12).contains(number)).map(KeyCode::F)
}

/// As the screen names it: `Enter`, `w`, `Ctrl-C`, `Shift-Left`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let control = self.modifiers.contains(KeyModifiers::CONTROL);
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) if control => write!(f, "{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::F(number) => write!(f, "F{number}"),
            code => {
                let name = NAMED.iter().find(|(named, _)| *named == code).map_or("?", |(_, name)| name);
                let mut characters = name.chars();
                match characters.next() {
                    Some(first) => write!(f, "{}{}", first.to_ascii_uppercase(), characters.as_str()),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Which key does what.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<(Key, Action)>,
}

impl Keymap {
    /// The one that comes with the program.
    pub fn built_in() -> Keymap {
        Keymap::parse(BUILT_IN).expect("a test reads the built-in keymap")
    }

    /// Reads a keymap: a table from the names of actions to lists of keys.
    pub fn parse(text: &str) -> Result<Keymap, BadKeymap> {
        let table: BTreeMap<String, Vec<String>> =
            toml::from_str(text).map_err(|error| BadKeymap::Unreadable(error.to_string()))?;
        let mut bindings: Vec<(Key, Action)> = Vec::new();
        for (name, keys) in table {
            let action = Action::from_name(&name).ok_or(BadKeymap::NoSuchAction(name))?;
            for text in keys {
                let key = Key::parse(&text).ok_or_else(|| BadKeymap::NoSuchKey(text.clone()))?;
                if let Some((_, first)) = bindings.iter().find(|(bound, _)| *bound == key) {
                    return Err(BadKeymap::Twice { key: text, first: first.name(), second: action.name() });
                }
                bindings.push((key, action));
            }
        }
        Ok(Keymap { bindings })
    }

    /// What a key stands for.
    pub fn action(&self, key: Key) -> Option<Action> {
        self.bindings.iter().find(|(bound, _)| *bound == key).map(|(_, action)| *action)
    }

    /// The keys of an action, as the screen names them.
    pub fn keys(&self, action: Action) -> Vec<String> {
        self.bindings.iter().filter(|(_, bound)| *bound == action).map(|(key, _)| key.to_string()).collect()
    }

    /// The first key of an action, as the screen names it; empty if it has none.
    pub fn key(&self, action: Action) -> String {
        self.keys(action).into_iter().next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_key_and_no_key_has_two_actions() {
        let keymap = Keymap::parse(BUILT_IN).unwrap();
        for action in Action::ALL {
            assert!(!keymap.keys(*action).is_empty(), "{} has no key", action.name());
        }
    }

    #[test]
    fn a_keymap_with_a_mistake_is_refused_with_its_place() {
        assert_eq!(Keymap::parse("dance = ['d']").unwrap_err(), BadKeymap::NoSuchAction("dance".into()));
        assert_eq!(Keymap::parse("quit = ['hyper-q']").unwrap_err(), BadKeymap::NoSuchKey("hyper-q".into()));
        assert!(matches!(Keymap::parse("quit = ['q']\nbig = ['q']").unwrap_err(), BadKeymap::Twice { .. }));
        assert!(matches!(Keymap::parse("quit = 'q'").unwrap_err(), BadKeymap::Unreadable(_)));
    }

    #[test]
    fn keys_are_named_as_people_name_them() {
        for (text, name) in [("ctrl-c", "Ctrl-C"), ("shift-left", "Shift-Left"), ("space", "space"), ("f1", "F1")] {
            assert_eq!(Key::parse(text).unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_terminal_may_report_capitals_with_or_without_shift() {
        for modifiers in [KeyModifiers::NONE, KeyModifiers::SHIFT] {
            let key = Key::from_event(KeyEvent::new(KeyCode::Char('W'), modifiers)).unwrap();
            assert_eq!(Keymap::built_in().action(key), Some(Action::PreviousWorkload));
        }
        let key = Key::from_event(KeyEvent::new(KeyCode::Char('C'), KeyModifiers::CONTROL)).unwrap();
        assert_eq!(Keymap::built_in().action(key), Some(Action::Quit));
    }

    #[test]
    fn a_release_is_no_key() {
        let release = KeyEvent { kind: KeyEventKind::Release, ..KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE) };
        assert_eq!(Key::from_event(release), None);
    }
}
