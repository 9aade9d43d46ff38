//! The kernels a stage runs beside candidates, and how they are launched.

use std::sync::Arc;

use ridge_spec::launch::LaunchConfig;

use super::driver::{Context, DriverFault, Function, Module, Stream};

/// Their text; the driver compiles it for whatever device there is.
pub(super) const PTX: &str = include_str!("kernels/stage.ptx");

/// Threads of a block of each.
const THREADS: u32 = 256;
/// Blocks of the reading kernel on one multiprocessor: all that run at a time.
const FLUSH_BLOCKS: u32 = 8;
/// Blocks of the poisoning kernel in all, about: enough to fill a device some times over.
const POISON_BLOCKS: u64 = 8192;
/// Bytes a vector has.
pub(super) const VECTOR_BYTES: u64 = 16;
/// Copies of at least this many vectors move four a thread: fewer would leave multiprocessors idle.
const COPY4_VECTORS_MIN: u64 = 1 << 20;

/// The loaded kernels.
#[derive(Debug)]
pub(super) struct Kernels {
    poison: Function,
    flush: Function,
    copy1: Function,
    copy4: Function,
    multiprocessors: u32,
}

/// What to poison, with what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poison {
    /// Address of the first set that is filled.
    pub(super) sets: u64,
    /// From one set to the next, bytes.
    pub(super) set_bytes: u64,
    /// Sets that are filled.
    pub(super) n_sets: u32,
    /// Address of the table of ranges.
    pub(super) ranges: u64,
    /// Its entries.
    pub(super) n_ranges: u32,
    /// Bytes of the largest range.
    pub(super) range_bytes_max: u64,
    /// Seed of the words.
    pub(super) seed: u64,
    /// Changes every word.
    pub(super) mask: u32,
}

impl Kernels {
    /// Loads them.
    pub(super) fn load(context: &Arc<Context>, multiprocessors: u32) -> Result<Self, DriverFault> {
        let module = Module::from_ptx(context, PTX)?;
        let find = |name| Function::find(&module, name);
        Ok(Self {
            poison: find("poison")?,
            flush: find("flush")?,
            copy1: find("copy1")?,
            copy4: find("copy4")?,
            multiprocessors: multiprocessors.max(1),
        })
    }

    /// Queues poisoning, see [`measure::poison`](crate::measure::poison).
    pub(super) fn poison(&self, stream: &Stream, what: &Poison) -> Result<(), DriverFault> {
        if what.n_ranges == 0 || what.n_sets == 0 {
            return Ok(());
        }
        let ranges = u64::from(what.n_ranges) * u64::from(what.n_sets);
        let useful = what.range_bytes_max.div_ceil(VECTOR_BYTES * u64::from(THREADS));
        let blocks = useful.min(POISON_BLOCKS / ranges).clamp(1, u64::from(u32::MAX >> 1));
        let config = one_dimensional(blocks);
        let grid = [config.grid[0], what.n_ranges, what.n_sets];
        let arguments = [
            what.sets,
            what.set_bytes,
            what.ranges,
            what.seed & u64::from(u32::MAX),
            what.seed >> 32,
            u64::from(what.mask),
        ];
        stream.launch(&self.poison, &LaunchConfig { grid, ..config }, &arguments)
    }

    /// Queues reading `bytes` from an address; `sink` is that of four bytes.
    pub(super) fn flush(
        &self,
        stream: &Stream,
        address: u64,
        bytes: u64,
        sink: u64,
    ) -> Result<(), DriverFault> {
        let blocks = u64::from(self.multiprocessors * FLUSH_BLOCKS);
        let arguments = [address, bytes / VECTOR_BYTES, sink];
        stream.launch(&self.flush, &one_dimensional(blocks), &arguments)
    }

    /// Queues copying `n_vectors` of 16 bytes.
    pub(super) fn copy(
        &self,
        stream: &Stream,
        from: u64,
        to: u64,
        n_vectors: u64,
    ) -> Result<(), DriverFault> {
        let (function, per_thread) =
            if n_vectors >= COPY4_VECTORS_MIN { (&self.copy4, 4) } else { (&self.copy1, 1) };
        let blocks = n_vectors.div_ceil(u64::from(THREADS) * per_thread).max(1);
        stream.launch(function, &one_dimensional(blocks), &[from, to, n_vectors])
    }
}

fn one_dimensional(blocks: u64) -> LaunchConfig {
    LaunchConfig {
        grid: [u32::try_from(blocks).unwrap_or(u32::MAX >> 1), 1, 1],
        block: [THREADS, 1, 1],
        shared_memory_bytes: 0,
        cluster: None,
        programmatic: false,
    }
}

#[cfg(test)]
mod tests;
