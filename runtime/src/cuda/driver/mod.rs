//! The CUDA driver's functions behind types that own what they name.
//!
//! This is the only place in the crate with `unsafe`. The library is loaded at run time: nothing
//! here is called before [`load`] has seen that the library is there and has every function that is
//! used, for calling one that is missing would panic. Every return code is checked and reported by
//! the driver's own name for it.
//!
//! A kernel can do to device memory, and to pinned host memory, whatever it likes. So a process
//! that launches candidates is one that may be lost: it holds nothing that a judgement rests on.
#![allow(unsafe_code, reason = "foreign functions of the CUDA driver")]

mod context;
mod graph;
mod memory;
mod module;
mod stream;

use std::ffi::CStr;
use std::sync::OnceLock;

use cudarc::driver::sys::{self, CUresult};

pub(super) use context::{Context, DeviceHandle};
pub(super) use graph::GraphExec;
pub(super) use memory::{DeviceBuffer, PinnedBuffer};
pub(super) use module::{Function, Module};
pub(super) use stream::{Event, Stream, Waited};
pub(super) use sys::{CUdevice_attribute as DeviceAttribute, CUresult as Code};

use super::CudaError;

/// Calls a function of the driver and checks what it returns.
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {
        $crate::cuda::driver::check(stringify!($name), cudarc::driver::sys::$name($($argument),*))
    };
}
pub(in crate::cuda::driver) use call;

/// Every function that is called, so that an old driver is an answer and not a panic.
const FUNCTIONS: [&str; 41] = [
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetPCIBusId",
    "cuDevicePrimaryCtxRelease_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDeviceTotalMem_v2",
    "cuDriverGetVersion",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventElapsedTime_v2",
    "cuEventQuery",
    "cuEventRecord",
    "cuFuncGetAttribute",
    "cuFuncGetParamInfo",
    "cuFuncSetAttribute",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuInit",
    "cuLaunchKernelEx",
    "cuMemAlloc_v2",
    "cuMemFreeHost",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuMemHostAlloc",
    "cuMemcpyDtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuModuleGetFunction",
    "cuModuleLoadDataEx",
    "cuModuleUnload",
    "cuStreamBeginCapture_v2",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamEndCapture",
];

/// What a function of the driver returned in place of success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DriverFault {
    /// The function.
    pub(super) call: &'static str,
    /// What it returned.
    pub(super) code: CUresult,
    /// The driver's name of that, such as `CUDA_ERROR_ILLEGAL_ADDRESS`.
    pub(super) name: String,
    /// The driver's description of it.
    pub(super) text: String,
    /// What else is known, such as the log of the driver's compiler.
    pub(super) detail: Option<String>,
}

impl std::fmt::Display for DriverFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` returned `{}` ({})", self.call, self.name, self.text)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl DriverFault {
    /// A fault found before the driver was asked.
    pub(super) fn own(call: &'static str, code: CUresult, detail: String) -> Self {
        Self { detail: Some(detail), ..describe(call, code) }
    }

    /// The same with more known of it.
    pub(super) fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

impl From<DriverFault> for CudaError {
    fn from(fault: DriverFault) -> Self {
        let DriverFault { call, name, text, detail, .. } = fault;
        let text = match detail {
            Some(detail) => format!("{text}: {detail}"),
            None => text,
        };
        Self::Driver { call, name, text }
    }
}

fn check(call: &'static str, code: CUresult) -> Result<(), DriverFault> {
    match code {
        CUresult::CUDA_SUCCESS => Ok(()),
        code => Err(describe(call, code)),
    }
}

fn describe(call: &'static str, code: CUresult) -> DriverFault {
    let mut texts = [std::ptr::null(), std::ptr::null()];
    // SAFETY: both functions write a pointer to a static string, or null, and are in `FUNCTIONS`.
    unsafe {
        let (name, text) = (&raw mut texts[0], &raw mut texts[1]);
        // What they return is told by what they left behind.
        let (_, _) = (sys::cuGetErrorName(code, name), sys::cuGetErrorString(code, text));
    }
    let read = |pointer: *const std::ffi::c_char| {
        // SAFETY: not null, so a string of the driver's that ends in 0 and lives for ever.
        (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy())
    };
    let name = read(texts[0]).map_or_else(|| format!("{code:?}"), Into::into);
    let text = read(texts[1]).map_or_else(|| "no description".to_owned(), Into::into);
    DriverFault { call, code, name, text, detail: None }
}

/// Loads and initialises the driver, once in a process.
///
/// # Errors
/// When the library is missing, too old, or finds no device or no kernel module.
pub(super) fn load() -> Result<(), CudaError> {
    static LOADED: OnceLock<Result<(), CudaError>> = OnceLock::new();
    LOADED.get_or_init(initialise).clone()
}

fn initialise() -> Result<(), CudaError> {
    // SAFETY: loads a library whose initialisers are the driver's own.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaError::LibraryMissing);
    }
    for symbol in FUNCTIONS {
        // SAFETY: the library is there, so this does not panic; the symbol is not called by this
        // type, only looked for.
        if unsafe { sys::culib().get::<unsafe extern "C" fn()>(symbol.as_bytes()) }.is_err() {
            return Err(CudaError::SymbolMissing { symbol });
        }
    }
    // SAFETY: takes a number that must be 0.
    Ok(unsafe { call!(cuInit(0)) }?)
}

/// Newest version of CUDA the driver supports: 13000 is 13.0.
pub(super) fn version() -> Result<u32, CudaError> {
    load()?;
    let mut version = 0;
    // SAFETY: writes one integer.
    unsafe { call!(cuDriverGetVersion(&raw mut version)) }?;
    Ok(u32::try_from(version).unwrap_or(0))
}

/// Devices the driver shows.
pub(super) fn n_devices() -> Result<u32, CudaError> {
    load()?;
    let mut count = 0;
    // SAFETY: writes one integer.
    unsafe { call!(cuDeviceGetCount(&raw mut count)) }?;
    Ok(u32::try_from(count).unwrap_or(0))
}
