//! `http.client`: the exceptions that [`super::urllib`] raises. The requests
//! themselves are made there.

use crate::vm::exception::Kind;
use crate::vm::native::Library;
use crate::vm::value::Value;

/// The package.
pub(super) static LIBRARY: Library =
    Library { name: "http", functions: &[], constants: &[("client", Value::Module(&CLIENT))] };

pub(super) static CLIENT: Library = Library {
    name: "http.client",
    functions: &[],
    constants: &[
        ("HTTPException", Value::ExceptionType(Kind::HTTPException)),
        ("BadStatusLine", Value::ExceptionType(Kind::BadStatusLine)),
        ("IncompleteRead", Value::ExceptionType(Kind::IncompleteRead)),
        ("RemoteDisconnected", Value::ExceptionType(Kind::RemoteDisconnected)),
    ],
};
