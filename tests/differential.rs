//! The same programs in the miniature and in a real `python3`: the same results, exceptions included.

#[path = "common/python.rs"]
mod common;
#[path = "common/servers.rs"]
mod servers;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use gilscope::interp::SlowServer;
use gilscope::vm::{Alone, EventLoop, Module, Raised, Rules, StreamPrices, Thread, Value, compile, pickle};
use gilscope::workload;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// What `work()` of a source comes to.
fn ours(source: &str) -> String {
    let program = match compile(source, "test.py") {
        Ok(program) => Arc::new(program),
        Err(error) => return format!("refused: {error}"),
    };
    let module = Module::new(program, "test");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    let mut result = thread.run_body().and_then(|()| thread.call("work", Vec::new(), Vec::new()));
    if matches!(&result, Ok(value) if value.type_name() == "coroutine") {
        let mut event_loop = EventLoop::new(StreamPrices::default()).expect("a descriptor is to be had");
        result = result.and_then(|coroutine| event_loop.run_one(&mut thread, coroutine));
    }
    match result {
        Ok(value) => value.repr(),
        Err(Raised::Exception(exception)) => format!("{exception} @{}", exception.line),
        Err(Raised::Stopped) => "stopped".into(),
    }
}

/// The other side of [`ours`], for all sources at once: they come separated by NULs, and so go the results.
const DRIVER: &str = r#"
import asyncio, inspect, logging, sys, traceback, warnings
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
sys.set_int_max_str_digits(4300)
out = []
stdout, sys.stdout = sys.stdout, open("/dev/null", "w")
for source in sys.stdin.buffer.read().decode().split("\0"):
    space = {"__name__": "test"}
    try:
        exec(compile(source, "test.py", "exec"), space)
        result = space["work"]()
        out.append(repr(asyncio.run(result) if inspect.iscoroutine(result) else result))
    except BaseException as error:
        lines = [entry.lineno for entry in traceback.extract_tb(error.__traceback__) if entry.filename == "test.py"]
        text = str(error)
        out.append(type(error).__name__ + (": " + text if text else "") + " @" + str(lines[-1] if lines else 0))
stdout.buffer.write("\0".join(out).encode())
"#;

/// Compares, and says of each program where the two differ.
fn compare(sources: &[String]) {
    let Some(python) = common::python3() else { return };
    let theirs = common::run_python(&python, DRIVER, sources.join("\0").as_bytes());
    let theirs = String::from_utf8(theirs).expect("it is UTF-8");
    let theirs: Vec<&str> = theirs.split('\0').collect();
    assert_eq!(theirs.len(), sources.len());
    let mut differences = String::new();
    for (source, theirs) in sources.iter().zip(theirs) {
        if theirs.starts_with("ModuleNotFoundError: No module named 'numpy'") {
            eprintln!("skipped: this python3 has no numpy");
            continue;
        }
        // Worded so since 3.13; before, without the last two words.
        let plain = |text: &str| text.replace("float modulo by zero", "float modulo");
        let ours = ours(source);
        if plain(&ours) != plain(theirs) {
            let _ = writeln!(differences, "--- {source}\n  ours   {ours}\n  python {theirs}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

fn expressions(lines: &str) -> Vec<String> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("import math, time, hashlib, threading\ndef f(a, b=2, *, c=3):\n    return a, b, c\ndef work():\n    x = 5\n    s = 'héllo wörld'\n    l = [3, 1, 2]\n    d = {{'a': 1, 2: 'b'}}\n    return {line}\n")).collect()
}

#[test]
fn expressions_come_to_what_python_says() {
    compare(&expressions(include_str!("differential/expressions.txt")));
}

#[test]
fn programs_come_to_what_python_says() {
    let programs = include_str!("differential/programs.py").split("# ---\n");
    compare(&programs.map(String::from).filter(|program| !program.trim().is_empty()).collect::<Vec<_>>());
}

#[test]
fn coroutines_come_to_what_python_says() {
    let programs = include_str!("differential/coroutines.py").split("# ---\n");
    compare(&programs.map(String::from).filter(|program| !program.trim().is_empty()).collect::<Vec<_>>());
}

/// Ints around the lengths from which on the miniature keeps them in another way.
fn ints_at_borders() -> impl Strategy<Value = String> {
    let bits = proptest::sample::select(vec![62, 63, 64, 118, 119, 120, 126, 127]);
    (any::<bool>(), bits, -2i128..=2)
        .prop_map(|(negative, bits, off)| (if negative { "-" } else { "" }, (1u128 << bits).wrapping_add_signed(off)))
        .prop_map(|(sign, magnitude)| format!("{sign}{magnitude}"))
}

fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => ints_at_borders(),
        4 => (-20i64..20).prop_map(|value| value.to_string()),
        2 => any::<i64>().prop_map(|value| value.to_string()),
        1 => any::<i128>().prop_map(|value| value.to_string()),
        2 => (-1000i32..1000).prop_map(|value| format!("{:?}", f64::from(value) / 8.0)),
        1 => any::<f64>().prop_filter("a literal", |value| value.is_finite()).prop_map(|value| format!("{value:?}")),
        1 => any::<bool>().prop_map(|value| if value { "True".into() } else { "False".into() }),
    ]
}

fn arithmetic() -> impl Strategy<Value = String> {
    numbers().prop_map(|number| format!("({number})")).prop_recursive(4, 24, 2, |inner| {
        let operators = ["+", "-", "*", "/", "//", "%", "&", "|", "^", "<", "<=", "==", "!=", ">", ">=", "and", "or"];
        prop_oneof![
            8 => (inner.clone(), proptest::sample::select(operators.to_vec()), inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            1 => (inner.clone(), 0u32..70).prop_map(|(a, by)| format!("({a} << {by})")),
            1 => (inner.clone(), 0u32..70).prop_map(|(a, by)| format!("({a} >> {by})")),
            1 => (inner.clone(), 0i32..6).prop_map(|(a, by)| format!("({a} ** {by})")),
            1 => (inner.clone(), proptest::sample::select(vec!["-", "+", "~", "not "]))
                .prop_map(|(a, operator)| format!("({operator}{a})")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} < {b} <= {c})")),
        ]
    })
}

#[test]
fn random_arithmetic_comes_to_what_python_says() {
    let mut runner = TestRunner::deterministic();
    let strategy = arithmetic();
    let draw = |runner: &mut TestRunner| strategy.new_tree(runner).expect("it never refuses").current();
    let programs: Vec<String> = (0..2000).map(|_| format!("def work():\n    return {}\n", draw(&mut runner))).collect();
    compare(&programs);
}

/// What `a` and `b` can be put to, each an int.
const USES_OF_INTS: &str = "
a, -a, +a, ~a, abs(a), bool(a), a, str(a), repr(a), f'{a:x} {a:,} {a:e} {a:+d} {a:#b} {a:o} {a:45}', hex(a), bin(a), oct(a)
a + b, a - b, b - a, a * b, a // b, a % b, b // a, b % a, divmod(a, b), a & b, a | b, a ^ b
a / b, b / a, a / 7, a / 2**70, 2**70 / a
a << 1, a << 3, a >> 1, a << 60, a >> 60, a >> 63, a >> 64, a >> 119, a >> 127, a >> 128, a >> 500, a ** 2, a ** 3, a ** 0
a >> b
a < b, a <= b, a == b, a != b, a > b, a >= b, a == a + 0, a is a, a in [b, a], [b, a].index(a), [a, a].count(a)
float(a), int(float(a)), a + 0.5, a * 0.5, a == float(a), a < float(b), float(b) >= a, a // 1.0, a ** 0.5 if a > 0 else 0
int(str(a)), int(hex(a), 16), int(a), round(a), round(a, -1), round(a, -5), round(a, -19), round(a, -37), round(float(a), -5)
pow(a, 3), pow(a, 3, b), pow(3, 65, a), pow(a, 2, 7), pow(a, 4, 2**64)
a.bit_length(), a.bit_count(), a.conjugate(), isinstance(a, int), abs(a).to_bytes(17, 'big'), abs(a).to_bytes(20, 'little')
abs(a).to_bytes(8, 'big')
a.to_bytes(16, 'big')
{a: 1, float(a): 2, b: 3, a + b - b: 4, (a, b): 5}, {a: 1}.get(b), {a: 1}[b + (a - b)], {float(a): 1}.get(a), a in {a + 1: 0}
{a: 1}[b]
sum([a, b, 1]), sum([a, -a, b]), min(a, b), max([a, b]), sorted([a, b, 0, float(a), 2**64]), [a, b] < [b, a], (a,) == (a,)
math.gcd(a, b), math.isqrt(abs(a)), math.floor(a), math.ceil(a), math.log2(abs(a)), math.log(abs(a)), math.log10(abs(a)), math.sqrt(abs(a)), math.fabs(a)
[1, 2, 3][a:], [1, 2, 3][:a], 'abc'[a:b], [1, 2, 3][::a], [1, 2, 3][b:a:-1]
[1][a]
'x' * a
a in range(10), a == True, a + True, True - a, a * False, a and b, a or b, not a
a // 0
a % 0
a / 0
a & 1.0
a + 'x'
";

/// Totals that go over the borders and come back, kept where they can be added to in place.
const TOTALS: &str = "
    x, r, c, g = a, [], a, 0
    for y in [b, 1, -b, -1, a, -a, 2**62, 2**62, -2**63, b, -b, 2**119, -2**119, 2**127, -2**128, 2**127, b - a]:
        x += y
        c -= y
        g = x - y
        kept = x
        x += 1
        r.append((x, c, kept, g))
        x -= 1
        x *= 3
        x //= 3
    return r, x == a
";

#[test]
fn ints_of_all_lengths_come_to_what_python_says() {
    let mut runner = TestRunner::deterministic();
    let strategy = ints_at_borders();
    let mut draw = || strategy.new_tree(&mut runner).expect("it never refuses").current();
    let mut programs = Vec::new();
    for _ in 0..60 {
        let head = format!("import math\n\ndef work():\n    a, b = {}, {}\n", draw(), draw());
        let uses = USES_OF_INTS.lines().filter(|line| !line.is_empty());
        programs.extend(uses.map(|expression| format!("{head}    return {expression}\n")));
        programs.push(format!("{head}{TOTALS}"));
    }
    compare(&programs);
}

/// What `finally` protects is compiled once for each way out, by CPython as well: nesting multiplies.
const MOST_STATEMENTS: u32 = 40;

/// Writes statements that leave blocks in every way there is, nested at random.
struct Jumps {
    state: u64,
    lines: String,
    written: u32,
}

impl Jumps {
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % limit
    }

    fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.lines, "{}{text}", "    ".repeat(indent));
    }

    fn block(&mut self, indent: usize, depth: u32, in_loop: bool) {
        for _ in 0..=self.below(3) {
            self.statement(indent, depth, in_loop);
        }
    }

    fn statement(&mut self, indent: usize, depth: u32, in_loop: bool) {
        self.written += 1;
        let (kind, number) =
            (if depth == 0 || self.written > MOST_STATEMENTS { self.below(9) } else { self.below(20) }, self.written);
        match kind {
            0..3 => self.line(indent, &format!("r.append({number})")),
            3 if in_loop => self.line(indent, "break"),
            4 if in_loop => self.line(indent, "continue"),
            5 => self.line(indent, &format!("return {number}")),
            6..8 => {
                let raised = ["raise ValueError(n)", "x = {}[n]", "x = 1 // 0", "raise", "raise e"];
                let raised = raised[self.below(5) as usize];
                self.line(indent, raised);
            }
            3..9 => self.line(indent, "n += 1"),
            9..13 => {
                let (times, until) = (self.below(4), self.below(12));
                let head =
                    if kind < 11 { format!("for i{indent} in range({times}):") } else { format!("while n < {until}:") };
                self.line(indent, &head);
                self.line(indent + 1, "n += 1");
                self.line(indent + 1, "if n > 40:");
                self.line(indent + 2, "return 'deep'");
                self.block(indent + 1, depth - 1, true);
                if self.below(3) == 0 {
                    self.line(indent, "else:");
                    self.block(indent + 1, depth - 1, in_loop);
                }
            }
            13 => {
                let head = format!("if n % 3 == {}:", self.below(3));
                self.line(indent, &head);
                self.block(indent + 1, depth - 1, in_loop);
            }
            14 => {
                self.line(indent, &format!("with locks[{}]:", indent.min(9)));
                self.block(indent + 1, depth - 1, in_loop);
            }
            _ => {
                self.line(indent, "try:");
                self.block(indent + 1, depth - 1, in_loop);
                let handles = self.below(3);
                for class in ["ValueError", "LookupError", "ArithmeticError"].into_iter().take(handles as usize) {
                    let name = if self.below(2) == 0 { "" } else { " as e" };
                    self.line(indent, &format!("except {class}{name}:"));
                    self.block(indent + 1, depth - 1, in_loop);
                }
                if handles == 0 || self.below(2) == 0 {
                    self.line(indent, "finally:");
                    self.block(indent + 1, depth - 1, in_loop);
                }
            }
        }
    }
}

#[test]
fn blocks_left_in_every_way_come_to_what_python_says() {
    let program = |seed: u64| {
        let mut jumps = Jumps { state: seed, lines: String::new(), written: 0 };
        jumps.block(1, 4, false);
        format!(
            "import threading\nlocks = [threading.Lock() for i in range(10)]\n\ndef f(r):\n    n = 0\n    e = RuntimeError('first')\n{}    \
             return n, e\n\ndef work():\n    r = []\n    try:\n        v = f(r)\n    except Exception as error:\n        v = repr(error)\n    \
             return r[:60], v, [lock.locked() for lock in locks]\n",
            jumps.lines
        )
    };
    compare(&(0..1000).map(program).collect::<Vec<_>>());
}

#[test]
fn the_bundled_workloads_return_what_python_returns() {
    let small = [
        ("sum-squares", "n=1000"),
        ("sleep", "seconds=0.001"),
        ("count", "n=1000"),
        ("primes", "n=1000"),
        ("hash", "n=1, rounds=2"),
        ("mixed", "n=100, seconds=0.001, rounds=3"),
        ("matmul", "n=1, side=20"),
        ("compress", "n=1, mib=1"),
        ("chai", "n=2, order=0.001, brew=0.001, task=1"),
        ("blocked-loop", "n=2, seconds=0.001, blocked=0.001, task=0"),
        ("makers", "seconds=0.001, task=3"),
        ("counter", "n=1000"),
        ("counter-call", "n=1000"),
        ("counter-lock", "n=1000"),
        ("counter-local", "n=1000"),
        ("queue-fifo", "n=5, seconds=0.0, patience=0.0, task=0"),
        ("queue-lifo", "n=5, seconds=0.0, patience=0.0, task=0"),
        ("queue-priority", "n=5, seconds=0.0, patience=0.0, task=0"),
        ("big-argument", "n=2, data=b'abc' * 10000"),
        ("oversubscription", "n=1000, task=1, tasks=3"),
        ("scrape", "url='@URL@', seconds=0.01, n=3"),
        ("sockets", "port=@PORT@, connections=50, seconds=0.01, task=1, tasks=3"),
    ];
    let server = slow_server();
    assert_eq!(small.len(), workload::bundled().count(), "each has its small arguments here");
    let mut sources = Vec::new();
    for (id, arguments) in small {
        let workload = workload::load(id).expect("it is bundled");
        let arguments = arguments.replace("@URL@", &server.url()).replace("@PORT@", &server.port().to_string());
        let source = workload.source.replace("def work(", "def work_(");
        sources.push(format!("{source}\ndef work():\n    return work_({arguments})\n"));
        if let Some(coroutine) = workload.coroutine {
            sources.push(format!("{source}\nasync def work():\n    return await {coroutine}({arguments})\n"));
        }
    }
    compare(&sources);
}

/// The server that a run would start, for CPython and the miniature alike.
fn slow_server() -> SlowServer {
    SlowServer::start_program(Path::new(env!("CARGO_BIN_EXE_gilscope")), 0).expect("there is a port")
}

#[test]
fn what_comes_over_the_network_and_what_goes_wrong_there_is_what_python_says() {
    let server = slow_server();
    let head = |answer: &'static [u8]| servers::answering(Some(answer)).to_string();
    let ports = [
        ("@PORT@", server.port().to_string()),
        ("@NOBODY@", servers::nobody().to_string()),
        ("@SILENT@", servers::answering(None).to_string()),
        ("@HANGUP@", head(b"")),
        ("@GARBAGE@", head(b"good morning\r\nand good night\r\n")),
        ("@HALF@", head(b"good")),
        ("@NUMBER@", head(b"HTTP/1.1 abc OK\r\n\r\n")),
        ("@CUT@", head(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")),
        ("@OPEN@", head(b"HTTP/1.0 200 All right\r\n\r\nhello until the end")),
        (
            "@CHUNKED@",
            head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        ),
        ("@CONTINUE@", head(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")),
        ("@EARLY@", head(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")),
        ("@EMPTY@", head(b"HTTP/1.1 204 No Content\r\n\r\n")),
        ("@UNAVAILABLE@", head(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")),
        ("@LINES@", head(b"one\ntwo\n\nlast")),
    ];
    let programs = include_str!("differential/network.py")
        .split("# ---\n")
        .map(|program| ports.iter().fold(program.to_owned(), |program, (name, port)| program.replace(name, port)));
    compare(&programs.filter(|program| !program.trim().is_empty()).collect::<Vec<_>>());
}

#[test]
fn python_s_zlib_reads_what_ours_compressed() {
    let Some(python) = common::python3() else { return };
    let source =
        "import zlib\ndef work(level):\n    return zlib.compress(b'an oscilloscope for the lock... ' * 5000, level)\n";
    let program = Arc::new(compile(source, "test.py").expect("it is of the subset"));
    let module = Module::new(program, "test");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    thread.run_body().expect("it only defines a function");
    for level in [-1, 0, 1, 6, 9] {
        let packed = thread.call("work", vec![Value::Int(level)], Vec::new()).expect("it raises nothing");
        let Value::Bytes(packed) = packed else { panic!("{packed:?}") };
        let script = "import sys, zlib\nprint(zlib.decompress(sys.stdin.buffer.read()) == b'an oscilloscope for the lock... ' * 5000)";
        assert_eq!(common::run_python(&python, script, &packed), b"True\n", "level {level}");
    }
}

#[test]
fn python_reads_our_pickles_and_we_read_python_s() {
    let Some(python) = common::python3() else { return };
    let value = Value::list(vec![
        Value::None,
        Value::Bool(true),
        Value::Int(-7),
        Value::Int(i64::MIN),
        Value::from(i128::MAX),
        Value::Float(0.1),
        Value::str("héllo"),
        Value::bytes(vec![0, 255]),
        Value::tuple(vec![]),
        Value::tuple(vec![Value::Int(1)]),
        Value::list(vec![Value::str("a"); 300]),
    ]);
    let script = "
import sys, pickle
value = pickle.loads(sys.stdin.buffer.read())
sys.stdout.buffer.write(repr(value).encode() + b'\\0')
for protocol in (2, 3, 4, 5):
    data = pickle.dumps(value[:10] + [{'z': 1, 'a': [2]}, 'a' * 300, 2**5000], protocol=protocol)
    sys.stdout.buffer.write(len(data).to_bytes(4, 'big') + data)
";
    let printed = common::run_python(&python, script, &pickle::dumps(&value).expect("it can be pickled"));
    let end = printed.iter().position(|byte| *byte == 0).expect("the script writes one");
    assert_eq!(String::from_utf8_lossy(&printed[..end]), value.repr());
    let mut rest = &printed[end + 1..];
    for protocol in 2..=5 {
        let (len, tail) = rest.split_at(4);
        let (data, tail) = tail.split_at(u32::from_be_bytes(len.try_into().expect("four bytes")) as usize);
        rest = tail;
        // Protocol 2 has no opcode for bytes; Python writes a call instead.
        if protocol == 2 {
            assert!(pickle::loads(data).is_err());
            continue;
        }
        let read = pickle::loads(data).unwrap_or_else(|error| panic!("protocol {protocol}: {error}")).repr();
        assert!(read.contains("{'z': 1, 'a': [2]}") && read.starts_with("[None, True, -7, "), "{read}");
    }
}
