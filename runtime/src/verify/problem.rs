//! What is to be verified: a spec bound to one workload, in plain values.

use std::ops::Range;

use ridge_spec::dtype::Dtype;
use ridge_spec::outcome::{AxisLength, ToleranceUsed};

use super::inputs::{TensorInput, n_elements};

/// A kernel's contract for one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Name of the workload, for messages and for tensors of a golden file.
    pub workload: String,
    /// Every axis with its length, in the spec's order.
    pub axes: Vec<AxisLength>,
    /// Input tensors, in the spec's order.
    pub inputs: Vec<TensorShape>,
    /// Scalar inputs.
    pub scalars: Vec<ScalarValue>,
    /// Output tensors, in the spec's order.
    pub outputs: Vec<TensorShape>,
    /// What counts as equal.
    pub tolerance: ToleranceUsed,
}

/// A tensor with its concrete shape.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorShape {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its axes, outermost first; none for a single element.
    pub axes: Vec<AxisLength>,
    /// For integer inputs, the values they may have.
    pub bounds: Option<Range<i64>>,
}

/// A scalar input with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarValue {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// Its value.
    pub value: f64,
}

impl TensorShape {
    /// Elements along each axis, outermost first.
    pub fn shape(&self) -> Vec<u64> {
        self.axes.iter().map(|axis| axis.length).collect()
    }

    /// Elements; `None` where they overflow.
    pub fn n_elements(&self) -> Option<usize> {
        n_elements(&self.shape())
    }

    pub(super) fn as_input<'a>(&'a self, shape: &'a [u64]) -> TensorInput<'a> {
        TensorInput { name: &self.name, dtype: self.dtype, shape, bounds: self.bounds.clone() }
    }
}
