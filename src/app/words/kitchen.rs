//! The same screen in a kitchen's words: threads are cooks, the GIL is the one knife they share, a process is a kitchen
//! of its own, a subinterpreter a nook with a knife of its own. Our words are exchanged and nothing else; what is drawn
//! and every figure stay, and so does what is not ours: names of threads, files and functions, commands, output. Such text
//! goes into a sentence by [`foreign`], in which form no word of it can be found, and comes back as it was when the
//! sentence is said.

use std::borrow::Cow;

/// In which words the screen speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wording {
    /// Those of the field.
    #[default]
    Plain,
    /// Those of a kitchen.
    Kitchen,
}

/// Lower case, as they stand within a sentence.
const WORDS: [(&str, &str); 10] = [
    ("threads", "cooks"),
    ("thread", "cook"),
    ("subinterpreters", "nooks"),
    ("subinterpreter", "nook"),
    ("subinterp", "nooks"),
    ("processes", "kitchens"),
    ("process", "kitchen"),
    ("locks", "knives"),
    ("lock", "knife"),
    ("gil", "knife"),
];

/// A `threading.Lock` is no GIL; and what an interpreter is called stays, whatever its parts are called.
const AS_THEY_STAND: [&str; 8] = [
    "the program's own lock",
    "lock of the program's own",
    "with a lock",
    "under a lock",
    "GIL on",
    "GIL off",
    "GIL disabled",
    "free-threaded",
];

/// Where the letters of foreign text are kept until it is said: as far into a plane that no text uses as they are into
/// their own. So it has as many characters as before, and can be wrapped and cut.
const APART: u32 = 0xF_0000;

/// Text that is not ours, within one that is to be said: a name, a command. Safe to draw, too.
pub fn foreign(text: &str) -> String {
    let apart = |c: char| match c {
        c if c.is_ascii_alphanumeric() => char::from_u32(APART + c as u32).unwrap_or(c),
        c if own(c).is_some() => '?',
        c => c,
    };
    super::sanitised(text).chars().map(apart).collect()
}

/// The letter that is kept there.
fn own(c: char) -> Option<char> {
    let letter = u8::try_from((c as u32).checked_sub(APART)?).ok().map(char::from)?;
    letter.is_ascii_alphanumeric().then_some(letter)
}

/// As it was before [`foreign`].
fn restored(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.chars().any(|c| own(c).is_some()) {
        return Cow::Owned(text.chars().map(|c| own(c).unwrap_or(c)).collect());
    }
    text
}

impl Wording {
    /// The next to choose.
    pub const fn next(self) -> Wording {
        match self {
            Wording::Plain => Wording::Kitchen,
            Wording::Kitchen => Wording::Plain,
        }
    }

    /// A text of the screen in these words, to be drawn as it comes out: what is foreign in it cannot be told any more.
    pub fn say(self, text: &str) -> Cow<'_, str> {
        restored(self.exchanged(text))
    }

    fn exchanged(self, text: &str) -> Cow<'_, str> {
        if self == Wording::Plain || !text.contains(|c: char| c.is_ascii_alphabetic()) {
            return Cow::Borrowed(text);
        }
        // The column of names is made for the words of the field, and a lock of a process is told by its number.
        if let Some(number) = text.strip_prefix("GIL process ") {
            return Cow::Owned(format!("knife {number}"));
        }
        let mut said = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((at, other)) =
            AS_THEY_STAND.iter().filter_map(|other| Some((rest.find(other)?, *other))).min_by_key(|(at, _)| *at)
        {
            exchange(&rest[..at], &mut said);
            said.push_str(other);
            rest = &rest[at + other.len()..];
        }
        exchange(rest, &mut said);
        Cow::Owned(said)
    }
}

/// Word by word; what lies between words stays.
fn exchange(text: &str, said: &mut String) {
    // "GIL" is written in capitals everywhere, so the other words tell whether it stands in a heading.
    let heading = text.contains(' ') && !text.contains(|c: char| c.is_lowercase());
    let mut rest = text;
    while !rest.is_empty() {
        let end = |inside: bool| {
            rest.find(|c: char| c.is_alphanumeric() != inside).filter(|end| *end > 0).unwrap_or(rest.len())
        };
        let inside = rest.starts_with(char::is_alphanumeric);
        let (word, after) = rest.split_at(end(inside));
        // Names that Python gives, `Thread-1` and `Process-2`, are the program's.
        let named =
            after.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '*'));
        said.push_str(&match inside && !named {
            true => other(word, heading),
            false => Cow::Borrowed(word),
        });
        rest = after;
    }
}

fn other(word: &str, heading: bool) -> Cow<'_, str> {
    let lower = word.to_lowercase();
    let Some((_, other)) = WORDS.iter().find(|(plain, _)| *plain == lower) else { return Cow::Borrowed(word) };
    let capital = word.starts_with(char::is_uppercase);
    match (word == "GIL", capital) {
        (true, _) if !heading => Cow::Borrowed(other),
        (_, true) if heading => Cow::Owned(other.to_uppercase()),
        (_, true) => Cow::Owned(super::capital(other)),
        (_, false) => Cow::Borrowed(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_exchanged_in_the_case_they_stand_in() {
        for (plain, kitchen) in [
            ("4 THREADS, ONE GIL", "4 COOKS, ONE KNIFE"),
            ("4 PROCESSES, 4 LOCKS", "4 KITCHENS, 4 KNIVES"),
            ("waits for the GIL", "waits for the knife"),
            ("One thread holds the lock, three wait.", "One cook holds the knife, three wait."),
            ("Each process has its own lock.", "Each kitchen has its own knife."),
            ("Processes, 2 of them", "Kitchens, 2 of them"),
            ("GIL of process 2", "knife of kitchen 2"),
            ("GIL process 2", "knife 2"),
            ("shared counter with a lock", "shared counter with a lock"),
            ("A lock of the program's own waits for the GIL.", "A lock of the program's own waits for the knife."),
            ("GIL", "knife"),
            ("REAL CPython 3.14.0, GIL on · EXACT", "REAL CPython 3.14.0, GIL on · EXACT"),
            ("Thread-12 (proc and thread 12", "Thread-12 (proc and cook 12"),
            ("2 subinterp", "2 nooks"),
            ("4 SUBINTERPRETERS, 4 LOCKS", "4 NOOKS, 4 KNIVES"),
            ("C code, lock free", "C code, knife free"),
            ("wants the program's own lock", "wants the program's own lock"),
            ("threading, blocked, unlock", "threading, blocked, unlock"),
            ("███ 75% · ≈3.5×", "███ 75% · ≈3.5×"),
        ] {
            assert_eq!(Wording::Kitchen.say(plain), kitchen);
            assert_eq!(Wording::Plain.say(plain), plain);
        }
    }

    proptest! {
        #[test]
        fn what_is_not_ours_is_left_as_it_is(
            name in "(thread|process|lock|GIL|locks|gil|main|cook|[A-Z]{1,3}|[a-z_]{1,5}|[-_./: (0-9é漢])*",
            width in 1..40_usize,
        ) {
            let drawn = super::super::sanitised(&name);
            for wording in [Wording::Plain, Wording::Kitchen] {
                let text = format!("A thread waits for the GIL of {}, process 2; {} locks.", foreign(&name), foreign(&name));
                let said = wording.say(&text).into_owned();
                prop_assert_eq!(said.matches(&drawn).count() >= 2 || drawn.is_empty(), true, "{} in {}", drawn, said);
                let frame = wording.say("A thread waits for the GIL of ").into_owned();
                prop_assert!(said.starts_with(&(frame + &drawn)), "{said}");
                // However it is cut.
                let cut: String = foreign(&name).chars().take(width).collect();
                prop_assert_eq!(wording.say(&cut).into_owned(), drawn.chars().take(width).collect::<String>());
                prop_assert_eq!(foreign(&name).chars().count(), drawn.chars().count());
            }
        }

        #[test]
        fn no_text_from_elsewhere_becomes_another(text in any::<String>()) {
            let drawn = Wording::Kitchen.say(&foreign(&text)).into_owned();
            let expected: String =
                super::super::sanitised(&text).chars().map(|c| if own(c).is_some() { '?' } else { c }).collect();
            prop_assert_eq!(drawn, expected);
        }
    }

    #[test]
    fn what_is_said_in_kitchen_words_stays_so() {
        let once = Wording::Kitchen.say("Two threads want the GIL of one process").into_owned();
        assert_eq!(Wording::Kitchen.say(&once), once);
    }
}
