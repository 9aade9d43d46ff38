//! Sizes of rows as expressions over axes, types and parameters, and on a typical workload.

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::expression::{IntegerExpression, Origin};
use ridge_spec::kernel::{DtypeRef, KernelSpec, Role, Workload};
use ridge_spec::math::{Op, ValueKind};

use super::declared;
use super::fusion::Fusion;
use super::schedule::{ROWS_PER_BLOCK, THREADS_PER_ROW};

/// Sizes on the workload that defaults are made for.
pub(super) struct Typical {
    /// Bytes of a piece of the row, as vectors are measured.
    pub(super) row_bytes: i64,
    /// Bytes of a row of every held input.
    pub(super) held_bytes: i64,
    /// Elements of the row.
    pub(super) elements: i64,
}

impl Typical {
    /// Of the longest rows to tune, or of the first workload where none is to be tuned: what is
    /// legal there is mostly legal for shorter ones.
    pub(super) fn of(spec: &KernelSpec, sizes: &Sizes) -> Result<Self, Diagnostic> {
        let Some(first) = spec.workloads.first() else {
            return Err(Diagnostic::new("cube.workloads", "there is no workload"));
        };
        let tuned = spec.workloads.iter().filter(|workload| workload.role == Role::Tune);
        let longest = tuned
            .map(|workload| Self::of_workload(spec, sizes, workload))
            .reduce(|longest, other| Ok(Self::longer(longest?, other?)));
        longest.unwrap_or_else(|| Self::of_workload(spec, sizes, first))
    }

    fn of_workload(
        spec: &KernelSpec,
        sizes: &Sizes,
        workload: &Workload,
    ) -> Result<Self, Diagnostic> {
        let scope = spec.scope(workload)?;
        let value = |text: &str| {
            let origin = Origin::standalone("generated", text);
            IntegerExpression::parse(text, &origin)?.integer(&scope)
        };
        let held: Result<Vec<i64>, Diagnostic> =
            sizes.held.iter().map(|bytes| value(bytes)).collect();
        Ok(Self {
            row_bytes: value(&format!("{} * {}", sizes.span, sizes.unit))?,
            held_bytes: held?.into_iter().fold(0, i64::saturating_add),
            elements: value(&sizes.whole)?,
        })
    }

    fn longer(a: Self, b: Self) -> Self {
        if b.row_bytes > a.row_bytes { b } else { a }
    }
}

/// Sizes as expressions over axes, types and parameters.
pub(super) struct Sizes {
    pub(super) rows: String,
    /// Elements of a piece of the row.
    pub(super) span: String,
    /// Elements of the row.
    pub(super) whole: String,
    /// Bytes that an element counts as where vectors are measured.
    pub(super) unit: String,
    /// Bytes of a row of each held input.
    pub(super) held: Vec<String>,
    /// Bytes of a row of each input that only the last sweep reads and rows share.
    pub(super) late: Vec<String>,
    /// Bytes of each value that warps show each other.
    pub(super) partials: Vec<u64>,
}

impl Sizes {
    pub(super) fn of(spec: &KernelSpec, fusion: &Fusion) -> Result<Self, Diagnostic> {
        let extents = |axes: &[String]| -> Result<String, Diagnostic> {
            let texts: Result<Vec<String>, Diagnostic> =
                axes.iter().map(|axis| extent(spec, fusion, axis)).collect();
            let texts = texts?;
            Ok(if texts.is_empty() { "1".to_owned() } else { texts.join(" * ") })
        };
        let whole = format!("({})", extents(fusion.inner())?);
        let span = match fusion.pieces {
            1 => whole.clone(),
            pieces => format!("({whole} / {pieces})"),
        };
        let inputs = fusion.sweeps.iter().flat_map(|sweep| &sweep.inputs);
        let mut units: Vec<String> = inputs.map(|input| size(&spec.inputs[input].dtype)).collect();
        if units.is_empty() {
            units = spec.outputs.values().map(|output| size(&output.dtype)).collect();
        }
        units.sort();
        units.dedup();
        let least =
            if units.len() == 1 { units.remove(0) } else { format!("min({})", units.join(", ")) };
        let row = |input: &String| -> Result<String, Diagnostic> {
            let declared = &spec.inputs[input];
            let axes = declared.shape.as_deref().unwrap_or_default();
            let along = |axis: &&String| {
                let mut sweeps = fusion.sweeps.iter().filter_map(|sweep| sweep.along.get(input));
                sweeps.any(|along| along.contains(*axis))
            };
            let inner: Vec<String> = axes.iter().filter(along).cloned().collect();
            Ok(format!("{} * {}", extents(&inner)?, size(&declared.dtype)))
        };
        let rows = |inputs: Vec<String>| inputs.iter().map(row).collect::<Result<Vec<_>, _>>();
        let held = rows(Fusion::held(&fusion.sweeps))?;
        let late = rows(fusion.late_inputs(spec))?;
        let graph = fusion.program().graph();
        let has_doubles = declared::may_be_double(spec, fusion.program());
        let partials = fusion.sweeps.iter().flat_map(|sweep| &sweep.reductions);
        let partials = partials.map(|&node| {
            let narrow = graph[node].kind == ValueKind::Real && !has_doubles;
            if narrow { 4 } else { 8 }
        });
        Ok(Self {
            rows: format!("({})", extents(&fusion.rows)?),
            span,
            whole,
            unit: format!("max(2, {least})"),
            held,
            late,
            partials: partials.collect(),
        })
    }

    /// Bytes of shared memory for what warps of a row show each other.
    pub(super) fn partials(&self) -> String {
        let narrow = self.partials.iter().filter(|&&bytes| bytes == 4).count();
        let wide = self.partials.len() - narrow;
        let array = |n: usize, bytes: u64| {
            format!("{n} * align_up({ROWS_PER_BLOCK} * ({THREADS_PER_ROW} / 32) * {bytes}, 16)")
        };
        match (narrow, wide) {
            (_, 0) => format!("({THREADS_PER_ROW} > 32) * {}", array(narrow, 4)),
            (0, _) => format!("({THREADS_PER_ROW} > 32) * {}", array(wide, 8)),
            _ => format!("({THREADS_PER_ROW} > 32) * ({} + {})", array(narrow, 4), array(wide, 8)),
        }
    }
}

fn size(dtype: &DtypeRef) -> String {
    match dtype {
        DtypeRef::Fixed(dtype) => dtype.size_bytes().to_string(),
        DtypeRef::Variable(name) => format!("sizeof({name})"),
    }
}

/// An axis's extent over declared axes.
fn extent(spec: &KernelSpec, fusion: &Fusion, axis: &str) -> Result<String, Diagnostic> {
    if spec.axes.contains_key(axis) {
        return Ok(axis.to_owned());
    }
    for node in fusion.program().graph().node_weights() {
        match &node.op {
            Op::Slice { start, end, name, .. } if name == axis => {
                return Ok(format!("(({end}) - ({start}))"));
            }
            Op::Rename { axis: from, name } if name == axis => return extent(spec, fusion, from),
            Op::Concat { axes, name } if name == axis => {
                let parts: Result<Vec<String>, Diagnostic> =
                    axes.iter().map(|part| extent(spec, fusion, part)).collect();
                return Ok(format!("({})", parts?.join(" + ")));
            }
            _ => {}
        }
    }
    Err(Diagnostic::new("cube.axis", format!("nothing says how long `{axis}` is")))
}
