//! What is found of real programs, and what is not.

use super::*;

fn found(report: &Value, id: &str) -> Option<String> {
    let insights = report["insights"].as_array().expect("there may be some");
    let found = insights.iter().find(|it| it["id"] == id)?;
    Some(found["sentence"].as_str().expect("it says something").to_owned())
}

#[test]
fn a_loop_that_stands_still_is_told_with_what_it_did_and_one_that_does_not_is_not() {
    let Some(python) = python() else { return };
    let code = |blocks: &str| {
        format!(
            "import asyncio, time
async def ticks():
    while True:
        await asyncio.sleep(0.01)
def blocks():
    {blocks}
async def main():
    ticking = asyncio.create_task(ticks())
    for _ in range(4):
        await asyncio.sleep(0.3)
        blocks()
asyncio.run(main())
"
        )
    };
    let sleeps = code("time.sleep(0.25)");
    let computes = code("begun = time.thread_time()\n    while time.thread_time() < begun + 0.25: sum(range(500))");
    for (code, what) in [(&sleeps, "mostly it slept for a set time"), (&computes, "mostly it computed, in blocks (")] {
        let report = watch(&python, code);
        match found(&report, "loop-kept") {
            Some(said) => {
                assert!(
                    said.starts_with("main waits for events as an event loop does, and did not come back to that for "),
                    "{said}"
                );
                assert!(said.contains(what), "{said}");
            }
            // Then mostly it stood still for want of a core.
            None => assert!(found(&report, "cores-taken").is_some(), "nothing is said of {what}: {report:#}"),
        }
    }
    assert_eq!(found(&watch(&python, &code("pass")), "loop-kept"), None);
    // Where nothing is recorded, too: so long a sleep is met by every look.
    if let Some(report) = watch_refused(&python, &sleeps) {
        let said = found(&report, "loop-kept").expect("it stood still");
        assert!(said.contains("mostly it slept for a set time"), "{said}");
    }
}

#[test]
fn a_lock_of_the_programs_own_that_is_taken_again_at_once_is_told() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    // Whoever lets it go nearly always has it again before one that he has woken is there.
    let code = "import threading, time
lock = threading.Lock()
def work():
    end = time.monotonic() + 3
    while time.monotonic() < end:
        with lock:
            for _ in range(100000): pass
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    // It is a matter of luck how often it changes hands.
    let told = (0..5).find_map(|_| found(&watch(&python, code), "own-lock-bound"));
    let told = told.expect("it is told in one of several runs");
    assert!(told.contains(" threads take turns, as under a lock of the program's own"), "{told}");
}

#[test]
fn cores_that_a_program_may_not_use_are_none_for_it() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let code = "import hashlib, os, threading, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
data, end = bytes(1 << 20), time.monotonic() + 1.5
def hashes():
    while time.monotonic() < end: hashlib.sha256(data).digest()
threads = [threading.Thread(target=hashes) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";
    let report = watch(&python, code);
    assert_eq!(report["observer"]["allowance"]["cores"], 1, "{report:#}");
    let all = report["machine"]["logical_cores"].as_u64().expect("it has some");
    if all > 1 {
        let said = found(&report, "oversubscribed").expect("four threads are too many for one");
        assert!(said.contains(&format!("where it may use 1 of {all}:")), "{said}");
    }
    // Others may have taken the one that it could use, and no more.
    assert!(found(&report, "cores-taken").is_none_or(|said| said.ends_with("of 1.")), "{report:#}");
}
