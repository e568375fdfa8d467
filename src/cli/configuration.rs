//! What a user keeps: `gilscope/config.toml` in the configuration directory (`$XDG_CONFIG_HOME`, else `~/.config`).
//!
//! Whatever it says, the environment and the command line say it louder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use color_eyre::eyre::Result;
use etcetera::BaseStrategy;
use serde::Deserialize;

use crate::app::Wording;

use super::refuse;

/// Its name in the configuration directory.
const FILE: &str = "gilscope/config.toml";

/// What can be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Configuration {
    /// In which words the screen speaks: `plain` or `kitchen`.
    pub(super) wording: Option<Wording>,
}

impl Configuration {
    /// The user's; nothing is kept where there is no file, or no place for one.
    pub(super) fn read() -> Result<Configuration> {
        let Ok(base) = etcetera::choose_base_strategy() else { return Ok(Configuration::default()) };
        let path: PathBuf = base.config_dir().join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Configuration::parse(&path, &text).map_err(refuse),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Configuration::default())
            }
            Err(error) => Err(refuse(format!("the configuration {} cannot be read: {error}", path.display()))),
        }
    }

    /// From its text. The error says what is wrong with which line, and what there is.
    fn parse(path: &Path, text: &str) -> Result<Configuration, String> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
            format!(
                "the configuration {} is not understood, line {}: {}; it may say wording = \"kitchen\" or \"plain\"",
                path.display(),
                before + 1,
                error.message().replace('\n', " ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wording_is_read_and_what_is_not_understood_is_told_with_its_line() {
        let read = |text: &str| Configuration::parse(Path::new("c.toml"), text);
        assert_eq!(read("wording = \"kitchen\"\n").unwrap().wording, Some(Wording::Kitchen));
        assert_eq!(read("# nothing\n").unwrap(), Configuration::default());
        for text in ["\nwording = \"cellar\"", "\nwordin = \"plain\"", "\nwording = 3", "\nwording ="] {
            let said = read(text).unwrap_err();
            assert!(said.starts_with("the configuration c.toml is not understood, line 2: "), "{text}: {said}");
        }
    }
}
