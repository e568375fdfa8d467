//! Programs of which all is known, looked at as real ones are.

use super::*;

/// One hold of a lock, in microseconds, and how many waited meanwhile.
#[derive(Clone, Copy, Debug)]
struct Hold {
    begin: u64,
    end: u64,
    lane: u32,
    function: &'static str,
    waiting: usize,
}

/// A number of many that follow no pattern.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    /// About as long, from a third to nearly twice as long.
    fn about(&mut self, micros: u64) -> u64 {
        micros / 3 + self.roll(micros * 4 / 3)
    }
}

/// The holds of each lock of a program that makes a thread for each request; of one in which beside them two threads live
/// as long as it does; of a pool; and of one with a process for each job, four at a time.
fn programs(dice: &mut Dice, lasts: u64) -> [Vec<Vec<Hold>>; 4] {
    let hold = |at: &mut u64, span: u64, lane: u32, function: &'static str, waiting: usize| {
        *at += span;
        Hold { begin: *at - span, end: *at, lane, function, waiting }
    };
    let request = |at: &mut u64, lane: u32, dice: &mut Dice| {
        let mut holds = vec![hold(at, dice.about(900), lane, "parse", 1)];
        *at += dice.about(400);
        holds.push(hold(at, dice.about(5000), lane, "render", 3));
        *at += dice.about(400);
        holds.push(hold(at, dice.about(300), lane, "store", 0));
        holds
    };
    let mut all: [Vec<Vec<Hold>>; 4] = [vec![Vec::new()], vec![Vec::new()], vec![Vec::new()], Vec::new()];
    let (mut at, mut lane) = (0, 0);
    while at < lasts {
        lane += 1;
        all[0][0].extend(request(&mut at, lane, dice));
    }
    at = 0;
    while at < lasts {
        lane += 1;
        all[1][0].extend(request(&mut at, 2 + lane, dice));
        all[1][0].push(hold(&mut at, dice.about(3000), 0, "index", 2));
        let function = if dice.roll(4) == 0 { "flush" } else { "poll" };
        all[1][0].push(hold(&mut at, dice.about(600), 1, function, 1));
    }
    at = 0;
    while at < lasts {
        let lane = dice.roll(9) as u32;
        all[2][0].extend(request(&mut at, lane, dice));
    }
    let mut lane = 0;
    for _ in 0..4 {
        at = dice.about(50_000);
        while at < lasts {
            lane += 1;
            let mut holds = vec![hold(&mut at, dice.about(15_000), lane, "import", 0)];
            let job = if dice.roll(3) == 0 { "large" } else { "small" };
            holds.push(hold(&mut at, dice.about(if job == "large" { 90_000 } else { 20_000 }), lane, job, 0));
            at += dice.about(9000);
            all[3].push(holds);
        }
    }
    all
}

/// What is said of each function of such a program, with its ±, and the truth, in nanoseconds; first of holding, then of
/// waiting. Of five looks into `store` one cannot be read.
fn said_and_true(
    locks: &[Vec<Hold>],
    from: u64,
    lasts: u64,
    dice: &mut Dice,
) -> HashMap<&'static str, [(f64, f64, f64); 2]> {
    use crate::observe::instants::Instants;
    let (mut places, mut instants, mut told) = (Places::default(), Instants::default(), HashMap::<LaneId, Held>::new());
    let mut truth: HashMap<&str, [f64; 2]> = HashMap::new();
    for (lock, holds) in locks.iter().enumerate() {
        for hold in holds {
            let (span, lock) = (Nanos::from_micros(hold.end - hold.begin), Some(LockId(lock as u16)));
            let told = told.entry(LaneId(hold.lane)).or_insert(Held { lock, ..Held::default() });
            (told.held, told.waited) = (told.held + span, told.waited + Nanos(span.0 * hold.waiting as u64));
            let truth = truth.entry(hold.function).or_default();
            (truth[0], truth[1]) = (truth[0] + span.0 as f64, truth[1] + (span.0 * hold.waiting as u64) as f64);
        }
    }
    instants.looked(Nanos::from_micros(from));
    while instants.due().0 / 1000 < from + 2 * lasts {
        let (due, within) = (instants.due(), (instants.due().0 / 1000).saturating_sub(from));
        for (lock, holds) in locks.iter().enumerate() {
            let index = holds.partition_point(|hold| hold.end <= within);
            let Some(hold) = holds.get(index).filter(|hold| hold.begin <= within && within < hold.end) else {
                continue;
            };
            let place = Some(place(hold.function)).filter(|_| hold.function != "store" || dice.roll(5) != 0);
            let look = Look { at: due, lane: LaneId(hold.lane), place, counts: 1.0 };
            places.note(look, As::Holder, Some(LockId(lock as u16)), hold.waiting);
        }
        instants.looked(due);
    }
    let rows = places.divide(&told, Looks::Ever);
    let said = |name: &str, of: fn(&HeldIn) -> Estimate| {
        rows.iter().find(|row| &*row.place.function == name).map(of).unwrap_or_default()
    };
    let both = |(name, truth): (&'static str, [f64; 2])| {
        let (held, waited) = (said(name, |row| row.held), said(name, |row| row.waited));
        (name, [(held.ns, held.off(), truth[0]), (waited.ns, waited.off(), truth[1])])
    };
    truth.into_iter().map(both).collect()
}

#[test]
fn whatever_lives_however_short_functions_have_what_they_have() {
    const RUNS: u32 = 150;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    /// Within the ±, the error, and the truth, of holding and of waiting.
    type Sums = [(u32, f64, f64); 2];
    let mut all: HashMap<(usize, &str), Sums> = HashMap::new();
    for run in 0..RUNS {
        let lasts = 6_000_000;
        for (program, locks) in programs(&mut dice, lasts).iter().enumerate() {
            let begins = 1_000_000 + u64::from(run) * 11_003_017;
            for (function, kinds) in said_and_true(locks, begins, lasts, &mut dice) {
                let sums = all.entry((program, function)).or_default();
                for (sum, (said, off, truth)) in sums.iter_mut().zip(kinds) {
                    let (within, error, whole) = *sum;
                    *sum = (within + u32::from((said - truth).abs() <= off), error + said - truth, whole + truth);
                }
            }
        }
    }
    assert!(all.len() > 12, "{all:?}");
    for (program, function) in all.keys() {
        for (kind, (within, error, truth)) in all[&(*program, *function)].into_iter().enumerate() {
            let whole: f64 = all.iter().filter(|((other, _), _)| other == program).map(|(_, sums)| sums[kind].2).sum();
            if whole == 0.0 {
                continue;
            }
            // Of what cannot be read always, that part is missing.
            let missing = if *function == "store" { truth / 5.0 } else { 0.0 };
            let off = (error + missing) / whole;
            assert!(off.abs() < 0.01, "program {program}, {function}, {kind}: {off} of {}", truth / whole);
            // 142 are to be expected, give or take three or so.
            let enough = *function == "store" || within >= RUNS * 9 / 10;
            assert!(enough, "program {program}, {function}, {kind}: of {RUNS} {within}");
        }
    }
}
