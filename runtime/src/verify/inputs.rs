//! Seeded inputs, ordinary and hostile.
//!
//! What a tensor holds depends on the seed, its name, the distribution and the element's place,
//! never on the number of threads: each run of 16384 elements has a ChaCha stream of its own.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use ridge_spec::dtype::Dtype;

use super::distribution::Distribution;
use crate::numeric::codec::{element_size, encode_into};
use crate::numeric::format::FloatFormat;

/// Elements of one random stream and one parallel task.
const RUN: usize = 1 << 14;
/// Steps of the table of normal quantiles.
const QUANTILES: usize = 1 << 16;
/// The largest magnitude, as a power of two, whose triple products and sums of squares stay inside
/// single precision.
const LARGE_LOG2: i32 = 30;

/// A tensor to make.
#[derive(Clone, Debug)]
pub struct TensorInput<'a> {
    /// Its name: two tensors of one seed differ by it.
    pub name: &'a str,
    /// Its element type.
    pub dtype: Dtype,
    /// Elements along each axis, outermost first; empty for a single element.
    pub shape: &'a [u64],
    /// For integers, the values they may have: an index must lie within the axis it indexes.
    pub bounds: Option<Range<i64>>,
}

/// Why inputs cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// The tensor has more elements than memory can hold.
    #[error("input `{name}` has more elements than can be held")]
    TooLarge {
        /// The tensor.
        name: String,
    },
    /// The bounds hold no value of the dtype.
    #[error("input `{name}` of type `{dtype}` has no values from {start} up to {end}")]
    EmptyBounds {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: Dtype,
        /// Least value.
        start: i64,
        /// First value past the greatest.
        end: i64,
    },
}

/// Makes one tensor's bytes.
///
/// # Errors
/// When the tensor does not fit in memory or its bounds hold no value.
pub fn generate(
    tensor: &TensorInput<'_>,
    distribution: Distribution,
    seed: u64,
) -> Result<Arc<[u8]>, InputError> {
    let size = element_size(tensor.dtype);
    let n_bytes = n_elements(tensor.shape)
        .and_then(|n| n.checked_mul(size))
        .filter(|&n| isize::try_from(n).is_ok())
        .ok_or_else(|| InputError::TooLarge { name: tensor.name.to_owned() })?;
    let source = Source::new(tensor, distribution, seed)?;
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, n_bytes).collect();
    // Nobody else has it yet, so there is always something to fill.
    if let Some(bytes) = Arc::get_mut(&mut bytes) {
        bytes
            .par_chunks_mut(RUN * size)
            .enumerate()
            .for_each(|(run, bytes)| source.fill(run, bytes));
    }
    Ok(bytes)
}

/// Elements of a shape; `None` where they overflow.
pub(super) fn n_elements(shape: &[u64]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |n, &length| n.checked_mul(usize::try_from(length).ok()?))
}

struct Source {
    dtype: Dtype,
    distribution: Distribution,
    /// Elements along the last axis, at least 1.
    row: u64,
    /// For integers: least and greatest value.
    bounds: (i64, i64),
    chacha: [u8; 32],
    /// The key of what must not depend on the run: a row's hot element, a tensor's constant.
    key: u64,
    edges: Vec<f64>,
}

impl Source {
    fn new(
        tensor: &TensorInput<'_>,
        distribution: Distribution,
        seed: u64,
    ) -> Result<Self, InputError> {
        let bounds = integer_bounds(tensor, distribution)?;
        let mut chacha = [0; 32];
        let mut key = mix(seed ^ 0x5eed);
        for byte in tensor.name.bytes().chain([0]).chain(distribution.name().bytes()) {
            key = mix(key ^ u64::from(byte));
        }
        for (at, part) in chacha.chunks_exact_mut(8).enumerate() {
            part.copy_from_slice(&mix(key.wrapping_add(at as u64)).to_le_bytes());
        }
        Ok(Self {
            dtype: tensor.dtype,
            distribution,
            row: tensor.shape.last().copied().unwrap_or(1).max(1),
            bounds,
            chacha,
            key,
            edges: edges(tensor.dtype, distribution),
        })
    }

    fn fill(&self, run: usize, bytes: &mut [u8]) {
        let n = bytes.len() / element_size(self.dtype);
        let mut random = vec![0_u8; n * 4];
        let mut stream = ChaCha8Rng::from_seed(self.chacha);
        stream.set_stream(run as u64);
        stream.fill_bytes(&mut random);
        let (words, _) = random.as_chunks::<4>();
        let words = words.iter().map(|word| u32::from_le_bytes(*word));
        let first = (run * RUN) as u64;
        if self.dtype.is_float() {
            let mut values = vec![0.0; n];
            self.fill_floats(first, words, &mut values);
            encode_into(self.dtype, &values, bytes);
        } else {
            let elements = bytes.chunks_exact_mut(element_size(self.dtype));
            for ((element, word), index) in elements.zip(words).zip(first..) {
                // Inside the dtype's range, so its low bytes are the value.
                let value = self.integer(index, word).to_le_bytes();
                element.copy_from_slice(&value[..element.len()]);
            }
        }
    }

    fn fill_floats(&self, first: u64, words: impl Iterator<Item = u32>, values: &mut [f64]) {
        let put = |values: &mut [f64], make: &dyn Fn(u64, u32) -> f64| {
            for ((value, word), index) in values.iter_mut().zip(words).zip(first..) {
                *value = make(index, word);
            }
        };
        let table = quantiles();
        match self.distribution {
            Distribution::Normal => put(values, &|_, word| normal(table, word)),
            Distribution::Uniform => put(values, &|index, word| self.uniform(index, word)),
            Distribution::WideRange => put(values, &|index, word| self.wide(index, word)),
            Distribution::Cancellation => {
                put(values, &|index, word| self.cancelling(index, normal(table, word)));
            }
            Distribution::OneHot => put(values, &|index, word| {
                if self.is_hot(index) { 4.0 * normal(table, word) + 0.5 } else { 0.0 }
            }),
            Distribution::MostlyZero => put(values, &|_, word| {
                if word & 63 == 0 { normal(table, word) } else { 0.0 }
            }),
            Distribution::Constant => {
                let value = [1.0, -0.5, 0.75, -1.25, 3.0, 0.1][(self.key % 6) as usize];
                values.fill(value);
            }
            Distribution::RaggedTail => put(values, &|index, word| {
                let scale = if self.in_tail(index) { 4.0 } else { 1.0 / 64.0 };
                scale * normal(table, word)
            }),
            Distribution::EdgeValues | Distribution::Extremes => {
                put(values, &|_, word| self.edges[scaled(word, self.edges.len() as u64) as usize])
            }
            Distribution::NotFinite => put(values, &|_, word| match word & 255 {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                _ => normal(table, word),
            }),
        }
    }

    fn uniform(&self, index: u64, word: u32) -> f64 {
        // More bits than the word has, for the dtype that can tell.
        let low = if self.dtype == Dtype::F64 { mix(self.key ^ index) >> 43 } else { 1 << 20 };
        (((u64::from(word) << 21) | low) as f64) * 2.0_f64.powi(-52) - 1.0
    }

    fn wide(&self, index: u64, word: u32) -> f64 {
        let (least, most) = exponents(self.dtype);
        let bits = mix(self.key ^ index);
        let exponent =
            least as f64 + (f64::from(word) / 2.0_f64.powi(32)) * f64::from(most - least);
        let mantissa = 1.0 + (bits >> 12) as f64 * 2.0_f64.powi(-52);
        // Between the exponents of the least and the greatest normal number.
        let power = f64::from_bits(((exponent.floor() as i64 + 1023) as u64) << 52);
        let value = mantissa * power;
        if bits & 1 == 0 { value } else { -value }
    }

    fn cancelling(&self, index: u64, remainder: f64) -> f64 {
        let (row, at) = (index / self.row, index % self.row);
        let half = self.row / 2;
        // The pair's magnitude leaves half of the mantissa for the remainder.
        let scale = 2.0_f64.powi(float_format(self.dtype).mantissa_bits.div_ceil(2) as i32);
        let pair = |at: u64| {
            let bits = mix(self.key ^ (row * self.row + at));
            scale
                * (1.0 + (bits >> 12) as f64 * 2.0_f64.powi(-52))
                * (1.0 - 2.0 * (bits & 1) as f64)
        };
        match at {
            _ if at < half => pair(at),
            _ if at < 2 * half => remainder - pair(at - half),
            _ => remainder,
        }
    }

    fn is_hot(&self, index: u64) -> bool {
        let (row, at) = (index / self.row, index % self.row);
        at == mix(self.key ^ row) % self.row
    }

    fn in_tail(&self, index: u64) -> bool {
        let length = match self.row % 8 {
            0 => 8,
            rest => rest,
        };
        index % self.row + length.min(self.row.div_ceil(4)) >= self.row
    }

    fn integer(&self, index: u64, word: u32) -> i64 {
        let (least, most) = self.bounds;
        // As many values as there are, up to 2^64, and a number below that.
        let n = (i128::from(most) - i128::from(least) + 1) as u128;
        let bits = u64::from(word) << 32 | mix(self.key ^ index) >> 32;
        let even = |bits: u64| (i128::from(least) + ((n * u128::from(bits)) >> 64) as i128) as i64;
        let zero = 0_i64.clamp(least, most);
        match self.distribution {
            Distribution::WideRange => {
                let magnitude = 1_i64 << scaled(word, 63);
                let value = (bits as i64 & (magnitude - 1)) | magnitude;
                let value = if mix(bits) & 1 == 0 { value } else { -value };
                if (least..=most).contains(&value) { value } else { even(mix(bits)) }
            }
            Distribution::OneHot if !self.is_hot(index) => zero,
            Distribution::MostlyZero if word & 63 != 0 => zero,
            Distribution::RaggedTail if !self.in_tail(index) => zero,
            Distribution::OneHot | Distribution::MostlyZero => most,
            Distribution::Constant => even(mix(self.key)),
            Distribution::EdgeValues | Distribution::Extremes if word & 3 == 0 => least,
            Distribution::EdgeValues | Distribution::Extremes if word & 3 == 1 => most,
            Distribution::EdgeValues | Distribution::Extremes if word & 3 == 2 => zero,
            Distribution::Normal
            | Distribution::Uniform
            | Distribution::Cancellation
            | Distribution::RaggedTail
            | Distribution::EdgeValues
            | Distribution::Extremes
            | Distribution::NotFinite => even(bits),
        }
    }
}

/// The least and the greatest value an integer tensor may have.
fn integer_bounds(
    tensor: &TensorInput<'_>,
    distribution: Distribution,
) -> Result<(i64, i64), InputError> {
    let (least, most) = match tensor.dtype {
        Dtype::I64 => (i64::MIN, i64::MAX),
        Dtype::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Dtype::I16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Dtype::I8 => (-128, 127),
        Dtype::U32 => (0, i64::from(u32::MAX)),
        Dtype::U8 => (0, 255),
        Dtype::Bool => (0, 1),
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::F8e4m3 | Dtype::F8e5m2 => {
            return Ok((0, 0));
        }
    };
    // Without bounds: what C's promotions and sums of products do not overflow.
    let modest = match distribution {
        Distribution::EdgeValues | Distribution::WideRange => 1 << 15,
        Distribution::Extremes => i64::MAX,
        _ => 100,
    };
    let wanted = tensor.bounds.clone().unwrap_or(-modest..modest);
    // An empty range ends before it starts.
    let last = wanted.end.checked_sub(1).filter(|_| wanted.start < wanted.end);
    let bounds = last.map(|last| (wanted.start.max(least), last.min(most)));
    bounds.filter(|(least, most)| least <= most).ok_or_else(|| InputError::EmptyBounds {
        name: tensor.name.to_owned(),
        dtype: tensor.dtype,
        start: wanted.start,
        end: wanted.end,
    })
}

fn float_format(dtype: Dtype) -> FloatFormat {
    match dtype {
        Dtype::F32 => FloatFormat::F32,
        Dtype::F16 => FloatFormat::F16,
        Dtype::Bf16 => FloatFormat::BF16,
        Dtype::F8e4m3 => FloatFormat::E4M3,
        Dtype::F8e5m2 => FloatFormat::E5M2,
        Dtype::F64
        | Dtype::I64
        | Dtype::I32
        | Dtype::I16
        | Dtype::I8
        | Dtype::U32
        | Dtype::U8
        | Dtype::Bool => FloatFormat::F64,
    }
}

/// Least and greatest exponent of the wide range.
fn exponents(dtype: Dtype) -> (i32, i32) {
    let bias = float_format(dtype).bias();
    ((1 - bias).max(-LARGE_LOG2), bias.min(LARGE_LOG2))
}

fn edges(dtype: Dtype, distribution: Distribution) -> Vec<f64> {
    let format = float_format(dtype);
    let value = |code: u64| format.to_f64(code);
    let one = u64::try_from(format.bias()).unwrap_or_default() << format.mantissa_bits;
    let normal = 1 << format.mantissa_bits;
    let largest = value(format.max_finite);
    let large = match distribution {
        Distribution::Extremes => largest,
        _ => largest.min(2.0_f64.powi(LARGE_LOG2)),
    };
    let positive = [
        0.0,
        value(1),
        value(normal - 1),
        value(normal),
        value(one - 1),
        value(one),
        value(one + 1),
        0.5,
        2.0,
        3.0,
        large / 2.0,
        large,
    ];
    positive.into_iter().flat_map(|value| [value, -value]).collect()
}

/// A word scaled to 0 up to `n`, evenly.
fn scaled(word: u32, n: u64) -> u64 {
    (u64::from(word) * n) >> 32
}

/// The normal value at a word: the upper half picks a quantile, the lower half goes on to the next.
#[inline]
fn normal(table: &[f64; QUANTILES + 1], word: u32) -> f64 {
    let at = (word >> 16) as usize;
    let part = f64::from(word & 0xffff) / 65536.0;
    table[at] + (table[at + 1] - table[at]) * part
}

/// Quantiles of the normal distribution, with the ends a little inside so that they are finite.
fn quantiles() -> &'static [f64; QUANTILES + 1] {
    static TABLE: OnceLock<Box<[f64; QUANTILES + 1]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Box::new([0.0; QUANTILES + 1]);
        for (at, quantile) in table.iter_mut().enumerate() {
            let inside = (at as f64).clamp(0.01, QUANTILES as f64 - 0.01);
            *quantile = normal_quantile(inside / QUANTILES as f64);
        }
        table
    })
}

/// Acklam's rational approximation of the inverse normal distribution function, good to nine
/// digits; the input lies inside (0, 1).
fn normal_quantile(probability: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    const TAIL: f64 = 0.02425;
    let polynomial = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        // Not the system's logarithm: the inputs of a seed are the same everywhere.
        let x = (-2.0 * libm::log(p)).sqrt();
        polynomial(&C, x) / polynomial(&D, x)
    };
    if probability < TAIL {
        tail(probability)
    } else if probability > 1.0 - TAIL {
        -tail(1.0 - probability)
    } else {
        let x = probability - 0.5;
        let square = x * x;
        polynomial(&A, square) * x / polynomial(&B, square)
    }
}

/// SplitMix64's finaliser: every bit of the result depends on every bit of the input.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
