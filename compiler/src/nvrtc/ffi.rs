//! The functions of `nvrtc.h` that the compiler calls.

use std::ffi::{CStr, c_char, c_int};

use libloading::os::unix::Library;

/// `nvrtcResult`.
pub(super) type Status = c_int;

/// `NVRTC_SUCCESS`.
pub(super) const SUCCESS: Status = 0;
/// `NVRTC_ERROR_INVALID_OPTION`: the log says which.
pub(super) const INVALID_OPTION: Status = 5;
/// `NVRTC_ERROR_COMPILATION`: the log says why.
pub(super) const COMPILATION: Status = 6;

/// `nvrtcProgram`: an opaque pointer.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Handle(pub(super) *mut std::ffi::c_void);

type Size = unsafe extern "C" fn(Handle, *mut usize) -> Status;
type Bytes = unsafe extern "C" fn(Handle, *mut c_char) -> Status;
type Create = unsafe extern "C" fn(
    *mut Handle,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> Status;
type LoweredName = unsafe extern "C" fn(Handle, *const c_char, *mut *const c_char) -> Status;

/// Function pointers; valid as long as the library stays loaded.
pub(super) struct Functions {
    pub(super) version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> Status,
    pub(super) error_string: unsafe extern "C" fn(Status) -> *const c_char,
    pub(super) create_program: Create,
    pub(super) destroy_program: unsafe extern "C" fn(*mut Handle) -> Status,
    pub(super) compile_program: unsafe extern "C" fn(Handle, c_int, *const *const c_char) -> Status,
    pub(super) add_name_expression: unsafe extern "C" fn(Handle, *const c_char) -> Status,
    pub(super) lowered_name: LoweredName,
    pub(super) log_size: Size,
    pub(super) log: Bytes,
    pub(super) ptx_size: Size,
    pub(super) ptx: Bytes,
    pub(super) cubin_size: Size,
    pub(super) cubin: Bytes,
}

impl Functions {
    /// Looks every function up.
    pub(super) fn find(library: &Library) -> Result<Self, libloading::Error> {
        // SAFETY: each symbol is given the type that `nvrtc.h` declares for it.
        unsafe {
            Ok(Self {
                version: *library.get(b"nvrtcVersion\0")?,
                error_string: *library.get(b"nvrtcGetErrorString\0")?,
                create_program: *library.get(b"nvrtcCreateProgram\0")?,
                destroy_program: *library.get(b"nvrtcDestroyProgram\0")?,
                compile_program: *library.get(b"nvrtcCompileProgram\0")?,
                add_name_expression: *library.get(b"nvrtcAddNameExpression\0")?,
                lowered_name: *library.get(b"nvrtcGetLoweredName\0")?,
                log_size: *library.get(b"nvrtcGetProgramLogSize\0")?,
                log: *library.get(b"nvrtcGetProgramLog\0")?,
                ptx_size: *library.get(b"nvrtcGetPTXSize\0")?,
                ptx: *library.get(b"nvrtcGetPTX\0")?,
                cubin_size: *library.get(b"nvrtcGetCUBINSize\0")?,
                cubin: *library.get(b"nvrtcGetCUBIN\0")?,
            })
        }
    }

    /// NVRTC's name of a status.
    pub(super) fn error_text(&self, status: Status) -> String {
        // SAFETY: the function takes any value and returns a static string.
        let text = unsafe { (self.error_string)(status) };
        if text.is_null() {
            return format!("status {status}");
        }
        // SAFETY: not null, and a static NUL-terminated string by contract.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}
