//! Wires compiler, runtime and autotuner into jobs: check, tune, doctor, report, simulate, gathering
//! what is published, verifying what was.
//!
//! **Invariant:** nothing here prints; jobs answer values and tell an [`event::Observer`] what
//! happens.
//!
//! Start at [`tune::run`].

pub mod answer;
pub mod calibrate;
pub mod check;
mod compilation;
pub mod devices;
pub mod doctor;
pub mod error;
mod evaluate;
pub mod event;
pub mod explain;
pub mod folder;
mod measuring;
mod occupation;
pub mod publish;
pub mod report;
pub mod setup;
pub mod simulate;
pub mod storage;
pub mod target;
mod trials;
pub mod tune;
