//! The price list as people read it.

use std::fmt::Write;

use serde::Serialize;

use crate::session::Spread;

use super::calibration::StartUp;
use super::comparison::bytes;
use crate::text::printable;

/// What one more worker of a model costs.
#[derive(Clone, Debug, Serialize)]
pub struct Price {
    /// The model's id.
    pub model: &'static str,
    /// What the model is.
    pub description: &'static str,
    /// From ordering its birth to its first bytecode; null if that was not measured.
    pub start_ns: Option<Spread>,
    /// Proportional memory; null if that was not measured.
    pub memory_bytes: Option<u64>,
    /// By so many more workers the memory was told.
    pub more: u32,
}

/// The price list as text. `paid` says as whose start-up a birth costs.
pub fn prices_text(prices: &[Price], repeats: u32, paid: Option<&StartUp>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, " One more worker, measured now: median of {repeats} starts      MINIATURE CPython");
    let _ = match paid {
        Some(paid) => writeln!(out, " start-up as CPython {}; --bare leaves it out\n", printable(&paid.python)),
        None => writeln!(out, " bare: what the miniature itself takes\n"),
    };
    let _ = writeln!(out, " {:<24}{:>26}{:>20}{:>14}", "model", "order to first bytecode", "[min–max]", "memory");
    for price in prices {
        let (start, range) = price.start_ns.map_or_else(
            || ("?".to_owned(), String::new()),
            |spread| (spread.median.to_string(), format!("[{}–{}]", spread.min, spread.max)),
        );
        let memory = price.memory_bytes.map_or_else(|| "?".to_owned(), bytes);
        let _ = writeln!(out, " {:<24}{start:>26}{range:>20}{memory:>14}", price.model);
    }
    out
}
