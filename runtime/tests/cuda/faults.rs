//! Planted faults: each costs its candidate its rejection, and the next one nothing.

use std::time::Duration;

use ridge_runtime::device::Device;
use ridge_runtime::measure::{Stage, TimingDevice, TimingPlan};
use ridge_runtime::verify::Launch;
use ridge_spec::artifact::Artifact;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::Rejection;

use crate::support::{
    elementwise, execute, has_gpu, in_out, increment, isolated, kernel, threads, words,
};
use crate::timing::{check_images, plan, request};

const N: u32 = 4096;

/// Evaluates a candidate with a fault, and after it one without; then the same as executions.
#[track_caller]
fn check(faulty: &Artifact, launch: LaunchConfig, expected: &str) {
    if !has_gpu(expected) {
        return;
    }
    let device = isolated();
    {
        let mut stage = device.stage(request(N)).unwrap();
        let rejection = reject(stage.as_mut(), faulty, launch);
        println!("{expected}: {}", rejection.summary());
        assert_eq!(rejection.code(), expected, "{rejection:?}");
        let (honest, arguments) = (increment(), in_out());
        let launch = Launch { artifact: &honest, config: threads(N), arguments: &arguments };
        let evaluation = stage.evaluate(&launch, &plan()).unwrap().unwrap();
        check_images(stage.layout(), &evaluation, N);
    }
    let report = execute(&device, faulty, launch, N);
    let rejection =
        report.refused.or_else(|| report.findings.into_iter().next().map(Rejection::from_finding));
    println!("{expected}: {}", rejection.as_ref().map_or_else(String::new, Rejection::summary));
    assert_eq!(rejection.as_ref().map(Rejection::code), Some(expected), "{rejection:?}");
    let report = execute(&device, &increment(), threads(N), N);
    assert!(report.findings.is_empty() && report.refused.is_none());
    assert!(report.outputs[0].bytes == words(1001, N));
}

fn reject(stage: &mut dyn Stage, artifact: &Artifact, config: LaunchConfig) -> Rejection {
    let arguments = in_out();
    let plan = TimingPlan { time_limit_ns: 2_000_000_000, ..plan() };
    let launch = Launch { artifact, config, arguments: &arguments };
    *stage.evaluate(&launch, &plan).unwrap().unwrap_err()
}

#[test]
fn an_illegal_address() {
    let far = "add.u64 q, q, 0x100000000000; st.global.u32 [q], v; ret;";
    check(&elementwise(far), threads(N), "out_of_bounds");
}

#[test]
fn a_misaligned_address() {
    check(&elementwise("st.global.u32 [q+2], v; ret;"), threads(N), "misaligned");
}

#[test]
fn a_kernel_without_end() {
    // The loop depends on memory, so that no compiler may take it for one that ends.
    let endless = "AGAIN: ld.volatile.global.u32 w, [p]; setp.eq.u32 c, w, v; @c bra AGAIN;
                   st.global.u32 [q], w; ret;";
    check(&elementwise(endless), threads(N), "timeout");
}

#[test]
fn a_trap() {
    check(&elementwise("trap; st.global.u32 [q], v; ret;"), threads(N), "crash");
}

#[test]
fn a_failed_assertion() {
    let declaration = ".extern .func __assertfail (.param .b64 message, .param .b64 file, \
                       .param .b32 line, .param .b64 function, .param .b64 size);\n\
                       .global .align 1 .b8 text[5] = {102, 97, 108, 115, 0};\n";
    let rest = "
  .reg .b64 s;
  mov.u64 s, text;
  cvta.global.u64 s, s;
  {
    .param .b64 a0; .param .b64 a1; .param .b32 a2; .param .b64 a3; .param .b64 a4;
    st.param.b64 [a0], s; st.param.b64 [a1], s; st.param.b32 [a2], 7;
    st.param.b64 [a3], s; st.param.b64 [a4], 1;
    call.uni __assertfail, (a0, a1, a2, a3, a4);
  }
  st.global.u32 [q], v; ret;";
    let artifact = elementwise(rest);
    let ptx = artifact.ptx.replace(".visible .entry", &format!("{declaration}.visible .entry"));
    check(&Artifact::new(artifact.manifest, ptx, Vec::new()), threads(N), "crash");
}

#[test]
fn more_shared_memory_than_there_is() {
    let launch = LaunchConfig { shared_memory_bytes: 300 << 10, ..threads(N) };
    check(&increment(), launch, "launch");
}

#[test]
fn more_threads_than_a_block_may_have() {
    let launch = LaunchConfig { grid: [2, 1, 1], block: [2048, 1, 1], ..threads(N) };
    check(&increment(), launch, "launch");
}

#[test]
fn more_threads_than_the_registers_allow() {
    // `.minnreg` does not exist everywhere, so the kernel is bounded by its own word.
    let artifact = increment();
    let ptx = artifact.ptx.replace(".param .u64 out)", ".param .u64 out) .maxntid 32, 1, 1");
    check(&Artifact::new(artifact.manifest, ptx, Vec::new()), threads(N), "launch");
}

#[test]
fn clusters_that_do_not_divide_the_grid() {
    let launch = LaunchConfig { cluster: Some([3, 1, 1]), ..threads(N) };
    check(&increment(), launch, "launch");
}

#[test]
fn code_that_cannot_be_loaded() {
    let artifact = kernel(".param .u64 in, .param .u64 out", "  no.such.instruction;");
    check(&artifact, threads(N), "crash");
    let cubin = [b"\x7fELF".as_slice(), &[0; 200]].concat();
    let artifact = Artifact::new(increment().manifest, increment().ptx, cubin);
    check(&artifact, threads(N), "crash");
}

/// A copy with a cache hint to a uniform address in shared memory: some assemblers make an illegal
/// instruction of it. Right or crashed are both answers; a lost campaign is none.
#[test]
fn an_illegal_instruction_or_none() {
    if !has_gpu("a miscompiled copy") {
        return;
    }
    let rest = "
  .shared .align 16 .b8 tile[64];
  .reg .b64 policy; .reg .b32 s;
  createpolicy.fractional.L2::evict_first.b64 policy, 1.0;
  mov.u32 s, tile;
  ld.param.u64 r, [in];
  cp.async.ca.shared.global.L2::cache_hint [s], [r], 4, policy;
  cp.async.wait_all;
  bar.sync 0;
  add.u32 v, v, 1;
  st.global.u32 [q], v;
  ret;";
    let device = isolated();
    for artifact in [elementwise(rest), increment()] {
        let mut stage = device.stage(request(N)).unwrap();
        let arguments = in_out();
        let launch = Launch { artifact: &artifact, config: threads(N), arguments: &arguments };
        match stage.evaluate(&launch, &plan()).unwrap() {
            Ok(evaluation) => check_images(stage.layout(), &evaluation, N),
            Err(rejection) => {
                println!("{}", rejection.summary());
                assert_eq!(rejection.code(), "crash");
            }
        }
    }
}

#[test]
fn a_worker_killed_from_outside() {
    if !has_gpu("a killed worker") {
        return;
    }
    let device = isolated();
    let honest = increment();
    for _ in 0..2 {
        let report = execute(&device, &honest, threads(N), N);
        assert!(report.outputs[0].bytes == words(1001, N));
        let worker = rustix::process::Pid::from_raw(device.worker_id().cast_signed()).unwrap();
        rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
        while is_alive(device.worker_id()) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(device.is_usable());
}

/// Whether a thread of the process still runs; its leader may have ended before the others.
fn is_alive(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
    let is_zombie = std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")));
    threads > 1 || threads == 1 && !is_zombie
}
