//! A device whose candidates run in a process of their own.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::host::{Host, Staged};
use super::process::{Process, WorkerCommand};
use super::stage::IsolatedStage;
use crate::device::{Device, DeviceError, Execution, ExecutionReport};
use crate::measure::{DeviceFacts, Image, Stage, StageRequest, TimingDevice};

/// Buffers of images that are kept for the next ones.
const SPARE_BUFFERS_MAX: usize = 8;

/// How long a worker may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsolationLimits {
    /// To open its device.
    pub start: Duration,
    /// To put a stage on it.
    pub stage: Duration,
    /// For one execution.
    pub execute: Duration,
    /// How often a replacement is started before the device counts as lost; at least 1.
    pub starts: u32,
}

impl Default for IsolationLimits {
    /// Two minutes to start and to stage, one for an execution, and three starts.
    fn default() -> Self {
        let (long, short) = (Duration::from_secs(120), Duration::from_secs(60));
        Self { start: long, stage: long, execute: short, starts: 3 }
    }
}

/// A device in a worker process, which is replaced when a candidate takes it down.
///
/// Whatever a candidate does to the worker costs that candidate its rejection. Requests of several
/// threads wait for each other. Expected outputs never get into the worker.
pub struct IsolatedDevice {
    name: String,
    facts: DeviceFacts,
    host: Mutex<Host>,
    n_stages: AtomicU64,
    lost: AtomicBool,
    worker: AtomicU32,
    spare: Mutex<Vec<Vec<u8>>>,
}

impl IsolatedDevice {
    /// Starts a worker and opens the device of that name in it, with the default limits.
    ///
    /// # Errors
    /// When the worker does not start or has no such device.
    pub fn start(command: WorkerCommand, device: &str) -> Result<Self, DeviceError> {
        Self::start_with(command, device, IsolationLimits::default())
    }

    /// The same with limits of one's own.
    ///
    /// # Errors
    /// When the worker does not start or has no such device.
    pub fn start_with(
        command: WorkerCommand,
        device: &str,
        limits: IsolationLimits,
    ) -> Result<Self, DeviceError> {
        let process = Process::start(&command, device, limits.start)
            .map_err(|reason| DeviceError::Lost { reason })?;
        let (name, facts) = (process.name.clone(), process.facts.clone());
        let worker = AtomicU32::new(process.id());
        let host = Host::new(command, device.to_owned(), limits, process);
        Ok(Self {
            name,
            facts,
            host: Mutex::new(host),
            n_stages: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            worker,
            spare: Mutex::default(),
        })
    }

    /// The last worker's process.
    pub fn worker_id(&self) -> u32 {
        self.worker.load(Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for an image of a set.
    pub(super) fn image_buffer(&self, set_bytes: usize) -> Vec<u8> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.retain(|buffer| buffer.len() == set_bytes);
        spare.pop().unwrap_or_else(|| vec![0; set_bytes])
    }

    /// Remembers whether the device is there, and which process holds it.
    pub(super) fn note<T>(
        &self,
        host: &Host,
        result: Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        self.lost.store(matches!(result, Err(DeviceError::Lost { .. })), Ordering::Relaxed);
        if let Some(id) = host.worker_id() {
            self.worker.store(id, Ordering::Relaxed);
        }
        result
    }
}

impl Device for IsolatedDevice {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_usable(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }

    fn execute(&self, execution: &Execution<'_>) -> Result<ExecutionReport, DeviceError> {
        let mut host = self.lock();
        let result = host.execute(execution);
        self.note(&host, result)
    }
}

impl TimingDevice for IsolatedDevice {
    fn facts(&self) -> &DeviceFacts {
        &self.facts
    }

    fn stage(&self, request: StageRequest) -> Result<Box<dyn Stage + '_>, DeviceError> {
        let id = self.n_stages.fetch_add(1, Ordering::Relaxed);
        let wanted = Staged { id, request };
        let mut host = self.lock();
        let result = host.hold(&wanted);
        let layout = self.note(&host, result)?;
        Ok(Box::new(IsolatedStage::new(self, wanted, layout)))
    }

    fn restore_stage(&self) {
        self.lock().spoil_stage();
    }

    fn recycle(&self, image: Image) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS_MAX {
            spare.push(image.bytes);
        }
    }
}
