//! References outside the spec: Python functions and golden files.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails; numbers are exact by construction"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ridge_runtime::numeric::{decode_slice, encode_slice};
use ridge_runtime::verify::reference::{
    GoldenReference, InputTensor, PythonReference, ReferenceInputs,
};
use ridge_runtime::verify::{
    Distribution, ExpectedValues, Problem, Reference, ReferenceError, ReferenceSet, ScalarValue,
    TensorShape,
};
use ridge_spec::dtype::Dtype;
use ridge_spec::outcome::{AxisLength, ToleranceUsed};
use safetensors::tensor::TensorView;

fn tensor(name: &str, dtype: Dtype, axes: &[(&str, u64)]) -> TensorShape {
    let axis = |(name, length): &(&str, u64)| AxisLength { name: (*name).into(), length: *length };
    let axes = axes.iter().map(axis).collect();
    TensorShape { name: name.into(), dtype, axes, bounds: None, constant: false, tolerance: None }
}

/// `y[rows, cols] = x[rows, cols] * weight[cols] + shift`, `n[rows]` in integers.
fn problem() -> Problem {
    let (rows, cols) = (("rows", 4), ("cols", 6));
    Problem {
        workload: "small".into(),
        axes: tensor("", Dtype::F32, &[rows, cols]).axes,
        inputs: vec![
            tensor("x", Dtype::Bf16, &[rows, cols]),
            tensor("weight", Dtype::F16, &[cols]),
        ],
        scalars: vec![ScalarValue { name: "shift".into(), dtype: Dtype::F32, value: 0.5 }],
        outputs: vec![tensor("y", Dtype::Bf16, &[rows, cols]), tensor("n", Dtype::I64, &[rows])],
        tolerance: ToleranceUsed { absolute: 1e-2, relative: 1e-2, matched_ratio: 1.0 },
    }
}

fn inputs() -> Vec<InputTensor> {
    let make = |name: &str, dtype, n: u32| {
        let values: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.25 - 2.0).collect();
        InputTensor { name: name.into(), dtype, bytes: encode_slice(dtype, &values).into() }
    };
    vec![make("x", Dtype::Bf16, 24), make("weight", Dtype::F16, 6)]
}

fn python(folder: &Path, source: &str, limit: Duration) -> PythonReference {
    let path = folder.join("reference.py");
    std::fs::write(&path, source).unwrap();
    PythonReference {
        interpreter: PathBuf::from("python3"),
        path,
        name: "reference.py".into(),
        function: "run".into(),
        time_limit: limit,
        cache: folder.join("cache"),
    }
}

fn evaluate(reference: &dyn Reference) -> Result<Vec<ExpectedValues>, ReferenceError> {
    reference.evaluate(&problem(), &ReferenceInputs::of(&inputs()))
}

/// Whether this machine's Python can run references; where it cannot, every source fails alike.
fn has_numpy() -> bool {
    let status = Command::new("python3").args(["-c", "import numpy"]).output();
    status.is_ok_and(|output| output.status.success())
}

/// Runs a source and gives the code of its error, and what it says.
fn check_fails(source: &str, code: &str, said: &str) {
    let folder = tempfile::tempdir().unwrap();
    let error = evaluate(&python(folder.path(), source, Duration::from_secs(60))).unwrap_err();
    let (code, said) =
        if has_numpy() { (code, said) } else { ("reference.numpy-missing", "NumPy") };
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(said), "{error}");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("cache")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

const HONEST: &str = "
import os
import numpy as np

def run(x, weight, shift, **axes):
    assert x.dtype == np.float32 and x.shape == (4, 6), x
    assert weight.dtype == np.float16 and axes == {'rows': 4, 'cols': 6}
    with open(os.path.join(os.path.dirname(__file__), 'runs'), 'a') as file:
        file.write('x')
    return {'y': x * weight + shift, 'n': np.arange(axes['rows']) + 2 ** 60}
";

#[test]
fn a_python_function_runs_once_and_is_remembered() {
    if !has_numpy() {
        check_fails(HONEST, "", "");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let reference = python(folder.path(), HONEST, Duration::from_secs(60));
    let outputs = evaluate(&reference).unwrap();
    let (x, weight) = (&inputs()[0], &inputs()[1]);
    let x = decode_slice(x.dtype, &x.bytes);
    let weight = decode_slice(weight.dtype, &weight.bytes);
    let expected: Vec<f64> = x.iter().enumerate().map(|(i, x)| x * weight[i % 6] + 0.5).collect();
    assert_eq!(outputs[0], ExpectedValues::Real(Arc::new(expected)));
    let counted: Vec<i64> = (0..4).map(|i| (1 << 60) + i).collect();
    assert_eq!(outputs[1], ExpectedValues::Integer(Arc::new(counted)));
    let runs = || std::fs::read_to_string(folder.path().join("runs")).unwrap().len();
    assert_eq!(evaluate(&reference).unwrap(), outputs);
    assert_eq!(runs(), 1);
    // A kept result that was damaged is made again.
    let kept: Vec<_> = std::fs::read_dir(folder.path().join("cache")).unwrap().collect();
    let kept = kept[0].as_ref().unwrap().path();
    let mut bytes = std::fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&kept, bytes).unwrap();
    assert_eq!(evaluate(&reference).unwrap(), outputs);
    assert_eq!(runs(), 2);
}

#[test]
fn what_goes_wrong_in_python_is_told_apart() {
    check_fails("def run(:\n", "reference.python-exception", "SyntaxError");
    check_fails("def walk(): pass\n", "reference.python-exception", "has no function run");
    check_fails(
        "def run(x): raise ValueError('no luck')\n",
        "reference.python-exception",
        "no luck",
    );
    check_fails("def run(x, y): pass\n", "reference.python-exception", "'y'");
    check_fails("def run(x): return x\n", "reference.python-exception", "a dict of outputs");
    check_fails("def run(x): return {'z': x}\n", "reference.missing-output", "only `z`");
    check_fails("def run(x): return {'y': x}\n", "reference.missing-output", "`n`");
    check_fails("def run(x): return {'y': x.T, 'n': x[:, 0]}\n", "reference.wrong-shape", "[6, 4]");
    check_fails(
        "def run(x): return {'y': x, 'n': x[:, 0] + 0.1}\n",
        "reference.wrong-type",
        "cannot stand for `i64`",
    );
    check_fails("import os\ndef run(x): os._exit(7)\n", "reference.python-crash", "exit status: 7");
    check_fails("def run(x): exit()\n", "reference.python-exception", "SystemExit");
}

#[test]
fn a_traceback_names_the_users_lines_only() {
    if !has_numpy() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = "def deep(x):\n    return x.nothing\n\ndef run(x):\n    return deep(x)\n";
    let error = evaluate(&python(folder.path(), source, Duration::from_secs(60))).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains("line 2, in deep") && hint.contains("line 5, in run"), "{hint}");
    assert!(!hint.contains("driver.py"), "{hint}");
}

#[test]
fn a_function_that_does_not_end_is_stopped() {
    let source = "import time\ndef run(x):\n    time.sleep(1000)\n";
    let folder = tempfile::tempdir().unwrap();
    let error = evaluate(&python(folder.path(), source, Duration::from_millis(1500))).unwrap_err();
    let code = if has_numpy() { "reference.python-timeout" } else { "reference.numpy-missing" };
    assert_eq!(error.code(), code);
}

#[test]
fn an_interpreter_that_is_not_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut reference = python(folder.path(), HONEST, Duration::from_secs(60));
    reference.interpreter = PathBuf::from("/nowhere/python3");
    let error = evaluate(&reference).unwrap_err();
    assert_eq!(error.code(), "reference.python-missing");
    assert!(error.to_string().starts_with("the Python interpreter `/nowhere/python3` cannot"));
}

/// Writes a golden file of the tensors given, as (name, dtype, shape, values).
fn golden(folder: &Path, tensors: &[(&str, Dtype, &[usize], &[f64])]) -> GoldenReference {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, dtype, _, values)| encode_slice(*dtype, values)).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, dtype, shape, _), bytes)| {
        let dtype = match dtype {
            Dtype::Bf16 => safetensors::Dtype::BF16,
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::I64 => safetensors::Dtype::I64,
            _ => safetensors::Dtype::F32,
        };
        (*name, TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
    });
    let path = folder.join("golden.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    GoldenReference::open(&path, "golden.safetensors").unwrap()
}

#[test]
fn a_golden_file_brings_its_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let (x, weight) = ([0.5; 24], [2.0; 6]);
    let (y, n) = ([1.25; 24], [1.0, 2.0, 3.0, 4.0]);
    let reference = golden(
        folder.path(),
        &[
            ("x", Dtype::Bf16, &[4, 6], &x),
            ("weight", Dtype::F16, &[6], &[7.0; 6]),
            ("small/weight", Dtype::F16, &[6], &weight),
            ("y", Dtype::F32, &[4, 6], &y),
            ("n", Dtype::I64, &[4], &n),
        ],
    );
    let references = ReferenceSet::new(problem(), Arc::new(reference), u64::MAX);
    let case = references.case(Distribution::WideRange, 1).unwrap();
    assert_eq!(case.inputs_used.distribution, "golden");
    assert_eq!(decode_slice(Dtype::Bf16, &case.inputs[0].bytes), x);
    assert_eq!(decode_slice(Dtype::F16, &case.inputs[1].bytes), weight);
    assert_eq!(case.expected[0].values, ExpectedValues::Real(Arc::new(y.to_vec())));
    assert_eq!(case.expected[1].values, ExpectedValues::Integer(Arc::new(vec![1, 2, 3, 4])));
    assert!(references.tolerant(&case).unwrap().is_none());
}

#[test]
fn what_a_golden_file_lacks_is_told_apart() {
    let x: (&str, Dtype, &[usize], &[f64]) = ("x", Dtype::Bf16, &[4, 6], &[0.5; 24]);
    let weight: (&str, Dtype, &[usize], &[f64]) = ("weight", Dtype::F16, &[6], &[0.5; 6]);
    let check = |tensors: &[(&str, Dtype, &[usize], &[f64])], code: &str| {
        let folder = tempfile::tempdir().unwrap();
        let reference = golden(folder.path(), tensors);
        let references = ReferenceSet::new(problem(), Arc::new(reference), u64::MAX);
        assert_eq!(references.case(Distribution::Normal, 1).unwrap_err().code(), code);
    };
    check(&[x], "reference.missing-input");
    check(&[x, weight], "reference.missing-output");
    check(&[x, ("weight", Dtype::F32, &[6], &[0.5; 6])], "reference.wrong-type");
    check(&[x, ("weight", Dtype::F16, &[5], &[0.5; 5])], "reference.wrong-shape");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden.safetensors");
    let open = || GoldenReference::open(&path, "golden").err().unwrap();
    assert_eq!(open().code(), "reference.file");
    std::fs::write(&path, b"not tensors").unwrap();
    assert!(open().to_string().contains("not a safetensors file"));
}

#[test]
fn what_memory_cannot_hold_is_refused_before_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let reference = python(folder.path(), "def run(**_): return {}", Duration::from_secs(10));
    let huge = Problem {
        inputs: vec![tensor("x", Dtype::U8, &[("rows", 1 << 40), ("cols", 64)])],
        outputs: vec![tensor("y", Dtype::U8, &[("rows", 1 << 40), ("cols", 64)])],
        ..problem()
    };
    let references = ReferenceSet::new(huge, Arc::new(reference), u64::MAX);
    let error = references.case(Distribution::Normal, 1).unwrap_err();
    assert_eq!(error.code(), "reference.too-large");
    assert_eq!(error.to_string(), "workload `small` takes 1829588 GB of memory to check");
}
