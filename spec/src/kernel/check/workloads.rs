//! Workloads and tolerances.

use std::collections::BTreeMap;
use std::ops::Range;

use indexmap::IndexMap;

use super::super::wire::{Context, Key, v1};
use super::super::{
    AxisKind, KernelSpec, Reference, Role, TensorDeclaration, Tolerance, Workload, is_workload_name,
};
use crate::diagnostic::Diagnostic;
use crate::dtype::Dtype;
use crate::math::EvaluateError;
use crate::suggestion;

/// Checks a tolerance; what it leaves out is `base`'s, where there is one.
pub(super) fn tolerance(
    context: &Context,
    wire: &v1::Tolerance,
    base: Option<Tolerance>,
) -> Option<Tolerance> {
    let bound = |key: &str, given: &Option<(f64, Range<usize>)>, base: Option<f64>| {
        let Some((value, span)) = given else {
            if base.is_none() {
                let message = format!("`tolerance` lacks `{key}`");
                context.report("spec.missing-key", &wire.span, message);
            }
            return base;
        };
        if *value < 0.0 {
            let message = format!("`{key}` is {value:?}, and a tolerance is at least 0");
            context.report("spec.tolerance", span, message);
        }
        Some(*value)
    };
    let absolute = bound("absolute", &wire.absolute, base.map(|base| base.absolute));
    let relative = bound("relative", &wire.relative, base.map(|base| base.relative));
    let matched_ratio = match &wire.matched_ratio {
        Some((ratio, span)) => {
            if *ratio <= 0.0 || *ratio > 1.0 {
                let message = format!("`matched_ratio` is {ratio:?}");
                let hint = "it is the share of elements that must match: above 0, at most 1";
                context.push(context.at("spec.tolerance", span, message).hint(hint));
            }
            *ratio
        }
        None => base.map_or(1.0, |base| base.matched_ratio),
    };
    Some(Tolerance { absolute: absolute?, relative: relative?, matched_ratio })
}

/// Checks the tolerances of single outputs. What one leaves out is `base`'s of that output.
pub(super) fn output_tolerances(
    context: &Context,
    wire: &v1::Tolerance,
    outputs: &IndexMap<String, TensorDeclaration>,
    base: impl Fn(&str) -> Tolerance,
) -> BTreeMap<String, Tolerance> {
    let mut tolerances = BTreeMap::new();
    for (Key { name, span }, own) in &wire.outputs {
        if !outputs.contains_key(name) {
            let message = format!("`{name}` has a tolerance, and is no output");
            let mut diagnostic = context.at("spec.tolerance-output", span, message);
            diagnostic.hint = suggestion::hint(name, outputs.keys().map(String::as_str));
            context.push(diagnostic);
            continue;
        }
        if let Some(tolerance) = tolerance(context, own, Some(base(name))) {
            tolerances.insert(name.clone(), tolerance);
        }
    }
    tolerances
}

/// The tolerances of a workload: its own, and those of single outputs.
fn tolerances_of(
    context: &Context,
    wire: &v1::Tolerance,
    spec: &KernelSpec,
) -> (Option<Tolerance>, BTreeMap<String, Tolerance>) {
    let bounds = [&wire.absolute, &wire.relative, &wire.matched_ratio];
    let is_general = wire.outputs.is_empty() || bounds.into_iter().any(Option::is_some);
    let own = is_general.then(|| tolerance(context, wire, Some(spec.tolerance))).flatten();
    let base = |output: &str| {
        let of_output = spec.output_tolerances.get(output).copied();
        of_output.or(own).unwrap_or(spec.tolerance)
    };
    (own, output_tolerances(context, wire, &spec.outputs, base))
}

/// Checks the workloads against the rest of the spec, and adds those that fit.
pub(super) fn check(context: &Context, wire: &v1::Spec, spec: &mut KernelSpec) {
    let mut names = BTreeMap::new();
    let mut identities = BTreeMap::new();
    // What follows from extents is only worth saying where all they rest on is right.
    let clean = context.n_diagnostics() == 0;
    for own in &wire.workloads {
        let n_before = context.n_diagnostics();
        let Some(workload) = workload(context, own, spec) else { continue };
        if names.insert(workload.name.clone(), ()).is_some() {
            let message = format!("two workloads are named `{}`", workload.name);
            let span = own.name.as_ref().map_or(&own.span, |name| &name.span);
            context.report("spec.duplicate", span, message);
        }
        if let Some(other) = identities.insert(workload.to_string(), workload.name.clone()) {
            let message = format!("workload `{}` is the same as `{other}`", workload.name);
            let hint = "a workload is told apart by its axes, types and scalars";
            context.push(context.at("spec.duplicate", &own.span, message).hint(hint));
        }
        if clean && context.n_diagnostics() == n_before {
            sizes(context, own, spec, &workload);
        }
        spec.workloads.push(workload);
    }
}

/// One workload; `None` where it does not fit the spec, which is reported.
fn workload(context: &Context, own: &v1::Workload, spec: &KernelSpec) -> Option<Workload> {
    let name = own.name.as_ref();
    let name_fits = name.is_none_or(|name| {
        let fits = is_workload_name(&name.value);
        if !fits {
            let message = format!("`{}` cannot be a workload's name", name.value.escape_debug());
            let hint = "letters, digits, `-`, `_` and `.`, beginning with a letter or digit";
            context.push(context.at("spec.workload", &name.span, message).hint(hint));
        }
        fits
    });
    let words = [("tune", Role::Tune), ("verify", Role::Verify)];
    let role = own.role.as_ref();
    let role = role.and_then(|text| v1::word(context, "spec.workload", "role", text, &words));
    let axes = axes(context, own, spec);
    let types = types(context, own, spec);
    let scalars = scalars(context, own, spec);
    let (tolerance, output_tolerances) =
        own.tolerance.as_ref().map(|own| tolerances_of(context, own, spec)).unwrap_or_default();
    if !name_fits {
        return None;
    }
    Some(Workload {
        name: name?.value.clone(),
        axes: axes?,
        types: types?,
        role: role?,
        tolerance,
        output_tolerances,
        scalars: scalars?,
    })
}

fn label(own: &v1::Workload) -> String {
    own.name.as_ref().map_or("the workload".to_owned(), |name| format!("workload `{}`", name.value))
}

fn axes(context: &Context, own: &v1::Workload, spec: &KernelSpec) -> Option<BTreeMap<String, i64>> {
    let given_axes: Vec<&str> = spec
        .axes
        .iter()
        .filter(|(_, kind)| !matches!(kind, AxisKind::Derived(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    let mut axes = BTreeMap::new();
    let mut fits = true;
    for (Key { name, span }, extent, value_span) in &own.axes {
        let problem = if matches!(spec.axes.get(name), Some(AxisKind::Derived(_))) {
            let message = format!("{} gives `{name}`, which is derived", label(own));
            Some(context.at("spec.workload-axis", span, message).hint("leave it out"))
        } else if !given_axes.contains(&name.as_str()) {
            let message = format!("{} gives `{name}`, which is no axis", label(own));
            let mut diagnostic = context.at("spec.workload-axis", span, message);
            diagnostic.hint = suggestion::hint(name, given_axes.iter().copied());
            Some(diagnostic)
        } else if *extent < 1 {
            let message = format!("`{name}` is {extent} in {}", label(own));
            let diagnostic = context.at("spec.extent", value_span, message);
            Some(diagnostic.hint("an extent is at least 1"))
        } else {
            None
        };
        fits &= problem.is_none();
        problem.into_iter().for_each(|diagnostic| context.push(diagnostic));
        axes.insert(name.clone(), *extent);
    }
    for axis in given_axes {
        if !axes.contains_key(axis) {
            let message = format!("{} gives no `{axis}`", label(own));
            context.report("spec.workload-axis", &own.span, message);
            fits = false;
        }
    }
    fits.then_some(axes)
}

fn types(
    context: &Context,
    own: &v1::Workload,
    spec: &KernelSpec,
) -> Option<BTreeMap<String, Dtype>> {
    let mut types = BTreeMap::new();
    let mut fits = true;
    for (Key { name, span }, text) in &own.types {
        let Some(allowed) = spec.types.get(name) else {
            let message = format!("{} gives `{name}`, which is no type variable", label(own));
            let mut diagnostic = context.at("spec.workload-type", span, message);
            diagnostic.hint = suggestion::hint(name, spec.types.keys().map(String::as_str));
            context.push(diagnostic);
            fits = false;
            continue;
        };
        match Dtype::parse(&text.value).filter(|dtype| allowed.contains(dtype)) {
            Some(dtype) => {
                types.insert(name.clone(), dtype);
            }
            None => {
                let message = format!("`{name}` cannot be `{}`", text.value.escape_debug());
                let names: Vec<&str> = allowed.iter().map(|dtype| dtype.name()).collect();
                let mut diagnostic = context.at("spec.workload-type", &text.span, message);
                diagnostic.hint = suggestion::hint(&text.value, names);
                context.push(diagnostic);
                types.insert(name.clone(), Dtype::F32);
                fits = false;
            }
        }
    }
    for variable in spec.types.keys() {
        if !types.contains_key(variable) {
            let message = format!("{} gives no type `{variable}`", label(own));
            context.report("spec.workload-type", &own.span, message);
            fits = false;
        }
    }
    fits.then_some(types)
}

fn scalars(
    context: &Context,
    own: &v1::Workload,
    spec: &KernelSpec,
) -> Option<BTreeMap<String, f64>> {
    let declared: Vec<(&str, Option<f64>)> = spec
        .inputs
        .iter()
        .filter(|(_, input)| input.shape.is_none())
        .map(|(name, input)| (name.as_str(), input.default))
        .collect();
    let mut scalars = BTreeMap::new();
    let mut fits = true;
    for (Key { name, span }, value, _) in &own.scalars {
        if !declared.iter().any(|(known, _)| known == name) {
            let message = format!("{} gives `{name}`, which is no scalar input", label(own));
            let mut diagnostic = context.at("spec.workload-scalar", span, message);
            let known: Vec<&str> = declared.iter().map(|(known, _)| *known).collect();
            diagnostic.hint = suggestion::hint(name, known);
            context.push(diagnostic);
            fits = false;
        }
        scalars.insert(name.clone(), *value);
    }
    for (name, default) in declared {
        if default.is_none() && !scalars.contains_key(name) {
            let message = format!("{} gives no value for `{name}`", label(own));
            let hint = format!("give `{name}` a `default`, or a value in the workload's `scalars`");
            context.push(context.at("spec.workload-scalar", &own.span, message).hint(hint));
            fits = false;
        }
    }
    fits.then_some(scalars)
}

/// Checks what follows from a workload's extents: derived axes, tensors, the default candidate.
fn sizes(context: &Context, own: &v1::Workload, spec: &KernelSpec, workload: &Workload) {
    let placed = |mut diagnostic: Diagnostic| {
        if diagnostic.location.is_none() {
            diagnostic.location = context.at("", &own.span, String::new()).location;
        } else if !diagnostic.message.contains(&workload.name) {
            diagnostic.message = format!("{}, in workload `{}`", diagnostic.message, workload.name);
        }
        context.push(diagnostic);
    };
    let axes = match spec.extents(workload) {
        Ok(axes) => axes,
        Err(diagnostic) => return placed(diagnostic),
    };
    if let Err(diagnostic) = spec.tensors(workload, &axes) {
        placed(diagnostic);
    }
    if let Reference::Math(program) = &spec.reference
        && let extents = axes.iter().map(|(name, &extent)| (name.clone(), extent)).collect()
        && let Err(EvaluateError::Program(diagnostic)) = program.check_extents(&extents)
    {
        placed(*diagnostic);
    }
    let Some(default) = spec.space.default.as_ref().filter(|_| workload.role == Role::Tune) else {
        return;
    };
    let scope = spec.scope_of(&axes, &workload.types).with(default.iter());
    for constraint in &spec.space.constraints {
        // What the device decides is not known here.
        if constraint.variables().any(|name| name.starts_with("device.")) {
            continue;
        }
        let name = &workload.name;
        match constraint.integer(&scope) {
            Ok(0) => placed(
                Diagnostic::new(
                    "space.default",
                    format!("the default `{default}` breaks this constraint in workload `{name}`"),
                )
                .at(constraint.origin().locate(0..constraint.text().len()))
                .hint("choose a default that is legal for every workload to tune"),
            ),
            Ok(_) => {}
            Err(diagnostic) => placed(diagnostic),
        }
    }
}
