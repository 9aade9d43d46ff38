//! A GPU as a device.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ridge_spec::artifact::Artifact;
use ridge_spec::digest::Digest;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::target::Architecture;

use super::arena::Staging;
use super::clocks::{self, ClockWatch};
use super::driver::{
    self, Code, Context, DeviceAttribute, DeviceHandle, DriverFault, Event, Function, Module,
    Stream,
};
use super::fault::{self, Needs, Purpose, Stop};
use super::kernels::Kernels;
use super::stage::CudaStage;
use super::{CudaError, execute};
use crate::device::{Device, DeviceError, Execution, ExecutionReport};
use crate::measure::{DeviceFacts, Stage, StageRequest, TimingDevice};

/// Modules kept loaded.
const MODULES_KEPT: usize = 8;
/// Shared memory a block may have without asking, bytes.
const SHARED_MEMORY_PLAIN_BYTES: u32 = 48 << 10;
/// Blocks of a cluster that every device with clusters takes.
const CLUSTER_BLOCKS_PORTABLE: u64 = 8;
/// How long one execution may take, unless said otherwise.
const EXECUTION_LIMIT: Duration = Duration::from_secs(10);

/// What the driver says of each device, in its order.
///
/// # Errors
/// When there is no driver, or it finds no device.
pub fn list() -> Result<Vec<DeviceFacts>, CudaError> {
    let driver = clocks::driver_version();
    (0..driver::n_devices()?)
        .map(|ordinal| facts(DeviceHandle::open(ordinal)?, driver.clone()))
        .collect()
}

fn facts(device: DeviceHandle, driver: Option<String>) -> Result<DeviceFacts, CudaError> {
    let attribute = |which| device.attribute(which);
    let major = attribute(DeviceAttribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = attribute(DeviceAttribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    let architecture = Architecture::parse(&format!("sm_{major}{minor}")).ok_or_else(|| {
        let text = format!("its compute capability is {major}.{minor}");
        let name = Code::CUDA_ERROR_NOT_SUPPORTED;
        CudaError::from(DriverFault::own("cuDeviceGetAttribute", name, text))
    })?;
    let cuda_version = driver::version()?;
    let newest = || format!("CUDA {}.{}", cuda_version / 1000, cuda_version % 1000 / 10);
    Ok(DeviceFacts {
        name: device.name()?,
        architecture,
        driver: driver.unwrap_or_else(newest),
        cuda_version,
        multiprocessors: attribute(DeviceAttribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        l2_bytes: u64::from(attribute(DeviceAttribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)?),
        memory_bytes: device.memory_bytes()?,
    })
}

/// A GPU in this process.
///
/// A candidate that faults or does not end takes the process's context along: the device is then no
/// longer usable, and the process is to be replaced. Requests of several threads wait for each
/// other.
#[derive(Debug)]
pub struct CudaDevice {
    name: String,
    facts: DeviceFacts,
    context: Arc<Context>,
    execution_limit: Duration,
    engine: Mutex<Engine>,
}

/// What requests take turns with.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) context: Arc<Context>,
    pub(super) stream: Stream,
    pub(super) kernels: Kernels,
    pub(super) staging: Staging,
    pub(super) clocks: ClockWatch,
    /// Seeded anew in each process: no kernel was compiled to know what comes.
    pub(super) seeds: ChaCha8Rng,
    /// Pairs of events, as many as a batch ever needed.
    pub(super) pairs: Vec<(Event, Event)>,
    shared_memory_bytes_max: u32,
    /// The last is the one used last.
    modules: Vec<(Digest, Arc<Module>)>,
}

impl CudaDevice {
    /// Opens the device of that number.
    ///
    /// # Errors
    /// When there is no driver or no such device, or the driver refuses.
    pub fn open(ordinal: u32) -> Result<Self, CudaError> {
        let handle = DeviceHandle::open(ordinal)?;
        let facts = facts(handle, clocks::driver_version())?;
        let context = Context::retain(handle)?;
        let most = DeviceAttribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
        let engine = Engine {
            stream: Stream::new(&context)?,
            kernels: Kernels::load(&context, facts.multiprocessors)?,
            staging: Staging::new(&context)?,
            clocks: ClockWatch::start(handle.bus_id()?),
            seeds: ChaCha8Rng::seed_from_u64(rand::random()),
            pairs: Vec::new(),
            shared_memory_bytes_max: handle.attribute(most)?,
            modules: Vec::new(),
            context: Arc::clone(&context),
        };
        Ok(Self {
            name: format!("cuda:{ordinal}"),
            facts,
            context,
            execution_limit: EXECUTION_LIMIT,
            engine: Mutex::new(engine),
        })
    }

    /// The same device with another limit to the time one execution may take; 10 s by default.
    #[must_use]
    pub fn with_execution_limit(self, limit: Duration) -> Self {
        Self { execution_limit: limit, ..self }
    }

    /// The engine, its context current to the calling thread.
    pub(super) fn engine(&self) -> Result<MutexGuard<'_, Engine>, DeviceError> {
        if !self.context.is_alive() {
            let reason = "an earlier kernel took its context along".to_owned();
            return Err(DeviceError::Lost { reason });
        }
        self.context.bind().map_err(|fault| DeviceError::Lost { reason: fault.to_string() })?;
        Ok(self.engine.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Engine {
    /// A call of ours that failed: a fault of the kernel that ran before shows there, too.
    pub(super) fn own(&self, fault: &DriverFault) -> Stop {
        fault::stop(fault, Purpose::Own, &self.context)
    }

    /// Loads a candidate and allows it what its launch asks for.
    pub(super) fn prepare(
        &mut self,
        artifact: &Artifact,
        config: &LaunchConfig,
    ) -> Result<(Function, Needs), Stop> {
        let invalid = |reason: String| {
            let entry = artifact.manifest.entry_symbol.clone();
            Stop::Failed(DeviceError::InvalidExecution { entry, reason })
        };
        if config.grid.contains(&0) || config.block.contains(&0) {
            return Err(invalid("a grid or block extent is 0".to_owned()));
        }
        let module = self.module(artifact)?;
        let function = match Function::find(&module, &artifact.manifest.entry_symbol) {
            Ok(function) => function,
            Err(fault) if fault.code == Code::CUDA_ERROR_NOT_FOUND => {
                return Err(invalid(fault.to_string()));
            }
            Err(fault) => return Err(fault::stop(&fault, Purpose::Load, &self.context)),
        };
        let mut needs =
            Needs { shared_memory_bytes_max: self.shared_memory_bytes_max, ..Needs::default() };
        allow(&function, config, &mut needs)
            .map_err(|fault| fault::stop(&fault, Purpose::Launch(config, needs), &self.context))?;
        Ok((function, needs))
    }

    fn module(&mut self, artifact: &Artifact) -> Result<Arc<Module>, Stop> {
        if let Some(at) = self.modules.iter().position(|(digest, _)| *digest == artifact.digest) {
            let found = self.modules.remove(at);
            let module = Arc::clone(&found.1);
            self.modules.push(found);
            return Ok(module);
        }
        let loaded = if artifact.cubin.is_empty() {
            Module::from_ptx(&self.context, &artifact.ptx)
        } else {
            Module::from_cubin(&self.context, &artifact.cubin)
        };
        let module = loaded.map_err(|fault| fault::stop(&fault, Purpose::Load, &self.context))?;
        if self.modules.len() >= MODULES_KEPT {
            self.modules.remove(0);
        }
        self.modules.push((artifact.digest, Arc::clone(&module)));
        Ok(module)
    }
}

/// Raises the limits that a launch must ask for; writes down in `needs` what the kernel needs.
fn allow(function: &Function, config: &LaunchConfig, needs: &mut Needs) -> Result<(), DriverFault> {
    needs.registers = function.registers()?;
    needs.threads_max = function.threads_max()?;
    needs.static_shared_memory_bytes = function.shared_memory_bytes()?;
    let shared = needs.static_shared_memory_bytes.saturating_add(config.shared_memory_bytes);
    if shared > SHARED_MEMORY_PLAIN_BYTES && config.shared_memory_bytes > 0 {
        function.allow_shared_memory(config.shared_memory_bytes)?;
    }
    let blocks =
        config.cluster.map_or(1, |extents| extents.iter().map(|&n| u64::from(n)).product());
    if blocks > CLUSTER_BLOCKS_PORTABLE {
        function.allow_large_clusters()?;
    }
    Ok(())
}

impl Device for CudaDevice {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_usable(&self) -> bool {
        self.context.is_alive()
    }

    fn execute(&self, execution: &Execution<'_>) -> Result<ExecutionReport, DeviceError> {
        execute::execute(&mut *self.engine()?, execution, self.execution_limit)
    }
}

impl TimingDevice for CudaDevice {
    fn facts(&self) -> &DeviceFacts {
        &self.facts
    }

    fn stage(&self, request: StageRequest) -> Result<Box<dyn Stage + '_>, DeviceError> {
        Ok(Box::new(CudaStage::new(self, &request)?))
    }
}
