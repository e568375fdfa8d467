//! The Python processes that run, one of which is to be watched.

use crate::app::State;
use crate::app::picker::Candidate;
use crate::app::words::foreign;
use crate::text::lines::wrapped;

use super::super::canvas::Canvas;
use super::super::theme::Ink;
use super::rule;

/// What stands behind a Python of which little is to be seen; the second where there is little room. Why stands below.
const IN_PART: [&str; 2] = ["threads and cores only", "in part"];

/// Narrower, there is room for the shorter.
const ROOM_FOR_MARK: u16 = 72;

/// The longest reason that is shown in a row; whole it stands below.
const SENTENCE: usize = 4;

/// ```text
/// ─ Python processes ────────────────────────────────────────────────
/// ▸  4242  3.13.1   python api.py --port 8000
///    4250  3.8.18   python worker.py                threads and cores only
///      17  no       process 17 belongs to root: observe it as that user
/// ```
pub fn render(state: &State, canvas: &mut Canvas) {
    let (width, height) = (canvas.width(), canvas.height());
    rule(canvas, 0, "Python processes", "");
    let picker = &state.watch.picker;
    let Some(rows) = &picker.rows else {
        canvas.text(1, 1, "looking for them …", Ink::Dim);
        return;
    };
    if rows.is_empty() {
        let text = "No Python process runs that can be seen from here. From a shell: gilscope watch SCRIPT.py runs a \
                    program and watches it.";
        for (y, line) in wrapped(text, usize::from(width.saturating_sub(2))).iter().enumerate() {
            canvas.text(1, 1 + y as u16, line, Ink::Text);
        }
        return;
    }
    let chosen = picker.chosen_index().unwrap_or(0);
    let caveat = picker.chosen().and_then(Candidate::caveat).filter(|_| state.message.is_none());
    let reason = caveat.map(|why| wrapped(&foreign(why), usize::from(width.saturating_sub(2)))).unwrap_or_default();
    let below = if reason.is_empty() { 0 } else { reason.len().min(SENTENCE) as u16 + 1 };
    let room = usize::from(height.saturating_sub(1 + below)).max(1);
    let first = (chosen + 1).saturating_sub(room);
    for (index, row) in rows.iter().enumerate().skip(first).take(room) {
        let y = 1 + (index - first) as u16;
        let ink = match (index == chosen, &row.version) {
            (true, _) => Ink::Strong,
            (_, Ok(_)) => Ink::Text,
            (_, Err(_)) => Ink::Dim,
        };
        canvas.set(1, y, if index == chosen { '▸' } else { ' ' }, Ink::Key);
        canvas.text_before(10, y, &row.pid.to_string(), ink);
        let version = row.version.as_deref().unwrap_or("no");
        canvas.text_to(12, y, 20, &foreign(version), ink);
        let words = match &row.version {
            Err(why) if row.command.is_empty() => why.as_str(),
            _ => from_its_name(&row.command),
        };
        let mark = match (&row.in_part, width) {
            (None, _) => "",
            (Some(_), ..ROOM_FOR_MARK) => IN_PART[1],
            (Some(_), _) => IN_PART[0],
        };
        let end = width.saturating_sub(mark.chars().count() as u16 + 1);
        canvas.text_to(21, y, if mark.is_empty() { width } else { end - 1 }, &foreign(words), ink);
        canvas.text(end, y, mark, Ink::Waits);
    }
    for (y, line) in (height.saturating_sub(below) + 1..height).zip(&reason) {
        canvas.text(1, y, line, Ink::Waits);
    }
}

/// A command line without the folder of its program: what tells one from another comes after that.
fn from_its_name(command: &str) -> &str {
    let program = command.split(' ').next().unwrap_or_default();
    program.rfind('/').map_or(command, |slash| &command[slash + 1..])
}

#[cfg(test)]
mod tests {
    use super::from_its_name;

    #[test]
    fn the_folder_of_the_program_is_left_out_and_nothing_else() {
        assert_eq!(from_its_name("/usr/bin/python3.13 /srv/api.py --port 8000"), "python3.13 /srv/api.py --port 8000");
        assert_eq!(from_its_name("python /srv/api.py"), "python /srv/api.py");
        assert_eq!(from_its_name(""), "");
    }
}
