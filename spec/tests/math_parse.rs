//! Tensor math: what parses, what its canonical text is, and what is refused where.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use ridge_spec::dtype::Dtype;
use ridge_spec::expression::Origin;
use ridge_spec::math::{Declaration, Declarations, Program, TakeBound};

/// `x[rows, cols]`, `w[cols]`, `ids[rows]` (integers), the scalar `eps`; the output `y[rows, cols]`.
fn declarations() -> Declarations {
    let tensor = |name: &str, axes: &[&str], dtype| Declaration {
        name: name.to_owned(),
        axes: Some(axes.iter().map(|&axis| axis.to_owned()).collect()),
        dtypes: vec![dtype],
    };
    Declarations {
        axes: ["rows", "cols", "half"].map(str::to_owned).to_vec(),
        types: BTreeMap::from([("T".to_owned(), vec![Dtype::Bf16, Dtype::F16])]),
        inputs: vec![
            tensor("x", &["rows", "cols"], Dtype::F32),
            tensor("w", &["cols"], Dtype::F32),
            tensor("ids", &["rows"], Dtype::I32),
            Declaration { name: "eps".to_owned(), axes: None, dtypes: vec![Dtype::F32] },
        ],
        outputs: vec![tensor("y", &["rows", "cols"], Dtype::F32)],
    }
}

fn parse(text: &str) -> Result<Program, Vec<ridge_spec::diagnostic::Diagnostic>> {
    Program::parse(text, &Origin::standalone("math", text), &declarations())
}

#[track_caller]
fn check_canonical(text: &str, expected: &str) {
    let program = parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    assert_eq!(program.to_string(), expected);
    assert_eq!(parse(expected).unwrap(), program);
}

#[test]
fn the_canonical_text_has_one_spelling() {
    check_canonical("y=x", "y = x\n");
    check_canonical(
        "# comment\n\n  m = max( x , cols ) ; y=(x-m)*1.50  # more\n",
        "m = max(x, cols)\ny = (x - m) * 1.5\n",
    );
    check_canonical("y = (\n  x\n  + w\n)", "y = x + w\n");
    check_canonical("y = x - (w - eps) - ((x))", "y = x - (w - eps) - x\n");
    check_canonical("y = -x*-(w+1)", "y = -x * -(w + 1.0)\n");
    check_canonical("y = neg(neg(x)) + !(-x)", "y = --x + !-x\n");
    check_canonical(
        "y = where((x < w) == (x > eps) && !(x != 1e-6), x, 0)",
        "y = where((x < w) == (x > eps) && !(x != 1e-6), x, 0.0)\n",
    );
    check_canonical("y = (x || w) && eps", "y = (x || w) && eps\n");
    check_canonical(
        "y = concat( x[cols:0..half as half], (-x)[cols:half ..\ncols as half], half as cols)",
        "y = concat(x[cols: 0 .. half as half], (-x)[cols: half .. cols as half], half as cols)\n",
    );
    check_canonical(
        "y = x[rows: ceil_div(rows,2), cols as half][half as cols] + broadcast(0, rows)",
        "y = x[rows: ceil_div(rows,2), cols as half][half as cols] + broadcast(0.0, rows)\n",
    );
}

/// One line for each error: code, place, message, hint, and the marked text.
fn errors(text: &str) -> String {
    let mut out = String::new();
    match parse(text) {
        Ok(_) => out.push_str("  parses\n"),
        Err(errors) => {
            for error in errors {
                let place = error.location.as_ref().unwrap();
                let column = usize::try_from(place.column).unwrap() - 1;
                let length = usize::try_from(place.length).unwrap();
                let marked: String = place.text.chars().skip(column).take(length).collect();
                writeln!(out, "  {}: {error} ⟦{marked}⟧", error.code).unwrap();
                if let Some(hint) = error.hint {
                    writeln!(out, "    hint: {hint}").unwrap();
                }
            }
        }
    }
    out
}

#[test]
fn errors_name_the_rule_the_value_and_the_place() {
    let deep = format!("y = {}x{}", "(".repeat(300), ")".repeat(300));
    let long_chain = format!("y = x{}", " + x".repeat(200));
    let programs: &[&str] = &[
        "",
        "y = ",
        "y x",
        "y = x +\ny = w",
        "y = x x",
        "y = (x",
        "y = x)",
        "y = x @ w\nz = 1 ? 2",
        "y = 1e999",
        "y = x < w < eps",
        "as = x",
        "y = x[cols: 0 .. 2]",
        "y = x[cols: .. 2 as p]",
        "y = x[cols: 2 +* 3 as p]",
        "y = x[]",
        "y = x + v",
        "y = x + wieght",
        "weight = w\ny = x + wieght + weight",
        "y = y + x",
        "y = sofmax(x)",
        "y = rsqr(x)",
        "y = exp(x, w)",
        "y = exp()",
        "y = sum(x)",
        "y = sum(x, w)",
        "y = x - sum(x, cals)",
        "y = x - sum(x, 2)",
        "y = x - sum(w, rows)",
        "y = x - sum(eps, rows)",
        "y = x - sum(x, cols, cols)",
        "y = sum(x, cols)",
        "y = w",
        "y = eps",
        "y = broadcast(x[cols: 0 .. 2 as part], cols)",
        "m = max(x, cols)\ny = x",
        "yy = x",
        "y = x\ny = w",
        "x = w\ny = x",
        "rows = w\ny = x",
        "inf = 1\ny = x",
        "y = cast(x, bf17)",
        "y = cast(x, x + 1)",
        "y = take(x, w, cols)",
        "y = take(x, ids / 2, cols)",
        "y = take(x, ids, half) + w",
        "y = exp(x as z)",
        "y = x[cols as rows]",
        "y = x[cols: 0 .. wide as part]",
        "y = x[cols as x]",
        "y = concat(x, x, cols)",
        "y = concat(x, x, x, rows, cols as cols)",
        "y = concat(x, x, rows as cols)",
        "y = concat(x[cols as p], x[cols as p], p as cols) + index(q)",
        "y = x * where(x, 1)",
        "a = v + 1\nb = a * 2\ny = b + a",
        &deep,
        &long_chain,
    ];
    let mut out = String::new();
    for program in programs {
        let shown: String = program.chars().take(70).collect();
        writeln!(out, "{shown:?}\n{}", errors(program)).unwrap();
    }
    insta::assert_snapshot!(out);
}

#[test]
fn hostile_nesting_is_an_error_and_no_overflow() {
    for (open, close) in [("(", ")"), ("-", ""), ("!", ""), ("exp(", ")"), ("x[cols: ", "]")] {
        for n in [100, 1000, 20_000 / open.len()] {
            let text = format!("y = {}x{}", open.repeat(n), close.repeat(n));
            if let Err(errors) = parse(&text) {
                assert!(!errors.is_empty());
            }
        }
    }
    let errors = parse(&"y".repeat(70_000)).unwrap_err();
    assert_eq!(errors[0].code, "math.too-long");
    let errors = parse(&format!("y = x{}", "\n+ x".repeat(9000).replace('\n', " "))).unwrap_err();
    assert_eq!(errors[0].code, "math.too-deep");
    // Long and shallow is fine.
    let mut text = "a0 = x\n".to_owned();
    for i in 0..1000 {
        writeln!(text, "a{} = a{i} * w", i + 1).unwrap();
    }
    text.push_str("y = a1000");
    assert_eq!(parse(&text).unwrap().graph().node_count(), 1002);
}

#[test]
fn equal_operations_are_one_node_in_evaluation_order() {
    let program = parse("a = exp(x * w)\nb = exp(x * w) + exp(x * w)\ny = a + b").unwrap();
    let graph = program.graph();
    let nodes: Vec<String> = graph
        .node_indices()
        .map(|node| {
            let operands: Vec<usize> =
                program.operands(node).iter().map(|operand| operand.index()).collect();
            assert!(operands.iter().all(|&operand| operand < node.index()));
            let name = graph[node].name.as_deref().unwrap_or("-");
            format!("{} {operands:?} {:?} {name}", graph[node].op, graph[node].axes)
        })
        .collect();
    assert_eq!(
        nodes,
        [
            r#"input x [] ["rows", "cols"] -"#,
            r#"input w [] ["cols"] -"#,
            r#"* [0, 1] ["rows", "cols"] -"#,
            r#"exp [2] ["rows", "cols"] a"#,
            r#"+ [3, 3] ["rows", "cols"] b"#,
            r#"+ [3, 4] ["rows", "cols"] y"#,
        ]
    );
    assert_eq!(program.inputs(), ["w", "x"]);
}

#[test]
fn integer_inputs_that_index_are_known_with_their_axis() {
    let bounds = |text: &str| parse(text).unwrap().take_bounds();
    let bound = |axis: &str| TakeBound { input: "ids".to_owned(), axis: axis.to_owned() };
    assert_eq!(bounds("y = x"), []);
    assert_eq!(bounds("y = x + take(x, ids, cols)"), [bound("cols")]);
    assert_eq!(
        bounds("y = x + take(x, cast(ids, i64), cols) + take(w, ids[rows: 0], cols)"),
        [bound("cols")]
    );
    assert_eq!(bounds("y = x + take(x, min(ids, 3), cols)"), []);
}

#[test]
fn places_point_into_the_file_around_the_program() {
    let file = "[reference]\nmath = \"\"\"\nm = mean(x, cols)\ny = x - n\n\"\"\"\n";
    let start = file.find("m = mean").unwrap();
    let text = &file[start..file.rfind("\"\"\"").unwrap()];
    let origin = Origin::new("kernel.toml", file, start);
    let errors = Program::parse(text, &origin, &declarations()).unwrap_err();
    assert_eq!(errors[0].to_string(), "kernel.toml:4:9: `n` is no input, axis or earlier name");
}

/// Expressions of every construct, well formed but not necessarily well typed.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{1,3}".prop_filter("a word of the language", |word| word != "as"),
        (0_u32..100_000).prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| format!("{:?}", x.abs())),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let operator = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("<"),
            Just(">="),
            Just("=="),
            Just("&&"),
            Just("||"),
        ];
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(l, o, r)| format!("({l}) {o} ({r})")),
            inner.clone().prop_map(|e| format!("-({e})")),
            inner.clone().prop_map(|e| format!("!({e})")),
            ("[a-z]{2,6}", prop::collection::vec(inner.clone(), 0..4))
                .prop_filter("a word of the language", |(name, _)| name != "as")
                .prop_map(|(name, arguments)| format!("{name}({})", arguments.join(", "))),
            inner.clone().prop_map(|e| format!("({e})[cols: 0 .. cols/2 as half, rows: 3]")),
            inner.prop_map(|e| format!("concat({e}, x as half)")),
        ]
    })
}

/// Expressions over the declared names that lower without errors.
fn well_typed() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x"),
        Just("w"),
        Just("eps"),
        Just("ids"),
        Just("1.5"),
        Just("inf"),
        Just("cols"),
        Just("index(rows)"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(6, 30, 3, |inner| {
        let operator = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("<"),
            Just(">="),
            Just("=="),
            Just("&&"),
            Just("||"),
        ];
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(l, o, r)| format!("({l}) {o} ({r})")),
            inner.clone().prop_map(|e| format!("-({e})")),
            inner.clone().prop_map(|e| format!("tanh({e})")),
            inner.clone().prop_map(|e| format!("cast({e}, T)")),
            inner.clone().prop_map(|e| format!("max({e}, broadcast(1, cols), cols)")),
            inner.prop_map(|e| format!("broadcast({e}, cols)[cols: cols / 2 .. cols as p][p: 0]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_parses_or_is_refused(text in "\\PC{0,120}") {
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn any_tokens_parse_or_are_refused(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "y", "x", "w", "rows", "cols", "half", "=", "+", "-", "*", "/", "(", ")", "[", "]",
                ",", ":", "..", "as", "\n", ";", "1", "2.5", "max", "sum", "take", "concat", "cast",
                "where", "index", "broadcast", "ids", "bf16", "<", "==", "&&", "!", "%", "#", ".",
            ]),
            0..60,
        ),
    ) {
        let text = tokens.join(" ");
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn expressions_of_any_form_parse_or_are_refused(text in expression()) {
        if let Err(errors) = parse(&format!("y = {text}")) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn printing_and_parsing_is_the_identity(text in well_typed()) {
        let program = parse(&format!("y = broadcast({text}, rows, cols)")).unwrap();
        let printed = program.to_string();
        let again = parse(&printed).unwrap();
        prop_assert_eq!(again.to_string(), printed);
        let nodes = |program: &Program| -> Vec<String> {
            let graph = program.graph();
            graph.node_indices().map(|node| {
                format!("{} {:?} {:?}", graph[node].op, graph[node].axes, program.operands(node))
            }).collect()
        };
        prop_assert_eq!(nodes(&again), nodes(&program));
    }
}
