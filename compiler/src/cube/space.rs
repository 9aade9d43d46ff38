//! The space and the launch that come with a generated kernel.

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::expression::{IntegerExpression, Origin, Value};
use ridge_spec::kernel::{KernelSpec, LaunchArgument, LaunchRule, Role};
use ridge_spec::math::{Binary, Op, Unary};
use ridge_spec::space::{Candidate, Parameter, SearchSpace};

use super::declared;
use super::fusion::Fusion;
use super::schedule::{
    BLOCKS_PER_MULTIPROCESSOR, GRID, HOLD, MATH, PDL, PREFETCH, ROWS_PER_BLOCK, SWEEPS,
    THREADS_PER_BLOCK, THREADS_PER_ROW, UNROLL, VECTOR_BYTES,
};
use super::sizes::{Sizes, Typical};

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
        own.texts(PDL, &["off", "early"], "off");
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
        self.row_parameters(fusion, sizes, typical);
        let Sizes { span, unit, rows, whole, .. } = sizes;
        let block_threads = format!("{THREADS_PER_ROW} * {ROWS_PER_BLOCK}");
        self.threads_of_a_block();
        // No thread of a row is idle, but for rows shorter than a block of four warps.
        self.constraint(format!(
            "{THREADS_PER_ROW} <= 128 || {THREADS_PER_ROW} * {VECTOR_BYTES} <= {span} * {unit}"
        ));
        // Several rows of a block pay only while rows are short.
        self.constraint(format!("{ROWS_PER_BLOCK} <= 4 || {whole} <= 1024"));
        let held_registers = self.held_rows(fusion, sizes);
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
    }

    fn row_parameters(&mut self, fusion: &Fusion, sizes: &Sizes, typical: &Typical) {
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
    }

    /// What rows that wait between sweeps need; the registers of a thread for them.
    fn held_rows(&mut self, fusion: &Fusion, sizes: &Sizes) -> String {
        let partials = sizes.partials();
        if sizes.held.is_empty() {
            self.shared_memory_bytes = Some(partials);
            return "0".to_owned();
        }
        let (held, whole) = (sizes.held.join(" + "), &sizes.whole);
        let in_registers = |limit: &str| format!("{HOLD} != 'registers' || {limit}");
        // A row in registers is handled in straight-line code, which is unrolled as it is.
        self.constraint(in_registers(&format!("{UNROLL} == 1")));
        self.constraint(in_registers(&format!("{held} <= {THREADS_PER_ROW} * {HELD_BYTES_MAX}")));
        self.constraint(in_registers(&format!("{whole} <= {THREADS_PER_ROW} * {ELEMENTS_MAX}")));
        let mut registers =
            format!("({HOLD} == 'registers') * ceil_div({held}, {THREADS_PER_ROW} * 4)");
        if !sizes.late.is_empty() {
            let late = sizes.late.join(" + ");
            self.constraint(format!(
                "{PREFETCH} == 'off' || ({HOLD} == 'registers' && {held} + {late} <= \
                 {THREADS_PER_ROW} * {HELD_BYTES_MAX})"
            ));
            registers = format!(
                "{registers} + ({PREFETCH} == 'on') * ceil_div({late}, {THREADS_PER_ROW} * 4)"
            );
        }
        let padding = fusion.padding_bytes();
        let rows: Vec<String> = sizes
            .held
            .iter()
            .map(|bytes| format!("align_up({ROWS_PER_BLOCK} * {bytes}, 16) + {padding}"))
            .collect();
        let shared = format!("({HOLD} == 'shared') * ({}) + {partials}", rows.join(" + "));
        self.constraint(format!("{shared} <= device.shared_memory_per_block_bytes"));
        self.shared_memory_bytes = Some(shared);
        if !fusion.online.is_empty() && fusion.online_sweeps.len() == 1 {
            // One sweep keeps nothing for another.
            self.constraint(format!("{SWEEPS} != 'online' || {HOLD} == 'reread'"));
        }
        registers
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
                programmatic: Some(parse(&format!("{PDL} != 'off'"))?),
            })
        })();
        match (SearchSpace::new(parameters, constraints, Some(default)), launch) {
            (Ok(space), Ok(launch)) if errors.is_empty() => match legal_default(spec, space) {
                Ok(space) => Ok((space, launch)),
                Err(error) => Err(vec![error]),
            },
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

/// A narrowed space with a default that is legal wherever the kernel is tuned: of the candidates
/// that keep what the author wrote in `default`, the one that differs least from the generated one.
/// Where none is legal everywhere the default stays as it is.
fn legal_default(spec: &KernelSpec, space: SearchSpace) -> Result<SearchSpace, Diagnostic> {
    let is_narrowed = !spec.space.parameters.is_empty() || !spec.space.constraints.is_empty();
    let Some(default) = space.default.clone().filter(|_| is_narrowed) else { return Ok(space) };
    // What the device decides is not known here.
    let known = |constraint: &&IntegerExpression| {
        !constraint.variables().any(|name| name.starts_with("device."))
    };
    let constraints = space.constraints.iter().filter(known).cloned().collect();
    let portable = SearchSpace::new(space.parameters.clone(), constraints, None)?;
    let tuned = spec.workloads.iter().filter(|workload| workload.role == Role::Tune);
    let scopes = tuned.map(|own| spec.scope(own)).collect::<Result<Vec<_>, _>>()?;
    let breaks = |own: &Candidate| scopes.iter().find_map(|scope| portable.check(own, scope).err());
    let (Some(first), Some(broken)) = (scopes.first(), breaks(&default)) else { return Ok(space) };
    let Ok(legal) = portable.legal(first) else { return Ok(space) };
    let written = spec.space.default.as_ref();
    let keeps = |own: &Candidate| {
        written
            .is_none_or(|written| written.iter().all(|(name, value)| own.get(name) == Some(value)))
    };
    let distance = |own: &Candidate| {
        own.iter().filter(|(name, value)| default.get(name) != Some(value)).count()
    };
    let nearest = legal.candidates().filter(|own| breaks(own).is_none()).min_by_key(|own| {
        // The first of equals: candidates have an order of their own.
        (!keeps(own), distance(own))
    });
    match nearest {
        Some(nearest) if keeps(&nearest) => {
            SearchSpace::new(space.parameters, space.constraints, Some(nearest))
        }
        Some(nearest) => Err(Diagnostic::new(
            "cube.space",
            format!("the default is not legal: {}", broken.message),
        )
        .hint(format!("the nearest legal one is `{nearest}`; or leave `default` out"))),
        None => Ok(space),
    }
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
    for axis in declared::dynamic_axes(spec) {
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
    let fitting = || THREADS.into_iter().filter(|&threads| threads <= most);
    fitting().find(|&threads| enough(threads)).or_else(|| fitting().max()).unwrap_or(8)
}
