//! The approximate functions of PTX: `ex2.approx` and its family.
//!
//! Each is computed in binary64 and rounded once, so its error is about half a unit in the last
//! place: inside every bound that the PTX ISA documents (2 units for `ex2`, 2^-22.6 absolute near 1
//! for `lg2`, 1 unit for `rcp`, 2^-22.9 relative for `rsqrt`, 2^-23 relative for `sqrt`, 2^-20.5
//! absolute for `sin` and `cos`, 2^-11 relative for `tanh`), but not bit for bit what a GPU gives.
//! The special cases are those of the ISA's tables.
//!
//! `flush` is the `.ftz` modifier: subnormal inputs and results become zeros of their sign.

use super::arith::{narrow_bf16, narrow_f16};
use super::convert::{NAN_F32, bf16_to_f32, f16_to_f32, flush_f32, flush_f64};

/// Runs `function` between the two flushes of `.ftz`; every NaN comes out as the hardware's.
#[inline]
fn evaluate(value: f32, flush: bool, function: impl Fn(f64) -> f64) -> f32 {
    let value = if flush { flush_f32(value) } else { value };
    let result = function(f64::from(value)) as f32;
    if result.is_nan() {
        return f32::from_bits(NAN_F32);
    }
    if flush { flush_f32(result) } else { result }
}

/// `ex2.approx{.ftz}.f32`: 2 to the power of `value`.
#[inline]
pub fn ex2(value: f32, flush: bool) -> f32 {
    evaluate(value, flush, f64::exp2)
}

/// `lg2.approx{.ftz}.f32`: ±0 gives −∞, anything below gives NaN.
#[inline]
pub fn lg2(value: f32, flush: bool) -> f32 {
    evaluate(value, flush, |x| if x == 0.0 { f64::NEG_INFINITY } else { x.log2() })
}

/// `rcp.approx{.ftz}.f32`: ±0 gives ±∞ and the reverse.
#[inline]
pub fn rcp(value: f32, flush: bool) -> f32 {
    let value = if flush { flush_f32(value) } else { value };
    // The nearest binary32, in one division.
    let result = 1.0 / value;
    let result = if result.is_nan() { f32::from_bits(NAN_F32) } else { result };
    if flush { flush_f32(result) } else { result }
}

/// `rsqrt.approx{.ftz}.f32`: ±0 gives ±∞, anything below gives NaN.
#[inline]
pub fn rsqrt(value: f32, flush: bool) -> f32 {
    evaluate(value, flush, |x| 1.0 / x.sqrt())
}

/// `sqrt.approx{.ftz}.f32`: ±0 gives ±0, anything below gives NaN.
#[inline]
pub fn sqrt(value: f32, flush: bool) -> f32 {
    let value = if flush { flush_f32(value) } else { value };
    let result = value.sqrt();
    if result.is_nan() { f32::from_bits(NAN_F32) } else { result }
}

/// `sin.approx{.ftz}.f32`: ±∞ gives NaN.
#[inline]
pub fn sin(value: f32, flush: bool) -> f32 {
    evaluate(value, flush, f64::sin)
}

/// `cos.approx{.ftz}.f32`: ±∞ gives NaN.
#[inline]
pub fn cos(value: f32, flush: bool) -> f32 {
    evaluate(value, flush, f64::cos)
}

/// `tanh.approx.f32`: it has no `.ftz`, subnormals come back as they are.
#[inline]
pub fn tanh(value: f32) -> f32 {
    evaluate(value, false, f64::tanh)
}

/// `div.approx{.ftz}.f32`: a product with the reciprocal. For a divisor of magnitude above 2^126
/// the reciprocal is 0, so the quotient is 0 of its sign, and NaN for an infinite dividend.
#[inline]
pub fn div(a: f32, b: f32, flush: bool) -> f32 {
    const LARGE: f32 = f32::from_bits((127 + 126) << 23);
    let (a, b) = if flush { (flush_f32(a), flush_f32(b)) } else { (a, b) };
    let result = if b.abs() > LARGE { a * 0.0_f32.copysign(b) } else { a / b };
    let result = if result.is_nan() { f32::from_bits(NAN_F32) } else { result };
    if flush { flush_f32(result) } else { result }
}

/// `div.full{.ftz}.f32`: the full range, 2 units; here the nearest quotient.
#[inline]
pub fn div_full(a: f32, b: f32, flush: bool) -> f32 {
    let (a, b) = if flush { (flush_f32(a), flush_f32(b)) } else { (a, b) };
    let result = a / b;
    let result = if result.is_nan() { f32::from_bits(NAN_F32) } else { result };
    if flush { flush_f32(result) } else { result }
}

/// `rcp.approx.ftz.f64`: a gross approximation, of which only the upper 32 bits are not 0.
#[inline]
pub fn rcp_f64(value: f64) -> f64 {
    gross(1.0 / flush_f64(value))
}

/// `rsqrt.approx.ftz.f64`: a gross approximation, of which only the upper 32 bits are not 0.
#[inline]
pub fn rsqrt_f64(value: f64) -> f64 {
    gross(1.0 / flush_f64(value).sqrt())
}

fn gross(value: f64) -> f64 {
    let upper = if value.is_nan() { 0x7fff_ffff } else { flush_f64(value).to_bits() >> 32 };
    f64::from_bits(upper << 32)
}

/// `ex2.approx.f16`: subnormal inputs and results are kept.
#[inline]
pub fn ex2_f16(bits: u16) -> u16 {
    narrow_f16(f64::from(f16_to_f32(bits)).exp2())
}

/// `ex2.approx.ftz.bf16`: subnormal inputs and results become zeros of their sign.
#[inline]
pub fn ex2_bf16(bits: u16) -> u16 {
    flush_bf16(narrow_bf16(f64::from(bf16_to_f32(flush_bf16(bits))).exp2()))
}

/// `tanh.approx.f16`: subnormals are kept.
#[inline]
pub fn tanh_f16(bits: u16) -> u16 {
    narrow_f16(f64::from(f16_to_f32(bits)).tanh())
}

/// `tanh.approx.bf16`: subnormals are kept.
#[inline]
pub fn tanh_bf16(bits: u16) -> u16 {
    narrow_bf16(f64::from(bf16_to_f32(bits)).tanh())
}

/// A subnormal bfloat16 becomes a zero of its sign.
#[inline]
pub fn flush_bf16(bits: u16) -> u16 {
    if bits & 0x7f80 == 0 { bits & 0x8000 } else { bits }
}

/// A subnormal binary16 becomes a zero of its sign: `.ftz` of the f16 arithmetic.
#[inline]
pub fn flush_f16(bits: u16) -> u16 {
    if bits & 0x7c00 == 0 { bits & 0x8000 } else { bits }
}
