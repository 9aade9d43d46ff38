//! The kernel spec: the contract between an author and Ridge.
//!
//! A spec is a TOML file of schema 1; [`KernelSpec::parse`] reads it, reports everything that is
//! wrong with it, and yields a value in which every name resolves: expressions use only names they
//! may use, tensors only declared axes and types, workloads give each axis they must.
//! [`KernelSpec::bind`] puts one workload and one device in: an [`Instance`] has every size.
//! [`KernelSpec::launch`] and [`KernelSpec::bindings`] then turn a candidate into a launch and into
//! the names that the kernel's source sees.
//!
//! # Keys
//!
//! | section | keys |
//! | --- | --- |
//! | | `schema = 1` |
//! | `[kernel]` | `name`, `language` (`cuda`, `cube`); `description`, `tags`; for `cuda` `source`, `entry` and `options` |
//! | `[types]` | type variable = the dtypes it may be |
//! | `[axes]` | axis = `"dynamic"`, `"specialized"`, `{ kind = … }` or `{ expression = … }`, the last two with an optional `description` |
//! | `[inputs]`, `[outputs]` | tensor = `{ shape, dtype, default, description }`; no `shape`: a scalar input; for an input tensor `constant` |
//! | `[reference]` | one of `math`, `python` (`file.py::function`), `golden` |
//! | `[tolerance]` | `absolute`, `relative`, `matched_ratio` (1.0); `outputs`: output = a tolerance of its own, what it leaves out as above |
//! | `[space]`, optional | `parameters`, `constraints`, `default` |
//! | `[launch]`, for `cuda` | `arguments`, `grid`, `block`; `shared_memory_bytes`, `cluster`, `programmatic` |
//! | `[[workloads]]` | `name`, `role` (`tune`, `verify`), `axes`, `types`; `scalars`, `tolerance` |
//! | `[cost]`, optional | `bytes_min`, `flops` |
//!
//! # What they mean
//!
//! - **Entry.** `entry` names the kernel with its template arguments, such as `copy<{T}, {cols}>`.
//!   Parameters, specialized axes and types reach the source as `{name}` in `entry` and `options`
//!   (`{{` and `}}` are braces) and as macros `RIDGE_<NAME>`, so no two of them may differ in
//!   letter case alone. A source includes headers of the toolkit, of Ridge's device library
//!   (`<ridge/…>`) and of its own folder.
//! - **Axes.** A dynamic axis is known at launch, a specialized one when the kernel is compiled:
//!   each of its extents has an artifact. A derived one is an expression over others, and
//!   specialized where all of those are.
//! - **Tensors.** `shape` names axes; `[]` is a tensor without any, and an input with no `shape` a
//!   scalar, whose `default` is its value where nobody gives one. `constant` says whether an input
//!   may be read before the kernel before this one in the stream has ended, as weights may; where
//!   it is not given, it is so where no axis is dynamic.
//! - **Reference.** `math` is the language below. A Python function gets inputs and axes by name and
//!   returns a dict of outputs; it runs once a workload, in a process of its own. A golden file is
//!   safetensors with inputs and outputs under their names, or under `workload/name`.
//! - **Tolerance.** An element fails where it differs from the reference by more than `absolute` and
//!   by more than `relative` times the reference's magnitude; `matched_ratio` is the share that must
//!   not fail. `[tolerance.outputs]` gives single outputs tolerances of their own. For an output in a
//!   workload the first of these counts: the workload's for it, the spec's for it, the workload's,
//!   the spec's.
//! - **Space.** Every choice of a value for each parameter under which all `constraints` hold is a
//!   candidate. `default` is what runs where nothing was tuned, so it should be legal everywhere. A
//!   cube kernel generates its space; what is written here narrows it.
//! - **Launch.** `arguments` are tensors, scalars and integer expressions, in the order of the
//!   kernel's parameters. `grid`, `block` and `cluster` have one to three expressions, x first.
//!   `shared_memory_bytes` is dynamic shared memory. A `cluster` of one block is none; others need
//!   compute capability 9.0 and divide the grid. Where `programmatic` is not 0, the launch may begin
//!   before the kernel before it has ended (programmatic dependent launch), and
//!   `griddepcontrol.wait` must come before it touches what is not `constant`.
//! - **Workloads.** `tune` is searched and timed; `verify` is small, ragged or extreme and must only
//!   be right. A winner has passed all of them for which it is legal.
//! - **Cost.** The fewest bytes and operations there are, where the defaults are not: every tensor
//!   once, and what the mathematics takes.
//!
//! Which names an expression may use:
//!
//! | expression | axes, `sizeof(T)`, `T == 'bf16'` | parameters | `device.*` |
//! | --- | --- | --- | --- |
//! | derived axis, `[cost]` | yes | no | no |
//! | constraint, `[launch]` | yes | yes | yes |
//!
//! `device.` is followed by `multiprocessors`, `warp_size`, `cluster_blocks`, `threads_per_block`,
//! `threads_per_multiprocessor`, `blocks_per_multiprocessor`, `registers_per_thread`,
//! `registers_per_multiprocessor`, `register_allocation_unit`, `shared_memory_per_block_bytes`,
//! `shared_memory_per_multiprocessor_bytes` or `shared_memory_reserved_per_block_bytes`.

mod bindings;
mod canonical;
mod check;
mod instance;
mod launch;
mod name;
mod wire;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

pub use bindings::{Binding, Bindings};
pub use instance::{Instance, Scalar, TensorSpec};
pub use launch::{BLOCK_LIMITS, GRID_LIMITS, LaunchArgument, LaunchPlan, LaunchRule};
pub use name::{KernelName, is_relative_path, is_workload_name};
pub use workload::{Role, Tolerance, Workload};

use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::dtype::Dtype;
use crate::expression::IntegerExpression;
use crate::math::Program;
use crate::space::SearchSpace;

/// Schema number of the spec's text.
pub const SPEC_SCHEMA: i64 = 1;

/// Longest text of a spec, bytes.
pub const TEXT_LIMIT: usize = 256 << 10;

/// A kernel's contract: what it computes, on what, with which parameters, and how it is launched.
///
/// Two specs are equal when their canonical texts are.
#[derive(Clone, Debug)]
pub struct KernelSpec {
    /// Its name.
    pub name: KernelName,
    /// One sentence for people; may be empty.
    pub description: String,
    /// What its source is.
    pub language: Language,
    /// Words to find it by, such as `norm` or `model:qwen3-8b`.
    pub tags: Vec<String>,
    /// Type variables, each with the dtypes it may be, in declared order.
    pub types: IndexMap<String, Vec<Dtype>>,
    /// Axes in declared order.
    pub axes: IndexMap<String, AxisKind>,
    /// What axes mean, where the author says so.
    pub axis_descriptions: BTreeMap<String, String>,
    /// Inputs in declared order: tensors and scalars.
    pub inputs: IndexMap<String, TensorDeclaration>,
    /// Outputs in declared order: tensors only.
    pub outputs: IndexMap<String, TensorDeclaration>,
    /// What the outputs are compared with.
    pub reference: Reference,
    /// What equal means, unless a workload says otherwise.
    pub tolerance: Tolerance,
    /// What it means for single outputs; see [`Self::tolerance_of`].
    pub output_tolerances: BTreeMap<String, Tolerance>,
    /// Parameters and constraints; no parameters where the kernel has nothing to tune.
    pub space: SearchSpace,
    /// How it is launched; always there for CUDA, never for cube, which generates its own.
    pub launch: Option<LaunchRule>,
    /// At least one, with distinct names and distinct identities.
    pub workloads: Vec<Workload>,
    /// What the author says it costs.
    pub cost: Option<CostRule>,
}

/// What a kernel's source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Language {
    /// CUDA C++.
    Cuda {
        /// The file, relative to the spec's folder.
        source: String,
        /// Template of a C++ name expression, or of an `extern "C"` name.
        entry: String,
        /// Templates of compiler options.
        options: Vec<String>,
    },
    /// Generated from the reference's math through CubeCL.
    Cube,
}

/// How an axis gets its extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AxisKind {
    /// From the workload; known to the kernel at launch.
    Dynamic,
    /// From the workload; known to the compiler, so each value is its own artifact.
    Specialized,
    /// From other axes and types.
    Derived(IntegerExpression),
}

/// A declared input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorDeclaration {
    /// Its axes, outermost first, each once; `Some([])` for a tensor of one element without axes,
    /// `None` for a scalar passed by value.
    pub shape: Option<Vec<String>>,
    /// Its element type.
    pub dtype: DtypeRef,
    /// A scalar's value where the workload gives none.
    pub default: Option<f64>,
    /// Of an input tensor, whether the kernel before this one in the stream never writes it, where
    /// the author says; see [`KernelSpec::is_constant`].
    pub constant: Option<bool>,
    /// What it is; may be empty.
    pub description: String,
}

/// A dtype, or a type variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DtypeRef {
    /// Always this one.
    Fixed(Dtype),
    /// The workload's choice for this variable.
    Variable(String),
}

/// What a kernel's outputs are compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Reference {
    /// Tensor math, evaluated in binary64.
    Math(Arc<Program>),
    /// A Python function of the inputs and axes by name.
    Python {
        /// The file, relative to the spec's folder.
        path: String,
        /// The function's name.
        function: String,
    },
    /// Recorded outputs.
    Golden {
        /// The file, relative to the spec's folder.
        path: String,
    },
}

/// What the author says one run costs at least; expressions over axes and types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRule {
    /// Bytes of device memory that any correct kernel moves.
    pub bytes_min: Option<IntegerExpression>,
    /// Arithmetic operations that any correct kernel makes.
    pub flops: Option<IntegerExpression>,
}

impl KernelSpec {
    /// Reads a spec.
    ///
    /// `file_name` names the text in errors; nothing is opened.
    ///
    /// # Errors
    /// Everything wrong with the text that can be found at once, in the order of the file, each
    /// with its place and one of the codes `spec.*`, `expression.*`, `math.*` and `space.*`. Never
    /// empty.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        check::parse(file_name, text)
    }

    /// The files it names, relative to its folder and never outside it.
    pub fn files(&self) -> Vec<&str> {
        let mut files = Vec::new();
        if let Language::Cuda { source, .. } = &self.language {
            files.push(source.as_str());
        }
        match &self.reference {
            Reference::Math(_) => {}
            Reference::Python { path, .. } | Reference::Golden { path } => files.push(path),
        }
        files
    }

    /// Its identity: the canonical text and every file given, by name and content. Hand in the
    /// files it names and whatever those include.
    pub fn digest(&self, files: &BTreeMap<String, Vec<u8>>) -> Digest {
        let canonical = self.canonical();
        let spec = std::iter::once(("", canonical.as_bytes()));
        let files = files.iter().map(|(name, content)| (name.as_str(), content.as_slice()));
        Digest::of_parts(spec.chain(files))
    }

    /// Its text with sections and keys in one order, no comments and one spelling of each value;
    /// [`Self::parse`] reads it back to an equal spec.
    pub fn canonical(&self) -> String {
        canonical::write(self)
    }

    /// The workload of that name.
    pub fn workload(&self, name: &str) -> Option<&Workload> {
        self.workloads.iter().find(|workload| workload.name == name)
    }

    /// What equal means for an output in a workload. Of these, the first that there is: the
    /// workload's for this output, the spec's for this output, the workload's, the spec's.
    pub fn tolerance_of(&self, workload: &Workload, output: &str) -> Tolerance {
        let named = [&workload.output_tolerances, &self.output_tolerances];
        let own = named.into_iter().find_map(|tolerances| tolerances.get(output).copied());
        own.or(workload.tolerance).unwrap_or(self.tolerance)
    }

    /// Whether an input tensor may be read before the kernel before this one in the stream has
    /// ended, by a kernel launched with programmatic dependent launch: a weight, a table. What the
    /// author says with `constant` holds; otherwise it is one where no axis of it is dynamic.
    pub fn is_constant(&self, input: &str) -> bool {
        let Some(declaration) = self.inputs.get(input) else { return false };
        let Some(shape) = &declaration.shape else { return true };
        declaration.constant.unwrap_or_else(|| shape.iter().all(|axis| self.is_specialized(axis)))
    }

    /// Whether the compiler knows the extent of an axis: it is specialized, or derived from such
    /// axes only.
    pub fn is_specialized(&self, axis: &str) -> bool {
        is_specialized(&self.axes, axis)
    }
}

fn is_specialized(axes: &IndexMap<String, AxisKind>, axis: &str) -> bool {
    let mut seen = vec![axis];
    let mut next = 0;
    while let Some(&axis) = seen.get(next) {
        next += 1;
        match axes.get(axis) {
            Some(AxisKind::Specialized) => {}
            Some(AxisKind::Dynamic) | None => return false,
            Some(AxisKind::Derived(expression)) => {
                for name in expression.variables() {
                    if axes.contains_key(name) && !seen.contains(&name) {
                        seen.push(name);
                    }
                }
            }
        }
    }
    true
}

impl PartialEq for KernelSpec {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}
