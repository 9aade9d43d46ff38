//! Global memory: buffers and module variables in one 64-bit address space.

use crate::device::{Buffer, OutputBuffer};

use super::fault::FaultLog;

/// A `.global` or `.const` variable of the module.
#[derive(Clone, Debug)]
pub struct Variable<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Size, bytes.
    pub size: u64,
    /// Alignment, bytes.
    pub align: u64,
    /// Whether a kernel may write it (`.global`) or not (`.const`).
    pub writable: bool,
}

/// Global memory of one launch, shared by its blocks.
#[derive(Debug)]
pub struct GlobalMemory {
    bases: Vec<u64>,
}

impl GlobalMemory {
    /// Lays out the buffers of a launch.
    pub fn new(buffers: &[Buffer]) -> Self {
        Self { bases: (1..=buffers.len() as u64).map(|n| n << 32).collect() }
    }

    /// Address of the buffer at that place in the slice given to [`GlobalMemory::new`].
    pub fn buffer_address(&self, index: usize) -> Option<u64> {
        self.bases.get(index).copied()
    }

    /// Adds a module variable, zeroed, and says where it lies.
    pub fn add_variable(&mut self, variable: &Variable<'_>) -> u64 {
        let _ = variable;
        0
    }

    /// Writes an initialiser's bytes at an address that [`GlobalMemory::add_variable`] gave, or
    /// within its variable. `false` where they do not fit.
    pub fn initialize(&mut self, address: u64, bytes: &[u8]) -> bool {
        let _ = (address, bytes);
        false
    }

    /// Ends the launch: the output buffers in the order they were given. Uninitialised reads of
    /// bytes that another block wrote after all are taken out of `faults`: the race says it.
    pub fn into_outputs(self, faults: &mut FaultLog) -> Vec<OutputBuffer> {
        let _ = faults;
        Vec::new()
    }
}
