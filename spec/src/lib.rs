//! The vocabulary of Ridge.
//!
//! Every other crate speaks in these types: the kernel spec, its search space and candidates,
//! workloads, artifacts, outcomes, tuning records and the matrix derived from them; the two
//! expression languages; and the persisted formats.
//!
//! **Invariant:** nothing here reads a clock, the environment, a process or a GPU, and nothing
//! does IO: readers parse what they are handed.
//!
//! Start at [`kernel::KernelSpec`].

pub mod artifact;
pub mod counters;
pub mod diagnostic;
pub mod digest;
pub mod dtype;
pub mod expression;
pub mod kernel;
pub mod launch;
pub mod math;
pub mod matrix;
pub mod outcome;
pub mod record;
pub mod space;
pub mod suggestion;
pub mod target;
