//! From CubeCL IR to CUDA C++.
//!
//! CubeCL's own signature passes scalars and extents in a structure that its runtime fills; Ridge's
//! launches pass tensors, extents and scalars one by one. So the signature and what stands before
//! the body are written here, and the body is CubeCL's.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use cubecl_core::Compiler as _;
use cubecl_core::{CubeDim, ExecutionMode};
use cubecl_cpp::ComputeKernel;
use cubecl_cpp::cuda::CudaDialect;
use cubecl_cpp::cuda::mma::CudaWmmaCompiler;
use cubecl_cpp::shared::{
    CompilationOptions, CppCompiler, CppSupportedFeatures, DialectIncludes, DialectTypes, Item,
    SharedMemory, type_definitions, type_vectorized_definitions,
};
use cubecl_ir::{ElemType, UIntKind};
use cubecl_runtime::kernel::{KernelDefinition, KernelOptions};
use ridge_spec::outcome::Rejection;

use super::kernel::{Kernel, axis_name, elem, scalar_name, tensor_name};
use super::refused;

type Dialect = CudaDialect<CudaWmmaCompiler>;

/// CubeCL numbers temporary names with one counter for the whole process: kernels are written one
/// at a time, so that the same kernel always has the same text.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Minimum and maximum that are NaN where an operand is, as the language has them. In the kernel's
/// namespace they hide CUDA's, which drop NaN.
const NAN_AWARE: &str = r#"__device__ __forceinline__ float max(float a, float b) {
    float r;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
    return r;
}
__device__ __forceinline__ float min(float a, float b) {
    float r;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
    return r;
}
__device__ __forceinline__ double max(double a, double b) { return a > b || a != a ? a : b; }
__device__ __forceinline__ double min(double a, double b) { return a < b || a != a ? a : b; }
__device__ __forceinline__ int64 max(int64 a, int64 b) { return a > b ? a : b; }
__device__ __forceinline__ int64 min(int64 a, int64 b) { return a < b ? a : b; }
"#;

/// A written kernel.
pub(super) struct Written {
    pub(super) text: String,
    /// The C++ name expression of the kernel.
    pub(super) entry: String,
    /// Dynamic shared memory of a block, bytes.
    pub(super) shared_memory_bytes: u64,
}

/// Writes a kernel whose body is finished.
pub(super) fn write(kernel: Kernel<'_>, name: &str) -> Result<Written, Rejection> {
    // Whatever is refused is refused before this: a panic is a mistake, and costs one candidate.
    catch_unwind(AssertUnwindSafe(|| write_unguarded(kernel, name)))
        .unwrap_or_else(|_| Err(refused("CubeCL gave up on the kernel")))
}

fn write_unguarded(mut kernel: Kernel<'_>, name: &str) -> Result<Written, Rejection> {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let code = std::mem::replace(&mut kernel.code, super::code::Code::new());
    // With an ending of its own, no kernel's name is a keyword, a type or a function in C++.
    let name = format!("{}_kernel", name.replace('-', "_"));
    let definition = KernelDefinition {
        buffers: Vec::new(),
        tensor_maps: Vec::new(),
        scalars: Vec::new(),
        cube_dim: CubeDim::new_2d(
            u32::try_from(kernel.schedule.threads_per_row).unwrap_or(u32::MAX),
            u32::try_from(kernel.schedule.rows_per_block).unwrap_or(u32::MAX),
        ),
        body: code.finish(),
        options: KernelOptions { kernel_name: name.clone(), ..KernelOptions::default() },
    };
    let options = CompilationOptions {
        warp_size: 32,
        supports_features: CppSupportedFeatures {
            fast_math: true,
            fast_tanh: true,
            grid_constants: true,
            ..CppSupportedFeatures::default()
        },
    };
    let address = ElemType::UInt(UIntKind::U64).into();
    let mut compiler = CppCompiler::<Dialect>::default();
    let mut compiled = compiler
        .compile(definition, &options, ExecutionMode::Unchecked, address)
        .map_err(|error| refused(&error))?;
    let shared_memory_bytes = lay_out(&mut compiled);
    let text = Source { kernel: &kernel, compiled: &compiled, name: &name }.to_string();
    Ok(Written { text, entry: format!("ridge::{name}"), shared_memory_bytes })
}

/// Gives every array in shared memory its own place. CubeCL would let arrays share one that are not
/// in use at the same time in one thread, which other threads may still be reading.
fn lay_out(compiled: &mut ComputeKernel<Dialect>) -> u64 {
    compiled.body.shared_memories.sort_by_key(|memory| match memory {
        SharedMemory::Array { index, .. } | SharedMemory::Value { index, .. } => *index,
    });
    let mut end = 0_usize;
    for memory in &mut compiled.body.shared_memories {
        let size = memory.size();
        match memory {
            SharedMemory::Array { offset, .. } | SharedMemory::Value { offset, .. } => {
                *offset = end;
            }
        }
        end = (end + size).next_multiple_of(16);
    }
    end as u64
}

/// The whole text, displayed.
struct Source<'a> {
    kernel: &'a Kernel<'a>,
    compiled: &'a ComputeKernel<Dialect>,
    name: &'a str,
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = &self.compiled.flags;
        <Dialect as DialectIncludes<Dialect>>::compile_includes(f, flags)?;
        if self.kernel.schedule.is_programmatic {
            f.write_str("#include <ridge/launch.cuh>\n")?;
        }
        f.write_str("\nnamespace ridge {\n")?;
        type_definitions::<Dialect>(f)?;
        // In the order of their names: a set has none of its own.
        let items: BTreeMap<String, Item<Dialect>> =
            self.compiled.items.iter().map(|item| (item.to_string(), *item)).collect();
        for item in items.values() {
            type_vectorized_definitions::<Dialect>(f, &std::iter::once(*item).collect())?;
        }
        f.write_str("\n")?;
        <Dialect as DialectTypes<Dialect>>::compile_polyfills(f, flags)?;
        f.write_str(NAN_AWARE)?;
        self.signature(f)?;
        f.write_str(" {\n")?;
        if self.kernel.schedule.is_programmatic {
            f.write_str("allow_next_kernel();\nwait_for_kernel_before();\n")?;
        }
        self.prologue(f)?;
        // The language's conversion to eight bits saturates. It is also the one that the hardware has:
        // CubeCL's spelling is computed in software, bit by bit.
        let body = self.compiled.body.to_string().replace("__NV_NOSAT", "__NV_SATFINITE");
        write!(f, "{body}\n}}\n\n}}  // namespace ridge\n")
    }
}

impl Source<'_> {
    /// A load that the compiler knows to be of constant memory it may move before the wait for the
    /// kernel that writes this memory.
    fn restrict(&self) -> &'static str {
        if self.kernel.schedule.is_programmatic { "" } else { "__restrict__ " }
    }

    fn signature(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schedule = self.kernel.schedule;
        let (threads, blocks) = (schedule.threads(), schedule.blocks_per_multiprocessor);
        let bounds = if blocks > 1 { format!("{threads}, {blocks}") } else { threads.to_string() };
        writeln!(f, "\n__global__ void __launch_bounds__({bounds}) {}(", self.name)?;
        let mut parameters = Vec::new();
        for input in self.kernel.instance.inputs() {
            let (ty, name) = (element(elem(input.dtype)), tensor_name(&input.name, false));
            parameters.push(format!("const {ty}* {}{name}", self.restrict()));
        }
        for output in self.kernel.instance.outputs() {
            let (ty, name) = (element(elem(output.dtype)), tensor_name(&output.name, true));
            parameters.push(format!("{ty}* {}{name}", self.restrict()));
        }
        for axis in self.kernel.dynamic.keys() {
            parameters.push(format!("uint32 {}", axis_name(axis)));
        }
        for scalar in self.kernel.instance.scalars() {
            let ty = element(elem(scalar.dtype));
            parameters.push(format!("{ty} {}", scalar_name(&scalar.name)));
        }
        for (at, parameter) in parameters.iter().enumerate() {
            let comma = if at + 1 < parameters.len() { ",\n" } else { ")" };
            write!(f, "    {parameter}{comma}")?;
        }
        Ok(())
    }

    /// The names that the body uses and does not declare.
    fn prologue(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, view) in self.kernel.views.iter().enumerate() {
            let elem = element(view.elem);
            let ty = if view.width > 1 { format!("{elem}_{}", view.width) } else { elem };
            let constant = if view.is_output { "" } else { "const " };
            let name = tensor_name(&view.tensor, view.is_output);
            let restrict = self.restrict();
            writeln!(
                f,
                "{constant}{ty}* {restrict}buffer_{at} = reinterpret_cast<{constant}{ty}*>({name});"
            )?;
        }
        for given in &self.kernel.given {
            let ty = element(given.variable.elem_type());
            let Some(id) = given.variable.index() else { continue };
            writeln!(f, "const {ty} l_{id} = {};", given.text)?;
        }
        Ok(())
    }
}

/// An element type as CubeCL spells it in CUDA C++.
fn element(elem: ElemType) -> String {
    use cubecl_ir::{FloatKind, IntKind};
    match elem {
        ElemType::Float(kind) => match kind {
            FloatKind::F64 => "double",
            FloatKind::F16 => "__half",
            FloatKind::BF16 => "__nv_bfloat16",
            FloatKind::E4M3 | FloatKind::E5M2 | FloatKind::UE8M0 => "__nv_fp8_storage_t",
            FloatKind::F32 | FloatKind::Flex32 | FloatKind::TF32 => "float",
            FloatKind::E2M1 | FloatKind::E2M3 | FloatKind::E3M2 => "uint8",
        },
        ElemType::Int(kind) => match kind {
            IntKind::I8 => "int8",
            IntKind::I16 => "int16",
            IntKind::I32 => "int32",
            IntKind::I64 => "int64",
        },
        ElemType::UInt(kind) => match kind {
            UIntKind::U8 => "uint8",
            UIntKind::U16 => "uint16",
            UIntKind::U32 => "uint32",
            UIntKind::U64 => "uint64",
        },
        ElemType::Bool => "bool",
    }
    .to_owned()
}
