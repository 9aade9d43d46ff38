//! Which constraints leave a space empty.

use super::solve::satisfiable;
use super::{SearchSpace, values_of};
use crate::diagnostic::Diagnostic;
use crate::expression::{IntegerExpression, Scope};

/// Checks that all questions about sets of constraints may take together.
const CHECKS_LIMIT: u64 = 1 << 22;

/// Most constraints among which a smallest conflict is looked for: the search is quadratic.
const SEARCHED: usize = 64;

/// The diagnostic for a space that no candidate satisfies: each constraint that excludes
/// everything alone, or else a set of which none can be left out.
pub(super) fn explain(space: &SearchSpace, scope: &Scope) -> Diagnostic {
    let n = space.constraints.len();
    let mut n_checks_left = CHECKS_LIMIT;
    let mut empty =
        |chosen: &[usize]| satisfiable(space, scope, chosen, &mut n_checks_left) == Some(false);
    let alone: Vec<usize> = (0..n).filter(|&i| empty(&[i])).collect();
    if let Some(&first) = alone.first() {
        let texts = quoted(space, &alone);
        let each = if alone.len() == 1 { "" } else { ", each of them alone" };
        return diagnostic(space, scope, first, format!("no candidate satisfies {texts}{each}"));
    }
    let mut conflict: Vec<usize> = (0..n).collect();
    if n <= SEARCHED {
        for dropped in 0..n {
            let rest: Vec<usize> = conflict.iter().copied().filter(|&i| i != dropped).collect();
            if empty(&rest) {
                conflict = rest;
            }
        }
    }
    let last = conflict.last().copied().unwrap_or(0);
    let texts = quoted(space, &conflict);
    let together = if conflict.len() == 1 { "" } else { " together" };
    diagnostic(space, scope, last, format!("no candidate satisfies {texts}{together}"))
}

fn quoted(space: &SearchSpace, chosen: &[usize]) -> String {
    let texts: Vec<String> =
        chosen.iter().map(|&i| format!("`{}`", space.constraints[i])).collect();
    match texts.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => texts.concat(),
    }
}

fn diagnostic(space: &SearchSpace, scope: &Scope, blamed: usize, message: String) -> Diagnostic {
    let Some(constraint) = space.constraints.get(blamed) else {
        return Diagnostic::new("space.empty", message);
    };
    let fixed: String = values_of(constraint, scope);
    let whole =
        |expression: &IntegerExpression| expression.origin().locate(0..expression.text().len());
    let message = if fixed.is_empty() { message } else { format!("{message}, with {fixed}") };
    Diagnostic::new("space.empty", message)
        .at(whole(constraint))
        .hint("loosen a constraint, or add values to its parameters")
}
