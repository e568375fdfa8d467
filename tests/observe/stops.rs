//! Processes that are stopped and go on.

use super::*;

#[test]
fn a_process_that_is_stopped_holds_nothing_waits_for_nothing_and_is_said_to_be_stopped() {
    let Some(python) = python() else { return };
    for records in [true, false] {
        let mut running =
            Command::new(&python).args(["-c", TURNS, "60"]).stdin(Stdio::null()).spawn().expect("it starts");
        let pid = running.id();
        std::thread::sleep(Duration::from_millis(300));
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1500));
            signal(pid, rustix::process::Signal::STOP);
            std::thread::sleep(Duration::from_millis(1500));
            signal(pid, rustix::process::Signal::CONT);
        });
        let number = pid.to_string();
        let args = ["attach", &number, "--json", "--for", "4s"];
        let output = if records { Some(gilscope(&args)) } else { refused(298, &args) };
        stopper.join().expect("it stops and continues it");
        running.kill().and_then(|()| running.wait()).expect("it is our child");
        let Some(output) = output else { return };
        let report = json(&output);
        sound(&report);
        let alarm = &report["observer"]["alarms"][0];
        let text = alarm["text"].as_str().unwrap_or_default();
        assert!(text.contains(&format!("process {pid} was stopped by ")) && text.contains("continued"), "{report:#}");
        let stopped = nanos(&alarm["until"]) - nanos(&alarm["at"]);
        assert!((1.3e9..2.0e9).contains(&stopped), "on the run's own clock: {alarm}");
        assert!(nanos(&alarm["until"]) < nanos(&report["elapsed_ns"]), "{alarm}");
        for lane in lanes(&report) {
            let told = state(lane, "stopped");
            assert!((told - stopped).abs() < 0.2e9, "{told} of {stopped}: {lane:#}");
        }
        let lock = &report["locks"][0];
        assert!(nanos(&lock["hold_ns"]["max"]) < 0.8e9, "a stop is no hold: {lock:#}");
        assert!(nanos(&lock["wait_ns"]["max"]) < 0.8e9, "nor a wait: {lock:#}");
        let told = nanos(&lock["held_ns"]) + nanos(&lock["free_ns"]);
        assert!(told < nanos(&report["elapsed_ns"]) - 0.9 * stopped, "{lock:#}");
        let blamed: f64 = report["blame"].as_array().expect("a list").iter().map(|it| nanos(&it["ns"])).sum();
        let waited: f64 = lanes(&report).iter().map(|lane| state(lane, "waiting_gil")).sum();
        assert!(blamed <= waited * 1.01 + 1e6, "{blamed} of {waited}");
    }
}

#[test]
fn one_that_is_stopped_when_it_is_attached_to_is_said_to_be() {
    let Some(python) = python() else { return };
    let mut running = Command::new(&python).args(["-c", TURNS, "60"]).stdin(Stdio::null()).spawn().expect("it starts");
    let pid = running.id();
    std::thread::sleep(Duration::from_millis(300));
    // Not SIGTSTP: where nobody controls the terminal, the kernel ignores it.
    signal(pid, rustix::process::Signal::STOP);
    std::thread::sleep(Duration::from_millis(100));
    let output = gilscope(&["attach", &pid.to_string(), "--json", "--for", "600ms"]);
    let table = gilscope(&["attach", &pid.to_string(), "--for", "300ms"]);
    running.kill().and_then(|()| running.wait()).expect("it is our child");
    let report = json(&output);
    sound(&report);
    assert_eq!(report["observer"]["stopped"], serde_json::json!([pid]), "{report:#}");
    let text = report["observer"]["alarms"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("is stopped by ") && text.contains(&format!("kill -CONT {pid}")), "{report:#}");
    for lane in lanes(&report) {
        assert!(state(lane, "stopped") > 0.8 * nanos(&report["elapsed_ns"]), "{lane:#}");
    }
    assert!(nanos(&report["locks"][0]["held_ns"]) < 0.2 * nanos(&report["elapsed_ns"]), "{report:#}");
    // Nothing was before.
    let said = String::from_utf8_lossy(&table.stdout);
    assert!(said.contains(&format!("\n! process {pid} is stopped by ")), "{said}");
}
