//! A spec with one workload and one device put in.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{AxisKind, DtypeRef, KernelSpec, Reference, TensorDeclaration, Tolerance, Workload};
use crate::diagnostic::Diagnostic;
use crate::dtype::Dtype;
use crate::expression::{IntegerExpression, Scope};
use crate::suggestion;
use crate::target::{DeviceLimits, DeviceProfile};

/// Largest tensor, elements: what a 48-bit address space could hold of bytes.
const ELEMENTS_LIMIT: i64 = 1 << 48;

/// A spec bound to a workload and a device: every extent, type and scalar is known.
#[derive(Clone, Debug)]
pub struct Instance {
    workload: Workload,
    axes: IndexMap<String, i64>,
    specialized: Vec<String>,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    scalars: Vec<Scalar>,
    tolerance: Tolerance,
    output_tolerances: Vec<Tolerance>,
    scope: Scope,
    limits: DeviceLimits,
    bytes_min: u64,
    flops: u64,
}

/// A tensor with its extents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its extents, outermost first; each at least 1.
    pub shape: Vec<u64>,
    /// The names of its axes, in the same order.
    pub axes: Vec<String>,
    /// Whether the kernel before never writes it: see [`KernelSpec::is_constant`].
    pub constant: bool,
}

/// A scalar input with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// Its value; not yet rounded to `dtype`.
    pub value: f64,
}

impl TensorSpec {
    /// How many elements it has: the product of its extents.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// How many bytes it takes, dense.
    pub fn size_bytes(&self) -> u64 {
        self.elements() * self.dtype.size_bytes()
    }
}

impl Instance {
    /// The workload it was bound to.
    pub const fn workload(&self) -> &Workload {
        &self.workload
    }

    /// The extent of every axis, derived ones too, in declared order.
    pub const fn axes(&self) -> &IndexMap<String, i64> {
        &self.axes
    }

    /// The dtype of every type variable.
    pub const fn types(&self) -> &BTreeMap<String, Dtype> {
        &self.workload.types
    }

    /// The axes that the compiler knows, with their extents, in declared order.
    pub fn specialized(&self) -> impl Iterator<Item = (&str, i64)> {
        self.specialized.iter().filter_map(|name| Some((name.as_str(), *self.axes.get(name)?)))
    }

    /// The input tensors, in declared order, without the scalars.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// The output tensors, in declared order.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// Bytes of all tensors.
    pub fn tensor_bytes(&self) -> u64 {
        let tensors = self.inputs.iter().chain(&self.outputs);
        tensors.map(TensorSpec::size_bytes).fold(0, u64::saturating_add)
    }

    /// The scalar inputs, in declared order.
    pub fn scalars(&self) -> &[Scalar] {
        &self.scalars
    }

    /// The input or output tensor of that name.
    pub fn tensor(&self, name: &str) -> Option<&TensorSpec> {
        self.inputs.iter().chain(&self.outputs).find(|tensor| tensor.name == name)
    }

    /// What equal means for this workload, but for outputs that have a tolerance of their own.
    pub const fn tolerance(&self) -> Tolerance {
        self.tolerance
    }

    /// What equal means for each output, in the order of [`Self::outputs`].
    pub fn output_tolerances(&self) -> &[Tolerance] {
        &self.output_tolerances
    }

    /// Names for constraints and launch expressions: axes, types and the device; not parameters.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The device's limits.
    pub const fn limits(&self) -> &DeviceLimits {
        &self.limits
    }

    /// Bytes of device memory that any correct kernel moves: the spec's `[cost]`, or every tensor
    /// once.
    pub const fn bytes_min(&self) -> u64 {
        self.bytes_min
    }

    /// Arithmetic operations that any correct kernel makes: the spec's `[cost]`, or a count over
    /// its math, or 0 where neither is there.
    pub const fn flops(&self) -> u64 {
        self.flops
    }
}

impl KernelSpec {
    /// Puts a workload and a device in. The workload need not be one of the spec's own.
    ///
    /// # Errors
    /// `spec.workload-*` for a workload that does not fit the spec; `spec.extent` and
    /// `spec.tensor-size` for sizes that cannot be; `expression.*` where a derived axis or a cost
    /// faults.
    pub fn bind(
        &self,
        workload: &Workload,
        profile: &DeviceProfile,
    ) -> Result<Instance, Diagnostic> {
        self.check_workload(workload)?;
        let axes = self.extents(workload)?;
        let mut scope = self.scope_of(&axes, &workload.types);
        let (inputs, outputs) = self.tensors(workload, &axes)?;
        let bytes_min = self.bytes_min(&inputs, &outputs, &scope)?;
        let flops = self.flops(&axes, &scope)?;
        scope.set_device(profile);
        Ok(Instance {
            specialized: axes.keys().filter(|axis| self.is_specialized(axis)).cloned().collect(),
            scalars: self.scalars(workload)?,
            tolerance: workload.tolerance.unwrap_or(self.tolerance),
            output_tolerances: outputs
                .iter()
                .map(|output| self.tolerance_of(workload, &output.name))
                .collect(),
            limits: profile.limits,
            workload: workload.clone(),
            axes,
            inputs,
            outputs,
            scope,
            bytes_min,
            flops,
        })
    }

    /// The names of a workload's axes and types, without a device.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub fn scope(&self, workload: &Workload) -> Result<Scope, Diagnostic> {
        self.check_workload(workload)?;
        let axes = self.extents(workload)?;
        Ok(self.scope_of(&axes, &workload.types))
    }

    /// Whether a workload gives what the spec asks for, and nothing else.
    pub(super) fn check_workload(&self, workload: &Workload) -> Result<(), Diagnostic> {
        let own = || self.axes.iter().filter(|(_, kind)| !matches!(kind, AxisKind::Derived(_)));
        let fail = |code: &str, message: String| Err(Diagnostic::new(code, message));
        let name = &workload.name;
        if let Some((axis, _)) = own().find(|(axis, _)| !workload.axes.contains_key(*axis)) {
            return fail("spec.workload-axis", format!("workload `{name}` gives no `{axis}`"));
        }
        for axis in workload.axes.keys() {
            match self.axes.get(axis) {
                Some(AxisKind::Dynamic | AxisKind::Specialized) => {}
                Some(AxisKind::Derived(_)) => {
                    let message = format!("workload `{name}` gives the derived axis `{axis}`");
                    return fail("spec.workload-axis", message);
                }
                None => {
                    let message = format!("workload `{name}` gives `{axis}`, which is no axis");
                    let mut diagnostic = Diagnostic::new("spec.workload-axis", message);
                    let known: Vec<&str> = own().map(|(axis, _)| axis.as_str()).collect();
                    diagnostic.hint = suggestion::hint(axis, known);
                    return Err(diagnostic);
                }
            }
        }
        for (variable, allowed) in &self.types {
            match workload.types.get(variable) {
                Some(dtype) if allowed.contains(dtype) => {}
                Some(dtype) => {
                    let message = format!("workload `{name}` has `{variable} = {dtype}`");
                    let names: Vec<String> = allowed.iter().map(|d| format!("`{d}`")).collect();
                    return Err(Diagnostic::new("spec.workload-type", message)
                        .hint(format!("`{variable}` may be {}", names.join(", "))));
                }
                None => {
                    let message = format!("workload `{name}` gives no type `{variable}`");
                    return fail("spec.workload-type", message);
                }
            }
        }
        if let Some(unknown) = workload.types.keys().find(|t| !self.types.contains_key(*t)) {
            let message = format!("workload `{name}` gives `{unknown}`, which is no type variable");
            return fail("spec.workload-type", message);
        }
        let is_scalar = |name: &str| self.inputs.get(name).is_some_and(|i| i.shape.is_none());
        if let Some(unknown) = workload.scalars.keys().find(|scalar| !is_scalar(scalar)) {
            let message = format!("workload `{name}` gives `{unknown}`, which is no scalar input");
            return fail("spec.workload-scalar", message);
        }
        Ok(())
    }

    /// The extent of every axis, in declared order; each at least 1.
    pub(super) fn extents(&self, workload: &Workload) -> Result<IndexMap<String, i64>, Diagnostic> {
        let mut scope = Scope::new();
        for (name, dtype) in &workload.types {
            scope.set_type(name, *dtype);
        }
        for (name, extent) in &workload.axes {
            if *extent < 1 {
                return Err(extent_fault(name, *extent, workload));
            }
            scope.set(name, *extent);
        }
        let mut open: Vec<(&str, &IntegerExpression)> = Vec::new();
        for (name, kind) in &self.axes {
            if let AxisKind::Derived(expression) = kind {
                open.push((name, expression));
            }
        }
        while !open.is_empty() {
            let known = |(_, expression): &(&str, &IntegerExpression)| {
                expression.variables().all(|name| scope.get(name).is_some())
            };
            let (ready, blocked): (Vec<_>, Vec<_>) = open.iter().partition(|axis| known(axis));
            if ready.is_empty() {
                let (name, expression) = blocked[0];
                // A missing name says more than a cycle would.
                expression.integer(&scope)?;
                return Err(Diagnostic::new("spec.axis-cycle", format!("`{name}` needs itself")));
            }
            for (name, expression) in ready {
                let extent = expression.integer(&scope)?;
                if extent < 1 {
                    let place = expression.origin().locate(0..expression.text().len());
                    return Err(extent_fault(name, extent, workload).at(place));
                }
                scope.set(name, extent);
            }
            open = blocked;
        }
        let extent = |name: &String| {
            let extent = scope.get(name).and_then(|value| value.as_integer());
            // The workload was checked to give every axis that is not derived.
            (name.clone(), extent.unwrap_or(1))
        };
        Ok(self.axes.keys().map(extent).collect())
    }

    /// A scope of axes and types, without a device.
    pub(super) fn scope_of(
        &self,
        axes: &IndexMap<String, i64>,
        types: &BTreeMap<String, Dtype>,
    ) -> Scope {
        let mut scope = Scope::new();
        for (name, extent) in axes {
            scope.set(name, *extent);
        }
        for (name, dtype) in types {
            scope.set_type(name, *dtype);
        }
        scope
    }

    /// The input and output tensors with their extents.
    pub(super) fn tensors(
        &self,
        workload: &Workload,
        axes: &IndexMap<String, i64>,
    ) -> Result<(Vec<TensorSpec>, Vec<TensorSpec>), Diagnostic> {
        let concrete = |declared: &IndexMap<String, TensorDeclaration>| {
            let tensors = declared.iter().filter_map(|(name, declaration)| {
                let shape = declaration.shape.as_ref()?;
                let dtype = declaration.dtype.bound(&workload.types)?;
                Some(tensor((name, self.is_constant(name)), shape, dtype, axes))
            });
            tensors.collect::<Result<Vec<_>, _>>()
        };
        Ok((concrete(&self.inputs)?, concrete(&self.outputs)?))
    }

    fn scalars(&self, workload: &Workload) -> Result<Vec<Scalar>, Diagnostic> {
        let mut scalars = Vec::new();
        for (name, declaration) in &self.inputs {
            if declaration.shape.is_some() {
                continue;
            }
            let Some(dtype) = declaration.dtype.bound(&workload.types) else { continue };
            let given = workload.scalars.get(name).copied().or(declaration.default);
            let Some(value) = given else {
                return Err(Diagnostic::new(
                    "spec.workload-scalar",
                    format!("workload `{}` gives no value for `{name}`", workload.name),
                )
                .hint("give it a `default`, or a value in the workload's `scalars`"));
            };
            scalars.push(Scalar { name: name.clone(), dtype, value });
        }
        Ok(scalars)
    }

    fn bytes_min(
        &self,
        inputs: &[TensorSpec],
        outputs: &[TensorSpec],
        scope: &Scope,
    ) -> Result<u64, Diagnostic> {
        match self.cost.as_ref().and_then(|cost| cost.bytes_min.as_ref()) {
            Some(expression) => cost(expression, scope),
            None => {
                let sizes = inputs.iter().chain(outputs).map(TensorSpec::size_bytes);
                Ok(sizes.fold(0, u64::saturating_add))
            }
        }
    }

    fn flops(&self, axes: &IndexMap<String, i64>, scope: &Scope) -> Result<u64, Diagnostic> {
        match (self.cost.as_ref().and_then(|cost| cost.flops.as_ref()), &self.reference) {
            (Some(expression), _) => cost(expression, scope),
            (None, Reference::Math(program)) => {
                let axes = axes.iter().map(|(name, extent)| (name.clone(), *extent)).collect();
                Ok(program.flops(&axes))
            }
            (None, Reference::Python { .. } | Reference::Golden { .. }) => Ok(0),
        }
    }
}

impl DtypeRef {
    /// The dtype, with type variables as given; `None` for a variable that is not given.
    pub fn bound(&self, types: &BTreeMap<String, Dtype>) -> Option<Dtype> {
        match self {
            Self::Fixed(dtype) => Some(*dtype),
            Self::Variable(name) => types.get(name).copied(),
        }
    }
}

fn tensor(
    (name, constant): (&str, bool),
    shape: &[String],
    dtype: Dtype,
    axes: &IndexMap<String, i64>,
) -> Result<TensorSpec, Diagnostic> {
    let extents: Vec<i64> = shape.iter().filter_map(|axis| axes.get(axis).copied()).collect();
    let elements = extents.iter().try_fold(1i64, |n, extent| n.checked_mul(*extent));
    if elements.is_none_or(|n| n > ELEMENTS_LIMIT) {
        let extents: Vec<String> = extents.iter().map(i64::to_string).collect();
        let message = format!("`{name}` would have {} elements", extents.join(" × "));
        return Err(Diagnostic::new("spec.tensor-size", message)
            .hint(format!("at most {ELEMENTS_LIMIT} are allowed")));
    }
    Ok(TensorSpec {
        name: name.to_owned(),
        dtype,
        shape: extents.into_iter().map(i64::unsigned_abs).collect(),
        axes: shape.to_vec(),
        constant,
    })
}

fn extent_fault(axis: &str, extent: i64, workload: &Workload) -> Diagnostic {
    let message = format!("`{axis}` is {extent} in workload `{}`", workload.name);
    Diagnostic::new("spec.extent", message).hint("an extent is at least 1")
}

/// A cost, which cannot be negative.
fn cost(expression: &IntegerExpression, scope: &Scope) -> Result<u64, Diagnostic> {
    let value = expression.integer(scope)?;
    u64::try_from(value).map_err(|_| {
        Diagnostic::new("spec.cost", format!("`{expression}` is {value}, and a cost is at least 0"))
            .at(expression.origin().locate(0..expression.text().len()))
    })
}
