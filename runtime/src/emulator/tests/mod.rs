//! What instructions compute, pinned one small kernel at a time.

mod cluster;
mod control;
mod float;
mod half;
mod integer;
mod supported;

use std::sync::Arc;

use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::Architecture;

use super::{Emulator, EmulatorOptions};
use crate::device::{BlockSelection, Buffer, BufferContent, Device, Execution, ExecutionReport};

/// Runs a kernel `k(in, out)` over 64-bit words on one block.
pub(super) fn run(ptx: &str, threads: u32, input: &[u64], n_out: usize) -> ExecutionReport {
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: "k".to_owned(),
        target: Architecture::parse("sm_90a").unwrap(),
        toolkit: "none".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    let artifact = Artifact::new(manifest, ptx.to_owned(), Vec::new());
    let bytes: Arc<[u8]> = input.iter().flat_map(|word| word.to_le_bytes()).collect();
    let zeros: Arc<[u8]> = vec![0; n_out * 8].into();
    let buffer = |name: &str, content| Buffer {
        name: name.to_owned(),
        dtype: Dtype::I64,
        content,
        constant: false,
    };
    let named = |name: &str| Argument::Tensor { name: name.to_owned() };
    let execution = Execution {
        artifact: &artifact,
        launch: LaunchConfig {
            grid: [1; 3],
            block: [threads, 1, 1],
            shared_memory_bytes: 0,
            cluster: None,
            programmatic: false,
        },
        arguments: &[named("in"), named("out")],
        buffers: &[
            buffer("in", BufferContent::Input(bytes)),
            buffer("out", BufferContent::InOut(zeros)),
        ],
        blocks: BlockSelection::All,
        instructions_per_block: 1 << 16,
    };
    let emulator = Emulator::with_options(EmulatorOptions { threads: Some(1) });
    emulator.execute(&execution).unwrap()
}

/// The words of the `out` buffer.
pub(super) fn words(report: &ExecutionReport) -> Vec<u64> {
    let (words, _) = report.outputs[0].bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// A kernel around a body. The body may use predicates `p`, `q`; 16-bit `ha` to `hd`; 32-bit `a`
/// to `d`; 64-bit `A` to `D`; `%tid` as `t`; and the array `smem` of 1 KiB.
pub(super) fn kernel(body: &str) -> String {
    format!(
        ".version 8.6\n.target sm_90a\n.address_size 64\n\
         .visible .entry k(.param .u64 in, .param .u64 out)\n{{\n\
         .reg .pred p, q;\n.reg .b16 ha, hb, hc, hd, he;\n.reg .b32 a, b, c, d, e, t;\n\
         .reg .b64 A, B, C, D, E, IN, OUT;\n.shared .align 16 .b8 smem[1024];\n\
         ld.param.u64 IN, [in];\nld.param.u64 OUT, [out];\nmov.u32 t, %tid.x;\n\
         mad.wide.u32 IN, t, 24, IN;\nmad.wide.u32 OUT, t, 8, OUT;\n\
         ld.global.u64 A, [IN];\nld.global.u64 B, [IN+8];\nld.global.u64 C, [IN+16];\n\
         cvt.u32.u64 a, A;\ncvt.u32.u64 b, B;\ncvt.u32.u64 c, C;\n\
         cvt.u16.u32 ha, a;\ncvt.u16.u32 hb, b;\ncvt.u16.u32 hc, c;\n\
         mov.u64 D, 0;\nmov.u32 d, 0;\nmov.u16 hd, 0;\n\
         {body}\n\
         cvt.u32.u16 e, hd;\nor.b32 d, d, e;\ncvt.u64.u32 E, d;\nor.b64 D, D, E;\n\
         st.global.u64 [OUT], D;\nret;\n}}\n"
    )
}

/// One line of a table: three inputs and what the body leaves in `hd`, `d` or `D`.
pub(super) type Line = ([u64; 3], u64);

/// Runs `body` with each line's inputs in a lane of its own.
#[track_caller]
pub(super) fn check(body: &str, table: &[Line]) {
    let input: Vec<u64> = table.iter().flat_map(|(inputs, _)| *inputs).collect();
    let threads = u32::try_from(table.len()).unwrap();
    let report = run(&kernel(body), threads, &input, table.len());
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{body}: {findings:#?}");
    for ((inputs, expected), got) in table.iter().zip(words(&report)) {
        assert_eq!(got, *expected, "`{body}` of {inputs:x?} is {got:#x}, not {expected:#x}");
    }
}

/// Runs `body` on a full warp whose lane `l` has the inputs `l`, 0 and 0.
#[track_caller]
pub(super) fn check_warp(body: &str, expected: impl Fn(u64) -> u64) {
    let table: Vec<Line> = (0..32).map(|lane| ([lane, 0, 0], expected(lane))).collect();
    check(body, &table);
}

/// The codes and messages of what a kernel does wrong.
pub(super) fn findings(ptx: &str, threads: u32) -> Vec<String> {
    let report = run(ptx, threads, &vec![0; 3 * threads as usize], threads as usize);
    report.findings.iter().map(ToString::to_string).collect()
}
