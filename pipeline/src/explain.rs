//! How a spec's math becomes one kernel: sweeps over memory and the bytes they move, as data.

use ridge_compiler::cube;
pub use ridge_compiler::cube::Explanation;
use ridge_spec::kernel::Workload;

use crate::error::PipelineError;
use crate::folder::KernelFolder;
use crate::target;
use crate::tune::find_workload;

/// Explains a spec's math, whatever language its kernel is in, with the bytes of these workloads;
/// of all of them where none is named. Nothing is compiled.
///
/// # Errors
/// [`PipelineError::Spec`] for math that is no one kernel, or that is not there; an unknown target
/// or workload.
pub fn run(
    folder: &KernelFolder,
    workloads: &[String],
    target: Option<&str>,
) -> Result<Explanation, PipelineError> {
    let spec = &folder.spec;
    let profile = target::resolve(target, None)?;
    let workloads: Vec<&Workload> = if workloads.is_empty() {
        spec.workloads.iter().collect()
    } else {
        workloads.iter().map(|name| find_workload(spec, name)).collect::<Result<_, _>>()?
    };
    let bound = workloads.into_iter().map(|workload| spec.bind(workload, &profile));
    let instances =
        bound.collect::<Result<Vec<_>, _>>().map_err(|error| PipelineError::Spec(vec![error]))?;
    cube::explain(spec, &instances).map_err(PipelineError::Spec)
}
