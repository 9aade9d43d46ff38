//! Sets of tensors in device memory: filled, poisoned, and brought back as images.

use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::driver::{Context, DeviceBuffer, DriverFault, Event, PinnedBuffer, Stream, Waited};
use super::kernels::{Kernels, Poison};
use crate::measure::Layout;

/// Bytes of one of the two halves of the staging memory.
const CHUNK: usize = 16 << 20;
/// Bytes one thread copies at a time.
const TASK: usize = 1 << 20;

/// Sets of tensors on the device.
#[derive(Debug)]
pub(super) struct Arena {
    layout: Layout,
    n_sets: u32,
    sets: DeviceBuffer,
    /// Pairs of offset and bytes of what is poisoned in a set, and four bytes of sink behind them.
    table: DeviceBuffer,
    n_ranges: u32,
    range_bytes_max: u64,
}

/// Pinned memory in two halves, with the event that says when each is free.
#[derive(Debug)]
pub(super) struct Staging {
    memory: PinnedBuffer,
    moved: [Event; 2],
}

impl Staging {
    pub(super) fn new(context: &Arc<Context>) -> Result<Self, DriverFault> {
        let memory = PinnedBuffer::new(context, 2 * CHUNK)?;
        Ok(Self { memory, moved: [Event::new(context)?, Event::new(context)?] })
    }

    /// Waits for all that is queued.
    pub(super) fn settle(&self, stream: &Stream, deadline: Instant) -> Result<(), TransferEnd> {
        stream.record(&self.moved[0])?;
        wait(stream, &self.moved[0], deadline)
    }

    /// Copies to the device and waits until it is there.
    pub(super) fn upload(
        &mut self,
        stream: &Stream,
        bytes: &[u8],
        to: (&DeviceBuffer, u64),
        deadline: Instant,
    ) -> Result<(), TransferEnd> {
        upload(stream, self, bytes, to, deadline)
    }
}

/// The end of a wait that should not have taken long.
#[derive(Debug)]
pub(super) enum TransferEnd {
    /// The driver failed.
    Fault(DriverFault),
    /// The time was up.
    TimeUp,
}

impl From<DriverFault> for TransferEnd {
    fn from(fault: DriverFault) -> Self {
        Self::Fault(fault)
    }
}

fn wait(stream: &Stream, event: &Event, deadline: Instant) -> Result<(), TransferEnd> {
    match stream.wait(event, deadline)? {
        Waited::Done => Ok(()),
        Waited::TimeUp => Err(TransferEnd::TimeUp),
    }
}

impl Arena {
    /// Allocates the first `n_sets` sets of a layout and writes down what is to be poisoned.
    pub(super) fn new(
        context: &Arc<Context>,
        stream: &Stream,
        staging: &mut Staging,
        layout: Layout,
        n_sets: u32,
        deadline: Instant,
    ) -> Result<Self, TransferEnd> {
        let sets = DeviceBuffer::new(context, layout.set_bytes() * u64::from(n_sets))?;
        let ranges = layout.poisoned();
        let table = DeviceBuffer::new(context, ranges.len() as u64 * 16 + 16)?;
        let arena = Self {
            n_ranges: u32::try_from(ranges.len()).unwrap_or(0),
            range_bytes_max: ranges.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0),
            layout,
            n_sets,
            sets,
            table,
        };
        let text: Vec<u8> = ranges
            .iter()
            .flat_map(|(offset, bytes)| [*offset, *bytes])
            .flat_map(u64::to_le_bytes)
            .collect();
        staging.upload(stream, &text, (&arena.table, 0), deadline)?;
        Ok(arena)
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn n_sets(&self) -> u32 {
        self.n_sets
    }

    /// Four bytes that may be written and are not read.
    pub(super) fn sink(&self) -> u64 {
        self.table.address() + self.table.size_bytes() - 16
    }

    /// Address of a tensor of a set; `None` for a name that is not there.
    pub(super) fn address(&self, set: u32, name: &str) -> Option<u64> {
        let (offset, _) = self.layout.find(name)?;
        Some(self.sets.address() + self.layout.set_bytes() * u64::from(set) + offset)
    }

    /// Fills a tensor of a set.
    pub(super) fn fill(
        &self,
        stream: &Stream,
        staging: &mut Staging,
        (set, tensor): (u32, usize),
        bytes: &[u8],
        deadline: Instant,
    ) -> Result<(), TransferEnd> {
        let offset = self.layout.offset(tensor).unwrap_or(u64::MAX / 2);
        let start = self.layout.set_bytes() * u64::from(set) + offset;
        staging.upload(stream, bytes, (&self.sets, start), deadline)
    }

    /// Queues a copy of a tensor from one set to another.
    pub(super) fn replicate(
        &self,
        stream: &Stream,
        tensor: usize,
        from: u32,
        to: u32,
    ) -> Result<(), DriverFault> {
        let Some(one) = self.layout.tensors().get(tensor) else { return Ok(()) };
        let offset = self.layout.offset(tensor).unwrap_or(0);
        let start = |set: u32| self.layout.set_bytes() * u64::from(set) + offset;
        let bytes = usize::try_from(one.size_bytes).unwrap_or(usize::MAX);
        if bytes == 0 {
            return Ok(());
        }
        stream.copy((&self.sets, start(from)), (&self.sets, start(to)), bytes)
    }

    /// Queues poisoning the first `n_sets` sets: outputs and red zones.
    pub(super) fn poison(
        &self,
        stream: &Stream,
        kernels: &Kernels,
        n_sets: u32,
        seed: u64,
        mask: u32,
    ) -> Result<(), DriverFault> {
        let what = Poison {
            sets: self.sets.address(),
            set_bytes: self.layout.set_bytes(),
            n_sets: n_sets.min(self.n_sets),
            ranges: self.table.address(),
            n_ranges: self.n_ranges,
            range_bytes_max: self.range_bytes_max,
            seed,
            mask,
        };
        kernels.poison(stream, &what)
    }

    /// Brings a whole set back.
    pub(super) fn image(
        &self,
        stream: &Stream,
        staging: &mut Staging,
        set: u32,
        deadline: Instant,
    ) -> Result<Vec<u8>, TransferEnd> {
        let size = usize::try_from(self.layout.set_bytes()).unwrap_or(0);
        let start = self.layout.set_bytes() * u64::from(set.min(self.n_sets.saturating_sub(1)));
        let mut image = vec![0; size];
        download(stream, staging, (&self.sets, start), &mut image, deadline)?;
        Ok(image)
    }
}

fn upload(
    stream: &Stream,
    staging: &mut Staging,
    bytes: &[u8],
    (to, start): (&DeviceBuffer, u64),
    deadline: Instant,
) -> Result<(), TransferEnd> {
    for (at, chunk) in bytes.chunks(CHUNK).enumerate() {
        let half = at % 2;
        if at >= 2 {
            wait(stream, &staging.moved[half], deadline)?;
        }
        let place = &mut staging.memory.bytes_mut()[half * CHUNK..][..chunk.len()];
        copy(chunk, place);
        let offset = start + (at * CHUNK) as u64;
        stream.upload((&staging.memory, half * CHUNK), (to, offset), chunk.len())?;
        stream.record(&staging.moved[half])?;
    }
    let chunks = bytes.len().div_ceil(CHUNK);
    for half in 0..chunks.min(2) {
        wait(stream, &staging.moved[half], deadline)?;
    }
    Ok(())
}

/// Copies from the device, after all that is queued: one half is filled while the other is emptied.
fn download(
    stream: &Stream,
    staging: &mut Staging,
    (from, start): (&DeviceBuffer, u64),
    bytes: &mut [u8],
    deadline: Instant,
) -> Result<(), TransferEnd> {
    let total = bytes.len();
    let length = |at: usize| CHUNK.min(total - at * CHUNK);
    let chunks = total.div_ceil(CHUNK);
    let queue = |staging: &mut Staging, at: usize| -> Result<(), DriverFault> {
        let half = at % 2;
        let offset = start + (at * CHUNK) as u64;
        stream.download((from, offset), (&mut staging.memory, half * CHUNK), length(at))?;
        stream.record(&staging.moved[half])
    };
    if chunks > 0 {
        queue(staging, 0)?;
    }
    for (at, target) in bytes.chunks_mut(CHUNK).enumerate() {
        if at + 1 < chunks {
            queue(staging, at + 1)?;
        }
        wait(stream, &staging.moved[at % 2], deadline)?;
        let half = (at % 2) * CHUNK;
        copy(&staging.memory.bytes()[half..][..target.len()], target);
    }
    Ok(())
}

/// Copies on several threads: one alone is slower than the bus, and new pages are slower still.
fn copy(from: &[u8], to: &mut [u8]) {
    if from.len() <= TASK {
        to.copy_from_slice(from);
    } else {
        to.par_chunks_mut(TASK)
            .zip(from.par_chunks(TASK))
            .for_each(|(to, from)| to.copy_from_slice(from));
    }
}
