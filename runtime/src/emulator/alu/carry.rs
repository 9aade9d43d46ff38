//! Extended-precision arithmetic through the carry flag (PTX ISA, "Extended-Precision Integer
//! Arithmetic Instructions"). The flag is a predicate of the frame.

use super::integer::{first_type, no_such_type};
use super::registers::{Predicate, Registers, Slot, active_lanes};
use super::scalar::Scalar;
use crate::emulator::decode::builder::{Builder, Built, Resolve, operands, run};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, Refusal};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Type};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Integer, build);
    vec![
        form(Opcode::Add, ".cc.{u32|s32|u64|s64}", add),
        form(Opcode::Addc, "[.cc].{u32|s32|u64|s64}", add),
        form(Opcode::Sub, ".cc.{u32|s32|u64|s64}", add),
        form(Opcode::Subc, "[.cc].{u32|s32|u64|s64}", add),
        form(Opcode::Mad, ".{lo|hi}.cc.{u32|s32|u64|s64}", mad),
        form(Opcode::Madc, ".{lo|hi}[.cc].{u32|s32|u64|s64}", mad),
    ]
}

/// Unsigned integers that a carry runs through.
trait Limb: Scalar {
    /// Sum with a carry in, and the carry out.
    fn add_carry(self, other: Self, carry: bool) -> (Self, bool);
    /// Difference with a borrow in, and the borrow out.
    fn sub_borrow(self, other: Self, borrow: bool) -> (Self, bool);
    /// Low or high half of the product.
    fn product(self, other: Self, high: bool, signed: bool) -> Self;
}

macro_rules! limb {
    ($unsigned:ty, $signed:ty) => {
        impl Limb for $unsigned {
            fn add_carry(self, other: Self, carry: bool) -> (Self, bool) {
                let (sum, first) = self.overflowing_add(other);
                let (sum, second) = sum.overflowing_add(Self::from(carry));
                (sum, first || second)
            }

            fn sub_borrow(self, other: Self, borrow: bool) -> (Self, bool) {
                let (difference, first) = self.overflowing_sub(other);
                let (difference, second) = difference.overflowing_sub(Self::from(borrow));
                (difference, first || second)
            }

            fn product(self, other: Self, high: bool, signed: bool) -> Self {
                let product = if signed {
                    i128::from(self as $signed).wrapping_mul(i128::from(other as $signed))
                } else {
                    u128::from(self).wrapping_mul(u128::from(other)) as i128
                };
                (if high { product >> Self::BITS } else { product }) as Self
            }
        }
    };
}

limb!(u32, i32);
limb!(u64, i64);

#[derive(Clone, Copy)]
struct Chain {
    subtract: bool,
    reads: bool,
    writes: bool,
}

fn chain(i: &Instruction) -> Chain {
    Chain {
        subtract: matches!(i.opcode, Opcode::Sub | Opcode::Subc),
        reads: matches!(i.opcode, Opcode::Addc | Opcode::Subc | Opcode::Madc),
        writes: i.has(Modifier::Cc),
    }
}

/// Runs `f` on the active lanes, given the carry in, and stores result and carry out.
fn step<T: Limb>(
    registers: &mut Registers,
    mask: u32,
    (target, carry, chain): (T::Slot, Predicate, Chain),
    f: impl Fn(&Registers, usize, bool) -> (T, bool),
) where
    T::Slot: Slot,
{
    let flags = carry.read(registers);
    let mut carries = 0;
    let mut out = *target.row(registers);
    for lane in active_lanes(mask) {
        let (value, carry) = f(registers, lane, chain.reads && flags >> lane & 1 == 1);
        out[lane] = value.lane();
        carries |= u32::from(carry) << lane;
    }
    target.store(registers, &out, mask);
    if chain.writes {
        carry.store(registers, carries, mask);
    }
}

fn add_as<T: Limb>(b: &mut Builder<'_>, i: &Instruction) -> Built
where
    T::Slot: Resolve,
{
    let [d, x, y] = operands(i)?;
    let (d, x, y) = (b.target::<T>(d)?, b.source::<T>(x)?, b.source::<T>(y)?);
    let (carry, chain) = (b.carry(), chain(i));
    run(move |registers, mask| {
        step::<T>(registers, mask, (d, carry, chain), |registers, lane, carry| {
            let (x, y) = (T::read(x.row(registers)[lane]), T::read(y.row(registers)[lane]));
            if chain.subtract { x.sub_borrow(y, carry) } else { x.add_carry(y, carry) }
        });
    })
}

fn mad_as<T: Limb>(b: &mut Builder<'_>, i: &Instruction) -> Built
where
    T::Slot: Resolve,
{
    let [d, x, y, z] = operands(i)?;
    let (d, x) = (b.target::<T>(d)?, b.source::<T>(x)?);
    let (y, z) = (b.source::<T>(y)?, b.source::<T>(z)?);
    let (carry, chain) = (b.carry(), chain(i));
    let (high, signed) = (i.has(Modifier::Hi), first_type(i).is_signed());
    run(move |registers, mask| {
        step::<T>(registers, mask, (d, carry, chain), |registers, lane, carry| {
            let read = |slot: T::Slot| T::read(slot.row(registers)[lane]);
            read(x).product(read(y), high, signed).add_carry(read(z), carry)
        });
    })
}

fn add(b: &mut Builder<'_>, i: &Instruction) -> Built {
    by_width(i, b, add_as::<u32>, add_as::<u64>)
}

fn mad(b: &mut Builder<'_>, i: &Instruction) -> Built {
    by_width(i, b, mad_as::<u32>, mad_as::<u64>)
}

type BuildFn = fn(&mut Builder<'_>, &Instruction) -> Built;

fn by_width(i: &Instruction, b: &mut Builder<'_>, narrow: BuildFn, wide: BuildFn) -> Built {
    match first_type(i) {
        Type::U32 | Type::S32 => narrow(b, i),
        Type::U64 | Type::S64 => wide(b, i),
        _ => Err::<_, Refusal>(no_such_type()),
    }
}
