//! Recorded outputs in a safetensors file, and the inputs they belong to.
//!
//! Tensors have the spec's names. Where one file serves several workloads, `workload/name` comes
//! before `name`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::SafeTensors;

use super::super::compare::ExpectedValues;
use super::super::problem::{Problem, TensorShape};
use super::tensors::{StoredTensor, from_stored};
use super::{InputTensor, Reference, ReferenceError, ReferenceInputs};

/// A file of recorded outputs, held in memory.
#[derive(Clone)]
pub struct GoldenReference {
    /// As the spec names it.
    name: String,
    path: PathBuf,
    bytes: Arc<[u8]>,
}

impl GoldenReference {
    /// Reads the file; `name` is what messages call it.
    ///
    /// # Errors
    /// When it cannot be read or is no safetensors file.
    pub fn open(path: &Path, name: &str) -> Result<Self, ReferenceError> {
        let fail = |reason: String| ReferenceError::File { path: path.to_owned(), reason };
        let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
        SafeTensors::deserialize(&bytes)
            .map_err(|error| fail(format!("not a safetensors file: {error}")))?;
        Ok(Self { name: name.to_owned(), path: path.to_owned(), bytes: bytes.into() })
    }

    fn file(&self) -> Result<SafeTensors<'_>, ReferenceError> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| ReferenceError::File {
            path: self.path.clone(),
            reason: format!("not a safetensors file: {error}"),
        })
    }

    fn tensor(
        &self,
        file: &SafeTensors<'_>,
        problem: &Problem,
        declared: &TensorShape,
    ) -> Result<Option<StoredTensor>, ReferenceError> {
        let own = format!("{}/{}", problem.workload, declared.name);
        let Ok(view) = file.tensor(&own).or_else(|_| file.tensor(&declared.name)) else {
            return Ok(None);
        };
        let dtype = from_stored(view.dtype()).ok_or_else(|| ReferenceError::WrongType {
            from: self.name.clone(),
            tensor: declared.name.clone(),
            got: format!("{:?}", view.dtype()).to_lowercase(),
            expected: declared.dtype,
        })?;
        let shape = view.shape().iter().map(|&length| length as u64).collect();
        Ok(Some(StoredTensor { dtype, shape, bytes: view.data().to_vec() }))
    }
}

impl Reference for GoldenReference {
    fn evaluate(
        &self,
        problem: &Problem,
        _inputs: &ReferenceInputs<'_>,
    ) -> Result<Vec<ExpectedValues>, ReferenceError> {
        let file = self.file()?;
        let outputs = problem.outputs.iter().map(|output| {
            let tensor = self.tensor(&file, problem, output)?.ok_or_else(|| {
                ReferenceError::MissingOutput {
                    from: self.name.clone(),
                    output: output.name.clone(),
                    present: present(file.names().into_iter()),
                }
            })?;
            tensor.expected(&self.name, output)
        });
        outputs.collect()
    }

    fn is_function(&self) -> bool {
        false
    }

    fn own_inputs(
        &self,
        problem: &Problem,
    ) -> Result<Option<Vec<Option<InputTensor>>>, ReferenceError> {
        let file = self.file()?;
        let inputs = problem.inputs.iter().map(|input| {
            let tensor = self.tensor(&file, problem, input)?.ok_or_else(|| {
                ReferenceError::MissingInput { file: self.name.clone(), input: input.name.clone() }
            })?;
            tensor.check_shape(&self.name, input)?;
            if tensor.dtype != input.dtype {
                return Err(ReferenceError::WrongType {
                    from: self.name.clone(),
                    tensor: input.name.clone(),
                    got: tensor.dtype.name().to_owned(),
                    expected: input.dtype,
                });
            }
            let bytes = tensor.bytes.into();
            Ok(Some(InputTensor { name: input.name.clone(), dtype: input.dtype, bytes }))
        });
        inputs.collect::<Result<_, _>>().map(Some)
    }
}

/// Names for a message.
pub(super) fn present<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.sort_unstable();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
