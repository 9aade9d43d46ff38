//! Extents: what every axis and node of a program measures for one set of axis values.

use std::collections::BTreeMap;

use super::evaluate::EvaluateError;
use super::graph::{Node, Op};
use super::{NodeIndex, Program};
use crate::diagnostic::Diagnostic;
use crate::expression::{IntegerExpression, Scope};

/// An axis, numbered by first occurrence in the graph.
pub(super) type AxisId = usize;

/// The extents of a program's axes and the shape of its data flow, by node number.
pub(super) struct Shapes<'a> {
    pub(super) program: &'a Program,
    ids: BTreeMap<&'a str, AxisId>,
    extents: Vec<usize>,
    pub(super) nodes: Vec<Shape>,
}

/// One node's operands, axes, and where its value lies.
pub(super) struct Shape {
    pub(super) operands: Vec<usize>,
    pub(super) axes: Vec<AxisId>,
    pub(super) access: Access,
}

/// How a node's value is read: from the values of `base`, at other coordinates.
///
/// Subscripts and broadcasts compute nothing: they are read through their base.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) base: usize,
    /// One for each axis of the base.
    pub(super) coordinates: Vec<Coordinate>,
}

/// Where to read along one axis of the base: at `shift`, plus the position along `axis`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coordinate {
    pub(super) base_axis: AxisId,
    pub(super) axis: Option<AxisId>,
    pub(super) shift: usize,
}

impl<'a> Shapes<'a> {
    /// Works out every extent.
    ///
    /// # Errors
    /// An axis without a value or with a negative one, a slice outside its axis, or an axis name
    /// with two extents.
    pub(super) fn of(
        program: &'a Program,
        axes: &BTreeMap<String, i64>,
    ) -> Result<Self, EvaluateError> {
        let mut shapes =
            Self { program, ids: BTreeMap::new(), extents: Vec::new(), nodes: Vec::new() };
        let mut scope = Scope::new();
        for (name, &extent) in axes {
            scope.set(name, extent);
        }
        for index in program.graph().node_indices() {
            shapes.add(index, axes, &mut scope)?;
        }
        // An output may have axes that nothing else names.
        for axis in program.outputs().iter().flat_map(|output| &output.axes) {
            shapes.declared(axis, axes)?;
        }
        Ok(shapes)
    }

    pub(super) fn op(&self, node: usize) -> &'a Op {
        &self.node(node).op
    }

    pub(super) fn node(&self, node: usize) -> &'a Node {
        &self.program.graph()[NodeIndex::new(node)]
    }

    /// The number of an axis that the program has.
    pub(super) fn axis(&self, name: &str) -> Option<AxisId> {
        self.ids.get(name).copied()
    }

    pub(super) fn n_axes(&self) -> usize {
        self.extents.len()
    }

    pub(super) fn extent(&self, axis: AxisId) -> usize {
        self.extents[axis]
    }

    /// Numbers of axes by name; every one is known by then.
    pub(super) fn axes_of(&self, names: &[String]) -> Vec<AxisId> {
        names.iter().filter_map(|name| self.axis(name)).collect()
    }

    fn add(
        &mut self,
        index: NodeIndex,
        axes: &BTreeMap<String, i64>,
        scope: &mut Scope,
    ) -> Result<(), EvaluateError> {
        let program = self.program;
        let node = &program.graph()[index];
        let operands: Vec<usize> =
            program.operands(index).into_iter().map(NodeIndex::index).collect();
        let mut access = operands.first().map(|&first| self.nodes[first].access.clone());
        match &node.op {
            Op::Slice { axis, start, end, name } => {
                let axis = self.declared(axis, axes)?;
                let (low, high) = (whole(start, scope)?, whole(end, scope)?);
                let extent = self.extent(axis);
                if low > high || high > extent {
                    return Err(bounds(end, &format!("{low} .. {high}"), extent));
                }
                let part = self.made(name, high - low, node, axes, scope)?;
                replace(&mut access, axis, Some(part), low);
            }
            Op::Select { axis, position } => {
                let axis = self.declared(axis, axes)?;
                let (at, extent) = (whole(position, scope)?, self.extent(axis));
                if at >= extent {
                    return Err(bounds(position, &at.to_string(), extent));
                }
                replace(&mut access, axis, None, at);
            }
            Op::Rename { axis, name } => {
                let axis = self.declared(axis, axes)?;
                let renamed = self.made(name, self.extent(axis), node, axes, scope)?;
                replace(&mut access, axis, Some(renamed), 0);
            }
            Op::Concat { axes: parts, name } => {
                let mut extent = 0_usize;
                for part in parts {
                    let part = self.declared(part, axes)?;
                    extent =
                        extent.checked_add(self.extent(part)).ok_or(EvaluateError::TooLarge)?;
                }
                self.made(name, extent, node, axes, scope)?;
                access = None;
            }
            Op::Broadcast { .. } => {}
            _ => access = None,
        }
        let mut ids = Vec::with_capacity(node.axes.len());
        for axis in &node.axes {
            ids.push(self.declared(axis, axes)?);
        }
        if let Op::Extent(axis) | Op::Index(axis) = &node.op {
            self.declared(axis, axes)?;
        }
        let access = access.unwrap_or_else(|| Access {
            base: index.index(),
            coordinates: ids
                .iter()
                .map(|&axis| Coordinate { base_axis: axis, axis: Some(axis), shift: 0 })
                .collect(),
        });
        self.nodes.push(Shape { operands, axes: ids, access });
        Ok(())
    }

    /// An axis that exists: made before, or with a value in `axes`.
    fn declared(
        &mut self,
        name: &'a str,
        axes: &BTreeMap<String, i64>,
    ) -> Result<AxisId, EvaluateError> {
        if let Some(id) = self.axis(name) {
            return Ok(id);
        }
        let Some(&extent) = axes.get(name) else {
            return Err(EvaluateError::MissingAxis { axis: name.to_owned() });
        };
        let extent = usize::try_from(extent)
            .map_err(|_| EvaluateError::AxisExtent { axis: name.to_owned(), extent })?;
        Ok(self.insert(name, extent))
    }

    /// An axis made by `as`, whose extent must be the same wherever it is made or declared.
    fn made(
        &mut self,
        name: &'a str,
        extent: usize,
        node: &Node,
        axes: &BTreeMap<String, i64>,
        scope: &mut Scope,
    ) -> Result<AxisId, EvaluateError> {
        let id = if self.axis(name).is_some() || axes.contains_key(name) {
            self.declared(name, axes)?
        } else {
            scope.set(name, i64::try_from(extent).unwrap_or(i64::MAX));
            self.insert(name, extent)
        };
        if self.extent(id) == extent {
            return Ok(id);
        }
        let message = format!(
            "the axis `{name}` has the extent {} and here the extent {extent}",
            self.extent(id)
        );
        Err(EvaluateError::program("extent-mismatch", message, node))
    }

    fn insert(&mut self, name: &'a str, extent: usize) -> AxisId {
        let id = self.extents.len();
        self.ids.insert(name, id);
        self.extents.push(extent);
        id
    }
}

/// Reads along `axis` of the operand at `shift` plus the position along `to`.
fn replace(access: &mut Option<Access>, axis: AxisId, to: Option<AxisId>, shift: usize) {
    let coordinates = access.iter_mut().flat_map(|access| &mut access.coordinates);
    for coordinate in coordinates.filter(|coordinate| coordinate.axis == Some(axis)) {
        coordinate.axis = to;
        coordinate.shift += shift;
    }
}

fn whole(expression: &IntegerExpression, scope: &Scope) -> Result<usize, EvaluateError> {
    let value = expression.integer(scope).map_err(|error| EvaluateError::Program(error.into()))?;
    usize::try_from(value).map_err(|_| {
        let message = format!("the position `{}` is {value}", expression.text());
        located(expression, message)
    })
}

fn bounds(expression: &IntegerExpression, range: &str, extent: usize) -> EvaluateError {
    located(expression, format!("{range} lies outside an axis of extent {extent}"))
}

fn located(expression: &IntegerExpression, message: String) -> EvaluateError {
    let location = expression.origin().locate(0..expression.text().len());
    let hint = "positions count from 0; none counts from the end";
    let diagnostic = Diagnostic::new("math.slice-bounds", message).at(location).hint(hint);
    EvaluateError::Program(diagnostic.into())
}
