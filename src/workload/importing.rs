//! What importing a file does besides defining: whether a person can be told to import a script.
//!
//! A script that starts its work at its top level, not under `if __name__ == "__main__":`, does all of it again when it is
//! imported, and may never come back. Which of its statements that are is seen in its source: calls whose value nobody
//! keeps, loops, `with` blocks, a command line that is read, imports relative to a package. What else is assigned (`app = Flask(__name__)`) is taken for a definition.

use ruff_python_ast::{BoolOp, CmpOp, Expr, Stmt};

/// Whether a file does something when it is imported; none of what is no Python of a version that is known.
pub fn runs_when_imported(source: &str) -> Option<bool> {
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
    use super::runs_when_imported;

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
