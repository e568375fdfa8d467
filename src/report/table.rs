//! A report as people read it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::engine::Engine;
use crate::event::{Nanos, State};
use crate::model::{Model, Role};
use crate::session::is_fault;
use crate::trace::Distribution;

use unicode_width::UnicodeWidthStr;

use super::schema::{Lane, Report, TaskResult};
use crate::text::lines::wrapped;
use crate::text::names::fitting;
use crate::text::printable;

use super::observed;

/// As wide as sentences get.
pub(super) const COLUMNS: usize = 100;

/// The widest column of names.
const NAME: usize = 32;

/// The column of who started whom.
const BY: usize = 14;

/// How many lanes and results are listed one by one.
const LISTED: usize = 16;

/// Writes the report as text, a hundred columns wide at most.
pub fn write_table(report: &Report, mut out: impl Write) -> io::Result<()> {
    match &report.experiment {
        Some(experiment) => {
            let start = experiment.start.map(|start| format!(":{}", start.name())).unwrap_or_default();
            let paid = experiment.startup.as_ref();
            let word = crate::model::find(&experiment.model).map_or("start-up", Model::pays_for);
            let paid = paid.map(|paid| format!(", {word} as CPython {}", printable(&paid.python))).unwrap_or_default();
            writeln!(
                out,
                "{} · {}{start} · {} · {} · MINIATURE CPython{paid}",
                printable(&experiment.workload),
                experiment.model,
                counted(experiment.workers as u64, "worker"),
                counted(experiment.tasks as u64, "task")
            )?;
        }
        None => observed::heading(report, &mut out)?,
    }
    let end = match report.end {
        _ if report.ended_by_gilscope => crate::engine::ENDED_BY_US.to_owned(),
        "ended" => report.program_end.as_deref().map_or_else(|| ended(report), printable),
        "failed" => format!("failed: {}", printable(report.failure.as_deref().unwrap_or("no reason given"))),
        // Looking at it is what was stopped. That a program is stopped is something else.
        "stopped" if report.command.is_some() => "left running".to_owned(),
        other => other.to_owned(),
    };
    let cores = report.machine.logical_cores;
    let native = report
        .observer
        .as_ref()
        .map_or(0.0, |status| status.native_cpu_ns.0 as f64 / report.elapsed_ns.0.max(1) as f64);
    let native = if native < WORTH_TELLING || report.command.is_none() {
        String::new()
    } else {
        format!(", {native:.2} of it by threads without a lane, which are not Python's or were not seen to be")
    };
    let allowance = report.observer.as_ref().and_then(|status| status.allowance);
    let limit = allowance.and_then(|allowance| allowance.limit(cores));
    let limit = limit.map_or_else(String::new, |limit| format!(" (limit {limit})"));
    writeln!(out, "{end} after {} · cores busy {:.2} of {cores}{limit}{native}", report.elapsed_ns, report.cores_busy)?;
    insights(report, &mut out)?;
    ledger(report, &mut out)?;
    locks(report, &mut out)?;
    observed::worlds(report, &mut out)?;
    lanes(report, &mut out)?;
    results(report, &mut out)?;
    observed::footing(report, &mut out)?;
    if report.events.dropped > 0 {
        writeln!(out, "\n{} of {} events were lost", report.events.dropped, report.events.recorded)?;
    }
    Ok(())
}

/// A run that came to its end, and what became of its tasks.
fn ended(report: &Report) -> String {
    let raised = |result: &&TaskResult| matches!(result, TaskResult::Error { .. });
    match (report.results.iter().filter(raised).count(), report.results.len()) {
        (0, _) => "done".to_owned(),
        (failed, all) if failed == all => "FAILED: no task came to a value; over".to_owned(),
        (failed, all) => format!("done, but {failed} of {all} tasks FAILED;"),
    }
}

fn insights(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if !report.insights.is_empty() {
        writeln!(out)?;
    }
    for finding in &report.insights {
        let said = [Some(finding.sentence.as_str()), finding.advice];
        let text = said.into_iter().flatten().collect::<Vec<_>>().join(" ");
        for (index, line) in wrapped(&text, COLUMNS - 2).into_iter().enumerate() {
            writeln!(out, "{}{line}", if index == 0 { "· " } else { "  " })?;
        }
        if let Some(command) = &finding.command {
            writeln!(out, "      {command}")?;
        }
    }
    Ok(())
}

fn ledger(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let rows = lives(&report.ledger_ns);
    let all: u64 = rows.iter().map(|(_, span)| span.0).sum();
    writeln!(out, "\nwhere the workers' time went")?;
    for (state, span) in rows {
        let share = if all == 0 { 0.0 } else { span.0 as f64 / all as f64 * 100.0 };
        writeln!(out, "  {:<30}{:>10}  {share:>5.1}%", state.words(), span.to_string())?;
    }
    Ok(())
}

/// The states of those who were there, the longest first: who comes and goes is not born or done most of the time, and
/// nobody's time goes there.
fn lives(ledger: &BTreeMap<&'static str, Nanos>) -> Vec<(State, Nanos)> {
    let lived = State::ALL.into_iter().filter(|state| !matches!(state, State::Unborn | State::Done));
    let mut rows: Vec<(State, Nanos)> = lived.filter_map(|state| Some((state, *ledger.get(state.name())?))).collect();
    rows.sort_by_key(|(_, span)| std::cmp::Reverse(*span));
    rows
}

fn locks(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for lock in report.locks.iter().take(LISTED) {
        let takes = lock.takes.map(|takes| counted(takes, "take"));
        let by = if takes.is_none() { " by CPython's own count" } else { "" };
        let handoffs = Some(format!("{}{by}", counted(lock.handoffs, "hand-off")));
        let requests = lock.drop_requests.map(|requests| counted(requests, "drop request"));
        let counts: Vec<String> = [takes, handoffs, requests].into_iter().flatten().collect();
        let off = lock.held_margin_ns.map_or_else(String::new, |off| format!(" ±{off}"));
        let name = printable(&lock.name);
        writeln!(out, "\n{name}: {}; held {}{off}, free {}{off}", counts.join(", "), lock.held_ns, lock.free_ns)?;
        match &lock.hold_ns {
            Some(spans) => spread("held at a time", spans, None, out)?,
            None => {
                let taken = match &lock.exact_part {
                    None => "how often it was taken: it was looked at only".to_owned(),
                    Some(part) => format!(
                        "how often it was taken in all: {} in {}, for the rest it was looked at only",
                        counted(part.takes, "take"),
                        part.ns
                    ),
                };
                writeln!(out, "  {:<16} not seen, nor {taken}", "held at a time")?
            }
        }
        // Where records tell how long each slept, only which of the sleeps were waits is known by looks.
        let apart = lock.looks_apart_ns.filter(|_| refused(report));
        spread("waited for", &lock.wait_ns, apart.map(|apart| Nanos(apart.0 * LOOKS_PER_THREAD)), out)?;
    }
    Ok(())
}

/// So many cores are told of that threads without lanes used.
const WORTH_TELLING: f64 = 0.02;

/// A margin of so many per cent is told: what is less is lost in rounding.
const WORTH_A_MARGIN: f64 = 0.5;

/// Of so many looks at a lock one is at the threads, too.
const LOOKS_PER_THREAD: u64 = 3;

/// A distribution; of looks so far apart, what is shorter than two of them was not seen.
fn spread(what: &str, spans: &Distribution, apart: Option<Nanos>, out: &mut impl Write) -> io::Result<()> {
    if spans.count == 0 {
        return Ok(());
    }
    let least = apart.map_or(Nanos::ZERO, |apart| Nanos(2 * apart.0));
    let figure = |span: Nanos| if span < least { format!("under {least}") } else { span.to_string() };
    let [p50, p95, p99, max] = [spans.p50, spans.p95, spans.p99, spans.max].map(figure);
    let margin = apart.map_or_else(String::new, |apart| format!("; ±{apart}"));
    writeln!(out, "  {what:<16} half {p50}, 95 % {p95}, 99 % {p99}, longest {max}{margin}")
}

fn lanes(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let workers = || report.lanes.iter().filter(|lane| lane.role == Role::Worker);
    let listed: Vec<&Lane> = makers(report).into_iter().chain(workers().take(LISTED)).collect();
    let widest = listed.iter().map(|lane| lane.name.width() + 1).max().unwrap_or(0).clamp(14, NAME);
    let names = || listed.iter().map(|lane| printable(&lane.name));
    let worker = in_column("worker", widest);
    // That the first started all goes without saying.
    let by = |lane: &Lane| lane.parent.and_then(|parent| report.lanes.iter().find(|it| it.id == parent));
    let tells = listed.iter().any(|lane| by(lane).is_some_and(|parent| parent.parent.is_some()));
    let by_column = |text: &str| if tells { format!("  {}", in_column(text, BY)) } else { String::new() };
    let started_by = by_column("started by");
    // Where nothing tells of the interpreter, nobody knows when it ran Python: when it had a core is all.
    let cores_only = report.observer.as_ref().is_some_and(|status| status.engine == Engine::CoresOnly);
    let refused = refused(report);
    let is_seen = |lane: &Lane| {
        !cores_only || [State::Running, State::WaitingGil].iter().any(|it| lane.states_ns.contains_key(it.name()))
    };
    let on_core = !listed.iter().any(|lane| is_seen(lane));
    let runs = if on_core { "on core" } else { "runs" };
    // A workload's workers do tasks; a program's have a process, by which others know them.
    let first = listed.first().and_then(|lane| lane.pid);
    let several = listed.iter().any(|lane| lane.pid != first);
    let number = |tasks: &str, pid: &str| match report.experiment {
        Some(_) => format!("{tasks:>7}"),
        None if several => format!("{pid:>9}"),
        None => String::new(),
    };
    let heading = number("tasks", "PID");
    writeln!(out, "\n{worker}{heading}{runs:>8}{:>11}{:>12}{started_by}  end", "waits GIL", "wants core")?;
    for lane in &listed {
        let lived = lives(&lane.states_ns).into_iter().filter(|(state, _)| *state != State::Stopped);
        let lived: u64 = lived.map(|(_, span)| span.0).sum();
        let share_of = |span: Nanos| format!("{:.0}%", span.0 as f64 * 100.0 / lived.max(1) as f64);
        let share = |state: State| share_of(lane.states_ns.get(state.name()).copied().unwrap_or_default());
        // Where no record tells when it queued for a core, the kernel's own sum tells for how long.
        let queued = match lane.runqueue_ns.filter(|_| refused) {
            Some(queued) => share_of(queued),
            None => share(State::WaitingCore),
        };
        let of_lock = |state: State| if is_seen(lane) { share(state) } else { "?".to_owned() };
        let off = lane.waiting_gil_margin_ns.map(|off| off.0 as f64 * 100.0 / lived.max(1) as f64);
        let waits = match off.filter(|off| *off >= WORTH_A_MARGIN) {
            Some(off) => format!("{} ±{:.0}", of_lock(State::WaitingGil), off.ceil()),
            None => of_lock(State::WaitingGil),
        };
        let runs = match lane.on_cpu_ns {
            Some(on_cpu) if on_core => share_of(on_cpu),
            _ => of_lock(State::Running),
        };
        let tasks = if lane.role == Role::Worker { lane.tasks_done.to_string() } else { String::new() };
        writeln!(
            out,
            "{}{}{:>8}{:>11}{:>12}{}  {}",
            in_column(&fitting(&printable(&lane.name), widest - 1, names()), widest),
            number(&tasks, &lane.pid.map_or_else(String::new, |pid| pid.to_string())),
            runs,
            waits,
            queued,
            by_column(&by(lane).map_or_else(String::new, |parent| printable(&parent.name))),
            printable(&lane.end)
        )?;
    }
    more(workers().count(), out)?;
    // Whoever does no task is told of only where it went wrong.
    let others = report.lanes.iter().filter(|lane| lane.role != Role::Worker);
    for lane in others.filter(|lane| lane.end != "stopped" && is_fault(&lane.end)) {
        writeln!(out, "{}: {}", printable(&lane.name), printable(&lane.end))?;
    }
    Ok(())
}

/// Whether the kernel does not tell when threads have a core.
fn refused(report: &Report) -> bool {
    report.observer.as_ref().is_some_and(|status| status.switch_records_refused.is_some())
}

/// Who started workers and does no task itself, besides the first: the forkserver.
fn makers(report: &Report) -> Vec<&Lane> {
    let made =
        |lane: &&Lane| report.lanes.iter().any(|worker| worker.role == Role::Worker && worker.parent == Some(lane.id));
    report.lanes.iter().filter(|lane| lane.role != Role::Worker && lane.parent.is_some()).filter(made).collect()
}

/// A foreign name, cut or filled up to so many columns.
fn in_column(name: &str, width: usize) -> String {
    let mut text = name.to_owned();
    if text.width() >= width {
        while text.width() + 2 > width {
            text.pop();
        }
        text.push('…');
    }
    text.extend(std::iter::repeat_n(' ', width - text.width()));
    text
}

fn results(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.experiment.is_some() {
        writeln!(out)?;
    }
    for (task, result) in report.results.iter().enumerate().take(LISTED) {
        match result {
            TaskResult::Value { repr } => {
                let short: String = repr.chars().take(70).collect();
                let dots = if short.len() < repr.len() { "…" } else { "" };
                writeln!(out, "task {task}: {}{dots}", printable(&short))?;
            }
            TaskResult::Error { error, line: Some(line) } => {
                writeln!(out, "task {task}: × {} (line {line})", printable(error))?;
            }
            TaskResult::Error { error, line: None } => writeln!(out, "task {task}: × {}", printable(error))?,
        }
    }
    more(report.results.len(), out)?;
    if let Some(outcome) = &report.outcome {
        writeln!(out, "outcome: {}", printable(outcome))?;
    }
    if !report.output.is_empty() {
        writeln!(out, "\nprinted:")?;
        for line in report.output.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev() {
            writeln!(out, "  {}", printable(line))?;
        }
    }
    Ok(())
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn more(all: usize, out: &mut impl Write) -> io::Result<()> {
    match all.checked_sub(LISTED) {
        Some(rest) if rest > 0 => writeln!(out, "… and {rest} more (all of them with --json)"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_looks_what_is_shorter_than_two_of_them_is_not_told() {
        let said = |apart| {
            let ms = Nanos::from_millis;
            let spans = Distribution { count: 9, p50: Nanos(14_700), p95: ms(5), p99: ms(9), max: ms(12) };
            let mut out = Vec::new();
            spread("waited for", &spans, apart, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(said(None).contains("half 14.7 µs, 95 % 5.00 ms") && !said(None).contains('±'), "{}", said(None));
        let looked = said(Some(Nanos::from_millis(1)));
        assert!(looked.contains("half under 2.00 ms, 95 % 5.00 ms") && looked.ends_with("; ±1.00 ms\n"), "{looked}");
    }

    #[test]
    fn nobody_s_time_goes_where_nobody_is() {
        let ledger = BTreeMap::from([
            ("unborn", Nanos(900)),
            ("done", Nanos(800)),
            ("running", Nanos(10)),
            ("waiting_gil", Nanos(30)),
        ]);
        assert_eq!(lives(&ledger), [(State::WaitingGil, Nanos(30)), (State::Running, Nanos(10))]);
    }
}
