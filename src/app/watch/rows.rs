//! The list of lanes on the Watch screen.
//!
//! A service that makes a thread for each request has hundreds of lanes of which a handful live. So those that live come
//! first, those that wait most before others; those that have ended are one row for each name; then come those that live
//! and do nothing, as far as there is room. Threads of one name are told apart by the kernel's numbers of them.

use std::collections::{HashMap, HashSet};

use crate::event::{LaneId, Nanos, State as LaneState};
use crate::trace::Trace;

/// Whoever is active for less than this part of its time counts as idle: of those that wake up now and then there is
/// nothing to see, and they are many.
const HARDLY: u64 = 100;

/// A row of the list: a thread that lives, or those that have ended and were called alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is called; of several their common name.
    pub name: String,
    /// Its lanes in the order of their births: one, unless they have ended.
    pub lives: Vec<Life>,
    /// The share of their time for which they were kept waiting, 0 to 1.
    pub waits: f64,
    /// The share of their time for which they were on a core, 0 to 1.
    pub runs: f64,
    /// How they fare.
    pub kind: Kind,
}

/// How the lanes of a row fare. In the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It lives and did something of late.
    Active,
    /// It is a process's first thread, and did nothing of late.
    Main,
    /// They have ended, not long ago.
    Ended,
    /// It lives, has a name of its own and did nothing of late.
    Idle,
}

/// When a lane lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Which lane.
    pub lane: LaneId,
    /// When it was born.
    pub from: Nanos,
    /// When it ended; none while it lives.
    pub to: Option<Nanos>,
}

impl Life {
    /// Whether some of it lies within these instants.
    pub fn meets(&self, from: Nanos, to: Nanos) -> bool {
        self.from < to && self.to.is_none_or(|end| end > from)
    }
}

impl Row {
    /// The lane that is meant at an instant: the one that waits for its lock there, or one that lives there, or the
    /// nearest.
    pub fn lane_at(&self, log: &Trace, at: Nanos) -> Option<LaneId> {
        let alive = || self.lives.iter().filter(|life| life.meets(at, at + Nanos(1)));
        let waits = |life: &&Life| log.span_at(life.lane, at).is_some_and(|span| span.state == LaneState::WaitingGil);
        let apart = |life: &&Life| life.from.max(at) - at.min(life.to.unwrap_or(at));
        let found = alive().find(waits).or_else(|| alive().next()).or_else(|| self.lives.iter().min_by_key(apart));
        found.map(|life| life.lane)
    }

    /// Whether a lane is among its own.
    pub fn has(&self, lane: LaneId) -> bool {
        self.lives.iter().any(|life| life.lane == lane)
    }

    /// How many were folded into it; none if it is one alone.
    pub fn folded(&self) -> Option<usize> {
        Some(self.lives.len()).filter(|count| *count > 1)
    }
}

/// What is read of all lanes.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) rows: Vec<Row>,
    /// Those that live, did nothing of late and have no name of their own.
    pub(super) idle: Vec<Life>,
    /// What those are called that share their name with others.
    pub(super) labels: HashMap<LaneId, String>,
}

/// What one lane did lately.
struct Did {
    life: Life,
    alive: u64,
    waited: u64,
    ran: u64,
    active: bool,
}

/// Reads the list of all who lived after `from`. `past` remembers those who did not, for they never will.
pub(super) fn read(log: &Trace, from: Nanos, past: &mut HashSet<LaneId>) -> List {
    let mut list = List::default();
    let lately: Vec<Did> =
        log.lanes().filter(|(lane, _)| !past.contains(lane)).filter_map(|(lane, _)| did(log, lane, from)).collect();
    let gone = log.lanes().map(|(lane, _)| lane).filter(|lane| !past.contains(lane) && is_past(log, *lane, from));
    past.extend(gone.collect::<Vec<LaneId>>());
    list.labels = labels(log, &lately);
    let mut ended: HashMap<String, Vec<&Did>> = HashMap::new();
    for did in &lately {
        let lane = did.life.lane;
        let info = log.lane(lane);
        if did.life.to.is_some() {
            if did.active {
                ended.entry(common_name(&info.name)).or_default().push(did);
            }
            continue;
        }
        let kind = match () {
            () if did.active => Kind::Active,
            () if info.tid.is_some() && info.tid == info.pid => Kind::Main,
            () if is_numbered(&info.name) => {
                list.idle.push(did.life);
                continue;
            }
            () => Kind::Idle,
        };
        let name = list.labels.get(&lane).unwrap_or(&info.name).clone();
        list.rows.push(row(name, &[did], kind));
    }
    // By how long they waited: of a request that has just begun the share is that of a moment, and the next has another.
    // Figures that differ in what nobody reads do not change the order.
    let waited: HashMap<LaneId, u64> = lately.iter().map(|did| (did.life.lane, did.waited)).collect();
    let percent = ((log.now() - from).0 / 100).max(1);
    let whole = |row: &Row| waited.get(&row.lives[0].lane).map_or(0, |waited| (waited + percent / 2) / percent);
    list.rows.sort_by_key(|row| (row.kind, std::cmp::Reverse(whole(row)), row.lives[0].lane));
    let waited = |members: &[&Did]| members.iter().map(|did| did.waited).sum::<u64>();
    let mut ended: Vec<_> = ended.into_iter().collect();
    ended.sort_by(|(one, a), (other, b)| waited(b).cmp(&waited(a)).then_with(|| one.cmp(other)));
    let at = list.rows.partition_point(|row| row.kind < Kind::Ended);
    let rows = ended.into_iter().map(|(common, mut members)| {
        members.sort_by_key(|did| (did.life.from, did.life.lane));
        let alone = members.first().filter(|_| members.len() == 1);
        let name = alone.map_or(common, |did| log.lane(did.life.lane).name.clone());
        row(name, &members, Kind::Ended)
    });
    let rows: Vec<Row> = rows.collect();
    list.rows.splice(at..at, rows);
    list
}

fn row(name: String, members: &[&Did], kind: Kind) -> Row {
    let sum = |of: fn(&Did) -> u64| members.iter().map(|did| of(did)).sum::<u64>() as f64;
    let alive = sum(|did| did.alive).max(1.0);
    let lives = members.iter().map(|did| did.life).collect();
    Row { name, lives, waits: sum(|did| did.waited) / alive, runs: sum(|did| did.ran) / alive, kind }
}

/// What a lane did after `from`; none if it did not live then.
fn did(log: &Trace, lane: LaneId, from: Nanos) -> Option<Did> {
    let ledger = log.lane_ledger_between(lane, from, log.now()).0;
    let time = |state: LaneState| ledger[state.index()].0;
    let there: u64 = LaneState::ALL.into_iter().filter(|state| state.alive()).map(time).sum();
    // Of the time it was stopped nothing is told, and nothing it did then is little.
    let alive = there - time(LaneState::Stopped);
    let ran: u64 = LaneState::ALL.into_iter().filter(|state| state.on_core()).map(time).sum();
    let waited = time(LaneState::WaitingGil);
    let first = log.span_at(lane, log.begin_at()).filter(|span| span.state == LaneState::Unborn);
    let last = log.span_at(lane, log.now()).filter(|span| span.state == LaneState::Done);
    let life = Life { lane, from: first.map_or(log.begin_at(), |span| span.to), to: last.map(|span| span.from) };
    (there > 0).then_some(Did { life, alive, waited, ran, active: (ran + waited) * HARDLY >= alive })
}

fn is_past(log: &Trace, lane: LaneId, from: Nanos) -> bool {
    log.span_at(lane, log.now()).is_some_and(|span| span.state == LaneState::Done && span.from < from)
}

/// Those who have a name that others who live have, too, are told apart by their numbers.
fn labels(log: &Trace, lately: &[Did]) -> HashMap<LaneId, String> {
    let mut names: HashMap<&str, usize> = HashMap::new();
    for did in lately {
        *names.entry(&log.lane(did.life.lane).name).or_default() += 1;
    }
    let label = |did: &Did| {
        let info = log.lane(did.life.lane);
        let tid = info.tid.filter(|_| names.get(info.name.as_str()).is_some_and(|count| *count > 1))?;
        Some((did.life.lane, format!("{} {tid}", info.name)))
    };
    lately.iter().filter_map(label).collect()
}

/// Whether a thread has no name but its number: `thread 12`, or Python's `Thread-12`.
fn is_numbered(name: &str) -> bool {
    let number = name.rsplit_once("thread ").or_else(|| name.rsplit_once("Thread-")).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What threads have in common that were named by counting: the last number in the name is a `*`.
fn common_name(name: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let Some(end) = name.rfind(is_digit).map(|last| last + 1) else { return name.to_owned() };
    let start = name[..end]
        .rfind(|c: char| !is_digit(c))
        .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    format!("{}*{}", &name[..start], &name[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::testing::TraceBuilder;

    fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    /// A hundred requests of 10 ms, each in a thread of its own, most of them waiting; a server that accepts them, one
    /// that refreshes something, two that do nothing at all.
    fn requests() -> Trace {
        let mut log = TraceBuilder::new().lock("GIL");
        log = log.lane("acceptor").state(LaneState::Io, ms(1000));
        log = log.lane("refresher").running(ms(1000));
        log = log.lane("thread 7").state(LaneState::Io, ms(1000));
        for request in 0..100 {
            let name = if request % 4 == 0 { "http /json".to_owned() } else { format!("thread {}", 10 + request) };
            let before = ms(request * 10);
            log = log.lane(&name).state(LaneState::Unborn, before).waiting(ms(9)).state(LaneState::Native, ms(1));
            log = log.state(LaneState::Done, ms(990) - before);
        }
        log.build()
    }

    #[test]
    fn those_that_live_come_first_and_those_that_ended_are_folded_by_name() {
        let log = requests();
        let list = read(&log, log.begin_at(), &mut HashSet::new());
        let rows: Vec<_> = list.rows.iter().map(|row| (row.name.as_str(), row.lives.len(), row.kind)).collect();
        let last = (log.lanes().len() - 1) as u32;
        assert!(log.span_at(LaneId(last), log.now()).is_some());
        assert_eq!(
            rows,
            [
                ("refresher", 1, Kind::Active),
                ("thread *", 75, Kind::Ended),
                ("http /json", 25, Kind::Ended),
                ("acceptor", 1, Kind::Idle)
            ]
        );
        assert_eq!(list.idle.len(), 1);
        assert!((list.rows[1].waits - 0.9).abs() < 1e-6, "{}", list.rows[1].waits);
    }

    #[test]
    fn those_that_wake_up_now_and_then_are_idle_and_those_that_do_something_are_not() {
        let mut log = TraceBuilder::new().lock("GIL").lane("hog").running(ms(1000));
        log = log.lane("waiter").state(LaneState::Io, ms(980)).waiting(ms(20));
        for number in 0..20 {
            let name = if number % 2 == 0 { format!("thread {number}") } else { format!("Thread-{number} (nap)") };
            log = log.lane(&name);
            for _ in 0..10 {
                log = log.state(LaneState::Io, ms(99)).waiting(Nanos::from_micros(600));
                log =
                    log.state(LaneState::Native, Nanos::from_micros(200)).state(LaneState::Io, Nanos::from_micros(200));
            }
        }
        let log = log.build();
        let list = read(&log, log.begin_at(), &mut HashSet::new());
        let active: Vec<&str> =
            list.rows.iter().filter(|row| row.kind == Kind::Active).map(|row| row.name.as_str()).collect();
        assert_eq!(active, ["waiter", "hog"]);
        assert_eq!((list.idle.len(), list.rows.len()), (10, 12), "those with a name come last");
    }

    #[test]
    fn one_that_has_just_begun_does_not_stand_before_those_that_wait_all_the_time() {
        let log = TraceBuilder::new().lock("GIL").lane("hog").running(ms(1000));
        let log = log.lane("worker").state(LaneState::Io, ms(700)).waiting(ms(300));
        let log = log.lane("request").state(LaneState::Unborn, ms(995)).waiting(ms(5)).build();
        let list = read(&log, log.begin_at(), &mut HashSet::new());
        let rows: Vec<_> =
            list.rows.iter().map(|row| (row.name.as_str(), (row.waits * 100.0).round() as u32)).collect();
        assert_eq!(rows, [("worker", 30), ("request", 100), ("hog", 0)]);
    }

    #[test]
    fn of_a_folded_row_the_one_is_meant_that_lived_at_the_cursor() {
        let log = requests();
        let list = read(&log, log.begin_at(), &mut HashSet::new());
        let row = &list.rows[2];
        assert_eq!((row.name.as_str(), row.folded()), ("http /json", Some(25)));
        // The fourth of every four is the request that begins at 40, 80, 120 ms.
        let at = |millis: u64| row.lane_at(&log, log.begin_at() + ms(millis));
        assert_eq!(at(85), Some(LaneId(3 + 8)));
        assert_eq!(at(100), Some(LaneId(3 + 8)), "the nearest, where none lives");
    }

    #[test]
    fn who_ended_long_ago_is_looked_at_no_more() {
        let log = requests();
        let mut past = HashSet::new();
        let list = read(&log, log.begin_at() + ms(500), &mut past);
        let ended: usize = list.rows.iter().filter(|row| row.kind == Kind::Ended).map(|row| row.lives.len()).sum();
        assert!((49..=51).contains(&ended), "{ended}");
        assert!((48..=51).contains(&past.len()), "{}", past.len());
        let again = read(&log, log.begin_at() + ms(500), &mut past);
        assert_eq!(again.rows, list.rows);
    }

    #[test]
    fn names_given_by_counting_have_the_last_number_in_common() {
        for (name, common) in [
            ("thread 170", "thread *"),
            ("process 2 thread 5", "process 2 thread *"),
            ("Thread-12 (proc", "Thread-* (proc"),
            ("http /json", "http /json"),
            ("é9", "é*"),
            ("7", "*"),
        ] {
            assert_eq!(common_name(name), common);
        }
        assert!(is_numbered("Thread-12") && !is_numbered("Thread-12 (serve)"));
        assert!(is_numbered("process 2 thread 5") && !is_numbered("thread x") && !is_numbered("acceptor"));
    }
}
