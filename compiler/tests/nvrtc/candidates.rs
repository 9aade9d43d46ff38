//! From a spec and a candidate to an artifact.

use std::path::Path;
use std::sync::Arc;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_spec::kernel::{KernelSpec, Language};
use ridge_spec::outcome::Rejection;
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

use crate::toolkit::{config, toolkit, write_files};

const SPEC: &str = r#"
schema = 1
[kernel]
name = "scale"
language = "cuda"
source = "scale.cu"
entry = "scale<{T}, {cols}, Mode::{mode}>"
options = ["--maxrregcount={registers}", "--use_fast_math"]
[types]
T = ["bf16", "f32"]
[axes]
rows = "dynamic"
cols = "specialized"
[inputs]
x = { shape = ["rows", "cols"], dtype = "T" }
[outputs]
y = { shape = ["rows", "cols"], dtype = "T" }
[reference]
math = "y = x * 2"
[tolerance]
absolute = 1e-2
relative = 1e-2
[space.parameters]
mode = ["plain", "twice"]
registers = [0, 64]
threads = [64, 128]
[launch]
arguments = ["x", "y", "rows"]
grid = ["rows"]
block = ["threads"]
[[workloads]]
name = "small"
axes = { rows = 3, cols = 128 }
types = { T = "bf16" }
role = "verify"
"#;

const SOURCE: &str = "#include <cuda_bf16.h>
enum class Mode { plain, twice };
template <class T, int cols, Mode mode>
__global__ void scale(const T* x, T* y, int rows) {
  static_assert(cols == RIDGE_COLS && mode == Mode::RIDGE_MODE, \"macros agree\");
  RIDGE_T value = x[blockIdx.x * cols + threadIdx.x];
  y[blockIdx.x * cols + threadIdx.x] = value + value;
}
";

fn profile() -> DeviceProfile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/profiles/h200.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The unit of a candidate on the spec's first workload.
fn unit(
    spec: &KernelSpec,
    sources: &Arc<Sources>,
    candidate: &Candidate,
) -> Result<Unit, Rejection> {
    let profile = profile();
    let instance = spec.bind(&spec.workloads[0], &profile).unwrap();
    Unit::of_candidate(spec, Arc::clone(sources), &instance, candidate, profile.architecture)
}

#[test]
fn puts_a_candidate_into_entry_options_and_macros() {
    let Some(toolkit) = toolkit() else { return };
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &[("scale.cu", SOURCE)]);
    let sources =
        Arc::new(Sources::load(folder.path(), "scale.cu", &toolkit.include_folders).unwrap());
    let mut compiler = Compiler::new(config(toolkit, 1), None);
    let mut check = |options: &str, candidate: &str, expected: &str| {
        let text = SPEC.replace("--use_fast_math", options);
        let spec = KernelSpec::parse("kernel.toml", &text).unwrap();
        let candidate = Candidate::parse(candidate).unwrap();
        let result = unit(&spec, &sources, &candidate)
            .and_then(|unit| compiler.compile(unit).unwrap())
            .map(|artifact| artifact.manifest);
        let answer = match result {
            Ok(manifest) => {
                format!("{} {}", manifest.entry_symbol, manifest.options[7..].join(" "))
            }
            Err(rejection) => rejection.summary(),
        };
        assert_eq!(answer, expected);
    };
    check(
        "--use_fast_math",
        "mode=twice,registers=64,threads=64",
        "_Z5scaleI13__nv_bfloat16Li128EL4Mode1EEvPKT_PS2_i --maxrregcount=64 --use_fast_math \
         -DRIDGE_T=__nv_bfloat16 -DRIDGE_COLS=128 -DRIDGE_MODE=twice",
    );
    check(
        "-fmad=false",
        "mode=plain,registers=0,threads=128",
        "_Z5scaleI13__nv_bfloat16Li128EL4Mode0EEvPKT_PS2_i --fmad=false -DRIDGE_T=__nv_bfloat16 \
         -DRIDGE_COLS=128 -DRIDGE_MODE=plain",
    );
    check(
        "-I/etc",
        "mode=plain,registers=0,threads=128",
        "does not compile: the option `-I/etc` is not in the allow-list (--maxrregcount, \
         --use_fast_math, --fmad, --ftz, --prec-div, --prec-sqrt, --extra-device-vectorization, \
         --restrict, --device-int128, --disable-warnings, \
         --device-as-default-execution-space, --jump-table-density, --std, -D)",
    );
    check(
        "-fmad=false",
        "mode=once,registers=0,threads=128",
        "does not compile: in the entry `scale<__nv_bfloat16, 128, Mode::once>`: enum \"Mode\" has \
         no member \"once\"",
    );
}

#[test]
fn compiles_the_default_candidate_of_every_kernel() {
    let Some(toolkit) = toolkit() else { return };
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels");
    let mut compiler = Compiler::new(config(toolkit, 2), None);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(kernels).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(folder.join("kernel.toml")) else { continue };
        let spec = KernelSpec::parse("kernel.toml", &text).unwrap();
        let (Language::Cuda { source, .. }, Some(candidate)) =
            (&spec.language, &spec.space.default)
        else {
            continue;
        };
        let sources = Sources::load(&folder, source, &toolkit.include_folders).unwrap();
        compiler.submit(names.len() as u64, unit(&spec, &Arc::new(sources), candidate).unwrap());
        names.push(spec.name.to_string());
    }
    assert!(!names.is_empty());
    while let Some(finished) = compiler.recv().unwrap() {
        let name = &names[usize::try_from(finished.id).unwrap()];
        let artifact = finished.result.unwrap_or_else(|why| panic!("{name}: {}", why.summary()));
        assert_eq!(artifact.manifest.resources.spill_store_bytes, 0, "{name}");
    }
}
