//! The promises. Each takes the device and panics where it breaks its word.

use ridge_spec::dtype::Dtype;
use ridge_spec::launch::Argument;
use ridge_spec::outcome::FindingKind;

use super::kernels::{
    COUNT, INDICES, Launch, NEXT_OF_CLUSTER, REVERSE, SCALARS, TRAP, TWO_OUTPUTS, in_out, input,
    output, tensor, words,
};
use crate::device::{BlockSelection, Buffer, Device, DeviceError};

const ALL: BlockSelection = BlockSelection::All;

/// `n` words that differ.
fn ramp(n: u32) -> Vec<u32> {
    (0..n).map(|word| word * 3 + 1).collect()
}

fn indices<'a>(buffers: &'a [Buffer], arguments: &'a [Argument]) -> Launch<'a> {
    let (grid, block) = ([3, 2, 2], [8, 3, 2]);
    Launch { kernel: INDICES, grid, block, arguments, buffers, blocks: ALL }
}

fn reverse<'a>(buffers: &'a [Buffer], arguments: &'a [Argument], threads: u32) -> Launch<'a> {
    let (grid, block) = ([1; 3], [threads, 1, 1]);
    Launch { kernel: REVERSE, grid, block, arguments, buffers, blocks: ALL }
}

/// Every thread of every block runs once, with its own indices.
pub fn runs_every_block_and_thread(device: &dyn Device) {
    let (n_blocks, n_threads) = (12, 48);
    let buffers = [output("out", u64::from(n_blocks * n_threads))];
    let report = indices(&buffers, &[tensor("out")]).clean(device);
    let expected: Vec<u32> = (0..n_blocks)
        .flat_map(|block| (0..n_threads).map(move |thread| block * 1000 + thread))
        .collect();
    assert_eq!(words(&report, "out"), expected);
}

/// Sampled blocks run, the first and the last among them, and no block that the report does not
/// count. A device that can only run whole grids runs, and counts, all.
pub fn runs_sampled_blocks_only(device: &dyn Device) {
    let buffers = [in_out("out", &[u32::MAX; 576])];
    let arguments = [tensor("out")];
    let sampled = Launch { blocks: BlockSelection::Sampled(3), ..indices(&buffers, &arguments) };
    let report = sampled.clean(device);
    let blocks: Vec<bool> = words(&report, "out")
        .chunks_exact(48)
        .map(|block| block.iter().all(|word| *word != u32::MAX))
        .collect();
    let n_run = blocks.iter().filter(|ran| **ran).count();
    assert!(blocks[0] && blocks[11], "the first and the last block run: {blocks:?}");
    assert_eq!(u64::try_from(n_run), Ok(report.blocks_run));
}

/// The report says how many blocks ran.
pub fn counts_its_blocks(device: &dyn Device) {
    let buffers = [in_out("total", &[0, 0])];
    let arguments = [tensor("total")];
    let (grid, block) = ([7, 1, 1], [40, 1, 1]);
    let launch = Launch {
        kernel: COUNT,
        grid,
        block,
        arguments: &arguments,
        buffers: &buffers,
        blocks: ALL,
    };
    let report = launch.clean(device);
    assert_eq!(words(&report, "total"), [280, 7]);
    assert_eq!(report.blocks_run, 7);
}

/// Scalars and integers arrive as wide as the kernel's parameters.
pub fn passes_scalars_and_integers(device: &dyn Device) {
    let scalar =
        |name: &str, value| Argument::Scalar { name: name.to_owned(), dtype: Dtype::F32, value };
    let integer = |name: &str, value| Argument::Integer { name: name.to_owned(), value };
    let arguments = [tensor("out"), scalar("a", 0.1), integer("b", -7), integer("c", -(1 << 40))];
    let buffers = [output("out", 4)];
    let (grid, block) = ([1; 3], [1; 3]);
    let launch = Launch {
        kernel: SCALARS,
        grid,
        block,
        arguments: &arguments,
        buffers: &buffers,
        blocks: ALL,
    };
    let words = words(&launch.clean(device), "out");
    assert_eq!(words, [0.1_f32.to_bits(), 0xffff_fff9, 0, 0xffff_ff00]);
}

/// A barrier makes shared memory visible to the whole block.
pub fn orders_shared_memory_by_barriers(device: &dyn Device) {
    for threads in [1, 31, 96, 1024] {
        let values = ramp(threads);
        let buffers = [input("in", &values), output("out", u64::from(threads))];
        let report = reverse(&buffers, &[tensor("in"), tensor("out")], threads).clean(device);
        let expected: Vec<u32> = values.iter().rev().copied().collect();
        assert_eq!(words(&report, "out"), expected, "{threads} threads");
    }
}

/// The blocks of a cluster know their rank and read each other's shared memory after the cluster's
/// barrier. A device without clusters refuses the launch, and says why.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub fn lets_blocks_of_a_cluster_exchange(device: &dyn Device) {
    for blocks in [2, 4] {
        let buffers = [output("out", 8 * 32)];
        let arguments = [tensor("out")];
        let launch = Launch {
            kernel: NEXT_OF_CLUSTER,
            grid: [8, 1, 1],
            block: [32, 1, 1],
            arguments: &arguments,
            buffers: &buffers,
            blocks: ALL,
        };
        let report = match launch.run_in_clusters(device, Some([blocks, 1, 1])) {
            Ok(report) => report,
            Err(error) => unreachable!("the device did not answer: {error}"),
        };
        if let Some(refused) = &report.refused {
            eprintln!("skipped: {} runs no clusters: {}", device.name(), refused.summary());
            return;
        }
        assert!(report.findings.is_empty(), "findings: {:#?}", report.findings);
        let next = |block: u32| (block % blocks + 1) % blocks;
        let of_block = |block| (0..32).map(move |thread| next(block) * 1000 + thread);
        let expected: Vec<u32> = (0..8).flat_map(of_block).collect();
        assert_eq!(words(&report, "out"), expected);
    }
}

/// Inputs are shared with the caller and the same after an execution.
pub fn keeps_inputs_between_executions(device: &dyn Device) {
    let values = ramp(64);
    let buffers = [input("in", &values), output("out", 64)];
    let arguments = [tensor("in"), tensor("out")];
    let launch = reverse(&buffers, &arguments, 64);
    let (first, second) = (launch.clean(device), launch.clean(device));
    assert_eq!(words(&first, "out"), words(&second, "out"));
    assert!(first.outputs.iter().all(|output| output.name != "in"), "an input is no output");
}

/// A buffer that is read and written starts with its content, each time.
pub fn updates_buffers_in_place(device: &dyn Device) {
    let buffers = [in_out("total", &[100, 200])];
    let arguments = [tensor("total")];
    let (grid, block) = ([2, 1, 1], [32, 1, 1]);
    let launch = Launch {
        kernel: COUNT,
        grid,
        block,
        arguments: &arguments,
        buffers: &buffers,
        blocks: ALL,
    };
    for _ in 0..2 {
        assert_eq!(words(&launch.clean(device), "total"), [164, 202]);
    }
}

/// Outputs come back by name in the order of the buffers, whatever the order of the arguments.
pub fn returns_outputs_in_order(device: &dyn Device) {
    let buffers = [output("first", 8), output("second", 8)];
    let arguments = [tensor("second"), tensor("first")];
    let (grid, block) = ([1; 3], [8, 1, 1]);
    let launch = Launch {
        kernel: TWO_OUTPUTS,
        grid,
        block,
        arguments: &arguments,
        buffers: &buffers,
        blocks: ALL,
    };
    let report = launch.clean(device);
    let names: Vec<&str> = report.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(words(&report, "first"), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(words(&report, "second"), [0, 2, 4, 6, 8, 10, 12, 14]);
}

/// Arguments that do not fit the kernel are an error that names the kernel, not a crash.
pub fn refuses_wrong_arguments(device: &dyn Device) {
    let buffers = [input("in", &ramp(8)), output("out", 8)];
    let wrong: [&[Argument]; 3] = [
        &[tensor("in")],
        &[tensor("in"), tensor("elsewhere")],
        &[tensor("in"), Argument::Scalar { name: "s".to_owned(), dtype: Dtype::F32, value: 0.0 }],
    ];
    for arguments in wrong {
        match reverse(&buffers, arguments, 8).run(device) {
            Err(DeviceError::InvalidExecution { entry, .. }) => assert_eq!(entry, "k"),
            other => assert!(other.is_err(), "{arguments:?} is accepted"),
        }
    }
    let none = Launch { grid: [0, 1, 1], ..reverse(&buffers, &[], 8) };
    assert!(none.run(device).is_err(), "a grid without blocks is accepted");
}

/// The same execution gives the same bytes and counts.
pub fn repeats_itself(device: &dyn Device) {
    let buffers = [output("out", 576)];
    let arguments = [tensor("out")];
    let launch = indices(&buffers, &arguments);
    let (first, second) = (launch.clean(device), launch.clean(device));
    assert_eq!(words(&first, "out"), words(&second, "out"));
    assert_eq!(first.counters, second.counters);
}

/// A kernel that stops itself is a finding, and the device goes on working.
pub fn survives_a_kernel_that_traps(device: &dyn Device) {
    let buffers = [output("out", 576)];
    let arguments = [tensor("out")];
    let trap = Launch { kernel: TRAP, ..indices(&buffers, &arguments) };
    match trap.run(device) {
        Ok(report) => {
            let kinds: Vec<FindingKind> = report.findings.iter().map(|one| one.kind).collect();
            assert!(kinds.contains(&FindingKind::Trap), "{kinds:?}");
        }
        Err(error) => assert!(matches!(error, DeviceError::Lost { .. }), "{error}"),
    }
    runs_every_block_and_thread(device);
}

/// Several threads may use the device at a time.
pub fn is_one_device_for_all_threads(device: &dyn Device) {
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| runs_every_block_and_thread(device));
        }
    });
}
