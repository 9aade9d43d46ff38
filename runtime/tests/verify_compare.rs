//! What the comparison says about planted mistakes.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails; numbers are exact by construction"
)]

use proptest::prelude::*;
use ridge_runtime::numeric::{decode_slice, encode_slice};
use ridge_runtime::verify::{CompareRequest, Comparison, Expected, ExpectedValues, compare};
use ridge_spec::dtype::Dtype;
use ridge_spec::outcome::{AxisLength, Mismatch, Resemblance, ToleranceUsed};

const TOLERANCE: ToleranceUsed =
    ToleranceUsed { absolute: 1e-2, relative: 1e-2, matched_ratio: 1.0 };

fn axes(shape: &[(&str, u64)]) -> Vec<AxisLength> {
    let axis = |(name, length): &(&str, u64)| AxisLength { name: (*name).into(), length: *length };
    shape.iter().map(axis).collect()
}

/// Values without pattern, between -4 and 4.
fn noise(n: usize) -> Vec<f64> {
    let bits = |i: usize| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = |i: usize| (bits(i) ^ bits(i) >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..n).map(|i| (mixed(i) >> 11) as f64 * 2.0_f64.powi(-50) - 4.0).collect()
}

/// A comparison with everything at its plainest.
fn request<'a>(
    dtype: Dtype,
    axes: &'a [AxisLength],
    bytes: &'a [u8],
    expected: &'a Expected,
) -> CompareRequest<'a> {
    CompareRequest {
        output: "y",
        dtype,
        axes,
        bytes,
        written: None,
        initial: None,
        expected,
        tolerance: TOLERANCE,
        inputs: None,
    }
}

fn run(
    shape: &[(&str, u64)],
    got: &[f64],
    expected: &[f64],
    written: Option<&[u64]>,
) -> Comparison {
    let (axes, bytes) = (axes(shape), encode_slice(Dtype::F32, got));
    let expected = Expected::real(expected.to_vec());
    compare(&CompareRequest { written, ..request(Dtype::F32, &axes, &bytes, &expected) }).unwrap()
}

/// Plants a mistake in a tensor of noise and writes down what is said of it.
fn describe(shape: &[(&str, u64)], plant: impl Fn(usize, &[f64]) -> f64) -> String {
    let n = shape.iter().map(|(_, length)| usize::try_from(*length).unwrap()).product();
    let expected = noise(n);
    let got: Vec<f64> = (0..n).map(|at| plant(at, &expected)).collect();
    let comparison = run(shape, &got, &expected, None);
    match comparison.mismatch {
        Some(mismatch) => {
            let hint = mismatch.hint().unwrap_or_else(|| "none".to_owned());
            format!("{mismatch}\nhint: {hint}")
        }
        None => format!("within tolerance, worst ratio {:.3}", comparison.worst_ratio),
    }
}

#[test]
fn says_where_and_what() {
    type Wrong = fn(usize, usize) -> bool;
    type Change = fn(f64) -> f64;
    type Place = (&'static str, Wrong, Change);
    type Move = (&'static str, fn(usize) -> usize);
    const SHAPE: [(&str, u64); 2] = [("rows", 256), ("cols", 192)];
    let off: Change = |v| v * v + 17.0 + v;
    let places: [Place; 23] = [
        ("nothing", |_, _| false, off),
        ("a little everywhere", |_, _| true, |v| v + 1e-3),
        ("one element", |r, c| (r, c) == (3, 7), off),
        ("the last 7 columns", |_, c| c >= 185, off),
        ("the first 2 rows", |r, _| r < 2, off),
        ("rows from 128", |r, _| r >= 128, off),
        ("rows 32 to 63", |r, _| (32..64).contains(&r), off),
        ("one row", |r, _| r == 200, off),
        ("columns 3 mod 8", |_, c| c % 8 == 3, off),
        ("columns 4 to 7 mod 8", |_, c| c % 8 >= 4, off),
        ("every tenth row", |r, _| r % 10 == 1, off),
        ("a corner", |r, c| r >= 250 && c >= 190, off),
        ("half of the last columns", |r, c| c >= 185 && (r + c) % 2 == 0, off),
        ("scattered", |r, c| (r * 7919 + c * 104_729) % 211 == 0, off),
        ("everything", |_, _| true, off),
        ("twice", |_, _| true, |v| v * 2.0),
        ("a 32nd", |_, _| true, |v| v / 32.0),
        ("the wrong sign", |_, _| true, |v| -v),
        ("plus one", |_, _| true, |v| v + 1.0),
        ("zero", |r, _| r >= 192, |_| 0.0),
        ("NaN", |_, c| c == 5, |_| f64::NAN),
        ("infinity", |r, c| r == 9 && c < 4, |_| f64::INFINITY),
        ("one value", |_, _| true, |_| 2.5),
    ];
    let mut said: Vec<(&str, String)> = Vec::new();
    for (what, wrong, change) in places {
        let plant = |at: usize, expected: &[f64]| {
            let value = expected[at];
            if wrong(at / 192, at % 192) { change(value) } else { value }
        };
        said.push((what, describe(&SHAPE, plant)));
    }
    let moves: [Move; 3] = [
        ("shifted by one", |at| if at % 192 < 191 { at + 1 } else { at }),
        ("rows shifted back by 4", |at| at.saturating_sub(4 * 192)),
        ("transposed", |at| at % 256 * 192 + at / 256),
    ];
    for (what, from) in moves {
        said.push((what, describe(&SHAPE, |at, expected| expected[from(at)])));
    }
    said.push(("a scalar", describe(&[], |at, expected| expected[at] + 3.0)));
    let text: String = said.iter().map(|(what, text)| format!("# {what}\n{text}\n\n")).collect();
    insta::assert_snapshot!("says_where_and_what", text);
}

#[test]
fn a_mismatch_is_whole_in_json_and_comes_back() {
    let expected = noise(64);
    let mut got = expected.clone();
    got[9] = f64::NAN;
    got[60] = f64::INFINITY;
    got[61] += 1.0;
    let mismatch = run(&[("rows", 8), ("cols", 8)], &got, &expected, None).mismatch.unwrap();
    let text = serde_json::to_string_pretty(&mismatch).unwrap();
    insta::assert_snapshot!("mismatch_json", text);
    let back: Mismatch = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string_pretty(&back).unwrap(), text);
}

#[test]
fn only_written_elements_count() {
    let shape = [("rows", 64), ("cols", 64)];
    let expected = noise(4096);
    // Rows 0 to 15 and 32 to 47 were written; what lies between is garbage.
    let is_written = |at: usize| (at / 1024).is_multiple_of(2);
    let mut got: Vec<f64> =
        (0..4096).map(|at| if is_written(at) { expected[at] } else { 1e9 }).collect();
    // Sixteen elements of four bytes a word.
    let written: Vec<u64> =
        (0..256).map(|word| if is_written(word * 16) { u64::MAX } else { 0 }).collect();
    let comparison = run(&shape, &got, &expected, Some(&written));
    assert_eq!((comparison.n_compared, comparison.n_mismatched), (2048, 0));
    // A wrong column in the written part is said to be the whole column.
    for row in 0..64 {
        got[row * 64 + 63] = expected[row * 64 + 63] + 1.0 + row as f64;
    }
    let comparison = run(&shape, &got, &expected, Some(&written));
    assert_eq!((comparison.n_compared, comparison.n_mismatched), (2048, 32));
    insta::assert_snapshot!("sampled", comparison.mismatch.unwrap().to_string());
}

/// One element of an output type, and whether it may stand for the expected value.
#[track_caller]
fn check_element(dtype: Dtype, got: f64, expected: f64, matches: bool) {
    let (axes, bytes) = (axes(&[("n", 1)]), encode_slice(dtype, &[got]));
    let comparison =
        compare(&request(dtype, &axes, &bytes, &Expected::real(vec![expected]))).unwrap();
    assert_eq!(comparison.mismatch.is_none(), matches, "{dtype}: {got} for {expected}");
}

#[test]
fn special_values() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    check_element(Dtype::F32, nan, nan, true);
    check_element(Dtype::F32, 0.0, nan, false);
    check_element(Dtype::F32, nan, 0.0, false);
    check_element(Dtype::F32, inf, inf, true);
    check_element(Dtype::F32, -inf, inf, false);
    check_element(Dtype::F32, f64::from(f32::MAX), inf, false);
    check_element(Dtype::F32, -0.0, 0.0, true);
    check_element(Dtype::F16, inf, 70_000.0, true);
    check_element(Dtype::F16, 65_504.0, 70_000.0, true);
    check_element(Dtype::F16, inf, 65_000.0, true);
    check_element(Dtype::F16, inf, 30_000.0, false);
    check_element(Dtype::F16, -inf, 70_000.0, false);
    check_element(Dtype::F8e4m3, 448.0, 1e6, true);
    check_element(Dtype::F8e4m3, 448.0, inf, true);
    check_element(Dtype::F8e4m3, 416.0, 1e6, false);
    check_element(Dtype::I32, 7.0, 7.0, true);
    check_element(Dtype::I32, 1000.0, 1001.0, false);
    check_element(Dtype::Bool, 1.0, 0.0, false);
    // Each bound alone suffices.
    check_element(Dtype::F32, 0.009, 0.0, true);
    check_element(Dtype::F32, 1009.0, 1000.0, true);
    check_element(Dtype::F32, 0.011, 0.0, false);
}

#[test]
fn integers_beyond_doubles_are_exact() {
    let check = |got: i64, expected: i64, matches: bool| {
        let expected =
            Expected { values: ExpectedValues::Integer(vec![expected].into()), slack: None };
        let (axes, bytes) = (axes(&[("n", 1)]), got.to_le_bytes());
        let comparison = compare(&request(Dtype::I64, &axes, &bytes, &expected)).unwrap();
        assert_eq!(comparison.mismatch.is_none(), matches);
    };
    check(1 << 60, 1 << 60, true);
    check((1 << 60) + 1, 1 << 60, false);
}

#[test]
fn a_share_may_be_out_of_tolerance_but_not_nan() {
    let values = noise(1000);
    let tolerance = ToleranceUsed { matched_ratio: 0.999, ..TOLERANCE };
    let check = |wrong: f64, matches: bool| {
        let mut got = values.clone();
        got[500] = wrong;
        let (axes, bytes) = (axes(&[("n", 1000)]), encode_slice(Dtype::F32, &got));
        let expected = Expected::real(values.clone());
        let plain = request(Dtype::F32, &axes, &bytes, &expected);
        let comparison = compare(&CompareRequest { tolerance, ..plain }).unwrap();
        assert_eq!((comparison.n_mismatched, comparison.mismatch.is_none()), (1, matches));
    };
    check(1e3, true);
    check(f64::NAN, false);
    check(f64::INFINITY, false);
}

#[test]
fn what_was_there_before_is_recognised() {
    let values = noise(512);
    let poison = noise(1024).split_off(512);
    let mut got = values.clone();
    got[300..].copy_from_slice(&poison[300..]);
    let (axes, bytes) = (axes(&[("n", 512)]), encode_slice(Dtype::Bf16, &got));
    let poison = encode_slice(Dtype::Bf16, &poison);
    let expected = Expected::real(values);
    let plain = request(Dtype::Bf16, &axes, &bytes, &expected);
    let comparison = compare(&CompareRequest { initial: Some(&poison), ..plain });
    let mismatch = comparison.unwrap().mismatch.unwrap();
    assert_eq!(mismatch.resembles, Some(Resemblance::Unwritten));
    assert!(mismatch.region.lower[0] >= 300);
}

#[test]
fn slack_is_added_to_the_tolerance() {
    let values = noise(100);
    let got: Vec<f64> = values.iter().map(|v| v + 0.5).collect();
    let (axes, bytes) = (axes(&[("n", 100)]), encode_slice(Dtype::F32, &got));
    let mut expected = Expected::real(values);
    let check = |expected: &Expected, n_mismatched: u64| {
        let comparison = compare(&request(Dtype::F32, &axes, &bytes, expected)).unwrap();
        assert_eq!(comparison.n_mismatched, n_mismatched);
    };
    check(&expected, 100);
    let slack = |at: usize| if at < 30 { 1.0 } else { 0.1 };
    expected.slack = Some(std::sync::Arc::new((0..100).map(slack).collect()));
    check(&expected, 70);
}

#[test]
fn sizes_that_differ_are_an_error() {
    let axes = axes(&[("n", 4)]);
    let expected = Expected::real(vec![0.0; 4]);
    let error = compare(&request(Dtype::F32, &axes, &[0; 12], &expected)).unwrap_err();
    let said = "output `y` has 12 bytes and its reference 4 elements of 4";
    assert_eq!(error.to_string(), said);
}

proptest! {
    #[test]
    fn counts_what_is_planted(
        n in 1_usize..5000,
        wrong in proptest::collection::btree_set(0_usize..5000, 0..40),
    ) {
        let expected = noise(n);
        let mut got = expected.clone();
        let wrong: Vec<usize> = wrong.into_iter().filter(|at| *at < n).collect();
        for &at in &wrong {
            got[at] += 10.0 + at as f64;
        }
        let comparison = run(&[("n", n as u64)], &got, &expected, None);
        prop_assert_eq!(comparison.n_mismatched, wrong.len() as u64);
        prop_assert_eq!(comparison.n_compared, n as u64);
        if let Some(mismatch) = comparison.mismatch {
            prop_assert_eq!(mismatch.first.index[0], wrong[0] as u64);
            prop_assert_eq!(mismatch.region.lower[0], wrong[0] as u64);
            prop_assert_eq!(mismatch.region.upper[0], wrong[wrong.len() - 1] as u64);
            let counted: u64 = mismatch.errors.decades.iter().map(|decade| decade.n).sum();
            prop_assert_eq!(counted + mismatch.errors.n_exact, n as u64);
        } else {
            prop_assert!(wrong.is_empty());
        }
    }

    #[test]
    fn the_sign_of_everything_does_not_matter(
        values in proptest::collection::vec(-50.0_f64..50.0, 1..300),
    ) {
        let n = values.len() as u64;
        let got: Vec<f64> = values.iter().map(|v| v + (v * 12.9898).sin() * 0.02).collect();
        let negative = |v: &[f64]| v.iter().map(|v| -v).collect::<Vec<_>>();
        let plain = run(&[("n", n)], &got, &values, None);
        let negated = run(&[("n", n)], &negative(&got), &negative(&values), None);
        prop_assert_eq!(plain.n_mismatched, negated.n_mismatched);
        prop_assert_eq!(plain.worst_ratio.to_bits(), negated.worst_ratio.to_bits());
    }

    #[test]
    fn equal_tensors_match(values in proptest::collection::vec(any::<f64>(), 0..300)) {
        let rounded = decode_slice(Dtype::F32, &encode_slice(Dtype::F32, &values));
        let comparison = run(&[("n", rounded.len() as u64)], &rounded, &rounded, None);
        prop_assert!(comparison.mismatch.is_none());
        prop_assert_eq!(comparison.worst, None);
    }
}

#[test]
fn says_that_whole_numbers_cannot_hold_what_is_expected() {
    let check = |dtype: Dtype, got: [f64; 2], expected: [f64; 2], hint: Option<&str>| {
        let (axes, bytes) = (axes(&[("n", 2)]), encode_slice(dtype, &got));
        let expected = Expected::real(expected.to_vec());
        let compared = compare(&request(dtype, &axes, &bytes, &expected)).unwrap();
        assert_eq!(compared.mismatch.unwrap().hint().as_deref(), hint, "{dtype}");
    };
    let said = "`y` is i8, which cannot hold 80.5: the reference must round it, or `cast` it";
    check(Dtype::I8, [80.0, 3.0], [80.5, 3.0], Some(said));
    let said = "`y` is u8, which cannot hold -78: the reference must round it, or `cast` it";
    check(Dtype::U8, [0.0, 3.0], [-78.0, 3.0], Some(said));
    let said = "`y` is bool, which cannot hold 0.5: the reference must round it, or `cast` it";
    check(Dtype::Bool, [1.0, 1.0], [0.5, 1.0], Some(said));
    check(Dtype::I8, [80.0, 3.0], [81.0, 3.0], None);
    check(Dtype::Bf16, [80.0, 3.0], [90.3, 3.0], None);
}
