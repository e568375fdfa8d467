//! What importing a file does besides defining: whether a person can be told to import a script.
//!
//! A script that starts its work at its top level, not under `if __name__ == "__main__":`, does all of it again when it is
//! imported, and may never come back. Which of its statements that are is seen in its source: calls whose value nobody
//! keeps or that are of the program itself (`result = main()`), loops, `with` blocks, a command line that is read, imports
//! relative to a package. What else is assigned (`app = Flask(__name__)`) is taken for a definition.

use std::collections::HashSet;
use std::path::Path;

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{BoolOp, CmpOp, Expr, Stmt, StmtIf};

/// A longer file is not read to see what importing it does.
const LONGEST_SOURCE: u64 = 2 << 20;

/// What whoever is told to import a script has to know of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// Whether it is in the current folder, where `compare --call` looks for it.
    pub is_here: bool,
    /// What importing it does.
    pub importing: Importing,
}

/// What importing a file does, in the order of how little it is to be advised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importing {
    /// It only defines.
    Defines,
    /// It could not be read, or calls a function of its own that may do anything.
    #[default]
    Unknown,
    /// It runs the program.
    Runs,
}

impl Script {
    /// Looks at a file, as its code objects name it.
    pub fn look(file: &str) -> Script {
        let folder = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty());
        let is_here = folder.is_none_or(|folder| std::env::current_dir().is_ok_and(|here| here == folder));
        Script { is_here, importing: Importing::of(file) }
    }
}

impl Importing {
    /// By the file's source.
    fn of(file: &str) -> Importing {
        // What a name leads to may be anything, also what is never read to its end.
        let is_small = std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.len() <= LONGEST_SOURCE);
        let source = is_small.then(|| std::fs::read_to_string(file).ok()).flatten();
        source.map_or(Importing::Unknown, |source| importing(&source))
    }
}

/// What importing a file of this source does; unknown of what is no Python of a version that is known.
fn importing(source: &str) -> Importing {
    let Ok(parsed) = ruff_python_parser::parse_module(source) else { return Importing::Unknown };
    let body = &parsed.syntax().body;
    let mut own = HashSet::new();
    functions(body, &mut own);
    of_all(body, &own)
}

/// The functions that a file defines, also those that it defines on a condition.
fn functions<'a>(body: &'a [Stmt], found: &mut HashSet<&'a str>) {
    for statement in body {
        match statement {
            Stmt::FunctionDef(function) => {
                found.insert(function.name.as_str());
            }
            Stmt::If(branch) => {
                functions(&branch.body, found);
                branch.elif_else_clauses.iter().for_each(|it| functions(&it.body, found));
            }
            Stmt::Try(attempt) => functions(&attempt.body, found),
            _ => {}
        }
    }
}

fn of_all(body: &[Stmt], own: &HashSet<&str>) -> Importing {
    body.iter().map(|statement| of_one(statement, own)).max().unwrap_or(Importing::Defines)
}

fn of_one(statement: &Stmt, own: &HashSet<&str>) -> Importing {
    let all = |body: &[Stmt]| of_all(body, own);
    let runs = |it: bool| if it { Importing::Runs } else { Importing::Defines };
    let others =
        |branch: &StmtIf| branch.elif_else_clauses.iter().map(|it| all(&it.body)).max().unwrap_or(Importing::Defines);
    match statement {
        Stmt::Expr(statement) => {
            runs(!statement.value.is_string_literal_expr() && !statement.value.is_ellipsis_literal_expr())
        }
        Stmt::Assign(assign) => of_value(&assign.value, own),
        Stmt::AugAssign(assign) => of_value(&assign.value, own),
        Stmt::AnnAssign(assign) => assign.value.as_ref().map_or(Importing::Defines, |value| of_value(value, own)),
        // In a package's file: imported by itself it cannot be.
        Stmt::ImportFrom(import) => runs(import.level > 0),
        Stmt::Raise(_) | Stmt::For(_) | Stmt::While(_) | Stmt::With(_) | Stmt::Match(_) => Importing::Runs,
        Stmt::If(branch) if asks_for_main(&branch.test) => others(branch),
        Stmt::If(branch) => all(&branch.body).max(others(branch)),
        Stmt::Try(attempt) => {
            let handlers = attempt.handlers.iter().filter_map(|it| it.as_except_handler()).map(|it| all(&it.body));
            let bodies = [&attempt.body, &attempt.orelse, &attempt.finalbody].map(|body| all(body));
            handlers.chain(bodies).max().unwrap_or(Importing::Defines)
        }
        _ => Importing::Defines,
    }
}

/// What is done for a value that is kept. What another module makes (`re.compile("x")`, `Flask(__name__)`) is a definition,
/// and so is an object of a class. A function of the file's own is the program if it is called like one, or again and again;
/// else it may do anything.
fn of_value(value: &Expr, own: &HashSet<&str>) -> Importing {
    let mut calls = Calls { own, repeats: false, found: Importing::Defines };
    calls.visit_expr(value);
    calls.found
}

/// The calls that are made for a value.
struct Calls<'a> {
    own: &'a HashSet<&'a str>,
    /// Whether they are in a comprehension.
    repeats: bool,
    found: Importing,
}

impl<'a> Visitor<'a> for Calls<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        let found = match expression {
            // It is called later, if at all.
            Expr::Lambda(_) => return,
            Expr::Call(call) => match &*call.func {
                Expr::Name(name) if self.own.contains(name.id.as_str()) => {
                    if self.repeats || is_program(&name.id) {
                        Importing::Runs
                    } else {
                        Importing::Unknown
                    }
                }
                Expr::Attribute(it) if OF_THE_PROGRAM.contains(&it.attr.as_str()) => Importing::Runs,
                Expr::Attribute(it) if it.attr.as_str() == "run" && is_asynchronous(&it.value) => Importing::Runs,
                _ => Importing::Defines,
            },
            _ => Importing::Defines,
        };
        self.found = self.found.max(found);
        let before = self.repeats;
        self.repeats |= matches!(expression, Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_));
        walk_expr(self, expression);
        self.repeats = before;
    }
}

/// Whether a function's name says that it is the program: `main`, `run_all`, `_main`.
fn is_program(name: &str) -> bool {
    let first = name.trim_start_matches('_').split('_').next().unwrap_or_default();
    ["main", "run"].contains(&first)
}

/// Whether it is a module whose `run` runs an event loop to its end.
fn is_asynchronous(module: &Expr) -> bool {
    module.as_name_expr().is_some_and(|name| ["asyncio", "anyio", "trio", "uvloop"].contains(&name.id.as_str()))
}

/// Methods that run it: an event loop to its end, and those that read the command line, which is another one where the file
/// is imported (argparse ends the process over it).
const OF_THE_PROGRAM: [&str; 3] = ["run_until_complete", "parse_args", "parse_known_args"];

/// Whether a condition holds only if `__name__` is something.
fn asks_for_main(condition: &Expr) -> bool {
    let is_name = |it: &Expr| it.as_name_expr().is_some_and(|name| name.id.as_str() == "__name__");
    match condition {
        Expr::Compare(compare) => {
            matches!(*compare.ops, [CmpOp::Eq]) && (is_name(&compare.left) || compare.comparators.iter().any(is_name))
        }
        Expr::BoolOp(all) if all.op == BoolOp::And => all.values.iter().any(asks_for_main),
        Expr::BoolOp(any) => any.values.iter().all(asks_for_main),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_here_if_its_folder_is_the_current_one_and_is_read_if_it_is_a_file_of_some_length() {
        let folder = tempfile::tempdir().unwrap();
        let looked = |source: &str| {
            let path = folder.path().join("svc.py");
            std::fs::write(&path, source).unwrap();
            Script::look(&path.to_string_lossy())
        };
        let apart = |importing| Script { is_here: false, importing };
        assert_eq!(looked("def scan():\n    pass\n"), apart(Importing::Defines));
        assert_eq!(looked("scan()\n"), apart(Importing::Runs));
        assert_eq!(looked("print 'two'\n"), apart(Importing::Unknown));
        assert_eq!(looked(&" \n".repeat(2 << 20)), apart(Importing::Unknown));
        assert_eq!(Script::look("/dev/zero"), apart(Importing::Unknown));
        let here = std::env::current_dir().unwrap().join("missing.py");
        for file in ["missing.py", &here.to_string_lossy()] {
            assert_eq!(Script::look(file), Script { is_here: true, importing: Importing::Unknown }, "{file}");
        }
    }

    #[test]
    fn a_script_runs_when_imported_unless_it_asks_whether_it_is_the_program() {
        let works =
            "import threading\n\"\"\"doc\"\"\"\nN = 3\ndef work():\n    while True: pass\nclass A:\n    print()\n";
        assert_eq!(importing(works), Importing::Defines);
        for more in [
            "if __name__ == \"__main__\":\n    work()\n",
            "if \"__main__\" == __name__:\n    work()\n",
            "if N and __name__ == \"__main__\":\n    work()\n",
            "app = make()\n",
            "try:\n    import x\nexcept ImportError:\n    x = 1\n",
        ] {
            assert_eq!(importing(&format!("{works}{more}")), Importing::Defines, "{more}");
        }
        for more in [
            "work()\n",
            "while True:\n    pass\n",
            "[t.start() for t in ts]\n",
            "with pool:\n    pass\n",
            "if N > 2:\n    work()\n",
            "if __name__ == \"x\":\n    pass\nelse:\n    work()\n",
            "try:\n    work()\nfinally:\n    pass\n",
            "try:\n    N = 1\nexcept ValueError:\n    work()\n",
            "if __name__ != \"__main__\":\n    work()\n",
            "if __name__ == \"__main__\" or N:\n    work()\n",
            "raise SystemExit(3)\n",
            "args = argparse.ArgumentParser().parse_args()\n",
            "args, rest = parser.parse_known_args()\n",
            "from .near import thing\n",
        ] {
            assert_eq!(importing(&format!("{works}{more}")), Importing::Runs, "{more}");
        }
        assert_eq!(importing("print 'two'\n"), Importing::Unknown);
    }

    #[test]
    fn a_value_is_the_programs_if_a_function_of_its_own_makes_it() {
        use Importing::{Defines, Runs, Unknown};
        let own = "import asyncio\nclass Server:\n    pass\ndef main():\n    pass\ndef run_all():\n    pass\n\
                   def work(n):\n    pass\ndef runner():\n    pass\nasync def serve():\n    pass\n";
        for (value, does) in [
            ("main()", Runs),
            ("run_all()", Runs),
            ("1 + main()", Runs),
            ("[work(n) for n in range(4)]", Runs),
            ("asyncio.get_event_loop().run_until_complete(serve())", Runs),
            ("asyncio.run(serve())", Runs),
            // It may make an application, or do everything.
            ("work(1)", Unknown),
            ("runner()", Unknown),
            ("str(work(1))", Unknown),
            ("main", Defines),
            ("lambda: main()", Defines),
            ("Server()", Defines),
            ("[Server() for _ in range(4)]", Defines),
            ("other.main()", Defines),
            ("run()", Defines),
            ("re.compile('x')", Defines),
            ("logging.getLogger(__name__)", Defines),
            ("collections.namedtuple('Point', 'x y')", Defines),
            ("threading.Thread(target=work)", Defines),
        ] {
            for name in ["x", "x: object", "x, y"] {
                assert_eq!(importing(&format!("{own}{name} = {value}\n")), does, "{value}");
            }
            let guarded = format!("{own}if __name__ == \"__main__\":\n    x = {value}\n");
            assert_eq!(importing(&guarded), Defines, "{value}");
        }
        assert_eq!(importing(&format!("{own}x: int\nx = 1\nx += main()\n")), Runs);
        assert_eq!(importing("try:\n    def main(): pass\nexcept NameError:\n    pass\nx = main()\n"), Runs);
    }
}
