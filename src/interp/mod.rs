//! Interpreter processes: how a run is started, told what to do, and ended.
//!
//! # The problem
//! What is observed must be real: processes that are processes, a lock that
//! threads of one process contend for, a worker that can crash. It must not
//! be disturbed by whoever watches, who draws, computes and may itself be
//! killed at any time. And whatever happens to either, nothing may be left
//! running.
//!
//! # The choice
//! Whoever watches (the [`Controller`]) runs no Python. It executes its own
//! program anew as a **first process**, leader of a process group, which boots
//! an interpreter and loads the module before the clock starts. That process
//! does the tasks itself (sequential), in threads of its own, or in **worker
//! processes** that it starts in turn, or that a forkserver makes for it. Orders and reports go over a socket,
//! events through shared memory that outlives everyone who writes to it.
//!
//! ```text
//! Controller ──orders──▶ first process ──requests, pickles──▶ worker processes
//!            ◀─reports──  (main lane)  ◀──replies, pickles──
//!      ▲                      │                                  │
//!      └──────── rings in shared memory, one a lane ◀────────────┘
//! ```
//!
//! A workload that makes requests gets a [`SlowServer`] to make them to: one
//! more process of the group, made by the controller and told of by its own
//! lane, but no part of the program.
//!
//! Ending is killing a process group and reaping it: it works whatever the
//! workload is doing. Each process asks the kernel to be killed when its maker
//! dies, and sees the end of its channel besides; so no orphan remains when
//! the controller is killed with a signal that cannot be caught.
//!
//! # Not chosen
//! Workers as threads of the controller: no process models, a crash takes the
//! screen with it, and drawing would contend with what is drawn. `fork` of the
//! controller: it has threads, and a child of a process with threads may only
//! execute another program. A pipe for events: see [`crate::record`].
//! Cooperative stopping: an endless loop that must be asked is not stopped.

mod channel;
pub mod child;
mod controller;
mod coroutines;
mod descriptors;
mod first;
mod fork;
mod hand_out;
mod host;
mod hybrid;
mod in_place;
mod interpreter;
mod message;
mod offspring;
mod pickles;
mod processes;
mod reporter;
mod server;
mod slow_server;
mod spawn;
mod start_up;
mod subinterpreters;
mod threads;
mod tracker;
mod worker;

pub use channel::ChannelError;
pub use controller::{Controller, RunSpec, StartError};
pub use descriptors::{TooMany, check as check_connections};
pub use message::{LaneEnd, Report, TaskOutcome, signal_name};
pub use slow_server::{ServerError, SlowServer};
