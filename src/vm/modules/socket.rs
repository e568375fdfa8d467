//! `socket`: connections to this machine, each a real one. The lock is
//! released for every connect, send and receive, as in CPython's
//! `Modules/socketmodule.c`.
//!
//! Nothing but loopback is reached: a workload that is handed around must not
//! be able to talk to anybody else.

use std::any::Any;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::{Detail, Line, State};
use crate::vm::exception::{Kind, Raised, os_error, type_error, value_error};
use crate::vm::methods::as_index;
use crate::vm::native::{Call, Library, Native, Outside};
use crate::vm::value::{Object, Value};

pub(super) static LIBRARY: Library = Library {
    name: "socket",
    functions: &[Native::function("create_connection", create_connection), Native::class("socket", socket)],
    constants: &[
        ("error", Value::ExceptionType(Kind::OSError)),
        ("timeout", Value::ExceptionType(Kind::TimeoutError)),
        ("AF_INET", Value::Int(libc::AF_INET as i64)),
        ("SOCK_STREAM", Value::Int(libc::SOCK_STREAM as i64)),
        ("SHUT_RD", Value::Int(0)),
        ("SHUT_WR", Value::Int(1)),
        ("SHUT_RDWR", Value::Int(2)),
    ],
};

pub(super) const METHODS: &[Native] = &[
    Native::function("connect", connect_method),
    Native::function("sendall", |call| send(call, "sendall")),
    Native::function("send", |call| send(call, "send")),
    Native::function("recv", recv),
    Native::function("close", |call| {
        let (value, _) = call.method::<0>("socket.close")?;
        close(call, value)
    }),
    Native::function("shutdown", shutdown),
    Native::function("settimeout", settimeout),
    Native::function("gettimeout", |call| {
        let (value, _) = call.method::<0>("socket.gettimeout")?;
        let timeout = this(value)?.state().timeout;
        Ok(timeout.map_or(Value::None, |timeout| Value::Float(timeout.as_secs_f64())))
    }),
    Native::function("fileno", |call| {
        let (value, _) = call.method::<0>("socket.fileno")?;
        Ok(Value::Int(this(value)?.stream().map_or(-1, |stream| stream.as_raw_fd().into())))
    }),
    Native::function("getpeername", |call| {
        let (value, _) = call.method::<0>("socket.getpeername")?;
        address(this(value)?.stream()?.peer_addr())
    }),
    Native::function("getsockname", |call| {
        let (value, _) = call.method::<0>("socket.getsockname")?;
        address(this(value)?.stream()?.local_addr())
    }),
    Native::function("__enter__", |call| {
        let (value, _) = call.method::<0>("socket.__enter__")?;
        Ok(value.clone())
    }),
    Native::function("__exit__", |call| {
        let (value, _) = call.receiver("socket.__exit__")?;
        close(call, value)
    }),
];

/// The longest that one `recv` brings, whatever was asked for. It may always bring less.
const MOST_AT_ONCE: usize = 1 << 20;

/// `socket.socket`.
struct Socket(Mutex<Inner>);

struct Inner {
    connection: Connection,
    /// None: it waits as long as it takes. Zero: not at all.
    timeout: Option<Duration>,
}

enum Connection {
    /// Not connected yet.
    None,
    /// Held by whoever is in a call besides, without the mutex, so that nobody waits for it with the GIL.
    Open(Arc<TcpStream>),
    Closed,
}

impl Socket {
    fn new(connection: Connection, timeout: Option<Duration>) -> Socket {
        Socket(Mutex::new(Inner { connection, timeout }))
    }

    fn state(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stream(&self) -> Result<Arc<TcpStream>, Raised> {
        let number = match &self.state().connection {
            Connection::Open(stream) => return Ok(Arc::clone(stream)),
            Connection::None => libc::ENOTCONN,
            Connection::Closed => libc::EBADF,
        };
        Err(os_error(&io::Error::from_raw_os_error(number)))
    }
}

impl Object for Socket {
    fn type_name(&self) -> &'static str {
        "socket"
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn this(value: &Value) -> Result<&Socket, Raised> {
    value.downcast::<Socket>().ok_or_else(|| type_error("this needs a socket.socket"))
}

/// `None`, or a number of seconds that is not negative.
pub(super) fn timeout(value: Option<&Value>) -> Result<Option<Duration>, Raised> {
    let Some(value) = value.filter(|value| !matches!(value, Value::None)) else { return Ok(None) };
    let seconds = super::time::seconds(value)?;
    if seconds < 0.0 {
        return Err(value_error("Timeout value out of range"));
    }
    // One that does not fit is longer than anybody waits.
    Ok(Duration::try_from_secs_f64(seconds).ok())
}

/// The addresses of a host, all of them this machine's.
pub(super) fn loopback(host: &str) -> Result<Vec<IpAddr>, Raised> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
    }
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => Ok(vec![address]),
        _ => Err(Kind::OSError
            .raise(format!("the miniature connects to this machine only (127.0.0.1, localhost), not to {host}"))),
    }
}

/// Connects, with the lock released.
pub(super) fn connect(
    outside: &mut dyn Outside,
    line: Line,
    host: &str,
    port: u16,
    timeout: Option<Duration>,
) -> Result<TcpStream, Raised> {
    let addresses = loopback(host)?;
    let mut connected = Err(io::Error::from_raw_os_error(libc::ECONNREFUSED));
    outside.release(State::Io, Detail::Connect, line, &mut || {
        for address in &addresses {
            let address = SocketAddr::new(*address, port);
            connected = match timeout {
                None => TcpStream::connect(address),
                Some(timeout) => TcpStream::connect_timeout(&address, timeout.max(Duration::from_millis(1))),
            };
            if connected.is_ok() {
                break;
            }
        }
    });
    let stream = connected.map_err(|error| failed(&error, timeout))?;
    set_timeout(&stream, timeout)?;
    Ok(stream)
}

/// What a call on a socket raises: one that waited for its timeout says so.
pub(super) fn failed(error: &io::Error, timeout: Option<Duration>) -> Raised {
    match (error.kind(), timeout) {
        (ErrorKind::TimedOut | ErrorKind::WouldBlock, Some(timeout)) if !timeout.is_zero() => {
            let mut exception = Kind::TimeoutError.exception("timed out");
            exception.args = vec![Value::str("timed out")];
            Raised::Exception(Box::new(exception))
        }
        _ => os_error(error),
    }
}

fn set_timeout(stream: &TcpStream, timeout: Option<Duration>) -> Result<(), Raised> {
    let waits = timeout.filter(|timeout| !timeout.is_zero());
    stream
        .set_nonblocking(timeout.is_some_and(|timeout| timeout.is_zero()))
        .and_then(|()| stream.set_read_timeout(waits))
        .and_then(|()| stream.set_write_timeout(waits))
        .map_err(|error| os_error(&error))
}

/// Sends all of it, with the lock released.
pub(super) fn send_all(
    outside: &mut dyn Outside,
    line: Line,
    mut stream: &TcpStream,
    data: &[u8],
) -> Result<(), io::Error> {
    let mut sent = Ok(());
    outside.release(State::Io, Detail::Send, line, &mut || sent = stream.write_all(data));
    sent
}

/// Receives what there is, `most` bytes at most, with the lock released; nothing at the end.
pub(super) fn receive(
    outside: &mut dyn Outside,
    line: Line,
    mut stream: &TcpStream,
    most: usize,
) -> Result<Vec<u8>, io::Error> {
    let mut bytes = vec![0; most.min(MOST_AT_ONCE)];
    let mut received = Ok(0);
    outside.release(State::Io, Detail::Recv, line, &mut || received = stream.read(&mut bytes));
    bytes.truncate(received?);
    Ok(bytes)
}

/// The pair that an address is.
fn host_and_port(value: &Value) -> Result<(String, u16), Raised> {
    let pair = match value {
        Value::Tuple(items) => items.0.as_slice(),
        other => return Err(type_error(format!("AF_INET address must be tuple, not {}", other.type_name()))),
    };
    let [Value::Str(host), port] = pair else {
        return Err(type_error("AF_INET address must be a pair (host, port)"));
    };
    let port =
        u16::try_from(as_index(port)?).map_err(|_| Kind::OverflowError.raise("connect(): port must be 0-65535."))?;
    Ok((host.as_str().to_owned(), port))
}

fn create_connection(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [address, wait] = call.bind("create_connection", call.positional(), ["address", "timeout"])?;
    let missing = || type_error("create_connection() missing 1 required positional argument: 'address'");
    let (host, port) = host_and_port(address.ok_or_else(missing)?)?;
    let wait = timeout(wait)?;
    let stream = connect(call.outside, call.line, &host, port, wait)?;
    Ok(Value::object(Socket::new(Connection::Open(Arc::new(stream)), wait)))
}

fn socket(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [family, kind] = call.bind("socket", call.positional(), ["family", "type"])?;
    for (given, only) in [(family, libc::AF_INET), (kind, libc::SOCK_STREAM)] {
        if given.map_or(Ok(only.into()), as_index)? != i64::from(only) {
            return Err(value_error("the miniature has sockets of AF_INET and SOCK_STREAM only"));
        }
    }
    Ok(Value::object(Socket::new(Connection::None, None)))
}

fn connect_method(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [address]) = call.method::<1>("socket.connect")?;
    let socket = this(value)?;
    let wait = {
        let state = socket.state();
        let number = match state.connection {
            Connection::None => None,
            Connection::Open(_) => Some(libc::EISCONN),
            Connection::Closed => Some(libc::EBADF),
        };
        if let Some(number) = number {
            return Err(os_error(&io::Error::from_raw_os_error(number)));
        }
        state.timeout
    };
    let (host, port) = host_and_port(address)?;
    let stream = connect(call.outside, call.line, &host, port, wait)?;
    socket.state().connection = Connection::Open(Arc::new(stream));
    Ok(Value::None)
}

fn send(call: &mut Call<'_>, name: &str) -> Result<Value, Raised> {
    let (value, [data]) = call.method::<1>(&format!("socket.{name}"))?;
    let Value::Bytes(data) = data else {
        return Err(type_error(format!("a bytes-like object is required, not '{}'", data.type_name())));
    };
    let socket = this(value)?;
    let (stream, wait) = (socket.stream()?, socket.state().timeout);
    if name == "sendall" {
        return match send_all(call.outside, call.line, &stream, data) {
            Ok(()) => Ok(Value::None),
            Err(error) => Err(failed(&error, wait)),
        };
    }
    let mut sent = Ok(0);
    call.outside.release(State::Io, Detail::Send, call.line, &mut || sent = (&*stream).write(data));
    sent.map(Value::from).map_err(|error| failed(&error, wait))
}

fn recv(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [most]) = call.method::<1>("socket.recv")?;
    let most = usize::try_from(as_index(most)?).map_err(|_| value_error("negative buffersize in recv"))?;
    let socket = this(value)?;
    let (stream, wait) = (socket.stream()?, socket.state().timeout);
    let received = receive(call.outside, call.line, &stream, most);
    received.map(Value::bytes).map_err(|error| failed(&error, wait))
}

/// Closing is a system call like the others, and has the lock released.
fn close(call: &mut Call<'_>, value: &Value) -> Result<Value, Raised> {
    let mut connection = std::mem::replace(&mut this(value)?.state().connection, Connection::Closed);
    if let Connection::Open(_) = connection {
        call.outside.release(State::Io, Detail::None, call.line, &mut || connection = Connection::Closed);
    }
    Ok(Value::None)
}

fn shutdown(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [how]) = call.method::<1>("socket.shutdown")?;
    let how = match as_index(how)? {
        0 => Shutdown::Read,
        1 => Shutdown::Write,
        2 => Shutdown::Both,
        _ => return Err(os_error(&io::Error::from_raw_os_error(libc::EINVAL))),
    };
    this(value)?.stream()?.shutdown(how).map_err(|error| os_error(&error))?;
    Ok(Value::None)
}

fn settimeout(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, [wait]) = call.method::<1>("socket.settimeout")?;
    let wait = timeout(Some(wait))?;
    let mut state = this(value)?.state();
    state.timeout = wait;
    if let Connection::Open(stream) = &state.connection {
        set_timeout(stream, wait)?;
    }
    Ok(Value::None)
}

fn address(address: io::Result<SocketAddr>) -> Result<Value, Raised> {
    let address = address.map_err(|error| os_error(&error))?;
    Ok(Value::tuple(vec![Value::str(address.ip().to_string()), Value::Int(address.port().into())]))
}
