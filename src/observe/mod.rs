//! Real CPython, seen from outside.

pub mod place;
