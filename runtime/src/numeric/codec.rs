//! Tensors' bytes to numbers and back, by dtype. Bytes are little-endian, as the GPU has them.
//!
//! Decoding to `f64` is exact for every dtype but `i64`, whose values beyond 2^53 round to nearest;
//! [`decode_integer`] has those exactly. Encoding rounds to nearest, ties to even, once. What does
//! not fit: `f8e4m3` and `f8e5m2` saturate to their largest finite value, as the hardware's
//! `.satfinite` does, for infinities too; the wider floats become infinite; integers saturate, and
//! NaN becomes 0. `bool` is 1 for everything but 0.

use ridge_spec::dtype::Dtype;

use super::arith::{narrow_bf16, narrow_f16};
use super::convert::{bf16_to_f32, f16_to_f32};
use super::format::{FloatFormat, Overflow, Rounding};

const E4M3_VALUES: [f64; 256] = values(FloatFormat::E4M3);
const E5M2_VALUES: [f64; 256] = values(FloatFormat::E5M2);

const fn values(format: FloatFormat) -> [f64; 256] {
    let mut table = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = format.to_f64(code as u64);
        code += 1;
    }
    table
}

/// Runs `$body` with `$read`, a function from one element's bytes to its value, for each dtype.
macro_rules! for_dtype {
    ($dtype:expr, $run:ident $(, $argument:expr)*) => {
        match $dtype {
            Dtype::F64 => $run!(8, |b: [u8; 8]| f64::from_le_bytes(b) $(, $argument)*),
            Dtype::F32 => $run!(4, |b: [u8; 4]| f64::from(f32::from_le_bytes(b)) $(, $argument)*),
            Dtype::F16 => {
                $run!(2, |b: [u8; 2]| f64::from(f16_to_f32(u16::from_le_bytes(b))) $(, $argument)*)
            }
            Dtype::Bf16 => {
                $run!(2, |b: [u8; 2]| f64::from(bf16_to_f32(u16::from_le_bytes(b))) $(, $argument)*)
            }
            Dtype::F8e4m3 => $run!(1, |b: [u8; 1]| E4M3_VALUES[usize::from(b[0])] $(, $argument)*),
            Dtype::F8e5m2 => $run!(1, |b: [u8; 1]| E5M2_VALUES[usize::from(b[0])] $(, $argument)*),
            Dtype::I64 => $run!(8, |b: [u8; 8]| i64::from_le_bytes(b) as f64 $(, $argument)*),
            Dtype::I32 => $run!(4, |b: [u8; 4]| f64::from(i32::from_le_bytes(b)) $(, $argument)*),
            Dtype::I16 => $run!(2, |b: [u8; 2]| f64::from(i16::from_le_bytes(b)) $(, $argument)*),
            Dtype::I8 => $run!(1, |b: [u8; 1]| f64::from(i8::from_le_bytes(b)) $(, $argument)*),
            Dtype::U32 => $run!(4, |b: [u8; 4]| f64::from(u32::from_le_bytes(b)) $(, $argument)*),
            Dtype::U8 => $run!(1, |b: [u8; 1]| f64::from(b[0]) $(, $argument)*),
            Dtype::Bool => $run!(1, |b: [u8; 1]| f64::from(u8::from(b[0] != 0)) $(, $argument)*),
        }
    };
}

/// The value of one element; missing bytes count as 0.
#[inline]
pub fn decode_element(dtype: Dtype, bytes: &[u8]) -> f64 {
    macro_rules! one {
        ($size:literal, $read:expr) => {{
            let mut element = [0_u8; $size];
            let length = bytes.len().min($size);
            element[..length].copy_from_slice(&bytes[..length]);
            ($read)(element)
        }};
    }
    for_dtype!(dtype, one)
}

/// The values of a run of elements; an incomplete last one is left out.
pub fn decode_slice(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    let mut values = vec![0.0; bytes.len() / element_size(dtype)];
    decode_into(dtype, bytes, &mut values);
    values
}

/// Decodes as many elements as both sides hold.
pub fn decode_into(dtype: Dtype, bytes: &[u8], values: &mut [f64]) {
    macro_rules! many {
        ($size:literal, $read:expr) => {{
            let (elements, _) = bytes.as_chunks::<$size>();
            for (value, element) in values.iter_mut().zip(elements) {
                *value = ($read)(*element);
            }
        }};
    }
    for_dtype!(dtype, many);
}

/// The value of one integer or `bool` element, exactly; `None` for a float or for missing bytes.
#[inline]
pub fn decode_integer(dtype: Dtype, bytes: &[u8]) -> Option<i64> {
    Some(match dtype {
        Dtype::I64 => i64::from_le_bytes(*bytes.first_chunk()?),
        Dtype::I32 => i64::from(i32::from_le_bytes(*bytes.first_chunk()?)),
        Dtype::I16 => i64::from(i16::from_le_bytes(*bytes.first_chunk()?)),
        Dtype::I8 => i64::from(i8::from_le_bytes(*bytes.first_chunk()?)),
        Dtype::U32 => i64::from(u32::from_le_bytes(*bytes.first_chunk()?)),
        Dtype::U8 => i64::from(*bytes.first()?),
        Dtype::Bool => i64::from(*bytes.first()? != 0),
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::F8e4m3 | Dtype::F8e5m2 => {
            return None;
        }
    })
}

/// The bytes of an integer, saturated to the dtype; `None` for a float.
pub fn encode_integer(dtype: Dtype, value: i64) -> Option<Vec<u8>> {
    Some(match dtype {
        Dtype::I64 => value.to_le_bytes().to_vec(),
        Dtype::I32 => {
            (value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32).to_le_bytes().to_vec()
        }
        Dtype::I16 => {
            (value.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16).to_le_bytes().to_vec()
        }
        Dtype::I8 => {
            (value.clamp(i64::from(i8::MIN), i64::from(i8::MAX)) as i8).to_le_bytes().to_vec()
        }
        Dtype::U32 => (value.clamp(0, i64::from(u32::MAX)) as u32).to_le_bytes().to_vec(),
        Dtype::U8 => vec![value.clamp(0, 255) as u8],
        Dtype::Bool => vec![u8::from(value != 0)],
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::F8e4m3 | Dtype::F8e5m2 => {
            return None;
        }
    })
}

/// The bytes of one element, in the first [`Dtype::size_bytes`] of the result.
#[inline]
pub fn encode_element(dtype: Dtype, value: f64) -> [u8; 8] {
    let mut element = [0; 8];
    encode_into(dtype, &[value], &mut element[..element_size(dtype)]);
    element
}

/// The bytes of a run of elements.
pub fn encode_slice(dtype: Dtype, values: &[f64]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * element_size(dtype)];
    encode_into(dtype, values, &mut bytes);
    bytes
}

/// Encodes as many elements as both sides hold.
pub fn encode_into(dtype: Dtype, values: &[f64], bytes: &mut [u8]) {
    macro_rules! many {
        ($size:literal, $write:expr) => {{
            let (elements, _) = bytes.as_chunks_mut::<$size>();
            for (element, value) in elements.iter_mut().zip(values) {
                *element = ($write)(*value).to_le_bytes();
            }
        }};
    }
    let saturated = |format: FloatFormat, value: f64| {
        format.round_f64(value, Rounding::NearestEven, Overflow::Saturate) as u8
    };
    match dtype {
        Dtype::F64 => many!(8, |v: f64| v),
        Dtype::F32 => many!(4, |v: f64| v as f32),
        Dtype::F16 => many!(2, narrow_f16),
        Dtype::Bf16 => many!(2, narrow_bf16),
        Dtype::F8e4m3 => many!(1, |v: f64| saturated(FloatFormat::E4M3, v)),
        Dtype::F8e5m2 => many!(1, |v: f64| saturated(FloatFormat::E5M2, v)),
        Dtype::I64 => many!(8, |v: f64| v.round_ties_even() as i64),
        Dtype::I32 => many!(4, |v: f64| v.round_ties_even() as i32),
        Dtype::I16 => many!(2, |v: f64| v.round_ties_even() as i16),
        Dtype::I8 => many!(1, |v: f64| v.round_ties_even() as i8),
        Dtype::U32 => many!(4, |v: f64| v.round_ties_even() as u32),
        Dtype::U8 => many!(1, |v: f64| v.round_ties_even() as u8),
        Dtype::Bool => many!(1, |v: f64| u8::from(v != 0.0)),
    }
}

/// Bytes of an element.
pub(crate) const fn element_size(dtype: Dtype) -> usize {
    dtype.size_bytes() as usize
}
