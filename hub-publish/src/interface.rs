//! The Python function that a kernel becomes: names, parameters, what it can learn from tensors.

use ridge_spec::kernel::{AxisKind, DtypeRef, KernelSpec};

use crate::publication::PublishError;

/// Words that no Python name may be (Python 3.14, `keyword.kwlist`).
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// What a published module has beside the kernel's function.
const MODULE_NAMES: [&str; 4] = ["chain", "layers", "reference", "why"];

/// Whether Python keeps the word for itself.
pub(crate) fn is_python_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// The Python name of an input: its own, or with an underscore where Python keeps that.
pub(crate) fn python_name(name: &str) -> String {
    if is_python_keyword(name) { format!("{name}_") } else { name.to_owned() }
}

/// The Python name of the kernel's function and package: `silu_mul` for `silu-mul`.
pub(crate) fn function_name(spec: &KernelSpec) -> String {
    spec.name.as_str().replace('-', "_")
}

/// Whether the function can learn everything from its arguments.
///
/// # Errors
/// [`PublishError::Interface`] for an axis that no input tensor has, a type variable that none has,
/// or a name that Python does not take.
pub(crate) fn check(spec: &KernelSpec) -> Result<(), PublishError> {
    let refuse = |subject: &str, reason| {
        Err(PublishError::Interface {
            kernel: spec.name.to_string(),
            subject: subject.to_owned(),
            reason,
        })
    };
    let tensors = || spec.inputs.values().filter(|declaration| declaration.shape.is_some());
    for (axis, kind) in &spec.axes {
        let known = tensors().any(|tensor| tensor.shape.iter().flatten().any(|own| own == axis));
        if !known && !matches!(kind, AxisKind::Derived(_)) {
            return refuse(
                axis,
                "no input tensor has this axis, so a call does not say its extent",
            );
        }
    }
    for variable in spec.types.keys() {
        let own = DtypeRef::Variable(variable.clone());
        if !tensors().any(|tensor| tensor.dtype == own) {
            return refuse(variable, "no input tensor is of this type, so a call does not say it");
        }
    }
    for input in spec.inputs.keys() {
        if input == "out" {
            return refuse(input, "the function's own argument for the outputs has that name");
        }
        if is_python_keyword(input) {
            return refuse(input, "Python keeps the word for itself");
        }
    }
    let function = function_name(spec);
    if is_python_keyword(&function) {
        return refuse(spec.name.as_str(), "Python keeps the word for itself");
    }
    if MODULE_NAMES.contains(&function.as_str()) {
        return refuse(spec.name.as_str(), "the published module has something else of that name");
    }
    Ok(())
}
