//! The Python of a variant: the runtime as it is, and templates with the kernel's names put in.
//!
//! `hub-publish/python/FORMAT.md` lists templates and placeholders.

use std::collections::BTreeMap;

use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{DtypeRef, KernelSpec, TensorDeclaration};
use ridge_spec::matrix::Matrix;

use crate::interface::{function_name, python_name};

/// A file with its text.
type Text = (&'static str, &'static str);

macro_rules! embedded {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../python/", $folder, "/", $name)))),*]
    };
}

/// The runtime, the same in every repo.
const RUNTIME: &[Text] = embedded!("_ridge":
    "__init__.py", "choice.py", "driver.py", "expression.py", "kernel.py", "launchers.py",
    "manifest.py", "operators.py", "platform.py",
    "sample.py", "signature.py", "situation.py", "source.py", "tensors.py",
    "universal.py",
);

const TEMPLATES: &[Text] = embedded!("templates":
    "benchmark.py", "compat_init.py", "cuda_init.py", "test_kernel.py", "universal_init.py",
);

const LAYERS: &[Text] = embedded!("templates/layers":
    "layernorm.py", "rmsnorm.py", "silu-mul.py", "softmax.py",
);

/// Puts a kernel's names into templates.
pub(crate) struct Templates<'a> {
    spec: &'a KernelSpec,
    replacements: Vec<(&'static str, String)>,
    layers: Option<&'static str>,
}

impl<'a> Templates<'a> {
    pub(crate) fn new(spec: &'a KernelSpec, matrix: &Matrix, reference: bool) -> Self {
        let layers = layers(spec);
        let function = function_name(spec);
        let mut modules = Vec::new();
        modules.extend(layers.map(|_| "layers"));
        modules.extend(reference.then_some("reference"));
        let imports = if modules.is_empty() {
            String::new()
        } else {
            format!("from . import {}", modules.join(", "))
        };
        let exports = ["chain"].into_iter().chain(modules.iter().copied());
        let exports = exports.chain([function.as_str(), "why"]);
        let exports: Vec<String> = exports.map(|name| format!("\"{name}\"")).collect();
        let arguments: Vec<String> = spec.inputs.keys().map(|name| python_name(name)).collect();
        let description = match spec.description.as_str() {
            "" => spec.name.as_str(),
            text => text,
        };
        let replacements = vec![
            ("@kernel@", spec.name.to_string()),
            ("@function@", function.clone()),
            ("@description@", quoted(description)),
            ("@parameters@", parameters(spec)),
            ("@arguments@", arguments.join(", ")),
            ("@returns@", returns(spec)),
            ("@documentation@", documentation(spec)),
            ("@imports@", imports),
            ("@exports@", exports.join(", ")),
            ("@workloads@", workloads(matrix)),
        ];
        Self { spec, replacements, layers }
    }

    /// The Python of a variant, by path in it; `template` makes its `__init__.py`.
    pub(crate) fn variant(&self, template: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files: BTreeMap<String, Vec<u8>> = RUNTIME
            .iter()
            .map(|(name, text)| (format!("_ridge/{name}"), text.as_bytes().to_vec()))
            .collect();
        let mut add = |path: String, text: Option<String>| {
            files.extend(text.map(|text| (path, text.into_bytes())));
        };
        add("__init__.py".to_owned(), self.template(template));
        add(format!("{}/__init__.py", function_name(self.spec)), self.template("compat_init.py"));
        add("layers.py".to_owned(), self.layers.map(|text| self.filled(text)));
        files
    }

    /// A template of the repo's, filled in; `None` for one that there is not.
    pub(crate) fn template(&self, name: &str) -> Option<String> {
        let (_, text) = TEMPLATES.iter().find(|(own, _)| *own == name)?;
        Some(self.filled(text))
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (placeholder, value) in &self.replacements {
            text = text.replace(placeholder, value);
        }
        text
    }
}

/// The kernel's layers, where there are some for just its inputs.
fn layers(spec: &KernelSpec) -> Option<&'static str> {
    let name = spec.name.as_str();
    let file = format!("{}.py", name.strip_prefix("cube-").unwrap_or(name));
    let (_, text) = LAYERS.iter().find(|(own, _)| *own == file)?;
    let wanted = text.lines().next()?.strip_prefix("# inputs:")?;
    let wanted = wanted.split(',').map(str::trim);
    wanted.eq(spec.inputs.keys().map(String::as_str)).then_some(*text)
}

/// The inside of a Python string in double quotes.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Parameters with their types. A default that a later parameter without one follows is left out:
/// Python has no other order.
fn parameters(spec: &KernelSpec) -> String {
    let last_without =
        spec.inputs.values().rposition(|own| default(own).is_none()).map_or(0, |last| last + 1);
    let parameters: Vec<String> = spec
        .inputs
        .iter()
        .enumerate()
        .map(|(place, (name, own))| {
            let annotation = match own.shape {
                Some(_) => "\"torch.Tensor\"",
                None => scalar_type(spec, &own.dtype),
            };
            let default = default(own).filter(|_| place >= last_without);
            let default = default.map_or_else(String::new, |value| format!(" = {value}"));
            format!("{}: {annotation}{default}", python_name(name))
        })
        .collect();
    parameters.join(", ")
}

/// A scalar's default as Python writes it.
fn default(declaration: &TensorDeclaration) -> Option<String> {
    let value = declaration.default.filter(|_| declaration.shape.is_none())?;
    let whole = matches!(&declaration.dtype, DtypeRef::Fixed(dtype) if !dtype.is_float());
    Some(match &declaration.dtype {
        DtypeRef::Fixed(Dtype::Bool) => if value > 0.0 { "True" } else { "False" }.to_owned(),
        _ if !value.is_finite() => format!("float(\"{value}\")"),
        _ if whole => format!("{value:.0}"),
        _ => float(value),
    })
}

/// A number as Python's `repr` has it: `1e-06` and not `1e-6`, for readers who compare.
fn float(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once("e-") {
        Some((digits, exponent)) if exponent.len() == 1 => format!("{digits}e-0{exponent}"),
        _ => text,
    }
}

fn scalar_type(spec: &KernelSpec, dtype: &DtypeRef) -> &'static str {
    let first = match dtype {
        DtypeRef::Fixed(dtype) => Some(*dtype),
        DtypeRef::Variable(name) => spec.types.get(name).and_then(|all| all.first().copied()),
    };
    match first {
        Some(Dtype::Bool) => "bool",
        Some(dtype) if !dtype.is_float() => "int",
        _ => "float",
    }
}

fn returns(spec: &KernelSpec) -> String {
    match spec.outputs.len() {
        1 => "\"torch.Tensor\"".to_owned(),
        many => format!("\"tuple[{}]\"", vec!["torch.Tensor"; many].join(", ")),
    }
}

/// A line for each input and output, in the shape of a docstring.
fn documentation(spec: &KernelSpec) -> String {
    let line = |name: &str, own: &TensorDeclaration, kind: &str| {
        let dtypes = dtype_words(spec, &own.dtype);
        let what = match &own.shape {
            Some(axes) => format!("[{}], {dtypes}", axes.join(", ")),
            None => dtypes,
        };
        let description = match own.description.trim_end_matches('.') {
            "" => String::new(),
            text => format!(" {}.", quoted(text)),
        };
        format!("    {name}: {kind}{what}.{description}")
    };
    let inputs = spec.inputs.iter().map(|(name, own)| line(&python_name(name), own, ""));
    let outputs = spec.outputs.iter().map(|(name, own)| line(name, own, "returned, "));
    inputs.chain(outputs).collect::<Vec<_>>().join("\n")
}

/// `bf16, f16 or f32`.
pub(crate) fn dtype_words(spec: &KernelSpec, dtype: &DtypeRef) -> String {
    let names: Vec<&str> = match dtype {
        DtypeRef::Fixed(dtype) => vec![dtype.name()],
        DtypeRef::Variable(name) => {
            spec.types.get(name).into_iter().flatten().map(|dtype| dtype.name()).collect()
        }
    };
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// The tuned entries as a Python list: each workload once.
fn workloads(matrix: &Matrix) -> String {
    let mut seen: Vec<String> = Vec::new();
    for entry in matrix.entries() {
        let axes: Vec<String> =
            entry.axes.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let types: Vec<String> =
            entry.types.iter().map(|(name, dtype)| format!("\"{name}\": \"{dtype}\"")).collect();
        let line = format!(
            "    {{\"name\": \"{}\", \"axes\": {{{}}}, \"types\": {{{}}}}},",
            entry.workload,
            axes.join(", "),
            types.join(", ")
        );
        if !seen.contains(&line) {
            seen.push(line);
        }
    }
    format!("[\n{}\n]", seen.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The names of a folder's Python files, sorted.
    fn listed(folder: &str) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(folder);
        let names = std::fs::read_dir(path).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".py")).collect();
        names.sort();
        names
    }

    #[test]
    fn every_file_is_embedded() {
        for (folder, files) in
            [("_ridge", RUNTIME), ("templates", TEMPLATES), ("templates/layers", LAYERS)]
        {
            let mut embedded: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            embedded.sort_unstable();
            assert_eq!(embedded, listed(folder), "{folder}");
        }
    }

    #[test]
    fn numbers_are_written_as_python_does() {
        assert_eq!(float(1e-6), "1e-06");
        assert_eq!(float(0.5), "0.5");
        assert_eq!(float(1.5e-10), "1.5e-10");
    }
}
