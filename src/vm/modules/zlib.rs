//! `zlib`. The lock is released for every compression and decompression, and
//! for a checksum of more than 5 KiB, as in CPython's `Modules/zlibmodule.c`.
//!
//! What is compressed can be read by any zlib; its bytes are those of another
//! implementation than CPython's, so its length may differ by a little.

use std::io::{Read, Write};

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::event::{Detail, State};
use crate::vm::exception::{Kind, Raised, type_error};
use crate::vm::limits;
use crate::vm::methods::as_index;
use crate::vm::native::{Call, Library, Native};
use crate::vm::value::Value;

pub(super) static LIBRARY: Library = Library {
    name: "zlib",
    functions: &[
        Native::function("compress", compress),
        Native::function("decompress", decompress),
        Native::function("crc32", crc32),
    ],
    constants: &[
        ("error", Value::ExceptionType(Kind::ZlibError)),
        ("Z_BEST_SPEED", Value::Int(1)),
        ("Z_BEST_COMPRESSION", Value::Int(9)),
        ("Z_DEFAULT_COMPRESSION", Value::Int(-1)),
    ],
};

/// A checksum of more bytes than these releases the lock.
const CHECKSUM_GIL_MINSIZE: usize = 5 * 1024;

fn bytes(value: &Value) -> Result<&[u8], Raised> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        other => Err(type_error(format!("a bytes-like object is required, not '{}'", other.type_name()))),
    }
}

fn compress(call: &mut Call<'_>) -> Result<Value, Raised> {
    let missing = || type_error("compress() takes at least 1 positional argument (0 given)");
    let (data, rest) = call.positional().split_first().ok_or_else(missing)?;
    let data = bytes(data)?;
    let [level] = call.bind("compress", rest, ["level"])?;
    let level = match level.map_or(Ok(-1), as_index)? {
        -1 => Compression::default(),
        level @ 0..=9 => Compression::new(level as u32),
        _ => return Err(Kind::ZlibError.raise("Bad compression level")),
    };
    let mut packed = Ok(Vec::new());
    call.outside.release(State::Native, Detail::None, call.line, &mut || {
        let mut encoder = ZlibEncoder::new(Vec::new(), level);
        packed = encoder.write_all(data).and_then(|()| encoder.finish());
    });
    packed.map(Value::bytes).map_err(|error| Kind::ZlibError.raise(error.to_string()))
}

fn decompress(call: &mut Call<'_>) -> Result<Value, Raised> {
    let data = bytes(&call.exactly::<1>("zlib.decompress")?[0])?;
    let mut plain = Vec::new();
    let mut read = Ok(0);
    call.outside.release(State::Native, Detail::None, call.line, &mut || {
        let most = limits::BYTES as u64 + 1;
        read = ZlibDecoder::new(data).take(most).read_to_end(&mut plain);
    });
    read.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            Kind::ZlibError.raise("Error -5 while decompressing data: incomplete or truncated stream")
        }
        _ => Kind::ZlibError.raise("Error -3 while decompressing data: incorrect header check"),
    })?;
    limits::bytes(plain.len() as u128)?;
    Ok(Value::bytes(plain))
}

fn crc32(call: &mut Call<'_>) -> Result<Value, Raised> {
    let data = bytes(&call.exactly::<1>("zlib.crc32")?[0])?;
    let mut crc = Crc::new();
    if data.len() > CHECKSUM_GIL_MINSIZE {
        call.outside.release(State::Native, Detail::None, call.line, &mut || crc.update(data));
    } else {
        crc.update(data);
    }
    Ok(Value::Int(crc.sum().into()))
}
