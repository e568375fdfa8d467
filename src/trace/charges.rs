//! Who is charged with a lane's waiting.

use super::lane::Wait;
use crate::event::LockId;

/// Nanoseconds, by lock and by the holder's number there.
#[derive(Default)]
pub(super) struct Charges(Vec<(LockId, Vec<u64>)>);

impl Charges {
    /// So often what each holder held since the wait began, of what each held in all by now.
    pub(super) fn add_since(&mut self, wait: &Wait, held: &[u64], times: f64) {
        let sums = self.of(wait.lock, held.len());
        for (number, (sum, held)) in sums.iter_mut().zip(held).enumerate() {
            let since = held.saturating_sub(wait.held.get(number).copied().unwrap_or(0));
            *sum += if times == 1.0 { since } else { (since as f64 * times) as u64 };
        }
    }

    /// Those of the first so many holders of a lock, at least.
    pub(super) fn of(&mut self, lock: LockId, holders: usize) -> &mut Vec<u64> {
        let entry = match self.0.iter().position(|(charged, _)| *charged == lock) {
            Some(entry) => entry,
            None => {
                self.0.push((lock, Vec::new()));
                self.0.len() - 1
            }
        };
        let sums = &mut self.0[entry].1;
        sums.resize(sums.len().max(holders), 0);
        sums
    }

    /// Those of all holders of a lock.
    pub(super) fn get(&self, lock: LockId) -> &[u64] {
        self.0.iter().find(|(charged, _)| *charged == lock).map_or(&[], |(_, sums)| sums)
    }
}
