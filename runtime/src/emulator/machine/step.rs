//! The inner loop: one fragment runs until it splits away, waits, or is gone.

use ridge_spec::outcome::FindingKind;

use super::access;
use super::block::Context;
use super::fragment::{Fragment, State};
use super::frame::NONE;
use super::warp::Warp;
use crate::emulator::alu::registers::{LANES, Registers, Slot, Word, active_lanes};
use crate::emulator::decode::op::{ClockKind, DataRow, Op};

/// What becomes of a fragment after an instruction that is not plain.
pub(super) enum Next {
    /// It goes on with the next instruction.
    Following,
    /// It goes on as this.
    As(Fragment),
    /// Nothing of it runs now.
    Gone,
}

impl Warp {
    /// Runs until every lane has exited, waits, or the turn is over.
    pub(crate) fn run(&mut self, context: &mut Context<'_>) {
        loop {
            while let Some(fragment) = self.take_ready() {
                self.run_fragment(context, fragment);
                if context.stopped || context.turn == 0 {
                    return;
                }
            }
            if self.live == 0 || !self.unblock(context) {
                return;
            }
        }
    }

    fn run_fragment(&mut self, context: &mut Context<'_>, start: Fragment) {
        let code = &context.program.code[..];
        let mut fragment = start;
        let mut meeting = self.joins.meeting_point(&fragment);
        let mut n_lanes = u64::from(fragment.mask.count_ones());
        loop {
            if fragment.pc == meeting {
                let Some(next) = self.arrive(&fragment) else { return };
                fragment = next;
                meeting = self.joins.meeting_point(&fragment);
                n_lanes = u64::from(fragment.mask.count_ones());
                continue;
            }
            if context.turn == 0 || context.budget == 0 {
                self.pause(context, fragment);
                return;
            }
            context.turn -= 1;
            context.budget -= 1;
            self.clock += 1;
            let (Some(step), Some(Some(frame))) =
                (code.get(fragment.pc as usize), self.frames.get_mut(fragment.frame as usize))
            else {
                return;
            };
            let registers = &mut frame.registers;
            let active = fragment.mask & step.guard.read(registers);
            context.tally.issued[step.class as usize] += 1;
            context.tally.threads +=
                if active == fragment.mask { n_lanes } else { u64::from(active.count_ones()) };
            match &step.op {
                Op::Run(run) => {
                    if active != 0 {
                        run(registers, active);
                    }
                    fragment.pc += 1;
                }
                Op::Nothing => fragment.pc += 1,
                _ if active == 0 && !step.op.is_branch() => fragment.pc += 1,
                Op::Load(transfer) => {
                    let site = context.site(fragment.pc, self.index);
                    access::load(&mut context.memory, site, registers, transfer, active);
                    fragment.pc += 1;
                }
                Op::Store(transfer) => {
                    let site = context.site(fragment.pc, self.index);
                    access::store(&mut context.memory, site, registers, transfer, active);
                    fragment.pc += 1;
                }
                Op::Branch { target, .. } if active == fragment.mask => {
                    context.tally.branches += u64::from(step.guard.index != 0);
                    fragment.pc = *target;
                }
                Op::Branch { .. } if active == 0 => {
                    context.tally.branches += 1;
                    fragment.pc += 1;
                }
                op => match self.step_rare(context, fragment, op, active) {
                    Next::Following => fragment.pc += 1,
                    Next::As(next) => {
                        fragment = next;
                        meeting = self.joins.meeting_point(&fragment);
                        n_lanes = u64::from(fragment.mask.count_ones());
                    }
                    Next::Gone => return,
                },
            }
        }
    }

    /// The turn or the budget is over.
    fn pause(&mut self, context: &mut Context<'_>, fragment: Fragment) {
        if context.budget == 0 {
            let message = match context.program.loop_lines(fragment.pc).first() {
                Some(line) => format!(
                    "the block ran out of instructions in the loop at {}:{}",
                    line.file, line.line
                ),
                None if context.program.is_in_loop(fragment.pc) => {
                    "the block ran out of instructions in a loop".to_owned()
                }
                None => "the block ran out of instructions".to_owned(),
            };
            let lanes = (self.index, fragment.mask);
            context.event(FindingKind::Timeout, (fragment.pc, None), lanes, message);
            context.stopped = true;
            return;
        }
        // Behind the others: lanes that wait for each other through memory make progress.
        self.fragments.insert(0, fragment);
    }

    /// Instructions that change the control flow, wait, or are seldom used.
    fn step_rare(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        op: &Op,
        active: u32,
    ) -> Next {
        match op {
            Op::Branch { target, reconverge } => {
                context.tally.branches += 1;
                context.tally.divergent += 1;
                let parts = [(fragment.pc + 1, fragment.mask & !active), (*target, active)];
                self.split(fragment, &parts, *reconverge).map_or(Next::Gone, Next::As)
            }
            Op::BranchTable { index, targets, reconverge } => {
                self.branch_table(context, fragment, active, (*index, targets, *reconverge))
            }
            Op::Warp(operation) => self.step_warp_op(context, fragment, operation, active),
            Op::Barrier(barrier) => self.step_barrier(context, fragment, barrier, active),
            Op::ClusterArrive { releases, aligned } => {
                self.cluster_arrive(context, fragment, (*releases, *aligned), active)
            }
            Op::ClusterWait { aligned } => self.cluster_wait(context, fragment, *aligned, active),
            Op::Call(call) => self.call(context, fragment, call, active),
            Op::Return => self.step_return(context, fragment, active),
            Op::Exit => self.step_exit(context, fragment, active),
            Op::Trap => {
                let message = "the kernel stopped itself with `trap`".to_owned();
                let lanes = (self.index, active);
                context.event(FindingKind::Trap, (fragment.pc, None), lanes, message);
                context.stopped = true;
                Next::Gone
            }
            other => {
                self.step_data(context, fragment, other, active);
                Next::Following
            }
        }
    }

    /// Seldom used instructions that only move data.
    fn step_data(&mut self, context: &mut Context<'_>, fragment: Fragment, op: &Op, active: u32) {
        let site = context.site(fragment.pc, self.index);
        let clock = self.clock;
        let Some(Some(frame)) = self.frames.get_mut(fragment.frame as usize) else { return };
        let registers = &mut frame.registers;
        match op {
            Op::Atomic(atomic) => {
                access::atomic(&mut context.memory, site, registers, atomic, active);
            }
            Op::CopyAsync(copy) => {
                access::copy_async(&mut context.memory, site, registers, copy, active);
            }
            Op::CommitAsync => context.memory.async_commit(site.warp, active),
            Op::WaitAsync(Some(pending)) => {
                context.memory.async_wait(site.warp, active, *pending);
            }
            Op::WaitAsync(None) => {
                context.memory.async_commit(site.warp, active);
                context.memory.async_wait(site.warp, active, 0);
            }
            Op::LoadParameter(transfer) => frame.load_parameter(transfer, active),
            Op::StoreParameter(transfer) => frame.store_parameter(transfer, active),
            Op::ActiveMask(target) => target.store(registers, &[active; LANES], active),
            Op::Fence => context.memory.fence(site.warp),
            Op::GridWait => context.memory.grid_wait(site.warp, active),
            Op::Clock(kind, target) => read_clock(registers, *kind, *target, clock, active),
            _ => {}
        }
    }

    fn branch_table(
        &mut self,
        context: &mut Context<'_>,
        fragment: Fragment,
        active: u32,
        (index, targets, reconverge): (Word, &[u32], u32),
    ) -> Next {
        context.tally.branches += 1;
        let Some(Some(frame)) = self.frames.get(fragment.frame as usize) else { return Next::Gone };
        let row = index.row(&frame.registers);
        let mut parts: Vec<(u32, u32)> = Vec::new();
        let mut add = |pc: u32, lanes: u32| match parts.iter_mut().find(|part| part.0 == pc) {
            Some(part) => part.1 |= lanes,
            None => parts.push((pc, lanes)),
        };
        if fragment.mask & !active != 0 {
            add(fragment.pc + 1, fragment.mask & !active);
        }
        let mut wild = 0;
        for lane in active_lanes(active) {
            match targets.get(row[lane] as usize) {
                Some(target) => add(*target, 1 << lane),
                None => wild |= 1 << lane,
            }
        }
        if wild != 0 {
            let message =
                format!("a jump table of {} entries is indexed past its end", targets.len());
            context.event(FindingKind::Trap, (fragment.pc, None), (self.index, wild), message);
            context.stopped = true;
            return Next::Gone;
        }
        if let [(pc, _)] = parts[..] {
            return Next::As(Fragment { pc, ..fragment });
        }
        context.tally.divergent += 1;
        self.split(fragment, &parts, reconverge).map_or(Next::Gone, Next::As)
    }

    fn step_return(&mut self, context: &mut Context<'_>, fragment: Fragment, active: u32) -> Next {
        let join = match self.frames.get(fragment.frame as usize) {
            Some(Some(frame)) => frame.return_join,
            _ => NONE,
        };
        if join == NONE {
            return self.step_exit(context, fragment, active);
        }
        self.return_from(context, fragment, join, active)
    }

    fn step_exit(&mut self, context: &mut Context<'_>, fragment: Fragment, active: u32) -> Next {
        if (self.arrived | self.admitted) & active != 0 {
            self.exit_without_wait(context, fragment, active);
        }
        context.memory.exit_lanes(self.index, active);
        let rest = self.exit(fragment, active);
        rest.map_or(Next::Gone, |rest| Next::As(Fragment { pc: rest.pc + 1, ..rest }))
    }

    /// Suspends a fragment at its instruction.
    pub(super) fn suspend(&mut self, fragment: Fragment, state: State) -> Next {
        self.fragments.push(Fragment { state, ..fragment });
        Next::Gone
    }
}

fn read_clock(
    registers: &mut Registers,
    kind: ClockKind,
    target: DataRow,
    clock: u64,
    active: u32,
) {
    let value = match kind {
        ClockKind::Low => clock & u64::from(u32::MAX),
        ClockKind::High => clock >> 32,
        ClockKind::Full => clock,
    };
    match target {
        DataRow::Word(word) => word.store(registers, &[value as u32; LANES], active),
        DataRow::Long(long) => long.store(registers, &[value; LANES], active),
    }
}
