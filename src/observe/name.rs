//! What Python calls its threads.
//!
//! # The problem
//! A name given to a `threading.Thread` stays in Python up to 3.13: the kernel
//! learns it from 3.14 on only, and then its first fifteen bytes.
//!
//! # The choice
//! The module `threading` keeps all threads that run in the dict `_active`, each
//! under its identifier, in the order in which they came. The dict is found by
//! the modules of the interpreter and read from its end, where the new ones
//! are. A `Thread` knows the kernel's number (`_native_id`) and its name
//! (`_name`), so nothing else need be known of whose it is. What lies where is
//! the affair of [`super::object`]; whatever is not what it should be, a dict, an
//! `int`, a `str`, makes that thread nameless until the next look.
//!
//! # Not chosen
//! The identifiers in thread states: they lead to an entry of the dict only by
//! way of its hashes, and are used again by the next thread. To be told by the
//! program (`threading.setprofile`): nothing of ours runs in it.

use std::collections::HashMap;

use crate::text::printable;

use super::layout::Version;
use super::memory::Memory;
use super::object::{IS_DICT, IS_INT, IS_STR, ObjectLayout, word};
use super::runtime::Runtime;

/// More interpreters of one process are not asked.
const MOST_INTERPRETERS: usize = 16;
/// More threads than this are not looked through at once.
const MOST_THREADS: usize = 2048;
/// A longer name is cut: it is to fit before a lane.
const LONGEST: usize = 60;
/// How many words of `_Py_DebugOffsets` lead to `interpreter_state.imports_modules` (3.13).
const MODULES_WORD: u64 = 11;

/// Reads the names of the threads of one process.
#[derive(Debug)]
pub struct Names {
    objects: ObjectLayout,
    /// In an interpreter: its modules.
    modules: u64,
    /// `threading._active` of each interpreter that was asked, and the class `dict`; none where the module has not been
    /// imported so far.
    active: HashMap<u64, Option<Active>>,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    dict: u64,
    class: u64,
}

impl Names {
    /// For a process with this runtime. `None`: its threads tell the kernel themselves, or we do not know its version.
    pub fn find(runtime: &Runtime, memory: &dyn Memory) -> Option<Names> {
        let modules = match runtime.version.minor {
            9 | 10 => 856,
            11 => 888,
            12 => 944,
            13 => word(memory, runtime.address.checked_add(MODULES_WORD * 8)?)?,
            _ => return None,
        };
        Names::of(runtime.version, runtime.free_threaded, modules)
    }

    fn of(version: Version, free_threaded: bool, modules: u64) -> Option<Names> {
        let objects = ObjectLayout::of(version, free_threaded)?;
        (modules < 1 << 20).then(|| Names { objects, modules, active: HashMap::new() })
    }

    /// The latest threads of these interpreters, at most so many, with the numbers by which the process knows them, and
    /// their names, fit to be shown.
    ///
    /// Where the module was not found it is looked for again only if `anew`.
    pub fn latest(&mut self, interpreters: &[u64], most: usize, anew: bool, memory: &dyn Memory) -> Vec<(u32, String)> {
        let mut found = Vec::new();
        self.active.retain(|interpreter, active| interpreters.contains(interpreter) && (active.is_some() || !anew));
        for interpreter in interpreters.iter().take(MOST_INTERPRETERS) {
            let active = match self.active.get(interpreter) {
                Some(active) => *active,
                None => {
                    let found = self.find_active(*interpreter, memory);
                    self.active.insert(*interpreter, found);
                    found
                }
            };
            let Some(active) = active else { continue };
            if self.read(active, most, &mut found, memory).is_none() {
                // It is not what it was: it is to be found anew.
                self.active.remove(interpreter);
            }
        }
        found
    }

    /// `sys.modules["threading"]._active`.
    fn find_active(&self, interpreter: u64, memory: &dyn Memory) -> Option<Active> {
        let objects = &self.objects;
        let modules = word(memory, interpreter.checked_add(self.modules)?)?;
        let module = objects.item(modules, "threading", memory)?;
        // `md_dict`
        let names = word(memory, module.checked_add(objects.header)?)?;
        let dict = objects.item(names, "_active", memory)?;
        let (class, flags) = objects.class_of(dict, memory)?;
        (flags & IS_DICT != 0).then_some(Active { dict, class })
    }

    fn read(&self, active: Active, most: usize, found: &mut Vec<(u32, String)>, memory: &dyn Memory) -> Option<()> {
        let most = most.min(MOST_THREADS);
        if self.objects.class_of(active.dict, memory)?.0 != active.class {
            return None;
        }
        // Those that have ended leave their entries behind until the dict is made anew. If it is being changed just now,
        // the next look will do.
        let entries = self.objects.latest_entries(active.dict, MOST_THREADS as u64, memory).unwrap_or_default();
        let threads = entries.iter().map(|entry| entry.value).filter(|thread| *thread != 0);
        let mut known = None;
        found.extend(threads.take(most).filter_map(|thread| self.thread(thread, &mut known, memory)));
        Some(())
    }

    fn thread(&self, thread: u64, known: &mut Option<(u64, [u64; 2])>, memory: &dyn Memory) -> Option<(u32, String)> {
        let objects = &self.objects;
        let [native, name] = objects.attribute_values(thread, ["_native_id", "_name"], known, memory)?;
        if !objects.is(IS_INT, native, memory) || !objects.is(IS_STR, name, memory) {
            return None;
        }
        let native = u32::try_from(objects.whole_number(native, memory)?).ok().filter(|native| *native != 0)?;
        let name = printable(&objects.text(name, memory)?);
        Some((native, shortened(name.trim()))).filter(|(_, name)| !name.is_empty())
    }
}

/// At most so many characters of a name, with a sign where it was cut.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        None => name.to_owned(),
        Some(_) => name.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests;
