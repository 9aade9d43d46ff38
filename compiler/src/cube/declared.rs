//! What a spec declares, as the generated kernel needs it.

use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{AxisKind, DtypeRef, KernelSpec};
use ridge_spec::math::{CastTarget, Op, Program};

/// The dtypes that a declared input or output may have.
fn dtypes(spec: &KernelSpec, dtype: &DtypeRef) -> Vec<Dtype> {
    match dtype {
        DtypeRef::Fixed(dtype) => vec![*dtype],
        DtypeRef::Variable(name) => spec.types.get(name).cloned().unwrap_or_default(),
    }
}

/// Whether a workload may have numbers in binary64.
pub(super) fn may_be_double(spec: &KernelSpec, program: &Program) -> bool {
    let casts = program.graph().node_weights().any(|node| match &node.op {
        Op::Cast(CastTarget::Dtype(dtype)) => *dtype == Dtype::F64,
        Op::Cast(CastTarget::Variable(name)) => {
            spec.types.get(name).is_some_and(|dtypes| dtypes.contains(&Dtype::F64))
        }
        _ => false,
    });
    let declared = spec.inputs.values().chain(spec.outputs.values());
    casts || declared.flat_map(|own| dtypes(spec, &own.dtype)).any(|dtype| dtype == Dtype::F64)
}

/// The axes whose extents are known at launch only, sorted.
pub(super) fn dynamic_axes(spec: &KernelSpec) -> Vec<&str> {
    let names = spec.axes.iter().filter(|(name, kind)| {
        // A derived axis of dynamic ones is passed too: the kernel does not divide for it.
        matches!(kind, AxisKind::Dynamic | AxisKind::Derived(_)) && !spec.is_specialized(name)
    });
    let mut names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}
