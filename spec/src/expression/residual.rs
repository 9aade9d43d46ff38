//! What is left of an expression when some of its names have values.

use super::evaluate::arithmetic;
use super::{Binary, IntegerExpression, NodeKind, Scope, Unary, Value};

/// An expression over the names that have no value yet.
///
/// Where everything is known it is one [`Residual::Known`]. A step that would fault (division by
/// zero, overflow, a text in arithmetic) is left as it stands, for whoever evaluates the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Residual {
    /// A value.
    Known(Value),
    /// A name without a value.
    Name(String),
    /// An operation on one value.
    Unary(Unary, Box<Self>),
    /// An operation on two values.
    Binary(Binary, Box<Self>, Box<Self>),
}

impl IntegerExpression {
    /// Puts in the values that `scope` has, and computes what they decide. `&&` and `||` whose left
    /// side decides alone are decided; nothing else is simplified.
    pub fn residual(&self, scope: &Scope) -> Residual {
        let names: Vec<&str> = self.variables().collect();
        let mut values: Vec<Residual> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let at = |operand: u32| values[operand as usize].clone();
            values.push(match &node.kind {
                NodeKind::Integer(value) => Residual::Known(Value::Integer(*value)),
                NodeKind::Text(text) => Residual::Known(Value::Text(text.clone())),
                NodeKind::Variable(variable) => {
                    let name = names[*variable as usize];
                    let known = scope.get(name).cloned().map(Residual::Known);
                    known.unwrap_or_else(|| Residual::Name(name.to_owned()))
                }
                NodeKind::Unary(operation, operand) => unary(*operation, at(*operand)),
                NodeKind::Binary(operation, left, right) => {
                    binary(*operation, at(*left), at(*right))
                }
            });
        }
        values.pop().unwrap_or(Residual::Known(Value::Integer(0)))
    }
}

impl Residual {
    /// The value, where no name is left.
    pub const fn known(&self) -> Option<&Value> {
        match self {
            Self::Known(value) => Some(value),
            Self::Name(_) | Self::Unary(..) | Self::Binary(..) => None,
        }
    }

    /// The names that are left, in order of use, repeated where they are used again.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Known(_) => Vec::new(),
            Self::Name(name) => vec![name],
            Self::Unary(_, operand) => operand.names(),
            Self::Binary(_, left, right) => {
                let mut names = left.names();
                names.extend(right.names());
                names
            }
        }
    }

    const fn integer(&self) -> Option<i64> {
        match self {
            Self::Known(Value::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Known(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

fn unary(operation: Unary, operand: Residual) -> Residual {
    let value = operand.integer().and_then(|value| match operation {
        Unary::Negate => value.checked_neg(),
        Unary::Not => Some(i64::from(value == 0)),
        Unary::IsPowerOfTwo => Some(i64::from(value > 0 && value & (value - 1) == 0)),
    });
    match value {
        Some(value) => Residual::Known(Value::Integer(value)),
        None => Residual::Unary(operation, Box::new(operand)),
    }
}

fn binary(operation: Binary, left: Residual, right: Residual) -> Residual {
    let decided = match (operation, left.integer()) {
        (Binary::And, Some(0)) => Some(0),
        (Binary::Or, Some(value)) if value != 0 => Some(1),
        _ => None,
    };
    let texts = match (operation, left.text(), right.text()) {
        (Binary::Equal, Some(a), Some(b)) => Some(i64::from(a == b)),
        (Binary::NotEqual, Some(a), Some(b)) => Some(i64::from(a != b)),
        _ => None,
    };
    let integers = || match (left.integer(), right.integer()) {
        (Some(a), Some(b)) => arithmetic(operation, a, b).ok(),
        _ => None,
    };
    match decided.or(texts).or_else(integers) {
        Some(value) => Residual::Known(Value::Integer(value)),
        None => Residual::Binary(operation, Box::new(left), Box::new(right)),
    }
}
