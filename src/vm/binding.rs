//! Arguments to parameters, with CPython's messages (`Python/ceval.c`, `initialize_locals`).

use std::sync::Arc;

use super::code::Code;
use super::exception::{Raised, type_error};
use super::value::{Function, Value};

/// The values of the parameters in order. The last of `args` are those by keyword.
#[inline(never)]
pub(super) fn bind(
    code: &Code,
    function: &Function,
    args: Vec<Value>,
    keywords: &[Arc<str>],
) -> Result<Vec<Value>, Raised> {
    let (name, parameters) = (&code.name, &code.parameters);
    let by_position = parameters.len() - code.keyword_only;
    let given = args.len() - keywords.len();
    let mut bound = vec![Value::Unbound; parameters.len()];
    let mut args = args.into_iter();
    let mut surplus = 0;
    for index in 0..given {
        let arg = args.next().unwrap_or_default();
        match bound[..by_position].get_mut(index) {
            Some(slot) => *slot = arg,
            None => surplus += 1,
        }
    }
    for (keyword, arg) in keywords.iter().zip(args) {
        let Some(index) = parameters.iter().position(|parameter| parameter == keyword) else {
            return Err(type_error(format!("{name}() got an unexpected keyword argument '{keyword}'")));
        };
        if index < code.positional_only {
            return Err(type_error(format!(
                "{name}() got some positional-only arguments passed as keyword arguments: '{keyword}'"
            )));
        }
        if !matches!(bound[index], Value::Unbound) {
            return Err(type_error(format!("{name}() got multiple values for argument '{keyword}'")));
        }
        bound[index] = arg;
    }
    if surplus > 0 {
        return Err(too_many(code, given, &bound));
    }
    let mut defaults = function.defaults.iter();
    for (slot, has_default) in bound.iter_mut().zip(&code.has_default) {
        if *has_default {
            let default = defaults.next();
            if let (Value::Unbound, Some(default)) = (&slot, default) {
                *slot = default.clone();
            }
        }
    }
    let missing = |range: std::ops::Range<usize>| -> Vec<String> {
        range.filter(|&at| matches!(bound[at], Value::Unbound)).map(|at| format!("'{}'", parameters[at])).collect()
    };
    for (missing, kind) in
        [(missing(0..by_position), "positional"), (missing(by_position..parameters.len()), "keyword-only")]
    {
        if !missing.is_empty() {
            let plural = if missing.len() == 1 { "" } else { "s" };
            return Err(type_error(format!(
                "{name}() missing {} required {kind} argument{plural}: {}",
                missing.len(),
                listed(&missing)
            )));
        }
    }
    Ok(bound)
}

fn too_many(code: &Code, given: usize, bound: &[Value]) -> Raised {
    let by_position = code.parameters.len() - code.keyword_only;
    let optional = code.has_default[..by_position].iter().filter(|has| **has).count();
    let takes = match optional {
        0 => by_position.to_string(),
        _ => format!("from {} to {by_position}", by_position - optional),
    };
    let plural = if optional == 0 && by_position == 1 { "" } else { "s" };
    let only = bound[by_position..].iter().filter(|value| !matches!(value, Value::Unbound)).count();
    let were = match (only, given) {
        (0, 1) => "1 was given".to_owned(),
        (0, _) => format!("{given} were given"),
        _ => format!(
            "{given} positional argument{} (and {only} keyword-only argument{}) were given",
            if given == 1 { "" } else { "s" },
            if only == 1 { "" } else { "s" }
        ),
    };
    type_error(format!("{}() takes {takes} positional argument{plural} but {were}", code.name))
}

/// `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [before @ .., last] => format!("{}, and {last}", before.join(", ")),
    }
}
