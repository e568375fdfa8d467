//! The evaluation loop: nanoseconds an iteration of the loops people know.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use gilscope::vm::{Alone, Module, Rules, Thread, Value, compile};

const N: i64 = 1_000_000;

/// Calls `work(n)` of a source, counting `n` items.
fn bench(bencher: Bencher<'_, '_>, source: &str, n: i64, rules: Rules) {
    let program = Arc::new(compile(source, "bench.py").expect("the source is of the subset"));
    let module = Module::new(program, "bench");
    let mut thread = Thread::new(&module, Alone::default(), rules);
    thread.run_body().expect("it only defines functions");
    bencher
        .counter(ItemsCount::new(n as u64))
        .bench_local(|| thread.call("work", vec![Value::Int(n)], Vec::new()).expect("it raises nothing"));
}

#[divan::bench(args = [Rules::V3_10, Rules::V3_9])]
fn sum_squares(bencher: Bencher<'_, '_>, rules: Rules) {
    bench(bencher, include_str!("../assets/workloads/sum-squares.py"), N, rules);
}

#[divan::bench]
fn sum_squares_beyond_64_bits(bencher: Bencher<'_, '_>) {
    let source = "def work(n):\n    total = 2**64\n    for i in range(n):\n        total += i**2\n    return total\n";
    bench(bencher, source, N, Rules::V3_10);
}

#[divan::bench]
fn sum_squares_beyond_120_bits(bencher: Bencher<'_, '_>) {
    let source = "def work(n):\n    total = 2**128\n    for i in range(n):\n        total += i**2\n    return total\n";
    bench(bencher, source, N, Rules::V3_10);
}

#[divan::bench]
fn count(bencher: Bencher<'_, '_>) {
    bench(bencher, include_str!("../assets/workloads/count.py"), N, Rules::V3_10);
}

#[divan::bench]
fn primes(bencher: Bencher<'_, '_>) {
    bench(bencher, include_str!("../assets/workloads/primes.py"), 20_000, Rules::V3_10);
}

#[divan::bench]
fn global_counter(bencher: Bencher<'_, '_>) {
    let source = "c = 0\ndef work(n):\n    global c\n    for i in range(n):\n        c += 1\n    return c\n";
    bench(bencher, source, N, Rules::V3_10);
}

#[divan::bench]
fn fibonacci(bencher: Bencher<'_, '_>) {
    let source = "def fib(n):\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\ndef work(n):\n    return fib(22)\n";
    // fib(22) makes 57,313 calls.
    bench(bencher, source, 57_313, Rules::V3_10);
}

#[divan::bench]
fn sieve(bencher: Bencher<'_, '_>) {
    let source = "
def work(n):
    flags = [True] * n
    for i in range(2, 1000):
        if flags[i]:
            for j in range(i * i, n, i):
                flags[j] = False
    return sum(flags)
";
    bench(bencher, source, N, Rules::V3_10);
}

fn main() {
    divan::main();
}
