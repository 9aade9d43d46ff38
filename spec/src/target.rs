//! What we compile for, and what is known of the device it stands for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A GPU architecture as NVRTC names it, such as `sm_90a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Architecture {
    /// Ten times the major plus the minor compute capability: 90 for 9.0.
    capability: u16,
    /// Whether architecture-specific instructions are allowed (the `a` suffix).
    specific: bool,
}

impl Architecture {
    /// Reads `sm_90` or `sm_90a`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sm_")?;
        let (digits, specific) = match digits.strip_suffix('a') {
            Some(rest) => (rest, true),
            None => (digits, false),
        };
        if digits.len() < 2 || digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { capability: digits.parse().ok()?, specific })
    }

    /// Ten times the major plus the minor compute capability.
    pub const fn capability(self) -> u16 {
        self.capability
    }

    /// Whether it has instructions of its own (the `a` suffix), and so runs nowhere else.
    pub const fn is_specific(self) -> bool {
        self.specific
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sm_{}{}", self.capability, if self.specific { "a" } else { "" })
    }
}

impl Serialize for Architecture {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is not an architecture like `sm_90a`"))
        })
    }
}

/// The hard limits of an architecture that decide whether a launch is legal and how many blocks
/// fit on one multiprocessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceLimits {
    /// Threads a block may have.
    pub threads_per_block: u32,
    /// Resident threads of one multiprocessor.
    pub threads_per_multiprocessor: u32,
    /// Resident blocks of one multiprocessor.
    pub blocks_per_multiprocessor: u32,
    /// 32-bit registers of one multiprocessor.
    pub registers_per_multiprocessor: u32,
    /// 32-bit registers a thread may have.
    pub registers_per_thread: u32,
    /// Registers are handed to a warp in units of this many.
    pub register_allocation_unit: u32,
    /// Shared memory of one multiprocessor, bytes.
    pub shared_memory_per_multiprocessor_bytes: u32,
    /// Shared memory one block may have after opting in, bytes.
    pub shared_memory_per_block_bytes: u32,
    /// Shared memory the driver keeps for itself in each block, bytes.
    pub shared_memory_reserved_per_block_bytes: u32,
    /// Blocks a cluster may have without a special attribute.
    pub cluster_blocks: u32,
    /// Threads a warp has.
    pub warp_size: u32,
}

/// What is known of one device model: limits, rates, and where each number comes from.
///
/// Bandwidths are bytes per second, times nanoseconds, clocks hertz.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceProfile {
    /// Format of the file.
    pub schema: u32,
    /// Short name, such as `h200`; what `--target` takes.
    pub name: String,
    /// The vendor's name of the board, as the driver reports it.
    pub device: String,
    /// What its kernels are compiled for.
    pub architecture: Architecture,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Hard limits.
    pub limits: DeviceLimits,
    /// Device memory and second-level cache.
    pub memory: MemoryProfile,
    /// Rates of one multiprocessor.
    pub multiprocessor: MultiprocessorProfile,
    /// Costs of starting and synchronising.
    pub launch: LaunchProfile,
    /// Where each number comes from: `section.field` to a source or `measured` with its date.
    pub sources: std::collections::BTreeMap<String, String>,
}

impl DeviceProfile {
    /// Its identity: two profiles with the same numbers and sources have the same.
    pub fn digest(&self) -> Digest {
        // Fields in declared order and a sorted map: one text for one profile.
        let text = serde_json::to_string(self).unwrap_or_default();
        Digest::of(text.as_bytes())
    }
}

/// Rates of device memory and of the second-level cache.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryProfile {
    /// The data sheet's bandwidth, bytes per second: the roofline's floor is never above it.
    pub peak_bandwidth: f64,
    /// Sustained bandwidth of a pure read.
    pub read_bandwidth: f64,
    /// Sustained bandwidth of a pure write.
    pub write_bandwidth: f64,
    /// Sustained bandwidth of a copy, bytes read plus bytes written.
    pub copy_bandwidth: f64,
    /// Latency of a load that misses every cache under load, nanoseconds.
    pub latency_ns: f64,
    /// Capacity of the second-level cache that one kernel can use, bytes.
    pub l2_capacity_bytes: u64,
    /// Read bandwidth of the second-level cache.
    pub l2_bandwidth: f64,
}

/// Rates of one multiprocessor, per clock unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiprocessorProfile {
    /// Sustained clock, hertz.
    pub clock_hz: f64,
    /// Warp instructions issued per clock.
    pub issue_rate: f64,
    /// Bytes shared memory moves per clock.
    pub shared_bytes_per_clock: f64,
    /// Single-precision lanes per clock.
    pub float32_lanes: f64,
    /// Integer lanes per clock.
    pub integer_lanes: f64,
    /// Double-precision lanes per clock.
    pub float64_lanes: f64,
    /// Special-function lanes per clock.
    pub special_lanes: f64,
    /// Conversion lanes per clock.
    pub conversion_lanes: f64,
}

/// Fixed costs, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchProfile {
    /// An empty kernel node in a graph of such nodes.
    pub graph_node_ns: f64,
    /// Dispatch of one thread block, whole device.
    pub block_dispatch_ns: f64,
    /// Time between a block's end and the first useful load of its successor on that slot.
    pub block_turnaround_ns: f64,
    /// One block-wide barrier with its reduction step.
    pub barrier_ns: f64,
}
