//! References: where expected outputs come from.

mod golden;
mod math;
mod process;
mod python;
mod store;
mod tensors;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use golden::GoldenReference;
pub use math::MathReference;
pub use python::PythonReference;
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{Instance, KernelSpec, Reference as SpecReference};

use super::compare::ExpectedValues;
use super::inputs::InputError;
use super::problem::Problem;
use crate::numeric::codec::decode_slice;

/// What references outside the spec's own text need.
#[derive(Clone, Debug)]
pub struct ReferenceOptions {
    /// The spec's folder, to which its files are relative.
    pub folder: PathBuf,
    /// The Python interpreter, such as `python3`.
    pub interpreter: PathBuf,
    /// Longest run of a Python reference.
    pub time_limit: Duration,
    /// Folder in which results of Python references are kept.
    pub cache: PathBuf,
}

/// The reference of a spec for a workload.
///
/// # Errors
/// When a golden file cannot be read. A Python reference is not run here.
pub fn open(
    spec: &KernelSpec,
    instance: &Instance,
    options: &ReferenceOptions,
) -> Result<Arc<dyn Reference>, ReferenceError> {
    Ok(match &spec.reference {
        SpecReference::Math(program) => {
            Arc::new(MathReference::new(Arc::new(program.with_types(instance.types()))))
        }
        SpecReference::Python { path, function } => Arc::new(PythonReference {
            interpreter: options.interpreter.clone(),
            path: options.folder.join(path),
            name: path.clone(),
            function: function.clone(),
            time_limit: options.time_limit,
            cache: options.cache.clone(),
        }),
        SpecReference::Golden { path } => {
            Arc::new(GoldenReference::open(&options.folder.join(path), path)?)
        }
    })
}

/// The bytes of one input tensor.
#[derive(Clone, Debug)]
pub struct InputTensor {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its elements, row-major, little-endian.
    pub bytes: Arc<[u8]>,
}

/// The inputs of one evaluation, in the problem's order.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceInputs<'a> {
    /// The tensors.
    pub tensors: &'a [InputTensor],
    /// In place of a tensor's own values, those to evaluate with: nearby numbers that its type does
    /// not hold, to see how sensitive the result is. Empty, or one entry for each tensor.
    pub nearby: &'a [Option<Vec<f64>>],
}

impl<'a> ReferenceInputs<'a> {
    /// The tensors' own values.
    pub fn of(tensors: &'a [InputTensor]) -> Self {
        Self { tensors, nearby: &[] }
    }

    /// The values of one tensor.
    pub fn values(&self, tensor: usize) -> Cow<'a, [f64]> {
        match (self.nearby.get(tensor), self.tensors.get(tensor)) {
            (Some(Some(values)), _) => Cow::Borrowed(values),
            (_, Some(tensor)) => Cow::Owned(decode_slice(tensor.dtype, &tensor.bytes)),
            (_, None) => Cow::Borrowed(&[]),
        }
    }
}

/// Something that knows the right outputs.
pub trait Reference: Send + Sync {
    /// The outputs for these inputs, in the problem's order, row-major.
    ///
    /// # Errors
    /// When there is no answer; never because of what a candidate does.
    fn evaluate(
        &self,
        problem: &Problem,
        inputs: &ReferenceInputs<'_>,
    ) -> Result<Vec<ExpectedValues>, ReferenceError>;

    /// Whether it evaluates for any inputs, so that its sensitivity can be found by evaluating
    /// nearby.
    fn is_function(&self) -> bool;

    /// The inputs that it brings with it, in the problem's order, with `None` for those it leaves
    /// to be made.
    ///
    /// # Errors
    /// When those it has do not fit the problem.
    fn own_inputs(
        &self,
        problem: &Problem,
    ) -> Result<Option<Vec<Option<InputTensor>>>, ReferenceError> {
        let _ = problem;
        Ok(None)
    }
}

/// Why there are no expected outputs.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The inputs cannot be made.
    #[error(transparent)]
    Input(#[from] Arc<InputError>),
    /// The workload's tensors, with their values in binary64, do not fit in memory.
    #[error("workload `{workload}` takes {} GB of memory to check", bytes.div_ceil(1_000_000_000))]
    TooLarge {
        /// The workload.
        workload: String,
        /// The least that checking it takes, bytes.
        bytes: u64,
    },
    /// The tensor math cannot be evaluated.
    #[error("the math of workload `{workload}` cannot be evaluated: {reason}")]
    Math {
        /// The workload.
        workload: String,
        /// What the evaluator says.
        reason: String,
    },
    /// The Python interpreter cannot be started.
    #[error("the Python interpreter `{interpreter}` cannot be started: {reason}")]
    PythonMissing {
        /// The interpreter.
        interpreter: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The interpreter has no NumPy.
    #[error("the Python interpreter `{interpreter}` has no NumPy: {reason}")]
    NumpyMissing {
        /// The interpreter.
        interpreter: PathBuf,
        /// What the import says.
        reason: String,
    },
    /// The reference raised an exception.
    #[error("the reference `{function}` failed: {message}")]
    PythonException {
        /// `file::function`.
        function: String,
        /// The exception's last line.
        message: String,
        /// The traceback, whole.
        traceback: String,
    },
    /// The reference took too long.
    #[error("the reference `{function}` did not end within {} s", limit.as_secs_f64())]
    PythonTimeout {
        /// `file::function`.
        function: String,
        /// The limit.
        limit: Duration,
    },
    /// The process died without an answer.
    #[error("the process of the reference `{function}` died with {status}: {stderr}")]
    PythonCrash {
        /// `file::function`.
        function: String,
        /// Exit status or signal.
        status: String,
        /// The end of what it printed.
        stderr: String,
    },
    /// An output is missing.
    #[error("the reference `{from}` has no output `{output}`, only {present}")]
    MissingOutput {
        /// Where outputs come from.
        from: String,
        /// The missing one.
        output: String,
        /// Those there are.
        present: String,
    },
    /// A tensor has another shape than the workload gives it.
    #[error(
        "`{tensor}` of the reference `{from}` has shape {got:?}, the workload has {expected:?}"
    )]
    WrongShape {
        /// Where it comes from.
        from: String,
        /// Its name.
        tensor: String,
        /// The shape it has.
        got: Vec<u64>,
        /// The shape it should have.
        expected: Vec<u64>,
    },
    /// A tensor has a type that cannot stand for the spec's.
    #[error(
        "`{tensor}` of the reference `{from}` is of type `{got}`, which cannot stand for `{expected}`"
    )]
    WrongType {
        /// Where it comes from.
        from: String,
        /// Its name.
        tensor: String,
        /// The type it has.
        got: String,
        /// The type it should have.
        expected: Dtype,
    },
    /// A golden file does not hold the inputs that belong to its outputs.
    #[error("`{file}` has outputs, but not the input `{input}` that they belong to")]
    MissingInput {
        /// The file.
        file: String,
        /// The missing input.
        input: String,
    },
    /// A file cannot be read or written, or is not what it should be.
    #[error("`{path}`: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl ReferenceError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input(error) => match **error {
                InputError::TooLarge { .. } => "reference.input-too-large",
                InputError::EmptyBounds { .. } => "reference.empty-bounds",
            },
            Self::TooLarge { .. } => "reference.too-large",
            Self::Math { .. } => "reference.math",
            Self::PythonMissing { .. } => "reference.python-missing",
            Self::NumpyMissing { .. } => "reference.numpy-missing",
            Self::PythonException { .. } => "reference.python-exception",
            Self::PythonTimeout { .. } => "reference.python-timeout",
            Self::PythonCrash { .. } => "reference.python-crash",
            Self::MissingOutput { .. } => "reference.missing-output",
            Self::WrongShape { .. } => "reference.wrong-shape",
            Self::WrongType { .. } => "reference.wrong-type",
            Self::MissingInput { .. } => "reference.missing-input",
            Self::File { .. } => "reference.file",
        }
    }

    /// What to try; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PythonMissing { .. } => {
                "install Python 3, or name another interpreter".to_owned()
            }
            Self::NumpyMissing { interpreter, .. } => {
                format!("run `{} -m pip install numpy`", interpreter.display())
            }
            Self::PythonException { traceback, .. } => traceback.trim_end().to_owned(),
            Self::PythonTimeout { .. } => {
                "vectorise it with NumPy, make the workload smaller, or raise the limit".to_owned()
            }
            Self::MissingOutput { .. } => {
                "the reference returns a dict with one array for each output, by name".to_owned()
            }
            Self::MissingInput { .. } => {
                "store the inputs beside the outputs, by their names".to_owned()
            }
            Self::Input(error) => match **error {
                InputError::EmptyBounds { .. } => {
                    "an index needs an axis that is not empty".to_owned()
                }
                InputError::TooLarge { .. } => return None,
            },
            Self::TooLarge { .. } => {
                "make it smaller, or check it on a machine with more memory".to_owned()
            }
            Self::Math { .. }
            | Self::PythonCrash { .. }
            | Self::WrongShape { .. }
            | Self::WrongType { .. }
            | Self::File { .. } => return None,
        })
    }
}

impl From<InputError> for ReferenceError {
    fn from(error: InputError) -> Self {
        Self::Input(Arc::new(error))
    }
}
