//! Reads a vhs tape and plays it on a pseudo-terminal: the same keys, the same waits.

use std::time::{Duration, Instant};

use regex::Regex;

use super::terminal::Terminal;

/// One line of a tape.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Type this text.
    Type(String),
    /// Press a key, so many times.
    Key(String, u32),
    /// Do nothing for so long.
    Sleep(Duration),
    /// Wait until a pattern is on the screen, at most so long.
    Wait(String, Duration),
    /// What only a recorder cares about.
    Setting,
}

fn duration(text: &str) -> Duration {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|n| n.parse::<f64>().ok());
    match (number("ms"), number("s")) {
        (Some(ms), _) => Duration::from_secs_f64(ms / 1e3),
        (None, Some(s)) => Duration::from_secs_f64(s),
        (None, None) => Duration::from_secs_f64(text.parse().unwrap_or_else(|_| panic!("no duration: {text}"))),
    }
}

/// Reads a tape; a line that vhs would not take panics.
pub fn read(tape: &str) -> Vec<Step> {
    tape.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(step).collect()
}

fn step(line: &str) -> Step {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (verb, modifier) = word.split_once(['@', '+']).unwrap_or((word, ""));
    match verb {
        "Type" => Step::Type(rest.trim_matches(['"', '`', '\'']).to_owned()),
        "Enter" | "Space" | "Tab" | "Escape" | "Up" | "Down" | "Left" | "Right" => {
            Step::Key(verb.to_owned(), rest.trim().parse().unwrap_or(1))
        }
        "Sleep" => Step::Sleep(duration(rest)),
        "Wait" => {
            let limit = modifier.split_once('@').map_or(Duration::from_secs(15), |(_, limit)| duration(limit));
            Step::Wait(rest.trim().trim_matches('/').to_owned(), limit)
        }
        "Output" | "Require" | "Set" | "Env" | "Hide" | "Show" | "Screenshot" => Step::Setting,
        other => panic!("vhs has no command {other}: {line}"),
    }
}

/// Plays the steps. Waits are as long as the tape says times `patience`; `after` sees the terminal after each step.
pub fn play(steps: &[Step], terminal: &mut Terminal, patience: u32, mut after: impl FnMut(usize, &Terminal)) {
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Type(text) => terminal.press(text),
            Step::Key(key, times) => {
                let bytes = match key.as_str() {
                    "Enter" => "\r",
                    "Space" => " ",
                    "Tab" => "\t",
                    "Escape" => "\x1b",
                    "Up" => "\x1b[A",
                    "Down" => "\x1b[B",
                    "Left" => "\x1b[D",
                    _ => "\x1b[C",
                };
                for _ in 0..*times {
                    terminal.press(bytes);
                }
            }
            Step::Sleep(span) => std::thread::sleep(*span),
            Step::Wait(pattern, limit) => {
                let pattern = Regex::new(pattern).expect("the tape's pattern is a regular expression");
                let end = Instant::now() + *limit * patience;
                while !pattern.is_match(&terminal.text()) {
                    assert!(
                        Instant::now() < end,
                        "step {number}, waiting for {pattern}; the screen:\n{}",
                        terminal.text()
                    );
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Step::Setting => {}
        }
        after(number, terminal);
    }
}
