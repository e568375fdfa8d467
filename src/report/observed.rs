//! What the table says of a real program, besides what it says of every run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::engine::{Engine, Slept, Status};
use crate::event::{LaneId, Nanos, State};
use crate::insight::words;

use super::functions::{Caller, HeldIn, InTask};
use super::schema::{Lane, Report};
use super::table::COLUMNS;
use crate::text::lines::{filled, words_and_commands};
use crate::text::printable;

/// What was observed, and how.
pub(super) fn heading(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let command = printable(&report.command.clone().unwrap_or_default().join(" "));
    let short: String = command.chars().take(60).collect();
    let dots = if short.len() < command.len() { "…" } else { "" };
    let python = match &report.python {
        Some(python) => format!("REAL {}", python.words()),
        None if report.observer.as_ref().is_some_and(|status| status.reason.is_some()) => {
            "no Python could be seen in it".to_owned()
        }
        None => "no Python that gilscope knows was seen in it".to_owned(),
    };
    let pid = report.pid.map_or_else(String::new, |pid| format!(" pid {pid}"));
    writeln!(out, "{short}{dots}{pid} · {python}")?;
    match &report.observer {
        Some(status) => {
            let how = how(status);
            let words = words_and_commands(&how);
            let lines = filled(words.iter().map(String::as_str), |_| COLUMNS);
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))
        }
        None => Ok(()),
    }
}

fn how(status: &Status) -> String {
    let engine = match status.engine {
        Engine::Exact if status.missed > 0 => "EXACT: takes and drops recorded".to_owned(),
        Engine::Exact => "EXACT: every take and drop recorded".to_owned(),
        Engine::Sampled => "SAMPLED 1 kHz".to_owned(),
        Engine::Mixed => "partly EXACT, partly SAMPLED 1 kHz".to_owned(),
        Engine::NoLock => "no GIL to watch".to_owned(),
        Engine::CoresOnly => "threads and cores only".to_owned(),
    };
    let reason = status.reason.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
    format!("{engine}{reason} · itself {:.1} %", status.own_cpu * 100.0)
}

/// How often all threads were made to stand still, for how long, and by whom.
pub(super) fn worlds(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for world in &report.stop_the_world {
        let (name, share) =
            (printable(&world.name), world.stopped_ns.0 as f64 * 100.0 / report.elapsed_ns.0.max(1) as f64);
        if world.stops == 0 {
            writeln!(out, "\n{name}: never")?;
            continue;
        }
        let times = if world.stops == 1 { "once".to_owned() } else { format!("{} times", world.stops) };
        let by: Vec<String> =
            world.by.iter().take(NAMED).map(|by| format!("{} {}", lane_name(report, by.lane), by.ns)).collect();
        writeln!(out, "\n{name}: {times}, {} in all ({share:.1}%), by {}", world.stopped_ns, by.join(", "))?;
        let status = report.observer.iter().flat_map(|status| &status.locks).find(|lock| lock.lock == world.id);
        if let Some(sampled) = status.map(|status| status.sampled_ns).filter(|sampled| *sampled > Nanos::ZERO) {
            writeln!(out, "  for {sampled} it was only looked at: short stops were not seen")?;
        }
        let spans = &world.stop_ns;
        if spans.count > 0 {
            let (p50, p95, p99, max) = (spans.p50, spans.p95, spans.p99, spans.max);
            writeln!(out, "  {:<16} half {p50}, 95 % {p95}, 99 % {p99}, longest {max}", "at a time")?;
        }
    }
    Ok(())
}

fn lane_name(report: &Report, lane: LaneId) -> String {
    printable(report.lanes.iter().find(|known| known.id == lane).map_or("", |lane| &lane.name))
}

/// What those waited for that slept in locks, all lanes together, the longest first.
fn waited_for(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut sums: BTreeMap<&str, Slept> = BTreeMap::new();
    for (what, slept) in report.lanes.iter().flat_map(|lane| &lane.waited_for) {
        let sum = sums.entry(what).or_default();
        (sum.times, sum.span) = (sum.times + slept.times, sum.span + slept.span);
    }
    let mut sums: Vec<(&str, Slept)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, slept)| std::cmp::Reverse(slept.span));
    for (index, (what, slept)) in sums.into_iter().take(WAITED_FOR).enumerate() {
        let heading = if index == 0 { "\nwhat threads waited for, as far as it was seen\n" } else { "" };
        let times = if slept.times == 1 { "once".to_owned() } else { format!("{} times", slept.times) };
        writeln!(out, "{heading}  {:>10}  {} ({times})", slept.span.to_string(), printable(what))?;
    }
    Ok(())
}

/// Who was seen in a function.
fn lanes(report: &Report, lane: LaneId, count: usize) -> String {
    match count {
        0 | 1 => lane_name(report, lane),
        2 => format!("{} and another", lane_name(report, lane)),
        lanes => format!("{} and {} others", lane_name(report, lane), lanes - 1),
    }
}

/// Where the lock was held.
fn held_in(report: &Report, out: &mut impl Write) -> io::Result<()> {
    // Of one that is stopped all the while looks may tell where, and it held nothing.
    if report.locks.iter().all(|lock| lock.held_ns == Nanos::ZERO) {
        return Ok(());
    }
    let left_out = report.held_in_left_out.as_ref();
    let looks = report.held_in.iter().map(|row| row.looks).chain(left_out.map(|rest| rest.looks)).sum();
    // The list is in the order of who kept others waiting.
    let mut rows: Vec<_> = report.held_in.iter().collect();
    rows.sort_by(|a, b| b.held.total_cmp(&a.held));
    let named = rows.iter().take(HELD_IN).map(|row| {
        let who = lanes(report, row.lane, row.lane_count);
        (row.held, row.held_margin, who, place((&row.function, &row.file, row.line), row.caller.as_ref()), tasks(row))
    });
    functions(&format!("where the GIL was held, by {}", times(looks)), named, out)?;
    let others = rows.iter().skip(HELD_IN).map(|row| (1, row.held));
    let others = others.chain(left_out.map(|rest| (rest.functions, rest.held)));
    let named = rows.iter().take(HELD_IN).map(|row| row.held).sum();
    if report.held_in.is_empty() { Ok(()) } else { rest(named, others, out) }
}

/// Where threads ran that have no lock.
fn ran_in(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let left_out = report.ran_in_left_out.as_ref();
    let looks = report.ran_in.iter().map(|row| row.looks).chain(left_out.map(|rest| rest.looks)).sum();
    let named = report.ran_in.iter().take(HELD_IN).map(|row| {
        let who = lanes(report, row.lane, row.lane_count);
        let task = row.task.as_ref().map_or_else(String::new, |task| format!("; task {}", printable(task)));
        (row.ran, row.ran_margin, who, place((&row.function, &row.file, row.line), row.caller.as_ref()), task)
    });
    functions(&format!("where threads ran, by {}", times(looks)), named, out)?;
    let others = report.ran_in.iter().skip(HELD_IN).map(|row| (1, row.ran));
    let others = others.chain(left_out.map(|rest| (rest.functions, rest.ran)));
    let named = report.ran_in.iter().take(HELD_IN).map(|row| row.ran).sum();
    if report.ran_in.is_empty() { Ok(()) } else { rest(named, others, out) }
}

/// Where that is, in the words of the screen.
fn place(site: words::Site, caller: Option<&Caller>) -> String {
    let caller = caller.map(|it| (&*it.function, &*it.file, it.line));
    printable(&words::place(site, caller))
}

fn times(looks: u64) -> String {
    format!("{looks} {}", if looks == 1 { "look" } else { "looks" })
}

/// Functions with their share, how far that may be off, who was seen there, where that is, and in which tasks.
fn functions(
    heading: &str,
    rows: impl Iterator<Item = (f64, f64, String, String, String)>,
    out: &mut impl Write,
) -> io::Result<()> {
    for (index, (share, off, who, place, tasks)) in rows.enumerate() {
        if index == 0 {
            writeln!(out, "\n{heading}")?;
        }
        let (share, off) = (share * 100.0, (off * 100.0).ceil());
        writeln!(out, "  {share:3.0} % ±{off:<2.0} {who}: {place}{tasks}")?;
    }
    Ok(())
}

/// What is in further functions, each so many with their share, and what in none that a look has told.
fn rest(named: f64, others: impl Iterator<Item = (usize, f64)>, out: &mut impl Write) -> io::Result<()> {
    let (functions, share) = others.fold((0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    match functions {
        0 => {}
        1 => writeln!(out, "  {:3.0} %     in one more function", share * 100.0)?,
        _ => writeln!(out, "  {:3.0} %     in {functions} more functions", share * 100.0)?,
    }
    match 1.0 - named - share {
        unseen if unseen >= WORTH_A_LINE => {
            writeln!(out, "  {:3.0} %     in a function that no look tells", unseen * 100.0)
        }
        _ => Ok(()),
    }
}

/// What is known of those of one name who held the lock while others waited.
#[derive(Default)]
struct HeldUp {
    lanes: BTreeSet<LaneId>,
    sum: Nanos,
    /// How long who waited, by name.
    by: BTreeMap<String, Nanos>,
}

/// Who held the lock while others waited for it, the longest first, and who waited for him most. Threads of one name, as a
/// service has that makes one for each request, are one row.
fn held_up(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let names: BTreeMap<LaneId, String> = report.lanes.iter().map(|lane| (lane.id, printable(&lane.name))).collect();
    let name = |lane: LaneId| names.get(&lane).cloned().unwrap_or_default();
    let mut rows: BTreeMap<String, HeldUp> = BTreeMap::new();
    for blame in report.blame.iter().filter(|blame| blame.ns > Nanos::ZERO) {
        let row = rows.entry(name(blame.holder)).or_default();
        row.lanes.insert(blame.holder);
        row.sum += blame.ns;
        *row.by.entry(name(blame.waiter)).or_default() += blame.ns;
    }
    let charged: Nanos = rows.values().map(|row| row.sum).sum();
    // Also while it was free, and while no look told who had it.
    let of_lane = |lane: &Lane| {
        let of = |state: State| lane.states_ns.get(state.name()).copied().unwrap_or_default();
        of(State::WaitingGil) + of(State::WaitingWorld)
    };
    let waited: Nanos = report.lanes.iter().map(of_lane).sum();
    let all = waited.max(charged).0.max(1) as f64;
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.sum));
    for (index, (holder, row)) in rows.iter().take(HELD_UP).enumerate() {
        let heading = if index == 0 { "\nwho held the GIL while others waited for it\n" } else { "" };
        let times = if row.lanes.len() > 1 { format!(" ×{}", row.lanes.len()) } else { String::new() };
        let share = row.sum.0 as f64 / all * 100.0;
        let most = row.by.iter().max_by_key(|(_, ns)| **ns);
        let most = most.map_or_else(String::new, |(by, ns)| format!(" (of it {ns} while {by} waited)"));
        writeln!(out, "{heading}  {:>10}  {share:3.0} %  {holder}{times}{most}", row.sum.to_string())?;
    }
    let others =
        rows.iter().skip(HELD_UP).fold((0, Nanos::ZERO), |all, (_, row)| (all.0 + row.lanes.len(), all.1 + row.sum));
    if others.0 > 0 {
        let (count, share) = (others.0, others.1.0 as f64 / all * 100.0);
        let what = if count == 1 { "one more thread".to_owned() } else { format!("{count} more threads") };
        writeln!(out, "  {:>10}  {share:3.0} %  {what}", others.1.to_string())?;
    }
    let nobody = waited - charged;
    if !rows.is_empty() && nobody.0 as f64 >= WORTH_A_LINE * all {
        let share = nobody.0 as f64 / all * 100.0;
        writeln!(out, "  {:>10}  {share:3.0} %  nobody, or it was not seen who", nobody.to_string())?;
    }
    Ok(())
}

/// In which asyncio tasks, with the share of each in all holding.
fn tasks(row: &HeldIn) -> String {
    let named = |it: &InTask| format!("{} {:.0} %", printable(&it.task), it.held * 100.0);
    let named: Vec<String> = row.tasks.iter().take(NAMED).map(named).collect();
    let others = match row.tasks.len().saturating_sub(NAMED) {
        0 if !row.more_tasks => String::new(),
        others if !row.more_tasks => format!(", {others} more"),
        _ => ", others".to_owned(),
    };
    if named.is_empty() { String::new() } else { format!("; tasks {}{others}", named.join(", ")) }
}

/// So many are named of those that stopped the world, and of a function's tasks.
const NAMED: usize = 3;

/// So many things are named that were waited for.
const WAITED_FOR: usize = 5;

/// So much that is in no known function is told.
const WORTH_A_LINE: f64 = 0.005;

/// So many functions are named in the table.
const HELD_IN: usize = 3;
/// So many holders are told that others waited for.
const HELD_UP: usize = 3;

/// What was missed, and what a person must know.
pub(super) fn footing(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(status) = &report.observer else { return Ok(()) };
    held_up(report, out)?;
    held_in(report, out)?;
    ran_in(report, out)?;
    waited_for(report, out)?;
    for alarm in &status.alarms {
        writeln!(out, "\n! {}", printable(&alarm.to_string()))?;
    }
    if let Some(why) = &status.switch_records_refused {
        let queued: Nanos = report.lanes.iter().filter_map(|lane| lane.runqueue_ns).sum();
        writeln!(out, "\nnot seen: when threads had a core ({why}); {queued} in all they were in the queue for one")?;
    }
    let missed = [
        (status.missed, "take or drop was", "takes or drops were", "missed and made up for by looking at the lock"),
        (status.records_lost, "record was", "records were", "lost by the kernel: that time is not exact"),
        (
            status.guard_trips,
            "time",
            "times",
            "the lock was taken so often that it was sampled from then on, for ten seconds at most",
        ),
        (status.lanes_not_shown, "thread", "threads", "beyond the first 4096 without a lane"),
        (status.ended_unseen, "thread", "threads", "ended before it was seen whether Python ran there: without a lane"),
    ];
    for (count, one, several, what) in missed.into_iter().filter(|(count, ..)| *count > 0) {
        writeln!(out, "\n{count} {} {what}", if count == 1 { one } else { several })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_function_of_the_standard_library_that_two_call_is_two_places() {
        let from = |function: &str, line| Caller { function: function.into(), file: "dup.py".into(), line: Some(line) };
        let rows = [from("caller_one", 5), from("caller_two", 7)].map(|caller| {
            let site = ("match", "/usr/lib/python3.12/re/__init__.py", Some(167));
            (0.5, 0.06, "main".to_owned(), place(site, Some(&caller)), String::new())
        });
        let mut out = Vec::new();
        functions("where", rows.into_iter(), &mut out).expect("memory takes it");
        let text = String::from_utf8(out).expect("it is UTF-8");
        assert!(text.contains("main: caller_one → match (dup.py:5)\n"), "{text}");
        assert!(text.contains("main: caller_two → match (dup.py:7)\n"), "{text}");
    }
}
