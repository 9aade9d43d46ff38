//! From a PTX module to a program of decoded instructions.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "addresses and constants are kept as bits; sizes are bounded by the reader"
)]

pub(crate) mod address_form;
pub(crate) mod atomic_form;
pub(crate) mod builder;
pub(crate) mod control;
pub(crate) mod form;
pub(crate) mod layout;
pub(crate) mod memory_form;
pub(crate) mod op;
pub(crate) mod pattern;
pub(crate) mod program;
pub(crate) mod warp_form;

pub use form::{SupportedForm, supported_ptx, supported_ptx_markdown};
