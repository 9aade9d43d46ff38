//! What of a graph one kernel does: rows, sweeps over them, and what cannot be fused.
//!
//! A kernel gives every *row* to a group of threads. A row is what the graph's reductions make one
//! value of: its elements run along the *inner* axes, which lie together in memory; the other axes
//! number the rows. The group goes over the row in *sweeps*. Each sweep but the last makes the
//! reductions that need nothing but the sweeps before; the last writes the outputs that have the
//! inner axes. Without reductions there is the last sweep alone, and where every tensor has the
//! same shape, the whole of it is one *flat* row that blocks share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::{KernelSpec, Reference};
use ridge_spec::math::{Binary, NodeIndex, Op, Program, Reduction, Unary};

use super::{moved, refusal};

/// How a graph becomes one kernel.
#[derive(Clone, Debug)]
pub struct Fusion {
    pub(super) program: Arc<Program>,
    /// Axes that number the rows, outermost first.
    pub rows: Vec<String>,
    /// Whether blocks share the only row, and no access needs to know where along an axis it is.
    pub flat: bool,
    /// How the row is gone over, one reduction after the other.
    pub sweeps: Vec<Sweep>,
    /// The same with a maximum and the sum of exponentials below it made in one sweep; empty where
    /// no sum is of that kind.
    pub online_sweeps: Vec<Sweep>,
    /// Sums of exponentials, each with the maximum that is subtracted in it.
    pub(super) online: BTreeMap<NodeIndex, NodeIndex>,
    /// Outputs of one value a row, by number.
    pub row_outputs: Vec<usize>,
    /// Equal parts of the inner axis that a thread works on at the same time.
    pub pieces: u64,
}

/// One going-over of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The axes gone over, outermost first.
    pub inner: Vec<String>,
    /// The reductions made.
    pub(super) reductions: Vec<NodeIndex>,
    /// The outputs written, by number.
    pub outputs: Vec<usize>,
    /// The inputs read that vary along the inner axes, sorted.
    pub inputs: Vec<String>,
    /// The axes of each along which they do.
    pub(super) along: BTreeMap<String, BTreeSet<String>>,
}

impl Fusion {
    /// Finds out how a spec's math becomes one kernel.
    ///
    /// # Errors
    /// What cannot be fused, each with the place in the math and what to write instead; codes
    /// `cube.*`.
    pub fn of(spec: &KernelSpec) -> Result<Self, Vec<Diagnostic>> {
        let Reference::Math(program) = &spec.reference else {
            return Err(vec![refusal::no_math()]);
        };
        let reader = Reader::new(spec, program);
        let errors = reader.unsupported();
        if !errors.is_empty() {
            return Err(errors);
        }
        let fused = reader.fuse().and_then(|fusion| moved::check(program).map(|()| fusion));
        fused.map_err(|error| vec![error])
    }

    /// The graph that is fused.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The axes of the last sweep that has any.
    pub fn inner(&self) -> &[String] {
        self.sweeps.last().map_or(&[], |sweep| &sweep.inner)
    }

    /// Inputs that more than one of these sweeps reads, sorted.
    pub fn held(sweeps: &[Sweep]) -> Vec<String> {
        let mut seen = BTreeMap::<&str, usize>::new();
        for input in sweeps.iter().flat_map(|sweep| &sweep.inputs) {
            *seen.entry(input).or_default() += 1;
        }
        seen.into_iter().filter(|&(_, n)| n > 1).map(|(input, _)| input.to_owned()).collect()
    }
}

impl Fusion {
    /// Inputs that only the last sweep reads and all rows share, sorted.
    pub(super) fn late_inputs(&self, spec: &KernelSpec) -> Vec<String> {
        let Some((last, others)) = self.sweeps.split_last() else { return Vec::new() };
        let shared = |input: &String| {
            let shape = spec.inputs.get(input).and_then(|declared| declared.shape.as_ref());
            shape.is_some_and(|axes| axes.iter().all(|axis| !self.rows.contains(axis)))
        };
        let early = |input: &String| others.iter().any(|sweep| sweep.inputs.contains(input));
        if others.is_empty() {
            return Vec::new();
        }
        last.inputs.iter().filter(|&input| !early(input) && shared(input)).cloned().collect()
    }

    /// How many bytes more than its elements a held input may take in shared memory: each of its
    /// parts begins at a multiple of 16.
    pub(super) fn padding_bytes(&self) -> u64 {
        let same = self.sweeps.iter().all(|sweep| sweep.inner == self.inner());
        if same && self.pieces == 1 { 0 } else { 16 * PARTS_MAX }
    }
}

/// Most parts of a row that a thread works on at the same time.
pub(super) const PARTS_MAX: u64 = 4;

struct Reader<'a> {
    spec: &'a KernelSpec,
    program: &'a Arc<Program>,
    /// The reductions, in evaluation order.
    reductions: Vec<NodeIndex>,
}

impl<'a> Reader<'a> {
    fn new(spec: &'a KernelSpec, program: &'a Arc<Program>) -> Self {
        let graph = program.graph();
        let reduces = |node: &NodeIndex| matches!(graph[*node].op, Op::Reduce { .. });
        Self { spec, program, reductions: graph.node_indices().filter(reduces).collect() }
    }

    fn axes(&self, node: NodeIndex) -> &'a [String] {
        &self.program.graph()[node].axes
    }

    fn reduced(&self, node: NodeIndex) -> &'a [String] {
        match &self.program.graph()[node].op {
            Op::Reduce { axes, .. } => axes,
            _ => &[],
        }
    }

    /// Everything that no kernel can do, whatever the rest is.
    fn unsupported(&self) -> Vec<Diagnostic> {
        let graph = self.program.graph();
        let mut errors = Vec::new();
        for node in graph.node_indices() {
            let expressions = match &graph[node].op {
                Op::Slice { start, end, .. } => vec![start, end],
                Op::Select { position, .. } => vec![position],
                _ => continue,
            };
            for expression in expressions {
                let dynamic = expression.variables().find(|axis| !self.is_known(axis));
                if let Some(axis) = dynamic {
                    errors.push(refusal::dynamic_bound(&graph[node], expression, axis));
                }
            }
        }
        errors
    }

    /// Whether the compiler knows an axis's extent, declared or made by `as`.
    fn is_known(&self, axis: &str) -> bool {
        if self.spec.axes.contains_key(axis) {
            return self.spec.is_specialized(axis);
        }
        let graph = self.program.graph();
        graph.node_weights().any(|node| match &node.op {
            // Its bounds are known, or the graph is refused.
            Op::Slice { name, .. } => name == axis,
            Op::Rename { axis: from, name } => name == axis && self.is_known(from),
            Op::Concat { axes, name } => {
                name == axis && axes.iter().all(|part| self.is_known(part))
            }
            _ => false,
        })
    }

    fn fuse(&self) -> Result<Fusion, Diagnostic> {
        let rows = self.rows()?;
        let graph = self.program.graph();
        for &node in &self.reductions {
            self.check_reduction(node, &rows)?;
        }
        let flat = self.is_flat();
        let rows = if flat { Vec::new() } else { rows };
        let (row_outputs, inner) = self.outputs(&rows)?;
        let online = self.online();
        let sweeps = self.sweeps(&rows, &inner, &BTreeMap::new())?;
        let online_sweeps =
            if online.is_empty() { Vec::new() } else { self.sweeps(&rows, &inner, &online)? };
        for sweep in &sweeps {
            if let Some(axis) = sweep.inner.iter().find(|axis| !flat && !self.is_known(axis)) {
                let node = sweep.reductions.first().copied();
                let node = node.unwrap_or_else(|| self.program.outputs()[sweep.outputs[0]].node);
                return Err(refusal::dynamic_inner(&graph[node], axis));
            }
        }
        let pieces = self.pieces(&sweeps);
        let program = Arc::clone(self.program);
        Ok(Fusion { program, rows, flat, sweeps, online_sweeps, online, row_outputs, pieces })
    }

    /// The axes that number rows: what reductions keep, or all but the last of the outputs' axes.
    fn rows(&self) -> Result<Vec<String>, Diagnostic> {
        let outputs = self.program.outputs();
        let widest = outputs.iter().rev().max_by_key(|output| output.axes.len());
        let Some(widest) = widest else { return Err(refusal::no_output()) };
        if self.reductions.is_empty() {
            let kept = widest.axes.len().saturating_sub(1);
            return Ok(widest.axes[..kept].to_vec());
        }
        let mut kept = BTreeSet::new();
        for &node in &self.reductions {
            let operand = self.program.operands(node)[0];
            let reduced = self.reduced(node);
            kept.extend(self.axes(operand).iter().filter(|axis| !reduced.contains(axis)));
        }
        if kept.is_empty() {
            // What is reduced is the same for every row: each makes it again.
            let is_reduced = |axis: &&String| {
                self.reductions.iter().any(|&node| self.reduced(node).contains(axis))
            };
            let before = widest.axes.iter().take_while(|axis| !is_reduced(axis));
            return Ok(if widest.axes.iter().any(|axis| is_reduced(&axis)) {
                before.cloned().collect()
            } else {
                Vec::new()
            });
        }
        let mut rows: Vec<String> =
            widest.axes.iter().filter(|axis| kept.contains(axis)).cloned().collect();
        rows.extend(kept.into_iter().filter(|axis| !widest.axes.contains(axis)).cloned());
        Ok(rows)
    }

    fn check_reduction(&self, node: NodeIndex, rows: &[String]) -> Result<(), Diagnostic> {
        let graph = self.program.graph();
        let reduced = self.reduced(node);
        if let Some(axis) = reduced.iter().find(|axis| rows.contains(axis)) {
            return Err(refusal::nested_reduction(&graph[node], axis, rows));
        }
        Ok(())
    }

    /// Which outputs have one value a row, and the inner axes of the others.
    fn outputs(&self, rows: &[String]) -> Result<(Vec<usize>, Vec<String>), Diagnostic> {
        let graph = self.program.graph();
        let mut row_outputs = Vec::new();
        let mut inner: Option<(usize, Vec<String>)> = None;
        for (number, output) in self.program.outputs().iter().enumerate() {
            let node = &graph[output.node];
            let own: Vec<String> =
                output.axes.iter().filter(|axis| !rows.contains(axis)).cloned().collect();
            if let Some(missing) = rows.iter().find(|axis| !output.axes.contains(axis)) {
                return Err(refusal::missing_row(node, &output.name, missing));
            }
            if own.is_empty() && !(rows.is_empty() && self.reductions.is_empty()) {
                row_outputs.push(number);
                continue;
            }
            if output.axes[rows.len()..] != own[..] {
                return Err(refusal::inner_order(node, &output.name, &own, rows));
            }
            match &inner {
                Some((first, axes)) if *axes != own => {
                    let first = &self.program.outputs()[*first];
                    return Err(refusal::different_outputs(node, &output.name, &first.name));
                }
                Some(_) => {}
                None => inner = Some((number, own)),
            }
        }
        Ok((row_outputs, inner.map_or_else(Vec::new, |(_, axes)| axes)))
    }

    /// Axes in the order in which an input has them, where one has them all.
    fn in_layout_order(&self, axes: &[String]) -> Vec<String> {
        let mut shapes = self.spec.inputs.values().filter_map(|input| input.shape.as_ref());
        let shape = shapes.find(|shape| axes.iter().all(|axis| shape.contains(axis)));
        match shape {
            Some(shape) => shape.iter().filter(|axis| axes.contains(axis)).cloned().collect(),
            None => axes.to_vec(),
        }
    }

    /// Whether every tensor has all axes of the outputs in their order, so that the same place is
    /// the same offset everywhere.
    fn is_flat(&self) -> bool {
        let graph = self.program.graph();
        let Some(first) = self.program.outputs().first() else { return false };
        let domain = &first.axes;
        let fits = |op: &Op| match op {
            Op::Input(name) => {
                let shape = self.spec.inputs.get(name).and_then(|input| input.shape.as_ref());
                shape.is_none_or(|axes| axes.is_empty() || axes == domain)
            }
            Op::Constant(_) | Op::Extent(_) | Op::Broadcast { .. } => true,
            op => op.is_elementwise(),
        };
        self.program.outputs().iter().all(|output| output.axes == *domain)
            && graph.node_weights().all(|node| fits(&node.op))
    }

    /// Sums of `exp(e - max(e))`.
    fn online(&self) -> BTreeMap<NodeIndex, NodeIndex> {
        let graph = self.program.graph();
        let mut found = BTreeMap::new();
        for &sum in &self.reductions {
            let Op::Reduce { function: Reduction::Sum, axes } = &graph[sum].op else { continue };
            let exponential = self.program.operands(sum)[0];
            let Op::Unary(Unary::Exp) = graph[exponential].op else { continue };
            let difference = self.program.operands(exponential)[0];
            let Op::Binary(Binary::Subtract) = graph[difference].op else { continue };
            let [value, maximum] = self.program.operands(difference)[..] else { continue };
            let Op::Reduce { function: Reduction::Max, axes: over } = &graph[maximum].op else {
                continue;
            };
            if axes == over && self.program.operands(maximum)[0] == value {
                found.insert(sum, maximum);
            }
        }
        found
    }

    /// The sweeps, where sums in `online` are made together with their maxima.
    fn sweeps(
        &self,
        rows: &[String],
        inner: &[String],
        online: &BTreeMap<NodeIndex, NodeIndex>,
    ) -> Result<Vec<Sweep>, Diagnostic> {
        let graph = self.program.graph();
        // How many sweeps a value waits for.
        let mut ready = vec![0_usize; graph.node_count()];
        let mut sweeps: Vec<Sweep> = Vec::new();
        for node in graph.node_indices() {
            let operands = self.program.operands(node);
            let below = operands.iter().map(|operand| ready[operand.index()]).max().unwrap_or(0);
            let Op::Reduce { axes, .. } = &graph[node].op else {
                ready[node.index()] = below;
                continue;
            };
            let at = match online.get(&node) {
                Some(maximum) => ready[maximum.index()] - 1,
                None => below,
            };
            ready[node.index()] = at + 1;
            let own = self.in_layout_order(axes);
            while sweeps.len() <= at {
                sweeps.push(Sweep {
                    inner: own.clone(),
                    reductions: Vec::new(),
                    outputs: Vec::new(),
                    inputs: Vec::new(),
                    along: BTreeMap::new(),
                });
            }
            if sweeps[at].inner != own {
                let first = sweeps[at].reductions.first().map(|&first| &graph[first]);
                if let Some(first) = first {
                    return Err(refusal::different_reductions(&graph[node], &own, first));
                }
                sweeps[at].inner.clone_from(&own);
            }
            sweeps[at].reductions.push(node);
        }
        let wide = |number: &usize| {
            let output = &self.program.outputs()[*number];
            output.axes.len() > rows.len() || (rows.is_empty() && self.reductions.is_empty())
        };
        let outputs: Vec<usize> = (0..self.program.outputs().len()).filter(wide).collect();
        if !outputs.is_empty() {
            let inner = inner.to_vec();
            let (reductions, inputs, along) = (Vec::new(), Vec::new(), BTreeMap::new());
            sweeps.push(Sweep { inner, reductions, outputs, inputs, along });
        }
        for sweep in &mut sweeps {
            sweep.along = self.inputs_of(sweep);
            sweep.inputs = sweep.along.keys().cloned().collect();
            self.check_layout(sweep, rows)?;
        }
        Ok(sweeps)
    }

    /// Refuses a sweep across rows that lie behind each other in memory.
    fn check_layout(&self, sweep: &Sweep, rows: &[String]) -> Result<(), Diagnostic> {
        let graph = self.program.graph();
        for (input, along) in &sweep.along {
            let shape = self.spec.inputs.get(input).and_then(|input| input.shape.as_deref());
            let shape = shape.unwrap_or_default();
            let last = shape.iter().rposition(|axis| !along.contains(axis) && rows.contains(axis));
            let first = shape.iter().position(|axis| along.contains(axis));
            if let (Some(first), Some(last)) = (first, last)
                && first < last
            {
                let node = sweep.reductions.first().copied();
                let node = node.unwrap_or_else(|| self.program.outputs()[sweep.outputs[0]].node);
                let outer = &shape[first];
                return Err(refusal::outer_axis(&graph[node], outer, input, &shape[last]));
            }
        }
        Ok(())
    }

    /// The inputs that a sweep reads along its inner axes, each with its axes that change.
    fn inputs_of(&self, sweep: &Sweep) -> BTreeMap<String, BTreeSet<String>> {
        let graph = self.program.graph();
        let inner: BTreeSet<&str> = sweep.inner.iter().map(String::as_str).collect();
        let reduced = sweep.reductions.iter().map(|&node| self.program.operands(node)[0]);
        let written = sweep.outputs.iter().map(|&number| self.program.outputs()[number].node);
        let mut open: Vec<(NodeIndex, BTreeSet<&str>)> =
            reduced.chain(written).map(|node| (node, inner.clone())).collect();
        let mut seen = BTreeSet::new();
        let mut inputs = BTreeMap::<String, BTreeSet<String>>::new();
        while let Some((node, along)) = open.pop() {
            if !seen.insert((node, along.clone())) {
                continue;
            }
            let operands = self.program.operands(node);
            let mut follow = |operand: NodeIndex, along: BTreeSet<&'a str>| {
                open.push((operand, along));
            };
            let along_own: BTreeSet<&'a str> = self
                .axes(node)
                .iter()
                .map(String::as_str)
                .filter(|axis| along.contains(axis))
                .collect();
            let replaced = |name: &str, axis: &'a str| {
                let mut replaced = along_own.clone();
                if replaced.remove(name) {
                    replaced.insert(axis);
                }
                replaced
            };
            match &graph[node].op {
                Op::Input(name) => {
                    if !along_own.is_empty() || (sweep.inner.is_empty() && self.is_tensor(name)) {
                        let axes = along_own.iter().map(|&axis| axis.to_owned());
                        inputs.entry(name.clone()).or_default().extend(axes);
                    }
                }
                // Its value is there already.
                Op::Reduce { .. } => {}
                Op::Slice { axis, name, .. } | Op::Rename { axis, name } => {
                    follow(operands[0], replaced(name, axis));
                }
                Op::Take { axis } => {
                    let mut along = along_own.clone();
                    let index_axes = self.axes(operands[1]);
                    if index_axes.iter().any(|axis| along.contains(axis.as_str())) {
                        along.insert(axis);
                    }
                    follow(operands[0], along);
                    follow(operands[1], along_own);
                }
                Op::Concat { axes, name } => {
                    for (&operand, axis) in operands.iter().zip(axes) {
                        follow(operand, replaced(name, axis));
                    }
                }
                _ => operands.iter().for_each(|&operand| follow(operand, along_own.clone())),
            }
        }
        inputs
    }

    fn is_tensor(&self, name: &str) -> bool {
        self.spec.inputs.get(name).is_some_and(|input| input.shape.is_some())
    }

    /// Into how many equal parts concatenation along the inner axis cuts it, where it does.
    fn pieces(&self, sweeps: &[Sweep]) -> u64 {
        let Some([inner]) = sweeps.last().map(|sweep| &sweep.inner[..]) else { return 1 };
        let parts = self.program.graph().node_weights().filter_map(|node| match &node.op {
            Op::Concat { axes, name } if name == inner => {
                let equal = axes.iter().all(|axis| *axis == axes[0]);
                Some(if equal { axes.len() as u64 } else { 1 })
            }
            _ => None,
        });
        let parts: BTreeSet<u64> = parts.collect();
        match parts.into_iter().collect::<Vec<_>>()[..] {
            [parts] if parts <= PARTS_MAX => parts,
            _ => 1,
        }
    }
}
