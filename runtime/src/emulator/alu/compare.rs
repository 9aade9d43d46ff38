//! Comparisons: `setp`, `set`, `testp`.

use super::integer::first_type;
use super::registers::{LANE_BITS, Slot, lane_mask, lanes};
use super::scalar::Scalar;
use crate::emulator::decode::builder::{Builder, Built, Resolve, Test, operands, run};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, Refusal};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Operand, Type};
use crate::numeric::convert::{bf16_to_f32, f16_to_f32, flush_f32};

const INTEGER: &str =
    ".{eq|ne|lt|le|gt|ge|lo|ls|hi|hs}[.{and|or|xor}].{b16|b32|b64|u16|u32|u64|s16|s32|s64}";
const FLOAT: &str = ".{eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan}[.{and|or|xor}][.ftz].{f32|f64|f16|bf16|f16x2|bf16x2}";

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    vec![
        Form::new(Opcode::Setp, INTEGER, Class::Integer, setp),
        Form::new(Opcode::Setp, FLOAT, Class::Integer, setp),
        Form::new(
            Opcode::Set,
            ".{eq|ne|lt|le|gt|ge|lo|ls|hi|hs}[.{and|or|xor}].{u32|s32|f32}.{b16|b32|b64|u16|u32|u64|s16|s32|s64}",
            Class::Integer,
            set,
        ),
        Form::new(
            Opcode::Set,
            ".{eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan}[.{and|or|xor}][.ftz].{u32|s32|f32|f16|bf16|u16|s16}.{f32|f64|f16|bf16}",
            Class::Integer,
            set,
        ),
        Form::new(
            Opcode::Set,
            ".{eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan}[.{and|or|xor}][.ftz].{f16x2|u32|s32}.f16x2",
            Class::Integer,
            set_pair,
        ),
        Form::new(
            Opcode::Set,
            ".{eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan}[.{and|or|xor}].{bf16x2|u32|s32}.bf16x2",
            Class::Integer,
            set_pair,
        ),
        Form::new(
            Opcode::Testp,
            ".{finite|infinite|number|notanumber|normal|subnormal}.{f32|f64}",
            Class::Integer,
            testp,
        ),
    ]
}

/// The comparison of an instruction: its first modifier.
fn comparison(i: &Instruction) -> Modifier {
    i.modifiers.as_slice().first().copied().unwrap_or(Modifier::Eq)
}

fn integers<T: Scalar + Ord>(
    b: &mut Builder<'_>,
    x: &Operand,
    y: &Operand,
    comparison: Modifier,
) -> Result<Test, Refusal>
where
    T::Slot: Resolve,
{
    match comparison {
        Modifier::Eq => b.compare(x, y, |x: T, y: T| x == y),
        Modifier::Ne => b.compare(x, y, |x: T, y: T| x != y),
        Modifier::Lt | Modifier::Lo => b.compare(x, y, |x: T, y: T| x < y),
        Modifier::Le | Modifier::Ls => b.compare(x, y, |x: T, y: T| x <= y),
        Modifier::Gt | Modifier::Hi => b.compare(x, y, |x: T, y: T| x > y),
        _ => b.compare(x, y, |x: T, y: T| x >= y),
    }
}

fn floats<T: Scalar, F: PartialOrd>(
    b: &mut Builder<'_>,
    x: &Operand,
    y: &Operand,
    comparison: Modifier,
    value: impl Fn(T) -> F + Send + Sync + 'static,
) -> Result<Test, Refusal>
where
    T::Slot: Resolve,
{
    let f = value;
    match comparison {
        Modifier::Eq => b.compare(x, y, move |x: T, y: T| f(x) == f(y)),
        Modifier::Ne => b.compare(x, y, move |x: T, y: T| f(x) < f(y) || f(x) > f(y)),
        Modifier::Lt => b.compare(x, y, move |x: T, y: T| f(x) < f(y)),
        Modifier::Le => b.compare(x, y, move |x: T, y: T| f(x) <= f(y)),
        Modifier::Gt => b.compare(x, y, move |x: T, y: T| f(x) > f(y)),
        Modifier::Ge => b.compare(x, y, move |x: T, y: T| f(x) >= f(y)),
        Modifier::Equ => b.compare(x, y, move |x: T, y: T| !(f(x) < f(y) || f(x) > f(y))),
        Modifier::Neu => b.compare(x, y, move |x: T, y: T| f(x) != f(y)),
        Modifier::Ltu => {
            b.compare(x, y, move |x: T, y: T| f(x).partial_cmp(&f(y)).is_none_or(|o| o.is_lt()))
        }
        Modifier::Leu => {
            b.compare(x, y, move |x: T, y: T| f(x).partial_cmp(&f(y)).is_none_or(|o| o.is_le()))
        }
        Modifier::Gtu => {
            b.compare(x, y, move |x: T, y: T| f(x).partial_cmp(&f(y)).is_none_or(|o| o.is_gt()))
        }
        Modifier::Geu => {
            b.compare(x, y, move |x: T, y: T| f(x).partial_cmp(&f(y)).is_none_or(|o| o.is_ge()))
        }
        Modifier::Num => b.compare(x, y, move |x: T, y: T| f(x).partial_cmp(&f(y)).is_some()),
        _ => b.compare(x, y, move |x: T, y: T| f(x).partial_cmp(&f(y)).is_none()),
    }
}

/// A 16-bit float of either format as a single, subnormals flushed where asked.
fn half_value(bf16: bool, ftz: bool) -> impl Fn(u16) -> f32 + Copy {
    move |bits| {
        if bf16 {
            bf16_to_f32(bits)
        } else if ftz && bits & 0x7c00 == 0 {
            0.0
        } else {
            f16_to_f32(bits)
        }
    }
}

fn test(
    b: &mut Builder<'_>,
    i: &Instruction,
    scalar: Type,
    (x, y): (&Operand, &Operand),
) -> Result<Test, Refusal> {
    let (op, ftz) = (comparison(i), i.has(Modifier::Ftz));
    match scalar {
        Type::B16 | Type::U16 => integers::<u16>(b, x, y, op),
        Type::B32 | Type::U32 => integers::<u32>(b, x, y, op),
        Type::B64 | Type::U64 => integers::<u64>(b, x, y, op),
        Type::S16 => integers::<i16>(b, x, y, op),
        Type::S32 => integers::<i32>(b, x, y, op),
        Type::S64 => integers::<i64>(b, x, y, op),
        Type::F32 if ftz => floats(b, x, y, op, flush_f32),
        Type::F32 => floats(b, x, y, op, |x: f32| x),
        Type::F64 => floats(b, x, y, op, |x: f64| x),
        Type::F16 | Type::Bf16 => floats(b, x, y, op, half_value(scalar == Type::Bf16, ftz)),
        _ => Err(Refusal::new("the type is not supported here")),
    }
}

/// `value` combined with the third operand's predicate.
fn combined(op: Option<Modifier>, value: u32, with: u32) -> u32 {
    match op {
        Some(Modifier::And) => value & with,
        Some(Modifier::Or) => value | with,
        Some(Modifier::Xor) => value ^ with,
        _ => value,
    }
}

fn boolean(i: &Instruction) -> Option<Modifier> {
    let mut words = i.modifiers.as_slice().iter().skip(1);
    words.find(|m| matches!(m, Modifier::And | Modifier::Or | Modifier::Xor)).copied()
}

/// The operands of a comparison: destination, both sides, and the predicate combined with.
#[expect(clippy::type_complexity, reason = "four operands, named by the caller")]
fn sides(i: &Instruction) -> Result<(&Operand, (&Operand, &Operand), Option<&Operand>), Refusal> {
    match (i.operands.as_slice(), boolean(i)) {
        ([d, x, y], None) => Ok((d, (x, y), None)),
        ([d, x, y, p], Some(_)) => Ok((d, (x, y), Some(p))),
        (other, _) => Err(Refusal::new(format!("{} operands", other.len()))),
    }
}

fn setp(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (d, xy, with) = sides(i)?;
    let scalar = first_type(i);
    if matches!(scalar, Type::F16x2 | Type::Bf16x2) {
        return setp_pair(b, i);
    }
    let test = test(b, i, scalar, xy)?;
    let (p, q) = match d {
        Operand::Pair(pair) => (b.predicate_target(&pair[0])?, Some(b.predicate_target(&pair[1])?)),
        other => (b.predicate_target(other)?, None),
    };
    let Some(with) = with else {
        return match q {
            None => run(move |registers, mask| {
                let holds = test(registers);
                p.store(registers, holds, mask);
            }),
            Some(q) => run(move |registers, mask| {
                let holds = test(registers);
                p.store(registers, holds, mask);
                q.store(registers, !holds, mask);
            }),
        };
    };
    let (with, op) = (b.predicate(with)?, boolean(i));
    run(move |registers, mask| {
        let (holds, with) = (test(registers), with.read(registers));
        p.store(registers, combined(op, holds, with), mask);
        if let Some(q) = q {
            q.store(registers, combined(op, !holds, with), mask);
        }
    })
}

/// The tests of the low and of the high halves of two pairs.
fn pair_tests(
    b: &mut Builder<'_>,
    i: &Instruction,
    (x, y): (&Operand, &Operand),
) -> Result<(Test, Test), Refusal> {
    let source = i.modifiers.types().last();
    let value = half_value(source == Some(Type::Bf16x2), i.has(Modifier::Ftz));
    let low = floats(b, x, y, comparison(i), move |bits: u32| value(bits as u16))?;
    let high = floats(b, x, y, comparison(i), move |bits: u32| value((bits >> 16) as u16))?;
    Ok((low, high))
}

fn setp_pair(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (d, xy, with) = sides(i)?;
    let Operand::Pair(targets) = d else {
        return Err(Refusal::new("a packed comparison with one destination"));
    };
    let (p, q) = (b.predicate_target(&targets[0])?, b.predicate_target(&targets[1])?);
    let (low, high) = pair_tests(b, i, xy)?;
    let op = boolean(i);
    let with = with.map(|with| b.predicate(with)).transpose()?;
    run(move |registers, mask| {
        let with = with.map_or(0, |with| with.read(registers));
        let (low, high) = (low(registers), high(registers));
        p.store(registers, combined(op, low, with), mask);
        q.store(registers, combined(op, high, with), mask);
    })
}

/// What `set` writes for true, by its destination type.
fn truth(scalar: Type) -> u32 {
    match scalar {
        Type::F32 => 1.0_f32.to_bits(),
        Type::F16 => 0x3c00,
        Type::Bf16 => 0x3f80,
        Type::U16 | Type::S16 => 0xffff,
        _ => u32::MAX,
    }
}

fn set(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (d, xy, with) = sides(i)?;
    let mut types = i.modifiers.types();
    let (to, from) = (types.next().unwrap_or(Type::U32), types.next().unwrap_or(Type::U32));
    let test = test(b, i, from, xy)?;
    let d = b.target::<u32>(d)?;
    let op = boolean(i);
    let with = with.map(|with| b.predicate(with)).transpose()?;
    let value = truth(to);
    run(move |registers, mask| {
        let holds = combined(op, test(registers), with.map_or(0, |with| with.read(registers)));
        let out = lanes(|lane| if holds & LANE_BITS[lane] != 0 { value } else { 0 });
        d.store(registers, &out, mask);
    })
}

fn set_pair(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (d, xy, with) = sides(i)?;
    let one = match first_type(i) {
        Type::Bf16x2 => 0x3f80,
        Type::F16x2 => 0x3c00,
        // An integer destination takes a mask of each half.
        _ => 0xffff,
    };
    let (low, high) = pair_tests(b, i, xy)?;
    let d = b.target::<u32>(d)?;
    let op = boolean(i);
    let with = with.map(|with| b.predicate(with)).transpose()?;
    run(move |registers, mask| {
        let with = with.map_or(0, |with| with.read(registers));
        let low = combined(op, low(registers), with);
        let high = combined(op, high(registers), with);
        let out = lanes(|lane| {
            (if low & LANE_BITS[lane] != 0 { one } else { 0 })
                | (if high & LANE_BITS[lane] != 0 { one << 16 } else { 0 })
        });
        d.store(registers, &out, mask);
    })
}

fn testp(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, x] = operands(i)?;
    let d = b.predicate_target(d)?;
    let wanted = comparison(i);
    let holds = move |value: f64, normal: bool, zero: bool| match wanted {
        Modifier::Finite => value.is_finite(),
        Modifier::Infinite => value.is_infinite(),
        Modifier::Number => !value.is_nan(),
        Modifier::Notanumber => value.is_nan(),
        Modifier::Normal => normal,
        _ => value.is_finite() && !normal && !zero,
    };
    if first_type(i) == Type::F32 {
        let x = b.source::<f32>(x)?;
        run(move |registers, mask| {
            let row = x.row(registers);
            let value = lane_mask(|lane| {
                let value = f32::from_bits(row[lane]);
                holds(f64::from(value), value.is_normal(), value == 0.0)
            });
            d.store(registers, value, mask);
        })
    } else {
        let x = b.source::<f64>(x)?;
        run(move |registers, mask| {
            let row = x.row(registers);
            let value = lane_mask(|lane| {
                let value = f64::from_bits(row[lane]);
                holds(value, value.is_normal(), value == 0.0)
            });
            d.store(registers, value, mask);
        })
    }
}
