//! Turns (spec, candidate, workload, target) into an artifact or a rejection.
//!
//! ```text
//! kernel folder ──► cuda::Sources ─┐
//! entry, options, bindings, target ┴─► cuda::Unit ──► campaign::Compiler ──► Artifact | Rejection
//!                                                       │ cache      │ pool
//!                                                  artifacts/    worker processes ──► NVRTC
//! ```
//!
//! [`toolchain`] finds a CUDA toolkit or installs one; [`cuda`] resolves a kernel's includes and
//! puts the units to compile together; [`campaign`] answers from the [`cache`] or has the
//! [`pool`]'s worker processes compile; [`worker`] is what runs in them.
//!
//! **Invariants.** No device is opened. NVRTC is loaded in worker processes only. The environment
//! is not read: what it says is passed in. What a kernel's source can see is the toolkit's
//! headers and its own folder. The same inputs make the same bytes on every machine, wherever
//! the toolkit and the kernel lie. A candidate that does not compile is a value.

pub mod cache;
pub mod campaign;
pub mod cube;
pub mod cuda;
mod nvrtc;
pub mod pool;
pub mod toolchain;
pub mod worker;

#[cfg(test)]
mod error_tests;
