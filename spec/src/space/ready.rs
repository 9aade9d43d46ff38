//! A constraint made ready for enumeration: names resolved, work split by the parameter that is
//! bound last.
//!
//! Each node of the constraint is evaluated when the last parameter under it is bound, and its
//! value kept while deeper parameters vary: what changes with the innermost parameter alone is
//! what is computed for every point.

use super::SearchSpace;
use crate::diagnostic::Diagnostic;
use crate::expression::{Fault, Interval, Node, NodeKind, Operand, Scope, bound, step};

/// Largest table of a constraint's answers, entries of one byte.
const TABLE_LIMIT: usize = 1 << 20;

/// Bounds of a constraint that never pruned in this many tries are not computed any more.
const USELESS_BOUNDS: u32 = 1024;

/// What a constraint says of a point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Holds = 1,
    Fails = 2,
    Faults = 3,
}

/// The parameters' values, and which of them are current.
pub(super) struct Point<'a> {
    pub(super) values: Vec<Vec<Operand<'a>>>,
    /// The hull of each parameter's values.
    pub(super) ranges: Vec<Interval>,
    /// The value index of each parameter, where bound.
    pub(super) current: Vec<usize>,
}

/// A constraint made ready.
pub(super) struct Ready<'a> {
    /// Its place in the declared order.
    pub(super) place: usize,
    nodes: &'a [Node],
    slots: Vec<Slot<'a>>,
    /// The parameters it uses, with the stride of each in the table.
    parameters: Vec<(usize, usize)>,
    /// Answers by combination of value indices, 0 for not yet known; empty where too large.
    table: Vec<u8>,
    /// How often its bounds were computed since they last pruned; see [`USELESS_BOUNDS`].
    useless: u32,
    /// By depth, the nodes that become known there.
    known: Vec<Vec<usize>>,
    /// By depth, the nodes that are not known there and depend on something that is.
    mixed: Vec<Vec<usize>>,
    /// Values of the nodes that are known.
    results: Vec<Operand<'a>>,
    /// Bounds of the nodes: where all parameters are free, or at the current depth.
    free: Vec<Interval>,
    intervals: Vec<Interval>,
    /// The depth at which each node becomes known.
    depths: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Slot<'a> {
    Constant(Operand<'a>),
    Parameter(usize),
}

impl<'a> Ready<'a> {
    /// Resolves the names of a constraint.
    ///
    /// # Errors
    /// `expression.unknown-name` for a name that is neither a parameter nor in the scope.
    pub(super) fn new(
        space: &'a SearchSpace,
        scope: &'a Scope,
        place: usize,
    ) -> Result<Self, Diagnostic> {
        let expression = &space.constraints[place];
        let parameter = |name: &str| space.parameters.iter().position(|p| p.name == name);
        let is_known = |name: &str| parameter(name).is_some() || scope.get(name).is_some();
        let own = space.parameters.iter().map(|parameter| parameter.name.as_str());
        let known: Vec<&str> = own.chain(scope.iter().map(|(name, _)| name)).collect();
        if let Some(unknown) = expression.unknown_names(is_known, known).into_iter().next() {
            return Err(unknown);
        }
        let mut slots = Vec::new();
        let mut parameters = Vec::new();
        let mut n_entries = Some(1usize);
        for name in expression.variables() {
            if let Some(index) = parameter(name) {
                slots.push(Slot::Parameter(index));
                parameters.push((index, n_entries.unwrap_or(0)));
                n_entries = n_entries
                    .and_then(|n| n.checked_mul(space.parameters[index].values.len()))
                    .filter(|&n| n <= TABLE_LIMIT);
            } else {
                let fault = Operand::Fault(Fault::UnknownName, 0);
                slots.push(Slot::Constant(scope.get(name).map_or(fault, Operand::from)));
            }
        }
        let nodes = expression.nodes();
        Ok(Self {
            place,
            nodes,
            slots,
            parameters,
            table: vec![0; n_entries.unwrap_or(0)],
            useless: 0,
            known: Vec::new(),
            mixed: Vec::new(),
            results: vec![Operand::Integer(0); nodes.len()],
            free: Vec::new(),
            intervals: vec![Interval::UNKNOWN; nodes.len()],
            depths: Vec::new(),
        })
    }

    /// Whether it uses a parameter.
    pub(super) fn uses(&self, parameter: usize) -> bool {
        self.parameters.iter().any(|&(own, _)| own == parameter)
    }

    /// How many parameters it uses.
    pub(super) fn n_parameters(&self) -> usize {
        self.parameters.len()
    }

    /// Splits the work for an order of binding, and does what depends on no parameter. Returns the
    /// depths at which its parameters are bound; depth 0 is before any.
    pub(super) fn schedule(&mut self, order: &[usize], point: &Point<'a>) -> Vec<usize> {
        let depth_of = |p: usize| order.iter().position(|&o| o == p).map_or(0, |depth| depth + 1);
        let mut depths: Vec<usize> = Vec::new();
        // Of the parameters under each node, the depth of the first that is bound.
        let mut firsts: Vec<usize> = Vec::new();
        for node in self.nodes {
            let (first, last) = match &node.kind {
                NodeKind::Integer(_) | NodeKind::Text(_) => (usize::MAX, 0),
                NodeKind::Variable(variable) => match self.slots[*variable as usize] {
                    Slot::Constant(_) => (usize::MAX, 0),
                    Slot::Parameter(parameter) => (depth_of(parameter), depth_of(parameter)),
                },
                NodeKind::Unary(_, a) => (firsts[*a as usize], depths[*a as usize]),
                NodeKind::Binary(_, a, b) => {
                    let (a, b) = (*a as usize, *b as usize);
                    (firsts[a].min(firsts[b]), depths[a].max(depths[b]))
                }
            };
            firsts.push(first);
            depths.push(last);
        }
        let at = |depth: usize| (0..self.nodes.len()).filter(|&n| depths[n] == depth).collect();
        self.known = (0..=order.len()).map(at).collect();
        let mixed = |depth: usize| {
            let is_mixed = |&n: &usize| firsts[n] <= depth && depth < depths[n];
            (0..self.nodes.len()).filter(is_mixed).collect()
        };
        self.mixed = (0..=order.len()).map(mixed).collect();
        self.depths = depths;
        self.learn(0, point);
        self.free = self.free_bounds(point);
        self.parameters.iter().map(|&(parameter, _)| depth_of(parameter)).collect()
    }

    /// Evaluates the nodes that become known at a depth.
    pub(super) fn learn(&mut self, depth: usize, point: &Point<'a>) {
        let slots = &self.slots;
        let load = |variable: usize| match slots[variable] {
            Slot::Constant(value) => value,
            Slot::Parameter(parameter) => point.values[parameter][point.current[parameter]],
        };
        for &node in &self.known[depth] {
            self.results[node] = step(self.nodes, node, load, &self.results);
        }
    }

    /// Its answer at a point, at the depth that decides it; the depths before are learnt.
    pub(super) fn answer(&mut self, depth: usize, point: &Point<'a>) -> Answer {
        let entry: usize =
            self.parameters.iter().map(|&(p, stride)| point.current[p] * stride).sum();
        match self.table.get(entry) {
            Some(1) => return Answer::Holds,
            Some(2) => return Answer::Fails,
            Some(3) => return Answer::Faults,
            _ => {}
        }
        self.learn(depth, point);
        let answer = match self.results.last() {
            Some(Operand::Integer(0)) => Answer::Fails,
            Some(Operand::Integer(_)) => Answer::Holds,
            // A constraint that is a text has no truth.
            Some(Operand::Text(_) | Operand::Fault(..)) | None => Answer::Faults,
        };
        if let Some(known) = self.table.get_mut(entry) {
            *known = answer as u8;
        }
        answer
    }

    /// Whether bounds are still worth computing.
    pub(super) fn is_bounded(&self) -> bool {
        self.useless < USELESS_BOUNDS
    }

    /// Whether it is false whatever the parameters bound after `depth` are; the depths up to there
    /// are learnt.
    pub(super) fn must_fail(&mut self, depth: usize, point: &Point<'a>) -> bool {
        let range = |variable: usize| match self.slots[variable] {
            Slot::Constant(value) => single(value),
            Slot::Parameter(parameter) => point.ranges[parameter],
        };
        for &node in &self.mixed[depth] {
            let operand = |at: u32| self.bounds_at(at as usize, depth);
            let bounds = bound(&self.nodes[node], range, operand);
            self.intervals[node] = bounds;
        }
        let last = self.nodes.len().saturating_sub(1);
        let fails = self.bounds_at(last, depth).is_false();
        self.useless = if fails { 0 } else { self.useless + 1 };
        fails
    }

    fn bounds_at(&self, node: usize, depth: usize) -> Interval {
        if self.depths[node] <= depth {
            single(self.results[node])
        } else if self.mixed[depth].binary_search(&node).is_ok() {
            self.intervals[node]
        } else {
            self.free[node]
        }
    }

    fn free_bounds(&self, point: &Point<'a>) -> Vec<Interval> {
        let range = |variable: usize| match self.slots[variable] {
            Slot::Constant(value) => single(value),
            Slot::Parameter(parameter) => point.ranges[parameter],
        };
        let mut free: Vec<Interval> = Vec::with_capacity(self.nodes.len());
        for node in self.nodes {
            let bounds = bound(node, range, |at| free[at as usize]);
            free.push(bounds);
        }
        free
    }
}

/// The bounds of a value that is known.
fn single(value: Operand<'_>) -> Interval {
    match value {
        Operand::Integer(value) => Interval::new(value, value),
        Operand::Text(_) => Interval::TEXT,
        Operand::Fault(..) => Interval::UNKNOWN,
    }
}
