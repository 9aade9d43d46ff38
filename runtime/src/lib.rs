//! Devices, measurement and verification.
//!
//! **Invariant:** nothing here searches, and only `cuda/` may contain `unsafe`.
//!
//! Start at [`device::Device`].

mod arguments;
pub mod conformance;
pub mod cuda;
pub mod device;
pub mod emulator;
pub mod measure;
pub mod numeric;
pub mod profiles;
pub mod verify;
pub mod worker;
