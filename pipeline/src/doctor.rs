//! What works here, each thing proved by running it.

use std::sync::Arc;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::toolchain::Toolkit;
use ridge_runtime::cuda;
use ridge_runtime::device::{BlockSelection, Buffer, BufferContent, Device, Execution};
use ridge_runtime::emulator::Emulator;
use ridge_runtime::measure::DeviceFacts;
use ridge_runtime::profiles;
use ridge_runtime::worker::IsolatedDevice;
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
                observer.notify(Event::Step(&format!("trying target {}", profile.name)));
                checks.push(target(setup, &toolkit, profile));
            }
            checks.extend(gpus(setup, &toolkit, observer));
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
    let tried = compile(setup, toolkit, profile.architecture)
        .and_then(|artifact| execute(&Emulator::new(), &artifact));
    match tried {
        Ok(sectors) => {
            let sectors = sectors.unwrap_or_default();
            let detail = format!("compiled, run in the emulator, right; {sectors} sectors loaded");
            worked(&name, format!("{}: {detail}", profile.architecture))
        }
        Err(problem) => DoctorCheck {
            name,
            works: false,
            detail: problem,
            hint: Some("run with `RIDGE_LOG=debug` for the compiler's log".to_owned()),
        },
    }
}

/// One entry for each GPU, or one that says why there is none: that stops nothing.
fn gpus(setup: &Setup, toolkit: &Toolkit, observer: &dyn Observer) -> Vec<DoctorCheck> {
    let listed = match cuda::list() {
        Ok(listed) if !listed.is_empty() => listed,
        Ok(_) => return vec![no_gpu("the driver lists no device", None)],
        Err(error) => return vec![no_gpu(&error.to_string(), Some(error.hint().to_owned()))],
    };
    listed
        .iter()
        .zip(0u32..)
        .map(|(facts, ordinal)| {
            let name = format!("cuda:{ordinal}");
            observer.notify(Event::Step(&format!("trying {name}")));
            gpu(setup, toolkit, &name, facts)
        })
        .collect()
}

fn no_gpu(reason: &str, hint: Option<String>) -> DoctorCheck {
    let detail = format!("none, the emulator is used: {reason}");
    DoctorCheck { name: "cuda".to_owned(), works: true, detail, hint }
}

/// Compiles a kernel for a GPU and runs it there, in a worker.
fn gpu(setup: &Setup, toolkit: &Toolkit, name: &str, facts: &DeviceFacts) -> DoctorCheck {
    // The board's own profile knows whether its architecture has a suffix.
    let architecture =
        profiles::builtin(&facts.name).map_or(facts.architecture, |profile| profile.architecture);
    let tried = compile(setup, toolkit, architecture).and_then(|artifact| {
        let device = IsolatedDevice::start(setup.device_worker.clone(), name)
            .map_err(|error| error.to_string())?;
        execute(&device, &artifact)
    });
    let board = board(facts);
    match tried {
        Ok(_) => worked(name, format!("{board}: compiled, run there, right")),
        Err(problem) => DoctorCheck {
            name: name.to_owned(),
            works: false,
            detail: format!("{board}: {problem}"),
            hint: Some(
                "see whether `nvidia-smi` lists it without errors; `--device emulator` needs no GPU"
                    .to_owned(),
            ),
        },
    }
}

/// What a GPU is: board, memory, driver, and whether a profile describes it.
fn board(facts: &DeviceFacts) -> String {
    let cuda = facts.cuda_version;
    let profile = match profiles::builtin(&facts.name) {
        Some(profile) => format!("target {}", profile.name),
        None => "no target of its own".to_owned(),
    };
    format!(
        "{} ({}, {} multiprocessors, {:.1} GB, {:.0} MB of L2), driver {} for CUDA {}.{}, {profile}",
        facts.name,
        facts.architecture,
        facts.multiprocessors,
        facts.memory_bytes as f64 / 1e9,
        facts.l2_bytes as f64 / 1e6,
        facts.driver,
        cuda / 1000,
        cuda % 1000 / 10,
    )
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

/// Runs the kernel; the sectors it loaded, where the device counts them.
fn execute(device: &dyn Device, artifact: &Artifact) -> Result<Option<u64>, String> {
    let input: Vec<u8> = std::iter::successors(Some(0.0f32), |value| Some(value + 0.5))
        .take(ELEMENTS)
        .flat_map(f32::to_le_bytes)
        .collect();
    let buffer = |name: &str, content| Buffer {
        name: name.to_owned(),
        dtype: Dtype::F32,
        content,
        constant: false,
    };
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
    let report = device.execute(&execution).map_err(|error| error.to_string())?;
    if let Some(refused) = &report.refused {
        return Err(refused.summary());
    }
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
            Ok(report.counters.map(|counters| counters.global_load.sectors))
        }
        _ => Err(format!("`{}` computed something else", device.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_in_a_line() {
        let facts = |name: &str| DeviceFacts {
            name: name.to_owned(),
            architecture: Architecture::parse("sm_90").unwrap(),
            driver: "580.159.04".to_owned(),
            cuda_version: 13_010,
            multiprocessors: 132,
            l2_bytes: 62_914_560,
            memory_bytes: 150_109_880_320,
        };
        assert_eq!(
            board(&facts("NVIDIA H200")),
            "NVIDIA H200 (sm_90, 132 multiprocessors, 150.1 GB, 63 MB of L2), driver 580.159.04 \
             for CUDA 13.1, target h200"
        );
        assert!(board(&facts("NVIDIA H20")).ends_with("no target of its own"));
    }

    #[test]
    fn a_machine_without_a_gpu_is_able() {
        let check = no_gpu("the library `libcuda.so.1` of the CUDA driver is not found", None);
        assert!(check.works);
        assert_eq!(
            check.detail,
            "none, the emulator is used: the library `libcuda.so.1` of the CUDA driver is not found"
        );
    }
}
