//! What no comparison with CPython shows: what a host is told, and what is said of a program's mistakes.

use std::sync::Arc;

use crate::event::{LaneId, Nanos};
use crate::vm::{Alone, Crew, EventLoop, Module, Raised, Rules, StreamPrices, Thread, Turn, Value, compile};

/// Each slot calls `work` so often, with its number.
struct Often {
    left: Vec<u32>,
    outcomes: Vec<String>,
}

impl Crew<Alone> for Often {
    fn next(&mut self, thread: &mut Thread<'_, Alone>, slot: usize) -> Option<Result<Value, Raised>> {
        self.left[slot] = self.left[slot].checked_sub(1)?;
        Some(thread.call("work", vec![Value::Int(slot as i64)], Vec::new()))
    }

    fn ended(&mut self, _: &mut Alone, _: usize, outcome: Result<Value, Raised>) {
        self.outcomes.push(outcome.map_or_else(|raised| raised.to_string(), |value| value.repr()));
    }

    fn finished(&mut self, _: &mut Alone) {}
}

/// Runs `work` in so many slots, lane 1 on; each so often. What came of it, what was printed, what each lane did.
fn run(source: &str, left: Vec<u32>) -> (Vec<String>, String, Vec<(LaneId, Turn, Nanos)>) {
    let program = compile(source, "test.py").unwrap_or_else(|error| panic!("{error}"));
    let module = Module::new(Arc::new(program), "test");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    thread.run_body().unwrap_or_else(|raised| panic!("{raised}"));
    let slots: Vec<_> = (1..=left.len() as u32).map(|lane| Some(LaneId(lane))).collect();
    let mut crew = Often { left, outcomes: Vec::new() };
    let mut event_loop = EventLoop::new(StreamPrices::default()).expect("a descriptor is to be had");
    event_loop.run(&mut thread, &slots, &mut crew).unwrap_or_else(|raised| panic!("{raised}"));
    let host = thread.host();
    (crew.outcomes, std::mem::take(&mut host.printed), std::mem::take(&mut host.turns))
}

/// The turns of a lane, in a letter each.
fn of_lane(turns: &[(LaneId, Turn, Nanos)], lane: u32) -> String {
    let letter = |turn: &Turn| match turn {
        Turn::Ready { .. } => 'r',
        Turn::Running => 'R',
        Turn::Suspended => 's',
        Turn::Over => '.',
    };
    turns.iter().filter(|(known, ..)| known.0 == lane).map(|(_, turn, _)| letter(turn)).collect()
}

#[test]
fn a_lane_is_ready_runs_and_is_suspended_in_turns() {
    let source = "import asyncio\nasync def work(n):\n    await asyncio.sleep(0.001 * n)\n    return n\n";
    let (outcomes, _, turns) = run(source, vec![1, 2]);
    assert_eq!(outcomes, ["0", "1", "1"]);
    // `sleep(0)` only lets others have their turn: it is woken before it has stopped.
    assert_eq!(of_lane(&turns, 1), "rRsrR.");
    assert_eq!(of_lane(&turns, 2), "rRsrRsrR.");
}

#[test]
fn tasks_that_a_task_makes_are_shown_on_its_lane() {
    let source = "import asyncio
async def part():
    await asyncio.sleep(0)
async def work(n):
    await asyncio.gather(part(), part())
";
    let (_, _, turns) = run(source, vec![1]);
    let lane = of_lane(&turns, 1);
    assert!(lane.starts_with("rRs") && lane.ends_with("R."), "{lane}");
    assert!(lane.matches('R').count() > 4, "{lane}");
}

#[test]
fn one_who_was_woken_while_the_loop_was_busy_has_been_ready_since_then() {
    let source = "import asyncio, time
async def work(n):
    if n == 0:
        await asyncio.sleep(0.002)
    else:
        time.sleep(0.03)
";
    let (_, _, turns) = run(source, vec![1, 1]);
    // By its place in the order it was told of after the call that blocked the loop.
    let over = turns.iter().position(|(lane, turn, _)| (lane.0, *turn) == (2, Turn::Over));
    let told = turns.iter().rposition(|(lane, turn, _)| lane.0 == 1 && matches!(turn, Turn::Ready { .. }));
    assert!(over < told, "{turns:?}");
    let (_, Turn::Ready { since }, at) = turns[told.expect("it was woken")] else { panic!("{turns:?}") };
    assert!(at - since >= Nanos::from_millis(28), "its timer fell due while the other slept: {turns:?}");
}

#[test]
fn a_coroutine_that_nobody_awaits_and_an_error_nobody_asks_for_are_told() {
    let source = "import asyncio
async def other():
    return 1 // 0
async def work(n):
    other()
    asyncio.create_task(other())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
";
    let (_, printed, _) = run(source, vec![1]);
    assert_eq!(
        printed,
        "test.py:5: RuntimeWarning: coroutine 'other' was never awaited\n\
         test.py:3: Task exception was never retrieved: ZeroDivisionError: integer division or modulo by zero\n"
    );
}

#[test]
fn await_belongs_into_an_async_def() {
    let refused = |source| compile(source, "test.py").map(|_| ()).unwrap_err().to_string();
    assert_eq!(refused("def work():\n    await x()\n"), "test.py:2:5: syntax error: 'await' outside async function");
    assert!(refused("await x()\n").contains("'await' outside function"));
    assert!(refused("def work():\n    async with x:\n        pass\n").contains("'async with' outside async function"));
    assert!(refused("async def work():\n    async for x in y:\n        pass\n").contains("write a plain for"));
    assert!(
        refused("import asyncio\nasync def work():\n    asyncio.shield(x)\n").contains("asyncio.shield is outside")
    );
}

#[test]
fn asyncio_run_says_what_runs_the_loop_here() {
    let program = compile("import asyncio\ndef work():\n    asyncio.run(5)\n", "test.py").expect("it is Python");
    let module = Module::new(Arc::new(program), "test");
    let mut thread = Thread::new(&module, Alone::default(), Rules::V3_10);
    let result = thread.run_body().and_then(|()| thread.call("work", Vec::new(), Vec::new()));
    assert!(result.unwrap_err().to_string().contains("write `async def work`"));
}
