//! Where threads of real interpreters are, against what their programs do: every version on this machine, by the library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gilscope::observe::memory::Remote;
use gilscope::observe::place::{FrameLayout, Place, Places};
use gilscope::observe::pythons;
use gilscope::observe::runtime::{Files, Runtime};

/// The interpreters of this machine that we know, one for each version, and those that GILSCOPE_PYTHONS names (separated by
/// colons).
fn interpreters() -> Vec<PathBuf> {
    let mut versions = BTreeMap::new();
    for python in pythons::installed() {
        if let Some(said) = python.said.ok().filter(pythons::Said::is_known) {
            let minor = said.version.split('.').nth(1).and_then(|minor| minor.parse::<u8>().ok());
            versions.insert((minor, said.free_threaded), python.path);
        }
    }
    let named = std::env::var_os("GILSCOPE_PYTHONS").unwrap_or_default();
    let mut found: Vec<PathBuf> = versions.into_values().collect();
    found.extend(std::env::split_paths(&named).filter(|path| path.exists()));
    if found.is_empty() {
        assert!(std::env::var_os("GILSCOPE_REQUIRE_PYTHON").is_none_or(|it| it != "1"), "no CPython 3.9 to 3.15 found");
        eprintln!("skipped: no CPython 3.9 to 3.15 found");
    }
    found
}

/// A program that runs until it is dropped, and what its main thread is looked at by.
struct Running {
    child: Child,
    runtime: Runtime,
    places: Places,
    tstate: u64,
    /// How many looks showed nothing.
    unseen: usize,
}

impl Running {
    /// Waits until it has printed something.
    fn start(python: &Path, args: &[&str]) -> Running {
        Running::of(Command::new(python).args(args))
    }

    fn of(command: &mut Command) -> Running {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = command.expect("it is an interpreter");
        let mut first = [0];
        child.stdout.as_mut().expect("it is piped").read_exact(&mut first).expect("it prints something");
        let runtime = Runtime::find(child.id(), &mut Files::new()).expect("it is CPython");
        let memory = Remote(child.id());
        let interpreters = runtime.walk(&memory).expect("it has interpreters");
        let tstate = interpreters.iter().find(|it| it.id == 0).expect("one is the main one").threads[0].address;
        let places = Places::new(FrameLayout::find(&runtime, &memory).expect("its version is known"));
        Running { child, runtime, places, tstate, unseen: 0 }
    }

    /// Looks until it is as it says, or long enough.
    fn look_until(&mut self, mut enough: impl FnMut(&Place) -> bool) -> bool {
        let memory = Remote(self.child.id());
        let end = Instant::now() + Duration::from_secs(60);
        let mut looks: u64 = 0;
        while Instant::now() < end {
            looks += 1;
            match self.places.of_thread(self.tstate, &memory) {
                Some(place) if enough(&place) => return true,
                Some(_) => {}
                None => self.unseen += 1,
            }
            // Who looks in step with a loop sees only part of it.
            if looks.is_multiple_of(16) {
                std::thread::sleep(Duration::from_nanos(looks * 7919 % 100_000));
            }
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `line` of `function` may be seen if it is in the list.
fn is_told(place: (&str, Option<u32>), told: &[(&str, &[u32])]) -> bool {
    let (function, line) = place;
    told.iter().any(|(name, lines)| *name == function && line.is_some_and(|line| lines.contains(&line)))
}

#[test]
fn a_thread_that_stays_in_a_function_is_seen_there_and_nowhere_else() {
    let code = "class Report:
    def render(self):
        print('up', flush=True)
        while True:

            pass
def start(it):
    it.render()
start(Report())
";
    for python in interpreters() {
        let mut running = Running::start(&python, &["-c", code]);
        let (version, free_threaded) = (running.runtime.version, running.runtime.free_threaded);
        // Before 3.11 code has no qualified name.
        let name = if version.minor >= 11 { "Report.render" } else { "render" };
        assert!(running.look_until(|place| &*place.function == name && place.line != Some(3)), "{version}");
        running.unseen = 0;
        let mut looks = 0;
        running.look_until(|place| {
            // In free-threaded builds a copy of the code may be run.
            let line = place.line.is_none() && free_threaded || is_told((name, place.line), &[(name, &[4, 6])]);
            assert!((&*place.function, &*place.file) == (name, "<string>") && line, "{version}: {place:?}");
            looks += 1;
            looks == 5000
        });
        assert_eq!(looks, 5000, "{version}");
        assert!(running.unseen * 100 < looks, "{version}: {} looks besides {looks} show nothing", running.unseen);
    }
}

#[test]
fn functions_that_call_each_other_all_the_time_are_never_mixed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    // What lies in a folder of such a name is the library's, and then its caller is told.
    let library = folder.path().join("python3.0");
    fs::create_dir(&library).expect("it can be made");
    let tool = library.join("gilscope_tool.py");
    fs::write(
        &tool,
        "def even(n):\n    x = abs(n)\n    return x\n\ndef odd(n):\n    y = [2 *\n         len(i) for i in n]\n    return y\n",
    )
    .expect("it can be written");
    let own = folder.path().join("own.py");
    let text = "import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from gilscope_tool import even, odd
def outer():
    while True:
        even(1)
        odd('x')
print('up', flush=True)
outer()
";
    fs::write(&own, text).expect("it can be written");
    let lines: &[(&str, &[u32])] = &[("outer", &[5, 6, 7, 8]), ("even", &[1, 2, 3]), ("odd", &[5, 6, 7, 8])];
    // Up to 3.11, where the function it stands in has gone on while it was looked at.
    let alone: &[(&str, &[u32])] = &[("<listcomp>", &[6, 7]), ("odd.<locals>.<listcomp>", &[6, 7])];
    let calls: &[(&str, &[u32])] = &[("outer", &[6, 7, 8])];
    for python in interpreters() {
        let args = [own.display().to_string(), library.display().to_string()];
        let mut running = Running::start(&python, &[&args[0], &args[1]]);
        let (version, free_threaded) = (running.runtime.version, running.runtime.free_threaded);
        assert!(running.look_until(|place| &*place.function != "<module>"), "{version}");
        let mut counts = BTreeMap::<String, usize>::new();
        let (mut looks, mut called) = (0, 0);
        let all = running.look_until(|place| {
            looks += 1;
            *counts.entry(place.function.to_string()).or_default() += 1;
            let told = |place, told| is_told(place, told) || free_threaded && place.1.is_none();
            let here = (&*place.function, place.line);
            assert!(told(here, lines) || version.minor <= 11 && told(here, alone), "{version}: {place:?}");
            if let Some(caller) = &place.caller {
                called += 1;
                assert!(told((&caller.function, caller.line), calls), "{version}: {place:?}");
            }
            looks >= 5000 && lines.iter().all(|(name, _)| counts.get(*name).is_some_and(|count| *count >= 25))
        });
        assert!(all, "{version}: each is there, and only some are seen: {counts:?}");
        // Who goes on while being looked at may be missed.
        assert!(running.unseen < looks, "{version}: {} looks besides {looks} show nothing", running.unseen);
        let alone: usize = counts.iter().filter(|(name, _)| name.contains("<listcomp>")).map(|(_, count)| count).sum();
        assert!(alone < counts["odd"], "{version}: {counts:?}");
        assert!(called * 2 > counts["even"] + counts["odd"], "{version}: {called} with a caller of {counts:?}");
    }
}

#[test]
fn functions_that_are_made_and_thrown_away_have_their_own_names() {
    let code = "import time
print('up', flush=True)
n = 0
while True:
    n += 1
    space = {}
    exec(f'def name{n % 10}():\\n    end = time.monotonic() + 0.01\\n    while time.monotonic() < end: pass', globals(), space)
    name = space.popitem()[1]
    name()
    del name, space
";
    for python in interpreters() {
        let mut running = Running::start(&python, &["-c", code]);
        let mut names = BTreeSet::new();
        let all = running.look_until(|place| {
            if place.function.starts_with("name") {
                names.insert(place.function.to_string());
            }
            names.len() == 10
        });
        assert!(all, "{}: {names:?}", running.runtime.version);
    }
}

/// A copy of an interpreter, and of its library if it has one, without symbols; and where its modules are.
fn stripped(python: &Path, folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let real = fs::canonicalize(python).ok()?;
    let home = real.parent()?.parent()?.to_owned();
    let copy = folder.join(real.file_name()?);
    let library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libpython") && name.ends_with(".so.1.0")
    };
    let libraries = fs::read_dir(home.join("lib")).ok()?.flatten().map(|entry| entry.path()).filter(library);
    for file in libraries.chain([real]) {
        let copy = folder.join(file.file_name()?);
        fs::copy(file, &copy).ok()?;
        let status = Command::new("strip").arg(&copy).stderr(Stdio::null()).status();
        status.ok().filter(ExitStatus::success)?;
    }
    Some((copy, home))
}

#[test]
fn interpreters_without_symbols_tell_as_much() {
    for python in interpreters() {
        let folder = tempfile::tempdir().expect("a folder");
        let Some((copy, home)) = stripped(&python, folder.path()) else {
            eprintln!("skipped: {} cannot be copied and stripped", python.display());
            continue;
        };
        let code = "def burn():\n    print('up', flush=True)\n    while True: pass\nburn()";
        let mut command = Command::new(copy);
        command.args(["-c", code]).env("PYTHONHOME", home).env("LD_LIBRARY_PATH", folder.path());
        let mut running = Running::of(&mut command);
        let seen = running.look_until(|place| &*place.function == "burn" && place.line == Some(3));
        assert!(seen || running.runtime.free_threaded, "{}: it is not seen there", running.runtime.version);
    }
}
