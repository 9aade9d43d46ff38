//! The CubeCL front end: from the mathematics of a spec to a CUDA C++ kernel, without a device.
//!
//! ```text
//! [reference].math ──► Fusion ──► space, launch                    (once a spec)
//!                        │
//!         candidate ──► Schedule ──► CubeCL IR ──► CUDA C++ ──► cuda::Unit ──► NVRTC
//! ```
//!
//! [`Fusion`] finds the rows, the sweeps over them and what cannot be one kernel; [`complete`] adds
//! the space and the launch that come with it to the spec; [`source`] writes one candidate's
//! kernel. A function of the math language is one arm in `operators`.
//!
//! **Invariants.** CubeCL lowers what was checked before, and only that: nothing a user writes makes
//! it panic. The same candidate always has the same text. No configuration file and no environment
//! is read.

mod access;
mod body;
mod code;
mod declared;
mod erfc;
mod evaluate;
mod explain;
mod fusion;
mod kernel;
mod moved;
mod operators;
mod reduce;
mod refusal;
mod schedule;
mod sizes;
mod space;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

pub use explain::{
    ExplainedBytes, ExplainedNode, ExplainedSweep, ExplainedWorkload, Explanation, explain,
};
pub use fusion::{Fusion, Sweep};
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::{Instance, KernelSpec};
use ridge_spec::outcome::{CompilerMessage, Rejection, Severity};
use ridge_spec::space::Candidate;
use ridge_spec::target::Architecture;

use crate::cuda::{Sources, Unit};
use kernel::Kernel;
use schedule::{Extents, Schedule};
use space::Generated;

/// Counts up when the same candidate is written as another kernel, or the generated space or launch
/// changes: records of kernels made before are then another kernel's.
pub const GENERATOR: u32 = 4;

/// Stack of the thread that writes a kernel, which goes down the graph from its outputs: enough for
/// as many operations behind one another as a program may have. Only what is used of it is memory.
const STACK_BYTES: usize = 256 << 20;

/// A candidate's kernel as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// CUDA C++.
    pub text: String,
    /// The C++ name expression of the kernel.
    pub entry: String,
    /// Dynamic shared memory of a block, bytes: at most what the launch gives it.
    pub shared_memory_bytes: u64,
}

/// Adds to a spec the space and the launch that are generated with its kernel. What the author
/// wrote in `[space]` narrows it.
///
/// # Errors
/// What cannot be fused, with its place in the math; parameters and values that the generated
/// space does not have. Codes `cube.*`.
pub fn complete(spec: &KernelSpec) -> Result<KernelSpec, Vec<Diagnostic>> {
    let fusion = Fusion::of(spec)?;
    let generated = Generated::of(spec, &fusion).map_err(|error| vec![error])?;
    let (space, launch) = generated.finish(spec)?;
    Ok(KernelSpec { space, launch: Some(launch), ..spec.clone() })
}

/// Writes the kernel of one candidate of a spec that [`complete`] has completed.
///
/// # Errors
/// A [`Rejection::Compile`] where the candidate and the workload do not go together.
pub fn source(
    spec: &KernelSpec,
    instance: &Instance,
    candidate: &Candidate,
) -> Result<Source, Rejection> {
    let fusion = Fusion::of(spec).map_err(|errors| {
        let first = errors.first().map_or("the graph cannot be fused", |error| &error.message);
        refused(&first)
    })?;
    let extents = Extents::of(fusion.program(), instance)?;
    let schedule = Schedule::of(&fusion, instance, &extents, candidate)?;
    let write = || {
        let mut kernel = Kernel::new(spec, &fusion, instance, &schedule, &extents);
        kernel.body()?;
        text::write(kernel, spec.name.as_str())
    };
    let written = std::thread::scope(|scope| {
        let writer = std::thread::Builder::new().stack_size(STACK_BYTES);
        let writer = writer.spawn_scoped(scope, write).map_err(|error| refused(&error))?;
        writer.join().unwrap_or_else(|_| Err(refused("the kernel cannot be written")))
    })?;
    Ok(Source {
        text: written.text,
        entry: written.entry,
        shared_memory_bytes: written.shared_memory_bytes,
    })
}

/// The unit of one candidate of a completed spec; the toolkit's headers are in `include_folders`.
///
/// # Errors
/// As [`source`].
pub fn unit(
    spec: &KernelSpec,
    instance: &Instance,
    candidate: &Candidate,
    include_folders: &[PathBuf],
    target: Architecture,
) -> Result<Unit, Rejection> {
    let source = source(spec, instance, candidate)?;
    let planned = spec.launch(instance, candidate)?.config.shared_memory_bytes;
    if source.shared_memory_bytes > u64::from(planned) {
        return Err(refused(&format!(
            "the kernel needs {} bytes of shared memory, and the launch gives {planned}",
            source.shared_memory_bytes
        )));
    }
    let name = format!("{}.cube.cu", spec.name);
    let sources = Sources::from_text(&name, &source.text, include_folders)
        .map_err(|error| error.to_rejection())?;
    Unit::new(Arc::new(sources), &source.entry, &[], &[], target)
}

/// A rejection for something wrong before the compiler runs.
fn refused(why: &(impl std::fmt::Display + ?Sized)) -> Rejection {
    Rejection::Compile {
        diagnostics: vec![CompilerMessage {
            file: None,
            line: None,
            column: None,
            severity: Severity::Error,
            message: why.to_string(),
        }],
        log: String::new(),
    }
}
