//! What an expression can be when some of its names are only known to lie in a range.
//!
//! Bounds are sound and not always tight: a condition that is bounded to 0 is false at every
//! point of the ranges, so enumeration may drop them all at once.

use super::evaluate::arithmetic;
use super::{Binary, Node, NodeKind, Unary};

/// Every integer that a value can be lies in `low..=high`, unless evaluation faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) low: i64,
    pub(crate) high: i64,
    /// Whether evaluation could fault at some point of the ranges.
    pub(crate) may_fault: bool,
    /// Whether the value is a text; the bounds then say nothing.
    pub(crate) text: bool,
}

impl Interval {
    /// The integers of a range.
    pub(crate) const fn new(low: i64, high: i64) -> Self {
        Self { low, high, may_fault: false, text: false }
    }

    /// Some text.
    pub(crate) const TEXT: Self =
        Self { low: i64::MIN, high: i64::MAX, may_fault: false, text: true };

    const CONDITION: Self = Self::new(0, 1);

    /// Anything, or a fault.
    pub(crate) const UNKNOWN: Self =
        Self { low: i64::MIN, high: i64::MAX, may_fault: true, text: false };

    /// Whether the value is false wherever it is looked at, and never a fault.
    pub(crate) const fn is_false(self) -> bool {
        self.low == 0 && self.high == 0 && !self.may_fault && !self.text
    }

    const fn single(self) -> Option<i64> {
        if self.low == self.high && !self.text { Some(self.low) } else { None }
    }

    const fn has_zero(self) -> bool {
        self.low <= 0 && 0 <= self.high
    }

    const fn is_zero(self) -> bool {
        self.low == 0 && self.high == 0
    }

    fn faulting(self, may_fault: bool) -> Self {
        Self { may_fault: self.may_fault || may_fault, ..self }
    }

    /// The hull of exact results; what leaves 64 bits is a fault.
    fn hull(values: impl IntoIterator<Item = i128>) -> Self {
        let (mut low, mut high) = (i128::MAX, i128::MIN);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return Self::UNKNOWN;
        }
        let clamp = |value: i128| {
            let limit = if value < 0 { i64::MIN } else { i64::MAX };
            i64::try_from(value).unwrap_or(limit)
        };
        let fits = i64::try_from(low).is_ok() && i64::try_from(high).is_ok();
        Self { low: clamp(low), high: clamp(high), may_fault: !fits, text: false }
    }
}

/// Bounds of one node, from those of its variable or of the nodes before it.
pub(crate) fn bound(
    node: &Node,
    load: impl Fn(usize) -> Interval,
    operand: impl Fn(u32) -> Interval,
) -> Interval {
    match &node.kind {
        NodeKind::Integer(value) => Interval::new(*value, *value),
        NodeKind::Text(_) => Interval::TEXT,
        NodeKind::Variable(variable) => load(*variable as usize),
        NodeKind::Unary(operation, a) => unary(*operation, operand(*a)),
        NodeKind::Binary(operation, a, b) => binary(*operation, operand(*a), operand(*b)),
    }
}

fn unary(operation: Unary, a: Interval) -> Interval {
    if a.text {
        return Interval::UNKNOWN;
    }
    let result = match operation {
        Unary::Negate => Interval::hull([-i128::from(a.low), -i128::from(a.high)]),
        Unary::Not if a.is_zero() => Interval::new(1, 1),
        Unary::Not if !a.has_zero() => Interval::new(0, 0),
        Unary::IsPowerOfTwo => match a.single() {
            Some(value) => {
                let holds = i64::from(value > 0 && value & (value - 1) == 0);
                Interval::new(holds, holds)
            }
            None if a.high <= 0 => Interval::new(0, 0),
            None => Interval::CONDITION,
        },
        Unary::Not => Interval::CONDITION,
    };
    result.faulting(a.may_fault)
}

fn binary(operation: Binary, a: Interval, b: Interval) -> Interval {
    match operation {
        Binary::And => return and(a, b),
        Binary::Or => return or(a, b),
        Binary::Equal | Binary::NotEqual if a.text && b.text => {
            return Interval::CONDITION.faulting(a.may_fault || b.may_fault);
        }
        _ if a.text || b.text => return Interval::UNKNOWN,
        _ => {}
    }
    let may_fault = a.may_fault || b.may_fault;
    if let (Some(x), Some(y)) = (a.single(), b.single()) {
        return match arithmetic(operation, x, y) {
            Ok(value) => Interval::new(value, value).faulting(may_fault),
            Err(_) => Interval::UNKNOWN,
        };
    }
    ranges(operation, a, b).faulting(may_fault)
}

/// Bounds of an arithmetic operation or comparison on two ranges of integers.
fn ranges(operation: Binary, a: Interval, b: Interval) -> Interval {
    let (al, ah) = (i128::from(a.low), i128::from(a.high));
    let (bl, bh) = (i128::from(b.low), i128::from(b.high));
    match operation {
        Binary::Add => Interval::hull([al + bl, ah + bh]),
        Binary::Subtract => Interval::hull([al - bh, ah - bl]),
        Binary::Multiply => Interval::hull([al * bl, al * bh, ah * bl, ah * bh]),
        Binary::Divide => divide(a, b),
        Binary::Remainder => remainder(a, b),
        Binary::CeilDiv | Binary::AlignUp if bh <= 0 => Interval::UNKNOWN,
        Binary::CeilDiv => {
            let ceil = |x: i128, y: i128| x.div_euclid(y) + i128::from(x.rem_euclid(y) != 0);
            let low = bl.max(1);
            Interval::hull([ceil(al, low), ceil(al, bh), ceil(ah, low), ceil(ah, bh)])
                .faulting(bl <= 0)
        }
        Binary::AlignUp => Interval::hull([al, ah + bh - 1]).faulting(bl <= 0),
        Binary::Less => ordered(a.high < b.low, a.low >= b.high),
        Binary::LessEqual => ordered(a.high <= b.low, a.low > b.high),
        Binary::Greater => ordered(a.low > b.high, a.high <= b.low),
        Binary::GreaterEqual => ordered(a.low >= b.high, a.high < b.low),
        Binary::Equal => ordered(false, a.high < b.low || b.high < a.low),
        Binary::NotEqual => ordered(a.high < b.low || b.high < a.low, false),
        Binary::Minimum => Interval::new(a.low.min(b.low), a.high.min(b.high)),
        Binary::Maximum => Interval::new(a.low.max(b.low), a.high.max(b.high)),
        Binary::And | Binary::Or => Interval::CONDITION,
    }
}

fn ordered(always: bool, never: bool) -> Interval {
    if always {
        Interval::new(1, 1)
    } else if never {
        Interval::new(0, 0)
    } else {
        Interval::CONDITION
    }
}

/// The left side decides where it is 0, and a fault on the right then does not matter.
fn and(a: Interval, b: Interval) -> Interval {
    if a.text {
        return Interval::UNKNOWN;
    }
    if a.is_zero() {
        return a;
    }
    if b.text {
        return Interval::CONDITION.faulting(true);
    }
    let may_fault = a.may_fault || b.may_fault;
    if b.is_zero() {
        return Interval::new(0, 0).faulting(may_fault);
    }
    ordered(!a.has_zero() && !b.has_zero(), false).faulting(may_fault)
}

/// The left side decides where it is not 0.
fn or(a: Interval, b: Interval) -> Interval {
    if a.text {
        return Interval::UNKNOWN;
    }
    if !a.has_zero() {
        return Interval::new(1, 1).faulting(a.may_fault);
    }
    if b.text {
        return Interval::CONDITION.faulting(true);
    }
    ordered(!b.has_zero(), a.is_zero() && b.is_zero()).faulting(a.may_fault || b.may_fault)
}

/// Truncating division is monotonic in each side between the places where the divisor is -1, 0, 1.
fn divide(a: Interval, b: Interval) -> Interval {
    let divisors = [b.low, -1, 1, b.high].map(|y| i128::from(y.clamp(b.low, b.high)));
    let quotients = [a.low, a.high]
        .into_iter()
        .flat_map(|x| divisors.into_iter().filter(|&y| y != 0).map(move |y| i128::from(x) / y));
    // A dividend that changes sign has its extremes at its ends, which are already here.
    Interval::hull(quotients).faulting(b.has_zero())
}

/// The remainder has the dividend's sign and is smaller than the divisor.
fn remainder(a: Interval, b: Interval) -> Interval {
    let largest = b.low.unsigned_abs().max(b.high.unsigned_abs());
    let reach = i64::try_from(largest.saturating_sub(1)).unwrap_or(i64::MAX);
    let low = if a.low < 0 { a.low.max(-reach) } else { 0 };
    let high = if a.high > 0 { a.high.min(reach) } else { 0 };
    Interval::new(low, high).faulting(b.has_zero())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Interval, bound};
    use crate::expression::{IntegerExpression, Operand, Origin, run};

    const EXPRESSIONS: [&str; 14] = [
        "a + b * c",
        "a / b - c % a",
        "a % b == 0 && c <= a * b",
        "min(a, b, c) * max(a, -c)",
        "ceil_div(a, b) + align_up(c, b)",
        "a != 0 && b % a == c",
        "a == 0 || b / a > c",
        "is_power_of_two(a) || !b",
        "!(a < b) && !(b >= c)",
        "-a * -b / (c - b)",
        "a * 9223372036854775807 > b",
        "(a + 7) / 8 * 8 - b",
        "a * a * a * a * b",
        "a % (b * c) < 1",
    ];

    proptest! {
        #[test]
        fn bounds_hold_at_every_point(
            which in 0..EXPRESSIONS.len(),
            lows in prop::array::uniform3(-9i64..9),
            widths in prop::array::uniform3(0i64..6),
        ) {
            let text = EXPRESSIONS[which];
            let expression = IntegerExpression::parse(text, &Origin::standalone("test", text)).unwrap();
            let index: Vec<usize> = expression
                .variables()
                .map(|name| usize::from(name.as_bytes()[0] - b'a'))
                .collect();
            let ranges = |v: usize| Interval::new(lows[index[v]], lows[index[v]] + widths[index[v]]);
            let mut intervals: Vec<Interval> = Vec::new();
            for node in expression.nodes() {
                intervals.push(bound(node, ranges, |at| intervals[at as usize]));
            }
            let bounds = *intervals.last().unwrap();
            for a in 0..=widths[0] { for b in 0..=widths[1] { for c in 0..=widths[2] {
                let point = [lows[0] + a, lows[1] + b, lows[2] + c];
                let load = |v: usize| Operand::Integer(point[index[v]]);
                match run(expression.nodes(), load, &mut Vec::new()) {
                    Operand::Integer(value) => {
                        prop_assert!(bounds.low <= value && value <= bounds.high, "{text} at {point:?}: {value} outside {bounds:?}");
                    }
                    _ => prop_assert!(bounds.may_fault, "{text} faults at {point:?}"),
                }
            }}}
        }
    }
}
