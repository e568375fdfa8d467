//! What is to be run, and why it was not started.

use std::path::PathBuf;

use crate::calibration::Costs;
use crate::event::Nanos;
use crate::interp::channel::ChannelError;
use crate::interp::descriptors::TooMany;
use crate::interp::slow_server::ServerError;
use crate::model::Plan;
use crate::record::RingsError;
use crate::vm::Rules;
use crate::workload::ArgValue;

/// What to run.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// Which lanes and locks there are, and who does the tasks.
    pub plan: Plan,
    /// The file's text.
    pub source: String,
    /// What errors call the file.
    pub file: String,
    /// What each call of `work` gets.
    pub args: Vec<(String, ArgValue)>,
    /// How many calls.
    pub tasks: u32,
    /// Where the evaluation loop looks at the eval breaker.
    pub rules: Rules,
    /// The switch interval to begin with.
    pub interval: Nanos,
    /// What births are to cost; all nothing for a bare miniature.
    pub costs: Costs,
    /// Whether events are recorded. Off only to measure what recording costs.
    pub record: bool,
}

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no memory to record into.
    #[error(transparent)]
    Rings(#[from] RingsError),
    /// There is no server for the workload's requests.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The connections it wants cannot be had.
    #[error(transparent)]
    Connections(#[from] TooMany),
    /// The system refused a process or a channel to it.
    #[error("no interpreter process could be started from {}: {source}", .program.display())]
    Spawn {
        /// What was to be executed.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was started but could not be told what to do.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The module could not be loaded.
    #[error("{0}")]
    Load(String),
    /// Loading it does not end.
    #[error("the file was not loaded after {0}: does something at its top level, outside of any function, not end?")]
    Slow(Nanos),
}
