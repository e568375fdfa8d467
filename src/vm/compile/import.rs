//! Imports.

use ruff_python_ast::{Alias, StmtImport, StmtImportFrom};
use ruff_text_size::Ranged;

use crate::vm::code::Instruction;
use crate::vm::modules;

use super::Result;
use super::builder::Compiler;

impl<'a> Compiler<'a> {
    fn import_index(&mut self, module: &str, name: &str) -> u32 {
        self.program.imports.push((module.into(), name.into()));
        self.program.imports.len() as u32 - 1
    }

    #[cold]
    fn unknown_module(&self, at: impl Ranged, name: &str) -> Box<super::CompileError> {
        let known = modules::ALL.iter().filter(|library| !modules::is_package(library));
        let known: Vec<_> = known.map(|library| library.name).collect();
        self.place.outside(at, format!("the module {name}"), format!("there is {}", known.join(", ")))
    }

    pub(super) fn import(&mut self, import: &'a StmtImport) -> Result {
        for alias in &import.names {
            let Some(library) = modules::get(&alias.name) else {
                return Err(self.unknown_module(alias, &alias.name));
            };
            if modules::is_package(library) {
                let parts: Vec<_> = library.names().map(|part| format!("import {}.{part}", library.name)).collect();
                return Err(self.place.outside(alias, format!("import {}", library.name), parts.join(" or ")));
            }
            let (module, name) = bound_by(alias);
            let index = self.import_index(module, "");
            self.emit(Instruction::ImportName(index));
            self.store_name(name)?;
        }
        Ok(())
    }

    pub(super) fn import_from(&mut self, import: &'a StmtImportFrom) -> Result {
        let module = match &import.module {
            Some(module) if import.level == 0 => module.as_str(),
            _ => return Err(self.place.outside(import, "a relative import", "put everything into one file")),
        };
        if module == "__future__" {
            return Ok(());
        }
        let Some(library) = modules::get(module) else { return Err(self.unknown_module(import, module)) };
        let index = self.import_index(module, "");
        self.emit(Instruction::ImportName(index));
        for alias in &import.names {
            if &alias.name == "*" {
                return Err(self.place.outside(alias, "import *", "name what you need"));
            }
            if library.get(&alias.name).is_none() {
                let known: Vec<_> = modules::offered(library).collect();
                let advice = format!("of {module} there is {}", known.join(", "));
                return Err(self.place.outside(alias, format!("{module}.{}", alias.name), advice));
            }
            let index = self.import_index(module, &alias.name);
            self.emit(Instruction::ImportFrom(index));
            self.store_name(alias.asname.as_ref().unwrap_or(&alias.name))?;
        }
        self.emit(Instruction::PopTop);
        Ok(())
    }
}

/// What `import a.b` binds and to which name: the package `a`, or the module itself where it says `as c`.
pub(super) fn bound_by(alias: &Alias) -> (&str, &str) {
    match &alias.asname {
        Some(name) => (&alias.name, name),
        None => {
            let package = alias.name.split('.').next().unwrap_or(&alias.name);
            (package, package)
        }
    }
}
