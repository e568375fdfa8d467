//! The workloads that come with the program: one line each.

/// Ids and sources, in the order in which they are listed.
pub(super) const BUNDLED: &[(&str, &str)] = &[
    ("sum-squares", include_str!("../../assets/workloads/sum-squares.py")),
    ("sleep", include_str!("../../assets/workloads/sleep.py")),
    ("count", include_str!("../../assets/workloads/count.py")),
    ("primes", include_str!("../../assets/workloads/primes.py")),
    ("hash", include_str!("../../assets/workloads/hash.py")),
    ("mixed", include_str!("../../assets/workloads/mixed.py")),
];
