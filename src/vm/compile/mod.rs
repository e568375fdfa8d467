//! From source to a [`Program`].
//!
//! Ruff's parser reads the whole of Python; the compiler takes the subset and
//! refuses the rest by its name and place. Blocks follow CPython's compiler
//! (`Python/compile.c`, `Python/codegen.c`): exceptions are found by a table of
//! ranges, at no cost until one is raised; what must run on the way out of a
//! `with` or `finally` is compiled into each way out; comprehensions are
//! inlined (PEP 709). What CPython keeps on its stack across a block, the
//! context manager and the exception being handled, lies here in locals whose
//! names begin with a dot, so that no way out has to dig for it.
//!
//! Neither the parser's recursion nor the compiler's, nor that of dropping the
//! tree, is bounded by itself. So the tokens are looked at first, and nesting
//! that no person writes is refused; what is left fits the stack of the thread
//! that compiles.

mod builder;
mod call;
mod comprehension;
mod condition;
mod expr;
mod fstring;
mod function;
mod import;
mod literal;
mod loops;
mod nesting;
mod protected;
mod scope;
mod stmt;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ruff_python_ast::ModModule;
use ruff_source_file::LineIndex;
use ruff_text_size::{Ranged, TextRange};

use super::code::Program;

/// The source is not a program the miniature can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// The file's name as it was given.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// Which kind of error.
    pub reason: Reason,
    /// What stands there, with its article: `a class statement`.
    pub construct: String,
    /// What to do instead.
    pub advice: String,
}

/// Why a program was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Python would refuse it, too.
    Syntax,
    /// It is Python, but not of the miniature's subset.
    OutsideSubset,
    /// The system did not let it be tried.
    Refused,
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CompileError { file, line, column, reason, construct, advice } = self;
        match reason {
            Reason::Syntax => write!(f, "{file}:{line}:{column}: syntax error: {construct}")?,
            Reason::OutsideSubset => {
                write!(f, "{file}:{line}:{column}: {construct} is outside the miniature's Python")?;
            }
            Reason::Refused => write!(f, "{file} could not be compiled: {construct}")?,
        }
        if !advice.is_empty() {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileError {}

type Result<T = ()> = std::result::Result<T, Box<CompileError>>;

/// The longest source, in bytes.
pub const MAX_SOURCE: usize = 1 << 20;

/// Enough for the deepest nesting that is let through, several times over, in a debug build.
const STACK: usize = 256 << 20;

/// Compiles a module.
///
/// Never panics and never overflows the stack, whatever the source.
pub fn compile(source: &str, file_name: &str) -> std::result::Result<Program, CompileError> {
    let whole = || CompileError {
        file: file_name.into(),
        line: 1,
        column: 1,
        reason: Reason::OutsideSubset,
        construct: String::new(),
        advice: String::new(),
    };
    if source.len() > MAX_SOURCE {
        return Err(CompileError {
            construct: format!("a file of {} bytes", source.len()),
            advice: format!("keep it below {MAX_SOURCE}"),
            ..whole()
        });
    }
    let place = Place { source, index: LineIndex::from_source_text(source), file: file_name.into() };
    nesting::check(&place).map_err(|error| *error)?;
    std::thread::scope(|scope| {
        let compiling = std::thread::Builder::new().name("compile".into()).stack_size(STACK);
        match compiling.spawn_scoped(scope, || parse_and_compile(&place)) {
            Ok(thread) => thread.join().unwrap_or_else(|_| {
                Err(Box::new(CompileError {
                    construct: "something in this file".into(),
                    advice: "please report it: the compiler failed on it".into(),
                    ..whole()
                }))
            }),
            Err(error) => Err(Box::new(CompileError {
                reason: Reason::Refused,
                construct: format!("the system gave no thread for it: {error}"),
                ..whole()
            })),
        }
    })
    .map_err(|error| *error)
}

fn parse_and_compile(place: &Place<'_>) -> Result<Program> {
    let parsed = ruff_python_parser::parse_module(place.source).map_err(|error| {
        let mut construct = error.error.to_string();
        if let Some(first) = construct.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        place.error(error.location, Reason::Syntax, construct, "")
    })?;
    if let Some(error) = parsed.unsupported_syntax_errors().first() {
        return Err(place.error(error.range, Reason::Syntax, error.to_string(), ""));
    }
    let module: &ModModule = parsed.syntax();
    stmt::module(place, module)
}

/// The source, and where in it things are.
struct Place<'s> {
    source: &'s str,
    index: LineIndex,
    file: Arc<str>,
}

impl Place<'_> {
    fn line(&self, at: impl Ranged) -> u32 {
        u32::try_from(self.index.line_index(at.range().start()).get()).unwrap_or(u32::MAX)
    }

    #[cold]
    fn error(
        &self,
        at: TextRange,
        reason: Reason,
        construct: impl Into<String>,
        advice: impl Into<String>,
    ) -> Box<CompileError> {
        let position = self.index.line_column(at.start(), self.source);
        let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        Box::new(CompileError {
            file: self.file.to_string(),
            line: number(position.line.get()),
            column: number(position.column.get()),
            reason,
            construct: construct.into(),
            advice: advice.into(),
        })
    }

    /// Python, but not of the subset.
    #[cold]
    fn outside(&self, at: impl Ranged, construct: impl Into<String>, advice: impl Into<String>) -> Box<CompileError> {
        self.error(at.range(), Reason::OutsideSubset, construct, advice)
    }

    /// Not Python.
    #[cold]
    fn syntax(&self, at: impl Ranged, message: impl Into<String>) -> Box<CompileError> {
        self.error(at.range(), Reason::Syntax, message, "")
    }
}
