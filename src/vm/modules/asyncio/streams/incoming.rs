//! What has come and was not read yet, and how much of it whoever reads wants.

use crate::vm::exception::{Kind, Raised, value_error};

/// How far a reader looks for a separator (`_DEFAULT_LIMIT`).
const LIMIT: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Incoming {
    pub(super) bytes: Vec<u8>,
    pub(super) ended: bool,
}

/// How much is to be read.
pub(super) enum Until {
    /// What there is, so many bytes at most; none: everything up to the end.
    Most(Option<usize>),
    Exactly(usize),
    /// With the separator.
    Separator(Vec<u8>),
    /// A line, or what there is of one at the end.
    Line,
}

impl Incoming {
    /// What was asked for, if it is here.
    pub(super) fn take(&mut self, until: &Until) -> Option<Result<Vec<u8>, Raised>> {
        let length = match until {
            Until::Most(Some(0)) => 0,
            Until::Most(Some(most)) if !self.bytes.is_empty() => self.bytes.len().min(*most),
            Until::Exactly(count) if self.bytes.len() >= *count => *count,
            Until::Separator(separator) => match find(&self.bytes, separator) {
                Some(at) => at + separator.len(),
                None if self.ended => return Some(Err(self.incomplete("undefined"))),
                None if self.bytes.len() > LIMIT => {
                    return Some(Err(value_error("Separator is not found, and chunk exceed the limit")));
                }
                None => return None,
            },
            Until::Line => match find(&self.bytes, b"\n") {
                Some(at) => at + 1,
                None if self.ended => self.bytes.len(),
                None if self.bytes.len() > LIMIT => {
                    self.bytes.clear();
                    return Some(Err(value_error("Separator is not found, and chunk exceed the limit")));
                }
                None => return None,
            },
            Until::Exactly(count) if self.ended => return Some(Err(self.incomplete(&count.to_string()))),
            Until::Most(_) if self.ended => self.bytes.len(),
            Until::Most(_) | Until::Exactly(_) => return None,
        };
        let rest = self.bytes.split_off(length);
        Some(Ok(std::mem::replace(&mut self.bytes, rest)))
    }

    fn incomplete(&mut self, expected: &str) -> Raised {
        let partial = std::mem::take(&mut self.bytes);
        let text = format!("{} bytes read on a total of {expected} expected bytes", partial.len());
        Kind::IncompleteReadError.raise(text)
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
