//! The emulator: runs the PTX a kernel would ship and checks every access.
//!
//! Text goes through [`ptx`] to a typed module, through `decode` to a program of closures over
//! register rows, and `machine` runs that a warp at a time over [`memory`], which checks and counts
//! every access. What is not in the table of forms ([`supported_ptx`]) is refused when a kernel
//! that uses it is loaded.

mod alu;
mod decode;
mod device;
mod launch;
mod machine;
pub mod memory;
pub mod ptx;
mod report;
#[cfg(test)]
mod tests;

pub use decode::{SupportedForm, supported_ptx, supported_ptx_markdown};
pub use device::{Emulator, EmulatorOptions};
pub(crate) use report::{sort as sort_findings, unwritten as unwritten_output};
