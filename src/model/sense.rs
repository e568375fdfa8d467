//! Which models make no sense for which workloads, and why: one function a reason.
//!
//! What merely goes badly is a lesson and no reason.

use super::Model;
use crate::workload::Workload;

/// A reason against a pair, as a sentence; none if there is nothing against it.
type Objection = fn(&Model, &Workload) -> Option<String>;

/// Every reason. The first that holds is said.
static OBJECTIONS: &[Objection] = &[nothing_to_await, nothing_but_coroutines];

impl Model {
    /// Why it makes no sense for this workload; none if it does.
    pub fn objection(&self, workload: &Workload) -> Option<String> {
        OBJECTIONS.iter().find_map(|objection| objection(self, workload))
    }
}

/// An event loop runs coroutines.
fn nothing_to_await(model: &Model, workload: &Workload) -> Option<String> {
    let why = "has no `async def work` or `async def work_async`, and coroutines can run nothing else: write one \
               that awaits where `work` waits, or choose another model";
    (model.runs_coroutines() && workload.coroutine.is_none()).then(|| format!("{} {why}", workload.id))
}

/// The others call a function and want its value.
fn nothing_but_coroutines(model: &Model, workload: &Workload) -> Option<String> {
    let (is, id) = (&workload.id, model.id);
    let why = format!(
        "{is} has only an `async def`, which needs an event loop, and `{id}` has none: choose the model `coroutines`, \
         or add a plain `def work`, calling the other `work_async`"
    );
    (!model.runs_coroutines() && !workload.plain).then_some(why)
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;
    use crate::workload::load;

    #[test]
    fn coroutines_want_an_async_def_and_the_others_a_plain_one() {
        let sense = |model: &str, plain, coroutine: Option<&'static str>| {
            let workload = Workload { plain, coroutine, ..load("count").unwrap() };
            find(model).unwrap().objection(&workload)
        };
        assert_eq!((sense("coroutines", true, Some("work_async")), sense("threads", true, None)), (None, None));
        assert!(sense("coroutines", true, None).unwrap().starts_with("count has no `async def work`"));
        assert!(sense("threads", false, Some("work")).unwrap().contains("choose the model `coroutines`"));
    }
}
