//! The user's own calibration: `gilscope/calibration.toml` in the configuration directory (`$XDG_CONFIG_HOME`, else
//! `~/.config`).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::Calibration;

/// Its name in the configuration directory.
const FILE: &str = "gilscope/calibration.toml";

/// The largest that is read: a real one is a tenth of it.
const LONGEST: u64 = 64 << 10;

/// Why there is no calibration to use, or none can be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Neither a home nor a configuration directory.
    #[error("there is no place for a configuration: set HOME or XDG_CONFIG_HOME")]
    NoPlace,
    /// It is there and cannot be read.
    #[error("the calibration {} cannot be read: {why}; remove it, or run with --bare", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// It is no calibration.
    #[error(
        "the calibration {} is damaged: {why}; measure anew with `gilscope calibrate`, or remove it, or run with --bare",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is one, with other figures than this build knows.
    #[error("the calibration {} was kept by another build of gilscope: {why}", path.display())]
    Other {
        /// Which file.
        path: PathBuf,
        /// What is missing, or what is too much.
        why: String,
    },
    /// It cannot be written.
    #[error("the calibration cannot be kept in {}: {why}; make that writable, or set XDG_CONFIG_HOME", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
}

/// Where it is kept, whether it is there or not.
pub fn path() -> Result<PathBuf, KeptError> {
    let base = etcetera::choose_base_strategy().map_err(|_| KeptError::NoPlace)?;
    Ok(base.config_dir().join(FILE))
}

/// The one to use, and what a person must be told of it, if anything.
pub struct Current {
    /// Whose figures are used.
    pub calibration: Calibration,
    /// That the user's own is not, and why.
    pub note: Option<String>,
}

/// The one to use: the user's own, else the one that comes along. One that is there but damaged is refused, since
/// figures of another start-up than the one asked for would look just like the right ones. One that another build of
/// gilscope has kept is none the less a good one: it is left out, and that is said.
pub fn current() -> Result<Current, KeptError> {
    let built_in = |note| Current { calibration: Calibration::built_in(), note };
    let Ok(path) = path() else { return Ok(built_in(None)) };
    match read(&path) {
        Ok(Some(calibration)) => Ok(Current { calibration, note: None }),
        Ok(None) => Ok(built_in(None)),
        Err(KeptError::Other { path, why }) => Ok(built_in(Some(format!(
            "the calibration {} was kept by another build of gilscope ({why}), so the figures that come along are used; \
             `gilscope calibrate` measures anew",
            path.display()
        )))),
        Err(error) => Err(error),
    }
}

/// The one to use where whose figures are used stands beside whatever is shown: one that cannot be read is left out, and
/// that is said.
pub fn readable() -> Current {
    current().unwrap_or_else(|error| Current {
        calibration: Calibration::built_in(),
        note: Some(format!("{error}; until then the figures that come along are used")),
    })
}

/// What is kept in a file; none if there is no such file.
fn read(path: &Path) -> Result<Option<Calibration>, KeptError> {
    let unreadable = |why| KeptError::Unreadable { path: path.to_owned(), why };
    let damaged = |why: String| KeptError::Damaged { path: path.to_owned(), why };
    let bytes = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(damaged("it is no file".to_owned())),
        Ok(metadata) if metadata.len() > LONGEST => {
            return Err(damaged(format!("{} bytes are too many", metadata.len())));
        }
        Ok(_) => fs::read(path).map_err(unreadable)?,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    };
    let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    let other = |why: String| match Calibration::is_of_another_build(&text) {
        true => KeptError::Other { path: path.to_owned(), why },
        false => damaged(why),
    };
    let read = Calibration::read(&text).map_err(other)?;
    Ok(Some(Calibration { file: Some(path.to_owned()), ..read }))
}

/// Whether one could be kept there: told before anything is measured for it. Makes the directory.
pub fn check(path: &Path) -> Result<(), KeptError> {
    prepare(path).map(drop).map_err(|why| KeptError::Unwritable { path: path.to_owned(), why })
}

/// Keeps it, whole or not at all.
pub fn write(path: &Path, calibration: &Calibration) -> Result<(), KeptError> {
    let unwritable = |why| KeptError::Unwritable { path: path.to_owned(), why };
    let text = toml::to_string(calibration).map_err(|error| unwritable(io::Error::other(error)))?;
    let mut file = prepare(path).map_err(unwritable)?;
    let head = "# What a CPython spends to start a worker, measured by `gilscope calibrate`. Remove it to go back to the\n\
                # figures that come with gilscope.\n";
    file.write_all(head.as_bytes()).and_then(|()| file.write_all(text.as_bytes())).map_err(unwritable)?;
    file.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

/// A file beside it, which takes its name in the end and vanishes otherwise.
fn prepare(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    tempfile::NamedTempFile::new_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_used_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(read(&path).unwrap().is_none());
        let calibration = Calibration { python: "3.99.1".to_owned(), ..Calibration::built_in() };
        check(&path).unwrap();
        assert!(read(&path).unwrap().is_none(), "looking whether it could be kept keeps nothing");
        write(&path, &calibration).unwrap();
        let found = read(&path).unwrap().unwrap();
        assert_eq!((found.name().as_str(), found.file.as_deref()), ("CPython 3.99.1", Some(path.as_path())));
        assert_eq!(found.costs, calibration.costs);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn one_that_another_build_kept_is_told_from_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibration.toml");
        let whole = toml::to_string(&Calibration::built_in()).unwrap();
        let imports = whole.find("[costs.imports]").expect("it has them");
        let older = whole[..imports].to_owned();
        let newer = whole.replacen("[costs.imports]", "[costs.imports]\nscipy_ns = 7", 1);
        for text in [older, newer] {
            fs::write(&path, &text).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, KeptError::Other { .. }), "{error}: {text}");
        }
        // What is no figure is no figure of another build's.
        fs::write(&path, whole.replacen("init_ns = ", "init_ns = \"much\" #", 1)).unwrap();
        assert!(matches!(read(&path).unwrap_err(), KeptError::Damaged { .. }));
    }

    #[test]
    fn a_damaged_one_is_refused_with_its_path_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibration.toml");
        for bytes in [&b"python = "[..], b"\xff\xfe", b"", &[b'#'; 100_000]] {
            fs::write(&path, bytes).unwrap();
            let said = read(&path).unwrap_err().to_string();
            assert!(said.contains(&*path.to_string_lossy()) && said.contains("gilscope calibrate"), "{said}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("no file"));
        assert!(check(&path).unwrap_err().to_string().contains("cannot be kept"));
    }
}
