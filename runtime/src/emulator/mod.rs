//! The emulator: runs the PTX a kernel would ship and checks every access.

pub mod memory;
pub mod ptx;
