//! Modules of code, and the kernels in them.

use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;

use cudarc::driver::sys::{CUfunction, CUfunction_attribute as Attribute, CUjit_option, CUmodule};

use super::{Code, Context, DriverFault, call};

/// Room for what the driver's compiler says, bytes.
const LOG_BYTES: usize = 16 << 10;

/// Parameters a kernel has at most: 32,764 bytes of them, and none is empty.
const PARAMETERS_MAX: usize = 32_764;

/// Loaded code, unloaded on drop.
#[derive(Debug)]
pub(in crate::cuda) struct Module {
    context: Arc<Context>,
    raw: CUmodule,
}

// SAFETY: a module is a handle in a context that any thread may use.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// Loads a device binary.
    pub(in crate::cuda) fn from_cubin(
        context: &Arc<Context>,
        cubin: &[u8],
    ) -> Result<Arc<Self>, DriverFault> {
        // The driver takes no length, so it must at least be a whole header.
        if !cubin.starts_with(b"\x7fELF") || cubin.len() < 64 {
            let detail = "it is no device binary".to_owned();
            return Err(DriverFault::own(
                "cuModuleLoadDataEx",
                Code::CUDA_ERROR_INVALID_IMAGE,
                detail,
            ));
        }
        Self::load(context, cubin)
    }

    /// Compiles PTX and loads what comes out.
    pub(in crate::cuda) fn from_ptx(
        context: &Arc<Context>,
        ptx: &str,
    ) -> Result<Arc<Self>, DriverFault> {
        let text = CString::new(ptx).map_err(|_| {
            let detail = "the text has a zero byte in it".to_owned();
            DriverFault::own("cuModuleLoadDataEx", Code::CUDA_ERROR_INVALID_PTX, detail)
        })?;
        Self::load(context, text.as_bytes_with_nul())
    }

    fn load(context: &Arc<Context>, image: &[u8]) -> Result<Arc<Self>, DriverFault> {
        context.bind()?;
        let mut log = vec![0_u8; LOG_BYTES];
        let mut options = [
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER,
            CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
        ];
        // Numbers are passed in the place of the pointer.
        let mut values =
            [log.as_mut_ptr().cast::<c_void>(), std::ptr::without_provenance_mut(LOG_BYTES)];
        let mut raw = std::ptr::null_mut();
        // SAFETY: the image is a binary, which carries its own length, or text that ends in 0; two
        // options with their two values; the log is as long as the second says and outlives the
        // call.
        let loaded = unsafe {
            call!(cuModuleLoadDataEx(
                &raw mut raw,
                image.as_ptr().cast(),
                2,
                options.as_mut_ptr(),
                values.as_mut_ptr(),
            ))
        };
        match loaded {
            Ok(()) => Ok(Arc::new(Self { context: Arc::clone(context), raw })),
            Err(fault) => {
                let said = log.split(|&byte| byte == 0).next().unwrap_or_default();
                let said = String::from_utf8_lossy(said).trim().to_owned();
                Err(if said.is_empty() { fault } else { fault.with(said) })
            }
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.context.bind_to_release() {
            // SAFETY: loaded by `load`, unloaded once here; every function of it keeps it alive.
            if let Err(fault) = unsafe { call!(cuModuleUnload(self.raw)) } {
                tracing::debug!(%fault, "a module was not unloaded");
            }
        }
    }
}

/// A kernel.
#[derive(Clone, Debug)]
pub(in crate::cuda) struct Function {
    module: Arc<Module>,
    raw: CUfunction,
    /// Sizes of the parameters, bytes.
    parameters: Arc<[usize]>,
}

// SAFETY: a function is a handle in a module that any thread may use.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

impl Function {
    /// The kernel of that name.
    pub(in crate::cuda) fn find(module: &Arc<Module>, name: &str) -> Result<Self, DriverFault> {
        let text = CString::new(name).map_err(|_| {
            let detail = "the name has a zero byte in it".to_owned();
            DriverFault::own("cuModuleGetFunction", Code::CUDA_ERROR_NOT_FOUND, detail)
        })?;
        module.context.bind()?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: writes one handle; the name ends in 0; the module is loaded.
        unsafe { call!(cuModuleGetFunction(&raw mut raw, module.raw, text.as_ptr())) }
            .map_err(|fault| fault.with(format!("kernel `{name}`")))?;
        let parameters = parameters(raw)?;
        Ok(Self { module: Arc::clone(module), raw, parameters })
    }

    /// Sizes of its parameters, in order, bytes.
    pub(in crate::cuda) fn parameter_sizes(&self) -> impl ExactSizeIterator<Item = usize> {
        self.parameters.iter().copied()
    }

    pub(super) fn raw(&self) -> CUfunction {
        self.raw
    }

    /// Static shared memory of a block, bytes.
    pub(in crate::cuda) fn shared_memory_bytes(&self) -> Result<u32, DriverFault> {
        self.number(Attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
    }

    /// Threads a block may have, as its registers allow.
    pub(in crate::cuda) fn threads_max(&self) -> Result<u32, DriverFault> {
        self.number(Attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
    }

    /// Registers of a thread.
    pub(in crate::cuda) fn registers(&self) -> Result<u32, DriverFault> {
        self.number(Attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)
    }

    /// Allows that many bytes of dynamic shared memory and asks for as much of the cache as can
    /// be had as shared memory.
    pub(in crate::cuda) fn allow_shared_memory(&self, bytes: u32) -> Result<(), DriverFault> {
        self.set(Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes)?;
        self.set(Attribute::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 100)
    }

    /// Allows clusters larger than every device of the architecture has.
    pub(in crate::cuda) fn allow_large_clusters(&self) -> Result<(), DriverFault> {
        self.set(Attribute::CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1)
    }

    fn number(&self, which: Attribute) -> Result<u32, DriverFault> {
        self.module.context.bind()?;
        let mut value = 0;
        // SAFETY: writes one integer; the module that the function is in is kept.
        unsafe { call!(cuFuncGetAttribute(&raw mut value, which, self.raw)) }?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    fn set(&self, which: Attribute, value: u32) -> Result<(), DriverFault> {
        self.module.context.bind()?;
        let value = c_int::try_from(value).unwrap_or(c_int::MAX);
        // SAFETY: takes integers; the module that the function is in is kept.
        unsafe { call!(cuFuncSetAttribute(self.raw, which, value)) }
    }
}

fn parameters(raw: CUfunction) -> Result<Arc<[usize]>, DriverFault> {
    let mut parameters = Vec::new();
    while parameters.len() < PARAMETERS_MAX {
        let (mut offset, mut size_bytes) = (0, 0);
        let (at, size) = (&raw mut offset, &raw mut size_bytes);
        // SAFETY: writes two integers; the function was found just now.
        match unsafe { call!(cuFuncGetParamInfo(raw, parameters.len(), at, size)) } {
            Ok(()) => parameters.push(size_bytes),
            // There is none of that number.
            Err(fault) if fault.code == Code::CUDA_ERROR_INVALID_VALUE => break,
            Err(fault) => return Err(fault),
        }
    }
    Ok(parameters.into())
}
