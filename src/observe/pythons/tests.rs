use super::*;

#[test]
fn an_interpreter_says_what_it_is_in_four_words() {
    let said = parse("3.13.0 cpython 1 0\n").unwrap();
    assert_eq!((said.version.as_str(), said.free_threaded, said.gil), ("3.13.0", true, false));
    assert_eq!(parse("3.13.0"), None);
    assert!(matches!(ask(Path::new("/no/such/python3")), Err(Silence::Refused(_))));
}

#[test]
fn only_what_certainly_cannot_be_observed_is_objected_to() {
    let said = |version: &str, implementation: &str| {
        let (version, implementation) = (version.to_owned(), implementation.to_owned());
        Said { version, implementation, free_threaded: false, gil: true }.objection()
    };
    assert_eq!((said("3.9.1", "cpython"), said("3.16.0a1", "cpython")), (None, None), "newer ones in part");
    assert_eq!(said("3.8.18", "cpython"), None, "older ones, too");
    assert_eq!(said("3.10.13", "pypy").as_deref(), Some("it is pypy 3.10.13, not CPython"));
    assert_eq!(objection(Path::new("/no/such/python3")), None, "that is found out by whoever executes it");
}

#[test]
fn only_of_what_is_older_than_all_we_know_the_lock_is_certainly_not_seen() {
    let hides = |version: &str, implementation: &str| {
        let (version, implementation) = (version.to_owned(), implementation.to_owned());
        Said { version, implementation, free_threaded: false, gil: true }.hides_its_lock()
    };
    assert!(hides("3.8.18", "cpython").is_some_and(|why| why.contains("it is Python 3.8.18") && why.contains("lock")));
    assert_eq!((hides("3.9.1", "cpython"), hides("3.16.0", "cpython"), hides("3.8.1", "pypy")), (None, None, None));
}

#[test]
fn the_newest_is_a_cpython_we_know_rather_with_a_gil() {
    let python = |path: &str, version: &str, implementation: &str, gil: bool| Installed {
        path: path.into(),
        by: "PATH",
        said: Ok(Said {
            version: version.to_owned(),
            implementation: implementation.to_owned(),
            free_threaded: !gil,
            gil,
        }),
    };
    let silent = Installed { said: Err("it does not answer".to_owned()), ..python("z", "3.14.0", "cpython", true) };
    let found = vec![
        python("a", "3.9.18", "cpython", true),
        python("b", "3.13.0", "cpython", false),
        python("c", "3.13.0", "cpython", true),
        python("d", "3.13.0", "cpython", true),
        python("e", "3.8.1", "cpython", true),
        python("f", "3.14.0", "pypy", true),
        silent,
    ];
    assert_eq!(newest(found), Some("c".into()));
    assert_eq!(newest(Vec::new()), None);
}

#[test]
fn only_interpreters_are_taken_for_some() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["python3", "python3.12", "python3.13t", "python3-config", "python3.12-config", "python2"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let names: Vec<_> = interpreters(folder.path()).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["python3", "python3.12", "python3.13t"]);
}
