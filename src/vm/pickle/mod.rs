//! Real pickles of values, as `multiprocessing` sends them between processes:
//! what is written here `pickle.loads` of any Python 3 reads, and what Python
//! writes of these types is read here.
//!
//! Written is protocol 4 without its frames and memo; read is protocol 2 to 5,
//! as far as it builds `None`, numbers, `str`, `bytes`, lists, tuples and
//! dicts (`Lib/pickle.py`, `Lib/pickletools.py`). Nothing in a pickle is ever
//! called. `serde-pickle`, which the tests compare with, was not taken for the
//! work itself: it sorts the keys of dicts and recurses over what it reads, so that garbage could overflow the
//! stack. Here the reader is a loop over a stack, as Python's own is.

mod read;
mod write;

pub use read::loads;
pub use write::dumps;

/// The longest pickle: 256 MiB of bytes and what goes around them.
pub const MAX_BYTES: usize = 257 << 20;

/// How deep values may be nested in a pickle.
pub const MAX_DEPTH: usize = 200;

/// Why a value could not be pickled, or a pickle not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// A function, a lock or the like.
    #[error("cannot pickle '{0}' object")]
    Type(&'static str),
    /// Longer than [`MAX_BYTES`].
    #[error("the pickle is too large: more than {} MiB; hand over less", MAX_BYTES >> 20)]
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`], or without end.
    #[error("values nested more than {MAX_DEPTH} deep cannot be pickled")]
    TooDeep,
    /// Not a pickle, or of types that are not the miniature's.
    #[error("not a pickle that can be read: {0}")]
    Unreadable(&'static str),
}

mod op {
    pub const PROTO: u8 = 0x80;
    pub const FRAME: u8 = 0x95;
    pub const STOP: u8 = b'.';
    pub const MARK: u8 = b'(';
    pub const NONE: u8 = b'N';
    pub const TRUE: u8 = 0x88;
    pub const FALSE: u8 = 0x89;
    pub const BININT: u8 = b'J';
    pub const BININT1: u8 = b'K';
    pub const BININT2: u8 = b'M';
    pub const LONG1: u8 = 0x8a;
    pub const LONG4: u8 = 0x8b;
    pub const BINFLOAT: u8 = b'G';
    pub const SHORT_BINUNICODE: u8 = 0x8c;
    pub const BINUNICODE: u8 = b'X';
    pub const BINUNICODE8: u8 = 0x8d;
    pub const SHORT_BINBYTES: u8 = b'C';
    pub const BINBYTES: u8 = b'B';
    pub const BINBYTES8: u8 = 0x8e;
    pub const EMPTY_LIST: u8 = b']';
    pub const APPEND: u8 = b'a';
    pub const APPENDS: u8 = b'e';
    pub const EMPTY_TUPLE: u8 = b')';
    pub const TUPLE: u8 = b't';
    pub const TUPLE1: u8 = 0x85;
    pub const TUPLE2: u8 = 0x86;
    pub const TUPLE3: u8 = 0x87;
    pub const EMPTY_DICT: u8 = b'}';
    pub const SETITEM: u8 = b's';
    pub const SETITEMS: u8 = b'u';
    pub const MEMOIZE: u8 = 0x94;
    pub const BINPUT: u8 = b'q';
    pub const LONG_BINPUT: u8 = b'r';
    pub const BINGET: u8 = b'h';
    pub const LONG_BINGET: u8 = b'j';
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vm::Value;
    use crate::vm::dict::Dict;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::None),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<i128>().prop_map(Value::from),
            any::<f64>().prop_filter("equal to itself", |value| !value.is_nan()).prop_map(Value::Float),
            any::<String>().prop_map(Value::str),
            any::<Vec<u8>>().prop_map(Value::bytes),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::list),
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::tuple),
                proptest::collection::vec((any::<i64>(), inner), 0..8).prop_map(|pairs| {
                    let dict = Dict::default();
                    for (key, value) in pairs {
                        dict.lock().insert(Value::Int(key), value).unwrap();
                    }
                    Value::Dict(Arc::new(dict))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_pickled_is_read_back(value in values()) {
            prop_assert_eq!(loads(&dumps(&value).unwrap()).unwrap().repr(), value.repr());
        }

        #[test]
        fn another_library_reads_our_pickles(value in values()) {
            let read = serde_pickle::value_from_slice(&dumps(&value).unwrap(), serde_pickle::DeOptions::new());
            prop_assert!(read.is_ok(), "{:?}", read);
        }

        #[test]
        fn garbage_is_refused_or_read_but_never_panics(bytes: Vec<u8>) {
            let _ = loads(&bytes);
        }

        #[test]
        fn damaged_pickles_are_refused_or_read_but_never_panic(value in values(), at: prop::sample::Index, byte: u8) {
            let mut bytes = dumps(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = loads(&bytes);
        }
    }

    #[test]
    fn what_nests_or_grows_without_end_is_refused() {
        let list = Value::list(Vec::new());
        if let Value::List(inner) = &list {
            inner.lock().push(list.clone());
        }
        assert_eq!(dumps(&list), Err(PickleError::TooDeep));
        if let Value::List(inner) = &list {
            inner.lock().clear();
        }
        assert_eq!(dumps(&Value::bytes(vec![0; MAX_BYTES + 1])), Err(PickleError::TooLarge));
        let deep = [vec![op::NONE], vec![op::TUPLE1; 1_000_000], vec![op::STOP]].concat();
        assert_eq!(loads(&deep).unwrap_err(), PickleError::TooDeep);
    }
}
