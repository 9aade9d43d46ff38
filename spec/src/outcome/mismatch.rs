//! How an output differs from the reference: how much, how many, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::number;
use crate::dtype::Dtype;
use crate::math::round_to;

/// The difference between an output and its reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mismatch {
    /// The output that differs.
    pub output: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its axes with their lengths, outermost first.
    pub axes: Vec<AxisLength>,
    /// How many of the compared elements differ by more than the tolerance.
    pub n_mismatched: u64,
    /// How many elements were compared: the written ones, where only some blocks ran.
    pub n_compared: u64,
    /// How many elements the output has.
    pub n_elements: u64,
    /// Elements that are NaN and should be a number.
    pub n_nan: u64,
    /// Elements that are infinite and should be finite, or are the wrong infinity.
    pub n_infinite: u64,
    /// The tolerance that was exceeded.
    pub tolerance: ToleranceUsed,
    /// The inputs that show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<InputsUsed>,
    /// The first wrong element in memory order.
    pub first: ElementError,
    /// The element with the largest error for its tolerance.
    pub worst: ElementError,
    /// How the errors of all compared elements spread.
    pub errors: ErrorDistribution,
    /// Where the wrong elements are.
    pub region: Region,
    /// What it looks like, where it looks like something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resembles: Option<Resemblance>,
}

/// One axis of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisLength {
    /// Name, as the spec has it; `axis 0` and so on for an axis without one.
    pub name: String,
    /// Elements along it.
    pub length: u64,
}

/// The tolerance of a comparison. An element fails only where both bounds are exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToleranceUsed {
    /// Bound of the absolute error.
    pub absolute: f64,
    /// Bound of the error divided by the magnitude of the expected value.
    pub relative: f64,
    /// Share of the compared elements that must be within bounds, 0 to 1.
    pub matched_ratio: f64,
}

/// Which inputs were used: enough to make them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputsUsed {
    /// Name of the distribution, or `golden`.
    pub distribution: String,
    /// Seed.
    pub seed: u64,
}

/// One element and its error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ElementError {
    /// Its index, one number for each axis.
    pub index: Vec<u64>,
    /// What the kernel wrote.
    #[serde(with = "number")]
    pub got: f64,
    /// What the reference has.
    #[serde(with = "number")]
    pub expected: f64,
    /// Magnitude of the difference; infinite where a NaN or an infinity is on one side only.
    #[serde(with = "number")]
    pub absolute: f64,
    /// The same divided by the magnitude of the expected value.
    #[serde(with = "number")]
    pub relative: f64,
}

/// Errors of all compared elements, each divided by what the tolerance allows there: up to 1 is
/// within bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorDistribution {
    /// Elements that are exactly right.
    pub n_exact: u64,
    /// Elements by decade of the ratio, ascending; decades without elements are left out.
    pub decades: Vec<ErrorDecade>,
    /// Half of the elements have at most this ratio.
    #[serde(with = "number")]
    pub median: f64,
    /// 90 % of the elements have at most this ratio.
    #[serde(with = "number")]
    pub p90: f64,
    /// 99 % of the elements have at most this ratio.
    #[serde(with = "number")]
    pub p99: f64,
    /// The largest ratio.
    #[serde(with = "number")]
    pub max: f64,
}

/// The elements whose ratio `r` has `10^decade ≤ r < 10^(decade+1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDecade {
    /// The decade. The least also holds everything below it, the greatest everything above it and
    /// NaN.
    pub decade: i32,
    /// How many elements.
    pub n: u64,
}

/// Where the wrong elements are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Least index of a wrong element along each axis.
    pub lower: Vec<u64>,
    /// Greatest index of a wrong element along each axis.
    pub upper: Vec<u64>,
    /// What singles out the wrong indices along each axis.
    pub patterns: Vec<AxisPattern>,
    /// Share of the compared elements there that are wrong, above 0 and up to 1.
    pub density: f64,
    /// The same as a clause: `all elements with cols >= 4089 (the last 7)`.
    pub sentence: String,
}

/// Which indices of an axis hold wrong elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AxisPattern {
    /// Nothing singles them out.
    Any,
    /// One index.
    Single {
        /// The index.
        index: u64,
    },
    /// A run that begins with the axis.
    First {
        /// Its length.
        n: u64,
    },
    /// A run that ends with the axis.
    Last {
        /// Its length.
        n: u64,
    },
    /// A run inside.
    Range {
        /// First index.
        from: u64,
        /// Last index, inclusive.
        to: u64,
    },
    /// Indices whose remainder lies in a range.
    Residues {
        /// The modulus.
        modulus: u64,
        /// Least remainder.
        from: u64,
        /// Greatest remainder, inclusive.
        to: u64,
    },
}

/// A well-known kind of wrong output that this one looks like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Resemblance {
    /// The wrong elements still hold what was there before the launch.
    Unwritten,
    /// The wrong elements are all 0.
    Zero,
    /// The wrong elements are all NaN.
    NotANumber,
    /// The wrong elements are the expected ones times a constant.
    Factor {
        /// The constant.
        #[serde(with = "number")]
        factor: f64,
    },
    /// The wrong elements are the expected ones plus a constant.
    Offset {
        /// The constant.
        #[serde(with = "number")]
        offset: f64,
    },
    /// The last two axes are exchanged.
    Transposed,
    /// Each wrong element holds what belongs some places further on.
    Shifted {
        /// Along which axis.
        axis: String,
        /// How many places; negative for values that belong before.
        by: i64,
    },
    /// All wrong elements hold one and the same value.
    Constant {
        /// The value.
        #[serde(with = "number")]
        value: f64,
    },
}

impl Mismatch {
    /// What to try, as a sentence; `None` where the error resembles nothing well known.
    pub fn hint(&self) -> Option<String> {
        let unheld = [&self.first, &self.worst].into_iter().find(|error| !self.holds(error));
        match (unheld, &self.resembles) {
            (_, Some(Resemblance::Unwritten)) | (None, _) => {
                self.resembles.as_ref().map(ToString::to_string)
            }
            (Some(error), _) => Some(format!(
                "`{}` is {}, which cannot hold {}: the reference must round it, or `cast` it",
                self.output,
                self.dtype,
                Rounded(error.expected)
            )),
        }
    }

    /// Whether an output of whole numbers can hold what is expected of it; one of real numbers
    /// comes near whatever it is.
    fn holds(&self, error: &ElementError) -> bool {
        self.dtype.is_float()
            || (round_to(self.dtype, error.expected) - error.expected).abs() <= 0.0
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} elements", self.n_mismatched, self.n_compared)?;
        if self.n_compared < self.n_elements {
            f.write_str(" that were written")?;
        }
        let verb = if self.n_mismatched == 1 { "is" } else { "are" };
        write!(f, " of `{}` {verb} out of tolerance: {}", self.output, self.region.sentence)?;
        write!(f, "; the worst is {}", self.worst)?;
        if let Some(inputs) = &self.inputs {
            write!(f, " (`{}` inputs, seed {})", inputs.distribution, inputs.seed)?;
        }
        Ok(())
    }
}

impl fmt::Display for ElementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}, expected {}", Rounded(self.got), self.index, Rounded(self.expected))
    }
}

impl fmt::Display for Resemblance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwritten => f.write_str(
                "the wrong elements hold what was there before the launch: nothing writes them",
            ),
            Self::Zero => f.write_str("the wrong elements are all 0"),
            Self::NotANumber => f.write_str(
                "the wrong elements are all NaN: look for 0/0, inf - inf, or a root or logarithm \
                 of a negative number",
            ),
            Self::Factor { factor } => {
                write!(f, "the wrong elements are {} times the expected ones", Rounded(*factor))
            }
            Self::Offset { offset } => {
                write!(f, "the wrong elements are the expected ones plus {}", Rounded(*offset))
            }
            Self::Transposed => {
                f.write_str("the wrong elements are those of the transposed output")
            }
            Self::Shifted { axis, by } => {
                write!(f, "each wrong element holds the value that belongs {} place", by.abs())?;
                if by.abs() != 1 {
                    f.write_str("s")?;
                }
                let direction = if *by > 0 { "after" } else { "before" };
                write!(f, " {direction} it along `{axis}`")
            }
            Self::Constant { value } => write!(f, "the wrong elements are all {}", Rounded(*value)),
        }
    }
}

/// A number with at most seven significant digits.
struct Rounded(f64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if !value.is_finite() || value == 0.0 {
            return write!(f, "{value}");
        }
        // The shortest text that has seven digits: a round trip through the scientific form.
        let short: f64 = format!("{value:.6e}").parse().unwrap_or(value);
        if (1e-4..1e9).contains(&short.abs()) {
            write!(f, "{short}")
        } else {
            write!(f, "{short:e}")
        }
    }
}
