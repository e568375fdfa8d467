//! `hashlib`: SHA-256. The lock is released for more than 2047 bytes, as
//! CPython's `Modules/_hashopenssl.c` does (`HASHLIB_GIL_MINSIZE`).

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::event::{Detail, State};
use crate::vm::exception::{Raised, type_error};
use crate::vm::native::{Call, Library, Native};
use crate::vm::value::{Object, Value};

pub(super) static LIBRARY: Library =
    Library { name: "hashlib", functions: &[Native::function("sha256", sha256)], constants: &[] };

/// From so many bytes on the lock is released.
const GIL_MINSIZE: usize = 2048;

pub(super) const METHODS: &[Native] = &[
    Native::function("update", update),
    Native::function("digest", |call| {
        let (hash, _) = this::<0>(call, "digest")?;
        Ok(Value::bytes(hash.finish().to_vec()))
    }),
    Native::function("hexdigest", |call| {
        let (hash, _) = this::<0>(call, "hexdigest")?;
        Ok(Value::str(hash.finish().iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }),
];

struct Hash(Mutex<Sha256>);

impl Hash {
    fn finish(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize().to_vec()
    }
}

impl Object for Hash {
    fn type_name(&self) -> &'static str {
        "_hashlib.HASH"
    }

    fn methods(&self) -> &'static [Native] {
        METHODS
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn this<'a, const N: usize>(call: &Call<'a>, name: &str) -> Result<(&'a Hash, &'a [Value; N]), Raised> {
    let (value, args) = call.method::<N>(&format!("HASH.{name}"))?;
    let hash = value.downcast::<Hash>().ok_or_else(|| type_error("descriptor requires a '_hashlib.HASH' object"))?;
    Ok((hash, args))
}

fn feed(call: &mut Call<'_>, hash: &Hash, data: &Value) -> Result<(), Raised> {
    let bytes = match data {
        Value::Bytes(bytes) => bytes,
        Value::Str(_) => return Err(type_error("Strings must be encoded before hashing")),
        _ => return Err(type_error("object supporting the buffer API required")),
    };
    let mut work = || hash.0.lock().unwrap_or_else(PoisonError::into_inner).update(bytes.as_slice());
    if bytes.len() >= GIL_MINSIZE {
        call.outside.release(State::Native, Detail::None, call.line, &mut work);
    } else {
        work();
    }
    Ok(())
}

fn sha256(call: &mut Call<'_>) -> Result<Value, Raised> {
    let [data, _] = call.bind("openssl_sha256", call.positional(), ["string", "usedforsecurity"])?;
    let hash = Hash(Mutex::new(Sha256::new()));
    if let Some(data) = data {
        feed(call, &hash, data)?;
    }
    Ok(Value::object(hash))
}

fn update(call: &mut Call<'_>) -> Result<Value, Raised> {
    let (hash, [data]) = this::<1>(call, "update")?;
    feed(call, hash, data)?;
    Ok(Value::None)
}
