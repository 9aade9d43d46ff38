use proptest::prelude::*;
use ridge_spec::dtype::Dtype;

use super::format::{FloatFormat, Overflow, Rounding};
use super::{approx, arith, codec, convert};

const ROUNDINGS: [Rounding; 5] =
    [Rounding::NearestEven, Rounding::NearestAway, Rounding::Zero, Rounding::Down, Rounding::Up];

/// Rounds `value` by brute force: of all values of a small format, the one that the direction asks.
fn brute_force(format: FloatFormat, value: f64, rounding: Rounding) -> f64 {
    let finite = |code: u64| format.to_f64(code);
    let codes = 0..=format.max_finite;
    let below = codes.clone().map(finite).filter(|v| *v <= value.abs()).fold(0.0, f64::max);
    let above = codes.map(finite).filter(|v| *v >= value.abs()).fold(f64::INFINITY, f64::min);
    let even = |v: f64| (0..=format.max_finite).any(|code| finite(code) == v && code & 1 == 0);
    let (low, high) = (value.abs() - below, above - value.abs());
    let up = match rounding {
        Rounding::NearestEven => high < low || (high == low && !even(below)),
        Rounding::NearestAway => high <= low,
        Rounding::Zero => false,
        Rounding::Down => value < 0.0,
        Rounding::Up => value > 0.0,
    };
    (if up { above } else { below }).copysign(value)
}

#[test]
fn every_f16_and_bf16_widens_as_the_half_crate_has_it_and_comes_back() {
    for bits in 0..=u16::MAX {
        let (ours, theirs) = (convert::f16_to_f32(bits), half::f16::from_bits(bits).to_f32());
        assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:x}");
        assert_eq!(f64::from(ours).to_bits() << 1, {
            let value = FloatFormat::F16.to_f64(u64::from(bits));
            if value.is_nan() { f64::from(ours).to_bits() << 1 } else { value.to_bits() << 1 }
        });
        let back = convert::f32_to_f16_rn(ours);
        assert_eq!(back, if ours.is_nan() { 0x7fff } else { bits });

        let wide = convert::bf16_to_f32(bits);
        assert!(wide.is_nan() || wide.to_bits() == half::bf16::from_bits(bits).to_f32().to_bits());
        let back = convert::f32_to_bf16_rn(wide);
        assert_eq!(back, if wide.is_nan() { 0x7fff } else { bits });
    }
}

#[test]
fn every_fp8_pattern_comes_back() {
    for (format, dtype) in [(FloatFormat::E4M3, Dtype::F8e4m3), (FloatFormat::E5M2, Dtype::F8e5m2)]
    {
        for bits in 0..=255_u8 {
            let value = format.to_f64(u64::from(bits));
            let element = codec::encode_element(dtype, value)[0];
            if value.is_nan() {
                assert_eq!(element, 0x7f);
            } else if value.is_infinite() {
                assert_eq!(format.to_f64(u64::from(element)), 57344.0_f64.copysign(value));
            } else {
                assert_eq!(element, bits);
            }
        }
    }
    assert_eq!(FloatFormat::E4M3.to_f64(0x7e), 448.0);
    assert_eq!(FloatFormat::E4M3.to_f64(1), 2.0_f64.powi(-9));
    assert_eq!(FloatFormat::E5M2.to_f64(0x7b), 57344.0);
    assert_eq!(FloatFormat::E5M2.to_f64(1), 2.0_f64.powi(-16));
}

#[test]
fn fp8_rounds_as_a_search_through_all_its_values_does() {
    for format in [FloatFormat::E4M3, FloatFormat::E5M2] {
        let top = format.to_f64(format.max_finite);
        for step in 0..4000_u32 {
            // A walk over 40 binades, with ties and their neighbours among its points.
            let exponent = i32::try_from(step % 40).unwrap() - 22;
            let value = (1.0 + f64::from(step / 40) / 64.0) * 2.0_f64.powi(exponent);
            for value in [value, -value, value * (1.0 + f64::EPSILON), value.next_down()] {
                if value.abs() > top {
                    continue;
                }
                for rounding in ROUNDINGS {
                    let code = format.round_f64(value, rounding, Overflow::Ieee);
                    let expected = brute_force(format, value, rounding);
                    assert_eq!(format.to_f64(code), expected, "{value} {rounding:?} {format:?}");
                }
            }
        }
    }
}

#[test]
fn overflow_follows_the_direction_or_saturates() {
    let check = |format: FloatFormat, value: f64, rounding, overflow, expected: u64| {
        assert_eq!(format.round_f64(value, rounding, overflow), expected, "{value} {rounding:?}");
    };
    check(FloatFormat::F16, 65519.0, Rounding::NearestEven, Overflow::Ieee, 0x7bff);
    check(FloatFormat::F16, 65520.0, Rounding::NearestEven, Overflow::Ieee, 0x7c00);
    check(FloatFormat::F16, 65520.0, Rounding::Zero, Overflow::Ieee, 0x7bff);
    check(FloatFormat::F16, -1e300, Rounding::Up, Overflow::Ieee, 0xfbff);
    check(FloatFormat::F16, -1e300, Rounding::Down, Overflow::Ieee, 0xfc00);
    check(FloatFormat::F16, f64::INFINITY, Rounding::Zero, Overflow::Ieee, 0x7c00);
    check(FloatFormat::F16, f64::INFINITY, Rounding::Zero, Overflow::Saturate, 0x7bff);
    check(FloatFormat::E4M3, 1e9, Rounding::NearestEven, Overflow::Saturate, 0x7e);
    check(FloatFormat::E4M3, f64::NEG_INFINITY, Rounding::NearestEven, Overflow::Saturate, 0xfe);
    check(FloatFormat::E4M3, 1e9, Rounding::NearestEven, Overflow::Ieee, 0x7f);
    check(FloatFormat::BF16, f64::MIN_POSITIVE, Rounding::Up, Overflow::Ieee, 1);
    check(FloatFormat::BF16, -5e-324, Rounding::NearestEven, Overflow::Ieee, 0x8000);
    check(FloatFormat::BF16, f64::NAN, Rounding::Zero, Overflow::Ieee, 0x7fff);
}

#[test]
fn tf32_keeps_ten_bits() {
    let check = |bits: u32, rounding, expected: u32| {
        let value = f32::from_bits(bits);
        assert_eq!(convert::f32_to_tf32(value, rounding, Overflow::Ieee), expected);
    };
    check(0x3f80_1000, Rounding::NearestAway, 0x3f80_2000);
    check(0x3f80_1000, Rounding::NearestEven, 0x3f80_0000);
    check(0x3f80_3000, Rounding::NearestEven, 0x3f80_4000);
    check(0xbf80_1fff, Rounding::Zero, 0xbf80_0000);
    check(0x7fc0_0000, Rounding::NearestAway, 0x7fff_ffff);
    check(0x0000_1000, Rounding::NearestAway, 0x0000_2000);
}

#[test]
fn floats_become_integers_as_cvt_has_it() {
    use convert::{IntegerFormat, float_to_integer};
    let check = |value: f64, rounding, bits, signed, wide_source, expected: u64| {
        let target = IntegerFormat { bits, signed };
        assert_eq!(float_to_integer(value, rounding, target, wide_source), expected, "{value}");
    };
    check(2.5, Rounding::NearestEven, 32, true, false, 2);
    check(-2.5, Rounding::Down, 32, true, false, (-3_i64) as u64);
    check(-0.5, Rounding::Up, 32, false, false, 0);
    check(300.0, Rounding::Zero, 8, false, false, 255);
    check(-300.0, Rounding::Zero, 8, true, false, (-128_i64) as u64);
    check(f64::NAN, Rounding::Zero, 32, true, false, 0);
    check(f64::NAN, Rounding::Zero, 32, true, true, i64::from(i32::MIN) as u64);
    check(f64::NAN, Rounding::Zero, 64, false, false, 1 << 63);
    check(f64::INFINITY, Rounding::Zero, 64, true, false, i64::MAX as u64);
    check(-1.0, Rounding::Zero, 64, false, false, 0);
    check(1e20, Rounding::Zero, 64, false, false, u64::MAX);
}

#[test]
fn special_cases_of_the_approximations() {
    let check = |name: &str, got: f32, expected: f32| {
        let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
        assert!(same, "{name}: got {got:?}, expected {expected:?}");
    };
    let (inf, nan, tiny) = (f32::INFINITY, f32::NAN, f32::from_bits(1));
    check("ex2(-inf)", approx::ex2(-inf, false), 0.0);
    check("ex2(-0)", approx::ex2(-0.0, false), 1.0);
    check("ex2(-140)", approx::ex2(-140.0, false), 2.0_f32.powi(-140));
    check("ex2.ftz(-140)", approx::ex2(-140.0, true), 0.0);
    check("lg2(-0)", approx::lg2(-0.0, false), -inf);
    check("lg2(-tiny)", approx::lg2(-tiny, false), nan);
    check("lg2.ftz(-tiny)", approx::lg2(-tiny, true), -inf);
    check("rcp(-inf)", approx::rcp(-inf, false), -0.0);
    check("rcp(-0)", approx::rcp(-0.0, false), -inf);
    check("rcp.ftz(tiny)", approx::rcp(tiny, true), inf);
    check("rcp.ftz(3e38)", approx::rcp(3e38, true), 0.0);
    check("rsqrt(-0)", approx::rsqrt(-0.0, false), -inf);
    check("rsqrt(inf)", approx::rsqrt(inf, false), 0.0);
    check("rsqrt(-1)", approx::rsqrt(-1.0, false), nan);
    check("sqrt(-0)", approx::sqrt(-0.0, false), -0.0);
    check("sin(-0)", approx::sin(-0.0, false), -0.0);
    check("sin(inf)", approx::sin(inf, false), nan);
    check("cos(-0)", approx::cos(-0.0, false), 1.0);
    check("tanh(-inf)", approx::tanh(-inf), -1.0);
    check("div(1, 2^127)", approx::div(1.0, 2.0_f32.powi(127), false), 0.0);
    check("div(inf, 2^127)", approx::div(inf, 2.0_f32.powi(127), false), nan);
    check("div(6, 3)", approx::div(6.0, 3.0, false), 2.0);
    assert_eq!(approx::rcp_f64(3.0).to_bits() as u32, 0);
    assert_eq!(approx::ex2_f16(0x3c00), 0x4000);
    assert_eq!(approx::ex2_bf16(0x3f80), 0x4000);
}

#[test]
fn codecs_come_back_for_every_dtype() {
    for dtype in Dtype::ALL {
        let values: Vec<f64> = match dtype {
            Dtype::Bool => vec![0.0, 1.0],
            Dtype::U8 | Dtype::U32 => vec![0.0, 1.0, 2.0, 100.0, 255.0],
            _ => vec![0.0, 1.0, -1.0, 2.0, 16.0, -24.0, 96.0],
        };
        let bytes = codec::encode_slice(dtype, &values);
        assert_eq!(codec::decode_slice(dtype, &bytes), values, "{dtype}");
        let size = codec::element_size(dtype);
        for (element, value) in bytes.chunks(size).zip(&values) {
            assert_eq!(codec::decode_element(dtype, element), *value);
            assert_eq!(&codec::encode_element(dtype, *value)[..size], element);
        }
    }
    let large = (1_i64 << 62) + 1;
    let bytes = codec::encode_integer(Dtype::I64, large).unwrap();
    assert_eq!(codec::decode_integer(Dtype::I64, &bytes), Some(large));
    assert_eq!(codec::encode_slice(Dtype::I8, &[1e9, -1e9, f64::NAN]), [127, 128, 0]);
}

/// Any finite or infinite binary32, evenly over patterns.
fn any_f32() -> impl Strategy<Value = f32> {
    prop_oneof![
        any::<u32>().prop_map(f32::from_bits),
        // Close exponents, where cancellation happens.
        (any::<u32>(), 120_u32..134)
            .prop_map(|(bits, exponent)| { f32::from_bits(bits & 0x807f_ffff | exponent << 23) }),
    ]
}

fn same_f32(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn narrowing_agrees_with_the_half_crate(value in any_f32()) {
        if !value.is_nan() {
            let f16 = half::f16::from_f32(value).to_bits();
            prop_assert_eq!(convert::f32_to_f16_rn(value), f16);
            prop_assert_eq!(
                convert::f32_to_f16(value, Rounding::NearestEven, Overflow::Ieee), f16);
            let bf16 = half::bf16::from_f32(value).to_bits();
            prop_assert_eq!(convert::f32_to_bf16_rn(value), bf16);
            prop_assert_eq!(
                convert::f32_to_bf16(value, Rounding::NearestEven, Overflow::Ieee), bf16);
        }
        prop_assert_eq!(
            convert::f32_to_bf16(value, Rounding::Zero, Overflow::Ieee),
            convert::f32_to_bf16_rz(value));
    }

    #[test]
    fn one_rounding_from_f64(bits in any::<u64>(), exponent in 880_u64..1160) {
        let value = f64::from_bits(bits & 0x800f_ffff_ffff_ffff | exponent << 52);
        let general = |format: FloatFormat| {
            format.round_f64(value, Rounding::NearestEven, Overflow::Ieee)
        };
        prop_assert_eq!(u64::from(arith::narrow_f16(value)), general(FloatFormat::F16));
        prop_assert_eq!(u64::from(arith::narrow_bf16(value)), general(FloatFormat::BF16));
        prop_assert_eq!(u64::from((value as f32).to_bits()), general(FloatFormat::F32));
    }

    #[test]
    fn directed_f32_arithmetic_brackets_the_nearest(a in any_f32(), b in any_f32(), c in any_f32()) {
        for (operation, nearest) in [
            (0, a + b), (1, a * b), (2, a.mul_add(b, c)), (3, a / b), (4, a.abs().sqrt()),
        ] {
            let run = |rounding| match operation {
                0 => arith::add_f32(a, b, rounding),
                1 => arith::mul_f32(a, b, rounding),
                2 => arith::fma_f32(a, b, c, rounding),
                3 => arith::div_f32(a, b, rounding),
                _ => arith::sqrt_f32(a.abs(), rounding),
            };
            prop_assert!(same_f32(run(Rounding::NearestEven), nearest), "{operation} {nearest:?}");
            let (down, up) = (run(Rounding::Down), run(Rounding::Up));
            if nearest.is_nan() {
                prop_assert!(down.is_nan() && up.is_nan());
                continue;
            }
            prop_assert!(down <= nearest && nearest <= up, "{operation}: {down} {nearest} {up}");
            prop_assert!(same_f32(down, up) || down == up || same_f32(down.next_up(), up)
                || (down == 0.0 && up == f32::from_bits(1)), "{operation}: {down:e} {up:e}");
            let zero = run(Rounding::Zero);
            let towards_zero = if nearest > 0.0 || down >= 0.0 { down } else { up };
            prop_assert!(zero == towards_zero, "{operation}: {zero:e} {down:e} {up:e}");
        }
    }

    #[test]
    fn directed_f64_arithmetic_brackets_the_nearest(
        a in any::<f64>(), b in any::<f64>(), c in any::<f64>(), near in any::<bool>(),
    ) {
        let c = if near { -(a * b) * (1.0 + f64::EPSILON * 3.0) } else { c };
        for (operation, nearest) in [
            (0, a + b), (1, a * b), (2, a.mul_add(b, c)), (3, a / b), (4, a.abs().sqrt()),
        ] {
            let run = |rounding| match operation {
                0 => arith::add_f64(a, b, rounding),
                1 => arith::mul_f64(a, b, rounding),
                2 => arith::fma_f64(a, b, c, rounding),
                3 => arith::div_f64(a, b, rounding),
                _ => arith::sqrt_f64(a.abs(), rounding),
            };
            let (down, up) = (run(Rounding::Down), run(Rounding::Up));
            if nearest.is_nan() {
                prop_assert!(down.is_nan() && up.is_nan());
                continue;
            }
            prop_assert!(down <= nearest && nearest <= up, "{operation}: {down:e} {nearest:e} {up:e}");
            prop_assert!(down == up || down.next_up() == up, "{operation}: {down:e} {up:e}");
            // The software path rounded to nearest is the processor's own result.
            let odd = run(Rounding::Zero);
            prop_assert!(odd.abs() <= nearest.abs());
        }
    }

    #[test]
    fn narrow_arithmetic_agrees_with_wide_integers(a in any::<u16>(), b in any::<u16>(), c in any::<u16>()) {
        // The exact sum, as 128-bit fixed point where the format allows it (binary16 does).
        let fixed = |bits: u16| {
            let value = FloatFormat::F16.to_f64(u64::from(bits));
            value.is_finite().then(|| (value * 2.0_f64.powi(24)) as i128)
        };
        if let (Some(x), Some(y), Some(z)) = (fixed(a), fixed(b), fixed(c)) {
            let round = |sum: i128, exponent: i32| {
                let sign = sum < 0;
                let mut magnitude = sum.unsigned_abs();
                let mut exponent = exponent;
                while magnitude >> 64 != 0 {
                    magnitude = magnitude >> 1 | magnitude & 1;
                    exponent += 1;
                }
                FloatFormat::F16.round(
                    sign, magnitude as u64, exponent, Rounding::NearestEven, Overflow::Ieee) as u16
            };
            let fma = x * y + (z << 24);
            if fma != 0 {
                prop_assert_eq!(arith::fma_f16(a, b, c), round(fma, -48));
            }
            if x + y != 0 {
                prop_assert_eq!(arith::add_f16(a, b), round(x + y, -24));
            }
            if x * y != 0 {
                prop_assert_eq!(arith::mul_f16(a, b), round(x * y, -48));
            }
        }
        // bfloat16 with one rounding from binary64's own exact product plus a directed sum.
        let wide = |bits: u16| f64::from(convert::bf16_to_f32(bits));
        let product = wide(a) * wide(b);
        let low = arith::add_f64(product, wide(c), Rounding::Down);
        let high = arith::add_f64(product, wide(c), Rounding::Up);
        let (low, high) = (arith::narrow_bf16(low), arith::narrow_bf16(high));
        let got = arith::fma_bf16(a, b, c);
        prop_assert!(got == low || got == high, "{got:x} {low:x} {high:x}");
    }
}
