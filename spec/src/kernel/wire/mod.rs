//! The spec as it is written: one module a schema number.
//!
//! What these modules read is only known to have the right keys and types; [`super::check`] makes
//! it a [`super::KernelSpec`]. Reading goes on after an error, so that a file's errors all come at
//! once: that, and the place of every key and value, is why it walks the parsed document and does
//! not derive `Deserialize`.

mod document;
mod text;
pub(super) mod v1;

pub(super) use document::{Context, Field, Key, Table};
pub(super) use text::Text;
