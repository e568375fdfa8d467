//! What writes and looks make of a lock.

use super::guard::{ALLOWANCE, MOST_HITS};
use super::*;

fn state(locked: bool, switch_number: u64) -> LockState {
    LockState { locked, last_holder: 0, switch_number, interval: Nanos::from_millis(5), enabled: true }
}

fn settled() -> Lock {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    lock.watch();
    lock.looked(Nanos(1_000_000), state(true, 5), Some(7), &mut |_| {});
    lock
}

fn hit(lock: &mut Lock, at: u64, tid: u32) -> Vec<Change> {
    let mut said = Vec::new();
    lock.hit(Nanos(at), tid, &mut |change| said.push(change));
    said
}

fn look(lock: &mut Lock, at: u64, seen: LockState, holder: u32) -> Vec<Change> {
    let mut said = Vec::new();
    lock.looked(Nanos(at), seen, Some(holder), &mut |change| said.push(change));
    said
}

#[test]
fn writes_are_drops_and_takes_in_turn_once_a_look_has_told_which() {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    lock.watch();
    assert_eq!(hit(&mut lock, 10, 7), []);
    assert_eq!(look(&mut lock, 30_000, state(true, 5), 7), [], "somebody wrote a moment ago");
    assert_eq!(look(&mut lock, 1_000_000, state(true, 5), 7), [Change::Taken(7)]);
    assert_eq!(hit(&mut lock, 2_000_000, 7), [Change::Dropped(7)]);
    assert_eq!(hit(&mut lock, 2_000_100, 8), [Change::Taken(8)]);
    assert_eq!((lock.handoffs, lock.missed), (1, 0));
    assert_eq!(look(&mut lock, 9_000_000, state(true, 6), 8), []);
    assert_eq!((lock.switches, lock.missed), (1, 0));
}

#[test]
fn the_time_of_cpythons_own_count_is_known_and_looks_are_counted_where_there_is_nothing_else() {
    let mut lock = settled();
    look(&mut lock, 3_000_000, state(true, 5), 7);
    assert_eq!((lock.counted_between, lock.looks), (Some((Nanos(1_000_000), Nanos(3_000_000))), 0));
    hit(&mut lock, 4_000_000, 7);
    look(&mut lock, 4_001_000, state(false, 5), 7);
    assert_eq!(lock.counted_between, Some((Nanos(1_000_000), Nanos(3_000_000))), "somebody wrote: it tells nothing");
    lock.sample(None);
    look(&mut lock, 5_000_000, state(false, 9), 7);
    look(&mut lock, 6_000_000, state(true, 9), 7);
    assert_eq!((lock.counted_between, lock.looks), (Some((Nanos(1_000_000), Nanos(6_000_000))), 2));
}

#[test]
fn a_thread_with_several_thread_states_hands_the_lock_to_nobody_when_it_uses_another() {
    for (several, missed) in [(false, 2), (true, 0)] {
        let mut lock = settled();
        lock.is_of_several = several;
        let said = look(&mut lock, 9_000_000, state(true, 7), 7);
        assert_eq!((said.len(), lock.missed), (usize::from(!several), missed), "several: {several}");
    }
}

#[test]
fn whether_its_holder_is_known_is_said_once() {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    lock.watch();
    assert_eq!((lock.says_known(), lock.says_known()), (Some(false), None), "nobody has looked");
    lock.looked(Nanos(1_000_000), state(true, 5), None, &mut |_| {});
    assert_eq!(lock.says_known(), None, "held, and nobody knows by whom");
    look(&mut lock, 2_000_000, state(true, 5), 7);
    assert_eq!((lock.says_known(), lock.says_known()), (Some(true), None));
    lock.records_lost();
    assert_eq!(lock.says_known(), Some(false));
}

#[test]
fn how_much_it_is_held_is_what_was_recorded_and_of_the_rest_the_share_of_the_looks_that_met_it_held() {
    const MS: u64 = 1_000_000;
    let mut lock = settled();
    lock.span(Nanos(MS));
    hit(&mut lock, 3 * MS, 7);
    hit(&mut lock, 4 * MS, 8);
    assert_eq!((lock.held_exact, lock.held_in_all()), (Nanos(2 * MS), None), "all of it is recorded");
    lock.span(Nanos(11 * MS));
    assert_eq!(lock.held_exact, Nanos(9 * MS), "it is held still");
    lock.sample(None);
    for at in 12..=21 {
        // Whoever holds it, at each second look.
        look(&mut lock, at * MS, state(at % 2 == 0, at), at as u32);
    }
    lock.span(Nanos(21 * MS));
    assert_eq!((lock.held_exact, lock.looks, lock.looks_held), (Nanos(9 * MS), 10, 5));
    assert_eq!(lock.held_in_all(), Some(0.7), "9 of 10 ms, and half of 10");
}

#[test]
fn a_holder_without_a_name_does_not_turn_takes_into_drops() {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    lock.watch();
    lock.looked(Nanos(1_000_000), state(true, 5), None, &mut |_| {});
    assert!(lock.look && !lock.settled);
    assert_eq!(hit(&mut lock, 2_000_000, 7), [], "its drop, or the next one's take: nobody knows");
    assert_eq!(look(&mut lock, 9_000_000, state(false, 5), 7), []);
    assert_eq!(hit(&mut lock, 10_000_000, 8), [Change::Taken(8)]);

    // One whose name is known by his take, and cannot be read just now, is still he.
    lock.looked(Nanos(20_000_000), state(true, 6), None, &mut |_| {});
    assert_eq!(hit(&mut lock, 21_000_000, 8), [Change::Dropped(8)]);
    // A take that was missed, by nobody knows whom.
    lock.looked(Nanos(30_000_000), state(true, 7), None, &mut |_| {});
    assert_eq!(hit(&mut lock, 31_000_000, 9), []);
}

#[test]
fn what_was_missed_is_found_and_counted() {
    let mut lock = settled();
    assert_eq!(hit(&mut lock, 2_000_000, 8), [Change::Dropped(7), Change::Taken(8)]);
    assert_eq!(lock.missed, 1);
    assert_eq!(look(&mut lock, 9_000_000, state(false, 9), 8), [Change::Dropped(8), Change::Unseen(3)]);
    assert_eq!(lock.missed, 1 + 1 + 3);
}

#[test]
fn a_lock_that_is_written_too_often_is_sampled() {
    let mut lock = settled();
    let mut said = Vec::new();
    let often = 1_000_000_000..;
    lock.span(Nanos(1_000_000_000));
    let last = MOST_HITS + ALLOWANCE - 1;
    for (index, at) in often.step_by(400_000).take(last + 1).enumerate() {
        said = hit(&mut lock, at, 7);
        assert!(!said.contains(&Change::TooOften) || index == last);
    }
    assert_eq!(said.last(), Some(&Change::TooOften));
    assert!(matches!(lock.mode, Mode::Sampled { until: Some(_) }));
    assert_eq!(lock.spans, (Nanos(400_000 * last as u64), Nanos::ZERO), "it was exact up to then");
    let exact = lock.takes;
    let again = 9_000_000_000;
    assert_eq!(hit(&mut lock, again, 7), [], "what comes late is not believed");
    assert!(look(&mut lock, again, state(true, 6), 8).contains(&Change::Taken(8)));
    assert_eq!((lock.takes, lock.takes_exact), (exact + 1, exact), "who is found to have it took it at some time");

    lock.watch();
    let tripped =
        (again..).step_by(400_000).take(MOST_HITS).any(|at| hit(&mut lock, at, 7).contains(&Change::TooOften));
    assert!(tripped, "what was borne once is not borne again");

    let mut lock = settled();
    for at in (1_000_000_000..).step_by(1_000_000).take(10_000) {
        assert!(!hit(&mut lock, at, 7).contains(&Change::TooOften), "a thousand writes a second are borne");
    }
}

#[test]
fn who_wrote_is_believed_where_the_holder_s_name_is_vague() {
    for (vague, holder) in [(true, 8), (false, 7)] {
        let mut lock = settled();
        lock.holder_is_vague = vague;
        hit(&mut lock, 2_000_000, 7);
        hit(&mut lock, 2_000_100, 8);
        let said = look(&mut lock, 9_000_000, state(true, 6), 7);
        assert_eq!(said.is_empty(), vague, "{said:?}");
        assert_eq!(lock.meant(7), Some(holder));
        assert_eq!(hit(&mut lock, 10_000_000, holder), [Change::Dropped(holder)]);
    }
}

#[test]
fn one_with_a_vague_name_that_held_it_before_it_was_watched_is_known_by_what_it_writes() {
    let mut lock = Lock::new(LockId(1), 1, 4096, 4112);
    lock.holder_is_vague = true;
    lock.watch();
    let mut said = Vec::new();
    lock.looked(Nanos(1_000_000), state(true, 5), None, &mut |change| said.push(change));
    assert_eq!(said, [], "who made the thread state is asleep");
    assert!(!lock.settled && lock.look);
    assert_eq!(lock.meant(7), None);
    assert_eq!((hit(&mut lock, 2_000_000, 8), hit(&mut lock, 2_000_100, 8)), (vec![], vec![]));
    assert_eq!(look(&mut lock, 9_000_000, state(true, 5), 7), [Change::Taken(8)]);
    assert_eq!(hit(&mut lock, 10_000_000, 8), [Change::Dropped(8)]);
    assert_eq!(lock.missed, 0);
    // Of whom nothing speaks against, it is believed.
    lock.watch();
    assert_eq!(look(&mut lock, 20_000_000, state(true, 5), 9), [Change::Taken(9)]);
}

#[test]
fn the_first_ever_to_take_a_lock_takes_it_from_nobody() {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    assert_eq!(look(&mut lock, 1_000, state(false, 0), 0), []);
    assert_eq!(look(&mut lock, 2_000, state(true, 1), 7), [Change::Taken(7)]);
    assert_eq!(look(&mut lock, 3_000, state(true, 3), 7), [Change::Unseen(2)]);
}

#[test]
fn between_two_looks_hand_offs_are_counted_and_no_owner_is_made_up() {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    assert_eq!(look(&mut lock, 1_000, state(true, 5), 7), [Change::Taken(7)]);
    assert_eq!(look(&mut lock, 2_000, state(true, 5), 7), []);
    assert_eq!(look(&mut lock, 3_000, state(true, 6), 8), [Change::Dropped(7), Change::Taken(8)]);
    assert_eq!(look(&mut lock, 4_000, state(true, 16), 8), [Change::Unseen(10)]);
    assert_eq!((lock.switches, lock.missed), (11, 0));
}

#[test]
fn what_is_held_from_birth_is_dropped_and_taken_in_turn_without_a_look() {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    lock.watch();
    assert!(lock.held_from_birth(7) && !lock.held_from_birth(8), "said once");
    // It is made anew.
    assert_eq!([hit(&mut lock, 10, 7), hit(&mut lock, 20, 7)], [[Change::Dropped(7)], [Change::Taken(7)]]);
    assert_eq!(look(&mut lock, 1_000_000, state(true, 5), 7), []);
    assert_eq!((lock.takes, lock.handoffs, lock.missed), (1, 0, 0));
    assert!(!settled().held_from_birth(8), "a look has told");
}

#[test]
fn a_lock_whose_process_has_ended_is_followed_no_longer_and_was_held_to_the_end() {
    let mut lock = Lock::new(LockId(0), 1, 4096, 4112);
    lock.watch();
    lock.held_from_birth(7);
    lock.span(Nanos(1_000));
    assert_eq!([hit(&mut lock, 2_000, 7), hit(&mut lock, 3_000, 7)], [[Change::Dropped(7)], [Change::Taken(7)]]);
    lock.abandon(Nanos(9_000), 7);
    lock.end(Nanos(9_000));
    lock.span(Nanos(50_000));
    assert_eq!((lock.spans, lock.held_exact), ((Nanos(8_000), Nanos::ZERO), Nanos(6_000)));
}
