//! The house keeps its order: a room uses the rooms above it, never those below.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from top to bottom, as data flows. Those on one line do not use each other.
const ORDER: &[&[&str]] = &[
    &["event"],
    &["text"],
    &["clock"],
    &["record"],
    &["perf"],
    &["gil"],
    &["vm"],
    &["workload"],
    &["model"],
    &["program"],
    &["calibration"],
    &["interp"],
    &["observe"],
    &["engine"],
    &["trace"],
    &["session"],
    &["insight"],
    &["report"],
    &["app"],
    &["ui"],
    &["terminal"],
    &["runtime"],
    &["cli"],
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn room(path: &Path, src: &Path) -> Option<String> {
    let first = path.strip_prefix(src).ok()?.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// Names that follow `crate::` in a line of code; `use crate::{a, b::c}` names both.
fn rooms_named(line: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => named.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            named.push(word(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    named
}

fn level(room: &str) -> Option<usize> {
    ORDER.iter().position(|floor| floor.contains(&room))
}

#[test]
fn no_room_uses_one_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = BTreeMap::new();
    for file in files {
        let Some(here) = room(&file, &src) else { continue };
        let floor = level(&here).unwrap_or_else(|| panic!("src/{here} has no place in the order of the house"));
        for (number, line) in fs::read_to_string(&file).expect("a source file can be read").lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for other in rooms_named(line) {
                if level(&other).is_some_and(|theirs| theirs > floor || theirs == floor && other != here) {
                    wrong.insert(format!("{}:{}", file.display(), number + 1), format!("{here} uses {other}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "upward edges: {wrong:#?}");
}

/// The rooms that neither read nor change anything but what they are given.
const PURE: &[&str] = &["event", "text", "model", "trace", "insight", "report", "app", "ui"];

/// What nobody needs who is only told things: the machine, and clocks.
const WORLD: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "clock::",
    "rustix::",
];

#[test]
fn rooms_that_are_told_everything_ask_the_machine_nothing() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| room(file, &src).is_some_and(|room| PURE.contains(&room.as_str()))) {
        for (number, line) in fs::read_to_string(file).expect("a source file can be read").lines().enumerate() {
            let is_code = !line.trim_start().starts_with("//");
            wrong.extend(
                WORLD
                    .iter()
                    .filter(|word| is_code && line.contains(**word))
                    .map(|word| format!("{}:{} uses {word}", file.display(), number + 1)),
            );
        }
    }
    assert!(wrong.is_empty(), "they are told, or return an effect: {wrong:#?}");
}

#[test]
fn both_spellings_of_a_use_are_read() {
    assert_eq!(rooms_named("use crate::event::{Nanos, State};"), ["event"]);
    assert_eq!(rooms_named("use crate::{event::{Nanos, State}, vm};"), ["event", "vm"]);
    assert_eq!(rooms_named("    crate::trace::Trace::new(crate::clock::now())"), ["trace", "clock"]);
}

#[test]
fn every_room_of_the_order_is_on_the_map() {
    let map =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).expect("the map is there");
    for room in ORDER.concat() {
        assert!(map.contains(&format!("`{room}")), "ARCHITECTURE.md does not name {room}");
    }
}
