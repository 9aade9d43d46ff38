//! What instructions compute: forms and semantics of everything that only touches registers.
//!
//! Each module lists its forms and builds, for one instruction, a closure over register rows.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    reason = "bits are cut, extended and compared on purpose: that is what the hardware does"
)]

pub(crate) mod bits;
pub(crate) mod carry;
pub(crate) mod compare;
pub(crate) mod convert;
pub(crate) mod float;
pub(crate) mod half;
pub(crate) mod integer;
pub(crate) mod moves;
pub(crate) mod registers;
pub(crate) mod scalar;
