//! Rounding a binary64 value to the grid of another type.

use crate::dtype::Dtype;

/// The value that `dtype` holds for `value`, as binary64.
///
/// - Floating point: to nearest, ties to even, subnormals kept. `f32`, `f16` and `bf16` overflow
///   to infinity; `f8e4m3` and `f8e5m2` saturate at 448 and 57344, infinities too, as the
///   hardware's conversions do (`cvt.rn.satfinite`). NaN stays NaN.
/// - Integers: towards zero, as a C++ cast; out of range saturates; NaN is 0. Beyond 2^53 the
///   result is the nearest binary64.
/// - `bool`: 0 for 0, else 1.
pub fn round_to(dtype: Dtype, value: f64) -> f64 {
    match dtype {
        Dtype::F64 => value,
        #[expect(clippy::cast_possible_truncation, reason = "rounding to binary32 is meant")]
        Dtype::F32 => f64::from(value as f32),
        Dtype::F16 => round_float(value, &F16),
        Dtype::Bf16 => round_float(value, &BF16),
        Dtype::F8e4m3 => round_float(value, &F8E4M3),
        Dtype::F8e5m2 => round_float(value, &F8E5M2),
        #[expect(clippy::cast_precision_loss, reason = "documented: exact up to 2^53")]
        Dtype::I64 => clamp_integer(value, i64::MIN as f64, i64::MAX as f64),
        Dtype::I32 => clamp_integer(value, f64::from(i32::MIN), f64::from(i32::MAX)),
        Dtype::I16 => clamp_integer(value, f64::from(i16::MIN), f64::from(i16::MAX)),
        Dtype::I8 => clamp_integer(value, f64::from(i8::MIN), f64::from(i8::MAX)),
        Dtype::U32 => clamp_integer(value, 0.0, f64::from(u32::MAX)),
        Dtype::U8 => clamp_integer(value, 0.0, f64::from(u8::MAX)),
        Dtype::Bool => f64::from(!super::function::is_zero(value)),
    }
}

/// A binary floating-point format narrower than binary64.
struct Format {
    /// Bits of the fraction, the hidden one not counted.
    fraction_bits: i32,
    /// Exponent of the smallest normal number.
    exponent_min: i32,
    /// The largest finite number.
    largest: f64,
    /// Whether what is larger becomes `largest` and not infinity.
    saturates: bool,
}

const F16: Format =
    Format { fraction_bits: 10, exponent_min: -14, largest: 65504.0, saturates: false };
/// The largest is (2 - 2^-7) * 2^127.
const BF16: Format = Format {
    fraction_bits: 7,
    exponent_min: -126,
    largest: 338_953_138_925_153_547_590_470_800_371_487_866_880.0,
    saturates: false,
};
const F8E4M3: Format =
    Format { fraction_bits: 3, exponent_min: -6, largest: 448.0, saturates: true };
const F8E5M2: Format =
    Format { fraction_bits: 2, exponent_min: -14, largest: 57344.0, saturates: true };

fn round_float(value: f64, format: &Format) -> f64 {
    if value.is_nan() {
        return value;
    }
    let overflow = if format.saturates { format.largest } else { f64::INFINITY };
    if value.is_infinite() {
        return overflow.copysign(value);
    }
    // The distance of neighbours around `value`: a power of two, so both scalings are exact.
    let exponent = binary_exponent(value).max(format.exponent_min);
    let step = power_of_two(exponent - format.fraction_bits);
    let rounded = (value / step).round_ties_even() * step;
    if rounded.abs() > format.largest { overflow.copysign(value) } else { rounded }
}

/// The exponent of a finite number; that of the smallest normal number for zero and subnormals.
fn binary_exponent(value: f64) -> i32 {
    let biased = (value.to_bits() >> 52) & 0x7ff;
    i32::try_from(biased).unwrap_or(0).max(1) - 1023
}

/// 2 to an exponent of a normal number.
fn power_of_two(exponent: i32) -> f64 {
    let biased = u64::try_from(exponent + 1023).unwrap_or(1);
    f64::from_bits(biased << 52)
}

fn clamp_integer(value: f64, least: f64, greatest: f64) -> f64 {
    // Adding zero turns the -0 of a truncated small negative number into 0.
    if value.is_nan() { 0.0 } else { value.trunc().clamp(least, greatest) + 0.0 }
}
