//! Servers that do not do what they should, each on a port of its own, for as long as the test runs.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// Answers every request with these bytes, whatever it was, and closes the connection. `None`: answers nothing and
/// keeps it open.
pub fn answering(answer: Option<&'static [u8]>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
    let port = listener.local_addr().expect("it has one").port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().flatten() {
            match answer {
                Some(answer) => {
                    std::thread::spawn(move || reply(stream, answer));
                }
                None => kept.push(stream),
            }
        }
    });
    port
}

/// Reads a request to its end, so that closing is an end and no reset.
fn reply(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(length @ 1..) => request.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    let _ = stream.write_all(answer);
}

/// A port where nobody is: it was somebody's a moment ago.
pub fn nobody() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr()).expect("there is a port").port()
}
