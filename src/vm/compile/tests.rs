//! What is refused, and that nothing else happens to garbage.

use proptest::prelude::*;

use super::compile;

fn refused(source: &str) -> String {
    compile(source, "mytask.py").err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn what_is_outside_is_named_with_its_place_and_a_way_out() {
    for (source, expected) in [
        (
            "x = 1\n\n  \nclass A:\n    pass\n",
            "mytask.py:4:1: a class statement is outside the miniature's Python; write functions only",
        ),
        (
            "x = {1, 2}\n",
            "mytask.py:1:5: a set is outside the miniature's Python; use a dict whose values are True, or a list",
        ),
        (
            "import random\n",
            "mytask.py:1:8: the module random is outside the miniature's Python; there is asyncio, hashlib, http.client, math, numpy, queue, socket, threading, time, urllib.error, urllib.request, zlib",
        ),
        (
            "import urllib\n",
            "import urllib is outside the miniature's Python; import urllib.request or import urllib.error",
        ),
        ("import urllib.request\nurllib.parse\n", "mytask.py:2:8: urllib.parse is outside"),
        ("import urllib.robotparser\n", "mytask.py:1:8: the module urllib.robotparser is outside"),
        ("from time import tzset\n", "mytask.py:1:18: time.tzset is outside"),
        ("import time\ntime.tzset()\n", "mytask.py:2:6: time.tzset is outside"),
        ("x = 'a\\ud800'\n", "mytask.py:1:5: half of a surrogate pair is outside"),
        ("x = f'{1}\\udfff'\n", "half of a surrogate pair is outside"),
        ("f = lambda x: x\n", "mytask.py:1:5: lambda is outside"),
        ("open('x')\n", "mytask.py:1:1: the builtin open is outside"),
        ("def f(*args):\n    pass\n", "mytask.py:1:7: the parameter *args is outside"),
        ("def f():\n    def g():\n        pass\n", "mytask.py:2:9: a function inside a function is outside"),
        ("def f():\n    yield 1\n", "mytask.py:2:5: yield is outside"),
        ("print('%d' % 1)\n", "mytask.py:1:7: formatting with % is outside"),
        ("x.frobnicate()\n", "mytask.py:1:3: the attribute frobnicate is outside"),
        ("@f\ndef g():\n    pass\n", "mytask.py:1:1: a decorator is outside"),
        ("def f(:\n", "mytask.py:1:7: syntax error: "),
        ("return 1\n", "mytask.py:1:1: syntax error: 'return' outside function"),
        ("break\n", "mytask.py:1:1: syntax error: 'break' outside loop"),
        ("x = 'é' + (\n", "mytask.py:2:1: syntax error: "),
        ("if x:\n\ty\n        z\n", "syntax error"),
    ] {
        let error = refused(source);
        assert!(error.contains(expected), "{source:?}: {error}");
    }
}

#[test]
fn nesting_without_end_is_refused_before_anything_recurses_over_it() {
    let deep = 50_000;
    for source in [
        "(".repeat(deep),
        format!("x = {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("x = {}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!("x = {}1", "-".repeat(deep)),
        format!("x = {}1", "not ".repeat(deep)),
        format!("x = {}1", "1 + ".repeat(deep)),
        format!("x = {}1", "2 ** ".repeat(deep)),
        format!("x = {}1", "1 if 1 else ".repeat(deep)),
        format!("x = f{}", "()".repeat(deep)),
        format!("x = f{}", ".a".repeat(deep)),
        format!("x = {}1", "lambda: ".repeat(deep)),
        format!("x = {}1{}", "f(a, ".repeat(deep), ")".repeat(deep)),
        (0..300).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect::<String>() + &" ".repeat(300) + "pass\n",
    ] {
        let error = refused(&source);
        assert!(error.contains("nesting this deep") || error.contains("syntax error"), "{error}");
    }
    // Long is not deep.
    let long = format!("x = [{}]\ny = 1{}\n", "1, ".repeat(20_000), " + 1".repeat(500));
    assert_eq!(refused(&long), "");
    let branches: String = (0..5000).map(|i| format!("elif x == {i}:\n    x += 1\n")).collect();
    assert_eq!(refused(&format!("x = 0\nif x == -1:\n    pass\n{branches}")), "");
}

const PROGRAM: &str = include_str!("../../../tests/differential/programs.py");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn garbage_is_refused_but_never_panics(source: String) {
        prop_assert!(!refused(&source).contains("please report"));
    }

    #[test]
    fn words_in_any_order_are_compiled_or_refused(words in proptest::collection::vec(proptest::sample::select(vec![
        "def f(a, b=1):", "    ", "\n", "if x:", "else:", "for i in range(3):", "while x:", "try:", "except ValueError as e:",
        "finally:", "with x:", "return", "break", "continue", "x", "=", "+", "(", ")", "[", "]", "{", "}", ":", ",", "1", "'a'",
        "f'{x}'", "lambda", "not", "in", "is", "and", "or", "raise", "assert", "global x", "import time", "del x", "pass", "*", "**",
        "async", "await", "yield", ".", "class A:", ";", "\\", "#", "\t", ":=", "->", "@", "match x:", "case 1:",
    ]), 0..40)) {
        prop_assert!(!refused(&words.join(" ")).contains("please report"));
        prop_assert!(!refused(&words.concat()).contains("please report"));
    }

    #[test]
    fn a_damaged_program_is_compiled_or_refused(at: prop::sample::Index, len in 0usize..40, with in "[ -~\n]{0,6}") {
        let at = at.index(PROGRAM.len());
        let end = (at + len).min(PROGRAM.len());
        if PROGRAM.is_char_boundary(at) && PROGRAM.is_char_boundary(end) {
            let damaged = format!("{}{with}{}", &PROGRAM[..at], &PROGRAM[end..]);
            prop_assert!(!refused(&damaged).contains("please report"));
        }
    }
}

#[test]
fn what_asyncio_offers_is_told_without_what_only_refuses() {
    let error = refused("import asyncio\nasyncio.frobnicate()\n");
    assert!(error.contains("of asyncio there is") && error.contains("gather") && !error.contains(" run,"), "{error}");
    assert_eq!(refused("x = '\u{fffd}', r'\\ud800', '\\\\ud800'\n"), "");
}
