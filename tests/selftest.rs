//! `gilscope selftest` against a real interpreter: what it says must follow from the figures it shows.

#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "common/python.rs"]
mod python;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn selftest(args: &[&str]) -> Output {
    let mut gilscope = Command::new(env!("CARGO_BIN_EXE_gilscope"));
    gilscope.arg("selftest").args(args).stdin(Stdio::null()).output().expect("the program runs")
}

#[test]
fn known_programs_are_seen_as_they_report_themselves_and_the_status_says_whether() {
    let Some(python) = python::python3() else { return };
    let output = selftest(&["--json", "--python", &python.to_string_lossy()]);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(report["schema"], "gilscope.selftest/1");
    let programs = report["programs"].as_array().expect("there are programs");
    let ids: Vec<&str> = programs.iter().filter_map(|program| program["id"].as_str()).collect();
    assert_eq!(ids, ["two", "four", "sleeper", "convoy", "short", "native", "retake"]);
    let mut within = report["sees"] != "not_at_all";
    for program in programs {
        within &= program["unknown"].as_f64().is_some_and(|unknown| unknown <= 0.2);
        for finding in program["findings"].as_array().expect("each was compared") {
            let number = |key: &str| finding[key].as_f64().expect("it is a number");
            assert_eq!(finding["within"], number("error") <= number("tolerance"), "{finding}");
            within &= finding["within"] == true;
            // Wherever it is seen at all, it is seen roughly, however busy the machine.
            assert!(number("reported") > 0.0, "{program:#}");
            assert!(report["sees"] == "not_at_all" || number("error") < 0.5, "{program:#}");
        }
    }
    assert!(programs.iter().all(|program| program["findings"].as_array().is_some_and(|rows| !rows.is_empty())));
    assert_eq!(report["within"], within);
    assert_eq!(output.status.code(), Some(i32::from(!within)), "{report:#}");
}

#[test]
fn without_a_python_it_is_refused() {
    for (python, words) in [("no-such-python", "--python"), ("/bin/true", "it printed nothing")] {
        let output = selftest(&["--python", python]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && output.stdout.is_empty(), "{said}");
    }
}
