//! Reads of another process's memory that are made in one call.
//!
//! # The problem
//! What leads to an answer is a chain: each address lies in what was read before. A call of the kernel for each link costs
//! more than the few bytes that it brings.
//!
//! # The choice
//! Such chains are nearly the same from one look to the next. Which read followed on which is noted, and with the one that
//! is asked for those are made, in their order, that followed on it last time. What they brought counts only as long as
//! exactly these are asked for next; with the first that is not, all the rest is thrown away. So whoever asks gets what he
//! would get one after the other, only sooner after one another. Where the chain went elsewhere last time, as where it begins
//! with a lock that is somebody else's each time, it ends: what follows there is no guess worth its price.
//!
//! # Not chosen
//! To keep what was read for later looks: it changes.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use super::memory::{Memory, Unreadable};

/// How many reads are made in one call at most.
const MOST_STEPS: usize = 32;
/// A longer one is made alone: it is a table that is read once.
const LONGEST: usize = 512;
/// How many reads it is noted of what followed.
const MOST_NOTED: usize = 4096;

/// A read: where, how much, and which of its kind in this look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Step {
    address: u64,
    length: usize,
    time: u32,
}

/// What followed on what in earlier looks at one process.
#[derive(Debug, Default)]
pub struct Ahead {
    next: HashMap<Step, Next>,
}

/// What followed last, and whether it was the same the time before.
#[derive(Clone, Copy, Debug)]
struct Next {
    step: Step,
    is_usual: bool,
}

/// The memory during one look.
pub struct Look<'a> {
    memory: &'a dyn Memory,
    state: RefCell<State<'a>>,
}

struct State<'a> {
    ahead: &'a mut Ahead,
    /// How often each was read in this look.
    times: HashMap<(u64, usize), u32>,
    before: Option<Step>,
    /// What was read and not asked for yet.
    ready: VecDeque<(Step, Vec<u8>)>,
}

impl Ahead {
    /// A look begins.
    pub fn look<'a>(&'a mut self, memory: &'a dyn Memory) -> Look<'a> {
        let state = State { ahead: self, times: HashMap::new(), before: None, ready: VecDeque::new() };
        Look { memory, state: RefCell::new(state) }
    }

    fn note(&mut self, before: Step, step: Step) {
        if self.next.len() >= MOST_NOTED && !self.next.contains_key(&before) {
            self.next.clear();
        }
        let was = self.next.insert(before, Next { step, is_usual: true });
        if let (Some(was), Some(next)) = (was, self.next.get_mut(&before)) {
            next.is_usual = was.step == step;
        }
    }

    /// What is probably asked for after this.
    fn after(&self, step: Step) -> Vec<Step> {
        let mut found = vec![step];
        while let Some(next) = found.last().and_then(|last| self.next.get(last))
            && next.is_usual
            && next.step.length <= LONGEST
            && found.len() < MOST_STEPS
            // Of two looks one may have gone the other way.
            && !found.contains(&next.step)
        {
            found.push(next.step);
        }
        found.split_off(1)
    }
}

impl Memory for Look<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let time = state.times.entry((address, into.len())).or_default();
        let step = Step { address, length: into.len(), time: *time };
        *time += 1;
        if let Some(before) = state.before.replace(step) {
            state.ahead.note(before, step);
        }
        if let Some((_, bytes)) = state.ready.pop_front().filter(|(ready, _)| *ready == step) {
            into.copy_from_slice(&bytes);
            return Ok(());
        }
        state.ready.clear();
        let mut more: Vec<(Step, Vec<u8>)> =
            state.ahead.after(step).into_iter().map(|step| (step, vec![0; step.length])).collect();
        let mut pieces = vec![(address, into)];
        pieces.extend(more.iter_mut().map(|(step, bytes)| (step.address, bytes.as_mut_slice())));
        let read = self.memory.read_all(&mut pieces)?;
        state.ready.extend(more.into_iter().take(read - 1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Image;
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    /// A memory that counts its calls.
    #[derive(Default)]
    struct Counted {
        image: Image,
        calls: Cell<usize>,
    }

    impl Memory for Counted {
        fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
            self.calls.set(self.calls.get() + 1);
            self.image.read(address, into)
        }

        fn read_all(&self, pieces: &mut [(u64, &mut [u8])]) -> Result<usize, Unreadable> {
            self.calls.set(self.calls.get() + 1);
            self.image.read_all(pieces)
        }
    }

    /// Follows pointers from 0x1000 until one is null; where it ended.
    fn follow(memory: &dyn Memory) -> Result<u64, Unreadable> {
        let mut at = 0x1000;
        loop {
            match memory.word(at)? {
                0 => return Ok(at),
                next => at = next,
            }
        }
    }

    fn chain(places: &[u64]) -> Counted {
        let mut image = Image::default();
        for (index, place) in places.iter().enumerate() {
            image.put(*place, places.get(index + 1).copied().unwrap_or(0).to_le_bytes());
        }
        Counted { image, ..Counted::default() }
    }

    fn looked(memory: &Counted, ahead: &mut Ahead) -> (Result<u64, Unreadable>, usize) {
        memory.calls.set(0);
        (follow(&ahead.look(memory)), memory.calls.get())
    }

    #[test]
    fn a_chain_that_is_as_it_was_is_read_in_one_call() {
        let (memory, mut ahead) = (chain(&[0x1000, 0x2000, 0x3000, 0x4000]), Ahead::default());
        assert_eq!(looked(&memory, &mut ahead), (Ok(0x4000), 4));
        assert_eq!(looked(&memory, &mut ahead), (Ok(0x4000), 1));
    }

    #[test]
    fn one_that_leads_elsewhere_is_followed_there_and_its_end_is_found_again() {
        let (mut memory, mut ahead) = (chain(&[0x1000, 0x2000, 0x3000, 0x4000, 0x5000]), Ahead::default());
        let _ = looked(&memory, &mut ahead);
        memory.image.set_word(0x2000, 0x6000);
        memory.image.put(0x6000, 0x3000_u64.to_le_bytes());
        // What lies at 0x3000 was read before 0x6000, and is read again after it.
        assert_eq!(looked(&memory, &mut ahead), (Ok(0x5000), 3));
        // Where it went elsewhere it is not guessed before it has gone there twice.
        assert_eq!(looked(&memory, &mut ahead), (Ok(0x5000), 2));
        assert_eq!(looked(&memory, &mut ahead), (Ok(0x5000), 1));
        memory.image.set_word(0x2000, 0x3000);
        assert_eq!(looked(&memory, &mut ahead), (Ok(0x5000), 2));
    }

    #[test]
    fn what_has_gone_meanwhile_is_missed_only_by_whom_it_is_asked_for() {
        let (mut memory, mut ahead) = (chain(&[0x1000, 0x2000, 0x3000]), Ahead::default());
        let _ = looked(&memory, &mut ahead);
        memory.image = chain(&[0x1000, 0x4000]).image;
        assert_eq!(looked(&memory, &mut ahead).0, Ok(0x4000));
        memory.image.set_word(0x1000, 0x5000);
        assert_eq!(looked(&memory, &mut ahead).0, Err(Unreadable::Nothing(0x5000)));
        assert_eq!(looked(&Counted::default(), &mut ahead).0, Err(Unreadable::Nothing(0x1000)));
    }

    #[test]
    fn looks_that_go_to_and_fro_do_not_go_round_in_circles() {
        let mut image = Image::default();
        image.put(0x1000, vec![0; 16]);
        let mut ahead = Ahead::default();
        for turn in 0..4_u64 {
            let look = ahead.look(&image);
            let _ = (look.word(0x1000 + turn % 2 * 8), look.word(0x1008 - turn % 2 * 8));
        }
        assert_eq!(ahead.after(Step { address: 0x1000, length: 8, time: 0 }).len(), 1);
    }

    #[test]
    fn a_place_that_is_read_twice_in_a_look_is_read_twice() {
        /// Each read finds another number there.
        struct Counter(Cell<u64>);
        impl Memory for Counter {
            fn read(&self, _: u64, into: &mut [u8]) -> Result<(), Unreadable> {
                self.0.set(self.0.get() + 1);
                into.copy_from_slice(&self.0.get().to_le_bytes());
                Ok(())
            }
        }
        let (memory, mut ahead) = (Counter(Cell::new(0)), Ahead::default());
        for look in 0..3 {
            let memory = ahead.look(&memory);
            let words = [memory.word(8), memory.word(16), memory.word(8)];
            assert_eq!(words, [1, 2, 3].map(|nth| Ok(look * 3 + nth)));
        }
    }

    #[test]
    fn what_is_noted_stays_bounded() {
        let mut ahead = Ahead::default();
        let mut image = Image::default();
        image.put(0, vec![0; 8 * 3 * MOST_NOTED]);
        let look = ahead.look(&image);
        assert!((0..3 * MOST_NOTED as u64).all(|at| look.word(at * 8).is_ok()));
        drop(look);
        assert!(ahead.next.len() <= MOST_NOTED);
    }

    proptest! {
        #[test]
        fn every_read_brings_what_it_would_alone(looks: Vec<Vec<(u8, u8)>>) {
            let mut image = Image::default();
            image.put(64, (0..=255).collect::<Vec<u8>>());
            let mut ahead = Ahead::default();
            for reads in looks {
                let look = ahead.look(&image);
                for (address, length) in reads {
                    let (mut alone, mut together) = (vec![0; length.into()], vec![0; length.into()]);
                    let told = image.read(address.into(), &mut alone);
                    prop_assert_eq!(look.read(address.into(), &mut together), told);
                    prop_assert!(told.is_err() || alone == together);
                }
            }
        }
    }
}
