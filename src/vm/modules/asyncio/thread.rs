//! `asyncio.to_thread`: a blocking function of the miniature in a thread of its own, so that the loop goes on.

use std::sync::Arc;

use crate::event::{Detail, EventKind, Line, State};
use crate::vm::Note;
use crate::vm::coroutine::of_future;
use crate::vm::exception::{Kind, Raised, type_error};
use crate::vm::native::{Call, Native, Outside};
use crate::vm::value::Value;

pub(super) fn to_thread(call: &mut Call<'_>) -> Result<Value, Raised> {
    let missing = || type_error("to_thread() missing 1 required positional argument: 'func'");
    let (function, args) = call.positional().split_first().ok_or_else(missing)?;
    let (native, mut args): (&'static Native, Vec<Value>) = match function {
        Value::Native(native) => (native, args.to_vec()),
        Value::Method(method) => (method.1, std::iter::once(method.0.clone()).chain(args.iter().cloned()).collect()),
        Value::Function(function) => {
            return Err(Kind::NotImplementedError.raise(format!(
                "asyncio.to_thread({}) is outside the miniature: a function of the program would need a thread with a \
                 lane; hand it a function that lets the GIL go, such as time.sleep, or use the model `threads`",
                function.name
            )));
        }
        other => return Err(type_error(format!("'{}' object is not callable", other.type_name()))),
    };
    args.extend(call.args[call.positional().len()..].iter().cloned());
    let (keywords, line): (Vec<Arc<str>>, Line) = (call.keywords.to_vec(), call.line);
    Ok(of_future("to_thread", line, async move {
        let called = tokio::task::spawn_blocking(move || {
            (native.run)(&mut Call { args: &args, keywords: &keywords, outside: &mut Elsewhere, line })
        });
        called.await.unwrap_or_else(|_| Err(Kind::RuntimeError.raise("the thread ended before its function")))
    }))
}

/// What a function finds in a thread that runs no bytecode and so never has the GIL.
struct Elsewhere;

impl Outside for Elsewhere {
    fn release(&mut self, _: State, _: Detail, _: Line, blocking: &mut dyn FnMut()) {
        blocking();
    }

    fn note(&mut self, _: Line, _: EventKind) {}

    fn release_noting(&mut self, _: State, _: Detail, _: Line, blocking: &mut dyn FnMut(&mut Note<'_>)) {
        blocking(&mut |_| ());
    }

    fn heartbeat(&mut self, _: Line) {}

    fn print(&mut self, text: &str) {
        print!("{text}");
    }
}
