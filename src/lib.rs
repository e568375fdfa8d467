//! gilscope: an oscilloscope for Python's Global Interpreter Lock.
//!
//! The rooms stand in the order in which data flows; each may use those above
//! it and none below. `ARCHITECTURE.md` is the map.

pub mod event;

pub mod text;

pub mod clock;

pub mod record;

pub mod perf;

pub mod gil;

pub mod vm;

pub mod workload;

pub mod model;

pub mod program;

pub mod calibration;

pub mod interp;

pub mod observe;

pub mod engine;

pub mod trace;

pub mod session;

pub mod insight;

pub mod report;

pub mod app;

pub mod ui;

pub mod terminal;

pub mod runtime;

pub mod cli;
