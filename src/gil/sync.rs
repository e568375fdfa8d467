//! What the lock is built of: the standard library's, or the model checker's.

#[cfg(gilscope_loom)]
pub use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(gilscope_loom))]
pub use std::sync::{Condvar, Mutex, MutexGuard};
