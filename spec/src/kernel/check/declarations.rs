//! Types, axes, inputs and outputs: what the rest of a spec refers to.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::super::wire::{Context, Key, Text, v1};
use super::super::{AxisKind, Bindings, DtypeRef, TensorDeclaration};
use crate::dtype::Dtype;
use crate::expression::{IntegerExpression, Origin, RESERVED_WORDS};
use crate::math::{Declaration, Declarations};
use crate::space::{NAME_LIMIT, Parameter, is_name};
use crate::suggestion;

/// What a spec declares.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) types: IndexMap<String, Vec<Dtype>>,
    pub(super) axes: IndexMap<String, AxisKind>,
    pub(super) axis_descriptions: BTreeMap<String, String>,
    pub(super) inputs: IndexMap<String, TensorDeclaration>,
    pub(super) outputs: IndexMap<String, TensorDeclaration>,
    /// What kind of thing each name is, and where it was declared.
    names: BTreeMap<String, (&'static str, Key)>,
    /// Whether something was left out because it was wrong: what refers to it is not checked.
    pub(super) incomplete: bool,
    /// Whether the kernel is generated, and with it parameters that the spec does not name.
    pub(super) is_generated: bool,
}

/// Checks the declarations of a spec; those that are wrong are reported and left out.
pub(super) fn check(context: &Context, wire: &v1::Spec) -> Declared {
    let mut declared = Declared::default();
    for (key, dtypes) in &wire.types {
        if !declared.declare(context, key, "type variable") {
            continue;
        }
        if let Some(dtype) = Dtype::parse(&key.name) {
            let message = format!("`{dtype}` is a dtype, and cannot be a type variable");
            context.report("spec.name", &key.span, message);
        }
        let dtypes = type_variable(context, key, dtypes);
        declared.types.insert(key.name.clone(), dtypes);
    }
    for (key, _) in &wire.axes {
        declared.declare(context, key, "axis");
    }
    for (key, axis) in &wire.axes {
        declared.axis(context, wire, key, axis);
    }
    declared.check_cycles(context, wire);
    for (key, tensor) in &wire.inputs {
        if declared.declare(context, key, "input") {
            let tensor = declared.tensor(context, key, tensor);
            declared.inputs.insert(key.name.clone(), tensor);
        }
    }
    for (key, tensor) in &wire.outputs {
        if declared.declare(context, key, "output") {
            let tensor = declared.tensor(context, key, tensor);
            if tensor.shape.is_none() {
                let message = format!("the output `{}` has no `shape`", key.name);
                declared.incomplete = true;
                let hint = "an output is a tensor: give it a `shape`, `[]` for a single element";
                context.push(context.at("spec.output", &key.span, message).hint(hint));
            }
            if tensor.default.is_some() {
                let message = format!("the output `{}` cannot have a default", key.name);
                context.report("spec.output", &key.span, message);
            }
            if tensor.constant.is_some() {
                let message = format!("the output `{}` cannot be `constant`", key.name);
                context.report("spec.output", &key.span, message);
            }
            declared.outputs.insert(key.name.clone(), tensor);
        }
    }
    if wire.outputs.is_empty() {
        declared.incomplete = true;
        let message = "the spec declares no outputs".to_owned();
        let hint = "add `[outputs]` with the tensors that the kernel writes";
        context.push(context.at("spec.output", &(0..0), message).hint(hint));
    }
    declared
}

/// The dtypes of a type variable; all of them where something is wrong, so that what uses the
/// variable is not reported as well.
fn type_variable(context: &Context, key: &Key, texts: &[Text]) -> Vec<Dtype> {
    let n_before = context.n_diagnostics();
    let mut dtypes = Vec::new();
    for text in texts {
        let Some(dtype) = Dtype::parse(&text.value) else {
            context.push(unknown_dtype(context, text, &[]));
            continue;
        };
        if dtypes.contains(&dtype) {
            let message = format!("`{dtype}` stands twice in `types.{}`", key.name);
            context.report("spec.duplicate", &text.span, message);
        } else {
            dtypes.push(dtype);
        }
    }
    if texts.is_empty() {
        let message = format!("`types.{}` allows no dtype", key.name);
        context.report("spec.empty", &key.span, message);
    }
    if context.n_diagnostics() == n_before { dtypes } else { Dtype::ALL.to_vec() }
}

/// What other tools call our dtypes.
const FOREIGN_DTYPES: [(&str, Dtype); 16] = [
    ("bfloat16", Dtype::Bf16),
    ("half", Dtype::F16),
    ("float16", Dtype::F16),
    ("float", Dtype::F32),
    ("float32", Dtype::F32),
    ("double", Dtype::F64),
    ("float64", Dtype::F64),
    ("float8_e4m3fn", Dtype::F8e4m3),
    ("float8_e5m2", Dtype::F8e5m2),
    ("int", Dtype::I32),
    ("int8", Dtype::I8),
    ("int16", Dtype::I16),
    ("int32", Dtype::I32),
    ("int64", Dtype::I64),
    ("uint8", Dtype::U8),
    ("uint32", Dtype::U32),
];

/// `variables` are other words that could have been meant.
fn unknown_dtype(
    context: &Context,
    text: &Text,
    variables: &[&str],
) -> crate::diagnostic::Diagnostic {
    let what = if variables.is_empty() { "dtype" } else { "dtype or type variable" };
    let mut diagnostic =
        context.at("spec.dtype", &text.span, format!("`{}` is not a {what}", text.value));
    let dtypes = Dtype::ALL.iter().map(|dtype| dtype.name());
    let known: Vec<&str> = variables.iter().copied().chain(dtypes).collect();
    let foreign = FOREIGN_DTYPES.iter().find(|(name, _)| *name == text.value);
    diagnostic.hint = match foreign {
        Some((_, dtype)) => Some(format!("did you mean `{dtype}`?")),
        None => suggestion::hint(&text.value, known),
    };
    diagnostic
}

impl Declared {
    /// Takes a name, which must be an identifier that nothing else bears.
    pub(super) fn declare(&mut self, context: &Context, key: &Key, what: &'static str) -> bool {
        let name = &key.name;
        let fail = |code: &str, message: String, hint: String| {
            context.push(context.at(code, &key.span, message).hint(hint));
        };
        if !is_name(name) {
            fail(
                "spec.name",
                format!("`{}` cannot be the name of {} {what}", name.escape_debug(), article(what)),
                format!(
                    "letters, digits and `_`, not beginning with a digit, at most {NAME_LIMIT}"
                ),
            );
            self.incomplete = true;
            return false;
        }
        if RESERVED_WORDS.contains(&name.as_str()) {
            let message = format!("`{name}` has a meaning of its own in expressions");
            fail("spec.name", message, "choose another name".to_owned());
            self.incomplete = true;
            return false;
        }
        if let Some((other, _)) = self.names.get(name) {
            let message = format!("`{name}` is declared twice, as {what} and as {other}");
            let hint = "axes, types, inputs, outputs and parameters share one set of names";
            fail("spec.duplicate", message, hint.to_owned());
            return false;
        }
        self.names.insert(name.clone(), (what, key.clone()));
        true
    }

    fn axis(&mut self, context: &Context, wire: &v1::Spec, key: &Key, axis: &v1::Axis) {
        // A name that was refused, or is another thing's, is reported already.
        if self
            .names
            .get(&key.name)
            .is_none_or(|(what, own)| *what != "axis" || own.span != key.span)
        {
            return;
        }
        let words = [("dynamic", AxisWord::Dynamic), ("specialized", AxisWord::Specialized)];
        let kind = if let Some(text) = &axis.expression {
            let axes: Vec<&str> = wire.axes.iter().map(|(key, _)| key.name.as_str()).collect();
            self.parse_over(context, text, &axes, &[], false).map(AxisKind::Derived)
        } else {
            let text = axis.kind.as_ref();
            let word = text.and_then(|t| v1::word(context, "spec.axis", "kind of axis", t, &words));
            word.map(|word| match word {
                AxisWord::Dynamic => AxisKind::Dynamic,
                AxisWord::Specialized => AxisKind::Specialized,
            })
        };
        let kind = kind.unwrap_or_else(|| {
            self.incomplete = true;
            if axis.expression.is_some() { stand_in() } else { AxisKind::Specialized }
        });
        self.axes.insert(key.name.clone(), kind);
        if let Some(text) = axis.description.as_ref().filter(|text| !text.value.is_empty()) {
            self.axis_descriptions.insert(key.name.clone(), text.value.clone());
        }
    }

    /// Reports derived axes that need themselves.
    fn check_cycles(&mut self, context: &Context, wire: &v1::Spec) {
        let mut open: Vec<&str> = self.axes.keys().map(String::as_str).collect();
        loop {
            let blocked: Vec<&str> = open
                .iter()
                .copied()
                .filter(|name| match self.axes.get(*name) {
                    Some(AxisKind::Derived(expression)) => {
                        expression.variables().any(|used| open.contains(&used))
                    }
                    _ => false,
                })
                .collect();
            if blocked.len() == open.len() {
                break;
            }
            open = blocked;
        }
        let cyclic: Vec<String> = open.iter().map(|name| (*name).to_owned()).collect();
        for (key, axis) in wire.axes.iter().filter(|(key, _)| cyclic.contains(&key.name)) {
            let names: Vec<String> = cyclic.iter().map(|name| format!("`{name}`")).collect();
            let span = axis.expression.as_ref().map_or(&key.span, |text| &text.span);
            let message =
                format!("`{}` needs itself: a cycle among {}", key.name, names.join(", "));
            context.report("spec.axis-cycle", span, message);
        }
        for name in cyclic {
            self.incomplete = true;
            self.axes.insert(name, stand_in());
        }
    }

    fn tensor(&mut self, context: &Context, key: &Key, tensor: &v1::Tensor) -> TensorDeclaration {
        let dtype = tensor.dtype.as_ref().and_then(|text| self.dtype(context, text));
        let mut axes: Vec<String> = Vec::new();
        for text in tensor.shape.iter().flatten() {
            if !self.axes.contains_key(&text.value) {
                self.unknown_axis(context, text);
            } else if axes.contains(&text.value) {
                let message = format!("`{}` has the axis `{}` twice", key.name, text.value);
                let hint = format!(
                    "axes are told apart by name: declare `other = {{ expression = \"{}\" }}`",
                    text.value
                );
                context.push(context.at("spec.shape", &text.span, message).hint(hint));
                self.incomplete = true;
            } else {
                axes.push(text.value.clone());
            }
        }
        if let (Some((_, span)), true) = (&tensor.default, tensor.shape.is_some()) {
            let message = format!("`{}` is a tensor, and only a scalar has a default", key.name);
            context.push(context.at("spec.default", span, message).hint("a scalar has no `shape`"));
        }
        if let (Some((_, span)), true) = (&tensor.constant, tensor.shape.is_none()) {
            let message = format!("`{}` is a scalar, and only a tensor is `constant`", key.name);
            let hint = "a scalar is passed by value; a tensor has a `shape`";
            context.push(context.at("spec.constant", span, message).hint(hint));
        }
        let dtype = dtype.unwrap_or_else(|| {
            self.incomplete = true;
            DtypeRef::Fixed(Dtype::F32)
        });
        TensorDeclaration {
            shape: tensor.shape.as_ref().map(|_| axes),
            dtype,
            default: tensor.default.as_ref().map(|(value, _)| *value),
            constant: tensor.constant.as_ref().map(|(constant, _)| *constant),
            description: super::text_of(tensor.description.as_ref()),
        }
    }

    fn dtype(&self, context: &Context, text: &Text) -> Option<DtypeRef> {
        if self.types.contains_key(&text.value) {
            return Some(DtypeRef::Variable(text.value.clone()));
        }
        match Dtype::parse(&text.value) {
            Some(dtype) => Some(DtypeRef::Fixed(dtype)),
            None => {
                let variables: Vec<&str> = self.types.keys().map(String::as_str).collect();
                context.push(unknown_dtype(context, text, &variables));
                None
            }
        }
    }

    fn unknown_axis(&mut self, context: &Context, text: &Text) {
        self.incomplete = true;
        let message = format!("`{}` is not an axis", text.value);
        let mut diagnostic = context.at("spec.shape", &text.span, message);
        diagnostic.hint = if is_name(&text.value) {
            suggestion::hint(&text.value, self.axes.keys().map(String::as_str))
        } else {
            let example = text.value.escape_debug();
            Some(format!("declare it in `[axes]`: `name = {{ expression = \"{example}\" }}`"))
        };
        context.push(diagnostic);
    }

    /// Reports names whose macros would be the same: `T` and `t` are both `RIDGE_T`.
    pub(super) fn check_macros(&self, context: &Context, parameters: &[Parameter]) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for name in self.bound_names(parameters) {
            let own = Bindings::macro_name(name);
            let Some(other) = seen.insert(own.clone(), name) else { continue };
            let span = self.names.get(name).map_or(0..0, |(_, key)| key.span.clone());
            let message = format!("`{name}` and `{other}` are both the macro `{own}`");
            context.push(context.at("spec.duplicate", &span, message).hint("rename one of them"));
        }
    }

    /// Types, specialized axes and parameters.
    pub(super) fn bound_names<'a>(&'a self, parameters: &'a [Parameter]) -> Vec<&'a str> {
        let specialized = |name: &&String| super::super::is_specialized(&self.axes, name);
        let axes = self.axes.keys().filter(specialized).map(String::as_str);
        let parameters = parameters.iter().map(|parameter| parameter.name.as_str());
        self.types.keys().map(String::as_str).chain(axes).chain(parameters).collect()
    }

    /// What the math is checked against.
    pub(super) fn for_math(&self) -> Declarations {
        let declaration = |(name, tensor): (&String, &TensorDeclaration)| Declaration {
            name: name.clone(),
            axes: tensor.shape.clone(),
            dtypes: match &tensor.dtype {
                DtypeRef::Fixed(dtype) => vec![*dtype],
                DtypeRef::Variable(name) => self.types.get(name).cloned().unwrap_or_default(),
            },
        };
        Declarations {
            axes: self.axes.keys().cloned().collect(),
            types: self.types.iter().map(|(name, own)| (name.clone(), own.clone())).collect(),
            inputs: self.inputs.iter().map(declaration).collect(),
            outputs: self.outputs.iter().map(declaration).collect(),
        }
    }
}

/// In the place of a derived axis that is wrong, so that what uses the axis is not reported as well.
fn stand_in() -> AxisKind {
    IntegerExpression::parse("1", &Origin::standalone("", "1"))
        .map_or(AxisKind::Specialized, AxisKind::Derived)
}

fn article(what: &str) -> &'static str {
    if what.starts_with(['a', 'i', 'o']) { "an" } else { "a" }
}

#[derive(Clone, Copy)]
enum AxisWord {
    Dynamic,
    Specialized,
}
