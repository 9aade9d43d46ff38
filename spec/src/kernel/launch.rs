//! From a candidate to a launch.

use super::{Instance, KernelSpec};
use crate::diagnostic::Diagnostic;
use crate::expression::{IntegerExpression, Scope};
use crate::launch::{Argument, LaunchConfig};
use crate::outcome::{Rejection, Resource};
use crate::space::Candidate;

/// Most blocks of a grid, x y z (CUDA C++ Programming Guide, "Compute Capabilities": the same for
/// every architecture since 3.0).
pub const GRID_LIMITS: [u32; 3] = [2_147_483_647, 65_535, 65_535];

/// Most threads of a block along x y z (same source); the product has a limit of its own.
pub const BLOCK_LIMITS: [u32; 3] = [1024, 1024, 64];

/// How a kernel is launched: expressions over axes, types, parameters and the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchRule {
    /// In the order of the kernel's parameters.
    pub arguments: Vec<LaunchArgument>,
    /// Thread blocks along x, and where given y and z.
    pub grid: Vec<IntegerExpression>,
    /// Threads of a block along x, and where given y and z.
    pub block: Vec<IntegerExpression>,
    /// Dynamic shared memory of a block, bytes; none where absent.
    pub shared_memory_bytes: Option<IntegerExpression>,
    /// Blocks of a cluster along x, and where given y and z; no clusters where absent, or of one block.
    pub cluster: Option<Vec<IntegerExpression>>,
    /// Programmatic dependent launch where this is not 0.
    pub programmatic: Option<IntegerExpression>,
}

/// One argument of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchArgument {
    /// The address of an input or output.
    Tensor(String),
    /// A scalar input's value.
    Scalar(String),
    /// An integer: an axis, a parameter, or more than that.
    Integer(IntegerExpression),
}

impl LaunchArgument {
    /// How the spec writes it.
    pub fn text(&self) -> &str {
        match self {
            Self::Tensor(name) | Self::Scalar(name) => name,
            Self::Integer(expression) => expression.text(),
        }
    }
}

/// A launch with every number known.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchPlan {
    /// Grid, block, cluster and shared memory.
    pub config: LaunchConfig,
    /// In the order of the kernel's parameters.
    pub arguments: Vec<Argument>,
}

impl KernelSpec {
    /// The launch of a candidate.
    ///
    /// # Errors
    /// [`Rejection::Resources`] where the launch needs more than the device has of blocks, threads
    /// or shared memory; [`Rejection::Launch`] where a size is 0, negative or no number, and for a
    /// generated kernel, whose launch comes with its source.
    pub fn launch(
        &self,
        instance: &Instance,
        candidate: &Candidate,
    ) -> Result<LaunchPlan, Rejection> {
        let Some(rule) = &self.launch else {
            return Err(refuse(format!("`{}` has no launch rule", self.name)));
        };
        let scope = instance.scope().with(candidate.iter());
        let limits = instance.limits();
        let grid = sizes("grid", &rule.grid, &scope)?;
        for (size, limit) in grid.into_iter().zip(GRID_LIMITS) {
            within(Resource::GridBlocks, size, limit)?;
        }
        let block = sizes("block", &rule.block, &scope)?;
        let threads = block.iter().try_fold(1i64, |n, size| n.checked_mul(*size));
        within(Resource::ThreadsPerBlock, threads.unwrap_or(i64::MAX), limits.threads_per_block)?;
        for ((size, limit), axis) in block.into_iter().zip(BLOCK_LIMITS).zip(["x", "y", "z"]) {
            if size > i64::from(limit) {
                let message = format!("`block` is {size} along {axis}, and {limit} is the most");
                return Err(refuse(message));
            }
        }
        let cluster = match &rule.cluster {
            Some(cluster) => cluster_sizes(cluster, grid, instance, &scope)?,
            None => None,
        };
        let shared_memory_bytes = match &rule.shared_memory_bytes {
            Some(expression) => integer(expression, &scope)?,
            None => 0,
        };
        if shared_memory_bytes < 0 {
            let message = format!("`shared_memory_bytes` is {shared_memory_bytes}");
            return Err(refuse(message));
        }
        let shared_limit = limits.shared_memory_per_block_bytes;
        within(Resource::SharedMemoryPerBlock, shared_memory_bytes, shared_limit)?;
        let programmatic = match &rule.programmatic {
            Some(expression) => integer(expression, &scope)? != 0,
            None => false,
        };
        let config = LaunchConfig {
            grid: grid.map(narrow),
            block: block.map(narrow),
            shared_memory_bytes: narrow(shared_memory_bytes),
            cluster,
            programmatic,
        };
        let argument = |argument: &LaunchArgument| argument_value(argument, instance, &scope);
        let arguments = rule.arguments.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
        Ok(LaunchPlan { config, arguments })
    }
}

fn argument_value(
    argument: &LaunchArgument,
    instance: &Instance,
    scope: &Scope,
) -> Result<Argument, Rejection> {
    match argument {
        LaunchArgument::Tensor(name) => Ok(Argument::Tensor { name: name.clone() }),
        LaunchArgument::Scalar(name) => {
            let scalar = instance.scalars().iter().find(|scalar| scalar.name == *name);
            let Some(scalar) = scalar else {
                return Err(refuse(format!("the argument `{name}` has no value")));
            };
            Ok(Argument::Scalar { name: name.clone(), dtype: scalar.dtype, value: scalar.value })
        }
        LaunchArgument::Integer(expression) => Ok(Argument::Integer {
            name: expression.text().to_owned(),
            value: integer(expression, scope)?,
        }),
    }
}

/// `None` for clusters of one block: a device without clusters runs them, but not a launch that
/// asks for them.
fn cluster_sizes(
    expressions: &[IntegerExpression],
    grid: [i64; 3],
    instance: &Instance,
    scope: &Scope,
) -> Result<Option<[u32; 3]>, Rejection> {
    let cluster = sizes("cluster", expressions, scope)?;
    let blocks = cluster.iter().try_fold(1i64, |n, size| n.checked_mul(*size));
    let limit = instance.limits().cluster_blocks;
    within(Resource::ClusterBlocks, blocks.unwrap_or(i64::MAX), limit)?;
    for (axis, (size, blocks)) in ["x", "y", "z"].into_iter().zip(cluster.into_iter().zip(grid)) {
        if blocks % size != 0 {
            return Err(refuse(format!(
                "`grid` is {blocks} along {axis}, which clusters of {size} do not divide"
            )));
        }
    }
    Ok((blocks != Some(1)).then(|| cluster.map(narrow)))
}

/// Sizes along x y z, each at least 1; 1 where the rule gives none.
fn sizes(
    what: &str,
    expressions: &[IntegerExpression],
    scope: &Scope,
) -> Result<[i64; 3], Rejection> {
    let mut sizes = [1; 3];
    for ((size, expression), axis) in sizes.iter_mut().zip(expressions).zip(["x", "y", "z"]) {
        *size = integer(expression, scope)?;
        if *size < 1 {
            return Err(refuse(format!("`{what}` is {size} along {axis}: `{expression}`")));
        }
    }
    Ok(sizes)
}

fn integer(expression: &IntegerExpression, scope: &Scope) -> Result<i64, Rejection> {
    expression.integer(scope).map_err(|diagnostic: Diagnostic| refuse(diagnostic.message))
}

fn refuse(message: String) -> Rejection {
    Rejection::Launch { message }
}

fn within(resource: Resource, required: i64, limit: u32) -> Result<(), Rejection> {
    if required <= i64::from(limit) {
        return Ok(());
    }
    let required = required.unsigned_abs();
    Err(Rejection::Resources { resource, required, limit: u64::from(limit) })
}

/// A size that was checked against a limit of 32 bits.
fn narrow(size: i64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
