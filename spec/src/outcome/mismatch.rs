//! How an output differs from the reference.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The difference between an output and its reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mismatch {
    /// The output that differs.
    pub output: String,
    /// How many of its elements differ by more than the tolerance.
    pub n_mismatched: u64,
    /// How many elements it has.
    pub n_elements: u64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} elements of `{}` are out of tolerance",
            self.n_mismatched, self.n_elements, self.output
        )
    }
}
