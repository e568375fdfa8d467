//! The lock's rules, as tables of steps in `tests/scenarios/*.toml`.
//!
//! A step is what one thread does at one time (in milliseconds) and what the rules then say. The runner plays the
//! threads' part: it keeps who waits since when, refuses a timeout that comes at another time than one interval after
//! the wait began, and a step that passes over one that was due.

use std::collections::BTreeMap;
use std::path::Path;

use gilscope::event::LaneId;
use gilscope::gil::{Policy, Wait};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    interval: f64,
    step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: f64,
    thread: String,
    does: Deed,
    then: Answer,
    /// The lock's state afterwards, as far as the scenario cares.
    request: Option<bool>,
    switches: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// Wants the lock.
    Ask,
    /// Its interval is over.
    Timeout,
    /// Is woken by the signal of a drop.
    Wake,
    /// Comes to a safe point holding the lock.
    SafePoint,
    /// Drops the lock: at a safe point, or to block.
    Drop,
    /// Having dropped it, looks whether it may go on.
    GoOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// Has the lock.
    Holds,
    /// Waits, one interval from now.
    Waits,
    /// Sets the drop request and waits, one interval from now.
    Requests,
    /// Must drop the lock.
    MustDrop,
    /// May do as it likes.
    GoesOn,
    /// Must wait until another has taken the lock.
    HeldBack,
}

#[derive(Default)]
struct World {
    policy: Policy,
    /// Who waits, since when.
    waits: BTreeMap<String, (f64, Wait)>,
}

fn lane(thread: &str) -> LaneId {
    LaneId(thread.bytes().map(u32::from).sum())
}

impl World {
    fn play(&mut self, step: &Step, interval: f64) -> Answer {
        let (thread, me) = (step.thread.as_str(), lane(&step.thread));
        for (name, (since, _)) in &self.waits {
            let overdue = since + interval < step.at;
            assert!(!overdue, "{name} waits since {since} and its interval ended before {}", step.at);
        }
        match step.does {
            Deed::Ask => self.ask(thread, step.at),
            Deed::Wake => {
                assert!(self.waits.remove(thread).is_some(), "only who waits is woken");
                self.ask(thread, step.at)
            }
            Deed::Timeout => {
                let (since, wait) = self.waits.remove(thread).expect("only who waits has a timeout");
                assert_eq!(since + interval, step.at, "{thread} waits since {since}");
                let requests = self.policy.interval_over(wait);
                match self.ask(thread, step.at) {
                    Answer::Waits if requests => Answer::Requests,
                    answer => answer,
                }
            }
            Deed::SafePoint => {
                assert_eq!(self.policy.holder(), Some(me));
                if self.policy.drop_request() { Answer::MustDrop } else { Answer::GoesOn }
            }
            Deed::Drop => {
                let dropped = self.policy.drop(me);
                if dropped.requested && self.policy.awaits_switch(me) { Answer::HeldBack } else { Answer::GoesOn }
            }
            Deed::GoOn => {
                if self.policy.awaits_switch(me) {
                    Answer::HeldBack
                } else {
                    Answer::GoesOn
                }
            }
        }
    }

    fn ask(&mut self, thread: &str, at: f64) -> Answer {
        match self.policy.ask() {
            Some(wait) => {
                self.waits.insert(thread.to_owned(), (at, wait));
                Answer::Waits
            }
            None => {
                self.policy.take(lane(thread));
                Answer::Holds
            }
        }
    }
}

#[test]
fn every_scenario_goes_as_its_table_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut played = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let scenario: Scenario = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut world = World::default();
        for (number, step) in scenario.step.iter().enumerate() {
            let place = format!(
                "{}: {}: step {}, {} {:?} at {}",
                path.display(),
                scenario.title,
                number + 1,
                step.thread,
                step.does,
                step.at
            );
            assert_eq!(world.play(step, scenario.interval), step.then, "{place}");
            assert_eq!(step.request.unwrap_or(world.policy.drop_request()), world.policy.drop_request(), "{place}");
            assert_eq!(step.switches.unwrap_or(world.policy.switch_number()), world.policy.switch_number(), "{place}");
        }
        played += 1;
    }
    assert!(played >= 10, "only {played} scenarios found");
}
