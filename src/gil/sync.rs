//! What the lock is built of: the standard library's. For the model checks `modelled.rs` has another.

pub use std::sync::{Condvar, Mutex, MutexGuard};
