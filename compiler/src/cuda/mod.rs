//! The CUDA C++ front end: from a kernel's folder to a [`Unit`], and from a unit to an artifact.

pub(crate) mod compile;
pub(crate) mod headers;
mod log;
pub mod options;
mod ptx;
mod scan;
mod source;
mod spelling;
mod unit;

pub use source::{SourceError, Sources};
pub use spelling::cuda_type;
pub use unit::Unit;
