//! One compilation.

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use super::ffi::{COMPILATION, Functions, Handle, INVALID_OPTION, SUCCESS};
use super::{NvrtcError, check};

/// What NVRTC is given.
pub(crate) struct Program<'a> {
    /// Name of the source, as diagnostics and line information will spell it.
    pub(crate) name: &'a str,
    /// The source.
    pub(crate) source: &'a str,
    /// Headers held in memory: the exact name an `#include` uses, and the text.
    pub(crate) headers: &'a [(&'a CStr, &'a CStr)],
    /// C++ name expression of the kernel; `None` where the entry is an `extern "C"` name.
    pub(crate) name_expression: Option<&'a str>,
    /// Options, one a string.
    pub(crate) options: &'a [String],
}

/// What NVRTC answered.
pub(crate) struct Compiled {
    /// Whether there is code.
    pub(crate) succeeded: bool,
    /// NVRTC's and ptxas's log.
    pub(crate) log: String,
    /// PTX; empty unless it succeeded.
    pub(crate) ptx: String,
    /// Device binary; empty unless it succeeded.
    pub(crate) cubin: Vec<u8>,
    /// The symbol that the name expression became.
    pub(crate) lowered_name: Option<String>,
}

/// A created program, destroyed when dropped.
struct Owned<'f> {
    functions: &'f Functions,
    handle: Handle,
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle came from `nvrtcCreateProgram` and is destroyed once, here.
        let _status = unsafe { (self.functions.destroy_program)(&raw mut self.handle) };
    }
}

pub(super) fn compile(
    functions: &Functions,
    program: &Program<'_>,
) -> Result<Compiled, NvrtcError> {
    let owned = create(functions, program)?;
    let expression = program.name_expression.map(|text| c_string("the entry", text)).transpose()?;
    if let Some(expression) = &expression {
        // SAFETY: a live program and a NUL-terminated string, which NVRTC copies.
        let status = unsafe { (functions.add_name_expression)(owned.handle, expression.as_ptr()) };
        check(functions, "nvrtcAddNameExpression", status)?;
    }
    let options = program
        .options
        .iter()
        .map(|option| c_string("an option", option))
        .collect::<Result<Vec<_>, _>>()?;
    let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
    // SAFETY: a live program; `pointers` has as many NUL-terminated strings as its length says.
    let status = unsafe {
        (functions.compile_program)(owned.handle, length(pointers.len()), pointers.as_ptr())
    };
    let log = text(&bytes(&owned, "nvrtcGetProgramLog", functions.log_size, functions.log)?);
    if status == COMPILATION || status == INVALID_OPTION {
        return Ok(Compiled {
            succeeded: false,
            log,
            ptx: String::new(),
            cubin: Vec::new(),
            lowered_name: None,
        });
    }
    check(functions, "nvrtcCompileProgram", status)?;
    let lowered_name = match &expression {
        Some(expression) => Some(lowered(&owned, expression)?),
        None => None,
    };
    Ok(Compiled {
        succeeded: true,
        log,
        ptx: text(&bytes(&owned, "nvrtcGetPTX", functions.ptx_size, functions.ptx)?),
        cubin: bytes(&owned, "nvrtcGetCUBIN", functions.cubin_size, functions.cubin)?,
        lowered_name,
    })
}

fn create<'f>(functions: &'f Functions, program: &Program<'_>) -> Result<Owned<'f>, NvrtcError> {
    let name = c_string("the source's name", program.name)?;
    let source = c_string("the source", program.source)?;
    let names: Vec<*const c_char> = program.headers.iter().map(|(name, _)| name.as_ptr()).collect();
    let texts: Vec<*const c_char> = program.headers.iter().map(|(_, text)| text.as_ptr()).collect();
    let mut handle = Handle(ptr::null_mut());
    // SAFETY: `handle` is live; both arrays hold as many NUL-terminated strings as the count
    // says; NVRTC copies all of them before it returns.
    let status = unsafe {
        (functions.create_program)(
            &raw mut handle,
            source.as_ptr(),
            name.as_ptr(),
            length(names.len()),
            texts.as_ptr(),
            names.as_ptr(),
        )
    };
    check(functions, "nvrtcCreateProgram", status)?;
    Ok(Owned { functions, handle })
}

fn lowered(owned: &Owned<'_>, expression: &CStr) -> Result<String, NvrtcError> {
    let mut name: *const c_char = ptr::null();
    // SAFETY: the expression was added to this compiled program; `name` is live.
    let status =
        unsafe { (owned.functions.lowered_name)(owned.handle, expression.as_ptr(), &raw mut name) };
    if status != SUCCESS || name.is_null() {
        check(owned.functions, "nvrtcGetLoweredName", status)?;
        return Ok(String::new());
    }
    // SAFETY: not null; NUL-terminated and owned by the program, which outlives this copy.
    Ok(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

/// Reads one of NVRTC's outputs: its size, then its bytes.
fn bytes(
    owned: &Owned<'_>,
    call: &'static str,
    size_of: unsafe extern "C" fn(Handle, *mut usize) -> c_int,
    read: unsafe extern "C" fn(Handle, *mut c_char) -> c_int,
) -> Result<Vec<u8>, NvrtcError> {
    let mut size = 0_usize;
    // SAFETY: a live program and a live integer.
    check(owned.functions, call, unsafe { size_of(owned.handle, &raw mut size) })?;
    let mut buffer = vec![0_u8; size];
    // SAFETY: NVRTC writes exactly the `size` bytes it has just announced.
    check(owned.functions, call, unsafe { read(owned.handle, buffer.as_mut_ptr().cast()) })?;
    Ok(buffer)
}

/// The text before the terminating NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn c_string(what: &'static str, text: &str) -> Result<CString, NvrtcError> {
    CString::new(text).map_err(|_| NvrtcError::Nul { what })
}

fn length(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}
