//! An experiment and its run.
