//! Device memory and pinned host memory.

use std::ptr::NonNull;
use std::sync::Arc;

use cudarc::driver::sys::CUdeviceptr;

use super::{Code, Context, DriverFault, call};

/// Device memory, freed on drop.
#[derive(Debug)]
pub(in crate::cuda) struct DeviceBuffer {
    context: Arc<Context>,
    address: CUdeviceptr,
    size_bytes: u64,
}

impl DeviceBuffer {
    /// Allocates at least one byte. The start is a multiple of 256.
    pub(in crate::cuda) fn new(
        context: &Arc<Context>,
        size_bytes: u64,
    ) -> Result<Self, DriverFault> {
        let too_large = |_| {
            let detail = format!("{size_bytes} bytes are no size");
            DriverFault::own("cuMemAlloc_v2", Code::CUDA_ERROR_OUT_OF_MEMORY, detail)
        };
        let bytes = usize::try_from(size_bytes.max(1)).map_err(too_large)?;
        context.bind()?;
        let mut address = 0;
        // SAFETY: writes one address, which is freed in `drop`.
        unsafe { call!(cuMemAlloc_v2(&raw mut address, bytes)) }
            .map_err(|fault| fault.with(format!("{size_bytes} bytes")))?;
        Ok(Self { context: Arc::clone(context), address, size_bytes })
    }

    /// Where it starts on the device.
    pub(in crate::cuda) fn address(&self) -> u64 {
        self.address
    }

    /// Its size, bytes.
    pub(in crate::cuda) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The address of `bytes` from `offset`, where they all lie inside.
    pub(super) fn range(
        &self,
        call: &'static str,
        offset: u64,
        bytes: usize,
    ) -> Result<CUdeviceptr, DriverFault> {
        match offset.checked_add(bytes as u64).filter(|&end| end <= self.size_bytes) {
            Some(_) => Ok(self.address + offset),
            None => Err(outside(call, offset, bytes, self.size_bytes)),
        }
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        if self.context.bind_to_release() {
            // SAFETY: allocated by `new`, freed once here.
            if let Err(fault) = unsafe { call!(cuMemFree_v2(self.address)) } {
                tracing::debug!(%fault, "device memory was not freed");
            }
        }
    }
}

/// Host memory that the device copies from and to without a detour.
///
/// Copies are queued: between queueing one and waiting for the stream, the part it concerns is
/// neither read nor written here.
#[derive(Debug)]
pub(in crate::cuda) struct PinnedBuffer {
    context: Arc<Context>,
    start: NonNull<u8>,
    size_bytes: usize,
}

// SAFETY: it owns its memory, which any thread may use.
unsafe impl Send for PinnedBuffer {}

impl PinnedBuffer {
    /// Allocates at least one byte, all zero.
    pub(in crate::cuda) fn new(
        context: &Arc<Context>,
        size_bytes: usize,
    ) -> Result<Self, DriverFault> {
        context.bind()?;
        let bytes = size_bytes.max(1);
        let mut start = std::ptr::null_mut();
        // SAFETY: writes one address, which is freed in `drop`.
        unsafe { call!(cuMemHostAlloc(&raw mut start, bytes, 0)) }
            .map_err(|fault| fault.with(format!("{size_bytes} bytes of host memory")))?;
        let Some(start) = NonNull::new(start.cast::<u8>()) else {
            let detail = "no address".to_owned();
            return Err(DriverFault::own("cuMemHostAlloc", Code::CUDA_ERROR_UNKNOWN, detail));
        };
        // SAFETY: that many bytes were allocated; from here on they are initialised.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Self { context: Arc::clone(context), start, size_bytes })
    }

    /// Its bytes.
    pub(in crate::cuda) fn bytes(&self) -> &[u8] {
        // SAFETY: allocated and initialised by `new`, and not concerned by a copy under way.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.size_bytes) }
    }

    /// Its bytes, to fill.
    pub(in crate::cuda) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.size_bytes) }
    }

    /// The address of `bytes` from `offset`, where they all lie inside.
    pub(super) fn range(
        &self,
        call: &'static str,
        offset: usize,
        bytes: usize,
    ) -> Result<NonNull<u8>, DriverFault> {
        match offset.checked_add(bytes).filter(|&end| end <= self.size_bytes) {
            // SAFETY: inside the allocation.
            Some(_) => Ok(unsafe { self.start.add(offset) }),
            None => Err(outside(call, offset as u64, bytes, self.size_bytes as u64)),
        }
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        if self.context.bind_to_release() {
            // SAFETY: allocated by `new`, freed once here.
            if let Err(fault) = unsafe { call!(cuMemFreeHost(self.start.as_ptr().cast())) } {
                tracing::debug!(%fault, "host memory was not freed");
            }
        }
    }
}

fn outside(call: &'static str, offset: u64, bytes: usize, size_bytes: u64) -> DriverFault {
    let detail = format!("{bytes} bytes from {offset} are not inside {size_bytes} bytes");
    DriverFault::own(call, Code::CUDA_ERROR_INVALID_VALUE, detail)
}
