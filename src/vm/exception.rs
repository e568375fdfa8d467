//! Exceptions: what a program raises, and how it is told.

use std::fmt;
use std::sync::Arc;

use crate::event::Line;

use super::trash::drop_items;
use super::value::Value;

/// Why a call did not return: the program raised, or the run is being ended.
///
/// One word long, so that `Result<Value, Raised>` is no larger than a value.
#[derive(Clone, Debug)]
pub enum Raised {
    /// The program raised an exception and did not catch it.
    Exception(Box<Exception>),
    /// The host asked the thread to unwind without running any more of the program.
    Stopped,
}

/// An exception as it left the program, or as it is on its way.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Its class.
    pub kind: Kind,
    /// `str()` of it.
    pub message: String,
    /// The line of the workload where it was raised; [`Line::NONE`] until it is known.
    pub line: Line,
    /// From the outermost call to the innermost, as a traceback prints it.
    pub traceback: Vec<Traced>,
    /// What it was made with: `args`.
    pub(crate) args: Vec<Value>,
    /// What makes it the same object, however often it has been raised: `is`.
    pub(crate) identity: Arc<()>,
}

/// One line of a traceback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The function.
    pub function: Arc<str>,
    /// The line in it.
    pub line: Line,
}

/// `ZeroDivisionError: division by zero`, as the last line of a traceback.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Exception {}

impl Drop for Exception {
    fn drop(&mut self) {
        drop_items(&mut self.args);
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raised::Exception(exception) => exception.fmt(f),
            Raised::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Raised {}

impl From<super::Stopped> for Raised {
    fn from(_: super::Stopped) -> Raised {
        Raised::Stopped
    }
}

macro_rules! kinds {
    ($($name:ident < $parent:ident,)*) => {
        /// The class of an exception, with the place it has in Python's hierarchy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is the Python class of that name")]
        pub enum Kind {
            BaseException,
            $($name,)*
        }

        impl Kind {
            /// Every class.
            pub const ALL: &[Kind] = &[Kind::BaseException, $(Kind::$name,)*];

            /// The name of the class.
            pub const fn name(self) -> &'static str {
                if matches!(self, Kind::ZlibError) {
                    return "error";
                }
                match self {
                    Kind::BaseException => "BaseException",
                    $(Kind::$name => stringify!($name),)*
                }
            }

            const fn parent(self) -> Option<Kind> {
                match self {
                    Kind::BaseException => None,
                    $(Kind::$name => Some(Kind::$parent),)*
                }
            }
        }
    };
}

// Python's library reference, "Exception hierarchy".
kinds! {
    Exception < BaseException,
    CancelledError < BaseException,
    KeyboardInterrupt < BaseException,
    SystemExit < BaseException,
    ArithmeticError < Exception,
    OverflowError < ArithmeticError,
    ZeroDivisionError < ArithmeticError,
    FloatingPointError < ArithmeticError,
    AssertionError < Exception,
    AttributeError < Exception,
    EOFError < Exception,
    IncompleteReadError < EOFError,
    ImportError < Exception,
    ModuleNotFoundError < ImportError,
    LookupError < Exception,
    IndexError < LookupError,
    KeyError < LookupError,
    MemoryError < Exception,
    NameError < Exception,
    UnboundLocalError < NameError,
    OSError < Exception,
    BlockingIOError < OSError,
    ConnectionError < OSError,
    BrokenPipeError < ConnectionError,
    ConnectionAbortedError < ConnectionError,
    ConnectionRefusedError < ConnectionError,
    ConnectionResetError < ConnectionError,
    RemoteDisconnected < ConnectionResetError,
    FileNotFoundError < OSError,
    InterruptedError < OSError,
    PermissionError < OSError,
    TimeoutError < OSError,
    URLError < OSError,
    HTTPError < URLError,
    HTTPException < Exception,
    BadStatusLine < HTTPException,
    IncompleteRead < HTTPException,
    Empty < Exception,
    Full < Exception,
    InvalidStateError < Exception,
    QueueEmpty < Exception,
    QueueFull < Exception,
    ZlibError < Exception,
    RuntimeError < Exception,
    NotImplementedError < RuntimeError,
    RecursionError < RuntimeError,
    StopIteration < Exception,
    TypeError < Exception,
    ValueError < Exception,
    UnicodeError < ValueError,
    UnicodeDecodeError < UnicodeError,
    UnicodeEncodeError < UnicodeError,
}

impl Kind {
    /// Whether `except other` catches it.
    pub fn is_a(self, other: Kind) -> bool {
        std::iter::successors(Some(self), |kind| kind.parent()).any(|kind| kind == other)
            // The one class with two parents.
            || self == Kind::RemoteDisconnected && Kind::BadStatusLine.is_a(other)
    }

    /// Whether its name is there without an import (`queue.Empty` is not, nor `zlib.error`).
    pub(crate) fn is_builtin(self) -> bool {
        use Kind::*;
        !matches!(
            self,
            CancelledError
                | Empty
                | Full
                | InvalidStateError
                | QueueEmpty
                | QueueFull
                | ZlibError
                | URLError
                | HTTPError
                | HTTPException
                | BadStatusLine
                | IncompleteRead
                | IncompleteReadError
                | RemoteDisconnected
        )
    }

    /// An exception of this class with this message.
    #[cold]
    pub(crate) fn raise(self, message: impl Into<String>) -> Raised {
        Raised::Exception(Box::new(self.exception(message)))
    }

    pub(crate) fn exception(self, message: impl Into<String>) -> Exception {
        let message = message.into();
        let args = if message.is_empty() { Vec::new() } else { vec![Value::str(message.as_str())] };
        Exception { kind: self, message, line: Line::NONE, traceback: Vec::new(), args, identity: Arc::default() }
    }

    /// An exception of this class that is made with more than its message.
    #[cold]
    pub(crate) fn raise_with(self, message: impl Into<String>, args: Vec<Value>) -> Raised {
        let mut exception = self.exception(message);
        exception.args = args;
        Raised::Exception(Box::new(exception))
    }
}

#[cold]
pub(crate) fn type_error(message: impl Into<String>) -> Raised {
    Kind::TypeError.raise(message)
}

#[cold]
pub(crate) fn value_error(message: impl Into<String>) -> Raised {
    Kind::ValueError.raise(message)
}

/// What a failed system call raises: the class that belongs to its number (PEP 3151), the number and the system's words
/// for it, as CPython's `PyErr_SetFromErrno` has them.
#[cold]
pub(crate) fn os_error(error: &std::io::Error) -> Raised {
    let Some(number) = error.raw_os_error() else { return Kind::OSError.raise(error.to_string()) };
    let kind = match number {
        libc::EAGAIN | libc::EALREADY | libc::EINPROGRESS => Kind::BlockingIOError,
        libc::EPIPE | libc::ESHUTDOWN => Kind::BrokenPipeError,
        libc::ECONNABORTED => Kind::ConnectionAbortedError,
        libc::ECONNREFUSED => Kind::ConnectionRefusedError,
        libc::ECONNRESET => Kind::ConnectionResetError,
        libc::ENOENT => Kind::FileNotFoundError,
        libc::EINTR => Kind::InterruptedError,
        libc::EACCES | libc::EPERM => Kind::PermissionError,
        libc::ETIMEDOUT => Kind::TimeoutError,
        _ => Kind::OSError,
    };
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let args = vec![Value::Int(number.into()), Value::str(words)];
    kind.raise_with(format!("[Errno {number}] {words}"), args)
}

/// Larger than the miniature lets one object be. CPython's `MemoryError` has no text either.
#[cold]
pub(crate) fn out_of_memory() -> Raised {
    Kind::MemoryError.raise("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_caught_by_its_ancestors_only() {
        assert!(Kind::ZeroDivisionError.is_a(Kind::ArithmeticError));
        assert!(Kind::ZeroDivisionError.is_a(Kind::Exception));
        assert!(!Kind::ArithmeticError.is_a(Kind::ZeroDivisionError));
        assert!(!Kind::SystemExit.is_a(Kind::Exception));
    }

    #[test]
    fn an_error_of_the_system_is_told_as_python_tells_it() {
        for (number, told) in [
            (libc::ECONNREFUSED, "ConnectionRefusedError: [Errno 111] Connection refused"),
            (libc::ECONNRESET, "ConnectionResetError: [Errno 104] Connection reset by peer"),
            (libc::EMFILE, "OSError: [Errno 24] Too many open files"),
        ] {
            assert_eq!(os_error(&std::io::Error::from_raw_os_error(number)).to_string(), told);
        }
        assert!(Kind::RemoteDisconnected.is_a(Kind::HTTPException) && Kind::RemoteDisconnected.is_a(Kind::OSError));
    }

    #[test]
    fn a_result_is_no_larger_than_a_value() {
        assert!(size_of::<Value>() <= 16);
        assert_eq!(size_of::<Result<Value, Raised>>(), size_of::<Value>());
    }
}
