//! The CUDA C++ front end: from a kernel's folder to a [`Unit`], and from a unit to an artifact.

pub(crate) mod compile;
pub(crate) mod headers;
mod library;
mod log;
pub mod options;
mod ptx;
mod scan;
mod source;
mod spelling;
mod unit;

pub use library::headers_reached;
pub use source::{SourceError, Sources};
pub use spelling::cuda_type;
pub use unit::Unit;
