//! `reference.py`: the spec's mathematics as torch code.
//!
//! The graph has named axes and torch has positions, so every value here is a tensor whose
//! dimensions are the node's axes in order; operands are permuted and widened to the axes of the
//! result. Real numbers are computed in binary32 (binary64 where an input or output is), whole
//! numbers and positions as 64-bit integers, and outputs are rounded once, at the end.

mod emit;
mod indexing;
mod value;

use std::collections::BTreeSet;

use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{AxisKind, DtypeRef, KernelSpec, Reference, TensorDeclaration};
use ridge_spec::math::Program;

use crate::interface::python_name;
use emit::Emitter;

/// Rounding as the reference's `cast` and a kernel's stores do it.
const CAST: &str = r#"
def _cast(value, dtype):
    # To nearest for floating point, towards zero for integers. What does not fit saturates in 8-bit
    # floating point and in integers, as the hardware's conversions do, and is infinite in the rest.
    import torch

    if dtype == torch.bool:
        return value != 0
    if dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        largest = torch.finfo(dtype).max
        return value.clamp(-largest, largest).to(dtype)
    if dtype.is_floating_point or not value.dtype.is_floating_point:
        return value.to(dtype)
    limits = torch.iinfo(dtype)
    value = torch.nan_to_num(value.to(torch.float64), nan=0.0)
    return value.clamp(limits.min, limits.max).to(dtype)
"#;

/// Integer functions of the spec's expressions that Python does not have.
const INTEGERS: &[(&str, &str)] = &[
    (
        "div(",
        "\ndef div(a, b):\n    quotient = abs(a) // abs(b)\n    return quotient if (a < 0) == (b < 0) else -quotient\n",
    ),
    (
        "rem(",
        "\ndef rem(a, b):\n    remainder = abs(a) % abs(b)\n    return -remainder if a < 0 else remainder\n",
    ),
    ("ceil_div(", "\ndef ceil_div(a, b):\n    return -(-a // b)\n"),
    ("align_up(", "\ndef align_up(a, b):\n    return -(-a // b) * b\n"),
    ("is_power_of_two(", "\ndef is_power_of_two(a):\n    return int(a > 0 and a & (a - 1) == 0)\n"),
    ("truth(", "\ndef truth(a):\n    return int(bool(a))\n"),
];

/// The module's text; `None` where the reference is no mathematics, or has nothing to compute on.
pub fn python(spec: &KernelSpec) -> Option<String> {
    let Reference::Math(program) = &spec.reference else { return None };
    tensors(spec).next()?;
    let mut emitter = Emitter::new(spec, program);
    for node in program.graph().node_indices() {
        emitter.node(node)?;
    }
    let returned: Option<Vec<String>> =
        program.outputs().iter().map(|output| emitter.output(output)).collect();
    let returned = match returned?.as_slice() {
        [one] => one.clone(),
        many => format!("(\n        {},\n    )", many.join(",\n        ")),
    };
    let function = format!("{}    return {returned}\n", emitter.finish(&returned));
    let mut text = header(spec, program);
    let parameters: Vec<String> = spec.inputs.keys().map(|name| python_name(name)).collect();
    for (call, definition) in INTEGERS {
        if uses(&function, call) {
            text.push('\n');
            text.push_str(definition);
        }
    }
    if function.contains("_cast(") {
        text.push('\n');
        text.push_str(CAST);
    }
    text.push_str(&format!("\n\ndef run({}):\n    import torch\n\n", parameters.join(", ")));
    text.push_str(&function);
    Some(text)
}

/// Whether the text calls a function, and not one whose name ends the same.
fn uses(text: &str, call: &str) -> bool {
    text.match_indices(call).any(|(at, _)| {
        !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    })
}

fn header(spec: &KernelSpec, program: &Program) -> String {
    let mut text =
        format!("\"\"\"The mathematics of `{}` in torch: what its kernels compute.\n\n", spec.name);
    for line in program.to_string().lines() {
        text.push_str(&format!("    {}\n", line.replace('\\', "\\\\").replace("\"\"\"", "'''")));
    }
    text.push_str("\"\"\"\n");
    text
}

/// The tensor inputs.
fn tensors(spec: &KernelSpec) -> impl Iterator<Item = (&str, &TensorDeclaration, &[String])> {
    spec.inputs.iter().filter_map(|(name, declaration)| {
        Some((name.as_str(), declaration, declaration.shape.as_deref()?))
    })
}

/// How Python gets the extent of a declared axis: from a tensor, or from other axes.
enum Extent<'a> {
    /// The place among a tensor's dimensions.
    Of(&'a str, usize),
    /// An expression over other axes.
    Derived(&'a ridge_spec::expression::IntegerExpression),
}

fn extent<'a>(spec: &'a KernelSpec, axis: &str) -> Option<Extent<'a>> {
    let place = tensors(spec).find_map(|(name, _, axes)| {
        Some(Extent::Of(name, axes.iter().position(|other| other == axis)?))
    });
    place.or_else(|| match spec.axes.get(axis)? {
        AxisKind::Derived(expression) => Some(Extent::Derived(expression)),
        AxisKind::Dynamic | AxisKind::Specialized => None,
    })
}

/// The dtypes that a declaration may have.
fn dtypes(spec: &KernelSpec, dtype: &DtypeRef) -> BTreeSet<Dtype> {
    match dtype {
        DtypeRef::Fixed(dtype) => BTreeSet::from([*dtype]),
        DtypeRef::Variable(name) => spec.types.get(name).into_iter().flatten().copied().collect(),
    }
}

/// How Python writes a dtype: of torch, or of the first tensor that has the variable's.
fn torch_dtype(spec: &KernelSpec, dtype: &DtypeRef) -> Option<String> {
    match dtype {
        DtypeRef::Fixed(dtype) => Some(format!("torch.{}", torch_name(*dtype))),
        DtypeRef::Variable(_) => tensors(spec)
            .find(|(_, declaration, _)| declaration.dtype == *dtype)
            .map(|(name, ..)| format!("{}.dtype", python_name(name))),
    }
}

/// torch's name of a dtype.
pub(crate) const fn torch_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "float64",
        Dtype::F32 => "float32",
        Dtype::F16 => "float16",
        Dtype::Bf16 => "bfloat16",
        Dtype::F8e4m3 => "float8_e4m3fn",
        Dtype::F8e5m2 => "float8_e5m2",
        Dtype::I64 => "int64",
        Dtype::I32 => "int32",
        Dtype::I16 => "int16",
        Dtype::I8 => "int8",
        Dtype::U32 => "uint32",
        Dtype::U8 => "uint8",
        Dtype::Bool => "bool",
    }
}
