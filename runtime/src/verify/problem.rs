//! What is to be verified: a spec bound to one workload, in plain values.

use std::ops::Range;

use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{Instance, KernelSpec, Reference, TensorSpec, Tolerance};
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
    /// What counts as equal, for outputs without a tolerance of their own.
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
    /// Of an input, whether no kernel before this one writes it.
    pub constant: bool,
    /// Of an output, what counts as equal where that is not the problem's tolerance.
    pub tolerance: Option<ToleranceUsed>,
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

impl Problem {
    /// What is to be verified of a spec for one workload.
    ///
    /// An integer input that the math uses as an index is bounded by the axis it indexes. Where
    /// there is no math to tell, integers as wide as an index stay below every axis's length.
    pub fn of(spec: &KernelSpec, instance: &Instance) -> Self {
        let length = |name: &str| instance.axes().get(name).copied().unwrap_or(1).max(1);
        let bounds = |tensor: &TensorSpec| match &spec.reference {
            Reference::Math(program) => {
                let taken = program.take_bounds();
                let along = taken.iter().filter(|bound| bound.input == tensor.name);
                along.map(|bound| 0..length(&bound.axis)).min_by_key(|bound| bound.end)
            }
            Reference::Python { .. } | Reference::Golden { .. } => {
                let is_index = matches!(tensor.dtype, Dtype::I64 | Dtype::I32 | Dtype::U32);
                let least = instance.axes().values().copied().min().unwrap_or(1).max(1);
                is_index.then_some(0..least)
            }
        };
        let axis = |(name, length): (&String, u64)| AxisLength { name: name.clone(), length };
        let tensor = |tensor: &TensorSpec| TensorShape {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            axes: tensor.axes.iter().zip(tensor.shape.iter().copied()).map(axis).collect(),
            bounds: bounds(tensor),
            constant: tensor.constant,
            tolerance: None,
        };
        let scalar = |scalar: &ridge_spec::kernel::Scalar| ScalarValue {
            name: scalar.name.clone(),
            dtype: scalar.dtype,
            value: scalar.value,
        };
        let used = |own: Tolerance| ToleranceUsed {
            absolute: own.absolute,
            relative: own.relative,
            matched_ratio: own.matched_ratio,
        };
        let tolerance = instance.tolerance();
        let output = |(shape, own): (&TensorSpec, &Tolerance)| TensorShape {
            tolerance: (*own != tolerance).then(|| used(*own)),
            ..tensor(shape)
        };
        let outputs = instance.outputs().iter().zip(instance.output_tolerances());
        Self {
            workload: instance.workload().name.clone(),
            axes: instance.axes().iter().map(|(n, l)| axis((n, l.unsigned_abs()))).collect(),
            inputs: instance.inputs().iter().map(tensor).collect(),
            scalars: instance.scalars().iter().map(scalar).collect(),
            outputs: outputs.map(output).collect(),
            tolerance: used(tolerance),
        }
    }

    /// What counts as equal for one of its outputs.
    pub fn tolerance_of(&self, output: &TensorShape) -> ToleranceUsed {
        output.tolerance.unwrap_or(self.tolerance)
    }
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
