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

/// What a workload wants of the world around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The slow server, at this port; 0: at any.
    pub server: Option<Wanted>,
    /// So many connections at once, over all tasks.
    pub connections: Option<Wanted>,
}

/// A number, and the argument that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The argument's name.
    pub argument: String,
    /// Its value.
    pub number: u64,
}

/// What must be there before the workload of this source runs with these arguments.
pub fn wants(source: &str, chosen: &[(String, ArgValue)]) -> Wants {
    let described = metadata::read(source).map(|metadata| metadata.arguments).unwrap_or_default();
    let mut wants = Wants::default();
    for (name, value) in chosen {
        let ArgValue::Int(number) = value else { continue };
        let wanted = || Some(Wanted { argument: name.clone(), number: u64::try_from(*number).unwrap_or(0) });
        match described.get(name).map(|argument| argument.kind) {
            Some(ArgKind::Url | ArgKind::Port) => wants.server = wanted(),
            Some(ArgKind::Connections) => wants.connections = wanted(),
            _ => {}
        }
    }
    wants
}

/// Puts the port at which the slow server is found into the argument that stands for it.
pub fn tell_port(wanted: &Wanted, chosen: &mut [(String, ArgValue)], port: u16) {
    for (_, value) in chosen.iter_mut().filter(|(name, _)| *name == wanted.argument) {
        *value = ArgValue::Int(port.into());
    }
}

fn made(kind: ArgKind, value: ArgValue) -> Value {
    match (kind, value) {
        (ArgKind::Bytes, ArgValue::Int(mib)) => {
            let bytes = u64::try_from(mib).unwrap_or(0) << 20;
            // Not zeros: those would be pages that are in no memory until they are written.
            Value::bytes(vec![b'g'; bytes as usize])
        }
        (ArgKind::Url, ArgValue::Int(port)) => Value::str(format!("http://127.0.0.1:{port}")),
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
    fn the_slow_server_is_wanted_by_who_takes_its_url_or_port_and_told_by_its_port() {
        let source = "# /// gilscope\n# [arguments.url]\n# kind = \"url\"\n# [arguments.n]\n# kind = \"connections\"\n\
                      # default = 9\n# ///\ndef work(url, n):\n    pass\n";
        let mut chosen = vec![("url".to_owned(), ArgValue::Int(0)), ("n".to_owned(), ArgValue::Int(9))];
        let wants = wants(source, &chosen);
        assert_eq!(wants.connections, Some(Wanted { argument: "n".to_owned(), number: 9 }));
        let wanted = wants.server.unwrap();
        assert_eq!(wanted.number, 0);
        tell_port(&wanted, &mut chosen, 8080);
        let program = compile(source, "own.py").unwrap();
        let made = values(source, &program, "work", &chosen, 1);
        assert_eq!((made[0].1.repr(), made[1].1.repr()), ("'http://127.0.0.1:8080'".to_owned(), "9".to_owned()));
        assert_eq!(super::wants("def work(url):\n    pass\n", &chosen), Wants::default());
    }

    #[test]
    fn the_number_of_tasks_is_told_to_those_who_take_it() {
        assert_eq!(made_of("def work(n, tasks):\n    pass\n", &[("n", 1)], 7)[1].1.repr(), "7");
        assert_eq!(made_of("def work(n):\n    pass\n", &[("n", 1)], 7).len(), 1);
    }
}
