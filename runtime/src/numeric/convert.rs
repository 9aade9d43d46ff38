//! Conversions as PTX's `cvt` makes them.
//!
//! Source of the special cases: PTX ISA, "Data Movement and Conversion Instructions: cvt".
//! A `.relu` is [`relu`] before the conversion (rounding is monotone, so the order is free); a
//! `.ftz` is [`flush_f32`] on `f32` sources and results.

use super::format::{FloatFormat, Overflow, Rounding};

/// The NaN that the hardware writes in binary32.
pub const NAN_F32: u32 = 0x7fff_ffff;

/// `.ftz`: a subnormal becomes a zero of its sign.
#[inline]
pub fn flush_f32(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits(if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits })
}

/// `.ftz` for binary64, as the approximate f64 functions do it.
#[inline]
pub fn flush_f64(value: f64) -> f64 {
    if value.abs() < f64::MIN_POSITIVE { 0.0_f64.copysign(value) } else { value }
}

/// `.relu`: whatever is not above zero becomes +0; NaN stays NaN.
#[inline]
pub fn relu(value: f32) -> f32 {
    if value <= 0.0 { 0.0 } else { value }
}

/// `.sat`: clamped to [0, 1]; NaN becomes +0.
#[inline]
pub fn saturate_f32(value: f32) -> f32 {
    if value > 0.0 { value.min(1.0) } else { 0.0 }
}

/// `.sat` for binary64.
#[inline]
pub fn saturate_f64(value: f64) -> f64 {
    if value > 0.0 { value.min(1.0) } else { 0.0 }
}

/// `cvt.rn.bf16.f32`.
#[inline]
pub fn f32_to_bf16_rn(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let nan = bits & 0x7fff_ffff > 0x7f80_0000;
    (if nan { 0x7fff } else { rounded }) as u16
}

/// `cvt.rz.bf16.f32`.
#[inline]
pub fn f32_to_bf16_rz(value: f32) -> u16 {
    let bits = value.to_bits();
    let nan = bits & 0x7fff_ffff > 0x7f80_0000;
    (if nan { 0x7fff } else { bits >> 16 }) as u16
}

/// `cvt.<rounding>.bf16.f32`.
#[inline]
pub fn f32_to_bf16(value: f32, rounding: Rounding, overflow: Overflow) -> u16 {
    FloatFormat::BF16.round_f64(f64::from(value), rounding, overflow) as u16
}

/// `cvt.f32.bf16`: exact.
#[inline]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// `cvt.rn.f16.f32`.
#[inline]
pub fn f32_to_f16_rn(value: f32) -> u16 {
    // 2^-1 has its unit in the last place where the subnormals of binary16 have theirs.
    const SUBNORMAL: f32 = 0.5;
    let bits = value.to_bits();
    let sign = bits >> 16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    let small = (f32::from_bits(magnitude) + SUBNORMAL).to_bits().wrapping_sub(SUBNORMAL.to_bits());
    let normal =
        magnitude.wrapping_sub(112 << 23).wrapping_add(0xfff + (magnitude >> 13 & 1)) >> 13;
    let finite = if magnitude < 0x3880_0000 { small } else { normal };
    let large = if magnitude > 0x7f80_0000 { 0x7fff } else { sign | 0x7c00 };
    (if magnitude >= 0x4780_0000 { large } else { sign | finite }) as u16
}

/// `cvt.<rounding>.f16.f32`.
#[inline]
pub fn f32_to_f16(value: f32, rounding: Rounding, overflow: Overflow) -> u16 {
    FloatFormat::F16.round_f64(f64::from(value), rounding, overflow) as u16
}

/// `cvt.f32.f16`: exact, subnormals too.
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    // The exponent is rebased by a multiplication, which also normalises subnormals.
    const REBASE: f32 = f32::from_bits((127 + 112) << 23);
    let bits = u32::from(bits);
    let magnitude = (bits & 0x7fff) << 13;
    let scaled = (f32::from_bits(magnitude) * REBASE).to_bits();
    let special = magnitude | 0x7f80_0000;
    let value = if magnitude >= 0x7c00 << 13 { special } else { scaled };
    f32::from_bits(value | (bits & 0x8000) << 16)
}

/// `cvt.<rounding>.f32.f64`.
#[inline]
pub fn f64_to_f32(value: f64, rounding: Rounding) -> f32 {
    match rounding {
        Rounding::NearestEven => value as f32,
        _ => f32::from_bits(FloatFormat::F32.round_f64(value, rounding, Overflow::Ieee) as u32),
    }
}

/// `cvt.<rounding>.f16.f64`, in one rounding.
#[inline]
pub fn f64_to_f16(value: f64, rounding: Rounding) -> u16 {
    FloatFormat::F16.round_f64(value, rounding, Overflow::Ieee) as u16
}

/// `cvt.<rounding>.bf16.f64`, in one rounding.
#[inline]
pub fn f64_to_bf16(value: f64, rounding: Rounding) -> u16 {
    FloatFormat::BF16.round_f64(value, rounding, Overflow::Ieee) as u16
}

/// `cvt.rn.satfinite.e4m3x2.f32`, one element.
#[inline]
pub fn f32_to_e4m3(value: f32) -> u8 {
    let code =
        FloatFormat::E4M3.round_f64(f64::from(value), Rounding::NearestEven, Overflow::Saturate);
    code as u8
}

/// `cvt.rn.satfinite.e5m2x2.f32`, one element.
#[inline]
pub fn f32_to_e5m2(value: f32) -> u8 {
    let code =
        FloatFormat::E5M2.round_f64(f64::from(value), Rounding::NearestEven, Overflow::Saturate);
    code as u8
}

/// `cvt.rn.satfinite.e4m3x2.f16x2`, one element.
#[inline]
pub fn f16_to_e4m3(bits: u16) -> u8 {
    f32_to_e4m3(f16_to_f32(bits))
}

/// `cvt.rn.satfinite.e5m2x2.f16x2`, one element.
#[inline]
pub fn f16_to_e5m2(bits: u16) -> u8 {
    f32_to_e5m2(f16_to_f32(bits))
}

/// `cvt.rn.f16x2.e4m3x2`, one element: exact.
#[inline]
pub fn e4m3_to_f16(bits: u8) -> u16 {
    f64_to_f16(FloatFormat::E4M3.to_f64(u64::from(bits)), Rounding::NearestEven)
}

/// `cvt.rn.f16x2.e5m2x2`, one element: exact, for it is the upper half of a binary16.
#[inline]
pub fn e5m2_to_f16(bits: u8) -> u16 {
    if bits & 0x7f > 0x7c { 0x7fff } else { u16::from(bits) << 8 }
}

/// `cvt.<rounding>.tf32.f32`: a binary32 whose low 13 bits are 0. PTX has `rna`, `rn` and `rz`.
#[inline]
pub fn f32_to_tf32(value: f32, rounding: Rounding, overflow: Overflow) -> u32 {
    if value.is_nan() {
        return NAN_F32;
    }
    (FloatFormat::TF32.round_f64(f64::from(value), rounding, overflow) as u32) << 13
}

/// A value rounded to an integer that stays a float: `cvt.rni.f32.f32` and its like.
#[inline]
pub fn round_to_integral(value: f64, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::NearestEven => value.round_ties_even(),
        Rounding::NearestAway => value.round(),
        Rounding::Zero => value.trunc(),
        Rounding::Down => value.floor(),
        Rounding::Up => value.ceil(),
    }
}

/// An integer type of PTX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerFormat {
    /// Width: 8, 16, 32 or 64 bits.
    pub bits: u32,
    /// `.s` rather than `.u`.
    pub signed: bool,
}

/// `cvt.<rounding>i.<integer>.<float>`: clamped to the integer's range. The result is the
/// integer's pattern, sign-extended to 64 bits for a signed one.
///
/// NaN becomes 0, except that with an f64 source or a 64-bit destination it becomes the pattern
/// with only the top bit set. `source_is_f64` tells the two apart.
#[inline]
pub fn float_to_integer(
    value: f64,
    rounding: Rounding,
    target: IntegerFormat,
    source_is_f64: bool,
) -> u64 {
    if value.is_nan() {
        let wide = source_is_f64 || target.bits == 64;
        return match (wide, target.signed) {
            (false, _) => 0,
            (true, true) => (i64::MIN >> (64 - target.bits)) as u64,
            (true, false) => 1 << (target.bits - 1),
        };
    }
    let integral = round_to_integral(value, rounding);
    if target.signed {
        let least = i64::MIN >> (64 - target.bits);
        (integral as i64).clamp(least, !least) as u64
    } else {
        (integral as u64).min(u64::MAX >> (64 - target.bits))
    }
}

/// `cvt.rzi.s32.f32`, the hot case of [`float_to_integer`].
#[inline]
pub fn f32_to_s32_rz(value: f32) -> i32 {
    value as i32
}

/// `cvt.<rounding>.<float>.s64`, and of every narrower signed type: the float's pattern.
#[inline]
pub fn signed_to_float(value: i64, format: FloatFormat, rounding: Rounding) -> u64 {
    format.round(value < 0, value.unsigned_abs(), 0, rounding, Overflow::Ieee)
}

/// `cvt.<rounding>.<float>.u64`, and of every narrower unsigned type: the float's pattern.
#[inline]
pub fn unsigned_to_float(value: u64, format: FloatFormat, rounding: Rounding) -> u64 {
    format.round(false, value, 0, rounding, Overflow::Ieee)
}
