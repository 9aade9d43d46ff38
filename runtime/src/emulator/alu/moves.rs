//! Moves, packing and selection.

use super::integer::first_type;
use super::registers::{LANE_BITS, Slot, Word, active_lanes, lane_mask, lanes};
use crate::emulator::decode::builder::{Builder, Built, Fill, operands, run};
use crate::emulator::decode::form::Form;
use crate::emulator::decode::op::{Class, ClockKind, DataRow, Op, Refusal};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Operand, SpecialRegister, Type};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Integer, build);
    vec![
        form(
            Opcode::Mov,
            ".{pred|b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64|f16|f16x2|bf16|bf16x2}",
            mov,
        ),
        form(
            Opcode::Selp,
            ".{b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64|f16|f16x2|bf16|bf16x2}",
            selp,
        ),
        form(Opcode::Slct, "[.ftz].{b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64}.{s32|f32}", slct),
        form(
            Opcode::Createpolicy,
            ".{fractional|range}[.global][.{L2::evict_last|L2::evict_normal|L2::evict_first|L2::evict_unchanged}][.{L2::evict_first|L2::evict_unchanged}].b64",
            create_policy,
        ),
        form(Opcode::Createpolicy, ".cvt.L2.b64", create_policy),
    ]
}

fn mov(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, a] = operands(i)?;
    match (d, a) {
        (Operand::Vector(parts), _) => return unpack(b, parts, a),
        (_, Operand::Vector(parts)) => return pack(b, d, parts),
        (_, Operand::Special(register)) => {
            if let Some(kind) = clock(*register) {
                return read_clock(b, d, kind, *register);
            }
            if *register == SpecialRegister::IsExplicitCluster {
                return is_explicit_cluster(b, d);
            }
            known(*register)?;
        }
        _ => {}
    }
    match first_type(i).bits() {
        1 => {
            let (d, a) = (b.predicate_target(d)?, b.predicate(a)?);
            run(move |registers, mask| {
                let value = a.read(registers);
                d.store(registers, value, mask);
            })
        }
        16 => b.map1(i, |x: u16| x),
        // Constants of a float type are converted to it.
        32 if first_type(i) == Type::F32 => {
            let (d, a) = (b.target::<u32>(d)?, b.source::<f32>(a)?);
            copy(d, a)
        }
        32 => b.map1(i, |x: u32| x),
        _ if first_type(i) == Type::F64 => {
            let (d, a) = (b.target::<u64>(d)?, b.source::<f64>(a)?);
            copy(d, a)
        }
        _ => b.map1(i, |x: u64| x),
    }
}

fn copy<S: Slot>(d: S, a: S) -> Built {
    run(move |registers, mask| {
        let row = *a.row(registers);
        d.store(registers, &row, mask);
    })
}

fn clock(register: SpecialRegister) -> Option<ClockKind> {
    Some(match register {
        SpecialRegister::Clock | SpecialRegister::GlobaltimerLo => ClockKind::Low,
        SpecialRegister::ClockHi | SpecialRegister::GlobaltimerHi => ClockKind::High,
        SpecialRegister::Clock64 | SpecialRegister::Globaltimer => ClockKind::Full,
        _ => return None,
    })
}

fn read_clock(
    b: &mut Builder<'_>,
    d: &Operand,
    kind: ClockKind,
    register: SpecialRegister,
) -> Built {
    let row = if register.register_type().bits() == 64 {
        DataRow::Long(b.target::<u64>(d)?)
    } else {
        DataRow::Word(b.target::<u32>(d)?)
    };
    Ok(Op::Clock(kind, row))
}

/// `%is_explicit_cluster`, the one special register that is a predicate.
fn is_explicit_cluster(b: &mut Builder<'_>, d: &Operand) -> Built {
    let row = b.word_fill(Fill::Special(SpecialRegister::IsExplicitCluster));
    let d = b.predicate_target(d)?;
    run(move |registers, mask| {
        let row = *row.row(registers);
        d.store(registers, lane_mask(|lane| row[lane] != 0), mask);
    })
}

/// Refuses special registers that have no meaning here.
fn known(register: SpecialRegister) -> Result<(), Refusal> {
    match register {
        SpecialRegister::Envreg(_)
        | SpecialRegister::Pm(_)
        | SpecialRegister::Pm64(_)
        | SpecialRegister::CurrentGraphExec
        | SpecialRegister::ReservedSmemOffsetBegin
        | SpecialRegister::ReservedSmemOffsetEnd
        | SpecialRegister::ReservedSmemOffsetCap
        | SpecialRegister::ReservedSmemOffset0
        | SpecialRegister::ReservedSmemOffset1 => {
            Err(Refusal::new(format!("the register `{}` is not supported", register.text())))
        }
        _ => Ok(()),
    }
}

/// `mov.b32 {a, b}, c` and its like: parts lowest first.
fn unpack(b: &mut Builder<'_>, parts: &[Operand], source: &Operand) -> Built {
    let bits = b.register_bits(source).unwrap_or(0);
    let wide = bits == 64;
    match (wide, parts) {
        (false, [low, high]) => {
            let a = b.source::<u32>(source)?;
            let (low, high) = (b.target::<u16>(low)?, b.target::<u16>(high)?);
            run(move |registers, mask| {
                let row = *a.row(registers);
                low.store(registers, &lanes(|lane| row[lane] & 0xffff), mask);
                high.store(registers, &lanes(|lane| row[lane] >> 16), mask);
            })
        }
        (true, [low, high]) => {
            let a = b.source::<u64>(source)?;
            let (low, high) = (b.target::<u32>(low)?, b.target::<u32>(high)?);
            run(move |registers, mask| {
                let row = *a.row(registers);
                low.store(registers, &lanes(|lane| row[lane] as u32), mask);
                high.store(registers, &lanes(|lane| (row[lane] >> 32) as u32), mask);
            })
        }
        (_, [_, _, _, _]) => {
            let width = if wide { 16 } else { 8 };
            let source = if wide {
                DataRow::Long(b.source::<u64>(source)?)
            } else {
                DataRow::Word(b.source::<u32>(source)?)
            };
            let parts: Vec<Word> =
                parts.iter().map(|part| b.target::<u16>(part)).collect::<Result<_, _>>()?;
            let limit = (1u64 << width) - 1;
            run(move |registers, mask| {
                let row: [u64; 32] = match source {
                    DataRow::Long(long) => *long.row(registers),
                    DataRow::Word(word) => word.row(registers).map(u64::from),
                };
                for (k, part) in parts.iter().enumerate() {
                    let out = lanes(|lane| (row[lane] >> (k * width) & limit) as u32);
                    part.store(registers, &out, mask);
                }
            })
        }
        _ => Err(Refusal::new("a vector of this length")),
    }
}

/// `mov.b32 d, {a, b}` and its like: parts lowest first.
fn pack(b: &mut Builder<'_>, target: &Operand, parts: &[Operand]) -> Built {
    let wide = b.register_bits(target) == Some(64);
    match (wide, parts) {
        (false, [low, high]) => {
            let d = b.target::<u32>(target)?;
            let (low, high) = (b.source::<u16>(low)?, b.source::<u16>(high)?);
            run(move |registers, mask| {
                let (low, high) = (low.row(registers), high.row(registers));
                let out = lanes(|lane| low[lane] & 0xffff | high[lane] << 16);
                d.store(registers, &out, mask);
            })
        }
        (true, [low, high]) => {
            let d = b.target::<u64>(target)?;
            let (low, high) = (b.source::<u32>(low)?, b.source::<u32>(high)?);
            run(move |registers, mask| {
                let (low, high) = (low.row(registers), high.row(registers));
                let out = lanes(|lane| u64::from(low[lane]) | u64::from(high[lane]) << 32);
                d.store(registers, &out, mask);
            })
        }
        (_, [_, _, _, _]) => {
            let width = if wide { 16 } else { 8 };
            let limit = (1u64 << width) - 1;
            let parts: Vec<Word> =
                parts.iter().map(|part| b.source::<u16>(part)).collect::<Result<_, _>>()?;
            let gather = move |registers: &super::registers::Registers| {
                lanes(|lane| {
                    parts.iter().enumerate().fold(0u64, |sum, (k, part)| {
                        sum | (u64::from(part.row(registers)[lane]) & limit) << (k * width)
                    })
                })
            };
            if wide {
                let d = b.target::<u64>(target)?;
                run(move |registers, mask| {
                    let out = gather(registers);
                    d.store(registers, &out, mask);
                })
            } else {
                let d = b.target::<u32>(target)?;
                run(move |registers, mask| {
                    let out = gather(registers).map(|value| value as u32);
                    d.store(registers, &out, mask);
                })
            }
        }
        _ => Err(Refusal::new("a vector of this length")),
    }
}

fn select_rows<S: Slot>(d: S, a: S, b: S, p: super::registers::Predicate) -> Built {
    run(move |registers, mask| {
        let chosen = p.read(registers);
        let (a, b) = (a.row(registers), b.row(registers));
        let out = lanes(|lane| if chosen & LANE_BITS[lane] != 0 { a[lane] } else { b[lane] });
        d.store(registers, &out, mask);
    })
}

fn selp(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, x, y, p] = operands(i)?;
    let p = b.predicate(p)?;
    match first_type(i) {
        Type::F32 => {
            let (d, x, y) = (b.target::<f32>(d)?, b.source::<f32>(x)?, b.source::<f32>(y)?);
            select_rows(d, x, y, p)
        }
        Type::F64 => {
            let (d, x, y) = (b.target::<f64>(d)?, b.source::<f64>(x)?, b.source::<f64>(y)?);
            select_rows(d, x, y, p)
        }
        other if other.bits() == 64 => {
            let (d, x, y) = (b.target::<u64>(d)?, b.source::<u64>(x)?, b.source::<u64>(y)?);
            select_rows(d, x, y, p)
        }
        other => {
            let (d, x, y) = (b.target::<u32>(d)?, b.word(x, other)?, b.word(y, other)?);
            select_rows(d, x, y, p)
        }
    }
}

/// `d = c >= 0 ? a : b`; NaN counts as not.
fn slct(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [_, _, _, c] = operands(i)?;
    let float = i.modifiers.types().nth(1) == Some(Type::F32);
    let ftz = i.has(Modifier::Ftz);
    let c = if float { b.source::<f32>(c)? } else { b.source::<i32>(c)? };
    let holds = move |bits: u32| {
        if float {
            let value = f32::from_bits(bits);
            value >= 0.0 || (ftz && value.abs() < f32::MIN_POSITIVE)
        } else {
            (bits as i32) >= 0
        }
    };
    let [d, x, y, _] = operands(i)?;
    let scalar = first_type(i);
    if scalar.bits() == 64 {
        let (d, x, y) = (b.target::<u64>(d)?, b.source::<u64>(x)?, b.source::<u64>(y)?);
        run(move |registers, mask| {
            let out = lanes(|lane| {
                let side = if holds(c.row(registers)[lane]) { x } else { y };
                side.row(registers)[lane]
            });
            d.store(registers, &out, mask);
        })
    } else {
        let (d, x, y) = (b.target::<u32>(d)?, b.word(x, scalar)?, b.word(y, scalar)?);
        run(move |registers, mask| {
            let out = lanes(|lane| {
                let side = if holds(c.row(registers)[lane]) { x } else { y };
                side.row(registers)[lane]
            });
            d.store(registers, &out, mask);
        })
    }
}

/// A cache policy is opaque and changes no result: it is 0 in every lane.
fn create_policy(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let Some(d) = i.operands.first() else {
        return Err(Refusal::new("no operand"));
    };
    let d = b.target::<u64>(d)?;
    run(move |registers, mask| {
        for lane in active_lanes(mask) {
            d.row_mut(registers)[lane] = 0;
        }
    })
}
