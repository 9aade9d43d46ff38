//! The functions and operators of the language.

use serde::{Deserialize, Serialize};

use crate::dtype::Dtype;

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unary {
    /// `-x`, `neg(x)`.
    Neg,
    /// `!x`: 1 where `x` is 0, else 0.
    Not,
    /// Magnitude.
    Abs,
    /// e to the power of x.
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// One over the square root.
    Rsqrt,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The error function.
    Erf,
    /// One minus the error function, without the cancellation.
    Erfc,
    /// Sine, radians.
    Sin,
    /// Cosine, radians.
    Cos,
    /// The largest integer not above.
    Floor,
    /// The smallest integer not below.
    Ceil,
    /// The nearest integer, halves to even.
    Round,
}

impl Unary {
    /// Every one, in the order in which messages list them.
    pub const ALL: [Self; 16] = [
        Self::Neg,
        Self::Not,
        Self::Abs,
        Self::Exp,
        Self::Log,
        Self::Sqrt,
        Self::Rsqrt,
        Self::Tanh,
        Self::Sigmoid,
        Self::Erf,
        Self::Erfc,
        Self::Sin,
        Self::Cos,
        Self::Floor,
        Self::Ceil,
        Self::Round,
    ];

    /// The name it is called by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Neg => "neg",
            Self::Not => "not",
            Self::Abs => "abs",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Sqrt => "sqrt",
            Self::Rsqrt => "rsqrt",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Erf => "erf",
            Self::Erfc => "erfc",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Round => "round",
        }
    }

    /// The function of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// Its value in binary64.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Neg => -x,
            Self::Not => truth(is_zero(x)),
            Self::Abs => x.abs(),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Rsqrt => 1.0 / x.sqrt(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => sigmoid(x),
            Self::Erf => libm::erf(x),
            Self::Erfc => libm::erfc(x),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Floor => x.floor(),
            Self::Ceil => x.ceil(),
            Self::Round => x.round_ties_even(),
        }
    }
}

/// A function of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// `min(a, b)`; NaN if either is.
    Min,
    /// `max(a, b)`; NaN if either is.
    Max,
    /// `pow(a, b)`.
    Pow,
    /// `a < b`, 1 or 0.
    Less,
    /// `a <= b`, 1 or 0.
    LessEqual,
    /// `a > b`, 1 or 0.
    Greater,
    /// `a >= b`, 1 or 0.
    GreaterEqual,
    /// `a == b`, 1 or 0.
    Equal,
    /// `a != b`, 1 or 0.
    NotEqual,
    /// `a && b`: 1 where neither is 0.
    And,
    /// `a || b`: 1 where one is not 0.
    Or,
}

impl Binary {
    /// The operator, or the function's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Min => "min",
            Self::Max => "max",
            Self::Pow => "pow",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::And => "&&",
            Self::Or => "||",
        }
    }

    /// How tightly the operator binds, 1 the loosest; `None` for a function.
    pub(super) const fn precedence(self) -> Option<u8> {
        match self {
            Self::Or => Some(1),
            Self::And => Some(2),
            Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual
            | Self::Equal
            | Self::NotEqual => Some(3),
            Self::Add | Self::Subtract => Some(4),
            Self::Multiply | Self::Divide => Some(5),
            Self::Min | Self::Max | Self::Pow => None,
        }
    }

    /// Whether the value is always 0 or 1.
    pub const fn is_truth(self) -> bool {
        matches!(self.precedence(), Some(1..=3))
    }

    /// Its value in binary64.
    pub fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Min => minimum(a, b),
            Self::Max => maximum(a, b),
            Self::Pow => a.powf(b),
            Self::Less => truth(a < b),
            Self::LessEqual => truth(a <= b),
            Self::Greater => truth(a > b),
            Self::GreaterEqual => truth(a >= b),
            Self::Equal => truth(equal(a, b)),
            Self::NotEqual => truth(!equal(a, b)),
            Self::And => truth(!is_zero(a) && !is_zero(b)),
            Self::Or => truth(!is_zero(a) || !is_zero(b)),
        }
    }
}

/// A reduction over one or more axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The sum; 0 of nothing.
    Sum,
    /// The sum over the count; NaN of nothing.
    Mean,
    /// The greatest; NaN if one is; negative infinity of nothing.
    Max,
    /// The least; NaN if one is; infinity of nothing.
    Min,
}

impl Reduction {
    /// The name it is called by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::Min => "min",
        }
    }
}

/// What a cast rounds to: a dtype, or a type variable of the spec that a workload binds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CastTarget {
    /// A fixed dtype.
    Dtype(Dtype),
    /// A type variable.
    Variable(String),
}

impl std::fmt::Display for CastTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dtype(dtype) => f.write_str(dtype.name()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// Every function name, for messages: what can stand before an opening parenthesis.
pub(super) fn names() -> Vec<&'static str> {
    let others = [
        "min",
        "max",
        "pow",
        "where",
        "cast",
        "sum",
        "mean",
        "take",
        "concat",
        "index",
        "broadcast",
    ];
    Unary::ALL.into_iter().map(Unary::name).chain(others).collect()
}

/// 1 for true, 0 for false.
const fn truth(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

#[expect(clippy::float_cmp, reason = "the language's `==` is exact comparison")]
const fn equal(a: f64, b: f64) -> bool {
    a == b
}

pub(super) const fn is_zero(x: f64) -> bool {
    equal(x, 0.0)
}

/// The greater; NaN if either is.
pub(super) fn maximum(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// The lesser; NaN if either is.
pub(super) fn minimum(a: f64, b: f64) -> f64 {
    if a < b || a.is_nan() { a } else { b }
}

/// Without overflow on either side: the exponential's argument is never positive.
fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}
