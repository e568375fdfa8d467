//! The launcher of real runs: interpreter processes of the miniature.

use crate::engine::{Source, emulated};
use crate::workload::Workload;

use super::{Experiment, Launch};

/// Starts the miniature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Miniature;

impl Launch for Miniature {
    fn launch(&mut self, workload: &Workload, experiment: &Experiment) -> Result<Box<dyn Source>, String> {
        let order = experiment.order(workload, true).map_err(|why| why.to_string())?;
        Ok(Box::new(emulated::start(order).map_err(|why| why.to_string())?))
    }
}
