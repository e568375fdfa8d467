//! Programs, run under a host that only counts.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::event::{Detail, Line, State};

use super::{Alone, Host, Module, Program, Raised, Rules, Thread, Value, compile};

fn program(source: &str) -> Arc<Program> {
    Arc::new(compile(source, "test.py").unwrap_or_else(|error| panic!("{error}")))
}

/// What `work()` returns, or what it raises and in which line.
fn run(source: &str) -> String {
    let module = Module::new(program(source), "__mp_main__");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    match thread.run_body().and_then(|()| thread.call("work", Vec::new(), Vec::new())) {
        Ok(value) => value.repr(),
        Err(Raised::Exception(exception)) => format!("{exception} (line {})", exception.line),
        Err(Raised::Stopped) => "stopped".into(),
    }
}

#[test]
fn squares_are_summed() {
    let source = "def work(n=10):\n    total = 0\n    for i in range(n):\n        total += i**2\n    return total\n";
    assert_eq!(run(source), "285");
}

#[test]
fn a_sum_that_outgrows_64_bits_goes_on() {
    let source = "def work():\n    x = 2**62\n    for i in range(4):\n        x += x\n    return x, x - 2**66 + 1\n";
    assert_eq!(run(source), "(73786976294838206464, 1)");
}

#[test]
fn globals_are_shared_and_functions_call_each_other() {
    let source = "
counter = 0

def bump(by=1, *, times=1):
    global counter
    counter += by * times
    return counter

def work():
    bump()
    bump(2)
    bump(times=3)
    return bump(by=10), counter
";
    assert_eq!(run(source), "(16, 16)");
}

#[test]
fn exceptions_carry_their_line_and_unwind_to_their_handler() {
    assert_eq!(
        run("def f(x):\n    return 1 // x\n\ndef work():\n    return f(0)\n"),
        "ZeroDivisionError: integer division or modulo by zero (line 2)"
    );
    let source = "
def f(x):
    for i in range(3):
        try:
            if i == x:
                raise ValueError('here')
        except (KeyError, ValueError) as error:
            return str(error), i
        finally:
            if i == 1:
                break
    return 'end'

def work():
    return f(0), f(1), f(2)
";
    assert_eq!(run(source), "(('here', 0), 'end', 'end')");
}

#[test]
fn recursion_ends_at_python_s_limit_and_not_on_the_rust_stack() {
    assert_eq!(
        run("def work(n=0):\n    return work(n + 1)\n"),
        "RecursionError: maximum recursion depth exceeded (line 2)"
    );
}

#[test]
fn no_operation_on_ints_keeps_the_lock_for_more_than_seconds() {
    for operation in ["a // b", "a % b", "divmod(a, b)", "math.gcd(a, b)", "math.isqrt(a)", "pow(3, 5, a)"] {
        let source = format!(
            "import math\ndef work():\n    a = 1 << 60000000\n    b = (1 << 30000000) + 1\n    return {operation}\n"
        );
        assert!(run(&source).starts_with("MemoryError: ints this long"), "{operation}");
    }
    assert_eq!(run("def work():\n    return (1 << 60000000) // 7 % 1000\n"), "625");
}

#[test]
fn a_running_total_that_others_hold_too_is_not_changed_under_them() {
    let source = "
def work():
    seen = []
    total = 2**64
    for i in range(3):
        seen.append(total)
        total += 1
        total += 1
    return [x - 2**64 for x in seen], total - 2**64
";
    assert_eq!(run(source), "([0, 2, 4], 6)");
}

#[test]
fn the_lock_is_released_for_compression_and_products() {
    let source = "
import zlib, numpy
def work():
    packed = zlib.compress(b'a')
    zlib.crc32(b'a')
    zlib.crc32(b'a' * 6000)
    zlib.decompress(packed)
    a = numpy.ones((2, 2))
    return numpy.dot(a, a).sum()
";
    let module = Module::new(program(source), "__main__");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    thread.run_body().unwrap();
    assert_eq!(thread.call("work", Vec::new(), Vec::new()).unwrap().repr(), "8.0");
    let lines: Vec<u32> = thread.host().released.iter().map(|(_, _, line)| line.0).collect();
    assert_eq!(lines, [4, 6, 7, 9]);
    assert!(thread.host().released.iter().all(|(state, ..)| *state == State::Native));
}

#[test]
fn the_lock_is_released_for_sleeps_and_long_hashes_only() {
    let source = "
import time, hashlib

def work():
    time.sleep(0)
    hashlib.sha256(b'x' * 2047)
    return hashlib.sha256(b'x' * 2048).hexdigest()[:8]
";
    let module = Module::new(program(source), "test");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    thread.run_body().unwrap();
    thread.call("work", Vec::new(), Vec::new()).unwrap();
    let expected = [(State::Io, Detail::Sleep, Line(5)), (State::Native, Detail::None, Line(7))];
    assert_eq!(thread.host().released, expected);
}

/// How many safe points a call passes while somebody wants something all the time.
fn safe_points(source: &str, rules: Rules) -> u64 {
    let module = Module::new(program(source), "test");
    let mut thread = Thread::new(&module, Alone::default(), rules);
    thread.run_body().unwrap();
    thread.host().breaker().store(1, Relaxed);
    thread.call("work", Vec::new(), Vec::new()).unwrap();
    thread.host().safe_points
}

#[test]
fn under_the_newer_rules_only_calls_and_jumps_back_are_safe_points() {
    let source = "
counter = 0
def work():
    global counter
    counter += 1
    counter += 1
";
    assert_eq!(safe_points(source, Rules::V3_10), 1, "RESUME");
    assert!(safe_points(source, Rules::V3_9) >= 9, "every instruction");
    let source = "def work():\n    for i in range(5):\n        abs(i)\n";
    assert_eq!(
        safe_points(source, Rules::V3_10),
        1 + 5 * 2 + 1,
        "RESUME, five times CALL and JUMP_BACKWARD, and range()"
    );
}

#[test]
fn a_stopped_thread_unwinds_without_running_handlers() {
    let source = "
def work():
    try:
        while True:
            pass
    finally:
        print('no')
";
    let module = Module::new(program(source), "test");
    let mut host = Alone::default();
    host.stop_after = Some(100);
    host.breaker().store(1, Relaxed);
    let mut thread = Thread::new(&module, host, Rules::V3_10);
    thread.run_body().unwrap();
    assert!(matches!(thread.call("work", Vec::new(), Vec::new()), Err(Raised::Stopped)));
    assert_eq!(thread.host().printed, "");
}

#[test]
fn what_is_told_to_be_done_grows_with_the_work_to_the_last_instruction() {
    let module = Module::new(
        program("def work(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"),
        "__mp_main__",
    );
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    thread.run_body().unwrap();
    let mut worked = |n| {
        thread.host().worked = 0;
        thread.call("work", vec![Value::Int(n)], Vec::new()).unwrap();
        thread.host().worked
    };
    let (none, one) = (worked(0), worked(1));
    assert!(one > none);
    assert_eq!(worked(100_000), none + 100_000 * (one - none));
}

#[test]
fn long_work_has_heartbeats() {
    let module = Module::new(program("def work():\n    for i in range(10000):\n        i + 1\n"), "test");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    thread.run_body().unwrap();
    thread.call("work", Vec::new(), Vec::new()).unwrap();
    assert!((20..200).contains(&thread.host().heartbeats), "{}", thread.host().heartbeats);
}

#[test]
fn threads_that_share_a_lock_lose_no_update() {
    let source = "
import threading
import time
lock = threading.Lock()
counter = 0

def work(n=200):
    global counter
    for i in range(n):
        with lock:
            value = counter
            time.sleep(0)
            counter = value + 1
    return counter
";
    let module = Module::new(program(source), "test");
    Thread::new(&module, Alone::default(), Rules::V3_10).run_body().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut thread = Thread::new(&module, Alone::default(), Rules::V3_9);
                thread.call("work", Vec::new(), vec![("n".into(), Value::Int(200))]).unwrap();
            });
        }
    });
    assert_eq!(module.global("counter").unwrap().repr(), "800");
}

#[test]
fn a_queue_hands_items_from_thread_to_thread() {
    let source = "
import queue
items = queue.Queue(2)

def produce(n):
    for i in range(n):
        items.put(i)

def consume(n):
    total = 0
    for i in range(n):
        total += items.get()
        items.task_done()
    return total
";
    let module = Module::new(program(source), "test");
    Thread::new(&module, Alone::default(), Rules::V3_10).run_body().unwrap();
    let total = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
            thread.call("produce", vec![Value::Int(100)], Vec::new()).unwrap();
        });
        let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
        thread.call("consume", vec![Value::Int(100)], Vec::new()).unwrap()
    });
    assert_eq!(total.repr(), "4950");
}

#[test]
fn the_body_knows_its_name() {
    let source = "ran = []\nif __name__ == '__main__':\n    ran.append('main')\nran.append(__name__)\ndef work():\n    return ran\n";
    assert_eq!(run(source), "['__mp_main__']");
}

#[test]
fn a_disassembly_reads_like_dis() {
    let program =
        program("def work(n):\n    total = 0\n    for i in range(n):\n        total += i**2\n    return total\n");
    let text = program.disassemble();
    for name in
        ["RESUME", "FOR_ITER", "BINARY_OP             **", "BINARY_OP             +=", "JUMP_BACKWARD", "RETURN_VALUE"]
    {
        assert!(text.contains(name), "{name} in\n{text}");
    }
    assert!((0..program.len() as u32).any(|pc| program.line_of(pc) == Line(4)));
    assert_eq!(program.line_of(u32::MAX), Line::NONE);
}
