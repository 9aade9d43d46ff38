//! References in Python, each run in a process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use serde::{Deserialize, Serialize};

use super::super::compare::ExpectedValues;
use super::super::problem::Problem;
use super::golden::present;
use super::process::{self, Ended};
use super::store::Store;
use super::tensors::StoredTensor;
use super::{InputTensor, Reference, ReferenceError, ReferenceInputs};
use crate::numeric::codec::{decode_slice, encode_slice};

const DRIVER: &str = include_str!("driver.py");

/// A Python function that computes the outputs.
#[derive(Clone, Debug)]
pub struct PythonReference {
    /// The interpreter, such as `python3`.
    pub interpreter: PathBuf,
    /// The file that holds the function.
    pub path: PathBuf,
    /// As the spec names the file.
    pub name: String,
    /// The function.
    pub function: String,
    /// Longest run.
    pub time_limit: Duration,
    /// Folder for results, which are kept there as safetensors and found again, and for the files
    /// of a run, which are removed.
    pub cache: PathBuf,
}

#[derive(Serialize)]
struct Request<'a> {
    path: &'a Path,
    function: &'a str,
    tensors: Vec<Tensor>,
    scalars: BTreeMap<&'a str, Number>,
    axes: BTreeMap<&'a str, u64>,
    outputs: Vec<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct Tensor {
    name: String,
    numpy: String,
    shape: Vec<u64>,
    file: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Real(f64),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Response {
    Failed { error: Failure },
    Done { outputs: Vec<Tensor>, present: Vec<String> },
}

#[derive(Deserialize)]
struct Failure {
    kind: String,
    message: String,
    traceback: String,
}

impl Reference for PythonReference {
    fn evaluate(
        &self,
        problem: &Problem,
        inputs: &ReferenceInputs<'_>,
    ) -> Result<Vec<ExpectedValues>, ReferenceError> {
        let tensors: Vec<StoredTensor> = inputs
            .tensors
            .iter()
            .zip(&problem.inputs)
            .enumerate()
            .map(|(at, (input, declared))| {
                as_numpy(input, declared.shape(), inputs.nearby.get(at).and_then(Option::as_deref))
            })
            .collect();
        let store = Store::new(&self.cache, self.key(problem, &tensors)?);
        let names: Vec<&str> = problem.outputs.iter().map(|output| output.name.as_str()).collect();
        let expected = |outputs: &[StoredTensor]| -> Result<Vec<ExpectedValues>, ReferenceError> {
            let from = self.full_name();
            let declared = problem.outputs.iter().zip(outputs);
            declared.map(|(declared, output)| output.expected(&from, declared)).collect()
        };
        if let Some(outputs) = store.load(&names) {
            return expected(&outputs);
        }
        let outputs = self.run(problem, &tensors)?;
        // Only what can be used is kept.
        let values = expected(&outputs)?;
        store.save(&names, &outputs)?;
        Ok(values)
    }

    fn is_function(&self) -> bool {
        true
    }
}

impl PythonReference {
    fn full_name(&self) -> String {
        format!("{}::{}", self.name, self.function)
    }

    fn file_error(path: &Path, error: &std::io::Error) -> ReferenceError {
        ReferenceError::File { path: path.to_owned(), reason: error.to_string() }
    }

    /// Everything that the result depends on.
    fn key(&self, problem: &Problem, tensors: &[StoredTensor]) -> Result<Digest, ReferenceError> {
        let source = std::fs::read(&self.path).map_err(|e| Self::file_error(&self.path, &e))?;
        let mut text = format!("{}\n", self.function);
        for axis in &problem.axes {
            text.push_str(&format!("axis {}={}\n", axis.name, axis.length));
        }
        for scalar in &problem.scalars {
            text.push_str(&format!("scalar {}={:?} {}\n", scalar.name, scalar.value, scalar.dtype));
        }
        for (tensor, declared) in tensors.iter().zip(&problem.inputs) {
            text.push_str(&format!(
                "input {} {} {:?}\n",
                declared.name, tensor.dtype, tensor.shape
            ));
        }
        let fixed = [("driver", DRIVER.as_bytes()), ("source", &source), ("call", text.as_bytes())];
        let inputs = tensors.iter().map(|tensor| ("input", tensor.bytes.as_slice()));
        Ok(Digest::of_parts(fixed.into_iter().chain(inputs)))
    }

    fn run(
        &self,
        problem: &Problem,
        tensors: &[StoredTensor],
    ) -> Result<Vec<StoredTensor>, ReferenceError> {
        let fail = |error: std::io::Error| Self::file_error(&self.cache, &error);
        std::fs::create_dir_all(&self.cache).map_err(fail)?;
        let folder =
            tempfile::Builder::new().prefix("reference-").tempdir_in(&self.cache).map_err(fail)?;
        let folder = folder.path();
        self.write_request(folder, problem, tensors)?;
        let mut command = Command::new(&self.interpreter);
        command.arg("-B").arg(folder.join("driver.py")).arg(folder);
        let log = folder.join("log.txt");
        let ended = process::run(&mut command, &log, self.time_limit).map_err(|error| {
            ReferenceError::PythonMissing {
                interpreter: self.interpreter.clone(),
                reason: error.to_string(),
            }
        })?;
        let status = match ended {
            Ended::TimedOut => {
                let (function, limit) = (self.full_name(), self.time_limit);
                return Err(ReferenceError::PythonTimeout { function, limit });
            }
            Ended::Exited(status) => status,
        };
        let crash = || ReferenceError::PythonCrash {
            function: self.full_name(),
            status: status.to_string(),
            stderr: process::tail(&log),
        };
        let response = std::fs::read(folder.join("response.json")).map_err(|_| crash())?;
        match serde_json::from_slice(&response).map_err(|_| crash())? {
            Response::Failed { error } => Err(self.failure(error)),
            Response::Done { outputs, present } => {
                self.collect(folder, problem, &outputs, &present)
            }
        }
    }

    fn write_request(
        &self,
        folder: &Path,
        problem: &Problem,
        tensors: &[StoredTensor],
    ) -> Result<(), ReferenceError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|error| Self::file_error(&path, &error))
        };
        let mut described = Vec::new();
        for (at, (tensor, declared)) in tensors.iter().zip(&problem.inputs).enumerate() {
            let file = format!("input-{at}.bin");
            write(&file, &tensor.bytes)?;
            let (name, numpy) = (declared.name.clone(), numpy_name(tensor.dtype).to_owned());
            described.push(Tensor { name, numpy, shape: tensor.shape.clone(), file });
        }
        let scalars = problem.scalars.iter().map(|scalar| {
            let value = if scalar.dtype.is_float() {
                Number::Real(scalar.value)
            } else {
                Number::Integer(scalar.value as i64)
            };
            (scalar.name.as_str(), value)
        });
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let request = Request {
            path: &path,
            function: &self.function,
            tensors: described,
            scalars: scalars.collect(),
            axes: problem.axes.iter().map(|axis| (axis.name.as_str(), axis.length)).collect(),
            outputs: problem.outputs.iter().map(|output| output.name.as_str()).collect(),
        };
        let request = serde_json::to_vec(&request).map_err(|error| ReferenceError::File {
            path: folder.join("request.json"),
            reason: error.to_string(),
        })?;
        write("request.json", &request)?;
        write("driver.py", DRIVER.as_bytes())
    }

    fn failure(&self, failure: Failure) -> ReferenceError {
        if failure.kind == "numpy" {
            return ReferenceError::NumpyMissing {
                interpreter: self.interpreter.clone(),
                reason: failure.message,
            };
        }
        ReferenceError::PythonException {
            function: self.full_name(),
            message: failure.message,
            traceback: failure.traceback,
        }
    }

    fn collect(
        &self,
        folder: &Path,
        problem: &Problem,
        outputs: &[Tensor],
        names: &[String],
    ) -> Result<Vec<StoredTensor>, ReferenceError> {
        let tensors = problem.outputs.iter().map(|declared| {
            let output =
                outputs.iter().find(|output| output.name == declared.name).ok_or_else(|| {
                    ReferenceError::MissingOutput {
                        from: self.full_name(),
                        output: declared.name.clone(),
                        present: present(names.iter().map(String::as_str)),
                    }
                })?;
            let wrong_type = || ReferenceError::WrongType {
                from: self.full_name(),
                tensor: declared.name.clone(),
                got: output.numpy.clone(),
                expected: declared.dtype,
            };
            let dtype = from_numpy(&output.numpy).ok_or_else(wrong_type)?;
            let path = folder.join(&output.file);
            let bytes = std::fs::read(&path).map_err(|error| Self::file_error(&path, &error))?;
            let tensor = StoredTensor { dtype, shape: output.shape.clone(), bytes };
            tensor.check_shape(&self.full_name(), declared)?;
            Ok(tensor)
        });
        tensors.collect()
    }
}

/// A tensor as NumPy can hold it: types that it lacks as binary32, which holds them exactly.
fn as_numpy(input: &InputTensor, shape: Vec<u64>, nearby: Option<&[f64]>) -> StoredTensor {
    if let Some(values) = nearby {
        return StoredTensor { dtype: Dtype::F64, shape, bytes: encode_slice(Dtype::F64, values) };
    }
    match input.dtype {
        Dtype::Bf16 | Dtype::F8e4m3 | Dtype::F8e5m2 => {
            let values = decode_slice(input.dtype, &input.bytes);
            StoredTensor { dtype: Dtype::F32, shape, bytes: encode_slice(Dtype::F32, &values) }
        }
        Dtype::F64
        | Dtype::F32
        | Dtype::F16
        | Dtype::I64
        | Dtype::I32
        | Dtype::I16
        | Dtype::I8
        | Dtype::U32
        | Dtype::U8
        | Dtype::Bool => StoredTensor { dtype: input.dtype, shape, bytes: input.bytes.to_vec() },
    }
}

/// NumPy's type names, with the byte order where there is one.
const NUMPY: [(Dtype, &str); 10] = [
    (Dtype::F64, "<f8"),
    (Dtype::F32, "<f4"),
    (Dtype::F16, "<f2"),
    (Dtype::I64, "<i8"),
    (Dtype::I32, "<i4"),
    (Dtype::I16, "<i2"),
    (Dtype::I8, "i1"),
    (Dtype::U32, "<u4"),
    (Dtype::U8, "u1"),
    (Dtype::Bool, "?"),
];

fn numpy_name(dtype: Dtype) -> &'static str {
    NUMPY.iter().find(|(own, _)| *own == dtype).map_or("u1", |(_, name)| name)
}

fn from_numpy(name: &str) -> Option<Dtype> {
    NUMPY.iter().find(|(_, own)| own.trim_start_matches('<') == name).map(|(dtype, _)| *dtype)
}
