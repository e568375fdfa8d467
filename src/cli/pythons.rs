//! The rows of `gilscope list pythons`.

use serde_json::{Value, json};

use crate::observe::layout::Version;
use crate::observe::process::sanitised;
use crate::observe::pythons::{self, Said};

/// The interpreters that are installed, then the processes that run.
pub(super) fn rows() -> Vec<Value> {
    let exact = pythons::may_watch_exactly().map_err(|why| why.to_string());
    let engine = |version: &str| -> (&'static str, String) {
        match (Version::from_name(&format!("python{version}")).is_some_and(Version::is_known), &exact) {
            (false, _) => ("cores_only", "only threads and cores: gilscope knows 3.9 to 3.15".to_owned()),
            (true, Ok(())) => ("exact", "exact".to_owned()),
            (true, Err(why)) => ("sampled", format!("sampled: {why}")),
        }
    };
    let mut rows = Vec::new();
    for python in pythons::installed() {
        let path = sanitised(&python.path.to_string_lossy());
        let (about, row) = match &python.said {
            Ok(said) => {
                let (engine, words) = engine(&said.version);
                let about =
                    format!("{} {} · {} · {} · {words}", said.implementation, said.version, gil(said), python.by);
                (
                    about,
                    json!({ "version": said.version, "gil": said.gil, "free_threaded": said.free_threaded, "engine": engine }),
                )
            }
            Err(why) => (format!("{} · {why}", python.by), json!({ "version": null })),
        };
        rows.push(merged(json!({ "kind": "python", "id": path, "about": about, "found_by": python.by }), row));
    }
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

fn gil(said: &Said) -> &'static str {
    match (said.free_threaded, said.gil) {
        (false, _) => "GIL on",
        (true, true) => "free-threaded build, GIL on",
        (true, false) => "free-threaded, GIL off",
    }
}

fn merged(mut row: Value, more: Value) -> Value {
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
    row
}
