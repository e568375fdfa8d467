//! Loops, and the ways out of them.

use ruff_python_ast::{Stmt, StmtFor, StmtWhile};

use crate::vm::code::Instruction;

use super::Result;
use super::builder::{Block, Compiler};

impl<'a> Compiler<'a> {
    pub(super) fn for_loop(&mut self, stmt: &'a StmtFor) -> Result {
        if stmt.is_async {
            return Err(self.place.outside(
                stmt,
                "async for",
                "write a plain for, or a while that awaits the next item",
            ));
        }
        let (start, finished, end) = (self.label(), self.label(), self.label());
        self.expr(&stmt.iter)?;
        self.emit(Instruction::GetIter);
        self.bind(start);
        let line = self.line;
        self.jump(Instruction::ForIter, finished);
        self.store(&stmt.target)?;
        self.frame.blocks.push(Block::Loop { continue_at: start, break_to: end, is_for: true });
        self.body(&stmt.body)?;
        self.frame.blocks.pop();
        // CPython books the jump back to the loop's head.
        self.line = line;
        self.jump(Instruction::JumpBackward, start);
        // FOR_ITER has taken the iterator off.
        self.frame.depth -= 1;
        self.bind(finished);
        self.body(&stmt.orelse)?;
        self.bind(end);
        Ok(())
    }

    pub(super) fn while_loop(&mut self, stmt: &'a StmtWhile) -> Result {
        let (start, finished, end) = (self.label(), self.label(), self.label());
        let line = self.line;
        self.bind(start);
        self.jump_if(&stmt.test, false, finished)?;
        self.frame.blocks.push(Block::Loop { continue_at: start, break_to: end, is_for: false });
        self.body(&stmt.body)?;
        self.frame.blocks.pop();
        self.line = line;
        self.jump(Instruction::JumpBackward, start);
        self.bind(finished);
        self.body(&stmt.orelse)?;
        self.bind(end);
        Ok(())
    }

    /// Compiles what must run on the way out of the blocks above `keep`. What runs there may jump elsewhere, so the stack
    /// must be that of the block which it belongs to: the iterators of the loops that are left go, and nothing may lie
    /// above them. Whoever calls sets the depth that holds behind the way out.
    pub(super) fn leave(&mut self, keep: usize) -> Result {
        let line = self.line;
        let mut left = Vec::new();
        while self.frame.blocks.len() > keep {
            let mut block = self.frame.blocks.pop().expect("the length was looked at");
            let here = self.here();
            if let Some(range) = block.range() {
                range.pause(here);
            }
            match &block {
                Block::With { manager, is_async, .. } => self.exit(*manager, *is_async),
                Block::Finally { body, .. } => {
                    let body: &'a [Stmt] = body;
                    self.body(body)?;
                }
                Block::Handling { variable, .. } => self.unbind(*variable)?,
                Block::Loop { is_for: true, .. } => self.emit(Instruction::PopTop),
                Block::Loop { .. } | Block::Try { .. } => {}
            }
            left.push(block);
            self.line = line;
        }
        self.frame.blocks.extend(left.into_iter().rev());
        Ok(())
    }

    /// Returns what is on the stack. Where something runs before, the value waits for it in a local: it is forgotten if
    /// that jumps elsewhere.
    pub(super) fn return_top(&mut self, line: u32) -> Result {
        let depth = self.frame.depth - 1;
        let has_way_out = self.frame.blocks.iter().any(Block::has_way_out);
        if has_way_out {
            let returned = self.hidden("returned");
            self.emit(Instruction::StoreFast(returned));
            self.leave(0)?;
            self.line = line;
            self.emit(Instruction::LoadFast(returned));
        }
        self.line = line;
        self.emit(Instruction::ReturnValue);
        self.frame.depth = depth;
        if has_way_out {
            self.resume_blocks(0);
        }
        Ok(())
    }

    /// What the blocks protect again once the way out is complete.
    fn resume_blocks(&mut self, keep: usize) {
        let here = self.here();
        for block in &mut self.frame.blocks[keep..] {
            if let Some(range) = block.range() {
                range.resume(here);
            }
        }
    }

    pub(super) fn leave_loop(&mut self, stmt: &'a Stmt) -> Result {
        let found = self.frame.blocks.iter().rposition(|block| matches!(block, Block::Loop { .. }));
        let breaks = matches!(stmt, Stmt::Break(_));
        let Some(at) = found else {
            let message = if breaks { "'break' outside loop" } else { "'continue' not properly in loop" };
            return Err(self.place.syntax(stmt, message));
        };
        let Block::Loop { continue_at, break_to, is_for } = self.frame.blocks[at] else { return Ok(()) };
        let depth = self.frame.depth;
        self.leave(at + 1)?;
        if breaks {
            if is_for {
                self.emit(Instruction::PopTop);
            }
            self.jump(Instruction::JumpForward, break_to);
        } else {
            self.jump(Instruction::JumpBackward, continue_at);
        }
        self.frame.depth = depth;
        self.resume_blocks(at + 1);
        Ok(())
    }
}
