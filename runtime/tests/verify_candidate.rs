//! Verification of candidates on a device that computes what a test tells it to.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on fails; numbers are exact by construction"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use ridge_runtime::device::{
    BlockSelection, BufferContent, Device, DeviceError, Execution, ExecutionReport, OutputBuffer,
};
use ridge_runtime::numeric::{decode_slice, encode_slice};
use ridge_runtime::profiles;
use ridge_runtime::verify::reference::{MathReference, ReferenceInputs};
use ridge_runtime::verify::{
    Distribution, ExpectedValues, Launch, Problem, Reference, ReferenceError, ReferenceSet,
    Verdict, VerifyError, VerifyOptions, verify,
};
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{self, KernelSpec};
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{Finding, FindingKind, Rejection};
use ridge_spec::target::Architecture;

/// A kernel of single precision: from rows of each input to a row of the output.
type Row = fn(&[&[f32]], &mut [f32]);

/// Computes one output row by row, then does to the report what the test wants.
struct FakeDevice<F: Fn(usize, &mut ExecutionReport) + Send + Sync> {
    row: Row,
    spoil: F,
    n_runs: AtomicUsize,
}

impl<F: Fn(usize, &mut ExecutionReport) + Send + Sync> FakeDevice<F> {
    fn new(row: Row, spoil: F) -> Self {
        Self { row, spoil, n_runs: AtomicUsize::new(0) }
    }
}

impl<F: Fn(usize, &mut ExecutionReport) + Send + Sync> Device for FakeDevice<F> {
    fn name(&self) -> &str {
        "fake"
    }

    fn execute(&self, execution: &Execution<'_>) -> Result<ExecutionReport, DeviceError> {
        let mut inputs: Vec<Vec<f32>> = Vec::new();
        let mut output = None;
        for buffer in execution.buffers {
            match &buffer.content {
                BufferContent::Input(bytes) | BufferContent::InOut(bytes) => {
                    let values = decode_slice(buffer.dtype, bytes);
                    inputs.push(values.into_iter().map(|v| v as f32).collect());
                }
                BufferContent::Output { .. } => output = Some(buffer),
            }
        }
        let output = output.unwrap();
        let n = output.content.size_bytes() / output.dtype.size_bytes();
        let [n_rows, ..] = execution.launch.grid;
        let n_rows = n_rows as usize;
        let matrix = inputs.iter().map(Vec::len).max().unwrap();
        let mut values = vec![0.0_f32; usize::try_from(n).unwrap()];
        for (at, row) in values.chunks_mut(usize::try_from(n).unwrap() / n_rows).enumerate() {
            // An input without rows, such as a weight, is the same for each.
            let part = |input: &Vec<f32>| {
                let cols = input.len() / n_rows;
                if input.len() == matrix { at * cols..(at + 1) * cols } else { 0..input.len() }
            };
            let rows: Vec<&[f32]> = inputs.iter().map(|input| &input[part(input)]).collect();
            (self.row)(&rows, row);
        }
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let bytes = encode_slice(output.dtype, &values);
        let written = vec![u64::MAX; bytes.len().div_ceil(64)];
        let outputs = vec![OutputBuffer { name: output.name.clone(), bytes, written }];
        let mut report =
            ExecutionReport { outputs, blocks_run: n_rows as u64, ..ExecutionReport::default() };
        (self.spoil)(self.n_runs.fetch_add(1, Ordering::SeqCst), &mut report);
        Ok(report)
    }
}

const ROWS: u64 = 24;

/// A spec of `x[rows, cols]`, `u[rows, cols]` and `weight[cols]` with this math.
fn problem(
    math: &str,
    output: &str,
    dtype: &str,
    tolerance: f64,
) -> (KernelSpec, kernel::Instance) {
    let used = |name: &str| math.split(|c: char| !c.is_alphanumeric()).any(|word| word == name);
    let declare = |name: &str, shape: &str| {
        if used(name) {
            format!("{name} = {{ shape = {shape}, dtype = \"T\" }}\n")
        } else {
            String::new()
        }
    };
    let text = format!(
        "schema = 1\n[kernel]\nname = \"rows\"\nlanguage = \"cube\"\n\
         [types]\nT = [\"f32\", \"f16\", \"bf16\"]\n\
         [axes]\nrows = \"dynamic\"\ncols = \"specialized\"\n\
         [inputs]\n{}{}{}{}\
         [outputs]\ny = {{ shape = {output}, dtype = \"T\" }}\n\
         [reference]\nmath = \"\"\"\n{math}\n\"\"\"\n\
         [tolerance]\nabsolute = {tolerance}\nrelative = {tolerance}\n\
         [[workloads]]\nname = \"small\"\naxes = {{ rows = {ROWS}, cols = 333 }}\n\
         types = {{ T = \"{dtype}\" }}\nrole = \"verify\"\n",
        declare("x", "[\"rows\", \"cols\"]"),
        declare("u", "[\"rows\", \"cols\"]"),
        declare("weight", "[\"cols\"]"),
        if used("eps") { "eps = { dtype = \"f32\", default = 1e-6 }\n" } else { "" },
    );
    let spec = KernelSpec::parse("kernel.toml", &text).unwrap();
    let instance = spec.bind(&spec.workloads[0], profiles::find("h200").unwrap()).unwrap();
    (spec, instance)
}

fn references(math: &str, output: &str, dtype: &str, tolerance: f64) -> ReferenceSet {
    let (spec, instance) = problem(math, output, dtype, tolerance);
    let kernel::Reference::Math(program) = &spec.reference else { panic!("not math") };
    let program = Arc::new(program.with_types(instance.types()));
    let reference = Arc::new(MathReference::new(program));
    ReferenceSet::new(Problem::of(&spec, &instance), reference, u64::MAX)
}

fn artifact() -> Artifact {
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: "rows".to_owned(),
        target: Architecture::parse("sm_90a").unwrap(),
        toolkit: "none".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    Artifact::new(manifest, String::new(), Vec::new())
}

fn options(distributions: &[Distribution]) -> VerifyOptions {
    VerifyOptions {
        distributions: distributions.to_vec(),
        seed: 3,
        blocks: BlockSelection::All,
        instructions_per_block: 1 << 20,
        repeat: true,
        keep_going: true,
    }
}

fn try_run(
    references: &ReferenceSet,
    device: &dyn Device,
    options: &VerifyOptions,
) -> Result<Verdict, VerifyError> {
    let config = LaunchConfig {
        grid: [u32::try_from(ROWS).unwrap(), 1, 1],
        block: [32, 1, 1],
        shared_memory_bytes: 0,
        cluster: None,
        programmatic: false,
    };
    verify(references, device, &Launch { artifact: &artifact(), config, arguments: &[] }, options)
}

fn run(references: &ReferenceSet, device: &dyn Device, distributions: &[Distribution]) -> Verdict {
    try_run(references, device, &options(distributions)).unwrap()
}

const RMS_NORM: &str = "y = x * rsqrt(mean(x * x, cols) + eps) * weight";
const MATRIX: &str = "[\"rows\", \"cols\"]";

/// A sum as a warp makes it: a partial sum for each lane, then these.
fn warp_sum(values: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0_f32; 32];
    for (at, value) in values.enumerate() {
        lanes[at % 32] += value;
    }
    lanes.iter().sum()
}

fn rms_norm_over(rows: &[&[f32]], y: &mut [f32], n: usize) {
    let square = warp_sum(rows[0][..n].iter().map(|x| x * x));
    let scale = 1.0 / (square / n as f32 + 1e-6).sqrt();
    for ((y, x), weight) in y.iter_mut().zip(rows[0]).zip(rows[1]) {
        *y = x * scale * weight;
    }
}

fn rms_norm(rows: &[&[f32]], y: &mut [f32]) {
    rms_norm_over(rows, y, rows[0].len());
}

fn soft_max(rows: &[&[f32]], y: &mut [f32]) {
    let most = rows[0].iter().fold(f32::NEG_INFINITY, |most, x| most.max(x * 3.7));
    let total = warp_sum(rows[0].iter().map(|x| (x * 3.7 - most).exp()));
    for (y, x) in y.iter_mut().zip(rows[0]) {
        *y = (x * 3.7 - most).exp() / total;
    }
}

fn layer_norm(rows: &[&[f32]], y: &mut [f32]) {
    let n = rows[0].len() as f32;
    let mean = warp_sum(rows[0].iter().copied()) / n;
    let variance = warp_sum(rows[0].iter().map(|x| (x - mean) * (x - mean))) / n;
    for (y, x) in y.iter_mut().zip(rows[0]) {
        *y = (x - mean) / (variance + 1e-6).sqrt();
    }
}

fn row_sum(rows: &[&[f32]], y: &mut [f32]) {
    y[0] = warp_sum(rows[0].iter().copied());
}

fn silu_mul(rows: &[&[f32]], y: &mut [f32]) {
    for ((y, x), u) in y.iter_mut().zip(rows[0]).zip(rows[1]) {
        *y = x / (1.0 + (-x).exp()) * u;
    }
}

#[test]
fn honest_kernels_of_single_precision_pass_every_hostile_distribution() {
    let soft = "s = x * 3.7\nm = max(s, cols)\ne = exp(s - m)\ny = e / sum(e, cols)";
    let layer = "d = x - mean(x, cols)\ny = d * rsqrt(mean(d * d, cols) + eps)";
    let kernels: [(&str, &str, &str, Row); 5] = [
        ("rms-norm", RMS_NORM, MATRIX, rms_norm),
        ("soft-max", soft, MATRIX, soft_max),
        ("layer-norm", layer, MATRIX, layer_norm),
        ("row-sum", "y = sum(x, cols)", "[\"rows\"]", row_sum),
        ("silu-mul", "y = x * sigmoid(x) * u", MATRIX, silu_mul),
    ];
    let mut distributions = vec![Distribution::Normal, Distribution::Uniform];
    distributions.extend(Distribution::ALL_HOSTILE);
    for (name, math, output, row) in kernels {
        for (dtype, tolerance) in [("f32", 1e-5), ("bf16", 1e-2), ("f16", 1e-2)] {
            let references = references(math, output, dtype, tolerance);
            let device = FakeDevice::new(row, |_, _| {});
            let verdict = run(&references, &device, &distributions);
            assert_eq!(verdict.n_cases, 9);
            if let Some(rejection) = verdict.rejection {
                panic!("{name} {dtype}: {}", rejection.summary());
            }
        }
    }
}

#[test]
fn a_dropped_tail_shows_where_normal_inputs_hide_it() {
    let references = references(RMS_NORM, MATRIX, "bf16", 1e-2);
    let device = FakeDevice::new(|rows, y| rms_norm_over(rows, y, rows[0].len() - 1), |_, _| {});
    assert!(run(&references, &device, &[Distribution::Normal]).rejection.is_none());
    let verdict = run(&references, &device, &[Distribution::Normal, Distribution::RaggedTail]);
    let Some(Rejection::Incorrect(mismatch)) = &verdict.rejection else { panic!("{verdict:?}") };
    assert_eq!(mismatch.inputs.as_ref().unwrap().distribution, "ragged-tail");
    assert_eq!(verdict.outputs[0].distribution, "ragged-tail");
    assert_eq!(verdict.outputs[0].n_compared, 2 * ROWS * 333);
    assert!(verdict.outputs[0].worst_ratio > 1.0);
}

#[test]
fn sums_in_half_precision_do_not_pass_for_single() {
    let references = references("y = sum(x, cols)", "[\"rows\"]", "f32", 1e-5);
    let device = FakeDevice::new(
        |rows, y| {
            let round = |v: f32| half::bf16::from_f32(v).to_f32();
            y[0] = rows[0].iter().fold(0.0, |sum, x| round(sum + x));
        },
        |_, _| {},
    );
    for distribution in [Distribution::Normal, Distribution::WideRange, Distribution::Cancellation]
    {
        let verdict = run(&references, &device, &[distribution]);
        assert_eq!(verdict.rejection.unwrap().code(), "incorrect", "{distribution}");
    }
}

fn finding(kind: FindingKind) -> Finding {
    Finding {
        kind,
        message: "it is wrong".to_owned(),
        source: None,
        inlined_at: Vec::new(),
        other: None,
        instruction: None,
        buffer: None,
        offset_bytes: None,
        block: [0; 3],
        thread: None,
        lanes: 1,
        occurrences: 1,
    }
}

#[test]
fn a_fault_comes_before_a_wrong_value() {
    let references = references(RMS_NORM, MATRIX, "f32", 1e-5);
    let kinds = [
        (FindingKind::OutOfBounds, "out_of_bounds"),
        (FindingKind::Race, "race"),
        (FindingKind::Timeout, "timeout"),
        (FindingKind::Trap, "crash"),
        (FindingKind::UnwrittenOutput, "unwritten_output"),
        (FindingKind::Unsupported, "unsupported"),
    ];
    for (kind, code) in kinds {
        let device = FakeDevice::new(
            |_, y| y.fill(9.0),
            move |_, report| report.findings = vec![finding(kind), finding(FindingKind::Race)],
        );
        let verdict = run(&references, &device, &[Distribution::Normal, Distribution::OneHot]);
        assert_eq!(verdict.findings.len(), 2);
        let rejection = verdict.rejection.unwrap();
        assert_eq!(rejection.code(), code);
        if code == "timeout" {
            assert!(matches!(rejection, Rejection::Timeout { limit: Some(_), .. }));
        }
    }
}

#[test]
fn runs_that_differ_are_told_apart_bit_by_bit() {
    let references = references(RMS_NORM, MATRIX, "f32", 1e-5);
    let device = FakeDevice::new(rms_norm, |n_run, report| {
        if n_run == 1 {
            report.outputs[0].bytes[4 * (333 + 2)] ^= 1;
        }
    });
    let verdict = run(&references, &device, &[Distribution::Normal]);
    let Some(Rejection::Nondeterministic { index, n_different, n_elements, .. }) =
        verdict.rejection
    else {
        panic!("{verdict:?}")
    };
    assert_eq!((index, n_different, n_elements), (vec![1, 2], 1, ROWS * 333));
    let once = VerifyOptions { repeat: false, ..options(&[Distribution::Normal]) };
    let device = FakeDevice::new(rms_norm, |_, _| {});
    assert!(try_run(&references, &device, &once).unwrap().rejection.is_none());
    assert_eq!(device.n_runs.load(Ordering::SeqCst), 1);
}

#[test]
fn stops_at_the_first_failure_unless_told_to_go_on() {
    let references = references(RMS_NORM, MATRIX, "f32", 1e-5);
    let device = FakeDevice::new(|_, y| y.fill(1.0), |_, _| {});
    let all = options(&Distribution::ALL_HOSTILE);
    let verdict = try_run(&references, &device, &all).unwrap();
    assert_eq!((verdict.n_cases, verdict.mismatches.len()), (7, 7));
    let first = VerifyOptions { keep_going: false, ..all };
    let verdict = try_run(&references, &device, &first).unwrap();
    assert_eq!((verdict.n_cases, verdict.mismatches.len()), (1, 1));
}

/// Counts how often it is asked.
struct Counting {
    inner: MathReference,
    n_asked: Mutex<usize>,
}

impl Reference for Counting {
    fn evaluate(
        &self,
        problem: &Problem,
        inputs: &ReferenceInputs<'_>,
    ) -> Result<Vec<ExpectedValues>, ReferenceError> {
        *self.n_asked.lock().unwrap() += 1;
        self.inner.evaluate(problem, inputs)
    }

    fn is_function(&self) -> bool {
        true
    }
}

#[test]
fn a_case_is_made_once_for_any_number_of_candidates() {
    let (spec, instance) = problem(RMS_NORM, MATRIX, "f32", 1e-5);
    let kernel::Reference::Math(program) = &spec.reference else { panic!("not math") };
    let inner = MathReference::new(Arc::clone(program));
    let counting = Arc::new(Counting { inner, n_asked: Mutex::new(0) });
    let make = |limit| {
        ReferenceSet::new(Problem::of(&spec, &instance), Arc::clone(&counting) as Arc<_>, limit)
    };
    let n_asked = || *counting.n_asked.lock().unwrap();
    let references = make(u64::MAX);
    (0..40).into_par_iter().for_each(|_| {
        let device = FakeDevice::new(rms_norm, |_, _| {});
        let verdict = run(&references, &device, &[Distribution::Normal, Distribution::OneHot]);
        assert!(verdict.rejection.is_none());
    });
    assert_eq!(n_asked(), 2);
    // With room for one case, going back and forth makes them again.
    let small = make(1);
    for distribution in [Distribution::Normal, Distribution::OneHot, Distribution::Normal] {
        small.case(distribution, 3).unwrap();
        small.case(distribution, 3).unwrap();
    }
    assert_eq!(n_asked(), 5);
}

#[test]
fn indices_stay_inside_the_axis_they_index() {
    let text = "schema = 1\n[kernel]\nname = \"gather\"\nlanguage = \"cube\"\n\
        [axes]\nrows = \"dynamic\"\nvocabulary = \"dynamic\"\n\
        [inputs]\ntable = { shape = [\"vocabulary\"], dtype = \"f32\" }\n\
        token = { shape = [\"rows\"], dtype = \"i32\" }\n\
        [outputs]\ny = { shape = [\"rows\"], dtype = \"f32\" }\n\
        [reference]\nmath = \"y = take(table, token, vocabulary)\"\n\
        [tolerance]\nabsolute = 0.0\nrelative = 0.0\n\
        [[workloads]]\nname = \"w\"\naxes = { rows = 500, vocabulary = 11 }\nrole = \"verify\"\n";
    let spec = KernelSpec::parse("kernel.toml", text).unwrap();
    let instance = spec.bind(&spec.workloads[0], profiles::find("h200").unwrap()).unwrap();
    let problem = Problem::of(&spec, &instance);
    assert_eq!(problem.inputs[1].bounds, Some(0..11));
    let kernel::Reference::Math(program) = &spec.reference else { panic!("not math") };
    let reference = Arc::new(MathReference::new(Arc::clone(program)));
    let references = ReferenceSet::new(problem, reference, u64::MAX);
    for distribution in Distribution::ALL {
        let case = references.case(distribution, 5).unwrap();
        let tokens = decode_slice(Dtype::I32, &case.inputs[1].bytes);
        let table = decode_slice(Dtype::F32, &case.inputs[0].bytes);
        for (at, token) in tokens.iter().enumerate() {
            let (got, row) = (case.expected[0].values.get(at), table[*token as usize]);
            assert!(got == row || got.is_nan() && row.is_nan());
        }
    }
}
