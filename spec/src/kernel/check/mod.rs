//! From what a document says to a spec in which everything fits.

mod declarations;
mod expressions;
mod launch;
mod space;
mod workloads;

use std::sync::Arc;

use super::wire::{Context, Table, Text, v1};
use super::{
    CostRule, KernelName, KernelSpec, Language, Reference, TEXT_LIMIT, Tolerance, bindings,
    is_relative_path,
};
use crate::diagnostic::{Diagnostic, SourceLocation};
use crate::math::{self, Program};
use crate::space::{CONSTRAINTS_LIMIT, PARAMETERS_LIMIT, is_name};
use declarations::Declared;

/// Syntax errors that are reported of one file: the first ones cause the others.
const SYNTAX_ERRORS_LIMIT: usize = 8;

/// Reads and checks a spec: see [`KernelSpec::parse`].
pub(super) fn parse(file: &str, text: &str) -> Result<KernelSpec, Vec<Diagnostic>> {
    if text.len() > TEXT_LIMIT {
        let message = format!("the spec has {} bytes, and {TEXT_LIMIT} are allowed", text.len());
        let place = SourceLocation::of(file, text.get(..256).unwrap_or_default(), 0..0);
        return Err(vec![Diagnostic::new("spec.too-long", message).at(place)]);
    }
    let (document, errors) = toml::de::DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let errors = errors.iter().take(SYNTAX_ERRORS_LIMIT);
        return Err(errors.map(|error| syntax(file, text, error)).collect());
    }
    let context = Context::new(file, text);
    let wire = v1::read(Table::new(&context, "", 0..0, document.get_ref()));
    if !context.is_broken() && sizes_fit(&context, &wire) {
        let spec = check(&context, &wire);
        if context.n_diagnostics() == 0 {
            return Ok(spec);
        }
    }
    Err(context.into_diagnostics())
}

fn syntax(file: &str, text: &str, error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or(text.len()..text.len());
    let message = error.message().lines().next().unwrap_or("the text is not TOML").to_owned();
    Diagnostic::new("spec.syntax", message).at(SourceLocation::of(file, text, span))
}

/// Whether every list is of a size that people write; reported where it is not. What is checked
/// after this takes time in the square of some of them.
fn sizes_fit(context: &Context, wire: &v1::Spec) -> bool {
    let space = wire.space.as_ref();
    let kernel = &wire.kernel;
    let templates = kernel.entry.iter().chain(kernel.options.iter().flatten());
    let parameters = space.map_or(0, |space| space.parameters.len());
    let constraints = space.map_or(0, |space| space.constraints.len());
    let arguments = wire.launch.as_ref().map_or(0, |launch| launch.arguments.len());
    let template_bytes = templates.map(|text| text.value.len()).sum();
    let whole = 0..0;
    let in_space = space.map_or(&whole, |space| &space.span);
    let in_launch = wire.launch.as_ref().map_or(&whole, |launch| &launch.span);
    let sizes = [
        ("types", &whole, wire.types.len(), 64),
        ("axes", &whole, wire.axes.len(), 256),
        ("inputs", &whole, wire.inputs.len(), 256),
        ("outputs", &whole, wire.outputs.len(), 256),
        ("parameters", in_space, parameters, PARAMETERS_LIMIT),
        ("constraints", in_space, constraints, CONSTRAINTS_LIMIT),
        ("arguments", in_launch, arguments, 256),
        ("workloads", &whole, wire.workloads.len(), 4096),
        ("bytes of `entry` and `options`", &kernel.span, template_bytes, 8192),
    ];
    for (what, span, size, limit) in sizes {
        if size > limit {
            let message = format!("there are {size} {what}, and {limit} are allowed");
            context.report("spec.too-many", span, message);
        }
    }
    sizes.iter().all(|(_, _, size, limit)| size <= limit)
}

/// The spec; where something was reported, with something else in its place.
fn check(context: &Context, wire: &v1::Spec) -> KernelSpec {
    let name = wire.kernel.name.as_ref().and_then(|text| kernel_name(context, text));
    let language = language(context, &wire.kernel);
    let mut declared = declarations::check(context, wire);
    declared.is_generated = matches!(language, Some(Language::Cube));
    let space = space::check(context, wire.space.as_ref(), &mut declared);
    declared.check_macros(context, &space.parameters);
    if let Some(Language::Cuda { .. }) = &language {
        check_templates(context, &wire.kernel, &declared, &space);
    }
    let reference = reference(context, wire, &declared);
    let is_cube = declared.is_generated;
    if is_cube && !matches!(reference, None | Some(Reference::Math(_))) {
        let span = wire.reference.as_ref().map_or(0..0, |own| own.span.clone());
        let message = "a cube kernel is generated from `math`, and there is none".to_owned();
        context.report("spec.cube", &span, message);
    }
    let launch = launch::check(context, wire, is_cube, &declared, &space);
    let tolerance = wire.tolerance.as_ref();
    let tolerance = tolerance.and_then(|own| workloads::tolerance(context, own, None));
    let of_outputs =
        wire.tolerance.as_ref().zip(tolerance).map(|(own, base)| {
            workloads::output_tolerances(context, own, &declared.outputs, |_| base)
        });
    let incomplete =
        name.is_none() || language.is_none() || reference.is_none() || tolerance.is_none();
    if incomplete && context.n_diagnostics() == 0 {
        // Whatever is missing is reported where it is missed; this is what keeps a placeholder
        // from ever being taken for a spec.
        context.report("spec.incomplete", &(0..0), "the spec is incomplete".to_owned());
    }
    let cost = wire.cost.as_ref().map(|cost| CostRule {
        bytes_min: declared.expression(context, cost.bytes_min.as_ref(), &[], false),
        flops: declared.expression(context, cost.flops.as_ref(), &[], false),
    });
    let mut spec = KernelSpec {
        name: name.unwrap_or_else(KernelName::placeholder),
        description: text_of(wire.kernel.description.as_ref()),
        language: language.unwrap_or(Language::Cube),
        tags: wire.kernel.tags.iter().map(|tag| tag.value.clone()).collect(),
        types: declared.types,
        axes: declared.axes,
        axis_descriptions: declared.axis_descriptions,
        inputs: declared.inputs,
        outputs: declared.outputs,
        reference: reference.unwrap_or(Reference::Golden { path: String::new() }),
        tolerance: tolerance.unwrap_or(Tolerance {
            absolute: 0.0,
            relative: 0.0,
            matched_ratio: 1.0,
        }),
        output_tolerances: of_outputs.unwrap_or_default(),
        space,
        launch,
        workloads: Vec::new(),
        cost,
    };
    workloads::check(context, wire, &mut spec);
    spec
}

fn text_of(text: Option<&Text>) -> String {
    text.map_or_else(String::new, |text| text.value.clone())
}

fn kernel_name(context: &Context, text: &Text) -> Option<KernelName> {
    let name = KernelName::parse(&text.value);
    if name.is_none() {
        let message = format!("`{}` cannot be a kernel's name", text.value);
        let hint = "lower-case letters, digits and single hyphens, beginning with a letter, \
                    ending with a letter or digit, 2 to 96 of them";
        context.push(context.at("spec.kernel-name", &text.span, message).hint(hint));
    }
    name
}

fn language(context: &Context, kernel: &v1::Kernel) -> Option<Language> {
    let words = [("cuda", false), ("cube", true)];
    let text = kernel.language.as_ref()?;
    if v1::word(context, "spec.language", "language", text, &words)? {
        let given = [("source", kernel.source.as_ref()), ("entry", kernel.entry.as_ref())];
        for (key, text) in given {
            if let Some(text) = text {
                let message = format!("a cube kernel is generated: it has no `{key}`");
                context.report("spec.cube", &text.span, message);
            }
        }
        if let Some(option) = kernel.options.as_ref().and_then(|options| options.first()) {
            let message = "a cube kernel is generated: it has no `options`".to_owned();
            context.report("spec.cube", &option.span, message);
        }
        return Some(Language::Cube);
    }
    let required = |key: &str, text: &Option<Text>| {
        if text.is_none() {
            let message = format!("a CUDA kernel needs `{key}` in `kernel`");
            context.report("spec.missing-key", &kernel.span, message);
        }
        text.clone()
    };
    let (source, entry) = (required("source", &kernel.source), required("entry", &kernel.entry));
    let source = source.filter(|source| path(context, source, &source.value));
    let options = kernel.options.iter().flatten().map(|option| option.value.clone()).collect();
    Some(Language::Cuda { source: source?.value, entry: entry?.value, options })
}

/// Whether a path stays in the spec's folder; reported where it does not.
fn path(context: &Context, text: &Text, path: &str) -> bool {
    let inside = is_relative_path(path);
    if !inside {
        let message = format!("`{path}` is not a path inside the spec's folder");
        let hint = "name a file relative to the spec's folder, without `..`, `.` and `\\`";
        context.push(context.at("spec.path", &text.span, message).hint(hint));
    }
    inside
}

fn check_templates(
    context: &Context,
    kernel: &v1::Kernel,
    declared: &Declared,
    space: &crate::space::SearchSpace,
) {
    let known = declared.bound_names(&space.parameters);
    for text in kernel.entry.iter().chain(kernel.options.iter().flatten()) {
        let pieces = match bindings::pieces(&text.value) {
            Ok(pieces) => pieces,
            Err(fault) => {
                let place = text.origin.locate(fault.at..fault.at + 1);
                context.push(fault.diagnostic().at(place));
                continue;
            }
        };
        for piece in pieces {
            let bindings::Piece::Name { name, at } = piece else { continue };
            if known.contains(&name) {
                continue;
            }
            let message = if declared.axes.contains_key(name) {
                format!("`{name}` is not known to the compiler: the axis is dynamic")
            } else {
                format!("`{{{name}}}` names no parameter, specialized axis or type")
            };
            let mut diagnostic = Diagnostic::new("spec.template", message)
                .at(text.origin.locate(at..at + name.len().max(1)));
            diagnostic.hint = crate::suggestion::hint(name, known.iter().copied());
            context.push(diagnostic);
        }
    }
    for text in kernel.entry.iter().chain(kernel.options.iter().flatten()) {
        if text.value.trim().is_empty() {
            let message = "an empty text names nothing".to_owned();
            context.report("spec.template", &text.span, message);
        }
    }
}

fn reference(context: &Context, wire: &v1::Spec, declared: &Declared) -> Option<Reference> {
    let reference = wire.reference.as_ref()?;
    let v1::Reference { span, math, python, golden } = reference;
    let n_given = [math, python, golden].into_iter().flatten().count();
    if n_given != 1 {
        let message =
            format!("`reference` needs one of `math`, `python` and `golden`, and has {n_given}");
        context.report("spec.reference", span, message);
        return None;
    }
    if let Some(math) = math {
        return math_program(context, math, declared).map(|p| Reference::Math(Arc::new(p)));
    }
    if let Some(golden) = golden {
        let inside = path(context, golden, &golden.value);
        return inside.then(|| Reference::Golden { path: golden.value.clone() });
    }
    let python = python.as_ref()?;
    match python.value.split_once("::") {
        Some((file, function)) if is_name(function) => {
            let inside = path(context, python, file);
            inside.then(|| Reference::Python { path: file.into(), function: function.into() })
        }
        _ => {
            let message = format!("`{}` is not `file.py::function`", python.value);
            context.report("spec.reference", &python.span, message);
            None
        }
    }
}

/// Parses the math, unless what it would be checked against is wrong already.
fn math_program(context: &Context, math: &Text, declared: &Declared) -> Option<Program> {
    if declared.incomplete {
        return None;
    }
    let declarations: math::Declarations = declared.for_math();
    match Program::parse(&math.value, &math.origin, &declarations) {
        Ok(program) => Some(program),
        Err(diagnostics) => {
            diagnostics.into_iter().for_each(|diagnostic| context.push(diagnostic));
            None
        }
    }
}
