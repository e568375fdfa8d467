//! What protects a block: `with`, `try`, and the ways out of them.

use ruff_python_ast::{ExceptHandler, StmtTry, StmtWith};
use ruff_text_size::Ranged;

use crate::vm::code::Instruction;
use crate::vm::raising::RAISED;
use crate::vm::value::Value;

use super::Result;
use super::builder::{Block, Compiler, Range, Variable};

impl<'a> Compiler<'a> {
    /// Refuses what awaits where nothing may.
    pub(super) fn may_await(&self, at: impl Ranged, what: &str) -> Result {
        match (self.frame.is_async, self.frame.is_module) {
            (true, _) => Ok(()),
            (false, true) => Err(self.place.syntax(at, format!("'{what}' outside function"))),
            (false, false) => Err(self.place.syntax(at, format!("'{what}' outside async function"))),
        }
    }

    /// Awaits what is on the stack, leaving what it comes to. The instructions are CPython's.
    pub(super) fn awaiting(&mut self) {
        let (send, end) = (self.label(), self.label());
        self.emit(Instruction::GetAwaitable);
        self.constant(Value::None);
        self.bind(send);
        self.jump(Instruction::Send, end);
        self.emit(Instruction::YieldValue);
        self.emit(Instruction::Resume);
        self.jump(Instruction::JumpBackwardNoInterrupt, send);
        self.bind(end);
        self.emit(Instruction::EndSend);
    }

    /// Has a context manager see to the way out.
    pub(super) fn exit(&mut self, manager: u32, is_async: bool) {
        self.emit(Instruction::LoadFast(manager));
        if is_async {
            self.emit(Instruction::AsyncWithExit);
            self.awaiting();
            self.emit(Instruction::PopTop);
        } else {
            self.emit(Instruction::WithExit);
        }
    }

    pub(super) fn with(&mut self, stmt: &'a StmtWith, item: usize) -> Result {
        if stmt.is_async {
            self.may_await(stmt, "async with")?;
        }
        let Some(with) = stmt.items.get(item) else { return self.body(&stmt.body) };
        let line = self.line;
        self.expr(&with.context_expr)?;
        let manager = self.hidden("manager");
        self.emit(Instruction::Copy(1));
        self.emit(Instruction::StoreFast(manager));
        if stmt.is_async {
            self.emit(Instruction::BeforeAsyncWith);
            self.awaiting();
        } else {
            self.emit(Instruction::BeforeWith);
        }
        let depth = self.frame.depth - 1;
        let range = Range::open(self.here());
        self.frame.blocks.push(Block::With { manager, is_async: stmt.is_async, range });
        match &with.optional_vars {
            Some(target) => self.store(target)?,
            None => self.emit(Instruction::PopTop),
        }
        self.with(stmt, item + 1)?;
        let Some(Block::With { mut range, .. }) = self.frame.blocks.pop() else { return Ok(()) };
        range.pause(self.here());
        self.line = line;
        self.exit(manager, stmt.is_async);
        let end = self.label();
        self.jump(Instruction::JumpForward, end);
        self.handler(range, depth);
        self.exit(manager, stmt.is_async);
        self.emit(Instruction::Reraise);
        self.frame.depth = depth;
        self.bind(end);
        Ok(())
    }

    pub(super) fn try_statement(&mut self, stmt: &'a StmtTry) -> Result {
        if stmt.is_star {
            return Err(self.place.outside(stmt, "except*", "write a plain except"));
        }
        if stmt.finalbody.is_empty() {
            return self.try_except(stmt);
        }
        let depth = self.frame.depth;
        let range = Range::open(self.here());
        self.frame.blocks.push(Block::Finally { body: &stmt.finalbody, range });
        if stmt.handlers.is_empty() {
            self.body(&stmt.body)?;
        } else {
            self.try_except(stmt)?;
        }
        let Some(Block::Finally { mut range, .. }) = self.frame.blocks.pop() else { return Ok(()) };
        range.pause(self.here());
        self.body(&stmt.finalbody)?;
        let end = self.label();
        self.jump(Instruction::JumpForward, end);
        self.handler(range, depth);
        let raised = self.hidden(RAISED);
        self.emit(Instruction::StoreFast(raised));
        self.handling(Variable::Raised(raised), |compiler| {
            compiler.body(&stmt.finalbody)?;
            compiler.emit(Instruction::LoadFast(raised));
            compiler.emit(Instruction::Reraise);
            Ok(())
        })?;
        self.frame.depth = depth;
        self.bind(end);
        Ok(())
    }

    /// Compiles what runs while the variable is bound. On every way out, be it by an exception, it is unbound, as
    /// CPython's `POP_EXCEPT` forgets the exception and as it deletes the name.
    fn handling(&mut self, variable: Variable<'a>, compile: impl FnOnce(&mut Self) -> Result) -> Result {
        let depth = self.frame.depth;
        let range = Range::open(self.here());
        self.frame.blocks.push(Block::Handling { variable, range });
        compile(self)?;
        let Some(Block::Handling { mut range, .. }) = self.frame.blocks.pop() else { return Ok(()) };
        range.pause(self.here());
        self.frame.depth = depth;
        self.unbind(variable)?;
        let end = self.label();
        self.jump(Instruction::JumpForward, end);
        self.handler(range, depth);
        self.unbind(variable)?;
        self.emit(Instruction::Reraise);
        self.frame.depth = depth;
        self.bind(end);
        Ok(())
    }

    pub(super) fn unbind(&mut self, variable: Variable<'a>) -> Result {
        self.constant(Value::Unbound);
        match variable {
            Variable::Raised(slot) => self.emit(Instruction::StoreFast(slot)),
            Variable::Named(name) => self.store_name(name)?,
        }
        Ok(())
    }

    fn try_except(&mut self, stmt: &'a StmtTry) -> Result {
        let depth = self.frame.depth;
        let end = self.label();
        let range = Range::open(self.here());
        self.frame.blocks.push(Block::Try { range });
        self.body(&stmt.body)?;
        let Some(Block::Try { mut range }) = self.frame.blocks.pop() else { return Ok(()) };
        range.pause(self.here());
        self.body(&stmt.orelse)?;
        self.jump(Instruction::JumpForward, end);
        self.handler(range, depth);
        let raised = self.hidden(RAISED);
        self.emit(Instruction::StoreFast(raised));
        self.handling(Variable::Raised(raised), |compiler| compiler.clauses(&stmt.handlers, raised))?;
        self.frame.depth = depth;
        self.bind(end);
        Ok(())
    }

    /// Tries the clauses in turn; what none of them matches is raised again.
    fn clauses(&mut self, handlers: &'a [ExceptHandler], raised: u32) -> Result {
        let handled = self.label();
        for ExceptHandler::ExceptHandler(handler) in handlers {
            self.line = self.place.line(handler);
            let next = self.label();
            if let Some(class) = &handler.type_ {
                self.emit(Instruction::LoadFast(raised));
                self.expr(class)?;
                self.emit(Instruction::CheckExcMatch);
                self.emit(Instruction::Swap(2));
                self.emit(Instruction::PopTop);
                self.jump(Instruction::PopJumpIfFalse, next);
            }
            match &handler.name {
                Some(name) => {
                    self.emit(Instruction::LoadFast(raised));
                    self.store_name(name)?;
                    self.handling(Variable::Named(name), |compiler| compiler.body(&handler.body))?;
                }
                None => self.body(&handler.body)?,
            }
            self.jump(Instruction::JumpForward, handled);
            self.bind(next);
        }
        self.emit(Instruction::LoadFast(raised));
        self.emit(Instruction::Reraise);
        self.bind(handled);
        Ok(())
    }

    pub(super) fn raise(&mut self, stmt: &'a ruff_python_ast::StmtRaise) -> Result {
        match &stmt.exc {
            Some(exception) => {
                self.expr(exception)?;
                // What caused it is only shown by Python's long traceback.
                if let Some(cause) = &stmt.cause {
                    self.expr(cause)?;
                    self.emit(Instruction::PopTop);
                }
                self.line = self.place.line(stmt);
                self.emit(Instruction::RaiseVarargs(1));
            }
            None => self.emit(Instruction::RaiseVarargs(0)),
        }
        Ok(())
    }
}
