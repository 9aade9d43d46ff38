//! Outcomes of evaluating a candidate.

mod finding;

pub use finding::{Finding, FindingKind, PtxInstruction, SourceLine};
