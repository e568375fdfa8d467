//! What the table says of a real program, besides what it says of every run.

use std::io::{self, Write};

use crate::engine::{Engine, Status};

use super::printable;
use super::schema::Report;

/// What was observed, and how.
pub(super) fn heading(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let command = printable(&report.command.clone().unwrap_or_default().join(" "));
    let short: String = command.chars().take(60).collect();
    let dots = if short.len() < command.len() { "…" } else { "" };
    let python = match &report.python {
        Some(python) => format!("REAL {}", python.words()),
        None => "no Python that gilscope knows was seen in it".to_owned(),
    };
    let pid = report.pid.map_or_else(String::new, |pid| format!(" pid {pid}"));
    writeln!(out, "{short}{dots}{pid} · {python}")?;
    match &report.observer {
        Some(status) => writeln!(out, "{}", how(status)),
        None => Ok(()),
    }
}

fn how(status: &Status) -> String {
    let engine = match status.engine {
        Engine::Exact => "EXACT: every take and drop recorded".to_owned(),
        Engine::Sampled => "SAMPLED 1 kHz".to_owned(),
        Engine::Mixed => "partly EXACT, partly SAMPLED 1 kHz".to_owned(),
        Engine::NoLock => "no lock to watch".to_owned(),
        Engine::CoresOnly => "threads and cores only".to_owned(),
    };
    let reason = status.reason.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    format!("{engine}{reason} · itself {:.1} %", status.own_cpu * 100.0)
}

/// So many functions are named in the table.
const HELD_IN: usize = 3;

/// What was missed, and what a person must know.
pub(super) fn footing(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(status) = &report.observer else { return Ok(()) };
    for (index, row) in report.held_in.iter().take(HELD_IN).enumerate() {
        let heading = if index == 0 { "\nwhere the lock was held, by looking now and then\n" } else { "" };
        let task = row.task.as_ref().map_or_else(String::new, |task| format!("task {} in ", printable(task)));
        let file = printable(row.file.rsplit('/').next().unwrap_or_default());
        let line = row.line.map_or_else(String::new, |line| format!(":{line}"));
        let lane = report.lanes.iter().find(|lane| lane.id == row.lane).map_or("", |lane| &lane.name);
        let (lane, function) = (printable(lane), printable(&row.function));
        writeln!(out, "{heading}  {:3.0} %  {lane}: {task}{function} ({file}{line})", row.held * 100.0)?;
    }
    for alarm in &status.alarms {
        writeln!(out, "\n! after {}: {}", alarm.at - status.began_at, printable(&alarm.text))?;
    }
    if let Some(why) = &status.switch_records_refused {
        writeln!(out, "\nnot seen: when threads had a core ({why})")?;
    }
    let missed = [
        (status.missed, "takes or drops were missed and made up for by looking at the lock"),
        (status.records_lost, "records were lost by the kernel: that time is not exact"),
        (status.guard_trips, "times the lock was taken so often that it was sampled for ten seconds"),
        (status.lanes_not_shown, "threads beyond the first 4096 have no lane"),
        (status.ended_unseen, "threads ended before it was seen whether they run Python: they have no lane"),
    ];
    for (count, what) in missed.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "\n{count} {what}")?;
    }
    Ok(())
}
