//! Arithmetic with exactly one rounding, in every direction.
//!
//! Two tools make it exact. A binary64 result *rounded to odd* (cut towards zero, the last bit set
//! if anything was cut) may be rounded once more into any format of at most 25 bits as if it were
//! exact: binary64 has more than twice the bits plus two. And [`fma_f64`] in a direction other than
//! nearest works on 128-bit integers.

use super::convert::{NAN_F32, bf16_to_f32, f16_to_f32, f32_to_bf16_rn, f32_to_f16_rn};
use super::format::{FloatFormat, Overflow, Rounding, split_f64};

/// The sum of two binary64 values, rounded to odd.
///
/// Meant for values whose exact sum lies well inside binary64's range, as that of any narrower
/// format's values and products does.
#[inline]
pub fn add_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let shadow = sum - a;
    let error = (a - (sum - shadow)) + (b - shadow);
    make_odd(sum, error)
}

/// `rounded` is the nearest binary64 to a value that differs from it by about `error`: the same
/// value, rounded to odd.
#[inline]
fn make_odd(rounded: f64, error: f64) -> f64 {
    let bits = rounded.to_bits();
    let inexact = error != 0.0 && rounded.is_finite();
    let towards_zero = u64::from(inexact && (error < 0.0) != (rounded < 0.0));
    f64::from_bits((bits - towards_zero) | u64::from(inexact))
}

/// A binary64 as a binary32 rounded to odd: a further rounding to 11 bits or fewer is then exact.
#[inline]
pub fn f64_to_f32_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let back = f64::from(nearest);
    let inexact = u32::from(back != value && !value.is_nan());
    let too_far = u32::from(back.abs() > value.abs());
    f32::from_bits((nearest.to_bits() - too_far) | inexact)
}

#[inline]
fn round_f32(value: f64, rounding: Rounding) -> f32 {
    f32::from_bits(FloatFormat::F32.round_f64(value, rounding, Overflow::Ieee) as u32)
}

/// `add.<rounding>.f32`.
#[inline]
pub fn add_f32(a: f32, b: f32, rounding: Rounding) -> f32 {
    if rounding == Rounding::NearestEven {
        return a + b;
    }
    let sum = add_odd(f64::from(a), f64::from(b));
    if sum == 0.0 { zero_sum(a, b, rounding) } else { round_f32(sum, rounding) }
}

/// The sign of a sum that is exactly zero.
#[inline]
fn zero_sum(a: f32, b: f32, rounding: Rounding) -> f32 {
    let both_negative = a.is_sign_negative() && b.is_sign_negative();
    let opposite = a.is_sign_negative() != b.is_sign_negative();
    if both_negative || (opposite && rounding == Rounding::Down) { -0.0 } else { 0.0 }
}

/// `mul.<rounding>.f32`.
#[inline]
pub fn mul_f32(a: f32, b: f32, rounding: Rounding) -> f32 {
    if rounding == Rounding::NearestEven {
        return a * b;
    }
    round_f32(f64::from(a) * f64::from(b), rounding)
}

/// `fma.<rounding>.f32`.
#[inline]
pub fn fma_f32(a: f32, b: f32, c: f32, rounding: Rounding) -> f32 {
    // The product of two binary32 values is exact in binary64.
    let product = f64::from(a) * f64::from(b);
    let sum = add_odd(product, f64::from(c));
    if sum == 0.0 {
        let sign = if product.is_sign_negative() { -0.0 } else { 0.0 };
        return zero_sum(sign, c, rounding);
    }
    if rounding == Rounding::NearestEven { sum as f32 } else { round_f32(sum, rounding) }
}

/// `div.<rounding>.f32`.
#[inline]
pub fn div_f32(a: f32, b: f32, rounding: Rounding) -> f32 {
    if rounding == Rounding::NearestEven {
        return a / b;
    }
    let (a, b) = (f64::from(a), f64::from(b));
    let quotient = a / b;
    if !quotient.is_finite() || !b.is_finite() || quotient == 0.0 {
        return round_f32(quotient, rounding);
    }
    // The remainder is exact; divided by `b` it points from the quotient to the true one.
    let remainder = (-quotient).mul_add(b, a);
    round_f32(make_odd(quotient, remainder * b.signum()), rounding)
}

/// `sqrt.<rounding>.f32`.
#[inline]
pub fn sqrt_f32(value: f32, rounding: Rounding) -> f32 {
    if rounding == Rounding::NearestEven {
        return value.sqrt();
    }
    let value = f64::from(value);
    let root = value.sqrt();
    if !root.is_finite() || root == 0.0 {
        return round_f32(root, rounding);
    }
    round_f32(make_odd(root, (-root).mul_add(root, value)), rounding)
}

/// `add.<rounding>.f64`.
#[inline]
pub fn add_f64(a: f64, b: f64, rounding: Rounding) -> f64 {
    if rounding == Rounding::NearestEven { a + b } else { fma_directed(a, 1.0, b, rounding) }
}

/// `mul.<rounding>.f64`.
#[inline]
pub fn mul_f64(a: f64, b: f64, rounding: Rounding) -> f64 {
    let product = a * b;
    let is_defined = a.is_finite() && b.is_finite();
    if rounding == Rounding::NearestEven || !is_defined {
        return product;
    }
    // A zero of the product's own sign, so that an exact zero keeps it.
    fma_directed(a, b, if product.is_sign_negative() { -0.0 } else { 0.0 }, rounding)
}

/// `fma.<rounding>.f64`.
#[inline]
pub fn fma_f64(a: f64, b: f64, c: f64, rounding: Rounding) -> f64 {
    if rounding == Rounding::NearestEven {
        a.mul_add(b, c)
    } else {
        fma_directed(a, b, c, rounding)
    }
}

/// `div.<rounding>.f64`.
pub fn div_f64(a: f64, b: f64, rounding: Rounding) -> f64 {
    let quotient = a / b;
    let ordinary = a.is_finite() && b.is_finite() && a != 0.0 && b != 0.0;
    if rounding == Rounding::NearestEven || !ordinary {
        return quotient;
    }
    let (top, top_exponent) = normal_parts(a);
    let (bottom, bottom_exponent) = normal_parts(b);
    let top = u128::from(top) << 63;
    let bottom = u128::from(bottom);
    let digits = (top / bottom) as u64;
    let sticky = u64::from(top % bottom != 0);
    let negative = (a < 0.0) != (b < 0.0);
    let exponent = top_exponent - bottom_exponent - 63;
    let code =
        FloatFormat::F64.round(negative, digits | sticky, exponent, rounding, Overflow::Ieee);
    f64::from_bits(code)
}

/// `sqrt.<rounding>.f64`.
pub fn sqrt_f64(value: f64, rounding: Rounding) -> f64 {
    let root = value.sqrt();
    if rounding == Rounding::NearestEven || !root.is_finite() || root == 0.0 {
        return root;
    }
    let (significand, exponent) = normal_parts(value);
    // An even exponent, and 116 or 117 bits: a root of 58 or 59.
    let odd = exponent.rem_euclid(2);
    let radicand = u128::from(significand) << (64 + odd);
    let digits = radicand.isqrt();
    let sticky = u64::from(digits * digits != radicand);
    let exponent = (exponent - odd - 64) / 2;
    let code =
        FloatFormat::F64.round(false, digits as u64 | sticky, exponent, rounding, Overflow::Ieee);
    f64::from_bits(code)
}

/// Significand with its top bit at 52, and exponent, of a finite value that is not zero.
fn normal_parts(value: f64) -> (u64, i32) {
    let (significand, exponent) = split_f64(value.abs().to_bits());
    let shift = significand.leading_zeros() - 11;
    (significand << shift, exponent - shift as i32)
}

/// `a × b + c` in one rounding of any direction.
fn fma_directed(a: f64, b: f64, c: f64, rounding: Rounding) -> f64 {
    if !(a.is_finite() && b.is_finite() && c.is_finite()) {
        return a.mul_add(b, c);
    }
    let product_negative = a.is_sign_negative() != b.is_sign_negative();
    let product = (product_negative, wide_product(a, b));
    let (addend, addend_exponent) = split_f64(c.abs().to_bits());
    let addend = (c.is_sign_negative(), align_top(u128::from(addend), addend_exponent));
    // The one with the larger magnitude first; a zero has the least exponent.
    let (large, small) = if (product.1.1, product.1.0) >= (addend.1.1, addend.1.0) {
        (product, addend)
    } else {
        (addend, product)
    };
    let (sign, (digits, exponent)) = large;
    let shifted = shift_right_jam(small.1.0, i64::from(exponent) - i64::from(small.1.1));
    let sum = if sign == small.0 { digits + shifted } else { digits - shifted };
    if sum == 0 {
        let negative = if sign == small.0 { sign } else { rounding == Rounding::Down };
        return if negative { -0.0 } else { 0.0 };
    }
    let zeros = sum.leading_zeros();
    let sum = sum << zeros;
    let low = u64::from(sum as u64 != 0);
    let top = (sum >> 64) as u64 | low;
    let exponent = exponent + 64 - zeros as i32;
    f64::from_bits(FloatFormat::F64.round(sign, top, exponent, rounding, Overflow::Ieee))
}

fn wide_product(a: f64, b: f64) -> (u128, i32) {
    let (x, x_exponent) = split_f64(a.abs().to_bits());
    let (y, y_exponent) = split_f64(b.abs().to_bits());
    align_top(u128::from(x) * u128::from(y), x_exponent + y_exponent)
}

/// Moves the top bit to 126, which leaves room for a carry.
fn align_top(digits: u128, exponent: i32) -> (u128, i32) {
    if digits == 0 {
        return (0, -100_000);
    }
    let shift = digits.leading_zeros() as i32 - 1;
    (digits << shift, exponent - shift)
}

fn shift_right_jam(digits: u128, by: i64) -> u128 {
    match by {
        0 => digits,
        1..=127 => digits >> by | u128::from(digits & ((1 << by) - 1) != 0),
        _ => u128::from(digits != 0),
    }
}

/// `add.rn.f16`.
#[inline]
pub fn add_f16(a: u16, b: u16) -> u16 {
    // Exact in binary64: the format spans 40 bits.
    narrow_f16(f64::from(f16_to_f32(a)) + f64::from(f16_to_f32(b)))
}

/// `mul.rn.f16`.
#[inline]
pub fn mul_f16(a: u16, b: u16) -> u16 {
    // Exact in binary32.
    f32_to_f16_rn(f16_to_f32(a) * f16_to_f32(b))
}

/// `fma.rn.f16`.
#[inline]
pub fn fma_f16(a: u16, b: u16, c: u16) -> u16 {
    let product = f64::from(f16_to_f32(a) * f16_to_f32(b));
    narrow_f16(add_odd(product, f64::from(f16_to_f32(c))))
}

/// `add.rn.bf16`.
#[inline]
pub fn add_bf16(a: u16, b: u16) -> u16 {
    narrow_bf16(add_odd(f64::from(bf16_to_f32(a)), f64::from(bf16_to_f32(b))))
}

/// `mul.rn.bf16`.
#[inline]
pub fn mul_bf16(a: u16, b: u16) -> u16 {
    // The product has 16 bits, but may be subnormal in binary32, so it is taken in binary64.
    narrow_bf16(f64::from(bf16_to_f32(a)) * f64::from(bf16_to_f32(b)))
}

/// `fma.rn.bf16`.
#[inline]
pub fn fma_bf16(a: u16, b: u16, c: u16) -> u16 {
    let product = f64::from(bf16_to_f32(a)) * f64::from(bf16_to_f32(b));
    narrow_bf16(add_odd(product, f64::from(bf16_to_f32(c))))
}

/// A binary64 to the nearest binary16, ties to even, in one rounding.
#[inline]
pub fn narrow_f16(value: f64) -> u16 {
    f32_to_f16_rn(f64_to_f32_odd(value))
}

/// A binary64 to the nearest bfloat16, ties to even, in one rounding.
#[inline]
pub fn narrow_bf16(value: f64) -> u16 {
    f32_to_bf16_rn(f64_to_f32_odd(value))
}

/// `min.f32`: a NaN loses, and −0 is less than +0; both NaN give the hardware's NaN.
#[inline]
pub fn min_f32(a: f32, b: f32) -> f32 {
    if a.is_nan() {
        return if b.is_nan() { f32::from_bits(NAN_F32) } else { b };
    }
    if b.is_nan() || a < b || (a == b && a.is_sign_negative()) { a } else { b }
}

/// `max.f32`: a NaN loses, and +0 is more than −0; both NaN give the hardware's NaN.
#[inline]
pub fn max_f32(a: f32, b: f32) -> f32 {
    if a.is_nan() {
        return if b.is_nan() { f32::from_bits(NAN_F32) } else { b };
    }
    if b.is_nan() || a > b || (a == b && b.is_sign_negative()) { a } else { b }
}
