//! Half precision and bfloat16, single and packed, each operation with one rounding.

use super::integer::first_type;
use super::scalar::Pair;
use crate::emulator::decode::builder::{Builder, Built};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, Refusal};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Type};
use crate::numeric::convert::{bf16_to_f32, f16_to_f32};
use crate::numeric::{approx, arith};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Float16, build);
    let special = |opcode, pattern, build| Form::new(opcode, pattern, Class::Special, build);
    vec![
        form(Opcode::Add, "[.rn][.ftz][.sat].{f16|f16x2}", binary),
        form(Opcode::Add, "[.rn].{bf16|bf16x2}", binary),
        form(Opcode::Sub, "[.rn][.ftz][.sat].{f16|f16x2}", binary),
        form(Opcode::Sub, "[.rn].{bf16|bf16x2}", binary),
        form(Opcode::Mul, "[.rn][.ftz][.sat].{f16|f16x2}", binary),
        form(Opcode::Mul, "[.rn].{bf16|bf16x2}", binary),
        form(Opcode::Fma, ".rn[.ftz][.sat].{f16|f16x2}", fma),
        form(Opcode::Fma, ".rn[.ftz].relu.{f16|f16x2}", fma),
        form(Opcode::Fma, ".rn[.relu].{bf16|bf16x2}", fma),
        form(Opcode::Min, "[.ftz][.NaN].{f16|f16x2}", binary),
        form(Opcode::Min, "[.NaN].{bf16|bf16x2}", binary),
        form(Opcode::Max, "[.ftz][.NaN].{f16|f16x2}", binary),
        form(Opcode::Max, "[.NaN].{bf16|bf16x2}", binary),
        form(Opcode::Abs, "[.ftz].{f16|f16x2}", sign),
        form(Opcode::Abs, ".{bf16|bf16x2}", sign),
        form(Opcode::Neg, "[.ftz].{f16|f16x2}", sign),
        form(Opcode::Neg, ".{bf16|bf16x2}", sign),
        special(Opcode::Ex2, ".approx.{f16|f16x2}", approximation),
        special(Opcode::Ex2, ".approx.ftz.{bf16|bf16x2}", approximation),
        special(Opcode::Tanh, ".approx.{f16|f16x2|bf16|bf16x2}", approximation),
    ]
}

/// The NaN that half-precision arithmetic writes, in both formats.
const NAN: u16 = 0x7fff;

/// One of the two 16-bit formats, with the flags of an operation.
#[derive(Clone, Copy)]
struct Format {
    bf16: bool,
    ftz: bool,
    sat: bool,
    relu: bool,
}

impl Format {
    fn of(i: &Instruction) -> Self {
        Self {
            bf16: matches!(first_type(i), Type::Bf16 | Type::Bf16x2),
            ftz: i.has(Modifier::Ftz),
            sat: i.has(Modifier::Sat),
            relu: i.has(Modifier::Relu),
        }
    }

    fn is_nan(self, bits: u16) -> bool {
        bits & 0x7fff > if self.bf16 { 0x7f80 } else { 0x7c00 }
    }

    fn value(self, bits: u16) -> f32 {
        if self.bf16 { bf16_to_f32(bits) } else { f16_to_f32(bits) }
    }

    #[inline(always)]
    fn input(self, bits: u16) -> u16 {
        if self.ftz { approx::flush_f16(bits) } else { bits }
    }

    #[inline(always)]
    fn output(self, bits: u16) -> u16 {
        if self.is_nan(bits) {
            return if self.sat { 0 } else { NAN };
        }
        let bits = self.input(bits);
        if self.relu && bits >> 15 == 1 {
            return 0;
        }
        if self.sat {
            // Positive halves order as their bits do; 0x3c00 is 1.
            return if bits >> 15 == 1 { 0 } else { bits.min(0x3c00) };
        }
        bits
    }

    fn pick(self, x: u16, y: u16, greatest: bool, propagate: bool) -> u16 {
        let (x, y) = (self.input(x), self.input(y));
        match (self.is_nan(x), self.is_nan(y)) {
            (true, true) => return NAN,
            (true, false) => return if propagate { NAN } else { y },
            (false, true) => return if propagate { NAN } else { x },
            (false, false) => {}
        }
        let (a, b) = (self.value(x), self.value(y));
        let first_less = a < b || (a == b && a.is_sign_negative());
        if first_less == greatest { y } else { x }
    }
}

/// Builds `f` for one element or for both halves of a pair.
fn elementwise2(
    b: &mut Builder<'_>,
    i: &Instruction,
    f: impl Fn(u16, u16) -> u16 + Copy + Send + Sync + 'static,
) -> Built {
    match first_type(i) {
        Type::F16x2 | Type::Bf16x2 => b.map2(i, move |x: Pair, y: Pair| x.map2(y, f)),
        _ => b.map2(i, f),
    }
}

/// Builds `f` for one element or for both halves of a pair.
fn elementwise1(
    b: &mut Builder<'_>,
    i: &Instruction,
    f: impl Fn(u16) -> u16 + Copy + Send + Sync + 'static,
) -> Built {
    match first_type(i) {
        Type::F16x2 | Type::Bf16x2 => b.map1(i, move |x: Pair| x.map(f)),
        _ => b.map1(i, f),
    }
}

/// `f` between the flushes and clamps of an operation.
fn around(
    format: Format,
    f: impl Fn(u16, u16) -> u16 + Copy + Send + Sync + 'static,
) -> impl Fn(u16, u16) -> u16 + Copy + Send + Sync + 'static {
    move |x, y| format.output(f(format.input(x), format.input(y)))
}

fn binary(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let format = Format::of(i);
    let propagate = i.has(Modifier::PropagateNan);
    match (i.opcode, format.bf16) {
        (Opcode::Add, false) => elementwise2(b, i, around(format, arith::add_f16)),
        (Opcode::Add, true) => elementwise2(b, i, around(format, arith::add_bf16)),
        (Opcode::Sub, false) => {
            elementwise2(b, i, around(format, |x, y| arith::add_f16(x, y ^ 0x8000)))
        }
        (Opcode::Sub, true) => {
            elementwise2(b, i, around(format, |x, y| arith::add_bf16(x, y ^ 0x8000)))
        }
        (Opcode::Mul, false) => elementwise2(b, i, around(format, arith::mul_f16)),
        (Opcode::Mul, true) => elementwise2(b, i, around(format, arith::mul_bf16)),
        (Opcode::Min, _) => elementwise2(b, i, move |x, y| format.pick(x, y, false, propagate)),
        (Opcode::Max, _) => elementwise2(b, i, move |x, y| format.pick(x, y, true, propagate)),
        _ => Err(Refusal::new("the operation is not supported here")),
    }
}

fn fma(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let format = Format::of(i);
    let one = if format.bf16 { arith::fma_bf16 } else { arith::fma_f16 };
    let f = move |x: u16, y: u16, z: u16| {
        format.output(one(format.input(x), format.input(y), format.input(z)))
    };
    match first_type(i) {
        Type::F16x2 | Type::Bf16x2 => b.map3(i, move |x: Pair, y: Pair, z: Pair| x.map3(y, z, f)),
        _ => b.map3(i, f),
    }
}

fn sign(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let format = Format::of(i);
    if i.opcode == Opcode::Abs {
        elementwise1(b, i, move |x| format.input(x) & 0x7fff)
    } else {
        elementwise1(b, i, move |x| format.input(x) ^ 0x8000)
    }
}

fn approximation(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match (i.opcode, Format::of(i).bf16) {
        (Opcode::Ex2, false) => elementwise1(b, i, approx::ex2_f16),
        (Opcode::Ex2, true) => elementwise1(b, i, approx::ex2_bf16),
        (_, false) => elementwise1(b, i, approx::tanh_f16),
        (_, true) => elementwise1(b, i, approx::tanh_bf16),
    }
}
