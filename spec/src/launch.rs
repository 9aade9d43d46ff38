//! Launch configurations: concrete grids, and the arguments in order.

use serde::{Deserialize, Serialize};

use crate::dtype::Dtype;

/// How a kernel is launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchConfig {
    /// Thread blocks, x y z; each at least 1.
    pub grid: [u32; 3],
    /// Threads of a block, x y z; each at least 1.
    pub block: [u32; 3],
    /// Dynamic shared memory of a block, bytes.
    pub shared_memory_bytes: u32,
    /// Blocks of a cluster, x y z, where the launch asks for clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<[u32; 3]>,
    /// Programmatic dependent launch.
    #[serde(default)]
    pub programmatic: bool,
}

impl LaunchConfig {
    /// Blocks of the whole grid.
    pub fn blocks(&self) -> u64 {
        self.grid.iter().map(|&n| u64::from(n)).product()
    }

    /// Threads of one block.
    pub fn threads_per_block(&self) -> u64 {
        self.block.iter().map(|&n| u64::from(n)).product()
    }
}

/// One kernel argument, in the order of the kernel's parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// The device address of the named tensor.
    Tensor {
        /// Name of the input or output.
        name: String,
    },
    /// A scalar input by value.
    Scalar {
        /// Name of the input.
        name: String,
        /// Its type.
        dtype: Dtype,
        /// Its value; integers up to 2^53 are exact.
        value: f64,
    },
    /// An integer (an axis, a parameter or an expression's value), as wide as the kernel's
    /// parameter at that place: 4 or 8 bytes.
    Integer {
        /// The expression it came from.
        name: String,
        /// Its value.
        value: i64,
    },
}
