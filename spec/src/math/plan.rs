//! The order of evaluation: which values are held whole, and which exist only box by box.
//!
//! A program is evaluated in *stages*. A stage fills one or more stores (outputs, or values that
//! later stages read at other places) by walking over boxes of at most a few thousand elements:
//! its axes are split, and every node of the stage's body has one small buffer that is
//! overwritten box after box. A value that cannot be had box by box, because something looks along
//! a split axis, or that does not change from box to box, becomes the store of an earlier stage.

use std::collections::BTreeSet;

use super::evaluate::EvaluateError;
use super::graph::Op;
use super::shapes::{AxisId, Shapes};

/// How many elements a box of the largest node should have: buffers of 64 KiB stay in the cache.
const BOX_ELEMENTS: usize = 8192;

/// A reduction of more elements than this for one box is joined over boxes of its own.
const REDUCTION_ELEMENTS: f64 = 262_144.0;

/// Stages in the order in which they run.
pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
}

/// One pass over boxes.
pub(super) struct Stage {
    /// The split axes with the extent of a box along each, outermost loop first.
    pub(super) split: Vec<(AxisId, usize)>,
    /// Nodes computed in each box, operands first.
    pub(super) body: Vec<usize>,
    /// What is stored.
    pub(super) target: Target,
}

/// What a stage stores.
pub(super) enum Target {
    /// The value of a node, for later stages.
    Value(usize),
    /// The result of a reduction node, joined over the boxes of its operand.
    Reduction(usize),
    /// Outputs, by their number.
    Outputs(Vec<usize>),
}

impl Plan {
    /// Plans the evaluation inside `window`, (start, length) for each axis.
    pub(super) fn of(
        shapes: &Shapes<'_>,
        window: &[(usize, usize)],
    ) -> Result<Self, EvaluateError> {
        let mut planner = Planner { shapes, window, stored: BTreeSet::new() };
        let mut stages = Vec::new();
        let mut pending = BTreeSet::new();
        for group in planner.output_groups(&mut pending)? {
            stages.push(group);
        }
        // A store's own needs have smaller numbers, so the largest pending one needs no other
        // pending one to be planned before it, and running in rising order satisfies all.
        while let Some(node) = pending.pop_last() {
            let stage = planner.store(node, &mut pending)?;
            stages.push(stage);
        }
        stages.reverse();
        Ok(Self { stages })
    }
}

struct Planner<'a, 'b> {
    shapes: &'a Shapes<'b>,
    window: &'a [(usize, usize)],
    /// Nodes that some stage stores.
    stored: BTreeSet<usize>,
}

/// What splitting some axes leads to.
struct Trial {
    body: BTreeSet<usize>,
    cuts: BTreeSet<usize>,
    /// Elements computed, with repetitions, and stored.
    cost: f64,
    /// Elements of the largest node in a box of extent 1 along every split axis.
    box_elements: f64,
}

impl Planner<'_, '_> {
    /// Stages for the outputs; those that split alike share one.
    fn output_groups(
        &mut self,
        pending: &mut BTreeSet<usize>,
    ) -> Result<Vec<Stage>, EvaluateError> {
        let outputs = self.shapes.program.outputs();
        let mut groups: Vec<(Vec<AxisId>, Vec<usize>)> = Vec::new();
        for (number, output) in outputs.iter().enumerate() {
            let base = self.shapes.nodes[output.node.index()].access.base;
            self.checked_size(&self.shapes.axes_of(&output.axes))?;
            if matches!(self.shapes.op(base), Op::Reduce { .. }) {
                self.stored.insert(base);
                pending.insert(base);
            }
            let axes = self.shapes.nodes[output.node.index()].axes.clone();
            let (split, _) = self.choose(&[output.node.index()], &axes);
            match groups.iter_mut().find(|(other, _)| *other == split) {
                Some((_, members)) => members.push(number),
                None => groups.push((split, vec![number])),
            }
        }
        let mut stages = Vec::new();
        for (split, members) in groups {
            let roots: Vec<usize> = members.iter().map(|&n| outputs[n].node.index()).collect();
            stages.push(self.stage(split, &roots, Target::Outputs(members), pending)?);
        }
        Ok(stages)
    }

    fn store(
        &mut self,
        node: usize,
        pending: &mut BTreeSet<usize>,
    ) -> Result<Stage, EvaluateError> {
        self.checked_size(&self.shapes.nodes[node].axes)?;
        let (root, target) = match self.shapes.op(node) {
            Op::Reduce { .. } => (self.shapes.nodes[node].operands[0], Target::Reduction(node)),
            _ => (node, Target::Value(node)),
        };
        // The node itself is what this stage makes.
        self.stored.remove(&node);
        let axes = self.shapes.nodes[root].axes.clone();
        let (split, _) = self.choose(&[root], &axes);
        let stage = self.stage(split, &[root], target, pending)?;
        self.stored.insert(node);
        Ok(stage)
    }

    /// The axes to split, in the order of `axes`: one after the other, each the cheapest, until
    /// boxes are small enough or the next would cost much more.
    fn choose(&self, roots: &[usize], axes: &[AxisId]) -> (Vec<AxisId>, Trial) {
        let mut split: Vec<AxisId> = Vec::new();
        let mut best = self.attempt(roots, &split);
        while best.box_elements > BOX_ELEMENTS as f64 {
            let mut next: Option<(Vec<AxisId>, Trial)> = None;
            for &axis in axes.iter().filter(|axis| !split.contains(axis)) {
                let mut wider: Vec<AxisId> = split.clone();
                wider.push(axis);
                wider.sort_by_key(|axis| axes.iter().position(|other| other == axis));
                let trial = self.attempt(roots, &wider);
                if next.as_ref().is_none_or(|(_, other)| trial.cost < other.cost) {
                    next = Some((wider, trial));
                }
            }
            let Some((wider, trial)) = next else { break };
            if !split.is_empty() && trial.cost > 1.2 * best.cost {
                break;
            }
            (split, best) = (wider, trial);
        }
        (split, best)
    }

    fn stage(
        &mut self,
        split: Vec<AxisId>,
        roots: &[usize],
        target: Target,
        pending: &mut BTreeSet<usize>,
    ) -> Result<Stage, EvaluateError> {
        let trial = loop {
            let trial = self.attempt(roots, &split);
            let large = |&node: &usize| {
                let operand = self.shapes.nodes[node].operands.first();
                matches!(self.shapes.op(node), Op::Reduce { .. })
                    && operand
                        .is_some_and(|&operand| self.box_size(operand, &split) > REDUCTION_ELEMENTS)
            };
            // A reduction of more than a box's worth is joined box by box in a stage of its own.
            let reductions: Vec<usize> = trial.body.iter().copied().filter(large).collect();
            if reductions.is_empty() {
                break trial;
            }
            pending.extend(&reductions);
            self.stored.extend(reductions);
        };
        pending.extend(&trial.cuts);
        self.stored.extend(&trial.cuts);
        let mut room = BOX_ELEMENTS as f64 / trial.box_elements.max(1.0);
        let mut lengths = Vec::with_capacity(split.len());
        for &axis in split.iter().rev() {
            let extent = self.window[axis].1;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most the number of elements in a box"
            )]
            let length = (room as usize).clamp(1, extent.max(1));
            room /= length as f64;
            lengths.push((axis, length));
        }
        lengths.reverse();
        for &node in &trial.body {
            let axes = &self.shapes.nodes[node].axes;
            let whole: Vec<AxisId> =
                axes.iter().copied().filter(|axis| !split.contains(axis)).collect();
            self.checked_size(&whole)?;
        }
        Ok(Stage { split: lengths, body: trial.body.into_iter().collect(), target })
    }

    /// What belongs to the body and what must be stored before, when `split` is split.
    fn attempt(&self, roots: &[usize], split: &[AxisId]) -> Trial {
        let mut cuts = BTreeSet::new();
        let body = loop {
            let mut body = BTreeSet::new();
            let found = cuts.len();
            let mut open: Vec<usize> =
                roots.iter().map(|&root| self.shapes.nodes[root].access.base).collect();
            // Roots are copied out box by box; one that is a subscript reads its base elsewhere.
            for &root in roots {
                self.visit(root, &[], split, &body, &mut cuts, &mut Vec::new());
            }
            open.retain(|&base| !self.is_held(base) && !cuts.contains(&base));
            while let Some(node) = open.pop() {
                if body.insert(node) {
                    self.visit_operands(node, split, &body, &mut cuts, &mut open);
                }
            }
            if cuts.len() == found {
                break body;
            }
        };
        let mut cost = 0.0;
        let mut box_elements: f64 =
            roots.iter().map(|&root| self.box_size(root, split)).fold(1.0, f64::max);
        for &node in &body {
            let axes = &self.shapes.nodes[node].axes;
            let repeated = split.iter().filter(|axis| !axes.contains(axis));
            let repetitions: f64 = repeated.map(|&axis| self.window[axis].1 as f64).product();
            cost += self.work(node) * repetitions;
            box_elements = box_elements.max(self.box_size(node, split));
        }
        cost += self.cost_of_stores(&cuts);
        Trial { body, cuts, cost, box_elements }
    }

    fn visit_operands(
        &self,
        node: usize,
        split: &[AxisId],
        body: &BTreeSet<usize>,
        cuts: &mut BTreeSet<usize>,
        open: &mut Vec<usize>,
    ) {
        let shapes = self.shapes;
        for (place, &operand) in shapes.nodes[node].operands.iter().enumerate() {
            let whole: Vec<AxisId> = match shapes.op(node) {
                Op::Reduce { axes, .. } => shapes.axes_of(axes),
                Op::Take { axis } if place == 0 => shapes.axis(axis).into_iter().collect(),
                Op::Concat { axes, .. } => shapes.axis(&axes[place]).into_iter().collect(),
                _ => Vec::new(),
            };
            self.visit(operand, &whole, split, body, cuts, open);
        }
    }

    /// Sorts the base of `operand`, whose axes `whole` are read from end to end, into held values,
    /// cuts, and the body.
    fn visit(
        &self,
        operand: usize,
        whole: &[AxisId],
        split: &[AxisId],
        body: &BTreeSet<usize>,
        cuts: &mut BTreeSet<usize>,
        open: &mut Vec<usize>,
    ) {
        let access = &self.shapes.nodes[operand].access;
        if self.is_held(access.base) || cuts.contains(&access.base) {
            return;
        }
        let mut varies = split.is_empty();
        let mut in_step = true;
        for coordinate in &access.coordinates {
            if split.contains(&coordinate.base_axis) {
                varies = true;
                in_step &= coordinate.axis == Some(coordinate.base_axis)
                    && coordinate.shift == 0
                    && !whole.contains(&coordinate.base_axis);
            }
        }
        if !varies || !in_step {
            cuts.insert(access.base);
        } else if !body.contains(&access.base) {
            open.push(access.base);
        }
    }

    /// Whether the value is there before the stage: a leaf, or stored by an earlier stage.
    fn is_held(&self, node: usize) -> bool {
        self.stored.contains(&node) || self.shapes.nodes[node].operands.is_empty()
    }

    /// Elements computed and moved to store these nodes, each computed once.
    fn cost_of_stores(&self, nodes: &BTreeSet<usize>) -> f64 {
        let mut cost: f64 = nodes.iter().map(|&node| 2.0 * self.size(node)).sum();
        let mut open: Vec<usize> = nodes.iter().copied().collect();
        let mut seen = BTreeSet::new();
        while let Some(node) = open.pop() {
            if !self.is_held(node) && seen.insert(node) {
                cost += self.work(node);
                let operands = self.shapes.nodes[node].operands.iter();
                open.extend(operands.map(|&operand| self.shapes.nodes[operand].access.base));
            }
        }
        cost
    }

    /// Elements a node computes, or reads where it reduces.
    fn work(&self, node: usize) -> f64 {
        match self.shapes.op(node) {
            Op::Reduce { .. } => self.size(self.shapes.nodes[node].operands[0]),
            _ => self.size(node),
        }
    }

    fn size(&self, node: usize) -> f64 {
        self.box_size(node, &[])
    }

    /// Elements of a node's value where every axis in `split` counts 1.
    fn box_size(&self, node: usize, split: &[AxisId]) -> f64 {
        let axes = self.shapes.nodes[node].axes.iter().filter(|axis| !split.contains(axis));
        axes.map(|&axis| self.window[axis].1 as f64).product()
    }

    /// Refuses what memory cannot hold, with room for the bytes.
    fn checked_size(&self, axes: &[AxisId]) -> Result<(), EvaluateError> {
        let size =
            axes.iter().try_fold(8_usize, |size, &axis| size.checked_mul(self.window[axis].1));
        match size {
            Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
            _ => Err(EvaluateError::TooLarge),
        }
    }
}
