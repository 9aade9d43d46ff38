//! Inputs, and what the interpreter makes of them, as JSON that a Python script reads.

use std::collections::BTreeMap;

use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{DtypeRef, KernelSpec, Reference, Workload};
use ridge_spec::math::{self, NamedTensor};
use serde_json::{Value, json};

/// Elements of all inputs above which a workload is left out.
const ELEMENTS_MAX: i64 = 1 << 15;

/// One call of a kernel's reference.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) content: Value,
}

/// A case for each of a spec's small workloads.
pub(crate) fn of(name: &str, spec: &KernelSpec) -> Vec<Case> {
    let Reference::Math(program) = &spec.reference else { return Vec::new() };
    let mut cases = Vec::new();
    for workload in &spec.workloads {
        let scope = spec.scope(workload).unwrap();
        let axes: BTreeMap<String, i64> = spec
            .axes
            .keys()
            .map(|axis| (axis.clone(), scope.get(axis).unwrap().as_integer().unwrap()))
            .collect();
        let elements: i64 = spec
            .inputs
            .values()
            .filter_map(|input| input.shape.as_ref())
            .map(|shape| shape.iter().map(|axis| axes[axis]).product::<i64>())
            .sum();
        if elements > ELEMENTS_MAX {
            continue;
        }
        let program = program.with_types(&workload.types);
        let (inputs, shown) = inputs(spec, workload, &axes);
        let outputs = program.evaluate(&axes, &inputs).unwrap();
        let expected: Vec<Value> = spec
            .outputs
            .iter()
            .map(|(output, declaration)| {
                let shape: Vec<i64> =
                    declaration.shape.iter().flatten().map(|axis| axes[axis]).collect();
                let tolerance = spec.tolerance_of(workload, output);
                json!({
                    "absolute": tolerance.absolute,
                    "relative": tolerance.relative,
                    "dtype": bound(&declaration.dtype, workload).name(),
                    "shape": shape,
                    "data": numbers(&outputs[output].data),
                })
            })
            .collect();
        cases.push(Case {
            name: format!("{name}--{}", workload.name),
            content: json!({
                "kernel": name,
                "inputs": shown,
                "expected": expected,
            }),
        });
    }
    cases
}

fn bound(dtype: &DtypeRef, workload: &Workload) -> Dtype {
    dtype.bound(&workload.types).unwrap()
}

/// JSON has no infinities: those and NaN are texts that Python's `float` reads.
fn numbers(data: &[f64]) -> Vec<Value> {
    let number = |value: &f64| {
        if value.is_finite() { json!(value) } else { json!(value.to_string()) }
    };
    data.iter().map(number).collect()
}

fn inputs(
    spec: &KernelSpec,
    workload: &Workload,
    axes: &BTreeMap<String, i64>,
) -> (BTreeMap<String, NamedTensor>, Vec<Value>) {
    let Reference::Math(program) = &spec.reference else { return Default::default() };
    let bounds = program.take_bounds();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut uniform = move || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut tensors = BTreeMap::new();
    let mut shown = Vec::new();
    for (name, declaration) in &spec.inputs {
        let dtype = bound(&declaration.dtype, workload);
        let Some(shape) = &declaration.shape else {
            let value = workload.scalars.get(name).copied().or(declaration.default).unwrap();
            tensors.insert(name.clone(), NamedTensor { axes: vec![], data: vec![value] });
            shown.push(json!(value));
            continue;
        };
        let extents: Vec<i64> = shape.iter().map(|axis| axes[axis]).collect();
        let count = usize::try_from(extents.iter().product::<i64>()).unwrap();
        let bound = bounds.iter().find(|bound| bound.input == *name).map(|bound| axes[&bound.axis]);
        let mut value = || match (bound, dtype) {
            (Some(bound), _) => (uniform() * bound as f64).floor(),
            (None, Dtype::Bool) => f64::from(uniform() < 0.7),
            (None, dtype) if dtype.is_float() => uniform() * 4.0 - 2.0,
            (None, _) => (uniform() * 100.0 - 50.0).floor().abs(),
        };
        let data: Vec<f64> = (0..count).map(|_| math::round_to(dtype, value())).collect();
        shown.push(json!({ "dtype": dtype.name(), "shape": extents, "data": numbers(&data) }));
        let named = shape.iter().cloned();
        let named = named.zip(extents.iter().map(|&extent| usize::try_from(extent).unwrap()));
        tensors.insert(name.clone(), NamedTensor { axes: named.collect(), data });
    }
    (tensors, shown)
}
