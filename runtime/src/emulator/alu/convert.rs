//! Conversions: `cvt` (PTX ISA, "Data Movement and Conversion Instructions: cvt").

use super::float::rounding;
use super::registers::{Long, Slot, Word, lanes};
use super::scalar::Pair;
use crate::emulator::decode::builder::{Builder, Built, operands, run};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, Refusal};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Operand, Type};
use crate::numeric::convert::{
    IntegerFormat, bf16_to_f32, e4m3_to_f16, e5m2_to_f16, f16_to_e4m3, f16_to_e5m2, f16_to_f32,
    f32_to_bf16, f32_to_bf16_rn, f32_to_e4m3, f32_to_e5m2, f32_to_f16, f32_to_f16_rn, f32_to_tf32,
    f64_to_bf16, f64_to_f16, f64_to_f32, float_to_integer, flush_f32, relu, round_to_integral,
    saturate_f32, saturate_f64, signed_to_float, unsigned_to_float,
};
use crate::numeric::{FloatFormat, Overflow, Rounding};

const INTEGER_TO_INTEGER: &str =
    "[.sat].{u8|u16|u32|u64|s8|s16|s32|s64}.{u8|u16|u32|u64|s8|s16|s32|s64}";
const INTEGER_TO_FLOAT: &str =
    ".{rn|rz|rm|rp}[.sat].{f16|bf16|f32|f64}.{u8|u16|u32|u64|s8|s16|s32|s64}";
const FLOAT_TO_INTEGER: &str =
    ".{rni|rzi|rmi|rpi}[.ftz][.sat].{u8|u16|u32|u64|s8|s16|s32|s64}.{f16|bf16|f32|f64}";

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |pattern, build| Form::new(Opcode::Cvt, pattern, Class::Conversion, build);
    vec![
        form(INTEGER_TO_INTEGER, integer_to_integer),
        form(INTEGER_TO_FLOAT, integer_to_float),
        form(FLOAT_TO_INTEGER, float_to_int),
        form("[.{rni|rzi|rmi|rpi}][.ftz][.sat].f32.f32", same_f32),
        form("[.{rni|rzi|rmi|rpi}][.sat].f64.f64", same_f64),
        form("[.{rni|rzi|rmi|rpi}][.ftz][.sat].f16.f16", same_half),
        form("[.{rni|rzi|rmi|rpi}].bf16.bf16", same_half),
        form("[.ftz][.sat].f64.f32", widen),
        form("[.ftz][.sat].{f32|f64}.f16", widen),
        form("[.ftz][.sat].{f32|f64}.bf16", widen),
        form(".{rn|rz|rm|rp}[.ftz][.sat].f32.f64", narrow_f64),
        form(".{rn|rz|rm|rp}[.sat].{f16|bf16}.f64", narrow_f64),
        form(".{rn|rz|rm|rp}[.ftz][.sat].f16.f32", narrow_f32),
        form(".{rn|rz}[.relu][.satfinite].{f16|bf16}.f32", narrow_f32),
        form(".{rn|rz}[.satfinite][.relu].{f16|bf16}.f32", narrow_f32),
        form(".{rm|rp}.bf16.f32", narrow_f32),
        form(".{rn|rz|rm|rp}.f16.bf16", between_halves),
        form(".{rn|rz|rm|rp}.bf16.f16", between_halves),
        form(".{rn|rz}[.relu][.satfinite].{f16x2|bf16x2}.f32", pack_halves),
        form(".{rn|rz}[.satfinite][.relu].{f16x2|bf16x2}.f32", pack_halves),
        form(".rn.satfinite[.relu].{e4m3x2|e5m2x2}.{f32|f16x2}", to_fp8),
        form(".rn[.relu].f16x2.{e4m3x2|e5m2x2}", from_fp8),
        form(".{rna|rn|rz}[.satfinite][.relu].tf32.f32", to_tf32),
    ]
}

/// Destination and source types.
fn types(i: &Instruction) -> (Type, Type) {
    let mut types = i.modifiers.types();
    (types.next().unwrap_or(Type::B32), types.next().unwrap_or(Type::B32))
}

/// A row of either width, whose registers may be wider than the converted type.
#[derive(Clone, Copy)]
enum Row {
    Word(Word),
    Long(Long),
}

fn source_row(b: &mut Builder<'_>, operand: &Operand, scalar: Type) -> Result<Row, Refusal> {
    let bits = b.register_bits(operand).unwrap_or(scalar.bits());
    if bits == 64 {
        Ok(Row::Long(b.source::<u64>(operand)?))
    } else {
        Ok(Row::Word(b.word(operand, scalar)?))
    }
}

fn target_row(b: &mut Builder<'_>, operand: &Operand, scalar: Type) -> Result<Row, Refusal> {
    let bits = b.register_bits(operand).unwrap_or(scalar.bits());
    if bits == 64 {
        Ok(Row::Long(b.target::<u64>(operand)?))
    } else {
        Ok(Row::Word(b.target::<u32>(operand)?))
    }
}

/// Builds `d = f(a)` on lanes widened to 64 bits, whatever the rows' widths.
fn through_longs(d: Row, a: Row, f: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Built {
    match (d, a) {
        (Row::Word(d), Row::Word(a)) => run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| f(u64::from(row[lane])) as u32);
            d.store(registers, &out, mask);
        }),
        (Row::Word(d), Row::Long(a)) => run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| f(row[lane]) as u32);
            d.store(registers, &out, mask);
        }),
        (Row::Long(d), Row::Word(a)) => run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| f(u64::from(row[lane])));
            d.store(registers, &out, mask);
        }),
        (Row::Long(d), Row::Long(a)) => run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| f(row[lane]));
            d.store(registers, &out, mask);
        }),
    }
}

/// The low `bits` of a value, sign- or zero-extended to 64.
#[inline(always)]
fn extend(value: u64, bits: u32, signed: bool) -> u64 {
    let shift = 64 - bits;
    if signed { ((value << shift) as i64 >> shift) as u64 } else { value << shift >> shift }
}

/// An integer as its destination register holds it: extended by its own sign to the register's
/// width.
#[inline(always)]
fn fit(value: u64, to: Type, register_bits: u32) -> u64 {
    extend(extend(value, to.bits(), to.is_signed()), register_bits, false)
}

/// Clamps an integer given as 64 bits of type `from` to the range of `to`.
fn clamp(value: u64, from: Type, to: Type) -> u64 {
    let value = if from.is_signed() { i128::from(value as i64) } else { i128::from(value) };
    let (low, high) = if to.is_signed() {
        (-(1i128 << (to.bits() - 1)), (1i128 << (to.bits() - 1)) - 1)
    } else {
        (0, (1i128 << to.bits()) - 1)
    };
    value.clamp(low, high) as u64
}

fn register_width(b: &Builder<'_>, operand: &Operand, scalar: Type) -> u32 {
    b.register_bits(operand).unwrap_or(scalar.bits().max(16))
}

fn integer_to_integer(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, a] = operands(i)?;
    let (to, from) = types(i);
    let width = register_width(b, d, to);
    let (d, a) = (target_row(b, d, to)?, source_row(b, a, from)?);
    if i.has(Modifier::Sat) {
        return through_longs(d, a, move |x| {
            fit(clamp(extend(x, from.bits(), from.is_signed()), from, to), to, width)
        });
    }
    match (d, a, from.bits() >= to.bits(), from) {
        (Row::Long(d), Row::Word(a), _, Type::U32) => run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| u64::from(row[lane]));
            d.store(registers, &out, mask);
        }),
        (Row::Long(d), Row::Word(a), _, Type::S32) => run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| i64::from(row[lane] as i32) as u64);
            d.store(registers, &out, mask);
        }),
        (d, a, true, _) => through_longs(d, a, move |x| fit(x, to, width)),
        (d, a, false, _) => {
            through_longs(d, a, move |x| fit(extend(x, from.bits(), from.is_signed()), to, width))
        }
    }
}

fn format(scalar: Type) -> FloatFormat {
    match scalar {
        Type::F16 => FloatFormat::F16,
        Type::Bf16 => FloatFormat::BF16,
        Type::F32 => FloatFormat::F32,
        _ => FloatFormat::F64,
    }
}

/// The largest value that `.sat` lets through is 1.
fn one(scalar: Type) -> u64 {
    match scalar {
        Type::F16 => 0x3c00,
        Type::Bf16 => 0x3f80,
        Type::F32 => u64::from(1.0_f32.to_bits()),
        _ => 1.0_f64.to_bits(),
    }
}

fn integer_to_float(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, a] = operands(i)?;
    let (to, from) = types(i);
    let (d, a) = (target_row(b, d, to)?, source_row(b, a, from)?);
    let (rounding, sat) = (rounding(i), i.has(Modifier::Sat));
    let nearest = rounding == Rounding::NearestEven && !sat;
    match (d, a, to, from) {
        (Row::Word(d), Row::Word(a), Type::F32, Type::S32) if nearest => {
            run(move |registers, mask| {
                let row = a.row(registers);
                let out = lanes(|lane| (row[lane] as i32 as f32).to_bits());
                d.store(registers, &out, mask);
            })
        }
        (Row::Word(d), Row::Word(a), Type::F32, Type::U32) if nearest => {
            run(move |registers, mask| {
                let row = a.row(registers);
                let out = lanes(|lane| (row[lane] as f32).to_bits());
                d.store(registers, &out, mask);
            })
        }
        _ => through_longs(d, a, move |x| {
            let value = extend(x, from.bits(), from.is_signed());
            if sat {
                let positive = value != 0 && !(from.is_signed() && (value as i64) < 0);
                return if positive { one(to) } else { 0 };
            }
            if from.is_signed() {
                signed_to_float(value as i64, format(to), rounding)
            } else {
                unsigned_to_float(value, format(to), rounding)
            }
        }),
    }
}

/// A float of any type as a double, exactly; `.ftz` flushes single-precision subnormals.
#[inline(always)]
fn to_double(bits: u64, from: Type, ftz: bool) -> f64 {
    match from {
        Type::F16 => f64::from(f16_to_f32(bits as u16)),
        Type::Bf16 => f64::from(bf16_to_f32(bits as u16)),
        Type::F32 if ftz => f64::from(flush_f32(f32::from_bits(bits as u32))),
        Type::F32 => f64::from(f32::from_bits(bits as u32)),
        _ => f64::from_bits(bits),
    }
}

fn float_to_int(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, a] = operands(i)?;
    let (to, from) = types(i);
    let width = register_width(b, d, to);
    let (d, a) = (target_row(b, d, to)?, source_row(b, a, from)?);
    let (rounding, ftz) = (rounding(i), i.has(Modifier::Ftz));
    if let (Row::Word(d), Row::Word(a), Type::S32, Type::F32, Rounding::Zero) =
        (d, a, to, from, rounding)
    {
        return run(move |registers, mask| {
            let row = a.row(registers);
            let out = lanes(|lane| f32::from_bits(row[lane]) as i32 as u32);
            d.store(registers, &out, mask);
        });
    }
    let target = IntegerFormat { bits: to.bits(), signed: to.is_signed() };
    through_longs(d, a, move |x| {
        let value = to_double(x, from, ftz);
        fit(float_to_integer(value, rounding, target, from == Type::F64), to, width)
    })
}

/// The rounding to an integral value that the instruction names, if any.
fn integral_rounding(i: &Instruction) -> Option<Rounding> {
    i.modifiers.as_slice().iter().find_map(|word| match word {
        Modifier::Rni => Some(Rounding::NearestEven),
        Modifier::Rzi => Some(Rounding::Zero),
        Modifier::Rmi => Some(Rounding::Down),
        Modifier::Rpi => Some(Rounding::Up),
        _ => None,
    })
}

fn same_f32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (integral, ftz, sat) = (integral_rounding(i), i.has(Modifier::Ftz), i.has(Modifier::Sat));
    b.map1(i, move |x: f32| {
        let x = if ftz { flush_f32(x) } else { x };
        let x = integral.map_or(x, |rounding| round_to_integral(f64::from(x), rounding) as f32);
        if sat { saturate_f32(x) } else { x }
    })
}

fn same_f64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (integral, sat) = (integral_rounding(i), i.has(Modifier::Sat));
    b.map1(i, move |x: f64| {
        let x = integral.map_or(x, |rounding| round_to_integral(x, rounding));
        if sat { saturate_f64(x) } else { x }
    })
}

fn same_half(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (integral, sat) = (integral_rounding(i), i.has(Modifier::Sat));
    let bf16 = types(i).0 == Type::Bf16;
    b.map1(i, move |bits: u16| {
        let x = if bf16 { bf16_to_f32(bits) } else { f16_to_f32(bits) };
        let x = integral.map_or(x, |rounding| round_to_integral(f64::from(x), rounding) as f32);
        let x = if sat { saturate_f32(x) } else { x };
        if bf16 { f32_to_bf16_rn(x) } else { f32_to_f16_rn(x) }
    })
}

fn widen(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (to, from) = types(i);
    let (ftz, sat) = (i.has(Modifier::Ftz), i.has(Modifier::Sat));
    match (to, from, sat) {
        (Type::F32, Type::Bf16, false) => b.map1(i, bf16_to_f32),
        (Type::F32, Type::F16, false) => b.map1(i, f16_to_f32),
        (Type::F32, Type::Bf16, true) => b.map1(i, |x: u16| saturate_f32(bf16_to_f32(x))),
        (Type::F32, _, true) => b.map1(i, |x: u16| saturate_f32(f16_to_f32(x))),
        (_, Type::F32, _) => b.map1(i, move |x: f32| {
            let x = f64::from(if ftz { flush_f32(x) } else { x });
            if sat { saturate_f64(x) } else { x }
        }),
        _ => b.map1(i, move |x: u16| {
            let x = to_double(u64::from(x), from, false);
            if sat { saturate_f64(x) } else { x }
        }),
    }
}

fn narrow_f64(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (rounding, ftz, sat) = (rounding(i), i.has(Modifier::Ftz), i.has(Modifier::Sat));
    let clamped = move |x: f64| if sat { saturate_f64(x) } else { x };
    match types(i).0 {
        Type::F32 => b.map1(i, move |x: f64| {
            let x = f64_to_f32(clamped(x), rounding);
            if ftz { flush_f32(x) } else { x }
        }),
        Type::F16 => b.map1(i, move |x: f64| f64_to_f16(clamped(x), rounding)),
        _ => b.map1(i, move |x: f64| f64_to_bf16(clamped(x), rounding)),
    }
}

/// A single to one of the 16-bit formats, by the modifiers of an instruction.
fn narrowing(i: &Instruction, bf16: bool) -> impl Fn(f32) -> u16 + Copy + Send + Sync + 'static {
    let rounding = rounding(i);
    let overflow = if i.has(Modifier::Satfinite) { Overflow::Saturate } else { Overflow::Ieee };
    let (ftz, sat, clip) = (i.has(Modifier::Ftz), i.has(Modifier::Sat), i.has(Modifier::Relu));
    move |x: f32| {
        let x = if ftz { flush_f32(x) } else { x };
        let x = if sat { saturate_f32(x) } else { x };
        let x = if clip { relu(x) } else { x };
        if bf16 { f32_to_bf16(x, rounding, overflow) } else { f32_to_f16(x, rounding, overflow) }
    }
}

/// Whether a narrowing conversion only rounds to nearest.
fn is_plain(i: &Instruction) -> bool {
    rounding(i) == Rounding::NearestEven
        && ![Modifier::Satfinite, Modifier::Ftz, Modifier::Sat, Modifier::Relu]
            .into_iter()
            .any(|word| i.has(word))
}

fn narrow_f32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let bf16 = types(i).0 == Type::Bf16;
    match (bf16, is_plain(i)) {
        (true, true) => b.map1(i, f32_to_bf16_rn),
        (false, true) => b.map1(i, f32_to_f16_rn),
        _ => b.map1(i, narrowing(i, bf16)),
    }
}

fn between_halves(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let rounding = rounding(i);
    if types(i).0 == Type::Bf16 {
        b.map1(i, move |x: u16| f32_to_bf16(f16_to_f32(x), rounding, Overflow::Ieee))
    } else {
        b.map1(i, move |x: u16| f32_to_f16(bf16_to_f32(x), rounding, Overflow::Ieee))
    }
}

/// `d = {a, b}` with `b` in the low half.
fn pack_halves(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let bf16 = types(i).0 == Type::Bf16x2;
    match (bf16, is_plain(i)) {
        (true, true) => b.map2(i, |x: f32, y: f32| Pair(f32_to_bf16_rn(y), f32_to_bf16_rn(x))),
        (false, true) => b.map2(i, |x: f32, y: f32| Pair(f32_to_f16_rn(y), f32_to_f16_rn(x))),
        _ => {
            let narrow = narrowing(i, bf16);
            b.map2(i, move |x: f32, y: f32| Pair(narrow(y), narrow(x)))
        }
    }
}

fn to_fp8(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (to, from) = types(i);
    let clip = i.has(Modifier::Relu);
    let e4m3 = to == Type::E4m3x2;
    let join = |high: u8, low: u8| u16::from(high) << 8 | u16::from(low);
    if from == Type::F32 {
        let one = move |x: f32| {
            let x = if clip { relu(x) } else { x };
            if e4m3 { f32_to_e4m3(x) } else { f32_to_e5m2(x) }
        };
        b.map2(i, move |x: f32, y: f32| join(one(x), one(y)))
    } else {
        let one = move |x: u16| {
            let negative = x >> 15 == 1 && x & 0x7fff <= 0x7c00;
            let x = if clip && negative { 0 } else { x };
            if e4m3 { f16_to_e4m3(x) } else { f16_to_e5m2(x) }
        };
        b.map1(i, move |x: Pair| join(one(x.1), one(x.0)))
    }
}

fn from_fp8(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (e4m3, clip) = (types(i).1 == Type::E4m3x2, i.has(Modifier::Relu));
    let one = move |bits: u8| {
        let half = if e4m3 { e4m3_to_f16(bits) } else { e5m2_to_f16(bits) };
        let negative = half >> 15 == 1 && half & 0x7fff <= 0x7c00;
        if clip && negative { 0 } else { half }
    };
    b.map1(i, move |x: u16| Pair(one(x as u8), one((x >> 8) as u8)))
}

fn to_tf32(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let rounding = rounding(i);
    let overflow = if i.has(Modifier::Satfinite) { Overflow::Saturate } else { Overflow::Ieee };
    let clip = i.has(Modifier::Relu);
    b.map1(i, move |x: f32| f32_to_tf32(if clip { relu(x) } else { x }, rounding, overflow))
}
