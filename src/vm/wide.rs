//! Ints a little too long for 64 bits, as sums of many squares are.

use std::fmt;

/// An `int` that does not fit 64 bits but 120: beside its tag it fits the sixteen bytes of a `Value`, so that it needs no
/// memory of its own.
///
/// The lower 64 bits lie last, where a `Value` has them aligned, and are written and read as one word: what is read in
/// larger pieces than it has just been written in has to wait for the processor's store buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Wide {
    upper: [u8; 7],
    lower: [u8; 8],
}

impl Wide {
    /// How many bits it has, that of its sign included.
    pub(crate) const BITS: u32 = 120;

    /// None if it does not fit.
    #[inline(always)]
    pub(super) fn new(value: i128) -> Option<Wide> {
        const SPARE: u32 = i128::BITS - Wide::BITS;
        if value << SPARE >> SPARE != value {
            return None;
        }
        let [upper @ .., _] = ((value >> 64) as i64).to_le_bytes();
        Some(Wide { upper, lower: (value as u64).to_le_bytes() })
    }

    /// Its value.
    #[inline(always)]
    pub fn get(self) -> i128 {
        let [a, b, c, d, e, f, g] = self.upper;
        let upper = i64::from_le_bytes([0, a, b, c, d, e, f, g]) >> 8;
        i128::from(upper) << 64 | i128::from(u64::from_le_bytes(self.lower))
    }
}

impl fmt::Debug for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_120_bits_is_kept_and_nothing_else() {
        let most = (1i128 << 119) - 1;
        for value in [0, -1, i128::from(i64::MIN) - 1, 1 << 64, most, -most - 1] {
            assert_eq!(Wide::new(value).map(Wide::get), Some(value));
        }
        for value in [most + 1, -most - 2, i128::MAX, i128::MIN] {
            assert!(Wide::new(value).is_none(), "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_comes_back(value: i128, shift in 8u32..128) {
            let value = value >> shift;
            prop_assert_eq!(Wide::new(value).map(Wide::get), Some(value));
        }
    }
}
