//! Logic, shifts, bit fields and byte permutations.

use super::integer::{first_type, no_such_type};
use super::registers::{Slot, lanes};
use crate::emulator::decode::builder::{Builder, Built, operands, run};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, Refusal};
use crate::emulator::ptx::{Immediate, Instruction, Modifier, Opcode, Operand, Type};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Integer, build);
    vec![
        form(Opcode::And, ".{pred|b16|b32|b64}", logic),
        form(Opcode::Or, ".{pred|b16|b32|b64}", logic),
        form(Opcode::Xor, ".{pred|b16|b32|b64}", logic),
        form(Opcode::Not, ".{pred|b16|b32|b64}", not),
        form(Opcode::Cnot, ".{b16|b32|b64}", cnot),
        form(Opcode::Lop3, ".b32", lop3),
        form(Opcode::Shl, ".{b16|b32|b64}", shl),
        form(Opcode::Shr, ".{b16|b32|b64|u16|u32|u64|s16|s32|s64}", shr),
        form(Opcode::Shf, ".{l|r}.{clamp|wrap}.b32", shf),
        form(Opcode::Popc, ".{b32|b64}", popc),
        form(Opcode::Clz, ".{b32|b64}", clz),
        form(Opcode::Brev, ".{b32|b64}", brev),
        form(Opcode::Bfind, "[.shiftamt].{u32|s32|u64|s64}", bfind),
        form(Opcode::Bfe, ".{u32|s32|u64|s64}", bfe),
        form(Opcode::Bfi, ".{b32|b64}", bfi),
        form(Opcode::Fns, ".b32", fns),
        form(Opcode::Bmsk, ".{clamp|wrap}.b32", bmsk),
        form(Opcode::Szext, ".{clamp|wrap}.{u32|s32}", szext),
        form(Opcode::Prmt, ".b32[.{f4e|b4e|rc8|ecl|ecr|rc16}]", prmt),
    ]
}

fn logic(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let opcode = i.opcode;
    if first_type(i) == Type::Pred {
        let [d, x, y] = operands(i)?;
        let (d, x, y) = (b.predicate_target(d)?, b.predicate(x)?, b.predicate(y)?);
        return run(move |registers, mask| {
            let (x, y) = (x.read(registers), y.read(registers));
            let value = match opcode {
                Opcode::And => x & y,
                Opcode::Or => x | y,
                _ => x ^ y,
            };
            d.store(registers, value, mask);
        });
    }
    macro_rules! by_opcode {
        ($t:ty) => {
            match opcode {
                Opcode::And => b.map2(i, |x: $t, y: $t| x & y),
                Opcode::Or => b.map2(i, |x: $t, y: $t| x | y),
                _ => b.map2(i, |x: $t, y: $t| x ^ y),
            }
        };
    }
    match first_type(i) {
        Type::B16 => by_opcode!(u16),
        Type::B32 => by_opcode!(u32),
        _ => by_opcode!(u64),
    }
}

fn not(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::Pred => {
            let [d, x] = operands(i)?;
            let (d, x) = (b.predicate_target(d)?, b.predicate(x)?);
            run(move |registers, mask| {
                let value = !x.read(registers);
                d.store(registers, value, mask);
            })
        }
        Type::B16 => b.map1(i, |x: u16| !x),
        Type::B32 => b.map1(i, |x: u32| !x),
        _ => b.map1(i, |x: u64| !x),
    }
}

fn cnot(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::B16 => b.map1(i, |x: u16| u16::from(x == 0)),
        Type::B32 => b.map1(i, |x: u32| u32::from(x == 0)),
        _ => b.map1(i, |x: u64| u64::from(x == 0)),
    }
}

fn lop3(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, x, y, z, table] = operands(i)?;
    let Operand::Immediate(Immediate::Integer(table)) = table else {
        return Err(Refusal::new("a look-up table that is no constant"));
    };
    let terms: [u32; 8] = std::array::from_fn(|bit| if table >> bit & 1 == 1 { !0 } else { 0 });
    let d = b.target::<u32>(d)?;
    let (x, y, z) = (b.source::<u32>(x)?, b.source::<u32>(y)?, b.source::<u32>(z)?);
    run(move |registers, mask| {
        let (x, y, z) = (x.row(registers), y.row(registers), z.row(registers));
        let out = lanes(|lane| {
            let (x, y, z) = (x[lane], y[lane], z[lane]);
            let low = (!y & ((!z & terms[0]) | (z & terms[1])))
                | (y & ((!z & terms[2]) | (z & terms[3])));
            let high = (!y & ((!z & terms[4]) | (z & terms[5])))
                | (y & ((!z & terms[6]) | (z & terms[7])));
            (!x & low) | (x & high)
        });
        d.store(registers, &out, mask);
    })
}

fn shl(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::B16 => b.map2(i, |x: u16, n: u32| if n < 16 { x << n } else { 0 }),
        Type::B32 => b.map2(i, |x: u32, n: u32| if n < 32 { x << n } else { 0 }),
        _ => b.map2(i, |x: u64, n: u32| if n < 64 { x << n } else { 0 }),
    }
}

fn shr(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::B16 | Type::U16 => b.map2(i, |x: u16, n: u32| if n < 16 { x >> n } else { 0 }),
        Type::B32 | Type::U32 => b.map2(i, |x: u32, n: u32| if n < 32 { x >> n } else { 0 }),
        Type::B64 | Type::U64 => b.map2(i, |x: u64, n: u32| if n < 64 { x >> n } else { 0 }),
        Type::S16 => b.map2(i, |x: i16, n: u32| x >> n.min(15)),
        Type::S32 => b.map2(i, |x: i32, n: u32| x >> n.min(31)),
        Type::S64 => b.map2(i, |x: i64, n: u32| x >> n.min(63)),
        _ => Err(no_such_type()),
    }
}

fn shf(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let wrap = i.has(Modifier::Wrap);
    let amount = move |n: u32| if wrap { n & 31 } else { n.min(32) };
    let joined = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    if i.has(Modifier::L) {
        b.map3(i, move |low: u32, high: u32, n: u32| (joined(low, high) << amount(n) >> 32) as u32)
    } else {
        b.map3(i, move |low: u32, high: u32, n: u32| (joined(low, high) >> amount(n)) as u32)
    }
}

fn popc(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::B32 => b.map1(i, u32::count_ones),
        _ => b.map1(i, u64::count_ones),
    }
}

fn clz(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::B32 => b.map1(i, u32::leading_zeros),
        _ => b.map1(i, u64::leading_zeros),
    }
}

fn brev(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match first_type(i) {
        Type::B32 => b.map1(i, u32::reverse_bits),
        _ => b.map1(i, u64::reverse_bits),
    }
}

/// Position of the highest bit that differs from the sign (or from 0), or all ones.
fn bfind(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let shift_amount = i.has(Modifier::Shiftamt);
    let place = move |bits: u32, leading: u32| match (leading == bits, shift_amount) {
        (true, _) => u32::MAX,
        (false, false) => bits - 1 - leading,
        (false, true) => leading,
    };
    match first_type(i) {
        Type::U32 => b.map1(i, move |x: u32| place(32, x.leading_zeros())),
        Type::S32 => b.map1(i, move |x: i32| place(32, (x ^ x >> 31).leading_zeros())),
        Type::U64 => b.map1(i, move |x: u64| place(64, x.leading_zeros())),
        _ => b.map1(i, move |x: i64| place(64, (x ^ x >> 63).leading_zeros())),
    }
}

/// Bits `position..position + length` of a 64-bit value whose width is `bits`.
fn extract(value: u64, position: u32, length: u32, bits: u32, signed: bool) -> u64 {
    let (position, length) = (position & 0xff, length & 0xff);
    let sign_at = (position + length.max(1) - 1).min(bits - 1);
    let fill = signed && length > 0 && value >> sign_at & 1 == 1;
    let shifted = if position < bits { value >> position } else { 0 };
    let kept = length.min(bits.saturating_sub(position));
    let mask = low_bits(kept);
    (shifted & mask) | if fill { !mask } else { 0 }
}

fn low_bits(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

fn bfe(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let scalar = first_type(i);
    let signed = scalar.is_signed();
    if scalar.bits() == 32 {
        b.map3(i, move |x: u32, p: u32, n: u32| extract(u64::from(x), p, n, 32, signed) as u32)
    } else {
        b.map3(i, move |x: u64, p: u32, n: u32| extract(x, p, n, 64, signed))
    }
}

/// `base` with `length` bits from `position` on replaced by the low bits of `field`.
fn insert(field: u64, base: u64, position: u32, length: u32, bits: u32) -> u64 {
    let (position, length) = (position & 0xff, length & 0xff);
    if position >= bits {
        return base;
    }
    let mask = low_bits(length.min(bits - position)) << position;
    (base & !mask) | (field << position & mask)
}

fn bfi(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, field, base, position, length] = operands(i)?;
    let (position, length) = (b.source::<u32>(position)?, b.source::<u32>(length)?);
    if first_type(i) == Type::B32 {
        let d = b.target::<u32>(d)?;
        let (field, base) = (b.source::<u32>(field)?, b.source::<u32>(base)?);
        run(move |registers, mask| {
            let (field, base) = (field.row(registers), base.row(registers));
            let (position, length) = (position.row(registers), length.row(registers));
            let out = lanes(|lane| {
                let (field, base) = (u64::from(field[lane]), u64::from(base[lane]));
                insert(field, base, position[lane], length[lane], 32) as u32
            });
            d.store(registers, &out, mask);
        })
    } else {
        let d = b.target::<u64>(d)?;
        let (field, base) = (b.source::<u64>(field)?, b.source::<u64>(base)?);
        run(move |registers, mask| {
            let (field, base) = (field.row(registers), base.row(registers));
            let (position, length) = (position.row(registers), length.row(registers));
            let out =
                lanes(|lane| insert(field[lane], base[lane], position[lane], length[lane], 64));
            d.store(registers, &out, mask);
        })
    }
}

/// Position of the `offset`-th set bit from `base` on, upwards or downwards, or all ones.
fn nth_set(mask: u32, base: u32, offset: i32) -> u32 {
    let is_set = |at: &i64| mask >> at & 1 == 1;
    let base = i64::from(base);
    let skip = (offset.unsigned_abs() as usize).saturating_sub(1);
    let found = match offset {
        0 => Some(base).filter(|at| (0..32).contains(at) && is_set(at)),
        1.. => (base..32).filter(is_set).nth(skip),
        _ => (0..=base.min(31)).rev().filter(is_set).nth(skip),
    };
    found.map_or(u32::MAX, |at| at as u32)
}

fn fns(b: &mut Builder<'_>, i: &Instruction) -> Built {
    b.map3(i, nth_set)
}

fn bmsk(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let wrap = i.has(Modifier::Wrap);
    b.map2(i, move |position: u32, length: u32| {
        let (position, length) =
            if wrap { (position & 31, length & 31) } else { (position.min(32), length.min(32)) };
        (low_bits(length) << position) as u32
    })
}

fn szext(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let (wrap, signed) = (i.has(Modifier::Wrap), first_type(i).is_signed());
    b.map2(i, move |x: u32, n: u32| {
        let n = if wrap { n & 31 } else { n.min(32) };
        extract(u64::from(x), 0, n, 32, signed) as u32
    })
}

fn prmt(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let mode = i.modifiers.as_slice().last().copied();
    b.map3(i, move |x: u32, y: u32, selector: u32| {
        let bytes = (u64::from(x) | u64::from(y) << 32).to_le_bytes();
        let n = (selector & 3) as usize;
        let places: [usize; 4] = match mode {
            Some(Modifier::F4e) => std::array::from_fn(|k| n + k),
            Some(Modifier::B4e) => std::array::from_fn(|k| (n + 8 - k) % 8),
            Some(Modifier::Rc8) => [n; 4],
            Some(Modifier::Ecl) => std::array::from_fn(|k| k.max(n)),
            Some(Modifier::Ecr) => std::array::from_fn(|k| k.min(n)),
            Some(Modifier::Rc16) => {
                let low = (n & 1) * 2;
                [low, low + 1, low, low + 1]
            }
            _ => return permute(bytes, selector),
        };
        u32::from_le_bytes(places.map(|place| bytes[place]))
    })
}

fn permute(bytes: [u8; 8], selector: u32) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|k| {
        let nibble = selector >> (4 * k) & 0xf;
        let byte = bytes[(nibble & 7) as usize];
        match nibble & 8 {
            0 => byte,
            _ => (byte as i8 >> 7) as u8,
        }
    }))
}
