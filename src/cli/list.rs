//! `gilscope list`: what there is to run.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use color_eyre::eyre::Result;
use serde_json::{Value, json};

use super::output::{json, output};
use super::pythons;
use crate::{model, workload};

/// List what there is to run
#[derive(Debug, clap::Args)]
pub struct List {
    /// What to list; everything unless said otherwise
    kind: Option<Kind>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Workloads,
    Models,
    /// The Python interpreters found, and the Python processes that run
    Pythons,
}

/// Lists it.
pub fn list(options: &List) -> Result<ExitCode> {
    let mut out = output();
    let kinds = options.kind.map_or_else(|| vec![Kind::Workloads, Kind::Models], |kind| vec![kind]);
    if options.json {
        let rows: Vec<Value> = kinds.iter().flat_map(|kind| rows(*kind)).collect();
        json(&rows, &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    for (index, kind) in kinds.iter().enumerate() {
        if kinds.len() > 1 {
            let blank = if index > 0 { "\n" } else { "" };
            writeln!(out, "{blank}{}", format!("{kind:?}").to_uppercase())?;
        }
        for row in rows(*kind) {
            let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            writeln!(out, "{:<14} {}", word("id"), word("about"))?;
            for argument in row["arguments"].as_array().into_iter().flatten() {
                writeln!(out, "{:<14}   {}", "", argument_line(argument))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How to give an argument, with its default, and what it may be.
fn argument_line(argument: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let given = format!("--arg {}={}", plain(&argument["name"]), plain(&argument["default"]));
    format!("{given:<24} {}, {} to {}", plain(&argument["help"]), plain(&argument["min"]), plain(&argument["max"]))
}

fn rows(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Workloads => workload::bundled()
            .filter_map(|id| workload::load(id).ok())
            .map(|workload| {
                let arguments: Vec<Value> = workload
                    .arguments
                    .iter()
                    .map(|argument| {
                        json!({
                            "name": argument.name, "help": argument.help, "default": argument.default,
                            "min": argument.min, "max": argument.max, "size": argument.size,
                        })
                    })
                    .collect();
                json!({
                    "kind": "workload", "id": workload.id, "title": workload.title, "bound": workload.bound,
                    "about": workload.watch, "arguments": arguments,
                })
            })
            .collect(),
        Kind::Pythons => pythons::rows(),
        Kind::Models => model::ALL
            .iter()
            .map(|model| {
                json!({
                    "kind": "model", "id": model.id, "title": model.title(2), "about": model.description,
                    "start": model.start,
                })
            })
            .collect(),
    }
}
