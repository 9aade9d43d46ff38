//! Enumeration under constraints.
//!
//! Parameters are bound one after another, in an order chosen so that constraints become
//! decidable early. A constraint whose parameters are all bound is evaluated (once for each
//! combination of their values, where a table of the answers is small enough); one that still has
//! free parameters is bounded over their ranges, and a branch where it must be false is dropped
//! whole.

use super::legal::strides;
use super::ready::{Answer, Point, Ready};
use super::{Candidate, SearchSpace};
use crate::diagnostic::Diagnostic;
use crate::expression::{Interval, Operand, Scope};

/// Most legal points of a space.
pub const POINTS_LIMIT: usize = 10_000_000;

/// Most constraint checks that an enumeration makes before it gives up.
pub const CHECKS_LIMIT: u64 = 1 << 28;

/// Numbers of the legal points in the full product, in no order; empty where none is legal.
pub(super) fn enumerate(space: &SearchSpace, scope: &Scope) -> Result<Vec<u128>, Diagnostic> {
    let all: Vec<usize> = (0..space.constraints.len()).collect();
    let mut search = Search::new(space, scope, &all, POINTS_LIMIT, CHECKS_LIMIT)?;
    match search.run() {
        Ok(()) => Ok(search.keys),
        Err(Stop::Points) => Err(Diagnostic::new(
            "space.too-large",
            format!("more than {POINTS_LIMIT} candidates are legal"),
        )
        .hint("add constraints, or remove values")),
        Err(Stop::Checks) => Err(Diagnostic::new(
            "space.too-large",
            format!("the space is not enumerated after {CHECKS_LIMIT} constraint checks"),
        )
        .hint("split constraints so that each uses few parameters, or remove values")),
        Err(Stop::Fault(constraint)) => Err(search.fault(space, scope, constraint)),
    }
}

/// Whether some point satisfies the chosen constraints; `None` where the checks that are left did
/// not suffice to tell. A point where one of them faults counts as satisfying.
pub(super) fn satisfiable(
    space: &SearchSpace,
    scope: &Scope,
    chosen: &[usize],
    n_checks_left: &mut u64,
) -> Option<bool> {
    let mut search = Search::new(space, scope, chosen, 0, *n_checks_left).ok()?;
    let stop = search.run();
    *n_checks_left = search.n_checks_left;
    match stop {
        Ok(()) => Some(false),
        Err(Stop::Points | Stop::Fault(_)) => Some(true),
        Err(Stop::Checks) => None,
    }
}

enum Stop {
    /// More points than asked for.
    Points,
    /// More checks than allowed.
    Checks,
    /// This constraint faults at the current point, and none is false there.
    Fault(usize),
}

struct Search<'a> {
    point: Point<'a>,
    strides: Vec<u128>,
    constraints: Vec<Ready<'a>>,
    /// The order in which parameters are bound.
    order: Vec<usize>,
    /// By depth, constraints decided once that parameter is bound. Depth 0 is before any parameter.
    decided: Vec<Vec<usize>>,
    /// By depth, constraints that use that parameter and others still free.
    open: Vec<Vec<usize>>,
    keys: Vec<u128>,
    n_points_limit: usize,
    n_checks_left: u64,
}

impl<'a> Search<'a> {
    fn new(
        space: &'a SearchSpace,
        scope: &'a Scope,
        chosen: &[usize],
        n_points_limit: usize,
        n_checks_left: u64,
    ) -> Result<Self, Diagnostic> {
        let values: Vec<Vec<Operand<'a>>> = space
            .parameters
            .iter()
            .map(|parameter| parameter.values.iter().map(Operand::from).collect())
            .collect();
        let ranges = values.iter().map(|values| range(values)).collect();
        let point = Point { current: vec![0; values.len()], values, ranges };
        let mut constraints = Vec::new();
        for &place in chosen {
            constraints.push(Ready::new(space, scope, place)?);
        }
        let order = binding_order(&constraints, &point.values);
        let mut decided = vec![Vec::new(); order.len() + 1];
        let mut open = decided.clone();
        for (index, constraint) in constraints.iter_mut().enumerate() {
            let depths = constraint.schedule(&order, &point);
            let last = depths.iter().copied().max().unwrap_or(0);
            decided[last].push(index);
            if last > 0 {
                // Before the first parameter everything may already be lost.
                open[0].push(index);
            }
            for depth in depths.into_iter().filter(|&depth| depth < last) {
                open[depth].push(index);
            }
        }
        Ok(Self {
            point,
            strides: strides(&space.parameters)?,
            constraints,
            order,
            decided,
            open,
            keys: Vec::new(),
            n_points_limit,
            n_checks_left,
        })
    }

    fn run(&mut self) -> Result<(), Stop> {
        match self.check(0, None)? {
            Some(fault) => self.descend(0, 0, fault),
            None => Ok(()),
        }
    }

    /// Binds the parameter at `depth` to each of its values in turn. `fault` is the first
    /// constraint, in declared order, of those that fault at the values bound so far.
    fn descend(&mut self, depth: usize, key: u128, fault: Option<usize>) -> Result<(), Stop> {
        let Some(&parameter) = self.order.get(depth) else {
            if let Some(constraint) = fault {
                return Err(Stop::Fault(constraint));
            }
            if self.keys.len() >= self.n_points_limit {
                return Err(Stop::Points);
            }
            self.keys.push(key);
            return Ok(());
        };
        for value in 0..self.point.values[parameter].len() {
            self.point.current[parameter] = value;
            if let Some(fault) = self.check(depth + 1, fault)? {
                let key = key + value as u128 * self.strides[parameter];
                self.descend(depth + 1, key, fault)?;
            }
        }
        Ok(())
    }

    /// Checks the constraints of a depth: `None` where one fails, else the first that faults.
    fn check(
        &mut self,
        depth: usize,
        mut fault: Option<usize>,
    ) -> Result<Option<Option<usize>>, Stop> {
        for &constraint in &self.decided[depth] {
            let constraint = &mut self.constraints[constraint];
            self.n_checks_left = self.n_checks_left.checked_sub(1).ok_or(Stop::Checks)?;
            match constraint.answer(depth, &self.point) {
                Answer::Holds => {}
                Answer::Fails => return Ok(None),
                Answer::Faults => {
                    let place = constraint.place;
                    fault = Some(fault.map_or(place, |first| first.min(place)));
                }
            }
        }
        for &constraint in &self.open[depth] {
            let constraint = &mut self.constraints[constraint];
            self.n_checks_left = self.n_checks_left.checked_sub(1).ok_or(Stop::Checks)?;
            constraint.learn(depth, &self.point);
            if constraint.is_bounded() && constraint.must_fail(depth, &self.point) {
                return Ok(None);
            }
        }
        Ok(Some(fault))
    }

    /// The diagnostic for a constraint that faults at the current point.
    fn fault(&self, space: &SearchSpace, scope: &Scope, constraint: usize) -> Diagnostic {
        let values = space.parameters.iter().zip(&self.point.current);
        let point =
            Candidate::new(values.map(|(parameter, &value)| {
                (parameter.name.as_str(), parameter.values[value].clone())
            }));
        let expression = &space.constraints[constraint];
        match expression.integer(&scope.with(point.iter())) {
            Err(mut diagnostic) => {
                diagnostic.message = format!("{}, at candidate `{point}`", diagnostic.message);
                diagnostic
            }
            Ok(_) => Diagnostic::new(
                "expression.type",
                format!("`{expression}` has no value at candidate `{point}`"),
            ),
        }
    }
}

/// Binds first what decides constraints soonest: each constraint pulls at its unbound parameters,
/// four times as hard for each one fewer that is left; a smaller set of values wins ties.
fn binding_order(constraints: &[Ready<'_>], values: &[Vec<Operand<'_>>]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(values.len());
    while order.len() < values.len() {
        let pull = |parameter: usize| -> u64 {
            let mut total = 0u64;
            for constraint in constraints.iter().filter(|own| own.uses(parameter)) {
                let n_bound = order.iter().filter(|&&p| constraint.uses(p)).count();
                let n_left = constraint.n_parameters() - n_bound;
                total += 1 << (40 - 2 * n_left.min(20));
            }
            total
        };
        let free = (0..values.len()).filter(|p| !order.contains(p));
        let best = free.min_by_key(|&p| (std::cmp::Reverse(pull(p)), values[p].len(), p));
        order.extend(best);
    }
    order
}

/// The hull of a parameter's values.
fn range(values: &[Operand<'_>]) -> Interval {
    let mut hull: Option<Interval> = None;
    for value in values {
        let Operand::Integer(value) = *value else { return Interval::TEXT };
        hull = Some(match hull {
            None => Interval::new(value, value),
            Some(hull) => Interval::new(hull.low.min(value), hull.high.max(value)),
        });
    }
    hull.unwrap_or(Interval::TEXT)
}
