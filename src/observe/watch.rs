//! The observer's work: a pass every few milliseconds over what the kernel recorded and what is to be looked at.
//!
//! # The problem
//! Writes to locks, context switches, births and ends lie in one ring a core;
//! looks at locks and at sleeping threads are made by us, at times of our own.
//! Each is right about one instant, and only in the order of time do they make
//! sense together.
//!
//! # The choice
//! A pass collects all that is new ([`Watcher::pass`]), and looks at what needs
//! looking: threads that have just fallen asleep, locks whose holder is to be
//! found out. All of it goes into one list with its time, and what is older
//! than a moment is told, in order, to the machines of locks and threads
//! ([`super::lock`], [`super::thread`]). So a look counts for the sleep it fell
//! into, and not for the one before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::clock::{Clock, Monotonic};
use crate::event::{Detail, LockId, Nanos};
use crate::perf::{Record, What};

use super::allowed::Allowed;
use super::aside::Cores;
use super::births::Births;
use super::booked::{Booked, Gone};
use super::doing::{Doing, Doings};
use super::instants::Instants;
use super::lock::{Lock, Mode};
use super::naming::{NamesDue, Naming};
use super::notice::{Alarm, Notice, Program, Status};
use super::observed::{Process, Stage};
use super::pace::{Pace, Pause};
use super::parking::Parked;
use super::place::Place;
use super::process;
use super::recorder::{Recorder, Watchpoints};
use super::runtime::{Files, LockState};
use super::spent::Spent;
use super::thread::{Awake, Came, Thread};
use super::tracked::Tracked;

/// How far what is told lies behind now: longer than it takes a record to be readable.
pub(super) const MOMENT: Nanos = Nanos::from_millis(1);
/// How long a thread may be awaited that may turn out to be Python's.
pub(super) const UNDECIDED: Nanos = Nanos::from_millis(20);
/// How long one that executes a program: an interpreter is set up in some ten milliseconds.
pub(super) const BOOTING: Nanos = Nanos::from_millis(100);
/// How many threads may be known to sleep before they are followed.
const MOST_UNBORN: usize = 4096;
/// How long a sleep may be awaited whose reason nobody knows.
const UNEXPLAINED: Nanos = Nanos::from_millis(100);

/// Something that is to be told in the order of time.
pub(super) enum Item {
    Record(Record),
    Lock {
        lock: usize,
        came: Came,
        from: Nanos,
        state: LockState,
        holder: Option<u32>,
    },
    /// The holder of a lock was looked at: who it is and where, as far as that could be read.
    Place {
        lock: usize,
        tid: Option<u32>,
        place: Option<Place>,
    },
    /// A program is being loaded or an interpreter set up in a process's first thread.
    Boots {
        pid: u32,
        phase: Detail,
    },
    /// A process is stopped by this, or goes on.
    Halt {
        pid: u32,
        by: Option<process::StoppedBy>,
    },
    /// Of a process no lock is to be seen: it is no Python, or none that may be looked into. It is not being set up any more.
    HasNoLock {
        pid: u32,
    },
    Doing {
        tid: u32,
        doing: Doing,
        /// What it waits for, if it sleeps in one of CPython's own mutexes.
        parked: Option<Parked>,
        first: bool,
        /// How long before that threads had been looked at.
        apart: Nanos,
    },
    /// A thread is not there any more, and no record has told of its end.
    Gone {
        tid: u32,
    },
    /// Without a lock: whether a thread runs Python, as its thread state tells.
    Attached {
        tid: u32,
        attached: bool,
    },
}

/// See the [module](self).
pub struct Watcher {
    pub(super) root: u32,
    /// Who keeps it, if we started it: whatever loses its parent becomes his child, and none of his own is anything else.
    pub(super) keeper: Option<u32>,
    pub(super) recorder: Recorder,
    pub(super) processes: BTreeMap<u32, Process>,
    pub(super) threads: HashMap<u32, Tracked>,
    pub(super) locks: Vec<Lock>,
    pub(super) lock_names: HashSet<String>,
    pub(super) watchpoints: Vec<Option<Arc<Watchpoints>>>,
    pub(super) by_word: HashMap<(u32, u64), usize>,
    pub(super) files: Files,
    pub(super) lanes: u32,
    pub(super) lanes_not_shown: u64,
    pub(super) processes_seen: u32,
    pub(super) began: Nanos,
    pub(super) upto: Nanos,
    /// Up to when all is told to the machines.
    pub(super) told: Nanos,
    pub(super) alarms: Vec<Alarm>,
    /// How long its processes were on cores, and those of its threads that are gone.
    pub(super) spent: Spent,
    pub(super) gone: Gone,
    /// When it was last looked how long threads without a lane were, and how long.
    pub(super) native_before: (Nanos, Nanos),
    /// Why the first process may not be looked into.
    pub(super) blind: Option<String>,
    /// How often processes were stopped.
    pub(super) stops: usize,
    pub(super) births: Births,
    /// Whether there is something to be said at once, not with the next status.
    pub(super) is_news: bool,
    pub(super) refused: Option<String>,
    pub(super) program: Program,
    pub(super) samples: u64,
    pub(super) last_status: Option<(Nanos, u64, u64)>,
    pub(super) own_before: Nanos,
    pub(super) first_event: Option<Nanos>,
    pub(super) status: Status,
    pub(super) pending: Vec<(Nanos, Item)>,
    pub(super) notices: Vec<Notice>,
    pub(super) turn: usize,
    /// When it was last looked at what threads sleep in.
    pub(super) sleepers_looked_at: Nanos,
    /// When it is looked where holders are.
    pub(super) instants: Instants,
    /// Whether it is looked where holders are at all.
    pub(super) wants_places: bool,
    pub(super) names_due: NamesDue,
    /// When records were lost, among which may have been somebody's end.
    pub(super) ends_lost_at: Option<Nanos>,
    /// Threads that ended before it was seen whether they run Python.
    pub(super) ended_unseen: u64,
    pub(super) pace: Pace,
    pub(super) cores: Cores,
    pub(super) allowed: Allowed,
    /// Since when threads sleep that are not followed yet.
    asleep_at_birth: HashMap<u32, Nanos>,
    /// Threads that are awake whose lock has not been looked at since, where nothing else tells whether they hold it.
    pub(super) woken: Vec<u32>,
}

impl Watcher {
    /// One that watches nothing so far.
    pub fn new(root: u32, launched: bool) -> Watcher {
        let began = Monotonic.now();
        Watcher {
            root,
            keeper: None,
            recorder: Recorder::default(),
            processes: BTreeMap::new(),
            threads: HashMap::new(),
            locks: Vec::new(),
            lock_names: HashSet::new(),
            watchpoints: Vec::new(),
            by_word: HashMap::new(),
            files: Files::new(),
            lanes: 0,
            lanes_not_shown: 0,
            processes_seen: 0,
            began,
            upto: began,
            told: began,
            alarms: Vec::new(),
            spent: Spent::default(),
            gone: Gone::default(),
            native_before: (Nanos::ZERO, Nanos::ZERO),
            blind: None,
            stops: 0,
            births: Births::default(),
            is_news: false,
            refused: None,
            program: Program { pid: root, launched, ..Program::default() },
            samples: 0,
            last_status: None,
            own_before: super::own_time(),
            first_event: None,
            status: Status::default(),
            pending: Vec::new(),
            notices: vec![Notice::Began(began)],
            turn: 0,
            sleepers_looked_at: began,
            instants: Instants::default(),
            wants_places: true,
            names_due: NamesDue::default(),
            ends_lost_at: None,
            ended_unseen: 0,
            pace: Pace::default(),
            cores: Cores::default(),
            allowed: Allowed::default(),
            asleep_at_birth: HashMap::new(),
            woken: Vec::new(),
        }
    }

    /// What is observed, and why the kernel does not tell of context switches, if it does not.
    pub fn described(&self) -> (Program, Option<String>) {
        (self.program.clone(), self.refused.clone())
    }

    /// The first process.
    pub fn root(&self) -> u32 {
        self.root
    }

    /// Whether something is to be looked at often: a lock, or a process that is starting.
    pub fn is_sampling(&self) -> bool {
        self.samples_all() || self.locks.iter().any(|lock| lock.pid != 0 && (lock.mode != Mode::Exact || !lock.settled))
    }

    /// Whether more than locks is to be looked at often.
    fn samples_all(&self) -> bool {
        !self.recorder.is_on()
            || self.processes.values().any(|process| process.dormant.is_some() || process.stage == Stage::Waiting)
    }

    /// How long it is until the next pass.
    pub fn pause(&self) -> Pause {
        let (now, sampling) = (Monotonic.now(), self.is_sampling());
        let pause = self.pace.pause(now, sampling);
        // Where looks at holders are made at instants of their own, a pass is as good then as at any other.
        match self.until_places(now) {
            Some(span) if !sampling && span < pause.span => Pause { span, ..pause },
            _ => pause,
        }
    }

    /// What becomes readable when a ring is half full.
    pub fn rings(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.recorder.rings()
    }

    /// Takes in what is new and says what is known.
    pub fn pass(&mut self) {
        let asked = Monotonic.now();
        let came = Came::now(asked);
        let whole = self.pace.pass(asked, self.is_sampling() && !self.samples_all());
        self.collect();
        self.look_at_locks(came);
        if !whole {
            self.look_at_threads(asked, whole);
            return;
        }
        self.tell(asked - MOMENT);
        self.look_at_threads(asked, whole);
        self.look_for_halts(asked);
        self.look_at_states();
        self.look_at_places(asked);
        self.care(asked);
        self.say(asked - MOMENT);
    }

    /// Takes in all there is: nothing more will come.
    pub(super) fn last_pass(&mut self, at: Nanos) {
        self.collect();
        self.tell(Nanos::MAX);
        for tracked in self.threads.values_mut() {
            tracked.thread.decide(Nanos::MAX);
            // Who fell asleep a moment ago does not do any more what he did before.
            if tracked.thread.unresolved().is_some() {
                tracked.thread.give_up_on_sleep(at);
            }
        }
        self.flush(Nanos::MAX);
        self.upto = self.upto.max(at);
        self.notices.push(Notice::Upto(at));
    }

    fn collect(&mut self) {
        let mut new = Vec::new();
        let lost = self.recorder.drain(&mut |record| new.push(record));
        // Each core has a ring of its own: whose maker was born on another core is not to be met before it.
        new.sort_by_key(|record| record.at);
        for record in new {
            match record.what {
                What::Out { preempted } => {
                    self.cores.left(record.core, record.at);
                    if !preempted {
                        self.fell_asleep(record.tid, record.at);
                    }
                }
                What::In => {
                    self.cores.came(record.core, record.at);
                    self.woke_up(record.tid, record.at);
                }
                What::Born { parent, .. } => {
                    self.births.recorded();
                    // A child is to be watched at once, not when its time has come.
                    if record.pid == record.tid {
                        self.pace.born(record.at);
                        self.process_born(record.pid, parent, record.at);
                    }
                }
                What::Exec { .. } => self.process_execs(record.pid, record.at),
                _ => {}
            }
            self.pending.push((record.at, Item::Record(record)));
        }
        if lost {
            self.ends_lost_at = Some(Monotonic.now());
            self.locks.iter_mut().for_each(Lock::records_lost);
        }
    }

    /// Notes what is not in order of time: the last word of each ring.
    fn fell_asleep(&mut self, tid: u32, at: Nanos) {
        match self.threads.get_mut(&tid) {
            Some(tracked) => tracked.asleep = Some(at),
            // It was born a moment ago, and its birth is not due yet.
            None if self.asleep_at_birth.len() < MOST_UNBORN => drop(self.asleep_at_birth.insert(tid, at)),
            None => {}
        }
    }

    fn woke_up(&mut self, tid: u32, at: Nanos) {
        let Some(tracked) = self.threads.get_mut(&tid) else {
            self.asleep_at_birth.remove(&tid);
            return;
        };
        if let Some(process) = self.processes.get_mut(&tracked.pid) {
            process.halt.woke(at);
        }
        tracked.asleep = None;
    }

    /// The GILs among the locks.
    pub(super) fn gils(&self) -> impl Iterator<Item = &Lock> {
        self.locks.iter().filter(|lock| lock.is_gil())
    }

    /// Follows a thread of an observed process from now on. One that was there before is looked at as soon as may be.
    pub(super) fn track(&mut self, pid: u32, tid: u32, at: Nanos, born: bool) {
        if self.threads.contains_key(&tid) {
            return;
        }
        let awake = self.processes.get(&pid).map_or(Awake::Unknown, Process::awake);
        let asleep = self.asleep_at_birth.remove(&tid);
        let tracked = Tracked {
            pid,
            thread: Thread::new(at, born, awake),
            met_at: at,
            lane: None,
            needs: None,
            is_turned_away: false,
            naming: Naming::new(born && self.recorder.is_on()),
            doings: Doings::open(pid, tid),
            booked: Booked::open(pid, tid, at <= self.began),
            parent: None,
            maker: None,
            asleep: asleep.or((!born).then_some(at)),
            waits: None,
            looked_at: Nanos::ZERO,
        };
        self.threads.insert(tid, tracked);
    }

    /// Says what has been learnt, up to where nothing more can come.
    fn say(&mut self, horizon: Nanos) {
        let mut upto = horizon;
        for (tid, tracked) in &mut self.threads {
            let thread = &mut tracked.thread;
            if tracked.lane.is_none() {
                let patience = match () {
                    () if *tid == self.root => Nanos::from_secs(2),
                    () if thread.is_booting() => BOOTING,
                    // It has a lane in any case, if only when it ends.
                    () if self.processes.get(tid).is_some_and(Process::is_copy_of_python) => BOOTING,
                    () => UNDECIDED,
                };
                if thread.since + patience > horizon && !thread.has_ended() {
                    upto = upto.min(thread.since);
                } else {
                    thread.forget();
                }
                continue;
            }
            thread.decide(horizon);
            if let Some((since, until)) = thread.unexplained.take() {
                self.pace.unexplained(since, until);
            }
            if let Some(since) = thread.undecided() {
                if since + UNEXPLAINED > horizon {
                    upto = upto.min(since);
                } else {
                    thread.give_up_on_sleep(horizon);
                }
            }
        }
        self.flush(upto);
        if upto > self.upto {
            self.upto = upto;
            self.notices.push(Notice::Upto(upto));
        }
    }

    /// Something a person must know.
    pub(super) fn alarm(&mut self, at: Nanos, text: String) {
        let at = self.since_began(at);
        self.alarms.push(Alarm { at, until: None, text });
        self.is_news = true;
    }

    /// An instant on the clock of what is told.
    pub(super) fn since_began(&self, at: Nanos) -> Nanos {
        Nanos(at.0.saturating_sub(self.began.0))
    }

    /// The lock of a number.
    pub(super) fn lock_id(index: usize) -> LockId {
        LockId(index as u16)
    }

    /// Everything that is to be said.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}
