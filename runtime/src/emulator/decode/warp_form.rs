//! Shuffles, votes, barriers of the block and of the cluster.

use super::builder::{Builder, Built};
use super::form::Form;
use super::memory_form::nothing;
use super::op::{
    Barrier, BarrierKind, Class, DataRow, Op, Reduction, Refusal, ShuffleMode, VoteMode, WarpOp,
    WarpOpKind,
};
use crate::emulator::alu::registers::Predicate;
use crate::emulator::ptx::{Instruction, Modifier, Opcode, Operand, Type};

/// The forms of this module.
pub(crate) fn forms() -> Vec<Form> {
    let vote = |opcode, pattern, build| Form::new(opcode, pattern, Class::Vote, build);
    let barrier = |opcode, pattern, build| Form::new(opcode, pattern, Class::Barrier, build);
    vec![
        Form::new(Opcode::Shfl, ".sync.{up|down|bfly|idx}.b32", Class::Shuffle, shuffle),
        vote(Opcode::Vote, ".sync.{all|any|uni}.pred", vote_truth),
        vote(Opcode::Vote, ".sync.ballot.b32", vote_ballot),
        vote(Opcode::Match, ".{any|all}.sync.{b32|b64}", matching),
        vote(Opcode::Redux, ".sync.{add|min|max}.{u32|s32}", reduce),
        vote(Opcode::Redux, ".sync.{and|or|xor}.b32", reduce),
        vote(Opcode::Elect, ".sync", elect),
        vote(Opcode::Activemask, ".b32", active_mask),
        barrier(Opcode::BarWarp, ".sync", sync_warp),
        barrier(Opcode::Bar, "[.cta].{sync|arrive}", block_barrier),
        barrier(Opcode::Bar, "[.cta].red.popc.u32", block_barrier),
        barrier(Opcode::Bar, "[.cta].red.{and|or}.pred", block_barrier),
        barrier(Opcode::Barrier, "[.cta].{sync|arrive}[.aligned]", block_barrier),
        barrier(Opcode::Barrier, "[.cta].red.popc[.aligned].u32", block_barrier),
        barrier(Opcode::Barrier, "[.cta].red.{and|or}[.aligned].pred", block_barrier),
        barrier(Opcode::BarrierCluster, ".arrive[.{release|relaxed}][.aligned]", cluster_arrive),
        barrier(Opcode::BarrierCluster, ".wait[.acquire][.aligned]", cluster_wait),
        Form::new(Opcode::Nanosleep, ".u32", Class::Control, nothing),
        Form::new(
            Opcode::Griddepcontrol,
            ".{launch_dependents|wait}",
            Class::Control,
            grid_control,
        ),
        Form::new(Opcode::Pmevent, "", Class::Control, nothing),
    ]
}

fn warp(members: &Operand, b: &mut Builder<'_>, kind: WarpOpKind) -> Built {
    let members = b.source::<u32>(members)?;
    Ok(Op::Warp(Box::new(WarpOp { members, kind })))
}

/// `griddepcontrol`: the kernel after may start whenever it likes, so only a wait can be seen.
fn grid_control(_: &mut Builder<'_>, i: &Instruction) -> Built {
    Ok(if i.has(Modifier::Wait) { Op::GridWait } else { Op::Nothing })
}

fn wrong_operands() -> Refusal {
    Refusal::new("operands that do not fit the instruction")
}

/// `d` or `d|p`.
fn pair(d: &Operand) -> (&Operand, Option<&Operand>) {
    match d {
        Operand::Pair(pair) => (&pair[0], Some(&pair[1])),
        other => (other, None),
    }
}

fn optional_predicate(
    b: &Builder<'_>,
    operand: Option<&Operand>,
) -> Result<Option<Predicate>, Refusal> {
    operand.map(|operand| b.predicate_target(operand)).transpose()
}

fn shuffle(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, value, lane, clamp, members] = i.operands.as_slice() else {
        return Err(wrong_operands());
    };
    let (target, in_range) = pair(d);
    let mode = match i.modifiers.as_slice().get(1) {
        Some(Modifier::Up) => ShuffleMode::Up,
        Some(Modifier::Down) => ShuffleMode::Down,
        Some(Modifier::Bfly) => ShuffleMode::Butterfly,
        _ => ShuffleMode::Index,
    };
    let kind = WarpOpKind::Shuffle {
        mode,
        target: b.target::<u32>(target)?,
        in_range: optional_predicate(b, in_range)?,
        value: b.source::<u32>(value)?,
        lane: b.source::<u32>(lane)?,
        clamp: b.source::<u32>(clamp)?,
    };
    warp(members, b, kind)
}

fn vote_truth(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, predicate, members] = i.operands.as_slice() else { return Err(wrong_operands()) };
    let mode = match i.modifiers.as_slice().get(1) {
        Some(Modifier::All) => VoteMode::All,
        Some(Modifier::Any) => VoteMode::Any,
        _ => VoteMode::Uniform,
    };
    let (truth, predicate) = (Some(b.predicate_target(d)?), b.predicate(predicate)?);
    warp(members, b, WarpOpKind::Vote { mode, ballot: None, truth, predicate })
}

fn vote_ballot(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, predicate, members] = i.operands.as_slice() else { return Err(wrong_operands()) };
    let (ballot, predicate) = (Some(b.target::<u32>(d)?), b.predicate(predicate)?);
    warp(members, b, WarpOpKind::Vote { mode: VoteMode::Ballot, ballot, truth: None, predicate })
}

fn matching(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, value, members] = i.operands.as_slice() else { return Err(wrong_operands()) };
    let (target, truth) = pair(d);
    let value = if i.first_type() == Some(Type::B64) {
        DataRow::Long(b.source::<u64>(value)?)
    } else {
        DataRow::Word(b.source::<u32>(value)?)
    };
    let kind = WarpOpKind::Match {
        all: i.has(Modifier::All),
        target: b.target::<u32>(target)?,
        truth: optional_predicate(b, truth)?,
        value,
    };
    warp(members, b, kind)
}

fn reduce(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d, value, members] = i.operands.as_slice() else { return Err(wrong_operands()) };
    let signed = i.first_type() == Some(Type::S32);
    let operation = match (i.modifiers.as_slice().get(1), signed) {
        (Some(Modifier::Add), _) => Reduction::Add,
        (Some(Modifier::Min), false) => Reduction::MinUnsigned,
        (Some(Modifier::Max), false) => Reduction::MaxUnsigned,
        (Some(Modifier::Min), true) => Reduction::MinSigned,
        (Some(Modifier::Max), true) => Reduction::MaxSigned,
        (Some(Modifier::And), _) => Reduction::And,
        (Some(Modifier::Or), _) => Reduction::Or,
        _ => Reduction::Xor,
    };
    let (target, value) = (b.target::<u32>(d)?, b.source::<u32>(value)?);
    warp(members, b, WarpOpKind::Reduce { operation, target, value })
}

fn elect(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [Operand::Pair(targets), members] = i.operands.as_slice() else {
        return Err(wrong_operands());
    };
    let target = b.target::<u32>(&targets[0])?;
    let truth = b.predicate_target(&targets[1])?;
    warp(members, b, WarpOpKind::Elect { target, truth })
}

fn active_mask(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [d] = i.operands.as_slice() else { return Err(wrong_operands()) };
    Ok(Op::ActiveMask(b.target::<u32>(d)?))
}

fn sync_warp(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let [members] = i.operands.as_slice() else { return Err(wrong_operands()) };
    warp(members, b, WarpOpKind::Sync)
}

fn block_barrier(b: &mut Builder<'_>, i: &Instruction) -> Built {
    let kind = if i.has(Modifier::Arrive) {
        BarrierKind::Arrive
    } else if i.has(Modifier::Popc) {
        BarrierKind::Popc
    } else if i.has(Modifier::And) {
        BarrierKind::And
    } else if i.has(Modifier::Or) {
        BarrierKind::Or
    } else {
        BarrierKind::Sync
    };
    let (mut count, mut truth, mut predicate) = (None, None, None);
    let rest = match (kind, i.operands.as_slice()) {
        (BarrierKind::Sync | BarrierKind::Arrive, rest) => rest,
        (_, [d, rest @ .., p]) => {
            predicate = Some(b.predicate(p)?);
            if kind == BarrierKind::Popc {
                count = Some(b.target::<u32>(d)?);
            } else {
                truth = Some(b.predicate_target(d)?);
            }
            rest
        }
        _ => return Err(wrong_operands()),
    };
    let (index, threads) = match rest {
        [index] => (index, None),
        [index, threads] => (index, Some(b.source::<u32>(threads)?)),
        _ => return Err(wrong_operands()),
    };
    if kind == BarrierKind::Arrive && threads.is_none() {
        return Err(Refusal::new("an arrival without a thread count"));
    }
    Ok(Op::Barrier(Box::new(Barrier {
        index: b.source::<u32>(index)?,
        threads,
        kind,
        aligned: i.opcode == Opcode::Bar || i.has(Modifier::Aligned),
        predicate,
        count,
        truth,
    })))
}

fn cluster_arrive(_: &mut Builder<'_>, i: &Instruction) -> Built {
    let (releases, aligned) = (!i.has(Modifier::Relaxed), i.has(Modifier::Aligned));
    Ok(Op::ClusterArrive { releases, aligned })
}

fn cluster_wait(_: &mut Builder<'_>, i: &Instruction) -> Built {
    Ok(Op::ClusterWait { aligned: i.has(Modifier::Aligned) })
}
