//! Races, and uses of memory beyond its block's end, between the blocks of a cluster against their
//! definition.

use proptest::prelude::*;
use ridge_spec::outcome::FindingKind;

use super::buffers;
use super::oracle::{Clock, Oracle, Verdict};
use super::random::{Kind, Shape, mask, offsets, shape, value};
use crate::emulator::memory::{
    Access, BlockMemory, BlockShape, Cause, ClusterMemory, GlobalMemory, LANES, Order, RANK_SHIFT,
    Site, Space,
};

const BLOCKS: usize = 3;
const WARPS: usize = 2;
const THREADS: usize = BLOCKS * WARPS * LANES;
/// Offset of the bytes that all accesses meet in.
const START: u64 = 64;

/// One step: of a block where it names one, of one of its warps where it names that.
#[derive(Clone, Debug)]
enum Step {
    Access {
        by: (usize, usize),
        target: usize,
        kind: Kind,
        width: u32,
        shape: Shape,
        mask: u32,
        strong: bool,
    },
    Barrier(usize),
    SyncWarp((usize, usize), u32),
    Fence((usize, usize)),
    /// All warps arrive, those of the mask without a release; who has not waited since the last
    /// time does so first.
    Arrive(u32),
    /// A warp waits, if it has not yet.
    Wait((usize, usize)),
}

fn warp() -> impl Strategy<Value = (usize, usize)> {
    (0..BLOCKS, 0..WARPS)
}

/// Accesses that meet now and then: most programs that race do so late.
fn step() -> impl Strategy<Value = Step> {
    let loads = [Kind::Load; 5];
    let kinds = [&loads[..], &[Kind::Store, Kind::Store, Kind::Atomic]].concat();
    let shapes = prop_oneof![(0u64..12).prop_map(Shape::Uniform), shape()];
    let masks = prop_oneof![3 => (0u32..32).prop_map(|lane| 1 << lane), 1 => mask()];
    let access = (
        (warp(), prop::option::weighted(0.5, 0..BLOCKS), prop::sample::select(kinds)),
        (prop::sample::select(vec![1u32, 1, 2, 2, 4, 4, 8, 16]), shapes, masks),
        prop::bool::weighted(0.2),
    )
        .prop_map(|((by, target, kind), (width, shape, mask), strong)| {
            let target = target.unwrap_or(by.0);
            let width = if kind == Kind::Atomic { width.clamp(4, 8) } else { width };
            Step::Access { by, target, kind, width, shape, mask, strong }
        });
    prop_oneof![
        8 => access,
        4 => (0..BLOCKS).prop_map(Step::Barrier),
        2 => (warp(), mask()).prop_map(|(warp, mask)| Step::SyncWarp(warp, mask)),
        1 => warp().prop_map(Step::Fence),
        3 => Just(Step::Arrive(0)),
        1 => (0u32..64).prop_map(Step::Arrive),
        3 => warp().prop_map(Step::Wait),
    ]
}

/// The emulator's memories and the definition's, side by side.
struct Pair<'g> {
    memories: Vec<BlockMemory<'g>>,
    cluster: Option<Box<ClusterMemory>>,
    oracle: Oracle,
    /// By warp: what its last fence covers.
    fenced: [Option<Clock>; BLOCKS * WARPS],
    /// What the latest completed barrier releases.
    released: Clock,
    /// The same as the emulator has it.
    known: Vec<[u32; LANES]>,
    /// Warps that have not waited there.
    to_wait: u32,
    /// Accesses to other blocks' memory: thread, its clock, the owner, the instruction.
    uses: Vec<(usize, u32, usize, u32)>,
}

const fn number((block, warp): (usize, usize)) -> usize {
    block * WARPS + warp
}

fn threads(warp: usize) -> Vec<usize> {
    (warp * LANES..(warp + 1) * LANES).collect()
}

impl<'g> Pair<'g> {
    fn new(global: &'g GlobalMemory) -> Self {
        let shape = BlockShape {
            threads: (WARPS * LANES) as u32,
            shared_bytes: 1024,
            local_bytes: 0,
            params: [].into(),
        };
        let mut memories: Vec<_> =
            (0..BLOCKS).map(|_| BlockMemory::new(global, shape.clone())).collect();
        for (block, memory) in (0u64..).zip(&mut memories) {
            memory.begin_block(block);
        }
        let mut all: Vec<&mut BlockMemory<'g>> = memories.iter_mut().collect();
        let cluster = Some(Box::new(ClusterMemory::new(&mut all)));
        let oracle = Oracle::new();
        let (fenced, released) = ([None; BLOCKS * WARPS], [0; _]);
        let mut pair = Self {
            memories,
            cluster,
            oracle,
            fenced,
            released,
            known: Vec::new(),
            to_wait: 0,
            uses: Vec::new(),
        };
        // Every block is known to have begun; nothing else is.
        pair.arrive(u32::MAX);
        pair.wait_all();
        pair
    }

    fn on<T>(&mut self, block: usize, act: impl FnOnce(&mut BlockMemory<'g>) -> T) -> T {
        let memory = &mut self.memories[block];
        memory.enter_cluster(self.cluster.take().unwrap());
        let result = act(memory);
        self.cluster = memory.leave_cluster();
        result
    }

    fn arrive(&mut self, relaxed: u32) {
        self.wait_all();
        self.released = [0; _];
        for warp in 0..BLOCKS * WARPS {
            let releases = relaxed >> warp & 1 == 0;
            self.on(warp / WARPS, |memory| {
                memory.cluster_arrive((warp % WARPS) as u32, releases);
            });
            let covered = if releases { Some(self.release(warp)) } else { self.fenced[warp] };
            for (released, clock) in self.released.iter_mut().zip(covered.unwrap_or([0; _])) {
                *released = (*released).max(clock);
            }
        }
        self.known = self.cluster.as_mut().unwrap().complete_barrier();
        self.to_wait = (1 << (BLOCKS * WARPS)) - 1;
    }

    /// What the threads of a warp release together.
    fn release(&mut self, warp: usize) -> Clock {
        let mut released: Clock = [0; _];
        for thread in threads(warp) {
            let clocks = &mut self.oracle.clocks[thread];
            released.iter_mut().zip(&*clocks).for_each(|(all, one)| *all = (*all).max(*one));
            clocks[thread] += 1;
        }
        released
    }

    fn wait(&mut self, warp: usize) {
        if self.to_wait >> warp & 1 == 0 {
            return;
        }
        self.to_wait &= !(1 << warp);
        self.on(warp / WARPS, |memory| memory.cluster_wait((warp % WARPS) as u32));
        for thread in threads(warp) {
            let clocks = &mut self.oracle.clocks[thread];
            clocks.iter_mut().zip(&self.released).for_each(|(all, one)| *all = (*all).max(*one));
        }
        if self.to_wait == 0 {
            let known = std::mem::take(&mut self.known);
            (0..BLOCKS).for_each(|one| self.on(one, |memory| memory.cluster_known_to_all(&known)));
        }
    }

    fn wait_all(&mut self) {
        (0..BLOCKS * WARPS).for_each(|warp| self.wait(warp));
    }

    fn step(&mut self, step: &Step, instruction: u32) -> Verdict {
        match step {
            Step::Access { by, target, kind, width, shape, mask, strong } => {
                let strong = *strong || *kind == Kind::Atomic;
                let offsets = offsets(*width, shape);
                let rank = (*target as u64 + 1) << RANK_SHIFT;
                let addresses = offsets.map(|offset| rank + START + offset);
                let access = Access {
                    space: Space::Cluster,
                    width: *width,
                    mask: *mask,
                    order: if strong { Order::Relaxed } else { Order::Weak },
                    site: Site { instruction, warp: by.1 as u32 },
                };
                self.on(by.0, |memory| perform(memory, &access, *kind, &addresses));
                let lanes: Vec<(usize, u64)> =
                    (0..LANES).filter(|l| mask >> l & 1 == 1).map(|l| (l, offsets[l])).collect();
                if by.0 != *target {
                    for (lane, _) in &lanes {
                        let thread = number(*by) * LANES + lane;
                        let clock = self.oracle.clocks[thread][thread];
                        self.uses.push((thread, clock, *target, instruction));
                    }
                }
                let at = (*target, number(*by), instruction);
                return self.oracle.access(at, (*kind, strong), &lanes, u64::from(*width));
            }
            Step::Barrier(block) => {
                self.on(*block, |memory| memory.barrier((1 << WARPS) - 1));
                let all: Vec<usize> =
                    (0..WARPS).flat_map(|w| threads(number((*block, w)))).collect();
                self.oracle.join(&all, [0; _]);
            }
            Step::SyncWarp(warp, mask) => {
                self.on(warp.0, |memory| memory.sync_warp(warp.1 as u32, *mask));
                let lanes = threads(number(*warp)).into_iter().enumerate();
                let lanes: Vec<usize> =
                    lanes.filter(|(lane, _)| mask >> lane & 1 == 1).map(|(_, t)| t).collect();
                self.oracle.join(&lanes, [0; _]);
            }
            Step::Fence(warp) => {
                self.on(warp.0, |memory| memory.fence(warp.1 as u32));
                self.fenced[number(*warp)] = Some(self.release(number(*warp)));
            }
            Step::Arrive(relaxed) => self.arrive(*relaxed),
            Step::Wait(warp) => self.wait(number(*warp)),
        }
        Verdict::Clean
    }

    /// Lanes in the races found since the last call.
    fn races(&mut self) -> u32 {
        let logs: Vec<_> = self.memories.iter_mut().map(BlockMemory::take_faults).collect();
        let faults = logs.iter().flat_map(|log| log.iter());
        let races = faults.filter(|fault| fault.kind == FindingKind::Race);
        races.fold(0, |lanes, fault| lanes | fault.lanes)
    }

    /// Instructions whose use of another block's memory may come after that block: as found, and
    /// by definition.
    fn late(mut self) -> (Vec<u32>, Vec<u32>) {
        for block in 0..BLOCKS {
            for warp in 0..WARPS {
                self.on(block, |memory| memory.exit_lanes(warp as u32, u32::MAX));
            }
        }
        let mut all: Vec<&mut BlockMemory<'g>> = self.memories.iter_mut().collect();
        self.cluster.take().unwrap().check_exits(&mut all, &[None; BLOCKS]);
        let logs: Vec<_> = self.memories.iter_mut().map(BlockMemory::take_faults).collect();
        let faults = logs.iter().flat_map(|log| log.iter());
        let late = faults.filter(|fault| fault.cause == Cause::OwnerExit);
        let mut found: Vec<u32> = late.map(|fault| fault.site.instruction).collect();
        let clocks = &self.oracle.clocks[..THREADS];
        let mut expected: Vec<u32> = self
            .uses
            .iter()
            .filter(|(thread, clock, owner, _)| {
                let owner = &clocks[owner * WARPS * LANES..(owner + 1) * WARPS * LANES];
                owner.iter().all(|known| known[*thread] < *clock)
            })
            .map(|(.., instruction)| *instruction)
            .collect();
        found.sort_unstable();
        expected.dedup();
        (found, expected)
    }
}

fn perform(memory: &mut BlockMemory<'_>, access: &Access, kind: Kind, addresses: &[u64; LANES]) {
    let mut rows = [[0; LANES]; 8];
    let words = access.width.div_ceil(4) as usize;
    let instruction = access.site.instruction;
    match kind {
        Kind::Load => memory.load(access, addresses, &mut rows[..words]),
        Kind::Store => {
            for (k, row) in rows.iter_mut().enumerate() {
                *row = std::array::from_fn(|lane| value(instruction, lane as u32, k as u32));
            }
            memory.store(access, addresses, &rows[..words]);
        }
        Kind::Atomic => memory.atomic(access, addresses, &mut |lane, old| {
            Some(old + u64::from(value(instruction, lane as u32, 0)))
        }),
    }
}

/// One lane's load or store of a block's own or another's memory.
fn lone(by: (usize, usize), target: usize, kind: Kind, width: u32, element: u64) -> Step {
    let shape = Shape::Uniform(element);
    Step::Access { by, target, kind, width, shape, mask: 1, strong: false }
}

/// Races of the last step alone.
fn race_at_the_end(program: &[Step]) -> u32 {
    let global = GlobalMemory::new(&buffers());
    let mut pair = Pair::new(&global);
    let mut found = 0;
    for (instruction, step) in (0u32..).zip(program) {
        assert_eq!(found, 0, "step {instruction} is not the last");
        pair.step(step, instruction);
        found = pair.races();
    }
    found
}

#[test]
fn what_a_block_may_forget_the_others_may_not() {
    // A barrier orders a write for its block, and a later write of one of its bytes is all that
    // the block need remember.
    let word = lone((0, 0), 0, Kind::Store, 4, 0);
    let byte = lone((0, 1), 0, Kind::Store, 1, 0);
    let other = lone((1, 0), 0, Kind::Load, 1, 3);
    let steps = [word.clone(), Step::Barrier(0), byte.clone(), other.clone()];
    assert_eq!(race_at_the_end(&steps), 1);
    let steps = [word, Step::Barrier(0), byte, Step::Arrive(0), Step::Wait((1, 0)), other];
    assert_eq!(race_at_the_end(&steps), 0);
    // The same of reads.
    let word = lone((0, 0), 0, Kind::Load, 4, 0);
    let byte = lone((0, 1), 0, Kind::Load, 1, 0);
    let other = lone((1, 0), 0, Kind::Store, 1, 3);
    let set = [lone((0, 0), 0, Kind::Store, 4, 0), Step::Arrive(0), Step::Wait((0, 0))];
    let set = [&set[..], &[Step::Wait((0, 1)), Step::Wait((1, 0))]].concat();
    let steps = [&set[..], &[word, Step::Barrier(0), byte, other]].concat();
    assert_eq!(race_at_the_end(&steps), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_first_race_is_the_definitions(program in prop::collection::vec(step(), 1..40)) {
        let global = GlobalMemory::new(&buffers());
        let mut pair = Pair::new(&global);
        pair.races();
        for (instruction, step) in (0u32..).zip(&program) {
            let verdict = pair.step(step, instruction);
            let found = pair.races();
            match verdict {
                Verdict::Benign => break,
                Verdict::Clean => prop_assert_eq!(found, 0, "step {}", instruction),
                Verdict::Race(lanes) => {
                    prop_assert_eq!(found, lanes, "step {}", instruction);
                    break;
                }
            }
        }
    }

    #[test]
    fn uses_after_the_owner_are_the_definitions(program in prop::collection::vec(step(), 1..40)) {
        let global = GlobalMemory::new(&buffers());
        let mut pair = Pair::new(&global);
        for (instruction, step) in (0u32..).zip(&program) {
            pair.step(step, instruction);
        }
        pair.races();
        let (found, expected) = pair.late();
        prop_assert_eq!(found, expected);
    }
}
