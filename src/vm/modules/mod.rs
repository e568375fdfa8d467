//! The modules a program may import, one file each.

mod asyncio;
mod hashlib;
mod math;
mod numpy;
mod queue;
mod threading;
mod time;
mod zlib;

use super::native::{Library, Native};

/// Every module.
pub(crate) static ALL: &[&Library] = &[
    &asyncio::LIBRARY,
    &hashlib::LIBRARY,
    &math::LIBRARY,
    &numpy::LIBRARY,
    &queue::LIBRARY,
    &threading::LIBRARY,
    &time::LIBRARY,
    &zlib::LIBRARY,
];

/// The module of this name.
pub(crate) fn get(name: &str) -> Option<&'static Library> {
    ALL.iter().find(|library| library.name == name).copied()
}

/// The methods of the modules' own objects.
pub(crate) fn object_methods() -> impl Iterator<Item = &'static Native> {
    [
        asyncio::LOCK,
        asyncio::EVENT,
        asyncio::QUEUE,
        crate::vm::coroutine::task::METHODS,
        hashlib::METHODS,
        numpy::METHODS,
        queue::METHODS,
        threading::METHODS,
    ]
    .into_iter()
    .flatten()
}
