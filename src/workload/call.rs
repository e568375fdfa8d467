//! A person's own function, called in a real interpreter: `--call module:function`.

use super::Workload;

/// Why it cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--call {0}: write MODULE:FUNCTION, for example mypackage.tasks:compute; the module is imported from the current \
     folder or from where the interpreter finds it"
)]
pub struct NoCall(String);

/// A workload that calls a function of a module once a task. The module is imported by the interpreter that runs it,
/// from the current folder before all others; what it offers, that interpreter says.
pub fn call(target: &str) -> Result<Workload, NoCall> {
    let identifier = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_')
    };
    let names = |path: &str| path.split('.').all(identifier);
    let (module, function) = target
        .split_once(':')
        .filter(|(module, function)| names(module) && names(function))
        .ok_or_else(|| NoCall(target.to_owned()))?;
    let top = module.split('.').next().unwrap_or(module);
    let source = format!(
        "import importlib\n\
         import os\n\
         import sys\n\
         if os.getcwd() not in sys.path:\n    \
         sys.path.insert(0, os.getcwd())\n\
         try:\n    \
         module = importlib.import_module(\"{module}\")\n\
         except ModuleNotFoundError as error:\n    \
         if error.name not in (\"{top}\", \"{module}\"):\n        \
         raise\n    \
         message = f\"{{error}}: it is neither in {{os.getcwd()}} nor where {{sys.executable}} finds its modules. \"\n    \
         message += \"Start gilscope in the folder it lies in, or choose a Python that has it with --python\"\n    \
         raise ModuleNotFoundError(message, name=error.name) from None\n\
         called_file = getattr(module, \"__file__\", None)\n\
         try:\n    \
         work = module.{function}\n\
         except AttributeError:\n    \
         work = None\n    \
         called_missing = f\"the module {module} ({{called_file or 'built in'}}) has no function {function}\"\n"
    );
    Ok(Workload::of_cpython(target.to_owned(), source, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_its_module_and_nothing_else_gets_into_the_source() {
        let source = call("package.tasks:Worker.run").unwrap().source;
        assert!(source.contains("import_module(\"package.tasks\")") && source.contains("work = module.Worker.run\n"));
        assert!(source.contains("the module package.tasks ({called_file or 'built in'}) has no function Worker.run"));
        for target in ["tasks", "tasks:", ":run", "tasks.py:run()", "a b:c", "a:b\nimport os", "a\":b", "1a:b"] {
            assert!(call(target).is_err(), "{target}");
        }
    }
}
