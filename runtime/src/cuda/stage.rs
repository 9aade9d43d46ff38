//! A workload's tensors on a GPU, in several sets, with what is needed to time beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arena::{Arena, TransferEnd};
use super::device::{CudaDevice, Engine};
use super::driver::{Code, Context, DeviceBuffer, DriverFault};
use super::kernels::{Poison, VECTOR_BYTES};
use super::timing::{self, CopyGraphs};
use crate::device::DeviceError;
use crate::measure::layout::ALIGNMENT_BYTES;
use crate::measure::{Attempt, Contested, Evaluation, Layout, Stage, StageRequest, TimingPlan};
use crate::verify::Launch;

/// How long putting a stage on the device may take: gigabytes have passed by then.
const STAGE_LIMIT: Duration = Duration::from_secs(60);
/// Device memory left to the driver for kernels' stacks and such, bytes.
const SPARE_BYTES: u64 = 512 << 20;
/// Bytes of the foreign buffer that are read in front of a launch that is timed alone.
const ALONE_BYTES: u64 = 96 << 20;

/// A stage on a GPU.
#[derive(Debug)]
pub(super) struct CudaStage<'d> {
    device: &'d CudaDevice,
    parts: Parts,
}

/// What is on the device for a stage.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) arena: Arena,
    pub(super) foreign: DeviceBuffer,
    pub(super) copies: Copies,
    /// The copy's graphs, for the plan they were made for.
    pub(super) copy_graphs: Option<CopyGraphs>,
}

/// Memory that is copied in rounds, so many bytes at a time as a launch reads and writes.
#[derive(Debug)]
pub(super) struct Copies {
    memory: DeviceBuffer,
    /// From one pair of halves to the next, bytes.
    stride: u64,
    /// Vectors of 16 bytes in one half.
    pub(super) n_vectors: u64,
    /// Pairs of halves.
    pub(super) n_sets: u32,
}

impl Copies {
    /// Sizes for that many bytes read and written together.
    fn sizes(payload_bytes: u64) -> (u64, u64) {
        let n_vectors = payload_bytes.div_ceil(2 * VECTOR_BYTES).max(1);
        let half = (n_vectors * VECTOR_BYTES).next_multiple_of(ALIGNMENT_BYTES);
        (n_vectors, 2 * half)
    }

    fn new(context: &Arc<Context>, payload_bytes: u64, n_sets: u32) -> Result<Self, DriverFault> {
        let (n_vectors, stride) = Self::sizes(payload_bytes);
        let memory = DeviceBuffer::new(context, stride * u64::from(n_sets))?;
        Ok(Self { memory, stride, n_vectors, n_sets })
    }

    /// Addresses of the two halves of a set.
    pub(super) fn halves(&self, set: u32) -> (u64, u64) {
        let from = self.memory.address() + self.stride * u64::from(set % self.n_sets.max(1));
        (from, from + self.stride / 2)
    }
}

impl Parts {
    /// Bytes of the foreign buffer in front of a launch that is timed alone.
    pub(super) fn alone_bytes(&self) -> u64 {
        self.foreign.size_bytes().min(ALONE_BYTES)
    }
}

impl<'d> CudaStage<'d> {
    /// Puts a workload's tensors on the device.
    ///
    /// # Errors
    /// When the device is gone, or its memory does not hold two sets.
    pub(super) fn new(device: &'d CudaDevice, request: &StageRequest) -> Result<Self, DeviceError> {
        let mut engine = device.engine()?;
        check(request).map_err(invalid)?;
        let parts = parts(&mut engine, request)?;
        Ok(Self { device, parts })
    }
}

impl Stage for CudaStage<'_> {
    fn layout(&self) -> &Layout {
        self.parts.arena.layout()
    }

    fn evaluate(
        &mut self,
        launch: &Launch<'_>,
        plan: &TimingPlan,
    ) -> Result<Attempt<Evaluation>, DeviceError> {
        timing::evaluate(&mut *self.device.engine()?, &mut self.parts, launch, plan)
    }

    fn contest(
        &mut self,
        launches: &[Launch<'_>],
        plan: &TimingPlan,
    ) -> Result<Vec<Attempt<Contested>>, DeviceError> {
        timing::contest(&mut *self.device.engine()?, &mut self.parts, launches, plan)
    }
}

/// The error of a stage that cannot be had.
fn invalid(reason: String) -> DeviceError {
    DeviceError::InvalidExecution { entry: "stage".to_owned(), reason }
}

/// Contents must be those of the tensors.
fn check(request: &StageRequest) -> Result<(), String> {
    let inputs: Vec<u64> = request
        .tensors
        .iter()
        .filter(|tensor| !tensor.is_output)
        .map(|tensor| tensor.size_bytes)
        .collect();
    if request.contents.is_empty() {
        return Err("there are no contents for the inputs".to_owned());
    }
    for (at, content) in request.contents.iter().enumerate() {
        let sizes: Vec<u64> = content.iter().map(|bytes| bytes.len() as u64).collect();
        if sizes != inputs {
            return Err(format!("contents `{at}` are {sizes:?} bytes, the inputs {inputs:?}"));
        }
    }
    Ok(())
}

fn parts(engine: &mut Engine, request: &StageRequest) -> Result<Parts, DeviceError> {
    let payload: u64 = request.tensors.iter().map(|tensor| tensor.size_bytes).sum::<u64>().max(1);
    let foreign_bytes = request.flush_bytes.next_multiple_of(VECTOR_BYTES).max(VECTOR_BYTES);
    let wanted = Layout::new(request.tensors.clone(), request.rotation_bytes);
    let free = engine.context.free_bytes().map_err(|fault| lost(&fault))?;
    let (_, copy_stride) = Copies::sizes(payload);
    let per_set = wanted.set_bytes() + copy_stride;
    let room = free.saturating_sub(foreign_bytes + SPARE_BYTES) / per_set.max(1);
    let mut n_sets = u64::from(wanted.n_sets()).min(room);
    loop {
        if n_sets < 2 {
            return Err(invalid(format!(
                "two sets of {} bytes with a foreign buffer of {foreign_bytes} do not fit into the \
                 {free} bytes of free device memory",
                wanted.set_bytes()
            )));
        }
        // Exactly that many sets.
        let layout = Layout::new(request.tensors.clone(), payload.saturating_mul(n_sets));
        match allocate(engine, request, layout, payload, foreign_bytes) {
            Ok(parts) => return Ok(parts),
            Err(TransferEnd::Fault(fault)) if fault.code == Code::CUDA_ERROR_OUT_OF_MEMORY => {
                n_sets /= 2;
            }
            Err(TransferEnd::Fault(fault)) => return Err(lost(&fault)),
            Err(TransferEnd::TimeUp) => {
                let reason = format!("staging took longer than {} s", STAGE_LIMIT.as_secs());
                return Err(DeviceError::Lost { reason });
            }
        }
    }
}

fn lost(fault: &DriverFault) -> DeviceError {
    DeviceError::Lost { reason: fault.to_string() }
}

fn allocate(
    engine: &mut Engine,
    request: &StageRequest,
    layout: Layout,
    payload: u64,
    foreign_bytes: u64,
) -> Result<Parts, TransferEnd> {
    let deadline = Instant::now() + STAGE_LIMIT;
    let n_sets = layout.n_sets();
    let (context, stream) = (&engine.context, &engine.stream);
    let foreign = DeviceBuffer::new(context, foreign_bytes)?;
    let copies = Copies::new(context, payload, n_sets)?;
    let arena = Arena::new(context, stream, &mut engine.staging, layout, n_sets, deadline)?;
    let inputs: Vec<usize> =
        (0..request.tensors.len()).filter(|&at| !request.tensors[at].is_output).collect();
    let n_contents = u32::try_from(request.contents.len()).unwrap_or(u32::MAX);
    for (set, contents) in (0..n_sets).zip(&request.contents) {
        for (&tensor, bytes) in inputs.iter().zip(contents) {
            arena.fill(stream, &mut engine.staging, (set, tensor), bytes, deadline)?;
        }
    }
    for set in n_contents..n_sets {
        for &tensor in &inputs {
            arena.replicate(stream, tensor, set % n_contents, set)?;
        }
    }
    let seed = rand::Rng::next_u64(&mut engine.seeds);
    // Random bytes, as the tensors are: what is copied or read must not look simpler than they do.
    for memory in [&foreign, &copies.memory] {
        let range = [0, memory.size_bytes()].map(u64::to_le_bytes).concat();
        let table = DeviceBuffer::new(context, 16)?;
        engine.staging.upload(stream, &range, (&table, 0), deadline)?;
        let what = Poison {
            sets: memory.address(),
            set_bytes: 0,
            n_sets: 1,
            ranges: table.address(),
            n_ranges: 1,
            range_bytes_max: memory.size_bytes(),
            seed,
            mask: 0,
        };
        engine.kernels.poison(stream, &what)?;
        engine.staging.settle(stream, deadline)?;
    }
    // Each kernel runs once before it is recorded into a graph: by then it must be loaded.
    let (from, to) = copies.halves(0);
    engine.kernels.copy(stream, from, to, copies.n_vectors)?;
    engine.kernels.flush(stream, foreign.address(), foreign.size_bytes(), arena.sink())?;
    engine.staging.settle(stream, deadline)?;
    Ok(Parts { arena, foreign, copies, copy_graphs: None })
}
