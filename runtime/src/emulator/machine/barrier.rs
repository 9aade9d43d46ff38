//! Block barriers.
//!
//! The rule, stricter than the hardware's: a barrier of the whole block must be reached by every
//! thread of the block. A thread that exited before it, a lane that waits elsewhere in the program,
//! and lanes of one warp at different instructions of an aligned barrier are findings. Different
//! warps may reach a barrier at different instructions. Where only exited threads are missing, the
//! block goes on, as the hardware would; a barrier that cannot complete ends it.

use ridge_spec::outcome::FindingKind;

use super::block::Context;
use super::fragment::{Fragment, State};
use super::step::Next;
use super::warp::Warp;
use super::warp_op::lane_list;
use crate::emulator::alu::registers::{LANES, Slot};
use crate::emulator::decode::op::{Barrier, BarrierKind, Op};
use crate::emulator::decode::program::Program;

/// Barriers of a block.
pub(crate) const N_BARRIERS: usize = 16;

/// A warp that waits at a barrier.
struct Waiting {
    /// Its place in the block.
    warp: usize,
    /// Which barrier.
    index: usize,
    /// Threads it waits for; `None` for the whole block.
    threads: Option<u32>,
    /// The instruction.
    pc: u32,
}

impl Warp {
    /// One fragment comes to a block barrier.
    pub(super) fn step_barrier(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        barrier: &Barrier,
        active: u32,
    ) -> Next {
        let skipping = fragment.mask & !active;
        if barrier.aligned && skipping != 0 {
            let message = format!("{} of the warp skip the barrier", lane_list(skipping));
            let kind = FindingKind::DivergentBarrier;
            context.event(kind, (fragment.pc, None), (self.index, skipping), message);
        }
        if barrier.kind != BarrierKind::Arrive {
            return self.suspend(fragment, State::Barrier { active });
        }
        let Some(Some(frame)) = self.frames.get(fragment.frame as usize) else { return Next::Gone };
        let first = active.trailing_zeros() as usize % LANES;
        let index = barrier.index.row(&frame.registers)[first] as usize % N_BARRIERS;
        context.arrived[index] += 1;
        context.tally.barriers += 1;
        context.memory.barrier_arrive(index as u32, self.index);
        Next::Following
    }

    /// Nothing of the warp can run: matches what waits for each other. Whether something can run
    /// now; if not, the warp waits at a block barrier or the block is stopped.
    pub(super) fn unblock(&mut self, context: &mut Context<'_>) -> bool {
        if self.match_warp_ops(context) {
            return true;
        }
        let mut at_barrier = 0;
        let mut at_warp_op = None;
        for fragment in &self.fragments {
            match fragment.state {
                State::Barrier { .. } | State::ClusterBarrier { .. } => at_barrier |= fragment.mask,
                State::WarpOp { .. } => at_warp_op = Some(*fragment),
                State::Ready => return true,
            }
        }
        if at_barrier == self.live {
            self.check_alignment(context);
            self.at_barrier = true;
            return false;
        }
        let aligned_waits = self.aligned_barrier(context.program);
        let may_release = aligned_waits.is_none() || at_warp_op.is_some();
        if let Some(released) = may_release.then(|| self.joins.release()).flatten() {
            self.fragments.push(released);
            return true;
        }
        let Some(stuck) = aligned_waits.or(at_warp_op) else {
            context.stopped = true;
            return false;
        };
        let missing = self.live & !stuck.mask;
        let elsewhere = self.elsewhere(missing, stuck.pc);
        let what = if at_barrier != 0 { "barrier" } else { "operation" };
        let message = format!(
            "{} of the warp never reach the {what} that the others wait at",
            lane_list(missing)
        );
        let kind = FindingKind::DivergentBarrier;
        context.event(kind, (stuck.pc, elsewhere), (self.index, missing), message);
        context.stopped = true;
        false
    }

    /// Where some lanes wait instead.
    fn elsewhere(&self, lanes: u32, pc: u32) -> Option<u32> {
        let held = self.joins.waiting(lanes).map(|join| join.pc);
        held.or_else(|| {
            let other = self.fragments.iter().find(|one| one.mask & lanes != 0 && one.pc != pc);
            other.map(|one| one.pc)
        })
    }

    /// A fragment that waits at an aligned barrier.
    fn aligned_barrier(&self, program: &Program) -> Option<Fragment> {
        let waits = self.fragments.iter().find(|one| {
            matches!(one.state, State::Barrier { .. })
                && barrier_at(program, one.pc).is_some_and(|barrier| barrier.aligned)
        });
        waits.copied()
    }

    /// Lanes of a warp at different instructions of an aligned barrier are a finding.
    fn check_alignment(&self, context: &mut Context<'_>) {
        let Some(first) = self.aligned_barrier(context.program) else { return };
        let apart = self.fragments.iter().filter(|one| one.pc != first.pc);
        let (lanes, other) =
            apart.fold((0, None), |(lanes, _), one| (lanes | one.mask, Some(one.pc)));
        if lanes != 0 {
            let message = format!(
                "{} of the warp wait at a barrier elsewhere in the program",
                lane_list(lanes)
            );
            let kind = FindingKind::DivergentBarrier;
            context.event(kind, (first.pc, other), (self.index, lanes), message);
        }
    }

    /// What the warp waits for, while it is at a barrier.
    fn waiting(&self, program: &Program) -> Option<Waiting> {
        if self.at_cluster_barrier().is_some() {
            return None;
        }
        let fragment = self.fragments.first()?;
        let State::Barrier { active } = fragment.state else { return None };
        let barrier = barrier_at(program, fragment.pc)?;
        let registers = &self.frames.get(fragment.frame as usize)?.as_ref()?.registers;
        let first = active.trailing_zeros() as usize % LANES;
        Some(Waiting {
            warp: self.index as usize,
            index: barrier.index.row(registers)[first] as usize % N_BARRIERS,
            threads: barrier.threads.map(|row| row.row(registers)[first]),
            pc: fragment.pc,
        })
    }

    /// Lanes taking part, and those whose predicate holds, of a reducing barrier.
    fn votes(&self, program: &Program) -> (u32, u32) {
        let mut votes = (0, 0);
        for fragment in &self.fragments {
            let State::Barrier { active } = fragment.state else { continue };
            let predicate = barrier_at(program, fragment.pc).and_then(|barrier| barrier.predicate);
            let Some(Some(frame)) = self.frames.get(fragment.frame as usize) else { continue };
            votes.0 |= active;
            votes.1 |= predicate.map_or(0, |p| p.read(&frame.registers)) & active;
        }
        votes
    }

    /// Goes on after a barrier, with the count of all votes.
    fn pass_barrier(&mut self, program: &Program, n_lanes: u32, n_votes: u32) {
        self.at_barrier = false;
        for fragment in &mut self.fragments {
            let State::Barrier { active } = fragment.state else { continue };
            if let (Some(barrier), Some(Some(frame))) =
                (barrier_at(program, fragment.pc), self.frames.get_mut(fragment.frame as usize))
            {
                let holds = match barrier.kind {
                    BarrierKind::And => n_votes == n_lanes,
                    _ => n_votes != 0,
                };
                if let Some(count) = barrier.count {
                    count.store(&mut frame.registers, &[n_votes; LANES], active);
                }
                if let Some(truth) = barrier.truth {
                    truth.store(&mut frame.registers, if holds { u32::MAX } else { 0 }, active);
                }
            }
            fragment.state = State::Ready;
            fragment.pc += 1;
        }
    }
}

fn barrier_at(program: &Program, pc: u32) -> Option<&Barrier> {
    match program.code.get(pc as usize).map(|step| &step.op) {
        Some(Op::Barrier(barrier)) => Some(barrier),
        _ => None,
    }
}

/// Completes the barriers that have all their threads. Whether any was; a block whose warps all
/// wait for barriers that never complete is stopped.
pub(super) fn settle(warps: &mut [Warp], context: &mut Context<'_>) -> bool {
    let program = context.program;
    let at_barrier = warps.iter().filter(|warp| warp.at_barrier);
    let waiting: Vec<Waiting> = at_barrier.filter_map(|warp| warp.waiting(program)).collect();
    if waiting.is_empty() {
        return false;
    }
    let n_running = warps.iter().filter(|warp| !warp.is_finished()).count();
    let mut released = false;
    for index in 0..N_BARRIERS {
        let group: Vec<&Waiting> = waiting.iter().filter(|one| one.index == index).collect();
        let Some(first) = group.first() else { continue };
        let complete = match first.threads {
            None => group.len() == n_running,
            Some(threads) => group.len() as u32 + context.arrived[index] >= threads.div_ceil(32),
        };
        if !complete {
            continue;
        }
        if first.threads.is_none() {
            report_exited(warps, context, first.pc);
        }
        release(warps, context, &group, index);
        released = true;
    }
    if !released && waiting.len() == n_running {
        report_deadlock(context, &waiting);
        context.stopped = true;
    }
    released
}

fn release(warps: &mut [Warp], context: &mut Context<'_>, group: &[&Waiting], index: usize) {
    let program = context.program;
    let mask = group.iter().fold(0, |mask, one| mask | 1u32 << (one.warp % 32));
    let (mut n_lanes, mut n_votes) = (0, 0);
    for one in group {
        let (lanes, votes) = warps[one.warp].votes(program);
        n_lanes += lanes.count_ones();
        n_votes += votes.count_ones();
    }
    for one in group {
        warps[one.warp].pass_barrier(program, n_lanes, n_votes);
    }
    context.tally.barriers += group.len() as u64;
    if group.iter().all(|one| one.threads.is_none()) {
        context.memory.barrier(mask);
    } else {
        context.memory.barrier_release(index as u32, mask);
    }
    context.arrived[index] = 0;
}

/// Threads that exited before a barrier of the whole block.
fn report_exited(warps: &[Warp], context: &mut Context<'_>, pc: u32) {
    let gone = |warp: &Warp| warp.existing & !warp.live;
    let Some(first) = warps.iter().find(|warp| gone(warp) != 0) else { return };
    let count: u32 = warps.iter().map(|warp| gone(warp).count_ones()).sum();
    let message = format!("{count} threads of the block exited before the barrier");
    let kind = FindingKind::DivergentBarrier;
    context.event(kind, (pc, first.exit_pc), (first.index, gone(first)), message);
}

/// Every warp waits, and no barrier has what it waits for.
fn report_deadlock(context: &mut Context<'_>, waiting: &[Waiting]) {
    let Some(first) = waiting.first() else { return };
    let other = waiting.iter().find(|one| one.index != first.index);
    let message = match (first.threads, other) {
        (None, Some(other)) => format!(
            "warp {} waits at barrier {} for the whole block, and warp {} at barrier {}",
            first.warp, first.index, other.warp, other.index
        ),
        (None, None) => format!("barrier {} is never reached by all threads", first.index),
        (Some(threads), _) => {
            let here = waiting.iter().filter(|one| one.index == first.index).count() as u32;
            format!(
                "barrier {} waits for {threads} threads, of which {} arrive",
                first.index,
                32 * (here + context.arrived[first.index])
            )
        }
    };
    let places = (first.pc, other.map(|other| other.pc));
    let kind = FindingKind::DivergentBarrier;
    context.event(kind, places, (first.warp as u32, 0), message);
}
