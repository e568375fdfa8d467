//! What threads and processes are called, and who made them.

use super::*;

/// Threads with names of every kind, which the program prints by the kernel's numbers; LATER happens meanwhile.
const NAMED: &str = r"import json, threading, time
class Worker(threading.Thread):
    def __init__(self, name):
        self.first, self.second = 1, 2
        super().__init__(name=name)
    def run(self): idle()
def idle(): time.sleep(SECONDS)
names = ['reader', '\u65e5\u672c', '\U0001f40d snake', 'w\xf6rker', 'an escape \x1b[31m\x1b]0;x\x07 \u202e', 'x' * 500, None]
threads = [threading.Thread(target=idle, name=name) for name in names] + [Worker('of a class')]
for t in threads: t.start()
threads[0].__dict__
LATER
print(json.dumps({t.native_id: t.name for t in threads}), flush=True)
for t in threads: t.join()
";

/// What the program said its threads are called, with their lanes.
fn with_names(report: &Value) -> Vec<(String, &Value)> {
    let printed = report["output"].as_str().and_then(|text| text.lines().next()).expect("it prints");
    let said: std::collections::BTreeMap<u64, String> = serde_json::from_str(printed).expect("it is JSON");
    let lane = |tid: &u64| lanes(report).iter().find(|lane| lane["tid"] == *tid);
    said.iter().map(|(tid, name)| (name.clone(), lane(tid).unwrap_or_else(|| panic!("no lane {tid}")))).collect()
}

#[test]
fn threads_are_called_what_python_calls_them_whatever_the_version() {
    for python in pythons() {
        let code = NAMED.replace("SECONDS", "0.7").replace("LATER", "time.sleep(0.2)");
        let report = watch(&python, &code);
        sound(&report);
        assert_eq!(named(&report, "main")["tid"], report["pid"]);
        for (said, lane) in with_names(&report) {
            let shown = lane["name"].as_str().expect("it has a name");
            let steers = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!shown.contains(steers), "{}: {shown:?}", python.display());
            let known = if minor(&report) <= 13 { 50 } else { 4 };
            let start: String = said.chars().take_while(|c| !steers(*c)).take(known).collect();
            assert!(shown.starts_with(&start), "{}: {shown:?} for {said:?}", python.display());
            let exact = minor(&report) > 13 || said.len() > 60 || said.contains(steers);
            assert!(exact || shown == said, "{}: {shown:?} for {said:?}", python.display());
            assert!(shown.chars().count() <= 60);
        }
    }
}

#[test]
fn a_thread_that_is_renamed_is_called_by_its_new_name() {
    let mut pythons = pythons();
    // Later ones tell the kernel only of the thread that calls itself anew.
    pythons.retain(|path| (9..=13).any(|minor| path.to_string_lossy().contains(&format!("3.{minor}"))));
    for python in pythons {
        let later = "time.sleep(0.5); threads[0].name = 'once reader'; threads[-1].name = 'of a class, too'";
        let report = watch(&python, &NAMED.replace("SECONDS", "2.0").replace("LATER", later));
        sound(&report);
        for (said, lane) in with_names(&report).iter().filter(|(said, _)| said.contains("once") || said.contains("too"))
        {
            assert_eq!(lane["name"], **said, "{}", python.display());
        }
    }
}

#[test]
fn what_a_thread_calls_itself_is_known_however_short_it_lives_and_is_not_its_childrens_name() {
    if !exactly() {
        return;
    }
    // The same name in Python, which may be read first.
    let code = "import _thread, ctypes, threading, time
libc = ctypes.CDLL(None)
def brief(name): libc.prctl(15, name.encode(), 0, 0, 0)
for n in range(20):
    name = 'brief-%d' % n
    t = threading.Thread(target=brief, args=(name,), name=name)
    t.start(); t.join()
def maker():
    libc.prctl(15, b'maker', 0, 0, 0)
    for _ in range(3): _thread.start_new_thread(time.sleep, (0.4,))
    time.sleep(0.6)
_thread.start_new_thread(maker, ())
time.sleep(0.8)
";
    for python in pythons() {
        let report = watch(&python, code);
        sound(&report);
        let called = |wanted: &dyn Fn(&str) -> bool| {
            lanes(&report).iter().filter(|lane| lane["name"].as_str().is_some_and(wanted)).count()
        };
        if report["python"]["gil_enabled"] == true {
            assert!(called(&|name| name.starts_with("brief-")) >= 18, "{}: {:#}", python.display(), report["lanes"]);
        }
        assert_eq!(called(&|name| name == "maker"), 1, "{}: {:#}", python.display(), report["lanes"]);
        assert_eq!(called(&|name| name.starts_with("thread ")), 3, "{}: {:#}", python.display(), report["lanes"]);
    }
}

/// Threads and processes of every kind; each lives long enough to be seen.
const FAMILY: &str = "import multiprocessing as mp, threading, time
def leaf(): time.sleep(0.8)
def child():
    t = threading.Thread(target=leaf, name='grandchild'); t.start(); t.join()
if __name__ == '__main__':
    spawn, server = mp.get_context('spawn'), mp.get_context('forkserver')
    one = spawn.Process(target=child)
    def make(): one.start(); one.join()
    maker = threading.Thread(target=make, name='maker'); maker.start()
    two = server.Process(target=leaf); two.start(); two.join(); maker.join()
";

#[test]
fn it_is_told_who_made_whom_and_helpers_have_names() {
    let Some(python) = python().filter(|_| exactly()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("family.py");
    std::fs::write(&script, FAMILY).unwrap();
    let script = script.display().to_string();
    let report = json(&gilscope(&["watch", "--json", "--python", &python.display().to_string(), &script]));
    sound(&report);
    assert_eq!(report["exit_status"], 0, "{report:#}");
    let parent = |lane: &Value| lane["parent"].as_u64().map(|parent| &lanes(&report)[parent as usize]);
    let made_by = |lane: &Value| parent(lane).map(|parent| parent["name"].clone()).unwrap_or_default();
    let main = named(&report, "main");
    assert!(main["parent"].is_null(), "{main:#}");
    assert_eq!(made_by(named(&report, "maker")), "main");
    let grandchild =
        lanes(&report).iter().find(|lane| lane["name"].as_str().is_some_and(|it| it.contains("grandchild")));
    let child = grandchild.and_then(parent).unwrap_or_else(|| panic!("{:#}", report["lanes"]));
    assert_eq!(child["pid"], child["tid"], "its process's first thread: {child:#}");
    assert_eq!(made_by(child), "maker", "by the thread that started it: {child:#}");
    assert!(child["name"].as_str().is_some_and(|name| name.starts_with("process ")));
    let server = named(&report, "forkserver");
    assert_eq!(made_by(server), "main");
    named(&report, "resource tracker");
    let two = lanes(&report).iter().find(|lane| lane["parent"] == server["id"]).expect("the forkserver forks");
    assert!(two["name"].as_str().is_some_and(|name| name.starts_with("process ")), "a copy is no forkserver: {two:#}");
}

#[test]
fn of_processes_that_were_there_before_it_is_known_who_made_them() {
    let Some(python) = python() else { return };
    let code = "import os, threading, time
def make():
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    print('up', flush=True)
    time.sleep(30)
threading.Thread(target=make, name='maker', daemon=True).start()
time.sleep(30)
";
    let running = start(&python, code);
    let report = json(&gilscope(&["attach", &running.0.id().to_string(), "--json", "--for", "500ms"]));
    sound(&report);
    let child = named(&report, "process 2");
    let maker = &lanes(&report)[child["parent"].as_u64().unwrap_or_else(|| panic!("{report:#}")) as usize];
    let tid = maker["tid"].as_i64().expect("it has one");
    assert!(maker["pid"] == running.0.id() && maker["tid"] != maker["pid"], "the thread that forked: {maker:#}");
    let pid = child["pid"].as_u64().expect("a number") as u32;
    assert!(tid > 0);
    signal(pid, rustix::process::Signal::KILL);
}
