//! Enumeration finds exactly the legal points, in order, whatever the constraints are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use proptest::prelude::*;
use ridge_spec::expression::{IntegerExpression, Origin, Scope};
use ridge_spec::space::{Candidate, LegalSpace, Parameter, ParameterValue, SearchSpace};

fn expression(text: &str) -> IntegerExpression {
    IntegerExpression::parse(text, &Origin::standalone("space", text)).unwrap()
}

fn integers(name: &str, values: impl IntoIterator<Item = i64>) -> Parameter {
    let values = values.into_iter().map(ParameterValue::Integer).collect();
    Parameter { name: name.to_owned(), values }
}

fn space(parameters: Vec<Parameter>, constraints: &[&str]) -> SearchSpace {
    let constraints = constraints.iter().map(|text| expression(text)).collect();
    SearchSpace::new(parameters, constraints, None).unwrap()
}

/// Every point of the product, in order.
fn product(parameters: &[Parameter]) -> Vec<Candidate> {
    let mut points = vec![Vec::new()];
    for parameter in parameters {
        points = points
            .into_iter()
            .flat_map(|point: Vec<(String, ParameterValue)>| {
                parameter.values.iter().map(move |value| {
                    let mut point = point.clone();
                    point.push((parameter.name.clone(), value.clone()));
                    point
                })
            })
            .collect();
    }
    points.into_iter().map(Candidate::new).collect()
}

/// Checks enumeration against a look at every point.
#[track_caller]
fn check(space: &SearchSpace, scope: &Scope) {
    let (mut legal, mut faults) = (Vec::new(), 0);
    for point in product(&space.parameters) {
        let full = scope.with(point.iter());
        let answers: Vec<_> = space.constraints.iter().map(|own| own.integer(&full)).collect();
        let expected = if answers.iter().any(|answer| answer.as_ref() == Ok(&0)) {
            "space.constraint"
        } else if let Some(Err(fault)) = answers.iter().find(|answer| answer.is_err()) {
            faults += 1;
            fault.code.as_str()
        } else {
            legal.push(point.clone());
            "legal"
        };
        let answer = space.check(&point, scope);
        assert_eq!(answer.as_ref().map_or_else(|d| d.code.as_str(), |()| "legal"), expected);
    }
    match space.legal(scope) {
        Ok(found) => {
            assert_eq!(faults, 0);
            assert_eq!(found.candidates().collect::<Vec<_>>(), legal);
            check_queries(&found, &legal);
        }
        Err(diagnostic) if faults > 0 => {
            assert!(diagnostic.code.starts_with("expression."), "{diagnostic}");
        }
        Err(diagnostic) => {
            assert_eq!(diagnostic.code, "space.empty", "{diagnostic}");
            assert!(legal.is_empty(), "{diagnostic}");
        }
    }
}

/// Checks finding and neighbours against a look at every pair.
#[track_caller]
fn check_queries(found: &LegalSpace, legal: &[Candidate]) {
    assert_eq!(found.len(), legal.len());
    for (index, point) in legal.iter().enumerate() {
        assert_eq!(found.find(point), Some(index));
        let differs = |other: &Candidate| {
            point.iter().zip(other.iter()).filter(|(a, b)| a.1 != b.1).count() == 1
        };
        let expected: Vec<usize> =
            legal.iter().enumerate().filter(|(_, other)| differs(other)).map(|(i, _)| i).collect();
        assert_eq!(found.neighbours(index), expected);
    }
    let again = LegalSpace::from_points(found.parameters().to_vec(), legal.iter().rev()).unwrap();
    assert_eq!(&again, found);
}

/// An expression over `a`, `b`, `c` and `n`, faults included.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "n"]).prop_map(str::to_owned),
        2 => (-3i64..9).prop_map(|n| n.to_string()),
        1 => Just("9223372036854775807".to_owned()),
        1 => prop::sample::select(vec!["d == 'x'", "d != 'y'", "d"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        let operators = vec!["+", "-", "*", "/", "%", "<", "<=", "==", "!=", ">=", ">", "&&", "||"];
        let functions = vec!["min", "max", "ceil_div", "align_up"];
        prop_oneof![
            6 => (prop::sample::select(operators), pair.clone())
                .prop_map(|(operator, (a, b))| format!("({a}) {operator} ({b})")),
            1 => (prop::sample::select(functions), pair)
                .prop_map(|(function, (a, b))| format!("{function}({a}, {b})")),
            1 => inner.clone().prop_map(|a| format!("!({a})")),
            1 => inner.prop_map(|a| format!("is_power_of_two(-({a}))")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_brute_force_finds(
        sizes in prop::array::uniform3(1i64..6),
        start in -2i64..3,
        n in -4i64..9,
        constraints in prop::collection::vec(any_expression(), 0..4),
    ) {
        let mut parameters = vec![
            integers("a", (0..sizes[0]).map(|i| start + i * 3)),
            integers("b", (0..sizes[1]).rev()),
            integers("c", (0..sizes[2]).map(|i| 1 << i)),
        ];
        let texts = ["x", "y", "z"].map(|text| ParameterValue::Text(text.to_owned()));
        parameters.insert(1, Parameter { name: "d".to_owned(), values: texts.to_vec() });
        let constraints: Vec<&str> = constraints.iter().map(String::as_str).collect();
        let mut scope = Scope::new();
        scope.set("n", n);
        check(&space(parameters, &constraints), &scope);
    }
}

#[test]
fn a_space_without_parameters_has_one_point() {
    let space = space(vec![], &[]);
    let legal = space.legal(&Scope::new()).unwrap();
    assert_eq!((legal.len(), legal.product_size()), (1, 1));
    assert_eq!(legal.candidate(0).to_string(), "");
    assert_eq!(legal.find(&Candidate::default()), Some(0));
    assert!(legal.neighbours(0).is_empty());
}

/// A product of 8^8 = 16,777,216 points of which few are legal; every kind of constraint that
/// kernels have.
#[test]
fn large_products_are_solved_and_not_filtered() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let parameters = names.map(|name| integers(name, (0..8).map(|i| 1 << i))).to_vec();
    let constraints = [
        "a * b * c <= 64",
        "is_power_of_two(a * b)",
        "(a * d + b * e) * 4 <= 256",
        "n % (c * d) == 0 && c * d >= 16",
        "f == a || f == b",
        "g * h <= d",
    ];
    let mut scope = Scope::new();
    scope.set("n", 4096);
    let space = space(parameters, &constraints);
    let legal = space.legal(&scope).unwrap();
    assert_eq!(legal.product_size(), 1 << 24);
    let full = |index: usize| space.check(&legal.candidate(index), &scope);
    assert!((0..legal.len()).all(|index| full(index).is_ok()));
    assert!((1..legal.len()).all(|index| legal.indices(index - 1) < legal.indices(index)));
    insta::assert_snapshot!(legal.len().to_string(), @"14836");
}

/// Checks what is said of a space that cannot be enumerated.
#[track_caller]
fn check_error(parameters: Vec<Parameter>, constraints: &[&str], code: &str, message: &str) {
    let mut scope = Scope::new();
    scope.set("n", 100);
    let diagnostic = space(parameters, constraints).legal(&scope).unwrap_err();
    assert_eq!((diagnostic.code.as_str(), diagnostic.message.as_str()), (code, message));
}

#[test]
fn an_empty_space_names_the_constraints_to_blame() {
    let parameters = || vec![integers("a", [1, 2, 4]), integers("b", [1, 2, 4])];
    check_error(
        parameters(),
        &["a <= 4", "a * 3 == n", "b < 9"],
        "space.empty",
        "no candidate satisfies `a * 3 == n`, with n = 100",
    );
    check_error(
        parameters(),
        &["a > 4", "b <= 4", "n < b"],
        "space.empty",
        "no candidate satisfies `a > 4` and `n < b`, each of them alone",
    );
    check_error(
        parameters(),
        &["b > 0", "a * b > 8", "a != 4", "b < n"],
        "space.empty",
        "no candidate satisfies `a * b > 8` and `a != 4` together",
    );
    check_error(
        parameters(),
        &["n < 1"],
        "space.empty",
        "no candidate satisfies `n < 1`, with n = 100",
    );
}

#[test]
fn a_fault_names_the_candidate() {
    let parameters = || vec![integers("a", [0, 1]), integers("b", [0, 1, 2])];
    check_error(
        parameters(),
        &["n % (a * b) == 0"],
        "expression.division-by-zero",
        "`n % (a * b)` divides by zero with n = 100, a = 0, b = 0, at candidate `a=0,b=0`",
    );
    check_error(
        parameters(),
        &["a == 1", "a * b * 9223372036854775807 > 0", "b != 1"],
        "expression.overflow",
        "`a * b * 9223372036854775807` does not fit in 64 bits with a = 1, b = 2, at candidate \
         `a=1,b=2`",
    );
    check_error(
        parameters(),
        &["m == 1"],
        "expression.unknown-name",
        "`m` is not a name this expression can use",
    );
    // What another constraint excludes does not fault, in whatever order they stand.
    let guarded = space(parameters(), &["100 % (a * b) == 0", "a * b != 0"]);
    assert_eq!(guarded.legal(&Scope::new()).unwrap().len(), 2);
}

#[test]
fn a_space_too_large_to_list_is_refused() {
    let names: Vec<String> = (0..40).map(|i| format!("p{i}")).collect();
    let parameters = |n: usize| names[..n].iter().map(|name| integers(name, 0..10)).collect();
    check_error(parameters(8), &[], "space.too-large", "more than 10000000 candidates are legal");
    check_error(
        parameters(40),
        &["p0 == 1"],
        "space.too-large",
        "the product of all values has 2^128 points or more",
    );
}

#[test]
fn candidates_read_what_they_print() {
    let check = |text: &str, expected: Result<&str, &str>| {
        let found = Candidate::parse(text);
        let found = found.as_ref().map(ToString::to_string);
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert_eq!(found.message, expected),
            _ => panic!("{text:?}: {found:?}"),
        }
    };
    check("b=2,a=1", Ok("a=1,b=2"));
    check(" b = row , a = -7 ", Ok("a=-7,b=row"));
    check("", Ok(""));
    check("a=float4,b=ns::x<3>", Ok("a=float4,b=ns::x<3>"));
    check("a", Err("`a` is not a pair `name=value`"));
    check("a=1,,b=2", Err("`` is not a pair `name=value`"));
    check("a=1,a=2", Err("`a` is given twice"));
    check("1a=1", Err("`1a` is not a parameter's name"));
    check("a=007", Err("`007` is not a parameter's value"));
    check("a=99999999999999999999", Err("`99999999999999999999` is not a parameter's value"));
    check("a=b=c", Err("`b=c` is not a parameter's value"));
    check("a=é", Err("`é` is not a parameter's value"));
    let candidate = Candidate::parse("b=row,a=1").unwrap();
    let json = serde_json::to_string(&candidate).unwrap();
    assert_eq!(json, r#"{"a":1,"b":"row"}"#);
    assert_eq!(serde_json::from_str::<Candidate>(&json).unwrap(), candidate);
    assert!(serde_json::from_str::<Candidate>(r#"{"a b":1}"#).is_err());
    assert!(serde_json::from_str::<Candidate>(r#"{"a":"x,y"}"#).is_err());
    assert!(serde_json::from_str::<Candidate>(r#"{"a":1.5}"#).is_err());
}
