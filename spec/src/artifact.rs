//! A compiled candidate: PTX, CUBIN and what the assembler says they need.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::target::Architecture;

/// Schema number of the artifact manifest.
pub const MANIFEST_SCHEMA: u32 = 1;

/// A compiled candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Digest of PTX, CUBIN and entry symbol.
    pub digest: Digest,
    /// What is known of it.
    pub manifest: Manifest,
    /// The PTX text that the emulator runs and that ships as the fallback.
    pub ptx: String,
    /// The device binary.
    pub cubin: Vec<u8>,
}

/// What an artifact's folder says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of the manifest.
    pub schema: u32,
    /// The kernel's name in PTX and CUBIN.
    pub entry_symbol: String,
    /// What it was compiled for.
    pub target: Architecture,
    /// The compiler and its version, such as `nvrtc 13.0.88`.
    pub toolkit: String,
    /// Options given to the compiler, in order.
    pub options: Vec<String>,
    /// What the assembler says it needs.
    pub resources: Resources,
    /// The kernel's parameters, in order.
    pub parameters: Vec<ParameterLayout>,
    /// Wall time of the compilation that made it, nanoseconds.
    pub compile_time_ns: u64,
}

/// The assembler's resource report for one kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// 32-bit registers of a thread.
    pub registers: u32,
    /// Static shared memory of a block, bytes.
    pub static_shared_memory_bytes: u32,
    /// Bytes stored to spilled registers, per thread.
    pub spill_store_bytes: u32,
    /// Bytes loaded from spilled registers, per thread.
    pub spill_load_bytes: u32,
    /// Stack frame of a thread, bytes.
    pub stack_bytes: u32,
    /// Named barriers.
    pub barriers: u32,
}

/// Where one kernel parameter lies in the parameter block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterLayout {
    /// Offset, bytes.
    pub offset_bytes: u32,
    /// Size, bytes.
    pub size_bytes: u32,
    /// Alignment, bytes.
    pub align_bytes: u32,
}

impl Artifact {
    /// Puts an artifact together and digests it.
    pub fn new(manifest: Manifest, ptx: String, cubin: Vec<u8>) -> Self {
        let digest = Digest::of_parts([
            ("entry", manifest.entry_symbol.as_bytes()),
            ("ptx", ptx.as_bytes()),
            ("cubin", cubin.as_slice()),
        ]);
        Self { digest, manifest, ptx, cubin }
    }
}
