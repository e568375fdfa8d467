//! What the Watch screen says of a program, in a sentence or two.

use crate::app::cursor;
use crate::app::origin::Origin;
use crate::app::state::State;
use crate::app::words::foreign;
use crate::event::State as LaneState;
use crate::insight::Finding;
use crate::program::last_words;
use crate::trace::Trace;
use crate::workload::Importing;

use super::{Call, Holder, Watch};

/// From this share of the time on it is said what keeps threads from running without a GIL.
const WORTH_SAYING: f64 = 0.05;

/// Who makes others wait is worth a sentence if any of them waits for this share of its time.
const WORTH_WAITING: f64 = 0.01;

/// What stands below the lanes: something to say once, what the cursor points at, or what is to be said of it all. In the
/// words that were chosen, to be drawn as it is.
pub fn said(state: &State, log: &Trace) -> String {
    state.look.wording.say(&unsaid(state, log)).into_owned()
}

fn unsaid(state: &State, log: &Trace) -> String {
    match (&state.message, cursor::sentence(state, log)) {
        (Some(message), Some(pointed)) => format!("{message} {pointed}"),
        (Some(message), None) => message.clone(),
        (None, Some(pointed)) => pointed,
        (None, None) => match state.origin.instead.clone().filter(|_| state.watch.ended.is_none()) {
            Some(instead) => instead,
            None => state.watch.sentence(log, &state.origin, state.figures.insights.first()),
        },
    }
}

impl Watch {
    /// What is to be said of it all, in a sentence or two; what is foreign in it is kept apart. What was found of the whole
    /// run is said where no one thread makes the others wait just now, where they lack cores more than the lock, and at the
    /// end.
    pub(super) fn sentence(&self, log: &Trace, origin: &Origin, found: Option<&Finding>) -> String {
        let lacks_cores = found.is_some_and(Finding::is_about_cores) && {
            let [cores, lock] = [LaneState::WaitingCore, LaneState::WaitingGil].map(|it| log.ledger().0[it.index()]);
            cores > lock
        };
        let found = found.map(|found| [Some(&*found.sentence), found.advice].into_iter().flatten().collect::<Vec<_>>());
        let found = found.map(|said| said.join(" "));
        if let Some(how) = &self.ended {
            let seen = if log.lanes().len() == 0 { " No Python has been seen in it." } else { "" };
            let more = Some(self.last_words()).filter(|said| !said.is_empty());
            let more = more.or(found.map(|found| format!(" {found}"))).unwrap_or_default();
            return format!("The program has ended: {how}.{seen}{more}");
        }
        let rows = &self.figures.rows;
        let waits = rows.is_empty() || rows.iter().any(|row| row.waits >= WORTH_WAITING);
        let most = self.figures.holders.first().filter(|holder| waits && !lacks_cores && holder.waiting >= 0.2);
        match (most, self.figures.held) {
            (_, None) if self.gil_disabled => self.said_without_gil(),
            (_, None) if log.lanes().len() == 0 => "No Python has been seen in it so far.".to_owned(),
            (_, None) if !log.has_gil() => "No GIL has been found in it: its threads and cores are seen.".to_owned(),
            (Some(most), _) if self.by_function => self.said_of_functions(most),
            (Some(most), _) => self.said_of_thread(most),
            (None, _) if found.is_some() => found.unwrap_or_default(),
            (None, Some(held)) if held.share + origin.off(held.share) < 0.5 => match held.of {
                1 => "The lock is free most of the time: nobody waits long for it.".to_owned(),
                of => format!("Of {of} locks none is held most of the time: nobody waits long for one."),
            },
            (None, _) => "No one thread makes the others wait.".to_owned(),
        }
    }

    /// What there is to say where there is no GIL: what else keeps threads from running.
    fn said_without_gil(&self) -> String {
        let mut text = "GIL disabled: every thread runs whenever it can.".to_owned();
        if let Some(stops) = self.figures.stops.as_ref().filter(|stops| stops.share >= WORTH_SAYING) {
            let by = stops.by.as_ref().map_or_else(String::new, |by| format!(", mostly by {}", foreign(by)));
            text += &format!(" For {:.0}% of the time the world was stopped{by}.", stops.share * 100.0);
        }
        if let Some(most) = self.figures.holders.first().filter(|most| self.figures.runs && !most.name.is_empty()) {
            let (share, place) = (estimated(most.waiting, most.off), most.place.as_ref().unwrap_or(&most.name));
            text += &format!(" {share} of all running was in {}.", foreign(place));
        }
        if let Some((what, _)) = self.figures.wanted.as_ref().filter(|(_, share)| *share >= WORTH_SAYING) {
            text += &format!(" Where threads wait for one another, it is mostly for {}.", foreign(what));
        }
        text
    }

    /// The two functions during which others waited most, if the second is not far behind.
    fn said_of_functions(&self, most: &Holder) -> String {
        let what = |holder: &Holder| foreign(holder.place.as_ref().unwrap_or(&holder.name));
        let next = self.figures.holders.get(1).filter(|_| self.figures.culprits() > 1);
        let not_seen = "looks do not tell in which function the lock was held";
        let next = next.map(|next| match next.name.is_empty() {
            true => format!("; of {:.0}% {not_seen}", next.waiting * 100.0),
            false => format!(", {} while it was held in {}", estimated(next.waiting, next.off), what(next)),
        });
        let next = next.unwrap_or_default();
        if most.name.is_empty() {
            return format!("Of {:.0}% of all waiting {not_seen}{next}.", most.waiting * 100.0);
        }
        let share = estimated(most.waiting, most.off);
        format!("{share} of all waiting fell while the lock was held in {}{next}.", what(most))
    }

    /// During whose holds others waited, where, and what to try about it.
    fn said_of_thread(&self, most: &Holder) -> String {
        let share = most.waiting * 100.0;
        let place = match (&most.place, &most.also) {
            (Some(place), Some(also)) => {
                let (place, other) = (foreign(place), foreign(&also.place));
                let first = estimated(also.first, also.off);
                format!(", {first} of that in {place}, {:.0}% in {other}", also.share * 100.0)
            }
            (Some(place), None) => format!(", mostly in {}", foreign(place)),
            (None, _) => String::new(),
        };
        let name = foreign(&most.name);
        let name = match most.folded {
            Some(count) => format!("one of {count} ended threads {name}"),
            None => name,
        };
        let script = |call: &Call| self.scripts.get(&call.file).copied().unwrap_or_default();
        let advice = match most.call.as_ref().map(|call| (call, script(call))) {
            _ if most.holds <= 0.5 => String::new(),
            Some((call, script)) if script.importing != Importing::Runs => {
                let place = if script.is_here { "" } else { " in its folder" };
                let unless = if script.importing == Importing::Unknown { ", if importing it runs nothing" } else { "" };
                let command = foreign(&format!("gilscope compare --call {} -m threads,processes", call.target));
                format!(" Try{place}{unless}: {command}")
            }
            _ if most.folded.is_none() => " Try: compare with it as a process.".to_owned(),
            _ => String::new(),
        };
        format!("{share:.0}% of all waiting fell while {name} held the lock{place}.{advice}")
    }

    /// What a program that did not end well last said.
    fn last_words(&self) -> String {
        let well = self.ended.as_deref().is_none_or(|how| how == "exit status 0");
        let said = last_words(&self.output.lines).filter(|_| !well);
        said.map(|line| format!(" It said last: {}", foreign(line))).unwrap_or_default()
    }
}

/// A share that looks tell, and how far it may be off: `66% ±4`.
fn estimated(share: f64, off: f64) -> String {
    format!("{:.0}% ±{:.0}", share * 100.0, (off * 100.0).ceil())
}
