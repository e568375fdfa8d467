//! `def`: the function where it is defined, and its code.

use std::sync::Arc;

use ruff_python_ast::{Expr, StmtFunctionDef};

use crate::event::Line;
use crate::vm::code::{Code, Constant, Instruction, Parameter, Signature};
use crate::vm::value::Value;

use super::Result;
use super::builder::{Compiler, Frame};
use super::literal::literal;
use super::scope::Assigned;

pub(super) fn blank(name: &str) -> Code {
    Code {
        name: name.into(),
        start: 0,
        end: 0,
        parameters: Vec::new(),
        positional_only: 0,
        keyword_only: 0,
        has_default: Vec::new(),
        locals: Vec::new(),
        frame_size: 0,
        handlers: Vec::new(),
        signature: Signature { parameters: Vec::new(), is_async: false, line: Line(1) },
    }
}

/// A number's value, for the signature.
fn number(default: &Expr) -> Option<Constant> {
    match literal(default)? {
        Value::Int(value) => Some(Constant::Int(value)),
        Value::Float(value) => Some(Constant::Float(value)),
        _ => None,
    }
}

impl<'a> Compiler<'a> {
    /// `def`, where it is executed: the defaults are evaluated and the function gets its name.
    pub(super) fn define(&mut self, def: &'a StmtFunctionDef, code: u32) -> Result {
        if let Some(decorator) = def.decorator_list.first() {
            return Err(self.place.outside(decorator, "a decorator", "call the function by hand"));
        }
        if def.type_params.is_some() {
            return Err(self.place.outside(&def.name, "a generic function", "leave the type parameters out"));
        }
        let parameters = &def.parameters;
        for (variadic, stars) in [(&parameters.vararg, "*"), (&parameters.kwarg, "**")] {
            if let Some(variadic) = variadic {
                let construct = format!("the parameter {stars}{}", variadic.name);
                return Err(self.place.outside(&**variadic, construct, "name the parameters one by one"));
            }
        }
        let mut defaults = 0;
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(default) = &parameter.default {
                self.expr(default)?;
                defaults += 1;
            }
        }
        self.emit(Instruction::BuildTuple(defaults));
        self.emit(Instruction::MakeFunction(code));
        self.store_name(&def.name)
    }

    pub(super) fn function(&mut self, def: &'a StmtFunctionDef) -> Result<Code> {
        let mut code = blank(&def.name);
        self.line = self.place.line(&def.name);
        self.frame = Frame::new(self.here(), false);
        code.positional_only = def.parameters.posonlyargs.len();
        code.keyword_only = def.parameters.kwonlyargs.len();
        for parameter in def.parameters.iter_non_variadic_params() {
            let name: Arc<str> = parameter.parameter.name.as_str().into();
            if self.local(&name).is_some() {
                let message = format!("duplicate argument '{name}' in function definition");
                return Err(self.place.syntax(parameter, message));
            }
            self.declare(&name);
            code.parameters.push(name.clone());
            code.has_default.push(parameter.default.is_some());
            code.signature.parameters.push(Parameter {
                name,
                has_default: parameter.default.is_some(),
                default: parameter.default.as_deref().and_then(number),
            });
        }
        code.signature.is_async = def.is_async;
        code.signature.line = Line(self.line);
        let assigned = Assigned::of(&def.body);
        for name in &assigned.globals {
            if self.local(name).is_some() {
                return Err(self.place.syntax(&def.name, format!("name '{name}' is parameter and global")));
            }
            self.frame.globals.insert((*name).to_owned());
        }
        for name in assigned.names.iter().filter(|name| !assigned.globals.contains(*name)) {
            if self.local(name).is_none() {
                self.declare(name);
            }
        }
        if def.is_async {
            self.frame.is_async = true;
            self.emit(Instruction::ReturnGenerator);
        }
        self.emit(Instruction::Resume);
        self.body(&def.body)?;
        self.constant(Value::None);
        self.emit(Instruction::ReturnValue);
        let start = self.here();
        let frame = std::mem::replace(&mut self.frame, Frame::new(start, false));
        self.finish(frame, code)
    }
}
