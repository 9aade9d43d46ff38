//! The one error of the PTX reader.

use thiserror::Error;

/// PTX text that cannot be read, with the line at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct PtxError {
    /// Line of the PTX text, from 1.
    pub line: u32,
    /// What kind of fault it is; stable, for machines.
    pub code: PtxErrorCode,
    /// One lower-case clause that names the subject.
    pub message: String,
}

/// The kinds of fault a PTX text can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PtxErrorCode {
    /// The text does not follow the grammar.
    Syntax,
    /// A register, label, variable or function that nothing declares.
    Undeclared,
    /// A name declared twice in one scope.
    Redeclared,
    /// A number that does not fit, or an array too large to lay out.
    Range,
    /// A limit of the reader: too many registers, too deep a nesting.
    Limit,
    /// A directive the reader does not know.
    Directive,
}

impl PtxErrorCode {
    /// The stable text of the code, `ptx.<kind>`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PtxErrorCode::Syntax => "ptx.syntax",
            PtxErrorCode::Undeclared => "ptx.undeclared",
            PtxErrorCode::Redeclared => "ptx.redeclared",
            PtxErrorCode::Range => "ptx.range",
            PtxErrorCode::Limit => "ptx.limit",
            PtxErrorCode::Directive => "ptx.directive",
        }
    }
}

impl PtxError {
    pub(super) fn new(line: u32, code: PtxErrorCode, message: impl Into<String>) -> Self {
        PtxError { line, code, message: message.into() }
    }
}
