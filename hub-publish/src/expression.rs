//! The spec's integer expressions as the Python that `kernel.json` carries.
//!
//! `hub-publish/python/FORMAT.md` has the grammar. Every operation is in parentheses or a call, so
//! nobody has to think about precedence.

use std::collections::BTreeMap;

use ridge_spec::expression::{Binary, IntegerExpression, Residual, Scope, Unary, Value};

/// What is left of an expression, with the values of `scope` put in.
pub(crate) fn python(expression: &IntegerExpression, scope: &Scope) -> String {
    write(&simplify(expression.residual(scope)))
}

/// The same with nothing put in, and other names for what it uses.
pub(crate) fn python_named(
    expression: &IntegerExpression,
    names: &BTreeMap<String, String>,
) -> String {
    write(&renamed(simplify(expression.residual(&Scope::new())), names))
}

fn renamed(residual: Residual, names: &BTreeMap<String, String>) -> Residual {
    let inner = |residual: Box<Residual>| Box::new(renamed(*residual, names));
    match residual {
        Residual::Name(name) => Residual::Name(names.get(&name).cloned().unwrap_or(name)),
        Residual::Unary(operation, operand) => Residual::Unary(operation, inner(operand)),
        Residual::Binary(operation, left, right) => {
            Residual::Binary(operation, inner(left), inner(right))
        }
        known @ Residual::Known(_) => known,
    }
}

/// Leaves out what changes nothing: a factor of 1, a divisor of 1, adding 0, a condition that holds.
fn simplify(residual: Residual) -> Residual {
    match residual {
        Residual::Unary(operation, operand) => {
            Residual::Unary(operation, Box::new(simplify(*operand)))
        }
        Residual::Binary(operation, left, right) => {
            let (left, right) = (simplify(*left), simplify(*right));
            match (operation, integer(&left), integer(&right)) {
                (Binary::Multiply | Binary::Divide | Binary::CeilDiv, _, Some(1))
                | (Binary::Add | Binary::Subtract, _, Some(0)) => left,
                (Binary::Multiply, Some(1), _) | (Binary::Add, Some(0), _) => right,
                // A side that holds leaves the other to decide, if that is 0 or 1 already.
                (Binary::And, Some(value), _) if value != 0 && is_truth(&right) => right,
                (Binary::And, _, Some(value)) if value != 0 && is_truth(&left) => left,
                (Binary::Or, Some(0), _) if is_truth(&right) => right,
                (Binary::Or, _, Some(0)) if is_truth(&left) => left,
                _ => Residual::Binary(operation, Box::new(left), Box::new(right)),
            }
        }
        leaf @ (Residual::Known(_) | Residual::Name(_)) => leaf,
    }
}

/// Whether the value is 0 or 1.
const fn is_truth(residual: &Residual) -> bool {
    match residual {
        Residual::Unary(operation, _) => matches!(operation, Unary::Not | Unary::IsPowerOfTwo),
        Residual::Binary(operation, ..) => matches!(
            operation,
            Binary::And
                | Binary::Or
                | Binary::Less
                | Binary::LessEqual
                | Binary::Equal
                | Binary::NotEqual
                | Binary::GreaterEqual
                | Binary::Greater
        ),
        Residual::Known(_) | Residual::Name(_) => false,
    }
}

fn integer(residual: &Residual) -> Option<i64> {
    residual.known().and_then(Value::as_integer)
}

fn write(residual: &Residual) -> String {
    match residual {
        Residual::Known(Value::Integer(value)) if *value < 0 => format!("({value})"),
        Residual::Known(Value::Integer(value)) => value.to_string(),
        // The reader refuses texts: where one is left, the expression had no value either.
        Residual::Known(Value::Text(text)) => format!("{text:?}"),
        Residual::Name(name) => name.clone(),
        Residual::Unary(operation, operand) => {
            let operand = write(operand);
            match operation {
                Unary::Negate => format!("(-{operand})"),
                Unary::Not => format!("truth(not {operand})"),
                Unary::IsPowerOfTwo => format!("is_power_of_two({operand})"),
            }
        }
        Residual::Binary(operation, left, right) => {
            let (left, right) = (write(left), write(right));
            match operation {
                Binary::And => format!("truth({left} and {right})"),
                Binary::Or => format!("truth({left} or {right})"),
                _ => match operator(*operation) {
                    Notation::Infix(sign) => format!("({left} {sign} {right})"),
                    Notation::Call(name) => format!("{name}({left}, {right})"),
                },
            }
        }
    }
}

/// How Python writes an operation on two values.
enum Notation {
    Infix(&'static str),
    Call(&'static str),
}

const fn operator(operation: Binary) -> Notation {
    use Notation::{Call, Infix};
    match operation {
        Binary::Add => Infix("+"),
        Binary::Subtract => Infix("-"),
        Binary::Multiply => Infix("*"),
        Binary::Divide => Call("div"),
        Binary::Remainder => Call("rem"),
        Binary::Less => Infix("<"),
        Binary::LessEqual => Infix("<="),
        Binary::Equal => Infix("=="),
        Binary::NotEqual => Infix("!="),
        Binary::GreaterEqual => Infix(">="),
        Binary::Greater => Infix(">"),
        Binary::And => Infix("and"),
        Binary::Or => Infix("or"),
        Binary::Minimum => Call("min"),
        Binary::Maximum => Call("max"),
        Binary::CeilDiv => Call("ceil_div"),
        Binary::AlignUp => Call("align_up"),
    }
}

#[cfg(test)]
mod tests {
    use ridge_spec::dtype::Dtype;
    use ridge_spec::expression::Origin;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut scope = Scope::new();
        scope.set("cols", 4096);
        scope.set("threads", 128);
        scope.set("one", 1);
        scope.set("pdl", "early");
        scope.set_type("T", Dtype::Bf16);
        let expression = IntegerExpression::parse(text, &Origin::standalone("e", text)).unwrap();
        assert_eq!(python(&expression, &scope), expected, "{text}");
    }

    #[test]
    fn what_is_known_is_a_number() {
        check("cols * sizeof(T)", "8192");
        check("pdl != 'off'", "1");
        check("ceil_div(rows, one)", "rows");
        check("rows * ceil_div(cols * sizeof(T), threads * 16)", "(rows * 4)");
    }

    #[test]
    fn operators_are_those_of_the_format() {
        check("ceil_div(rows, threads)", "ceil_div(rows, 128)");
        check("rows / 2 % 3", "rem(div(rows, 2), 3)");
        check(
            "rows > 1 && rows < 9 || !rows",
            "truth(truth((rows > 1) and (rows < 9)) or truth(not rows))",
        );
        check("one == 1 && rows >= threads", "(rows >= 128)");
        check("one == 1 && rows", "truth(1 and rows)");
        check("-rows + -5", "((-rows) + (-5))");
        check("min(rows, 3, more)", "min(min(rows, 3), more)");
        check("is_power_of_two(rows)", "is_power_of_two(rows)");
        check("align_up(rows, 8) != 16", "(align_up(rows, 8) != 16)");
    }
}
