//! The process itself: one thread, and a future for each connection.
//!
//! Its lane says when that thread waits for something to come (`io`) and when
//! it sees to what came (`native`). A connection that says nothing costs a
//! socket and a future; only one that speaks gets a buffer.

use std::convert::Infallible;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::Serve;
use crate::event::{Detail, EventKind, Line, State};
use crate::interp::channel::Channel;
use crate::interp::message::WORKER_LIMIT;
use crate::interp::spawn::{Born, DONE};
use crate::record::{Recorder, Rings};

/// The longest that anybody waits for an answer.
const LONGEST: f64 = 3600.0;

/// Where connections cannot be taken in, because all descriptors are in use, those that end make room.
const BREATH: Duration = Duration::from_millis(10);

/// Serves until its maker closes the channel.
pub(in crate::interp) fn live(born: Born) -> Result<(), String> {
    let rings = Rings::open(born.rings).map_err(|error| error.to_string())?;
    let recorder = if born.record { Recorder::new(&rings, born.lane.0, born.lane) } else { Recorder::off() };
    let recorder = Arc::new(Mutex::new(recorder));
    let enter = |to, detail| record(&recorder, EventKind::State { to, detail });
    enter(State::Starting, Detail::Init);
    let mut channel = Channel::new(born.channel, WORKER_LIMIT);
    let told = channel.receive_waiting::<Serve>().map_err(|error| error.to_string())?;
    let (Some(_), Some([listener])) = (told, channel.take_descriptors()) else {
        return Err("nobody said where to listen".to_owned());
    };
    let no_runtime = |error: std::io::Error| format!("the slow server cannot run: {error}");
    let hook = |to, detail| {
        let recorder = Arc::clone(&recorder);
        move || record(&recorder, EventKind::State { to, detail })
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(hook(State::Io, Detail::Recv))
        .on_thread_unpark(hook(State::Native, Detail::None))
        .build()
        .map_err(no_runtime)?;
    let served = runtime.block_on(async {
        let listener = std::net::TcpListener::from(listener);
        listener.set_nonblocking(true)?;
        let maker = UnixStream::from(channel.into_socket());
        maker.set_nonblocking(true)?;
        let maker = tokio::net::UnixStream::from_std(maker)?;
        tokio::select! {
            () = accept(TcpListener::from_std(listener)?) => {}
            // Nothing more is said on it: what can be read is its end.
            readable = maker.readable() => readable?,
        }
        Ok(())
    });
    // Answers that are still due are not given: whoever waits for one sees the connection end.
    runtime.shutdown_background();
    record(&recorder, DONE);
    served.map_err(no_runtime)
}

fn record(recorder: &Mutex<Recorder>, kind: EventKind) {
    recorder.lock().unwrap_or_else(PoisonError::into_inner).record(Line::NONE, kind);
}

/// Takes in whoever comes, for ever.
async fn accept(listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        tokio::spawn(async move {
            if stream.readable().await.is_ok() {
                // However a connection ends, it is its own affair.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            }
        });
    }
}

/// `/delay/SECONDS` is answered so much later, `/` at once, anything else not at all.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let (status, text) = match path.strip_prefix("/delay/").map(str::parse::<f64>) {
        Some(Ok(seconds)) if (0.0..=LONGEST).contains(&seconds) => {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            (StatusCode::OK, format!("answered after {seconds:?} s\n"))
        }
        Some(_) => (StatusCode::BAD_REQUEST, format!("a delay is a number of seconds, 0 to {LONGEST:?}\n")),
        None if path == "/" => (StatusCode::OK, "answered at once\n".to_owned()),
        None => (StatusCode::NOT_FOUND, "ask for /delay/SECONDS\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}
