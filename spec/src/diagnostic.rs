//! Errors about text a user wrote: which file, where, which rule, which value, what to try.
//!
//! A [`Diagnostic`] is data. The command line draws it with the source line; `--format json`
//! prints its fields.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A place in a text file. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLocation {
    /// Name of the file as the user knows it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
    /// Length of the marked text in characters, at least 1.
    pub length: u32,
    /// The whole source line, without its line end.
    pub text: String,
}

impl SourceLocation {
    /// Locates a byte range of `source`; a range past the end marks the end.
    pub fn of(file: &str, source: &str, range: Range<usize>) -> Self {
        let clamp = |mut at: usize| {
            at = at.min(source.len());
            while !source.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (clamp(range.start), clamp(range.end.max(range.start)));
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Self {
            file: file.to_owned(),
            line: u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX - 1) + 1,
            column: count(&source[line_start..start]).saturating_add(1),
            length: count(&source[start..end.min(line_end).max(start)]).max(1),
            text: source[line_start..line_end].trim_end_matches('\r').to_owned(),
        }
    }
}

/// One thing wrong with what the user wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable code, `area.rule`, such as `spec.unknown-key`.
    pub code: String,
    /// One lower-case clause that names the rule and the value.
    pub message: String,
    /// Where, when there is a place to point at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<SourceLocation>,
    /// What to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), location: None, hint: None }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, location: SourceLocation) -> Self {
        self.location = Some(location);
        self
    }

    /// Adds what to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.location {
            write!(f, "{}:{}:{}: ", place.file, place.line, place.column)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}
