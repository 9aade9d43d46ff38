//! Warp-wide operations with a member mask, and how their lanes find each other.
//!
//! A lane that reaches such an operation waits until every member that has not exited is at a
//! matching one. Members may come by other ways through the program; only when nothing else of the
//! warp can run are waiting fragments matched, and lanes that wait at a join are let go on.
//!
//! The rule for findings: a member mask must name the lane itself, and every lane it names that
//! has not exited must come. Lanes that exited before the others began to wait are excused, as the
//! CUDA guide has it, and so are lanes that the block does not have (its size is no multiple of
//! 32); but a shuffle that reads a lane that does not take part is a finding.

use ridge_spec::outcome::FindingKind;

use super::block::Context;
use super::fragment::{Fragment, State};
use super::step::Next;
use super::warp::Warp;
use crate::emulator::alu::registers::{LANE_BITS, LANES, Slot, active_lanes, lane_mask, lanes};
use crate::emulator::decode::op::{
    DataRow, Op, Reduction, ShuffleMode, VoteMode, WarpOp, WarpOpKind,
};

/// One fragment at a warp-wide operation.
#[derive(Clone, Copy)]
struct Participant<'p> {
    frame: u32,
    active: u32,
    operation: &'p WarpOp,
}

/// The operands of all lanes that take part, wherever they came from.
struct Gathered {
    active: u32,
    members: [u32; LANES],
    value: [u64; LANES],
    lane: [u32; LANES],
    clamp: [u32; LANES],
    predicate: u32,
}

/// The results of all lanes.
struct Results {
    value: [u32; LANES],
    truth: u32,
    /// Lanes that read one that does not take part.
    stray: u32,
}

impl Warp {
    /// One fragment comes to a warp-wide operation.
    pub(super) fn step_warp_op(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        operation: &WarpOp,
        active: u32,
    ) -> Next {
        let (needed, outside) = self.members(fragment.frame, operation, active);
        if outside != 0 {
            let message = "the member mask does not name the lane that executes it".to_owned();
            let kind = FindingKind::DivergentBarrier;
            context.event(kind, (fragment.pc, None), (self.index, outside), message);
        }
        let missing = needed & self.live & !active;
        if missing != 0 {
            return self.suspend(fragment, State::WarpOp { active, missing });
        }
        if active == u32::MAX && self.shuffle_whole_warp(fragment.frame, operation) {
            return Next::Following;
        }
        let participant = Participant { frame: fragment.frame, active, operation };
        self.perform(context, fragment.pc, &[participant]);
        Next::Following
    }

    /// The usual shuffle: all 32 lanes, each naming all. Whether it was one.
    fn shuffle_whole_warp(&mut self, frame: u32, operation: &WarpOp) -> bool {
        let Some(Some(frame)) = self.frames.get_mut(frame as usize) else { return false };
        let registers = &mut frame.registers;
        let WarpOpKind::Shuffle { mode, target, in_range, value, lane, clamp } = operation.kind
        else {
            return false;
        };
        if operation.members.row(registers).iter().any(|members| *members != u32::MAX) {
            return false;
        }
        let (value, operand, clamp) =
            (value.row(registers), lane.row(registers), clamp.row(registers));
        let sources = lanes(|lane| source_lane(mode, lane as u32, operand[lane], clamp[lane]).0);
        let out = lanes(|lane| value[sources[lane] as usize % LANES]);
        let truth = in_range.map(|target| {
            let inside =
                lane_mask(|lane| source_lane(mode, lane as u32, operand[lane], clamp[lane]).1);
            (target, inside)
        });
        target.store(registers, &out, u32::MAX);
        if let Some((target, inside)) = truth {
            target.store(registers, inside, u32::MAX);
        }
        true
    }

    /// The lanes that the member masks name, and the active lanes that their own does not.
    fn members(&self, frame: u32, operation: &WarpOp, active: u32) -> (u32, u32) {
        let Some(Some(frame)) = self.frames.get(frame as usize) else { return (0, 0) };
        let row = operation.members.row(&frame.registers);
        let mut named = 0;
        let mut own = 0;
        for (lane, bit) in LANE_BITS.into_iter().enumerate() {
            named |= if active & bit != 0 { row[lane] } else { 0 };
            own |= row[lane] & bit;
        }
        (named, active & !own)
    }

    /// Matches waiting fragments with each other. Whether any could go on.
    pub(super) fn match_warp_ops(&mut self, context: &mut Context<'_>) -> bool {
        let program = context.program;
        self.excuse_exited(context);
        let mut waiting: Vec<(usize, Participant<'_>)> = Vec::new();
        for (at, fragment) in self.fragments.iter().enumerate() {
            let State::WarpOp { active, .. } = fragment.state else { continue };
            let step = program.code.get(fragment.pc as usize);
            if let Some(Op::Warp(operation)) = step.map(|step| &step.op) {
                waiting.push((at, Participant { frame: fragment.frame, active, operation }));
            }
        }
        for first in 0..waiting.len() {
            let signature = signature(&waiting[first].1.operation.kind);
            let mut group: Vec<(usize, Participant<'_>)> = waiting
                .iter()
                .filter(|(_, one)| self::signature(&one.operation.kind) == signature)
                .copied()
                .collect();
            loop {
                let here = group.iter().fold(0, |lanes, (_, one)| lanes | one.active);
                let before = group.len();
                group.retain(|(_, one)| {
                    let (needed, _) = self.members(one.frame, one.operation, one.active);
                    needed & self.live & !here == 0
                });
                if group.len() == before {
                    break;
                }
            }
            let Some((at, _)) = group.first() else { continue };
            let pc = self.fragments[*at].pc;
            let participants: Vec<Participant<'_>> = group.iter().map(|(_, one)| *one).collect();
            self.perform(context, pc, &participants);
            for (at, _) in group {
                self.fragments[at].state = State::Ready;
                self.fragments[at].pc += 1;
            }
            return true;
        }
        false
    }

    /// Members that exited while others waited for them are a finding, once.
    fn excuse_exited(&mut self, context: &mut Context<'_>) {
        for at in 0..self.fragments.len() {
            let fragment = self.fragments[at];
            let State::WarpOp { active, missing } = fragment.state else { continue };
            let gone = missing & !self.live;
            if gone != 0 {
                self.fragments[at].state = State::WarpOp { active, missing: missing & self.live };
                self.report_exited(context, fragment.pc, gone);
            }
        }
    }

    fn report_exited(&self, context: &mut Context<'_>, pc: u32, gone: u32) {
        let who = lane_list(gone);
        let message = format!("the member mask names {who}, which exited without taking part");
        let kind = FindingKind::DivergentBarrier;
        context.event(kind, (pc, self.exit_pc), (self.index, gone), message);
    }

    fn perform(&mut self, context: &mut Context<'_>, pc: u32, participants: &[Participant<'_>]) {
        let Some(first) = participants.first() else { return };
        let gathered = self.gather(participants);
        if matches!(first.operation.kind, WarpOpKind::Sync) {
            self.sync_memory(context, &gathered);
            return;
        }
        let results = compute(&first.operation.kind, &gathered);
        if results.stray != 0 {
            let message = "it reads a lane that does not take part".to_owned();
            let kind = FindingKind::DivergentBarrier;
            context.event(kind, (pc, None), (self.index, results.stray), message);
        }
        for one in participants {
            let Some(Some(frame)) = self.frames.get_mut(one.frame as usize) else { continue };
            let registers = &mut frame.registers;
            let (value, truth) = match &one.operation.kind {
                WarpOpKind::Sync => (None, None),
                WarpOpKind::Shuffle { target, in_range, .. } => (Some(*target), *in_range),
                WarpOpKind::Vote { ballot, truth, .. } => (*ballot, *truth),
                WarpOpKind::Match { target, truth, .. } => (Some(*target), *truth),
                WarpOpKind::Reduce { target, .. } => (Some(*target), None),
                WarpOpKind::Elect { target, truth } => (Some(*target), Some(*truth)),
            };
            if let Some(target) = value {
                target.store(registers, &results.value, one.active);
            }
            if let Some(truth) = truth {
                truth.store(registers, results.truth, one.active);
            }
        }
    }

    fn sync_memory(&self, context: &mut Context<'_>, gathered: &Gathered) {
        let mut rest = gathered.active;
        while rest != 0 {
            let lane = rest.trailing_zeros() as usize;
            let together = (gathered.members[lane] & gathered.active) | LANE_BITS[lane];
            context.memory.sync_warp(self.index, together);
            rest &= !together;
        }
    }

    fn gather(&self, participants: &[Participant<'_>]) -> Gathered {
        let mut gathered = Gathered {
            active: 0,
            members: [0; LANES],
            value: [0; LANES],
            lane: [0; LANES],
            clamp: [0; LANES],
            predicate: 0,
        };
        for one in participants {
            let Some(Some(frame)) = self.frames.get(one.frame as usize) else { continue };
            let registers = &frame.registers;
            gathered.active |= one.active;
            let blend = |to: &mut [u32; LANES], from: &[u32; LANES]| {
                for lane in 0..LANES {
                    to[lane] =
                        if one.active & LANE_BITS[lane] != 0 { from[lane] } else { to[lane] };
                }
            };
            blend(&mut gathered.members, one.operation.members.row(registers));
            let word = match &one.operation.kind {
                WarpOpKind::Shuffle { value, lane, clamp, .. } => {
                    blend(&mut gathered.lane, lane.row(registers));
                    blend(&mut gathered.clamp, clamp.row(registers));
                    DataRow::Word(*value)
                }
                WarpOpKind::Vote { predicate, .. } => {
                    gathered.predicate |= predicate.read(registers) & one.active;
                    continue;
                }
                WarpOpKind::Match { value, .. } => *value,
                WarpOpKind::Reduce { value, .. } => DataRow::Word(*value),
                WarpOpKind::Sync | WarpOpKind::Elect { .. } => continue,
            };
            let row: [u64; LANES] = match word {
                DataRow::Word(word) => word.row(registers).map(u64::from),
                DataRow::Long(long) => *long.row(registers),
            };
            for lane in active_lanes(one.active) {
                gathered.value[lane] = row[lane];
            }
        }
        gathered
    }
}

/// What must be alike for lanes to match: the operation and its mode.
fn signature(kind: &WarpOpKind) -> (u8, u8) {
    match kind {
        WarpOpKind::Sync => (0, 0),
        WarpOpKind::Shuffle { mode, .. } => (1, *mode as u8),
        WarpOpKind::Vote { mode, .. } => (2, *mode as u8),
        WarpOpKind::Match { all, .. } => (3, u8::from(*all)),
        WarpOpKind::Reduce { operation, .. } => (4, *operation as u8),
        WarpOpKind::Elect { .. } => (5, 0),
    }
}

fn compute(kind: &WarpOpKind, given: &Gathered) -> Results {
    match kind {
        WarpOpKind::Sync => Results { value: [0; LANES], truth: 0, stray: 0 },
        WarpOpKind::Shuffle { mode, .. } => shuffle(*mode, given),
        WarpOpKind::Vote { mode, .. } => vote(*mode, given),
        WarpOpKind::Match { all, .. } => matching(*all, given),
        WarpOpKind::Reduce { operation, .. } => reduce(*operation, given),
        WarpOpKind::Elect { .. } => {
            let leader = |lane: usize| (given.members[lane] & given.active).trailing_zeros();
            Results {
                value: lanes(leader),
                truth: lane_mask(|lane| leader(lane) == lane as u32),
                stray: 0,
            }
        }
    }
}

/// The source lane and whether it is in range (PTX ISA, `shfl.sync`).
#[inline(always)]
fn source_lane(mode: ShuffleMode, lane: u32, operand: u32, clamp: u32) -> (u32, bool) {
    let (distance, limit, segment) = (operand & 31, clamp & 31, clamp >> 8 & 31);
    let last = (lane & segment) | (limit & !segment);
    let (source, in_range) = match mode {
        ShuffleMode::Up => {
            (lane.wrapping_sub(distance), lane as i32 - distance as i32 >= last as i32)
        }
        ShuffleMode::Down => (lane + distance, lane + distance <= last),
        ShuffleMode::Butterfly => (lane ^ distance, lane ^ distance <= last),
        ShuffleMode::Index => {
            let source = (lane & segment) | (distance & !segment);
            (source, source <= last)
        }
    };
    (if in_range { source } else { lane }, in_range)
}

fn shuffle(mode: ShuffleMode, given: &Gathered) -> Results {
    let sources = lanes(|lane| {
        let (source, in_range) =
            source_lane(mode, lane as u32, given.lane[lane], given.clamp[lane]);
        source | u32::from(in_range) << 8
    });
    let mut results = Results { value: [0; LANES], truth: 0, stray: 0 };
    for (lane, bit) in LANE_BITS.iter().enumerate() {
        let source = (sources[lane] & 31) as usize;
        results.value[lane] = given.value[source] as u32;
        results.truth |= (sources[lane] >> 8) << lane;
        let there = given.active & given.members[lane] & LANE_BITS[source] != 0;
        results.stray |= if there { 0 } else { *bit };
    }
    results.stray &= given.active;
    results
}

fn vote(mode: VoteMode, given: &Gathered) -> Results {
    let taking_part = |lane: usize| given.members[lane] & given.active;
    let holds = |lane: usize| {
        let all = taking_part(lane);
        let set = given.predicate & all;
        match mode {
            VoteMode::All => set == all,
            VoteMode::Any | VoteMode::Ballot => set != 0,
            VoteMode::Uniform => set == all || set == 0,
        }
    };
    Results {
        value: lanes(|lane| given.predicate & taking_part(lane)),
        truth: lane_mask(holds),
        stray: 0,
    }
}

fn matching(all: bool, given: &Gathered) -> Results {
    let mut results = Results { value: [0; LANES], truth: 0, stray: 0 };
    for lane in active_lanes(given.active) {
        let taking_part = given.members[lane] & given.active;
        let alike = active_lanes(taking_part)
            .filter(|other| given.value[*other] == given.value[lane])
            .fold(0, |mask, other| mask | LANE_BITS[other]);
        let holds = alike == taking_part;
        results.value[lane] = if all && !holds { 0 } else { alike };
        results.truth |= if holds { LANE_BITS[lane] } else { 0 };
    }
    results
}

fn reduce(operation: Reduction, given: &Gathered) -> Results {
    let combine = |a: u32, b: u32| match operation {
        Reduction::Add => a.wrapping_add(b),
        Reduction::MinUnsigned => a.min(b),
        Reduction::MaxUnsigned => a.max(b),
        Reduction::MinSigned => (a as i32).min(b as i32) as u32,
        Reduction::MaxSigned => (a as i32).max(b as i32) as u32,
        Reduction::And => a & b,
        Reduction::Or => a | b,
        Reduction::Xor => a ^ b,
    };
    let mut results = Results { value: [0; LANES], truth: 0, stray: 0 };
    let mut rest = given.active;
    while rest != 0 {
        let lane = rest.trailing_zeros() as usize;
        let together = (given.members[lane] & given.active) | LANE_BITS[lane];
        let values = active_lanes(together).map(|lane| given.value[lane] as u32);
        let value = values.reduce(combine).unwrap_or(0);
        for lane in active_lanes(together) {
            results.value[lane] = value;
        }
        rest &= !together;
    }
    results
}

/// "lane 3", "lanes 0-15, 20".
pub(super) fn lane_list(mask: u32) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for lane in active_lanes(mask) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == lane => *last = lane,
            _ => ranges.push((lane, lane)),
        }
    }
    let texts: Vec<String> = ranges
        .iter()
        .map(
            |(first, last)| {
                if first == last { format!("{first}") } else { format!("{first}-{last}") }
            },
        )
        .collect();
    let word = if mask.count_ones() == 1 { "lane" } else { "lanes" };
    format!("{word} {}", texts.join(", "))
}
