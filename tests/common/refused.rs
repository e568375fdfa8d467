//! What the program refuses before any work, and in which words.

use std::process::Output;

/// Each of these command lines ends with status 2, says the words beside it, and prints no result.
pub fn all_are_refused(gilscope: impl Fn(&[&str]) -> Output, cases: &[(&[&str], &str)]) {
    for (args, words) in cases {
        let output = gilscope(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?} does not say {words:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?} prints a result");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
}
