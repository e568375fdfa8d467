//! Dicts and the attributes of objects, in another process (`Objects/dictobject.c`).
//!
//! # The problem
//! An attribute of an object lies in its dict, or in an array of values whose keys its class has; where that array is has
//! changed with nearly every version. And a dict may be resized while it is read.
//!
//! # The choice
//! The entries of a dict are read in one piece and in their order, which is that of insertion; an index is not used, since
//! the hashes of texts differ from run to run. A dict whose numbers contradict each other is none. What is found may be
//! gone by the time it is looked at: whoever uses it checks what it is.

use super::{IS_DICT, Memory, ObjectLayout, word};

/// More entries than this are not looked through.
pub const MOST_ENTRIES: u64 = 1 << 14;
/// More attributes than this a class is not believed to have.
const MOST_ATTRIBUTES: u64 = 1 << 8;
/// Bits of `tp_flags`: the dict is kept before the object (3.11 and later), the values behind it (3.13 and later).
const MANAGED_DICT: u64 = 1 << 4;
const INLINE_VALUES: u64 = 1 << 2;

/// An entry of a dict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: u64,
    /// The value; 0 if there is none, because it was deleted or the dict keeps its values elsewhere.
    pub value: u64,
}

/// The keys of a dict (`PyDictKeysObject`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Keys {
    entries: u64,
    count: u64,
    /// Whether a hash comes first in each entry.
    hashed: bool,
}

/// Where the attributes of an object are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    keys: u64,
    /// The array of values; in the entries of the keys themselves if there is none.
    values: Option<u64>,
}

impl ObjectLayout {
    /// The last entries of a dict, the latest first, at most so many.
    pub fn latest_entries(&self, dict: u64, most: u64, memory: &dyn Memory) -> Option<Vec<Entry>> {
        let attributes = self.attributes_in(dict, memory)?;
        let keys = self.keys(attributes.keys, memory)?;
        let from = keys.count.saturating_sub(most.min(MOST_ENTRIES));
        let mut entries = self.entries(&keys, from, keys.count, memory)?;
        if let Some(values) = attributes.values {
            for (entry, at) in entries.iter_mut().zip(from..) {
                entry.value = word(memory, values.checked_add(at * 8)?)?;
            }
        }
        entries.reverse();
        Some(entries)
    }

    /// What a dict has under this text, which is ASCII.
    pub fn item(&self, dict: u64, key: &str, memory: &dyn Memory) -> Option<u64> {
        let attributes = self.attributes_in(dict, memory)?;
        let [index] = self.places(&attributes, [key], memory)?;
        self.value(&attributes, index, memory)
    }

    /// Where the attributes of an object are that it does not share with its class.
    pub fn attributes(&self, object: u64, memory: &dyn Memory) -> Option<Attributes> {
        let (class, flags) = self.class_of(object, memory)?;
        let in_dict = |at: u64| self.attributes_in(word(memory, at).filter(|dict| *dict != 0)?, memory);
        if flags & MANAGED_DICT == 0 || self.minor < 11 {
            // `tp_dictoffset`, fifteen words after the flags.
            let offset = word(memory, class.checked_add(self.class_flags + 120)?)?;
            return if (1..1 << 20).contains(&offset) { in_dict(object.checked_add(offset)?) } else { None };
        }
        // `ht_cached_keys`: of a class written in Python, its objects' common keys.
        let after_type = if self.minor == 11 { 704 } else { 712 };
        let keys = || word(memory, class.checked_add(self.class_flags + after_type)?);
        let before = if self.free_threaded { 8 } else { 24 };
        let managed = object.checked_sub(before)?;
        match self.minor {
            11 => match word(memory, object.checked_sub(32)?)? {
                0 => in_dict(managed),
                values => Some(Attributes { keys: keys()?, values: Some(values) }),
            },
            12 => match word(memory, managed)? {
                // An odd one is one less than that of the values.
                values if values & 1 == 1 => Some(Attributes { keys: keys()?, values: Some(values.checked_add(1)?) }),
                _ => in_dict(managed),
            },
            _ => match word(memory, managed)? {
                0 if flags & INLINE_VALUES != 0 => {
                    // `capacity`, `size`, `embedded`, `valid`.
                    let values = object.checked_add(self.header)?;
                    let valid = memory.int(values).ok()?.to_le_bytes()[3] == 1;
                    valid.then_some(Attributes { keys: keys()?, values: Some(values.checked_add(8)?) })
                }
                _ => in_dict(managed),
            },
        }
    }

    /// The values of attributes by their names, which are ASCII; all of them or nothing. What is known of where the keys
    /// have them is kept in `known`, for other objects of the class.
    pub fn attribute_values<const N: usize>(
        &self,
        object: u64,
        names: [&str; N],
        known: &mut Option<(u64, [u64; N])>,
        memory: &dyn Memory,
    ) -> Option<[u64; N]> {
        let attributes = self.attributes(object, memory)?;
        let places = match *known {
            Some((keys, places)) if keys == attributes.keys => places,
            _ => self.places(&attributes, names, memory)?,
        };
        *known = attributes.values.is_some().then_some((attributes.keys, places));
        let mut found = [0; N];
        for (into, index) in found.iter_mut().zip(places) {
            *into = self.value(&attributes, index, memory)?;
        }
        Some(found)
    }

    /// Where a dict has its keys and its values.
    fn attributes_in(&self, dict: u64, memory: &dyn Memory) -> Option<Attributes> {
        if !self.is(IS_DICT, dict, memory) {
            return None;
        }
        // `ma_used`, `ma_version_tag`, `ma_keys`, `ma_values`.
        let keys = word(memory, dict.checked_add(self.header + 16)?)?;
        let values = word(memory, dict.checked_add(self.header + 24)?)?;
        let values = match values {
            0 => None,
            // From 3.13 on a word of its own comes before them.
            values => Some(values.checked_add(if self.minor >= 13 { 8 } else { 0 })?),
        };
        Some(Attributes { keys, values })
    }

    fn keys(&self, keys: u64, memory: &dyn Memory) -> Option<Keys> {
        let mut bytes = [0; 40];
        let wanted = if self.minor >= 11 { 32 } else { 40 };
        memory.read(keys, &mut bytes[..wanted]).ok()?;
        let word = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let (size, indices, count, hashed) = if self.minor >= 11 {
            // `dk_log2_size`, `dk_log2_index_bytes`, `dk_kind`, `dk_nentries`.
            let (log2_size, log2_bytes, kind) = (bytes[8], bytes[9], bytes[10]);
            if log2_size > 32 || !(log2_size..=log2_size + 3).contains(&log2_bytes) || kind > 2 {
                return None;
            }
            (1 << log2_size, 1 << log2_bytes, word(24), kind == 0)
        } else {
            // `dk_size`, `dk_nentries`.
            let size = word(8);
            if !size.is_power_of_two() || size > 1 << 32 {
                return None;
            }
            let each = if size <= 0xff {
                1
            } else if size <= 0xffff {
                2
            } else {
                4
            };
            (size, size * each, word(32), true)
        };
        let entries = keys.checked_add(wanted as u64)?.checked_add(indices)?;
        (count <= size).then_some(Keys { entries, count, hashed })
    }

    fn entries(&self, keys: &Keys, from: u64, to: u64, memory: &dyn Memory) -> Option<Vec<Entry>> {
        let size = if keys.hashed { 24 } else { 16 };
        let mut bytes = vec![0; ((to - from) * size) as usize];
        memory.read(keys.entries.checked_add(from * size)?, &mut bytes).ok()?;
        let entry = |bytes: &[u8]| {
            let (words, _) = bytes[if keys.hashed { 8 } else { 0 }..].as_chunks::<8>();
            Entry { key: u64::from_le_bytes(words[0]), value: u64::from_le_bytes(words[1]) }
        };
        Some(bytes.chunks_exact(size as usize).map(entry).collect())
    }

    /// Which of the keys are these, all of them or nothing.
    fn places<const N: usize>(
        &self,
        attributes: &Attributes,
        names: [&str; N],
        memory: &dyn Memory,
    ) -> Option<[u64; N]> {
        let keys = self.keys(attributes.keys, memory)?;
        let most = if attributes.values.is_some() { MOST_ATTRIBUTES } else { MOST_ENTRIES };
        let entries = self.entries(&keys, 0, keys.count.min(most), memory)?;
        let mut places = [None; N];
        let mut left = N;
        for (entry, index) in entries.iter().zip(0..) {
            let wanted =
                |(place, name): &(&mut Option<u64>, &str)| place.is_none() && self.is_text(entry.key, name, memory);
            if entry.key != 0
                && let Some((place, _)) = places.iter_mut().zip(names).find(wanted)
            {
                *place = Some(index);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        let mut found = [0; N];
        for (into, place) in found.iter_mut().zip(places) {
            *into = place?;
        }
        Some(found)
    }

    fn value(&self, attributes: &Attributes, index: u64, memory: &dyn Memory) -> Option<u64> {
        let value = match attributes.values {
            Some(values) => word(memory, values.checked_add(index.checked_mul(8)?)?)?,
            None => {
                let keys = self.keys(attributes.keys, memory)?;
                self.entries(&keys, index, index + 1, memory)?.first()?.value
            }
        };
        (value != 0).then_some(value)
    }
}
