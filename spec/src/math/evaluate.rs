//! Evaluating a program: the public side of the interpreter.

use std::collections::BTreeMap;
use std::ops::Range;

use thiserror::Error;

use super::execute::Executor;
use super::graph::{Node, Op};
use super::plan::Plan;
use super::shapes::Shapes;
use super::{CastTarget, Program, Reduction};
use crate::diagnostic::Diagnostic;

/// A tensor with named axes, in binary64.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Name and extent of every axis, outermost first; empty for a scalar.
    pub axes: Vec<(String, usize)>,
    /// The elements, row major in the order of `axes`.
    pub data: Vec<f64>,
}

impl NamedTensor {
    /// A scalar.
    pub fn scalar(value: f64) -> Self {
        Self { axes: Vec::new(), data: vec![value] }
    }
}

/// Why a program has no value for these axes and inputs.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// An axis has no value.
    #[error("the axis `{axis}` has no extent")]
    MissingAxis {
        /// The axis.
        axis: String,
    },
    /// An axis has a negative value.
    #[error("the axis `{axis}` has the extent {extent}")]
    AxisExtent {
        /// The axis.
        axis: String,
        /// Its value.
        extent: i64,
    },
    /// An input was not given.
    #[error("the input `{name}` is missing")]
    MissingInput {
        /// The input.
        name: String,
    },
    /// An input has other axes or extents than declared, or another number of elements.
    #[error("the input `{name}` is {found}, where {expected} is declared")]
    InputShape {
        /// The input.
        name: String,
        /// The declared axes with their extents.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The program goes wrong for these values, at a place in its text: a slice outside its axis,
    /// an index out of range, two extents for one axis, a type variable that is not bound.
    #[error("{0}")]
    Program(Box<Diagnostic>),
    /// A slab along an axis whose slabs depend on each other, or outside the axis.
    #[error("the outputs cannot be computed for {}..{} of the axis `{axis}` alone", range.start, range.end)]
    Slab {
        /// The axis.
        axis: String,
        /// The part that was asked for.
        range: Range<usize>,
    },
    /// More elements than memory can be addressed.
    #[error("the tensors are too large")]
    TooLarge,
}

impl EvaluateError {
    pub(super) fn program(rule: &str, message: String, node: &Node) -> Self {
        let diagnostic = Diagnostic::new(&format!("math.{rule}"), message);
        Self::Program(Box::new(diagnostic.at(node.location.clone())))
    }
}

impl Program {
    /// Checks what extents decide, before anything is evaluated: that every slice lies in its axis,
    /// and that an axis has one extent wherever it is made.
    ///
    /// # Errors
    /// [`EvaluateError::Program`] with the place in the math, or an axis that has no extent.
    pub fn check_extents(&self, axes: &BTreeMap<String, i64>) -> Result<(), EvaluateError> {
        Shapes::of(self, axes).map(drop)
    }

    /// The outputs for these axes (declared and derived) and inputs, in binary64, their axes in
    /// declared order. An input's axes may be in any order.
    ///
    /// # Errors
    /// See [`EvaluateError`].
    pub fn evaluate(
        &self,
        axes: &BTreeMap<String, i64>,
        inputs: &BTreeMap<String, NamedTensor>,
    ) -> Result<BTreeMap<String, NamedTensor>, EvaluateError> {
        let shapes = Shapes::of(self, axes)?;
        let whole = (0..shapes.n_axes()).map(|axis| (0, shapes.extent(axis))).collect();
        self.run(&shapes, whole, inputs)
    }

    /// The part of every output with positions `range` along `axis`, one of
    /// [`Self::independent_axes`]; the inputs are whole. Slabs may be computed in any order and in
    /// parallel.
    ///
    /// # Errors
    /// See [`EvaluateError`].
    pub fn evaluate_slab(
        &self,
        axis: &str,
        range: Range<usize>,
        axes: &BTreeMap<String, i64>,
        inputs: &BTreeMap<String, NamedTensor>,
    ) -> Result<BTreeMap<String, NamedTensor>, EvaluateError> {
        let shapes = Shapes::of(self, axes)?;
        let mut window: Vec<(usize, usize)> =
            (0..shapes.n_axes()).map(|axis| (0, shapes.extent(axis))).collect();
        let refused = || EvaluateError::Slab { axis: axis.to_owned(), range: range.clone() };
        if !self.independent_axes().iter().any(|name| name == axis) {
            return Err(refused());
        }
        let id = shapes.axis(axis).ok_or_else(refused)?;
        if range.start > range.end || range.end > shapes.extent(id) {
            return Err(refused());
        }
        window[id] = (range.start, range.end - range.start);
        self.run(&shapes, window, inputs)
    }

    fn run(
        &self,
        shapes: &Shapes<'_>,
        window: Vec<(usize, usize)>,
        inputs: &BTreeMap<String, NamedTensor>,
    ) -> Result<BTreeMap<String, NamedTensor>, EvaluateError> {
        let plan = Plan::of(shapes, &window)?;
        let mut executor = Executor::new(shapes, window, inputs)?;
        executor.run(&plan)?;
        Ok(executor.into_outputs())
    }

    /// The axes along which every output can be computed piece by piece: all outputs have them and
    /// no operation looks along them. In the order of the first output's axes.
    pub fn independent_axes(&self) -> Vec<String> {
        let looks_along = |node: &Node, name: &String| match &node.op {
            Op::Reduce { axes, .. } => axes.contains(name),
            Op::Take { axis } | Op::Select { axis, .. } => axis == name,
            Op::Slice { axis, name: new, .. } | Op::Rename { axis, name: new } => {
                axis == name || new == name
            }
            Op::Concat { axes, name: new } => axes.contains(name) || new == name,
            _ => false,
        };
        let Some(first) = self.outputs().first() else { return Vec::new() };
        first
            .axes
            .iter()
            .filter(|name| self.outputs().iter().all(|output| output.axes.contains(name)))
            .filter(|name| !self.graph().node_weights().any(|node| looks_along(node, name)))
            .cloned()
            .collect()
    }

    /// Floating-point operations for these axes, each node counted once over its extent: every
    /// elementwise function one a result (transcendentals and comparisons too; casts none), a
    /// reduction one less than the elements it joins into each result, `mean` one more. Data
    /// movement counts nothing. Saturates; 0 where the extents do not fit together, which
    /// [`Self::evaluate`] reports.
    pub fn flops(&self, axes: &BTreeMap<String, i64>) -> u64 {
        let Ok(shapes) = Shapes::of(self, axes) else { return 0 };
        let size = |node: usize| {
            shapes.nodes[node].axes.iter().fold(1_u64, |size, &axis| {
                size.saturating_mul(u64::try_from(shapes.extent(axis)).unwrap_or(u64::MAX))
            })
        };
        (0..shapes.nodes.len()).fold(0_u64, |total, node| {
            let own = size(node);
            total.saturating_add(match shapes.op(node) {
                Op::Unary(_) | Op::Binary(_) | Op::Where => own,
                Op::Reduce { function, .. } => {
                    let joined = size(shapes.nodes[node].operands[0]).saturating_sub(own);
                    joined.saturating_add(if *function == Reduction::Mean { own } else { 0 })
                }
                _ => 0,
            })
        })
    }

    /// The dtype a cast rounds to.
    ///
    /// # Errors
    /// When it is a type variable that is not bound.
    pub(super) fn bound_dtype(
        &self,
        target: &CastTarget,
        node: &Node,
    ) -> Result<crate::dtype::Dtype, EvaluateError> {
        self.cast_dtype(target).ok_or_else(|| {
            let message = format!("the type variable `{target}` has no dtype");
            EvaluateError::program("unbound-type", message, node)
        })
    }
}
