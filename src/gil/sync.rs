//! What the lock is built of: the standard library's. For the model checks [`super::modelled`] has another.

pub use std::sync::{Condvar, Mutex, MutexGuard};
