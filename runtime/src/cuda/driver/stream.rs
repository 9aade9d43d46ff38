//! Streams: what is queued on one, events between, and waiting for them.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cudarc::driver::sys::{
    CUevent, CUevent_flags, CUlaunchAttribute, CUlaunchAttributeID, CUlaunchAttributeValue,
    CUlaunchAttributeValue_union__bindgen_ty_1 as ClusterExtent, CUlaunchConfig, CUstream,
    CUstream_flags,
};
use ridge_spec::launch::LaunchConfig;

use super::{Code, Context, DeviceBuffer, DriverFault, Function, PinnedBuffer, call};

/// How long a wait asks without a pause: shorter than that, sleeping would cost more than it frees.
const SPIN: Duration = Duration::from_millis(3);
/// The pause between questions afterwards.
const PAUSE: Duration = Duration::from_micros(100);

/// A queue of work on the device.
#[derive(Debug)]
pub(in crate::cuda) struct Stream {
    context: Arc<Context>,
    raw: CUstream,
}

// SAFETY: a stream is a handle in a context that any thread may use.
unsafe impl Send for Stream {}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cuda) enum Waited {
    /// Everything in front of the event is done.
    Done,
    /// The time was up before.
    TimeUp,
}

impl Stream {
    /// A stream that does not wait for the default one.
    pub(in crate::cuda) fn new(context: &Arc<Context>) -> Result<Self, DriverFault> {
        context.bind()?;
        let mut raw = std::ptr::null_mut();
        let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: writes one handle, which is destroyed in `drop`.
        unsafe { call!(cuStreamCreate(&raw mut raw, flags)) }?;
        Ok(Self { context: Arc::clone(context), raw })
    }

    pub(super) fn raw(&self) -> CUstream {
        self.raw
    }

    pub(super) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Queues a launch. `arguments` hold one value for each parameter, in its first bytes.
    pub(in crate::cuda) fn launch(
        &self,
        function: &Function,
        config: &LaunchConfig,
        arguments: &[u64],
    ) -> Result<(), DriverFault> {
        let fits = function.parameter_sizes().len() == arguments.len()
            && function.parameter_sizes().all(|size_bytes| size_bytes <= 8);
        if !fits {
            let detail = "the arguments are not the kernel's".to_owned();
            let code = Code::CUDA_ERROR_INVALID_VALUE;
            return Err(DriverFault::own("cuLaunchKernelEx", code, detail));
        }
        let mut attributes = attributes(config);
        let launch = CUlaunchConfig {
            gridDimX: config.grid[0],
            gridDimY: config.grid[1],
            gridDimZ: config.grid[2],
            blockDimX: config.block[0],
            blockDimY: config.block[1],
            blockDimZ: config.block[2],
            sharedMemBytes: config.shared_memory_bytes,
            hStream: self.raw,
            attrs: attributes.as_mut_ptr(),
            numAttrs: u32::try_from(attributes.len()).unwrap_or(0),
        };
        let mut places: Vec<*mut c_void> =
            arguments.iter().map(|value| std::ptr::from_ref(value).cast_mut().cast()).collect();
        let none = std::ptr::null_mut();
        // SAFETY: the driver reads, before it returns, the configuration with its attributes and
        // for each of the kernel's parameters at most 8 bytes from its place; there are as many
        // places as parameters. The function's module is loaded in this context.
        unsafe {
            call!(cuLaunchKernelEx(&raw const launch, function.raw(), places.as_mut_ptr(), none))
        }
    }

    /// Queues a copy to the device. The host's part stays as it is until the stream was waited for.
    pub(in crate::cuda) fn upload(
        &self,
        from: (&PinnedBuffer, usize),
        to: (&DeviceBuffer, u64),
        bytes: usize,
    ) -> Result<(), DriverFault> {
        let source = from.0.range("cuMemcpyHtoDAsync_v2", from.1, bytes)?;
        let target = to.0.range("cuMemcpyHtoDAsync_v2", to.1, bytes)?;
        // SAFETY: both ranges are inside their allocations, which outlive the copy: their owners
        // wait for the stream before they let go of them.
        unsafe { call!(cuMemcpyHtoDAsync_v2(target, source.as_ptr().cast(), bytes, self.raw)) }
    }

    /// Queues a copy from the device. The host's part holds it after the stream was waited for.
    pub(in crate::cuda) fn download(
        &self,
        from: (&DeviceBuffer, u64),
        to: (&mut PinnedBuffer, usize),
        bytes: usize,
    ) -> Result<(), DriverFault> {
        let source = from.0.range("cuMemcpyDtoHAsync_v2", from.1, bytes)?;
        let target = to.0.range("cuMemcpyDtoHAsync_v2", to.1, bytes)?;
        // SAFETY: as for `upload`; the host's part is borrowed mutably.
        unsafe { call!(cuMemcpyDtoHAsync_v2(target.as_ptr().cast(), source, bytes, self.raw)) }
    }

    /// Queues a copy inside the device, between ranges that do not overlap.
    pub(in crate::cuda) fn copy(
        &self,
        from: (&DeviceBuffer, u64),
        to: (&DeviceBuffer, u64),
        bytes: usize,
    ) -> Result<(), DriverFault> {
        let source = from.0.range("cuMemcpyDtoDAsync_v2", from.1, bytes)?;
        let target = to.0.range("cuMemcpyDtoDAsync_v2", to.1, bytes)?;
        // SAFETY: both ranges are inside their allocations.
        unsafe { call!(cuMemcpyDtoDAsync_v2(target, source, bytes, self.raw)) }
    }

    /// Queues an event.
    pub(in crate::cuda) fn record(&self, event: &Event) -> Result<(), DriverFault> {
        // SAFETY: both are handles of this context.
        unsafe { call!(cuEventRecord(event.raw, self.raw)) }
    }

    /// Waits for an event that was queued, until `deadline`.
    pub(in crate::cuda) fn wait(
        &self,
        event: &Event,
        deadline: Instant,
    ) -> Result<Waited, DriverFault> {
        let start = Instant::now();
        loop {
            // SAFETY: a handle of this context.
            match unsafe { call!(cuEventQuery(event.raw)) } {
                Ok(()) => return Ok(Waited::Done),
                Err(fault) if fault.code == Code::CUDA_ERROR_NOT_READY => {}
                Err(fault) => return Err(fault),
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(Waited::TimeUp);
            }
            if now - start < SPIN {
                std::hint::spin_loop();
            } else {
                std::thread::sleep(PAUSE);
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.context.bind_to_release() {
            // SAFETY: created by `new`, destroyed once here.
            if let Err(fault) = unsafe { call!(cuStreamDestroy_v2(self.raw)) } {
                tracing::debug!(%fault, "a stream was not destroyed");
            }
        }
    }
}

/// The attributes of a launch that are not in its sizes.
fn attributes(config: &LaunchConfig) -> Vec<CUlaunchAttribute> {
    let mut attributes = Vec::new();
    if let Some([x, y, z]) = config.cluster {
        attributes.push(CUlaunchAttribute {
            id: CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
            pad: [0; 4],
            value: CUlaunchAttributeValue { clusterDim: ClusterExtent { x, y, z } },
        });
    }
    if config.programmatic {
        attributes.push(CUlaunchAttribute {
            id: CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
            pad: [0; 4],
            value: CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
        });
    }
    attributes
}

/// A point in a stream, with its time.
#[derive(Debug)]
pub(in crate::cuda) struct Event {
    context: Arc<Context>,
    raw: CUevent,
}

// SAFETY: an event is a handle in a context that any thread may use.
unsafe impl Send for Event {}

impl Event {
    /// An event that keeps time.
    pub(in crate::cuda) fn new(context: &Arc<Context>) -> Result<Self, DriverFault> {
        context.bind()?;
        let mut raw = std::ptr::null_mut();
        let flags = CUevent_flags::CU_EVENT_DEFAULT as u32;
        // SAFETY: writes one handle, which is destroyed in `drop`.
        unsafe { call!(cuEventCreate(&raw mut raw, flags)) }?;
        Ok(Self { context: Arc::clone(context), raw })
    }

    /// Device time from `earlier` to here, nanoseconds. Both have passed.
    pub(in crate::cuda) fn since_ns(&self, earlier: &Self) -> Result<f64, DriverFault> {
        let mut milliseconds = 0.0_f32;
        // SAFETY: writes one number; both are handles of this context.
        unsafe { call!(cuEventElapsedTime_v2(&raw mut milliseconds, earlier.raw, self.raw)) }?;
        Ok(f64::from(milliseconds) * 1e6)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.context.bind_to_release() {
            // SAFETY: created by `new`, destroyed once here.
            if let Err(fault) = unsafe { call!(cuEventDestroy_v2(self.raw)) } {
                tracing::debug!(%fault, "an event was not destroyed");
            }
        }
    }
}
