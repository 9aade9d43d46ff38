//! The search space: parameters, constraints, the default.

use std::ops::Range;

use super::super::wire::{Context, Key, v1};
use super::declarations::Declared;
use crate::expression::Value;
use crate::space::{Candidate, Parameter, SearchSpace, VALUES_LIMIT};
use crate::suggestion;

/// What to do about a name that may be a generated parameter's.
pub(super) const GENERATED_HINT: &str = "a generated kernel's parameter is used here once its \
     values are listed in `[space.parameters]`; `ridge check` prints the names";

/// Checks a space; what is wrong is reported and left out. The parameters' names are declared.
pub(super) fn check(
    context: &Context,
    space: Option<&v1::Space>,
    declared: &mut Declared,
) -> SearchSpace {
    let Some(space) = space else { return SearchSpace::default() };
    let mut parameters = Vec::new();
    // Parameters some of whose values were refused: what else they may be is not known.
    let mut doubtful = Vec::new();
    for (key, values) in &space.parameters {
        if declared.declare(context, key, "parameter") {
            let n_before = context.n_diagnostics();
            let values = parameter_values(context, key, values);
            if context.n_diagnostics() != n_before {
                doubtful.push(key.name.as_str());
            }
            parameters.push(Parameter { name: key.name.clone(), values });
        }
    }
    let constraints = space.constraints.iter();
    let constraints = constraints
        .filter_map(|text| declared.expression(context, Some(text), &parameters, true))
        .collect();
    let default = space.default.as_ref();
    let default = default.and_then(|(own, span)| {
        candidate(context, span, own, &parameters, &doubtful, declared.is_generated)
    });
    SearchSpace { parameters, constraints, default }
}

fn parameter_values(context: &Context, key: &Key, located: &[(Value, Range<usize>)]) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    // Set beside the list: a parameter may have thousands of values.
    let mut seen = std::collections::BTreeSet::new();
    for (value, span) in located {
        if let Value::Text(text) = value
            && !Value::is_parameter_text(text)
        {
            let message = format!("`{}` cannot be a parameter's value", text.escape_debug());
            let hint = "a text begins with a letter or `_` and holds no space, comma, `=`, quote, \
                        brace or backslash";
            context.push(context.at("space.parameter", span, message).hint(hint));
        } else if !seen.insert(value) {
            let message = format!("`{value}` stands twice in `{}`", key.name);
            context.report("spec.duplicate", span, message);
        } else {
            values.push(value.clone());
        }
    }
    if located.is_empty() || located.len() > VALUES_LIMIT {
        let message = format!(
            "`{}` has {} values, and 1 to {VALUES_LIMIT} are allowed",
            key.name,
            located.len()
        );
        context.report("space.parameter", &key.span, message);
    }
    values
}

/// The default: a value of each parameter and nothing else.
fn candidate(
    context: &Context,
    span: &Range<usize>,
    entries: &[(Key, Value)],
    parameters: &[Parameter],
    doubtful: &[&str],
    is_generated: bool,
) -> Option<Candidate> {
    let mut fits = true;
    let names = || parameters.iter().map(|own| own.name.as_str()).collect::<Vec<_>>();
    for (key, value) in entries {
        let Some(parameter) = parameters.iter().find(|own| own.name == key.name) else {
            let message = format!("the default gives `{}`, which is no parameter", key.name);
            let mut diagnostic = context.at("space.unknown-parameter", &key.span, message);
            let is_misspelt = suggestion::closest(&key.name, names()).is_some();
            diagnostic.hint = if is_generated && !is_misspelt {
                Some(GENERATED_HINT.to_owned())
            } else {
                suggestion::hint(&key.name, names())
            };
            context.push(diagnostic);
            fits = false;
            continue;
        };
        if !parameter.values.contains(value) && !doubtful.contains(&key.name.as_str()) {
            let message = format!("the default `{}` is not a value of `{}`", value, key.name);
            let mut diagnostic = context.at("space.unknown-value", &key.span, message);
            let values: Vec<String> = parameter.values.iter().map(Value::to_string).collect();
            diagnostic.hint =
                suggestion::hint(&value.to_string(), values.iter().map(String::as_str));
            context.push(diagnostic);
            fits = false;
        }
    }
    for parameter in parameters {
        if !entries.iter().any(|(key, _)| key.name == parameter.name) {
            let message = format!("the default gives no value for `{}`", parameter.name);
            context.report("space.missing-parameter", span, message);
            fits = false;
        }
    }
    let entries = entries.iter().map(|(key, value)| (key.name.clone(), value.clone()));
    fits.then(|| Candidate::new(entries))
}
