//! The kinds of input a kernel is tried on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the elements of the inputs are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distribution {
    /// The normal distribution of mean 0 and variance 1; integers are uniform within bounds.
    Normal,
    /// Uniform in [-1, 1); integers within bounds.
    Uniform,
    /// Signs at random, magnitudes even in the logarithm over what the dtype holds, up to 2^30:
    /// products of three and their sums stay inside single precision.
    WideRange,
    /// Along the last axis the second half holds the first half's negatives plus small remainders:
    /// sums cancel, across threads too.
    Cancellation,
    /// One element of each row along the last axis is not 0.
    OneHot,
    /// One element in 64 is not 0.
    MostlyZero,
    /// Every element of a tensor is the same.
    Constant,
    /// The last few elements of each row are large and the rest small: a dropped tail shows.
    RaggedTail,
    /// Zeros of both signs, subnormals, neighbours of 1, powers of two, large values.
    EdgeValues,
    /// As edge values, with the largest finite values of the dtype: intermediate results overflow
    /// in single precision, so an honest kernel may fail. Only on request.
    Extremes,
    /// Normal with NaN and infinities among them. Only on request.
    NotFinite,
}

impl Distribution {
    /// Every distribution, in the order in which messages list them.
    pub const ALL: [Self; 11] = [
        Self::Normal,
        Self::Uniform,
        Self::WideRange,
        Self::Cancellation,
        Self::OneHot,
        Self::MostlyZero,
        Self::Constant,
        Self::RaggedTail,
        Self::EdgeValues,
        Self::Extremes,
        Self::NotFinite,
    ];

    /// Those that are tried beside the normal one.
    pub const ALL_HOSTILE: [Self; 7] = [
        Self::WideRange,
        Self::Cancellation,
        Self::OneHot,
        Self::MostlyZero,
        Self::Constant,
        Self::RaggedTail,
        Self::EdgeValues,
    ];

    /// The name used in reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Uniform => "uniform",
            Self::WideRange => "wide-range",
            Self::Cancellation => "cancellation",
            Self::OneHot => "one-hot",
            Self::MostlyZero => "mostly-zero",
            Self::Constant => "constant",
            Self::RaggedTail => "ragged-tail",
            Self::EdgeValues => "edge-values",
            Self::Extremes => "extremes",
            Self::NotFinite => "not-finite",
        }
    }

    /// The distribution of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|distribution| distribution.name() == name)
    }

    /// Whether results may depend on the order of operations far beyond the tolerance, so that the
    /// reference's own sensitivity has to be known before a kernel is blamed.
    pub const fn is_ill_conditioned(self) -> bool {
        matches!(
            self,
            Self::WideRange
                | Self::Cancellation
                | Self::Constant
                | Self::RaggedTail
                | Self::EdgeValues
                | Self::Extremes
        )
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
