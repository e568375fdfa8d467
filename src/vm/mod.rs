//! The miniature CPython that workers run: a subset of Python, compiled to
//! CPython's instructions and evaluated as CPython evaluates them.
//!
//! [`compile()`] turns a source into a [`Program`]; a [`Module`] is the program
//! loaded into one interpreter, with its globals; a [`Thread`] runs calls of
//! its functions. Of the world the evaluation loop knows only its [`Host`].
//!
//! What it is not: there are no classes, generators, closures or user-defined
//! iterators (coroutines there are). What is there behaves as in CPython 3.13, texts of exceptions
//! included, and a program that needs more is refused before it runs, at the
//! place where it does.

mod alone;
mod binding;
mod builtins;
mod code;
mod compile;
mod coroutine;
mod dict;
mod eval;
mod exception;
mod frame;
mod globals;
mod host;
mod iterate;
pub mod limits;
mod methods;
mod modules;
mod mutex;
mod native;
mod number;
mod operate;
pub mod pickle;
mod quick;
mod raising;
mod sharing;
mod subscript;
mod text;
mod thread;
mod trash;
mod value;
mod wide;

#[cfg(test)]
mod tests;

pub use alone::Alone;
pub use code::{Comparison, Constant, Instruction, Operator, Parameter, Program, Signature};
pub use compile::{CompileError, MAX_SOURCE, Reason, compile};
pub use coroutine::event_loop::{Crew, EventLoop};
pub use coroutine::priced::StreamPrices;
pub use dict::{Dict, Entries};
pub use exception::{Exception, Kind, Raised, Traced};
pub use host::{Host, Note, Rules, Stopped, Turn};
pub use iterate::Iteration;
pub use native::{Call, Library, Native, Outside};
pub use sharing::contended;
pub use thread::{Module, Thread};
pub use value::{Function, List, Object, Range, Text, Tuple, Value};
pub use wide::Wide;
