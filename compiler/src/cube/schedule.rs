//! One candidate on one workload as numbers: widths, threads, slots, extents.

use std::collections::BTreeMap;

use ridge_spec::dtype::Dtype;
use ridge_spec::expression::{Scope, Value};
use ridge_spec::kernel::Instance;
use ridge_spec::math::{Op, Program};
use ridge_spec::outcome::Rejection;
use ridge_spec::space::Candidate;

use super::fusion::{Fusion, PARTS_MAX, Sweep};
use super::refused;

/// Names of the parameters that are generated.
pub(super) const THREADS_PER_ROW: &str = "threads_per_row";
pub(super) const THREADS_PER_BLOCK: &str = "threads_per_block";
pub(super) const ROWS_PER_BLOCK: &str = "rows_per_block";
pub(super) const VECTOR_BYTES: &str = "vector_bytes";
pub(super) const HOLD: &str = "hold";
pub(super) const UNROLL: &str = "unroll";
pub(super) const MATH: &str = "math";
pub(super) const SWEEPS: &str = "sweeps";
pub(super) const PREFETCH: &str = "prefetch";
pub(super) const GRID: &str = "grid";
pub(super) const PDL: &str = "pdl";
pub(super) const BLOCKS_PER_MULTIPROCESSOR: &str = "blocks_per_multiprocessor";

/// Most elements that a thread handles in straight-line code: more makes the compiler slow and
/// leaves nothing in registers.
pub(super) const STRAIGHT_ELEMENTS_MAX: u64 = 512;

/// Where a row waits between sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// In the registers of the thread that read it.
    Registers,
    /// In shared memory.
    Shared,
    /// Where it came from.
    Reread,
}

/// A candidate on a workload, in numbers.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) threads_per_row: u64,
    pub(super) rows_per_block: u64,
    /// Elements of a vector; divides the span, except in a flat kernel.
    pub(super) width: u64,
    /// Elements of one piece of the row; `None` where only the launch knows.
    pub(super) span: Option<u64>,
    /// Vectors a thread handles one after the other without a loop.
    pub(super) unroll: u64,
    pub(super) hold: Hold,
    pub(super) is_online: bool,
    /// Whether what only the last sweep reads is read before the first.
    pub(super) is_prefetching: bool,
    pub(super) is_approximate: bool,
    pub(super) is_persistent: bool,
    pub(super) blocks_per_multiprocessor: u64,
    /// Whether the kernel starts before the one before it has ended, and lets the next do so.
    pub(super) is_programmatic: bool,
    /// Whether real numbers are computed in binary64.
    pub(super) is_double: bool,
}

impl Schedule {
    pub(super) fn of(
        fusion: &Fusion,
        instance: &Instance,
        extents: &Extents,
        candidate: &Candidate,
    ) -> Result<Self, Rejection> {
        let read = Reading { candidate };
        let vector_bytes = read.integer(VECTOR_BYTES, 16)?;
        let unit = unit_bytes(fusion, instance);
        let widest = (vector_bytes / unit).max(1);
        let is_online = read.is(SWEEPS, "online", false);
        let unroll = read.integer(UNROLL, 1)?;
        let (width, unroll, span) = if fusion.flat {
            (widest, unroll, extents.flat(fusion))
        } else {
            let sweeps = if is_online { &fusion.online_sweeps } else { &fusion.sweeps };
            let span = span(fusion, extents)?;
            for sweep in sweeps {
                let whole: u64 = extents.product(&sweep.inner)?;
                let parts = whole / span.max(1);
                if !whole.is_multiple_of(span)
                    || parts > PARTS_MAX
                    || (sweep.inner.len() > 1 && parts != 1)
                {
                    return Err(refused(&format!(
                        "a sweep over {} elements does not fit one over {span}",
                        whole
                    )));
                }
            }
            let last = fusion.inner().last().map_or(Ok(1), |axis| extents.get(axis))?;
            let aligned = if fusion.pieces > 1 { span } else { last };
            let mut width = widest;
            let seams = extents.seams(fusion);
            let fits = |width: u64| {
                let mut lengths = seams.iter().chain([&aligned, &span]);
                lengths.all(|length| length.is_multiple_of(width))
            };
            while !fits(width) {
                width /= 2;
            }
            // Narrower vectors are more of them, so that the grid stays the same.
            let more = if fusion.has_reductions() { 1 } else { widest / width };
            (width, unroll * more, Some(span))
        };
        let hold = match read.text(HOLD) {
            Some("shared") => Hold::Shared,
            Some("reread") => Hold::Reread,
            Some(_) => Hold::Registers,
            None if fusion.has_reductions() => Hold::Reread,
            None => Hold::Registers,
        };
        Ok(Self {
            threads_per_row: read
                .integer(if fusion.flat { THREADS_PER_BLOCK } else { THREADS_PER_ROW }, 128)?,
            rows_per_block: read.integer(ROWS_PER_BLOCK, 1)?,
            width,
            span,
            unroll,
            hold,
            is_online,
            is_prefetching: read.is(PREFETCH, "on", false),
            is_approximate: read.is(MATH, "fast", false),
            is_persistent: read.is(GRID, "persistent", false),
            blocks_per_multiprocessor: read.integer(BLOCKS_PER_MULTIPROCESSOR, 1)?,
            is_programmatic: read.is(PDL, "early", false),
            is_double: is_double(fusion, instance),
        })
    }

    pub(super) fn threads(&self) -> u64 {
        self.threads_per_row * self.rows_per_block
    }

    /// The sweeps to make.
    pub(super) fn sweeps<'f>(&self, fusion: &'f Fusion) -> &'f [Sweep] {
        if self.is_online { &fusion.online_sweeps } else { &fusion.sweeps }
    }

    /// Vectors of one piece of the row, where the compiler knows.
    pub(super) fn vectors(&self) -> Option<u64> {
        self.span.map(|span| span / self.width)
    }
}

impl Fusion {
    /// Whether anything is reduced.
    pub fn has_reductions(&self) -> bool {
        self.sweeps.iter().any(|sweep| !sweep.reductions.is_empty())
    }
}

/// Elements of one piece of the row.
fn span(fusion: &Fusion, extents: &Extents) -> Result<u64, Rejection> {
    let whole = extents.product(fusion.inner())?;
    if !whole.is_multiple_of(fusion.pieces) {
        return Err(refused(&format!("{whole} elements are not {} equal parts", fusion.pieces)));
    }
    Ok(whole / fusion.pieces)
}

/// Bytes of the narrowest input along the row, which decides how many elements a vector has; one
/// byte counts as two, so that wider tensors beside it keep to a few registers.
fn unit_bytes(fusion: &Fusion, instance: &Instance) -> u64 {
    let inputs = fusion.sweeps.iter().flat_map(|sweep| &sweep.inputs);
    let outputs = instance.outputs().iter().map(|tensor| &tensor.name);
    let size = |name: &String| instance.tensor(name).map(|tensor| tensor.dtype.size_bytes());
    let narrowest = inputs.filter_map(size).min().or_else(|| outputs.filter_map(size).min());
    narrowest.unwrap_or(4).max(2)
}

fn is_double(fusion: &Fusion, instance: &Instance) -> bool {
    let program = fusion.program().with_types(instance.types());
    let casts = program.graph().node_weights().any(|node| match &node.op {
        Op::Cast(target) => program.cast_dtype(target) == Some(Dtype::F64),
        _ => false,
    });
    let tensors = instance.inputs().iter().chain(instance.outputs());
    casts || tensors.map(|tensor| tensor.dtype).any(|dtype| dtype == Dtype::F64)
}

struct Reading<'a> {
    candidate: &'a Candidate,
}

impl<'a> Reading<'a> {
    fn integer(&self, name: &str, absent: u64) -> Result<u64, Rejection> {
        match self.candidate.get(name) {
            None => Ok(absent),
            Some(Value::Integer(value)) if *value > 0 => Ok(value.unsigned_abs()),
            Some(value) => Err(refused(&format!("`{name}` may not be `{value}`"))),
        }
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        match self.candidate.get(name) {
            Some(Value::Text(text)) => Some(text),
            Some(Value::Integer(_)) | None => None,
        }
    }

    fn is(&self, name: &str, value: &str, absent: bool) -> bool {
        self.text(name).map_or(absent, |text| text == value)
    }
}

/// The extents that the compiler knows, of declared axes and those made by `as`.
#[derive(Clone, Debug)]
pub(super) struct Extents {
    known: BTreeMap<String, u64>,
    scope: Scope,
}

impl Extents {
    pub(super) fn of(program: &Program, instance: &Instance) -> Result<Self, Rejection> {
        let mut own = Self { known: BTreeMap::new(), scope: instance.scope().clone() };
        for (name, extent) in instance.specialized() {
            own.known.insert(name.to_owned(), extent.unsigned_abs());
        }
        for node in program.graph().node_weights() {
            let (name, extent) = match &node.op {
                Op::Slice { start, end, name, .. } => {
                    let (start, end) = (own.whole(start)?, own.whole(end)?);
                    (name, end.checked_sub(start))
                }
                Op::Rename { axis, name } => (name, own.known.get(axis).copied()),
                Op::Concat { axes, name } => {
                    let parts = axes.iter().map(|axis| own.known.get(axis).copied());
                    (name, parts.sum::<Option<u64>>())
                }
                _ => continue,
            };
            if let Some(extent) = extent {
                own.known.insert(name.clone(), extent);
                own.scope.set(name, i64::try_from(extent).unwrap_or(i64::MAX));
            }
        }
        Ok(own)
    }

    /// The value of a slice's bound.
    pub(super) fn whole(
        &self,
        expression: &ridge_spec::expression::IntegerExpression,
    ) -> Result<u64, Rejection> {
        let value = expression.integer(&self.scope).map_err(|error| refused(&error.message))?;
        u64::try_from(value).map_err(|_| refused(&format!("`{expression}` is {value}")))
    }

    /// An extent, where the compiler knows it.
    pub(super) fn find(&self, axis: &str) -> Option<u64> {
        self.known.get(axis).copied()
    }

    pub(super) fn get(&self, axis: &str) -> Result<u64, Rejection> {
        self.find(axis).ok_or_else(|| refused(&format!("the extent of `{axis}` is not known")))
    }

    pub(super) fn product(&self, axes: &[String]) -> Result<u64, Rejection> {
        axes.iter().try_fold(1_u64, |product, axis| {
            let product = product.checked_mul(self.get(axis)?);
            product.ok_or_else(|| refused("a row has more elements than 64 bits count"))
        })
    }

    /// Where concatenations join, in elements from the start.
    fn seams(&self, fusion: &Fusion) -> Vec<u64> {
        let mut seams = Vec::new();
        for node in fusion.program().graph().node_weights() {
            let Op::Concat { axes, .. } = &node.op else { continue };
            let mut end = 0;
            for axis in axes {
                // Along rows no vector can cross one.
                let Some(extent) = self.find(axis) else { break };
                end += extent;
                seams.push(end);
            }
        }
        seams
    }

    /// Elements of a flat kernel, where the compiler knows.
    fn flat(&self, fusion: &Fusion) -> Option<u64> {
        self.product(fusion.inner()).ok()
    }
}
