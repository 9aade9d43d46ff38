//! Numbers as the hardware has them: formats, conversions, arithmetic with one rounding, and the
//! approximate functions of PTX.
//!
//! Everything here is a pure scalar function of bits. The hot ones are branch-light, so that a loop
//! over 32 lanes vectorises.
//!
//! - [`mod@format`]: narrow binary formats and rounding into them, in every direction.
//! - [`convert`]: what PTX's `cvt` does.
//! - [`arith`]: add, multiply, fused multiply-add, divide and square root with one rounding.
//! - [`approx`]: `ex2.approx` and its family, with the special cases of the ISA's tables.
//! - [`codec`]: tensors' bytes to `f64` and back, by dtype.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    reason = "bit patterns are cut and compared on purpose: that is what the hardware does"
)]

pub mod approx;
pub mod arith;
pub mod codec;
pub mod convert;
pub mod format;

#[cfg(test)]
mod tests;

pub use codec::{decode_element, decode_slice, encode_element, encode_slice};
pub use format::{FloatFormat, Overflow, Rounding};
