//! Standard output as the commands use it. Whoever reads it may have had enough (`| head`): that is no error, and it changes
//! nothing about the exit status, which says how the run went.

use std::io::{self, ErrorKind, StdoutLock, Write};

use serde::Serialize;

/// Standard output; once nobody reads it any more, what is written goes nowhere.
pub(super) struct Output(StdoutLock<'static>);

/// The one there is.
pub(super) fn output() -> Output {
    Output(io::stdout().lock())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(self.0.flush(), ())
    }
}

fn unless_closed<T>(done: io::Result<T>, otherwise: T) -> io::Result<T> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(otherwise),
        done => done,
    }
}

/// Writes a value as JSON over several lines, and an end of line.
pub(super) fn json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", crate::report::plain_json(&serde_json::to_string_pretty(value)?))
}
