//! The CubeCL front end without a compiler: what it writes, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod explained;
mod golden;
mod library;
mod refusals;
mod support;
mod unforeseen;
