//! A GPU in a worker process, and kernels for it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader};
use std::time::Duration;

use ridge_runtime::cuda::{self, CudaDevice};
use ridge_runtime::device::{
    BlockSelection, Buffer, BufferContent, Device, Execution, ExecutionReport,
};
use ridge_runtime::measure::TimingDevice;
use ridge_runtime::worker::{IsolatedDevice, IsolationLimits, WorkerCommand, serve};
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::Architecture;

/// Where the worker's protocol goes: standard output is the test harness's.
const PROTOCOL: &str = "/proc/self/fd/3";

/// How long one execution may take in a worker of these tests.
pub(crate) const EXECUTION_LIMIT: Duration = Duration::from_millis(1500);

/// Whether there is a GPU; says what is skipped where there is none.
///
/// Fails where the environment requires one.
pub(crate) fn has_gpu(what: &str) -> bool {
    let reason = match cuda::list() {
        Ok(devices) if !devices.is_empty() => return true,
        Ok(_) => "the driver shows no device".to_owned(),
        Err(error) => error.to_string(),
    };
    let required = std::env::var_os("RIDGE_REQUIRE_GPU").is_some();
    assert!(!required, "RIDGE_REQUIRE_GPU is set, but {reason}");
    println!("skipped {what}: {reason}");
    false
}

/// This test as a worker: the harness's own output goes elsewhere.
fn worker() -> WorkerCommand {
    let run = "RIDGE_TEST_ROLE=worker exec \"$0\" --exact support::acts_as_a_worker --nocapture \
               3>&1 1>&2";
    let arguments = [OsString::from("-c"), run.into(), std::env::current_exe().unwrap().into()];
    WorkerCommand { program: "sh".into(), arguments: arguments.into() }
}

/// The worker's process, which other tests start.
#[test]
fn acts_as_a_worker() {
    if std::env::var_os("RIDGE_TEST_ROLE").is_none_or(|role| role != "worker") {
        return;
    }
    let open = |_: &str| -> Result<Box<dyn TimingDevice>, String> {
        let device = CudaDevice::open(0).map_err(|error| error.to_string())?;
        Ok(Box::new(device.with_execution_limit(EXECUTION_LIMIT)))
    };
    let output = File::options().write(true).open(PROTOCOL).unwrap();
    let code = i32::from(serve(open, BufReader::new(io::stdin()), output).is_err());
    std::process::exit(code);
}

/// The first GPU, in a worker process.
pub(crate) fn isolated() -> IsolatedDevice {
    IsolatedDevice::start_with(worker(), "cuda:0", IsolationLimits::default()).unwrap()
}

/// A kernel in PTX that the driver compiles: parameters and body of `k`.
pub(crate) fn kernel(parameters: &str, body: &str) -> Artifact {
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: "k".to_owned(),
        target: Architecture::parse("sm_90").unwrap(),
        toolkit: "test".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    let ptx = format!(
        ".version 7.8\n.target sm_90\n.address_size 64\n\
         .visible .entry k({parameters})\n{{\n{body}\n}}\n"
    );
    Artifact::new(manifest, ptx, Vec::new())
}

/// The body of a kernel of one input and one output of 32-bit words, one element a thread: `p` is
/// the address of the thread's input, `q` of its output, `v` the input's value, `i` its index.
pub(crate) fn elementwise(rest: &str) -> Artifact {
    let head = "
  .reg .pred c; .reg .b32 b, n, t, i, v, w; .reg .b64 p, q, r;
  ld.param.u64 p, [in]; ld.param.u64 q, [out];
  mov.u32 b, %ctaid.x; mov.u32 n, %ntid.x; mov.u32 t, %tid.x;
  mad.lo.u32 i, b, n, t;
  mad.wide.u32 p, i, 4, p; mad.wide.u32 q, i, 4, q;
  ld.global.u32 v, [p];";
    kernel(".param .u64 in, .param .u64 out", &format!("{head}\n{rest}"))
}

/// Adds 1 to each element.
pub(crate) fn increment() -> Artifact {
    elementwise("add.u32 v, v, 1; st.global.u32 [q], v; ret;")
}

/// The arguments of [`elementwise`] kernels.
pub(crate) fn in_out() -> [Argument; 2] {
    ["in", "out"].map(|name| Argument::Tensor { name: name.to_owned() })
}

/// A launch of that many threads, 64 a block.
pub(crate) fn threads(n: u32) -> LaunchConfig {
    LaunchConfig {
        grid: [n / 64, 1, 1],
        block: [64, 1, 1],
        shared_memory_bytes: 0,
        cluster: None,
        programmatic: false,
    }
}

/// `n` words from `from` on.
pub(crate) fn words(from: u32, n: u32) -> Vec<u8> {
    (from..from + n).flat_map(u32::to_le_bytes).collect()
}

/// Runs an [`elementwise`] kernel on `1000..1000 + n`.
pub(crate) fn execute(
    device: &dyn Device,
    artifact: &Artifact,
    launch: LaunchConfig,
    n: u32,
) -> ExecutionReport {
    let buffer = |name: &str, content| Buffer {
        name: name.to_owned(),
        dtype: Dtype::U32,
        content,
        constant: false,
    };
    let buffers = [
        buffer("in", BufferContent::Input(words(1000, n).into())),
        buffer("out", BufferContent::Output { size_bytes: u64::from(n) * 4 }),
    ];
    let execution = Execution {
        artifact,
        launch,
        arguments: &in_out(),
        buffers: &buffers,
        blocks: BlockSelection::All,
        instructions_per_block: 1 << 20,
    };
    device.execute(&execution).unwrap()
}
