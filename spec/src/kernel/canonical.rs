//! The canonical text of a spec: sections and keys in one order, one spelling of each value.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{
    AxisKind, DtypeRef, KernelSpec, Language, LaunchRule, Reference, SPEC_SCHEMA,
    TensorDeclaration, Tolerance, Workload,
};
use crate::expression::{IntegerExpression, Value};
use crate::space::SearchSpace;

/// Writes a spec; its inverse is [`super::check::parse`].
pub(super) fn write(spec: &KernelSpec) -> String {
    let mut text = format!("schema = {SPEC_SCHEMA}\n");
    kernel(&mut text, spec);
    section(&mut text, "types", &spec.types, |_, dtypes| {
        array(dtypes.iter().map(|dtype| string(dtype.name())))
    });
    section(&mut text, "axes", &spec.axes, |name, kind| {
        axis(kind, spec.axis_descriptions.get(name))
    });
    section(&mut text, "inputs", &spec.inputs, |_, declaration| tensor(declaration));
    section(&mut text, "outputs", &spec.outputs, |_, declaration| tensor(declaration));
    let (key, value) = match &spec.reference {
        Reference::Math(program) => ("math", program.to_string()),
        Reference::Python { path, function } => ("python", format!("{path}::{function}")),
        Reference::Golden { path } => ("golden", path.clone()),
    };
    push(&mut text, "\n[reference]\n");
    line(&mut text, key, &string(&value));
    push(&mut text, "\n[tolerance]\n");
    for (key, value) in tolerance_entries(&spec.tolerance) {
        line(&mut text, key, &value);
    }
    if !spec.output_tolerances.is_empty() {
        line(&mut text, "outputs", &output_tolerances(&spec.output_tolerances));
    }
    space(&mut text, &spec.space);
    if let Some(rule) = &spec.launch {
        launch(&mut text, rule);
    }
    for own in &spec.workloads {
        workload(&mut text, own);
    }
    if let Some(cost) = &spec.cost {
        push(&mut text, "\n[cost]\n");
        optional(&mut text, "bytes_min", cost.bytes_min.as_ref());
        optional(&mut text, "flops", cost.flops.as_ref());
    }
    text
}

fn kernel(text: &mut String, spec: &KernelSpec) {
    push(text, "\n[kernel]\n");
    line(text, "name", &string(spec.name.as_str()));
    line(text, "description", &string(&spec.description));
    match &spec.language {
        Language::Cube => line(text, "language", &string("cube")),
        Language::Cuda { source, entry, options } => {
            line(text, "language", &string("cuda"));
            line(text, "source", &string(source));
            line(text, "entry", &string(entry));
            line(text, "options", &array(options.iter().map(|option| string(option))));
        }
    }
    line(text, "tags", &array(spec.tags.iter().map(|tag| string(tag))));
}

fn axis(kind: &AxisKind, description: Option<&String>) -> String {
    let (key, value) = match kind {
        AxisKind::Dynamic => ("kind", "dynamic"),
        AxisKind::Specialized => ("kind", "specialized"),
        AxisKind::Derived(expression) => ("expression", expression.text()),
    };
    let description = description.map(|text| ("description", string(text)));
    inline(std::iter::once((key, string(value))).chain(description))
}

fn tensor(declaration: &TensorDeclaration) -> String {
    let TensorDeclaration { shape, dtype, default, constant, description } = declaration;
    let shape = shape.as_ref().map(|axes| array(axes.iter().map(|axis| string(axis))));
    let dtype = match dtype {
        DtypeRef::Fixed(dtype) => dtype.name(),
        DtypeRef::Variable(name) => name,
    };
    let description = (!description.is_empty()).then(|| string(description));
    let entries = [
        ("shape", shape),
        ("dtype", Some(string(dtype))),
        ("default", default.map(number)),
        ("constant", constant.map(|constant| constant.to_string())),
        ("description", description),
    ];
    inline(entries.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

fn tolerance_entries(tolerance: &Tolerance) -> [(&'static str, String); 3] {
    [
        ("absolute", number(tolerance.absolute)),
        ("relative", number(tolerance.relative)),
        ("matched_ratio", number(tolerance.matched_ratio)),
    ]
}

fn output_tolerances(tolerances: &BTreeMap<String, Tolerance>) -> String {
    let own = |own| inline(tolerance_entries(own));
    inline(tolerances.iter().map(|(output, tolerance)| (output.as_str(), own(tolerance))))
}

fn space(text: &mut String, space: &SearchSpace) {
    let SearchSpace { parameters, constraints, default } = space;
    push(text, "\n[space]\n");
    line(text, "constraints", &array(constraints.iter().map(|own| string(own.text()))));
    if let Some(default) = default {
        line(text, "default", &inline(default.iter().map(|(name, own)| (name, value(own)))));
    }
    if !parameters.is_empty() {
        push(text, "\n[space.parameters]\n");
    }
    for parameter in parameters {
        line(text, &parameter.name, &array(parameter.values.iter().map(value)));
    }
}

fn launch(text: &mut String, rule: &LaunchRule) {
    let LaunchRule { arguments, grid, block, shared_memory_bytes, cluster, programmatic } = rule;
    let sizes = |sizes: &[IntegerExpression]| array(sizes.iter().map(|size| string(size.text())));
    push(text, "\n[launch]\n");
    line(text, "arguments", &array(arguments.iter().map(|argument| string(argument.text()))));
    line(text, "grid", &sizes(grid));
    line(text, "block", &sizes(block));
    optional(text, "shared_memory_bytes", shared_memory_bytes.as_ref());
    if let Some(cluster) = cluster {
        line(text, "cluster", &sizes(cluster));
    }
    optional(text, "programmatic", programmatic.as_ref());
}

fn workload(text: &mut String, workload: &Workload) {
    let Workload { name, axes, types, role, tolerance, output_tolerances: own, scalars } = workload;
    push(text, "\n[[workloads]]\n");
    line(text, "name", &string(name));
    line(text, "role", &string(role.name()));
    line(text, "axes", &inline(axes.iter().map(|(axis, n)| (axis.as_str(), n.to_string()))));
    let types = types.iter().map(|(variable, dtype)| (variable.as_str(), string(dtype.name())));
    line(text, "types", &inline(types));
    if !scalars.is_empty() {
        let scalars = scalars.iter().map(|(name, value)| (name.as_str(), number(*value)));
        line(text, "scalars", &inline(scalars));
    }
    if tolerance.is_some() || !own.is_empty() {
        let general = tolerance.iter().flat_map(tolerance_entries);
        let own = (!own.is_empty()).then(|| ("outputs", output_tolerances(own)));
        line(text, "tolerance", &inline(general.chain(own)));
    }
}

/// A table of the author's keys; nothing where it is empty.
fn section<T>(
    text: &mut String,
    name: &str,
    entries: &IndexMap<String, T>,
    value: impl Fn(&str, &T) -> String,
) {
    if !entries.is_empty() {
        push(text, &format!("\n[{name}]\n"));
    }
    for (key, own) in entries {
        line(text, key, &value(key, own));
    }
}

fn optional(text: &mut String, key: &str, expression: Option<&IntegerExpression>) {
    if let Some(expression) = expression {
        line(text, key, &string(expression.text()));
    }
}

/// Keys are identifiers or words of the schema: bare keys, all of them.
fn line(text: &mut String, key: &str, value: &str) {
    push(text, &format!("{key} = {value}\n"));
}

fn push(text: &mut String, part: &str) {
    text.push_str(part);
}

fn array(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(", "))
}

fn inline<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> =
        entries.into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
    if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
}

fn value(value: &Value) -> String {
    match value {
        Value::Integer(value) => value.to_string(),
        Value::Text(text) => string(text),
    }
}

/// The shortest decimal that reads back to the same binary64, which TOML takes as it is.
fn number(value: f64) -> String {
    format!("{value:?}")
}

/// A basic string.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
