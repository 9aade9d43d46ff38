//! What an executed kernel did wrong, with its place in the kernel's source.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of fault an execution can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// An access outside the buffer, the shared-memory window or the stack frame it aims at.
    OutOfBounds,
    /// An address that is no multiple of the access's width.
    Misaligned,
    /// A read of memory that nobody wrote.
    UninitializedRead,
    /// Two accesses of one byte, at least one a plain write, that nothing orders.
    Race,
    /// A barrier that not every thread it waits for reaches; or a warp-level operation whose
    /// member mask names a lane that does not take part.
    DivergentBarrier,
    /// An output element that no thread wrote.
    UnwrittenOutput,
    /// A write to a buffer that the spec declares an input.
    ModifiedInput,
    /// A kernel launched with programmatic dependent launch reads what the kernel before it may still
    /// be writing, or writes anything, before it has waited for that kernel.
    EarlyAccess,
    /// The instruction budget ran out: the kernel loops, or waits for something that never comes.
    Timeout,
    /// The kernel stopped itself: `trap`, a failed `assert`.
    Trap,
    /// The instruction, or a mode of it, that the emulator does not execute.
    Unsupported,
}

impl FindingKind {
    /// Stable code, the same word as in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OutOfBounds => "out_of_bounds",
            Self::Misaligned => "misaligned",
            Self::UninitializedRead => "uninitialized_read",
            Self::Race => "race",
            Self::DivergentBarrier => "divergent_barrier",
            Self::UnwrittenOutput => "unwritten_output",
            Self::ModifiedInput => "modified_input",
            Self::EarlyAccess => "early_access",
            Self::Timeout => "timeout",
            Self::Trap => "trap",
            Self::Unsupported => "unsupported",
        }
    }

    /// What to try, where the kind of fault alone tells.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::EarlyAccess => Some(
                "execute `griddepcontrol.wait` first (`wait_for_kernel_before` of \
                 `<ridge/launch.cuh>`), or have a barrier order it behind a thread that has; an input \
                 that no kernel writes may say `constant = true` in the spec",
            ),
            _ => None,
        }
    }
}

/// A line of the kernel's source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceLine {
    /// File, as the kernel's folder names it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// One fault, with everything needed to find its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// One clause that says what happened, with the values.
    pub message: String,
    /// The line of the kernel's source, a header of its folder or the device library; `None` where
    /// the PTX carries no line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceLine>,
    /// Where that line was inlined, the nearest call first; empty where it is the kernel's own body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inlined_at: Vec<SourceLine>,
    /// The other line involved: the earlier access of a race, the barrier that others wait at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<SourceLine>,
    /// The instruction's text and its line in the PTX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<PtxInstruction>,
    /// The buffer, or the shared variable, or `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<String>,
    /// Byte offset into that buffer of the first faulting lane; negative before its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_bytes: Option<i64>,
    /// Thread block of the first fault, x y z.
    pub block: [u32; 3],
    /// First faulting thread in its block, x y z; `None` where the fault has no single thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<[u32; 3]>,
    /// Faulting lanes of that warp, bit i = lane i.
    #[serde(default)]
    pub lanes: u32,
    /// How many times the same instruction had the same fault in this execution, this one included.
    pub occurrences: u64,
}

/// An instruction as the PTX spells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtxInstruction {
    /// Its text, without guard and semicolon trimmed.
    pub text: String,
    /// Its line in the PTX, from 1.
    pub line: u32,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{}:{}: ", source.file, source.line)?;
        }
        write!(f, "{}: {}", self.kind.code(), self.message)
    }
}
