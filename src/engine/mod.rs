//! Where events come from: emulated, observed, replayed; and the sampler of cores and memory.

pub mod machine;
pub mod sampler;
pub mod switches;
