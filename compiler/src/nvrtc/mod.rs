//! NVRTC, loaded at run time.
//!
//! The only module of this crate with `unsafe`: calls into `libnvrtc` through function pointers
//! taken from the library. The signatures are those of `nvrtc.h`.
#![expect(unsafe_code, reason = "NVRTC is a C library without safe bindings")]

mod ffi;
mod program;

use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};

pub(crate) use program::{Compiled, Program};

use self::ffi::{Functions, SUCCESS};

/// NVRTC cannot be used, or refused a call that is not about the program's text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NvrtcError {
    /// The library does not load.
    #[error("`{}` does not load", path.display())]
    Load {
        /// The library.
        path: PathBuf,
        /// Why.
        #[source]
        source: libloading::Error,
    },
    /// A call failed in a way that no program text explains.
    #[error("`{call}` failed: {message}")]
    Call {
        /// The function.
        call: &'static str,
        /// NVRTC's name of the status.
        message: String,
    },
    /// A text handed to NVRTC holds a NUL.
    #[error("{what} holds a NUL byte")]
    Nul {
        /// Which text.
        what: &'static str,
    },
}

/// A loaded NVRTC. It stays loaded until the process ends: unloading it is not supported.
pub(crate) struct Nvrtc {
    functions: Functions,
    _library: Library,
    _builtins: Library,
}

impl Nvrtc {
    /// Loads the built-ins library first and globally, since NVRTC looks it up by bare name and
    /// otherwise misses it outside the loader's path; then NVRTC.
    pub(crate) fn load(nvrtc: &Path, builtins: &Path) -> Result<Self, NvrtcError> {
        let open = |path: &Path, scope| {
            // SAFETY: loading runs the library's initialisers; both are NVIDIA's toolkit
            // libraries, whose initialisers have no preconditions.
            unsafe { Library::open(Some(path), RTLD_NOW | scope) }
                .map_err(|source| NvrtcError::Load { path: path.to_owned(), source })
        };
        let builtins = open(builtins, RTLD_GLOBAL)?;
        let library = open(nvrtc, RTLD_LOCAL)?;
        let functions = Functions::find(&library)
            .map_err(|source| NvrtcError::Load { path: nvrtc.to_owned(), source })?;
        Ok(Self { functions, _library: library, _builtins: builtins })
    }

    /// Major and minor version.
    pub(crate) fn version(&self) -> Result<(i32, i32), NvrtcError> {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: both pointers are to live integers.
        let status = unsafe { (self.functions.version)(&raw mut major, &raw mut minor) };
        self.check("nvrtcVersion", status)?;
        Ok((major, minor))
    }

    /// Compiles `program`. A program that does not compile is an `Ok` with `succeeded` false.
    pub(crate) fn compile(&self, program: &Program<'_>) -> Result<Compiled, NvrtcError> {
        program::compile(&self.functions, program)
    }

    fn check(&self, call: &'static str, status: ffi::Status) -> Result<(), NvrtcError> {
        check(&self.functions, call, status)
    }
}

fn check(functions: &Functions, call: &'static str, status: ffi::Status) -> Result<(), NvrtcError> {
    if status == SUCCESS {
        return Ok(());
    }
    Err(NvrtcError::Call { call, message: functions.error_text(status) })
}
