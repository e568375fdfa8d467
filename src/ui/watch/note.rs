//! How a note is laid out that says why a program is not seen better.
//!
//! What is to be done stands at its end (``(perf_event_paranoid is 4): `sudo sysctl kernel.perf_event_paranoid=2` allows
//! it``), and of all of it that is what must be read. So where there is no room for everything, the beginning goes. A
//! command is never broken: whoever copies it gets a line.

use crate::text::lines::{filled, words_and_commands};

/// The lines of a note: the first so wide, the others wider, at most so many. One that `ends_with_remedy` keeps its end;
/// another its beginning, and the last line is then too long.
pub(super) fn laid(note: &str, first: usize, others: usize, rows: usize, ends_with_remedy: bool) -> Vec<String> {
    let words = words_and_commands(note);
    let room = |line: usize| if line == 0 { first } else { others };
    let fits = |lines: &[String]| {
        lines.len() <= rows && lines.iter().enumerate().all(|(at, line)| line.chars().count() <= room(at))
    };
    let whole = filled(words.iter().map(String::as_str), room);
    if fits(&whole) {
        return whole;
    }
    let mut ends = (1..words.len()).filter(|_| ends_with_remedy).map(|from| {
        let end = words[from..].iter().map(String::as_str);
        filled(["…"].into_iter().chain(end), room)
    });
    ends.find(|lines| fits(lines)).unwrap_or_else(|| {
        let (last, before) = (rows.max(1) - 1, whole.len().min(rows.max(1) - 1));
        let mut lines = whole[..before].to_vec();
        lines.extend((whole.len() > last).then(|| whole[last..].join(" ")));
        lines
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::Refused;

    #[test]
    fn whatever_the_room_a_remedy_is_whole_and_in_one_piece() {
        let note = Refused::Paranoid(4).to_string();
        let command = "`sudo sysctl kernel.perf_event_paranoid=2`";
        for (first, others) in [(110, 118), (69, 78), (49, 58), (36, 58), (3, 58), (0, 58)] {
            let lines = laid(&note, first, others, 2, true);
            assert!(lines.len() <= 2 && lines.iter().any(|line| line.contains(command)), "{first}: {lines:?}");
            assert!(lines.concat().ends_with("allows it"), "{lines:?}");
            assert!(lines[0].chars().count() <= first && lines.iter().all(|line| line.chars().count() <= others));
        }
        assert_eq!(laid(&note, 140, 150, 2, true), std::slice::from_ref(&note), "all of it where there is room");
        let policy = laid(&Refused::Policy.to_string(), 36, 58, 2, true).concat();
        assert!(policy.contains("--cap-add PERFMON") && policy.starts_with('…'), "{policy}");
    }

    #[test]
    fn what_is_no_remedy_keeps_its_beginning() {
        let lines = laid("after 9.3 s: the GIL came back, since a module wanted it", 20, 20, 2, false);
        assert_eq!(lines, ["after 9.3 s: the GIL", "came back, since a module wanted it"]);
        assert_eq!(laid("short", 20, 20, 1, false), ["short"]);
    }
}
