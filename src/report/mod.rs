//! Tables, JSON and CSV of a run.
