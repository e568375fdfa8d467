//! The rows of locks: who holds each, and when the world was stopped.

use crate::app::State;
use crate::app::words::sanitised;
use crate::event::{LaneId, LockId};
use crate::trace::{LockInfo, Trace};

use super::super::canvas::Canvas;
use super::super::glyphs::{lock_mark, world_mark};
use super::super::theme::Ink;
use super::picture::Picture;

/// So many rows locks have at least where the lanes and they have so many together: lanes are what one looks at.
pub(super) fn most(height: u16) -> usize {
    usize::from(height / 3).max(1)
}

/// The first so many locks of the picture. Who holds one is told by a letter, if there is one that means anybody; else it is a
/// dot.
pub(super) fn gils(
    log: &Trace,
    picture: &Picture,
    count: usize,
    letter: &dyn Fn(LaneId) -> Option<(char, usize)>,
    canvas: &mut Canvas,
) {
    let several = log.gils().nth(1).is_some();
    let place = |lane| letter(lane).map(|(_, place)| place);
    for (y, lock) in (0..).zip(picture.locks.in_picture.iter().take(count)) {
        let name = sanitised(&lock_name(log.lock(*lock), several));
        canvas.text_to(1, y, picture.left - 1, &name, Ink::Strong);
        let cells = log.lock_window(*lock, picture.axis.from, picture.to, picture.count);
        for (x, cell) in cells.iter().enumerate() {
            let mark = lock_mark(cell, picture.recorded(x), &place);
            let owner = cell.owner.filter(|_| mark.glyph.is_ascii_alphanumeric() || matches!(mark.glyph, '*' | '•'));
            let (glyph, ink) = match owner.map(|(lane, _)| letter(lane)) {
                Some(Some((letter, place))) => (letter, Ink::Lane(place)),
                Some(None) => ('•', Ink::Dim),
                None => (mark.glyph, mark.ink),
            };
            canvas.set(picture.left + x as u16, y, glyph, ink);
        }
    }
}

/// When all threads but one stood still, and how often that was.
pub(super) fn worlds(
    state: &State,
    log: &Trace,
    picture: &Picture,
    worlds: &[(LockId, &LockInfo)],
    canvas: &mut Canvas,
) {
    let several = log.worlds().nth(1).is_some();
    for (y, (world, info)) in (0..).zip(worlds) {
        let name = sanitised(&world_name(info, several, usize::from(picture.left) - 2));
        canvas.text_to(1, y, picture.left - 1, &name, Ink::Strong);
        let cells = log.lock_window(*world, picture.axis.from, picture.to, picture.count);
        for (x, cell) in cells.iter().enumerate() {
            let mark = world_mark(cell, picture.recorded(x));
            canvas.set(picture.left + x as u16, y, mark.glyph, mark.ink);
        }
        let times = state.watch.figures.stopped.get(world).copied().unwrap_or(0);
        canvas.text_before(canvas.width() - 1, y, &format!("{times}×"), Ink::Dim);
    }
}

/// A lock's name in the column of names: of several, by the number of its process and, if it is not the main one, of its
/// interpreter. A process that has executed another program had another lock before: the later ones bear the program's name.
pub(super) fn lock_name(info: &LockInfo, several: bool) -> String {
    if !several {
        return info.name.clone();
    }
    let program = info.name.find(" (").map_or("", |at| &info.name[at..]);
    let interpreter = info.interpreter().map_or(String::new(), |id| format!(".{id}"));
    format!("GIL {}{interpreter}{program}", info.process + 1)
}

/// A world's name in the column of names, shorter where there is no room for all of it.
fn world_name(info: &LockInfo, several: bool, room: usize) -> String {
    let number = match (several, info.interpreter()) {
        (false, _) => String::new(),
        (true, None) => format!(" {}", info.process + 1),
        (true, Some(id)) => format!(" {}.{id}", info.process + 1),
    };
    let whole = format!("stop-the-world{number}");
    if whole.len() <= room { whole } else { format!("stops{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LockKind;

    #[test]
    fn several_locks_are_told_by_their_numbers() {
        let name = |name: &str, process, several| {
            lock_name(&LockInfo { kind: LockKind::Gil, name: name.to_owned(), process, of_workers: true }, several)
        };
        assert_eq!(name("GIL", 0, false), "GIL");
        assert_eq!(name("GIL", 0, true), "GIL 1");
        assert_eq!(name("GIL of process 3", 2, true), "GIL 3");
        assert_eq!(name("GIL of process 3, interpreter 2", 2, true), "GIL 3.2");
        assert_eq!(name("GIL of interpreter 2", 0, true), "GIL 1.2");
        assert_eq!(name("GIL (next.py)", 0, true), "GIL 1 (next.py)");
        assert_eq!(name("GIL of process 3, interpreter 2 (next.py, 2)", 2, true), "GIL 3.2 (next.py, 2)");
    }

    #[test]
    fn a_world_s_name_is_cut_to_a_word() {
        let info = |process| LockInfo { kind: LockKind::StopTheWorld, name: String::new(), process, of_workers: true };
        assert_eq!(world_name(&info(0), false, 14), "stop-the-world");
        assert_eq!(world_name(&info(0), false, 10), "stops");
        assert_eq!(world_name(&info(1), true, 22), "stop-the-world 2");
        assert_eq!(world_name(&info(1), true, 14), "stops 2");
        let of_sub = LockInfo { name: "stop-the-world of interpreter 3".to_owned(), ..info(0) };
        assert_eq!(
            (world_name(&of_sub, true, 22), world_name(&of_sub, true, 14)),
            ("stop-the-world 1.3".into(), "stops 1.3".into())
        );
    }
}
