//! From a name or path to a checked [`Workload`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::vm::{self, CompileError, Constant, Program};

use super::metadata::{self, Described};
use super::registry::BUNDLED;
use super::{ArgKind, ArgValue, Argument, Bound, Workload};

/// The longest bytes that are made for an argument, in MiB: a pickle of them still goes through the channel.
const MOST_MIB: i64 = 256;

/// The most connections at once: so many ports the system has for them, and a few for others.
const MOST_CONNECTIONS: i64 = 28_000;

/// Why a workload could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a workload nor a path.
    #[error("there is no workload '{name}'{}; a file is given by its path, such as ./{name}.py", nearest_words(.nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names like it, the nearest first.
        nearest: Vec<String>,
    },
    /// No such file.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A directory.
    #[error("{} is a directory; give a Python file in it", .0.display())]
    Directory(PathBuf),
    /// The file could not be read.
    #[error("{path} cannot be read: {error}", path = .0.display(), error = .1)]
    Unreadable(PathBuf, io::Error),
    /// Not text.
    #[error("{path} is not UTF-8 (byte {byte}); save it as UTF-8", path = .0.display(), byte = .1)]
    NotUtf8(PathBuf, usize),
    /// Larger than the compiler takes.
    #[error("{path} is too large: {bytes} bytes, and at most {most} can be run", path = .0.display(), bytes = .1, most = vm::MAX_SOURCE)]
    TooLarge(PathBuf, u64),
    /// A syntax error, or outside the subset.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// There is no `work`.
    #[error("{0} has no function work; put what is to be run into `def work():`")]
    NoWork(String),
    /// `work_async` is a plain function.
    #[error("{0}: work_async is called by an event loop: write `async def work_async`")]
    NotAsync(String),
    /// They cannot both be called with what the user chose.
    #[error("{0}: work and work_async do the same work, so they must take the same arguments, in the same order")]
    NotTheSame(String),
    /// The metadata block is wrong.
    #[error("{file}:{line}: the metadata is wrong: {message}")]
    Metadata {
        /// In which file.
        file: String,
        /// In which line.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// An argument has no value.
    #[error(
        "{file}: the argument '{argument}' of work has no number as its default; \
         write `{argument}=…` in the def, or [arguments.{argument}] with a default in the metadata"
    )]
    NoDefault {
        /// In which file.
        file: String,
        /// Which.
        argument: String,
    },
}

pub(super) fn nearest_words(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        names => format!(" (did you mean {}?)", names.join(" or ")),
    }
}

/// Names like this one, the nearest first.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut ranked: Vec<(f64, &str)> = known
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// The ids of the workloads that come with the program, in the order of the registry.
pub fn bundled() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|(id, _)| *id)
}

impl LoadError {
    /// Whether it is Python, and only the miniature cannot run it.
    pub fn is_outside_subset(&self) -> bool {
        matches!(self, LoadError::Compile(error) if error.reason == vm::Reason::OutsideSubset)
    }
}

/// Loads a workload that comes with the program, by its id, or else a file, by its path.
pub fn load(name_or_path: &str) -> Result<Workload, LoadError> {
    if let Some((id, source)) = BUNDLED.iter().find(|(id, _)| *id == name_or_path) {
        return parse(id, (*source).to_owned(), &format!("{id}.py"), None);
    }
    let (id, source) = read(name_or_path)?;
    parse(&id, source, name_or_path, Some(name_or_path.into()))
}

/// Loads a file for real interpreters alone. What it offers, they say.
pub fn load_for_cpython(path: &str) -> Result<Workload, LoadError> {
    let (id, source) = read(path)?;
    Ok(Workload::of_cpython(id, source, Some(path.into())))
}

impl Workload {
    /// One of which nothing is known but its source, since only a real interpreter reads it.
    pub(super) fn of_cpython(id: String, source: String, path: Option<PathBuf>) -> Workload {
        Workload {
            title: id.clone(),
            id,
            bound: Bound::Mixed,
            watch: String::new(),
            arguments: Vec::new(),
            plain: true,
            coroutine: None,
            source,
            path,
        }
    }
}

/// The stem of a file's name, and its text.
fn read(name_or_path: &str) -> Result<(String, String), LoadError> {
    let path = Path::new(name_or_path);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        // A bare word is a name mistyped rather than a path.
        Err(_) if !name_or_path.contains('/') && path.extension().is_none() => {
            return Err(LoadError::Unknown { name: name_or_path.into(), nearest: nearest(name_or_path, bundled()) });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(LoadError::Missing(path.into())),
        Err(error) => return Err(LoadError::Unreadable(path.into(), error)),
    };
    if metadata.is_dir() {
        return Err(LoadError::Directory(path.into()));
    }
    if metadata.len() > vm::MAX_SOURCE as u64 {
        return Err(LoadError::TooLarge(path.into(), metadata.len()));
    }
    if !metadata.is_file() {
        let message = io::Error::other("it is no regular file");
        return Err(LoadError::Unreadable(path.into(), message));
    }
    let bytes = fs::read(path).map_err(|error| LoadError::Unreadable(path.into(), error))?;
    let source =
        String::from_utf8(bytes).map_err(|error| LoadError::NotUtf8(path.into(), error.utf8_error().valid_up_to()))?;
    let stem = path.file_stem().map_or_else(|| name_or_path.into(), |stem| stem.to_string_lossy());
    Ok((stem.into_owned(), source))
}

/// Checks a source and describes it.
fn parse(id: &str, source: String, file: &str, path: Option<PathBuf>) -> Result<Workload, LoadError> {
    let program = vm::compile(&source, file)?;
    let is_async = |name: &str| program.signature(name).map(|signature| signature.is_async);
    let (plain, coroutine) = match (is_async("work"), is_async("work_async")) {
        (_, Some(false)) => return Err(LoadError::NotAsync(file.into())),
        (None, None) => return Err(LoadError::NoWork(file.into())),
        (Some(false), other) => (true, other.map(|_| "work_async")),
        (_, Some(true)) => (false, Some("work_async")),
        (Some(true), None) => (false, Some("work")),
    };
    if let (true, Some(name)) = (plain, coroutine) {
        let taken =
            |name| program.signature(name).map(|it| it.parameters.iter().map(|it| &*it.name).collect::<Vec<_>>());
        if taken("work") != taken(name) {
            return Err(LoadError::NotTheSame(file.into()));
        }
    }
    let metadata =
        metadata::read(&source).map_err(|(line, message)| LoadError::Metadata { file: file.into(), line, message })?;
    let arguments = arguments(&program, &metadata.arguments, file, &source)?;
    Ok(Workload {
        id: id.into(),
        title: metadata.title.unwrap_or_else(|| id.into()),
        bound: metadata.bound.unwrap_or(Bound::Cpu),
        watch: metadata.watch.unwrap_or_default(),
        arguments,
        plain,
        coroutine,
        source,
        path,
    })
}

fn arguments(
    program: &Program,
    described: &std::collections::BTreeMap<String, Described>,
    file: &str,
    source: &str,
) -> Result<Vec<Argument>, LoadError> {
    let parameters = program
        .signature("work")
        .or(program.signature("work_async"))
        .map(|signature| &signature.parameters[..])
        .unwrap_or_default();
    let wrong = |argument: &str, message: String| {
        let header = format!("[arguments.{argument}]");
        let line = source.lines().position(|line| line.contains(&header)).map_or(1, |at| at + 1);
        LoadError::Metadata { file: file.into(), line, message }
    };
    for name in described.keys() {
        if !parameters.iter().any(|parameter| &*parameter.name == name) {
            return Err(wrong(name, format!("work has no argument '{name}'")));
        }
    }
    let mut arguments = Vec::new();
    // The number of the task, and how many there are, are given by whoever runs it.
    for parameter in parameters.iter().filter(|parameter| !matches!(&*parameter.name, "task" | "tasks")) {
        let name = &*parameter.name;
        let described = described.get(name);
        let in_source = parameter.default.map(|default| match default {
            Constant::Int(value) => ArgValue::Int(value),
            Constant::Float(value) => ArgValue::Float(value),
        });
        let kind = described.map_or(ArgKind::Number, |described| described.kind);
        // Any port will do.
        let implied = kind.is_server().then_some(ArgValue::Int(0));
        let Some(default) = described.and_then(|described| described.default).or(in_source).or(implied) else {
            // Optional and no number: Python's own default stands, and nobody sets it from outside.
            if parameter.has_default && described.is_none() {
                continue;
            }
            return Err(LoadError::NoDefault { file: file.into(), argument: name.into() });
        };
        let (least, most) = match default {
            _ if kind == ArgKind::Bytes => (ArgValue::Int(0), ArgValue::Int(MOST_MIB)),
            _ if kind.is_server() => (ArgValue::Int(0), ArgValue::Int(u16::MAX.into())),
            _ if kind == ArgKind::Connections => (ArgValue::Int(0), ArgValue::Int(MOST_CONNECTIONS)),
            ArgValue::Int(_) => (ArgValue::Int(i64::MIN), ArgValue::Int(i64::MAX)),
            ArgValue::Float(_) => (ArgValue::Float(f64::MIN), ArgValue::Float(f64::MAX)),
        };
        let argument = Argument {
            name: name.into(),
            help: described.and_then(|described| described.help.clone()).unwrap_or_default(),
            kind,
            default,
            min: described.and_then(|described| described.min).unwrap_or(least),
            max: described.and_then(|described| described.max).unwrap_or(most),
            size: described.is_some_and(|described| described.size),
        };
        let bounds = [argument.default, argument.min, argument.max];
        let length = |value| matches!(value, ArgValue::Int(0..=MOST_MIB));
        if kind == ArgKind::Bytes && !bounds.into_iter().all(length) {
            return Err(wrong(name, format!("'{name}' is a number of MiB: whole, and at most {MOST_MIB}")));
        }
        let within =
            |most: i64| bounds.into_iter().all(|value| matches!(value, ArgValue::Int(at) if (0..=most).contains(&at)));
        if kind.is_server() && !within(u16::MAX.into()) {
            return Err(wrong(name, format!("'{name}' is a port: a whole number, and at most {}", u16::MAX)));
        }
        if kind == ArgKind::Connections && !within(MOST_CONNECTIONS) {
            let most = format!("whole, and at most {MOST_CONNECTIONS}");
            return Err(wrong(name, format!("'{name}' is a number of connections: {most}")));
        }
        if kind.is_server() && arguments.iter().any(|other: &Argument| other.kind.is_server()) {
            return Err(wrong(name, "there is one slow server, so one argument can be its url or port".to_owned()));
        }
        if !argument.holds(argument.default) {
            return Err(wrong(name, format!("the default of '{name}' is not between its min and its max")));
        }
        arguments.push(argument);
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> String {
        load(name).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn own(source: &str) -> Result<Workload, String> {
        parse("own", source.into(), "own.py", None).map_err(|error| error.to_string())
    }

    #[test]
    fn every_bundled_workload_loads_with_all_that_is_shown_of_it() {
        for id in bundled() {
            let workload = load(id).unwrap();
            assert_eq!(workload.id, id);
            assert!(!workload.title.is_empty() && !workload.watch.is_empty(), "{id}");
            assert!(workload.arguments.iter().any(|argument| argument.size), "{id} can be scaled");
            assert!(workload.arguments.iter().all(|argument| !argument.help.is_empty()), "{id}");
        }
    }

    #[test]
    fn each_reason_not_to_load_has_its_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_string_lossy().into_owned()
        };
        for (given, sentence) in [
            ("sum-sqares".into(), "did you mean sum-squares"),
            ("sum-sqares".into(), "a file is given by its path"),
            ("./nothing.py".into(), "./nothing.py does not exist"),
            (dir.path().to_string_lossy().into_owned(), "is a directory"),
            (file("latin.py", b"# caf\xe9\n"), "is not UTF-8 (byte 5)"),
            (file("large.py", &vec![b'#'; vm::MAX_SOURCE + 1]), "is too large"),
            (file("syntax.py", b"def work(:\n"), "syntax.py:1:10: syntax error: "),
            (file("class.py", b"class A:\n    pass\n"), "class.py:1:1: a class statement is outside"),
            (file("empty.py", b""), "has no function work"),
            (file("async.py", b"def work():\n    pass\ndef work_async():\n    pass\n"), "write `async def work_async`"),
            (file("args.py", b"def work(n=1):\n    pass\nasync def work_async(m=1):\n    pass\n"), "same arguments"),
        ] {
            let error = refused(&given);
            assert!(error.contains(sentence), "{error}");
        }
    }

    #[test]
    fn a_file_offers_a_plain_function_or_a_coroutine_or_both() {
        let offers = |source: &str| own(source).map(|workload| (workload.plain, workload.coroutine)).unwrap();
        assert_eq!(offers("def work(n=1):\n    pass\n"), (true, None));
        assert_eq!(offers("async def work(n=1):\n    pass\n"), (false, Some("work")));
        assert_eq!(offers("async def work_async(n=1):\n    pass\n"), (false, Some("work_async")));
        let both = "def work(n=1):\n    pass\nasync def work_async(n=1):\n    pass\n";
        assert_eq!(offers(both), (true, Some("work_async")));
        assert_eq!(own("async def work(n=3):\n    pass\n").unwrap().arguments[0].name, "n");
    }

    #[test]
    fn metadata_is_optional_and_checked() {
        let workload = own("def work(n=3, task=0, x=0.5, name='a'):\n    return n\n").unwrap();
        let names: Vec<_> = workload.arguments.iter().map(|argument| argument.name.as_str()).collect();
        assert_eq!(names, ["n", "x"]);
        assert_eq!(
            own("def work(n):\n    pass\n").unwrap_err().split(';').next(),
            Some("own.py: the argument 'n' of work has no number as its default")
        );
        let bad = |block: &str| own(&format!("# /// gilscope\n{block}# ///\ndef work(n=1):\n    pass\n")).unwrap_err();
        assert!(bad("# bound = \"disk\"\n").starts_with("own.py:2: the metadata is wrong: unknown variant"));
        assert!(bad("# titel = \"x\"\n").contains("unknown field `titel`"));
        assert!(
            bad("# [arguments.m]\n# default = 1\n")
                .contains("own.py:2: the metadata is wrong: work has no argument 'm'")
        );
        assert!(bad("# [arguments.n]\n# default = 1\n# min = 2\n").contains("not between"));
        assert!(bad("# [arguments.n]\n# kind = \"bytes\"\n# default = 1000\n").contains("a number of MiB"));
        assert!(bad("# [arguments.n]\n# kind = \"port\"\n# default = 70000\n").contains("'n' is a port"));
        assert!(
            bad("# [arguments.n]\n# kind = \"connections\"\n# default = 1.5\n").contains("a number of connections")
        );
        let two = "# /// gilscope\n# [arguments.a]\n# kind = \"url\"\n# [arguments.b]\n# kind = \"port\"\n# ///\n\
                   def work(a, b):\n    pass\n";
        assert!(own(two).unwrap_err().contains("own.py:4: the metadata is wrong: there is one slow server"));
        assert!(own("# /// gilscope\n# title = 'x'\ndef work():\n    pass\n").unwrap_err().contains("not closed"));
    }

    #[test]
    fn arguments_are_read_and_kept_in_their_range() {
        let workload = load("sum-squares").unwrap();
        assert_eq!(workload.arguments(&[]).unwrap(), [("n".to_owned(), ArgValue::Int(1_000_000))]);
        for text in ["1000", "1_000", "1e3"] {
            assert_eq!(workload.arguments(&[("n", text)]).unwrap()[0].1, ArgValue::Int(1000));
        }
        let refused = |name, text| workload.arguments(&[(name, text)]).unwrap_err().to_string();
        assert_eq!(refused("n", "many"), "'many' is not a whole number, which the argument n of sum-squares must be");
        assert_eq!(refused("n", "1.5"), "'1.5' is not a whole number, which the argument n of sum-squares must be");
        assert_eq!(refused("n", "-1"), "n=-1 is out of range: sum-squares takes 1 to 1000000000000");
        assert!(refused("n", "99999999999999999999").contains("out of range"));
        assert_eq!(refused("m", "1"), "sum-squares has no argument 'm'; it takes n");
    }
}
