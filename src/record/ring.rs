//! A bounded queue of packed events between one writer and one reader.
//!
//! The indices count events since the beginning and never wrap in practice
//! (2⁶⁴); an event's slot is its index modulo the capacity. The writer stores
//! the four words of a slot, then publishes them by storing `head` with
//! release; the reader that loads `head` with acquire sees them whole. The
//! other way round `tail` gives slots back. So a slot is never read while it
//! is written, and a writer killed anywhere leaves a ring that reads well.
//!
//! Where the words lie, and which atomics they are, is the storage's affair:
//! shared memory in a run, the heap in tests, loom's atomics in the model.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::Packed;

/// An atomic word of 64 bits.
pub trait Word {
    /// Reads it.
    fn load(&self, order: Ordering) -> u64;
    /// Writes it.
    fn store(&self, value: u64, order: Ordering);
}

impl Word for AtomicU64 {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }
    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }
}

/// Where a ring lies.
pub trait Storage {
    /// Its atomics.
    type Word: Word;
    /// How many slots there are: a power of two.
    fn capacity(&self) -> u64;
    /// How many events have been written. The writer's.
    fn head(&self) -> &Self::Word;
    /// How many of them have been read. The reader's.
    fn tail(&self) -> &Self::Word;
    /// The slot with this number, below the capacity.
    fn slot(&self, slot: u64) -> &[Self::Word; 4];
}

/// The one writer of a ring.
#[derive(Debug)]
pub struct Producer<S> {
    storage: S,
    head: u64,
    /// As last seen: looked up again only when the ring seems full.
    tail: u64,
}

impl<S: Storage> Producer<S> {
    /// The writer of this ring, going on where the last one ended. There must be one at a time.
    pub fn new(storage: S) -> Producer<S> {
        let head = storage.head().load(Ordering::Relaxed);
        let tail = storage.tail().load(Ordering::Acquire);
        Producer { storage, head, tail }
    }

    /// Writes one event, or says that the ring is full. Never waits.
    #[inline]
    pub fn push(&mut self, words: Packed) -> bool {
        let capacity = self.storage.capacity();
        if self.head.wrapping_sub(self.tail) >= capacity {
            self.tail = self.storage.tail().load(Ordering::Acquire);
            if self.head.wrapping_sub(self.tail) >= capacity {
                return false;
            }
        }
        let slot = self.storage.slot(self.head & (capacity - 1));
        for (word, value) in slot.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        self.head = self.head.wrapping_add(1);
        self.storage.head().store(self.head, Ordering::Release);
        true
    }

    /// Where it lies.
    pub fn storage(&self) -> &S {
        &self.storage
    }
}

/// The one reader of a ring.
#[derive(Debug)]
pub struct Consumer<S> {
    storage: S,
    tail: u64,
}

/// A ring's indices contradict each other: its writer is broken. What lay in it is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ring's indices are damaged")]
pub struct Damaged;

impl<S: Storage> Consumer<S> {
    /// The reader of this ring, going on where the last one ended. There must be one at a time.
    pub fn new(storage: S) -> Consumer<S> {
        let tail = storage.tail().load(Ordering::Relaxed);
        Consumer { storage, tail }
    }

    /// Reads what was there when it was called, oldest first: at most one ring full, however fast the writer.
    pub fn drain(&mut self, mut each: impl FnMut(Packed)) -> Result<(), Damaged> {
        let capacity = self.storage.capacity();
        let head = self.storage.head().load(Ordering::Acquire);
        if head.wrapping_sub(self.tail) > capacity {
            self.tail = head;
            self.storage.tail().store(head, Ordering::Release);
            return Err(Damaged);
        }
        while self.tail != head {
            let slot = self.storage.slot(self.tail & (capacity - 1));
            let words = std::array::from_fn(|word| slot[word].load(Ordering::Relaxed));
            self.tail = self.tail.wrapping_add(1);
            self.storage.tail().store(self.tail, Ordering::Release);
            each(words);
        }
        Ok(())
    }

    /// Where it lies.
    pub fn storage(&self) -> &S {
        &self.storage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A ring on the heap, over any atomics.
    struct Heap<W> {
        head: W,
        tail: W,
        slots: Vec<[W; 4]>,
    }

    impl<W> Heap<W> {
        fn with(capacity: usize, word: impl Fn() -> W) -> Arc<Heap<W>> {
            let slots = (0..capacity).map(|_| std::array::from_fn(|_| word())).collect();
            Arc::new(Heap { head: word(), tail: word(), slots })
        }
    }

    impl<W: Word> Storage for Arc<Heap<W>> {
        type Word = W;
        fn capacity(&self) -> u64 {
            self.slots.len() as u64
        }
        fn head(&self) -> &W {
            &self.head
        }
        fn tail(&self) -> &W {
            &self.tail
        }
        fn slot(&self, slot: u64) -> &[W; 4] {
            &self.slots[slot as usize]
        }
    }

    mod real {
        use super::*;

        type OnHeap = Arc<Heap<AtomicU64>>;

        fn ring(capacity: usize) -> (Producer<OnHeap>, Consumer<OnHeap>) {
            let heap = Heap::with(capacity, || AtomicU64::new(0));
            (Producer::new(heap.clone()), Consumer::new(heap))
        }

        fn drained(consumer: &mut Consumer<OnHeap>) -> Vec<u64> {
            let mut seen = Vec::new();
            consumer.drain(|words| seen.push(words[0])).unwrap();
            seen
        }

        #[test]
        fn what_is_written_is_read_in_order_and_once() {
            let (mut producer, mut consumer) = ring(4);
            for round in 0..5 {
                for n in 0..3 {
                    assert!(producer.push([round * 3 + n; 4]));
                }
                assert_eq!(drained(&mut consumer), [round * 3, round * 3 + 1, round * 3 + 2]);
                assert!(drained(&mut consumer).is_empty());
            }
        }

        #[test]
        fn a_full_ring_refuses_the_newest_and_keeps_the_rest() {
            let (mut producer, mut consumer) = ring(4);
            assert_eq!(
                (0..6).map(|n| producer.push([n; 4])).collect::<Vec<_>>(),
                [true, true, true, true, false, false]
            );
            assert_eq!(drained(&mut consumer), [0, 1, 2, 3]);
            assert!(producer.push([9; 4]));
            assert_eq!(drained(&mut consumer), [9]);
        }

        #[test]
        fn a_writer_that_follows_a_killed_one_goes_on_where_that_one_ended() {
            let (mut first, mut consumer) = ring(4);
            first.push([1; 4]);
            let mut second = Producer::new(first.storage().clone());
            second.push([2; 4]);
            assert_eq!(drained(&mut consumer), [1, 2]);
        }

        #[test]
        fn an_impossible_index_is_reported_and_stepped_over() {
            let (mut producer, mut consumer) = ring(4);
            consumer.storage().head.store(77, Ordering::Release);
            assert_eq!(consumer.drain(|_| panic!("nothing to trust here")), Err(Damaged));
            assert_eq!(consumer.drain(|_| panic!("nothing new")), Ok(()));
            producer = Producer::new(producer.storage().clone());
            assert!(producer.push([5; 4]));
            assert_eq!(drained(&mut consumer), [5]);
        }

        #[test]
        fn two_threads_lose_and_tear_nothing() {
            let (mut producer, mut consumer) = ring(64);
            let writer = std::thread::spawn(move || (1..=50_000_u64).filter(|n| producer.push([*n; 4])).count());
            let (mut last, mut read) = (0, 0);
            loop {
                let ended = writer.is_finished();
                consumer
                    .drain(|words| {
                        assert_eq!(words, [words[0]; 4]);
                        assert!(words[0] > last);
                        (last, read) = (words[0], read + 1);
                    })
                    .unwrap();
                if ended {
                    break;
                }
            }
            assert_eq!(read, writer.join().unwrap());
        }
    }

    /// Every interleaving, and every order the memory model allows, of a writer and a reader.
    mod model {
        use super::*;

        impl Word for loom::sync::atomic::AtomicU64 {
            fn load(&self, order: Ordering) -> u64 {
                loom::sync::atomic::AtomicU64::load(self, order)
            }
            fn store(&self, value: u64, order: Ordering) {
                loom::sync::atomic::AtomicU64::store(self, value, order);
            }
        }

        #[test]
        fn loom_nothing_is_lost_torn_or_reordered_and_every_drop_is_counted() {
            loom::model(|| {
                let heap = Heap::with(2, || loom::sync::atomic::AtomicU64::new(0));
                let (mut producer, mut consumer) = (Producer::new(heap.clone()), Consumer::new(heap));
                let writer = loom::thread::spawn(move || (1..=3_u64).filter(|n| !producer.push([*n; 4])).count());
                let mut seen = Vec::new();
                consumer.drain(|words| seen.push(words)).unwrap();
                let dropped = writer.join().unwrap();
                consumer.drain(|words| seen.push(words)).unwrap();
                assert!(seen.iter().all(|words| *words == [words[0]; 4]), "torn: {seen:?}");
                assert!(seen.is_sorted(), "out of order: {seen:?}");
                assert_eq!(seen.len() + dropped, 3, "{seen:?}");
            });
        }

        #[test]
        fn loom_a_slot_given_back_is_written_anew_without_being_read_meanwhile() {
            loom::model(|| {
                let heap = Heap::with(1, || loom::sync::atomic::AtomicU64::new(0));
                let (mut producer, mut consumer) = (Producer::new(heap.clone()), Consumer::new(heap));
                assert!(producer.push([1; 4]));
                let writer = loom::thread::spawn(move || producer.push([2; 4]));
                let mut seen = Vec::new();
                consumer.drain(|words| seen.push(words)).unwrap();
                let second = writer.join().unwrap();
                consumer.drain(|words| seen.push(words)).unwrap();
                let expected: &[Packed] = if second { &[[1; 4], [2; 4]] } else { &[[1; 4]] };
                assert_eq!(seen, expected);
            });
        }
    }
}
