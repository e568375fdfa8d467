//! The modules a program may import, one file each.

mod asyncio;
mod hashlib;
mod http;
mod math;
mod numpy;
mod queue;
mod socket;
mod threading;
mod time;
mod urllib;
mod zlib;

use super::native::{Library, Native};
use super::value::Value;

/// Every module.
pub(crate) static ALL: &[&Library] = &[
    &asyncio::LIBRARY,
    &hashlib::LIBRARY,
    &http::LIBRARY,
    &http::CLIENT,
    &math::LIBRARY,
    &numpy::LIBRARY,
    &queue::LIBRARY,
    &socket::LIBRARY,
    &threading::LIBRARY,
    &time::LIBRARY,
    &urllib::LIBRARY,
    &urllib::ERROR,
    &urllib::REQUEST,
    &zlib::LIBRARY,
];

/// The module of this name.
pub(crate) fn get(name: &str) -> Option<&'static Library> {
    ALL.iter().find(|library| library.name == name).copied()
}

/// Whether there is nothing in it but modules: it is imported by way of these.
pub(crate) fn is_package(library: &Library) -> bool {
    library.functions.is_empty() && library.constants.iter().all(|(_, value)| matches!(value, Value::Module(_)))
}

/// What can be used of a module: `asyncio.run` is there only to say what is used in its place.
pub(crate) fn offered(library: &'static Library) -> impl Iterator<Item = &'static str> {
    library.names().filter(|name| (library.name, *name) != ("asyncio", "run"))
}

/// The methods of the modules' own objects.
pub(crate) fn object_methods() -> impl Iterator<Item = &'static Native> {
    [
        asyncio::LOCK,
        asyncio::EVENT,
        asyncio::QUEUE,
        asyncio::READER,
        asyncio::WRITER,
        crate::vm::coroutine::task::METHODS,
        hashlib::METHODS,
        numpy::METHODS,
        queue::METHODS,
        socket::METHODS,
        threading::METHODS,
        urllib::METHODS,
    ]
    .into_iter()
    .flatten()
}

/// What the modules' own objects have besides methods.
pub(crate) const OBJECT_ATTRIBUTES: &[&str] = urllib::ATTRIBUTES;
