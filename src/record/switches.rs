//! The kernel's context switches, as the collector wants them. Where they come from is another room's affair.

use crate::event::{CoreId, Nanos};

/// A thread came onto a core or left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It came.
    In,
    /// It left.
    Out {
        /// Although it could have gone on.
        preempted: bool,
    },
}

/// The kernel's record of one switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchRecord {
    /// When, on `CLOCK_MONOTONIC`.
    pub at: Nanos,
    /// Whose.
    pub tid: u32,
    /// On which core.
    pub core: CoreId,
    /// What.
    pub change: Switch,
}

/// Where switch records come from. Each thread's come in the order of time once those of all cores are put together.
pub trait SwitchSource {
    /// Hands over all there are and forgets them. Never waits.
    fn drain(&mut self, each: &mut dyn FnMut(SwitchRecord));
    /// How many the kernel had to drop so far.
    fn lost(&self) -> u64;
}
