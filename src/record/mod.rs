//! How events leave a worker: single-producer rings over shared memory, the recorder a worker holds, the collector that drains them.
