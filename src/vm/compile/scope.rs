//! Which names a function assigns, and so has as locals.

use std::collections::HashSet;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprContext, Stmt};

/// The names assigned in a body, and those it declares global.
#[derive(Default)]
pub(super) struct Assigned<'a> {
    /// In the order of their first assignment.
    pub names: Vec<&'a str>,
    seen: HashSet<&'a str>,
    /// Declared `global`.
    pub globals: HashSet<&'a str>,
}

impl<'a> Assigned<'a> {
    pub(super) fn of(body: &'a [Stmt]) -> Assigned<'a> {
        let mut assigned = Assigned::default();
        assigned.visit_body(body);
        assigned
    }

    fn name(&mut self, name: &'a str) {
        if self.seen.insert(name) {
            self.names.push(name);
        }
    }
}

impl<'a> Visitor<'a> for Assigned<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            // Scopes of their own.
            Stmt::FunctionDef(def) => return self.name(&def.name),
            Stmt::ClassDef(def) => return self.name(&def.name),
            Stmt::Global(global) => self.globals.extend(global.names.iter().map(|name| name.as_str())),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.name(name.split('.').next().unwrap_or(name));
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    self.name(alias.asname.as_ref().unwrap_or(&alias.name));
                }
            }
            Stmt::Try(stmt) => {
                for ruff_python_ast::ExceptHandler::ExceptHandler(handler) in &stmt.handlers {
                    if let Some(name) = &handler.name {
                        self.name(name);
                    }
                }
            }
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if matches!(name.ctx, ExprContext::Store | ExprContext::Del) => self.name(&name.id),
            // The names of a comprehension are its own, but for those of `:=`, which is outside the subset.
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) | Expr::Lambda(_) => return,
            _ => {}
        }
        walk_expr(self, expr);
    }
}
