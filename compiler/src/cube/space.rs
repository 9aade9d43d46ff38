//! The space and the launch that come with a generated kernel.

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::expression::{IntegerExpression, Origin, Value};
use ridge_spec::kernel::{DtypeRef, KernelSpec, LaunchArgument, LaunchRule, Role};
use ridge_spec::math::{Binary, Op, Unary, ValueKind};
use ridge_spec::space::{Candidate, Parameter, SearchSpace};

use super::fusion::{self, Fusion};
use super::schedule::{
    BLOCKS_PER_MULTIPROCESSOR, GRID, HOLD, MATH, PREFETCH, ROWS_PER_BLOCK, SWEEPS,
    THREADS_PER_BLOCK, THREADS_PER_ROW, UNROLL, VECTOR_BYTES,
};

/// Bytes of held inputs that a thread may have in registers: 64 registers.
const HELD_BYTES_MAX: u64 = 256;

/// Elements of a row that a thread may handle in straight-line code.
const ELEMENTS_MAX: u64 = 128;

/// Threads that a row may have.
const THREADS: [i64; 8] = [8, 16, 32, 64, 128, 256, 512, 1024];

/// A space and a launch while they are put together.
pub(super) struct Generated {
    parameters: Vec<Parameter>,
    constraints: Vec<String>,
    default: Vec<(&'static str, Value)>,
    arguments: Vec<LaunchArgument>,
    grid: String,
    block: Vec<String>,
    shared_memory_bytes: Option<String>,
}

impl Generated {
    pub(super) fn of(spec: &KernelSpec, fusion: &Fusion) -> Result<Self, Diagnostic> {
        let sizes = Sizes::of(spec, fusion)?;
        let typical = Typical::of(spec, &sizes)?;
        let mut own = Self {
            parameters: Vec::new(),
            constraints: Vec::new(),
            default: Vec::new(),
            arguments: arguments(spec),
            grid: String::new(),
            block: Vec::new(),
            shared_memory_bytes: None,
        };
        if fusion.flat {
            own.flat(fusion, &sizes);
        } else if fusion.has_reductions() {
            own.reductions(fusion, &sizes, &typical);
        } else {
            own.elementwise(fusion, &sizes, &typical);
        }
        if uses_approximations(fusion) {
            own.texts(MATH, &["fast", "precise"], "fast");
        }
        if !fusion.rows.is_empty() {
            own.constraints.push(format!("{} <= 2147483647", sizes.rows));
        }
        Ok(own)
    }

    fn integers(&mut self, name: &'static str, values: &[i64], default: i64) {
        let values = values.iter().map(|&value| Value::Integer(value)).collect();
        self.parameters.push(Parameter { name: name.to_owned(), values });
        self.default.push((name, Value::Integer(default)));
    }

    fn texts(&mut self, name: &'static str, values: &[&str], default: &str) {
        let values = values.iter().map(|&value| Value::Text(value.to_owned())).collect();
        self.parameters.push(Parameter { name: name.to_owned(), values });
        self.default.push((name, Value::Text(default.to_owned())));
    }

    fn constraint(&mut self, text: impl Into<String>) {
        self.constraints.push(text.into());
    }

    /// Every thread has its vectors of the whole.
    fn flat(&mut self, fusion: &Fusion, sizes: &Sizes) {
        self.integers(THREADS_PER_BLOCK, &[64, 128, 256, 512, 1024], 256);
        self.integers(VECTOR_BYTES, &[8, 16], 16);
        self.integers(UNROLL, &[1, 2, 4, 8], 1);
        self.loads_in_flight(fusion);
        let Sizes { span, unit, .. } = sizes;
        self.grid =
            format!("ceil_div({span} * {unit}, {THREADS_PER_BLOCK} * {UNROLL} * {VECTOR_BYTES})");
        self.block = vec![THREADS_PER_BLOCK.to_owned()];
    }

    /// Every group of threads has a tile of a row.
    fn elementwise(&mut self, fusion: &Fusion, sizes: &Sizes, typical: &Typical) {
        let threads = threads(256, |threads| typical.row_bytes <= threads * 16);
        self.integers(THREADS_PER_ROW, &THREADS, threads);
        self.integers(ROWS_PER_BLOCK, &[1, 2, 4, 8, 16], (128 / threads).max(1));
        self.integers(VECTOR_BYTES, &[8, 16], 16);
        self.integers(UNROLL, &[1, 2, 4, 8], 1);
        let Sizes { span, unit, rows, .. } = sizes;
        let tile = format!("{THREADS_PER_ROW} * {UNROLL} * {VECTOR_BYTES}");
        self.threads_of_a_block();
        self.loads_in_flight(fusion);
        self.constraint(format!("{THREADS_PER_ROW} <= 128 || {tile} <= 2 * {span} * {unit}"));
        // Several rows of a block pay only while rows are short.
        self.constraint(format!("{ROWS_PER_BLOCK} <= 4 || {span} <= 1024"));
        self.grid =
            format!("ceil_div({rows}, {ROWS_PER_BLOCK}) * ceil_div({span} * {unit}, {tile})");
        self.block = vec![THREADS_PER_ROW.to_owned(), ROWS_PER_BLOCK.to_owned()];
    }

    /// Every group of threads has a row.
    fn reductions(&mut self, fusion: &Fusion, sizes: &Sizes, typical: &Typical) {
        let Sizes { span, unit, rows, whole, .. } = sizes;
        let is_held = !sizes.held.is_empty();
        let is_online = !fusion.online.is_empty();
        // Four vectors a thread, where there are so many.
        let most = 1024.min((typical.row_bytes / 16).max(32));
        let threads = threads(most, |threads| typical.row_bytes <= threads * 64);
        let fits = typical.held_bytes <= threads * 128 && typical.elements <= threads * 64;
        self.integers(THREADS_PER_ROW, &THREADS, threads);
        self.integers(ROWS_PER_BLOCK, &[1, 2, 4, 8, 16], (128 / threads).max(1));
        self.integers(VECTOR_BYTES, &[8, 16], 16);
        if is_held {
            let shared = !is_online && typical.held_bytes <= 128 << 10;
            let long = if shared { "shared" } else { "reread" };
            let default = if fits { "registers" } else { long };
            self.texts(HOLD, &["registers", "shared", "reread"], default);
        }
        if is_online {
            self.texts(SWEEPS, &["separate", "online"], if fits { "separate" } else { "online" });
        }
        if is_held && !sizes.late.is_empty() {
            self.texts(PREFETCH, &["off", "on"], "off");
        }
        self.integers(UNROLL, &[1, 2, 4], if is_held && fits { 1 } else { 2 });
        self.texts(GRID, &["one_shot", "persistent"], "one_shot");
        self.integers(BLOCKS_PER_MULTIPROCESSOR, &[1, 6, 8], 1);

        let block_threads = format!("{THREADS_PER_ROW} * {ROWS_PER_BLOCK}");
        self.threads_of_a_block();
        // No thread of a row is idle, but for rows shorter than a block of four warps.
        self.constraint(format!(
            "{THREADS_PER_ROW} <= 128 || {THREADS_PER_ROW} * {VECTOR_BYTES} <= {span} * {unit}"
        ));
        // Several rows of a block pay only while rows are short.
        self.constraint(format!("{ROWS_PER_BLOCK} <= 4 || {whole} <= 1024"));
        let held = sizes.held.join(" + ");
        let mut held_registers = "0".to_owned();
        let mut shared = sizes.partials();
        if is_held {
            // A row in registers is handled in straight-line code, which is unrolled as it is.
            self.constraint(format!("{HOLD} != 'registers' || {UNROLL} == 1"));
            self.constraint(format!(
                "{HOLD} != 'registers' || {held} <= {THREADS_PER_ROW} * {HELD_BYTES_MAX}"
            ));
            self.constraint(format!(
                "{HOLD} != 'registers' || {whole} <= {THREADS_PER_ROW} * {ELEMENTS_MAX}"
            ));
            held_registers =
                format!("({HOLD} == 'registers') * ceil_div({held}, {THREADS_PER_ROW} * 4)");
            if !sizes.late.is_empty() {
                let late = sizes.late.join(" + ");
                let most = HELD_BYTES_MAX;
                self.constraint(format!(
                    "{PREFETCH} == 'off' || ({HOLD} == 'registers' && {held} + {late} <= \
                     {THREADS_PER_ROW} * {most})"
                ));
                held_registers = format!(
                    "{held_registers} + ({PREFETCH} == 'on') * ceil_div({late}, \
                     {THREADS_PER_ROW} * 4)"
                );
            }
            let padding = fusion.padding_bytes();
            let rows: Vec<String> = sizes
                .held
                .iter()
                .map(|bytes| format!("align_up({ROWS_PER_BLOCK} * {bytes}, 16) + {padding}"))
                .collect();
            shared = format!("({HOLD} == 'shared') * ({}) + {shared}", rows.join(" + "));
            self.constraint(format!("{shared} <= device.shared_memory_per_block_bytes"));
        }
        if is_online && fusion.online_sweeps.len() == 1 && is_held {
            // One sweep keeps nothing for another.
            self.constraint(format!("{SWEEPS} != 'online' || {HOLD} == 'reread'"));
        }
        // A residency that caps registers leaves room for the held row and 24 more.
        self.constraint(format!(
            "{BLOCKS_PER_MULTIPROCESSOR} == 1 || {BLOCKS_PER_MULTIPROCESSOR} * {block_threads} * \
             (24 + {held_registers}) <= device.registers_per_multiprocessor"
        ));
        self.constraint(format!(
            "{BLOCKS_PER_MULTIPROCESSOR} * {block_threads} <= device.threads_per_multiprocessor"
        ));
        let blocks = format!("ceil_div({rows}, {ROWS_PER_BLOCK})");
        // As many blocks as threads leave room for.
        let resident = format!(
            "device.multiprocessors * max(1, device.threads_per_multiprocessor / ({block_threads}))"
        );
        self.grid = format!(
            "({GRID} == 'one_shot') * {blocks} + \
             ({GRID} == 'persistent') * min({blocks}, {resident})"
        );
        self.block = vec![THREADS_PER_ROW.to_owned(), ROWS_PER_BLOCK.to_owned()];
        self.shared_memory_bytes = Some(shared);
    }

    fn threads_of_a_block(&mut self) {
        let threads = format!("{THREADS_PER_ROW} * {ROWS_PER_BLOCK}");
        self.constraint(format!("{threads} >= 128 && {threads} <= 1024"));
    }

    /// All loads of a thread are in flight at once: at most 64 registers of them.
    fn loads_in_flight(&mut self, fusion: &Fusion) {
        let n_inputs = fusion.sweeps.last().map_or(1, |sweep| sweep.inputs.len().max(1));
        self.constraint(format!("{UNROLL} * {VECTOR_BYTES} * {n_inputs} <= {HELD_BYTES_MAX}"));
    }

    /// The generated space, narrowed by what the author wrote, and the launch.
    pub(super) fn finish(
        self,
        spec: &KernelSpec,
    ) -> Result<(SearchSpace, LaunchRule), Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let mut parameters = self.parameters;
        for parameter in &parameters {
            let name = &parameter.name;
            let taken = spec.axes.contains_key(name) || spec.types.contains_key(name);
            if taken {
                let message = format!("`{}` is the name of a generated parameter", parameter.name);
                let hint = "give the axis or type another name";
                errors.push(Diagnostic::new("cube.name", message).hint(hint));
            }
        }
        for narrowed in &spec.space.parameters {
            let Some(own) = parameters.iter_mut().find(|own| own.name == narrowed.name) else {
                errors.push(unknown_parameter(narrowed, &parameters));
                continue;
            };
            let foreign = narrowed.values.iter().find(|value| !own.values.contains(value));
            if let Some(value) = foreign {
                let known: Vec<String> = own.values.iter().map(Value::to_string).collect();
                let message = format!("`{value}` is no value of `{}`", own.name);
                let hint = format!("its values are {}", known.join(", "));
                errors.push(Diagnostic::new("cube.space", message).hint(hint));
                continue;
            }
            own.values.clone_from(&narrowed.values);
        }
        let parse =
            |text: &String| IntegerExpression::parse(text, &Origin::standalone("generated", text));
        let mut constraints = Vec::new();
        for text in &self.constraints {
            match parse(text) {
                Ok(constraint) => constraints.push(constraint),
                Err(error) => errors.push(error),
            }
        }
        constraints.extend(spec.space.constraints.iter().cloned());
        let written = spec.space.default.as_ref();
        let default = self.default.iter().map(|(name, value)| {
            let own = parameters.iter().find(|own| own.name == *name);
            let allowed = own.is_some_and(|own| own.values.contains(value));
            let first = own.and_then(|own| own.values.first());
            let fallback = if allowed { Some(value) } else { first };
            let value = written.and_then(|written| written.get(name)).or(fallback);
            (*name, value.unwrap_or(value_or(&self.default, name)).clone())
        });
        let default = Candidate::new(default);
        let sizes = |texts: &[String]| texts.iter().map(parse).collect::<Result<Vec<_>, _>>();
        let launch = (|| {
            Ok::<_, Diagnostic>(LaunchRule {
                arguments: self.arguments.clone(),
                grid: vec![parse(&self.grid)?],
                block: sizes(&self.block)?,
                shared_memory_bytes: self.shared_memory_bytes.as_ref().map(parse).transpose()?,
                cluster: None,
                programmatic: None,
            })
        })();
        match (SearchSpace::new(parameters, constraints, Some(default)), launch) {
            (Ok(space), Ok(launch)) if errors.is_empty() => Ok((space, launch)),
            (space, launch) => {
                errors.extend(space.err());
                errors.extend(launch.err());
                Err(errors)
            }
        }
    }
}

fn value_or<'a>(values: &'a [(&'static str, Value)], name: &str) -> &'a Value {
    let found = values.iter().find(|(own, _)| *own == name);
    found.map_or(&values[0].1, |(_, value)| value)
}

fn unknown_parameter(narrowed: &Parameter, parameters: &[Parameter]) -> Diagnostic {
    let names: Vec<&str> = parameters.iter().map(|own| own.name.as_str()).collect();
    let message = format!("`{}` is no parameter of the generated kernel", narrowed.name);
    let mut error = Diagnostic::new("cube.space", message);
    error.hint = ridge_spec::suggestion::hint(&narrowed.name, names);
    error
}

/// Tensors, extents that only the launch knows, scalars: the order of the kernel's parameters.
fn arguments(spec: &KernelSpec) -> Vec<LaunchArgument> {
    let inputs = spec.inputs.iter().filter(|(_, input)| input.shape.is_some());
    let tensors = inputs.map(|(name, _)| name).chain(spec.outputs.keys());
    let mut arguments: Vec<LaunchArgument> = tensors.cloned().map(LaunchArgument::Tensor).collect();
    for axis in fusion::dynamic_axes(spec) {
        let origin = Origin::standalone("generated", axis);
        if let Ok(expression) = IntegerExpression::parse(axis, &origin) {
            arguments.push(LaunchArgument::Integer(expression));
        }
    }
    let scalars = spec.inputs.iter().filter(|(_, input)| input.shape.is_none());
    arguments.extend(scalars.map(|(name, _)| LaunchArgument::Scalar(name.clone())));
    arguments
}

/// Whether anything computed element by element has an approximation.
fn uses_approximations(fusion: &Fusion) -> bool {
    let graph = fusion.program().graph();
    graph.node_weights().any(|node| {
        let inner = node.axes.iter().any(|axis| !fusion.rows.contains(axis));
        let approximable = matches!(
            node.op,
            Op::Unary(Unary::Exp | Unary::Log | Unary::Tanh | Unary::Sigmoid)
                | Op::Binary(Binary::Divide | Binary::Pow)
        );
        inner && approximable
    })
}

/// The fewest threads that are enough, and no more than `most`.
fn threads(most: i64, enough: impl Fn(i64) -> bool) -> i64 {
    let fitting = THREADS.into_iter().filter(|&threads| threads <= most);
    let last = fitting.clone().last().unwrap_or(8);
    fitting.into_iter().find(|&threads| enough(threads)).unwrap_or(last)
}

/// Sizes on the workload that defaults are made for.
struct Typical {
    /// Bytes of a piece of the row, as vectors are measured.
    row_bytes: i64,
    /// Bytes of a row of every held input.
    held_bytes: i64,
    /// Elements of the row.
    elements: i64,
}

impl Typical {
    fn of(spec: &KernelSpec, sizes: &Sizes) -> Result<Self, Diagnostic> {
        let tuned = spec.workloads.iter().find(|workload| workload.role == Role::Tune);
        let Some(workload) = tuned.or_else(|| spec.workloads.first()) else {
            return Err(Diagnostic::new("cube.workloads", "there is no workload"));
        };
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
}

/// Sizes as expressions over axes, types and parameters.
struct Sizes {
    rows: String,
    /// Elements of a piece of the row.
    span: String,
    /// Elements of the row.
    whole: String,
    /// Bytes that an element counts as where vectors are measured.
    unit: String,
    /// Bytes of a row of each held input.
    held: Vec<String>,
    /// Bytes of a row of each input that only the last sweep reads and rows share.
    late: Vec<String>,
    /// Bytes of each value that warps show each other.
    partials: Vec<u64>,
}

impl Sizes {
    fn of(spec: &KernelSpec, fusion: &Fusion) -> Result<Self, Diagnostic> {
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
        let has_doubles = fusion::may_be_double(spec, fusion.program());
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
    fn partials(&self) -> String {
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
