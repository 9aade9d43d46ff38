//! The kernels that are timed: how each is compiled and launched.

use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};

/// The kernels' source.
pub(super) const SOURCE: &str = include_str!("probes.cu");

/// Tensor that is read and written.
pub(super) const MEMORY: &str = "m";

/// Tensor that takes results.
pub(super) const RESULTS: &str = "out";

/// Type of both.
pub(super) const WORD: Dtype = Dtype::U32;

/// Bytes of a vector, the widest load.
pub(super) const VECTOR_BYTES: u64 = 16;

/// Bytes from one place of a chase to the next.
pub(super) const LINE_BYTES: u64 = 128;

/// Threads of the blocks that stream, and of a row.
pub(super) const THREADS: u32 = 256;

/// What a stream reads and writes: how many arrays of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mix {
    pub(super) reads: u32,
    pub(super) writes: u32,
}

impl Mix {
    pub(super) const READ: Self = Self { reads: 1, writes: 0 };
    pub(super) const WRITE: Self = Self { reads: 0, writes: 1 };
    pub(super) const COPY: Self = Self { reads: 1, writes: 1 };

    /// Every mix that is measured.
    pub(super) const ALL: [Self; 5] = [
        Self::READ,
        Self::WRITE,
        Self::COPY,
        Self { reads: 2, writes: 1 },
        Self { reads: 1, writes: 2 },
    ];

    /// What it is called.
    pub(super) fn name(self) -> String {
        match (self.reads, self.writes) {
            (1, 0) => "read".to_owned(),
            (0, 1) => "write".to_owned(),
            (1, 1) => "copy".to_owned(),
            (reads, writes) => format!("{reads}r{writes}w"),
        }
    }

    /// Arrays.
    pub(super) fn arrays(self) -> u32 {
        self.reads + self.writes
    }
}

/// Warps of the blocks whose barriers are timed.
pub(super) const BARRIER_WARPS: [u32; 4] = [4, 8, 16, 32];

/// Blocks of the clusters whose barriers are timed.
pub(super) const CLUSTER_BLOCKS: [u32; 3] = [2, 4, 8];

/// One kernel of [`SOURCE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Probe {
    Stream(Mix),
    Passes,
    Trips,
    Chase,
    Idle,
    Trigger,
    OneShot,
    Persistent,
    /// With that many warps a block.
    Barriers(u32),
    Clusters,
    Spin,
}

impl Probe {
    /// Every kernel, with `Clusters` where the capability has them.
    pub(super) fn all(capability: u16) -> Vec<Self> {
        let mut all: Vec<Self> = Mix::ALL.into_iter().map(Self::Stream).collect();
        all.extend([
            Self::Passes,
            Self::Trips,
            Self::Chase,
            Self::Idle,
            Self::Trigger,
            Self::OneShot,
            Self::Persistent,
            Self::Spin,
        ]);
        all.extend(BARRIER_WARPS.map(Self::Barriers));
        all.extend((capability >= 90).then_some(Self::Clusters));
        all
    }

    /// The name expression that is compiled.
    pub(super) fn entry(self) -> String {
        match self {
            Self::Stream(Mix { reads, writes }) => format!("stream<{reads},{writes}>"),
            Self::Passes => "passes".to_owned(),
            Self::Trips => "trips".to_owned(),
            Self::Chase => "chase".to_owned(),
            Self::Idle => "idle".to_owned(),
            Self::Trigger => "trigger".to_owned(),
            Self::OneShot => "one_shot".to_owned(),
            Self::Persistent => "persistent".to_owned(),
            Self::Barriers(warps) => format!("barriers<{warps}>"),
            Self::Clusters => "clusters".to_owned(),
            Self::Spin => "spin".to_owned(),
        }
    }
}

/// A launch of a probe.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) probe: Probe,
    pub(super) config: LaunchConfig,
    pub(super) arguments: Vec<Argument>,
}

impl Run {
    fn new(probe: Probe, blocks: u32, threads: u32, arguments: Vec<Argument>) -> Self {
        let config = LaunchConfig {
            grid: [blocks, 1, 1],
            block: [threads, 1, 1],
            shared_memory_bytes: 0,
            cluster: None,
            programmatic: false,
        };
        Self { probe, config, arguments }
    }

    /// Streams through `bytes` in all, shared equally between the arrays of the mix.
    pub(super) fn stream(mix: Mix, blocks: u32, bytes: u64) -> Self {
        let n = bytes / VECTOR_BYTES / u64::from(mix.arrays());
        let arguments = vec![memory(), results(), integer("n", n)];
        Self::new(Probe::Stream(mix), blocks, THREADS, arguments)
    }

    /// Reads the first `bytes` of memory `count` times.
    pub(super) fn passes(blocks: u32, bytes: u64, count: u32) -> Self {
        let n = integer("n", bytes / VECTOR_BYTES);
        let arguments = vec![memory(), results(), n, integer("count", count.into())];
        Self::new(Probe::Passes, blocks, THREADS, arguments)
    }

    /// `count` dependent loads of 16 bytes by each thread, within the first `bytes`.
    pub(super) fn trips(blocks: u32, threads: u32, bytes: u64, count: u32) -> Self {
        let n = integer("n", bytes / VECTOR_BYTES);
        let (count, zero) = (integer("count", count.into()), integer("zero", 0));
        Self::new(Probe::Trips, blocks, threads, vec![memory(), results(), n, count, zero])
    }

    /// `steps` dependent loads by one thread within `lines` lines, a power of two, which are read
    /// before where `warm`.
    pub(super) fn chase(lines: u64, steps: u32, warm: bool) -> Self {
        let mask = integer("mask", lines.saturating_sub(1));
        let (steps, warm) = (integer("steps", steps.into()), integer("warm", warm.into()));
        Self::new(Probe::Chase, 1, THREADS, vec![memory(), results(), mask, steps, warm])
    }

    /// A kernel that does nothing.
    pub(super) fn idle(blocks: u32, threads: u32) -> Self {
        Self::new(Probe::Idle, blocks, threads, Vec::new())
    }

    /// A kernel that does nothing, and lets its successor start at once.
    pub(super) fn trigger(blocks: u32, threads: u32) -> Self {
        Self::new(Probe::Trigger, blocks, threads, Vec::new()).programmatic()
    }

    /// With the attribute of programmatic launch.
    pub(super) fn programmatic(mut self) -> Self {
        self.config.programmatic = true;
        self
    }

    /// A block for each of `rows` rows, with so much dynamic shared memory a block.
    pub(super) fn one_shot(rows: u32, shared_memory_bytes: u32) -> Self {
        let mut run = Self::new(Probe::OneShot, rows, THREADS, vec![memory(), results()]);
        run.config.shared_memory_bytes = shared_memory_bytes;
        run
    }

    /// The same rows by that many blocks.
    pub(super) fn persistent(blocks: u32, rows: u32, shared_memory_bytes: u32) -> Self {
        let arguments = vec![memory(), results(), integer("items", rows.into())];
        let mut run = Self::new(Probe::Persistent, blocks, THREADS, arguments);
        run.config.shared_memory_bytes = shared_memory_bytes;
        run
    }

    /// `count` barriers in each block.
    pub(super) fn barriers(warps: u32, blocks: u32, count: u32) -> Self {
        let arguments = vec![results(), integer("count", count.into())];
        Self::new(Probe::Barriers(warps), blocks, warps * 32, arguments)
    }

    /// `count` barriers in each cluster of that many blocks.
    pub(super) fn clusters(cluster: u32, blocks: u32, count: u32) -> Self {
        let arguments = vec![results(), integer("count", count.into())];
        let mut run = Self::new(Probe::Clusters, blocks, THREADS, arguments);
        run.config.cluster = Some([cluster, 1, 1]);
        run
    }

    /// Keeps all multiprocessors busy for that many clocks.
    pub(super) fn spin(blocks: u32, threads: u32, clocks: u64) -> Self {
        let arguments = vec![results(), integer("clocks", clocks)];
        Self::new(Probe::Spin, blocks, threads, arguments)
    }

    /// What identifies it among others: the kernel, and all that it is launched with.
    pub(super) fn label(&self) -> String {
        let LaunchConfig { grid, block, cluster, programmatic, .. } = self.config;
        let mut label = format!("{} {}x{}", self.probe.entry(), grid[0], block[0]);
        for argument in &self.arguments {
            if let Argument::Integer { name, value } = argument {
                label.push_str(&format!(" {name}={value}"));
            }
        }
        if let Some(cluster) = cluster {
            label.push_str(&format!(" cluster={}", cluster[0]));
        }
        if programmatic {
            label.push_str(" programmatic");
        }
        label
    }

    /// The value of an integer argument; 0 where there is none of that name.
    pub(super) fn value(&self, wanted: &str) -> i64 {
        let value = self.arguments.iter().find_map(|argument| match argument {
            Argument::Integer { name, value } if name == wanted => Some(*value),
            _ => None,
        });
        value.unwrap_or(0)
    }
}

fn memory() -> Argument {
    Argument::Tensor { name: MEMORY.to_owned() }
}

fn results() -> Argument {
    Argument::Tensor { name: RESULTS.to_owned() }
}

fn integer(name: &str, value: u64) -> Argument {
    Argument::Integer { name: name.to_owned(), value: i64::try_from(value).unwrap_or(i64::MAX) }
}
