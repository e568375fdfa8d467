//! One interpreter process: boot, control protocol, start methods, orderly and forced end.
