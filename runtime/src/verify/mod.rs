//! Whether a kernel's outputs are right.
//!
//! - [`inputs`]: seeded inputs, ordinary and hostile.
//! - [`compare`]: an output against its reference, and the report of what differs where.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    reason = "element counts fit in 64 bits and in memory; values are compared exactly on purpose"
)]

pub mod compare;
mod diagnose;
mod region;
mod resemblance;
mod written;
