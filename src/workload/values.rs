//! The values that calls of `work` get.

use crate::vm::{Program, Value};

use super::{ArgKind, ArgValue, metadata};

/// What every call of `function` gets, made from the numbers that were chosen: long bytes are made, and `tasks` is told to
/// a function that takes it. To be called where the workers are handed their arguments, once a run: what threads are
/// handed is then one object, and what processes are handed a pickle of it.
pub fn values(
    source: &str,
    program: &Program,
    function: &str,
    chosen: &[(String, ArgValue)],
    tasks: u32,
) -> Vec<(String, Value)> {
    // A block that cannot be read was refused when the workload was loaded.
    let described = metadata::read(source).map(|metadata| metadata.arguments).unwrap_or_default();
    let kind = |name: &str| described.get(name).map_or(ArgKind::Number, |argument| argument.kind);
    let mut values: Vec<(String, Value)> =
        chosen.iter().map(|(name, value)| (name.clone(), made(kind(name), *value))).collect();
    let takes_tasks =
        program.signature(function).is_some_and(|work| work.parameters.iter().any(|it| &*it.name == "tasks"));
    if takes_tasks && !values.iter().any(|(name, _)| name == "tasks") {
        values.push(("tasks".to_owned(), Value::Int(tasks.into())));
    }
    values
}

fn made(kind: ArgKind, value: ArgValue) -> Value {
    match (kind, value) {
        (ArgKind::Bytes, ArgValue::Int(mib)) => {
            let bytes = u64::try_from(mib).unwrap_or(0) << 20;
            // Not zeros: those would be pages that are in no memory until they are written.
            Value::bytes(vec![b'g'; bytes as usize])
        }
        (_, ArgValue::Int(value)) => Value::Int(value),
        (_, ArgValue::Float(value)) => Value::Float(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::compile;

    fn made_of(source: &str, chosen: &[(&str, i64)], tasks: u32) -> Vec<(String, Value)> {
        let program = compile(source, "own.py").unwrap();
        let chosen: Vec<_> = chosen.iter().map(|(name, value)| ((*name).to_owned(), ArgValue::Int(*value))).collect();
        values(source, &program, "work", &chosen, tasks)
    }

    #[test]
    fn bytes_are_made_as_long_as_was_chosen() {
        let source = "# /// gilscope\n# [arguments.data]\n# kind = \"bytes\"\n# default = 1\n# min = 1\n# max = 256\n# ///\n\
                      def work(data, n=1):\n    return len(data)\n";
        let made = made_of(source, &[("data", 2), ("n", 2)], 1);
        assert!(matches!(&made[0].1, Value::Bytes(bytes) if bytes.len() == 2 << 20));
        assert!(matches!(made[1].1, Value::Int(2)));
    }

    #[test]
    fn the_number_of_tasks_is_told_to_those_who_take_it() {
        assert_eq!(made_of("def work(n, tasks):\n    pass\n", &[("n", 1)], 7)[1].1.repr(), "7");
        assert_eq!(made_of("def work(n):\n    pass\n", &[("n", 1)], 7).len(), 1);
    }
}
