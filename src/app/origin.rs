//! What the picture is of, and how it is known: the same of a run in the lab and of a real program that is watched.

use crate::engine::{self, Description, Status, TOO_OFTEN};
use crate::event::Nanos;
use crate::trace::{CoreEvidence, Evidence, Trace};

use super::words::{foreign, tenths};

/// Why a lock that is taken too often is sampled, while its program runs, and after that.
const WOULD_SLOW: &str = "exact would slow it";
const WOULD_HAVE_SLOWED: &str = "exact would have slowed it";

/// So many looks tell how much a sampled lock is held: a thousand a second, of three seconds.
const LOOKS: f64 = 3000.0;

/// What the run on the screen comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which engine, large: `MINIATURE CPython`, `REAL CPython 3.13.1, GIL on`.
    pub engine: String,
    /// Whether its figures are exact, or samples that have a margin.
    pub evidence: Evidence,
    /// How its events come about, in a few words: `exact`, `SAMPLED 1 kHz`.
    pub how: String,
    /// Why not better, of what is observed.
    pub note: Option<String>,
    /// Whether that ends with what is to be done, which must be read where there is no room for all of it.
    pub note_is_remedy: bool,
    /// How it is known who had a core; none before a run.
    pub cores: Option<CoreEvidence>,
    /// Why that is not known better, in a sentence.
    pub reason: Option<String>,
    /// What is to be said in place of how its lock does, in a sentence: that the program is stopped, or executes something
    /// else than Python.
    pub instead: Option<String>,
    /// The real program, where one is watched.
    pub program: Option<Program>,
}

/// A real program that is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// What a person calls it: `api.py`.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Whether gilscope started it: then it ends with gilscope.
    pub launched: bool,
}

impl Default for Origin {
    /// The lab, before its first run.
    fn default() -> Origin {
        Origin {
            engine: "MINIATURE CPython".to_owned(),
            evidence: Evidence::Exact,
            how: "exact".to_owned(),
            note: None,
            note_is_remedy: false,
            cores: None,
            reason: None,
            instead: None,
            program: None,
        }
    }
}

impl Origin {
    /// Of a run: what its source says of itself, and its log of the lanes.
    pub fn of(description: &Description, log: &Trace) -> Origin {
        let program = description.program.as_ref();
        let python = program.and_then(|program| program.python.as_ref());
        let engine = match (description.engine, python) {
            ("emulated", _) => "MINIATURE CPython".to_owned(),
            (_, Some(python)) => format!("REAL {}", python.words()),
            (_, None) => "REAL CPython, not found yet".to_owned(),
        };
        let (how, evidence) = match &description.observing {
            Some(status) => how(status.engine),
            // One lane that was only looked at makes the picture one that was looked at.
            None if log.lanes().any(|(_, lane)| lane.evidence == Evidence::Sampled) => ("SAMPLED", Evidence::Sampled),
            None => ("exact", Evidence::Exact),
        };
        let note = description.observing.as_ref().and_then(note);
        Origin {
            engine,
            evidence,
            how: how.to_owned(),
            note_is_remedy: note.as_ref().is_some_and(|(_, is_remedy)| *is_remedy),
            note: note.map(|(text, _)| text),
            cores: Some(description.core_evidence),
            reason: description.core_evidence_reason.clone(),
            instead: description.observing.as_ref().zip(program).and_then(|it| instead(it, log.has_gil())),
            program: program.map(|program| Program {
                name: script(&program.command),
                pid: program.pid,
                launched: program.launched,
            }),
        }
    }

    /// Why not better, of a program that runs or that is over.
    pub fn note(&self, is_over: bool) -> Option<String> {
        let would_slow = self.note.as_deref() == Some(WOULD_SLOW);
        if is_over && would_slow { Some(WOULD_HAVE_SLOWED.to_owned()) } else { self.note.clone() }
    }

    /// Whether figures are samples, and so have a margin.
    pub fn is_sampled(&self) -> bool {
        self.evidence == Evidence::Sampled
    }

    /// How far a share of the last seconds may be off: not at all where all was recorded. By as many looks as those
    /// seconds have, with 95 %; in whole per cents.
    pub fn off(&self, share: f64) -> f64 {
        if !self.is_sampled() {
            return 0.0;
        }
        let off = 1.96 * (share * (1.0 - share) / LOOKS).sqrt();
        (off * 100.0).ceil().max(1.0) / 100.0
    }
}

const fn how(engine: engine::Engine) -> (&'static str, Evidence) {
    match engine {
        engine::Engine::Exact => ("EXACT", Evidence::Exact),
        engine::Engine::Sampled => ("SAMPLED 1 kHz", Evidence::Sampled),
        engine::Engine::Mixed => ("PARTLY SAMPLED", Evidence::Sampled),
        engine::Engine::NoLock => ("NO LOCK", Evidence::Exact),
        engine::Engine::CoresOnly => ("THREADS AND CORES ONLY", Evidence::Sampled),
    }
}

/// Why there is nothing to say of a lock, of which there may have been one.
fn instead((status, program): (&Status, &engine::Program), had_lock: bool) -> Option<String> {
    let (name, pid) = (foreign(&script(&program.command)), program.pid);
    match status.engine {
        _ if status.stopped.contains(&pid) => Some(format!(
            "{name} is stopped: nothing of it runs until it is continued ({}).",
            foreign(&format!("kill -CONT {pid}"))
        )),
        engine::Engine::CoresOnly if had_lock => {
            Some(format!("Process {pid} executes a program without Python: only its threads and cores are seen."))
        }
        _ => None,
    }
}

/// The most urgent of what the observer has to say: what is so now, before what is over. And whether that ends with what is
/// to be done.
fn note(status: &Status) -> Option<(String, bool)> {
    let last = |is_over: bool| status.alarms.iter().rfind(|alarm| alarm.until.is_some() == is_over);
    let timed = |alarm: &engine::Alarm| match tenths(alarm.at) {
        // Nothing was before that could be told.
        at if at == tenths(Nanos::ZERO) => alarm.text.clone(),
        at => format!("after {at}: {}", alarm.text),
    };
    let [alarm, over] = [false, true].map(|is_over| last(is_over).map(timed));
    let cores = status.switch_records_refused.as_ref().map(|why| format!("core times not known: {why}"));
    // Beside how often it is taken, so much is enough.
    let brief = |why: &String| if why == TOO_OFTEN { WOULD_SLOW.to_owned() } else { why.clone() };
    let is_news = |text| (text, false);
    let is_reason = |text| (text, true);
    // Of what is as it is for the program's good nothing is to be done.
    let reason = || status.reason.as_ref().map(|why| (brief(why), why != TOO_OFTEN));
    alarm.map(is_news).or_else(reason).or(over.map(is_news)).or(cores.map(is_reason))
}

/// What a person calls a program: its script, its module, or `-c`, without the folder.
fn script(command: &[String]) -> String {
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut words = command.iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-m" => return words.next().map_or_else(|| word.clone(), Clone::clone),
            "-c" => return "python -c".to_owned(),
            flag if flag.starts_with('-') => {}
            path => return file(path),
        }
    }
    command.first().map_or_else(String::new, |program| file(program))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Alarm;

    #[test]
    fn an_alarm_says_when_it_was() {
        let alarm = Alarm { at: Nanos::from_millis(9_340), until: None, text: "the GIL came back".to_owned() };
        let mut status = Status { alarms: vec![alarm], reason: Some("other".to_owned()), ..Status::default() };
        assert_eq!(note(&status), Some(("after 9.3 s: the GIL came back".to_owned(), false)));
        status.alarms[0].at = Nanos::from_millis(3);
        assert_eq!(note(&status), Some(("the GIL came back".to_owned(), false)), "nothing was before");
    }

    #[test]
    fn of_a_program_that_is_over_it_is_told_what_would_have_slowed_it() {
        let status = Status { reason: Some(TOO_OFTEN.to_owned()), ..Status::default() };
        let of = |text: Option<String>| Origin { note: text, ..Origin::default() };
        let slowed = of(note(&status).map(|(text, _)| text));
        assert_eq!(slowed.note(false).as_deref(), Some("exact would slow it"));
        assert_eq!(slowed.note(true).as_deref(), Some("exact would have slowed it"));
        assert_eq!(of(Some("other".to_owned())).note(true).as_deref(), Some("other"));
    }
}
