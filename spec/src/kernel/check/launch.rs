//! The launch rule.

use super::super::wire::{Context, Text, v1};
use super::super::{LaunchArgument, LaunchRule};
use super::declarations::Declared;
use crate::diagnostic::Diagnostic;
use crate::expression::{IntegerExpression, Value};
use crate::space::SearchSpace;

pub(super) fn check(
    context: &Context,
    wire: &v1::Spec,
    is_cube: bool,
    declared: &Declared,
    space: &SearchSpace,
) -> Option<LaunchRule> {
    let Some(launch) = &wire.launch else {
        // Without a language nothing can be said.
        if !is_cube && wire.kernel.language.is_some() {
            let message = "a CUDA kernel needs `[launch]`".to_owned();
            let hint = "add `[launch]` with `arguments`, `grid` and `block`";
            context.push(context.at("spec.missing-key", &wire.kernel.span, message).hint(hint));
        }
        return None;
    };
    if is_cube {
        let message = "a cube kernel generates its launch: `[launch]` has no use".to_owned();
        context.report("spec.cube", &launch.span, message);
        return None;
    }
    let expression =
        |text: Option<&Text>| declared.expression(context, text, &space.parameters, true);
    let dimensions = |what: &str, own: Option<&v1::Dimensions>| {
        let v1::Dimensions { span, sizes } = own?;
        if sizes.is_empty() || sizes.len() > 3 {
            let message = format!("`launch.{what}` has {} sizes", sizes.len());
            let hint = "give one to three: x, and where needed y and z";
            context.push(context.at("spec.launch", span, message).hint(hint));
        }
        let sizes: Vec<Option<IntegerExpression>> =
            sizes.iter().map(|text| expression(Some(text))).collect();
        sizes.into_iter().collect::<Option<Vec<_>>>()
    };
    let grid = dimensions("grid", launch.grid.as_ref());
    let block = dimensions("block", launch.block.as_ref());
    let cluster = dimensions("cluster", launch.cluster.as_ref());
    let arguments: Vec<Option<LaunchArgument>> =
        launch.arguments.iter().map(|text| argument(context, text, declared, space)).collect();
    for output in declared.outputs.keys() {
        if !launch.arguments.iter().any(|text| text.value == *output) {
            let message = format!("no argument passes the output `{output}`");
            let hint = "a kernel writes only what it is given: add it to `arguments`";
            context.push(context.at("spec.launch", &launch.span, message).hint(hint));
        }
    }
    Some(LaunchRule {
        arguments: arguments.into_iter().collect::<Option<_>>()?,
        grid: grid?,
        block: block?,
        shared_memory_bytes: expression(launch.shared_memory_bytes.as_ref()),
        cluster,
        programmatic: expression(launch.programmatic.as_ref()),
    })
}

/// A tensor, a scalar, or an expression.
fn argument(
    context: &Context,
    text: &Text,
    declared: &Declared,
    space: &SearchSpace,
) -> Option<LaunchArgument> {
    let name = text.value.as_str();
    if declared.outputs.contains_key(name) {
        return Some(LaunchArgument::Tensor(name.to_owned()));
    }
    if let Some(input) = declared.inputs.get(name) {
        return Some(match input.shape {
            Some(_) => LaunchArgument::Tensor(name.to_owned()),
            None => LaunchArgument::Scalar(name.to_owned()),
        });
    }
    let is_text = declared.types.contains_key(name)
        || space.parameters.iter().any(|own| {
            own.name == name && own.values.iter().any(|value| matches!(value, Value::Text(_)))
        });
    if is_text {
        let message = format!("`{name}` is a text, and an argument is a number or a tensor");
        let hint = "the source sees it as a template argument or macro";
        context.push(context.at("spec.launch", &text.span, message).hint(hint));
        return None;
    }
    let tensors: Vec<&str> =
        declared.inputs.keys().chain(declared.outputs.keys()).map(String::as_str).collect();
    // A bare name that nothing bears is more likely a tensor's than an axis's.
    if crate::space::is_name(name) && !is_integer_name(name, declared, space) {
        let message = format!("`{name}` names nothing that can be passed");
        let axes = declared.axes.keys().map(String::as_str);
        let parameters = space.parameters.iter().map(|own| own.name.as_str());
        let known: Vec<&str> = tensors.into_iter().chain(axes).chain(parameters).collect();
        let mut diagnostic: Diagnostic = context.at("spec.launch", &text.span, message);
        diagnostic.hint = crate::suggestion::hint(name, known);
        context.push(diagnostic);
        return None;
    }
    let expression = declared.expression(context, Some(text), &space.parameters, true);
    expression.map(LaunchArgument::Integer)
}

fn is_integer_name(name: &str, declared: &Declared, space: &SearchSpace) -> bool {
    declared.axes.contains_key(name)
        || space.parameters.iter().any(|own| own.name == name)
        || name == "true"
        || name == "false"
}
