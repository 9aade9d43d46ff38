//! Evaluates an expression's steps, each once, in order.
//!
//! There is no branching: a step that fails yields a fault, faults travel through operators, and
//! `&&` and `||` drop a fault on the side that does not matter.

use super::{Binary, IntegerExpression, Node, NodeKind, Scope, Unary, Value};
use crate::diagnostic::Diagnostic;

/// A value during evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand<'a> {
    Integer(i64),
    Text(&'a str),
    /// What went wrong, and at which node.
    Fault(Fault, u32),
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    UnknownName,
    Overflow,
    DivisionByZero,
    /// The second argument of `ceil_div` or `align_up` is not positive.
    NotPositive,
    /// A text where an integer must be.
    TextOperand,
    /// A text compared with an integer.
    MixedComparison,
}

impl<'a> From<&'a Value> for Operand<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Integer(value) => Self::Integer(*value),
            Value::Text(text) => Self::Text(text),
        }
    }
}

/// The value of the last node. `load` gives the value of a variable by its index; `results` is
/// room for those of the others.
pub(crate) fn run<'a>(
    nodes: &'a [Node],
    load: impl Fn(usize) -> Operand<'a>,
    results: &mut Vec<Operand<'a>>,
) -> Operand<'a> {
    results.clear();
    for at in 0..nodes.len() {
        results.push(step(nodes, at, &load, results));
    }
    results.last().copied().unwrap_or(Operand::Integer(0))
}

/// The value of one node, from those of the nodes before it.
pub(crate) fn step<'a>(
    nodes: &'a [Node],
    at: usize,
    load: impl Fn(usize) -> Operand<'a>,
    results: &[Operand<'a>],
) -> Operand<'a> {
    let number = u32::try_from(at).unwrap_or(u32::MAX);
    match &nodes[at].kind {
        NodeKind::Integer(value) => Operand::Integer(*value),
        NodeKind::Text(text) => Operand::Text(text),
        NodeKind::Variable(variable) => match load(*variable as usize) {
            Operand::Fault(fault, _) => Operand::Fault(fault, number),
            value => value,
        },
        NodeKind::Unary(operation, operand) => {
            apply_unary(*operation, results[*operand as usize], number)
        }
        NodeKind::Binary(operation, left, right) => {
            apply_binary(*operation, results[*left as usize], results[*right as usize], number)
        }
    }
}

fn apply_unary(operation: Unary, operand: Operand<'_>, at: u32) -> Operand<'_> {
    let value = match operand {
        Operand::Integer(value) => value,
        Operand::Text(_) => return Operand::Fault(Fault::TextOperand, at),
        Operand::Fault(..) => return operand,
    };
    match operation {
        Unary::Negate => match value.checked_neg() {
            Some(value) => Operand::Integer(value),
            None => Operand::Fault(Fault::Overflow, at),
        },
        Unary::Not => Operand::Integer(i64::from(value == 0)),
        Unary::IsPowerOfTwo => Operand::Integer(i64::from(value > 0 && value & (value - 1) == 0)),
    }
}

fn apply_binary<'a>(
    operation: Binary,
    left: Operand<'a>,
    right: Operand<'a>,
    at: u32,
) -> Operand<'a> {
    use Operand::{Fault as Failed, Integer, Text};
    if matches!(operation, Binary::And | Binary::Or) {
        return decide(operation == Binary::Or, left, right, at);
    }
    match (left, right) {
        (Failed(..), _) => left,
        (_, Failed(..)) => right,
        (Integer(a), Integer(b)) => match arithmetic(operation, a, b) {
            Ok(value) => Integer(value),
            Err(fault) => Failed(fault, at),
        },
        (Text(a), Text(b)) => match operation {
            Binary::Equal => Integer(i64::from(a == b)),
            Binary::NotEqual => Integer(i64::from(a != b)),
            _ => Failed(Fault::TextOperand, at),
        },
        (Integer(_), Text(_)) | (Text(_), Integer(_)) => match operation {
            Binary::Equal | Binary::NotEqual => Failed(Fault::MixedComparison, at),
            _ => Failed(Fault::TextOperand, at),
        },
    }
}

/// `&&` and `||`, where the left side may decide alone.
fn decide<'a>(decides: bool, left: Operand<'a>, right: Operand<'a>, at: u32) -> Operand<'a> {
    match left {
        Operand::Fault(..) => return left,
        Operand::Text(_) => return Operand::Fault(Fault::TextOperand, at),
        Operand::Integer(value) if (value != 0) == decides => {
            return Operand::Integer(i64::from(decides));
        }
        Operand::Integer(_) => {}
    }
    match right {
        Operand::Integer(value) => Operand::Integer(i64::from(value != 0)),
        Operand::Text(_) => Operand::Fault(Fault::TextOperand, at),
        Operand::Fault(..) => right,
    }
}

/// Exact arithmetic on two integers; `&&` and `||` of two known sides too.
pub(super) fn arithmetic(operation: Binary, a: i64, b: i64) -> Result<i64, Fault> {
    let whole = |value: Option<i64>| value.ok_or(Fault::Overflow);
    match operation {
        Binary::Add => whole(a.checked_add(b)),
        Binary::Subtract => whole(a.checked_sub(b)),
        Binary::Multiply => whole(a.checked_mul(b)),
        Binary::Divide | Binary::Remainder if b == 0 => Err(Fault::DivisionByZero),
        Binary::Divide => whole(a.checked_div(b)),
        // The remainder of the smallest integer by -1 is 0, though its quotient overflows.
        Binary::Remainder => Ok(a.wrapping_rem(b)),
        Binary::CeilDiv | Binary::AlignUp if b <= 0 => Err(Fault::NotPositive),
        Binary::CeilDiv => Ok(ceil_div(a, b)),
        Binary::AlignUp => whole(ceil_div(a, b).checked_mul(b)),
        Binary::Less => Ok(i64::from(a < b)),
        Binary::LessEqual => Ok(i64::from(a <= b)),
        Binary::Equal => Ok(i64::from(a == b)),
        Binary::NotEqual => Ok(i64::from(a != b)),
        Binary::GreaterEqual => Ok(i64::from(a >= b)),
        Binary::Greater => Ok(i64::from(a > b)),
        Binary::And => Ok(i64::from(a != 0 && b != 0)),
        Binary::Or => Ok(i64::from(a != 0 || b != 0)),
        Binary::Minimum => Ok(a.min(b)),
        Binary::Maximum => Ok(a.max(b)),
    }
}

/// The quotient rounded up; the divisor is positive, so this cannot overflow.
fn ceil_div(a: i64, b: i64) -> i64 {
    a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0)
}

/// Words a fault for the author, with the values of the names under the failing node.
pub(super) fn diagnose(
    expression: &IntegerExpression,
    fault: Fault,
    node: u32,
    scope: &Scope,
) -> Diagnostic {
    let nodes = expression.nodes();
    let span = nodes.get(node as usize).map_or((0, 0), |node| node.span);
    let range = match fault {
        Fault::UnknownName => expression.unwrapped(span),
        _ => span.0 as usize..span.1 as usize,
    };
    let part = expression.text().get(range.clone()).unwrap_or(expression.text());
    let values = values_under(expression, node, scope);
    let with = if values.is_empty() { String::new() } else { format!(" with {values}") };
    let (code, message, hint) = match fault {
        Fault::UnknownName => {
            ("expression.unknown-name", format!("`{part}` has no value here"), None)
        }
        Fault::Overflow => (
            "expression.overflow",
            format!("`{part}` does not fit in 64 bits{with}"),
            Some("guard it with `&&`, or use smaller values"),
        ),
        Fault::DivisionByZero => (
            "expression.division-by-zero",
            format!("`{part}` divides by zero{with}"),
            Some("guard it with `&&`: `x != 0 && n % x == 0`"),
        ),
        Fault::NotPositive => (
            "expression.division-by-zero",
            format!("the divisor of `{part}` is not positive{with}"),
            Some("the second argument of `ceil_div` and `align_up` must be at least 1"),
        ),
        Fault::TextOperand => (
            "expression.type",
            format!("`{part}` needs integers, and a text is among its operands{with}"),
            Some("texts can only be compared with `==` and `!=`"),
        ),
        Fault::MixedComparison => (
            "expression.type",
            format!("`{part}` compares a text with an integer{with}"),
            Some("put a text in quotes: `layout == 'row'`"),
        ),
    };
    let mut diagnostic = Diagnostic::new(code, message).at(expression.origin().locate(range));
    diagnostic.hint = hint.map(str::to_owned);
    if fault == Fault::UnknownName {
        diagnostic.hint = crate::suggestion::closest(part, scope.iter().map(|(name, _)| name))
            .map(|name| format!("did you mean `{name}`?"));
    }
    diagnostic
}

/// `a = 1, b = 2` for the variables inside a node, at most eight of them.
fn values_under(expression: &IntegerExpression, node: u32, scope: &Scope) -> String {
    let Some(span) = expression.nodes().get(node as usize).map(|node| node.span) else {
        return String::new();
    };
    let mut shown: Vec<String> = Vec::new();
    for (index, name) in expression.variables().enumerate() {
        let inside = |node: &Node| {
            matches!(node.kind, NodeKind::Variable(v) if v as usize == index)
                && span.0 <= node.span.0
                && node.span.1 <= span.1
        };
        if let Some(value) = scope.get(name)
            && expression.nodes().iter().any(inside)
        {
            shown.push(format!("{name} = {value}"));
        }
    }
    shown.truncate(8);
    shown.join(", ")
}
