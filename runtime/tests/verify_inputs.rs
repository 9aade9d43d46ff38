//! What the inputs of each distribution are like.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails; numbers are exact by construction"
)]

use ridge_runtime::numeric::decode_slice;
use ridge_runtime::verify::Distribution;
use ridge_runtime::verify::inputs::{InputError, TensorInput, generate};
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;

fn tensor<'a>(name: &'a str, dtype: Dtype, shape: &'a [u64]) -> TensorInput<'a> {
    TensorInput { name, dtype, shape, bounds: None }
}

fn values(dtype: Dtype, shape: &[u64], distribution: Distribution) -> Vec<f64> {
    let bytes = generate(&tensor("x", dtype, shape), distribution, 7).unwrap();
    decode_slice(dtype, &bytes)
}

#[test]
fn the_bytes_depend_on_seed_name_and_distribution_only() {
    // More than one random stream long.
    let shape = [17, 1001];
    let mut said = String::new();
    for distribution in Distribution::ALL {
        for dtype in Dtype::ALL {
            let make = |n_threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let input = tensor("x", dtype, &shape);
                pool.install(|| generate(&input, distribution, 7)).unwrap()
            };
            let bytes = make(1);
            assert_eq!(bytes, make(3), "{distribution} {dtype}");
            if distribution != Distribution::Constant && dtype != Dtype::Bool {
                let other = generate(&tensor("w", dtype, &shape), distribution, 7).unwrap();
                let later = generate(&tensor("x", dtype, &shape), distribution, 8).unwrap();
                assert!(bytes != other && bytes != later, "{distribution} {dtype}");
            }
            said.push_str(&format!("{distribution} {dtype} {}\n", Digest::of(&bytes).short()));
        }
    }
    insta::assert_snapshot!("digests", said);
}

#[test]
fn normal_values_have_the_moments_of_the_normal_distribution() {
    let values = values(Dtype::F32, &[1 << 20], Distribution::Normal);
    let n = values.len() as f64;
    let moment = |power: i32| values.iter().map(|v| v.powi(power)).sum::<f64>() / n;
    assert!(moment(1).abs() < 0.004, "{}", moment(1));
    assert!((moment(2) - 1.0).abs() < 0.006, "{}", moment(2));
    assert!(moment(3).abs() < 0.02, "{}", moment(3));
    assert!((moment(4) - 3.0).abs() < 0.06, "{}", moment(4));
    let below = values.iter().filter(|v| **v < -1.959_964).count() as f64 / n;
    assert!((below - 0.025).abs() < 0.001, "{below}");
}

#[test]
fn only_what_is_asked_for_is_not_finite() {
    for distribution in Distribution::ALL {
        for dtype in Dtype::ALL {
            let values = values(dtype, &[16, 256], distribution);
            let finite = values.iter().all(|v| v.is_finite());
            let may_not = distribution == Distribution::NotFinite && dtype.is_float();
            assert_eq!(finite, !may_not, "{distribution} {dtype}");
        }
    }
}

#[test]
fn hostile_values_stay_where_single_precision_can_multiply_three() {
    for distribution in Distribution::ALL_HOSTILE {
        for dtype in [Dtype::F32, Dtype::Bf16, Dtype::F64] {
            let values = values(dtype, &[64, 64], distribution);
            let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            assert!(largest <= 2.0_f64.powi(31), "{distribution} {dtype} {largest}");
        }
    }
}

#[test]
fn wide_range_fills_the_range() {
    for (dtype, least, most) in
        [(Dtype::F32, -30, 30), (Dtype::F16, -14, 15), (Dtype::F8e4m3, -6, 7)]
    {
        let values = values(dtype, &[10_000], Distribution::WideRange);
        for exponent in least..most {
            let (low, high) = (2.0_f64.powi(exponent), 2.0_f64.powi(exponent + 1));
            let inside = values.iter().filter(|v| (low..high).contains(&v.abs())).count();
            let even = 10_000 / usize::try_from(most - least).unwrap();
            assert!((even / 2..even * 2).contains(&inside), "{dtype} 2^{exponent}: {inside}");
        }
        assert!(values.iter().any(|v| *v < 0.0) && values.iter().any(|v| *v > 0.0));
    }
}

#[test]
fn rows_cancel() {
    for (dtype, cols) in [(Dtype::F32, 512), (Dtype::F32, 513), (Dtype::Bf16, 64)] {
        let values = values(dtype, &[32, cols], Distribution::Cancellation);
        for row in values.chunks(usize::try_from(cols).unwrap()) {
            let (sum, size) = (row.iter().sum::<f64>(), row.iter().map(|v| v.abs()).sum::<f64>());
            assert!(sum.abs() < size * 0.05, "{dtype} {cols}: {sum} of {size}");
            assert!(size > row.len() as f64 * 4.0);
        }
    }
}

#[test]
fn rows_have_one_hot_element_or_a_heavy_tail() {
    let hot = values(Dtype::F32, &[100, 77], Distribution::OneHot);
    assert!(hot.chunks(77).all(|row| row.iter().filter(|v| **v != 0.0).count() == 1));
    let places: std::collections::BTreeSet<_> =
        hot.chunks(77).map(|row| row.iter().position(|v| *v != 0.0)).collect();
    assert!(places.len() > 40);
    let heavy = values(Dtype::F32, &[100, 77], Distribution::RaggedTail);
    for row in heavy.chunks(77) {
        // 77 is 5 more than a multiple of 8.
        assert!(row[..72].iter().all(|v| v.abs() < 0.1));
        assert!(row[72..].iter().any(|v| v.abs() > 0.5));
    }
    let sparse = values(Dtype::F32, &[64_000], Distribution::MostlyZero);
    let n = sparse.iter().filter(|v| **v != 0.0).count();
    assert!((800..1200).contains(&n), "{n}");
    let one = values(Dtype::Bf16, &[1000], Distribution::Constant);
    assert!(one[0] != 0.0 && one.iter().all(|v| *v == one[0]));
}

#[test]
fn edge_values_have_the_edges() {
    let values = values(Dtype::F16, &[4096], Distribution::Extremes);
    for edge in [0.0, 65_504.0, -65_504.0, 2.0_f64.powi(-24), 1.0, 1.0 + 2.0_f64.powi(-10)] {
        assert!(values.contains(&edge), "{edge}");
    }
    assert!(values.iter().any(|v| *v == 0.0 && v.is_sign_negative()));
}

#[test]
fn integers_stay_within_bounds() {
    for distribution in Distribution::ALL {
        for (dtype, bounds) in [
            (Dtype::I32, 0..5),
            (Dtype::I64, -3..4_000_000_000),
            (Dtype::U8, -7..3),
            (Dtype::I8, -1000..1000),
            (Dtype::I64, i64::MIN..i64::MAX),
            (Dtype::Bool, 0..2),
        ] {
            let input = TensorInput { bounds: Some(bounds.clone()), ..tensor("i", dtype, &[3000]) };
            let values = decode_slice(dtype, &generate(&input, distribution, 1).unwrap());
            let inside = |v: &f64| *v >= bounds.start as f64 && *v <= bounds.end as f64;
            assert!(values.iter().all(inside), "{distribution} {dtype} {bounds:?}");
            let varied = values.iter().any(|v| *v != values[0]);
            assert_eq!(varied, distribution != Distribution::Constant, "{distribution} {dtype}");
        }
    }
}

#[test]
fn what_cannot_be_made_is_an_error() {
    let check = |input: TensorInput<'_>, said: &str| {
        let error: InputError = generate(&input, Distribution::Normal, 0).unwrap_err();
        assert_eq!(error.to_string(), said);
    };
    let empty = TensorInput { bounds: Some(3..3), ..tensor("i", Dtype::I32, &[4]) };
    check(empty, "input `i` of type `i32` has no values from 3 up to 3");
    let outside = TensorInput { bounds: Some(300..400), ..tensor("i", Dtype::U8, &[4]) };
    check(outside, "input `i` of type `u8` has no values from 300 up to 400");
    let large = tensor("x", Dtype::F32, &[1 << 32, 1 << 32]);
    check(large, "input `x` has more elements than can be held");
    let none = generate(&tensor("x", Dtype::F32, &[0, 4]), Distribution::Normal, 0).unwrap();
    assert!(none.is_empty());
    let single = generate(&tensor("x", Dtype::F32, &[]), Distribution::Normal, 0).unwrap();
    assert_eq!(single.len(), 4);
}

#[test]
fn names_come_back() {
    for distribution in Distribution::ALL {
        assert_eq!(Distribution::parse(distribution.name()), Some(distribution));
        let json = serde_json::to_string(&distribution).unwrap();
        assert_eq!(json, format!("\"{distribution}\""));
    }
    assert_eq!(Distribution::parse("gaussian"), None);
}
