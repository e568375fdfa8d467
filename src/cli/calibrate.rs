//! `gilscope calibrate`: measures a Python's start-up and keeps it for the miniature.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use color_eyre::eyre::Result;
use serde_json::json;

use crate::calibration::measure::{MeasureError, Measurement};
use crate::calibration::{Calibration, kept};
use crate::report::calibration_text;

use super::compare::print;
use super::contest::Line;
use super::output::{json, output};
use super::{complain, refuse};

/// Measure how long a real CPython takes to start a worker, and let the miniature take as long
///
/// A script runs in that Python, once a round, and measures each way to start a worker, from the order to the worker's
/// first line; and what a connection of asyncio takes its event loop. The medians are kept in the user's configuration
/// (gilscope/calibration.toml) and used from then on. Removing that file brings back the figures that come with gilscope.
#[derive(Debug, clap::Args)]
pub struct Calibrate {
    /// The Python to measure: 3.8 or later
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    /// How often each start is measured
    #[arg(long, value_name = "R", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Only measure and print; keep nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON (schema gilscope.calibration/1)
    #[arg(long)]
    json: bool,
}

/// Measures, prints, keeps.
pub fn calibrate(options: &Calibrate) -> Result<ExitCode> {
    let place = if options.dry_run { None } else { Some(kept::path().map_err(refuse)?) };
    if let Some(path) = &place {
        kept::check(path).map_err(refuse)?;
    }
    let interrupted = super::headless::interruption()?;
    let built_in = Calibration::built_in();
    let mut line = Line::new();
    let mut measured = match Measurement::of(&options.python, &interrupted) {
        Ok(measured) => measured,
        Err(MeasureError::Interrupted) => return Ok(super::headless::interrupted()),
        Err(error) => return Err(refuse(error)),
    };
    for round in 1..=options.repeat {
        line.say(&format!("CPython {}: round {round} of {}", measured.version, options.repeat));
        match measured.round(&interrupted) {
            Ok(()) => {}
            Err(MeasureError::Interrupted) => {
                line.clear();
                complain(&"interrupted: nothing is kept");
                return Ok(super::headless::interrupted());
            }
            Err(error) => {
                line.clear();
                return Err(error.into());
            }
        }
    }
    line.clear();
    let Some(found) = measured.calibration(&built_in) else { return Err(refuse("nothing was measured")) };
    if let Some(path) = &place {
        kept::write(path, &found)?;
    }
    let mut out = output();
    if options.json {
        let report = json!({
            "schema": "gilscope.calibration/1", "measured": found, "built_in": built_in, "repeats": options.repeat,
            "file": place,
        });
        json(&report, &mut out)?;
    } else {
        print(&calibration_text(&found, &built_in, options.repeat, place.as_deref()), &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
