use proptest::prelude::*;

use super::super::memory::{Garbage, Image};
use super::*;

fn version(minor: u8) -> Version {
    Version { major: 3, minor, micro: None }
}

fn layouts() -> Vec<ObjectLayout> {
    let with_gil = (9..=15).map(|minor| ObjectLayout::of(version(minor), false).unwrap());
    with_gil.chain((13..=15).map(|minor| ObjectLayout::of(version(minor), true).unwrap())).collect()
}

/// Objects as a version lays them out, one behind another.
pub(in super::super) struct Heap {
    pub(in super::super) image: Image,
    pub(in super::super) layout: ObjectLayout,
    next: u64,
}

impl Heap {
    pub(in super::super) fn new(layout: ObjectLayout) -> Heap {
        Heap { image: Image::default(), layout, next: 0x10_0000 }
    }

    /// Some zeros with room before and behind.
    pub(in super::super) fn room(&mut self, size: u64) -> u64 {
        let at = self.next + 64;
        self.image.put(self.next, vec![0; size as usize + 128]);
        self.next += 1 << 16;
        at
    }

    pub(in super::super) fn class(&mut self, flags: u64) -> u64 {
        let class = self.room(1024);
        self.image.set_word(class + self.layout.class_flags, flags);
        class
    }

    pub(in super::super) fn object(&mut self, class: u64, size: u64) -> u64 {
        let object = self.room(size);
        self.image.set_word(object + self.layout.class, class);
        object
    }

    pub(in super::super) fn text(&mut self, text: &str) -> u64 {
        let class = self.class(IS_STR);
        let object = self.object(class, 256);
        let widest = text.chars().map(u32::from).max().unwrap_or(0);
        let kind: u64 = if widest < 256 {
            1
        } else if widest < 1 << 16 {
            2
        } else {
            4
        };
        let state = kind << 2 | 1 << 5 | u64::from(text.is_ascii()) << 6;
        // From 3.14 on free-threaded builds have a byte for `interned`.
        let state = if self.layout.free_threaded && self.layout.minor >= 14 { (state >> 2) << 8 } else { state };
        let start = object + self.layout.header;
        self.image.set_word(start, text.chars().count() as u64);
        self.image.set_word(start + 16, state);
        let old = self.layout.minor < 12;
        let data = start
            + if text.is_ascii() {
                if old { 32 } else { 24 }
            } else if old {
                56
            } else {
                40
            };
        for (index, character) in text.chars().enumerate() {
            let code = u32::from(character).to_le_bytes();
            for (offset, byte) in code[..kind as usize].iter().enumerate() {
                self.set_byte(data + index as u64 * kind + offset as u64, *byte);
            }
        }
        object
    }

    pub(in super::super) fn number(&mut self, number: u32) -> u64 {
        let class = self.class(IS_INT);
        let object = self.object(class, 64);
        let size = if self.layout.minor >= 12 { 1 << 3 } else { 1 };
        self.image.set_word(object + self.layout.header, size);
        self.image.set_word(object + self.layout.header + 8, number.into());
        object
    }

    fn set_byte(&mut self, address: u64, byte: u8) {
        let word = self.image.word(address).unwrap();
        self.image.set_word(address, word & !0xff | u64::from(byte));
    }

    /// `PyDictKeysObject`; `hashed` as a dict whose keys are not all texts.
    pub(in super::super) fn keys(&mut self, entries: &[(u64, u64)], hashed: bool) -> u64 {
        let keys = self.room(4096);
        let old = self.layout.minor < 11;
        let first = if old {
            self.image.set_word(keys + 8, 128);
            self.image.set_word(keys + 32, entries.len() as u64);
            keys + 40 + 128
        } else {
            self.image.set_word(keys + 8, if hashed { 0x00_0707 } else { 0x01_0707 });
            self.image.set_word(keys + 24, entries.len() as u64);
            keys + 32 + 128
        };
        let (size, skip) = if old || hashed { (24, 8) } else { (16, 0) };
        for ((key, value), index) in entries.iter().zip(0..) {
            self.image.set_word(first + index * size + skip, *key);
            self.image.set_word(first + index * size + skip + 8, *value);
        }
        keys
    }

    pub(in super::super) fn dict(&mut self, entries: &[(u64, u64)], hashed: bool) -> u64 {
        let keys = self.keys(entries, hashed);
        self.dict_of(keys, 0)
    }

    /// A dict of these keys whose values are elsewhere.
    fn dict_of(&mut self, keys: u64, values: u64) -> u64 {
        let class = self.class(IS_DICT);
        let dict = self.object(class, 128);
        self.image.set_word(dict + self.layout.header + 16, keys);
        self.image.set_word(dict + self.layout.header + 24, values);
        dict
    }

    /// An object with attributes, as this version keeps them at first, or once somebody has asked for its dict.
    pub(in super::super) fn with_attributes(&mut self, attributes: &[(&str, u64)], has_dict: bool) -> u64 {
        let named: Vec<(u64, u64)> = attributes.iter().map(|(name, _)| (self.text(name), 0)).collect();
        let keys = self.keys(&named, false);
        let values = self.room(512);
        let prefix = if self.layout.minor >= 13 { 8 } else { 0 };
        let class = self.class(if self.layout.minor < 11 { 0 } else { MANAGED | INLINE });
        let object = self.object(class, 512);
        let header = self.layout.header;
        let inline = self.layout.minor >= 13 && !has_dict;
        let array = if inline { object + header } else { values };
        for ((_, value), index) in attributes.iter().zip(0..) {
            self.image.set_word(array + prefix + index * 8, *value);
        }
        let after_type = if self.layout.minor == 11 { 704 } else { 712 };
        self.image.set_word(class + self.layout.class_flags + after_type, keys);
        let managed = object - if self.layout.free_threaded { 8 } else { 24 };
        if self.layout.minor < 11 {
            let dict = self.dict_of(keys, values);
            self.image.set_word(class + self.layout.class_flags + 120, 16);
            self.image.set_word(object + 16, dict);
        } else if has_dict {
            let dict = self.dict_of(keys, values);
            self.image.set_word(managed, dict);
        } else if self.layout.minor == 11 {
            self.image.set_word(object - 32, values);
        } else if self.layout.minor == 12 {
            self.image.set_word(managed, values - 1);
        } else {
            self.image.set_word(array, 0x0100_0000);
        }
        object
    }
}

const MANAGED: u64 = 1 << 4;
const INLINE: u64 = 1 << 2;

#[test]
fn texts_of_every_width_are_read_and_control_no_terminal() {
    for layout in layouts() {
        let mut heap = Heap::new(layout);
        for (text, shown) in
            [("worker-1", "worker-1"), ("é", "é"), ("日本", "日本"), ("🐍", "🐍"), ("a\x1b[2J", "a\\u{1b}[2J")]
        {
            let object = heap.text(text);
            assert_eq!(layout.text(object, &heap.image).as_deref(), Some(shown), "{layout:?}");
            assert_eq!(layout.is_text(object, "worker-1", &heap.image), text == "worker-1");
            assert!(layout.is(IS_STR, object, &heap.image) && !layout.is(IS_DICT, object, &heap.image));
        }
    }
}

#[test]
fn small_numbers_are_read_and_others_are_none() {
    for layout in layouts() {
        let mut heap = Heap::new(layout);
        let object = heap.number(4_194_303);
        assert_eq!(layout.whole_number(object, &heap.image), Some(4_194_303));
        let two = if layout.minor >= 12 { 2 << 3 } else { 2 };
        heap.image.set_word(object + layout.header, two);
        heap.image.set_word(object + layout.header + 8, 1 << 32 | 5);
        assert_eq!(layout.whole_number(object, &heap.image), Some((1 << 30) + 5));
        let negative = if layout.minor >= 12 { 1 << 3 | 2 } else { u64::MAX };
        heap.image.set_word(object + layout.header, negative);
        assert_eq!(layout.whole_number(object, &heap.image), None);
    }
}

#[test]
fn dicts_are_read_from_their_ends_and_by_their_texts() {
    for layout in layouts() {
        for hashed in [false, true] {
            let mut heap = Heap::new(layout);
            let entries: Vec<(u64, u64)> = (0..20)
                .map(|index| (heap.text(&format!("key {index}")), (index != 18) as u64 * (index + 100)))
                .collect();
            let dict = heap.dict(&entries, hashed);
            assert_eq!(layout.item(dict, "key 7", &heap.image), Some(107), "{layout:?}");
            assert_eq!(layout.item(dict, "key 18", &heap.image), None, "it was deleted");
            assert_eq!(layout.item(dict, "key", &heap.image), None);
            let latest = layout.latest_entries(dict, 3, &heap.image).unwrap();
            assert_eq!(latest.iter().map(|entry| entry.value).collect::<Vec<_>>(), [119, 0, 117]);
            assert_eq!(latest[0].key, entries[19].0);
            // Not a dict, or one whose numbers contradict each other.
            assert_eq!(layout.item(entries[0].0, "key 7", &heap.image), None);
            let keys = heap.image.word(dict + layout.header + 16).unwrap();
            heap.image.set_word(keys + if layout.minor < 11 { 32 } else { 24 }, 129);
            assert_eq!(layout.latest_entries(dict, 3, &heap.image), None);
        }
    }
}

#[test]
fn attributes_are_found_wherever_a_version_keeps_them() {
    for layout in layouts() {
        for has_dict in [false, true] {
            let mut heap = Heap::new(layout);
            let object = heap.with_attributes(&[("_target", 3), ("_name", 5), ("_native_id", 7)], has_dict);
            let mut known = None;
            for _ in 0..2 {
                let found = layout.attribute_values(object, ["_native_id", "_name"], &mut known, &heap.image);
                assert_eq!(found, Some([7, 5]), "{layout:?} {has_dict}");
                assert!(known.is_some());
            }
            let found = layout.attribute_values(object, ["_name", "_absent"], &mut None, &heap.image);
            assert_eq!(found, None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_nothing_and_no_panic(seed: u64, address: u64) {
        for layout in layouts() {
            let memory = Garbage(seed);
            let _ = layout.text(address, &memory);
            let _ = layout.is_text(address, "_name", &memory);
            let _ = layout.whole_number(address, &memory);
            let _ = layout.bytes(address, &memory);
            let _ = layout.item(address, "threading", &memory);
            let _ = layout.latest_entries(address, 64, &memory);
            let _ = layout.attribute_values(address, ["_native_id", "_name"], &mut None, &memory);
        }
    }

    #[test]
    fn a_damaged_image_is_an_answer_or_none(damage in proptest::collection::vec((0u64..1024, any::<u64>()), 1..32), index in 0usize..10) {
        let layout = layouts()[index % layouts().len()];
        let mut heap = Heap::new(layout);
        let object = heap.with_attributes(&[("_target", 3), ("_name", 5)], false);
        let keys = (0..5).map(|key| (heap.text(&key.to_string()), key)).collect::<Vec<_>>();
        let dict = heap.dict(&keys, true);
        for (at, word) in damage {
            // Somewhere in what was laid out last, objects, keys or values.
            heap.image.set_word((heap.next - (at % 14) * (1 << 16)) + 64 + at / 14 * 8 , word);
        }
        let _ = layout.attribute_values(object, ["_target", "_name"], &mut None, &heap.image);
        let _ = layout.latest_entries(dict, 64, &heap.image);
    }
}
