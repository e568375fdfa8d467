//! `asyncio.open_connection`, `StreamReader` and `StreamWriter`, after CPython's `asyncio/streams.py`, on tokio's
//! sockets.
//!
//! A reader reads when it is asked to; CPython's loop does so as bytes come,
//! into a buffer, which a program sees no difference in. A writer hands the
//! socket what it takes at once and leaves the rest to a task of the runtime.
//! Like [`socket`](super::super::socket) they reach this machine only.

mod connection;
mod incoming;

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::vm::coroutine::{of_future, priced};
use crate::vm::exception::{Kind, Raised, os_error, type_error, value_error};
use crate::vm::limits;
use crate::vm::methods::as_index;
use crate::vm::modules::socket::loopback;
use crate::vm::native::{Call, Native};
use crate::vm::value::{Object, Value};

use connection::{Connection, receive};
use incoming::{Incoming, Until};

pub(in crate::vm::modules) const READER: &[Native] = &[
    Native::function("read", |call| {
        let (value, args) = call.receiver("read")?;
        let [most] = call.bind("read", args, ["n"])?;
        // A negative number is all there is.
        let most = most.map_or(Ok(-1), as_index)?;
        reading(call, "read", value, Until::Most(usize::try_from(most).ok()))
    }),
    Native::function("readline", |call| {
        let (value, _) = call.method::<0>("readline")?;
        reading(call, "readline", value, Until::Line)
    }),
    Native::function("readexactly", |call| {
        let (value, [count]) = call.method::<1>("readexactly")?;
        let count = usize::try_from(as_index(count)?);
        let count = count.map_err(|_| value_error("readexactly size can not be less than zero"))?;
        reading(call, "readexactly", value, Until::Exactly(count))
    }),
    Native::function("readuntil", |call| {
        let (value, args) = call.receiver("readuntil")?;
        let [separator] = call.bind("readuntil", args, ["separator"])?;
        let separator = match separator {
            None => b"\n".to_vec(),
            Some(Value::Bytes(bytes)) => bytes.to_vec(),
            Some(other) => {
                return Err(type_error(format!("a bytes-like object is required, not '{}'", other.type_name())));
            }
        };
        if separator.is_empty() {
            return Err(value_error("Separator should be at least one-byte string"));
        }
        reading(call, "readuntil", value, Until::Separator(separator))
    }),
    Native::function("at_eof", |call| {
        let (value, _) = call.method::<0>("at_eof")?;
        let incoming = locked(&reader(value)?.incoming);
        Ok(Value::Bool(incoming.ended && incoming.bytes.is_empty()))
    }),
];

pub(in crate::vm::modules) const WRITER: &[Native] = &[
    Native::function("write", |call| {
        let (value, [data]) = call.method::<1>("write")?;
        let connection = writer(value)?;
        let Value::Bytes(data) = data else {
            let given = data.type_name();
            return Err(type_error(format!("data argument must be a bytes-like object, not '{given}'")));
        };
        connection.write(data)?;
        Ok(Value::None)
    }),
    Native::function("drain", |call| {
        let (value, _) = call.method::<0>("drain")?;
        let connection = writer(value)?.clone();
        Ok(of_future("drain", call.line, async move { connection.drain().await }))
    }),
    Native::function("close", |call| {
        let (value, _) = call.method::<0>("close")?;
        writer(value)?.close();
        Ok(Value::None)
    }),
    Native::function("is_closing", |call| {
        let (value, _) = call.method::<0>("is_closing")?;
        let outgoing = locked(&writer(value)?.outgoing);
        Ok(Value::Bool(outgoing.closing))
    }),
    Native::function("wait_closed", |call| {
        let (value, _) = call.method::<0>("wait_closed")?;
        let connection = writer(value)?.clone();
        Ok(of_future("wait_closed", call.line, async move {
            connection.until(|| locked(&connection.stream).is_none()).await;
            Ok(Value::None)
        }))
    }),
];

struct Reader {
    connection: Arc<Connection>,
    incoming: Arc<Mutex<Incoming>>,
    /// Held by whoever waits for bytes.
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Writer(Arc<Connection>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

macro_rules! object {
    ($type:ty, $name:literal, $methods:expr) => {
        impl Object for $type {
            fn type_name(&self) -> &'static str {
                $name
            }

            fn methods(&self) -> &'static [Native] {
                $methods
            }

            fn as_any(&self) -> &dyn Any {
                self
            }
        }
    };
}

object!(Reader, "StreamReader", READER);
object!(Writer, "StreamWriter", WRITER);

fn reader(value: &Value) -> Result<&Reader, Raised> {
    value.downcast().ok_or_else(|| type_error("this needs a StreamReader"))
}

fn writer(value: &Value) -> Result<&Arc<Connection>, Raised> {
    value.downcast::<Writer>().map(|writer| &writer.0).ok_or_else(|| type_error("this needs a StreamWriter"))
}

pub(super) fn open_connection(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [host, port] = call.bind("open_connection", call.positional(), ["host", "port"])?;
    let Some(Value::Str(host)) = host else { return Err(type_error("open_connection() needs a host, a str")) };
    let port = u16::try_from(port.map_or(Ok(0), as_index)?);
    let port = port.map_err(|_| Kind::OverflowError.raise("getsockaddrarg: port must be 0-65535."))?;
    let addresses: Vec<_> = loopback(host.as_str())?.into_iter().map(|host| SocketAddr::new(host, port)).collect();
    Ok(of_future("open_connection", call.line, async move {
        let stream = priced::awaited(|prices| prices.open_ns, connect(&addresses)).await?;
        let (changed, runtime) = (Notify::new(), Handle::current());
        let stream = Mutex::new(Some(Arc::new(stream)));
        let connection = Arc::new(Connection { stream, outgoing: Mutex::default(), changed, runtime });
        let (incoming, turn) = (Arc::default(), Arc::default());
        let reader = Value::object(Reader { connection: Arc::clone(&connection), incoming, turn });
        Ok(Value::tuple(vec![reader, Value::object(Writer(connection))]))
    }))
}

/// To the first address that answers. The words are those of `sock_connect` and `create_connection` in CPython's
/// `asyncio/selector_events.py` and `asyncio/base_events.py`.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Raised> {
    let mut failures = Vec::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failures.push((error, address)),
        }
    }
    let words = |address: &SocketAddr| match address {
        SocketAddr::V4(address) => format!("Connect call failed ('{}', {})", address.ip(), address.port()),
        SocketAddr::V6(address) => format!("Connect call failed ('{}', {}, 0, 0)", address.ip(), address.port()),
    };
    let told = |error: &io::Error, address: &SocketAddr| {
        let Raised::Exception(mut exception) = os_error(error) else { return Raised::Stopped };
        if let Some(number) = error.raw_os_error() {
            exception.message = format!("[Errno {number}] {}", words(address));
            exception.args = vec![Value::Int(number.into()), Value::str(words(address))];
        }
        Raised::Exception(exception)
    };
    match failures.as_slice() {
        [(error, address)] => Err(told(error, address)),
        several => {
            let each: Vec<_> = several.iter().map(|(error, address)| message(&told(error, address))).collect();
            Err(Kind::OSError.raise(format!("Multiple exceptions: {}", each.join(", "))))
        }
    }
}

fn message(raised: &Raised) -> String {
    match raised {
        Raised::Exception(exception) => exception.message.clone(),
        Raised::Stopped => String::new(),
    }
}

/// The coroutine that reads.
fn reading(call: &Call<'_>, name: &'static str, value: &Value, until: Until) -> Result<Value, Raised> {
    let reader = reader(value)?;
    let (connection, incoming) = (Arc::clone(&reader.connection), Arc::clone(&reader.incoming));
    let turn = Arc::clone(&reader.turn);
    Ok(of_future(name, call.line, async move {
        let Ok(_turn) = turn.try_lock() else {
            let text = format!("{name}() called while another coroutine is already waiting for incoming data");
            return Err(Kind::RuntimeError.raise(text));
        };
        loop {
            if let Some(found) = locked(&incoming).take(&until) {
                return found.map(Value::bytes);
            }
            let received = receive(&connection).await.map_err(|error| os_error(&error))?;
            let mut incoming = locked(&incoming);
            incoming.ended |= received.is_empty();
            limits::bytes(incoming.bytes.len() as u128 + received.len() as u128)?;
            incoming.bytes.extend(received);
        }
    }))
}
