//! Reductions that are read for another row than the one they are made of.
//!
//! The threads of a row have the values of its own reductions and no other's. `m[rows: 0]`,
//! `take(m, i, rows)` and the like ask for another row's `m`.

use std::collections::BTreeSet;

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::math::{NodeIndex, Op, Program};

use super::refusal;

/// Refuses a graph in which a reduction's value is read at another place along one of its axes.
///
/// # Errors
/// The first such reading, with its place in the math.
pub(super) fn check(program: &Program) -> Result<(), Diagnostic> {
    let graph = program.graph();
    let reductions =
        graph.node_indices().filter(|&node| matches!(graph[node].op, Op::Reduce { .. }));
    let written = program.outputs().iter().map(|output| output.node);
    let roots = reductions.map(|node| program.operands(node)[0]).chain(written);
    let mut open: Vec<Reading<'_>> =
        roots.map(|node| Reading { node, moved: BTreeSet::new(), by: None }).collect();
    let mut seen = BTreeSet::new();
    while let Some(reading) = open.pop() {
        if !seen.insert((reading.node, reading.moved.clone())) {
            continue;
        }
        let node = &graph[reading.node];
        if matches!(node.op, Op::Reduce { .. }) {
            let elsewhere = node.axes.iter().find(|axis| reading.moved.contains(axis.as_str()));
            if let (Some(axis), Some(by)) = (elsewhere, reading.by) {
                return Err(refusal::another_row(&graph[by], node, axis));
            }
            continue;
        }
        open.extend(reading.operands(program));
    }
    Ok(())
}

/// A node read at another place along some axes.
struct Reading<'a> {
    node: NodeIndex,
    /// The axes.
    moved: BTreeSet<&'a str>,
    /// What moved them last.
    by: Option<NodeIndex>,
}

impl<'a> Reading<'a> {
    /// How the operands of the node are read.
    fn operands(&self, program: &'a Program) -> Vec<Self> {
        let operands = program.operands(self.node);
        let same = |node| Self { node, moved: self.moved.clone(), by: self.by };
        let moved = |node, gone: Option<&str>, axis: &'a str| {
            let mut moved = self.moved.clone();
            if let Some(gone) = gone {
                moved.remove(gone);
            }
            moved.insert(axis);
            Self { node, moved, by: Some(self.node) }
        };
        match &program.graph()[self.node].op {
            Op::Slice { axis, name, .. } | Op::Rename { axis, name } => {
                vec![moved(operands[0], Some(name), axis)]
            }
            Op::Select { axis, .. } => vec![moved(operands[0], None, axis)],
            Op::Take { axis } => vec![moved(operands[0], None, axis), same(operands[1])],
            Op::Concat { axes, name } => {
                let parts = operands.into_iter().zip(axes);
                parts.map(|(node, axis)| moved(node, Some(name), axis)).collect()
            }
            _ => operands.into_iter().map(same).collect(),
        }
    }
}
