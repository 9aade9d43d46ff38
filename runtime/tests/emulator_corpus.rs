//! The emulator says of every planted bug what it is and where, and nothing of honest kernels.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its files fails")]
#![allow(unreachable_pub, reason = "the corpus is shared by several test binaries")]

mod corpus;

use std::collections::BTreeMap;
use std::sync::Arc;

use corpus::{Argument, Case, Expectation, Role};
use ridge_runtime::device::{
    BlockSelection, Buffer, BufferContent, Device, Execution, ExecutionReport,
};
use ridge_runtime::emulator::{Emulator, EmulatorOptions};
use ridge_runtime::numeric::{decode_slice, encode_slice};
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch;
use ridge_spec::outcome::{Finding, FindingKind};
use ridge_spec::target::Architecture;

fn artifact(case: &Case) -> Artifact {
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: case.entry.clone(),
        target: Architecture::parse("sm_90a").unwrap(),
        toolkit: "nvrtc 13.0".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    Artifact::new(manifest, case.ptx(), Vec::new())
}

fn buffers(case: &Case) -> Vec<Buffer> {
    let mut buffers = Vec::new();
    for argument in &case.arguments {
        let Argument::Buffer { name, dtype, elements, role, constant, fill } = argument else {
            continue;
        };
        let values: Vec<f64> = match fill {
            Some(fill) => (0..*elements).map(|index| fill.value(index)).collect(),
            None => Vec::new(),
        };
        let bytes: Arc<[u8]> = encode_slice(*dtype, &values).into();
        let content = match role {
            Role::Input => BufferContent::Input(bytes),
            Role::Output => {
                BufferContent::Output { size_bytes: *elements as u64 * dtype.size_bytes() }
            }
            Role::Inout => BufferContent::InOut(bytes),
        };
        buffers.push(Buffer { name: name.clone(), dtype: *dtype, content, constant: *constant });
    }
    buffers
}

fn arguments(case: &Case) -> Vec<launch::Argument> {
    let argument = |argument: &Argument| match argument {
        Argument::Buffer { name, .. } => launch::Argument::Tensor { name: name.clone() },
        Argument::Scalar { name, dtype, value } => {
            launch::Argument::Scalar { name: name.clone(), dtype: *dtype, value: *value }
        }
    };
    case.arguments.iter().map(argument).collect()
}

fn execute(case: &Case, emulator: &Emulator) -> ExecutionReport {
    let (artifact, buffers, arguments) = (artifact(case), buffers(case), arguments(case));
    let execution = Execution {
        artifact: &artifact,
        launch: case.launch,
        arguments: &arguments,
        buffers: &buffers,
        blocks: BlockSelection::All,
        instructions_per_block: 1 << 18,
    };
    emulator.execute(&execution).unwrap()
}

fn lines(finding: &Finding) -> Vec<u32> {
    [&finding.source, &finding.other].into_iter().flatten().map(|source| source.line).collect()
}

/// What is wrong with the report of a case, if anything.
fn verdict(case: &Case, report: &ExecutionReport) -> Result<(), String> {
    let all: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let (kinds, marked, buffer) = match &case.expect {
        Expectation::Clean if all.is_empty() => return values(case, report),
        Expectation::Clean => return Err(format!("flags an honest kernel: {all:#?}")),
        Expectation::Finding { kinds, lines, buffer } => (kinds, lines, buffer),
    };
    let Some(first) = report.findings.first() else { return Err("finds nothing".to_owned()) };
    let found = report.findings.iter().find(|finding| {
        kinds.contains(&finding.kind)
            && (marked.is_empty() || lines(finding).iter().any(|line| marked.contains(line)))
            && (buffer.is_none() || finding.buffer == *buffer)
    });
    match found {
        None => Err(format!("expects {kinds:?} at {marked:?} of {buffer:?}: {all:#?}")),
        Some(_) if !kinds.contains(&first.kind) => {
            Err(format!("puts another finding first: {all:#?}"))
        }
        Some(_) => Ok(()),
    }
}

fn values(case: &Case, report: &ExecutionReport) -> Result<(), String> {
    let Some(expected) = &case.expected else { return Ok(()) };
    let dtypes: BTreeMap<&str, Dtype> = case
        .arguments
        .iter()
        .filter_map(|argument| match argument {
            Argument::Buffer { name, dtype, .. } => Some((name.as_str(), *dtype)),
            Argument::Scalar { .. } => None,
        })
        .collect();
    let output = report.outputs.iter().find(|output| output.name == expected.buffer).unwrap();
    let values = decode_slice(dtypes[expected.buffer.as_str()], &output.bytes);
    let close = |got: f64, wanted: f64| (got - wanted).abs() <= expected.relative * wanted.abs();
    if let Some(sum) = expected.sum {
        let got: f64 = values.iter().sum();
        if !close(got, sum) {
            return Err(format!("the sum is {got}, not {sum}"));
        }
    }
    for (index, wanted) in &expected.at {
        let got = values[index.parse::<usize>().unwrap()];
        if !close(got, *wanted) {
            return Err(format!("element {index} is {got}, not {wanted}"));
        }
    }
    Ok(())
}

#[test]
fn every_planted_bug_is_found_and_no_honest_kernel_is_flagged() {
    let emulator = Emulator::new();
    let mut wrong = Vec::new();
    for case in corpus::load() {
        if let Err(message) = verdict(&case, &execute(&case, &emulator)) {
            wrong.push(format!("{} ({}): {message}", case.name, case.about));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// What of the findings does not depend on which block came first: what, where, on which buffer.
fn gist(report: &ExecutionReport) -> Vec<String> {
    let gist =
        |finding: &Finding| format!("{:?} {:?} {:?}", finding.kind, finding.source, finding.buffer);
    report.findings.iter().map(gist).collect()
}

#[test]
fn findings_and_counts_do_not_depend_on_the_number_of_threads() {
    let with = |threads| Emulator::with_options(EmulatorOptions { threads: Some(threads) });
    let (one, three) = (with(1), with(3));
    let mut n_exact = 0;
    for case in corpus::load() {
        let (a, b) = (execute(&case, &one), execute(&case, &three));
        assert_eq!(gist(&a), gist(&b), "{}", case.name);
        // Blocks that race or contend for an atomic really run otherwise when they run together:
        // another lane is caught first, a compare-and-swap is tried again.
        let contend = a.counters.is_none_or(|counts| counts.global_atomic.requests > 0);
        let race = a.findings.iter().any(|finding| finding.kind == FindingKind::Race);
        if a.blocks_run == 1 || !(contend || race) {
            n_exact += 1;
            assert_eq!(a.findings, b.findings, "{}", case.name);
            assert_eq!(a.counters, b.counters, "{}", case.name);
        }
    }
    assert!(n_exact > 100, "only {n_exact} cases are compared exactly");
}
