//! The launchers of real runs: interpreter processes of the miniature, and whichever interpreter an experiment names.

use crate::engine::{Source, driven, emulated};
use crate::workload::Workload;

use super::{Experiment, Interpreter, Launch};

/// Starts the miniature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Miniature;

impl Launch for Miniature {
    fn launch(&mut self, workload: &Workload, experiment: &Experiment) -> Result<Box<dyn Source>, String> {
        let order = experiment.order(workload, true).map_err(|why| why.to_string())?;
        Ok(Box::new(emulated::start(order).map_err(|why| why.to_string())?))
    }
}

/// Starts the interpreter that the experiment names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interpreters;

impl Launch for Interpreters {
    fn launch(&mut self, workload: &Workload, experiment: &Experiment) -> Result<Box<dyn Source>, String> {
        match &experiment.interpreter {
            Interpreter::Miniature => Miniature.launch(workload, experiment),
            Interpreter::CPython(python) => {
                let order = experiment.driven_order(workload, python)?;
                Ok(Box::new(driven::start(&order).map_err(|why| why.to_string())?))
            }
        }
    }
}
