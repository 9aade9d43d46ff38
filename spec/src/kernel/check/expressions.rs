//! Expressions of a spec: which names each may use.

use super::super::wire::{Context, Text};
use super::declarations::Declared;
use crate::diagnostic::Diagnostic;
use crate::expression::{DEVICE_NAMES, IntegerExpression, Value};
use crate::space::Parameter;
use crate::suggestion;

impl Declared {
    /// Parses an expression over axes, types, parameters and, where `device` is set, the device;
    /// what is wrong is reported.
    pub(super) fn expression(
        &self,
        context: &Context,
        text: Option<&Text>,
        parameters: &[Parameter],
        device: bool,
    ) -> Option<IntegerExpression> {
        let axes: Vec<&str> = self.axes.keys().map(String::as_str).collect();
        self.parse_over(context, text?, &axes, parameters, device)
    }

    /// As [`Self::expression`], with the axes given.
    pub(super) fn parse_over(
        &self,
        context: &Context,
        text: &Text,
        axes: &[&str],
        parameters: &[Parameter],
        device: bool,
    ) -> Option<IntegerExpression> {
        let expression = IntegerExpression::parse(&text.value, &text.origin);
        let expression = context.accept(expression)?;
        let sizes: Vec<String> = self.types.keys().map(|name| format!("sizeof({name})")).collect();
        let mut known: Vec<&str> = parameters.iter().map(|own| own.name.as_str()).collect();
        known.extend(axes);
        known.extend(self.types.keys().map(String::as_str));
        known.extend(sizes.iter().map(String::as_str));
        if device {
            known.extend(DEVICE_NAMES);
        }
        let is_known = |name: &str| known.contains(&name);
        let unknown = expression.unknown_names(is_known, known.iter().copied());
        let misspelt = self.impossible_texts(&expression, parameters);
        let clean = unknown.is_empty() && misspelt.is_empty();
        for diagnostic in unknown {
            context.push(self.explain(diagnostic, parameters, device));
        }
        misspelt.into_iter().for_each(|diagnostic| context.push(diagnostic));
        clean.then_some(expression)
    }

    /// Says more of a name that exists and may not be used here.
    fn explain(
        &self,
        mut diagnostic: Diagnostic,
        parameters: &[Parameter],
        device: bool,
    ) -> Diagnostic {
        let is_answered = diagnostic.message.starts_with("`device.")
            || diagnostic.hint.as_ref().is_some_and(|hint| hint.starts_with("did you mean"));
        let quoted = |name: &str| diagnostic.message.starts_with(&format!("`{name}`"));
        if !device && diagnostic.message.starts_with("`device.") {
            diagnostic.hint =
                Some("only constraints and launch expressions know the device".to_owned());
        } else if self.inputs.keys().chain(self.outputs.keys()).any(|name| quoted(name)) {
            diagnostic.hint = Some("a tensor or scalar has no integer value here".to_owned());
        } else if device && self.is_generated && !is_answered {
            diagnostic.hint = Some(super::space::GENERATED_HINT.to_owned());
        } else if parameters.is_empty() && !device && diagnostic.hint.is_none() {
            diagnostic.hint = Some("only axes and types can be used here".to_owned());
        }
        diagnostic
    }

    /// Comparisons of a parameter or type variable with a text it never is: a misspelt value would
    /// make a constraint that silently never, or always, holds.
    fn impossible_texts(
        &self,
        expression: &IntegerExpression,
        parameters: &[Parameter],
    ) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (name, text, span) in expression.text_comparisons() {
            let values: Vec<&str> = if let Some(dtypes) = self.types.get(name) {
                dtypes.iter().map(|dtype| dtype.name()).collect()
            } else if let Some(own) = parameters.iter().find(|own| own.name == name) {
                own.values
                    .iter()
                    .filter_map(|value| match value {
                        Value::Text(text) => Some(text.as_str()),
                        Value::Integer(_) => None,
                    })
                    .collect()
            } else {
                continue;
            };
            // A parameter without texts is a type error, which evaluation reports.
            if values.is_empty() || values.contains(&text) {
                continue;
            }
            let message = format!("`{name}` is never `{text}`");
            let mut diagnostic = Diagnostic::new("expression.impossible-text", message)
                .at(expression.origin().locate(span));
            diagnostic.hint = suggestion::hint(text, values);
            diagnostics.push(diagnostic);
        }
        diagnostics
    }
}
