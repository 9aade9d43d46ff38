//! Search spaces: parameters, the constraints between them, and the candidates they allow.
//!
//! A candidate is illegal where any constraint is false. Where none is false and one faults (a
//! division by zero, an overflow), the spec is in error: the fault is reported with the candidate,
//! never counted as illegal. The order of constraints means nothing.

mod candidate;
mod conflict;
mod legal;
mod ready;
mod solve;

use std::collections::BTreeSet;

pub use candidate::{Candidate, NAME_LIMIT, is_name};
pub use legal::LegalSpace;
pub use solve::{CHECKS_LIMIT, POINTS_LIMIT};

use crate::diagnostic::Diagnostic;
use crate::expression::{IntegerExpression, Scope, Value};
use crate::suggestion;

/// What a tuning parameter can be.
pub type ParameterValue = Value;

/// Most parameters of a space.
pub const PARAMETERS_LIMIT: usize = 64;

/// Most values of one parameter.
pub const VALUES_LIMIT: usize = 65_535;

/// Most constraints of a space.
pub const CONSTRAINTS_LIMIT: usize = 1024;

/// A tuning parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// The values it can have, in declared order; distinct, at least one.
    pub values: Vec<ParameterValue>,
}

/// Parameters, constraints, and the candidate to use where nothing is tuned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchSpace {
    /// In declared order.
    pub parameters: Vec<Parameter>,
    /// Each must hold (be anything but 0).
    pub constraints: Vec<IntegerExpression>,
    /// The default candidate.
    pub default: Option<Candidate>,
}

impl SearchSpace {
    /// A space whose shape is sound: distinct names, and for each parameter between one and
    /// [`VALUES_LIMIT`] distinct values; a default that gives each parameter one of its values.
    ///
    /// # Errors
    /// `space.*` for whatever is not so.
    pub fn new(
        parameters: Vec<Parameter>,
        constraints: Vec<IntegerExpression>,
        default: Option<Candidate>,
    ) -> Result<Self, Diagnostic> {
        let space = Self { parameters, constraints, default };
        space.sound()?;
        if let Some(default) = &space.default {
            space.indices_of(default)?;
        }
        Ok(space)
    }

    /// Every legal candidate, in the order of the declared parameters and their values.
    ///
    /// Solved while enumerating: each constraint is checked as soon as its parameters are known,
    /// and bounded over ranges before that.
    ///
    /// # Errors
    /// `space.empty` where no candidate is legal, naming the constraints to blame;
    /// `space.too-large` past the limits of this module; `expression.*` where a constraint faults
    /// at a point at which none is false, or uses a name the scope lacks.
    pub fn legal(&self, scope: &Scope) -> Result<LegalSpace, Diagnostic> {
        self.sound()?;
        let points = solve::enumerate(self, scope)?;
        if points.is_empty() {
            return Err(conflict::explain(self, scope));
        }
        LegalSpace::from_keys(self.parameters.clone(), points)
    }

    /// Whether a candidate is legal.
    ///
    /// # Errors
    /// `space.unknown-parameter`, `space.missing-parameter` or `space.unknown-value` where it is no
    /// point of the space; `space.constraint` with the first constraint that is false; `expression.*`
    /// where none is and one faults.
    pub fn check(&self, candidate: &Candidate, scope: &Scope) -> Result<(), Diagnostic> {
        self.indices_of(candidate)?;
        let full = scope.with(candidate.iter());
        let mut fault = None;
        for constraint in &self.constraints {
            match constraint.integer(&full) {
                Ok(0) => {}
                Ok(_) => continue,
                Err(diagnostic) => {
                    fault = fault.or(Some(diagnostic));
                    continue;
                }
            }
            let values = values_of(constraint, &full);
            let with = if values.is_empty() { String::new() } else { format!(" with {values}") };
            return Err(Diagnostic::new(
                "space.constraint",
                format!("`{candidate}` breaks `{constraint}`{with}"),
            )
            .at(constraint.origin().locate(0..constraint.text().len())));
        }
        fault.map_or(Ok(()), Err)
    }

    /// The place of each of the candidate's values among its parameter's.
    fn indices_of(&self, candidate: &Candidate) -> Result<Vec<u16>, Diagnostic> {
        let names = || self.parameters.iter().map(|parameter| parameter.name.as_str());
        for (name, _) in candidate.iter() {
            if !names().any(|known| known == name) {
                let mut diagnostic = Diagnostic::new(
                    "space.unknown-parameter",
                    format!("the space has no parameter `{name}`"),
                );
                diagnostic.hint = suggestion::hint(name, names().collect::<Vec<_>>());
                return Err(diagnostic);
            }
        }
        let mut indices = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            let Some(value) = candidate.get(&parameter.name) else {
                return Err(Diagnostic::new(
                    "space.missing-parameter",
                    format!("the candidate gives no value for `{}`", parameter.name),
                )
                .hint(format!("its values: {}", list(&parameter.values))));
            };
            let index = parameter.values.iter().position(|known| known == value);
            match index.and_then(|index| u16::try_from(index).ok()) {
                Some(index) => indices.push(index),
                None => {
                    return Err(Diagnostic::new(
                        "space.unknown-value",
                        format!("`{value}` is not a value of `{}`", parameter.name),
                    )
                    .hint(format!("its values: {}", list(&parameter.values))));
                }
            }
        }
        Ok(indices)
    }

    fn sound(&self) -> Result<(), Diagnostic> {
        let sizes = [
            ("parameters", self.parameters.len(), PARAMETERS_LIMIT),
            ("constraints", self.constraints.len(), CONSTRAINTS_LIMIT),
        ];
        for (what, size, limit) in sizes {
            if size > limit {
                let message = format!("the space has {size} {what}, and {limit} are allowed");
                return Err(Diagnostic::new("space.too-large", message));
            }
        }
        let mut names = BTreeSet::new();
        for Parameter { name, values } in &self.parameters {
            let fail = |message: String| Err(Diagnostic::new("space.parameter", message));
            if !is_name(name) {
                return fail(format!("`{name}` is not a parameter's name"));
            }
            if !names.insert(name) {
                return fail(format!("two parameters are named `{name}`"));
            }
            if values.is_empty() || values.len() > VALUES_LIMIT {
                return fail(format!(
                    "`{name}` has {} values, and 1 to {VALUES_LIMIT} are allowed",
                    values.len()
                ));
            }
            if values.iter().collect::<BTreeSet<_>>().len() != values.len() {
                return fail(format!("`{name}` has one value twice"));
            }
        }
        Ok(())
    }
}

/// `a`, `b`, `c`, at most sixteen of them.
fn list(values: &[ParameterValue]) -> String {
    const SHOWN: usize = 16;
    let shown: Vec<String> = values.iter().take(SHOWN).map(|value| format!("`{value}`")).collect();
    let more = values.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// `a = 1, b = 2` for the names of an expression that have a value, at most eight.
fn values_of(expression: &IntegerExpression, scope: &Scope) -> String {
    let shown: Vec<String> = expression
        .variables()
        .filter_map(|name| scope.get(name).map(|value| format!("{name} = {value}")))
        .take(8)
        .collect();
    shown.join(", ")
}
