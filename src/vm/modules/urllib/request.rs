//! `urllib.request.urlopen`: a GET request on a socket of our own.
//!
//! CPython's is Python code over that socket: it connects, sends and receives
//! in calls of their own and has the lock in between. So the protocol here is
//! one that does no input or output by itself (`ureq-proto`), and every system
//! call is made, and recorded, where CPython makes it. What goes wrong is
//! raised as CPython raises it: until the request is sent as a `URLError`
//! around the cause, after that as it comes (`AbstractHTTPHandler.do_open` in
//! `Lib/urllib/request.py`, `HTTPResponse` in `Lib/http/client.py`).

use std::any::Any;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Uri};
use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call as Protocol, RecvResponseResult, SendRequestResult};

use crate::event::Line;
use crate::vm::exception::{Kind, Raised, type_error, value_error};
use crate::vm::limits;
use crate::vm::methods::as_index;
use crate::vm::modules::socket;
use crate::vm::native::{Call, Native, Outside};
use crate::vm::value::{Object, Value};

/// The most that status line and headers may be (`_MAXLINE` of `Lib/http/client.py`, there of each line).
const MOST_HEAD: usize = 65536;

/// How much is received at a time (`io.DEFAULT_BUFFER_SIZE`).
const CHUNK: usize = 8192;

pub(in crate::vm::modules) const METHODS: &[Native] = &[
    Native::function("read", read),
    Native::function("getcode", |call| {
        let (value, _) = call.method::<0>("HTTPResponse.getcode")?;
        Ok(Value::Int(this(value)?.status.into()))
    }),
    Native::function("geturl", |call| {
        let (value, _) = call.method::<0>("HTTPResponse.geturl")?;
        Ok(Value::str(&*this(value)?.url))
    }),
    Native::function("close", |call| {
        let (value, _) = call.method::<0>("HTTPResponse.close")?;
        close(value)
    }),
    Native::function("__enter__", |call| {
        let (value, _) = call.method::<0>("HTTPResponse.__enter__")?;
        Ok(value.clone())
    }),
    Native::function("__exit__", |call| {
        let (value, _) = call.receiver("HTTPResponse.__exit__")?;
        close(value)
    }),
];

/// What a response has besides methods.
pub(in crate::vm::modules) const ATTRIBUTES: &[&str] = &["status", "reason", "url"];

/// `http.client.HTTPResponse`.
struct Response {
    url: Box<str>,
    status: u16,
    reason: String,
    body: Mutex<Reading>,
}

/// How far the body has been read.
enum Reading {
    Open(Box<Body>),
    /// Somebody is in the middle of it, without the mutex, so that nobody waits for that with the GIL.
    Busy,
    /// Read to its end, or closed.
    Over,
}

/// What is still to come of a body.
struct Body {
    stream: TcpStream,
    timeout: Option<Duration>,
    protocol: Protocol<RecvBody>,
    /// Received and not understood yet.
    incoming: Vec<u8>,
    /// Understood and not handed out yet.
    plain: Vec<u8>,
    /// Understood so far.
    total: u64,
}

impl Response {
    fn body(&self) -> MutexGuard<'_, Reading> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object for Response {
    fn type_name(&self) -> &'static str {
        "HTTPResponse"
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "status" => Some(Value::Int(self.status.into())),
            "reason" => Some(Value::str(&*self.reason)),
            "url" => Some(Value::str(&*self.url)),
            _ => None,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn this(value: &Value) -> Result<&Response, Raised> {
    value.downcast::<Response>().ok_or_else(|| type_error("this needs a response of urllib.request.urlopen"))
}

/// `URLError`, as it wraps what happened before the request was sent.
fn url_error(reason: Value) -> Raised {
    Kind::URLError.raise_with(format!("<urlopen error {}>", message(&reason)), vec![reason])
}

fn message(reason: &Value) -> String {
    match reason {
        Value::Exception(exception) => exception.message.clone(),
        Value::Str(text) => text.as_str().to_owned(),
        other => other.repr(),
    }
}

fn wrapped(raised: Raised) -> Raised {
    match raised {
        Raised::Exception(cause) => url_error(Value::Exception(Arc::from(cause))),
        Raised::Stopped => Raised::Stopped,
    }
}

/// One that is made with its text.
fn raised(kind: Kind, text: String) -> Raised {
    kind.raise_with(text.as_str(), vec![Value::str(text.as_str())])
}

pub(super) fn urlopen(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [url, data, timeout] = call.bind("urlopen", call.positional(), ["url", "data", "timeout"])?;
    let Some(Value::Str(url)) = url else { return Err(type_error("urlopen() needs the URL as a str")) };
    if data.is_some_and(|data| !matches!(data, Value::None)) {
        return Err(type_error("the miniature's urlopen() sends GET requests only: leave out data"));
    }
    let timeout = socket::timeout(timeout)?;
    let url = url.as_str();
    let (uri, host, port) = parsed(url)?;
    let stream = socket::connect(call.outside, call.line, &host, port, timeout).map_err(wrapped)?;
    let (request, protocol) = request(&uri)?;
    socket::send_all(call.outside, call.line, &stream, &request)
        .map_err(|error| wrapped(socket::failed(&error, timeout)))?;
    let response = response(call.outside, call.line, stream, timeout, protocol, url)?;
    if response.status / 100 != 2 {
        return Err(http_error(url, response.status, &response.reason));
    }
    Ok(Value::object(response))
}

fn parsed(url: &str) -> Result<(Uri, String, u16), Raised> {
    let Some((scheme, _)) = url.split_once(':') else {
        return Err(value_error(format!("unknown url type: {}", Value::str(url).repr())));
    };
    if !scheme.eq_ignore_ascii_case("http") {
        let reason = match scheme {
            "https" => "the miniature speaks http only, not https".to_owned(),
            other => format!("unknown url type: {}", other.to_lowercase()),
        };
        return Err(url_error(Value::str(reason)));
    }
    let wrong = || url_error(Value::str("no host given"));
    let uri: Uri = url.parse().map_err(|error| url_error(Value::str(format!("{url} is no URL: {error}"))))?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?.to_owned();
    let port = uri.port_u16().unwrap_or(80);
    Ok((uri, host, port))
}

/// The bytes of the request, and who understands the answer.
fn request(uri: &Uri) -> Result<(Vec<u8>, Protocol<RecvResponse>), Raised> {
    let cannot = |why: String| url_error(Value::str(format!("the request cannot be made: {why}")));
    let request = Request::get(uri)
        .header("Accept-Encoding", "identity")
        .header("User-Agent", "Python-urllib/3.11")
        .header("Connection", "close")
        .body(())
        .map_err(|error| cannot(error.to_string()))?;
    let mut protocol = Protocol::new(request).map_err(|error| cannot(error.to_string()))?.proceed();
    let mut bytes = vec![0; CHUNK + uri.path().len() + uri.query().map_or(0, str::len)];
    let length = protocol.write(&mut bytes).map_err(|error| cannot(error.to_string()))?;
    bytes.truncate(length);
    match protocol.proceed() {
        Ok(Some(SendRequestResult::RecvResponse(protocol))) => Ok((bytes, protocol)),
        _ => Err(cannot("it does not end".to_owned())),
    }
}

/// Receives status line and headers.
fn response(
    outside: &mut dyn Outside,
    line: Line,
    stream: TcpStream,
    timeout: Option<Duration>,
    mut protocol: Protocol<RecvResponse>,
    url: &str,
) -> Result<Response, Raised> {
    let (mut incoming, mut status) = (Vec::new(), None);
    let (mut ended, mut more) = (false, true);
    loop {
        if std::mem::replace(&mut more, true) {
            let received = socket::receive(outside, line, &stream, CHUNK);
            let received = received.map_err(|error| socket::failed(&error, timeout))?;
            ended = received.is_empty();
            if ended && incoming.is_empty() {
                let text = "Remote end closed connection without response".to_owned();
                return Err(raised(Kind::RemoteDisconnected, text));
            }
            incoming.extend(received);
            if ended {
                // CPython takes the end for the end of the headers.
                incoming.extend_from_slice(b"\r\n\r\n");
            }
        }
        if status.is_none() {
            status = status_line(&incoming, ended)?;
        }
        let Some(Status { code, reason }) = &status else { continue };
        if (101..200).contains(code) {
            // CPython skips no other interim answer than 100.
            return Err(http_error(url, *code, reason));
        }
        let understood = protocol.try_response(&incoming, false);
        let (used, head) = understood.map_err(|error| {
            raised(Kind::HTTPException, format!("the headers of the answer cannot be understood: {error}"))
        })?;
        incoming.drain(..used);
        if head.is_none() {
            // An interim answer has been left behind, and what comes anew may be here.
            if used > 0 {
                (status, more) = (None, false);
            } else if ended || incoming.len() > MOST_HEAD {
                let text = format!("got more than {MOST_HEAD} bytes when reading header line");
                return Err(raised(Kind::HTTPException, text));
            }
            continue;
        }
        let body = match protocol.proceed() {
            Some(RecvResponseResult::RecvBody(protocol)) => {
                Reading::Open(Box::new(Body { stream, timeout, protocol, incoming, plain: Vec::new(), total: 0 }))
            }
            _ => Reading::Over,
        };
        let (status, reason) = (*code, reason.clone());
        return Ok(Response { url: url.into(), status, reason, body: Mutex::new(body) });
    }
}

/// What a status line says.
struct Status {
    code: u16,
    reason: String,
}

/// The status line, as soon as it is here. What is none is refused with its text (`HTTPResponse._read_status`).
fn status_line(incoming: &[u8], ended: bool) -> Result<Option<Status>, Raised> {
    let line = match incoming.iter().position(|byte| *byte == b'\n') {
        Some(end) => &incoming[..=end],
        None if incoming.len() > MOST_HEAD => {
            return Err(raised(
                Kind::HTTPException,
                format!("got more than {MOST_HEAD} bytes when reading status line"),
            ));
        }
        None => return Ok(None),
    };
    // Latin-1: each byte a character. The line break that stands for a missing one is not part of it.
    let line: String = line.iter().map(|byte| char::from(*byte)).collect();
    let mut words = line.trim_end().splitn(3, char::is_whitespace);
    let (version, code) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let known = code.parse::<u16>().ok().filter(|number| code.len() == 3 && *number >= 100);
    let Some(code) = known.filter(|_| version.starts_with("HTTP/")) else {
        let missing = ended && incoming.len() == line.len() + 2;
        return Err(raised(Kind::BadStatusLine, if missing { line.trim_end().to_owned() } else { line }));
    };
    Ok(Some(Status { code, reason: words.next().unwrap_or_default().trim().to_owned() }))
}

/// `HTTPError`: made of the URL, the code and its words.
fn http_error(url: &str, code: u16, reason: &str) -> Raised {
    if code / 100 == 3 {
        let text = format!("the miniature follows no redirects (HTTP {code}): give the URL it leads to");
        return url_error(Value::str(text));
    }
    let mut exception = Kind::HTTPError.exception(format!("HTTP Error {code}: {reason}"));
    exception.args = vec![Value::str(url), Value::Int(code.into()), Value::str(reason)];
    Raised::Exception(Box::new(exception))
}

fn read(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (value, args) = call.receiver("HTTPResponse.read")?;
    let response = this(value)?;
    let [most] = call.bind("read", args, ["amt"])?;
    let most = match most {
        None | Some(Value::None) => None,
        // A negative number is all there is.
        Some(most) => usize::try_from(as_index(most)?).ok(),
    };
    let reading = std::mem::replace(&mut *response.body(), Reading::Busy);
    let mut body = match reading {
        Reading::Open(body) => body,
        Reading::Over => {
            *response.body() = Reading::Over;
            return Ok(Value::bytes(Vec::new()));
        }
        Reading::Busy => return Err(Kind::RuntimeError.raise("another thread is reading this response")),
    };
    let complete = body.fill(call.outside, call.line, most);
    let length = most.map_or(body.plain.len(), |most| most.min(body.plain.len()));
    let rest = body.plain.split_off(length);
    let bytes = std::mem::replace(&mut body.plain, rest);
    let over = matches!(complete, Ok(true)) && body.plain.is_empty() || complete.is_err();
    *response.body() = if over { Reading::Over } else { Reading::Open(body) };
    complete.map(|_| Value::bytes(bytes))
}

impl Body {
    /// Receives until there are so many bytes, or all. Whether that was all.
    fn fill(&mut self, outside: &mut dyn Outside, line: Line, most: Option<usize>) -> Result<bool, Raised> {
        loop {
            self.understand()?;
            if self.protocol.can_proceed() && !self.ends_with_connection() {
                return Ok(true);
            }
            if most.is_some_and(|most| self.plain.len() >= most) {
                return Ok(false);
            }
            let received = socket::receive(outside, line, &self.stream, CHUNK);
            let received = received.map_err(|error| socket::failed(&error, self.timeout))?;
            if received.is_empty() {
                return if self.ends_with_connection() { Ok(true) } else { Err(self.incomplete()) };
            }
            self.incoming.extend(received);
        }
    }

    fn ends_with_connection(&self) -> bool {
        self.protocol.body_mode() == BodyMode::CloseDelimited
    }

    /// From what was received to what it means.
    fn understand(&mut self) -> Result<(), Raised> {
        loop {
            let mut plain = [0; CHUNK];
            let (used, made) = self.protocol.read(&self.incoming, &mut plain).map_err(|error| {
                raised(Kind::HTTPException, format!("the body of the answer cannot be understood: {error}"))
            })?;
            self.incoming.drain(..used);
            self.plain.extend_from_slice(&plain[..made]);
            self.total += made as u64;
            limits::bytes(self.plain.len() as u128)?;
            if used == 0 && made == 0 {
                return Ok(());
            }
        }
    }

    fn incomplete(&self) -> Raised {
        let rest = match self.protocol.body_mode() {
            BodyMode::LengthDelimited(rest) => format!(", {rest} more expected"),
            _ => String::new(),
        };
        raised(Kind::IncompleteRead, format!("IncompleteRead({} bytes read{rest})", self.total))
    }
}

fn close(value: &Value) -> Result<Value, Raised> {
    *this(value)?.body() = Reading::Over;
    Ok(Value::None)
}
