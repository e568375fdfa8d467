//! The python3 that tests compare with.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A `python3` of at least 3.11, if there is one. Without one the caller skips, visibly; with
/// `GILSCOPE_REQUIRE_PYTHON=1` that is a failure.
pub fn python3() -> Option<PathBuf> {
    let found = ["python3", "python3.13", "python3.12", "python3.11"].into_iter().map(PathBuf::from).find(|python| {
        let recent = "import sys; sys.exit(sys.version_info < (3, 11))";
        let status = Command::new(python).args(["-c", recent]).stdin(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    });
    if found.is_none() {
        assert!(std::env::var_os("GILSCOPE_REQUIRE_PYTHON").is_none_or(|it| it != "1"), "no python3 found");
        eprintln!("skipped: no python3 found");
    }
    found
}

/// Runs a script with this on its standard input, and returns what it printed.
pub fn run_python(python: &PathBuf, script: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(python)
        .args(["-c", script])
        // What a test asks of this machine is not to be asked of a proxy.
        .env("no_proxy", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it ran a moment ago");
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut stdout = child.stdout.take().expect("it is piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let reader = std::thread::spawn(move || {
        let mut printed = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut printed).map(|_| printed)
    });
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().expect("it is our child").is_none() {
        if Instant::now() > end {
            let _ = child.kill();
            panic!("python3 ran for more than a minute");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    writer.join().expect("it does not panic").expect("python3 reads its input");
    reader.join().expect("it does not panic").expect("a pipe can be read")
}
