//! Makes a picture of the running program: the real binary in a pseudo-terminal, one screen of it as SVG.
//!
//! ```text
//! cargo build --release
//! cargo run --example picture -- assets/lab.svg 'lab -n 2' wait:READY Enter wait:RUNNING sleep:2
//! ```
//! After the file and the arguments come steps: `Enter`, `wait:TEXT`, `sleep:SECONDS`, or keys to type.

use std::fmt::Write;
use std::io::{Read, Write as _};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const COLUMNS: NonZeroU16 = NonZeroU16::new(120).expect("not 0");
const ROWS: NonZeroU16 = NonZeroU16::new(36).expect("not 0");
/// A cell in the picture's own units.
const CELL: (f64, f64) = (9.0, 18.0);
const INK: &str = "#c5c8c6";
const PAPER: &str = "#1d1f21";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(file), Some(arguments)) = (words.next(), words.next()) else {
        return Err("usage: picture FILE.svg 'ARGUMENTS' STEP…".into());
    };
    let pair = native_pty_system().openpty(PtySize {
        rows: ROWS.get(),
        cols: COLUMNS.get(),
        pixel_width: 0,
        pixel_height: 0,
    })?;
    let mut command = CommandBuilder::new(std::fs::canonicalize("target/release/gilscope")?);
    command.cwd(std::env::current_dir()?);
    command.args(arguments.split_whitespace());
    command.env("TERM", "xterm-256color");
    command.env("COLORTERM", "truecolor");
    let mut child = pair.slave.spawn_command(command)?;
    let mut keys = pair.master.take_writer()?;
    let mut output = pair.master.try_clone_reader()?;
    let shown = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
    let screen = Arc::clone(&shown);
    thread::spawn(move || {
        let mut chunk = [0; 65536];
        while let Ok(length @ 1..) = output.read(&mut chunk) {
            screen.lock().expect("no one panicked").process(&chunk[..length]);
        }
    });
    let contents = || shown.lock().expect("no one panicked").screen().contents();
    for step in words {
        match step.split_once(':') {
            Some(("wait", text)) => {
                let end = Instant::now() + Duration::from_secs(60);
                while !contents().contains(text) {
                    if Instant::now() > end {
                        child.kill()?;
                        return Err(format!("waited in vain for {text}; the screen:\n{}", contents()).into());
                    }
                    thread::sleep(Duration::from_millis(20));
                }
            }
            Some(("sleep", seconds)) => thread::sleep(Duration::from_secs_f64(seconds.parse()?)),
            _ => keys.write_all(if step == "Enter" { b"\r" } else { step.as_bytes() })?,
        }
        thread::sleep(Duration::from_millis(100));
    }
    let picture = svg(shown.lock().expect("no one panicked").screen());
    std::fs::write(&file, picture)?;
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn colour(colour: vt100::Color, default: &str) -> String {
    match colour {
        vt100::Color::Default => default.to_owned(),
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        vt100::Color::Idx(index) => {
            let basic = ["#1d1f21", "#cc6666", "#b5bd68", "#f0c674", "#81a2be", "#b294bb", "#8abeb7", "#c5c8c6"];
            basic.get(usize::from(index % 8)).unwrap_or(&INK).to_string()
        }
    }
}

/// The part of its cell a block character fills: left, top, right, bottom, 0 to 1.
fn block(text: &str) -> Option<(f64, f64, f64, f64)> {
    let c = u32::from(text.chars().next()?);
    match c {
        0x2581..=0x2588 => Some((0.0, 1.0 - f64::from(c - 0x2580) / 8.0, 1.0, 1.0)),
        0x2589..=0x258f => Some((0.0, 0.0, f64::from(0x2590 - c) / 8.0, 1.0)),
        0x2580 => Some((0.0, 0.0, 1.0, 0.5)),
        _ => None,
    }
}

fn svg(screen: &vt100::Screen) -> String {
    let (width, height) = (f64::from(COLUMNS.get()) * CELL.0, f64::from(ROWS.get()) * CELL.1);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-8 -8 {} {}\" font-family=\"'DejaVu Sans Mono', Menlo, Consolas, \
         monospace\" font-size=\"14.9\">\n<rect x=\"-8\" y=\"-8\" width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{PAPER}\"/>\n",
        width + 16.0,
        height + 16.0
    );
    for row in 0..ROWS.get() {
        for column in 0..COLUMNS.get() {
            let Some(cell) = screen.cell(row, column) else { continue };
            let (mut ink, mut paper) = (colour(cell.fgcolor(), INK), colour(cell.bgcolor(), PAPER));
            if cell.inverse() {
                std::mem::swap(&mut ink, &mut paper);
            }
            let (x, y) = (f64::from(column) * CELL.0, f64::from(row) * CELL.1);
            let mut rectangle = |left: f64, top: f64, right: f64, bottom: f64, fill: &str, opacity: f64| {
                let (w, h) = ((right - left) * CELL.0, (bottom - top) * CELL.1);
                let (x, y) = (x + left * CELL.0, y + top * CELL.1);
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.2}\" height=\"{h:.2}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>"
                );
            };
            if paper != PAPER {
                rectangle(0.0, 0.0, 1.0, 1.0, &paper, 1.0);
            }
            let text = cell.contents();
            match (text, block(text)) {
                ("" | " ", _) => {}
                ("░", _) => rectangle(0.0, 0.0, 1.0, 1.0, &ink, 0.25),
                ("▒", _) => rectangle(0.0, 0.0, 1.0, 1.0, &ink, 0.5),
                ("▓", _) => rectangle(0.0, 0.0, 1.0, 1.0, &ink, 0.75),
                (_, Some((left, top, right, bottom))) => rectangle(left, top, right, bottom, &ink, 1.0),
                (text, None) => {
                    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                    let weight = if cell.bold() { " font-weight=\"bold\"" } else { "" };
                    let _ =
                        writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{ink}\"{weight}>{text}</text>", y + 14.0);
                }
            }
        }
    }
    out.push_str("</svg>\n");
    out
}
