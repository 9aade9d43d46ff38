//! Devices and their contexts.

use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cudarc::driver::sys::{CUcontext, CUdevice, CUdevice_attribute};

use super::{DriverFault, call};
use crate::cuda::CudaError;

/// A device, by the driver's handle.
#[derive(Clone, Copy, Debug)]
pub(in crate::cuda) struct DeviceHandle(CUdevice);

impl DeviceHandle {
    /// The device of that number.
    pub(in crate::cuda) fn open(ordinal: u32) -> Result<Self, CudaError> {
        let n_devices = super::n_devices()?;
        let index = c_int::try_from(ordinal).ok().filter(|_| ordinal < n_devices);
        let Some(index) = index else {
            return Err(CudaError::NoSuchDevice { ordinal, n_devices });
        };
        let mut device = 0;
        // SAFETY: writes one handle; the driver is initialised, for `n_devices` loads it.
        unsafe { call!(cuDeviceGet(&raw mut device, index)) }?;
        Ok(Self(device))
    }

    /// One of its numbers.
    pub(in crate::cuda) fn attribute(self, which: CUdevice_attribute) -> Result<u32, DriverFault> {
        let mut value = 0;
        // SAFETY: writes one integer.
        unsafe { call!(cuDeviceGetAttribute(&raw mut value, which, self.0)) }?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    /// The vendor's name of the board.
    pub(in crate::cuda) fn name(self) -> Result<String, DriverFault> {
        let mut text: [c_char; 256] = [0; 256];
        // SAFETY: writes at most the 256 bytes it is given, the last of them 0.
        unsafe { call!(cuDeviceGetName(text.as_mut_ptr(), 256, self.0)) }?;
        Ok(string(&text))
    }

    /// Its place on the bus, `domain:bus:device.function`.
    pub(in crate::cuda) fn bus_id(self) -> Result<String, DriverFault> {
        let mut text: [c_char; 64] = [0; 64];
        // SAFETY: writes at most the 64 bytes it is given, the last of them 0.
        unsafe { call!(cuDeviceGetPCIBusId(text.as_mut_ptr(), 64, self.0)) }?;
        Ok(string(&text))
    }

    /// Its memory, bytes.
    pub(in crate::cuda) fn memory_bytes(self) -> Result<u64, DriverFault> {
        let mut bytes = 0;
        // SAFETY: writes one integer.
        unsafe { call!(cuDeviceTotalMem_v2(&raw mut bytes, self.0)) }?;
        Ok(bytes as u64)
    }
}

/// The text in front of the first 0.
fn string(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|c| c.to_ne_bytes()[0]).collect();
    CStr::from_bytes_until_nul(&bytes)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// A device's primary context, kept for as long as something in it is.
#[derive(Debug)]
pub(in crate::cuda) struct Context {
    raw: CUcontext,
    device: DeviceHandle,
    alive: AtomicBool,
}

// SAFETY: a context may be made current to, and used by, any thread, several at a time.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// Creates the context, or shares the one the process has.
    pub(in crate::cuda) fn retain(device: DeviceHandle) -> Result<Arc<Self>, CudaError> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: writes one handle, which is released in `drop`.
        unsafe { call!(cuDevicePrimaryCtxRetain(&raw mut raw, device.0)) }?;
        let context = Self { raw, device, alive: AtomicBool::new(true) };
        context.bind()?;
        Ok(Arc::new(context))
    }

    /// Makes it the calling thread's.
    pub(in crate::cuda) fn bind(&self) -> Result<(), DriverFault> {
        // SAFETY: the handle is retained for as long as `self` lives.
        unsafe { call!(cuCtxSetCurrent(self.raw)) }
    }

    /// Whether it has not been given up.
    pub(in crate::cuda) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Gives it up after a fault that took it along, or with a kernel that does not end: nothing
    /// in it is released any more, for that would wait for the kernel. The process's end does it.
    pub(in crate::cuda) fn give_up(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// Binds for releasing something; whether there is anything to release.
    pub(super) fn bind_to_release(&self) -> bool {
        self.is_alive() && self.bind().is_ok()
    }

    /// Free device memory, bytes. The context is current.
    pub(in crate::cuda) fn free_bytes(&self) -> Result<u64, DriverFault> {
        self.bind()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: writes two integers.
        unsafe { call!(cuMemGetInfo_v2(&raw mut free, &raw mut total)) }?;
        Ok(free as u64)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.is_alive() {
            // SAFETY: retained once by `retain`, released once here.
            let released = unsafe { call!(cuDevicePrimaryCtxRelease_v2(self.device.0)) };
            if let Err(fault) = released {
                tracing::debug!(%fault, "a context was not released");
            }
        }
    }
}
