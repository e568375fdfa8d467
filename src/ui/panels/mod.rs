//! One panel a file, each with one `render`.

pub mod code;
pub mod finish;
pub mod header;
pub mod help;
pub mod keys;
pub mod meter;
pub mod sentence;
pub mod settings;
