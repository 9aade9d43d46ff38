//! References in tensor math, evaluated in binary64 by slabs in parallel.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use ridge_spec::math::{EvaluateError, NamedTensor, Program};

use super::super::compare::ExpectedValues;
use super::super::problem::{Problem, TensorShape};
use super::{Reference, ReferenceError, ReferenceInputs};

/// Slabs for each thread: few enough that what a slab recomputes does not matter, enough that no
/// thread waits long for the last one.
const SLABS_PER_THREAD: usize = 4;

/// Tensor math with its type variables bound.
#[derive(Clone, Debug)]
pub struct MathReference {
    program: Arc<Program>,
}

type Outputs = BTreeMap<String, NamedTensor>;

impl MathReference {
    /// A reference that evaluates `program`, whose type variables are bound.
    pub fn new(program: Arc<Program>) -> Self {
        Self { program }
    }

    fn evaluate_slabs(
        &self,
        axes: &BTreeMap<String, i64>,
        inputs: &BTreeMap<String, NamedTensor>,
        axis: &str,
        extent: usize,
    ) -> Result<Vec<(Range<usize>, Outputs)>, EvaluateError> {
        let length = extent.div_ceil(rayon::current_num_threads() * SLABS_PER_THREAD).max(1);
        let starts: Vec<usize> = (0..extent).step_by(length).collect();
        let slab = |start: usize| {
            let range = start..(start + length).min(extent);
            let outputs = self.program.evaluate_slab(axis, range.clone(), axes, inputs)?;
            Ok((range, outputs))
        };
        starts.into_par_iter().map(slab).collect()
    }
}

impl Reference for MathReference {
    fn evaluate(
        &self,
        problem: &Problem,
        inputs: &ReferenceInputs<'_>,
    ) -> Result<Vec<ExpectedValues>, ReferenceError> {
        let axes: BTreeMap<String, i64> = problem
            .axes
            .iter()
            .map(|axis| (axis.name.clone(), i64::try_from(axis.length).unwrap_or(i64::MAX)))
            .collect();
        let named = named_inputs(problem, inputs);
        let slab_axis = self.program.independent_axes().into_iter().find_map(|name| {
            let extent = axes.get(&name).and_then(|extent| usize::try_from(*extent).ok())?;
            (extent > 1).then_some((name, extent))
        });
        let evaluated = match &slab_axis {
            Some((axis, extent)) => self.evaluate_slabs(&axes, &named, axis, *extent),
            None => self.program.evaluate(&axes, &named).map(|outputs| vec![(0..1, outputs)]),
        };
        let slabs = evaluated.map_err(|error| ReferenceError::Math {
            workload: problem.workload.clone(),
            reason: error.to_string(),
        })?;
        let along = slab_axis.as_ref().map(|(axis, _)| axis.as_str());
        problem.outputs.iter().map(|output| join(output, along, &slabs)).collect()
    }

    fn is_function(&self) -> bool {
        true
    }
}

fn named_inputs(problem: &Problem, inputs: &ReferenceInputs<'_>) -> BTreeMap<String, NamedTensor> {
    let tensors = problem.inputs.iter().enumerate().map(|(at, declared)| {
        let axes = declared.axes.iter().map(|axis| (axis.name.clone(), axis.length as usize));
        let data = inputs.values(at).into_owned();
        (declared.name.clone(), NamedTensor { axes: axes.collect(), data })
    });
    let scalars = problem.scalars.iter().map(|scalar| {
        // The kernel gets it in its own type.
        let value = ridge_spec::math::round_to(scalar.dtype, scalar.value);
        (scalar.name.clone(), NamedTensor::scalar(value))
    });
    tensors.chain(scalars).collect()
}

/// One output from its slabs.
fn join(
    output: &TensorShape,
    along: Option<&str>,
    slabs: &[(Range<usize>, Outputs)],
) -> Result<ExpectedValues, ReferenceError> {
    let missing = || ReferenceError::MissingOutput {
        from: "math".to_owned(),
        output: output.name.clone(),
        present: "other outputs".to_owned(),
    };
    let part = |outputs: &Outputs| outputs.get(&output.name).ok_or_else(missing).cloned();
    let place = output.axes.iter().position(|axis| Some(axis.name.as_str()) == along);
    let (Some(place), [_, _, ..]) = (place, slabs) else {
        let (_, outputs) = slabs.first().ok_or_else(missing)?;
        return Ok(ExpectedValues::Real(Arc::new(part(outputs)?.data)));
    };
    let product = |axes: &[ridge_spec::outcome::AxisLength]| {
        axes.iter().map(|axis| axis.length as usize).product::<usize>()
    };
    let inner = product(&output.axes[place + 1..]);
    let row = product(&output.axes[place..]);
    let mut values = vec![0.0; product(&output.axes)];
    for (range, outputs) in slabs {
        let data = &outputs.get(&output.name).ok_or_else(missing)?.data;
        let run = range.len() * inner;
        let rows = values.chunks_exact_mut(row.max(1)).zip(data.chunks_exact(run.max(1)));
        for (whole, part) in rows {
            whole[range.start * inner..range.start * inner + run].copy_from_slice(part);
        }
    }
    Ok(ExpectedValues::Real(Arc::new(values)))
}
