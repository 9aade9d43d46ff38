//! Integer arithmetic (PTX ISA, "Integer Arithmetic Instructions").

use super::scalar::{Pair, with_integer};
use crate::emulator::decode::builder::{Builder, Built};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, Refusal};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Type};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Integer, build);
    vec![
        form(Opcode::Add, ".{u16|s16|u32|s32|u64|s64}", add),
        form(Opcode::Add, ".sat.s32", add_saturating),
        form(Opcode::Add, ".{u16x2|s16x2}", add_pair),
        form(Opcode::Sub, ".{u16|s16|u32|s32|u64|s64}", sub),
        form(Opcode::Sub, ".sat.s32", sub_saturating),
        form(Opcode::Mul, ".{lo|hi}.{u16|s16|u32|s32|u64|s64}", mul),
        form(Opcode::Mul, ".wide.{u16|s16|u32|s32}", mul_wide),
        form(Opcode::Mad, ".{lo|hi}.{u16|s16|u32|s32|u64|s64}", mad),
        form(Opcode::Mad, ".hi.sat.s32", mad_saturating),
        form(Opcode::Mad, ".wide.{u16|s16|u32|s32}", mad_wide),
        form(Opcode::Mul24, ".{lo|hi}.{u32|s32}", mul24),
        form(Opcode::Mad24, ".{lo|hi}.{u32|s32}", mad24),
        form(Opcode::Sad, ".{u16|s16|u32|s32|u64|s64}", sad),
        form(Opcode::Div, ".{u16|s16|u32|s32|u64|s64}", div),
        form(Opcode::Rem, ".{u16|s16|u32|s32|u64|s64}", rem),
        form(Opcode::Abs, ".{s16|s32|s64}", abs),
        form(Opcode::Neg, ".{s16|s32|s64}", neg),
        form(Opcode::Min, ".{u16|s16|u32|s32|u64|s64}", min),
        form(Opcode::Min, "[.relu].{u16x2|s16x2}", min_pair),
        form(Opcode::Min, ".relu.s32", min_relu),
        form(Opcode::Max, ".{u16|s16|u32|s32|u64|s64}", max),
        form(Opcode::Max, "[.relu].{u16x2|s16x2}", max_pair),
        form(Opcode::Max, ".relu.s32", max_relu),
        form(Opcode::Dp4a, ".{u32|s32}.{u32|s32}", dp4a),
        form(Opcode::Dp2a, ".{lo|hi}.{u32|s32}.{u32|s32}", dp2a),
    ]
}

/// The first type of an instruction whose form has one.
pub(crate) fn first_type(instruction: &Instruction) -> Type {
    instruction.first_type().unwrap_or(Type::B32)
}

/// The refusal of a type that no arm handles.
pub(crate) fn no_such_type() -> Refusal {
    Refusal::new("the type is not supported here")
}

fn add(b: &mut Builder<'_>, i: &Instruction) -> Built {
    with_integer!(first_type(i), T => b.map2(i, |x: T, y: T| x.wrapping_add(y)))
        .unwrap_or_else(|| Err(no_such_type()))
}

fn add_saturating(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map2(i, |x: i32, y: i32| x.saturating_add(y))
}

fn add_pair(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map2(i, |x: Pair, y: Pair| x.map2(y, u16::wrapping_add))
}

fn sub(b: &mut Builder<'_>, i: &Instruction) -> Built {
    with_integer!(first_type(i), T => b.map2(i, |x: T, y: T| x.wrapping_sub(y)))
        .unwrap_or_else(|| Err(no_such_type()))
}

fn sub_saturating(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map2(i, |x: i32, y: i32| x.saturating_sub(y))
}

fn mul(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let built = if i.has(Modifier::Lo) {
        with_integer!(first_type(i), T => b.map2(i, |x: T, y: T| x.wrapping_mul(y)))
    } else {
        with_integer!(first_type(i), T => {
            b.map2(i, |x: T, y: T| (i128::from(x).wrapping_mul(i128::from(y)) >> T::BITS) as T)
        })
    };
    built.unwrap_or_else(|| Err(no_such_type()))
}

fn mul_wide(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::U16 => b.map2(i, |x: u16, y: u16| u32::from(x) * u32::from(y)),
        Type::S16 => b.map2(i, |x: i16, y: i16| i32::from(x) * i32::from(y)),
        Type::U32 => b.map2(i, |x: u32, y: u32| u64::from(x) * u64::from(y)),
        _ => b.map2(i, |x: i32, y: i32| i64::from(x) * i64::from(y)),
    }
}

fn mad(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let built = if i.has(Modifier::Lo) {
        with_integer!(first_type(i), T => {
            b.map3(i, |x: T, y: T, z: T| x.wrapping_mul(y).wrapping_add(z))
        })
    } else {
        with_integer!(first_type(i), T => b.map3(i, |x: T, y: T, z: T| {
            let high = (i128::from(x).wrapping_mul(i128::from(y)) >> T::BITS) as T;
            high.wrapping_add(z)
        }))
    };
    built.unwrap_or_else(|| Err(no_such_type()))
}

fn mad_saturating(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map3(i, |x: i32, y: i32, z: i32| {
        (((i64::from(x) * i64::from(y)) >> 32) as i32).saturating_add(z)
    })
}

fn mad_wide(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::U16 => {
            b.map3(i, |x: u16, y: u16, z: u32| (u32::from(x) * u32::from(y)).wrapping_add(z))
        }
        Type::S16 => {
            b.map3(i, |x: i16, y: i16, z: i32| (i32::from(x) * i32::from(y)).wrapping_add(z))
        }
        Type::U32 => {
            b.map3(i, |x: u32, y: u32, z: u64| (u64::from(x) * u64::from(y)).wrapping_add(z))
        }
        _ => b.map3(i, |x: i32, y: i32, z: i64| (i64::from(x) * i64::from(y)).wrapping_add(z)),
    }
}

/// The 48-bit product of two 24-bit values: its low 32 bits, or its bits 16 to 47.
fn product24(x: u32, y: u32, signed: bool, high: bool) -> u32 {
    let wide = |v: u32| {
        if signed { i64::from((v << 8) as i32 >> 8) } else { i64::from(v & 0x00ff_ffff) }
    };
    let product = wide(x) * wide(y);
    (if high { product >> 16 } else { product }) as u32
}

fn mul24(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (signed, high) = (first_type(i).is_signed(), i.has(Modifier::Hi));
    b.map2(i, move |x: u32, y: u32| product24(x, y, signed, high))
}

fn mad24(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (signed, high) = (first_type(i).is_signed(), i.has(Modifier::Hi));
    b.map3(i, move |x: u32, y: u32, z: u32| product24(x, y, signed, high).wrapping_add(z))
}

fn sad(b: &mut Builder<'_>, i: &Instruction) -> Built {
    with_integer!(first_type(i), T => {
        b.map3(i, |x: T, y: T, z: T| z.wrapping_add(x.abs_diff(y) as T))
    })
    .unwrap_or_else(|| Err(no_such_type()))
}

// Division by zero has no defined result; the hardware's own sequence gives all ones, and the
// dividend as remainder.

fn div(b: &mut Builder<'_>, i: &Instruction) -> Built {
    with_integer!(first_type(i), T => b.map2(i, |x: T, y: T| {
        if y == 0 { !0 } else { x.wrapping_div(y) }
    }))
    .unwrap_or_else(|| Err(no_such_type()))
}

fn rem(b: &mut Builder<'_>, i: &Instruction) -> Built {
    with_integer!(first_type(i), T => b.map2(i, |x: T, y: T| {
        if y == 0 { x } else { x.wrapping_rem(y) }
    }))
    .unwrap_or_else(|| Err(no_such_type()))
}

fn abs(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::S16 => b.map1(i, i16::wrapping_abs),
        Type::S32 => b.map1(i, i32::wrapping_abs),
        _ => b.map1(i, i64::wrapping_abs),
    }
}

fn neg(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::S16 => b.map1(i, i16::wrapping_neg),
        Type::S32 => b.map1(i, i32::wrapping_neg),
        _ => b.map1(i, i64::wrapping_neg),
    }
}

fn min(b: &mut Builder<'_>, i: &Instruction) -> Built {
    with_integer!(first_type(i), T => b.map2(i, |x: T, y: T| x.min(y)))
        .unwrap_or_else(|| Err(no_such_type()))
}

fn max(b: &mut Builder<'_>, i: &Instruction) -> Built {
    with_integer!(first_type(i), T => b.map2(i, |x: T, y: T| x.max(y)))
        .unwrap_or_else(|| Err(no_such_type()))
}

fn signed_pair(x: Pair, y: Pair, f: impl Fn(i16, i16) -> i16) -> Pair {
    x.map2(y, |x, y| f(x as i16, y as i16) as u16)
}

fn min_pair(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match (first_type(i), i.has(Modifier::Relu)) {
        (Type::U16x2, _) => b.map2(i, |x: Pair, y: Pair| x.map2(y, u16::min)),
        (_, false) => b.map2(i, |x: Pair, y: Pair| signed_pair(x, y, i16::min)),
        (_, true) => b.map2(i, |x: Pair, y: Pair| signed_pair(x, y, |x, y| x.min(y).max(0))),
    }
}

fn max_pair(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match (first_type(i), i.has(Modifier::Relu)) {
        (Type::U16x2, _) => b.map2(i, |x: Pair, y: Pair| x.map2(y, u16::max)),
        (_, false) => b.map2(i, |x: Pair, y: Pair| signed_pair(x, y, i16::max)),
        (_, true) => b.map2(i, |x: Pair, y: Pair| signed_pair(x, y, |x, y| x.max(y).max(0))),
    }
}

fn min_relu(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map2(i, |x: i32, y: i32| x.min(y).max(0))
}

fn max_relu(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map2(i, |x: i32, y: i32| x.max(y).max(0))
}

/// The two operand types of a dot product: whether each is signed.
fn signedness(i: &Instruction) -> (bool, bool) {
    let mut types = i.modifiers.types().map(Type::is_signed);
    (types.next().unwrap_or(false), types.next().unwrap_or(false))
}

fn dp4a(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (a_signed, b_signed) = signedness(i);
    let byte = |v: u8, signed: bool| if signed { i32::from(v as i8) } else { i32::from(v) };
    b.map3(i, move |x: u32, y: u32, z: u32| {
        let pairs = x.to_le_bytes().into_iter().zip(y.to_le_bytes());
        pairs
            .fold(z, |sum, (x, y)| sum.wrapping_add((byte(x, a_signed) * byte(y, b_signed)) as u32))
    })
}

fn dp2a(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (a_signed, b_signed) = signedness(i);
    let shift = if i.has(Modifier::Hi) { 16 } else { 0 };
    let half = |v: u32, signed: bool| {
        if signed { i64::from(v as u16 as i16) } else { i64::from(v as u16) }
    };
    let byte = |v: u32, signed: bool| {
        if signed { i64::from(v as u8 as i8) } else { i64::from(v as u8) }
    };
    b.map3(i, move |x: u32, y: u32, z: u32| {
        let y = y >> shift;
        let low = half(x, a_signed) * byte(y, b_signed);
        let high = half(x >> 16, a_signed) * byte(y >> 8, b_signed);
        z.wrapping_add((low + high) as u32)
    })
}
