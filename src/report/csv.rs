//! One row a lane, for a spreadsheet.

use std::io;

use crate::event::State;

use super::schema::Report;
use crate::text::printable;

/// Writes a header and a row for each lane; times in nanoseconds, nothing where a figure is not known.
pub fn write_csv(report: &Report, out: impl io::Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    let fixed = [
        "workload",
        "model",
        "workers",
        "tasks",
        "elapsed_ns",
        "lane",
        "name",
        "role",
        "pid",
        "tid",
        "lock",
        "tasks_done",
        "end",
        "on_cpu_ns",
        "runqueue_ns",
    ];
    let states: Vec<String> = State::ALL.iter().map(|state| format!("{}_ns", state.name())).collect();
    table.write_record(fixed.iter().copied().chain(states.iter().map(String::as_str)))?;
    let known = |value: Option<String>| value.unwrap_or_default();
    let program = report.command.as_ref().map_or_else(String::new, |command| command.join(" "));
    for lane in &report.lanes {
        let experiment = report.experiment.as_ref();
        let mut row = vec![
            experiment.map_or_else(|| program.clone(), |experiment| experiment.workload.clone()),
            known(experiment.map(|experiment| experiment.model.clone())),
            known(experiment.map(|experiment| experiment.workers.to_string())),
            known(experiment.map(|experiment| experiment.tasks.to_string())),
            report.elapsed_ns.0.to_string(),
            lane.id.to_string(),
            lane.name.clone(),
            serde_json::to_value(lane.role)?.as_str().unwrap_or_default().to_owned(),
            known(lane.pid.map(|pid| pid.to_string())),
            known(lane.tid.map(|tid| tid.to_string())),
            known(lane.lock.map(|lock| lock.to_string())),
            lane.tasks_done.to_string(),
            lane.end.clone(),
            known(lane.on_cpu_ns.map(|span| span.0.to_string())),
            known(lane.runqueue_ns.map(|span| span.0.to_string())),
        ];
        row.extend(
            State::ALL.iter().map(|state| lane.states_ns.get(state.name()).map_or(0, |span| span.0).to_string()),
        );
        table.write_record(row.iter().map(|cell| printable(cell)))?;
    }
    table.flush()
}
