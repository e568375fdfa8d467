//! Where events come from: emulated, observed, replayed; and the sampler of cores and memory.
