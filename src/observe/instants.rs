//! At which instants it is looked where the holders of locks are.
//!
//! # The problem
//! How often a function is met is to tell how long it holds the lock. Passes are made sooner when something has happened
//! ([`super::pace`]): a look that comes with them meets most what comes a moment after a wake-up. At equal distances it would
//! meet always the same of what the program does at such distances.
//!
//! # The choice
//! One look in each fiftieth of a second, at an instant drawn from all of it. Each instant has the same chance, whatever the
//! program does, and looks are still spread evenly: of a long hold they tell more than as many at any instants would. One
//! that comes too late for its own span is left out, not made up for. The pass that is made then is one as any other, and
//! the next one is due as long after it as after any. Where locks are sampled, it is the next pass after the instant.

use crate::event::Nanos;

/// The span in which there is one look.
pub const SPAN: Nanos = Nanos::from_millis(20);

/// See the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Instants {
    due: Nanos,
}

impl Instants {
    /// When it is to be looked.
    pub fn due(&self) -> Nanos {
        self.due
    }

    /// One of so many, by lot: for the look that has just been made.
    pub fn lot(&self, among: usize) -> usize {
        (draw(self.due.0) % among.max(1) as u64) as usize
    }

    /// A look is made, or could be: the next one is in the span after this.
    pub fn looked(&mut self, at: Nanos) {
        let span = at.0 / SPAN.0 + 1;
        self.due = Nanos(span * SPAN.0 + draw(span) % SPAN.0);
    }
}

/// One number of many that follow no pattern (SplitMix64; Steele, Lea and Flood, 2014).
fn draw(index: u64) -> u64 {
    let mut bits = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_in_each_span_at_any_of_its_instants() {
        let mut instants = Instants::default();
        let mut tenths = [0; 10];
        instants.looked(Nanos(7 * SPAN.0));
        for span in 8..10_008 {
            assert_eq!(instants.due().0 / SPAN.0, span);
            tenths[(instants.due().0 % SPAN.0 * 10 / SPAN.0) as usize] += 1;
            // A little late.
            instants.looked(instants.due() + Nanos::from_micros(1));
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn each_of_several_has_the_same_lot() {
        let (mut instants, mut drawn) = (Instants::default(), [0; 7]);
        for span in 0..7000 {
            instants.looked(Nanos(span * SPAN.0));
            drawn[instants.lot(7)] += 1;
        }
        assert!(drawn.iter().all(|count| (850..1150).contains(count)), "{drawn:?}");
        assert_eq!(instants.lot(0), 0);
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let mut instants = Instants::default();
        instants.looked(Nanos(3 * SPAN.0 + 5));
        instants.looked(Nanos(9 * SPAN.0 + 5));
        assert_eq!(instants.due().0 / SPAN.0, 10);
    }
}
