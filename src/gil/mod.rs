//! The lock: CPython's rules as a pure state machine ([`Policy`]), and the
//! same over a mutex and condition variables ([`Gil`]).
//!
//! The rules are those of CPython's `Python/ceval_gil.c`, the same from 3.2 to
//! this day:
//!
//! - Who wants the lock while it is held waits one switch interval. If it is
//!   still held then, and nobody else got it meanwhile, the waiter sets the
//!   drop request; either way it waits again.
//! - The holder drops the lock at its next safe point when a request is set.
//! - A thread that drops the lock while a request is set, for whatever reason,
//!   waits until another thread has taken it. Without this it would mostly win
//!   it straight back, being on a core already.
//! - Who takes the lock clears the request.
//! - There is no queue. Whoever comes while the lock is free has it.
//!
//! Kept apart because they fail apart: the rules can be wrong, which a table
//! of steps shows; the waiting can be wrong, which only trying every
//! interleaving shows.

mod lock;
#[cfg(test)]
mod modelled;
mod policy;
mod sync;
#[cfg(test)]
mod tests;

pub use lock::{Gil, REQUEST, STOP, Timer, WallTimer, Woken};
pub use policy::{Dropped, Policy, Taken, Wait};
