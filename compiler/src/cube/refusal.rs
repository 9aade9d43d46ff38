//! What is refused, and what to write instead.

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::expression::IntegerExpression;
use ridge_spec::math::Node;

pub(super) fn no_math() -> Diagnostic {
    Diagnostic::new("cube.reference", "a cube kernel is generated from `math`, and there is none")
}

pub(super) fn no_output() -> Diagnostic {
    Diagnostic::new("cube.outputs", "a kernel without outputs does nothing")
}

pub(super) fn dynamic_bound(node: &Node, expression: &IntegerExpression, axis: &str) -> Diagnostic {
    let message = format!("`{expression}` is not known to the compiler: `{axis}` is dynamic");
    Diagnostic::new("cube.dynamic-bound", message)
        .at(node.location.clone())
        .hint(format!("make `{axis}` specialized"))
}

pub(super) fn dynamic_inner(node: &Node, axis: &str) -> Diagnostic {
    let message = format!("{} goes along `{axis}`, whose extent is dynamic", what(node));
    Diagnostic::new("cube.dynamic-inner", message)
        .at(node.location.clone())
        .hint(format!("make `{axis}` specialized: each extent is its own artifact"))
}

pub(super) fn outer_axis(node: &Node, outer: &str, input: &str, behind: &str) -> Diagnostic {
    let message = format!(
        "{} goes along `{outer}`, behind which `{input}` has the axis `{behind}`",
        what(node),
    );
    Diagnostic::new("cube.outer-axis", message)
        .at(node.location.clone())
        .hint(format!("declare `{input}` with `{outer}` last, or write this kernel in CUDA C++"))
}

pub(super) fn nested_reduction(node: &Node, axis: &str, rows: &[String]) -> Diagnostic {
    let message = format!(
        "{} goes along `{axis}`, along which another reduction keeps its values (rows are {})",
        what(node),
        list(rows),
    );
    Diagnostic::new("cube.nested-reduction", message)
        .at(node.location.clone())
        .hint("reduce over every inner axis at once, or make this its own kernel")
}

pub(super) fn another_row(node: &Node, reduction: &Node, axis: &str) -> Diagnostic {
    let message = format!(
        "{} reads {} at another place along `{axis}`, where another row makes it",
        what(node),
        what(reduction),
    );
    Diagnostic::new("cube.another-row", message).at(node.location.clone()).hint(
        "read the tensor it is made of there and reduce that, or make the reduction a kernel of \
         its own",
    )
}

pub(super) fn different_reductions(node: &Node, own: &[String], first: &Node) -> Diagnostic {
    let message = format!(
        "{} goes along {}, and {} of the same sweep does not",
        what(node),
        list(own),
        what(first),
    );
    Diagnostic::new("cube.different-reductions", message)
        .at(node.location.clone())
        .hint("reduce over the same axes, or make two kernels")
}

pub(super) fn missing_row(node: &Node, output: &str, missing: &str) -> Diagnostic {
    let message = format!("`{output}` has no axis `{missing}`, and every row would write it");
    Diagnostic::new("cube.outputs", message)
        .at(node.location.clone())
        .hint("make it a kernel of its own")
}

pub(super) fn inner_order(
    node: &Node,
    output: &str,
    inner: &[String],
    rows: &[String],
) -> Diagnostic {
    let message = format!(
        "the axes of `{output}` must be those of the rows, {}, and then {}",
        list(rows),
        list(inner),
    );
    Diagnostic::new("cube.outputs", message)
        .at(node.location.clone())
        .hint("declare the output's shape in that order")
}

pub(super) fn different_outputs(node: &Node, output: &str, first: &str) -> Diagnostic {
    let message = format!("`{output}` and `{first}` run along different inner axes");
    Diagnostic::new("cube.outputs", message)
        .at(node.location.clone())
        .hint("outputs of one kernel have the same inner axes; make two kernels")
}

/// A value as messages call it: its name, or what makes it.
fn what(node: &Node) -> String {
    match &node.name {
        Some(name) => format!("`{name}` ({})", node.op),
        None => format!("`{}`", node.op),
    }
}

fn list(axes: &[String]) -> String {
    if axes.is_empty() {
        return "none".to_owned();
    }
    axes.iter().map(|axis| format!("`{axis}`")).collect::<Vec<_>>().join(", ")
}
