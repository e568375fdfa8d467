//! `urllib.request` and `urllib.error`.

mod request;

use crate::vm::exception::Kind;
use crate::vm::native::{Library, Native};
use crate::vm::value::Value;

pub(super) use request::{ATTRIBUTES, METHODS};

/// The package.
pub(super) static LIBRARY: Library = Library {
    name: "urllib",
    functions: &[],
    constants: &[("request", Value::Module(&REQUEST)), ("error", Value::Module(&ERROR))],
};

pub(super) static REQUEST: Library =
    Library { name: "urllib.request", functions: &[Native::function("urlopen", request::urlopen)], constants: &[] };

pub(super) static ERROR: Library = Library {
    name: "urllib.error",
    functions: &[],
    constants: &[
        ("URLError", Value::ExceptionType(Kind::URLError)),
        ("HTTPError", Value::ExceptionType(Kind::HTTPError)),
    ],
};
