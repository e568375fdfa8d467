//! Comprehensions, inlined into the function they stand in.

use ruff_python_ast::{Comprehension, Expr};

use crate::vm::code::Instruction;

use super::Result;
use super::builder::Compiler;

impl<'a> Compiler<'a> {
    /// The loops of a comprehension. `innermost` is told how far below the top the collection lies that `under`
    /// values are on.
    pub(super) fn comprehension(
        &mut self,
        generators: &'a [Comprehension],
        under: u32,
        innermost: &mut dyn FnMut(&mut Compiler<'a>, u32) -> Result,
    ) -> Result {
        let Some((generator, rest)) = generators.split_first() else { return innermost(self, under) };
        if generator.is_async {
            return Err(self.place.outside(generator, "an asynchronous comprehension", "write a plain one"));
        }
        self.expr(&generator.iter)?;
        self.emit(Instruction::GetIter);
        let mut names = Vec::new();
        target_names(&generator.target, &mut names);
        for name in &names {
            self.declare(name);
        }
        let (start, end) = (self.label(), self.label());
        self.bind(start);
        self.jump(Instruction::ForIter, end);
        self.store(&generator.target)?;
        for condition in &generator.ifs {
            self.jump_if(condition, false, start)?;
        }
        self.comprehension(rest, under + 1, innermost)?;
        self.jump(Instruction::JumpBackward, start);
        self.bind(end);
        self.frame.depth -= 1;
        for name in names {
            if let Some(slots) = self.frame.by_name.get_mut(name) {
                slots.pop();
            }
        }
        Ok(())
    }
}

/// The names that an assignment to this target assigns.
fn target_names<'a>(target: &'a Expr, names: &mut Vec<&'a str>) {
    match target {
        Expr::Name(name) if !names.contains(&name.id.as_str()) => {
            names.push(&name.id);
        }
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|item| target_names(item, names)),
        Expr::List(list) => list.elts.iter().for_each(|item| target_names(item, names)),
        Expr::Starred(starred) => target_names(&starred.value, names),
        _ => {}
    }
}
