//! Tensor math: its values, against a second interpreter and against known numbers.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests compare exactly where they say so"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small positive numbers of the tests"
)]

mod math_support;

use std::collections::BTreeMap;

use math_support::programs::PROGRAMS;
use math_support::{declare, extents, fill, naive, parse};
use proptest::prelude::*;
use ridge_spec::dtype::Dtype;
use ridge_spec::math::{Declarations, EvaluateError, NamedTensor, Program, round_to};

fn program_of(
    case: &(&str, &str, &str, &str, &str),
) -> (Program, Declarations, BTreeMap<String, i64>) {
    let axes = extents(case.1);
    let names: Vec<&str> = axes.keys().map(String::as_str).collect();
    let declarations = declare(&names.join(" "), case.2, case.3);
    (parse(case.4, &declarations), declarations, axes)
}

#[track_caller]
fn assert_close(name: &str, found: &NamedTensor, expected: &NamedTensor) {
    assert_eq!(found.axes, expected.axes, "{name}");
    for (i, (&a, &b)) in found.data.iter().zip(&expected.data).enumerate() {
        let scale = 1.0 + b.abs();
        let close = a == b || (a - b).abs() <= 1e-9 * scale || (a.is_nan() && b.is_nan());
        assert!(close, "{name}[{i}]: {a} and {b}");
    }
}

#[test]
fn agrees_with_the_slow_interpreter() {
    for case in PROGRAMS {
        let (program, declarations, axes) = program_of(case);
        let inputs = fill(&declarations, &axes, 24);
        let found = program.evaluate(&axes, &inputs).unwrap();
        let expected = naive(&program, &axes, &inputs);
        assert_eq!(found.len(), expected.len());
        for (name, tensor) in &found {
            assert_close(&format!("{}: {name}", case.0), tensor, &expected[name]);
        }
    }
}

#[test]
fn slabs_are_parts_of_the_whole() {
    let mut independent = BTreeMap::new();
    for case in PROGRAMS {
        let (program, declarations, axes) = program_of(case);
        let inputs = fill(&declarations, &axes, 24);
        let whole = program.evaluate(&axes, &inputs).unwrap();
        independent.insert(case.0, program.independent_axes());
        for axis in program.independent_axes() {
            let extent = usize::try_from(axes[&axis]).unwrap();
            let middle = extent / 3;
            for range in [0..middle, middle..extent, extent..extent] {
                let slab = program.evaluate_slab(&axis, range.clone(), &axes, &inputs).unwrap();
                for (name, tensor) in &slab {
                    let expected = part(&whole[name], &axis, range.clone());
                    assert_close(&format!("{}: {name}", case.0), tensor, &expected);
                }
            }
            let beyond = program.evaluate_slab(&axis, 0..extent + 1, &axes, &inputs);
            assert!(matches!(beyond, Err(EvaluateError::Slab { .. })));
        }
    }
    assert_eq!(independent["rmsnorm"], ["rows"]);
    assert_eq!(independent["rope by halves"], ["tokens", "heads"]);
    assert_eq!(independent["column softmax, transposed"], ["cols"]);
    assert_eq!(independent["causal attention"], ["heads"]);
    assert_eq!(independent["softmax over everything"], Vec::<String>::new());
    assert_eq!(independent["matrix product"], ["m", "n"]);
}

fn part(tensor: &NamedTensor, axis: &str, range: std::ops::Range<usize>) -> NamedTensor {
    let place = tensor.axes.iter().position(|(name, _)| name == axis).unwrap();
    let extent = tensor.axes[place].1;
    let inner: usize = tensor.axes[place + 1..].iter().map(|(_, extent)| extent).product();
    let mut axes = tensor.axes.clone();
    axes[place].1 = range.len();
    let data = tensor
        .data
        .chunks(extent * inner)
        .flat_map(|chunk| &chunk[range.start * inner..range.end * inner])
        .copied()
        .collect();
    NamedTensor { axes, data }
}

#[test]
fn sums_are_exact_where_naive_ones_are_not() {
    let declarations = declare("n", "x: n", "s: scalar, m: scalar");
    let program = parse("s = sum(x, n); m = mean(x, n)", &declarations);
    let axes = extents("n=100000");
    let mut data = vec![0.1; 100_000];
    data[0] = 1e16;
    data[99_999] = -1e16;
    let inputs = BTreeMap::from([(
        "x".to_owned(),
        NamedTensor { axes: vec![("n".to_owned(), 100_000)], data },
    )]);
    let outputs = program.evaluate(&axes, &inputs).unwrap();
    let sum = outputs["s"].data[0];
    // The run that holds 1e16 loses up to its own rounding error, 256 elements' worth.
    assert!((sum - 9999.8).abs() < 40.0, "{sum}");
    assert_eq!(outputs["m"].data[0], sum / 100_000.0);
}

#[track_caller]
fn check_value(text: &str, expected: f64) {
    let program = parse(&format!("y = {text}"), &declare("", "x: scalar", "y: scalar"));
    let inputs = BTreeMap::from([("x".to_owned(), NamedTensor::scalar(3.0))]);
    let value = program.evaluate(&BTreeMap::new(), &inputs).unwrap()["y"].data[0];
    let same = value == expected || (value.is_nan() && expected.is_nan());
    assert!(same, "{text}: {value}, not {expected}");
}

#[test]
fn operators_and_functions_have_their_values() {
    check_value("x - 2 - 1", 0.0);
    check_value("12 / x / 2", 2.0);
    check_value("-x * 2 + 10", 4.0);
    check_value("2 * (x + 1)", 8.0);
    check_value("1 + 1 == 2 && 3 >= x || 0", 1.0);
    check_value("!(x < 3) && !0", 1.0);
    check_value("not(x) + neg(x)", -3.0);
    check_value("min(x, 1, 2) + max(x, 5)", 6.0);
    check_value("max(x, nan)", f64::NAN);
    check_value("min(nan, x)", f64::NAN);
    check_value("nan == nan", 0.0);
    check_value("nan != nan", 1.0);
    check_value("where(x > 2, 1, log(-1))", 1.0);
    check_value("where(0, 1, inf)", f64::INFINITY);
    check_value("pow(2, x)", 8.0);
    check_value("rsqrt(4) + sqrt(4)", 2.5);
    check_value("sigmoid(0) + sigmoid(-800) + sigmoid(800)", 1.5);
    check_value("round(2.5) + round(3.5) + floor(-0.5) + ceil(0.2)", 6.0);
    check_value("abs(-x) + exp(0) + log(1) + tanh(0) + sin(0) + cos(0)", 5.0);
    // The value of the error function at 1, to all digits.
    check_value("erf(1)", 0.842_700_792_949_714_9);
    check_value("cast(2.5, i32) + cast(-2.9, i8) + cast(300, u8) + cast(7, bool)", 256.0);
    check_value("1e-6 * 1E+6", 1.0);
    check_value("pi", std::f64::consts::PI);
}

#[test]
fn casts_round_to_the_grid_of_the_type() {
    for (dtype, value, expected) in [
        (Dtype::F32, 0.1, 0.100_000_001_490_116_12),
        (Dtype::F32, 1e39, f64::INFINITY),
        (Dtype::F16, 2049.0, 2048.0),
        (Dtype::F16, 2051.0, 2052.0),
        (Dtype::F16, 65519.9, 65504.0),
        (Dtype::F16, 65520.0, f64::INFINITY),
        (Dtype::F16, 2.0_f64.powi(-25), 0.0),
        (Dtype::F16, 2.0_f64.powi(-25) * 1.0001, 2.0_f64.powi(-24)),
        // Rounding twice, through binary32, would give 1.
        (Dtype::F16, 1.0 + 2.0_f64.powi(-11) + 2.0_f64.powi(-40), 1.0 + 2.0_f64.powi(-10)),
        (Dtype::Bf16, 1.0 + 2.0_f64.powi(-8), 1.0),
        (Dtype::Bf16, 1.0 + 3.0 * 2.0_f64.powi(-8), 1.0 + 2.0_f64.powi(-6)),
        (Dtype::Bf16, 3.4e38, f64::INFINITY),
        (
            Dtype::Bf16,
            f64::from(f32::from_bits(0x7f7f_0000)),
            f64::from(f32::from_bits(0x7f7f_0000)),
        ),
        (Dtype::F8e4m3, 1000.0, 448.0),
        (Dtype::F8e4m3, f64::NEG_INFINITY, -448.0),
        (Dtype::F8e4m3, 17.0, 16.0),
        (Dtype::F8e4m3, 0.001, 2.0_f64.powi(-9)),
        (Dtype::F8e5m2, 1e9, 57344.0),
        (Dtype::F8e5m2, 9.0, 8.0),
        (Dtype::I32, -2.9, -2.0),
        (Dtype::I32, 1e12, 2_147_483_647.0),
        (Dtype::U8, -1.0, 0.0),
        (Dtype::I8, f64::NAN, 0.0),
        (Dtype::Bool, 0.5, 1.0),
        (Dtype::F64, 0.1, 0.1),
    ] {
        assert_eq!(round_to(dtype, value), expected, "{dtype} {value}");
    }
    assert!(round_to(Dtype::F8e4m3, f64::NAN).is_nan());
    assert!(round_to(Dtype::F16, -1e-30).is_sign_negative());
}

#[test]
fn a_type_variable_in_a_cast_is_bound_by_the_workload() {
    let declarations = declare("n", "x: n", "y: n");
    let program = parse("y = cast(x, T)", &declarations);
    let axes = extents("n=1");
    let inputs = BTreeMap::from([(
        "x".to_owned(),
        NamedTensor { axes: vec![("n".to_owned(), 1)], data: vec![1.003] },
    )]);
    let value = |dtype| {
        let bound = program.with_types(&BTreeMap::from([("T".to_owned(), dtype)]));
        bound.evaluate(&axes, &inputs).unwrap()["y"].data[0]
    };
    assert_eq!(value(Dtype::Bf16), 1.0);
    assert_eq!(value(Dtype::F16), 1.002_929_687_5);
    let unbound = program.evaluate(&axes, &inputs).unwrap_err();
    assert_eq!(unbound.to_string(), "math:1:5: the type variable `T` has no dtype");
}

#[track_caller]
fn check_error(axes: &str, inputs: &str, text: &str, values: &str, expected: &str) {
    let declarations = declare(axes, inputs, "y: n");
    let program = parse(text, &declarations);
    let axes = extents(values);
    let inputs = fill(&declarations, &axes, 50);
    let error = program.evaluate(&axes, &inputs).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn values_that_do_not_fit_are_errors_with_a_place() {
    check_error(
        "n h",
        "x: n",
        "y = broadcast(sum(x[n: 0 .. h as p], p), n)",
        "n=4 h=5",
        "math:1:29: 0 .. 5 lies outside an axis of extent 4",
    );
    check_error(
        "n h",
        "x: n",
        "y = broadcast(x[n: h - 9], n)",
        "n=4 h=5",
        "math:1:20: the position `h - 9` is -4",
    );
    check_error(
        "n h",
        "x: n",
        "y = concat(x, x, n, n as m)[m: 0 .. h as n]",
        "n=4 h=5",
        "math:1:5: the axis `n` has the extent 4 and here the extent 5",
    );
    check_error(
        "n",
        "x: n, i: n = i32",
        "y = take(x, i, n)",
        "n=4",
        "math:1:5: the index 8 lies outside `n` of extent 4",
    );
    check_error("n", "x: n", "y = x", "m=4", "the axis `n` has no extent");
    check_error("n", "", "y = index(n)", "n=-4", "the axis `n` has the extent -4");
}

#[test]
fn inputs_must_be_as_declared() {
    let declarations = declare("n m", "x: n m", "y: n m");
    let program = parse("y = x", &declarations);
    let axes = extents("n=2 m=3");
    let check = |shape: &[(&str, usize)], n: usize, expected: &str| {
        let tensor = NamedTensor {
            axes: shape.iter().map(|&(name, extent)| (name.to_owned(), extent)).collect(),
            data: vec![0.0; n],
        };
        let inputs = BTreeMap::from([("x".to_owned(), tensor)]);
        let result = program.evaluate(&axes, &inputs).map_err(|error| error.to_string());
        assert_eq!(result.err().unwrap_or_default(), expected);
    };
    check(&[("n", 2), ("m", 3)], 6, "");
    check(&[("m", 3), ("n", 2)], 6, "");
    let declared = "where [n=2, m=3] is declared";
    check(
        &[("n", 2), ("m", 3)],
        5,
        &format!("the input `x` is [n=2, m=3] with 5 elements, {declared}"),
    );
    check(&[("n", 2)], 2, &format!("the input `x` is [n=2] with 2 elements, {declared}"));
    check(
        &[("n", 2), ("n", 2), ("m", 3)],
        12,
        &format!("the input `x` is [n=2, n=2, m=3] with 12 elements, {declared}"),
    );
    let missing = program.evaluate(&axes, &BTreeMap::new()).unwrap_err();
    assert_eq!(missing.to_string(), "the input `x` is missing");
    let huge = parse("y = broadcast(1, n, m)", &declarations);
    let axes = extents("n=4611686018427387904 m=4611686018427387904");
    assert_eq!(huge.evaluate(&axes, &BTreeMap::new()), Err(EvaluateError::TooLarge));
}

#[test]
fn an_empty_axis_is_no_error() {
    let declarations = declare("rows cols", "x: rows cols", "y: rows cols, s: rows, m: rows");
    let program = parse("y = x * 2; s = sum(x, cols); m = max(x, cols)", &declarations);
    let axes = extents("rows=2 cols=0");
    let outputs = program.evaluate(&axes, &fill(&declarations, &axes, 1)).unwrap();
    assert_eq!(outputs["y"].data, Vec::<f64>::new());
    assert_eq!(outputs["s"].data, [0.0, 0.0]);
    assert_eq!(outputs["m"].data, [f64::NEG_INFINITY; 2]);
}

#[test]
fn flops_count_each_node_once() {
    let check = |text: &str, expected: u64| {
        let declarations = declare("n m", "x: n m, i: n = i32", "y: n m");
        let program = parse(text, &declarations);
        assert_eq!(program.flops(&extents("n=3 m=4")), expected, "{text}");
    };
    check("y = x", 0);
    check("y = x + x", 12);
    check("y = exp(x) * 2 < 1", 36);
    // The square is one node however often it is written.
    check("y = x * x + x * x", 24);
    check("y = x - sum(x, m)", 9 + 12);
    check("y = x - mean(x, m)", 9 + 3 + 12);
    check("y = cast(broadcast(take(x[m: 0], i, n), m), f16)", 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random expressions over one to three axes, of which every one can be split.
    #[test]
    fn random_programs_agree_with_the_slow_interpreter(
        text in expression(),
        (a, b, c) in (1_i64..40, 1_i64..40, 1_i64..30),
    ) {
        let declarations = declare("a b c", "x: a b c, y: c b, z: a, i: b = i32", "out: a b c, flat: c");
        let text = format!("v = {text}\nout = broadcast(v, a, b, c)\nflat = sum(out, a, b)");
        let program = parse(&text, &declarations);
        let axes = extents(&format!("a={a} b={b} c={c}"));
        let inputs = fill(&declarations, &axes, b);
        let found = program.evaluate(&axes, &inputs).unwrap();
        let expected = naive(&program, &axes, &inputs);
        for (name, tensor) in &found {
            assert_close(&format!("{text}: {name}"), tensor, &expected[name]);
        }
    }
}

/// Expressions whose values stay small, whatever their axes.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x"),
        Just("y"),
        Just("z"),
        Just("i / b"),
        Just("0.5"),
        Just("index(a) / a"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} + {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("tanh({l} * {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("where({l} < {r}, {l}, {r})")),
            inner.clone().prop_map(|e| format!("max(broadcast({e}, b), b)")),
            inner.clone().prop_map(|e| format!("mean(broadcast({e}, a, c), a, c)")),
            inner.clone().prop_map(|e| format!("sigmoid(-{e})")),
            inner.clone().prop_map(|e| format!("broadcast({e}, c)[c: c - 1]")),
            inner.clone().prop_map(|e| format!("take(broadcast({e}, b), i, b)")),
            inner.prop_map(|e| format!(
                "concat(broadcast({e}, a)[a: a / 2 .. a as h], broadcast({e}, a)[a: 0 .. a / 2 as l], h, l as a)"
            )),
        ]
    })
}
