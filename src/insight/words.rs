//! Figures in sentences.

use crate::observe::place::Place;

/// A number as people say it.
pub fn number(value: u64) -> String {
    const WORDS: [&str; 10] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    WORDS.get(usize::try_from(value).unwrap_or(usize::MAX)).map_or_else(|| value.to_string(), |word| (*word).to_owned())
}

/// A share as a whole percentage; what is there but rounds to nothing is `<1%`.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        value if value > 0.0 && value < 0.5 => "<1%".to_owned(),
        value => format!("{:.0}%", value.clamp(0.0, 100.0)),
    }
}

/// A mean of so many: one digit after the point below ten, none above.
pub fn mean(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// Bytes as people say them.
pub fn bytes(value: u64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    match value as f64 / MIB {
        mib if mib < 9.95 => format!("{mib:.1} MiB"),
        mib if mib < 1023.5 => format!("{mib:.0} MiB"),
        mib => format!("{:.1} GiB", mib / 1024.0),
    }
}

/// A function with its file and line.
pub type Site<'a> = (&'a str, &'a str, Option<u32>);

/// A place in few words: `render (pdf.py:212)`; of what is the standard library's, who called it, too, and from where:
/// `scan → match (svc.py:31)`.
pub fn place((function, file, line): Site, caller: Option<Site>) -> String {
    let last_name = |function: &str| function.rsplit('.').next().unwrap_or_default().to_owned();
    let site = |file: &str, line: Option<u32>| {
        let file = file.rsplit('/').next().unwrap_or_default();
        line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
    };
    let function = last_name(function);
    match caller {
        Some((caller, file, line)) => format!("{} → {function} ({})", last_name(caller), site(file, line)),
        None => format!("{function} ({})", site(file, line)),
    }
}

/// The same of a place that a look has told.
pub fn place_of(seen: &Place) -> String {
    let caller = seen.caller.as_ref().map(|it| (&*it.function, &*it.file, it.line));
    place((&seen.function, &seen.file, seen.line), caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_standard_library_does_is_told_with_who_asked_for_it() {
        let site = ("Pattern.match", "/usr/lib/python3/re/__init__.py", Some(167));
        assert_eq!(place(site, None), "match (__init__.py:167)");
        assert_eq!(place(site, Some(("Shop.<locals>.scan", "/srv/svc.py", Some(31)))), "scan → match (svc.py:31)");
        assert_eq!(place(("<module>", "a.py", None), None), "<module> (a.py)");
    }

    #[test]
    fn what_is_there_is_never_called_nothing() {
        assert_eq!(percent(0.001), "<1%");
        assert_eq!(percent(0.0), "0%");
        assert_eq!(percent(0.249), "25%");
    }

    #[test]
    fn means_and_bytes_have_the_figures_that_matter() {
        assert_eq!((mean(3.94), mean(9.96), mean(997.4)), ("3.9".into(), "10".into(), "997".into()));
        assert_eq!((bytes(3 << 19), bytes(480 << 20)), ("1.5 MiB".into(), "480 MiB".into()));
        assert_eq!(bytes(3 << 29), "1.5 GiB");
    }
}
