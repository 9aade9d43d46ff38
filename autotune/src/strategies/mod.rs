//! The strategies there are, one file each.

mod coordinate_descent;
mod exhaustive;
mod genetic;
mod random;
mod surrogate;
#[cfg(test)]
mod tests;

use ridge_spec::diagnostic::Diagnostic;

use crate::strategy::{Setup, Strategy};

/// A strategy that can be chosen by name.
pub struct StrategyEntry {
    /// What `--strategy` takes.
    pub name: &'static str,
    /// One line on what it does.
    pub summary: &'static str,
    /// Whether it proposes the same whatever the outcomes: it loses nothing in large batches.
    pub is_blind: bool,
    /// Makes one.
    pub build: fn(Setup) -> Box<dyn Strategy>,
}

/// Every strategy.
pub const TABLE: &[StrategyEntry] = &[
    StrategyEntry {
        name: "exhaustive",
        summary: "every legal candidate, the predicted fastest first",
        is_blind: true,
        build: |setup| Box::new(exhaustive::Exhaustive::new(setup)),
    },
    StrategyEntry {
        name: "random",
        summary: "candidates drawn evenly, none twice",
        is_blind: true,
        build: |setup| Box::new(random::Random::new(setup)),
    },
    StrategyEntry {
        name: "descent",
        summary: "coordinate descent with restarts",
        is_blind: false,
        build: |setup| Box::new(coordinate_descent::CoordinateDescent::new(setup)),
    },
    StrategyEntry {
        name: "genetic",
        summary: "children of the fastest candidates so far",
        is_blind: false,
        build: |setup| Box::new(genetic::Genetic::new(setup)),
    },
    StrategyEntry {
        name: "surrogate",
        summary: "a Gaussian process and expected improvement, without the prior",
        is_blind: false,
        build: |setup| Box::new(surrogate::Surrogate::cold(setup)),
    },
    StrategyEntry {
        name: "portfolio",
        summary: "the surrogate, begun with the predicted fastest and guided by the prior",
        is_blind: false,
        build: |setup| Box::new(surrogate::Surrogate::with_prior(setup)),
    },
];

/// The strategy that is used where none is named.
pub const DEFAULT: &str = "portfolio";

/// The strategy called `name`.
///
/// # Errors
/// `strategy.unknown`, with the strategies there are as the hint.
pub fn find(name: &str) -> Result<&'static StrategyEntry, Diagnostic> {
    TABLE.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<String> =
            TABLE.iter().map(|entry| format!("`{}` ({})", entry.name, entry.summary)).collect();
        Diagnostic::new("strategy.unknown", format!("no strategy is called `{name}`"))
            .hint(format!("the strategies are {}", known.join(", ")))
    })
}
