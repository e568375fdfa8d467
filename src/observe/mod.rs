//! Real CPython, from outside.

pub mod elf;
pub mod layout;
pub mod memory;
pub mod process;
pub mod runtime;
pub mod trouble;
