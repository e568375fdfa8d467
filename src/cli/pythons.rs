//! The rows of `gilscope list pythons`.

use super::output::{json, output};
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::observe::layout::Version;
use crate::observe::notice::gil_in_words;
use crate::observe::pythons;
use crate::text::printable;

/// The interpreters that are installed, then the processes that run.
pub(super) fn rows() -> Vec<Value> {
    let exact = exact();
    let engine = engine_by(&exact);
    let mut rows = Vec::new();
    for python in pythons::installed() {
        let path = printable(&python.path.to_string_lossy());
        let (about, row) = match &python.said {
            Ok(said) => {
                let (engine, words) = engine(&said.version);
                let tells = version_of(&said.version).map_or(&[][..], |version| version.tells(said.gil));
                let told = if tells.is_empty() { String::new() } else { format!(" · tells {}", tells.join(", ")) };
                let about = format!(
                    "{} {} · {} · {} · {words}{told}",
                    said.implementation,
                    said.version,
                    gil_in_words(said.free_threaded, Some(said.gil)),
                    python.by
                );
                (
                    about,
                    json!({
                        "version": said.version, "gil": said.gil, "free_threaded": said.free_threaded, "engine": engine,
                        "tells": tells,
                    }),
                )
            }
            Err(why) => (format!("{} · {why}", python.by), json!({ "version": null })),
        };
        rows.push(merged(json!({ "kind": "python", "id": path, "about": about, "found_by": python.by }), row));
    }
    rows.extend(processes(&engine));
    rows
}

/// Prints the processes that may be attached to, and the others with the reason why not.
pub(super) fn list_processes(as_json: bool) -> io::Result<()> {
    let mut out = output();
    let rows = processes(&engine_by(&exact()));
    if as_json {
        return json(&rows, &mut out);
    }
    let (may, may_not): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["refused"].is_null());
    if may.is_empty() {
        writeln!(out, "No Python process runs that could be attached to; `gilscope watch SCRIPT.py` runs one.")?;
    } else {
        writeln!(out, "which may be attached to: gilscope attach PID\n")?;
    }
    for row in may.into_iter().chain(may_not) {
        writeln!(out, "{:<14} {}", row["id"].as_str().unwrap_or_default(), row["about"].as_str().unwrap_or_default())?;
    }
    Ok(())
}

/// Whether this machine lets us see exactly; if not, why not.
fn exact() -> Result<(), String> {
    pythons::may_watch_exactly().map_err(|why| why.to_string())
}

/// Which engine serves a version, in a word and in words.
fn engine_by(exact: &Result<(), String>) -> impl Fn(&str) -> (&'static str, String) {
    move |version| match (version_of(version).is_some_and(Version::is_known), exact) {
        (false, _) => ("cores_only", "only threads and cores: gilscope knows 3.9 to 3.15".to_owned()),
        (true, Ok(())) => ("exact", "exact".to_owned()),
        (true, Err(why)) => ("sampled", format!("sampled: {why}")),
    }
}

fn version_of(version: &str) -> Option<Version> {
    Version::from_name(&format!("python{version}"))
}

fn processes(engine: &impl Fn(&str) -> (&'static str, String)) -> Vec<Value> {
    let mut rows = Vec::new();
    for running in pythons::running() {
        let id = format!("pid {}", running.pid);
        let short: String = running.command.chars().take(48).collect();
        let (about, version, why) = match &running.version {
            Ok(version) => (format!("{version} · {short} · {}", engine(version).1), Some(version.clone()), None),
            Err(why) => (format!("{short} · {why}"), None, Some(why.to_string())),
        };
        let row = json!({ "pid": running.pid, "version": version, "refused": why });
        rows.push(merged(json!({ "kind": "process", "id": id, "about": about }), row));
    }
    rows
}

fn merged(mut row: Value, more: Value) -> Value {
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
    row
}
