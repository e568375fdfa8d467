//! What drives the real binary in a pseudo-terminal.
pub mod tape;
pub mod terminal;
