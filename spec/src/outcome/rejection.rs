//! Why a candidate is not a winner: every way it can fail, as a value.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Finding, FindingKind, Mismatch};

/// Why a candidate was refused.
///
/// The variants that hold a [`Finding`] hold one of the same kind; [`Rejection::from_finding`]
/// makes them so, and reading a record checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rejection {
    /// The candidate breaks a constraint of its search space.
    Constraint {
        /// The constraint, as the spec writes it, or the rule that stands for it.
        constraint: String,
        /// One clause with the values.
        message: String,
    },
    /// It needs more than the device has.
    Resources {
        /// Of what.
        resource: Resource,
        /// How much it needs.
        required: u64,
        /// How much there is.
        limit: u64,
    },
    /// It does not compile.
    Compile {
        /// The compiler's messages, in order; empty where the log could not be read.
        diagnostics: Vec<CompilerMessage>,
        /// The compiler's log, whole.
        log: String,
    },
    /// It cannot be launched: its sizes are not a launch, or the driver refused them.
    Launch {
        /// One clause with the values.
        message: String,
    },
    /// It took longer than it may.
    Timeout {
        /// Doing what.
        phase: Phase,
        /// What ran out, where it is known apart from the finding.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Limit>,
        /// Where the kernel was, when the emulator stopped it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finding: Option<Box<Finding>>,
    },
    /// The process or the kernel died.
    Crash {
        /// Doing what.
        phase: Phase,
        /// One clause: the signal, the exit status, the driver's error.
        message: String,
        /// Where the kernel stopped itself, when the emulator saw it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finding: Option<Box<Finding>>,
    },
    /// Its output is not the reference's.
    Incorrect(#[serde(with = "nested_mismatch")] Box<Mismatch>),
    /// It reads or writes outside a buffer.
    OutOfBounds(#[serde(with = "nested_finding")] Box<Finding>),
    /// It uses an address that is no multiple of the access's width.
    Misaligned(#[serde(with = "nested_finding")] Box<Finding>),
    /// It reads memory that nobody wrote.
    UninitializedRead(#[serde(with = "nested_finding")] Box<Finding>),
    /// Two of its accesses to one byte are not ordered.
    Race(#[serde(with = "nested_finding")] Box<Finding>),
    /// Not all threads reach a barrier.
    DivergentBarrier(#[serde(with = "nested_finding")] Box<Finding>),
    /// It leaves an output element unwritten.
    UnwrittenOutput(#[serde(with = "nested_finding")] Box<Finding>),
    /// It writes to an input.
    ModifiedInput(#[serde(with = "nested_finding")] Box<Finding>),
    /// It does not wait for the kernel before it in the stream.
    EarlyAccess(#[serde(with = "nested_finding")] Box<Finding>),
    /// Two runs with the same inputs differ.
    Nondeterministic {
        /// The output that differs.
        output: String,
        /// How many of its elements differ.
        n_different: u64,
        /// How many elements it has.
        n_elements: u64,
        /// Index of the first that differs, one number for each axis.
        index: Vec<u64>,
        /// Its value in the earlier run.
        #[serde(with = "super::number")]
        first: f64,
        /// Its value in the later run.
        #[serde(with = "super::number")]
        second: f64,
    },
    /// It claims to be faster than the hardware can be.
    ImpossibleTime {
        /// The time it was measured with, nanoseconds.
        time_ns: u64,
        /// The least time that the roofline allows, nanoseconds.
        floor_ns: u64,
    },
    /// It uses what the emulator does not execute; nothing is known of it.
    Unsupported(#[serde(with = "nested_finding")] Box<Finding>),
}

/// What a device has a limited amount of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Threads of a block.
    ThreadsPerBlock,
    /// Shared memory of a block, static and dynamic, bytes.
    SharedMemoryPerBlock,
    /// Registers of a thread.
    RegistersPerThread,
    /// Registers of a block.
    RegistersPerBlock,
    /// Blocks of a cluster.
    ClusterBlocks,
    /// Blocks of a grid along one dimension.
    GridBlocks,
    /// Device memory, bytes.
    DeviceMemory,
}

/// What a candidate was doing when it was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being compiled.
    Compile,
    /// Being loaded onto the device.
    Load,
    /// Being checked against the reference.
    Verify,
    /// Being counted for the cost model.
    Profile,
    /// Being timed.
    Measure,
}

/// A bound that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Wall time, nanoseconds.
    TimeNs(u64),
    /// Memory of the process, bytes.
    MemoryBytes(u64),
    /// Warp instructions of one block in the emulator.
    Instructions(u64),
}

/// One message of the kernel compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompilerMessage {
    /// The file, as the kernel's folder names it; `None` for a message about no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from 1, where the compiler gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// What the compiler says.
    pub message: String,
}

/// How bad a compiler's message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Goes with the message before it.
    Note,
    /// Compiles all the same.
    Warning,
    /// Does not compile.
    Error,
}

impl Rejection {
    /// The rejection that a fault of the execution amounts to. A kernel that stopped itself
    /// (`trap`, a failed assertion) is a crash; the phase of both it and a timeout is
    /// [`Phase::Verify`], where findings are made.
    pub fn from_finding(finding: Finding) -> Self {
        let boxed = Box::new(finding);
        match boxed.kind {
            FindingKind::OutOfBounds => Self::OutOfBounds(boxed),
            FindingKind::Misaligned => Self::Misaligned(boxed),
            FindingKind::UninitializedRead => Self::UninitializedRead(boxed),
            FindingKind::Race => Self::Race(boxed),
            FindingKind::DivergentBarrier => Self::DivergentBarrier(boxed),
            FindingKind::UnwrittenOutput => Self::UnwrittenOutput(boxed),
            FindingKind::ModifiedInput => Self::ModifiedInput(boxed),
            FindingKind::EarlyAccess => Self::EarlyAccess(boxed),
            FindingKind::Timeout => {
                Self::Timeout { phase: Phase::Verify, limit: None, finding: Some(boxed) }
            }
            FindingKind::Trap => Self::Crash {
                phase: Phase::Verify,
                message: boxed.message.clone(),
                finding: Some(boxed),
            },
            FindingKind::Unsupported => Self::Unsupported(boxed),
        }
    }

    /// Stable code: the word that is also the JSON's `kind`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Constraint { .. } => "constraint",
            Self::Resources { .. } => "resources",
            Self::Compile { .. } => "compile",
            Self::Launch { .. } => "launch",
            Self::Timeout { .. } => "timeout",
            Self::Crash { .. } => "crash",
            Self::Incorrect(_) => "incorrect",
            Self::OutOfBounds(_) => "out_of_bounds",
            Self::Misaligned(_) => "misaligned",
            Self::UninitializedRead(_) => "uninitialized_read",
            Self::Race(_) => "race",
            Self::DivergentBarrier(_) => "divergent_barrier",
            Self::UnwrittenOutput(_) => "unwritten_output",
            Self::ModifiedInput(_) => "modified_input",
            Self::EarlyAccess(_) => "early_access",
            Self::Nondeterministic { .. } => "nondeterministic",
            Self::ImpossibleTime { .. } => "impossible_time",
            Self::Unsupported(_) => "unsupported",
        }
    }

    /// The fault of the execution behind it, where there is one.
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Self::OutOfBounds(finding)
            | Self::Misaligned(finding)
            | Self::UninitializedRead(finding)
            | Self::Race(finding)
            | Self::DivergentBarrier(finding)
            | Self::UnwrittenOutput(finding)
            | Self::ModifiedInput(finding)
            | Self::EarlyAccess(finding)
            | Self::Unsupported(finding) => Some(finding),
            Self::Timeout { finding, .. } | Self::Crash { finding, .. } => finding.as_deref(),
            Self::Constraint { .. }
            | Self::Resources { .. }
            | Self::Compile { .. }
            | Self::Launch { .. }
            | Self::Incorrect(_)
            | Self::Nondeterministic { .. }
            | Self::ImpossibleTime { .. } => None,
        }
    }

    /// Whether the finding it holds, if any, is of the kind that its variant names.
    pub fn is_consistent(&self) -> bool {
        match (self, self.finding()) {
            (Self::Timeout { .. }, Some(finding)) => finding.kind == FindingKind::Timeout,
            (Self::Crash { .. }, Some(finding)) => finding.kind == FindingKind::Trap,
            (_, Some(finding)) => finding.kind.code() == self.code(),
            (_, None) => true,
        }
    }

    /// One line for a person.
    pub fn summary(&self) -> String {
        let text = match self {
            Self::Constraint { constraint, message } => {
                format!("breaks the constraint `{constraint}`: {message}")
            }
            Self::Resources { resource, required, limit } => {
                format!("needs {required} {resource}, the device allows {limit}")
            }
            Self::Compile { diagnostics, log } => compile_summary(diagnostics, log),
            Self::Launch { message } => format!("cannot be launched: {message}"),
            Self::Timeout { phase, limit: Some(limit), finding: None } => {
                format!("ran out of {limit} while being {phase}")
            }
            Self::Timeout { phase, limit: None, finding: None } => {
                format!("did not end while being {phase}")
            }
            Self::Timeout { phase, finding: Some(finding), .. } => {
                format!("did not end while being {phase}: {finding}")
            }
            Self::Crash { phase, finding: Some(finding), .. } => {
                format!("stopped itself while being {phase}: {finding}")
            }
            Self::Crash { phase, message, finding: None } => {
                format!("crashed while being {phase}: {message}")
            }
            Self::Incorrect(mismatch) => format!("wrong result: {mismatch}"),
            Self::OutOfBounds(finding)
            | Self::Misaligned(finding)
            | Self::UninitializedRead(finding)
            | Self::Race(finding)
            | Self::DivergentBarrier(finding)
            | Self::UnwrittenOutput(finding)
            | Self::ModifiedInput(finding)
            | Self::EarlyAccess(finding)
            | Self::Unsupported(finding) => finding.to_string(),
            Self::Nondeterministic { output, n_different, n_elements, index, first, second } => {
                format!(
                    "two runs differ in {n_different} of {n_elements} elements of `{output}`, \
                     first at {index:?}: {first} and {second}"
                )
            }
            Self::ImpossibleTime { time_ns, floor_ns } => {
                format!("measured at {time_ns} ns, below the {floor_ns} ns that the hardware needs")
            }
        };
        text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
    }
}

/// The first error, with how many more there are.
fn compile_summary(diagnostics: &[CompilerMessage], log: &str) -> String {
    let n_errors = diagnostics.iter().filter(|m| m.severity == Severity::Error).count();
    let first = diagnostics
        .iter()
        .find(|m| m.severity == Severity::Error)
        .or_else(|| diagnostics.first())
        .map(ToString::to_string)
        .or_else(|| log.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned))
        .unwrap_or_else(|| "the compiler gave no reason".to_owned());
    match n_errors {
        0 | 1 => format!("does not compile: {first}"),
        _ => format!("does not compile: {first} (and {} more errors)", n_errors - 1),
    }
}

impl fmt::Display for CompilerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ThreadsPerBlock => "threads per block",
            Self::SharedMemoryPerBlock => "bytes of shared memory per block",
            Self::RegistersPerThread => "registers per thread",
            Self::RegistersPerBlock => "registers per block",
            Self::ClusterBlocks => "blocks per cluster",
            Self::GridBlocks => "blocks along one dimension of the grid",
            Self::DeviceMemory => "bytes of device memory",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compile => "compiled",
            Self::Load => "loaded",
            Self::Verify => "checked",
            Self::Profile => "counted",
            Self::Measure => "timed",
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeNs(ns) => write!(f, "time ({} ms)", ns / 1_000_000),
            Self::MemoryBytes(bytes) => write!(f, "memory ({} MiB)", bytes >> 20),
            Self::Instructions(n) => write!(f, "instructions ({n})"),
        }
    }
}

/// Writes the value of a one-value variant as a field of that name: a finding has a `kind` of its
/// own, which must not stand beside the rejection's.
macro_rules! nested {
    ($module:ident, $field:ident, $type:ty) => {
        mod $module {
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            #[derive(Serialize)]
            struct Borrowed<'a> {
                $field: &'a $type,
            }

            #[derive(Deserialize)]
            #[serde(deny_unknown_fields)]
            struct Owned {
                $field: Box<$type>,
            }

            pub(super) fn serialize<S: Serializer>(
                value: &Box<$type>,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                Borrowed { $field: value }.serialize(serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Box<$type>, D::Error> {
                Owned::deserialize(deserializer).map(|owned| owned.$field)
            }
        }
    };
}

nested!(nested_finding, finding, crate::outcome::Finding);
nested!(nested_mismatch, mismatch, crate::outcome::Mismatch);
