//! The integer expression language: values, refusals, places.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use proptest::prelude::*;
use ridge_spec::dtype::Dtype;
use ridge_spec::expression::{IntegerExpression, Origin, Scope, TEXT_LIMIT};

fn scope() -> Scope {
    let mut scope = Scope::new();
    for (name, value) in [("a", 7), ("b", 2), ("zero", 0), ("least", i64::MIN)] {
        scope.set(name, value);
    }
    scope.set("hold", "shared");
    scope.set_type("T", Dtype::Bf16);
    scope
}

/// Checks a value, or the code, message, place and hint of what is wrong.
#[track_caller]
fn check(text: &str, expected: &str) {
    let found = IntegerExpression::parse(text, &Origin::standalone("e", text))
        .and_then(|expression| expression.evaluate(&scope()));
    let found = match found {
        Ok(value) => value.to_string(),
        Err(d) => {
            let at = d.location.as_ref().unwrap();
            let marked: String =
                at.text.chars().skip(at.column as usize - 1).take(at.length as usize).collect();
            let hint = d.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("{}: {} [{marked}]{hint}", d.code, d.message)
        }
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn values() {
    check("1 + 2 * 3 - 4 / 2 % 2", "7");
    check("(1 + 2) * 3", "9");
    check("-7 / 2", "-3");
    check("-7 % 2", "-1");
    check("7 / -2", "-3");
    check("ceil_div(7, 2) + ceil_div(-7, 2)", "1");
    check("align_up(13, 8)", "16");
    check("align_up(-13, 8)", "-8");
    check("min(3, 1, 2) + max(3, 1, 2)", "4");
    check(
        "is_power_of_two(64) + is_power_of_two(0) + is_power_of_two(-8) + is_power_of_two(6)",
        "1",
    );
    check("1 < 2 && 2 <= 2 && 3 != 4 && 4 == 4 && 5 >= 5 && 6 > 5", "1");
    check("!0 + !5 + !!5", "2");
    check("true + false", "1");
    check("0x1F", "31");
    check("- -3", "3");
    check("-9223372036854775808", "-9223372036854775808");
    check("least % -1", "0");
    check("sizeof(T) * 100 + sizeof(f64)", "208");
    check("hold == 'shared'", "1");
    check("hold != \"shared\"", "0");
    check("T == 'bf16' && 'x' != T", "1");
    check("hold", "shared");
    check("  a\n*\tb  ", "14");
    check("1 || 1 && 0", "1");
    check("2 - 1 - 1", "0");
    check("(hold == 'shared') * 8", "8");
}

#[test]
fn a_decided_side_guards_the_other() {
    check("zero != 0 && 7 % zero == 0", "0");
    check("zero == 0 || 7 % zero == 0", "1");
    check("zero != 0 && unknown", "0");
    check(
        "7 % zero == 0 && zero != 0",
        "expression.division-by-zero: `7 % zero` divides by zero with zero = 0 [7 % zero]; guard it with `&&`: `x != 0 && n % x == 0`",
    );
    check(
        "0 * (1 / zero)",
        "expression.division-by-zero: `(1 / zero)` divides by zero with zero = 0 [(1 / zero)]; guard it with `&&`: `x != 0 && n % x == 0`",
    );
}

#[test]
fn faults() {
    let overflow = "guard it with `&&`, or use smaller values";
    check(
        "9223372036854775807 + 1",
        &format!(
            "expression.overflow: `9223372036854775807 + 1` does not fit in 64 bits [9223372036854775807 + 1]; {overflow}"
        ),
    );
    check(
        "1 + least * a",
        &format!(
            "expression.overflow: `least * a` does not fit in 64 bits with least = -9223372036854775808, a = 7 [least * a]; {overflow}"
        ),
    );
    check(
        "least / -1",
        &format!(
            "expression.overflow: `least / -1` does not fit in 64 bits with least = -9223372036854775808 [least / -1]; {overflow}"
        ),
    );
    check(
        "-least",
        &format!(
            "expression.overflow: `-least` does not fit in 64 bits with least = -9223372036854775808 [-least]; {overflow}"
        ),
    );
    check(
        "ceil_div(a, zero)",
        "expression.division-by-zero: the divisor of `ceil_div(a, zero)` is not positive with a = 7, zero = 0 [ceil_div(a, zero)]; the second argument of `ceil_div` and `align_up` must be at least 1",
    );
    check(
        "align_up(a, -8)",
        "expression.division-by-zero: the divisor of `align_up(a, -8)` is not positive with a = 7 [align_up(a, -8)]; the second argument of `ceil_div` and `align_up` must be at least 1",
    );
    check(
        "hold + 1",
        "expression.type: `hold + 1` needs integers, and a text is among its operands with hold = shared [hold + 1]; texts can only be compared with `==` and `!=`",
    );
    check(
        "hold == 1",
        "expression.type: `hold == 1` compares a text with an integer with hold = shared [hold == 1]; put a text in quotes: `layout == 'row'`",
    );
    check(
        "hold && 1",
        "expression.type: `hold && 1` needs integers, and a text is among its operands with hold = shared [hold && 1]; texts can only be compared with `==` and `!=`",
    );
    check(
        "1 + (holt)",
        "expression.unknown-name: `holt` has no value here [holt]; did you mean `hold`?",
    );
    check(
        "sizeof(U)",
        "expression.unknown-name: `sizeof(U)` has no value here [sizeof(U)]; did you mean `sizeof(T)`?",
    );
}

#[test]
fn refusals() {
    check("", "expression.syntax: the expression is empty []");
    check("1 +", "expression.syntax: expected a value, found the end []");
    check("(1 + 2", "expression.syntax: expected `)`, found the end []");
    check("1 2", "expression.syntax: expected an operator or the end, found `2` [2]");
    check(
        "a < b < 3",
        "expression.syntax: comparisons cannot be chained [<]; write `a < b && b < c` for `a < b < c`",
    );
    check(
        "a == b == 3",
        "expression.syntax: comparisons cannot be chained [==]; write `a < b && b < c` for `a < b < c`",
    );
    check(
        "a and b",
        "expression.syntax: expected an operator or the end, found `and` [and]; combine conditions with `&&`",
    );
    check(
        "a or b",
        "expression.syntax: expected an operator or the end, found `or` [or]; combine conditions with `||`",
    );
    check("not a", "expression.syntax: `not` is not an operator [not]; negate with `!`");
    check("a = b", "expression.syntax: `=` is not an operator [=]; compare with `==`");
    check("a & b", "expression.syntax: `&` is not an operator [&]; combine conditions with `&&`");
    check(
        "a ** b",
        "expression.syntax: `**` is not an operator [**]; there is no power operator: multiply",
    );
    check(
        "a // b",
        "expression.syntax: `//` is not an operator [//]; `/` is integer division already",
    );
    check(
        "a << 2",
        "expression.syntax: `<<` is not an operator [<<]; there are no shifts: multiply by a power of two",
    );
    check(
        "a ? b : 1",
        "expression.syntax: `?` is not an operator [?]; there is no conditional: use `min`, `max` or a product with a condition",
    );
    check("a # b", "expression.syntax: `#` cannot stand here [#]");
    check("é", "expression.syntax: `é` cannot stand here [é]");
}

#[test]
fn refusals_of_numbers_and_calls() {
    check(
        "1.5",
        "expression.syntax: `1.5` is not an integer [1.5]; write digits, or `0x` and hexadecimal digits",
    );
    check(
        "12ab",
        "expression.syntax: `12ab` is not an integer [12ab]; write digits, or `0x` and hexadecimal digits",
    );
    check(
        "9223372036854775808",
        "expression.overflow: `9223372036854775808` does not fit in 64 bits [9223372036854775808]",
    );
    check(
        "99999999999999999999",
        "expression.overflow: `99999999999999999999` does not fit in 64 bits [99999999999999999999]",
    );
    check("'open", "expression.syntax: the text has no closing quote ['open]");
    check(
        "ceildiv(1, 2)",
        "expression.unknown-function: there is no function `ceildiv` [ceildiv]; did you mean `ceil_div`?",
    );
    check(
        "min(1)",
        "expression.argument-count: `min` takes two or more arguments, and here it has 1 [min]",
    );
    check(
        "ceil_div(1, 2, 3)",
        "expression.argument-count: `ceil_div` takes two arguments, and here it has 3 [ceil_div]",
    );
    check(
        "is_power_of_two()",
        "expression.argument-count: `is_power_of_two` takes one argument, and here it has 0 [is_power_of_two]",
    );
    check("min + 1", "expression.syntax: `min` is a function: it needs arguments [min]");
    check("sizeof(2)", "expression.syntax: expected a type, found `2` [2]");
}

#[test]
fn depth_and_length_are_limited() {
    let nested = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    check(&nested(60), "1");
    for hostile in [nested(1000), "-".repeat(2000), "!".repeat(4000), "min(1,".repeat(600)] {
        let error = IntegerExpression::parse(&hostile, &Origin::standalone("e", &hostile));
        assert_eq!(error.unwrap_err().code, "expression.too-deep");
    }
    // A chain is long and not deep.
    check(&format!("0{}", "+1".repeat(2000)), "2000");
    let long = format!("0{}", "+1".repeat(TEXT_LIMIT));
    let error = IntegerExpression::parse(&long, &Origin::standalone("e", &long));
    assert_eq!(error.unwrap_err().code, "expression.too-long");
}

#[test]
fn names_are_listed_in_order_of_first_use() {
    let text = "b + sizeof(T) * a - b % device.warp_size";
    let expression = IntegerExpression::parse(text, &Origin::standalone("e", text)).unwrap();
    let names: Vec<&str> = expression.variables().collect();
    assert_eq!(names, ["b", "sizeof(T)", "a", "device.warp_size"]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in "[ab0-9+*/%()<>=!&|,'\\. \"é_-]{0,60}") {
        let origin = Origin::standalone("e", &text);
        match IntegerExpression::parse(&text, &origin) {
            Ok(expression) => {
                let _value = expression.evaluate(&scope());
            }
            Err(diagnostic) => prop_assert!(diagnostic.location.is_some()),
        }
    }
}

/// What is left of an expression when `x` alone has no value.
#[track_caller]
fn check_residual(text: &str, expected: &str) {
    let expression = IntegerExpression::parse(text, &Origin::standalone("e", text)).unwrap();
    let residual = expression.residual(&scope());
    let shown = match residual.known() {
        Some(value) => value.to_string(),
        None => format!("{residual:?}"),
    };
    assert_eq!(shown, expected, "{text}");
    if let (Some(known), Ok(value)) = (residual.known(), expression.evaluate(&scope())) {
        assert_eq!(*known, value, "{text}");
    }
}

#[test]
fn what_is_known_is_put_in() {
    check_residual("(hold == 'shared') * a + sizeof(T)", "9");
    check_residual("hold != 'shared' && x > 1", "0");
    check_residual("a == 7 || x > 1", "1");
    check_residual("x", "Name(\"x\")");
    check_residual("ceil_div(x, a - 5)", "Binary(CeilDiv, Name(\"x\"), Known(Integer(2)))");
    check_residual("1 / zero", "Binary(Divide, Known(Integer(1)), Known(Integer(0)))");
    check_residual("-x", "Unary(Negate, Name(\"x\"))");
}
