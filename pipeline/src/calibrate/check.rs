//! Whether the probes compute what they should: each is run once, small, before it is timed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ridge_runtime::device::{
    BlockSelection, Buffer, BufferContent, Device, DeviceError, Execution,
};
use ridge_spec::artifact::Artifact;

use super::probes::{
    BARRIER_WARPS, LINE_BYTES, MEMORY, Mix, Probe, RESULTS, Run, THREADS, VECTOR_BYTES, WORD,
};

/// Words of memory, and of results, in a check.
const MEMORY_WORDS: usize = 1 << 14;
const RESULT_WORDS: usize = 4096;

/// Instructions that a block may take in the emulator.
const INSTRUCTIONS_MAX: u64 = 10_000_000;

/// What is expected of the results.
enum Expected {
    /// These words at the start.
    Words(Vec<u32>),
    /// The exclusive or of all words.
    Total(u32),
}

/// Runs every probe once; what the first wrong one did.
///
/// # Errors
/// When the device cannot answer.
pub(super) fn check(
    device: &dyn Device,
    artifacts: &BTreeMap<Probe, Artifact>,
) -> Result<Option<String>, DeviceError> {
    let before: Vec<u32> = (0..MEMORY_WORDS as u64)
        .map(|at| ridge_runtime::measure::poison::word(7, 4 * at))
        .collect();
    for run in runs() {
        let Some(artifact) = artifacts.get(&run.probe) else { continue };
        let wrong = one(device, artifact, &run, &before)?;
        if let Some(wrong) = wrong {
            return Ok(Some(format!("`{}` {wrong}", run.label())));
        }
    }
    Ok(None)
}

/// A small launch of every probe. Sizes are odd, so that no loop ends where its unrolled body does.
fn runs() -> Vec<Run> {
    let mut runs = Vec::new();
    for mix in Mix::ALL {
        let bytes = u64::from(mix.arrays()) * 1237 * VECTOR_BYTES;
        runs.push(Run::stream(mix, 1, bytes));
        runs.push(Run::stream(mix, 2, bytes));
    }
    runs.extend([
        Run::passes(2, 1811 * VECTOR_BYTES, 3),
        Run::trips(1, 128, 1024 * VECTOR_BYTES, 11),
        Run::chase(256, 100, false),
        Run::chase(512, 64, true),
        Run::idle(3, 64),
        Run::trigger(3, 64),
        Run::one_shot(9, 1024),
        Run::persistent(4, 9, 1024),
        Run::spin(2, 64, 2000),
        Run::clusters(2, 4, 5),
    ]);
    runs.extend(BARRIER_WARPS.map(|warps| Run::barriers(warps, 2, 21)));
    runs
}

fn one(
    device: &dyn Device,
    artifact: &Artifact,
    run: &Run,
    before: &[u32],
) -> Result<Option<String>, DeviceError> {
    let bytes = |words: &[u32]| -> Arc<[u8]> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>().into()
    };
    let buffer = |name: &str, words: &[u32]| Buffer {
        name: name.to_owned(),
        dtype: WORD,
        content: BufferContent::InOut(bytes(words)),
        constant: false,
    };
    let report = device.execute(&Execution {
        artifact,
        launch: run.config,
        arguments: &run.arguments,
        buffers: &[buffer(MEMORY, before), buffer(RESULTS, &[0; RESULT_WORDS])],
        blocks: BlockSelection::All,
        instructions_per_block: INSTRUCTIONS_MAX,
    })?;
    if let Some(refused) = &report.refused {
        return Ok(Some(refused.summary()));
    }
    if let Some(finding) = report.findings.first() {
        return Ok(Some(format!("has a fault: {finding}")));
    }
    let words = |name: &str| -> Option<Vec<u32>> {
        let output = report.outputs.iter().find(|output| output.name == name)?;
        let words = output.bytes.chunks_exact(4).filter_map(|word| word.try_into().ok());
        Some(words.map(u32::from_le_bytes).collect())
    };
    let (Some(memory), Some(results)) = (words(MEMORY), words(RESULTS)) else {
        return Ok(Some("did not leave its tensors".to_owned()));
    };
    if memory != memory_after(run, before) {
        return Ok(Some("wrote something else".to_owned()));
    }
    let is_right = match expected(run, before) {
        Expected::Words(expected) => results.starts_with(&expected),
        Expected::Total(expected) => total(&results) == expected,
    };
    Ok((!is_right).then(|| "computed something else".to_owned()))
}

/// The exclusive or of words.
fn total(words: &[u32]) -> u32 {
    words.iter().fold(0, |total, word| total ^ word)
}

/// A number of a launch as an index.
fn count(run: &Run, name: &str) -> usize {
    usize::try_from(run.value(name)).unwrap_or(0)
}

/// What memory holds after a launch.
fn memory_after(run: &Run, before: &[u32]) -> Vec<u32> {
    let mut after = before.to_vec();
    let Probe::Stream(mix) = run.probe else { return after };
    let words = 4 * count(run, "n");
    let start = mix.reads as usize * words;
    for at in 0..words {
        let word = match mix.reads {
            0 => pattern(at),
            1 => before[at],
            _ => before[at] ^ before[words + at],
        };
        for array in 0..mix.writes as usize {
            after[start + array * words + at] = if array == 0 { word } else { !word };
        }
    }
    after
}

/// What is written where nothing is read.
#[expect(clippy::cast_possible_truncation, reason = "the kernel, too, takes the low half")]
fn pattern(at: usize) -> u32 {
    let vector = (at / 4) as u32;
    match at % 4 {
        0 => vector,
        1 => !vector,
        2 => vector ^ 0x5bd1_e995,
        _ => vector.wrapping_mul(0x9e37_79b9),
    }
}

/// What the results are after a launch.
fn expected(run: &Run, memory: &[u32]) -> Expected {
    let (blocks, threads) = (run.config.grid[0] as usize, run.config.block[0] as usize);
    let words = 4 * count(run, "n");
    match run.probe {
        Probe::Stream(Mix { writes: 0, .. }) | Probe::Passes => {
            // An even number of passes would cancel out: checks run an odd one.
            Expected::Total(total(&memory[..words]))
        }
        Probe::Stream(_) | Probe::Idle | Probe::Trigger => Expected::Total(0),
        Probe::Trips => {
            let (n, grid) = (words / 4, blocks * threads);
            let mut sum = 0;
            for thread in 0..grid {
                let mut at = thread;
                for _ in 0..count(run, "count") {
                    sum ^= total(&memory[4 * at..4 * at + 4]);
                    at += grid;
                    at -= if at >= n { n } else { 0 };
                }
            }
            Expected::Total(sum)
        }
        Probe::Chase => Expected::Words(vec![chased(run, memory)]),
        Probe::OneShot | Probe::Persistent => {
            let rows = if run.probe == Probe::OneShot { blocks } else { count(run, "items") };
            let width = 4 * THREADS as usize;
            Expected::Words(
                (0..rows).map(|row| total(&memory[row * width..(row + 1) * width])).collect(),
            )
        }
        Probe::Barriers(warps) => {
            let mut values: Vec<u32> = (1..=warps).collect();
            for _ in 0..count(run, "count") {
                let sum = values.iter().fold(0u32, |sum, value| sum.wrapping_add(*value));
                values = (0..warps).map(|warp| sum.wrapping_add(warp)).collect();
            }
            let block: Vec<u32> = values.iter().flat_map(|&value| [value; 32]).collect();
            Expected::Words(block.repeat(blocks))
        }
        Probe::Clusters => {
            let rounds = u32::try_from(run.value("count")).unwrap_or(0);
            Expected::Words(vec![rounds; blocks * threads])
        }
        Probe::Spin => Expected::Words(vec![1; blocks * threads / 32]),
    }
}

/// Words from one place of a chase to the next.
const LINE_WORDS: usize = (LINE_BYTES / 4) as usize;

/// Where a chase ends.
fn chased(run: &Run, memory: &[u32]) -> u32 {
    let mask = u32::try_from(run.value("mask")).unwrap_or(0);
    let (mut line, mut turn) = (0u32, 0u32);
    for _ in 0..count(run, "steps") {
        let found = memory[line as usize * LINE_WORDS];
        line = found.wrapping_add(turn) & mask;
        turn = turn.wrapping_add(0x9e37_79b1);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_fit_into_their_memory_and_reach_every_probe() {
        let runs = runs();
        for probe in Probe::all(90) {
            assert!(runs.iter().any(|run| run.probe == probe), "{probe:?}");
        }
        for run in &runs {
            let arrays = match run.probe {
                Probe::Stream(mix) => mix.arrays() as usize,
                _ => 1,
            };
            assert!(4 * arrays * count(run, "n") <= MEMORY_WORDS, "{}", run.label());
            assert!((count(run, "mask") + 1) * 32 <= MEMORY_WORDS, "{}", run.label());
            let threads = run.config.blocks() * run.config.threads_per_block();
            assert!(threads <= RESULT_WORDS as u64, "{}", run.label());
        }
    }

    #[test]
    fn what_memory_should_hold() {
        let before: Vec<u32> = (0..64).collect();
        let mix = Mix { reads: 1, writes: 2 };
        let run = Run::stream(mix, 1, 3 * 4 * VECTOR_BYTES);
        let after = memory_after(&run, &before);
        assert_eq!(after[..16], before[..16]);
        assert_eq!(after[16..32], before[..16]);
        assert_eq!(after[32..48].iter().map(|word| !word).collect::<Vec<_>>(), before[..16]);
        assert_eq!(after[48..], before[48..]);
    }
}
