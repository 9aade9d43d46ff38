//! Whether a kernel's outputs are right.
//!
//! [`verify()`] runs a candidate on a [`Device`](crate::device::Device) and compares what it left
//! with what a [`ReferenceSet`] expects.
//!
//! - [`distribution`], [`inputs`]: seeded inputs, ordinary and hostile.
//! - [`mod@reference`]: tensor math, Python functions and golden files.
//! - [`case`]: inputs with their expected outputs, made once and shared.
//! - [`mod@compare`]: an output against its reference, and the report of what differs where.
//! - [`check`]: all of it together.
//! - [`mod@judge`]: the same for what a GPU left in its memory, zones and inputs included.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    reason = "element counts fit in 64 bits and in memory; values are compared exactly on purpose"
)]

pub mod case;
pub mod check;
pub mod compare;
mod diagnose;
pub mod distribution;
pub mod inputs;
pub mod judge;
pub mod problem;
pub mod reference;
mod region;
mod repeat;
mod resemblance;
mod written;

pub use case::{Case, ReferenceSet};
pub use check::{Launch, OutputSummary, Verdict, VerifyError, VerifyOptions, verify};
pub use compare::{CompareRequest, Comparison, Expected, ExpectedValues, compare};
pub use distribution::Distribution;
pub use judge::{Judgement, judge};
pub use problem::{Problem, ScalarValue, TensorShape};
pub use reference::{Reference, ReferenceError, ReferenceOptions};
