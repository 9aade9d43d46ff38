//! Enumeration under constraints.
//!
//! Parameters are bound one after another, in an order chosen so that constraints become
//! decidable early. A constraint whose parameters are all bound is evaluated (once for each
//! combination of their values, where a table of the answers is small enough); one that still has
//! free parameters is bounded over their ranges, and a branch where it must be false is dropped
//! whole.

use super::legal::strides;
use super::{Candidate, SearchSpace};
use crate::diagnostic::Diagnostic;
use crate::expression::{Fault, Interval, Operand, Scope, bound, run};

/// Most legal points of a space.
pub const POINTS_LIMIT: usize = 10_000_000;

/// Most constraint checks that an enumeration makes before it gives up.
pub const CHECKS_LIMIT: u64 = 1 << 28;

/// Largest table of a constraint's answers, entries of one byte.
const TABLE_LIMIT: usize = 1 << 20;

/// Bounds of a constraint that never pruned in this many tries are not computed any more.
const USELESS_BOUNDS: u32 = 1024;

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

/// Whether some point satisfies the chosen constraints; `None` where `checks` did not suffice to
/// tell. A point where one of them faults counts as satisfying.
pub(super) fn satisfiable(
    space: &SearchSpace,
    scope: &Scope,
    chosen: &[usize],
    checks: u64,
) -> Option<bool> {
    let mut search = Search::new(space, scope, chosen, 0, checks).ok()?;
    match search.run() {
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Holds = 1,
    Fails = 2,
    Faults = 3,
}

/// A constraint made ready: names resolved to constants or to parameters.
struct Ready<'a> {
    /// Its place in the declared order.
    place: usize,
    nodes: &'a [crate::expression::Node],
    slots: Vec<Slot<'a>>,
    /// The parameters it uses, with the stride of each in the table.
    parameters: Vec<(usize, usize)>,
    /// Answers by combination of value indices, 0 for not yet known; empty where too large.
    table: Vec<u8>,
    /// How often its bounds were computed since they last pruned; see [`USELESS_BOUNDS`].
    useless: u32,
}

#[derive(Clone, Copy)]
enum Slot<'a> {
    Constant(Operand<'a>),
    Parameter(usize),
}

struct Search<'a> {
    values: Vec<Vec<Operand<'a>>>,
    ranges: Vec<Interval>,
    strides: Vec<u128>,
    constraints: Vec<Ready<'a>>,
    /// The order in which parameters are bound.
    order: Vec<usize>,
    /// By depth, constraints decided once that parameter is bound, in declared order. Depth 0 is
    /// before any parameter.
    decided: Vec<Vec<usize>>,
    /// By depth, constraints that use that parameter and others still free.
    open: Vec<Vec<usize>>,
    /// The value index of each parameter, where bound.
    current: Vec<usize>,
    bound: Vec<bool>,
    keys: Vec<u128>,
    n_points_limit: usize,
    n_checks_left: u64,
    results: Vec<Operand<'a>>,
    intervals: Vec<Interval>,
}

impl<'a> Search<'a> {
    fn new(
        space: &'a SearchSpace,
        scope: &'a Scope,
        chosen: &[usize],
        n_points_limit: usize,
        n_checks: u64,
    ) -> Result<Self, Diagnostic> {
        let values: Vec<Vec<Operand<'a>>> = space
            .parameters
            .iter()
            .map(|parameter| parameter.values.iter().map(Operand::from).collect())
            .collect();
        let ranges = values.iter().map(|values| range(values)).collect();
        let mut constraints = Vec::new();
        for &place in chosen {
            constraints.push(Ready::new(space, scope, place, &values)?);
        }
        let n_parameters = values.len();
        let order = binding_order(&constraints, &values);
        let (decided, open) = schedule(&constraints, &order);
        Ok(Self {
            values,
            ranges,
            strides: strides(&space.parameters)?,
            constraints,
            order,
            decided,
            open,
            current: vec![0; n_parameters],
            bound: vec![false; n_parameters],
            keys: Vec::new(),
            n_points_limit,
            n_checks_left: n_checks,
            results: Vec::new(),
            intervals: Vec::new(),
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
        self.bound[parameter] = true;
        for value in 0..self.values[parameter].len() {
            self.current[parameter] = value;
            if let Some(fault) = self.check(depth + 1, fault)? {
                let key = key + value as u128 * self.strides[parameter];
                self.descend(depth + 1, key, fault)?;
            }
        }
        self.bound[parameter] = false;
        Ok(())
    }

    /// Checks the constraints of a depth: `None` where one fails, else the first that faults.
    fn check(
        &mut self,
        depth: usize,
        mut fault: Option<usize>,
    ) -> Result<Option<Option<usize>>, Stop> {
        for i in 0..self.decided[depth].len() {
            let constraint = self.decided[depth][i];
            let place = self.constraints[constraint].place;
            self.spend()?;
            match self.answer(constraint) {
                Answer::Holds => {}
                Answer::Fails => return Ok(None),
                Answer::Faults => {
                    fault = Some(fault.map_or(place, |first| first.min(place)));
                }
            }
        }
        for i in 0..self.open[depth].len() {
            let constraint = self.open[depth][i];
            if self.constraints[constraint].useless >= USELESS_BOUNDS {
                continue;
            }
            self.spend()?;
            if self.must_fail(constraint) {
                return Ok(None);
            }
        }
        Ok(Some(fault))
    }

    fn spend(&mut self) -> Result<(), Stop> {
        self.n_checks_left = self.n_checks_left.checked_sub(1).ok_or(Stop::Checks)?;
        Ok(())
    }

    fn answer(&mut self, constraint: usize) -> Answer {
        let ready = &self.constraints[constraint];
        let entry: usize =
            ready.parameters.iter().map(|&(p, stride)| self.current[p] * stride).sum();
        match ready.table.get(entry) {
            Some(1) => return Answer::Holds,
            Some(2) => return Answer::Fails,
            Some(3) => return Answer::Faults,
            _ => {}
        }
        let (values, current) = (&self.values, &self.current);
        let load = |variable: usize| match ready.slots[variable] {
            Slot::Constant(value) => value,
            Slot::Parameter(parameter) => values[parameter][current[parameter]],
        };
        let answer = match run(ready.nodes, load, &mut self.results) {
            Operand::Integer(0) => Answer::Fails,
            Operand::Integer(_) => Answer::Holds,
            // A constraint that is a text has no truth.
            Operand::Text(_) | Operand::Fault(..) => Answer::Faults,
        };
        if let Some(known) = self.constraints[constraint].table.get_mut(entry) {
            *known = answer as u8;
        }
        answer
    }

    /// Whether a constraint is false whatever its free parameters are.
    fn must_fail(&mut self, constraint: usize) -> bool {
        let ready = &self.constraints[constraint];
        let load = |variable: usize| match ready.slots[variable] {
            Slot::Constant(value) => single(value),
            Slot::Parameter(p) if self.bound[p] => single(self.values[p][self.current[p]]),
            Slot::Parameter(p) => self.ranges[p],
        };
        let fails = bound(ready.nodes, load, &mut self.intervals).is_false();
        let useless = &mut self.constraints[constraint].useless;
        *useless = if fails { 0 } else { *useless + 1 };
        fails
    }

    /// The diagnostic for a constraint that faults at the current point.
    fn fault(&self, space: &SearchSpace, scope: &Scope, constraint: usize) -> Diagnostic {
        let point =
            Candidate::new(space.parameters.iter().zip(&self.current).map(
                |(parameter, &value)| (parameter.name.as_str(), parameter.values[value].clone()),
            ));
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

impl<'a> Ready<'a> {
    fn new(
        space: &'a SearchSpace,
        scope: &'a Scope,
        place: usize,
        values: &[Vec<Operand<'a>>],
    ) -> Result<Self, Diagnostic> {
        let expression = &space.constraints[place];
        let parameter = |name: &str| space.parameters.iter().position(|p| p.name == name);
        let known = || {
            let own = space.parameters.iter().map(|parameter| parameter.name.as_str());
            own.chain(scope.iter().map(|(name, _)| name)).collect::<Vec<_>>()
        };
        let is_known = |name: &str| parameter(name).is_some() || scope.get(name).is_some();
        if let Some(unknown) = expression.unknown_names(is_known, known()).into_iter().next() {
            return Err(unknown);
        }
        let mut slots = Vec::new();
        let mut parameters = Vec::new();
        let mut n_entries = Some(1usize);
        for name in expression.variables() {
            if let Some(index) = parameter(name) {
                slots.push(Slot::Parameter(index));
                let stride = n_entries.unwrap_or(0);
                parameters.push((index, stride));
                n_entries = n_entries
                    .and_then(|n| n.checked_mul(values[index].len()))
                    .filter(|&n| n <= TABLE_LIMIT);
            } else {
                let fault = Operand::Fault(Fault::UnknownName, 0);
                slots.push(Slot::Constant(scope.get(name).map_or(fault, Operand::from)));
            }
        }
        let table = vec![0; n_entries.unwrap_or(0)];
        Ok(Self { place, nodes: expression.nodes(), slots, parameters, table, useless: 0 })
    }
}

/// Binds first what decides constraints soonest: each constraint pulls at its unbound parameters,
/// four times as hard for each one fewer that is left; a smaller set of values wins ties.
fn binding_order(constraints: &[Ready<'_>], values: &[Vec<Operand<'_>>]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(values.len());
    while order.len() < values.len() {
        let pull = |parameter: usize| -> u64 {
            let mut total = 0u64;
            for constraint in constraints {
                let uses = |p: usize| constraint.parameters.iter().any(|&(own, _)| own == p);
                if uses(parameter) {
                    let n_bound = order.iter().filter(|&&p| uses(p)).count();
                    let n_left = constraint.parameters.len() - n_bound;
                    total += 1 << (40 - 2 * n_left.min(20));
                }
            }
            total
        };
        let free = (0..values.len()).filter(|p| !order.contains(p));
        let best = free.min_by_key(|&p| (std::cmp::Reverse(pull(p)), values[p].len(), p));
        order.extend(best);
    }
    order
}

/// By depth, the constraints that are decided there, and those that are touched but stay open.
fn schedule(constraints: &[Ready<'_>], order: &[usize]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let mut decided = vec![Vec::new(); order.len() + 1];
    let mut open = decided.clone();
    for (index, constraint) in constraints.iter().enumerate() {
        let depth_of = |p: usize| order.iter().position(|&o| o == p).map_or(0, |depth| depth + 1);
        let depths: Vec<usize> = constraint.parameters.iter().map(|&(p, _)| depth_of(p)).collect();
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
    (decided, open)
}

fn single(value: Operand<'_>) -> Interval {
    match value {
        Operand::Integer(value) => Interval::new(value, value),
        Operand::Text(_) | Operand::Fault(..) => Interval::TEXT,
    }
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
