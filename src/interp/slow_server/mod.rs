//! The slow server: what workloads make their requests to.
//!
//! # The problem
//! A workload that waits for answers needs somebody who takes their time to
//! give them: on this machine, for nobody but the run, and as long as it. It
//! must hold ten thousand connections, must not take its part of the lock or
//! of the workers' memory, and must not outlive anything.
//!
//! # The choice
//! A process of its own, this program executed anew like the interpreters, in
//! the process group of the run. The socket it listens on is opened by whoever
//! makes it, and handed over: so the port is known before anything runs, a
//! port that is taken is refused before any work began, and requests that come
//! before the server is up wait in the socket instead of failing. How long an
//! answer takes stands in the request (`/delay/0.5`), so the server need not be
//! told anything, and CPython can be given the same URL.
//!
//! # Not chosen
//! A thread of the first process: it would share the workers' process, and no
//! process could be forked. A server that opens its own port and reports it:
//! one more thing to wait for. Port 0 in the workload's text: the file would
//! not run under CPython.

mod answers;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::message::{LaneEnd, WORKER_LIMIT};
use super::offspring::Offspring;
use super::spawn::{Birth, Group};
use crate::event::{LaneId, Nanos};
use crate::program::this_program;
use crate::record::{Rings, Shape};

pub(super) use answers::live;

/// How many connections may wait to be taken in; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// How long it gets to end once nobody needs it. It needs microseconds.
const TO_END: Duration = Duration::from_secs(2);

/// Why there is no slow server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody else listens there.
    #[error(
        "port {port} of 127.0.0.1 is taken, so the slow server cannot listen there: give another, \
         or 0 for any that is free"
    )]
    PortTaken {
        /// Which.
        port: u16,
    },
    /// The system refused the socket.
    #[error("the slow server cannot listen on port {port} of 127.0.0.1: {source}")]
    Listen {
        /// Which was asked for; 0: any.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused the process.
    #[error("the slow server could not be started: {0}")]
    Spawn(io::Error),
}

/// What it is told, with the socket it is to listen on.
#[derive(Debug, Serialize, Deserialize)]
struct Serve;

/// A socket that listens on this machine alone. Connections to it wait until somebody serves it.
pub(super) fn listen(port: u16) -> Result<TcpListener, ServerError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::PortTaken { port },
        _ => ServerError::Listen { port, source },
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
    rustix::net::listen(&listener, BACKLOG).map_err(|error| refused(error.into()))?;
    Ok(listener)
}

/// A running slow server. Dropping it kills and reaps it; it dies with the thread that started it, too.
#[derive(Debug)]
pub struct SlowServer {
    process: Offspring,
    /// Its end is the sign to end.
    channel: Option<Channel>,
    port: u16,
    end: Option<LaneEnd>,
}

impl SlowServer {
    /// Starts one that belongs to no run and records nothing, as an executable of this program.
    pub fn start_program(program: &Path, port: u16) -> Result<SlowServer, ServerError> {
        let listener = listen(port)?;
        let rings = Rings::create(Shape::for_lanes(1), Nanos::from_millis(5));
        let rings = rings.map_err(|error| ServerError::Spawn(io::Error::other(error.to_string())))?;
        SlowServer::serve(listener, program, &rings, None, Group::Own)
    }

    /// The same, as this program itself.
    pub fn start(port: u16) -> Result<SlowServer, ServerError> {
        SlowServer::start_program(&this_program(), port)
    }

    /// Starts one that serves `listener`. What it does is recorded if it has a lane.
    pub(super) fn serve(
        listener: TcpListener,
        program: &Path,
        rings: &Rings,
        lane: Option<LaneId>,
        group: Group,
    ) -> Result<SlowServer, ServerError> {
        let refused = |error: Errno| ServerError::Spawn(error.into());
        let port = listener.local_addr().map_err(ServerError::Spawn)?.port();
        let (mut channel, theirs) = Channel::pair(WORKER_LIMIT).map_err(refused)?;
        let (role, record) = ("slow-server", lane.is_some());
        let lane = lane.unwrap_or(LaneId(0));
        let birth = Birth { program, role, lane, channel: theirs, rings, record, group };
        let process = Offspring::from(birth.order(|| ()).map_err(ServerError::Spawn)?);
        let mut server = SlowServer { process, channel: None, port, end: None };
        let told = channel.send_with(&Serve, [listener.as_fd()]);
        told.map_err(|error| ServerError::Spawn(io::Error::other(error.to_string())))?;
        server.channel = Some(channel);
        Ok(server)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is found.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.process.number()
    }

    /// How it ended, if it has; never waits.
    pub(super) fn has_gone(&mut self) -> Option<&LaneEnd> {
        if self.end.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            match rustix::process::waitid(WaitId::Pid(self.pid_of_process()), options) {
                Ok(None) | Err(Errno::INTR) => {}
                Ok(Some(_)) | Err(_) => self.end = Some(self.process.wait()),
            }
        }
        self.end.as_ref()
    }

    /// Lets it end, and by force if it does not.
    pub(super) fn finish(&mut self) -> LaneEnd {
        self.channel = None;
        let until = Instant::now() + TO_END;
        while self.has_gone().is_none() {
            if Instant::now() > until {
                self.process.kill();
                self.end = Some(self.process.wait());
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.end.clone().unwrap_or(LaneEnd::Done)
    }

    fn pid_of_process(&self) -> Pid {
        self.process.pid
    }
}

impl Drop for SlowServer {
    fn drop(&mut self) {
        if self.has_gone().is_none() {
            self.process.kill();
            self.process.wait();
        }
    }
}
