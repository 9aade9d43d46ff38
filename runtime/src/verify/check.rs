//! Verifying one candidate: run it, look at what it did wrong, compare what it left.

use ridge_spec::artifact::Artifact;
use ridge_spec::counters::Counters;
use ridge_spec::kernel::LaunchPlan;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::outcome::{ElementError, Finding, Limit, Mismatch, Rejection};

use super::case::{Case, ReferenceSet};
use super::compare::{CompareError, CompareRequest, Comparison, Expected, compare};
use super::distribution::Distribution;
use super::inputs::InputError;
use super::reference::ReferenceError;
use super::repeat::first_difference;
use crate::device::{
    BlockSelection, Buffer, BufferContent, Device, DeviceError, Execution, ExecutionReport,
};
use crate::numeric::codec::element_size;

/// What to run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The compiled candidate.
    pub artifact: &'a Artifact,
    /// Its launch.
    pub config: LaunchConfig,
    /// Its arguments, in order; tensors by the problem's names.
    pub arguments: &'a [Argument],
}

impl<'a> Launch<'a> {
    /// The launch of an artifact as the spec plans it.
    pub fn new(artifact: &'a Artifact, plan: &'a LaunchPlan) -> Self {
        Self { artifact, config: plan.config, arguments: &plan.arguments }
    }
}

/// How thoroughly to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// The kinds of inputs, in order. A reference with inputs of its own has only those, once.
    pub distributions: Vec<Distribution>,
    /// Seed of the inputs.
    pub seed: u64,
    /// Which thread blocks run.
    pub blocks: BlockSelection,
    /// Warp instructions one block may issue before it counts as endless.
    pub instructions_per_block: u64,
    /// Run the first case once more and compare the outputs bit for bit.
    pub repeat: bool,
    /// Go on to the other cases after one that fails, to report them all.
    pub keep_going: bool,
}

/// What verification found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Why the candidate is refused; `None` where nothing is wrong.
    pub rejection: Option<Rejection>,
    /// Every fault of the first run that had any.
    pub findings: Vec<Finding>,
    /// Every mismatch, in the order found.
    pub mismatches: Vec<Mismatch>,
    /// What the first run counted; `None` where the device does not count.
    pub counters: Option<Counters>,
    /// Thread blocks that the first run ran.
    pub blocks_run: u64,
    /// Each output's largest error over all cases, in the problem's order.
    pub outputs: Vec<OutputSummary>,
    /// Cases that were run.
    pub n_cases: u32,
}

/// How an output did over all cases.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputSummary {
    /// Its name.
    pub output: String,
    /// Elements compared, all cases together.
    pub n_compared: u64,
    /// The largest error divided by what the tolerance allows there; up to 1 is within bounds.
    pub worst_ratio: f64,
    /// The element that has it; `None` where nothing differs at all.
    pub worst: Option<ElementError>,
    /// The inputs it happened with.
    pub distribution: String,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There are no expected outputs.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The device cannot answer.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The device, the reference and the problem do not have the same outputs.
    #[error(transparent)]
    Shape(#[from] CompareError),
    /// The device left out an output.
    #[error("device `{device}` returned no output `{output}`")]
    MissingOutput {
        /// The device.
        device: String,
        /// The output.
        output: String,
    },
    /// An image of device memory does not hold the problem's tensors.
    #[error("the image of set {set} does not hold `{tensor}` as the problem has it")]
    Image {
        /// The set.
        set: u32,
        /// The tensor.
        tensor: String,
    },
}

impl VerifyError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reference(error) => error.code(),
            Self::Device(DeviceError::InvalidExecution { .. }) => "device.invalid-execution",
            Self::Device(DeviceError::Lost { .. }) => "device.lost",
            Self::Shape(_) | Self::MissingOutput { .. } | Self::Image { .. } => {
                "verify.outputs-disagree"
            }
        }
    }
}

/// Verifies a candidate on a device against a problem's reference.
///
/// The first case that fails decides the rejection; within it a fault of the execution comes before
/// a wrong value, for it explains it. A candidate that fails is a verdict, never an error.
///
/// # Errors
/// When inputs or expected outputs cannot be made, or the device cannot answer.
pub fn verify(
    references: &ReferenceSet,
    device: &dyn Device,
    launch: &Launch<'_>,
    options: &VerifyOptions,
) -> Result<Verdict, VerifyError> {
    let mut verdict = Verdict::default();
    for (at, &distribution) in options.distributions.iter().enumerate() {
        let case = references.case(distribution, options.seed)?;
        let is_own = case.inputs_used.distribution != distribution.name();
        if is_own && at > 0 {
            break;
        }
        let rejection = run_case(references, device, launch, options, &case, &mut verdict)?;
        verdict.n_cases += 1;
        if verdict.rejection.is_none() {
            verdict.rejection = rejection;
        }
        if verdict.rejection.is_some() && !options.keep_going {
            break;
        }
    }
    Ok(verdict)
}

fn run_case(
    references: &ReferenceSet,
    device: &dyn Device,
    launch: &Launch<'_>,
    options: &VerifyOptions,
    case: &Case,
    verdict: &mut Verdict,
) -> Result<Option<Rejection>, VerifyError> {
    let buffers = buffers(references, case)?;
    let execution = Execution {
        artifact: launch.artifact,
        launch: launch.config,
        arguments: launch.arguments,
        buffers: &buffers,
        blocks: options.blocks,
        instructions_per_block: options.instructions_per_block,
    };
    let report = device.execute(&execution)?;
    if verdict.n_cases == 0 {
        verdict.counters.clone_from(&report.counters);
        verdict.blocks_run = report.blocks_run;
    }
    if report.refused.is_some() {
        return Ok(report.refused);
    }
    if let Some(finding) = report.findings.first() {
        let rejection = from_finding(finding.clone(), options);
        if verdict.findings.is_empty() {
            verdict.findings = report.findings;
        }
        return Ok(Some(rejection));
    }
    let mut rejection = None;
    for (output, comparison) in
        compare_all(references, device, case, &report)?.into_iter().enumerate()
    {
        record(&mut verdict.outputs, output, case, &comparison);
        if let Some(mismatch) = comparison.mismatch {
            verdict.mismatches.push((*mismatch).clone());
            rejection.get_or_insert(Rejection::Incorrect(mismatch));
        }
    }
    if rejection.is_none() && options.repeat && verdict.n_cases == 0 {
        let again = device.execute(&execution)?;
        rejection = again
            .refused
            .or_else(|| again.findings.first().map(|one| from_finding(one.clone(), options)))
            .or_else(|| first_difference(references.problem(), &report.outputs, &again.outputs));
    }
    Ok(rejection)
}

/// The rejection of a finding, with the budget that ran out where one did.
fn from_finding(finding: Finding, options: &VerifyOptions) -> Rejection {
    match Rejection::from_finding(finding) {
        Rejection::Timeout { phase, limit: None, finding } => Rejection::Timeout {
            phase,
            limit: Some(Limit::Instructions(options.instructions_per_block)),
            finding,
        },
        other => other,
    }
}

fn buffers(references: &ReferenceSet, case: &Case) -> Result<Vec<Buffer>, VerifyError> {
    let declared = &references.problem().inputs;
    let inputs = case.inputs.iter().map(|input| {
        Ok(Buffer {
            name: input.name.clone(),
            dtype: input.dtype,
            content: BufferContent::Input(input.bytes.clone()),
            constant: declared.iter().any(|one| one.constant && one.name == input.name),
        })
    });
    let outputs = references.problem().outputs.iter().map(|output| {
        let size = output
            .n_elements()
            .and_then(|n| n.checked_mul(element_size(output.dtype)))
            .ok_or_else(|| {
                ReferenceError::from(InputError::TooLarge { name: output.name.clone() })
            })?;
        Ok(Buffer {
            name: output.name.clone(),
            dtype: output.dtype,
            content: BufferContent::Output { size_bytes: size as u64 },
            constant: false,
        })
    });
    inputs.chain(outputs).collect()
}

/// Compares every output of a report.
fn compare_all(
    references: &ReferenceSet,
    device: &dyn Device,
    case: &Case,
    report: &ExecutionReport,
) -> Result<Vec<Comparison>, VerifyError> {
    let outputs = references.problem().outputs.iter().enumerate();
    let compared = outputs.map(|(at, output)| {
        let found = report.outputs.iter().find(|left| left.name == output.name);
        let buffer = found.ok_or_else(|| VerifyError::MissingOutput {
            device: device.name().to_owned(),
            output: output.name.clone(),
        })?;
        let left = Left { bytes: &buffer.bytes, written: Some(&buffer.written), initial: None };
        compare_output(references, case, at, left).map(|(comparison, _)| comparison)
    });
    compared.collect()
}

/// What a kernel left in an output; the fields are those of [`CompareRequest`].
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) written: Option<&'a [u64]>,
    pub(super) initial: Option<&'a [u8]>,
}

/// Compares the output at that place of the problem with what the case expects; one that is wrong
/// only for want of slack is right. Also returns the expectation that decided.
pub(super) fn compare_output<'a>(
    references: &'a ReferenceSet,
    case: &'a Case,
    at: usize,
    left: Left<'_>,
) -> Result<(Comparison, &'a Expected), VerifyError> {
    let problem = references.problem();
    let missing = || VerifyError::MissingOutput {
        device: "reference".to_owned(),
        output: problem.outputs.get(at).map_or_else(|| at.to_string(), |one| one.name.clone()),
    };
    let output = problem.outputs.get(at).ok_or_else(missing)?;
    let tolerance = problem.tolerance_of(output);
    let run = |expected: &Expected| {
        compare(&CompareRequest {
            output: &output.name,
            dtype: output.dtype,
            axes: &output.axes,
            bytes: left.bytes,
            written: left.written,
            initial: left.initial,
            expected,
            tolerance,
            inputs: Some(&case.inputs_used),
        })
    };
    let expected = case.expected.get(at).ok_or_else(missing)?;
    let comparison = run(expected)?;
    // Where bits must agree there is nothing to be lenient about.
    let is_exact = tolerance.absolute == 0.0 && tolerance.relative == 0.0;
    if comparison.mismatch.is_some()
        && !is_exact
        && let Some(tolerant) = references.tolerant(case)?
    {
        let expected = tolerant.get(at).ok_or_else(missing)?;
        return Ok((run(expected)?, expected));
    }
    Ok((comparison, expected))
}

/// Adds a case's comparison to the output's summary.
pub(super) fn record(
    summaries: &mut Vec<OutputSummary>,
    at: usize,
    case: &Case,
    comparison: &Comparison,
) {
    if summaries.len() <= at {
        summaries.push(OutputSummary {
            output: comparison.output.clone(),
            n_compared: 0,
            worst_ratio: 0.0,
            worst: None,
            distribution: case.inputs_used.distribution.clone(),
        });
    }
    let summary = &mut summaries[at];
    summary.n_compared += comparison.n_compared;
    if comparison.worst_ratio > summary.worst_ratio {
        summary.worst_ratio = comparison.worst_ratio;
        summary.worst.clone_from(&comparison.worst);
        summary.distribution.clone_from(&case.inputs_used.distribution);
    }
}
