//! Operations that move values: subscripts, `take`, `concat`, `broadcast`.

use ridge_spec::math::{Node, Op};

use super::emit::Emitter;
use super::value::{Form, Value};

impl Emitter<'_> {
    /// A node whose values are its operands', at other places.
    pub(super) fn moved(&mut self, node: &Node, operands: &[Value]) -> Option<Value> {
        match &node.op {
            Op::Rename { axis, name } => {
                let mut value = operands.first()?.clone();
                let extent = format!("{}.shape[{}]", value.text, place(&value, axis)?);
                self.set_extent(name, extent);
                for own in value.axes.iter_mut().filter(|own| *own == axis) {
                    own.clone_from(name);
                }
                Some(value)
            }
            Op::Slice { axis, start, end, name } => {
                let (start, end) = (self.positions(start)?, self.positions(end)?);
                let value =
                    self.subscript(node, operands.first()?, axis, &format!("{start}:{end}"))?;
                self.set_extent(name, format!("{}.shape[{}]", value.text, place(&value, name)?));
                Some(value)
            }
            Op::Select { axis, position } => {
                let position = self.positions(position)?;
                self.subscript(node, operands.first()?, axis, &position)
            }
            Op::Broadcast { .. } => self.broadcast(node, operands.first()?),
            Op::Concat { axes, name } => self.concat(node, axes, name, operands),
            Op::Take { axis } => self.take(node, axis, operands.first()?, operands.get(1)?),
            _ => None,
        }
    }

    fn subscript(&mut self, node: &Node, value: &Value, axis: &str, item: &str) -> Option<Value> {
        let place = place(value, axis)?;
        let before = ":, ".repeat(place);
        let text = format!("{}[{before}{item}]", value.text);
        let moved = self.assign(node, value.form, text);
        Some(Value { is_view: value.is_view, ..moved })
    }

    /// The value with every axis of the node at its full extent.
    fn widened(&mut self, value: &Value, axes: &[String]) -> Option<String> {
        let text = value.aligned(value.lifted_any(), axes);
        if axes.iter().all(|axis| value.axes.contains(axis)) {
            return Some(text);
        }
        let extents: Option<Vec<String>> =
            axes.iter()
                .map(|axis| {
                    if value.axes.contains(axis) {
                        Some("-1".to_owned())
                    } else {
                        self.extent(axis)
                    }
                })
                .collect();
        Some(format!("{text}.expand({})", extents?.join(", ")))
    }

    fn broadcast(&mut self, node: &Node, value: &Value) -> Option<Value> {
        let form = if value.form.is_number() { Form::Real } else { value.form };
        let mut text = self.widened(value, &node.axes)?;
        if value.form.is_number() {
            text = format!("{text}.to(real)");
        }
        let moved = self.assign(node, form, text);
        Some(Value { is_view: value.is_view, ..moved })
    }

    fn concat(
        &mut self,
        node: &Node,
        axes: &[String],
        name: &str,
        operands: &[Value],
    ) -> Option<Value> {
        let whole = operands.iter().all(|value| value.form == Form::Integer);
        let form = if whole { Form::Integer } else { Form::Real };
        let mut parts = Vec::new();
        for (operand, axis) in operands.iter().zip(axes) {
            let mut part = operand.clone();
            part.text = if whole { part.text } else { operand.lifted() };
            part.form = form;
            for own in part.axes.iter_mut().filter(|own| *own == axis) {
                name.clone_into(own);
            }
            parts.push(self.widened(&part, &node.axes)?);
        }
        let dim = node.axes.iter().position(|axis| axis == name)?;
        let value =
            self.assign(node, form, format!("torch.cat([{}], dim={dim})", parts.join(", ")));
        self.set_extent(name, format!("{}.shape[{dim}]", value.text));
        Some(value)
    }

    fn take(&mut self, node: &Node, axis: &str, base: &Value, index: &Value) -> Option<Value> {
        let at = place(base, axis)?;
        let positions = match index.integer() {
            Some(positions) => positions,
            None => format!("{}.to(torch.int64)", index.lifted()),
        };
        // Without shared axes, and where the index's axes take the place of the one they replace,
        // one subscript does it.
        let mut replaced: Vec<String> = base.axes[..at].to_vec();
        replaced.extend(index.axes.iter().cloned());
        replaced.extend(base.axes[at + 1..].iter().cloned());
        if replaced == node.axes && !index.form.is_number() && !index.axes.is_empty() {
            let text = format!("{}[{}{positions}]", base.text, ":, ".repeat(at));
            return Some(self.assign(node, base.form, text));
        }
        let mut items = Vec::new();
        for own in &base.axes {
            items.push(if own == axis {
                index.aligned(positions.clone(), &node.axes)
            } else {
                let extent = self.extent(own)?;
                let along = Value::tensor(String::new(), Form::Integer, std::slice::from_ref(own));
                along.aligned(format!("torch.arange({extent}, device=device)"), &node.axes)
            });
        }
        let text = format!("{}[{}]", base.text, items.join(", "));
        Some(self.assign(node, base.form, text))
    }
}

/// The dimension of an axis.
fn place(value: &Value, axis: &str) -> Option<usize> {
    value.axes.iter().position(|own| own == axis)
}
