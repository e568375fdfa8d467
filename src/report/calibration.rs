//! What a Python's start-up was measured to be, beside what comes along.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use crate::calibration::{Calibration, Phases};
use crate::event::Nanos;
use crate::vm::StreamPrices;

use crate::text::printable;

/// As whose start-up births cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StartUp {
    /// Which CPython: `3.13.0`.
    pub python: String,
    /// The file the figures were kept in; null for those that come along.
    pub file: Option<String>,
}

impl From<&Calibration> for StartUp {
    fn from(calibration: &Calibration) -> StartUp {
        let file = calibration.file.as_ref().map(|path| path.display().to_string());
        StartUp { python: calibration.python.clone(), file }
    }
}

/// Both as a table, and where the measured one is kept.
pub fn calibration_text(found: &Calibration, built_in: &Calibration, repeats: u32, kept: Option<&Path>) -> String {
    let mut out = String::new();
    let (measured, comes) = (found.name(), format!("built in: {}", built_in.python));
    let _ = writeln!(out, " One more worker, from the order to its first line: median of {repeats}\n");
    let _ = writeln!(
        out,
        " {:<18}{measured:>15}  {:>9}{:>9}{:>9}{:>9}{:>9}{comes:>19}",
        "", "fork", "order", "init", "import", "prepare"
    );
    for ((kind, phases), (_, other)) in found.costs.rows().into_iter().zip(built_in.costs.rows()) {
        if found.unmeasured.iter().any(|unmeasured| unmeasured == kind) {
            let _ = writeln!(out, " {:<18}{:>15}  {:>45}{:>19}", words(kind), "–", "", other.total().to_string());
            continue;
        }
        let Phases { fork_ns, order_ns, init_ns, import_ns, prepare_ns } = phases;
        let [fork, order, init, import, prepare] =
            [fork_ns, order_ns, init_ns, import_ns, prepare_ns].map(|part| cell(*part));
        let _ = writeln!(
            out,
            " {:<18}{:>15}  {fork:>9}{order:>9}{init:>9}{import:>9}{prepare:>9}{:>19}",
            words(kind),
            phases.total().to_string(),
            other.total().to_string()
        );
    }
    let _ = writeln!(
        out,
        "\n fork: the maker's and the kernel's share, and waits for a core; order: CPU time of the maker, a\n part of that; the rest: CPU time of the new process or thread. The miniature works off all but\n fork. pool: in the process that makes it, once."
    );
    if found.unmeasured.iter().any(|kind| kind == "subinterpreter") {
        let _ = writeln!(out, " – this Python has no `concurrent.interpreters` (3.14): the built-in figure is used.");
    }
    let imports = found.costs.imports.rows().into_iter().map(|(module, cost)| {
        let note = if found.unmeasured.iter().any(|it| it == module) { " (built in)" } else { "" };
        format!("{module} {cost}{note}")
    });
    let _ = writeln!(out, " What a workload imports: {}.", imports.collect::<Vec<_>>().join(", "));
    let StreamPrices { open_ns, close_ns } = found.costs.streams;
    let _ = writeln!(
        out,
        " A connection by asyncio, computed in the loop's thread: {open_ns} to open, {close_ns} to close."
    );
    let _ = match kept {
        Some(path) => writeln!(
            out,
            " Kept in {} and used from now on; remove it to go back.",
            printable(&path.display().to_string())
        ),
        None => writeln!(out, " Not kept."),
    };
    out
}

fn cell(span: Nanos) -> String {
    if span == Nanos::ZERO { String::new() } else { span.to_string() }
}

fn words(kind: &str) -> &str {
    match kind {
        "pool" => "pool of processes",
        "server" => "forkserver itself",
        "tracker" => "resource tracker",
        "forkserver" => "forkserver, up",
        "subinterpreter" => "sub-interpreter",
        kind => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_stand_side_by_side_and_what_was_not_measured_is_said() {
        let built_in = Calibration::built_in();
        let found = Calibration {
            python: "3.11.7".to_owned(),
            unmeasured: vec!["subinterpreter".to_owned()],
            ..built_in.clone()
        };
        let text = calibration_text(&found, &built_in, 7, Some(Path::new("/tmp/x\u{1b}.toml")));
        assert!(text.contains("CPython 3.11.7") && text.contains("built in: 3.13.0"), "{text}");
        assert!(text.contains("concurrent.interpreters") && text.contains("Kept in /tmp/x\\u{1b}.toml"), "{text}");
        let spawn = text.lines().find(|line| line.trim_start().starts_with("spawn")).unwrap();
        assert_eq!(spawn.matches(&built_in.costs.spawn.total().to_string()).count(), 2, "{spawn}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
