//! One lock of the observed: from writes to its word, or from looking at it, to who holds it.
//!
//! # The problem
//! A write to `gil.locked` says when and by whom, not whether it was a take or
//! a drop. Writes can be missed: before all threads are watched, or when the
//! kernel's ring was full.
//!
//! # The choice
//! Takes and drops alternate, so one look at the lock in a quiet moment tells
//! what the next write is (quiet before it, since a taker's name comes after its write; and after it,
//! since the record of a write comes after the write); the same look, repeated now and then, shows whether
//! writes were missed ([`Lock::looked`]). CPython's own count of the lock's
//! changes of hands (`switch_number`) is the second witness: what it counts
//! beyond ours was missed, and is said.
//!
//! A write costs the observed program some microseconds (a debug exception),
//! so a lock that is taken too often is not to be watched: [`Guard`].

mod guard;
mod lately;

use crate::event::{LockId, Nanos};
use crate::model::LockKind;

use super::runtime::LockState;
use super::still::Seen;
use super::thread::Past;
pub use guard::Guard;
use lately::Lately;

/// How long a lock that was written too often is only sampled before it is tried again.
pub const RESPITE: Nanos = Nanos::from_secs(10);
/// A look that finds it held counts only if nobody wrote for so long before, and if who wrote last had as much time on a
/// core since: a taker writes its name after the word, and in between the write is recorded.
pub(super) const QUIET_HELD: Nanos = Nanos::from_micros(40);
/// One that finds it free, only if nobody wrote while we looked.
const QUIET_FREE: Nanos = Nanos::from_micros(5);

/// How a lock is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each write is recorded.
    Exact,
    /// It is looked at from time to time; until then at least, or for good.
    Sampled {
        /// When it is to be tried again.
        until: Option<Nanos>,
    },
}

/// What a write or a look turns out to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// This thread dropped it.
    Dropped(u32),
    /// This thread took it.
    Taken(u32),
    /// It changed hands so many more times, unseen.
    Unseen(u64),
    /// It is written too often: from here on it is sampled.
    TooOften,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Lock {
    /// Its number.
    pub id: LockId,
    /// What it is.
    pub kind: LockKind,
    /// The process it lives in.
    pub pid: u32,
    /// The number of its interpreter, of the first of them if several share it.
    pub interpreter: i64,
    /// Where it lies.
    pub address: u64,
    /// The word that is watched.
    pub word: u64,
    /// How many words are, each by a debug register.
    pub words: usize,
    /// How it is followed.
    pub mode: Mode,
    /// Why it is not followed exactly.
    pub reason: Option<String>,
    /// Whether it is known who holds it.
    pub settled: bool,
    /// Whether it is to be looked at soon.
    pub look: bool,
    /// Until then it is new: one who was just forked makes his lock anew, and what is seen is put right, not missed.
    pub new_until: Nanos,
    /// Whether the thread state that took it last may be another thread's: then a look tells that it is held, and a write
    /// by whom.
    pub holder_is_vague: bool,
    /// Whether it is held by a thread that cannot be named.
    pub is_nameless: bool,
    /// Whether a thread may have several thread states that take it: CPython counts those as others, and they are one.
    pub is_of_several: bool,
    /// Whether it was last said that it is known who holds it.
    said_known: bool,
    /// When it was last looked at.
    pub looked_at: Nanos,
    /// What the last look at it found, if it could be read.
    pub(super) seen: Option<Seen>,
    /// When who was awake was last met by such a look, as long as it is only looked at.
    pub met_at: Option<Nanos>,
    /// Until then it is watched however often it is written: somebody asked for it.
    bear_until: Nanos,
    holder: Option<u32>,
    last: Option<u32>,
    /// What is known of its last holds, as long as it is watched.
    past: Past,
    last_hit: Nanos,
    /// Who wrote to it last, of what is recorded without a gap.
    last_writer: Option<u32>,
    guard: Guard,
    /// Writes recorded.
    pub hits: u64,
    /// Takes that were seen.
    pub takes: u64,
    /// Those of them that were seen while each was recorded.
    pub takes_exact: u64,
    /// Changes of hands that were seen.
    pub handoffs: u64,
    /// Takes, drops or changes of hands that must have been, unseen, while it was watched exactly.
    pub missed: u64,
    /// CPython's own count since the first look, as of the last one.
    pub switches: u64,
    /// Our count of the same time.
    pub switches_seen: u64,
    /// `switch_number` and our own count at the last look.
    counted: Option<(u64, u64)>,
    /// When both were first looked at, and when last.
    pub counted_between: Option<(Nanos, Nanos)>,
    /// How often it was looked at while it was only looked at.
    pub looks: u64,
    /// In how many of these looks it was held.
    pub looks_held: u64,
    /// How long it was held while each take and drop was recorded, and since when it is.
    pub held_exact: Nanos,
    held_since: Option<Nanos>,
    /// What is looked back on for how much it is held now.
    lately: Lately,
    /// How long it was followed exactly, and by looking.
    pub spans: (Nanos, Nanos),
    /// Up to when that is counted.
    pub spanned: Option<Nanos>,
    /// Whether its process has ended.
    is_over: bool,
    /// How often it was written too often.
    pub trips: u64,
}

impl Lock {
    /// Not followed so far.
    pub fn new(id: LockId, pid: u32, address: u64, word: u64) -> Lock {
        Lock {
            id,
            kind: LockKind::Gil,
            pid,
            interpreter: 0,
            address,
            word,
            words: 1,
            mode: Mode::Sampled { until: None },
            reason: None,
            settled: false,
            look: true,
            new_until: Nanos::ZERO,
            holder_is_vague: false,
            is_nameless: false,
            is_of_several: false,
            said_known: true,
            looked_at: Nanos::ZERO,
            seen: None,
            met_at: None,
            bear_until: Nanos::ZERO,
            holder: None,
            last: None,
            past: Past::default(),
            last_hit: Nanos::ZERO,
            last_writer: None,
            guard: Guard::default(),
            hits: 0,
            takes: 0,
            takes_exact: 0,
            handoffs: 0,
            missed: 0,
            switches: 0,
            switches_seen: 0,
            counted: None,
            counted_between: None,
            looks: 0,
            looks_held: 0,
            held_exact: Nanos::ZERO,
            held_since: None,
            lately: Lately::default(),
            spans: (Nanos::ZERO, Nanos::ZERO),
            spanned: None,
            is_over: false,
            trips: 0,
        }
    }

    /// For how long one who waits for it sleeps at a time, as it was when it was last looked at.
    pub fn interval(&self) -> Nanos {
        self.past.interval
    }

    /// Whether it is a GIL.
    pub fn is_gil(&self) -> bool {
        self.kind == LockKind::Gil
    }

    /// Each write is recorded from now on.
    pub fn watch(&mut self) {
        self.mode = Mode::Exact;
        self.past.forget();
        self.last_writer = None;
        self.guard.reset();
        self.held_since = None;
        self.settled = false;
        self.look = true;
    }

    /// The same, until then without regard to what it costs the program.
    pub fn watch_until(&mut self, until: Nanos) {
        self.watch();
        self.bear_until = until;
    }

    /// From now on it is only looked at, and until when.
    pub fn sample(&mut self, until: Option<Nanos>) {
        self.mode = Mode::Sampled { until };
        self.look = true;
    }

    /// Its process was forked by the thread that held it, of which this is the copy. Says whether that was news: nobody has
    /// written to it or looked at it so far.
    pub fn held_from_birth(&mut self, tid: u32) -> bool {
        let is_news = self.mode == Mode::Exact && !self.settled && self.hits == 0;
        if is_news {
            (self.holder, self.last, self.settled) = (Some(tid), Some(tid), true);
        }
        is_news
    }

    fn taken(&mut self, tid: u32, say: &mut dyn FnMut(Change)) {
        self.handoffs += u64::from(self.last.is_some_and(|last| last != tid));
        (self.holder, self.last) = (Some(tid), Some(tid));
        self.takes += 1;
        self.takes_exact += u64::from(self.mode == Mode::Exact);
        say(Change::Taken(tid));
    }

    fn dropped(&mut self, say: &mut dyn FnMut(Change)) {
        if let Some(tid) = self.holder.take() {
            say(Change::Dropped(tid));
        }
    }

    /// A thread wrote to its word.
    pub fn hit(&mut self, at: Nanos, tid: u32, say: &mut dyn FnMut(Change)) {
        if self.mode != Mode::Exact {
            return;
        }
        self.hits += 1;
        self.last_hit = at;
        self.last_writer = Some(tid);
        if self.settled {
            match self.holder {
                Some(holder) if holder == tid => {
                    self.past.dropped(at, tid);
                    self.book_held(at);
                    self.held_since = None;
                    self.dropped(say);
                }
                Some(_) => {
                    self.past.begin_anew(at);
                    // The holder's drop was missed.
                    self.missed += u64::from(at >= self.new_until);
                    self.look = true;
                    self.dropped(say);
                    self.taken(tid, say);
                }
                None => {
                    if self.past.drops.back().is_none_or(|(dropped, _)| at > *dropped + Past::HANDED_ON) {
                        self.past.busy_since = at;
                    }
                    self.held_since = Some(at);
                    self.taken(tid, say);
                }
            }
        }
        if self.guard.hit(at) && at >= self.bear_until {
            self.trips += 1;
            // Up to here it was exact, whatever it is when time is booked next.
            self.span(self.spanned.map_or(at, |spanned| spanned.max(at)));
            self.sample(Some(at + RESPITE));
            say(Change::TooOften);
        }
    }

    /// The kernel lost records: who holds it is to be found out anew.
    pub fn records_lost(&mut self) {
        if self.mode == Mode::Exact {
            self.settled = false;
            self.look = true;
            self.last_writer = None;
        }
    }

    /// Who wrote to it last, where each write is recorded.
    pub fn last_writer(&self) -> Option<u32> {
        self.last_writer.filter(|_| self.mode == Mode::Exact)
    }

    /// Whom a look means that names this thread as the holder. `None`: its word is not to be relied on, and no write has
    /// told.
    pub fn meant(&self, named: u32) -> Option<u32> {
        match self.holder_is_vague {
            false => Some(named),
            true => self.recorded_holder(),
        }
    }

    /// Whether it is known who holds it, if anybody.
    pub fn is_known(&self) -> bool {
        self.mode != Mode::Exact || self.settled && !self.is_nameless
    }

    /// The same, if that is news.
    pub fn says_known(&mut self) -> Option<bool> {
        let known = self.is_known();
        (std::mem::replace(&mut self.said_known, known) != known).then_some(known)
    }

    /// Who holds it, where each take and drop is recorded.
    pub fn recorded_holder(&self) -> Option<u32> {
        self.holder.filter(|_| self.mode == Mode::Exact && self.settled)
    }

    /// It was looked at, no earlier than `from`; `holder` is the thread that took it last.
    pub fn looked(&mut self, from: Nanos, seen: LockState, holder: Option<u32>, say: &mut dyn FnMut(Change)) {
        let exact = self.mode == Mode::Exact;
        let quiet = if seen.locked { QUIET_HELD } else { QUIET_FREE };
        if exact && self.last_hit + quiet >= from {
            // Somebody wrote while we looked: it says nothing of one moment.
            self.look = true;
            return;
        }
        self.looks += u64::from(!exact);
        self.looks_held += u64::from(!exact && seen.locked);
        self.past.interval = seen.interval;
        let known = exact && self.settled && from >= self.new_until;
        let holder = match () {
            // Who wrote last to a lock that is held has taken it.
            () if exact && seen.locked && self.holder_is_vague => self.last_writer.or(holder),
            () => holder,
        };
        let holds = if seen.locked { holder } else { None };
        // A thread we cannot name holds it.
        self.is_nameless = seen.locked && holder.is_none();
        if self.is_nameless {
            self.look = true;
        } else if holds != self.holder || !self.settled {
            // What a record did not tell is looked at once more, soon: a look may be wrong.
            self.look |= exact;
        }
        if !self.is_nameless && holds != self.holder {
            self.past.begin_anew(from);
            self.missed += u64::from(known);
            self.dropped(say);
            if let Some(tid) = holds {
                self.held_since = exact.then_some(from);
                self.taken(tid, say);
            }
        }
        self.last = self.last.or(holder);
        if let Some((number, ours)) = self.counted {
            // Who takes a lock that nobody ever had takes it from nobody.
            let first = u64::from(number == 0);
            let more = seen.switch_number.saturating_sub(number).saturating_sub(first);
            // Garbage, or another lock: no lock changes hands so often between two looks.
            if more < 1 << 32 {
                self.switches += more;
                self.switches_seen += self.handoffs - ours;
                let unseen = more.saturating_sub(self.handoffs - ours);
                if unseen > 0 && !(exact && self.is_of_several) {
                    self.missed += if known { unseen } else { 0 };
                    say(Change::Unseen(unseen));
                }
            }
        }
        self.counted = Some((seen.switch_number, self.handoffs));
        let (since, _) = *self.counted_between.get_or_insert((from, from));
        self.counted_between = Some((since, from));
        // Without its name the next write would pass for a take, and every one after it for its opposite.
        self.settled = match exact && self.is_nameless {
            true => self.settled && self.holder.is_some(),
            false => true,
        };
    }

    /// Somebody slept for an interval while he waited for it, woke up, and sleeps again.
    pub fn asked(&mut self, since: Nanos, woke: Nanos) {
        self.past.asked(since, woke);
    }

    /// Its recent past, if each write to it was recorded.
    pub fn past(&self) -> Option<&Past> {
        (self.mode == Mode::Exact && self.settled).then_some(&self.past)
    }

    /// Its holder ended or its process did.
    pub fn abandon(&mut self, at: Nanos, tid: u32) {
        if self.holder == Some(tid) {
            self.book_held(at);
            (self.holder, self.held_since) = (None, None);
        }
    }

    /// Nobody is left who could take it.
    pub fn end(&mut self, at: Nanos) {
        self.span(at);
        self.is_over = true;
    }

    /// Books what it was held up to `at`, if that is recorded.
    fn book_held(&mut self, at: Nanos) {
        if let Some(since) =
            self.held_since.filter(|_| self.mode == Mode::Exact && self.settled && self.holder.is_some())
        {
            self.held_exact += Nanos(at.0.saturating_sub(since.0));
            self.held_since = Some(since.max(at));
        }
    }

    /// How much of the time it was held of late, where it is only looked at.
    pub fn held_lately(&mut self, now: Nanos) -> Option<f64> {
        let looks = (self.looks, self.looks_held);
        self.lately.share(now, looks).filter(|_| self.mode != Mode::Exact)
    }

    /// The same in all, if it was only looked at for some of the time.
    pub fn held_in_all(&self) -> Option<f64> {
        let (exact, sampled) = (self.spans.0.0 as f64, self.spans.1.0 as f64);
        let held = self.held_exact.0 as f64 + sampled * self.looks_held as f64 / self.looks as f64;
        (self.looks > 0 && sampled > 0.0).then(|| held / (exact + sampled))
    }

    /// Books the time up to `at` as followed exactly or by looking.
    pub fn span(&mut self, at: Nanos) {
        if self.is_over {
            return;
        }
        let since = self.spanned.replace(at).unwrap_or(at);
        self.book_held(at);
        match self.mode {
            Mode::Exact if self.settled => self.spans.0 += at - since,
            Mode::Exact => {}
            Mode::Sampled { .. } => self.spans.1 += at - since,
        }
    }
}

#[cfg(test)]
mod tests;
