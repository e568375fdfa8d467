//! What the miniature brings with it: functions, methods and modules written in Rust.

use std::sync::Arc;

use crate::event::{Detail, EventKind, Line, State};

use super::exception::{Raised, type_error};
use super::host::{Host, Note};
use super::value::Value;

/// A function of the miniature.
pub struct Native {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a type (`int`, `list`) rather than a function.
    pub is_type: bool,
    /// What it does. A method finds its object as the first argument.
    pub run: fn(&mut Call<'_>) -> Result<Value, Raised>,
}

impl Native {
    pub(crate) const fn function(name: &'static str, run: fn(&mut Call<'_>) -> Result<Value, Raised>) -> Native {
        Native { name, is_type: false, run }
    }

    pub(crate) const fn class(name: &'static str, run: fn(&mut Call<'_>) -> Result<Value, Raised>) -> Native {
        Native { name, is_type: true, run }
    }
}

/// A module of the miniature.
pub struct Library {
    /// The name it is imported by.
    pub name: &'static str,
    /// What is in it.
    pub functions: &'static [Native],
    /// What else is in it.
    pub constants: &'static [(&'static str, Value)],
}

impl Library {
    /// What is in it under this name.
    pub fn get(&self, name: &str) -> Option<Value> {
        let constant = self.constants.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        constant.or_else(|| find(self.functions, name).map(Value::Native))
    }

    /// Every name in it.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.constants.iter().map(|(name, _)| *name).chain(self.functions.iter().map(|native| native.name))
    }
}

/// The one with this name.
pub(crate) fn find(natives: &'static [Native], name: &str) -> Option<&'static Native> {
    natives.iter().find(|native| native.name == name)
}

/// The host, as functions of the miniature see it: [`Host`] without its generics.
pub trait Outside {
    /// [`Host::is_free_threaded`].
    fn is_free_threaded(&self) -> bool {
        false
    }
    /// [`Host::release`] around a closure that returns nothing.
    fn release(&mut self, state: State, detail: Detail, line: Line, blocking: &mut dyn FnMut());
    /// [`Host::note`].
    fn note(&mut self, line: Line, kind: EventKind);
    /// [`Host::release_noting`] around a closure that returns nothing.
    fn release_noting(&mut self, state: State, detail: Detail, line: Line, blocking: &mut dyn FnMut(&mut Note<'_>));
    /// [`Host::heartbeat`].
    fn heartbeat(&mut self, line: Line);
    /// [`Host::print`].
    fn print(&mut self, text: &str);
}

impl<H: Host> Outside for H {
    fn is_free_threaded(&self) -> bool {
        Host::is_free_threaded(self)
    }

    fn release(&mut self, state: State, detail: Detail, line: Line, blocking: &mut dyn FnMut()) {
        Host::release(self, state, detail, line, blocking);
    }

    fn note(&mut self, line: Line, kind: EventKind) {
        Host::note(self, line, kind);
    }

    fn release_noting(&mut self, state: State, detail: Detail, line: Line, blocking: &mut dyn FnMut(&mut Note<'_>)) {
        Host::release_noting(self, state, detail, line, blocking);
    }

    fn heartbeat(&mut self, line: Line) {
        Host::heartbeat(self, line);
    }

    fn print(&mut self, text: &str) {
        Host::print(self, text);
    }
}

/// A call of a function of the miniature.
pub struct Call<'a> {
    /// The arguments, positional ones first, those by keyword last.
    pub args: &'a [Value],
    /// The names of those by keyword.
    pub keywords: &'a [Arc<str>],
    /// The host.
    pub outside: &'a mut dyn Outside,
    /// The line of the call.
    pub line: Line,
}

impl<'a> Call<'a> {
    /// The arguments without those by keyword.
    pub fn positional(&self) -> &'a [Value] {
        &self.args[..self.args.len() - self.keywords.len()]
    }

    fn by_keyword(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        let first = self.args.len() - self.keywords.len();
        self.keywords.iter().map(AsRef::as_ref).zip(&self.args[first..])
    }

    /// Exactly so many positional arguments and none by keyword (`METH_NOARGS` and `METH_O` of CPython).
    pub fn exactly<const N: usize>(&self, name: &str) -> Result<&'a [Value; N], Raised> {
        self.no_keywords(name)?;
        self.args.try_into().map_err(|_| {
            let given = self.args.len();
            type_error(match N {
                0 => format!("{name}() takes no arguments ({given} given)"),
                1 => format!("{name}() takes exactly one argument ({given} given)"),
                _ => format!("{} expected {N} arguments, got {given}", plain(name)),
            })
        })
    }

    /// A method's object, and exactly so many arguments after it.
    pub fn method<const N: usize>(&self, name: &str) -> Result<(&'a Value, &'a [Value; N]), Raised> {
        let (object, args) = self.receiver(name)?;
        self.no_keywords(name)?;
        let exact = args.try_into().map_err(|_| {
            let given = args.len();
            type_error(match N {
                0 => format!("{name}() takes no arguments ({given} given)"),
                1 => format!("{name}() takes exactly one argument ({given} given)"),
                _ => format!("{} expected {N} arguments, got {given}", plain(name)),
            })
        })?;
        Ok((object, exact))
    }

    /// A method's object and the positional arguments after it.
    pub fn receiver(&self, name: &str) -> Result<(&'a Value, &'a [Value]), Raised> {
        let too_few = || type_error(format!("unbound method {name}() needs an argument"));
        self.positional().split_first().ok_or_else(too_few)
    }

    /// Between `least` and `most` positional arguments and none by keyword (`PyArg_UnpackTuple`).
    pub fn between(&self, name: &str, args: &[Value], least: usize, most: usize) -> Result<(), Raised> {
        self.no_keywords(name)?;
        let (given, name) = (args.len(), plain(name));
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        if given < least {
            return Err(type_error(format!("{name} expected at least {least} argument{}, got {given}", plural(least))));
        }
        if given > most {
            return Err(type_error(format!("{name} expected at most {most} argument{}, got {given}", plural(most))));
        }
        Ok(())
    }

    /// Refuses arguments by keyword.
    pub fn no_keywords(&self, name: &str) -> Result<(), Raised> {
        if self.keywords.is_empty() {
            return Ok(());
        }
        Err(type_error(format!("{name}() takes no keyword arguments")))
    }

    /// Those by keyword alone, in the order of `parameters`; there may be any number of positional ones.
    pub fn keyword_only<const N: usize>(
        &self,
        name: &str,
        parameters: [&str; N],
    ) -> Result<[Option<&'a Value>; N], Raised> {
        let mut bound = [None; N];
        for (keyword, value) in self.by_keyword() {
            let Some(index) = parameters.iter().position(|parameter| *parameter == keyword) else {
                return Err(type_error(format!("{name}() got an unexpected keyword argument '{keyword}'")));
            };
            bound[index] = Some(value);
        }
        Ok(bound)
    }

    /// Positional arguments `args` and those by keyword, put in the order of `parameters`.
    pub fn bind<const N: usize>(
        &self,
        name: &str,
        args: &'a [Value],
        parameters: [&str; N],
    ) -> Result<[Option<&'a Value>; N], Raised> {
        let mut bound = [None; N];
        if args.len() + self.keywords.len() > N {
            let (plural, given) = (if N == 1 { "" } else { "s" }, args.len() + self.keywords.len());
            return Err(type_error(format!("{name}() takes at most {N} argument{plural} ({given} given)")));
        }
        for (slot, arg) in bound.iter_mut().zip(args) {
            *slot = Some(arg);
        }
        for (keyword, value) in self.by_keyword() {
            let Some(index) = parameters.iter().position(|parameter| *parameter == keyword) else {
                return Err(type_error(format!("{name}() got an unexpected keyword argument '{keyword}'")));
            };
            if bound[index].replace(value).is_some() {
                let position = index + 1;
                return Err(type_error(format!(
                    "argument for {name}() given by name ('{keyword}') and position ({position})"
                )));
            }
        }
        Ok(bound)
    }
}

/// `list.insert` is called `insert` in some of CPython's messages.
fn plain(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
