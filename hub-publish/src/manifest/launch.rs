//! The launch of an entry, as expressions over the axes that only a call knows.

use ridge_spec::expression::{IntegerExpression, Scope};
use ridge_spec::kernel::{Instance, KernelSpec, LaunchArgument};
use serde_json::{Value, json};

use crate::expression;

/// The launch rule with everything but the call's axes put in.
///
/// # Errors
/// Why there is none, as a clause.
pub(super) fn rule(spec: &KernelSpec, instance: &Instance, scope: &Scope) -> Result<Value, String> {
    let Some(rule) = &spec.launch else { return Err("the spec has no launch rule".to_owned()) };
    let sizes = |sizes: &[IntegerExpression]| -> Vec<String> {
        let given = sizes.iter().map(|size| expression::python(size, scope));
        given.chain(std::iter::repeat("1".to_owned())).take(3).collect()
    };
    let shared = rule.shared_memory_bytes.as_ref();
    let shared = shared.map_or_else(|| "0".to_owned(), |own| expression::python(own, scope));
    // A device without clusters runs clusters of one block, but not a launch that asks for them.
    let cluster = rule.cluster.as_ref().map(|cluster| sizes(cluster));
    let cluster = cluster.filter(|cluster| cluster.iter().any(|size| size != "1"));
    let programmatic = match rule.programmatic.as_ref().map(|own| own.residual(scope)) {
        None => false,
        Some(left) => match left.known().and_then(ridge_spec::expression::Value::as_integer) {
            Some(value) => value != 0,
            None => return Err("`programmatic` depends on an axis of the call".to_owned()),
        },
    };
    let arguments: Result<Vec<Value>, String> =
        rule.arguments.iter().map(|own| argument(own, instance, scope)).collect();
    Ok(json!({
        "grid": sizes(&rule.grid),
        "block": sizes(&rule.block),
        "shared_memory_bytes": shared,
        "cluster": cluster,
        "programmatic": programmatic,
        "arguments": arguments?,
    }))
}

fn argument(
    argument: &LaunchArgument,
    instance: &Instance,
    scope: &Scope,
) -> Result<Value, String> {
    match argument {
        LaunchArgument::Tensor(name) => Ok(json!({ "kind": "tensor", "name": name })),
        LaunchArgument::Scalar(name) => {
            let scalar = instance.scalars().iter().find(|scalar| scalar.name == *name);
            let scalar = scalar.ok_or_else(|| format!("the argument `{name}` has no type"))?;
            Ok(json!({ "kind": "scalar", "name": name, "dtype": scalar.dtype.name() }))
        }
        LaunchArgument::Integer(own) => {
            Ok(json!({ "kind": "integer", "expression": expression::python(own, scope) }))
        }
    }
}
