//! The lock: CPython's rules as a pure state machine (`policy`), and the same over a mutex and a condition variable (`lock`).
