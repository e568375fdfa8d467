//! What importing a file does besides defining: whether a person can be told to import a script.
//!
//! A script that starts its work at its top level, not under `if __name__ == "__main__":`, does all of it again when it is
//! imported, and may never come back. Which of its statements that are is seen in its source: calls whose value nobody
//! keeps, loops, `with` blocks, a command line that is read, imports relative to a package. What else is assigned
//! (`app = Flask(__name__)`) is taken for a definition.

use std::path::Path;

use ruff_python_ast::{BoolOp, CmpOp, Expr, Stmt};

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

/// What importing a file does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Importing {
    /// It could not be read.
    #[default]
    Unknown,
    /// It only defines.
    Defines,
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
        match source.and_then(|source| runs_when_imported(&source)) {
            None => Importing::Unknown,
            Some(false) => Importing::Defines,
            Some(true) => Importing::Runs,
        }
    }
}

/// Whether a file does something when it is imported; none of what is no Python of a version that is known.
fn runs_when_imported(source: &str) -> Option<bool> {
    let parsed = ruff_python_parser::parse_module(source).ok()?;
    Some(parsed.syntax().body.iter().any(runs))
}

fn runs(statement: &Stmt) -> bool {
    let any = |body: &[Stmt]| body.iter().any(runs);
    match statement {
        Stmt::Expr(statement) => {
            !statement.value.is_string_literal_expr() && !statement.value.is_ellipsis_literal_expr()
        }
        Stmt::Assign(assign) => reads_arguments(&assign.value),
        // In a package's file: imported by itself it cannot be.
        Stmt::ImportFrom(import) => import.level > 0,
        Stmt::Raise(_) | Stmt::For(_) | Stmt::While(_) | Stmt::With(_) | Stmt::Match(_) => true,
        Stmt::If(branch) if asks_for_main(&branch.test) => branch.elif_else_clauses.iter().any(|it| any(&it.body)),
        Stmt::If(branch) => any(&branch.body) || branch.elif_else_clauses.iter().any(|it| any(&it.body)),
        Stmt::Try(attempt) => {
            let mut handlers = attempt.handlers.iter().filter_map(|it| it.as_except_handler());
            any(&attempt.body) || any(&attempt.orelse) || any(&attempt.finalbody) || handlers.any(|it| any(&it.body))
        }
        _ => false,
    }
}

/// Whether it reads the command line, which is another one where the file is imported: argparse ends the process over it.
fn reads_arguments(value: &Expr) -> bool {
    let called = value.as_call_expr().and_then(|call| call.func.as_attribute_expr());
    called.is_some_and(|it| ["parse_args", "parse_known_args"].contains(&it.attr.as_str()))
}

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
        assert_eq!(runs_when_imported(works), Some(false));
        for more in [
            "if __name__ == \"__main__\":\n    work()\n",
            "if \"__main__\" == __name__:\n    work()\n",
            "if N and __name__ == \"__main__\":\n    work()\n",
            "app = make()\n",
            "try:\n    import x\nexcept ImportError:\n    x = 1\n",
        ] {
            assert_eq!(runs_when_imported(&format!("{works}{more}")), Some(false), "{more}");
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
            assert_eq!(runs_when_imported(&format!("{works}{more}")), Some(true), "{more}");
        }
        assert_eq!(runs_when_imported("print 'two'\n"), None);
    }
}
