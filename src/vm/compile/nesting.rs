//! Refuses nesting that no person writes, before anything recurses over it.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::Mode;
use ruff_python_parser::lexer::lex;
use ruff_source_file::OneIndexed;
use ruff_text_size::TextRange;

use super::{Place, Reason, Result};

/// How deep the tree of a program may be: brackets, blocks and operators in a row together.
const DEPTH: usize = 1000;

/// How deep blocks may be indented (CPython's `MAXINDENT`).
const INDENTS: usize = 100;

/// Bounds the depth of the tree from above: every token that could be the root of another subtree counts, until a
/// comma or the end of the line on its own level of brackets begins anew.
pub(super) fn check(place: &Place<'_>) -> Result {
    let mut lexer = lex(place.source, Mode::Module);
    let mut levels = vec![0usize];
    let mut total = 0usize;
    let mut indents = 0usize;
    let mut line = 1;
    loop {
        let token = lexer.next_token();
        line += usize::from(matches!(token, TokenKind::Newline | TokenKind::NonLogicalNewline));
        match token {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Indent => indents += 1,
            TokenKind::Dedent => indents = indents.saturating_sub(1),
            TokenKind::Newline => {
                levels.truncate(1);
                levels[0] = 0;
                total = 0;
            }
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                levels.push(0);
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                if levels.len() > 1 {
                    total -= levels.pop().unwrap_or(0);
                }
                // `f()()()()` nests to the left.
                count(&mut levels, &mut total);
            }
            TokenKind::Comma | TokenKind::Semi => {
                if let Some(level) = levels.last_mut() {
                    total -= *level;
                    *level = 0;
                }
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            _ => count(&mut levels, &mut total),
        }
        if total + levels.len() > DEPTH || indents > INDENTS {
            // The lexer keeps its place to itself; the line is counted (a string of many lines is one token, though).
            let line = line.min(place.index.line_count());
            let at = place.index.line_start(OneIndexed::from_zero_indexed(line.saturating_sub(1)), place.source);
            let at = TextRange::empty(at);
            return Err(place.error(at, Reason::OutsideSubset, "nesting this deep", "cut it into smaller statements"));
        }
    }
}

fn count(levels: &mut [usize], total: &mut usize) {
    if let Some(level) = levels.last_mut() {
        *level += 1;
        *total += 1;
    }
}
