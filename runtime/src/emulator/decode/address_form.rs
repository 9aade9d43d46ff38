//! Address conversions: between windows and the generic one, and between blocks of a cluster.

use super::builder::{Builder, Built, Fill, Resolve, operands, run};
use super::form::Form;
use super::op::{Class, Refusal};
use crate::emulator::alu::registers::{Slot, lane_mask, lanes};
use crate::emulator::alu::scalar::Scalar;
use crate::emulator::memory::{
    LOCAL_WINDOW, PARAM_WINDOW, RANK_SHIFT, SHARED_WINDOW, WINDOW_BYTES,
};
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Space, SpecialRegister, Type};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let form = |opcode, pattern, build| Form::new(opcode, pattern, Class::Integer, build);
    vec![
        form(
            Opcode::Cvta,
            "[.to].{global|shared|shared::cta|shared::cluster|local|const|param|param::entry}.{u32|u64}",
            cvta,
        ),
        form(
            Opcode::Isspacep,
            ".{global|shared|shared::cta|shared::cluster|local|const|param|param::entry}",
            isspacep,
        ),
        form(Opcode::Mapa, "[.shared::cluster].{u32|u64}", mapa),
        form(Opcode::Getctarank, "[.shared::cluster].{u32|u64}", getctarank),
    ]
}

/// Start of a window in generic addresses; 0 for global and constant memory, whose addresses are
/// generic already.
fn window_start(space: Option<Space>) -> u64 {
    match space {
        Some(Space::Shared | Space::SharedCta | Space::SharedCluster) => SHARED_WINDOW,
        Some(Space::Local) => LOCAL_WINDOW,
        Some(Space::Param | Space::ParamEntry) => PARAM_WINDOW,
        _ => 0,
    }
}

fn is_wide(i: &Instruction) -> bool {
    i.first_type().unwrap_or(Type::B32).bits() == 64
}

/// Refuses 32-bit generic addresses.
fn generic(i: &Instruction) -> Result<(), Refusal> {
    if is_wide(i) {
        return Ok(());
    }
    Err(Refusal::new("32-bit generic addresses are not supported"))
}

fn cvta(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let start = window_start(i.space());
    generic(i)?;
    if i.has(Modifier::To) {
        b.map1(i, move |x: u64| x.wrapping_sub(start))
    } else {
        b.map1(i, move |x: u64| x.wrapping_add(start))
    }
}

fn isspacep(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [p, a] = operands(i)?;
    let (p, a) = (b.predicate_target(p)?, b.source::<u64>(a)?);
    let start = window_start(i.space());
    let windows = [SHARED_WINDOW, LOCAL_WINDOW, PARAM_WINDOW];
    let inside = |x: u64, start: u64| x.wrapping_sub(start) < WINDOW_BYTES;
    let global = matches!(i.space(), Some(Space::Global));
    // Of the cluster's window, a block's own part comes first.
    let own = matches!(i.space(), Some(Space::Shared | Space::SharedCta));
    if matches!(i.space(), Some(Space::Const)) {
        return Err(Refusal::new("constant memory is not told apart from global memory"));
    }
    run(move |registers, mask| {
        let row = a.row(registers);
        let value = lane_mask(|lane| {
            if global {
                !windows.iter().any(|start| inside(row[lane], *start))
            } else if own {
                row[lane].wrapping_sub(start) >> RANK_SHIFT == 0
            } else {
                inside(row[lane], start)
            }
        });
        p.store(registers, value, mask);
    })
}

/// The bits of a shared address that say where in a block's memory it is.
const OFFSET_MASK: u64 = (1 << RANK_SHIFT) - 1;
/// Ranks that an address can name.
const RANKS: u64 = 255;

/// `address`, relative to the start of the shared window, as an address of the block `rank`; the
/// accessing block's own addresses name no rank.
fn mapped(address: u64, rank: u64, own: u64) -> u64 {
    let number = if rank == own { 0 } else { rank.min(RANKS - 1) + 1 };
    // The offset is signed: an address just before a block's memory stays that.
    let half = 1 << (RANK_SHIFT - 1);
    let offset = (address & OFFSET_MASK ^ half).wrapping_sub(half);
    (number << RANK_SHIFT).wrapping_add(offset)
}

fn mapa(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match i.space() {
        Some(_) if is_wide(i) => map_rank::<u64>(b, i, 0, |address| address),
        Some(_) => map_rank::<u32>(b, i, 0, |address| address as u32),
        None => {
            generic(i)?;
            map_rank::<u64>(b, i, SHARED_WINDOW, |address| address)
        }
    }
}

fn map_rank<A: Scalar + Into<u64>>(
    b: &mut Builder<'_>,
    i: &Instruction,
    window: u64,
    narrow: fn(u64) -> A,
) -> Built
where
    A::Slot: Resolve,
{
    let [d, a, rank] = operands(i)?;
    let own = b.word_fill(Fill::Special(SpecialRegister::ClusterCtarank));
    let (d, a, rank) = (b.target::<A>(d)?, b.source::<A>(a)?, b.source::<u32>(rank)?);
    run(move |registers, mask| {
        let (from, rank, own) = (a.row(registers), rank.row(registers), own.row(registers));
        let out = lanes(|lane| {
            let address: u64 = A::read(from[lane]).into();
            let place = mapped(address.wrapping_sub(window), rank[lane].into(), own[lane].into());
            narrow(window.wrapping_add(place)).lane()
        });
        d.store(registers, &out, mask);
    })
}

fn getctarank(b: &mut Builder<'_>, i: &Instruction) -> Built {
    match i.space() {
        Some(_) if is_wide(i) => rank_of::<u64>(b, i, 0),
        Some(_) => rank_of::<u32>(b, i, 0),
        None => {
            generic(i)?;
            rank_of::<u64>(b, i, SHARED_WINDOW)
        }
    }
}

fn rank_of<A: Scalar + Into<u64>>(b: &mut Builder<'_>, i: &Instruction, window: u64) -> Built
where
    A::Slot: Resolve,
{
    let [d, a] = operands(i)?;
    let own = b.word_fill(Fill::Special(SpecialRegister::ClusterCtarank));
    let (d, a) = (b.target::<u32>(d)?, b.source::<A>(a)?);
    run(move |registers, mask| {
        let (from, own) = (a.row(registers), own.row(registers));
        let out = lanes(|lane| {
            let address: u64 = A::read(from[lane]).into();
            let number = address.wrapping_sub(window) >> RANK_SHIFT;
            u32::try_from(number).ok().and_then(|n| n.checked_sub(1)).unwrap_or(own[lane])
        });
        d.store(registers, &out, mask);
    })
}
