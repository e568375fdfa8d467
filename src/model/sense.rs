//! Which models make no sense for which workloads, and why: one function a reason.
//!
//! What merely goes badly (consumers in processes that wait for a queue of their own, a counter that each process has to
//! itself) is a lesson and no reason.

use super::{Model, Pool};
use crate::workload::{Workload, imports};

/// A reason against a pair, as a sentence; none if there is nothing against it.
type Objection = fn(&Model, &Workload) -> Option<String>;

/// Every reason. The first that holds is said.
static OBJECTIONS: &[Objection] = &[numpy_in_subinterpreters, nothing_to_await, nothing_but_coroutines];

impl Model {
    /// Why it makes no sense for this workload; none if it does.
    pub fn objection(&self, workload: &Workload) -> Option<String> {
        OBJECTIONS.iter().find_map(|objection| objection(self, workload))
    }
}

/// NumPy's extension modules say that they do not support it (PEP 489's `Py_mod_multiple_interpreters`), so CPython
/// raises an `ImportError`.
fn numpy_in_subinterpreters(model: &Model, workload: &Workload) -> Option<String> {
    let has_its_own = matches!((model.plan)(1, 1).pool, Pool::Subinterpreters { .. });
    let why = "imports numpy, which CPython refuses to load in a sub-interpreter (ImportError)";
    (has_its_own && imports(&workload.source, "numpy")).then(|| format!("{} {why}", workload.id))
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
    use super::super::{ALL, find};
    use super::*;
    use crate::workload::{bundled, load};

    #[test]
    fn the_pairs_that_make_no_sense_are_these() {
        for id in bundled() {
            let workload = load(id).unwrap();
            let refused = ALL.iter().filter(|model| model.objection(&workload).is_some()).map(|model| model.id);
            let mut expected = Vec::new();
            expected.extend((id == "matmul").then_some("subinterpreters"));
            expected.extend((!workload.source.contains("async def")).then_some("coroutines"));
            assert_eq!(refused.collect::<Vec<_>>(), expected, "{id}");
        }
    }

    #[test]
    fn an_import_is_told_from_a_word_that_looks_like_it() {
        let asks = |source: &str| {
            let workload = Workload { source: source.to_owned(), ..load("sum-squares").unwrap() };
            find("subinterpreters").unwrap().objection(&workload).is_some()
        };
        for source in
            ["import numpy\n", "import time, numpy as np\n", "    from numpy import dot\n", "import numpy.linalg\n"]
        {
            assert!(asks(source), "{source}");
        }
        for source in ["# import numpy\n", "numpy = 3\n", "import numpyish\n", "x = 'import numpy'\n"] {
            assert!(!asks(source), "{source}");
        }
    }

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
