//! From an execution's arguments to what a launch starts with: parameters, variables, blocks.

use std::sync::Arc;

use super::decode::program::Program;
use super::machine::LaunchValues;
use super::memory::{CLUSTER_BLOCKS_MAX, GlobalMemory, LOCAL_WINDOW, SHARED_WINDOW, Variable};
use super::ptx::{Bounds, GlobalId, Module, Relocation, Space, SymbolRef};
use crate::arguments;
use crate::device::{BlockSelection, DeviceError, Execution};

/// Threads a block may have, on every architecture.
const THREADS_PER_BLOCK_MAX: u64 = 1024;
/// Shared memory a block may have on any architecture, bytes.
const SHARED_BYTES_MAX: u64 = 232_448;
/// The first compute capability with clusters.
const CLUSTERS_FROM: u16 = 90;
/// Longest constant string kept for the text of assertions, bytes.
const STRING_BYTES_MAX: u64 = 4096;

/// Checks the launch against what every device and this kernel allow.
pub(super) fn check(execution: &Execution<'_>, program: &Program) -> Result<(), DeviceError> {
    let launch = &execution.launch;
    let invalid = |reason: String| {
        let entry = execution.artifact.manifest.entry_symbol.clone();
        Err(DeviceError::InvalidExecution { entry, reason })
    };
    if launch.grid.contains(&0) || launch.block.contains(&0) {
        return invalid("a grid or block extent is 0".to_owned());
    }
    let threads = launch.threads_per_block();
    if threads > THREADS_PER_BLOCK_MAX {
        return invalid(format!("a block of {threads} threads is larger than 1024"));
    }
    let shared = shared_bytes(execution, program);
    if shared > SHARED_BYTES_MAX {
        return invalid(format!("{shared} bytes of shared memory are more than a block can have"));
    }
    if let Err(reason) = check_cluster(execution, program) {
        return invalid(reason);
    }
    let Some(bounds) = bounds(program) else { return Ok(()) };
    if let Some(required) = bounds.required_threads.filter(|one| *one != launch.block) {
        return invalid(format!(
            "the kernel requires blocks of {required:?} threads, not {:?}",
            launch.block
        ));
    }
    let most = bounds.max_threads.map(|one| one.iter().map(|&n| u64::from(n)).product::<u64>());
    match most.filter(|most| threads > *most) {
        Some(most) => {
            invalid(format!("a block of {threads} threads where the kernel allows {most}"))
        }
        None => Ok(()),
    }
}

fn bounds(program: &Program) -> Option<&Bounds> {
    let function = program.functions.first().and_then(|one| program.function(one));
    function.map(|function| &function.bounds)
}

/// Blocks of a cluster, where the launch or the kernel asks for clusters.
fn cluster(execution: &Execution<'_>, program: &Program) -> Option<[u32; 3]> {
    let required = bounds(program).and_then(|bounds| bounds.required_cluster);
    execution.launch.cluster.or(required)
}

/// Checks the launch's clusters against what the architecture, the grid and the kernel allow.
fn check_cluster(execution: &Execution<'_>, program: &Program) -> Result<(), String> {
    let asked = execution.launch.cluster;
    if let Some(bounds) = bounds(program) {
        if let (Some(required), Some(asked)) = (bounds.required_cluster, asked)
            && required != asked
        {
            return Err(format!("the kernel requires clusters of {required:?}, not {asked:?}"));
        }
        if bounds.explicit_cluster && bounds.required_cluster.or(asked).is_none() {
            return Err("the kernel requires a launch with clusters".to_owned());
        }
        let n_blocks = blocks(cluster(execution, program).unwrap_or([1; 3]));
        if let Some(most) = bounds.max_cluster_rank.filter(|most| u64::from(*most) < n_blocks) {
            return Err(format!("a cluster of {n_blocks} blocks where the kernel allows {most}"));
        }
    }
    let Some(size) = cluster(execution, program) else { return Ok(()) };
    let target = execution.artifact.manifest.target;
    // A block alone is a cluster everywhere.
    if target.capability() < CLUSTERS_FROM && size != [1; 3] {
        return Err(format!("`{target}` has no clusters"));
    }
    if size.contains(&0) {
        return Err("a cluster extent is 0".to_owned());
    }
    let n_blocks = blocks(size);
    if n_blocks > CLUSTER_BLOCKS_MAX as u64 {
        return Err(format!("a cluster of {n_blocks} blocks is larger than {CLUSTER_BLOCKS_MAX}"));
    }
    let grid = execution.launch.grid;
    if grid.iter().zip(size).any(|(grid, size)| !grid.is_multiple_of(size)) {
        return Err(format!("clusters of {size:?} do not divide a grid of {grid:?}"));
    }
    Ok(())
}

fn blocks(extents: [u32; 3]) -> u64 {
    extents.iter().map(|&n| u64::from(n)).fold(1, u64::saturating_mul)
}

fn shared_bytes(execution: &Execution<'_>, program: &Program) -> u64 {
    program.layout.shared_static_bytes + u64::from(execution.launch.shared_memory_bytes)
}

/// The kernel's parameters as bytes.
fn parameters(
    execution: &Execution<'_>,
    program: &Program,
    memory: &GlobalMemory,
) -> Result<Vec<u8>, String> {
    let places = program.functions.first().map_or(&[][..], |one| &one.frame.parameters);
    let sizes = places.iter().map(|(_, bytes)| *bytes as usize);
    let values = arguments::encode(execution.arguments, sizes, |name| {
        let index = execution.buffers.iter().position(|buffer| buffer.name == *name)?;
        memory.buffer_address(index)
    })?;
    let size = places.iter().map(|(offset, bytes)| offset + bytes).max().unwrap_or(0);
    let mut block = vec![0; size as usize];
    for (value, (offset, bytes)) in values.iter().zip(places) {
        let bytes = *bytes as usize;
        block[*offset as usize..][..bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    }
    Ok(block)
}

/// Lays out module variables and parameters.
///
/// # Errors
/// When the arguments do not fit the kernel's parameters.
pub(super) fn values(
    execution: &Execution<'_>,
    program: &Program,
    memory: &mut GlobalMemory,
) -> Result<LaunchValues, DeviceError> {
    let variables = place_variables(program, memory);
    let parameters = parameters(execution, program, memory).map_err(|reason| {
        let entry = execution.artifact.manifest.entry_symbol.clone();
        DeviceError::InvalidExecution { entry, reason }
    })?;
    Ok(LaunchValues {
        launch: execution.launch,
        cluster: cluster(execution, program).unwrap_or([1; 3]),
        is_explicit_cluster: cluster(execution, program).is_some(),
        parameters,
        strings: strings(program, &variables),
        variables,
        shared_bytes: u32::try_from(shared_bytes(execution, program)).unwrap_or(u32::MAX),
    })
}

fn place_variables(program: &Program, memory: &mut GlobalMemory) -> Vec<u64> {
    let module = &program.module;
    let mut addresses = vec![0; module.globals.len()];
    let mut placed = Vec::new();
    for id in &program.globals {
        let Some(variable) = module.globals.get(id.0 as usize) else { continue };
        if !matches!(variable.space, Space::Global | Space::Const) {
            continue;
        }
        let address = memory.add_variable(&Variable {
            name: &variable.name,
            size: variable.bytes,
            align: u64::from(variable.align.max(1)),
            writable: variable.space == Space::Global,
        });
        addresses[id.0 as usize] = address;
        placed.push((*id, address));
    }
    for (id, address) in placed {
        initialize(module, id, address, &addresses, program, memory);
    }
    addresses
}

/// Writes a variable's initial bytes, addresses filled in. One that is not initialised is zero.
fn initialize(
    module: &Module,
    id: GlobalId,
    address: u64,
    addresses: &[u64],
    program: &Program,
    memory: &mut GlobalMemory,
) {
    let Some(variable) = module.globals.get(id.0 as usize) else { return };
    let mut image = variable.initial_image();
    for relocation in &image.relocations {
        let value = relocated(relocation, addresses, program);
        let start = usize::try_from(relocation.offset).unwrap_or(usize::MAX);
        let width = relocation.width as usize;
        let place = start.checked_add(width).and_then(|end| image.bytes.get_mut(start..end));
        if let Some(place) = place {
            place.copy_from_slice(&value.to_le_bytes()[..width.min(8)]);
        }
    }
    memory.initialize(address, &image.bytes);
}

#[expect(clippy::cast_sign_loss, reason = "an addend is added as bits")]
fn relocated(relocation: &Relocation, addresses: &[u64], program: &Program) -> u64 {
    let start = match relocation.symbol {
        SymbolRef::Global(id) => match program.layout.shared_global(id) {
            Some(offset) if relocation.generic => SHARED_WINDOW + offset,
            Some(offset) => offset,
            None => addresses.get(id.0 as usize).copied().unwrap_or(0),
        },
        SymbolRef::Function(id) => super::decode::layout::Layout::function_address(id),
        SymbolRef::Local(_) => LOCAL_WINDOW,
    };
    let masked = start.wrapping_add(relocation.addend as u64) & relocation.mask;
    masked >> relocation.mask.trailing_zeros().min(63)
}

/// Initialised byte arrays: what assertions print.
fn strings(program: &Program, addresses: &[u64]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    for id in &program.globals {
        let Some(variable) = program.module.globals.get(id.0 as usize) else { continue };
        let text = variable.element.bytes() == 1
            && !variable.initialiser.is_empty()
            && variable.bytes <= STRING_BYTES_MAX;
        if let Some(address) = addresses.get(id.0 as usize).filter(|_| text) {
            found.push((*address, variable.initial_image().bytes));
        }
    }
    found
}

/// The blocks or clusters to run, ascending: whichever are resident on their own.
pub(super) enum Units {
    /// All of that many.
    All(u64),
    /// These.
    Some(Arc<[u64]>),
}

impl Units {
    /// What a selection means for a launch of `total` blocks, `together` of which make a unit: of a
    /// sample, the units that hold that many blocks.
    pub(super) fn new(selection: BlockSelection, total: u64, together: u64) -> Self {
        let units = total / together.max(1);
        let BlockSelection::Sampled(n_blocks) = selection else { return Self::All(units) };
        let count = u64::from(n_blocks.max(1)).div_ceil(together.max(1));
        if count >= units {
            return Self::All(units);
        }
        if count == 1 {
            return Self::Some(Arc::new([0]));
        }
        let last = u128::from(units - 1);
        let at = |k: u64| u128::from(k) * last / u128::from(count - 1);
        let list: Vec<u64> = (0..count).filter_map(|k| u64::try_from(at(k)).ok()).collect();
        Self::Some(list.into())
    }

    /// How many.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::All(total) => *total,
            Self::Some(list) => list.len() as u64,
        }
    }

    /// The linear index of the `position`-th.
    pub(super) fn get(&self, position: u64) -> Option<u64> {
        match self {
            Self::All(total) => (position < *total).then_some(position),
            Self::Some(list) => list.get(usize::try_from(position).ok()?).copied(),
        }
    }
}
