//! A thread block: its warps take turns until all have exited.

use ridge_spec::counters::{Counters, InstructionCounts};
use ridge_spec::outcome::FindingKind;

use super::barrier;
use super::event::{Event, EventLog};
use super::frame::LaunchValues;
use super::warp::Warp;
use crate::emulator::decode::op::{Class, N_CLASSES};
use crate::emulator::decode::program::Program;
use crate::emulator::memory::{BlockMemory, Site};

/// Instructions a warp may issue before the next one gets its turn: warps that wait for each other
/// through memory make progress.
const TURN: u64 = 1 << 14;

/// What a block counted, but for memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Warp instructions by class.
    pub(crate) issued: [u64; N_CLASSES],
    /// Thread instructions.
    pub(crate) threads: u64,
    /// Barrier arrivals of warps.
    pub(crate) barriers: u64,
    /// Their arrivals at the cluster's barrier.
    pub(crate) cluster_barriers: u64,
    /// Conditional branches.
    pub(crate) branches: u64,
    /// Those that went both ways.
    pub(crate) divergent: u64,
}

impl Tally {
    /// Adds the counts to the execution's.
    pub(crate) fn add_to(&self, counters: &mut Counters) {
        let of = |class: Class| self.issued[class as usize];
        counters.warp_instructions += InstructionCounts {
            integer: of(Class::Integer),
            float32: of(Class::Float32),
            float16: of(Class::Float16),
            float64: of(Class::Float64),
            special: of(Class::Special),
            conversion: of(Class::Conversion),
            memory: of(Class::Memory),
            shuffle: of(Class::Shuffle),
            vote: of(Class::Vote),
            barrier: of(Class::Barrier),
            control: of(Class::Control),
            tensor: 0,
        };
        counters.thread_instructions += self.threads;
        counters.barriers += self.barriers;
        counters.cluster.barriers += self.cluster_barriers;
        counters.branches += self.branches;
        counters.divergent_branches += self.divergent;
    }
}

/// Everything a running warp uses that is not its own.
pub(crate) struct Context<'a> {
    /// The program.
    pub(crate) program: &'a Program,
    /// What rows are filled from.
    pub(crate) values: &'a LaunchValues,
    /// Memory.
    pub(crate) memory: BlockMemory<'a>,
    /// Counts of this block.
    pub(crate) tally: Tally,
    /// Warp instructions the block may still issue.
    pub(crate) budget: u64,
    /// What went wrong.
    pub(crate) events: EventLog,
    /// Linear index of the block.
    pub(crate) block: u64,
    /// Whether the block ends here.
    pub(crate) stopped: bool,
    /// Instructions left of the running warp's turn.
    pub(crate) turn: u64,
    /// Warps that have arrived at each barrier without waiting there.
    pub(crate) arrived: [u32; barrier::N_BARRIERS],
}

impl Context<'_> {
    /// Records a fault.
    pub(crate) fn event(
        &mut self,
        kind: FindingKind,
        (pc, other): (u32, Option<u32>),
        (warp, lanes): (u32, u32),
        message: String,
    ) {
        let block = self.block;
        self.events.push(Event { kind, pc, other, block, warp, lanes, message, occurrences: 1 });
    }

    /// The site of an access.
    pub(crate) fn site(&self, pc: u32, warp: u32) -> Site {
        Site { instruction: pc, warp }
    }
}

/// Runs the blocks of a launch, one after another.
pub(crate) struct BlockMachine<'a> {
    context: Context<'a>,
    warps: Vec<Warp>,
    budget: u64,
}

impl<'a> BlockMachine<'a> {
    /// A machine for blocks of `program`, each of which may issue `budget` warp instructions.
    pub(crate) fn new(
        program: &'a Program,
        values: &'a LaunchValues,
        memory: BlockMemory<'a>,
        budget: u64,
    ) -> Self {
        let threads = values.launch.threads_per_block() as u32;
        let warps = (0..threads.div_ceil(32))
            .map(|index| Warp::new(program, values, index, threads))
            .collect();
        let context = Context {
            program,
            values,
            memory,
            tally: Tally::default(),
            budget,
            events: EventLog::default(),
            block: 0,
            stopped: false,
            turn: 0,
            arrived: [0; barrier::N_BARRIERS],
        };
        Self { context, warps, budget }
    }

    /// Runs one block to its end. Whether it ended by itself: not by a trap, a barrier that never
    /// completes or its budget.
    pub(crate) fn run_block(&mut self, linear: u64, counters: &mut Counters) -> bool {
        self.begin(linear);
        while self.round() {}
        self.finish(counters)
    }

    /// Puts every warp at the first instruction of a block.
    pub(super) fn begin(&mut self, linear: u64) {
        let grid = self.context.values.launch.grid.map(u64::from);
        let block = [
            (linear % grid[0]) as u32,
            (linear / grid[0] % grid[1]) as u32,
            (linear / grid[0] / grid[1]) as u32,
        ];
        let context = &mut self.context;
        context.tally = Tally::default();
        context.budget = self.budget;
        context.block = linear;
        context.stopped = false;
        context.memory.begin_block(linear);
        context.arrived = [0; barrier::N_BARRIERS];
        for warp in &mut self.warps {
            warp.begin_block(context.program, context.values, block);
        }
    }

    /// Ends the block: adds what it counted. Whether it ended by itself.
    pub(super) fn finish(&mut self, counters: &mut Counters) -> bool {
        let context = &mut self.context;
        context.memory.end_block(counters);
        context.tally.add_to(counters);
        counters.blocks += 1;
        !context.stopped
    }

    /// The memory, to take its faults.
    pub(crate) fn memory(&mut self) -> &mut BlockMemory<'a> {
        &mut self.context.memory
    }

    /// Takes what went wrong so far.
    pub(crate) fn take_events(&mut self) -> EventLog {
        std::mem::take(&mut self.context.events)
    }

    /// Gives every warp that can run a turn, and lets those go on whose barriers are complete.
    /// Whether anything can still run.
    pub(super) fn round(&mut self) -> bool {
        let Self { context, warps, .. } = self;
        let mut ran = false;
        for warp in warps.iter_mut() {
            if warp.is_finished() || warp.at_barrier {
                continue;
            }
            ran = true;
            context.turn = TURN;
            warp.run(context);
            if context.stopped {
                return false;
            }
        }
        let released = barrier::settle(warps, context);
        !context.stopped && (ran || released)
    }

    /// What its warps use, and they themselves.
    pub(super) fn parts(&mut self) -> (&mut Context<'a>, &mut [Warp]) {
        (&mut self.context, &mut self.warps)
    }
}
