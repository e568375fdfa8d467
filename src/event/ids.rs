//! Numbers that name things, each its own type.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($raw:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $raw);

        impl $name {
            /// As an index into a table that has one entry for each.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A lane: one execution unit, a row of the timeline. Counted from 0 in the order of the plan.
    LaneId(u32)
);
id!(
    /// A GIL of the run. Counted from 0 in the order of the plan.
    LockId(u16)
);
id!(
    /// A logical core, numbered as the kernel does.
    CoreId(u16)
);
id!(
    /// A task: one call of the workload's `work`. Counted from 0.
    TaskId(u32)
);
id!(
    /// A line of the workload's file, counted from 1; 0 where there is none.
    Line(u32)
);

id!(
    /// A queue of the program's own. Counted from 0 in each process, in the order in which they are made.
    QueueId(u16)
);

impl QueueId {
    /// So many queues of a process are recorded: a program that makes one for each item would drown the rest.
    pub const MOST: u16 = 8;
}

impl CoreId {
    /// The core is not known.
    pub const UNKNOWN: CoreId = CoreId(u16::MAX);
}

impl Line {
    /// No line of the workload: start-up, waiting for a task.
    pub const NONE: Line = Line(0);
}
