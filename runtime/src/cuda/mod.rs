//! GPUs, through the CUDA driver.
//!
//! The driver's library is loaded at run time: the same binary runs without a GPU, and says then
//! why there is none. A [`CudaDevice`] lives in the process that opens it. A candidate's fault takes
//! the process's context along ([`is_usable`](crate::device::Device::is_usable) is then false), so
//! candidates are run in a worker process.

mod arena;
mod clocks;
mod device;
mod driver;
mod execute;
mod fault;
mod kernels;
mod stage;
mod timing;

pub use device::{CudaDevice, list};

/// Why there is no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CudaError {
    /// There is no driver on this machine.
    #[error("the library `libcuda.so.1` of the CUDA driver is not found")]
    LibraryMissing,
    /// The driver is older than what is called.
    #[error("the CUDA driver has no function `{symbol}`")]
    SymbolMissing {
        /// The function.
        symbol: &'static str,
    },
    /// There is no device of that number.
    #[error("there is no CUDA device `{ordinal}` among {n_devices}")]
    NoSuchDevice {
        /// Its number.
        ordinal: u32,
        /// Devices there are.
        n_devices: u32,
    },
    /// A function of the driver failed.
    #[error("`{call}` returned `{name}` ({text})")]
    Driver {
        /// The function.
        call: &'static str,
        /// The driver's name of what it returned.
        name: String,
        /// The driver's words for it.
        text: String,
    },
}

impl CudaError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::LibraryMissing => "cuda.library-missing",
            Self::SymbolMissing { .. } => "cuda.driver-too-old",
            Self::NoSuchDevice { .. } => "cuda.no-such-device",
            Self::Driver { .. } => "cuda.driver",
        }
    }

    /// What to try.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::LibraryMissing => {
                "install NVIDIA's driver, or use `--device emulator`, which needs none"
            }
            Self::SymbolMissing { .. } => "use a driver of version 570 or newer",
            Self::NoSuchDevice { .. } => "`ridge doctor` lists the devices",
            Self::Driver { .. } => "see whether `nvidia-smi` lists the device",
        }
    }
}
