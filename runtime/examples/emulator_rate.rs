//! Prints how many lane-instructions a second the emulator runs, on one thread, with every check
//! on.
//!
//! `cargo run --release -p ridge-runtime --example emulator_rate -- [FILE.ptx [ROWS [BLOCK-X]]]`
//!
//! The file holds one kernel `(const bf16 *x, const bf16 *weight, bf16 *y, int rows, float eps)`
//! over 4096 columns, one block a row; without one, an RMS normalisation is used.

use std::sync::Arc;
use std::time::Instant;

use ridge_runtime::device::{BlockSelection, Buffer, BufferContent, Device, Execution};
use ridge_runtime::emulator::{Emulator, EmulatorOptions, ptx};
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::target::Architecture;

const COLUMNS: usize = 4096;
const RMSNORM: &str = include_str!("rmsnorm.ptx");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = match arguments.first() {
        Some(path) => std::fs::read_to_string(path)?,
        None => RMSNORM.to_owned(),
    };
    let rows: u32 = arguments.get(1).map_or(Ok(4096), |text| text.parse())?;
    let threads: u32 = arguments.get(2).map_or(Ok(256), |text| text.parse())?;
    let module = ptx::parse(&text)?;
    let entry = module.entries().next().ok_or("no kernel")?.name.clone();
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: entry,
        target: Architecture::parse("sm_90a").ok_or("no target")?,
        toolkit: "fixture".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    let artifact = Artifact::new(manifest, text, Vec::new());
    let elements = rows as usize * COLUMNS;
    // Any spread of finite values will do: sign and mantissa vary, the exponent a little.
    let input = |n: usize| -> Arc<[u8]> {
        let value = |i: usize| (0x3f00 | (i * 7 + i / 31) & 0x80ff).to_le_bytes();
        (0..n).flat_map(|i| [value(i)[0], value(i)[1]]).collect()
    };
    let tensor = |name: &str, content| Buffer {
        name: name.to_owned(),
        dtype: Dtype::Bf16,
        content,
        constant: false,
    };
    let buffers = [
        tensor("x", BufferContent::Input(input(elements))),
        tensor("weight", BufferContent::Input(input(COLUMNS))),
        tensor("y", BufferContent::Output { size_bytes: elements as u64 * 2 }),
    ];
    let named = |name: &str| Argument::Tensor { name: name.to_owned() };
    let arguments = [
        named("x"),
        named("weight"),
        named("y"),
        Argument::Integer { name: "rows".to_owned(), value: i64::from(rows) },
        Argument::Scalar { name: "eps".to_owned(), dtype: Dtype::F32, value: 1e-6 },
    ];
    let execution = Execution {
        artifact: &artifact,
        launch: LaunchConfig {
            grid: [rows, 1, 1],
            block: [threads, 1, 1],
            shared_memory_bytes: 0,
            cluster: None,
            programmatic: false,
        },
        arguments: &arguments,
        buffers: &buffers,
        blocks: BlockSelection::All,
        instructions_per_block: 1 << 24,
    };
    measure(&execution)
}

#[expect(clippy::print_stdout, reason = "an example prints")]
fn measure(execution: &Execution<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::with_options(EmulatorOptions { threads: Some(1) });
    for round in 0..3 {
        let start = Instant::now();
        let report = emulator.execute(execution)?;
        let seconds = start.elapsed().as_secs_f64();
        for finding in &report.findings {
            println!("{finding}");
        }
        let Some(counters) = report.counters else { return Err("not counted".into()) };
        println!(
            "round {round}: {} lane-instructions in {seconds:.3} s: {:.0} million a second",
            counters.thread_instructions,
            counters.thread_instructions as f64 / seconds / 1e6
        );
        if round == 2 {
            println!("{counters:#?}");
        }
    }
    Ok(())
}
