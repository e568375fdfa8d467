//! The globals of a module, which its threads share.
//!
//! Without a GIL this is where threads meet, so it is laid out as in CPython's
//! free-threaded builds (PEP 703; `Objects/dictobject.c`), whose costs are the
//! thing to be seen. There the dict of a module has one lock, which whoever
//! stores takes. Whoever loads takes none: it reads, and reads again under the
//! lock if somebody stored meanwhile. What it found it counts a reference to,
//! which other cores must be told of, except where counting is deferred: for
//! functions, modules and types, which many threads call and hardly anybody
//! replaces.
//!
//! Here each global has a version, odd while it is being stored to. Ints,
//! floats and the like lie beside the version, in atomics. Everything else lies
//! behind a mutex, which is held for the length of counting a reference. Of
//! functions and their like a thread keeps a reference of its own, good for as
//! long as the version stays, so that a function of the program that all
//! threads call is no place where they meet.
//!
//! Not chosen: a lock a global, which loading takes as well, and at which whoever waits sleeps. On two threads the
//! workload `counter-call` then took 3.7 times as long as one task after the other.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, fence};
use std::sync::{Arc, Mutex};

use crossbeam::utils::CachePadded;

use super::sharing::{Turn, lock, met_another};
use super::value::Value;

/// All globals of a module, by slot.
pub(super) struct Globals {
    entries: Box<[Entry]>,
    /// Taken by whoever stores. What all read lies on another cache line.
    storing: CachePadded<Turn>,
}

/// A global.
struct Entry {
    /// Goes up by two with each store, and is odd meanwhile.
    version: AtomicU32,
    /// What it is: one of the constants below.
    kind: AtomicU8,
    /// Its value, of an immediate kind.
    bits: AtomicU64,
    /// Its value, of any other kind; else unbound.
    object: Mutex<Value>,
}

const UNBOUND: u8 = 0;
const NONE: u8 = 1;
const BOOL: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
/// An object whose references are counted; or an int too wide for the bits.
const COUNTED: u8 = 5;
/// An object of which each thread keeps a reference of its own.
const DEFERRED: u8 = 6;

/// What a thread keeps of the globals: the version each had when the thread loaded it or stored to it, and its own
/// reference to a deferred object of that version.
pub(super) struct Kept(Box<[(u32, Value)]>);

/// No version is odd but while it is being stored to.
const NEVER: u32 = u32::MAX;

impl Kept {
    /// Finds a global in this version: if it is another than it was, another thread has stored to it, and its memory
    /// had to come from that one's core.
    #[inline(always)]
    fn meet(&self, slot: usize, version: u32) {
        if self.0[slot].0 != version && self.0[slot].0 != NEVER {
            met_another();
        }
    }
}

impl Globals {
    pub(super) fn new(values: impl Iterator<Item = Value>) -> Globals {
        let entry = |value: Value| {
            let (kind, bits) = parts(&value);
            let object = if kind < COUNTED { Value::Unbound } else { value };
            Entry { version: AtomicU32::new(0), kind: kind.into(), bits: bits.into(), object: Mutex::new(object) }
        };
        Globals { entries: values.map(entry).collect(), storing: CachePadded::default() }
    }

    /// For a thread that has loaded none yet.
    pub(super) fn kept(&self) -> Kept {
        Kept(self.entries.iter().map(|_| (NEVER, Value::Unbound)).collect())
    }

    /// The value of a global; unbound if it has none.
    #[inline(always)]
    pub(super) fn load(&self, kept: &mut Kept, slot: usize) -> Value {
        let entry = &self.entries[slot];
        let version = entry.version.load(Acquire);
        let (kind, bits) = (entry.kind.load(Relaxed), entry.bits.load(Relaxed));
        fence(Acquire);
        let own = &kept.0[slot];
        // Nobody has stored since this thread loaded or stored.
        if own.0 == version && entry.version.load(Relaxed) == version {
            if kind == INT {
                return Value::Int(bits as i64);
            }
            if kind == DEFERRED {
                return own.1.clone();
            }
        }
        self.load_otherwise(kept, slot, version, kind, bits)
    }

    /// What remains of [`Globals::load`], which found these.
    #[inline(never)]
    fn load_otherwise(&self, kept: &mut Kept, slot: usize, version: u32, kind: u8, bits: u64) -> Value {
        let entry = &self.entries[slot];
        kept.meet(slot, version);
        if version.is_multiple_of(2) && entry.version.load(Relaxed) == version {
            if let Some(value) = immediate(kind, bits) {
                kept.0[slot].0 = version;
                return value;
            }
            if kind == COUNTED {
                let value = lock(&entry.object).clone();
                // Unbound: somebody has stored something else meanwhile.
                if !matches!(value, Value::Unbound) {
                    kept.0[slot].0 = version;
                    return value;
                }
            }
        }
        let _storing = self.storing.take();
        let value = entry.value();
        kept.0[slot].0 = entry.version.load(Relaxed);
        if entry.kind.load(Relaxed) == DEFERRED {
            let own = match &value {
                Value::Function(function) => Value::Function(Arc::new((**function).clone())),
                other => other.clone(),
            };
            kept.0[slot].1 = own;
        }
        value
    }

    /// The same for one who keeps nothing.
    pub(super) fn get(&self, slot: usize) -> Value {
        let _storing = self.storing.take();
        self.entries[slot].value()
    }

    /// Stores a value, unbound to delete it, and returns the one before.
    #[inline]
    pub(super) fn store(&self, kept: &mut Kept, slot: usize, value: Value) -> Value {
        let entry = &self.entries[slot];
        let (kind, bits) = parts(&value);
        let _storing = self.storing.take();
        let version = entry.version.load(Relaxed);
        kept.meet(slot, version);
        // Of an object there is nothing kept yet.
        kept.0[slot].0 = if kind < COUNTED { version.wrapping_add(2) } else { NEVER };
        entry.version.store(version.wrapping_add(1), Relaxed);
        fence(Release);
        let before = (entry.kind.load(Relaxed), entry.bits.load(Relaxed));
        entry.kind.store(kind, Relaxed);
        entry.bits.store(bits, Relaxed);
        let before = match immediate(before.0, before.1) {
            Some(before) if kind < COUNTED => before,
            _ => entry.exchange(value, before),
        };
        entry.version.store(version.wrapping_add(2), Release);
        before
    }
}

impl Entry {
    /// With the lock of those who store.
    fn value(&self) -> Value {
        immediate(self.kind.load(Relaxed), self.bits.load(Relaxed)).unwrap_or_else(|| lock(&self.object).clone())
    }

    /// Stores a value of which one side or the other is no immediate one.
    #[inline(never)]
    fn exchange(&self, value: Value, (kind, bits): (u8, u64)) -> Value {
        let object = if parts(&value).0 < COUNTED { Value::Unbound } else { value };
        let before = std::mem::replace(&mut *lock(&self.object), object);
        immediate(kind, bits).unwrap_or(before)
    }
}

/// Of which kind a value is, and its bits if it is an immediate one.
#[inline(always)]
fn parts(value: &Value) -> (u8, u64) {
    match value {
        Value::Int(value) => (INT, *value as u64),
        Value::Float(value) => (FLOAT, value.to_bits()),
        Value::Bool(value) => (BOOL, u64::from(*value)),
        Value::None => (NONE, 0),
        Value::Unbound => (UNBOUND, 0),
        Value::Function(_) | Value::Native(_) | Value::Module(_) | Value::ExceptionType(_) => (DEFERRED, 0),
        _ => (COUNTED, 0),
    }
}

/// The value of an immediate kind with these bits.
#[inline(always)]
fn immediate(kind: u8, bits: u64) -> Option<Value> {
    Some(match kind {
        INT => Value::Int(bits as i64),
        FLOAT => Value::Float(f64::from_bits(bits)),
        BOOL => Value::Bool(bits != 0),
        NONE => Value::None,
        UNBOUND => Value::Unbound,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::sharing::contended;
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_and_what_it_replaced_comes_back() {
        let values = [
            Value::Unbound,
            Value::None,
            Value::Bool(true),
            Value::Int(-1),
            Value::Float(-0.5),
            Value::from(1i128 << 100),
            Value::list(Vec::new()),
        ];
        let same = |a: Value, b: &Value| matches!((&a, b), (Value::Unbound, Value::Unbound)) || a.is(b);
        for before in &values {
            for after in &values {
                let globals = Globals::new([before.clone()].into_iter());
                let mut kept = globals.kept();
                assert!(same(globals.load(&mut kept, 0), before), "{before:?}");
                assert!(same(globals.store(&mut kept, 0, after.clone()), before), "{before:?}, {after:?}");
                assert!(same(globals.load(&mut kept, 0), after), "{before:?}, {after:?}");
                assert!(same(globals.get(0), after), "{before:?}, {after:?}");
                assert!(same(globals.store(&mut kept, 0, Value::Unbound), after), "{before:?}, {after:?}");
                assert!(same(globals.load(&mut kept, 0), &Value::Unbound), "{before:?}, {after:?}");
            }
        }
    }

    #[test]
    fn a_thread_keeps_a_reference_of_its_own_to_a_function_until_it_is_replaced() {
        let function =
            |name: &str| Value::Function(Arc::new(super::super::value::Function::new(0, name.into(), vec![])));
        let (first, second) = (function("first"), function("second"));
        let globals = Globals::new([first.clone()].into_iter());
        let mut kept = globals.kept();
        let references = |value: &Value| if let Value::Function(it) = value { Arc::strong_count(it) } else { 0 };
        globals.load(&mut kept, 0);
        let loaded: Vec<Value> = (0..3).map(|_| globals.load(&mut kept, 0)).collect();
        assert!(loaded.iter().all(|loaded| loaded.is(&first)));
        assert_eq!((references(&first), references(&loaded[0])), (2, 4));
        drop(globals.store(&mut globals.kept(), 0, second.clone()));
        assert!(globals.load(&mut kept, 0).is(&second) && !second.is(&first));
    }

    #[test]
    fn a_thread_meets_another_where_that_one_stored_since_and_nowhere_else() {
        let globals = Globals::new([Value::Int(0), Value::Int(0)].into_iter());
        let (mut one, mut other) = (globals.kept(), globals.kept());
        let add = |kept: &mut Kept, slot: usize| {
            let before = contended();
            let Value::Int(value) = globals.load(kept, slot) else { panic!("it is an int") };
            drop(globals.store(kept, slot, Value::Int(value + 1)));
            contended() - before
        };
        assert_eq!((0..10).map(|_| add(&mut one, 0)).sum::<u32>(), 0, "alone");
        assert_eq!((0..10).map(|_| add(&mut other, 1)).sum::<u32>(), 0, "each its own");
        assert_eq!(add(&mut other, 0), 0, "for the first time");
        assert_eq!((0..10).map(|_| add(&mut one, 0) + add(&mut other, 0)).sum::<u32>(), 20, "in turns");
    }

    #[test]
    fn nobody_loads_half_a_store() {
        // Kinds and bits that belong together, and objects between them.
        let values = [Value::Int(7), Value::Float(0.25), Value::None, Value::str("whole"), Value::Int(-7)];
        let globals = Globals::new([values[0].clone()].into_iter());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut kept = globals.kept();
                    while !done.load(Relaxed) {
                        let loaded = globals.load(&mut kept, 0);
                        assert!(values.iter().any(|value| value.is(&loaded)), "{loaded:?}");
                    }
                });
            }
            let mut kept = globals.kept();
            for round in 0..100_000 {
                drop(globals.store(&mut kept, 0, values[round % values.len()].clone()));
            }
            done.store(true, Relaxed);
        });
    }
}
