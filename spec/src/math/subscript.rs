//! Subscripts: parts, positions and other names of axes.

use std::ops::Range;

use petgraph::graph::NodeIndex;

use super::graph::{Node, Op};
use super::lower::Lowering;
use super::syntax::{Item, ItemKind};
use crate::expression::IntegerExpression;

impl Lowering<'_> {
    pub(super) fn subscript(
        &mut self,
        operand: NodeIndex,
        item: &Item,
        span: Range<usize>,
    ) -> Option<NodeIndex> {
        let place = self.axis_of(operand, &item.axis)?;
        let Node { mut axes, kind, dtype, .. } = self.graph[operand].clone();
        let axis = item.axis.text.clone();
        let op = match &item.kind {
            ItemKind::At(position) => {
                self.check_bound(position)?;
                axes.remove(place);
                Op::Select { axis, position: position.clone() }
            }
            ItemKind::Rename(name) => {
                self.new_axis(name, &axes)?;
                axes[place].clone_from(&name.text);
                Op::Rename { axis, name: name.text.clone() }
            }
            ItemKind::Range { start, end, name } => {
                let (start_ok, end_ok) = (self.check_bound(start), self.check_bound(end));
                start_ok.and(end_ok)?;
                self.new_axis(name, &axes)?;
                axes[place].clone_from(&name.text);
                let (start, end) = (start.clone(), end.clone());
                Op::Slice { axis, start, end, name: name.text.clone() }
            }
        };
        Some(self.add(op, &[operand], axes, kind, dtype, span))
    }

    /// The bounds of a slice may use axes only.
    fn check_bound(&mut self, bound: &IntegerExpression) -> Option<()> {
        let known: Vec<&str> = self.axes.iter().map(String::as_str).collect();
        let unknown = bound.unknown_names(|name| self.axes.contains(name), known);
        let fine = unknown.is_empty();
        self.errors.extend(unknown.into_iter().map(|mut error| {
            error.code = "math.unknown-axis".to_owned();
            error
        }));
        fine.then_some(())
    }
}
