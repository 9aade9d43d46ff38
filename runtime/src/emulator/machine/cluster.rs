//! A cluster: its blocks are resident together and take turns on one thread.

use ridge_spec::counters::Counters;
use ridge_spec::outcome::FindingKind;

use super::block::{BlockMachine, Context};
use super::event::EventLog;
use super::frame::LaunchValues;
use super::warp::Warp;
use crate::emulator::decode::program::Program;
use crate::emulator::memory::{BlockMemory, ClusterMemory, FaultLog, Site};

/// Runs the clusters of a launch, one after another.
pub(crate) struct ClusterMachine<'a> {
    /// By rank.
    blocks: Vec<BlockMachine<'a>>,
    values: &'a LaunchValues,
}

/// A thread that waits at the cluster's barrier or has arrived there: block and place.
struct Party {
    rank: usize,
    warp: u32,
    pc: u32,
}

/// What the threads of a cluster do about its barrier.
#[derive(Default)]
struct Census {
    /// A warp that waits.
    waiting: Option<Party>,
    /// A warp that has arrived.
    arrived: Option<Party>,
    /// A warp some of whose lanes are alive and have not arrived.
    missing: Option<Party>,
    /// Threads that are alive and have not arrived.
    n_missing: u32,
    /// A warp some of whose lanes have exited, and how many have.
    exited: Option<Party>,
    n_exited: u32,
    /// Whether all who arrived wait.
    all_wait: bool,
}

/// The linear index of the block of a rank in a cluster.
pub(crate) fn block_of_cluster(values: &LaunchValues, cluster: u64, rank: u64) -> u64 {
    let (grid, size) = (values.launch.grid.map(u64::from), values.cluster.map(u64::from));
    let counts = [grid[0] / size[0], grid[1] / size[1]];
    let at = [
        cluster % counts[0] * size[0] + rank % size[0],
        cluster / counts[0] % counts[1] * size[1] + rank / size[0] % size[1],
        cluster / counts[0] / counts[1] * size[2] + rank / size[0] / size[1],
    ];
    at[0] + grid[0] * (at[1] + grid[1] * at[2])
}

impl<'a> ClusterMachine<'a> {
    /// A machine for clusters of `program`, with a memory for each block. Each block may issue
    /// `budget` warp instructions.
    pub(crate) fn new(
        program: &'a Program,
        values: &'a LaunchValues,
        memory: impl Fn() -> BlockMemory<'a>,
        budget: u64,
    ) -> Self {
        let machine = |_| BlockMachine::new(program, values, memory(), budget);
        Self { blocks: (0..values.cluster_blocks()).map(machine).collect(), values }
    }

    /// Blocks of a cluster.
    pub(crate) fn n_blocks(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Runs one cluster to its end. Whether all of its blocks ended by themselves.
    pub(crate) fn run_cluster(&mut self, cluster: u64, counters: &mut Counters) -> bool {
        for (rank, block) in (0u64..).zip(&mut self.blocks) {
            block.begin(block_of_cluster(self.values, cluster, rank));
        }
        let mut memories: Vec<&mut BlockMemory<'a>> =
            self.blocks.iter_mut().map(BlockMachine::memory).collect();
        let mut memory = Some(Box::new(ClusterMemory::new(&mut memories)));
        self.take_turns(&mut memory);
        let stopped = self.blocks.iter_mut().any(|block| block.parts().0.stopped);
        let exits: Vec<Option<Site>> = self.blocks.iter_mut().map(last_exit).collect();
        if let Some(memory) = memory {
            let mut memories: Vec<&mut BlockMemory<'a>> =
                self.blocks.iter_mut().map(BlockMachine::memory).collect();
            if !stopped {
                memory.check_exits(&mut memories, &exits);
            }
            memory.finish(&mut memories);
        }
        for block in &mut self.blocks {
            block.finish(counters);
        }
        !stopped
    }

    /// Takes what went wrong so far in all blocks.
    pub(crate) fn take_logs(&mut self) -> (FaultLog, EventLog) {
        let (mut faults, mut events) = (FaultLog::default(), EventLog::default());
        for block in &mut self.blocks {
            faults.merge(block.memory().take_faults());
            events.merge(block.take_events());
        }
        (faults, events)
    }

    fn take_turns(&mut self, memory: &mut Option<Box<ClusterMemory>>) {
        loop {
            let mut can_run = false;
            for block in &mut self.blocks {
                can_run |= within(block, memory, |block| block.round());
                if block.parts().0.stopped {
                    return;
                }
            }
            let census = self.census();
            if census.n_missing == 0 && census.arrived.is_some() {
                self.complete_barrier(&census, memory);
            } else if !can_run {
                self.report_stuck(&census);
                return;
            }
        }
    }

    fn census(&mut self) -> Census {
        let mut census = Census { all_wait: true, ..Census::default() };
        for (rank, block) in self.blocks.iter_mut().enumerate() {
            let (_, warps) = block.parts();
            for warp in warps.iter() {
                census.count(rank, warp);
            }
        }
        census
    }

    fn complete_barrier(&mut self, census: &Census, memory: &mut Option<Box<ClusterMemory>>) {
        if let (Some(arrived), Some(exited)) = (&census.arrived, &census.exited) {
            let block = self.blocks[exited.rank].parts().0.block;
            let message = format!(
                "{} threads of the cluster exited before its barrier, the first of block {block}",
                census.n_exited
            );
            let places = (arrived.pc, Some(exited.pc));
            let context = self.blocks[arrived.rank].parts().0;
            context.event(FindingKind::DivergentBarrier, places, (arrived.warp, 0), message);
        }
        let known = memory.as_mut().map(|memory| memory.complete_barrier()).unwrap_or_default();
        for block in &mut self.blocks {
            within(block, memory, |block| {
                let (context, warps) = block.parts();
                for warp in warps.iter_mut() {
                    warp.pass_cluster_barrier(context);
                }
                if census.all_wait {
                    context.memory.cluster_known_to_all(&known);
                }
            });
        }
    }

    /// Nothing runs, and the barrier is not complete.
    fn report_stuck(&mut self, census: &Census) {
        let (Some(waiting), Some(missing)) = (&census.waiting, &census.missing) else { return };
        let block = self.blocks[missing.rank].parts().0.block;
        let message = format!(
            "{} threads of the cluster, the first in warp {} of block {block}, never reach the barrier that the others wait at",
            census.n_missing, missing.warp
        );
        let context = self.blocks[waiting.rank].parts().0;
        let places = (waiting.pc, Some(missing.pc));
        context.event(FindingKind::DivergentBarrier, places, (waiting.warp, 0), message);
        context.stopped = true;
    }
}

impl Census {
    fn count(&mut self, rank: usize, warp: &Warp) {
        let party = |pc: u32| Party { rank, warp: warp.index, pc };
        let gone = warp.existing & !warp.live;
        if gone != 0 {
            self.n_exited += gone.count_ones();
            let pc = warp.exit_pc.unwrap_or(0);
            self.exited.get_or_insert_with(|| party(pc));
        }
        if let Some(pc) = warp.at_cluster_barrier() {
            self.waiting.get_or_insert_with(|| party(pc));
        }
        if warp.arrived != 0 {
            self.arrived.get_or_insert_with(|| party(warp.arrive_pc));
            self.all_wait &= warp.arrived & !warp.lanes_at_cluster_barrier() == 0;
        }
        let missing = warp.live & !warp.arrived;
        if missing != 0 {
            self.n_missing += missing.count_ones();
            let at = warp.fragments.iter().find(|one| one.mask & missing != 0);
            let pc = at.or(warp.fragments.first()).map_or(0, |one| one.pc);
            self.missing.get_or_insert_with(|| party(pc));
        }
    }
}

/// Does something with a block that holds what its cluster shares.
fn within<'a, T>(
    block: &mut BlockMachine<'a>,
    memory: &mut Option<Box<ClusterMemory>>,
    act: impl FnOnce(&mut BlockMachine<'a>) -> T,
) -> T {
    if let Some(shared) = memory.take() {
        block.memory().enter_cluster(shared);
    }
    let result = act(block);
    *memory = block.memory().leave_cluster();
    result
}

/// The exit that ended a block, as far as it has one.
fn last_exit(block: &mut BlockMachine<'_>) -> Option<Site> {
    let (_, warps): (&mut Context<'_>, &mut [Warp]) = block.parts();
    let ended = warps.iter().rev().find(|warp| warp.is_finished())?;
    Some(Site { instruction: ended.exit_pc?, warp: ended.index })
}
