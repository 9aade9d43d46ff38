//! What works here, each thing proved by running it.

use std::sync::Arc;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::toolchain::Toolkit;
use ridge_runtime::device::{BlockSelection, Buffer, BufferContent, Device as _, Execution};
use ridge_runtime::emulator::Emulator;
use ridge_runtime::profiles;
use ridge_spec::artifact::Artifact;
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::{Architecture, DeviceProfile};

use crate::answer::{ANSWER_SCHEMA, DoctorAnswer, DoctorCheck};
use crate::error::PipelineError;
use crate::event::{Event, Observer};
use crate::setup::Setup;

/// The kernel that is compiled and run: every thread adds one to its element.
const KERNEL: &str = "extern \"C\" __global__ void add_one(const float* x, float* y) {\n    const \
                      int i = blockIdx.x * blockDim.x + threadIdx.x;\n    y[i] = x[i] + 1.0f;\n}\n";

/// Elements of its tensors.
const ELEMENTS: usize = 256;

/// Looks at everything the main job needs.
pub fn run(setup: &Setup, observer: &dyn Observer) -> DoctorAnswer {
    let mut checks = vec![cache(setup)];
    match setup.toolkit(observer) {
        Err(error) => checks.push(failed("cuda compiler", &error)),
        Ok(toolkit) => {
            checks.push(worked(
                "cuda compiler",
                format!("{} from {}", toolkit.name(), toolkit.nvrtc.display()),
            ));
            for (profile, _) in profiles::list() {
                checks.push(target(setup, &toolkit, profile));
            }
        }
    }
    observer.notify(Event::SearchEnded);
    let able = checks.iter().all(|check| check.works);
    DoctorAnswer { schema: ANSWER_SCHEMA, able, checks }
}

fn worked(name: &str, detail: String) -> DoctorCheck {
    DoctorCheck { name: name.to_owned(), works: true, detail, hint: None }
}

fn failed(name: &str, error: &PipelineError) -> DoctorCheck {
    DoctorCheck {
        name: name.to_owned(),
        works: false,
        detail: format!("{error} [{}]", error.code()),
        hint: error.hint(),
    }
}

/// Whether the cache folder takes files.
fn cache(setup: &Setup) -> DoctorCheck {
    let tried = setup.cache_folder().and_then(|folder| {
        let error = |source| PipelineError::Write { path: folder.clone(), source };
        std::fs::create_dir_all(folder).map_err(error)?;
        tempfile::NamedTempFile::new_in(folder).map_err(error)?;
        Ok(folder.display().to_string())
    });
    match tried {
        Ok(folder) => worked("cache", folder),
        Err(error) => failed("cache", &error),
    }
}

/// Compiles a kernel for a target and runs it in the emulator.
fn target(setup: &Setup, toolkit: &Toolkit, profile: &DeviceProfile) -> DoctorCheck {
    let name = format!("target {}", profile.name);
    match compile(setup, toolkit, profile.architecture).and_then(|artifact| emulate(&artifact)) {
        Ok(detail) => worked(&name, format!("{}: {detail}", profile.architecture)),
        Err(problem) => DoctorCheck {
            name,
            works: false,
            detail: problem,
            hint: Some("run with `RIDGE_LOG=debug` for the compiler's log".to_owned()),
        },
    }
}

fn compile(
    setup: &Setup,
    toolkit: &Toolkit,
    architecture: Architecture,
) -> Result<Artifact, String> {
    let sources = Sources::from_text("add_one.cu", KERNEL, &toolkit.include_folders)
        .map_err(|error| error.to_string())?;
    let unit = Unit::new(Arc::new(sources), "add_one", &[], &[], architecture)
        .map_err(|rejection| rejection.summary())?;
    Compiler::new(setup.pool_config(toolkit.clone()), None)
        .compile(unit)
        .map_err(|error| error.to_string())?
        .map_err(|rejection| rejection.summary())
}

fn emulate(artifact: &Artifact) -> Result<String, String> {
    let input: Vec<u8> = std::iter::successors(Some(0.0f32), |value| Some(value + 0.5))
        .take(ELEMENTS)
        .flat_map(f32::to_le_bytes)
        .collect();
    let buffer = |name: &str, content| Buffer { name: name.to_owned(), dtype: Dtype::F32, content };
    let buffers = [
        buffer("x", BufferContent::Input(input.clone().into())),
        buffer("y", BufferContent::Output { size_bytes: input.len() as u64 }),
    ];
    let tensor = |name: &str| Argument::Tensor { name: name.to_owned() };
    let execution = Execution {
        artifact,
        launch: LaunchConfig {
            grid: [2, 1, 1],
            block: [128, 1, 1],
            shared_memory_bytes: 0,
            cluster: None,
            programmatic: false,
        },
        arguments: &[tensor("x"), tensor("y")],
        buffers: &buffers,
        blocks: BlockSelection::All,
        instructions_per_block: 10_000,
    };
    let report = Emulator::new().execute(&execution).map_err(|error| error.to_string())?;
    if let Some(finding) = report.findings.first() {
        return Err(finding.to_string());
    }
    let expected: Vec<u8> = input
        .chunks_exact(4)
        .filter_map(|bytes| bytes.try_into().ok())
        .flat_map(|bytes| (f32::from_le_bytes(bytes) + 1.0).to_le_bytes())
        .collect();
    match report.outputs.first() {
        Some(output) if output.bytes == expected => {
            let sectors = report.counters.map_or(0, |counters| counters.global_load.sectors);
            Ok(format!("compiled, run in the emulator, right; {sectors} sectors loaded"))
        }
        _ => Err("the emulator computed something else".to_owned()),
    }
}
