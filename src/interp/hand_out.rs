//! Who of a pool gets the next task.
//!
//! Breadth first: the process that has the fewest, as if those that are still coming up were there. What falls to one of
//! them stays in the queue until it is up, or until somebody who is up would have no more than it. So the first process
//! of several threads does not take what the second is about to be there for, nobody is handed what he cannot begin,
//! and a process that never comes up keeps nothing from the others: it is not counted once it is gone.

/// A process of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crew {
    /// Whether it takes tasks; otherwise it is coming up.
    pub(super) ready: bool,
    /// How many tasks it has.
    pub(super) has: usize,
    /// How many it does at once.
    pub(super) room: usize,
}

/// The place of the process that gets the next of so many waiting tasks; none if nobody is to get one now. Those that
/// are gone are given as none.
pub(super) fn next(crews: impl Iterator<Item = Option<Crew>>, waiting: usize) -> Option<usize> {
    let mut crews: Vec<(usize, Crew)> = crews
        .enumerate()
        .filter_map(|(place, crew)| Some((place, crew.filter(|crew| crew.has < crew.room)?)))
        .collect();
    for _ in 0..waiting {
        let candidates = crews.iter_mut().filter(|(_, crew)| crew.has < crew.room);
        let (place, crew) = candidates.min_by_key(|(place, crew)| (crew.has, !crew.ready, *place))?;
        if crew.ready {
            return Some(*place);
        }
        // This one waits for it; perhaps the one after it does not.
        crew.has += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool in which things happen one after another.
    struct Pool {
        crews: Vec<Option<Crew>>,
        waiting: usize,
    }

    impl Pool {
        fn new(processes: usize, threads: usize, tasks: usize) -> Pool {
            Pool { crews: vec![Some(Crew { ready: false, has: 0, room: threads }); processes], waiting: tasks }
        }

        /// Hands out all it can, and says to whom.
        fn hand_out(&mut self) -> Vec<usize> {
            let mut to = Vec::new();
            while let Some(place) = next(self.crews.iter().copied(), self.waiting) {
                self.crews[place].as_mut().unwrap().has += 1;
                self.waiting -= 1;
                to.push(place);
            }
            to
        }

        fn up(&mut self, place: usize) -> Vec<usize> {
            self.crews[place].as_mut().unwrap().ready = true;
            self.hand_out()
        }

        fn done(&mut self, place: usize) -> Vec<usize> {
            self.crews[place].as_mut().unwrap().has -= 1;
            self.hand_out()
        }
    }

    #[test]
    fn the_first_that_is_up_leaves_to_the_second_what_is_its() {
        let mut pool = Pool::new(2, 2, 2);
        assert!(pool.hand_out().is_empty());
        assert_eq!(pool.up(0), [0]);
        assert_eq!(pool.up(1), [1]);
    }

    #[test]
    fn whoever_is_done_before_the_second_is_up_does_not_wait_for_it() {
        let mut pool = Pool::new(2, 2, 2);
        assert_eq!(pool.up(0), [0]);
        assert_eq!(pool.done(0), [0]);
        assert_eq!((pool.up(1), pool.waiting), (vec![], 0));
    }

    #[test]
    fn tasks_beyond_all_rooms_are_taken_by_turns_and_then_by_whoever_is_done() {
        let mut pool = Pool::new(2, 2, 6);
        assert_eq!(pool.up(1), [1, 1]);
        assert_eq!(pool.up(0), [0, 0]);
        assert_eq!(pool.done(1), [1]);
        assert_eq!(pool.done(0), [0]);
        assert_eq!((pool.done(0), pool.waiting), (vec![], 0));
    }

    #[test]
    fn what_waited_for_one_that_is_gone_goes_to_the_others() {
        let mut pool = Pool::new(2, 2, 2);
        assert_eq!(pool.up(0), [0]);
        pool.crews[1] = None;
        assert_eq!(pool.hand_out(), [0]);
    }

    #[test]
    fn processes_of_one_thread_take_one_each() {
        let mut pool = Pool::new(3, 1, 3);
        assert_eq!(pool.up(2), [2]);
        assert_eq!(pool.up(0), [0]);
        assert_eq!(pool.done(2), [2]);
        assert_eq!((pool.up(1), pool.waiting), (vec![], 0));
    }

    #[test]
    fn whatever_happens_nobody_has_too_many_and_everything_is_done() {
        let mut chance = 7_u64;
        let mut dice = |sides: usize| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) as usize % sides
        };
        for _ in 0..500 {
            let (processes, threads, tasks) = (1 + dice(5), 1 + dice(3), dice(20));
            let mut pool = Pool::new(processes, threads, tasks);
            for _ in 0..10_000 {
                let place = dice(processes);
                match pool.crews[place] {
                    Some(crew) if !crew.ready => drop(pool.up(place)),
                    Some(crew) if crew.has > 0 => drop(pool.done(place)),
                    _ => {}
                }
                let crews = pool.crews.iter().flatten();
                assert!(crews.clone().all(|crew| crew.has <= crew.room && (crew.ready || crew.has == 0)));
                let all_up = crews.clone().all(|crew| crew.ready);
                assert!(!all_up || pool.waiting == 0 || crews.clone().all(|crew| crew.has == crew.room));
                if pool.waiting == 0 && crews.clone().all(|crew| crew.has == 0) {
                    break;
                }
            }
            assert_eq!(pool.waiting, 0, "{processes} × {threads}: {tasks}");
        }
    }
}
