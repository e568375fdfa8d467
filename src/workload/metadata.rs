//! The metadata block: comments in the manner of PEP 723, TOML inside.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ArgKind, ArgValue, Bound};

/// What the block may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    pub title: Option<String>,
    pub bound: Option<Bound>,
    pub watch: Option<String>,
    #[serde(default)]
    pub arguments: BTreeMap<String, Described>,
}

/// What it may say of an argument.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Described {
    pub help: Option<String>,
    #[serde(default)]
    pub kind: ArgKind,
    pub default: Option<ArgValue>,
    pub min: Option<ArgValue>,
    pub max: Option<ArgValue>,
    #[serde(default)]
    pub size: bool,
}

const OPEN: &str = "# /// gilscope";
const CLOSE: &str = "# ///";

/// The block of a source; an empty one where there is none. The error is a line and a sentence.
pub(super) fn read(source: &str) -> Result<Metadata, (usize, String)> {
    let mut lines = source.lines().enumerate().skip_while(|(_, line)| line.trim_end() != OPEN);
    let Some((first, _)) = lines.next() else { return Ok(Metadata::default()) };
    let mut text = String::new();
    for (number, line) in lines {
        if line.trim_end() == CLOSE {
            return toml::from_str(&text).map_err(|error: toml::de::Error| {
                let before = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
                (first + before + 2, error.message().to_owned())
            });
        }
        let content = line.strip_prefix("# ").or_else(|| line.strip_prefix('#'));
        let Some(content) = content else {
            return Err((number + 1, format!("the block begun with `{OPEN}` is not closed with `{CLOSE}`")));
        };
        text.push_str(content);
        text.push('\n');
    }
    Err((first + 1, format!("the block begun with `{OPEN}` is not closed with `{CLOSE}`")))
}
