//! Whose interpreter does the work: the miniature, or a real CPython.

use std::sync::Arc;

use crate::engine::driven::Python;
use crate::model::Model;

/// In what a run is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Interpreter {
    /// The miniature that is part of this program.
    #[default]
    Miniature,
    /// A real one.
    CPython(Arc<Python>),
}

impl Interpreter {
    /// `emulated` or `cpython`: the word of the command line and of JSON.
    pub fn engine(&self) -> &'static str {
        match self {
            Interpreter::Miniature => "emulated",
            Interpreter::CPython(_) => "cpython",
        }
    }

    /// What it is called beside others: `miniature`, `3.13.0`.
    pub fn name(&self) -> &str {
        match self {
            Interpreter::Miniature => "miniature",
            Interpreter::CPython(python) => &python.name,
        }
    }

    /// Which real one it is.
    pub fn python(&self) -> Option<&Python> {
        match self {
            Interpreter::Miniature => None,
            Interpreter::CPython(python) => Some(python),
        }
    }

    /// Why a model cannot run in it; none if it can.
    pub fn lacks(&self, model: &Model) -> Option<String> {
        self.python().and_then(|python| python.lacks(model))
    }
}
