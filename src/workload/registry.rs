//! The workloads that come with the program: one line each.

/// Ids and sources, in the order in which they are listed.
pub(super) const BUNDLED: &[(&str, &str)] = &[
    ("sum-squares", include_str!("../../assets/workloads/sum-squares.py")),
    ("sleep", include_str!("../../assets/workloads/sleep.py")),
    ("count", include_str!("../../assets/workloads/count.py")),
    ("primes", include_str!("../../assets/workloads/primes.py")),
    ("hash", include_str!("../../assets/workloads/hash.py")),
    ("mixed", include_str!("../../assets/workloads/mixed.py")),
    ("matmul", include_str!("../../assets/workloads/matmul.py")),
    ("compress", include_str!("../../assets/workloads/compress.py")),
    ("chai", include_str!("../../assets/workloads/chai.py")),
    ("blocked-loop", include_str!("../../assets/workloads/blocked-loop.py")),
    ("makers", include_str!("../../assets/workloads/makers.py")),
    ("counter", include_str!("../../assets/workloads/counter.py")),
    ("counter-call", include_str!("../../assets/workloads/counter-call.py")),
    ("counter-lock", include_str!("../../assets/workloads/counter-lock.py")),
    ("counter-local", include_str!("../../assets/workloads/counter-local.py")),
    ("queue-fifo", include_str!("../../assets/workloads/queue-fifo.py")),
    ("queue-lifo", include_str!("../../assets/workloads/queue-lifo.py")),
    ("queue-priority", include_str!("../../assets/workloads/queue-priority.py")),
    ("big-argument", include_str!("../../assets/workloads/big-argument.py")),
    ("oversubscription", include_str!("../../assets/workloads/oversubscription.py")),
    ("scrape", include_str!("../../assets/workloads/scrape.py")),
    ("sockets", include_str!("../../assets/workloads/sockets.py")),
];
