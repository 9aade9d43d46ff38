//! Atomics and reductions on memory.

use super::builder::{Builder, Built};
use super::form::Form;
use super::memory_form::{address, order, sources, targets, window};
use super::op::{Atomic, Class, Combine, Op, Refusal};
use crate::emulator::alu::scalar::Pair;
use crate::emulator::alu::scalar::Scalar;
use crate::emulator::memory::{Order, Space as Window};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Type};
use crate::numeric::arith;
use crate::numeric::convert::flush_f32;

/// The places where an operation may stand among its ordering, scope and space: compilers and
/// libraries write all three orders.
macro_rules! orders {
    ($sems:literal, $operation:literal, $type:literal) => {
        [
            concat!(
                $sems,
                "[.{cta|cluster|gpu|sys}][.{global|shared|shared::cta|shared::cluster}]",
                $operation,
                $type
            ),
            concat!(
                ".{global|shared|shared::cta|shared::cluster}[.{cta|cluster|gpu|sys}]",
                $operation,
                $type
            ),
            concat!($operation, $sems, "[.{cta|cluster|gpu|sys}]", $type),
        ]
    };
}

macro_rules! atom {
    ($operation:literal, $type:literal) => {
        orders!("[.{relaxed|acquire|release|acq_rel}]", $operation, $type)
    };
}

macro_rules! red {
    ($operation:literal, $type:literal) => {
        orders!("[.{relaxed|release}]", $operation, $type)
    };
}

const ATOM: [[&str; 3]; 7] = [
    atom!(".{and|or|xor|exch}", ".{b32|b64}"),
    atom!(".cas", ".{b16|b32|b64}"),
    atom!(".add", ".{u32|s32|u64|f32|f64}"),
    atom!(".{inc|dec}", ".u32"),
    atom!(".{min|max}", ".{u32|s32|u64|s64}"),
    atom!(".add.noftz", "[.{v2|v4}].{f16|bf16|f16x2|bf16x2}"),
    atom!(".add", ".{v2|v4}.f32"),
];

const RED: [[&str; 3]; 6] = [
    red!(".{and|or|xor}", ".{b32|b64}"),
    red!(".add", ".{u32|s32|u64|f32|f64}"),
    red!(".{inc|dec}", ".u32"),
    red!(".{min|max}", ".{u32|s32|u64|s64}"),
    red!(".add.noftz", "[.{v2|v4}].{f16|bf16|f16x2|bf16x2}"),
    red!(".add", ".{v2|v4}.f32"),
];

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern| Form::new(opcode, pattern, Class::Memory, atomic);
    let atom = ATOM.into_iter().flatten().map(|pattern| form(Opcode::Atom, pattern));
    atom.chain(RED.into_iter().flatten().map(|pattern| form(Opcode::Red, pattern))).collect()
}

fn atomic(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let scalar = i.first_type().unwrap_or(Type::B32);
    let returns = i.opcode == Opcode::Atom;
    let (old, rest) = match (i.operands.as_slice(), returns) {
        ([d, rest @ ..], true) => (targets(b, d, scalar)?, rest),
        (rest, _) => (Vec::new(), rest),
    };
    let compares = i.has(Modifier::Cas);
    // A further operand is a cache policy.
    let [place, operand, further @ ..] = rest else {
        return Err(Refusal::new("too few operands"));
    };
    let second = match (compares, further.first()) {
        (true, Some(second)) => sources(b, second, scalar)?.into_iter().next(),
        (true, None) => return Err(Refusal::new("too few operands")),
        _ => None,
    };
    let operands = sources(b, operand, scalar)?;
    if returns && old.len() != operands.len() {
        return Err(Refusal::new("vectors of different lengths"));
    }
    let space = window(i);
    Ok(Op::Atomic(Box::new(Atomic {
        space,
        order: order(i, Order::Relaxed),
        address: address(b, place)?,
        bytes: scalar.bytes(),
        old,
        operands,
        second,
        combine: combine(i, scalar, space)?,
    })))
}

/// What the operation makes of the old value.
fn combine(i: &Instruction, scalar: Type, space: Window) -> Result<Combine, Refusal> {
    let words = i.modifiers.as_slice();
    let operation = words.iter().find(|word| {
        matches!(
            word,
            Modifier::And
                | Modifier::Or
                | Modifier::Xor
                | Modifier::Exch
                | Modifier::Cas
                | Modifier::Add
                | Modifier::Inc
                | Modifier::Dec
                | Modifier::Min
                | Modifier::Max
        )
    });
    Ok(match (operation, scalar) {
        (Some(Modifier::And), _) => Box::new(|old, x, _| Some(old & x)),
        (Some(Modifier::Or), _) => Box::new(|old, x, _| Some(old | x)),
        (Some(Modifier::Xor), _) => Box::new(|old, x, _| Some(old ^ x)),
        (Some(Modifier::Exch), _) => Box::new(|_, x, _| Some(x)),
        (Some(Modifier::Cas), _) => Box::new(|old, x, y| (old == x).then_some(y)),
        (Some(Modifier::Inc), _) => Box::new(|old, x, _| Some(if old >= x { 0 } else { old + 1 })),
        (Some(Modifier::Dec), _) => {
            Box::new(|old, x, _| Some(if old == 0 || old > x { x } else { old - 1 }))
        }
        (Some(Modifier::Add), scalar) => add(scalar, space)?,
        (Some(word @ (Modifier::Min | Modifier::Max)), scalar) => {
            extreme(scalar, *word == Modifier::Max)
        }
        _ => return Err(Refusal::new("the operation is not supported")),
    })
}

fn add(scalar: Type, space: Window) -> Result<Combine, Refusal> {
    Ok(match scalar {
        Type::U32 | Type::S32 => {
            Box::new(|old, x, _| Some(u64::from((old as u32).wrapping_add(x as u32))))
        }
        Type::U64 => Box::new(|old, x, _| Some(old.wrapping_add(x))),
        // Global memory's unit flushes subnormals; shared memory's keeps them.
        Type::F32 if space == Window::Global => Box::new(|old, x, _| {
            let read = |bits: u64| flush_f32(f32::from_bits(bits as u32));
            Some(u64::from(flush_f32(read(old) + read(x)).lane()))
        }),
        Type::F32 => Box::new(|old, x, _| {
            Some(u64::from((f32::from_bits(old as u32) + f32::from_bits(x as u32)).lane()))
        }),
        Type::F64 => Box::new(|old, x, _| Some((f64::from_bits(old) + f64::from_bits(x)).lane())),
        Type::F16 => Box::new(|old, x, _| Some(u64::from(arith::add_f16(old as u16, x as u16)))),
        Type::Bf16 => Box::new(|old, x, _| Some(u64::from(arith::add_bf16(old as u16, x as u16)))),
        Type::F16x2 | Type::Bf16x2 => {
            let one = if scalar == Type::F16x2 { arith::add_f16 } else { arith::add_bf16 };
            Box::new(move |old, x, _| {
                Some(u64::from(Pair::read(old as u32).map2(Pair::read(x as u32), one).lane()))
            })
        }
        _ => return Err(Refusal::new("the type is not supported here")),
    })
}

fn extreme(scalar: Type, greatest: bool) -> Combine {
    let signed = scalar.is_signed();
    let shift = 64 - scalar.bits();
    Box::new(move |old, x, _| {
        let first_less =
            if signed { ((old << shift) as i64) < ((x << shift) as i64) } else { old < x };
        Some(if first_less == greatest { x } else { old })
    })
}
