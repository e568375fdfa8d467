//! `gilscope compare --suite notes`: the tables of the teaching notes, run here.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use color_eyre::eyre::Result;
use serde_json::json;

use crate::engine::machine::Machine;
use crate::report;
use crate::session::NotesTable;

use super::compare::print;
use super::contest::Contests;
use super::output::{json, output};
use super::{FAILED, refuse};

/// Runs every table and prints each as it is done.
pub(super) fn notes(repeats: Option<u32>, as_json: bool, bare: bool) -> Result<ExitCode> {
    let start_up = super::start_up(bare)?;
    let machine = Machine::this();
    let mut contests = Contests::new()?;
    let mut out = output();
    let mut reports = Vec::new();
    let mut failed = false;
    if !as_json {
        print("The notes' tables: median time, and its ratio to the first line      MINIATURE CPython", &mut out)?;
        let paid = start_up.as_ref().map(|paid| format!(", start-up as {}", paid.name())).unwrap_or_default();
        print(&format!("{paid}\n"), &mut out)?;
    }
    for table in NotesTable::all() {
        let workload = Arc::new(crate::workload::load(&table.workload).map_err(refuse)?);
        let mut comparisons = Vec::new();
        for contest in table.contests(repeats, start_up.as_ref()) {
            if !contests.interrupted() {
                comparisons.extend(contests.carry_out_only(&workload, &contest));
            }
        }
        failed |= comparisons.iter().any(|comparison| comparison.has_failures());
        let report = report::notes(&table, &comparisons, &workload, &machine);
        if !as_json {
            writeln!(out)?;
            print(&report::notes_text(&report, machine.logical_cores), &mut out)?;
            out.flush()?;
        }
        reports.push(report);
        if contests.interrupted() {
            break;
        }
    }
    if as_json {
        let all = json!({
            "schema": "gilscope.suite/1", "suite": "notes", "machine": machine,
            "startup": start_up.as_deref().map(report::StartUp::from), "tables": reports,
            "end": if contests.interrupted() { "cancelled" } else { "ended" },
        });
        json(&all, &mut out)?;
    }
    out.flush()?;
    Ok(match () {
        () if contests.interrupted() => super::headless::interrupted(),
        () if failed => ExitCode::from(FAILED),
        () => ExitCode::SUCCESS,
    })
}
