//! The kernels in the emulator, which checks every access of theirs.

use std::sync::Arc;

use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::Architecture;

use super::PTX;
use crate::device::{BlockSelection, Buffer, BufferContent, Device, Execution, ExecutionReport};
use crate::emulator::Emulator;
use crate::measure::{Layout, TensorLayout, poison};

fn run(entry: &str, grid: [u32; 3], arguments: &[Argument], buffers: &[Buffer]) -> ExecutionReport {
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: entry.to_owned(),
        target: Architecture::parse("sm_70").unwrap(),
        toolkit: "by hand".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    let artifact = Artifact::new(manifest, PTX.to_owned(), Vec::new());
    let report = Emulator::new()
        .execute(&Execution {
            artifact: &artifact,
            launch: LaunchConfig {
                grid,
                block: [256, 1, 1],
                shared_memory_bytes: 0,
                cluster: None,
                programmatic: false,
            },
            arguments,
            buffers,
            blocks: BlockSelection::All,
            instructions_per_block: 1 << 32,
        })
        .unwrap();
    assert!(report.findings.is_empty(), "{entry}: {:#?}", report.findings);
    report
}

fn buffer(name: &str, content: BufferContent) -> Buffer {
    Buffer { name: name.to_owned(), dtype: Dtype::U8, content, constant: false }
}

fn tensor(name: &str) -> Argument {
    Argument::Tensor { name: name.to_owned() }
}

fn integer(value: u64) -> Argument {
    Argument::Integer { name: "n".to_owned(), value: i64::try_from(value).unwrap() }
}

/// Bytes that differ from place to place.
fn bytes(n: usize) -> Arc<[u8]> {
    let mut bytes = vec![0; n];
    poison::fill(&mut bytes, 99, 0);
    bytes.into()
}

/// Poisons two of `n_sets` sets of tensors that end raggedly, and looks at every byte.
fn check_poison(tensors: &[(u64, bool)], seed: u64, mask: u32) {
    let tensors = tensors.iter().enumerate().map(|(at, &(size_bytes, is_output))| TensorLayout {
        name: format!("t{at}"),
        dtype: Dtype::U8,
        size_bytes,
        is_output,
    });
    let layout = Layout::new(tensors.collect(), 0);
    let ranges = layout.poisoned();
    let table: Vec<u8> = ranges
        .iter()
        .flat_map(|(offset, bytes)| [*offset, *bytes])
        .flat_map(u64::to_le_bytes)
        .collect();
    let before = bytes(usize::try_from(layout.total_bytes()).unwrap());
    let buffers = [
        buffer("sets", BufferContent::InOut(Arc::clone(&before))),
        buffer("ranges", BufferContent::Input(table.into())),
    ];
    let arguments = [
        tensor("sets"),
        integer(layout.set_bytes()),
        tensor("ranges"),
        integer(seed & 0xffff_ffff),
        integer(seed >> 32),
        integer(u64::from(mask)),
    ];
    let grid = [3, u32::try_from(ranges.len()).unwrap(), layout.n_sets()];
    let report = run("poison", grid, &arguments, &buffers);
    let mut expected = before.to_vec();
    for set in 0..u64::from(layout.n_sets()) {
        for (offset, bytes) in &ranges {
            for at in set * layout.set_bytes() + offset..set * layout.set_bytes() + offset + bytes {
                let byte = poison::byte(seed, at) ^ mask.to_le_bytes()[(at % 4) as usize];
                expected[usize::try_from(at).unwrap()] = byte;
            }
        }
    }
    assert!(report.outputs[0].bytes == expected, "poison differs with seed {seed:#x}");
}

#[test]
fn poison_is_what_the_judge_expects() {
    check_poison(&[(1003, false), (4, false), (777, true)], 0x1234_5678_9abc_def0, 0);
    check_poison(&[(64, true)], 0xffff_ffff_0000_0001, u32::MAX);
}

#[test]
fn flush_reads_every_vector_once() {
    for n_vectors in [1_u64, 255, 1024, 5000, 9001] {
        let content = BufferContent::Input(bytes(usize::try_from(n_vectors * 16).unwrap()));
        let sink = BufferContent::InOut(vec![7; 4].into());
        let buffers = [buffer("buffer", content), buffer("sink", sink)];
        let arguments = [tensor("buffer"), integer(n_vectors), tensor("sink")];
        let report = run("flush", [3, 1, 1], &arguments, &buffers);
        assert_eq!(report.outputs[0].bytes, [7; 4]);
        let counters = report.counters.unwrap();
        assert_eq!(counters.global_load.bytes, n_vectors * 16, "{n_vectors} vectors");
        // Warps at the ends may share one.
        let sectors = (n_vectors * 16).div_ceil(32);
        assert!((sectors..sectors + 8).contains(&counters.global_load.sectors));
    }
}

#[test]
fn copies_copy_and_touch_nothing_else() {
    for (entry, per_block) in [("copy1", 256_u64), ("copy4", 1024)] {
        for n_vectors in [1, 255, 256, 1000, 1024, 2500] {
            let content = bytes(usize::try_from(n_vectors * 16).unwrap());
            let to = BufferContent::Output { size_bytes: n_vectors * 16 };
            let buffers =
                [buffer("from", BufferContent::Input(Arc::clone(&content))), buffer("to", to)];
            let arguments = [tensor("from"), tensor("to"), integer(n_vectors)];
            let blocks = u32::try_from(n_vectors.div_ceil(per_block)).unwrap();
            let report = run(entry, [blocks, 1, 1], &arguments, &buffers);
            assert!(report.outputs[0].bytes[..] == content[..], "{entry} of {n_vectors}");
        }
    }
}
