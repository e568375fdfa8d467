//! How events leave a worker.
//!
//! # The problem
//! Every thread that runs Python says what happens to it, up to hundreds of
//! thousands of times a second. Saying so must not change what happens: a
//! worker never waits for whoever listens, takes no lock, allocates nothing.
//! What it said must still be there when it is killed in the middle of a
//! sentence. And the listener lives in another process.
//!
//! # The choice
//! One ring in shared memory for each thread that records: one writer, one
//! reader, each owning one index on its own cache line ([`ring`]). The memory
//! belongs to the run, so it outlives any worker ([`Rings`]). A ring that is
//! full drops the newest event and counts it; the lane is `unknown` from there
//! on ([`Recorder`]). The reader distrusts all it reads, puts the events of
//! all rings and the kernel's context switches in the order of time, and hands
//! them on a moment later ([`Collector`]).
//!
//! # Not chosen
//! A pipe or socket: a full one blocks, and each write is a system call, many
//! times what a slot costs. One ring for all: writers would contend for its index,
//! and a worker killed between claiming a slot and filling it would stop the
//! rest. Overwriting the oldest: the reader would race the writer for every
//! slot, and a picture with its beginning missing cannot be drawn, one with a
//! hatched piece can. Ordering by arrival: a thread can lose its core between
//! reading the clock and publishing, so arrival says nothing about time.

mod collector;
mod kernel;
mod mapping;
mod memory;
mod recorder;
pub mod ring;
mod rings;
mod shared_ring;
mod switches;

pub use collector::{Collector, CoreEvidence, LaneTally, Tally};
pub use kernel::{Accounts, AccountsEvidence, ThreadTimes, core_now, thread_id, wish_for_slices_of};
pub use mapping::Mapping;
pub use memory::{ProcessMemory, proportional};
pub use recorder::Recorder;
pub use rings::{Ended, Rings, RingsError, Shape};
pub use shared_ring::SharedRing;
pub use switches::{Switch, SwitchRecord, SwitchSource};
