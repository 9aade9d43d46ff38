//! What one execution shows of a kernel that ends.

use ridge_runtime::conformance;
use ridge_runtime::cuda::CudaDevice;
use ridge_runtime::device::{
    BlockSelection, Buffer, BufferContent, Device, Execution, ExecutionReport,
};
use ridge_spec::artifact::Artifact;
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::outcome::FindingKind;

use crate::support::{elementwise, execute, has_gpu, increment, kernel, threads, words};

const N: u32 = 4096;

/// Runs a kernel in this process: none of these takes the context along.
#[track_caller]
fn check(
    artifact: &Artifact,
    launch: LaunchConfig,
    expected: &[FindingKind],
) -> Option<ExecutionReport> {
    if !has_gpu("an execution") {
        return None;
    }
    let device = CudaDevice::open(0).unwrap();
    let report = execute(&device, artifact, launch, N);
    let kinds: Vec<FindingKind> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, expected, "{:#?} {:?}", report.findings, report.refused);
    assert_eq!(report.refused, None);
    assert!(device.is_usable());
    // The next one has nothing of it.
    let after = execute(&device, &increment(), threads(N), N);
    assert!(after.findings.is_empty(), "{:#?}", after.findings);
    assert!(after.outputs[0].bytes == words(1001, N));
    Some(report)
}

#[test]
fn a_device_in_this_process_keeps_its_promises() {
    if !has_gpu("promises in one process") {
        return;
    }
    let device = CudaDevice::open(0).unwrap();
    conformance::counts_its_blocks(&device);
    conformance::is_one_device_for_all_threads(&device);
    conformance::keeps_inputs_between_executions(&device);
    conformance::orders_shared_memory_by_barriers(&device);
    conformance::passes_scalars_and_integers(&device);
    conformance::refuses_wrong_arguments(&device);
    conformance::repeats_itself(&device);
    conformance::returns_outputs_in_order(&device);
    conformance::runs_every_block_and_thread(&device);
    conformance::runs_sampled_blocks_only(&device);
    conformance::updates_buffers_in_place(&device);
}

#[test]
fn a_write_past_the_end_is_named_by_buffer_and_offset() {
    let artifact =
        elementwise("add.u32 v, v, 1; st.global.u32 [q], v; st.global.u32 [q+4], v; ret;");
    if let Some(report) = check(&artifact, threads(N), &[FindingKind::OutOfBounds]) {
        let finding = &report.findings[0];
        assert_eq!(finding.buffer.as_deref(), Some("out"), "{finding}");
        assert_eq!(finding.offset_bytes, Some(i64::from(N) * 4), "{finding}");
    }
}

#[test]
fn a_write_before_the_start_is_named_by_buffer_and_offset() {
    let artifact = elementwise("st.global.u32 [q], v; st.global.u32 [q+-4], v; ret;");
    if let Some(report) = check(&artifact, threads(N), &[FindingKind::OutOfBounds]) {
        assert_eq!(report.findings[0].buffer.as_deref(), Some("out"));
        assert_eq!(report.findings[0].offset_bytes, Some(-4));
    }
}

#[test]
fn a_write_to_an_input_is_named_by_its_first_byte() {
    let rest = "st.global.u32 [q], v; setp.ne.u32 c, i, 77; @c ret; not.b32 v, v;
                st.global.u32 [p], v; ret;";
    if let Some(report) = check(&elementwise(rest), threads(N), &[FindingKind::ModifiedInput]) {
        assert_eq!(report.findings[0].buffer.as_deref(), Some("in"));
        assert_eq!(report.findings[0].offset_bytes, Some(77 * 4));
    }
}

#[test]
fn elements_never_written_are_found_however_random_they_look() {
    let rest = "setp.eq.u32 c, i, 100; @c ret; st.global.u32 [q], v; ret;";
    if let Some(report) = check(&elementwise(rest), threads(N), &[FindingKind::UnwrittenOutput]) {
        assert_eq!(report.findings[0].offset_bytes, Some(400));
        let output = &report.outputs[0];
        let unwritten: Vec<usize> =
            (0..N as usize).filter(|at| !output.is_written(at * 4, 4)).collect();
        assert_eq!(unwritten, [100]);
    }
}

#[test]
fn bytes_that_equal_their_poison_by_chance_count_as_written() {
    if !has_gpu("chance") {
        return;
    }
    // A million bytes, of which 4,000 are what they were filled with.
    let artifact = kernel(
        ".param .u64 out",
        "
  .reg .b32 b, n, t, i; .reg .b64 q;
  ld.param.u64 q, [out];
  mov.u32 b, %ctaid.x; mov.u32 n, %ntid.x; mov.u32 t, %tid.x;
  mad.lo.u32 i, b, n, t;
  mad.wide.u32 q, i, 1, q;
  st.global.u8 [q], i;
  ret;",
    );
    let n = 1 << 20;
    let buffers = [Buffer {
        name: "out".to_owned(),
        dtype: Dtype::U8,
        content: BufferContent::Output { size_bytes: u64::from(n) },
        constant: false,
    }];
    let execution = Execution {
        artifact: &artifact,
        launch: threads(n),
        arguments: &[Argument::Tensor { name: "out".to_owned() }],
        buffers: &buffers,
        blocks: BlockSelection::All,
        instructions_per_block: 1 << 20,
    };
    let report = CudaDevice::open(0).unwrap().execute(&execution).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let expected: Vec<u8> = (0..n).map(|i| i as u8).collect();
    assert!(report.outputs[0].bytes == expected);
}

#[test]
fn dynamic_shared_memory_above_48_kib_can_be_had() {
    let rest = "st.shared.u32 [tile+200000], v; bar.sync 0; ld.shared.u32 w, [tile+200000];
                st.global.u32 [q], v; ret;";
    let artifact = elementwise(rest);
    let declaration = ".extern .shared .align 16 .b8 tile[];\n";
    let ptx = artifact.ptx.replace(".visible .entry", &format!("{declaration}.visible .entry"));
    let artifact = Artifact::new(artifact.manifest, ptx, Vec::new());
    let launch = LaunchConfig { shared_memory_bytes: 200 << 10, ..threads(N) };
    if let Some(report) = check(&artifact, launch, &[]) {
        assert!(report.outputs[0].bytes == words(1000, N));
    }
}

#[test]
fn clusters_and_programmatic_launches_run() {
    // Each thread adds the rank of its block in its cluster of two.
    let rest = "mov.u32 w, %cluster_ctarank; add.u32 v, v, w; st.global.u32 [q], v; ret;";
    let launch = LaunchConfig { cluster: Some([2, 1, 1]), ..threads(N) };
    if let Some(report) = check(&elementwise(rest), launch, &[]) {
        let expected: Vec<u8> =
            (0..N).flat_map(|i| (1000 + i + i / 64 % 2).to_le_bytes()).collect();
        assert!(report.outputs[0].bytes == expected);
    }
    let rest = "griddepcontrol.wait; st.global.u32 [q], v; griddepcontrol.launch_dependents; ret;";
    let launch = LaunchConfig { programmatic: true, ..threads(N) };
    if let Some(report) = check(&elementwise(rest), launch, &[]) {
        assert!(report.outputs[0].bytes == words(1000, N));
    }
}
