//! Fusion choices as data: the graph, the sweeps over memory, and the bytes each of them moves.

mod drawing;

use std::collections::BTreeSet;

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::{Instance, KernelSpec};
use ridge_spec::math::{NodeIndex, Op, Program};
use serde::Serialize;

use super::fusion::{Fusion, Sweep};

/// How a spec's math becomes one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The kernel's name.
    pub kernel: String,
    /// Axes that number rows; empty where blocks share one row.
    pub rows: Vec<String>,
    /// The graph's nodes, operands before their users.
    pub nodes: Vec<ExplainedNode>,
    /// Pairs of an operand's number and its user's.
    pub edges: Vec<(usize, usize)>,
    /// The sweeps over a row, in order.
    pub sweeps: Vec<ExplainedSweep>,
    /// The sweeps where maxima and the sums of exponentials below them are made together; empty
    /// where there are none.
    pub online_sweeps: Vec<ExplainedSweep>,
    /// Inputs read once a row, not along it.
    pub once_a_row: Vec<String>,
    /// Outputs of one value a row.
    pub row_outputs: Vec<String>,
    /// What workloads move.
    pub workloads: Vec<ExplainedWorkload>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedNode {
    /// Its number.
    pub id: usize,
    /// What it computes.
    pub operation: String,
    /// The name it is assigned to.
    pub name: Option<String>,
    /// The axes of its value.
    pub axes: Vec<String>,
    /// The first sweep that computes it along the row, from 0; absent for what is known once a row.
    pub sweep: Option<usize>,
    /// The line of the spec where it is written, from 1.
    pub line: u32,
}

/// One going-over of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedSweep {
    /// The axes gone over.
    pub along: Vec<String>,
    /// Inputs that no sweep before has read.
    pub reads: Vec<String>,
    /// Inputs that a sweep before has read: held in registers or shared memory, or read again.
    pub holds: Vec<String>,
    /// Reductions made.
    pub reduces: Vec<String>,
    /// Outputs written.
    pub writes: Vec<String>,
}

/// What a workload moves, bytes of device memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedWorkload {
    /// Its name.
    pub name: String,
    /// By sweep.
    pub sweeps: Vec<ExplainedBytes>,
    /// Moved once a row.
    pub once_a_row: u64,
    /// In all, where rows are held between sweeps.
    pub held_total: u64,
    /// In all, where every sweep reads its inputs again.
    pub reread_total: u64,
    /// The least that any kernel moves.
    pub least: u64,
}

/// What one sweep moves, bytes of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedBytes {
    /// Read for the first time.
    pub read: u64,
    /// Read again where it is not held.
    pub read_again: u64,
    /// Written.
    pub written: u64,
}

/// Explains a spec, with the bytes of these workloads of it.
///
/// # Errors
/// What cannot be fused: see [`Fusion::of`].
pub fn explain(spec: &KernelSpec, instances: &[Instance]) -> Result<Explanation, Vec<Diagnostic>> {
    let fusion = Fusion::of(spec)?;
    let program = fusion.program();
    let graph = program.graph();
    let made = made_in(&fusion);
    let nodes = graph.node_indices().map(|index| {
        let node = &graph[index];
        ExplainedNode {
            id: index.index(),
            operation: node.op.to_string(),
            name: node.name.clone(),
            axes: node.axes.clone(),
            sweep: made[index.index()],
            line: node.location.line,
        }
    });
    let users = graph.node_indices().flat_map(|user| {
        program.operands(user).into_iter().map(move |operand| (operand.index(), user.index()))
    });
    let in_sweeps: BTreeSet<&String> =
        fusion.sweeps.iter().flat_map(|sweep| &sweep.inputs).collect();
    let tensors = program
        .inputs()
        .into_iter()
        .filter(|name| spec.inputs.get(*name).is_some_and(|input| input.shape.is_some()));
    let once: Vec<String> =
        tensors.map(str::to_owned).filter(|name| !in_sweeps.contains(name)).collect();
    let sweeps = explained(program, &fusion.sweeps);
    let output = |number: &usize| program.outputs()[*number].name.clone();
    let row_outputs: Vec<String> = fusion.row_outputs.iter().map(output).collect();
    let workloads =
        instances.iter().map(|instance| workload(instance, &sweeps, &once, &row_outputs)).collect();
    Ok(Explanation {
        kernel: spec.name.to_string(),
        rows: fusion.rows.clone(),
        nodes: nodes.collect(),
        edges: users.collect(),
        online_sweeps: explained(program, &fusion.online_sweeps),
        sweeps,
        once_a_row: once,
        row_outputs,
        workloads,
    })
}

fn explained(program: &Program, sweeps: &[Sweep]) -> Vec<ExplainedSweep> {
    let mut read = BTreeSet::new();
    let mut explained = Vec::new();
    for sweep in sweeps {
        let (holds, reads) = sweep.inputs.iter().cloned().partition(|input| read.contains(input));
        read.extend(sweep.inputs.iter().cloned());
        let shown = |node: &NodeIndex| {
            let node = &program.graph()[*node];
            node.name.clone().unwrap_or_else(|| node.op.to_string())
        };
        explained.push(ExplainedSweep {
            along: sweep.inner.clone(),
            reads,
            holds,
            reduces: sweep.reductions.iter().map(shown).collect(),
            writes: sweep.outputs.iter().map(|&n| program.outputs()[n].name.clone()).collect(),
        });
    }
    explained
}

/// By node: the first sweep that computes it along the row.
fn made_in(fusion: &Fusion) -> Vec<Option<usize>> {
    let program = fusion.program();
    let graph = program.graph();
    let mut made = vec![None; graph.node_count()];
    for (number, sweep) in fusion.sweeps.iter().enumerate() {
        let reduced = sweep.reductions.iter().copied();
        let written = sweep.outputs.iter().map(|&output| program.outputs()[output].node);
        let mut open: Vec<NodeIndex> = reduced.chain(written).collect();
        while let Some(node) = open.pop() {
            let reduces = matches!(graph[node].op, Op::Reduce { .. });
            let along = graph[node].axes.iter().any(|axis| !fusion.rows.contains(axis));
            let own = sweep.reductions.contains(&node);
            if made[node.index()].is_some() || (reduces && !own) || !(along || own) {
                continue;
            }
            made[node.index()] = Some(number);
            open.extend(program.operands(node));
        }
    }
    made
}

fn workload(
    instance: &Instance,
    sweeps: &[ExplainedSweep],
    once: &[String],
    row_outputs: &[String],
) -> ExplainedWorkload {
    let bytes = |names: &[String]| -> u64 {
        let tensors = names.iter().filter_map(|name| instance.tensor(name));
        tensors.map(ridge_spec::kernel::TensorSpec::size_bytes).fold(0, u64::saturating_add)
    };
    let sweeps: Vec<ExplainedBytes> = sweeps
        .iter()
        .map(|sweep| ExplainedBytes {
            read: bytes(&sweep.reads),
            read_again: bytes(&sweep.holds),
            written: bytes(&sweep.writes),
        })
        .collect();
    let once_a_row = bytes(once).saturating_add(bytes(row_outputs));
    let held: u64 = sweeps.iter().map(|sweep| sweep.read + sweep.written).sum();
    let again: u64 = sweeps.iter().map(|sweep| sweep.read_again).sum();
    ExplainedWorkload {
        name: instance.workload().name.clone(),
        sweeps,
        once_a_row,
        held_total: held + once_a_row,
        reread_total: held + again + once_a_row,
        least: instance.bytes_min(),
    }
}
