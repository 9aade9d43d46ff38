//! `kernel.json`: what the Python in a variant knows of the kernel.
//!
//! `hub-publish/python/FORMAT.md` describes every key. It is a function of what is published and of
//! nothing else, so whoever has the matrix, the records and the artifacts can make it again and
//! compare.

mod entry;
mod launch;

use std::collections::BTreeMap;

use ridge_spec::artifact::Artifact;
use ridge_spec::digest::Digest;
use ridge_spec::expression::Scope;
use ridge_spec::kernel::{AxisKind, DtypeRef, KernelSpec, Reference, TensorDeclaration, Tolerance};
use serde_json::{Map, Value, json};

use crate::expression;
use crate::interface::function_name;
use crate::publication::{Publication, PublishError};

/// Schema number of `kernel.json`.
pub(crate) const MANIFEST_SCHEMA: u32 = 1;

/// The manifest's name in a variant.
pub(crate) const MANIFEST_FILE: &str = "kernel.json";

/// Fewest hexadecimal digits of its digest in the name of an artifact's files.
const NAME_DIGITS: usize = 8;

/// The manifest of the variant with kernels.
///
/// # Errors
/// [`PublishError::Entry`] for an entry that does not fit the spec, its record or its artifact.
pub(crate) fn cuda(publication: &Publication<'_>, reference: bool) -> Result<Value, PublishError> {
    let mut manifest = common(publication.spec, publication.digest, reference);
    let names = artifact_names(publication.artifacts);
    let artifacts: Map<String, Value> = publication
        .artifacts
        .iter()
        .map(|own| (own.digest.to_string(), artifact(own, &names)))
        .collect();
    manifest.insert("artifacts".to_owned(), Value::Object(artifacts));
    manifest.insert("entries".to_owned(), Value::Array(entry::all(publication)?));
    Ok(sorted(Value::Object(manifest)))
}

/// The manifest of the variant without kernels.
pub(crate) fn universal(spec: &KernelSpec, digest: Digest) -> Value {
    let mut manifest = common(spec, digest, true);
    manifest.insert("artifacts".to_owned(), json!({}));
    manifest.insert("entries".to_owned(), json!([]));
    sorted(Value::Object(manifest))
}

/// The text of a manifest or of another JSON file: sorted keys, two spaces, a line feed.
pub(crate) fn text(value: &Value) -> String {
    // Strings, numbers and maps with string keys always have a JSON form.
    let mut text = serde_json::to_string_pretty(&sorted(value.clone())).unwrap_or_default();
    text.push('\n');
    text
}

/// The stem of an artifact's files: the first digits of its digest, as many as tell all apart.
pub(crate) fn artifact_names(artifacts: &[Artifact]) -> BTreeMap<Digest, String> {
    let digests: Vec<String> = artifacts.iter().map(|own| own.digest.to_string()).collect();
    let mut digits = NAME_DIGITS;
    let distinct = |digits: usize| {
        let mut names: Vec<&str> = digests.iter().map(|digest| &digest[..digits]).collect();
        names.sort_unstable();
        names.dedup();
        let mut whole: Vec<&String> = digests.iter().collect();
        whole.sort_unstable();
        whole.dedup();
        names.len() == whole.len()
    };
    while digits < 64 && !distinct(digits) {
        digits += 1;
    }
    let name = |own: &Artifact| (own.digest, own.digest.to_string()[..digits].to_owned());
    artifacts.iter().map(name).collect()
}

/// The path of an artifact's device binary in the variant.
pub(crate) fn cubin_path(name: &str, artifact: &Artifact) -> String {
    format!("cubin/{name}-{}.cubin", artifact.manifest.target)
}

/// The path of an artifact's PTX in the variant.
pub(crate) fn ptx_path(name: &str) -> String {
    format!("ptx/{name}.ptx")
}

/// What both variants say of the kernel.
fn common(spec: &KernelSpec, digest: Digest, reference: bool) -> Map<String, Value> {
    let types: Map<String, Value> = spec
        .types
        .iter()
        .map(|(name, dtypes)| {
            (name.clone(), dtypes.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().into())
        })
        .collect();
    let bounds = |own: &Tolerance| {
        json!({
            "absolute": own.absolute,
            "relative": own.relative,
            "matched_ratio": own.matched_ratio,
        })
    };
    let mut tolerance = bounds(&spec.tolerance);
    if !spec.output_tolerances.is_empty() {
        let own = spec.output_tolerances.iter();
        let own: Map<String, Value> = own.map(|(name, own)| (name.clone(), bounds(own))).collect();
        tolerance["outputs"] = Value::Object(own);
    }
    let value = json!({
        "schema": MANIFEST_SCHEMA,
        "kernel": spec.name.as_str(),
        "function": function_name(spec),
        "description": spec.description,
        "spec": digest.to_string(),
        "reference": reference.then_some("reference.py"),
        "types": types,
        "axes": spec.axes.iter().map(|(name, kind)| axis(name, kind)).collect::<Vec<_>>(),
        "inputs": spec.inputs.iter().map(|(name, own)| input(spec, name, own)).collect::<Vec<_>>(),
        "outputs": spec.outputs.iter().map(|(name, own)| tensor(name, own)).collect::<Vec<_>>(),
        "tolerance": tolerance,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn axis(name: &str, kind: &AxisKind) -> Value {
    match kind {
        AxisKind::Dynamic => json!({ "name": name, "kind": "dynamic" }),
        AxisKind::Specialized => json!({ "name": name, "kind": "specialized" }),
        AxisKind::Derived(own) => {
            let own = expression::python(own, &Scope::new());
            json!({ "name": name, "kind": "derived", "expression": own })
        }
    }
}

fn tensor(name: &str, declaration: &TensorDeclaration) -> Value {
    let dtype = match &declaration.dtype {
        DtypeRef::Fixed(dtype) => dtype.name(),
        DtypeRef::Variable(variable) => variable,
    };
    json!({ "name": name, "dtype": dtype, "shape": declaration.shape })
}

fn input(spec: &KernelSpec, name: &str, declaration: &TensorDeclaration) -> Value {
    let mut value = tensor(name, declaration);
    if let Reference::Math(program) = &spec.reference
        && let Some(bound) = program.take_bounds().into_iter().find(|bound| bound.input == name)
    {
        value["index_of"] = json!(bound.axis);
    }
    if let Some(constant) = declaration.constant {
        value["constant"] = json!(constant);
    }
    if declaration.shape.is_none() {
        value["default"] = json!(declaration.default);
    }
    value
}

fn artifact(artifact: &Artifact, names: &BTreeMap<Digest, String>) -> Value {
    let name = names.get(&artifact.digest).cloned().unwrap_or_default();
    let manifest = &artifact.manifest;
    let target = manifest.target.to_string();
    json!({
        "symbol": manifest.entry_symbol,
        "cubin": { target.as_str(): cubin_path(&name, artifact) },
        "ptx": { "file": ptx_path(&name), "target": target },
        "parameters": manifest.parameters,
        "resources": manifest.resources,
        "toolkit": manifest.toolkit,
        "options": manifest.options,
    })
}

/// The same value with the keys of every object sorted.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<String, Value> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}
