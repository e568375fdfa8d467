//! The miniature CPython that workers run.

mod host;

pub use host::{Host, Rules, Stopped};
