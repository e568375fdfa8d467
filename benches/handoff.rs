//! How long two CPU-bound threads hold the lock at a time: ours and, where there is one, a real CPython's, in turns.
//!
//! Both are measured alike and from within: each thread reads the clock all the time and notes how long it could go
//! on between two gaps of more than a millisecond. `PYTHON=/path/to/python3` picks the interpreter, `ROUNDS=n` how
//! often to go round.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;

use gilscope::clock::{Clock, Monotonic};
use gilscope::event::{LaneId, Nanos};
use gilscope::gil::{Gil, REQUEST};

const INTERVAL: Nanos = Nanos::from_millis(5);
const ROUND: Nanos = Nanos::from_secs(2);
const GAP: Nanos = Nanos::from_millis(1);

const PYTHON: &str = "
import threading, time
def spin(log, now=time.perf_counter_ns):
    began = last = now()
    while last < until:
        t = now()
        if t - last > 1_000_000:
            log.append(last - began)
            began = t
        last = t
logs = [], []
until = time.perf_counter_ns() + 2_000_000_000
threads = [threading.Thread(target=spin, args=(log,)) for log in logs]
for t in threads: t.start()
for t in threads: t.join()
print(*logs[0], *logs[1])
";

fn ours() -> Vec<u64> {
    let gil = Gil::new();
    let until = Monotonic.now() + ROUND;
    let spin = |lane: LaneId| {
        let mut log = Vec::new();
        gil.take(lane, || INTERVAL, || (), |_| ());
        let mut began = Monotonic.now();
        let mut last = began;
        while last < until {
            if gil.breaker().load(Ordering::Relaxed) & REQUEST != 0 {
                gil.drop_lock(lane, |_| ());
                gil.take(lane, || INTERVAL, || (), |_| ());
            }
            let now = Monotonic.now();
            if now - last > GAP {
                log.push((last - began).0);
                began = now;
            }
            last = now;
        }
        gil.drop_lock(lane, |_| ());
        log
    };
    thread::scope(|scope| {
        let threads = [LaneId(0), LaneId(1)].map(|lane| scope.spawn(move || spin(lane)));
        threads.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    })
}

fn cpython(python: &str) -> Option<Vec<u64>> {
    let output = Command::new(python).args(["-c", PYTHON]).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.split_whitespace().map(|hold| hold.parse().ok()).collect()
}

fn show(name: &str, mut holds: Vec<u64>, rounds: u32) {
    holds.sort_unstable();
    let at = |percent: usize| Nanos(holds.get(holds.len() * percent / 100).copied().unwrap_or(0)).as_millis_f64();
    let rate = holds.len() as f64 / (ROUND.as_secs_f64() * f64::from(rounds));
    println!(
        "{name:>10}  p5 {:6.3}  p50 {:6.3}  p95 {:6.3}  p99 {:6.3} ms   {rate:5.1} turns/s",
        at(5),
        at(50),
        at(95),
        at(99)
    );
}

fn main() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let (mut miniature, mut real) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        miniature.extend(ours());
        real.extend(cpython(&python).unwrap_or_default());
    }
    show("miniature", miniature, rounds);
    if real.is_empty() {
        println!("no {python} to compare with");
    } else {
        show("CPython", real, rounds);
    }
}
