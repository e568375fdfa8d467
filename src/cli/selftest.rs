//! `gilscope selftest`: what is seen of known programs against what they say of themselves.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use color_eyre::eyre::Result;
use serde_json::json;

use crate::engine::Engine;
use crate::engine::machine::Machine;
use crate::event::Nanos;
use crate::session::selftest::{Finding, KNOWN, MOST_UNKNOWN, NoVerdict, Verdict, examine};
use crate::text::printable;

use super::headless::interruption;
use super::output::{json, output};
use super::{FAILED, refuse};

/// Observe known programs and compare with what they report of themselves: does this machine see exactly, and how wrong
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if every figure is within its tolerance, 1 if not, 2 if there is no Python to test with."
)]
pub struct Selftest {
    /// The interpreter: a path or a name on PATH
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: OsString,
    /// As JSON (schema gilscope.selftest/1)
    #[arg(long)]
    json: bool,
}

/// How long each program runs.
const SPAN: Duration = Duration::from_secs(1);

/// How well this machine sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Sees {
    Exactly,
    BySampling,
    NoLock,
    NotAtAll,
}

/// Runs them all and prints what came of it.
pub fn selftest(options: &Selftest) -> Result<ExitCode> {
    let python = crate::observe::pythons::find(&options.python).map_err(refuse)?;
    let interrupted = interruption()?;
    let mut out = output();
    let path = printable(&python.to_string_lossy());
    let mut verdicts = Vec::new();
    for known in KNOWN {
        let verdict = match examine(known, &python, SPAN, &|| interrupted.load(Ordering::Relaxed)) {
            Ok(verdict) => verdict,
            Err(NoVerdict::Interrupted) => return Ok(super::headless::interrupted()),
            Err(NoVerdict::Refused(why)) => return Err(refuse(format!("--python {path}: {why}"))),
        };
        if !options.json {
            if verdicts.is_empty() {
                write_heading(&path, &mut out)?;
            }
            write_rows(&verdict, &mut out)?;
            out.flush()?;
        }
        verdicts.push(verdict);
    }
    let (sees, reason) = sees(&verdicts);
    let within = sees != Sees::NotAtAll && verdicts.iter().all(Verdict::within);
    if options.json {
        let report = json!({
            "schema": "gilscope.selftest/1", "machine": Machine::this(), "interpreter": path,
            "python": verdicts.iter().find_map(|verdict| verdict.python.clone()),
            "sees": sees, "reason": reason, "within": within, "programs": verdicts,
        });
        json(&report, &mut out)?;
    } else {
        writeln!(out, "\n{}", sentence(sees, reason.as_deref(), &verdicts))?;
    }
    Ok(ExitCode::from(if within { 0 } else { FAILED }))
}

/// By the programs whose lock is not taken too often: what is sampled for that reason is as it should be.
fn sees(verdicts: &[Verdict]) -> (Sees, Option<String>) {
    let usual: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.id != "retake").collect();
    let worst = |engine: Engine| match engine {
        Engine::Exact => Sees::Exactly,
        Engine::NoLock => Sees::NoLock,
        Engine::Sampled | Engine::Mixed => Sees::BySampling,
        Engine::CoresOnly => Sees::NotAtAll,
    };
    let rank =
        |sees: &Sees| [Sees::Exactly, Sees::NoLock, Sees::BySampling, Sees::NotAtAll].iter().position(|it| it == sees);
    let sees = usual.iter().map(|verdict| worst(verdict.engine)).max_by_key(rank).unwrap_or(Sees::NotAtAll);
    let reason =
        usual.iter().filter(|verdict| worst(verdict.engine) == sees).find_map(|verdict| verdict.reason.clone());
    (sees, reason)
}

fn write_heading(path: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{path}, {} programs, {} s each\n", KNOWN.len(), SPAN.as_secs())?;
    writeln!(out, "What is not known may be part of it; wrong is what lies beyond that.\n")?;
    let [program, seen, what] = ["program", "seen", "what"];
    writeln!(out, "{program:<28}{seen:<13}{what:<20}{:>10}{:>10}{:>11}{:>8}", "it says", "we saw", "not known", "wrong")
}

fn write_rows(verdict: &Verdict, out: &mut impl Write) -> io::Result<()> {
    let engine = match verdict.engine {
        Engine::Exact => "exactly",
        Engine::Sampled => "sampled",
        Engine::Mixed => "part sampled",
        Engine::NoLock => "no lock",
        Engine::CoresOnly => "cores only",
    };
    let mut names = [verdict.title, engine];
    for finding in &verdict.findings {
        let [reported, seen, unknown] =
            [finding.reported, finding.seen, finding.unknown].map(|value| match finding.unit {
                "ns" => Nanos(value).to_string(),
                _ => value.to_string(),
            });
        let unknown = if finding.unknown == 0 { "-".to_owned() } else { unknown };
        let verdict =
            if finding.within { String::new() } else { format!("  ! more than {}", percent(finding.tolerance)) };
        let [title, engine] = std::mem::take(&mut names);
        let error = percent(finding.error);
        let what = finding.what;
        writeln!(out, "{title:<28}{engine:<13}{what:<20}{reported:>10}{seen:>10}{unknown:>11}{error:>8}{verdict}")?;
    }
    if verdict.unknown >= 0.005 {
        let much = if verdict.unknown > MOST_UNKNOWN { "  ! too much" } else { "" };
        writeln!(out, "{:<41}not known: {} of its threads' time{much}", "", percent(verdict.unknown))?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn sentence(sees: Sees, reason: Option<&str>, verdicts: &[Verdict]) -> String {
    let python = verdicts.iter().find_map(|verdict| verdict.python.as_deref());
    let python = python.map_or_else(|| "this interpreter".to_owned(), |version| format!("CPython {version}"));
    let reason = reason.map_or_else(String::new, |why| format!(" ({})", printable(why)));
    let how = match sees {
        Sees::Exactly => format!("This machine sees the GIL of {python} exactly: every take and drop is recorded."),
        Sees::NoLock => format!("{python} runs without a GIL: threads and cores are seen."),
        Sees::BySampling => {
            format!("This machine sees the GIL of {python} by sampling, a thousand looks a second{reason}.")
        }
        Sees::NotAtAll => format!("This machine does not see the GIL of {python}{reason}."),
    };
    let all = verdicts.iter().flat_map(|verdict| verdict.findings.iter().map(move |finding| (verdict, finding)));
    let most = all.max_by(|a: &(&Verdict, &Finding), b| a.1.error.total_cmp(&b.1.error));
    let most = most.map_or_else(String::new, |(verdict, finding)| {
        format!(" Most wrong by {}: {}, {}.", percent(finding.error), verdict.title, finding.what)
    });
    format!("{how}{most}")
}
