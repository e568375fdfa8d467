//! Names of lanes where there is no room for all of one.

use std::collections::HashSet;

/// From so many digits on a number at the end of a name is the kernel's number of a thread, which is kept whole.
const NUMBER: usize = 4;

/// A name in so many columns, of which each character takes one. It is cut at its end; but what tells names apart often stands there, so one that
/// would read like another of `all` is cut in the middle: `worker…er-0`.
pub fn fitting(name: &str, room: usize, all: impl Iterator<Item = impl AsRef<str>>) -> String {
    let name: Vec<char> = name.chars().collect();
    if name.len() <= room {
        return name.into_iter().collect();
    }
    let room = room.saturating_sub(1);
    let kept = number(&name).filter(|kept| *kept < room);
    let alike = |other: &str| {
        let other: Vec<char> = other.chars().collect();
        (other.len() > room + 1 && other[..room] == name[..room]).then_some(other)
    };
    // Whoever is among them finds the same ones, and so all are cut at the same place.
    let mut alike: HashSet<Vec<char>> = all.filter_map(|other| alike(other.as_ref())).collect();
    alike.insert(name.clone());
    let differ = |tail: &usize| {
        let cut: HashSet<String> = alike.iter().map(|name| cut(name, room, *tail)).collect();
        cut.len() == alike.len()
    };
    let tail = match kept {
        Some(kept) => kept,
        None if alike.len() == 1 => 0,
        None => (room / 2..room).find(differ).unwrap_or(room / 2),
    };
    cut(&name, room, tail)
}

/// So many characters of a name, with so many of its end among them.
fn cut(name: &[char], room: usize, tail: usize) -> String {
    let (head, end) = (&name[..room - tail], &name[name.len() - tail..]);
    head.iter().chain(&['…']).chain(end).collect()
}

/// How many characters the number at the end of a name has, its blank included.
fn number(name: &[char]) -> Option<usize> {
    let digits = name.iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let blank = name.len().checked_sub(digits + 1).map(|at| name[at]);
    (digits >= NUMBER && blank == Some(' ')).then_some(digits + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKERS: [&str; 4] = ["worker-number-0", "worker-number-1", "worker-number-12", "io"];

    #[test]
    fn names_that_would_read_alike_are_cut_in_the_middle_and_others_at_their_end() {
        let fit = |name: &str, room| fitting(name, room, WORKERS.into_iter());
        assert_eq!(fit("worker-number-0", 15), "worker-number-0");
        assert_eq!(fit("worker-number-0", 10), "worke…er-0");
        assert_eq!(
            (fit("worker-number-1", 10), fit("worker-number-12", 10)),
            ("worke…er-1".into(), "worke…r-12".into())
        );
        assert_eq!(fit("io", 1), "…");
        assert_eq!(fitting("worker-number-0", 10, ["worker-number-0", "io"].into_iter()), "worker-nu…");
        // One that differs earlier needs no more than that.
        assert_eq!(fit("working-number-0", 10), "working-n…");
    }

    #[test]
    fn as_much_of_the_end_is_kept_as_tells_them_apart() {
        let names = ["request-of-a-client", "request-of-b-client"];
        let fit = |room| names.map(|name| fitting(name, room, names.into_iter()));
        assert_eq!(fit(10), ["r…a-client", "r…b-client"]);
        for room in 0..20 {
            let fit = fit(room);
            assert!(fit.iter().all(|name| name.chars().count() <= room.max(1)), "{fit:?}");
        }
    }

    #[test]
    fn a_thread_s_number_is_kept_whole() {
        let names = ["http-request 12345", "http-request 12346"];
        assert_eq!(fitting(names[0], 12, names.into_iter()), "http-… 12345");
        assert_eq!(fitting("http-request 12", 12, [""; 0].into_iter()), "http-reques…");
    }
}
