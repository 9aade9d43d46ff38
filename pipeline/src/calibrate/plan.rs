//! What is launched on which board: a few stages, each with the launches that are timed on it
//! alternately.

use ridge_runtime::measure::{DeviceFacts, TimingPlan};
use ridge_spec::target::DeviceLimits;

use super::probes::{BARRIER_WARPS, CLUSTER_BLOCKS, LINE_BYTES, Mix, Run, THREADS, VECTOR_BYTES};

/// Most bytes that one launch streams through.
const LARGE_BYTES_MAX: u64 = 1 << 30;

/// Of the device's memory, one launch streams through at most this part.
const MEMORY_SHARE: u64 = 16;

/// Footprints of the sweep over the second-level cache, in eighths of what the driver says it has.
const FOOTPRINTS: [u64; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 32];

/// Bytes that a sweep reads at each footprint, at least.
const SWEEP_BYTES: u64 = 512 << 20;

/// Threads of a block and blocks of a multiprocessor, each thread with one load in flight.
const LOADS: [(u32, u32); 6] = [(64, 1), (128, 1), (256, 1), (512, 1), (1024, 1), (1024, 2)];

/// Grids whose dispatch is timed, and the threads of their blocks.
const GRIDS: [u32; 4] = [2048, 8192, 32_768, 131_072];
const GRID_THREADS: u32 = 128;

/// Rounds of rows whose blocks follow one another on a multiprocessor.
const WAVES: (u32, u32) = (4, 20);

/// Barriers one after another.
const BARRIERS: (u32, u32) = (200, 1000);

/// Steps of a chase.
const STEPS: (u32, u32) = (1000, 4000);

/// Clocks of a spin.
const CLOCKS: (u64, u64) = (200_000, 800_000);

/// Durations whose noise is measured, nanoseconds.
pub(super) const NOISE_CLASSES_NS: [u64; 5] = [2000, 5000, 20_000, 65_000, 300_000];

/// What a launch of a few microseconds costs besides its bytes, nanoseconds.
const FIXED_NS: u64 = 1500;

/// Second-level caches that the sets of small tensors hold together.
const ROTATION_CACHES: u64 = 5;

/// Wall time that the launches of a stage may take.
const TIME_LIMIT_NS: u64 = 40_000_000_000;

/// Time of a replay that is shorter than any: each of the two sets is launched on once.
const ONE_TURN_NS: u64 = 1;

/// What decides how large the launches are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Board {
    pub(super) multiprocessors: u32,
    pub(super) l2_bytes: u64,
    memory_bytes: u64,
    capability: u16,
    limits: DeviceLimits,
}

/// Two launches that differ in one number: a unit of it costs the slope between them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) small: Run,
    pub(super) large: Run,
    /// How many units each has.
    pub(super) units: (f64, f64),
}

/// A stage with its launches.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// One lower-case clause.
    pub(super) name: String,
    /// Bytes of the memory that is read and written.
    pub(super) memory_bytes: u64,
    /// Sets of tensors hold at least this much together.
    pub(super) rotation_bytes: u64,
    pub(super) runs: Vec<Run>,
    pub(super) plan: TimingPlan,
}

impl Board {
    pub(super) fn new(facts: &DeviceFacts, limits: DeviceLimits) -> Self {
        Self {
            multiprocessors: facts.multiprocessors.max(1),
            l2_bytes: facts.l2_bytes.max(1 << 20),
            memory_bytes: facts.memory_bytes,
            capability: facts.architecture.capability(),
            limits,
        }
    }

    /// Blocks of one wave of streaming blocks.
    fn wave(&self) -> u32 {
        self.multiprocessors * (self.limits.threads_per_multiprocessor / THREADS).max(1)
    }

    /// Bytes of the results, enough for any launch here: a word for each resident thread.
    pub(super) fn result_bytes(&self) -> u64 {
        let threads = self.limits.threads_per_multiprocessor.max(2048);
        4 * u64::from(self.multiprocessors) * u64::from(threads)
    }

    /// A launch that streams through so many bytes.
    pub(super) fn stream(&self, mix: Mix, bytes: u64) -> Run {
        let vectors = bytes / VECTOR_BYTES / u64::from(mix.arrays());
        let blocks = vectors.div_ceil(u64::from(THREADS)).clamp(1, self.wave().into());
        Run::stream(mix, u32::try_from(blocks).unwrap_or(self.wave()), bytes)
    }

    /// Streams through a quarter of the largest size, and through all of it, in bytes.
    pub(super) fn streams(&self, mix: Mix) -> Pair {
        let large = self.large_bytes();
        let moved = |run: &Run| {
            let vectors = u64::try_from(run.value("n")).unwrap_or(0);
            (vectors * VECTOR_BYTES * u64::from(mix.arrays())) as f64
        };
        let (small, large) = (self.stream(mix, large / 4), self.stream(mix, large));
        let units = (moved(&small), moved(&large));
        Pair { small, large, units }
    }

    fn large_bytes(&self) -> u64 {
        (self.memory_bytes / MEMORY_SHARE).min(LARGE_BYTES_MAX) / 4096 * 4096
    }

    /// Memory of the session on caches, bytes: far more than the second level holds.
    fn cache_bytes(&self) -> u64 {
        (4 * self.l2_bytes).min(self.memory_bytes / MEMORY_SHARE) / 4096 * 4096
    }

    /// Footprints in rising order, each with passes over it, in passes.
    pub(super) fn sweep(&self) -> Vec<(u64, Pair)> {
        let footprints = FOOTPRINTS.iter().map(|eighths| eighths * self.l2_bytes / 8 / 4096 * 4096);
        footprints
            .filter(|&bytes| bytes <= self.cache_bytes())
            .map(|bytes| {
                let few = u32::try_from(SWEEP_BYTES.div_ceil(bytes)).unwrap_or(2).clamp(2, 1000);
                let many = 3 * few;
                let run = |count| Run::passes(self.wave(), bytes, count);
                let units = (f64::from(few), f64::from(many));
                (bytes, Pair { small: run(few), large: run(many), units })
            })
            .collect()
    }

    /// Bytes in flight on the whole device, each with round trips to memory, in trips.
    pub(super) fn loads(&self) -> Vec<(u64, Pair)> {
        let most = self.limits.threads_per_multiprocessor;
        let mut loads = Vec::new();
        for (threads, blocks) in LOADS {
            if threads * blocks > most || threads > self.limits.threads_per_block {
                continue;
            }
            let grid = blocks * self.multiprocessors;
            let bytes = u64::from(grid) * u64::from(threads) * VECTOR_BYTES;
            // Nothing is read twice.
            let many = u32::try_from(self.cache_bytes() / bytes).unwrap_or(256).min(256);
            let few = many / 4;
            if few == 0 {
                continue;
            }
            let run = |count| Run::trips(grid, threads, self.cache_bytes(), count);
            let units = (f64::from(few), f64::from(many));
            loads.push((bytes, Pair { small: run(few), large: run(many), units }));
        }
        loads
    }

    /// Dependent loads from memory, or from the second-level cache, in loads.
    pub(super) fn chase(&self, warm: bool) -> Pair {
        let bytes = if warm { self.l2_bytes / 8 } else { self.cache_bytes() };
        let lines = (bytes / LINE_BYTES).max(2);
        let lines = 1u64 << lines.ilog2();
        let run = |steps| Run::chase(lines, steps, warm);
        Pair { small: run(STEPS.0), large: run(STEPS.1), units: units(STEPS) }
    }

    /// Rows by a block each, and by one wave of blocks; in rounds. One block a multiprocessor.
    pub(super) fn rows(&self) -> (Pair, Pair) {
        let shared = self.limits.shared_memory_per_block_bytes / 4 * 3;
        let sm = self.multiprocessors;
        let one_shot = |waves| Run::one_shot(sm * waves, shared);
        let persistent = |waves| Run::persistent(sm, sm * waves, shared);
        let pair = |small, large| Pair { small, large, units: units(WAVES) };
        (pair(one_shot(WAVES.0), one_shot(WAVES.1)), pair(persistent(WAVES.0), persistent(WAVES.1)))
    }

    /// Empty kernels: plain, with programmatic launch, and letting the next one start at once; of
    /// one block, then of one for each multiprocessor.
    pub(super) fn empty(&self) -> [[Run; 3]; 2] {
        [(1, 32), (self.multiprocessors, 256)].map(|(blocks, threads)| {
            [
                Run::idle(blocks, threads),
                Run::idle(blocks, threads).programmatic(),
                Run::trigger(blocks, threads),
            ]
        })
    }

    /// Empty grids with their number of blocks, where `trigger` each letting the next start.
    pub(super) fn grids(trigger: bool) -> [(u32, Run); 4] {
        GRIDS.map(|blocks| {
            let threads = GRID_THREADS;
            let run =
                if trigger { Run::trigger(blocks, threads) } else { Run::idle(blocks, threads) };
            (blocks, run)
        })
    }

    /// Barriers of blocks of so many warps, in barriers.
    pub(super) fn barriers(&self, warps: u32) -> Pair {
        let run = |count| Run::barriers(warps, self.multiprocessors, count);
        Pair { small: run(BARRIERS.0), large: run(BARRIERS.1), units: units(BARRIERS) }
    }

    /// Barriers of clusters of so many blocks, in barriers; none where there are no clusters.
    pub(super) fn clusters(&self) -> Vec<(u32, Pair)> {
        let known = CLUSTER_BLOCKS.into_iter();
        let sizes =
            known.filter(|&size| self.capability >= 90 && size <= self.limits.cluster_blocks);
        sizes
            .map(|size| {
                let blocks = (self.multiprocessors / size / 2).max(1) * size;
                let run = |count| Run::clusters(size, blocks, count);
                let pair =
                    Pair { small: run(BARRIERS.0), large: run(BARRIERS.1), units: units(BARRIERS) };
                (size, pair)
            })
            .collect()
    }

    /// All multiprocessors busy, in clocks.
    pub(super) fn spins(&self) -> Pair {
        let threads = self.limits.threads_per_block.min(1024);
        let blocks =
            self.multiprocessors * (self.limits.threads_per_multiprocessor / threads).max(1);
        let run = |clocks| Run::spin(blocks, threads, clocks);
        let units = (CLOCKS.0 as f64, CLOCKS.1 as f64);
        Pair { small: run(CLOCKS.0), large: run(CLOCKS.1), units }
    }

    /// Bytes that a copy of about that duration moves at `bandwidth`.
    pub(super) fn class_bytes(&self, class_ns: u64, bandwidth: f64) -> u64 {
        let bytes = class_ns.saturating_sub(FIXED_NS) as f64 * bandwidth / 1e9;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts saturate"
        )]
        let bytes = bytes as u64;
        (bytes / 4096 * 4096).clamp(64 << 10, self.memory_bytes / MEMORY_SHARE)
    }

    /// Fixed costs.
    pub(super) fn fixed(&self, seed: u64) -> Session {
        let mut runs: Vec<Run> = self.empty().concat();
        runs.extend(Self::grids(false).map(|(_, run)| run));
        runs.extend(Self::grids(true).map(|(_, run)| run));
        let barriers = BARRIER_WARPS.map(|warps| self.barriers(warps));
        let clusters = self.clusters().into_iter().map(|(_, pair)| pair);
        runs.extend(
            barriers.into_iter().chain(clusters).chain([self.spins()]).flat_map(Pair::runs),
        );
        Session {
            name: "launches, barriers and the clock".to_owned(),
            memory_bytes: 4096,
            rotation_bytes: 0,
            runs,
            plan: timing_plan(seed, 200_000),
        }
    }

    /// Bandwidths of the device's memory.
    pub(super) fn bandwidth(&self, seed: u64) -> Session {
        Session {
            name: "bandwidth of the memory".to_owned(),
            memory_bytes: self.large_bytes(),
            rotation_bytes: 0,
            runs: Mix::ALL.into_iter().flat_map(|mix| self.streams(mix).runs()).collect(),
            plan: timing_plan(seed, 1_000_000),
        }
    }

    /// The second-level cache: what is read again is to be found there.
    pub(super) fn cache(&self, seed: u64) -> Session {
        let (one_shot, persistent) = self.rows();
        let sweep = self.sweep().into_iter().map(|(_, pair)| pair);
        Session {
            name: "the second-level cache".to_owned(),
            memory_bytes: self.cache_bytes(),
            rotation_bytes: 0,
            runs: sweep
                .chain([one_shot, persistent, self.chase(true)])
                .flat_map(Pair::runs)
                .collect(),
            plan: timing_plan(seed, 300_000),
        }
    }

    /// Latencies of memory: one launch on each set and no more, for a second one would find in the
    /// cache what the first has left there.
    pub(super) fn latencies(&self, seed: u64) -> Session {
        let loads = self.loads().into_iter().map(|(_, pair)| pair);
        Session {
            name: "latencies of the memory".to_owned(),
            memory_bytes: self.cache_bytes(),
            rotation_bytes: 0,
            runs: loads.chain([self.chase(false)]).flat_map(Pair::runs).collect(),
            plan: TimingPlan { difference: false, ..timing_plan(seed, ONE_TURN_NS) },
        }
    }

    /// The noise of one class of durations: the same copy twice, beside other mixes of its size.
    pub(super) fn noise(&self, class_ns: u64, bandwidth: f64, seed: u64) -> Session {
        let bytes = self.class_bytes(class_ns, bandwidth);
        let copy = self.stream(Mix::COPY, bytes);
        let mut runs = vec![copy.clone(), copy];
        runs.extend(
            Mix::ALL.into_iter().filter(|&mix| mix != Mix::COPY).map(|mix| self.stream(mix, bytes)),
        );
        Session {
            name: format!("noise of kernels of {} µs", class_ns / 1000),
            memory_bytes: bytes,
            rotation_bytes: ROTATION_CACHES * self.l2_bytes,
            runs,
            plan: TimingPlan {
                rounds_min: 20,
                rounds_max: 40,
                relative_error: 0.001,
                ..timing_plan(seed, 300_000)
            },
        }
    }
}

impl Pair {
    fn runs(self) -> [Run; 2] {
        [self.small, self.large]
    }
}

fn units((small, large): (u32, u32)) -> (f64, f64) {
    (f64::from(small), f64::from(large))
}

/// Differences of graphs, until medians are known to a few parts in a thousand. No images: what
/// the probes compute is checked before, at a size at which that takes no time.
fn timing_plan(seed: u64, replay_ns: u64) -> TimingPlan {
    TimingPlan {
        warm_up_rounds: 1,
        rounds_min: 8,
        rounds_max: 20,
        relative_error: 0.003,
        lost_above_ns: None,
        replay_ns,
        difference: true,
        companions: false,
        images_after: 0,
        seed,
        time_limit_ns: TIME_LIMIT_NS,
    }
}

/// A few tens of single times of a kernel: what one tick of the events' clock is shows in them.
pub(super) fn tick_plan(seed: u64) -> TimingPlan {
    TimingPlan {
        rounds_min: 40,
        rounds_max: 40,
        difference: false,
        ..timing_plan(seed, ONE_TURN_NS)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ridge_runtime::profiles;
    use ridge_spec::target::Architecture;

    use super::*;

    fn board(name: &str, l2_bytes: u64, memory_bytes: u64) -> Board {
        let profile = profiles::builtin(name).unwrap();
        let facts = DeviceFacts {
            name: profile.device.clone(),
            architecture: Architecture::parse(&format!("sm_{}", profile.architecture.capability()))
                .unwrap(),
            driver: "580".to_owned(),
            cuda_version: 13_000,
            multiprocessors: profile.multiprocessors,
            l2_bytes,
            memory_bytes,
        };
        Board::new(&facts, profile.limits)
    }

    fn boards() -> [Board; 3] {
        [
            board("h200", 60 << 20, 150 << 30),
            board("l4", 48 << 20, 22 << 30),
            board("a100", 40 << 20, 40 << 30),
        ]
    }

    #[test]
    fn every_launch_fits_its_board_and_its_tensors() {
        for board in boards() {
            let mut sessions =
                vec![board.fixed(1), board.bandwidth(1), board.cache(1), board.latencies(1)];
            sessions.extend(NOISE_CLASSES_NS.map(|class| board.noise(class, 3e12, 1)));
            for session in sessions {
                for run in &session.runs {
                    let label = run.label();
                    let arrays = match run.probe {
                        super::super::probes::Probe::Stream(mix) => mix.arrays(),
                        _ => 1,
                    };
                    let n = u64::try_from(run.value("n")).unwrap();
                    assert!(
                        n * VECTOR_BYTES * u64::from(arrays) <= session.memory_bytes,
                        "{label}"
                    );
                    let lines = u64::try_from(run.value("mask")).unwrap() + 1;
                    assert!(lines == 1 || lines * LINE_BYTES <= session.memory_bytes, "{label}");
                    assert!(run.config.threads_per_block() <= 1024, "{label}");
                    assert!(
                        run.config.shared_memory_bytes
                            <= board.limits.shared_memory_per_block_bytes - 256,
                        "{label}"
                    );
                    let words = run.config.blocks() * run.config.threads_per_block();
                    let is_empty = run.arguments.is_empty();
                    let reduces = 4 * words / 32 <= board.result_bytes();
                    assert!(is_empty || reduces, "{label}");
                }
                assert!(session.memory_bytes >= 4096 && session.memory_bytes <= 1 << 30);
            }
        }
    }

    #[test]
    fn launches_are_told_apart_by_their_labels() {
        for board in boards() {
            for session in [board.fixed(1), board.bandwidth(1), board.cache(1), board.latencies(1)]
            {
                let labels: BTreeSet<String> = session.runs.iter().map(Run::label).collect();
                assert_eq!(labels.len(), session.runs.len(), "{}", session.name);
            }
        }
    }

    #[test]
    fn the_sweeps_reach_from_inside_the_cache_to_far_outside() {
        let board = boards()[0];
        let sweep = board.sweep();
        assert_eq!(sweep.len(), 12);
        assert!(sweep[0].0 < board.l2_bytes / 4 && sweep[11].0 >= 4 * board.l2_bytes - 4096);
        assert_eq!(board.loads().len(), 6);
        assert_eq!(boards()[1].loads().len(), 5);
        assert_eq!(boards()[2].clusters().len(), 0);
        assert_eq!(board.clusters().len(), 3);
    }
}
